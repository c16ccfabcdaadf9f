"""The workflow of the Temporal clock: it waits until a deadline has passed, then has it fired.

Temporal's sandbox imports this module anew for each workflow, so it imports next to nothing. A
pending workflow is replayed by whatever version of it runs then: a change that schedules something
else needs `workflow.patched`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from temporalio import workflow
from temporalio.common import RetryPolicy

EXPIRE = "expire_dispute"
"""The name of the activity that fires the deadlines of a dispute."""

_RESOLUTION = timedelta(milliseconds=1)
"""A timer's resolution. A deadline is inclusive, so what fires at its very instant is early."""

_ATTEMPT_TIMEOUT = timedelta(minutes=1)
"""After this time an attempt counts as lost with its worker, and another one is made."""

_FOR_EVER = RetryPolicy(
    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1), maximum_attempts=0
)
"""An order system or a database that is unavailable must not cost a dispute its deadline."""


@dataclass(frozen=True, slots=True)
class Wakeup:
    """What a workflow waits for: the first running deadline of a dispute at a revision.

    `due_at` is when it is due, inclusive, as RFC 3339 text: a datetime of the sandbox is another
    class than Temporal's converter knows. Nothing here is personal.
    """

    dispute_id: str
    revision: int
    due_at: str

    @property
    def workflow_id(self) -> str:
        """The id of its workflow. Temporal starts one for an id, however often it is asked."""
        return f"due:{self.dispute_id}:{self.revision}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of an attempt, as `Expiry` has it; `early_by` is in seconds."""

    status: Literal["fired", "stale", "early"]
    early_by: float = 0.0


@workflow.defn
class DisputeDue:
    """Waits until a deadline has passed, and has it fired; returns "fired" or "stale".

    It never fails: the activity is attempted until it succeeds.
    """

    @workflow.run
    async def run(self, wakeup: Wakeup) -> str:
        """Wait for the due instant by Temporal's clock, and on if the service's clock is behind."""
        pause = datetime.fromisoformat(wakeup.due_at) - workflow.now()
        while True:
            if pause + _RESOLUTION > timedelta():
                await workflow.sleep(pause + _RESOLUTION)
            attempt: Attempt = await workflow.execute_activity(
                EXPIRE,
                wakeup,
                result_type=Attempt,
                start_to_close_timeout=_ATTEMPT_TIMEOUT,
                retry_policy=_FOR_EVER,
            )
            if attempt.status != "early":
                return attempt.status
            pause = timedelta(seconds=attempt.early_by)
