"""Reading histories as a stream: memory, disputes spilled to disk, compression, old versions.

What is wrong with a line is for test_history.py and test_tamper.py; here it is about files as a
whole.
"""

import gc
import gzip
import io
import json
import re
import sqlite3
import tracemalloc
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from itertools import count, zip_longest
from pathlib import Path
from typing import Any

import pytest

from dispute_fsm.decider.options import options
from dispute_fsm.domain.enums import StateName
from dispute_fsm.domain.events import SCHEMA_VERSION
from dispute_fsm.errors import InputError
from dispute_fsm.history import jsonl as history_lines
from dispute_fsm.history import reader as history_read
from dispute_fsm.history.jsonl import STANDARD_INPUT, SpillFile
from dispute_fsm.history.reader import UPCASTS, InvalidRecord, Step, read_steps, steps, upcast
from dispute_fsm.history.replay import Replayed, replay
from dispute_fsm.history.what_if import Question
from dispute_fsm.testing import given_history
from tests.command_line import run
from tests.histories.corpus import (
    ANOTHER_WRITER,
    ERASED,
    FILES,
    MANY,
    Record,
    disputes,
    event_hash,
    is_policy,
    line_of,
    lines,
    of_blank_ids,
    rechained,
    record,
    recorded,
    refused,
    replayed,
)

FILE = "x.history.jsonl"


def history(name: str) -> list[bytes]:
    return [line_of(found) for found in recorded(name)]


def error_of(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        list(steps(str(path)))
    with pytest.raises(InputError) as again:
        list(replay(str(path)))
    assert (again.value.line, again.value.message) == (caught.value.line, caught.value.message)
    assert caught.value.file == str(path)
    return caught.value


# ---- memory --------------------------------------------------------------------------------------


def many_times(times: int, folder: Path) -> Path:
    """Write thirty disputes repeatedly under new ids: the number of open disputes is constant."""
    path = folder / f"{times}.history.jsonl"
    found = [record(line) for line in lines(MANY)]
    thirty = list(disputes(MANY))[:30]
    events = [one for one in found if one.get("dispute_id") in thirty]
    with path.open("wb") as file:
        file.writelines(
            line_of(one)
            for one in found
            if is_policy(one) and one["digest"] in {event["policy"] for event in events}
        )
        for round_ in range(times):
            again = ({**event, "dispute_id": f"{event['dispute_id']}-{round_}"} for event in events)
            file.writelines(map(line_of, rechained(again)))
    return path


def peak(path: Path) -> tuple[int, int]:
    """Replay a history with a what-if; return its number of disputes and the peak memory."""
    gc.collect()
    gc.freeze()  # what the interpreter holds already is not looked through again and again
    tracemalloc.start()
    heard = count()

    def tidy(_line: bytes, _step: Step | None) -> None:
        if next(heard) % 20 == 0:
            gc.collect()  # memory that waits to be collected is not needed

    try:
        sound = sum(
            1
            for one in replay(str(path), Question(), watch=tidy)
            if isinstance(one, Replayed) and one.sound
        )
        return sound, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.unfreeze()


@pytest.mark.whole
def test_ten_times_the_file_takes_no_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tell: Callable[[object], None]
) -> None:
    monkeypatch.setattr(
        history_read, "_RECENT", 2
    )  # so that hardly any are at hand in the small file that are not in the large one
    small, large = many_times(1, tmp_path), many_times(10, tmp_path)
    assert large.stat().st_size > 9 * small.stat().st_size
    (few, low), (many, high) = peak(small), peak(large)
    assert (few, many) == (30, 300)
    tell(
        f"peak memory of replay and what-if: {low / 1e6:.2f} MB for 30 disputes, {high / 1e6:.2f} "
        "MB for 300"
    )
    assert high < 1.3 * low


def test_lines_are_read_one_by_one_not_ahead() -> None:
    whole = lines(MANY)
    taken = 0

    class Counting(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            nonlocal taken
            taken += 1
            return super().readline(size)

    for number, step in enumerate(read_steps(Counting(b"".join(whole)), FILE)):
        assert taken == step.line
        if number == 20:
            break


# ---- what waits on disk --------------------------------------------------------------------------


@pytest.mark.parametrize("recent", [0, 1, 2])
@pytest.mark.parametrize("question", [None, Question()], ids=["replay", "what-if"])
def test_a_dispute_that_goes_on_after_it_was_put_away_comes_out_the_same(
    recent: int, question: Question | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each of these goes on after it closed: here a whole other dispute happens before every line
    # that follows a closing.
    goes_on = [
        record(line)
        for name in ("dispute-closed-penalized", "erased-words")
        for line in history(name)
    ]
    between = history("withdraw-opened")
    apart: list[bytes] = [line_of(goes_on[0])]
    for number, found in enumerate(goes_on[1:]):
        if is_policy(found):
            continue
        if found["source"] in {"penalized", "resolved"}:
            apart += [
                line_of({**record(line), "dispute_id": f"between-{number}"}) for line in between[1:]
            ]
        apart.append(line_of(found))
    apart = [line_of(found) for found in rechained(map(record, apart))]
    at_once = replayed(tmp_path, apart, question)
    assert sum(isinstance(one, Replayed) and one.sound for one in at_once) == len(at_once) == 2 + 7
    monkeypatch.setattr(history_read, "_RECENT", recent)
    assert replayed(tmp_path, apart, question) == at_once
    (tmp_path / FILE).write_bytes(b"".join(apart))
    assert [step.line for step in steps(str(tmp_path / FILE))] == [
        number for number, line in enumerate(apart, 1) if not is_policy(record(line))
    ]


@pytest.mark.parametrize("recent", [0, 256])
def test_a_change_in_what_follows_a_closing_is_found_though_the_dispute_was_put_away(
    recent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_read, "_RECENT", recent)
    whole = history("dispute-closed-penalized")
    for number in range(4, len(whole)):
        changed = [*whole]
        changed[number] = line_of({**record(whole[number]), "at": "2023-04-28T02:00:00Z"})
        (one,) = replayed(tmp_path, changed)
        assert isinstance(one, Replayed)
        assert one.fault is not None
        assert (one.fault.line, one.fault.seq, one.events) == (number + 1, number, number - 1)


@pytest.mark.parametrize("recent", [0, 256])
def test_a_broken_dispute_is_told_once_and_the_others_go_on(
    recent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_read, "_RECENT", recent)
    whole = list(lines(MANY))
    before = list(replay(str(MANY)))
    ids = [one.dispute_id for one in before]
    number = next(number for number, line in enumerate(whole) if record(line).get("seq") == 2)
    broken = record(whole[number])
    whole[number] = line_of({**broken, "recorded_at": "2031-01-01T00:00:00Z"})
    after = replayed(tmp_path, whole)
    assert [one.dispute_id for one in after] == ids
    for was, now in zip(before, after, strict=True):
        assert isinstance(now, Replayed)
        if now.dispute_id == broken["dispute_id"]:
            assert now.fault is not None
            assert (now.sound, now.fault.line, now.events) == (False, number + 1, 1)
        else:
            assert now == was.model_copy(update={"file": now.file})


def test_results_come_in_the_order_in_which_disputes_begin_with_their_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history_read, "_RECENT", 3)
    found = list(replay(str(MANY)))
    begins = {
        record(line)["dispute_id"]: number
        for number, line in enumerate(lines(MANY), 1)
        if record(line).get("seq") == 1
    }
    assert [(one.dispute_id, one.line) for one in found if isinstance(one, Replayed)] == list(
        begins.items()
    )


def test_what_fits_into_memory_needs_no_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = list(replay(str(MANY)))
    monkeypatch.setattr(sqlite3, "connect", None)
    assert list(replay(str(MANY))) == expected


def test_a_spool_without_room_is_an_error_of_the_machine_and_not_of_the_file() -> None:
    spool = SpillFile()
    spool._base.execute("PRAGMA max_page_count = 8")  # noqa: SLF001 -- a disk that is full cannot be had otherwise
    with pytest.raises(OSError, match="cannot spill disputes"):
        spool.put("D-1", 1, b"x" * 1_000_000, "")
    spool.close()


# ---- watching ------------------------------------------------------------------------------------


def test_whoever_watches_hears_of_every_line() -> None:
    heard: list[tuple[bytes, Step | None]] = []
    list(replay(str(MANY), watch=lambda line, step: heard.append((line, step))))
    assert [line for line, _ in heard] == list(lines(MANY))
    assert [step is None for _, step in heard] == [is_policy(record(line)) for line in lines(MANY)]


# ---- compressed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 3])
def test_a_compressed_history_reads_as_the_plain_one(parts: int, tmp_path: Path) -> None:
    whole = history("dispute-closed-penalized")
    plain, packed = tmp_path / FILE, tmp_path / f"{FILE}.gz"
    plain.write_bytes(b"".join(whole))
    with packed.open("wb") as file:  # compressed files may be put one behind the other
        for part in range(parts):
            file.write(
                gzip.compress(
                    b"".join(whole[part * 3 : part * 3 + 3 if part < parts - 1 else None])
                )
            )
    assert list(steps(str(packed))) == list(steps(str(plain)))
    assert [one.model_copy(update={"file": ""}) for one in replay(str(packed))] == [
        one.model_copy(update={"file": ""}) for one in replay(str(plain))
    ]


def test_standard_input_is_read_as_a_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = b"".join(history("dispute-closed-penalized"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(whole)))
    (one,) = replay(STANDARD_INPUT)
    assert isinstance(one, Replayed)
    assert (one.file, one.sound, one.events) == (STANDARD_INPUT, True, 8)


def test_a_compressed_history_that_was_cut_off_says_at_which_line(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(lines(MANY)))
    path = tmp_path / f"{FILE}.gz"
    for length in (1, 9, 10, 11, len(packed) // 2, len(packed) - 9, len(packed) - 1):
        path.write_bytes(packed[:length])
        error = error_of(path)
        assert error.line is not None
        assert 1 <= error.line <= len(lines(MANY)) + 1
        assert "compressed" in error.message or "cut off" in error.message


@pytest.mark.parametrize("place", [0, 1, 2, 3, 20, 500, 5_000, -8, -4, -1])
def test_a_compressed_history_that_was_damaged_is_an_error(place: int, tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"".join(lines(MANY))))
    packed[place] ^= 0x55
    path = tmp_path / f"{FILE}.gz"
    path.write_bytes(packed)
    assert error_of(path).line is not None


def test_what_is_not_compressed_is_not_read_as_if_it_were(tmp_path: Path) -> None:
    path = tmp_path / f"{FILE}.gz"
    path.write_bytes(b"".join(history("withdraw-opened")))
    assert error_of(path).line == 1


def test_what_is_compressed_is_not_read_as_if_it_were_not(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_bytes(gzip.compress(b"".join(history("withdraw-opened"))))
    assert error_of(path).line == 1


# ---- lines that end too early or too late --------------------------------------------------------


def test_a_last_line_that_is_cut_off_is_an_error_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = history("withdraw-opened")
    path = tmp_path / FILE
    for length in (1, 2, len(whole[-1]) // 2, len(whole[-1]) - 1):
        path.write_bytes(b"".join(whole[:-1]) + whole[-1][:length])
        error = error_of(path)
        assert (error.line, "cut off" in error.message) == (len(whole), True)


def test_a_line_that_is_too_long_is_an_error_and_one_that_just_fits_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = history("withdraw-opened")
    longest = max(map(len, whole))
    path = tmp_path / FILE
    path.write_bytes(b"".join(whole))
    monkeypatch.setattr(history_lines, "MAX_LINE", longest)
    assert len(list(steps(str(path)))) == len(whole) - 1
    monkeypatch.setattr(history_lines, "MAX_LINE", longest - 1)
    error = error_of(path)
    assert (error.line, f"longer than {longest - 1} bytes" in error.message) == (
        whole.index(max(whole, key=len)) + 1,
        True,
    )


def test_a_file_that_is_not_there_is_no_fault_of_a_history(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(replay(str(tmp_path / FILE)))


def test_an_empty_history_is_whole(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"")
    assert list(replay(str(tmp_path / FILE))) == []


# ---- older and newer shapes ----------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 2, 99, -1, "1", True, None, 1.5, [1], {}])
def test_an_unknown_schema_version_lists_those_that_are_known(version: object) -> None:
    found = recorded("withdraw-opened")
    found[2]["schema_version"] = version
    if isinstance(version, float):
        found[2]["hash"] = "0" * 64
        error = refused([line_of(one) for one in found])
        assert error is not None
        assert error.line == 3
        return
    error = refused([line_of(one) for one in rechained(found)])
    assert error is not None
    assert (error.line, error.field) == (3, "schema_version")
    assert error.message.endswith(f"this package reads: {SCHEMA_VERSION}")


def of_version_0(found: Record) -> Record:
    """Write an event as a version before might have: the actor in one text, no correlation id."""
    older = {name: member for name, member in found.items() if name != "correlation_id"}
    return {
        **older,
        "actor": f"{found['actor']['role']}:{found['actor']['id']}",
        "schema_version": 0,
    }


def from_version_0(found: dict[str, Any]) -> dict[str, Any]:
    role, _, name = found["actor"].partition(":")
    return {
        **found,
        "actor": {"role": role, "id": name},
        "correlation_id": None,
        "schema_version": 1,
    }


def older(name: str, *, only: int | None = None) -> list[Record]:
    found = recorded(name)
    return list(
        rechained(
            one if is_policy(one) or only not in {None, number} else of_version_0(one)
            for number, one in enumerate(found)
        )
    )


PLANTED = {**UPCASTS, 0: from_version_0}


def read_older(found: list[Record], folder: Path) -> list[InvalidRecord | Replayed]:
    path = folder / FILE
    path.write_bytes(b"".join(map(line_of, found)))
    return list(replay(str(path), upcasts=PLANTED))


@pytest.mark.parametrize("recent", [0, 256])
@pytest.mark.parametrize("only", [None, 2, 8])
def test_an_older_shape_is_brought_up_to_date_after_its_hash_was_checked(
    only: int | None, recent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        history_read, "_RECENT", recent
    )  # where it was put away it is upcast once more
    found = older("dispute-closed-penalized", only=only)
    assert all(one["hash"] == event_hash(one) for one in found[1:])
    (one,) = read_older(found, tmp_path)
    assert isinstance(one, Replayed)
    assert (one.sound, one.events, one.undetermined) == (True, 8, ())


def test_an_older_shape_that_was_changed_is_found_by_its_hash_before_it_is_brought_up_to_date(
    tmp_path: Path,
) -> None:
    upgrades: list[int] = []

    def counted(found: dict[str, Any]) -> dict[str, Any]:
        upgrades.append(found["seq"])
        return from_version_0(found)

    found = older("dispute-closed-penalized")
    found[3]["actor"] = "merchant:M-2"
    path = tmp_path / FILE
    path.write_bytes(b"".join(map(line_of, found)))
    (one,) = replay(str(path), upcasts={0: counted})
    assert isinstance(one, Replayed)
    assert one.fault is not None
    assert (one.fault.line, upgrades) == (4, [1, 2])


def test_an_older_shape_is_validated_only_after_it_was_brought_up_to_date(tmp_path: Path) -> None:
    found = older("dispute-closed-penalized")
    found[3]["actor"] = "stranger:M-1"
    with pytest.raises(InputError) as caught:
        read_older(list(rechained(found)), tmp_path)
    assert (caught.value.line, caught.value.field) == (4, "actor")


def test_versions_are_brought_up_one_after_the_other() -> None:
    def step(version: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda found: {
            **found,
            "schema_version": version + 1,
            "by": [*found.get("by", []), version],
        }

    upgrades = {version: step(version) for version in (-2, -1, 0)}
    assert upcast({"schema_version": -2}, upgrades) == {
        "schema_version": SCHEMA_VERSION,
        "by": [-2, -1, 0],
    }
    with pytest.raises(InputError, match="this package reads: -2, -1, 0, 1"):
        upcast({"schema_version": 7}, upgrades)


# ---- policies ------------------------------------------------------------------------------------


def faults(found: Iterator[bytes] | list[bytes], folder: Path) -> tuple[list[int], list[int]]:
    """Replay; give the lines of the faults that are no dispute's, and of those that are."""
    all_found = replayed(folder, found)
    own = [one.line for one in all_found if isinstance(one, InvalidRecord)]
    of_disputes = [
        one.fault.line for one in all_found if isinstance(one, Replayed) and one.fault is not None
    ]
    return own, of_disputes


def test_the_same_policy_again_and_one_that_no_event_names_change_nothing(tmp_path: Path) -> None:
    whole, foreign = history("withdraw-opened"), lines(MANY)
    strangers = [
        line
        for line in foreign
        if is_policy(record(line)) and record(line)["digest"] != record(whole[0])["digest"]
    ]
    spaced = (
        json.dumps(dict(reversed(record(whole[0]).items()))).encode() + b"\n"
    )  # the same record, written another way
    for more in (
        [whole[0], whole[0], *whole[1:]],
        [whole[0], whole[1], spaced, *whole[2:], whole[0]],
        [whole[0], strangers[0], *whole[1:], strangers[1]],
    ):
        assert faults(more, tmp_path) == ([], [])
        (one,) = replayed(tmp_path, more)
        assert isinstance(one, Replayed)
        assert (one.sound, one.events) == (True, len(whole) - 1)
    assert replayed(tmp_path, strangers[:1]) == []


def test_a_policy_that_no_event_names_is_checked_all_the_same(tmp_path: Path) -> None:
    whole = history("withdraw-opened")
    changed = record(whole[0])
    changed["policy"]["max_promise"] = "30d"
    assert faults([*whole, line_of(changed)], tmp_path) == ([len(whole) + 1], [])
    strange = {**changed, "policy": {**changed["policy"], "max_promise": "soon"}}
    (tmp_path / FILE).write_bytes(b"".join([*whole, *map(line_of, rechained([strange]))]))
    error = error_of(tmp_path / FILE)
    assert (error.line, error.field) == (len(whole) + 1, "policy.max_promise")


def test_a_policy_is_not_at_fault_where_the_event_that_names_it_is(tmp_path: Path) -> None:
    for member, value in (("at", "2023-03-28T11:00:00Z"), ("revision", 2)):
        found = recorded("withdraw-opened")
        found[1][member] = value
        assert faults(
            map(line_of, rechained(found) if member == "revision" else found), tmp_path
        ) == ([], [2])
    opening_gone = history("withdraw-opened")
    assert faults([opening_gone[0], *opening_gone[2:]], tmp_path) == ([], [2])


def test_a_policy_that_was_changed_is_a_fault_and_so_is_the_dispute_that_names_it(
    tmp_path: Path,
) -> None:
    whole = history("withdraw-opened")
    changed = record(whole[0])
    changed["policy"]["max_promise"] = "30d"
    assert faults([line_of(changed), *whole[1:]], tmp_path) == ([1], [2])


def test_a_policy_that_is_missing_or_comes_late_is_a_fault_of_each_dispute_that_names_it(
    tmp_path: Path,
) -> None:
    first, second = history("withdraw-opened"), history("key-reused")
    assert first[0] == second[0]
    assert faults([*first[1:], *second[1:]], tmp_path) == ([], [1, len(first)])
    late = [first[1], first[0], *first[2:], *second[1:]]
    assert faults(late, tmp_path) == ([], [1])


def test_disputes_of_many_policies_each_keep_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        history_read, "_RECENT", 1
    )  # so that policies too have to be fetched from disk again
    (tmp_path / FILE).write_bytes(b"".join(lines(MANY)))
    for step in steps(str(tmp_path / FILE)):
        assert step.policy.digest == step.event.policy
    assert {step.policy.digest for step in steps(str(tmp_path / FILE))} == {
        end.policy.digest for end, _ in disputes(MANY).values()
    }


# ---- joined and filtered, line by line -----------------------------------------------------------

PLAIN = tuple(
    path
    for path in FILES
    if path.name.endswith(".jsonl") and path not in {MANY, ERASED, ANOTHER_WRITER}
)


def ends(path: Path) -> dict[str, tuple[object, ...]]:
    """Replay a history and give how each dispute ends; nothing in it may be wrong."""
    found = list(replay(str(path), Question()))
    disputes_ = [one for one in found if isinstance(one, Replayed)]
    assert len(disputes_) == len(found)
    return {
        one.dispute_id: (
            one.fault,
            one.events,
            one.state,
            one.outcome,
            one.differences,
            one.what_if,
        )
        for one in disputes_
    }


def of_their_own() -> tuple[Path, ...]:
    """Choose histories that have no dispute in common."""
    chosen: dict[str, Path] = {}
    for path in PLAIN:
        ids = {one["dispute_id"] for one in map(record, lines(path)) if not is_policy(one)}
        if not ids & chosen.keys():
            chosen.update(dict.fromkeys(ids, path))
    return tuple(dict.fromkeys(chosen.values()))


@pytest.mark.parametrize("mark", [b"", BOM_UTF8], ids=["plain", "with byte order marks"])
@pytest.mark.parametrize("packed", [False, True], ids=["jsonl", "gz"])
def test_histories_that_were_joined_end_as_their_parts_do(
    mark: bytes, packed: bool, tmp_path: Path
) -> None:
    parts = of_their_own()
    assert len(parts) > 5
    pack = gzip.compress if packed else bytes
    joined = tmp_path / (f"{FILE}.gz" if packed else FILE)
    joined.write_bytes(b"".join(pack(mark + b"".join(lines(path))) for path in parts))
    assert ends(joined) == {
        dispute_id: end for path in parts for dispute_id, end in ends(path).items()
    }
    assert list(steps(str(joined))) == [
        step._replace(line=step.line + before)
        for number, path in enumerate(parts)
        for before in [sum(len(lines(one)) for one in parts[:number])]
        for step in steps(str(path))
    ]


def test_parts_of_one_dispute_are_joined_in_order_or_line_by_line_with_another(
    tmp_path: Path,
) -> None:
    first, second = history("dispute-closed-penalized"), history("withdraw-opened")
    path = tmp_path / FILE
    path.write_bytes(
        b"".join([*first[:3], *second, first[0], *first[3:]])
    )  # rotated, each file with its policy at the head
    expected = {**ends(file_of("dispute-closed-penalized")), **ends(file_of("withdraw-opened"))}
    assert ends(path) == expected
    together = [line for pair in zip_longest(first, second, fillvalue=b"") for line in pair]
    path.write_bytes(b"".join(together))
    assert ends(path) == expected
    path.write_bytes(b"".join([first[0], *first[3:], *first[:3]]))  # out of order
    assert faults([first[0], *first[3:], *first[:3]], tmp_path) == ([], [2])


def file_of(name: str) -> Path:
    return next(path for path in FILES if path.name.startswith(f"{name}."))


def test_the_lines_of_one_dispute_with_every_policy_end_as_it_does(tmp_path: Path) -> None:
    whole = lines(MANY)
    path = tmp_path / FILE
    all_ends = ends(MANY)
    for dispute_id in list(all_ends)[:5]:
        path.write_bytes(
            b"".join(
                line
                for line in whole
                if b'"type":"policy"' in line or f'"dispute_id":"{dispute_id}"'.encode() in line
            )
        )
        assert ends(path) == {dispute_id: all_ends[dispute_id]}


@pytest.mark.parametrize(
    "write",
    [
        lambda found: json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n",
        lambda found: json.dumps(found, sort_keys=True) + "\n",
        lambda found: json.dumps(found, separators=(",", ":")) + "\r\n",
        lambda found: f" {json.dumps(found)}\t\n",
    ],
    ids=["compact", "sorted and escaped", "CRLF", "spaced"],
)
def test_records_may_be_written_another_way(write: Callable[[Record], str], tmp_path: Path) -> None:
    for name in ("dispute-closed-penalized", "another-writer", "erased-words"):
        path = tmp_path / FILE
        path.write_text("".join(map(write, recorded(name))), encoding="utf-8", newline="")
        assert ends(path) == ends(file_of(name))


def test_files_of_which_the_first_does_not_end_with_a_line_break_are_no_history(
    tmp_path: Path,
) -> None:
    path = tmp_path / FILE
    path.write_bytes(
        b"".join(history("withdraw-opened")).rstrip(b"\n") + b"".join(history("key-reused"))
    )
    assert error_of(path).line == len(history("withdraw-opened"))
    path.write_bytes(b"".join([*history("withdraw-opened"), b"\n", *history("key-reused")]))
    assert error_of(path).line == len(history("withdraw-opened")) + 1  # an empty line is no record


# ---- what was recorded is read -------------------------------------------------------------------


def test_blank_ids_and_keys_that_were_recorded_are_read_replayed_and_gone_on_with(
    tmp_path: Path,
) -> None:
    path = tmp_path / FILE
    path.write_bytes(of_blank_ids())
    (one,) = replay(str(path), Question())
    assert isinstance(one, Replayed)
    assert (one.dispute_id, one.sound, one.what_if is not None) == (" ", True, True)
    told = list(steps(str(path)))
    assert one.events == len(told) == 4
    dispute = told[-1].after
    assert dispute.state is StateName.AWAITING_EVIDENCE
    assert {view.open for view in options(told[0].after, None, told[0].event.at)} == {True, None}
    case = given_history([step.event for step in told], told[0].policy)
    case.when("+60d", "sweep").then(outcome="evidence_overdue")
    with pytest.raises(InputError, match="blank"):
        case.when("+60d", "withdraw", by={"role": "consumer", "id": "\u2003"})


@pytest.mark.parametrize("command", [("show", "--dispute", " "), ("options",), ("replay",)])
def test_a_dispute_with_a_blank_id_that_was_recorded_is_shown(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / FILE
    path.write_bytes(of_blank_ids())
    assert run(*command, path).code == 0


@pytest.mark.parametrize(
    "spell",
    [lambda text: text.lower(), lambda text: text.replace("Z", "+00:00")],
    ids=["small", "offset"],
)
def test_instants_may_be_spelt_another_way_and_the_hash_is_of_what_the_line_says(
    spell: Callable[[str], str], tmp_path: Path
) -> None:
    def spelt(value: Any, name: str = "") -> Any:  # noqa: ANN401 -- JSON of any shape
        if isinstance(value, dict):
            return {
                key: member if key in {"saw", "private"} else spelt(member, key)
                for key, member in value.items()
            }
        if isinstance(value, list):
            return [spelt(member, name) for member in value]
        instant = isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value)
        return spell(value) if instant else value

    changed = [
        one if is_policy(one) else spelt(one) for one in recorded("dispute-closed-penalized")
    ]
    path = tmp_path / FILE
    path.write_bytes(b"".join(map(line_of, rechained(changed))))
    assert ends(path) == ends(file_of("dispute-closed-penalized"))
    assert [step.event.at for step in steps(str(path))] == [
        step.event.at for step in steps(str(file_of("dispute-closed-penalized")))
    ]
    assert faults([line_of(changed[0]), *map(line_of, changed[1:])], tmp_path) == (
        [],
        [2],
    )  # hashed as it was spelt before
