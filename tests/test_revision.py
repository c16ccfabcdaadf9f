"""Commands that are meant for one revision: at another one, nothing is decided or recorded."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from dispute_fsm.commands import merchant
from dispute_fsm.decider.decisions import Accepted, Repeated, Stale
from dispute_fsm.domain.enums import CommandType, Option
from dispute_fsm.errors import OrderSystemUnavailableError
from dispute_fsm.handler import Disputes, Result
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.service.async_service import AsyncDisputeService
from tests.service_support import House, house
from tests.support import DAY, MINUTE, OPENED_AT, choose, command, extension, opened

ANSWER = choose(Option.ALREADY_SHIPPED, key="k-1")


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


def assert_stale(result: Result, revision: int) -> None:
    assert result.decision == Stale(revision)
    assert result.stale
    assert (result.accepted, result.event, result.codes, result.reasons) == (False, None, (), ())
    assert result.dispute.revision == revision


def test_a_host_that_stores_the_events_gets_a_stale_result_and_nobody_is_asked() -> None:
    orders = InMemoryOrderSystem()
    orders.available = False
    disputes, dispute = Disputes(orders), opened()
    with capture_logs() as logs:
        result = disputes.send(dispute, ANSWER, at=OPENED_AT, revision=2)
    assert_stale(result, 1)
    assert result.dispute is dispute
    assert (orders.looks, [line["decision"] for line in logs]) == (0, ["stale"])
    with pytest.raises(OrderSystemUnavailableError):
        disputes.send(dispute, ANSWER, at=OPENED_AT, revision=1)


def test_a_command_for_another_revision_records_nothing(home: House) -> None:
    home.open()
    home.service.send("D-1", extension(OPENED_AT + 2 * DAY))
    before, looks = home.service.history("D-1"), home.orders.looks
    assert_stale(home.service.send("D-1", ANSWER, revision=1), 2)
    assert_stale(home.service.send("D-1", ANSWER, revision=3), 2)
    by_name = home.service.send(
        "D-1", "choose_option", option="already_shipped", by=merchant("M-1"), revision=1
    )
    assert_stale(by_name, 2)
    with home.store.engine.begin() as connection:
        assert_stale(home.service.send("D-1", ANSWER, revision=1, connection=connection), 2)
    out_of_place = command(CommandType.CONFIRM_AGREEMENT)
    assert_stale(home.service.send("D-1", out_of_place, revision=1), 2)
    assert (home.service.history("D-1"), home.orders.looks) == (before, looks)
    assert home.service.send("D-1", out_of_place, revision=2).codes
    assert home.service.send("D-1", ANSWER, revision=2).accepted, "a refusal has not raised it"


def test_an_asyncio_host_gets_the_same(home: House) -> None:
    home.open()

    async def host() -> None:
        service = AsyncDisputeService(home.service)
        assert_stale(await service.send("D-1", ANSWER, revision=2), 1)
        by_name = await service.send(
            "D-1", "choose_option", option="already_shipped", by=merchant("M-1"), revision=2
        )
        assert_stale(by_name, 1)
        assert (await service.send("D-1", ANSWER, revision=1)).accepted

    asyncio.run(host())


def test_a_repeated_command_gets_its_first_decision_at_any_revision(home: House) -> None:
    home.open()
    first = home.service.send("D-1", ANSWER, revision=1)
    assert isinstance(first.decision, Accepted)
    assert home.service.send("D-1", ANSWER, revision=1).decision == Repeated(first.decision.event)
    other = choose(Option.OUT_OF_STOCK_REFUND, key="k-1")
    assert_stale(home.service.send("D-1", other, revision=1), 2)


def test_of_many_commands_for_one_revision_one_is_accepted(home: House) -> None:
    home.open()

    def extend(number: int) -> Result:
        longer = extension(OPENED_AT + DAY + number * MINUTE)
        return home.service.send("D-1", longer, revision=1)

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(extend, range(1, 9)))
    assert sum(result.accepted for result in results) == 1
    assert sum(result.stale for result in results) == 7
    assert len(home.service.history("D-1")) == 2
