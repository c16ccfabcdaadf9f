"""python-statemachine's own tools draw our charts with every guard, and running asks for a case."""

import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from statemachine import State
from statemachine.contrib.diagram import DotGraphMachine
from statemachine.exceptions import TransitionNotAllowed

from dispute_fsm.domain.enums import Role, StateName
from dispute_fsm.machine.chart import Chart, ChartTransition, Condition
from dispute_fsm.rules.guards import by
from dispute_fsm.rules.registry import VERSIONS, RuleVersion
from tests.walk import names_of

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "how-to" / "python-statemachine.md").read_text(encoding="utf-8")

Drawn = tuple[str, str, str, str]
"""A transition: source, event, guards with commas between them, target."""


@pytest.fixture(params=list(VERSIONS))
def version(request: pytest.FixtureRequest) -> RuleVersion:
    return VERSIONS[str(request.param)]


def states(among: Iterable[State]) -> list[State]:
    """List states, each before those inside it."""
    return [inner for state in among for inner in (state, *states(state.states))]


def edges(chart: type[Chart]) -> list[ChartTransition]:
    return [
        edge
        for state in states(chart.states)
        for edge in state.transitions
        if isinstance(edge, ChartTransition)
    ]


def declared(chart: type[Chart]) -> list[Drawn]:
    """List the edges as they are declared."""
    return [
        (edge.source.id, event.id, ", ".join(names_of(edge.rule)), edge.target.id)
        for edge in edges(chart)
        for event in edge.events
        if edge.target is not None
    ]


def as_id(event: str) -> str:
    """Read an event's id off its name in a picture, which may be numbered."""
    return re.sub(r" \(\d+\)$", "", event).lower().replace(" ", "_")


# ---- drawn ---------------------------------------------------------------------------------------


def dot_edges(graph: Any) -> Iterator[Any]:  # noqa: ANN401 -- pydot makes its graphs' members at run time, without types
    yield from graph.get_edges()
    for inner in graph.get_subgraphs():
        yield from dot_edges(inner)


def in_dot(chart: type[Chart]) -> Iterator[Drawn]:
    draw: Any = DotGraphMachine
    for edge in dot_edges(draw(chart).get_graph()):
        if label := re.search(r">([^<>]+)<br/>\[([^\]]*)\]<", edge.get_label()):
            source, target = (
                re.sub(r"_anchor(_in|_out)?$", "", end)
                for end in (edge.get_source(), edge.get_destination())
            )
            yield source, as_id(label[1]), label[2], target


def in_mermaid(chart: type[Chart]) -> Iterator[Drawn]:
    for source, target, event, guards in re.findall(
        r"^ *(\w+) --> (\w+) : (.+) \[(.*)\]$", f"{chart:mermaid}", re.MULTILINE
    ):
        yield source, as_id(event), guards, target


def in_table(chart: type[Chart], text: str) -> Iterator[Drawn]:
    ids = {state.name: state.id for state in states(chart.states)}
    assert len(ids) == len(states(chart.states))
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0] in ids:
            source, event, guards, target = cells
            yield ids[source], as_id(event), guards, ids[target]


FORMATS: dict[str, Callable[[type[Chart]], Iterator[Drawn]]] = {
    "dot": in_dot,
    "mermaid": in_mermaid,
    "md": lambda chart: in_table(chart, f"{chart:md}"),
    "rst": lambda chart: in_table(chart, f"{chart:rst}"),
}


@pytest.mark.parametrize("form", FORMATS)
def test_the_library_draws_every_transition_with_the_names_of_its_guards(
    version: RuleVersion, form: str
) -> None:
    drawn = list(FORMATS[form](version.chart))
    assert Counter(drawn) == Counter(declared(version.chart))
    of_the_table = {
        name
        for rows in version.table.transitions.values()
        for row in rows
        for name in names_of(row.rule)
    }
    assert {name for _, _, guards, _ in drawn for name in guards.split(", ")} == of_the_table
    assert len(of_the_table) > 50


@pytest.mark.parametrize("form", FORMATS)
def test_no_condition_is_called_by_the_method_that_asks_it(version: RuleVersion, form: str) -> None:
    for drawn in (format(version.chart, form), format(version.chart(), form)):
        assert "by_merchant" in drawn
        assert not re.search(r"\bholds\b", drawn)


def test_transitions_that_are_alike_but_for_their_guards_are_numbered(version: RuleVersion) -> None:
    named = Counter(
        (edge.source.id, event.name, edge.target and edge.target.id)
        for edge in edges(version.chart)
        for event in edge.events
    )
    assert set(named.values()) == {1}
    assert f"{version.chart:mermaid}".count("Choose option (2) [") == 2
    assert {event.name for event in version.chart().events if re.search(r"\d", event.name)} == set()


def test_the_library_knows_each_state_by_its_english_label(version: RuleVersion) -> None:
    named = {state.id: state.name for state in states(version.chart.states)}
    assert named == {name: StateName(name).en for name in named}


# ---- run -----------------------------------------------------------------------------------------


def as_method(machine: Chart, event: str, **given: object) -> None:
    getattr(machine, event)(**given)


@pytest.mark.parametrize("send", [Chart.send, as_method])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "without a case"),
        ({"case": None}, "without a case"),
        ({"option": "already_shipped"}, "without a case"),
        ({"case": {"option": "already_shipped"}}, "with a dict for its case"),
    ],
)
def test_an_event_without_a_case_says_what_is_missing(
    version: RuleVersion, send: Callable[..., None], given: dict[str, Any], told: str
) -> None:
    machine = version.chart()
    start, open_to = machine.configuration_values, {str(event) for event in machine.allowed_events}
    assert len(open_to) > 3
    for event in open_to:
        for _ in range(2):  # the error leaves the machine as it was
            with pytest.raises(TypeError) as missing:
                send(machine, event, **given)
            assert str(missing.value) == (
                f'{event} was sent {told}, but guards look at a Case: send("{event}", '
                "case=Case(...)); "
                "docs/how-to/python-statemachine.md shows how to make one"
            )
    assert machine.configuration_values == start


def test_an_event_that_has_no_place_in_a_state_needs_no_case(version: RuleVersion) -> None:
    with pytest.raises(TransitionNotAllowed):
        version.chart().send("annul")


# ---- the page ------------------------------------------------------------------------------------


def test_the_commands_of_the_page_print_what_it_shows() -> None:
    (block,) = re.findall(
        r"^```console\n\$ python (.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE
    )
    command, *lines = block.splitlines()
    done = subprocess.run(  # noqa: S603 -- a command of our own page
        [sys.executable, *shlex.split(command)], capture_output=True, encoding="utf-8", check=True
    )
    printed = iter(done.stdout.splitlines())
    assert [line for line in lines if line != "..."]
    for line in lines:
        assert line == "..." or line in printed, f"not in the output, or not in this order: {line}"


def test_conditions_of_one_guard_are_equal() -> None:
    one, other = (by(role) for role in (Role.MERCHANT, Role.CONSUMER))
    assert len({Condition(one), Condition(one), Condition(other)}) == 2
