"""What a decision comes to: all that its event says beside what was asked, by whom and when. Pure.

`decide` makes an event of a conclusion; a replay compares it with the event that was recorded.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from dispute_fsm.charts.registry import rule_version
from dispute_fsm.charts.table import Row
from dispute_fsm.dispute.dispute import Dispute
from dispute_fsm.dispute.judge import Judgement, check_facts, evaluate, reason_of
from dispute_fsm.dispute.refusals import Reason
from dispute_fsm.errors import ClockWentBackError
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.commands import ChooseOption, Command, ExtendDeadline, OpenDispute
from dispute_fsm.rules.deadlines import due_instant
from dispute_fsm.rules.facts import OrderFacts
from dispute_fsm.rules.findings import Finding, Seen
from dispute_fsm.rules.guards import Guard
from dispute_fsm.rules.strict import format_instant
from dispute_fsm.rules.vocabulary import Deadline, EventType, Outcome, RefusalCode

_ANY_TIME = datetime(2023, 3, 27, tzinfo=UTC)  # who may open does not depend on when


class Checked(NamedTuple):
    """One guard's answer, as it is recorded."""

    guard: str
    passed: bool
    saw: Mapping[str, Seen]


class Conclusion(NamedTuple):
    """What a decision comes to; the members mean what they mean in an `AuditEvent`."""

    type: EventType
    target: str
    answers: tuple[tuple[Guard, Finding], ...]
    facts: OrderFacts | None
    deadlines: Mapping[Deadline, datetime]
    outcome: Outcome | None = None
    reasons: tuple[Reason, ...] = ()

    @property
    def refused(self) -> tuple[RefusalCode, ...]:
        """The codes of a refusal."""
        return tuple([reason.code for reason in self.reasons])

    @property
    def beside(self) -> tuple[Reason, ...]:
        """The reasons that no guard of the table gave; they stand behind the checks of those that did."""
        named = {guard.recorded for guard, _ in self.answers}
        return tuple([reason for reason in self.reasons if reason.guard not in named])

    @property
    def checks(self) -> tuple[Checked, ...]:
        """Every guard's answer, as it is recorded."""
        answers = (Checked(guard.recorded, finding.holds, finding.saw) for guard, finding in self.answers)
        return (*answers, *(Checked(reason.guard, passed=False, saw=reason.saw) for reason in self.beside))


def conclude(dispute: Dispute, command: Command, facts: OrderFacts | None, now: datetime) -> tuple[Judgement, Conclusion | None]:
    """Judge a command, and say what is to be recorded of it; None where nothing is.

    Raises `ClockWentBackError`, `FactsNeededError` and `StaleFactsError` as `decide` does.
    """
    judgement = evaluate(dispute, command, facts, now)
    if judgement.earlier is not None:
        return judgement, None
    if now < dispute.last_at:
        msg = f"{format_instant(now)} lies before the last event of dispute {dispute.dispute_id} ({format_instant(dispute.last_at)})"
        raise ClockWentBackError(msg)
    looked_at = judgement.facts
    check_facts(looked_at, dispute.order_id, dispute.policy.max_facts_age, now)
    if judgement.row is not None:
        return judgement, _fired(dispute, judgement, judgement.row, looked_at)
    if judgement.reasons and dispute.refusals < dispute.policy.max_recorded_refusals:
        return judgement, _stood(dispute, judgement, looked_at)
    return judgement, None


def _fired(dispute: Dispute, judgement: Judgement, row: Row, looked_at: OrderFacts | None) -> Conclusion:
    rule, command = row.rule, judgement.case.command
    option, agreed_until = dispute.option, dispute.agreed_until
    if isinstance(command, ChooseOption):
        option, agreed_until = command.option, command.agreed_until
    stands = dispute.rules.table.places[row.target].stands
    kept = {d: due for d, due in dispute.deadlines.items() if d in stands and d not in rule.ends}
    return Conclusion(
        type=row.records,
        target=row.target,
        answers=judgement.checks,
        facts=looked_at,
        deadlines={**kept, **_started(rule.starts, judgement.case, agreed_until)},
        outcome=row.outcome(option),
    )


def _stood(dispute: Dispute, judgement: Judgement, looked_at: OrderFacts | None) -> Conclusion:
    return Conclusion(
        type=EventType.REFUSED,
        target=dispute.path,
        answers=judgement.checks,
        facts=looked_at,
        deadlines=dispute.deadlines,
        outcome=dispute.outcome,
        reasons=judgement.reasons,
    )


def _started(starts: tuple[Deadline, ...], case: Case, agreed_until: datetime | None) -> dict[Deadline, datetime]:
    """Return the due instants of the deadlines that begin now; a deadline that is switched off does not begin."""
    if not starts:
        return {}
    until = case.command.until if isinstance(case.command, ExtendDeadline) else None
    dues = {deadline: due_instant(deadline, case.policy, case.now, agreed_until, until) for deadline in starts}
    return {deadline: due for deadline, due in dues.items() if due is not None}


# ---- openings ----------------------------------------------------------------------------------------------------------


def conclude_opening(opening: OpenDispute, facts: OrderFacts | None, now: datetime) -> Conclusion | tuple[Reason, ...]:
    """Say what an opening of a new dispute comes to, or every reason against it. Raises `StaleFactsError`, `InputError`."""
    case = _case(opening, facts, now)
    table = rule_version(opening.rules).table
    checks: list[tuple[Guard, Finding]] = [(table.entry.by, table.entry.by.holds(case))]
    if checks[0][1]:
        check_facts(facts, opening.order_id, opening.policy.max_facts_age, now)
        checks += [(guard, guard.holds(case)) for guard in table.entry.needs]
    if reasons := tuple(reason_of(guard, finding) for guard, finding in checks if not finding):
        return reasons
    return Conclusion(
        type=EventType.DISPUTE_OPENED,
        target=table.initial,
        answers=tuple(checks),
        facts=facts,
        deadlines=_started(table.entry.starts, case, None),
    )


def opening_needs_facts(existing: Dispute | None, opening: OpenDispute) -> bool:
    """Tell whether the order system has to be asked before this opening can be decided.

    Not where the id is taken, nor where the actor may not open it. Raises `InputError` for an unknown rule version.
    """
    entry = rule_version(opening.rules).table.entry
    return existing is None and bool(entry.by.look(_case(opening, None, _ANY_TIME)))


def _case(opening: OpenDispute, facts: OrderFacts | None, now: datetime) -> Case:
    return Case(
        command=opening,
        now=now,
        policy=opening.policy,
        merchant_id=opening.merchant_id,
        consumer_id=opening.consumer_id,
        facts=facts,
    )
