"""The statements by which disputes are read and written; made once, for making one costs more than running it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Insert,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    false,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.engine import Dialect

from dispute_fsm.store.schema import (
    POSTGRESQL,
    Query,
    UtcInstant,
    deadlines,
    disputes,
    events,
    keys,
    policies,
    private_values,
)
from dispute_fsm.store.statement import Statement

if TYPE_CHECKING:
    from sqlalchemy.sql import ClauseElement

FIXED = ("dispute_id", "order_id", "merchant_id", "consumer_id", "rules", "policy", "opened_at")
"""The columns of a dispute that never change."""

CHANGING = (
    "path",
    "state",
    "closed",
    "option",
    "outcome",
    "liability",
    "revision",
    "seq",
    "last_at",
    "last_hash",
    "snapshot_version",
    "snapshot",
)
"""The columns of a dispute that its events change."""

_OPENING = events.alias("opening")
_USED = events.alias("used")
_USED_PRIVATE = private_values.alias("used_private")


@dataclass(frozen=True, slots=True)
class Statements:
    """What is run, in the words of one database."""

    load: Statement
    lock: Statement
    history: Statement
    live: Statement
    policy: Statement
    known_policy: Statement
    now: Statement | None
    announce: Statement | None
    new_policy: Statement
    new_dispute: Statement
    new_disputes: Statement
    changed: Statement
    new_event: Statement
    new_private: Statement
    new_key: Statement
    new_deadline: Statement
    moved_deadline: Statement
    gone_deadline: Statement


def bound(*names: str) -> dict[str, Any]:
    """Name a parameter for each column."""
    return {name: bindparam(name) for name in names}


def statements(dialect: Dialect) -> Statements:
    """Make the statements for a database."""
    postgresql = dialect.name == POSTGRESQL
    now: ColumnElement[Any] = (
        func.clock_timestamp(type_=UtcInstant) if postgresql else cast(null(), UtcInstant)
    )
    # A transaction gets its number when it first writes; one that waited for another's dispute
    # comes behind it in the feed.
    this = cast(cast(func.pg_current_xact_id(), Text), BigInteger) if postgresql else literal(0)
    its = (
        select(disputes.c.xid)
        .where(disputes.c.dispute_id == bindparam("dispute_id"))
        .scalar_subquery()
    )
    place: dict[str, Any] = {"xid": its}
    if not postgresql:  # one writer at a time, so the next number is the next to be committed
        place["position"] = (
            select(func.coalesce(func.max(events.c.position), 0) + 1)
            .where(events.c.xid == 0)
            .scalar_subquery()
        )
    fresh = bound("digest", "body")
    once = select(*fresh.values()).where(
        ~select(policies.c.digest).where(policies.c.digest == bindparam("digest")).exists()
    )
    into = insert_postgresql(disputes) if postgresql else insert_sqlite(disputes)
    if postgresql:
        add_policy: Insert = insert_postgresql(policies).values(fresh).on_conflict_do_nothing()
    else:
        add_policy = insert(policies).from_select(list(fresh), once)
    changed = update(disputes).where(
        disputes.c.dispute_id == bindparam("of_dispute"),
        disputes.c.seq == bindparam("before_seq"),
        disputes.c.last_hash == bindparam("before_hash"),
    )
    opened = into.values({**bound(*FIXED, *CHANGING), "xid": this}).on_conflict_do_nothing()
    made: dict[str, ClauseElement] = {
        "load": loading(now),
        "lock": select(disputes.c.seq)
        .where(disputes.c.dispute_id == bindparam("dispute_id"))
        .with_for_update(),
        "history": _history(),
        "live": select(disputes.c.dispute_id).where(
            disputes.c.order_id == bindparam("order_id"), disputes.c.closed == false()
        ),
        "policy": select(policies.c.body).where(policies.c.digest == bindparam("digest")),
        "known_policy": select(policies.c.digest).where(policies.c.digest == bindparam("digest")),
        "new_policy": add_policy,
        "new_dispute": opened.returning(disputes.c.seq),
        "new_disputes": opened,
        "changed": changed.values(
            {
                **bound(*CHANGING),
                "xid": func.greatest(this, disputes.c.xid) if postgresql else literal(0),
            }
        ).returning(disputes.c.seq),
        "new_event": insert(events).values(
            {**bound("dispute_id", "seq", "hash", "hashed"), **place}
        ),
        "new_private": insert(private_values).values(bound("dispute_id", "seq", "body")),
        "new_key": insert(keys).values(bound("dispute_id", "key", "seq")),
        "new_deadline": insert(deadlines).values(bound("dispute_id", "deadline", "due_at")),
        "moved_deadline": update(deadlines)
        .where(*_this_deadline())
        .values(due_at=bindparam("due_at"), leased_until=None),
        "gone_deadline": delete(deadlines).where(*_this_deadline()),
    }
    told = Statement(select(now.label("now"))) if postgresql else None
    announce = (
        Statement(select(func.pg_notify(bindparam("channel"), "").label("done")))
        if postgresql
        else None
    )
    return Statements(
        now=told,
        announce=announce,
        **{name: Statement(statement) for name, statement in made.items()},
    )


def _this_deadline() -> tuple[ColumnElement[bool], ...]:
    return deadlines.c.dispute_id == bindparam("of_dispute"), deadlines.c.deadline == bindparam(
        "of_deadline"
    )


def loading(now: ColumnElement[Any]) -> Query:
    """Make the query that loads a dispute, its first event, and the event that used a key up."""
    key = and_(keys.c.dispute_id == disputes.c.dispute_id, keys.c.key == bindparam("key"))
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
        .join(_OPENING, and_(_OPENING.c.dispute_id == disputes.c.dispute_id, _OPENING.c.seq == 1))
        .outerjoin(keys, key)
        .outerjoin(_USED, and_(_USED.c.dispute_id == keys.c.dispute_id, _USED.c.seq == keys.c.seq))
        .outerjoin(
            _USED_PRIVATE,
            and_(
                _USED_PRIVATE.c.dispute_id == keys.c.dispute_id, _USED_PRIVATE.c.seq == keys.c.seq
            ),
        )
        .where(disputes.c.dispute_id == bindparam("dispute_id"))
    )


def _history() -> Query:
    beside = and_(
        private_values.c.dispute_id == events.c.dispute_id, private_values.c.seq == events.c.seq
    )
    return (
        select(
            events.c.dispute_id, events.c.seq, events.c.hashed, events.c.hash, private_values.c.body
        )
        .select_from(events.outerjoin(private_values, beside))
        .where(events.c.dispute_id == bindparam("dispute_id"))
        .order_by(events.c.seq)
    )
