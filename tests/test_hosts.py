"""In a host's transaction: its own row and the dispute's event are committed or rolled back as one.

Each host uses another library; what they have in common is `connection=`.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.db import transaction
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.domain.enums import Option
from dispute_fsm.errors import (
    InputError,
    OrderSystemUnavailableError,
    StoreUnavailableError,
    UnknownDisputeError,
)
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.service import DisputeService
from dispute_fsm.store.host import HostConnection
from dispute_fsm.store.repository import Store
from tests.databases import SERVER, conninfo, unreachable
from tests.hosts import HOSTS, Begin, Host, execute, is_sqlite
from tests.service_support import AnyOrder, House, house, request
from tests.support import CANCELLING, DAY, OPENED_AT, choose, seen


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        with home.store.pool.transaction() as session:
            session.execute("CREATE TABLE host (word text)")
        yield home


@pytest.fixture(params=HOSTS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def host(kind: str) -> Host:
    return HOSTS[kind][0]


@pytest.fixture
def begin(kind: str) -> Begin:
    return HOSTS[kind][1]


on_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
ANSWER = choose(Option.CONSUMER_CANCELS, key="k-1", note="x")
FACTS = seen(CANCELLING, OPENED_AT, "O-D-1")


def written(home: House) -> tuple[int, int]:
    """Return how many rows of the host, and how many events are stored."""
    with home.store.pool.take() as session:
        counts = [
            session.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 -- our own names
            for table in ("host", "dispute_events")
        ]
    return counts[0], counts[1]


def host_works(home: House, connection: HostConnection) -> None:
    """Write a row of the host, an opening and a command; and a row again."""
    execute(connection, "INSERT INTO host VALUES ('before')")
    assert home.service.open(request(), facts=FACTS, connection=connection).accepted
    result = home.service.send("D-1", ANSWER, facts=FACTS, connection=connection)
    assert isinstance(result.decision, Accepted)
    execute(connection, "INSERT INTO host VALUES ('after')")


class ChangedMindError(Exception):
    """Raised by a host on purpose."""


def host_works_and_fails(home: House, connection: HostConnection) -> None:
    host_works(home, connection)
    raise ChangedMindError


# ---- as one --------------------------------------------------------------------------------------


def test_the_hosts_rows_and_our_events_are_committed_together(
    home: House, url: str, host: Host, begin: Begin
) -> None:
    with host(url) as connection:
        with begin(connection):
            host_works(home, connection)
            assert written(home) == (0, 0)
        assert written(home) == (2, 2)
        with begin(connection):
            repeated = home.service.send("D-1", ANSWER, connection=connection)
        assert (repeated.event, repeated.codes) == (None, ())
    assert home.service.history("D-1")[-1].key == "k-1"


def test_what_the_host_rolls_back_has_not_happened(
    home: House, url: str, host: Host, begin: Begin
) -> None:
    with host(url) as connection:
        with pytest.raises(ChangedMindError), begin(connection):
            host_works_and_fails(home, connection)
        assert written(home) == (0, 0)
        with begin(connection):
            host_works(home, connection)
    assert written(home) == (2, 2)


def test_a_host_reads_as_before(home: House, url: str, host: Host, begin: Begin) -> None:
    watched = ("autocommit", "isolation_level", "row_factory", "text_factory", "prepare_threshold")

    def settings(connection: Any) -> list[object]:  # noqa: ANN401 -- of any kind
        driver = connection.connection if hasattr(connection, "connection") else connection
        return [getattr(driver, name, None) for name in watched]

    with host(url) as connection, begin(connection):
        execute(connection, "SELECT 1")
        before = settings(connection)
        host_works(home, connection)
        assert settings(connection) == before


def test_the_time_is_read_as_it_is_whatever_the_host_makes_of_it(
    url: str, host: Host, begin: Begin
) -> None:
    with closing(Store(url)) as store:
        service = DisputeService(store, AnyOrder())
        service.open(request())
        before = service.now()
        with host(url) as connection, begin(connection):
            now = service.now(connection)
            result = service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND), connection=connection)
        assert result.event is not None
        assert before <= now <= result.event.at <= service.now()


# ---- facts ---------------------------------------------------------------------------------------


def test_facts_are_had_before_the_transaction_and_handed_in(
    url: str, host: Host, begin: Begin
) -> None:
    orders = AnyOrder()
    with closing(Store(url)) as store, host(url) as connection:
        service = DisputeService(store, orders)  # by the real clock
        facts = service.facts(request())
        with begin(connection):
            assert service.open(request(), facts=facts, connection=connection).accepted
        facts = service.facts("D-1", ANSWER)
        with begin(connection):
            assert service.send("D-1", ANSWER, facts=facts, connection=connection).accepted
        assert orders.looks == 2


def test_facts_are_asked_for_only_where_a_guard_needs_them(home: House) -> None:
    answered = choose(Option.ALREADY_SHIPPED, key="k-1")
    facts = home.service.facts(request())
    assert facts is not None
    assert facts.observed_at == home.time.now
    home.service.open(request(), facts=facts)
    looks = home.orders.looks
    assert home.service.facts(request()) is None, "it exists"
    assert home.service.facts("D-1", choose(Option.OUT_OF_STOCK_REFUND)) is None
    assert home.orders.looks == looks
    assert home.service.facts("D-1", answered) is not None
    assert home.orders.looks == looks + 1
    home.service.send("D-1", answered)
    looks = home.orders.looks
    assert home.service.facts("D-1", answered) is None, "it was chosen"
    assert home.orders.looks == looks


def test_facts_that_cannot_be_had_are_errors(home: House) -> None:
    with pytest.raises(UnknownDisputeError):
        home.service.facts("D-9", ANSWER)
    home.open()
    home.orders.available = False
    with pytest.raises(OrderSystemUnavailableError):
        home.service.facts("D-1", ANSWER)
    unknown = DisputeService(home.store, InMemoryOrderSystem(), clock=home.time)
    with pytest.raises(InputError) as error:
        unknown.facts(request("D-2"))
    assert error.value.field == "order_id"
    with pytest.raises(InputError, match="command"):
        home.service.facts("D-1", None)  # type: ignore[call-overload]  # a host's mistake


def test_facts_of_a_dispute_whose_clock_went_back_are_as_of_its_last_event(home: House) -> None:
    home.open()
    home.time.now = OPENED_AT - DAY
    facts = home.service.facts("D-1", ANSWER)
    assert facts is not None
    assert facts.observed_at == OPENED_AT
    with home.store.engine.begin() as connection:
        assert home.service.send("D-1", ANSWER, facts=facts, connection=connection).accepted


# ---- what is an error ----------------------------------------------------------------------------


def refuses(home: House, connection: Any, match: str) -> None:  # noqa: ANN401 -- what is wrong too
    """Assert that no call works with a connection."""
    asks: tuple[Callable[[], object], ...] = (
        lambda: home.service.open(request("D-2"), connection=connection),
        lambda: home.service.send("D-1", ANSWER, facts=FACTS, connection=connection),
        lambda: home.service.expire("D-1", connection=connection),
        lambda: home.service.now(connection),
    )
    for ask in asks:
        with pytest.raises(InputError, match=match) as error:
            ask()
        assert error.value.field == "connection"


def test_outside_a_transaction_nothing_is_written(home: House, url: str, host: Host) -> None:
    home.open()
    with host(url) as connection:
        refuses(home, connection, "not in a transaction")
    assert written(home) == (0, 1)


def test_a_connection_of_sqlalchemy_that_commits_each_statement_is_in_no_transaction(
    home: House, url: str
) -> None:
    home.open()
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        assert connection.in_transaction(), "or so it says"
        refuses(home, connection, "commits each statement by itself")
    engine.dispose()
    assert written(home) == (0, 1)


@on_postgresql
def test_without_autocommit_psycopg_begins_by_itself(home: House, url: str) -> None:
    with psycopg.connect(conninfo(url)) as connection:
        host_works(home, connection)
        connection.rollback()
    assert written(home) == (0, 0)


@on_postgresql
def test_a_transaction_that_has_failed_is_an_error(home: House, url: str) -> None:
    home.open()
    with psycopg.connect(conninfo(url)) as connection:
        with pytest.raises(psycopg.Error, match="nowhere"):
            connection.execute("SELECT * FROM nowhere")
        refuses(home, connection, "can only be rolled back")
        connection.rollback()
        assert home.service.send("D-1", ANSWER, facts=FACTS, connection=connection).accepted
    with home.store.engine.connect() as other:
        with pytest.raises(DBAPIError, match="nowhere"):
            other.exec_driver_sql("SELECT * FROM nowhere")
        refuses(home, other, "can only be rolled back")


def test_a_block_of_django_that_has_failed_is_an_error(home: House, url: str) -> None:
    home.open()
    with HOSTS["django"][0](url) as connection:
        with transaction.atomic(using="host"):
            transaction.set_rollback(True, using="host")
            refuses(home, connection, "can only be rolled back")
        with transaction.atomic(using="host"):
            home.service.send("D-1", ANSWER, facts=FACTS, connection=connection)
    assert written(home) == (0, 2)


@on_postgresql
def test_a_connection_that_is_busy_or_in_a_pipeline_is_an_error(home: House, url: str) -> None:
    home.open()
    with psycopg.connect(conninfo(url)) as connection:
        with connection.pipeline():
            refuses(home, connection, "pipeline")
        with connection.cursor().copy("COPY host TO STDOUT") as copy:
            refuses(home, connection, "busy")
            assert list(copy) == []
        assert home.service.send("D-1", ANSWER, facts=FACTS, connection=connection).accepted
    assert written(home) == (0, 2)


@on_postgresql
def test_a_connection_that_was_closed_is_unavailable(home: House, url: str) -> None:
    home.open()
    connection = psycopg.connect(conninfo(url))
    connection.close()
    with pytest.raises(StoreUnavailableError):
        home.service.send("D-1", ANSWER, facts=FACTS, connection=connection)


def test_a_connection_to_another_kind_of_database_is_an_error(home: House, url: str) -> None:
    if (why := unreachable()) is not None:
        pytest.skip(why)
    other = "sqlite:///:memory:" if not is_sqlite(url) else SERVER
    for host, begin in HOSTS.values():
        with host(other) as connection, begin(connection):
            refuses(home, connection, "the store's database is")


def test_what_is_no_such_connection_is_an_error_that_says_what_is_taken(home: House) -> None:
    taken = "SQLAlchemy, psycopg 3 or sqlite3, or django.db.connection, not "
    refuses(home, object(), f"{taken}object")
    refuses(home, home.store.engine, f"{taken}Engine")
    with Session(home.store.engine) as session:
        refuses(home, session, f"{taken}Session")


@on_postgresql
def test_a_connection_of_asyncio_is_an_error(home: House, url: str) -> None:
    async def host() -> None:
        async with await psycopg.AsyncConnection.connect(conninfo(url)) as connection:
            refuses(home, connection, "not AsyncConnection")

    asyncio.run(host())
