"""How an alarm becomes a row of DBOS: a delayed workflow, in the transaction of another."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from dbos import DBOS, DBOSClient, EnqueueOptions, WorkflowSerializationFormat
from psycopg import sql
from sqlalchemy import NullPool, create_engine

from dispute_fsm.service.alarms import Transaction
from dispute_fsm.store.address import POSTGRESQL, Address

QUEUE = "dispute_fsm"
"""The queue of the alarms, by name."""

EXPIRE = "dispute_fsm.expire"
"""The workflow that an alarm is, by name."""

_MARGIN_MS = 2
"""A deadline is inclusive, and DBOS cuts an instant to milliseconds."""


@dataclass(frozen=True, slots=True)
class AlarmAttempt:
    """An attempt to expire one revision of a dispute: the arguments of its workflow."""

    dispute_id: str
    revision: int
    number: int = 0

    @property
    def workflow_id(self) -> str:
        """The id of its workflow; one that is enqueued again stays as it is."""
        if self.number == 0:
            return f"due:{self.dispute_id}:{self.revision}"
        return f"again:{self.dispute_id}:{self.revision}:{self.number}"

    @property
    def next(self) -> "AlarmAttempt":
        """The attempt after this one."""
        return replace(self, number=self.number + 1)


Enqueue = Callable[[Transaction, AlarmAttempt, datetime], None]
"""Writes the workflow of an attempt, delayed until an instant.

Never with an application version: then an executor of the newest one runs it.
"""


def enqueuer(address: Address, schema: str) -> Enqueue:
    """Create the tables of DBOS in a database, and return what enqueues there."""
    DBOS.migrate(address.url.render_as_string(hide_password=False), schema=schema)
    if address.dialect.name == POSTGRESQL:
        return partial(_enqueue_on_postgresql, _ENQUEUE.format(sql.Identifier(schema)).as_string())
    return _SqliteEnqueue()


def _delay_until(at: datetime) -> int:
    """Return an instant in milliseconds, a little later."""
    return max(0, int(at.timestamp() * 1000) + _MARGIN_MS)


# ---- PostgreSQL ----------------------------------------------------------------------------------

_ENQUEUE = sql.SQL(
    "SELECT {}.enqueue_workflow(workflow_name => %s, queue_name => %s, named_args => %s,"
    " workflow_id => %s, delay_until_epoch_ms => %s)"
)


def _enqueue_on_postgresql(
    statement: str, transaction: Transaction, attempt: AlarmAttempt, at: datetime
) -> None:
    arguments = json.dumps(asdict(attempt))
    values = (EXPIRE, QUEUE, arguments, attempt.workflow_id, _delay_until(at))
    transaction.execute(statement, values)


# ---- SQLite --------------------------------------------------------------------------------------


class _SqliteEnqueue:
    """Enqueues by DBOS's own client, which wants SQLAlchemy, on the connection of a transaction."""

    def __init__(self) -> None:
        self._borrowed = threading.local()
        self._engine = create_engine(
            "sqlite://", creator=lambda: self._borrowed.connection, poolclass=NullPool
        )
        self._client = DBOSClient(system_database_engine=self._engine, lazy=True)

    def __call__(self, transaction: Transaction, attempt: AlarmAttempt, at: datetime) -> None:
        options: EnqueueOptions = {
            "workflow_name": EXPIRE,
            "queue_name": QUEUE,
            "workflow_id": attempt.workflow_id,
            "delay_seconds": _delay_until(at) / 1000 - time.time(),
            "serialization_type": WorkflowSerializationFormat.PORTABLE,
        }
        self._borrowed.connection = _Borrowed(transaction.driver)
        with self._engine.connect() as connection:
            self._client.enqueue_in_transaction(connection, options, **asdict(attempt))


class _Borrowed:
    """A connection of the driver whose transaction SQLAlchemy must not end."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- as the driver's
        return getattr(self._driver, name)

    def commit(self) -> None:
        """Leave the transaction as it is."""

    rollback = close = commit
