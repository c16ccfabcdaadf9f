"""Alarms: a hook in each transaction that changes a dispute's revision, and what it writes there.

The hook of these tests writes a row for each alarm, as an engine would write a job.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.store import recording
from dispute_fsm.decider.decisions import Accepted, Refused, Repeated, Unchanged
from dispute_fsm.domain.enums import CommandType, EventType, Option
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.errors import ConflictError
from dispute_fsm.service import DisputeService
from dispute_fsm.service.alarms import Alarm, AlarmHook, Transaction
from dispute_fsm.service.sweeper import SweepResult
from dispute_fsm.store.repository import Store
from tests.databases import database
from tests.service_support import AnyOrder, House, Time, house, request
from tests.support import DAY, HOUR, MINUTE, OPENED_AT, choose, command, extension

TICK = timedelta(microseconds=1)
Row = tuple[str, int, str | None]


class HookError(Exception):
    """Raised by a hook on purpose."""


class Jobs:
    """The jobs of an engine, in a table of the same database."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.failing = False
        with store.pool.transaction() as session:
            session.execute(
                "CREATE TABLE jobs (dispute_id text, revision integer, due_at text, "
                "PRIMARY KEY (dispute_id, revision))"
            )

    def set_alarm(self, alarm: Alarm, transaction: Transaction) -> None:
        mark = "?" if transaction.backend == "sqlite" else "%s"
        due_at = alarm.due_at and format_instant(alarm.due_at)
        transaction.execute(
            f"INSERT INTO jobs VALUES ({mark}, {mark}, {mark})",  # noqa: S608 -- placeholders
            [alarm.dispute_id, alarm.revision, due_at],
        )
        if self.failing:
            raise HookError

    def rows(self) -> list[Row]:
        with self.store.pool.take() as session:
            query = "SELECT dispute_id, revision, due_at FROM jobs ORDER BY dispute_id, revision"
            return [tuple(row) for row in session.execute(query).fetchall()]


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


@pytest.fixture
def jobs(home: House) -> Jobs:
    """Let the home's service write its alarms into a table."""
    jobs = Jobs(home.store)
    home.service = DisputeService(home.store, home.orders, clock=home.time, alarms=jobs.set_alarm)
    return jobs


def expected(home: House, dispute_id: str = "D-1") -> list[Row]:
    """Return the alarm of each accepted event of a dispute, from its history."""
    rows: list[Row] = []
    for event in home.service.history(dispute_id):
        if event.type is not EventType.REFUSED:
            due = min(event.deadlines.values(), default=None)
            rows.append((dispute_id, len(rows) + 1, None if due is None else format_instant(due)))
    return rows


# ---- when it is called ---------------------------------------------------------------------------


def test_each_change_of_the_revision_sets_one_alarm(home: House, jobs: Jobs) -> None:
    home.open()
    send = home.service.send
    assert isinstance(send("D-1", extension(OPENED_AT + 2 * DAY)).decision, Accepted)
    answered = choose(Option.OUT_OF_STOCK_REFUND, key="k-1")
    decisions = [send("D-1", answered).decision for _ in range(2)]
    assert [type(one) for one in decisions] == [Accepted, Repeated]
    again = [choose(Option.OUT_OF_STOCK_REFUND), command(CommandType.OBSERVE_ORDER)]
    decisions = [send("D-1", one).decision for one in again]
    assert [type(one) for one in decisions] == [Refused, Unchanged]
    assert len(jobs.rows()) == 3
    home.time.pass_(HOUR)
    assert send("D-1", command(CommandType.CONFIRM_AGREEMENT)).dispute.closed
    rows = jobs.rows()
    assert rows == expected(home)
    assert rows[-1] == ("D-1", 4, None)


def test_an_expiry_sets_an_alarm_whoever_fires_it(home: House, jobs: Jobs) -> None:
    for dispute_id in ("D-1", "D-2"):
        home.open(dispute_id)
        home.service.send(dispute_id, choose(Option.PROVE_NO_FAULT))
    home.open("D-3", rules="parallel")
    home.time.now = OPENED_AT + 9 * DAY
    assert home.service.expire("D-1", revision=2).status == "fired"
    assert home.service.sweep() == SweepResult(fired=3)
    assert jobs.rows() == [row for number in (1, 2, 3) for row in expected(home, f"D-{number}")]
    assert jobs.rows()[-1] == ("D-3", 3, None)


def test_an_alarm_that_is_delivered_fires_its_deadline_and_a_past_one_does_nothing(
    home: House,
) -> None:
    alarms: list[Alarm] = []
    service = DisputeService(
        home.store, home.orders, clock=home.time, alarms=lambda alarm, _: alarms.append(alarm)
    )
    service.open(request())
    service.send("D-1", extension(OPENED_AT + 2 * DAY))
    past, last = alarms
    assert last == Alarm("D-1", 2, OPENED_AT + 2 * DAY)
    assert last.due_at is not None
    home.time.now = last.due_at + TICK
    assert service.expire(past.dispute_id, revision=past.revision).status == "stale"
    assert service.expire(last.dispute_id, revision=last.revision).status == "fired"
    assert service.expire(last.dispute_id, revision=last.revision).status == "stale"
    assert alarms[2:] == [Alarm("D-1", 3, None)]


def test_concurrent_commands_set_one_alarm_for_each_event(home: House, jobs: Jobs) -> None:
    home.open()

    def extend(number: int) -> None:
        while True:
            try:
                home.service.send("D-1", extension(OPENED_AT + DAY + number * MINUTE))
            except ConflictError:
                continue
            return

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(extend, range(1, 9)))
    assert len(jobs.rows()) >= 2
    assert jobs.rows() == expected(home)


def test_the_deadlines_that_run_are_the_alarms_that_are_left(home: House, jobs: Jobs) -> None:
    for number in range(4):
        home.open(f"D-{number}")
    home.service.send("D-1", extension(OPENED_AT + 2 * DAY))
    home.service.send("D-2", command(CommandType.WITHDRAW))
    assert home.service.send("D-3", command(CommandType.CONFIRM_AGREEMENT)).codes
    last = {dispute_id: (revision, due) for dispute_id, revision, due in jobs.rows()}
    assert {
        due.dispute_id: (due.revision, format_instant(due.due_at))
        for due in home.service.due_before(OPENED_AT + 9 * DAY).items
    } == {dispute_id: alarm for dispute_id, alarm in last.items() if alarm[1] is not None}


# ---- the transaction -----------------------------------------------------------------------------


def test_in_a_hosts_transaction_an_alarm_is_committed_or_rolled_back_with_it(
    home: House, jobs: Jobs
) -> None:
    home.open()
    rows = jobs.rows()
    longer = extension(OPENED_AT + 2 * DAY)
    with home.store.engine.connect() as connection, connection.begin() as transaction:
        assert home.service.send("D-1", longer, connection=connection).accepted
        transaction.rollback()
    assert jobs.rows() == rows == expected(home)
    with home.store.engine.begin() as connection:
        assert home.service.send("D-1", longer, connection=connection).accepted
    home.time.now = OPENED_AT + 2 * DAY + TICK
    with home.store.engine.begin() as connection:
        assert home.service.expire("D-1", revision=2, connection=connection).status == "fired"
        assert home.service.open(
            request("D-2"), facts=home.orders.look("O-D-2", home.time.now), connection=connection
        ).accepted
    assert len(expected(home)) == 3
    assert jobs.rows() == expected(home) + expected(home, "D-2")


def test_what_a_hook_raises_reaches_the_caller_and_nothing_is_stored(
    home: House, jobs: Jobs
) -> None:
    home.open()
    longer = extension(OPENED_AT + 2 * DAY)
    jobs.failing = True
    with pytest.raises(HookError):
        home.service.open(request("D-2"))
    with pytest.raises(HookError):
        home.service.send("D-1", longer)
    with pytest.raises(HookError), home.store.engine.begin() as connection:
        home.service.send("D-1", longer, connection=connection)
    home.time.now = OPENED_AT + DAY + TICK
    with pytest.raises(HookError):
        home.service.expire("D-1", revision=1)
    assert home.service.sweep(lease=timedelta(0)) == SweepResult(failed=1)
    assert home.service.get("D-2") is None
    assert len(home.service.history("D-1")) == len(jobs.rows()) == 1
    jobs.failing = False
    home.time.pass_(MINUTE)
    assert home.service.sweep() == SweepResult(fired=1)
    assert jobs.rows() == expected(home)


def test_the_driver_of_a_transaction_is_in_the_same_transaction(home: House, jobs: Jobs) -> None:
    kinds: set[tuple[str, str]] = set()

    def hook(alarm: Alarm, transaction: Transaction) -> None:
        jobs.set_alarm(alarm, transaction)
        count = "SELECT count(*) FROM jobs"
        assert transaction.driver.execute(count).fetchone()[0] == alarm.revision
        assert transaction.execute(count).fetchone()[0] == alarm.revision
        kinds.add((transaction.backend, type(transaction.driver).__module__.partition(".")[0]))

    home.service = DisputeService(home.store, home.orders, clock=home.time, alarms=hook)
    home.open()
    with home.store.engine.begin() as connection:
        home.service.send("D-1", extension(OPENED_AT + 2 * DAY), connection=connection)
    assert len(jobs.rows()) == 2
    assert kinds <= {("sqlite", "sqlite3"), ("postgresql", "psycopg")}


# ---- its cost ------------------------------------------------------------------------------------


@contextmanager
def service_with(url: str, hook: AlarmHook | None) -> Iterator[tuple[DisputeService, Store, Time]]:
    store, time = Store(url), Time()
    try:
        yield DisputeService(store, AnyOrder(), clock=time, alarms=hook), store, time
    finally:
        store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_with_a_hook_that_does_nothing_the_same_statements_run(kind: str, tmp_path: Path) -> None:
    called: list[Alarm] = []
    hooks: list[AlarmHook | None] = [None, lambda alarm, _: called.append(alarm)]
    told: list[list[str]] = []
    for number, hook in enumerate(hooks):
        folder = tmp_path / str(number)
        folder.mkdir()
        with database(kind, folder) as url, service_with(url, hook) as (service, store, time):
            with recording(store) as statements:
                service.open(request())
                service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND, key="k-1"))
                service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND))
                time.now = OPENED_AT + 9 * DAY
                service.sweep()
            told.append([statement for statement, _, _ in statements])
    assert len(called) == 3
    assert told[0] == told[1]
    assert len(told[0]) > 20
