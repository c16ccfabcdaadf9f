"""The service in a host: the README's program, the asyncio service, and the cost of an import."""

import asyncio
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dispute_fsm.decider.decisions import Accepted, Repeated
from dispute_fsm.domain.enums import CommandType, Option, StateName
from dispute_fsm.errors import OrderSystemUnavailableError
from dispute_fsm.service import DisputeService
from dispute_fsm.service.async_service import AsyncDisputeService
from dispute_fsm.service.consumer import DeliveryResult
from dispute_fsm.service.sweeper import SweepResult
from dispute_fsm.store.repository import Store
from tests.patience import PATIENCE
from tests.service_support import AnyOrder, House, house, promised, request, settle
from tests.support import DAY, OPENED_AT, PAID, choose, command, over

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "embedded.py"


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


# ---- the example ---------------------------------------------------------------------------------


def test_the_example_is_killed_starts_again_and_has_lost_nothing() -> None:
    ran = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, EXAMPLE], capture_output=True, check=False, text=True, timeout=PATIENCE
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        "the service starts",
        "  opening: Accepted, promise: Accepted",
        "it is killed, and starts again",
        "  opening: Repeated, promise: Repeated",
        "  penalized: promise_missed",
        "  D-1/1 dispute_fsm.dispute_opened",
        "  D-1/2 dispute_fsm.option_chosen",
        "  D-1/3 dispute_fsm.dispute_penalized",
    ]


def test_the_readme_shows_the_lines_of_the_example() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = [
        code
        for code in re.findall(r"^```python\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
        if ">>>" not in code
    ]
    program = [line.strip() for line in EXAMPLE.read_text(encoding="utf-8").splitlines()]
    assert [line for line in block.splitlines() if line not in program] == []


def test_importing_the_package_imports_neither_the_store_nor_the_service() -> None:
    code = (
        "import sys, dispute_fsm; dispute_fsm.Disputes; print([name for name in sys.modules if "
        "'sqlalchemy' in name or 'psycopg' in name])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)  # noqa: S603 -- our own line
    assert ran.stdout.strip() == "[]"


# ---- asyncio -------------------------------------------------------------------------------------


def test_an_asyncio_host_gets_the_same_answers(home: House) -> None:
    async def hosts() -> None:
        service = AsyncDisputeService(home.service)
        await service.open(request("D-1"))
        asked = choose(Option.OUT_OF_STOCK_REFUND, key="k-1", note="x")
        answers = await asyncio.gather(*(service.send("D-1", asked) for _ in range(5)))
        assert sorted(type(one.decision).__name__ for one in answers) == [
            "Accepted",
            *["Repeated"] * 4,
        ]
        assert await service.get("D-1") == home.service.get("D-1")
        assert await service.history("D-1") == home.service.history("D-1")
        assert await service.facts("D-1", asked) is None
        assert await service.facts(request("D-2")) == home.service.facts(request("D-2"))
        assert await service.snapshot("D-1") == home.service.snapshot("D-1")
        assert await service.options("D-1") == home.service.options("D-1")
        assert await service.checklist("D-1", "carrier_fault") == home.service.checklist(
            "D-1", "carrier_fault"
        )
        assert await service.by_order("O-D-1") == home.service.by_order("O-D-1")
        assert await service.by_merchant("M-1") == home.service.by_merchant("M-1")
        assert await service.by_state(StateName.OPENED) == home.service.by_state(StateName.OPENED)
        assert await service.due_before(OPENED_AT + 9 * DAY) == home.service.due_before(
            OPENED_AT + 9 * DAY
        )
        settle(home.store)
        assert [one.position for one in await service.feed()] == [
            one.position for one in home.service.feed()
        ]
        assert await service.deliver(
            home.service.consumer("mail", lambda _event: None)
        ) == DeliveryResult(delivered=2)
        assert await service.erase("D-1") == 1
        assert await service.sweep() == SweepResult()
        home.orders.available = False
        with pytest.raises(OrderSystemUnavailableError):
            await service.open(request("D-2"))

    asyncio.run(hosts())


def test_the_facade_has_every_call_of_the_service_that_talks_to_the_database() -> None:
    ours = {
        name
        for name, _ in inspect.getmembers(DisputeService, inspect.isfunction)
        if not name.startswith("_")
    }
    theirs = {
        name
        for name, _ in inspect.getmembers(AsyncDisputeService, inspect.isfunction)
        if not name.startswith("_")
    }
    assert ours - theirs == {"consumer", "sweeper"}, (
        "these only make an object; `deliver` and `run_sweeper` run it"
    )


def test_the_event_loop_goes_on_while_the_order_system_is_asked(home: House) -> None:
    async def hosts() -> None:
        loop = asyncio.get_running_loop()
        asked, answer = asyncio.Event(), asyncio.Event()

        def look(order_id: str, now: datetime) -> object:
            loop.call_soon_threadsafe(asked.set)
            asyncio.run_coroutine_threadsafe(answer.wait(), loop).result(
                PATIENCE
            )  # nobody answers unless the loop goes on
            return AnyOrder().look(order_id, now)

        home.orders.look = look  # type: ignore[method-assign]  # a slow one
        opening = asyncio.create_task(AsyncDisputeService(home.service).open(request("D-1")))
        await asked.wait()
        answer.set()
        await opening

    asyncio.run(hosts())
    assert home.service.get("D-1") is not None


def test_a_sweeper_of_an_asyncio_host_ends_when_it_is_cancelled(url: str) -> None:
    store = Store(url)
    service = AsyncDisputeService(DisputeService(store, AnyOrder(PAID)))

    async def hosts() -> None:
        sweeper = asyncio.create_task(service.run_sweeper(poll_interval=timedelta(seconds=0.2)))
        await service.open(request("D-1", over(scan_grace="0s")))
        await asyncio.to_thread(promised, service.service, "D-1")
        async with asyncio.timeout(PATIENCE):
            while (snapshot := await service.snapshot("D-1")) is None or not snapshot.closed:  # noqa: ASYNC110 -- the database tells nobody
                await asyncio.sleep(0.02)  # looks again; what it waits for is the condition above
        sweeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweeper

    asyncio.run(hosts())
    assert [event.command for event in service.service.history("D-1")][
        -1
    ] is CommandType.PROMISE_EXPIRED
    store.close()


def test_a_call_that_was_cancelled_is_found_again_by_its_key(home: House) -> None:
    home.open("D-1")
    asked = choose(Option.OUT_OF_STOCK_REFUND, key="k-1")

    async def hosts() -> None:
        task = asyncio.create_task(AsyncDisputeService(home.service).send("D-1", asked))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(hosts())  # it waits for the thread
    assert isinstance(home.service.send("D-1", asked).decision, Accepted | Repeated)
    assert len(home.service.history("D-1")) == 2
    home.service.send("D-1", command(CommandType.CONFIRM_AGREEMENT))
