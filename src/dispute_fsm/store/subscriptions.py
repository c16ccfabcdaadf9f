"""The named consumers of the feed: their positions, their leases, and the disputes held back."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from dispute_fsm.errors import ConflictError
from dispute_fsm.store.event_log import BEGINNING, FeedPosition
from dispute_fsm.store.schema import consumers, parked
from dispute_fsm.store.session import Session, Statement, bind

_NAMED = consumers.c.name == bindparam("consumer")
_MINE = (_NAMED, consumers.c.owner == bindparam("mine"))
_LAPSED = consumers.c.leased_until <= bindparam("now", type_=consumers.c.leased_until.type)
_NEW = bind("name", "xid", "position")
_ADD = Statement(
    insert_sqlite(consumers).values(_NEW).on_conflict_do_nothing(),
    postgresql=insert_postgresql(consumers).values(_NEW).on_conflict_do_nothing(),
)
_ACQUIRE = Statement(
    update(consumers)
    .where(_NAMED, or_(consumers.c.owner.is_(None), _LAPSED))
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
_RELEASE = Statement(update(consumers).where(*_MINE).values(owner=None, leased_until=None))
_POSITION = Statement(select(consumers.c.xid, consumers.c.position).where(_NAMED))
_PARK = Statement(insert(parked))
_UNPARK = Statement(
    delete(parked).where(
        parked.c.consumer == bindparam("of_consumer"),
        parked.c.dispute_id == bindparam("of_dispute"),
    )
)
_PARKED = Statement(
    select(parked.c.dispute_id, parked.c.seq, parked.c.parked_at, parked.c.error)
    .where(parked.c.consumer == bindparam("consumer"))
    .order_by(parked.c.parked_at, parked.c.dispute_id)
)


@dataclass(frozen=True, slots=True)
class Parked:
    """A dispute that is held back from a consumer.

    `seq` is the first event that is held back, `error` what the consumer raised for it.
    """

    dispute_id: str
    seq: int
    parked_at: datetime
    error: str


def acquire(
    session: Session, name: str, owner: str, now: datetime, lease: timedelta
) -> FeedPosition | None:
    """Lease a consumer, which is made if necessary; return its position.

    None: another process has the lease.
    """
    _ADD.run(session, {"name": name, **BEGINNING._asdict()})
    row = _ACQUIRE.row(session, {"consumer": name, "mine": owner, "now": now, "until": now + lease})
    return None if row is None else FeedPosition(*row)


def advance(session: Session, name: str, owner: str, to: FeedPosition, until: datetime) -> None:
    """Write a consumer's position. Raises `ConflictError` where another process has the lease."""
    values = {
        "consumer": name,
        "mine": owner,
        "to_xid": to.xid,
        "to_position": to.position,
        "until": until,
    }
    if _ADVANCE.row(session, values) is None:
        raise ConflictError(
            f"the lease of consumer {name} has lapsed, and another process delivers for it: what "
            "was delivered may come again"
        )


def release(session: Session, name: str, owner: str) -> None:
    """Give up the lease of a consumer."""
    _RELEASE.run(session, {"consumer": name, "mine": owner})


def position_of(session: Session, name: str) -> FeedPosition | None:
    """Return a consumer's position; None where there is no such consumer."""
    row = _POSITION.row(session, {"consumer": name})
    return None if row is None else FeedPosition(*row)


def park(session: Session, name: str, dispute: Parked) -> None:
    """Hold a dispute back from a consumer; if it is held back already, from this event on."""
    unpark(session, name, dispute.dispute_id)
    _PARK.run(session, {"consumer": name, **asdict(dispute)})


def unpark(session: Session, name: str, dispute_id: str) -> None:
    """Hold a dispute back no longer."""
    _UNPARK.run(session, {"of_consumer": name, "of_dispute": dispute_id})


def parked_disputes(session: Session, name: str) -> dict[str, Parked]:
    """Return the disputes that are held back from a consumer, by id, the longest held first."""
    return {row.dispute_id: Parked(*row) for row in _PARKED.rows(session, {"consumer": name})}
