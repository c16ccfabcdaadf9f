"""Replaying many histories, in several processes where that pays; the results are the same.

Each process replays a file, and spills its results to disk, so that the memory does not depend on
how far the others are. A file that all would wait for is shared by its disputes: each process reads
every line, and replays the disputes of its share.
"""

import heapq
import pickle
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import COMPRESSED, is_history
from dispute_fsm.history.reader import InvalidRecord, Step
from dispute_fsm.history.replay import EVERYTHING, Replayed, Share, rare_garbage_collection, replay
from dispute_fsm.history.what_if import Question
from dispute_fsm.workers import in_order

Watch = Callable[[bytes, Step | None], None]
Result = InvalidRecord | Replayed | InputError | OSError
"""Of a file that cannot be read to its end, the error is the last result."""

_LEAST_SHARED = 2_000_000
"""Bytes that take about as long to replay as a process to begin: less is not spread."""
_COMPRESSION = 10
"""How many times larger a compressed history is, about."""


class FileReplay(NamedTuple):
    """A file, and its results; `watch` is called for each line that this process reads itself."""

    file: str
    results: Callable[[Watch], Iterator[Result]]


@contextmanager
def replay_files(
    files: Sequence[str], question: Question | None, jobs: int
) -> Generator[Iterator[FileReplay]]:
    """Replay history files in at most this many processes, and give their results in order.

    Raises `DisputeError` where a process is killed.
    """
    sizes = list(map(_size, files))
    total = sum(filter(None, sizes))
    if jobs == 1 or None in sizes or total < _LEAST_SHARED:
        yield (FileReplay(file, partial(_results, file, question)) for file in files)
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
        with in_order(_work, [task for tasks in spread for task in tasks], jobs) as errors:
            yield (
                FileReplay(tasks[0].file, partial(_spilled, tasks, [next(errors) for _ in tasks]))
                for tasks in spread
            )


def _size(file: str) -> int | None:
    """Return about how many bytes a history has; None where only one process can read it."""
    path = Path(file)
    if not is_history(file) or not path.is_file():  # perhaps standard input, or a pipe
        return None
    return path.stat().st_size * (_COMPRESSION if file.endswith(COMPRESSED) else 1)


def _results(
    file: str, question: Question | None, watch: Watch | None = None, share: Share = EVERYTHING
) -> Iterator[Result]:
    """Replay a file; an error that ends its reading comes last.

    Errors in writing the results are not caught here: they are no errors of the file.
    """
    try:
        yield from replay(file, question, watch=watch, share=share)
    except (InputError, OSError) as error:
        yield error


# ---- in several processes ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Task:
    """The share of one process in a file, and where it spills its results."""

    file: str
    question: Question | None
    share: Share
    spill: Path


def _work(task: _Task) -> InputError | OSError | None:
    """Spill the results of a task; return the error that ended the reading of the file."""
    with rare_garbage_collection(), task.spill.open("wb") as spill:
        for result in _results(task.file, task.question, share=task.share):
            if isinstance(result, InputError | OSError):
                return result
            pickle.dump(result, spill)
    return None


def _spilled(
    tasks: Sequence[_Task], errors: Iterable[InputError | OSError | None], _watch: Watch
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


def _line(error: InputError | OSError) -> int:
    return (isinstance(error, InputError) and error.line) or 0


def _place(result: InvalidRecord | Replayed) -> tuple[bool, int]:
    return isinstance(result, Replayed), result.line


def _read(task: _Task) -> Iterator[InvalidRecord | Replayed]:
    with task.spill.open("rb") as spill:
        while spill.peek(1):
            yield pickle.load(spill)  # noqa: S301 -- `_work` has written it into a private folder
