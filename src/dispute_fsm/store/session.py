"""A session: one connection of the driver while somebody works on it. Every statement of ours runs on one, through `Statement`."""

import select
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from types import TracebackType
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection
from sqlalchemy.engine import Dialect

from dispute_fsm.store.address import behind_pooler
from dispute_fsm.store.schema import POSTGRESQL


class Session:
    """Runs statements: `execute` one with its parameters, and returns the driver's cursor.

    Outside of a transaction each statement is committed by itself, and sees what was committed when it began.
    """

    __slots__ = ("__weakref__", "dialect", "driver", "execute")

    def __init__(self, driver: Any, dialect: Dialect) -> None:  # noqa: ANN401 -- a connection of the driver
        self.dialect = dialect
        self.driver = driver
        self.execute: Callable[..., Any] = driver.execute

    def transaction(self) -> AbstractContextManager[None]:
        """Begin a transaction that writes; it commits where the context ends well. Else nothing more can be done in the session."""
        raise NotImplementedError

    def snapshot(self) -> None:
        """Begin a transaction in which every statement sees the same moment, and nothing is written; it is rolled back at the end."""
        raise NotImplementedError

    def stream(self, sql: str, parameters: Any, number: int) -> Iterable[Any]:  # noqa: ANN401 -- as the driver takes them
        """Run a query whose rows are not all held at once, but so many."""
        raise NotImplementedError

    def many(self, sql: str, parameters: Sequence[Any]) -> int:
        """Run a statement many times; returns how many rows were changed."""
        raise NotImplementedError

    def usable(self) -> bool:
        """Tell whether the database has not ended the connection while nobody used it."""
        raise NotImplementedError

    def roll_back(self) -> bool:
        """Undo what was not committed; returns whether the connection can be used again."""
        raise NotImplementedError

    def close(self) -> None:
        """End the connection."""
        self.driver.close()


class SqliteSession(Session):
    """On SQLite every transaction that writes waits for its turn at once, for one that has read first could not wait."""

    __slots__ = ()

    def transaction(self) -> AbstractContextManager[None]:
        """Begin a transaction that writes."""
        return _Immediate(self.execute)

    def snapshot(self) -> None:
        """Begin a transaction that only reads."""
        self.execute("BEGIN")

    def stream(self, sql: str, parameters: Any, number: int) -> Iterable[Any]:  # noqa: ANN401 -- as above
        """Run a query; SQLite finds its rows one by one."""
        del number
        return self.execute(sql, parameters)  # type: ignore[no-any-return]

    def many(self, sql: str, parameters: Sequence[Any]) -> int:
        """Run a statement many times."""
        return int(self.driver.executemany(sql, parameters).rowcount)

    def usable(self) -> bool:
        """Nobody ends a connection to a file."""
        return True

    def roll_back(self) -> bool:
        """Undo what was not committed."""
        if self.driver.in_transaction:
            self.driver.rollback()
        return True


class _Immediate:
    """A transaction of SQLite; a class, because a generator would cost as much as the statement that it begins with."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Callable[[str], object]) -> None:
        self._execute = execute

    def __enter__(self) -> None:
        self._execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        if error is None:
            self._execute("COMMIT")


_CURSORS = count()


class PostgresqlSession(Session):
    """What a session needs stands in its transaction, so that a pooler may give each transaction another connection."""

    __slots__ = ()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Begin a transaction that writes; each statement sees what others committed before it, whatever the server's default is."""
        with self.driver.pipeline():  # only where an answer is read does anybody wait for the database
            self.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            yield
            self.execute("COMMIT")

    def snapshot(self) -> None:
        """Begin a transaction that only reads."""
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def stream(self, sql: str, parameters: Any, number: int) -> Iterable[Any]:  # noqa: ANN401 -- as above
        """Run a query by a cursor of the server's, which lasts as long as the transaction."""
        cursor = self.driver.cursor(f"dispute_{next(_CURSORS)}")
        cursor.itersize = number
        return cursor.execute(sql, parameters)  # type: ignore[no-any-return]

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
