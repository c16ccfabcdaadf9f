"""Vouchers, reasons and statements."""

from typing import cast

from dispute_fsm.domain.commands import ChooseOption, SubmitEvidence
from dispute_fsm.domain.enums import RefusalCode
from dispute_fsm.machine.guard import (
    NEVER,
    Case,
    GuardResult,
    assumed,
    requirement,
    result_of,
    stated,
)
from dispute_fsm.rules import evidence


def vouchers_of(case: Case) -> evidence.Vouchers:
    """Return the vouchers of a command that has any: a choice, or evidence."""
    return cast("ChooseOption | SubmitEvidence", case.command).vouchers


def _submission(case: Case) -> SubmitEvidence:
    return cast("SubmitEvidence", case.command)


LIMITS = assumed("公告未给出凭证的格式与大小限制", "the announcement gives no limits for vouchers")
_PROMPTED = stated(
    "须选择正确理由，按提示上传凭证并填写说明",
    "a correct reason, the vouchers that it prompts for, a statement",
)


@requirement("凭证大小未超出上限", "no voucher is too large", LIMITS, RefusalCode.VOUCHER_TOO_LARGE)
def vouchers_small_enough(case: Case) -> GuardResult:
    """Require the size limits, each and together."""
    return evidence.vouchers_small_enough(case.policy, vouchers_of(case))


@requirement(
    "凭证文件格式受支持", "every file format is supported", LIMITS, RefusalCode.VOUCHER_MEDIA_TYPE
)
def media_types_supported(case: Case) -> GuardResult:
    """Require supported file formats."""
    return evidence.media_types_supported(case.policy, vouchers_of(case))


@requirement("凭证数量未超出上限", "not too many vouchers", LIMITS, RefusalCode.TOO_MANY_VOUCHERS)
def vouchers_few_enough(case: Case) -> GuardResult:
    """Require at most the allowed number of files."""
    return evidence.vouchers_few_enough(case.policy, vouchers_of(case))


VOUCHER_LIMITS = (vouchers_small_enough, media_types_supported, vouchers_few_enough)
"""The limits that hold for every command with vouchers."""


@requirement(
    "举证理由有效", "the reason is in the catalogue", _PROMPTED, RefusalCode.REASON_UNKNOWN
)
def reason_known(case: Case) -> GuardResult:
    """Require a reason of the policy's catalogue."""
    return evidence.reason_known(case.policy, _submission(case).reason)


@requirement(
    "所需凭证齐全", "every prompted voucher is there", _PROMPTED, RefusalCode.VOUCHER_MISSING
)
def vouchers_there(case: Case) -> GuardResult:
    """Require every voucher that the reason prompts for."""
    return evidence.vouchers_there(case.policy, _submission(case).reason, vouchers_of(case))


@requirement(
    "凭证类型均符合要求",
    "every voucher is of an accepted kind",
    _PROMPTED,
    RefusalCode.VOUCHER_NOT_ACCEPTED,
)
def vouchers_accepted(case: Case) -> GuardResult:
    """Require that no voucher is of a kind that the reason does not accept."""
    return evidence.vouchers_accepted(case.policy, _submission(case).reason, vouchers_of(case))


@requirement("已填写情况说明", "there is a statement", _PROMPTED, RefusalCode.STATEMENT_MISSING)
def statement_there(case: Case) -> GuardResult:
    """Require a statement where the reason asks for one."""
    return evidence.statement_there(
        case.policy, _submission(case).reason, _submission(case).statement
    )


@requirement(
    "情况说明未超出字数上限",
    "the statement is short enough",
    LIMITS,
    RefusalCode.STATEMENT_TOO_LONG,
)
def statement_short_enough(case: Case) -> GuardResult:
    """Require that the statement stays within the limit."""
    return evidence.statement_short_enough(case.policy, _submission(case).statement)


@requirement(
    "补充举证次数未用完",
    "a round of extra evidence is left",
    assumed(
        "公告未提及补充举证；限制次数，避免久拖不决",
        "the announcement does not mention further evidence; rounds are limited so that it ends",
    ),
    RefusalCode.NO_ROUNDS_LEFT,
    lasting=True,
)
def rounds_left(case: Case) -> GuardResult:
    """Require that the adjudicator has a further request left."""
    most = case.policy.extra_evidence_rounds
    return result_of(
        case.extra_rounds < most,
        RefusalCode.NO_ROUNDS_LEFT,
        NEVER,
        used=case.extra_rounds,
        extra_evidence_rounds=most,
    )
