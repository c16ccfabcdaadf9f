"""Guards and questions of states whose regions run side by side."""

from dispute_fsm.domain.enums import LIABILITIES, Deadline, RefusalCode, StateName
from dispute_fsm.machine.case import Case
from dispute_fsm.machine.guard import Dimension, Guard, GuardKind, answers_of
from dispute_fsm.machine.guard_result import GuardResult
from dispute_fsm.machine.provenance import assumed
from dispute_fsm.machine.timing import before_the_last_deadline

FAILED = Dimension(
    "failed",
    {"none": ("另一路径仍在进行", "the other region has not failed"), **answers_of(LIABILITIES)},
    lambda case: "none" if case.liability is None else case.liability.value,
    assumed("两条路径均未成立才判责，责任取较重者", "a penalty takes both regions to fail, and is the weightier of the two"),
)


def in_time_of(region: StateName, zh: str, *deadlines: Deadline) -> Guard:
    """Require that a region's running deadline has not passed, in Chinese `zh`; `deadlines` are all that the region may have."""

    def look(case: Case) -> GuardResult:
        running = tuple(deadline for of_region in case.running for deadline in of_region if deadline in deadlines)
        return before_the_last_deadline(case, (running,))

    return Guard(
        name=f"{region.value}_in_time",
        sort=GuardKind.TIMING,
        zh=zh,
        en=f"the running deadline of the {region.en} has not passed",
        source=assumed("操作是否逾期，只看所在路径的时限", "an event is late by its own region's deadline"),
        look=look,
        codes=(RefusalCode.DEADLINE_PASSED,),
    )
