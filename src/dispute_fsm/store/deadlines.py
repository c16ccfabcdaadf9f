"""The deadlines that run: written with their dispute, claimed by sweepers when they have passed.

A claim is a lease, not a lock: it only keeps sweepers from working on the same disputes. The
dispute itself sees to it that a deadline fires once, so a lease that ends too early costs work,
never a second firing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.store.schema import Query, deadlines
from dispute_fsm.store.session import Session, Statement, bind

CHANNEL = "dispute_due"
"""On PostgreSQL, the channel on which a deadline is announced that is due soon."""

# ---- with the dispute ----------------------------------------------------------------------------

_THIS = (
    deadlines.c.dispute_id == bindparam("of_dispute"),
    deadlines.c.deadline == bindparam("of_deadline"),
)
ADD_DEADLINE = Statement(insert(deadlines).values(bind("dispute_id", "deadline", "due_at")))
_REPLACE = Statement(
    update(deadlines).where(*_THIS).values(**bind("deadline", "due_at"), leased_until=None)
)
_REMOVE = Statement(delete(deadlines).where(*_THIS))


def running_deadlines(dispute: Dispute) -> dict[str, datetime]:
    """Return the deadlines that run, by name."""
    return {deadline.value: due for deadline, due in dispute.running.items()}


def write_deadlines(
    session: Session, dispute_id: str, old: Mapping[str, datetime], new: Mapping[str, datetime]
) -> list[datetime]:
    """Write what has changed of a dispute's deadlines; return when the changed ones are due."""
    changed = {name: due for name, due in new.items() if old.get(name) != due}
    over = [name for name in old if name not in new]
    for name, due in changed.items():
        # A deadline that begins takes over the row of one that is over, where there is one.
        before = name if name in old else over.pop() if over else None
        values = {"deadline": name, "due_at": due}
        if before is None:
            ADD_DEADLINE.run(session, {"dispute_id": dispute_id, **values})
        else:
            _REPLACE.run(session, {"of_dispute": dispute_id, "of_deadline": before, **values})
    for name in over:
        _REMOVE.run(session, {"of_dispute": dispute_id, "of_deadline": name})
    return list(changed.values())


# ---- claims --------------------------------------------------------------------------------------

_KEY = (deadlines.c.dispute_id, deadlines.c.deadline)
_NOW = bindparam("now", type_=deadlines.c.due_at.type)
_DUE_BEFORE = bindparam("due_before", type_=deadlines.c.due_at.type)
_UNCLAIMED: ColumnElement[bool] = deadlines.c.leased_until.is_(None)
_LAPSED: ColumnElement[bool] = deadlines.c.leased_until <= _NOW


def _overdue(condition: ColumnElement[bool], *order: ColumnElement[Any]) -> Query:
    return (
        select(*_KEY)
        .where(deadlines.c.due_at < _DUE_BEFORE, condition)
        .order_by(*order)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(skip_locked=True)  # left out on SQLite, which has one writer at a time
    )


OVERDUE = _overdue(_UNCLAIMED, deadlines.c.due_at, deadlines.c.dispute_id)
"""The deadlines that have passed and that nobody has claimed yet."""

LAPSED = _overdue(_LAPSED, deadlines.c.leased_until)
"""The deadlines that have passed and whose claim has lapsed.

They come after the others, and in turn, so that they cannot delay them.
"""

_CLAIMS = tuple(
    Statement(
        update(deadlines)
        .where(tuple_(*_KEY).in_(query))
        .values(leased_until=bindparam("until"))
        .returning(deadlines.c.due_at, deadlines.c.dispute_id)
    )
    for query in (OVERDUE, LAPSED)
)
_RELEASE = Statement(
    update(deadlines)
    .where(deadlines.c.dispute_id == bindparam("of_dispute"))
    .values(leased_until=None)
)
NEXT_FREE = select(func.min(deadlines.c.due_at)).where(or_(_UNCLAIMED, _LAPSED))
"""When the first deadline is due that nobody has claimed."""

NEXT_LAPSE = select(func.min(deadlines.c.leased_until)).where(deadlines.c.leased_until > _NOW)
"""When the first claim lapses."""

_NEXT = Statement(
    select(NEXT_FREE.scalar_subquery().label("free"), NEXT_LAPSE.scalar_subquery().label("lapse"))
)


def claim(
    session: Session, now: datetime, lease: timedelta, limit: int, behind: timedelta = timedelta(0)
) -> list[str]:
    """Claim up to `limit` deadlines that have passed; return their disputes, the first due first.

    They have passed for longer than `behind`. Those whose claim has lapsed are claimed once nothing
    else is left.
    """
    values = {"now": now, "due_before": now - behind, "until": now + lease, "limit": limit}
    for statement in _CLAIMS:
        claimed = statement.rows(session, values)
        if claimed:
            claimed.sort(key=attrgetter("due_at", "dispute_id"))
            return list(dict.fromkeys(row.dispute_id for row in claimed))
    return []


def release(session: Session, dispute_id: str) -> None:
    """Give up the claim to a dispute that was not worked on."""
    _RELEASE.run(session, {"of_dispute": dispute_id})


def next_to_sweep(
    session: Session, now: datetime, behind: timedelta = timedelta(0)
) -> datetime | None:
    """Return when a deadline has been due for `behind`, or a claim lapses; None where none runs."""
    free, lapse = _NEXT.rows(session, {"now": now})[0]
    return min((at for at in (free and free + behind, lapse) if at is not None), default=None)
