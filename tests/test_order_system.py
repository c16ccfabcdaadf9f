"""The order system in memory, and the faults that the package raises on purpose."""

import inspect
from datetime import UTC, datetime, timedelta

import pytest

from dispute_fsm import errors
from dispute_fsm.domain.facts import Order
from dispute_fsm.errors import DisputeError, InputError, OrderSystemUnavailableError
from dispute_fsm.orders import InMemoryOrderSystem, OrderSystem

NOW = datetime(2023, 3, 28, 2, tzinfo=UTC)
PAID = Order.model_validate({"paid_at": "2023-03-25T09:00:00+08:00"})
SHIPPED = Order.model_validate(
    {
        **dict(PAID),
        "shipment": {"shipped_at": "2023-03-28T09:00:00+08:00", "carrier": "JDL", "waybill": "W1"},
    }
)


def test_a_look_says_of_which_order_who_was_asked_when_and_what_is_there() -> None:
    orders: OrderSystem = InMemoryOrderSystem({"O-1": PAID}, name="oms")
    facts = orders.look("O-1", NOW)
    assert facts is not None
    assert (facts.order_id, facts.asked, facts.observed_at, facts.revision) == (
        "O-1",
        "oms",
        NOW,
        "1",
    )
    assert {name: getattr(facts, name) for name in Order.model_fields} == dict(PAID)


def test_an_order_that_is_not_there_is_none_and_no_fault() -> None:
    assert InMemoryOrderSystem().look("O-1", NOW) is None
    assert InMemoryOrderSystem({"O-1": PAID}).look("O-2", NOW) is None


def test_every_change_is_a_revision_of_its_order_and_a_look_is_not() -> None:
    orders = InMemoryOrderSystem({"O-1": PAID})
    earlier = orders.look("O-1", NOW)
    orders.put("O-1", SHIPPED)
    orders.put("O-2", PAID)
    orders.look("O-1", NOW)
    later, other = orders.look("O-1", NOW + timedelta(hours=1)), orders.look("O-2", NOW)
    assert earlier is not None
    assert later is not None
    assert other is not None
    assert (earlier.revision, later.revision, other.revision) == ("1", "2", "1")
    assert (earlier.shipment, later.shipment) == (None, SHIPPED.shipment)
    assert later.observed_at == NOW + timedelta(hours=1)


def test_while_it_is_unavailable_it_cannot_answer_for_any_order_and_every_question_counts() -> None:
    orders = InMemoryOrderSystem({"O-1": PAID})
    orders.available = False
    for order_id in ("O-1", "O-2"):
        with pytest.raises(OrderSystemUnavailableError):
            orders.look(order_id, NOW)
    orders.available = True
    assert orders.look("O-1", NOW) is not None
    assert orders.looks == 3


def test_what_was_handed_in_can_change_without_changing_the_order_system() -> None:
    handed_in = {"O-1": PAID}
    orders = InMemoryOrderSystem(handed_in)
    handed_in.clear()
    assert orders.look("O-1", NOW) is not None


# ---- faults --------------------------------------------------------------------------------------


def test_whatever_is_raised_on_purpose_can_be_caught_as_one() -> None:
    faults = [
        fault
        for _, fault in inspect.getmembers(errors, inspect.isclass)
        if fault.__module__ == errors.__name__
    ]
    assert len(faults) > 5
    for fault in faults:
        assert issubclass(fault, DisputeError)
        assert fault.__name__.endswith("Error")
        assert not issubclass(fault, ValueError | TypeError), (
            "a model would take it for a field's fault and wrap it"
        )


@pytest.mark.parametrize(
    ("file", "line", "field", "text"),
    [
        (None, None, None, "is missing"),
        ("a.dispute.yaml", None, None, "a.dispute.yaml: is missing"),
        ("a.dispute.yaml", 12, None, "a.dispute.yaml:12: is missing"),
        ("a.dispute.yaml", 12, "steps.0.at", "a.dispute.yaml:12: steps.0.at: is missing"),
        (None, None, "policy.response", "policy.response: is missing"),
        (None, 12, "at", "12: at: is missing"),
    ],
)
def test_an_input_error_names_file_line_and_field_as_far_as_they_are_known(
    file: str | None, line: int | None, field: str | None, text: str
) -> None:
    fault = InputError("is missing", file=file, line=line, field=field)
    assert (fault.file, fault.line, fault.field, fault.message) == (file, line, field, "is missing")
    assert str(fault) == text
    assert fault.args == (text,)


def test_the_place_of_an_input_error_may_be_found_out_later() -> None:
    fault = InputError("is missing", field="at")
    fault.file, fault.line = "a.dispute.yaml", 3
    assert str(fault) == "a.dispute.yaml:3: at: is missing"


def test_a_place_is_added_to_an_input_error_only_as_far_as_it_was_not_known() -> None:
    fault = InputError("is missing", field="at")
    assert str(fault.within("a.yaml", 3)) == "a.yaml:3: at: is missing"
    assert str(fault.within("a.yaml")) == "a.yaml: at: is missing"
    assert str(fault.within("a.yaml").within("b.yaml", 4)) == "a.yaml:4: at: is missing"
    assert str(fault.within("a.yaml", 3).within("b.yaml", 4)) == "a.yaml:3: at: is missing"
    assert str(fault) == "at: is missing"
