"""The store: what the database itself refuses, URLs, errors, migrations, snapshots, loading."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import inspect, literal, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError as Refused

from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.domain.enums import CommandType, Option
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import InputError, StoreInvalidError, StoreUnavailableError
from dispute_fsm.rules import registry, v2023_03
from dispute_fsm.service import DisputeService
from dispute_fsm.store.address import address_of, engine_of, file_of
from dispute_fsm.store.import_export import export_history
from dispute_fsm.store.integrity import CheckCounts, check
from dispute_fsm.store.pool import Pool, store_error
from dispute_fsm.store.projection import (
    loading,
    read_snapshot,
    snapshot_version,
    write_snapshot,
)
from dispute_fsm.store.repository import Store
from dispute_fsm.store.schema import SCHEMA_VERSION, migrate, version
from dispute_fsm.store.session import Session
from tests.databases import SERVER, unreachable
from tests.service_support import House, house, plan, request, whole_tables
from tests.support import CLAIMABLE, DAY, choose, command, over, situations, submission


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


# ---- what the database refuses -------------------------------------------------------------------


@pytest.mark.parametrize("table", ["dispute_events", "dispute_policies"])
@pytest.mark.parametrize("how", ["UPDATE {} SET {} = 'x'", "DELETE FROM {}"])
def test_the_database_refuses_to_change_or_delete_what_happened(
    home: House, table: str, how: str
) -> None:
    home.open()
    before = home.service.history("D-1")
    column = "hash" if table == "dispute_events" else "body"
    with (
        home.store.engine.begin() as connection,
        pytest.raises(Refused, match=f"{table} is append-only"),
        connection.begin_nested(),
    ):
        connection.exec_driver_sql(how.format(table, column))
    assert home.service.history("D-1") == before


@pytest.mark.parametrize("table", ["dispute_events", "dispute_policies"])
def test_the_database_refuses_replace_and_truncate(home: House, table: str) -> None:
    home.open()
    before = home.service.history("D-1")
    sqlite = home.store.engine.dialect.name == "sqlite"
    # SQLite's REPLACE would delete without a trigger of DELETE, PostgreSQL's TRUNCATE without a
    # row's.
    how = (
        (f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}") if sqlite else f"TRUNCATE {table}"  # noqa: S608 -- our own names
    )
    with (
        home.store.engine.begin() as connection,
        pytest.raises(Refused, match=f"{table} is append-only"),
        connection.begin_nested(),
    ):
        connection.exec_driver_sql(how)
    assert home.service.history("D-1") == before


def test_the_database_refuses_a_second_live_dispute_about_an_order(home: House) -> None:
    home.open("D-1")
    home.open("D-2")
    with home.store.engine.begin() as connection, pytest.raises(Refused), connection.begin_nested():
        connection.exec_driver_sql("UPDATE disputes SET order_id = 'O-D-1'")


# ---- URLs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("disputes.db", "not the URL of a database"),
        ("mysql://localhost/test", 'unsupported database "mysql"'),
        ("postgresql+psycopg2:///test", 'unsupported database "postgresql\\+psycopg2"'),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:///file:x?mode=memory&uri=true", "name a file"),
        ("sqlite:///file::memory:", "name a file"),
        ("sqlite://d.db", "three slashes: sqlite:///d.db"),
        ("postgresql://localhost:port/test", "not the URL of a database"),
    ],
)
def test_an_invalid_url_is_an_error_with_an_example(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        address_of(url)
    assert error.value.field == "url"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///d.db?timeout=", "timeout has no value"),
        ("postgresql:///test?options=&timeout=5", "options has no value"),
        ("sqlite:///d.db?timout=5", r"timout is not .*did you mean timeout\?"),
        ("sqlite:///d.db?Timeout=5", r"Timeout is not .*did you mean timeout\?"),
        ("sqlite:///d.db?busy=5", "known are timeout"),
        ("sqlite:///d.db?mode=ro", "mode is a parameter of a URI; write sqlite:///file:d.db"),
        ("sqlite:///file:d.db?mood=ro&uri=true", r"mood is not .*did you mean mode\?"),
        ("sqlite:///file:d.db?uri=false", "uri: "),
        ("sqlite:///d.db?timeout=5&timeout=6", "timeout is given 2 times"),
        ("postgresql:///test?timout=5", r"timout is not .*did you mean connect_timeout\?"),
        ("postgresql:///test?sslmod=require", r"did you mean sslmode\?"),
        ("postgresql:///test?prepare_treshold=0", r"did you mean prepare_threshold\?"),
        ("postgresql:///test?host=a&host=b&port=x", "host and port: "),
        ("postgresql:///test?zzzzzz=1", "known are the parameters of libpq"),
    ],
)
def test_an_unknown_parameter_is_an_error_with_a_suggestion(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        address_of(url)
    assert error.value.field == "url"


@pytest.mark.parametrize(
    ("parameter", "kind"),
    [
        *(
            (f"{name}=long", "sqlite")
            for name in ("timeout", "cached_statements", "detect_types", "check_same_thread", "uri")
        ),
        *((f"timeout={value}", "sqlite") for value in ("-1", "nan", "inf", "1e9")),
        *((f"{name}=x", "file") for name in ("mode", "cache", "immutable", "nolock", "psow")),
        *(
            (f"{name}=x", "postgresql")
            for name in ("connect_timeout", "keepalives", "keepalives_idle", "tcp_user_timeout")
        ),
        *((f"prepare_threshold={value}", "postgresql") for value in ("x", "-1", "1.5")),
    ],
)
def test_an_invalid_value_is_an_error_that_names_the_parameter(parameter: str, kind: str) -> None:
    url = {
        "sqlite": "sqlite:///d.db?",
        "file": "sqlite:///file:d.db?uri=true&",
        "postgresql": "postgresql:///test?",
    }[kind]
    with pytest.raises(InputError, match=f"^url: {parameter.partition('=')[0]}: "):
        address_of(url + parameter)


def test_parameters_reach_the_driver_in_their_types(url: str) -> None:
    given = {"timeout": "5", "cached_statements": "64"}
    if url.startswith("postgresql"):
        given = {
            "prepare_threshold": "0",
            "keepalives": "true",
            "keepalives_idle": "30",
            "connect_timeout": "30",
        }
    with house(make_url(url).update_query_dict(given)) as home:
        home.open()
        assert isinstance(
            home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND)).decision, Accepted
        )
        with home.store.pool.take() as session:
            if url.startswith("sqlite"):
                assert session.execute("PRAGMA busy_timeout").fetchone() == (5000,)
            else:
                assert session.driver.prepare_threshold == 0


@pytest.mark.parametrize(
    "parameter", ["sslmode", "channel_binding", "target_session_attrs", "gssencmode"]
)
def test_a_value_that_only_libpq_can_check_is_an_error_that_names_the_parameter(
    parameter: str,
) -> None:
    with pytest.raises(InputError, match=f"^url: {parameter}: invalid"):
        Store(f"postgresql://nobody@127.0.0.1:1/test?{parameter}=x")


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///d.db", Path("d.db")),
        ("sqlite:////srv/d.db?timeout=5", Path("/srv/d.db")),
        ("sqlite:///file:/srv/d.db?mode=ro&uri=true", None),
        ("postgresql:///test", None),
    ],
)
def test_which_file_a_url_means(url: str, file: Path | None) -> None:
    assert file_of(url) == file


def test_an_sqlite_that_is_too_old_is_an_error_that_names_both_versions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    with pytest.raises(InputError, match=r"SQLite 3\.35 or newer .* 3\.34\.1"):
        address_of("sqlite:///disputes.db")


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/disputes.db", "postgresql://nobody@127.0.0.1:1/test"]
)
def test_a_database_that_cannot_be_reached_is_unavailable(url: str) -> None:
    with pytest.raises(StoreUnavailableError, match="database unavailable"):
        Store(url)


def test_a_file_that_is_no_database_is_invalid_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("hello\n" * 1000)
    with pytest.raises(StoreInvalidError, match="not a database"):
        Store(f"sqlite:///{file}")
    assert file.read_text() == "hello\n" * 1000


def test_a_damaged_file_is_invalid(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'd.db'}"
    with house(url) as home:
        for number in range(50):
            home.open(f"D-{number}")
    damaged = (tmp_path / "d.db").read_bytes()
    (tmp_path / "d.db").write_bytes(damaged[: len(damaged) // 2 // 4096 * 4096])

    def looked_through() -> None:
        store = Store(url)
        try:
            list(check(store, CheckCounts()))
        finally:
            store.close()

    with pytest.raises(StoreInvalidError, match="malformed"):
        looked_through()


def test_a_database_that_takes_no_writes_is_unavailable(home: House) -> None:
    home.open()
    url = home.store.engine.url
    if url.get_backend_name() == "sqlite":
        only_read = url.set(database=f"file:{url.database}").update_query_dict(
            {"mode": "ro", "uri": "true"}
        )
    else:
        only_read = url.update_query_dict(
            {"options": f"{url.query['options']} -cdefault_transaction_read_only=on"}
        )
    store = Store(only_read)
    try:
        service = DisputeService(store, home.orders, clock=home.time)
        for ask in (
            lambda: service.open(request("D-2")),
            lambda: service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND)),
            service.sweep,
        ):
            with pytest.raises(StoreUnavailableError, match=r"read-?only"):
                ask()
        assert len(service.history("D-1")) == 1
    finally:
        store.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("DROP TABLE dispute_keys", "dispute_keys"),
        (
            "DROP TABLE dispute_deadlines",
            "dispute_deadlines",
        ),  # written without waiting for an answer
        ("ALTER TABLE disputes RENAME COLUMN snapshot TO renamed", "snapshot"),
        ("ALTER TABLE dispute_schema RENAME COLUMN version TO renamed", "version"),
        ("DELETE FROM dispute_schema", "dispute_schema is empty"),
    ],
)
def test_a_database_of_another_shape_is_invalid_and_not_worth_another_try(
    home: House, url: str, change: str, message: str
) -> None:
    home.open()
    with home.store.engine.begin() as connection:
        connection.exec_driver_sql(change)

    def asks() -> None:
        with house(url) as other:
            other.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND, key="k"))

    with pytest.raises(StoreInvalidError, match=message):
        asks()
    assert len(home.service.history("D-1")) == 1, "nothing is half-written"


def test_tables_of_others_with_our_names_are_invalid(url: str) -> None:
    engine = engine_of(address_of(url))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE disputes (theirs text)")
    engine.dispose()
    with pytest.raises(StoreInvalidError, match="disputes"):
        Store(url)


@pytest.mark.parametrize(
    "does", ["sweep", "feed", "by_merchant", "check", "export", "consumer", "hosted"]
)
def test_every_call_raises_our_exception_for_a_missing_table(home: House, does: str) -> None:
    home.open()
    home.time.pass_(2 * DAY)
    with home.store.engine.begin() as connection:
        for name in ("dispute_events", "disputes", "dispute_deadlines", "dispute_consumers"):
            connection.exec_driver_sql(f"DROP TABLE {name}")

    def hosted() -> None:
        with home.store.engine.begin() as connection:
            home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND), connection=connection)

    calls: dict[str, Callable[[], object]] = {
        "sweep": home.service.sweep,
        "feed": home.service.feed,
        "by_merchant": lambda: home.service.by_merchant("M-1"),
        "check": lambda: list(check(home.store, CheckCounts())),
        "export": lambda: list(export_history(home.store)),
        "consumer": home.service.consumer("c", lambda _event: None).deliver,
        "hosted": hosted,
    }
    with pytest.raises(StoreInvalidError, match="dispute"):
        calls[does]()


def test_a_missing_schema_or_folder(home: House, tmp_path: Path) -> None:
    url = home.store.engine.url
    if "sqlite" in url.drivername:
        with pytest.raises(StoreUnavailableError, match="unable to open"):
            Store(url.set(database=str(tmp_path / "no" / "d.db")))
    else:
        with pytest.raises(StoreInvalidError, match="no schema"):
            Store(url.update_query_dict({"options": "-csearch_path=nowhere"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"database": "nowhere_at_all"}, "does not exist"),
        ({"username": "nobody_at_all"}, "nobody_at_all"),
        ({"query": {"options": "-cno_such_setting=1"}}, "no_such_setting"),
    ],
    ids=["database", "user", "setting"],
)
def test_a_server_that_will_never_let_us_in_is_not_worth_another_try(
    change: dict[str, Any], message: str
) -> None:
    if (why := unreachable()) is not None:
        pytest.skip(why)
    with pytest.raises(StoreInvalidError, match=message):
        Store(make_url(SERVER).set(**change))


def test_missing_rights_are_invalid(home: House) -> None:
    home.open()
    if home.store.address.dialect.name == "sqlite":
        return  # a file's rights are the system's: see the test of a database that takes no writes
    asked, role = choose(Option.OUT_OF_STOCK_REFUND), f"dispute_{uuid4().hex[:12]}"
    with home.store.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role}")
        connection.exec_driver_sql(
            "GRANT USAGE ON SCHEMA "
            f"{connection.exec_driver_sql('SELECT current_schema()').scalar_one()} TO {role}"
        )
        connection.exec_driver_sql(f"SET LOCAL ROLE {role}")
        with pytest.raises(StoreInvalidError, match="permission denied"):
            home.service.send("D-1", asked, connection=connection)
        connection.rollback()


class Coded(psycopg.Error):
    """An error of a server with a code of the test's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.sqlstate = code


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (
            "08006 08P01 40001 40P01 53100 53300 57014 57P01 57P03 58030 25006 25P03 55P03",
            StoreUnavailableError,
        ),
        (
            "42P01 42703 42501 42P07 3F000 3D000 28P01 23505 22P05 XX001 0A000 26000",
            StoreInvalidError,
        ),
    ],
)
def test_an_error_of_postgresql_is_worth_another_try_by_its_code(
    codes: str, kind: type[Exception]
) -> None:
    for code in codes.split():
        assert type(store_error(Coded(code))) is kind, code
        assert type(store_error(DBAPIError("SELECT", None, Coded(code)))) is kind, (
            f"{code}, through SQLAlchemy"
        )


def test_an_error_that_is_not_of_a_driver_is_not_translated() -> None:
    assert [
        store_error(error)
        for error in (
            None,
            ZeroDivisionError(),
            KeyError("x"),
            psycopg.ProgrammingError("a mistake"),
        )
    ] == [None] * 4


# ---- the version of the schema -------------------------------------------------------------------


def test_many_processes_may_make_the_tables_at_once(url: str) -> None:
    pools = [Pool(address_of(url)) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(migrate, pools))
    assert sorted(found) == [0, *[SCHEMA_VERSION] * 7]
    for pool in pools:
        pool.close()


def test_an_older_schema_is_brought_forward_step_by_step_and_keeps_what_it_holds(
    home: House,
) -> None:
    home.open()
    steps: list[int] = []

    def step(to: int) -> object:
        def change(session: Session) -> None:
            steps.append(to)
            session.execute(f"ALTER TABLE disputes ADD COLUMN extra_{to} TEXT")

        return change

    newer = SCHEMA_VERSION + 2
    migrations = FrozenMap({at: step(at + 1) for at in range(SCHEMA_VERSION, newer)})
    assert migrate(home.store.pool, migrations, newer) == SCHEMA_VERSION  # type: ignore[arg-type]  # made above
    assert steps == [SCHEMA_VERSION + 1, newer]
    with home.store.pool.take() as session:
        assert version(session) == newer
    with home.store.engine.connect() as connection:
        assert {f"extra_{SCHEMA_VERSION + 1}", f"extra_{newer}"} <= {
            column["name"] for column in inspect(connection).get_columns("disputes")
        }
    assert home.service.get("D-1") is not None
    assert migrate(home.store.pool, migrations, newer) == newer  # type: ignore[arg-type]  # as above
    assert steps == [SCHEMA_VERSION + 1, newer]


def test_a_step_that_fails_changes_nothing(home: House) -> None:
    def fails(session: Session) -> None:
        session.execute("ALTER TABLE disputes ADD COLUMN half TEXT")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        migrate(home.store.pool, {SCHEMA_VERSION: fails}, SCHEMA_VERSION + 1)
    with home.store.pool.take() as session:
        assert version(session) == SCHEMA_VERSION
    with home.store.engine.connect() as connection:
        assert "half" not in {
            column["name"] for column in inspect(connection).get_columns("disputes")
        }


def test_a_newer_schema_is_refused(home: House, url: str) -> None:
    with home.store.engine.begin() as connection:
        connection.execute(text("UPDATE dispute_schema SET version = 99"))
    with pytest.raises(InputError, match="schema version 99"):
        Store(url)


# ---- snapshots -----------------------------------------------------------------------------------

POLICIES = {
    "default": over(),
    "denial is reviewed": over(denial="review"),
    "nobody is asked": over(confirmation=None),
}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_snapshot_is_the_dispute(policy: Policy) -> None:
    for name, dispute in situations(policy).items():
        again = read_snapshot(
            write_snapshot(dispute), dispute.opening, dispute.policy, dispute.keys
        )
        assert again == dispute, name


def test_the_same_dispute_is_the_same_text(home: House) -> None:
    home.open()
    made = home.service.send("D-1", choose(Option.SHIP_BY_AGREED_DATE)).dispute
    with home.store.pool.take() as session:
        assert write_snapshot(home.store.fold(session, "D-1", made.policy)) == write_snapshot(made)


def test_the_version_of_a_snapshot_is_another_for_another_chart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = snapshot_version("2023-03")
    other = registry.compiled(v2023_03.VERSION)
    object.__setattr__(other.table, "digest", "0" * 64)
    monkeypatch.setattr(registry, "VERSIONS", FrozenMap({"2023-03": other}))
    assert snapshot_version("2023-03") != before


@pytest.mark.parametrize("planted", ["snapshot_version = 'older'", "snapshot = '{}'"])
def test_a_snapshot_that_is_not_read_is_folded_from_the_events_and_written_anew(
    home: House, planted: str
) -> None:
    home.open()
    expected = home.service.send("D-1", choose(Option.PROVE_NO_FAULT, key="k-1")).dispute
    with home.store.engine.begin() as connection:
        connection.execute(text(f"UPDATE disputes SET {planted}"))  # noqa: S608 -- our own SQL
    assert home.service.get("D-1") == expected
    home.service.send("D-1", submission())
    with home.store.engine.connect() as connection:
        row = connection.execute(text("SELECT snapshot_version, snapshot FROM disputes")).one()
    assert row.snapshot_version == snapshot_version("2023-03")
    assert row.snapshot != "{}"


def test_loading_reads_a_bounded_number_of_rows_however_long_the_history_is(home: House) -> None:
    home.orders.shown = CLAIMABLE
    home.open(policy=over(max_recorded_refusals=1_000))
    read: list[str] = []

    def loaded() -> tuple[list[str], int]:
        home.store._policies.clear()  # noqa: SLF001 -- a process that has just begun
        read.clear()
        with home.store.pool.take() as session:
            really = session.execute
            session.execute = lambda statement, given=(): (
                read.append(statement),  # type: ignore[func-returns-value]
                really(statement, given),
            )[1]
            found = home.store.load(session, "D-1", "k-1")
            session.execute = really
        assert found is not None
        return list(read), found.dispute.seq

    short, events = loaded()
    assert events == 1
    for _ in range(300):
        home.service.send("D-1", command(CommandType.CONFIRM_AGREEMENT))
    long, events = loaded()
    assert events == 301
    assert long == short
    assert len(long) == 2  # the dispute with its first event and the key's; its policy
    assert not any("ORDER BY dispute_events.seq" in statement for statement in long)
    with home.store.engine.begin() as connection:
        found = plan(connection, loading(literal(0)), {"dispute_id": "D-1", "key": "k-1"})
    assert whole_tables(found) == []


def test_without_a_server_the_tests_on_postgresql_say_so(tmp_path: Path) -> None:
    del tmp_path
    reason = unreachable()
    assert reason is None or "no PostgreSQL answers at DISPUTE_FSM_TEST_POSTGRES" in reason
