"""Tampering is detected: every line of every history is changed, copied, swapped and dropped.

What is found is found at its place: a change at its line, a line too many at that line, a line too
few at the next line of the same dispute. Then forgeries by somebody who makes every hash fit again:
the rules find these. And last what cannot be found, so that the docs stay true about it.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from dispute_fsm.domain.events import GENESIS
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.errors import InputError
from dispute_fsm.history.reader import InvalidRecord
from dispute_fsm.history.replay import Replayed
from tests.histories.corpus import (
    ANOTHER_WRITER,
    ERASED,
    FILES,
    Record,
    disputes,
    event_hash,
    is_policy,
    line_of,
    lines,
    named,
    rechained,
    record,
    recorded,
    refused,
    replayed,
    sha256,
)
from tests.sampling import few

pytestmark = (
    pytest.mark.no_cover
)  # tens of thousands of histories are read, and no line that others do not reach

Tell = Callable[[object], None]
Count = Callable[[str, int], None]
History = tuple[bytes, ...]

_AT_ONCE = 3
"""How many disputes of a longer history are tested together, still interleaved."""


def _histories() -> Iterator[tuple[str, History]]:
    for path in FILES:
        ids = list(disputes(path))
        if len(ids) <= _AT_ONCE:
            yield named(path), lines(path)
            continue
        for first in range(0, len(ids), _AT_ONCE):
            yield (
                f"{named(path)}-from-{first + 1}",
                _part(lines(path), set(ids[first : first + _AT_ONCE])),
            )


def _part(whole: History, ids: set[str]) -> History:
    """Take some disputes and the policies that they name out of a history, every line as it is."""
    found = [record(line) for line in whole]
    policies = {event["policy"] for event in found if event.get("dispute_id") in ids}
    return tuple(
        line
        for line, one in zip(whole, found, strict=True)
        if (one["digest"] in policies if is_policy(one) else one["dispute_id"] in ids)
    )


HISTORIES = dict(_histories())
PARTS = HISTORIES.keys() - {named(path) for path in FILES}
"""Parts of longer histories. They are many and alike, so each is changed in other ways."""

EACH = pytest.mark.parametrize("name", few(HISTORIES, 12))


def of_which(found: Record) -> str:
    """Name what a line belongs to: its dispute, or itself, where it is a policy."""
    return f"policy {found['digest']}" if is_policy(found) else f"dispute {found['dispute_id']}"


def next_to_miss(records: Sequence[Record], number: int) -> int | None:
    """Return the line (from 0) that needs this one: the next event, or the policy's first use."""
    gone = records[number]
    after = range(number + 1, len(records))
    if is_policy(gone):
        return next(later for later in after if records[later].get("policy") == gone["digest"])
    return next(
        (later for later in after if records[later].get("dispute_id") == gone["dispute_id"]), None
    )


# ---- what anybody can check ----------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_hash_and_commitment_agrees_with_rfc_8785_and_hashlib(path: Path) -> None:
    last: dict[str, str] = {}
    for line in lines(path):
        found = record(line)
        if is_policy(found):
            assert found["digest"] == sha256(rfc8785.dumps(found["policy"]))
            continue
        assert found["prev_hash"] == last.get(found["dispute_id"], GENESIS)
        assert found["hash"] == event_hash(found)
        last[found["dispute_id"]] = found["hash"]
        for pointer, kept in found["private"].items():
            place: Any = found
            for part in pointer.split("/")[1:]:
                place = place[int(part)] if isinstance(place, list) else place[part]
            value = kept["value"]
            assert place == {
                "commitment": sha256(bytes.fromhex(kept["salt"]) + value.encode()),
                "length": len(value) if value.strip() else 0,
            }
    assert last


# ---- changed -------------------------------------------------------------------------------------

OTHERS = {
    "type": ("refused", "dispute_resolved"),
    "command": ("withdraw", "annul"),
    "source": ("opened", "penalized"),
    "target": ("resolved", "opened"),
    "outcome": ("withdrawn", "no_fault"),
    "rules": ("parallel", "2023-03"),
    "refused": (["not_shipped"], ["dispute_closed"]),
    "facts": (
        None,
        {"order_id": "O-1", "asked": "x", "observed_at": "2023-03-28T02:00:00Z", "revision": "1"},
    ),
    "schema_version": (1, 0),
}
"""Valid values of members that do not accept any text; the first that differs is used."""


def otherwise(value: Any) -> Any:  # noqa: ANN401 -- JSON of any shape
    """Change a value to another plausible one: later instant, other digit, plus one, negation."""
    if isinstance(value, bool | int):
        return not value if isinstance(value, bool) else value + 1
    if isinstance(value, str):
        if re.match(r"\d{4}-\d\d-\d\dT", value):
            return format_instant(datetime.fromisoformat(value) + timedelta(seconds=1))
        return (
            ("1" if value[0] == "0" else "0") + value[1:]
            if re.fullmatch(r"[0-9a-f]{64}", value)
            else value + "x"
        )
    if isinstance(value, list):
        return [otherwise(value[0]), *value[1:]] if value else ["x"]
    if isinstance(value, dict):
        return (
            {**value, (name := next(iter(value))): otherwise(value[name])} if value else {"x": None}
        )
    return "x"


def changes(found: Record) -> Iterator[Record]:
    """Change a record in one place each: every member in turn, left out, and one too many."""
    for name, value in found.items():
        candidates = OTHERS.get(name) if not is_policy(found) else None
        yield {
            **found,
            name: next(other for other in candidates if other != value)
            if candidates
            else otherwise(value),
        }
        yield {member: found[member] for member in found if member != name}
    yield {**found, "comment": "x"}
    if is_policy(found):
        for name, value in found["policy"].items():
            yield {**found, "policy": {**found["policy"], name: otherwise(value)}}


@EACH
def test_every_change_of_a_line_is_found_in_that_line(name: str, count: Count) -> None:
    history, done = HISTORIES[name], 0
    for number, line in enumerate(history):
        for change, changed in enumerate(changes(record(line))):
            if name in PARTS and (number + change) % 6:
                continue  # there the kinds take turns
            found = refused([*history[:number], line_of(changed)])
            assert found is not None, changed
            assert found.line == number + 1
            done += 1
    assert done
    count("lines changed, and found there", done)


@EACH
def test_a_change_whose_own_hash_was_made_to_fit_is_found_in_the_next_line_of_the_dispute(
    name: str, count: Count
) -> None:
    history, done = HISTORIES[name], 0
    records = [record(line) for line in history]
    for number, one in enumerate(records):
        after = None if is_policy(one) else next_to_miss(records, number)
        if after is None:
            continue  # a dispute's last: see what cannot be found
        changed = {
            **one,
            "recorded_at": otherwise(one["recorded_at"]),
        }  # no rule asks about that: only the chain can tell
        found = refused(
            [
                *history[:number],
                line_of({**changed, "hash": event_hash(changed)}),
                *history[number + 1 :],
            ]
        )
        assert found is not None, number
        assert found.line == after + 1
        done += 1
    count("lines changed and sealed, and found in the next", done)


def test_a_change_is_found_by_a_whole_replay_as_it_is_by_strict_reading(tmp_path: Path) -> None:
    history = HISTORIES["rule-at-fault"]
    for number, line in enumerate(history):
        for changed in changes(record(line)):
            there = [*history[:number], line_of(changed), *history[number + 1 :]]
            try:
                all_found = replayed(tmp_path, there)
            except InputError as error:
                assert error.line == number + 1  # noqa: PT017 -- one of two right answers
            else:
                faults = [one if isinstance(one, InvalidRecord) else one.fault for one in all_found]
                assert number + 1 in [fault.line for fault in faults if fault is not None]


# ---- inserted, swapped, dropped ------------------------------------------------------------------

FOREIGN = tuple(
    dict.fromkeys(
        lines(path)[number]
        for path in FILES
        if named(path) in {"extend-promise", "key-reused"}
        for number in range(3)
    )
)
FOREIGN_POLICY = lines(next(path for path in FILES if named(path) == "no-rounds-left-by-policy"))[0]


def begins_another(inserted: Record, history: History, number: int) -> bool:
    """Return whether the line opens a dispute with a unique id, under a policy recorded before."""
    before = [record(line) for line in history[:number]]
    known = {found["digest"] for found in before if is_policy(found)}
    return (
        inserted.get("seq") == 1
        and inserted["policy"] in known
        and of_which(inserted) not in map(of_which, before)
    )


@EACH
def test_every_event_too_many_is_found(name: str, count: Count) -> None:
    history, done = HISTORIES[name], 0
    for number in range(len(history) + 1):
        copies = history[number - 1 : number]
        for inserted in (
            *copies,
            *(line for line in (*FOREIGN, FOREIGN_POLICY) if line not in history),
        ):
            one = record(inserted)
            if begins_another(one, history, number):
                continue  # a dispute of its own: see what cannot be found
            found = refused([*history[:number], inserted, *history[number:]])
            if is_policy(one):  # by content, so one more of them says nothing about any dispute
                assert found is None
                continue
            assert found is not None, (number, one)
            assert found.line == number + 1
            done += 1
    count("lines inserted, and found there", done)


@EACH
def test_every_line_that_changed_places_with_the_next_of_its_own_is_found(
    name: str, count: Count
) -> None:
    history, done = HISTORIES[name], 0
    records = [record(line) for line in history]
    for number in range(len(history)):
        after = next_to_miss(records, number)
        if after is None:
            continue
        swapped = list(history)
        swapped[number], swapped[after] = swapped[after], swapped[number]
        found = refused(swapped)
        assert found is not None, number
        assert found.line == number + 1
        done += 1
    count("lines swapped, and found there", done)


@EACH
def test_every_line_that_is_missing_is_found_where_it_is_missed(name: str, count: Count) -> None:
    history, done = HISTORIES[name], 0
    records = [record(line) for line in history]
    for number in range(len(history)):
        after = next_to_miss(records, number)
        if after is None:
            continue  # a dispute's last: see what cannot be found
        found = refused([*history[:number], *history[number + 1 :]])
        assert found is not None, number
        assert found.line == after  # one line up, for one is gone
        done += 1
    count("lines dropped, and found where they are missed", done)


# ---- lines that are no records, words that do not fit --------------------------------------------


def objects(found: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 -- JSON of any shape
    """Find every JSON object in a value that has members."""
    if isinstance(found, dict):
        if found:
            yield path
        for name, member in found.items():
            yield from objects(member, (*path, name))
    elif isinstance(found, list):
        for index, member in enumerate(found):
            yield from objects(member, (*path, index))


def with_a_member_twice(found: Any, path: tuple[str | int, ...], *, alike: bool) -> str:  # noqa: ANN401 -- JSON of any shape
    """Write JSON with a duplicate key at the path; its values differ unless `alike`."""
    if isinstance(found, dict):
        written = list[str]()
        for name, member in found.items():
            below = path[1:] if path[:1] == (name,) else ("",)
            value = with_a_member_twice(member, below, alike=alike)
            written.append(f"{json.dumps(name)}:{value}")
        if not path:
            name, member = next(iter(found.items()))
            written.insert(
                0, f"{json.dumps(name)}:{json.dumps(member if alike else otherwise(member))}"
            )
        return "{" + ",".join(written) + "}"
    if isinstance(found, list):
        return (
            "["
            + ",".join(
                with_a_member_twice(m, path[1:] if path[:1] == (index,) else ("",), alike=alike)
                for index, m in enumerate(found)
            )
            + "]"
        )
    return json.dumps(found, ensure_ascii=False)


@pytest.mark.parametrize(
    "name", ["rule-at-fault", "extend-promise", "not-shipped-without-shipped-at"]
)
def test_a_member_that_stands_twice_is_found_at_every_level(name: str, count: Count) -> None:
    history, done = HISTORIES[name], 0
    for number, line in enumerate(history):
        found = record(line)
        for path in objects(found):
            for alike in (True, False):
                text = with_a_member_twice(found, path, alike=alike)
                assert json.loads(text) == found, "the second of the two is the one that was there"
                error = refused([*history[:number], text.encode() + b"\n"])
                assert error is not None, path
                assert error.line == number + 1
                assert error.field is not None
                done += 1
    count("members that stand twice, and found", done)


@pytest.mark.parametrize("number", ["1e5", "1e22", "1.0", "-0", "1e-7"])
def test_no_number_written_shorter_than_it_is_hides_a_member_that_stands_twice(number: str) -> None:
    # The reader trusts a line that is as long as its canonical form; such numbers may be longer
    # there than in the file.
    history = HISTORIES["rule-at-fault"]
    for padding in range(24):
        for twice in ("", '"seq":1,'):
            text = (
                history[1].decode().replace('"seq":1', f'{twice}"seq":{number}')
                if number == "-0"
                else history[1].decode().replace("{", f'{{{twice}"x":{number},', 1)
            )
            error = refused([history[0], text.replace("\n", " " * padding + "\n").encode()])
            assert error is not None
            assert error.line == 2


def unfit(private: Record, pointer: str) -> Iterator[Record]:
    """Change the private members of an event: value, salt, shape, pointer, or one added."""
    kept = private[pointer]
    yield {pointer: {**kept, "value": kept["value"] + " "}}
    yield {pointer: {**kept, "value": "" if kept["value"] else "x"}}
    yield {pointer: {**kept, "salt": otherwise_hex(kept["salt"])}}
    yield {pointer: {**kept, "salt": kept["salt"] + "00"}}
    yield {pointer: {**kept, "more": "x"}}
    yield {pointer: {"value": kept["value"]}}
    for nowhere in (
        f"{pointer}/commitment",
        pointer.removeprefix("/"),
        "/payload",
        "/hash",
        "/private/" + pointer.replace("/", "~1"),
    ):
        yield {nowhere: kept}
    yield {**private, "/payload/nothing": kept}
    yield {**private, "": kept}


def test_private_values_that_do_not_fit_are_found(whole: bool, tell: Tell) -> None:
    count = 0
    for name, history in list(HISTORIES.items())[:: 1 if whole else 5]:
        for number, line in enumerate(history):
            found = record(line)
            ways = (
                private
                for pointer in found.get("private", {})
                for private in unfit(found["private"], pointer)
            )
            for way, private in enumerate(ways):
                if name in PARTS and (number + way) % 4:
                    continue  # there the ways take turns
                error = refused([*history[:number], line_of({**found, "private": private})])
                assert error is not None, private
                assert error.line == number + 1
                count += 1
    assert count > (500 if whole else 100)
    tell(f"private values that do not fit: {count} of {count} found in their lines")


def otherwise_hex(salt: str) -> str:
    return ("1" if salt[0] == "0" else "0") + salt[1:]


# ---- spelling ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=named)
def test_spacing_and_the_order_of_members_make_no_difference(path: Path, tmp_path: Path) -> None:
    def reversed_members(value: Any) -> Any:  # noqa: ANN401 -- JSON of any shape
        if isinstance(value, dict):
            return {name: reversed_members(value[name]) for name in reversed(value)}
        return [reversed_members(member) for member in value] if isinstance(value, list) else value

    spelt = (
        b"\t"
        + json.dumps(reversed_members(record(line)), separators=(" ,  ", " :\t")).encode()
        + b" \r\n"
        for line in lines(path)
    )
    assert replayed(tmp_path, spelt) == replayed(tmp_path, lines(path))


def test_another_writers_lines_are_spelt_otherwise_than_ours() -> None:
    for way in (b'" :  ', b'": ', rb"\u", b"+08:00", b'{"schema_version"', b'{"actor"'):
        assert any(way in line for line in lines(ANOTHER_WRITER)), way


# ---- forgeries whose hashes fit ------------------------------------------------------------------

Records = list[Record]
Forge = Callable[[Records], object]


def put(number: int, /, **members: object) -> Forge:
    return lambda found: found[number].update(members)


def in_facts(seq: int, **members: object) -> Forge:
    return lambda found: found[seq]["facts"].update(members)


def in_check(number: int, guard: str, /, **members: object) -> Forge:
    def forge(found: Records) -> None:
        next(check for check in found[number]["checks"] if check["guard"] == guard).update(members)

    return forge


def saw(number: int, guard: str, /, **members: object) -> Forge:
    def forge(found: Records) -> None:
        next(check for check in found[number]["checks"] if check["guard"] == guard)["saw"].update(
            members
        )

    return forge


def in_policy(**members: object) -> Forge:
    """Swap the policy for another that is valid, in its record and wherever it is named."""

    def forge(found: Records) -> None:
        found[0]["policy"].update(members)
        digest = sha256(rfc8785.dumps(found[0]["policy"]))
        for event in found[1:]:
            event["policy"] = digest

    return forge


def more(found: Records, event: Record, **members: object) -> None:
    """Let one more event follow the last."""
    last = found[-1]
    accepted = event["type"] != "refused"
    found.append(
        {
            **event,
            "seq": last["seq"] + 1,
            "revision": last["revision"] + accepted,
            "event_id": "more",
            **members,
        }
    )


def chosen_again(found: Records) -> None:
    more(
        found,
        found[2],
        source=found[2]["target"],
        at="2023-03-29T02:00:00Z",
        recorded_at="2023-03-29T02:00:00Z",
    )


def opened_again(found: Records) -> None:
    more(found, found[1], at="2023-03-29T09:00:00Z")


def refused_again(times: int) -> Forge:
    def forge(found: Records) -> None:
        for _ in range(times):
            more(found, found[-1])

    return forge


def gap(found: Records) -> None:
    for event in found[3:]:
        event["seq"] += 1


def without_event(seq: int) -> Forge:
    """Leave an event out and count anew."""

    def forge(found: Records) -> None:
        del found[seq]
        for event in found[seq:]:
            event["seq"] -= 1

    return forge


OTHER_HASH = "ab" * 32
LATER = "2023-03-28T07:00:01Z"
FAULT, SHIP, SILENCE, REFUSED = (
    "rule-at-fault",
    "promise-expired-kept-and-refunded",
    "silence-consent-consumer-cancels",
    "not-shipped-without-shipped-at",
)
CLOSED, KEY, EXTENDED, BAD = (
    "dispute-closed-penalized",
    "key-reused",
    "extend-promise",
    "statement-missing-and-all-other-faults",
)

# Name: the history, the place at which it must be found, and what is forged. With one dispute a
# file, an event's seq is its place among the records, the policy being number 0.
FORGERIES: dict[str, tuple[str, int, Forge]] = {
    ("outcome: a fault that is none"): (
        FAULT,
        4,
        lambda f: f[4].update(type="dispute_resolved", target="resolved", outcome="no_fault"),
    ),
    "outcome: another liability": (FAULT, 4, put(4, outcome="breach_of_promise")),
    "outcome: none at the end": (FAULT, 4, put(4, outcome=None)),
    "outcome: settled otherwise": (SHIP, 3, put(3, outcome="settled_by_cancellation")),
    ("target: penalized without an edge"): (
        SILENCE,
        2,
        put(2, type="dispute_penalized", target="penalized", outcome="no_response"),
    ),
    "target: on to another state": (
        FAULT,
        2,
        put(2, target="option_chosen.settling.awaiting_confirmation"),
    ),
    "target: nowhere": (FAULT, 2, put(2, target="nowhere")),
    "source: another state": (FAULT, 3, put(3, source="opened")),
    "type: recorded as something else": (FAULT, 2, put(2, type="evidence_requested")),
    ("deadline: response a second later"): (
        FAULT,
        1,
        put(1, deadlines={"response": "2023-03-29T02:00:01Z"}),
    ),
    ("deadline: evidence an hour later"): (
        FAULT,
        2,
        put(2, deadlines={"evidence": "2023-03-28T08:00:00Z"}),
    ),
    ("deadline: the promise without its grace"): (
        SHIP,
        2,
        lambda f: f[2]["deadlines"].update(promise="2023-03-30T10:00:00Z"),
    ),
    ("deadline: another than was asked for"): (
        EXTENDED,
        3,
        lambda f: f[3]["deadlines"].update(promise="2023-04-30T10:00:00Z"),
    ),
    ("deadline: one that stood has moved"): (
        EXTENDED,
        3,
        lambda f: f[3]["deadlines"].update(confirmation="2023-03-30T03:00:00Z"),
    ),
    ("deadline: moved by a refusal"): (
        EXTENDED,
        4,
        lambda f: f[4]["deadlines"].update(promise="2023-05-01T00:00:00Z"),
    ),
    "deadline: gone": (SHIP, 2, lambda f: f[2]["deadlines"].pop("confirmation")),
    ("deadline: one that does not stand there"): (
        FAULT,
        2,
        lambda f: f[2]["deadlines"].update(promise="2023-04-01T00:00:00Z"),
    ),
    "checks: a no that was a yes": (FAULT, 3, in_check(3, "statement_there", passed=False)),
    "checks: a yes that was a no": (REFUSED, 2, in_check(2, "shipped", passed=True)),
    "checks: saw another number": (BAD, 3, saw(3, "vouchers_few_enough", count=22)),
    "checks: true instead of 1": (SHIP, 2, saw(2, "agreement_voucher", count=True)),
    "checks: 1 instead of true": (REFUSED, 4, saw(4, "shipped", shipment=1)),
    "checks: saw one thing less": (FAULT, 3, lambda f: f[3]["checks"][1]["saw"].clear()),
    "checks: saw one thing more": (FAULT, 3, saw(3, "in_time", now="2023-03-28T04:00:00Z")),
    "checks: one is missing": (FAULT, 3, lambda f: f[3]["checks"].pop(4)),
    "checks: none at all": (FAULT, 4, put(4, checks=[])),
    "checks: one too many": (
        FAULT,
        3,
        lambda f: f[3]["checks"].append({"guard": "live", "passed": True, "saw": {}}),
    ),
    "checks: in another order": (FAULT, 3, lambda f: f[3]["checks"].reverse()),
    "checks: under another name": (FAULT, 3, in_check(3, "reason_known", guard="reason_unknown")),
    "facts: removed": (SHIP, 3, put(3, facts=None)),
    "facts: removed from a refusal": (REFUSED, 2, put(2, facts=None)),
    "facts: removed from the opening": (FAULT, 1, put(1, facts=None)),
    ("facts: nobody asked for them"): (
        FAULT,
        2,
        lambda f: f[2].update(facts={**f[1]["facts"], "observed_at": f[2]["at"]}),
    ),
    "facts: too old": (SHIP, 3, in_facts(3, observed_at="2023-03-30T16:54:59Z")),
    "facts: of another order": (SHIP, 3, in_facts(3, order_id="O-9")),
    "facts: from the future": (SHIP, 3, in_facts(3, observed_at="2023-03-30T17:00:01Z")),
    "facts: too old at the opening": (FAULT, 1, in_facts(1, observed_at="2023-03-28T01:54:59Z")),
    "facts: scanned too late": (
        SHIP,
        3,
        lambda f: f[3]["facts"]["pickup"].update(scanned_at="2023-03-30T10:00:01Z"),
    ),
    "facts: another waybill": (REFUSED, 4, lambda f: f[4]["facts"]["pickup"].update(waybill="W-2")),
    "facts: no cancel request": (SILENCE, 2, in_facts(2, cancel_request=None)),
    "refused: one code more": (REFUSED, 2, lambda f: f[2]["refused"].append("voucher_too_large")),
    "refused: one code less": (BAD, 3, lambda f: f[3]["refused"].pop()),
    "refused: in another order": (BAD, 3, lambda f: f[3]["refused"].reverse()),
    "refused: twice the same": (BAD, 3, lambda f: f[3]["refused"].append("statement_missing")),
    "refused: for another reason": (CLOSED, 3, put(3, refused=["deadline_passed"])),
    "refused: what had to be accepted": (
        FAULT,
        4,
        lambda f: f[4].update(
            type="refused",
            revision=3,
            target=f[4]["source"],
            outcome=None,
            refused=["rationale_missing"],
        ),
    ),
    "accepted: what had to be refused": (
        REFUSED,
        3,
        lambda f: (
            without_event(4)(f),
            f[3].update(
                type="option_chosen",
                revision=2,
                target="option_chosen.settling.awaiting_confirmation",
                deadlines={"confirmation": "2023-03-29T04:00:00Z"},
                refused=[],
            ),
        ),
    ),
    "actor: another merchant": (FAULT, 2, put(2, actor={"role": "merchant", "id": "M-2"})),
    "actor: another role": (FAULT, 4, put(4, actor={"role": "merchant", "id": "M-1"})),
    "actor: a merchant opens": (FAULT, 1, put(1, actor={"role": "merchant", "id": "M-1"})),
    "time: a late command is accepted": (FAULT, 3, put(3, at=LATER)),
    "time: an expiry before its instant": (SILENCE, 3, put(3, at="2023-03-29T03:00:00Z")),
    "time: back": (FAULT, 3, put(3, at="2023-03-28T02:59:59Z")),
    "time: without an offset": (FAULT, 3, put(3, at="2023-03-28T04:00:00")),
    "payload: another option": (
        SILENCE,
        2,
        lambda f: f[2]["payload"].update(option="out_of_stock_refund"),
    ),
    "payload: another promise": (
        SHIP,
        2,
        lambda f: f[2]["payload"].update(agreed_until="2023-03-31T10:00:00Z"),
    ),
    "payload: an unknown reason": (
        FAULT,
        3,
        lambda f: f[3]["payload"].update(reason="bad_weather"),
    ),
    "payload: fewer vouchers": (FAULT, 3, lambda f: f[3]["payload"].update(vouchers=[])),
    "payload: a blank rationale": (
        FAULT,
        4,
        lambda f: (f[4]["payload"]["rationale"].update(length=0), f[4].update(private={})),
    ),
    "chosen a second time": (FAULT, 5, chosen_again),
    "opened a second time": (FAULT, 5, opened_again),
    ("opened under another order in the middle"): (
        FAULT,
        2,
        lambda f: f.insert(2, {**f[1], "seq": 2, "order_id": "O-9"}),
    ),
    "key: used for two commands": (KEY, 5, put(5, key="k-1")),
    "key: reused, but under a new key": (KEY, 3, put(3, key="k-9")),
    "revision: one too high": (FAULT, 3, put(3, revision=4)),
    "revision: counts a refusal": (REFUSED, 2, put(2, revision=2)),
    "revision: true": (FAULT, 1, put(1, revision=True)),
    "seq: a gap": (FAULT, 3, gap),
    "seq: begins at 2": (FAULT, 1, put(1, seq=2)),
    "an event left out and counted anew": (
        FAULT,
        2,
        lambda f: (
            without_event(2)(f),
            [event.update(revision=event["revision"] - 1) for event in f[2:]],
        ),
    ),
    "more refusals than are recorded": (CLOSED, 8 + 45 + 1, refused_again(50)),
    ("an event of a closed dispute"): (
        FAULT,
        5,
        lambda f: more(f, f[4], source="penalized", at="2023-03-29T09:00:00Z"),
    ),
    "annulled twice": (
        CLOSED,
        9,
        lambda f: more(f, f[7], source="resolved", at="2023-03-29T07:00:00Z"),
    ),
    "chart: another digest": (FAULT, 1, put(1, chart=OTHER_HASH)),
    "policy: another by name in the middle": (FAULT, 3, put(3, policy=OTHER_HASH)),
    "policy: a longer response": (FAULT, 1, in_policy(response={"hours": 25})),
    "policy: silence means denial": (SILENCE, 3, in_policy(silence="denial")),
    "policy: a lower limit": (
        FAULT,
        2,
        in_policy(
            voucher_limits={
                "media_types": ["application/pdf"],
                "max_bytes": 1,
                "max_bytes_together": 1,
                "max_count": 1,
                "max_statement": 1,
            }
        ),
    ),
    "policy: fewer refusals are recorded": (CLOSED, 4, in_policy(max_recorded_refusals=1)),
    "rules: another version in the middle": (FAULT, 3, put(3, rules="parallel")),
    "type does not fit: penalized, but a choice": (FAULT, 2, put(2, type="dispute_penalized")),
    "type does not fit: a refusal without codes": (FAULT, 2, put(2, type="refused")),
    "type does not fit: an opening in the middle": (FAULT, 3, put(3, type="dispute_opened")),
    "type does not fit: no such type": (FAULT, 2, put(2, type="option_taken")),
    "rules: unknown version": (
        FAULT,
        1,
        lambda f: [event.update(rules="1999-01") for event in f[1:]],
    ),
    "schema version: unknown": (FAULT, 3, put(3, schema_version=2)),
    "schema version: true": (FAULT, 3, put(3, schema_version=True)),
    "schema version: as a text": (FAULT, 3, put(3, schema_version="1")),
}


def found_at(folder: Path, forged: Sequence[Record]) -> int | None:
    """Say at which line a forgery is found: by reading, by folding, or by deciding again."""
    try:
        (found,) = replayed(folder, map(line_of, forged))
    except InputError as error:
        return error.line or 0
    assert isinstance(found, Replayed)
    if found.differences:
        return found.differences[0].seq + 1
    return None if found.fault is None else found.fault.line


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_whose_hashes_fit_is_found_where_it_was_made(name: str, tmp_path: Path) -> None:
    history, place, forge = FORGERIES[name]
    found = recorded(history)
    forge(found)
    forged = list(rechained(found))
    assert forged != recorded(history)
    assert found_at(tmp_path, forged) == place + 1


def test_what_is_forged_is_nothing_but_what_the_forgery_says(tmp_path: Path, tell: Tell) -> None:
    for history in {history for history, _, _ in FORGERIES.values()}:
        assert found_at(tmp_path, list(rechained(recorded(history)))) is None
    tell(f"forgeries with hashes that fit: {len(FORGERIES)} of {len(FORGERIES)} found")


# ---- what cannot be found ------------------------------------------------------------------------


def test_a_tail_that_was_cut_off_cannot_be_found(tmp_path: Path) -> None:
    for length in range(2, len(lines(ERASED)) + 1):
        (found,) = replayed(tmp_path, lines(ERASED)[:length])
        assert isinstance(found, Replayed)
        assert (found.sound, found.events) == (True, length - 1)


def test_a_whole_dispute_that_was_added_or_left_out_cannot_be_found(tmp_path: Path) -> None:
    (one,) = replayed(tmp_path, HISTORIES["rule-at-fault"])
    both = [*HISTORIES["rule-at-fault"], *HISTORIES["key-reused"][1:]]
    found = replayed(tmp_path, both)
    assert [isinstance(dispute, Replayed) and dispute.sound for dispute in found] == [True, True]
    assert found[0] == one


def test_a_history_that_was_written_anew_and_keeps_the_rules_cannot_be_found(
    tmp_path: Path,
) -> None:
    found = recorded("rule-at-fault")
    found[4]["actor"]["id"] = "J-9"
    found[4]["payload"]["rationale"] = {
        "commitment": sha256(b"\0" * 16 + "因为".encode()),
        "length": 2,
    }
    found[4]["private"] = {"/payload/rationale": {"salt": "00" * 16, "value": "因为"}}
    next(check for check in found[4]["checks"] if check["guard"] == "by_adjudicator")["saw"][
        "id"
    ] = "J-9"
    next(check for check in found[4]["checks"] if check["guard"] == "rationale_given")["saw"][
        "length"
    ] = 2
    (dispute,) = replayed(tmp_path, map(line_of, rechained(found)))
    assert isinstance(dispute, Replayed)
    assert dispute.sound
