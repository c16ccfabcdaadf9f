"""What represents everything else in the exploration: policies, commands, orders and instants.

A payload is complete, or at a limit, or it lacks just one thing that some transition may require,
or it lacks everything. An order shows each fact that counts, each fact that almost counts, or all
at once. Time is now, at a due instant, or just after it. The policies have every switch on and off,
and every two of them in every combination: eight policies are enough instead of a hundred and
twenty-eight, as an orthogonal array in which each two columns contain all four pairs (twelve for a
rule version with policy fields of its own). No transition depends on three switches.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    SYSTEM,
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
from dispute_fsm.rules.registry import RuleVersion

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
"""What each switch lays over the default policy.

The last one combines all fields that no transition depends on.
"""

_ARRAY_OF_7 = (
    "0000000",
    "0001111",
    "0110011",
    "0111100",
    "1010101",
    "1011010",
    "1100110",
    "1101001",
)
_GENERATOR = "11011100010"  # Plackett and Burman, 1946: with its rotations, an array of 11 columns
_ARRAY_OF_11 = ("0" * 11, *(_GENERATOR[-n:] + _GENERATOR[:-n] for n in range(11)))


def representative_policies(version: RuleVersion) -> dict[str, Policy]:
    """Return the policies for a rule version, by the names of their switches."""
    switches = {**SWITCHES, **{f"no {name}": {name: None} for name in version.policy_fields}}
    array = _ARRAY_OF_7 if len(switches) == len(_ARRAY_OF_7[0]) else _ARRAY_OF_11
    policies: dict[str, Policy] = {}
    for line in array:
        on = [name for name, digit in zip(switches, line, strict=False) if digit == "1"]
        changes = {field: value for name in on for field, value in switches[name].items()}
        policy = version.policy(DEFAULT_POLICY).lay_over(changes)
        policies[", ".join(on) or "the default"] = policy
    return policies


OPENED_AT = datetime(2023, 3, 28, 2, tzinfo=UTC)
"""A Tuesday, ten in the morning in Shanghai, with no holiday near."""

MERCHANT, CONSUMER = "M-1", "C-1"
OWN = FrozenMap(
    {
        Role.CONSUMER: consumer(CONSUMER),
        Role.MERCHANT: merchant(MERCHANT),
        Role.ADJUDICATOR: adjudicator("J-1"),
        Role.SYSTEM: SYSTEM,
    }
)
"""The actor of each role who may act on the dispute."""

STRANGERS = (consumer("C-9"), merchant("M-9"))
"""Actors of another dispute."""

_HOUR, _DAY, _SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
_TEXT = "as the files show"


class Variant(NamedTuple):
    """A command by any actor, and whether its payload has all that a transition may require."""

    command: Command
    complete: bool = True


def _variants(
    event: CommandType,
    complete: Iterable[Mapping[str, Any]],
    incomplete: Iterable[Mapping[str, Any]] = (),
) -> tuple[Variant, ...]:
    make = COMMAND_CLASSES[event].model_validate
    return (
        *(Variant(make({"by": SYSTEM, **payload})) for payload in complete),
        *(Variant(make({"by": SYSTEM, **payload}), complete=False) for payload in incomplete),
    )


# ---- commands ------------------------------------------------------------------------------------


def _voucher(n: int = 1, kind: str = "chat_screenshot", **changes: object) -> dict[str, object]:
    return {
        "kind": kind,
        "media_type": "image/png",
        "size": 1_000,
        "sha256": f"a{n:063x}",
        **changes,
    }


def _vouchers_around_limits(policy: Policy, kind: str) -> list[list[dict[str, object]]]:
    """Return vouchers of as many bytes, and as many files, as the policy allows, and of more."""
    limits = policy.voucher_limits
    largest, left = list[dict[str, object]](), limits.max_bytes_together
    while left and len(largest) < limits.max_count:
        largest.append(_voucher(len(largest), kind, size=min(left, limits.max_bytes)))
        left -= min(left, limits.max_bytes)
    most = [_voucher(n, kind) for n in range(limits.max_count)]
    return [
        largest,
        [*largest, _voucher(99, kind, size=1)],
        most,
        [*most, _voucher(limits.max_count, kind)],
        [_voucher(kind=kind, size=limits.max_bytes + 1)],
        [_voucher(kind=kind, media_type="text/plain")],
    ]


@cache
def _choices(policy: Policy, option: Option, now: datetime) -> tuple[Variant, ...]:
    payload: dict[str, Any] = {"option": option}
    if option is Option.SHIP_BY_AGREED_DATE:
        payload |= {"agreed_until": now + 12 * _HOUR, "vouchers": [_voucher()]}
    complete = [payload]
    incomplete = [
        {**payload, "vouchers": vouchers}
        for vouchers in _vouchers_around_limits(policy, "chat_screenshot")
    ]
    if option is Option.SHIP_BY_AGREED_DATE:
        complete.append({**payload, "agreed_until": now + 10 * _DAY})
        incomplete += [
            {"option": option},
            {**payload, "agreed_until": None},
            {**payload, "agreed_until": now},
            {**payload, "vouchers": []},
        ]
        if policy.max_promise is not None:
            latest = now + policy.max_promise
            complete.append({**payload, "agreed_until": latest})
            incomplete.append({**payload, "agreed_until": latest + _SECOND})
    return _variants(CommandType.CHOOSE_OPTION, complete, incomplete)


@cache
def _submissions(policy: Policy) -> tuple[Variant, ...]:
    reasons = policy.evidence_reasons.items()
    name, reason = next((item for item in reasons if item[1].not_accepted), next(iter(reasons)))
    kind, longest = reason.prompts[0].kind.value, policy.voucher_limits.max_statement
    vouchers = [_voucher(n, kind) for n in range(reason.prompts[0].at_least)]
    payload: dict[str, Any] = {"reason": name, "vouchers": vouchers, "statement": _TEXT}
    vouchers_tried = [
        [],
        *([*vouchers, _voucher(99, other.value)] for other in reason.not_accepted[:1]),
        *_vouchers_around_limits(policy, kind),
    ]
    incomplete = [
        {},
        {**payload, "reason": "no-such-reason"},
        *({**payload, "statement": text} for text in (" ", "!" * longest, "!" * (longest + 1))),
        *({**payload, "vouchers": tried} for tried in vouchers_tried),
    ]
    return _variants(CommandType.SUBMIT_EVIDENCE, [payload], incomplete)


def _extensions(dispute: Dispute) -> Iterator[Variant]:
    """Extend each deadline: beyond all others, by the least, not at all; and without a name."""
    last = max([dispute.last_at, *dispute.deadlines.values()])
    due_instants = {**dispute.deadlines, Deadline.PROMISE: dispute.agreed_until}
    for deadline in (None, *deadlines_of(dispute.rules)):
        named: dict[str, Any] = {"deadline": deadline, "rationale": _TEXT}
        complete = [{**named, "until": last + _DAY}]
        incomplete = [{"deadline": deadline, "until": last + _DAY}]
        due = None if deadline is None else due_instants.get(deadline)
        if due is not None:
            complete.append({**named, "until": due + timedelta(microseconds=1)})
            incomplete.append({**named, "until": due})
        yield from _variants(CommandType.EXTEND_DEADLINE, complete, incomplete)


@cache
def _without_choice(event: CommandType) -> tuple[Variant, ...]:
    if "rationale" in COMMAND_CLASSES[event].payload.model_fields:
        return _variants(event, [{"rationale": _TEXT}], [{}])
    return _variants(event, [{}])


def commands_of(version: RuleVersion) -> tuple[CommandType, ...]:
    """Return every command that the rule version knows, but the opening."""
    return tuple(command for command in CommandType if command in version.table.actors)


def deadlines_of(version: RuleVersion) -> tuple[Deadline, ...]:
    """Return every deadline that may run under the rule version."""
    running = {
        deadline
        for configuration in version.table.configurations.values()
        for deadline in configuration.deadlines
    }
    return tuple(deadline for deadline in Deadline if deadline in running)


def options_of(version: RuleVersion) -> tuple[Option, ...]:
    """Return the options that are offered, and one that is not."""
    others = [option for option in Option if option not in version.options]
    return tuple(option for option in Option if option in {*version.options, *others[:1]})


def variants(dispute: Dispute, event: CommandType, now: datetime) -> Iterator[Variant]:
    """Return the variants of a command; the first one is complete."""
    match event:
        case CommandType.CHOOSE_OPTION:
            for option in options_of(dispute.rules):
                # pyright cannot see that a policy is frozen, and so hashable.
                yield from _choices(dispute.policy, option, now)  # pyright: ignore[reportArgumentType]
        case CommandType.SUBMIT_EVIDENCE:
            yield from _submissions(dispute.policy)  # pyright: ignore[reportArgumentType]
        case CommandType.EXTEND_DEADLINE:
            yield from _extensions(dispute)
        case _:
            yield from _without_choice(event)


# ---- orders and instants -------------------------------------------------------------------------

_PAID = {"paid_at": OPENED_AT - 3 * _DAY}
_SHIPMENT = {"shipped_at": OPENED_AT - _HOUR, "carrier": "JDL", "waybill": "W1"}
_PICKUP = {"scanned_at": OPENED_AT - _HOUR, "waybill": "W1", "kind": "picked_up"}
_REFUND, _CANCEL = {"status": "completed"}, {"status": "submitted"}


def _order(**facts: Mapping[str, object]) -> Order:
    return Order.model_validate({**_PAID, **facts})


PLAIN = _order()
"""An order that was paid and shows nothing else."""

EVERYTHING = _order(shipment=_SHIPMENT, pickup=_PICKUP, refund=_REFUND, cancel_request=_CANCEL)
"""An order that shows every fact that any requirement asks for."""

_ORDERS = (
    PLAIN,
    EVERYTHING,
    _order(shipment=_SHIPMENT, pickup=_PICKUP),
    _order(refund=_REFUND),
    _order(cancel_request=_CANCEL),
    _order(shipment=_SHIPMENT),
    _order(shipment=_SHIPMENT, pickup={**_PICKUP, "kind": "failed"}),
    _order(refund={**_REFUND, "scope": "partial"}, cancel_request={"status": "withdrawn"}),
)


@cache
def orders(agreed_until: datetime | None, now: datetime) -> tuple[Order, ...]:
    """Return the possible orders; with a promise, also those scanned at its end and just after."""
    scans = () if agreed_until is None else (agreed_until, agreed_until + _SECOND)
    return (
        *_ORDERS,
        *(
            _order(shipment=_SHIPMENT, pickup={**_PICKUP, "scanned_at": at})
            for at in scans
            if at <= now
        ),
    )


def instants(dispute: Dispute) -> tuple[datetime, ...]:
    """Return the instants that may matter: now, and each future due instant and just after it."""
    ahead = [due for due in dispute.deadlines.values() if due >= dispute.last_at]
    return tuple(sorted({dispute.last_at, *ahead, *map(just_after, ahead)}))
