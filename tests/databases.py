"""The databases that tests run against: SQLite in a file of the test's own, PostgreSQL in a schema of the test's own."""

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
"""Where a PostgreSQL answers that tests may use: each makes a schema of its own there, and drops it."""


def conninfo(url: str | URL = SERVER) -> str:
    """Give a URL in the words of psycopg."""
    address = make_url(url).set(drivername="postgresql")
    return address.render_as_string(hide_password=False)


@cache
def unreachable() -> str | None:
    """Say why no PostgreSQL answers; None where one does."""
    try:
        with psycopg.connect(conninfo(), connect_timeout=60):
            return None
    except psycopg.OperationalError as error:
        return f"no PostgreSQL answers at DISPUTE_FSM_TEST_POSTGRES ({make_url(SERVER)}): {error}"


@contextmanager
def postgresql() -> Generator[str]:
    """Give the URL of an empty schema that is dropped afterwards."""
    name = f"dispute_fsm_{uuid4().hex[:16]}"
    with psycopg.connect(conninfo(), autocommit=True) as server:
        server.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    try:
        yield (
            make_url(SERVER)
            .update_query_dict({"options": f"-csearch_path={name}"})
            .render_as_string(hide_password=False)
        )
    finally:
        with psycopg.connect(conninfo(), autocommit=True) as server:
            server.execute("SET client_min_messages = warning")
            server.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


@contextmanager
def database(kind: str, folder: Path) -> Generator[str]:
    """Give the URL of an empty database of a kind."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'disputes.db'}"
    else:
        with postgresql() as url:
            yield url
