"""Where a database is: SQLite in a file, which needs nothing, or PostgreSQL by URL; and how a connection to it is opened.

The parameters of a URL are read here, before anything is connected: an unknown one must not quietly
mean nothing.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode
from weakref import WeakKeyDictionary

from psycopg import pq
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import ArgumentError

from dispute_fsm.errors import InputError
from dispute_fsm.store.schema import POSTGRESQL, SQLITE

_DIALECTS: Mapping[str, type[Dialect]] = {
    "postgres": PGDialect_psycopg,
    POSTGRESQL: PGDialect_psycopg,
    "postgresql+psycopg": PGDialect_psycopg,
    SQLITE: SQLiteDialect_pysqlite,
}
_BUSY_SECONDS = 30.0
"""How long a SQLite connection waits for another writer before it gives up, unless the URL has a `timeout` in seconds."""

_OLDEST_SQLITE = (3, 35)
"""The first version that knows `RETURNING`."""

_TURNS = 20
"""How often a new connection to SQLite waits for its turn to turn the log on."""

_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a commit that was answered survives a power failure
    "PRAGMA secure_delete = ON",  # what is erased is overwritten
)


@dataclass(frozen=True, slots=True)
class Address:
    """A database: its URL, its dialect, and what opens a connection of the driver there, which commits each statement by itself."""

    url: URL
    dialect: Dialect
    connect: Callable[[], Any]


def address_of(given: str | URL) -> Address:
    """Read the URL of a database; nothing is connected yet.

    `sqlite:///disputes.db` is a file, `postgresql://user@host/base` a PostgreSQL. Raises
    `InputError` for any other URL, for a parameter that neither the driver nor the database knows,
    and for a value that it cannot have.
    """
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        raise InputError(
            "not the URL of a database; e.g. sqlite:///disputes.db or postgresql://user@host/base",
            field="url",
        ) from None
    if isinstance(given, str):  # SQLAlchemy leaves out what has no value
        for name, value in parse_qsl(
            given.rpartition("@")[2].partition("?")[2], keep_blank_values=True
        ):
            if not value:
                raise InputError(f"{name} has no value; give it one, or leave it out", field="url")
    kind = _DIALECTS.get(url.drivername)
    if kind is None:
        raise InputError(
            f'unsupported database "{url.drivername}": use sqlite or postgresql', field="url"
        )
    dialect: Any = kind(dbapi=kind.import_dbapi())  # type: ignore[call-arg]  # SQLAlchemy's base class does not declare it
    if dialect.name == POSTGRESQL:
        url = url.set(drivername="postgresql+psycopg")
        return Address(
            url, dialect, partial(_open_postgresql, dialect, _postgresql_arguments(url, dialect))
        )
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        needed = ".".join(map(str, _OLDEST_SQLITE))
        raise InputError(
            f"SQLite {needed} or newer is needed, this Python has {sqlite3.sqlite_version}",
            field="url",
        )
    opens = partial(_open_sqlite, *_sqlite_arguments(url))
    return Address(
        url.update_query_dict({"uri": "true"}) if str(url.database).startswith("file:") else url,
        dialect,
        opens,
    )


def file_of(given: str | URL) -> Path | None:
    """Return the file of a SQLite database; None for another, or where a URI names it. Raises `InputError` as `address_of` does."""
    url = address_of(given).url
    name = str(url.database)
    return Path(name) if url.get_backend_name() == SQLITE and not name.startswith("file:") else None


def engine_of(address: Address) -> Engine:
    """Make an engine of SQLAlchemy for the transactions of a host; on SQLite they begin by waiting for their turn to write."""

    def opened() -> Any:  # noqa: ANN401 -- a connection of the driver
        connection = address.connect()
        if address.dialect.name == POSTGRESQL:
            connection.autocommit = False
        return connection

    engine = create_engine(address.url, creator=opened, pool_pre_ping=True)
    if address.dialect.name == SQLITE:
        event.listen(engine, "begin", _began)
    return engine


def _began(connection: Connection) -> None:
    """Wait for the turn to write at once: a transaction that has read first could not wait, for that may be out of date by then."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


# ---- PostgreSQL ----------------------------------------------------------------------------------


def _postgresql_arguments(url: URL, dialect: Dialect) -> dict[str, Any]:
    """Return the driver's arguments. Several servers, to be tried one after the other, are put together as SQLAlchemy does."""
    arguments = _arguments(url, _POSTGRESQL)
    try:
        _, given = dialect.create_connect_args(url)
    except (ArgumentError, ValueError) as error:
        raise InputError(f"host and port: {error}", field="url") from None
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
    """Tell whether a pooler such as PgBouncer answers for the server, so that each transaction may be another session's.

    The process that answers is another one then than the one that was named when the connection was
    made. Nothing may be left in a session there: the connection is told to prepare no statements.
    """
    pooled = _pooled.get(connection)
    if pooled is None:
        threshold, connection.prepare_threshold = (
            connection.prepare_threshold,
            None,
        )  # also for the question itself
        try:
            (process,) = execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
        finally:
            connection.prepare_threshold = threshold
        _pooled[connection] = pooled = process != connection.info.backend_pid
        if pooled:
            connection.prepare_threshold = None
    return pooled


_pooled: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
"""What was found out about connections, a host's among them."""


# ---- SQLite --------------------------------------------------------------------------------------


def _open_sqlite(name: str, arguments: Mapping[str, Any]) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite3.connect(name, **arguments)
    try:
        for _ in range(_TURNS):
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                break
            try:
                connection.execute("PRAGMA journal_mode = WAL").close()
            except (
                sqlite3.OperationalError
            ):  # somebody else is at it, or writes; this pragma does not wait, a transaction does
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
        raise InputError(
            (
                "a file has no host; write three slashes: "
                f"sqlite:///{url.host or ''}{name and '/' + name}"
            ),
            field="url",
        )
    arguments = _arguments(url, {**_SQLITE, **_URI})
    own = {parameter: url.query[parameter] for parameter in url.query if parameter in _URI}
    if not name.startswith("file:"):
        if own:
            first = min(own)
            raise InputError(
                (
                    f"{first} is a parameter of a URI; write "
                    f"sqlite:///file:{name}?{first}={own[first]}&uri=true"
                ),
                field="url",
            )
        uri, place = False, str(Path(name).absolute())
    else:
        if not arguments.get("uri", True):
            raise InputError("uri: a name that begins with file: is read as a URI", field="url")
        uri, place = True, f"{name}{'&' if '?' in name else '?'}{urlencode(own)}"
    if (
        name.removeprefix("file:") in {"", ":memory:"}
        or own.get("mode") == "memory"
        or own.get("vfs") == "memdb"
    ):
        raise InputError(
            "name a file, e.g. sqlite:///disputes.db: what is in memory only would be lost",
            field="url",
        )
    settings = {parameter: value for parameter, value in arguments.items() if parameter not in _URI}
    # The store begins transactions itself, and its connections go from thread to thread.
    return place, {
        "timeout": _BUSY_SECONDS,
        **settings,
        "uri": uri,
        "isolation_level": None,
        "check_same_thread": False,
    }


_SERVERS = ("host", "port")
"""What may be given several times."""

# ---- the parameters of a URL ---------------------------------------------------------------------

_Whole = Annotated[int, Field(ge=0, lt=2**31)]
_Flag = Annotated[bool, AfterValidator(int)]
_Threshold = Annotated[
    _Whole | Literal["none"], AfterValidator(lambda given: None if given == "none" else given)
]

_POSTGRESQL: Mapping[str, Any] = {
    **{option.keyword.decode(): str for option in pq.Conninfo.get_defaults()},
    **dict.fromkeys(
        (
            "connect_timeout",
            "keepalives_count",
            "keepalives_idle",
            "keepalives_interval",
            "tcp_user_timeout",
        ),
        int,
    ),
    **dict.fromkeys(("keepalives", "sslcompression", "sslsni", "gssdelegation"), _Flag),
    "prepare_threshold": _Threshold,
}
"""libpq's own, and psycopg's. What libpq does not check before it connects is read here; it refuses the rest itself."""

_SQLITE: Mapping[str, Any] = {
    "timeout": Annotated[float, Field(ge=0, lt=2**31 / 1000)],  # SQLite counts in milliseconds
    "cached_statements": _Whole,
    "detect_types": _Whole,
    "isolation_level": str,
    "check_same_thread": bool,
    "uri": bool,
}
"""The driver's."""

_URI: Mapping[str, Any] = {
    "mode": Literal["ro", "rw", "rwc", "memory"],
    "cache": Literal["shared", "private"],
    **dict.fromkeys(("immutable", "nolock", "psow"), bool),
    **dict.fromkeys(("vfs", "modeof"), str),
}
"""Those of a `file:` URI, which SQLite reads."""

_KNOWN = {
    POSTGRESQL: "the parameters of libpq, and prepare_threshold",
    SQLITE: f"{', '.join(_SQLITE)}, and of a file: URI {', '.join(_URI)}",
}


def _arguments(url: URL, known: Mapping[str, Any]) -> dict[str, Any]:
    """Read the parameters of a URL. Raises `InputError` that names the parameter."""
    arguments: dict[str, Any] = {}
    for name, value in url.query.items():
        if name not in known:
            close = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
            meant = (
                f"did you mean {close[0]}?"
                if close
                else f"known are {_KNOWN[url.get_backend_name()]}"
            )
            raise InputError(
                f"{name} is not a parameter of a {url.get_backend_name()} URL; {meant}", field="url"
            )
        if name in _SERVERS:
            continue
        if not isinstance(value, str):
            raise InputError(f"{name} is given {len(value)} times; give it once", field="url")
        try:
            arguments[name] = TypeAdapter(known[name]).validate_strings(value)
        except ValidationError as error:
            raise InputError(
                f"{name}: {error.errors()[0]['msg']}, not {value!r:.60}", field="url"
            ) from None
    return arguments
