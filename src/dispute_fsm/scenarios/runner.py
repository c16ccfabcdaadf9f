"""Running a scenario: the real `Disputes`, an order system in memory, and a comparison with what is expected."""

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
"""Stands in a failure for what is not expected, or has not come."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of a step, or of all that happened, under the names of what can be expected.

    `state` is None where there is no dispute, for its opening was refused.
    """

    state: StateName | None
    outcome: Outcome | None
    events: int
    refused: tuple[RefusalCode, ...] = ()
    error: Literal["order_system_unavailable"] | None = None
    repeated: bool = False
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Unmet:
    """One expectation that was not met: its name, expected and found in words."""

    name: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Where the scenario and the rules disagree: the step (from 1; None: the end), its line, expected and found."""

    step: int | None
    line: int
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """What came of a scenario. `dispute` is None where the opening was refused, `refused` then says why.

    `ends_at` is the last step's time; `facts` is what the order system shows then, None where it
    cannot answer. `steps` is what came of each step that ran, `end` of the whole.
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
        """Whether everything came as expected."""
        return not self.failures


def run_scenario(scenario: Scenario) -> ScenarioResult:
    """Run a scenario to its end; a step that fails does not stop it."""
    orders = order_system(scenario.opening.order_id, scenario.order)
    run = Run.opened(scenario.opening, scenario.opened_at, orders)
    steps: tuple[StepResult, ...] = ()
    if isinstance(run, Refused):
        dispute, events, now, end = (
            None,
            list[AuditEvent](),
            scenario.opened_at,
            refused_opening(run),
        )
    else:
        steps = tuple(run.step(step) for step in scenario.steps)
        dispute, events, now, end = run.dispute, run.events, run.now, run.stands
    facts = orders.look(scenario.opening.order_id, now) if orders.available else None
    return ScenarioResult(
        scenario,
        dispute,
        tuple(events),
        end.refused,
        tuple(_failures(scenario, steps, end)),
        now,
        facts,
        steps,
        end,
    )


class Run:
    """A dispute, taken on step by step before an order system in memory. Each step brings its time with it.

    `now` is the time of the last step, `events` is all that happened so far.
    """

    def __init__(
        self, dispute: Dispute, events: Iterable[AuditEvent], orders: InMemoryOrderSystem
    ) -> None:
        self.dispute = dispute
        self.events = list(events)
        self.orders = orders
        self.now = dispute.last_at

    @classmethod
    def opened(
        cls, opening: OpenDispute, at: datetime, orders: InMemoryOrderSystem
    ) -> "Run | Refused":
        """Open the dispute. A refusal leaves none that could be run."""
        opened = _disputes(orders, at).open(opening, at=at)
        return (
            opened.decision
            if isinstance(opened.decision, Refused)
            else cls(opened.dispute, [opened.dispute.opening], orders)
        )

    @property
    def stands(self) -> StepResult:
        """How the dispute stands now."""
        return StepResult(self.dispute.state, self.dispute.outcome, len(self.events))

    def step(self, step: ScenarioStep) -> StepResult:
        """Let one step happen; its expectations are not looked at."""
        self.now = step.at
        if isinstance(step.does, FactsChange):
            self.orders.put(self.dispute.order_id, step.does.order)
        elif isinstance(step.does, Availability):
            self.orders.available = step.does.available
        elif isinstance(step.does, Sweep):
            before = self.dispute
            for result in _disputes(self.orders, self.now).sweep(before, at=self.now):
                self._take(result)
            return replace(self.stands, unchanged=self.dispute is before)
        else:
            return self._command(step.does)
        return self.stands

    def _command(self, command: Command) -> StepResult:
        try:
            result = _disputes(self.orders, self.now).send(self.dispute, command, at=self.now)
        except OrderSystemUnavailableError:
            return replace(self.stands, error="order_system_unavailable")
        self._take(result)
        return replace(
            self.stands,
            refused=result.codes,
            repeated=isinstance(result.decision, Repeated),
            unchanged=isinstance(result.decision, Unchanged),
        )

    def _take(self, result: Result) -> None:
        if result.event is not None:
            self.events.append(result.event)
        self.dispute = result.dispute


def order_system(order_id: str, order: Order | None) -> InMemoryOrderSystem:
    """Make the order system of a run; None: it knows no such order."""
    return InMemoryOrderSystem({} if order is None else {order_id: order}, name="scenario")


def refused_opening(refusal: Refused) -> StepResult:
    """Say what came of an opening that was refused."""
    return StepResult(None, None, 0, refused=refusal.codes)


def unmet(expect: Expect | ExpectEnd, found: StepResult) -> list[Unmet]:
    """Compare: what is named is checked, and a refusal or an error that nobody expected."""
    named = [name for name in type(expect).model_fields if name in expect.model_fields_set]
    unnamed = [name for name in ("refused", "error") if name not in named and getattr(found, name)]
    compared = (
        Unmet(name, _word(getattr(expect, name, None)), _word(getattr(found, name)))
        for name in named + unnamed
    )
    return [one for one in compared if one.expected != one.found]


def _disputes(orders: InMemoryOrderSystem, at: datetime) -> Disputes:
    return Disputes(orders, partial(derived_stamp, at))


def _failures(
    scenario: Scenario, steps: tuple[StepResult, ...], end: StepResult
) -> Iterator[Failure]:
    for number, (step, found) in enumerate(
        zip(scenario.steps, steps, strict=False), 1
    ):  # none ran where the opening was refused
        for one in unmet(step.expect, found):
            beside = "" if one.name == "state" else f", state: {found.state}"
            yield Failure(
                number, step.line, f"{one.name}: {one.expected}", f"{one.name}: {one.found}{beside}"
            )
    for one in sorted(unmet(scenario.expect, end), key=lambda one: one.name):
        yield Failure(
            None, scenario.expect_line, f"{one.name}: {one.expected}", f"{one.name}: {one.found}"
        )


def _word(value: object) -> str:
    if isinstance(value, tuple):
        codes: tuple[str, ...] = value
        return ", ".join(sorted(set(codes))) or NONE
    if isinstance(value, bool):
        return "true" if value else NONE
    return NONE if value is None else str(value)
