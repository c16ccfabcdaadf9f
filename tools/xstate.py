"""A chart as an XState machine: plain JSON that another project's interpreter runs, states inside states and side by side.

It is read off the declared chart, not off the table that was compiled from it: so what XState does
tests the compiler too. A guard is the answers that an edge wants. XState gets the answers that were
recorded, and finds the edge itself; which target that is, it is not told.
"""

from collections.abc import Iterable
from typing import Any

from statemachine import State

from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.machine.chart import ChartTransition
from dispute_fsm.machine.guard import Selector
from dispute_fsm.rules.registry import RuleVersion

GUARD = "answered"
"""The one guard of the machine; its parameter `wants` names the answers."""


def machine(version: RuleVersion) -> dict[str, Any]:
    """Write the chart of a rule version as an XState machine."""
    return {"id": version.id, **_inside(version.chart.states)}


def _inside(states: Iterable[State]) -> dict[str, Any]:
    states = list(states)
    return {
        "initial": next(state.id for state in states if state.initial),
        "states": {state.id: _state(state) for state in states},
    }


def _state(state: State) -> dict[str, Any]:
    written: dict[str, Any] = {"id": state.id}
    on: dict[str, list[dict[str, Any]]] = {}
    for transition in state.transitions:
        if isinstance(transition, ChartTransition) and transition.target is not None:
            for event in transition.events:
                on.setdefault(event.id, []).append(_transition(transition, transition.target))
    if on:
        written["on"] = on
    if state.parallel:
        return {
            **written,
            "type": "parallel",
            "states": {region.id: _state(region) for region in state.states},
        }
    if state.states:
        return {**written, **_inside(state.states)}
    return {**written, "type": "final"} if state.final else written


def _transition(edge: ChartTransition, target: State) -> dict[str, Any]:
    rule = edge.rule
    wants: dict[str, list[str] | bool] = {
        guard.recorded: sorted(guard.accepts) if isinstance(guard, Selector) else True
        for guard in (rule.by, *rule.when, *rule.timing, *rule.needs)
    }
    return {"target": f"#{target.id}", "guard": {"type": GUARD, "params": {"wants": wants}}}


def recorded_answers(event: AuditEvent) -> dict[str, str | bool]:
    """Give the guards' answers as an event has recorded them: to a question what was seen, of every other guard yes or no."""
    return {
        check.guard: _answer(check.saw.get(check.guard), passed=check.passed)
        for check in event.checks
    }


def _answer(seen: object, *, passed: bool) -> str | bool:
    return seen if isinstance(seen, str) else passed


def path_of(value: str | dict[str, Any]) -> str:
    """Write a state as XState names it (a leaf, or regions with theirs) as a path of ours."""
    return ",".join(".".join(parts) for parts in _leaves(value))


def _leaves(value: str | dict[str, Any]) -> Iterable[tuple[str, ...]]:
    if isinstance(value, str):
        yield (value,)
        return
    for name, inner in value.items():
        yield from ((name, *rest) for rest in _leaves(inner))
