"""The order system's facts: what counts, from when on, and what keeps a promise."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from pydantic import ValidationError

from dispute_fsm.domain.facts import Order, OrderFacts
from tests.strategies import near, order_facts, orders, seen

LOOK = datetime(2023, 3, 28, 10, tzinfo=UTC)
TICK = timedelta(microseconds=1)
PAID, SHIPPED, SCANNED = (LOOK - timedelta(hours=hours) for hours in (72, 3, 2))

FACTS: Mapping[str, object] = {
    "order_id": "O-1",
    "asked": "oms",
    "observed_at": LOOK,
    "revision": "7",
    "paid_at": PAID,
    "cancel_request": {"submitted_at": LOOK - timedelta(hours=1), "status": "submitted"},
    "refund": {
        "status": "completed",
        "completed_at": LOOK - timedelta(hours=1),
        "scope": "full",
        "amount": "99.90",
        "currency": "CNY",
    },
    "shipment": {"shipped_at": SHIPPED, "carrier": "JDL", "waybill": "W1"},
    "pickup": {"scanned_at": SCANNED, "waybill": "W1", "kind": "picked_up"},
}
"""An order on which every fact counts."""


def facts(**changed: object) -> OrderFacts:
    """Make facts that differ from `FACTS` in some members; `None` for an absent fact."""
    merged = dict(FACTS)
    for name, value in changed.items():
        base = FACTS[name]
        merged[name] = (
            {**base, **value} if isinstance(base, Mapping) and isinstance(value, Mapping) else value
        )
    return OrderFacts.model_validate(merged)


def test_all_the_facts_of_the_example_count() -> None:
    example = facts()
    assert example.standing_cancel_request is example.cancel_request
    assert example.full_refund is example.refund
    assert example.counted_shipment is example.shipment
    assert example.valid_pickup is example.pickup


# ---- cancel request ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "stands"),
    [
        ({"status": "submitted"}, True),
        ({"status": "accepted"}, True),
        ({"status": "withdrawn"}, False),
        ({"status": "rejected"}, False),
        ({"submitted_at": LOOK}, True),
        ({"submitted_at": LOOK + TICK}, False),
        ({"submitted_at": LOOK + TICK, "status": "accepted"}, False),
        ({"submitted_at": None}, True),
        ({"submitted_at": None, "status": "accepted"}, True),
        ({"submitted_at": None, "status": "rejected"}, False),
        (None, False),
    ],
)
def test_a_cancel_request_counts_while_submitted_or_accepted_dated_or_not(
    changed: object, *, stands: bool
) -> None:
    looked = facts(cancel_request=changed)
    assert looked.standing_cancel_request == (looked.cancel_request if stands else None)


# ---- refund --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({"status": "completed"}, True),
        ({"status": "requested"}, False),
        ({"status": "requested", "completed_at": None}, False),
        ({"scope": "partial"}, False),
        ({"completed_at": LOOK}, True),
        ({"completed_at": LOOK + TICK}, False),
        ({"completed_at": None}, True),
        ({"completed_at": None, "scope": "partial"}, False),
        ({"amount": None, "currency": None}, True),
        ({"amount": "0"}, True),
        (None, False),
    ],
)
def test_only_a_completed_full_refund_counts_dated_or_not(changed: object, *, counts: bool) -> None:
    looked = facts(refund=changed)
    assert looked.full_refund == (looked.refund if counts else None)


def test_a_refund_is_full_unless_it_says_otherwise() -> None:
    order = Order.model_validate({"refund": {"status": "completed"}})
    assert seen(order, LOOK).full_refund is not None


# ---- shipment ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({"shipped_at": LOOK}, True),
        ({"shipped_at": LOOK + TICK}, False),
        ({"shipped_at": None}, False),
        ({"carrier": None}, True),
        ({"waybill": None}, True),
        ({"shipped_at": PAID - TICK}, True),
        (None, False),
    ],
)
def test_a_shipment_counts_once_it_is_dated_and_has_happened(
    changed: object, *, counts: bool
) -> None:
    looked = facts(shipment=changed)
    assert looked.counted_shipment == (looked.shipment if counts else None)


# ---- pickup --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "valid"),
    [
        ({"pickup": None}, False),
        ({"pickup": {"kind": "failed"}}, False),
        ({"pickup": {"kind": "assigned"}}, False),
        ({"pickup": {"scanned_at": None}}, False),
        ({"pickup": {"scanned_at": LOOK}}, True),
        ({"pickup": {"scanned_at": LOOK + TICK}}, False),
        ({"pickup": {"scanned_at": PAID}}, True),
        ({"pickup": {"scanned_at": PAID - TICK}}, False),
        (
            {"pickup": {"scanned_at": SHIPPED - TICK}},
            True,
        ),  # the carrier's clock and the merchant's may differ
        ({"pickup": {"waybill": "W2"}}, False),
        ({"pickup": {"waybill": "w1"}}, False),
        ({"pickup": {"waybill": None}}, False),
        ({"shipment": {"waybill": None}}, False),
        (
            {"pickup": {"waybill": None}, "shipment": {"waybill": None}},
            False,
        ),  # no waybill is not the same waybill
        ({"shipment": {"waybill": "W2"}}, False),
        ({"shipment": None}, False),
        ({"shipment": {"shipped_at": None}}, False),
        ({"shipment": {"shipped_at": LOOK}}, True),
        ({"shipment": {"shipped_at": LOOK + TICK}}, False),
        ({"shipment": {"carrier": None}}, True),
        ({"paid_at": None}, False),
        ({"paid_at": SCANNED}, True),
        ({"paid_at": SCANNED + TICK}, False),
        ({"paid_at": LOOK + TICK}, False),
        ({"paid_at": LOOK + TICK, "pickup": {"scanned_at": LOOK + 2 * TICK}}, False),
        ({"cancel_request": None, "refund": None}, True),
    ],
)
def test_a_pickup_is_valid_for_the_shipped_waybill_of_a_paid_order_and_not_before_payment(
    changed: Mapping[str, object], *, valid: bool
) -> None:
    looked = facts(**changed)
    assert looked.valid_pickup == (looked.pickup if valid else None)


# ---- promise -------------------------------------------------------------------------------------

UNTIL = LOOK - timedelta(minutes=30)


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({}, True),
        ({"pickup": {"scanned_at": UNTIL}, "shipment": {"shipped_at": UNTIL}}, True),
        ({"pickup": {"scanned_at": UNTIL + TICK}}, False),
        ({"shipment": {"shipped_at": UNTIL + TICK}}, False),
        ({"pickup": {"scanned_at": UNTIL}, "shipment": {"shipped_at": UNTIL + TICK}}, False),
        ({"pickup": None}, False),
        ({"pickup": {"kind": "failed"}}, False),
        ({"pickup": {"waybill": "W2"}}, False),
        ({"shipment": None}, False),
        ({"shipment": {"shipped_at": None}}, False),
        ({"paid_at": None}, False),
        ({"cancel_request": None, "refund": None}, True),
    ],
)
def test_a_promise_is_kept_by_shipment_and_valid_pickup_at_or_before_the_agreed_instant(
    changed: Mapping[str, object], *, kept: bool
) -> None:
    assert facts(**changed).promise_kept(UNTIL) is kept


def test_facts_that_arrive_late_are_judged_by_their_own_times() -> None:
    agreed = datetime(2023, 3, 28, 18, tzinfo=UTC)
    scan = {
        "pickup": {"scanned_at": agreed - timedelta(minutes=1)},
        "observed_at": agreed + timedelta(minutes=90),
    }
    assert facts(**scan).promise_kept(agreed)
    assert not facts(**scan).promise_kept(agreed - timedelta(minutes=2))


def test_what_has_not_happened_keeps_no_promise() -> None:
    ahead = {"scanned_at": LOOK + TICK}
    assert not facts(pickup=ahead).promise_kept(LOOK + timedelta(days=1))
    assert facts(pickup=ahead, observed_at=LOOK + TICK).promise_kept(LOOK + timedelta(days=1))


# ---- properties ----------------------------------------------------------------------------------


@given(orders(), near(LOOK), near(LOOK))
def test_a_later_look_at_the_same_order_only_adds_to_what_counts(
    order: Order, one: datetime, other: datetime
) -> None:
    earlier, later = seen(order, min(one, other)), seen(order, max(one, other))
    for name in ("standing_cancel_request", "full_refund", "counted_shipment", "valid_pickup"):
        assert getattr(earlier, name) is None or getattr(later, name) == getattr(earlier, name)


@given(order_facts(LOOK), near(LOOK), near(LOOK))
def test_a_promise_that_is_kept_would_be_kept_by_any_later_date(
    looked: OrderFacts, one: datetime, other: datetime
) -> None:
    assert looked.promise_kept(min(one, other)) <= looked.promise_kept(max(one, other))
    assert looked.promise_kept(one) <= (looked.valid_pickup is not None)
    assert (looked.valid_pickup is not None) <= (looked.counted_shipment is not None)


@given(order_facts(LOOK))
def test_a_snapshot_is_read_back_from_its_record_as_it_was(looked: OrderFacts) -> None:
    assert OrderFacts.model_validate_json(looked.model_dump_json()) == looked
    assert OrderFacts.model_validate(looked.model_dump(mode="json")) == looked


# ---- the models ----------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["order_id", "asked", "observed_at", "revision"])
def test_a_snapshot_says_of_which_order_it_is_who_was_asked_when_and_the_revision(
    missing: str,
) -> None:
    with pytest.raises(ValidationError):
        OrderFacts.model_validate({name: value for name, value in FACTS.items() if name != missing})


def test_an_order_may_hold_nothing() -> None:
    looked = seen(Order(), LOOK)
    assert (
        looked.standing_cancel_request,
        looked.full_refund,
        looked.counted_shipment,
        looked.valid_pickup,
    ) == (None,) * 4
    assert not looked.promise_kept(LOOK)


@pytest.mark.parametrize("amount", ["0", "0.5", "99.90", "1", "999999999999999.9999"])
def test_money_is_a_decimal_text(amount: str) -> None:
    refund = facts(refund={"amount": amount}).refund
    assert refund is not None
    assert refund.amount == amount


@pytest.mark.parametrize(
    "changed",
    [
        {"refund": {"amount": 99.9}},
        {"refund": {"amount": 99}},
        {"refund": {"amount": "-1"}},
        {"refund": {"amount": "1e3"}},
        {"refund": {"amount": "01"}},
        {"refund": {"amount": "1."}},
        {"refund": {"amount": ".5"}},
        {"refund": {"amount": "1.00001"}},
        {"refund": {"amount": "1,000"}},
        {"refund": {"amount": "NaN"}},
        {"refund": {"amount": "\u0661"}},
        {"refund": {"amount": "1\n"}},
        {"refund": {"amount": ""}},
        {"refund": {"currency": "cny"}},
        {"refund": {"currency": "RMB¥"}},
        {"refund": {"status": "done"}},
        {"refund": {"status": None}},
        {"refund": {"scope": None}},
        {"refund": {"completed_at": "2023-03-28T10:00:00"}},
        {"cancel_request": {"status": "Submitted"}},
        {"cancel_request": {"reason": "changed my mind"}},
        {"shipment": {"waybill": 12}},
        {"shipment": {"waybill": ""}},
        {"shipment": {"carrier": 0}},
        {"shipment": {"shipped_at": 1_679_968_800}},
        {"pickup": {"kind": "揽件"}},
        {"pickup": {"kind": None}},
        {"pickup": {"scanned_at": datetime(2023, 3, 28)}},  # noqa: DTZ001 -- a naive datetime is what is tested
        {"pickup": {"waybil": "W1"}},
        {"paid_at": "yesterday"},
        {"paid_at": False},
        {"observed_at": None},
        {"revision": 7},
        {"order_id": 12},
        {"shipment": "shipped"},
    ],
)
def test_what_is_no_fact_is_refused_not_guessed(changed: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        facts(**changed)


def test_unknown_facts_are_errors_and_facts_are_frozen() -> None:
    with pytest.raises(ValidationError):
        OrderFacts.model_validate({**FACTS, "delivered_at": LOOK})
    with pytest.raises(ValidationError):
        setattr(facts(), "paid_at", None)  # noqa: B010 -- a plain assignment is refused by the type checker already
