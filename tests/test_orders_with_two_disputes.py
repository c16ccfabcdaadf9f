"""The disputes of one order, where one of them is closed but may still change (`extended`)."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

from dispute_fsm.decider.decisions import Accepted, Refused
from dispute_fsm.domain.commands import Appeal, merchant
from dispute_fsm.domain.enums import Deadline, RefusalCode, StateName
from dispute_fsm.handler import Result
from dispute_fsm.service import DisputeService
from dispute_fsm.store.import_export import export_history, import_history
from dispute_fsm.store.integrity import CheckCounts, check
from dispute_fsm.store.schema import ONE_LIVE_PER_ORDER, SCHEMA_VERSION, migrate, version
from tests.service_support import House, house, request
from tests.support import MERCHANT
from tests.test_concurrency import together

APPEAL = Appeal(by=merchant(MERCHANT), rationale="the parcel was there")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


def penalized(home: House, dispute_id: str = "D-1", order_id: str = "O-1") -> datetime:
    """Open a dispute, let the response expire, and return when the appeal is due."""
    home.open(dispute_id, rules="extended", order_id=order_id)
    home.time.pass_(DAY + HOUR)
    assert home.service.sweep().fired == 1
    dispute = home.service.get(dispute_id)
    assert dispute is not None
    assert (dispute.state, dispute.closed, dispute.closed_for_good) == (
        StateName.PENALIZED,
        True,
        False,
    )
    return dispute.running[Deadline.APPEAL]


def reopened(home: House, rules: str, dispute_id: str = "D-2") -> Result:
    return home.service.open(request(dispute_id, order_id="O-1", rules=rules))


@pytest.mark.parametrize("rules", ["2023-03", "parallel", "extended"])
def test_no_dispute_opens_beside_one_that_may_still_change(home: House, rules: str) -> None:
    home.time.now = penalized(home)  # at the due instant an appeal is in time
    refused = reopened(home, rules)
    assert isinstance(refused.decision, Refused)
    assert refused.codes == (RefusalCode.DISPUTE_EXISTS,)
    home.time.pass_(timedelta(seconds=1))
    assert isinstance(reopened(home, rules).decision, Accepted), "the window is over, swept or not"
    assert list(check(home.store, CheckCounts())) == []


def test_no_dispute_opens_beside_an_appeal_under_review(home: House) -> None:
    penalized(home)
    assert home.service.send("D-1", APPEAL).accepted
    home.time.pass_(30 * DAY)
    assert reopened(home, "2023-03").codes == (RefusalCode.DISPUTE_EXISTS,)


def test_an_appeal_in_time_is_taken_although_another_dispute_was_opened_since(
    home: House, tmp_path: Path
) -> None:
    penalized(home)
    with house(f"sqlite:///{tmp_path / 'other.db'}") as other:
        other.time.now = home.time.now
        other.open("D-2", order_id="O-1")
        imported = "".join(export_history(other.store)).encode()
    with home.store.pool.transaction() as session:
        import_history(home.store, session, BytesIO(imported), "other.history.jsonl")
    assert home.service.send("D-1", APPEAL).accepted
    found = home.service.by_order("O-1").items
    assert Counter(one.state for one in found) == {
        StateName.APPEAL_UNDER_REVIEW: 1,
        StateName.OPENED: 1,
    }
    assert list(check(home.store, CheckCounts())) == []


def test_eight_writers_appeal_and_open_at_once(url: str) -> None:
    with ExitStack() as stack:
        homes = [stack.enter_context(house(url)) for _ in range(8)]
        due = penalized(homes[0])
        for one in homes:
            one.time.now = due

        def does(number: int, service: DisputeService) -> Result:
            if number % 2:
                return service.send("D-1", APPEAL)
            return service.open(request(f"D-{number + 2}", order_id="O-1"))

        results = together(homes, does)
        appeals, openings = results[1::2], results[::2]
        assert sum(one.accepted for one in appeals) == 1
        assert {code for one in appeals for code in one.codes} == {RefusalCode.ALREADY_APPEALED}
        assert {code for one in openings for code in one.codes} == {RefusalCode.DISPUTE_EXISTS}
        assert list(check(homes[0].store, CheckCounts())) == []


def test_a_sweep_makes_a_penalty_final_and_never_makes_two_hops(home: House) -> None:
    home.open("D-1", rules="extended")
    home.time.pass_(90 * DAY)
    assert home.service.sweep().fired == 1
    dispute = home.service.get("D-1")
    assert dispute is not None
    assert dispute.running == {Deadline.APPEAL: home.time.now + 48 * HOUR}
    assert home.service.sweep().fired == 0
    home.time.pass_(48 * HOUR)
    assert home.service.sweep().fired == 0
    home.time.pass_(timedelta(seconds=1))
    due = home.service.due_before(home.time.now).items
    assert [(one.dispute_id, one.deadline) for one in due] == [("D-1", Deadline.APPEAL)]
    assert home.service.sweep().fired == 1
    final = home.service.get("D-1")
    assert final is not None
    assert final.closed_for_good
    assert list(check(home.store, CheckCounts())) == []


def test_a_database_of_version_1_gets_the_new_index_and_keeps_its_disputes(home: House) -> None:
    penalized(home)
    with home.store.pool.transaction() as session:
        session.execute(f"DROP INDEX {ONE_LIVE_PER_ORDER.name}")
        session.execute(
            f"CREATE UNIQUE INDEX {ONE_LIVE_PER_ORDER.name} ON disputes (order_id) "
            "WHERE closed = false"
        )
        session.execute("UPDATE dispute_schema SET version = 1")
    assert migrate(home.store.pool) == 1
    with home.store.pool.take() as session:
        assert version(session) == SCHEMA_VERSION
    assert home.service.send("D-1", APPEAL).accepted
    assert list(check(home.store, CheckCounts())) == []
