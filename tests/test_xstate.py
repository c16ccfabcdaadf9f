"""A second opinion: XState, which is neither ours nor python-statemachine, goes through every history and is always where we are.

XState gets the chart, as JSON, and for each step the event and what the guards answered. It decides
by itself which edge that takes, and is never told where it led.
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
from tests.flowcharts import node
from tests.histories import corpus
from tests.killers import SCENARIOS
from tests.support import ran
from tools.xstate import machine, path_of, recorded_answers

JS = Path(__file__).parent / "js"


class History(NamedTuple):
    """The events of one dispute after its opening."""

    id: str
    events: tuple[AuditEvent, ...]


@cache
def histories(rules: str) -> tuple[History, ...]:
    return tuple(one for one in _histories() if one.events[0].rules == rules)


def _histories() -> Iterator[History]:
    for path in corpus.FILES:
        for name, (_, events) in corpus.disputes(path).items():
            yield History(f"{path.name}: {name}", events)
    for path in dict.fromkeys(SCENARIOS):
        if events := ran(path).events:
            yield History(path.name, events)


def driven(
    definition: dict[str, Any], told: tuple[History, ...]
) -> list[tuple[str, int, str, str]]:
    """Drive XState through histories, and give each step after which it is elsewhere: history, seq, where it is, where it should be."""
    asked = [
        {
            "id": one.id,
            "steps": [
                {"event": event.command.value, "answers": recorded_answers(event)}
                for event in one.events[1:]
            ],
        }
        for one in told
    ]
    given = json.dumps({"machine": definition, "histories": asked})
    done = subprocess.run(  # noqa: S603 -- our own script
        [node(), "drive.mjs"],
        cwd=JS,
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [len(one["states"]) for one in found] == [len(one.events) - 1 for one in told]
    pairs = (
        (one, event, path_of(state))
        for one, other in zip(told, found, strict=True)
        for event, state in zip(one.events[1:], other["states"], strict=True)
    )
    return [
        (one.id, event.seq, state, event.target)
        for one, event, state in pairs
        if state != event.target
    ]


@pytest.mark.parametrize("rules", VERSIONS)
def test_xstate_is_where_every_history_says(rules: str, tell: Callable[[object], None]) -> None:
    told = histories(rules)
    steps = sum(len(one.events) - 1 for one in told)
    assert len(told) > 30
    assert driven(machine(VERSIONS[rules]), told) == []
    moved = sum(event.source != event.target for one in told for event in one.events[1:])
    tell(
        f"{rules}: XState agrees on {len(told)} histories, {steps} steps, {moved} of which change "
        "the state"
    )


def test_a_planted_difference_is_found() -> None:
    wrong = machine(VERSIONS["2023-03"])
    (edge,) = wrong["states"]["penalized"]["on"]["annul"]
    edge["target"] = "#opened"
    elsewhere = driven(wrong, histories("2023-03"))
    assert elsewhere
    assert {(state, target) for _, _, state, target in elsewhere} == {("opened", "resolved")}


def test_a_planted_guard_is_found() -> None:
    wrong = machine(VERSIONS["parallel"])
    regions = wrong["states"]["disputing"]["states"]
    for edge in regions["evidence"]["states"]["under_review"]["on"]["rule_at_fault"]:
        edge["guard"]["params"]["wants"]["rationale_given"] = False
    assert driven(wrong, histories("parallel"))
