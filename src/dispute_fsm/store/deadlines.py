"""Deadlines that are overdue: who works on which, and when the next one is due.

A claim is a lease, not a lock: it keeps sweepers from working on the same disputes, no more. That a
deadline fires once is seen to by the dispute itself, so a lease that lapses too early costs work,
never a second firing.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, bindparam, func, or_, select, tuple_, update

from dispute_fsm.store.schema import Query, deadlines
from dispute_fsm.store.session import Session
from dispute_fsm.store.statement import Statement

CHANNEL = "dispute_due"
"""On PostgreSQL, where it is said that a deadline will be due sooner than others look by themselves."""

_KEY = (deadlines.c.dispute_id, deadlines.c.deadline)
_NOW = bindparam("now", type_=deadlines.c.due_at.type)
_UNTRIED: ColumnElement[bool] = deadlines.c.leased_until.is_(None)
_FREE: ColumnElement[bool] = or_(_UNTRIED, deadlines.c.leased_until <= _NOW)


def _overdue(free: ColumnElement[bool], *order: ColumnElement[Any]) -> Query:
    return (
        select(*_KEY)
        .where(deadlines.c.due_at < _NOW, free)
        .order_by(*order)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(
            skip_locked=True
        )  # SQLite has one writer at a time, and leaves these words out
    )


OVERDUE = _overdue(_UNTRIED, deadlines.c.due_at, deadlines.c.dispute_id)
"""What has passed and nobody has claimed yet."""

LAPSED = _overdue(deadlines.c.leased_until <= _NOW, deadlines.c.leased_until)
"""What has passed and was claimed, but stayed: it comes behind the others, and in turn, so that it cannot keep them up."""

_CLAIMS = tuple(
    Statement(
        update(deadlines)
        .where(tuple_(*_KEY).in_(these))
        .values(leased_until=bindparam("until"))
        .returning(deadlines.c.due_at, deadlines.c.dispute_id)
    )
    for these in (OVERDUE, LAPSED)
)
_RELEASE = Statement(
    update(deadlines)
    .where(deadlines.c.dispute_id == bindparam("of_dispute"))
    .values(leased_until=None)
)
NEXT_FREE = select(func.min(deadlines.c.due_at)).where(_FREE)
"""When the first deadline is due that nobody has claimed."""

NEXT_LAPSE = select(func.min(deadlines.c.leased_until)).where(deadlines.c.leased_until > _NOW)
"""When the first claim lapses."""

_NEXT = Statement(
    select(NEXT_FREE.scalar_subquery().label("free"), NEXT_LAPSE.scalar_subquery().label("lapse"))
)


def claim(session: Session, now: datetime, lease: timedelta, limit: int) -> list[str]:
    """Claim up to `limit` deadlines that have passed; returns their disputes, the one that was due first in front.

    What was claimed before, and stayed, is claimed once nothing else is left.
    """
    for these in _CLAIMS:
        claimed = these.rows(session, {"now": now, "until": now + lease, "limit": limit})
        if claimed:
            return list(dict.fromkeys(row.dispute_id for row in sorted(claimed, key=_by_due)))
    return []


def _by_due(row: Any) -> tuple[datetime, str]:  # noqa: ANN401 -- a row
    return row.due_at, row.dispute_id


def release(session: Session, dispute_id: str) -> None:
    """Give up the claim to a dispute that was not worked on."""
    _RELEASE.run(session, {"of_dispute": dispute_id})


def next_to_sweep(session: Session, now: datetime) -> datetime | None:
    """Return when there will be something to sweep: a deadline due, or another sweeper's claim lapsed; None where nothing runs."""
    return min((at for at in _NEXT.rows(session, {"now": now})[0] if at is not None), default=None)
