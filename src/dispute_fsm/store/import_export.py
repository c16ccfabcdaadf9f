"""History files into the database, and out of it again.

What comes in was read with every hash and transition checked. It comes in whole or not at all, in
batches within one transaction. What is there already is left as it is, so the same file can be
brought in twice, and a longer one goes on where the database ends; a dispute with another history
is refused. Personal values that were erased here do not come back.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO, Any

from pydantic_core import from_json
from sqlalchemy import delete, select

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.hash_chain import hashed_form
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.errors import ConflictError, InputError, UnknownDisputeError
from dispute_fsm.history.jsonl import numbered_lines, record_line
from dispute_fsm.history.reader import HistoryReader, InvalidRecord
from dispute_fsm.store.records import (
    EventRow,
    event_of,
    opened_as,
    private_text,
    record_of,
    running,
    stands,
)
from dispute_fsm.store.repository import Store
from dispute_fsm.store.schema import deadlines, disputes, events, private_values
from dispute_fsm.store.session import Session
from dispute_fsm.store.statement import Statement

_BATCH = 500
_STREAMED = 200


@dataclass(slots=True)
class Arriving:
    """Events that come in, in order, and the disputes as they leave them."""

    rows: list[EventRow] = field(default_factory=list[EventRow])
    after: dict[str, Dispute] = field(default_factory=dict[str, Dispute])
    keys: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])

    def add(self, event: AuditEvent, row: EventRow, after: Dispute) -> None:
        """Let one more event come in."""
        self.rows.append(row)
        self.after[event.dispute_id] = after
        if event.key is not None and not event.refused:
            self.keys[event.dispute_id, event.seq] = event.key


# ---- in ------------------------------------------------------------------------------------------


def bring_in(store: Store, session: Session, stream: IO[bytes], file: str) -> int:
    """Bring an open history file in; returns how many events are new. `file` is its name in errors.

    Raises `InputError` with file and line for whatever is wrong with it, and where the database has
    another history of one of its disputes; `ConflictError` where an order would have two live
    disputes.
    """
    arriving, new = Arriving(), 0
    with closing(HistoryReader(file)) as reader:
        for number, line in numbered_lines(stream, file):
            step = reader.read(number, line)
            if isinstance(step, InvalidRecord):
                raise step.error
            if step is None:
                continue
            arriving.add(step.event, _as_written(step.event, line), step.after)
            if len(arriving.rows) == _BATCH:
                new += take(store, session, arriving)
                arriving = Arriving()
    return new + take(store, session, arriving)


def take(store: Store, session: Session, arriving: Arriving) -> int:
    """Write what comes in; returns how many events are new. Raises as `bring_in` does, without file and line."""
    there = _there(session, arriving.after)
    rows = list(_fresh(arriving.rows, there))
    moved = [
        arriving.after[dispute_id] for dispute_id in dict.fromkeys(row.dispute_id for row in rows)
    ]
    opening = [dispute for dispute in moved if dispute.dispute_id not in there]
    _go_on(store, session, [dispute for dispute in moved if dispute.dispute_id in there], there)
    _open(store, session, opening)
    keys = [
        {"dispute_id": row.dispute_id, "seq": row.seq, "key": key}
        for row in rows
        if (key := arriving.keys.get((row.dispute_id, row.seq))) is not None
    ]
    _add(store, session, rows, keys, moved)
    return len(rows)


def _as_written(event: AuditEvent, line: bytes) -> EventRow:
    """Keep the bytes that the hash covers as their writer wrote them: the same instant can be written in many ways."""
    record: dict[str, Any] = from_json(line)
    return EventRow(
        event.dispute_id,
        event.seq,
        hashed_form(record),
        event.hash,
        private_text(record["private"]),
    )


def _there(session: Session, coming: Iterable[str]) -> dict[str, dict[int, str]]:
    """Return the hashes of what the database has already of these disputes."""
    there: dict[str, dict[int, str]] = {}
    statement = select(events.c.dispute_id, events.c.seq, events.c.hash).where(
        events.c.dispute_id.in_(list(coming))
    )
    for dispute_id, seq, hash_ in Statement(statement).rows(session):
        there.setdefault(dispute_id, {})[seq] = hash_
    return there


def _fresh(rows: list[EventRow], there: Mapping[str, Mapping[int, str]]) -> Iterator[EventRow]:
    for row in rows:
        known = there.get(row.dispute_id, {}).get(row.seq)
        if known is None:
            yield row
        elif known != row.hash:
            raise InputError(
                f"the database has another history of dispute {row.dispute_id}: event {row.seq} "
                "is not the same"
            )


def _go_on(
    store: Store, session: Session, moved: list[Dispute], there: Mapping[str, Mapping[int, str]]
) -> None:
    """Let disputes go on that are there: before others open, so that an order is free for its next dispute."""
    for dispute in moved:
        known = there[dispute.dispute_id]
        last = max(known)
        found = {"of_dispute": dispute.dispute_id, "before_seq": last, "before_hash": known[last]}
        if store.run.changed.row(session, {**found, **stands(dispute)}) is None:
            raise ConflictError(
                f"dispute {dispute.dispute_id} has gone on meanwhile; bring the file in again"
            )


def _open(store: Store, session: Session, opening: list[Dispute]) -> None:
    for policy in {dispute.policy.digest: dispute.policy for dispute in opening}.values():
        store.keep_policy(session, policy)
    if opening:
        done = store.run.new_disputes.many(
            session, [{**opened_as(dispute), **stands(dispute)} for dispute in opening]
        )
        if done != len(opening):
            raise ConflictError(_crowded(session, opening))


def _crowded(session: Session, opening: list[Dispute]) -> str:
    ids = {dispute.dispute_id for dispute in opening}
    live = {dispute.order_id: dispute.dispute_id for dispute in opening if not dispute.closed}
    statement = select(disputes.c.dispute_id, disputes.c.order_id).where(
        disputes.c.order_id.in_(list(live)), disputes.c.closed.is_(False)
    )
    for there, order_id in Statement(statement).rows(session):
        if there not in ids or live[order_id] != there:
            return f"order {order_id} would have two live disputes, {there} and {live[order_id]}"
    return "one of the disputes was opened meanwhile; bring the file in again"


def _add(
    store: Store,
    session: Session,
    rows: list[EventRow],
    keys: list[dict[str, Any]],
    moved: list[Dispute],
) -> None:
    run = store.run
    private = [
        {"dispute_id": row.dispute_id, "seq": row.seq, "body": row.private}
        for row in rows
        if row.private is not None
    ]
    due = [
        {"dispute_id": one.dispute_id, "deadline": name, "due_at": at}
        for one in moved
        for name, at in running(one).items()
    ]
    if rows:
        run.new_event.many(
            session,
            [
                {
                    "dispute_id": row.dispute_id,
                    "seq": row.seq,
                    "hash": row.hash,
                    "hashed": row.hashed,
                }
                for row in rows
            ],
        )
        Statement(
            delete(deadlines).where(deadlines.c.dispute_id.in_([one.dispute_id for one in moved]))
        ).run(session, {})
    for statement, parameters in (
        (run.new_private, private),
        (run.new_key, keys),
        (run.new_deadline, due),
    ):
        if parameters:
            statement.many(session, parameters)


# ---- out -----------------------------------------------------------------------------------------


def taken_out(store: Store, dispute_ids: Iterable[str] = ()) -> Iterator[str]:
    """Go through the lines of a history of these disputes, or of all: as they were committed, each policy before it is named.

    Each record is the one that was brought in or written here, to the last digit of its hash; only
    the order of members that the hash does not see may differ, and what came out once comes out
    again byte for byte. Raises `UnknownDisputeError` for an id that is not there.
    """
    wanted = list(dict.fromkeys(dispute_ids))
    written: set[str] = set()
    with store.pool.snapshot() as session:
        _require(session, wanted)
        beside = (private_values.c.dispute_id == events.c.dispute_id) & (
            private_values.c.seq == events.c.seq
        )
        statement = (
            select(
                events.c.dispute_id,
                events.c.seq,
                events.c.hashed,
                events.c.hash,
                private_values.c.body,
            )
            .select_from(events.outerjoin(private_values, beside))
            .order_by(events.c.xid, events.c.position)
        )
        if wanted:
            statement = statement.where(events.c.dispute_id.in_(wanted))
        for row in Statement(statement).each(session, _STREAMED):
            record = _as_a_line(EventRow(*row))
            digest = record["policy"]
            if digest not in written:
                written.add(digest)
                policy = store.policy(session, digest)
                yield record_line({"type": "policy", "digest": digest, "policy": policy.record})
            yield record_line(record)


def _require(session: Session, wanted: list[str]) -> None:
    known = Statement(select(disputes.c.dispute_id).where(disputes.c.dispute_id.in_(wanted)))
    found = {row.dispute_id for row in known.rows(session)} if wanted else set[str]()
    if missing := [one for one in wanted if one not in found]:
        raise UnknownDisputeError(f"there is no dispute {missing[0]}", field="dispute_id")


def _as_a_line(row: EventRow) -> dict[str, Any]:
    """Put the members into the order of this package, unless another writer's bytes would then no longer fit the hash."""
    record = event_of(row).model_dump(mode="json")
    return record if hashed_form(record) == row.hashed else record_of(row)
