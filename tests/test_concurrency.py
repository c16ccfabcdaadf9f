"""Many writers: one response wins, nobody gets another's result, and runs are linearizable."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from random import Random
from time import monotonic_ns
from typing import TYPE_CHECKING, TypeVar

import pytest

from dispute_fsm.decider.decisions import Accepted, Refused, Repeated
from dispute_fsm.domain.enums import Option, RefusalCode
from dispute_fsm.errors import ConflictError
from dispute_fsm.handler import Disputes, Result
from dispute_fsm.service import DisputeService
from dispute_fsm.store.integrity import CheckCounts, check
from tests.linearizable import Answer, Call, linearizable
from tests.service_support import House, house, request
from tests.support import choose, over

if TYPE_CHECKING:
    from dispute_fsm.domain.events import AuditEvent

T = TypeVar("T")

WRITERS = 8
OPTIONS = (
    Option.CONSUMER_CANCELS,
    Option.ALREADY_SHIPPED,
    Option.SHIP_BY_AGREED_DATE,
    Option.OUT_OF_STOCK_REFUND,
    Option.PROVE_NO_FAULT,
)
POLICY = over(max_recorded_refusals=10_000)


@pytest.fixture
def homes(url: str) -> Iterator[list[House]]:
    """Eight services with connections of their own, as of eight processes."""
    with ExitStack() as stack:
        yield [stack.enter_context(house(url)) for _ in range(WRITERS)]


def together(homes: list[House], does: Callable[[int, DisputeService], T]) -> list[T]:
    """Let all services do something at the same moment; returns what each did."""
    start = threading.Barrier(len(homes))

    def one(number: int) -> T:
        start.wait()
        return does(number, homes[number].service)

    with ThreadPoolExecutor(len(homes)) as pool:
        return list(pool.map(one, range(len(homes))))


# ---- one dispute ---------------------------------------------------------------------------------


@pytest.mark.parametrize("faster", [True, False], ids=["another-event", "another-history"])
def test_an_event_that_does_not_follow_is_refused_and_leaves_nothing(
    url: str, caplog: pytest.LogCaptureFixture, *, faster: bool
) -> None:
    with house(url) as home:
        before = home.open(policy=POLICY)
        choice = choose(Option.OUT_OF_STOCK_REFUND, key="k", note="too late")
        late = Disputes(home.orders).send(before, choice, at=home.time.now)
        assert isinstance(late.decision, Accepted)
        if faster:
            home.service.send("D-1", choose(Option.ALREADY_SHIPPED))
        else:
            before = replace(before, last_hash="0" * 64)
        with home.store.pool.take() as session:
            stored = session.execute("SELECT * FROM dispute_deadlines").fetchall()
        with (
            pytest.raises(ConflictError, match="modified concurrently"),
            home.store.pool.transaction() as session,
        ):
            home.store.append(
                session, before, late.decision.event, late.dispute, late.decision.hashed
            )
        with home.store.pool.take() as session:
            assert session.execute("SELECT * FROM dispute_deadlines").fetchall() == stored
            assert session.execute("SELECT * FROM dispute_private_values").fetchall() == []
        assert "too late" not in repr(home.service.history("D-1"))
        assert list(check(home.store, counts := CheckCounts())) == []
        assert counts == CheckCounts(1, 1 + faster)
        assert caplog.records == []
        assert home.service.send("D-1", choice).event is not None


def test_of_eight_responses_exactly_one_wins_and_everybody_sees_their_own_answer(
    homes: list[House],
) -> None:
    homes[0].open(policy=POLICY)

    def answers(number: int, service: DisputeService) -> Result:
        return service.send(
            "D-1",
            choose(OPTIONS[number % len(OPTIONS)], key=f"k-{number}", note=f"writer {number}"),
        )

    answered = together(homes, answers)
    assert Counter(type(one.decision) for one in answered) == {Accepted: 1, Refused: WRITERS - 1}
    events: list[AuditEvent] = []
    for number, one in enumerate(answered):
        assert one.event is not None
        events.append(one.event)
        assert one.event.key == f"k-{number}"
        assert [
            kept.value for kept in one.event.private.values() if kept.value.startswith("writer")
        ] == [f"writer {number}"]
        if isinstance(one.decision, Refused):
            assert one.decision.codes == (RefusalCode.OPTION_ALREADY_CHOSEN,)
    assert sorted(event.seq for event in events) == list(range(2, WRITERS + 2))
    assert {event.seq: event for event in homes[0].service.history("D-1")[1:]} == {
        event.seq: event for event in events
    }


def test_of_eight_the_same_key_happens_once_and_all_get_the_first_answer(
    homes: list[House],
) -> None:
    homes[0].open(policy=POLICY)
    asked = choose(Option.OUT_OF_STOCK_REFUND, key="k-1", note="the same")
    answered = together(homes, lambda _number, service: service.send("D-1", asked))
    assert Counter(type(one.decision) for one in answered) == {Accepted: 1, Repeated: WRITERS - 1}
    assert (
        len(
            {
                one.decision.event.hash
                for one in answered
                if isinstance(one.decision, Accepted | Repeated)
            }
        )
        == 1
    )
    assert len(homes[0].service.history("D-1")) == 2


def test_of_eight_openings_of_one_id_one_opens_and_all_get_its_answer(homes: list[House]) -> None:
    for attempt in range(5):
        opened = together(
            homes,
            lambda _number, service, one=f"D-{attempt}": service.open(request(one)),  # type: ignore[misc]  # bound now
        )
        assert Counter(type(one.decision) for one in opened) == {Accepted: 1, Repeated: WRITERS - 1}


def test_of_eight_disputes_about_one_order_one_opens(homes: list[House]) -> None:
    opened = together(
        homes, lambda number, service: service.open(request(f"D-{number}", order_id="O-1"))
    )
    assert sum(one.accepted for one in opened) == 1
    assert {code for one in opened for code in one.codes} == {RefusalCode.DISPUTE_EXISTS}
    assert len(homes[0].service.by_order("O-1").items) == 1


# ---- recorded runs -------------------------------------------------------------------------------


def recorded(homes: list[House], disputes: int, calls: int, seed: int) -> dict[str, list[Call]]:
    """Let eight writers choose, repeat and read on a few disputes; return the calls to each."""
    ids = [f"D-{seed}-{number}" for number in range(disputes)]
    for one in ids:
        homes[0].open(one, POLICY)

    def calling(number: int, service: DisputeService) -> list[tuple[str, Call]]:
        chance = Random(seed * 100 + number)
        made: list[tuple[str, Call]] = []
        for _ in range(calls):
            dispute_id = chance.choice(ids)
            if chance.random() < 0.3:
                began = monotonic_ns()
                dispute = service.get(dispute_id)
                ended = monotonic_ns()
                assert dispute is not None
                made.append(
                    (dispute_id, Call(began, ended, None, None, Answer("seen", dispute.seq)))
                )
                continue
            # A few keys that all writers share, so that some are repeated and some are used for
            # another content.
            option, key = chance.choice(OPTIONS[:2]), f"k-{chance.randrange(4)}"
            asked = choose(option, key=key)
            began = monotonic_ns()
            decision = service.send(dispute_id, asked).decision
            ended = monotonic_ns()
            made.append((dispute_id, Call(began, ended, option.value, key, told(decision))))
        return made

    run: dict[str, list[Call]] = {one: [] for one in ids}
    for made in together(homes, calling):
        for dispute_id, call in made:
            run[dispute_id].append(call)
    return run


def told(decision: object) -> Answer:
    if isinstance(decision, Refused):
        assert decision.event is not None
        return Answer("refused", decision.event.seq, tuple(code.value for code in decision.codes))
    assert isinstance(decision, Accepted | Repeated)
    return Answer("accepted" if isinstance(decision, Accepted) else "repeated", decision.event.seq)


def test_recorded_runs_are_linearizable_per_dispute(
    homes: list[House], url: str, count: Callable[[str, int], None]
) -> None:
    checked = 0
    for seed in range(3):
        for dispute_id, calls in recorded(
            homes, disputes=(1, 3, 8)[seed], calls=12, seed=seed
        ).items():
            assert linearizable(calls), (
                f"{dispute_id}: no order of these calls explains their answers: {calls}"
            )
            checked += len(calls)
    assert list(check(homes[0].store, CheckCounts())) == []
    count(f"calls checked for linearizability, {url.partition(':')[0].partition('+')[0]}", checked)


def test_the_checker_finds_an_answer_that_was_changed_in_a_recorded_run(homes: list[House]) -> None:
    (calls,) = recorded(homes, disputes=1, calls=8, seed=7).values()
    assert linearizable(calls)
    for index, call in enumerate(calls):
        later = replace(call, answer=replace(call.answer, seq=call.answer.seq + 1))
        planted = [*calls[:index], later, *calls[index + 1 :]]
        if call.answer.kind != "seen":  # what a look may see depends on who overlapped it
            assert not linearizable(planted), f"call {index} was changed, and that was not found"


def test_the_checker_finds_a_look_that_is_answered_from_a_cache(homes: list[House]) -> None:
    homes[0].open(policy=POLICY)
    service, cached = homes[0].service, homes[1].service.get("D-1")
    assert cached is not None

    def looks(fresh: bool) -> Call:
        began = monotonic_ns()
        dispute = service.get("D-1") if fresh else cached
        assert dispute is not None
        return Call(began, monotonic_ns(), None, None, Answer("seen", dispute.seq))

    began = monotonic_ns()
    decision = service.send("D-1", choose(Option.CONSUMER_CANCELS, key="k-1")).decision
    chosen = Call(began, monotonic_ns(), Option.CONSUMER_CANCELS.value, "k-1", told(decision))
    assert linearizable([chosen, looks(fresh=True)])
    assert not linearizable([chosen, looks(fresh=False)])


C = Call
PLANTED = {
    "two were accepted": [
        C(0, 1, "a", "k", Answer("accepted", 2)),
        C(0, 1, "b", "l", Answer("accepted", 3)),
    ],
    "a look saw what was over": [
        C(0, 1, "a", "k", Answer("accepted", 2)),
        C(2, 3, None, None, Answer("seen", 1)),
    ],
    "a look saw what had not begun": [
        C(0, 1, None, None, Answer("seen", 2)),
        C(2, 3, "a", "k", Answer("accepted", 2)),
    ],
    "looks went back": [
        C(0, 9, "a", "k", Answer("accepted", 2)),
        C(1, 2, None, None, Answer("seen", 2)),
        C(3, 4, None, None, Answer("seen", 1)),
    ],
    "another's answer": [
        C(0, 1, "a", "k", Answer("accepted", 2)),
        C(2, 3, "b", "l", Answer("repeated", 2)),
    ],
    "a key happened twice": [
        C(0, 1, "a", "k", Answer("accepted", 2)),
        C(2, 3, "a", "k", Answer("accepted", 3)),
    ],
    "an event is missing": [
        C(0, 1, "a", "k", Answer("accepted", 2)),
        C(2, 3, "b", "l", Answer("refused", 4, ("option_already_chosen",))),
    ],
    "repeated before it was accepted": [
        C(0, 1, "a", "k", Answer("repeated", 2)),
        C(2, 3, "a", "k", Answer("accepted", 2)),
    ],
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_the_checker_finds_a_planted_violation(planted: list[Call]) -> None:
    assert not linearizable(planted)


def test_the_checker_passes_what_only_looks_wrong() -> None:
    overlapping = [
        C(0, 9, "a", "k", Answer("refused", 3, ("option_already_chosen",))),
        C(1, 8, "b", "l", Answer("accepted", 2)),
        C(2, 3, None, None, Answer("seen", 1)),
        C(4, 5, None, None, Answer("seen", 3)),
    ]
    assert linearizable(overlapping)
    assert linearizable([])
