"""The tables, and what the database itself refuses.

`dispute_events` is the truth and is only ever added to; everything else about a dispute can be
folded from it again. `disputes` and `dispute_deadlines` are what the events come to (the
projection), so that queries and sweeps need not fold. Personal values stand apart, for they may be
erased. One transaction writes all of them. Every name begins with `dispute`, so that the tables can
stand among a host's own.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    Text,
    false,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

SCHEMA_VERSION = 1
"""The version of these tables; a new one brings the step that leads there (see `migrate`)."""

POSTGRESQL, SQLITE = "postgresql", "sqlite"
"""The databases that are spoken to, as SQLAlchemy names their dialects."""


class UtcInstant(TypeDecorator[datetime]):
    """An instant in UTC: PostgreSQL's own type; on SQLite, which has none, RFC 3339 of one length, so that texts sort as instants."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type of the database."""
        return dialect.type_descriptor(
            DateTime(timezone=True) if dialect.name == POSTGRESQL else String(32)
        )

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Write an instant."""
        if value is None or dialect.name == POSTGRESQL:
            return value
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(
        self,
        value: datetime | str | None,
        dialect: Dialect,  # noqa: ARG002 -- SQLAlchemy's signature
    ) -> datetime | None:
        """Read an instant."""
        if value is None:
            return None
        return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


Query = Select[*tuple[Any, ...]]
"""A query, whatever its columns are."""

metadata = MetaData()

schema = Table(
    "dispute_schema",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),  # there is one row
    Column("version", Integer, nullable=False),
)
"""Which version of the schema this database has."""

policies = Table(
    "dispute_policies",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("body", Text, nullable=False),
)
"""Policies by content, as JSON, each once."""

events = Table(
    "dispute_events",
    metadata,
    Column("dispute_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("xid", BigInteger, nullable=False),
    Column("position", BigInteger, Identity(always=True), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("hashed", LargeBinary, nullable=False),
    Index("dispute_events_in_feed_order", "xid", "position", unique=True),
)
"""Every event: the very bytes that its hash covers. `xid` and `position` are its place in the feed (see `feed`)."""

private_values = Table(
    "dispute_private_values",
    metadata,
    Column("dispute_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
)
"""An event's personal values with their salts, as its member `private`; a row is deleted to erase them."""

disputes = Table(
    "disputes",
    metadata,
    Column("dispute_id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("consumer_id", Text, nullable=False),
    Column("rules", Text, nullable=False),
    Column("policy", String(64), nullable=False),
    Column("opened_at", UtcInstant, nullable=False),
    Column("path", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("closed", Boolean(create_constraint=False), nullable=False),
    Column("option", Text),
    Column("outcome", Text),
    Column("liability", Text),
    Column("revision", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("last_at", UtcInstant, nullable=False),
    Column("last_hash", String(64), nullable=False),
    Column("xid", BigInteger, nullable=False),
    Column("snapshot_version", Text, nullable=False),
    Column("snapshot", Text, nullable=False),
    Index("disputes_by_order", "order_id", "opened_at", "dispute_id"),
    Index("disputes_by_merchant", "merchant_id", "opened_at", "dispute_id"),
    Index("disputes_by_merchant_and_path", "merchant_id", "path", "opened_at", "dispute_id"),
    Index("disputes_by_path", "path", "opened_at", "dispute_id"),
)
"""What each dispute's events come to: one row a dispute. `xid` is that of its last event, `snapshot` see `snapshot`."""

Index(
    "disputes_one_live_per_order",
    disputes.c.order_id,
    unique=True,
    sqlite_where=disputes.c.closed == false(),
    postgresql_where=disputes.c.closed == false(),
)

deadlines = Table(
    "dispute_deadlines",
    metadata,
    Column("dispute_id", Text, primary_key=True),
    Column("deadline", Text, primary_key=True),
    Column("due_at", UtcInstant, nullable=False),
    Column("leased_until", UtcInstant),
    Index("dispute_deadlines_by_due", "due_at", "dispute_id", "deadline"),
)
"""The deadlines that run, each until it fires or its state is left; `leased_until` where a sweeper has claimed one."""

Index(
    "dispute_deadlines_leased",
    deadlines.c.leased_until,
    sqlite_where=deadlines.c.leased_until.is_not(None),
    postgresql_where=deadlines.c.leased_until.is_not(None),
)

keys = Table(
    "dispute_keys",
    metadata,
    Column("dispute_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
)
"""The idempotency keys that were used up, each with the event that it led to."""

consumers = Table(
    "dispute_consumers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("xid", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("owner", Text),
    Column("leased_until", UtcInstant),
)
"""Who reads the feed under a name, and up to where; `owner` where one is delivering now."""

parked = Table(
    "dispute_parked",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("dispute_id", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("parked_at", UtcInstant, nullable=False),
    Column("error", Text, nullable=False),
)
"""From which event on a dispute is held back from a consumer, for the consumer could not take that one."""
