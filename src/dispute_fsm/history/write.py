"""Writing histories: one record a line, each policy once, before the first event that names it."""

import json
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from errno import EISDIR, ENOENT
from gzip import GzipFile
from io import TextIOWrapper
from pathlib import Path
from typing import IO, cast

from dispute_fsm.dispute.events import AuditEvent
from dispute_fsm.history.lines import COMPRESSED
from dispute_fsm.rules.policy import Policy


def write_records(stream: IO[str], events: Iterable[tuple[AuditEvent, Policy]]) -> None:
    """Write events, each with the policy that its dispute keeps, to an open text stream."""
    written: set[str] = set()
    for event, policy in events:
        if event.policy not in written:
            written.add(event.policy)
            stream.write(record_line({"type": "policy", "digest": policy.digest, "policy": policy.record}))
        stream.write(record_line(event.model_dump(mode="json")))


def write_history(path: Path, events: Iterable[tuple[AuditEvent, Policy]]) -> None:
    """Write a history file, compressed where its name ends in `.gz`; it appears whole or not at all.

    The same events make the same bytes. Folders that are missing are made. Raises `OSError` where it cannot be written.
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
        yield layers.enter_context(TextIOWrapper(cast("IO[bytes]", inner), encoding="utf-8", newline="\n"))


@contextmanager
def whole_bytes(path: Path) -> Generator[IO[bytes]]:
    """Open a file to write to; it appears under its name once the context ends well, else it never does.

    A device or a pipe, such as `/dev/stdout`, is written to as it stands. No folder is made. Raises `OSError`.
    """
    if path.is_dir():
        raise IsADirectoryError(EISDIR, "this is a folder; name a file in it", str(path))
    if path.exists() and not path.is_file():  # a device or a pipe: a file in its place would be no use to anybody
        with path.open("wb") as stream:
            yield stream
        return
    require_folder(path.parent)
    target = path.resolve() if path.is_symlink() else path  # a link stays one; /dev/stdout may be one to a file
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
