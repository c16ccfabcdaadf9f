"""Replaying many histories, in several processes where that pays; the results are the same.

Each process replays a file, and spills its results to disk, so that the memory does not depend on
how far the others are. A file that all would wait for is shared by its disputes: each process reads
every line, and replays the disputes of its share.
"""

import heapq
import pickle
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import COMPRESSED, is_history
from dispute_fsm.history.reader import InvalidRecord, Step
from dispute_fsm.history.replay import EVERYTHING, Replayed, Share, rare_garbage_collection, replay
from dispute_fsm.history.what_if import Question
from dispute_fsm.workers import Advance, in_order, nobody

Result = InvalidRecord | Replayed | InputError | OSError
"""Of a file that cannot be read to its end, the error is the last result."""

_LEAST_SHARED = 2_000_000
"""Bytes that take about as long to replay as a process to begin: less is not spread."""
_OFTEN = 2**16
"""After so many bytes it is told how much has been read."""
_LENGTH = 4
"""Bytes at the end of a compressed file that are the length of its content."""


@contextmanager
def replay_files(
    files: Sequence[str], question: Question | None, jobs: int, advance: Advance = nobody
) -> Generator[Iterator[Result]]:
    """Replay history files in at most this many processes, and give their results in order.

    `advance` is told how many bytes of `size_of` were read. Raises `DisputeError` where a process
    is killed.
    """
    sizes = list(map(_size, files))
    total = sum(filter(None, sizes))
    if jobs == 1 or None in sizes or total < _LEAST_SHARED:
        yield chain.from_iterable(_results(file, question, advance) for file in files)
        return
    with TemporaryDirectory() as folder:
        spread = [
            [
                _Task(file, question, Share(number, of), Path(folder) / f"{place}-{number}")
                for number in range(of)
            ]
            for place, (file, size) in enumerate(zip(files, sizes, strict=True))
            for of in [jobs if (size or 0) > max(total / jobs, _LEAST_SHARED) else 1]
        ]
        tasks = [task for tasks in spread for task in tasks]
        with in_order(_work, tasks, jobs, advance) as errors:
            yield chain.from_iterable(
                _spilled(tasks, [next(errors) for _ in tasks]) for tasks in spread
            )


def size_of(files: Sequence[str]) -> int | None:
    """Return about how many bytes there are to read; None where that is unknown before."""
    sizes = list(map(_size, files))
    return None if None in sizes else sum(filter(None, sizes))


def _size(file: str) -> int | None:
    """Return how many bytes a history has; None where only one process can read it.

    A compressed one ends with the number, if it was compressed at once.
    """
    path = Path(file)
    if not is_history(file) or not path.is_file():  # perhaps standard input, or a pipe
        return None
    size = path.stat().st_size
    if not file.endswith(COMPRESSED):
        return size
    with path.open("rb") as stream:
        stream.seek(max(0, size - _LENGTH))
        return max(size, int.from_bytes(stream.read(), "little"))


def _results(
    file: str, question: Question | None, advance: Advance, share: Share = EVERYTHING
) -> Iterator[Result]:
    """Replay a file; an error that ends its reading comes last.

    Errors in writing the results are not caught here: they are no errors of the file.
    """
    read = 0

    def watch(line: bytes, _step: Step | None) -> None:
        nonlocal read
        read += len(line)
        if read > _OFTEN:
            advance(read)
            read = 0

    try:
        yield from replay(file, question, watch=watch, share=share)
    except (InputError, OSError) as error:
        yield error
    advance(read)


# ---- in several processes ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Task:
    """The share of one process in a file, and where it spills its results."""

    file: str
    question: Question | None
    share: Share
    spill: Path


def _work(task: _Task, advance: Advance) -> InputError | OSError | None:
    """Spill the results of a task; return the error that ended the reading of the file."""
    with rare_garbage_collection(), task.spill.open("wb") as spill:
        for result in _results(task.file, task.question, advance, task.share):
            if isinstance(result, InputError | OSError):
                return result
            pickle.dump(result, spill)
    return None


def _spilled(
    tasks: Sequence[_Task], errors: Iterable[InputError | OSError | None]
) -> Iterator[Result]:
    """Yield the results of all shares of a file, as one process would have."""
    found = [error for error in errors if error is not None]
    first = min(found, key=_line, default=None)
    results = heapq.merge(*map(_read, tasks), key=_place)
    if first is None:
        yield from results
    else:  # the disputes of a file have results only where it was read to its end
        yield from (
            result
            for result in results
            if isinstance(result, InvalidRecord) and result.line < _line(first)
        )
        yield first
    for task in tasks:
        task.spill.unlink()


def _line(error: InputError | OSError) -> float:
    """Return where an error ended the reading; after the last line where it has none."""
    line = error.line if isinstance(error, InputError) else None
    return inf if line is None else line


def _place(result: InvalidRecord | Replayed) -> tuple[bool, int]:
    return isinstance(result, Replayed), result.line


def _read(task: _Task) -> Iterator[InvalidRecord | Replayed]:
    with task.spill.open("rb") as spill:
        while spill.peek(1):
            yield pickle.load(spill)  # noqa: S301 -- `_work` has written it into a private folder
