"""Commands: which payload goes with which event, and what is refused at the border, from Python and from JSON alike."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from pydantic import BaseModel, ValidationError

from dispute_fsm.dispute.conclude import Opening
from dispute_fsm.rules.commands import (
    PAYLOADS,
    PERSONAL,
    RECORDED_PAYLOADS,
    Actor,
    ChooseOption,
    Command,
    Commitment,
    ExtendDeadline,
    OpenDispute,
    Payload,
    RequestEvidence,
    Ruling,
    SubmitEvidence,
    Voucher,
)
from dispute_fsm.rules.policy import DEFAULT_POLICY
from dispute_fsm.rules.strict import MAX_INTEGER, MAX_TEXT, Text
from dispute_fsm.rules.vocabulary import Deadline, EventName, Option, Role, VoucherKind
from tests.strategies import commands
from tests.support import opening

Json = dict[str, object]
Read = Callable[[Json], Command]

ACTOR: Json = {"role": "merchant", "id": "M-1"}
VOUCHER: Json = {"kind": "chat_screenshot", "media_type": "image/png", "size": 1, "sha256": "0a" * 32}
UNTIL = "2023-03-30T18:00:00+08:00"

MEMBERS: Mapping[EventName, Json] = {
    EventName.OPEN_DISPUTE: {"rollout": {"version": "2023-03", "reason": "percentage", "bucket": 7, "percentage": "12.5"}},
    EventName.CHOOSE_OPTION: {"option": "ship_by_agreed_date", "agreed_until": UNTIL, "vouchers": [VOUCHER], "note": "说好了 🚚"},
    EventName.SUBMIT_EVIDENCE: {"reason": "carrier_fault", "vouchers": [VOUCHER, VOUCHER], "statement": "爆仓"},
    EventName.REQUEST_EVIDENCE: {"note": "the stamp is missing"},
    EventName.RULE_NO_FAULT: {"rationale": "as stated"},
    EventName.RULE_AT_FAULT: {"rationale": "not as stated"},
    EventName.ANNUL: {"rationale": "a mistake"},
    EventName.EXTEND_DEADLINE: {"until": UNTIL, "rationale": "the system was down", "deadline": "promise"},
}
"""The members of each event's payload; every other event has none."""

REQUIRED = {EventName.CHOOSE_OPTION: {"option"}, EventName.EXTEND_DEADLINE: {"until"}}


def command(event: str = "choose_option", payload: object = None, **members: object) -> Json:
    said = MEMBERS.get(EventName(event), {}) if payload is None else payload
    return {"event": event, "actor": ACTOR, "payload": said, **members}


def from_python(said: Json) -> Command:
    return Command.model_validate(said)


def from_json(said: Json) -> Command:
    return Command.model_validate_json(json.dumps(said))


both = pytest.mark.parametrize("read", [from_python, from_json])


def faults(read: Read, said: Json) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        read(said)
    return {".".join(map(str, fault["loc"])) for fault in caught.value.errors()}


# ---- the payload of each event -----------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("event", EventName)
def test_each_event_takes_the_members_of_its_payload(read: Read, event: EventName) -> None:
    said = MEMBERS.get(event, {})
    taken = read(command(event.value, said))
    assert taken.event is event
    assert type(taken.payload) is PAYLOADS[event]
    assert set(type(taken.payload).model_fields) == set(said)
    assert read(taken.model_dump(mode="json")) == taken
    assert from_python(dict(taken)) == taken


@both
@pytest.mark.parametrize(("event", "member"), [(event, member) for event, said in MEMBERS.items() for member in said])
def test_only_the_option_and_the_instant_of_an_extension_must_be_there(read: Read, event: EventName, member: str) -> None:
    said = {name: value for name, value in MEMBERS[event].items() if name != member}
    if member in REQUIRED.get(event, set()):
        assert f"payload.{member}" in faults(read, command(event.value, said))
    else:
        assert member not in read(command(event.value, said)).payload.model_fields_set


@both
@pytest.mark.parametrize("event", EventName)
def test_a_member_of_no_or_of_another_payload_is_an_error(read: Read, event: EventName) -> None:
    said = MEMBERS.get(event, {})
    others = {name for members in MEMBERS.values() for name in members} - set(said)
    for name in {*others, "colour", "Note", ""}:
        assert faults(read, command(event.value, {**said, name: "x"})) == {f"payload.{name}"}


def test_the_payloads_by_event() -> None:
    assert {event: model for event, model in PAYLOADS.items() if model is not Payload} == {
        EventName.OPEN_DISPUTE: OpenDispute,
        EventName.CHOOSE_OPTION: ChooseOption[Text],
        EventName.SUBMIT_EVIDENCE: SubmitEvidence[Text],
        EventName.REQUEST_EVIDENCE: RequestEvidence[Text],
        EventName.RULE_NO_FAULT: Ruling[Text],
        EventName.RULE_AT_FAULT: Ruling[Text],
        EventName.ANNUL: Ruling[Text],
        EventName.EXTEND_DEADLINE: ExtendDeadline[Text],
    }
    assert list(PAYLOADS) == list(RECORDED_PAYLOADS) == list(EventName)


@both
@pytest.mark.parametrize("event", EventName)
def test_a_payload_that_is_no_mapping_is_an_error(read: Read, event: EventName) -> None:
    values: tuple[object, ...] = (None, [], "{}", 1, False)
    for value in values:
        assert faults(read, {**command(event.value), "payload": value}) == {"payload"}


@pytest.mark.parametrize("event", [event for event in EventName if event not in MEMBERS])
def test_an_event_without_members_needs_no_payload(event: EventName) -> None:
    assert Command(event=event, actor=Actor(role=Role.SYSTEM, id="s")).payload == Payload()
    assert Command(event=event, actor=Actor(role=Role.SYSTEM, id="s")) == from_python(
        command(event.value, {}, actor={"role": "system", "id": "s"})
    )


@both
@pytest.mark.parametrize("event", MEMBERS)
def test_a_payload_that_is_left_out_says_nothing(read: Read, event: EventName) -> None:
    said: Json = {"event": event.value, "actor": ACTOR}
    if event in REQUIRED:
        assert faults(read, said) == {f"payload.{member}" for member in REQUIRED[event]}
    else:
        assert read(said) == read(command(event.value, {}))


def test_the_payload_of_another_event_does_not_do() -> None:
    actor = Actor(role=Role.ADJUDICATOR, id="A-1")
    for event, payload in product(EventName, (Payload(), Ruling[Text](rationale="x"), RequestEvidence[Text](note="x"))):
        if type(payload) is PAYLOADS[event]:
            assert Command(event=event, actor=actor, payload=payload).payload is payload
        else:
            with pytest.raises(ValidationError):
                Command(event=event, actor=actor, payload=payload)


def test_a_payload_of_plain_texts_is_checked_again() -> None:
    taken = from_python(command(payload=ChooseOption[str](option=Option.ALREADY_SHIPPED, note="x")))
    assert type(taken.payload) is ChooseOption[Text]
    assert faults(from_python, command(payload=ChooseOption[str](option=Option.ALREADY_SHIPPED, note="x" * (MAX_TEXT + 1))))


def test_a_recorded_payload_is_no_command() -> None:
    note = Commitment(commitment="0" * 64, length=1)
    recorded = ChooseOption[Commitment](option=Option.ALREADY_SHIPPED, note=note)
    assert faults(from_python, command(payload=recorded))
    assert faults(from_python, command(payload=recorded.model_dump(mode="json")))


@given(commands())
def test_a_command_is_read_back_from_json_and_from_python_as_it_was(said: Command) -> None:
    written = said.model_dump(mode="json")
    assert from_json(written) == from_python(written) == said
    assert from_json(written).model_dump(mode="json") == written


# ---- the agreed instant ------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("option", Option)
def test_an_agreed_instant_goes_with_ship_by_agreed_date_only(read: Read, option: Option) -> None:
    said = command(payload={"option": option.value, "agreed_until": UNTIL})
    if option is Option.SHIP_BY_AGREED_DATE:
        payload = read(said).payload
        assert isinstance(payload, ChooseOption)
        assert payload.agreed_until == datetime(2023, 3, 30, 10, tzinfo=UTC)
    else:
        assert all(where.startswith("payload") for where in faults(read, said))
    payload = read(command(payload={"option": option.value})).payload
    assert isinstance(payload, ChooseOption)
    assert payload.agreed_until is None, "left out it is a reason for a refusal, not an error"


@both
@pytest.mark.parametrize("value", ["2023-03-30T18:00:00", "2023-03-30", "tomorrow", "", 1_680_170_400, True, []])
@pytest.mark.parametrize("event", [EventName.CHOOSE_OPTION, EventName.EXTEND_DEADLINE])
def test_an_instant_has_an_offset(read: Read, event: EventName, value: object) -> None:
    member = "until" if event is EventName.EXTEND_DEADLINE else "agreed_until"
    assert faults(read, command(event.value, {**MEMBERS[event], member: value})) == {f"payload.{member}"}


def test_a_naive_datetime_is_an_error() -> None:
    naive = datetime(2023, 3, 30, 18)  # noqa: DTZ001 -- that is what is tested
    assert faults(from_python, command(payload={"option": "ship_by_agreed_date", "agreed_until": naive})) == {"payload.agreed_until"}
    assert faults(from_python, command("extend_deadline", {"until": naive})) == {"payload.until"}
    taken = from_python(command("extend_deadline", {"until": naive.replace(tzinfo=UTC)}))
    assert taken == from_python(command("extend_deadline", {"until": "2023-03-30T18:00:00Z"}))


# ---- vouchers, texts and numbers ---------------------------------------------------------------------------------------


def choose(**members: object) -> Json:
    return command(payload={"option": "out_of_stock_refund", **members})


def with_voucher(**members: object) -> Json:
    return choose(vouchers=[VOUCHER, {**VOUCHER, **members}])


@both
@pytest.mark.parametrize("member", ["kind", "media_type", "size", "sha256"])
def test_a_voucher_has_a_kind_a_media_type_a_size_and_a_hash(read: Read, member: str) -> None:
    lacking = {name: value for name, value in VOUCHER.items() if name != member}
    assert faults(read, choose(vouchers=[lacking])) == {f"payload.vouchers.0.{member}"}


@both
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("kind", "selfie"),
        ("kind", "Photo"),
        ("kind", None),
        ("kind", 1),
        ("media_type", ""),
        ("media_type", None),
        ("media_type", "image/png\n"),
        ("media_type", "x" * 201),
        ("size", -1),
        ("size", MAX_INTEGER + 1),
        ("size", 1.0),
        ("size", "1"),
        ("size", True),
        ("size", None),
        ("sha256", "0A" * 32),
        ("sha256", "0a" * 31),
        ("sha256", "0a" * 33),
        ("sha256", "0g" * 32),
        ("sha256", "0a" * 32 + "\n"),
        ("sha256", 0),
        ("file_name", 7),
        ("file_name", "\ud800"),
        ("file_name", "x" * (MAX_TEXT + 1)),
        ("uri", 7),
        ("uri", "x" * (MAX_TEXT + 1)),
        ("content", "x"),
    ],
)
def test_what_is_no_voucher_is_an_error_at_its_place(read: Read, member: str, value: object) -> None:
    if value == "\ud800" and read is from_json:
        assert faults(read, with_voucher(**{member: value})), "JSON itself has no lone surrogates"
    else:
        assert faults(read, with_voucher(**{member: value})) == {f"payload.vouchers.1.{member}"}


@both
def test_the_technical_bounds_are_taken_and_lie_far_above_every_limit_of_the_rules(read: Read) -> None:
    payload = read(
        choose(
            vouchers=[{**VOUCHER, "size": MAX_INTEGER, "media_type": "x" * 200, "file_name": "🚚" * MAX_TEXT, "uri": ""}, *[VOUCHER] * 999],
            note="商" * MAX_TEXT,
        )
    ).payload
    assert isinstance(payload, ChooseOption)
    assert len(payload.vouchers) == 1_000
    assert payload.vouchers[0].size == 9_007_199_254_740_991


@both
@pytest.mark.parametrize("event", [EventName.CHOOSE_OPTION, EventName.SUBMIT_EVIDENCE])
def test_more_vouchers_than_could_be_meant_are_an_error(read: Read, event: EventName) -> None:
    assert faults(read, command(event.value, {**MEMBERS[event], "vouchers": [VOUCHER] * 1_001})) == {"payload.vouchers"}


@both
@pytest.mark.parametrize("value", [None, {}, "", VOUCHER, 1])
def test_vouchers_are_a_list(read: Read, value: object) -> None:
    assert faults(read, choose(vouchers=value)) == {"payload.vouchers"}


def test_vouchers_without_an_order_are_no_list() -> None:
    one, other = (Voucher[Text].model_validate({**VOUCHER, "sha256": digit * 64}) for digit in "01")
    assert faults(from_python, choose(vouchers={one, other})) == {"payload.vouchers"}
    payload = from_python(choose(vouchers=[one, other])).payload
    assert isinstance(payload, ChooseOption)
    assert payload.vouchers == (one, other)


SAID = [
    (EventName.CHOOSE_OPTION, "note"),
    (EventName.SUBMIT_EVIDENCE, "statement"),
    (EventName.REQUEST_EVIDENCE, "note"),
    (EventName.RULE_NO_FAULT, "rationale"),
    (EventName.RULE_AT_FAULT, "rationale"),
    (EventName.ANNUL, "rationale"),
    (EventName.EXTEND_DEADLINE, "rationale"),
]


@both
@pytest.mark.parametrize(("event", "member"), SAID)
def test_what_a_person_says_is_any_text_blank_too_but_no_lone_surrogate(read: Read, event: EventName, member: str) -> None:
    for text in ("", " \u3000", "🚚" * MAX_TEXT, "\x00", None):
        taken = read(command(event.value, {**MEMBERS[event], member: text}))
        assert getattr(taken.payload, member) == text
    for wrong in ("x" * (MAX_TEXT + 1), 7, True, ["x"]):
        assert {where.split(".")[1] for where in faults(read, command(event.value, {**MEMBERS[event], member: wrong}))} == {member}
    assert faults(read, command(event.value, {**MEMBERS[event], member: "a\ud83d"}))


@both
@pytest.mark.parametrize("reason", ["carrier_fault", "Carrier-Fault.2", "0012", "~!", "a" * 64, None])
def test_a_reason_is_an_ascii_word_known_or_not(read: Read, reason: str | None) -> None:
    payload = read(command("submit_evidence", {"reason": reason})).payload
    assert isinstance(payload, SubmitEvidence)
    assert payload.reason == reason


@both
@pytest.mark.parametrize("reason", ["", " ", "carrier fault", "物流", "a" * 65, "carrier_fault\n", "13800000000 call me", 12, True])
def test_no_free_text_comes_in_as_a_reason_for_it_would_be_recorded_in_the_clear(read: Read, reason: object) -> None:
    assert faults(read, command("submit_evidence", {"reason": reason})) == {"payload.reason"}


# ---- who, which event, which key ---------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"event": "choose"}, "event"),
        ({"event": "Choose_Option"}, "event"),
        ({"event": None}, "event"),
        ({"event": 1}, "event"),
        ({"actor": None}, "actor"),
        ({"actor": "merchant"}, "actor"),
        ({"actor": {"role": "merchant"}}, "actor.id"),
        ({"actor": {"id": "M-1"}}, "actor.role"),
        ({"actor": {**ACTOR, "role": "buyer"}}, "actor.role"),
        ({"actor": {**ACTOR, "role": None}}, "actor.role"),
        ({"actor": {**ACTOR, "id": ""}}, "actor.id"),
        ({"actor": {**ACTOR, "id": 12}}, "actor.id"),
        ({"actor": {**ACTOR, "id": "M\n1"}}, "actor.id"),
        ({"actor": {**ACTOR, "name": "x"}}, "actor.name"),
        ({"key": ""}, "key"),
        ({"key": 12}, "key"),
        ({"key": True}, "key"),
        ({"key": "k" * 201}, "key"),
        ({"at": UNTIL}, "at"),
        ({"dispute_id": "D-1"}, "dispute_id"),
    ],
)
def test_what_is_no_command_is_an_error_at_its_place(read: Read, changed: Json, where: str) -> None:
    assert where in faults(read, {**command("withdraw", {}), **changed})


BLANK = (" ", "  ", "\u00a0", "\u2003", "\u3000", " \u2028 ", "\u200b", "\ufeff", "\u3000\u2060")
"""Texts in which nothing can be seen, as an id or a key."""


@both
@pytest.mark.parametrize("blank", BLANK)
def test_a_blank_id_or_key_is_none(read: Read, blank: str) -> None:
    assert faults(read, command("withdraw", {}, actor={**ACTOR, "id": blank})) == {"actor"}
    assert faults(read, command("withdraw", {}, key=blank)) == {"key"}
    assert read(command("withdraw", {}, key=f"{blank}k")).key == f"{blank}k"


@pytest.mark.parametrize("blank", BLANK)
def test_an_opening_takes_no_blank_id_or_key(blank: str) -> None:
    said = opening().model_dump() | {"policy": DEFAULT_POLICY}
    assert Opening.model_validate(said) == opening()
    for member in ("dispute_id", "order_id", "merchant_id", "consumer_id", "rules", "key"):
        with pytest.raises(ValidationError) as caught:
            Opening.model_validate({**said, member: blank})
        assert [fault["loc"] for fault in caught.value.errors()] == [(member,)]
    with pytest.raises(ValidationError):
        Opening.model_validate({**said, "actor": {"role": "consumer", "id": blank}})


@both
@pytest.mark.parametrize("member", ["event", "actor"])
def test_a_command_says_what_and_who(read: Read, member: str) -> None:
    assert member in faults(read, {name: value for name, value in command("withdraw", {}).items() if name != member})


def test_enumerations_come_as_words_or_as_members() -> None:
    said = command(
        event=EventName.EXTEND_DEADLINE, payload={"until": UNTIL, "deadline": Deadline.PROMISE}, actor={"role": Role.ADJUDICATOR, "id": "A"}
    )
    payload = from_python(said).payload
    assert isinstance(payload, ExtendDeadline)
    assert payload.deadline is Deadline.PROMISE


@pytest.mark.parametrize("wrong", ["Promise", "promise ", Deadline, Role.MERCHANT, ["promise"], 2, b"promise"])
def test_no_word_is_guessed(wrong: object) -> None:
    assert faults(from_python, command("extend_deadline", {"until": UNTIL, "deadline": wrong})) == {"payload.deadline"}


def test_a_command_is_frozen_through_and_through() -> None:
    taken = from_python(command())
    assert isinstance(taken.payload, ChooseOption)
    parts: list[BaseModel] = [taken, taken.actor, taken.payload, taken.payload.vouchers[0]]
    for part in parts:
        for field in (*type(part).model_fields, "extra"):
            with pytest.raises(ValidationError):
                setattr(part, field, None)
    assert taken == from_python(command())


# ---- as recorded -------------------------------------------------------------------------------------------------------

COMMITMENT: Json = {"commitment": "0" * 64, "length": 3}


def test_the_personal_members_are_the_free_texts_and_the_file_references() -> None:
    assert {"statement", "note", "rationale", "file_name", "uri"} == PERSONAL


@pytest.mark.parametrize("event", EventName)
def test_a_recorded_payload_has_the_same_members_with_commitments_for_what_is_personal(event: EventName) -> None:
    said, recorded = PAYLOADS[event], RECORDED_PAYLOADS[event]
    assert list(recorded.model_fields) == list(said.model_fields)
    concealed = {member: COMMITMENT if member in PERSONAL else value for member, value in MEMBERS.get(event, {}).items()}
    if "vouchers" in concealed:
        concealed["vouchers"] = [{**VOUCHER, "file_name": COMMITMENT, "uri": COMMITMENT}]
    assert recorded.model_validate(concealed) == recorded.model_validate_json(json.dumps(concealed))
    for member in PERSONAL & set(concealed):
        for plain in (
            "x",
            {**COMMITMENT, "salt": "00"},
            {"commitment": "0" * 64},
            {**COMMITMENT, "length": -1},
            {**COMMITMENT, "commitment": "0A" * 32},
        ):
            with pytest.raises(ValidationError):
                recorded.model_validate({**concealed, member: plain})


def test_a_voucher_kind_is_read_by_its_id() -> None:
    for kind in VoucherKind:
        assert Voucher[Text].model_validate({**VOUCHER, "kind": kind.value}).kind is kind
