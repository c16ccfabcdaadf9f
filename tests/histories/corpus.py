"""The recorded histories, line by line; tests change lines, seal them anew and replay them.

Hashes are made with an independent implementation of RFC 8785, as somebody would who knows only the
format.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import rfc8785

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.events import GENESIS, AuditEvent
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import is_history, open_history
from dispute_fsm.history.reader import InvalidRecord, Step, read_steps
from dispute_fsm.history.replay import Replayed, replay
from dispute_fsm.history.what_if import Question

Record = dict[str, Any]

FILES = tuple(sorted(path for path in Path(__file__).parent.iterdir() if is_history(path.name)))
"""Every recorded history."""

MANY = next(path for path in FILES if path.name.startswith("sixty-disputes"))
ERASED = next(path for path in FILES if path.name.startswith("erased-words"))

ANOTHER_WRITER = next(path for path in FILES if path.name.startswith("another-writer"))


def named(path: Path) -> str:
    """Name a history in the results."""
    return path.name.split(".")[0]


@cache
def lines(path: Path) -> tuple[bytes, ...]:
    """Give the lines of a history."""
    with open_history(str(path)) as stream:
        return tuple(stream)


def recorded(name: str) -> list[Record]:
    """Give the records of a history by its name, to be changed."""
    (path,) = (path for path in FILES if named(path) == name)
    return [record(line) for line in lines(path)]


@cache
def disputes(path: Path) -> Mapping[str, tuple[Dispute, tuple[AuditEvent, ...]]]:
    """Give each dispute of a history by its id: how it ends, and its events."""
    events: dict[str, list[AuditEvent]] = {}
    ends: dict[str, Dispute] = {}
    for step in read_steps(BytesIO(b"".join(lines(path))), path.name):
        ends[step.after.dispute_id] = step.after
        events.setdefault(step.after.dispute_id, []).append(step.event)
    return {name: (ends[name], tuple(found)) for name, found in events.items()}


@cache
def steps(path: Path) -> tuple[Step, ...]:
    """Give the events of a history, each with the dispute before and after it."""
    return tuple(read_steps(BytesIO(b"".join(lines(path))), path.name))


def record(line: bytes) -> Record:
    """Parse a line."""
    found: Record = json.loads(line)
    return found


def line_of(found: Record) -> bytes:
    """Write a record as a line."""
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def sha256(data: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(data).hexdigest()


def event_hash(found: Record) -> str:
    """Hash an event as the format says."""
    return sha256(
        rfc8785.dumps(
            {name: member for name, member in found.items() if name not in {"hash", "private"}}
        )
    )


def is_policy(found: Record) -> bool:
    """Tell a policy record from an event."""
    return found.get("type") == "policy"


def rechained(records: Iterable[Record]) -> Iterator[Record]:
    """Make the chain fit again, as a forger would who can write the whole file."""
    last: dict[str, str] = {}
    for found in records:
        if is_policy(found):
            yield {**found, "digest": sha256(rfc8785.dumps(found["policy"]))}
        else:
            linked = {**found, "prev_hash": last.get(found["dispute_id"], GENESIS)}
            linked["hash"] = last[found["dispute_id"]] = event_hash(linked)
            yield linked


def refused(changed: Sequence[bytes], file: str = "x.history.jsonl") -> InputError | None:
    """Read lines of which each has to be sound; give what is found, if anything is."""
    try:
        for _ in read_steps(BytesIO(b"".join(changed)), file):
            pass
    except InputError as error:
        return error
    return None


def replayed(
    folder: Path, changed: Iterable[bytes], question: Question | None = None
) -> list[InvalidRecord | Replayed]:
    """Replay lines."""
    path = folder / "changed.history.jsonl"
    path.write_bytes(b"".join(changed))
    return list(replay(str(path), question))


def of_blank_ids() -> bytes:
    """Give a history whose ids and key are refused today; the dispute awaits evidence."""
    blanks = {"D-104": " ", "O-1001": "\u3000", "M-1": "\u00a0", "C-1": "\u2003", "k-1": "\u200b"}
    text = b"".join(map(line_of, recorded("key-reused")[:-1])).decode()
    for name, blank in blanks.items():
        assert f'"{name}"' in text
        text = text.replace(f'"{name}"', f'"{blank}"')
    return b"".join(map(line_of, rechained(record(line.encode()) for line in text.splitlines())))
