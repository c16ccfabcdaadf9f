"""Decide a command, given the dispute, the order system's facts and the time. Pure.

A command is evaluated (see `evaluate`), then concluded: the `Conclusion` is all that its event says
beyond the command and the time, and a replay compares it with the recorded event. `decide` makes an
event or a refusal of it. It does not query, wait, store or log: facts are an argument
(`needs_facts` says when), and so are the time, and the id, the moment of writing and the salts of
the event (`Stamp`). The same arguments always give the same decision.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from dispute_fsm.decider.decisions import Accepted, Decision, Refused, Repeated, Unchanged
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import Evaluation, check_facts, evaluate, hinted, reason_of
from dispute_fsm.decider.hash_chain import Stamp, conceal, seal
from dispute_fsm.domain.commands import (
    ChooseOption,
    Command,
    ExtendDeadline,
    OpenDispute,
    OpeningPayload,
)
from dispute_fsm.domain.deadlines import due_instant
from dispute_fsm.domain.enums import Deadline, EventType, Outcome, RefusalCode
from dispute_fsm.domain.events import (
    EVENT_CLASSES,
    GENESIS,
    SCHEMA_VERSION,
    AuditEvent,
    Check,
    CommandRefused,
    DisputeOpened,
)
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.reasons import ANOTHER_ID, Reason
from dispute_fsm.domain.scalars import FrozenMap, format_instant, made, parse_instant
from dispute_fsm.errors import ClockWentBackError, InputError
from dispute_fsm.machine.guard import Guard, GuardResult, Seen
from dispute_fsm.machine.transition_table import Transition
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.version import VERSION

_ANY_TIME = datetime(2023, 3, 27, tzinfo=UTC)  # who may open does not depend on when


class Conclusion(NamedTuple):
    """What a decision comes to; the members mean what they mean in an `AuditEvent`."""

    type: EventType
    target: str
    results: tuple[tuple[Guard, GuardResult], ...]
    facts: OrderFacts | None
    deadlines: Mapping[Deadline, datetime]
    outcome: Outcome | None = None
    reasons: tuple[Reason, ...] = ()

    @property
    def refused(self) -> tuple[RefusalCode, ...]:
        """The codes of a refusal."""
        return tuple([reason.code for reason in self.reasons])

    @property
    def further_reasons(self) -> tuple[Reason, ...]:
        """The reasons that no guard of the table gave; they follow the guards' checks."""
        named = {guard.recorded for guard, _ in self.results}
        return tuple([reason for reason in self.reasons if reason.guard not in named])

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every guard's answer, as it is recorded."""
        checks = [
            recorded_check(guard.recorded, result.saw, passed=result.passed)
            for guard, result in self.results
        ]
        if self.reasons:
            checks += [
                recorded_check(reason.guard, reason.saw, passed=False)
                for reason in self.further_reasons
            ]
        return tuple(checks)


def recorded_check(guard: str, saw: Mapping[str, Seen], *, passed: bool) -> Check:
    """Make a guard's answer as it is recorded; what a guard saw is valid."""
    seen = saw if type(saw) is FrozenMap else FrozenMap(saw)
    return made(Check, {"guard": guard, "passed": passed, "saw": seen})


def conclude(
    dispute: Dispute, command: Command, facts: OrderFacts | None, now: datetime
) -> tuple[Evaluation, Conclusion | None]:
    """Evaluate a command, and conclude what is to be recorded of it; None where nothing is.

    Raises `ClockWentBackError`, `FactsNeededError` and `StaleFactsError` as `decide` does.
    """
    evaluation = evaluate(dispute, command, facts, now)
    if evaluation.earlier is not None:
        return evaluation, None
    if now < dispute.last_at:
        msg = (
            f"{format_instant(now)} lies before the last event of dispute {dispute.dispute_id} "
            f"({format_instant(dispute.last_at)})"
        )
        raise ClockWentBackError(msg)
    facts_used = evaluation.facts
    check_facts(facts_used, dispute.order_id, dispute.policy.max_facts_age, now)
    if evaluation.transition is not None:
        return evaluation, _fired(dispute, evaluation, evaluation.transition, facts_used)
    if evaluation.reasons and dispute.refusals < dispute.policy.max_recorded_refusals:
        return evaluation, _refused(dispute, evaluation, facts_used)
    return evaluation, None


def _fired(
    dispute: Dispute, evaluation: Evaluation, row: Transition, facts_used: OrderFacts | None
) -> Conclusion:
    rule, command = row.rule, evaluation.case.command
    option, agreed_until = dispute.option, dispute.agreed_until
    if isinstance(command, ChooseOption):
        option, agreed_until = command.option, command.agreed_until
    stands = dispute.rules.table.configurations[row.target].deadlines
    kept = {d: due for d, due in dispute.deadlines.items() if d in stands and d not in rule.ends}
    return Conclusion(
        type=row.records,
        target=row.target,
        results=evaluation.checks,
        facts=facts_used,
        deadlines={**kept, **_started(rule.starts, evaluation.case, agreed_until)},
        outcome=row.outcome(option, dispute.outcome),
    )


def _refused(dispute: Dispute, evaluation: Evaluation, facts_used: OrderFacts | None) -> Conclusion:
    return Conclusion(
        type=EventType.REFUSED,
        target=dispute.path,
        results=evaluation.checks,
        facts=facts_used,
        deadlines=dispute.deadlines,
        outcome=dispute.outcome,
        reasons=evaluation.reasons,
    )


def _started(
    starts: tuple[Deadline, ...], case: Case, agreed_until: datetime | None
) -> dict[Deadline, datetime]:
    """Return the due instants of the deadlines that begin now and are not switched off."""
    if not starts:
        return {}
    until = case.command.until if isinstance(case.command, ExtendDeadline) else None
    started: dict[Deadline, datetime] = {}
    for deadline in starts:
        due = due_instant(deadline, case.policy, case.now, agreed_until, until)
        if due is not None:
            started[deadline] = due
    return started


# ---- openings ------------------------------------------------------------------------------------


def conclude_opening(
    opening: OpenDispute, facts: OrderFacts | None, now: datetime
) -> Conclusion | tuple[Reason, ...]:
    """Conclude the opening of a new dispute, or return every reason against it.

    Raises `StaleFactsError`, and `InputError` for an unknown rule version.
    """
    case = _case(opening, facts, now)
    table = rule_version(opening.rules).table
    checks: list[tuple[Guard, GuardResult]] = [(table.entry.by, table.entry.by.check(case))]
    if checks[0][1]:
        check_facts(facts, opening.order_id, opening.policy.max_facts_age, now)
        checks += [(guard, guard.check(case)) for guard in table.entry.needs]
    if reasons := tuple(reason_of(guard, result) for guard, result in checks if not result):
        return reasons
    return Conclusion(
        type=EventType.DISPUTE_OPENED,
        target=table.initial,
        results=tuple(checks),
        facts=facts,
        deadlines=_started(table.entry.starts, case, None),
    )


def under_its_version(opening: OpenDispute) -> OpenDispute:
    """Return the opening with its policy complete for its rule version.

    Raises `InputError` for an unknown rule version, and for a policy field of another version.
    """
    version = rule_version(opening.rules)
    version.check_policy(opening.policy)
    policy = version.policy(opening.policy)
    return opening if policy is opening.policy else opening.model_copy(update={"policy": policy})


def opening_needs_facts(existing: Dispute | None, opening: OpenDispute) -> bool:
    """Tell whether the order system has to be asked before this opening can be decided.

    Not where the id is taken, nor where the actor may not open it. Raises `InputError` for an
    unknown rule version.
    """
    entry = rule_version(opening.rules).table.entry
    return existing is None and bool(entry.by.condition(_case(opening, None, _ANY_TIME)))


def _case(opening: OpenDispute, facts: OrderFacts | None, now: datetime) -> Case:
    return Case(
        command=opening,
        now=now,
        policy=opening.policy,
        merchant_id=opening.merchant_id,
        consumer_id=opening.consumer_id,
        facts=facts,
    )


def open_dispute(
    existing: Dispute | None,
    opening: OpenDispute,
    facts: OrderFacts | None,
    now: datetime,
    *,
    stamp: Stamp,
) -> Decision:
    """Decide an opening.

    `existing` is the dispute that has this id already. `facts` is None where the order does not
    exist.

    A refusal of an opening is not recorded, for there is no dispute to record it in. Raises
    `StaleFactsError` for facts that are too old, dated ahead or of another order; `InputError` for
    an unknown rule version, or where `existing` is another dispute.
    """
    opening, now = under_its_version(opening), parse_instant(now)
    if existing is not None:
        return _again(existing, opening)
    conclusion = conclude_opening(opening, facts, now)
    if not isinstance(conclusion, Conclusion):
        return Refused(conclusion)
    members = {
        **_members(opening, conclusion, now, stamp),
        "dispute_id": opening.dispute_id,
        "seq": 1,
        "revision": 1,
        "payload": OpeningPayload(rollout=opening.rollout),
        "source": None,
        "rules": opening.rules,
        "policy": opening.policy.digest,
        "prev_hash": GENESIS,
        "private": FrozenMap({}),
        "order_id": opening.order_id,
        "merchant_id": opening.merchant_id,
        "consumer_id": opening.consumer_id,
        "chart": rule_version(opening.rules).table.digest,
        "package": VERSION,
    }
    return Accepted(*seal(DisputeOpened, members))


def _again(existing: Dispute, opening: OpenDispute) -> Decision:
    first = existing.opening
    if first.dispute_id != opening.dispute_id:
        raise InputError(
            f"existing is dispute {first.dispute_id}, the opening is of {opening.dispute_id}",
            field="existing",
        )
    # Where a rollout chose the rules, who asks again has named none; the dispute keeps those that
    # it opened under.
    chosen = opening.rollout is not None and first.payload.rollout is not None
    named = ("order_id", "merchant_id", "consumer_id", *(() if chosen else ("rules",)))
    same = (
        all(getattr(first, name) == getattr(opening, name) for name in named)
        and first.actor == opening.by
    )
    if same and first.policy == opening.policy.digest:
        return Repeated(first)
    saw = FrozenMap(dispute_id=opening.dispute_id)
    return Refused((Reason(RefusalCode.DISPUTE_EXISTS, "dispute_id_unused", saw, ANOTHER_ID),))


def decide(
    dispute: Dispute, command: Command, facts: OrderFacts | None, now: datetime, *, stamp: Stamp
) -> Decision:
    """Decide a command: accepted with its event, refused with every reason, unchanged, or repeated.

    `now` is business time. Raises `ClockWentBackError` where it lies before the dispute's last
    event, `FactsNeededError` where `needs_facts` would have said so and none were given,
    `StaleFactsError` for facts that are too old, dated ahead or of another order; `ValueError` for
    a `now` without an offset, and for what a host handed in without validation and cannot be valid.
    """
    now = parse_instant(now)  # in UTC, for a deadline of a day runs a day on every clock
    evaluation, conclusion = conclude(dispute, command, facts, now)
    return decision_of(dispute, evaluation, conclusion, lambda: stamp)


def decision_of(
    dispute: Dispute,
    evaluation: Evaluation,
    conclusion: Conclusion | None,
    make_stamp: Callable[[], Stamp],
) -> Decision:
    """Make the decision of what `conclude` has returned; a stamp is made only for an event."""
    if evaluation.earlier is not None:
        return Repeated(evaluation.earlier)
    if conclusion is None:
        return Refused(hinted(dispute, evaluation)) if evaluation.reasons else Unchanged()
    event, hashed = _event(dispute, evaluation.case, conclusion, make_stamp())
    return (
        Refused(hinted(dispute, evaluation), event, hashed)
        if isinstance(event, CommandRefused)
        else Accepted(event, hashed)
    )


def _event(
    dispute: Dispute, case: Case, conclusion: Conclusion, stamp: Stamp
) -> tuple[AuditEvent, bytes]:
    payload, private = conceal(case.command, stamp.salt)
    members = {
        **_members(case.command, conclusion, case.now, stamp),
        "dispute_id": dispute.dispute_id,
        "seq": dispute.seq + 1,
        "revision": dispute.revision + (not conclusion.refused),
        "payload": payload,
        "source": dispute.path,
        "rules": dispute.opening.rules,
        "policy": dispute.opening.policy,
        "prev_hash": dispute.last_hash,
        "private": FrozenMap(private),
    }
    return seal(EVENT_CLASSES[conclusion.type], members)


def _members(
    command: Command, conclusion: Conclusion, now: datetime, stamp: Stamp
) -> dict[str, Any]:
    """Return the members that every event has from its command, what it came to, and its stamp."""
    return {
        "event_id": stamp.event_id,
        "type": conclusion.type,
        "at": now,
        "recorded_at": stamp.recorded_at,
        "actor": command.by,
        "command": command.type,
        "target": conclusion.target,
        "checks": conclusion.checks,
        "facts": conclusion.facts,
        "deadlines": conclusion.deadlines,
        "outcome": conclusion.outcome,
        "key": command.key,
        "correlation_id": stamp.correlation_id,
        "refused": conclusion.refused,
        "schema_version": SCHEMA_VERSION,
    }
