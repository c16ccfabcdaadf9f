"""What is asked in every situation: the commands, payloads, facts and instants that stand for all others.

A payload is complete, or at a limit, or it lacks just one thing that some row may ask for, or it lacks everything. The facts show
each thing that counts, each almost-thing that does not, or all at once. Time stands still, comes to a due instant, or has
just passed it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from dispute_fsm.dispute.dispute import Dispute
from dispute_fsm.rules.commands import PAYLOADS, Actor, ChooseOption, Command, ExtendDeadline, Payload, Ruling, SubmitEvidence
from dispute_fsm.rules.facts import Order
from dispute_fsm.rules.findings import just_after
from dispute_fsm.rules.policy import Policy
from dispute_fsm.rules.strict import FrozenMap
from dispute_fsm.rules.vocabulary import CommandType, Deadline, Option, Role

OPENED_AT = datetime(2023, 3, 28, 2, tzinfo=UTC)
"""A Tuesday, ten in the morning in Shanghai: no holiday near."""

MERCHANT, CONSUMER = "M-1", "C-1"
OWN = FrozenMap(
    {
        Role.CONSUMER: Actor(role=Role.CONSUMER, id=CONSUMER),
        Role.MERCHANT: Actor(role=Role.MERCHANT, id=MERCHANT),
        Role.ADJUDICATOR: Actor(role=Role.ADJUDICATOR, id="J-1"),
        Role.SYSTEM: Actor(role=Role.SYSTEM, id="system"),
    }
)
"""The actor of each role whose business the dispute is."""

STRANGERS = (Actor(role=Role.CONSUMER, id="C-9"), Actor(role=Role.MERCHANT, id="M-9"))
"""The right role, somebody else's dispute."""

COMMANDS = tuple(event for event in CommandType if event is not CommandType.OPEN_DISPUTE)
"""Every event that can be asked of a dispute that stands."""

_HOUR, _DAY, _SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
_SAID = "as the files show"
_SOON, _LATE = 12 * _HOUR, 10 * _DAY


class Variant(NamedTuple):
    """A payload, and whether it has all that any row could ask of it."""

    payload: Payload
    complete: bool = True


# ---- payloads ----------------------------------------------------------------------------------------------------------


def _voucher(n: int = 1, kind: str = "chat_screenshot", **changes: object) -> dict[str, object]:
    return {"kind": kind, "media_type": "image/png", "size": 1_000, "sha256": f"a{n:063x}", **changes}


def _beyond(policy: Policy, kind: str) -> dict[str, list[dict[str, object]]]:
    """Give vouchers beyond each limit of the policy, by the fault."""
    limits = policy.voucher_limits
    return {
        "too large": [_voucher(kind=kind, size=limits.max_bytes + 1)],
        "too large together": [*_at_limit(policy, kind), _voucher(99, kind, size=1)],
        "of no such type": [_voucher(kind=kind, media_type="text/plain")],
        "too many": [_voucher(n, kind) for n in range(limits.max_count + 1)],
    }


def _at_limit(policy: Policy, kind: str) -> list[dict[str, object]]:
    """Give vouchers that are just as large as they may be, each and together."""
    limits, left, vouchers = policy.voucher_limits, policy.voucher_limits.max_bytes_together, list[dict[str, object]]()
    while left and len(vouchers) < limits.max_count:
        vouchers.append(_voucher(len(vouchers), kind, size=min(left, limits.max_bytes)))
        left -= min(left, limits.max_bytes)
    return vouchers


def _as_many(policy: Policy, kind: str) -> list[dict[str, object]]:
    return [_voucher(n, kind) for n in range(policy.voucher_limits.max_count)]


@cache
def _choices(policy: Policy, option: Option, now: datetime) -> tuple[Variant, ...]:
    model = PAYLOADS[CommandType.CHOOSE_OPTION]
    complete: dict[str, Any] = {"option": option}
    if option is Option.SHIP_BY_AGREED_DATE:
        complete |= {"agreed_until": now + _SOON, "vouchers": [_voucher()]}
    faulty = [{**complete, "vouchers": vouchers} for vouchers in _beyond(policy, "chat_screenshot").values()]
    made = [Variant(model.model_validate(complete))]
    faulty += [{**complete, "vouchers": full(policy, "chat_screenshot")} for full in (_at_limit, _as_many)]  # not faulty yet
    if option is Option.SHIP_BY_AGREED_DATE:
        longest = policy.max_promise
        made.append(Variant(model.model_validate({**complete, "agreed_until": now + _LATE})))
        faulty += [{**complete, "agreed_until": None}, {**complete, "agreed_until": now}, {**complete, "vouchers": []}]
        if longest is not None:
            made.append(Variant(model.model_validate({**complete, "agreed_until": now + longest})))
            faulty.append({**complete, "agreed_until": now + longest + _SECOND})
        faulty.append({"option": option})
    return (*made, *(Variant(model.model_validate(members), complete=False) for members in faulty))


@cache
def _submissions(policy: Policy) -> tuple[Variant, ...]:
    model = PAYLOADS[CommandType.SUBMIT_EVIDENCE]
    picky = next(((name, reason) for name, reason in policy.evidence_reasons.items() if reason.not_accepted), None)
    name, reason = picky or next(iter(policy.evidence_reasons.items()))
    kind = reason.prompts[0].kind.value
    complete = {"reason": name, "vouchers": [_voucher(n, kind) for n in range(reason.prompts[0].at_least)], "statement": _SAID}
    faulty: list[dict[str, Any]] = [{**complete, "vouchers": vouchers} for vouchers in _beyond(policy, kind).values()]
    faulty += [{**complete, "reason": "no-such-reason"}, {**complete, "vouchers": []}, {**complete, "statement": " "}]
    longest = policy.voucher_limits.max_statement
    faulty += [{**complete, "statement": "!" * length} for length in (longest, longest + 1)]
    faulty += [{}, *({**complete, "vouchers": full(policy, kind)} for full in (_at_limit, _as_many))]
    faulty += [{**complete, "vouchers": [*complete["vouchers"], _voucher(99, other.value)]} for other in reason.not_accepted[:1]]
    return (Variant(model.model_validate(complete)), *(Variant(model.model_validate(members), complete=False) for members in faulty))


@cache
def _rulings(event: CommandType) -> tuple[Variant, ...]:
    model = PAYLOADS[event]
    return (Variant(model.model_validate({"rationale": _SAID})), Variant(model.model_validate({}), complete=False))


def _extensions(dispute: Dispute) -> Iterator[Variant]:
    """Extend each deadline, named or not: to after everything else, to just a second later, to where it was."""
    model = PAYLOADS[CommandType.EXTEND_DEADLINE]
    last = max([dispute.last_at, *dispute.deadlines.values()])
    for deadline in (None, *Deadline):
        named: dict[str, Any] = {"deadline": deadline, "rationale": _SAID}
        yield Variant(model.model_validate({**named, "until": last + _DAY}))
        yield Variant(model.model_validate({"deadline": deadline, "until": last + _DAY}), complete=False)
        was = dispute.deadlines.get(deadline) if deadline is not None else None
        if deadline is Deadline.PROMISE:
            was = dispute.agreed_until
        if was is not None:
            yield Variant(model.model_validate({**named, "until": was}), complete=False)
            yield Variant(model.model_validate({**named, "until": was + timedelta(microseconds=1)}))


@cache
def _empty(event: CommandType) -> Variant:
    return Variant(PAYLOADS[event].model_validate({}))


def payloads(dispute: Dispute, event: CommandType, now: datetime) -> Iterator[Variant]:
    """Give the payloads with which an event is asked, the complete ones among them."""
    model = PAYLOADS[event]
    if issubclass(model, ChooseOption):
        for option in Option:
            yield from _choices(dispute.policy, option, now)  # pyright: ignore[reportArgumentType] -- it cannot see that a policy is frozen
    elif issubclass(model, SubmitEvidence):
        yield from _submissions(dispute.policy)  # pyright: ignore[reportArgumentType] -- as above
    elif issubclass(model, Ruling):
        yield from _rulings(event)
    elif issubclass(model, ExtendDeadline):
        yield from _extensions(dispute)
    else:
        yield _empty(event)


def command(event: CommandType, actor: Actor, payload: Payload) -> Command:
    """Put a command together of parts that are valid."""
    members: dict[str, Any] = {"event": event, "actor": actor, "payload": payload, "key": None}
    return Command.model_construct(**members)


# ---- facts and instants ------------------------------------------------------------------------------------------------

_PAID = {"paid_at": OPENED_AT - 3 * _DAY}
_SHIPMENT = {"shipped_at": OPENED_AT - _HOUR, "carrier": "JDL", "waybill": "W1"}
_PICKUP = {"scanned_at": OPENED_AT - _HOUR, "waybill": "W1", "kind": "picked_up"}
_REFUND, _CANCEL = {"status": "completed"}, {"status": "submitted"}

PLAIN = Order.model_validate(_PAID)
"""An order that was paid, nothing else: what silence looks like."""

EVERYTHING = Order.model_validate({**_PAID, "shipment": _SHIPMENT, "pickup": _PICKUP, "refund": _REFUND, "cancel_request": _CANCEL})
"""An order that shows whatever any requirement asks for."""

_ORDERS = (
    PLAIN,
    EVERYTHING,
    Order.model_validate({**_PAID, "shipment": _SHIPMENT, "pickup": _PICKUP}),
    Order.model_validate({**_PAID, "refund": _REFUND}),
    Order.model_validate({**_PAID, "cancel_request": _CANCEL}),
    Order.model_validate({**_PAID, "shipment": _SHIPMENT}),
    Order.model_validate({**_PAID, "shipment": _SHIPMENT, "pickup": {**_PICKUP, "kind": "failed"}}),
    Order.model_validate({**_PAID, "refund": {**_REFUND, "scope": "partial"}, "cancel_request": {"status": "withdrawn"}}),
)


@cache
def orders(agreed_until: datetime | None, now: datetime) -> tuple[Order, ...]:
    """Give what the order system may show at a moment: with a promise, the scan at the agreed instant and just after it too."""
    around = () if agreed_until is None else (agreed_until, agreed_until + _SECOND)
    dated = (Order.model_validate({**_PAID, "shipment": _SHIPMENT, "pickup": {**_PICKUP, "scanned_at": at}}) for at in around if at <= now)
    return (*_ORDERS, *dated)


def instants(dispute: Dispute) -> tuple[datetime, ...]:
    """Give the moments at which something may turn: now, and at and just after each due instant that still lies ahead."""
    ahead = [due for due in dispute.deadlines.values() if due >= dispute.last_at]
    return tuple(sorted({dispute.last_at, *ahead, *map(just_after, ahead)}))
