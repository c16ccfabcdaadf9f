"""XState, an independent interpreter, replays every history and reaches the recorded states.

XState gets the chart as JSON, and for each step the event and the recorded results of the guards.
It selects the transition itself, and does not get the recorded target.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.scenarios.runner import run_scenario
from tests.flowcharts import node
from tests.histories import corpus
from tests.killers import scenarios_of
from tools.xstate import machine, path_of, recorded_results

JS = Path(__file__).parent / "js"


class History(NamedTuple):
    """The events of one dispute after its opening."""

    id: str
    events: tuple[AuditEvent, ...]


@cache
def histories(rules: str) -> tuple[History, ...]:
    return tuple(_histories(rules))


def _histories(rules: str) -> Iterator[History]:
    for path in corpus.FILES:
        for name, (_, events) in corpus.disputes(path).items():
            if events[0].rules == rules:
                yield History(f"{path.name}: {name}", events)
    for path, scenario in scenarios_of(rules).items():
        if events := run_scenario(scenario).events:
            yield History(path.name, events)


def different_steps(
    definition: dict[str, Any], recorded: tuple[History, ...]
) -> list[tuple[str, int, str, str]]:
    """Run histories in XState; return each step with another state: history, seq, state, target."""
    inputs = [
        {
            "id": history.id,
            "steps": [
                {"event": event.command.value, "answers": recorded_results(event)}
                for event in history.events[1:]
            ],
        }
        for history in recorded
    ]
    given = json.dumps({"machine": definition, "histories": inputs})
    done = subprocess.run(  # noqa: S603 -- our script
        [node(), "drive.mjs"],
        cwd=JS,
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reached = json.loads(done.stdout)
    assert [len(run["states"]) for run in reached] == [
        len(history.events) - 1 for history in recorded
    ]
    steps = (
        (history, event, path_of(state))
        for history, run in zip(recorded, reached, strict=True)
        for event, state in zip(history.events[1:], run["states"], strict=True)
    )
    return [
        (history.id, event.seq, state, event.target)
        for history, event, state in steps
        if state != event.target
    ]


@pytest.mark.parametrize("rules", VERSIONS)
def test_xstate_reaches_the_states_of_every_history(
    rules: str, tell: Callable[[object], None]
) -> None:
    recorded = histories(rules)
    events = [event for history in recorded for event in history.events[1:]]
    assert len(recorded) > 30
    assert different_steps(machine(VERSIONS[rules]), recorded) == []
    moved = sum(event.source != event.target for event in events)
    tell(
        f"{rules}: XState agrees on {len(recorded)} histories, {len(events)} steps, "
        f"{moved} of which change the state"
    )


@pytest.mark.parametrize("rules", VERSIONS)
def test_a_closed_state_that_may_still_change_is_not_final(rules: str) -> None:
    table = VERSIONS[rules].table
    left = {source for source, _ in table.transitions}
    states = machine(VERSIONS[rules])["states"]
    final = {name for name, state in states.items() if state.get("type") == "final"}
    assert final == {
        path for path, here in table.configurations.items() if here.closed and path not in left
    }
    assert "penalized" not in final


def test_a_planted_appeal_is_found() -> None:
    wrong = machine(VERSIONS["extended"])
    (transition,) = wrong["states"]["penalized"]["on"]["appeal"]
    transition["guard"]["params"]["wants"]["appealable"] = ["none"]
    different = different_steps(wrong, histories("extended"))
    assert {(state, target) for _, _, state, target in different} == {
        ("penalized", "appeal_under_review"),
        ("penalized", "resolved"),
    }


def test_a_planted_difference_is_found() -> None:
    wrong = machine(VERSIONS["2023-03"])
    (transition,) = wrong["states"]["penalized"]["on"]["annul"]
    transition["target"] = "#opened"
    different = different_steps(wrong, histories("2023-03"))
    assert different
    assert {(state, target) for _, _, state, target in different} == {("opened", "resolved")}


def test_a_planted_guard_is_found() -> None:
    wrong = machine(VERSIONS["parallel"])
    regions = wrong["states"]["disputing"]["states"]
    for transition in regions["evidence"]["states"]["under_review"]["on"]["rule_at_fault"]:
        transition["guard"]["params"]["wants"]["rationale_given"] = False
    assert different_steps(wrong, histories("parallel"))
