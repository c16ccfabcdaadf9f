"""What a decision of the adjudicator takes."""

from typing import TYPE_CHECKING, cast

from dispute_fsm.domain.enums import Deadline, RefusalCode
from dispute_fsm.domain.reasons import NEVER, PayloadUnlock
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.machine.guard import GuardResult
from dispute_fsm.rules.case import Case, requirement, result_of
from dispute_fsm.rules.guards.evidence import length
from dispute_fsm.rules.guards.selectors import extended_deadline
from dispute_fsm.rules.guards.timing import instant_unlock
from dispute_fsm.rules.sources import ONLY_LONGER, RATIONALE

if TYPE_CHECKING:
    from dispute_fsm.domain.commands import Annul, ExtendDeadline, RuleAtFault, RuleNoFault

_RATIONALE = PayloadUnlock("rationale", "请填写理由", "give a rationale")


@requirement(
    "已填写判定理由",
    "a rationale is given",
    RATIONALE,
    RefusalCode.RATIONALE_MISSING,
)
def rationale_given(case: Case) -> GuardResult:
    """Require a rationale that is not blank."""
    written = length(
        cast("RuleNoFault | RuleAtFault | Annul | ExtendDeadline", case.command).rationale
    )
    return result_of(written > 0, RefusalCode.RATIONALE_MISSING, _RATIONALE, length=written)


@requirement(
    "新时限晚于原时限",
    "the new deadline is later than it was",
    ONLY_LONGER,
    RefusalCode.DEADLINE_NOT_LATER,
)
def until_later(case: Case) -> GuardResult:
    """Require a later deadline; for the promise, a later agreed instant, the grace comes on top."""
    until, meant = cast("ExtendDeadline", case.command).until, Deadline(extended_deadline(case))
    was = (
        case.memory.agreed_until
        if meant is Deadline.PROMISE and case.memory.agreed_until is not None
        else case.deadlines[meant]
    )
    unlock = (
        NEVER if until > was else instant_unlock(case, "until", "须晚于 {}", "later than {}", was)
    )
    return result_of(
        until > was,
        RefusalCode.DEADLINE_NOT_LATER,
        unlock,
        until=format_instant(until),
        was=format_instant(was),
    )


EXTENSION = (rationale_given, until_later)
"""What moving a deadline takes."""
