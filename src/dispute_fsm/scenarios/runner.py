"""Run a scenario: the real `Disputes`, an order system in memory, expected and actual results."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal

from dispute_fsm.decider.decisions import Refused, Repeated, Unchanged
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import Command, OpenDispute
from dispute_fsm.domain.enums import Outcome, RefusalCode, StateName
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.errors import OrderSystemUnavailableError
from dispute_fsm.handler import Disputes, Result
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.scenarios.model import (
    Availability,
    Expect,
    ExpectEnd,
    FactsChange,
    Scenario,
    ScenarioStep,
    Sweep,
)

NONE = "none"
"""Shown in a failure for a value that is not expected, or that is missing."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """The result of a step, or of the whole, under the names of the expectations.

    `state` is None if there is no dispute because its opening was refused.
    """

    state: StateName | None
    outcome: Outcome | None
    events: int
    refused: tuple[RefusalCode, ...] = ()
    error: Literal["order_system_unavailable"] | None = None
    repeated: bool = False
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A mismatch in a scenario: the step (from 1; None: the end), its line, expected and actual."""

    step: int | None
    line: int
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """The result of a scenario. `dispute` is None if the opening was refused, with `refused`.

    `ends_at` is the time of the last step; `facts` are those of the order system then, None if it
    is unavailable. `steps` has the result of each step that ran, `end` that of the whole.
    """

    scenario: Scenario
    dispute: Dispute | None
    events: tuple[AuditEvent, ...]
    refused: tuple[RefusalCode, ...]
    failures: tuple[Failure, ...]
    ends_at: datetime
    facts: OrderFacts | None
    steps: tuple[StepResult, ...]
    end: StepResult

    @property
    def ok(self) -> bool:
        """Whether every expectation was met."""
        return not self.failures


def run_scenario(scenario: Scenario) -> ScenarioResult:
    """Run a scenario to its end; a step that fails does not stop it."""
    orders = order_system(scenario.opening.order_id, scenario.order)
    steps: tuple[StepResult, ...] = ()
    run = Run.open(scenario.opening, scenario.opened_at, orders)
    if isinstance(run, Refused):
        dispute, events, now = None, list[AuditEvent](), scenario.opened_at
        end = refused_opening(run)
    else:
        steps = tuple(run.step(step) for step in scenario.steps)
        dispute, events, now, end = run.dispute, run.events, run.now, run.result
    return ScenarioResult(
        scenario,
        dispute,
        tuple(events),
        end.refused,
        tuple(_failures(scenario, steps, end)),
        now,
        orders.look(scenario.opening.order_id, now) if orders.available else None,
        steps,
        end,
    )


class Run:
    """A dispute that is moved on step by step, with an order system in memory.

    `now` is the time of the last step, `events` are all events so far.
    """

    def __init__(
        self, dispute: Dispute, events: Iterable[AuditEvent], orders: InMemoryOrderSystem
    ) -> None:
        self.dispute = dispute
        self.events = list(events)
        self.orders = orders
        self.now = dispute.last_at

    @classmethod
    def open(
        cls, opening: OpenDispute, at: datetime, orders: InMemoryOrderSystem
    ) -> "Run | Refused":
        """Open the dispute. After a refusal there is nothing to run."""
        opened = _disputes(orders, at).open(opening, at=at)
        if isinstance(opened.decision, Refused):
            return opened.decision
        return cls(opened.dispute, [opened.dispute.opening], orders)

    @property
    def result(self) -> StepResult:
        """The result so far."""
        return StepResult(self.dispute.state, self.dispute.outcome, len(self.events))

    def step(self, step: ScenarioStep) -> StepResult:
        """Run one step, without checking its expectations."""
        self.now = step.at
        match step.action:
            case FactsChange(order):
                self.orders.put(self.dispute.order_id, order)
            case Availability(available):
                self.orders.available = available
            case Sweep():
                before = self.dispute
                for result in _disputes(self.orders, self.now).sweep(before, at=self.now):
                    self._apply(result)
                return replace(self.result, unchanged=self.dispute is before)
            case command:
                return self._send(command)
        return self.result

    def _send(self, command: Command) -> StepResult:
        try:
            result = _disputes(self.orders, self.now).send(self.dispute, command, at=self.now)
        except OrderSystemUnavailableError:
            return replace(self.result, error="order_system_unavailable")
        self._apply(result)
        return replace(
            self.result,
            refused=result.codes,
            repeated=isinstance(result.decision, Repeated),
            unchanged=isinstance(result.decision, Unchanged),
        )

    def _apply(self, result: Result) -> None:
        if result.event is not None:
            self.events.append(result.event)
        self.dispute = result.dispute


def order_system(order_id: str, order: Order | None) -> InMemoryOrderSystem:
    """Make the order system of a run; None: it knows no such order."""
    return InMemoryOrderSystem({} if order is None else {order_id: order}, name="scenario")


def refused_opening(refusal: Refused) -> StepResult:
    """Return the result of an opening that was refused."""
    return StepResult(None, None, 0, refused=refusal.codes)


def mismatches(expect: Expect | ExpectEnd, actual: StepResult) -> dict[str, tuple[str, str]]:
    """Return the expected and the actual value of each expectation that was not met.

    Every field that is given is compared, and a refusal or an error that is not expected.
    """
    given = [name for name in type(expect).model_fields if name in expect.model_fields_set]
    unexpected = [
        name for name in ("refused", "error") if name not in given and getattr(actual, name)
    ]
    pairs = {
        name: (_as_text(getattr(expect, name, None)), _as_text(getattr(actual, name)))
        for name in given + unexpected
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _disputes(orders: InMemoryOrderSystem, at: datetime) -> Disputes:
    return Disputes(orders, partial(derived_stamp, at))


def _failures(
    scenario: Scenario, steps: tuple[StepResult, ...], end: StepResult
) -> Iterator[Failure]:
    # No step ran if the opening was refused.
    for number, (step, actual) in enumerate(zip(scenario.steps, steps, strict=False), 1):
        for name, (expected, value) in mismatches(step.expect, actual).items():
            state = "" if name == "state" else f", state: {actual.state}"
            yield Failure(number, step.line, f"{name}: {expected}", f"{name}: {value}{state}")
    for name, (expected, value) in sorted(mismatches(scenario.expect, end).items()):
        yield Failure(None, scenario.expect_line, f"{name}: {expected}", f"{name}: {value}")


def _as_text(value: object) -> str:
    if isinstance(value, tuple):
        codes: tuple[str, ...] = value
        return ", ".join(sorted(set(codes))) or NONE
    if isinstance(value, bool):
        return "true" if value else NONE
    return NONE if value is None else str(value)
