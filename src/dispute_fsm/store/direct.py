"""Connections by the driver itself: for what every command does, where SQLAlchemy's own would cost more than deciding.

They come out of the engine's pool, and a few stay out of it between commands. They run `Prepared` statements, and nothing else.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, PoolProxiedConnection, event

from dispute_fsm.store.engine import UNAVAILABLE, available, ended, unavailable
from dispute_fsm.store.schema import POSTGRESQL

_IDLE = 4
"""How many connections stay at hand: fewer than the engine's pool holds, so that others find one there."""

_FOREIGN: list["Direct"] = []
"""Connections of the process that this one was forked from. They are neither used nor ended: that would end them there."""


class Direct(ABC):
    """A connection of the driver. Each statement stands by itself and sees what is committed when it begins, but in a transaction."""

    __slots__ = ("_driver", "_pooled", "execute", "process")

    def __init__(self, pooled: PoolProxiedConnection) -> None:
        self.process = os.getpid()
        self._pooled = pooled
        self._driver: Any = pooled.driver_connection
        self.execute: Callable[..., Any] = self._driver.execute

    @abstractmethod
    def writing(self) -> AbstractContextManager[None]:
        """Open a transaction that writes; it commits where the context ends well. Else nothing more can be done on the connection."""

    @abstractmethod
    def stands(self) -> bool:
        """Tell whether the database has not ended the connection."""

    @abstractmethod
    def roll_back(self) -> bool:
        """Undo what was not committed; returns whether the connection can be used again."""

    def close(self) -> None:
        """End the connection."""
        self._pooled.invalidate()
        self._pooled.close()


class _Sqlite(Direct):
    __slots__ = ()

    @contextmanager
    def writing(self) -> Generator[None]:
        self.execute("BEGIN IMMEDIATE")
        yield
        self._driver.commit()

    def stands(self) -> bool:
        return True

    def roll_back(self) -> bool:
        if self._driver.in_transaction:
            self._driver.rollback()
        return True


class _Postgresql(Direct):
    __slots__ = ()

    def __init__(self, pooled: PoolProxiedConnection) -> None:
        super().__init__(pooled)
        self._driver.autocommit = True

    @contextmanager
    def writing(self) -> Generator[None]:
        with self._driver.pipeline():  # only where an answer is read does anybody wait for the database
            self.execute("BEGIN")
            yield
            self.execute("COMMIT")

    def stands(self) -> bool:
        return not ended(self._driver)

    def roll_back(self) -> bool:
        if self._driver.pgconn.transaction_status != TransactionStatus.IDLE:
            self._driver.rollback()
        return not self._driver.closed


class Directs:
    """The connections of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.kind: type[Direct] = _Postgresql if engine.dialect.name == POSTGRESQL else _Sqlite
        self._idle: list[Direct] = []
        event.listen(engine, "engine_disposed", self._end)

    @contextmanager
    def taken(self) -> Generator[Direct]:
        """Take a connection. What is not committed is rolled back as it goes back. Raises `StoreUnavailableError`."""
        direct = self._take()
        try:
            try:
                yield direct
            finally:
                self._give(direct)
        except UNAVAILABLE as error:
            raise unavailable(error) from error

    def _end(self, _engine: Engine) -> None:
        """End all that are at hand, with all others of the engine."""
        while (direct := self._any()) is not None:
            direct.close()

    def _any(self) -> Direct | None:
        try:
            while (direct := self._idle.pop()).process != os.getpid():
                _FOREIGN.append(direct)
        except IndexError:  # asking first whether there is one would be too early where others take them too
            return None
        return direct

    def _take(self) -> Direct:
        while (direct := self._any()) is not None:
            if direct.stands():
                return direct
            direct.close()
        with available():
            return self.kind(self._engine.raw_connection())

    def _give(self, direct: Direct) -> None:
        kept = False
        try:
            kept = direct.roll_back() and len(self._idle) < _IDLE
        finally:
            if kept:
                self._idle.append(direct)
            else:
                direct.close()
