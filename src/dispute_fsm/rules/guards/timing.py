"""Timing guards: whether a deadline has passed, also where regions run side by side.

Where no deadline runs, everything is in time, and no expiry has come.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from dispute_fsm.domain.enums import Deadline, RefusalCode, StateName
from dispute_fsm.domain.reasons import NEVER, PayloadUnlock, WaitUnlock, just_after
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.machine.guard import Guard, GuardKind, GuardResult, Seen
from dispute_fsm.rules.case import Case, result_of, shown
from dispute_fsm.rules.sources import EXPIRY, INCLUSIVE, OWN_REGION, WINDOW


def local_text(case: Case, instant: datetime) -> str:
    """Write an instant as people in the policy's zone read it."""
    return instant.astimezone(ZoneInfo(case.policy.calendar.zone)).strftime("%Y-%m-%d %H:%M:%S %z")


def instant_unlock(case: Case, field: str, zh: str, en: str, limit: datetime) -> PayloadUnlock:
    """Say that an instant of the payload has to keep to a limit."""
    local = local_text(case, limit)
    return PayloadUnlock(field, zh.format(local), en.format(local))


def _in_time(case: Case) -> GuardResult:
    return before_the_last_deadline(case, case.running)


def before_the_last_deadline(case: Case, regions: tuple[tuple[Deadline, ...], ...]) -> GuardResult:
    """Tell whether one of these regions has time left: its last deadline has not passed."""
    in_time, saw = not regions, dict[str, Seen]()
    for running in regions:
        in_time = in_time or not running
        for deadline in running:
            due = case.deadlines[deadline]
            in_time = in_time or case.now <= due
            saw[deadline.value] = format_instant(due)
    return result_of(in_time, RefusalCode.DEADLINE_PASSED, NEVER, **saw)


in_time = Guard(
    name="in_time",
    kind=GuardKind.TIMING,
    zh="时限未过",
    en="the running deadline has not passed",
    source=INCLUSIVE,
    condition=_in_time,
    codes=(RefusalCode.DEADLINE_PASSED,),
)


def has_passed(deadline: Deadline) -> Guard:
    """Require that the deadline runs and has passed: an expiry comes only after the due instant."""

    def condition(case: Case) -> GuardResult:
        due = case.deadlines.get(deadline)
        passed = due is not None and case.now > due
        unlock = (
            NEVER
            if due is None or passed
            else WaitUnlock(just_after(due), local_text(case, just_after(due)))
        )
        return result_of(
            passed, RefusalCode.DEADLINE_NOT_PASSED, unlock, **{deadline.value: shown(due)}
        )

    return Guard(
        name=f"{deadline.value}_has_passed",
        kind=GuardKind.TIMING,
        zh=f"{deadline.zh}已届满",
        en=f"the {deadline.en} has passed",
        source=EXPIRY,
        condition=condition,
        codes=(RefusalCode.DEADLINE_NOT_PASSED,),
    )


def in_time_of(region: StateName, zh: str, *deadlines: Deadline) -> Guard:
    """Require that a region is in time, in Chinese `zh`; `deadlines` are all that it may have."""

    def condition(case: Case) -> GuardResult:
        running = tuple(
            deadline
            for of_region in case.running
            for deadline in of_region
            if deadline in deadlines
        )
        return before_the_last_deadline(case, (running,))

    return Guard(
        name=f"{region.value}_in_time",
        kind=GuardKind.TIMING,
        zh=zh,
        en=f"the running deadline of the {region.en} has not passed",
        source=OWN_REGION,
        condition=condition,
        codes=(RefusalCode.DEADLINE_PASSED,),
    )


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
    source=WINDOW,
    condition=_window_open,
    codes=(RefusalCode.DEADLINE_PASSED,),
)
