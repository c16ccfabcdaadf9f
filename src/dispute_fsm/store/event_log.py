"""The event log: events as rows, one dispute's history, and the feed of all events.

The feed has all events in the order in which they were committed, without gaps. A position in it is
a pair. On PostgreSQL `xid` is the number of the transaction that wrote the event, and the feed ends
below every transaction that still runs: so no event can appear later before a position that was
read. A transaction may have got its number before it waited for another's dispute; then its event
takes over the higher number of the event before it, which keeps a dispute's events in order. On
SQLite there is one writer at a time, so `position` alone is enough, and `xid` is 0.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json
from sqlalchemy import BigInteger, Integer, Text, bindparam, cast, func, insert, select, tuple_

from dispute_fsm.decider.hash_chain import hashed_form
from dispute_fsm.domain.events import EVENT, AuditEvent
from dispute_fsm.errors import InputError
from dispute_fsm.history.reader import upcast
from dispute_fsm.store.address import POSTGRESQL
from dispute_fsm.store.queries import page_of
from dispute_fsm.store.schema import disputes, events, keys, private_values
from dispute_fsm.store.session import Session, Statement, bind

# ---- events as rows ------------------------------------------------------------------------------


class EventRow(NamedTuple):
    """An event as it is stored: the bytes that its hash covers, the hash, and its personal values.

    `private` is None where the event has no personal values, or they were erased.
    """

    dispute_id: str
    seq: int
    hashed: bytes
    hash: str
    private: str | None


def event_row(event: AuditEvent, hashed: bytes | None = None) -> EventRow:
    """Make the row of an event. `hashed` are the bytes that its hash covers, if they are known."""
    covered = hashed_form(event.model_dump(mode="json")) if hashed is None else hashed
    return EventRow(event.dispute_id, event.seq, covered, event.hash, private_text(event.private))


def private_text(private: Mapping[str, Any]) -> str | None:
    """Write an event's personal values as they are stored; None where there are none."""
    return to_json(dict(private)).decode() if private else None


def record_of(row: EventRow) -> dict[str, Any]:
    """Return an event as it is in a history file."""
    record: dict[str, Any] = from_json(row.hashed)
    private = {} if row.private is None else from_json(row.private)
    return {**record, "hash": row.hash, "private": private}


def event_of(row: EventRow) -> AuditEvent:
    """Read an event, also one of an older schema. Raises `ValidationError`, `InputError`."""
    return EVENT.validate_python(upcast(record_of(row)))


_ADDED = {
    **bind("dispute_id", "seq", "hash", "hashed"),
    "xid": select(disputes.c.xid)
    .where(disputes.c.dispute_id == bindparam("dispute_id"))
    .scalar_subquery(),
}
# One writer at a time, so the next number is the next to be committed.
_NEXT_POSITION = (
    select(func.coalesce(func.max(events.c.position), 0) + 1)
    .where(events.c.xid == 0)
    .scalar_subquery()
)
_ADD = Statement(
    insert(events).values({**_ADDED, "position": _NEXT_POSITION}),
    postgresql=insert(events).values(_ADDED),
)
_ADD_PRIVATE_VALUES = Statement(insert(private_values))
_ADD_KEY = Statement(insert(keys))


def event_writes(event: AuditEvent, row: EventRow) -> list[tuple[Statement, dict[str, Any]]]:
    """Return the statements that write an event, with their parameters."""
    identity = {"dispute_id": row.dispute_id, "seq": row.seq}
    writes = [(_ADD, {**identity, "hash": row.hash, "hashed": row.hashed})]
    if row.private is not None:
        writes.append((_ADD_PRIVATE_VALUES, {**identity, "body": row.private}))
    if event.key is not None and not event.refused:
        writes.append((_ADD_KEY, {**identity, "key": event.key}))
    return writes


EVENT_ROWS = select(
    events.c.dispute_id, events.c.seq, events.c.hashed, events.c.hash, private_values.c.body
).select_from(
    events.outerjoin(
        private_values,
        (private_values.c.dispute_id == events.c.dispute_id)
        & (private_values.c.seq == events.c.seq),
    )
)
"""The query of events as an `EventRow` has them."""

HISTORY = Statement(
    EVENT_ROWS.where(events.c.dispute_id == bindparam("dispute_id")).order_by(events.c.seq)
)


# ---- the feed ------------------------------------------------------------------------------------

_FEED_ROWS = select(
    events.c.xid,
    events.c.position,
    events.c.dispute_id,
    events.c.seq,
    events.c.hashed,
    events.c.hash,
)
_position = tuple_(events.c.xid, events.c.position)
_given_position = tuple_(
    bindparam("xid", type_=BigInteger), bindparam("position", type_=BigInteger)
)
_SNAPSHOT = func.pg_current_snapshot()
_OLDEST_RUNNING = cast(cast(func.pg_snapshot_xmin(_SNAPSHOT), Text), BigInteger)
_NEXT_TRANSACTION = cast(cast(func.pg_snapshot_xmax(_SNAPSHOT), Text), BigInteger)
ALL = (
    _FEED_ROWS.where(_position > _given_position)
    .order_by(events.c.xid, events.c.position)
    .limit(bindparam("limit", type_=Integer))
)
"""The query of the events after a position."""

SETTLED = ALL.where(events.c.xid < _OLDEST_RUNNING)
"""The same without those that another event may still come before."""

_AFTER = Statement(ALL, postgresql=SETTLED)
_OF_DISPUTE = Statement(
    _FEED_ROWS.where(
        events.c.dispute_id == bindparam("dispute_id"),
        events.c.seq >= bindparam("seq"),
        _position <= _given_position,
    ).order_by(events.c.seq)
)
_AHEAD = Statement(
    select(func.count().label("number")).select_from(events).where(events.c.xid > _NEXT_TRANSACTION)
)


class FeedPosition(NamedTuple):
    """A position in the feed; as a text, `7421-53`, it is what a reader keeps."""

    xid: int
    position: int

    def __str__(self) -> str:
        return f"{self.xid}-{self.position}"


BEGINNING = FeedPosition(0, 0)
"""Before the first event."""


def parse_position(text: str | None) -> FeedPosition:
    """Read a position; None is the beginning. Raises `InputError`."""
    if text is None:
        return BEGINNING
    match = re.fullmatch(r"([0-9]{1,20})-([0-9]{1,20})", text)
    position = FeedPosition(*map(int, match.groups())) if match else None
    if position is None or max(position) >= 2**63:
        raise InputError(
            f"{text:.40} is not a position in the feed; use one that the feed returned",
            field="after",
        )
    return position


def read_feed(
    session: Session, after: FeedPosition, limit: int
) -> list[tuple[FeedPosition, EventRow]]:
    """Read the events after a position, without personal values.

    Raises `InputError` for a limit below one.
    """
    values = {**after._asdict(), "limit": page_of(limit)}
    return [_positioned(row) for row in _AFTER.rows(session, values)]


def read_feed_of_dispute(
    session: Session, dispute_id: str, seq: int, up_to: FeedPosition
) -> list[tuple[FeedPosition, EventRow]]:
    """Read one dispute's events from this one on, up to a position."""
    values = {**up_to._asdict(), "dispute_id": dispute_id, "seq": seq}
    return [_positioned(row) for row in _OF_DISPUTE.rows(session, values)]


def count_ahead(session: Session) -> int:
    """Count the events that the feed will not have for long.

    They were copied from a database cluster with higher transaction numbers.
    """
    return int(_AHEAD.rows(session)[0].number) if session.dialect.name == POSTGRESQL else 0


def _positioned(row: Any) -> tuple[FeedPosition, EventRow]:  # noqa: ANN401 -- a row
    return FeedPosition(row.xid, row.position), EventRow(
        row.dispute_id, row.seq, row.hashed, row.hash, None
    )
