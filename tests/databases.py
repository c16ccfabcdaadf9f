"""The databases of the tests: a file of SQLite, a schema of PostgreSQL, each for one test."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

KINDS = ("sqlite", "postgresql")
SERVER = os.environ.get("DISPUTE_FSM_TEST_POSTGRES", "postgresql+psycopg:///test")
"""The PostgreSQL that tests may use: each creates a schema of its own there, and drops it."""

_UNSAFE = "-csynchronous_commit=off"
"""A commit does not wait for the disk: that server is not stopped. (`test_faults` has its own.)"""


def conninfo(url: str | URL = SERVER) -> str:
    """Return a URL in the form that psycopg reads."""
    address = make_url(url).set(drivername="postgresql")
    # SQLAlchemy writes a space as a plus, which libpq takes for one
    return address.render_as_string(hide_password=False).replace("+", "%20")


@cache
def unreachable() -> str | None:
    """Return why PostgreSQL is not available; None where it is."""
    try:
        with psycopg.connect(conninfo(), connect_timeout=60):
            return None
    except psycopg.OperationalError as error:
        return f"no PostgreSQL answers at DISPUTE_FSM_TEST_POSTGRES ({make_url(SERVER)}): {error}"


@contextmanager
def postgresql() -> Generator[str]:
    """Return the URL of an empty schema that is dropped afterwards."""
    name = f"dispute_fsm_{uuid4().hex[:16]}"
    with psycopg.connect(conninfo(), autocommit=True, options=_UNSAFE) as server:
        server.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    try:
        yield (
            make_url(SERVER)
            .update_query_dict({"options": f"{_UNSAFE} -csearch_path={name}"})
            .render_as_string(hide_password=False)
        )
    finally:
        with psycopg.connect(conninfo(), autocommit=True, options=_UNSAFE) as server:
            server.execute("SET client_min_messages = warning")
            server.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


@contextmanager
def database(kind: str, folder: Path) -> Generator[str]:
    """Return the URL of an empty database of a kind."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'disputes.db'}"
    else:
        with postgresql() as url:
            yield url
