"""Who reads the feed under a name: up to where, who delivers for it now, and what is held back from it."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from dispute_fsm.errors import ConflictError
from dispute_fsm.store.event_log import BEGINNING, FeedPosition
from dispute_fsm.store.schema import POSTGRESQL, SQLITE, consumers, parked
from dispute_fsm.store.session import Session
from dispute_fsm.store.statement import Statement

_NAMED = consumers.c.name == bindparam("consumer")
_MINE = (_NAMED, consumers.c.owner == bindparam("mine"))
_HELD = (
    parked.c.consumer == bindparam("of_consumer"),
    parked.c.dispute_id == bindparam("of_dispute"),
)
_ADD = {
    dialect: Statement(
        into(consumers)
        .values({name: bindparam(name) for name in ("name", "xid", "position")})
        .on_conflict_do_nothing()
    )
    for dialect, into in ((POSTGRESQL, insert_postgresql), (SQLITE, insert_sqlite))
}
_TAKE = Statement(
    update(consumers)
    .where(
        _NAMED,
        or_(
            consumers.c.owner.is_(None),
            consumers.c.leased_until <= bindparam("now", type_=consumers.c.leased_until.type),
        ),
    )
    .values(owner=bindparam("mine"), leased_until=bindparam("until"))
    .returning(consumers.c.xid, consumers.c.position)
)
_ADVANCE = Statement(
    update(consumers)
    .where(*_MINE)
    .values(
        xid=bindparam("to_xid"), position=bindparam("to_position"), leased_until=bindparam("until")
    )
    .returning(consumers.c.name)
)
_GIVE_BACK = Statement(update(consumers).where(*_MINE).values(owner=None, leased_until=None))
_PLACE = Statement(select(consumers.c.xid, consumers.c.position).where(_NAMED))
_PARK = Statement(
    insert(parked).values(
        {name: bindparam(name) for name in ("consumer", "dispute_id", "seq", "parked_at", "error")}
    )
)
_LET_GO = Statement(delete(parked).where(*_HELD))
_PARKED = Statement(
    select(parked.c.dispute_id, parked.c.seq, parked.c.parked_at, parked.c.error)
    .where(parked.c.consumer == bindparam("consumer"))
    .order_by(parked.c.parked_at, parked.c.dispute_id)
)


@dataclass(frozen=True, slots=True)
class Parked:
    """A dispute that is held back from a consumer: from which event on, since when, and what went wrong with that one."""

    dispute_id: str
    seq: int
    parked_at: datetime
    error: str


def take(
    session: Session, name: str, owner: str, now: datetime, lease: timedelta
) -> FeedPosition | None:
    """Begin to deliver for a consumer, which is made where there is none; returns its place. None: somebody else is delivering."""
    _ADD[session.dialect.name].run(session, {"name": name, **BEGINNING._asdict()})
    row = _TAKE.row(session, {"consumer": name, "mine": owner, "now": now, "until": now + lease})
    return None if row is None else FeedPosition(*row)


def advance(session: Session, name: str, owner: str, to: FeedPosition, until: datetime) -> None:
    """Keep how far a consumer has come. Raises `ConflictError` where somebody else delivers for it by now."""
    moved = {
        "consumer": name,
        "mine": owner,
        "to_xid": to.xid,
        "to_position": to.position,
        "until": until,
    }
    if _ADVANCE.row(session, moved) is None:
        raise ConflictError(
            f"the lease of consumer {name} has lapsed, and somebody else delivers for it: what "
            "was delivered may come again"
        )


def give_back(session: Session, name: str, owner: str) -> None:
    """Let others deliver for the consumer."""
    _GIVE_BACK.run(session, {"consumer": name, "mine": owner})


def place(session: Session, name: str) -> FeedPosition | None:
    """Return how far a consumer has come; None where there is none of this name."""
    row = _PLACE.row(session, {"consumer": name})
    return None if row is None else FeedPosition(*row)


def park(session: Session, name: str, held: Parked) -> None:
    """Hold a dispute back from a consumer, from this event on; where it is held already, from this one on instead."""
    let_go(session, name, held.dispute_id)
    _PARK.run(session, {"consumer": name, **asdict(held)})


def let_go(session: Session, name: str, dispute_id: str) -> None:
    """Hold a dispute back no longer."""
    _LET_GO.run(session, {"of_consumer": name, "of_dispute": dispute_id})


def parked_of(session: Session, name: str) -> dict[str, Parked]:
    """Return the disputes that are held back from a consumer, by id, the longest held first."""
    return {row.dispute_id: Parked(*row) for row in _PARKED.rows(session, {"consumer": name})}
