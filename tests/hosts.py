"""Hosts with a transaction of their own, each by another library, on the database of a store."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import django
import psycopg
from django.conf import settings
from django.db import connections, transaction
from psycopg.rows import dict_row
from psycopg.types.datetime import TimestamptzLoader
from sqlalchemy import create_engine, make_url

from dispute_fsm.store.host import HostConnection
from tests.databases import conninfo

if not settings.configured:
    # without USE_TZ, Django reads instants without a time zone
    settings.configure(USE_TZ=False, TIME_ZONE="Asia/Shanghai", LOGGING_CONFIG=None)
    django.setup()

Host = Callable[[str], AbstractContextManager[HostConnection]]
"""Opens a connection to the database at a URL, which is in no transaction yet."""

Begin = Callable[[Any], AbstractContextManager[object]]
"""Begins a transaction; commits it, or rolls it back after an error."""


def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


# ---- SQLAlchemy ----------------------------------------------------------------------------------


@contextmanager
def sqlalchemy_host(url: str) -> Generator[HostConnection]:
    engine = create_engine(url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


# ---- the drivers ---------------------------------------------------------------------------------


@contextmanager
def driver_host(url: str) -> Generator[HostConnection]:
    if is_sqlite(url):
        name = str(make_url(url).database)
        with closing(sqlite3.connect(name, isolation_level=None)) as connection:
            yield connection
    else:
        with closing(psycopg.connect(conninfo(url), autocommit=True)) as connection:
            yield connection


class WithoutZone(TimestamptzLoader):
    """Reads instants without a time zone."""

    def load(self, data: Any) -> Any:  # noqa: ANN401 -- as the class that it extends
        return super().load(data).replace(tzinfo=None)


@contextmanager
def peculiar_host(url: str) -> Generator[HostConnection]:
    """Open a connection that reads rows and values in another way."""
    if is_sqlite(url):
        name = str(make_url(url).database)
        with closing(
            sqlite3.connect(name, isolation_level=None, detect_types=sqlite3.PARSE_DECLTYPES)
        ) as connection:
            connection.row_factory = lambda cursor, row: {
                column[0]: value for column, value in zip(cursor.description, row, strict=True)
            }
            connection.text_factory = bytes
            yield connection
    else:
        with closing(
            psycopg.connect(
                conninfo(url),
                autocommit=True,
                row_factory=dict_row,
                cursor_factory=psycopg.ClientCursor,
            )
        ) as connection:
            connection.adapters.register_loader("timestamptz", WithoutZone)
            connection.execute("SET timezone = 'Asia/Shanghai'")
            yield connection


@contextmanager
def begin_driver(connection: Any) -> Generator[None]:  # noqa: ANN401 -- of either driver
    if isinstance(connection, psycopg.Connection):
        with connection.transaction():
            yield
    else:
        connection.execute("BEGIN IMMEDIATE")
        with connection:  # commits, or rolls back
            yield


# ---- Django --------------------------------------------------------------------------------------


@contextmanager
def django_host(url: str) -> Generator[HostConnection]:
    address = make_url(url)
    if is_sqlite(url):
        database: dict[str, Any] = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": address.database,
            "OPTIONS": {"transaction_mode": "IMMEDIATE"},
        }
    else:
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": address.database,
            "USER": address.username or "",
            "PASSWORD": address.password or "",
            "HOST": address.host or "",
            "PORT": address.port or "",
            "OPTIONS": dict(address.query),
        }
    connections.settings.update(connections.configure_settings({"default": {}, "host": database}))
    connection: HostConnection = connections["host"]
    try:
        yield connection
    finally:
        connections["host"].close()
        del connections["host"]


def begin_django(_connection: Any) -> AbstractContextManager[object]:  # noqa: ANN401 -- Django finds it by its name
    atomic: AbstractContextManager[object] = transaction.atomic(using="host")
    return atomic


HOSTS: dict[str, tuple[Host, Begin]] = {
    "sqlalchemy": (sqlalchemy_host, lambda connection: connection.begin()),
    "driver": (driver_host, begin_driver),
    "peculiar driver": (peculiar_host, begin_driver),
    "django": (django_host, begin_django),
}


def execute(connection: Any, sql: str) -> None:  # noqa: ANN401 -- of any kind
    """Run a statement of the host, as its library does."""
    if hasattr(connection, "exec_driver_sql"):
        connection.exec_driver_sql(sql)
    elif hasattr(connection, "in_atomic_block"):
        with connection.cursor() as cursor:
            cursor.execute(sql)
    else:
        connection.execute(sql)
