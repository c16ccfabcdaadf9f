"""A statement, and the one way in which it reaches a database: compiled once for each dialect, run by a session's driver."""

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

from dispute_fsm.store.session import Session


class _Compiled(NamedTuple):
    """A statement in the words of one dialect, and how values go in and come out."""

    sql: str
    fixed: Mapping[str, Any]
    writes: Mapping[str, Callable[[Any], Any]]
    order: Callable[[Mapping[str, Any]], tuple[Any, ...]] | None
    row: Callable[[Sequence[Any]], Any]


class Statement:
    """Runs one statement with parameters by name. A row has members of the names of its columns, in the types of the schema.

    SQLAlchemy composes it, and is not asked again: its own execution would cost more than deciding
    a command. A list of values in it is fixed when it is made.
    """

    __slots__ = ("_clause", "_compiled")

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, session: Session, parameters: Mapping[str, Any] | None = None) -> list[Any]:
        """Run a query; returns its rows."""
        compiled, given = self._given(session.dialect, parameters or {})
        return list(map(compiled.row, session.execute(compiled.sql, given).fetchall()))

    def row(self, session: Session, parameters: Mapping[str, Any] | None = None) -> Any | None:  # noqa: ANN401 -- a row
        """Run a query that finds one row at most; returns it, or None."""
        rows = self.rows(session, parameters)
        return rows[0] if rows else None

    def each(self, session: Session, number: int) -> Iterator[Any]:
        """Run a query that finds many rows, in a transaction; reads so many at a time."""
        compiled, given = self._given(session.dialect, {})
        return map(compiled.row, session.stream(compiled.sql, given, number))

    def run(self, session: Session, parameters: Mapping[str, Any]) -> None:
        """Run what answers nothing."""
        compiled, given = self._given(session.dialect, parameters)
        session.execute(compiled.sql, given)

    def many(self, session: Session, parameters: Sequence[Mapping[str, Any]]) -> int:
        """Run it many times; returns how many rows all of them changed."""
        given = [self._given(session.dialect, one) for one in parameters]
        return session.many(given[0][0].sql, [one for _, one in given]) if given else 0

    def sql(self, dialect: Dialect) -> str:
        """Return the statement in the words of a database."""
        return self._given(dialect, None)[0].sql

    def _given(
        self, dialect: Dialect, parameters: Mapping[str, Any] | None
    ) -> tuple[_Compiled, Any]:
        """Return the statement, and its parameters as the driver takes them."""
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compiled(self._clause, dialect)
        if parameters is None:
            return compiled, None
        given = {**compiled.fixed, **parameters}
        for name, write in compiled.writes.items():
            given[name] = write(given[name])
        return compiled, given if compiled.order is None else compiled.order(given)


def _compiled(clause: ClauseElement, dialect: Dialect) -> _Compiled:
    compiled: Any = clause.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    required = {name for bind, name in compiled.bind_names.items() if bind.required}
    processors = {
        name: bind.type.dialect_impl(dialect).bind_processor(dialect)
        for bind, name in compiled.bind_names.items()
    }
    columns = getattr(clause, "exported_columns", ())
    reads = [
        column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns
    ]
    return _Compiled(
        str(compiled),
        {name: value for name, value in compiled.params.items() if name not in required},
        {name: write for name, write in processors.items() if write is not None},
        _order(compiled.positiontup),
        _row([column.key for column in columns], reads),
    )


def _row(
    names: Sequence[str], reads: Sequence[Callable[[Any], Any] | None]
) -> Callable[[Sequence[Any]], Any]:
    """Return what makes a row of what the driver gives."""
    row: Any = namedtuple("Row", names)  # type: ignore[misc] # pyright: ignore[reportUntypedNamedTuple] # noqa: PYI024 -- only the statement knows its columns
    needed = [(number, read) for number, read in enumerate(reads) if read is not None]
    if not needed:
        makes: Callable[[Sequence[Any]], Any] = row._make
        return makes

    def read(values: Sequence[Any]) -> Any:  # noqa: ANN401 -- a row
        members = list(values)
        for number, process in needed:
            members[number] = process(members[number])
        return row._make(members)

    return read


def _order(names: Sequence[str] | None) -> Callable[[Mapping[str, Any]], tuple[Any, ...]] | None:
    """Return what puts parameters into the statement's order; None where the driver takes them by name."""
    if names is None:
        return None
    return (
        itemgetter(*names)
        if len(names) > 1
        else lambda given: tuple([given[name] for name in names])
    )
