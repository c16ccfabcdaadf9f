"""DBOS as the alarm clock: the same histories as without it, nothing lost, nothing twice."""

import gc
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, active_count
from typing import Any

import pytest
from dbos import DBOS
from sqlalchemy.exc import DBAPIError

from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.domain.enums import Deadline
from dispute_fsm.engines.dbos import DbosDisputes
from dispute_fsm.engines.dbos_queue import EXPIRE
from dispute_fsm.errors import SinkUnavailableError, StoreInvalidError
from dispute_fsm.handler import Expiry, Result
from dispute_fsm.service import DisputeService
from dispute_fsm.service.alarms import Alarm
from dispute_fsm.service.consumer import CloudEvent
from dispute_fsm.store.repository import Store
from tests import dbos_executor
from tests.crash import POLICY, PROMISES
from tests.dbos_support import (
    dump,
    gone_off,
    hurry,
    is_waiting,
    last_alarm,
    launched,
    made,
    released,
    results,
    schema_of,
)
from tests.engine_chaos import SAMPLE, WHOLE, chaos
from tests.engine_scenarios import Player, Shop, chosen, expected, expiries, scenario, stamp_at
from tests.hosts import HOSTS, Begin, Host
from tests.patience import PATIENCE, until
from tests.service_support import AnyOrder, Time, house, promised, request
from tests.support import CANCELLING, DAY, ROOT, SECOND, extension
from tests.test_start_up import imported

FOREVER = timedelta(days=30_000)
"""So long behind that the backstop never fires anything."""

on_one_database = pytest.mark.parametrize(
    "url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.whole)], indirect=True
)
"""For what depends little on the database: on PostgreSQL with `--whole` only."""


# ---- the scenarios -------------------------------------------------------------------------------


@dataclass(slots=True)
class Sweeper:
    """Lets the alarms of a dispute go off as if DBOS's time were the scenario's.

    Each time one comes too early and one for a revision that is past. `fired` counts deadlines.
    """

    disputes: DbosDisputes
    time: Time
    fired: int = 0
    made: int = 0

    def __call__(self, dispute_id: str) -> None:
        at, before = self.time.now, expiries(self.disputes.service.history(dispute_id))
        self._one_too_early(dispute_id)
        self._one_too_late(dispute_id)
        self.time.now = at
        while (due := self._next_due(dispute_id)) is not None and due < at:
            if released(self._alarm(dispute_id)) != "fired":
                break
        self.fired += expiries(self.disputes.service.history(dispute_id)) - before

    def _one_too_early(self, dispute_id: str) -> None:
        dispute, due = self._dispute(dispute_id), self._next_due(dispute_id)
        if due is not None and due >= dispute.last_at:
            self.time.now = min(due, self.time.now)  # at its instant it is too early
            assert released(self._alarm(dispute_id)) == "early"

    def _one_too_late(self, dispute_id: str) -> None:
        late = last_alarm(dispute_id, self._dispute(dispute_id).revision - 1)
        if late is None or not is_waiting(late):  # one of a revision that never was
            self.made += 1
            late = f"due:{dispute_id}:{-self.made}"
            with self.disputes.store.pool.transaction() as session:
                self.disputes.set_alarm(Alarm(dispute_id, -self.made, self.time.now), session)
        assert released(late) == "stale"

    def _alarm(self, dispute_id: str) -> str:
        alarm = last_alarm(dispute_id, self._dispute(dispute_id).revision)
        assert alarm is not None, f"{dispute_id} has no alarm"
        return alarm

    def _next_due(self, dispute_id: str) -> datetime | None:
        due = next_due(self._dispute(dispute_id))
        return None if due is None else due[1]

    def _dispute(self, dispute_id: str) -> Dispute:
        dispute = self.disputes.service.get(dispute_id)
        assert dispute is not None
        return dispute


def test_the_scenarios_have_the_same_histories_where_dbos_fires_their_deadlines(
    url: str, monkeypatch: pytest.MonkeyPatch, *, whole: bool, tell: Callable[[object], None]
) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr("dispute_fsm.engines.dbos._PAUSE", FOREVER)  # none goes off by itself
    time, shop, played = Time(), Shop(), list(chosen(6, whole=whole))
    with launched(url, shop, clock=time, stamp=stamp_at(time), behind=FOREVER) as disputes:
        expire, by_dbos = disputes.service.expire, list[Result]()

        def counted(dispute_id: str, *, revision: int) -> Expiry:
            expiry = expire(dispute_id, revision=revision)
            by_dbos.extend(expiry.results)
            return expiry

        monkeypatch.setattr(disputes.service, "expire", counted)
        sweeper = Sweeper(disputes, time)
        player = Player(disputes.service, shop, time, sweeper)
        for number in played:
            assert player.play(scenario(number)) == expected(number)
        early, stale = len(results("early")), len(results("stale"))
    assert sum(result.accepted for result in by_dbos) == sweeper.fired
    assert min(early, stale, sweeper.fired) >= 1
    tell(
        f"dbos: {len(played)} scenarios, {sweeper.fired} deadlines fired, {early} alarms too early,"
        f" {stale} too late"
    )


def test_the_scenarios_have_the_same_histories_through_the_plain_service(
    url: str, *, whole: bool
) -> None:
    time, shop = Time(), Shop()
    store = Store(url)
    service = DisputeService(store, shop, clock=time, stamp=stamp_at(time))

    def sweep(_dispute_id: str) -> None:
        service.sweep(lease=timedelta(0))

    player = Player(service, shop, time, sweep)
    for number in chosen(6, whole=whole):
        assert player.play(scenario(number)) == expected(number)
    store.close()


# ---- an alarm and its event ----------------------------------------------------------------------


def alarms(disputes: DbosDisputes) -> list[Any]:
    """Return the id, the status and the application version of every alarm, without DBOS."""
    columns = "workflow_uuid, status, application_version"
    with disputes.store.pool.take() as session:
        rows: list[Any] = session.execute(f"SELECT {columns} FROM workflow_status").fetchall()  # noqa: S608 -- our own names
    return rows


@pytest.mark.parametrize(("host", "begin"), HOSTS.values(), ids=HOSTS)
def test_an_alarm_is_committed_or_rolled_back_with_its_event(
    url: str, host: Host, begin: Begin
) -> None:
    orders = AnyOrder(CANCELLING)
    with made(url, orders) as disputes, host(url) as connection:
        now = disputes.service.now()

        def open_(dispute_id: str, *, fails: bool) -> None:
            facts = orders.look(f"O-{dispute_id}", now)
            with begin(connection):
                disputes.service.open(request(dispute_id), facts=facts, connection=connection)
                if fails:
                    raise ZeroDivisionError

        open_("D-1", fails=False)
        with pytest.raises(ZeroDivisionError):
            open_("D-2", fails=True)
        stored = [disputes.service.get(dispute_id) is not None for dispute_id in ("D-1", "D-2")]
        assert (stored, alarms(disputes)) == ([True, False], [("due:D-1:1", "DELAYED", None)])


def test_where_the_alarm_cannot_be_written_the_event_is_not_either(url: str) -> None:
    with made(url, AnyOrder(CANCELLING)) as disputes:
        with disputes.store.pool.take() as session:
            session.execute("ALTER TABLE workflow_status RENAME TO workflow_status_gone")
        with pytest.raises((StoreInvalidError, DBAPIError)):
            disputes.service.open(request("D-1"))
        assert disputes.service.get("D-1") is None


def test_where_dbos_cannot_make_its_tables_no_connection_is_left_open(url: str) -> None:
    with closing(Store(url)) as store, store.pool.take() as session:
        session.execute("CREATE TABLE dbos_migrations (another TEXT)")
    with pytest.raises(DBAPIError):
        DbosDisputes(url, AnyOrder(CANCELLING), schema=schema_of(url))
    gc.collect()  # a connection that is still open warns now, which fails a test


def test_a_process_that_only_sends_commands_does_not_launch_dbos(url: str) -> None:
    with made(url, AnyOrder(CANCELLING)) as disputes:
        disputes.service.open(request("D-1"))
        # without a version: an executor of any newer one may run it
        assert alarms(disputes) == [("due:D-1:1", "DELAYED", None)]


def test_an_alarm_that_is_enqueued_again_stays_as_it_is(url: str) -> None:
    with launched(url, AnyOrder(CANCELLING), behind=FOREVER) as disputes:
        due = disputes.service.open(request("D-1")).dispute.running[Deadline.RESPONSE]
        before = DBOS.list_workflows(name=EXPIRE)
        assert disputes.adopt() == 1
        assert [alarm.delay_until_epoch_ms for alarm in before] == [
            alarm.delay_until_epoch_ms for alarm in DBOS.list_workflows(name=EXPIRE)
        ]
        at = before[0].delay_until_epoch_ms
        assert at is not None
        assert 0 < at / 1000 - due.timestamp() < 0.01  # after its instant: it is inclusive


# ---- attempts ------------------------------------------------------------------------------------


@on_one_database
def test_a_pending_deadline_is_attempted_again_until_the_order_system_can_answer(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr("dispute_fsm.engines.dbos._PAUSE", timedelta(milliseconds=1))
    orders = AnyOrder(CANCELLING)
    with launched(url, orders, behind=FOREVER) as disputes:
        disputes.service.open(request("D-1", POLICY))
        promised(disputes.service, "D-1")
        orders.available = False
        until(lambda: len(results("pending")) >= 3, "it is not attempted again")
        assert disputes.service.history("D-1")[-1].outcome is None
        orders.available = True
        until(lambda: results("fired") == ["fired"], "it does not fire")
        assert expiries(disputes.service.history("D-1")) == 1
        failed = DBOS.list_workflows(status=["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"])
        assert failed == []


@on_one_database
def test_a_thousand_pending_deadlines_cost_no_thread(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    with launched(url, AnyOrder(CANCELLING), behind=FOREVER, concurrency=4) as disputes:
        disputes.service.open(request("D-1"))
        assert released("due:D-1:1") == "early"  # by now every thread of DBOS's own has started
        threads = active_count()
        with disputes.store.pool.transaction() as session:
            for revision in range(2, 1_002):
                alarm = Alarm("D-1", revision, datetime.now(UTC) + timedelta(days=1))
                disputes.set_alarm(alarm, session)
        assert len(DBOS.list_workflows(status="DELAYED", load_input=False)) == 1_001
        assert released("due:D-1:1001") == "stale"
        assert active_count() <= threads + 4


@on_one_database
def test_a_deadline_whose_alarm_is_lost_is_fired_by_the_backstop(url: str) -> None:
    with launched(url, AnyOrder(CANCELLING), behind=timedelta(seconds=1)) as disputes:
        disputes.service.open(request("D-1", POLICY))
        due = promised(disputes.service, "D-1")
        DBOS.delete_workflow("due:D-1:2")
        until(lambda: expiries(disputes.service.history("D-1")) == 1, "it does not fire")
        assert disputes.service.history("D-1")[-1].at - due > SECOND  # DBOS had the first turn


# ---- moving there and back -----------------------------------------------------------------------


@on_one_database
def test_deadlines_move_to_dbos_and_back_and_none_is_lost(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    time, orders = Time(datetime.now(UTC)), AnyOrder(CANCELLING)
    ids = [f"D-{number}" for number in range(6)]
    with house(url) as home:  # with the sweeper first
        home.time.now = time.now
        for dispute_id in ids:
            home.open(dispute_id)
        home.service.send("D-5", extension(time.now + 3 * DAY))
    with launched(url, orders, clock=time, behind=FOREVER) as disputes:
        assert disputes.adopt() == len(ids)
        time.pass_(DAY + SECOND)
        for dispute_id in ids[:3]:
            assert released(f"due:{dispute_id}:1") == "fired"
    with house(url) as home:  # and back: what DBOS has not fired is left to the sweeper
        home.time.now = time.now
        assert home.service.sweep().fired == 2
        home.time.pass_(2 * DAY)
        assert home.service.sweep().fired == 1
        assert [expiries(home.service.history(dispute_id)) for dispute_id in ids] == [1] * len(ids)


@on_one_database
def test_both_at_once_fire_each_deadline_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    time = Time(datetime.now(UTC))
    ids = [f"D-{number}" for number in range(20)]
    with launched(url, AnyOrder(CANCELLING), clock=time, behind=FOREVER) as disputes:
        for dispute_id in ids:
            disputes.service.open(request(dispute_id))
        time.pass_(DAY + SECOND)
        for dispute_id in ids:
            DBOS.set_workflow_delay(f"due:{dispute_id}:1", delay_until_epoch_ms=0)
        disputes.service.sweep(batch=1)
        codes = {gone_off(f"due:{dispute_id}:1") for dispute_id in ids}
        assert codes <= {"fired", "stale"}
        assert [expiries(disputes.service.history(dispute_id)) for dispute_id in ids] == [1] * 20


# ---- the feed ------------------------------------------------------------------------------------


@on_one_database
def test_a_sink_that_cannot_take_anything_now_does_not_stop_the_others(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    taken: dict[str, list[str]] = {"good": [], "bad": []}
    available = Event()

    def bad(event: CloudEvent) -> None:
        if not available.is_set():
            raise SinkUnavailableError("not now")
        taken["bad"].append(event["id"])

    sinks = {"bad": bad, "good": lambda event: taken["good"].append(event["id"])}
    with launched(
        url, AnyOrder(CANCELLING), sinks=sinks, behind=FOREVER, feed_schedule="* * * * * *"
    ) as disputes:
        disputes.service.open(request("D-1"))
        disputes.service.send("D-1", extension(datetime.now(UTC) + 3 * DAY))
        until(lambda: len(taken["good"]) == 2, "the good sink gets nothing")
        assert taken["bad"] == []
        available.set()
        until(lambda: len(taken["bad"]) == 2, "the other sink gets nothing")
    assert taken == {name: ["D-1/1", "D-1/2"] for name in taken}


# ---- personal values -----------------------------------------------------------------------------


@on_one_database
def test_no_personal_value_lies_in_the_tables_of_dbos(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr("dispute_fsm.engines.dbos._PAUSE", timedelta(milliseconds=1))

    class Talkative(AnyOrder):
        def look(self, order_id: str, now: datetime) -> Any:  # noqa: ANN401 -- as the class it extends
            if not self.available:
                raise ValueError("the order of Zhang San")
            return super().look(order_id, now)

    def sink(_event: CloudEvent) -> None:
        raise ValueError("a mail to Zhang San")

    orders = Talkative(CANCELLING)
    with launched(
        url, orders, sinks={"mail": sink}, behind=FOREVER, feed_schedule="* * * * * *"
    ) as disputes:
        disputes.service.open(request("D-1", POLICY, consumer_id="C-Zhang"))
        due = promised(disputes.service, "D-1")
        longer = extension(due + SECOND, rationale="Zhang San was ill", key="k-Zhang")
        assert disputes.service.send("D-1", longer).accepted
        orders.available = False
        until(lambda: "pending" in results("pending"), "the order system is not asked")
        orders.available = True
        until(lambda: "fired" in results("fired"), "it does not fire")
        until(lambda: bool(disputes.consumers["mail"].parked()), "the sink is not asked")
        tables = dump(url)
    assert "due:D-1:3" in tables
    assert "Zhang" not in tables


# ---- the example ---------------------------------------------------------------------------------


def test_the_example_ends_by_itself_and_dbos_has_fired_the_deadline() -> None:
    ran = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, ROOT / "examples" / "dbos_app.py"],
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    first, *delivered, last = ran.stdout.splitlines()
    assert (first, last) == ("the merchant promises: Accepted", "alarms of DBOS: ['fired']")
    assert [line.split()[0] for line in delivered] == ["D-1/1", "D-1/2", "D-1/3"]


# ---- what is imported ----------------------------------------------------------------------------


def test_the_core_and_the_service_import_no_engine() -> None:
    modules = imported("import dispute_fsm.service, dispute_fsm.store.repository")
    assert "dispute_fsm.service.alarms" in modules
    packages = {name.partition(".")[0] for name in modules}
    assert packages & {"dbos", "temporalio", "sqlalchemy"} == {"sqlalchemy"}


# ---- chaos ---------------------------------------------------------------------------------------


@on_one_database
def test_executors_are_killed_and_every_deadline_fires_once(
    url: str, tmp_path: Path, *, whole: bool, tell: Callable[[object], None]
) -> None:
    plan = WHOLE if whole else SAMPLE

    def command_of(name: str, version: str) -> list[str]:
        script = str(Path(dbos_executor.__file__))
        return [sys.executable, script, url, str(tmp_path), name, version]

    with made(url, AnyOrder(CANCELLING)) as disputes:
        found = chaos(disputes.service, command_of, tmp_path, plan)
    assert {name: found[name] for name in PROMISES} == {name: [] for name in PROMISES}
    assert found["fired"] == plan.disputes
    assert found["extended"] > 0
    counts = ", ".join(f"{name} {found[name]}" for name in found if name not in PROMISES)
    tell(f"dbos, seed {plan.seed}: {counts}, nothing lost, nothing twice")
