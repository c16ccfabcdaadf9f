"""A session: one connection of the driver while somebody works on it. Every statement of ours runs on one, through `Statement`."""

import select
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection
from sqlalchemy.engine import Dialect

from dispute_fsm.store.address import behind_pooler
from dispute_fsm.store.schema import POSTGRESQL


class Session:
    """Runs statements: `execute` one with its parameters, and returns the driver's cursor.

    Outside of a transaction each statement is committed by itself, and sees what was committed when
    it began. This class does as SQLite needs it: a transaction that writes waits for its turn at
    once, for one that has read first could not wait.
    """

    __slots__ = ("__weakref__", "dialect", "driver", "execute")
    writes, reads = "BEGIN IMMEDIATE", "BEGIN"

    def __init__(self, driver: Any, dialect: Dialect) -> None:  # noqa: ANN401 -- a connection of the driver
        self.dialect = dialect
        self.driver = driver
        self.execute: Callable[..., Any] = driver.execute

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Begin a transaction that writes; it commits where the context ends well. Else nothing more can be done in the session."""
        self.execute(self.writes)
        yield
        self.execute("COMMIT")

    def snapshot(self) -> None:
        """Begin a transaction in which every statement sees the same moment, and nothing is written; it is rolled back at the end."""
        self.execute(self.reads)

    def stream(self, sql: str, parameters: Any, number: int) -> Iterable[Any]:  # noqa: ANN401 -- as the driver takes them
        """Run a query within a transaction, whose rows are not all read at once, but about so many."""
        del number
        return self.execute(sql, parameters)  # type: ignore[no-any-return]

    def many(self, sql: str, parameters: Sequence[Any]) -> int:
        """Run a statement many times; returns how many rows were changed."""
        return int(self.driver.executemany(sql, parameters).rowcount)

    def usable(self) -> bool:
        """Tell whether the database has not ended the connection while nobody used it."""
        return True

    def roll_back(self) -> bool:
        """Undo what was not committed; returns whether the connection can be used again."""
        if self.driver.in_transaction:
            self.driver.rollback()
        return True


_CURSORS = count()


class PostgresqlSession(Session):
    """What a session needs stands in its transaction, so that a pooler may give each transaction another connection."""

    __slots__ = ()
    writes, reads = (
        "BEGIN ISOLATION LEVEL READ COMMITTED",
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    )

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Begin a transaction that writes; only where an answer is read does anybody wait for the database."""
        with self.driver.pipeline():
            self.execute(self.writes)
            yield
            self.execute("COMMIT")

    def stream(self, sql: str, parameters: Any, number: int) -> Iterable[Any]:  # noqa: ANN401 -- as above
        """Run a query by a cursor of the server's."""
        with self.driver.cursor(f"dispute_{next(_CURSORS)}") as cursor:
            cursor.itersize = number
            yield from cursor.execute(sql, parameters)

    def many(self, sql: str, parameters: Sequence[Any]) -> int:
        """Run a statement many times."""
        with self.driver.pipeline() as pipeline:
            cursor = self.driver.cursor()
            cursor.executemany(sql, parameters)
            pipeline.sync()  # only then the rows are counted
        return int(cursor.rowcount)

    def usable(self) -> bool:
        """Tell whether the connection is open, and has nothing to say unasked: else it was ended."""
        if self.driver.closed:
            return False
        waiting = select.poll()
        waiting.register(self.driver, select.POLLIN)
        return not waiting.poll(0)

    def roll_back(self) -> bool:
        """Undo what was not committed."""
        if self.driver.pgconn.transaction_status != TransactionStatus.IDLE:
            self.driver.rollback()
        return not self.driver.closed


class HostSession(Session):
    """The transaction of a host, on its connection of SQLAlchemy, so that its events, logs and savepoints see our statements too."""

    __slots__ = ()

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        driver: Any = connection.connection.driver_connection
        self.dialect = dialect
        self.driver = driver
        self.execute = connection.exec_driver_sql
        if dialect.name == POSTGRESQL and hasattr(driver, "prepare_threshold"):
            behind_pooler(driver, connection.exec_driver_sql)
