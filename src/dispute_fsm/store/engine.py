"""Connections: SQLite in a file, which needs nothing, or PostgreSQL by URL; how each is told to keep what it was given.

A write on SQLite begins with `BEGIN IMMEDIATE`: it waits for its turn at once. A transaction that begins by reading and
then writes cannot wait (what it has read may be out of date), so it would fail with "database is locked".
"""

import select
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    InvalidatePoolError,
    OperationalError,
    TimeoutError,  # noqa: A004 -- of its pool
)

from dispute_fsm.errors import InputError, StoreUnavailableError
from dispute_fsm.store.schema import POSTGRESQL, SQLITE

_DRIVERS = {
    POSTGRESQL: "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    SQLITE: "sqlite",
}
_BUSY_SECONDS = 30
"""How long a SQLite connection waits for another writer before it gives up, unless the URL has a `timeout` in seconds."""
_SQLITE = (3, 35)
"""The first version that knows `RETURNING`."""

_READ_ONLY = "dispute_reads"
_UNAVAILABLE = (
    OperationalError,
    InterfaceError,
    TimeoutError,
    sqlite3.OperationalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
)
"""What the drivers, and SQLAlchemy for them, raise where the database cannot be reached, is locked, full, went away, or takes no
writes; also where all connections are busy for too long."""

_TURNS = 20
"""How often a new connection to SQLite waits for its turn to turn the log on."""
_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a commit that was answered survives a power failure
    "PRAGMA secure_delete = ON",  # what is erased is overwritten
)


def engine_for(url: str | URL) -> Engine:
    """Make an engine for a database; nothing is connected yet.

    `sqlite:///disputes.db` is a file, `postgresql://user@host/base` a PostgreSQL. Raises `InputError` for any other URL.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        raise InputError("not the URL of a database; e.g. sqlite:///disputes.db or postgresql://user@host/base", field="url") from None
    if address.drivername not in _DRIVERS:
        raise InputError(f"{address.drivername} is not spoken here: sqlite or postgresql", field="url")
    address = address.set(drivername=_DRIVERS[address.drivername])
    if address.get_backend_name() == POSTGRESQL:
        engine = create_engine(address)
        event.listen(engine, "checkout", _taken)
        event.listen(engine, "checkin", _back)
        return engine
    if address.database in {None, "", ":memory:"}:
        raise InputError("name a file, e.g. sqlite:///disputes.db: what is in memory only would be lost", field="url")
    if sqlite3.sqlite_version_info < _SQLITE:
        needed = ".".join(map(str, _SQLITE))
        raise InputError(f"SQLite {needed} or newer is needed, this Python has {sqlite3.sqlite_version}", field="url")
    try:
        engine = create_engine(address, connect_args={} if "timeout" in address.query else {"timeout": _BUSY_SECONDS})
        engine.dialect.create_connect_args(address)
    except ValueError as error:
        raise InputError(f"a parameter of the URL cannot be read: {error}", field="url") from None
    event.listen(engine, "connect", _opened)
    event.listen(engine, "begin", _began)
    return engine


def file_of(url: str) -> Path | None:
    """Return the file of a SQLite database; None for another, or where a URI names it. Raises `InputError` as `engine_for` does."""
    address = engine_for(url).url
    name = str(address.database)
    return Path(name) if address.get_backend_name() == SQLITE and not name.startswith("file:") else None


def _opened(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a connection of the driver
    connection.isolation_level = None  # the driver would begin by itself, too late
    for _ in range(_TURNS):
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            break
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError:  # somebody else is at it, or writes; this pragma does not wait, a transaction does
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()


def _back(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a connection of the driver, or None where it is gone
    """See to it that a connection which was interrupted does not come back as one that commits each statement."""
    if connection is not None and not connection.closed and connection.autocommit:
        connection.autocommit = False


def _taken(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 -- a connection of the driver
    """Replace the connections that were ended while nobody used them."""
    if connection.closed:
        raise DisconnectionError
    if ended(connection):
        raise InvalidatePoolError


def ended(connection: Any) -> bool:  # noqa: ANN401 -- a connection of the driver
    """Tell whether PostgreSQL has ended a connection that nobody used: it is closed, or has something to say unasked."""
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    return bool(waiting.poll(0))


def _began(connection: Connection) -> None:
    if not connection.get_execution_options().get(_READ_ONLY):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def available() -> Generator[None]:
    """Say in our words that the database cannot be reached, is locked, full or went away. Raises `StoreUnavailableError`."""
    try:
        yield
    except Exception as error:
        if not is_unavailable(error):
            raise
        raise unavailable(error) from error


def is_unavailable(error: BaseException | None) -> bool:
    """Tell whether an error says that the database cannot be worked with now."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, _UNAVAILABLE) or is_unavailable(error.orig)
    # SQLite says so of a file that is none of its own, or is damaged; what it says of statements are classes below this one.
    return isinstance(error, _UNAVAILABLE) or type(error) is sqlite3.DatabaseError


def unavailable(error: BaseException) -> StoreUnavailableError:
    """Make the error of a database that cannot be worked with now."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    said = str(cause).strip().splitlines()
    return StoreUnavailableError(f"the database cannot be worked with now: {said[0] if said else type(cause).__name__}")


@contextmanager
def writing(engine: Engine) -> Generator[Connection]:
    """Open a transaction that writes; it commits where the context ends well. Raises `StoreUnavailableError`."""
    with available(), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Generator[Connection]:
    """Open a connection for reading; each statement sees what is committed when it begins. Raises `StoreUnavailableError`."""
    options: dict[str, Any] = {_READ_ONLY: True}
    if engine.dialect.name == POSTGRESQL:
        options["isolation_level"] = "AUTOCOMMIT"
    with available(), engine.connect() as connection:
        yield connection.execution_options(**options)


@contextmanager
def snapshot_of(engine: Engine) -> Generator[Connection]:
    """Open a transaction in which every statement sees the same moment, and nothing is written. Raises `StoreUnavailableError`."""
    postgresql = engine.dialect.name == POSTGRESQL
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if postgresql else {_READ_ONLY: True}
    with available(), engine.connect() as plain:
        connection = plain.execution_options(**options)
        with connection.begin():
            if not postgresql:
                connection.exec_driver_sql("BEGIN")
            yield connection
