"""The store: what the database itself refuses, the schema's version, snapshots, and that loading reads a bounded number of rows."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, inspect, literal, text
from sqlalchemy.exc import IntegrityError as Refused

from dispute_fsm.charts import registry, v2023_03
from dispute_fsm.errors import InputError, StoreUnavailableError
from dispute_fsm.rules.policy import Policy
from dispute_fsm.rules.strict import FrozenMap
from dispute_fsm.rules.vocabulary import CommandType, Option
from dispute_fsm.service.service import DisputeService
from dispute_fsm.store import snapshot
from dispute_fsm.store.check import Checked, check
from dispute_fsm.store.engine import engine_for, file_of, reading, writing
from dispute_fsm.store.migrate import migrate, version
from dispute_fsm.store.schema import SCHEMA_VERSION
from dispute_fsm.store.statements import loading
from dispute_fsm.store.store import Store
from tests.databases import unreachable
from tests.service_support import House, house, plan, request, whole_tables
from tests.support import CLAIMABLE, choose, command, over, situations, submission


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


# ---- what the database refuses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["dispute_events", "dispute_policies"])
@pytest.mark.parametrize("how", ["UPDATE {} SET {} = 'x'", "DELETE FROM {}"])
def test_the_database_refuses_to_change_or_delete_what_happened(home: House, table: str, how: str) -> None:
    home.open()
    before = home.service.history("D-1")
    column = "hash" if table == "dispute_events" else "body"
    with writing(home.store.engine) as connection, pytest.raises(Refused, match=f"{table} is append-only"), connection.begin_nested():
        connection.exec_driver_sql(how.format(table, column))
    assert home.service.history("D-1") == before


@pytest.mark.parametrize("table", ["dispute_events", "dispute_policies"])
def test_no_other_way_round_is_open(home: House, table: str) -> None:
    home.open()
    before = home.service.history("D-1")
    sqlite = home.store.engine.dialect.name == "sqlite"
    # SQLite's REPLACE would delete without a trigger of DELETE, PostgreSQL's TRUNCATE without a row's.
    how = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" if sqlite else f"TRUNCATE {table}"  # noqa: S608 -- our own names
    with writing(home.store.engine) as connection, pytest.raises(Refused, match=f"{table} is append-only"), connection.begin_nested():
        connection.exec_driver_sql(how)
    assert home.service.history("D-1") == before


def test_the_database_refuses_a_second_live_dispute_about_an_order(home: House) -> None:
    home.open("D-1")
    home.open("D-2")
    with writing(home.store.engine) as connection, pytest.raises(Refused), connection.begin_nested():
        connection.exec_driver_sql("UPDATE disputes SET order_id = 'O-D-1'")


# ---- URLs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("disputes.db", "not the URL of a database"),
        ("mysql://localhost/test", "mysql is not spoken here"),
        ("postgresql+psycopg2:///test", "postgresql\\+psycopg2 is not spoken here"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:///d.db?timeout=long", "cannot be read: could not convert string to float: 'long'"),
        ("postgresql://localhost:port/test", "not the URL of a database"),
    ],
)
def test_a_url_that_is_none_is_an_error_that_says_which_would_be(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        engine_for(url)


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


def test_an_sqlite_that_is_too_old_is_an_error_that_names_both_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    with pytest.raises(InputError, match=r"SQLite 3\.35 or newer .* 3\.34\.1"):
        engine_for("sqlite:///disputes.db")


@pytest.mark.parametrize("url", ["sqlite:////nowhere/disputes.db", "postgresql://nobody@127.0.0.1:1/test"])
def test_a_database_that_cannot_be_reached_is_unavailable(url: str) -> None:
    with pytest.raises(StoreUnavailableError, match="cannot be worked with now"):
        Store(url)


def test_a_file_that_is_no_database_is_unavailable_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("hello\n" * 1000)
    with pytest.raises(StoreUnavailableError, match="not a database"):
        Store(f"sqlite:///{file}")
    assert file.read_text() == "hello\n" * 1000


def test_a_damaged_file_is_unavailable(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'd.db'}"
    with house(url) as home:
        for number in range(50):
            home.open(f"D-{number}")
    damaged = (tmp_path / "d.db").read_bytes()
    (tmp_path / "d.db").write_bytes(damaged[: len(damaged) // 2 // 4096 * 4096])

    def looked_through() -> None:
        store = Store(url)
        try:
            list(check(store, Checked()))
        finally:
            store.close()

    with pytest.raises(StoreUnavailableError, match="malformed"):
        looked_through()


def test_a_database_that_takes_no_writes_is_unavailable(home: House) -> None:
    home.open()
    url = home.store.engine.url
    if url.get_backend_name() == "sqlite":
        only_read = url.set(database=f"file:{url.database}").update_query_dict({"mode": "ro", "uri": "true"})
    else:
        only_read = url.update_query_dict({"options": f"{url.query['options']} -cdefault_transaction_read_only=on"})
    store = Store(only_read)
    try:
        service = DisputeService(store, home.orders, clock=home.time)
        for ask in (lambda: service.open(request("D-2")), lambda: service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND)), service.sweep):
            with pytest.raises(StoreUnavailableError, match=r"read-?only"):
                ask()
        assert len(service.history("D-1")) == 1
    finally:
        store.close()


def test_a_schema_that_is_not_there_is_unavailable(home: House, tmp_path: Path) -> None:
    url = home.store.engine.url
    other = url.set(database=str(tmp_path / "no" / "d.db"))
    nowhere = other if "sqlite" in url.drivername else url.update_query_dict({"options": "-csearch_path=nowhere"})
    with pytest.raises(StoreUnavailableError, match=r"unable to open|no schema"):
        Store(nowhere)


# ---- the version of the schema -----------------------------------------------------------------------------------------


def test_many_processes_may_make_the_tables_at_once(url: str) -> None:
    engines = [engine_for(url) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(migrate, engines))
    assert sorted(found) == [0, *[SCHEMA_VERSION] * 7]
    for engine in engines:
        engine.dispose()


def test_an_older_schema_is_brought_forward_step_by_step_and_keeps_what_it_holds(home: House) -> None:
    home.open()
    steps: list[int] = []

    def step(to: int) -> object:
        def change(connection: Connection) -> None:
            steps.append(to)
            connection.exec_driver_sql(f"ALTER TABLE disputes ADD COLUMN extra_{to} TEXT")

        return change

    newer = SCHEMA_VERSION + 2
    migrations = FrozenMap({at: step(at + 1) for at in range(SCHEMA_VERSION, newer)})
    assert migrate(home.store.engine, migrations, newer) == SCHEMA_VERSION  # type: ignore[arg-type]  # made above
    assert steps == [SCHEMA_VERSION + 1, newer]
    with reading(home.store.engine) as connection:
        assert version(connection) == newer
        assert {"extra_2", "extra_3"} <= {column["name"] for column in inspect(connection).get_columns("disputes")}
    assert home.service.get("D-1") is not None
    assert migrate(home.store.engine, migrations, newer) == newer  # type: ignore[arg-type]  # as above
    assert steps == [SCHEMA_VERSION + 1, newer]


def test_a_step_that_fails_changes_nothing(home: House) -> None:
    def fails(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE disputes ADD COLUMN half TEXT")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        migrate(home.store.engine, {SCHEMA_VERSION: fails}, SCHEMA_VERSION + 1)
    with reading(home.store.engine) as connection:
        assert version(connection) == SCHEMA_VERSION
        assert "half" not in {column["name"] for column in inspect(connection).get_columns("disputes")}


def test_a_newer_schema_is_refused(home: House, url: str) -> None:
    with writing(home.store.engine) as connection:
        connection.execute(text("UPDATE dispute_schema SET version = 99"))
    with pytest.raises(InputError, match="schema version 99"):
        Store(url)


# ---- snapshots ---------------------------------------------------------------------------------------------------------

POLICIES = {"default": over(), "denial is reviewed": over(denial="review"), "nobody is asked": over(confirmation=None)}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_snapshot_is_the_dispute(policy: Policy) -> None:
    for name, dispute in situations(policy).items():
        again = snapshot.read(snapshot.written(dispute), dispute.opening, dispute.policy, dispute.keys)
        assert again == dispute, name


def test_the_same_dispute_is_the_same_text(home: House) -> None:
    home.open()
    made = home.service.send("D-1", choose(Option.SHIP_BY_AGREED_DATE)).dispute
    with reading(home.store.engine) as connection:
        assert snapshot.written(home.store.folded(connection, "D-1", made.policy)) == snapshot.written(made)


def test_the_version_of_a_snapshot_is_another_for_another_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot.snapshot_version("2023-03")
    other = registry.compiled(v2023_03.VERSION)
    object.__setattr__(other.table, "digest", "0" * 64)
    monkeypatch.setattr(registry, "VERSIONS", FrozenMap({"2023-03": other}))
    assert snapshot.snapshot_version("2023-03") != before


@pytest.mark.parametrize("planted", ["snapshot_version = 'older'", "snapshot = '{}'"])
def test_a_snapshot_that_is_not_read_is_folded_from_the_events_and_written_anew(home: House, planted: str) -> None:
    home.open()
    stands = home.service.send("D-1", choose(Option.PROVE_NO_FAULT, key="k-1")).dispute
    with writing(home.store.engine) as connection:
        connection.execute(text(f"UPDATE disputes SET {planted}"))  # noqa: S608 -- our own words
    assert home.service.get("D-1") == stands
    home.service.send("D-1", submission())
    with reading(home.store.engine) as connection:
        row = connection.execute(text("SELECT snapshot_version, snapshot FROM disputes")).one()
    assert row.snapshot_version == snapshot.snapshot_version("2023-03")
    assert row.snapshot != "{}"


def test_loading_reads_a_bounded_number_of_rows_however_long_the_history_is(home: House) -> None:
    home.orders.shown = CLAIMABLE
    home.open(policy=over(max_recorded_refusals=1_000))
    read: list[str] = []

    def executed(_c: object, cursor: object, statement: str, *_: object) -> None:
        del cursor
        read.append(statement)

    def loaded() -> tuple[list[str], int]:
        home.store._policies.clear()  # noqa: SLF001 -- a process that has just begun
        read.clear()
        with reading(home.store.engine) as connection:
            found = home.store.load(connection, "D-1", "k-1")
        assert found is not None
        return list(read), found.dispute.seq

    event.listen(home.store.engine, "after_cursor_execute", executed)
    short, events = loaded()
    assert events == 1
    for _ in range(300):
        home.service.send("D-1", command(CommandType.CONFIRM_AGREEMENT))
    long, events = loaded()
    assert events == 301
    assert long == short
    assert len(long) == 2  # the dispute with its first event and the key's; its policy
    assert not any("ORDER BY dispute_events.seq" in statement for statement in long)
    with writing(home.store.engine) as connection:
        found = plan(connection, loading(literal(0)), {"dispute_id": "D-1", "key": "k-1"})
    assert whole_tables(found) == []


def test_without_a_server_the_tests_on_postgresql_say_so(tmp_path: Path) -> None:
    del tmp_path
    said = unreachable()
    assert said is None or "no PostgreSQL answers at DISPUTE_FSM_TEST_POSTGRES" in said
