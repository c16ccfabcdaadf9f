"""The compiler of charts: what it refuses and says, and what the table is that it makes.

One small chart is sound. Each bad chart differs from it in the one thing that its test is about, so
that it is that thing that is refused. python-statemachine's own checks are switched off throughout:
it is our compiler that has to notice.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType, SimpleNamespace, new_class
from typing import Any, cast

import pytest
from statemachine import Event, HistoryState, State
from statemachine.transition_list import TransitionList

from dispute_fsm.domain.commands import DEFAULT_VERSION
from dispute_fsm.domain.enums import (
    LIABILITIES,
    CommandType,
    Deadline,
    EventType,
    Option,
    Outcome,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.policy import Bilingual
from dispute_fsm.errors import ChartError, InputError
from dispute_fsm.machine.chart import Chart, ChartTransition, Leaf, Vocabulary
from dispute_fsm.machine.compiler import compile_chart
from dispute_fsm.machine.guard import ActorGuard, Guard, GuardResult, when
from dispute_fsm.machine.transition_table import (
    InitialTransition,
    NoEffect,
    NotOffered,
    Transition,
    TransitionTable,
)
from dispute_fsm.rules import guards as g
from dispute_fsm.rules import registry
from dispute_fsm.rules.case import Case, assumed, requirement, stated
from dispute_fsm.rules.common import RESOLUTIONS, SETTLEMENT, transition
from dispute_fsm.rules.guards.actors import by
from dispute_fsm.rules.registry import VERSIONS, rule_version
from dispute_fsm.rules.v2023_03 import ENTRY, OPTIONS, Rules202303
from dispute_fsm.rules.version import VOCABULARY, Version

RESPONSE, CONFIRMATION, PROMISE, EVIDENCE = (
    Deadline.RESPONSE,
    Deadline.CONFIRMATION,
    Deadline.PROMISE,
    Deadline.EVIDENCE,
)
consumer, merchant, adjudicator, system = (by(role) for role in Role)
asked, not_asked = when(g.CONFIRMATION, "asked"), when(g.CONFIRMATION, "off")
kept, refunded, neither = (when(g.FULFILMENT, answer) for answer in ("kept", "refunded", "neither"))
contests, settles = when(g.OPTION, Option.PROVE_NO_FAULT), when(g.OPTION, *SETTLEMENT)
BECAUSE = stated("S-test", ("一", "测试"), "测试", "a test")
OTHERWISE = assumed("A-test", "另有来由", "from elsewhere", because=("测试", "a test"))
START = InitialTransition(by=consumer, needs=(g.order_exists,), starts=(RESPONSE,), origin=BECAUSE)

# ---- a small chart -------------------------------------------------------------------------------

Make = Callable[[Any], object]
"""Makes a member of a chart's class, given the members that were made before it."""


def a_compound(
    name: str,
    *,
    kind: Any = State.Compound,  # noqa: ANN401 -- the library has no common type of the two kinds
    words: Mapping[str, Any] = MappingProxyType({}),
    **inner: object,
) -> object:
    """Make a state around others; no type says that a class statement leaves a State behind."""
    return new_class(name, (kind,), dict(words), lambda members: members.update(inner))


def resolved() -> Leaf:
    return Leaf(
        StateName.RESOLVED,
        closed=True,
        outcomes=RESOLUTIONS,
        records=EventType.DISPUTE_RESOLVED,
        final=True,
    )


def penalized(name: StateName = StateName.PENALIZED, **members: Any) -> Leaf:  # noqa: ANN401 -- whatever Leaf takes
    records = EventType.DISPUTE_PENALIZED
    return Leaf(name, closed=True, outcomes=LIABILITIES, records=records, **members)


def an_edge(source: Any, target: Any, actor: ActorGuard, **words: Any) -> TransitionList:  # noqa: ANN401 -- whatever transition() takes
    return transition(source, target, actor, **{"origin": BECAUSE, **words})


def withdrawn(at: Any, actor: ActorGuard = consumer, **words: Any) -> TransitionList:  # noqa: ANN401 -- whatever transition() takes
    """Make the transition that most of the charts here add, with what the test asks for."""
    return an_edge(at.opened, at.resolved, actor, **{"outcome": Outcome.WITHDRAWN, **words})


def evidence(at: Any) -> State:  # noqa: ANN401 -- the members of a chart
    return cast("State", at.contesting.awaiting_evidence)


def review(at: Any) -> State:  # noqa: ANN401 -- the members of a chart
    return cast("State", at.contesting.under_review)


SOUND: Mapping[str, Make] = {
    "validate_disconnected_states": lambda _: False,
    "validate_trap_states": lambda _: False,
    "validate_final_reachability": lambda _: False,
    "opened": lambda _: Leaf(StateName.OPENED, deadlines=[RESPONSE], initial=True),
    "contesting": lambda _: a_compound(
        "contesting",
        awaiting_evidence=Leaf(StateName.AWAITING_EVIDENCE, deadlines=[EVIDENCE], initial=True),
        under_review=Leaf(StateName.UNDER_REVIEW),
    ),
    "resolved": lambda _: resolved(),
    "penalized": lambda _: penalized(),
    "choose_option": lambda at: an_edge(at.opened, at.contesting, merchant, starts=[EVIDENCE]),
    "response_expired": lambda at: an_edge(
        at.opened, at.penalized, system, expires=RESPONSE, outcome=Outcome.NO_RESPONSE
    ),
    "submit_evidence": lambda at: an_edge(evidence(at), review(at), merchant),
    "rule_no_fault": lambda at: an_edge(
        review(at), at.resolved, adjudicator, outcome=Outcome.NO_FAULT
    ),
    "annul": lambda at: an_edge(at.penalized, at.resolved, adjudicator, outcome=Outcome.ANNULLED),
}


def small(changes: Mapping[str, Make]) -> type[Chart]:
    """Make the small chart, with some members changed or added."""
    at = SimpleNamespace()
    for name, make in {**SOUND, **changes}.items():
        setattr(at, name, make(at))
    return cast(
        "type[Chart]",
        new_class("Small", (Chart,), exec_body=lambda members: members.update(vars(at))),
    )


def recorded_as(command: CommandType, event: EventType) -> Vocabulary[Any, Any, Any, Any]:
    """Return the vocabulary in which a command is recorded as another event."""
    changed = replace(VOCABULARY.commands[command], records=event)
    return replace(VOCABULARY, commands={**VOCABULARY.commands, command: changed})


def compiled(
    changes: Mapping[str, Make] = MappingProxyType({}), entry: InitialTransition = START
) -> TransitionTable:
    return compile_chart(small(changes), entry, VOCABULARY)


def the_row(table: TransitionTable, path: str, event: CommandType) -> Transition:
    (only,) = table.transitions[path, event]
    return only


def test_the_small_chart_itself_is_sound() -> None:
    table = compiled()
    assert {
        path: (place.state, place.closed, place.deadlines, place.running)
        for path, place in table.configurations.items()
    } == {
        "opened": (StateName.OPENED, False, (RESPONSE,), ((RESPONSE,),)),
        "contesting.awaiting_evidence": (StateName.AWAITING_EVIDENCE, False, (EVIDENCE,), ((),)),
        "contesting.under_review": (StateName.UNDER_REVIEW, False, (), ((),)),
        "resolved": (StateName.RESOLVED, True, (), ()),
        "penalized": (StateName.PENALIZED, True, (), ()),
    }
    assert all(path == place.path for path, place in table.configurations.items())
    assert (table.initial, table.entry) == ("opened", START)
    assert {
        (path, event.value, row.target, row.records.value)
        for (path, event), rows in table.transitions.items()
        for row in rows
    } == {
        ("opened", "choose_option", "contesting.awaiting_evidence", "option_chosen"),
        ("opened", "response_expired", "penalized", "dispute_penalized"),
        (
            "contesting.awaiting_evidence",
            "submit_evidence",
            "contesting.under_review",
            "evidence_submitted",
        ),
        ("contesting.under_review", "rule_no_fault", "resolved", "dispute_resolved"),
        ("penalized", "annul", "resolved", "penalty_annulled"),
    }
    assert {event.value: actor.name for event, actor in table.actors.items()} == {
        "choose_option": "by_merchant",
        "response_expired": "by_system",
        "submit_evidence": "by_merchant",
        "rule_no_fault": "by_adjudicator",
        "annul": "by_adjudicator",
    }


TWO_REGIONS: Mapping[str, Make] = MappingProxyType(
    {
        "contesting": lambda _: a_compound(
            "contesting",
            awaiting_evidence=Leaf(StateName.AWAITING_EVIDENCE, deadlines=[EVIDENCE], initial=True),
        ),
        "disputing": lambda _: a_compound(
            "disputing",
            kind=State.Parallel,
            settlement=a_compound(
                "settlement",
                proposing=Leaf(StateName.PROPOSING, initial=True),
                settlement_failed=Leaf(
                    StateName.SETTLEMENT_FAILED,
                    failures=LIABILITIES,
                    records=EventType.SETTLEMENT_FAILED,
                ),
            ),
            evidence=a_compound(
                "evidence", under_review=Leaf(StateName.UNDER_REVIEW, initial=True)
            ),
        ),
        "submit_evidence": lambda _: None,
        "rule_no_fault": lambda _: None,
        "request_evidence": lambda at: an_edge(evidence(at), at.disputing, adjudicator),
        "rule_at_fault": lambda at: an_edge(
            at.disputing, at.penalized, adjudicator, outcome=Outcome.AT_FAULT
        ),
        "deny_agreement": lambda at: an_edge(
            at.disputing.settlement.proposing,
            at.disputing.settlement.settlement_failed,
            consumer,
            liability=Outcome.BREACH_OF_PROMISE,
        ),
    }
)
"""The second half of the small chart as two regions; a deadline before them, none in them."""


def test_an_edge_to_a_parallel_state_enters_every_region() -> None:
    table = compiled(TWO_REGIONS)
    both = "disputing.settlement.proposing,disputing.evidence.under_review"
    assert (
        the_row(table, "contesting.awaiting_evidence", CommandType.REQUEST_EVIDENCE).target == both
    )
    assert table.configurations[both].states == (StateName.PROPOSING, StateName.UNDER_REVIEW)
    assert (table.configurations[both].state, table.configurations[both].running) == (
        StateName.DISPUTING,
        ((), ()),
    )
    failed = the_row(table, both, CommandType.DENY_AGREEMENT)
    assert (failed.target, failed.records) == (
        both.replace("proposing", "settlement_failed"),
        EventType.SETTLEMENT_FAILED,
    )
    assert table.configurations[failed.target].running == ((),)
    assert [row.target for row in table.transitions[failed.target, CommandType.RULE_AT_FAULT]] == [
        "penalized"
    ]


# ---- what it refuses -----------------------------------------------------------------------------


def effect() -> Callable[[object], None]:
    """Make a new callback each time: the library writes on the functions that it is given."""

    def effect(_self: object) -> None:
        """Do something beside deciding."""

    return effect


def tampered(at: Any, how: Callable[[ChartTransition], object]) -> TransitionList:  # noqa: ANN401 -- the members of a chart
    """Declare a transition as it should be and change it behind the declaration's back."""
    rows = withdrawn(at)
    how(cast("ChartTransition", rows[0]))
    return rows


def swapped(row: ChartTransition) -> None:
    """Put a guard's bare function where the last condition was."""
    row._specs.items.pop()  # noqa: SLF001 -- the only way to lose one
    row.cond.add(g.rounds_left.check, expected_value=True)


def _elsewhere() -> State:
    class Elsewhere(Chart):
        here = State(initial=True)
        there = State(final=True)
        withdraw = here.to(there)

    return Elsewhere.there


AS_LEAF = "declare a state without sub-states as Leaf"
AS_EDGE = (
    "declare it with transition(), so that it has an actor, a provenance and its guards as "
    "functions"
)
AS_NAMED = "name it after a command of the vocabulary (not the opening), without a delay"
A_CALLBACK = "is a callback, a validator or an inverted guard; a chart has none"
OTHER_GUARDS = "its conditions are not the guards that it was declared with"
WHOSE_DEADLINE = "an expiry, and only an expiry, names the deadline that it acts on"
OUTCOME_AT_THE_END = (
    "a transition has an outcome where it leads to a state that has one, and only there"
)
BY_OPTION = "an outcome for each answer goes with a selector of just these answers"

BAD: dict[str, tuple[dict[str, Make], str]] = {
    # Settings
    **{
        f"{name} {value}": (
            {name: lambda _, value=value: value},  # type: ignore[misc] # mypy has no type for a lambda with a default
            "settings: derive the chart from Chart and leave its settings as they are",
        )
        for name, value in {
            "allow_event_without_transition": True,
            "catch_errors_as_events": True,
            "atomic_configuration_update": False,
        }.items()
    },
    # States
    "a parallel state within another": (
        {
            "disputing": lambda _: a_compound(
                "disputing",
                kind=State.Parallel,
                settlement=a_compound(
                    "settlement", kind=State.Parallel, proposing=Leaf(StateName.PROPOSING)
                ),
            )
        },
        "settlement: a parallel state within another cannot be compiled",
    ),
    "a transition from one region into another": (
        {
            **TWO_REGIONS,
            "withdraw": lambda at: an_edge(
                at.disputing.settlement.proposing, at.disputing.evidence.under_review, consumer
            ),
        },
        (
            "proposing -> under_review: a transition into a region comes from within it; from "
            "elsewhere it leads to the parallel state"
        ),
    ),
    "a transition from outside into a region": (
        {
            **TWO_REGIONS,
            "withdraw": lambda at: an_edge(at.opened, at.disputing.settlement.proposing, consumer),
        },
        (
            "opened -> proposing: a transition into a region comes from within it; from elsewhere "
            "it leads to the parallel state"
        ),
    ),
    "a liability where no region fails": (
        {"withdraw": lambda at: withdrawn(at, liability=Outcome.AT_FAULT)},
        "opened on withdraw: a transition has a liability where it fails a region, and only there",
    ),
    "a region that fails for nothing": (
        {
            **TWO_REGIONS,
            "withdraw": lambda at: an_edge(
                at.disputing.settlement.proposing,
                at.disputing.settlement.settlement_failed,
                consumer,
            ),
        },
        (
            "disputing.settlement.proposing,disputing.evidence.under_review on withdraw: "
            "a transition has a liability where it fails a region, and only there"
        ),
    ),
    "a region that fails for what is no liability": (
        {
            **TWO_REGIONS,
            "withdraw": lambda at: an_edge(
                at.disputing.settlement.proposing,
                at.disputing.settlement.settlement_failed,
                consumer,
                liability=Outcome.NO_FAULT,
            ),
        },
        (
            "disputing.settlement.proposing,disputing.evidence.under_review on withdraw: "
            "no_fault is none of the failures of settlement_failed"
        ),
    ),
    "a history state": (
        {
            "settling": lambda _: a_compound(
                "settling", opened=Leaf(StateName.OPENED), before=HistoryState()
            )
        },
        "settling: history states cannot be compiled",
    ),
    "a plain state": (
        {"settling": lambda _: State()},
        f"settling: {AS_LEAF}, under a name of the vocabulary",
    ),
    "a state by no name of ours": (
        {"limbo": lambda _: Leaf(StateName.OPENED)},
        f"limbo: {AS_LEAF}, under a name of the vocabulary",
    ),
    "a plain state of another chart": (
        {"withdraw": lambda at: an_edge(at.opened, _elsewhere(), consumer)},
        f"there: {AS_LEAF}",
    ),
    "a state that no transition leads to": (
        {"settling": lambda _: Leaf(StateName.SETTLING)},
        "settling: no transition leads here",
    ),
    "states that lead only to one another": (
        {
            "awaiting_shipment": lambda _: Leaf(StateName.AWAITING_SHIPMENT),
            "awaiting_confirmation": lambda _: Leaf(StateName.AWAITING_CONFIRMATION),
            "deny_agreement": lambda at: (
                an_edge(at.awaiting_shipment, at.awaiting_confirmation, consumer)
                | an_edge(at.awaiting_confirmation, at.awaiting_shipment, consumer)
            ),
        },
        "awaiting_confirmation: no transition leads here",
    ),
    "a compound that is entered only past its first leaf": (
        {"choose_option": lambda at: an_edge(at.opened, review(at), merchant)},
        "contesting.awaiting_evidence: no transition leads here",
    ),
    # Callbacks of states
    "a method for entering a state": (
        {"on_enter_opened": lambda _: effect()},
        "opened: on_enter_opened is a callback; a chart has none",
    ),
    "a method for leaving any state": (
        {"on_exit_state": lambda _: effect()},
        "opened: on_exit_state is a callback; a chart has none",
    ),
    "a method in a compound's body": (
        {
            "settling": lambda _: a_compound(
                "settling", opened=Leaf(StateName.OPENED), on_enter_settling=effect()
            )
        },
        "settling: on_enter_settling is a callback; a chart has none",
    ),
    "a function for entering a leaf": (
        {"mark": lambda at: bool(at.opened.enter(effect()))},
        f"opened: effect {A_CALLBACK}",
    ),
    **{
        f"a function to {what} a compound": (
            {
                "settling": lambda _, what=what: a_compound(  # type: ignore[misc] # as above
                    "settling", words={what: effect()}, opened=Leaf(StateName.OPENED)
                )
            },
            f"settling: effect {A_CALLBACK}",
        )
        for what in ("enter", "exit", "invoke")
    },
    # Callbacks of transitions
    "a method for an event": (
        {"withdraw": withdrawn, "on_withdraw": lambda _: effect()},
        "opened -> resolved: on_withdraw is a callback; a chart has none",
    ),
    "a method for any transition": (
        {"before_transition": lambda _: effect()},
        "opened -> contesting: before_transition is a callback; a chart has none",
    ),
    **{
        f"a function of the sort {group!r}": (
            {
                "withdraw": lambda at, group=group: tampered(  # type: ignore[misc] # as above
                    at, lambda row: getattr(row, group).add(effect())
                )
            },
            f"opened -> resolved: effect {A_CALLBACK}",
        )
        for group in ("validators", "before", "on", "after")
    },
    "an inverted guard": (
        {
            "withdraw": lambda at: tampered(
                at, lambda row: row.cond.add(g.rounds_left.check, expected_value=False)
            )
        },
        f"opened -> resolved: check {A_CALLBACK}",
    ),
    "a guard in another place": (
        {
            "withdraw": lambda at: tampered(
                at, lambda row: row.before.add(g.rounds_left.check, expected_value=True)
            )
        },
        f"opened -> resolved: check {A_CALLBACK}",
    ),
    "an inverted guard by the library's own word": (
        {"withdraw": withdrawn, "mark": lambda at: bool(at.withdraw.unless(effect()))},
        f"opened -> resolved: effect {A_CALLBACK}",
    ),
    # Guards
    "a guard that was not declared": (
        {
            "withdraw": lambda at: tampered(
                at, lambda row: row.cond.add(g.rounds_left.check, expected_value=True)
            )
        },
        f"opened -> resolved: {OTHER_GUARDS}",
    ),
    "a guard by name": (
        {
            "withdraw": lambda at: tampered(
                at, lambda row: row.cond.add("allowed", expected_value=True)
            ),
            "allowed": lambda _: True,
        },
        f"opened -> resolved: {OTHER_GUARDS}",
    ),
    "a guard that went missing": (
        {"withdraw": lambda at: tampered(at, lambda row: row._specs.items.pop())},  # noqa: SLF001 -- the only way to lose one
        f"opened -> resolved: {OTHER_GUARDS}",
    ),
    "a function in a guard's place": (
        {"withdraw": lambda at: tampered(at, swapped)},
        f"opened -> resolved: {OTHER_GUARDS}",
    ),
    "a rule that was changed": (
        {
            "withdraw": lambda at: tampered(
                at, lambda row: setattr(row, "rule", replace(row.rule, needs=(g.rounds_left,)))
            )
        },
        f"opened -> resolved: {OTHER_GUARDS}",
    ),
    "the same guard twice": (
        {"withdraw": lambda at: withdrawn(at, needs=[g.rounds_left, g.rounds_left])},
        f"opened -> resolved: {OTHER_GUARDS}",
    ),
    # Edges and events
    "a transition by the library's own words": (
        {"withdraw": lambda at: at.opened.to(at.resolved)},
        f"opened -> resolved: {AS_EDGE}",
    ),
    "a transition from every state": (
        {"withdraw": lambda at: at.resolved.from_.any()},
        f"opened -> resolved: {AS_EDGE}",
    ),
    "a transition without an event": (
        {"unnamed": lambda at: bool(withdrawn(at))},
        "opened -> resolved: a transition without an event cannot be compiled",
    ),
    "a transition without a target": (
        {"withdraw": lambda at: an_edge(at.opened, None, consumer)},
        "opened -> None: a transition has one target",
    ),
    "a delayed event": (
        {"withdraw": lambda at: Event(cast("Any", withdrawn(at)), delay=1)},
        f"opened on withdraw: {AS_NAMED}",
    ),
    "an event by no name of ours": ({"give_up": withdrawn}, f"opened on give_up: {AS_NAMED}"),
    "the opening as an event": ({"open_dispute": withdrawn}, f"opened on open_dispute: {AS_NAMED}"),
    "an event with nothing to be recorded as": (
        {"withdraw": lambda at: an_edge(at.opened, review(at), consumer)},
        (
            "opened on withdraw: neither the command nor the state that it enters says as what "
            "it is recorded"
        ),
    ),
    # Deadlines
    "an expiry of no deadline": (
        {
            "response_expired": lambda at: an_edge(
                at.opened, at.penalized, system, outcome=Outcome.NO_RESPONSE
            )
        },
        f"opened on response_expired: {WHOSE_DEADLINE}",
    ),
    "an expiry of another deadline": (
        {
            "response_expired": lambda at: an_edge(
                at.opened, at.penalized, system, expires=EVIDENCE, outcome=Outcome.NO_RESPONSE
            )
        },
        f"opened on response_expired: {WHOSE_DEADLINE}",
    ),
    "a deadline that no expiry acts on": (
        {"withdraw": lambda at: withdrawn(at, expires=RESPONSE)},
        f"opened on withdraw: {WHOSE_DEADLINE}",
    ),
    "an expiry of a deadline that does not stand": (
        {
            "evidence_expired": lambda at: an_edge(
                review(at), at.penalized, system, expires=EVIDENCE, outcome=Outcome.EVIDENCE_OVERDUE
            )
        },
        "contesting.under_review: a deadline that expires here has to run here",
    ),
    "a start of a deadline that does not stand": (
        {
            "choose_option": lambda at: an_edge(
                at.opened, at.contesting, merchant, starts=[EVIDENCE, PROMISE]
            )
        },
        "opened on choose_option: it starts a deadline that does not run in awaiting_evidence",
    ),
    "a deadline of a closed state that no expiry acts on": (
        {"penalized": lambda _: penalized(deadlines=[EVIDENCE])},
        "penalized: a deadline that runs in a closed state has to expire there",
    ),
    # Outcomes
    "a closed state without outcomes": (
        {"penalized": lambda _: Leaf(StateName.PENALIZED, closed=True)},
        "penalized: say which outcomes a closed state may have",
    ),
    "an outcome while the dispute goes on": (
        {
            "choose_option": lambda at: an_edge(
                at.opened, at.contesting, merchant, outcome=Outcome.NO_FAULT
            )
        },
        f"opened on choose_option: {OUTCOME_AT_THE_END}",
    ),
    "an end without an outcome": (
        {"withdraw": lambda at: withdrawn(at, outcome=None)},
        f"opened on withdraw: {OUTCOME_AT_THE_END}",
    ),
    "an end with an outcome for none of the options": (
        {"withdraw": lambda at: withdrawn(at, outcome={})},
        f"opened on withdraw: {OUTCOME_AT_THE_END}",
    ),
    "a liability in a resolved dispute": (
        {"withdraw": lambda at: withdrawn(at, outcome=Outcome.AT_FAULT)},
        "opened on withdraw: at_fault is none of the outcomes of resolved",
    ),
    "a penalized dispute without a liability": (
        {
            "rule_at_fault": lambda at: an_edge(
                review(at), at.penalized, adjudicator, outcome=Outcome.NO_FAULT
            )
        },
        "contesting.under_review on rule_at_fault: no_fault is none of the outcomes of penalized",
    ),
    "a liability for one of the options": (
        {
            "withdraw": lambda at: withdrawn(
                at,
                when=[settles],
                outcome={**SETTLEMENT, Option.OUT_OF_STOCK_REFUND: Outcome.OUT_OF_STOCK},
            )
        },
        "opened on withdraw: out_of_stock is none of the outcomes of resolved",
    ),
    "outcomes by option without a selector": (
        {"withdraw": lambda at: withdrawn(at, when=[asked], outcome=SETTLEMENT)},
        f"opened on withdraw: {BY_OPTION}",
    ),
    "outcomes by option with a selector of others": (
        {
            "withdraw": lambda at: withdrawn(
                at, when=[when(g.OPTION, *SETTLEMENT, "none")], outcome=SETTLEMENT
            )
        },
        f"opened on withdraw: {BY_OPTION}",
    ),
    # Rows beside one another
    "an event for two sorts of actors": (
        {
            "withdraw": lambda at: (
                withdrawn(at)
                | an_edge(evidence(at), at.resolved, system, outcome=Outcome.WITHDRAWN)
            )
        },
        (
            "contesting.awaiting_evidence on withdraw: the same command is for the same actors "
            "everywhere"
        ),
    ),
    "two rows alike": (
        {"withdraw": lambda at: withdrawn(at) | withdrawn(at)},
        "opened on withdraw: the rows to resolved and resolved overlap",
    ),
    "rows that share an answer": (
        {
            "withdraw": lambda at: (
                withdrawn(at, when=[asked, when(g.OPTION, "none", Option.PROVE_NO_FAULT)])
                | withdrawn(at, when=[asked, contests])
            )
        },
        "opened on withdraw: the rows to resolved and resolved overlap",
    ),
    "rows that ask different questions": (
        {"withdraw": lambda at: withdrawn(at, when=[asked]) | withdrawn(at, when=[contests])},
        "opened on withdraw: the rows to resolved and resolved overlap",
    ),
    "the first and the third of three rows": (
        {
            "withdraw": lambda at: (
                withdrawn(at, when=[asked])
                | withdrawn(at, when=[not_asked])
                | withdrawn(at, when=[asked])
            )
        },
        "opened on withdraw: the rows to resolved and resolved overlap",
    ),
    "a row of a leaf and one of the state around it": (
        {
            "withdraw": lambda at: (
                an_edge(review(at), at.resolved, consumer, outcome=Outcome.WITHDRAWN)
                | an_edge(at.contesting, at.resolved, consumer, outcome=Outcome.WITHDRAWN)
            )
        },
        "contesting.under_review on withdraw: the rows to resolved and resolved overlap",
    ),
    "a row that asks the same question twice": (
        {"withdraw": lambda at: withdrawn(at, when=[asked, not_asked])},
        "opened on withdraw: a row asks the same question twice",
    ),
    "one row with a window and one without": (
        {
            "withdraw": lambda at: (
                withdrawn(at, when=[kept]) | withdrawn(at, when=[refunded], within=[g.window_open])
            )
        },
        "opened on withdraw: rows that only facts tell apart are in time or late together",
    ),
    "an answer by the facts without a row": (
        {"withdraw": lambda at: withdrawn(at, when=[kept]) | withdrawn(at, when=[refunded])},
        "opened on withdraw: no row applies for some answers to fulfilment",
    ),
}


@pytest.mark.parametrize("accepts", [(), ("maybe",), ("asked", "maybe")])
def test_a_selector_takes_only_answers_that_its_dimension_has(accepts: tuple[str, ...]) -> None:
    with pytest.raises(
        ValueError, match=r"^confirmation is one of asked, off, not (nothing|maybe|asked, maybe)$"
    ):
        when(g.CONFIRMATION, *accepts)


def _leaf_of_another_chart() -> State:
    class Elsewhere(Chart):
        opened = Leaf(StateName.OPENED, initial=True)
        under_review = Leaf(StateName.UNDER_REVIEW, final=True)
        withdraw = transition(opened, under_review, consumer, origin=BECAUSE)

    return Elsewhere.under_review


def _namesake() -> Guard:
    @requirement("同名", "of the same name", BECAUSE, RefusalCode.NO_ROUNDS_LEFT)
    def rounds_left(_case: Case) -> GuardResult:
        raise NotImplementedError

    return rounds_left


# What the engine takes without a word, and the table could not hold.
SUBTLE: dict[str, tuple[dict[str, Make], str]] = {
    "a method that runs before every guard": (
        {"prepare_event": lambda _: effect()},
        "chart: prepare_event is a callback; a chart has none",
    ),
    "a listener": (
        {"listeners": lambda _: [SimpleNamespace(on_enter_opened=effect())]},
        "chart: a chart has no listeners",
    ),
    "a leaf of another chart": (
        {"deny_agreement": lambda at: an_edge(at.opened, _leaf_of_another_chart(), consumer)},
        "under_review: a transition leads here, but it is no state of this chart",
    ),
    "two targets": (
        {
            "withdraw": lambda at: an_edge(
                at.opened, [at.resolved, at.penalized], consumer, outcome=Outcome.WITHDRAWN
            )
        },
        "opened -> resolved: a transition has one target",
    ),
    # Every answer about the order has a row, but not under every policy: with `off` and `kept` the
    # event would be called unchanged, which is for `observe_order` only.
    "an answer by the facts without a row under one policy": (
        {
            "withdraw": lambda at: (
                withdrawn(at, when=[asked, when(g.FULFILMENT, "kept", "refunded")])
                | withdrawn(at, when=[not_asked, neither])
            )
        },
        "opened on withdraw: no row applies for some answers to fulfilment",
    ),
    # The engine knows a state by its name, the table by its path.
    "two leaves of one name": (
        {
            "settling": lambda _: a_compound("settling", opened=Leaf(StateName.OPENED)),
            "deny_agreement": lambda at: an_edge(at.opened, at.settling, consumer),
        },
        "opened: two states have this name",
    ),
    # A case remembers each guard's answer by the guard's name.
    "two guards of one name": (
        {"withdraw": lambda at: withdrawn(at, needs=[g.rounds_left, _namesake()])},
        "rounds_left: two guards have this name",
    ),
}


@pytest.mark.parametrize("fault", BAD | SUBTLE)
def test_a_chart_is_refused_for(fault: str) -> None:
    changes, said = (BAD | SUBTLE)[fault]
    with pytest.raises(ChartError) as refused:
        compiled(changes)
    assert str(refused.value) == f"Small: {said}"
    assert refused.value.__cause__ is None, (
        "one error that names the chart, not two of which one does"
    )


# ---- the table -----------------------------------------------------------------------------------


def test_an_edge_of_a_compound_is_a_row_of_each_of_its_leaves() -> None:
    table = compiled(
        {
            "withdraw": lambda at: an_edge(
                at.contesting, at.resolved, consumer, outcome=Outcome.WITHDRAWN
            )
        }
    )
    leaves = [path for path, event in table.transitions if event is CommandType.WITHDRAW]
    assert leaves == ["contesting.awaiting_evidence", "contesting.under_review"]
    one, other = (the_row(table, path, CommandType.WITHDRAW) for path in leaves)
    assert one.rule is other.rule


def test_an_edge_between_leaves_may_lead_out_of_a_compound_or_stay() -> None:
    table = compiled(
        {
            "extend_deadline": lambda at: an_edge(
                evidence(at), evidence(at), adjudicator, starts=[EVIDENCE]
            )
        }
    )
    stays = the_row(table, "contesting.awaiting_evidence", CommandType.EXTEND_DEADLINE)
    assert (stays.source, stays.target, stays.records.value) == (
        stays.target,
        "contesting.awaiting_evidence",
        "deadline_extended",
    )


def test_a_dispute_begins_in_the_first_leaf_of_a_compound() -> None:
    table = compiled(
        {
            "opened": lambda _: Leaf(StateName.OPENED, deadlines=[RESPONSE]),
            "settling": lambda _: a_compound(
                "settling",
                words={"initial": True},
                awaiting_confirmation=Leaf(StateName.AWAITING_CONFIRMATION),
                awaiting_shipment=Leaf(StateName.AWAITING_SHIPMENT, initial=True),
            ),
            "deny_agreement": lambda at: (
                an_edge(at.settling.awaiting_shipment, at.settling.awaiting_confirmation, consumer)
                | an_edge(at.settling.awaiting_confirmation, at.opened, consumer)
            ),
        }
    )
    assert table.initial == "settling.awaiting_shipment"


def test_a_row_keeps_apart_what_it_asks_the_case_and_what_it_asks_the_order() -> None:
    looks = {
        "withdraw": lambda at: withdrawn(
            at, when=[when(g.FULFILMENT, "kept", "refunded", "neither"), asked]
        )
    }
    row = the_row(compiled(looks), "opened", CommandType.WITHDRAW)
    assert (row.when, row.when_facts) == ((asked,), row.rule.when[:1])


def test_a_look_at_the_order_may_find_nothing_to_do() -> None:
    looks = {
        "observe_order": lambda at: withdrawn(
            at, system, when=[kept], outcome=Outcome.SETTLED_BY_AGREED_SHIPMENT
        )
    }
    assert the_row(compiled(looks), "opened", CommandType.OBSERVE_ORDER).when_facts == (kept,)


def test_an_outcome_may_depend_on_the_option() -> None:
    row = the_row(
        compiled({"withdraw": lambda at: withdrawn(at, when=[settles], outcome=SETTLEMENT)}),
        "opened",
        CommandType.WITHDRAW,
    )
    assert [row.outcome(option) for option in (None, *OPTIONS)] == [
        None,
        Outcome.SETTLED_BY_CANCELLATION,
        Outcome.SETTLED_BY_SHIPMENT,
        None,
        Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND,
        None,
    ]


def test_a_row_is_for_the_options_that_it_is_selected_by() -> None:
    rows = compiled(
        {
            "withdraw": lambda at: (
                withdrawn(at, when=[asked, when(g.OPTION, "none", Option.PROVE_NO_FAULT)])
                | withdrawn(at, when=[not_asked])
            )
        }
    ).transitions["opened", CommandType.WITHDRAW]
    assert [
        [option for option in (None, *OPTIONS) if row.is_for({g.OPTION: option or "none"})]
        for row in rows
    ] == [
        [None, Option.PROVE_NO_FAULT],
        [None, *OPTIONS],
    ]


def test_an_event_that_a_version_does_not_have_is_out_of_place_for_everybody() -> None:
    assert compiled().evaluate(
        "opened", CommandType.WITHDRAW, _nothing_to_look_at(CommandType.WITHDRAW)
    ) == NotOffered(())
    assert isinstance(
        compiled().evaluate(
            "opened", CommandType.OBSERVE_ORDER, _nothing_to_look_at(CommandType.OBSERVE_ORDER)
        ),
        NoEffect,
    )


def _nothing_to_look_at(event: CommandType) -> Case:
    nothing: Any = None
    return Case(
        command=cast("Any", SimpleNamespace(type=event)),
        now=nothing,
        policy=nothing,
        merchant_id="",
        consumer_id="",
    )


TABLE = rule_version("2023-03").table
KEY = ("opened", CommandType.CHOOSE_OPTION)
WRITES: dict[str, Callable[[Any], object]] = {
    "rows for another event": lambda table: table.transitions.__setitem__(
        ("opened", CommandType.ANNUL), ()
    ),
    "other rows for an event": lambda table: table.transitions.update({KEY: ()}),
    "no rows for an event": lambda table: table.transitions.pop(KEY),
    "one row more": lambda table: table.transitions[KEY].append(table.transitions[KEY][0]),
    "all rows": lambda table: setattr(table, "rows", {}),
    "a place": lambda table: table.configurations.__setitem__(
        "elsewhere", table.configurations["opened"]
    ),
    "an actor": lambda table: table.actors.__setitem__(CommandType.ANNUL, merchant),
    "the digest": lambda table: setattr(table, "digest", ""),
    "what the opening needs": lambda table: setattr(table.entry, "needs", ()),
    "a target": lambda table: setattr(table.transitions[KEY][0], "target", "resolved"),
    "what a row needs": lambda table: setattr(table.transitions[KEY][0].rule, "needs", ()),
    "a guard": lambda table: setattr(table.transitions[KEY][0].rule.by, "roles", ()),
    "a selector": lambda table: table.transitions[KEY][0].rule.when[0].accepts.add("none"),
    "a closed state": lambda table: setattr(table.configurations["resolved"], "closed", False),
    "a settlement": lambda table: table.transitions[
        "option_chosen.settling.awaiting_confirmation", CommandType.CONFIRM_AGREEMENT
    ][0].rule.outcome.__setitem__(Option.PROVE_NO_FAULT, Outcome.NO_FAULT),
    "a version": lambda table: cast("Any", VERSIONS).__setitem__("2099-01", table),
    "a version's table": lambda table: setattr(VERSIONS["2023-03"], "table", table),
}


@pytest.mark.parametrize("what", WRITES)
def test_nobody_can_write_into_a_table(what: str) -> None:
    with pytest.raises((TypeError, AttributeError)):
        WRITES[what](TABLE)
    assert compile_chart(Rules202303, ENTRY, VOCABULARY) == TABLE


# ---- the digest ----------------------------------------------------------------------------------

REFUSING_OTHERWISE = replace(g.rounds_left, codes=(RefusalCode.ALREADY_CONFIRMED,))
IN_OTHER_WORDS = replace(
    g.rounds_left,
    zh="另一种说法",
    en="in other words",
    source=OTHERWISE,
    condition=lambda _: GuardResult(passed=True),
)

BASE: Mapping[str, Make] = {
    "withdraw": lambda at: withdrawn(at, needs=[g.rounds_left]),
    "evidence_expired": lambda at: an_edge(evidence(at), review(at), system, expires=EVIDENCE),
}
DIFFERENT: dict[str, dict[str, Make]] = {
    "nothing": {},
    "a transition more": {
        "rule_at_fault": lambda at: an_edge(
            review(at), at.penalized, adjudicator, outcome=Outcome.AT_FAULT
        )
    },
    "a transition less": {"withdraw": lambda _: None},
    "a state more": {
        "awaiting_confirmation": lambda _: Leaf(StateName.AWAITING_CONFIRMATION),
        "deny_agreement": lambda at: an_edge(at.opened, at.awaiting_confirmation, consumer),
    },
    "a target": {"submit_evidence": lambda at: an_edge(evidence(at), evidence(at), merchant)},
    "an event": {
        "withdraw": lambda _: None,
        "confirm_agreement": lambda at: withdrawn(at, needs=[g.rounds_left]),
    },
    "an actor": {"withdraw": lambda at: withdrawn(at, merchant, needs=[g.rounds_left])},
    "a selector": {"withdraw": lambda at: withdrawn(at, when=[asked], needs=[g.rounds_left])},
    "an answer": {"withdraw": lambda at: withdrawn(at, when=[not_asked], needs=[g.rounds_left])},
    "a requirement less": {"withdraw": withdrawn},
    "a requirement more": {
        "withdraw": lambda at: withdrawn(at, needs=[g.rounds_left, g.rationale_given])
    },
    "a requirement's code": {"withdraw": lambda at: withdrawn(at, needs=[REFUSING_OTHERWISE])},
    "a window": {
        "withdraw": lambda at: withdrawn(at, within=[g.window_open], needs=[g.rounds_left])
    },
    "an outcome": {
        "withdraw": lambda at: withdrawn(at, needs=[g.rounds_left], outcome=Outcome.NO_FAULT)
    },
    "outcomes by option": {
        "withdraw": lambda at: withdrawn(
            at, when=[settles], needs=[g.rounds_left], outcome=SETTLEMENT
        )
    },
    "other outcomes by option": {
        "withdraw": lambda at: withdrawn(
            at,
            when=[settles],
            needs=[g.rounds_left],
            outcome=dict.fromkeys(SETTLEMENT, Outcome.WITHDRAWN),
        )
    },
    "a deadline that runs": {
        "opened": lambda _: Leaf(StateName.OPENED, deadlines=[RESPONSE, PROMISE], initial=True)
    },
    "a deadline that does not start": {
        "choose_option": lambda at: an_edge(at.opened, at.contesting, merchant)
    },
    "a deadline that ends": {
        "submit_evidence": lambda at: an_edge(evidence(at), review(at), merchant, ends=[EVIDENCE])
    },
}
ENTRIES = {
    "who opens": replace(START, by=by(Role.CONSUMER, Role.SYSTEM)),
    "what the opening needs": replace(START, needs=()),
    "what the opening starts": replace(START, starts=()),
}
THE_SAME: dict[str, dict[str, Make]] = {
    "nothing": {},
    "a provenance": {"withdraw": lambda at: withdrawn(at, needs=[g.rounds_left], origin=OTHERWISE)},
    "the words for a guard": {"withdraw": lambda at: withdrawn(at, needs=[IN_OTHER_WORDS])},
    "the label of a state": {"penalized": lambda _: penalized(StateName.SETTLING)},
}


def test_every_change_of_the_structure_changes_the_digest() -> None:
    digests = {what: compiled({**BASE, **changes}).digest for what, changes in DIFFERENT.items()}
    digests |= {what: compiled(BASE, entry).digest for what, entry in ENTRIES.items()}
    alike = {
        what: [other for other in digests if digests[other] == digests[what]] for what in digests
    }
    assert alike == {what: [what] for what in digests}
    assert all(len(digest) == 64 for digest in digests.values())


def test_another_beginning_changes_the_digest() -> None:
    around: dict[str, Make] = {
        "request_evidence": lambda at: an_edge(at.penalized, at.opened, adjudicator)
    }
    elsewhere: dict[str, Make] = {
        "opened": lambda _: Leaf(StateName.OPENED, deadlines=[RESPONSE]),
        "penalized": lambda _: penalized(initial=True),
    }
    assert compiled(around).digest != compiled({**around, **elsewhere}).digest


@pytest.mark.parametrize("what", THE_SAME)
def test_no_wording_changes_the_digest(what: str) -> None:
    assert (
        compiled({**BASE, **THE_SAME[what]}, replace(START, origin=OTHERWISE)).digest
        == compiled(BASE).digest
    )


def test_another_source_changes_the_digest() -> None:
    """The transitions of both charts have the same order, since order changes the digest too."""
    other: dict[str, Make] = {
        "rule_no_fault": lambda at: an_edge(
            evidence(at), at.resolved, adjudicator, outcome=Outcome.NO_FAULT
        )
    }
    assert [event for _, event in compiled().transitions] == [
        event for _, event in compiled(other).transitions
    ]
    assert compiled(other).digest != compiled().digest


def test_another_record_changes_the_digest() -> None:
    other = recorded_as(CommandType.SUBMIT_EVIDENCE, EventType.EVIDENCE_REQUESTED)
    assert compile_chart(small({}), START, other).digest != compiled().digest


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_digest_is_the_same_in_every_process(seed: str) -> None:
    program = (
        "from dispute_fsm.rules.registry import VERSIONS\nfor known in VERSIONS.values(): "
        "print(known.id, known.table.digest)"
    )
    said = subprocess.run(  # noqa: S603 -- this very Python
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": seed},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said.splitlines() == [f"{known.id} {known.table.digest}" for known in VERSIONS.values()]


# ---- the registry --------------------------------------------------------------------------------


def test_a_version_is_known_by_its_id() -> None:
    version = rule_version("2023-03")
    assert (version.id, version.options, version.chart) == ("2023-03", OPTIONS, Rules202303)
    assert version.table == compile_chart(Rules202303, ENTRY, VOCABULARY)
    assert all(name == known.id and rule_version(name) is known for name, known in VERSIONS.items())
    assert DEFAULT_VERSION in VERSIONS


def test_a_version_has_a_row_for_every_option_that_it_offers() -> None:
    changes = {
        "choose_option": lambda at: an_edge(
            at.opened, at.contesting, merchant, when=[contests], starts=[EVIDENCE]
        )
    }
    version = registry.compiled(a_version(changes, Option.PROVE_NO_FAULT))
    assert (version.id, version.options, version.table.digest) == (
        "2099-01",
        (Option.PROVE_NO_FAULT,),
        compiled(changes).digest,
    )
    with pytest.raises(
        ChartError, match=r"^Small: opened: no row for consumer_cancels, which rules 2099-01 offer$"
    ):
        registry.compiled(a_version(changes, *Option))
    with pytest.raises(
        ChartError, match=r"^Small: opened: no row for prove_no_fault, which rules 2099-01 offer$"
    ):
        registry.compiled(
            a_version(
                {"choose_option": lambda _: None, "deny_agreement": past_the_choice},
                Option.PROVE_NO_FAULT,
            )
        )


def a_version(changes: Mapping[str, Make], *options: Option) -> Version:
    """Declare a version whose chart is the small one, with some members changed."""
    words = Bilingual(zh="测试", en="a test")
    return Version(
        id="2099-01",
        label=words,
        valid_from=None,
        change=words,
        why=words,
        options=options,
        chart=small(changes),
        entry=START,
    )


def past_the_choice(at: Any) -> TransitionList:  # noqa: ANN401 -- the members of a chart
    return an_edge(at.opened, at.contesting, consumer)


def test_the_roles_of_a_command_in_a_chart_are_those_that_its_class_declares() -> None:
    changes = {"withdraw": lambda at: withdrawn(at, merchant)}
    with pytest.raises(
        ChartError,
        match=r"^Small: withdraw: by the merchant in the chart, by the consumer as declared in "
        r"Withdraw$",
    ):
        registry.compiled(a_version(changes))


def test_an_unknown_version_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(InputError) as refused:
        rule_version("2099-01")
    assert refused.value.field == "rules"
    assert (
        str(refused.value)
        == f"rules: unknown rule version '2099-01'; expected one of: {', '.join(VERSIONS)}"
    )
