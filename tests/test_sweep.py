"""Sweeps and sweepers: a deadline fires once; a pending one does not stop the others."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from dispute_fsm.domain.enums import CommandType, EventType, Option, Outcome, StateName
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.errors import InputError, StoreUnavailableError
from dispute_fsm.service import DisputeService
from dispute_fsm.service.command_handler import CommandHandler
from dispute_fsm.service.sweeper import Sweeper, SweepResult
from dispute_fsm.store.deadlines import claim, next_to_sweep
from dispute_fsm.store.repository import Store
from dispute_fsm.store.session import Session
from tests import service_support
from tests.patience import PATIENCE, until
from tests.service_support import AnyOrder, House, house, request
from tests.support import (
    AGREED,
    DAY,
    HOUR,
    KEPT,
    MINUTE,
    OPENED_AT,
    PAID,
    SECOND,
    choose,
    command,
    extension,
    over,
)

TICK = timedelta(microseconds=1)


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


def promised(home: House, dispute_id: str = "D-1") -> None:
    """Open a dispute whose merchant has promised to ship, and has not yet."""
    home.orders.shown = PAID
    home.open(dispute_id)
    home.service.send(dispute_id, choose(Option.SHIP_BY_AGREED_DATE))


# ---- what fires ----------------------------------------------------------------------------------


def test_a_deadline_fires_after_its_instant_and_not_at_it(home: House) -> None:
    home.open()
    home.time.now = OPENED_AT + DAY
    assert home.service.sweep() == SweepResult()
    home.time.pass_(TICK)
    assert home.service.sweep() == SweepResult(fired=1)
    assert home.service.history("D-1")[-1].outcome is Outcome.NO_RESPONSE
    assert home.service.sweep() == SweepResult()
    assert len(home.service.history("D-1")) == 2


def test_what_fired_stands_in_the_projection_and_leaves_nothing_to_sweep(home: House) -> None:
    home.open()
    home.time.now = OPENED_AT + DAY + TICK
    home.service.sweep()
    snapshot = home.service.snapshot("D-1")
    assert snapshot is not None
    assert (snapshot.state, snapshot.closed, snapshot.outcome) == (
        StateName.PENALIZED,
        True,
        Outcome.NO_RESPONSE,
    )
    with home.store.pool.take() as session:
        assert next_to_sweep(session, home.time.now) is None


def test_a_dispute_that_moves_on_takes_its_deadline_with_it(home: House) -> None:
    home.open()
    home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND))
    home.time.pass_(HOUR)
    home.service.send("D-1", command(CommandType.CONFIRM_AGREEMENT))
    home.time.pass_(10 * DAY)
    assert home.service.sweep() == SweepResult()


def test_an_extended_deadline_fires_at_its_new_instant(home: House) -> None:
    home.open()
    home.service.send("D-1", extension(OPENED_AT + 2 * DAY))
    home.time.now = OPENED_AT + DAY + TICK
    assert home.service.sweep() == SweepResult()
    home.time.now = OPENED_AT + 2 * DAY + TICK
    assert home.service.sweep() == SweepResult(fired=1)


def test_the_order_system_is_asked_anew_when_the_promise_is_over(home: House) -> None:
    promised(home)
    home.orders.put("O-D-1", KEPT)
    home.time.now = AGREED + 6 * HOUR + TICK
    looks = home.orders.looks
    assert home.service.sweep() == SweepResult(fired=1)
    assert home.orders.looks == looks + 1
    assert home.service.history("D-1")[-1].outcome is Outcome.SETTLED_BY_AGREED_SHIPMENT


def test_behind_leaves_the_first_turn_to_others(home: House) -> None:
    home.open()
    home.time.now = OPENED_AT + DAY + MINUTE
    assert home.service.sweep(behind=MINUTE) == SweepResult()
    with home.store.pool.take() as session:
        assert next_to_sweep(session, home.time.now, MINUTE) == home.time.now
    home.time.pass_(TICK)
    assert home.service.sweep(behind=MINUTE) == SweepResult(fired=1)
    assert home.service.history("D-1")[-1].at == home.time.now, "decided as of now"


def test_behind_is_for_each_deadline_of_a_dispute(home: House) -> None:
    home.open(rules="parallel")
    home.time.now = OPENED_AT + DAY + SECOND  # the evidence was due long ago
    assert home.service.sweep(behind=MINUTE) == SweepResult(fired=1)
    home.time.pass_(MINUTE)
    assert home.service.sweep(behind=MINUTE) == SweepResult(fired=1)


def test_behind_changes_no_claim(home: House) -> None:
    promised(home)
    home.orders.available = False
    home.time.now = AGREED + DAY
    assert home.service.sweep(behind=HOUR, lease=MINUTE) == SweepResult(pending=1)
    assert home.service.sweep(behind=HOUR, lease=MINUTE) == SweepResult(), "claimed by the first"
    home.time.pass_(MINUTE)
    assert home.service.sweep(behind=HOUR, lease=MINUTE) == SweepResult(pending=1)


def test_a_negative_behind_is_an_error(home: House) -> None:
    for ask in (home.service.sweep, home.service.sweeper):
        with pytest.raises(InputError) as error:
            ask(behind=-TICK)
        assert error.value.field == "behind"


# ---- what stays pending --------------------------------------------------------------------------


def test_where_the_order_system_cannot_answer_the_deadline_stays_pending_and_the_others_go_on(
    home: House,
) -> None:
    promised(home, "D-1")
    home.open("D-2")
    before = home.service.history("D-1")
    home.orders.available = False
    home.time.now = AGREED + 6 * HOUR + TICK
    with capture_logs() as logs:
        assert home.service.sweep(lease=MINUTE) == SweepResult(fired=1, pending=1)
    assert [
        (line["event"], line["dispute_id"]) for line in logs if line["log_level"] == "warning"
    ] == [("deadline_pending", "D-1")]
    assert home.service.history("D-1") == before
    assert home.service.history("D-2")[-1].outcome is Outcome.NO_RESPONSE
    home.orders.available = True
    assert home.service.sweep() == SweepResult(), "claimed until the lease lapses"
    with home.store.pool.take() as session:
        assert next_to_sweep(session, home.time.now) == home.time.now + MINUTE
    home.time.pass_(MINUTE)
    assert home.service.sweep() == SweepResult(fired=1)
    assert home.service.history("D-1")[-1].type is EventType.DISPUTE_PENALIZED


def test_an_order_system_that_breaks_keeps_up_nobody(home: House) -> None:
    promised(home, "D-1")
    home.open("D-2")
    home.time.now = AGREED + 6 * HOUR + TICK

    def breaks(_order_id: str, _now: datetime) -> OrderFacts:
        raise ZeroDivisionError("⟦个人⟧")

    home.orders.look = breaks  # type: ignore[method-assign,assignment]  # a host's mistake
    with capture_logs() as logs:
        assert home.service.sweep() == SweepResult(fired=1, failed=1)
    assert "个人" not in str(logs)
    assert [line["error"] for line in logs if line["event"] == "deadline_failed"] == [
        "ZeroDivisionError"
    ]


# ---- many sweepers -------------------------------------------------------------------------------


def test_a_claim_keeps_other_sweepers_away_until_it_lapses(home: House) -> None:
    for number in range(5):
        home.open(f"D-{number}")
    now = OPENED_AT + DAY + TICK

    def claimed(at: datetime, limit: int) -> set[str]:
        with home.store.pool.transaction() as session:
            return set(claim(session, at, MINUTE, limit))

    first, second, third = claimed(now, 2), claimed(now, 2), claimed(now, 9)
    assert sorted(first | second | third) == [f"D-{number}" for number in range(5)]
    assert (len(first), len(second), len(third)) == (2, 2, 1)
    assert claimed(now + MINUTE - TICK, 9) == set()
    assert len(claimed(now + MINUTE, 9)) == 5


def test_any_number_of_sweepers_fire_each_deadline_once(url: str) -> None:
    with ExitStack() as stack:
        homes = [stack.enter_context(house(url)) for _ in range(6)]
        for number in range(30):
            homes[0].open(f"D-{number}")
        together = threading.Barrier(len(homes))

        def sweeps(home: House) -> SweepResult:
            home.time.now = OPENED_AT + DAY + TICK
            together.wait()
            return home.service.sweep(batch=3, lease=timedelta(0))  # a lease that keeps nobody away

        with ThreadPoolExecutor(len(homes)) as pool:
            done = list(pool.map(sweeps, homes))
        assert sum(one.fired for one in done) == 30
        assert all(one.failed == one.pending == 0 for one in done)
        for number in range(30):
            history = homes[0].service.history(f"D-{number}")
            assert [event.type for event in history] == [
                EventType.DISPUTE_OPENED,
                EventType.DISPUTE_PENALIZED,
            ]


def test_a_sweep_that_is_asked_to_stop_gives_back_what_it_did_not_work_on(home: House) -> None:
    for number in range(3):
        home.open(f"D-{number}")
    home.time.now = OPENED_AT + DAY + TICK
    asked = iter([False, False, True, True])
    assert home.service.sweep(stop=lambda: next(asked)) == SweepResult(fired=1)
    assert home.service.sweep() == SweepResult(fired=2)


# ---- the sweeper ---------------------------------------------------------------------------------

SOON, FAR = timedelta(seconds=1), timedelta(seconds=2 * PATIENCE)
"""The poll interval of a sweeper where polling has to help it, and where it must not."""


@pytest.fixture
def real(url: str) -> Iterator[DisputeService]:
    """Give a service by the real clock, over an order system that shows nothing shipped."""
    store = Store(url)
    yield DisputeService(store, AnyOrder(PAID))
    store.close()


def promise(service: DisputeService, dispute_id: str) -> datetime:
    """Open a dispute whose promise is over in a moment; returns when."""
    service.open(request(dispute_id, over(scan_grace="0s")))
    return service_support.promised(service, dispute_id)


def closed(service: DisputeService, dispute_id: str) -> bool:
    snapshot = service.snapshot(dispute_id)
    return snapshot is not None and snapshot.closed


@contextmanager
def running(sweeper: Sweeper) -> Iterator[None]:
    """Let a sweeper run meanwhile; it has to end once it is stopped."""
    thread = threading.Thread(target=sweeper.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        sweeper.stop()
        thread.join(PATIENCE)
    assert not thread.is_alive()


def until_closed(service: DisputeService, dispute_id: str) -> None:
    until(lambda: closed(service, dispute_id), "the sweeper did not fire the deadline")


def test_the_sweeper_sleeps_until_the_deadline_is_due_and_stops_when_asked(
    real: DisputeService,
) -> None:
    due = promise(real, "D-1")
    sweeper = real.sweeper(poll_interval=FAR)
    with running(sweeper):
        until_closed(real, "D-1")
    assert due < real.history("D-1")[-1].at < due + FAR


def test_the_sweeper_wakes_when_an_earlier_deadline_appears_in_this_process(
    real: DisputeService,
) -> None:
    real.open(request("D-0"))  # due in a day
    sweeper = real.sweeper(poll_interval=FAR)
    with running(sweeper):
        promise(real, "D-1")
        until_closed(real, "D-1")


def test_the_sweeper_hears_of_an_earlier_deadline_of_another_process(
    real: DisputeService, url: str
) -> None:
    # On PostgreSQL it is told; on SQLite it looks.
    look = FAR if url.startswith("postgresql") else SOON
    sweeper = real.sweeper(poll_interval=look)
    with running(sweeper):
        other = Store(url)
        promise(DisputeService(other, AnyOrder(PAID)), "D-1")
        other.close()
        until_closed(real, "D-1")


def test_a_sweeper_that_was_stopped_before_it_ran_does_nothing(real: DisputeService) -> None:
    sweeper = real.sweeper()
    sweeper.stop()
    assert sweeper.run() == SweepResult()


def test_the_instant_of_a_second_is_no_matter_for_the_clock_of_the_host(home: House) -> None:
    home.open()
    home.time.now = OPENED_AT + DAY + SECOND
    sweeper = home.service.sweeper(poll_interval=timedelta(seconds=0.01))
    with running(sweeper):
        until_closed(home.service, "D-1")


def test_a_sweeper_that_stays_behind_fires_what_nobody_else_has_fired(home: House) -> None:
    home.open("D-1")
    home.time.pass_(MINUTE)
    home.open("D-2")
    home.time.now = OPENED_AT + DAY + MINUTE + SECOND
    sweeper = home.service.sweeper(poll_interval=timedelta(seconds=0.01), behind=MINUTE)
    with running(sweeper):
        until_closed(home.service, "D-1")
        assert "dispute-due" not in {thread.name for thread in threading.enumerate()}, (
            "polling is soon enough"
        )
    assert not closed(home.service, "D-2")


# ---- what goes wrong -----------------------------------------------------------------------------


def test_deadlines_that_stay_pending_keep_no_other_up_however_slow_the_order_system_is(
    home: House,
) -> None:
    for number in range(3):
        promised(home, f"P-{number}")
    home.time.pass_(20 * DAY)
    home.open("D-1")
    home.time.pass_(2 * DAY)
    home.orders.available = False
    really, asked = home.orders.look, list[str]()

    def slowly(order_id: str, now: datetime) -> object:
        asked.append(order_id)
        home.time.pass_(MINUTE)  # longer than the lease
        return really(order_id, now)

    home.orders.look = slowly  # type: ignore[method-assign]
    assert home.service.sweep(batch=1, lease=SECOND) == SweepResult(fired=1, pending=3)
    assert asked == [f"O-P-{number}" for number in range(3)], "each once"
    assert home.service.sweep(batch=1, lease=SECOND) == SweepResult(pending=3), (
        "and again in the next sweep"
    )


def test_a_batch_of_none_is_an_error(home: House) -> None:
    with pytest.raises(InputError) as fault:
        home.service.sweep(batch=0)
    assert fault.value.field == "batch"


@pytest.mark.parametrize(
    "wrong",
    [datetime(2023, 4, 1), datetime(1812, 4, 1, tzinfo=UTC)],  # noqa: DTZ001 -- that is what is tried
    ids=["naive", "long ago"],
)
def test_a_clock_that_tells_no_instant_is_an_error_of_ours(home: House, wrong: datetime) -> None:
    home.open()
    home.time.now = wrong
    for ask in (
        home.service.sweep,
        home.service.now,
        lambda: home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND)),
    ):
        with pytest.raises(InputError) as fault:
            ask()
        assert fault.value.field == "now"


def test_a_sweeper_goes_on_whatever_goes_wrong(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.open()
    home.time.now = OPENED_AT + 2 * DAY
    really, failures = (
        CommandHandler.now,
        [ZeroDivisionError(), StoreUnavailableError("away"), InputError("no instant", field="now")],
    )
    sweeper = home.service.sweeper(poll_interval=timedelta(milliseconds=1))

    def fails(decider: CommandHandler, session: Session) -> datetime:
        if failures:
            raise failures.pop()
        if home.service.history("D-1")[-1].outcome is not None:
            sweeper.stop()
        return really(decider, session)

    monkeypatch.setattr(CommandHandler, "now", fails)
    with capture_logs() as logs:
        assert sweeper.run() == SweepResult(fired=1)
    assert [line["event"] for line in logs if line["log_level"] in {"warning", "error"}] == [
        "sweep_failed",
        "sweep_unavailable",
        "sweep_failed",
    ]


def test_stopping_takes_no_lock_so_that_a_signal_handler_may_do_it(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadlocks(_event: threading.Event) -> None:
        raise AssertionError("a lock that the interrupted thread may hold")

    sweeper = home.service.sweeper()
    monkeypatch.setattr(threading.Event, "set", deadlocks)
    sweeper.stop()
    monkeypatch.undo()
    assert sweeper.run() == SweepResult()
