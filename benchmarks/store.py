"""What the service costs beyond the database: its own statements, run again by the bare driver.

    python -m benchmarks.store [--commands N] [--disputes N] [--rounds R]

SQLite in a temporary folder, and the PostgreSQL at DISPUTE_FSM_TEST_POSTGRES, in schemas of its
own. A command is one full command: loaded, decided, and written with key, head, event, projection
and deadline in one commit. Three databases begin the same: in the first the statements are
recorded, in the second the driver runs them, in the third the service does, in turns. Of an import
both sides read and check the file. Exit code 1 where a bound is missed.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from uuid import uuid4

import psycopg
import structlog
from psycopg import sql
from sqlalchemy.engine import Dialect, make_url

from dispute_fsm.decider.hash_chain import Stamp, derived_stamp
from dispute_fsm.domain.commands import ChooseOption, Command, OpenDispute, merchant
from dispute_fsm.domain.enums import Option
from dispute_fsm.domain.facts import Order
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.reader import steps
from dispute_fsm.history.replay import rare_garbage_collection
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.service import DisputeService
from dispute_fsm.store.import_export import import_history
from dispute_fsm.store.repository import Store
from dispute_fsm.store.session import Session

BOUNDS = {
    "sqlite, a full command": 0.5,
    "sqlite, an import": 0.6,
    "postgresql, a full command": 0.6,
    "postgresql, an import": 0.6,
}
"""The least that the throughput may be, as a part of the bare driver's."""

SERVER = os.environ.get("DISPUTE_FSM_TEST_POSTGRES", "postgresql+psycopg:///test")
OPENED_AT = datetime(2023, 3, 28, 2, tzinfo=UTC)
ANSWERED_AT = OPENED_AT + timedelta(hours=1)
TURN = 1
"""How many commands are a turn: one, so that what else the machine does meets both alike."""

Recorded = tuple[str, Any, bool]
"""A statement as the driver gets it, its parameters, and whether these are many."""


@dataclass(frozen=True, slots=True)
class Base:
    """A store, and the service on it, whose ids, salts and time are the same in each database."""

    store: Store
    service: DisputeService


@contextmanager
def bases(kind: str, folder: Path, number: int) -> Generator[list[Base]]:
    """Make empty databases of a kind."""
    with ExitStack() as stack:
        made: list[Base] = []
        for _ in range(number):
            url = (
                f"sqlite:///{folder / uuid4().hex}.db"
                if kind == "sqlite"
                else stack.enter_context(schema())
            )
            store = Store(url)
            stack.callback(store.close)
            orders = InMemoryOrderSystem()
            shown = Order.model_validate({"paid_at": OPENED_AT - timedelta(days=3)})
            orders.look = partial(_shows, shown)  # type: ignore[method-assign]  # the same of every order
            made.append(
                Base(store, DisputeService(store, orders, clock=lambda: ANSWERED_AT, stamp=_stamp))
            )
        yield made


@cache
def _stamp(dispute_id: str, seq: int) -> Stamp:
    return derived_stamp(OPENED_AT, dispute_id, seq)


def _shows(shown: Order, order_id: str, now: datetime) -> Any:  # noqa: ANN401 -- the facts
    return InMemoryOrderSystem({order_id: shown}).look(order_id, now)


@contextmanager
def schema() -> Generator[str]:
    """Make a schema in the PostgreSQL at hand, and drop it afterwards."""
    name = f"dispute_bench_{uuid4().hex[:12]}"
    server = make_url(SERVER).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    try:
        yield (
            make_url(SERVER)
            .update_query_dict({"options": f"-csearch_path={name}"})
            .render_as_string(hide_password=False)
        )
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


@contextmanager
def recording(store: Store) -> Generator[list[Recorded]]:
    """Record what the driver is told."""
    told: list[Recorded] = []

    def listening(session: Session, driver: Any, dialect: Dialect) -> None:  # noqa: ANN401 -- a driver's
        made(session, driver, dialect)
        really = session.execute

        def execute(statement: str, parameters: Any = ()) -> Any:  # noqa: ANN401 -- as above
            told.append((statement, parameters, False))
            return really(statement, parameters)

        session.execute = execute

    def many(session: Session, statement: str, parameters: Any) -> int:  # noqa: ANN401 -- as above
        told.append((statement, parameters, True))
        return really_many(session, statement, parameters)

    made, kind = Session.__init__, store.pool.kind
    really_many = kind.many
    Session.__init__, kind.many = listening, many  # type: ignore[assignment, method-assign]  # names of parameters differ
    store.pool.close()  # so that those which come now are heard
    try:
        yield told
    finally:
        Session.__init__, kind.many = made, really_many  # type: ignore[method-assign]


@contextmanager
def bare(store: Store) -> Generator[Any]:
    """Give a connection of the driver, set up as the store's are."""
    with closing(store.address.connect()) as connection:
        yield connection


def run_bare(connection: Any, statements: list[Recorded]) -> None:  # noqa: ANN401 -- a driver's
    """Run statements by the driver alone, and commit."""
    for statement, parameters, many in statements:
        cursor = connection.cursor()
        if many:
            cursor.executemany(statement, parameters)
        else:
            cursor.execute(statement, parameters)
        if statement.startswith("SELECT"):
            cursor.fetchall()
        cursor.close()
    connection.commit()


# ---- a command -----------------------------------------------------------------------------------


def opening(number: int) -> OpenDispute:
    """Make the opening of a dispute."""
    ids: dict[str, Any] = {
        "dispute_id": f"D-{number}",
        "order_id": f"O-{number}",
        "merchant_id": f"M-{number % 97}",
        "consumer_id": f"C-{number}",
    }
    return OpenDispute(**ids)


def asked(number: int) -> tuple[str, Command]:
    """Make the merchant's answer to it."""
    return f"D-{number}", ChooseOption(
        by=merchant(f"M-{number % 97}"), option=Option.OUT_OF_STOCK_REFUND, key=f"k-{number}"
    )


def commands(kind: str, folder: Path, number: int) -> float:
    """Compare commands of the service with the same statements by the driver."""
    with bases(kind, folder, 3) as (first, second, third):
        for base in (first, second, third):
            for each in range(number):
                base.service.open(opening(each))
            base.service.send(*asked(0))
        statements: list[list[Recorded]] = []
        with recording(first.store) as told:
            for each in range(1, number):
                told.clear()
                first.service.send(*asked(each))
                statements.append(list(told))
        shown = [statement.split("\n")[0][:60] for statement, _, _ in statements[-1]]
        wait = (
            f"{len(shown)} statements: "
            f"{', '.join(dict.fromkeys(one.split()[0] + ' ' + _table(one) for one in shown))}"
        )
        asks = [
            asked(each) for each in range(1, number)
        ]  # who asks makes these, as the driver's parameters are at hand
        by_driver: list[float] = []
        by_service: list[float] = []
        with bare(second.store) as connection, rare_garbage_collection():
            for begin in range(0, number - 1 - TURN, TURN):
                began = perf_counter()
                for each in range(begin, begin + TURN):
                    run_bare(connection, statements[each])
                between = perf_counter()
                for each in range(begin, begin + TURN):
                    third.service.send(*asks[each])
                by_driver.append(between - began)
                by_service.append(perf_counter() - between)
        same = second.service.get("D-7") == third.service.get("D-7")
        assert same, "the two sides did not do the same"  # noqa: S101 -- else the numbers would say nothing
    driver, service = median(by_driver) / TURN, median(by_service) / TURN
    sys.stdout.write(f"{kind}: {wait}\n")
    sys.stdout.write(
        f"{kind}: a command {service * 1e6:.0f} us, the driver alone {driver * 1e6:.0f} us "
        f"(medians of {len(by_driver)} turns)\n"
    )
    return float(driver / service)


def _table(statement: str) -> str:
    words = statement.replace('"', "").split()
    return next((word for word in words if word.startswith("dispute")), "").split(".")[0]


# ---- an import -----------------------------------------------------------------------------------


def imports(kind: str, folder: Path, disputes: int, rounds: int) -> float:
    """Compare an import with parsing as strictly, and with the same statements by the driver."""
    path = folder / f"{kind}.history.jsonl"
    write_history(path, generate(disputes, 1))
    events = sum(1 for _ in steps(str(path)))

    def brought(base: Base) -> float:
        began = perf_counter()
        with path.open("rb") as stream, base.store.pool.transaction() as session:
            import_history(base.store, session, stream, str(path))
        return perf_counter() - began

    def by_driver(base: Base, statements: list[Recorded]) -> tuple[float, float]:
        began = perf_counter()
        for _ in steps(str(path)):
            pass
        read = perf_counter() - began
        with bare(base.store) as connection:
            began = perf_counter()
            run_bare(connection, statements)
            return read, perf_counter() - began

    found: list[tuple[float, float, float]] = []
    with bases(kind, folder, 1) as (first,), rare_garbage_collection():
        with recording(first.store) as told:
            brought(first)
        for _ in range(rounds):
            with bases(kind, folder, 2) as (second, third):
                read, wrote = by_driver(second, list(told))
                found.append((read, wrote, brought(third)))
    read, wrote, service = (min(times) for times in zip(*found, strict=True))
    sys.stdout.write(
        f"{kind}: an import of {events} events {service:.2f} s; reading it {read:.2f} s, the "
        f"driver alone {wrote:.2f} s "
        f"(writing alone: {wrote / max(service - read, 1e-9):.2f} of the driver's throughput)\n"
    )
    return float((read + wrote) / service)


def measured(folder: Path, asked_for: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """Go through all ratios."""
    ways: dict[str, Callable[[str], float]] = {
        "a full command": lambda kind: commands(kind, folder, asked_for.commands),
        "an import": lambda kind: imports(kind, folder, asked_for.disputes, asked_for.rounds),
    }
    for kind in ("sqlite", "postgresql"):
        for name, way in ways.items():
            yield f"{kind}, {name}", way(kind)


def main() -> int:
    """Measure and compare; returns the exit code."""
    arguments = argparse.ArgumentParser(
        description="Measures what the service costs beyond the database."
    )
    arguments.add_argument(
        "--commands", type=int, default=500, help="how many commands are measured"
    )
    arguments.add_argument(
        "--disputes", type=int, default=1_000, help="how many disputes are brought in"
    )
    arguments.add_argument("--rounds", type=int, default=3, help="how often an import is measured")
    asked_for = arguments.parse_args()
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(
        wrapper_class=quiet, cache_logger_on_first_use=True
    )  # as a host does that cares
    missed = False
    with TemporaryDirectory() as name:
        for what, ratio in measured(Path(name), asked_for):
            missed |= ratio < BOUNDS[what]
            sys.stdout.write(
                f"{'ok  ' if ratio >= BOUNDS[what] else 'MISS'} {what}: {ratio:.2f} (at least "
                f"{BOUNDS[what]})\n"
            )
            sys.stdout.flush()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
