"""How near it was: what was late, and by how much, or what was missing. Pure.

The nearest attempt is a late one, by the smallest delay; else the refused one with the fewest
reasons, the latest first. Everything comes from the recorded checks and facts and from the guards.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import case_of
from dispute_fsm.domain.commands import COMMAND_CLASSES, EXPIRIES, ChoicePayload
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Option,
    RefusalCode,
    Role,
    VoucherKind,
)
from dispute_fsm.domain.events import AuditEvent, Saw
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.reasons import Reason
from dispute_fsm.domain.scalars import FrozenMap, parse_instant
from dispute_fsm.explain.happenings import Taken, clause
from dispute_fsm.explain.values import (
    AheadFact,
    Clause,
    DecidedBy,
    FactMargin,
    Lack,
    LateAct,
    Margin,
    MissingVouchers,
    NoAttempt,
    Shortfall,
)
from dispute_fsm.history.timeline import timeline
from dispute_fsm.rules import guards as g
from dispute_fsm.rules.case import DisputeTransition

_LIMITS = (
    ("largest", "max_bytes"),
    ("together", "max_bytes_together"),
    ("count", "max_count"),
    ("length", "max_statement"),
)
"""What guards count, with the limit beside which they record it."""


def nearest(margins: Sequence[Margin], lost: Role | None) -> Margin:
    """Return the nearest of some margins, of equal ones that of who lost, or the first."""
    return min(margins, key=lambda margin: _distance(margin, lost))


def _distance(margin: Margin, lost: Role | None) -> tuple[int, float]:
    match margin:
        case LateAct() | FactMargin():
            return 0, margin.by.total_seconds()
        case Shortfall():
            return 1, len(margin.lacks)
        case DecidedBy():
            return 2, 0
        case NoAttempt():
            return 3, margin.role is not lost
        case _:
            return 4, 0


def refused_attempt(event: AuditEvent, dispute: Dispute) -> Shortfall:
    """Return a refused attempt with what it lacked; `dispute` is the one that it was sent to."""
    otherwise = clause(dispute.rules.table.entry.origin)
    return _shortfall(event, tuple(_lacks(event, dispute, otherwise)))


def lack_of(reason: Reason, dispute: Dispute) -> Lack:
    """Return a reason of a refusal as what was missing or too much."""
    table = dispute.rules.table
    guard = table.guards().get(reason.guard)
    rests_on = clause(table.entry.origin if guard is None else guard.source)
    return _lack(reason.code, reason.guard, FrozenMap(reason.saw), rests_on, None)


def margin(of: Taken, events: Sequence[AuditEvent]) -> Margin:
    """Return how near the event was to another one; `events` are all of the dispute's."""
    event, before, row = of.event, of.before, of.transition
    if before is not None and row is not None:
        if row.when_facts and event.facts is not None and before.agreed_until is not None:
            return _by_facts(of, before, event.facts, before.agreed_until)
        deadline = event.command.expires
        if deadline is not None and not row.when_facts:
            return _Attempts(of, before, deadline, events).margin()
    return _decision(of)


def _decision(of: Taken) -> DecidedBy:
    event = of.event
    return DecidedBy(seq=event.seq, role=event.actor.role, command=event.command, clause=of.clause)


# ---- by the order's facts ------------------------------------------------------------------------


def _by_facts(of: Taken, before: Dispute, facts: OrderFacts, agreed: datetime) -> Margin:
    """Compare the order with the promise."""
    event, shipment, pickup = of.event, facts.counted_shipment, facts.valid_pickup
    if facts.full_refund is not None and not facts.promise_kept(agreed):
        return _decision(of)
    if shipment is not None and pickup is not None:
        shipped = cast("datetime", shipment.shipped_at)
        at = max(shipped, cast("datetime", pickup.scanned_at))
        return FactMargin(
            seq=event.seq,
            fact="shipped_at" if at == shipped != pickup.scanned_at else "scanned_at",
            at=at,
            limit=agreed,
            late=at > agreed,
            by=abs(at - agreed),
            clause=of.clause,
        )
    case = case_of(before, EXPIRIES[Deadline.PROMISE], facts, event.at)
    found = ((guard, guard.check(case)) for guard in (g.shipped, g.picked_up))
    lacks = tuple(
        _lack(result.code, guard.name, result.saw, clause(guard.source), facts)
        for guard, result in found
        if not result.passed
    )
    return _shortfall(event, lacks, of.clause)


# ---- by what was handed in -----------------------------------------------------------------------


class _Attempts:
    """The attempts of whoever a deadline waited for, at what would have led elsewhere."""

    def __init__(
        self, of: Taken, before: Dispute, deadline: Deadline, events: Sequence[AuditEvent]
    ) -> None:
        self.of = of
        self.before = before
        self.deadline = deadline
        self.due = before.deadlines[deadline]
        self.rows = {
            command: rows
            for command, declared in COMMAND_CLASSES.items()
            if declared.meets is deadline and (rows := self.leading_elsewhere(command))
        }
        self.refused = [event for event in events if self.is_attempt(event)]

    def leading_elsewhere(self, command: CommandType) -> tuple[DisputeTransition, ...]:
        event, before, table = self.of.event, self.before, self.before.rules.table
        if command is CommandType.CHOOSE_OPTION:  # any option would have done
            rows = table.transitions.get((before.path, command), ())
        else:
            case = case_of(before, EXPIRIES[self.deadline], None, event.at)
            rows = table.select(before.path, command, case)
        end = (event.target, event.outcome)
        return tuple(
            row for row in rows if (row.target, row.outcome(before.option, before.outcome)) != end
        )

    @property
    def role(self) -> Role:
        declared = (of for of in COMMAND_CLASSES.values() if of.meets is self.deadline)
        role: Role = next(declared).roles[0]
        return role

    def is_attempt(self, event: AuditEvent) -> bool:
        parties = {
            Role.MERCHANT: self.before.merchant_id,
            Role.CONSUMER: self.before.consumer_id,
        }
        return (
            event.type is EventType.REFUSED
            and event.command in self.rows
            and event.actor.role is self.role
            and event.actor.id == parties.get(self.role)
        )

    def margin(self) -> Margin:
        late = [event for event in self.refused if event.at > self.due]
        if late:
            return self.late(min(late, key=lambda event: (event.at, event.seq)))
        in_time = [event for event in self.refused if self.deadline in event.deadlines]
        if in_time:
            event = min(in_time, key=lambda event: (len(event.refused), -event.seq))
            return _shortfall(event, tuple(_lacks(event, self.before, self.of.clause)))
        dispute = self.of.after
        return NoAttempt(
            seq=self.of.event.seq,
            role=self.role,
            commands=tuple(self.rows),
            due=self.due,
            complete=dispute.refusals < dispute.policy.max_recorded_refusals,
            clause=self.of.clause,
        )

    def late(self, event: AuditEvent) -> LateAct:
        """Return the margin of a late attempt, by the clause that says how deadlines count."""
        counts = self.rows[event.command][0].rule.timing[0].source
        return LateAct(
            seq=event.seq,
            at=event.at,
            role=event.actor.role,
            command=event.command,
            option=_option(event),
            due=self.due,
            by=event.at - self.due,
            clause=clause(counts),
        )


def _option(event: AuditEvent) -> Option | None:
    return event.payload.option if isinstance(event.payload, ChoicePayload) else None


def _shortfall(
    event: AuditEvent, lacks: tuple[Lack, ...], rests_on: Clause | None = None
) -> Shortfall:
    return Shortfall(
        seq=event.seq,
        at=event.at,
        role=event.actor.role,
        command=event.command,
        option=_option(event),
        lacks=lacks,
        clause=rests_on or lacks[0].clause,
    )


def _lacks(event: AuditEvent, dispute: Dispute, otherwise: Clause) -> Iterator[Lack]:
    """Yield why an event was refused, as its checks recorded it.

    A check that is no guard of the transition table has no clause of its own.
    """
    guards = dispute.rules.table.guards()
    (entry,) = timeline((event,), dispute.policy)
    checks = {check.code: check for check in entry.checks}
    for code in dict.fromkeys(event.refused):
        check = checks.get(code)
        guard = None if check is None else guards.get(check.guard)
        yield _lack(
            code,
            None if check is None else check.guard,
            FrozenMap() if check is None else check.saw,
            otherwise if guard is None else clause(guard.source),
            event.facts,
        )


def _lack(
    code: RefusalCode, guard: str | None, saw: Saw, rests_on: Clause, facts: OrderFacts | None
) -> Lack:
    over = (_over(saw.get(counted), saw.get(limit)) for counted, limit in _LIMITS)
    return Lack(
        code=code,
        guard=guard,
        saw=saw,
        vouchers=tuple(_missing(saw)),
        over=max((by for by in over if by > 0), default=None),
        ahead=() if facts is None else tuple(_ahead(saw, facts.observed_at)),
        clause=rests_on,
    )


def _over(counted: object, limit: object) -> int:
    return counted - limit if isinstance(counted, int) and isinstance(limit, int) else 0


def _missing(saw: Saw) -> Iterator[MissingVouchers]:
    missing = saw.get("missing")
    for text in missing if isinstance(missing, tuple) else ():
        kind, _, count = text.partition(" x ")
        yield MissingVouchers(kind=VoucherKind(kind), count=int(count))


def _ahead(saw: Saw, observed_at: datetime) -> Iterator[AheadFact]:
    """Yield the facts that a guard saw and that are dated after the look."""
    for fact, value in saw.items():
        if fact.endswith("_at") and isinstance(value, str):
            at = parse_instant(value)
            if at > observed_at:
                yield AheadFact(fact=fact, at=at, observed_at=observed_at)
