"""Running a scenario: the real desk, an order system in memory, and a comparison with what is expected."""

from dataclasses import dataclass
from datetime import datetime

from dispute_fsm.desk import Answer, Desk
from dispute_fsm.dispute.chain import derived_stamp
from dispute_fsm.dispute.dispute import Dispute
from dispute_fsm.dispute.events import AuditEvent
from dispute_fsm.dispute.refusals import Refused, Repeated, Unchanged
from dispute_fsm.errors import OrderSystemUnavailableError
from dispute_fsm.order_system import InMemoryOrderSystem
from dispute_fsm.rules.commands import Command
from dispute_fsm.rules.facts import OrderFacts
from dispute_fsm.rules.vocabulary import RefusalCode
from dispute_fsm.scenario.scenario import Availability, Expect, FactsChange, Scenario, Step, Sweep


@dataclass(frozen=True, slots=True)
class Failure:
    """Where the scenario and the rules disagree: the step (from 1; None: the end), its line, expected and found."""

    step: int | None
    line: int
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a scenario. `dispute` is None where the opening was refused, `refused` then says why.

    `ends_at` is the last step's time; `facts` is what the order system shows then, None where it cannot answer.
    """

    scenario: Scenario
    dispute: Dispute | None
    events: tuple[AuditEvent, ...]
    refused: tuple[RefusalCode, ...]
    failures: tuple[Failure, ...]
    ends_at: datetime
    facts: OrderFacts | None

    @property
    def ok(self) -> bool:
        """Whether everything came as expected."""
        return not self.failures


def run_scenario(scenario: Scenario) -> Result:
    """Run a scenario to its end; a step that fails does not stop it."""
    return _Run(scenario).result()


class _Run:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.now = scenario.opened_at
        opening = scenario.opening
        self.orders = InMemoryOrderSystem({} if scenario.order is None else {opening.order_id: scenario.order}, name="scenario")
        self.desk = Desk(self.orders, lambda dispute_id, seq: derived_stamp(self.now, dispute_id, seq))
        self.events: list[AuditEvent] = []
        self.failures: list[Failure] = []

    def result(self) -> Result:
        opened = self.desk.open(self.scenario.opening, self.now)
        if isinstance(opened, Refused):
            self.compare_end(None, opened.codes)
            return self.ended(None, opened.codes)
        dispute = self.taken(opened)
        for number, step in enumerate(self.scenario.steps, 1):
            self.now = step.at
            dispute = self.step(number, step, dispute)
        self.compare_end(dispute, ())
        return self.ended(dispute, ())

    def ended(self, dispute: Dispute | None, refused: tuple[RefusalCode, ...]) -> Result:
        facts = self.orders.look(self.scenario.opening.order_id, self.now) if self.orders.available else None
        return Result(self.scenario, dispute, tuple(self.events), refused, tuple(self.failures), self.now, facts)

    def taken(self, answer: Answer) -> Dispute:
        if answer.event is not None:
            self.events.append(answer.event)
        return answer.dispute

    def step(self, number: int, step: Step, dispute: Dispute) -> Dispute:
        found: dict[str, str] = {}
        if isinstance(step.does, FactsChange):
            self.orders.put(self.scenario.opening.order_id, step.does.order)
        elif isinstance(step.does, Availability):
            self.orders.available = step.does.available
        elif isinstance(step.does, Sweep):
            before = dispute
            for answer in self.desk.sweep(dispute, self.now):
                dispute = self.taken(answer)
            if dispute is before:
                found["unchanged"] = "true"
        else:
            dispute, found = self.command(step.does, dispute)
        self.compare(number, step, {"state": dispute.state.value, **found})
        return dispute

    def command(self, command: Command, dispute: Dispute) -> tuple[Dispute, dict[str, str]]:
        try:
            answer = self.desk.submit(dispute, command, self.now)
        except OrderSystemUnavailableError:
            return dispute, {"error": "order_system_unavailable"}
        decision = answer.decision
        if isinstance(decision, Refused):
            return self.taken(answer), {"refused": _listed(decision.codes)}
        if isinstance(decision, Unchanged | Repeated):
            return dispute, {type(decision).__name__.lower(): "true"}
        return self.taken(answer), {}

    def compare(self, number: int, step: Step, found: dict[str, str]) -> None:
        expected = _expected(step.expect)
        for name in ("refused", "error"):  # nobody may overlook these
            if name in found:
                expected.setdefault(name, "none")
        for name, value in expected.items():
            if found.get(name, "none") != value:
                beside = "" if name == "state" else f", state: {found['state']}"
                told = (f"{name}: {value}", f"{name}: {found.get(name, 'none')}{beside}")
                self.failures.append(Failure(number, step.line, *told))

    def compare_end(self, dispute: Dispute | None, refused: tuple[RefusalCode, ...]) -> None:
        expect = self.scenario.expect
        found = {
            "state": None if dispute is None else dispute.state.value,
            "outcome": None if dispute is None or dispute.outcome is None else dispute.outcome.value,
            "events": str(len(self.events)),
            "refused": _listed(refused) if refused else None,
        }
        expected = {
            "state": expect.state and expect.state.value,
            "outcome": expect.outcome and expect.outcome.value,
            "events": str(expect.events),
            "refused": _listed(expect.refused or ()) or None,
        }
        # What is named is checked, and a refusal that nobody expected.
        for name in sorted(expect.model_fields_set | ({"refused"} if refused else set())):
            if found[name] != expected[name]:
                told = (f"{name}: {expected[name] or 'none'}", f"{name}: {found[name] or 'none'}")
                self.failures.append(Failure(None, self.scenario.expect_line, *told))


def _expected(expect: Expect) -> dict[str, str]:
    words = {
        "state": expect.state and expect.state.value,
        "refused": None if expect.refused is None else _listed(expect.refused) or "none",
        "error": expect.error,
        "repeated": "true" if expect.repeated else None,
        "unchanged": "true" if expect.unchanged else None,
    }
    return {name: value for name, value in words.items() if value is not None}


def _listed(codes: tuple[RefusalCode, ...]) -> str:
    return ", ".join(sorted({code.value for code in codes}))
