"""The tables, the triggers that protect them, and the migrations from one version to the next.

`dispute_events` is the truth and only grows; everything else about a dispute can be folded from it
again. `disputes` and `dispute_deadlines` are the projection of the events, so that queries and
sweeps need not fold. Personal values are in a table of their own, for they may be erased. One
transaction writes all of them. Every name begins with `dispute`, so that the tables can be among a
host's own.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import attrgetter
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
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import TypeDecorator

from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import InputError, StoreInvalidError
from dispute_fsm.store.address import POSTGRESQL, SQLITE
from dispute_fsm.store.pool import Pool
from dispute_fsm.store.session import Session, Statement

SCHEMA_VERSION = 2
"""The version of these tables; a new one comes with a step in `MIGRATIONS`."""


class UtcInstant(TypeDecorator[datetime]):
    """An instant in UTC.

    It is PostgreSQL's own type. SQLite has none: there it is RFC 3339 of one length, so that texts
    sort as instants.
    """

    impl = DateTime(timezone=True).with_variant(String(32), SQLITE)
    cache_ok = True

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
"""The version of the schema of this database."""

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
"""Every event: the very bytes that its hash covers; `xid` and `position` order the feed."""

private_values = Table(
    "dispute_private_values",
    metadata,
    Column("dispute_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
)
"""The member `private` of an event: personal values with their salts. To erase them, the row is
deleted."""

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
"""The projection: one row for each dispute. `xid` is that of its last event; `snapshot` see
`projection`."""

ONE_LIVE_PER_ORDER = Index(
    "disputes_one_live_per_order",
    disputes.c.order_id,
    unique=True,
    sqlite_where=disputes.c.outcome.is_(None),
    postgresql_where=disputes.c.outcome.is_(None),
)
"""An order has one dispute without an outcome. A live dispute with one goes on from an end that may
still change: it does not keep out what was opened since."""

deadlines = Table(
    "dispute_deadlines",
    metadata,
    Column("dispute_id", Text, primary_key=True),
    Column("deadline", Text, primary_key=True),
    Column("due_at", UtcInstant, nullable=False),
    Column("leased_until", UtcInstant),
    Index("dispute_deadlines_by_due", "due_at", "dispute_id", "deadline"),
)
"""The deadlines that run; `leased_until` where a sweeper has claimed one."""

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
"""The idempotency keys that are used up, each with its event."""

consumers = Table(
    "dispute_consumers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("xid", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("owner", Text),
    Column("leased_until", UtcInstant),
)
"""The named consumers of the feed and their positions; `owner` is the process that delivers now."""

parked = Table(
    "dispute_parked",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("dispute_id", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("parked_at", UtcInstant, nullable=False),
    Column("error", Text, nullable=False),
)
"""The disputes that are held back from a consumer, from the event on that it could not take."""

# ---- triggers ------------------------------------------------------------------------------------

_APPEND_ONLY = (events, policies)
"""The tables that only grow: triggers refuse to change or delete a row, whoever asks."""

_FUNCTION = """
CREATE OR REPLACE FUNCTION dispute_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING
    MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = 'restrict_violation';
END $$
"""


def _postgresql_triggers(name: str) -> tuple[str, ...]:
    call = "EXECUTE FUNCTION dispute_append_only()"
    return (
        f"CREATE TRIGGER {name}_rows BEFORE UPDATE OR DELETE ON {name} FOR EACH ROW {call}",
        f"CREATE TRIGGER {name}_all BEFORE TRUNCATE ON {name} FOR EACH STATEMENT {call}",
    )


def _sqlite_triggers(table: Table) -> tuple[str, ...]:
    """Return the triggers of a table.

    REPLACE would delete a row without firing the trigger of DELETE, so an existing key is refused.
    """
    name, refuse = table.name, f"SELECT RAISE(ABORT, '{table.name} is append-only')"
    same = " AND ".join(f"{column.name} = NEW.{column.name}" for column in table.primary_key)
    return (
        f"CREATE TRIGGER {name}_update BEFORE UPDATE ON {name} BEGIN {refuse}; END",
        f"CREATE TRIGGER {name}_delete BEFORE DELETE ON {name} BEGIN {refuse}; END",
        (
            f"CREATE TRIGGER {name}_replace BEFORE INSERT ON {name} WHEN EXISTS (SELECT 1 FROM "  # noqa: S608 -- our own names
            f"{name} WHERE {same}) BEGIN {refuse}; END"
        ),
    )


# ---- migrations ----------------------------------------------------------------------------------

Migration = Callable[[Session], None]
"""Changes the tables of one version into those of the next, in the transaction of the session."""


def _index_disputes_without_outcome(session: Session) -> None:
    """Replace the unique index of version 1, which was on disputes that are not closed."""
    session.execute(f"DROP INDEX {ONE_LIVE_PER_ORDER.name}")
    session.execute(str(CreateIndex(ONE_LIVE_PER_ORDER).compile(dialect=session.dialect)))


MIGRATIONS: Mapping[int, Migration] = FrozenMap({1: _index_disputes_without_outcome})
"""By the version that each starts from."""

# The number is "dispute". The lock excludes others with this number, and ends with the transaction.
_LOCK = f"SELECT pg_advisory_xact_lock({0x64697370757465})"
_SCHEMA_TABLE = {
    # By a query of the table of tables: what `to_regclass` knows may be older than the lock.
    POSTGRESQL: "SELECT max(relname::text) FROM pg_catalog.pg_class"
    " WHERE relname = 'dispute_schema' AND pg_catalog.pg_table_is_visible(oid)",
    SQLITE: "SELECT max(name) FROM sqlite_master WHERE name = 'dispute_schema'",
}
"""The query for the name of the table with the version; NULL where it does not exist."""

_VERSION = Statement(select(schema.c.version))
_ADD_VERSION = Statement(insert(schema).values(one=1, version=bindparam("version")))
_SET_VERSION = Statement(update(schema).values(version=bindparam("version")))


def migrate(
    pool: Pool, migrations: Mapping[int, Migration] = MIGRATIONS, newest: int = SCHEMA_VERSION
) -> int:
    """Bring the tables to the newest version; return the version that they had (0: no tables).

    Many processes may do so at once: one does it, the others find it done. Raises `InputError`
    where the database is newer than this package, `StoreUnavailableError`; `StoreInvalidError`
    where the right to create tables is missing, or tables of others have our names.
    """
    with pool.take() as session:
        before = version(session)
    if before == newest:
        return before
    with pool.transaction() as session:  # on SQLite this is the lock
        if session.dialect.name == POSTGRESQL:
            session.execute(_LOCK)
        before = version(session)
        if before > newest:
            raise InputError(
                f"the database has schema version {before}, this package knows up to {newest}: "
                "install a newer one",
                field="url",
            )
        if before == 0:
            _create(session)
            _ADD_VERSION.run(session, {"version": newest})
        else:
            for start in range(before, newest):
                migrations[start](session)
            _SET_VERSION.run(session, {"version": newest})
    return before


def version(session: Session) -> int:
    """Return the version of the schema; 0 where there are no tables."""
    if session.execute(_SCHEMA_TABLE[session.dialect.name]).fetchone()[0] is None:
        return 0
    row = _VERSION.row(session)
    if row is None:
        raise StoreInvalidError(
            f"the version of the database's tables is missing: {schema.name} is empty"
        )
    return int(row.version)


def _create(session: Session) -> None:
    """Create the tables, their indexes and triggers."""
    for table in metadata.sorted_tables:
        session.execute(str(CreateTable(table).compile(dialect=session.dialect)))
        for index in sorted(table.indexes, key=attrgetter("name")):
            session.execute(str(CreateIndex(index).compile(dialect=session.dialect)))
    postgresql = session.dialect.name == POSTGRESQL
    if postgresql:
        session.execute(_FUNCTION)
    for table in _APPEND_ONLY:
        for trigger in _postgresql_triggers(table.name) if postgresql else _sqlite_triggers(table):
            session.execute(trigger)
