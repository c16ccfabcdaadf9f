"""The core inside a workflow: the same rules, and a replay that folds what was recorded."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

import dispute_fsm
from dispute_fsm import DEFAULT_POLICY, Dispute, Policy, replay
from dispute_fsm.events import EVENT, AuditEvent
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.replay import Replayed
from examples import temporal_core
from examples.temporal_core import DisputeWorkflow, Opening, Request, Shop
from tests.support import ROOT, submission
from tests.temporal_support import QUEUE, SANDBOX, ran_example, running, server

PERSONAL = "personal-value"
Records = list[dict[str, Any]]


def ask(kind: str, role: str, key: str | None = None, **payload: object) -> Request:
    who = {"merchant": "M-1", "consumer": "C-1", "adjudicator": "J-1"}
    return Request(kind, role, who[role], key, payload)


async def contested(
    dispute: WorkflowHandle[DisputeWorkflow, Records],
) -> Records:
    """Choose what is closed, then prove that nobody is at fault; the ruling ends the dispute."""

    async def send(request: Request) -> tuple[str, list[str]]:
        answer = await dispute.execute_update(DisputeWorkflow.send, request)
        assert answer.event is None, "an answer has no personal value"
        return answer.decision, answer.codes

    refused = await send(ask("choose_option", "merchant", option="already_shipped"))
    assert refused == ("refused", ["not_shipped", "no_pickup_scan"])
    contest = ask("choose_option", "merchant", "k-1", option="prove_no_fault")
    assert [await send(contest), await send(contest)] == [("accepted", []), ("repeated", [])]
    with pytest.raises(WorkflowUpdateFailedError):
        await send(ask("choose_option", "merchant", option="no_such_option", note=PERSONAL * 2))
    evidence = submission(statement=PERSONAL).model_dump(mode="json", exclude={"by", "key", "type"})
    assert await send(ask("submit_evidence", "merchant", **evidence)) == ("accepted", [])
    assert await dispute.query(DisputeWorkflow.state) == "under_review"
    ruling = ask("rule_no_fault", "adjudicator", rationale="as the files show")
    assert await send(ruling) == ("accepted", [])
    return await dispute.result()


async def run_story(longest: int) -> tuple[Records, list[WorkflowHistory]]:
    """Return the events, and the histories of the runs."""
    opening = Opening("D-1", "O-1", "M-1", "C-1", dict(DEFAULT_POLICY.record), longest=longest)
    async with server() as environment:
        client = environment.client
        with ThreadPoolExecutor(2) as threads:
            worker = Worker(
                client,
                task_queue=QUEUE,
                workflows=[DisputeWorkflow],
                activities=[Shop().look, temporal_core.decide],
                activity_executor=threads,
                workflow_runner=SANDBOX,
            )
            async with running(worker):
                dispute = await client.start_workflow(
                    DisputeWorkflow.run, opening, id="D-1", task_queue=QUEUE
                )
                events = await contested(dispute)
        first = client.get_workflow_handle("D-1", run_id=dispute.result_run_id)
        last = client.get_workflow_handle("D-1")
        return events, [await first.fetch_history(), await last.fetch_history()]


def test_the_events_are_a_history_as_any_other(tmp_path: Path) -> None:
    events, histories = asyncio.run(run_story(longest=20))
    assert histories[0].run_id != histories[1].run_id, "it was not continued as new"
    path = tmp_path / "D-1.history.jsonl"
    policy = Policy.model_validate(DEFAULT_POLICY.record)
    write_history(path, [(EVENT.validate_python(record), policy) for record in events])
    (result,) = replay(str(path))
    assert isinstance(result, Replayed)
    assert result.sound
    assert [record["type"] for record in events] == [
        "dispute_opened",
        "refused",
        "option_chosen",
        "evidence_submitted",
        "dispute_resolved",
    ]


def test_a_replay_folds_what_was_recorded_whatever_would_be_decided_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events, (history, _) = asyncio.run(run_story(longest=5_000))
    folded: list[str] = []

    def begin(event: AuditEvent, policy: Policy) -> Dispute:
        folded.append(event.hash)
        return dispute_fsm.begin(event, policy)

    def evolve(dispute: Dispute, event: AuditEvent) -> Dispute:
        folded.append(event.hash)
        return dispute_fsm.evolve(dispute, event)

    def other_rules(question: object) -> object:
        raise AssertionError(f"a replay decides: {question}")

    monkeypatch.setattr(temporal_core, "Disputes", other_rules)
    monkeypatch.setattr(temporal_core, "begin", begin)
    monkeypatch.setattr(temporal_core, "evolve", evolve)
    replayer = Replayer(workflows=[DisputeWorkflow], workflow_runner=UnsandboxedWorkflowRunner())
    asyncio.run(replayer.replay_workflow(history))
    assert folded == [record["hash"] for record in events]


def test_personal_values_are_in_temporals_history_as_the_example_says() -> None:
    _, (history, _) = asyncio.run(run_story(longest=5_000))
    written = b"".join(event.SerializeToString() for event in history.events)
    assert PERSONAL.encode() in written
    assert (PERSONAL * 2).encode() not in written, "what the validator keeps out is not recorded"


def test_the_example_runs_to_the_end_of_its_dispute() -> None:
    ran = ran_example(ROOT / "examples" / "temporal_core.py")
    assert (ran.returncode, ran.stderr) == (0, "")
    # the library writes of what the test server cannot do
    assert [line for line in ran.stdout.splitlines() if "WARN" not in line] == [
        "already_shipped: refused",
        "  the order system has to show a shipment that has happened",
        "  the order system has to show the carrier's pickup scan",
        "out_of_stock_refund: accepted",
        "D-1/1 dispute_opened",
        "D-1/2 refused",
        "D-1/3 option_chosen",
        "D-1/4 dispute_resolved",
    ]
