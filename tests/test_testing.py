"""Given, when, then: with the names of scenario files; no refusal or error is ignored."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispute_fsm.domain.enums import EventType, Option, Outcome, RefusalCode, Role, StateName
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.errors import ImpossibleEventError, InputError
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import run_scenario
from dispute_fsm.testing import DisputeCase, given, given_history
from tests.support import CORPUS, ran

OPENED = "2023-03-28T10:00:00+08:00"
OPENED_AT = datetime(2023, 3, 28, 2, tzinfo=UTC)
SHIPMENT = {"shipped_at": "2023-03-28T11:30:00+08:00", "waybill": "W1"}
PICKUP = {"scanned_at": "2023-03-28T11:45:00+08:00", "waybill": "W1", "kind": "picked_up"}


def started() -> DisputeCase:
    return given(OPENED)


untyped: Any = given
"""For words that a type checker refuses before they are run."""


# ---- a story -------------------------------------------------------------------------------------


def test_a_dispute_is_told_from_its_opening_to_its_end() -> None:
    with given(
        OPENED,
        policy={"confirmation": {"hours": 24}},
        order={"paid_at": "2023-03-25T09:00:00+08:00"},
    ) as case:
        case.then(state="opened", events=1, outcome=None)
        case.when("+1h", "choose_option", option="already_shipped").then(
            refused=["no_pickup_scan", "not_shipped"], state="opened"
        )
        case.order("+2h", shipment=SHIPMENT, pickup=PICKUP)
        case.when("+3h", "choose_option", option="already_shipped", key="k-1").then(
            state="awaiting_confirmation"
        )
        case.when("+4h", "choose_option", option="already_shipped", key="k-1").then(repeated=True)
        case.when("+4h", "observe_order").then(unchanged=True)
        case.when("+28h", "sweep").then(state="resolved", outcome="settled_by_shipment", events=4)
    assert (case.dispute.state, case.dispute.outcome) == (
        StateName.RESOLVED,
        Outcome.SETTLED_BY_SHIPMENT,
    )
    assert [event.type for event in case.events] == [
        EventType.DISPUTE_OPENED,
        EventType.REFUSED,
        EventType.OPTION_CHOSEN,
        EventType.DISPUTE_RESOLVED,
    ]
    assert (case.policy, case.dispute.policy) == (DEFAULT_POLICY, DEFAULT_POLICY)


def test_what_happens_is_what_happens_in_a_scenario_file_of_the_same_words() -> None:
    case = given(
        OPENED,
        dispute_id="D-7",
        merchant_id="M-7",
        rules="2023-03",
        policy={"silence": "denial"},
        order={"paid_at": OPENED},
    )
    case.order("+1h", cancel_request={"status": "submitted"})
    case.when("+2h", "choose_option", option="consumer_cancels", note="说好了")
    case.when("+3h", "withdraw", by={"role": "consumer", "id": "C-9"}).then(refused=["wrong_actor"])
    case.when("+27h", "expire", deadline="confirmation").then(
        state="penalized", outcome="breach_of_promise"
    )
    result = run_scenario(
        parse_scenario(
            f"dispute: {{opened_at: {OPENED}, dispute_id: D-7, merchant_id: M-7}}\n"
            f"policy: {{silence: denial}}\norder: {{paid_at: {OPENED}}}\n"
            "steps:\n"
            "  - {at: +1h, order: {cancel_request: {status: submitted}}}\n"
            "  - {at: +2h, do: choose_option, with: {option: consumer_cancels, note: 说好了}}\n"
            "  - {at: +3h, do: withdraw, by: {role: consumer, id: C-9}}\n"
            "  - {at: +27h, do: expire, with: {deadline: confirmation}}\n",
            "x.dispute.yaml",
        )
    )
    assert case.dispute == result.dispute
    assert case.events == result.events


def test_values_of_python_are_taken_for_words() -> None:
    case = given(
        OPENED_AT,
        order={"paid_at": OPENED_AT},
        policy=DEFAULT_POLICY.lay_over({"silence": "denial"}),
    )
    case.when(
        OPENED_AT + timedelta(hours=1),
        "choose_option",
        option=Option.ALREADY_SHIPPED,
        by=Role.MERCHANT,
    )
    case.then(refused=[RefusalCode.NOT_SHIPPED, RefusalCode.NO_PICKUP_SCAN], state=StateName.OPENED)
    assert case.policy.silence == "denial"
    assert case.dispute.policy == case.policy


def test_facts_are_laid_over_those_that_stand_and_the_order_system_can_fail() -> None:
    case = started().order("+1h", shipment=SHIPMENT).order("+1h", pickup=PICKUP, paid_at=None)
    case.when("+2h", "choose_option", option="already_shipped").then(refused=["pickup_not_valid"])
    case.order("+2h", paid_at="2023-03-25T09:00:00+08:00").order("+2h", "unavailable").then(
        state="opened"
    )
    case.when("+3h", "choose_option", option="already_shipped").then(
        error="order_system_unavailable", events=2
    )
    case.order("+3h", "available").when("+3h", "choose_option", option="already_shipped").then(
        state="awaiting_confirmation"
    )


# ---- taken up from what was recorded -------------------------------------------------------------


def test_a_history_goes_on_where_it_ended_with_the_facts_seen_last() -> None:
    before = started().order("+1h", shipment=SHIPMENT)
    before.when("+2h", "choose_option", option="already_shipped").then(refused=["no_pickup_scan"])
    with given_history(before.events, before.policy) as case:
        case.then(state="opened", events=2)
        assert (case.dispute, case.events, case.policy) == (
            before.dispute,
            before.events,
            before.policy,
        )
        case.order("+2h", pickup=PICKUP)
        case.when("+3h", "choose_option", option="already_shipped").then(
            state="awaiting_confirmation", events=3
        )
        case.when("2023-03-28T14:00:00+08:00", "deny_agreement").then(outcome="breach_of_promise")
    assert len(before.events) == 2
    with pytest.raises(InputError) as caught:
        given_history(before.events, before.policy).when("+1h", "withdraw")
    assert caught.value.field == "at"


def test_every_history_at_hand_can_be_taken_up() -> None:
    for result in (ran(path) for path in CORPUS):
        if result.dispute is not None:
            assert (
                given_history(result.events, result.scenario.opening.policy).dispute
                == result.dispute
            )


def test_without_recorded_facts_the_order_system_knows_nothing() -> None:
    opening = started().events[0].model_copy(update={"facts": None})
    case = given_history([opening], DEFAULT_POLICY)
    case.when("+1h", "choose_option", option="already_shipped").then(
        error="order_system_unavailable"
    )


def test_events_that_are_no_dispute_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        given_history([], DEFAULT_POLICY)
    assert caught.value.field == "events"
    case = started().when("+1h", "withdraw")
    with pytest.raises(ImpossibleEventError):
        given_history(case.events[1:], case.policy)
    with pytest.raises(ImpossibleEventError):
        given_history(case.events, DEFAULT_POLICY.lay_over({"silence": "denial"}))


# ---- what is not expected ------------------------------------------------------------------------


def chosen_too_early() -> DisputeCase:
    return started().when("+1h", "choose_option", option="already_shipped")


def down() -> DisputeCase:
    return (
        started().order("+1h", "unavailable").when("+1h", "choose_option", option="already_shipped")
    )


def unknown_order() -> DisputeCase:
    return given(OPENED, order=None)


SILENT: dict[str, Callable[[], DisputeCase]] = {
    "refused": chosen_too_early,
    "error": down,
    "opening": unknown_order,
}


@pytest.mark.parametrize("case", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize(
    "goes_on",
    [
        lambda case: case.when("+2h", "sweep"),
        lambda case: case.order("+2h", "available"),
        lambda case: case.settle(),
        lambda case: case.then(events=len(case.events)),
        lambda case: case.__exit__(None, None, None),
    ],
    ids=["when", "order", "settle", "then something else", "the end of a with"],
)
def test_a_refusal_or_an_error_that_nobody_names_does_not_go_by(
    case: Callable[[], DisputeCase], goes_on: Callable[[DisputeCase], object]
) -> None:
    with pytest.raises(AssertionError, match=r"expected (refused|error): none; found"):
        goes_on(case())


def test_what_was_named_or_told_once_is_settled() -> None:
    chosen_too_early().then(refused=["not_shipped", "no_pickup_scan"]).settle()
    down().then(error="order_system_unavailable").settle()
    unknown_order().then(refused=["order_not_found"], events=0).settle()
    case = chosen_too_early()
    with pytest.raises(AssertionError):
        case.settle()
    case.settle()
    case.when("+2h", "withdraw").then(state="resolved")


def test_another_failure_within_a_with_is_the_one_that_is_told() -> None:
    with pytest.raises(ZeroDivisionError), chosen_too_early():
        raise ZeroDivisionError


def test_a_refused_opening_leaves_no_dispute() -> None:
    case = unknown_order().then(refused=["order_not_found"])
    assert (case.events, case.policy) == ((), DEFAULT_POLICY)
    with pytest.raises(AssertionError, match="order_not_found"):
        _ = case.dispute
    with pytest.raises(AssertionError, match="order_not_found"):
        case.when("+1h", "sweep")


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        (
            lambda case: case.then(state="resolved"),
            "expected state: resolved; found state: awaiting_confirmation",
        ),
        (
            lambda case: case.then(outcome="withdrawn"),
            "expected outcome: withdrawn; found outcome: none",
        ),
        (lambda case: case.then(events=4), "expected events: 4; found events: 3"),
        (
            lambda case: case.then(refused=["not_shipped"]),
            "expected refused: not_shipped; found refused: none",
        ),
        (
            lambda case: case.then(error="order_system_unavailable"),
            "expected error: order_system_unavailable; found error: none",
        ),
        (lambda case: case.then(repeated=True), "expected repeated: true; found repeated: none"),
        (lambda case: case.then(unchanged=True), "expected unchanged: true; found unchanged: none"),
    ],
)
def test_an_expectation_that_is_not_met_is_told_with_the_story_so_far(
    expect: Callable[[DisputeCase], object], told: str
) -> None:
    case = chosen_too_early().then(refused=["not_shipped", "no_pickup_scan"])
    case.when("+2h", "choose_option", option="out_of_stock_refund")
    with pytest.raises(AssertionError) as caught:
        expect(case)
    assert str(caught.value).splitlines() == [
        "2023-03-28T04:00:00Z choose_option: not as expected",
        f"  {told}",
        "the story so far",
        "  2023-03-28T02:00:00Z open_dispute by consumer C-1: opened",
        (
            "  2023-03-28T03:00:00Z choose_option by merchant M-1: opened, refused: not_shipped, "
            "no_pickup_scan"
        ),
        "  2023-03-28T04:00:00Z choose_option by merchant M-1: awaiting_confirmation",
        "  now: awaiting_confirmation",
    ]


def test_all_that_is_not_met_is_told_at_once() -> None:
    with pytest.raises(AssertionError) as caught:
        started().when("+1h", "withdraw").then(state="opened", outcome=None, events=2)
    assert "expected state: opened; found state: resolved" in str(caught.value)
    assert "expected outcome: none; found outcome: withdrawn" in str(caught.value)
    assert "events:" not in str(caught.value)


# ---- words that are not known --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tells", "field"),
    [
        (lambda: given("2023-03-28T10:00:00"), "opened_at"),
        (lambda: untyped(OPENED, order_id=1), "order_id"),
        (lambda: untyped(OPENED, orde={}), "orde"),
        (lambda: given(OPENED, rules="2022-01"), "rules"),
        (lambda: given(OPENED, policy={"silenc": "denial"}), "policy.silenc"),
        (lambda: given(OPENED, policy={"silence": "maybe"}), "policy.silence"),
        (lambda: given(OPENED, order={"shipment": {"waybill": 12}}), "order.shipment.waybill"),
        (lambda: started().when("1h", "withdraw"), "at"),
        (lambda: started().when("+1h", "withdraw").when("+30m", "sweep"), "at"),
        (lambda: started().when("+1h", "withdrew"), "do"),
        (lambda: started().when("+1h", "withdraw", by="buyer"), "by"),
        (lambda: started().when("+1h", "withdraw", by={"role": "consumer"}), "by.id"),
        (lambda: started().when("+1h", "withdraw", key=""), "key"),
        (lambda: started().when("+1h", "withdraw", note="x"), "note"),
        (lambda: started().when("+1h", "choose_option"), "option"),
        (
            lambda: started().when(
                "+1h", "choose_option", option="prove_no_fault", agreed_until="+3d"
            ),
            "agreed_until",
        ),
        (
            lambda: started().when(
                "+1h", "choose_option", option="prove_no_fault", vouchers=[{"kind": "photos"}]
            ),
            "vouchers[0].kind",
        ),
        (lambda: started().when("+1h", "sweep", deadline="response"), "with"),
        (lambda: started().order("+1h", shipment={"way": "W1"}), "order.shipment.way"),
        (lambda: untyped(OPENED).order("+1h", "down"), "order"),
        (lambda: started().order("+1h", "available", paid_at=None), "order"),
        (lambda: started().then(), "expect"),
        (lambda: untyped(OPENED).then(stat="opened"), "stat"),
        (lambda: started().then(state="open"), "state"),
        (lambda: started().then(state="settling"), "state"),
        (lambda: started().then(refused="not_shipped"), "refused"),
        (lambda: untyped(OPENED).then(repeated=False), "repeated"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_the_field_as_it_was_written(
    tells: Callable[[], object], field: str
) -> None:
    with pytest.raises(InputError) as caught:
        tells()
    assert (caught.value.field, caught.value.file, caught.value.line) == (field, None, None)


def test_a_misspelt_part_of_what_is_given_is_told_from_all_parts() -> None:
    with pytest.raises(InputError, match=r"did you mean order\?"):
        untyped(OPENED, orde={})


def test_what_could_not_be_read_has_not_happened() -> None:
    case = started().order("+2h", shipment=SHIPMENT)
    with pytest.raises(InputError):
        case.when("+3h", "withdrew")
    with pytest.raises(InputError):
        case.order("+3h", pickup={"kind": "lost"})
    case.when("+2h", "choose_option", option="already_shipped").then(
        refused=["no_pickup_scan"], events=2
    )
