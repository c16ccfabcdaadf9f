"""The pool: few connections, taken in turn; none is lost, and each is put back as it was."""

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dispute_fsm.errors import StoreUnavailableError
from dispute_fsm.store import pool
from tests.patience import PATIENCE
from tests.service_support import House, house

MOST = 10


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


def kept(home: House) -> bool:
    """Return whether the row that was rolled back exists."""
    with home.store.pool.take() as session:
        return bool(
            session.execute(
                "SELECT count(*) FROM dispute_policies WHERE digest = 'one'"
            ).fetchone()[0]
        )


class Waiting:
    """Threads that wait for a connection; `got` is the order in which they got it."""

    def __init__(self, home: House, number: int) -> None:
        self.got: list[int] = []
        self.threads: list[threading.Thread] = []
        for each in range(number):
            thread = threading.Thread(target=self._take, args=(home, each))
            thread.start()
            while len(home.store.pool.waiting) <= each:
                pass  # it comes to wait at once
            self.threads.append(thread)

    def _take(self, home: House, number: int) -> None:
        with home.store.pool.take() as connection:
            connection.execute("SELECT 1")
            self.got.append(number)


def test_threads_that_wait_for_a_connection_get_it_in_turn(home: House) -> None:
    with ExitStack() as busy:
        first = home.store.pool.take()
        for _ in range(MOST - 1):
            busy.enter_context(home.store.pool.take())
        waiting = Waiting(home, 4)
        with first:
            pass
        for thread in waiting.threads:
            thread.join()
        assert waiting.got == [0, 1, 2, 3]
    assert len(home.store.pool.permits) <= MOST


def test_a_waiting_thread_gets_the_permit_of_a_broken_connection(home: House) -> None:
    with ExitStack() as busy:
        for _ in range(MOST - 1):
            busy.enter_context(home.store.pool.take())
        last = home.store.pool.take()
        waiting = Waiting(home, 1)

        def breaks() -> None:
            with last as connection:
                connection.driver.close()
                connection.execute("SELECT 1")

        with pytest.raises((StoreUnavailableError, sqlite3.ProgrammingError)):
            breaks()
        waiting.threads[0].join()
        assert waiting.got == [0]


def test_a_thread_that_waits_too_long_gets_an_error(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_PATIENCE", 0.01)
    with ExitStack() as busy:
        for _ in range(MOST):
            busy.enter_context(home.store.pool.take())
        with pytest.raises(StoreUnavailableError, match="all 10 connections"):
            home.store.pool.take()
        assert not home.store.pool.waiting
    home.open("D-1")


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # the driver says that it was not closed
def test_a_connection_that_nobody_put_back_does_not_count(home: House) -> None:
    lost = [home.store.pool.take() for _ in range(3)]
    del lost
    gc.collect()
    assert not home.store.pool.permits, "what is lost does not count"
    home.open("D-1")


def test_an_interrupt_stays_one_whatever_the_driver_raises_then(home: House) -> None:
    home.open("D-1")

    def interrupted() -> None:
        with home.store.pool.take() as connection:
            try:
                raise KeyboardInterrupt
            finally:
                connection.execute("no statement")  # as when the driver was interrupted

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(home.service.history("D-1")) == 1


def test_a_connection_goes_back_as_it_was_so_that_the_next_transaction_is_one(home: House) -> None:
    class ChangedMindError(Exception):
        pass

    def changes_its_mind() -> None:
        with home.store.pool.transaction() as session:
            session.execute("INSERT INTO dispute_policies VALUES ('one', '{}')")
            raise ChangedMindError

    with home.store.pool.take():
        pass
    with pytest.raises(ChangedMindError):
        changes_its_mind()
    assert not kept(home)


FORKS = """
import os, sys
from dispute_fsm.domain.enums import Option
from tests.service_support import house
from tests.support import choose

with house(sys.argv[1]) as home:
    home.open("D-1")
    with home.store.pool.take() as ours:
        pass
    child = os.fork()
    if child == 0:
        with home.store.pool.take() as theirs:
            os._exit(3) if theirs is ours else None
        for number in (2, 3):
            home.open(f"D-{number}")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, "the forked process took a connection"
    with home.store.pool.take() as again:
        assert again is ours and ours.usable(), "it ended a connection of the first"
    home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND))
    print(*(len(home.service.history(f"D-{number}")) for number in (1, 2, 3)))
"""


def test_a_process_that_was_forked_leaves_the_connections_at_hand_to_the_first(url: str) -> None:
    # In a process of its own: this one has threads, which a fork would not take along.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    ran = subprocess.run(  # noqa: S603 -- ourselves
        [sys.executable, "-c", FORKS, url],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=PATIENCE,
    )
    assert (ran.returncode, ran.stderr, ran.stdout.splitlines()[-1]) == (0, "", "2 1 1")


def test_of_many_connections_five_stay_open(home: House) -> None:
    home.open("D-1")
    with ExitStack() as stack:
        taken = [stack.enter_context(home.store.pool.take()) for _ in range(7)]
        assert len(home.store.pool.permits) == 7
    assert len(home.store.pool.permits) == 5

    def closed(driver: Any) -> bool:  # noqa: ANN401 -- a connection of the driver
        try:
            driver.execute("SELECT 1")
        except (sqlite3.ProgrammingError, psycopg.OperationalError):
            return True
        return False

    assert sum(closed(session.driver) for session in taken) == 2


def test_the_connections_at_hand_end_with_the_store(home: House) -> None:
    with home.store.pool.take() as first, home.store.pool.take() as second:
        assert first is not second
    with home.store.pool.take() as again:
        assert again is first, "the last that went back comes first"
    home.store.close()
    with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError), match="closed"):
        again.execute("SELECT 1")
    with home.store.pool.take() as anew:
        assert anew is not again
