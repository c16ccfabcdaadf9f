"""The transaction of a host: which connections may be handed in, and our session on one.

Our statements run on the connection of the driver, by cursors of our own: whatever the host has set
for its rows, ours are plain. Nothing here begins, commits or rolls back.
"""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn, Protocol, TypeAlias

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import tuple_row
from sqlalchemy import Connection
from sqlalchemy.engine import Dialect

from dispute_fsm.errors import InputError
from dispute_fsm.store.address import POSTGRESQL, SQLITE, behind_pooler
from dispute_fsm.store.session import Session


class DjangoConnection(Protocol):
    """`django.db.connection`, or one of `django.db.connections`."""

    @property
    def connection(self) -> Any:  # noqa: ANN401 -- of any driver
        """The connection of the driver; None before it is needed."""
        ...

    @property
    def in_atomic_block(self) -> bool:
        """Whether it is in `transaction.atomic()`."""
        ...

    @property
    def needs_rollback(self) -> bool:
        """Whether that can only be rolled back."""
        ...


HostConnection: TypeAlias = (
    Connection | psycopg.Connection[Any] | sqlite3.Connection | DjangoConnection
)
"""A connection of SQLAlchemy, psycopg 3 or sqlite3, or Django's."""


class HostSession(Session):
    """A session in the transaction of a host."""

    __slots__ = ()

    def __init__(self, driver: Any, dialect: Dialect, execute: Callable[..., Any]) -> None:  # noqa: ANN401 -- a connection of the driver
        self.dialect = dialect
        self.driver = driver
        self.execute = execute


@contextmanager
def host_session(given: HostConnection, dialect: Dialect) -> Generator[Session]:
    """Yield a session in the open transaction of a host.

    Raises `InputError` where there is none, or where the connection is of another kind.
    """
    if isinstance(given, Connection):
        session = _on_sqlalchemy(given, dialect)
    elif isinstance(given, psycopg.Connection | sqlite3.Connection):
        session = _on_driver(given, dialect)
        if isinstance(given, sqlite3.Connection) and not given.in_transaction:
            _no_transaction("begin one with BEGIN IMMEDIATE")
    elif _is_django(given):
        session = _on_django(given, dialect)
    else:
        raise _invalid(
            "expected a connection of SQLAlchemy, psycopg 3 or sqlite3, or django.db.connection, "
            f"not {type(given).__name__}"
        )
    driver = session.driver
    if isinstance(driver, psycopg.Connection):
        _check_psycopg(driver)
    if hasattr(driver, "prepare_threshold"):
        behind_pooler(driver, session.execute)
    if not isinstance(driver, sqlite3.Connection):
        yield session
        return
    text_factory, driver.text_factory = driver.text_factory, str
    try:
        yield session
    finally:
        driver.text_factory = text_factory


def _on_sqlalchemy(given: Connection, dialect: Dialect) -> Session:
    """Return a session of SQLAlchemy, so that the host's listeners see our statements too."""
    _check_kind(given.dialect.name, dialect)
    if not given.in_transaction():
        _no_transaction("begin one")
    driver: Any = given.connection.driver_connection
    # Set to commit each statement by itself, whatever SQLAlchemy believes.
    if getattr(driver, "autocommit", False) is True or (
        dialect.name == SQLITE and driver.isolation_level is None and not driver.in_transaction
    ):
        _no_transaction("it commits each statement by itself; begin one")
    return HostSession(driver, dialect, partial(_execute_sqlalchemy, given))


def _on_django(given: DjangoConnection, dialect: Dialect) -> Session:
    """Return a session on the driver of Django, which would change statements and values."""
    if not given.in_atomic_block:
        _no_transaction("call within transaction.atomic()")
    if given.needs_rollback:
        _failed("leave the block of transaction.atomic()")
    driver = given.connection
    if not isinstance(driver, psycopg.Connection | sqlite3.Connection):
        raise _invalid(f"Django must use psycopg 3 or sqlite3, not {type(driver).__module__}")
    return _on_driver(driver, dialect)


def _on_driver(driver: psycopg.Connection[Any] | sqlite3.Connection, dialect: Dialect) -> Session:
    """Return a session with cursors of our own."""
    if isinstance(driver, sqlite3.Connection):
        _check_kind(SQLITE, dialect)
        return HostSession(driver, dialect, partial(_execute_sqlite, driver))
    _check_kind(POSTGRESQL, dialect)
    return HostSession(driver, dialect, partial(_execute_postgresql, driver))


def _execute_sqlalchemy(given: Connection, sql: str, parameters: Any = None) -> Any:  # noqa: ANN401 -- as the driver takes them
    # to SQLAlchemy, a list is the parameters of many executions
    values = tuple(parameters) if isinstance(parameters, list) else parameters
    return given.exec_driver_sql(sql, values)


def _execute_sqlite(driver: sqlite3.Connection, sql: str, parameters: Any = ()) -> Any:  # noqa: ANN401 -- as the driver takes them
    return sqlite3.Cursor(driver).execute(sql, parameters)  # made so, it has no row factory


def _execute_postgresql(driver: psycopg.Connection[Any], sql: Any, parameters: Any = None) -> Any:  # noqa: ANN401 -- as above; psycopg wants literals
    return _PlainCursor(driver, row_factory=tuple_row).execute(sql, parameters)


class _PlainCursor(psycopg.Cursor[tuple[Any, ...]]):
    """A cursor that reads and writes values as psycopg does, whatever the connection is set to.

    Django's reads an instant without a time zone, for example.
    """

    @property
    def adapters(self) -> AdaptersMap:
        return psycopg.adapters


# ---- what is an error ----------------------------------------------------------------------------


def _is_django(given: object) -> bool:
    # without importing Django; `django.db.connection` is a proxy, of another class than it seems
    return all(
        hasattr(given, name) for name in ("ensure_connection", "in_atomic_block", "needs_rollback")
    )


def _check_kind(kind: str, dialect: Dialect) -> None:
    if kind != dialect.name:
        raise _invalid(f"the store's database is {dialect.name}, this connection's is {kind}")


def _check_psycopg(driver: psycopg.Connection[Any]) -> None:
    """Check the state of a connection; without autocommit, our first statement begins."""
    status = driver.info.transaction_status
    if driver.pgconn.pipeline_status != PipelineStatus.OFF:
        raise _invalid("it is in pipeline mode: call when the pipeline has ended")
    if status == TransactionStatus.INERROR:
        _failed("roll it back")
    if status == TransactionStatus.ACTIVE:
        raise _invalid("it is busy with another statement: call when that has ended")
    if status == TransactionStatus.IDLE and driver.autocommit:
        _no_transaction("begin one with connection.transaction()")


def _no_transaction(advice: str) -> NoReturn:
    raise _invalid(f"it is not in a transaction: {advice}")


def _failed(advice: str) -> NoReturn:
    raise _invalid(f"its transaction has failed and can only be rolled back: {advice}")


def _invalid(message: str) -> InputError:
    return InputError(message, field="connection")
