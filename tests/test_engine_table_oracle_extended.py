"""Engine = table = oracle for `extended`: version 2023-03, a partial refund, and an appeal.

The walk is that of 2023-03; `test_engine_table_oracle` explains what it does and why. The oracle
has three more questions: whether the deadline of an appeal runs, whether there was an appeal, and
the liability, which remains the outcome until the final ruling.

The walk does not compare the code for an event that is not offered, nor the deadlines afterwards.
Here both are compared with the oracle, for disputes in every state.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from dispute_fsm.decider import decisions
from dispute_fsm.decider.decisions import Accepted, Decision, Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.commands import Appeal, ChooseOption, Command, ExtendDeadline
from dispute_fsm.domain.enums import CommandType, Deadline, Option, Role, StateName
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.machine.compiler import compile_chart
from dispute_fsm.machine.transition_table import AS_BEFORE, Transition, TransitionTable
from dispute_fsm.rules import extended
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.rules.version import VOCABULARY
from tests import oracle_extended as oracle
from tests.oracle_2023_03 import Fires, Refuses, Unchanged
from tests.oracle_extended import PENALTIES, Seen
from tests.sampling import few
from tests.support import (
    AGREED,
    HOUR,
    OWN,
    PAID,
    SECOND,
    WHOSE,
    choose,
    command,
    decided,
    extension,
    liabilities_of,
    opened,
    order,
    pickup,
    play,
    ruling,
    shipment,
    submission,
    well_formed,
)
from tests.walk import (
    Comparison,
    OracleAlone,
    Situation,
    Subject,
    Tally,
    copy_with,
    first_difference,
    mutants,
    reachable_configurations,
    transitions_of,
    walk,
    walk_all,
)

pytestmark = pytest.mark.no_cover  # as in `test_engine_table_oracle`

OPTIONS, TABLE = VERSIONS["extended"].options, VERSIONS["extended"].table
LIABILITIES = liabilities_of("extended")
E = CommandType

RUNNING = {
    "opened": Deadline.RESPONSE,
    "awaiting_confirmation": Deadline.CONFIRMATION,
    "awaiting_shipment": Deadline.PROMISE,
    "awaiting_evidence": Deadline.EVIDENCE,
    "penalized": Deadline.APPEAL,
}
"""The leaves with a deadline; in `penalized` it does not always run."""


class SubjectExtended(Subject):
    """The version as its oracle defines it."""

    rules = "extended"
    dimensions = (
        "option",
        "confirmation",
        "denial",
        "silence",
        "evidence",
        "fulfilment",
        "extended",
        "appealable",
        "appealed",
        "liability",
    )

    def answers(self, name: str, configuration: str) -> list[str]:
        if name == "appealed":
            return ["no", "yes"] if configuration in {*PENALTIES, "resolved"} else ["no"]
        if name == "liability":
            # All liabilities are treated alike, except that `no_response` means that no option was
            # chosen.
            return ["at_fault", "no_response"] if configuration in PENALTIES else ["none"]
        if name == "appealable" and configuration != "penalized":
            return ["none"]
        return super().answers(name, configuration)

    def combinations(self, configuration: str) -> Iterator[tuple[str, ...]]:
        """Return fewer combinations after a penalty: older questions vary one by one."""
        if configuration not in PENALTIES:
            yield from super().combinations(configuration)
            return
        quiet = {name: self.answers(name, configuration) for name in self.dimensions[1:6]}
        first = {name: answers[0] for name, answers in quiet.items()}
        settings = [first, *({**first, n: a} for n, every in quiet.items() for a in every[1:])]
        asked = [name for name in self.dimensions if name not in quiet]
        for one, answers in itertools.product(
            settings, itertools.product(*(self.answers(name, configuration) for name in asked))
        ):
            given = {**one, **dict(zip(asked, answers, strict=True))}
            yield tuple(given[name] for name in self.dimensions)

    def options_in(self, configuration: str) -> frozenset[Option | None]:
        return options_in(configuration)

    def on_time(self, situation: Situation) -> bool:
        runs = situation.configuration in RUNNING and (
            situation.configuration != "penalized" or situation.answers["appealable"] == "running"
        )
        return runs or situation.timing["in_time"]

    def reachable(self, situation: Situation) -> bool:
        """Whether the deadline of an appeal fits: it does not run after an appeal."""
        answers, running = situation.answers, situation.answers["appealable"] == "running"
        here = super().reachable(situation)
        return (
            here
            and (running or answers["extended"] != "appeal")
            and (not running or answers["appealed"] == "no")
        )

    def expected(self, situation: Situation) -> Fires | Refuses | Unchanged:
        return oracle.expected(situation.configuration, situation.event.value, seen(situation))

    def required(self, situation: Situation) -> frozenset[str]:
        return oracle.requirements(situation.configuration, situation.event.value, seen(situation))


def seen(situation: Situation) -> Seen:
    answers, timing, event = situation.answers, situation.timing, situation.event
    return Seen(
        option=None if situation.option is None else situation.option.value,
        confirmation=answers["confirmation"],
        denial=answers["denial"],
        silence=answers["silence"],
        evidence=answers["evidence"],
        fulfilment=answers["fulfilment"],
        extends=None if answers["extended"] == "none" else answers["extended"],
        actor_fits=situation.fits,
        in_time=timing["in_time"],
        window_open=timing["window_open"],
        expired=event.expires is not None and timing[f"{event.expires.value}_has_passed"],
        unmet=frozenset(code.value for code in situation.failing.values()),
        appeal=answers["appealable"],
        appealed=answers["appealed"] == "yes",
        liability=None if answers["liability"] == "none" else answers["liability"],
    )


SUBJECT = SubjectExtended()


@cache
def reached() -> frozenset[tuple[str, Option | None]]:
    return reachable_configurations(SUBJECT, "opened")


@cache
def options_in(configuration: str) -> frozenset[Option | None]:
    return frozenset(option for there, option in reached() if there == configuration)


def comparison_of(table: TransitionTable) -> Comparison:
    return Comparison(SUBJECT, extended.RulesExtended, table)


@cache
def the_comparison() -> Comparison:
    return comparison_of(TABLE)


# ---- the walk ------------------------------------------------------------------------------------

BEFORE = tuple(leaf for leaf in oracle.LEAVES if leaf not in PENALTIES)


@pytest.mark.parametrize("leaf", [*PENALTIES, *few(BEFORE, 1)])
def test_engine_table_and_oracle_agree_in(
    leaf: str, whole: bool, count: Callable[[str, int], None]
) -> None:
    tally = walk_all(the_comparison(), leaf, whole=whole)
    assert tally.cases >= 30
    for what, number in tally.counted("extended"):
        count(what, number)


# ---- assumptions of the walk ---------------------------------------------------------------------


def test_oracle_and_table_name_the_same_states_events_options_and_codes() -> None:
    assert {event.value for event in SUBJECT.events} == set(oracle.EVENTS)
    assert {configuration.state.value for configuration in TABLE.configurations.values()} == set(
        oracle.LEAVES
    )
    codes = {code for guard in SUBJECT.needs.values() for code in guard.codes}
    assert codes == oracle.ALL_REQUIREMENTS
    assert {leaf for leaf, _ in reached()} == set(oracle.LEAVES)
    assert {option for _, option in reached()} == {None, *OPTIONS} == {None, *Option}
    assert LIABILITIES == oracle.LIABILITIES


def test_the_states_with_a_running_deadline_are_those_of_the_rules() -> None:
    assert {
        configuration.state.value: configuration.running
        for configuration in TABLE.configurations.values()
        if any(configuration.running)
    } == {leaf: ((deadline,),) for leaf, deadline in RUNNING.items()}


def test_every_liability_remains_the_outcome() -> None:
    kept = [one for one in transitions_of(TABLE) if one.rule.outcome is AS_BEFORE]
    assert len(kept) == 4
    for one, liability in itertools.product(kept, LIABILITIES):
        assert one.outcome(None, liability) is liability


def test_the_deadline_of_an_appeal_runs_after_each_transition_as_the_oracle_says() -> None:
    leaf_of = {path: here.state.value for path, here in TABLE.configurations.items()}
    for one in transitions_of(TABLE):
        source, target = leaf_of[one.source], leaf_of[one.target]
        expected = oracle.appeal_runs_after(source, one.event.value, target)
        assert appeal_runs_after(one) is expected, (source, one.event, target)


def appeal_runs_after(one: Transition) -> bool:
    """Return whether the deadline of an appeal runs after a transition."""
    may_run = Deadline.APPEAL in TABLE.configurations[one.target].deadlines
    runs = Deadline.APPEAL in TABLE.configurations[one.source].deadlines
    goes_on = runs and Deadline.APPEAL not in one.rule.ends
    return may_run and (goes_on or Deadline.APPEAL in one.rule.starts)


# ---- disputes: codes and deadlines ---------------------------------------------------------------

CLAIMABLE = order(
    cancel_request={"status": "submitted"},
    refund={"status": "completed", "scope": "partial"},
    shipment=shipment(),
    pickup=pickup(),
)
"""Satisfies the requirements of every option."""

BY_RULING = (choose(Option.PROVE_NO_FAULT), submission(), ruling(E.RULE_AT_FAULT))

PENALIZES: Mapping[str, tuple[Command, ...]] = {
    "at_fault": BY_RULING,
    "breach_of_promise": (choose(Option.PARTIAL_REFUND), command(E.DENY_AGREEMENT)),
    "out_of_stock": (choose(Option.OUT_OF_STOCK_REFUND), command(E.DENY_AGREEMENT)),
    "promise_missed": (choose(Option.SHIP_BY_AGREED_DATE), command(E.PROMISE_EXPIRED)),
    "no_response": (command(E.RESPONSE_EXPIRED),),
    "evidence_overdue": (choose(Option.PROVE_NO_FAULT), command(E.EVIDENCE_EXPIRED)),
}
"""The shortest sequence of commands to each liability."""

SINCE: Mapping[str, tuple[Command, ...]] = {
    "the appeal runs": (),
    "it was extended": (extension(AGREED + 1000 * HOUR),),
    "nobody appealed": (command(E.APPEAL_EXPIRED),),
    "appealed": (ruling(E.APPEAL),),
    "upheld": (ruling(E.APPEAL), ruling(E.UPHOLD_PENALTY)),
    "overturned": (ruling(E.APPEAL), ruling(E.OVERTURN_PENALTY)),
    "annulled": (ruling(E.ANNUL),),
    "upheld and annulled": (ruling(E.APPEAL), ruling(E.UPHOLD_PENALTY), ruling(E.ANNUL)),
}
"""What can follow a penalty."""


class Made(NamedTuple):
    """A dispute, and whether there was an appeal."""

    dispute: Dispute
    appealed: bool = False


def disputes() -> Iterator[tuple[str, Made]]:
    """Make disputes in every state, with every option and liability."""
    start, off = opened_under({}), opened_under({"appeal": None})
    review = opened_under({"denial": "review"})
    yield "opened", Made(start)
    yield "withdrawn", Made(play(start, command(E.WITHDRAW)))
    for option in OPTIONS:
        chosen = play(review, choose(option), shown=CLAIMABLE)
        yield f"{option.value} chosen", Made(chosen)
        if option is Option.PROVE_NO_FAULT:
            yield "evidence submitted", Made(play(chosen, submission()))
        elif option is not Option.OUT_OF_STOCK_REFUND:
            denied = play(chosen, command(E.DENY_AGREEMENT))
            yield f"{option.value} denied", Made(denied)
            yield f"{option.value} upheld", Made(play(denied, ruling(E.RULE_NO_FAULT)))
    for liability, (first, *rest) in PENALIZES.items():
        shown = PAID if liability == "promise_missed" else CLAIMABLE
        penalized = play(play(start, first, shown=CLAIMABLE), *rest, shown=shown)
        for name, later in SINCE.items():
            appealed = any(one.type is E.APPEAL for one in later)
            yield f"{liability}, {name}", Made(play(penalized, *later), appealed)
    yield "without an appeal", Made(play(off, *BY_RULING))


def opened_under(policy: Mapping[str, object]) -> Dispute:
    version = VERSIONS["extended"]
    return opened(version.policy(DEFAULT_POLICY).lay_over(policy), rules="extended")


DISPUTES = dict(disputes())


def commands_to(dispute: Dispute) -> Iterator[tuple[Command, frozenset[str]]]:
    """Make every command, some without a rationale; yield them with the codes for that."""
    for event in SUBJECT.events:
        if event is E.CHOOSE_OPTION:
            yield from ((choose(option), frozenset()) for option in OPTIONS)
        elif event is E.EXTEND_DEADLINE:
            until = max([dispute.last_at, *dispute.deadlines.values()]) + 1000 * HOUR
            for name in (None, *Deadline):
                named = {} if name is None else {"deadline": name}
                yield extension(until, **named), frozenset()
            blank = extension(until, rationale=" ")
            yield blank, frozenset({"rationale_missing"})
        elif event is E.REQUEST_EVIDENCE:
            yield command(event, note="the page"), frozenset()
        else:
            asked = well_formed(dispute, event)
            yield asked, frozenset()
            if hasattr(asked, "rationale"):
                yield ruling(event, rationale=""), frozenset({"rationale_missing"})


def shown_to(dispute: Dispute) -> Order:
    """Return the facts of the order; they neither keep nor end a promise."""
    return PAID if dispute.state is StateName.AWAITING_SHIPMENT else CLAIMABLE


def seen_of(made: Made, asked: Command, now: datetime, unmet: frozenset[str]) -> Seen:
    """Return what the oracle needs to know of a dispute and a command."""
    dispute, dues = made.dispute, made.dispute.deadlines
    runs = dues.get(RUNNING.get(dispute.state.value, Deadline.RESPONSE))
    window = dues.get(Deadline.CONFIRMATION)
    expires = None if asked.type.expires is None else dues.get(asked.type.expires)
    option = asked.option if isinstance(asked, ChooseOption) else dispute.option
    extends = None
    if isinstance(asked, ExtendDeadline):
        unnamed = Deadline.PROMISE if Deadline.PROMISE in dues else next(iter(dues), None)
        extends = unnamed if asked.deadline is None else asked.deadline
    return Seen(
        option=None if option is None else option.value,
        confirmation="asked",
        denial=dispute.policy.denial.value,
        silence=dispute.policy.silence.value,
        evidence="standing" if dispute.submissions else "none",
        fulfilment="neither",
        extends=None if extends is None or extends not in dues else extends.value,
        actor_fits=asked.by == OWN[WHOSE[asked.type]],
        in_time=runs is None or now <= runs,
        window_open=window is None or now <= window,
        expired=expires is not None and now > expires,
        unmet=unmet | ({"already_confirmed"} if dispute.confirmed else set()),
        appeal="running" if Deadline.APPEAL in dues else "none",
        appealed=made.appealed,
        liability=dispute.outcome and dispute.outcome.value
        if dispute.state.value in PENALTIES
        else None,
    )


def compared(name: str) -> int:
    """Compare the decision on every command with the oracle; return the number of decisions."""
    made, cases = DISPUTES[name], 0
    dispute = made.dispute
    dues = {at for due in dispute.deadlines.values() for at in (due, due + SECOND)}
    for (asked, unmet), now in itertools.product(
        commands_to(dispute), [dispute.last_at, *sorted(dues)]
    ):
        other = next(role for role in Role if role is not WHOSE[asked.type])
        for by in (asked.by, OWN[other]):
            sent = asked.model_copy(update={"by": by})
            expected = oracle.expected(
                dispute.state.value, asked.type.value, seen_of(made, sent, now, unmet)
            )
            decision = decided(dispute, sent, now, shown_to(dispute))
            assert fits(dispute, sent, decision, expected), f"{expected}, not {decision}: {sent}"
            cases += 1
    return cases


def fits(
    dispute: Dispute, sent: Command, decision: Decision, expected: Fires | Refuses | Unchanged
) -> bool:
    """Return whether a decision is as expected, with its outcome and deadlines."""
    if isinstance(expected, Unchanged):
        return isinstance(decision, decisions.Unchanged)
    assert isinstance(decision, Accepted | Refused)
    event = decision.event
    assert event is not None
    if isinstance(expected, Refuses):
        return (
            isinstance(decision, Refused)
            and {code.value for code in decision.codes} == expected.codes
            and (event.outcome, event.deadlines) == (dispute.outcome, dispute.deadlines)
        )
    leaf, target = dispute.state.value, expected.target
    runs = dispute.policy.appeal is not None and oracle.appeal_runs_after(
        leaf, sent.type.value, target
    )
    return (
        isinstance(decision, Accepted)
        and (event.target.rsplit(".", 1)[-1], event.type.value) == (target, expected.event_type)
        and (None if event.outcome is None else event.outcome.value) == expected.outcome
        and event.revision == dispute.revision + 1
        and (Deadline.APPEAL in event.deadlines) is runs
        and (len(event.deadlines) == runs or not {leaf, target} & set(PENALTIES))
    )


@pytest.mark.parametrize("name", DISPUTES)
def test_decisions_and_oracle_agree_for(name: str, count: Callable[[str, int], None]) -> None:
    count("oracle = decision, extended: cases", compared(name))


def test_an_appeal_that_could_be_repeated_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Appeal, "once", None)
    with pytest.raises(AssertionError, match=r"'already_appealed'.*, not Refused\(dispute_closed"):
        compared("no_response, upheld")


def test_the_disputes_are_in_every_state_with_every_liability() -> None:
    every = [made.dispute for made in DISPUTES.values()]
    assert {dispute.state.value for dispute in every} == set(oracle.LEAVES)
    for leaf in PENALTIES:
        here = {dispute.outcome for dispute in every if dispute.state.value == leaf}
        assert here == set(LIABILITIES)
    assert {dispute.option for dispute in every} == {None, *OPTIONS}


# ---- planted bugs --------------------------------------------------------------------------------


def comparison_of_copy(folder: Path, changes: Mapping[str, str]) -> Comparison:
    module = copy_with(extended, folder, changes)
    return Comparison(
        SUBJECT, module.RulesExtended, compile_chart(module.RulesExtended, module.ENTRY, VOCABULARY)
    )


PLANTED: dict[str, tuple[str, CommandType, dict[str, str]]] = {
    "an appeal after the end of its window": (
        "penalized",
        E.APPEAL,
        {"merchant, when=[appealable],\n": "merchant,\n"},
    ),
    "an appeal that need not be in time": (
        "penalized",
        E.APPEAL,
        {"needs=[appeal_reasoned], outcome": "needs=[appeal_reasoned], on_time=None, outcome"},
    ),
    "an appeal without a rationale": (
        "penalized",
        E.APPEAL,
        {"needs=[appeal_reasoned], outcome": "outcome"},
    ),
    "the consumer appeals": (
        "penalized",
        E.APPEAL,
        {"appeal_under_review, merchant,": "appeal_under_review, consumer,"},
    ),
    "an annulment that has to be in time": (
        "penalized",
        E.ANNUL,
        {"needs=[g.rationale_given], on_time=None,": "needs=[g.rationale_given],"},
    ),
    "no extension": (
        "penalized",
        E.EXTEND_DEADLINE,
        {
            """
        | transition(penalized, penalized, adjudicator, when=[when(g.EXTENDED, APPEAL)],
                needs=g.EXTENSION, starts=[APPEAL], outcome=AS_BEFORE, origin=EXTEND)""": ""
        },
    ),
    "another liability": (
        "appeal_under_review",
        E.UPHOLD_PENALTY,
        {
            """needs=[g.rationale_given], outcome=AS_BEFORE, origin=REVIEWED)
    overturn""": """needs=[g.rationale_given], outcome=Outcome.AT_FAULT, origin=REVIEWED)
    overturn"""
        },
    ),
    "overturned as if it were annulled": (
        "appeal_under_review",
        E.OVERTURN_PENALTY,
        {"outcome=Outcome.OVERTURNED": "outcome=Outcome.ANNULLED"},
    ),
    "the wrong refund": (
        "opened",
        E.CHOOSE_OPTION,
        {"(partially_refunded, *VOUCHER": "(g.cancel_requested_or_refunded, *VOUCHER"},
    ),
    "a partial refund that cannot be denied": (
        "awaiting_confirmation",
        E.DENY_AGREEMENT,
        {"Option.ALREADY_SHIPPED, Option.PARTIAL_REFUND)": "Option.ALREADY_SHIPPED)"},
    ),
    "a partial refund that settles as a cancellation": (
        "denial_under_review",
        E.RULE_NO_FAULT,
        {"PARTIAL_REFUND: Outcome.SETTLED_BY_PARTIAL_REFUND": (
            "PARTIAL_REFUND: Outcome.SETTLED_BY_CANCELLATION"
        )},
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", PLANTED)
def test_the_walk_finds(bug: str, tmp_path: Path) -> None:
    leaf, event, changes = PLANTED[bug]
    walk(comparison_of_copy(tmp_path, {}), leaf, event, Tally(), 1)
    with pytest.raises(AssertionError, match=r"table: .*, oracle: "):
        walk(comparison_of_copy(tmp_path, changes), leaf, event, Tally(), 1)


# Without a deadline nothing is late.
UNNOTICED = {
    ("appeal_under_review", E.UPHOLD_PENALTY, "not in_time"),
    ("appeal_under_review", E.OVERTURN_PENALTY, "not in_time"),
}


def test_every_difference_between_table_and_oracle_from_the_penalty_on_is_found() -> None:
    made = [one for one in mutants(TABLE) if one[0][0] in PENALTIES]
    missed = {
        where
        for where, table in made
        if not first_difference(
            OracleAlone(SUBJECT, extended.RulesExtended, table), where[0], where[1]
        )
    }
    assert len(made) > 40
    assert missed == UNNOTICED
