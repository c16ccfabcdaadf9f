"""Which deadline counts, where several stand at once."""

from dispute_fsm.domain.enums import Deadline, RefusalCode, StateName
from dispute_fsm.machine.guard import (
    NEVER,
    Case,
    Guard,
    GuardKind,
    GuardResult,
    assumed,
    result_of,
    shown,
)
from dispute_fsm.machine.timing import in_time_of


def _window_open(case: Case) -> GuardResult:
    due = case.deadlines.get(Deadline.CONFIRMATION)
    return result_of(
        due is None or case.now <= due, RefusalCode.DEADLINE_PASSED, NEVER, confirmation=shown(due)
    )


settlement_in_time = in_time_of(
    StateName.SETTLEMENT, "和解时限未过", Deadline.RESPONSE, Deadline.CONFIRMATION, Deadline.PROMISE
)
evidence_in_time = in_time_of(StateName.EVIDENCE, "举证判责时限未过", Deadline.EVIDENCE)
window_open = Guard(
    name="window_open",
    kind=GuardKind.TIMING,
    zh="消费者确认时限未过",
    en="the consumer's window is open",
    source=assumed(
        "待发货期间，确认时限只限制消费者表态",
        "while shipment is awaited, this deadline only closes the consumer's window",
    ),
    condition=_window_open,
    codes=(RefusalCode.DEADLINE_PASSED,),
)
