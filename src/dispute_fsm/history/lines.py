"""The lines of a history file: plain or compressed, and strict JSON. What they mean is not looked at here."""

import gzip
import json
import sys
import zlib
from codecs import BOM_UTF8
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

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
            line = line.removeprefix(BOM_UTF8)  # some editors put it before the first line, and files are joined; no hash sees it
            if not line.endswith(b"\n"):
                cut = "the last line is cut off: a record ends with a line break"
                raise InputError(f"this line is longer than {MAX_LINE} bytes" if len(line) == MAX_LINE else cut, file=file, line=number)
            yield number, line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"the compressed file is damaged or cut off: {error}", file=file, line=number + 1) from None


def parsed(line: bytes) -> dict[str, Any]:
    """Parse a line. Raises `InputError` for what is no JSON object, a member that stands twice, a number that is not whole or too long."""
    try:
        record: object = json.loads(
            line.decode(), object_pairs_hook=_members, parse_int=_whole, parse_float=_no_number, parse_constant=_no_number
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
