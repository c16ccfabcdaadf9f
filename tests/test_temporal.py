"""Temporal as the alarm clock: every deadline fires once, and nothing personal goes to Temporal."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.service import RetryConfig, RPCError
from temporalio.worker import Replayer

from dispute_fsm.domain.enums import CommandType, Deadline, Option
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.engines.temporal import DisputeDue, TemporalClock, Wakeup
from dispute_fsm.errors import OrderSystemUnavailableError, SinkUnavailableError
from dispute_fsm.handler import Expiry
from dispute_fsm.service import DisputeService
from dispute_fsm.service.consumer import DeliveryResult
from dispute_fsm.store.repository import Store
from tests import temporal_executor
from tests.crash import POLICY, PROMISES, Notes
from tests.engine_chaos import NOTES, SAMPLE, WHOLE, chaos
from tests.engine_scenarios import FILES, Player, Shop, chosen, expected, expiries, scenario
from tests.service_support import AnyOrder, House, Time, house, promised, request, settle
from tests.support import CANCELLING, DAY, MINUTE, OPENED_AT, PAID, ROOT, SECOND, choose, command
from tests.temporal_support import (
    QUEUE,
    RECORDED,
    SANDBOX,
    Alarms,
    ObservedService,
    deliver_all,
    ran_example,
    result,
    run_of,
    server,
    started,
    until,
    waiting,
    working,
)

PERSONAL = "personal-value"
EXAMPLES = ROOT / "examples"


# ---- the scenarios -------------------------------------------------------------------------------


def test_the_scenarios_have_the_same_histories_where_temporal_fires_their_deadlines(
    tmp_path: Path, *, whole: bool, tell: Callable[[object], None]
) -> None:
    time, shop, played = Time(), Shop(), list(chosen(8, whole=whole))
    expired, swept = list[Expiry](), 0

    async def play(number: int, service: ObservedService) -> None:
        async with server() as environment, working(environment.client, service) as clock:
            player = Player(service, shop, time, Alarms(environment, clock, service))
            history = await asyncio.to_thread(player.play, scenario(number))
            assert history == expected(number), FILES[number]

    for number in played:
        with closing(Store(f"sqlite:///{tmp_path / str(number)}.db")) as store:
            service = ObservedService(store, shop, time)
            asyncio.run(play(number, service))
        expired += service.expiries
        swept += service.swept
    by_temporal = sum(result.accepted for expiry in expired for result in expiry.results)
    statuses = Counter(expiry.status for expiry in expired)
    assert by_temporal == swept
    assert min(swept, statuses["early"], statuses["stale"]) >= 3
    tell(f"Temporal, {len(played)} scenarios: {swept} deadlines fired, {dict(statuses)}")


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


def fired(service: DisputeService, dispute_id: str) -> int:
    """Count the deadlines of a dispute that have fired."""
    return expiries(service.history(dispute_id))


# ---- what is started -----------------------------------------------------------------------------


def test_a_feed_that_is_delivered_again_starts_nothing_twice(home: House) -> None:
    pending, ended, killed = "D-1", "D-2", "D-3"
    for dispute_id in (pending, ended, killed):
        home.open(dispute_id)
    settle(home.store)

    async def deliver_twice() -> None:
        async with server() as environment, working(environment.client, home.service) as clock:
            client = environment.client
            for_another = Wakeup(ended, 9, format_instant(OPENED_AT))
            await client.start_workflow(
                DisputeDue.run, for_another, id=f"due:{ended}:1", task_queue=QUEUE
            )
            assert await result(environment, f"due:{ended}:1") == "stale"
            ran = await run_of(client, ended, 1)
            assert await clock.deliver() == DeliveryResult(delivered=3)
            assert (await run_of(client, ended, 1)).run_id == ran.run_id
            await client.get_workflow_handle(f"due:{killed}:1").terminate()
            first = [(await run_of(client, each, 1)).run_id for each in (pending, ended, killed)]
            with home.store.engine.begin() as connection:
                connection.execute(text("DELETE FROM dispute_consumers"))
            settle(home.store)
            assert await clock.deliver() == DeliveryResult(delivered=3)
            again = [(await run_of(client, each, 1)).run_id for each in (pending, ended, killed)]
            assert again[:2] == first[:2]
            assert again[2] != first[2], "what somebody has terminated is started again"

    asyncio.run(deliver_twice())


def test_nothing_is_started_for_what_is_past_refused_or_without_a_deadline(home: House) -> None:
    home.orders.shown = PAID
    home.open("D-1")
    home.service.send("D-1", choose(Option.ALREADY_SHIPPED))  # refused: it has not been shipped
    home.service.send("D-1", choose(Option.PROVE_NO_FAULT))
    home.open("D-2")
    home.service.send("D-2", command(CommandType.WITHDRAW))
    settle(home.store)

    async def deliver() -> None:
        async with server() as environment, working(environment.client, home.service) as clock:
            assert await clock.deliver() == DeliveryResult(delivered=5)
            assert (await run_of(environment.client, "D-1", 2)).run_id
            for dispute_id, revision in (("D-1", 1), ("D-2", 1), ("D-2", 2)):
                with pytest.raises(RPCError, match=r"(?i)not found"):
                    await run_of(environment.client, dispute_id, revision)

    asyncio.run(deliver())


def test_while_temporal_is_unavailable_the_feed_waits(home: House) -> None:
    home.open("D-1")
    settle(home.store)

    async def deliver() -> None:
        async with server() as environment:
            impatient = RetryConfig(max_elapsed_time_millis=1, max_retries=1)
            client = await environment.connect_client(retry_config=impatient)
            await environment.shutdown()
            clock = TemporalClock(home.service, client, task_queue="disputes")
            with pytest.raises(SinkUnavailableError):
                await clock.deliver()
        async with server() as environment, working(environment.client, home.service) as clock:
            assert await clock.deliver() == DeliveryResult(delivered=1)

    asyncio.run(deliver())


# ---- what fails ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [pytest.param(OrderSystemUnavailableError, marks=pytest.mark.whole), ValueError]
)
def test_a_deadline_is_attempted_until_it_fires_and_no_personal_value_goes_to_temporal(
    tmp_path: Path, error: type[Exception]
) -> None:
    asked: list[str] = []

    class Failing(AnyOrder):
        def look(self, order_id: str, now: datetime) -> OrderFacts | None:
            asked.append(order_id)
            if self.available:
                facts: OrderFacts | None = super().look(order_id, now)
                return facts
            raise error(f"{PERSONAL}: a host may write anything into an error")

    async def fire(home: House) -> tuple[bytes, bytes]:
        """Return everything that Temporal had of the dispute: while it failed, and in the end."""
        async with server() as environment, working(environment.client, home.service) as clock:
            home.open("D-1")
            await clock.deliver()
            choice = choose(Option.SHIP_BY_AGREED_DATE, note=PERSONAL)
            promised = home.service.send("D-1", choice)
            await clock.deliver()
            await waiting(environment.client, "D-1", 2)
            failing = Failing(PAID)
            failing.available = False
            home.orders.look = failing.look  # type: ignore[method-assign]  # from here on it fails
            due_at = promised.dispute.running[Deadline.PROMISE]
            pause = due_at - home.time.now
            home.time.now = due_at + SECOND
            while len(asked) < 3:
                await environment.sleep(pause)
                pause = MINUTE
            alarms = [environment.client.get_workflow_handle(f"due:D-1:{of}") for of in (1, 2)]
            failed = (await alarms[1].describe()).raw_description.SerializeToString()
            failing.available = True
            results = [await result(environment, alarm.id) for alarm in alarms]
            assert results == ["stale", "fired"]
            histories = [await alarm.fetch_history() for alarm in alarms]
            events = [event for history in histories for event in history.events]
            return failed, b"".join(event.SerializeToString() for event in events)

    with house(f"sqlite:///{tmp_path / 'disputes.db'}") as home, capture_logs():
        failed, history = asyncio.run(fire(home))
        assert fired(home.service, "D-1") == 1
        private = "".join(event.model_dump_json() for event in home.service.history("D-1"))
    assert private.count(PERSONAL) == 1, "nothing was planted"
    assert error.__name__.encode() in failed, "why an attempt failed is to be seen"
    assert b'"dispute_id":"D-1"' in history, "texts are not found in it"
    assert PERSONAL.encode() not in failed + history
    for who in ("M-1", "C-1", "O-D-1"):
        assert f'"{who}"'.encode() not in failed + history


def test_an_alarm_that_an_older_version_has_set_is_replayed() -> None:
    history = WorkflowHistory.from_json("due:D-1:1", RECORDED.read_text(encoding="utf-8"))
    ends = [event.event_type for event in history.events]
    assert ends.count(EventType.EVENT_TYPE_TIMER_FIRED) == 1
    assert ends[-1] == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
    replayer = Replayer(workflows=[DisputeDue], workflow_runner=SANDBOX)
    asyncio.run(replayer.replay_workflow(history))


# ---- beside the sweeper --------------------------------------------------------------------------


def test_a_host_can_move_from_the_sweeper_to_temporal_and_back(home: House) -> None:
    passed = DAY + SECOND

    async def move() -> None:
        async with server() as environment:

            async def adopted(dispute_id: str, clock: TemporalClock) -> str:
                """See that Temporal waits for a deadline."""
                settle(home.store)
                await clock.deliver()
                return await waiting(environment.client, dispute_id, 1)

            async def opened(dispute_id: str, clock: TemporalClock) -> str:
                home.open(dispute_id)
                return await adopted(dispute_id, clock)

            home.open("swept")
            home.time.pass_(passed)
            assert home.service.sweep().fired == 1
            home.open("adopted")
            async with working(environment.client, home.service) as clock:  # it is switched on
                both = await adopted("adopted", clock), await opened("both", clock)
                home.time.pass_(passed)  # the sweeper still runs, and each has its turn
                swept, _ = await asyncio.gather(
                    asyncio.to_thread(home.service.sweep), environment.sleep(passed)
                )
                results = [await result(environment, alarm) for alarm in both]
                assert swept.fired + results.count("fired") == len(results)
                assert set(results) <= {"fired", "stale"}
                alone = await opened("alone", clock)  # the sweeper is switched off
                home.time.pass_(passed)
                await environment.sleep(passed)
                assert await result(environment, alone) == "fired"
                left = await opened("left", clock)
            home.time.pass_(passed)  # Temporal is switched off
            assert home.service.sweep().fired == 1
            async with working(environment.client, home.service):  # what waits there is past
                await environment.sleep(passed)
                assert await result(environment, left) == "stale"

    asyncio.run(move())
    for dispute_id in ("swept", "adopted", "both", "alone", "left"):
        assert fired(home.service, dispute_id) == 1


def test_what_temporal_does_not_fire_the_backstop_does(tmp_path: Path) -> None:
    async def run(service: DisputeService) -> None:
        async with server() as environment:
            # no worker runs, so what is started there waits for ever
            clock = TemporalClock(
                service, environment.client, task_queue="nobody", behind=timedelta(0)
            )
            running = asyncio.create_task(clock.run())
            service.open(request("D-1", POLICY))
            await started(environment.client, "D-1", 1)
            await asyncio.to_thread(promised, service, "D-1")
            await until(lambda: fired(service, "D-1") == 1)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    with closing(Store(f"sqlite:///{tmp_path / 'disputes.db'}")) as store:
        asyncio.run(run(DisputeService(store, AnyOrder(PAID))))


def test_a_delivery_that_is_cancelled_releases_the_feed_and_parks_nothing(home: House) -> None:
    home.open("D-1")
    settle(home.store)

    async def cancel() -> None:
        async with server() as environment:
            clock = TemporalClock(home.service, environment.client, task_queue="nobody")
            delivery = asyncio.create_task(clock.deliver())
            await asyncio.sleep(0)  # it has begun
            delivery.cancel()
            with pytest.raises(asyncio.CancelledError):
                await delivery
            again = await clock.deliver()
            assert (again.busy, again.parked, again.held) == (False, 0, 0)
            assert (await run_of(environment.client, "D-1", 1)).run_id

    asyncio.run(cancel())


def test_the_example_ends_with_a_deadline_that_temporal_has_fired() -> None:
    ran = ran_example(EXAMPLES / "temporal_clock.py")
    assert (ran.returncode, ran.stderr) == (0, "")
    # the library writes of what the test server cannot do
    lines = [line for line in ran.stdout.splitlines() if "WARN" not in line]
    assert lines == ["promise: Accepted", "due:D-1:2: fired", "penalized: promise_missed"]


def threads() -> int:
    """Count the threads of this process, also those that are not Python's."""
    return len(list(Path("/proc/self/task").iterdir()))


def test_a_pending_deadline_costs_no_thread(tmp_path: Path, *, whole: bool) -> None:
    few_pending, many_pending = 10, 1_000 if whole else 60

    async def pend(home: House) -> tuple[int, int]:
        counted: list[int] = []
        async with server() as environment, working(environment.client, home.service) as clock:
            for number in range(many_pending):
                home.open(f"D-{number}")
                if number + 1 in {few_pending, many_pending}:
                    await deliver_all(clock)
                    await waiting(environment.client, f"D-{number}", 1)
                    counted.append(threads())
        return counted[0], counted[1]

    with house(f"sqlite:///{tmp_path / 'disputes.db'}") as home:
        first, last = asyncio.run(pend(home))
    assert last - first < few_pending, f"{first} threads for {few_pending}, {last} for many"


def test_importing_the_core_or_the_service_imports_no_engine() -> None:
    code = (
        "import sys, dispute_fsm; dispute_fsm.Disputes, dispute_fsm.DisputeService; "
        "import dispute_fsm.service.async_service, dispute_fsm.engines; "
        "print([name for name in sys.modules if name.partition('.')[0] == 'temporalio'])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)  # noqa: S603 -- our own line
    assert ran.stdout.strip() == "[]"


# ---- what dies -----------------------------------------------------------------------------------


# a machine takes long to start a process, so PostgreSQL has its turn in the whole run only
@pytest.mark.parametrize(
    "url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.whole)], indirect=True
)
def test_workers_are_killed_and_every_deadline_fires_once(
    url: str, tmp_path: Path, *, whole: bool, tell: Callable[[object], None]
) -> None:
    plan = WHOLE if whole else SAMPLE

    async def run(service: DisputeService) -> dict[str, Any]:
        async with server() as environment:
            address = environment.client.service_client.config.target_host

            def command_of(name: str, version: str) -> list[str]:
                script = str(Path(temporal_executor.__file__))
                return [sys.executable, script, url, str(tmp_path), name, version, address]

            return await asyncio.to_thread(chaos, service, command_of, tmp_path, plan)

    with closing(Store(url)) as store:
        found = asyncio.run(run(DisputeService(store, AnyOrder(CANCELLING))))
    assert {name: found[name] for name in PROMISES} == {name: [] for name in PROMISES}
    assert found["fired"] == plan.disputes
    assert found["extended"] > 0
    rung = Counter(note["status"] for note in Notes(tmp_path / NOTES).read() if "rang" in note)
    assert rung["fired"] > 0, "only the backstop has fired"
    tell(
        f"chaos, Temporal on {url.partition(':')[0]}: seed {plan.seed}, "
        f"{', '.join(f'{name} {found[name]}' for name in found if name not in PROMISES)}, alarms "
        f"{dict(rung)}"
    )
