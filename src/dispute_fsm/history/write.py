"""Writing histories: one record a line, each policy once, before the first event that names it."""

import json
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from errno import EISDIR
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

    The same events make the same bytes. Raises `OSError` where it cannot be written.
    """
    with whole_file(path) as stream:
        write_records(stream, events)


@contextmanager
def whole_file(path: Path) -> Generator[IO[str]]:
    """Open a file to write lines of text to; it appears under its name once the context ends well, else it never does.

    A device or a pipe, such as `/dev/stdout`, is written to as it stands.
    """
    if path.is_dir():
        raise IsADirectoryError(EISDIR, "this is a folder; name a file in it", str(path))
    if path.exists() and not path.is_file():  # a device or a pipe: a file in its place would be no use to anybody
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as raw, ExitStack() as layers:
            inner = layers.enter_context(GzipFile("", "wb", fileobj=raw, mtime=0)) if path.name.endswith(COMPRESSED) else raw
            yield layers.enter_context(TextIOWrapper(cast("IO[bytes]", inner), encoding="utf-8", newline="\n"))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def record_line(record: object) -> str:
    """Write a record as its line: compact JSON, members in their order."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
