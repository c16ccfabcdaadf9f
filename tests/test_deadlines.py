"""When a deadline that begins now is due."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispute_fsm.domain.deadlines import due_instant, is_on, term_of
from dispute_fsm.domain.enums import Deadline
from dispute_fsm.domain.policy import DEFAULT_POLICY, VERSION_FIELDS, Policy, Term
from tests.strategies import instants, policies

RESPONSE, CONFIRMATION, PROMISE, EVIDENCE = (
    Deadline.RESPONSE,
    Deadline.CONFIRMATION,
    Deadline.PROMISE,
    Deadline.EVIDENCE,
)
WITH_A_TERM = [deadline for deadline in Deadline if deadline is not PROMISE]
START = datetime(2023, 3, 28, 2, tzinfo=UTC)  # a Tuesday, 10:00 in Shanghai
AGREED = datetime(2023, 3, 30, 10, tzinfo=UTC)
IN_2023 = instants(datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 12, 31, tzinfo=UTC))


def over(**changes: object) -> Policy:
    return DEFAULT_POLICY.lay_over(changes)


def test_by_default_response_and_confirmation_run_24_hours_and_evidence_4_working_hours() -> None:
    assert due_instant(RESPONSE, DEFAULT_POLICY, START) == START + timedelta(hours=24)
    assert due_instant(CONFIRMATION, DEFAULT_POLICY, START) == START + timedelta(hours=24)
    assert due_instant(EVIDENCE, DEFAULT_POLICY, START) == START + timedelta(hours=4)


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2023-03-28T14:00:00+08:00", "2023-03-28T18:00:00+08:00"),  # ends at the closing hour
        ("2023-03-28T14:00:01+08:00", "2023-03-29T09:00:01+08:00"),
        ("2023-03-28T17:00:00+08:00", "2023-03-29T12:00:00+08:00"),
        ("2023-03-28T20:00:00+08:00", "2023-03-29T13:00:00+08:00"),
        ("2023-03-31T17:00:00+08:00", "2023-04-03T12:00:00+08:00"),  # over a weekend
        ("2023-04-04T17:00:00+08:00", "2023-04-06T12:00:00+08:00"),  # over Qingming
        ("2023-04-21T17:00:00+08:00", "2023-04-23T12:00:00+08:00"),  # into a make-up Sunday
    ],
)
def test_working_hours_follow_the_policys_calendar(start: str, due: str) -> None:
    assert due_instant(
        EVIDENCE, DEFAULT_POLICY, datetime.fromisoformat(start)
    ) == datetime.fromisoformat(due)


@pytest.mark.parametrize("deadline", WITH_A_TERM)
@pytest.mark.parametrize(
    ("term", "runs"),
    [
        ({"hours": 1}, timedelta(hours=1)),
        ({"hours": 87_600}, timedelta(hours=87_600)),
        ({"working_hours": 8}, timedelta(hours=8)),
    ],
)
def test_every_deadline_but_the_promise_can_be_hours_or_working_hours(
    deadline: Deadline, term: Mapping[str, int], runs: timedelta
) -> None:
    policy = over(**{deadline.value: term})
    assert term_of(deadline, policy) == Term(**term)
    assert due_instant(deadline, policy, START) == START + runs
    assert all(
        term_of(other, policy) == term_of(other, DEFAULT_POLICY)
        for other in WITH_A_TERM
        if other is not deadline
    )


@pytest.mark.parametrize("deadline", WITH_A_TERM)
def test_a_deadline_that_is_switched_off_is_never_due(deadline: Deadline) -> None:
    off = over(**{deadline.value: None})
    assert term_of(deadline, off) is None
    assert due_instant(deadline, off, START) is None
    assert due_instant(deadline, off, START, agreed_until=AGREED) is None


def test_a_deadline_is_on_unless_it_is_switched_off_and_a_promise_always_is() -> None:
    off = over(**{deadline.value: None for deadline in WITH_A_TERM})
    on = over(**{name: {"hours": 48} for name in VERSION_FIELDS})
    for deadline in Deadline:
        assert is_on(deadline, on)
        assert is_on(deadline, DEFAULT_POLICY) is (deadline.value not in VERSION_FIELDS)
        assert is_on(deadline, off) is (deadline is PROMISE)


def test_the_promise_is_due_when_the_grace_after_the_agreed_instant_is_over() -> None:
    assert term_of(PROMISE, DEFAULT_POLICY) is None
    assert due_instant(PROMISE, DEFAULT_POLICY, START, agreed_until=AGREED) == AGREED + timedelta(
        hours=6
    )
    assert due_instant(PROMISE, over(scan_grace="0s"), START, agreed_until=AGREED) == AGREED
    assert due_instant(
        PROMISE, over(scan_grace="1d"), START, agreed_until=AGREED
    ) == AGREED + timedelta(days=1)
    assert due_instant(PROMISE, DEFAULT_POLICY, START) is None


def test_an_extension_sets_the_due_instant_itself_and_for_the_promise_the_agreed_one() -> None:
    until = AGREED + timedelta(days=40)
    for deadline in WITH_A_TERM:
        assert due_instant(deadline, DEFAULT_POLICY, START, extended_to=until) == until
        assert (
            due_instant(deadline, over(**{deadline.value: None}), START, extended_to=until) == until
        )
    assert due_instant(
        PROMISE, DEFAULT_POLICY, START, agreed_until=AGREED, extended_to=until
    ) == until + timedelta(hours=6)
    assert due_instant(PROMISE, over(scan_grace="0s"), START, extended_to=until) == until


@given(
    policies(), st.lists(IN_2023, min_size=2, max_size=4).map(sorted), st.sampled_from(WITH_A_TERM)
)
def test_who_starts_later_is_due_no_earlier_and_never_before_the_start(
    policy: Policy, starts: list[datetime], deadline: Deadline
) -> None:
    dues = [due_instant(deadline, policy, start) for start in starts]
    if term_of(deadline, policy) is None:
        assert set(dues) == {None}
        return
    found = [due for due in dues if due is not None]
    assert len(found) == len(starts)
    assert all(
        due > start and due.utcoffset() == timedelta(0)
        for due, start in zip(found, starts, strict=True)
    )
    assert all(earlier <= later for earlier, later in pairwise(found))
