"""Redacting: personal values are removed, hashes stay valid, and ids are replaced everywhere.

The command runs in a small application of its own, in this process.
"""

import gzip
import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import rfc8785
import structlog

from dispute_fsm.domain.commands import ChoicePayload, EvidencePayload
from dispute_fsm.domain.enums import Outcome, Role
from dispute_fsm.domain.events import AuditEvent, DisputeOpened
from dispute_fsm.domain.policy import Policy
from dispute_fsm.errors import InputError
from dispute_fsm.history import reader as reading
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_records
from dispute_fsm.history.messages import Missing
from dispute_fsm.history.redact import IdKind, Pseudonyms, ids_replaced, redact, redacted_lines
from dispute_fsm.history.redecide import Undetermined
from dispute_fsm.history.replay import Replayed, replay
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import run_scenario
from tests import command_line
from tests.support import CORPUS, ran, read_back

FILE = "x.history.jsonl"
NAMES = Pseudonyms(b"sixteen bytes at least")
Recorded = tuple[AuditEvent, Policy]

REPLACED = {
    *("dispute_id", "event_id", "actor.id", "key", "order_id", "merchant_id", "consumer_id"),
    *(
        "checks.saw.id",
        "checks.saw.waybill",
        "checks.saw.shipped_waybill",
        "payload.vouchers.sha256",
    ),
    *("facts.order_id", "facts.revision", "facts.shipment.waybill", "facts.pickup.waybill"),
}
"""Where ids stand in the corpus; a correlation id is the host's own, and here is no host."""

REBUILT = {"prev_hash", "hash", "package"}
"""What else is another where ids were replaced."""

STORY = """\
dispute: {dispute_id: D-1, opened_at: 2023-03-28T10:00:00+08:00}
steps:
  - {at: +1h, do: choose_option, with: {option: prove_no_fault, note: 稍后举证}}
  - at: +2h
    do: submit_evidence
    with:
      reason: carrier_fault
      vouchers:
        - kind: carrier_certificate
          file_name: 王五.png
          media_type: image/png
          size: 1
          sha256: DIGEST
          uri: s3://王五
      statement: 网点积压
  - {at: +3h, do: rule_at_fault, with: {rationale: 凭证不足}}
  - {at: +4h, do: withdraw, expect: {refused: [dispute_closed]}}
  - {at: +5h, do: annul, with: {rationale: 申诉成立}}
  - {at: +6h, do: withdraw, expect: {refused: [dispute_closed]}}
expect: {outcome: annulled, events: 7}
""".replace("DIGEST", "a" * 64)
SHORT = (
    "dispute: {dispute_id: ID, opened_at: 2023-03-28T10:30:00+08:00}\nsteps: [{at: +1h, do: "
    "withdraw}]\n"
)
SAME_KEY = """\
dispute: {dispute_id: D-1, opened_at: 2023-03-28T10:00:00+08:00}
steps:
  - {at: +1h, do: choose_option, key: k-1, with: {option: prove_no_fault, note: 稍后举证}}
  - at: +2h
    do: choose_option
    key: k-1
    with: {option: prove_no_fault, note: 马上举证}
    expect: {refused: [key_reused]}
"""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Log no decision: thousands are made of times."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


class Ran(NamedTuple):
    code: int
    out: bytes
    err: str


def run(*arguments: str | Path, given: bytes = b"") -> Ran:
    done = command_line.run("redact", *arguments, given=given)
    return Ran(done.code, done.out.encode(), done.err)


def recorded(text: str) -> list[Recorded]:
    result = run_scenario(parse_scenario(text, "x.dispute.yaml"))
    assert result.failures == ()
    return [(event, result.scenario.opening.policy) for event in result.events]


def written(events: list[Recorded]) -> bytes:
    stream = io.StringIO()
    write_records(stream, events)
    return stream.getvalue().encode()


@cache
def made() -> bytes:
    """Give a made-up history of many disputes, interleaved."""
    return written(list(generate(250, 7)))


@cache
def every_history() -> Mapping[str, bytes]:
    """Give the history of every scenario that opens a dispute, and the made-up one."""
    found = {
        path.name: written(
            [(event, ran(path).scenario.opening.policy) for event in ran(path).events]
        )
        for path in CORPUS
    }
    return {**{name: history for name, history in found.items() if history}, "made up": made()}


@pytest.fixture
def histories(*, whole: bool) -> Mapping[str, bytes]:
    """Give all of them, or the last of each ten and so the made-up one."""
    every = every_history()
    return {name: every[name] for name in [*every][:: -1 if whole else -10]}


@cache
def story() -> bytes:
    """Give a history in which a dispute goes on long after it closed, other disputes in between."""
    first, others = (
        recorded(STORY),
        [recorded(SHORT.replace("ID", f"D-{number}")) for number in range(2, 9)],
    )
    return written([*first[:4], *chain(*others[:4]), *first[4:6], *chain(*others[4:]), *first[6:]])


def changed(history: bytes, names: Pseudonyms | None = None) -> str:
    return "".join(redacted_lines(io.BytesIO(history), FILE, names))


@cache
def erased(name: str) -> str:
    return changed(every_history()[name])


@cache
def replaced(name: str) -> str:
    return changed(every_history()[name], NAMES)


def records(history: str | bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in history.splitlines()]


def events(history: str | bytes) -> list[dict[str, Any]]:
    return [record for record in records(history) if record["type"] != "policy"]


def replayed(tmp_path: Path, history: str | bytes) -> list[Replayed]:
    path = tmp_path / FILE
    path.write_bytes(history.encode() if isinstance(history, str) else history)
    found = [each for each in replay(str(path)) if isinstance(each, Replayed)]
    assert [each.fault or each.differences for each in found if not each.sound] == []
    return found


def told(found: list[Replayed]) -> list[tuple[object, ...]]:
    """Return how each dispute ends, whatever its id, and what could not be decided again."""
    return [
        (each.line, each.rules, each.events, each.state, each.outcome, each.undetermined)
        for each in found
    ]


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Go through the values of a record, each with the names of the members that lead there."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member, path)
    else:
        yield path, value


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    hashed = {name: member for name, member in record.items() if name not in {"hash", "private"}}
    return {**record, "hash": hashlib.sha256(rfc8785.dumps(hashed)).hexdigest()}


# ---- erasing -------------------------------------------------------------------------------------


def test_only_private_is_emptied_and_every_hash_still_fits(histories: Mapping[str, bytes]) -> None:
    for name, history in histories.items():
        was, now = (
            history.decode().splitlines(keepends=True),
            erased(name).splitlines(keepends=True),
        )
        for before, after in zip(was, now, strict=True):
            record = json.loads(before)
            expected = record if record["type"] == "policy" else {**record, "private": {}}
            assert (
                after == json.dumps(expected, ensure_ascii=False, separators=(",", ":")) + "\n"
            ), name
        read_back(erased(name))


def test_no_personal_value_and_no_salt_is_left_anywhere(histories: Mapping[str, bytes]) -> None:
    looked = 0
    for name, history in histories.items():
        private = [kept for event in events(history) for kept in event["private"].values()]
        for text in (erased(name), replaced(name)):
            told = "".join(
                line for line in text.splitlines() if '"type":"policy"' not in line
            )  # a policy has words of its own
            for kept in private:
                quoted = json.dumps(kept["value"], ensure_ascii=False)
                assert kept["salt"] not in told, name
                assert quoted not in told, name
                assert len(quoted) < 10 or quoted[1:-1] not in told, (
                    name
                )  # a short word stands in others too
        looked += len(private)
    assert looked > 500


def test_what_was_erased_is_decided_again_as_recorded(
    histories: Mapping[str, bytes], tmp_path: Path
) -> None:
    for name in histories:
        assert [
            each.undetermined for each in replayed(tmp_path, erased(name)) if each.undetermined
        ] == [], name


@pytest.mark.parametrize("names", [None, NAMES], ids=["erased", "replaced"])
def test_only_a_refusal_for_the_words_themselves_cannot_be_decided_again(
    names: Pseudonyms | None, tmp_path: Path
) -> None:
    (found,) = replayed(tmp_path, changed(written(recorded(SAME_KEY)), names))
    assert found.undetermined == (Undetermined(seq=3, missing=Missing.PERSONAL_DATA),)


def test_a_line_that_is_written_another_way_keeps_its_members_their_order_and_its_hash() -> None:
    policy, opening, *_ = made().splitlines(keepends=True)
    record = json.loads(opening)
    record["at"] = record["at"].replace(
        "Z", "+00:00"
    )  # another spelling: a model would write it back as Z
    record = sealed(dict(reversed(record.items())))
    spaced = json.dumps(record, indent=None, separators=(" , ", " : ")).encode() + b"\n"
    lines = changed(policy + spaced).splitlines()
    assert list(json.loads(lines[1]).items()) == list({**record, "private": {}}.items())
    assert lines[0].encode() + b"\n" == policy
    read_back("\n".join(lines) + "\n")


def test_one_record_can_be_redacted_by_itself() -> None:
    record = next(event for event in events(made()) if event["private"])
    assert redact(record) == {**record, "private": {}}
    assert record["private"]


def test_erasing_twice_changes_nothing() -> None:
    assert changed(erased("made up").encode()) == erased("made up")


# ---- replacing ids -------------------------------------------------------------------------------


def test_just_the_ids_are_others_everywhere_and_null_stays_null(
    histories: Mapping[str, bytes],
) -> None:
    where = set[str]()
    for name in histories:
        for before, after in zip(records(erased(name)), records(replaced(name)), strict=True):
            was, now = list(leaves(before)), list(leaves(after))
            assert [path for path, _ in was] == [path for path, _ in now], name
            where |= {
                path for (path, value), (_, other) in zip(was, now, strict=True) if value != other
            }
            assert all(
                value is not None
                for (_, value), (_, other) in zip(was, now, strict=True)
                if value != other
            )
            kept = {
                path
                for (path, value), (_, other) in zip(was, now, strict=True)
                if value == other and value is not None
            }
            assert not kept & REPLACED, name
    assert where == REPLACED | REBUILT


def test_no_id_is_left_anywhere(histories: Mapping[str, bytes]) -> None:
    looked = 0
    for name, history in histories.items():
        text = replaced(name)
        for id_ in set(named(history)):
            if id_ in set(Role):  # in scenarios the actors without a name are called by their role
                continue
            assert json.dumps(id_, ensure_ascii=False) not in text, (name, id_)
            assert len(id_) < 8 or id_ not in text, (name, id_)
            looked += 1
    assert looked > 1_000


def named(history: str | bytes) -> list[str]:
    """Give every id of a history, in the order in which they stand, repetitions too."""
    return [id_ for event in read_back(history).events for _, id_ in ids(event)]


def ids(event: AuditEvent) -> Iterator[tuple[str, str]]:
    """Go through the ids of an event, each with what it is an id of."""
    found: list[tuple[str, str | None]] = [
        *[
            ("dispute", event.dispute_id),
            ("event", event.event_id),
            ("key", event.key),
            ("correlation", event.correlation_id),
        ],
        (event.actor.role.value, event.actor.id),
    ]
    if isinstance(event, DisputeOpened):
        found += [
            ("order", event.order_id),
            ("merchant", event.merchant_id),
            ("consumer", event.consumer_id),
        ]
    if isinstance(event.payload, ChoicePayload | EvidencePayload):
        found += [("file", voucher.sha256) for voucher in event.payload.vouchers]
    if (facts := event.facts) is not None:
        found += [("order", facts.order_id), ("revision", facts.revision)]
        found += [
            ("waybill", record.waybill)
            for record in (facts.shipment, facts.pickup)
            if record is not None
        ]
    for check in event.checks:
        seen: list[tuple[str, object]] = [(event.actor.role.value, check.saw.get("id"))]
        seen += [("waybill", check.saw.get(name)) for name in ("waybill", "shipped_waybill")]
        found += [(kind, id_ if isinstance(id_, str) else None) for kind, id_ in seen]
    return ((kind, id_) for kind, id_ in found if id_ is not None)


def test_equal_ids_stay_equal_and_different_ones_different_over_all_files(
    histories: Mapping[str, bytes],
) -> None:
    there, back = dict[tuple[str, str], str](), dict[tuple[str, str], str]()
    for name, history in histories.items():
        for before, after in zip(
            read_back(history).events, read_back(replaced(name)).events, strict=True
        ):
            for (kind, id_), (other_kind, pseudonym) in zip(ids(before), ids(after), strict=True):
                assert kind == other_kind
                assert there.setdefault((kind, id_), pseudonym) == pseudonym
                assert back.setdefault((kind, pseudonym), id_) == id_
    assert len(there) > 1_000
    assert {kind for kind, _ in there} == {*(kind.name.lower() for kind in IdKind)} - {
        "correlation"
    }


def test_the_replaced_history_is_valid_reproduced_and_ends_the_same_dispute_by_dispute(
    histories: Mapping[str, bytes],
    tmp_path: Path,
) -> None:
    for name in histories:
        assert told(replayed(tmp_path, replaced(name))) == told(replayed(tmp_path, erased(name))), (
            name
        )


def test_every_opening_is_marked_once() -> None:
    for history, marked in (
        (erased("made up"), False),
        (replaced("made up"), True),
        (changed(replaced("made up").encode(), NAMES), True),
    ):
        openings = [
            event for event in read_back(history).events if isinstance(event, DisputeOpened)
        ]
        assert len(openings) == 250
        for opening in openings:
            assert ids_replaced(opening) is marked
            assert (
                opening.package.count("+ids-replaced")
                == opening.package.count("ids-replaced")
                == marked
            )


@pytest.mark.parametrize(
    ("package", "mark"),
    [("0.1.0+local.2", "0.1.0+local.2.ids-replaced"), ("1.0.0-ids-replaced", None)],
)
def test_the_mark_is_a_build_part_beside_others(package: str, mark: str | None) -> None:
    policy, opening, *_ = made().splitlines(keepends=True)
    given = (
        policy + json.dumps(sealed({**json.loads(opening), "package": package})).encode() + b"\n"
    )
    assert events(changed(given, NAMES))[0]["package"] == (mark or f"{package}+ids-replaced")


def test_an_opening_that_cannot_take_the_mark_is_an_error() -> None:
    policy, opening, *_ = made().splitlines(keepends=True)
    given = (
        policy + json.dumps(sealed({**json.loads(opening), "package": "x" * 200})).encode() + b"\n"
    )
    with pytest.raises(InputError) as caught:
        changed(given, NAMES)
    assert (caught.value.file, caught.value.line, caught.value.field) == (FILE, 2, "package")


def test_a_correlation_id_is_replaced_too() -> None:
    policy, opening, *_ = made().splitlines(keepends=True)
    given = (
        policy
        + json.dumps(sealed({**json.loads(opening), "correlation_id": "trace-17"})).encode()
        + b"\n"
    )
    assert events(changed(given, NAMES))[0]["correlation_id"] == NAMES.of(
        IdKind.CORRELATION, "trace-17"
    )


@pytest.mark.parametrize("names", [None, NAMES], ids=["erased", "replaced"])
def test_a_dispute_that_goes_on_long_after_it_closed_goes_on_in_its_chain(
    names: Pseudonyms | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [changed(history, names) for history in (story(), made())]
    monkeypatch.setattr(reading, "_RECENT", 1)
    assert [changed(history, names) for history in (story(), made())] == expected
    found = {each.line: each for each in replayed(tmp_path, expected[0])}
    assert (found[2].events, found[2].outcome) == (7, Outcome.ANNULLED)
    assert len(found) == 8


# ---- pseudonyms ----------------------------------------------------------------------------------


def test_a_pseudonym_tells_its_kind_and_hangs_on_kind_value_and_secret() -> None:
    name = NAMES.of(IdKind.MERCHANT, "M-1")
    assert name.startswith("M-")
    assert len(name) == 18
    assert name == Pseudonyms(NAMES.secret).of(IdKind.MERCHANT, "M-1")
    others = [
        NAMES.of(IdKind.MERCHANT, "M-2"),
        NAMES.of(IdKind.CONSUMER, "M-1"),
        Pseudonyms(b"another secret 16").of(IdKind.MERCHANT, "M-1"),
    ]
    assert len({each.partition("-")[2] for each in (name, *others)}) == 4


def test_a_secret_does_not_show_and_is_never_short() -> None:
    assert "sixteen" not in repr(NAMES)
    Pseudonyms(bytes(16))
    with pytest.raises(InputError):
        Pseudonyms(bytes(15))


# ---- the command ---------------------------------------------------------------------------------


@pytest.fixture
def history(tmp_path: Path) -> Path:
    (tmp_path / FILE).write_bytes(story())
    return tmp_path / FILE


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    (tmp_path / "key").write_bytes(NAMES.secret)
    return tmp_path / "key"


def test_it_writes_the_file(history: Path, tmp_path: Path) -> None:
    done = run(history, "-o", tmp_path / "out.jsonl")
    assert (done.code, done.out) == (0, b"")
    assert (tmp_path / "out.jsonl").read_text("utf-8") == changed(story())


def test_compressed_files_and_standard_streams_give_the_same(history: Path, tmp_path: Path) -> None:
    packed, out = tmp_path / "x.history.jsonl.gz", tmp_path / "out.history.jsonl.gz"
    packed.write_bytes(gzip.compress(story()))
    assert run(packed, "-o", out).code == 0
    assert gzip.decompress(out.read_bytes()).decode() == changed(story())
    assert run("-", "-o", "-", given=story()) == (0, changed(story()).encode(), "")
    assert run(history, "-o", "-") == (0, changed(story()).encode(), "")


def test_a_history_can_be_erased_in_place(history: Path) -> None:
    assert run(history, "-o", history).code == 0
    assert history.read_text("utf-8") == changed(story())


def test_a_key_file_gives_the_same_pseudonyms_over_runs_and_files(
    history: Path, key_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.history.jsonl"
    other.write_bytes(written(recorded(SHORT.replace("ID", "D-9"))))
    options = ("-o", "-", "--replace-ids", "--key-file", key_file)
    assert (
        run(history, *options).out.decode()
        == run(history, *options).out.decode()
        == changed(story(), NAMES)
    )
    one, two = (events(run(path, *options).out) for path in (history, other))
    assert {one[0]["merchant_id"], one[0]["actor"]["id"]} == {
        two[0]["merchant_id"],
        two[0]["actor"]["id"],
    }
    assert one[0]["dispute_id"] != two[0]["dispute_id"]


def test_without_a_key_file_each_run_has_pseudonyms_of_its_own(history: Path) -> None:
    runs = [run(history, "-o", "-", "--replace-ids").out for _ in range(2)]
    ids_of = [{id_ for event in read_back(each).events for _, id_ in ids(event)} for each in runs]
    assert not ids_of[0] & ids_of[1]


def cut(history: bytes) -> bytes:
    return history[:-1]


def forged(history: bytes) -> bytes:
    return history.replace("凭证不足".encode(), "凭证充足".encode())


def changed_policy(history: bytes) -> bytes:
    return history + history.splitlines(keepends=True)[0].replace(
        b'"max_promise":"15d"', b'"max_promise":"30d"'
    )


def swapped(history: bytes) -> bytes:
    lines = history.splitlines(keepends=True)
    return b"".join([*lines[:2], lines[3], lines[2], *lines[4:]])


@pytest.mark.parametrize("fault", [cut, forged, changed_policy, swapped])
@pytest.mark.parametrize("options", [(), ("--replace-ids",)], ids=["erased", "replaced"])
def test_of_a_history_that_is_not_whole_no_file_appears(
    fault: Callable[[bytes], bytes], options: tuple[str, ...], history: Path, tmp_path: Path
) -> None:
    history.write_bytes(fault(story()))
    out = tmp_path / "out" / "out.history.jsonl"
    out.parent.mkdir()
    done = run(history, "-o", out, *options)
    assert (done.code, done.out) == (2, b"")
    assert done.err.startswith(f"dispute-fsm: {history}:")
    assert list(out.parent.iterdir()) == []


def test_a_file_that_was_there_stays_where_the_history_is_not_whole(
    history: Path, tmp_path: Path
) -> None:
    history.write_bytes(cut(story()))
    out = tmp_path / "out.history.jsonl"
    out.write_text("as it was")
    assert run(history, "-o", out).code == 2
    assert out.read_text() == "as it was"


def test_a_history_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    done = run(tmp_path / "none.jsonl", "-o", tmp_path / "out.jsonl")
    assert done.code == 2
    assert "none.jsonl" in done.err
    assert not (tmp_path / "out.jsonl").exists()


def test_a_key_file_that_is_too_short_or_not_there_or_of_no_use_is_an_error(
    history: Path, key_file: Path, tmp_path: Path
) -> None:
    short, none, out = tmp_path / "short", tmp_path / "none", tmp_path / "out.jsonl"
    short.write_bytes(bytes(15))
    for wrong in (short, none):
        done = run(history, "-o", out, "--replace-ids", "--key-file", wrong)
        assert done.code == 2
        assert str(wrong) in done.err
    assert run(history, "-o", out, "--key-file", key_file).code == 2
    assert not out.exists()


def test_a_folder_is_no_file_to_write(history: Path, tmp_path: Path) -> None:
    done = run(history, "-o", tmp_path)
    assert done.code == 2
    assert str(tmp_path) in done.err


def test_a_run_without_an_output_is_wrong_usage(history: Path) -> None:
    assert run(history).code == 2
