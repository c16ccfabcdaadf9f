"""Engine = table = oracle: one walk over every state, event, answer and guard result.

The chart is a python-statemachine class, so the library's own engine can run it. The package runs
the table that is compiled from it. The oracle defines the same rules a second time, and shares
nothing with either. Here every leaf gets every event, with every combination of the guards that
matter in the table or in the oracle. The three have to agree on the transition, its target, the
outcome and the type of the event, or on the codes of the refusal.

No guard is evaluated: each case has the results of all guards, so a case takes microseconds and
needs no order, voucher or clock. Other tests check the guards.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statemachine import StateChart
from statemachine.exceptions import TransitionNotAllowed

from dispute_fsm.decider.decide import decide, open_dispute
from dispute_fsm.decider.decisions import Accepted, Refused
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import Stamp
from dispute_fsm.domain.commands import (
    Actor,
    ChooseOption,
    ConfirmAgreement,
    DenyAgreement,
    OpenDispute,
)
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Option,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.events import DisputeOpened
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.machine import compiler
from dispute_fsm.machine.chart import Vocabulary
from dispute_fsm.machine.compiler import compile_chart
from dispute_fsm.machine.transition_table import TransitionTable
from dispute_fsm.rules import common, v2023_03
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.rules.version import VOCABULARY
from tests import oracle_2023_03 as oracle
from tests.oracle_2023_03 import Fires, Refuses, Seen, Unchanged
from tests.sampling import examples, few
from tests.support import WHOSE
from tests.walk import (
    DIMENSIONS,
    NEEDS,
    TIMING,
    Comparison,
    OracleAlone,
    Situation,
    Subject,
    Tally,
    compare,
    copy_with,
    fired_transition,
    first_difference,
    mutants,
    plain,
    reachable_configurations,
    relevant,
    required_guards,
    situations,
    walk,
    walk_all,
)

# It covers everything, also what no example tests.
pytestmark = pytest.mark.no_cover

OPTIONS, TABLE = VERSIONS["2023-03"].options, VERSIONS["2023-03"].table
# The states whose running deadline may have passed; elsewhere nothing runs, so every event is in
# time.
RUNNING: Mapping[str, Deadline] = MappingProxyType(
    {
        "opened": Deadline.RESPONSE,
        "awaiting_confirmation": Deadline.CONFIRMATION,
        "awaiting_shipment": Deadline.PROMISE,
        "awaiting_evidence": Deadline.EVIDENCE,
    }
)

# ---- one situation -------------------------------------------------------------------------------


class Subject202303(Subject):
    """The version as its oracle defines it."""

    rules = "2023-03"
    dimensions = (
        "option",
        "confirmation",
        "denial",
        "silence",
        "evidence",
        "fulfilment",
        "extended",
    )

    def options_in(self, configuration: str) -> frozenset[Option | None]:
        return options_in(configuration)

    def on_time(self, situation: Situation) -> bool:
        return situation.timing["in_time"] or situation.configuration in RUNNING

    def expected(self, situation: Situation) -> Fires | Refuses | Unchanged:
        return oracle.expected(situation.configuration, situation.event.value, seen(situation))

    def required(self, situation: Situation) -> frozenset[str]:
        return oracle.requirements(situation.configuration, situation.event.value, seen(situation))


def seen(situation: Situation) -> Seen:
    extends, timing, event = situation.answers["extended"], situation.timing, situation.event
    return Seen(
        option=None if situation.option is None else situation.option.value,
        confirmation=situation.answers["confirmation"],
        denial=situation.answers["denial"],
        silence=situation.answers["silence"],
        evidence=situation.answers["evidence"],
        fulfilment=situation.answers["fulfilment"],
        extends=None if extends == "none" else extends,
        actor_fits=situation.fits,
        in_time=timing["in_time"],
        window_open=timing["window_open"],
        expired=event.expires is not None and timing[f"{event.expires.value}_has_passed"],
        unmet=frozenset(code.value for code in situation.failing.values()),
    )


SUBJECT = Subject202303()
EVENTS = SUBJECT.events


@cache
def options_in(leaf: str) -> frozenset[Option | None]:
    return frozenset(
        option
        for configuration, option in reachable_configurations(SUBJECT, "opened")
        if configuration == leaf
    )


@cache
def the_comparison() -> Comparison:
    return comparison_of(TABLE)


def comparison_of(table: TransitionTable) -> Comparison:
    """Compare a table, normally that of the chart, with engine and oracle."""
    return Comparison(SUBJECT, v2023_03.Rules202303, table)


# ---- the walk ------------------------------------------------------------------------------------


LEAST = {"opened": 2 * 2 * 5 * 2 * 2**9 * 3}
"""The combinations where the merchant chooses: a walk that has shrunk would have fewer.

Actor, timing, five options, confirmation, nine requirements, and one that can fail in two ways.
"""


@pytest.mark.parametrize("leaf", ["opened", *few(oracle.LEAVES[1:], 3)])
def test_engine_table_and_oracle_agree_in(
    leaf: str, whole: bool, count: Callable[[str, int], None]
) -> None:
    tally = walk_all(the_comparison(), leaf, whole=whole)
    assert tally.cases >= (LEAST.get(leaf, 30) if whole else 30)
    for what, number in tally.counted("2023-03"):
        count(what, number)


def test_every_requirement_is_used_by_a_transition_of_a_version() -> None:
    used = (required_guards(version.table) for version in VERSIONS.values())
    assert set().union(*used) == set(NEEDS)


# ---- assumptions of the walk ---------------------------------------------------------------------


def test_oracle_and_vocabulary_name_the_same_states_events_and_codes() -> None:
    assert {event.value for event in EVENTS} == set(oracle.EVENTS)
    assert set(WHOSE) == set(CommandType)
    assert {configuration.state.value for configuration in TABLE.configurations.values()} == set(
        oracle.LEAVES
    )
    assert set(oracle.LEAVES) <= {state.value for state in StateName}
    codes = Counter(code for guard in SUBJECT.needs.values() for code in guard.codes)
    assert set(codes) == oracle.ALL_REQUIREMENTS
    assert set(codes.values()) == {1}, (
        "a code belongs to one guard, so that the oracle can get a guard's result as a code"
    )


def test_the_states_with_a_running_deadline_are_those_of_the_rules() -> None:
    assert {
        configuration.state.value: configuration.running
        for configuration in TABLE.configurations.values()
        if any(configuration.running)
    } == {leaf: ((deadline,),) for leaf, deadline in RUNNING.items()}


def test_the_possible_options_in_each_state_are_those_of_the_rules() -> None:
    settled = {Option.CONSUMER_CANCELS, Option.ALREADY_SHIPPED, Option.OUT_OF_STOCK_REFUND}
    assert {leaf: options_in(leaf) for leaf in oracle.LEAVES} == {
        "opened": {None},
        "awaiting_confirmation": settled,
        "awaiting_shipment": {Option.SHIP_BY_AGREED_DATE},
        "denial_under_review": {
            Option.CONSUMER_CANCELS,
            Option.ALREADY_SHIPPED,
            Option.SHIP_BY_AGREED_DATE,
        },
        "awaiting_evidence": {Option.PROVE_NO_FAULT},
        "under_review": {Option.PROVE_NO_FAULT},
        "resolved": {None, *OPTIONS},
        "penalized": {None, *OPTIONS},
    }


def test_a_reused_engine_does_the_same_as_a_new_one() -> None:
    """The walk reuses one engine, which must not depend on earlier cases: here in random order."""
    cases = [
        case
        for leaf in oracle.LEAVES
        for event in EVENTS
        for case in _situations_that_fire_each_transition_and_one_that_does_not(leaf, event)
    ]
    random.Random(20230327).shuffle(cases)
    reused = the_comparison()
    for situation in cases:
        new = comparison_of(TABLE)
        new.machine = v2023_03.Rules202303(start_value=situation.configuration, listeners=[new])
        assert list(new.machine.configuration_values) == TABLE_PATH[situation.configuration].split(
            "."
        )
        assert new.machine.is_terminated is (situation.configuration == "resolved")
        new.taken.clear()
        case = reused.case(situation)
        with contextlib.suppress(TransitionNotAllowed):
            new.machine.send(situation.event.value, case=case)
        expected = new.taken[0].rule if new.taken else None, list(new.machine.configuration_values)
        assert (
            reused.engine(situation, case)[0],
            list(reused.machine.configuration_values),
        ) == expected
        assert reused.machine.is_terminated is new.machine.is_terminated
    assert len(cases) >= len(oracle.LEAVES) * len(EVENTS) + sum(
        map(len, TABLE.transitions.values())
    )


TABLE_PATH = {
    configuration.state.value: path for path, configuration in TABLE.configurations.items()
}


def _situations_that_fire_each_transition_and_one_that_does_not(
    leaf: str, event: CommandType
) -> list[Situation]:
    comparison = the_comparison()
    path = comparison.paths[leaf]
    found = dict[int, Situation]()
    queue = situations(comparison, leaf, event)
    while len(found) < len(TABLE.transitions.get((path, event), ())):
        situation = next(queue)
        transition = fired_transition(TABLE.evaluate(path, event, comparison.case(situation)))
        if transition is not None:
            found.setdefault(id(transition), situation)
    return [*found.values(), replace(plain(SUBJECT, leaf, event), role=None)]


# ---- irrelevant guards ---------------------------------------------------------------------------


@examples(200)
@given(
    leaf=st.sampled_from(oracle.LEAVES),
    event=st.sampled_from(EVENTS),
    answers=st.fixed_dictionaries(
        {name: st.sampled_from(SUBJECT.answers(name, "opened")) for name in DIMENSIONS}
    ),
    role=st.sampled_from([*Role, None]),
    timing=st.fixed_dictionaries({name: st.booleans() for name in TIMING}),
    failing=st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(guard.codes) for name, guard in SUBJECT.needs.items()}
    ),
)
def test_guards_of_no_transition_of_the_event_change_nothing(
    *,
    leaf: str,
    event: CommandType,
    answers: dict[str, str],
    role: Role | None,
    timing: dict[str, bool],
    failing: dict[str, RefusalCode],
) -> None:
    matters, base = relevant(the_comparison(), leaf, event), plain(SUBJECT, leaf, event)
    arbitrary = Situation(leaf, event, answers, role, timing, failing)
    reduced = Situation(
        leaf,
        event,
        {
            name: answers[name] if name in matters.dimensions else base.answers[name]
            for name in DIMENSIONS
        },
        role if role is WHOSE[event] else None,
        {name: timing[name] if name in matters.timing else base.timing[name] for name in TIMING},
        {name: code for name, code in failing.items() if name in matters.needs},
    )
    assert compare(the_comparison(), arbitrary) == compare(the_comparison(), reduced)


# ---- planted bugs --------------------------------------------------------------------------------


def comparison_of_copy(
    folder: Path, changes: Mapping[str, str], words: Vocabulary[Any, Any, Any, Any] = VOCABULARY
) -> Comparison:
    """Compare a copy of the chart with replacements in its text."""
    module = copy_with(v2023_03, folder, changes)
    return Comparison(
        SUBJECT, module.Rules202303, compile_chart(module.Rules202303, module.ENTRY, words)
    )


def test_the_walk_finds_nothing_in_an_exact_copy(tmp_path: Path) -> None:
    comparison, tally = comparison_of_copy(tmp_path, {}), Tally()
    for leaf, event in {(leaf, event) for leaf, event, _ in PLANTED.values()}:
        walk(comparison, leaf, event, tally)
    assert tally.fired


PLANTED: dict[str, tuple[str, CommandType, dict[str, str]]] = {
    "a wrong target": (
        "awaiting_confirmation",
        CommandType.DENY_AGREEMENT,
        {
            (
                "transition(at.confirmation, at.denial, consumer,"
            ): "transition(at.confirmation, at.shipment, consumer,"
        },
    ),
    "a wrong outcome": (
        "awaiting_shipment",
        CommandType.PROMISE_EXPIRED,
        {"Outcome.PROMISE_MISSED": "Outcome.OUT_OF_STOCK"},
    ),
    "the wrong actor": (
        "penalized",
        CommandType.ANNUL,
        {
            (
                "annul = transition(penalized, resolved, adjudicator,"
            ): "annul = transition(penalized, resolved, merchant,"
        },
    ),
    "a dropped requirement": (
        "under_review",
        CommandType.REQUEST_EVIDENCE,
        {
            (
                "transition(at.ruling, at.evidence, adjudicator, needs=[g.rounds_left],"
            ): "transition(at.ruling, at.evidence, adjudicator,"
        },
    ),
    "a requirement too many": (
        "opened",
        CommandType.WITHDRAW,
        {
            ("transition(opened, resolved, consumer, outcome"): (
                "transition(opened, resolved, consumer, needs=[g.not_confirmed], outcome"
            )
        },
    ),
    "a dropped window": (
        "awaiting_shipment",
        CommandType.CONFIRM_AGREEMENT,
        {"consumer, when=[asked], within=[g.window_open],": "consumer, when=[asked],"},
    ),
    "a dropped selector": (
        "awaiting_shipment",
        CommandType.CONFIRM_AGREEMENT,
        {"consumer, when=[asked], within=[g.window_open],": "consumer, within=[g.window_open],"},
    ),
    "a selector too many": (
        "awaiting_evidence",
        CommandType.SUBMIT_EVIDENCE,
        {
            (
                "transition(at.evidence, at.ruling, merchant,"
            ): "transition(at.evidence, at.ruling, merchant, when=[none_yet],"
        },
    ),
    "two answers swapped": (
        "awaiting_confirmation",
        CommandType.DENY_AGREEMENT,
        {"penalizes, reviewed = when": "reviewed, penalizes = when"},
    ),
    "a dropped transition": (
        "awaiting_shipment",
        CommandType.OBSERVE_ORDER,
        {
            """        | transition(at.shipment, resolved, system, when=[refunded],
                outcome=Outcome.SETTLED_BY_CANCELLATION, origin=REFUND)
    )""": "    )"
        },
    ),
    "a transition too many": (
        "denial_under_review",
        CommandType.ANNUL,
        {
            "annul = transition(": (
                "annul = transition(at.denial, at.denial, adjudicator, origin=RULING) | transition("
            )
        },
    ),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_the_walk_finds(bug: str, tmp_path: Path) -> None:
    leaf, event, changes = PLANTED[bug]
    # The additional transition needs an event type, else the compiler refuses it.
    annul = replace(VOCABULARY.commands[CommandType.ANNUL], records=EventType.AGREEMENT_DENIED)
    words = replace(VOCABULARY, commands={**VOCABULARY.commands, CommandType.ANNUL: annul})
    with pytest.raises(AssertionError, match=r"table: .*, oracle: "):
        walk(comparison_of_copy(tmp_path, changes, words), leaf, event, Tally())


def test_the_walk_finds_overlapping_transitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The compiler would refuse it.
    monkeypatch.setattr(compiler, "_check_alternatives", lambda _transitions, _words: None)
    overlapping = comparison_of_copy(
        tmp_path, {"system, when=[denies, out_of_stock],": "system, when=[out_of_stock],"}
    )
    with pytest.raises(AssertionError, match="two transitions could fire"):
        walk(overlapping, "awaiting_confirmation", CommandType.CONFIRMATION_EXPIRED, Tally())


# Mutants without an effect: without a running deadline nothing is late, and where every possible
# option has an outcome, the selector for these options changes nothing.
UNNOTICED = {
    *(
        (leaf, event, "not in_time")
        for (path, event) in TABLE.transitions
        if (leaf := TABLE.configurations[path].state.value) not in RUNNING
    ),
    ("awaiting_confirmation", CommandType.CONFIRM_AGREEMENT, f"not {common.settles.name}"),
    (
        "awaiting_confirmation",
        CommandType.CONFIRMATION_EXPIRED,
        f"transition 0: not {common.settles.name}",
    ),
}


def test_every_difference_between_table_and_oracle_is_found() -> None:
    differences = {
        mutant: first_difference(
            OracleAlone(SUBJECT, v2023_03.Rules202303, table), mutant[0], mutant[1]
        )
        for mutant, table in mutants(TABLE)
    }
    assert len(differences) > 300
    assert {mutant for mutant, difference in differences.items() if not difference} == UNNOTICED
    assert all(
        "two transitions could fire" in difference or "oracle: " in difference
        for difference in differences.values()
        if difference
    )


def test_every_difference_between_engine_and_table_is_found() -> None:
    for (leaf, event, what), table in mutants(TABLE):
        # The others change the rule, which alone makes it another rule.
        if what.endswith(("gone", "target")):
            with pytest.raises(
                AssertionError, match=r"engine and table disagree|the engine goes to"
            ):
                walk(comparison_of(table), leaf, event, Tally())


# ---- decisions without an engine -----------------------------------------------------------------

NOW = datetime(2023, 4, 3, 10, tzinfo=UTC)
MERCHANT, CONSUMER = Actor(role=Role.MERCHANT, id="m-1"), Actor(role=Role.CONSUMER, id="c-1")


def test_decisions_create_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    created = []
    real = StateChart.__init__

    def counted(self: StateChart[object], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- what the library accepts
        created.append(type(self))
        real(self, *args, **kwargs)

    monkeypatch.setattr(StateChart, "__init__", counted)
    facts = OrderFacts(order_id="o-1", asked="orders", observed_at=NOW, revision="1")
    opening = OpenDispute(
        dispute_id="d-1",
        order_id="o-1",
        merchant_id="m-1",
        consumer_id="c-1",
        by=CONSUMER,
    )
    opened = open_dispute(None, opening, facts, NOW, stamp=_stamp(1))
    assert isinstance(opened, Accepted)
    assert isinstance(opened.event, DisputeOpened)
    dispute = begin(opened.event, DEFAULT_POLICY)
    commands = [
        ChooseOption(by=MERCHANT, option=Option.ALREADY_SHIPPED),
        ChooseOption(by=MERCHANT, option=Option.OUT_OF_STOCK_REFUND),
        ChooseOption(by=MERCHANT, option=Option.PROVE_NO_FAULT),
        DenyAgreement(by=MERCHANT),
        ConfirmAgreement(by=CONSUMER),
    ]
    types = []
    for number, command in enumerate(commands, start=2):
        decision = decide(dispute, command, facts, NOW, stamp=_stamp(number))
        assert isinstance(decision, Accepted | Refused)
        assert decision.event is not None
        types.append(type(decision))
        dispute = evolve(dispute, decision.event)
    assert types == [Refused, Accepted, Refused, Refused, Accepted]
    assert created == []

    v2023_03.Rules202303()  # the counter counts
    assert created == [v2023_03.Rules202303]


def _stamp(number: int) -> Stamp:
    return Stamp(
        event_id=f"e-{number}", recorded_at=NOW + timedelta(seconds=number), seed=bytes(32)
    )
