"""The hash chain and the commitments of every event, checked with another RFC 8785 library."""

import hashlib
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispute_fsm.decider.decisions import Accepted, Refused
from dispute_fsm.decider.evolve import evolve
from dispute_fsm.decider.hash_chain import (
    Stamp,
    commitment,
    conceal,
    event_hash,
    reveal,
    seal,
    verify,
)
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    PERSONAL,
    Command,
    Commitment,
    content,
    content_as_json,
)
from dispute_fsm.domain.enums import CommandType, Option, StateName
from dispute_fsm.domain.events import EVENT, GENESIS, AuditEvent
from dispute_fsm.domain.scalars import MAX_TEXT
from dispute_fsm.errors import IntegrityError
from tests.sampling import examples
from tests.strategies import commands, texts
from tests.support import (
    COMMANDS,
    CORPUS,
    DAY,
    OPENED_AT,
    OWN,
    WHOSE,
    all_situations,
    choose,
    command,
    corpus_events,
    decided,
    happens,
    in_state,
    moments,
    opened,
    opened_event,
    ran,
    ruling,
    stamp,
    submission,
    voucher,
)

Record = dict[str, Any]
SITUATIONS = all_situations()
SUBMITTED = happens(
    in_state(StateName.AWAITING_EVIDENCE),
    submission(vouchers=[voucher(1, kind="carrier_certificate"), voucher(2)]),
)
ONE_OF_EACH = tuple({event.type: event for event in (*corpus_events(), SUBMITTED)}.values())
MARK = "⟦个人⟧"


def record_of(event: AuditEvent) -> Record:
    """Give the event as it stands in a file, a copy of one's own."""
    record: Record = json.loads(event.model_dump_json())
    return record


def hashed(record: Record) -> str:
    """Hash a record as the format says, without the package."""
    return hashlib.sha256(
        rfc8785.dumps({name: record[name] for name in record if name not in {"hash", "private"}})
    ).hexdigest()


def committed(value: Any, pointer: str = "") -> Iterator[tuple[str, Record]]:  # noqa: ANN401 -- JSON of any shape
    """Find every commitment of a record with its JSON Pointer, without the package."""
    if isinstance(value, dict):
        if value.keys() == {"commitment", "length"}:
            yield pointer, value
        for name, member in value.items():
            yield from committed(member, f"{pointer}/{name}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from committed(member, f"{pointer}/{index}")


# ---- every recorded event ------------------------------------------------------------------------


def test_the_histories_at_hand_are_of_every_sort() -> None:
    assert len(CORPUS) > 300
    assert sum(bool(event.private) for event in corpus_events()) > 100


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_every_hash_and_every_commitment_is_as_the_format_says(path: Path) -> None:
    before = GENESIS
    for event in ran(path).events:
        record = record_of(event)
        assert record == event.model_dump(mode="json")
        assert record["hash"] == hashed(record) == event_hash(record)
        assert record["prev_hash"] == before
        commitments = dict(committed(record))
        assert commitments.keys() == record["private"].keys()
        for pointer, kept in record["private"].items():
            salt, value = bytes.fromhex(kept["salt"]), kept["value"]
            assert (
                commitments[pointer]["commitment"]
                == hashlib.sha256(salt + value.encode()).hexdigest()
            )
            assert commitments[pointer]["length"] == (len(value) if value.strip() else 0)
            assert pointer.rsplit("/", 1)[1] in {
                "statement",
                "note",
                "rationale",
                "file_name",
                "uri",
            }
            assert len(salt) >= 16
        verify(record, before)
        before = record["hash"]


def test_no_salt_is_used_twice() -> None:
    for path in CORPUS:
        salts = [kept.salt for event in ran(path).events for kept in event.private.values()]
        assert len(salts) == len(set(salts))


def test_an_event_without_private_values_or_with_fewer_keeps_its_hash() -> None:
    for event in corpus_events():
        for pointer in (*event.private, None):
            record = record_of(event)
            record["private"] = (
                {}
                if pointer is None
                else {name: kept for name, kept in record["private"].items() if name != pointer}
            )
            verify(record, event.prev_hash)
            assert hashed(record) == event.hash
            again, covered = seal(type(event), vars(EVENT.validate_python(record)))
            assert again.hash == event.hash == hashlib.sha256(covered).hexdigest()


# ---- tampering is detected -----------------------------------------------------------------------


def _other(value: object) -> object:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value[:-1] + ("0" if value[-1:] != "0" else "1")
        case dict():
            return {**value, "more": 1}
        case list():
            return [*value, "more"]
        case _:
            return "more"


def _members(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 -- JSON of any shape
    items: Any = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, member in items:
        yield (*path, key)
        yield from _members(member, (*path, key))


def _changed(
    record: Record, path: tuple[str | int, ...], change: Callable[[Any, str | int], None]
) -> Record:
    changed = deepcopy(record)
    holder: Any = changed
    for step in path[:-1]:
        holder = holder[step]
    change(holder, path[-1])
    return changed


def _alter(holder: Any, key: str | int) -> None:  # noqa: ANN401 -- JSON of any shape
    holder[key] = _other(holder[key])


def _drop(holder: Any, key: str | int) -> None:  # noqa: ANN401 -- JSON of any shape
    del holder[key]


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.type.value)
def test_any_changed_or_removed_member_is_detected_however_deep(event: AuditEvent) -> None:
    record = record_of(event)
    hashed_members = [path for path in _members(record) if path[0] not in {"private", "hash"}]
    assert len(hashed_members) > 25
    for path in hashed_members:
        with pytest.raises(IntegrityError):
            verify(_changed(record, path, _alter), event.prev_hash)
        if path != ("prev_hash",):
            with pytest.raises(IntegrityError):
                verify(_changed(record, path, _drop), event.prev_hash)


def test_any_changed_member_is_detected_in_events_of_every_history() -> None:
    for event in corpus_events()[::5]:
        record = record_of(event)
        for name in record.keys() - {"private"}:
            with pytest.raises(IntegrityError):
                verify({**record, name: _other(record[name])}, event.prev_hash)
        with pytest.raises(IntegrityError):
            verify({**record, "more": None}, event.prev_hash)


def test_removal_insertion_and_reordering_are_detected() -> None:
    for path in CORPUS:
        records = [record_of(event) for event in ran(path).events]
        if len(records) < 3:
            continue
        first, *_, last = records
        foreign = record_of(opened_event(dispute_id="D-other"))
        for tampered in (
            records[1:],
            [*records[:1], *records[2:]],
            [first, last, *records[1:-1]],
            [first, foreign, *records[1:]],
        ):
            if tampered == records:
                continue
            with pytest.raises(IntegrityError):
                _verify_all(tampered)
        _verify_all(records)


def _verify_all(records: list[Record]) -> None:
    verify(records[0], GENESIS)
    for before, record in pairwise(records):
        verify(record, before["hash"])


def _private(**changes: object) -> Record:
    record = record_of(SUBMITTED)
    record["private"] = {**record["private"], **changes}
    return record


STATEMENT = SUBMITTED.private["/payload/statement"]


@pytest.mark.parametrize(
    "kept",
    [
        {"salt": STATEMENT.salt, "value": STATEMENT.value + "!"},
        {"salt": STATEMENT.salt, "value": STATEMENT.value.upper()},
        {"salt": "00" * 16, "value": STATEMENT.value},
        {"salt": STATEMENT.salt + "00", "value": STATEMENT.value},
    ],
)
def test_a_private_value_that_does_not_match_is_detected(kept: Record) -> None:
    with pytest.raises(IntegrityError):
        verify(_private(**{"/payload/statement": kept}), SUBMITTED.prev_hash)


def test_a_private_value_moved_to_another_pointer_is_detected() -> None:
    record = record_of(SUBMITTED)
    one, other = "/payload/vouchers/0/uri", "/payload/vouchers/1/uri"
    record["private"][one], record["private"][other] = (
        record["private"][other],
        record["private"][one],
    )
    with pytest.raises(IntegrityError):
        verify(record, SUBMITTED.prev_hash)


@pytest.mark.parametrize(
    "pointer",
    [
        "",
        "/",
        "payload/statement",
        "/payload",
        "/payload/note",
        "/payload/reason",
        "/payload/statement/",
        "/payload/statement/commitment",
        "/payload/statement/length/more",
        "/payload/vouchers/9/uri",
        "/payload/vouchers/-1/uri",
        "/payload/vouchers/x/uri",
        "/payload/vouchers/0/kind",
        "/payload/vouchers/0",
        "/refused/0",
        "/facts/paid_at",
        "/at",
    ],
)
def test_a_private_value_without_a_commitment_is_detected(pointer: str) -> None:
    kept = {"salt": STATEMENT.salt, "value": STATEMENT.value}
    with pytest.raises(IntegrityError):
        verify(_private(**{pointer: kept}), SUBMITTED.prev_hash)


@pytest.mark.parametrize(
    "index",
    ["00", "\uff10", "9" * 5_000],
    ids=["leading zero", "full width", "thousands of digits"],
)
def test_only_a_json_pointer_as_it_is_written_leads_to_a_commitment(index: str) -> None:
    """An index is ASCII digits without leading zeros; another spelling would escape erasure."""
    kept = SUBMITTED.private["/payload/vouchers/0/uri"].model_dump()
    with pytest.raises(IntegrityError):
        verify(_private(**{f"/payload/vouchers/{index}/uri": kept}), SUBMITTED.prev_hash)


@pytest.mark.parametrize(
    "kept",
    [
        None,
        "value",
        {},
        {"salt": STATEMENT.salt},
        {"salt": "0g" * 16, "value": "x"},
        {"salt": "00", "value": "x"},
        {"salt": STATEMENT.salt.upper() + "AA", "value": "x"},
        {"salt": STATEMENT.salt, "value": 1},
        {"salt": STATEMENT.salt, "value": "x", "more": 1},
    ],
)
def test_a_private_value_of_the_wrong_shape_is_detected(kept: object) -> None:
    with pytest.raises((IntegrityError, ValidationError)):
        verify(_private(**{"/payload/statement": kept}), SUBMITTED.prev_hash)


# ---- concealing and revealing --------------------------------------------------------------------


@given(data=st.data())
def test_what_is_concealed_is_revealed_and_once_erased_has_the_same_length(
    data: st.DataObject,
) -> None:
    asked = data.draw(commands())
    recorded, private = conceal(asked, stamp().salt)
    plain, covered = content_as_json(asked), recorded.model_dump(mode="json")
    assert dict(committed(covered, "/payload")).keys() == private.keys()
    event = opened_event().model_copy(
        update={"command": asked.type, "payload": recorded, "private": private}
    )
    assert reveal(event) == content(asked)
    blanked = in_json(asked, reveal(event.model_copy(update={"private": {}})))
    for pointer, kept in private.items():
        there, value = _follow(blanked, pointer), _follow(plain, pointer)
        assert value == kept.value
        assert len(there) == (len(value) if value.strip() else 0)
        assert not (set(there) & set(value)) or "█" in value


def in_json(asked: Command, said: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of another valid command of the same type, as JSON."""
    return content_as_json(type(asked).model_validate({**dict(asked), **said}))


def _follow(payload: Any, pointer: str) -> Any:  # noqa: ANN401 -- JSON of any shape
    for part in pointer.split("/")[2:]:
        payload = payload[int(part)] if isinstance(payload, list) else payload[part]
    return payload


@given(value=texts(), salt=st.binary(min_size=16, max_size=16))
def test_a_commitment_is_the_salted_digest_and_the_length_in_code_points(
    value: str, salt: bytes
) -> None:
    made = commitment(value, salt)
    assert made.commitment == hashlib.sha256(salt + value.encode("utf-8")).hexdigest()
    assert made.length == (len(value) if value.strip() else 0)


@pytest.mark.parametrize(
    ("text", "length"),
    [("", 0), (" \t\n\u3000", 0), ("好", 1), ("👍🏽", 2), ("a b", 3), (" a ", 3)],
)
def test_lengths_count_code_points_and_a_blank_text_has_none(text: str, length: int) -> None:
    event = happens(opened(), choose(Option.OUT_OF_STOCK_REFUND, note=text))
    note = event.model_dump(mode="json")["payload"]["note"]
    assert note["length"] == length
    erased = reveal(event.model_copy(update={"private": {}}))
    assert len(erased["note"]) == length
    assert reveal(event)["note"] == text


def test_a_value_that_was_left_out_stays_left_out() -> None:
    event = happens(opened(), choose(Option.OUT_OF_STOCK_REFUND))
    assert event.model_dump(mode="json")["payload"]["note"] is None
    assert reveal(event)["note"] is None
    assert not event.private


def test_a_commitment_cannot_claim_a_length_that_no_text_can_have() -> None:
    """An erased value is read as a text of that length, so a history must not claim a terabyte."""
    assert Commitment(commitment="0" * 64, length=MAX_TEXT).length == MAX_TEXT
    with pytest.raises(ValidationError):
        Commitment(commitment="0" * 64, length=MAX_TEXT + 1)


def test_salts_are_derived_from_the_seed_and_the_place() -> None:
    one, same, other = (
        Stamp(event_id="e", recorded_at=OPENED_AT, seed=seed)
        for seed in (b"a" * 32, b"a" * 32, b"b" * 32)
    )
    assert one.salt("/payload/note") == same.salt("/payload/note")
    assert (
        len(
            {one.salt("/payload/note"), one.salt("/payload/statement"), other.salt("/payload/note")}
        )
        == 3
    )
    assert len(one.salt("/payload/note")) == 16


def test_the_same_text_is_recorded_differently_each_time() -> None:
    dispute = in_state(StateName.UNDER_REVIEW)
    both = [
        happens(dispute, ruling(CommandType.RULE_NO_FAULT)),
        happens(evolved(dispute), ruling(CommandType.RULE_NO_FAULT)),
    ]
    one, two = (event.model_dump(mode="json")["payload"]["rationale"] for event in both)
    assert one["length"] == two["length"]
    assert one["commitment"] != two["commitment"]


def evolved(dispute: Any) -> Any:  # noqa: ANN401 -- a dispute, after a refusal
    decision = decided(dispute, command(CommandType.CONFIRM_AGREEMENT))
    assert isinstance(decision, Refused)
    assert decision.event is not None
    return evolve(dispute, decision.event)


# ---- personal data stays private -----------------------------------------------------------------


def _marked(event: CommandType, text: str) -> list[Command]:
    """Give commands of an event in which every personal member says the text."""
    marked = voucher(1, kind="carrier_certificate", file_name=text, uri=text)
    members: dict[CommandType, list[Record]] = {
        CommandType.CHOOSE_OPTION: [
            {
                "option": option,
                "note": text,
                "vouchers": [marked],
                **({"agreed_until": OPENED_AT + DAY} if dated else {}),
            }
            for option in Option
            for dated in {False, option is Option.SHIP_BY_AGREED_DATE}
        ],
        CommandType.SUBMIT_EVIDENCE: [
            {
                "reason": reason,
                "vouchers": [marked, marked.model_copy(update={"kind": "other"})],
                "statement": text,
            }
            for reason in ("carrier_fault", "force_majeure", None)
        ],
        CommandType.REQUEST_EVIDENCE: [{"note": text}],
        CommandType.RULE_NO_FAULT: [{"rationale": text}],
        CommandType.RULE_AT_FAULT: [{"rationale": text}],
        CommandType.ANNUL: [{"rationale": text}],
        CommandType.APPEAL: [{"rationale": text}],
        CommandType.UPHOLD_PENALTY: [{"rationale": text}],
        CommandType.OVERTURN_PENALTY: [{"rationale": text}],
        CommandType.EXTEND_DEADLINE: [
            {"until": OPENED_AT + days * DAY, "rationale": text} for days in (0, 90)
        ],
    }
    return [
        COMMAND_CLASSES[event].model_validate({"by": OWN[WHOSE[event]], **said})
        for said in members.get(event, [{}])
    ]


def test_every_personal_member_of_every_payload_is_marked_in_these_tests() -> None:
    for event in COMMANDS:
        for asked in _marked(event, MARK):
            personal = PERSONAL & set(type(asked).model_fields)
            assert all(getattr(asked, name) == MARK for name in personal)


@examples(12)
@given(text=texts(max_size=600))
def test_personal_data_is_only_in_the_private_part(text: str) -> None:
    for event in COMMANDS:
        for asked in _marked(event, MARK + text):
            for dispute in SITUATIONS.values():
                if (dispute.path, event) in dispute.rules.table.transitions:
                    _kept_private(dispute, asked)


def _kept_private(dispute: Any, asked: Command) -> None:  # noqa: ANN401 -- a dispute
    for now in (dispute.last_at, moments(dispute)[-1]):
        decision = decided(dispute, asked, now)
        event = decision.event if isinstance(decision, Accepted | Refused) else None
        reasons = decision.reasons if isinstance(decision, Refused) else ()
        if event is None:
            continue
        record = record_of(event)
        private = record.pop("private")
        assert MARK not in json.dumps(record, ensure_ascii=False)
        assert (MARK in json.dumps(private, ensure_ascii=False)) == any(
            name in PERSONAL for name in type(asked).model_fields
        )
        assert MARK not in repr(
            [
                (reason.saw, reason.unlock, reason.link, reason.text("zh"), reason.text("en"))
                for reason in reasons
            ]
        )
        assert MARK not in repr(
            [reason.unlock.text("en") + reason.unlock.text("zh") for reason in reasons]
        )


@given(asked=commands([CommandType.CHOOSE_OPTION, CommandType.SUBMIT_EVIDENCE]))
def test_whatever_the_vouchers_the_record_commits_to_every_personal_value(asked: Command) -> None:
    for state in (StateName.OPENED, StateName.AWAITING_EVIDENCE):
        decision = decided(in_state_of[state], asked)
        assert isinstance(decision, Accepted | Refused)
        assert decision.event is not None
        record = record_of(decision.event)
        assert dict(committed(record)).keys() == record["private"].keys()
        verify(record, in_state_of[state].last_hash)
        assert EVENT.validate_python(record) == decision.event


in_state_of = {state: in_state(state) for state in (StateName.OPENED, StateName.AWAITING_EVIDENCE)}
