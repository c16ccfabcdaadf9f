"""Recorded commands decided again: every history is reproduced, and every member is compared.

Each member of an event is on exactly one list of why a replay may trust it. What is said to be
compared is forged here and must be found; what is said not to matter is changed and must not.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from dispute_fsm.domain.commands import DEFAULT_VERSION
from dispute_fsm.domain.enums import CommandType, EventType, Outcome, RefusalCode
from dispute_fsm.domain.events import EVENT_CLASSES
from dispute_fsm.errors import InputError
from dispute_fsm.history.messages import Drift, Missing
from dispute_fsm.history.reader import steps
from dispute_fsm.history.redecide import (
    CHECKED_BY_FOLDING,
    COMPARED,
    INPUTS,
    NOT_COMPARED,
    Undetermined,
    redecide,
)
from dispute_fsm.history.replay import Replayed, replay
from dispute_fsm.machine.transition_table import AS_BEFORE
from dispute_fsm.rules.registry import rule_version
from tests.histories.corpus import (
    ERASED,
    FILES,
    disputes,
    is_policy,
    line_of,
    lines,
    named,
    rechained,
    record,
    recorded,
    replayed,
)

TABLE = rule_version(DEFAULT_VERSION).table
Edge = tuple[str, CommandType, str, Outcome | None]

# A denied out-of-stock refund is judged at once: it never gets to the review whose row it shares
# with the other settlements.
CANNOT_HAPPEN: Edge = (
    "option_chosen.settling.denial_under_review",
    CommandType.RULE_NO_FAULT,
    "resolved",
    Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND,
)
# Refusals of an opening leave no dispute to record them in.
NOT_RECORDED = {RefusalCode.ORDER_NOT_FOUND, RefusalCode.DISPUTE_EXISTS}


# ---- the recorded histories ----------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_recorded_history_comes_out_as_it_was_recorded(path: Path) -> None:
    found = list(replay(str(path)))
    assert [dispute.dispute_id for dispute in found] == list(disputes(path))
    for dispute in found:
        assert isinstance(dispute, Replayed)
        assert (dispute.fault, dispute.differences) == (None, ())
        assert dispute.sound
        end, events = disputes(path)[dispute.dispute_id]
        assert (dispute.state, dispute.outcome, dispute.events) == (
            end.state,
            end.outcome,
            len(events),
        )
        assert (dispute.undetermined == ()) is (path != ERASED)


def test_the_recorded_histories_take_every_edge_and_have_every_code(
    tell: Callable[[object], None],
) -> None:
    edges: set[Edge] = set()
    for row in (row for rows in TABLE.transitions.values() for row in rows):
        by_option = row.rule.outcome
        assert by_option is not AS_BEFORE
        outcomes = set(by_option.values()) if isinstance(by_option, Mapping) else {by_option}
        edges |= {(row.source, row.event, row.target, outcome) for outcome in outcomes}
    events = [event for path in FILES for _, found in disputes(path).values() for event in found]
    of_table = [
        event
        for event in events
        if event.rules == DEFAULT_VERSION and event.type is not EventType.REFUSED
    ]
    taken = {(e.source, e.command, e.target, e.outcome) for e in of_table if e.source is not None}
    assert edges - taken == {CANNOT_HAPPEN}
    assert taken < edges
    codes = {code for event in events for code in event.refused}
    assert set(RefusalCode) - codes == NOT_RECORDED
    assert {event.type for event in events} == set(EventType)
    tell(
        f"{len(FILES)} recorded histories, {len(events)} events: {len(taken)} of {len(edges)} "
        f"edges, {len(codes)} refusal codes"
    )


def test_no_two_recorded_histories_share_a_dispute() -> None:
    ids = [name for path in FILES for name in disputes(path)]
    assert len(set(ids)) == len(ids)


# ---- the lists -----------------------------------------------------------------------------------

MEMBERS = {name for kind in EVENT_CLASSES.values() for name in kind.model_fields}


def test_every_member_of_every_event_is_on_exactly_one_list() -> None:
    listed = [*CHECKED_BY_FOLDING, *INPUTS, *COMPARED, *NOT_COMPARED]
    assert sorted(listed) == sorted(MEMBERS)


FORGERIES: dict[str, tuple[str, int, Callable[[dict[str, Any]], object], Drift]] = {
    "type": (
        "not-shipped-without-shipped-at",
        4,
        lambda e: e.update(
            type="refused",
            revision=1,
            target="opened",
            deadlines={"response": "2023-03-29T02:00:00Z"},
            refused=["not_shipped"],
        ),
        Drift.NEWLY_ACCEPTED,
    ),
    "target": (
        "silence-consent-consumer-cancels",
        2,
        lambda e: e.update(
            type="dispute_resolved",
            target="resolved",
            outcome="settled_by_cancellation",
            deadlines={},
        ),
        Drift.OUTCOME,
    ),
    "outcome": (
        "promise-expired-kept-and-refunded",
        3,
        lambda e: e.update(outcome="settled_by_cancellation"),
        Drift.OUTCOME,
    ),
    "checks": (
        "rule-at-fault",
        3,
        lambda e: e["checks"][0]["saw"].update(id="M-2"),
        Drift.EXPLANATION,
    ),
    "facts": (
        "rule-at-fault",
        2,
        lambda e: e.update(
            facts={"order_id": "O-1001", "asked": "x", "observed_at": e["at"], "revision": "1"}
        ),
        Drift.EXPLANATION,
    ),
    "deadlines": (
        "rule-at-fault",
        2,
        lambda e: e["deadlines"].update(evidence="2023-03-28T09:00:00Z"),
        Drift.DEADLINE,
    ),
    "refused": (
        "not-shipped-without-shipped-at",
        2,
        lambda e: e["refused"].remove("not_shipped"),
        Drift.EXPLANATION,
    ),
    "chart": ("rule-at-fault", 1, lambda e: e.update(chart="ab" * 32), Drift.CHART),
}


def test_there_is_a_forgery_for_each_member_that_is_decided_again() -> None:
    assert sorted(FORGERIES) == sorted(COMPARED)


@pytest.mark.parametrize("name", COMPARED)
def test_what_is_decided_again_is_compared(name: str, tmp_path: Path) -> None:
    history, seq, forge, drift = FORGERIES[name]
    found = recorded(history)
    forge(found[seq])
    (dispute,) = replayed(tmp_path, map(line_of, rechained(found[: seq + 1])))
    assert isinstance(dispute, Replayed)
    assert dispute.fault is None, (
        "the forgery must be such that only the decision made again can show it"
    )
    (difference,) = dispute.differences
    assert (difference.seq, difference.drift) == (seq, drift)
    assert name in {change.field for change in difference.changes}
    assert not dispute.sound


def test_what_a_guard_saw_is_compared_with_its_type(tmp_path: Path) -> None:
    found = recorded("rule-at-fault")
    check = next(check for check in found[1]["checks"] if check["guard"] == "order_exists")
    assert check["saw"] == {"order": True}
    check["saw"]["order"] = 1  # in Python, they are equal
    (dispute,) = replayed(tmp_path, map(line_of, rechained(found)))
    assert isinstance(dispute, Replayed)
    (difference,) = dispute.differences
    assert (difference.seq, difference.guard) == (1, "order_exists")


def test_what_a_guard_saw_may_be_recorded_in_any_order(tmp_path: Path) -> None:
    found = recorded("rule-at-fault")
    for event in found[1:]:
        for check in event["checks"]:
            check["saw"] = dict(reversed(check["saw"].items()))
    (dispute,) = replayed(tmp_path, map(line_of, found))
    assert isinstance(dispute, Replayed)
    assert dispute.sound


@pytest.mark.parametrize("name", NOT_COMPARED)
@pytest.mark.parametrize(
    "history", ["rule-at-fault", "dispute-closed-penalized", "another-writer", "erased-words"]
)
def test_what_is_not_compared_does_not_matter(name: str, history: str, tmp_path: Path) -> None:
    found = recorded(history)
    before = replayed(tmp_path, map(line_of, found))
    other = {
        "event_id": "another",
        "recorded_at": "2031-01-01T00:00:00Z",
        "correlation_id": "another",
        "package": "99.0",
    }[name]
    changed = 0
    for event in found[1:]:
        if name in event:
            event[name] = other
            changed += 1
    assert changed == (1 if name == "package" else len(found) - 1)
    assert replayed(tmp_path, map(line_of, rechained(found))) == before


def test_a_change_of_what_was_asked_is_asked_again(tmp_path: Path) -> None:
    # Each is given to the decision as it stands: where it is forged, what was recorded of the
    # decision no longer fits.
    forged: dict[str, Callable[[dict[str, Any]], object]] = {
        "at": lambda e: e.update(at="2023-03-28T12:00:00Z"),
        "actor": lambda e: e["actor"].update(id="M-2"),
        "command": lambda e: e.update(command="withdraw", payload={}, private={}),
        "payload": lambda e: e["payload"].update(option="out_of_stock_refund", agreed_until=None),
        "key": lambda e: e.update(key="k-2"),
    }
    assert {*forged, "order_id", "merchant_id", "consumer_id"} == set(INPUTS)
    for name, forge in forged.items():
        found = recorded("key-reused")
        forge(found[3] if name == "key" else found[2])
        lines = list(map(line_of, rechained(found)))
        if (
            name == "command"
        ):  # an option is chosen by one command only, so such an event cannot even be read
            with pytest.raises(
                InputError,
                match="command: unknown value 'withdraw'; expected one of: choose_option",
            ):
                replayed(tmp_path, lines)
        else:
            assert not all(
                isinstance(one, Replayed) and one.sound for one in replayed(tmp_path, lines)
            ), name
    for name in ("order_id", "merchant_id", "consumer_id"):
        found = recorded("key-reused")
        found[1][name] = "another"
        assert not all(
            isinstance(one, Replayed) and one.sound
            for one in replayed(tmp_path, map(line_of, rechained(found)))
        ), name


UNFIT: dict[str, Callable[[dict[str, Any]], object]] = {
    "none": lambda e: e.update(facts=None),
    "another order's": lambda e: e["facts"].update(order_id="O-other"),
    "stale": lambda e: e["facts"].update(observed_at="2023-03-01T00:00:00Z"),
    "dated ahead": lambda e: e["facts"].update(observed_at="2033-03-01T00:00:00Z"),
}


@pytest.mark.parametrize("forge", UNFIT.values(), ids=UNFIT)
@pytest.mark.parametrize(
    ("history", "seq"),
    [("promise-expired-kept-and-refunded", 3), ("not-shipped-without-shipped-at", 2)],
)
def test_a_decision_on_facts_that_do_not_fit_is_more_than_another_explanation(
    history: str, seq: int, forge: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    found = recorded(history)
    assert found[seq]["facts"] is not None
    forge(found[seq])
    (dispute,) = replayed(tmp_path, map(line_of, rechained(found[: seq + 1])))
    assert isinstance(dispute, Replayed)
    assert (dispute.fault, [(one.seq, one.drift) for one in dispute.differences]) == (
        None,
        [(seq, Drift.FACTS)],
    )
    (change,) = dispute.differences[0].changes
    assert (change.field, change.recorded) == ("facts", found[seq]["facts"])


@pytest.mark.parametrize("name", ["another order's", "stale", "dated ahead"])
def test_an_opening_on_facts_that_do_not_fit_is_more_than_another_explanation(
    name: str, tmp_path: Path
) -> None:
    found = recorded("rule-at-fault")[:2]
    UNFIT[name](found[1])
    (dispute,) = replayed(tmp_path, map(line_of, rechained(found)))
    assert isinstance(dispute, Replayed)
    assert [(one.seq, one.drift) for one in dispute.differences] == [(1, Drift.FACTS)]


# ---- one decision at a time ----------------------------------------------------------------------


def test_each_step_of_each_history_is_decided_again_from_the_dispute_before_it() -> None:
    for path in FILES:
        for step in steps(str(path)):
            found = redecide(step.before, step.event, step.policy)
            assert found is None or isinstance(found, Undetermined)


def test_an_event_is_not_decided_again_without_the_dispute_before_it() -> None:
    _, events = next(iter(disputes(FILES[0]).values()))
    with pytest.raises(ValueError, match="event 2 is not an opening"):
        redecide(None, events[1], disputes(FILES[0])[events[0].dispute_id][0].policy)


# ---- erased words --------------------------------------------------------------------------------


def erased(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one if is_policy(one) else {**one, "private": {}} for one in found]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_erased_words_change_nothing_but_what_is_known_of_reused_keys(
    path: Path, tmp_path: Path
) -> None:
    whole = [record(line) for line in lines(path)]
    before = replayed(tmp_path, map(line_of, whole))
    after = replayed(tmp_path, map(line_of, erased(whole)))
    assert len(before) == len(after)
    for was, now in zip(before, after, strict=True):
        assert isinstance(was, Replayed)
        assert isinstance(now, Replayed)
        assert now.sound
        assert now.model_copy(update={"undetermined": ()}) == was.model_copy(
            update={"undetermined": ()}
        )
        events = disputes(path)[now.dispute_id][1]
        assert all(
            RefusalCode.KEY_REUSED in events[one.seq - 1].refused for one in now.undetermined
        )


def test_whether_erased_words_were_others_under_a_used_key_is_undetermined() -> None:
    (dispute,) = replay(str(ERASED))
    assert isinstance(dispute, Replayed)
    # The second note had as many code points as the first, the third had more: only of that is it
    # still known.
    assert dispute.undetermined == (Undetermined(seq=3, missing=Missing.PERSONAL_DATA),)
    _, events = disputes(ERASED)["D-201"]
    assert [event.seq for event in events if RefusalCode.KEY_REUSED in event.refused] == [3, 4]
    notes = [cast("Any", event.payload).note.length for event in events[1:4]]
    assert notes[0] == notes[1] < notes[2]
