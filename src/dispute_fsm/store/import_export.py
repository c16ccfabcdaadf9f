"""History files into the database, and out of it again.

A file is imported with every hash and transition checked, as a whole or not at all: in batches
within one transaction. Events that exist are left as they are. So the same file can be imported
again, and a longer one continues where the database ends; a dispute with another history is
refused. Personal values that were erased here do not come back.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import IO, Any

from pydantic_core import from_json
from sqlalchemy import delete, select

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.hash_chain import hashed_form
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.errors import ConflictError, InputError, UnknownDisputeError
from dispute_fsm.history.jsonl import numbered_lines, record_line
from dispute_fsm.history.reader import HistoryReader, InvalidRecord, Projection
from dispute_fsm.store.deadlines import ADD_DEADLINE, running_deadlines
from dispute_fsm.store.event_log import (
    EVENT_ROWS,
    EventRow,
    event_of,
    event_writes,
    private_text,
    record_of,
)
from dispute_fsm.store.projection import (
    ADD_DISPUTES,
    UPDATE_DISPUTE,
    changing_columns,
    columns,
)
from dispute_fsm.store.repository import Store
from dispute_fsm.store.schema import deadlines, disputes, events
from dispute_fsm.store.session import Session, Statement

_BATCH = 500
"""How many events are written at once."""

_Hashes = Mapping[str, Mapping[int, str]]
"""The hashes of stored events, by dispute and number."""


ImportedEvent = tuple[AuditEvent, EventRow, Dispute]
"""An event, its row, and the dispute after it."""


# ---- import --------------------------------------------------------------------------------------


def import_history(store: Store, session: Session, stream: IO[bytes], file: str) -> int:
    """Import an open history file; return how many events are new. `file` is its name in errors.

    Raises `InputError` with file and line for an invalid file, and where the database has another
    history of one of its disputes; `ConflictError` where an order would have two live disputes.
    """
    batch, new = list[ImportedEvent](), 0
    with closing(HistoryReader(file, Projection)) as reader:
        for number, line in numbered_lines(stream, file):
            step = reader.read(number, line)
            if isinstance(step, InvalidRecord):
                raise step.error
            if step is None:
                continue
            batch.append((step.event, _row_as_written(step.event, line), step.after))
            if len(batch) == _BATCH:
                new += write_batch(store, session, batch)
                batch.clear()
    return new + write_batch(store, session, batch)


def _row_as_written(event: AuditEvent, line: bytes) -> EventRow:
    """Keep the hashed bytes of the writer: an instant can be written in many ways."""
    record: dict[str, Any] = from_json(line)
    private = private_text(record["private"])
    return EventRow(event.dispute_id, event.seq, hashed_form(record), event.hash, private)


def write_batch(store: Store, session: Session, batch: Sequence[ImportedEvent]) -> int:
    """Write events in order; return how many are new.

    Raises as `import_history` does, without file and line.
    """
    stored = _stored_hashes(session, {event.dispute_id for event, _, _ in batch})
    added = [each for each in batch if _is_new(each[1], stored)]
    last = {event.dispute_id: after for event, _, after in batch}
    changed = {event.dispute_id: last[event.dispute_id] for event, _, _ in added}
    for dispute_id, after in changed.items():
        if dispute_id in stored:  # before others open: one may be the next dispute of its order
            _update(session, after, stored[dispute_id])
    _insert(store, session, [after for id_, after in changed.items() if id_ not in stored])
    writes = defaultdict[Statement, list[dict[str, Any]]](list)
    for event, row, _ in added:
        for statement, values in event_writes(event, row):
            writes[statement].append(values)
    for statement, parameters in writes.items():
        statement.many(session, parameters)
    _replace_deadlines(session, changed)
    return len(added)


def _stored_hashes(session: Session, dispute_ids: Iterable[str]) -> _Hashes:
    stored = defaultdict[str, dict[int, str]](dict)
    query = select(events.c.dispute_id, events.c.seq, events.c.hash).where(
        events.c.dispute_id.in_(list(dispute_ids))
    )
    for row in Statement(query).rows(session):
        stored[row.dispute_id][row.seq] = row.hash
    return stored


def _is_new(row: EventRow, stored: _Hashes) -> bool:
    known = stored.get(row.dispute_id, {}).get(row.seq)
    if known not in {None, row.hash}:
        raise InputError(
            f"the database has another history of dispute {row.dispute_id}: event {row.seq} is "
            "not the same"
        )
    return known is None


def _update(session: Session, dispute: Dispute, stored: Mapping[int, str]) -> None:
    """Bring the projection of a stored dispute forward."""
    last = max(stored)
    values = {
        "of_dispute": dispute.dispute_id,
        "before_seq": last,
        "before_hash": stored[last],
        **changing_columns(dispute),
    }
    if UPDATE_DISPUTE.row(session, values) is None:
        raise ConflictError(
            f"dispute {dispute.dispute_id} was modified concurrently; import the file again"
        )


def _insert(store: Store, session: Session, opened: list[Dispute]) -> None:
    for policy in {dispute.policy.digest: dispute.policy for dispute in opened}.values():
        store.save_policy(session, policy)
    if ADD_DISPUTES.many(session, [columns(dispute) for dispute in opened]) != len(opened):
        raise ConflictError(_reason_of_conflict(session, opened))


def _reason_of_conflict(session: Session, opened: list[Dispute]) -> str:
    ids = {dispute.dispute_id for dispute in opened}
    live = {dispute.order_id: dispute.dispute_id for dispute in opened if dispute.outcome is None}
    query = select(disputes.c.dispute_id, disputes.c.order_id).where(
        disputes.c.order_id.in_(list(live)), disputes.c.outcome.is_(None)
    )
    for dispute_id, order_id in Statement(query).rows(session):
        if dispute_id not in ids or live[order_id] != dispute_id:
            return (
                f"order {order_id} would have two live disputes, {dispute_id} and {live[order_id]}"
            )
    return "one of the disputes was opened concurrently; import the file again"


def _replace_deadlines(session: Session, changed: Mapping[str, Dispute]) -> None:
    Statement(delete(deadlines).where(deadlines.c.dispute_id.in_(list(changed)))).run(session, {})
    running = [
        {"dispute_id": dispute_id, "deadline": name, "due_at": due}
        for dispute_id, dispute in changed.items()
        for name, due in running_deadlines(dispute).items()
    ]
    ADD_DEADLINE.many(session, running)


# ---- export --------------------------------------------------------------------------------------


def export_history(store: Store, dispute_ids: Iterable[str] = ()) -> Iterator[str]:
    """Return the lines of a history of these disputes, or of all, in the order of their commits.

    Each policy comes before the first event that names it. Each record is the one that was imported
    or written here, to the last digit of its hash. Only the order of members that the hash does not
    cover may differ, and what was exported once is exported again byte for byte. Raises
    `UnknownDisputeError`.
    """
    wanted = list(dict.fromkeys(dispute_ids))
    written: set[str] = set()
    with store.pool.snapshot() as session:
        _require(session, wanted)
        query = EVENT_ROWS.order_by(events.c.xid, events.c.position)
        if wanted:
            query = query.where(events.c.dispute_id.in_(wanted))
        for row in Statement(query).each(session):
            record = _exported(EventRow(*row))
            digest = record["policy"]
            if digest not in written:
                written.add(digest)
                policy = store.policy(session, digest)
                yield record_line({"type": "policy", "digest": digest, "policy": policy.record})
            yield record_line(record)


def _require(session: Session, dispute_ids: list[str]) -> None:
    query = select(disputes.c.dispute_id).where(disputes.c.dispute_id.in_(dispute_ids))
    known = {row.dispute_id for row in Statement(query).rows(session)} if dispute_ids else set()
    if missing := [each for each in dispute_ids if each not in known]:
        raise UnknownDisputeError(f"there is no dispute {missing[0]}", field="dispute_id")


def _exported(row: EventRow) -> dict[str, Any]:
    """Return a record with its members in our order, unless the hash would then no longer fit."""
    record = event_of(row).model_dump(mode="json")
    return record if hashed_form(record) == row.hashed else record_of(row)
