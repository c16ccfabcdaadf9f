"""Who reads the feed under a name: up to where, who delivers for it now, and what is held back from it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from dispute_fsm.errors import ConflictError
from dispute_fsm.store.feed import BEGINNING, Place
from dispute_fsm.store.schema import POSTGRESQL, consumers, parked

_NAMED = consumers.c.name == bindparam("consumer")
_MINE = (_NAMED, consumers.c.owner == bindparam("mine"))
_HELD = (parked.c.consumer == bindparam("of_consumer"), parked.c.dispute_id == bindparam("of_dispute"))
_TAKE = (
    update(consumers)
    .where(_NAMED, or_(consumers.c.owner.is_(None), consumers.c.leased_until <= bindparam("now", type_=consumers.c.leased_until.type)))
    .values(owner=bindparam("mine"), leased_until=bindparam("until"))
    .returning(consumers.c.xid, consumers.c.position)
)
_ADVANCE = (
    update(consumers).where(*_MINE).values(xid=bindparam("to_xid"), position=bindparam("to_position"), leased_until=bindparam("until"))
)
_GIVE_BACK = update(consumers).where(*_MINE).values(owner=None, leased_until=None)
_PARK = insert(parked).values({name: bindparam(name) for name in ("consumer", "dispute_id", "seq", "parked_at", "error")})
_PARK_AGAIN = update(parked).where(*_HELD).values({name: bindparam(name) for name in ("seq", "parked_at", "error")})
_LET_GO = delete(parked).where(*_HELD)


@dataclass(frozen=True, slots=True)
class Parked:
    """A dispute that is held back from a consumer: from which event on, since when, and what went wrong with that one."""

    dispute_id: str
    seq: int
    parked_at: datetime
    error: str


def take(connection: Connection, name: str, owner: str, now: datetime, lease: timedelta) -> Place | None:
    """Begin to deliver for a consumer, which is made where there is none; returns its place. None: somebody else is delivering."""
    add = (insert_postgresql if connection.dialect.name == POSTGRESQL else insert_sqlite)(consumers)
    connection.execute(add.on_conflict_do_nothing(), {"name": name, **BEGINNING._asdict()})
    row = connection.execute(_TAKE, {"consumer": name, "mine": owner, "now": now, "until": now + lease}).one_or_none()
    return None if row is None else Place(*row)


def advance(connection: Connection, name: str, owner: str, to: Place, until: datetime) -> None:
    """Keep how far a consumer has come. Raises `ConflictError` where somebody else delivers for it by now."""
    moved = {"consumer": name, "mine": owner, "to_xid": to.xid, "to_position": to.position, "until": until}
    if connection.execute(_ADVANCE, moved).rowcount != 1:
        raise ConflictError(
            f"the lease of consumer {name} has lapsed, and somebody else delivers for it: what was delivered may come again"
        )


def give_back(connection: Connection, name: str, owner: str) -> None:
    """Let others deliver for the consumer."""
    connection.execute(_GIVE_BACK, {"consumer": name, "mine": owner})


def place(connection: Connection, name: str) -> Place | None:
    """Return how far a consumer has come; None where there is none of this name."""
    row = connection.execute(select(consumers.c.xid, consumers.c.position).where(_NAMED), {"consumer": name}).one_or_none()
    return None if row is None else Place(*row)


def park(connection: Connection, name: str, held: Parked) -> None:
    """Hold a dispute back from a consumer, from this event on; where it is held already, from this one on instead."""
    members = {"dispute_id": held.dispute_id, "seq": held.seq, "parked_at": held.parked_at, "error": held.error}
    if connection.execute(_PARK_AGAIN, {**members, "of_consumer": name, "of_dispute": held.dispute_id}).rowcount == 0:
        connection.execute(_PARK, {**members, "consumer": name})


def let_go(connection: Connection, name: str, dispute_id: str) -> None:
    """Hold a dispute back no longer."""
    connection.execute(_LET_GO, {"of_consumer": name, "of_dispute": dispute_id})


def parked_of(connection: Connection, name: str) -> dict[str, Parked]:
    """Return the disputes that are held back from a consumer, by id, the longest held first."""
    columns = (parked.c.dispute_id, parked.c.seq, parked.c.parked_at, parked.c.error)
    statement = select(*columns).where(parked.c.consumer == bindparam("consumer")).order_by(parked.c.parked_at, parked.c.dispute_id)
    return {row.dispute_id: Parked(*row) for row in connection.execute(statement, {"consumer": name})}
