"""DBOS as the alarm clock: the same histories as without it, nothing lost, nothing twice."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.engines.dbos import DbosDisputes
from dispute_fsm.handler import Expiry, Result
from dispute_fsm.service import DisputeService
from dispute_fsm.service.alarms import Alarm
from dispute_fsm.store.repository import Store
from tests import dbos_executor
from tests.crash import PROMISES
from tests.dbos_support import hurry, is_waiting, last_alarm, launched, made, released, results
from tests.engine_chaos import SAMPLE, WHOLE, chaos
from tests.engine_scenarios import (
    Player,
    Shop,
    chosen,
    expected,
    expiries,
    scenario,
    stamp_at,
)
from tests.service_support import AnyOrder, Time
from tests.support import CANCELLING

FOREVER = timedelta(days=30_000)
"""So long behind that the backstop never fires anything."""


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


# ---- chaos ---------------------------------------------------------------------------------------


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
