"""The policy: its defaults, its record and digest, laying one over another, and what is refused."""

import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping
from copy import copy, deepcopy
from datetime import date, time, timedelta
from string import ascii_letters, digits
from typing import Any, cast
from urllib.parse import unquote

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispute_fsm.domain.enums import Denial, Silence, VoucherKind
from dispute_fsm.domain.policy import (
    DEFAULT_POLICY,
    DEFAULT_REASONS,
    EvidenceReason,
    Policy,
    Prompt,
    Term,
    VoucherLimits,
)
from dispute_fsm.domain.scalars import MAX_INTEGER, parse_duration
from dispute_fsm.domain.working_time import CalendarPolicy
from dispute_fsm.errors import InputError
from tests.strategies import identifiers, policies, policy_changes

MIB = 1024 * 1024
SWITCHED_OFF_BY_NULL = {
    "response",
    "confirmation",
    "evidence",
    "appeal",
    "max_promise",
    "order_url",
}

Path = tuple[str | int, ...]


def record() -> dict[str, Any]:
    return DEFAULT_POLICY.record


def members(value: object, path: Path = ()) -> Iterator[Path]:
    """Give the path of every member of every mapping."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield (*path, key)
            yield from members(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from members(inner, (*path, index))


def holder(top: dict[str, Any], path: Path) -> dict[str, Any]:
    """Give the mapping that the last step of the path is a member of."""
    found: Any = top
    for step in path[:-1]:
        found = found[step]
    return cast("dict[str, Any]", found)


def over(**changes: object) -> Policy:
    return DEFAULT_POLICY.lay_over(changes)


def name(path: Path) -> str:
    return ".".join(map(str, path))


FIELDS = [
    path
    for path in members(DEFAULT_POLICY.record)
    if path[:1] != ("evidence_reasons",)
    or len(path) == 1
    or (path[1] == "customs_clearance" and len(path) > 2)
]
"""The path of every field of the default's record, with one reason of the ten.

A reason is not a field: it may be missing.
"""

# ---- the default ---------------------------------------------------------------------------------


def test_the_defaults_are_those_of_the_rules() -> None:
    default = DEFAULT_POLICY
    assert default.response == default.confirmation == Term(hours=24)
    assert default.evidence == Term(working_hours=4)
    assert default.max_promise == timedelta(days=15)
    assert default.scan_grace == timedelta(hours=6)
    assert default.max_facts_age == timedelta(minutes=5)
    assert (default.silence, default.denial) == (Silence.CONSENT, Denial.PENALIZE)
    assert (default.extra_evidence_rounds, default.max_recorded_refusals) == (1, 50)
    assert default.order_url is not None
    assert default.calendar == CalendarPolicy.model_validate(
        {
            "zone": "Asia/Shanghai",
            "country": "CN",
            "day": {"from": "09:00", "to": "18:00"},
            "holidays": [],
            "workdays": [],
        }
    )
    assert default.voucher_limits == VoucherLimits(
        media_types=("image/jpeg", "image/png", "image/gif", "application/pdf", "video/mp4"),
        max_bytes=10 * MIB,
        max_bytes_together=50 * MIB,
        max_count=20,
        max_statement=500,
    )


def test_the_catalogue_of_reasons_is_that_of_the_rules() -> None:
    assert DEFAULT_POLICY.evidence_reasons == DEFAULT_REASONS
    assert {
        reason: (
            [(prompt.kind.value, prompt.at_least) for prompt in entry.prompts],
            [kind.value for kind in entry.not_accepted],
        )
        for reason, entry in DEFAULT_REASONS.items()
    } == {
        "consumer_agreed_later": ([("chat_screenshot", 1)], []),
        "consumer_requested_hold": ([("chat_screenshot", 1)], []),
        "consumer_unresponsive": ([("chat_screenshot", 2)], []),
        "presale_or_custom_promise": ([("order_page", 1)], []),
        "force_majeure": ([("official_document", 1)], ["chat_screenshot"]),
        "public_holiday": ([("official_document", 1)], []),
        "platform_fault": ([("order_page", 1)], []),
        "carrier_fault": ([("carrier_certificate", 1)], []),
        "shipped_and_picked_up": ([("waybill_trace", 1)], []),
        "customs_clearance": ([("official_document", 1), ("waybill_trace", 1)], []),
    }
    for entry in DEFAULT_REASONS.values():
        assert entry.statement is True
        assert (entry.label.label("zh"), entry.label.label("en")) == (
            entry.label.zh,
            entry.label.en,
        )
        for words in (entry.label.label, *(prompt.shows_label for prompt in entry.prompts)):
            assert words("zh") != words("en")
            assert words("zh").strip()
            assert words("en").strip()


def test_the_record_is_plain_json_as_in_a_history_file() -> None:
    assert {**DEFAULT_POLICY.record, "evidence_reasons": None, "voucher_limits": None} == {
        "response": {"hours": 24},
        "confirmation": {"hours": 24},
        "evidence": {"working_hours": 4},
        "max_promise": "15d",
        "scan_grace": "6h",
        "max_facts_age": "5m",
        "silence": "consent",
        "denial": "penalize",
        "extra_evidence_rounds": 1,
        "max_recorded_refusals": 50,
        "order_url": "https://shop.example/orders/{order_id}",
        "calendar": {
            "zone": "Asia/Shanghai",
            "country": "CN",
            "day": {"from": "09:00", "to": "18:00"},
            "holidays": [],
            "workdays": [],
        },
        "evidence_reasons": None,
        "voucher_limits": None,
    }
    assert list(DEFAULT_POLICY.record["evidence_reasons"]) == list(DEFAULT_REASONS)
    assert DEFAULT_POLICY.record["evidence_reasons"]["force_majeure"]["not_accepted"] == [
        "chat_screenshot"
    ]
    assert json.loads(json.dumps(DEFAULT_POLICY.record)) == DEFAULT_POLICY.record


# ---- the record is complete ----------------------------------------------------------------------


@given(policies())
def test_a_policy_is_read_back_from_its_record_as_it_was(policy: Policy) -> None:
    text = json.dumps(policy.record)
    for again in (Policy.model_validate(json.loads(text)), Policy.model_validate_json(text)):
        assert again == policy
        assert again.record == policy.record
        assert again.digest == policy.digest


@pytest.mark.parametrize("path", FIELDS, ids=name)
def test_a_record_with_a_field_left_out_is_an_error(path: Path) -> None:
    changed = record()
    del holder(changed, path)[str(path[-1])]
    with pytest.raises(ValidationError):
        Policy.model_validate(changed)
    with pytest.raises(ValidationError):
        Policy.model_validate_json(json.dumps(changed))


@pytest.mark.parametrize("inside", list(dict.fromkeys(path[:-1] for path in FIELDS)), ids=name)
def test_a_record_with_an_unknown_field_is_an_error(inside: Path) -> None:
    changed = record()
    holder(changed, (*inside, ""))["of_a_later_version"] = 1
    with pytest.raises(ValidationError):
        Policy.model_validate(changed)


def test_what_is_switched_off_is_recorded_as_null() -> None:
    off = over(**dict.fromkeys(SWITCHED_OFF_BY_NULL))
    assert {field for field, value in off.record.items() if value is None} == SWITCHED_OFF_BY_NULL
    assert Policy.model_validate_json(json.dumps(off.record)) == off


# ---- the digest ----------------------------------------------------------------------------------


def test_the_digest_of_the_default_is_pinned() -> None:
    """A change here means that new disputes get another policy: it belongs in the changelog."""
    assert (
        DEFAULT_POLICY.digest == "80b3d19839b8b0e7c9968b23f941a38a0f28af9ee66de97121304080c465da4e"
    )


@given(policies())
def test_the_digest_is_the_sha_256_of_the_rfc_8785_form_of_the_record(policy: Policy) -> None:
    assert (
        policy.digest
        == hashlib.sha256(rfc8785.dumps(json.loads(json.dumps(policy.record)))).hexdigest()
    )


@given(policies(), policies())
def test_policies_are_equal_where_their_digests_are(one: Policy, other: Policy) -> None:
    assert (one == other) == (one.digest == other.digest)


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"max_promise": "360h"},
        {"max_promise": timedelta(days=15)},
        {"scan_grace": "5h60m"},
        {"silence": Silence.CONSENT},
        {"response": {"hours": 24}},
        {"response": Term(hours=24)},
        {"voucher_limits": {"max_count": 20}},
        {"calendar": {"day": {"to": "18:00"}}},
        {"evidence_reasons": {"force_majeure": {"not_accepted": ["chat_screenshot"]}}},
        {"evidence_reasons": {"force_majeure": DEFAULT_REASONS["force_majeure"]}},
    ],
)
def test_equal_content_has_an_equal_digest_however_it_was_written(
    same: Mapping[str, object],
) -> None:
    assert DEFAULT_POLICY.lay_over(same) == DEFAULT_POLICY
    assert DEFAULT_POLICY.lay_over(same).digest == DEFAULT_POLICY.digest


def test_the_order_of_fields_and_reasons_makes_no_difference_to_the_digest() -> None:
    backwards = dict(reversed(record().items()))
    backwards["evidence_reasons"] = dict(reversed(backwards["evidence_reasons"].items()))
    assert Policy.model_validate(backwards).digest == DEFAULT_POLICY.digest


def test_days_of_the_calendar_are_a_set_for_the_digest() -> None:
    days = ["2023-04-07", "2023-04-06", "2023-04-07"]
    assert (
        over(calendar={"holidays": days}).digest
        == over(calendar={"holidays": sorted(set(days))}).digest
    )


# ---- changes -------------------------------------------------------------------------------------


def test_mappings_are_merged_key_by_key() -> None:
    laid = over(
        calendar={"day": {"to": "20:30"}},
        voucher_limits={"max_count": 3},
        evidence_reasons={"force_majeure": {"statement": False, "label": {"en": "act of God"}}},
    )
    assert (laid.calendar.day.opens, laid.calendar.day.closes) == (time(9), time(20, 30))
    assert laid.calendar.zone == "Asia/Shanghai"
    assert laid.voucher_limits == DEFAULT_POLICY.voucher_limits.model_copy(update={"max_count": 3})
    changed, default = laid.evidence_reasons["force_majeure"], DEFAULT_REASONS["force_majeure"]
    assert (changed.statement, changed.prompts, changed.not_accepted) == (
        False,
        default.prompts,
        default.not_accepted,
    )
    assert (changed.label.zh, changed.label.en) == (default.label.zh, "act of God")
    assert {**laid.evidence_reasons, "force_majeure": default} == DEFAULT_REASONS


@pytest.mark.parametrize(
    ("term", "expected"),
    [({"hours": 48}, Term(hours=48)), ({"working_hours": 8}, Term(working_hours=8)), (None, None)],
)
@pytest.mark.parametrize("deadline", ["response", "confirmation", "evidence", "appeal"])
def test_deadline_terms_are_replaced_whole(
    deadline: str, term: object, expected: Term | None
) -> None:
    assert getattr(over(**{deadline: term}), deadline) == expected


def test_a_disabled_term_can_be_set_again() -> None:
    assert over(response=None).lay_over({"response": {"working_hours": 2}}).response == Term(
        working_hours=2
    )


@pytest.mark.parametrize("length", [timedelta(seconds=-1), timedelta(microseconds=1)])
def test_a_duration_is_in_whole_seconds_and_not_negative(length: timedelta) -> None:
    with pytest.raises(ValidationError, match="in whole seconds and not negative"):
        over(scan_grace=length)


def test_lists_are_replaced_whole() -> None:
    prompt = {"kind": "photo", "at_least": 3, "shows": "the shelf"}
    laid = over(
        calendar={"holidays": ["2023-04-06"], "workdays": [date(2023, 4, 1)]},
        voucher_limits={"media_types": ["image/webp"]},
        evidence_reasons={
            "customs_clearance": {"prompts": [prompt]},
            "force_majeure": {"not_accepted": []},
        },
    ).lay_over({"calendar": {"holidays": ["2023-04-07"]}})
    assert laid.calendar.holidays == (date(2023, 4, 7),)
    assert laid.calendar.workdays == (date(2023, 4, 1),)
    assert laid.voucher_limits.media_types == ("image/webp",)
    assert laid.evidence_reasons["customs_clearance"].prompts == (
        Prompt(kind=VoucherKind.PHOTO, at_least=3, shows="the shelf"),
    )
    assert laid.evidence_reasons["force_majeure"].not_accepted == ()


def test_null_removes_a_single_reason_and_a_new_id_adds_one() -> None:
    added = {
        "label": {"zh": "缺原料", "en": "no material"},
        "prompts": [],
        "not_accepted": ["photo"],
        "statement": False,
    }
    laid = over(evidence_reasons={"force_majeure": None, "no_material": added})
    assert list(laid.evidence_reasons) == [
        reason for reason in DEFAULT_REASONS if reason != "force_majeure"
    ] + ["no_material"]
    assert laid.evidence_reasons["no_material"] == EvidenceReason.model_validate(added)
    assert over(evidence_reasons=dict.fromkeys(DEFAULT_REASONS)).evidence_reasons == {}


@pytest.mark.parametrize("reason", ["force_majeur", "", 12])
def test_a_reason_that_does_not_exist_cannot_be_removed(reason: object) -> None:
    with pytest.raises(InputError) as caught:
        over(evidence_reasons={reason: None})
    assert caught.value.field == f"evidence_reasons.{reason}"


def test_a_reason_cannot_be_removed_twice() -> None:
    once = over(evidence_reasons={"force_majeure": None})
    with pytest.raises(InputError):
        once.lay_over({"evidence_reasons": {"force_majeure": None}})


@pytest.mark.parametrize(
    "path", [path for path in FIELDS if name(path) not in SWITCHED_OFF_BY_NULL], ids=name
)
def test_null_elsewhere_is_an_error(path: Path) -> None:
    changed = record()
    holder(changed, path)[str(path[-1])] = None
    with pytest.raises(ValidationError):
        DEFAULT_POLICY.lay_over(changed)
    with pytest.raises(ValidationError):
        Policy.model_validate(changed)


@pytest.mark.parametrize(
    "term", [{"hours": 24, "working_hours": None}, {"hours": None, "working_hours": 4}]
)
def test_null_is_no_number_of_hours(term: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        over(response=term)


@given(policies(), policy_changes())
def test_changed_fields_are_set_and_the_others_stay(
    policy: Policy, changes: dict[str, object]
) -> None:
    changes.pop("evidence_reasons", None)  # the policy may lack the reason that is to be removed
    before, said = policy.digest, deepcopy(changes)
    laid = policy.lay_over(changes)
    for field in Policy.model_fields:
        if field not in said:
            assert laid.record.get(field) == policy.record.get(field)
            assert (field in laid.record) == (field in policy.record)
        elif field in {"calendar", "voucher_limits"}:
            members_said = cast("dict[str, object]", said[field])
            assert laid.record[field] == policy.record[field] | {
                member: sorted(cast("list[str]", value))
                if member in {"holidays", "workdays"}
                else value
                for member, value in members_said.items()
            }
        elif field in {"max_promise", "scan_grace", "max_facts_age"}:
            assert getattr(laid, field) == (said[field] and parse_duration(said[field]))
        else:
            assert laid.record[field] == said[field]
    assert laid.lay_over(changes) == laid
    assert policy.lay_over({}) == policy
    assert (policy.digest, changes) == (before, said)


# ---- what is refused -----------------------------------------------------------------------------

PROMPT = {"kind": "photo", "at_least": 1, "shows": "x"}
NAN = float("nan")


@pytest.mark.parametrize(
    "changes",
    [
        {"respons": {"hours": 48}},
        {"Response": {"hours": 48}},
        {"response": {"hours": 48, "minutes": 1}},
        {"response": {"days": 2}},
        {"response": {}},
        {"response": {"hours": 1, "working_hours": 1}},
        {"response": {"hours": 0}},
        {"response": {"hours": -1}},
        {"response": {"hours": 87_601}},
        {"evidence": {"working_hours": 0}},
        {"evidence": {"working_hours": 2_001}},
        {"response": {"hours": "48"}},
        {"response": {"hours": 48.0}},
        {"response": {"hours": NAN}},
        {"response": {"hours": True}},
        {"response": 48},
        {"response": "48h"},
        {"response": False},
        {"max_promise": 15},
        {"max_promise": "15"},
        {"max_promise": "+15d"},
        {"max_promise": "-1d"},
        {"max_promise": NAN},
        {"max_promise": False},
        {"scan_grace": 0},
        {"scan_grace": ""},
        {"scan_grace": "6 h"},
        {"max_facts_age": 5.0},
        {"silence": "Consent"},
        {"silence": "review"},
        {"silence": Denial.REVIEW},
        {"silence": b"consent"},
        {"denial": "consent"},
        {"denial": True},
        {"extra_evidence_rounds": -1},
        {"extra_evidence_rounds": "1"},
        {"extra_evidence_rounds": 1.0},
        {"extra_evidence_rounds": NAN},
        {"extra_evidence_rounds": True},
        {"max_recorded_refusals": MAX_INTEGER + 1},
        {"max_recorded_refusals": float("inf")},
        {"order_url": ""},
        {"order_url": "https://shop.example/orders"},
        {"order_url": "https://shop.example/{order}"},
        {"order_url": "https://shop.example/{order_id}/{lang}"},
        {"order_url": "https://shop.example/{order_id}/{order_id}"},
        {"order_url": "https://shop.example/{{order_id}}"},
        {"order_url": "https://{order_id}"},
        {"order_url": "https://shop.example/a b/{order_id}"},
        {"order_url": "https://shop.example/{order_id}\n"},
        {"order_url": "javascript:alert({order_id})"},
        {"order_url": "ftp://shop.example/{order_id}"},
        {"order_url": "/orders/{order_id}"},
        {"order_url": 1},
        {"calendar": "CN"},
        {"calendar": {"timezone": "UTC"}},
        {"calendar": {"day": {"from": 540}}},
        {"calendar": {"day": {"from": "9:00"}}},
        {"calendar": {"day": {"from": time(9)}}},
        {"calendar": {"day": {"from": "18:00"}}},
        {"calendar": {"day": {"to": "24:00"}}},
        {"calendar": {"holidays": ["2023-02-30"]}},
        {"calendar": {"holidays": "2023-04-06"}},
        {"calendar": {"holidays": ["2023-04-06"], "workdays": ["2023-04-06"]}},
        {"evidence_reasons": []},
        {"evidence_reasons": {"force_majeure": {}, "new": {}}},
        {
            "evidence_reasons": {
                "new": {"label": {"zh": "新", "en": "new"}, "prompts": [], "not_accepted": []}
            }
        },
        {"evidence_reasons": {"force_majeure": {"labels": {}}}},
        {"evidence_reasons": {"force_majeure": {"label": "act of God"}}},
        {"evidence_reasons": {"force_majeure": {"label": {"fr": "force majeure"}}}},
        {"evidence_reasons": {"force_majeure": {"label": {"en": "\ud800"}}}},
        {"evidence_reasons": {"force_majeure": {"statement": 1}}},
        {"evidence_reasons": {"force_majeure": {"statement": "true"}}},
        {"evidence_reasons": {"force_majeure": {"prompts": {}}}},
        {"evidence_reasons": {"force_majeure": {"prompts": ["photo"]}}},
        {"evidence_reasons": {"force_majeure": {"prompts": [PROMPT | {"at_least": 0}]}}},
        {"evidence_reasons": {"force_majeure": {"prompts": [PROMPT | {"at_least": 101}]}}},
        {"evidence_reasons": {"force_majeure": {"prompts": [PROMPT | {"at_least": 1.0}]}}},
        {"evidence_reasons": {"force_majeure": {"prompts": [PROMPT | {"kind": "selfie"}]}}},
        {"evidence_reasons": {"force_majeure": {"prompts": [PROMPT | {"shows": {"zh": "x"}}]}}},
        {"evidence_reasons": {"force_majeure": {"prompts": [PROMPT, PROMPT]}}},
        {"evidence_reasons": {"force_majeure": {"prompts": [PROMPT], "not_accepted": ["photo"]}}},
        {"evidence_reasons": {"force_majeure": {"not_accepted": "photo"}}},
        {"evidence_reasons": {"force_majeure": {"not_accepted": ["selfie"]}}},
        {"evidence_reasons": {"force_majeure": {"not_accepted": {"photo", "video"}}}},
        {"evidence_reasons": {"force majeure": DEFAULT_REASONS["force_majeure"]}},
        {"evidence_reasons": {"a" * 65: DEFAULT_REASONS["force_majeure"]}},
        {"evidence_reasons": {"不可抗力": DEFAULT_REASONS["force_majeure"]}},
        {"evidence_reasons": {"": DEFAULT_REASONS["force_majeure"]}},
        {"evidence_reasons": {"force_majeure\n": DEFAULT_REASONS["force_majeure"]}},
        {"evidence_reasons": {12: DEFAULT_REASONS["force_majeure"]}},
        {"voucher_limits": {"max_byte": 1}},
        {"voucher_limits": {"max_bytes": -1}},
        {"voucher_limits": {"max_bytes": "10MiB"}},
        {"voucher_limits": {"max_count": 20.0}},
        {"voucher_limits": {"max_statement": NAN}},
        {"voucher_limits": {"media_types": []}},
        {"voucher_limits": {"media_types": "image/png"}},
        {"voucher_limits": {"media_types": [1]}},
        {"voucher_limits": {"media_types": [b"image/png"]}},
        {
            "voucher_limits": {"media_types": {"image/png", "image/gif"}}
        },  # a set has no order: the digest would vary by run
        {"voucher_limits": []},
    ],
)
def test_unknown_fields_and_wrong_types_are_errors(changes: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        DEFAULT_POLICY.lay_over(changes)


@pytest.mark.parametrize("number", ["24.0", "2.4e1", "NaN", "Infinity", '"24"', "true", "-24"])
def test_a_number_in_json_is_a_whole_number_or_an_error(number: str) -> None:
    text = json.dumps(record()).replace(
        '"response": {"hours": 24}', f'"response": {{"hours": {number}}}'
    )
    with pytest.raises(ValidationError):
        Policy.model_validate_json(text)


@pytest.mark.parametrize("reason", ["a", "a" * 64, "Force-Majeure", "0012", "~!"])
def test_the_id_of_a_reason_is_ascii_without_spaces(reason: str) -> None:
    assert (
        reason in over(evidence_reasons={reason: DEFAULT_REASONS["force_majeure"]}).evidence_reasons
    )


@pytest.mark.parametrize("deadline", ["response", "confirmation", "evidence"])
def test_working_hours_that_would_take_more_than_a_thousand_days_are_an_error(
    deadline: str,
) -> None:
    an_hour = {"calendar": {"day": {"from": "09:30", "to": "10:30"}}}
    assert getattr(over(**an_hour, **{deadline: {"working_hours": 1_000}}), deadline) == Term(
        working_hours=1_000
    )
    assert getattr(over(**an_hour, **{deadline: {"hours": 1_001}}), deadline) == Term(hours=1_001)
    a_minute = {"calendar": {"day": {"from": "17:59"}}}
    for changes in (
        {**an_hour, deadline: {"working_hours": 1_001}},
        {**a_minute, deadline: {"working_hours": 17}},
    ):
        with pytest.raises(ValidationError):
            DEFAULT_POLICY.lay_over(changes)


def test_the_bounds_of_terms_are_taken() -> None:
    for hours in (1, 87_600):
        assert over(response={"hours": hours}).response == Term(hours=hours)
    for hours in (1, 2_000):
        assert over(response={"working_hours": hours}).response == Term(working_hours=hours)


# ---- the link ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "link"),
    [
        (
            "https://shop.example/orders/{order_id}",
            "https://shop.example/orders/a%2Fb%3F%23%20%25%E5%8D%95%F0%9F%9A%9A%7Border_id%7D",
        ),
        (
            "http://x/?id={order_id}&tab=ship#top",
            "http://x/?id=a%2Fb%3F%23%20%25%E5%8D%95%F0%9F%9A%9A%7Border_id%7D&tab=ship#top",
        ),
        (None, None),
    ],
)
def test_the_link_to_the_order_page_percent_encodes_the_id(
    template: str | None, link: str | None
) -> None:
    assert over(order_url=template).order_link("a/b?# %单🚚{order_id}") == link


@given(identifiers())
def test_any_id_is_one_segment_of_the_link(order_id: str) -> None:
    link = DEFAULT_POLICY.order_link(order_id)
    assert link is not None
    segment = link.removeprefix("https://shop.example/orders/")
    assert unquote(segment, errors="strict") == order_id
    assert set(segment) <= set(ascii_letters + digits + "-._~%")


# ---- frozen --------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [*Policy.model_fields, "extra"])
def test_no_field_of_a_policy_can_be_set(field: str) -> None:
    policy = over()
    with pytest.raises(ValidationError):
        setattr(policy, field, None)
    with pytest.raises(ValidationError):
        delattr(policy, field)
    assert policy == DEFAULT_POLICY


@given(st.sampled_from(["response", "calendar", "voucher_limits"]))
def test_no_part_of_a_policy_can_be_set(part: str) -> None:
    inner = getattr(over(), part)
    for field in type(inner).model_fields:
        with pytest.raises(ValidationError):
            setattr(inner, field, None)


def test_the_catalogue_of_reasons_is_read_only() -> None:
    policy = over()
    reasons = cast("dict[str, EvidenceReason]", policy.evidence_reasons)
    with pytest.raises(TypeError):
        reasons["added"] = DEFAULT_REASONS["force_majeure"]
    with pytest.raises(TypeError):
        del reasons["force_majeure"]
    with pytest.raises(TypeError):
        cast("dict[str, object]", DEFAULT_REASONS)["added"] = 1
    with pytest.raises(ValidationError):
        setattr(reasons["force_majeure"], "statement", False)  # noqa: B010 -- a plain assignment is refused by the type checker already


def test_a_catalogue_that_was_handed_in_can_change_without_changing_the_policy() -> None:
    handed_in = dict(DEFAULT_REASONS)
    policy = Policy.model_validate({**record(), "evidence_reasons": handed_in})
    handed_in.clear()
    assert policy.evidence_reasons == DEFAULT_REASONS


@given(policies())
def test_a_policy_can_be_copied_pickled_and_hashed_like_any_frozen_value(policy: Policy) -> None:
    for again in (copy(policy), deepcopy(policy), pickle.loads(pickle.dumps(policy))):  # noqa: S301 -- written here
        assert again == policy
        assert hash(again) == hash(policy)
        assert again.digest == policy.digest


def test_who_changes_a_record_does_not_change_the_policy() -> None:
    policy = over(voucher_limits={"max_count": 3})
    named = over(voucher_limits={"max_count": 3}).digest
    policy.record["voucher_limits"]["max_count"] = 99
    assert policy.digest == named
    assert policy.lay_over({}).voucher_limits.max_count == 3
