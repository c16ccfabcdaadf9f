"""The scenario files through a service, so that an engine may fire their deadlines.

Time is the scenario's. Where a scenario sweeps, the caller does, by whatever means.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from random import Random

from dispute_fsm.decider.hash_chain import Stamp, derived_stamp
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.errors import OrderSystemUnavailableError
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.scenarios.model import Availability, FactsChange, Scenario, Sweep
from dispute_fsm.scenarios.reader import SUFFIX, read_scenario
from dispute_fsm.scenarios.runner import order_system, run_scenario
from dispute_fsm.service import DisputeService
from tests.service_support import Time
from tests.support import CORPUS, ROOT

_PARALLEL = ROOT / "tests" / "scenarios" / "parallel"
_FILES = (*CORPUS, *sorted(_PARALLEL.glob(f"*{SUFFIX}")))  # there two deadlines may run at once


@dataclass(frozen=True, slots=True)
class Shop:
    """The order system of all scenarios, each with an order of its own."""

    orders: dict[str, InMemoryOrderSystem] = field(default_factory=dict[str, InMemoryOrderSystem])

    def look(self, order_id: str, now: datetime) -> OrderFacts | None:
        return self.orders[order_id].look(order_id, now)


def stamp_at(time: Time) -> Callable[[str, int], Stamp]:
    """Return what stamps events as scenarios do."""
    return lambda dispute_id, seq: derived_stamp(time(), dispute_id, seq)


@cache
def scenarios() -> tuple[Scenario, ...]:
    """Return all scenarios, each with a dispute and an order of its own."""
    return tuple(_numbered(number, read_scenario(path)) for number, path in enumerate(_FILES))


def sample(number: int) -> list[Scenario]:
    """Return some of the scenarios in which a deadline fires, the same in every run."""
    return Random(number).sample([one for one in scenarios() if expiries(expected(one))], number)


def expiries(history: tuple[AuditEvent, ...]) -> int:
    """Count the deadlines that have fired."""
    return sum(event.command.expires is not None and not event.refused for event in history)


def _numbered(number: int, scenario: Scenario) -> Scenario:
    ids = {"dispute_id": f"S-{number}", "order_id": f"O-{number}"}
    return replace(scenario, opening=scenario.opening.model_copy(update=ids))


@cache
def expected(scenario: Scenario) -> tuple[AuditEvent, ...]:
    """Return the history of a scenario without any service."""
    return run_scenario(scenario).events


@dataclass(frozen=True, slots=True)
class Player:
    """Plays scenarios through a service; `sweep` fires what has passed of a dispute."""

    service: DisputeService
    shop: Shop
    time: Time
    sweep: Callable[[str], None]

    def play(self, scenario: Scenario) -> tuple[AuditEvent, ...]:
        """Play a scenario to its end, and return the history of its dispute."""
        dispute_id, order_id = scenario.opening.dispute_id, scenario.opening.order_id
        orders = self.shop.orders[order_id] = order_system(order_id, scenario.order)
        self.time.now = scenario.opened_at
        if self.service.open(scenario.opening).dispute_or_none is None:
            return ()
        for step in scenario.steps:
            match step.action:
                case FactsChange(order):
                    orders.put(order_id, order)
                case Availability(available):
                    orders.available = available
                case Sweep():
                    self.time.now = step.at
                    self.sweep(dispute_id)
                case command:
                    self.time.now = step.at
                    with suppress(OrderSystemUnavailableError):
                        self.service.send(dispute_id, command)
        return self.service.history(dispute_id)
