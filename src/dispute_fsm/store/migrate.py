"""The version of the schema: made where there is none, brought forward where it is older, refused where it is newer."""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Engine, inspect, text

from dispute_fsm.errors import InputError
from dispute_fsm.rules.strict import FrozenMap
from dispute_fsm.store.append_only import protect
from dispute_fsm.store.engine import reading, writing
from dispute_fsm.store.schema import POSTGRESQL, SCHEMA_VERSION, metadata, schema

Migration = Callable[[Connection], None]
"""Changes the tables of one version into those of the next, in the transaction that it is given."""

MIGRATIONS: Mapping[int, Migration] = FrozenMap({})
"""By the version that each starts from. Version 1 is the first, so there is nothing older yet."""

_LOCK = 0x64697370757465  # "dispute": nobody else in this database takes an advisory lock of this number


def migrate(engine: Engine, migrations: Mapping[int, Migration] = MIGRATIONS, newest: int = SCHEMA_VERSION) -> int:
    """Bring a database's tables to the newest version, whatever they are; returns the version that was found (0: none).

    Many processes may do so at once: one does it, the others find it done. Raises `InputError` where the database is newer
    than this package, `StoreUnavailableError`.
    """
    with reading(engine) as connection:
        found = version(connection)
    if found == newest:
        return found
    with writing(engine) as connection:  # on SQLite that is the lock
        if engine.dialect.name == POSTGRESQL:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = version(connection)
        if found > newest:
            raise InputError(
                f"the database has schema version {found}, this package knows up to {newest}: install a newer one", field="url"
            )
        if found == 0:
            metadata.create_all(connection, checkfirst=False)
            protect(connection)
            connection.execute(schema.insert(), {"one": 1, "version": newest})
        for step in range(found or newest, newest):
            migrations[step](connection)
        connection.execute(schema.update(), {"version": newest})
    return found


def version(connection: Connection) -> int:
    """Return the version of the schema; 0 where there is none."""
    if not inspect(connection).has_table(schema.name):
        return 0
    found: int = connection.execute(schema.select()).one().version
    return found
