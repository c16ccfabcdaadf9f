"""A dispute as a workflow of Temporal: commands as signals, deadlines as timers, facts by activity.

It asks what our guards ask at each step of `temporal.STORY`. Temporal's sandbox imports this module
anew for each workflow, so there is nothing else in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import activity, workflow

Signal = Mapping[str, str]
"""A command: its `type`, who asks as `role` and `id`, and what it says."""


@dataclass
class Opening:
    """What a dispute begins with."""

    dispute_id: str
    order_id: str
    merchant_id: str
    consumer_id: str


@dataclass
class Facts:
    """What the order system shows."""

    paid_at: str
    observed_at: str
    shipped_at: str | None = None


@dataclass
class Progress:
    """The dispute so far; `events` is its audit."""

    state: str = "opened"
    rounds: int = 0
    submissions: int = 0
    events: list[str] = field(default_factory=list[str])


@activity.defn
async def order_facts(order_id: str) -> Facts:
    """Ask the order system."""
    return Facts("2023-03-25T09:00:00+08:00", f"now, for {order_id}")


@workflow.defn
class DisputeWorkflow:
    """Opened, contested, proven, asked for more, proven, ruled on."""

    def __init__(self) -> None:
        self.pending: list[Signal] = []
        self.now = Progress()

    @workflow.signal
    def command(self, given: Signal) -> None:
        """Take a command."""
        self.pending.append(given)

    @workflow.query
    def recorded(self) -> int:
        """Return the number of events."""
        return len(self.now.events)

    @workflow.run
    async def run(self, opening: Opening) -> list[str]:
        """Go on until the dispute is closed."""
        await workflow.execute_activity(
            order_facts, opening.order_id, start_to_close_timeout=timedelta(seconds=10)
        )
        self._record("dispute_opened", "opened")
        while self.now.state not in {"resolved", "penalized"}:
            deadline = {"opened": 24, "awaiting_evidence": 48}.get(self.now.state)
            try:
                await workflow.wait_condition(
                    lambda: bool(self.pending),
                    timeout=None if deadline is None else timedelta(hours=deadline),
                )
            except TimeoutError:
                self._record("deadline", "penalized")
            else:
                self._decide(self.pending.pop(0), opening)
        return self.now.events

    def _decide(self, given: Signal, opening: Opening) -> None:
        now, by = self.now, given["role"]
        match given["type"], now.state:
            case "choose_option", "opened" if by == "merchant" and self._own(given, opening):
                if given["option"] == "prove_no_fault":
                    self._record("option_chosen", "awaiting_evidence")
            case "submit_evidence", "awaiting_evidence" if self._own(given, opening):
                if given["reason"] and given["statement"].strip():
                    now.submissions += 1
                    self._record("evidence_submitted", "under_review")
            case "request_evidence", "under_review" if by == "adjudicator" and now.rounds < 1:
                now.rounds += 1
                self._record("evidence_requested", "awaiting_evidence")
            case "rule_no_fault", "under_review" if by == "adjudicator":
                if given["rationale"].strip():
                    self._record("dispute_resolved", "resolved")
            case _:
                self._record("refused", now.state)

    @staticmethod
    def _own(given: Signal, opening: Opening) -> bool:
        return given["role"] == "merchant" and given["id"] == opening.merchant_id

    def _record(self, event: str, target: str) -> None:
        self.now.events.append(f"{workflow.now().isoformat()} {event} {self.now.state} {target}")
        self.now.state = target
