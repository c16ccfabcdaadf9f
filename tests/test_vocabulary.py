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
from tests import oracle_words

ENUMERATIONS = [
    words for words in Labelled.__subclasses__() if words.__module__ == vocabulary.__name__
]

WRITTEN_OUT = (Option, StateName, Deadline, CommandType, EventType, Outcome, RefusalCode)
"""What a rule version may add to; `oracle_words` has all of it."""

REGIONS = (StateName.SETTLEMENT, StateName.EVIDENCE)
"""Read in Chinese as the states of 2023-03 that they correspond to; no version has both."""


def ids(words: type[Labelled]) -> list[str]:
    return [word.value for word in words]


# ---- labels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", WRITTEN_OUT)
def test_exactly_the_words_of_the_rules_exist_with_their_labels(words: type[Labelled]) -> None:
    written = oracle_words.words(words.__name__)
    assert {name: written.get(name) and words(name).zh for name in ids(words)} == written


@pytest.mark.parametrize("words", [Option, Deadline])
def test_the_order_of_the_options_and_of_ties_between_deadlines(words: type[Labelled]) -> None:
    assert ids(words) == list(oracle_words.words(words.__name__))


def test_the_liabilities_are_the_weightiest_first() -> None:
    assert tuple(outcome.value for outcome in LIABILITIES) == oracle_words.LIABILITIES


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


def test_each_deadline_has_its_expiry_and_only_an_expiry_has_a_deadline() -> None:
    assert {deadline.expiry.value for deadline in Deadline} == {
        f"{deadline}_expired" for deadline in ids(Deadline)
    }
    assert {event: event.expires for event in CommandType if event.expires} == {
        deadline.expiry: deadline for deadline in Deadline
    }
