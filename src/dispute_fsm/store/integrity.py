"""The integrity check of a database: hashes, transitions, and whether the projection is right."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import bindparam, exists, func, select

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import verify
from dispute_fsm.domain.events import GENESIS
from dispute_fsm.domain.messages import Message
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.errors import ImpossibleEventError, InputError, IntegrityError
from dispute_fsm.store.deadlines import running_deadlines
from dispute_fsm.store.event_log import EventRow, count_ahead, event_of, record_of
from dispute_fsm.store.messages import DAMAGE
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
        select(table)
        .where(table.c.dispute_id.between(bindparam("first"), bindparam("last")))
        .order_by(*table.primary_key)
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
    text: Message

    @property
    def message(self) -> str:
        """What is invalid, in English."""
        return self.text.en


def _damage(dispute_id: str | None, seq: int | None, name: str, /, **values: object) -> Damage:
    text = Message(DAMAGE("zh", name, **values), DAMAGE("en", name, **values))
    return Damage(dispute_id, seq, text)


@dataclass(slots=True)
class CheckCounts:
    """How much was checked."""

    disputes: int = 0
    events: int = 0


_Rows = Mapping[str, list[Any]]
"""The rows of one dispute by table, in order."""


def check(store: Store, checked: CheckCounts) -> Iterator[Damage]:
    """Return all damage, as the database is at one moment; count in `checked`."""
    with store.pool.snapshot() as session:
        for stored, rows in _read_all(session):
            checked.disputes += 1
            checked.events += len(rows[events.name])
            yield from _check_dispute(store, session, stored, rows)
        for table, orphaned in _ORPHANED.items():
            for row in orphaned.rows(session):
                values = {"table": table, "number": row.number}
                yield _damage(row.dispute_id, None, "orphaned_rows", **values)
        if number := count_ahead(session):
            yield _damage(None, None, "ahead", number=number)


def _read_all(session: Session) -> Iterator[tuple[Any, _Rows]]:
    """Read the row of each dispute, page by page, and what else is stored of it."""
    last = ""
    while page := _DISPUTES.rows(session, {"last": last}):
        first, last = page[0].dispute_id, page[-1].dispute_id
        rows: dict[str, dict[str, list[Any]]] = {
            row.dispute_id: {table: [] for table in _BETWEEN} for row in page
        }
        for table, between in _BETWEEN.items():
            for row in between.rows(session, {"first": first, "last": last}):
                if row.dispute_id in rows:  # else it is orphaned
                    rows[row.dispute_id][table].append(row)
        for row in page:
            yield row, rows[row.dispute_id]


def _check_dispute(store: Store, session: Session, stored: Any, rows: _Rows) -> Iterator[Damage]:  # noqa: ANN401 -- a row
    dispute_id: str = stored.dispute_id
    private = {row.seq: row.body for row in rows[private_values.name]}
    folded = _fold(store, session, dispute_id, rows[events.name], private)
    if isinstance(folded, Damage):
        yield folded
        return
    expected = columns(folded)
    outdated = stored.snapshot_version != expected["snapshot_version"]
    for name, value in expected.items():
        if outdated and name.startswith("snapshot"):  # of an earlier package: valid, but not read
            continue
        actual = getattr(stored, name)
        if actual != value:
            values = {"name": name, "actual": actual, "right": value}
            yield _damage(dispute_id, None, "projection", **values)
    for what, actual, right in (
        (
            "deadlines",
            {row.deadline: format_instant(row.due_at) for row in rows[deadlines.name]},
            {name: format_instant(at) for name, at in running_deadlines(folded).items()},
        ),
        (
            "keys",
            {row.key: row.seq for row in rows[keys.name]},
            {key: event.seq for key, event in folded.keys.items()},
        ),
    ):
        if actual != right:
            yield _damage(dispute_id, None, what, actual=actual, right=right)
    if orphaned := sorted(private.keys() - {row.seq for row in rows[events.name]}):
        yield _damage(dispute_id, orphaned[0], "orphaned_values")


def _fold(
    store: Store, session: Session, dispute_id: str, rows: list[Any], private: Mapping[int, str]
) -> Dispute | Damage:
    """Check and fold a dispute's events."""
    dispute: Dispute | None = None
    for number, row in enumerate(rows, 1):
        if row.seq != number:
            return _damage(dispute_id, number, "missing", number=number)
        event = EventRow(dispute_id, number, row.hashed, row.hash, private.get(number))
        try:
            dispute = _follow(store, session, dispute, event)
        except (IntegrityError, ImpossibleEventError, InputError) as error:
            return _damage(dispute_id, number, "invalid", error=error)
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"]
            return _damage(dispute_id, number, "invalid", error=reason)
    return dispute or _damage(dispute_id, None, "no_events")


def _follow(store: Store, session: Session, dispute: Dispute | None, row: EventRow) -> Dispute:
    record = record_of(row)
    if (record.get("dispute_id"), record.get("seq")) != (row.dispute_id, row.seq):
        raise IntegrityError("the row contains another event", "seq")
    verify(record, GENESIS if dispute is None else dispute.last_hash, row.hashed)
    event = event_of(row)
    if dispute is None:
        return begin(event, store.policy(session, event.policy))
    return evolve(dispute, event)
