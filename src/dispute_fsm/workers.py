"""Work spread over processes: results come in the order of the work, and no process is left."""

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import Pipe, Process, parent_process
from multiprocessing.connection import Connection, wait
from threading import Thread
from traceback import format_exc
from typing import Any, NamedTuple, TypeVar

from dispute_fsm.errors import DisputeError

T = TypeVar("T")
R = TypeVar("R")
Advance = Callable[[int], object]
"""Is told how much more of the work is done."""


def nobody(_amount: int) -> None:
    """Stand for somebody who does not ask how much is done."""


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def in_order(
    work: Callable[..., R], items: Sequence[T], jobs: int, advance: Advance | None = None
) -> Generator[Iterator[R]]:
    """Apply a function to each item, in at most this many processes.

    The results come in the order of the items, and an exception comes where its result would. The
    function, items and results have to be picklable where there are several processes. When the
    context ends, so do the processes, whatever they are doing. Raises `DisputeError` where one of
    them was killed.

    With `advance`, the function is called with a second argument, to tell how much of the work it
    has done; `advance` is told here what it is told in any process.

    `concurrent.futures` would wait for what is running, and the pools of `multiprocessing` wait for
    ever for a process that was killed.
    """
    if (count := min(jobs, len(items))) <= 1:
        yield map(work if advance is None else partial(_call, work, advance), items)
        return
    workers = [_started(work, advances=advance is not None) for _ in range(count)]
    try:
        yield _results([worker.pipe for worker in workers], items, advance)
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()
            worker.process.close()
            worker.pipe.close()


def _call(work: Callable[[T, Advance], R], advance: Advance, item: T) -> R:
    return work(item, advance)


class _Worker(NamedTuple):
    process: Process
    pipe: Connection


class _Outcome(NamedTuple):
    result: Any
    error: Exception | None


def _started(work: Callable[..., object], *, advances: bool) -> _Worker:
    ours, theirs = Pipe()
    process = Process(target=_serve, args=(work, theirs, advances), daemon=True)
    process.start()
    theirs.close()  # so that reading ends where the process does
    return _Worker(process, ours)


def _results(
    idle: list[Connection], items: Sequence[Any], advance: Advance | None
) -> Iterator[Any]:
    """Give each item to the next process that is idle, and yield the results in order."""
    waiting = deque(enumerate(items))
    busy: dict[Connection, int] = {}
    done: dict[int, _Outcome] = {}
    for number in range(len(items)):
        while True:
            while idle and waiting:
                pipe = idle.pop()
                busy[pipe], item = waiting.popleft()
                with _alive():
                    pipe.send(item)
            ready = wait(list(busy), 0 if number in done else None)
            for pipe in [each for each in busy if each in ready]:
                with _alive():
                    received = pipe.recv()
                if isinstance(received, _Outcome):
                    done[busy.pop(pipe)] = received
                    idle.append(pipe)
                elif advance is not None:
                    advance(received)
            if number in done:
                break
        outcome = done.pop(number)
        if outcome.error is not None:
            raise outcome.error
        yield outcome.result


@contextmanager
def _alive() -> Generator[None]:
    try:
        yield
    except (EOFError, OSError):
        raise DisputeError(
            "one of the processes was killed, perhaps for lack of memory: try --jobs 1"
        ) from None


# ---- in another process --------------------------------------------------------------------------


def _serve(work: Callable[..., object], pipe: Connection, advances: bool) -> None:  # noqa: FBT001 -- an argument of a process
    """Do what comes through the pipe, until this process is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process decides
    Thread(target=_end_with_parent, daemon=True).start()
    while True:
        item = pipe.recv()
        try:
            outcome = _Outcome(work(item, pipe.send) if advances else work(item), None)
        except Exception as error:  # noqa: BLE001 -- raised where its result would be
            error.add_note(format_exc())  # a traceback stays in its process
            outcome = _Outcome(None, error)
        pipe.send(outcome)


def _end_with_parent() -> None:
    """End this process where the first one was killed, and so could not end it."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
