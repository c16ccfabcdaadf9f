"""The timeline of a dispute: its values, event by event, then how they read in both languages."""

import pickle
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.domain.commands import Actor, Command
from dispute_fsm.domain.enums import (
    QUESTIONS,
    SEEN,
    CancelStatus,
    CommandType,
    Deadline,
    EventType,
    Lang,
    Option,
    Outcome,
    PickupKind,
    RefundScope,
    RefundStatus,
    RefusalCode,
    Role,
    StateName,
    VoucherKind,
)
from dispute_fsm.domain.events import AuditEvent, Check
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY, Bilingual, Policy, Term
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.history.timeline import (
    DeadlineExpiry,
    DeadlineStart,
    PayloadEntry,
    PersonalValue,
    TimelineEntry,
    VoucherEntry,
    local_time,
    timeline,
)
from dispute_fsm.history.timeline_text import (
    actor_label,
    check_lines,
    details,
    duration_text,
    headline,
    state_details,
    state_label,
    timeline_lines,
)
from dispute_fsm.machine.guard import Guard, Selector
from dispute_fsm.rules.registry import VERSIONS
from tests.support import (
    AGREED,
    CANCELLING,
    CORPUS,
    DAY,
    HOUR,
    MINUTE,
    OPENED_AT,
    PAID,
    SECOND,
    after,
    choose,
    command,
    decided,
    extension,
    opened,
    opened_event,
    order,
    over,
    pickup,
    ran,
    ruling,
    shipment,
    submission,
    voucher,
)

LANGS: tuple[Lang, ...] = get_args(Lang)
CJK = re.compile("[\u3000-\u9fff\uff00-\uffef]")
GRACE = timedelta(hours=6)


def story(
    *asked: Command | tuple[Command, datetime, Order], policy: Policy = DEFAULT_POLICY
) -> list[AuditEvent]:
    """Return the events of a dispute with these commands; its order is paid unless given."""
    events: list[AuditEvent] = [opened_event(policy)]
    dispute = begin(events[0], policy)
    for each in asked:
        ask, at, shown = each if isinstance(each, tuple) else (each, None, PAID)
        decision = decided(dispute, ask, at, shown)
        event: AuditEvent | None = getattr(decision, "event", None)
        assert event is not None, decision
        events.append(event)
        dispute = evolve(dispute, event)
    return events


def told(
    *asked: Command | tuple[Command, datetime, Order], policy: Policy = DEFAULT_POLICY
) -> tuple[TimelineEntry, ...]:
    return timeline(story(*asked, policy=policy), policy)


def said(entry: TimelineEntry, lang: Lang = "en") -> dict[str, list[str]]:
    """Gather what an entry says, by label."""
    gathered: dict[str, list[str]] = {}
    label = ""
    for name, text in details(entry, lang):
        label = name or label
        gathered.setdefault(label, []).append(text)
    return gathered


def erased(events: Sequence[AuditEvent]) -> list[AuditEvent]:
    return [event.model_copy(update={"private": FrozenMap({})}) for event in events]


PROMISED = choose(Option.SHIP_BY_AGREED_DATE, note="as agreed")
EXPIRED = command(CommandType.PROMISE_EXPIRED)
CONTEST = choose(Option.PROVE_NO_FAULT)


@cache
def missed() -> tuple[TimelineEntry, ...]:
    """Tell of a promise that nobody kept, swept nine hours after its deadline."""
    return told((PROMISED, OPENED_AT + HOUR, PAID), (EXPIRED, AGREED + GRACE + 9 * HOUR, PAID))


# ---- values: actors, payloads, states ------------------------------------------------------------


def test_each_event_is_an_entry_with_what_the_event_says() -> None:
    events = story(choose(Option.OUT_OF_STOCK_REFUND), command(CommandType.CONFIRM_AGREEMENT))
    for entry, event in zip(timeline(events, DEFAULT_POLICY), events, strict=True):
        for name in (
            "seq",
            "at",
            "type",
            "command",
            "actor",
            "source",
            "target",
            "facts",
            "refused",
            "outcome",
        ):
            assert getattr(entry, name) == getattr(event, name)
        assert entry.deadlines.current == event.deadlines


def test_an_entry_is_a_value() -> None:
    for entry in missed():
        again = pickle.loads(pickle.dumps(entry))  # noqa: S301 -- our own bytes
        assert again == entry
        assert hash(again) == hash(entry)


def test_the_local_time_is_that_of_the_policys_calendar() -> None:
    assert missed()[0].at == OPENED_AT
    assert missed()[0].local == "2023-03-28 10:00:00 +0800"
    assert (
        told(policy=over(calendar={"zone": "America/New_York"}))[0].local
        == "2023-03-27 22:00:00 -0400"
    )


def test_a_time_shows_its_offset_unless_it_stands_beside_one_with_the_same() -> None:
    zone = ZoneInfo("America/New_York")
    winter, summer = (
        datetime(2023, 3, 1, 12, tzinfo=UTC),
        datetime(2023, 4, 1, 12, 0, 0, 250_000, tzinfo=UTC),
    )
    assert local_time(winter, zone) == "2023-03-01 07:00:00 -0500"
    assert local_time(winter, zone, beside=winter + DAY) == "2023-03-01 07:00:00"
    assert local_time(summer, zone, beside=winter) == "2023-04-01 08:00:00.250000 -0400"


# ---- values: deadlines ---------------------------------------------------------------------------


def test_a_deadline_begins_with_its_due_instant_and_how_long_it_runs() -> None:
    opening, promised, _ = missed()
    assert opening.deadlines.started == {
        Deadline.RESPONSE: DeadlineStart(OPENED_AT + DAY, Term(hours=24), None)
    }
    assert promised.deadlines.started == {
        Deadline.CONFIRMATION: DeadlineStart(OPENED_AT + HOUR + DAY, Term(hours=24), None),
        Deadline.PROMISE: DeadlineStart(AGREED + GRACE, GRACE, None),
    }
    assert (promised.deadlines.moved, promised.deadlines.expired) == ({}, None)


def test_a_deadline_that_was_begun_before_goes_on_and_begins_no_second_time() -> None:
    confirmed = told(PROMISED, command(CommandType.CONFIRM_AGREEMENT))[2]
    assert confirmed.deadlines.started == {}
    assert confirmed.deadlines.current.keys() == {Deadline.PROMISE}
    assert confirmed.deadlines.ended.keys() == {Deadline.CONFIRMATION}


def test_a_deadline_ends_with_what_makes_it_pointless() -> None:
    assert missed()[1].deadlines.ended == {Deadline.RESPONSE: OPENED_AT + DAY}


def test_an_extension_moves_a_deadline_from_and_to() -> None:
    clocks = told(PROMISED, extension(AGREED + DAY))[2].deadlines
    assert clocks.moved == {Deadline.PROMISE: (AGREED + GRACE, AGREED + DAY + GRACE)}
    assert (clocks.started, clocks.ended) == ({}, {})


def test_an_expiry_says_which_deadline_had_passed_and_how_late_it_was_acted_on() -> None:
    clocks = missed()[2].deadlines
    assert clocks.expired == DeadlineExpiry(Deadline.PROMISE, AGREED + GRACE, 9 * HOUR)
    assert clocks.ended == {
        Deadline.CONFIRMATION: OPENED_AT + HOUR + DAY,
        Deadline.PROMISE: AGREED + GRACE,
    }
    assert clocks.current == {}


def test_an_expiry_that_is_refused_acted_on_nothing() -> None:
    early = told((command(CommandType.RESPONSE_EXPIRED), OPENED_AT + DAY, PAID))[1]
    assert early.refused == (RefusalCode.DEADLINE_NOT_PASSED,)
    assert early.deadlines.expired is None


def test_working_time_is_explained_as_long_as_the_count_still_fits_what_was_recorded() -> None:
    events = story(CONTEST)
    begun = timeline(events, DEFAULT_POLICY)[1].deadlines.started[Deadline.EVIDENCE]
    assert begun.term == Term(working_hours=4)
    assert begun.count is not None
    assert begun.count.due == begun.due
    other = events[1].model_copy(
        update={"deadlines": FrozenMap({Deadline.EVIDENCE: begun.due + HOUR})}
    )
    assert timeline([events[0], other], DEFAULT_POLICY)[1].deadlines.started[
        Deadline.EVIDENCE
    ] == DeadlineStart(begun.due + HOUR, begun.term, None)


# ---- values: said --------------------------------------------------------------------------------


def test_what_was_said_comes_in_the_words_of_the_payload() -> None:
    file = VoucherEntry(
        VoucherKind.CHAT_SCREENSHOT,
        "image/png",
        1_000,
        PersonalValue(5, "1.png"),
        PersonalValue(6, "s3://1"),
    )
    assert missed()[1].payload == (
        PayloadEntry("option", Option.SHIP_BY_AGREED_DATE),
        PayloadEntry("agreed_until", AGREED),
        PayloadEntry("vouchers", file),
        PayloadEntry("note", PersonalValue(9, "as agreed")),
    )
    extended = told(extension(OPENED_AT + 2 * DAY, deadline="response"))[1]
    assert extended.payload == (
        PayloadEntry("until", OPENED_AT + 2 * DAY),
        PayloadEntry("rationale", PersonalValue(7, "a flood")),
        PayloadEntry("deadline", Deadline.RESPONSE),
    )
    assert missed()[2].payload == ()


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("carrier_fault", DEFAULT_POLICY.evidence_reasons["carrier_fault"].label),
        ("moon_phase", None),
    ],
)
def test_a_reason_has_the_words_of_the_policy(reason: str, words: Bilingual | None) -> None:
    assert told(CONTEST, submission(reason=reason))[2].payload[0] == PayloadEntry(
        "reason", reason, words
    )


def test_of_what_was_erased_the_length_stays() -> None:
    events = erased(story(PROMISED, CONTEST, ruling(CommandType.RULE_AT_FAULT)))
    entries = timeline(events, DEFAULT_POLICY)
    gone = VoucherEntry(
        VoucherKind.CHAT_SCREENSHOT,
        "image/png",
        1_000,
        PersonalValue(5, None),
        PersonalValue(6, None),
    )
    assert PayloadEntry("vouchers", gone) in entries[1].payload
    assert PayloadEntry("note", PersonalValue(9, None)) in entries[1].payload
    assert said(entries[1])["note"] == ["erased (9 characters)"]
    assert said(entries[1], "zh")["备注"] == ["已清除（9 字）"]
    assert "1.png" not in "\n".join(timeline_lines(entries, "en"))


def test_a_voucher_without_a_name_says_none() -> None:
    entry = told(choose(Option.SHIP_BY_AGREED_DATE, vouchers=[voucher(file_name=None, uri=None)]))[
        1
    ]
    assert said(entry)["voucher"] == ["chat screenshot · image/png · 1000 B"]


# ---- values: seen and refused --------------------------------------------------------------------


def test_every_check_is_there_and_only_what_tells_is_in_the_short_story() -> None:
    (_, _, kept) = told(
        choose(Option.OUT_OF_STOCK_REFUND),
        (command(CommandType.CONFIRMATION_EXPIRED), OPENED_AT + 2 * DAY, PAID),
        policy=over(silence="denial"),
    )
    assert [check.guard for check in kept.checks] == [
        "by_system",
        "confirmation_has_passed",
        "silence",
        "option",
    ]
    assert [check.guard for check in kept.checks if check.in_summary] == ["silence"]
    assert said(kept)["seen"] == ["silence counts as a denial"]


def test_a_refusal_has_its_codes_and_what_stood_against_it() -> None:
    shown = order(shipment=shipment())
    entry = told((choose(Option.ALREADY_SHIPPED), OPENED_AT + HOUR, shown))[1]
    assert entry.refused == (RefusalCode.NO_PICKUP_SCAN,)
    assert [(check.guard, check.passed) for check in entry.checks if check.in_summary] == [
        ("shipped", True),
        ("picked_up", False),
    ]
    assert said(entry)["because"] == ["there is no pickup record from the carrier (no_pickup_scan)"]
    assert said(entry)["seen"] == ["✓ shipped"]
    assert said(entry)["order"] == [
        "paid 2023-03-25 10:00:00; shipped 2023-03-28 09:00:00 JDL W1; no pickup record"
    ]
    assert said(entry, "zh")["原因"] == ["没有物流揽件记录 (no_pickup_scan)"]
    assert "state" not in said(entry)


def test_what_a_failed_check_saw_is_said_in_words() -> None:
    late = told((choose(Option.OUT_OF_STOCK_REFUND), OPENED_AT + DAY + SECOND, PAID))[1]
    assert said(late)["seen"] == [
        "✗ the deadline has passed [response deadline: 2023-03-29 10:00:00]"
    ]
    assert said(late, "zh")["核查结果"] == ["✗ 时限已过（截止 2023-03-29 10:00:00）"]
    short = told(
        CONTEST, submission(reason="consumer_unresponsive", vouchers=[voucher(1)], statement=" ")
    )[2]
    assert said(short, "zh")["核查结果"] == [
        "✗ 缺少该举证理由所需的凭证（要求：聊天截图 × 2；缺少：聊天截图 × 1）"
    ]
    far = told(choose(Option.SHIP_BY_AGREED_DATE, agreed_until=OPENED_AT + 30 * DAY))[1]
    assert said(far, "zh")["核查结果"] == [
        (
            "✗ 约定的发货时间超出最长期限（约定时间：2023-04-27 10:00:00；最晚：2023-04-12 "
            "10:01:00；最长期限：15 天）"
        )
    ]


def test_a_refusal_after_the_end_does_not_say_the_outcome_once_more() -> None:
    entry = told(command(CommandType.WITHDRAW), choose(Option.PROVE_NO_FAULT))[2]
    assert entry.outcome is Outcome.WITHDRAWN
    assert "outcome" not in said(entry)


def test_a_guard_that_is_not_known_here_keeps_its_name() -> None:
    event = story()[0]
    check = Check(
        guard="moon_is_full",
        passed=False,
        saw={"phase": "new", "days": 3, "nights": ("a", "b"), "none": ()},
    )
    for changed in ({"checks": (check,)}, {"checks": (check,), "rules": "1999-01"}):
        entry = timeline([event.model_copy(update=changed)], DEFAULT_POLICY)[0]
        assert (entry.checks[0].text, entry.checks[0].in_summary) == (None, True)
        assert said(entry)["seen"] == ["✗ moon_is_full [phase: new; days: 3; nights: a, b]"]


# ---- values: the order's facts -------------------------------------------------------------------


def test_the_orders_facts_in_brief() -> None:
    shown = order(
        cancel_request={"status": "rejected"},
        refund={
            "status": "completed",
            "scope": "partial",
            "completed_at": OPENED_AT,
            "amount": "9.90",
            "currency": "CNY",
        },
        shipment={"shipped_at": None, "waybill": "W1"},
        pickup=pickup(OPENED_AT + DAY, kind="failed"),
    )
    entry = told((choose(Option.CONSUMER_CANCELS), OPENED_AT + HOUR, shown))[1]
    assert said(entry)["order"][0].split("; ") == [
        "paid 2023-03-25 10:00:00",
        "cancel request rejected (undated)",
        "partial refund completed 2023-03-28 10:00:00 9.90 CNY",
        "shipped (undated) W1",
        "pickup failed 2023-03-29 10:00:00 (after the query: does not count yet) W1",
    ]
    assert said(told((choose(Option.CONSUMER_CANCELS), OPENED_AT + HOUR, Order()))[1], "zh")[
        "订单"
    ] == ["未付款；未发货；无揽件记录"]


# ---- how it stands -------------------------------------------------------------------------------


def told_standing(
    dispute: Dispute, at: datetime | None = None, lang: Lang = "en"
) -> list[tuple[str, str]]:
    return list(state_details(dispute, lang, at))


def test_it_stands_with_the_time_that_is_left() -> None:
    dispute = opened()
    assert (
        "deadline",
        "response deadline: due 2023-03-29 10:00:00, 1d left",
    ) in told_standing(dispute)
    assert told_standing(dispute, OPENED_AT + 23 * HOUR) == [
        ("state", "waiting for the merchant's choice"),
        ("deadline", "response deadline: due 2023-03-29 10:00:00, 1h left"),
        (
            "next",
            (
                "unless something happens before, the system acts after 2023-03-29 10:00:00: "
                "response deadline passed"
            ),
        ),
    ]


def test_it_stands_with_a_deadline_that_nobody_swept() -> None:
    later = OPENED_AT + 2 * DAY
    assert (
        "deadline",
        "response deadline: was due 2023-03-29 10:00:00, passed 1d ago",
    ) in told_standing(opened(), later)


def test_it_says_which_deadline_its_state_does_not_act_on() -> None:
    dispute = after(opened(), PROMISED, shown=PAID)
    assert set(dispute.running) == {Deadline.PROMISE}
    idle = [text for _, text in told_standing(dispute) if "triggers nothing" in text]
    assert [text.split(":")[0] for text in idle] == ["confirmation deadline"]
    confirmed = after(dispute, command(CommandType.CONFIRM_AGREEMENT), shown=PAID)
    assert told_standing(confirmed)[1:4] == [
        ("option", "agreed: ship and pickup before an agreed date"),
        ("", "agreed date 2023-03-31 10:00:00"),
        ("", "the agreement is confirmed"),
    ]


def test_it_says_when_only_a_person_can_go_on_and_nothing_once_it_is_closed() -> None:
    review = after(after(opened(), CONTEST), submission())
    assert told_standing(review)[-1] == ("next", "no deadline runs; it waits for a person")
    closed = after(review, ruling(CommandType.RULE_NO_FAULT))
    assert told_standing(closed) == [
        ("state", "resolved"),
        ("outcome", "no fault found"),
        ("option", "submit evidence, then a ruling by the rules"),
    ]


# ---- words ---------------------------------------------------------------------------------------


def guards() -> dict[str, Guard]:
    """Give the guards of every rule version by the name under which they are recorded."""
    tables = [version.table for version in VERSIONS.values()]
    found: list[Guard] = [
        guard
        for table in tables
        for guard in (table.entry.by, *table.entry.needs, *table.actors.values())
    ]
    for row in (row for table in tables for rows in table.transitions.values() for row in rows):
        found += [row.rule.by, *row.when, *row.when_facts, *row.rule.timing, *row.rule.needs]
    return {
        guard.dimension.name if isinstance(guard, Selector) else guard.name: guard
        for guard in found
    }


BESIDE = ("live", "option_offered", "no_option_chosen", "offered_here", "key_unused")


@pytest.mark.parametrize("name", [*guards(), *BESIDE])
def test_every_guard_has_words_in_both_languages(name: str) -> None:
    guard = guards().get(name)
    answers = list(guard.dimension.answers) if isinstance(guard, Selector) else [""]
    checks = tuple(Check(guard=name, passed=False, saw={name: answer}) for answer in answers)
    rules = next(
        (version.id for version in VERSIONS.values() if name in version.table.guards()), "2023-03"
    )
    entry = timeline(
        [story()[0].model_copy(update={"checks": checks, "rules": rules})], DEFAULT_POLICY
    )[0]
    for check in entry.checks:
        assert CJK.search(check.label("zh"))
        assert check.label("en").strip()
        assert not CJK.search(check.label("en"))


@cache
def corpus() -> tuple[tuple[TimelineEntry, ...], ...]:
    """Give the timeline of every scenario that there is, without what people wrote."""
    results = [ran(path) for path in CORPUS]
    return tuple(
        timeline(erased(result.events), result.scenario.opening.policy) for result in results
    )


def test_every_sort_of_event_is_told_in_both_languages() -> None:
    entries = [entry for each in corpus() for entry in each]
    assert {entry.type for entry in entries} == set(EventType)
    assert {entry.command for entry in entries} == set(CommandType)
    for entry in entries:
        assert headline(entry, "zh")[1] == entry.type.zh
        assert headline(entry, "en") == (
            entry.local,
            entry.type.en,
            f"{actor_label(entry.actor, 'en')} · {entry.command.en}",
        )
        assert len(list(details(entry, "zh"))) == len(list(details(entry, "en")))


def test_every_check_of_the_corpus_has_words_and_so_has_what_it_saw() -> None:
    for entry in (entry for each in corpus() for entry in each):
        assert [check.guard for check in entry.checks if check.text is None] == []
        zh, en = (
            "\n".join(said(entry, "zh").get("核查结果", [])),
            "\n".join(said(entry).get("seen", [])),
        )
        for name in (name for check in entry.checks for name in check.saw):
            assert f"{name}：" not in zh
            assert "_" not in name or f"{name}:" not in en


def test_a_story_in_chinese_has_no_word_of_the_program_in_it() -> None:
    """Codes and reason ids follow their labels in brackets; an unknown reason is only its id."""
    enumerations = (
        Option,
        Deadline,
        CommandType,
        EventType,
        StateName,
        Outcome,
        VoucherKind,
        CancelStatus,
        RefundStatus,
        RefundScope,
        PickupKind,
    )
    words = {word.value for words in enumerations for word in words} | {
        *SEEN,
        *QUESTIONS,
        *guards(),
        *DEFAULT_POLICY.evidence_reasons,
    }
    for entry in (entry for each in corpus() for entry in each):
        texts = [
            *headline(entry, "zh"),
            *(
                text
                for _, text in details(entry, "zh")
                if text not in DEFAULT_POLICY.evidence_reasons
            ),
        ]
        texts += [
            text.removesuffix(f" · {check.guard}")
            for check, text in zip(entry.checks, check_lines(entry, "zh"), strict=True)
        ]
        assert words.isdisjoint(
            token
            for text in texts
            for token in re.findall(r"[\w:/-]+", re.sub(r" \(\w+\)", "", text), re.ASCII)
        )


def test_what_the_package_says_in_english_has_no_chinese_in_it_and_every_label_is_translated() -> (
    None
):
    entries = told(
        PROMISED,
        extension(AGREED + DAY),
        choose(Option.CONSUMER_CANCELS),
        (command(CommandType.OBSERVE_ORDER), AGREED, order(shipment=shipment(), pickup=pickup())),
    )
    assert not CJK.search("\n".join(timeline_lines(entries, "en")))
    for entry in entries:
        assert all(CJK.search(label) for label, _ in details(entry, "zh") if label)


def test_a_whole_timeline_in_english() -> None:
    assert list(timeline_lines(missed(), "en")) == [
        "#1  2023-03-28 10:00:00 +0800  dispute opened  consumer C-1 · open the dispute",
        "    order     paid 2023-03-25 10:00:00; not shipped; no pickup record",
        "    state     waiting for the merchant's choice",
        "    deadline  response deadline begins: due 2023-03-29 10:00:00 (24 h)",
        "#2  2023-03-28 11:00:00 +0800  option chosen  merchant M-1 · choose an option",
        "    option       agreed: ship and pickup before an agreed date",
        "    agreed date  2023-03-31 10:00:00",
        "    voucher      chat screenshot · 1.png · s3://1 · image/png · 1000 B",
        "    note         as agreed",
        "    state        waiting for shipment by the agreed date",
        "    deadline     response deadline ends with 23h left",
        "                 confirmation deadline begins: due 2023-03-29 11:00:00 (24 h)",
        (
            "                 promise deadline begins: due 2023-03-31 16:00:00 (the agreed date, "
            "and 6h more for the scan to reach us)"
        ),
        "#3  2023-04-01 01:00:00 +0800  dispute penalized  system · promise deadline passed",
        "    seen      neither kept nor refunded",
        "    order     paid 2023-03-25 10:00:00; not shipped; no pickup record",
        "    state     penalized",
        "    outcome   agreed date missed",
        "    deadline  promise deadline was due 2023-03-31 16:00:00; acted on 9h later",
        "              confirmation deadline ends; it was due 2023-03-29 11:00:00",
    ]


def test_a_timeline_in_chinese_stands_in_columns() -> None:
    assert list(timeline_lines(missed(), "zh"))[4:12] == [
        "#2  2023-03-28 11:00:00 +0800  商家已选择方案  商家 M-1 · 选择方案",
        "    方案      已协商一致，协商日期前发货且物流揽件",
        "    约定时间  2023-03-31 10:00:00",
        "    凭证      聊天截图 · 1.png · s3://1 · image/png · 1000 B",
        "    备注      as agreed",
        "    状态      待商家按协商日期发货",
        "    时限      商家已响应，比时限提前 23 小时",
        "              消费者确认时限开始计时：2023-03-29 11:00:00 截止（24 小时）",
    ]


def test_days_that_are_skipped_are_explained_and_a_plain_count_is_not() -> None:
    assert said(told(CONTEST)[1])["deadline"][1:] == [
        "evidence deadline begins: due 2023-03-28 14:01:00 (4 h of working time)"
    ]
    qingming = datetime(2023, 4, 4, 8, 30, tzinfo=UTC)
    late = told((CONTEST, qingming, PAID), policy=over(response={"hours": 240}))[1]
    assert said(late)["deadline"][1:] == [
        "evidence deadline begins: due 2023-04-06 11:30:00 (4 h of working time)",
        "4 h of working time from 2023-04-04 16:30 end at 2023-04-06 11:30 (Asia/Shanghai)",
        "counted: 2023-04-04 16:30–18:00, 2023-04-06 09:00–11:30",
        "skipped: 2023-04-05 Tomb-Sweeping Day",
    ]


def test_a_promise_without_grace_says_nothing_of_it() -> None:
    entry = told(PROMISED, policy=over(scan_grace="0s"))[1]
    assert said(entry)["deadline"][-1] == "promise deadline begins: due 2023-03-31 10:00:00"


def test_an_extended_deadline_says_from_and_to() -> None:
    entry = told(PROMISED, extension(AGREED + DAY))[2]
    assert said(entry, "zh")["时限"] == [
        "约定发货时限由 2023-03-31 16:00:00 延至 2023-04-01 16:00:00"
    ]


def test_a_deadline_that_is_switched_off_does_not_begin() -> None:
    assert told(policy=over(response=None))[0].deadlines.started == {}
    strange = timeline(story(), over(response=None))[
        0
    ]  # its history cannot be sound, but it can be check at
    assert said(strange)["deadline"] == ["response deadline begins: due 2023-03-29 10:00:00"]


def test_durations_states_and_actors_in_words() -> None:
    assert [duration_text(26 * HOUR + MINUTE, lang) for lang in LANGS] == [
        "1 天 2 小时 1 分钟",
        "1d2h1m",
    ]
    several = (
        "disputing.settlement.awaiting_confirmation,disputing.evidence.under_review,x.unheard_of"
    )
    assert state_label(several, "zh") == "待消费者确认 + 待平台判责 + unheard_of"
    assert actor_label(Actor(role=Role.SYSTEM, id="system"), "zh") == "系统"
    assert actor_label(Actor(role=Role.SYSTEM, id="sweeper-2"), "zh") == "系统 sweeper-2"


# ---- marks ---------------------------------------------------------------------------------------


def test_marks_stand_below_their_event_and_below_all_where_there_is_none() -> None:
    plain = list(timeline_lines(missed(), "en"))
    marked = list(
        timeline_lines(
            missed(),
            "en",
            notes={
                2: ["first difference here:\n  option", "and more"],
                12: ["expected one more event"],
            },
        )
    )
    third = next(number for number, line in enumerate(marked) if line.startswith("#3"))
    assert marked[third - 3 : third] == [
        "    >> first difference here:",
        "    >>   option",
        "    >> and more",
    ]
    assert marked[-2:] == ["#12", "    >> expected one more event"]
    assert [
        re.sub("^(#[0-9]) +", r"\1  ", line) for line in marked[:-2] if ">>" not in line
    ] == plain
    assert list(timeline_lines((), "en", notes={1: ["nothing there"]})) == [
        "#1",
        "    >> nothing there",
    ]


# ---- what may not get to a terminal --------------------------------------------------------------

TRICKS = "a\x1b[31mb\x07\u202ec\u200bd\x85e\u2028f\ng\r\th\u3000i\x00\x9bj"


@pytest.mark.parametrize("lang", LANGS)
def test_no_control_character_gets_through(lang: Lang) -> None:
    actor = Actor(role=Role.MERCHANT, id="M-1\u202e\u2028")
    entries = told(
        choose(Option.SHIP_BY_AGREED_DATE, vouchers=[voucher(media_type="image\u202e/png")]),
        choose(Option.CONSUMER_CANCELS, by=actor),
        choose(
            Option.SHIP_BY_AGREED_DATE,
            note=TRICKS,
            vouchers=[voucher(file_name=TRICKS, uri=f"s3:{TRICKS}")],
        ),
        extension(AGREED + DAY, rationale=TRICKS),
        (
            command(CommandType.OBSERVE_ORDER),
            AGREED,
            order(shipment=shipment(waybill="W\u202e"), pickup=pickup(waybill="W\u202e")),
        ),
    )
    text = list(timeline_lines(entries, lang, notes={1: [TRICKS]}))
    assert [line for line in text if not line.isprintable()] == []
    assert sum("�[31mb" in line for line in text) == 5
    assert any(line.endswith("h i��j") for line in text)  # a wide space is no trick


def test_a_blank_statement_says_so() -> None:
    assert said(told(CONTEST, submission(statement=" \n "))[2])["statement"] == ["(blank)"]


# ---- as others use it ----------------------------------------------------------------------------


def test_a_part_of_a_dispute_can_be_told() -> None:
    events = story(PROMISED, extension(AGREED + DAY))
    assert timeline(events[:2], DEFAULT_POLICY) == timeline(events, DEFAULT_POLICY)[:2]
    assert timeline([], DEFAULT_POLICY) == ()


def test_a_consumer_who_cancels_is_told_with_the_request_that_was_seen() -> None:
    entry = told((choose(Option.CONSUMER_CANCELS), OPENED_AT + HOUR, CANCELLING))[1]
    assert said(entry)["seen"] == ["✓ a cancel request that stands, or a completed full refund"]
    assert said(entry)["order"][0].split("; ")[1] == "cancel request submitted (undated)"
