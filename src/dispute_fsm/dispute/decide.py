"""Deciding: what comes of a command, given the dispute, the order system's facts and the time. Pure.

`decide` puts the situation before the compiled table (see `judge`) and turns the answer into an event or a refusal. It
does not ask, wait, store or log: facts come in as an argument (`needs_facts` says when), so does the time, and so do the
id, the moment of writing and the salts of the event (`Stamp`). The same arguments always give the same decision.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dispute_fsm.charts.registry import rule_version
from dispute_fsm.charts.table import Row
from dispute_fsm.dispute.chain import Stamp, conceal, seal
from dispute_fsm.dispute.dispute import Dispute
from dispute_fsm.dispute.events import EVENT, GENESIS, SCHEMA_VERSION, AuditEvent, CommandRefused, DisputeOpened
from dispute_fsm.dispute.judge import Judgement, check_facts, judge, reason_of
from dispute_fsm.dispute.refusals import Accepted, Decision, Reason, Refused, Repeated, Unchanged
from dispute_fsm.errors import ClockWentBackError, InputError
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.commands import Actor, ChooseOption, Command, ExtendDeadline
from dispute_fsm.rules.deadlines import due_instant
from dispute_fsm.rules.facts import OrderFacts
from dispute_fsm.rules.findings import Finding, PayloadUnlock
from dispute_fsm.rules.guards import Guard, Selector
from dispute_fsm.rules.policy import Policy
from dispute_fsm.rules.strict import FrozenMap, Identifier, Strict, format_instant
from dispute_fsm.rules.vocabulary import Deadline, EventName, EventType, RefusalCode
from dispute_fsm.version import VERSION

_ANY_TIME = datetime(2023, 3, 27, tzinfo=UTC)  # who may open does not depend on when


class Opening(Strict):
    """A request to open a dispute: whose, about which order, under which rules and policy, and who asks."""

    dispute_id: Identifier
    order_id: Identifier
    merchant_id: Identifier
    consumer_id: Identifier
    actor: Actor
    rules: Identifier
    policy: Policy
    key: Identifier | None = None


def open_dispute(existing: Dispute | None, opening: Opening, facts: OrderFacts | None, now: datetime, *, stamp: Stamp) -> Decision:
    """Decide an opening. `existing` is the dispute that has this id already; `facts` None: there is no such order.

    A refusal of an opening is not recorded, for there is no dispute to record it in. Raises `StaleFactsError` for facts
    that are too old, dated ahead or of another order; `InputError` for an unknown rule version, or where `existing` is
    another dispute.
    """
    if existing is not None:
        return _again(existing, opening)
    case = _opening_case(opening, facts, now)
    table = rule_version(opening.rules).table
    checks: list[tuple[Guard, Finding]] = [(table.entry.by, table.entry.by.holds(case))]
    if checks[0][1]:
        check_facts(facts, opening.order_id, opening.policy.max_facts_age, now)
        checks += [(guard, guard.holds(case)) for guard in table.entry.needs]
    if reasons := tuple(reason_of(guard, finding) for guard, finding in checks if not finding):
        return Refused(reasons, None)
    command = case.command
    event = DisputeOpened(
        **_members(command, now, stamp, checks, facts),
        dispute_id=opening.dispute_id,
        seq=1,
        revision=1,
        type=EventType.DISPUTE_OPENED,
        payload=command.payload,
        source=None,
        target=table.initial,
        deadlines=_started(table.entry.starts, case, None),
        outcome=None,
        rules=opening.rules,
        policy=opening.policy.digest,
        refused=(),
        prev_hash=GENESIS,
        private={},
        order_id=opening.order_id,
        merchant_id=opening.merchant_id,
        consumer_id=opening.consumer_id,
        chart=table.digest,
        package=VERSION,
    )
    return Accepted(seal(event))


def opening_needs_facts(existing: Dispute | None, opening: Opening) -> bool:
    """Tell whether the order system has to be asked before this opening can be decided.

    Not where the id is taken, nor where the actor may not open it. Raises `InputError` for an unknown rule version.
    """
    entry = rule_version(opening.rules).table.entry
    return existing is None and bool(entry.by.look(_opening_case(opening, None, _ANY_TIME)))


def _again(existing: Dispute, opening: Opening) -> Decision:
    first = existing.opening
    if first.dispute_id != opening.dispute_id:
        raise InputError(f"existing is dispute {first.dispute_id}, the opening is of {opening.dispute_id}", field="existing")
    named = ("order_id", "merchant_id", "consumer_id", "actor", "rules")
    if all(getattr(first, name) == getattr(opening, name) for name in named) and first.policy == opening.policy.digest:
        return Repeated(first)
    unlock = PayloadUnlock("dispute_id", "请使用新的纠纷编号", "open it under another dispute id")
    return Refused((Reason(RefusalCode.DISPUTE_EXISTS, "dispute_id_unused", FrozenMap(dispute_id=opening.dispute_id), unlock),), None)


def _opening_case(opening: Opening, facts: OrderFacts | None, now: datetime) -> Case:
    command = Command(event=EventName.OPEN_DISPUTE, actor=opening.actor, key=opening.key)
    return Case(
        command=command, now=now, policy=opening.policy, merchant_id=opening.merchant_id, consumer_id=opening.consumer_id, facts=facts
    )


def decide(dispute: Dispute, command: Command, facts: OrderFacts | None, now: datetime, *, stamp: Stamp) -> Decision:
    """Decide a command: accepted with its event, refused with every reason, unchanged, or repeated.

    `now` is business time. Raises `ClockWentBackError` where it lies before the dispute's last event, `FactsNeededError`
    where `needs_facts` would have said so and none were given, `StaleFactsError` for facts that are too old, dated ahead
    or of another order.
    """
    judgement = judge(dispute, command, facts, now)
    if judgement.earlier is not None:
        return Repeated(judgement.earlier)
    if now < dispute.last_at:
        msg = f"{format_instant(now)} lies before the last event of dispute {dispute.dispute_id} ({format_instant(dispute.last_at)})"
        raise ClockWentBackError(msg)
    if judgement.by_facts:
        check_facts(facts, dispute.order_id, dispute.policy.max_facts_age, now)
    if judgement.row is not None:
        return Accepted(_accepted(dispute, judgement, judgement.row, stamp))
    if not judgement.reasons:
        return Unchanged()
    return _refused(dispute, judgement, stamp)


def _members(
    command: Command, now: datetime, stamp: Stamp, checks: list[tuple[Guard, Finding]], facts: OrderFacts | None
) -> dict[str, Any]:
    """Return the members that every event has from its command, its checks and its stamp."""
    return {
        "event_id": stamp.event_id,
        "at": now,
        "recorded_at": stamp.recorded_at,
        "actor": command.actor,
        "command": command.event,
        "checks": tuple(_check(guard, finding) for guard, finding in checks),
        "facts": facts,
        "key": command.key,
        "correlation_id": stamp.correlation_id,
        "hash": GENESIS,
        "schema_version": SCHEMA_VERSION,
    }


def _check(guard: Guard, finding: Finding) -> dict[str, Any]:
    name = guard.dimension.name if isinstance(guard, Selector) else guard.name
    return {"guard": name, "passed": bool(finding), "saw": finding.saw}


def _next(dispute: Dispute, judgement: Judgement, stamp: Stamp) -> dict[str, Any]:
    case, checks = judgement.case, judgement.checks
    payload, private = conceal(case.command.event, case.command.payload, stamp.salt)
    asked = case.facts if judgement.by_facts else None
    return {
        **_members(case.command, case.now, stamp, list(checks), asked),
        "dispute_id": dispute.dispute_id,
        "seq": dispute.seq + 1,
        "payload": payload,
        "source": dispute.path,
        "rules": dispute.opening.rules,
        "policy": dispute.opening.policy,
        "prev_hash": dispute.last_hash,
        "private": private,
    }


def _accepted(dispute: Dispute, judgement: Judgement, row: Row, stamp: Stamp) -> AuditEvent:
    table, rule, payload = dispute.rules.table, row.rule, judgement.case.command.payload
    option, agreed_until = dispute.option, dispute.agreed_until
    if isinstance(payload, ChooseOption):
        option, agreed_until = payload.option, payload.agreed_until
    kept = {d: due for d, due in dispute.deadlines.items() if d in table.places[row.target].stands and d not in rule.ends}
    event = EVENT.validate_python(
        {
            **_next(dispute, judgement, stamp),
            "revision": dispute.revision + 1,
            "type": row.records,
            "target": row.target,
            "deadlines": {**kept, **_started(rule.starts, judgement.case, agreed_until)},
            "outcome": row.outcome(option),
            "refused": (),
        }
    )
    return seal(event)


def _refused(dispute: Dispute, judgement: Judgement, stamp: Stamp) -> Refused:
    reasons = judgement.reasons
    if dispute.refusals >= dispute.policy.max_recorded_refusals:
        return Refused(reasons, None)
    members = _next(dispute, judgement, stamp)
    named = {check["guard"] for check in members["checks"]}
    extra = tuple({"guard": reason.guard, "passed": False, "saw": reason.saw} for reason in reasons if reason.guard not in named)
    event = CommandRefused.model_validate(
        {
            **members,
            "checks": (*members["checks"], *extra),
            "revision": dispute.revision,
            "type": EventType.REFUSED,
            "target": dispute.path,
            "deadlines": dispute.deadlines,
            "outcome": dispute.outcome,
            "refused": tuple(reason.code for reason in reasons),
        }
    )
    return Refused(reasons, seal(event))


def _started(starts: tuple[Deadline, ...], case: Case, agreed_until: datetime | None) -> Mapping[Deadline, datetime]:
    """Return the due instants of the deadlines that begin now; a deadline that is switched off does not begin."""
    until = case.command.payload.until if isinstance(case.command.payload, ExtendDeadline) else None
    dues = {deadline: due_instant(deadline, case.policy, case.now, agreed_until, until) for deadline in starts}
    return {deadline: due for deadline, due in dues.items() if due is not None}
