"""Fold events into a dispute. An event that cannot have happened is an error that says why."""

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.commands import Memory, RecordedCommand, remembered
from dispute_fsm.domain.deadlines import is_on
from dispute_fsm.domain.enums import CommandType, Deadline, EventType
from dispute_fsm.domain.events import GENESIS, AuditEvent, DisputeOpened
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import ImpossibleEventError
from dispute_fsm.rules.case import DisputeTransition
from dispute_fsm.rules.guards.selectors import FAILED, NAMED, OPTION
from dispute_fsm.rules.registry import rule_version

_Members = tuple[tuple[str, ...], Callable[[AuditEvent], tuple[Any, ...]]]


def _members(*names: str) -> _Members:
    return names, attrgetter(*names)


_FIRST = _members("seq", "revision", "prev_hash", "policy", "target", "outcome")
_NEXT = _members("dispute_id", "seq", "revision", "prev_hash", "rules", "policy", "source")
_SAME = _members("target", "deadlines", "outcome")


def begin(event: AuditEvent, policy: Policy) -> Dispute:
    """Make the dispute that an opening begins, under the policy that it names by digest.

    Raises `ImpossibleEventError` where the event cannot be a dispute's first, or the policy is
    another one; `InputError` where the rule version is unknown.
    """
    if not isinstance(event, DisputeOpened):
        raise _impossible(event, "it comes first, but it is no opening")
    if (decided := event.payload.rollout) is not None and decided.version != event.rules:
        raise _impossible(
            event, f"its rules are {event.rules}, but its rollout decided on {decided.version}"
        )
    table = rule_version(event.rules).table
    _expect(event, _FIRST, (1, 1, GENESIS, policy.digest, table.initial, None))
    _expect_deadlines(event, {}, table.entry.starts, policy)
    return Dispute(
        opening=event,
        policy=policy,
        path=event.target,
        deadlines=event.deadlines,
        keys=FrozenMap({} if event.key is None else {event.key: event}),
        last_at=event.at,
        last_hash=event.hash,
    )


def evolve(dispute: Dispute, event: AuditEvent) -> Dispute:
    """Return the dispute after the event. Raises `ImpossibleEventError` for one that cannot be."""
    accepted = event.type is not EventType.REFUSED
    opening = dispute.opening
    place = (opening.dispute_id, dispute.seq + 1, dispute.revision + accepted, dispute.last_hash)
    _expect(event, _NEXT, (*place, opening.rules, opening.policy, dispute.path))
    if not accepted:
        _expect(event, _SAME, (dispute.path, dispute.deadlines, dispute.outcome))
    if event.at < dispute.last_at:
        raise _impossible(event, f"it is dated {event.at.isoformat()}, before the event before it")
    keys, memory, liability = dispute.keys, dispute.memory, dispute.liability
    if accepted:
        liability = _expect_row(dispute, event).rule.liability or liability
        memory = _remembered(dispute, event)
        if event.key is not None:
            keys = FrozenMap({**keys, event.key: event})
    return Dispute(  # `dataclasses.replace` takes half as long again
        opening=opening,
        policy=dispute.policy,
        path=event.target,
        deadlines=event.deadlines,
        keys=keys,
        last_at=event.at,
        last_hash=event.hash,
        seq=event.seq,
        revision=event.revision,
        memory=memory,
        refusals=dispute.refusals + (not accepted),
        liability=liability,
        outcome=event.outcome,
    )


def _remembered(dispute: Dispute, event: AuditEvent) -> Memory:
    before, after = dispute.deadlines, event.deadlines
    moved = frozenset([deadline for deadline in after if after[deadline] != before.get(deadline)])
    recorded = RecordedCommand(event.type, event.payload, moved)
    return remembered(dispute.memory, event.command, recorded)


def recorded_transition(dispute: Dispute, event: AuditEvent) -> DisputeTransition:
    """Return the transition that an accepted event records, which happened to this dispute.

    Raises `ImpossibleEventError` where the chart has none.
    """
    table, target, records = dispute.rules.table, event.target, event.type
    command, payload = event.command, event.payload
    option = (
        getattr(payload, "option", None) if command is CommandType.CHOOSE_OPTION else dispute.option
    )
    named = getattr(payload, "deadline", None) if command is CommandType.EXTEND_DEADLINE else None
    answers = {
        OPTION: option or "none",
        FAILED: dispute.liability or "none",
        NAMED: named or "none",
    }
    for row in table.transitions.get((dispute.path, command), ()):
        ends = (
            row.target == target
            and row.records is records
            and row.outcome(option, dispute.outcome) is event.outcome
        )
        if ends and row.is_for(answers):
            return row
    ending = "" if event.outcome is None else f" with {event.outcome.value}"
    raise _impossible(
        event,
        f"no transition leads from {dispute.path} by {command.value} to {event.target}{ending}",
    )


def _expect_row(dispute: Dispute, event: AuditEvent) -> DisputeTransition:
    """Return the transition that the event records. Raises where its deadlines do not fit it."""
    row = recorded_transition(dispute, event)
    stands, rule = dispute.rules.table.configurations[event.target].deadlines, row.rule
    kept = {d: due for d, due in dispute.deadlines.items() if d in stands and d not in rule.ends}
    _expect_deadlines(event, kept, rule.starts, dispute.policy)
    return row


def _expect_deadlines(
    event: AuditEvent,
    kept: Mapping[Deadline, datetime],
    starts: tuple[Deadline, ...],
    policy: Policy,
) -> None:
    """Require just the deadlines that go on and those that begin; their dues are recorded."""
    begun = {deadline for deadline in starts if is_on(deadline, policy)}
    standing, going_on = event.deadlines, kept
    if begun:
        standing = {deadline: due for deadline, due in standing.items() if deadline not in begun}
        going_on = {deadline: due for deadline, due in kept.items() if deadline not in begun}
    if standing != going_on or not begun <= set(event.deadlines):
        names = ", ".join(sorted({*kept, *begun})) or "none"
        raise _impossible(
            event,
            (
                f"its deadlines are {', '.join(sorted(event.deadlines)) or 'none'}, expected "
                f"{names}, each where it was"
            ),
        )


def _expect(event: AuditEvent, members: _Members, expected: tuple[Any, ...]) -> None:
    names, of = members
    if of(event) != expected:
        name, found, should_be = next(
            one for one in zip(names, of(event), expected, strict=True) if one[1] != one[2]
        )
        raise _impossible(event, f"{name} is {found}, expected {should_be}")


def _impossible(event: AuditEvent, why: str) -> ImpossibleEventError:
    return ImpossibleEventError(
        f"dispute {event.dispute_id}, event {event.seq} ({event.type.value}): {why}"
    )
