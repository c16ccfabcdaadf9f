"""A session is a connection of the driver in use; every statement of ours runs on one.

SQLAlchemy composes and compiles the statements, the driver runs them: SQLAlchemy's own execution
would cost more than deciding a command.
"""

import select
from collections import namedtuple
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Literal, NamedTuple, cast

from psycopg.pq import TransactionStatus
from sqlalchemy import bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

from dispute_fsm.store.address import POSTGRESQL, SQLITE

Backend = Literal["sqlite", "postgresql"]

_STREAMED = 200
"""How many rows of a long result are read at a time."""

_CURSORS = count()


class Session:
    """Runs statements: `execute` runs one with its parameters, and returns the driver's cursor.

    Outside of a transaction each statement is committed by itself, and sees what was committed when
    it began. This class is for SQLite. A transaction that writes waits for the write lock when it
    begins: one that has read first could not wait for it.
    """

    __slots__ = ("__weakref__", "dialect", "driver", "execute")
    writes, reads = "BEGIN IMMEDIATE", "BEGIN"

    def __init__(self, driver: Any, dialect: Dialect) -> None:  # noqa: ANN401 -- a connection of the driver
        self.dialect = dialect
        self.driver = driver
        self.execute: Callable[..., Any] = driver.execute

    @property
    def backend(self) -> Backend:
        """The kind of the database."""
        return cast("Backend", self.dialect.name)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Begin a transaction that writes; commit it where the block raises nothing.

        After an error the session cannot be used any more before it is rolled back.
        """
        self.execute(self.writes)
        yield
        self.execute("COMMIT")

    def stream(self, sql: str, parameters: Any) -> Iterable[Any]:  # noqa: ANN401 -- as the driver takes them
        """Run a query within a transaction, and read its rows bit by bit."""
        return self.execute(sql, parameters)  # type: ignore[no-any-return]

    def many(self, sql: str, parameters: Sequence[Any]) -> int:
        """Run a statement once for each parameters; return how many rows were changed."""
        return int(self.driver.executemany(sql, parameters).rowcount)

    def usable(self) -> bool:
        """Return whether the connection is still open, as far as can be seen without a query."""
        return True

    def roll_back(self) -> bool:
        """Undo what was not committed; return whether the connection can be used again."""
        if self.driver.in_transaction:
            self.driver.rollback()
        return True


class PostgresqlSession(Session):
    """A session of PostgreSQL.

    All its state belongs to a transaction, so that a pooler may give each transaction another
    connection.
    """

    __slots__ = ()
    writes = "BEGIN ISOLATION LEVEL READ COMMITTED"
    reads = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Begin a transaction that writes, in a pipeline: only a query waits for the server."""
        with self.driver.pipeline():
            self.execute(self.writes)
            yield
            self.execute("COMMIT")

    def stream(self, sql: str, parameters: Any) -> Iterable[Any]:  # noqa: ANN401 -- as above
        """Run a query by a cursor of the server."""
        with self.driver.cursor(f"dispute_{next(_CURSORS)}") as cursor:
            cursor.itersize = _STREAMED
            yield from cursor.execute(sql, parameters)

    def many(self, sql: str, parameters: Sequence[Any]) -> int:
        """Run a statement many times."""
        with self.driver.pipeline() as pipeline:
            cursor = self.driver.cursor()
            cursor.executemany(sql, parameters)
            pipeline.sync()  # only then the rows are counted
        return int(cursor.rowcount)

    def usable(self) -> bool:
        """Return whether the connection is open and silent: data that nobody asked for ends it."""
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


# ---- statements ----------------------------------------------------------------------------------


def bind(*names: str) -> dict[str, Any]:
    """Return a parameter for each column."""
    return {name: bindparam(name) for name in names}


class _Compiled(NamedTuple):
    """A statement in the SQL of one dialect, and how values go in and come out."""

    sql: str
    bind: Callable[[Mapping[str, Any]], Any]
    row: Callable[[Sequence[Any]], Any]


class Statement:
    """Runs one statement with parameters by name, compiled once for each dialect.

    A row is a named tuple of the columns, in the types of the schema. `postgresql` is the statement
    there, if it differs. A list of values in a statement is fixed when the statement is made.
    """

    __slots__ = ("_clauses", "_compiled")

    def __init__(self, clause: ClauseElement, *, postgresql: ClauseElement | None = None) -> None:
        self._clauses = {SQLITE: clause, POSTGRESQL: clause if postgresql is None else postgresql}
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, session: Session, parameters: Mapping[str, Any] | None = None) -> list[Any]:
        """Run a query and return its rows."""
        sql, bind, row = self._in(session.dialect)
        return list(map(row, session.execute(sql, bind(parameters or {})).fetchall()))

    def row(self, session: Session, parameters: Mapping[str, Any] | None = None) -> Any | None:  # noqa: ANN401 -- a row
        """Run a query that returns one row at most; return the row, or None."""
        rows = self.rows(session, parameters)
        return rows[0] if rows else None

    def each(self, session: Session) -> Iterator[Any]:
        """Run a query with many rows, in a transaction, and read them bit by bit."""
        sql, bind, row = self._in(session.dialect)
        return map(row, session.stream(sql, bind({})))

    def run(self, session: Session, parameters: Mapping[str, Any]) -> None:
        """Run a statement that returns no rows."""
        sql, bind, _ = self._in(session.dialect)
        session.execute(sql, bind(parameters))

    def many(self, session: Session, parameters: Sequence[Mapping[str, Any]]) -> int:
        """Run a statement once for each parameters; return how many rows were changed."""
        sql, bind, _ = self._in(session.dialect)
        return session.many(sql, list(map(bind, parameters))) if parameters else 0

    def _in(self, dialect: Dialect) -> _Compiled:
        """Return the statement in a dialect."""
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = _compile(self._clauses[dialect.name], dialect)
            self._compiled[dialect.name] = compiled
        return compiled


def _compile(clause: ClauseElement, dialect: Dialect) -> _Compiled:
    compiled: Any = clause.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return _Compiled(
        str(compiled),
        _binder(compiled, dialect),
        _row_maker(getattr(clause, "exported_columns", ()), dialect),
    )


def _binder(compiled: Any, dialect: Dialect) -> Callable[[Mapping[str, Any]], Any]:  # noqa: ANN401 -- SQLAlchemy does not declare its members
    """Return the function that makes the parameters of the driver: by name, or in their order."""
    required = {name for bind, name in compiled.bind_names.items() if bind.required}
    fixed = {name: value for name, value in compiled.params.items() if name not in required}
    writers = [
        (name, write)
        for bind, name in compiled.bind_names.items()
        if (write := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
    ]
    names: Sequence[str] | None = compiled.positiontup

    def bind(parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- as the driver takes them
        values = {**fixed, **parameters}
        for name, write in writers:
            values[name] = write(values[name])
        return values if names is None else tuple(map(values.__getitem__, names))

    return bind


def _row_maker(columns: Iterable[Any], dialect: Dialect) -> Callable[[Sequence[Any]], Any]:
    """Return the function that makes a row of what the driver returns."""
    row: Any = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc] # pyright: ignore[reportUntypedNamedTuple] # noqa: PYI024 -- only the statement knows its columns
    readers = [
        (number, read)
        for number, column in enumerate(columns)
        if (read := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
    ]
    if not readers:
        return row._make

    def make(values: Sequence[Any]) -> Any:  # noqa: ANN401 -- a row
        members = list(values)
        for number, read in readers:
            members[number] = read(members[number])
        return row._make(members)

    return make
