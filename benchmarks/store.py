"""What the service costs beyond the database: its own statements, run again by the bare driver.

SQLite, and the PostgreSQL at DISPUTE_FSM_TEST_POSTGRES, in schemas of its
own. A command is one full command: loaded, decided, and written with key, head, event, projection
and deadline in one commit. The databases begin the same: in the first the statements are recorded,
in the second the driver runs them, in the third the service does, in turns; in the fourth the store
loads a dispute and appends an event that was decided before. Of an import both sides read and check
the file.

A commit waits for the disk, and the slower the disk, the less the rest counts. So commands are
measured once more where nobody waits: SQLite's folder is in memory, if there is such a folder, and
PostgreSQL commits without waiting.
"""

import os
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import Dialect, make_url

from benchmarks.measure import Report, Work, interleaved, quantity
from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.hash_chain import Stamp, derived_stamp
from dispute_fsm.domain.commands import ChooseOption, Command, OpenDispute, merchant
from dispute_fsm.domain.enums import Option
from dispute_fsm.domain.facts import Order
from dispute_fsm.handler import Result
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.reader import steps
from dispute_fsm.history.replay import rare_garbage_collection
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.service import DisputeService
from dispute_fsm.store.import_export import import_history
from dispute_fsm.store.repository import Store
from dispute_fsm.store.session import Session

KINDS = ("sqlite", "postgresql")
SERVER = os.environ.get("DISPUTE_FSM_TEST_POSTGRES", "postgresql+psycopg:///test")
OPENED_AT = datetime(2023, 3, 28, 2, tzinfo=UTC)
ANSWERED_AT = OPENED_AT + timedelta(hours=1)
Recorded = tuple[str, Any, bool]
"""A statement as the driver gets it, its parameters, and whether these are many."""


@dataclass(frozen=True, slots=True)
class Base:
    """A store, and the service on it, whose ids, salts and time are the same in each database."""

    store: Store
    service: DisputeService


@contextmanager
def bases(kind: str, folder: Path, number: int, *, options: str = "") -> Generator[list[Base]]:
    """Make empty databases of a kind; `options` are PostgreSQL's."""
    with ExitStack() as stack:
        made: list[Base] = []
        for _ in range(number):
            url = (
                f"sqlite:///{folder / uuid4().hex}.db"
                if kind == "sqlite"
                else stack.enter_context(schema(options))
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
def schema(options: str = "") -> Generator[str]:
    """Make a schema in the PostgreSQL at hand, and drop it afterwards."""
    name = f"dispute_bench_{uuid4().hex[:12]}"
    server = make_url(SERVER).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    try:
        yield (
            make_url(SERVER)
            .update_query_dict({"options": f"-csearch_path={name} {options}"})
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


def measure_commands(report: Report, kind: str, folder: Path, *, waits: bool) -> None:
    """Compare commands of the service with the same statements by the driver."""
    number = report.sizes["commands"] + 2  # the first is answered before, the second warms up
    asks = [asked(each) for each in range(number)]
    options = "" if waits else "-csynchronous_commit=off"
    with bases(kind, folder, 4, options=options) as (first, second, third, fourth):
        for base in (first, second, third, fourth):
            for each in range(number):
                base.service.open(opening(each))
            base.service.send(*asks[0])
        statements: list[list[Recorded]] = []
        decided: list[Appended] = []
        with recording(first.store) as told:
            for dispute_id, command in asks[1:]:
                before = first.service.get(dispute_id)
                told.clear()
                result = first.service.send(dispute_id, command)
                statements.append(list(told))
                assert before is not None  # noqa: S101 -- it was opened above
                decided.append(Appended(before, result))
        with bare(second.store) as connection, rare_garbage_collection():

            def raw(turn: int) -> int:
                run_bare(connection, statements[turn])
                return 1

            def sent(turn: int) -> int:
                third.service.send(*asks[turn + 1])
                return 1

            works: dict[str, Work] = {
                "raw": raw,
                "command": sent,
                "append": lambda turn: load_and_append(fourth.store, decided[turn]),
            }
            samples = interleaved(works, number - 2, perf_counter)
        same = second.service.get("D-7") == third.service.get("D-7") == fourth.service.get("D-7")
        assert same, "the sides did not do the same"  # noqa: S101 -- else it says nothing
    where = kind if waits else f"{kind} without waiting for a disk"
    what = f"{len(statements[-1])} statements; {number - 2} commands in turns, by the clock"
    report.add(f"{where}: the statements of a command alone", samples.median("raw"), "s", what)
    report.add(f"{where}: a full command", samples.median("command"), "s")
    report.add(f"{where}: load and append", samples.median("append"), "s")
    flush = f"a flush to this disk takes {quantity(flush_time(folder), 's')}" if waits else ""
    report.add(command_row(where), samples.ratio("raw", "command"), note=flush)


def command_row(where: str) -> str:
    """Name the row of the full command."""
    return f"{where}: a full command, throughput / that of its statements alone"


class Appended(NamedTuple):
    """A dispute, and what a command to it came to."""

    before: Dispute
    result: Result


def load_and_append(store: Store, appended: Appended) -> int:
    """Load a dispute and append an event of it that was decided before, as the service does."""
    before, result = appended
    decision = result.decision
    assert isinstance(decision, Accepted)  # noqa: S101 -- every one of these commands is
    with store.pool.take() as session:
        loaded = store.load(session, before.dispute_id)
        assert loaded is not None  # noqa: S101 -- it was opened before
        with session.transaction():
            store.append(session, loaded.dispute, decision.event, result.dispute, decision.hashed)
    return 1


# ---- an import -----------------------------------------------------------------------------------


def measure_import(report: Report, kind: str, folder: Path) -> None:
    """Compare an import with parsing as strictly, and with the same statements by the driver."""
    path = folder / f"{kind}.history.jsonl"
    write_history(path, generate(report.sizes["imported"], 1))
    events = sum(1 for _ in steps(str(path)))

    def imported(base: Base) -> int:
        with path.open("rb") as stream, base.store.pool.transaction() as session:
            import_history(base.store, session, stream, str(path))
        return events

    def read(_turn: int) -> int:
        return sum(1 for _ in steps(str(path)))

    rounds = max(2, report.sizes["rounds"] // 5)
    with bases(kind, folder, 1 + 2 * (rounds + 1)) as (first, *others):
        with recording(first.store) as told:
            imported(first)
        statements = list(told)
        by_driver, by_service = others[::2], others[1::2]

        def wrote(turn: int) -> int:
            with bare(by_driver[turn].store) as connection:
                run_bare(connection, statements)
            return events

        works: dict[str, Work] = {
            "read": read,
            "wrote": wrote,
            "imported": lambda turn: imported(by_service[turn]),
        }
        with rare_garbage_collection():
            samples = interleaved(works, rounds, perf_counter)
    alone = samples.median("read") + samples.median("wrote")
    report.add(f"{kind}: an imported event", samples.median("imported"), "s", f"of {events}")
    report.add(f"{kind}: reading it, and the statements alone", alone, "s")
    report.add(import_row(kind), alone / samples.median("imported"))


def import_row(kind: str) -> str:
    """Name the row of the import."""
    return f"{kind}: an import, throughput / that of reading and its statements alone"


def measure(report: Report, folder: Path) -> None:
    """Measure commands and imports on both databases."""
    with memory_folder() as in_memory:
        for kind in KINDS:
            measure_commands(report, kind, folder, waits=True)
            measure_commands(report, kind, in_memory, waits=False)
            measure_import(report, kind, folder)


def flush_time(folder: Path) -> float:
    """Return how long the disk takes to keep a page."""

    def flush(_turn: int) -> int:
        with (folder / "flushed").open("wb") as file:
            file.write(b"." * 4096)
            file.flush()
            os.fsync(file.fileno())
        return 1

    return interleaved({"flush": flush}, 20, perf_counter).median("flush")


@contextmanager
def memory_folder() -> Generator[Path]:
    """Make a folder in memory, or a temporary one where there is none."""
    shared = Path("/dev/shm")  # noqa: S108 -- a folder of our own in it
    with TemporaryDirectory(dir=shared if shared.is_dir() else None) as name:
        yield Path(name)
