"""What the drivers say went wrong, as one of our exceptions: trying again can help, or somebody has to change something."""

import re
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from dispute_fsm.errors import InputError, StoreInvalidError, StoreUnavailableError

Failure = InputError | StoreInvalidError | StoreUnavailableError

_PASSES = re.compile(
    # the connection; deadlocks; resources; ended or cancelled by an operator; the server's system
    "08|40|53|57|58"
    # read-only, as a standby is until it takes over; a transaction that took too long
    "|25006|25P0[34]"
    "|55006|55P03"  # in use, locked
)
"""SQLSTATEs, by how they begin, after which trying again can help."""

_PASSING = {
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
"""SQLite's primary result codes after which trying again can help."""

_CONNECTION = (psycopg.OperationalError, psycopg.InterfaceError, OperationalError, InterfaceError)
"""What is raised without a code where there is no connection, or no more."""

_REJECTED = re.compile(
    r"(database|role|user) .* does not exist|authentication failed|no password supplied|no pg_hba\.conf entry|permission denied"
    r"|unsupported startup parameter|unrecognized configuration parameter|invalid value for parameter"
    r"|no such (user|database)|bouncer config error"  # PgBouncer, newer and older
)
"""What servers say to a client that they will never let in. They send a SQLSTATE with it, but libpq does not pass that on."""

_PARAMETER = re.compile(
    r'invalid "?(\w+)"? value: |invalid (port) number: |invalid \w+ value ".*" for connection option "(\w+)"'
)
"""What libpq says of a parameter that it cannot read."""

_PREPARED = {"26000", "42P05"}
"""What is said of statements that were prepared in a session which is somebody else's by now."""


def failure(error: BaseException | None) -> Failure | None:
    """Return our exception for what a driver raised, also through SQLAlchemy; None for anything else."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    said = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
    state = getattr(cause, "sqlstate", None) or getattr(
        cause, "pgcode", None
    )  # psycopg 3; a host's psycopg 2
    if state is not None:
        passing = _PASSES.match(state) is not None
    elif isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        if code is None and not isinstance(cause, sqlite3.OperationalError):
            return None  # the module itself: it was called wrongly
        passing = code is None or code & 0xFF in _PASSING
    elif isinstance(cause, _CONNECTION) or isinstance(error, _CONNECTION):
        if found := _PARAMETER.search(said):
            return InputError(
                f"{next(filter(None, found.groups()))}: {said[found.start() :]}", field="url"
            )
        passing = _REJECTED.search(said) is None
    else:
        return None
    if passing:
        return StoreUnavailableError(f"database unavailable: {said}")
    if state in _PREPARED:
        said += "; a pooler hands out its sessions: add prepare_threshold=none to the URL"
    return StoreInvalidError(
        f"the database does not fit this package, or does not let it in: {said}; trying again "
        "does not help"
    )


@contextmanager
def failures() -> Generator[None]:
    """Raise what a driver raises as one of our exceptions."""
    try:
        yield
    except Exception as error:
        if (ours := failure(error)) is None:
            raise
        raise ours from error
