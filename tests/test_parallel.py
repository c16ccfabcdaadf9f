"""What files cannot say of `parallel`: commands, hints, options, impossible events, what-if."""

from datetime import timedelta
from pathlib import Path

import pytest

from dispute_fsm.decider.decisions import Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import evolve
from dispute_fsm.decider.options import options
from dispute_fsm.domain.commands import Command
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Option,
    Outcome,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.reasons import ActorUnlock, NeverUnlock
from dispute_fsm.errors import ImpossibleEventError
from dispute_fsm.handler import Disputes
from dispute_fsm.history.messages import EndComparison
from dispute_fsm.history.replay import Replayed, replay
from dispute_fsm.history.what_if import Question
from dispute_fsm.orders import InMemoryOrderSystem
from tests.support import (
    AGREED,
    HOUR,
    OPENED_AT,
    PAID,
    after,
    choose,
    command,
    decided,
    extension,
    happens,
    opened,
    over,
    ruling,
)

C, E, S = RefusalCode, CommandType, StateName
HISTORIES = Path(__file__).parent / "histories"
OUT_OF_STOCK = choose(Option.OUT_OF_STOCK_REFUND)


def disputing(**policy: object) -> Dispute:
    return opened(over(**policy), rules="parallel")


def expired(dispute: Dispute, deadline: Deadline, at: timedelta) -> Dispute:
    return after(dispute, command(deadline.expiry), OPENED_AT + at)


def refusal(dispute: Dispute, asked: Command, at: timedelta) -> Refused:
    decision = decided(dispute, asked, OPENED_AT + at)
    assert isinstance(decision, Refused)
    return decision


# ---- commands ------------------------------------------------------------------------------------


def test_an_extension_that_names_no_deadline_has_no_place() -> None:
    assert refusal(disputing(), extension(AGREED), HOUR).codes == (C.NOT_IN_THIS_STATE,)
    assert (
        happens(disputing(), extension(AGREED, deadline=Deadline.EVIDENCE)).deadlines[
            Deadline.EVIDENCE
        ]
        == AGREED
    )


def test_which_liability_a_region_failed_for_is_remembered() -> None:
    failed = after(after(disputing(), OUT_OF_STOCK), command(E.DENY_AGREEMENT))
    assert (failed.liability, failed.outcome) == (Outcome.OUT_OF_STOCK, None)
    assert failed.states == (S.SETTLEMENT_FAILED, S.AWAITING_EVIDENCE)
    assert failed.state is S.DISPUTING
    ended = expired(failed, Deadline.EVIDENCE, 9 * HOUR)
    assert (ended.outcome, ended.liability, ended.closed) == (
        Outcome.OUT_OF_STOCK,
        Outcome.OUT_OF_STOCK,
        True,
    )


def test_an_end_that_does_not_fit_what_failed_before_is_impossible() -> None:
    failed = after(after(disputing(), OUT_OF_STOCK), command(E.DENY_AGREEMENT))
    event = happens(failed, command(E.EVIDENCE_EXPIRED), OPENED_AT + 9 * HOUR)
    assert event.outcome is Outcome.OUT_OF_STOCK
    forged = event.model_copy(
        update={"outcome": Outcome.BREACH_OF_PROMISE}
    )  # of another settlement
    with pytest.raises(ImpossibleEventError, match="no transition leads from"):
        evolve(failed, forged)


def test_the_events_of_a_failed_region_have_no_outcome() -> None:
    event = happens(disputing(), command(E.EVIDENCE_EXPIRED), OPENED_AT + 9 * HOUR)
    assert (event.type, event.outcome) == (EventType.EVIDENCE_FAILED, None)


def test_with_the_order_system_down_the_promise_stays_pending_and_the_evidence_fires() -> None:
    orders = InMemoryOrderSystem({"O-1": PAID})
    dispute = after(
        disputing(), choose(Option.SHIP_BY_AGREED_DATE, agreed_until=OPENED_AT + 2 * HOUR)
    )
    orders.available = False
    later = evolve(
        dispute, happens(dispute, extension(OPENED_AT + 30 * HOUR, deadline=Deadline.EVIDENCE))
    )
    (answer,) = Disputes(orders).sweep(later, at=OPENED_AT + 40 * HOUR)
    assert answer.event is not None
    assert answer.event.command is E.EVIDENCE_EXPIRED
    assert set(answer.dispute.running) == {Deadline.PROMISE}


# ---- what would help -----------------------------------------------------------------------------


def test_a_late_choice_is_not_made_possible_by_what_happens_beside_it() -> None:
    late = refusal(disputing(response={"hours": 1}), OUT_OF_STOCK, 2 * HOUR)
    assert late.codes == (C.DEADLINE_PASSED,)
    assert isinstance(late.reasons[0].unlock, NeverUnlock)


def test_a_ruling_waits_for_the_evidence() -> None:
    (reason,) = refusal(disputing(), ruling(E.RULE_NO_FAULT), HOUR).reasons
    assert reason.code is C.NOT_IN_THIS_STATE
    assert isinstance(reason.unlock, ActorUnlock)
    assert (reason.unlock.role, reason.unlock.event) == (Role.MERCHANT, E.SUBMIT_EVIDENCE)
    assert reason.saw["state"] == "proposing,awaiting_evidence"


def test_an_annulment_waits_for_both_to_fail() -> None:
    failed = expired(disputing(), Deadline.EVIDENCE, 9 * HOUR)
    (reason,) = refusal(failed, ruling(E.ANNUL), 10 * HOUR).reasons
    assert isinstance(reason.unlock, ActorUnlock)


def test_an_extension_of_a_deadline_that_does_not_run_yet_says_who_starts_it() -> None:
    (reason,) = refusal(
        disputing(), extension(AGREED, deadline=Deadline.CONFIRMATION), HOUR
    ).reasons
    assert isinstance(reason.unlock, ActorUnlock)
    assert reason.unlock.event is E.CHOOSE_OPTION


# ---- options -------------------------------------------------------------------------------------


def test_the_four_settlements_are_offered_and_the_preview_says_where_each_leads() -> None:
    views = options(disputing(), None, OPENED_AT + HOUR)
    assert [view.option for view in views] == [
        Option.CONSUMER_CANCELS,
        Option.ALREADY_SHIPPED,
        Option.SHIP_BY_AGREED_DATE,
        Option.OUT_OF_STOCK_REFUND,
    ]
    refund = next(view for view in views if view.option is Option.OUT_OF_STOCK_REFUND)
    assert refund.preview is not None
    assert refund.preview.state is S.AWAITING_CONFIRMATION
    assert refund.preview.reasons == ()  # evidence is no part of the choice
    denied = next(
        following
        for following in refund.preview.consequences
        if following.event is E.DENY_AGREEMENT
    )
    assert (denied.state, denied.outcome) == (S.SETTLEMENT_FAILED, None)
    assert all(
        following.event is not E.EVIDENCE_EXPIRED for following in refund.preview.consequences
    )


def test_where_the_evidence_has_failed_the_preview_says_what_a_denial_costs() -> None:
    views = options(expired(disputing(), Deadline.EVIDENCE, 9 * HOUR), None, OPENED_AT + 9 * HOUR)
    refund = next(view for view in views if view.option is Option.OUT_OF_STOCK_REFUND)
    assert refund.preview is not None
    denied = next(
        following
        for following in refund.preview.consequences
        if following.event is E.DENY_AGREEMENT
    )
    assert (denied.state, denied.outcome) == (S.PENALIZED, Outcome.OUT_OF_STOCK)


# ---- what if, from one version to the other ------------------------------------------------------


ASKED: dict[tuple[str, str], tuple[EndComparison, Outcome | None]] = {
    # People agree by what they did under either rules.
    ("confirm-consumer-cancels", "parallel"): (EndComparison.SAME, Outcome.SETTLED_BY_CANCELLATION),
    ("parallel-well-settlement-first", "2023-03"): (
        EndComparison.SAME,
        Outcome.SETTLED_BY_CANCELLATION,
    ),
    ("withdraw-opened", "parallel"): (EndComparison.SAME, Outcome.WITHDRAWN),
    # The evidence that went unlooked at in 2023-03's order of things: here the denial alone ends
    # it.
    ("parallel-well-evidence-after-denial", "2023-03"): (
        EndComparison.DIFFERENT,
        Outcome.BREACH_OF_PROMISE,
    ),
    # Only who was asked can be silent: under 2023-03 nobody could show evidence beside a
    # settlement.
    ("deny-already-shipped-penalize", "parallel"): (EndComparison.UNDETERMINED, None),
    # Only who could choose has not chosen: under parallel who shows evidence need not choose
    # anything.
    ("parallel-well-evidence-first", "2023-03"): (EndComparison.UNDETERMINED, None),
    ("parallel-badly-at-fault-then-no-response", "2023-03"): (EndComparison.UNDETERMINED, None),
    # Silent all along is silent under either rules.
    ("parallel-sweep-evidence-then-response", "2023-03"): (EndComparison.SAME, Outcome.NO_RESPONSE),
    # An extension that names no deadline would have named one.
    ("extend-evidence", "parallel"): (EndComparison.UNDETERMINED, None),
}


@pytest.mark.parametrize(("name", "rules"), ASKED)
def test_what_if_it_had_opened_under_the_other_version(name: str, rules: str) -> None:
    (found,) = replay(str(HISTORIES / f"{name}.history.jsonl"), Question(rules=rules))
    assert isinstance(found, Replayed)
    assert found.what_if is not None
    verdict, outcome = ASKED[name, rules]
    assert found.what_if.verdict is verdict
    assert (found.what_if.now and found.what_if.now.outcome) == outcome
