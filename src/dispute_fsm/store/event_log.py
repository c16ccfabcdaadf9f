"""All events in the order in which they were committed, without gaps, from any place on.

A place is a pair. On PostgreSQL `xid` is the number of the transaction that wrote the event, and
only what lies below every transaction that is still running is shown: so nothing can come in before
a place that was read. A transaction may have got its number before it waited for another's dispute;
then its event takes over the higher number of the event before it, which keeps a dispute's events
in order. On SQLite, with one writer at a time, `position` alone says it all, and `xid` is 0.
"""

import re
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, Text, bindparam, cast, func, select, tuple_

from dispute_fsm.errors import InputError
from dispute_fsm.store.queries import page_of
from dispute_fsm.store.records import EventRow
from dispute_fsm.store.schema import POSTGRESQL, SQLITE, events
from dispute_fsm.store.session import Session
from dispute_fsm.store.statement import Statement

_SELECTED = (
    events.c.xid,
    events.c.position,
    events.c.dispute_id,
    events.c.seq,
    events.c.hashed,
    events.c.hash,
)
_its_place = tuple_(events.c.xid, events.c.position)
_the_place = tuple_(bindparam("xid", type_=BigInteger), bindparam("position", type_=BigInteger))
_AFTER = _its_place > _the_place
_UP_TO = _its_place <= _the_place
_HORIZON = cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)
ALL = (
    select(*_SELECTED)
    .where(_AFTER)
    .order_by(events.c.xid, events.c.position)
    .limit(bindparam("limit", type_=Integer))
)
"""The events behind a place."""

SETTLED = ALL.where(events.c.xid < _HORIZON)
"""Of these, those that nothing can come before any more."""

_BEHIND = {SQLITE: Statement(ALL), POSTGRESQL: Statement(SETTLED)}
_OF_ONE = Statement(
    select(*_SELECTED)
    .where(events.c.dispute_id == bindparam("dispute_id"), events.c.seq >= bindparam("seq"), _UP_TO)
    .order_by(events.c.seq)
)
_AHEAD = Statement(
    select(func.count().label("number"))
    .select_from(events)
    .where(
        events.c.xid
        > cast(cast(func.pg_snapshot_xmax(func.pg_current_snapshot()), Text), BigInteger)
    )
)


class FeedPosition(NamedTuple):
    """A place in the feed; as a text, `7421-53`, it is what a reader keeps."""

    xid: int
    position: int

    def __str__(self) -> str:
        return f"{self.xid}-{self.position}"


BEGINNING = FeedPosition(0, 0)
"""Before the first event."""


def place_of(text: str | None) -> FeedPosition:
    """Read a place; None is the beginning. Raises `InputError`."""
    if text is None:
        return BEGINNING
    xid, _, position = text.partition("-")
    if not all(
        re.fullmatch(r"[0-9]{1,20}", part) and int(part) < 2**63 for part in (xid, position)
    ):
        raise InputError(
            f"{text:.40} is no place in the feed; give one that the feed gave", field="after"
        )
    return FeedPosition(int(xid), int(position))


def read_feed(
    session: Session, after: FeedPosition, limit: int
) -> list[tuple[FeedPosition, EventRow]]:
    """Read the events behind a place, without their personal values. Raises `InputError` for a limit below one."""
    return [
        _found(row)
        for row in _BEHIND[session.dialect.name].rows(
            session, {**after._asdict(), "limit": page_of(limit)}
        )
    ]


def read_one(
    session: Session, dispute_id: str, seq: int, up_to: FeedPosition
) -> list[tuple[FeedPosition, EventRow]]:
    """Read one dispute's events from this one on, as far as a reader has come."""
    return [
        _found(row)
        for row in _OF_ONE.rows(session, {**up_to._asdict(), "dispute_id": dispute_id, "seq": seq})
    ]


def ahead(session: Session) -> int:
    """Count the events that the feed will not show for long: they were brought from a database cluster with higher transaction numbers."""
    return int(_AHEAD.rows(session)[0].number) if session.dialect.name == POSTGRESQL else 0


def _found(row: Any) -> tuple[FeedPosition, EventRow]:  # noqa: ANN401 -- a row, whose columns have no names for type checkers
    return FeedPosition(row.xid, row.position), EventRow(
        row.dispute_id, row.seq, row.hashed, row.hash, None
    )
