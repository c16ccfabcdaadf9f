"""Shared by the tests of the Temporal clock: the test server, a worker, and a scenario on both."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.engines.temporal import DisputeDue, TemporalClock, Wakeup
from dispute_fsm.service import DisputeService
from tests.engine_scenarios import Stage
from tests.patience import PATIENCE

SERVER = Path(sys.executable).with_name("temporal-test-server")
QUEUE = "disputes"

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
        async with Worker(
            client,
            task_queue=QUEUE,
            workflows=[DisputeDue],
            activities=[clock.expire],
            activity_executor=threads,
            workflow_runner=SANDBOX,
            # so each step is replayed from the history, also by the worker after this one
            max_cached_workflows=0,
        ):
            yield clock


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds that nobody tells of."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 -- other threads and processes make it hold
            await asyncio.sleep(0.005)  # looks again; what it waits for is the condition


async def run_of(client: Client, dispute_id: str, revision: int) -> WorkflowExecutionDescription:
    """Return the workflow of a dispute at a revision. Raises `RPCError` where there is none."""
    return await client.get_workflow_handle(f"due:{dispute_id}:{revision}").describe()


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


@dataclass
class Player:
    """Plays a scenario with Temporal as the only one that fires its deadlines.

    Scenario time lies years behind the server's. So each alarm rings at once, is told that it is
    early, and waits for the rest; where the scenario sweeps, the server's time is moved on until
    the alarm of the first deadline that has passed has rung. Each is set twice, and with it one for
    a revision that the dispute does not have.
    """

    environment: WorkflowEnvironment
    clock: TemporalClock
    stage: Stage
    server_moved_to: datetime = field(init=False)

    async def play(self) -> None:
        self.server_moved_to = self.stage.scenario.opened_at
        revision_before = 0
        for sweeps in self.stage.play():
            if sweeps:
                await self._release()
            due = self.stage.due()
            # one that has passed already waits for the next sweep
            if due is not None and due[0] != revision_before and due[1] >= self.stage.time.now:
                await self._set(due)
                revision_before = due[0]

    async def _set(self, due: tuple[int, datetime]) -> None:
        """Have Temporal wait for a deadline, and see that it knows how long."""
        revision, due_at = due
        await self.clock.deliver()
        for kind, of in (("again", revision), ("stale", revision + 1)):
            wakeup = Wakeup(self.stage.dispute_id, of, format_instant(due_at))
            await self.environment.client.start_workflow(
                DisputeDue.run,
                wakeup,
                id=f"{kind}:{wakeup.workflow_id}",
                task_queue=QUEUE,
            )
        await until(lambda: self._has_rung(revision) and self._has_rung(revision + 1))

    async def _release(self) -> None:
        """Let every deadline that has passed ring; one that stays pending once."""
        now = self.stage.time.now
        pause = max(now - self.server_moved_to, timedelta(seconds=1))
        self.server_moved_to = now
        while (due := self.stage.due()) is not None and due[1] < now:
            if self._has_rung(due[0]):
                return
            await self.clock.deliver()
            while not self._has_rung(due[0]):
                await self.environment.sleep(pause)
                await asyncio.sleep(0)  # looks again; what it waits for is the condition

    def _has_rung(self, revision: int) -> bool:
        """Tell whether the alarm of a revision has rung at this time of the scenario."""
        return any(
            (attempt.revision, attempt.at) == (revision, self.stage.time.now)
            for attempt in self.stage.service.attempts
        )
