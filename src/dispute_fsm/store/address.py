"""The URL of a database, SQLite or PostgreSQL, and how a connection to it is opened.

The parameters of a URL are read here, before anything is connected: an unknown one must not be
ignored silently.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode
from weakref import WeakKeyDictionary

from psycopg import pq
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import ArgumentError

from dispute_fsm.errors import InputError
from dispute_fsm.suggestions import nearest

POSTGRESQL, SQLITE = "postgresql", "sqlite"
"""The databases that are supported, as SQLAlchemy names their dialects."""

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    POSTGRESQL: "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    SQLITE: SQLITE,
}
_OLDEST_SQLITE = (3, 35)
"""The first version with `RETURNING`."""


@dataclass(frozen=True, slots=True)
class Address:
    """A database: its URL and dialect, and `connect`, which opens a connection of the driver.

    The connection commits each statement by itself.
    """

    url: URL
    dialect: Dialect
    connect: Callable[[], Any]


def address_of(given: str | URL) -> Address:
    """Read the URL of a database; nothing is connected yet.

    `sqlite:///disputes.db` is a file, `postgresql://user@host/base` a PostgreSQL. Raises
    `InputError` for any other URL, for a parameter that neither the driver nor the database knows,
    and for an invalid value of one.
    """
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):  # a port that is not a number is a ValueError
        raise _invalid(
            "not the URL of a database; e.g. sqlite:///disputes.db or postgresql://user@host/base"
        ) from None
    if isinstance(given, str):  # SQLAlchemy leaves out what has no value
        query = given.rpartition("@")[2].partition("?")[2]
        for name, value in parse_qsl(query, keep_blank_values=True):
            if not value:
                raise _invalid(f"{name} has no value; give it one, or leave it out")
    if url.drivername not in _DRIVERS:
        raise _invalid(f'unsupported database "{url.drivername}": use sqlite or postgresql')
    url = url.set(drivername=_DRIVERS[url.drivername])
    kind = url.get_dialect()
    dialect: Any = kind(dbapi=kind.import_dbapi())  # type: ignore[call-arg]  # SQLAlchemy's base class does not declare it
    if dialect.name == POSTGRESQL:
        arguments = _postgresql_arguments(url, dialect)
        return Address(url, dialect, partial(_open_postgresql, dialect, arguments))
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        needed = ".".join(map(str, _OLDEST_SQLITE))
        raise _invalid(
            f"SQLite {needed} or newer is needed, this Python has {sqlite3.sqlite_version}"
        )
    connect = partial(_open_sqlite, *_sqlite_arguments(url))
    if _is_uri(url):
        url = url.update_query_dict({"uri": "true"})
    return Address(url, dialect, connect)


def file_of(given: str | URL) -> Path | None:
    """Return the file of a SQLite database; None for a URI or another database.

    Raises `InputError` as `address_of` does.
    """
    url = address_of(given).url
    return Path(str(url.database)) if url.drivername == SQLITE and not _is_uri(url) else None


def engine_of(address: Address) -> Engine:
    """Make an engine of SQLAlchemy for the transactions of a host."""

    def connect() -> Any:  # noqa: ANN401 -- a connection of the driver
        connection = address.connect()
        if address.dialect.name == POSTGRESQL:
            connection.autocommit = False
        return connection

    engine = create_engine(address.url, creator=connect, pool_pre_ping=True)
    if address.dialect.name == SQLITE:
        event.listen(engine, "begin", _wait_for_write_lock)
    return engine


def _wait_for_write_lock(connection: Connection) -> None:
    """Begin a transaction with the lock: after a read it is too late to wait for other writers."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _invalid(message: str) -> InputError:
    return InputError(message, field="url")


def _is_uri(url: URL) -> bool:
    """Return whether the name of a SQLite database is a URI, which SQLite reads."""
    return str(url.database).startswith("file:")


# ---- PostgreSQL ----------------------------------------------------------------------------------


def _postgresql_arguments(url: URL, dialect: Dialect) -> dict[str, Any]:
    """Return the driver's arguments. SQLAlchemy joins several servers, to be tried in turn."""
    arguments = _parameters(url, _POSTGRESQL)
    try:
        _, given = dialect.create_connect_args(url)
    except (ArgumentError, ValueError) as error:
        raise _invalid(f"host and port: {error}") from None
    return {**given, **arguments}


def _open_postgresql(dialect: Dialect, arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- a connection of the driver
    connection: Any = dialect.connect(**arguments, autocommit=True)
    try:
        behind_pooler(connection, connection.execute)
    except BaseException:
        connection.close()
        raise
    return connection


def behind_pooler(connection: Any, execute: Callable[[str], Any]) -> bool:  # noqa: ANN401 -- a connection of psycopg
    """Return whether a pooler such as PgBouncer is between, which may change the session.

    Then the server's process is not the one that was named when the connection was made. Nothing
    may be left in a session there: the connection is set to prepare no statements.
    """
    pooled = _pooled.get(connection)
    if pooled is None:
        threshold = connection.prepare_threshold
        connection.prepare_threshold = None  # also for this query
        try:
            (process,) = execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
        finally:
            connection.prepare_threshold = threshold
        _pooled[connection] = pooled = process != connection.info.backend_pid
        if pooled:
            connection.prepare_threshold = None
    return pooled


_pooled: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
"""Whether connections are behind a pooler; those of a host too."""


# ---- SQLite --------------------------------------------------------------------------------------

_BUSY_SECONDS = 30.0
"""How long a connection waits for another writer, unless the URL has a `timeout` in seconds."""

_WAL_ATTEMPTS = 20
"""How often a new connection waits for other writers before it turns on the write-ahead log."""

_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a commit survives a power failure
    "PRAGMA secure_delete = ON",  # what is erased is overwritten
)


def _open_sqlite(name: str, arguments: Mapping[str, Any]) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite3.connect(name, **arguments)
    try:
        for _ in range(_WAL_ATTEMPTS):
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                break
            try:
                connection.execute("PRAGMA journal_mode = WAL").close()
            except sqlite3.OperationalError:
                # Another connection writes, or does the same. This pragma does not wait for it, a
                # transaction does.
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        for pragma in _PRAGMAS:
            connection.execute(pragma).close()
    except BaseException:
        connection.close()
        raise
    return connection


def _sqlite_arguments(url: URL) -> tuple[str, dict[str, Any]]:
    """Return the name of the database and the driver's arguments."""
    name = url.database or ""
    if url.host or url.username or url.port:
        path = f"{url.host or ''}{name and '/' + name}"
        raise _invalid(f"a file has no host; write three slashes: sqlite:///{path}")
    parameters = _parameters(url, {**_SQLITE, **_SQLITE_URI})
    of_uri = {name: url.query[name] for name in url.query if name in _SQLITE_URI}
    if _is_uri(url):
        if not parameters.get("uri", True):
            raise _invalid("uri: a name that begins with file: is read as a URI")
        opened = f"{name}{'&' if '?' in name else '?'}{urlencode(of_uri)}"
    elif of_uri:
        first = min(of_uri)
        raise _invalid(
            f"{first} is a parameter of a URI; write "
            f"sqlite:///file:{name}?{first}={of_uri[first]}&uri=true"
        )
    else:
        opened = str(Path(name).absolute())
    in_memory = of_uri.get("mode") == "memory" or of_uri.get("vfs") == "memdb"
    if in_memory or name.removeprefix("file:") in {"", ":memory:"}:
        raise _invalid("name a file, e.g. sqlite:///disputes.db: a database in memory is lost")
    return opened, {
        "timeout": _BUSY_SECONDS,
        **{name: value for name, value in parameters.items() if name in _SQLITE},
        "uri": _is_uri(url),
        # The store begins transactions itself, and its connections go from thread to thread.
        "isolation_level": None,
        "check_same_thread": False,
    }


# ---- the parameters of a URL ---------------------------------------------------------------------

_Whole = Annotated[int, Field(ge=0, lt=2**31)]
_Flag = Annotated[bool, AfterValidator(int)]
_Threshold = Annotated[
    _Whole | Literal["none"], AfterValidator(lambda given: None if given == "none" else given)
]
_INTEGERS = (
    "connect_timeout",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
)
_POSTGRESQL: Mapping[str, Any] = {
    **{option.keyword.decode(): str for option in pq.Conninfo.get_defaults()},
    **dict.fromkeys(_INTEGERS, int),
    **dict.fromkeys(("keepalives", "sslcompression", "sslsni", "gssdelegation"), _Flag),
    "prepare_threshold": _Threshold,
}
"""The parameters of libpq and psycopg. The types are for what libpq checks only on connecting."""

_SQLITE: Mapping[str, Any] = {
    "timeout": Annotated[float, Field(ge=0, lt=2**31 / 1000)],  # SQLite counts in milliseconds
    "cached_statements": _Whole,
    "detect_types": _Whole,
    "isolation_level": str,
    "check_same_thread": bool,
    "uri": bool,
}
"""The parameters of the driver."""

_SQLITE_URI: Mapping[str, Any] = {
    "mode": Literal["ro", "rw", "rwc", "memory"],
    "cache": Literal["shared", "private"],
    **dict.fromkeys(("immutable", "nolock", "psow"), bool),
    **dict.fromkeys(("vfs", "modeof"), str),
}
"""The parameters of a `file:` URI, which SQLite reads."""

_KNOWN = {
    POSTGRESQL: "the parameters of libpq, and prepare_threshold",
    SQLITE: f"{', '.join(_SQLITE)}, and of a file: URI {', '.join(_SQLITE_URI)}",
}
_REPEATABLE = ("host", "port")
"""The parameters that may be given several times, and that SQLAlchemy reads."""


def _parameters(url: URL, known: Mapping[str, Any]) -> dict[str, Any]:
    """Read the parameters of a URL. Raises `InputError` that names the parameter."""
    parameters: dict[str, Any] = {}
    kind = url.get_backend_name()
    for name, value in url.query.items():
        if name not in known:
            close = nearest(name, known, cutoff=0.5)
            hint = f"did you mean {close}?" if close else f"known are {_KNOWN[kind]}"
            raise _invalid(f"{name} is not a parameter of a {kind} URL; {hint}")
        if name in _REPEATABLE:
            continue
        if not isinstance(value, str):
            raise _invalid(f"{name} is given {len(value)} times; give it once")
        try:
            parameters[name] = TypeAdapter(known[name]).validate_strings(value)
        except ValidationError as error:
            raise _invalid(f"{name}: {error.errors()[0]['msg']}, not {value!r:.60}") from None
    return parameters
