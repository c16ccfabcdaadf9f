"""History files as JSON Lines: read line by line, and written atomically.

Disputes that do not fit in memory are spilled to a temporary file (`SpillFile`).
"""

import gzip
import json
import sqlite3
import sys
import zlib
from codecs import BOM_UTF8
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from errno import EISDIR, ENOENT
from functools import cached_property
from gzip import GzipFile
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, cast

from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import MAX_INTEGER
from dispute_fsm.errors import InputError

SUFFIX = ".history.jsonl"
COMPRESSED = ".gz"
STANDARD_INPUT = "-"
NO_PATH = "no such file or folder: the path is empty"
"""The error for an unset shell variable in quotes; `Path("")` would be the working folder."""
MAX_LINE = 64 * 2**20
"""Technical limit of one line, in bytes: a file without line breaks must not fill the memory."""

_BUFFER = 2**18
_LONGEST_NUMBER = len(f"-{MAX_INTEGER}")


def is_history(name: str) -> bool:
    """Return whether a file name is that of JSON Lines, compressed or not.

    In folders, only files that end in `SUFFIX` are searched for.
    """
    return name.removesuffix(COMPRESSED).endswith(".jsonl")


@contextmanager
def open_history(path: str) -> Generator[IO[bytes]]:
    """Open a history file for reading; `.gz` is decompressed, and `-` is standard input.

    Raises `OSError`, and `InputError` where the path is empty or standard input is closed.
    """
    if not path:
        raise InputError(NO_PATH)
    if path == STANDARD_INPUT:
        if sys.stdin is None:  # Python sets it to None for a process without standard input
            raise InputError("standard input is closed", file=STANDARD_INPUT)
        yield sys.stdin.buffer
    elif path.endswith(COMPRESSED):
        with gzip.open(path) as stream:
            yield cast("IO[bytes]", stream)
    else:
        with open(path, "rb", buffering=_BUFFER) as stream:  # noqa: PTH123 -- errors show the name as given
            yield stream


def numbered_lines(stream: IO[bytes], file: str) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number.

    Raises `InputError` for a line that is cut off, too long, or damaged by compression.
    """
    number = 0
    try:
        while line := stream.readline(MAX_LINE):
            number += 1
            # Some editors write a BOM before the first line, and files are joined. No hash has it.
            line = line.removeprefix(BOM_UTF8)
            if not line.endswith(b"\n"):
                cut = "the last line is cut off: a record ends with a line break"
                raise InputError(
                    f"this line is longer than {MAX_LINE} bytes" if len(line) == MAX_LINE else cut,
                    file=file,
                    line=number,
                )
            yield number, line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"the compressed file is damaged or cut off: {error}", file=file, line=number + 1
        ) from None


def parse_line(line: bytes) -> dict[str, Any]:
    """Parse a line strictly.

    Raises `InputError` for anything but a JSON object, for a duplicate key, and for a number that
    is not an integer or too long.
    """
    try:
        record: object = json.loads(
            line.decode(),
            object_pairs_hook=_unique_members,
            parse_int=_safe_integer,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg} (column {error.colno})") from None
    except (UnicodeError, RecursionError):
        raise InputError("this line is not UTF-8, or is nested too deeply") from None
    if not isinstance(record, dict):
        raise InputError("a record must be a JSON object")
    return cast("dict[str, Any]", record)


def _unique_members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(members)
    if len(record) < len(members):
        names = [name for name, _ in members]
        raise InputError(
            "duplicate key", field=next(name for name in names if names.count(name) > 1)
        )
    return record


def _safe_integer(number: str) -> int:
    if len(number) > _LONGEST_NUMBER or abs(int(number)) > MAX_INTEGER:
        raise InputError(f"{number:.30} has more than 53 bits")
    return int(number)


def _refuse_number(number: str) -> float:
    raise InputError(f"{number:.30} is not an integer; write amounts as strings")


def write_records(stream: IO[str], events: Iterable[tuple[AuditEvent, Policy]]) -> None:
    """Write events, each with the policy of its dispute, to an open text stream."""
    written: set[str] = set()
    for event, policy in events:
        if event.policy not in written:
            written.add(event.policy)
            stream.write(
                record_line({"type": "policy", "digest": policy.digest, "policy": policy.record})
            )
        stream.write(record_line(event.model_dump(mode="json")))


def write_history(path: Path, events: Iterable[tuple[AuditEvent, Policy]]) -> None:
    """Write a history file atomically, compressed where its name ends in `.gz`.

    The same events make the same bytes. Missing folders are created. Raises `OSError` where the
    file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_text_file(path) as stream:
        write_records(stream, events)


@contextmanager
def atomic_text_file(path: Path) -> Generator[IO[str]]:
    """Open a text file as `atomic_file` does, compressed where its name ends in `.gz`."""
    with atomic_file(path) as raw, ExitStack() as layers:
        packed = path.name.endswith(COMPRESSED)
        inner = layers.enter_context(GzipFile("", "wb", fileobj=raw, mtime=0)) if packed else raw
        yield layers.enter_context(
            TextIOWrapper(cast("IO[bytes]", inner), encoding="utf-8", newline="\n")
        )


@contextmanager
def atomic_file(path: Path) -> Generator[IO[bytes]]:
    """Open a file for writing that appears under its name only if the context ends without error.

    A device or a pipe, such as `/dev/stdout`, is written to directly. No folder is created. Raises
    `OSError`.
    """
    if path.is_dir():
        raise IsADirectoryError(EISDIR, "this is a folder; name a file in it", str(path))
    if path.exists() and not path.is_file():  # a device or a pipe must not be replaced by a file
        with path.open("wb") as stream:
            yield stream
        return
    require_folder(path.parent)
    # A symbolic link stays one; /dev/stdout may be a link to a file.
    target = path.resolve() if path.is_symlink() else path
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as raw:
            yield raw
        part.replace(target)
    except OSError as error:
        if error.filename == str(part):  # the user does not know that name
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def require_folder(folder: Path) -> None:
    """Raise `FileNotFoundError` for a missing folder: it may be misspelt, so none is created."""
    if not folder.is_dir():
        raise FileNotFoundError(ENOENT, "no such folder; make it first", str(folder))


def record_line(record: object) -> str:
    """Serialize a record as one line of compact JSON, its members in their order."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE disputes (
        dispute_id TEXT UNIQUE NOT NULL, line INTEGER PRIMARY KEY, events BLOB, result TEXT NOT NULL
    );
    CREATE TABLE policies (digest TEXT PRIMARY KEY, record BLOB NOT NULL);
"""


class SpillFile:
    """A temporary database for disputes that are not needed in memory, made once there are any.

    Raises `OSError` where the disk is full.
    """

    @cached_property
    def _base(self) -> sqlite3.Connection:
        # An empty name: a temporary file that SQLite deletes on close.
        base = sqlite3.connect("", isolation_level=None)
        base.executescript(_TABLES)
        # One transaction that is never committed: the data need not outlive this object.
        base.execute("BEGIN")
        return base

    @property
    def empty(self) -> bool:
        """Whether nothing was ever spilled."""
        return "_base" not in vars(self)

    def close(self) -> None:
        """Delete the temporary file."""
        if not self.empty:
            self._base.close()

    def put(self, dispute_id: str, line: int, events: bytes | None, result: str) -> None:
        """Spill a dispute: its first line number, all its lines, and its result so far.

        Lines that are None mean that the dispute takes no more events.
        """
        with _spilling():
            self._base.execute(
                "INSERT INTO disputes VALUES (?, ?, ?, ?)", (dispute_id, line, events, result)
            )

    def take(self, dispute_id: str) -> tuple[int, bytes | None] | None:
        """Take a dispute back: its first line number and all its lines; None if it is not here.

        A dispute whose lines are None stays here.
        """
        if self.empty:
            return None
        row: tuple[int, bytes | None] | None = self._base.execute(
            "SELECT line, events FROM disputes WHERE dispute_id = ?", (dispute_id,)
        ).fetchone()
        if row is not None and row[1] is not None:
            self._base.execute("DELETE FROM disputes WHERE dispute_id = ?", (dispute_id,))
        return row

    def results(self) -> Iterator[tuple[int, str]]:
        """Yield the first line number and the result of each dispute, in order of the former."""
        if self.empty:
            return
        with closing(self._base.execute("SELECT line, result FROM disputes ORDER BY line")) as rows:
            yield from rows

    def put_policy(self, digest: str, record: bytes) -> None:
        """Spill a policy's line by digest; the same policy again changes nothing."""
        with _spilling():
            self._base.execute("INSERT OR IGNORE INTO policies VALUES (?, ?)", (digest, record))

    def policy(self, digest: str) -> bytes | None:
        """Return a policy's line; None if it is not here."""
        if self.empty:
            return None
        row = self._base.execute(
            "SELECT record FROM policies WHERE digest = ?", (digest,)
        ).fetchone()
        return None if row is None else row[0]


@contextmanager
def _spilling() -> Generator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(f"cannot spill disputes to a temporary file: {error}") from error
