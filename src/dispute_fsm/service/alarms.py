"""Alarms: when a dispute is to be expired next, for an engine that runs already.

A hook is called in each transaction in which a dispute's revision changes. What it writes there, a
job of the engine say, is committed or rolled back with the dispute's event. The engine later calls
`DisputeService.expire(alarm.dispute_id, revision=alarm.revision)`; an alarm that comes twice, or
for a revision that is past, does nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.store.session import Backend


@dataclass(frozen=True, slots=True)
class Alarm:
    """When a dispute is to be expired next. It has ids and an instant, no personal value.

    `revision` is the dispute's revision after the change. `due_at` is when the first running
    deadline is due, in UTC; None where none runs. A deadline is inclusive: it can fire only after
    this instant.
    """

    dispute_id: str
    revision: int
    due_at: datetime | None


class Transaction(Protocol):
    """The transaction in which the dispute was written.

    What is executed on it is committed or rolled back with the dispute's event.
    """

    @property
    def backend(self) -> Backend:
        """The kind of the database."""
        ...

    @property
    def driver(self) -> Any:  # noqa: ANN401 -- a connection of either driver
        """The connection of the driver: a `sqlite3.Connection` or a `psycopg.Connection`.

        Do not commit, roll back or begin a transaction on it.
        """
        ...

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> Any:  # noqa: ANN401 -- a cursor of either driver
        """Run a statement with parameters as the driver takes them, and return its cursor.

        Their placeholders are `?` or `:name` on SQLite, `%s` or `%(name)s` on PostgreSQL. In a
        transaction of SQLAlchemy the cursor is a result of SQLAlchemy, with the same `fetchone`,
        `fetchall` and `rowcount`.
        """
        ...


AlarmHook = Callable[[Alarm, Transaction], None]
"""Is called with the alarm of a change, before the change is committed.

What it raises rolls the change back and reaches the caller of the service.
"""


def alarm_of(dispute: Dispute) -> Alarm:
    """Return the alarm of a dispute."""
    due = next_due(dispute)
    return Alarm(dispute.dispute_id, dispute.revision, None if due is None else due[1])
