"""The merchant's options: open, closed or unknown, why, what each needs and leads to."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from dispute_fsm.decider.decide import decide
from dispute_fsm.decider.decisions import Accepted, Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import evolve
from dispute_fsm.decider.options import Consequence, OptionView, Preview, options
from dispute_fsm.domain.commands import Command
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    Option,
    Outcome,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.reasons import FactUnlock, NeverUnlock, PayloadUnlock
from dispute_fsm.errors import InputError, StaleFactsError
from tests import command_line
from tests.sampling import examples
from tests.strategies import orders, policies
from tests.support import (
    CANCELLING,
    CLAIMABLE,
    DAY,
    HOUR,
    LEAVES,
    MINUTE,
    OPENED_AT,
    ORDERS,
    OWN,
    PAID,
    PICKED_UP,
    REFUNDED,
    SECOND,
    SHIPPED,
    choose,
    in_state,
    opened,
    order,
    over,
    pickup,
    seen,
    shipment,
    stamp,
    voucher,
)

C, E, O, S = RefusalCode, CommandType, Option, StateName  # noqa: E741 -- O reads beside C, E and S
NOW = OPENED_AT + HOUR
TICK = timedelta(microseconds=1)
TWO_DAYS = over(response={"hours": 48})


def shown(
    dispute: Dispute, order_now: Order | None, now: datetime = NOW
) -> dict[Option, OptionView]:
    """Give the options by name, as they stand while the order system shows this."""
    views = options(dispute, None if order_now is None else seen(order_now, now), now)
    return {view.option: view for view in views}


def preview_of(option: Option, policy: Policy = DEFAULT_POLICY, now: datetime = NOW) -> Preview:
    preview = shown(opened(policy), PAID, now)[option].preview
    assert preview is not None
    return preview


def codes(reasons: Any) -> set[RefusalCode]:  # noqa: ANN401 -- reasons
    return {reason.code for reason in reasons}


# ---- open, closed, unknown -----------------------------------------------------------------------


@pytest.mark.parametrize("state", LEAVES)
def test_all_five_are_shown_in_the_announcements_order(state: StateName) -> None:
    views = options(in_state(state), seen(PAID, NOW), NOW)
    assert [view.option.value for view in views] == [
        "consumer_cancels",
        "already_shipped",
        "ship_by_agreed_date",
        "out_of_stock_refund",
        "prove_no_fault",
    ]


NONE: frozenset[RefusalCode] = frozenset()
CLOSED_BY_FACTS: list[
    tuple[
        Order, set[RefusalCode] | frozenset[RefusalCode], set[RefusalCode] | frozenset[RefusalCode]
    ]
] = [
    (PAID, {C.NO_CANCEL_REQUEST_OR_REFUND}, {C.NOT_SHIPPED, C.NO_PICKUP_SCAN}),
    (SHIPPED, {C.NO_CANCEL_REQUEST_OR_REFUND}, {C.NO_PICKUP_SCAN}),
    (PICKED_UP, {C.NO_CANCEL_REQUEST_OR_REFUND}, NONE),
    (CANCELLING, NONE, {C.NOT_SHIPPED, C.NO_PICKUP_SCAN}),
    (REFUNDED, NONE, {C.NOT_SHIPPED, C.NO_PICKUP_SCAN}),
    (CLAIMABLE, NONE, NONE),
    (order(pickup=pickup()), {C.NO_CANCEL_REQUEST_OR_REFUND}, {C.NOT_SHIPPED, C.PICKUP_NOT_VALID}),
    (
        order(shipment=shipment(), pickup=pickup(waybill="W2")),
        {C.NO_CANCEL_REQUEST_OR_REFUND},
        {C.PICKUP_NOT_VALID},
    ),
]


@pytest.mark.parametrize(("order_now", "cancels", "ships"), CLOSED_BY_FACTS)
def test_the_orders_facts_open_and_close(
    order_now: Order, cancels: set[RefusalCode], ships: set[RefusalCode]
) -> None:
    views = shown(opened(), order_now)
    for option, against in ((O.CONSUMER_CANCELS, cancels), (O.ALREADY_SHIPPED, ships)):
        view = views[option]
        assert (view.open, codes(view.reasons), view.needs) == (not against, against, ())
        assert all(isinstance(reason.unlock, FactUnlock) for reason in view.reasons)
    for option in (O.SHIP_BY_AGREED_DATE, O.OUT_OF_STOCK_REFUND, O.PROVE_NO_FAULT):
        assert (views[option].open, views[option].reasons, views[option].link) == (True, (), None)


def test_where_nobody_could_ask_what_depends_on_facts_is_unknown() -> None:
    views = shown(opened(), None)
    for option in (O.CONSUMER_CANCELS, O.ALREADY_SHIPPED):
        view = views[option]
        assert (view.open, view.reasons, view.needs, view.link) == (None, (), (), None)
        assert view.preview is not None
    assert {option for option, view in views.items() if view.open} == {
        O.SHIP_BY_AGREED_DATE,
        O.OUT_OF_STOCK_REFUND,
        O.PROVE_NO_FAULT,
    }


@pytest.mark.parametrize("order_now", [None, CLAIMABLE])
@pytest.mark.parametrize(
    ("state", "code"),
    [
        *((state, C.OPTION_ALREADY_CHOSEN) for state in LEAVES[1:6]),
        (S.RESOLVED, C.DISPUTE_CLOSED),
        (S.PENALIZED, C.DISPUTE_CLOSED),
    ],
)
def test_after_the_answer_every_option_is_closed_for_good(
    state: StateName, code: RefusalCode, order_now: Order | None
) -> None:
    dispute = in_state(state)
    for view in shown(dispute, order_now, dispute.last_at).values():
        assert (view.open, codes(view.reasons), view.needs, view.link, view.preview) == (
            False,
            {code},
            (),
            None,
            None,
        )
        assert all(isinstance(reason.unlock, NeverUnlock) for reason in view.reasons)


@pytest.mark.parametrize("order_now", [None, CLAIMABLE, PAID])
def test_once_the_response_deadline_has_passed_every_option_is_closed(
    order_now: Order | None,
) -> None:
    due = opened().deadlines[Deadline.RESPONSE]
    assert shown(opened(), CLAIMABLE, due)[O.OUT_OF_STOCK_REFUND].open
    for view in shown(opened(), order_now, due + TICK).values():
        assert (view.open, codes(view.reasons), view.needs, view.link) == (
            False,
            {C.DEADLINE_PASSED},
            (),
            None,
        )


def test_what_choosing_takes_stands_apart_from_what_is_against_it() -> None:
    views = shown(opened(), PAID)
    promised = views[O.SHIP_BY_AGREED_DATE]
    assert codes(promised.needs) == {C.PROMISE_MISSING, C.AGREEMENT_VOUCHER_MISSING}
    assert all(isinstance(reason.unlock, PayloadUnlock) for reason in promised.needs)
    assert all(
        not view.needs for option, view in views.items() if option is not O.SHIP_BY_AGREED_DATE
    )


def test_the_link_leads_to_the_order_page_where_the_merchant_ships() -> None:
    dispute = opened(order_id="O 1/2?x")
    for order_now in (PAID, SHIPPED, order(shipment=shipment(), pickup=pickup(kind="failed"))):
        facts = seen(order_now, NOW, "O 1/2?x")
        view = next(
            view for view in options(dispute, facts, NOW) if view.option is O.ALREADY_SHIPPED
        )
        assert view.link == "https://shop.example/orders/O%201%2F2%3Fx"
        assert {reason.link for reason in view.reasons} == {view.link}
    assert shown(opened(), PAID)[O.CONSUMER_CANCELS].link is None
    assert shown(opened(), CLAIMABLE)[O.ALREADY_SHIPPED].link is None
    assert shown(opened(over(order_url=None)), PAID)[O.ALREADY_SHIPPED].link is None


def test_facts_may_be_old_but_of_this_order_and_not_of_the_future() -> None:
    old = {view.option: view for view in options(opened(), seen(CANCELLING, OPENED_AT), NOW)}
    assert old[O.CONSUMER_CANCELS].open
    for facts in (seen(CANCELLING, NOW, "O-2"), seen(CANCELLING, NOW + TICK)):
        with pytest.raises(StaleFactsError):
            options(opened(), facts, NOW)


# ---- what choosing commits to --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "state", "deadlines"),
    [
        (O.CONSUMER_CANCELS, S.AWAITING_CONFIRMATION, [Deadline.CONFIRMATION]),
        (O.ALREADY_SHIPPED, S.AWAITING_CONFIRMATION, [Deadline.CONFIRMATION]),
        (O.SHIP_BY_AGREED_DATE, S.AWAITING_SHIPMENT, [Deadline.CONFIRMATION, Deadline.PROMISE]),
        (O.OUT_OF_STOCK_REFUND, S.AWAITING_CONFIRMATION, [Deadline.CONFIRMATION]),
        (O.PROVE_NO_FAULT, S.AWAITING_EVIDENCE, [Deadline.EVIDENCE]),
    ],
)
def test_where_it_leads_and_which_clocks_it_starts(
    option: Option, state: StateName, deadlines: list[Deadline]
) -> None:
    preview = preview_of(option)
    assert (preview.state, preview.settles, preview.irrevocable) == (state, None, True)
    assert [started.deadline for started in preview.deadlines] == deadlines
    confirmation = [
        started for started in preview.deadlines if started.deadline is Deadline.CONFIRMATION
    ]
    assert [(started.due, started.latest, started.count) for started in confirmation] == [
        (NOW + DAY, None, None)
    ] * len(confirmation)


def test_the_promise_depends_on_the_agreed_instant_and_has_a_latest_one() -> None:
    for policy, latest in (
        (DEFAULT_POLICY, NOW + 15 * DAY + 6 * HOUR),
        (over(max_promise="2d", scan_grace="0s"), NOW + 2 * DAY),
    ):
        promise = preview_of(O.SHIP_BY_AGREED_DATE, policy).deadlines[-1]
        assert (promise.deadline, promise.due, promise.latest, promise.count) == (
            Deadline.PROMISE,
            None,
            latest,
            None,
        )
    assert preview_of(O.SHIP_BY_AGREED_DATE, over(max_promise=None)).deadlines[-1].latest is None


def test_working_hours_are_counted_over_a_holiday() -> None:
    """Four working hours from 16:00 on the day before Qingming (2023-04-05).

    Two of them are on that day, two on the next working day.
    """
    start = datetime.fromisoformat("2023-04-04T16:00:00+08:00")
    (evidence,) = preview_of_at(start).deadlines
    assert evidence.due == datetime.fromisoformat("2023-04-06T11:00:00+08:00")
    assert evidence.count is not None
    assert (evidence.count.hours, evidence.count.start, evidence.count.due) == (
        4,
        start,
        evidence.due,
    )
    assert [day.date.isoformat() for day in evidence.count.skipped] == ["2023-04-05"]
    assert sum(((end - begin) for begin, end in evidence.count.intervals), timedelta(0)) == 4 * HOUR


def preview_of_at(start: datetime) -> Preview:
    view = next(
        view for view in options(opened(at=start), None, start) if view.option is O.PROVE_NO_FAULT
    )
    assert view.preview is not None
    return view.preview


def test_plain_hours_are_not_counted_by_a_calendar_and_what_is_off_does_not_start() -> None:
    (plain,) = preview_of(O.PROVE_NO_FAULT, over(evidence={"hours": 5})).deadlines
    assert (plain.due, plain.count) == (NOW + 5 * HOUR, None)
    (working,) = preview_of(
        O.OUT_OF_STOCK_REFUND, over(confirmation={"working_hours": 1})
    ).deadlines
    assert working.count is not None
    assert working.due == NOW + HOUR
    assert preview_of(O.PROVE_NO_FAULT, over(evidence=None)).deadlines == ()


def consequences(
    option: Option,
    **policy: Any,  # noqa: ANN401 -- any field of the policy
) -> set[tuple[CommandType, Role, StateName, Outcome | None]]:
    preview = preview_of(option, over(**policy))
    assert all(isinstance(each, Consequence) for each in preview.consequences)
    found = [(each.event, each.role, each.state, each.outcome) for each in preview.consequences]
    assert len(found) == len(set(found))
    return set(found)


BREACH, NO_STOCK = Outcome.BREACH_OF_PROMISE, Outcome.OUT_OF_STOCK
SETTLED = {
    O.CONSUMER_CANCELS: Outcome.SETTLED_BY_CANCELLATION,
    O.ALREADY_SHIPPED: Outcome.SETTLED_BY_SHIPMENT,
    O.OUT_OF_STOCK_REFUND: Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND,
}


@pytest.mark.parametrize("denial", ["penalize", "review"])
@pytest.mark.parametrize("silence", ["consent", "denial"])
@pytest.mark.parametrize("option", [O.CONSUMER_CANCELS, O.ALREADY_SHIPPED])
def test_what_the_consumer_and_the_clock_may_do_to_a_claimed_agreement(
    option: Option, silence: str, denial: str
) -> None:
    settled = (S.RESOLVED, SETTLED[option])
    denied = (S.PENALIZED, BREACH) if denial == "penalize" else (S.DENIAL_UNDER_REVIEW, None)
    assert consequences(option, silence=silence, denial=denial) == {
        (E.CONFIRM_AGREEMENT, Role.CONSUMER, *settled),
        (E.DENY_AGREEMENT, Role.CONSUMER, *denied),
        (E.CONFIRMATION_EXPIRED, Role.SYSTEM, *(settled if silence == "consent" else denied)),
    }


@pytest.mark.parametrize("denial", ["penalize", "review"])
@pytest.mark.parametrize("silence", ["consent", "denial"])
def test_a_refund_that_is_not_accepted_is_out_of_stock_at_once(silence: str, denial: str) -> None:
    settled, denied = (S.RESOLVED, SETTLED[O.OUT_OF_STOCK_REFUND]), (S.PENALIZED, NO_STOCK)
    assert consequences(O.OUT_OF_STOCK_REFUND, silence=silence, denial=denial) == {
        (E.CONFIRM_AGREEMENT, Role.CONSUMER, *settled),
        (E.DENY_AGREEMENT, Role.CONSUMER, *denied),
        (E.CONFIRMATION_EXPIRED, Role.SYSTEM, *(settled if silence == "consent" else denied)),
    }


BY_THE_ORDER = {
    (E.OBSERVE_ORDER, Role.SYSTEM, S.RESOLVED, Outcome.SETTLED_BY_AGREED_SHIPMENT),
    (E.OBSERVE_ORDER, Role.SYSTEM, S.RESOLVED, Outcome.SETTLED_BY_CANCELLATION),
    (E.PROMISE_EXPIRED, Role.SYSTEM, S.RESOLVED, Outcome.SETTLED_BY_AGREED_SHIPMENT),
    (E.PROMISE_EXPIRED, Role.SYSTEM, S.RESOLVED, Outcome.SETTLED_BY_CANCELLATION),
    (E.PROMISE_EXPIRED, Role.SYSTEM, S.PENALIZED, Outcome.PROMISE_MISSED),
}


def test_what_may_become_of_a_promise_the_order_decides() -> None:
    consent = (E.CONFIRM_AGREEMENT, Role.CONSUMER, S.AWAITING_SHIPMENT, None)
    assert consequences(O.SHIP_BY_AGREED_DATE) == BY_THE_ORDER | {
        consent,
        (E.DENY_AGREEMENT, Role.CONSUMER, S.PENALIZED, BREACH),
    }
    reviewed = (E.DENY_AGREEMENT, Role.CONSUMER, S.DENIAL_UNDER_REVIEW, None)
    assert consequences(O.SHIP_BY_AGREED_DATE, denial="review") == BY_THE_ORDER | {
        consent,
        reviewed,
    }
    assert consequences(O.SHIP_BY_AGREED_DATE, confirmation=None) == BY_THE_ORDER
    given_facts = [
        each
        for each in preview_of(O.SHIP_BY_AGREED_DATE).consequences
        if each.event in {E.OBSERVE_ORDER, E.PROMISE_EXPIRED}
    ]
    answers = [[answer for fact in each.given for answer in fact.accepts] for each in given_facts]
    assert answers == [["kept"], ["refunded"], ["kept"], ["refunded"], ["neither"]]
    assert all(not each.given for each in preview_of(O.CONSUMER_CANCELS).consequences)


def test_with_confirmation_off_the_choice_itself_settles() -> None:
    for option, outcome in SETTLED.items():
        preview = preview_of(option, over(confirmation=None))
        assert (preview.state, preview.settles, preview.deadlines, preview.consequences) == (
            S.RESOLVED,
            outcome,
            (),
            (),
        )


def test_contesting_shows_the_evidence_catalogue_and_what_silence_costs() -> None:
    preview = preview_of(O.PROVE_NO_FAULT)
    assert [name for name, _ in preview.reasons] == list(DEFAULT_POLICY.evidence_reasons)
    assert dict(preview.reasons) == dict(DEFAULT_POLICY.evidence_reasons)
    assert consequences(O.PROVE_NO_FAULT) == {
        (E.EVIDENCE_EXPIRED, Role.SYSTEM, S.PENALIZED, Outcome.EVIDENCE_OVERDUE)
    }
    fewer = preview_of(O.PROVE_NO_FAULT, over(evidence_reasons={"public_holiday": None}))
    assert "public_holiday" not in dict(fewer.reasons)
    assert all(
        not preview_of(option).reasons
        for option in opened().rules.options
        if option is not O.PROVE_NO_FAULT
    )


def test_a_clock_that_is_switched_off_has_no_consequences() -> None:
    assert consequences(O.PROVE_NO_FAULT, evidence=None) == set()


# ---- an early choice may shorten one's own time --------------------------------------------------


def test_contesting_early_leaves_less_time_than_was_left_to_choose() -> None:
    now = OPENED_AT + 28 * HOUR  # 14:00 the next day, 20 h before the response deadline
    shorter = preview_of(O.PROVE_NO_FAULT, now=now, policy=TWO_DAYS).shorter
    assert shorter is not None
    assert (shorter.deadline, shorter.left) == (Deadline.RESPONSE, 20 * HOUR)
    assert shorter.due == now + 20 * HOUR
    assert (shorter.begins.deadline, shorter.begins.due) == (Deadline.EVIDENCE, now + 4 * HOUR)
    assert shorter.term.working_hours == 4
    assert all(
        preview_of(option).shorter is None
        for option in opened().rules.options
        if option is not O.PROVE_NO_FAULT  # the time that begins there is the consumer's
    )


def test_contesting_at_the_end_of_the_time_leaves_more() -> None:
    policy = over(evidence={"hours": 4})
    due = opened(policy).deadlines[Deadline.RESPONSE]
    assert preview_of(O.PROVE_NO_FAULT, policy, due - 4 * HOUR).shorter is None
    assert preview_of(O.PROVE_NO_FAULT, policy, due - 4 * HOUR - SECOND).shorter is not None
    assert preview_of(O.PROVE_NO_FAULT, over(evidence=None)).shorter is None


def test_without_a_response_deadline_any_time_is_shorter() -> None:
    shorter = preview_of(O.PROVE_NO_FAULT, over(response=None, evidence={"hours": 72})).shorter
    assert shorter is not None
    assert (shorter.due, shorter.left, shorter.term.hours) == (None, None, 72)


def test_where_both_run_from_the_opening_a_choice_shortens_nothing() -> None:
    policy = over(response={"hours": 48})
    for view in options(opened(policy, rules="parallel"), seen(PAID, NOW), NOW):
        assert view.preview is None or view.preview.shorter is None


@pytest.mark.parametrize(
    ("lang", "policy", "told"),
    [
        (
            "zh",
            "",
            (
                "注意    现在距商家响应时限截止还有 20 小时；选择后须在 4 个工作小时内"
                "（截止 2023-03-29 18:00:00 +0800）提交举证"
            ),
        ),
        (
            "en",
            "",
            (
                "note  20h are left to choose now; after the choice 4 h of working time to submit "
                "evidence, until 2023-03-29 18:00:00 +0800"
            ),
        ),
        (
            "zh",
            "policy: {response: null, evidence: {hours: 2}}\n",
            (
                "注意    现在选择不限时间；选择后须在 2 小时内"
                "（截止 2023-03-29 16:00:00 +0800）提交举证"
            ),
        ),
        (
            "en",
            "policy: {response: null, evidence: {hours: 2}}\n",
            (
                "note  there is no limit for the choice; after it 2 h to submit evidence, until "
                "2023-03-29 16:00:00 +0800"
            ),
        ),
    ],
)
def test_the_preview_says_so(lang: str, policy: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "x.dispute.yaml"
    policy = policy or "policy: {response: {hours: 48}}\n"
    file.write_text(
        f"{policy}dispute: {{opened_at: 2023-03-28T10:00:00+08:00}}\n"
        "steps: [{at: +28h, order: {shipment: {waybill: W1}}}]\n",
        encoding="utf-8",
    )
    shown_text = command_line.run("options", file, "--lang", lang).out
    assert told in [line.strip() for line in shown_text.splitlines()]


# ---- as it was after an event --------------------------------------------------------------------

LATE = """\
dispute: {dispute_id: ID, opened_at: 2023-03-28T10:00:00+08:00}
order:
  paid_at: 2023-03-25T09:00:00+08:00
  shipment: {shipped_at: 2023-03-25T10:00:00+08:00, waybill: W1}
steps:
  - at: +1h
    do: choose_option
    with: {option: already_shipped}
    expect: {refused: [no_pickup_scan]}
  - at: +2h
    order: {pickup: {scanned_at: 2023-03-28T10:30:00+08:00, waybill: W1, kind: picked_up}}
  - {at: +3h, do: choose_option, with: {option: already_shipped}}
"""


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """Write two disputes in which a scan is seen after a refusal that it would have prevented."""
    for name in ("D-1", "D-2"):
        (tmp_path / f"{name}.dispute.yaml").write_text(LATE.replace("ID", name), encoding="utf-8")
    assert command_line.run("run", tmp_path, "--histories", tmp_path).code == 0
    both = [(tmp_path / f"{name}.history.jsonl").read_bytes() for name in ("D-1", "D-2")]
    (tmp_path / "both.history.jsonl").write_bytes(b"".join(both))
    return tmp_path


def at(path: Path, *arguments: str) -> dict[str, Any]:
    done = command_line.run("options", path, *arguments, "--json")
    assert (done.code, done.err) == (0, "")
    (line,) = done.lines
    return line


def test_what_was_open_then_is_what_was_known_then(late: Path) -> None:
    for path in (late / "both.history.jsonl", late / "D-2.dispute.yaml"):
        then = at(path, "--dispute", "D-2", "--at", "2")
        assert (then["dispute_id"], then["state"]) == ("D-2", "opened")
        assert then["at"] == then["facts_observed_at"] == "2023-03-28T03:00:00Z"
        shipped = then["options"][1]
        assert (shipped["option"], shipped["open"]) == ("already_shipped", False)
        assert [reason["code"] for reason in shipped["reasons"]] == ["no_pickup_scan"]
        assert shipped["reasons"][0]["unlock"]["type"] == "fact"
        assert then["facts"]["pickup"] is None
        assert then["learned_later"]["pickup"]["scanned_at"] == "2023-03-28T02:30:00Z"
        opening = at(path, "--dispute", "D-2", "--at", "1")
        assert (opening["at"], opening["learned_later"]) == ("2023-03-28T02:00:00Z", None)


def test_after_the_last_event_it_is_as_without_the_number(late: Path) -> None:
    history = late / "both.history.jsonl"
    assert at(history, "--dispute", "D-1", "--at", "3") == at(history, "--dispute", "D-1")
    assert (
        at(late / "D-1.dispute.yaml", "--at", "3")["options"]
        == at(late / "D-1.dispute.yaml")["options"]
    )


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        ("zh", "当时已发生、但之后才查到（未计入）："),
        ("en", "had happened by then, but was seen only later (not counted):"),
    ],
)
def test_what_was_seen_only_later_stands_apart(lang: str, told: str, late: Path) -> None:
    done = command_line.run("options", late / "D-1.dispute.yaml", "--at", "2", "--lang", lang)
    head = done.out.split("\n\n")[0].splitlines()
    assert (done.code, head[3]) == (0, told)
    assert "2023-03-28 10:30:00" not in head[2]
    assert "2023-03-28 10:30:00" in head[4]
    later = command_line.run("options", late / "D-1.dispute.yaml", "--lang", lang)
    assert told not in later.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["both.history.jsonl", "--at", "2"], "there are 2 disputes in this history: D-1, D-2"),
        (["both.history.jsonl", "--at", "4", "--dispute", "D-2"], "--at: there is no event 4"),
        (["both.history.jsonl", "--at", "0", "--dispute", "D-2"], "--at: there is no event 0"),
        (["both.history.jsonl", "--dispute", "D-3"], "there is no dispute D-3 in this history"),
        (["D-1.dispute.yaml", "--dispute", "D-2"], "its dispute is D-1"),
        (["D-1.dispute.yaml", "--dispute", "D-2", "--at", "1"], "its dispute is D-1"),
    ],
)
def test_what_is_not_there_is_an_error(late: Path, arguments: list[str], named: str) -> None:
    done = command_line.run("options", late / arguments[0], *arguments[1:])
    assert (done.code, done.out) == (2, "")
    assert named in done.err


# ---- what is shown is what comes -----------------------------------------------------------------


def _with_needs(view: OptionView, now: datetime, policy: Policy) -> Command:
    """Make the choice, with what `needs` names and nothing else."""
    good = {
        "agreed_until": now + SECOND,
        "vouchers": [voucher(size=0, media_type=policy.voucher_limits.media_types[0])],
    }
    members: dict[str, Any] = (
        {"agreed_until": None, "vouchers": []} if view.option is O.SHIP_BY_AGREED_DATE else {}
    )
    for reason in view.needs:
        assert isinstance(reason.unlock, PayloadUnlock)
        members[reason.unlock.field] = good[reason.unlock.field]
    return choose(view.option, **members)


@examples(60)
@given(data=st.data())
def test_what_is_open_is_accepted_and_leads_to_what_was_shown(data: st.DataObject) -> None:
    policy = data.draw(policies())
    assume(
        policy.voucher_limits.max_count > 0
        and (policy.max_promise is None or policy.max_promise >= SECOND)
    )
    try:
        dispute = opened(policy)
        views = options(dispute, None, OPENED_AT)
    except InputError:
        reject()  # a calendar without enough working time: the fault of whoever wrote the policy
    assert views
    due = dispute.deadlines.get(Deadline.RESPONSE, OPENED_AT + DAY)
    now = data.draw(st.sampled_from([OPENED_AT, OPENED_AT + MINUTE, NOW, due, due + TICK]))
    facts = seen(data.draw(orders() | st.sampled_from(list(ORDERS.values()))), now)
    for view in options(dispute, facts, now):
        asked = _with_needs(view, now, policy)
        decision = decide(dispute, asked, facts, now, stamp=stamp())
        if not view.open:
            assert isinstance(decision, Refused)
            assert set(decision.codes) == codes(view.reasons) | codes(view.needs)
            continue
        assert isinstance(decision, Accepted), view
        went, preview = evolve(dispute, decision.event), view.preview
        assert preview is not None
        assert (went.state, went.outcome) == (preview.state, preview.settles)
        dues = {started.deadline: started.due for started in preview.deadlines}
        assert set(dues) == set(went.deadlines)
        assert all(
            went.deadlines[deadline] == due for deadline, due in dues.items() if due is not None
        )
        latest = [started.latest for started in preview.deadlines if started.latest is not None]
        assert all(went.deadlines[Deadline.PROMISE] <= last for last in latest)


@given(data=st.data())
def test_looking_at_options_is_the_merchants_own_command_without_payload(
    data: st.DataObject,
) -> None:
    state = data.draw(st.sampled_from(LEAVES))
    dispute = in_state(state)
    now = dispute.last_at + data.draw(st.sampled_from([timedelta(0), HOUR, 30 * DAY]))
    facts = seen(data.draw(orders()), now)
    for view in options(dispute, facts, now):
        bare = choose(view.option, by=OWN[Role.MERCHANT])
        if view.option is O.SHIP_BY_AGREED_DATE:
            bare = choose(view.option, agreed_until=None, vouchers=[])
        decision = decide(dispute, bare, facts, now, stamp=stamp())
        assert (decision.reasons if isinstance(decision, Refused) else ()) == (
            *view.reasons,
            *view.needs,
        )
        assert view.open == (not view.reasons)
