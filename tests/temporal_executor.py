"""A worker of Temporal that can be killed; for `test_temporal.py`.

    python tests/temporal_executor.py URL FOLDER NAME VERSION ADDRESS

It fires deadlines and delivers the feed until its standard input ends; see `engine_chaos`.
"""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from dispute_fsm.engines.temporal import Attempt, DisputeDue, TemporalClock, Wakeup
from dispute_fsm.engines.temporal_workflow import EXPIRE
from dispute_fsm.service import DisputeService
from dispute_fsm.store.repository import Store
from tests.crash import Notes
from tests.engine_chaos import NOTES
from tests.service_support import AnyOrder
from tests.support import CANCELLING

QUEUE = "disputes"
LEASE = timedelta(seconds=1)


class NotedClock(TemporalClock):
    """A clock that notes what Temporal fires, so that it is told from what the sweeper fires."""

    notes: Notes

    @activity.defn(name=EXPIRE)
    def expire(self, wakeup: Wakeup) -> Attempt:
        attempt = super().expire(wakeup)
        self.notes.write(rang=wakeup.workflow_id, status=attempt.status)
        return attempt


async def work(url: str, folder: str, name: str, version: str, address: str) -> None:
    notes = Notes(Path(folder) / NOTES)
    service = DisputeService(Store(url), AnyOrder(CANCELLING))
    client = await Client.connect(address, identity=name)
    clock = NotedClock(
        service,
        client,
        task_queue=QUEUE,
        behind=timedelta(seconds=2),
        poll_interval=timedelta(seconds=0.1),
        lease=LEASE,
    )
    clock.notes = notes
    consumer = service.consumer(
        "notes", lambda event: notes.write(delivered=event["id"]), lease=LEASE
    )

    async def deliver() -> None:
        while True:
            if not (await asyncio.to_thread(consumer.deliver)).more:
                await asyncio.sleep(0.2)  # nothing tells of a new event

    with ThreadPoolExecutor(4) as threads:
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=[DisputeDue],
            activities=[clock.expire],
            activity_executor=threads,
            deployment_config=WorkerDeploymentConfig(
                version=WorkerDeploymentVersion("disputes", version), use_worker_versioning=False
            ),
        )
        async with worker, asyncio.TaskGroup() as tasks:
            tasks.create_task(clock.run())
            tasks.create_task(deliver())
            notes.write(ready=name)
            await asyncio.to_thread(sys.stdin.read)
            os._exit(0)


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
