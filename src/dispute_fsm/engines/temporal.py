"""Temporal as the alarm clock of a store's deadlines (extra `temporal`).

    clock = TemporalClock(service, client, task_queue="disputes")
    worker = Worker(
        client, task_queue="disputes", workflows=[DisputeDue], activities=[clock.expire],
        activity_executor=ThreadPoolExecutor(16), max_concurrent_activities=16,
    )
    async with worker:
        await clock.run()

The store stays the truth. A consumer of its feed starts a workflow for the first running deadline
of each dispute; the workflow waits, then has that one revision expired. What is started twice, too
late or for an older revision does nothing. Temporal gets ids and instants, no personal value.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from datetime import timedelta
from functools import partial
from threading import Event
from typing import TypeVar

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import (
    ApplicationError,
    ApplicationErrorCategory,
    WorkflowAlreadyStartedError,
)
from temporalio.service import RPCError

from dispute_fsm.decider.dispute import next_due
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.engines.temporal_workflow import EXPIRE, Attempt, DisputeDue, Wakeup
from dispute_fsm.errors import (
    DisputeError,
    OrderSystemUnavailableError,
    SinkUnavailableError,
    StaleFactsError,
    StoreUnavailableError,
)
from dispute_fsm.log import log
from dispute_fsm.service import DisputeService
from dispute_fsm.service.consumer import CloudEvent, DeliveryResult
from dispute_fsm.service.sweeper import LEASE

__all__ = ["CONSUMER", "Attempt", "DisputeDue", "TemporalClock", "Wakeup"]

T = TypeVar("T")

CONSUMER = "temporal-clock"
"""The name under which the position in the feed is stored."""

_RPC_TIMEOUT = timedelta(seconds=10)


class TemporalClock:
    """Has Temporal fire the deadlines of a service's disputes, each once.

    `expire` is the activity of a worker on `task_queue`; `run` starts the workflows, and fires what
    is overdue by `behind` whatever Temporal does. Any number of processes may run both: one at a
    time delivers, and another one takes over when its `lease` ends. Workflow ids are made from
    dispute ids, so two databases need two namespaces.
    """

    def __init__(  # noqa: PLR0913 -- three that it joins, three by name that seldom differ
        self,
        service: DisputeService,
        client: Client,
        *,
        task_queue: str,
        behind: timedelta = timedelta(minutes=2),
        poll_interval: timedelta = timedelta(seconds=1),
        lease: timedelta = LEASE,
    ) -> None:
        self._service = service
        self._client = client
        self._task_queue = task_queue
        self._behind = behind
        self._poll_interval = poll_interval
        self._lease = lease

    # ---- the activity ----------------------------------------------------------------------------

    @activity.defn(name=EXPIRE, no_thread_cancel_exception=True)  # it ends what it has begun
    def expire(self, wakeup: Wakeup) -> Attempt:
        """Fire the deadlines of a dispute that have passed, unless its revision is another one.

        Raises `ApplicationError` with the name of the error, for Temporal to try again. The error's
        own message is only in the log: a host's may have personal values in it.
        """
        try:
            expiry = self._service.expire(wakeup.dispute_id, revision=wakeup.revision)
        except Exception as error:  # noqa: BLE001 -- a host's order system may raise anything, and Temporal is to try again
            raise _attempt_failed(wakeup.dispute_id, error) from None
        early_by = timedelta() if expiry.early_by is None else expiry.early_by
        return Attempt(expiry.status, early_by.total_seconds())

    # ---- the feed --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver the feed to Temporal, and fire what is overdue, until this is cancelled.

        It then ends after the event and the dispute that it is working on. Every error, such as an
        unavailable Temporal or database, is logged, and it tries again.
        """
        sweeper = self._service.sweeper(behind=self._behind)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_run_in_thread(sweeper.run, sweeper.stop))
            tasks.create_task(self._run_delivery())

    async def deliver(self, limit: int = 100) -> DeliveryResult:
        """Start the workflows for what is new in the feed, for up to `limit` events.

        Raises `SinkUnavailableError` where Temporal or the database is unavailable: the next
        delivery continues there. Raises what `Consumer.deliver` raises.
        """
        stopped = Event()
        sink = partial(self._start, asyncio.get_running_loop(), stopped.is_set)
        consumer = self._service.consumer(CONSUMER, sink, lease=self._lease)
        return await _run_in_thread(partial(consumer.deliver, limit), stopped.set)

    async def _run_delivery(self) -> None:
        while True:
            more = False
            try:
                more = (await self.deliver()).more
            except (SinkUnavailableError, StoreUnavailableError) as error:
                log().warning("clock_unavailable", error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 -- a clock that ended would leave every later deadline to the sweeper, and nobody would notice
                log().error("clock_failed", error=type(error).__name__)
            if not more:
                await asyncio.sleep(self._poll_interval.total_seconds())

    def _start(
        self, loop: asyncio.AbstractEventLoop, is_stopped: Callable[[], bool], event: CloudEvent
    ) -> None:
        """Start the workflow for an event of the feed: the sink of the consumer, in its thread."""
        if is_stopped():
            raise SinkUnavailableError("the clock was stopped")
        record = event["data"]
        try:
            wakeup = self._wakeup(record["dispute_id"], record["revision"])
            if wakeup is not None:
                asyncio.run_coroutine_threadsafe(self._start_workflow(wakeup), loop).result()
        except WorkflowAlreadyStartedError:
            pass  # the event was delivered before
        except (RPCError, StoreUnavailableError, CancelledError) as error:
            raise SinkUnavailableError(f"no workflow started: {type(error).__name__}") from error

    def _wakeup(self, dispute_id: str, revision: int) -> Wakeup | None:
        """Return what to wait for; None where no deadline runs, or a later event is in the feed."""
        dispute = self._service.get(dispute_id)
        due = None if dispute is None or dispute.revision != revision else next_due(dispute)
        return None if due is None else Wakeup(dispute_id, revision, format_instant(due[1]))

    async def _start_workflow(self, wakeup: Wakeup) -> None:
        await self._client.start_workflow(
            DisputeDue.run,
            wakeup,
            id=wakeup.workflow_id,
            task_queue=self._task_queue,
            # also after the end of the first one, but for one that somebody terminated
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            rpc_timeout=_RPC_TIMEOUT,
        )


async def _run_in_thread(work: Callable[[], T], stop: Callable[[], None]) -> T:
    """Run what blocks in a thread. Where this is cancelled, stop it and wait for its end."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop()
        await asyncio.gather(running, return_exceptions=True)
        raise


def _attempt_failed(dispute_id: str, error: Exception) -> ApplicationError:
    """Log an error, and return what Temporal gets of it, in order to try again."""
    name = type(error).__name__
    category = ApplicationErrorCategory.UNSPECIFIED
    if isinstance(error, OrderSystemUnavailableError | StaleFactsError):
        category = ApplicationErrorCategory.BENIGN  # the service has logged it: it stays pending
    else:
        log().error(
            "deadline_failed",
            dispute_id=dispute_id,
            error=name,
            detail=str(error) if isinstance(error, DisputeError) else None,
        )
    return ApplicationError(f"{name}, see the log of the worker", type=name, category=category)
