"""DBOS as the alarm clock of a dispute service (extra `dbos`).

    disputes = DbosDisputes(URL, Shop(), sinks={"mail": send})
    DBOS(config={"name": "shop", "system_database_url": URL, "executor_id": HOST})
    DBOS.launch()
    disputes.start()

The store stays the truth; DBOS delivers time and work, at least once. Each alarm is a delayed
workflow that is enqueued in the transaction of the event, in the same database. It names a dispute
and one revision of it, so an alarm that is past does nothing, and one that comes twice fires once.
An alarm never waits within a workflow: where it comes too early, or the order system cannot answer,
the workflow ends and enqueues the next attempt. So a pending deadline costs a row and no thread,
and none is lost with a killed executor or an old application version for longer than the backstop
leaves DBOS the first turn.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from dbos import DBOS, DBOSClient, EnqueueOptions, WorkflowSerializationFormat
from psycopg import sql
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.engine import URL

from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import DisputeError, StoreUnavailableError
from dispute_fsm.handler import StampMaker, fresh_stamp
from dispute_fsm.log import log
from dispute_fsm.orders import OrderSystem
from dispute_fsm.service import DisputeService
from dispute_fsm.service.alarms import Alarm, Transaction
from dispute_fsm.service.command_handler import Clock
from dispute_fsm.service.consumer import Sink
from dispute_fsm.service.sweeper import LEASE
from dispute_fsm.store.address import POSTGRESQL
from dispute_fsm.store.repository import Store

QUEUE = "disputes"
"""The queue of the alarms."""

EXPIRE, DELIVER = "dispute_fsm.expire", "dispute_fsm.deliver"
"""The workflows, and the schedule of the second one, by name."""

CONCURRENCY = 8
"""How many alarms an executor works on at once; each needs a connection of the store."""

BEHIND = timedelta(minutes=2)
"""How long after its instant the backstop fires a deadline that DBOS has not."""

FEED_SCHEDULE = "*/5 * * * * *"
"""How often the feed is delivered: a cron expression, the seconds first."""

_POLL_SECONDS = 0.2
"""How often an executor looks for alarms; each time it takes up to its concurrency."""

_STEP_ATTEMPTS = 1_000
"""How often DBOS tries an alarm while the database is unavailable, before the backstop has to."""

_MARGIN_MS = 2
"""A deadline is inclusive, and DBOS cuts an instant to milliseconds."""

_AFTER_ALL = datetime(2399, 12, 31, tzinfo=UTC)
"""No deadline that the package accepts is due later."""

_PAUSE, _DOUBLINGS = timedelta(seconds=1), 6
"""How long after a failure the next attempt comes: at first, and how often it is doubled."""


class DbosDisputes:
    """A `DisputeService` whose deadlines and feed are worked off by DBOS, on one database.

    Make it before `DBOS.launch()`: it creates the tables of both, so that the first command finds
    them, and registers its workflows. A process that only sends commands needs no more; one that
    works off alarms also calls `start`. All executors of an application name the same `sinks`, by
    the names of their consumers.

    `url` is the database of the disputes, and the system database of DBOS; `schema` is DBOS's
    schema there, on PostgreSQL. `orders`, `clock` and `stamp` are as in `DisputeService`. With a
    `clock` of the host's, an alarm is due when as much real time has passed as that clock is to
    run. `concurrency` is how many alarms an executor works on at once, `behind` how long after its
    instant the backstop fires a deadline that DBOS has not, `lease` how long another process leaves
    a dead one its deadlines and its feed, and `feed_schedule` a cron expression, the seconds first.

    Raises what `Store` raises, and DBOS's error where its tables cannot be created.
    """

    def __init__(  # noqa: PLR0913 -- what a host may choose, by name
        self,
        url: str | URL,
        orders: OrderSystem,
        *,
        sinks: Mapping[str, Sink] = FrozenMap(),
        clock: Clock | None = None,
        stamp: StampMaker = fresh_stamp,
        schema: str = "dbos",
        concurrency: int = CONCURRENCY,
        behind: timedelta = BEHIND,
        lease: timedelta = LEASE,
        feed_schedule: str = FEED_SCHEDULE,
    ) -> None:
        self.store = Store(url)
        self.service = DisputeService(
            self.store, orders, clock=clock, stamp=stamp, alarms=self.set_alarm
        )
        self._clock = clock
        self._concurrency = concurrency
        self._feed_schedule = feed_schedule
        self.consumers = {
            name: self.service.consumer(name, sink, lease=lease) for name, sink in sinks.items()
        }
        self._enqueue = _enqueuer(self.store, schema)
        self._backstop = self.service.sweeper(behind=behind, lease=lease)
        self._thread = threading.Thread(
            target=self._backstop.run, name="dispute-backstop", daemon=True
        )
        self._feed = self._register()

    def _register(self) -> Callable[[datetime, Any], None]:
        """Register the workflows; return that of the feed. They return codes."""

        @DBOS.step(name=f"{EXPIRE}.step", retries_allowed=True, max_attempts=_STEP_ATTEMPTS)
        def step(dispute_id: str, revision: int, number: int) -> str:
            return self._expire(_Attempt(dispute_id, revision, number))

        @DBOS.workflow(name=EXPIRE)
        def expire(dispute_id: str, revision: int, number: int) -> str:  # pyright: ignore[reportUnusedFunction] -- DBOS calls it by its name
            return step(dispute_id, revision, number)

        @DBOS.workflow(name=DELIVER)
        def deliver(_scheduled_at: datetime, _context: Any) -> None:  # noqa: ANN401 -- as DBOS has it
            self._deliver()

        return deliver

    # ---- alarms ----------------------------------------------------------------------------------

    def set_alarm(self, alarm: Alarm, transaction: Transaction) -> None:
        """Enqueue an alarm in the transaction of its event: the `alarms` of the service."""
        if alarm.due_at is not None:
            at = alarm.due_at
            if self._clock is not None:
                at = datetime.now(UTC) + (at - self._clock())
            self._enqueue(transaction, _Attempt(alarm.dispute_id, alarm.revision), at)

    def adopt(self) -> int:
        """Enqueue an alarm for every running deadline; return how many deadlines there are.

        For disputes whose deadlines had another timer so far. It may be called at any time, also
        while a sweeper runs: what is enqueued already stays as it is.
        """
        number, cursor = 0, None
        while True:
            page = self.service.due_before(_AFTER_ALL, cursor=cursor)
            with self.store.pool.transaction() as session:
                for due in page.items:  # of a dispute with several, the first one due comes first
                    self.set_alarm(Alarm(due.dispute_id, due.revision, due.due_at), session)
            number += len(page.items)
            cursor = page.cursor
            if cursor is None:
                return number

    def _expire(self, attempt: "_Attempt") -> str:
        """Work off an alarm, and enqueue its next attempt where there has to be one.

        Returns `fired`, `stale`, `early` or `pending`. Raises `StoreUnavailableError`.
        """
        try:
            expiry = self.service.expire(attempt.dispute_id, revision=attempt.revision)
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 -- a host's order system may raise anything, and DBOS would end the workflow and store the text
            log().warning(
                "alarm_pending", dispute_id=attempt.dispute_id, error=type(error).__name__
            )
            status, pause = "pending", attempt.pause
        else:
            if expiry.early_by is None:
                return expiry.status
            status, pause = expiry.status, expiry.early_by
        with self.store.pool.transaction() as session:
            self._enqueue(session, attempt.next, datetime.now(UTC) + pause)
        return status

    # ---- the feed --------------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Deliver to each sink what there is. Where one cannot take it, the next tick continues."""
        for consumer in self.consumers.values():
            try:
                while consumer.deliver().more:
                    pass
            except DisputeError as error:
                log().warning(
                    "delivery_interrupted", consumer=consumer.name, error=type(error).__name__
                )

    # ---- running ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Work off alarms and deliver the feed in this process, after `DBOS.launch()`.

        The backstop runs beside DBOS, in a thread of its own. Raises DBOS's error where DBOS is not
        launched.
        """
        DBOS.register_queue(
            QUEUE, worker_concurrency=self._concurrency, polling_interval_sec=_POLL_SECONDS
        )
        if self.consumers:
            DBOS.apply_schedules(
                [
                    {
                        "schedule_name": DELIVER,
                        "workflow_fn": self._feed,
                        "schedule": self._feed_schedule,
                        "context": None,
                    }
                ]
            )
        self._thread.start()

    def close(self) -> None:
        """Stop the backstop and close the connections of the store; DBOS is ended by the host."""
        self._backstop.stop()
        if self._thread.is_alive():
            self._thread.join()
        self.store.close()


# ---- one row, in the transaction of another ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt to expire one revision of a dispute: the arguments of its workflow."""

    dispute_id: str
    revision: int
    number: int = 0

    @property
    def workflow_id(self) -> str:
        """The id of its workflow: enqueued again, it stays as it is."""
        if self.number == 0:
            return f"due:{self.dispute_id}:{self.revision}"
        return f"again:{self.dispute_id}:{self.revision}:{self.number}"

    @property
    def next(self) -> "_Attempt":
        return replace(self, number=self.number + 1)

    @property
    def pause(self) -> timedelta:
        """How long after it failed the next one comes."""
        return _PAUSE * (1 << min(self.number, _DOUBLINGS))


_Enqueue = Callable[[Transaction, _Attempt, datetime], None]
"""Writes the workflow of an attempt, delayed until an instant."""


def _enqueuer(store: Store, schema: str) -> _Enqueue:
    """Create the tables of DBOS, and return what enqueues there."""
    url = store.address.url.render_as_string(hide_password=False)
    DBOS.migrate(url, schema=schema)
    if store.address.dialect.name == POSTGRESQL:
        return partial(_enqueue_on_postgresql, _ENQUEUE.format(sql.Identifier(schema)).as_string())
    return partial(_enqueue_on_sqlite, _BorrowedEngine())


def _delay_until(at: datetime) -> int:
    """Return an instant in milliseconds, a little later: a deadline is inclusive."""
    return max(0, int(at.timestamp() * 1000) + _MARGIN_MS)


# Never with `app_version`: a workflow without one is run by the newest version there is.
_ENQUEUE = sql.SQL(
    "SELECT {}.enqueue_workflow(workflow_name => %s, queue_name => %s, named_args => %s,"
    " workflow_id => %s, delay_until_epoch_ms => %s)"
)


def _enqueue_on_postgresql(
    statement: str, transaction: Transaction, attempt: _Attempt, at: datetime
) -> None:
    arguments = json.dumps(asdict(attempt))
    values = (EXPIRE, QUEUE, arguments, attempt.workflow_id, _delay_until(at))
    transaction.execute(statement, values)


class _Borrowed:
    """A connection of the driver within a transaction that SQLAlchemy must not end."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- as the driver's
        return getattr(self._driver, name)

    def commit(self) -> None:
        """Leave the transaction as it is."""

    rollback = close = commit


class _BorrowedEngine:
    """DBOS's client, on connections that have a transaction already."""

    def __init__(self) -> None:
        self._borrowed = threading.local()
        self.engine = create_engine(
            "sqlite://", creator=lambda: self._borrowed.connection, poolclass=NullPool
        )
        self.client = DBOSClient(system_database_engine=self.engine, lazy=True)

    def connect(self, driver: sqlite3.Connection) -> Connection:
        self._borrowed.connection = _Borrowed(driver)
        return self.engine.connect()


def _enqueue_on_sqlite(
    borrowed: _BorrowedEngine, transaction: Transaction, attempt: _Attempt, at: datetime
) -> None:
    options: EnqueueOptions = {
        "workflow_name": EXPIRE,
        "queue_name": QUEUE,
        "workflow_id": attempt.workflow_id,
        "delay_seconds": _delay_until(at) / 1000 - time.time(),
        "serialization_type": WorkflowSerializationFormat.PORTABLE,
    }
    with borrowed.connect(transaction.driver) as connection:
        borrowed.client.enqueue_in_transaction(connection, options, **asdict(attempt))
