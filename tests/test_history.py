"""History files read back as written; a changed, cut, swapped or missing line is an error."""

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.enums import EventType
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.policy import DEFAULT_POLICY, VERSION_FIELDS, Policy
from dispute_fsm.domain.scalars import MAX_INTEGER
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import SUFFIX, atomic_text_file, write_history, write_records
from dispute_fsm.history.reader import read_steps
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import ScenarioResult, run_scenario
from tests.patience import PATIENCE
from tests.sampling import examples
from tests.support import ReadBack, read_back

FILE = "x.history.jsonl"
Recorded = tuple[AuditEvent, Policy]

STORY = """\
policy: {denial: review}
dispute: {dispute_id: D-1, opened_at: 2023-03-28T10:00:00+08:00}
steps:
  - at: +1h
    do: choose_option
    with: {option: already_shipped}
    expect: {refused: [not_shipped, no_pickup_scan]}
  - at: +2h
    do: choose_option
    key: k-1
    with:
      option: ship_by_agreed_date
      agreed_until: 2023-03-30T18:00:00+08:00
      vouchers:
        - kind: chat_screenshot
          file_name: 约定.png
          media_type: image/png
          size: 1
          sha256: DIGEST
          uri: s3://a/b
      note: 已协商 🚚
  - {at: +3h, do: deny_agreement}
  - {at: +4h, do: rule_no_fault, with: {rationale: 属实}}
  - {at: +5h, do: withdraw}
expect: {outcome: withdrawn, events: 6}
""".replace("DIGEST", "a" * 64)
OTHER = """\
dispute: {dispute_id: D-2, opened_at: 2023-03-28T10:30:00+08:00}
steps:
  - {at: +1h, do: choose_option, with: {option: prove_no_fault}}
  - {at: +9d, do: sweep}
expect: {outcome: evidence_overdue, events: 3}
"""
THIRD = OTHER.replace("D-2", "D-3")


@cache
def ran(text: str) -> ScenarioResult:
    result = run_scenario(parse_scenario(text, "x.dispute.yaml"))
    assert result.failures == ()
    return result


def recorded(text: str) -> list[Recorded]:
    return [(event, ran(text).scenario.opening.policy) for event in ran(text).events]


def written(events: Sequence[Recorded]) -> list[str]:
    stream = io.StringIO()
    write_records(stream, events)
    return stream.getvalue().splitlines(keepends=True)


@cache
def story() -> tuple[str, ...]:
    """Give the lines of the history of STORY: its policy, then events 1 to 6."""
    return tuple(written(recorded(STORY)))


def interleaved() -> list[Recorded]:
    first, second, third = recorded(STORY), recorded(OTHER), recorded(THIRD)
    return [
        first[0],
        second[0],
        third[0],
        first[1],
        second[1],
        first[2],
        third[1],
        *first[3:],
        *second[2:],
        *third[2:],
    ]


def read(lines: Sequence[str]) -> tuple[list[AuditEvent], ReadBack]:
    history = read_back("".join(lines), FILE)
    return history.events, history


def refused(lines: Sequence[str]) -> InputError:
    with pytest.raises(InputError) as caught:
        read(lines)
    assert caught.value.file == FILE
    assert caught.value.message
    assert str(caught.value).startswith(f"{FILE}:{caught.value.line}: ")
    return caught.value


def disputes(*texts: str) -> list[Dispute]:
    return [dispute for text in texts if (dispute := ran(text).dispute) is not None]


def record(line: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(line))


def line_of(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def sealed(changed: dict[str, Any]) -> dict[str, Any]:
    """Rehash an event, as a forger would who knows the format."""
    hashed = {name: member for name, member in changed.items() if name not in {"hash", "private"}}
    return {**changed, "hash": hashlib.sha256(rfc8785.dumps(hashed)).hexdigest()}


def changed(
    number: int, change: Callable[[dict[str, Any]], object], *, seal: bool = True
) -> list[str]:
    """Change one record, given by its line number, and rehash it unless told otherwise."""
    lines = list(story())
    found = record(lines[number - 1])
    change(found)
    lines[number - 1] = line_of(sealed(found) if seal else found)
    return lines


def put(**members: object) -> Callable[[dict[str, Any]], object]:
    return lambda found: found.update(members)


def in_payload(**members: object) -> Callable[[dict[str, Any]], object]:
    return lambda found: found["payload"].update(members)


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda found: found.pop(name)


# ---- writing -------------------------------------------------------------------------------------


def test_what_is_written_reads_back() -> None:
    events, history = read(story())
    assert events == list(ran(STORY).events)
    assert list(history.disputes.values()) == disputes(STORY)
    policy = ran(STORY).scenario.opening.policy
    assert history.policies == {policy.digest: policy}


def test_a_policy_stands_once_before_the_first_event_that_names_it() -> None:
    lines = [record(line) for line in written(interleaved())]
    assert [line["type"] for line in lines].count("policy") == 2
    assert [line.get("dispute_id") for line in lines[:5]] == [None, "D-1", None, "D-2", "D-3"]
    for at, following in ((0, 1), (2, 3)):
        assert list(lines[at]) == ["type", "digest", "policy"]
        assert (
            lines[at]["digest"]
            == lines[following]["policy"]
            == hashlib.sha256(rfc8785.dumps(lines[at]["policy"])).hexdigest()
        )
    assert set(lines[2]["policy"]) == set(Policy.model_fields) - VERSION_FIELDS


def test_disputes_under_two_policies_may_stand_interleaved() -> None:
    events, history = read(written(interleaved()))
    assert events == [event for event, _ in interleaved()]
    assert [history.disputes[name] for name in ("D-1", "D-2", "D-3")] == disputes(
        STORY, OTHER, THIRD
    )
    assert set(history.policies) == {
        DEFAULT_POLICY.digest,
        ran(STORY).scenario.opening.policy.digest,
    }


def test_a_line_is_compact_json_in_utf_8_and_its_hash_can_be_checked_by_anyone() -> None:
    before = "0" * 64
    for line in story()[1:]:
        found = record(line)
        assert line == json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n"
        assert found["prev_hash"] == before
        assert found["hash"] == sealed(found)["hash"]
        before = found["hash"]
    assert "已协商 🚚" in story()[3]


def test_the_members_of_an_event_are_those_that_are_agreed() -> None:
    common = {
        *(
            "dispute_id",
            "seq",
            "revision",
            "event_id",
            "type",
            "at",
            "recorded_at",
            "actor",
            "command",
            "payload",
            "source",
            "target",
        ),
        *(
            "checks",
            "facts",
            "deadlines",
            "outcome",
            "rules",
            "policy",
            "key",
            "correlation_id",
            "refused",
            "prev_hash",
            "hash",
        ),
        *("private", "schema_version"),
    }
    opening, *later = [record(line) for line in story()[1:]]
    assert set(opening) == common | {"order_id", "merchant_id", "consumer_id", "chart", "package"}
    assert [set(event) for event in later] == [common] * 5
    assert [event["type"] for event in (opening, *later)] == [
        *(
            "dispute_opened",
            "refused",
            "option_chosen",
            "agreement_denied",
            "agreement_upheld",
            "dispute_resolved",
        )
    ]
    assert {event["type"] for event in later} <= set(EventType)


def test_personal_values_stand_beside_what_is_hashed() -> None:
    chosen = record(story()[3])
    assert set(chosen["private"]) == {
        "/payload/note",
        "/payload/vouchers/0/file_name",
        "/payload/vouchers/0/uri",
    }
    note, kept = chosen["payload"]["note"], chosen["private"]["/payload/note"]
    assert note == {
        "commitment": hashlib.sha256(
            bytes.fromhex(kept["salt"]) + kept["value"].encode()
        ).hexdigest(),
        "length": 5,
    }


def test_a_file_is_written_whole_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / f"x{SUFFIX}"
    write_history(path, recorded(STORY))
    assert path.read_bytes() == "".join(story()).encode()
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    write_history(path, recorded(OTHER))
    assert path.read_bytes() == "".join(written(recorded(OTHER))).encode()
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_record_stays_on_one_line_whatever_a_person_wrote(tmp_path: Path) -> None:
    said = 'a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\rh\ni"j\\k\x7f\ufeff\ufffe'
    text = OTHER.replace(
        "{option: prove_no_fault}", f"{{option: prove_no_fault, note: {json.dumps(said)}}}"
    )
    path = tmp_path / FILE
    write_history(path, recorded(text))
    assert path.read_bytes().count(b"\n") == 4
    events = read_back(path.read_bytes()).events
    assert events == list(ran(text).events)
    assert events[1].private["/payload/note"].value == said


def test_no_events_are_an_empty_file(tmp_path: Path) -> None:
    write_history(tmp_path / "x", [])
    assert (tmp_path / "x").read_bytes() == b""


@pytest.mark.parametrize("before", [None, "what stood here"])
def test_where_an_event_cannot_be_written_nothing_changes(
    tmp_path: Path, before: str | None
) -> None:
    path = tmp_path / "x.history.jsonl"
    if before is not None:
        path.write_text(before)

    def breaks_off() -> Iterator[Recorded]:
        yield from recorded(STORY)[:3]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_history(path, breaks_off())
    assert [found.read_text() for found in tmp_path.iterdir()] == (
        [] if before is None else [before]
    )


def test_where_the_file_cannot_be_put_in_its_place_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "x.history.jsonl"
    path.mkdir()
    with pytest.raises(OSError, match=path.name):
        write_history(path, recorded(STORY))
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


# ---- reading: lines that are no records ----------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("\n", None),
        (" \n", None),
        ("not json\n", None),
        ('{"type": "policy"\n', None),
        ("{'type': 'policy'}\n", None),
        ('{"type": "policy",}\n', None),
        ("{} {}\n", None),
        ("\ufeff{}\n", "dispute_id"),
        ("\x00\n", None),
        ("null\n", None),
        ("[]\n", None),
        ('"dispute_opened"\n', None),
        ("7\n", None),
        ("NaN\n", None),
        ('{"seq": NaN}\n', None),
        ('{"seq": Infinity}\n', None),
        ('{"seq": -Infinity}\n', None),
        ('{"seq": 1.0}\n', None),
        ('{"seq": 1e2}\n', None),
        (f'{{"seq": 1.{"0" * 5_000}}}\n', None),
        (f'{{"seq": {MAX_INTEGER + 1}}}\n', None),
        (f'{{"seq": -{MAX_INTEGER + 1}}}\n', None),
        (f'{{"seq": {"9" * 100}}}\n', None),
        (f'{{"seq": {"9" * 10_000}}}\n', None),
        (f'{{"seq": {MAX_INTEGER}}}\n', "dispute_id"),
        ('{"seq": 1, "seq": 1}\n', "seq"),
        ('{"payload": {"a": {"b": 1, "b": 2}}}\n', "b"),
        ('{"type": "policy", "type": "policy"}\n', "type"),
        ("{}\n", "dispute_id"),
        ('{"dispute_id": 1}\n', "dispute_id"),
        ('{"dispute_id": "D-1"}\n', "prev_hash"),
        ('{"dispute_id": "D-1", "prev_hash": null}\n', "prev_hash"),
        ('{"dispute_id": "D-1", "prev_hash": ""}\n', "hash"),
        ('{"dispute_id": "D-1", "prev_hash": "", "hash": ""}\n', "private"),
        ('{"dispute_id": "D-1", "prev_hash": "", "hash": "", "private": []}\n', "private"),
        ('{"dispute_id": "D-1", "prev_hash": "", "hash": "", "private": {}}\n', "seq"),
        (
            '{"dispute_id": "D-1", "seq": 7, "prev_hash": "", "hash": "", "private": {}}\n',
            "prev_hash",
        ),
    ],
)
def test_a_line_that_is_no_record_is_refused(line: str, field: str | None) -> None:
    fault = refused([*story(), line])
    assert (fault.line, fault.field) == (8, field)


def deep(number: int, opening: str, closing: str, depth: int) -> list[str]:
    lines = list(story())
    lines[number - 1] = f'{{"x":{opening * depth}1{closing * depth},{lines[number - 1][1:]}'
    return lines


NESTED = pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"]
)


@pytest.mark.parametrize("depth", [1, 100, 1_000, 10_000, 100_000])
@NESTED
@pytest.mark.parametrize("number", [1, 2], ids=["policy", "event"])
def test_a_record_that_is_nested_too_deeply_is_refused(
    number: int, opening: str, closing: str, depth: int
) -> None:
    assert refused(deep(number, opening, closing, depth)).line == number


@NESTED
@pytest.mark.parametrize("number", [1, 2], ids=["policy", "event"])
def test_there_is_no_depth_at_which_a_record_can_be_parsed_but_breaks_what_comes_next(
    number: int, opening: str, closing: str
) -> None:
    for depth in range(850, 1_000):  # where the stack ends depends on who called
        assert refused(deep(number, opening, closing, depth)).line == number


def test_a_last_line_that_is_cut_off_is_refused() -> None:
    for last in (story()[-1][:-1], story()[-1][:100], "{"):
        fault = refused([*story()[:-1], last])
        assert (fault.line, fault.field) == (7, None)


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff\n",
        b'{"a": "\xe4\xb8"}\n',
        b"\xed\xa0\x80\n",
        b"{}\xc0\x80\n",
        "{}\n".encode("utf-16"),
        b"\x80",
    ],
)
def test_a_line_that_is_no_utf_8_is_refused(junk: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_back("".join(story()).encode() + junk, FILE)
    assert (caught.value.file, caught.value.line) == (FILE, 8)


def test_what_was_read_before_a_fault_has_been_handed_out() -> None:
    reading = read_steps(io.BytesIO("".join((*story()[:3], "cut")).encode()), FILE)
    assert (next(reading).event, next(reading).event) == ran(STORY).events[:2]
    with pytest.raises(InputError):
        next(reading)


# ---- reading: spelling does not matter -----------------------------------------------------------


@pytest.mark.parametrize(
    "spell",
    [
        json.dumps,
        lambda found: json.dumps(found, sort_keys=True, ensure_ascii=False),
        lambda found: json.dumps(dict(reversed(found.items()))),
        lambda found: "\t " + json.dumps(found, separators=(" ,  ", " :\t")) + " \r",
    ],
    ids=["escaped", "sorted", "reversed", "spaced"],
)
def test_spacing_escapes_and_the_order_of_members_do_not_matter(
    spell: Callable[[dict[str, Any]], str],
) -> None:
    events, history = read([spell(record(line)) + "\n" for line in story()])
    assert events == list(ran(STORY).events)
    assert list(history.disputes.values()) == disputes(STORY)


def test_another_spelling_of_a_value_is_another_value() -> None:
    def moved(found: dict[str, Any]) -> None:
        found["at"] = found["at"].replace("Z", "+00:00")

    assert refused(changed(3, moved, seal=False)).line == 3


# ---- reading: histories that were changed --------------------------------------------------------

HASHED = [
    "at",
    "recorded_at",
    "event_id",
    "seq",
    "revision",
    "type",
    "command",
    "source",
    "target",
    "outcome",
    "rules",
    "policy",
]
HASHED += [
    "actor",
    "payload",
    "checks",
    "facts",
    "deadlines",
    "key",
    "correlation_id",
    "refused",
    "schema_version",
    "hash",
    "prev_hash",
]


@pytest.mark.parametrize("name", HASHED)
@pytest.mark.parametrize("number", range(2, 8))
def test_a_member_that_was_changed_is_found_in_its_line(number: int, name: str) -> None:
    fault = refused(changed(number, put(**{name: "changed"}), seal=False))
    assert fault.line == number
    assert refused(changed(number, without(name), seal=False)).line == number


def test_a_member_that_was_added_is_found() -> None:
    assert refused(changed(3, put(comment="x"), seal=False)).line == 3


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([0, 1, 2, 4, 3, 5, 6], 4),
        ([0, 2, 1, 3, 4, 5, 6], 2),
        ([0, 1, 3, 4, 5, 6], 3),
        ([0, 1, 2, 3, 4, 6], 6),
        ([0, 2, 3, 4, 5, 6], 2),
        ([0, 1, 2, 2, 3, 4, 5, 6], 4),
        ([0, 1, 1, 2, 3, 4, 5, 6], 3),
        ([0, 1, 2, 3, 4, 5, 6, 1], 8),
        ([0, 1, 2, 3, 4, 5, 6, 6], 8),
        ([1, 2, 3, 4, 5, 6], 1),
        ([1, 0, 2, 3, 4, 5, 6], 1),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, list) else "",
)
def test_lines_that_were_swapped_dropped_or_inserted_are_found(
    lines: list[int], found: int
) -> None:
    assert refused([story()[line] for line in lines]).line == found


def test_a_history_that_begins_in_the_middle_is_refused_even_with_hashes_that_fit() -> None:
    for number in range(3, 8):
        begun = line_of(sealed({**record(story()[number - 1]), "prev_hash": "0" * 64}))
        assert refused([story()[0], begun]).line == 2


def test_a_tail_that_is_missing_cannot_be_seen_but_ends_elsewhere() -> None:
    events, history = read(story()[:-1])
    assert len(events) == 5
    assert history.disputes["D-1"].outcome is None


def test_the_same_policy_again_and_one_that_no_event_names_change_nothing() -> None:
    unnamed = written(recorded(OTHER))[0]
    assert unnamed != story()[0]
    (events, history), (joined, after) = (
        read(story()),
        read([*story()[:3], story()[0], *story()[3:], unnamed]),
    )
    assert (joined, after.disputes) == (events, history.disputes)


def test_an_event_of_another_dispute_does_not_fit_the_chain() -> None:
    lines = written(interleaved())
    taken = record(lines[6])
    assert (taken["dispute_id"], taken["seq"]) == ("D-2", 2)
    for other in ("D-1", "D-3", "D-4"):
        assert (
            refused([*lines[:6], line_of(sealed({**taken, "dispute_id": other})), *lines[7:]]).line
            == 7
        )


def test_of_two_interleaved_disputes_the_line_of_the_changed_one_is_named() -> None:
    lines = written(interleaved())
    for number, line in enumerate(lines, 1):
        found = record(line)
        if "seq" in found:
            there = [
                *lines[: number - 1],
                line_of({**found, "revision": found["revision"] + 1}),
                *lines[number:],
            ]
            assert refused(there).line == number


# ---- reading: events that fit their hash and cannot have happened --------------------------------


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        (put(foo="x"), "foo", "unknown field; expected one of: dispute_id, seq, revision,"),
        (put(tipe="x"), "tipe", "unknown field; did you mean type?"),
        (without("key"), "key", "this field is missing"),
        (in_payload(x=1), "payload.x", "unknown field"),
        (
            put(type="option_chose"),
            "type",
            "unknown event type 'option_chose'; did you mean option_chosen?",
        ),
        (
            put(type="foo"),
            "type",
            "unknown event type 'foo'; expected one of: dispute_opened, option_chosen,",
        ),
        (put(type=7), "type", "unknown event type 7; expected one of: "),
        (without("type"), "type", "this field is missing"),
        (put(type="refused", refused=["not_shipped"], foo=1), "foo", "unknown field"),
        (put(type="refused", refused=["x"]), "refused[0]", "unknown value 'x'"),
        (
            put(at="2023-03-28T10:00:00.1234567Z"),
            "at",
            "'2023-03-28T10:00:00.1234567Z' is not an instant: at most six digits of a second",
        ),
        (put(at="yesterday"), "at", "'yesterday' is not an instant: write it as RFC 3339"),
        (
            put(private={"/payload/note": {"salt": "00", "value": "x"}}),
            "private.salt",
            "'00' is not a salt: 16 to 64 bytes",
        ),
        (
            put(private={"/payload/note": {"salt": "00" * 16}}),
            "private.value",
            "this field is missing",
        ),
        (put(private={"/payload/note": []}), "private", "expected a mapping of fields"),
    ],
)
def test_what_is_wrong_with_an_event_is_said_in_our_words(
    change: Callable[[dict[str, Any]], object], field: str, said: str
) -> None:
    fault = refused(changed(4, change))
    assert fault.field == field
    assert fault.message.startswith(said)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        (
            lambda policy: policy.update(silense="x"),
            "policy.silense",
            "unknown field; did you mean silence?",
        ),
        (lambda policy: policy.pop("silence"), "policy.silence", "this field is missing"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said_in_our_words(
    change: Callable[[dict[str, Any]], object], field: str, said: str
) -> None:
    def with_digest(found: dict[str, Any]) -> None:
        change(found["policy"])
        found["digest"] = hashlib.sha256(rfc8785.dumps(found["policy"])).hexdigest()

    fault = refused(changed(1, with_digest, seal=False))
    assert (fault.line, fault.field, fault.message) == (1, field, said)


def test_histories_are_read_where_no_reader_of_yaml_is_installed() -> None:
    code = "import sys; sys.modules['yaml'] = None; import dispute_fsm.history.replay"
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, timeout=PATIENCE).returncode == 0  # noqa: S603 -- this very Python
    )


def test_a_byte_order_mark_may_stand_before_any_line() -> None:
    assert read(["\ufeff" + line for line in story()]) == read(story())


@pytest.mark.parametrize(
    ("number", "change", "field"),
    [
        (2, put(rules="1999"), "rules"),
        (2, put(policy="0" * 64), "policy"),
        (2, put(policy="0"), "policy"),
        (2, put(seq=True), "seq"),
        (2, put(seq="1"), "seq"),
        (2, put(package=None), "package"),
        (2, without("chart"), "chart"),
        (2, put(command="choose_option"), "command"),
        (3, put(comment="x"), "comment"),
        (3, put(refused=["no_such_code"]), "refused[0]"),
        (3, put(refused=[]), "refused"),
        (3, put(deadlines=None), "deadlines"),
        (3, put(deadlines={"lunch": "2023-03-28T12:00:00Z"}), "deadlines"),
        (4, put(at="2023-03-28T12:00:00"), "at"),
        (4, put(at=0), "at"),
        (4, put(at="9999-12-31T23:59:59Z"), "at"),
        (4, put(actor={"role": "merchant"}), "actor.id"),
        (4, put(command="fly"), "command"),
        (4, put(schema_version=2), "schema_version"),
        (4, put(outcome="withdrawn"), "outcome"),
        (4, in_payload(option="other"), "payload.option"),
        (4, in_payload(x=1), "payload.x"),
        (4, put(facts={}), "facts.order_id"),
        (4, put(key=""), "key"),
    ],
)
def test_a_member_that_does_not_fit_is_named(
    number: int, change: Callable[[dict[str, Any]], object], field: str | None
) -> None:
    fault = refused(changed(number, change))
    assert fault.line == number
    if field is not None:
        assert fault.field is not None
        assert field in fault.field


@pytest.mark.parametrize("number", range(2, 8))
@pytest.mark.parametrize(
    "name",
    ["at", "actor", "payload", "checks", "deadlines", "policy", "key", "refused", "schema_version"],
)
def test_a_member_that_is_missing_or_of_the_wrong_type_is_named(number: int, name: str) -> None:
    for change in (without(name), put(**{name: 7 if name != "schema_version" else "7"})):
        lines = changed(number, change)
        if (
            name == "payload"
        ):  # then the personal values in it belong to nothing, which is found first
            lines[number - 1] = line_of({**record(lines[number - 1]), "private": {}})
        fault = refused(lines)
        assert fault.line == number
        assert fault.field is not None
        assert name in fault.field.split(".")


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (2, put(target="resolved")),
        (2, put(seq=2)),
        (2, put(revision=2)),
        (2, put(deadlines={"promise": "2023-03-29T02:00:00Z"})),
        (2, put(type="no_such_type")),
        (2, put(type=["dispute_opened"])),
        (2, without("type")),
        (3, put(seq=3)),
        (3, put(revision=2)),
        (3, put(deadlines={})),
        (3, put(target="resolved")),
        (4, put(source=None)),
        (4, put(source="resolved")),
        (4, put(target="resolved")),
        (4, put(target="nowhere")),
        (4, put(rules="parallel")),
        (4, put(policy="0" * 64)),
        (4, put(at="2023-03-28T02:00:00Z")),
        (4, put(deadlines={"evidence": "2023-03-29T02:00:00Z"})),
        (4, put(type="agreement_confirmed")),
        (5, put(target="penalized")),
        (7, put(outcome="no_fault")),
    ],
)
def test_an_event_that_cannot_have_happened_is_refused(
    number: int, change: Callable[[dict[str, Any]], object]
) -> None:
    assert refused(changed(number, change)).line == number


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (put(digest="0" * 64), "digest"),
        (put(digest=None), "digest"),
        (lambda found: found["policy"].update(denial="penalize"), "digest"),
        (put(policy=None), "digest"),
        (put(comment="x"), None),
        (without("digest"), None),
        (without("policy"), None),
    ],
)
def test_a_policy_that_is_not_what_its_digest_says_is_refused(
    change: Callable[[dict[str, Any]], object], field: str | None
) -> None:
    fault = refused(changed(1, change, seal=False))
    assert (fault.line, fault.field) == (1, field)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda found: found["policy"].update(denial="ignore"), "denial"),
        (lambda found: found["policy"].pop("silence"), "silence"),
        (lambda found: found["policy"].update(response=24), "response"),
        (lambda found: found["policy"]["calendar"].update(zone="Nowhere"), "zone"),
        (lambda found: found["policy"]["calendar"].update(country="XX"), "country"),
        (lambda found: found["policy"].update(x=1), "x"),
        (put(policy=None), "policy"),
        (put(policy=[]), "policy"),
    ],
)
def test_a_policy_that_is_not_complete_is_refused_although_its_digest_fits(
    change: Callable[[dict[str, Any]], object], field: str
) -> None:
    def with_digest(found: dict[str, Any]) -> None:
        change(found)
        found["digest"] = hashlib.sha256(rfc8785.dumps(found["policy"])).hexdigest()

    fault = refused(changed(1, with_digest, seal=False))
    assert fault.line == 1
    assert fault.field is not None
    assert field in fault.field.split(".")


# ---- reading: personal values --------------------------------------------------------------------


def test_erased_personal_values_leave_a_history_that_reads_and_ends_the_same() -> None:
    erased = [
        line_of({**found, "private": {}}) if "private" in (found := record(line)) else line
        for line in story()
    ]
    assert erased != list(story())
    events, history = read(erased)
    assert [event.hash for event in events] == [event.hash for event in ran(STORY).events]
    assert all(not event.private for event in events)
    (was,) = disputes(STORY)
    now = history.disputes["D-1"]
    assert (now.path, now.outcome, now.deadlines, now.seq, now.last_hash) == (
        was.path,
        was.outcome,
        was.deadlines,
        was.seq,
        was.last_hash,
    )


def test_a_single_personal_value_may_be_erased() -> None:
    events, _ = read(changed(4, lambda found: found["private"].pop("/payload/note"), seal=False))
    assert set(events[2].private) == {"/payload/vouchers/0/file_name", "/payload/vouchers/0/uri"}


NOTE = "/payload/note"
SALT = "00" * 16


@pytest.mark.parametrize(
    "change",
    [
        lambda private: private[NOTE].update(value="未协商"),
        lambda private: private[NOTE].update(value=""),
        lambda private: private[NOTE].update(salt=SALT),
        lambda private: private.update({NOTE: private["/payload/vouchers/0/uri"]}),
        lambda private: private[NOTE].update(salt="zz"),
        lambda private: private[NOTE].update(salt=7),
        lambda private: private[NOTE].update(value=None),
        lambda private: private[NOTE].update(value="\ud800"),
        lambda private: private[NOTE].update(x=1),
        lambda private: private[NOTE].pop("salt"),
        lambda private: private.update({NOTE: None}),
        lambda private: private.update({NOTE: "已协商"}),
        lambda private: private.update({"": {"salt": SALT, "value": "x"}}),
        lambda private: private.update({"/": {"salt": SALT, "value": "x"}}),
        lambda private: private.update({"note": {"salt": SALT, "value": "x"}}),
        lambda private: private.update({"/payload": {"salt": SALT, "value": "x"}}),
        lambda private: private.update({"/payload/option": {"salt": SALT, "value": "x"}}),
        lambda private: private.update({"/payload/statement": {"salt": SALT, "value": "x"}}),
        lambda private: private.update({"/payload/note/commitment": {"salt": SALT, "value": "x"}}),
        lambda private: private.update({"/payload/vouchers": {"salt": SALT, "value": "x"}}),
        lambda private: private.update({"/payload/vouchers/-1/uri": {"salt": SALT, "value": "x"}}),
        lambda private: private.update({"/payload/vouchers/1/uri": {"salt": SALT, "value": "x"}}),
        lambda private: private.update({"/payload/vouchers/²/uri": {"salt": SALT, "value": "x"}}),
        lambda private: private.update(
            {f"/payload/vouchers/{'9' * 10_000}/uri": {"salt": SALT, "value": "x"}}
        ),
        lambda private: private.update({"/payload/\ud800": {"salt": SALT, "value": "x"}}),
        lambda private: private.update({"/" * 10_000: {"salt": SALT, "value": "x"}}),
    ],
)
def test_a_personal_value_that_does_not_fit_is_refused(
    change: Callable[[dict[str, Any]], object],
) -> None:
    lines = list(story())
    found = record(lines[3])
    change(found["private"])
    lines[3] = json.dumps(found) + "\n"
    assert refused(lines).line == 4


def test_half_a_surrogate_pair_is_refused_wherever_it_stands() -> None:
    half = r'"\ud800"'
    for number, line in enumerate(story(), 1):
        for there in (
            f"{{{half}:1,{line[1:]}",
            f'{{"x":{half},{line[1:]}',
            line.replace('"merchant"', half),
            line.replace('"CN"', half),
        ):
            if there != line:
                assert refused([*story()[: number - 1], there, *story()[number:]]).line == number


# ---- whatever happens to a history ---------------------------------------------------------------


@examples(150)
@given(st.data())
def test_whatever_is_changed_in_a_history_it_is_refused_or_means_the_same(
    data: st.DataObject,
) -> None:
    text = "".join(story())
    start = data.draw(st.integers(0, len(text)))
    end = min(len(text), start + data.draw(st.integers(0, 3)))
    text = (
        text[:start]
        + data.draw(
            st.text(st.sampled_from('\n\r "{}[],:0123456789.eE-+\\unulltrefasZ'), max_size=3)
        )
        + text[end:]
    )
    try:
        events, _ = read(text.splitlines(keepends=True))
    except InputError as fault:
        assert (fault.file, fault.line is None) == (FILE, False)  # noqa: PT017 -- refusing is one of two right answers
    else:
        assert [event.hash for event in events] == [event.hash for event in ran(STORY).events][
            : len(events)
        ]


VALUES: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.sampled_from(
        [
            "",
            "x",
            "0" * 64,
            "resolved",
            "2023-03-28T02:00:00Z",
            "choose_option",
            "dispute_opened",
            "promise",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "role", "guard", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@examples(150)
@given(st.integers(1, 7), st.data())
def test_a_record_of_any_shape_is_read_or_refused_even_with_a_hash_that_fits(
    number: int, data: st.DataObject
) -> None:
    def change(found: dict[str, Any]) -> None:
        at: Any = found
        name = data.draw(st.sampled_from(list(at)))
        while isinstance(at[name], dict | list) and at[name] and data.draw(st.booleans()):
            at = at[name]
            name = data.draw(
                st.sampled_from(list(at) if isinstance(at, dict) else list(range(len(at))))
            )
        at[name] = data.draw(VALUES)

    try:
        read(changed(number, change, seal=number > 1))
    except InputError as fault:
        assert (fault.file, fault.line is None) == (FILE, False)  # noqa: PT017 -- refusing is one of two right answers


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    with atomic_text_file(pipe) as stream:
        stream.write("line\n")
    reader.join()
    assert read == ["line\n"]
    assert pipe.is_fifo()
