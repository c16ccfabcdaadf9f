"""Connections by the driver itself: for what every command does, where SQLAlchemy's own would cost more than deciding.

They come out of the engine's pool, and a few stay out of it between commands. They run `Prepared` statements, and nothing else.
"""

import os
from collections import deque
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from queue import Empty, SimpleQueue
from threading import Lock
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, Pool, PoolProxiedConnection, event

from dispute_fsm.errors import StoreUnavailableError
from dispute_fsm.store.engine import available, ended, is_unavailable, unavailable
from dispute_fsm.store.schema import POSTGRESQL

_IDLE = 4
"""How many connections stay at hand: fewer than the engine's pool holds, so that others find one there."""

_MOST = 10
"""How many connections there may be: fewer than the engine's pool may make, so that there are always some for the rest."""

_PATIENCE = 30
"""For how many seconds a command waits for a connection."""


class Slot:
    """The right to have one connection. It lasts as long as somebody holds it, so an interrupt cannot lose it for good."""

    __slots__ = ("__weakref__",)


class Direct:
    """A connection of the driver. Each statement stands by itself and sees what is committed when it begins, but in a transaction.

    As a context it is taken, and goes back at the end; what is not committed is rolled back then. An error of the driver
    that says that the database cannot be worked with becomes `StoreUnavailableError`.
    """

    __slots__ = ("_directs", "_driver", "_pooled", "execute", "pool", "slot")

    def __init__(self, directs: "Directs", pooled: PoolProxiedConnection, slot: Slot) -> None:
        driver: Any = pooled.driver_connection
        self.slot = slot
        self.pool = directs.pool
        self._directs = directs
        self._pooled = pooled
        self._driver = driver
        self.execute: Callable[..., Any] = driver.execute

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        interrupt = _interrupt(error)
        try:
            self._directs.put_back(self)
        except Exception as lost:
            if not is_unavailable(lost):
                raise
            error = lost if error is None or isinstance(error, Exception) else error
        if interrupt is not None:
            raise interrupt
        if error is not None and is_unavailable(error):
            raise unavailable(error) from error

    def writing(self) -> AbstractContextManager[None]:
        """Open a transaction that writes; it commits where the context ends well. Else nothing more can be done on the connection."""
        raise NotImplementedError

    def stands(self) -> bool:
        """Tell whether the database has not ended the connection."""
        raise NotImplementedError

    def roll_back(self) -> bool:
        """Undo what was not committed; returns whether the connection can be used again."""
        raise NotImplementedError

    def release(self) -> None:
        """Give the connection back to the engine's pool."""
        self._pooled.close()

    def close(self) -> None:
        """End the connection."""
        self._pooled.invalidate()
        self._pooled.close()


def _interrupt(error: BaseException | None) -> BaseException | None:
    """Find what interrupted the work, such as Ctrl-C; the driver, cut off in its talk, has put an error of its own before it."""
    while isinstance(error, Exception):
        error = error.__context__
    return error


class _Sqlite(Direct):
    __slots__ = ()

    def writing(self) -> AbstractContextManager[None]:
        return _Immediate(self.execute, self._driver.commit)

    def stands(self) -> bool:
        return True

    def roll_back(self) -> bool:
        if self._driver.in_transaction:
            self._driver.rollback()
        return True


class _Immediate:
    """A transaction of SQLite; a class, because a generator would cost as much as the statement that it begins with."""

    __slots__ = ("_commit", "_execute")

    def __init__(self, execute: Callable[[str], object], commit: Callable[[], object]) -> None:
        self._execute = execute
        self._commit = commit

    def __enter__(self) -> None:
        self._execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        if error is None:
            self._commit()


class _Postgresql(Direct):
    __slots__ = ()

    def __init__(self, directs: "Directs", pooled: PoolProxiedConnection, slot: Slot) -> None:
        super().__init__(directs, pooled, slot)
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
    """The connections of one database. They end with those of its engine, when that is disposed of.

    Who waits for one gets it in turn, from whoever puts one back: `waiting`, the longest first. `slots` are those that are taken.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.kind: type[Direct] = _Postgresql if engine.dialect.name == POSTGRESQL else _Sqlite
        self._idle: list[Direct] = []
        self.leave()
        event.listen(engine, "engine_disposed", self._end)
        _EVERY.add(self)

    def leave(self) -> None:
        """Leave all to the process that this one was forked from."""
        _FOREIGN.extend(self._idle)
        self._lock = Lock()
        self._idle = []
        self.slots = WeakSet[Slot]()
        self.waiting = deque[SimpleQueue[Direct | Slot]]()

    @property
    def pool(self) -> Pool:
        """The engine's pool; another one since the engine was disposed of."""
        return self._engine.pool

    def take(self) -> Direct:
        """Take a connection, for a context. Raises `StoreUnavailableError`."""
        while isinstance(found := self._next(), Direct):
            if found.stands():
                return found
            self._drop(found)
        try:
            with available():
                return self.kind(self, self._engine.raw_connection(), found)
        except BaseException:
            self._hand_on(found)
            raise

    def put_back(self, direct: Direct) -> None:
        """Take a connection back; what was not committed on it is rolled back."""
        whole = False
        try:
            whole = direct.roll_back() and direct.pool is self.pool  # else the engine was disposed of meanwhile
        finally:
            if not whole:
                self._drop(direct)
        if whole:
            self._hand_on(direct)

    def _next(self) -> Direct | Slot:
        """Return a connection that is at hand, or is put back while this waits, or the right to make one."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if len(self.slots) < _MOST:
                slot = Slot()
                self.slots.add(slot)
                return slot
            turn = SimpleQueue[Direct | Slot]()
            self.waiting.append(turn)
        try:
            return turn.get(timeout=_PATIENCE)
        except Empty:
            with self._lock:
                if turn in self.waiting:
                    self.waiting.remove(turn)
                    raise StoreUnavailableError(f"all {_MOST} connections for commands were busy for {_PATIENCE} s") from None
            return turn.get_nowait()  # it came at the last moment

    def _hand_on(self, free: Direct | Slot) -> None:
        """Give a connection, or the right to make one, to whoever waits longest; else keep it, or give it back."""
        with self._lock:
            if self.waiting:
                self.waiting.popleft().put(free)
                return
            if isinstance(free, Direct) and len(self._idle) < _IDLE:
                self._idle.append(free)
                return
            self.slots.discard(free.slot if isinstance(free, Direct) else free)
        if isinstance(free, Direct):
            free.release()

    def _drop(self, direct: Direct) -> None:
        direct.close()
        self._hand_on(direct.slot)

    def _end(self, _engine: Engine) -> None:
        while self._idle:
            self._drop(self._idle.pop())


# ---- forks -------------------------------------------------------------------------------------------------------------

_EVERY: WeakSet[Directs] = WeakSet()
_FOREIGN: list[Direct] = []
"""Connections of the process that this one was forked from. They are neither used nor ended here: that would end them there."""


def _forked() -> None:
    for directs in _EVERY:
        directs.leave()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_forked)
