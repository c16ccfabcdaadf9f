"""A statement in the words of one database, compiled once: what is run for every command should not be composed for every command."""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

from dispute_fsm.store.direct import Direct

Open = Connection | Direct
"""What a statement runs on: SQLAlchemy's connection (a host's may be one), or the driver's."""

_COUNTED = {"preserve_rowcount": True}


class Prepared:
    """Runs one statement with parameters by name. What it returns is as the driver gives it: no type reads it."""

    __slots__ = ("_fixed", "_order", "_row", "_writes", "sql")

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        writes = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in _binds(compiled).items()}
        self.sql = str(compiled)
        self._order = _positions(compiled)
        self._fixed: Mapping[str, Any] = {name: bind.value for name, bind in _binds(compiled).items() if not bind.required}
        self._writes = {name: write for name, write in writes.items() if write is not None}
        self._row = _row_of(statement)

    def rows(self, connection: Open, parameters: Mapping[str, Any]) -> list[Any]:
        """Run a query; returns its rows, whose members have the names of the columns."""
        return [self._row(*row) for row in self._run(connection, parameters).fetchall()]

    def row(self, connection: Open, parameters: Mapping[str, Any]) -> Any | None:  # noqa: ANN401 -- a row
        """Run a query that finds one row at most; returns it, or None."""
        rows = self._run(connection, parameters).fetchall()
        return self._row(*rows[0]) if rows else None

    def on(self, connection: Open, parameters: Mapping[str, Any]) -> None:
        """Run what answers nothing."""
        self._run(connection, parameters)

    def many(self, connection: Connection, parameters: Sequence[Mapping[str, Any]]) -> int:
        """Run it many times; returns how many rows all of them changed."""
        given = [self.given(one) for one in parameters]
        return connection.exec_driver_sql(self.sql, given, execution_options=_COUNTED).rowcount

    def _run(self, connection: Open, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- a cursor of the driver, or SQLAlchemy's result
        given = self.given(parameters)
        return connection.execute(self.sql, given) if isinstance(connection, Direct) else connection.exec_driver_sql(self.sql, given)

    def given(self, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- a tuple or a mapping, as the driver wants it
        """Return the parameters as the driver takes them."""
        given = {**self._fixed, **parameters}
        for name, write in self._writes.items():
            given[name] = write(given[name])
        return given if self._order is None else self._order(given)


def _row_of(statement: Any) -> Any:  # noqa: ANN401 -- any statement; a type of tuple
    names = [column.key for column in getattr(statement, "exported_columns", ())]
    return namedtuple("Row", names)  # pyright: ignore[reportUntypedNamedTuple] # noqa: PYI024 -- only the statement knows its columns


def _binds(compiled: Any) -> Mapping[str, Any]:  # noqa: ANN401 -- SQLAlchemy's compiler
    names: Mapping[Any, str] = compiled.bind_names
    return {name: bind for bind, name in names.items()}


def _positions(compiled: Any) -> Callable[[Mapping[str, Any]], tuple[Any, ...]] | None:  # noqa: ANN401 -- SQLAlchemy's compiler
    """Return what puts parameters into the statement's order; None where the driver takes them by name."""
    order: Sequence[str] | None = compiled.positiontup
    if order is None:
        return None
    return itemgetter(*order) if len(order) > 1 else lambda given: tuple([given[name] for name in order])
