"""A statement in the words of one database, compiled once: what is run for every command should not be composed for every command."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

_COUNTED = {"preserve_rowcount": True}


class Prepared:
    """Runs one statement with parameters by name. What it returns is as the driver gives it: no type reads it."""

    __slots__ = ("_fixed", "_order", "_sql", "_writes")

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        writes = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in _binds(compiled).items()}
        self._sql = str(compiled)
        self._order: Sequence[str] | None = _positions(compiled)
        self._fixed: Mapping[str, Any] = {name: bind.value for name, bind in _binds(compiled).items() if not bind.required}
        self._writes = {name: write for name, write in writes.items() if write is not None}

    def on(self, connection: Connection, parameters: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it."""
        return connection.exec_driver_sql(self._sql, self._given(parameters))

    def many(self, connection: Connection, parameters: Sequence[Mapping[str, Any]]) -> CursorResult[Any]:
        """Run it many times; `rowcount` is that of all."""
        return connection.exec_driver_sql(self._sql, [self._given(one) for one in parameters], execution_options=_COUNTED)

    def _given(self, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- a tuple or a mapping, as the driver wants it
        given = {**self._fixed, **parameters}
        for name, write in self._writes.items():
            given[name] = write(given[name])
        return given if self._order is None else tuple([given[name] for name in self._order])


def _binds(compiled: Any) -> Mapping[str, Any]:  # noqa: ANN401 -- SQLAlchemy's compiler
    names: Mapping[Any, str] = compiled.bind_names
    return {name: bind for bind, name in names.items()}


def _positions(compiled: Any) -> Sequence[str] | None:  # noqa: ANN401 -- SQLAlchemy's compiler
    order: Sequence[str] | None = compiled.positiontup
    return order
