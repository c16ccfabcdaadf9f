"""Guards: when each passes, with which code it refuses, what it saw, what would unlock it.

Each is evaluated once per case.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import FrozenInstanceError, dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispute_fsm.domain.commands import COMMAND_CLASSES, Actor, Command, Memory
from dispute_fsm.domain.enums import SEEN, CommandType, Deadline, Lang, Option, RefusalCode, Role
from dispute_fsm.domain.events import Check
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.reasons import (
    NEVER,
    ActorUnlock,
    FactUnlock,
    NeverUnlock,
    PayloadUnlock,
    Unlock,
    WaitUnlock,
    just_after,
)
from dispute_fsm.errors import FactsNeededError
from dispute_fsm.history.timeline import timeline
from dispute_fsm.history.timeline_text import check_lines, saw_text
from dispute_fsm.machine.guard import Guard, GuardKind, GuardResult, Seen, when
from dispute_fsm.rules import guards as g
from dispute_fsm.rules.case import Case, assumed, result_of, shown, stated
from dispute_fsm.rules.extended import APPEALABLE
from dispute_fsm.rules.guards.actors import by
from dispute_fsm.rules.guards.timing import has_passed
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.rules.sources import ORDER
from tests.strategies import (
    CONSUMER,
    MERCHANT,
    NOW,
    commands,
    near,
    order_facts,
    own_actor,
    policies,
)
from tests.support import opened_event

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
LANGS: tuple[Lang, ...] = ("zh", "en")

VOUCHER: Mapping[str, object] = {
    "kind": "chat_screenshot",
    "media_type": "image/png",
    "size": 1,
    "sha256": "0" * 64,
}
SHIPMENT: Mapping[str, object] = {"shipped_at": NOW - 2 * HOUR, "carrier": "JDL", "waybill": "W1"}
PICKUP: Mapping[str, object] = {"scanned_at": NOW - HOUR, "waybill": "W1", "kind": "picked_up"}

REQUIREMENTS = {
    guard.name: guard
    for version in VERSIONS.values()
    for guard in version.table.guards().values()
    if guard.kind is GuardKind.REQUIRES
}
"""Every requirement there is."""


def facts(**order: object) -> OrderFacts:
    named = {
        "order_id": "O-1",
        "asked": "oms",
        "observed_at": NOW,
        "revision": "1",
        "paid_at": NOW - timedelta(days=3),
    }
    return OrderFacts.model_validate({**named, **order})


def command(
    event: CommandType, payload: Mapping[str, object] | None = None, actor: Actor | None = None
) -> Command:
    ids = {"dispute_id": "D-1", "order_id": "o-1", "merchant_id": MERCHANT, "consumer_id": CONSUMER}
    opens = ids if event is CommandType.OPEN_DISPUTE else {}
    return COMMAND_CLASSES[event].model_validate(
        {"by": actor or own_actor(Role.MERCHANT), **opens, **(payload or {})}
    )


def case(
    event: CommandType = CommandType.CHOOSE_OPTION,
    payload: Mapping[str, object] | None = None,
    **situation: object,
) -> Case:
    if event is CommandType.CHOOSE_OPTION and payload is None:
        payload = {"option": "ship_by_agreed_date"}
    made = Case(
        command=command(event, payload),
        now=NOW,
        policy=DEFAULT_POLICY,
        merchant_id=MERCHANT,
        consumer_id=CONSUMER,
    )
    remembered: dict[str, Any] = {
        name: situation.pop(name) for name in Memory._fields if name in situation
    }
    changes: dict[str, Any] = situation
    return made.changed(memory=Memory(**remembered), **changes)


def choose(option: str = "ship_by_agreed_date", **members: object) -> Case:
    return case(CommandType.CHOOSE_OPTION, {"option": option, **members})


def submit(**members: object) -> Case:
    complete = {"reason": "consumer_agreed_later", "vouchers": [VOUCHER], "statement": "as agreed"}
    return case(CommandType.SUBMIT_EVIDENCE, {**complete, **members})


def limited(**limits: object) -> Policy:
    return DEFAULT_POLICY.lay_over({"voucher_limits": limits})


def extend(
    until: datetime, rationale: str | None = "x", deadline: str | None = None, **situation: object
) -> Case:
    return case(
        CommandType.EXTEND_DEADLINE,
        {"until": until, "rationale": rationale, "deadline": deadline},
        **situation,
    )


# ---- requirements --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    """One case of one requirement, the expected code, and a part of what the guard saw."""

    guard: str
    case: Case
    code: str | None = None
    unlock: Unlock | None = None
    saw: Mapping[str, Seen] = field(default_factory=dict)


def fact(path: str) -> FactUnlock:
    return FactUnlock(path, "", "")


def say(member: str) -> PayloadUnlock:
    return PayloadUnlock(member, "", "")


CANCEL_OR_REFUND = "cancel_request | refund"
SEEN_NOTHING: dict[str, Seen] = {
    "cancel_request": None,
    "cancel_request_submitted_at": None,
    "refund": None,
    "refund_scope": None,
    "refund_completed_at": None,
}
DUE = NOW + HOUR

NOT_CANCELLED: list[tuple[dict[str, object], dict[str, Seen]]] = [
    ({}, {}),
    ({"cancel_request": {"status": "withdrawn"}}, {"cancel_request": "withdrawn"}),
    ({"cancel_request": {"status": "rejected"}}, {"cancel_request": "rejected"}),
    (
        {"cancel_request": {"status": "submitted", "submitted_at": NOW + TICK}},
        {
            "cancel_request": "submitted",
            "cancel_request_submitted_at": "2023-03-28T02:00:00.000001Z",
        },
    ),
    ({"refund": {"status": "requested"}}, {"refund": "requested", "refund_scope": "full"}),
    (
        {"refund": {"status": "completed", "scope": "partial"}},
        {"refund": "completed", "refund_scope": "partial"},
    ),
]

PARTIALLY_NOT_REFUNDED: list[tuple[dict[str, object], dict[str, Seen]]] = [
    ({}, {}),
    ({"cancel_request": {"status": "accepted"}}, {}),
    ({"refund": {"status": "completed"}}, {"refund": "completed", "refund_scope": "full"}),
    (
        {"refund": {"status": "requested", "scope": "partial"}},
        {"refund": "requested", "refund_scope": "partial"},
    ),
    (
        {"refund": {"status": "completed", "scope": "partial", "completed_at": NOW + TICK}},
        {
            "refund": "completed",
            "refund_scope": "partial",
            "refund_completed_at": "2023-03-28T02:00:00.000001Z",
        },
    ),
]

CANCELS = [
    Example(
        "cancel_requested_or_refunded",
        case(facts=facts(cancel_request={"status": "submitted"})),
        saw={"cancel_request": "submitted"},
    ),
    Example(
        "cancel_requested_or_refunded",
        case(facts=facts(cancel_request={"status": "accepted", "submitted_at": NOW})),
    ),
    Example(
        "cancel_requested_or_refunded",
        case(facts=facts(refund={"status": "completed", "completed_at": NOW})),
        saw={
            "refund": "completed",
            "refund_scope": "full",
            "refund_completed_at": "2023-03-28T02:00:00Z",
            "cancel_request": None,
        },
    ),
    Example(
        "cancel_requested_or_refunded",
        case(facts=facts(cancel_request={"status": "withdrawn"}, refund={"status": "completed"})),
        saw={"cancel_request": "withdrawn", "refund": "completed"},
    ),
    *(
        Example(
            "cancel_requested_or_refunded",
            case(facts=facts(**order)),
            "no_cancel_request_or_refund",
            fact(CANCEL_OR_REFUND),
            SEEN_NOTHING | saw,
        )
        for order, saw in NOT_CANCELLED
    ),
]

PARTIALLY_REFUNDED = [
    Example(
        "partially_refunded",
        case(facts=facts(refund={"status": "completed", "scope": "partial"})),
        saw={"refund": "completed", "refund_scope": "partial", "refund_completed_at": None},
    ),
    *(
        Example(
            "partially_refunded",
            case(facts=facts(refund={"status": "completed", "scope": "partial", **members})),
        )
        for members in (
            {"completed_at": NOW},
            {"amount": "0", "currency": "CNY"},
            {"amount": "99.90", "currency": "USD"},
        )
    ),
    *(
        Example(
            "partially_refunded",
            case(facts=facts(**order)),
            "no_partial_refund",
            fact("refund"),
            {"refund": None, "refund_scope": None, "refund_completed_at": None} | saw,
        )
        for order, saw in PARTIALLY_NOT_REFUNDED
    ),
]

NOT_VALID: list[tuple[dict[str, object], dict[str, Seen]]] = [
    ({"pickup": {**PICKUP, "kind": "failed"}}, {"pickup": True, "kind": "failed"}),
    ({"pickup": {**PICKUP, "kind": "assigned"}}, {"kind": "assigned"}),
    ({"pickup": {**PICKUP, "waybill": "W2"}}, {"waybill": "W2", "shipped_waybill": "W1"}),
    ({"pickup": {**PICKUP, "waybill": None}}, {"waybill": None}),
    ({"pickup": {**PICKUP, "scanned_at": None}}, {"scanned_at": None}),
    (
        {"pickup": {**PICKUP, "scanned_at": NOW + TICK}},
        {"scanned_at": "2023-03-28T02:00:00.000001Z", "observed_at": "2023-03-28T02:00:00Z"},
    ),
    ({"shipment": None}, {"shipped_waybill": None}),
    ({"shipment": {**SHIPMENT, "shipped_at": None}}, {"pickup": True}),
    ({"paid_at": None}, {"paid_at": None}),
    ({"paid_at": NOW - HOUR + TICK}, {"paid_at": "2023-03-28T01:00:00.000001Z"}),
]

SHIPS = [
    Example(
        "shipped",
        case(facts=facts(shipment=SHIPMENT)),
        saw={"shipment": True, "shipped_at": "2023-03-28T00:00:00Z"},
    ),
    Example("shipped", case(facts=facts(shipment={"shipped_at": NOW}))),
    Example(
        "shipped",
        case(facts=facts()),
        "not_shipped",
        fact("shipment.shipped_at"),
        {"shipment": False, "shipped_at": None},
    ),
    Example(
        "shipped",
        case(facts=facts(shipment={"waybill": "W1"})),
        "not_shipped",
        fact("shipment.shipped_at"),
        {"shipment": True, "shipped_at": None},
    ),
    Example(
        "shipped",
        case(facts=facts(shipment={"shipped_at": NOW + TICK})),
        "not_shipped",
        fact("shipment.shipped_at"),
    ),
    Example(
        "picked_up",
        case(facts=facts(shipment=SHIPMENT, pickup=PICKUP)),
        saw={
            "pickup": True,
            "kind": "picked_up",
            "waybill": "W1",
            "shipped_waybill": "W1",
            "scanned_at": "2023-03-28T01:00:00Z",
        },
    ),
    Example("picked_up", case(facts=facts()), "no_pickup_scan", fact("pickup"), {"pickup": False}),
    Example(
        "picked_up",
        case(facts=facts(shipment=SHIPMENT)),
        "no_pickup_scan",
        fact("pickup"),
        {"pickup": False},
    ),
    *(
        Example(
            "picked_up",
            case(facts=facts(**{"shipment": SHIPMENT, "pickup": PICKUP, **order})),
            "pickup_not_valid",
            fact("pickup"),
            saw,
        )
        for order, saw in NOT_VALID
    ),
]

LATEST = NOW + timedelta(days=15)
PROMISES = [
    Example(
        "promise_given",
        choose(agreed_until=NOW + HOUR),
        saw={"agreed_until": "2023-03-28T03:00:00Z"},
    ),
    Example(
        "promise_given", choose(), "promise_missing", say("agreed_until"), {"agreed_until": None}
    ),
    Example("promise_in_future", choose(agreed_until=NOW + TICK)),
    Example("promise_in_future", choose()),  # that it is missing is said once, by promise_given
    Example(
        "promise_in_future",
        choose(agreed_until=NOW),
        "promise_not_in_future",
        say("agreed_until"),
        {"agreed_until": "2023-03-28T02:00:00Z", "now": "2023-03-28T02:00:00Z"},
    ),
    Example(
        "promise_in_future",
        choose(agreed_until=NOW - HOUR),
        "promise_not_in_future",
        say("agreed_until"),
    ),
    Example(
        "promise_not_too_far",
        choose(agreed_until=LATEST),
        saw={"latest": "2023-04-12T02:00:00Z", "max_promise": "15d"},
    ),
    Example("promise_not_too_far", choose()),
    Example("promise_not_too_far", choose(agreed_until=NOW - HOUR)),
    Example(
        "promise_not_too_far",
        choose(agreed_until=LATEST + TICK),
        "promise_too_far",
        say("agreed_until"),
        {"max_promise": "15d"},
    ),
    Example(
        "promise_not_too_far",
        choose(agreed_until=NOW + timedelta(days=36_000)).changed(
            policy=DEFAULT_POLICY.lay_over({"max_promise": None}),
        ),
        saw={"latest": None, "max_promise": None},
    ),
    Example(
        "promise_not_too_far",
        choose(agreed_until=NOW + TICK).changed(
            policy=DEFAULT_POLICY.lay_over({"max_promise": "0s"})
        ),
        "promise_too_far",
        say("agreed_until"),
    ),
    Example("agreement_voucher", choose(vouchers=[VOUCHER]), saw={"count": 1}),
    Example("agreement_voucher", choose(vouchers=[VOUCHER, VOUCHER]), saw={"count": 1}),
    Example("agreement_voucher", choose(vouchers=[{**VOUCHER, "kind": "other"}])),
    Example(
        "agreement_voucher", choose(), "agreement_voucher_missing", say("vouchers"), {"count": 0}
    ),
]


def settle(*vouchers: object) -> Case:
    return choose("out_of_stock_refund", vouchers=list(vouchers))


def prove(*vouchers: object) -> Case:
    return submit(vouchers=list(vouchers))


LIMITS = [
    example
    for make in (settle, prove)
    for example in (
        Example("vouchers_small_enough", make(), saw={"largest": 0, "together": 0}),
        Example("vouchers_small_enough", make(VOUCHER)),
        Example(
            "vouchers_small_enough",
            make(VOUCHER).changed(policy=limited(max_bytes=0)),
            "voucher_too_large",
            say("vouchers"),
            {"largest": 1, "max_bytes": 0},
        ),
        Example("media_types_supported", make(VOUCHER)),
        Example(
            "media_types_supported",
            make(VOUCHER, {**VOUCHER, "sha256": "1" * 64, "media_type": "image/webp"}),
            "voucher_media_type",
            say("vouchers"),
            {"not_supported": ("image/webp",)},
        ),
        Example("vouchers_few_enough", make(VOUCHER), saw={"count": 1, "max_count": 20}),
        Example(
            "vouchers_few_enough",
            make(VOUCHER).changed(policy=limited(max_count=0)),
            "too_many_vouchers",
            say("vouchers"),
            {"count": 1, "max_count": 0},
        ),
    )
]

EVIDENCE = [
    Example("reason_known", submit(), saw={"reason_known": True}),
    Example(
        "reason_known",
        submit(reason="because"),
        "reason_unknown",
        say("reason"),
        {"reason_known": False},
    ),
    Example("reason_known", submit(reason=None), "reason_unknown", say("reason")),
    Example("vouchers_there", submit(), saw={"missing": ()}),
    Example(
        "vouchers_there",
        submit(vouchers=[]),
        "voucher_missing",
        say("vouchers"),
        {"missing": ("chat_screenshot x 1",)},
    ),
    Example(
        "vouchers_there", submit(reason="because", vouchers=[])
    ),  # an unknown reason prompts for nothing
    Example("vouchers_accepted", submit()),
    Example(
        "vouchers_accepted",
        submit(reason="force_majeure"),
        "voucher_not_accepted",
        say("vouchers"),
        {"not_accepted": ("chat_screenshot",)},
    ),
    Example("statement_there", submit(), saw={"required": True, "length": 9}),
    Example(
        "statement_there",
        submit(statement=" \u3000"),
        "statement_missing",
        say("statement"),
        {"required": True, "length": 0},
    ),
    Example(
        "statement_there",
        submit(reason="because", statement=None),
        "statement_missing",
        say("statement"),
    ),
    Example(
        "statement_short_enough",
        submit(statement="🚚" * 500),
        saw={"length": 500, "max_statement": 500},
    ),
    Example(
        "statement_short_enough",
        submit(statement="🚚" * 501),
        "statement_too_long",
        say("statement"),
        {"length": 501},
    ),
]

RULINGS = [
    *(
        example
        for name, event in (
            ("rationale_given", CommandType.RULE_NO_FAULT),
            ("rationale_given", CommandType.RULE_AT_FAULT),
            ("rationale_given", CommandType.ANNUL),
            ("rationale_given", CommandType.UPHOLD_PENALTY),
            ("rationale_given", CommandType.OVERTURN_PENALTY),
            ("appeal_reasoned", CommandType.APPEAL),
        )
        for example in (
            Example(name, case(event, {"rationale": "x"}), saw={"length": 1}),
            Example(name, case(event, {"rationale": "字" * 9_000}), saw={"length": 9_000}),
            Example(
                name,
                case(event, {"rationale": " \u3000\n"}),
                "rationale_missing",
                say("rationale"),
                {"length": 0},
            ),
            Example(
                name,
                case(event, {}),
                "rationale_missing",
                say("rationale"),
                {"length": 0},
            ),
        )
    ),
    Example("rationale_given", extend(NOW + HOUR)),
    Example(
        "rationale_given", extend(NOW + HOUR, rationale=None), "rationale_missing", say("rationale")
    ),
    Example("not_confirmed", case(CommandType.DENY_AGREEMENT), saw={"confirmed": False}),
    Example(
        "not_confirmed",
        case(CommandType.DENY_AGREEMENT, confirmed=True),
        "already_confirmed",
        NEVER,
        {"confirmed": True},
    ),
    Example(
        "rounds_left",
        case(CommandType.REQUEST_EVIDENCE),
        saw={"used": 0, "extra_evidence_rounds": 1},
    ),
    Example(
        "rounds_left",
        case(CommandType.REQUEST_EVIDENCE, extra_rounds=1),
        "no_rounds_left",
        NEVER,
        {"used": 1, "extra_evidence_rounds": 1},
    ),
    Example(
        "rounds_left",
        case(
            CommandType.REQUEST_EVIDENCE,
            policy=DEFAULT_POLICY.lay_over({"extra_evidence_rounds": 0}),
        ),
        "no_rounds_left",
        NEVER,
    ),
    Example("order_exists", case(CommandType.OPEN_DISPUTE, facts=facts()), saw={"order": True}),
    Example(
        "order_exists",
        case(CommandType.OPEN_DISPUTE),
        "order_not_found",
        fact("order"),
        {"order": False},
    ),
]

AGREED = NOW - HOUR
EXTENSIONS = [
    *(
        example
        for deadline in Deadline
        if deadline is not Deadline.PROMISE
        for example in (
            Example(
                "until_later",
                extend(DUE + TICK, deadlines={deadline: DUE}),
                saw={"was": "2023-03-28T03:00:00Z"},
            ),
            Example(
                "until_later",
                extend(DUE, deadlines={deadline: DUE}),
                "deadline_not_later",
                say("until"),
                {"was": "2023-03-28T03:00:00Z", "until": "2023-03-28T03:00:00Z"},
            ),
            Example(
                "until_later",
                extend(NOW, deadlines={deadline: DUE}, deadline=deadline.value),
                "deadline_not_later",
                say("until"),
            ),
        )
    ),
    Example(  # named beside the promise, the confirmation deadline is compared with itself
        "until_later",
        extend(
            DUE,
            deadlines={Deadline.CONFIRMATION: DUE, Deadline.PROMISE: AGREED},
            agreed_until=AGREED,
            deadline="confirmation",
        ),
        "deadline_not_later",
        say("until"),
        {"was": "2023-03-28T03:00:00Z"},
    ),
    # The promise: not the due instant (with the grace) but the agreed one is compared.
    *(
        example
        for others in ({}, {Deadline.CONFIRMATION: NOW + 24 * HOUR})
        for named in (None, "promise")
        for example in (
            Example(
                "until_later",
                extend(
                    AGREED + TICK,
                    deadlines={**others, Deadline.PROMISE: AGREED + 6 * HOUR},
                    agreed_until=AGREED,
                    deadline=named,
                ),
                saw={"was": "2023-03-28T01:00:00Z"},
            ),
            Example(
                "until_later",
                extend(
                    AGREED,
                    deadlines={**others, Deadline.PROMISE: AGREED + 6 * HOUR},
                    agreed_until=AGREED,
                    deadline=named,
                ),
                "deadline_not_later",
                say("until"),
                {"was": "2023-03-28T01:00:00Z"},
            ),
        )
    ),
]

EXAMPLES = list(
    chain(CANCELS, PARTIALLY_REFUNDED, SHIPS, PROMISES, LIMITS, EVIDENCE, RULINGS, EXTENSIONS)
)


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda example: f"{example.guard}-{example.code or 'holds'}"
)
def test_a_requirement_holds_or_refuses_with_its_code(example: Example) -> None:
    guard = REQUIREMENTS[example.guard]
    finding = guard.check(example.case.changed())
    assert bool(finding) is finding.passed is (example.code is None)
    assert finding.code == example.code
    assert dict(finding.saw) | dict(example.saw) == finding.saw
    match example.unlock, finding.unlock:
        case (FactUnlock(fact=expected), FactUnlock(fact=named)) | (
            PayloadUnlock(field=expected),
            PayloadUnlock(field=named),
        ):
            assert named == expected
        case _:
            assert finding.unlock == example.unlock


RAW = re.compile("[A-Za-z_]{2,}")
"""A word of the program; an id like W1 is none."""


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda example: f"{example.guard}-{example.code or 'holds'}"
)
def test_what_a_requirement_says_in_chinese_has_no_word_of_the_program_in_it(
    example: Example,
) -> None:
    guard = REQUIREMENTS[example.guard]
    finding = guard.check(example.case.changed())
    check = Check(guard=guard.recorded, passed=finding.passed, saw=dict(finding.saw))
    refused = () if finding.code is None else (finding.code,)
    rules = next(name for name, known in VERSIONS.items() if guard in known.table.guards().values())
    event = opened_event(example.case.policy, rules=rules).model_copy(
        update={"checks": (check,), "refused": refused}
    )
    (entry,) = timeline([event], example.case.policy)
    (line,) = check_lines(entry, "zh")
    told = [
        line.removesuffix(f" · {guard.recorded}"),
        "" if finding.code is None else finding.code.label("zh"),
        "" if finding else finding.unlock.text("zh"),
        guard.zh,
        guard.source.zh,
    ]
    apart = saw_text(
        guard.recorded, check.model_dump(mode="json")["saw"], "zh", ZoneInfo("UTC")
    )  # from a policy: a reason is its id
    policy = example.case.policy
    media = {voucher.media_type for voucher in getattr(example.case.command, "vouchers", ())} | {
        *policy.voucher_limits.media_types
    }
    told.append(re.sub("|".join(policy.evidence_reasons), "", apart))
    assert [text for text in told if RAW.search(re.sub("|".join(media), "", text))] == []


def test_every_name_under_which_a_guard_records_has_a_label() -> None:
    for example in EXAMPLES:
        finding = REQUIREMENTS[example.guard].check(example.case.changed())
        assert set(finding.saw) <= {*SEEN, *Deadline}


def test_every_requirement_and_every_one_of_its_codes_has_an_example() -> None:
    shown_codes = {(example.guard, example.code) for example in EXAMPLES}
    assert shown_codes == {
        (name, code) for name, guard in REQUIREMENTS.items() for code in (None, *guard.codes)
    }


@pytest.mark.parametrize("guard", REQUIREMENTS.values(), ids=list(REQUIREMENTS))
def test_a_requirement_looks_at_facts_only_where_it_says_so(guard: Guard) -> None:
    """At the opening, no facts mean that the order system knows no such order: `order_exists`."""
    case = next(
        example.case.changed(facts=None) for example in EXAMPLES if example.guard == guard.name
    )
    if guard.needs_facts:
        for _ in range(2):
            with pytest.raises(FactsNeededError):
                guard.check(case)
        assert case.results == {}
    else:
        assert guard.check(case) is not None


def test_a_requirement_is_lasting_where_nothing_unlocks_it() -> None:
    assert {name for name, guard in REQUIREMENTS.items() if guard.lasting} == {
        "not_confirmed",
        "rounds_left",
    }
    for example in EXAMPLES:
        assert example.code is None or REQUIREMENTS[example.guard].lasting is (
            example.unlock == NEVER
        )


def test_the_limits_and_the_extension_are_the_requirements_of_the_rules() -> None:
    assert {guard.name for guard in g.VOUCHER_LIMITS} == {
        "vouchers_small_enough",
        "media_types_supported",
        "vouchers_few_enough",
    }
    assert {guard.name for guard in g.EXTENSION} == {"rationale_given", "until_later"}
    assert {name for name, guard in REQUIREMENTS.items() if guard.needs_facts} == {
        "cancel_requested_or_refunded",
        "partially_refunded",
        "shipped",
        "picked_up",
    }


def test_every_guard_has_words_in_both_languages_and_says_where_it_comes_from() -> None:
    guards = [
        *REQUIREMENTS.values(),
        g.in_time,
        g.window_open,
        *map(has_passed, Deadline),
        by(Role.CONSUMER, Role.SYSTEM),
        *(when(dimension, answer) for dimension in DIMENSIONS for answer in dimension.answers),
    ]
    assert len({guard.name for guard in guards}) == len(guards)
    for guard in guards:
        assert guard.label("en").isascii()
        assert not guard.label("zh").isascii()
        assert all(guard.label(lang).strip() and guard.source.text(lang).strip() for lang in LANGS)
        assert guard.source.kind in {"S", "A"}
    assert [
        (source.kind, source.text("zh"), source.text("en"))
        for source in (
            stated("S-a", ("一", "甲"), "甲", "a"),
            assumed("A-b", "乙", "b", because=("丙", "c")),
        )
    ] == [
        ("S", "甲", "a"),
        ("A", "乙", "b"),
    ]


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("Asia/Shanghai", "11:00:00 +0800"),
        ("America/New_York", "23:00:00 -0400"),
        ("UTC", "03:00:00 +0000"),
    ],
)
def test_people_read_instants_in_the_policys_zone(zone: str, local: str) -> None:
    policy = DEFAULT_POLICY.lay_over({"calendar": {"zone": zone}, "max_promise": "1h"})
    situations = [
        (g.promise_in_future, choose(agreed_until=DUE).changed(policy=policy, now=DUE)),
        (g.promise_not_too_far, choose(agreed_until=DUE + TICK).changed(policy=policy)),
        (g.until_later, extend(DUE, deadlines={Deadline.RESPONSE: DUE}).changed(policy=policy)),
        (
            has_passed(Deadline.RESPONSE),
            case(policy=policy, deadlines={Deadline.RESPONSE: DUE - timedelta(seconds=1)}),
        ),
    ]
    for guard, situation in situations:
        finding = guard.check(situation)
        assert not finding
        assert all(local in finding.unlock.text(lang) for lang in LANGS)


def test_a_guard_is_itself_and_cannot_be_changed() -> None:
    twin = replace(g.shipped)
    assert twin != g.shipped
    assert {g.shipped, g.picked_up} == set(map(REQUIREMENTS.get, ("shipped", "picked_up")))
    for guard in (g.shipped, by(Role.SYSTEM), when(g.DENIAL, "review"), g.DENIAL):
        with pytest.raises(FrozenInstanceError):
            setattr(guard, "needs_facts", False)  # noqa: B010 -- a plain assignment is refused by the type checker already


# ---- one look per case ---------------------------------------------------------------------------


def counting(answers: Sequence[bool]) -> tuple[Guard, list[Case]]:
    looks: list[Case] = []

    def condition(case: Case) -> GuardResult:
        looks.append(case)
        return GuardResult(answers[len(looks) - 1])

    return Guard(
        name="counting",
        kind=GuardKind.REQUIRES,
        zh="数",
        en="counts",
        source=ORDER,
        condition=condition,
    ), looks


@pytest.mark.parametrize("answer", [True, False])
def test_a_guard_looks_once_per_case_whatever_it_found(*, answer: bool) -> None:
    guard, looks = counting([answer, not answer])
    situation = case()
    assert not guard.needs_facts
    assert not guard.lasting
    first = guard.check(situation)
    assert guard.check(situation) is first
    assert first.passed is answer
    assert looks == [situation]
    assert situation.results == {"counting": first}


def test_each_case_is_looked_at_anew() -> None:
    guard, looks = counting([True, False])
    assert guard.check(case())
    assert not guard.check(case())
    assert len(looks) == 2


def test_a_look_that_failed_is_not_remembered() -> None:
    situation = case()
    with pytest.raises(FactsNeededError):
        g.shipped.check(situation)
    assert situation.results == {}
    assert not g.shipped.check(situation.changed(facts=facts()))


# ---- who -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "role", "actor_id", "unlock"),
    [
        ([Role.MERCHANT], "merchant", MERCHANT, None),
        ([Role.MERCHANT], "merchant", "M-2", ActorUnlock(Role.MERCHANT, MERCHANT)),
        ([Role.MERCHANT], "merchant", CONSUMER, ActorUnlock(Role.MERCHANT, MERCHANT)),
        ([Role.MERCHANT], "consumer", MERCHANT, ActorUnlock(Role.MERCHANT, MERCHANT)),
        ([Role.MERCHANT], "system", "system", ActorUnlock(Role.MERCHANT, MERCHANT)),
        ([Role.CONSUMER], "consumer", CONSUMER, None),
        ([Role.CONSUMER], "consumer", "C-2", ActorUnlock(Role.CONSUMER, CONSUMER)),
        ([Role.CONSUMER], "merchant", MERCHANT, ActorUnlock(Role.CONSUMER, CONSUMER)),
        ([Role.ADJUDICATOR], "adjudicator", "anyone", None),
        ([Role.ADJUDICATOR], "merchant", MERCHANT, ActorUnlock(Role.ADJUDICATOR)),
        ([Role.SYSTEM], "system", "anything", None),
        ([Role.SYSTEM], "adjudicator", "A-1", ActorUnlock(Role.SYSTEM)),
        ([Role.CONSUMER, Role.SYSTEM], "consumer", CONSUMER, None),
        ([Role.CONSUMER, Role.SYSTEM], "system", "anything", None),
        ([Role.CONSUMER, Role.SYSTEM], "consumer", "C-2", ActorUnlock(Role.CONSUMER, CONSUMER)),
        ([Role.CONSUMER, Role.SYSTEM], "merchant", MERCHANT, ActorUnlock(Role.CONSUMER, CONSUMER)),
    ],
)
def test_the_role_and_the_id_must_fit(
    roles: list[Role], role: str, actor_id: str, unlock: ActorUnlock | None
) -> None:
    guard = by(*roles)
    actor = Actor.model_validate({"role": role, "id": actor_id})
    finding = guard.check(case(command=command(CommandType.WITHDRAW, actor=actor)))
    assert finding.passed is (unlock is None)
    assert finding.code == (None if unlock is None else "wrong_actor")
    assert finding.unlock == (None if finding else unlock or NEVER)
    assert finding.saw == {"role": role, "id": actor_id}
    assert (guard.kind, guard.roles, guard.codes) == (
        GuardKind.ACTOR,
        tuple(roles),
        (RefusalCode.WRONG_ACTOR,),
    )


# ---- in time or not ------------------------------------------------------------------------------

RESPONSE, CONFIRMATION, PROMISE, PROOF, APPEAL = (
    Deadline.RESPONSE,
    Deadline.CONFIRMATION,
    Deadline.PROMISE,
    Deadline.EVIDENCE,
    Deadline.APPEAL,
)


@pytest.mark.parametrize(
    ("late", "holds"),
    [
        (-HOUR, True),
        (-TICK, True),
        (timedelta(0), True),
        (TICK, False),
        (timedelta(seconds=1), False),
        (HOUR, False),
    ],
)
@pytest.mark.parametrize("deadline", Deadline)
def test_a_deadline_is_inclusive_and_its_expiry_comes_only_after_it(
    deadline: Deadline, late: timedelta, *, holds: bool
) -> None:
    situation = case(deadlines={deadline: DUE}, running=((deadline,),), now=DUE + late)
    in_time, passed = g.in_time.check(situation), has_passed(deadline).check(situation)
    assert (in_time.passed, passed.passed) == (holds, not holds)
    assert in_time.code == (None if holds else "deadline_passed")
    assert passed.code == ("deadline_not_passed" if holds else None)
    assert passed.unlock == (
        WaitUnlock(DUE + timedelta(seconds=1), "2023-03-28 11:00:01 +0800") if holds else None
    )
    assert in_time.saw == passed.saw == {deadline.value: "2023-03-28T03:00:00Z"}


@pytest.mark.parametrize("deadline", Deadline)
def test_the_expiry_of_a_deadline_that_does_not_stand_is_refused(deadline: Deadline) -> None:
    others = {other: NOW - HOUR for other in Deadline if other is not deadline}
    finding = has_passed(deadline).check(case(deadlines=others))
    assert (finding.code, finding.unlock, finding.saw) == (
        RefusalCode.DEADLINE_NOT_PASSED,
        NEVER,
        {deadline.value: None},
    )


def test_only_a_running_deadline_makes_late() -> None:
    past = {CONFIRMATION: NOW - HOUR}
    assert g.in_time.check(case())
    assert g.in_time.check(case(deadlines=past))
    assert g.in_time.check(case(deadlines={**past, PROMISE: NOW}, running=((PROMISE,),)))
    assert not g.in_time.check(case(deadlines=past, running=((CONFIRMATION,),)))


def test_where_several_deadlines_run_it_is_late_when_all_have_passed() -> None:
    for first, second, holds in (
        (HOUR, HOUR, True),
        (-HOUR, HOUR, True),
        (HOUR, -HOUR, True),
        (-HOUR, -HOUR, False),
    ):
        dues = {RESPONSE: NOW + first, PROOF: NOW + second}
        together, side_by_side = (
            case(deadlines=dues, running=((RESPONSE, PROOF),)),
            case(deadlines=dues, running=((RESPONSE,), (PROOF,))),
        )
        assert g.in_time.check(together).passed is g.in_time.check(side_by_side).passed is holds
        assert g.settlement_in_time.check(side_by_side).passed is (first > timedelta())
        assert g.evidence_in_time.check(side_by_side).passed is (second > timedelta())


def test_a_region_that_runs_without_a_deadline_is_never_late() -> None:
    past = {RESPONSE: NOW - HOUR}
    assert g.in_time.check(case(deadlines=past, running=((RESPONSE,), ())))
    assert not g.settlement_in_time.check(case(deadlines=past, running=((RESPONSE,), ())))
    assert g.evidence_in_time.check(case(deadlines=past, running=((RESPONSE,), ())))
    assert not g.in_time.check(case(deadlines=past, running=((RESPONSE,),)))


@pytest.mark.parametrize(
    ("deadlines", "code"),
    [
        ({}, None),
        ({CONFIRMATION: NOW}, None),
        ({CONFIRMATION: NOW - TICK}, "deadline_passed"),
        ({CONFIRMATION: NOW - TICK, PROMISE: NOW + HOUR}, "deadline_passed"),
        ({PROMISE: NOW - HOUR}, None),
    ],
)
def test_the_consumers_window_is_open_up_to_the_confirmation_deadline(
    deadlines: Mapping[Deadline, datetime], code: str | None
) -> None:
    finding = g.window_open.check(case(deadlines=deadlines, running=((PROMISE,),)))
    assert finding.code == code
    assert finding.saw == {"confirmation": shown(deadlines.get(CONFIRMATION))}


# ---- which row -----------------------------------------------------------------------------------

DIMENSIONS = (
    g.OPTION,
    g.CONFIRMATION,
    g.DENIAL,
    g.SILENCE,
    g.EVIDENCE,
    g.FULFILMENT,
    g.EXTENDED,
    APPEALABLE,
)
KEPT = {"shipment": SHIPMENT, "pickup": PICKUP}
REFUNDED = {"refund": {"status": "completed"}}


@pytest.mark.parametrize(
    ("dimension", "situation", "answer"),
    [
        *((g.OPTION, choose(option.value), option.value) for option in Option),
        *(
            (g.OPTION, case(CommandType.CONFIRM_AGREEMENT, option=option), option.value)
            for option in Option
        ),
        (g.OPTION, case(CommandType.WITHDRAW), "none"),
        (
            g.OPTION,
            choose("prove_no_fault").changed(memory=Memory(option=Option.ALREADY_SHIPPED)),
            "prove_no_fault",
        ),
        (g.CONFIRMATION, case(), "asked"),
        (g.CONFIRMATION, case(policy=DEFAULT_POLICY.lay_over({"confirmation": None})), "off"),
        (g.DENIAL, case(), "penalize"),
        (g.DENIAL, case(policy=DEFAULT_POLICY.lay_over({"denial": "review"})), "review"),
        (g.SILENCE, case(), "consent"),
        (g.SILENCE, case(policy=DEFAULT_POLICY.lay_over({"silence": "denial"})), "denial"),
        (g.EVIDENCE, case(), "none"),
        (g.EVIDENCE, case(submissions=1), "standing"),
        (g.EVIDENCE, case(submissions=2), "standing"),
        (g.FULFILMENT, case(agreed_until=NOW, facts=facts(**KEPT)), "kept"),
        (g.FULFILMENT, case(agreed_until=NOW - HOUR, facts=facts(**KEPT)), "kept"),
        (g.FULFILMENT, case(agreed_until=NOW - HOUR - TICK, facts=facts(**KEPT)), "neither"),
        (g.FULFILMENT, case(agreed_until=NOW, facts=facts(**KEPT, **REFUNDED)), "kept"),
        (
            g.FULFILMENT,
            case(agreed_until=NOW - 2 * HOUR, facts=facts(**KEPT, **REFUNDED)),
            "refunded",
        ),
        (g.FULFILMENT, case(agreed_until=NOW, facts=facts(**REFUNDED)), "refunded"),
        (
            g.FULFILMENT,
            case(agreed_until=NOW, facts=facts(refund={"status": "requested"})),
            "neither",
        ),
        (
            g.FULFILMENT,
            case(agreed_until=NOW, facts=facts(cancel_request={"status": "accepted"})),
            "neither",
        ),
        (g.FULFILMENT, case(facts=facts(**KEPT)), "neither"),
        (APPEALABLE, case(CommandType.APPEAL), "none"),
        (APPEALABLE, case(CommandType.APPEAL, deadlines={RESPONSE: DUE}), "none"),
        (APPEALABLE, case(CommandType.APPEAL, deadlines={APPEAL: DUE}), "running"),
        (APPEALABLE, case(CommandType.APPEAL, deadlines={APPEAL: NOW - HOUR}), "running"),
        (g.EXTENDED, extend(NOW), "none"),
        *(
            (g.EXTENDED, extend(NOW, deadlines={deadline: NOW}), deadline.value)
            for deadline in Deadline
        ),
        *(
            (
                g.EXTENDED,
                extend(NOW, deadlines={deadline: NOW}, deadline=deadline.value),
                deadline.value,
            )
            for deadline in Deadline
        ),
        (g.EXTENDED, extend(NOW, deadlines={RESPONSE: NOW}, deadline="evidence"), "none"),
        (g.EXTENDED, extend(NOW, deadlines={CONFIRMATION: NOW, PROMISE: NOW}), "promise"),
        (
            g.EXTENDED,
            extend(NOW, deadlines={CONFIRMATION: NOW, PROMISE: NOW}, deadline="confirmation"),
            "confirmation",
        ),
    ],
)
def test_exactly_one_answer_to_each_question_is_true(
    dimension: g.Dimension, situation: Case, answer: str
) -> None:
    true = {
        one
        for one in dimension.answers
        if (finding := when(dimension, one).check(situation)).passed
        and finding.saw == {dimension.name: one}
        and finding.code is None
    }
    assert true == {answer}
    assert when(dimension, *dimension.answers).check(situation)
    others = [other for other in dimension.answers if other != answer]
    assert when(dimension, *others).check(situation) == GuardResult(
        passed=False, saw={dimension.name: answer}
    )


def test_a_selector_needs_facts_where_its_question_does() -> None:
    for dimension in DIMENSIONS:
        selector = when(dimension, next(iter(dimension.answers)))
        assert selector.needs_facts is dimension.needs_facts is (dimension is g.FULFILMENT)
        assert (selector.kind, selector.codes, selector.source) == (
            GuardKind.SELECTS,
            (),
            dimension.source,
        )
    with pytest.raises(FactsNeededError):
        when(g.FULFILMENT, "kept").check(case(agreed_until=NOW))


@pytest.mark.parametrize("answers", [(), ("never",), ("penalize", "never")])
def test_a_selector_for_no_answer_or_one_that_cannot_be_is_an_error(
    answers: tuple[str, ...],
) -> None:
    with pytest.raises(ValueError, match="denial"):
        when(g.DENIAL, *answers)


def test_the_facts_of_a_case_are_those_it_was_given() -> None:
    given_facts = facts()
    assert g.facts_of(case(facts=given_facts)) is given_facts
    with pytest.raises(FactsNeededError):
        g.facts_of(case())


# ---- properties ----------------------------------------------------------------------------------

PAYLOAD_OF = {
    CommandType.CHOOSE_OPTION: (
        "promise_given",
        "promise_in_future",
        "promise_not_too_far",
        "agreement_voucher",
        *(v.name for v in g.VOUCHER_LIMITS),
    ),
    CommandType.SUBMIT_EVIDENCE: (
        *(
            "reason_known",
            "vouchers_there",
            "vouchers_accepted",
            "statement_there",
            "statement_short_enough",
        ),
        *(v.name for v in g.VOUCHER_LIMITS),
    ),
    CommandType.RULE_AT_FAULT: ("rationale_given",),
    CommandType.APPEAL: ("appeal_reasoned",),
}
ANYWHERE = (
    "cancel_requested_or_refunded",
    "partially_refunded",
    "shipped",
    "picked_up",
    "not_confirmed",
    "rounds_left",
    "order_exists",
)


@given(st.sampled_from(list(PAYLOAD_OF)), policies(), order_facts(), st.data())
def test_a_refusal_always_has_one_of_the_guards_codes_and_is_put_in_plain_values(
    event: CommandType, policy: Policy, looked: OrderFacts, data: st.DataObject
) -> None:
    said = data.draw(commands([event], policy))
    situation = case(
        command=said,
        policy=policy,
        facts=looked,
        now=data.draw(near(NOW)),
        confirmed=data.draw(st.booleans()),
    )
    for name in (*PAYLOAD_OF[event], *ANYWHERE):
        finding = REQUIREMENTS[name].check(situation)
        assert (finding.code is None) is finding.passed
        assert finding.code is None or finding.code in REQUIREMENTS[name].codes
        assert finding.unlock is None or not finding.passed
        for value in finding.saw.values():
            assert (
                value is None
                or isinstance(value, str | int | bool)
                or all(isinstance(part, str) for part in value)
            )


@given(near(NOW))
def test_just_after_is_the_first_whole_second_after(instant: datetime) -> None:
    after = just_after(instant)
    assert after.microsecond == 0
    assert timedelta(0) < after - instant <= timedelta(seconds=1)


# ---- findings ------------------------------------------------------------------------------------


def test_a_result_is_true_or_false_and_carries_code_and_unlock_only_where_it_fails() -> None:
    unlock = PayloadUnlock("note", "甲", "a")
    yes, no = (
        result_of(holds, RefusalCode.NOT_SHIPPED, unlock, count=1) for holds in (True, False)
    )
    assert yes
    assert not no
    assert (yes.code, yes.unlock, yes.saw) == (None, None, {"count": 1})
    assert (no.code, no.unlock, no.saw) == (RefusalCode.NOT_SHIPPED, unlock, {"count": 1})
    assert (GuardResult(passed=True).saw, GuardResult(passed=True).code) == ({}, None)


def test_a_finding_cannot_be_changed() -> None:
    finding = result_of(False, RefusalCode.NOT_SHIPPED, NEVER, count=1)  # noqa: FBT003 -- found(holds, ...) reads as a sentence
    with pytest.raises(AttributeError):
        finding.passed = True  # type: ignore[misc]  # that is what is tried
    for frozen in (
        NEVER,
        PayloadUnlock("x", "", ""),
        fact("x"),
        WaitUnlock(NOW, ""),
        ActorUnlock(Role.SYSTEM),
    ):
        for member in frozen.__slots__:
            with pytest.raises(FrozenInstanceError):
                setattr(frozen, member, None)
    with pytest.raises(TypeError):
        finding.saw["count"] = 2  # type: ignore[index]  # that is what is tried


@pytest.mark.parametrize(
    ("unlock", "sort", "mentions"),
    [
        (FactUnlock("shipment", "须发货", "ship it"), "fact", {"zh": "须发货", "en": "ship it"}),
        (PayloadUnlock("note", "请填写", "fill in"), "payload", {"zh": "请填写", "en": "fill in"}),
        (WaitUnlock(NOW, "10:00 +0800"), "wait", dict.fromkeys(LANGS, "10:00 +0800")),
        (ActorUnlock(Role.MERCHANT, "M-1"), "actor", {"zh": "商家 M-1", "en": "merchant M-1"}),
        (ActorUnlock(Role.SYSTEM), "actor", {"zh": "系统", "en": "system"}),
        (
            ActorUnlock(Role.CONSUMER, "C-1", CommandType.WITHDRAW),
            "actor",
            {"zh": CommandType.WITHDRAW.zh, "en": CommandType.WITHDRAW.en},
        ),
        (
            ActorUnlock(Role.SYSTEM, event=CommandType.RESPONSE_EXPIRED),
            "actor",
            {"zh": CommandType.RESPONSE_EXPIRED.zh, "en": "system"},
        ),
        (NeverUnlock(), "never", {"zh": "", "en": ""}),
    ],
)
def test_an_unlock_has_a_type_and_can_be_said_in_both_languages(
    unlock: Unlock, sort: str, mentions: Mapping[Lang, str]
) -> None:
    assert unlock.type == sort
    assert unlock.text("zh") != unlock.text("en")
    for lang, words in mentions.items():
        assert words in unlock.text(lang)
    assert unlock.text("en").isascii()
    assert not unlock.text("zh").isascii()


def test_an_expiry_is_acted_on_anything_else_is_done() -> None:
    for lang in LANGS:
        acted_on, done = (
            ActorUnlock(Role.SYSTEM, event=event).text(lang).replace(event.label(lang), "")
            for event in (CommandType.RESPONSE_EXPIRED, CommandType.OBSERVE_ORDER)
        )
        assert acted_on != done


def test_an_instant_is_shown_as_text() -> None:
    assert shown(None) is None
    assert shown(NOW) == "2023-03-28T02:00:00Z"
