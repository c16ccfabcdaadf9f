"""The integrity check of a database: hashes, transitions, and whether the projection is right."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from pydantic import ValidationError
from sqlalchemy import bindparam, exists, func, select

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import verify
from dispute_fsm.domain.events import GENESIS
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.errors import ImpossibleEventError, InputError, IntegrityError
from dispute_fsm.store.deadlines import running_deadlines
from dispute_fsm.store.event_log import EventRow, count_ahead, event_of, record_of
from dispute_fsm.store.projection import columns
from dispute_fsm.store.repository import Store
from dispute_fsm.store.schema import deadlines, disputes, events, keys, private_values
from dispute_fsm.store.session import Session, Statement

_PAGE = 200
_DISPUTES = Statement(
    select(disputes)
    .where(disputes.c.dispute_id > bindparam("last"))
    .order_by(disputes.c.dispute_id)
    .limit(_PAGE)
)
_TABLES = (events, private_values, deadlines, keys)
_BETWEEN: Mapping[str, Statement] = {
    table.name: Statement(
        select(table).where(table.c.dispute_id.between(bindparam("first"), bindparam("last")))
    )
    for table in _TABLES
}
_ORPHANED: Mapping[str, Statement] = {
    table.name: Statement(
        select(table.c.dispute_id, func.count().label("number"))
        .where(~exists().where(disputes.c.dispute_id == table.c.dispute_id))
        .group_by(table.c.dispute_id)
        .order_by(table.c.dispute_id)
    )
    for table in _TABLES
}


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is invalid. `dispute_id` and `seq` are None where it concerns none."""

    dispute_id: str | None
    seq: int | None
    message: str


@dataclass(slots=True)
class CheckCounts:
    """How much was checked."""

    disputes: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True)
class _Stored:
    """All that is stored of one dispute."""

    row: Mapping[str, Any]
    events: list[Any]
    private: Mapping[int, str]
    deadlines: Mapping[str, str]
    keys: Mapping[str, int]


def check(store: Store, checked: CheckCounts) -> Iterator[Damage]:
    """Return all damage, as the database is at one moment; count in `checked`."""
    with store.pool.snapshot() as session:
        for stored in _read_all(session):
            checked.disputes += 1
            checked.events += len(stored.events)
            yield from _check_dispute(store, session, stored)
        for table, orphaned in _ORPHANED.items():
            for row in orphaned.rows(session):
                message = f"{table} has {row.number} orphaned rows: the dispute does not exist"
                yield Damage(row.dispute_id, None, message)
        if number := count_ahead(session):
            message = (
                f"{number} events carry transaction numbers of another database cluster: the feed "
                "will not show them for long"
            )
            yield Damage(None, None, message)


def _read_all(session: Session) -> Iterator[_Stored]:
    """Read the disputes, page by page."""
    last = ""
    while page := _DISPUTES.rows(session, {"last": last}):
        first, last = page[0].dispute_id, page[-1].dispute_id
        tables: dict[str, dict[str, list[Any]]] = {}
        for name, between in _BETWEEN.items():
            tables[name] = defaultdict(list)
            for row in between.rows(session, {"first": first, "last": last}):
                tables[name][row.dispute_id].append(row)
        for dispute in page:
            mine = {name: rows[dispute.dispute_id] for name, rows in tables.items()}
            yield _Stored(
                dispute._asdict(),
                sorted(mine[events.name], key=attrgetter("seq")),
                {row.seq: row.body for row in mine[private_values.name]},
                {row.deadline: format_instant(row.due_at) for row in mine[deadlines.name]},
                {row.key: row.seq for row in mine[keys.name]},
            )


def _check_dispute(store: Store, session: Session, stored: _Stored) -> Iterator[Damage]:
    dispute_id: str = stored.row["dispute_id"]
    folded = _fold(store, session, stored)
    if isinstance(folded, Damage):
        yield folded
        return
    expected = columns(folded)
    outdated = stored.row["snapshot_version"] != expected["snapshot_version"]
    for name, value in expected.items():
        if outdated and name.startswith("snapshot"):  # of an earlier package: valid, but not read
            continue
        if stored.row[name] != value:
            message = f"the projection says {name} {stored.row[name]}, the events say {value}"
            yield Damage(dispute_id, None, message)
    used = {key: event.seq for key, event in folded.keys.items()}
    due = {name: format_instant(at) for name, at in running_deadlines(folded).items()}
    for what, actual, right in (
        ("running deadlines", stored.deadlines, due),
        ("used keys", stored.keys, used),
    ):
        if actual != right:
            message = f"the {what} are {dict(actual)}, the events say {right}"
            yield Damage(dispute_id, None, message)
    if orphaned := sorted(stored.private.keys() - {row.seq for row in stored.events}):
        yield Damage(dispute_id, orphaned[0], "orphaned personal values: the event does not exist")


def _fold(store: Store, session: Session, stored: _Stored) -> Dispute | Damage:
    """Check and fold a dispute's events."""
    dispute_id: str = stored.row["dispute_id"]
    dispute: Dispute | None = None
    for number, row in enumerate(stored.events, 1):
        if row.seq != number:
            return Damage(dispute_id, number, f"event {number} is missing")
        event = EventRow(dispute_id, number, row.hashed, row.hash, stored.private.get(number))
        try:
            dispute = _follow(store, session, dispute, event)
        except (IntegrityError, ImpossibleEventError, InputError) as error:
            return Damage(dispute_id, number, str(error))
        except ValidationError as error:
            return Damage(dispute_id, number, error.errors(include_url=False)[0]["msg"])
    return dispute or Damage(dispute_id, None, "the dispute has no events")


def _follow(store: Store, session: Session, dispute: Dispute | None, row: EventRow) -> Dispute:
    record = record_of(row)
    if (record.get("dispute_id"), record.get("seq")) != (row.dispute_id, row.seq):
        raise IntegrityError("the row contains another event", "seq")
    verify(record, GENESIS if dispute is None else dispute.last_hash, row.hashed)
    event = event_of(row)
    if dispute is None:
        return begin(event, store.policy(session, event.policy))
    return evolve(dispute, event)
