"""What-if: the end under other rules follows from what was recorded, and is never guessed.

What must come of each example was thought out from the rules and stands beside it. Then five
changes of the rules are planted, and looked for in every recorded history; and what is said is
compared with scenarios that are run anew.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, cast

import pytest
import structlog
from pydantic import ValidationError

from dispute_fsm.decider.decide import open_dispute
from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.domain.commands import DEFAULT_VERSION, Command
from dispute_fsm.domain.enums import (
    CommandType,
    EventType,
    Option,
    Outcome,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.reasons import just_after
from dispute_fsm.errors import InputError
from dispute_fsm.history.generate import generate
from dispute_fsm.history.messages import Drift, EndComparison, Missing
from dispute_fsm.history.redecide import Difference
from dispute_fsm.history.what_if import EndState, Question, WhatIf, what_if
from dispute_fsm.machine.transition_table import Transition, TransitionTable
from dispute_fsm.rules import guards as g
from dispute_fsm.rules import registry
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.scenarios.model import Availability, Expect, Scenario, ScenarioStep, Sweep
from dispute_fsm.scenarios.reader import parse_scenario, read_scenario
from dispute_fsm.scenarios.runner import Run, order_system, run_scenario
from tests.histories.corpus import ERASED, FILES, disputes
from tests.sampling import few
from tests.support import CORPUS, MINUTE, OPENED_AT, PAID, opening, seen, stamp

Tell = Callable[[object], None]
Changes = Mapping[str, object]
Recorded = tuple[Dispute, Sequence[AuditEvent]]


def over(changes: Changes) -> Question:
    """Ask what would have been under each dispute's policy with these changes."""
    return Question(policy=lambda policy: policy.lay_over(changes))


@cache
def happened(steps: str, policy: str = "", order: str = "") -> Recorded:
    """Let a dispute of 2023-03-28, ten in the morning in Shanghai, take its course."""
    head = "".join(
        f"{name}: {{{value}}}\n" for name, value in (("policy", policy), ("order", order)) if value
    )
    result = run_scenario(
        parse_scenario(
            f"{head}dispute: {{opened_at: 2023-03-28T10:00:00+08:00}}\nsteps:\n{steps}",
            "x.dispute.yaml",
        )
    )
    assert result.failures == ()
    assert result.dispute is not None
    return result.dispute, result.events


def asked(recorded: Recorded, question: Question) -> WhatIf:
    return what_if(*recorded, question)


class Found(NamedTuple):
    """A difference, told shortly."""

    seq: int
    drift: Drift
    command: CommandType
    guard: str | None


def told(found: WhatIf) -> list[Found]:
    return [Found(one.seq, one.drift, one.command, one.guard) for one in found.differences]


def resolved(outcome: Outcome) -> EndState:
    return EndState(state=StateName.RESOLVED, states=(StateName.RESOLVED,), outcome=outcome)


def penalized(outcome: Outcome) -> EndState:
    return EndState(state=StateName.PENALIZED, states=(StateName.PENALIZED,), outcome=outcome)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Log no decision: thousands are made of times."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


# ---- the recorded rules --------------------------------------------------------------------------


def everything(rules: str | None = DEFAULT_VERSION) -> Iterator[tuple[str, Recorded]]:
    """Go through the recorded disputes of a rule version, or of all."""
    for path in FILES:
        for name, recorded in disputes(path).items():
            if path != ERASED and rules in {None, recorded[0].rules.id}:
                yield name, recorded


def test_under_its_own_rules_and_policy_no_recorded_dispute_differs(tell: Tell) -> None:
    count = 0
    for question in (Question(), Question(rules=DEFAULT_VERSION), over({})):
        for _, (dispute, events) in everything(question.rules):
            found = what_if(dispute, events, question)
            assert (found.verdict, found.differences, found.missing) == (
                EndComparison.SAME,
                (),
                None,
            )
            assert (
                found.now
                == found.then
                == EndState(
                    state=dispute.state,
                    states=dispute.states,
                    outcome=dispute.outcome,
                    option=None if dispute.closed else dispute.option,
                )
            )
            count += 1
    tell(f"what-if under the recorded rules: {count} of {count} recorded disputes the same")


def test_under_its_own_rules_and_policy_no_generated_dispute_differs(tell: Tell) -> None:
    courses: dict[str, tuple[Dispute, list[AuditEvent]]] = {}
    for event, policy in generate(300, 11):
        if event.dispute_id in courses:
            courses[event.dispute_id][1].append(event)
        else:
            courses[event.dispute_id] = (begin(event, policy), [event])
    for first, events in courses.values():
        found = what_if(end(first, events), events, Question())
        assert (found.verdict, found.differences, found.missing) == (EndComparison.SAME, (), None)
    tell(
        f"what-if under the recorded rules: {len(courses)} of {len(courses)} generated disputes "
        "the same"
    )


def end(dispute: Dispute, events: Sequence[AuditEvent]) -> Dispute:
    for event in events[1:]:
        dispute = evolve(dispute, event)
    return dispute


# ---- thought out by hand -------------------------------------------------------------------------

SILENT = "  - {at: +30h, do: sweep}\n"
LATE_ANSWER = (
    "  - {at: +18h, do: choose_option, with: {option: prove_no_fault}}\n  - {at: +19h, do: "
    "withdraw}\n"
)
VOUCHER = "{kind: chat_screenshot, media_type: image/png, size: 1000, sha256: " + "a" * 64 + "}"
PROMISE = (
    "  - {at: +1h, do: choose_option, with:"
    f" {{option: ship_by_agreed_date, agreed_until: 2023-03-30T18:00:00+08:00, vouchers: "
    f"[{VOUCHER}]}}%s}}\n"
)
PROMISED = PROMISE % "" + "  - {at: +9d, do: sweep}\n"
CANCELLING = "paid_at: 2023-03-25T09:00:00+08:00, cancel_request: {status: submitted}"
CANCELS = "  - {at: +1h, do: choose_option, with: {option: consumer_cancels}}\n"
OUT_OF_STOCK = "  - {at: +1h, do: choose_option, with: {option: out_of_stock_refund}}\n"

RESPONSE_DUE, IN_TIME = "response_has_passed", "in_time"


def test_an_answer_that_would_have_come_too_late() -> None:
    # 12 h after ten in the morning is ten in the evening; the answer came at four in the night.
    found = asked(happened(LATE_ANSWER), over({"response": {"hours": 12}}))
    assert (found.verdict, found.then, found.now) == (
        EndComparison.DIFFERENT,
        resolved(Outcome.WITHDRAWN),
        penalized(Outcome.NO_RESPONSE),
    )
    assert told(found) == [
        (1, Drift.DEADLINE, CommandType.OPEN_DISPUTE, RESPONSE_DUE),
        (2, Drift.OUTCOME, CommandType.RESPONSE_EXPIRED, RESPONSE_DUE),
        (2, Drift.NEWLY_REFUSED, CommandType.CHOOSE_OPTION, "live"),
        (3, Drift.NEWLY_REFUSED, CommandType.WITHDRAW, "live"),
    ]
    first = found.differences[0]
    assert (first.saw_then, first.saw_now) == (
        {"response": "2023-03-29T02:00:00Z"},
        {"response": "2023-03-28T14:00:00Z"},
    )
    assert [change.field for change in first.changes] == ["deadlines"]


def test_an_answer_that_would_still_have_been_in_time_at_the_very_instant() -> None:
    found = asked(happened(LATE_ANSWER), over({"response": {"hours": 18}}))
    assert (found.verdict, found.now) == (EndComparison.SAME, resolved(Outcome.WITHDRAWN))
    assert told(found)[0] == (1, Drift.DEADLINE, CommandType.OPEN_DISPUTE, RESPONSE_DUE)
    assert {one.drift for one in found.differences[1:]} == {
        Drift.EXPLANATION
    }  # the guard saw another due instant


@pytest.mark.parametrize(
    "term", [{"hours": 48}, None, {"working_hours": 18}], ids=["longer", "off", "working hours"]
)
def test_who_was_silent_might_have_answered_later(term: object) -> None:
    found = asked(happened(SILENT), over({"response": term}))
    assert (found.verdict, found.then, found.now) == (
        EndComparison.UNDETERMINED,
        penalized(Outcome.NO_RESPONSE),
        None,
    )
    assert found.missing is not None
    assert (found.missing.seq, found.missing.missing) == (2, Missing.ANSWERS)
    moved = [
        (1, Drift.DEADLINE, CommandType.OPEN_DISPUTE, RESPONSE_DUE),
        (2, Drift.DEADLINE, CommandType.RESPONSE_EXPIRED, RESPONSE_DUE),
    ]
    assert (
        told(found) == moved[: 1 if term is None else 2]
    )  # an expiry is nobody's command: it comes later, it is not refused


def test_who_was_silent_would_have_been_penalized_earlier_but_no_less() -> None:
    found = asked(happened(SILENT), over({"response": {"hours": 12}}))
    assert (found.verdict, found.now) == (EndComparison.SAME, penalized(Outcome.NO_RESPONSE))
    assert told(found)[0] == (1, Drift.DEADLINE, CommandType.OPEN_DISPUTE, RESPONSE_DUE)


def test_the_same_expiry_at_another_instant_is_a_difference_of_the_deadline_only() -> None:
    found = asked(happened(SILENT), over({"response": {"hours": 12}}))
    assert {one.drift for one in found.differences} == {Drift.DEADLINE}


def test_what_the_order_system_would_have_shown_at_another_instant_is_not_known() -> None:
    found = asked(happened(PROMISED), over({"scan_grace": "1h"}))
    assert (found.verdict, found.then, found.now) == (
        EndComparison.UNDETERMINED,
        penalized(Outcome.PROMISE_MISSED),
        None,
    )
    assert found.missing is not None
    assert (found.missing.seq, found.missing.missing) == (3, Missing.FACTS)
    assert told(found) == [(2, Drift.DEADLINE, CommandType.CHOOSE_OPTION, "promise_has_passed")]


@pytest.mark.parametrize("grace", ["12h", "20d"], ids=["past before the sweep", "not past yet"])
def test_a_promise_with_more_grace_might_have_been_kept(grace: str) -> None:
    found = asked(happened(PROMISED), over({"scan_grace": grace}))
    assert (found.verdict, found.now) == (EndComparison.UNDETERMINED, None)
    assert told(found)[0] == (2, Drift.DEADLINE, CommandType.CHOOSE_OPTION, "promise_has_passed")


def test_silence_that_counts_as_a_denial_ends_otherwise() -> None:
    found = asked(happened(OUT_OF_STOCK + SILENT), over({"silence": "denial"}))
    assert found.then == resolved(Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND)
    assert (found.verdict, found.now) == (EndComparison.DIFFERENT, penalized(Outcome.OUT_OF_STOCK))
    assert told(found) == [(3, Drift.OUTCOME, CommandType.CONFIRMATION_EXPIRED, "silence")]
    assert (found.differences[0].saw_then, found.differences[0].saw_now) == (
        {"silence": "consent"},
        {"silence": "denial"},
    )
    changed = {
        change.field: (change.recorded, change.now) for change in found.differences[0].changes
    }
    assert changed["outcome"] == ("settled_by_out_of_stock_refund", "out_of_stock")
    assert changed["target"] == ("resolved", "penalized")


def test_how_a_review_that_never_was_would_have_ruled_is_not_known() -> None:
    found = asked(
        happened(CANCELS + "  - {at: +2h, do: deny_agreement}\n", order=CANCELLING),
        over({"denial": "review"}),
    )
    assert (found.verdict, found.then, found.now) == (
        EndComparison.UNDETERMINED,
        penalized(Outcome.BREACH_OF_PROMISE),
        None,
    )
    assert found.missing is not None
    assert found.missing.missing is Missing.ANSWERS
    assert told(found) == [(3, Drift.OUTCOME, CommandType.DENY_AGREEMENT, "denial")]


def test_a_promise_that_was_too_far_and_no_longer_is() -> None:
    refused = PROMISE % ", expect: {refused: [promise_too_far]}"
    found = asked(happened(refused + SILENT, "max_promise: 1d"), over({"max_promise": "15d"}))
    assert (found.verdict, found.now) == (
        EndComparison.UNDETERMINED,
        None,
    )  # the promise is running still
    assert told(found)[0] == (
        2,
        Drift.NEWLY_ACCEPTED,
        CommandType.CHOOSE_OPTION,
        "promise_not_too_far",
    )
    assert found.differences[0].saw_then is not None
    assert (
        found.differences[0].saw_then["max_promise"],
        (found.differences[0].saw_now or {})["max_promise"],
    ) == ("1d", "15d")
    changed = {
        change.field: (change.recorded, change.now) for change in found.differences[0].changes
    }
    assert changed["refused"] == (["promise_too_far"], [])


def test_a_promise_that_is_now_too_far_leaves_the_merchant_without_an_answer() -> None:
    # The response deadline of 24 h passes long before the promise was looked at: that needs
    # nobody's answer and no facts.
    found = asked(happened(PROMISED), over({"max_promise": "1d"}))
    assert (found.verdict, found.then, found.now) == (
        EndComparison.DIFFERENT,
        penalized(Outcome.PROMISE_MISSED),
        penalized(Outcome.NO_RESPONSE),
    )
    assert told(found)[:2] == [
        (2, Drift.NEWLY_REFUSED, CommandType.CHOOSE_OPTION, "promise_not_too_far"),
        (3, Drift.OUTCOME, CommandType.RESPONSE_EXPIRED, RESPONSE_DUE),
    ]


def test_a_limit_that_is_another_but_binds_nobody_is_an_explanation_only() -> None:
    found = asked(happened(PROMISED), over({"max_promise": "10d"}))
    assert (found.verdict, found.now) == (EndComparison.SAME, penalized(Outcome.PROMISE_MISSED))
    assert told(found) == [(2, Drift.EXPLANATION, CommandType.CHOOSE_OPTION, "promise_not_too_far")]


def test_what_no_guard_looks_at_makes_no_difference() -> None:
    for changes in (
        {"order_url": None},
        {"extra_evidence_rounds": 5},
        {"evidence": None},
        {"scan_grace": "1h"},
        {"max_facts_age": "1h"},
    ):
        found = asked(
            happened(LATE_ANSWER.replace("prove_no_fault", "out_of_stock_refund")), over(changes)
        )
        assert (found.verdict, found.differences) == (EndComparison.SAME, ()), changes


def test_where_nobody_is_asked_the_choice_settles_at_once() -> None:
    found = asked(
        happened(CANCELS + "  - {at: +2h, do: deny_agreement}\n", order=CANCELLING),
        over({"confirmation": None}),
    )
    assert (found.verdict, found.now) == (
        EndComparison.DIFFERENT,
        resolved(Outcome.SETTLED_BY_CANCELLATION),
    )
    assert told(found) == [
        (2, Drift.OUTCOME, CommandType.CHOOSE_OPTION, "confirmation"),
        (3, Drift.NEWLY_REFUSED, CommandType.DENY_AGREEMENT, "live"),
    ]


def test_where_somebody_is_asked_who_was_not_nobody_knows_the_answer() -> None:
    found = asked(
        happened(OUT_OF_STOCK, "confirmation: null"), over({"confirmation": {"hours": 24}})
    )
    assert (found.verdict, found.then, found.now) == (
        EndComparison.UNDETERMINED,
        resolved(Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND),
        None,
    )
    assert found.missing is not None
    assert found.missing.missing is Missing.ANSWERS


def test_a_denial_that_came_too_late_and_no_longer_does() -> None:
    # The consumer denied after 30 h, when silence had settled it already; with 48 h that denial
    # counts.
    late = (
        "  - {at: +30h, do: sweep}\n  - {at: +31h, do: deny_agreement, expect: {refused: "
        "[dispute_closed]}}\n"
    )
    found = asked(happened(OUT_OF_STOCK + late), over({"confirmation": {"hours": 48}}))
    assert (found.verdict, found.now) == (EndComparison.DIFFERENT, penalized(Outcome.OUT_OF_STOCK))
    assert Drift.NEWLY_ACCEPTED in {one.drift for one in found.differences if one.seq == 4}


def test_a_late_choice_that_no_longer_is_late_lacks_the_facts_that_nobody_looked_at() -> None:
    late = (
        "  - {at: +30h, do: choose_option, with: {option: consumer_cancels}, expect: {refused: "
        "[deadline_passed]}}\n"
    )
    found = asked(
        happened(late + "  - {at: +31h, do: sweep}\n", order=CANCELLING),
        over({"response": {"hours": 48}}),
    )
    assert (found.verdict, found.now) == (EndComparison.UNDETERMINED, None)
    assert found.missing is not None
    assert (found.missing.seq, found.missing.missing) == (2, Missing.FACTS)


def test_a_late_choice_that_needs_no_facts_is_taken() -> None:
    late = (
        "  - {at: +30h, do: choose_option, with: {option: out_of_stock_refund}, expect: {refused: "
        "[deadline_passed]}}\n"
    )
    found = asked(
        happened(
            late
            + "  - {at: +31h, do: withdraw, expect: {refused: [deadline_passed]}}\n"
            + "  - {at: +32h, do: sweep}\n"
        ),
        over({"response": {"hours": 48}}),
    )
    assert (found.verdict, found.now) == (EndComparison.DIFFERENT, resolved(Outcome.WITHDRAWN))
    assert [one.seq for one in found.differences if one.drift is Drift.NEWLY_ACCEPTED] == [2, 3]


def test_a_dispute_that_still_runs_stands_where_it_stood() -> None:
    found = asked(happened(OUT_OF_STOCK), over({"confirmation": {"hours": 48}}))
    waiting = StateName.AWAITING_CONFIRMATION
    here = EndState(
        state=waiting, states=(waiting,), outcome=None, option=Option.OUT_OF_STOCK_REFUND
    )
    assert (found.verdict, found.then, found.now) == (EndComparison.SAME, here, here)
    assert told(found) == [
        (2, Drift.DEADLINE, CommandType.CHOOSE_OPTION, "confirmation_has_passed")
    ]


def test_facts_that_would_have_been_too_old_are_missing_from_the_start() -> None:
    decision = open_dispute(
        None, opening(), seen(PAID, OPENED_AT - 2 * MINUTE), OPENED_AT, stamp=stamp()
    )
    assert isinstance(decision, Accepted)
    dispute = begin(decision.event, DEFAULT_POLICY)
    assert (
        what_if(dispute, [decision.event], over({"max_facts_age": "2m"})).verdict
        is EndComparison.SAME
    )
    found = what_if(dispute, [decision.event], over({"max_facts_age": "1m"}))
    assert (found.verdict, found.now, found.differences) == (EndComparison.UNDETERMINED, None, ())
    assert found.missing is not None
    assert (found.missing.seq, found.missing.missing) == (1, Missing.FACTS)


def test_refusals_that_would_not_be_recorded_are_no_other_end() -> None:
    refused = "  - {at: +1h, do: withdraw, by: merchant, expect: {refused: [wrong_actor]}}\n"
    found = asked(happened(refused + SILENT), over({"max_recorded_refusals": 0}))
    assert (found.verdict, {one.drift for one in found.differences}) == (
        EndComparison.SAME,
        {Drift.EXPLANATION},
    )


def test_an_unknown_rule_version_or_an_impossible_policy_is_an_error() -> None:
    with pytest.raises(InputError, match="unknown rule version '1999-01'"):
        asked(happened(SILENT), Question(rules="1999-01"))
    with pytest.raises(ValidationError):
        asked(happened(SILENT), over({"response": {"hours": -1}}))


# ---- never guessed: an answer to one question is no answer to another ----------------------------

LARGER = {"voucher_limits": {"max_bytes": 30_000_000, "max_bytes_together": 90_000_000}}
LARGE = VOUCHER.replace("size: 1000", "size: 20000000")
REFUSED_FIRST = (
    f"  - {{at: +1h, do: choose_option, with: {{option: consumer_cancels, vouchers: [{LARGE}]}},"
    " expect: {refused: [voucher_too_large]}}\n"
)


@pytest.mark.parametrize("answer", ["confirm_agreement", "deny_agreement"])
def test_what_the_consumer_said_of_one_option_is_no_answer_to_another(answer: str) -> None:
    # Recorded: the cancellation was refused, the refund was chosen, and the consumer spoke about
    # the refund. With larger vouchers the cancellation stands: what the consumer would have said of
    # that, nobody recorded.
    steps = REFUSED_FIRST + OUT_OF_STOCK.replace("+1h", "+2h") + f"  - {{at: +3h, do: {answer}}}\n"
    found = asked(happened(steps, order=CANCELLING), over(LARGER))
    assert (found.verdict, found.now) == (EndComparison.UNDETERMINED, None)
    assert found.missing is not None
    assert found.missing.missing is Missing.ANSWERS


def test_a_ruling_in_one_review_is_no_ruling_in_another() -> None:
    # Recorded: the adjudicator ruled on the evidence. Under the other policy there is none, but a
    # denial to look at.
    steps = (
        REFUSED_FIRST
        + "  - {at: +2h, do: choose_option, with: {option: prove_no_fault}}\n"
        + (
            "  - {at: +3h, do: submit_evidence, with: {reason: carrier_fault, statement: late, "
            "vouchers:"
        )
        + f" [{VOUCHER.replace('chat_screenshot', 'carrier_certificate')}]}}}}\n"
        + "  - {at: +40h, do: rule_no_fault, with: {rationale: the carrier was late}}\n"
    )
    found = asked(happened(steps, "silence: denial, denial: review", CANCELLING), over(LARGER))
    assert (found.verdict, found.now) == (EndComparison.UNDETERMINED, None)


def test_the_guard_that_is_named_is_the_one_that_leads_elsewhere() -> None:
    steps = CANCELS + "  - {at: +2h, do: deny_agreement}\n"
    found = asked(
        happened(steps, order=CANCELLING), over({"confirmation": {"hours": 20}, "denial": "review"})
    )
    assert told(found)[1] == (3, Drift.OUTCOME, CommandType.DENY_AGREEMENT, "denial")


def test_erased_words_under_a_used_key_leave_no_doubt_about_the_end() -> None:
    (recorded,) = disputes(ERASED).values()
    found = asked(recorded, Question())
    assert (found.verdict, found.now) == (EndComparison.SAME, found.then)


# ---- five planted changes ------------------------------------------------------------------------

TABLE = VERSIONS[DEFAULT_VERSION].table
PLANTED = "planted"


def plant(
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Transition], Transition],
    **members: Any,  # noqa: ANN401 -- any member of the table
) -> Question:
    """Make a rule version that differs from the default in some rows, and ask about it."""
    rows = {at: tuple(map(change, found)) for at, found in TABLE.transitions.items()}
    table: TransitionTable = replace(TABLE, transitions=rows, **members)
    planted = {**VERSIONS, PLANTED: replace(VERSIONS[DEFAULT_VERSION], id=PLANTED, table=table)}
    monkeypatch.setattr(registry, "VERSIONS", planted)
    return Question(rules=PLANTED)


def event_of(events: Sequence[AuditEvent], difference: Difference) -> AuditEvent:
    return events[difference.seq - 1]


def first(found: WhatIf, *drifts: Drift) -> Difference | None:
    """Return the first difference beyond an explanation, or of the given classes."""
    return next(
        (
            one
            for one in found.differences
            if one.drift in (drifts or set(Drift) - {Drift.EXPLANATION})
        ),
        None,
    )


def test_a_planted_limit_is_found_at_each_statement_that_is_longer(tell: Tell) -> None:
    hits = 0
    for name, (dispute, events) in everything():
        found = what_if(dispute, events, over({"voucher_limits": {"max_statement": 10}}))
        too_long = [
            event.seq
            for event in events
            if event.type is EventType.EVIDENCE_SUBMITTED
            and cast("Any", event.payload).statement.length > 10
        ]
        weighty = first(found)
        if not too_long:
            assert weighty is None, name
            assert found.verdict is EndComparison.SAME
            continue
        assert weighty is not None, name
        assert (weighty.seq, weighty.drift, weighty.guard) == (
            too_long[0],
            Drift.NEWLY_REFUSED,
            "statement_short_enough",
        )
        assert (weighty.saw_then or {})["max_statement"] == 500
        assert (weighty.saw_now or {})["max_statement"] == 10
        assert found.verdict is not EndComparison.SAME
        hits += 1
    assert hits >= 5
    tell(f"planted limit: found in {hits} recorded disputes, each at its statement")


def test_a_planted_deadline_is_found_in_each_dispute_and_where_it_would_have_passed(
    tell: Tell,
) -> None:
    hits = 0
    for name, (dispute, events) in everything():
        found = what_if(dispute, events, over({"response": {"hours": 6}}))
        weighty = first(found)
        assert weighty is not None, name
        assert (weighty.seq, weighty.drift, weighty.guard) == (1, Drift.DEADLINE, RESPONSE_DUE)
        assert weighty.saw_now == {
            "response": (events[0].at + timedelta(hours=6)).isoformat().replace("+00:00", "Z")
        }
        choice = next((event for event in events if event.type is EventType.OPTION_CHOSEN), None)
        moved = any(event.type is EventType.DEADLINE_EXTENDED for event in events)
        if choice is None or moved or choice.at <= events[0].at + timedelta(hours=6):
            continue
        late = next(event for event in events if event.at > events[0].at + timedelta(hours=6))
        assert (late.seq, Drift.OUTCOME, CommandType.RESPONSE_EXPIRED, RESPONSE_DUE) in told(
            found
        ), name
        assert found.now in (penalized(Outcome.NO_RESPONSE), resolved(Outcome.ANNULLED))
        assert found.verdict is (
            EndComparison.SAME if found.now == found.then else EndComparison.DIFFERENT
        )
        hits += 1
    assert hits >= 5
    tell(f"planted deadline: found in every recorded dispute; {hits} would have ended by it")


@pytest.mark.parametrize(
    ("outcome", "command", "guard"),
    [
        (Outcome.NO_RESPONSE, CommandType.RESPONSE_EXPIRED, RESPONSE_DUE),
        (Outcome.PROMISE_MISSED, CommandType.PROMISE_EXPIRED, "fulfilment"),
        (Outcome.EVIDENCE_OVERDUE, CommandType.EVIDENCE_EXPIRED, "evidence"),
    ],
    ids=str,
)
def test_a_planted_outcome_is_found_at_each_expiry_that_had_it(
    outcome: Outcome, command: CommandType, guard: str, monkeypatch: pytest.MonkeyPatch, tell: Tell
) -> None:
    def change(row: Transition) -> Transition:
        return (
            replace(row, rule=replace(row.rule, outcome=Outcome.AT_FAULT))
            if row.rule.outcome is outcome
            else row
        )

    recorded, question, hits = list(everything()), plant(monkeypatch, change), 0
    for name, (dispute, events) in recorded:
        found = what_if(dispute, events, question)
        ended = [
            event.seq
            for event in events
            if event.outcome is outcome and event.type is EventType.DISPUTE_PENALIZED
        ]
        if not ended:
            assert (found.verdict, found.differences) == (EndComparison.SAME, ()), name
            continue
        assert told(found) == [(ended[0], Drift.OUTCOME, command, guard)], name
        (changed,) = found.differences[0].changes
        assert (changed.field, changed.recorded, changed.now) == (
            "outcome",
            outcome.value,
            "at_fault",
        )
        annulled = dispute.outcome is Outcome.ANNULLED
        assert (found.verdict, found.now) == (
            (EndComparison.SAME, found.then)
            if annulled
            else (EndComparison.DIFFERENT, penalized(Outcome.AT_FAULT))
        )
        hits += 1
    assert hits
    tell(
        f"planted outcome instead of {outcome}: found in {hits} recorded disputes, each at its "
        "expiry"
    )


def test_a_planted_guard_is_found_at_each_choice_that_it_decided(
    monkeypatch: pytest.MonkeyPatch, tell: Tell
) -> None:
    def change(row: Transition) -> Transition:
        return replace(
            row,
            rule=replace(
                row.rule, needs=tuple(guard for guard in row.rule.needs if guard is not g.picked_up)
            ),
        )

    recorded, question, hits = list(everything()), plant(monkeypatch, change), 0
    only = {RefusalCode.NO_PICKUP_SCAN, RefusalCode.PICKUP_NOT_VALID}
    for name, (dispute, events) in recorded:
        found = what_if(dispute, events, question)
        decided = [event.seq for event in events if event.refused and set(event.refused) <= only]
        weighty = first(found)
        if not decided:
            assert weighty is None, name
            asked_about = [
                event.seq
                for event in events
                if any(check.guard == "picked_up" for check in event.checks)
            ]
            assert told(found) == [
                (seq, Drift.EXPLANATION, CommandType.CHOOSE_OPTION, "picked_up")
                for seq in asked_about
            ], name
            continue
        assert weighty is not None, name
        assert (weighty.seq, weighty.drift, weighty.guard) == (
            decided[0],
            Drift.NEWLY_ACCEPTED,
            "picked_up",
        )
        assert weighty.saw_then is not None
        assert weighty.saw_now is None  # it is not asked any more
        hits += 1
    assert hits >= 1
    tell(f"planted guard: found in {hits} recorded disputes, each at its choice")


def test_a_planted_actor_is_found_at_each_command_of_the_other(
    monkeypatch: pytest.MonkeyPatch, tell: Tell
) -> None:
    merchant = g.by(Role.MERCHANT)

    def change(row: Transition) -> Transition:
        return (
            replace(row, rule=replace(row.rule, by=merchant))
            if row.event is CommandType.WITHDRAW
            else row
        )

    recorded = list(everything())
    question, hits = (
        plant(monkeypatch, change, actors={**TABLE.actors, CommandType.WITHDRAW: merchant}),
        0,
    )
    for name, (dispute, events) in recorded:
        found = what_if(dispute, events, question)
        withdrawn = [
            event.seq
            for event in events
            if event.outcome is Outcome.WITHDRAWN and event.type is EventType.DISPUTE_RESOLVED
        ]
        if not withdrawn:
            assert first(found, Drift.NEWLY_REFUSED, Drift.OUTCOME) is None, name
            continue
        weighty = first(found)
        assert weighty is not None, name
        assert (weighty.seq, weighty.drift, weighty.command, weighty.guard) == (
            *(withdrawn[0], Drift.NEWLY_REFUSED),
            *(CommandType.WITHDRAW, "by_merchant"),
        )
        assert weighty.saw_now == {"role": "consumer", "id": dispute.consumer_id}
        assert found.verdict is EndComparison.UNDETERMINED, (
            name
        )  # what the parties would have done instead, nobody recorded
        hits += 1
    assert hits >= 5
    tell(f"planted actor: found in {hits} recorded disputes, each at its withdrawal")


def test_a_dispute_that_the_other_rules_would_not_have_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = happened(SILENT)
    question = plant(monkeypatch, lambda row: row, entry=replace(TABLE.entry, by=g.by(Role.SYSTEM)))
    found = asked(recorded, question)
    assert (found.verdict, found.now, found.missing) == (EndComparison.DIFFERENT, None, None)
    assert told(found) == [(1, Drift.NEWLY_REFUSED, CommandType.OPEN_DISPUTE, "by_system")]


# ---- what is said holds: the same scenarios, run anew --------------------------------------------

# A scenario that is run anew under another policy is a fair judge of what is said only where the
# history holds all that happened in it. So: a sweep goes before every step, for a history knows
# deadlines and not who swept when; scenarios with a command of which nothing was recorded, or an
# order system that was down, are left out, for the history cannot know of them; and nothing counts
# that comes after the last event, where the history ends.


def swept(scenario: Scenario) -> Scenario:
    """Put a sweep before every step."""
    steps = (
        part
        for step in scenario.steps
        for part in (ScenarioStep(step.at, step.line, Sweep(), Expect()), step)
    )
    return replace(scenario, steps=tuple(steps))


def ends_may_change(rules: str) -> bool:
    """Return whether a deadline can run in a closed state of the version."""
    return any(at.closed and at.deadlines for at in VERSIONS[rules].table.configurations.values())


def run_anew(scenario: Scenario, policy: Policy, until: datetime | None = None) -> tuple[Run, bool]:
    """Run the steps up to an instant; return also whether every command recorded an event.

    Where an end may still change, the time of it matters, so there a sweep runs just after each
    deadline, as `what_if` assumes.
    """
    started = Run.open(
        scenario.opening.model_copy(update={"policy": policy}),
        scenario.opened_at,
        order_system(scenario.opening.order_id, scenario.order),
    )
    assert isinstance(started, Run)
    every_one = True
    for step in (step for step in scenario.steps if until is None or step.at <= until):
        while (
            ends_may_change(scenario.opening.rules)
            and (due := next_due(started.dispute)) is not None
            and due[1] < step.at
        ):
            at = max(min(just_after(due[1]), step.at), started.dispute.last_at)
            started.step(ScenarioStep(at, step.line, Sweep(), Expect()))
        before = len(started.events)
        started.step(step)
        every_one &= len(started.events) > before or not isinstance(step.action, Command)
    return started, every_one


@cache
def fair() -> tuple[tuple[Scenario, Recorded], ...]:
    found: list[tuple[Scenario, Recorded]] = []
    for path in CORPUS:
        scenario = swept(read_scenario(path))
        if scenario.order is None or any(
            isinstance(step.action, Availability) for step in scenario.steps
        ):
            continue
        run, every_one = run_anew(scenario, scenario.opening.policy)
        if every_one:
            found.append((scenario, (run.dispute, run.events)))
    return tuple(found)


CHANGED: Sequence[Changes] = (
    {"response": {"hours": 2}},
    {"response": {"hours": 72}},
    {"confirmation": {"hours": 2}},
    {"confirmation": None},
    {"evidence": {"hours": 1}},
    {"evidence": {"hours": 100}},
    {"silence": "denial"},
    {"denial": "review"},
    {"silence": "denial", "denial": "review"},
    {"max_promise": "1h"},
    {"scan_grace": "0s"},
    {"extra_evidence_rounds": 0},
    {"voucher_limits": {"max_statement": 3, "max_count": 1, "max_bytes": 10_000}},
    {"max_recorded_refusals": 0},
)


@pytest.mark.parametrize("changes", few(CHANGED, 3), ids=", ".join)
def test_what_is_said_of_a_dispute_comes_of_its_scenario_when_it_is_run_anew(
    changes: Changes, tell: Tell
) -> None:
    said, compared = dict.fromkeys(EndComparison, 0), 0
    for number, (scenario, (dispute, events)) in enumerate(fair()):
        found = what_if(dispute, events, over(changes))
        said[found.verdict] += 1
        if found.now is not None and (
            found.differences or number % 5 == 0
        ):  # of those without any difference a fifth will do
            compared += 1
            anew, _ = run_anew(scenario, scenario.opening.policy.lay_over(changes), events[-1].at)
            assert (found.now.state, found.now.outcome) == (
                anew.dispute.state,
                anew.dispute.outcome,
            ), scenario.file
            assert (found.verdict is EndComparison.SAME) is (found.now == found.then)
    assert said[EndComparison.SAME] > len(fair()) / 4
    counted = ", ".join(f"{count} {verdict.value}" for verdict, count in said.items())
    tell(f"what-if of {changes}: {counted}; {compared} compared with their scenarios, run anew")
