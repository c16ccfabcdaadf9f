"""A chart as an XState machine: JSON that the interpreter of another project runs.

It is made from the declared chart, not from the table that was compiled from it, so XState tests
the compiler too. A guard is the results that a transition requires. XState gets the recorded
results, and selects the transition itself; it does not get the recorded target.
"""

from collections.abc import Iterable
from typing import Any

from statemachine import State

from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.machine.chart import ChartTransition
from dispute_fsm.machine.guard import Selector
from dispute_fsm.rules.registry import RuleVersion

GUARD = "answered"
"""The only guard of the machine; its parameter `wants` has the required results."""


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
    node: dict[str, Any] = {"id": state.id}
    on: dict[str, list[dict[str, Any]]] = {}
    for transition in state.transitions:
        if isinstance(transition, ChartTransition) and transition.target is not None:
            for event in transition.events:
                on.setdefault(event.id, []).append(_transition(transition, transition.target))
    if on:
        node["on"] = on
    if state.parallel:
        return {
            **node,
            "type": "parallel",
            "states": {region.id: _state(region) for region in state.states},
        }
    if state.states:
        return {**node, **_inside(state.states)}
    return {**node, "type": "final"} if state.final else node


def _transition(transition: ChartTransition, target: State) -> dict[str, Any]:
    rule = transition.rule
    wants: dict[str, list[str] | bool] = {
        guard.recorded: sorted(guard.accepts) if isinstance(guard, Selector) else True
        for guard in (rule.by, *rule.when, *rule.timing, *rule.needs)
    }
    return {"target": f"#{target.id}", "guard": {"type": GUARD, "params": {"wants": wants}}}


def recorded_results(event: AuditEvent) -> dict[str, str | bool]:
    """Return the results of an event's guards: the answer to a question, or whether it passed."""
    results: dict[str, str | bool] = {}
    for check in event.checks:
        answer = check.saw.get(check.guard)
        results[check.guard] = answer if isinstance(answer, str) else check.passed
    return results


def path_of(value: str | dict[str, Any]) -> str:
    """Write a state value of XState (a leaf, or regions with their leaves) as our path."""
    return ",".join(".".join(parts) for parts in _leaves(value))


def _leaves(value: str | dict[str, Any]) -> Iterable[tuple[str, ...]]:
    if isinstance(value, str):
        yield (value,)
        return
    for name, inner in value.items():
        yield from ((name, *rest) for rest in _leaves(inner))
