"""Shared by the tests of the Temporal clock: the test server, a worker, and a scenario on both."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from signal import SIGABRT, SIGSEGV
from tempfile import TemporaryDirectory

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.engines.temporal import DisputeDue, TemporalClock, Wakeup
from dispute_fsm.handler import Expiry
from dispute_fsm.orders import OrderSystem
from dispute_fsm.service import DisputeService
from dispute_fsm.store.host import HostConnection
from dispute_fsm.store.repository import Store
from tests.engine_scenarios import expiries, stamp_at
from tests.patience import PATIENCE
from tests.service_support import Time, house

SERVER = Path(sys.executable).with_name("temporal-test-server")
QUEUE = "disputes"
LAST_STEP = 15
"""How many seconds the end of a worker may take."""

# pytest rewrites the assertions of a package with a plugin, so our modules import it under pytest
SANDBOX = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules("_pytest")
)
"""Temporal's own sandbox, which does not import pytest anew for each workflow."""


@asynccontextmanager
async def server() -> AsyncGenerator[WorkflowEnvironment]:
    """Start Temporal's test server. Its time is real, until it is told to skip some."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(SERVER)
    ) as environment:
        yield environment


@asynccontextmanager
async def working(client: Client, service: DisputeService) -> AsyncGenerator[TemporalClock]:
    """Run a worker with the clock of a service; its feed is delivered by the test."""
    clock = TemporalClock(service, client, task_queue=QUEUE)
    with ThreadPoolExecutor(4) as threads:
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=[DisputeDue],
            activities=[clock.expire],
            activity_executor=threads,
            workflow_runner=SANDBOX,
            # so each step is replayed from the history, also by the worker after this one
            max_cached_workflows=0,
        )
        async with running(worker):
            yield clock


@asynccontextmanager
async def running(worker: Worker) -> AsyncGenerator[None]:
    """Run a worker, and wait for its end, but not for ever.

    Now and then the library's last step (`finalize_shutdown` of temporalio 1.35) never ends against
    the test server; all workflows and activities have ended before it.
    """
    run = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        shutdown = asyncio.create_task(worker.shutdown())
        await asyncio.wait({run, shutdown}, timeout=LAST_STEP)
        if run.done():
            run.result()  # raises what has ended it
        for task in (run, shutdown):
            task.cancel()
        await asyncio.gather(run, shutdown, return_exceptions=True)


def ran_example(program: Path) -> subprocess.CompletedProcess[str]:
    """Run an example to its end, and once more where the library kept it from ending well.

    Its worker may not end, see `running`; or one of the library's own threads crashes when Python
    has ended already (temporalio/sdk-python#300).
    """

    def ran(timeout: float) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [sys.executable, program]
        return subprocess.run(  # noqa: S603 -- our own program
            command, capture_output=True, check=False, text=True, timeout=timeout
        )

    try:
        done = ran(PATIENCE / 10)
    except subprocess.TimeoutExpired:
        return ran(PATIENCE)
    return ran(PATIENCE) if done.returncode in {-SIGSEGV, -SIGABRT} else done


async def deliver_all(clock: TemporalClock) -> None:
    """Start the workflows for everything in the feed."""
    while (await clock.deliver()).more:
        pass


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds that nobody tells of."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 -- other threads and processes make it hold
            await asyncio.sleep(0.005)  # looks again; what it waits for is the condition


async def run_of(client: Client, dispute_id: str, revision: int) -> WorkflowExecutionDescription:
    """Return the workflow of a dispute at a revision. Raises `RPCError` where there is none."""
    return await client.get_workflow_handle(f"due:{dispute_id}:{revision}").describe()


async def started(client: Client, dispute_id: str, revision: int) -> None:
    """Wait until there is a workflow of a dispute at a revision."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await run_of(client, dispute_id, revision)
            except RPCError:
                await asyncio.sleep(0.005)  # looks again; what it waits for is the condition
            else:
                return


async def waiting(client: Client, dispute_id: str, revision: int) -> str:
    """Wait until the workflow of a dispute at a revision has set its timer, and return its id."""
    handle = client.get_workflow_handle(f"due:{dispute_id}:{revision}")
    async with asyncio.timeout(PATIENCE):
        while not any(  # noqa: ASYNC110 -- the server is another process
            event.HasField("timer_started_event_attributes")
            for event in (await handle.fetch_history()).events
        ):
            await asyncio.sleep(0.005)  # looks again; what it waits for is the condition
    return handle.id


async def result(environment: WorkflowEnvironment, workflow_id: str) -> str:
    """Return what came of a workflow, while the server's time moves on by seconds.

    The client's own way to wait makes the server's time jump, over the end of its own request too.
    """
    handle = environment.client.get_workflow_handle(workflow_id, result_type=str)
    async with asyncio.timeout(PATIENCE):
        while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
            await environment.sleep(1)
    came: str = await handle.result()
    return came


class ObservedService(DisputeService):
    """A service that notes each call of `expire`: the dispute, the revision, when, its result."""

    def __init__(self, store: Store, orders: OrderSystem, time: Time) -> None:
        super().__init__(store, orders, clock=time, stamp=stamp_at(time))
        self.time = time
        self.attempts: list[tuple[str, int | None, datetime]] = []
        self.expiries: list[Expiry] = []
        self.swept = 0  # how many deadlines have fired where a scenario sweeps

    def expire(
        self,
        dispute_id: str,
        *,
        revision: int | None = None,
        connection: HostConnection | None = None,
    ) -> Expiry:
        attempt = dispute_id, revision, self.time.now
        try:
            expiry = super().expire(dispute_id, revision=revision, connection=connection)
            self.expiries.append(expiry)
            return expiry
        finally:
            self.attempts.append(attempt)


@dataclass
class Alarms:
    """Lets Temporal fire what has passed of a dispute: the `sweep` of a player in another thread.

    The alarm of a deadline first rings when the service's clock is at its instant, which is early,
    and waits. Then both clocks are moved on, and it rings again. Each is set twice, and with it one
    for a revision that the dispute does not have.
    """

    environment: WorkflowEnvironment
    clock: TemporalClock
    service: ObservedService
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    set_at: dict[tuple[str, int], datetime] = field(default_factory=dict[tuple[str, int], datetime])

    def __call__(self, dispute_id: str) -> None:
        before = expiries(self.service.history(dispute_id))
        asyncio.run_coroutine_threadsafe(self._sweep(dispute_id), self.loop).result(PATIENCE)
        self.service.swept += expiries(self.service.history(dispute_id)) - before

    async def _sweep(self, dispute_id: str) -> None:
        at = self.service.time.now
        dispute, due_at = self._due(dispute_id)
        alarm = dispute_id, dispute.revision
        if due_at is not None and due_at >= dispute.last_at and alarm not in self.set_at:
            self.service.time.now = self.set_at[alarm] = min(at, due_at)
            await self._set(*alarm, due_at)
            self.service.time.now = at
        pause = at - self.set_at.get(alarm, at) + timedelta(seconds=1)
        while due_at is not None and due_at < at and not self._has_rung(dispute_id, alarm[1], at):
            await deliver_all(self.clock)
            while not self._has_rung(*alarm, at):
                await self.environment.sleep(pause)
            dispute, due_at = self._due(dispute_id)
            alarm = dispute_id, dispute.revision

    async def _set(self, dispute_id: str, revision: int, due_at: datetime) -> None:
        """Have Temporal wait for a deadline, and see that it knows how long."""
        await deliver_all(self.clock)
        for kind, of in (("again", revision), ("stale", revision + 1)):
            wakeup = Wakeup(dispute_id, of, format_instant(due_at))
            await self.environment.client.start_workflow(
                DisputeDue.run, wakeup, id=f"{kind}:{wakeup.workflow_id}", task_queue=QUEUE
            )
        await waiting(self.environment.client, dispute_id, revision)
        await until(lambda: self._has_rung(dispute_id, revision + 1, self.service.time.now))

    def _due(self, dispute_id: str) -> tuple[Dispute, datetime | None]:
        dispute = self.service.get(dispute_id)
        assert dispute is not None
        due = next_due(dispute)
        return dispute, None if due is None else due[1]

    def _has_rung(self, dispute_id: str, revision: int, at: datetime) -> bool:
        """Tell whether the alarm of a revision has rung at this time of the scenario."""
        return (dispute_id, revision, at) in self.service.attempts


# ---- a recorded alarm ----------------------------------------------------------------------------

RECORDED = Path(__file__).with_name("temporal_due.history.json")
"""The history of an alarm that was early once and then fired, as version 0.1.0 has recorded it.

    python -m tests.temporal_support

records it anew. Do that only for a version whose pending alarms the next one need not replay.
"""


async def record() -> str:
    """Return the history of such an alarm."""
    with TemporaryDirectory() as folder, house(f"sqlite:///{Path(folder) / 'x.db'}") as home:
        async with server() as environment:
            client = await environment.connect_client(identity="recorder")
            async with working(client, home.service) as clock:
                home.open("D-1")
                await clock.deliver()
                alarm = await waiting(client, "D-1", 1)
                home.time.pass_(timedelta(days=2))
                await environment.sleep(timedelta(days=2))
                assert await result(environment, alarm) == "fired"
            return (await client.get_workflow_handle(alarm).fetch_history()).to_json()


if __name__ == "__main__":
    RECORDED.write_text(f"{asyncio.run(record())}\n", encoding="utf-8")
