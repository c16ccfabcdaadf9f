"""Rule version extended: a partial refund, and one appeal against a penalty.

What its own words do; that they change nothing for the other versions is in `test_registry`.
"""

from datetime import datetime, timedelta

import pytest

from dispute_fsm.decider.decisions import Accepted, Refused, Repeated, Unchanged
from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.decider.evolve import evolve
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
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.reasons import ActorUnlock, NeverUnlock
from dispute_fsm.errors import ImpossibleEventError
from dispute_fsm.handler import Disputes
from dispute_fsm.orders import InMemoryOrderSystem
from tests.support import (
    CLAIMABLE,
    COMMANDS,
    DAY,
    HOUR,
    KEPT,
    LEAVES,
    MINUTE,
    OPENED_AT,
    OWN,
    PAID,
    PARTLY_REFUNDED,
    REFUNDED,
    SECOND,
    after,
    choose,
    command,
    decided,
    extension,
    happens,
    in_state,
    liabilities_of,
    moment,
    opened,
    opening,
    order,
    over,
    play,
    refused,
    ruling,
    situations,
    stamp,
    submission,
    voucher,
    well_formed,
)

C, E, S = RefusalCode, CommandType, StateName
TICK = timedelta(microseconds=1)
TERM = timedelta(hours=48)
OFF = over(confirmation=None)
WITHOUT_APPEAL = over(appeal=None)
APPEAL = ruling(E.APPEAL, key="k-appeal")
EXPIRED, UPHOLD, OVERTURN, ANNUL = (
    command(E.APPEAL_EXPIRED),
    ruling(E.UPHOLD_PENALTY),
    ruling(E.OVERTURN_PENALTY),
    ruling(E.ANNUL),
)
REFUND = choose(Option.PARTIAL_REFUND)
AT = situations(rules="extended")


def new(policy: Policy = DEFAULT_POLICY) -> Dispute:
    return opened(policy, rules="extended")


def penalized(policy: Policy = DEFAULT_POLICY) -> Dispute:
    """Make a dispute whose merchant did not respond, swept two hours late."""
    dispute = new(policy)
    return after(
        dispute, command(E.RESPONSE_EXPIRED), dispute.deadlines[Deadline.RESPONSE] + 2 * HOUR
    )


def due(dispute: Dispute) -> datetime:
    return dispute.deadlines[Deadline.APPEAL]


# ---- a partial refund ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "codes"),
    [
        (PARTLY_REFUNDED, set[RefusalCode]()),
        (order(refund={"status": "completed", "scope": "partial", "amount": "0"}), set()),
        (CLAIMABLE, set()),
        (PAID, {C.NO_PARTIAL_REFUND}),
        (REFUNDED, {C.NO_PARTIAL_REFUND}),
        (order(refund={"status": "requested", "scope": "partial"}), {C.NO_PARTIAL_REFUND}),
    ],
)
def test_a_partial_refund_is_chosen_where_the_order_shows_one(
    shown: Order, codes: set[RefusalCode]
) -> None:
    decision = decided(new(), REFUND, shown=shown)
    if codes:
        assert isinstance(decision, Refused)
        assert set(decision.codes) == codes
        return
    assert isinstance(decision, Accepted)
    chosen = evolve(new(), decision.event)
    assert (chosen.state, chosen.option) == (S.AWAITING_CONFIRMATION, Option.PARTIAL_REFUND)
    assert set(chosen.deadlines) == {Deadline.CONFIRMATION}
    assert decision.event.type is EventType.OPTION_CHOSEN


def test_it_ends_as_a_settlement_of_its_own() -> None:
    settled = Outcome.SETTLED_BY_PARTIAL_REFUND
    asked = after(new(), REFUND)
    for then in (command(E.CONFIRM_AGREEMENT), command(E.CONFIRMATION_EXPIRED)):
        ended = after(asked, then, shown=PAID)
        assert (ended.state, ended.outcome) == (S.RESOLVED, settled), "looked at on choosing only"
    at_once = after(new(OFF), REFUND, shown=PARTLY_REFUNDED)
    assert (at_once.state, at_once.outcome) == (S.RESOLVED, settled)
    upheld = play(
        new(over(denial="review")),
        REFUND,
        command(E.DENY_AGREEMENT),
        ruling(E.RULE_NO_FAULT),
    )
    assert (upheld.state, upheld.outcome) == (S.RESOLVED, settled)


@pytest.mark.parametrize("then", [E.DENY_AGREEMENT, E.CONFIRMATION_EXPIRED])
def test_its_denial_is_a_breach_of_promise_by_policy_denial(then: CommandType) -> None:
    for denial, state, outcome in (
        ("penalize", S.PENALIZED, Outcome.BREACH_OF_PROMISE),
        ("review", S.DENIAL_UNDER_REVIEW, None),
    ):
        denied = play(new(over(denial=denial, silence="denial")), REFUND, command(then))
        assert (denied.state, denied.outcome) == (state, outcome)
        assert set(denied.deadlines) == ({Deadline.APPEAL} if outcome else set())


def test_its_vouchers_have_the_limits_of_the_others() -> None:
    webp = choose(Option.PARTIAL_REFUND, vouchers=[voucher(media_type="image/webp")])
    assert refused(new(), webp, shown=PAID) == {C.NO_PARTIAL_REFUND, C.VOUCHER_MEDIA_TYPE}
    with pytest.raises(ValueError, match="agreed_until goes with"):
        choose(Option.PARTIAL_REFUND, agreed_until=OPENED_AT + DAY)


@pytest.mark.parametrize("rules", ["2023-03", "parallel"])
def test_it_is_offered_by_no_other_version(rules: str) -> None:
    assert refused(opened(rules=rules), REFUND, shown=PARTLY_REFUNDED) == {C.OPTION_NOT_OFFERED}


# ---- the window for an appeal --------------------------------------------------------------------

PENALTIES: list[tuple[tuple[Command, ...], Outcome, dict[str, object]]] = [
    ((command(E.RESPONSE_EXPIRED),), Outcome.NO_RESPONSE, {}),
    (
        (choose(Option.OUT_OF_STOCK_REFUND), command(E.DENY_AGREEMENT)),
        Outcome.OUT_OF_STOCK,
        {},
    ),
    (
        (choose(Option.OUT_OF_STOCK_REFUND), command(E.CONFIRMATION_EXPIRED)),
        Outcome.OUT_OF_STOCK,
        {"silence": "denial"},
    ),
    (
        (choose(Option.SHIP_BY_AGREED_DATE), command(E.DENY_AGREEMENT)),
        Outcome.BREACH_OF_PROMISE,
        {},
    ),
    (
        (choose(Option.SHIP_BY_AGREED_DATE), command(E.PROMISE_EXPIRED)),
        Outcome.PROMISE_MISSED,
        {},
    ),
    (
        (choose(Option.PROVE_NO_FAULT), command(E.EVIDENCE_EXPIRED)),
        Outcome.EVIDENCE_OVERDUE,
        {},
    ),
    (
        (choose(Option.PROVE_NO_FAULT), submission(), ruling(E.RULE_AT_FAULT)),
        Outcome.AT_FAULT,
        {},
    ),
    (
        (
            choose(Option.CONSUMER_CANCELS),
            command(E.DENY_AGREEMENT),
            ruling(E.RULE_AT_FAULT),
        ),
        Outcome.BREACH_OF_PROMISE,
        {"denial": "review"},
    ),
]


def test_every_liability_is_a_penalty_here() -> None:
    assert {outcome for _, outcome, _ in PENALTIES} == set(liabilities_of("extended"))


@pytest.mark.parametrize(("asked", "outcome", "changes"), PENALTIES)
def test_every_penalty_starts_the_appeal_deadline_and_leaves_no_other(
    asked: tuple[Command, ...], outcome: Outcome, changes: dict[str, object]
) -> None:
    shown = order(cancel_request={"status": "submitted"})
    for term, runs in (({"hours": 48}, TERM), ({"hours": 1}, HOUR), (None, None)):
        dispute = play(new(over(**changes, appeal=term)), *asked, shown=shown)
        assert (dispute.state, dispute.outcome, dispute.closed) == (S.PENALIZED, outcome, True)
        expected = {} if runs is None else {Deadline.APPEAL: dispute.last_at + runs}
        assert dict(dispute.deadlines) == dict(dispute.running) == expected
        assert dispute.closed_for_good is (runs is None)


def test_it_runs_from_the_event_that_penalized_also_where_that_was_swept_late() -> None:
    assert due(penalized()) == OPENED_AT + 26 * HOUR + TERM
    working = penalized(over(appeal={"working_hours": 9}))
    assert due(working) == OPENED_AT + 50 * HOUR  # from noon to noon of the next working day
    assert next_due(working) == (Deadline.APPEAL, due(working))


def test_an_appeal_is_in_time_at_the_due_instant_and_its_expiry_too_early() -> None:
    dispute = penalized()
    for at in (dispute.last_at, due(dispute)):
        appealed = after(dispute, APPEAL, at)
        assert (appealed.state, appealed.outcome) == (S.APPEAL_UNDER_REVIEW, Outcome.NO_RESPONSE)
        assert (appealed.memory.once == {E.APPEAL}, appealed.closed, dict(appealed.deadlines)) == (
            True,
            False,
            {},
        )
        assert refused(dispute, EXPIRED, at) == {C.DEADLINE_NOT_PASSED}
    for late in (due(dispute) + TICK, due(dispute) + 99 * DAY):
        for asked in (APPEAL, ruling(E.APPEAL, rationale=" "), command(E.APPEAL)):
            assert refused(dispute, asked, late) == {C.DEADLINE_PASSED}
        final = after(dispute, EXPIRED, late)
        assert (final.state, final.outcome, bool(final.memory.once)) == (
            S.PENALIZED,
            Outcome.NO_RESPONSE,
            False,
        )
        assert dict(final.deadlines) == {}
        assert final.closed_for_good
        assert refused(final, APPEAL, late) == {C.DISPUTE_CLOSED}
    assert not dispute.memory.once


def test_the_rationale_of_an_appeal_may_not_be_blank_and_has_no_limit() -> None:
    for rationale in (None, "", " \u3000\n"):
        assert refused(penalized(), ruling(E.APPEAL, rationale=rationale)) == {C.RATIONALE_MISSING}
    event = happens(penalized(), ruling(E.APPEAL, rationale="字" * 9_000))
    assert "字" not in event.model_dump_json(exclude={"private"})
    assert set(event.private) == {"/payload/rationale"}


def test_an_extension_moves_the_appeal_deadline_and_keeps_the_outcome() -> None:
    dispute = penalized()
    later = due(dispute) + DAY
    for named in (None, "appeal"):
        event = happens(dispute, extension(later, deadline=named))
        moved = evolve(dispute, event)
        assert (event.type, event.outcome) == (EventType.DEADLINE_EXTENDED, Outcome.NO_RESPONSE)
        assert (moved.state, dict(moved.deadlines)) == (S.PENALIZED, {Deadline.APPEAL: later})
        assert isinstance(decided(moved, APPEAL, later), Accepted)
    assert refused(dispute, extension(due(dispute))) == {C.DEADLINE_NOT_LATER}
    assert refused(dispute, extension(later, rationale=" ")) == {C.RATIONALE_MISSING}
    for other in Deadline:
        if other is not Deadline.APPEAL:
            assert refused(dispute, extension(later, deadline=other)) == {C.NOT_IN_THIS_STATE}
    assert refused(dispute, extension(later), due(dispute) + TICK) == {C.DEADLINE_PASSED}


def test_an_annulment_need_not_be_in_time() -> None:
    dispute = penalized()
    for at in (dispute.last_at, due(dispute), due(dispute) + TICK, due(dispute) + 99 * DAY):
        annulled = after(dispute, ANNUL, at)
        assert (annulled.state, annulled.outcome, dict(annulled.deadlines)) == (
            S.RESOLVED,
            Outcome.ANNULLED,
            {},
        )
    for name in ("penalized, final", "penalized, upheld"):
        assert after(AT[name], ANNUL).outcome is Outcome.ANNULLED


IN_PENALIZED = {E.APPEAL, E.APPEAL_EXPIRED, E.EXTEND_DEADLINE, E.ANNUL, E.OBSERVE_ORDER}


def test_in_penalized_all_else_is_closed_and_looking_at_the_order_changes_nothing() -> None:
    for name in ("penalized", "penalized, final", "penalized, upheld"):
        dispute, live = AT[name], name == "penalized"
        for event in COMMANDS:
            asked = well_formed(dispute, event)
            if event is E.OBSERVE_ORDER:
                for at in (dispute.last_at, dispute.last_at + 99 * DAY):
                    assert isinstance(decided(dispute, asked, at, KEPT), Unchanged)
            elif event is E.ANNUL or (live and event in IN_PENALIZED):
                assert isinstance(decided(dispute, asked), Accepted)
            elif event is E.APPEAL and dispute.memory.once:
                assert refused(dispute, asked) == {C.ALREADY_APPEALED}
            else:
                assert refused(dispute, asked) == {C.DISPUTE_CLOSED}, (name, event)


def test_without_a_window_nothing_of_an_appeal_is_possible() -> None:
    dispute = penalized(WITHOUT_APPEAL)
    for event in (E.APPEAL, E.APPEAL_EXPIRED, E.EXTEND_DEADLINE):
        for at in (dispute.last_at, dispute.last_at + 99 * DAY):
            assert refused(dispute, well_formed(dispute, event), at) == {C.DISPUTE_CLOSED}
    assert after(dispute, ANNUL).outcome is Outcome.ANNULLED


# ---- the review of an appeal ---------------------------------------------------------------------


def test_in_review_only_the_two_rulings_are_offered() -> None:
    contested, silent = AT["appeal_under_review"], after(penalized(), APPEAL)
    for dispute in (contested, silent):
        for event in COMMANDS:
            asked = well_formed(dispute, event)
            for at in (moment(dispute, asked), dispute.last_at + 999 * DAY):
                if event in {E.UPHOLD_PENALTY, E.OVERTURN_PENALTY}:
                    assert isinstance(decided(dispute, asked, at), Accepted)
                elif event is E.OBSERVE_ORDER:
                    assert isinstance(decided(dispute, asked, at, KEPT), Unchanged)
                else:
                    code = {
                        E.APPEAL: C.ALREADY_APPEALED,
                        E.CHOOSE_OPTION: (
                            C.NOT_IN_THIS_STATE
                            if dispute.option is None
                            else C.OPTION_ALREADY_CHOSEN
                        ),
                    }.get(event, C.NOT_IN_THIS_STATE)
                    assert refused(dispute, asked, at) == {code}, event
        assert next_due(dispute) is None


@pytest.mark.parametrize(
    ("asked", "state", "outcome", "recorded"),
    [
        (UPHOLD, S.PENALIZED, Outcome.AT_FAULT, EventType.PENALTY_UPHELD),
        (OVERTURN, S.RESOLVED, Outcome.OVERTURNED, EventType.PENALTY_OVERTURNED),
    ],
)
def test_a_ruling_ends_it_for_good(
    asked: Command, state: StateName, outcome: Outcome, recorded: EventType
) -> None:
    dispute = AT["appeal_under_review"]
    assert refused(dispute, ruling(asked.type, rationale=" ")) == {C.RATIONALE_MISSING}
    assert refused(dispute, ruling(asked.type).model_copy(update={"by": OWN[Role.MERCHANT]})) == {
        C.WRONG_ACTOR
    }
    event = happens(dispute, asked)
    ended = evolve(dispute, event)
    assert (event.type, event.outcome, dict(event.deadlines)) == (recorded, outcome, {})
    assert (ended.state, ended.outcome, ended.closed_for_good) == (state, outcome, True)
    assert ended.revision == dispute.revision + 1
    assert refused(ended, APPEAL) == {C.ALREADY_APPEALED}
    assert refused(ended, OVERTURN) == {C.DISPUTE_CLOSED}


def test_from_the_penalty_to_the_final_word_every_event_has_the_liability_as_its_outcome() -> None:
    dispute, events = penalized(), list[AuditEvent]()
    for asked in (command(E.WITHDRAW), APPEAL, command(E.WITHDRAW), UPHOLD, command(E.WITHDRAW)):
        decision = decided(dispute, asked)
        assert isinstance(decision, Accepted | Refused)
        assert decision.event is not None
        events.append(decision.event)
        dispute = evolve(dispute, decision.event)
    assert [event.type for event in events] == [
        EventType.REFUSED,
        EventType.PENALTY_APPEALED,
        EventType.REFUSED,
        EventType.PENALTY_UPHELD,
        EventType.REFUSED,
    ]
    assert {event.outcome for event in events} == {Outcome.NO_RESPONSE}
    assert dispute.revision == 4
    for event in events[1:2]:
        with pytest.raises(ImpossibleEventError):
            evolve(penalized(), event.model_copy(update={"outcome": Outcome.AT_FAULT}))


@pytest.mark.parametrize("rules", ["2023-03", "parallel"])
def test_other_versions_know_no_appeal(rules: str) -> None:
    for state in LEAVES if rules == "2023-03" else (S.OPENED,):
        dispute = in_state(state) if rules == "2023-03" else opened(rules=rules)
        code = C.DISPUTE_CLOSED if dispute.closed else C.NOT_IN_THIS_STATE
        for asked in (APPEAL, EXPIRED, UPHOLD, OVERTURN):
            assert refused(dispute, asked) == {code}
    assert not situations()["penalized"].deadlines


# ---- who could do what first ---------------------------------------------------------------------


def test_a_ruling_on_an_appeal_waits_for_the_appeal() -> None:
    asked = decided(penalized(), OVERTURN)
    assert isinstance(asked, Refused)
    assert [reason.unlock for reason in asked.reasons] == [
        ActorUnlock(Role.MERCHANT, "M-1", E.APPEAL)
    ]
    for dispute in (penalized(WITHOUT_APPEAL), AT["penalized, final"], AT["penalized, upheld"]):
        asked = decided(dispute, OVERTURN)
        assert isinstance(asked, Refused)
        assert [reason.unlock for reason in asked.reasons] == [NeverUnlock()]


# ---- through Disputes ----------------------------------------------------------------------------


def test_an_appeal_through_disputes() -> None:
    disputes = Disputes(InMemoryOrderSystem({"O-1": PAID}), stamp)
    first = disputes.open(opening(rules="extended"), at=OPENED_AT).dispute
    (swept,) = disputes.sweep(first, at=OPENED_AT + 30 * HOUR)
    dispute = swept.dispute
    assert (dispute.state, due(dispute)) == (S.PENALIZED, OPENED_AT + 30 * HOUR + TERM)
    early = disputes.expire(dispute, at=due(dispute))
    assert (early.status, early.next_due) == ("early", (Deadline.APPEAL, due(dispute)))
    appealed = disputes.send(
        dispute,
        "appeal",
        rationale="we answered by phone",
        by=OWN[Role.MERCHANT],
        key="k-1",
        at=due(dispute),
    )
    assert appealed.accepted
    assert appealed.event is not None
    assert appealed.event.type is EventType.PENALTY_APPEALED
    again = disputes.send(
        appealed.dispute,
        "appeal",
        rationale="we answered by phone",
        by=OWN[Role.MERCHANT],
        key="k-1",
        at=due(dispute) + DAY,
    )
    assert isinstance(again.decision, Repeated)
    assert disputes.sweep(appealed.dispute, at=due(dispute) + 999 * DAY) == ()
    overturned = disputes.send(
        appealed.dispute,
        "overturn_penalty",
        rationale="so they did",
        by=OWN[Role.ADJUDICATOR],
        at=due(dispute) + DAY,
    )
    assert (overturned.dispute.state, overturned.dispute.outcome) == (
        S.RESOLVED,
        Outcome.OVERTURNED,
    )


def test_a_sweep_never_makes_two_hops_at_once() -> None:
    disputes = Disputes(InMemoryOrderSystem({"O-1": PAID}), stamp)
    dispute = new()
    (penalty,) = disputes.sweep(dispute, at=OPENED_AT + 999 * DAY)
    assert dict(penalty.dispute.deadlines) == {Deadline.APPEAL: OPENED_AT + 999 * DAY + TERM}
    assert disputes.sweep(penalty.dispute, at=OPENED_AT + 999 * DAY) == ()
    (final,) = disputes.sweep(penalty.dispute, at=due(penalty.dispute) + SECOND)
    assert final.event is not None
    assert (final.event.type, final.dispute.state) == (EventType.PENALTY_FINAL, S.PENALIZED)
    assert disputes.sweep(final.dispute, at=OPENED_AT + 9_999 * DAY) == ()


def test_with_the_order_system_down_an_appeal_is_decided() -> None:
    orders = InMemoryOrderSystem({})
    orders.available = False
    disputes = Disputes(orders, stamp)
    dispute = penalized()
    appealed = disputes.send(dispute, APPEAL, at=dispute.last_at + MINUTE)
    assert appealed.dispute.state is S.APPEAL_UNDER_REVIEW
    assert disputes.send(appealed.dispute, UPHOLD, at=dispute.last_at + HOUR).accepted
