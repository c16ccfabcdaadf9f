"""Folding: a history gives the dispute of `Disputes`; an impossible event is an error."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dispute_fsm.decider.decisions import Refused
from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, Option, Outcome, StateName
from dispute_fsm.domain.events import EVENT, GENESIS, AuditEvent, DisputeOpened
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.errors import ImpossibleEventError, InputError
from dispute_fsm.rules import registry
from tests.support import (
    AGREED,
    CORPUS,
    DAY,
    HOUR,
    OPENED_AT,
    PAID,
    after,
    all_situations,
    choose,
    command,
    decided,
    extension,
    happens,
    in_state,
    opened,
    opened_event,
    over,
    play,
    ran,
    ruling,
    submission,
    well_formed,
)

TICK = timedelta(microseconds=1)
E, S = CommandType, StateName
SITUATIONS = all_situations()


def read_again(event: AuditEvent) -> AuditEvent:
    return EVENT.validate_python(json.loads(event.model_dump_json()))


# ---- histories fold to the disputes that they are of ---------------------------------------------


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_a_history_folds_to_the_dispute_that_was_returned(path: Path) -> None:
    result = ran(path)
    if result.dispute is None:
        assert not result.events
        return
    policy = result.scenario.opening.policy
    for again in (lambda event: event, read_again):
        first, *rest = (again(event) for event in result.events)
        assert isinstance(first, DisputeOpened)
        dispute = begin(first, policy)
        for event in rest:
            dispute = evolve(dispute, event)
        assert dispute == result.dispute


def test_a_dispute_remembers_what_later_rules_ask_about() -> None:
    dispute = opened(over(denial="review"))
    assert (dispute.option, dispute.agreed_until, dispute.confirmed, dispute.keys) == (
        None,
        None,
        False,
        {},
    )
    dispute = after(dispute, choose(Option.SHIP_BY_AGREED_DATE, key="k-1"))
    assert (dispute.option, dispute.agreed_until) == (Option.SHIP_BY_AGREED_DATE, AGREED)
    assert dispute.keys.keys() == {"k-1"}
    denied = after(dispute, command(E.DENY_AGREEMENT))
    assert not denied.confirmed
    extended = after(denied, extension(AGREED + DAY))
    assert (extended.agreed_until, extended.deadlines) == (
        AGREED + DAY,
        {Deadline.PROMISE: AGREED + DAY + 6 * HOUR},
    )
    upheld = after(extended, ruling(E.RULE_NO_FAULT))
    assert (upheld.confirmed, upheld.agreed_until) == (True, AGREED + DAY)
    assert after(dispute, command(E.CONFIRM_AGREEMENT)).confirmed
    assert after(opened(), extension(AGREED)).agreed_until is None


def test_a_dispute_counts_submissions_rounds_refusals_and_events() -> None:
    dispute = opened(over(extra_evidence_rounds=2))
    dispute = play(
        dispute,
        choose(Option.PROVE_NO_FAULT),
        submission(),
        command(E.REQUEST_EVIDENCE),
        submission(),
    )
    assert (
        dispute.submissions,
        dispute.extra_rounds,
        dispute.revision,
        dispute.seq,
        dispute.refusals,
    ) == (2, 1, 5, 5, 0)
    decision = decided(dispute, choose(Option.PROVE_NO_FAULT))
    assert isinstance(decision, Refused)
    assert decision.event is not None
    dispute = evolve(dispute, decision.event)
    assert (
        dispute.submissions,
        dispute.extra_rounds,
        dispute.revision,
        dispute.seq,
        dispute.refusals,
    ) == (2, 1, 5, 6, 1)
    overdue = play(in_state(S.AWAITING_EVIDENCE, submitted=True), command(E.EVIDENCE_EXPIRED))
    assert (overdue.state, overdue.submissions, overdue.extra_rounds) == (S.UNDER_REVIEW, 1, 1)


def test_what_runs_is_due_in_order() -> None:
    dispute = in_state(S.AWAITING_SHIPMENT)
    assert dispute.running == {Deadline.PROMISE: AGREED + 6 * HOUR}
    assert next_due(dispute) == (Deadline.PROMISE, AGREED + 6 * HOUR)
    assert next_due(opened()) == (Deadline.RESPONSE, OPENED_AT + DAY)
    for state in (S.UNDER_REVIEW, S.RESOLVED, S.PENALIZED):
        assert next_due(in_state(state)) is None
    denied = in_state(S.DENIAL_UNDER_REVIEW, option=Option.SHIP_BY_AGREED_DATE)
    assert (set(denied.deadlines), denied.running, next_due(denied)) == (
        {Deadline.PROMISE},
        {},
        None,
    )


def test_ties_go_in_the_order_response_confirmation_promise_evidence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once = dict.fromkeys(reversed(Deadline), OPENED_AT)
    for gone in (set[Deadline](), {Deadline.RESPONSE}, {Deadline.RESPONSE, Deadline.CONFIRMATION}):
        running = {deadline: due for deadline, due in at_once.items() if deadline not in gone}
        monkeypatch.setattr(Dispute, "running", running)
        assert next_due(opened()) == (
            next(deadline for deadline in Deadline if deadline not in gone),
            OPENED_AT,
        )
    monkeypatch.setattr(Dispute, "running", {**at_once, Deadline.EVIDENCE: OPENED_AT - TICK})
    assert next_due(opened()) == (Deadline.EVIDENCE, OPENED_AT - TICK)


def test_a_dispute_that_is_opened_names_whose_it_is() -> None:
    dispute = opened(order_id="O-7", dispute_id="D-7", merchant_id="M-7")
    assert (dispute.dispute_id, dispute.order_id, dispute.merchant_id, dispute.consumer_id) == (
        "D-7",
        "O-7",
        "M-7",
        "C-1",
    )
    assert (dispute.rules.id, dispute.state, dispute.closed, dispute.configuration.path) == (
        "2023-03",
        S.OPENED,
        False,
        "opened",
    )
    assert in_state(S.PENALIZED).closed
    assert in_state(S.RESOLVED).closed


# ---- what cannot have happened -------------------------------------------------------------------


def impossible(dispute: Dispute, event: AuditEvent) -> None:
    """Assert that the event cannot be folded, and that the dispute is left as it was."""
    before = replace(dispute)
    with pytest.raises(ImpossibleEventError):
        evolve(dispute, event)
    assert dispute == before


CHOSEN = happens(opened(), choose(Option.SHIP_BY_AGREED_DATE))
AT = {
    state: in_state(state).path
    for state in S
    if state in {StateName(name) for name in SITUATIONS if name in set(S)}
}

CHANGES: list[tuple[str, Any]] = [
    *(("seq", seq) for seq in (1, 3, 4)),
    *(("revision", revision) for revision in (1, 3)),
    *(("prev_hash", hash_) for hash_ in ("0" * 64, "f" * 64)),
    ("policy", over(denial="review").digest),
    ("rules", "parallel"),
    ("rules", "2023-3"),
    ("dispute_id", "D-2"),
    ("at", OPENED_AT - TICK),
    *(("source", path) for path in (None, *AT.values(), "nowhere") if path != AT[S.OPENED]),
    *(("target", path) for path in (*AT.values(), "nowhere") if path != AT[S.AWAITING_SHIPMENT]),
    *(("outcome", outcome) for outcome in Outcome),
    *(("type", kind) for kind in EventType if kind is not EventType.OPTION_CHOSEN),
    *(("command", name) for name in E if name is not E.CHOOSE_OPTION),
    *(
        ("deadlines", {**CHOSEN.deadlines, deadline: AGREED})
        for deadline in (Deadline.RESPONSE, Deadline.EVIDENCE)
    ),
]


@pytest.mark.parametrize(("member", "value"), CHANGES)
def test_an_event_that_says_otherwise_than_the_dispute_or_the_chart(
    member: str, value: object
) -> None:
    assert evolve(opened(), CHOSEN).state is S.AWAITING_SHIPMENT
    impossible(opened(), CHOSEN.model_copy(update={member: value}))


def test_time_stands_still_but_never_goes_back() -> None:
    for dispute in SITUATIONS.values():
        if (dispute.path, E.WITHDRAW) in dispute.rules.table.transitions:
            event = happens(dispute, command(E.WITHDRAW), dispute.last_at)
            assert evolve(dispute, event).last_at == dispute.last_at
            impossible(dispute, event.model_copy(update={"at": dispute.last_at - TICK}))


def test_a_dispute_opens_once() -> None:
    for dispute in SITUATIONS.values():
        impossible(dispute, dispute.opening)
        impossible(
            dispute,
            dispute.opening.model_copy(
                update={"seq": dispute.seq + 1, "revision": dispute.revision + 1}
            ),
        )
        pasted = {
            "seq": dispute.seq + 1,
            "revision": dispute.revision + 1,
            "prev_hash": dispute.last_hash,
            "source": dispute.path,
        }
        impossible(dispute, dispute.opening.model_copy(update=pasted))


def test_no_event_happens_twice_or_out_of_order() -> None:
    for path in CORPUS[::7]:
        result = ran(path)
        if result.dispute is None:
            continue
        dispute = begin(result.dispute.opening, result.scenario.opening.policy)
        for at, event in enumerate(result.events[1:], 1):
            for later in result.events[at + 1 :]:
                impossible(dispute, later)
            dispute = evolve(dispute, event)
            impossible(dispute, event)


def test_an_event_of_another_dispute_is_foreign() -> None:
    other = opened(dispute_id="D-2")
    impossible(opened(), happens(other, choose(Option.OUT_OF_STOCK_REFUND)))
    impossible(other, CHOSEN)


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_refusal_that_changes_something(name: str) -> None:
    dispute = SITUATIONS[name]
    decision = decided(dispute, command(E.WITHDRAW, well_formed(dispute, E.CHOOSE_OPTION).by))
    assert isinstance(decision, Refused)
    event = decision.event
    assert event is not None
    assert evolve(dispute, event).refusals == dispute.refusals + 1
    elsewhere = "opened" if dispute.path != "opened" else "penalized"
    other = Outcome.NO_FAULT if dispute.outcome is not Outcome.NO_FAULT else Outcome.AT_FAULT
    for changes in (
        {"target": elsewhere},
        {"source": elsewhere, "target": elsewhere},
        {"outcome": other},
        {"deadlines": {**dispute.deadlines, Deadline.EVIDENCE: OPENED_AT}},
        {
            "deadlines": {deadline: due + TICK for deadline, due in dispute.deadlines.items()}
            or {Deadline.RESPONSE: OPENED_AT}
        },
        {"revision": dispute.revision + 1},
        {"seq": dispute.seq},
        {"prev_hash": "0" * 64},
        {"policy": "0" * 64},
        {"at": dispute.last_at - TICK},
    ):
        impossible(dispute, event.model_copy(update=changes))


@pytest.mark.parametrize("name", SITUATIONS)
def test_no_event_leads_where_the_chart_has_no_edge(name: str) -> None:
    dispute = SITUATIONS[name]
    table = dispute.rules.table
    for event in E:
        if event is E.OPEN_DISPUTE or (dispute.path, event) in table.transitions:
            continue
        asked = well_formed(dispute, event)
        decision = decided(dispute, asked)
        if not isinstance(decision, Refused):
            continue
        assert decision.event is not None
        pretended = {
            "type": EventType.OPTION_CHOSEN,
            "refused": (),
            "outcome": None,
            "revision": dispute.revision + 1,
        }
        for target in table.configurations:
            impossible(dispute, decision.event.model_copy(update={**pretended, "target": target}))


def test_an_outcome_belongs_to_the_option_that_was_chosen() -> None:
    dispute = in_state(S.AWAITING_CONFIRMATION, option=Option.ALREADY_SHIPPED)
    event = happens(dispute, command(E.CONFIRM_AGREEMENT))
    assert evolve(dispute, event).outcome is Outcome.SETTLED_BY_SHIPMENT
    for outcome in (None, *Outcome):
        if outcome is not Outcome.SETTLED_BY_SHIPMENT:
            impossible(dispute, event.model_copy(update={"outcome": outcome}))


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 2},
        {"revision": 2},
        {"prev_hash": "f" * 64},
        {"policy": "f" * 64},
        {"target": "resolved"},
        {"target": "nowhere"},
        {"outcome": Outcome.NO_FAULT},
        {"deadlines": {Deadline.PROMISE: OPENED_AT}},
        {"deadlines": {Deadline.RESPONSE: OPENED_AT, Deadline.CONFIRMATION: OPENED_AT}},
    ],
    ids=str,
)
def test_an_opening_that_cannot_be_a_first_event(changes: dict[str, object]) -> None:
    with pytest.raises(ImpossibleEventError):
        begin(opened_event().model_copy(update=changes), DEFAULT_POLICY)


def test_only_an_opening_comes_first() -> None:
    decision = decided(opened(), command(E.ANNUL))
    assert isinstance(decision, Refused)
    assert decision.event is not None
    forged = decision.event.model_copy(
        update={"seq": 1, "prev_hash": GENESIS, "deadlines": opened_event().deadlines}
    )
    with pytest.raises(ImpossibleEventError):
        begin(forged, DEFAULT_POLICY)


def test_a_dispute_keeps_the_policy_that_it_opened_under() -> None:
    assert begin(opened_event(), DEFAULT_POLICY).policy is DEFAULT_POLICY
    with pytest.raises(ImpossibleEventError):
        begin(opened_event(), over(response={"hours": 48}))


def test_a_rule_version_that_this_package_does_not_know_cannot_be_folded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = opened_event().model_copy(update={"rules": "1999-01"})
    with pytest.raises(InputError):
        begin(unknown, DEFAULT_POLICY)
    dispute = opened()
    monkeypatch.setattr(registry, "VERSIONS", {})
    with pytest.raises(InputError):
        _ = dispute.rules
    with pytest.raises(InputError):
        evolve(dispute, CHOSEN)


def test_the_error_names_the_dispute_the_event_and_the_member() -> None:
    with pytest.raises(ImpossibleEventError, match=r"D-1.*2.*option_chosen.*prev_hash"):
        evolve(opened(), CHOSEN.model_copy(update={"prev_hash": "f" * 64}))


def test_erased_values_are_not_missed() -> None:
    dispute = in_state(S.AWAITING_EVIDENCE)
    event = happens(dispute, submission(), shown=PAID)
    assert event.private
    erased = event.model_copy(update={"private": {}})
    assert evolve(dispute, erased) == evolve(dispute, event)


@pytest.mark.parametrize("deadline", [Deadline.RESPONSE, Deadline.EVIDENCE])
def test_where_several_deadlines_run_the_one_that_an_extension_names_moves(
    deadline: Deadline,
) -> None:
    dispute = opened(rules="parallel")
    until = max(dispute.deadlines.values()) + DAY
    event = happens(dispute, extension(until, deadline=deadline))
    assert evolve(dispute, event).deadlines == {**dispute.deadlines, deadline: until}
    (other,) = set(dispute.deadlines) - {deadline}
    with pytest.raises(ImpossibleEventError):
        evolve(
            dispute,
            event.model_copy(
                update={"payload": event.payload.model_copy(update={"deadline": other})}
            ),
        )
