"""What is asked in every situation: the policies, commands, payloads, facts and instants that represent all others.

A payload is complete, or at a limit, or it lacks just one thing that some transition may require,
or it lacks everything. The facts show each thing that counts, each almost-thing that does not, or
all at once. Time is now, at a due instant, or just after it. The policies have every switch on and
off, and every two of them in every combination: eight do what a hundred and twenty-eight would, as
an orthogonal array in which each two columns hold all four pairs. No transition asks for three
switches.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    SYSTEM,
    Actor,
    Command,
    adjudicator,
    consumer,
    merchant,
)
from dispute_fsm.domain.enums import CommandType, Deadline, Option, Role
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.reasons import just_after
from dispute_fsm.domain.scalars import FrozenMap

SWITCHES: Mapping[str, Mapping[str, object]] = FrozenMap(
    {
        "no response deadline": {"response": None},
        "nobody confirms": {"confirmation": None},
        "no evidence deadline": {"evidence": None},
        "silence denies": {"silence": "denial"},
        "denials are reviewed": {"denial": "review"},
        "no extra evidence": {"extra_evidence_rounds": 0},
        "no limits": {
            "max_promise": None,
            "scan_grace": "0s",
            "order_url": None,
            "max_recorded_refusals": 0,
        },
    }
)
"""What each switch lays over the default policy. The last one turns those that no row of a chart asks about, all at once."""

_ARRAY = ("0000000", "0001111", "0110011", "0111100", "1010101", "1011010", "1100110", "1101001")


def representative() -> dict[str, Policy]:
    """Give the policies by a name that says which switches are turned."""
    named: dict[str, Policy] = {}
    for row in _ARRAY:
        turned = [switch for switch, digit in zip(SWITCHES, row, strict=True) if digit == "1"]
        changes = {field: value for switch in turned for field, value in SWITCHES[switch].items()}
        named[", ".join(turned) or "the default"] = DEFAULT_POLICY.lay_over(changes)
    return named


OPENED_AT = datetime(2023, 3, 28, 2, tzinfo=UTC)
"""A Tuesday, ten in the morning in Shanghai: no holiday near."""

MERCHANT, CONSUMER = "M-1", "C-1"
OWN = FrozenMap(
    {
        Role.CONSUMER: consumer(CONSUMER),
        Role.MERCHANT: merchant(MERCHANT),
        Role.ADJUDICATOR: adjudicator("J-1"),
        Role.SYSTEM: SYSTEM,
    }
)
"""The actor of each role whose business the dispute is."""

STRANGERS = (consumer("C-9"), merchant("M-9"))
"""The right role, somebody else's dispute."""

COMMANDS = tuple(event for event in CommandType if event is not CommandType.OPEN_DISPUTE)
"""Every event that can be asked of a dispute that stands."""

_HOUR, _DAY, _SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
_SAID = "as the files show"
_SOON, _LATE = 12 * _HOUR, 10 * _DAY


class Variant(NamedTuple):
    """A command, whoever sends it, and whether it says all that any row could ask of it."""

    command: Command
    complete: bool = True


def _variant(event: CommandType, members: Mapping[str, Any], *, complete: bool = True) -> Variant:
    return Variant(COMMAND_CLASSES[event].model_validate({"by": SYSTEM, **members}), complete)


# ---- commands ------------------------------------------------------------------------------------


def _voucher(n: int = 1, kind: str = "chat_screenshot", **changes: object) -> dict[str, object]:
    return {
        "kind": kind,
        "media_type": "image/png",
        "size": 1_000,
        "sha256": f"a{n:063x}",
        **changes,
    }


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
    limits, left, vouchers = (
        policy.voucher_limits,
        policy.voucher_limits.max_bytes_together,
        list[dict[str, object]](),
    )
    while left and len(vouchers) < limits.max_count:
        vouchers.append(_voucher(len(vouchers), kind, size=min(left, limits.max_bytes)))
        left -= min(left, limits.max_bytes)
    return vouchers


def _as_many(policy: Policy, kind: str) -> list[dict[str, object]]:
    return [_voucher(n, kind) for n in range(policy.voucher_limits.max_count)]


@cache
def _choices(policy: Policy, option: Option, now: datetime) -> tuple[Variant, ...]:
    complete: dict[str, Any] = {"option": option}
    if option is Option.SHIP_BY_AGREED_DATE:
        complete |= {"agreed_until": now + _SOON, "vouchers": [_voucher()]}
    faulty = [
        {**complete, "vouchers": vouchers}
        for vouchers in _beyond(policy, "chat_screenshot").values()
    ]
    made = [_variant(CommandType.CHOOSE_OPTION, complete)]
    faulty += [
        {**complete, "vouchers": full(policy, "chat_screenshot")} for full in (_at_limit, _as_many)
    ]  # not faulty yet
    if option is Option.SHIP_BY_AGREED_DATE:
        longest = policy.max_promise
        made.append(_variant(CommandType.CHOOSE_OPTION, {**complete, "agreed_until": now + _LATE}))
        faulty += [
            {**complete, "agreed_until": None},
            {**complete, "agreed_until": now},
            {**complete, "vouchers": []},
        ]
        if longest is not None:
            made.append(
                _variant(CommandType.CHOOSE_OPTION, {**complete, "agreed_until": now + longest})
            )
            faulty.append({**complete, "agreed_until": now + longest + _SECOND})
        faulty.append({"option": option})
    return (
        *made,
        *(_variant(CommandType.CHOOSE_OPTION, members, complete=False) for members in faulty),
    )


@cache
def _submissions(policy: Policy) -> tuple[Variant, ...]:
    picky = next(
        ((name, reason) for name, reason in policy.evidence_reasons.items() if reason.not_accepted),
        None,
    )
    name, reason = picky or next(iter(policy.evidence_reasons.items()))
    kind = reason.prompts[0].kind.value
    complete = {
        "reason": name,
        "vouchers": [_voucher(n, kind) for n in range(reason.prompts[0].at_least)],
        "statement": _SAID,
    }
    faulty: list[dict[str, Any]] = [
        {**complete, "vouchers": vouchers} for vouchers in _beyond(policy, kind).values()
    ]
    faulty += [
        {**complete, "reason": "no-such-reason"},
        {**complete, "vouchers": []},
        {**complete, "statement": " "},
    ]
    longest = policy.voucher_limits.max_statement
    faulty += [{**complete, "statement": "!" * length} for length in (longest, longest + 1)]
    faulty += [
        {},
        *({**complete, "vouchers": full(policy, kind)} for full in (_at_limit, _as_many)),
    ]
    faulty += [
        {**complete, "vouchers": [*complete["vouchers"], _voucher(99, other.value)]}
        for other in reason.not_accepted[:1]
    ]
    return (
        _variant(CommandType.SUBMIT_EVIDENCE, complete),
        *(_variant(CommandType.SUBMIT_EVIDENCE, members, complete=False) for members in faulty),
    )


@cache
def _rulings(event: CommandType) -> tuple[Variant, ...]:
    return (_variant(event, {"rationale": _SAID}), _variant(event, {}, complete=False))


def _extensions(dispute: Dispute) -> Iterator[Variant]:
    """Extend each deadline, named or not: to after everything else, to just a second later, to where it was."""
    last = max([dispute.last_at, *dispute.deadlines.values()])
    for deadline in (None, *Deadline):
        named: dict[str, Any] = {"deadline": deadline, "rationale": _SAID}
        yield _variant(CommandType.EXTEND_DEADLINE, {**named, "until": last + _DAY})
        yield _variant(
            CommandType.EXTEND_DEADLINE,
            {"deadline": deadline, "until": last + _DAY},
            complete=False,
        )
        was = dispute.deadlines.get(deadline) if deadline is not None else None
        if deadline is Deadline.PROMISE:
            was = dispute.agreed_until
        if was is not None:
            yield _variant(CommandType.EXTEND_DEADLINE, {**named, "until": was}, complete=False)
            yield _variant(
                CommandType.EXTEND_DEADLINE, {**named, "until": was + timedelta(microseconds=1)}
            )


@cache
def _plain(event: CommandType) -> Variant:
    return _variant(event, {})


def variants(dispute: Dispute, event: CommandType, now: datetime) -> Iterator[Variant]:
    """Give what may be sent of a type of command, the complete ones among them."""
    match event:
        case CommandType.CHOOSE_OPTION:
            for option in Option:
                # pyright cannot see that a policy is frozen, and so hashable.
                yield from _choices(dispute.policy, option, now)  # pyright: ignore[reportArgumentType]
        case CommandType.SUBMIT_EVIDENCE:
            yield from _submissions(dispute.policy)  # pyright: ignore[reportArgumentType]
        case CommandType.RULE_NO_FAULT | CommandType.RULE_AT_FAULT | CommandType.ANNUL:
            yield from _rulings(event)
        case CommandType.EXTEND_DEADLINE:
            yield from _extensions(dispute)
        case _:
            yield _plain(event)


def sent_by(actor: Actor, command: Command) -> Command:
    """Give the same command by this actor."""
    return command.model_copy(update={"by": actor})


# ---- facts and instants --------------------------------------------------------------------------

_PAID = {"paid_at": OPENED_AT - 3 * _DAY}
_SHIPMENT = {"shipped_at": OPENED_AT - _HOUR, "carrier": "JDL", "waybill": "W1"}
_PICKUP = {"scanned_at": OPENED_AT - _HOUR, "waybill": "W1", "kind": "picked_up"}
_REFUND, _CANCEL = {"status": "completed"}, {"status": "submitted"}

PLAIN = Order.model_validate(_PAID)
"""An order that was paid, nothing else: what silence looks like."""

EVERYTHING = Order.model_validate(
    {
        **_PAID,
        "shipment": _SHIPMENT,
        "pickup": _PICKUP,
        "refund": _REFUND,
        "cancel_request": _CANCEL,
    }
)
"""An order that shows whatever any requirement asks for."""

_ORDERS = (
    PLAIN,
    EVERYTHING,
    Order.model_validate({**_PAID, "shipment": _SHIPMENT, "pickup": _PICKUP}),
    Order.model_validate({**_PAID, "refund": _REFUND}),
    Order.model_validate({**_PAID, "cancel_request": _CANCEL}),
    Order.model_validate({**_PAID, "shipment": _SHIPMENT}),
    Order.model_validate({**_PAID, "shipment": _SHIPMENT, "pickup": {**_PICKUP, "kind": "failed"}}),
    Order.model_validate(
        {
            **_PAID,
            "refund": {**_REFUND, "scope": "partial"},
            "cancel_request": {"status": "withdrawn"},
        }
    ),
)


@cache
def orders(agreed_until: datetime | None, now: datetime) -> tuple[Order, ...]:
    """Give what the order system may show at a moment: with a promise, the scan at the agreed instant and just after it too."""
    around = () if agreed_until is None else (agreed_until, agreed_until + _SECOND)
    dated = (
        Order.model_validate(
            {**_PAID, "shipment": _SHIPMENT, "pickup": {**_PICKUP, "scanned_at": at}}
        )
        for at in around
        if at <= now
    )
    return (*_ORDERS, *dated)


def instants(dispute: Dispute) -> tuple[datetime, ...]:
    """Give the moments at which something may turn: now, and at and just after each due instant that still lies ahead."""
    ahead = [due for due in dispute.deadlines.values() if due >= dispute.last_at]
    return tuple(sorted({dispute.last_at, *ahead, *map(just_after, ahead)}))
