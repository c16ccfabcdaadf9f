"""What an agreement with the consumer takes."""

from typing import TYPE_CHECKING, cast

from dispute_fsm.domain.enums import RefusalCode
from dispute_fsm.domain.reasons import NEVER, PayloadUnlock
from dispute_fsm.domain.scalars import format_duration, format_instant
from dispute_fsm.machine.guard import GuardResult
from dispute_fsm.rules.case import Case, requirement, result_of, shown
from dispute_fsm.rules.guards.evidence import distinct, vouchers_of
from dispute_fsm.rules.guards.timing import instant_unlock
from dispute_fsm.rules.sources import AGREED_DATE, AGREEMENT_SHOWN, CONSENT_FINAL, MAX_PROMISE

if TYPE_CHECKING:
    from dispute_fsm.domain.commands import ChooseOption

_PROMISE = PayloadUnlock("agreed_until", "请填写约定的发货时间", "give the agreed instant")
_AGREEMENT_VOUCHER = PayloadUnlock(
    "vouchers", "请上传至少一份协商一致的凭证", "add at least one voucher that shows the agreement"
)


@requirement(
    "已填写约定的发货时间", "an agreed instant is given", AGREED_DATE, RefusalCode.PROMISE_MISSING
)
def promise_given(case: Case) -> GuardResult:
    """Require an explicit agreed instant."""
    agreed = cast("ChooseOption", case.command).agreed_until
    return result_of(
        agreed is not None, RefusalCode.PROMISE_MISSING, _PROMISE, agreed_until=shown(agreed)
    )


@requirement(
    "约定的发货时间晚于选择方案的时间",
    "the agreed instant lies ahead",
    AGREED_DATE,
    RefusalCode.PROMISE_NOT_IN_FUTURE,
)
def promise_in_future(case: Case) -> GuardResult:
    """Require that the agreed instant, where one is given, lies after the moment of choosing."""
    agreed = cast("ChooseOption", case.command).agreed_until
    ahead = agreed is None or agreed > case.now
    unlock = (
        NEVER
        if ahead
        else instant_unlock(case, "agreed_until", "须晚于 {}", "later than {}", case.now)
    )
    saw = {"agreed_until": shown(agreed), "now": format_instant(case.now)}
    return result_of(ahead, RefusalCode.PROMISE_NOT_IN_FUTURE, unlock, **saw)


@requirement(
    "约定的发货时间不超过最长期限",
    "the agreed instant is not too far ahead",
    MAX_PROMISE,
    RefusalCode.PROMISE_TOO_FAR,
)
def promise_not_too_far(case: Case) -> GuardResult:
    """Require that the agreed instant lies at most `max_promise` after the moment of choosing."""
    agreed, most = cast("ChooseOption", case.command).agreed_until, case.policy.max_promise
    latest = None if most is None else case.now + most
    near = agreed is None or latest is None or agreed <= latest
    unlock = (
        NEVER
        if near or latest is None
        else instant_unlock(case, "agreed_until", "不晚于 {}", "at or before {}", latest)
    )
    saw = {
        "agreed_until": shown(agreed),
        "latest": shown(latest),
        "max_promise": None if most is None else format_duration(most),
    }
    return result_of(near, RefusalCode.PROMISE_TOO_FAR, unlock, **saw)


@requirement(
    "已上传能证明协商一致的凭证",
    "a voucher shows the agreement",
    AGREEMENT_SHOWN,
    RefusalCode.AGREEMENT_VOUCHER_MISSING,
)
def agreement_voucher(case: Case) -> GuardResult:
    """Require at least one voucher that shows the agreement."""
    count = len(distinct(vouchers_of(case)))
    return result_of(
        count > 0, RefusalCode.AGREEMENT_VOUCHER_MISSING, _AGREEMENT_VOUCHER, count=count
    )


@requirement(
    "协商一致尚未确认",
    "not confirmed before",
    CONSENT_FINAL,
    RefusalCode.ALREADY_CONFIRMED,
    lasting=True,
)
def not_confirmed(case: Case) -> GuardResult:
    """Require that neither the consumer nor the adjudicator has confirmed the agreement."""
    return result_of(
        not case.memory.confirmed,
        RefusalCode.ALREADY_CONFIRMED,
        NEVER,
        confirmed=case.memory.confirmed,
    )
