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

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from dbos import DBOS
from sqlalchemy.engine import URL

from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.engines.dbos_queue import EXPIRE, QUEUE, AlarmAttempt, enqueuer
from dispute_fsm.errors import DisputeError, StoreUnavailableError
from dispute_fsm.handler import StampMaker, fresh_stamp
from dispute_fsm.log import log
from dispute_fsm.orders import OrderSystem
from dispute_fsm.service import DisputeService
from dispute_fsm.service.alarms import Alarm, Transaction
from dispute_fsm.service.command_handler import Clock
from dispute_fsm.service.consumer import Sink
from dispute_fsm.service.sweeper import LEASE
from dispute_fsm.store.repository import Store

DELIVER = "dispute_fsm.deliver"
"""The workflow that delivers the feed, and its schedule, by name."""

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

_AFTER_ALL = datetime(2399, 12, 31, tzinfo=UTC)
"""No deadline that the package accepts is due later."""

_PAUSE, _DOUBLINGS = timedelta(seconds=1), 6
"""How long after a failure the next attempt comes: at first, and how often it is doubled."""


class DbosDisputes:
    """A `DisputeService` whose deadlines and feed are worked off by DBOS, on one database.

    Make it before `DBOS.launch()`: it creates the tables of both, so that the first command finds
    them, and registers its workflows. A process that only sends commands needs no more; one that
    works off alarms also calls `start`. `service` takes the commands; `consumers` are those of the
    feed, by the names in `sinks`, which are the same in all executors of an application.

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
        with ExitStack() as failed:
            failed.callback(self.store.close)
            self._enqueue = enqueuer(self.store.address, schema)
            failed.pop_all()
        self._backstop = self.service.sweeper(behind=behind, lease=lease)
        self._thread = threading.Thread(
            target=self._backstop.run, name="dispute-backstop", daemon=True
        )
        self._feed = self._register()

    def _register(self) -> Callable[[datetime, Any], None]:
        """Register the workflows; return that of the feed. They return codes."""

        @DBOS.step(name=f"{EXPIRE}.step", retries_allowed=True, max_attempts=_STEP_ATTEMPTS)
        def step(dispute_id: str, revision: int, number: int) -> str:
            return self._expire(AlarmAttempt(dispute_id, revision, number))

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
            self._enqueue(transaction, AlarmAttempt(alarm.dispute_id, alarm.revision), at)

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

    def _expire(self, attempt: AlarmAttempt) -> str:
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
            status, pause = "pending", _PAUSE * (1 << min(attempt.number, _DOUBLINGS))
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
