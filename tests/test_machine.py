"""The machine as data: everything that the chart declares is in it once, and JSON keeps it."""

import pytest
from statemachine import State

from dispute_fsm.diagrams.model import OPENING, Machine, machine_of
from dispute_fsm.domain.enums import CommandType, Deadline
from dispute_fsm.domain.policy import DEFAULT_POLICY, VERSION_FIELDS
from dispute_fsm.machine.chart import ChartTransition
from dispute_fsm.rules.registry import VERSIONS, RuleVersion
from tests.support import over


def states(among: list[State]) -> list[State]:
    """Iterate over a chart's states, nested ones too, in the library's order."""
    return [inner for state in among for inner in (state, *states(list(state.states)))]


def declared_transitions(version: RuleVersion) -> list[tuple[str, str, str, ChartTransition]]:
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


def test_every_transition_of_the_chart_is_in_the_machine_once(
    version: RuleVersion, machine: Machine
) -> None:
    declared = declared_transitions(version)
    views = [view for view in machine.transitions if view.id != OPENING]
    assert len(declared) == len(views) > 30
    for (source, event, target, transition), view in zip(declared, views, strict=True):
        rule = transition.rule
        assert (view.source, view.event.value, view.target) == (source, event, target)
        assert view.when == tuple(guard.name for guard in rule.when)
        assert view.timing == tuple(guard.name for guard in rule.timing)
        assert view.needs == tuple(guard.name for guard in rule.needs)
        assert (view.starts, view.ends, view.roles) == (rule.starts, rule.ends, rule.by.roles)
        assert (view.origin.kind, view.origin.text.zh, view.origin.text.en) == (
            rule.origin.kind,
            rule.origin.zh,
            rule.origin.en,
        )


def test_a_transition_is_known_by_its_id(machine: Machine) -> None:
    ids = [transition.id for transition in machine.transitions]
    assert len(set(ids)) == len(ids)
    assert all(machine.transition(name).id == name for name in ids)


def test_every_state_of_the_chart_is_in_the_machine_with_its_parent(
    version: RuleVersion, machine: Machine
) -> None:
    declared = states(list(version.chart.states))
    assert [state.id for state in machine.states] == [state.id for state in declared]
    for state, node in zip(declared, machine.states, strict=True):
        assert node.parent == (None if state.parent is None else state.parent.id)
        assert (node.kind == "parallel") is state.parallel


def test_the_deadlines_of_a_configuration_are_those_of_its_leaves(
    version: RuleVersion, machine: Machine
) -> None:
    for configuration in version.table.configurations.values():
        leaves = [leaf.rpartition(".")[2] for leaf in configuration.path.split(",")]
        deadlines = {deadline for leaf in leaves for deadline in machine.state(leaf).deadlines}
        assert deadlines == set(configuration.deadlines)


def test_every_name_is_defined(machine: Machine) -> None:
    for transition in machine.transitions:
        assert {transition.by, *transition.when, *transition.timing, *transition.needs} <= set(
            machine.conditions
        )
    questions = {guard.question for guard in machine.conditions.values() if guard.question}
    assert questions == set(machine.questions)
    for condition in machine.conditions.values():
        assert condition.origin.text.zh
        assert all(f"code.{code.value}" in machine.labels for code in condition.codes)


def test_a_machine_has_every_word_of_its_version_and_no_other(
    version: RuleVersion, machine: Machine
) -> None:
    words = {
        "option": version.options,
        "deadline": version.deadlines,
        "outcome": version.outcomes,
        "event": (CommandType.OPEN_DISPUTE, *version.table.actors),
    }
    for kind, of_version in words.items():
        labels = {name for name in machine.labels if name.startswith(f"{kind}.")}
        assert labels == {f"{kind}.{word.value}" for word in of_version}
    assert set(machine.off) <= set(version.deadlines)
    assert set(machine.policy) & VERSION_FIELDS == set(version.policy_fields)


def test_a_question_has_the_answers_of_the_version() -> None:
    """An option of another version is listed where the version names it as left out."""
    asked = {
        name: machine_of(version, DEFAULT_POLICY).questions for name, version in VERSIONS.items()
    }
    five = ["none", *(option.value for option in VERSIONS["2023-03"].options)]
    assert list(asked["parallel"]["option"].answers) == five
    assert list(asked["2023-03"]["option"].answers) == five
    four = ["none", "response", "confirmation", "promise", "evidence"]
    assert list(asked["parallel"]["named"].answers) == four
    assert list(asked["2023-03"]["extended"].answers) == four


def test_a_machine_survives_as_json(machine: Machine) -> None:
    assert Machine.model_validate_json(machine.model_dump_json()) == machine


def test_what_a_policy_disables_or_makes_unreachable_is_known() -> None:
    version = VERSIONS["2023-03"]
    machine = machine_of(version, DEFAULT_POLICY)
    disabled = {transition.id for transition in machine.transitions if machine.disabled(transition)}
    assert "opened--choose_option--consumer_cancels--off" in disabled
    assert "awaiting_shipment--deny_agreement--asked--review" in disabled
    assert not any("asked--penalize" in name for name in disabled)
    unreachable = machine.unreachable() - disabled
    assert unreachable == {
        "denial_under_review",
        *(
            transition.id
            for transition in machine.transitions
            if transition.source == "denial_under_review"
        ),
    }
    assert (
        not {transition.id for transition in machine.transitions if machine.disabled(transition)}
        - machine.unreachable()
    )
    silent = machine_of(version, over(response=None))
    assert silent.off == (Deadline.RESPONSE,)
    assert [
        transition.event
        for transition in silent.transitions
        if silent.disabled(transition) and transition.id not in disabled
    ] == [CommandType.RESPONSE_EXPIRED, CommandType.EXTEND_DEADLINE]
