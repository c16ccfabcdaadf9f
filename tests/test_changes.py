"""Changes of a record: the file, what would have happened with them, and how it is told."""

import re
from datetime import datetime
from itertools import groupby
from pathlib import Path

import pytest

from dispute_fsm.decider.hash_chain import erased
from dispute_fsm.domain.commands import ChooseOption, SubmitEvidence
from dispute_fsm.domain.deadlines import due_instant
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Outcome,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import format_instant, parse_instant
from dispute_fsm.errors import InputError
from dispute_fsm.explain import course as course_module
from dispute_fsm.explain.changes import AddedAct, ChangedAct, DroppedAct, Supposed, suppose
from dispute_fsm.explain.changes_reader import parse_changes, read_changes
from dispute_fsm.explain.course import Record
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.reader import steps
from dispute_fsm.history.redecide import compare
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import run_scenario
from tests import command_line
from tests.command_line import Ran
from tests.support import HOUR, ROOT

C, E, S = RefusalCode, EventType, StateName
FILE = "changes.yaml"
OPENING = """\
dispute: {dispute_id: D-1, opened_at: 2023-03-28T10:00:00+08:00}
order:
  paid_at: 2023-03-25T09:00:00+08:00
  shipment: {shipped_at: 2023-03-25T10:00:00+08:00, waybill: W1}
steps:
"""
# The carrier scans at 10:30. It is seen only after a refusal; then the answer is a second late.
LATE = (
    OPENING
    + """\
  - at: +1h
    do: choose_option
    with: {option: already_shipped, note: 已发货}
    expect: {refused: [no_pickup_scan]}
  - at: +20h
    order: {pickup: {scanned_at: 2023-03-28T10:30:00+08:00, waybill: W1, kind: picked_up}}
  - at: +20h
    do: choose_option
    with: {option: consumer_cancels}
    expect: {refused: [no_cancel_request_or_refund]}
  - at: +24h1s
    do: choose_option
    with: {option: out_of_stock_refund}
    expect: {refused: [deadline_passed]}
  - {at: +25h, do: sweep}
"""
)
# An agreed date that is confirmed and missed.
PROMISE = (
    OPENING
    + """\
  - at: +2h
    do: choose_option
    with:
      option: ship_by_agreed_date
      agreed_until: 2023-03-30T18:00:00+08:00
      vouchers:
        - {kind: chat_screenshot, media_type: image/png, size: 1, sha256: DIGEST}
      note: 已协商
  - {at: +3h, do: confirm_agreement}
  - {at: +5d, do: sweep}
expect: {outcome: promise_missed}
""".replace("DIGEST", "a" * 64)
)
PARALLEL = """\
rules: parallel
dispute: {dispute_id: D-1, opened_at: 2023-03-28T10:00:00+08:00}
steps:
  - {at: +5h, do: sweep}
  - {at: +25h, do: sweep}
expect: {outcome: no_response}
"""
APPEALED = """\
rules: extended
dispute: {dispute_id: D-1, opened_at: 2023-03-28T10:00:00+08:00}
steps:
  - {at: +24h1s, do: sweep}
  - {at: +30h, do: appeal, with: {rationale: 后台当天无法登录}}
  - {at: +40h, do: overturn_penalty, with: {rationale: 情况属实}}
"""


def recorded(text: str) -> Record:
    result = run_scenario(parse_scenario(text, "x.dispute.yaml"))
    assert result.failures == ()
    return Record(result.events, result.scenario.opening.policy)


def supposed(text: str, changes: str) -> Supposed:
    record = recorded(text)
    return suppose(record, parse_changes(changes, FILE, record))


def types(found: Supposed) -> list[EventType | None]:
    return [None if one.step.event is None else one.step.event.type for one in found.steps]


def end(found: Supposed) -> tuple[StateName, Outcome | None]:
    return found.course.dispute.state, found.course.dispute.outcome


# ---- nothing changed -----------------------------------------------------------------------------


def corpus() -> list[Record]:
    records: list[Record] = []
    for path in sorted((ROOT / "tests" / "histories").rglob("*.history.jsonl")):
        one = sorted(steps(str(path)), key=lambda step: step.event.dispute_id)
        for _, group in groupby(one, key=lambda step: step.event.dispute_id):
            found = list(group)
            records.append(Record([step.event for step in found], found[0].policy))
    return records


def test_without_changes_every_recorded_decision_comes_again() -> None:
    records = corpus()
    assert len(records) > 80
    for record in records:
        found = suppose(record, parse_changes("[]", FILE, record))
        assert found.steps == ()
        assert found.course.dispute.path == record.end.path
        assert found.course.dispute.outcome is record.end.outcome
        assert found.course.dispute.deadlines == record.end.deadlines
        assert (found.course.left_out, found.course.beyond) == ((), ())
        assert len(found.course.steps) == len(record.events) - 1
        for event, step in zip(record.events[1:], found.course.steps, strict=True):
            if step.event is None:  # the key was reused for a text that is erased
                assert any(map(erased, record.events))
                continue
            assert step.event.at == event.at
            assert compare(event, step.event) is None


def test_a_change_to_what_is_recorded_anyway_changes_nothing() -> None:
    found = supposed(PROMISE, "- {seq: 2, at: +2h, with: {note: 已协商}}\n- {seq: 3, at: +3h}\n")
    assert (found.steps, end(found)) == ((), (S.PENALIZED, Outcome.PROMISE_MISSED))


# ---- each kind of change -------------------------------------------------------------------------


def test_an_act_that_was_a_second_late_comes_in_time() -> None:
    found = supposed(LATE, "- {seq: 4, at: +24h}\n")
    assert types(found) == [E.OPTION_CHOSEN]
    assert found.steps[0].recorded is found.record.events[3]
    assert [event.seq for event in found.events] == [1, 2, 3, 4]
    assert found.awaited == (Role.CONSUMER,)
    assert found.course.waits_until == parse_instant("2023-03-30T10:00:00+08:00")
    assert found.course.foreseen.outcome is Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND


def test_an_act_stands_where_its_time_puts_it() -> None:
    change = "- {seq: 4, at: +2h, with: {option: already_shipped}}\n"
    found = supposed(LATE, change)
    assert [told.recorded and told.recorded.seq for told in found.steps] == [4, 3]
    first = found.steps[0].step.event
    assert first is not None
    # At +2h the scan had happened, though the record shows it only later.
    assert (first.type, first.facts and first.facts.pickup is not None) == (E.OPTION_CHOSEN, True)


def test_a_payload_is_laid_over_the_recorded_one() -> None:
    found = supposed(LATE, "- {seq: 2, with: {option: prove_no_fault}}\n")
    command = found.steps[0].step.act.command
    assert isinstance(command, ChooseOption)
    assert (command.option.value, command.note) == ("prove_no_fault", "已发货")
    assert types(found)[0] is E.OPTION_CHOSEN
    assert found.awaited == (Role.MERCHANT,)
    without = supposed(LATE, "- {seq: 2, with: {option: prove_no_fault, note: null}}\n")
    command = without.steps[0].step.act.command
    assert isinstance(command, ChooseOption)
    assert command.note is None


def test_a_refused_act_with_another_payload_sees_what_was_seen_then() -> None:
    found = supposed(LATE, "- {seq: 2, with: {note: 已发货，请核实}}\n")
    assert types(found)[0] is E.REFUSED  # the scan was not known then
    moved = supposed(LATE, "- {seq: 2, at: +1h1s}\n")
    assert types(moved)[0] is E.OPTION_CHOSEN  # a later look shows that it had happened


def test_another_agreed_date_goes_without_it_under_another_option() -> None:
    change = "- {seq: 2, with: {option: out_of_stock_refund, agreed_until: null}}\n"
    found = supposed(PROMISE, change)
    assert types(found)[0] is E.OPTION_CHOSEN
    assert found.course.left_out == (3,)  # the consumer confirmed another agreement
    assert found.awaited == (Role.CONSUMER,)
    with pytest.raises(InputError, match="agreed_until goes with the option") as error:
        supposed(PROMISE, "- {seq: 2, with: {option: out_of_stock_refund}}\n")
    assert (error.value.line, error.value.field) == (1, "[0].with.agreed_until")


PICKUP = "pickup: {scanned_at: 2023-03-30T17:00:00+08:00, waybill: W1, kind: picked_up}"


@pytest.mark.parametrize("seq", [1, 2, 3, 4])
def test_facts_hold_from_an_act_on(seq: int) -> None:
    found = supposed(PROMISE, f"- {{seq: {seq}, order: {{{PICKUP}}}}}\n")
    assert end(found) == (S.RESOLVED, Outcome.SETTLED_BY_AGREED_SHIPMENT)
    # The choice looks at no facts: the first step that differs is the end.
    assert [told.recorded and told.recorded.seq for told in found.steps] == [4]


def test_facts_do_not_hold_before_the_act_that_brings_them() -> None:
    scan = "pickup: {scanned_at: 2023-03-28T10:30:00+08:00, waybill: W1, kind: picked_up}"
    again = "{after: 2, do: choose_option, at: +1h, with: {option: already_shipped}, ORDER}"
    changes = f"- {{seq: 2, with: {{note: x}}}}\n- {again}\n"
    found = supposed(LATE, changes.replace("ORDER", f"order: {{{scan}}}"))
    assert types(found)[:2] == [E.REFUSED, E.OPTION_CHOSEN]  # at the same instant


def test_null_removes_a_fact_and_a_part_is_merged_deeply() -> None:
    kept = PROMISE.replace(
        "  - {at: +5d, do: sweep}",
        f"  - {{at: +2d, order: {{{PICKUP}}}}}\n  - {{at: +5d, do: sweep}}",
    ).replace("promise_missed", "settled_by_agreed_shipment")
    assert end(supposed(kept, "[]")) == (S.RESOLVED, Outcome.SETTLED_BY_AGREED_SHIPMENT)
    gone = supposed(kept, "- {seq: 4, order: {pickup: null}}\n")
    assert end(gone) == (S.PENALIZED, Outcome.PROMISE_MISSED)
    late = "{pickup: {scanned_at: 2023-03-30T18:00:01+08:00}}"
    moved = supposed(kept, f"- {{seq: 4, order: {late}}}\n")
    assert end(moved) == (S.PENALIZED, Outcome.PROMISE_MISSED)
    event = moved.steps[0].step.event
    assert event is not None
    assert event.facts is not None
    assert event.facts.pickup is not None
    assert event.facts.pickup.waybill == "W1"


def test_an_act_is_added() -> None:
    change = "- {after: 2, do: choose_option, at: +2h, with: {option: prove_no_fault}}\n"
    found = supposed(LATE, change)
    assert types(found)[0] is E.OPTION_CHOSEN
    act = found.steps[0].step.act
    assert (act.event, act.change, act.command.by.role, act.command.by.id) == (
        None,
        1,
        Role.MERCHANT,
        "M-1",
    )
    by = supposed(LATE, change.replace("at: +2h", "at: +2h, by: {role: merchant, id: M-2}"))
    assert by.steps[0].step.refused == (C.WRONG_ACTOR,)


def test_an_added_act_that_is_too_late_comes_after_the_silence() -> None:
    dropped = "- {drop: 3}\n- {drop: 4}\n- {drop: 5}\n"
    late = "- {after: 2, do: choose_option, at: +30h, with: {option: prove_no_fault}}\n"
    found = supposed(LATE, dropped + late)
    assert types(found) == [E.DISPUTE_PENALIZED, E.REFUSED]
    assert found.steps[0].step.act.event is None
    assert format_instant(found.steps[0].step.act.at) == "2023-03-29T02:00:01Z"
    assert found.steps[1].step.refused == (C.DISPUTE_CLOSED,)
    swept = supposed(LATE, "- {drop: 4}\n" + late.replace("after: 2", "after: 5"))
    assert types(swept)[0] is E.REFUSED
    assert swept.steps[0].step.refused == (C.DISPUTE_CLOSED,)


def test_a_supposed_expiry_is_a_supposed_silence() -> None:
    expire = "{after: 1, do: expire, at: +26h, with: {deadline: response}}"
    alone = "- {drop: 2}\n- {drop: 3}\n- {drop: 4}\n- {drop: 5}\n"
    silent = supposed(LATE, f"{alone}- {expire}\n")
    assert types(silent) == [E.DISPUTE_PENALIZED]
    early = supposed(LATE, f"{alone}- {expire.replace('26h', '23h')}\n")
    assert early.steps[0].step.refused == (C.DEADLINE_NOT_PASSED,)


def test_a_silence_that_the_record_does_not_show_may_be_supposed() -> None:
    expire = "{after: 1, do: expire, at: +26h, with: {deadline: response}}"
    found = supposed(PROMISE, f"- {{drop: 2}}\n- {{drop: 3}}\n- {expire}\n")
    assert types(found) == [E.DISPUTE_PENALIZED]
    late = "{after: 1, do: choose_option, at: +24h1s, with: {option: prove_no_fault}}"
    found = supposed(PROMISE, f"- {{drop: 2}}\n- {{drop: 3}}\n- {late}\n")
    assert types(found) == [E.REFUSED, E.DISPUTE_PENALIZED]
    assert found.steps[0].step.refused == (C.DEADLINE_PASSED,)


def test_a_changed_act_is_done_whatever_it_was_about() -> None:
    other = "- {seq: 2, with: {option: out_of_stock_refund, agreed_until: null}}\n"
    found = supposed(PROMISE, f"{other}- {{seq: 3, at: +4h}}\n- {{seq: 4, at: +6d}}\n")
    assert types(found) == [E.OPTION_CHOSEN, E.DISPUTE_RESOLVED]  # no promise is left to expire
    assert found.course.left_out == ()


def test_a_step_is_the_same_only_if_its_time_and_what_was_seen_are() -> None:
    moved = supposed(PROMISE, "- {seq: 3, at: +4h}\n")
    assert [told.same for told in moved.steps] == [False, True]
    seen = supposed(PROMISE, "- {seq: 4, order: {shipment: {carrier: JDL}}}\n")
    assert [told.same for told in seen.steps] == [False]
    assert end(seen) == end(moved) == (S.PENALIZED, Outcome.PROMISE_MISSED)


def test_a_member_that_is_null_is_not_given() -> None:
    found = supposed(PROMISE, "- {seq: 2, with: {vouchers: null}}\n")
    assert found.steps[0].step.refused == (C.AGREEMENT_VOUCHER_MISSING,)


def test_an_act_is_left_out() -> None:
    found = supposed(PROMISE, "- {drop: 2}\n")
    assert [told.step.refused for told in found.steps] == []
    assert end(found) == (S.OPENED, None)
    assert (found.course.left_out, found.unreached) == ((3,), (4,))
    assert found.awaited == (Role.MERCHANT,)
    assert found.course.waits_until == parse_instant("2023-03-29T10:00:00+08:00")
    assert [step.act.command.type for step in found.course.silence] == [
        CommandType.RESPONSE_EXPIRED
    ]
    assert found.course.foreseen.outcome is Outcome.NO_RESPONSE


def test_a_refused_attempt_that_is_left_out_changes_nothing_else() -> None:
    found = supposed(LATE, "- {drop: 2}\n")
    assert (found.steps, found.course.dispute.seq) == ((), found.record.end.seq - 1)
    assert end(found) == (S.PENALIZED, Outcome.NO_RESPONSE)


def test_several_changes_at_once() -> None:
    changes = """\
- {seq: 2, at: +1h, with: {agreed_until: 2023-03-31T18:00:00+08:00}}
- {drop: 3}
- {after: 3, do: confirm_agreement, at: +4h, by: consumer}
- after: 3
  do: observe_order
  at: 2023-03-31T19:00:00+08:00
  order: {pickup: {scanned_at: 2023-03-31T17:00:00+08:00, waybill: W1, kind: picked_up}}
"""
    found = supposed(PROMISE, changes)
    assert types(found) == [E.OPTION_CHOSEN, E.AGREEMENT_CONFIRMED, E.DISPUTE_RESOLVED]
    assert found.changes[1] == DroppedAct(3)
    assert isinstance(found.changes[0], ChangedAct)
    assert isinstance(found.changes[2], AddedAct)
    assert end(found) == (S.RESOLVED, Outcome.SETTLED_BY_AGREED_SHIPMENT)
    assert (found.awaited, found.unreached) == ((), ())


# ---- where it waits ------------------------------------------------------------------------------


def test_in_parallel_regions_it_waits_for_one_of_them() -> None:
    choice = "{after: 1, do: choose_option, at: +1h, with: {option: out_of_stock_refund}}"
    found = supposed(PARALLEL, f"- {choice}\n")
    assert types(found)[0] is E.OPTION_CHOSEN
    assert found.course.dispute.state is S.DISPUTING
    assert Role.CONSUMER in found.awaited
    assert Deadline.CONFIRMATION in found.course.dispute.running
    assert found.course.foreseen.closed
    evidence = supposed(
        PARALLEL, "- {after: 1, do: submit_evidence, at: +1h, with: {reason: public_holiday}}\n"
    )
    assert isinstance(evidence.steps[0].step.act.command, SubmitEvidence)
    assert evidence.steps[0].step.refused
    assert end(evidence) == (S.PENALIZED, Outcome.NO_RESPONSE)


def test_without_the_appeal_the_penalty_could_still_be_changed() -> None:
    found = supposed(APPEALED, "- {drop: 3}\n")
    assert end(found) == (S.PENALIZED, Outcome.NO_RESPONSE)
    assert found.awaited == (Role.MERCHANT,)
    assert found.course.foreseen.closed_for_good
    ruling = supposed(APPEALED, "- {drop: 4}\n")
    assert (ruling.awaited, ruling.course.waits_until) == ((Role.ADJUDICATOR,), None)
    late = supposed(APPEALED, "- {seq: 3, at: +80h}\n")
    assert types(late)[0] is E.REFUSED  # the ruling comes before it
    assert late.steps[-1].step.event is not None
    assert late.steps[-1].step.refused
    assert end(late) == (S.PENALIZED, Outcome.NO_RESPONSE)


# ---- errors --------------------------------------------------------------------------------------

WRONG = [
    ("seq: 2\n", 1, None, "expected a list of changes"),
    ("- 2\n", 1, "[0]", "expected a mapping"),
    ("- {drop: 2}\n- {sequ: 2, at: +1h}\n", 2, "[1].sequ", "did you mean seq?"),
    ("- {at: +1h}\n", 1, "[0]", "a change has one of: seq"),
    ("- {seq: 2, drop: 3}\n", 1, "[0]", "a change has one of: seq"),
    ("- {seq: 2}\n", 1, "[0]", "give at, with or order"),
    ("- seq: 2\n  by: merchant\n  at: +1h\n", 2, "[0].by", "unknown field"),
    ("- seq: 2\n  with: {opton: prove_no_fault}\n", 2, "[0].with.opton", "did you mean option?"),
    (
        "- seq: 2\n  with: {option: prove_no_falt}\n",
        2,
        "[0].with.option",
        "did you mean prove_no_fault?",
    ),
    ("- seq: 2\n  with: null\n", 2, "[0].with", "expected a mapping"),
    ("- seq: 5\n  with: {}\n", 2, "[0].with", "an expiry says nothing"),
    ("- seq: 2\n  at: 2023-03-28T12:00:00\n", 2, "[0].at", "offset"),
    ("- seq: 2\n  at: +1 hour\n", 2, "[0].at", "duration"),
    ("- seq: 2\n  at: 2023-03-28T09:59:59+08:00\n", 2, "[0].at", "before the opening"),
    ("- drop: 6\n", 1, "[0].drop", "there is no event 6: dispute D-1 has the events 1 to 5"),
    ("- {seq: 0, at: +1h}\n", 1, "[0].seq", "there is no event 0"),
    ("- {seq: two, at: +1h}\n", 1, "[0].seq", "expected the number of an event"),
    ("- {seq: true, at: +1h}\n", 1, "[0].seq", "expected the number of an event"),
    ("- drop: 1\n", 1, "[0].drop", "event 1 is the opening; it cannot be left out"),
    ("- seq: 1\n  at: +1h\n", 2, "[0].at", "event 1 is the opening; only its order can change"),
    ("- {drop: 2}\n- {seq: 2, at: +1h}\n", 2, "[1].seq", "changed twice, first in line 1"),
    ("- {seq: 2, at: +1h}\n- {drop: 2}\n", 2, "[1].drop", "changed twice, first in line 1"),
    ("- {after: 2, at: +1h}\n", 1, "[0].do", "missing"),
    ("- {after: 2, do: withdraw}\n", 1, "[0].at", "missing"),
    ("- {after: 2, do: withdrew, at: +1h}\n", 1, "[0].do", "did you mean withdraw?"),
    ("- {after: 2, do: open_dispute, at: +1h}\n", 1, "[0].do", "unknown event"),
    ("- {after: 2, do: sweep, at: +1h}\n", 1, "[0].do", "do: expire"),
    ("- {after: 2, do: withdraw, at: +1h, by: shop}\n", 1, "[0].by", "unknown role"),
    ("- {after: 2, do: withdraw, at: +1h, key: k}\n", 1, "[0].key", "unknown field"),
    (
        "- after: 4\n  do: withdraw\n  at: +24h\n",
        3,
        "[0].at",
        "this goes back in time: it is before event 4 (2023-03-29T02:00:01Z)",
    ),
    (
        "- after: 3\n  do: withdraw\n  at: +24h2s\n",
        3,
        "[0].at",
        "event 4 follows, and would go back in time (2023-03-29T02:00:01Z): write after: 4",
    ),
    ("- seq: 2\n  order: null\n", 2, "[0].order", "expected a mapping"),
    ("- seq: 2\n  order: {pick_up: null}\n", 2, "[0].order.pick_up", "did you mean pickup?"),
    (
        "- seq: 2\n  order:\n    pickup: {scanned_at: 2023-03-28T10:30:00+08:00}\n",
        3,
        "[0].order.pickup.kind",
        "missing",
    ),
    (
        "- seq: 2\n  order: {refund: {status: done}}\n",
        2,
        "[0].order.refund.status",
        "unknown value",
    ),
]


@pytest.mark.parametrize(("text", "line", "field", "message"), WRONG)
def test_an_error_names_file_line_and_field(
    text: str, line: int, field: str | None, message: str
) -> None:
    with pytest.raises(InputError) as error:
        supposed(LATE, text)
    found = error.value
    assert (found.file, found.line, found.field) == (FILE, line, field)
    assert message in found.message


def test_an_added_act_follows_a_changed_one_in_its_time() -> None:
    late = "- {after: 3, do: withdraw, at: +24h2s}\n"
    assert types(supposed(LATE, f"- {{drop: 4}}\n{late}")) == [E.REFUSED, E.DISPUTE_PENALIZED]
    with pytest.raises(InputError, match="it is before event 3"):
        supposed(LATE, "- {seq: 3, at: +3h}\n- {after: 3, do: withdraw, at: +2h}\n")
    assert types(supposed(LATE, "- {seq: 3, at: +3h}\n- {after: 3, do: withdraw, at: +4h}\n"))


def test_an_act_that_moved_away_does_not_follow() -> None:
    changes = "- {seq: 4, at: +2h}\n- {after: 3, do: withdraw, at: +21h}\n"
    assert types(supposed(LATE, changes))[-1] is not None


def test_a_part_of_a_fact_has_to_fit_each_later_look() -> None:
    refused = "expect: {refused: [no_cancel_request_or_refund]}"
    attempt = f"do: choose_option, with: {{option: consumer_cancels}}, {refused}"
    text = (
        OPENING.replace("order:\n", "order:\n  refund: {status: requested}\n")
        + f"  - {{at: +1h, {attempt}}}\n"
        + "  - {at: +2h, order: {refund: null}}\n"
        + f"  - {{at: +3h, {attempt}}}\n"
    )
    with pytest.raises(InputError, match="this field is missing") as error:
        supposed(text, '- {seq: 2, order: {refund: {amount: "1.00"}}}\n')
    assert (error.value.line, error.value.field) == (1, "[0].order.refund.status")


def test_a_part_of_a_fact_is_enough_once_the_fact_is_known() -> None:
    part = "order: {shipment: {carrier: JDL}}"
    assert supposed(LATE, f"- {{seq: 2, {part}}}\n").steps
    late = "order: {pickup: {waybill: W2}}"
    assert supposed(LATE, f"- {{seq: 3, {late}}}\n").steps
    with pytest.raises(InputError, match="this field is missing"):
        supposed(LATE, f"- {{seq: 2, {late}}}\n")


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("- {drop: 3}\n", encoding="utf-8")
    assert read_changes(file, recorded(LATE)) == (DroppedAct(3),)
    with pytest.raises(InputError, match="no such file"):
        read_changes(tmp_path / "d.yaml", recorded(LATE))


# ---- as it is told -------------------------------------------------------------------------------


def explained(folder: Path, text: str, changes: str, *arguments: str) -> Ran:
    record = recorded(text)
    path = folder / "x.history.jsonl"
    write_history(path, [(event, record.policy) for event in record.events])
    (folder / FILE).write_text(changes, encoding="utf-8")
    return command_line.run("explain", path, "--change", folder / FILE, *arguments)


def told(folder: Path, text: str, changes: str, lang: str) -> list[str]:
    done = explained(folder, text, changes, "--lang", lang)
    assert (done.code, done.err) == (0, "")
    return [line.rstrip() for line in done.out.splitlines()]


ZH = """\
纠纷 D-1：假如
    第 2 步（选择方案）：改了备注
    第 4 步（选择方案）：时间改为 2023-03-29 10:00:00 +0800
    没有第 3 步（选择方案）

#2  2023-03-28 11:00:00 +0800  请求被拒绝  商家 M-1 · 选择方案
    方案      已协商一致，已发货并有物流揽件信息
    备注      请核实
    原因      没有物流揽件记录 (no_pickup_scan)
    核查结果  ✓ 已发货
    订单      付款 2023-03-25 09:00:00；发货 2023-03-25 10:00:00 W1；无揽件记录
    记录中    第 2 步：2023-03-28 11:00:00 +0800 拒绝（没有物流揽件记录）

#3  2023-03-29 10:00:00 +0800  商家已选择方案  商家 M-1 · 选择方案
    方案    缺货/无货达成一致退款
    状态    待消费者确认
    时限    商家已响应，比时限提前 0 秒
            消费者确认时限开始计时：2023-03-30 10:00:00 截止（24 小时）
    记录中  第 4 步：2023-03-29 10:00:01 +0800 拒绝（时限已过）

推演结果，截至 2023-03-29 10:00:00 +0800
    状态        待消费者确认
    方案        缺货/无货达成一致退款
    时限        消费者确认时限：2023-03-30 10:00:00 截止，剩余 1 天
    后续        若无其他操作，2023-03-30 10:00:00 之后系统按“确认时限届满”处理
    取决于      消费者（记录中没有其答复），最晚等到 2023-03-30 10:00:00 +0800
    若无人操作  2023-03-30 10:00:01 +0800 确认时限届满 → 已解决（缺货/无货，已协商退款）
    记录结果    已判责（逾期未响应）
"""
EN = """\
dispute D-1: suppose
    event 2 (choose an option) had not happened

supposed state at 2023-03-28 10:00:00 +0800
    state           waiting for the merchant's choice
    deadline        response deadline: due 2023-03-29 10:00:00, 1d left
    next            unless something happens before, the system acts after 2023-03-29 10:00:00: response deadline passed
    depends on      merchant, whose answer nobody recorded; it would wait until 2023-03-29 10:00:00 +0800
    if nobody acts  2023-03-29 10:00:01 +0800 response deadline passed → penalized (no response in time)
    recorded end    penalized (agreed date missed)
    left out        event 3: about another agreement or another state
                    event 4: after the instant until which it waits; nobody knows whether it came
"""  # noqa: E501 -- as it is printed


def test_it_is_told_step_by_step(tmp_path: Path) -> None:
    changes = "- {seq: 2, with: {note: 请核实}}\n- {seq: 4, at: +24h}\n- {drop: 3}\n"
    assert told(tmp_path, LATE, changes, "zh") == ZH.splitlines()
    assert told(tmp_path, PROMISE, "- {drop: 2}\n", "en") == EN.splitlines()


@pytest.mark.parametrize(
    ("lang", "changes", "lines"),
    [
        ("en", "[]", ["    nothing is changed", "It ends as recorded: no step is different."]),
        ("zh", "[]", ["    没有任何改动", "每一步都与记录相同，结果不变。"]),
        ("en", "- {drop: 2}\n", ["Every other step is as recorded."]),
        ("zh", "- {drop: 2}\n", ["其余各步与记录相同。"]),
        (
            "en",
            "- {after: 5, do: annul, at: +26h, with: {rationale: x}, order: {refund: null}}\n",
            [
                "    after event 5, at 2023-03-29 12:00:00 +0800: adjudicator · annul the penalty",
                "    recorded   not there; it is supposed",
                "    recorded end  penalized (no response in time)",
            ],
        ),
        (
            "zh",
            f"- {{seq: 2, with: {{note: null, option: consumer_cancels}}, order: {{{PICKUP}}}}}\n",
            ["    第 2 步（选择方案）：改了备注、方案；自此订单数据不同：揽件"],
        ),
        (
            "zh",
            (
                "- {drop: 4}\n- {drop: 5}\n- {after: 3, do: choose_option, at: +30h, "
                "with: {option: prove_no_fault}}\n"
            ),
            ["    记录中  没有，时限届满后由系统处理", "    记录中    没有，这是假设的操作"],
        ),
    ],
)
def test_what_is_supposed_and_what_is_recorded_are_told(
    lang: str, changes: str, lines: list[str], tmp_path: Path
) -> None:
    assert [line for line in lines if line not in told(tmp_path, LATE, changes, lang)] == []


@pytest.mark.parametrize(
    ("lang", "waits", "without_limit", "may_change"),
    [
        (
            "zh",
            "取决于 商家（记录中没有其答复），最晚等到 2023-03-29 10:00:00 +0800",
            "取决于 平台判责专员（记录中没有其答复），没有时限",
            "取决于 商家，2023-03-31 10:00:01 +0800 前仍可改变结果（记录中没有此操作）",
        ),
        (
            "en",
            "depends on merchant, whose answer nobody recorded; it would wait until",
            "depends on adjudicator, whose answer nobody recorded; it would wait without",
            "depends on merchant, who could still change it until 2023-03-31 10:00:01",
        ),
    ],
)
def test_whose_answer_is_missing_is_told(
    lang: str, waits: str, without_limit: str, may_change: str, tmp_path: Path
) -> None:
    for text, changes, expected in (
        (PROMISE, "- {drop: 2}\n", waits),
        (APPEALED, "- {drop: 4}\n", without_limit),
        (APPEALED, "- {drop: 3}\n- {drop: 4}\n", may_change),
    ):
        assert expected in " ".join(" ".join(told(tmp_path, text, changes, lang)).split())


def test_an_act_that_would_not_be_recorded_is_told_without_a_number(tmp_path: Path) -> None:
    changes = "- {after: 3, do: observe_order, at: +4h}\n"
    lines = told(tmp_path, PROMISE, changes, "en")
    head = "    2023-03-28 14:00:00 +0800  nothing would be recorded  system · look at the order"
    assert head in lines
    full = "policy: {max_recorded_refusals: 0}\n" + APPEALED
    lines = told(tmp_path, full, "- {after: 4, do: withdraw, at: +50h}\n", "en")
    head = "    2023-03-30 12:00:00 +0800  refused (the dispute is closed)"
    assert f"{head}  consumer C-1 · withdraw the dispute" in lines


def test_programs_get_the_same(tmp_path: Path) -> None:
    changes = "- {seq: 4, at: +24h}\n"
    (line,) = explained(tmp_path, LATE, changes, "--json").lines
    step = line["steps"][0]
    assert (step["recorded"], step["same"], step["change"], step["command"]) == (
        4,
        False,
        1,
        "choose_option",
    )
    assert (step["event"]["seq"], step["event"]["type"]) == (4, "option_chosen")
    assert line["recorded"] == {
        "state": "penalized",
        "states": ["penalized"],
        "outcome": "no_response",
    }
    assert line["end"]["state"] == "awaiting_confirmation"
    assert (line["waits"]["for"], line["waits"]["until"]) == (["consumer"], "2023-03-30T02:00:00Z")
    assert line["waits"]["silence"]["outcome"] == "settled_by_out_of_stock_refund"
    assert (line["left_out"], line["unreached"], line["counts_otherwise"]) == ([], [], False)
    (line,) = explained(tmp_path, LATE, "- {drop: 2}\n", "--json").lines
    assert (line["steps"], line["waits"]) == ([], None)
    (line,) = explained(
        tmp_path, PROMISE, "- {after: 3, do: observe_order, at: +4h}\n", "--json"
    ).lines
    assert line["steps"][0]["event"] is None


def test_an_error_is_code_2_and_names_its_place(tmp_path: Path) -> None:
    done = explained(tmp_path, LATE, "- {drop: 2}\n- {drop: 9}\n")
    assert (done.code, done.out) == (2, "")
    assert f"{FILE}:2: [1].drop: there is no event 9" in done.err
    for other in (["--review", "x"], ["--scenarios", str(tmp_path / "s")], ["--for", "consumer"]):
        done = explained(tmp_path, LATE, "[]", *other)
        assert (done.code, done.out) == (2, "")
        assert f"{other[0]}: cannot be combined with --change" in done.err


def test_what_today_s_calendar_counts_otherwise_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def later(deadline: Deadline, policy: Policy, start: datetime, *others: datetime) -> object:
        due = due_instant(deadline, policy, start, *others)
        return due and due + HOUR

    changes = f"- {{seq: 1, order: {{{PICKUP}}}}}\n"
    note = "note today's calendar counts a recorded deadline otherwise"
    before = told(tmp_path, PROMISE, changes, "en")
    monkeypatch.setattr(course_module, "due_instant", later)
    after = told(tmp_path, PROMISE, changes, "en")
    assert [note in " ".join(" ".join(lines).split()) for lines in (before, after)] == [False, True]


# ---- the page ------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "how-to" / "explain.md").read_text(encoding="utf-8")


def test_the_page_shows_what_the_command_prints(tmp_path: Path) -> None:
    (changes,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (printed,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (history,) = re.findall(r"(tests/\S+) --change FILE --lang zh`", PAGE)
    (tmp_path / FILE).write_text(changes, encoding="utf-8")
    done = command_line.run("explain", ROOT / history, "--change", tmp_path / FILE, "--lang", "zh")
    assert [line.rstrip() for line in done.out.splitlines()] == printed.splitlines()


def test_the_page_names_the_members_of_the_json(tmp_path: Path) -> None:
    formats = (ROOT / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")
    page = formats.partition("### `dispute-fsm explain --change")[2].partition("###")[0]
    (line,) = explained(tmp_path, PROMISE, "- {drop: 2}\n", "--json").lines
    (other,) = explained(tmp_path, LATE, "- {seq: 4, at: +24h}\n", "--json").lines
    for members in (line, line["waits"], line["end"], other["steps"][0]):
        assert [name for name in members if f"`{name}`" not in page] == []
