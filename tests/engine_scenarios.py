"""The scenario files through a service, so that an engine may fire their deadlines.

Time is the scenario's. Where a scenario sweeps, the caller does, by whatever means.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from itertools import islice
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
FILES = (*CORPUS, *sorted(_PARALLEL.glob(f"*{SUFFIX}")))  # there two deadlines may run at once


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
def scenario(number: int) -> Scenario:
    """Read one of the scenarios, and give it a dispute and an order of its own."""
    read = read_scenario(FILES[number])
    ids = {"dispute_id": f"S-{number}", "order_id": f"O-{number}"}
    return replace(read, opening=read.opening.model_copy(update=ids))


@cache
def expected(number: int) -> tuple[AuditEvent, ...]:
    """Return the history of a scenario without any service."""
    return run_scenario(scenario(number)).events


def chosen(size: int, *, whole: bool) -> Iterable[int]:
    """Return all scenarios, or some in which a deadline fires, the same in every run."""
    numbers = range(len(FILES))
    if whole:
        return numbers
    shuffled = Random(size).sample(numbers, len(numbers))
    return islice((number for number in shuffled if expiries(expected(number))), size)


def expiries(history: tuple[AuditEvent, ...]) -> int:
    """Count the deadlines that have fired."""
    return sum(event.command.expires is not None and not event.refused for event in history)


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
