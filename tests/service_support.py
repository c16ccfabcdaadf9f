"""Shared by tests of the store and the service: a service with a test clock and order system."""

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.commands import OpenDispute
from dispute_fsm.domain.enums import Deadline, Option
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.service import DisputeService
from dispute_fsm.store.repository import Store
from dispute_fsm.store.schema import Query
from tests.patience import until
from tests.support import CLAIMABLE, OPENED_AT, choose, opening, voucher


@dataclass
class Time:
    """A clock that stands still until it is told to go on."""

    now: datetime = OPENED_AT

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, by: timedelta) -> None:
        self.now += by


class AnyOrder(InMemoryOrderSystem):
    """An order system that returns the same facts for every order."""

    def __init__(self, shown: Order = CLAIMABLE) -> None:
        super().__init__(name="test")
        self.shown = shown

    def look(self, order_id: str, now: datetime) -> Any:  # noqa: ANN401 -- as the class it extends
        if order_id not in self._orders:
            self.put(order_id, self.shown)
        return super().look(order_id, now)


@dataclass
class House:
    """A service, and what it stands on."""

    service: DisputeService
    store: Store
    orders: AnyOrder
    time: Time

    def open(
        self,
        dispute_id: str = "D-1",
        policy: Policy = DEFAULT_POLICY,
        **changes: Any,  # noqa: ANN401 -- any field of the opening
    ) -> Dispute:
        """Open a dispute about an order of its own; it must be accepted."""
        answer = self.service.open(request(dispute_id, policy, **changes))
        assert isinstance(answer.decision, Accepted)
        return answer.dispute


def settle(store: Store) -> None:
    """Wait until the feed shows every event: on PostgreSQL any open transaction delays it."""
    if store.engine.dialect.name == "sqlite":
        return
    shown = text(
        "SELECT coalesce(max(xid), 0) < pg_snapshot_xmin(pg_current_snapshot())::text::bigint "
        "FROM dispute_events"
    )

    def is_shown() -> bool:
        with store.engine.connect() as connection:
            return bool(connection.execute(shown).scalar_one())

    until(is_shown, "a transaction in this cluster stays open")


def promised(service: DisputeService, dispute_id: str) -> datetime:
    """Promise to ship in a second, by the real clock, or later on a slow machine; return when."""
    ahead = timedelta(seconds=1)
    while True:
        choice = choose(
            Option.SHIP_BY_AGREED_DATE, agreed_until=datetime.now(UTC) + ahead, vouchers=[voucher()]
        )
        answer = service.send(dispute_id, choice)
        if isinstance(answer.decision, Accepted):
            return answer.dispute.running[Deadline.PROMISE]
        ahead *= 2


def request(
    dispute_id: str = "D-1",
    policy: Policy = DEFAULT_POLICY,
    **changes: Any,  # noqa: ANN401 -- any field of the opening
) -> OpenDispute:
    """Make an opening about an order of its own."""
    return opening(policy, **{"dispute_id": dispute_id, "order_id": f"O-{dispute_id}", **changes})


@contextmanager
def house(url: str | URL) -> Generator[House]:
    """Open a service on a database."""
    store, orders, time = Store(url), AnyOrder(), Time()
    try:
        yield House(DisputeService(store, orders, clock=time), store, orders, time)
    finally:
        store.close()


def plan(connection: Connection, statement: Query, values: Mapping[str, Any]) -> list[str]:
    """Return the plan of a query. On PostgreSQL it scans a table only if no index can help."""
    asked = str(
        statement.params(**values).compile(connection, compile_kwargs={"literal_binds": True})
    )
    if connection.dialect.name == "sqlite":
        return [
            str(row.detail) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}")
        ]
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    return [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {asked}")]


def whole_tables(lines: list[str]) -> list[str]:
    """Return the lines of a plan that read a whole table, or sort despite an index."""
    return [
        line
        for line in lines
        if re.search(r"\bSeq Scan\b|\bSort\b|USE TEMP B-TREE|^SCAN \w+$", line)
    ]
