"""The pool: a few connections of the driver, which threads use in turn; and what its errors mean.

An error of a driver is worth another try, or somebody has to change something first: that is
decided here, by SQLSTATE or by SQLite's result code.
"""

import os
import re
import sqlite3
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Lock
from types import TracebackType
from typing import cast
from weakref import WeakSet

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from dispute_fsm.errors import InputError, StoreInvalidError, StoreUnavailableError
from dispute_fsm.store.address import POSTGRESQL, Address
from dispute_fsm.store.session import PostgresqlSession, Session

_MAX_IDLE, _MAX_OPEN = 5, 10
"""How many connections stay open while nobody uses them, and how many there may be."""

_PATIENCE = 30
"""For how many seconds a thread waits for a connection."""


class Permit:
    """The right to one connection of the pool, and the session on it once it is open.

    As a context it gives the session, and goes back at the end; what is not committed is undone. An
    error of the driver within is raised as `StoreUnavailableError`, `StoreInvalidError` or
    `InputError`. A permit exists as long as it is referenced, so an interrupt cannot lose it.
    """

    __slots__ = ("__weakref__", "era", "pool", "session")

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.era = pool.era
        self.session: Session | None = None

    def close(self) -> None:
        """Close the connection, if there is one."""
        session, self.session = self.session, None
        if session is not None:
            session.driver.close()

    def __enter__(self) -> Session:
        return cast("Session", self.session)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        interrupt = _interrupt_of(error)
        try:
            self.pool.put_back(self)
        except Exception as lost:
            if store_error(lost) is None:
                raise
            error = lost if error is None or isinstance(error, Exception) else error
        if interrupt is not None:
            raise interrupt
        if error is not None and (ours := store_error(error)) is not None:
            raise ours from error


def _interrupt_of(error: BaseException | None) -> BaseException | None:
    """Return what interrupted the work, such as Ctrl-C, also behind an error that it caused."""
    while isinstance(error, Exception):
        error = error.__context__
    return error


class Pool:
    """The connections of one database.

    A thread that has to wait is served in turn: `waiting`, the longest first. `permits` are
    all that exist, also those of idle connections.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.kind = PostgresqlSession if address.dialect.name == POSTGRESQL else Session
        self._idle: list[Permit] = []
        self.abandon()
        _POOLS.add(self)

    def abandon(self) -> None:
        """Leave all connections to the process that this one was forked from."""
        _FOREIGN.extend(self._idle)
        self.era = object()
        self._lock = Lock()
        self._idle = []
        self.permits = WeakSet[Permit]()
        self.waiting = deque[SimpleQueue[Permit]]()

    def close(self) -> None:
        """Close all connections, those in use when they come back. Later ones are opened anew."""
        self.era = object()
        while self._idle:
            self._drop(self._idle.pop())

    def take(self) -> Permit:
        """Take a connection, as a context.

        Raises `StoreUnavailableError`, `StoreInvalidError`, `InputError`.
        """
        permit = self._next()
        try:
            if permit.session is None or not permit.session.usable():
                permit.close()
                with translated_errors():
                    permit.session = self.kind(self.address.connect(), self.address.dialect)
                permit.era = self.era
        except BaseException:
            self._drop(permit)
            raise
        return permit

    @contextmanager
    def transaction(self) -> Generator[Session]:
        """Take a connection and begin a transaction that writes. Raises as `take` does."""
        with self.take() as session, session.transaction():
            yield session

    @contextmanager
    def snapshot(self) -> Generator[Session]:
        """Take a connection that reads at one moment, and writes nothing. Raises as `take` does."""
        with self.take() as session:
            session.execute(session.reads)  # rolled back by the pool
            yield session

    def put_back(self, permit: Permit) -> None:
        """Take a connection back; what was not committed on it is rolled back."""
        usable = False
        try:
            # A pool that was closed meanwhile is in another era.
            usable = cast("Session", permit.session).roll_back() and permit.era is self.era
        finally:
            if usable:
                self._hand_on(permit)
            else:
                self._drop(permit)

    def _next(self) -> Permit:
        """Return an idle connection, or the permit to open one; wait for either."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if len(self.permits) < _MAX_OPEN:
                permit = Permit(self)
                self.permits.add(permit)
                return permit
            turn = SimpleQueue[Permit]()
            self.waiting.append(turn)
        try:
            return turn.get(timeout=_PATIENCE)
        except Empty:
            with self._lock:
                if turn in self.waiting:
                    self.waiting.remove(turn)
                    raise StoreUnavailableError(
                        f"all {_MAX_OPEN} connections were busy for {_PATIENCE} s"
                    ) from None
            return turn.get_nowait()  # it came at the last moment

    def _hand_on(self, permit: Permit) -> None:
        """Give a permit to the thread that waits longest; else keep the connection, or close it."""
        with self._lock:
            if self.waiting:
                self.waiting.popleft().put(permit)
                return
            if permit.session is not None and len(self._idle) < _MAX_IDLE:
                self._idle.append(permit)
                return
            self.permits.discard(permit)
        permit.close()

    def _drop(self, permit: Permit) -> None:
        """Close a connection, and hand its permit on."""
        try:
            permit.close()
        finally:
            self._hand_on(permit)


# ---- forks ---------------------------------------------------------------------------------------

_POOLS: WeakSet[Pool] = WeakSet()
_FOREIGN: list[Permit] = []
"""Connections of the process that this one was forked from: closing one here would end it there."""


def _abandon_all() -> None:
    for pool in _POOLS:
        pool.abandon()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_abandon_all)


# ---- the errors of drivers -----------------------------------------------------------------------

_TRANSIENT_STATES = re.compile(
    # the connection; deadlocks; resources; ended or cancelled by an operator; the server's system
    "08|40|53|57|58"
    # read-only, as a standby is until it takes over; a transaction that took too long
    "|25006|25P0[34]"
    "|55006|55P03"  # in use, locked
)
"""SQLSTATEs, by how they begin, after which another try can help."""

_TRANSIENT_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""SQLite's primary result codes after which another try can help."""

_CONNECTION_ERRORS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    OperationalError,
    InterfaceError,
)
"""What is raised without a code where there is no connection, or no more."""

_REJECTED = re.compile(
    r"(database|role|user) .* does not exist|authentication failed|no password supplied"
    r"|no pg_hba\.conf entry|permission denied|unsupported startup parameter"
    r"|unrecognized configuration parameter|invalid value for parameter"
    r"|no such (user|database)|bouncer config error"  # PgBouncer, newer and older
)
"""The messages of servers that will never let this client in.

The servers send a SQLSTATE too, but libpq does not pass it on.
"""

_PARAMETER = re.compile(
    r'invalid "?(\w+)"? value: |invalid (port) number: '
    r'|invalid \w+ value ".*" for connection option "(\w+)"'
)
"""The messages of libpq about a parameter that it cannot read."""

_PREPARED_ELSEWHERE = {"26000", "42P05"}
"""SQLSTATEs of a prepared statement in a session that a pooler has given to others."""


def store_error(
    error: BaseException | None,
) -> InputError | StoreInvalidError | StoreUnavailableError | None:
    """Return our exception for a driver's error, also through SQLAlchemy; None for any other."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    message = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
    # psycopg 3; a host's psycopg 2
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state is not None:
        transient = _TRANSIENT_STATES.match(state) is not None
    elif isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        if code is None and not isinstance(cause, sqlite3.OperationalError):
            return None  # of the module itself: it was called wrongly
        transient = code is None or code & 0xFF in _TRANSIENT_CODES
    elif isinstance(cause, _CONNECTION_ERRORS) or isinstance(error, _CONNECTION_ERRORS):
        if match := _PARAMETER.search(message):
            name = next(filter(None, match.groups()))
            return InputError(f"{name}: {message[match.start() :]}", field="url")
        transient = _REJECTED.search(message) is None
    else:
        return None
    if transient:
        return StoreUnavailableError(f"database unavailable: {message}")
    if state in _PREPARED_ELSEWHERE:
        message += "; a pooler hands out its sessions: add prepare_threshold=none to the URL"
    return StoreInvalidError(
        f"the database does not fit this package, or refuses access: {message}; trying again "
        "does not help"
    )


@contextmanager
def translated_errors() -> Generator[None]:
    """Raise an error of a driver as one of our exceptions."""
    try:
        yield
    except Exception as error:
        if (ours := store_error(error)) is None:
            raise
        raise ours from error
