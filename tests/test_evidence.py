"""Evidence: the checklist, what each reason asks for, and every limit at its boundary."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispute_fsm.domain.commands import Voucher
from dispute_fsm.domain.enums import VoucherKind
from dispute_fsm.domain.policy import DEFAULT_POLICY, DEFAULT_REASONS, Policy
from dispute_fsm.domain.reasons import PayloadUnlock
from dispute_fsm.domain.scalars import MAX_INTEGER
from dispute_fsm.rules.checklist import Checklist, checklist
from dispute_fsm.rules.guards.evidence import distinct, length
from tests.strategies import blanks, policies, texts, voucher_tuples

MIB = 1024 * 1024
STATEMENT = "爆仓，附盖章说明"
ONE_PROMPT = "carrier_fault"  # carrier_certificate x 1
CERTIFICATE, CHAT, DOCUMENT, TRACE = (
    "carrier_certificate",
    "chat_screenshot",
    "official_document",
    "waybill_trace",
)

Vouchers = tuple[Voucher, ...]


def voucher(kind: str = CERTIFICATE, number: int = 0, **members: object) -> Voucher:
    """Make the voucher of this kind and number; another number is another file."""
    base = {"kind": kind, "media_type": "image/png", "size": 1, "sha256": f"{number:064x}"}
    return Voucher.model_validate({**base, **members})


def check(
    *vouchers: Voucher,
    reason: str | None = ONE_PROMPT,
    statement: str | None = STATEMENT,
    policy: Policy = DEFAULT_POLICY,
) -> Checklist:
    return checklist(policy, reason, vouchers, statement)


def codes(found: Checklist) -> set[str]:
    named = [str(fault.code) for fault in found.reasons]
    assert len(named) == len(set(named)), "each fault is named once"
    return set(named)


def seen(found: Checklist, code: str) -> dict[str, Any]:
    (finding,) = (fault for fault in found.reasons if fault.code == code)
    return dict(finding.saw)


def limited(**limits: object) -> Policy:
    return DEFAULT_POLICY.lay_over({"voucher_limits": limits})


# ---- complete or not -----------------------------------------------------------------------------


@pytest.mark.parametrize("reason", DEFAULT_REASONS)
def test_just_what_a_reason_prompts_for_and_a_statement_are_complete(reason: str) -> None:
    prompts = DEFAULT_REASONS[reason].prompts
    asked = [
        voucher(prompt.kind.value, number)
        for prompt in prompts
        for number in range(prompt.at_least)
    ]
    found = check(*asked, reason=reason)
    assert found.complete
    assert codes(found) == set()
    assert [
        (status.prompt, status.given, status.missing, status.done) for status in found.prompts
    ] == [(prompt, prompt.at_least, 0, True) for prompt in prompts]
    for missing in range(len(asked)):
        found = check(*asked[:missing], *asked[missing + 1 :], reason=reason)
        assert not found.complete
        assert codes(found) == {"voucher_missing"}
    assert codes(check(*asked, reason=reason, statement=None)) == {"statement_missing"}


def test_before_anything_is_at_hand_the_checklist_says_what_is_asked_for() -> None:
    found = checklist(DEFAULT_POLICY, "customs_clearance")
    assert codes(found) == {"voucher_missing", "statement_missing"}
    assert [
        (status.prompt.kind.value, status.given, status.missing, status.done)
        for status in found.prompts
    ] == [
        (DOCUMENT, 0, 1, False),
        (TRACE, 0, 1, False),
    ]
    assert seen(found, "voucher_missing") == {
        "required": ("official_document x 1", "waybill_trace x 1"),
        "missing": ("official_document x 1", "waybill_trace x 1"),
    }


def test_the_checklist_says_what_a_voucher_must_show() -> None:
    in_both: dict[str, object] = {"zh": "盖章", "en": "the stamp"}
    for shows, words in ((in_both, ["盖章", "the stamp"]), ("盖章 / stamp", ["盖章 / stamp"] * 2)):
        prompts = [{"kind": "photo", "at_least": 1, "shows": shows}]
        policy = DEFAULT_POLICY.lay_over({"evidence_reasons": {ONE_PROMPT: {"prompts": prompts}}})
        (status,) = checklist(policy, ONE_PROMPT).prompts
        assert [status.prompt.shows_label("zh"), status.prompt.shows_label("en")] == words


def test_what_is_missing_is_counted_by_kind() -> None:
    found = check(voucher(CHAT), voucher("photo"), reason="consumer_unresponsive")
    assert [(status.given, status.missing, status.done) for status in found.prompts] == [
        (1, 1, False)
    ]
    assert seen(found, "voucher_missing") == {
        "required": ("chat_screenshot x 2",),
        "missing": ("chat_screenshot x 1",),
    }
    found = check(voucher(TRACE), reason="customs_clearance")
    assert seen(found, "voucher_missing")["missing"] == ("official_document x 1",)


@pytest.mark.parametrize("there", [2, 3, 20])
def test_more_than_prompted_for_is_welcome(there: int) -> None:
    found = check(
        *(voucher(CHAT, number) for number in range(there)), reason="consumer_unresponsive"
    )
    assert found.complete
    assert [(status.given, status.missing, status.done) for status in found.prompts] == [
        (there, 0, True)
    ]


@pytest.mark.parametrize("kind", VoucherKind)
def test_a_kind_that_is_not_prompted_for_is_welcome_unless_it_is_not_accepted(
    kind: VoucherKind,
) -> None:
    found = check(voucher(DOCUMENT), voucher(kind.value, 1), reason="force_majeure")
    assert codes(found) == ({"voucher_not_accepted"} if kind == CHAT else set())
    if kind == CHAT:
        assert seen(found, "voucher_not_accepted") == {"not_accepted": (CHAT,)}


def test_a_voucher_that_is_not_accepted_is_named_beside_one_that_is_missing() -> None:
    assert codes(check(voucher(CHAT), reason="force_majeure")) == {
        "voucher_not_accepted",
        "voucher_missing",
    }


# ---- counted once --------------------------------------------------------------------------------


def test_the_same_file_of_the_same_kind_counts_once() -> None:
    assert codes(check(voucher(CHAT), voucher(CHAT), reason="consumer_unresponsive")) == {
        "voucher_missing"
    }
    again = voucher(CHAT, file_name="another-name.png", uri="https://elsewhere.example/1")
    assert codes(check(voucher(CHAT), again, reason="consumer_unresponsive")) == {"voucher_missing"}
    assert distinct([voucher(CHAT), again, voucher(CHAT, 1)]) == (voucher(CHAT), voucher(CHAT, 1))


def test_the_same_file_of_another_kind_counts_again() -> None:
    assert check(voucher(DOCUMENT), voucher(TRACE), reason="customs_clearance").complete
    assert len(distinct([voucher(DOCUMENT), voucher(TRACE), voucher(DOCUMENT)])) == 2


def test_a_repetition_counts_once_for_the_limits_too() -> None:
    full = voucher(size=10 * MIB)
    assert check(*[full] * 6).complete
    assert check(*[voucher()] * 21).complete


def test_where_repetitions_differ_in_size_the_larger_counts_in_whatever_order() -> None:
    small, large = voucher(size=1), voucher(size=10 * MIB + 1)
    for at_hand in ((small, large), (large, small), (large, small, large)):
        assert distinct(at_hand) == (large,)
        assert codes(check(*at_hand)) == {"voucher_too_large"}


@given(voucher_tuples())
def test_what_is_distinct_is_each_pair_of_hash_and_kind_once_in_order(vouchers: Vouchers) -> None:
    pairs = [(voucher.sha256, voucher.kind) for voucher in distinct(vouchers)]
    assert pairs == list(dict.fromkeys((voucher.sha256, voucher.kind) for voucher in vouchers))
    assert distinct(distinct(vouchers)) == distinct(vouchers)
    assert set(distinct(vouchers)) <= set(vouchers)


# ---- limits --------------------------------------------------------------------------------------


def files(count: int, size: int = 1) -> list[Voucher]:
    return [voucher(number=number, size=size) for number in range(count)]


@pytest.mark.parametrize(
    ("at_hand", "fault"),
    [
        ([voucher(size=10 * MIB)], None),
        ([voucher(size=10 * MIB + 1)], "voucher_too_large"),
        ([voucher(size=0)], None),
        ([voucher(size=MAX_INTEGER)], "voucher_too_large"),
        (files(5, 10 * MIB), None),
        ([*files(5, 10 * MIB), voucher(number=9, size=0)], None),
        ([*files(5, 10 * MIB), voucher(number=9, size=1)], "voucher_too_large"),
        (files(20), None),
        (files(21), "too_many_vouchers"),
        *(
            ([voucher(media_type=kind)], None)
            for kind in ("image/jpeg", "image/png", "image/gif", "application/pdf", "video/mp4")
        ),
        *(
            ([voucher(), voucher(number=1, media_type=kind)], "voucher_media_type")
            for kind in (
                "image/webp",
                "image/svg+xml",
                "text/html",
                "IMAGE/PNG",
                "image/png ",
                "application/octet-stream",
            )
        ),
    ],
)
def test_each_limit_of_the_default_holds_at_its_boundary(
    at_hand: list[Voucher], fault: str | None
) -> None:
    found = check(*at_hand)
    assert codes(found) == ({fault} if fault else set())
    assert found.complete is (fault is None)


def test_a_voucher_over_a_limit_still_counts_as_there_so_that_each_fault_is_named_once() -> None:
    found = check(voucher(size=10 * MIB + 1, media_type="image/webp"))
    assert codes(found) == {"voucher_too_large", "voucher_media_type"}
    assert [status.done for status in found.prompts] == [True]


def test_the_findings_on_limits_say_what_was_looked_at_and_what_it_showed() -> None:
    found = check(
        *files(21, 3 * MIB),
        voucher(size=11 * MIB, number=98, media_type="text/plain"),
        statement="x" * 501,
    )
    assert codes(found) == {
        "voucher_too_large",
        "voucher_media_type",
        "too_many_vouchers",
        "statement_too_long",
    }
    assert seen(found, "voucher_too_large") == {
        "largest": 11 * MIB,
        "max_bytes": 10 * MIB,
        "together": 74 * MIB,
        "max_bytes_together": 50 * MIB,
    }
    assert seen(found, "voucher_media_type") == {"not_supported": ("text/plain",)}
    assert seen(found, "too_many_vouchers") == {"count": 22, "max_count": 20}
    assert seen(found, "statement_too_long") == {"length": 501, "max_statement": 500}


def test_a_sum_of_bytes_stays_within_what_a_record_can_hold() -> None:
    most = limited(max_bytes=MAX_INTEGER, max_bytes_together=MAX_INTEGER)
    assert check(voucher(size=MAX_INTEGER), policy=most).complete
    found = check(voucher(size=MAX_INTEGER), voucher(number=1), policy=most)
    assert codes(found) == {"voucher_too_large"}
    assert seen(found, "voucher_too_large")["together"] == MAX_INTEGER


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        ({"max_bytes": 2}, None),
        ({"max_bytes": 1}, "voucher_too_large"),
        ({"max_bytes_together": 4}, None),
        ({"max_bytes_together": 3}, "voucher_too_large"),
        ({"max_count": 2}, None),
        ({"max_count": 1}, "too_many_vouchers"),
        ({"max_count": 0}, "too_many_vouchers"),
        ({"media_types": ["image/png"]}, None),
        ({"media_types": ["image/webp"]}, "voucher_media_type"),
        ({"max_statement": len(STATEMENT)}, None),
        ({"max_statement": len(STATEMENT) - 1}, "statement_too_long"),
        ({"max_statement": 0}, "statement_too_long"),
    ],
)
def test_the_limits_are_the_policys(limits: Mapping[str, object], fault: str | None) -> None:
    found = check(*files(2, 2), policy=limited(**limits))
    assert codes(found) == ({fault} if fault else set())


# ---- the statement -------------------------------------------------------------------------------


@pytest.mark.parametrize("character", ["a", "商", "🚚", "é"])
def test_a_statement_has_at_most_500_code_points(character: str) -> None:
    assert check(voucher(), statement=character * 500).complete
    assert codes(check(voucher(), statement=character * 501)) == {"statement_too_long"}


@pytest.mark.parametrize("statement", [None, "", " ", "\u3000\n\t\u00a0", " " * 501])
def test_a_blank_statement_counts_as_missing_however_long(statement: str | None) -> None:
    found = check(voucher(), statement=statement)
    assert codes(found) == {"statement_missing"}
    assert seen(found, "statement_missing") == {"required": True, "length": 0}


def test_space_around_a_statement_counts() -> None:
    assert check(voucher(), statement=" " * 499 + "x").complete
    assert codes(check(voucher(), statement=" " * 500 + "x")) == {"statement_too_long"}


@given(texts(), blanks())
def test_length_counts_code_points_and_is_0_for_a_blank_text(text: str, blank: str) -> None:
    assert length(None) == length(blank) == 0
    assert length(text) == (len(text.encode("utf-32-le")) // 4 if text.strip() else 0)
    assert length(f"{blank}x{blank}") == 2 * len(blank) + 1


def test_a_statement_is_required_only_where_the_reason_says_so_but_the_limit_always_holds() -> None:
    policy = DEFAULT_POLICY.lay_over({"evidence_reasons": {ONE_PROMPT: {"statement": False}}})
    for statement in (None, "", " ", "x", "x" * 500):
        assert check(voucher(), statement=statement, policy=policy).complete
    assert codes(check(voucher(), statement="x" * 501, policy=policy)) == {"statement_too_long"}


# ---- an unknown reason ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason", [None, "", "Carrier_Fault", "carrier_fault ", "x" * 65_536, "不可抗力"]
)
def test_with_an_unknown_reason_a_statement_is_required_and_the_limits_hold(
    reason: str | None,
) -> None:
    assert codes(check(reason=reason)) == {"reason_unknown"}
    assert codes(check(voucher(CHAT), reason=reason)) == {"reason_unknown"}
    assert codes(check(reason=reason, statement=None)) == {"reason_unknown", "statement_missing"}
    found = check(
        *files(21, 3 * MIB), voucher(media_type="text/plain"), reason=reason, statement="x" * 501
    )
    assert codes(found) == {
        "reason_unknown",
        "voucher_too_large",
        "voucher_media_type",
        "too_many_vouchers",
        "statement_too_long",
    }
    assert found.prompts == ()
    assert seen(found, "reason_unknown") == {
        "reason_known": False,
        "reasons": tuple(sorted(DEFAULT_REASONS)),
    }


def test_a_reason_that_the_policy_removed_is_unknown_and_one_that_it_added_is_known() -> None:
    added = {
        "label": {"zh": "缺原料", "en": "no material"},
        "prompts": [],
        "not_accepted": ["video"],
        "statement": False,
    }
    policy = DEFAULT_POLICY.lay_over({"evidence_reasons": {ONE_PROMPT: None, "no_material": added}})
    assert codes(check(voucher(), policy=policy)) == {"reason_unknown"}
    assert check(reason="no_material", statement=None, policy=policy).complete
    assert codes(check(voucher("video"), reason="no_material", policy=policy)) == {
        "voucher_not_accepted"
    }


# ---- all together --------------------------------------------------------------------------------


def expected(
    policy: Policy, reason: str | None, vouchers: Vouchers, statement: str | None
) -> set[str]:
    """Say the rules once more, in the plainest way."""
    limits, faults = policy.voucher_limits, set()
    once = {
        (voucher.sha256, voucher.kind): voucher
        for voucher in sorted(vouchers, key=lambda voucher: voucher.size)
    }.values()
    entry = None if reason is None else policy.evidence_reasons.get(reason)
    blank = statement is None or statement.strip() == ""
    if entry is None:
        faults.add("reason_unknown")
    else:
        if any(
            sum(voucher.kind is prompt.kind for voucher in once) < prompt.at_least
            for prompt in entry.prompts
        ):
            faults.add("voucher_missing")
        if any(voucher.kind in entry.not_accepted for voucher in once):
            faults.add("voucher_not_accepted")
    if (
        any(voucher.size > limits.max_bytes for voucher in once)
        or sum(voucher.size for voucher in once) > limits.max_bytes_together
    ):
        faults.add("voucher_too_large")
    if any(voucher.media_type not in limits.media_types for voucher in vouchers):
        faults.add("voucher_media_type")
    if len(once) > limits.max_count:
        faults.add("too_many_vouchers")
    if blank and (entry is None or entry.statement):
        faults.add("statement_missing")
    if not blank and len(statement or "") > limits.max_statement:
        faults.add("statement_too_long")
    return faults


@given(policies(), st.data())
def test_the_checklist_names_every_fault_and_no_other(policy: Policy, data: st.DataObject) -> None:
    reason = data.draw(st.none() | st.sampled_from([*policy.evidence_reasons, *DEFAULT_REASONS]))
    vouchers, statement = data.draw(voucher_tuples(policy)), data.draw(st.none() | texts())
    found = checklist(policy, reason, vouchers, statement)
    assert codes(found) == expected(policy, reason, vouchers, statement)
    assert found.complete is (found.reasons == ())
    assert all(isinstance(fault.unlock, PayloadUnlock) for fault in found.reasons)
    assert {
        fault.unlock.field for fault in found.reasons if isinstance(fault.unlock, PayloadUnlock)
    } <= {"reason", "vouchers", "statement"}


def test_a_checklist_cannot_be_changed() -> None:
    found = check(voucher())
    for frozen, member in ((found, "reasons"), (found, "prompts"), (found.prompts[0], "given")):
        with pytest.raises(FrozenInstanceError):
            setattr(frozen, member, ())


def test_no_word_of_a_person_is_in_what_was_seen() -> None:
    phone = "13800000000"
    personal = voucher(CHAT, file_name=phone, uri=phone)
    found = check(
        personal,
        voucher(CHAT, 1, media_type="text/plain", size=MAX_INTEGER),
        reason=phone,
        statement=phone * 50,
    )
    assert {"reason_unknown", "statement_too_long"} < codes(found)
    assert phone not in str([fault.saw for fault in found.reasons])
