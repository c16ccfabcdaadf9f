"""Disputes by order, merchant, state and due instant, page by page, without loading any.

A page begins behind the last dispute of the one before (by when it opened and its id, which never
change), not at a number of rows: what is opened or closed meanwhile moves nothing. Each query has
its index.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Generic, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Text,
    bindparam,
    select,
    tuple_,
    union_all,
)

from dispute_fsm.domain.enums import Deadline, Option, Outcome, StateName
from dispute_fsm.domain.scalars import (
    DueInstant,
    Identifier,
    Instant,
    Named,
    Strict,
    format_instant,
    is_identifier,
    parse_instant,
)
from dispute_fsm.errors import InputError
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.store.schema import Query, UtcInstant, deadlines, disputes
from dispute_fsm.store.session import Session
from dispute_fsm.store.statement import Statement

T = TypeVar("T")

MOST = 100_000
"""The most that a page may hold."""

Found = Query | CompoundSelect[*tuple[Any, ...]]
"""A query of one place, or of several, merged."""

_SHOWN = (
    disputes.c.dispute_id,
    disputes.c.order_id,
    disputes.c.merchant_id,
    disputes.c.consumer_id,
    disputes.c.rules,
    disputes.c.policy,
    disputes.c.opened_at,
    disputes.c.path,
    disputes.c.state,
    disputes.c.closed,
    disputes.c.option,
    disputes.c.outcome,
    disputes.c.liability,
    disputes.c.revision,
    disputes.c.seq,
    disputes.c.last_at,
    disputes.c.last_hash,
)
_ONE = Statement(select(*_SHOWN).where(disputes.c.dispute_id == bindparam("dispute_id")))
_OLDEST_FIRST = (disputes.c.opened_at, disputes.c.dispute_id)
_BY_DUE = (deadlines.c.due_at, deadlines.c.dispute_id, deadlines.c.deadline)
_LEAST: Mapping[str, Any] = {
    "after_at": parse_instant("1971-01-01T00:00:00Z"),
    "after_id": "",
    "after_name": "",
}


_INSTANT = TypeAdapter[datetime](DueInstant)
_NAME = TypeAdapter[str](Identifier, config=ConfigDict(strict=True))


class DisputeSnapshot(Strict):
    """How a dispute stands, for a host's own tables. `snapshot` rises where members change; `revision` tells which of two is newer.

    `path` is the dotted way to the leaf, one for each region with a comma between, where regions
    run side by side; `liability` is that of the region that has failed. `policy` is the digest of
    the one that the dispute keeps. There is nothing personal in it.
    """

    snapshot: Literal[1] = 1
    dispute_id: Identifier
    order_id: Identifier
    merchant_id: Identifier
    consumer_id: Identifier
    rules: Identifier
    policy: str
    opened_at: Instant
    path: str
    state: Named[StateName]
    closed: bool
    option: Named[Option] | None
    outcome: Named[Outcome] | None
    liability: Named[Outcome] | None
    revision: int
    seq: int
    last_at: Instant
    last_hash: str


class Due(Strict):
    """A deadline that runs: whose, which, until when."""

    dispute_id: Identifier
    deadline: Named[Deadline]
    due_at: DueInstant


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of what was found; `cursor` leads to the next one, None where this is the last."""

    found: tuple[T, ...]
    cursor: str | None


def by_order(
    session: Session, order_id: str, cursor: str | None, limit: int
) -> Page[DisputeSnapshot]:
    """Find the disputes about an order, the oldest first."""
    return _disputes(session, {"order_id": order_id}, cursor, limit)


def by_merchant(
    session: Session, merchant_id: str, state: StateName | None, cursor: str | None, limit: int
) -> Page[DisputeSnapshot]:
    """Find the disputes against a merchant, the oldest first, in any state or in one."""
    return _disputes(session, {"merchant_id": merchant_id}, cursor, limit, state)


def by_state(
    session: Session, state: StateName, cursor: str | None, limit: int
) -> Page[DisputeSnapshot]:
    """Find the disputes in a state, the oldest first: a leaf, also one of several regions, or a state around leaves."""
    return _disputes(session, {}, cursor, limit, state)


def due_before(session: Session, instant: datetime, cursor: str | None, limit: int) -> Page[Due]:
    """Find the deadlines that are due before an instant, the first due first. Raises `InputError` for one without an offset."""
    try:
        before = _INSTANT.validate_python(instant)
    except ValidationError as error:
        raise InputError(
            error.errors()[0]["msg"].removeprefix("Value error, "), field="instant"
        ) from None
    values = {
        "instant": before,
        **_behind(cursor, ("after_at", "after_id", "after_name")),
        "limit": page_of(limit),
    }
    found = tuple(Due.model_validate(row._asdict()) for row in _due().rows(session, values))
    return Page(
        found,
        None
        if len(found) < limit
        else _cursor(found[-1].due_at, found[-1].dispute_id, found[-1].deadline.value),
    )


def snapshot_of_dispute(session: Session, dispute_id: str) -> DisputeSnapshot | None:
    """Return how a dispute stands; None where there is none."""
    if not is_identifier(dispute_id):
        return None
    row = _ONE.row(session, {"dispute_id": dispute_id})
    return None if row is None else _snapshot(row)


def page_of(limit: int) -> int:
    """Return how many a page may hold. Raises `InputError` where that is none, or too many."""
    if not 1 <= limit <= MOST:
        raise InputError(f"a page holds 1 to {MOST:,}, not {limit}", field="limit")
    return limit


def paths_of(state: StateName) -> tuple[str, ...]:
    """Return every place of every rule version that is in this state."""
    paths = {path for version in VERSIONS.values() for path in version.table.configurations}
    return tuple(sorted(path for path in paths if state.value in re.split("[.,]", path)))


def statement(*columns: str, paths: int = 0) -> Found:
    """Return the query by these columns of a dispute and, where there are `paths`, by so many places.

    What is found in each place comes by index, oldest first, and is merged, so that no more is read
    than is shown.
    """
    asked: list[ColumnElement[bool]] = [disputes.c[name] == bindparam(name) for name in columns]
    behind = tuple_(*_OLDEST_FIRST) > tuple_(
        bindparam("after_at", type_=UtcInstant), bindparam("after_id", type_=Text)
    )
    limit = bindparam("limit", type_=Integer)
    all_of_them = select(*_SHOWN).where(*asked, behind)
    if paths <= 1:
        place = [disputes.c.path == bindparam("path_0")] * paths
        return all_of_them.where(*place).order_by(*_OLDEST_FIRST).limit(limit)
    places = [
        all_of_them.where(disputes.c.path == bindparam(f"path_{number}")) for number in range(paths)
    ]
    merged = union_all(*places)
    return merged.order_by(
        *(merged.selected_columns[column.name] for column in _OLDEST_FIRST)
    ).limit(limit)


def due_statement() -> Query:
    """Return the query by due instant."""
    behind = tuple_(*_BY_DUE) > tuple_(
        bindparam("after_at", type_=UtcInstant),
        bindparam("after_id", type_=Text),
        bindparam("after_name", type_=Text),
    )
    asked = deadlines.c.due_at < bindparam("instant", type_=UtcInstant)
    return (
        select(deadlines.c.dispute_id, deadlines.c.deadline, deadlines.c.due_at)
        .where(asked, behind)
        .order_by(*_BY_DUE)
        .limit(bindparam("limit", type_=Integer))
    )


def _disputes(
    session: Session,
    asked: Mapping[str, str],
    cursor: str | None,
    limit: int,
    state: StateName | None = None,
) -> Page[DisputeSnapshot]:
    paths = () if state is None else paths_of(state)
    if not all(map(is_identifier, asked.values())) or (
        state is not None and not paths
    ):  # nothing has such an id, nor such a state
        return Page((), None)
    places = {f"path_{number}": path for number, path in enumerate(paths)}
    values = {
        **asked,
        **places,
        **_behind(cursor, ("after_at", "after_id")),
        "limit": page_of(limit),
    }
    found = tuple(map(_snapshot, _by(*asked, paths=len(paths)).rows(session, values)))
    return Page(
        found, None if len(found) < limit else _cursor(found[-1].opened_at, found[-1].dispute_id)
    )


@cache
def _by(*columns: str, paths: int) -> Statement:
    return Statement(statement(*columns, paths=paths))


@cache
def _due() -> Statement:
    return Statement(due_statement())


def _snapshot(row: Any) -> DisputeSnapshot:  # noqa: ANN401 -- a row
    return DisputeSnapshot.model_validate(row._asdict())


def _cursor(at: datetime, *names: str) -> str:
    return to_json([format_instant(at), *names]).hex()


def _behind(cursor: str | None, names: tuple[str, ...]) -> dict[str, Any]:
    """Read a cursor. Raises `InputError` for a text that no query gave."""
    if cursor is None:
        return {name: _LEAST[name] for name in names}
    try:
        at, *others = from_json(bytes.fromhex(cursor))
        values = [_INSTANT.validate_python(at), *map(_NAME.validate_python, others)]
        return dict(zip(names, values, strict=True))
    except (ValueError, TypeError):
        raise InputError(
            f"{cursor:.40} is no cursor of this query; give one that it gave", field="cursor"
        ) from None
