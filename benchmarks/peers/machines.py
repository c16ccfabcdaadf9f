"""One transition in other libraries and by hand: what a decision is compared with.

The libraries' machines have our chart's states and transitions without any condition, and write
nothing down: they only go from one state to the next. By hand there are the guards too.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec
from automat import TypeMachineBuilder
from transitions import Machine

from benchmarks.hot_paths import Decision, Slice, each
from benchmarks.measure import Work
from benchmarks.peers.statechart import BareChart
from dispute_fsm.decider.evaluate import case_of
from dispute_fsm.domain.commands import DEFAULT_VERSION, ChooseOption
from dispute_fsm.domain.enums import Deadline, Option, Role
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import Policy
from dispute_fsm.rules.registry import rule_version

OUR_CHART = "python-statemachine, our own chart, a new object, guards and one transition"
STATEMACHINE_NEW = "python-statemachine, a new object, one transition"
STATEMACHINE_REUSED = "python-statemachine, one object reused, one transition"
TRANSITIONS_NEW = "transitions, a new machine, one transition"
TRANSITIONS_SHARED = "transitions, a shared machine, a new model, one transition"
AUTOMAT = "automat, a new object, one transition"
BY_HAND = "by hand: a dict and the same guards, no record"
BY_HAND_RECORDED = "by hand, and the event as JSON with its hash"

TABLE = rule_version(DEFAULT_VERSION).table
STATES = tuple(path.replace(".", "_") for path in TABLE.configurations)
ROWS = tuple(
    (row.event.value, row.source.replace(".", "_"), row.target.replace(".", "_"))
    for rows in TABLE.transitions.values()
    for row in rows
)
INITIAL, TRIGGER = TABLE.initial, "choose_option"


class _Model:
    """What the library `transitions` gives its state and triggers to."""

    state: str
    choose_option: Callable[[], bool]


def _transitions(model: object) -> Machine:
    rows = [{"trigger": event, "source": of, "dest": to} for event, of, to in ROWS]
    return Machine(model, [*STATES], initial=INITIAL, transitions=rows, auto_transitions=False)


class _Inputs(Protocol):
    def choose_option(self) -> None: ...
    def withdraw(self) -> None: ...


def _automat() -> Callable[[object], _Inputs]:
    """Make a machine of two inputs: a state of automat has one way out by each, and no guards."""
    builder = TypeMachineBuilder(_Inputs, object)
    opened, chosen, ended = (builder.state(name) for name in (INITIAL, "chosen", "resolved"))
    opened.upon(_Inputs.choose_option).to(chosen).returns(None)
    opened.upon(_Inputs.withdraw).to(ended).returns(None)
    chosen.upon(_Inputs.withdraw).to(ended).returns(None)
    machine: Callable[[object], _Inputs] = builder.build()
    return machine


# ---- by hand -------------------------------------------------------------------------------------


Guard = Callable[[ChooseOption, OrderFacts, datetime, Policy], bool]


def _agreed(command: ChooseOption, _facts: OrderFacts, now: datetime, policy: Policy) -> bool:
    until, longest = command.agreed_until, policy.max_promise
    return until is not None and now < until and (longest is None or until <= now + longest)


CHOICES: Mapping[Option, tuple[str, Guard]] = {
    Option.CONSUMER_CANCELS: (
        "awaiting_confirmation",
        lambda _command, facts, *_: bool(facts.standing_cancel_request or facts.full_refund),
    ),
    Option.ALREADY_SHIPPED: (
        "awaiting_confirmation",
        lambda _command, facts, *_: bool(facts.counted_shipment and facts.valid_pickup),
    ),
    Option.SHIP_BY_AGREED_DATE: ("awaiting_shipment", _agreed),
    Option.OUT_OF_STOCK_REFUND: ("awaiting_confirmation", lambda *_: True),
    Option.PROVE_NO_FAULT: ("awaiting_evidence", lambda *_: True),
}
BY_STATE = {(INITIAL, TRIGGER): CHOICES}


def by_hand(it: Decision) -> str:
    """Return the next state; raises `ValueError` where a guard is against it."""
    command, facts, policy = it.command, it.facts, it.dispute.policy
    if not isinstance(command, ChooseOption) or facts is None:
        raise TypeError("not a choice")
    target, guard = BY_STATE[it.dispute.path, command.type.value][command.option]
    if command.by.role is not Role.MERCHANT or command.by.id != it.dispute.merchant_id:
        raise ValueError("wrong actor")
    due = it.dispute.deadlines.get(Deadline.RESPONSE)
    if due is not None and it.now > due:
        raise ValueError("too late")
    if command.vouchers:
        limits = policy.voucher_limits
        if (
            len(command.vouchers) > limits.max_count
            or any(voucher.size > limits.max_bytes for voucher in command.vouchers)
            or any(voucher.media_type not in limits.media_types for voucher in command.vouchers)
        ):
            raise ValueError("vouchers")
    if not guard(command, facts, it.now, policy):
        raise ValueError("refused")
    return target


def by_hand_recorded(it: Decision) -> tuple[bytes, str]:
    """Do the same, and write down an event and its hash: no checks, no commitments, no types."""
    target = by_hand(it)
    event: dict[str, Any] = {
        "dispute_id": it.dispute.dispute_id,
        "seq": it.dispute.seq + 1,
        "type": "option_chosen",
        "at": it.now,
        "actor": it.command.by.id,
        "source": it.dispute.path,
        "target": target,
        "facts": None if it.facts is None else vars(it.facts),
        "prev_hash": it.dispute.last_hash,
    }
    line = msgspec.json.encode(event, enc_hook=vars)
    return line, hashlib.sha256(line).hexdigest()


def machines(prepared: list[Slice]) -> Mapping[str, Work]:
    """Return the works; an operation is one transition of a dispute."""
    reused, shared, new_automat = BareChart(), _transitions(None), _automat()
    chart = rule_version(DEFAULT_VERSION).chart

    def transition_of_new(_it: Decision) -> None:
        BareChart().send(TRIGGER)

    def transition_of_reused(_it: Decision) -> None:
        reused.current_state_value = INITIAL
        reused.send(TRIGGER)

    def transition_of_ours(it: Decision) -> None:
        chart().send(TRIGGER, case=case_of(it.dispute, it.command, it.facts, it.now))

    def transition_of_machine(_it: Decision) -> None:
        model = _Model()
        _transitions(model)
        model.choose_option()

    def transition_of_model(_it: Decision) -> None:
        model = _Model()
        shared.add_model(model)
        model.choose_option()
        shared.remove_model(model)

    def transition_of_automat(_it: Decision) -> None:
        new_automat(object()).choose_option()

    works = {
        OUR_CHART: transition_of_ours,
        STATEMACHINE_NEW: transition_of_new,
        STATEMACHINE_REUSED: transition_of_reused,
        TRANSITIONS_NEW: transition_of_machine,
        TRANSITIONS_SHARED: transition_of_model,
        AUTOMAT: transition_of_automat,
        BY_HAND: by_hand,
        BY_HAND_RECORDED: by_hand_recorded,
    }
    return {
        name: each(prepared, lambda part: part.choices, do, times=4) for name, do in works.items()
    }
