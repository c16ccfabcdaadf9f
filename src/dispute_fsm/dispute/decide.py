"""Deciding: what comes of a command, given the dispute, the order system's facts and the time. Pure.

`decide` has the situation judged and concluded (see `evaluate` and `conclude`) and turns the answer into an event or a
refusal. It does not ask, wait, store or log: facts come in as an argument (`needs_facts` says when), so does the time, and
so do the id, the moment of writing and the salts of the event (`Stamp`). The same arguments always give the same decision.
"""

from datetime import datetime
from typing import Any

from dispute_fsm.charts.registry import rule_version
from dispute_fsm.dispute.chain import Stamp, conceal, seal
from dispute_fsm.dispute.conclude import Conclusion, conclude, conclude_opening
from dispute_fsm.dispute.dispute import Dispute
from dispute_fsm.dispute.events import EVENT, GENESIS, SCHEMA_VERSION, AuditEvent, CommandRefused, DisputeOpened
from dispute_fsm.dispute.judge import hinted
from dispute_fsm.dispute.refusals import Accepted, Decision, Reason, Refused, Repeated, Unchanged
from dispute_fsm.errors import InputError
from dispute_fsm.rules.commands import Command, OpenDispute, OpeningPayload
from dispute_fsm.rules.facts import OrderFacts
from dispute_fsm.rules.findings import PayloadUnlock
from dispute_fsm.rules.strict import FrozenMap
from dispute_fsm.rules.vocabulary import RefusalCode
from dispute_fsm.version import VERSION


def open_dispute(existing: Dispute | None, opening: OpenDispute, facts: OrderFacts | None, now: datetime, *, stamp: Stamp) -> Decision:
    """Decide an opening. `existing` is the dispute that has this id already; `facts` None: there is no such order.

    A refusal of an opening is not recorded, for there is no dispute to record it in. Raises `StaleFactsError` for facts
    that are too old, dated ahead or of another order; `InputError` for an unknown rule version, or where `existing` is
    another dispute.
    """
    if existing is not None:
        return _again(existing, opening)
    conclusion = conclude_opening(opening, facts, now)
    if not isinstance(conclusion, Conclusion):
        return Refused(conclusion)
    event = DisputeOpened(
        **_members(opening, conclusion, now, stamp),
        dispute_id=opening.dispute_id,
        seq=1,
        revision=1,
        payload=OpeningPayload(rollout=opening.rollout),
        source=None,
        rules=opening.rules,
        policy=opening.policy.digest,
        prev_hash=GENESIS,
        private={},
        order_id=opening.order_id,
        merchant_id=opening.merchant_id,
        consumer_id=opening.consumer_id,
        chart=rule_version(opening.rules).table.digest,
        package=VERSION,
    )
    return Accepted(*seal(event))


def _again(existing: Dispute, opening: OpenDispute) -> Decision:
    first = existing.opening
    if first.dispute_id != opening.dispute_id:
        raise InputError(f"existing is dispute {first.dispute_id}, the opening is of {opening.dispute_id}", field="existing")
    # Where a rollout chose the rules, who asks again has named none; the dispute keeps those that it opened under.
    chosen = opening.rollout is not None and first.payload.rollout is not None
    named = ("order_id", "merchant_id", "consumer_id", *(() if chosen else ("rules",)))
    same = all(getattr(first, name) == getattr(opening, name) for name in named) and first.actor == opening.by
    if same and first.policy == opening.policy.digest:
        return Repeated(first)
    unlock = PayloadUnlock("dispute_id", "请使用新的纠纷编号", "open it under another dispute id")
    return Refused((Reason(RefusalCode.DISPUTE_EXISTS, "dispute_id_unused", FrozenMap(dispute_id=opening.dispute_id), unlock),))


def decide(dispute: Dispute, command: Command, facts: OrderFacts | None, now: datetime, *, stamp: Stamp) -> Decision:
    """Decide a command: accepted with its event, refused with every reason, unchanged, or repeated.

    `now` is business time. Raises `ClockWentBackError` where it lies before the dispute's last event, `FactsNeededError`
    where `needs_facts` would have said so and none were given, `StaleFactsError` for facts that are too old, dated ahead
    or of another order.
    """
    judgement, conclusion = conclude(dispute, command, facts, now)
    if judgement.earlier is not None:
        return Repeated(judgement.earlier)
    if conclusion is None:
        return Refused(hinted(dispute, judgement)) if judgement.reasons else Unchanged()
    event, hashed = seal(_event(dispute, command, conclusion, now, stamp))
    return Refused(hinted(dispute, judgement), event, hashed) if isinstance(event, CommandRefused) else Accepted(event, hashed)


def _event(dispute: Dispute, command: Command, conclusion: Conclusion, now: datetime, stamp: Stamp) -> AuditEvent:
    payload, private = conceal(command, stamp.salt)
    members = {
        **_members(command, conclusion, now, stamp),
        "dispute_id": dispute.dispute_id,
        "seq": dispute.seq + 1,
        "revision": dispute.revision + (not conclusion.refused),
        "payload": payload,
        "source": dispute.path,
        "rules": dispute.opening.rules,
        "policy": dispute.opening.policy,
        "prev_hash": dispute.last_hash,
        "private": private,
    }
    return EVENT.validate_python(members)


def _members(command: Command, conclusion: Conclusion, now: datetime, stamp: Stamp) -> dict[str, Any]:
    """Return the members that every event has from its command, what it came to, and its stamp."""
    return {
        "event_id": stamp.event_id,
        "type": conclusion.type,
        "at": now,
        "recorded_at": stamp.recorded_at,
        "actor": command.by,
        "command": command.type,
        "target": conclusion.target,
        "checks": tuple({"guard": check.guard, "passed": check.passed, "saw": check.saw} for check in conclusion.checks),
        "facts": conclusion.facts,
        "deadlines": conclusion.deadlines,
        "outcome": conclusion.outcome,
        "key": command.key,
        "correlation_id": stamp.correlation_id,
        "refused": conclusion.refused,
        "hash": GENESIS,
        "schema_version": SCHEMA_VERSION,
    }
