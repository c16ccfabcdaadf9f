"""The projection: a dispute as columns and as a snapshot, and the statements to read and write it.

A snapshot is a dispute as one text, so that loading one does not read all its events. What cannot
change is left out: the opening is in the first event, the policy under its digest. Idempotency keys
are looked up one by one. A text of another version, or of another chart, is not read: the dispute
is folded from its events instead.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Optional, cast, get_type_hints

from pydantic import ValidationError, create_model
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    bindparam,
    func,
    literal,
    null,
    select,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.canonical_json import canonical, digest
from dispute_fsm.domain.enums import Deadline
from dispute_fsm.domain.events import AuditEvent, Deadlines, DisputeOpened
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import DueInstant, FrozenMap, Strict
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.store.schema import Query, UtcInstant, disputes, events, keys, private_values
from dispute_fsm.store.session import Statement, bind

# ---- snapshots -----------------------------------------------------------------------------------

_MEANING = 1
"""Rises where a member of a dispute comes to mean something else under the same name."""

_LEFT_OUT = {"opening", "policy", "keys"}
_WRITTEN_AS: Mapping[Any, Any] = {
    datetime: DueInstant,
    datetime | None: Optional[DueInstant],  # noqa: UP045 -- an annotated type has no `|` for type checkers
    Mapping[Deadline, datetime]: Deadlines,
}
_HINTS: dict[str, Any] = get_type_hints(Dispute)
_MEMBERS = {
    field.name: _HINTS[field.name] for field in fields(Dispute) if field.name not in _LEFT_OUT
}
_members_of = attrgetter(*_MEMBERS)
_Snapshot: type[Strict] = cast("Any", create_model)(
    "_Snapshot",
    __base__=Strict,
    **{name: (_WRITTEN_AS.get(hint, hint), ...) for name, hint in _MEMBERS.items()},
)
_SHAPE = digest({name: str(hint) for name, hint in sorted(_MEMBERS.items())})[:16]


def snapshot_version(rules: str) -> str:
    """Return the version of a snapshot under these rules: its meaning, its members, and the chart.

    Raises `InputError` for an unknown rule version.
    """
    return f"{_MEANING}.{_SHAPE}.{rule_version(rules).table.digest[:16]}"


def write_snapshot(dispute: Dispute) -> str:
    """Write a dispute's snapshot; the same dispute always gives the same text."""
    return canonical(dict(zip(_MEMBERS, _members_of(dispute), strict=True))).decode()


def read_snapshot(
    text: str, opening: DisputeOpened, policy: Policy, used: Mapping[str, AuditEvent]
) -> Dispute | None:
    """Read a dispute from its snapshot; None where the text is not one.

    `used` are the events of those keys that are looked up.
    """
    try:
        members = vars(_Snapshot.model_validate_json(text))
    except ValidationError:
        return None
    return Dispute(opening=opening, policy=policy, keys=FrozenMap(used), **members)


# ---- columns -------------------------------------------------------------------------------------

_FIXED = ("dispute_id", "order_id", "merchant_id", "consumer_id", "rules", "policy", "opened_at")
_CHANGING = [each.name for each in disputes.columns if each.name not in {*_FIXED, "xid"}]


def columns(dispute: Dispute) -> dict[str, Any]:
    """Return all columns of a dispute but `xid`."""
    opening = dispute.opening
    return {
        "dispute_id": opening.dispute_id,
        "order_id": opening.order_id,
        "merchant_id": opening.merchant_id,
        "consumer_id": opening.consumer_id,
        "rules": opening.rules,
        "policy": opening.policy,
        "opened_at": opening.at,
        **changing_columns(dispute),
    }


def changing_columns(dispute: Dispute) -> dict[str, Any]:
    """Return the columns of a dispute that its events change."""
    configuration, option = dispute.configuration, dispute.option
    return {
        "path": dispute.path,
        "state": configuration.state.value,
        "closed": configuration.closed,
        "option": option and option.value,
        "outcome": dispute.outcome and dispute.outcome.value,
        "liability": dispute.liability and dispute.liability.value,
        "revision": dispute.revision,
        "seq": dispute.seq,
        "last_at": dispute.last_at,
        "last_hash": dispute.last_hash,
        "snapshot_version": snapshot_version(dispute.opening.rules),
        "snapshot": write_snapshot(dispute),
    }


# ---- statements ----------------------------------------------------------------------------------

# A transaction gets its number when it first writes. One that waited for another's dispute comes
# behind that one in the feed.
_TRANSACTION = sql_cast(sql_cast(func.pg_current_xact_id(), Text), BigInteger)
_ALL = bind(*_FIXED, *_CHANGING)
_SQLITE_ADD = insert_sqlite(disputes).values({**_ALL, "xid": literal(0)}).on_conflict_do_nothing()
_POSTGRESQL_ADD = (
    insert_postgresql(disputes).values({**_ALL, "xid": _TRANSACTION}).on_conflict_do_nothing()
)
ADD_DISPUTE = Statement(
    _SQLITE_ADD.returning(disputes.c.seq), postgresql=_POSTGRESQL_ADD.returning(disputes.c.seq)
)
"""Returns no row where the id exists, or the order has a live dispute."""

ADD_DISPUTES = Statement(_SQLITE_ADD, postgresql=_POSTGRESQL_ADD)

_UPDATE = (
    update(disputes)
    .where(
        disputes.c.dispute_id == bindparam("of_dispute"),
        disputes.c.seq == bindparam("before_seq"),
        disputes.c.last_hash == bindparam("before_hash"),
    )
    .values(bind(*_CHANGING))
    .returning(disputes.c.seq)
)
UPDATE_DISPUTE = Statement(
    _UPDATE, postgresql=_UPDATE.values(xid=func.greatest(_TRANSACTION, disputes.c.xid))
)
"""Returns no row where the dispute's last event is not the expected one."""

_OPENING = events.alias("opening")
_USED = events.alias("used")
_USED_PRIVATE = private_values.alias("used_private")


def loading(now: ColumnElement[Any]) -> Query:
    """Make the query of a dispute, its first event, and the event of a key."""
    return (
        select(
            disputes.c.policy,
            disputes.c.rules,
            disputes.c.snapshot_version,
            disputes.c.snapshot,
            _OPENING.c.hashed,
            _OPENING.c.hash,
            _USED.c.seq.label("used_seq"),
            _USED.c.hashed.label("used_hashed"),
            _USED.c.hash.label("used_hash"),
            _USED_PRIVATE.c.body.label("used_private"),
            now.label("now"),
        )
        .select_from(disputes)
        .join(_OPENING, (_OPENING.c.dispute_id == disputes.c.dispute_id) & (_OPENING.c.seq == 1))
        .outerjoin(
            keys, (keys.c.dispute_id == disputes.c.dispute_id) & (keys.c.key == bindparam("key"))
        )
        .outerjoin(_USED, (_USED.c.dispute_id == keys.c.dispute_id) & (_USED.c.seq == keys.c.seq))
        .outerjoin(
            _USED_PRIVATE,
            (_USED_PRIVATE.c.dispute_id == keys.c.dispute_id) & (_USED_PRIVATE.c.seq == keys.c.seq),
        )
        .where(disputes.c.dispute_id == bindparam("dispute_id"))
    )


DATABASE_CLOCK = func.clock_timestamp(type_=UtcInstant)
"""PostgreSQL's; SQLite has none."""

LOAD = Statement(loading(null()), postgresql=loading(DATABASE_CLOCK))
