"""Commands: what each says, and what is refused at the border, from Python and from JSON alike."""

import json
import pickle
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from pydantic import BaseModel, ValidationError

from dispute_fsm.commands import command as make
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    EXPIRIES,
    PAYLOAD_CLASSES,
    PERSONAL,
    SYSTEM,
    AnyCommand,
    ChooseOption,
    Command,
    Commitment,
    ExpireConfirmation,
    ExpireEvidence,
    ExpirePromise,
    ExpireResponse,
    ExtendDeadline,
    ObserveOrder,
    OpenDispute,
    RecordedVoucher,
    SubmitEvidence,
    Voucher,
    adjudicator,
    consumer,
    content_as_json,
    merchant,
)
from dispute_fsm.domain.enums import CommandType, Deadline, Option, Role, VoucherKind
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.domain.scalars import MAX_INTEGER, MAX_TEXT
from dispute_fsm.errors import InputError
from tests.oracle_words import COMMANDS, REQUIRED, example
from tests.strategies import commands
from tests.support import opening

Json = dict[str, object]
Read = Callable[[Json], Command]

ACTOR: Json = {"role": "merchant", "id": "M-1"}
OPENING: Json = {"dispute_id": "D-1", "order_id": "O-1", "merchant_id": "M-1", "consumer_id": "C-1"}
VOUCHER: Json = {
    "kind": "chat_screenshot",
    "media_type": "image/png",
    "size": 1,
    "sha256": "0a" * 32,
}
UNTIL = "2023-03-30T18:00:00+08:00"

MEMBERS: Mapping[CommandType, Json] = {
    **{CommandType(name): said for name in COMMANDS if (said := example(name))},
    CommandType.OPEN_DISPUTE: {
        "rollout": {"version": "2023-03", "reason": "percentage", "bucket": 7, "percentage": "12.5"}
    },
    CommandType.CHOOSE_OPTION: {
        "option": "ship_by_agreed_date",
        "agreed_until": UNTIL,
        "vouchers": [VOUCHER],
        "note": "说好了 🚚",
    },
    CommandType.SUBMIT_EVIDENCE: {
        "reason": "carrier_fault",
        "vouchers": [VOUCHER, VOUCHER],
        "statement": "爆仓",
    },
    CommandType.REQUEST_EVIDENCE: {"note": "the stamp is missing"},
    CommandType.EXTEND_DEADLINE: {
        "until": UNTIL,
        "rationale": "the system was down",
        "deadline": "promise",
    },
}
"""What each command says beyond who; every other says nothing more."""


def command(event: str = "choose_option", said: Json | None = None, **members: object) -> Json:
    """Give the members of a command, and its type under a name that no command has."""
    kind = CommandType(event)
    ids = OPENING if kind is CommandType.OPEN_DISPUTE else {}
    return {
        "": kind,
        "by": ACTOR,
        **ids,
        **(MEMBERS.get(kind, {}) if said is None else said),
        **members,
    }


def from_python(said: Json) -> Command:
    return _class_of(said).model_validate({name: value for name, value in said.items() if name})


def from_json(said: Json) -> Command:
    return _class_of(said).model_validate_json(
        json.dumps({name: value for name, value in said.items() if name})
    )


def _class_of(said: Json) -> type[Command]:
    return COMMAND_CLASSES[CommandType(str(said[""]))]


both = pytest.mark.parametrize("read", [from_python, from_json])


def faults(read: Read, said: Json) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        read(said)
    return {".".join(map(str, fault["loc"])) for fault in caught.value.errors()}


# ---- what each command says ----------------------------------------------------------------------


def test_every_type_has_a_class_of_its_own_and_every_class_is_in_the_union() -> None:
    assert list(COMMAND_CLASSES) == list(PAYLOAD_CLASSES) == list(CommandType)
    assert len(set(COMMAND_CLASSES.values())) == len(CommandType)
    assert set(COMMAND_CLASSES.values()) == set(get_args(AnyCommand))
    assert all(model.type is kind for kind, model in COMMAND_CLASSES.items())


@both
@pytest.mark.parametrize("event", CommandType)
def test_each_command_takes_what_it_says(read: Read, event: CommandType) -> None:
    said = MEMBERS.get(event, {})
    taken = read(command(event.value, said))
    assert type(taken) is COMMAND_CLASSES[event]
    assert set(PAYLOAD_CLASSES[event].model_fields) == set(said)
    assert {**content_as_json(taken), **said} == {
        **content_as_json(read(command(event.value))),
        **said,
    }
    assert type(taken).model_validate_json(taken.model_dump_json()) == taken
    assert type(taken).model_validate(dict(taken)) == taken


@both
@pytest.mark.parametrize(
    ("event", "member"), [(event, member) for event, said in MEMBERS.items() for member in said]
)
def test_only_the_option_and_the_instant_of_an_extension_must_be_there(
    read: Read, event: CommandType, member: str
) -> None:
    said = {name: value for name, value in MEMBERS[event].items() if name != member}
    if member in REQUIRED.get(event, set()):
        assert member in faults(read, command(event.value, said))
    else:
        assert member not in read(command(event.value, said)).model_fields_set


@both
@pytest.mark.parametrize("event", CommandType)
def test_a_member_of_no_or_of_another_command_is_an_error(read: Read, event: CommandType) -> None:
    said = MEMBERS.get(event, {})
    others = {name for members in MEMBERS.values() for name in members} - set(said)
    for name in {*others, "colour", "Note", "type", "payload"}:
        assert faults(read, command(event.value, {**said, name: "x"})) == {name}


def test_what_was_recorded_is_no_command() -> None:
    note = Commitment(commitment="0" * 64, length=1)
    assert faults(from_python, command(said={"option": Option.ALREADY_SHIPPED, "note": note}))
    assert faults(
        from_python,
        command(said={"option": "already_shipped", "note": note.model_dump(mode="json")}),
    )


@given(commands())
def test_a_command_is_read_back_from_json_and_from_python_as_it_was(said: Command) -> None:
    written = said.model_dump_json()
    assert (
        type(said).model_validate_json(written)
        == type(said).model_validate(json.loads(written))
        == said
    )
    assert type(said).model_validate_json(written).model_dump_json() == written


@given(commands())
def test_commands_and_vouchers_are_pickled_by_name(said: Command) -> None:
    assert pickle.loads(pickle.dumps(said)) == said  # noqa: S301 -- made one line above


# ---- made by name --------------------------------------------------------------------------------


@given(commands())
def test_a_command_made_by_the_name_of_its_type_is_the_same(said: Command) -> None:
    fields = {
        name: getattr(said, name) for name in type(said).model_fields if name not in {"by", "key"}
    }
    assert (
        make(said.type, by=said.by, key=said.key, **fields)
        == make(said.type.value, by=said.by, key=said.key, **fields)
        == said
    )


@pytest.mark.parametrize(
    ("kind", "fields", "field", "words"),
    [
        (
            "choose_opton",
            {},
            None,
            "unknown command 'choose_opton'; did you mean choose_option?",
        ),
        ("", {}, None, "unknown command ''; expected one of: open_dispute, choose_option"),
        ("withdraw", {}, "by", "this field is missing"),
        ("choose_option", {"by": merchant("M-1")}, "option", "this field is missing"),
        (
            "choose_option",
            {"by": merchant("M-1"), "option": "already_shiped"},
            "option",
            "did you mean already_shipped?",
        ),
        (
            "choose_option",
            {"by": merchant("M-1"), "optoin": "x", "option": "already_shipped"},
            "optoin",
            "did you mean option?",
        ),
        (
            "choose_option",
            {"by": "merchant", "option": "already_shipped"},
            "by",
            "expected a mapping of fields",
        ),
        (
            "extend_deadline",
            {"by": adjudicator("A"), "until": "tomorrow"},
            "until",
            "is not an instant",
        ),
        (
            "submit_evidence",
            {"by": merchant("M-1"), "vouchers": [{**VOUCHER, "size": -1}]},
            "vouchers[0].size",
            "greater than",
        ),
        ("open_dispute", {**OPENING, "consumer_id": 7}, "consumer_id", "expected a string"),
        ("withdraw", {"by": consumer("C-1"), "key": ""}, "key", "one line of 1 to 200 characters"),
    ],
)
def test_what_cannot_be_made_names_the_field(
    kind: str, fields: dict[str, Any], field: str | None, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        make(kind, **fields)
    assert caught.value.field == field
    assert words in caught.value.message


# ---- what is filled in ---------------------------------------------------------------------------


def test_an_opening_is_the_consumers_under_the_default_rules_and_policy() -> None:
    opened = OpenDispute(dispute_id="D-1", order_id="O-1", merchant_id="M-1", consumer_id="C-1")
    assert (opened.by, opened.rules, opened.policy) == (consumer("C-1"), "2023-03", DEFAULT_POLICY)
    assert opened.policy is DEFAULT_POLICY


def test_a_rollout_chooses_the_rules_where_the_opening_names_none() -> None:
    rollout = {"version": "parallel", "reason": "percentage", "bucket": 7, "percentage": "12.5"}
    assert from_python(command("open_dispute", {"rollout": rollout})) == from_python(
        command("open_dispute", {"rollout": rollout, "rules": "parallel"})
    )
    assert faults(from_python, command("open_dispute", {"rollout": rollout, "rules": "2023-03"}))


def test_the_system_expires_deadlines_and_looks_at_orders() -> None:
    assert {
        ExpireResponse().by,
        ExpireConfirmation().by,
        ExpirePromise().by,
        ExpireEvidence().by,
        ObserveOrder().by,
    } == {SYSTEM}
    assert {deadline: command.type for deadline, command in EXPIRIES.items()} == {
        deadline: deadline.expiry for deadline in Deadline
    }


@given(commands())
def test_a_command_is_shown_in_a_line_without_a_persons_words(said: Command) -> None:
    marked = said.model_copy(
        update=dict.fromkeys(PERSONAL & set(type(said).model_fields), "⟦个人⟧")
    )
    for shown in (repr(marked), str(marked)):
        assert shown.startswith(f"{type(said).__name__}(by {said.by}")
        assert "⟦个人⟧" not in shown
        assert "\n" not in shown


def test_a_command_shown() -> None:
    asked = ChooseOption(
        by=merchant("M-1"),
        option=Option.ALREADY_SHIPPED,
        note="call me",
        vouchers=[Voucher(**VOUCHER)],  # type: ignore[arg-type]  # a list, and plain members
        key="k-1",
    )
    assert repr(asked) == (
        "ChooseOption(by merchant M-1, option=already_shipped, vouchers=1, note of 7 "
        "characters, key=k-1)"
    )
    assert repr(asked.vouchers[0]) == "Voucher(chat_screenshot, image/png, 1 bytes)"


# ---- the agreed instant --------------------------------------------------------------------------


@both
@pytest.mark.parametrize("option", Option)
def test_an_agreed_instant_goes_with_ship_by_agreed_date_only(read: Read, option: Option) -> None:
    said = command(said={"option": option.value, "agreed_until": UNTIL})
    if option is Option.SHIP_BY_AGREED_DATE:
        taken = read(said)
        assert isinstance(taken, ChooseOption)
        assert taken.agreed_until == datetime(2023, 3, 30, 10, tzinfo=UTC)
    else:
        assert faults(read, said) == {"agreed_until"}
    taken = read(command(said={"option": option.value}))
    assert isinstance(taken, ChooseOption)
    assert taken.agreed_until is None, "left out it is a reason for a refusal, not an error"


@both
@pytest.mark.parametrize(
    "value", ["2023-03-30T18:00:00", "2023-03-30", "tomorrow", "", 1_680_170_400, True, []]
)
@pytest.mark.parametrize("event", [CommandType.CHOOSE_OPTION, CommandType.EXTEND_DEADLINE])
def test_an_instant_has_an_offset(read: Read, event: CommandType, value: object) -> None:
    member = "until" if event is CommandType.EXTEND_DEADLINE else "agreed_until"
    assert faults(read, command(event.value, {**MEMBERS[event], member: value})) == {f"{member}"}


def test_a_naive_datetime_is_an_error() -> None:
    naive = datetime(2023, 3, 30, 18)  # noqa: DTZ001 -- that is what is tested
    assert faults(
        from_python, command(said={"option": "ship_by_agreed_date", "agreed_until": naive})
    ) == {"agreed_until"}
    assert faults(from_python, command("extend_deadline", {"until": naive})) == {"until"}
    taken = from_python(command("extend_deadline", {"until": naive.replace(tzinfo=UTC)}))
    assert taken == from_python(command("extend_deadline", {"until": "2023-03-30T18:00:00Z"}))


# ---- vouchers, texts and numbers -----------------------------------------------------------------


def choose(**members: object) -> Json:
    return command(said={"option": "out_of_stock_refund", **members})


def with_voucher(**members: object) -> Json:
    return choose(vouchers=[VOUCHER, {**VOUCHER, **members}])


@both
@pytest.mark.parametrize("member", ["kind", "media_type", "size", "sha256"])
def test_a_voucher_has_a_kind_a_media_type_a_size_and_a_hash(read: Read, member: str) -> None:
    lacking = {name: value for name, value in VOUCHER.items() if name != member}
    assert faults(read, choose(vouchers=[lacking])) == {f"vouchers.0.{member}"}


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
def test_what_is_no_voucher_is_an_error_at_its_place(
    read: Read, member: str, value: object
) -> None:
    if value == "\ud800" and read is from_json:
        assert faults(read, with_voucher(**{member: value})), "JSON itself has no lone surrogates"
    else:
        assert faults(read, with_voucher(**{member: value})) == {f"vouchers.1.{member}"}


@both
def test_the_technical_bounds_are_taken_and_lie_far_above_every_limit_of_the_rules(
    read: Read,
) -> None:
    taken = read(
        choose(
            vouchers=[
                {
                    **VOUCHER,
                    "size": MAX_INTEGER,
                    "media_type": "x" * 200,
                    "file_name": "🚚" * MAX_TEXT,
                    "uri": "",
                },
                *[VOUCHER] * 999,
            ],
            note="商" * MAX_TEXT,
        )
    )
    assert isinstance(taken, ChooseOption)
    assert len(taken.vouchers) == 1_000
    assert taken.vouchers[0].size == 9_007_199_254_740_991


@both
@pytest.mark.parametrize("event", [CommandType.CHOOSE_OPTION, CommandType.SUBMIT_EVIDENCE])
def test_more_vouchers_than_could_be_meant_are_an_error(read: Read, event: CommandType) -> None:
    assert faults(
        read, command(event.value, {**MEMBERS[event], "vouchers": [VOUCHER] * 1_001})
    ) == {"vouchers"}


@both
@pytest.mark.parametrize("value", [None, {}, "", VOUCHER, 1])
def test_vouchers_are_a_list(read: Read, value: object) -> None:
    assert faults(read, choose(vouchers=value)) == {"vouchers"}


def test_vouchers_without_an_order_are_no_list() -> None:
    one, other = (Voucher.model_validate({**VOUCHER, "sha256": digit * 64}) for digit in "01")
    assert faults(from_python, choose(vouchers={one, other})) == {"vouchers"}
    taken = from_python(choose(vouchers=[one, other]))
    assert isinstance(taken, ChooseOption)
    assert taken.vouchers == (one, other)


SAID = [
    (CommandType.CHOOSE_OPTION, "note"),
    (CommandType.SUBMIT_EVIDENCE, "statement"),
    (CommandType.REQUEST_EVIDENCE, "note"),
    (CommandType.RULE_NO_FAULT, "rationale"),
    (CommandType.RULE_AT_FAULT, "rationale"),
    (CommandType.ANNUL, "rationale"),
    (CommandType.EXTEND_DEADLINE, "rationale"),
]


@both
@pytest.mark.parametrize(("event", "member"), SAID)
def test_what_a_person_says_is_any_text_blank_too_but_no_lone_surrogate(
    read: Read, event: CommandType, member: str
) -> None:
    for text in ("", " \u3000", "🚚" * MAX_TEXT, "\x00", None):
        taken = read(command(event.value, {**MEMBERS[event], member: text}))
        assert getattr(taken, member) == text
    for wrong in ("x" * (MAX_TEXT + 1), 7, True, ["x"]):
        assert {
            where.split(".")[0]
            for where in faults(read, command(event.value, {**MEMBERS[event], member: wrong}))
        } == {member}
    assert faults(read, command(event.value, {**MEMBERS[event], member: "a\ud83d"}))


@both
@pytest.mark.parametrize(
    "reason", ["carrier_fault", "Carrier-Fault.2", "0012", "~!", "a" * 64, None]
)
def test_a_reason_is_an_ascii_word_known_or_not(read: Read, reason: str | None) -> None:
    taken = read(command("submit_evidence", {"reason": reason}))
    assert isinstance(taken, SubmitEvidence)
    assert taken.reason == reason


@both
@pytest.mark.parametrize(
    "reason",
    [
        "",
        " ",
        "carrier fault",
        "物流",
        "a" * 65,
        "carrier_fault\n",
        "13800000000 call me",
        12,
        True,
    ],
)
def test_no_free_text_comes_in_as_a_reason_for_it_would_be_recorded_in_the_clear(
    read: Read, reason: object
) -> None:
    assert faults(read, command("submit_evidence", {"reason": reason})) == {"reason"}


# ---- who, and which key --------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"by": None}, "by"),
        ({"by": "merchant"}, "by"),
        ({"by": {"role": "merchant"}}, "by.id"),
        ({"by": {"id": "M-1"}}, "by.role"),
        ({"by": {**ACTOR, "role": "buyer"}}, "by.role"),
        ({"by": {**ACTOR, "role": None}}, "by.role"),
        ({"by": {**ACTOR, "id": ""}}, "by.id"),
        ({"by": {**ACTOR, "id": 12}}, "by.id"),
        ({"by": {**ACTOR, "id": "M\n1"}}, "by.id"),
        ({"by": {**ACTOR, "name": "x"}}, "by.name"),
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
    assert OpenDispute.model_validate(said) == opening()
    for member in ("dispute_id", "order_id", "merchant_id", "consumer_id", "rules", "key"):
        with pytest.raises(ValidationError) as caught:
            OpenDispute.model_validate({**said, member: blank})
        assert [fault["loc"] for fault in caught.value.errors()] == [(member,)]
    with pytest.raises(ValidationError):
        OpenDispute.model_validate({**said, "by": {"role": "consumer", "id": blank}})


@both
def test_a_command_says_who(read: Read) -> None:
    assert faults(
        read, {name: value for name, value in command("withdraw", {}).items() if name != "by"}
    ) == {"by"}


def test_enumerations_come_as_words_or_as_members() -> None:
    taken = from_python(
        command(
            "extend_deadline",
            {"until": UNTIL, "deadline": Deadline.PROMISE},
            by={"role": Role.ADJUDICATOR, "id": "A"},
        )
    )
    assert isinstance(taken, ExtendDeadline)
    assert taken.deadline is Deadline.PROMISE


@pytest.mark.parametrize(
    "wrong", ["Promise", "promise ", Deadline, Role.MERCHANT, ["promise"], 2, b"promise"]
)
def test_no_word_is_guessed(wrong: object) -> None:
    assert faults(from_python, command("extend_deadline", {"until": UNTIL, "deadline": wrong})) == {
        "deadline"
    }


def test_a_command_is_frozen_through_and_through() -> None:
    taken = from_python(command())
    assert isinstance(taken, ChooseOption)
    parts: list[BaseModel] = [taken, taken.by, taken.vouchers[0]]
    for part in parts:
        for field in (*type(part).model_fields, "extra"):
            with pytest.raises(ValidationError):
                setattr(part, field, None)
    assert taken == from_python(command())


# ---- as recorded ---------------------------------------------------------------------------------

COMMITMENT: Json = {"commitment": "0" * 64, "length": 3}


def test_the_personal_members_are_the_free_texts_and_the_file_references() -> None:
    assert {"statement", "note", "rationale", "file_name", "uri"} == PERSONAL


@pytest.mark.parametrize("event", CommandType)
def test_a_recorded_payload_has_the_same_members_with_commitments_for_what_is_personal(
    event: CommandType,
) -> None:
    recorded = PAYLOAD_CLASSES[event]
    assert set(recorded.model_fields) <= set(COMMAND_CLASSES[event].model_fields)
    concealed = {
        member: COMMITMENT if member in PERSONAL else value
        for member, value in MEMBERS.get(event, {}).items()
    }
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


@pytest.mark.parametrize("event", CommandType)
def test_what_is_personal_is_a_text_in_the_command_and_a_commitment_in_its_record(
    event: CommandType,
) -> None:
    for of, personal, voucher in (
        (COMMAND_CLASSES[event], str, Voucher),
        (PAYLOAD_CLASSES[event], Commitment, RecordedVoucher),
    ):
        types = get_type_hints(of) | get_type_hints(voucher)
        assert all(types[member] == personal | None for member in PERSONAL & types.keys())
        assert get_args(types.get("vouchers")) in {(), (voucher, ...)}


def test_a_voucher_kind_is_read_by_its_id() -> None:
    for kind in VoucherKind:
        assert Voucher.model_validate({**VOUCHER, "kind": kind.value}).kind is kind
