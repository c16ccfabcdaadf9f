"""What evidence takes: a reason, the vouchers that it asks for, a statement; voucher limits.

A submission counts once, so each guard sees everything: a voucher over a limit still counts as
given, and with an unknown reason a statement is required and the limits apply, so that all that is
wrong is named at once. The same file of the same kind twice counts once.
"""

from collections import Counter
from collections.abc import Iterable
from typing import cast

from dispute_fsm.domain.commands import ChooseOption, SubmitEvidence, Voucher
from dispute_fsm.domain.enums import RefusalCode, VoucherKind
from dispute_fsm.domain.policy import EvidenceReason, Prompt
from dispute_fsm.domain.reasons import NEVER, PayloadUnlock
from dispute_fsm.domain.scalars import MAX_INTEGER
from dispute_fsm.machine.guard import GuardResult
from dispute_fsm.rules.case import Case, requirement, result_of
from dispute_fsm.rules.sources import LIMITS, ONCE_MORE, REASONED

_STATEMENT = PayloadUnlock("statement", "请填写情况说明", "write a statement")


def vouchers_of(case: Case) -> tuple[Voucher, ...]:
    """Return the vouchers of a command that has any: a choice, or evidence."""
    return cast("ChooseOption | SubmitEvidence", case.command).vouchers


def distinct(vouchers: Iterable[Voucher]) -> tuple[Voucher, ...]:
    """Drop repetitions: the same SHA-256 and kind twice counts once, as the larger of the two."""
    once: dict[tuple[str, VoucherKind], Voucher] = {}
    for voucher in vouchers:
        same = once.setdefault((voucher.sha256, voucher.kind), voucher)
        if voucher.size > same.size:
            once[voucher.sha256, voucher.kind] = voucher
    return tuple(once.values())


def length(text: str | None) -> int:
    """Count the code points of a text; a blank text counts as none."""
    return 0 if text is None or not text.strip() else len(text)


def prompted(case: Case) -> tuple[tuple[Prompt, int], ...]:
    """Return each prompt of the reason, with how many distinct vouchers of its kind are given."""
    entry = _entry(case)
    given = Counter(voucher.kind for voucher in distinct(vouchers_of(case)))
    return tuple((prompt, given[prompt.kind]) for prompt in (entry.prompts if entry else ()))


def _submission(case: Case) -> SubmitEvidence:
    return cast("SubmitEvidence", case.command)


def _entry(case: Case) -> EvidenceReason | None:
    reason = _submission(case).reason
    return None if reason is None else case.policy.evidence_reasons.get(reason)


@requirement("凭证大小未超出上限", "no voucher is too large", LIMITS, RefusalCode.VOUCHER_TOO_LARGE)
def vouchers_small_enough(case: Case) -> GuardResult:
    """Require that each voucher, and all together, stay within the limits in bytes."""
    limits = case.policy.voucher_limits
    sizes = [voucher.size for voucher in distinct(vouchers_of(case))]
    largest, together = max(sizes, default=0), sum(sizes)
    fit = largest <= limits.max_bytes and together <= limits.max_bytes_together
    unlock = (
        NEVER
        if fit
        else PayloadUnlock(
            "vouchers",
            f"每个文件不超过 {limits.max_bytes} 字节，合计不超过 {limits.max_bytes_together} 字节",
            f"keep each file within {limits.max_bytes} bytes and all together within "
            f"{limits.max_bytes_together}",
        )
    )
    return result_of(
        fit,
        RefusalCode.VOUCHER_TOO_LARGE,
        unlock,
        largest=largest,
        max_bytes=limits.max_bytes,
        together=min(together, MAX_INTEGER),  # a sum may exceed what a record can hold
        max_bytes_together=limits.max_bytes_together,
    )


@requirement(
    "凭证文件格式受支持", "every file format is supported", LIMITS, RefusalCode.VOUCHER_MEDIA_TYPE
)
def media_types_supported(case: Case) -> GuardResult:
    """Require supported file formats."""
    supported = case.policy.voucher_limits.media_types
    others = sorted({voucher.media_type for voucher in vouchers_of(case)}.difference(supported))
    unlock = (
        NEVER
        if not others
        else PayloadUnlock(
            "vouchers",
            f"支持的格式：{'、'.join(supported)}",
            f"supported formats: {', '.join(supported)}",
        )
    )
    code = RefusalCode.VOUCHER_MEDIA_TYPE
    return result_of(not others, code, unlock, not_supported=tuple(others))


@requirement("凭证数量未超出上限", "not too many vouchers", LIMITS, RefusalCode.TOO_MANY_VOUCHERS)
def vouchers_few_enough(case: Case) -> GuardResult:
    """Require at most the allowed number of files."""
    count, most = len(distinct(vouchers_of(case))), case.policy.voucher_limits.max_count
    few = count <= most
    unlock = (
        NEVER
        if few
        else PayloadUnlock("vouchers", f"最多 {most} 个文件", f"hand in at most {most} files")
    )
    return result_of(few, RefusalCode.TOO_MANY_VOUCHERS, unlock, count=count, max_count=most)


VOUCHER_LIMITS = (vouchers_small_enough, media_types_supported, vouchers_few_enough)
"""The limits for every command with vouchers."""


@requirement("举证理由有效", "the reason is in the catalogue", REASONED, RefusalCode.REASON_UNKNOWN)
def reason_known(case: Case) -> GuardResult:
    """Require a reason of the policy's catalogue."""
    reasons = tuple(sorted(case.policy.evidence_reasons))
    known = _submission(case).reason in reasons
    unlock = (
        NEVER
        if known
        else PayloadUnlock(
            "reason",
            "请从以下举证理由中选择："
            + "、".join(case.policy.evidence_reasons[name].label.zh for name in reasons),
            f"give one of the catalogue's reasons: {', '.join(reasons)}",
        )
    )
    code = RefusalCode.REASON_UNKNOWN
    return result_of(known, code, unlock, reason_known=known, reasons=reasons)


@requirement(
    "所需凭证齐全", "every prompted voucher is there", REASONED, RefusalCode.VOUCHER_MISSING
)
def vouchers_there(case: Case) -> GuardResult:
    """Require every voucher that the reason prompts for, as many as it asks."""
    prompts = prompted(case)
    missing = [
        (prompt.kind, prompt.at_least - given)
        for prompt, given in prompts
        if given < prompt.at_least
    ]
    unlock = (
        NEVER
        if not missing
        else PayloadUnlock(
            "vouchers",
            f"请补充：{'、'.join(f'{kind.zh} × {count}' for kind, count in missing)}",
            f"add: {', '.join(f'{kind.en} × {count}' for kind, count in missing)}",
        )
    )
    return result_of(
        not missing,
        RefusalCode.VOUCHER_MISSING,
        unlock,
        required=tuple([f"{prompt.kind.value} x {prompt.at_least}" for prompt, _ in prompts]),
        missing=tuple([f"{kind.value} x {count}" for kind, count in missing]),
    )


@requirement(
    "凭证类型均符合要求",
    "every voucher is of an accepted kind",
    REASONED,
    RefusalCode.VOUCHER_NOT_ACCEPTED,
)
def vouchers_accepted(case: Case) -> GuardResult:
    """Require that the reason accepts each voucher's kind; kinds not asked for are welcome."""
    entry = _entry(case)
    kinds = {voucher.kind for voucher in vouchers_of(case)}
    refused = sorted(kinds.intersection(entry.not_accepted if entry else ()))
    unlock = (
        NEVER
        if not refused
        else PayloadUnlock(
            "vouchers",
            f"请移除：{'、'.join(kind.zh for kind in refused)}",
            f"take out: {', '.join(kind.en for kind in refused)}",
        )
    )
    code = RefusalCode.VOUCHER_NOT_ACCEPTED
    return result_of(
        not refused, code, unlock, not_accepted=tuple([kind.value for kind in refused])
    )


@requirement("已填写情况说明", "there is a statement", REASONED, RefusalCode.STATEMENT_MISSING)
def statement_there(case: Case) -> GuardResult:
    """Require a statement where the reason asks for one, or is unknown."""
    entry = _entry(case)
    required, written = entry is None or entry.statement, length(_submission(case).statement)
    return result_of(
        not required or written > 0,
        RefusalCode.STATEMENT_MISSING,
        _STATEMENT,
        required=required,
        length=written,
    )


@requirement(
    "情况说明未超出字数上限",
    "the statement is short enough",
    LIMITS,
    RefusalCode.STATEMENT_TOO_LONG,
)
def statement_short_enough(case: Case) -> GuardResult:
    """Require that the statement stays within the limit, in code points."""
    written, most = length(_submission(case).statement), case.policy.voucher_limits.max_statement
    short = written <= most
    unlock = (
        NEVER
        if short
        else PayloadUnlock(
            "statement", f"情况说明不超过 {most} 字", f"keep the statement within {most} characters"
        )
    )
    code = RefusalCode.STATEMENT_TOO_LONG
    return result_of(short, code, unlock, length=written, max_statement=most)


PROVEN = (
    reason_known,
    vouchers_there,
    vouchers_accepted,
    *VOUCHER_LIMITS,
    statement_there,
    statement_short_enough,
)
"""What a submission of evidence takes."""


@requirement(
    "补充举证次数未用完",
    "a round of extra evidence is left",
    ONCE_MORE,
    RefusalCode.NO_ROUNDS_LEFT,
    lasting=True,
)
def rounds_left(case: Case) -> GuardResult:
    """Require that the adjudicator has a further request left."""
    used, most = case.memory.extra_rounds, case.policy.extra_evidence_rounds
    code = RefusalCode.NO_ROUNDS_LEFT
    return result_of(used < most, code, NEVER, used=used, extra_evidence_rounds=most)
