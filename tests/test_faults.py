"""Failures of the order system, the database, the disk and the clock, as README's table says."""

import os
import pwd
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from dispute_fsm.decider.decisions import Accepted, Refused, Repeated
from dispute_fsm.domain.enums import CommandType, Option, Outcome, RefusalCode, StateName
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.errors import OrderSystemUnavailableError, StaleFactsError, StoreUnavailableError
from dispute_fsm.service import DisputeService
from dispute_fsm.service.sweeper import SweepResult
from dispute_fsm.store.integrity import CheckCounts, check
from dispute_fsm.store.repository import Store
from dispute_fsm.store.session import Session
from tests.databases import conninfo
from tests.patience import PATIENCE, until
from tests.service_support import AnyOrder, House, house, request
from tests.support import (
    CLAIMABLE,
    DAY,
    HOUR,
    MINUTE,
    OPENED_AT,
    PAID,
    PICKED_UP,
    SECOND,
    choose,
    order,
    pickup,
    seen,
)

TICK = timedelta(microseconds=1)


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


def whole(home: House) -> bool:
    """Tell whether every chain and projection is as it has to be."""
    return not list(check(home.store, CheckCounts()))


# ---- the order system ----------------------------------------------------------------------------


def test_while_the_order_system_is_down_nothing_is_judged_and_the_rest_goes_on(home: House) -> None:
    home.open("D-1")
    home.open("D-2")
    home.orders.available = False
    with pytest.raises(OrderSystemUnavailableError):
        home.service.send("D-1", choose(Option.ALREADY_SHIPPED, key="k-1"))
    with pytest.raises(OrderSystemUnavailableError):
        home.service.open(request("D-3"))
    assert len(home.service.history("D-1")) == 1
    assert home.service.get("D-3") is None
    assert isinstance(
        home.service.send("D-2", choose(Option.OUT_OF_STOCK_REFUND)).decision, Accepted
    )
    home.orders.available = True
    assert isinstance(
        home.service.send("D-1", choose(Option.ALREADY_SHIPPED, key="k-1")).decision, Accepted
    ), "the key is still free"


class Slow(AnyOrder):
    """An order system that answers when it is let."""

    def __init__(self, shown: Order) -> None:
        super().__init__(shown)
        self.asked = threading.Event()
        self.answer = threading.Event()

    def look(self, order_id: str, now: datetime) -> OrderFacts | None:
        self.asked.set()
        assert self.answer.wait(PATIENCE)
        found: OrderFacts | None = super().look(order_id, now)
        return found


@contextmanager
def waiting(home: House, url: str, asked: Option) -> Iterator[list[object]]:
    """Let another process wait for a slow order system, until this context ends."""
    decisions: list[object] = []
    with house(url) as other:
        slow = Slow(CLAIMABLE)
        service = DisputeService(other.store, slow, clock=home.time)

        def submits() -> None:
            decisions.append(service.send("D-1", choose(asked, key="k-slow")).decision)

        thread = threading.Thread(target=submits)
        thread.start()
        assert slow.asked.wait(PATIENCE)
        try:
            yield decisions
        finally:
            slow.answer.set()
            thread.join(PATIENCE)


def test_nobody_waits_for_a_slow_order_system_but_who_asked(home: House, url: str) -> None:
    home.open("D-1")
    with waiting(home, url, Option.ALREADY_SHIPPED) as decisions:
        answered = home.service.send(
            "D-1", choose(Option.OUT_OF_STOCK_REFUND)
        )  # the same dispute, not held by who waits
        assert isinstance(answered.decision, Accepted)
    (decision,) = decisions
    assert isinstance(decision, Refused), "decided again by what came meanwhile"
    assert decision.codes == (RefusalCode.OPTION_ALREADY_CHOSEN,)


def test_a_command_is_judged_by_when_it_came_however_long_the_order_system_takes(
    home: House, url: str
) -> None:
    home.open("D-1")
    home.time.now = OPENED_AT + DAY  # the last moment
    with waiting(home, url, Option.ALREADY_SHIPPED) as decisions:
        home.time.pass_(HOUR)  # nobody has swept yet
    assert isinstance(decisions[0], Accepted)
    assert home.service.history("D-1")[-1].at == OPENED_AT + DAY


def test_who_waited_past_the_deadline_loses_to_the_sweep_that_came_first(
    home: House, url: str
) -> None:
    home.open("D-1")
    home.time.now = OPENED_AT + DAY
    with waiting(home, url, Option.ALREADY_SHIPPED) as decisions:
        home.time.pass_(SECOND)
        assert home.service.sweep() == SweepResult(fired=1)
    (decision,) = decisions
    assert isinstance(decision, Refused)
    assert decision.codes == (RefusalCode.DISPUTE_CLOSED,)
    assert whole(home)


def test_a_stale_answer_of_the_order_system_is_not_judged_on(home: House) -> None:
    home.open("D-1")
    home.orders.look = lambda order_id, now: seen(PICKED_UP, now - HOUR, order_id)  # type: ignore[method-assign]  # a cache too old
    with pytest.raises(StaleFactsError, match="look again"):
        home.service.send("D-1", choose(Option.ALREADY_SHIPPED))
    assert len(home.service.history("D-1")) == 1


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (lambda _order_id, now: seen(PICKED_UP, now, "O-another"), "of order O-another"),
        (lambda order_id, now: seen(PICKED_UP, now + MINUTE, order_id), "were observed at"),
    ],
    ids=["of another order", "dated ahead"],
)
def test_an_answer_to_another_question_is_not_judged_on(
    home: House, answers: object, said: str
) -> None:
    home.open("D-1")
    home.orders.look = answers  # type: ignore[method-assign,assignment]  # a fault of the order system
    with pytest.raises(StaleFactsError, match=said):
        home.service.send("D-1", choose(Option.ALREADY_SHIPPED))
    assert len(home.service.history("D-1")) == 1


def test_an_order_system_that_contradicts_itself_is_taken_at_each_word_and_each_is_recorded(
    home: House,
) -> None:
    home.open("D-1")
    home.orders.put("O-D-1", order(pickup=pickup()))  # picked up, but never shipped
    refused = home.service.send("D-1", choose(Option.ALREADY_SHIPPED, key="k-1"))
    assert isinstance(refused.decision, Refused)
    assert RefusalCode.NOT_SHIPPED in refused.decision.codes
    home.orders.put("O-D-1", PICKED_UP)
    accepted = home.service.send("D-1", choose(Option.ALREADY_SHIPPED, key="k-1"))
    assert isinstance(accepted.decision, Accepted)
    home.orders.put("O-D-1", PAID)  # and now it knows nothing of it
    again = home.service.send("D-1", choose(Option.ALREADY_SHIPPED, key="k-1"))
    assert isinstance(again.decision, Repeated), "what was decided stands"
    recorded = [event.facts for event in home.service.history("D-1")]
    assert [
        facts and (facts.shipment is not None, facts.pickup is not None) for facts in recorded[1:]
    ] == [(False, True), (True, True)]
    assert whole(home)


# ---- the database --------------------------------------------------------------------------------


def cut(home: House) -> None:
    """Cut every connection that the service has, as a restart or a broken network does."""
    database = home.store.engine.url.query["options"]
    with home.store.engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                "current_database() AND pid <> pg_backend_pid()"
            )
            if not database
            else text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_class ON relation = "
                "pg_class.oid "
                "WHERE relnamespace = current_schema()::regnamespace AND pid <> pg_backend_pid()"
            )
        )


def test_a_connection_that_breaks_in_mid_transaction_leaves_nothing_half_written(
    home: House,
) -> None:
    home.open("D-1")
    asked = choose(Option.OUT_OF_STOCK_REFUND, key="k-1", note="x")

    def breaks() -> None:
        with home.store.engine.begin() as connection:
            home.service.send("D-1", asked, connection=connection)
            if home.store.engine.dialect.name == "sqlite":
                connection.connection.driver_connection.close()  # type: ignore[union-attr]  # as when the process goes
            else:
                cut(home)
            connection.execute(text("SELECT 1"))

    with pytest.raises((StoreUnavailableError, DBAPIError)):
        breaks()
    assert len(home.service.history("D-1")) == 1
    assert isinstance(home.service.send("D-1", asked).decision, Accepted), (
        "the next command finds a new connection, and the key free"
    )
    assert whole(home)


def test_connections_that_broke_while_nobody_used_them_are_replaced_without_a_word(
    home: House,
) -> None:
    home.open("D-1")
    if home.store.engine.dialect.name == "sqlite":
        home.store.close()
    else:
        with ExitStack() as stack:
            idle = [stack.enter_context(home.store.pool.take()) for _ in range(3)]
            pids = [one.execute("SELECT pg_backend_pid()").fetchone()[0] for one in idle]
        with psycopg.connect(conninfo(home.store.engine.url)) as server:
            for pid in pids:
                server.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert isinstance(
        home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND)).decision, Accepted
    )


def test_a_connection_that_breaks_between_loading_and_writing_leaves_nothing_behind(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.open("D-1")
    asked, kind = choose(Option.OUT_OF_STOCK_REFUND, key="k-1", note="x"), home.store.pool.kind
    really = kind.transaction

    @contextmanager
    def breaking(session: Session) -> Iterator[None]:
        with really(session):
            yield
            if home.store.engine.dialect.name == "sqlite":
                raise sqlite3.OperationalError("disk I/O error")
            cut(home)

    monkeypatch.setattr(kind, "transaction", breaking)
    for _ in range(2):  # the second has to find a new connection
        with pytest.raises(
            StoreUnavailableError, match=r"disk I/O error|terminating connection|connection"
        ):
            home.service.send("D-1", asked)
    monkeypatch.undo()
    assert len(home.service.history("D-1")) == 1
    assert isinstance(home.service.send("D-1", asked).decision, Accepted)
    assert whole(home)


def test_an_answer_that_was_lost_on_its_way_back_is_found_again_by_its_key(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.open("D-1")
    asked, kind = choose(Option.OUT_OF_STOCK_REFUND, key="k-1"), home.store.pool.kind
    really = kind.transaction

    @contextmanager
    def lost(session: Session) -> Iterator[None]:
        with really(session):
            yield
        raise StoreUnavailableError("it is done, and nobody hears of it: the connection broke")

    monkeypatch.setattr(kind, "transaction", lost)
    with pytest.raises(StoreUnavailableError):
        home.service.send("D-1", asked)
    monkeypatch.undo()
    assert isinstance(home.service.send("D-1", asked).decision, Repeated)
    assert len(home.service.history("D-1")) == 2


def binaries() -> Path | None:
    """Find where the programs of a PostgreSQL server are."""
    beside = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    everywhere = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *beside]
    return next(
        (
            folder
            for folder in everywhere
            if (folder / "initdb").exists() and (folder / "pg_ctl").exists()
        ),
        None,
    )


WAITS = f"{PATIENCE:.0f}"


class Server:
    """A PostgreSQL server of the test's own, which it may stop as it likes."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self.folder = folder
        self._as = (
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            if os.geteuid() == 0
            else []
        )
        if self._as:
            shutil.chown(folder, "postgres", "postgres")
        self._run(
            "initdb",
            "-D",
            folder / "data",
            "-A",
            "trust",
            "-U",
            "postgres",
            "--no-sync",
            "-E",
            "UTF8",
        )
        with (folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(f"listen_addresses = ''\nunix_socket_directories = '{folder}'\n")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@/postgres?host={self.folder}"

    def start(self) -> None:
        self._run(
            "pg_ctl",
            "-D",
            self.folder / "data",
            "-w",
            "-t",
            WAITS,
            "-l",
            self.folder / "log",
            "start",
        )

    def stop(self, how: str) -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-w", "-t", WAITS, "-m", how, "stop")

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(  # noqa: S603 -- programs of the server
            [*self._as, self._programs / program, *arguments],
            check=True,
            capture_output=True,
            cwd=self.folder,
        )


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@pytest.fixture
def server() -> Iterator[Server]:
    programs = binaries()
    if os.geteuid() == 0 and (shutil.which("setpriv") is None or not _known("postgres")):
        pytest.skip(
            "root runs no PostgreSQL server, and there is no setpriv or no user postgres to run "
            "it as"
        )
    if programs is None:
        # A PostgreSQL elsewhere (DISPUTE_FSM_TEST_POSTGRES) cannot be stopped from here; .ci/run
        # has the programs, and lets no test skip.
        pytest.skip(
            "no programs of a PostgreSQL server are installed (initdb, pg_ctl), so none can be "
            "restarted"
        )
    folder = Path(mkdtemp(prefix="dispute-fsm-", dir="/tmp"))  # a socket's path must be short
    server = Server(programs, folder)
    yield server
    server.stop("immediate")
    shutil.rmtree(folder)


def test_a_server_that_is_killed_in_mid_transaction_and_started_again_has_lost_nothing(
    server: Server,
) -> None:
    asked = choose(Option.OUT_OF_STOCK_REFUND, key="k-1", note="x")
    with house(server.url) as home:
        home.open("D-1")
        home.open("D-2")
        answered = home.service.send("D-2", asked)

        def killed() -> None:
            with home.store.engine.begin() as connection:
                home.service.send("D-1", asked, connection=connection)
                server.stop("immediate")

        with pytest.raises((StoreUnavailableError, DBAPIError)):
            killed()
        with pytest.raises(StoreUnavailableError):
            home.service.send("D-1", asked)
        with pytest.raises(StoreUnavailableError):
            home.service.sweep()
        server.start()
        assert len(home.service.history("D-1")) == 1, "not committed, so not there"
        assert home.service.history("D-2")[-1] == answered.event, "answered, so there"
        assert isinstance(home.service.send("D-1", asked).decision, Accepted)
        assert isinstance(home.service.send("D-2", asked).decision, Repeated)
        assert whole(home)


def test_a_runner_goes_on_once_the_database_is_back(server: Server) -> None:
    with house(server.url) as home:
        home.open("D-1")
        sweeper = home.service.sweeper(poll_interval=timedelta(seconds=0.05))
        thread = threading.Thread(target=sweeper.run, daemon=True)
        thread.start()
        server.stop("immediate")
        server.start()
        home.time.now = OPENED_AT + DAY + TICK
        until(
            lambda: not thread.is_alive() or len(home.service.history("D-1")) > 1,
            "the sweeper did not fire the deadline",
        )
        sweeper.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert home.service.history("D-1")[-1].outcome is Outcome.NO_RESPONSE


# ---- SQLite --------------------------------------------------------------------------------------


def test_a_database_that_is_locked_for_too_long_is_unavailable_and_nothing_is_half_written(
    tmp_path: Path,
) -> None:
    with (
        house(f"sqlite:///{tmp_path / 'd.db'}?timeout=0.1") as home,
        house(f"sqlite:///{tmp_path / 'd.db'}") as other,
    ):
        home.open("D-1")
        with other.store.engine.begin(), pytest.raises(StoreUnavailableError, match="locked"):
            home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND))
        assert len(home.service.history("D-1")) == 1
        assert isinstance(
            home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND)).decision, Accepted
        )


def test_a_full_disk_loses_nothing_that_was_answered_and_leaves_nothing_half_written(
    tmp_path: Path,
) -> None:
    limit = [1_000_000]

    class Limited(Session):
        def __init__(self, driver: sqlite3.Connection, dialect: Dialect) -> None:
            super().__init__(driver, dialect)
            self.execute(f"PRAGMA max_page_count = {limit[0]}")

    with house(f"sqlite:///{tmp_path / 'd.db'}") as home:
        home.open("D-0")
        with home.store.engine.connect() as connection:
            limit[0] = (
                int(connection.exec_driver_sql("PRAGMA page_count").scalar_one()) + 12
            )  # room for a few disputes
        home.store.pool.kind = Limited
        home.store.close()  # so that each is opened anew
        answered: list[str] = []

        def fills() -> None:
            for number in range(1, 500):
                answered.append(home.open(f"D-{number}").dispute_id)
                home.service.send(
                    f"D-{number}", choose(Option.OUT_OF_STOCK_REFUND, key="k", note="x" * 400)
                )

        with pytest.raises(StoreUnavailableError, match="full"):
            fills()
        assert 0 < len(answered) < 400
        assert whole(home)
        assert [home.service.get(one) is not None for one in answered] == [True] * len(answered)
        limit[0] = 1_000_000  # somebody made room
        home.store.close()
        last = answered[-1]
        assert isinstance(
            home.service.send(
                last, choose(Option.OUT_OF_STOCK_REFUND, key="k", note="x" * 400)
            ).decision,
            Accepted | Repeated,
        )
        assert whole(home)


# ---- the clock -----------------------------------------------------------------------------------


def test_a_clock_that_jumps_back_neither_stops_a_dispute_nor_takes_it_back(home: House) -> None:
    home.time.now = OPENED_AT + DAY
    home.open("D-1")
    home.time.now = OPENED_AT
    answer = home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND))
    assert isinstance(answer.decision, Accepted)
    times = [event.at for event in home.service.history("D-1")]
    assert times == sorted(times) == [OPENED_AT + DAY] * 2
    assert home.service.sweep() == SweepResult()


def test_what_fired_does_not_fire_again_when_the_clock_jumps_back_and_forth(home: House) -> None:
    home.open("D-1")
    for jump in (DAY + TICK, -3 * DAY, 5 * DAY, -5 * DAY, 9 * DAY):
        home.time.pass_(jump)
        home.service.sweep()
    assert [event.command for event in home.service.history("D-1")] == [
        CommandType.OPEN_DISPUTE,
        CommandType.RESPONSE_EXPIRED,
    ]


def test_a_claim_that_lies_ahead_after_a_jump_back_only_delays(home: House) -> None:
    home.open("D-1")
    home.orders.available = True
    home.time.now = OPENED_AT + DAY + TICK
    assert home.service.sweep(stop=iter([False, True, True]).__next__) == SweepResult()
    home.time.pass_(-HOUR)
    assert home.service.sweep() == SweepResult()
    home.time.pass_(HOUR)
    assert home.service.sweep() == SweepResult(fired=1)


def test_machines_whose_clocks_differ_go_by_the_databases(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(url)) as store:
        service = DisputeService(store, AnyOrder(PAID))
        if store.engine.dialect.name == "sqlite":  # one machine, one clock
            service.open(request("D-1"))
        else:
            monkeypatch.setattr(
                "dispute_fsm.store.repository.datetime", None
            )  # this machine's clock is not even looked at
            times = []
            for _ in range(2):
                with store.engine.connect() as connection:
                    times.append(connection.execute(text("SELECT now()")).scalar_one())
                service.open(request("D-1"))
            dispute = service.get("D-1")
            assert dispute is not None
            assert times[0] <= dispute.last_at <= times[1]
        snapshot = service.snapshot("D-1")
        assert snapshot is not None
        assert snapshot.state is StateName.OPENED
