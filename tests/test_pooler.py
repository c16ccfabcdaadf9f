"""Behind a real PgBouncer in transaction mode: each transaction may be in another session."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.domain.enums import CommandType, Option
from dispute_fsm.errors import StoreInvalidError, StoreUnavailableError
from dispute_fsm.service import DisputeService
from dispute_fsm.service.consumer import DeliveryResult
from dispute_fsm.service.sweeper import SweepResult
from dispute_fsm.store.address import address_of, behind_pooler
from dispute_fsm.store.import_export import export_history, import_history
from dispute_fsm.store.integrity import CheckCounts, check
from dispute_fsm.store.repository import Store
from tests.command_line import run
from tests.databases import conninfo, postgresql, unreachable
from tests.patience import PATIENCE, until
from tests.service_support import AnyOrder, House, house, promised, request, settle
from tests.support import CLAIMABLE, DAY, OPENED_AT, PAID, choose, over, seen

T = TypeVar("T")

THREADS, DISPUTES = 4, 80
SETTINGS = """[databases]
disputes = {server} connect_query='SET search_path TO {schema}'
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 3
logfile = {folder}/log
"""


class PgBouncer:
    """A PgBouncer of the test's own, on a socket in a folder, in front of a schema of its own."""

    def __init__(self, program: str, folder: Path, schema: str) -> None:
        with psycopg.connect(conninfo()) as server:
            info = server.info
            given = {
                "host": info.host,
                "port": str(info.port),
                "user": info.user,
                "password": info.password,
                "dbname": info.dbname,
            }
        words = " ".join(f"{name}={value}" for name, value in given.items() if value)
        self._settings = folder / "pgbouncer.ini"
        self._settings.write_text(
            SETTINGS.format(server=words, schema=schema, folder=folder), encoding="utf-8"
        )
        self._command = [
            program,
            *(["-u", "nobody"] if os.geteuid() == 0 else []),
            str(self._settings),
        ]
        self.url = f"postgresql://{given['user']}@/disputes?host={folder}&port=6432"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 -- the pooler
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: self._process.poll() is not None or self._answers(), "it does not answer")
        assert self._process.poll() is None, self._settings.with_name("log").read_text("utf-8")

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.url):
            return True
        return False

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)


@pytest.fixture
def pooler() -> Iterator[PgBouncer]:
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip(
            "no pgbouncer is installed, so nothing can be run behind one"
        )  # tools/ci_tools.sh installs it for .ci/run
    if (why := unreachable()) is not None:
        pytest.skip(why)
    folder = Path(f"/tmp/dispute-fsm-pooler-{os.getpid()}")  # noqa: S108 -- a socket's path must be short
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    try:
        with postgresql() as direct:
            pooler = PgBouncer(
                program,
                folder,
                str(make_url(direct).query["options"]).rpartition("=")[2],
            )
            try:
                yield pooler
            finally:
                pooler.stop()
    finally:
        shutil.rmtree(folder)


def in_threads(does: Callable[[int], T]) -> list[T]:
    """Let four threads do something to eighty disputes."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(does, range(DISPUTES)))


@pytest.mark.parametrize(
    "parameter", ["", "&prepare_threshold=0"], ids=["plain", "prepare_threshold=0"]
)
def test_four_threads_work_on_eighty_disputes_with_sweeps_and_the_feed(
    pooler: PgBouncer, parameter: str
) -> None:
    url = pooler.url + parameter
    with house(url) as home:

        def works(number: int) -> str:
            home.open(f"D-{number}")
            answer = home.service.send(f"D-{number}", choose(Option.OUT_OF_STOCK_REFUND, key="k"))
            home.service.sweep()
            home.service.feed()
            return type(answer.decision).__name__

        assert Counter(in_threads(works)) == {"Accepted": DISPUTES}
        home.time.pass_(9 * DAY)
        assert sum(in_threads(lambda _number: home.service.sweep()), SweepResult()) == SweepResult(
            fired=DISPUTES
        )
        settle(home.store)
        assert len({event.position for event in home.service.feed(limit=1_000)}) == 3 * DISPUTES
        assert len(home.service.by_merchant("M-1", limit=1_000).items) == DISPUTES
        assert list(check(home.store, CheckCounts())) == []
    checked = run("db", "check", "--db", url)
    assert (checked.code, checked.out.strip()) == (
        0,
        f"✓ {DISPUTES} disputes, {3 * DISPUTES} events, 0 damages",
    )


def test_a_connection_finds_out_whether_a_pooler_answers(pooler: PgBouncer) -> None:
    for url, pooled in ((pooler.url, True), (conninfo(), False)):
        with address_of(url).connect() as connection:
            assert behind_pooler(connection, connection.execute) is pooled
            assert (connection.prepare_threshold is None) is pooled


def test_a_runner_looks_by_itself_and_a_consumer_hears_everything_once(pooler: PgBouncer) -> None:
    store, heard = Store(pooler.url), list[str]()
    service = DisputeService(store, AnyOrder(PAID))
    sweeper = DisputeService(store, AnyOrder(PAID)).sweeper(poll_interval=timedelta(seconds=0.1))
    consumer = service.consumer("c", lambda event: heard.append(event["id"]))
    with capture_logs() as logs, ThreadPoolExecutor(1) as threads:
        running = threads.submit(sweeper.run)
        try:
            for number in range(8):
                service.open(request(f"D-{number}", over(scan_grace="0s")))
                promised(service, f"D-{number}")
            until(
                lambda: (
                    running.done() or all(one.closed for one in service.by_merchant("M-1").items)
                ),
                "nothing fired",
            )
        finally:
            sweeper.stop()
        assert running.result() == SweepResult(fired=8)
    settle(store)
    happened = sum(len(service.history(f"D-{number}")) for number in range(8))
    assert consumer.deliver(1_000) == DeliveryResult(delivered=happened)
    assert consumer.deliver(1_000) == DeliveryResult()
    assert len(set(heard)) == happened
    assert [line for line in logs if line["log_level"] != "info"] == []
    assert list(check(store, CheckCounts())) == []
    store.close()


def test_the_transactions_of_a_host_work_on_its_own_engine(pooler: PgBouncer) -> None:
    engine = create_engine(make_url(pooler.url).set(drivername="postgresql+psycopg"))
    with house(pooler.url) as home:
        home.open("D-0")
        with home.store.engine.begin() as connection:
            connection.execute(text("CREATE TABLE host (told text)"))

        def works(number: int) -> None:
            shown = seen(CLAIMABLE, OPENED_AT, f"O-D-{number}")
            with engine.connect() as connection, connection.begin() as transaction:
                home.service.open(request(f"D-{number}"), facts=shown, connection=connection)
                connection.execute(text("INSERT INTO host VALUES (:told)"), {"told": f"D-{number}"})
                answer = home.service.send(
                    f"D-{number}",
                    choose(Option.OUT_OF_STOCK_REFUND, key="k"),
                    connection=connection,
                )
                assert isinstance(answer.decision, Accepted)
                if number % 2:
                    transaction.rollback()

        in_threads(lambda number: works(number + 1))
        kept = {f"D-{number}" for number in range(2, DISPUTES + 1, 2)}
        with home.store.engine.connect() as connection:
            assert {row.told for row in connection.execute(text("SELECT told FROM host"))} == kept
        assert {one.dispute_id for one in home.service.by_merchant("M-1").items} == {"D-0", *kept}
        assert list(check(home.store, CheckCounts())) == []
    engine.dispose()


def test_histories_go_out_and_in(pooler: PgBouncer) -> None:
    with house(pooler.url) as home:
        for number in range(10):
            home.open(f"D-{number}")
            home.service.send(f"D-{number}", choose(Option.PROVE_NO_FAULT, key="k", note="x"))
        assert [home.service.erase(f"D-{number}") for number in range(3)] == [1, 1, 1]
        lines = "".join(export_history(home.store)).encode()
        with home.store.pool.transaction() as session:
            assert import_history(home.store, session, BytesIO(lines), "x.history.jsonl") == 0
        assert "".join(export_history(home.store)).encode() == lines


def test_a_pooler_that_goes_away_is_unavailable_until_it_is_back(pooler: PgBouncer) -> None:
    with house(pooler.url) as home:
        home.open("D-1")
        asked = choose(Option.OUT_OF_STOCK_REFUND, key="k")
        pooler.stop()
        with pytest.raises(StoreUnavailableError):
            home.service.send("D-1", asked)
        pooler.start()
        assert isinstance(home.service.send("D-1", asked).decision, Accepted)
        assert home.service.history("D-1")[-1].command is CommandType.CHOOSE_OPTION


def test_what_a_pooler_does_not_take_is_not_worth_another_try(pooler: PgBouncer) -> None:
    with pytest.raises(StoreInvalidError, match="unsupported startup parameter"):
        Store(make_url(pooler.url).update_query_dict({"options": "-csearch_path=x"}))
    with pytest.raises(StoreInvalidError, match=r"config error|no such database"):
        Store(make_url(pooler.url).set(database="nowhere"))


def shared(home: House) -> None:
    """Let every connection prepare statements, as a driver that does not know of the pooler."""
    with home.store.pool.take() as session:
        session.driver.prepare_threshold = 0


def test_where_a_pooler_is_not_found_out_it_is_said_what_to_do(pooler: PgBouncer) -> None:
    with house(pooler.url) as home, house(pooler.url) as other:
        home.open("D-1")
        other.open("D-2")
        shared(home)
        shared(other)
        home.service.get("D-1")
        with pytest.raises(StoreInvalidError, match="prepare_threshold=none"):
            other.service.get("D-2")  # in the same session of the server, under the same name
