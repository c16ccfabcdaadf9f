"""The pool: a few connections of the driver, which whoever works on the database takes in turn."""

import os
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Lock
from types import TracebackType
from weakref import WeakSet

from dispute_fsm.errors import StoreUnavailableError
from dispute_fsm.store.address import Address
from dispute_fsm.store.failures import failure, failures
from dispute_fsm.store.schema import POSTGRESQL
from dispute_fsm.store.session import PostgresqlSession, Session

_IDLE = 5
"""How many connections stay open while nobody works on them."""

_MOST = 10
"""How many connections there may be."""

_PATIENCE = 30
"""For how many seconds somebody waits for a connection."""


class Permit:
    """The right to have one connection. It lasts as long as somebody has it, so an interrupt cannot lose it for good."""

    __slots__ = ("__weakref__",)


class Pooled:
    """A session of the pool, with its permit. As a context it is taken, and goes back at the end; what is not committed is undone.

    What a driver raises within comes as `StoreUnavailableError`, `StoreInvalidError` or
    `InputError` (see `failures`).
    """

    __slots__ = ("era", "permit", "pool", "session")

    def __init__(self, pool: "Pool", session: Session, permit: Permit) -> None:
        self.pool = pool
        self.era = pool.era
        self.session = session
        self.permit = permit

    def __enter__(self) -> Session:
        return self.session

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        interrupt = _interrupt(error)
        try:
            self.pool.put_back(self)
        except Exception as lost:
            if failure(lost) is None:
                raise
            error = lost if error is None or isinstance(error, Exception) else error
        if interrupt is not None:
            raise interrupt
        if (ours := failure(error)) is not None:
            raise ours from error


def _interrupt(error: BaseException | None) -> BaseException | None:
    """Find what interrupted the work, such as Ctrl-C; the driver, cut off in its talk, has put an error of its own before it."""
    while isinstance(error, Exception):
        error = error.__context__
    return error


class Pool:
    """The connections of one database.

    Who waits for one gets it in turn, from whoever puts one back: `waiting`, the longest first.
    `permits` are those that are taken.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.kind: type[Session] = (
            PostgresqlSession if address.dialect.name == POSTGRESQL else Session
        )
        self._idle: list[Pooled] = []
        self.leave()
        _EVERY.add(self)

    def leave(self) -> None:
        """Leave all connections to the process that this one was forked from."""
        _FOREIGN.extend(self._idle)
        self.era = object()
        self._lock = Lock()
        self._idle = []
        self.permits = WeakSet[Permit]()
        self.waiting = deque[SimpleQueue[Pooled | Permit]]()

    def close(self) -> None:
        """End all connections; those that somebody works on end when they come back. What is taken later is opened anew."""
        self.era = object()
        while self._idle:
            self._drop(self._idle.pop())

    def take(self) -> Pooled:
        """Take a connection, for a context. Raises `StoreUnavailableError`, `StoreInvalidError`, `InputError`."""
        while isinstance(found := self._next(), Pooled):
            if found.session.usable():
                return found
            self._drop(found)
        try:
            with failures():
                return Pooled(self, self.kind(self.address.connect(), self.address.dialect), found)
        except BaseException:
            self._hand_on(found)
            raise

    @contextmanager
    def transaction(self) -> Generator[Session]:
        """Take a connection and begin a transaction that writes; it commits where the context ends well. Raises as `take` does."""
        with self.take() as session, session.transaction():
            yield session

    @contextmanager
    def snapshot(self) -> Generator[Session]:
        """Take a connection on which every statement sees the same moment, and nothing is written. Raises as `take` does."""
        with self.take() as session:
            session.snapshot()
            yield session

    def put_back(self, pooled: Pooled) -> None:
        """Take a connection back; what was not committed on it is rolled back."""
        whole = False
        try:
            whole = (
                pooled.session.roll_back() and pooled.era is self.era
            )  # else the pool was closed meanwhile
        finally:
            if not whole:
                self._drop(pooled)
        if whole:
            self._hand_on(pooled)

    def _next(self) -> Pooled | Permit:
        """Return a connection that is idle, or is put back while this waits, or the permit to open one."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if len(self.permits) < _MOST:
                permit = Permit()
                self.permits.add(permit)
                return permit
            turn = SimpleQueue[Pooled | Permit]()
            self.waiting.append(turn)
        try:
            return turn.get(timeout=_PATIENCE)
        except Empty:
            with self._lock:
                if turn in self.waiting:
                    self.waiting.remove(turn)
                    raise StoreUnavailableError(
                        f"all {_MOST} connections were busy for {_PATIENCE} s"
                    ) from None
            return turn.get_nowait()  # it came at the last moment

    def _hand_on(self, free: Pooled | Permit) -> None:
        """Give a connection, or the permit to open one, to whoever waits longest; else keep it, or end it."""
        with self._lock:
            if self.waiting:
                self.waiting.popleft().put(free)
                return
            if isinstance(free, Pooled) and len(self._idle) < _IDLE:
                self._idle.append(free)
                return
            self.permits.discard(free.permit if isinstance(free, Pooled) else free)
        if isinstance(free, Pooled):
            free.session.driver.close()

    def _drop(self, pooled: Pooled) -> None:
        try:
            pooled.session.driver.close()
        finally:
            self._hand_on(pooled.permit)


# ---- forks ---------------------------------------------------------------------------------------

_EVERY: WeakSet[Pool] = WeakSet()
_FOREIGN: list[Pooled] = []
"""Connections of the process that this one was forked from. They are neither used nor ended here: that would end them there."""


def _forked() -> None:
    for pool in _EVERY:
        pool.leave()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_forked)
