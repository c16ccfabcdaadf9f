"""The version of the schema: made where there is none, brought forward where it is older, refused where it is newer.

Events and policies are only ever added: triggers refuse to change or delete one, whoever asks.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.schema import CreateIndex, CreateTable

from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import InputError, StoreInvalidError
from dispute_fsm.store.pool import Pool
from dispute_fsm.store.schema import (
    POSTGRESQL,
    SCHEMA_VERSION,
    SQLITE,
    events,
    metadata,
    policies,
    schema,
)
from dispute_fsm.store.session import Session
from dispute_fsm.store.statement import Statement

APPEND_ONLY = (events, policies)
"""The tables that only grow."""

_FUNCTION = """
CREATE OR REPLACE FUNCTION dispute_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = 'restrict_violation';
END $$
"""


def protect(session: Session) -> None:
    """Create the triggers; the tables are there already."""
    if session.dialect.name == POSTGRESQL:
        session.execute(_FUNCTION)
    for table in APPEND_ONLY:
        for statement in (
            _postgresql(table) if session.dialect.name == POSTGRESQL else _sqlite(table)
        ):
            session.execute(statement)


def _postgresql(table: Table) -> tuple[str, ...]:
    name, does = table.name, "EXECUTE FUNCTION dispute_append_only()"
    return (
        f"CREATE TRIGGER {name}_rows BEFORE UPDATE OR DELETE ON {name} FOR EACH ROW {does}",
        f"CREATE TRIGGER {name}_all BEFORE TRUNCATE ON {name} FOR EACH STATEMENT {does}",
    )


def _sqlite(table: Table) -> tuple[str, ...]:
    """REPLACE would delete a row without firing a trigger of DELETE, so a row whose key is there already is refused before."""
    name, said = table.name, f"SELECT RAISE(ABORT, '{table.name} is append-only')"
    same = " AND ".join(f"{column.name} = NEW.{column.name}" for column in table.primary_key)
    return (
        f"CREATE TRIGGER {name}_update BEFORE UPDATE ON {name} BEGIN {said}; END",
        f"CREATE TRIGGER {name}_delete BEFORE DELETE ON {name} BEGIN {said}; END",
        (
            f"CREATE TRIGGER {name}_replace BEFORE INSERT ON {name} WHEN EXISTS (SELECT 1 FROM "  # noqa: S608 -- our own names
            f"{name} WHERE {same}) BEGIN {said}; END"
        ),
    )


Migration = Callable[[Session], None]
"""Changes the tables of one version into those of the next, in the transaction that it is given."""

MIGRATIONS: Mapping[int, Migration] = FrozenMap({})
"""By the version that each starts from. Version 1 is the first, so there is nothing older yet."""

# "dispute": nobody else takes one of this number; it ends with the transaction
_LOCK = f"SELECT pg_advisory_xact_lock({0x64697370757465})"
_THERE = {
    # By a look into the table of tables: what `to_regclass` knows may be older than the lock.
    POSTGRESQL: "SELECT max(relname::text) FROM pg_catalog.pg_class"
    " WHERE relname = 'dispute_schema' AND pg_catalog.pg_table_is_visible(oid)",
    SQLITE: "SELECT max(name) FROM sqlite_master WHERE name = 'dispute_schema'",
}
"""Ask for the name of the table that says the version; NULL where there is none."""
_VERSION = Statement(select(schema.c.version))
_FIRST = Statement(insert(schema).values(one=1, version=bindparam("version")))
_NEXT = Statement(update(schema).values(version=bindparam("version")))


def migrate(
    pool: Pool, migrations: Mapping[int, Migration] = MIGRATIONS, newest: int = SCHEMA_VERSION
) -> int:
    """Bring a database's tables to the newest version, whatever they are; returns the version that was found (0: none).

    Many processes may do so at once: one does it, the others find it done. Raises `InputError`
    where the database is newer than this package, `StoreUnavailableError`; `StoreInvalidError`
    where there is no right to make tables, or others have our names.
    """
    with pool.take() as session:
        found = version(session)
    if found == newest:
        return found
    with pool.transaction() as session:  # on SQLite that is the lock
        if session.dialect.name == POSTGRESQL:
            session.execute(_LOCK)
        found = version(session)
        if found > newest:
            raise InputError(
                (
                    f"the database has schema version {found}, this package knows up to {newest}: "
                    "install a newer one"
                ),
                field="url",
            )
        if found == 0:
            for table in metadata.sorted_tables:
                session.execute(str(CreateTable(table).compile(dialect=session.dialect)))
                for index in sorted(table.indexes, key=attrgetter("name")):
                    session.execute(str(CreateIndex(index).compile(dialect=session.dialect)))
            protect(session)
            _FIRST.run(session, {"version": newest})
        for step in range(found or newest, newest):
            migrations[step](session)
        _NEXT.run(session, {"version": newest})
    return found


def version(session: Session) -> int:
    """Return the version of the schema; 0 where there is none."""
    if session.execute(_THERE[session.dialect.name]).fetchone()[0] is None:
        return 0
    row = _VERSION.row(session)
    if row is None:
        raise StoreInvalidError(
            f"the database does not say which version its tables have: {schema.name} is empty"
        )
    return int(row.version)
