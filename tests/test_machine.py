"""The machine as data: all that the chart declares is in it, once, and it survives as JSON."""

import pytest
from statemachine import State

from dispute_fsm.diagrams.model import OPENING, Machine, machine_of
from dispute_fsm.domain.enums import CommandType, Deadline
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.machine.chart import ChartTransition
from dispute_fsm.rules.registry import VERSIONS, RuleVersion
from tests.support import over


def states(among: list[State]) -> list[State]:
    """Go through a chart's states, those within others too, as the library keeps them."""
    return [inner for state in among for inner in (state, *states(list(state.states)))]


def transitions(version: RuleVersion) -> list[tuple[str, str, str, ChartTransition]]:
    return [
        (state.id, event.id, transition.target.id if transition.target else "", transition)
        for state in states(list(version.chart.states))
        for transition in state.transitions
        if isinstance(transition, ChartTransition)
        for event in transition.events
    ]


@pytest.fixture(params=list(VERSIONS))
def version(request: pytest.FixtureRequest) -> RuleVersion:
    return VERSIONS[str(request.param)]


@pytest.fixture
def machine(version: RuleVersion) -> Machine:
    return machine_of(version, DEFAULT_POLICY)


def test_every_edge_of_the_chart_is_one_arrow(version: RuleVersion, machine: Machine) -> None:
    declared = transitions(version)
    arrows = [arrow for arrow in machine.arrows if arrow.id != OPENING]
    assert len(declared) == len(arrows) > 30
    for (source, event, target, transition), arrow in zip(declared, arrows, strict=True):
        rule = transition.rule
        assert (arrow.source, arrow.event.value, arrow.target) == (source, event, target)
        assert arrow.when == tuple(one.name for one in rule.when)
        assert arrow.timing == tuple(one.name for one in rule.timing)
        assert arrow.needs == tuple(one.name for one in rule.needs)
        assert (arrow.starts, arrow.ends, arrow.roles) == (rule.starts, rule.ends, rule.by.roles)
        assert (arrow.origin.kind, arrow.origin.words.zh, arrow.origin.words.en) == (
            rule.origin.kind,
            rule.origin.zh,
            rule.origin.en,
        )


def test_an_arrow_is_known_by_its_id(machine: Machine) -> None:
    ids = [arrow.id for arrow in machine.arrows]
    assert len(set(ids)) == len(ids)
    assert all(machine.arrow(name).id == name for name in ids)


def test_every_state_of_the_chart_is_there_in_its_place(
    version: RuleVersion, machine: Machine
) -> None:
    declared = states(list(version.chart.states))
    assert [state.id for state in machine.states] == [state.id for state in declared]
    for state, node in zip(declared, machine.states, strict=True):
        assert node.parent == (None if state.parent is None else state.parent.id)
        assert (node.kind == "parallel") is state.parallel


def test_what_a_place_acts_on_is_what_its_state_runs(
    version: RuleVersion, machine: Machine
) -> None:
    for place in version.table.configurations.values():
        leaves = [leaf.rpartition(".")[2] for leaf in place.path.split(",")]
        stands = {deadline for leaf in leaves for deadline in machine.state(leaf).stands}
        assert stands == set(place.deadlines)


def test_all_that_is_named_is_there(machine: Machine) -> None:
    for arrow in machine.arrows:
        assert {arrow.by, *arrow.when, *arrow.timing, *arrow.needs} <= set(machine.conditions)
    questions = {one.question for one in machine.conditions.values() if one.question}
    assert questions == set(machine.questions)
    for condition in machine.conditions.values():
        assert condition.origin.words.zh
        assert all(f"code.{code.value}" in machine.words for code in condition.codes)


def test_a_machine_survives_as_json(machine: Machine) -> None:
    assert Machine.model_validate_json(machine.model_dump_json()) == machine


def test_what_never_happens_under_a_policy_is_known() -> None:
    version = VERSIONS["2023-03"]
    machine = machine_of(version, DEFAULT_POLICY)
    asleep = {arrow.id for arrow in machine.arrows if machine.dormant(arrow)}
    assert "opened--choose_option--consumer_cancels--off" in asleep
    assert "awaiting_shipment--deny_agreement--asked--review" in asleep
    assert not any("asked--penalize" in name for name in asleep)
    beyond = machine.idle() - asleep
    assert beyond == {
        "denial_under_review",
        *(arrow.id for arrow in machine.arrows if arrow.source == "denial_under_review"),
    }
    assert not {arrow.id for arrow in machine.arrows if machine.dormant(arrow)} - machine.idle()
    silent = machine_of(version, over(response=None))
    assert silent.off == (Deadline.RESPONSE,)
    assert [
        arrow.event for arrow in silent.arrows if silent.dormant(arrow) and arrow.id not in asleep
    ] == [CommandType.RESPONSE_EXPIRED]
