"""Unlock hints: each is followed here, and has to lead where it says; `never` means never."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, cast

import pytest

from dispute_fsm.decider.decide import open_dispute
from dispute_fsm.decider.decisions import Accepted, Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import evolve
from dispute_fsm.domain.commands import Actor, ChooseOption, Command, ExtendDeadline, SubmitEvidence
from dispute_fsm.domain.enums import CommandType, Deadline, Option, RefusalCode, Role, StateName
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.reasons import (
    ActorUnlock,
    FactUnlock,
    NeverUnlock,
    PayloadUnlock,
    Reason,
    Unlock,
    WaitUnlock,
)
from tests import oracle_words
from tests.sampling import few
from tests.support import (
    CLAIMABLE,
    COMMANDS,
    DAY,
    MINUTE,
    OPENED_AT,
    OWN,
    PAID,
    REFUNDED,
    SECOND,
    SHIPPED,
    all_situations,
    choose,
    command,
    decided,
    extension,
    happens,
    in_state,
    opened,
    opening,
    order,
    over,
    pickup,
    ruling,
    seen,
    shipment,
    situations,
    stamp,
    submission,
    voucher,
    well_formed,
)

C, E, S = RefusalCode, CommandType, StateName

POLICIES = {
    "default": DEFAULT_POLICY,
    "denials go to review": over(denial="review"),
    "silence is a denial": over(silence="denial"),
    "silence is a denial that goes to review": over(silence="denial", denial="review"),
    "confirmation off": over(confirmation=None),
    "all deadlines off": over(response=None, confirmation=None, evidence=None),
    "no extra rounds": over(extra_evidence_rounds=0),
    "two extra rounds": over(extra_evidence_rounds=2),
}
OF_EXTENDED = {"no appeal": over(appeal=None), "an appeal of an hour": over(appeal={"hours": 1})}

MOST_STEPS = 7


class Asked(NamedTuple):
    """A command, when it is sent, and what the order system shows then."""

    dispute: Dispute
    command: Command
    at: datetime
    shown: Order = CLAIMABLE


# ---- following a hint ----------------------------------------------------------------------------


def refusal(asked: Asked) -> Refused | None:
    decision = decided(asked.dispute, asked.command, asked.at, asked.shown)
    return decision if isinstance(decision, Refused) else None


def mended(asked: Asked, unlocks: list[Unlock]) -> Asked:
    """Do what the hints about facts, payload, time and actor say, and nothing else."""
    members = dict[str, Any](asked.command)
    at, shown = asked.at, asked.shown
    for unlock in unlocks:
        match unlock:
            case FactUnlock():
                shown = shown.model_copy(update=_facts(unlock.fact))
            case PayloadUnlock(field="key"):
                members["key"] = "k-fresh"
            case PayloadUnlock():
                members[unlock.field] = _good(asked, unlock.field)
            case WaitUnlock():
                at = unlock.until
            case ActorUnlock(event=None):
                members["by"] = Actor(role=unlock.role, id=unlock.id or OWN[unlock.role].id)
            case _:
                raise AssertionError(unlock)
    return asked._replace(command=type(asked.command).model_validate(members), at=at, shown=shown)


def _facts(fact: str) -> dict[str, object]:
    """Let the order system show what a hint names."""
    shows: dict[str, dict[str, object]] = {
        "cancel_request | refund": {"cancel_request": CLAIMABLE.cancel_request},
        "shipment.shipped_at": {"shipment": CLAIMABLE.shipment},
        "pickup": {"pickup": CLAIMABLE.pickup},
        "refund": {"refund": CLAIMABLE.refund},
    }
    return shows[fact]


def _good(asked: Asked, field: str) -> object:
    """Give a member of the payload that is valid, given the rest of the command."""
    payload = asked.command
    if field == "vouchers" and isinstance(payload, SubmitEvidence):
        entry = asked.dispute.policy.evidence_reasons.get(payload.reason or "")
        kinds = [
            prompt.kind
            for prompt in (entry.prompts if entry else ())
            for _ in range(prompt.at_least)
        ]
        return [voucher(n, kind=kind) for n, kind in enumerate(kinds)]
    latest = [
        asked.at,
        *asked.dispute.deadlines.values(),
        *([asked.dispute.agreed_until] if asked.dispute.agreed_until else []),
    ]
    return {
        **oracle_words.example(payload.type.value),
        "agreed_until": asked.at + DAY,
        "vouchers": [voucher()],
        "reason": "carrier_fault",
        "statement": "the carrier was late",
        "rationale": "as the files show",
        "until": max(latest) + DAY,
    }[field]


def unlocked(asked: Asked, steps: int = MOST_STEPS) -> bool:
    """Follow every hint until the command is accepted; return False where that leads nowhere."""
    against = refusal(asked)
    if against is None:
        return True
    if not steps:
        return False
    unlocks = [reason.unlock for reason in against.reasons]
    first = unlocks[0]
    if isinstance(first, ActorUnlock) and first.event is not None:
        return any(unlocked(then, steps - 1) for then in done_first(asked, first))
    if any(isinstance(unlock, NeverUnlock) for unlock in unlocks):
        return False
    return unlocked(mended(asked, unlocks), steps - 1)


def done_first(asked: Asked, unlock: ActorUnlock) -> Iterator[Asked]:
    """Let the role of a hint do its event in every way, and send the command again after it."""
    assert unlock.event is not None
    for each, at, shown in ways(asked.dispute, asked.at, [unlock.event]):
        assert each.by.role is unlock.role
        assert unlock.id in {None, each.by.id}
        decision = decided(asked.dispute, each, at, shown)
        if isinstance(decision, Accepted):
            then = evolve(asked.dispute, decision.event)
            yield asked._replace(dispute=then, at=then.last_at + MINUTE)


def ways(
    dispute: Dispute, now: datetime, events: list[CommandType]
) -> Iterator[tuple[Command, datetime, Order]]:
    """Give every sort of command of these events, with the orders that make a difference."""
    soon = max(now, dispute.last_at + MINUTE)
    for event in events:
        if event is E.CHOOSE_OPTION:
            agreed: dict[str, Any] = {"agreed_until": soon + 3 * DAY}
            yield from (
                (
                    choose(option, **(agreed if option is Option.SHIP_BY_AGREED_DATE else {})),
                    soon,
                    CLAIMABLE,
                )
                for option in Option
            )
        elif event is E.EXTEND_DEADLINE:
            latest = max([soon, *dispute.deadlines.values()]) + DAY
            yield from (
                (extension(latest, deadline=deadline), soon, PAID) for deadline in (None, *Deadline)
            )
        else:
            due = dispute.deadlines.get(event.expires) if event.expires else None
            at = soon if due is None else max(soon, due + SECOND)
            yield from (
                (well_formed(dispute, event), at, shown) for shown in (PAID, REFUNDED, CLAIMABLE)
            )


# ---- every hint, from every state ----------------------------------------------------------------

UNTIL = {"until": OPENED_AT + 90 * DAY}


def every(dispute: Dispute) -> Iterator[Command]:
    """Give commands of every event, option and deadline, with a full payload and without."""
    for event in COMMANDS:
        yield well_formed(dispute, event)
        if event not in {E.CHOOSE_OPTION, E.EXTEND_DEADLINE}:
            yield command(event)
    for option in dispute.rules.options:
        yield from (choose(option), command(E.CHOOSE_OPTION, option=option))
    for deadline in (None, *Deadline):
        yield from (
            extension(UNTIL["until"], deadline=deadline),
            extension(OPENED_AT, deadline=deadline, rationale=None),
        )


def instants(dispute: Dispute) -> list[datetime]:
    """Give moments: soon, once each deadline has passed, and long after."""
    return sorted(
        {
            dispute.last_at + MINUTE,
            *(due + SECOND for due in dispute.deadlines.values()),
            dispute.last_at + 300 * DAY,
        }
    )


@cache
def made(policy: str) -> dict[str, Dispute]:
    if policy in OF_EXTENDED:
        return situations(OF_EXTENDED[policy], "extended")
    return all_situations(POLICIES[policy])


CASES = [(policy, name) for policy in (*POLICIES, *OF_EXTENDED) for name in made(policy)]


@pytest.mark.parametrize(("policy", "name"), few(CASES, 10), ids=lambda part: part)
def test_every_hint_works_and_never_means_never(policy: str, name: str) -> None:
    dispute, met = made(policy)[name], 0
    for now in instants(dispute):
        possible = still_possible(dispute, now)
        for asked in every(dispute):
            against = refusal(sent := Asked(dispute, asked, now, PAID))
            if against is None:
                continue
            met += 1
            if any(isinstance(reason.unlock, NeverUnlock) for reason in against.reasons):
                assert _what(asked) not in possible, (now, asked.type, against.codes)
            else:
                assert unlocked(sent), (
                    now,
                    asked,
                    against.codes,
                    [reason.unlock for reason in against.reasons],
                )
    assert met


What = tuple[CommandType, object]


def _what(asked: Command) -> What:
    """Say what is asked, as far as another payload or other facts do not make it something else."""
    payload = asked
    if isinstance(payload, ExtendDeadline):
        return asked.type, payload.deadline
    return asked.type, payload.option if isinstance(payload, ChooseOption) else None


def still_possible(dispute: Dispute, now: datetime) -> set[What]:
    """Find everything that can still be accepted, at once or later, by trying all ways onward."""
    possible, known = set[What](), set[object]()
    todo = [(dispute, now)]
    while todo:
        here, at = todo.pop()
        for asked, when, shown in ways(here, at, list(COMMANDS)):
            decision = decided(here, asked, when, shown)
            if isinstance(decision, Accepted):
                possible.add(_what(asked))
                then = evolve(here, decision.event)
                late = {deadline: due < then.last_at for deadline, due in then.deadlines.items()}
                sort = (
                    then.path,
                    then.option,
                    then.confirmed,
                    then.submissions > 0,
                    then.extra_rounds,
                    then.memory.once,
                    frozenset(late.items()),
                )
                if asked.type is not E.EXTEND_DEADLINE and sort not in known:
                    known.add(sort)
                    todo.append((then, then.last_at))
    return possible


# ---- the codes one by one ------------------------------------------------------------------------


def only(asked: Asked, code: RefusalCode) -> Reason:
    against = refusal(asked)
    assert against is not None
    return next(reason for reason in against.reasons if reason.code is code)


EVIDENCE = in_state(S.AWAITING_EVIDENCE)
MANY = [voucher(n, kind="carrier_certificate") for n in range(21)]
KEYED = evolve(opened(), happens(opened(), choose(Option.OUT_OF_STOCK_REFUND, key="k-1")))

PAYLOAD_HINTS: list[tuple[RefusalCode, str, Dispute, Command]] = [
    (
        C.PROMISE_MISSING,
        "agreed_until",
        opened(),
        choose(Option.SHIP_BY_AGREED_DATE, agreed_until=None),
    ),
    (
        C.PROMISE_NOT_IN_FUTURE,
        "agreed_until",
        opened(),
        choose(Option.SHIP_BY_AGREED_DATE, agreed_until=OPENED_AT),
    ),
    (
        C.PROMISE_TOO_FAR,
        "agreed_until",
        opened(),
        choose(Option.SHIP_BY_AGREED_DATE, agreed_until=OPENED_AT + 99 * DAY),
    ),
    (
        C.AGREEMENT_VOUCHER_MISSING,
        "vouchers",
        opened(),
        choose(Option.SHIP_BY_AGREED_DATE, vouchers=[]),
    ),
    (C.REASON_UNKNOWN, "reason", EVIDENCE, submission(reason="x")),
    (C.VOUCHER_MISSING, "vouchers", EVIDENCE, submission(vouchers=[])),
    (
        C.VOUCHER_NOT_ACCEPTED,
        "vouchers",
        EVIDENCE,
        submission(
            reason="force_majeure", vouchers=[voucher(), voucher(2, kind="official_document")]
        ),
    ),
    (
        C.VOUCHER_TOO_LARGE,
        "vouchers",
        opened(),
        choose(Option.PROVE_NO_FAULT, vouchers=[voucher(size=2**40)]),
    ),
    (
        C.VOUCHER_MEDIA_TYPE,
        "vouchers",
        opened(),
        choose(Option.PROVE_NO_FAULT, vouchers=[voucher(media_type="text/html")]),
    ),
    (C.TOO_MANY_VOUCHERS, "vouchers", EVIDENCE, submission(vouchers=MANY)),
    (C.STATEMENT_MISSING, "statement", EVIDENCE, submission(statement=" ")),
    (C.STATEMENT_TOO_LONG, "statement", EVIDENCE, submission(statement="x" * 501)),
    (
        C.RATIONALE_MISSING,
        "rationale",
        in_state(S.UNDER_REVIEW),
        ruling(E.RULE_AT_FAULT, rationale=None),
    ),
    (
        C.RATIONALE_MISSING,
        "rationale",
        in_state(S.PENALIZED, rules="extended"),
        ruling(E.APPEAL, rationale=" "),
    ),
    (C.DEADLINE_NOT_LATER, "until", opened(), extension(OPENED_AT)),
    (C.KEY_REUSED, "key", KEYED, command(E.WITHDRAW, key="k-1")),
]


@pytest.mark.parametrize(("code", "field", "dispute", "asked"), PAYLOAD_HINTS)
def test_payload_change_what_it_names(
    code: RefusalCode, field: str, dispute: Dispute, asked: Command
) -> None:
    sent = Asked(dispute, asked, dispute.last_at + MINUTE)
    unlock = only(sent, code).unlock
    assert isinstance(unlock, PayloadUnlock)
    assert unlock.field == field
    assert refusal(mended(sent, [unlock])) is None


FACT_HINTS: list[tuple[RefusalCode, str, Option, Order]] = [
    (C.NO_CANCEL_REQUEST_OR_REFUND, "cancel_request | refund", Option.CONSUMER_CANCELS, PAID),
    (
        C.NO_CANCEL_REQUEST_OR_REFUND,
        "cancel_request | refund",
        Option.CONSUMER_CANCELS,
        order(cancel_request={"status": "withdrawn"}),
    ),
    (C.NOT_SHIPPED, "shipment.shipped_at", Option.ALREADY_SHIPPED, PAID),
    (C.NO_PICKUP_SCAN, "pickup", Option.ALREADY_SHIPPED, SHIPPED),
    (C.NO_PICKUP_SCAN, "pickup", Option.ALREADY_SHIPPED, PAID),
    (
        C.PICKUP_NOT_VALID,
        "pickup",
        Option.ALREADY_SHIPPED,
        order(shipment=shipment(), pickup=pickup(waybill="W2")),
    ),
    (
        C.PICKUP_NOT_VALID,
        "pickup",
        Option.ALREADY_SHIPPED,
        order(shipment=shipment(), pickup=pickup(kind="assigned")),
    ),
    (
        C.PICKUP_NOT_VALID,
        "pickup",
        Option.ALREADY_SHIPPED,
        order(shipment=shipment(), pickup=pickup(OPENED_AT - 9 * DAY)),
    ),
    (
        C.PICKUP_NOT_VALID,
        "pickup",
        Option.ALREADY_SHIPPED,
        order(shipment=shipment(), pickup=pickup(OPENED_AT + DAY)),
    ),
]


FACT_HINTS += [
    (C.NO_PARTIAL_REFUND, "refund", Option.PARTIAL_REFUND, shown) for shown in (PAID, REFUNDED)
]


@pytest.mark.parametrize(("code", "fact", "option", "shown"), FACT_HINTS)
def test_fact_let_the_order_system_show_it(
    code: RefusalCode, fact: str, option: Option, shown: Order
) -> None:
    sent = Asked(opened(rules="extended"), choose(option), OPENED_AT + MINUTE, shown)
    against = refusal(sent)
    assert against is not None
    unlock = only(sent, code).unlock
    assert isinstance(unlock, FactUnlock)
    assert unlock.fact == fact
    still = refusal(mended(sent, [unlock]))
    assert still is None or code not in still.codes or code is C.NO_PICKUP_SCAN
    assert refusal(mended(sent, [reason.unlock for reason in against.reasons])) is None


@pytest.mark.parametrize("fraction", [0, 1, 999_999])
@pytest.mark.parametrize("deadline", [Deadline.RESPONSE, Deadline.EVIDENCE])
def test_wait_send_it_at_that_moment(deadline: Deadline, fraction: int) -> None:
    dispute = opened(at=OPENED_AT.replace(microsecond=fraction))
    if deadline is Deadline.EVIDENCE:
        dispute = evolve(dispute, happens(dispute, choose(Option.PROVE_NO_FAULT), dispute.last_at))
    for now in (dispute.last_at, dispute.deadlines[deadline]):
        sent = Asked(dispute, command(deadline.expiry), now)
        unlock = only(sent, C.DEADLINE_NOT_PASSED).unlock
        assert isinstance(unlock, WaitUnlock)
        assert unlock.until > dispute.deadlines[deadline]
        assert refusal(mended(sent, [unlock])) is None


@pytest.mark.parametrize("event", COMMANDS)
def test_actor_send_it_as_that_one(event: CommandType) -> None:
    own = well_formed(opened(), event).by
    for wrong in (
        *OWN.values(),
        Actor(role=Role.MERCHANT, id="X"),
        Actor(role=Role.CONSUMER, id="X"),
    ):
        if wrong.role is own.role and (
            wrong.id == own.id or own.role in {Role.SYSTEM, Role.ADJUDICATOR}
        ):
            continue
        for dispute in made("default").values():
            if event not in dispute.rules.table.actors:
                continue
            sent = Asked(
                dispute,
                well_formed(dispute, event).model_copy(update={"by": wrong}),
                dispute.last_at + MINUTE,
            )
            unlock = only(sent, C.WRONG_ACTOR).unlock
            if (
                dispute.closed_for_good
                and (dispute.state, event) != (S.PENALIZED, E.ANNUL)
                and event is not E.OBSERVE_ORDER
            ):
                assert isinstance(unlock, NeverUnlock)  # nobody can do it any more
                continue
            if isinstance(unlock, NeverUnlock):
                assert event is E.OBSERVE_ORDER
                continue
            assert isinstance(unlock, ActorUnlock)
            assert (unlock.role, unlock.event) == (own.role, None)
            assert unlock.id == (own.id if own.role in {Role.MERCHANT, Role.CONSUMER} else None)
            still = refusal(mended(sent, [unlock]))
            assert still is None or C.WRONG_ACTOR not in still.codes


NEXT: list[tuple[str, str, CommandType, Role, CommandType]] = [
    ("default", "opened", E.CONFIRM_AGREEMENT, Role.MERCHANT, E.CHOOSE_OPTION),
    ("default", "opened", E.RULE_AT_FAULT, Role.MERCHANT, E.CHOOSE_OPTION),
    ("default", "awaiting_evidence", E.RULE_NO_FAULT, Role.MERCHANT, E.SUBMIT_EVIDENCE),
    ("default", "under_review", E.SUBMIT_EVIDENCE, Role.ADJUDICATOR, E.REQUEST_EVIDENCE),
    ("default", "under_review", E.ANNUL, Role.ADJUDICATOR, E.RULE_AT_FAULT),
    ("default", "under_review", E.EXTEND_DEADLINE, Role.ADJUDICATOR, E.REQUEST_EVIDENCE),
    (
        "denials go to review",
        "awaiting_confirmation",
        E.RULE_AT_FAULT,
        Role.CONSUMER,
        E.DENY_AGREEMENT,
    ),
    (
        "denials go to review",
        "denial_under_review by ship_by_agreed_date",
        E.PROMISE_EXPIRED,
        Role.ADJUDICATOR,
        E.RULE_NO_FAULT,
    ),
    ("default", "extended: opened", E.APPEAL, Role.SYSTEM, E.RESPONSE_EXPIRED),
    ("default", "extended: under_review", E.OVERTURN_PENALTY, Role.ADJUDICATOR, E.RULE_AT_FAULT),
    (
        "default",
        "extended: appeal_under_review",
        E.ANNUL,
        Role.ADJUDICATOR,
        E.UPHOLD_PENALTY,
    ),
    ("default", "extended: penalized", E.UPHOLD_PENALTY, Role.MERCHANT, E.APPEAL),
]


@pytest.mark.parametrize(("policy", "name", "event", "role", "first"), NEXT)
def test_actor_somebody_has_to_act_first(
    policy: str, name: str, event: CommandType, role: Role, first: CommandType
) -> None:
    dispute = made(policy)[name]
    code = C.DISPUTE_CLOSED if dispute.closed else C.NOT_IN_THIS_STATE
    sent = Asked(dispute, well_formed(dispute, event), dispute.last_at + MINUTE)
    unlock = only(sent, code).unlock
    assert isinstance(unlock, ActorUnlock)
    assert (unlock.role, unlock.event) == (role, first)
    assert unlock.id == (OWN[role].id if role in {Role.MERCHANT, Role.CONSUMER} else None)


def test_a_late_command_waits_for_the_expiry_where_that_leaves_the_dispute_live() -> None:
    dispute = in_state(S.AWAITING_EVIDENCE, submitted=True)
    late = dispute.deadlines[Deadline.EVIDENCE] + SECOND
    for asked in (command(E.WITHDRAW), submission()):
        unlock = only(Asked(dispute, asked, late), C.DEADLINE_PASSED).unlock
        if asked.type is E.WITHDRAW:
            assert isinstance(unlock, ActorUnlock)
            assert (unlock.role, unlock.event) == (Role.SYSTEM, E.EVIDENCE_EXPIRED)
        else:
            assert isinstance(unlock, NeverUnlock)  # the one extra round is used up


NEVER_HINTS: list[tuple[RefusalCode, str, str, Command]] = [
    (C.OPTION_ALREADY_CHOSEN, "default", "awaiting_evidence", choose(Option.OUT_OF_STOCK_REFUND)),
    (C.DISPUTE_CLOSED, "default", "resolved", ruling(E.ANNUL)),
    (C.DISPUTE_CLOSED, "default", "penalized", command(E.WITHDRAW)),
    (C.DISPUTE_CLOSED, "default", "extended: penalized", command(E.WITHDRAW)),
    (C.DISPUTE_CLOSED, "default", "extended: penalized, final", ruling(E.APPEAL)),
    (C.DISPUTE_CLOSED, "no appeal", "penalized", ruling(E.APPEAL)),
    *(
        (C.ALREADY_APPEALED, "default", f"extended: {name}", ruling(E.APPEAL))
        for name in ("appeal_under_review", "penalized, upheld", "resolved, overturned")
    ),
    (C.NOT_IN_THIS_STATE, "no appeal", "under_review", ruling(E.OVERTURN_PENALTY)),
    (C.ALREADY_CONFIRMED, "default", "awaiting_shipment, confirmed", command(E.DENY_AGREEMENT)),
    (C.NO_ROUNDS_LEFT, "no extra rounds", "under_review", command(E.REQUEST_EVIDENCE)),
    (C.NO_ROUNDS_LEFT, "default", "under_review, a round used", command(E.REQUEST_EVIDENCE)),
    (C.NOT_IN_THIS_STATE, "default", "under_review", command(E.RESPONSE_EXPIRED)),
    (C.NOT_IN_THIS_STATE, "default", "under_review", command(E.CONFIRM_AGREEMENT)),
    (C.NOT_IN_THIS_STATE, "confirmation off", "awaiting_shipment", command(E.DENY_AGREEMENT)),
    (C.DEADLINE_NOT_PASSED, "all deadlines off", "opened", command(E.RESPONSE_EXPIRED)),
    (C.DEADLINE_NOT_PASSED, "all deadlines off", "awaiting_evidence", command(E.EVIDENCE_EXPIRED)),
]


@pytest.mark.parametrize(("code", "policy", "name", "asked"), NEVER_HINTS)
def test_never_nothing_helps(code: RefusalCode, policy: str, name: str, asked: Command) -> None:
    dispute = made(policy)[name]
    assert isinstance(
        only(Asked(dispute, asked, dispute.last_at + MINUTE), code).unlock, NeverUnlock
    )


def test_an_option_that_is_not_offered_is_exchanged_for_one_that_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = opened().rules
    rows = {
        key: tuple(row for row in many if "contesting" not in row.target)
        for key, many in rules.table.transitions.items()
    }
    monkeypatch.setattr(
        Dispute,
        "rules",
        replace(rules, options=rules.options[:4], table=replace(rules.table, transitions=rows)),
    )
    sent = Asked(opened(), choose(Option.PROVE_NO_FAULT), OPENED_AT)
    unlock = only(sent, C.OPTION_NOT_OFFERED).unlock
    assert isinstance(unlock, PayloadUnlock)
    assert unlock.field == "option"
    assert refusal(sent._replace(command=choose(Option.OUT_OF_STOCK_REFUND))) is None


def test_openings_say_what_would_help_too() -> None:
    def ask(policy: Policy = DEFAULT_POLICY, **changes: Any) -> Reason | None:  # noqa: ANN401 -- any field of the opening
        existing = changes.pop("existing", None)
        facts = changes.pop("facts", seen(PAID, OPENED_AT))
        decision = open_dispute(
            existing, opening(policy, **changes), facts, OPENED_AT, stamp=stamp()
        )
        return decision.reasons[0] if isinstance(decision, Refused) else None

    missing, exists, wrong = (
        ask(facts=None),
        ask(existing=opened(), order_id="O-2"),
        ask(by=OWN[Role.MERCHANT]),
    )
    assert missing is not None
    assert exists is not None
    assert wrong is not None
    assert isinstance(missing.unlock, FactUnlock)
    assert missing.unlock.fact == "order"
    assert isinstance(exists.unlock, PayloadUnlock)
    assert exists.unlock.field == "dispute_id"
    assert (wrong.unlock, wrong.code) == (ActorUnlock(Role.CONSUMER, "C-1"), C.WRONG_ACTOR)
    assert ask() is None


def test_every_code_has_its_hint_tested() -> None:
    tested = {case[0] for case in (*PAYLOAD_HINTS, *FACT_HINTS, *NEVER_HINTS)}
    elsewhere = {
        C.DEADLINE_PASSED,
        C.WRONG_ACTOR,
        C.OPTION_NOT_OFFERED,
        C.ORDER_NOT_FOUND,
        C.DISPUTE_EXISTS,
    }
    assert tested | elsewhere == set(RefusalCode)


def test_every_hint_is_said_in_both_languages() -> None:
    sorts = set[type[object]]()
    for policy, name in CASES:
        dispute = made(policy)[name]
        for asked in every(dispute):
            against = refusal(Asked(dispute, asked, dispute.last_at + MINUTE, PAID))
            for reason in against.reasons if against else ():
                zh, en = reason.unlock.text("zh"), reason.unlock.text("en")
                assert zh
                assert en
                assert zh != en
                assert en.isascii()
                assert reason.text("zh") != reason.text("en")
                sorts.add(type(cast("object", reason.unlock)))
    assert sorts == {FactUnlock, PayloadUnlock, WaitUnlock, ActorUnlock, NeverUnlock}


def test_in_parallel_nobody_can_bring_late_evidence_about_by_going_on_with_the_settlement() -> None:
    dispute = opened(rules="parallel")
    (reason,) = cast(
        "Refused", decided(dispute, submission(), dispute.deadlines[Deadline.EVIDENCE] + SECOND)
    ).reasons
    assert (reason.code, reason.unlock) == (C.DEADLINE_PASSED, NeverUnlock())
