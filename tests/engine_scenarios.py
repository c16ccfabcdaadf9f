"""Plays scenario files through a `DisputeService`, whatever fires its deadlines.

The service's clock is the scenario's. Shared by the tests of the engines.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from dispute_fsm.decider.dispute import next_due
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.errors import OrderSystemUnavailableError
from dispute_fsm.handler import Expiry
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.scenarios.model import Availability, FactsChange, Scenario, Sweep
from dispute_fsm.scenarios.reader import SUFFIX
from dispute_fsm.scenarios.runner import order_system
from dispute_fsm.service import DisputeService
from dispute_fsm.store.repository import Store
from tests.service_support import Time
from tests.support import ROOT

FILES = tuple(
    file
    for folder in (ROOT / "examples", ROOT / "tests" / "scenarios")
    for file in sorted(folder.rglob(f"*{SUFFIX}"))
    if "invalid" not in file.parts
)
"""The whole corpus: the examples for people, and the scenarios of the tests."""


def named(file: Path) -> str:
    return f"{file.parent.name}/{file.name.removesuffix(SUFFIX)}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call of `expire`: for which dispute and revision, and at what time of the scenario."""

    dispute_id: str
    revision: int | None
    at: datetime


class ObservedService(DisputeService):
    """A service that notes every call of `expire`, and the result of each that has one."""

    attempts: list[Attempt]
    expiries: list[Expiry]
    time: Time

    def expire(
        self, dispute_id: str, *, revision: int | None = None, connection: Connection | None = None
    ) -> Expiry:
        attempt = Attempt(dispute_id, revision, self.time.now)
        try:
            expiry = super().expire(dispute_id, revision=revision, connection=connection)
            self.expiries.append(expiry)
            return expiry
        finally:
            self.attempts.append(attempt)


@dataclass
class Stage:
    """A scenario, and the service that it is played through."""

    scenario: Scenario
    service: ObservedService
    orders: InMemoryOrderSystem
    time: Time

    @property
    def dispute_id(self) -> str:
        return self.scenario.opening.dispute_id

    @property
    def history(self) -> tuple[AuditEvent, ...]:
        return self.service.history(self.dispute_id)

    def play(self) -> Iterator[bool]:
        """Take step by step. True: all deadlines that have passed are to be fired now."""
        self.time.now = self.scenario.opened_at
        if self.service.open(self.scenario.opening).codes:
            return
        yield False
        for step in self.scenario.steps:
            self.time.now = step.at
            match step.action:
                case FactsChange(order):
                    self.orders.put(self.scenario.opening.order_id, order)
                case Availability(available):
                    self.orders.available = available
                case Sweep():
                    yield True
                    continue
                case command:
                    with suppress(OrderSystemUnavailableError):
                        self.service.send(self.dispute_id, command)
            yield False

    def sweep(self) -> int:
        """Fire them by the service's own sweep; returns how many."""
        # no claim outlives the sweep: scenarios may sweep again within a minute
        return self.service.sweep(lease=timedelta(microseconds=1)).fired

    def due(self) -> tuple[int, datetime] | None:
        """Return the dispute's revision, and when its first running deadline is due."""
        dispute = self.service.get(self.dispute_id)
        due = None if dispute is None else next_due(dispute)
        return None if dispute is None or due is None else (dispute.revision, due[1])


@contextmanager
def stage(scenario: Scenario, url: str) -> Generator[Stage]:
    """Open a service on an empty database for a scenario."""
    store, time = Store(url), Time(scenario.opened_at)
    orders = order_system(scenario.opening.order_id, scenario.order)
    service = ObservedService(
        store, orders, clock=time, stamp=lambda of, seq: derived_stamp(time.now, of, seq)
    )
    service.attempts, service.expiries, service.time = [], [], time
    try:
        yield Stage(scenario, service, orders, time)
    finally:
        store.close()
