"""A connection by the driver itself: for what every command does, where SQLAlchemy's own connection would cost more than deciding.

It comes out of the engine's pool and goes back there. It runs `Prepared` statements, and nothing else.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from dispute_fsm.store.engine import available
from dispute_fsm.store.schema import POSTGRESQL

_BEGIN = {True: "BEGIN", False: "BEGIN IMMEDIATE"}


class Direct:
    """A connection of the driver. Each statement stands by itself and sees what is committed when it begins, but in a transaction."""

    __slots__ = ("_begin", "_commit", "execute")

    def __init__(self, driver: Any, begin: str) -> None:  # noqa: ANN401 -- a connection of the driver
        self.execute = driver.execute
        self._commit = driver.commit
        self._begin = begin

    @contextmanager
    def writing(self) -> Generator[None]:
        """Open a transaction that writes; it commits where the context ends well. Else nothing more can be done on the connection."""
        self.execute(self._begin)
        yield
        self._commit()


@contextmanager
def directly(engine: Engine) -> Generator[Direct]:
    """Take a connection. What is not committed is rolled back as it goes back. Raises `StoreUnavailableError`."""
    postgresql = engine.dialect.name == POSTGRESQL
    with available():
        pooled = engine.raw_connection()
        driver: Any = pooled.driver_connection
        try:
            if postgresql:
                driver.autocommit = True
            yield Direct(driver, _BEGIN[postgresql])
        finally:
            if postgresql and driver.closed:
                pooled.invalidate()
            elif postgresql:
                driver.rollback()
                driver.autocommit = False
            pooled.close()
