"""Checking a database: every hash, every transition, and whether all else is what the events come to."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Table, and_, bindparam, exists, func, select

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import verify
from dispute_fsm.domain.events import GENESIS
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.errors import ImpossibleEventError, InputError, IntegrityError
from dispute_fsm.store.event_log import ahead
from dispute_fsm.store.records import EventRow, event_of, opened_as, record_of, running, stands
from dispute_fsm.store.repository import Store
from dispute_fsm.store.schema import deadlines, disputes, events, keys, private_values
from dispute_fsm.store.session import Session
from dispute_fsm.store.statement import Statement

_PAGE = 200
_NEXT_PAGE = (
    select(disputes)
    .where(disputes.c.dispute_id > bindparam("last"))
    .order_by(disputes.c.dispute_id)
    .limit(_PAGE)
)
_DISPUTES = Statement(_NEXT_PAGE)
_OF_PAGE: Mapping[str, Statement] = {
    table.name: Statement(
        select(table).where(table.c.dispute_id.between(bindparam("first"), bindparam("last")))
    )
    for table in (events, private_values, deadlines, keys)
}


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it has to be. `dispute_id` and `seq` are None where it concerns none."""

    dispute_id: str | None
    seq: int | None
    message: str


@dataclass(slots=True)
class CheckCounts:
    """How much was looked at."""

    disputes: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True)
class _Kept:
    """All that is kept of one dispute."""

    row: Mapping[str, Any]
    events: list[Any]
    private: Mapping[int, str]
    deadlines: Mapping[str, str]
    keys: Mapping[str, int]


def check(store: Store, checked: CheckCounts) -> Iterator[Damage]:
    """Go through all that is damaged, as it stands at one moment; counts in `checked` what was looked at."""
    with store.pool.snapshot() as session:
        for kept in _all(session):
            checked.disputes += 1
            checked.events += len(kept.events)
            yield from _dispute(store, session, kept)
        yield from _astray(session)
        if number := ahead(session):
            message = (
                f"{number} events carry transaction numbers of another database cluster: the feed "
                "will not show them for long"
            )
            yield Damage(None, None, message)


def _all(session: Session) -> Iterator[_Kept]:
    """Go through the disputes, a page at a time."""
    last = ""
    while True:
        page = _DISPUTES.rows(session, {"last": last})
        if not page:
            return
        between = {"first": page[0].dispute_id, "last": page[-1].dispute_id}
        found: dict[str, dict[str, list[Any]]] = {}
        for name, of_page in _OF_PAGE.items():
            found[name] = defaultdict(list)
            for row in of_page.rows(session, between):
                found[name][row.dispute_id].append(row)
        for row in page:
            dispute_id: str = row.dispute_id
            yield _Kept(
                row._asdict(),
                sorted(found[events.name][dispute_id], key=attrgetter("seq")),
                {one.seq: one.body for one in found[private_values.name][dispute_id]},
                {
                    one.deadline: format_instant(one.due_at)
                    for one in found[deadlines.name][dispute_id]
                },
                {one.key: one.seq for one in found[keys.name][dispute_id]},
            )
        last = between["last"]


def _dispute(store: Store, session: Session, kept: _Kept) -> Iterator[Damage]:
    dispute_id: str = kept.row["dispute_id"]
    folded = _folded(store, session, kept)
    if isinstance(folded, Damage):
        yield folded
        return
    expected = {**opened_as(folded), **stands(folded)}
    if (
        kept.row["snapshot_version"] != expected["snapshot_version"]
    ):  # of an earlier version of this package: not read, no fault
        expected = {
            name: value for name, value in expected.items() if not name.startswith("snapshot")
        }
    for name, value in expected.items():
        if kept.row[name] != value:
            yield Damage(
                dispute_id,
                None,
                f"the projection says {name} {kept.row[name]}, the events say {value}",
            )
    used = {key: event.seq for key, event in folded.keys.items()}
    due = {name: format_instant(at) for name, at in running(folded).items()}
    for what, found, right in (
        ("deadlines that run", kept.deadlines, due),
        ("keys that were used up", kept.keys, used),
    ):
        if found != right:
            yield Damage(dispute_id, None, f"the {what} are {dict(found)}, the events say {right}")
    if stray := sorted(kept.private.keys() - {row.seq for row in kept.events}):
        yield Damage(
            dispute_id, stray[0], "there are personal values of an event that is not there"
        )


def _folded(store: Store, session: Session, kept: _Kept) -> Dispute | Damage:
    """Check and fold a dispute's events."""
    dispute_id: str = kept.row["dispute_id"]
    dispute: Dispute | None = None
    for number, row in enumerate(kept.events, 1):
        seq: int = row.seq
        if seq != number:
            return Damage(dispute_id, number, f"event {number} is missing")
        try:
            dispute = _followed(
                store,
                session,
                dispute,
                EventRow(dispute_id, seq, row.hashed, row.hash, kept.private.get(seq)),
            )
        except (IntegrityError, ImpossibleEventError, InputError) as fault:
            return Damage(dispute_id, seq, str(fault))
        except ValidationError as fault:
            return Damage(dispute_id, seq, fault.errors(include_url=False)[0]["msg"])
    return (
        Damage(dispute_id, None, "there is a dispute without an event")
        if dispute is None
        else dispute
    )


def _followed(store: Store, session: Session, dispute: Dispute | None, row: EventRow) -> Dispute:
    record = record_of(row)
    if (record.get("dispute_id"), record.get("seq")) != (row.dispute_id, row.seq):
        raise IntegrityError("the event stands in the place of another one", "seq")
    verify(record, GENESIS if dispute is None else dispute.last_hash, row.hashed)
    event = event_of(row)
    return (
        begin(event, store.policy(session, event.policy))
        if dispute is None
        else evolve(dispute, event)
    )


def _astray(session: Session) -> Iterator[Damage]:
    """Find what belongs to no dispute."""
    for table in (events, private_values, deadlines, keys):
        for row in _without_dispute(table).rows(session):
            yield Damage(
                row.dispute_id,
                None,
                f"{table.name} has {row.number} rows of a dispute that is not there",
            )


def _without_dispute(table: Table) -> Statement:
    there = exists().where(and_(disputes.c.dispute_id == table.c.dispute_id))
    number = func.count().label("number")
    return Statement(
        select(table.c.dispute_id, number)
        .where(~there)
        .group_by(table.c.dispute_id)
        .order_by(table.c.dispute_id)
    )
