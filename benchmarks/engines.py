"""What fires deadlines, side by side: the own sweeper, DBOS, Temporal, the core inside Temporal.

    python -m benchmarks.engines [--disputes N] [--rounds R]

The same work for each: N disputes are opened, and their merchants promise to ship until one and the
same instant. Then all of these deadlines are due at once. It prints how many commands a second were
handled one after the other while the engine set its alarms, and how many deadlines a second fired,
each in the best of R rounds, in which the engines take turns. Temporal is its test server: one
process, everything in memory. PostgreSQL is the one at DISPUTE_FSM_TEST_POSTGRES.
"""

import argparse
import asyncio
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from dbos import DBOS
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from benchmarks.measure import machine
from dispute_fsm import DEFAULT_POLICY, DisputeService, OrderFacts, Store, merchant
from dispute_fsm.engines.dbos import DbosDisputes
from dispute_fsm.engines.temporal import DisputeDue, TemporalClock
from dispute_fsm.events import EVENT, AuditEvent
from examples import temporal_core
from tests.databases import KINDS, database
from tests.dbos_support import config, schema_of

POLICY = DEFAULT_POLICY.lay_over({"scan_grace": "0s"})
VOUCHER = {"kind": "chat_screenshot", "media_type": "image/png", "size": 1_000, "sha256": "0" * 64}
QUEUE = "disputes"
SERVER = str(Path(sys.executable).with_name("temporal-test-server"))


class Shop:
    """An order system that answers at once: paid, not shipped."""

    def look(self, order_id: str, now: datetime) -> OrderFacts:
        """Return the facts of an order."""
        paid_at = now - timedelta(days=3)
        return OrderFacts(
            order_id=order_id, asked="shop", observed_at=now, revision="1", paid_at=paid_at
        )


Histories = Sequence[Sequence[AuditEvent]]


def due_after(openings: float) -> datetime:
    """Return when all deadlines are to be due, if the openings took so many seconds.

    The promises have to be given before.
    """
    return datetime.now(UTC) + timedelta(seconds=max(3.0, 4 * openings))


@dataclass(frozen=True, slots=True)
class Measured:
    """A row of the table: both in a second."""

    commands: float
    deadlines: float

    def best(self, other: "Measured") -> "Measured":
        """Return the better of two rounds, in each column."""
        return Measured(max(self.commands, other.commands), max(self.deadlines, other.deadlines))

    @classmethod
    def of(cls, took: float, due_at: datetime, histories: Histories) -> "Measured":
        """Read it off the histories. Raises `SystemExit` where they show something else."""
        asked = max(history[1].at for history in histories)
        if asked >= due_at:
            raise SystemExit("the commands took too long: the machine is too busy")
        fired = [event.at for history in histories for event in history if event.command.expires]
        if len(fired) != len(histories):
            raise SystemExit(f"{len(fired)} of {len(histories)} deadlines fired")
        return cls(2 * len(histories) / took, len(fired) / (max(fired) - due_at).total_seconds())


# ---- engines with a store ------------------------------------------------------------------------


@contextmanager
def swept(url: str) -> Generator[DisputeService]:
    """Run the package's own sweeper in a thread."""
    service = DisputeService(Store(url), Shop())
    sweeper = service.sweeper()
    thread = threading.Thread(target=sweeper.run)
    thread.start()
    try:
        yield service
    finally:
        sweeper.stop()
        thread.join()
        service.store.close()


@contextmanager
def with_dbos(url: str) -> Generator[DisputeService]:
    """Run DBOS in this process."""
    disputes = DbosDisputes(url, Shop(), schema=schema_of(url))
    DBOS(config=config(url))
    DBOS.launch()
    disputes.start()
    try:
        yield disputes.service
    finally:
        DBOS.destroy(destroy_registry=True)
        disputes.close()


@contextmanager
def with_temporal(url: str) -> Generator[DisputeService]:
    """Run a worker and the clock in another thread of this process."""
    service, ready, stop = DisputeService(Store(url), Shop()), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with temporal() as client:
            clock = TemporalClock(service, client, task_queue=QUEUE)
            worker = Worker(
                client,
                task_queue=QUEUE,
                workflows=[DisputeDue],
                activities=[clock.expire],
                activity_executor=ThreadPoolExecutor(16),
            )
            async with worker:
                running = asyncio.create_task(clock.run())
                ready.set()
                await stop.wait()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    ready.wait()
    try:
        yield service
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        service.store.close()


class temporal:  # noqa: N801 -- used as a context manager
    """Temporal's test server, whose time is real time here."""

    async def __aenter__(self) -> Client:
        """Start it, and connect."""
        self.environment = await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=SERVER
        )
        return await Client.connect(self.environment.client.service_client.config.target_host)

    async def __aexit__(self, *_error: object) -> None:
        """Stop it."""
        await self.environment.shutdown()


def serve(service: DisputeService, disputes: int) -> Measured:
    """Send the commands, and wait until all deadlines have fired."""
    names = [f"D-{number}" for number in range(disputes)]
    began = time.perf_counter()
    for name in names:
        service.open(
            dispute_id=name,
            order_id=f"O-{name}",
            merchant_id="M-1",
            consumer_id="C-1",
            policy=POLICY,
        )
    due_at = due_after(time.perf_counter() - began)
    for name in names:
        result = service.send(
            name,
            "choose_option",
            by=merchant("M-1"),
            option="ship_by_agreed_date",
            agreed_until=due_at,
            vouchers=[VOUCHER],
        )
        if not result.accepted:
            raise SystemExit(f"the promise was not accepted: {result.decision}")
    took = time.perf_counter() - began
    while service.due_before(due_at + timedelta(seconds=1), limit=1).items:
        time.sleep(0.05)
    return Measured.of(took, due_at, [service.history(name) for name in names])


# ---- the core inside Temporal --------------------------------------------------------------------


async def inside_temporal(disputes: int) -> Measured:
    """Do the same work with each dispute in a workflow of its own."""
    names = [f"D-{number}" for number in range(disputes)]
    async with temporal() as client, temporal_core.worker(client):
        began, handles = time.perf_counter(), []
        for name in names:
            opening = temporal_core.Opening(name, f"O-{name}", "M-1", "C-1", dict(POLICY.record))
            handle = await client.start_workflow(
                temporal_core.DisputeWorkflow.run, opening, id=name, task_queue=QUEUE
            )
            while await handle.query(temporal_core.DisputeWorkflow.state) is None:
                pass  # an opening is a command as others are: it is decided before the next one
            handles.append(handle)
        due_at = due_after(time.perf_counter() - began)
        payload: dict[str, Any] = {
            "option": "ship_by_agreed_date",
            "agreed_until": due_at.isoformat(),
            "vouchers": [VOUCHER],
        }
        request = temporal_core.Request("choose_option", "merchant", "M-1", payload=payload)
        for handle in handles:
            answer = await handle.execute_update(temporal_core.DisputeWorkflow.send, request)
            if answer.decision != "accepted":
                raise SystemExit(f"the promise was not accepted: {answer}")
        took = time.perf_counter() - began
        ended = [await handle.result() for handle in handles]
    histories = [[EVENT.validate_python(record) for record in records] for records in ended]
    return Measured.of(took, due_at, histories)


# ---- the table -----------------------------------------------------------------------------------

ENGINES: dict[str, Callable[[str], Any]] = {
    "own sweeper": swept,
    "DBOS": with_dbos,
    "Temporal clock": with_temporal,
}


def main() -> None:
    """Measure the engines in turn, and print a row for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines")
    parser.add_argument("--disputes", type=int, default=200, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="R")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    best: dict[tuple[str, str], Measured] = {}
    for number in range(asked.rounds):
        for row, measured in _round(asked.disputes):
            sys.stderr.write(f"round {number + 1}, {', '.join(row)}: {measured}\n")
            best[row] = measured.best(best.get(row, measured))
    sys.stdout.write(f"{json.dumps(machine())}\n\n")
    sys.stdout.write("| engine | store | commands a second | deadlines a second |\n")
    sys.stdout.write("|---|---|--:|--:|\n")
    for row, measured in best.items():
        figures = f"{measured.commands:,.0f} | {measured.deadlines:,.0f}"
        sys.stdout.write(f"| {' | '.join(row)} | {figures} |\n")


def _round(disputes: int) -> Iterator[tuple[tuple[str, str], Measured]]:
    for name, engine in ENGINES.items():
        for kind in KINDS:
            with ExitStack() as stack:
                folder = Path(stack.enter_context(TemporaryDirectory()))
                url = stack.enter_context(database(kind, folder))
                yield (name, kind), serve(stack.enter_context(engine(url)), disputes)
    yield ("core in Temporal", "Temporal"), asyncio.run(inside_temporal(disputes))


if __name__ == "__main__":
    main()
