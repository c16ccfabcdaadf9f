"""Folding events into a dispute. An event that cannot have happened is an error that says why, never ignored."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

from dispute_fsm.charts.registry import rule_version
from dispute_fsm.dispute.dispute import Dispute
from dispute_fsm.dispute.events import GENESIS, AuditEvent, CommandRefused, DisputeOpened
from dispute_fsm.errors import ImpossibleEventError
from dispute_fsm.rules.commands import ChooseOption, ExtendDeadline
from dispute_fsm.rules.policy import Policy
from dispute_fsm.rules.vocabulary import Deadline, EventName, EventType


def begin(event: DisputeOpened, policy: Policy) -> Dispute:
    """Make the dispute that an opening begins, under the policy that it names by digest.

    Raises `ImpossibleEventError` where the event cannot be a dispute's first, or the policy is another one; `InputError`
    where the rule version is unknown.
    """
    table = rule_version(event.rules).table
    expected = {"seq": 1, "revision": 1, "prev_hash": GENESIS, "policy": policy.digest, "target": table.initial, "outcome": None}
    _expect(event, expected)
    _expect_deadlines(event, table.places[event.target].stands)
    return Dispute(
        opening=event,
        policy=policy,
        path=event.target,
        deadlines=event.deadlines,
        keys=MappingProxyType({} if event.key is None else {event.key: event}),
        last_at=event.at,
        last_hash=event.hash,
    )


def evolve(dispute: Dispute, event: AuditEvent) -> Dispute:
    """Return the dispute after the event. Raises `ImpossibleEventError` where it cannot have happened to this dispute."""
    accepted = not isinstance(event, CommandRefused)
    expected: dict[str, Any] = {
        "dispute_id": dispute.dispute_id,
        "seq": dispute.seq + 1,
        "revision": dispute.revision + accepted,
        "prev_hash": dispute.last_hash,
        "rules": dispute.opening.rules,
        "policy": dispute.opening.policy,
        "source": dispute.path,
    }
    if not accepted:
        expected |= {"target": dispute.path, "deadlines": dispute.deadlines, "outcome": dispute.outcome}
    _expect(event, expected)
    if event.at < dispute.last_at:
        raise _impossible(event, f"it is dated {event.at.isoformat()}, before the event before it")
    heard = replace(dispute, seq=event.seq, last_at=event.at, last_hash=event.hash)
    if not accepted:
        return replace(heard, refusals=dispute.refusals + 1)
    _expect_row(dispute, event)
    return replace(
        heard,
        revision=event.revision,
        path=event.target,
        deadlines=event.deadlines,
        outcome=event.outcome,
        keys=dispute.keys if event.key is None else MappingProxyType({**dispute.keys, event.key: event}),
        **_remembered(dispute, event),
    )


def _remembered(dispute: Dispute, event: AuditEvent) -> dict[str, Any]:
    """Return what later guards and selectors will ask about."""
    if event.command is EventName.CHOOSE_OPTION:
        chosen = cast("ChooseOption[Any]", event.payload)
        return {"option": chosen.option, "agreed_until": chosen.agreed_until}
    if event.type in {EventType.AGREEMENT_CONFIRMED, EventType.AGREEMENT_UPHELD}:
        return {"confirmed": True}
    if event.type is EventType.EVIDENCE_SUBMITTED:
        return {"submissions": dispute.submissions + 1}
    if event.type is EventType.EVIDENCE_REQUESTED:
        return {"extra_rounds": dispute.extra_rounds + 1}
    if event.type is EventType.DEADLINE_EXTENDED and event.deadlines.get(Deadline.PROMISE) != dispute.deadlines.get(Deadline.PROMISE):
        return {"agreed_until": cast("ExtendDeadline[Any]", event.payload).until}
    return {}


def _expect_row(dispute: Dispute, event: AuditEvent) -> None:
    """Require that the chart has an edge that leads there, ends so and is recorded so."""
    table = dispute.rules.table
    option = event.payload.option if isinstance(event.payload, ChooseOption) else dispute.option
    if not any(
        (row.target, row.records) == (event.target, event.type) and row.outcome(option) is event.outcome
        for row in table.rows.get((dispute.path, event.command), ())
    ):
        outcome = "" if event.outcome is None else f" with {event.outcome.value}"
        raise _impossible(event, f"no edge leads from {dispute.path} by {event.command.value} to {event.target}{outcome}")
    _expect_deadlines(event, table.places[event.target].stands)


def _expect_deadlines(event: AuditEvent, stands: tuple[Deadline, ...]) -> None:
    if strange := [deadline.value for deadline in event.deadlines if deadline not in stands]:
        raise _impossible(event, f"the deadline {strange[0]} does not stand in {event.target}")


def _expect(event: AuditEvent, expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        found = getattr(event, name)
        if found != value:
            raise _impossible(event, f"{name} is {found}, expected {value}")


def _impossible(event: AuditEvent, why: str) -> ImpossibleEventError:
    return ImpossibleEventError(f"dispute {event.dispute_id}, event {event.seq} ({event.type.value}): {why}")
