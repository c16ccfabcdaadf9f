"""Engine = table = oracle: one walk over every state, event, answer and guard outcome, judged three times.

The chart is a python-statemachine class, so the library's own engine can run it. The package runs
the table that is compiled from it. The oracle states the same rules once more and shares nothing
with either. Here every leaf meets every event under every combination of what its rows, or the
oracle's, ask about, and the three have to agree: on the edge that fires, on where it leads, how the
dispute ends and as what it is recorded, or on the codes of the refusal.

Nothing is really looked at: each case carries the answers of all guards beforehand, so a case costs
microseconds and no order, voucher or clock has to be made up for it. That the guards look rightly
is for other tests to show.
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
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.rules.version import VOCABULARY
from tests import oracle_2023_03 as oracle
from tests.oracle_2023_03 import Fires, Refuses, Seen, Unchanged
from tests.sampling import examples
from tests.support import COMMANDS as EVENTS
from tests.support import WHOSE
from tests.walk import (
    DIMENSIONS,
    NEEDS,
    TIMING,
    Judges,
    OracleAlone,
    Situation,
    Subject,
    Tally,
    complaint,
    explored,
    fired,
    judge,
    mutants,
    plain,
    planted,
    relevant,
    required,
    situations,
    walk,
    walked,
)

pytestmark = (
    pytest.mark.no_cover
)  # it goes everywhere: what it alone reaches is tested by no example

TABLE = rule_version("2023-03").table
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
    """The version, as its oracle tells it."""

    dimensions = (
        "option",
        "confirmation",
        "denial",
        "silence",
        "evidence",
        "fulfilment",
        "extended",
    )

    def options_in(self, place: str) -> frozenset[Option | None]:
        return options_in(place)

    def on_time(self, situation: Situation) -> bool:
        return situation.timing["in_time"] or situation.place in RUNNING

    def expected(self, situation: Situation) -> Fires | Refuses | Unchanged:
        return oracle.expected(situation.place, situation.event.value, seen(situation))

    def required(self, situation: Situation) -> frozenset[str]:
        return oracle.requirements(situation.place, situation.event.value, seen(situation))


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


@cache
def options_in(leaf: str) -> frozenset[Option | None]:
    return frozenset(option for place, option in explored(SUBJECT, "opened") if place == leaf)


@cache
def the_judges() -> Judges:
    return judges_of(TABLE)


def judges_of(table: TransitionTable) -> Judges:
    """Let the engine and the oracle judge a table, normally that of the chart."""
    return Judges(SUBJECT, v2023_03.Rules202303, table)


# ---- the walk ------------------------------------------------------------------------------------


LEAST = {"opened": 2 * 2 * 5 * 2 * 2**9 * 3}
"""All that can vary where the merchant chooses: actor, timing, five options, confirmation, and ten requirements, one of which can fail
in two ways. Somewhat less than that is what a walk that has shrunk without anybody noticing would
have."""


@pytest.mark.parametrize("leaf", oracle.LEAVES)
def test_engine_table_and_oracle_agree_in(
    leaf: str, whole: bool, count: Callable[[str, int], None]
) -> None:
    tally = walked(the_judges(), leaf, whole=whole)
    assert tally.cases >= (LEAST.get(leaf, 30) if whole else 30)
    for what, number in tally.counted("2023-03"):
        count(what, number)


def test_every_requirement_is_one_of_some_row() -> None:
    assert required(TABLE) == set(NEEDS)


# ---- what the walk rests on ----------------------------------------------------------------------


def test_oracle_and_vocabulary_name_the_same_states_events_and_codes() -> None:
    assert {event.value for event in EVENTS} == set(oracle.EVENTS)
    assert set(WHOSE) == {*EVENTS, CommandType.OPEN_DISPUTE}
    assert {place.state.value for place in TABLE.configurations.values()} == set(oracle.LEAVES)
    assert set(oracle.LEAVES) <= {state.value for state in StateName}
    codes = Counter(code for guard in NEEDS.values() for code in guard.codes)
    assert set(codes.values()) == {1}, (
        "a code belongs to one guard, so that a guard's outcome can be told to the oracle as a code"
    )


def test_the_states_with_a_running_deadline_are_those_of_the_rules() -> None:
    assert {
        place.state.value: place.running
        for place in TABLE.configurations.values()
        if any(place.running)
    } == {leaf: ((deadline,),) for leaf, deadline in RUNNING.items()}


def test_the_options_with_which_a_dispute_is_in_a_state_are_as_the_rules_say() -> None:
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
        "resolved": {None, *Option},
        "penalized": {None, *Option},
    }


def test_one_engine_put_from_leaf_to_leaf_does_what_a_new_one_does() -> None:
    """The walk uses one engine all along. What it did before must not show, so here the cases come in no order."""
    cases = [
        case
        for leaf in oracle.LEAVES
        for event in EVENTS
        for case in _one_that_fires_by_each_row_and_one_that_does_not(leaf, event)
    ]
    random.Random(20230327).shuffle(cases)
    reused = the_judges()
    for situation in cases:
        new = judges_of(TABLE)
        new.machine = v2023_03.Rules202303(start_value=situation.place, listeners=[new])
        assert list(new.machine.configuration_values) == TABLE_PATH[situation.place].split(".")
        assert new.machine.is_terminated is (situation.place == "resolved")
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


TABLE_PATH = {place.state.value: path for path, place in TABLE.configurations.items()}


def _one_that_fires_by_each_row_and_one_that_does_not(
    leaf: str, event: CommandType
) -> list[Situation]:
    judges = the_judges()
    path = judges.paths[leaf]
    found = dict[int, Situation]()
    ahead = situations(judges, leaf, event)
    while len(found) < len(TABLE.transitions.get((path, event), ())):
        situation = next(ahead)
        row = fired(TABLE.evaluate(path, event, judges.case(situation)))
        if row is not None:
            found.setdefault(id(row), situation)
    return [*found.values(), replace(plain(SUBJECT, leaf, event), role=None)]


# ---- what is irrelevant is irrelevant ------------------------------------------------------------


@examples(200)
@given(
    leaf=st.sampled_from(oracle.LEAVES),
    event=st.sampled_from(EVENTS),
    answers=st.fixed_dictionaries(
        {name: st.sampled_from(list(dimension.answers)) for name, dimension in DIMENSIONS.items()}
    ),
    role=st.sampled_from([*Role, None]),
    timing=st.fixed_dictionaries({name: st.booleans() for name in TIMING}),
    failing=st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(guard.codes) for name, guard in NEEDS.items()}
    ),
)
def test_what_no_row_of_the_event_asks_about_changes_nothing(
    *,
    leaf: str,
    event: CommandType,
    answers: dict[str, str],
    role: Role | None,
    timing: dict[str, bool],
    failing: dict[str, RefusalCode],
) -> None:
    matters, base = relevant(the_judges(), leaf, event), plain(SUBJECT, leaf, event)
    anyhow = Situation(leaf, event, answers, role, timing, failing)
    walked_like_this = Situation(
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
    assert judge(the_judges(), anyhow) == judge(the_judges(), walked_like_this)


# ---- the walk has teeth --------------------------------------------------------------------------


def a_copy(
    folder: Path, changes: Mapping[str, str], words: Vocabulary[Any, Any, Any, Any] = VOCABULARY
) -> Judges:
    """Make a copy of the chart in which some words are replaced by others."""
    module = planted(v2023_03, folder, changes)
    return Judges(
        SUBJECT, module.Rules202303, compile_chart(module.Rules202303, module.ENTRY, words)
    )


def test_the_walk_passes_over_a_faithful_copy(tmp_path: Path) -> None:
    judges, tally = a_copy(tmp_path, {}), Tally()
    for leaf, event in {(leaf, event) for leaf, event, _ in PLANTED.values()}:
        walk(judges, leaf, event, tally)
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
    "a dropped row": (
        "awaiting_shipment",
        CommandType.OBSERVE_ORDER,
        {
            """        | transition(at.shipment, resolved, system, when=[refunded],
                outcome=Outcome.SETTLED_BY_CANCELLATION, origin=REFUND)
    )""": "    )"
        },
    ),
    "a row too many": (
        "denial_under_review",
        CommandType.ANNUL,
        {
            "annul = transition(": (
                "annul = transition(at.denial, at.denial, adjudicator, origin=RULING) | transition("
            )
        },
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_the_walk_finds(fault: str, tmp_path: Path) -> None:
    leaf, event, changes = PLANTED[fault]
    # A row too many needs something that it would be recorded as, else the compiler refuses it
    # before anybody walks.
    annul = replace(VOCABULARY.commands[CommandType.ANNUL], records=EventType.AGREEMENT_DENIED)
    words = replace(VOCABULARY, commands={**VOCABULARY.commands, CommandType.ANNUL: annul})
    with pytest.raises(AssertionError, match=r"table: .*, oracle: "):
        walk(a_copy(tmp_path, changes, words), leaf, event, Tally())


def test_the_walk_finds_rows_that_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        compiler, "_check_alternatives", lambda _rows, _words: None
    )  # the compiler would have refused it
    overlapping = a_copy(
        tmp_path, {"system, when=[denies, out_of_stock],": "system, when=[out_of_stock],"}
    )
    with pytest.raises(AssertionError, match="two rows could fire"):
        walk(overlapping, "awaiting_confirmation", CommandType.CONFIRMATION_EXPIRED, Tally())


# What nobody can notice: nothing is late where nothing runs, and where every option that a dispute
# can be there with has its outcome, it makes no difference that the row names those options.
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
        f"row 0: not {common.settles.name}",
    ),
}


def test_every_difference_between_table_and_oracle_is_found() -> None:
    complaints = {
        made: complaint(OracleAlone(SUBJECT, v2023_03.Rules202303, table), made[0], made[1])
        for made, table in mutants(TABLE)
    }
    assert len(complaints) > 300
    assert {made for made, complaint in complaints.items() if not complaint} == UNNOTICED
    assert all(
        "two rows could fire" in complaint or "oracle: " in complaint
        for complaint in complaints.values()
        if complaint
    )


def test_every_difference_between_engine_and_table_is_found() -> None:
    for (leaf, event, what), table in mutants(TABLE):
        if what.endswith(
            ("gone", "target")
        ):  # the others change the rule, and by that alone it is another one
            with pytest.raises(
                AssertionError, match=r"engine and table disagree|the engine goes to"
            ):
                walk(judges_of(table), leaf, event, Tally())


# ---- the engine stays out of decisions -----------------------------------------------------------

NOW = datetime(2023, 4, 3, 10, tzinfo=UTC)
MERCHANT, CONSUMER = Actor(role=Role.MERCHANT, id="m-1"), Actor(role=Role.CONSUMER, id="c-1")


def test_no_engine_is_made_to_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = StateChart.__init__

    def counted(self: StateChart[object], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- whatever the library takes
        made.append(type(self))
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
    asked = [
        ChooseOption(by=MERCHANT, option=Option.ALREADY_SHIPPED),
        ChooseOption(by=MERCHANT, option=Option.OUT_OF_STOCK_REFUND),
        ChooseOption(by=MERCHANT, option=Option.PROVE_NO_FAULT),
        DenyAgreement(by=MERCHANT),
        ConfirmAgreement(by=CONSUMER),
    ]
    taken = []
    for number, each in enumerate(asked, start=2):
        decision = decide(dispute, each, facts, NOW, stamp=_stamp(number))
        assert isinstance(decision, Accepted | Refused)
        assert decision.event is not None
        taken.append(type(decision))
        dispute = evolve(dispute, decision.event)
    assert taken == [Refused, Accepted, Refused, Refused, Accepted]
    assert made == []

    v2023_03.Rules202303()  # the counter counts
    assert made == [v2023_03.Rules202303]


def _stamp(number: int) -> Stamp:
    return Stamp(
        event_id=f"e-{number}", recorded_at=NOW + timedelta(seconds=number), seed=bytes(32)
    )
