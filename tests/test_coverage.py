"""Coverage: every transition and guard outcome is listed once; counts are correct and add up."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from dispute_fsm.decider.evolve import evolve
from dispute_fsm.domain.enums import CommandType, EventType, Lang, Option, Outcome, RefusalCode
from dispute_fsm.domain.events import AuditEvent, DisputeOpened
from dispute_fsm.errors import InputError
from dispute_fsm.history.coverage import Coverage
from dispute_fsm.history.replay import replay
from dispute_fsm.machine.guard import Selector
from dispute_fsm.rules.registry import VERSIONS
from tests.histories.corpus import FILES
from tests.support import (
    CANCELLING,
    choose,
    command,
    corpus_events,
    happens,
    opened,
    opened_event,
    over,
)

TABLE = VERSIONS["2023-03"].table
NEVER = (
    "option_chosen.settling.denial_under_review",
    "rule_no_fault",
    "resolved",
    "settled_by_out_of_stock_refund",
)
"""A denied out-of-stock refund is decided at once, never reviewed, although a transition exists."""


def counted(events: Iterable[AuditEvent]) -> Coverage:
    coverage = Coverage()
    for event in events:
        coverage.add(event)
    return coverage


def transitions(coverage: Coverage) -> Iterator[tuple[Any, int]]:
    for each in coverage.record()["2023-03"]["transitions"]["each"]:
        yield tuple(each[name] for name in ("source", "event", "target", "outcome")), each["count"]


def answers(coverage: Coverage) -> dict[tuple[str, str], int]:
    return {
        (each["guard"], each["answer"]): each["count"]
        for each in coverage.record()["2023-03"]["guard_outcomes"]["each"]
    }


def story() -> list[AuditEvent]:
    """Give an opening, a choice, and the consumer's consent."""
    first = opened()
    chosen = happens(first, choose(Option.CONSUMER_CANCELS), shown=CANCELLING)
    return [
        first.opening,
        chosen,
        happens(evolve(first, chosen), command(CommandType.CONFIRM_AGREEMENT)),
    ]


# ---- what there is to reach ----------------------------------------------------------------------


def test_nothing_is_reached_at_first_and_everything_of_the_table_is_there_to_be() -> None:
    record = Coverage().record()
    assert set(record) == set(VERSIONS)
    of = record["2023-03"]
    assert (of["events"], of["transitions"]["reached"], of["guard_outcomes"]["reached"]) == (
        0,
        0,
        0,
    )
    rows = {
        (row.source, row.event, row.target) for rows in TABLE.transitions.values() for row in rows
    }
    assert {edge[:3] for edge, _ in transitions(Coverage())} == rows | {
        (None, "open_dispute", "opened")
    }
    named = {guard for guard, _ in answers(Coverage())}
    assert named == set(TABLE.guards())


@pytest.mark.parametrize("part", ["transitions", "guard_outcomes"])
def test_each_thing_to_reach_is_there_once(part: str) -> None:
    found = Coverage().record()["2023-03"][part]
    told = [json.dumps(each) for each in found["each"]]
    assert len(set(told)) == len(told) == found["total"]


def test_a_row_with_an_outcome_for_each_option_is_one_transition_for_each() -> None:
    confirmed = [
        (each["outcome"], each["when"]["option"])
        for each in Coverage().record()["2023-03"]["transitions"]["each"]
        if (each["event"], each["target"]) == ("confirm_agreement", "resolved")
    ]
    assert confirmed == [
        ("settled_by_cancellation", ["consumer_cancels"]),
        ("settled_by_shipment", ["already_shipped"]),
        ("settled_by_out_of_stock_refund", ["out_of_stock_refund"]),
    ]


def test_a_guard_passes_or_not_and_a_question_has_the_answers_that_rows_are_for() -> None:
    found: dict[str, list[str]] = {}
    for guard, answer in answers(Coverage()):
        found.setdefault(guard, []).append(answer)
    assert found["fulfilment"] == ["kept", "refunded", "neither"]
    assert "none" not in found["extended"]  # no row is for it: such an extension is out of place
    assert found["shipped"] == ["passed", "not_passed"]
    assert found["order_exists"] == ["passed"]  # an opening that is refused leaves no event
    assert {name for name, guard in TABLE.guards().items() if isinstance(guard, Selector)} == {
        name for name, each in found.items() if not {"passed", "not_passed"} & set(each)
    }


def test_an_unknown_rule_version_is_an_error() -> None:
    with pytest.raises(InputError) as caught:
        Coverage().add(story()[0].model_copy(update={"rules": "1999-01"}))
    assert caught.value.field == "rules"


# ---- counting ------------------------------------------------------------------------------------


def test_events_are_counted_where_they_belong() -> None:
    coverage = counted(story())
    assert {edge: n for edge, n in transitions(coverage) if n} == {
        (None, "open_dispute", "opened", None): 1,
        ("opened", "choose_option", "option_chosen.settling.awaiting_confirmation", None): 1,
        (
            "option_chosen.settling.awaiting_confirmation",
            "confirm_agreement",
            "resolved",
            "settled_by_cancellation",
        ): 1,
    }
    found = answers(coverage)
    assert (
        found["option", "consumer_cancels"],
        found["confirmation", "asked"],
        found["by_merchant", "passed"],
    ) == (2, 1, 1)
    assert found["cancel_requested_or_refunded", "passed"] == 1
    assert coverage.record()["2023-03"]["events"] == 3


def test_a_refusal_is_no_transition_but_its_guards_have_answered() -> None:
    first = opened()
    decision = next(event for event in corpus_events() if RefusalCode.NOT_SHIPPED in event.refused)
    coverage = counted([first.opening, decision])
    assert sum(n for _, n in transitions(coverage)) == 1
    assert answers(coverage)["shipped", "not_passed"] == 1


def test_of_rows_between_the_same_states_the_one_that_was_selected_counts() -> None:
    """Three settlements lead from `opened` to `awaiting_confirmation`, each by a row of its own."""
    chosen = happens(opened(), choose(Option.OUT_OF_STOCK_REFUND))
    counts = counted([chosen]).record()["2023-03"]["transitions"]["each"]
    assert [each["when"] for each in counts if each["count"]] == [
        {"option": ["out_of_stock_refund"], "confirmation": ["asked"]}
    ]


@pytest.mark.parametrize("elsewhere", [{"target": "penalized"}, {"outcome": Outcome.WITHDRAWN}])
def test_an_event_that_does_not_go_where_its_row_leads_is_no_transition(
    elsewhere: dict[str, object],
) -> None:
    """Such a history is at fault; what it says is not what the rules do."""
    coverage = counted([story()[2].model_copy(update=elsewhere)])
    assert sum(n for _, n in transitions(coverage)) == 0
    assert answers(coverage)["by_consumer", "passed"] == 1


def test_what_the_policy_selects_tells_transitions_apart() -> None:
    chosen = happens(opened(over(confirmation=None)), choose(Option.OUT_OF_STOCK_REFUND))
    counts = counted([chosen]).record()["2023-03"]["transitions"]["each"]
    assert [(each["target"], each["when"]["confirmation"]) for each in counts if each["count"]] == [
        ("resolved", ["off"])
    ]


def test_an_answer_outside_the_table_is_no_outcome_of_a_guard() -> None:
    """That a dispute is closed is no guard's business; it is recorded beside them."""
    closed = next(event for event in corpus_events() if RefusalCode.DISPUTE_CLOSED in event.refused)
    assert "live" in {check.guard for check in closed.checks}
    assert "live" not in {guard for guard, _ in answers(counted([closed]))}


def test_an_event_of_an_unknown_rule_version_is_an_error() -> None:
    coverage = Coverage()
    with pytest.raises(InputError):
        coverage.add(opened_event().model_copy(update={"rules": "1999-01"}))
    assert coverage.counts == {}


def test_the_scenarios_reach_all_that_can_be_reached(tell: Callable[[object], None]) -> None:
    coverage = counted(corpus_events())
    assert [edge for edge, n in transitions(coverage) if not n] == [NEVER]
    assert [name for name, n in answers(coverage).items() if not n] == []
    found = coverage.record()["2023-03"]
    assert found["transitions"]["reached"] == found["transitions"]["total"] - 1
    accepted = sum(
        event.type is not EventType.REFUSED and event.rules == "2023-03"
        for event in corpus_events()
    )
    assert (
        sum(n for _, n in transitions(coverage)) == accepted
    )  # each accepted event is one transition, and only one
    tell(
        f"the scenarios reach {found['guard_outcomes']['reached']} of "
        f"{found['guard_outcomes']['total']} guard outcomes"
    )


def test_each_recorded_event_that_was_accepted_is_one_transition() -> None:
    events: list[AuditEvent] = []
    for path in FILES:
        for _ in replay(
            str(path), watch=lambda _, step: events.append(step.event) if step is not None else None
        ):
            pass
    assert any(isinstance(event, DisputeOpened) for event in events)
    for version, found in counted(events).record().items():
        accepted = sum(
            event.type is not EventType.REFUSED and event.rules == version for event in events
        )
        assert sum(each["count"] for each in found["transitions"]["each"]) == accepted > 0


# ---- parts that are put together -----------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_counts_of_parts_add_up_in_any_order(parts: int) -> None:
    events = corpus_events()
    whole, merged = counted(events), Coverage()
    for part in reversed(range(parts)):
        sent = json.loads(json.dumps(counted(events[part::parts]).counts))
        merged.merge(Coverage(sent))
    assert merged.record() == whole.record()
    assert list(merged.lines("en")) == list(whole.lines("en"))
    assert Counter(merged.counts["2023-03"]) == Counter(whole.counts["2023-03"])


def test_counts_that_were_handed_out_do_not_change_what_was_counted() -> None:
    coverage = counted(story())
    coverage.counts["2023-03"].clear()
    assert coverage.record() == counted(story()).record()


# ---- words ---------------------------------------------------------------------------------------


def test_the_text_says_what_was_reached_how_often_and_what_never() -> None:
    unused, *lines = counted(story()).lines("en")
    assert unused == "rules parallel: 0 events reach 0 of 135 transitions, 0 of 88 guard outcomes"
    assert lines[0] == "rules 2023-03: 3 events reach 3 of 53 transitions, 11 of 80 guard outcomes"
    assert lines[1:3] == [
        "  transitions",
        "    1  waiting for the merchant's choice · open the dispute",
    ]
    told = (
        "waiting for the merchant's choice → {} · choose an option [agreed: the consumer cancels; "
        "{}]"
    )
    asked = told.format(
        "waiting for the consumer's confirmation", "the consumer is asked to confirm"
    )
    not_asked = told.format(
        "resolved (settled: the order is cancelled)", "nobody is asked to confirm"
    )
    assert lines[3:5] == [f"    1  {asked}", f"    ✗  {not_asked}"]
    assert (
        "    1  a cancel request that stands, or a completed full refund "
        "(cancel_requested_or_refunded): passed"
    ) in lines
    assert "    ✗  shipped (shipped): not passed" in lines
    assert "    2  option: agreed: the consumer cancels" in lines


def test_the_same_in_chinese() -> None:
    _, *lines = counted(story()).lines("zh")
    assert lines[0].startswith("规则 2023-03：3 个事件，走过流程 3/53，条件结果 11/80")
    assert lines[3] == (
        "    1  待商家选择方案 → 待消费者确认 · 选择方案 [已协商一致，消费者取消订单；需消费者确认]"
    )
    assert "    ✗  已发货 (shipped)：未通过" in lines


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_of_a_version_that_no_event_belongs_to_only_the_numbers_are_said(lang: Lang) -> None:
    assert len(list(Coverage().lines(lang))) == len(VERSIONS)
