"""Writing histories: one record a line, each policy once, before the first event that names it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from dispute_fsm.dispute.events import AuditEvent
from dispute_fsm.rules.policy import Policy

SUFFIX = ".history.jsonl"


def write_records(stream: IO[str], events: Iterable[tuple[AuditEvent, Policy]]) -> None:
    """Write events, each with the policy that its dispute keeps, to an open text stream."""
    written: set[str] = set()
    for event, policy in events:
        if event.policy not in written:
            written.add(event.policy)
            stream.write(_line({"type": "policy", "digest": policy.digest, "policy": policy.record}))
        stream.write(_line(event.model_dump(mode="json")))


def write_history(path: Path, events: Iterable[tuple[AuditEvent, Policy]]) -> None:
    """Write a history file; it appears whole or not at all. Raises `OSError` where it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as stream:
            write_records(stream, events)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _line(record: object) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
