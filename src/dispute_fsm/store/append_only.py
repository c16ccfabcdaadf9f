"""Events and policies are only ever added: the database itself refuses to change or delete one, whoever asks."""

from sqlalchemy import Table

from dispute_fsm.store.schema import POSTGRESQL, events, policies
from dispute_fsm.store.session import Session

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
        for statement in _postgresql(table) if session.dialect.name == POSTGRESQL else _sqlite(table):
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
        f"CREATE TRIGGER {name}_replace BEFORE INSERT ON {name} WHEN EXISTS (SELECT 1 FROM {name} WHERE {same}) BEGIN {said}; END",  # noqa: S608 -- our own names
    )
