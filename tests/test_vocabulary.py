"""The vocabulary of the domain: the ids in files, and the labels that are fixed literally."""

import pytest
from pydantic import TypeAdapter

from dispute_fsm.domain import enums as vocabulary
from dispute_fsm.domain.enums import (
    LIABILITIES,
    ORDER_PAGE_LINK,
    CancelStatus,
    CommandType,
    Deadline,
    Denial,
    EventType,
    Labelled,
    Option,
    Outcome,
    PickupKind,
    RefundScope,
    RefundStatus,
    RefusalCode,
    Role,
    Silence,
    StateName,
    VoucherKind,
)
from dispute_fsm.domain.working_time import DayKind

ENUMERATIONS = [
    words for words in Labelled.__subclasses__() if words.__module__ == vocabulary.__name__
]

OPTION_LABELS = {
    "consumer_cancels": "已协商一致，消费者取消订单",
    "already_shipped": "已协商一致，已发货并有物流揽件信息",
    "ship_by_agreed_date": "已协商一致，协商日期前发货且物流揽件",
    "out_of_stock_refund": "缺货/无货达成一致退款",
    "prove_no_fault": "需举证后依据规则判责",
}
LIABILITY_LABELS = {
    "breach_of_promise": "违背承诺",
    "out_of_stock": "缺货/无货",
    "promise_missed": "未在协商日期前发货",
    "at_fault": "判定商家有责",
    "no_response": "逾期未响应",
    "evidence_overdue": "逾期未举证",
}
STATE_LABELS = {
    "opened": "待商家选择方案",
    "option_chosen": "已选择方案",
    "settling": "和解中",
    "awaiting_confirmation": "待消费者确认",
    "awaiting_shipment": "待商家按协商日期发货",
    "denial_under_review": "待平台核实协商",
    "contesting": "举证判责中",
    "awaiting_evidence": "待商家举证",
    "under_review": "待平台判责",
    "resolved": "已解决",
    "penalized": "已判责",
}
OF_PARALLEL = {
    StateName: {
        "disputing",
        "settlement",
        "evidence",
        "proposing",
        "settlement_failed",
        "evidence_failed",
    },
    EventType: {"settlement_failed", "evidence_failed"},
}
"""What version `parallel` may add."""

OF_EXTENDED = {
    Option: {"partial_refund": "已协商一致，部分退款"},
    StateName: {"appeal_under_review": "待平台复核申诉"},
    Deadline: {"appeal": "商家申诉时限"},
    CommandType: {
        "appeal": "提出申诉",
        "appeal_expired": "申诉时限届满",
        "uphold_penalty": "维持判责",
        "overturn_penalty": "撤销原判",
    },
    EventType: {
        "penalty_appealed": "商家已提出申诉",
        "penalty_final": "申诉时限届满，判责生效",
        "penalty_upheld": "申诉不成立，维持判责",
        "penalty_overturned": "申诉成立，判责已撤销",
    },
    Outcome: {
        "settled_by_partial_refund": "协商一致，已部分退款",
        "overturned": "申诉成立，撤销判责",
    },
    RefusalCode: {
        "no_partial_refund": "订单系统中没有已完成的部分退款",
        "already_appealed": "本次判责已申诉过，不可再次申诉",
    },
}
"""What version `extended` adds, with its labels."""

REGIONS = (StateName.SETTLEMENT, StateName.EVIDENCE)
"""Read in Chinese as the states of 2023-03 that they correspond to; no version has both."""


def ids(words: type[Labelled]) -> list[str]:
    return [word.value for word in words]


def ids_but_extended(words: type[Labelled]) -> list[str]:
    return [name for name in ids(words) if name not in OF_EXTENDED[words]]


def named(text: str) -> set[str]:
    return set(text.split())


# ---- labels --------------------------------------------------------------------------------------


def test_the_five_options_and_their_labels_are_the_announcements_to_the_letter() -> None:
    assert {name: Option(name).zh for name in ids_but_extended(Option)} == OPTION_LABELS
    assert ids(Option) == [*OPTION_LABELS, "partial_refund"]


@pytest.mark.parametrize("words", OF_EXTENDED)
def test_the_words_of_extended_and_their_labels(words: type[Labelled]) -> None:
    added = OF_EXTENDED[words]
    assert {name: words(name).zh for name in added} == added


def test_the_liabilities_and_their_labels() -> None:
    assert {outcome.value: outcome.zh for outcome in LIABILITIES} == LIABILITY_LABELS


def test_the_states_and_their_labels() -> None:
    assert {
        name: StateName(name).zh
        for name in ids_but_extended(StateName)
        if name not in OF_PARALLEL[StateName]
    } == STATE_LABELS


def test_the_link_to_the_order_page() -> None:
    assert ORDER_PAGE_LINK == "去订单详情页"


@pytest.mark.parametrize("words", [*ENUMERATIONS, DayKind])
def test_every_member_has_a_label_in_both_languages(words: type[Labelled]) -> None:
    assert len(words) > 0
    for word in words:
        assert any("\u4e00" <= character <= "\u9fff" for character in word.zh)
        assert word.en.isascii()
        assert (word.zh, word.en) == (word.zh.strip(), word.en.strip())
        assert word.en
        assert (word.label("zh"), word.label("en")) == (word.zh, word.en)
    for lang in ("zh", "en"):
        labels = [getattr(word, lang) for word in words if not (lang == "zh" and word in REGIONS)]
        assert len(set(labels)) == len(labels), "two words of one sort must not read the same"
    assert (StateName.SETTLEMENT.zh, StateName.EVIDENCE.zh) == (
        StateName.SETTLING.zh,
        StateName.CONTESTING.zh,
    )


@pytest.mark.parametrize("words", ENUMERATIONS)
def test_a_member_is_its_id(words: type[Labelled]) -> None:
    for word in words:
        assert (word, str(word), f"{word}") == (word.value,) * 3
        assert TypeAdapter(words).validate_python(word.value) is word
        assert word.value == word.name.lower()


# ---- ids -----------------------------------------------------------------------------------------


def test_exactly_the_refusal_codes_of_the_contract_exist() -> None:
    assert set(ids_but_extended(RefusalCode)) == named(
        """
        no_cancel_request_or_refund not_shipped no_pickup_scan pickup_not_valid promise_missing
        promise_not_in_future promise_too_far agreement_voucher_missing option_already_chosen
        deadline_passed deadline_not_passed deadline_not_later already_confirmed reason_unknown
        voucher_missing voucher_not_accepted voucher_too_large voucher_media_type too_many_vouchers
        statement_missing statement_too_long rationale_missing no_rounds_left order_not_found
        dispute_exists option_not_offered wrong_actor not_in_this_state dispute_closed key_reused
        """
    )


def test_exactly_the_outcomes_of_the_rules_exist() -> None:
    resolved = named(
        """
        settled_by_cancellation settled_by_shipment settled_by_agreed_shipment
        settled_by_out_of_stock_refund no_fault withdrawn annulled
        """
    )
    assert set(ids_but_extended(Outcome)) == resolved | set(LIABILITY_LABELS)


def test_exactly_the_events_of_the_rules_exist() -> None:
    assert set(ids_but_extended(CommandType)) == named(
        """
        open_dispute choose_option response_expired confirm_agreement deny_agreement
        confirmation_expired observe_order promise_expired submit_evidence evidence_expired
        request_evidence rule_no_fault rule_at_fault extend_deadline withdraw annul
        """
    )


def test_exactly_the_types_of_audit_events_exist() -> None:
    assert set(ids_but_extended(EventType)) - OF_PARALLEL[EventType] == named(
        """
        dispute_opened option_chosen agreement_confirmed agreement_denied agreement_upheld
        evidence_submitted evidence_requested evidence_overdue deadline_extended dispute_resolved
        dispute_penalized penalty_annulled refused
        """
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (Role, {"consumer", "merchant", "adjudicator", "system"}),
        (
            VoucherKind,
            {
                "chat_screenshot",
                "carrier_certificate",
                "waybill_trace",
                "official_document",
                "order_page",
                "photo",
                "video",
                "other",
            },
        ),
        (CancelStatus, {"submitted", "withdrawn", "rejected", "accepted"}),
        (RefundStatus, {"requested", "completed"}),
        (RefundScope, {"full", "partial"}),
        (PickupKind, {"picked_up", "failed", "assigned"}),
        (Silence, {"consent", "denial"}),
        (Denial, {"penalize", "review"}),
    ],
)
def test_exactly_the_members_of_the_rules_exist(words: type[Labelled], expected: set[str]) -> None:
    assert set(ids(words)) == expected


def test_the_deadlines_are_in_the_order_in_which_a_sweep_settles_ties() -> None:
    assert ids(Deadline) == ["response", "confirmation", "promise", "evidence", "appeal"]


def test_each_deadline_has_its_expiry_and_only_an_expiry_has_a_deadline() -> None:
    assert {deadline.expiry.value for deadline in Deadline} == {
        f"{deadline}_expired" for deadline in ids(Deadline)
    }
    assert {event: event.expires for event in CommandType if event.expires} == {
        deadline.expiry: deadline for deadline in Deadline
    }
