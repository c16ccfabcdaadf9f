"""The canonical form and the digests over it, against an independent implementation of RFC 8785."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
import rfc8785
from hypothesis import example, given

from dispute_fsm.domain.canonical_json import canonical, digest
from dispute_fsm.domain.commands import Actor, Command
from dispute_fsm.domain.enums import Deadline, Option, Role
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import MAX_INTEGER, FrozenMap
from tests.strategies import commands, json_values, order_facts, policies

CONTROLS = "".join(map(chr, range(0x20)))


def independent(value: object) -> bytes:
    return rfc8785.dumps(json.loads(json.dumps(value)))


@given(json_values())
@example(CONTROLS + '"\\/\x7f\x80\u2028\u2029\ufeff\uffff')
@example("商家 🚚 \U00010000\U0010ffff e\u0301")
@example({"\x7f": 1, "": 2, " ": 3, "a": 4, "A": 5, "_": 6, "\n": 7, '"': 8})
@example([MAX_INTEGER, -MAX_INTEGER, 0, True, False, None, [], {}, ""])
def test_the_canonical_form_is_that_of_rfc_8785(value: object) -> None:
    assert canonical(value) == independent(value)
    assert digest(value) == hashlib.sha256(independent(value)).hexdigest()
    assert canonical(json.loads(canonical(value))) == canonical(value)


class Stopped(datetime):
    """An instant of a library that stops the clock in a host's tests."""


@given(policies(), commands(), order_facts())
def test_the_records_of_the_package_have_the_canonical_form_of_rfc_8785(
    policy: Policy, command: Command, facts: OrderFacts
) -> None:
    for record in (policy.record, command.model_dump(mode="json"), facts.model_dump(mode="json")):
        assert canonical(record) == independent(record)
    assert canonical(facts) == canonical(facts.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": [True, None, "x"]}, b'{"a":[true,null,"x"],"b":1}'),
        ({"10": 1, "2": 2, "a": 3, "B": 4}, b'{"10":1,"2":2,"B":4,"a":3}'),
        (CONTROLS[8:14] + "\x1f", rb'"\b\t\n\u000b\f\r\u001f"'),
        ('"\\/\x7f', b'"\\"\\\\/\x7f"'),
        ("€🚚", '"€🚚"'.encode()),
        ((1, 2), b"[1,2]"),
        (MAX_INTEGER, b"9007199254740991"),
        (Option.ALREADY_SHIPPED, b'"already_shipped"'),
        (FrozenMap({Deadline.PROMISE: None}), b'{"promise":null}'),
        (datetime(2023, 3, 28, 2, tzinfo=UTC), b'"2023-03-28T02:00:00Z"'),
        (Stopped(2023, 3, 28, 2, tzinfo=UTC), b'"2023-03-28T02:00:00Z"'),
        (datetime(2023, 3, 28, 2, 0, 0, 50, tzinfo=UTC), b'"2023-03-28T02:00:00.000050Z"'),
        (Actor(role=Role.MERCHANT, id="M-1"), b'{"id":"M-1","role":"merchant"}'),
    ],
)
def test_members_are_sorted_white_space_left_out_and_escapes_minimal(
    value: object, written: bytes
) -> None:
    assert canonical(value) == written
    assert digest(value) == hashlib.sha256(written).hexdigest()


def test_the_digest_is_the_same_whatever_the_order_of_the_members() -> None:
    assert digest({"a": 1, "b": {"c": 2, "d": 3}}) == digest({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("\ud800", UnicodeEncodeError),
        ({"a": "a\udfff"}, UnicodeEncodeError),
        (object(), TypeError),
        ([1, {"a": 1j}], TypeError),
    ],
)
def test_what_has_no_canonical_form_is_an_error(value: object, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        canonical(value)
    with pytest.raises(fault):
        digest(value)


def test_a_text_of_a_subclass_is_a_text() -> None:
    class Safe(str):
        __slots__ = ()

    assert canonical({"title": Safe("催单")}) == canonical({"title": "催单"})
