"""Disputes by order, merchant, state and due instant, page by page, without loading any.

A page begins after the last dispute of the page before, by its opening instant and its id, which
never change, not after a number of rows: so what is opened or closed meanwhile moves nothing. Each
query has its index.
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
from dispute_fsm.store.session import Session, Statement

T = TypeVar("T")

MAX_PAGE = 100_000
"""The most items that a page may have."""

DisputeQuery = Query | CompoundSelect[*tuple[Any, ...]]
"""A query by one path, or by several, merged."""


class DisputeSnapshot(Strict):
    """A dispute at one moment, for a host's own tables; without personal values.

    `snapshot` rises where members change; `revision` is higher in the newer of two. `path` is the
    dotted path to the leaf; in parallel regions one for each, with a comma between. `liability` is
    that of the region that has failed. `policy` is the digest of the dispute's policy.
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
    """A running deadline: its dispute, the revision of that, its name, and when it is due."""

    dispute_id: Identifier
    revision: int
    deadline: Named[Deadline]
    due_at: DueInstant


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of the result; `cursor` leads to the next one, None where this is the last."""

    items: tuple[T, ...]
    cursor: str | None


# ---- queries -------------------------------------------------------------------------------------

_SHOWN = [disputes.c[name] for name in DisputeSnapshot.model_fields if name != "snapshot"]
_ONE = Statement(select(*_SHOWN).where(disputes.c.dispute_id == bindparam("dispute_id")))
_OLDEST_FIRST = (disputes.c.opened_at, disputes.c.dispute_id)
_BY_DUE = (deadlines.c.due_at, deadlines.c.dispute_id, deadlines.c.deadline)
_AFTER = (
    bindparam("after_at", type_=UtcInstant),
    bindparam("after_id", type_=Text),
    bindparam("after_name", type_=Text),
)
_LIMIT = bindparam("limit", type_=Integer)

DUE = (
    select(*_BY_DUE, disputes.c.revision)
    .join(disputes, disputes.c.dispute_id == deadlines.c.dispute_id)
    .where(
        deadlines.c.due_at < bindparam("instant", type_=UtcInstant),
        tuple_(*_BY_DUE) > tuple_(*_AFTER),
    )
    .order_by(*_BY_DUE)
    .limit(_LIMIT)
)
"""The query by due instant."""

_DUE = Statement(DUE)


def dispute_query(*columns: str, paths: int = 0) -> DisputeQuery:
    """Return the query by these columns of a dispute, and by so many paths.

    The disputes of each path come by index, oldest first, and are merged, so that no more is read
    than is shown.
    """
    conditions: list[ColumnElement[bool]] = [
        disputes.c[name] == bindparam(name) for name in columns
    ]
    query = select(*_SHOWN).where(*conditions, tuple_(*_OLDEST_FIRST) > tuple_(*_AFTER[:2]))
    by_path = [
        query.where(disputes.c.path == bindparam(f"path_{number}")) for number in range(paths)
    ]
    if len(by_path) <= 1:
        return (by_path or [query])[0].order_by(*_OLDEST_FIRST).limit(_LIMIT)
    merged = union_all(*by_path)
    return merged.order_by(
        *(merged.selected_columns[column.name] for column in _OLDEST_FIRST)
    ).limit(_LIMIT)


@cache
def _statement(*columns: str, paths: int) -> Statement:
    return Statement(dispute_query(*columns, paths=paths))


def paths_in(state: StateName) -> tuple[str, ...]:
    """Return every path of every rule version that is in this state."""
    paths = {path for version in VERSIONS.values() for path in version.table.configurations}
    return tuple(sorted(path for path in paths if state.value in re.split("[.,]", path)))


def find_disputes(
    session: Session,
    ids: Mapping[str, str],
    state: StateName | None,
    cursor: str | None,
    limit: int,
) -> Page[DisputeSnapshot]:
    """Return a page of the disputes with these ids, in a state or in any, the oldest first.

    The state is a leaf, also one of several regions, or a state around leaves. Raises `InputError`
    for an invalid cursor or limit.
    """
    paths = () if state is None else paths_in(state)
    # Nothing has such an id, or is in such a state.
    if not all(map(is_identifier, ids.values())) or (state is not None and not paths):
        return Page((), None)
    values = {
        **ids,
        **{f"path_{number}": path for number, path in enumerate(paths)},
        **_after(cursor, ("after_at", "after_id")),
        "limit": page_of(limit),
    }
    items = tuple(map(_snapshot, _statement(*ids, paths=len(paths)).rows(session, values)))
    full = len(items) == limit
    return Page(items, _cursor(items[-1].opened_at, items[-1].dispute_id) if full else None)


def due_before(session: Session, instant: datetime, cursor: str | None, limit: int) -> Page[Due]:
    """Return a page of the deadlines that are due before an instant, the first due first.

    Raises `InputError` for an instant without an offset, an invalid cursor or limit.
    """
    try:
        before = _INSTANT.validate_python(instant)
    except ValidationError as error:
        raise InputError(
            error.errors()[0]["msg"].removeprefix("Value error, "), field="instant"
        ) from None
    values = {
        "instant": before,
        **_after(cursor, ("after_at", "after_id", "after_name")),
        "limit": page_of(limit),
    }
    items = tuple(Due.model_validate(row._asdict()) for row in _DUE.rows(session, values))
    if len(items) < limit:
        return Page(items, None)
    last = items[-1]
    return Page(items, _cursor(last.due_at, last.dispute_id, last.deadline.value))


def snapshot_of_dispute(session: Session, dispute_id: str) -> DisputeSnapshot | None:
    """Return a dispute's snapshot; None where there is no such dispute."""
    if not is_identifier(dispute_id):
        return None
    row = _ONE.row(session, {"dispute_id": dispute_id})
    return None if row is None else _snapshot(row)


def _snapshot(row: Any) -> DisputeSnapshot:  # noqa: ANN401 -- a row
    return DisputeSnapshot.model_validate(row._asdict())


def page_of(limit: int) -> int:
    """Return the limit of a page. Raises `InputError` where it is below one, or too high."""
    if not 1 <= limit <= MAX_PAGE:
        raise InputError(f"a page has 1 to {MAX_PAGE:,} items, not {limit}", field="limit")
    return limit


# ---- cursors -------------------------------------------------------------------------------------

_FIRST: Mapping[str, Any] = {
    "after_at": parse_instant("1971-01-01T00:00:00Z"),
    "after_id": "",
    "after_name": "",
}
_INSTANT = TypeAdapter[datetime](DueInstant)
_NAME = TypeAdapter[str](Identifier, config=ConfigDict(strict=True))


def _cursor(at: datetime, *names: str) -> str:
    return to_json([format_instant(at), *names]).hex()


def _after(cursor: str | None, names: tuple[str, ...]) -> dict[str, Any]:
    """Read a cursor. Raises `InputError` for a text that no query returned."""
    if cursor is None:
        return {name: _FIRST[name] for name in names}
    try:
        at, *others = from_json(bytes.fromhex(cursor))
        values = [_INSTANT.validate_python(at), *map(_NAME.validate_python, others)]
        return dict(zip(names, values, strict=True))
    except (ValueError, TypeError):
        raise InputError(
            f"{cursor:.40} is not a cursor of this query; use one that it returned", field="cursor"
        ) from None
