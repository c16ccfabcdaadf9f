"""Audit events: told apart by type, strict, frozen, with exactly the members of the format.

Written and read, an event is the same again.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from dispute_fsm.decider.decisions import Refused
from dispute_fsm.domain import events
from dispute_fsm.domain.commands import (
    PAYLOAD_CLASSES,
    ChoicePayload,
    EvidencePayload,
    Payload,
)
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, Option, StateName
from dispute_fsm.domain.events import EVENT, EVENT_CLASSES, AuditEvent, Check
from tests import oracle_words
from tests.oracle_words import CLOSING
from tests.support import (
    CLAIMABLE,
    choose,
    command,
    corpus_events,
    decided,
    happens,
    in_state,
    opened,
    opened_event,
    submission,
    voucher,
)

Record = dict[str, Any]

# From the format of history files, word by word.
MEMBERS = {
    "dispute_id", "seq", "revision", "event_id", "type", "at", "recorded_at", "actor", "command",
    "payload", "source", "target", "checks", "facts", "deadlines", "outcome", "rules", "policy",
    "key", "correlation_id", "refused", "prev_hash", "hash", "private", "schema_version",
}  # fmt: skip
OPENING_MEMBERS = {"order_id", "merchant_id", "consumer_id", "chart", "package"}
TYPES = set(oracle_words.words("EventType"))
EITHER = {"deadline_extended", "refused"}
"""An extension and a refusal may have an outcome, as it was before."""
PAYLOADS = {name: set(sent.says) for name, sent in oracle_words.COMMANDS.items()}

CORPUS = corpus_events()
ONE_OF_EACH = {event.type.value: event for event in CORPUS}
CHOSEN = happens(opened(), choose(Option.SHIP_BY_AGREED_DATE, note="好", key="k-1"))
CLAIMED = happens(opened(), choose(Option.ALREADY_SHIPPED), shown=CLAIMABLE)
SUBMITTED = happens(
    in_state(StateName.AWAITING_EVIDENCE),
    submission(vouchers=[voucher(kind="carrier_certificate")]),
)


def record_of(event: AuditEvent) -> Record:
    record: Record = json.loads(event.model_dump_json())
    return record


def test_the_histories_at_hand_show_every_type() -> None:
    assert set(ONE_OF_EACH) == {word.value for word in EventType} == TYPES


def test_the_type_says_what_an_event_is_read_as() -> None:
    for event in CORPUS:
        read = EVENT.validate_python(record_of(event))
        assert type(read) is type(event) is EVENT_CLASSES[event.type]
        named = "command_refused" if event.type is EventType.REFUSED else event.type.value
        assert type(read).__name__ == named.title().replace("_", "")


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_members_are_those_of_the_format(kind: str) -> None:
    expected = MEMBERS | (OPENING_MEMBERS if kind == "dispute_opened" else set())
    for event in CORPUS:
        if event.type.value == kind:
            record = record_of(event)
            assert set(record) == expected
            assert set(record["payload"]) == PAYLOADS[event.command] or (
                record["payload"] == {} and kind == "dispute_opened"
            )
            assert set(record["actor"]) == {"role", "id"}
            assert all(set(check) == {"guard", "passed", "saw"} for check in record["checks"])
            assert set(record["deadlines"]) <= {deadline.value for deadline in Deadline}
            assert (record["outcome"] is not None) == (kind in CLOSING) or kind in EITHER
            assert bool(record["refused"]) == (kind == "refused")
            assert (record["source"] is None) == (kind == "dispute_opened")
            assert record["source"] == record["target"] or kind != "refused"
            assert all(
                at.endswith("Z")
                for at in (record["at"], record["recorded_at"], *record["deadlines"].values())
            )


def test_every_event_is_equal_to_itself_once_written_and_read() -> None:
    for event in CORPUS:
        written = event.model_dump_json()
        for read in (
            EVENT.validate_json(written),
            EVENT.validate_python(json.loads(written)),
            EVENT.validate_python(event.model_dump()),
            EVENT.validate_python(event.model_dump(mode="json")),
            EVENT.validate_python(event),
        ):
            assert read == event
            assert read.model_dump_json() == written


def in_detail(value: object) -> object:
    """Return a value with the types of all its parts, in their order."""
    parts: object = value
    if isinstance(value, BaseModel):
        parts = in_detail_of(vars(value))
    elif isinstance(value, dict):
        parts = in_detail_of(value)
    elif isinstance(value, tuple):
        parts = [in_detail(part) for part in value]
    return type(value), parts


def in_detail_of(members: Mapping[Any, object]) -> list[object]:
    return [(in_detail(name), in_detail(member)) for name, member in members.items()]


def test_an_event_that_is_made_without_validation_is_what_validation_makes_of_it() -> None:
    for event in (*CORPUS, CHOSEN, CLAIMED, SUBMITTED):
        assert in_detail(EVENT.validate_python(record_of(event))) == in_detail(event)


@pytest.mark.parametrize(
    "event", [*ONE_OF_EACH.values(), CHOSEN, SUBMITTED], ids=lambda event: event.type.value
)
def test_nothing_in_an_event_can_be_changed(event: AuditEvent) -> None:
    for name in type(event).model_fields:
        with pytest.raises(ValidationError):
            setattr(event, name, getattr(event, name))
    mappings: list[Any] = [event.deadlines, event.private, *(check.saw for check in event.checks)]
    for mapping in mappings:
        with pytest.raises(TypeError):
            mapping["more"] = None
    for model in (
        event.actor,
        event.payload,
        *event.checks,
        *event.private.values(),
        *([event.facts] if event.facts else []),
    ):
        for name in type(model).model_fields:
            with pytest.raises(ValidationError):
                setattr(model, name, None)


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_no_member_may_be_missing_and_none_added(kind: str) -> None:
    record = record_of(ONE_OF_EACH[kind])
    for name in record:
        with pytest.raises(ValidationError):
            EVENT.validate_python({key: value for key, value in record.items() if key != name})
    with pytest.raises(ValidationError):
        EVENT.validate_python({**record, "more": None})
    if kind != "dispute_opened":
        with pytest.raises(ValidationError):
            EVENT.validate_python({**record, "order_id": "O-1"})


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_type_says_which_members_have_to_fit(kind: str) -> None:
    record = record_of(ONE_OF_EACH[kind])
    wrong: list[Record] = [{"type": "settled"}, {"type": kind.upper()}, {"type": None}]
    if kind == "refused":
        wrong += [{"refused": []}, {"refused": ["nonsense"]}, {"refused": None}]
    else:
        wrong += [{"refused": ["not_in_this_state"]}]
        wrong += [{"outcome": "fine"}]
        if kind in CLOSING:
            wrong += [{"outcome": None}]
        elif kind not in EITHER:
            wrong += [{"outcome": "no_fault"}]
    if kind == "dispute_opened":
        wrong += [{"source": "opened"}, {"command": "choose_option"}]
        wrong += [{name: value} for name in OPENING_MEMBERS for value in (None, "", 1)]
    for changes in wrong:
        with pytest.raises(ValidationError):
            EVENT.validate_python({**record, **changes})


WRONG: list[tuple[str, object]] = [
    *(
        (name, value)
        for name in ("seq", "revision")
        for value in ("2", 2.0, 0, -1, True, 2**53, None)
    ),
    *(
        (name, value)
        for name in ("at", "recorded_at")
        for value in ("2023-03-28T10:00:00", "2023-03-28", 1679968800, None, "x")
    ),
    *(
        (name, value)
        for name in ("dispute_id", "event_id", "rules")
        for value in ("", 1, None, "a\nb", "\ud800")
    ),
    *((name, value) for name in ("key", "correlation_id") for value in ("", 1, "a\nb")),
    *(
        (name, value)
        for name in ("hash", "prev_hash", "policy")
        for value in ("0" * 63, "0" * 65, "A" * 64, None, "g" * 64)
    ),
    *((name, value) for name in ("source", "target") for value in ("", "Opened", "a b", 1)),
    ("target", None),
    ("command", "open"),
    ("command", "withdraw"),
    ("command", None),
    ("actor", {"role": "judge", "id": "J"}),
    ("actor", {"role": "merchant"}),
    ("actor", {"role": "merchant", "id": 1}),
    ("actor", None),
    ("payload", None),
    ("payload", {}),
    ("payload", {"option": "bribe"}),
    ("payload", {"option": "out_of_stock_refund", "note": "in the clear"}),
    ("payload", {"option": "out_of_stock_refund", "note": {"commitment": "0" * 64}}),
    ("payload", {"option": "out_of_stock_refund", "note": {"commitment": "0" * 64, "length": -1}}),
    ("payload", {"option": "out_of_stock_refund", "statement": None}),
    ("payload", {"reason": None, "vouchers": [], "statement": None}),
    ("checks", None),
    ("checks", [{"guard": "by_merchant", "passed": 1, "saw": {}}]),
    ("checks", [{"guard": "by_merchant", "passed": True}]),
    ("checks", [{"guard": "by_merchant", "passed": True, "saw": {"size": 1.5}}]),
    ("checks", [{"guard": "by_merchant", "passed": True, "saw": {"nested": {}}}]),
    ("facts", {}),
    ("facts", {"order_id": "O-1"}),
    ("deadlines", None),
    ("deadlines", {"lunch": "2023-03-28T10:00:00Z"}),
    ("deadlines", {"promise": "2023-03-28T10:00:00"}),
    ("deadlines", {"promise": None}),
    ("private", None),
    ("private", {"/payload/note": "in the clear"}),
    ("private", {"/payload/note": {"salt": "00", "value": "x"}}),
    ("schema_version", 2),
    ("schema_version", "1"),
    ("schema_version", None),
]


@pytest.mark.parametrize(("member", "value"), WRONG)
def test_nothing_is_coerced_and_nothing_is_guessed(member: str, value: object) -> None:
    record = record_of(CHOSEN)
    assert EVENT.validate_python(record) == CHOSEN
    with pytest.raises(ValidationError):
        EVENT.validate_python({**record, member: value})


def test_numbers_in_what_was_seen_have_at_most_53_bits() -> None:
    record = record_of(CHOSEN)
    record["checks"] = [{"guard": "g", "passed": False, "saw": {"together": 2**53}}]
    with pytest.raises(ValidationError):
        EVENT.validate_python(record)


@pytest.mark.parametrize("value", [None, 1, "dispute_opened", [], {}])
def test_what_is_no_record_is_no_event(value: object) -> None:
    with pytest.raises(ValidationError):
        EVENT.validate_python(value)


def test_an_event_in_another_offset_is_the_same_event() -> None:
    record = record_of(opened_event())
    shifted = EVENT.validate_python({**record, "at": "2023-03-28T10:00:00+08:00"})
    assert shifted == opened_event()


def test_a_payload_is_that_of_the_command_and_of_no_other() -> None:
    for event in CORPUS:
        assert type(event.payload) is PAYLOAD_CLASSES[event.command]
        record = record_of(event)
        for name, model in PAYLOAD_CLASSES.items():
            if model is not PAYLOAD_CLASSES[event.command] and set(model.model_fields) - set(
                record["payload"]
            ):
                other = dict.fromkeys(model.model_fields)
                with pytest.raises(ValidationError):
                    EVENT.validate_python({**record, "payload": other})
                assert name is not event.command


def test_a_payload_that_is_a_model_already_is_of_the_command_too_and_adds_no_member() -> None:
    class Longer(ChoicePayload):
        more: str = "the host's own"

    for event in (CHOSEN, CLAIMED, SUBMITTED, ONE_OF_EACH["dispute_resolved"]):
        record = record_of(event)
        read = EVENT.validate_python({**record, "payload": event.payload})
        assert read.payload is event.payload
        models: set[type[Payload]] = {Payload, ChoicePayload, EvidencePayload}
        others = [model.model_construct() for model in models - {type(event.payload)}]
        others.append(Longer(option=Option.OUT_OF_STOCK_REFUND))
        for other in others:
            with pytest.raises(ValidationError):
                EVENT.validate_python({**record, "payload": other})


def test_the_common_base_reads_a_payload_too() -> None:
    read = TypeAdapter(AuditEvent).validate_python(
        {**record_of(CHOSEN), "type": EventType.OPTION_CHOSEN}
    )
    assert read.payload == CHOSEN.payload
    with pytest.raises(ValidationError):
        TypeAdapter(AuditEvent).validate_python(
            {**record_of(CHOSEN), "type": EventType.OPTION_CHOSEN, "command": "x"}
        )


def test_a_refusal_records_the_facts_that_it_saw() -> None:
    decision = decided(
        opened(),
        choose(Option.ALREADY_SHIPPED),
        shown=CLAIMABLE.model_copy(update={"pickup": None}),
    )
    assert isinstance(decision, Refused)
    assert decision.event is not None
    assert CLAIMED.facts is not None
    assert decision.event.facts is not None
    assert record_of(decision.event)["facts"]["pickup"] is None
    late = decided(
        opened(), command(CommandType.WITHDRAW), max(opened().deadlines.values()).replace(year=2024)
    )
    assert isinstance(late, Refused)
    assert late.event is not None
    assert record_of(late.event)["facts"] is None


def test_the_shape_has_a_version() -> None:
    assert {event.schema_version for event in CORPUS} == {events.SCHEMA_VERSION} == {1}


@pytest.mark.parametrize("name", ["看", "\uffff", "😀", "", "a\n"])
def test_what_a_guard_saw_has_names_that_every_reader_puts_into_one_order(name: str) -> None:
    Check.model_validate({"guard": "picked_up", "passed": True, "saw": {"pickup": None}})
    with pytest.raises(ValidationError):
        Check.model_validate({"guard": "picked_up", "passed": True, "saw": {name: None}})
