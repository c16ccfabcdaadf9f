"""Deciding a recorded command again, with the recorded facts, time, policy and rule version.

The inputs are taken from the event, and the decision is compared with it, member by member. A
difference has its class, the decisive guard, and what that guard saw.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from pydantic import JsonValue

from dispute_fsm.decider.decide import Conclusion, conclude, conclude_opening, recorded_check
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.hash_chain import erased, reveal
from dispute_fsm.domain.commands import COMMAND_CLASSES, Command, OpenDispute
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, RefusalCode
from dispute_fsm.domain.events import AuditEvent, Check, DisputeOpened
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.reasons import Reason
from dispute_fsm.domain.scalars import FrozenMap, Named, Series, Strict, format_instant, made
from dispute_fsm.errors import FactsNeededError, StaleFactsError
from dispute_fsm.history.messages import Drift, Missing
from dispute_fsm.machine.guard import Seen
from dispute_fsm.rules.guards.timing import has_passed
from dispute_fsm.rules.registry import rule_version


class Change(Strict):
    """One member of an event: its recorded value, and its value now."""

    field: str
    recorded: JsonValue
    now: JsonValue


class Difference(Strict):
    """One event that differs.

    `seq` is the recorded event. `guard` is the decisive one, or the last one evaluated; `saw_then`
    and `saw_now` are what it saw (null where it was not evaluated).
    """

    seq: int
    drift: Named[Drift]
    command: Named[CommandType]
    guard: str | None = None
    saw_then: dict[str, JsonValue] | None = None
    saw_now: dict[str, JsonValue] | None = None
    changes: Series[Change]


_Answer = tuple[str, bool, Mapping[str, Seen]]
"""Of a guard: its name, whether it passed, and what it saw."""

_COMPARED_MEMBERS = ("type", "target", "deadlines", "outcome", "refused")
_compared = attrgetter(*_COMPARED_MEMBERS)


def compare(event: AuditEvent, now: Conclusion | AuditEvent) -> Difference | None:
    """Compare an event with the decision now; None where they are equal.

    Of two refusals only the reasons are compared: a refusal does not change the dispute's state.
    """
    same_facts = event.facts is now.facts or event.facts == now.facts
    if same_facts and _compared(event) == _compared(now) and _same_checks(event, now):
        return None  # without looking for what differs: nearly always nothing does
    changes = tuple(_changes(event, now))
    if not changes:
        return None
    drift = _drift(event, now)
    if drift is Drift.DEADLINE:
        deadline = next(d for d in Deadline if event.deadlines.get(d) != now.deadlines.get(d))
        return deadline_difference(
            event, deadline, event.deadlines.get(deadline), now.deadlines.get(deadline), changes
        )
    return _difference(event, drift, now.checks, changes)


def no_event_difference(
    event: AuditEvent, result: str, reasons: Sequence[Reason] = ()
) -> Difference:
    """Return the difference where nothing would be recorded now.

    `result` is what the command would lead to, `reasons` are those of a refusal.
    """
    if event.type is not EventType.REFUSED:
        drift = Drift.NEWLY_REFUSED
    else:
        drift = Drift.EXPLANATION if reasons else Drift.NEWLY_ACCEPTED
    checks = [recorded_check(reason.guard, reason.saw, passed=False) for reason in reasons]
    change = Change(field="type", recorded=event.type.value, now=result)
    return _difference(event, drift, checks, (change,))


def deadline_difference(
    event: AuditEvent,
    deadline: Deadline,
    then: datetime | None,
    now: datetime | None,
    changes: tuple[Change, ...] = (),
) -> Difference:
    """Return the difference where a deadline has another due instant now."""
    return Difference(
        seq=event.seq,
        drift=Drift.DEADLINE,
        command=event.command,
        guard=has_passed(deadline).name,
        saw_then={deadline.value: _json(then)},
        saw_now={deadline.value: _json(now)},
        changes=changes,
    )


def expiry_difference(event: AuditEvent, deadline: Deadline, expiry: AuditEvent) -> Difference:
    """Return the difference where an unrecorded `expiry` would have come before this event."""
    check = next(check for check in expiry.checks if check.guard == has_passed(deadline).name)
    return Difference(
        seq=event.seq,
        drift=Drift.OUTCOME,
        command=expiry.command,
        guard=check.guard,
        saw_now=_saw(check),
        changes=tuple(
            Change(field=name, recorded=None, now=_json(value))
            for name, value in (("target", expiry.target), ("outcome", expiry.outcome))
        ),
    )


def _drift(event: AuditEvent, now: Conclusion | AuditEvent) -> Drift:
    was_accepted, is_accepted = (e.type is not EventType.REFUSED for e in (event, now))
    if was_accepted is not is_accepted:
        return Drift.NEWLY_ACCEPTED if is_accepted else Drift.NEWLY_REFUSED
    if not is_accepted:
        return Drift.EXPLANATION
    if (event.type, event.target, event.outcome) != (now.type, now.target, now.outcome):
        return Drift.OUTCOME
    return Drift.DEADLINE if event.deadlines != now.deadlines else Drift.EXPLANATION


def _changes(event: AuditEvent, now: Conclusion | AuditEvent) -> Iterator[Change]:
    both_refused = event.type is now.type is EventType.REFUSED
    for name in ("refused",) if both_refused else _COMPARED_MEMBERS:
        recorded, current = getattr(event, name), getattr(now, name)
        if recorded != current:
            yield Change(field=name, recorded=_json(recorded), now=_json(current))
    if event.facts is not now.facts and event.facts != now.facts:
        yield Change(field="facts", recorded=event.facts is not None, now=now.facts is not None)
    if not _same_checks(event, now):
        yield Change(
            field="checks", recorded=_checks_json(event.checks), now=_checks_json(now.checks)
        )


def _same_checks(event: AuditEvent, now: Conclusion | AuditEvent) -> bool:
    then, current = _answers(event), _answers(now)
    if then != current:
        return False
    # In Python, 1 equals true; what a guard saw has nearly always its members in one order.
    return _seen_types(then) == _seen_types(current) or all(
        _same_values(saw_then, saw)
        for (_, _, saw_then), (_, _, saw) in zip(then, current, strict=True)
    )


def _answers(of: Conclusion | AuditEvent) -> list[_Answer]:
    """Return the guards' answers, without building the checks as they would be recorded."""
    if not isinstance(of, Conclusion):
        return [(check.guard, check.passed, check.saw) for check in of.checks]
    answers = [(guard.recorded, result.passed, result.saw) for guard, result in of.results]
    if of.reasons:
        answers += [(reason.guard, False, reason.saw) for reason in of.further_reasons]
    return answers


def _seen_types(answers: list[_Answer]) -> list[type]:
    return [type(value) for _, _, saw in answers for value in saw.values()]


def _same_check(then: Check, now: Check) -> bool:
    return then.guard == now.guard and then.passed is now.passed and _same_values(then.saw, now.saw)


def _same_values(then: Mapping[str, Seen], now: Mapping[str, Seen]) -> bool:
    """Compare what guards saw, with its types."""
    return then == now and all(type(then[name]) is type(value) for name, value in now.items())


def _difference(
    event: AuditEvent, drift: Drift, now: Sequence[Check], changes: tuple[Change, ...]
) -> Difference:
    name = _decisive_guard(event.checks, now, drift)
    saw_then, saw_now = (
        next((_saw(check) for check in checks if check.guard == name), None)
        for checks in (event.checks, now)
    )
    return Difference(
        seq=event.seq,
        drift=drift,
        command=event.command,
        guard=name,
        saw_then=saw_then,
        saw_now=saw_now,
        changes=changes,
    )


def _decisive_guard(then: Sequence[Check], now: Sequence[Check], drift: Drift) -> str | None:
    """Return the name of the guard that makes the difference.

    It is the first with another result, else the first that saw something else, else the first
    evaluated on one side only, else the last one evaluated. For another state or outcome,
    selectors come first, because they select the transition.
    """
    recorded, current = ({check.guard: check for check in checks} for checks in (then, now))
    names = list(current | recorded)
    if drift is Drift.OUTCOME:  # a selector records its answer under its own name
        names.sort(key=lambda name: name not in (current.get(name) or recorded[name]).saw)
    both = [name for name in names if name in recorded and name in current]
    candidates = (
        *(n for n in names if _passes(recorded.get(n)) is not _passes(current.get(n))),
        *(name for name in both if not _same_check(recorded[name], current[name])),
        *(name for name in names if name not in both),
        *list(current or recorded)[-1:],
    )
    return next(iter(candidates), None)


def _passes(check: Check | None) -> bool:
    """Return whether a guard lets the command pass; one that is not evaluated does."""
    return check is None or check.passed


def _checks_json(checks: Sequence[Check]) -> JsonValue:
    return [{"guard": check.guard, "passed": check.passed, "saw": _saw(check)} for check in checks]


def _saw(check: Check) -> dict[str, JsonValue]:
    return {name: _json(value) for name, value in check.saw.items()}


def _json(value: object) -> JsonValue:
    """Convert a member of an event to JSON values."""
    if isinstance(value, Mapping):
        return {str(name): _json(member) for name, member in value.items()}
    if isinstance(value, tuple):
        return [_json(member) for member in value]
    if isinstance(value, datetime):
        return format_instant(value)
    return value if isinstance(value, bool | int) or value is None else str(value)


CHECKED_BY_FOLDING: Mapping[str, str] = FrozenMap(
    {
        "dispute_id": "all events of one dispute have its id",
        "seq": "counts the events",
        "revision": "counts the accepted events",
        "source": "is the dispute's configuration before the event",
        "rules": "is that of the opening",
        "policy": "is that of the opening, and the digest of a policy record",
        "prev_hash": "is the hash of the event before",
        "hash": "matches the event",
        "private": "matches the commitments",
        "schema_version": "is one that can be read",
    }
)
"""Members that reading and folding check."""

INPUTS: Mapping[str, str] = FrozenMap(
    {
        "at": "when the command was given",
        "actor": "who gave it",
        "command": "which command",
        "payload": "its payload; of an erased value, the length",
        "key": "its idempotency key",
        "order_id": "as given at the opening",
        "merchant_id": "as given at the opening",
        "consumer_id": "as given at the opening",
    }
)
"""Members that are inputs of the decision, as they were recorded."""

COMPARED = ("type", "target", "checks", "facts", "deadlines", "outcome", "refused", "chart")
"""Members that are decided again and compared; of the facts, whether they were needed."""

NOT_COMPARED: Mapping[str, str] = FrozenMap(
    {
        "event_id": "an id that the host generates; nothing depends on it",
        "recorded_at": "when the host wrote the event; decisions depend on `at` alone",
        "correlation_id": "the host's own",
        "package": "the version that wrote the event; a newer version may read it",
    }
)
"""Members that a replay neither can nor must reproduce, and why."""


class Undetermined(Strict):
    """An event whose command cannot be decided again from what was recorded."""

    seq: int
    missing: Named[Missing]


def recorded_command(event: AuditEvent) -> Command:
    """Return the command of an event; an erased text comes back as another of the same length."""
    said = {**reveal(event), "by": event.actor, "key": event.key}  # an event is valid already
    return made(COMMAND_CLASSES[event.command], said)


def recorded_opening(event: DisputeOpened, policy: Policy, rules: str) -> OpenDispute:
    """Return the opening command of an event, under this policy and these rules."""
    members: dict[str, Any] = {
        "dispute_id": event.dispute_id,
        "order_id": event.order_id,
        "merchant_id": event.merchant_id,
        "consumer_id": event.consumer_id,
        # The recorded rollout decision is for the recorded rules only.
        "rollout": event.payload.rollout if rules == event.rules else None,
        "rules": rules,
        "policy": policy,
        "by": event.actor,
        "key": event.key,
    }
    return made(OpenDispute, members)  # an event and a policy are valid already


def redecide(
    before: Dispute | None, event: AuditEvent, policy: Policy
) -> Difference | Undetermined | None:
    """Decide an event's command again, for the dispute before it; None if nothing differs."""
    if isinstance(event, DisputeOpened):
        return _reopen(event, policy)
    if before is None:
        raise ValueError(f"event {event.seq} is not an opening, so it needs the dispute before it")
    try:
        evaluation, now = conclude(before, recorded_command(event), event.facts, event.at)
    except (FactsNeededError, StaleFactsError) as error:
        return _unfit_facts(event, error)
    if needs_erased_data(event, evaluation.earlier):
        return Undetermined(seq=event.seq, missing=Missing.PERSONAL_DATA)
    if now is not None:
        return compare(event, now)
    result = unrecorded_result(evaluation.reasons, evaluation.earlier)
    return no_event_difference(event, result, evaluation.reasons)


def needs_erased_data(event: AuditEvent, earlier: AuditEvent | None) -> bool:
    """Return whether a refused key looks repeated only because personal data was erased.

    `earlier` is the event that the command seems to repeat.
    """
    return (
        earlier is not None
        and RefusalCode.KEY_REUSED in event.refused
        and (erased(earlier) or erased(event))
    )


def unrecorded_result(reasons: Sequence[Reason], earlier: AuditEvent | None) -> str:
    """Return the result of a command that records no event."""
    if reasons:
        return "refused, not recorded"
    return "unchanged" if earlier is None else "repeated"


def _reopen(event: DisputeOpened, policy: Policy) -> Difference | None:
    opening = recorded_opening(event, policy, event.rules)
    try:
        now = conclude_opening(opening, event.facts, event.at)
    except StaleFactsError as error:
        return _unfit_facts(event, error)
    if not isinstance(now, Conclusion):
        return no_event_difference(event, "refused", now)
    difference = compare(event, now)
    digest = rule_version(event.rules).table.digest
    if difference is not None or event.chart == digest:
        return difference
    change = Change(field="chart", recorded=event.chart, now=digest)
    return Difference(seq=event.seq, drift=Drift.CHART, command=event.command, changes=(change,))


def _unfit_facts(event: AuditEvent, error: Exception) -> Difference:
    recorded = None if event.facts is None else event.facts.model_dump(mode="json")
    change = Change(field="facts", recorded=recorded, now=str(error))
    return Difference(seq=event.seq, drift=Drift.FACTS, command=event.command, changes=(change,))
