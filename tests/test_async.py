"""The service for asyncio: reads never wait for commands, and an order system may be awaited."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

import pytest

from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.domain.enums import EventType, Option
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.errors import InputError, OrderSystemUnavailableError
from dispute_fsm.service import DisputeService
from dispute_fsm.service.async_service import COMMAND_THREADS, AsyncDisputeService
from dispute_fsm.store.repository import Store
from tests.patience import PATIENCE, until
from tests.service_support import AnyOrder, House, Time, house, request
from tests.support import AGREED, DAY, OPENED_AT, PAID, choose

ANSWER = choose(Option.ALREADY_SHIPPED, key="k-1")  # needs facts


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()


# ---- threads -------------------------------------------------------------------------------------


class Blocked(AnyOrder):
    """Blocks whoever asks, until `answer` is set. It counts who waits."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = threading.Event()
        self.lock = threading.Lock()
        self.waiting = 0

    def look(self, order_id: str, now: datetime) -> Any:  # noqa: ANN401 -- as the class it extends
        with self.lock:
            self.waiting += 1
        assert self.answer.wait(PATIENCE)
        with self.lock:
            return super().look(order_id, now)


def test_a_read_never_waits_for_commands_that_wait_for_the_order_system(store: Store) -> None:
    opener, orders, number = DisputeService(store, AnyOrder(), clock=Time()), Blocked(), 40
    for each in range(number):
        opener.open(request(f"D-{each}"))

    async def host() -> None:
        async with AsyncDisputeService(DisputeService(store, orders, clock=Time())) as service:
            commands = [
                asyncio.create_task(service.send(f"D-{each}", ANSWER)) for each in range(number)
            ]
            try:
                all_ask = lambda: orders.waiting == COMMAND_THREADS  # noqa: E731 -- a condition
                await asyncio.to_thread(until, all_ask, "not every command asks")
                async with asyncio.timeout(PATIENCE):
                    dispute = await service.get("D-1")
                assert dispute is not None
                assert not any(command.done() for command in commands)
                with ExitStack() as stack:  # nor does any of them hold a connection
                    for _ in range(10):
                        stack.enter_context(store.pool.take())
            finally:
                orders.answer.set()
            assert all([(await command).accepted for command in commands])

    asyncio.run(host())


def test_a_host_may_hand_in_its_executors_and_keeps_them(home: House) -> None:
    home.open()

    async def host() -> None:
        with (
            ThreadPoolExecutor(1, "host-commands") as commands,
            ThreadPoolExecutor(1, "host-reads") as reads,
        ):
            async with AsyncDisputeService(home.service, commands=commands, reads=reads) as service:
                assert (await service.send("D-1", ANSWER)).accepted
                assert await service.get("D-1") == home.service.get("D-1")
                names = {thread.name.partition("_")[0] for thread in threading.enumerate()}
                assert {"host-commands", "host-reads"} <= names
                assert not {"dispute-command", "dispute-read"} & names
            assert commands.submit(lambda: 1).result() == reads.submit(lambda: 1).result() == 1

    asyncio.run(host())


def test_closing_waits_for_what_runs_and_ends_the_threads(store: Store) -> None:
    DisputeService(store, AnyOrder(), clock=Time()).open(request())
    orders = Blocked()

    async def host() -> None:
        service = AsyncDisputeService(DisputeService(store, orders, clock=Time()))
        command = asyncio.create_task(service.send("D-1", ANSWER))
        await asyncio.to_thread(until, lambda: orders.waiting == 1, "the command does not ask")
        closing = asyncio.create_task(service.close())
        orders.answer.set()
        await closing
        assert len(service.service.history("D-1")) == 2
        assert (await command).accepted
        with pytest.raises(RuntimeError, match="shutdown"):
            await service.get("D-1")

    asyncio.run(host())
    assert not [each for each in threading.enumerate() if each.name.startswith("dispute-")]


# ---- an order system that is awaited -------------------------------------------------------------

REQUEST = ContextVar[str]("REQUEST")


class Awaited:
    """An order system on the host's event loop; it notes on which loop, and for which request."""

    def __init__(self) -> None:
        self.orders = AnyOrder()
        self.asked: list[tuple[asyncio.AbstractEventLoop, str]] = []

    async def look(self, order_id: str, now: datetime) -> OrderFacts | None:
        self.asked.append((asyncio.get_running_loop(), REQUEST.get("none")))
        await asyncio.sleep(0)
        facts: OrderFacts | None = self.orders.look(order_id, now)
        return facts


def test_an_order_system_is_awaited_on_the_loop_that_called(store: Store) -> None:
    time, orders = Time(), Awaited()
    service = DisputeService(store, orders, clock=time)

    async def host(number: int) -> None:
        REQUEST.set(f"request {number}")
        async with AsyncDisputeService(service) as disputes:
            dispute_id = f"D-{number}"
            assert (await disputes.open(request(dispute_id))).accepted
            assert isinstance((await disputes.send(dispute_id, ANSWER)).decision, Accepted)
        loop = asyncio.get_running_loop()
        assert orders.asked == [(loop, f"request {number}")] * 2
        orders.asked.clear()

    for number in (1, 2):
        asyncio.run(host(number))


def test_a_sweeper_awaits_the_order_system_too(store: Store) -> None:
    time, orders = Time(), Awaited()
    orders.orders.shown = PAID
    service = DisputeService(store, orders, clock=time)

    async def host() -> None:
        async with AsyncDisputeService(service) as disputes:
            await disputes.open(request())
            await disputes.send("D-1", choose(Option.SHIP_BY_AGREED_DATE))
            time.now = AGREED + DAY
            poll = timedelta(seconds=0.01)
            sweeper = asyncio.create_task(disputes.run_sweeper(poll_interval=poll))
            closed: Callable[[], bool] = lambda: len(service.history("D-1")) == 3  # noqa: E731 -- a condition
            await asyncio.to_thread(until, closed, "the sweeper does not fire the deadline")
            sweeper.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sweeper

    asyncio.run(host())
    assert service.history("D-1")[-1].type is EventType.DISPUTE_PENALIZED


def test_what_an_awaited_order_system_raises_reaches_the_caller(store: Store) -> None:
    orders = Awaited()
    orders.orders.available = False
    service = DisputeService(store, orders, clock=Time())

    async def host() -> None:
        async with AsyncDisputeService(service) as disputes:
            with pytest.raises(OrderSystemUnavailableError, match=r"\(test\) cannot answer"):
                await disputes.open(request())

    asyncio.run(host())


def test_without_an_event_loop_an_awaited_order_system_is_an_error(store: Store) -> None:
    service = DisputeService(store, Awaited(), clock=Time())
    with pytest.raises(InputError, match="call an AsyncDisputeService") as error:
        service.open(request())
    assert error.value.field == "orders"


class Keeping(ThreadPoolExecutor):
    """Keeps what it ran."""

    def __init__(self) -> None:
        super().__init__(1)
        self.calls: list[Future[Any]] = []

    def submit(self, *arguments: Any, **options: Any) -> Future[Any]:  # noqa: ANN401 -- as the class it extends
        self.calls.append(super().submit(*arguments, **options))
        return self.calls[-1]


@pytest.mark.parametrize("when", ["while it asks", "before it asks"])
def test_a_call_whose_event_loop_ends_is_unavailable_and_waits_for_nobody(
    store: Store, when: str
) -> None:
    asked, ended = threading.Event(), threading.Event()

    class Silent:
        async def look(self, order_id: str, now: datetime) -> OrderFacts | None:
            del order_id, now
            asked.set()
            await asyncio.Event().wait()
            return None

    def clock() -> datetime:
        if when == "before it asks":
            asked.set()
            assert ended.wait(PATIENCE)
        return OPENED_AT

    executor = Keeping()

    async def host() -> None:
        service = DisputeService(store, Silent(), clock=clock)
        opening = asyncio.create_task(
            AsyncDisputeService(service, commands=executor).open(request())
        )
        assert await asyncio.to_thread(asked.wait, PATIENCE)
        opening.cancel()

    asyncio.run(host())
    ended.set()
    executor.shutdown()
    (call,) = executor.calls
    assert isinstance(call.exception(), OrderSystemUnavailableError)
