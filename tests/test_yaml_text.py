"""The safe subset of YAML: values and their lines; errors, where they are, and their advice."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import cast

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from dispute_fsm.documents.source import FieldPath, YamlSource, field_name
from dispute_fsm.documents.yaml_text import MAX_BYTES, MAX_DEPTH, read_yaml
from dispute_fsm.errors import InputError

FILE = "x.dispute.yaml"
PARSERS = {"python": yaml.SafeLoader} | (
    {"libyaml": yaml.CSafeLoader} if yaml.__with_libyaml__ else {}
)


@pytest.fixture(scope="module", params=PARSERS.values(), ids=list(PARSERS), autouse=True)
def _parser(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dispute_fsm.documents.yaml_text._LOADER", request.param)
        yield


def read(text: bytes | str) -> object:
    return read_yaml(text, FILE).value


def refused(text: bytes | str) -> InputError:
    with pytest.raises(InputError) as caught:
        read_yaml(text, FILE)
    assert caught.value.file == FILE
    return caught.value


# ---- values and their lines ----------------------------------------------------------------------

SCENARIO = """\
# what a person writes
title: 已发货 but not scanned

steps:
  - {at: +1h, order: unavailable}
  - at: +2h
    do: choose_option
    with:
      option: already_shipped
      vouchers: [
        {kind: photo, size: 12},
      ]
"""


def test_values_keep_their_order_and_their_lines() -> None:
    text = read_yaml(SCENARIO, FILE)
    assert text.value == {
        "title": "已发货 but not scanned",
        "steps": [
            {"at": "+1h", "order": "unavailable"},
            {
                "at": "+2h",
                "do": "choose_option",
                "with": {"option": "already_shipped", "vouchers": [{"kind": "photo", "size": 12}]},
            },
        ],
    }
    assert dict(text.lines) == {
        (): 2,
        ("title",): 2,
        ("steps",): 4,
        ("steps", 0): 5,
        ("steps", 0, "at"): 5,
        ("steps", 0, "order"): 5,
        ("steps", 1): 6,
        ("steps", 1, "at"): 6,
        ("steps", 1, "do"): 7,
        ("steps", 1, "with"): 8,
        ("steps", 1, "with", "option"): 9,
        ("steps", 1, "with", "vouchers"): 10,
        ("steps", 1, "with", "vouchers", 0): 11,
        ("steps", 1, "with", "vouchers", 0, "kind"): 11,
        ("steps", 1, "with", "vouchers", 0, "size"): 11,
    }
    assert repr(read("{b: 1, a: 2, c: 3}")) == "{'b': 1, 'a': 2, 'c': 3}"


def test_a_member_has_the_line_of_its_key() -> None:
    assert read_yaml("a:\n\n  text\nb:\n  - 1\n", FILE).lines == {
        (): 1,
        ("a",): 1,
        ("b",): 4,
        ("b", 0): 5,
    }


def test_a_missing_field_has_the_line_of_what_is_around_it() -> None:
    text = read_yaml(SCENARIO, FILE)
    assert text.line(("steps", 1, "do")) == 7
    assert text.line(["steps", 1, "do"]) == 7
    assert text.line(("steps", 1, "with", "note", "zh")) == 8
    assert text.line(("policy", "response")) == 2
    assert text.line(()) == 2


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ((), ""),
        (("steps", 2, "with", "option"), "steps[2].with.option"),
        ((0, "at"), "[0].at"),
        ((0, 1), "[0][1]"),
        (("标题", "a_b-c"), "标题.a_b-c"),
        (("a", "b.c", "d"), 'a["b.c"].d'),
        (("",), '[""]'),
        (("a\x1b[31m\u202e",), '["a\\u001b[31m\\u202e"]'),
        (("x" * 60,), "x" * 60),
        (("x" * 61,), '["' + "x" * 60 + '…"]'),
    ],
)
def test_a_path_is_written_as_a_person_would(path: FieldPath, name: str) -> None:
    assert field_name(path) == name


# ---- scalars -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("7", 7),
        ("-1", -1),
        ("9007199254740993", 2**53 + 1),
        ("9" * 100, 10**100 - 1),
        ("2023-03-28", date(2023, 3, 28)),
        ("2023-03-28T10:00:00+08:00", datetime(2023, 3, 28, 2, tzinfo=UTC)),
        ("2023-03-28 10:00:00.25Z", datetime(2023, 3, 28, 10, 0, 0, 250_000, tzinfo=UTC)),
        ("2023-03-28t10:00:00z", datetime(2023, 3, 28, 10, tzinfo=UTC)),
    ],
)
def test_plain_scalars_with_a_value(plain: str, value: object) -> None:
    for text, expected in (
        (plain or "---", value),
        (f"- {plain}", [value]),
        (f"a: {plain}", {"a": value}),
    ):
        result = read(text)
        assert result == expected
        assert repr(result) == repr(expected)  # tells True from 1


@pytest.mark.parametrize(
    "plain",
    [
        "D-1 (JDL) 不",
        "+1h30m",
        "15d",
        "1.2.3",
        "1e",
        "e3",
        "0x1g",
        "0o8",
        "1:100",
        "12:60",
        "2023-3-8",
        "2023-03-28T10",
        "2023-03-28 10:00 shipped",
        "\uff12\uff10\uff12\uff13",  # full-width digits
        "ye\u017f",  # a long s
        "yess",
        "none",
        "nil",
        "inf",
        "nan",
        "-",
        "+",
        "_1",
        "==",
        "<",
    ],
)
def test_any_other_plain_scalar_is_text(plain: str) -> None:
    if plain != "-":  # on its own, the beginning of a list
        assert read(plain) == plain
    assert read(f"{{a: {plain}}}" if plain != "-" else "a: '-'") == {"a": plain}


INTEGERS = ["0012", "00", "-0", "0018", "+5", "1_000", "0b11", "0o14", "0x1F", "-0x1f"]
FLOATS = ["99.90", "1.", ".5", "-.5", "1e3", "1E3", "1.5e-3", "6.02e+23", ".inf", "-.INF", ".NaN"]
TIMES_OF_DAY = ["12:30", "09:00", "1:30:00", "+1:30", "1:30.5"]
WORDS = [
    "yes",
    "No",
    "ON",
    "off",
    "y",
    "N",
    "Yes",
    "yEs",
    "True",
    "TRUE",
    "tRUE",
    "False",
    "FALSE",
    "Null",
    "NULL",
    "nULL",
]


@pytest.mark.parametrize("plain", [*INTEGERS, *FLOATS, *TIMES_OF_DAY, *WORDS, "=", "<<", "9" * 101])
def test_what_yaml_readers_disagree_on_has_to_be_quoted(plain: str) -> None:
    error = refused(f"steps:\n  - amount:\n      {plain}")
    assert (error.line, error.field) == (3, "steps[0].amount")
    assert f'put it in quotes: "{plain[:60]}' in error.message
    for quoted in (f'"{plain}"', f"'{plain}'", f"|-\n  {plain}", f">-\n  {plain}"):
        assert read(quoted) == plain


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "~",
        "",
        "true",
        "0",
        "-1",
        "2023-03-28",
        "2023-03-28T10:00:00+08:00",
        "2023-03-28T10:00:00",
    ],
)
def test_what_is_quoted_is_text(text: str) -> None:
    assert read(f"[\"{text}\", '{text}']") == [text, text]
    assert read(f"a: |-\n  {text}") == read(f"a: >-\n  {text}") == {"a": text}


@pytest.mark.parametrize(
    "naive",
    [
        "2023-03-28T10:00:00",
        "2023-03-28 10:00:00.5",
        "2023-03-28T10:00",
        "2023-3-8 9:00:00",
        "2023-03-28t10:00:00.",
    ],
)
def test_a_naive_time_has_no_offset(naive: str) -> None:
    error = refused(f"a: 1\nat: {naive}")
    assert (error.line, error.field) == (2, "at")
    assert "is not an instant: write it as RFC 3339 with an offset" in error.message
    assert "quotes" not in error.message
    assert f'; if it is a string, put it in quotes: "{naive}"' in refused(f"title: {naive}").message


@pytest.mark.parametrize("field", ["at", "opened_at", "until", "agreed_until"])
@pytest.mark.parametrize(
    "plain",
    [
        "2023-03-28T10:00:00",
        "2023-03-28T10:00:60Z",
        "2023-03-28T24:00:00Z",
        "2023-03-28T10:00:00+0800",
    ],
)
def test_quoting_is_not_advised_for_an_instant(field: str, plain: str) -> None:
    assert "quotes" not in refused(f"{field}: {plain}").message
    assert "quotes" in refused(f"note: {plain}").message


def test_alternatives_to_a_string_are_suggested() -> None:
    for plain in (*INTEGERS, *FLOATS):
        assert "or write an integer in plain digits" in refused(f"hours: {plain}").message
    for plain in (*TIMES_OF_DAY, *WORDS, "="):
        assert "an integer in" not in refused(f"hours: {plain}").message
    for plain in WORDS:
        assert ("or write true or false" in refused(f"statement: {plain}").message) == (
            plain.lower() != "null"
        )
    assert "quotes" not in refused("calendar: {holidays: [2023-02-29]}").message


@pytest.mark.parametrize(
    ("plain", "problem"),
    [
        ("2023-03-28T10:00+08:00", "RFC 3339 with an offset"),
        ("2023-03-28T10:00:00 +08:00", "RFC 3339 with an offset"),
        ("2023-03-28T10:00:00+0800", "RFC 3339 with an offset"),
        ("2023-03-28T10:00:00+8", "RFC 3339 with an offset"),
        ("2023-3-8T9:00:00Z", "RFC 3339 with an offset"),
        ("2023-03-28T25:00:00Z", "hour"),
        ("1970-12-31T10:00:00Z", "outside the years"),
        ("2023-02-29", "day"),
        ("0000-01-01", "year"),
    ],
)
def test_a_time_that_is_none_is_refused(plain: str, problem: str) -> None:
    error = refused(f"- 1\n- {plain}")
    assert (error.line, error.field) == (2, "[1]")
    assert problem in error.message
    assert error.message.endswith(f'; if it is a string, put it in quotes: "{plain}"')


def test_text_is_kept_as_it_is_written() -> None:
    assert read("a: '  é😀 “引号” '\nb: |\n  一\n\n  二 \nc: one\n  two") == {
        "a": "  é😀 “引号” ",
        "b": "一\n\n二 \n",
        "c": "one two",
    }
    assert read(r'"\0\x07\e \U0001F600 \uFEFF"') == "\0\x07\x1b 😀 \ufeff"


# ---- the file ------------------------------------------------------------------------------------


def test_a_byte_order_mark_and_windows_lines_are_fine() -> None:
    text = read_yaml(b"\xef\xbb\xbfa: 1\r\nb:\r\n  - x\r\n", FILE)
    assert text == YamlSource(
        FILE, {"a": 1, "b": ["x"]}, {(): 1, ("a",): 1, ("b",): 2, ("b", 0): 3}
    )
    assert read("\ufeffa: 1") == {"a": 1}


@pytest.mark.parametrize(
    "empty", ["", b"", " \n\n", "# nothing\n", b"\xef\xbb\xbf", "\ufeff# nothing"]
)
def test_an_empty_file_is_refused(empty: bytes | str) -> None:
    error = refused(empty)
    assert (error.line, error.field) == (None, None)
    assert "empty" in error.message


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [
        (b"a: 1\nb: \xff\xfe", 2, "byte 0xff"),
        (b"\xef\xbb\xbfa: 1\nb: 2\nc: \xe4\xb8", 3, "byte 0xe4"),
        ("a: ä".encode("latin-1"), 1, "UTF-8"),
        ("a: 1".encode("utf-16"), 1, "UTF-8"),
        ("a: \ud800", 1, "UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", 1, "UTF-8"),
        (b"a: 1\nb: \x00", 2, "U+0000"),
        ("a: 1".encode("utf-16-le"), 1, "U+0000"),
        (b"\x7fELF", 1, "U+007F"),
        ("a: 1\r\nb: '\x1b[31m'", 2, "U+001B"),
        ("\x84", 1, "U+0084"),
        ("\ufffe", 1, "U+FFFE"),
        ("a: 1\n\ufeffb: 2", 2, "U+FEFF"),
        ("\ufeff\ufeffa: 1", 1, "U+FEFF"),
    ],
)
def test_a_file_that_is_no_text_is_refused(data: bytes | str, line: int, problem: str) -> None:
    error = refused(data)
    assert (error.line, error.field) == (line, None)
    assert problem in error.message


def test_the_limit_of_a_file_s_size() -> None:
    largest = b"a: 1 #" + b"x" * (MAX_BYTES - 6)
    assert read(largest) == {"a": 1}
    assert "more than 2097152 bytes (2 MiB)" in refused(largest + b"x").message
    assert "bytes" in refused("é" * (MAX_BYTES // 2) + "e").message  # bytes count, not characters


def test_a_statement_of_ten_megabytes_is_refused() -> None:
    assert (
        "more than 2097152 bytes"
        in refused("statement: |\n " + "字节好" * (2**20) + "x" * 2**20).message
    )


@pytest.mark.parametrize("more", ["---\nb: 2", "---\n", "...\n---\n'x'"])
def test_a_second_document_is_refused(more: str) -> None:
    error = refused(f"---\na: 1\n{more}")
    assert error.line == 3 + more.startswith("...")
    assert "second document" in error.message
    assert read("%YAML 1.2\n---\na: 1\n...\n") == {"a": 1}


# ---- mappings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first", "line", "field"),
    [
        ("a: 1\nb: 2\n'a': 3", 1, 3, "a"),
        ("x:\n  - u: {a: 1}\n    v:\n      b: 1\n      b: 1\n", 4, 5, "x[0].v.b"),
        ("{a: 1, a: 1}", 1, 1, "a"),
        ("'': 1\n\"\": 1", 1, 2, '[""]'),
    ],
)
def test_a_duplicate_key_is_refused(text: str, first: int, line: int, field: str) -> None:
    error = refused(text)
    assert (error.line, error.field) == (line, field)
    assert f", first used in line {first}: " in error.message


def test_the_same_key_in_different_mappings_is_fine() -> None:
    assert read("[{a: 1}, {a: {a: 2}}]") == [{"a": 1}, {"a": {"a": 2}}]


@pytest.mark.parametrize(
    "key",
    [
        "12",
        "null",
        "~",
        "true",
        "2023-03-28",
        "0012",
        "no",
        "2023-03-28T10:00:00Z",
        "2023-03-28T10:00:00",
        "=",
    ],
)
def test_a_key_that_is_no_text_has_to_be_quoted(key: str) -> None:
    error = refused(f"a:\n  b: 1\n  {key}: 2")
    assert (error.line, error.field) == (3, "a")
    assert f'put it in quotes: "{key}"' in error.message
    assert read(f"'{key}': 2") == {key: 2}


@pytest.mark.parametrize(
    "text", ["a:\n  ? [b]\n  : 1", "a:\n  {b: c}: 1", "a:\n  [b]: 1", "a:\n  ? - b\n"]
)
def test_a_key_cannot_be_a_list_or_a_mapping(text: str) -> None:
    error = refused(text)
    assert (error.line, error.field) == (2, "a")
    assert "cannot be a key" in error.message


def test_an_empty_key_is_no_text() -> None:
    assert 'put it in quotes: ""' in refused("{? : 1}").message


# ---- what is not part of the safe subset ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "field", "what"),
    [
        ("a: 1\nb: &x 2", 2, "b", "an anchor (&)"),
        ("b:\n - &x {c: 1}", 2, "b[0]", "an anchor (&)"),
        ("&x [1]", 1, None, "an anchor (&)"),
        ("&x\na: 1", 1, None, "an anchor (&)"),
        ("a: &x", 1, "a", "an anchor (&)"),
        ("a: &x !!str b", 1, "a", "an anchor (&)"),
        ("a: 1\nb: *a", 2, "b", "an alias (*)"),
        ("a: [1, *a]", 1, "a[1]", "an alias (*)"),
        ("a: {*a : 1}", 1, "a", "an alias (*)"),
        ("a: {b: {&x c: 1}}", 1, "a.b", "an anchor (&)"),
        ("a: !!python/object/apply:os.system [id]", 1, "a", "a tag (!)"),
        ("a: !!str 12", 1, "a", "a tag (!)"),
        ("a: !x 'b'", 1, "a", "a tag (!)"),
        ("a: !<tag:yaml.org,2002:str> b", 1, "a", "a tag (!)"),
        ("a: ! 12", 1, "a", "a tag (!)"),
        ("a: ! '12'", 1, "a", "a tag (!)"),
        ("a: {!x b: 1}", 1, "a", "a tag (!)"),
        ("é: '😀'\nb: !x {c: 1}", 2, "b", "a tag (!)"),
        ("a: 1\nb:\n  <<: {c: 1}", 3, "b", "a merge key (<<)"),
        ("<<: [1]", 1, None, "a merge key (<<)"),
    ],
)
def test_what_is_not_part_of_the_safe_subset(
    text: str, line: int, field: str | None, what: str
) -> None:
    error = refused(text)
    assert (error.line, error.field) == (line, field)
    assert error.message.startswith(f"{what} is not part of the safe subset")


def test_the_same_signs_within_texts_are_fine() -> None:
    text = "a: R&D\nb: 2 * 3 !\nc: '&x'\nd: \"*x\"\ne: |\n  !x\n'<<': f"
    assert read(text) == {"a": "R&D", "b": "2 * 3 !", "c": "&x", "d": "*x", "e": "!x\n", "<<": "f"}


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [lol, lol]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    error = refused(bomb)
    assert (error.line, error.field) == (1, "a")


# ---- nesting -------------------------------------------------------------------------------------


def nested_lists(depth: int) -> str:
    return "[" * depth + "]" * depth


def nested_mappings(depth: int) -> str:
    return "\n".join("  " * level + "a:" for level in range(depth))


@pytest.mark.parametrize("nested", [nested_lists, nested_mappings])
def test_the_limit_of_nesting(nested: Callable[[int], str]) -> None:
    assert read(nested(MAX_DEPTH))
    error = refused(nested(MAX_DEPTH + 1))
    assert "deeper than 30" in error.message
    assert error.field


@pytest.mark.parametrize(
    "deep",
    [
        "[" * MAX_BYTES,
        "- " * (MAX_BYTES // 2),
        "{a: " * 500_000,
        nested_mappings(1000),
        "[{a: " * 100_000,
    ],
)
def test_deep_nesting_is_refused_without_going_down(deep: str) -> None:
    assert "deeper than 30" in refused(deep).message


def test_nested_keys_are_refused_without_going_down() -> None:
    assert "cannot be a key" in refused("? " * (MAX_BYTES // 2)).message


# ---- what is not YAML ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (
            "a: 1\nb: 'x\nc: 2\n",
            4,
            "found unexpected end of stream while scanning a quoted scalar, begun in line 2",
        ),
        ("a: 1\nb:\n\tc: 1", 3, "cannot start any token"),
        ("a: b: c", 1, "mapping values are not allowed"),
        ("a: 1\nb: @x", 2, "cannot start any token"),
        ("a: [1\nb: 2", 2, "expected"),
        ("- a: 1\n - b", 2, "block"),
        ("a: 1\n b: 2", 2, "mapping values are not allowed"),
        ("a: !x!y b", 1, "undefined tag handle"),
        ("%YAML 2.0\n---\na: 1", 1, "incompatible"),
    ],
)
def test_what_is_not_yaml_at_all(text: str, line: int, problem: str) -> None:
    error = refused(text)
    assert (error.line, error.field) == (line, None)
    assert error.message.startswith("not YAML: ")
    assert problem in error.message
    assert "check indentation" in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize("escape", [r"\ud83d", r"\ud83d\ude00", r"\U00110000", r"\UFFFFFFFF"])
def test_an_escape_that_names_no_character(escape: str) -> None:
    error = refused(f'a: 1\nb: "{escape}"')
    assert error.line == 2
    assert error.message.startswith("not YAML: ")


def test_a_version_that_is_none() -> None:
    assert refused(f"%YAML 1.{'9' * 5000}\n---\na").message.startswith("not YAML: ")


# ---- the first problem ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("a: 0012\nb: 2023-03-28T10:00:00\na: !x 1", 1, "a"),
        ("a: 1\na: 0012", 2, "a"),
        ("- {a: {b: yes}, 12: 1}\n- *x", 1, "[0].a.b"),
        ("- {12: 1, a: {b: yes}}\n- *x", 1, "[0]"),
        ("a: 09:00\nb: [\n", 1, "a"),
        ("a: no\n---\n", 1, "a"),
    ],
)
def test_the_first_problem_of_the_file_is_reported(text: str, line: int, field: str) -> None:
    error = refused(text)
    assert (error.line, error.field) == (line, field)


def test_an_error_is_one_line() -> None:
    assert str(refused("steps:\n  - amount: 0012")).startswith(
        "x.dispute.yaml:2: steps[0].amount: not every YAML reader takes this for a string: put "
        'it in quotes: "0012",'
    )


def test_a_long_text_is_cut_in_a_message() -> None:
    assert len(str(refused("9" * 10_000))) < 400
    assert len(str(refused(f"2023-03-28T10:00:00.{'0' * 10_000}"))) < 400


# ---- any text, any value -------------------------------------------------------------------------

SIGNS = " \n\t-?:,[]{}#&*!|>'\"%@`~<=.+\\\r\x85\u2028\ufeff"
MARKS = ["\n  ", "\n- ", ": ", "? ", "---\n", "...\n", "<<", "%YAML 1", "!!", "\\u", "\\UFF"]
WORDS_AND_NUMBERS = ["ab", "0", "12", "null", "yes", "2023-03-28", "T10:00:00", "Z", "é", "😀"]
pieces = st.sampled_from([*SIGNS, *MARKS, *WORDS_AND_NUMBERS])
yaml_like = st.lists(pieces, max_size=40).map("".join)


@given(st.one_of(st.text(), st.binary(), yaml_like))
@example("[" * 5000)
@example('"\\UFFFFFFFF')
def test_any_text_is_read_or_refused(text: bytes | str) -> None:
    result = outcome(text)
    if isinstance(result, YamlSource):
        assert set(result.lines) == set(paths(result.value))
    else:
        assert result.file == FILE
        assert result.message
        assert str(result).isprintable()


def outcome(text: bytes | str) -> YamlSource | InputError:
    try:
        return read_yaml(text, FILE)
    except InputError as error:
        return error


def paths(value: object, path: FieldPath = ()) -> Iterator[FieldPath]:
    yield path
    members: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
    elif isinstance(value, list):
        members = enumerate(cast("list[object]", value))
    for key, member in members:
        yield from paths(member, (*path, key))


class Quoting(yaml.SafeDumper):
    """Writes every text in double quotes, and no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True

    def quote(self, text: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"')


Quoting.add_representer(str, Quoting.quote)

scalars = st.none() | st.booleans() | st.integers() | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values, st.booleans(), st.sampled_from(["\n", "\r\n"]), st.sampled_from([False, True, None]))
def test_what_is_written_with_quotes_reads_back(
    value: object, raw: bool, line_break: str, flow: bool | None
) -> None:
    text = yaml.dump(
        value,
        Dumper=Quoting,
        allow_unicode=raw,
        line_break=line_break,
        default_flow_style=flow,
        sort_keys=False,
    )
    result = read_yaml(text, FILE)
    assert result.value == value
    assert repr(result.value) == repr(value)  # the order of keys, and True is not 1
    assert set(result.lines) == set(paths(value))
    assert all(1 <= line <= text.count("\n") + 1 for line in result.lines.values())
