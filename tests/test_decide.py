"""Decisions: accepted, refused with every reason, unchanged, repeated, or an error."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispute_fsm.decider.decide import decide, open_dispute
from dispute_fsm.decider.decisions import Accepted, Decision, Refused, Repeated, Unchanged
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import needs_facts
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import Stamp
from dispute_fsm.domain.commands import Actor, Command, SubmitEvidence, Voucher
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
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.scalars import MAX_INTEGER, MAX_TEXT
from dispute_fsm.errors import ClockWentBackError, FactsNeededError, InputError, StaleFactsError
from dispute_fsm.rules.checklist import checklist
from tests import support
from tests.strategies import commands
from tests.strategies import commands as any_commands
from tests.support import (
    AGREED,
    CANCELLING,
    CLAIMABLE,
    COMMANDS,
    DAY,
    HOUR,
    KEPT,
    LEAVES,
    MINUTE,
    OPENED_AT,
    ORDERS,
    OWN,
    PAID,
    PARTLY_REFUNDED,
    PICKED_UP,
    REFUNDED,
    SECOND,
    SHIPPED,
    all_situations,
    choose,
    command,
    decided,
    extension,
    happens,
    in_state,
    moment,
    moments,
    opened,
    opening,
    order,
    over,
    pickup,
    play,
    refused,
    ruling,
    seen,
    shipment,
    stamp,
    submission,
    voucher,
    well_formed,
)

TICK = timedelta(microseconds=1)
SITUATIONS = all_situations()
C = RefusalCode
E = CommandType
O = Option  # noqa: E741 -- read beside C and E
S = StateName

STRANGER = {role: Actor(role=role, id="X-9") for role in (Role.MERCHANT, Role.CONSUMER)}
PRIVATE = "█秘密"


def every(dispute: Dispute) -> Iterator[Command]:
    """Give commands of every event and option, with and without what they have to say."""
    for option in Option:
        yield choose(option)
        yield command(E.CHOOSE_OPTION, option=option)
    for event in COMMANDS:
        yield well_formed(dispute, event)
        if event is E.EXTEND_DEADLINE:
            yield from (
                extension(dispute.last_at + 30 * DAY, deadline=deadline) for deadline in Deadline
            )
            yield extension(OPENED_AT, rationale=None)
        elif event is not E.CHOOSE_OPTION:
            yield command(event)


# ---- the four kinds of decision, and the events that they make -----------------------------------


def test_an_accepted_command_is_one_event_that_says_everything() -> None:
    dispute, asked = in_state(S.OPENED), choose(O.SHIP_BY_AGREED_DATE, key="k-1", note=PRIVATE)
    now = OPENED_AT + HOUR
    event = happens(dispute, asked, now)
    assert (event.dispute_id, event.seq, event.revision, event.type) == (
        "D-1",
        2,
        2,
        EventType.OPTION_CHOSEN,
    )
    assert (event.at, event.recorded_at, event.event_id, event.correlation_id) == (
        now,
        OPENED_AT,
        "D-1/2",
        "c-2",
    )
    assert (event.actor, event.command, event.key) == (OWN[Role.MERCHANT], E.CHOOSE_OPTION, "k-1")
    assert (event.source, event.target) == ("opened", "option_chosen.settling.awaiting_shipment")
    assert (event.rules, event.policy, event.prev_hash) == (
        "2023-03",
        DEFAULT_POLICY.digest,
        dispute.last_hash,
    )
    assert dict(event.deadlines) == {
        Deadline.CONFIRMATION: now + DAY,
        Deadline.PROMISE: AGREED + 6 * HOUR,
    }
    assert (event.outcome, event.refused, event.facts) == (None, (), None)
    assert event.checks
    assert all(check.passed for check in event.checks)
    assert event.checks[0].guard == "by_merchant"
    assert set(event.private) == {
        "/payload/note",
        "/payload/vouchers/0/file_name",
        "/payload/vouchers/0/uri",
    }


def test_the_facts_that_decided_stand_in_the_event_and_no_others() -> None:
    now = OPENED_AT + HOUR
    facts = seen(CLAIMABLE, now)
    wanted = decide(opened(), choose(O.ALREADY_SHIPPED), facts, now, stamp=stamp())
    not_wanted = decide(opened(), choose(O.OUT_OF_STOCK_REFUND), facts, now, stamp=stamp())
    late = decide(
        opened(), choose(O.ALREADY_SHIPPED), seen(CLAIMABLE, now + DAY), now + DAY, stamp=stamp()
    )
    assert isinstance(wanted, Accepted)
    assert isinstance(not_wanted, Accepted)
    assert isinstance(late, Refused)
    assert late.event is not None
    assert (wanted.event.facts, not_wanted.event.facts, late.event.facts) == (facts, None, None)


OFF = over(confirmation=None)
REVIEW = over(denial="review")
DENIAL = over(silence="denial")
CONFIRM, DENY, WITHDRAW = (
    command(E.CONFIRM_AGREEMENT),
    command(E.DENY_AGREEMENT),
    command(E.WITHDRAW),
)
EXPIRED = {deadline: command(deadline.expiry) for deadline in Deadline}
NO_FAULT, AT_FAULT, ANNUL, APPEAL = (
    ruling(event) for event in (E.RULE_NO_FAULT, E.RULE_AT_FAULT, E.ANNUL, E.APPEAL)
)
PROMISED = choose(O.SHIP_BY_AGREED_DATE)
CONTEST = (choose(O.PROVE_NO_FAULT), submission())
MORE = command(E.REQUEST_EVIDENCE)

ENDS: list[tuple[Policy, tuple[Command, ...], Order, StateName, Outcome | None, EventType]] = [
    (
        OFF,
        (choose(O.CONSUMER_CANCELS),),
        REFUNDED,
        S.RESOLVED,
        Outcome.SETTLED_BY_CANCELLATION,
        EventType.DISPUTE_RESOLVED,
    ),
    (
        OFF,
        (choose(O.ALREADY_SHIPPED),),
        PICKED_UP,
        S.RESOLVED,
        Outcome.SETTLED_BY_SHIPMENT,
        EventType.DISPUTE_RESOLVED,
    ),
    (
        OFF,
        (choose(O.OUT_OF_STOCK_REFUND),),
        PAID,
        S.RESOLVED,
        Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND,
        EventType.DISPUTE_RESOLVED,
    ),
    (OFF, (PROMISED,), PAID, S.AWAITING_SHIPMENT, None, EventType.OPTION_CHOSEN),
    (
        OFF,
        (PROMISED, EXPIRED[Deadline.PROMISE]),
        KEPT,
        S.RESOLVED,
        Outcome.SETTLED_BY_AGREED_SHIPMENT,
        EventType.DISPUTE_RESOLVED,
    ),
    (
        DEFAULT_POLICY,
        (choose(O.CONSUMER_CANCELS), CONFIRM),
        CANCELLING,
        S.RESOLVED,
        Outcome.SETTLED_BY_CANCELLATION,
        EventType.DISPUTE_RESOLVED,
    ),
    (
        DEFAULT_POLICY,
        (choose(O.ALREADY_SHIPPED), CONFIRM),
        PICKED_UP,
        S.RESOLVED,
        Outcome.SETTLED_BY_SHIPMENT,
        EventType.DISPUTE_RESOLVED,
    ),
    (
        DEFAULT_POLICY,
        (choose(O.OUT_OF_STOCK_REFUND), DENY),
        PAID,
        S.PENALIZED,
        Outcome.OUT_OF_STOCK,
        EventType.DISPUTE_PENALIZED,
    ),
    (
        REVIEW,
        (choose(O.OUT_OF_STOCK_REFUND), DENY),
        PAID,
        S.PENALIZED,
        Outcome.OUT_OF_STOCK,
        EventType.DISPUTE_PENALIZED,
    ),
    (
        DEFAULT_POLICY,
        (choose(O.CONSUMER_CANCELS), DENY),
        CANCELLING,
        S.PENALIZED,
        Outcome.BREACH_OF_PROMISE,
        EventType.DISPUTE_PENALIZED,
    ),
    (
        REVIEW,
        (choose(O.CONSUMER_CANCELS), DENY),
        CANCELLING,
        S.DENIAL_UNDER_REVIEW,
        None,
        EventType.AGREEMENT_DENIED,
    ),
    (
        REVIEW,
        (choose(O.CONSUMER_CANCELS), DENY, NO_FAULT),
        CANCELLING,
        S.RESOLVED,
        Outcome.SETTLED_BY_CANCELLATION,
        EventType.DISPUTE_RESOLVED,
    ),
    (
        REVIEW,
        (PROMISED, DENY, AT_FAULT),
        PAID,
        S.PENALIZED,
        Outcome.BREACH_OF_PROMISE,
        EventType.DISPUTE_PENALIZED,
    ),
    (
        REVIEW,
        (PROMISED, DENY, NO_FAULT),
        PAID,
        S.AWAITING_SHIPMENT,
        None,
        EventType.AGREEMENT_UPHELD,
    ),
    (
        DEFAULT_POLICY,
        (PROMISED, CONFIRM),
        PAID,
        S.AWAITING_SHIPMENT,
        None,
        EventType.AGREEMENT_CONFIRMED,
    ),
    (
        DEFAULT_POLICY,
        (PROMISED, DENY),
        PAID,
        S.PENALIZED,
        Outcome.BREACH_OF_PROMISE,
        EventType.DISPUTE_PENALIZED,
    ),
    (
        DEFAULT_POLICY,
        (PROMISED, EXPIRED[Deadline.PROMISE]),
        PAID,
        S.PENALIZED,
        Outcome.PROMISE_MISSED,
        EventType.DISPUTE_PENALIZED,
    ),
    (
        DEFAULT_POLICY,
        (PROMISED, EXPIRED[Deadline.PROMISE]),
        REFUNDED,
        S.RESOLVED,
        Outcome.SETTLED_BY_CANCELLATION,
        EventType.DISPUTE_RESOLVED,
    ),
    (
        DEFAULT_POLICY,
        (PROMISED, command(E.OBSERVE_ORDER)),
        REFUNDED,
        S.RESOLVED,
        Outcome.SETTLED_BY_CANCELLATION,
        EventType.DISPUTE_RESOLVED,
    ),
    (
        DEFAULT_POLICY,
        (PROMISED, command(E.OBSERVE_ORDER)),
        PICKED_UP,
        S.RESOLVED,
        Outcome.SETTLED_BY_AGREED_SHIPMENT,
        EventType.DISPUTE_RESOLVED,
    ),
    (
        DEFAULT_POLICY,
        (EXPIRED[Deadline.RESPONSE],),
        PAID,
        S.PENALIZED,
        Outcome.NO_RESPONSE,
        EventType.DISPUTE_PENALIZED,
    ),
    (
        DEFAULT_POLICY,
        (choose(O.ALREADY_SHIPPED), EXPIRED[Deadline.CONFIRMATION]),
        PICKED_UP,
        S.RESOLVED,
        Outcome.SETTLED_BY_SHIPMENT,
        EventType.DISPUTE_RESOLVED,
    ),
    (
        DENIAL,
        (choose(O.OUT_OF_STOCK_REFUND), EXPIRED[Deadline.CONFIRMATION]),
        PAID,
        S.PENALIZED,
        Outcome.OUT_OF_STOCK,
        EventType.DISPUTE_PENALIZED,
    ),
    (
        DENIAL,
        (choose(O.ALREADY_SHIPPED), EXPIRED[Deadline.CONFIRMATION]),
        PICKED_UP,
        S.PENALIZED,
        Outcome.BREACH_OF_PROMISE,
        EventType.DISPUTE_PENALIZED,
    ),
    (
        over(silence="denial", denial="review"),
        (choose(O.ALREADY_SHIPPED), EXPIRED[Deadline.CONFIRMATION]),
        PICKED_UP,
        S.DENIAL_UNDER_REVIEW,
        None,
        EventType.AGREEMENT_DENIED,
    ),
    (DEFAULT_POLICY, CONTEST[:1], PAID, S.AWAITING_EVIDENCE, None, EventType.OPTION_CHOSEN),
    (DEFAULT_POLICY, CONTEST, PAID, S.UNDER_REVIEW, None, EventType.EVIDENCE_SUBMITTED),
    (
        DEFAULT_POLICY,
        (*CONTEST, MORE),
        PAID,
        S.AWAITING_EVIDENCE,
        None,
        EventType.EVIDENCE_REQUESTED,
    ),
    (
        DEFAULT_POLICY,
        (*CONTEST, MORE, EXPIRED[Deadline.EVIDENCE]),
        PAID,
        S.UNDER_REVIEW,
        None,
        EventType.EVIDENCE_OVERDUE,
    ),
    (
        DEFAULT_POLICY,
        (*CONTEST[:1], EXPIRED[Deadline.EVIDENCE]),
        PAID,
        S.PENALIZED,
        Outcome.EVIDENCE_OVERDUE,
        EventType.DISPUTE_PENALIZED,
    ),
    (
        DEFAULT_POLICY,
        (*CONTEST, NO_FAULT),
        PAID,
        S.RESOLVED,
        Outcome.NO_FAULT,
        EventType.DISPUTE_RESOLVED,
    ),
    (
        DEFAULT_POLICY,
        (*CONTEST, AT_FAULT),
        PAID,
        S.PENALIZED,
        Outcome.AT_FAULT,
        EventType.DISPUTE_PENALIZED,
    ),
    (
        DEFAULT_POLICY,
        (*CONTEST, AT_FAULT, ANNUL),
        PAID,
        S.RESOLVED,
        Outcome.ANNULLED,
        EventType.PENALTY_ANNULLED,
    ),
    (DEFAULT_POLICY, (WITHDRAW,), PAID, S.RESOLVED, Outcome.WITHDRAWN, EventType.DISPUTE_RESOLVED),
    (
        DEFAULT_POLICY,
        (extension(OPENED_AT + 5 * DAY),),
        PAID,
        S.OPENED,
        None,
        EventType.DEADLINE_EXTENDED,
    ),
]


@pytest.mark.parametrize(("policy", "asked", "shown", "state", "outcome", "recorded"), ENDS)
def test_every_way_to_go_on(  # noqa: PLR0917 -- filled by name, by pytest
    policy: Policy,
    asked: tuple[Command, ...],
    shown: Order,
    state: StateName,
    outcome: Outcome | None,
    recorded: EventType,
) -> None:
    dispute = play(opened(policy), *asked[:-1], shown=shown)
    event = happens(dispute, asked[-1], shown=shown)
    went = evolve(dispute, event)
    assert (went.state, went.outcome, event.outcome, event.type) == (
        state,
        outcome,
        outcome,
        recorded,
    )
    assert (went.revision, went.seq) == (dispute.revision + 1, dispute.seq + 1)
    assert went.closed == (outcome is not None) == (state in {S.RESOLVED, S.PENALIZED})


@pytest.mark.parametrize(("name", "dispute"), SITUATIONS.items())
def test_looking_at_an_order_that_changes_nothing_is_no_error(name: str, dispute: Dispute) -> None:
    assert name
    for now in (dispute.last_at, dispute.last_at + 90 * DAY):
        assert isinstance(decided(dispute, command(E.OBSERVE_ORDER), now, PAID), Unchanged)


def test_looking_at_the_order_is_the_systems_own() -> None:
    for by in (OWN[Role.MERCHANT], OWN[Role.CONSUMER], OWN[Role.ADJUDICATOR]):
        assert refused(in_state(S.RESOLVED), command(E.OBSERVE_ORDER, by)) == {C.WRONG_ACTOR}


def test_a_promise_that_passed_is_not_kept_by_a_look_before_its_expiry_was_processed() -> None:
    dispute = in_state(S.AWAITING_SHIPMENT)
    due = dispute.deadlines[Deadline.PROMISE]
    assert isinstance(decided(dispute, command(E.OBSERVE_ORDER), due, KEPT), Accepted)
    assert isinstance(decided(dispute, command(E.OBSERVE_ORDER), due + TICK, KEPT), Unchanged)
    assert (
        happens(dispute, EXPIRED[Deadline.PROMISE], due + TICK, KEPT).outcome
        is Outcome.SETTLED_BY_AGREED_SHIPMENT
    )


# ---- deadlines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "deadline"),
    [
        (S.OPENED, Deadline.RESPONSE),
        (S.AWAITING_CONFIRMATION, Deadline.CONFIRMATION),
        (S.AWAITING_SHIPMENT, Deadline.PROMISE),
        (S.AWAITING_EVIDENCE, Deadline.EVIDENCE),
    ],
)
def test_at_the_due_instant_a_command_is_in_time_and_its_expiry_too_early(
    state: StateName, deadline: Deadline
) -> None:
    dispute = in_state(state)
    due, expiry = dispute.deadlines[deadline], command(deadline.expiry)
    for now in (due - TICK, due):
        assert isinstance(decided(dispute, WITHDRAW, now), Accepted)
        assert refused(dispute, expiry, now) == {C.DEADLINE_NOT_PASSED}
    for now in (due + TICK, due + SECOND, due + 400 * DAY):
        assert refused(dispute, WITHDRAW, now) == {C.DEADLINE_PASSED}
        assert isinstance(decided(dispute, expiry, now), Accepted)


@pytest.mark.parametrize(
    "state", [S.OPENED, S.AWAITING_CONFIRMATION, S.AWAITING_SHIPMENT, S.AWAITING_EVIDENCE]
)
def test_once_the_running_deadline_has_passed_every_event_of_the_state_is_late(
    state: StateName,
) -> None:
    dispute = in_state(state)
    offered = [event for source, event in dispute.rules.table.transitions if source == dispute.path]
    late = max(dispute.running.values()) + TICK
    for event in set(offered) - {E.OBSERVE_ORDER, *(deadline.expiry for deadline in Deadline)}:
        assert refused(dispute, well_formed(dispute, event), late, None) == {C.DEADLINE_PASSED}, (
            event
        )


def test_while_shipment_is_awaited_the_confirmation_deadline_only_closes_the_consumers_window() -> (
    None
):
    dispute = in_state(S.AWAITING_SHIPMENT)
    closes = dispute.deadlines[Deadline.CONFIRMATION]
    for asked in (CONFIRM, DENY):
        assert isinstance(decided(dispute, asked, closes), Accepted)
        assert refused(dispute, asked, closes + TICK) == {C.DEADLINE_PASSED}
    assert isinstance(decided(dispute, WITHDRAW, closes + TICK), Accepted)
    assert refused(dispute, EXPIRED[Deadline.CONFIRMATION], closes + TICK) == {C.NOT_IN_THIS_STATE}


def test_consent_closes_the_window_for_good() -> None:
    dispute = in_state(S.AWAITING_SHIPMENT, confirmed=True)
    assert Deadline.CONFIRMATION not in dispute.deadlines
    for asked in (CONFIRM, DENY):
        assert refused(dispute, asked) == {C.ALREADY_CONFIRMED}
        assert refused(dispute, asked, OPENED_AT + 2 * DAY) == {C.ALREADY_CONFIRMED}


def test_with_confirmation_off_nobody_is_asked_while_shipment_is_awaited() -> None:
    dispute = in_state(S.AWAITING_SHIPMENT, OFF)
    assert set(dispute.deadlines) == {Deadline.PROMISE}
    for asked in (CONFIRM, DENY):
        assert refused(dispute, asked) == {C.NOT_IN_THIS_STATE}


@pytest.mark.parametrize("deadline", [Deadline.RESPONSE, Deadline.EVIDENCE])
def test_a_deadline_that_is_switched_off_never_passes(deadline: Deadline) -> None:
    state = {Deadline.RESPONSE: S.OPENED, Deadline.EVIDENCE: S.AWAITING_EVIDENCE}[deadline]
    dispute = in_state(state, over(**{deadline.value: None}))
    assert not dispute.deadlines
    assert refused(dispute, command(deadline.expiry), OPENED_AT + 999 * DAY) == {
        C.DEADLINE_NOT_PASSED
    }
    assert refused(dispute, extension(OPENED_AT + 5 * DAY)) == {C.NOT_IN_THIS_STATE}
    assert isinstance(decided(dispute, WITHDRAW, OPENED_AT + 999 * DAY), Accepted)


def test_an_extension_moves_the_running_deadline_and_for_the_promise_the_agreed_instant() -> None:
    later = OPENED_AT + 60 * DAY
    for state in (S.OPENED, S.AWAITING_CONFIRMATION, S.AWAITING_EVIDENCE):
        dispute = in_state(state)
        (deadline,) = dispute.deadlines
        moved = support.after(dispute, extension(later))
        assert (moved.state, dict(moved.deadlines)) == (state, {deadline: later})
        assert refused(dispute, extension(dispute.deadlines[deadline])) == {C.DEADLINE_NOT_LATER}
        assert isinstance(decided(dispute, extension(dispute.deadlines[deadline] + TICK)), Accepted)
    for dispute in (
        in_state(S.AWAITING_SHIPMENT),
        in_state(S.DENIAL_UNDER_REVIEW, option=O.SHIP_BY_AGREED_DATE),
    ):
        moved = support.after(dispute, extension(later))
        assert (moved.agreed_until, moved.deadlines[Deadline.PROMISE]) == (later, later + 6 * HOUR)
        assert moved.deadlines.get(Deadline.CONFIRMATION) == dispute.deadlines.get(
            Deadline.CONFIRMATION
        )
        assert refused(dispute, extension(AGREED)) == {C.DEADLINE_NOT_LATER}
        assert isinstance(decided(dispute, extension(AGREED + TICK)), Accepted)


def test_an_extension_names_a_deadline_that_runs_or_is_out_of_place() -> None:
    assert refused(in_state(S.OPENED), extension(AGREED, deadline="evidence")) == {
        C.NOT_IN_THIS_STATE
    }
    assert refused(
        in_state(S.AWAITING_SHIPMENT), extension(AGREED + DAY, deadline="confirmation")
    ) == {C.NOT_IN_THIS_STATE}
    assert refused(in_state(S.DENIAL_UNDER_REVIEW), extension(AGREED)) == {C.NOT_IN_THIS_STATE}
    assert refused(in_state(S.UNDER_REVIEW), extension(AGREED)) == {C.NOT_IN_THIS_STATE}
    assert isinstance(
        decided(in_state(S.AWAITING_SHIPMENT), extension(AGREED + DAY, deadline="promise")),
        Accepted,
    )


def test_a_promise_that_passed_during_review_is_judged_at_once_when_the_agreement_is_upheld() -> (
    None
):
    dispute = in_state(S.DENIAL_UNDER_REVIEW, option=O.SHIP_BY_AGREED_DATE)
    upheld = support.after(dispute, NO_FAULT, AGREED + 9 * DAY)
    assert upheld.state is S.AWAITING_SHIPMENT
    assert refused(upheld, WITHDRAW, AGREED + 9 * DAY) == {C.DEADLINE_PASSED}
    assert (
        support.after(upheld, EXPIRED[Deadline.PROMISE], AGREED + 9 * DAY, PAID).outcome
        is Outcome.PROMISE_MISSED
    )


@pytest.mark.parametrize(
    "policy",
    [DEFAULT_POLICY, over(max_promise=None), over(scan_grace="36500d", max_promise=None)],
    ids=["default", "no limit", "grace"],
)
def test_instants_at_the_end_of_the_years_that_are_read_are_decided_too(policy: Policy) -> None:
    """What could be read is decided, whatever the grace adds: an event or a refusal."""
    last = datetime.fromisoformat("2199-12-31T23:59:59Z")
    assert isinstance(
        decided(opened(policy), choose(O.SHIP_BY_AGREED_DATE, agreed_until=last)),
        Accepted | Refused,
    )
    assert isinstance(
        decided(in_state(S.AWAITING_SHIPMENT, policy), extension(last)), Accepted | Refused
    )


# ---- refusals: every code ------------------------------------------------------------------------

DOCUMENT: dict[str, Any] = {
    "reason": "force_majeure",
    "vouchers": [voucher(kind="official_document")],
}
BIG = 11 * 1024 * 1024
HALF_FULL = [voucher(n, kind="carrier_certificate", size=10 * 1024 * 1024) for n in range(6)]
MANY = [voucher(n, kind="carrier_certificate") for n in range(21)]

Made = Callable[[], tuple[Dispute, Command, Order | None]]

REFUSALS: list[tuple[set[RefusalCode], Made]] = [
    ({C.NO_CANCEL_REQUEST_OR_REFUND}, lambda: (opened(), choose(O.CONSUMER_CANCELS), PICKED_UP)),
    ({C.NOT_SHIPPED, C.NO_PICKUP_SCAN}, lambda: (opened(), choose(O.ALREADY_SHIPPED), REFUNDED)),
    ({C.NO_PICKUP_SCAN}, lambda: (opened(), choose(O.ALREADY_SHIPPED), SHIPPED)),
    (
        {C.NOT_SHIPPED, C.PICKUP_NOT_VALID},
        lambda: (opened(), choose(O.ALREADY_SHIPPED), order(pickup=pickup())),
    ),
    (
        {C.PICKUP_NOT_VALID},
        lambda: (
            opened(),
            choose(O.ALREADY_SHIPPED),
            order(shipment=shipment(), pickup=pickup(waybill="W2")),
        ),
    ),
    (
        {C.PICKUP_NOT_VALID},
        lambda: (
            opened(),
            choose(O.ALREADY_SHIPPED),
            order(shipment=shipment(), pickup=pickup(kind="failed")),
        ),
    ),
    (
        {C.PROMISE_MISSING, C.AGREEMENT_VOUCHER_MISSING},
        lambda: (opened(), choose(O.SHIP_BY_AGREED_DATE, agreed_until=None, vouchers=[]), None),
    ),
    (
        {C.PROMISE_MISSING},
        lambda: (opened(), choose(O.SHIP_BY_AGREED_DATE, agreed_until=None), None),
    ),
    (
        {C.PROMISE_NOT_IN_FUTURE},
        lambda: (opened(), choose(O.SHIP_BY_AGREED_DATE, agreed_until=OPENED_AT + MINUTE), None),
    ),
    (
        {C.PROMISE_TOO_FAR},
        lambda: (
            opened(),
            choose(O.SHIP_BY_AGREED_DATE, agreed_until=OPENED_AT + MINUTE + 15 * DAY + TICK),
            None,
        ),
    ),
    (
        {C.AGREEMENT_VOUCHER_MISSING},
        lambda: (opened(), choose(O.SHIP_BY_AGREED_DATE, vouchers=[]), None),
    ),
    *(
        (
            {C.OPTION_ALREADY_CHOSEN},
            lambda state=state: (in_state(state), choose(O.OUT_OF_STOCK_REFUND), None),
        )
        for state in LEAVES[1:6]
    ),
    ({C.ALREADY_CONFIRMED}, lambda: (in_state(S.AWAITING_SHIPMENT, confirmed=True), DENY, None)),
    ({C.ALREADY_CONFIRMED}, lambda: (SITUATIONS["awaiting_shipment, upheld"], DENY, None)),
    (
        {C.REASON_UNKNOWN},
        lambda: (in_state(S.AWAITING_EVIDENCE), submission(reason="the_dog_ate_it"), None),
    ),
    (
        {C.REASON_UNKNOWN, C.STATEMENT_MISSING, C.VOUCHER_TOO_LARGE, C.VOUCHER_MEDIA_TYPE},
        lambda: (
            in_state(S.AWAITING_EVIDENCE),
            submission(
                reason=None,
                statement=" \u3000",
                vouchers=[voucher(size=BIG, media_type="text/plain")],
            ),
            None,
        ),
    ),
    (
        {C.VOUCHER_MISSING},
        lambda: (in_state(S.AWAITING_EVIDENCE), submission(vouchers=[voucher(kind="photo")]), None),
    ),
    (
        {C.VOUCHER_MISSING},
        lambda: (
            in_state(S.AWAITING_EVIDENCE),
            submission(reason="consumer_unresponsive", vouchers=[voucher(), voucher()]),
            None,
        ),
    ),
    (
        {C.VOUCHER_NOT_ACCEPTED},
        lambda: (
            in_state(S.AWAITING_EVIDENCE),
            submission(**{**DOCUMENT, "vouchers": [*DOCUMENT["vouchers"], voucher(2)]}),
            None,
        ),
    ),
    (
        {C.VOUCHER_TOO_LARGE},
        lambda: (opened(), choose(O.OUT_OF_STOCK_REFUND, vouchers=[voucher(size=BIG)]), None),
    ),
    (
        {C.VOUCHER_TOO_LARGE},
        lambda: (in_state(S.AWAITING_EVIDENCE), submission(vouchers=HALF_FULL), None),
    ),
    (
        {C.VOUCHER_MEDIA_TYPE},
        lambda: (
            opened(),
            choose(O.PROVE_NO_FAULT, vouchers=[voucher(media_type="image/webp")]),
            None,
        ),
    ),
    (
        {C.TOO_MANY_VOUCHERS},
        lambda: (in_state(S.AWAITING_EVIDENCE), submission(vouchers=MANY), None),
    ),
    (
        {C.STATEMENT_MISSING},
        lambda: (in_state(S.AWAITING_EVIDENCE), submission(statement=None), None),
    ),
    (
        {C.STATEMENT_TOO_LONG},
        lambda: (in_state(S.AWAITING_EVIDENCE), submission(statement="字" * 501), None),
    ),
    *(
        (
            {C.RATIONALE_MISSING},
            lambda state=state, event=event: (in_state(state), ruling(event, rationale=" "), None),
        )
        for state, event in (
            (S.UNDER_REVIEW, E.RULE_NO_FAULT),
            (S.UNDER_REVIEW, E.RULE_AT_FAULT),
            (S.DENIAL_UNDER_REVIEW, E.RULE_NO_FAULT),
            (S.DENIAL_UNDER_REVIEW, E.RULE_AT_FAULT),
            (S.PENALIZED, E.ANNUL),
        )
    ),
    (
        {C.RATIONALE_MISSING, C.DEADLINE_NOT_LATER},
        lambda: (opened(), extension(OPENED_AT, rationale=None), None),
    ),
    ({C.NO_PARTIAL_REFUND}, lambda: (opened(rules="extended"), choose(O.PARTIAL_REFUND), PAID)),
    ({C.NO_PARTIAL_REFUND}, lambda: (opened(rules="extended"), choose(O.PARTIAL_REFUND), REFUNDED)),
    (
        {C.NO_PARTIAL_REFUND, C.VOUCHER_TOO_LARGE},
        lambda: (
            opened(rules="extended"),
            choose(O.PARTIAL_REFUND, vouchers=[voucher(size=BIG)]),
            SHIPPED,
        ),
    ),
    ({C.OPTION_NOT_OFFERED}, lambda: (opened(), choose(O.PARTIAL_REFUND), PARTLY_REFUNDED)),
    *(
        (
            {C.RATIONALE_MISSING},
            lambda name=name, event=event: (
                SITUATIONS[name],
                ruling(event, rationale="\u3000"),
                None,
            ),
        )
        for name, event in (
            ("extended: penalized", E.APPEAL),
            ("extended: appeal_under_review", E.UPHOLD_PENALTY),
            ("extended: appeal_under_review", E.OVERTURN_PENALTY),
        )
    ),
    *(
        ({C.ALREADY_APPEALED}, lambda name=name: (SITUATIONS[name], ruling(E.APPEAL), None))
        for name in (
            "extended: appeal_under_review",
            "extended: penalized, upheld",
            "extended: resolved, overturned",
        )
    ),
    ({C.DISPUTE_CLOSED}, lambda: (SITUATIONS["extended: penalized, final"], APPEAL, None)),
    ({C.DISPUTE_CLOSED}, lambda: (SITUATIONS["penalized"], APPEAL, None)),
    ({C.DISPUTE_CLOSED}, lambda: (SITUATIONS["extended: penalized"], WITHDRAW, None)),
    ({C.NOT_IN_THIS_STATE}, lambda: (SITUATIONS["under_review"], APPEAL, None)),
    ({C.NO_ROUNDS_LEFT}, lambda: (SITUATIONS["under_review, a round used"], MORE, None)),
    (
        {C.NO_ROUNDS_LEFT},
        lambda: (in_state(S.UNDER_REVIEW, over(extra_evidence_rounds=0)), MORE, None),
    ),
    ({C.DEADLINE_NOT_PASSED}, lambda: (opened(), command(E.RESPONSE_EXPIRED), None)),
    ({C.NOT_IN_THIS_STATE}, lambda: (opened(), CONFIRM, None)),
    ({C.DISPUTE_CLOSED}, lambda: (in_state(S.PENALIZED), WITHDRAW, None)),
    ({C.DISPUTE_CLOSED}, lambda: (in_state(S.RESOLVED), ANNUL, None)),
    (
        {C.WRONG_ACTOR},
        lambda: (opened(), choose(O.OUT_OF_STOCK_REFUND, by=STRANGER[Role.MERCHANT]), None),
    ),
    ({C.WRONG_ACTOR}, lambda: (opened(), command(E.WITHDRAW, STRANGER[Role.CONSUMER]), None)),
    (
        {C.WRONG_ACTOR},
        lambda: (opened(), command(E.WITHDRAW, Actor(role=Role.ADJUDICATOR, id="C-1")), None),
    ),
]


@pytest.mark.parametrize(("codes", "made"), REFUSALS)
def test_every_unmet_requirement_comes_back(codes: set[RefusalCode], made: Made) -> None:
    dispute, asked, shown = made()
    now = dispute.last_at if asked.type.expires else moment(dispute, asked)
    assert refused(dispute, asked, now, shown) == codes


def test_the_limits_themselves_are_within_the_limits() -> None:
    full = [voucher(n, kind="carrier_certificate", size=50 * 1024 * 1024 // 20) for n in range(20)]
    assert isinstance(
        decided(in_state(S.AWAITING_EVIDENCE), submission(vouchers=full, statement="字" * 500)),
        Accepted,
    )
    latest = OPENED_AT + MINUTE + 15 * DAY
    assert isinstance(
        decided(opened(), choose(O.SHIP_BY_AGREED_DATE, agreed_until=latest)), Accepted
    )
    assert isinstance(
        decided(opened(), choose(O.SHIP_BY_AGREED_DATE, agreed_until=OPENED_AT + MINUTE + TICK)),
        Accepted,
    )


def test_an_option_that_the_rule_version_does_not_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = opened().rules
    fewer = replace(
        rules,
        options=rules.options[:4],
        table=replace(rules.table, transitions=_without_contesting(rules.table.transitions)),
    )
    monkeypatch.setattr(Dispute, "rules", fewer)
    assert refused(opened(), choose(O.PROVE_NO_FAULT)) == {C.OPTION_NOT_OFFERED}
    assert refused(in_state(S.AWAITING_SHIPMENT), choose(O.PROVE_NO_FAULT)) == {
        C.OPTION_NOT_OFFERED
    }
    assert refused(in_state(S.RESOLVED), choose(O.PROVE_NO_FAULT)) == {C.DISPUTE_CLOSED}


def _without_contesting(rows: Any) -> Any:  # noqa: ANN401 -- a table's rows, and less of them
    return {
        key: tuple(row for row in many if "contesting" not in row.target)
        for key, many in rows.items()
    }


def test_every_code_is_reached_by_some_test_here() -> None:
    here = {code for codes, _ in REFUSALS for code in codes}
    elsewhere = {
        C.KEY_REUSED,
        C.DEADLINE_PASSED,
        C.DEADLINE_NOT_LATER,
        C.ORDER_NOT_FOUND,
        C.DISPUTE_EXISTS,
        C.OPTION_NOT_OFFERED,
    }
    assert here | elsewhere == set(RefusalCode)


@pytest.mark.parametrize("name", SITUATIONS)
def test_only_the_chart_says_which_refusals_come_alone(name: str) -> None:
    alone = {
        C.KEY_REUSED, C.WRONG_ACTOR, C.ALREADY_APPEALED, C.DISPUTE_CLOSED, C.OPTION_NOT_OFFERED,
        C.OPTION_ALREADY_CHOSEN, C.NOT_IN_THIS_STATE, C.DEADLINE_PASSED, C.DEADLINE_NOT_PASSED,
    }  # fmt: skip
    dispute = SITUATIONS[name]
    for asked in every(dispute):
        for now in moments(dispute):
            decision = decided(dispute, asked, now)
            if isinstance(decision, Refused):
                assert len(decision.codes) == 1 or not alone & set(decision.codes)


def test_of_the_refusals_that_come_alone_the_first_that_applies() -> None:
    stranger, late = STRANGER[Role.MERCHANT], OPENED_AT + 400 * DAY
    used = play(opened(), choose(O.OUT_OF_STOCK_REFUND, key="k-1"))
    closed = play(used, WITHDRAW)
    # key_reused before all others: before wrong_actor, dispute_closed and the lateness of the
    # command
    assert refused(used, choose(O.OUT_OF_STOCK_REFUND, key="k-1", by=stranger), late) == {
        C.KEY_REUSED
    }
    assert refused(closed, command(E.WITHDRAW, key="k-1"), late) == {C.KEY_REUSED}
    # wrong_actor before dispute_closed, option_already_chosen, not_in_this_state, deadline_passed,
    # deadline_not_passed
    assert refused(closed, choose(O.OUT_OF_STOCK_REFUND, by=stranger)) == {C.WRONG_ACTOR}
    assert refused(used, choose(O.OUT_OF_STOCK_REFUND, by=stranger)) == {C.WRONG_ACTOR}
    assert refused(opened(), command(E.CONFIRM_AGREEMENT, STRANGER[Role.CONSUMER])) == {
        C.WRONG_ACTOR
    }
    assert refused(opened(), choose(O.OUT_OF_STOCK_REFUND, by=stranger), late) == {C.WRONG_ACTOR}
    assert refused(opened(), command(E.RESPONSE_EXPIRED, OWN[Role.MERCHANT])) == {C.WRONG_ACTOR}
    # dispute_closed before option_already_chosen and not_in_this_state
    assert refused(closed, choose(O.OUT_OF_STOCK_REFUND)) == {C.DISPUTE_CLOSED}
    assert refused(closed, CONFIRM) == {C.DISPUTE_CLOSED}
    # option_already_chosen and not_in_this_state before deadline_passed
    assert refused(used, choose(O.CONSUMER_CANCELS), late) == {C.OPTION_ALREADY_CHOSEN}
    assert refused(used, submission(), late) == {C.NOT_IN_THIS_STATE}
    # deadline_passed before what the row requires
    assert refused(
        opened(), choose(O.SHIP_BY_AGREED_DATE, agreed_until=None, vouchers=[]), late
    ) == {C.DEADLINE_PASSED}
    assert refused(in_state(S.AWAITING_SHIPMENT, confirmed=True), DENY, late) == {C.DEADLINE_PASSED}


def test_an_opening_put_to_a_dispute_that_stands_is_out_of_place() -> None:
    again = command(E.OPEN_DISPUTE)
    assert refused(opened(), again) == {C.NOT_IN_THIS_STATE}
    assert refused(in_state(S.RESOLVED), again) == {C.DISPUTE_CLOSED}


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_refusal_leaves_the_dispute_as_it_was(name: str) -> None:
    dispute, met = SITUATIONS[name], 0
    for asked in every(dispute):
        for now in moments(dispute):
            decision = decided(dispute, asked.model_copy(update={"key": "k-1"}), now, PAID)
            if not isinstance(decision, Refused):
                continue
            met += 1
            event = decision.event
            assert event is not None
            told = evolve(dispute, event)
            assert told == replace(
                dispute,
                seq=event.seq,
                last_at=now,
                last_hash=event.hash,
                refusals=dispute.refusals + 1,
            )
            assert (event.type, event.source, event.target) == (
                EventType.REFUSED,
                dispute.path,
                dispute.path,
            )
            assert (event.revision, event.outcome, event.deadlines) == (
                dispute.revision,
                dispute.outcome,
                dispute.deadlines,
            )
            assert event.refused == decision.codes
            assert {reason.guard for reason in decision.reasons} <= {
                check.guard for check in event.checks if not check.passed
            }
    assert met


@given(data=st.data())
def test_whatever_is_asked_the_answer_is_a_value_and_a_refusal_changes_nothing(
    data: st.DataObject,
) -> None:
    dispute = SITUATIONS[data.draw(st.sampled_from(sorted(SITUATIONS)))]
    asked = data.draw(any_commands(by=st.sampled_from([*OWN.values(), *STRANGER.values()])))
    now = data.draw(st.sampled_from(moments(dispute)))
    decision = decided(dispute, asked, now, ORDERS[data.draw(st.sampled_from(sorted(ORDERS)))])
    if isinstance(decision, Refused):
        assert decision.reasons
        assert decision.event is not None
        told = evolve(dispute, decision.event)
        assert told == replace(
            dispute,
            seq=told.seq,
            last_at=now,
            last_hash=told.last_hash,
            refusals=dispute.refusals + 1,
        )
    elif isinstance(decision, Accepted):
        assert evolve(dispute, decision.event).revision == dispute.revision + 1
    else:
        assert isinstance(decision, Unchanged)
        assert asked.type is E.OBSERVE_ORDER


@pytest.mark.parametrize("most", [0, 1, 3])
def test_at_most_so_many_refusals_are_recorded(most: int) -> None:
    dispute = opened(over(max_recorded_refusals=most))
    for _ in range(most):
        decision = decided(dispute, CONFIRM)
        assert isinstance(decision, Refused)
        assert decision.event is not None
        dispute = evolve(dispute, decision.event)
    later = decided(dispute, CONFIRM)
    assert isinstance(later, Refused)
    assert (later.codes, later.event) == ((C.NOT_IN_THIS_STATE,), None)
    assert dispute.refusals == most
    assert isinstance(decided(dispute, WITHDRAW), Accepted)


def test_numbers_in_what_was_seen_stay_within_53_bits() -> None:
    """A host may name any size; every JSON reader can read the recorded sum."""
    huge = [voucher(n, size=MAX_INTEGER) for n in range(3)]
    decision = decided(opened(), choose(O.OUT_OF_STOCK_REFUND, vouchers=huge))
    assert isinstance(decision, Refused)
    assert decision.codes == (C.VOUCHER_TOO_LARGE,)
    assert decision.event is not None
    record = decision.event.model_dump(mode="json")
    assert rfc8785.dumps({name: record[name] for name in ("checks",)})


# ---- idempotency keys ----------------------------------------------------------------------------

KEYED = submission(
    key="k-1", statement="the carrier was late", vouchers=[voucher(kind="carrier_certificate")]
)


def _submitted(*erased: str) -> Dispute:
    """Make a dispute in which `KEYED` was accepted and personal values were erased (`*`: all)."""
    dispute = in_state(S.AWAITING_EVIDENCE)
    event = happens(dispute, KEYED)
    kept = (
        {}
        if erased == ("*",)
        else {name: value for name, value in event.private.items() if name not in erased}
    )
    return evolve(dispute, event.model_copy(update={"private": kept}))


def test_the_same_key_with_the_same_content_is_answered_as_the_first_time() -> None:
    dispute = _submitted()
    first = dispute.keys["k-1"]
    later = dispute.last_at + 400 * DAY
    for now in (dispute.last_at, later):
        assert decided(dispute, KEYED, now) == Repeated(first)
    assert decided(play(dispute, NO_FAULT), KEYED, later) == Repeated(first)


@pytest.mark.parametrize(
    "other",
    [
        submission(key="k-1", statement="another"),
        submission(key="k-1", statement="THE CARRIER WAS LATE"),
        submission(key="k-1", reason="public_holiday"),
        submission(key="k-1", vouchers=[]),
        submission(key="k-1", vouchers=[voucher(2, kind="carrier_certificate")]),
        submission(key="k-1", vouchers=[voucher(kind="carrier_certificate", file_name="2.png")]),
        submission(key="k-1", vouchers=[voucher(kind="carrier_certificate", uri=None)]),
        KEYED.model_copy(update={"by": STRANGER[Role.MERCHANT]}),
        command(E.WITHDRAW, key="k-1"),
        choose(O.OUT_OF_STOCK_REFUND, key="k-1"),
    ],
)
def test_the_same_key_with_other_content_is_refused(other: Command) -> None:
    assert refused(_submitted(), other) == {C.KEY_REUSED}


def test_an_erased_value_compares_by_its_length() -> None:
    dispute = _submitted("*")
    same_lengths = submission(
        key="k-1",
        statement="THE CARRIER WAS LATE",
        vouchers=[voucher(kind="carrier_certificate", file_name="9.gif", uri="s3://2")],
    )
    assert isinstance(decided(dispute, KEYED), Repeated)
    assert isinstance(decided(dispute, same_lengths), Repeated)
    for statement in ("the carrier was late!", "the carrier was lat", "", " " * 20, None):
        assert refused(dispute, submission(key="k-1", statement=statement)) == {C.KEY_REUSED}
    assert refused(dispute, submission(key="k-1", reason="public_holiday")) == {C.KEY_REUSED}


def test_values_that_were_not_erased_still_compare_in_full() -> None:
    dispute = _submitted("/payload/statement")
    assert isinstance(
        decided(dispute, submission(key="k-1", statement="x" * len("the carrier was late"))),
        Repeated,
    )
    other = submission(key="k-1", vouchers=[voucher(kind="carrier_certificate", file_name="2.png")])
    assert refused(dispute, other) == {C.KEY_REUSED}


def test_a_refused_an_unchanged_and_an_undecided_command_leave_the_key_free() -> None:
    dispute = in_state(S.AWAITING_SHIPMENT)
    decision = decided(dispute, command(E.WITHDRAW, STRANGER[Role.CONSUMER], "k-1"))
    assert isinstance(decision, Refused)
    assert decision.event is not None
    dispute = evolve(dispute, decision.event)
    look = command(E.OBSERVE_ORDER, key="k-1")
    assert isinstance(decided(dispute, look, shown=PAID), Unchanged)
    with pytest.raises(FactsNeededError):
        decide(dispute, look, None, dispute.last_at, stamp=stamp())
    assert isinstance(decided(dispute, command(E.WITHDRAW, key="k-1")), Accepted)


def test_commands_without_a_key_are_never_repeated() -> None:
    assert refused(
        play(opened(), choose(O.OUT_OF_STOCK_REFUND)), choose(O.OUT_OF_STOCK_REFUND)
    ) == {C.OPTION_ALREADY_CHOSEN}


def test_the_key_of_the_opening_is_used_up_too() -> None:
    assert refused(opened(key="k-1"), command(E.WITHDRAW, key="k-1")) == {C.KEY_REUSED}


# ---- openings ------------------------------------------------------------------------------------


def _open(existing: Dispute | None = None, shown: Order | None = PAID, **changes: Any) -> Decision:  # noqa: ANN401 -- any field
    request = opening(**changes)
    facts = None if shown is None else seen(shown, OPENED_AT, request.order_id)
    return open_dispute(existing, request, facts, OPENED_AT, stamp=stamp())


def test_an_opening_begins_a_dispute() -> None:
    decision = _open(key="k-1")
    assert isinstance(decision, Accepted)
    event = decision.event
    assert (event.seq, event.revision, event.type, event.source, event.target) == (
        1,
        1,
        EventType.DISPUTE_OPENED,
        None,
        "opened",
    )
    assert (event.prev_hash, event.key, event.at, event.refused) == ("0" * 64, "k-1", OPENED_AT, ())
    assert dict(event.deadlines) == {Deadline.RESPONSE: OPENED_AT + DAY}
    assert event.facts == seen(PAID, OPENED_AT)
    record = event.model_dump(mode="json")
    assert (record["order_id"], record["merchant_id"], record["consumer_id"]) == (
        "O-1",
        "M-1",
        "C-1",
    )
    assert record["chart"] == opened().rules.table.digest


@pytest.mark.parametrize(
    "actor", [OWN[Role.CONSUMER], OWN[Role.SYSTEM], Actor(role=Role.SYSTEM, id="cron")]
)
def test_the_consumer_and_the_system_may_open(actor: Actor) -> None:
    assert isinstance(_open(by=actor), Accepted)


@pytest.mark.parametrize(
    "actor",
    [
        OWN[Role.MERCHANT],
        OWN[Role.ADJUDICATOR],
        STRANGER[Role.CONSUMER],
        Actor(role=Role.MERCHANT, id="C-1"),
    ],
)
@pytest.mark.parametrize("shown", [PAID, None])
def test_nobody_else_may_and_that_is_the_only_reason(actor: Actor, shown: Order | None) -> None:
    decision = _open(None, shown, by=actor)
    assert isinstance(decision, Refused)
    assert (decision.codes, decision.event) == ((C.WRONG_ACTOR,), None)


def test_a_dispute_is_about_an_order_that_exists() -> None:
    decision = _open(None, None)
    assert isinstance(decision, Refused)
    assert (decision.codes, decision.event) == ((C.ORDER_NOT_FOUND,), None)


def test_opening_again_with_the_same_content_is_answered_as_the_first_time() -> None:
    first = opened()
    for existing in (first, in_state(S.RESOLVED)):
        assert _open(existing) == Repeated(existing.opening)
        assert open_dispute(existing, opening(), None, OPENED_AT + DAY, stamp=stamp()) == Repeated(
            existing.opening
        )
    assert _open(first, key="k-9") == Repeated(first.opening)  # the key is no content


@pytest.mark.parametrize(
    "changes",
    [
        {"order_id": "O-2"},
        {"merchant_id": "M-2"},
        {"consumer_id": "C-2", "by": Actor(role=Role.CONSUMER, id="C-2")},
        {"by": OWN[Role.SYSTEM]},
        {"policy": over(response={"hours": 48})},
    ],
)
def test_opening_again_with_other_content_is_refused(changes: dict[str, Any]) -> None:
    decision = _open(opened(), **changes)
    assert isinstance(decision, Refused)
    assert (decision.codes, decision.event) == ((C.DISPUTE_EXISTS,), None)


def test_the_dispute_that_has_the_id_is_the_one_with_that_id() -> None:
    with pytest.raises(InputError):
        _open(opened(dispute_id="D-2"))


def test_an_unknown_rule_version_cannot_be_opened_under() -> None:
    with pytest.raises(InputError):
        _open(rules="1999-01")


# ---- facts and time that cannot be decided on ----------------------------------------------------


@pytest.mark.parametrize("dispute", SITUATIONS.values(), ids=SITUATIONS)
def test_time_never_goes_back_within_a_dispute(dispute: Dispute) -> None:
    for asked in every(dispute):
        with pytest.raises(ClockWentBackError):
            decided(dispute, asked, dispute.last_at - TICK)


def test_a_repeated_command_is_answered_whatever_the_time() -> None:
    dispute = _submitted()
    assert decided(dispute, KEYED, dispute.last_at - HOUR) == Repeated(dispute.keys["k-1"])


def test_a_refusal_moves_the_time_on_too() -> None:
    decision = decided(opened(), CONFIRM, OPENED_AT + HOUR)
    assert isinstance(decision, Refused)
    assert decision.event is not None
    with pytest.raises(ClockWentBackError):
        decided(evolve(opened(), decision.event), WITHDRAW, OPENED_AT + HOUR - TICK)


AGES = [
    (timedelta(0), True),
    (timedelta(minutes=5), True),
    (timedelta(minutes=5) + TICK, False),
    (-TICK, False),
]


@pytest.mark.parametrize(("age", "fresh"), AGES)
def test_a_snapshot_of_the_hosts_is_at_most_so_old_and_never_of_the_future(
    age: timedelta, fresh: bool
) -> None:
    now = OPENED_AT + HOUR
    facts = seen(CANCELLING, now - age)
    if fresh:
        assert isinstance(
            decide(opened(), choose(O.CONSUMER_CANCELS), facts, now, stamp=stamp()), Accepted
        )
        assert isinstance(open_dispute(None, opening(), facts, now, stamp=stamp()), Accepted)
        return
    with pytest.raises(StaleFactsError):
        decide(opened(), choose(O.CONSUMER_CANCELS), facts, now, stamp=stamp())
    with pytest.raises(StaleFactsError):
        open_dispute(None, opening(), facts, now, stamp=stamp())


@pytest.mark.parametrize(
    ("age", "allowed", "fresh"),
    [("0s", timedelta(0), True), ("0s", TICK, False), ("2h", 2 * HOUR, True)],
)
def test_how_old_is_the_policys_to_say(age: str, allowed: timedelta, fresh: bool) -> None:
    now, dispute = OPENED_AT + 3 * HOUR, opened(over(max_facts_age=age))
    facts = seen(CANCELLING, now - allowed)
    if fresh:
        assert isinstance(
            decide(dispute, choose(O.CONSUMER_CANCELS), facts, now, stamp=stamp()), Accepted
        )
    else:
        with pytest.raises(StaleFactsError):
            decide(dispute, choose(O.CONSUMER_CANCELS), facts, now, stamp=stamp())


def test_a_snapshot_that_nothing_looks_at_may_be_as_old_as_it_likes() -> None:
    now = OPENED_AT + HOUR
    for facts in (seen(CLAIMABLE, OPENED_AT), seen(CLAIMABLE, now, "O-2"), None):
        decision = decide(opened(), choose(O.OUT_OF_STOCK_REFUND), facts, now, stamp=stamp())
        assert isinstance(decision, Accepted)
        assert decision.event.facts is None


def test_a_snapshot_of_another_order_decides_nothing() -> None:
    with pytest.raises(StaleFactsError):
        decide(
            opened(),
            choose(O.CONSUMER_CANCELS),
            seen(CANCELLING, OPENED_AT, "O-2"),
            OPENED_AT,
            stamp=stamp(),
        )
    with pytest.raises(StaleFactsError):
        open_dispute(None, opening(), seen(PAID, OPENED_AT, "O-2"), OPENED_AT, stamp=stamp())


@pytest.mark.parametrize(
    "policy",
    [DEFAULT_POLICY, OFF, REVIEW, DENIAL],
    ids=["default", "confirmation off", "review", "denial"],
)
def test_facts_are_needed_exactly_where_a_requirement_looks_at_them(policy: Policy) -> None:
    disputes = [
        opened(policy),
        in_state(S.AWAITING_SHIPMENT, policy),
        in_state(S.AWAITING_EVIDENCE, policy),
        in_state(S.RESOLVED, policy),
    ]
    asked_for = set[tuple[StateName, CommandType, str]]()
    for dispute in disputes:
        for asked in every(dispute):
            for now in moments(dispute):
                needed = needs_facts(dispute, asked, now)
                try:
                    decide(dispute, asked, None, now, stamp=stamp())
                except FactsNeededError:
                    assert needed
                else:
                    assert not needed
                if needed:
                    asked_for.add((dispute.state, asked.type, getattr(asked, "option", "")))
    assert asked_for == {
        (S.OPENED, E.CHOOSE_OPTION, O.CONSUMER_CANCELS),
        (S.OPENED, E.CHOOSE_OPTION, O.ALREADY_SHIPPED),
        (S.AWAITING_SHIPMENT, E.OBSERVE_ORDER, ""),
        (S.AWAITING_SHIPMENT, E.PROMISE_EXPIRED, ""),
    }


@given(data=st.data())
def test_facts_are_needed_exactly_where_deciding_without_them_fails(data: st.DataObject) -> None:
    dispute = SITUATIONS[data.draw(st.sampled_from(sorted(SITUATIONS)))]
    asked = data.draw(any_commands(by=st.sampled_from([*OWN.values(), *STRANGER.values()])))
    now = data.draw(st.sampled_from(moments(dispute)))
    if needs_facts(dispute, asked, now):
        with pytest.raises(FactsNeededError):
            decide(dispute, asked, None, now, stamp=stamp())
        facts = seen(data.draw(st.sampled_from(list(ORDERS.values()))), now)
        decide(dispute, asked, facts, now, stamp=stamp())
    else:
        without = decide(dispute, asked, None, now, stamp=stamp())
        assert without == decide(dispute, asked, seen(CLAIMABLE, now), now, stamp=stamp())


def test_facts_are_not_asked_for_where_a_refusal_comes_alone() -> None:
    shipped, late = choose(O.ALREADY_SHIPPED), OPENED_AT + DAY + TICK
    assert not needs_facts(opened(), shipped, late)
    assert not needs_facts(
        opened(), choose(O.ALREADY_SHIPPED, by=STRANGER[Role.MERCHANT]), OPENED_AT
    )
    assert not needs_facts(in_state(S.RESOLVED), shipped, late)
    assert not needs_facts(in_state(S.AWAITING_SHIPMENT), shipped, OPENED_AT + HOUR)
    assert not needs_facts(opened(key="k-1"), choose(O.ALREADY_SHIPPED, key="k-1"), OPENED_AT)
    assert not needs_facts(
        in_state(S.AWAITING_SHIPMENT), EXPIRED[Deadline.PROMISE], AGREED + 6 * HOUR
    )
    assert needs_facts(
        in_state(S.AWAITING_SHIPMENT), EXPIRED[Deadline.PROMISE], AGREED + 6 * HOUR + TICK
    )


# ---- determinism ---------------------------------------------------------------------------------


def _written(decision: Decision) -> str:
    match decision:
        case Accepted() | Repeated():
            return decision.event.model_dump_json()
        case Refused():
            return "" if decision.event is None else decision.event.model_dump_json()
        case _:
            return ""


@pytest.fixture(scope="module")
def made_again() -> dict[str, Dispute]:
    return all_situations()


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_same_arguments_give_the_same_bytes(name: str, made_again: dict[str, Dispute]) -> None:
    dispute, again = SITUATIONS[name], made_again[name]
    assert dispute == again
    for one, other in zip(every(dispute), every(again), strict=True):
        for now in moments(dispute):
            assert _written(decided(dispute, one, now)) == _written(decided(again, other, now))


def test_the_same_instant_on_another_clock_gives_the_same_bytes() -> None:
    elsewhere = datetime.fromisoformat("2023-03-28T10:01:00+08:00")
    asked = choose(O.OUT_OF_STOCK_REFUND)
    assert _written(decided(opened(), asked, elsewhere)) == _written(
        decided(opened(), asked, OPENED_AT + MINUTE)
    )


def test_a_day_is_counted_in_absolute_time_whatever_clock_the_host_reads() -> None:
    before_dst = datetime.fromisoformat("2023-03-11T12:00:00-05:00")
    read = before_dst.astimezone(ZoneInfo("America/New_York"))
    one, other = (
        open_dispute(None, opening(), seen(PAID, before_dst), now, stamp=stamp())
        for now in (before_dst, read)
    )
    assert isinstance(one, Accepted)
    assert isinstance(other, Accepted)
    assert (one.event, one.hashed) == (other.event, other.hashed)
    assert one.event.deadlines[Deadline.RESPONSE] - before_dst == DAY


class _MoreFacts(OrderFacts):
    more: str = "the host's own"


IN_SHANGHAI = timezone(timedelta(hours=8))


def test_what_a_host_changes_without_validation_is_validated_before_it_is_recorded() -> None:
    now, until = OPENED_AT + HOUR, OPENED_AT + DAY
    facts = seen(CLAIMABLE, now)
    promised = choose(O.SHIP_BY_AGREED_DATE, agreed_until=until, vouchers=[voucher()])
    shipped = choose(O.ALREADY_SHIPPED)

    def written(asked: Command, facts: OrderFacts = facts, stamped: Stamp | None = None) -> str:
        return _written(decide(opened(), asked, facts, now, stamp=stamped or stamp()))

    elsewhere = promised.model_copy(update={"agreed_until": until.astimezone(IN_SHANGHAI)})
    assert written(elsewhere) == written(promised)
    paid_at = facts.paid_at
    assert paid_at is not None
    same = facts.model_copy(update={"paid_at": paid_at.astimezone(IN_SHANGHAI)})
    assert written(shipped, same) == written(shipped)
    late = replace(stamp(), recorded_at=stamp().recorded_at.astimezone(IN_SHANGHAI))
    assert written(shipped, stamped=late) == written(shipped)
    for asked, wrong in (
        (promised.model_copy(update={"key": "k" * 201}), facts),
        (promised.model_copy(update={"note": "n" * (MAX_TEXT + 1)}), facts),
        (promised.model_copy(update={"by": promised.by.model_copy(update={"more": 1})}), facts),
        (shipped, facts.model_copy(update={"revision": "r" * 201})),
        (shipped, facts.model_copy(update={"more": 1})),
        (shipped, _MoreFacts(**vars(facts))),
    ):
        with pytest.raises(ValidationError):
            decide(opened(), asked, wrong, now, stamp=stamp())
    for stamped in (replace(stamp(), event_id=""), replace(stamp(), correlation_id="a\n")):
        with pytest.raises(ValidationError):
            decide(opened(), promised, facts, now, stamp=stamped)
    for no_instant in (now.replace(tzinfo=None), now.replace(year=2200)):
        with pytest.raises(ValueError, match=r"offset|outside"):
            decide(opened(), promised, facts, no_instant, stamp=stamp())


def test_the_stamp_decides_nothing_but_ids_and_salts() -> None:
    dispute, asked, now = opened(), choose(O.OUT_OF_STOCK_REFUND, note=PRIVATE), OPENED_AT + HOUR
    other = replace(stamp(), event_id="other", recorded_at=now, seed=b"other", correlation_id=None)
    one, two = (decide(dispute, asked, None, now, stamp=each) for each in (stamp("D-1", 2), other))
    assert isinstance(one, Accepted)
    assert isinstance(two, Accepted)
    a, b = one.event.model_dump(mode="json"), two.event.model_dump(mode="json")
    assert {name for name in a if a[name] != b[name]} == {
        "event_id",
        "recorded_at",
        "correlation_id",
        "payload",
        "private",
        "hash",
    }
    assert a["payload"]["note"]["length"] == b["payload"]["note"]["length"] == len(PRIVATE)


def test_microseconds_count() -> None:
    start = OPENED_AT + timedelta(microseconds=250_000)
    dispute = opened(at=start)
    assert dispute.deadlines[Deadline.RESPONSE] == start + DAY
    event = happens(dispute, choose(O.OUT_OF_STOCK_REFUND), start + TICK)
    assert event.at == start + TICK
    assert event.model_dump(mode="json")["at"] == "2023-03-28T02:00:00.250001Z"
    assert begin(dispute.opening, DEFAULT_POLICY) == dispute


def test_a_voucher_counts_once_however_often_it_is_named() -> None:
    same: list[Voucher] = [voucher(kind="carrier_certificate", size=9 * 1024 * 1024)] * 30
    event = happens(in_state(S.AWAITING_EVIDENCE), submission(vouchers=same))
    assert event.type is EventType.EVIDENCE_SUBMITTED


# ---- the checklist says beforehand what the chart says afterwards --------------------------------


@given(asked=commands([CommandType.SUBMIT_EVIDENCE], by=st.just(support.OWN[Role.MERCHANT])))
def test_a_submission_is_refused_for_just_what_the_checklist_names(asked: Command) -> None:
    dispute = support.in_state(StateName.AWAITING_EVIDENCE)
    asked = asked.model_copy(update={"key": None})
    assert isinstance(asked, SubmitEvidence)
    beforehand = checklist(dispute.policy, asked.reason, asked.vouchers, asked.statement)
    decision = support.decided(dispute, asked)
    assert (
        {*decision.codes} == {fault.code for fault in beforehand.reasons}
        if isinstance(decision, Refused)
        else beforehand.complete
    )
