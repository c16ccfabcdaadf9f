"""The other endings: each is decided again here, and none that one edit leads to is left out.

What is claimed is not believed: the acts of a course are compared with the record, decided anew,
and run as a scenario. Then a small space is searched by brute force, and examples are planted whose
answer was thought out from the rules.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache

import pytest

from dispute_fsm.decider import decide as decide_module
from dispute_fsm.decider.decide import decide
from dispute_fsm.decider.decisions import Accepted, Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import evaluate
from dispute_fsm.decider.evolve import evolve
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    ChooseOption,
    Command,
    ExtendDeadline,
    SubmitEvidence,
)
from dispute_fsm.domain.deadlines import due_instant
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Lang,
    Outcome,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.policy import Policy
from dispute_fsm.explain import course as course_module
from dispute_fsm.explain.alternatives import (
    Alternative,
    Grade,
    alternatives,
    for_reader,
)
from dispute_fsm.explain.alternatives_json import alternatives_record
from dispute_fsm.explain.alternatives_text import grouped, notes, rests_on_text
from dispute_fsm.explain.course import Act, CourseStep, Record, follow, reopened
from dispute_fsm.explain.edits import Acted, Completed, Dropped, Moved, OtherPolicy, Shown
from dispute_fsm.explain.payloads import REPAIRS, complete
from dispute_fsm.explain.scenario_files import file_name, scenario_text
from dispute_fsm.explain.supposed_facts import (
    SUPPOSED_FACTS,
    Hands,
    SupposedWorld,
    Supposition,
    known,
    sets_of_facts,
)
from dispute_fsm.history.generate import generate
from dispute_fsm.machine.guard import GuardKind
from dispute_fsm.rules.registry import VERSIONS, rule_version
from dispute_fsm.scenarios.reader import SUFFIX, parse_scenario
from dispute_fsm.scenarios.runner import run_scenario
from tests.histories.corpus import ERASED, FILES, disputes
from tests.sampling import few
from tests.support import CORPUS, ran

Count = Callable[[str, int], None]

GENERATED, PARTS = 2_000, 8
"""How many generated disputes the whole run explains, of all rule versions, in how many parts."""

_SECOND = timedelta(seconds=1)


# ---- what is explained ---------------------------------------------------------------------------


def recorded() -> Iterator[Record]:
    """Iterate over every dispute of the recorded histories, and of the scenarios."""
    for path in FILES:
        for dispute, events in disputes(path).values():
            yield Record(events, dispute.policy)
    for path in CORPUS:
        result = ran(path)
        if result.dispute is not None:
            yield Record(result.events, result.dispute.policy)


def generated(number: int, seed: int) -> Iterator[Record]:
    """Generate disputes, as many of each rule version."""
    for rules in VERSIONS:
        events: dict[str, list[AuditEvent]] = {}
        policies: dict[str, Policy] = {}
        for event, policy in generate(-(-number // len(VERSIONS)), seed, rules=rules):
            events.setdefault(event.dispute_id, []).append(event)
            policies[event.dispute_id] = policy
        for name, one in events.items():
            yield Record(one, policies[name])


@cache
def happened(steps: str, policy: str = "", order: str = "", rules: str = "2023-03") -> Record:
    """Let a dispute take its course, opened on 2023-03-28 at ten in the morning in Shanghai."""
    head = "".join(
        f"{name}: {{{value}}}\n" for name, value in (("policy", policy), ("order", order)) if value
    )
    text = (
        f'rules: "{rules}"\n{head}dispute: {{opened_at: 2023-03-28T10:00:00+08:00}}\n'
        f"steps:\n{steps}"
    )
    result = run_scenario(parse_scenario(text, f"x{SUFFIX}"))
    assert result.ok, result.failures
    assert result.dispute is not None
    return Record(result.events, result.dispute.policy)


# ---- every claim holds ---------------------------------------------------------------------------


@pytest.mark.parametrize("part", few(range(PARTS), 1))
def test_every_alternative_of_the_corpus_is_decided_again(part: int, count: Count) -> None:
    records = list(recorded())[part::PARTS]
    claims = sum(_hold(record) for record in records)
    assert claims > 4 * len(records)
    count("claims about recorded disputes that hold", claims)


@pytest.mark.parametrize("seed", few(range(PARTS), 1))
def test_every_alternative_of_generated_disputes_is_decided_again(
    seed: int, whole: bool, count: Count
) -> None:
    records = list(generated(GENERATED // PARTS if whole else 60, seed))
    claims = sum(_hold(record) for record in records)
    assert claims > 4 * len(records)
    count("claims about generated disputes that hold", claims)


def _hold(record: Record) -> int:
    """Check every alternative of a dispute; return how many there are."""
    result, ended = alternatives(record), _ends_by_itself(record)
    assert result.not_looked_at == 0
    for one in result.found:
        _decided_again(record, one, ended)
        _only_as_claimed(record, one)
        _limits_are_limits(record, one)
        if one.grade is Grade.RECORDED:
            _no_supposed_silence(record, one)
    _none_contains_another(result.found)
    if record.end.state is StateName.PENALIZED:
        mine = for_reader(result.found, Hands.MERCHANT)
        assert any(Hands.MERCHANT in one.hands for one in mine), record.end
    return len(result.found)


def _decided_again(record: Record, one: Alternative, ended: Dispute) -> None:
    """Decide each step with the facts that it names; it ends, or waits, as claimed."""
    course = one.course
    dispute = course.start
    assert isinstance(one.edits[0], OtherPolicy) or dispute == record.disputes[dispute.seq - 1]
    for step in course.steps:
        dispute = _again(dispute, step, record)
    assert (dispute.state, dispute.outcome) == (one.state, one.outcome)
    assert dispute == course.dispute
    for step in course.silence:
        assert step.act.command.type.expires is not None
        dispute = _again(dispute, step, record)
    assert dispute.outcome == one.foreseen
    if one.grade is Grade.RECORDED:
        assert course.dispute.closed_for_good
        assert course.dispute.state is not ended.state
    else:
        assert not course.dispute.closed_for_good
        assert (one.grade is Grade.UNOPPOSED) is (
            dispute.closed
            and dispute.state is not ended.state
            and not _own_silence_penalized(ended, course.dispute, dispute)
        )


_MERCHANTS_TURN = {
    StateName.AWAITING_EVIDENCE,
    StateName.AWAITING_SHIPMENT,
    StateName.OPENED,
    StateName.PROPOSING,
}


def _own_silence_penalized(ended: Dispute, waits: Dispute, foreseen: Dispute) -> bool:
    """Tell whether a merchant would only be penalized for an answer that it might have given."""
    turn = not _MERCHANTS_TURN.isdisjoint(waits.states)
    lost = ended.state is not StateName.RESOLVED
    return lost and turn and foreseen.state is StateName.PENALIZED


@lru_cache(maxsize=1)  # one record after the other
def _ends_by_itself(record: Record) -> Dispute:
    return follow(record, record.end, (), SupposedWorld(record)).foreseen


def _again(dispute: Dispute, step: CourseStep, record: Record) -> Dispute:
    event = step.event
    at = max(step.act.at, dispute.last_at)
    facts = known(record, at) if event is None or event.facts is None else event.facts
    stamp = derived_stamp(at, dispute.dispute_id, dispute.seq + 1)
    decision = decide(dispute, step.act.command, facts, at, stamp=stamp)
    if event is None:
        assert not isinstance(decision, Accepted)
        return dispute
    assert isinstance(decision, Accepted | Refused)
    assert decision.event == event
    return evolve(dispute, event)


def _only_as_claimed(record: Record, one: Alternative) -> None:
    """Require that the acts differ from the record in what the edits say, and in nothing else."""
    supposed = {edit.seq for edit in one.edits if isinstance(edit, Moved | Completed | Dropped)} | {
        edit.instead_of for edit in one.edits if isinstance(edit, Acted)
    }
    sent = [step.act for step in one.course.steps]
    kept = [act.event.seq for act in sent if act.event is not None]
    supposed |= {edit.seq for edit in one.edits if isinstance(edit, Shown)} - set(kept)
    assert kept == sorted(kept)
    assert not supposed & set(kept)
    new = [act for act in sent if act.event is None and act.command.type.expires is None]
    assert len(new) <= 1
    assert bool(new) is any(isinstance(e, Moved | Completed | Acted) for e in one.edits) or (
        isinstance(one.edits[0], Shown) and len(new) == 1
    )
    last = max(kept, default=0)
    first = 2 if isinstance(one.edits[0], OtherPolicy) else one.course.start.seq + 1
    for event in record.events[first - 1 : last]:
        left_out = event.seq in one.course.left_out or event.seq in supposed
        expired = event.command.expires is not None
        assert event.seq in kept or left_out or expired, event


def _no_supposed_silence(record: Record, one: Alternative) -> None:
    """Require of each expiry that the record shows the same state unanswered until it was due."""
    dispute = one.course.start
    for step in one.course.steps:
        deadline = step.act.command.type.expires
        if deadline is not None and step.event is not None and not step.refused:
            due = dispute.running[deadline]
            while_due = [other for other in record.disputes if other.last_at <= due][-1]
            in_regions = len(dispute.states) > 1
            same = set(while_due.states) & set(dispute.states)
            on_time = (
                while_due.running.get(deadline) == due
                and (while_due.option == dispute.option or in_regions)
                and (same if in_regions else while_due.states == dispute.states)
                and record.events[-1].at > due
            )
            assert on_time or dispute.last_at > due
        if step.event is not None:
            dispute = evolve(dispute, step.event)


def _limits_are_limits(record: Record, one: Alternative) -> None:
    """Require that each limit, one step nearer to the record, is refused or changes nothing."""
    before = one.course.start
    for edit in one.edits:
        if isinstance(edit, Moved) and edit.before is None:
            at = edit.at + _SECOND
            late = evaluate(before, edit.command, known(record, at), at)
            assert late.transition is None, edit
        elif isinstance(edit, Completed):
            at = next(step.act.at for step in one.course.steps if step.act.event is None)
            facts = known(record, at)
            for less in edit.one_less:
                assert evaluate(before, less, facts, at).transition is None, (edit, less)
            if edit.until is not None and record.policy.max_promise is not None:
                further = {"agreed_until": edit.until + _SECOND}
                more = edit.command.model_copy(update=further)
                assert evaluate(before, more, facts, at).transition is None
        elif isinstance(edit, Shown):
            _facts_at_the_latest(record, one, edit)
        elif isinstance(edit, OtherPolicy) and isinstance(edit.value, dict):
            ((unit, hours),) = edit.value.items()
            shorter = record.policy.lay_over({edit.name: {unit: hours - 1}})
            attempt = record.events[edit.seq - 1]
            assert _late_under(record, shorter, attempt), edit


def _facts_at_the_latest(record: Record, one: Alternative, edit: Shown) -> None:
    """Suppose the same facts one second later: the command must not fire so any more."""
    step = one.course.steps[0]
    look = record.events[edit.seq - 1] if edit.seq <= len(record.events) else None
    seen_then = look is not None and look.at == step.act.at
    shown = (look.facts if look is not None and seen_then else None) or known(record, step.act.at)
    assert shown is not None
    assert step.event is not None
    later = Supposition(edit.facts, edit.by + _SECOND)(shown)
    if later == Supposition(edit.facts, edit.by)(shown):
        return  # what is recorded before the limit stays where it was: there is none to try
    row = evaluate(one.course.start, step.act.command, later, step.act.at).transition
    assert row is None or row.target != step.event.target, edit


def _late_under(record: Record, policy: Policy, attempt: AuditEvent) -> bool:
    course = follow(record, reopened(record, policy), record.acts(2), SupposedWorld(record))
    step = next((s for s in course.steps if s.act.event == attempt), None)
    return step is None or bool(step.refused)


def _none_contains_another(found: Sequence[Alternative]) -> None:
    sets = [frozenset(edit.key for edit in one.edits) for one in found]
    assert not any(one < other for one in sets for other in sets)


# ---- none is left out ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Effect:
    """What an edit sends, and where that leads: edits with the same effect are one alternative."""

    sent: tuple[str, str]
    grade: Grade
    states: tuple[StateName, ...]
    outcome: Outcome | None


_SMALL = {
    "nobody answered": ("- {at: +25h, do: sweep}", "", "2023-03"),
    "a late answer": (
        (
            "- {at: +24h1s, do: choose_option, with: {option: out_of_stock_refund}, "
            "expect: {refused: [deadline_passed]}}\n- {at: +25h, do: sweep}"
        ),
        "",
        "2023-03",
    ),
    "a denial": (
        (
            "- {at: +1h, do: choose_option, with: {option: out_of_stock_refund}}\n"
            "- {at: +2h, do: deny_agreement}"
        ),
        "",
        "2023-03",
    ),
    "no evidence": (
        "- {at: +1h, do: choose_option, with: {option: prove_no_fault}}\n- {at: +30h, do: sweep}",
        "",
        "2023-03",
    ),
    "a promise missed": (
        (
            "- {at: +1h, do: choose_option, with: {option: ship_by_agreed_date, "
            "agreed_until: 2023-03-29T10:00:00+08:00, vouchers: [{kind: chat_screenshot, "
            "media_type: image/png, size: 1, sha256: "
            f"{'a' * 64}}}]}}}}\n- {{at: +40h, do: sweep}}"
        ),
        "",
        "2023-03",
    ),
    "still waiting": (
        "- {at: +1h, do: choose_option, with: {option: out_of_stock_refund}}",
        "",
        "2023-03",
    ),
    "resolved by silence": (
        (
            "- {at: +1h, do: choose_option, with: {option: out_of_stock_refund}}\n"
            "- {at: +26h, do: sweep}"
        ),
        "",
        "2023-03",
    ),
    "under appeal": (
        "- {at: +25h, do: sweep}\n- {at: +26h, do: appeal, with: {rationale: because}}",
        "",
        "extended",
    ),
    "both regions failed": ("- {at: +25h, do: sweep}", "", "parallel"),
    "an appeal possible": ("- {at: +25h, do: sweep}", "", "extended"),
}


@pytest.mark.parametrize("name", _SMALL)
def test_brute_force_finds_no_other_ending_by_one_act(name: str) -> None:
    steps, policy, rules = _SMALL[name]
    record = happened(steps, policy, rules=rules)
    listed = {_effect(one) for one in alternatives(record).found}
    missing = [effect for effect in _every_act(record) if effect not in listed]
    assert not missing
    assert len(set(_every_act(record))) >= 2


def _effect(one: Alternative) -> _Effect:
    edit = one.edits[0]
    command = None if isinstance(edit, Shown | OtherPolicy) else edit.command
    sent = ("", "") if command is None else _sent(command)
    return _Effect(sent, one.grade, one.course.dispute.states, one.outcome)


def _sent(command: Command) -> tuple[str, str]:
    option = command.option.value if isinstance(command, ChooseOption) else ""
    return command.type.value, option


def _every_act(record: Record) -> Iterator[_Effect]:
    """Send every command of every person at many moments before each event, and after the last."""
    for seq in range(2, len(record.events) + 2):
        before = record.before(seq)
        event = record.events[seq - 1] if seq <= len(record.events) else None
        if before.closed_for_good:
            continue
        for at in _many_moments(before, event):
            for command in _many_commands(before, at):
                facts = known(record, at)
                if evaluate(before, command, facts, at).transition is None:
                    continue
                accepted = event is not None and event.type is not EventType.REFUSED
                same_type = accepted and event is not None and event.command is command.type
                if (
                    same_type
                    and event is not None
                    and _sent(record.act(seq).command) == _sent(command)
                ):
                    continue  # it was done, and only its moment differs
                instead = same_type and event is not None and event.at == at
                rest = record.acts(seq + 1 if instead else seq)
                course = follow(record, before, (Act(command, at), *rest), SupposedWorld(record))
                grade = _graded(record, course.dispute, course.foreseen)
                if grade is not None:
                    end = course.dispute
                    yield _Effect(_sent(command), grade, end.states, end.outcome)


def _many_moments(before: Dispute, event: AuditEvent | None) -> Iterator[datetime]:
    last = before.last_at + timedelta(days=3) if event is None else event.at
    moments = {before.last_at, last}
    for due in before.running.values():
        moments |= {due - _SECOND, due, due + _SECOND}
    at = before.last_at
    while at < last:
        moments.add(at)
        at += timedelta(hours=1)
    return (at for at in sorted(moments) if before.last_at <= at <= last)


def _many_commands(before: Dispute, at: datetime) -> Iterator[Command]:
    for command in COMMAND_CLASSES:
        left_to_others = {CommandType.OPEN_DISPUTE, CommandType.WITHDRAW, CommandType.ANNUL}
        if command in left_to_others or COMMAND_CLASSES[command].roles[0] is Role.SYSTEM:
            continue
        for one in complete(before, command, at):
            if isinstance(one, ExtendDeadline):
                continue  # to any instant: how long is just long enough is tested below
            yield one
            if isinstance(one, SubmitEvidence):
                yield one.model_copy(update={"vouchers": one.vouchers[1:]})
                yield one.model_copy(update={"statement": None})


def _graded(record: Record, dispute: Dispute, foreseen: Dispute) -> Grade | None:
    """Grade an ending by the words of the documentation."""
    ended = _ends_by_itself(record)
    if dispute.closed and dispute.state is ended.state:
        return None
    if dispute.closed and not dispute.running:
        return Grade.RECORDED
    if not record.end.closed and dispute.states == record.end.states:
        return None
    own_silence = _own_silence_penalized(ended, dispute, foreseen)
    if foreseen.closed and foreseen.state is not ended.state and not own_silence:
        return Grade.UNOPPOSED
    if ended.state is not StateName.RESOLVED:
        return Grade.CHANCE if _MERCHANTS_TURN & set(dispute.states) else Grade.AWAITED
    asked = StateName.AWAITING_CONFIRMATION in dispute.states
    return None if asked else Grade.AWAITED


# ---- planted -------------------------------------------------------------------------------------

_FILE = "{kind: chat_screenshot, media_type: image/png, size: 1, sha256: " + "a" * 64 + "}"
_SHIPPED = "{shipped_at: 2023-03-29T09:00:00+08:00, carrier: JDL, waybill: W1}"


def _promise(scan: str) -> str:
    """Choose an agreed date at ten on the next day; the scan is at `scan`."""
    return (
        "- {at: +1h, do: choose_option, with: {option: ship_by_agreed_date, "
        f"agreed_until: 2023-03-29T10:00:00+08:00, vouchers: [{_FILE}]}}}}\n"
        f"- {{at: +28h, order: {{shipment: {_SHIPPED}, pickup: {{scanned_at: {scan}, "
        "waybill: W1, kind: picked_up}}}\n"
        "- {at: +40h, do: sweep}"
    )


def _evidence(vouchers: str, at: str = "+2h", codes: str = "voucher_missing") -> str:
    return (
        "- {at: +1h, do: choose_option, with: {option: prove_no_fault}}\n"
        f"- {{at: {at}, do: submit_evidence, with: {{reason: consumer_unresponsive, "
        f"vouchers: [{vouchers}], statement: calls}}, expect: {{refused: [{codes}]}}}}\n"
        "- {at: +30h, do: sweep}"
    )


_PLANTED = {
    "response one second late": (
        (
            "- {at: +24h1s, do: choose_option, with: {option: out_of_stock_refund}, "
            "expect: {refused: [deadline_passed]}}\n- {at: +25h, do: sweep}"
        ),
        "2023-03",
        (
            "≈ 商家最晚在 2023-03-29 10:00:00 选择“缺货/无货达成一致退款”（实际 10:00:01，晚 1 秒）"
            " · 第 2 步"
        ),
        (
            '≈ the choice of "out of stock: refund agreed" by 2023-03-29 10:00:00 '
            "(it came at 10:00:01, 1 second late) · event 2"
        ),
    ),
    "scan one second late": (
        _promise("2023-03-29T10:00:01+08:00"),
        "2023-03",
        "✓ 订单最晚在 2023-03-29 10:00:00 已由物流揽件（实际 10:00:01，晚 1 秒） · 第 3 步",
        ("✓ a pickup scan by 2023-03-29 10:00:00 (in fact 10:00:01, 1 second late) · event 3"),
    ),
    "evidence one second late": (
        _evidence(f"{_FILE}, {_FILE.replace('a' * 64, 'b' * 64)}", "+5h1s", "deadline_passed"),
        "2023-03",
        "? 商家最晚在 2023-03-28 15:00:00 提交举证（实际 15:00:01，晚 1 秒） · 第 3 步",
        (
            "? the merchant's evidence by 2023-03-28 15:00:00 (it came at 15:00:01, 1 second late)"
            " · event 3"
        ),
    ),
    "one voucher short": (
        _evidence(_FILE),
        "2023-03",
        "? 商家提交举证时符合要求（当时差 1 份聊天截图） · 第 3 步",
        (
            "? the merchant's evidence, meeting all requirements (what was wrong: "
            '1 voucher of the kind "chat screenshot" missing) · event 3'
        ),
    ),
    "a wrong format": (
        _evidence(
            f"{_FILE}, {_FILE.replace('a' * 64, 'b' * 64).replace('image/png', 'image/bmp')}",
            codes="voucher_media_type",
        ),
        "2023-03",
        "? 商家提交举证时符合要求（当时图片格式不受支持） · 第 3 步",
        (
            "? the merchant's evidence, meeting all requirements (what was wrong: the picture's "
            "format is not supported) · event 3"
        ),
    ),
    "a denial not in the merchant's hands": (
        (
            "- {at: +1h, do: choose_option, with: {option: out_of_stock_refund}}\n"
            "- {at: +2h, do: deny_agreement}"
        ),
        "2023-03",
        "≈ 消费者未否认协商一致 · 第 3 步",
        "≈ without the consumer's denial · event 3",
    ),
    "both regions failed": (
        "- {at: +25h, do: sweep}",
        "parallel",
        "≈ 仅在属实时：商家最晚在 2023-03-29 10:00:00 选择“缺货/无货达成一致退款” · 第 1 步",
        (
            '≈ only if it is true: the choice of "out of stock: refund agreed" by '
            "2023-03-29 10:00:00 · event 1"
        ),
    ),
}


@pytest.mark.parametrize("name", _PLANTED)
def test_what_would_have_changed_it_is_named(name: str) -> None:
    steps, rules, zh, en = _PLANTED[name]
    record = happened(steps, rules=rules)
    assert record.end.state is StateName.PENALIZED
    assert zh in _lines(record, "zh")
    assert en in _lines(record, "en")


def _agreed(vouchers: str, month: str, code: str) -> str:
    """Choose an agreed date in a month, which is refused."""
    return (
        "- {at: +1h, do: choose_option, with: {option: ship_by_agreed_date, "
        f"agreed_until: 2023-{month}-01T10:00:00+08:00, {vouchers}}}, "
        f"expect: {{refused: [{code}]}}}}\n- {{at: +25h, do: sweep}}"
    )


_TWO = f"{_FILE}, {_FILE.replace('a' * 64, 'b' * 64)}"
_BIG = _TWO.replace("size: 1", f"size: {10 * 1024 * 1024 + 1}")
_MANY = ", ".join(_FILE.replace("a" * 64, f"{number:063}f") for number in range(21))
_LACKING = {
    "one byte too many": (_evidence(_BIG, codes="voucher_too_large"), "voucher_too_large"),
    "too much together": (
        _evidence(
            ", ".join(
                _FILE.replace("a" * 64, f"{number:063}f").replace("size: 1", "size: 10485760")
                for number in range(6)
            ),
            codes="voucher_too_large",
        ),
        "voucher_too_large",
    ),
    "one file too many": (_evidence(_MANY, codes="too_many_vouchers"), "too_many_vouchers"),
    "one character too many": (
        _evidence(_TWO, codes="statement_too_long").replace(
            "statement: calls", f"statement: {'x' * 501}"
        ),
        "statement_too_long",
    ),
    "no statement": (
        _evidence(_TWO, codes="statement_missing").replace("statement: calls", "statement: ' '"),
        "statement_missing",
    ),
    "one voucher short": (_evidence(_FILE), "voucher_missing"),
    "a wrong format": (
        _evidence(_TWO.replace("image/png", "image/bmp"), codes="voucher_media_type"),
        "voucher_media_type",
    ),
    "a kind not accepted": (
        _evidence(
            f"{_FILE}, {{kind: official_document, media_type: image/png, size: 1, "
            f"sha256: {'c' * 64}}}",
            codes="voucher_not_accepted",
        ).replace("consumer_unresponsive", "force_majeure"),
        "voucher_not_accepted",
    ),
    "a date too far ahead": (
        _agreed(f"vouchers: [{_FILE}]", "05", "promise_too_far"),
        "promise_too_far",
    ),
    "no voucher of the agreement": (
        _agreed("vouchers: []", "04", "agreement_voucher_missing"),
        "agreement_voucher_missing",
    ),
}


@pytest.mark.parametrize("name", _LACKING)
def test_an_attempt_is_completed_by_just_what_it_lacked(name: str) -> None:
    steps, code = _LACKING[name]
    record = happened(steps)
    completed = [
        (one, edit)
        for one in alternatives(record).found
        for edit in one.edits
        if isinstance(edit, Completed)
    ]
    assert len(completed) == 1
    one, edit = completed[0]
    assert [reason.code.value for reason in edit.reasons] == [code]
    assert len(edit.one_less) == 1
    _limits_are_limits(record, one)


def test_a_fact_dated_after_the_look_is_named_with_how_late_it_was() -> None:
    record = happened(
        "- {at: +1h, order: {shipment: {shipped_at: 2023-03-28T10:30:00+08:00, waybill: W1}, "
        "pickup: {scanned_at: 2023-03-28T11:00:01+08:00, waybill: W1, kind: picked_up}}}\n"
        "- {at: +1h, do: choose_option, with: {option: already_shipped}, "
        "expect: {refused: [pickup_not_valid]}}\n- {at: +25h, do: sweep}"
    )
    assert (
        "≈ 商家选择“已协商一致，已发货并有物流揽件信息”时（2023-03-28 11:00:00），"
        "订单已由物流揽件（实际 11:00:01，晚 1 秒） · 第 2 步"
    ) in _lines(record, "zh")
    assert (
        '≈ a pickup scan at the time of the choice of "agreed: shipped, and the carrier has picked '
        'up" (2023-03-28 11:00:00) (in fact 11:00:01, 1 second late) · event 2'
    ) in _lines(record, "en")


def _lines(record: Record, lang: Lang) -> list[str]:
    result = alternatives(record)
    return [
        f"{one.sign} {rests_on_text(one, lang)}"
        for group in grouped(result.found, Hands.MERCHANT, record.policy, lang)
        for one in group.alternatives
    ]


def test_the_same_bytes_twice() -> None:
    for record in list(recorded())[::20]:
        again = Record(record.events, record.policy)
        one, other = (
            json.dumps(alternatives_record(alternatives(each), Hands.MERCHANT, each.policy))
            for each in (record, again)
        )
        assert one == other


@cache
def some_found() -> list[tuple[Record, Sequence[Alternative]]]:
    """Find the alternatives of every eighth recorded dispute."""
    return [(record, alternatives(record).found) for record in list(recorded())[::8]]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_alternative_of_the_corpus_is_told(lang: Lang) -> None:
    headings = set[str]()
    for record, found in some_found():
        for group in grouped(found, Hands.MERCHANT, record.policy, lang):
            headings.add(group.heading)
            for one in group.alternatives:
                assert not re.search(r"[{}]|None|\d{4}-\d\d-\d\dT", f"{one.what}{one.end}")
    together = {
        "zh": "须由商家和消费者共同做到",
        "en": "In the hands of the merchant and the consumer together",
    }
    assert together[lang] in headings


def test_until_when_to_ship_is_the_agreed_time_and_not_when_it_is_checked() -> None:
    steps, _, rules = _SMALL["nobody answered"]
    record = happened(steps, rules=rules)
    promised = [
        one
        for group in grouped(alternatives(record).found, Hands.MERCHANT, record.policy, "zh")
        for one in group.alternatives
        if "约定时间最晚为 2023-04-13 10:00:00" in one.what
    ]
    assert [one.end for one in promised] == ["待商家按协商日期发货，最晚 2023-04-13 10:00:00"]


def test_what_comes_next_in_a_live_dispute_is_no_limit() -> None:
    steps, _, rules = _SMALL["under appeal"]
    lines = _lines(happened(steps, rules=rules), "zh")
    assert "✓ 接下来平台判责专员撤销原判 · 第 3 步" in lines


def test_a_partial_refund_is_no_full_one_that_came_late() -> None:
    refused = "do: choose_option, with: {option: already_shipped}, expect: {refused: CODES}}\n"
    refused = refused.replace("CODES", "[not_shipped, no_pickup_scan]")
    refund = "{status: completed, completed_at: 2023-03-28T12:00:00+08:00, scope: partial}"
    record = happened(
        f"- {{at: +1h, {refused}- {{at: +3h, order: {{refund: {refund}}}}}\n- {{at: +3h, {refused}"
        "- {at: +25h, do: sweep}"
    )
    refunded = [line for line in _lines(record, "zh") if "全额退款" in line]
    assert refunded
    assert not [line for line in refunded if "实际" in line]


def test_a_confirmation_or_a_denial_is_advice_only_where_it_is_true() -> None:
    for name, command in (
        ("a denial", CommandType.CONFIRM_AGREEMENT),
        ("resolved by silence", CommandType.DENY_AGREEMENT),
    ):
        steps, _, rules = _SMALL[name]
        answers = [
            one.presupposes
            for one in alternatives(happened(steps, rules=rules)).found
            for edit in one.edits
            if isinstance(edit, Acted) and edit.command.type is command
        ]
        assert answers
        assert all(answers)


def test_a_withdrawal_is_not_offered_to_whoever_withdrew() -> None:
    record = happened("- {at: +1h, do: withdraw}")
    result = alternatives(record)
    assert CommandType.WITHDRAW not in result.last_resorts
    assert not for_reader(result.found, Hands.CONSUMER)


def test_ones_own_act_left_out_is_no_advice_and_a_ruling_never_is() -> None:
    steps, _, rules = _SMALL["a denial"]
    found = alternatives(happened(steps, rules=rules)).found
    assert any(isinstance(one.edits[0], Dropped) for one in found)
    for reader in (Hands.MERCHANT, Hands.CONSUMER):
        for one in for_reader(found, reader):
            edit = one.edits[0]
            assert not (isinstance(edit, Dropped) and reader in edit.hands)
    ruled = happened(
        "- {at: +1h, do: choose_option, with: {option: prove_no_fault}}\n"
        f"- {{at: +2h, do: submit_evidence, with: {{reason: consumer_agreed_later, "
        f"vouchers: [{_FILE}], statement: calls}}}}\n"
        "- {at: +3h, do: rule_at_fault, with: {rationale: because}}"
    )
    edits = [edit for one in alternatives(ruled).found for edit in one.edits]
    dropped = [edit.seq for edit in edits if isinstance(edit, Dropped)]
    assert 4 not in dropped


def test_the_reader_s_own_come_first_and_what_has_to_be_true_last() -> None:
    steps, _, rules = _SMALL["no evidence"]
    found = alternatives(happened(steps, rules=rules)).found
    merchant = for_reader(found, Hands.MERCHANT)
    own = [one for one in merchant if one.hands == (Hands.MERCHANT,)]
    assert list(merchant[: len(own)]) == own
    assert [one.presupposes for one in own] == sorted(one.presupposes for one in own)
    assert any(one.presupposes for one in own)


def test_a_term_just_long_enough_is_found_in_hours_and_in_working_hours() -> None:
    for policy, value in (
        ("response: {hours: 24}", {"hours": 26}),
        ("response: {working_hours: 9}", {"working_hours": 11}),
    ):
        record = happened(
            "- {at: +25h30m, do: choose_option, with: {option: out_of_stock_refund}, "
            "expect: {refused: [deadline_passed]}}\n- {at: +26h, do: sweep}",
            policy,
        )
        values = [
            edit.value
            for one in alternatives(record).found
            for edit in one.edits
            if isinstance(edit, OtherPolicy) and edit.name == "response"
        ]
        assert values == [value]


def test_a_limit_on_the_work_says_how_much_was_not_looked_at() -> None:
    steps, _, rules = _SMALL["a late answer"]
    record = happened(steps, rules=rules)
    whole = alternatives(record)
    part = alternatives(record, most_looks=5)
    assert whole.not_looked_at == 0
    assert part.not_looked_at > 0
    assert len(part.found) < len(whole.found)
    assert any(str(part.not_looked_at) in note for note in notes(part, "zh"))


def test_what_today_s_calendar_counts_otherwise_is_left_out_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps, rules, *_ = _PLANTED["evidence one second late"]
    record = happened(steps, rules=rules)
    before = alternatives(record)
    assert before.counted_otherwise == 0

    def later(deadline: Deadline, policy: Policy, start: datetime, *others: datetime) -> object:
        due = due_instant(deadline, policy, start, *others)
        return due and due + timedelta(hours=deadline is Deadline.EVIDENCE)

    monkeypatch.setattr(decide_module, "due_instant", later)
    monkeypatch.setattr(course_module, "due_instant", later)
    after = alternatives(Record(record.events, record.policy))
    assert after.counted_otherwise > 0
    assert len(after.found) < len(before.found)
    assert len(list(notes(after, "en"))) == 2


# ---- facts ---------------------------------------------------------------------------------------


def test_every_refusal_for_what_a_command_says_has_its_repair() -> None:
    guards = [
        guard for version in VERSIONS for guard in rule_version(version).table.guards().values()
    ]
    said = {
        code
        for guard in guards
        if guard.kind is GuardKind.REQUIRES and not (guard.needs_facts or guard.lasting)
        for code in guard.codes
    }
    without = {
        RefusalCode.ORDER_NOT_FOUND,  # then there is no dispute
        RefusalCode.REASON_UNKNOWN,  # evidence for each reason of the catalogue is tried anyway
        RefusalCode.DEADLINE_NOT_LATER,  # and so are extensions that are just long enough
    }
    codes = {code for guard in guards if guard.kind is GuardKind.REQUIRES for code in guard.codes}
    assert said - without <= REPAIRS.keys() <= codes - without


def test_every_guard_that_looks_at_facts_changes_its_answer_under_some_set_of_facts() -> None:
    changed = set[str]()
    looking = set[str]()
    for rules in VERSIONS:
        record = happened(_promise("2023-03-29T10:00:01+08:00"), rules=rules)
        table = record.end.rules.table
        looking |= {
            guard.recorded
            for guard in table.guards().values()
            if guard.needs_facts and REPAIRS.keys().isdisjoint(guard.codes)
        }
        for seq in range(2, len(record.events) + 1):
            before, event = record.before(seq), record.events[seq - 1]
            shown = known(record, event.at)
            assert shown is not None
            commands = (
                *complete(before, CommandType.CHOOSE_OPTION, event.at),
                record.act(seq).command,
            )
            for command in commands:
                plain = dict(_answers(before, command, shown, event.at))
                for facts in sets_of_facts():
                    supposed = Supposition(facts, before.agreed_until or event.at)(shown)
                    for name, answer in _answers(before, command, supposed, event.at):
                        if answer != plain.get(name, answer):
                            changed.add(name)
    assert looking - {"order_exists"} <= changed  # an order that does not exist opens no dispute
    assert len({fact.name for fact in SUPPOSED_FACTS}) == len(SUPPOSED_FACTS)


def _answers(
    before: Dispute, command: Command, shown: object, at: datetime
) -> Iterator[tuple[str, object]]:
    for guard, result in evaluate(before, command, shown, at).checks:  # type: ignore[arg-type] # facts
        yield guard.recorded, (result.passed, dict(result.saw).get("fulfilment"))


# ---- as scenario files ---------------------------------------------------------------------------


def test_every_alternative_runs_as_a_scenario_and_holds_no_personal_data(whole: bool) -> None:
    count = 0
    for record in (*list(recorded())[:: 1 if whole else 24], *generated(60 if whole else 6, 20)):
        policy = json.dumps(record.policy.record, ensure_ascii=False)  # the host's own words
        private = {
            str(kept.value)
            for event in record.events
            for kept in event.private.values()
            if len(str(kept.value)) > 3 and str(kept.value) not in policy
        }
        ids = {record.end.dispute_id, record.end.order_id, record.end.merchant_id}
        for number, one in enumerate(alternatives(record).found, 1):
            text = scenario_text(record, one, "an alternative")
            result = run_scenario(parse_scenario(text, file_name(number, one)))
            assert result.ok, (record.end, one.edits, result.failures)
            assert not [word for word in private if word in text]
            assert not [name for name in ids if f" {name}\n" in text or f"'{name}'" in text]
            count += 1
    assert count > 100


def test_an_erased_history_has_the_same_alternatives_as_before() -> None:
    for dispute, events in disputes(ERASED).values():
        record = Record(events, dispute.policy)
        assert not any(event.private for event in record.events)
        for number, one in enumerate(alternatives(record).found, 1):
            text = scenario_text(record, one, "x")
            assert run_scenario(parse_scenario(text, file_name(number, one))).ok
