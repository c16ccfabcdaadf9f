"""Running scenarios: each unmet expectation is a failure with its place and both values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.enums import EventType, Outcome, RefusalCode, StateName
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import (
    Failure,
    Run,
    ScenarioResult,
    StepResult,
    order_system,
    run_scenario,
)

HEAD = "dispute: {opened_at: 2023-03-28T10:00:00+08:00}\n"
OPENED_AT = datetime(2023, 3, 28, 2, tzinfo=UTC)
VOUCHERS = f"[{{kind: chat_screenshot, media_type: image/png, size: 1, sha256: {'a' * 64}}}]"
STOCK = "do: choose_option, with: {option: out_of_stock_refund}"
CANCELS = "do: choose_option, with: {option: consumer_cancels}"
PROMISES = (
    f"do: choose_option, with: {{option: ship_by_agreed_date, agreed_until: "
    f"2023-03-30T18:00:00+08:00, vouchers: {VOUCHERS}}}"
)


def ran(*items: str, end: str = "", head: str = HEAD) -> ScenarioResult:
    """Run the steps, of which the first is in line 2 of the file, after a head of one line.

    What is expected of the end is below them.
    """
    lines = [
        head.rstrip("\n"),
        *(["steps:"] if items else []),
        *(f"  - {{{item}}}" for item in items),
        *([f"expect: {end}"] if end else []),
    ]
    return run_scenario(parse_scenario("\n".join(lines) + "\n", "x.dispute.yaml"))


def only(result: ScenarioResult) -> Failure:
    assert not result.ok
    (failure,) = result.failures
    return failure


def test_where_everything_comes_as_expected_there_is_no_failure() -> None:
    result = ran(
        f"at: +1h, {STOCK}, expect: {{state: awaiting_confirmation}}",
        "at: +2h, do: confirm_agreement, expect: {state: resolved}",
        end="{state: resolved, outcome: settled_by_out_of_stock_refund, events: 3}",
    )
    assert result.ok
    assert result.failures == ()
    assert result.dispute is not None
    assert (result.dispute.state, result.dispute.outcome) == (
        StateName.RESOLVED,
        Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND,
    )
    assert [event.type for event in result.events] == [
        EventType.DISPUTE_OPENED,
        EventType.OPTION_CHOSEN,
        EventType.DISPUTE_RESOLVED,
    ]
    assert (result.refused, result.ends_at) == ((), OPENED_AT + timedelta(hours=2))


def test_what_is_not_expected_is_not_checked() -> None:
    assert ran(
        f"at: +1h, {STOCK}",
        "at: +2h, do: confirm_agreement",
        "at: +3h, do: sweep",
        "at: +4h, order: unavailable",
    ).ok


# ---- expectations of a step ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "expected", "found"),
    [
        (
            f"{STOCK}, expect: {{state: resolved}}",
            "state: resolved",
            "state: awaiting_confirmation",
        ),
        (f"{STOCK}, expect: {{refused: [not_shipped]}}", "refused: not_shipped", "refused: none"),
        (
            f"{CANCELS}, expect: {{refused: [not_shipped]}}",
            "refused: not_shipped",
            "refused: no_cancel_request_or_refund",
        ),
        (
            f"{CANCELS}, expect: {{state: opened}}",
            "refused: none",
            "refused: no_cancel_request_or_refund",
        ),
        (CANCELS, "refused: none", "refused: no_cancel_request_or_refund"),
        (
            f"{STOCK}, expect: {{error: order_system_unavailable}}",
            "error: order_system_unavailable",
            "error: none",
        ),
        (f"{STOCK}, expect: {{repeated: true}}", "repeated: true", "repeated: none"),
        (f"{STOCK}, expect: {{unchanged: true}}", "unchanged: true", "unchanged: none"),
        ("do: observe_order, expect: {repeated: true}", "repeated: true", "repeated: none"),
        ("do: sweep, expect: {state: penalized}", "state: penalized", "state: opened"),
        (
            "do: sweep, expect: {refused: [deadline_not_passed]}",
            "refused: deadline_not_passed",
            "refused: none",
        ),
    ],
)
def test_an_expectation_of_a_step_that_is_not_met_is_a_failure(
    item: str, expected: str, found: str
) -> None:
    failure = only(ran("at: +0s, do: sweep", f"at: +1h, {item}"))
    assert (failure.step, failure.line) == (2, 4)
    assert failure.expected == expected
    assert found in failure.found
    assert "state: " in failure.found


@pytest.mark.parametrize(
    ("codes", "ok"),
    [
        ("not_shipped, no_pickup_scan", True),
        ("no_pickup_scan, not_shipped", True),
        ("not_shipped", False),
        ("not_shipped, no_pickup_scan, wrong_actor", False),
        ("not_shipped, pickup_not_valid", False),
    ],
)
def test_refusal_codes_are_compared_exactly_in_any_order(codes: str, ok: bool) -> None:
    assert (
        ran(
            f"at: +1h, do: choose_option, with: {{option: already_shipped}}, expect: {{refused: "
            f"[{codes}]}}"
        ).ok
        is ok
    )


def test_to_expect_no_codes_is_to_expect_no_refusal() -> None:
    assert ran("at: +1h, do: withdraw, expect: {refused: []}", end="{refused: []}").ok
    failure = only(ran(f"at: +1h, {CANCELS}, expect: {{refused: []}}"))
    assert "no_cancel_request_or_refund" in failure.found
    assert ran(end="{refused: []}", head=HEAD + "order: null\n").ok is False


def test_a_refusal_that_is_expected_still_has_to_leave_the_state() -> None:
    failure = only(
        ran(
            f"at: +1h, {CANCELS}, expect: {{refused: [no_cancel_request_or_refund], state: "
            f"resolved}}"
        )
    )
    assert failure.expected == "state: resolved"


def test_an_error_that_nobody_expected_is_a_failure_and_an_expected_one_is_not() -> None:
    failure = only(ran("at: +1h, order: unavailable", f"at: +2h, {CANCELS}"))
    assert (failure.step, failure.line) == (2, 4)
    assert "order_system_unavailable" in failure.found
    assert ran(
        "at: +1h, order: unavailable",
        f"at: +2h, {CANCELS}, expect: {{error: order_system_unavailable, state: opened}}",
    ).ok
    other = only(
        ran(
            "at: +1h, order: unavailable",
            f"at: +2h, {CANCELS}, expect: {{error: order_system_unavailable, state: resolved}}",
        )
    )
    assert other.expected == "state: resolved"


def test_every_step_that_fails_is_named_and_the_scenario_goes_on() -> None:
    result = ran(
        f"at: +1h, {CANCELS}",
        f"at: +2h, {STOCK}, expect: {{state: resolved, repeated: true}}",
        "at: +3h, do: withdraw, expect: {state: resolved}",
        end="{state: opened, outcome: no_fault, events: 9}",
    )
    assert [(failure.step, failure.line) for failure in result.failures] == [
        (1, 3),
        (2, 4),
        (2, 4),
        (None, 6),
        (None, 6),
        (None, 6),
    ]
    assert result.dispute is not None
    assert result.dispute.outcome is Outcome.WITHDRAWN


# ---- repeated and unchanged ----------------------------------------------------------------------


def test_the_same_key_with_the_same_content_is_repeated_and_appends_nothing() -> None:
    again = f"{STOCK}, key: k-1"
    result = ran(
        f"at: +1h, {again}",
        f"at: +2h, {again}, expect: {{repeated: true, state: awaiting_confirmation}}",
        end="{events: 2}",
    )
    assert result.ok
    failure = only(ran(f"at: +1h, {again}", f"at: +2h, {again}, expect: {{unchanged: true}}"))
    assert failure.expected == "unchanged: true"


def test_a_look_or_a_sweep_that_changes_nothing_is_unchanged_and_appends_nothing() -> None:
    result = ran(
        "at: +1h, do: sweep, expect: {unchanged: true, state: opened}",
        "at: +1h, do: observe_order, expect: {unchanged: true}",
        "at: +24h, do: sweep, expect: {unchanged: true}",
        "at: +86401s, do: sweep, expect: {state: penalized}",
        "at: +48h, do: sweep, expect: {unchanged: true, state: penalized}",
        end="{events: 2, outcome: no_response}",
    )
    assert result.failures == ()
    failure = only(ran("at: +25h, do: sweep, expect: {unchanged: true}"))
    assert failure.expected == "unchanged: true"


def test_a_sweep_fires_everything_that_has_passed() -> None:
    result = ran(
        "at: +1h, do: choose_option, with: {option: consumer_cancels}",
        "at: +49h, do: sweep, expect: {state: denial_under_review}",
        head=HEAD
        + (
            "policy: {silence: denial, denial: review}\norder: {cancel_request: {status: "
            "submitted}}\n"
        ),
    )
    assert result.failures == ()
    assert [event.type for event in result.events][-1] is EventType.AGREEMENT_DENIED


# ---- the order system ----------------------------------------------------------------------------


def test_facts_change_only_when_the_file_says_so_and_nobody_is_notified() -> None:
    result = ran(
        f"at: +1h, {CANCELS}, expect: {{refused: [no_cancel_request_or_refund]}}",
        "at: +2h, order: {cancel_request: {status: submitted}}",
        f"at: +2h, {CANCELS}, expect: {{state: awaiting_confirmation}}",
        end="{events: 3}",
    )
    assert result.failures == ()
    assert [event.facts and event.facts.revision for event in result.events] == ["1", "1", "2"]
    assert {event.facts and event.facts.asked for event in result.events} == {"scenario"}


def test_an_order_system_that_is_down_answers_nothing_until_it_is_back() -> None:
    result = ran(
        "at: +1h, order: unavailable",
        "at: +1h, order: {cancel_request: {status: submitted}}",
        f"at: +2h, {CANCELS}, expect: {{error: order_system_unavailable}}",
        "at: +3h, order: available",
        f"at: +3h, {CANCELS}, expect: {{state: awaiting_confirmation}}",
        end="{events: 2}",
    )
    assert result.failures == ()


def test_a_sweep_leaves_a_deadline_pending_that_needs_facts_while_nobody_answers() -> None:
    down = ran(
        f"at: +1h, {PROMISES}",
        "at: +2h, order: unavailable",
        "at: +10d, do: sweep, expect: {unchanged: true, state: awaiting_shipment}",
        end="{state: awaiting_shipment, events: 2}",
    )
    assert down.failures == ()
    assert down.facts is None
    assert ran(
        f"at: +1h, {PROMISES}",
        "at: +2h, order: unavailable",
        "at: +10d, do: sweep",
        "at: +10d, order: available",
        "at: +10d, do: sweep, expect: {state: penalized}",
        end="{outcome: promise_missed, events: 3}",
    ).ok


def test_the_facts_at_the_end_are_those_of_the_end() -> None:
    result = ran("at: +1h, order: {shipment: {waybill: W1}}", "at: +5h, do: sweep")
    assert result.facts is not None
    assert result.facts.shipment is not None
    assert (result.facts.observed_at, result.ends_at) == (
        OPENED_AT + timedelta(hours=5),
        OPENED_AT + timedelta(hours=5),
    )


# ---- the opening and the end ---------------------------------------------------------------------


def test_a_refused_opening_leaves_no_dispute_no_event_and_runs_no_step() -> None:
    result = ran(
        "at: +1h, do: withdraw, expect: {state: penalized}",
        end="{refused: [order_not_found]}",
        head=HEAD + "order: null\n",
    )
    assert result.failures == ()
    assert (result.dispute, result.events, result.refused, result.facts) == (
        None,
        (),
        (RefusalCode.ORDER_NOT_FOUND,),
        None,
    )
    assert result.ends_at == OPENED_AT
    assert ran(end="{refused: [order_not_found], events: 0}", head=HEAD + "order: null\n").ok


@pytest.mark.parametrize(
    ("end", "expected", "found"),
    [
        ("", "refused: none", "order_not_found"),
        ("{events: 0}", "refused: none", "order_not_found"),
        ("{refused: [wrong_actor]}", "refused: wrong_actor", "order_not_found"),
        (
            "{refused: [order_not_found, wrong_actor]}",
            "refused: order_not_found, wrong_actor",
            "order_not_found",
        ),
        ("{refused: [order_not_found], state: opened}", "state: opened", "none"),
        ("{refused: [order_not_found], outcome: withdrawn}", "outcome: withdrawn", "none"),
        ("{refused: [order_not_found], events: 1}", "events: 1", "0"),
    ],
)
def test_a_refused_opening_must_be_expected(end: str, expected: str, found: str) -> None:
    failure = only(ran(end=end, head=HEAD + "order: null\n"))
    assert (failure.step, failure.line) == (None, 3 if end else 1)
    assert failure.expected == expected
    assert found in failure.found


@pytest.mark.parametrize(
    ("end", "expected", "found"),
    [
        ("{state: opened}", "state: opened", "state: resolved"),
        ("{outcome: annulled}", "outcome: annulled", "outcome: withdrawn"),
        ("{events: 1}", "events: 1", "events: 2"),
        ("{events: 0}", "events: 0", "events: 2"),
        ("{refused: [order_not_found]}", "refused: order_not_found", "refused: none"),
    ],
)
def test_an_expectation_of_the_end_that_is_not_met_is_a_failure_at_its_line(
    end: str, expected: str, found: str
) -> None:
    assert only(ran("at: +1h, do: withdraw", end=end)) == Failure(None, 4, expected, found)


def test_an_outcome_that_has_not_come_is_a_failure() -> None:
    failure = only(ran("at: +1h, do: sweep", end="{outcome: withdrawn, state: opened}"))
    assert (failure.expected, failure.found) == ("outcome: withdrawn", "outcome: none")


def test_events_count_the_opening_and_recorded_refusals() -> None:
    assert ran(
        f"at: +1h, {CANCELS}, expect: {{refused: [no_cancel_request_or_refund]}}", end="{events: 2}"
    ).ok


def test_what_came_of_each_step_and_of_the_whole_is_in_the_result() -> None:
    result = ran(
        "at: +1h, do: choose_option, with: {option: already_shipped}",
        "at: +1h, order: unavailable",
        f"at: +2h, {CANCELS}",
        f"at: +3h, {STOCK}, key: k",
        f"at: +4h, {STOCK}, key: k",
        "at: +5h, do: sweep",
        "at: +6h, do: confirm_agreement",
    )
    codes = (RefusalCode.NOT_SHIPPED, RefusalCode.NO_PICKUP_SCAN)
    waiting = StepResult(StateName.AWAITING_CONFIRMATION, None, 3)
    end = StepResult(StateName.RESOLVED, Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND, 4)
    assert result.steps == (
        StepResult(StateName.OPENED, None, 2, refused=codes),
        StepResult(StateName.OPENED, None, 2),
        StepResult(StateName.OPENED, None, 2, error="order_system_unavailable"),
        waiting,
        replace(waiting, repeated=True),
        replace(waiting, unchanged=True),
        end,
    )
    assert result.end == end
    refused = ran("at: +1h, do: withdraw", head=HEAD + "order: null\n")
    assert (refused.steps, refused.end) == (
        (),
        StepResult(None, None, 0, refused=(RefusalCode.ORDER_NOT_FOUND,)),
    )


def test_a_run_goes_step_by_step_and_shows_how_it_stands_in_between() -> None:
    scenario = ran(
        f"at: +1h, {STOCK}, expect: {{state: penalized}}", "at: +2h, do: confirm_agreement"
    ).scenario
    run = Run.opened(
        scenario.opening,
        scenario.opened_at,
        order_system(scenario.opening.order_id, scenario.order),
    )
    assert isinstance(run, Run)
    assert (run.stands, run.now, len(run.events)) == (
        StepResult(StateName.OPENED, None, 1),
        OPENED_AT,
        1,
    )
    first, second = scenario.steps
    assert run.step(first) == run.stands == StepResult(StateName.AWAITING_CONFIRMATION, None, 2)
    assert (run.now, run.dispute.state) == (first.at, StateName.AWAITING_CONFIRMATION)
    taken_up = Run(run.dispute, run.events, run.orders)
    assert taken_up.now == first.at
    assert taken_up.step(second) == StepResult(
        StateName.RESOLVED, Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND, 3
    )
    assert (len(run.events), run.dispute.state) == (2, StateName.AWAITING_CONFIRMATION)


# ---- the same again ------------------------------------------------------------------------------


def test_ids_and_salts_come_from_the_dispute_the_seq_and_the_pointer_alone() -> None:
    first, again = (
        derived_stamp(OPENED_AT, "D-1", 2),
        derived_stamp(OPENED_AT + timedelta(days=1), "D-1", 2),
    )
    assert (first.event_id, first.seed, first.salt("/payload/note")) == (
        again.event_id,
        again.seed,
        again.salt("/payload/note"),
    )
    others = [derived_stamp(OPENED_AT, "D-1", 3), derived_stamp(OPENED_AT, "D-2", 2)]
    assert len({first.event_id, *(other.event_id for other in others)}) == 3
    assert len({first.salt("/a"), first.salt("/b"), *(other.salt("/a") for other in others)}) == 4


def test_two_runs_have_the_same_events_personal_values_and_salts_included() -> None:
    steps = (
        "at: +1h, do: choose_option, with: {option: prove_no_fault, note: 私人}",
        f"at: +2h, {CANCELS}, expect: {{refused: [option_already_chosen]}}",
    )
    first, second = ran(*steps), ran(*steps)
    assert first.failures == ()
    assert [event.model_dump_json() for event in first.events] == [
        event.model_dump_json() for event in second.events
    ]
    assert first.events[1].private["/payload/note"].value == "私人"
    assert [event.recorded_at for event in first.events] == [
        OPENED_AT + timedelta(hours=hours) for hours in range(3)
    ]
