"""The strict base: instants, durations, texts, ids and integers; nothing is guessed."""

import json
import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dispute_fsm.domain.scalars import (
    MAX_INTEGER,
    MAX_TEXT,
    DueInstant,
    Duration,
    FrozenMap,
    Identifier,
    Instant,
    Strict,
    Text,
    Whole,
    format_duration,
    format_instant,
    parse_duration,
    parse_instant,
)
from tests.strategies import (
    LONGEST,
    durations,
    identifiers,
    instants,
    near,
    offsets,
    spelt,
    texts,
    wholes,
)

TEN_IN_SHANGHAI = datetime(2023, 3, 28, 2, tzinfo=UTC)


class Sample(Strict):
    instant: Instant
    duration: Duration
    text: Text
    identifier: Identifier
    whole: Whole
    number: float
    flag: bool


SAMPLE: dict[str, object] = {
    "instant": "2023-03-28T10:00:00+08:00",
    "duration": "1h30m",
    "text": "商家 🚚",
    "identifier": "O-1",
    "whole": 7,
    "number": 0.5,
    "flag": True,
}


def refuses(read: Callable[[object], object], value: object) -> bool:
    try:
        read(value)
    except ValueError:
        return True
    return False


def wrong_fields(**changed: object) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate(SAMPLE | changed)
    return {str(fault["loc"][0]) for fault in caught.value.errors()}


# ---- instants ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2023-03-28T10:00:00+08:00",
        "2023-03-28T02:00:00Z",
        "2023-03-28t02:00:00z",
        "2023-03-28 02:00:00Z",
        "2023-03-28T02:00:00+00:00",
        "2023-03-28T02:00:00-00:00",
        "2023-03-28T02:00:00.0Z",
        "2023-03-28T02:00:00.000000Z",
        "2023-03-27T19:30:00-06:30",
        "2023-03-29T01:59:00+23:59",
    ],
)
def test_every_spelling_of_an_instant_is_one_instant_in_utc(text: str) -> None:
    instant = parse_instant(text)
    assert instant == TEN_IN_SHANGHAI
    assert instant.tzinfo is UTC
    assert format_instant(instant) == "2023-03-28T02:00:00Z"


@given(st.data(), instants())
def test_an_instant_is_read_from_every_spelling_and_written_in_one(
    data: st.DataObject, instant: datetime
) -> None:
    assert parse_instant(data.draw(spelt(instant))) == instant
    written = format_instant(instant.astimezone(data.draw(offsets())))
    assert written == format_instant(instant)
    assert written.endswith("Z")
    assert parse_instant(written) == instant


@given(instants())
def test_an_instant_may_come_as_an_aware_datetime_of_any_zone(instant: datetime) -> None:
    for zone in (
        UTC,
        ZoneInfo("Asia/Shanghai"),
        ZoneInfo("America/New_York"),
        timezone(timedelta(minutes=-1)),
    ):
        read = parse_instant(instant.astimezone(zone))
        assert read == instant
        assert read.tzinfo is UTC


def test_the_second_of_two_equal_wall_clock_times_is_told_from_the_first() -> None:
    first = datetime(2023, 11, 5, 1, 30, tzinfo=ZoneInfo("America/New_York"))
    assert format_instant(parse_instant(first)) == "2023-11-05T05:30:00Z"
    assert format_instant(parse_instant(first.replace(fold=1))) == "2023-11-05T06:30:00Z"


class NoOffset(tzinfo):
    def utcoffset(self, _: datetime | None) -> None:
        return None

    dst = tzname = utcoffset


@pytest.mark.parametrize(
    "value",
    [
        "2023-03-28T10:00:00",  # naive
        datetime(2023, 3, 28, 10),  # noqa: DTZ001 -- a naive datetime is what is tested
        datetime(2023, 3, 28, 10, tzinfo=NoOffset()),
        "2023-03-28",
        "2023-03-28T10:00Z",
        "20230328T100000Z",
        "2023-W13-2T10:00:00Z",
        "2023-3-28T10:00:00Z",
        "2023-02-29T10:00:00Z",
        "2023-13-01T10:00:00Z",
        "2023-03-28T24:00:00Z",
        "2023-03-28T10:60:00Z",
        "2023-03-28T10:00:60Z",  # a leap second: datetime has none
        "2023-03-28T10:00:00+0800",
        "2023-03-28T10:00:00+08",
        "2023-03-28T10:00:00+08:00:00",
        "2023-03-28T10:00:00+24:00",
        "2023-03-28T10:00:00+08:60",
        "2023-03-28T10:00:00 +08:00",
        "2023-03-28T10:00:00,5Z",
        "2023-03-28T10:00:00.Z",
        "2023-03-28T10:00:00.1234567Z",  # finer than a datetime can hold
        "2023-03-28T10:00:00Z\n",
        " 2023-03-28T10:00:00Z",
        "2023-03-28T10:00:00 Asia/Shanghai",
        "\u0662\u0660\u0662\u0663-03-28T10:00:00Z",  # Arabic-Indic digits
        "2023-03-28T10:00:0\uff10Z",  # a full-width digit
        "",
        "now",
        date(2023, 3, 28),
        1_679_968_800,
        1_679_968_800.0,
        float("nan"),
        True,
        None,
        b"2023-03-28T10:00:00Z",
    ],
)
def test_what_is_no_aware_rfc_3339_instant_is_refused(value: object) -> None:
    assert refuses(parse_instant, value)
    assert wrong_fields(instant=value) == {"instant"}


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("1970-12-31T23:59:59Z", False),
        ("1971-01-01T00:00:00Z", True),
        ("2199-12-31T23:59:59.999999Z", True),
        ("2200-01-01T00:00:00Z", False),
        ("0001-01-01T00:00:00+08:00", False),
        ("9999-12-31T23:59:59-08:00", False),
    ],
)
def test_only_the_years_1971_to_2199_are_taken(text: str, *, taken: bool) -> None:
    assert refuses(parse_instant, text) is not taken


@given(near(datetime(1971, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)), offsets())
@example(datetime(1970, 12, 31, 16, tzinfo=UTC), timezone(timedelta(hours=8)))
@example(datetime(2200, 1, 1, 7, tzinfo=UTC), timezone(timedelta(hours=-8)))
def test_at_the_bounds_the_offset_makes_no_difference_and_what_is_taken_can_be_read_back(
    instant: datetime, offset: timezone
) -> None:
    within = 1971 <= instant.year <= 2199
    for value in (instant.astimezone(offset), instant.astimezone(offset).isoformat()):
        assert refuses(parse_instant, value) is not within
        assert not within or parse_instant(format_instant(parse_instant(value))) == instant


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("1970-12-31T23:59:59Z", False),
        ("1971-01-01T00:00:00Z", True),
        ("2200-01-01T00:00:00Z", True),
        ("2399-12-31T23:59:59.999999Z", True),
        ("2400-01-01T00:00:00Z", False),
        ("2300-01-01T00:00:00", False),
    ],
)
def test_a_due_instant_may_lie_beyond_the_last_instant_by_what_a_deadline_can_run(
    text: str, *, taken: bool
) -> None:
    due = TypeAdapter(DueInstant)
    assert refuses(due.validate_python, text) is not taken
    assert not taken or due.dump_python(due.validate_python(text), mode="json") == text


def test_the_longest_deadline_after_the_last_instant_is_a_due_instant() -> None:
    last = parse_instant("2199-12-31T23:59:59.999999Z")
    assert not refuses(TypeAdapter(DueInstant).validate_python, last + LONGEST)


# ---- durations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds", "canonical"),
    [
        ("0s", 0, "0s"),
        ("0d0h0m0s", 0, "0s"),
        ("1s", 1, "1s"),
        ("60s", 60, "1m"),
        ("90m", 5_400, "1h30m"),
        ("1h30m", 5_400, "1h30m"),
        ("24h", 86_400, "1d"),
        ("1d2h", 93_600, "1d2h"),
        ("15d", 1_296_000, "15d"),
        ("1d0h0m1s", 86_401, "1d1s"),
        ("007m", 420, "7m"),
        ("36500d", 3_153_600_000, "36500d"),
        ("876000h", 3_153_600_000, "36500d"),
    ],
)
def test_a_duration_has_many_spellings_and_one_canonical_form(
    text: str, seconds: int, canonical: str
) -> None:
    length = parse_duration(text)
    assert length == timedelta(seconds=seconds)
    assert format_duration(length) == canonical
    assert parse_duration(length) == length


@given(durations())
@example(LONGEST)
def test_every_duration_is_read_back_as_it_was_written(length: timedelta) -> None:
    assert parse_duration(format_duration(length)) == length == parse_duration(length)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "d",
        "15",
        "+1h",
        "-1h",
        "1.5h",
        "1h 30m",
        "30m1h",
        "1h1h",
        "1H",
        "1w",
        "P1D",
        "1h\n",
        "36500d1s",
        "36501d",
        "876001h",
        "100000d",
        "\u0662h",  # an Arabic-Indic digit
        "\uff12h",  # a full-width digit
        timedelta(seconds=-1),
        timedelta(microseconds=1),
        LONGEST + timedelta(seconds=1),
        5,
        0,
        1.5,
        float("nan"),
        True,
        None,
        b"1h",
    ],
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    assert refuses(parse_duration, value)
    assert wrong_fields(duration=value) == {"duration"}


@pytest.mark.parametrize("text", ["36501d", "100000d", "9999999h", f"{'9' * 18}d"])
def test_a_duration_that_is_too_long_is_told_the_limit(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is too long: .* at most 36500 days"):
        parse_duration(text)


# ---- texts, ids, numbers -------------------------------------------------------------------------


@pytest.mark.parametrize("character", ["a", "商", "🚚", " "])
def test_a_text_is_bounded_in_code_points(character: str) -> None:
    assert len(Sample.model_validate(SAMPLE | {"text": character * MAX_TEXT}).text) == 65_536
    assert wrong_fields(text=character * (MAX_TEXT + 1)) == {"text"}


@given(texts(), identifiers(), wholes())
def test_texts_ids_and_whole_numbers_stay_as_they_are(
    text: str, identifier: str, whole: int
) -> None:
    sample = Sample.model_validate(
        SAMPLE | {"text": text, "identifier": identifier, "whole": whole}
    )
    assert (sample.text, sample.identifier, sample.whole) == (text, identifier, whole)
    assert Sample.model_validate_json(sample.model_dump_json()) == sample


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a" * 201,
        "a\n",
        "\na",
        "a\tb",
        "a\x00b",
        "\x7f",
        "a\x85",
        "\x9f",
        12,
        None,
        True,
        1.0,
        b"a",
    ],
)
def test_what_is_no_id_is_refused(value: object) -> None:
    assert wrong_fields(identifier=value) == {"identifier"}


@pytest.mark.parametrize("value", ["a", "0012", "no", "订单-1", "🚚", "a b", "a" * 200, "🚚" * 200])
def test_an_id_is_opaque(value: str) -> None:
    assert Sample.model_validate(SAMPLE | {"identifier": value}).identifier == value


@pytest.mark.parametrize("value", ["\ud800", "a\ud83d", "\udc00\ud800"])
@pytest.mark.parametrize("field", ["text", "identifier"])
def test_a_lone_surrogate_is_refused(field: str, value: str) -> None:
    assert wrong_fields(**{field: value}) == {field}
    with pytest.raises(ValidationError):
        Sample.model_validate_json(json.dumps(SAMPLE | {field: value}))


def test_a_pair_of_escaped_surrogates_is_one_character() -> None:
    text = json.dumps(SAMPLE | {"text": "🚚"})
    assert r"\ud83d\ude9a" in text
    assert Sample.model_validate_json(text).text == "🚚"


@pytest.mark.parametrize(
    "value", [-1, MAX_INTEGER + 1, 1.0, 1.5, float("nan"), float("inf"), "1", True, None]
)
def test_what_is_no_whole_number_of_53_bits_is_refused(value: object) -> None:
    assert wrong_fields(whole=value) == {"whole"}


@pytest.mark.parametrize("value", [0, MAX_INTEGER])
def test_a_whole_number_has_at_most_53_bits(value: int) -> None:
    assert MAX_INTEGER == 9_007_199_254_740_991
    assert Sample.model_validate(SAMPLE | {"whole": value}).whole == value


# ---- the base ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", 7),
        ("text", b"a"),
        ("text", None),
        ("flag", 1),
        ("flag", "true"),
        ("number", "0.5"),
        ("number", float("nan")),
        ("number", float("inf")),
        ("number", True),
    ],
)
def test_nothing_is_coerced(field: str, value: object) -> None:
    assert wrong_fields(**{field: value}) == {field}


def test_unknown_fields_are_errors() -> None:
    assert wrong_fields(extra=1) == {"extra"}
    assert wrong_fields(Text="a") == {"Text"}


@pytest.mark.parametrize(
    "read", [Sample.model_validate, lambda sample: Sample.model_validate_json(json.dumps(sample))]
)
def test_python_and_json_say_the_same(read: Callable[[dict[str, object]], Sample]) -> None:
    assert read(SAMPLE).model_dump(mode="json") == SAMPLE | {"instant": "2023-03-28T02:00:00Z"}
    for wrong in (
        {"whole": 1.0},
        {"whole": "1"},
        {"instant": "2023-03-28T10:00:00"},
        {"duration": 90},
        {"flag": 1},
        {"extra": None},
    ):
        with pytest.raises(ValidationError) as caught:
            read(SAMPLE | wrong)
        assert {fault["loc"] for fault in caught.value.errors()} == {(field,) for field in wrong}


def test_a_model_is_frozen() -> None:
    sample = Sample.model_validate(SAMPLE)
    for field in ("whole", "extra"):
        with pytest.raises(ValidationError):
            setattr(sample, field, 8)
    with pytest.raises(ValidationError):
        del sample.whole
    assert sample == Sample.model_validate(SAMPLE)


def test_an_error_does_not_repeat_what_was_said() -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate(SAMPLE | {"text": "secret" * MAX_TEXT, "flag": "a secret"})
    assert "secret" not in str(caught.value)


def test_an_instant_and_a_duration_are_texts_in_json() -> None:
    assert TypeAdapter(Instant).dump_json(TEN_IN_SHANGHAI) == b'"2023-03-28T02:00:00Z"'
    assert TypeAdapter(Duration).dump_json(timedelta(hours=24)) == b'"1d"'


# ---- frozen maps ---------------------------------------------------------------------------------


def test_a_frozen_map_reads_like_a_mapping_and_cannot_be_changed() -> None:
    frozen = FrozenMap({"a": 1, "b": 2}, c=3)
    assert frozen == {"a": 1, "b": 2, "c": 3}
    assert (list(frozen), len(frozen), frozen["b"], frozen.get("d"), "c" in frozen) == (
        ["a", "b", "c"],
        3,
        2,
        None,
        True,
    )
    others: tuple[object, ...] = ({}, {"a": 1, "b": 2, "c": 4}, [("a", 1)], None)
    for wrong in others:
        assert frozen != wrong
    members = cast("dict[str, int]", frozen)
    changes: tuple[Callable[[], object], ...] = (
        lambda: members.__setitem__("a", 2),
        lambda: members.__delitem__("a"),
        lambda: members.__ior__({"a": 2}),
        members.clear,
        lambda: members.pop("a"),
        members.popitem,
        lambda: members.setdefault("d", 4),
        lambda: members.update(a=2),
    )
    for change in changes:
        with pytest.raises(TypeError):
            change()
    assert frozen == {"a": 1, "b": 2, "c": 3}
    with pytest.raises(KeyError):
        frozen["d"]
    assert "'a': 1" in repr(frozen)
    assert FrozenMap[str, int]() == {}


def test_a_frozen_map_does_not_change_with_what_it_was_made_from() -> None:
    members = {"a": 1}
    frozen = FrozenMap(members)
    members["a"] = 2
    assert frozen == {"a": 1}


@given(st.dictionaries(texts(max_size=3), st.integers(), max_size=5))
def test_a_frozen_map_can_be_hashed_copied_and_pickled(members: dict[str, int]) -> None:
    frozen, backwards = FrozenMap(members), FrozenMap(dict(reversed(members.items())))
    assert frozen == backwards
    assert hash(frozen) == hash(backwards)
    for again in (copy(frozen), deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):  # noqa: S301 -- written here
        assert (again, hash(again), list(again)) == (frozen, hash(frozen), list(frozen))
