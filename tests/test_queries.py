"""Queries: by order, merchant, state and due instant, page by page, each by its index.

The plans are asserted over 20,000 rows that the database has counted; `make bench` asserts them
over a million.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from pydantic_core import to_json

from benchmarks import queries as bench
from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.domain.enums import CommandType, Deadline, Option, Outcome, StateName
from dispute_fsm.errors import InputError
from dispute_fsm.service.consumer import log_sink
from dispute_fsm.store import queries
from dispute_fsm.store.queries import DisputeSnapshot, Page, paths_in
from dispute_fsm.store.repository import Store
from tests.service_support import House, house
from tests.support import DAY, HOUR, MINUTE, OPENED_AT, choose, command, submission

Pages = Callable[[str | None, int], Page[Any]]


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


def all_pages(page: Pages, limit: int) -> list[Any]:
    """Go through all pages."""
    found: list[Any] = []
    cursor: str | None = None
    for _ in count():
        one = page(cursor, limit)
        assert len(one.items) <= limit
        found += one.items
        if one.cursor is None:
            return found
        cursor = one.cursor
    return found


def ids(found: list[DisputeSnapshot]) -> list[str]:
    return [one.dispute_id for one in found]


@pytest.fixture
def seven(home: House) -> House:
    """Seven disputes of two merchants, opened a minute apart, D-3 and D-4 at once; D-5 closed."""
    for number in range(7):
        home.open(f"D-{number}", merchant_id=f"M-{number % 2}", order_id=f"O-{number}")
        home.time.pass_(timedelta(0) if number == 3 else MINUTE)
    home.service.send("D-5", command(CommandType.WITHDRAW))
    return home


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_any_size_hold_each_dispute_once_the_oldest_first(
    seven: House, limit: int
) -> None:
    service = seven.service
    assert ids(
        all_pages(lambda cursor, n: service.by_merchant("M-1", cursor=cursor, limit=n), limit)
    ) == ["D-1", "D-3", "D-5"]
    opened = all_pages(
        lambda cursor, n: service.by_state(StateName.OPENED, cursor=cursor, limit=n), limit
    )
    assert ids(opened) == ["D-0", "D-1", "D-2", "D-3", "D-4", "D-6"]
    resolved = all_pages(
        lambda cursor, n: service.by_merchant("M-1", StateName.RESOLVED, cursor=cursor, limit=n),
        limit,
    )
    assert ids(resolved) == ["D-5"]
    due = all_pages(
        lambda cursor, n: service.due_before(OPENED_AT + 9 * DAY, cursor=cursor, limit=n), limit
    )
    assert [(one.dispute_id, one.deadline) for one in due] == [
        (f"D-{n}", Deadline.RESPONSE) for n in (0, 1, 2, 3, 4, 6)
    ]


def test_what_opens_closes_or_moves_on_meanwhile_moves_nothing(seven: House) -> None:
    first = seven.service.by_merchant("M-0", limit=2)
    assert ids(list(first.items)) == ["D-0", "D-2"]
    seven.service.send("D-0", command(CommandType.WITHDRAW))
    seven.open("D-9", merchant_id="M-0")
    rest = all_pages(
        lambda cursor, n: seven.service.by_merchant("M-0", cursor=cursor or first.cursor, limit=n),
        100,
    )
    assert ids(rest) == ["D-4", "D-6", "D-9"]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_state_is_found_under_every_rule_version_in_every_region_and_by_what_lies_around_it(
    home: House, limit: int
) -> None:
    for number in range(6):
        home.open(f"D-{number}", rules="parallel" if number % 2 else "2023-03")
        home.time.pass_(MINUTE)
    for number in (4, 2):
        home.service.send(f"D-{number}", choose(Option.PROVE_NO_FAULT))
    for number in (4, 3, 1):
        assert isinstance(home.service.send(f"D-{number}", submission()).decision, Accepted)
    home.service.send("D-5", choose(Option.OUT_OF_STOCK_REFUND))

    def found(state: StateName) -> list[str]:
        by_merchant = all_pages(
            lambda cursor, n: home.service.by_merchant("M-1", state, cursor=cursor, limit=n), limit
        )
        assert by_merchant == all_pages(
            lambda cursor, n: home.service.by_state(state, cursor=cursor, limit=n), limit
        )
        return ids(by_merchant)

    assert found(StateName.UNDER_REVIEW) == ["D-1", "D-3", "D-4"]
    assert found(StateName.AWAITING_EVIDENCE) == ["D-2", "D-5"]
    assert found(StateName.PROPOSING) == ["D-1", "D-3"]
    assert found(StateName.AWAITING_CONFIRMATION) == ["D-5"]
    assert found(StateName.DISPUTING) == ["D-1", "D-3", "D-5"]
    assert found(StateName.CONTESTING) == ["D-2", "D-4"]
    assert found(StateName.OPENED) == ["D-0"]
    assert all(paths_in(state) for state in StateName)


def test_a_state_that_no_rule_version_has_finds_nothing(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.open()
    monkeypatch.setattr(queries, "VERSIONS", {})
    assert home.service.by_state(StateName.OPENED).items == ()


def test_a_snapshot_says_for_what_a_region_has_failed(home: House) -> None:
    home.open(rules="parallel")
    home.time.pass_(5 * HOUR)
    home.service.sweep()
    failed = home.service.snapshot("D-1")
    assert failed is not None
    assert (failed.liability, failed.outcome, failed.closed) == (
        Outcome.EVIDENCE_OVERDUE,
        None,
        False,
    )


def test_an_order_shows_all_its_disputes(seven: House) -> None:
    seven.service.send("D-1", command(CommandType.WITHDRAW))
    seven.open("D-8", order_id="O-1")
    found = seven.service.by_order("O-1").items
    assert [(one.dispute_id, one.closed) for one in found] == [("D-1", True), ("D-8", False)]


def test_what_is_due_before_an_instant_is_what_runs(seven: House) -> None:
    assert ids_due(seven, OPENED_AT + DAY + MINUTE) == ["D-0"], (
        "at that instant D-1 is due, not before it"
    )
    seven.service.send("D-1", choose(Option.PROVE_NO_FAULT))
    found = seven.service.due_before(OPENED_AT + DAY + MINUTE).items
    assert [(one.dispute_id, one.revision, one.deadline) for one in found] == [
        ("D-1", 2, Deadline.EVIDENCE),
        ("D-0", 1, Deadline.RESPONSE),
    ]


def ids_due(home: House, instant: Any) -> list[str]:  # noqa: ANN401 -- an instant
    return [one.dispute_id for one in home.service.due_before(instant).items]


def test_a_snapshot_is_what_the_dispute_is_and_rises_with_it(home: House) -> None:
    opened = home.open()
    before = home.service.snapshot("D-1")
    home.time.pass_(HOUR)
    dispute = home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND)).dispute
    after = home.service.snapshot("D-1")
    assert before is not None
    assert after is not None
    assert (before.revision, after.revision, after.snapshot) == (1, 2, 1)
    for name in (
        "dispute_id",
        "order_id",
        "merchant_id",
        "consumer_id",
        "path",
        "state",
        "closed",
        "option",
        "outcome",
        "liability",
        "seq",
        "last_at",
    ):
        assert getattr(after, name) == getattr(dispute, name), name
    assert (after.policy, after.opened_at, after.last_hash) == (
        dispute.policy.digest,
        opened.last_at,
        dispute.last_hash,
    )
    assert DisputeSnapshot.model_validate_json(after.model_dump_json()) == after
    assert home.service.snapshot("D-9") is None


@pytest.mark.parametrize("limit", [0, -1, 100_001, 2**63])
def test_a_page_that_holds_nothing_or_too_much_is_an_error(home: House, limit: int) -> None:
    home.open()
    service = home.service
    asks: tuple[Callable[[], object], ...] = (
        lambda: service.by_order("O-1", limit=limit),
        lambda: service.by_merchant("M-1", limit=limit),
        lambda: service.by_state(StateName.OPENED, limit=limit),
        lambda: service.due_before(OPENED_AT + 9 * DAY, limit=limit),
        lambda: service.feed(limit=limit),
        lambda: service.consumer("c", log_sink).deliver(limit),
    )
    for ask in asks:
        with pytest.raises(InputError) as fault:
            ask()
        assert fault.value.field == "limit"


def forged(*parts: object) -> str:
    return to_json(parts).hex()


@pytest.mark.parametrize(
    "cursor",
    [
        forged("0001-01-01T00:00:00+14:00", "D-1"),
        forged("2023-04-01T00:00:00", "D-1"),
        forged("2023-04-01T00:00:00Z", "D\0"),
        forged("2023-04-01T00:00:00Z", 1),
        forged(1, "D-1"),
    ],
)
def test_a_cursor_that_was_forged_is_an_error(home: House, cursor: str) -> None:
    with pytest.raises(InputError, match="not a cursor of this query"):
        home.service.by_order("O-1", cursor=cursor)


@pytest.mark.parametrize(
    "place", [f"{2**63}-0", f"0-{2**63}", "1" * 5000 + "-0", "0-", "-", "\uff11-0"]
)
def test_a_place_that_was_forged_is_an_error(home: House, place: str) -> None:
    with pytest.raises(InputError, match="not a position in the feed"):
        home.service.feed(place)


@pytest.mark.parametrize(
    "instant",
    [datetime(2023, 4, 1), datetime(1, 1, 1, tzinfo=UTC)],  # noqa: DTZ001 -- that is what is tried
    ids=["naive", "long ago"],
)
def test_an_instant_that_is_none_is_an_error(home: House, instant: datetime) -> None:
    with pytest.raises(InputError) as fault:
        home.service.due_before(instant)
    assert fault.value.field == "instant"


@pytest.mark.parametrize(
    "cursor", ["", "x", "7b7d", "5b5d", "5b312c225822 5d", "5b2278222c2279225d"]
)
def test_a_cursor_that_no_query_gave_is_an_error(home: House, cursor: str) -> None:
    with pytest.raises(InputError, match="not a cursor of this query"):
        home.service.by_order("O-1", cursor=cursor)


# ---- plans ---------------------------------------------------------------------------------------

MANY = 20_000


@pytest.fixture
def filled(url: str) -> Iterator[Store]:
    with closing(Store(url)) as store:
        bench.fill(store.engine, MANY)
        yield store


def test_every_query_goes_by_an_index_and_sorts_nothing(filled: Store) -> None:
    explained = {name: lines for name, lines, _ in bench.explained(filled.engine, MANY)}
    assert {name: bench.faults(lines) for name, lines in explained.items()} == {
        name: [] for name in explained
    }
    assert set(explained) == set(bench.queries(filled.engine.dialect.name, MANY))


def test_a_missing_index_is_found(filled: Store) -> None:
    with filled.engine.begin() as connection:
        for index in (
            "disputes_by_order",
            "disputes_one_live_per_order",
            "dispute_deadlines_by_due",
        ):
            connection.exec_driver_sql(f"DROP INDEX {index}")
    wrong = {name for name, lines, _ in bench.explained(filled.engine, MANY) if bench.faults(lines)}
    assert wrong == {"by order", "due before", "overdue", "next due"}
