"""History files as JSON Lines: read line by line, written whole or not at all; what does not fit in memory goes to a temporary file."""

import gzip
import json
import sqlite3
import sys
import zlib
from codecs import BOM_UTF8
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from errno import EISDIR, ENOENT
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
"""What an unset shell variable in quotes leads to; `Path("")` would be the working folder."""
MAX_LINE = 64 * 2**20
"""Technical bound of one line, in bytes: a file without line breaks must not fill the memory."""

_BUFFER = 2**18
_LONGEST_NUMBER = len(f"-{MAX_INTEGER}")


def is_history(name: str) -> bool:
    """Whether a file of this name holds JSON Lines, compressed or not; in folders only those that end in `SUFFIX` are looked for."""
    return name.removesuffix(COMPRESSED).endswith(".jsonl")


@contextmanager
def opened(path: str) -> Generator[IO[bytes]]:
    """Open a history file for reading; one that ends in `.gz` is compressed, `-` is standard input.

    Raises `OSError`, and `InputError` where the path is empty or standard input is closed.
    """
    if not path:
        raise InputError(NO_PATH)
    if path == STANDARD_INPUT:
        if sys.stdin is None:  # as Python says that the process was started without
            raise InputError("standard input is closed", file=STANDARD_INPUT)
        yield sys.stdin.buffer
    elif path.endswith(COMPRESSED):
        with gzip.open(path) as stream:
            yield cast("IO[bytes]", stream)
    else:
        with open(path, "rb", buffering=_BUFFER) as stream:  # noqa: PTH123 -- a name, as it was given: errors show it as it is
            yield stream


def numbered(stream: IO[bytes], file: str) -> Iterator[tuple[int, bytes]]:
    """Go through the lines with their numbers. Raises `InputError` for a line that is cut off, too long, or damaged by compression."""
    number = 0
    try:
        while line := stream.readline(MAX_LINE):
            number += 1
            line = line.removeprefix(
                BOM_UTF8
            )  # some editors put it before the first line, and files are joined; no hash sees it
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


def parsed(line: bytes) -> dict[str, Any]:
    """Parse a line. Raises `InputError` for what is no JSON object, a member that stands twice, a number that is not whole or too long."""
    try:
        record: object = json.loads(
            line.decode(),
            object_pairs_hook=_members,
            parse_int=_whole,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg} (column {error.colno})") from None
    except (UnicodeError, RecursionError):
        raise InputError("this line holds text that is no UTF-8, or is nested too deeply") from None
    if not isinstance(record, dict):
        raise InputError("a record is a JSON object")
    members: dict[str, Any] = record
    return members


def _members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(members)
    if len(record) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError("duplicate key", field=twice)
    return record


def _whole(number: str) -> int:
    if len(number) > _LONGEST_NUMBER or abs(int(number)) > MAX_INTEGER:
        raise InputError(f"{number:.30} has more than 53 bits")
    return int(number)


def _no_number(number: str) -> float:
    raise InputError(f"{number:.30} is not an integer; write amounts as strings")


def write_records(stream: IO[str], events: Iterable[tuple[AuditEvent, Policy]]) -> None:
    """Write events, each with the policy that its dispute keeps, to an open text stream."""
    written: set[str] = set()
    for event, policy in events:
        if event.policy not in written:
            written.add(event.policy)
            stream.write(
                record_line({"type": "policy", "digest": policy.digest, "policy": policy.record})
            )
        stream.write(record_line(event.model_dump(mode="json")))


def write_history(path: Path, events: Iterable[tuple[AuditEvent, Policy]]) -> None:
    """Write a history file, compressed where its name ends in `.gz`; it appears whole or not at all.

    The same events make the same bytes. Folders that are missing are made. Raises `OSError` where
    it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as stream:
        write_records(stream, events)


@contextmanager
def whole_file(path: Path) -> Generator[IO[str]]:
    """Open a file to write lines of text to, as `whole_bytes` does; compressed where its name ends in `.gz`."""
    with whole_bytes(path) as raw, ExitStack() as layers:
        packed = path.name.endswith(COMPRESSED)
        inner = layers.enter_context(GzipFile("", "wb", fileobj=raw, mtime=0)) if packed else raw
        yield layers.enter_context(
            TextIOWrapper(cast("IO[bytes]", inner), encoding="utf-8", newline="\n")
        )


@contextmanager
def whole_bytes(path: Path) -> Generator[IO[bytes]]:
    """Open a file to write to; it appears under its name once the context ends well, else it never does.

    A device or a pipe, such as `/dev/stdout`, is written to as it stands. No folder is made. Raises
    `OSError`.
    """
    if path.is_dir():
        raise IsADirectoryError(EISDIR, "this is a folder; name a file in it", str(path))
    if (
        path.exists() and not path.is_file()
    ):  # a device or a pipe: a file in its place would be no use to anybody
        with path.open("wb") as stream:
            yield stream
        return
    require_folder(path.parent)
    target = (
        path.resolve() if path.is_symlink() else path
    )  # a link stays one; /dev/stdout may be one to a file
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as raw:
            yield raw
        part.replace(target)
    except OSError as fault:
        if fault.filename == str(part):  # nobody has typed that name
            fault.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def require_folder(folder: Path) -> None:
    """Raise `FileNotFoundError` where a folder is missing: it may be misspelt, so none is made."""
    if not folder.is_dir():
        raise FileNotFoundError(ENOENT, "no such folder; make it first", str(folder))


def record_line(record: object) -> str:
    """Write a record as its line: compact JSON, members in their order."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE disputes (dispute_id TEXT UNIQUE NOT NULL, line INTEGER PRIMARY KEY, events BLOB, result TEXT NOT NULL);
    CREATE TABLE policies (digest TEXT PRIMARY KEY, record BLOB NOT NULL);
"""


class Spool:
    """Keeps what is not needed at hand. Raises `OSError` where there is no room on disk."""

    def __init__(self) -> None:
        self._base = sqlite3.connect(
            "", isolation_level=None
        )  # an empty name: a file of SQLite's own that vanishes with it
        self._base.executescript(_TABLES)
        self._base.execute(
            "BEGIN"
        )  # all is one transaction that never ends: nothing has to outlive this object

    def close(self) -> None:
        """Let go of everything."""
        self._base.close()

    def put(self, dispute_id: str, line: int, events: bytes | None, result: str) -> None:
        """Put a dispute away: the line on which it begins, all its lines (None: it is broken), and what came of it so far."""
        with _no_room():
            self._base.execute(
                "INSERT INTO disputes VALUES (?, ?, ?, ?)", (dispute_id, line, events, result)
            )

    def take(self, dispute_id: str) -> tuple[int, bytes | None] | None:
        """Take a dispute back: the line on which it begins, and all its lines (None: it is broken, and stays); None: it is not here."""
        found: tuple[int, bytes | None] | None = self._base.execute(
            "SELECT line, events FROM disputes WHERE dispute_id = ?", (dispute_id,)
        ).fetchone()
        if found is not None and found[1] is not None:
            self._base.execute("DELETE FROM disputes WHERE dispute_id = ?", (dispute_id,))
        return found

    def results(self) -> Iterator[str]:
        """Go through what came of each dispute, in the order in which they begin."""
        with closing(self._base.execute("SELECT result FROM disputes ORDER BY line")) as found:
            for (result,) in found:
                yield result

    def put_policy(self, digest: str, record: bytes) -> None:
        """Keep a policy's line by digest; the same policy again changes nothing."""
        with _no_room():
            self._base.execute("INSERT OR IGNORE INTO policies VALUES (?, ?)", (digest, record))

    def policy(self, digest: str) -> bytes | None:
        """Return a policy's line; None where it is not here."""
        found = self._base.execute(
            "SELECT record FROM policies WHERE digest = ?", (digest,)
        ).fetchone()
        return None if found is None else found[0]


@contextmanager
def _no_room() -> Generator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(f"cannot put disputes away in a temporary file: {error}") from error
