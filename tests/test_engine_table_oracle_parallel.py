"""Engine = table = oracle for `parallel`: every configuration, event, answer and guard result.

The walk is that of 2023-03; `test_engine_table_oracle` explains what it does and why. Here a
configuration is the leaves of both regions. The failure so far is a question like any other, and
the configuration determines its possible answers.
"""

import itertools
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from dispute_fsm.domain.enums import CommandType, Deadline, Option
from dispute_fsm.machine.compiler import compile_chart
from dispute_fsm.machine.transition_table import Transition, TransitionTable
from dispute_fsm.rules import v2023_parallel as parallel
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.rules.version import VOCABULARY
from tests import oracle_parallel as oracle
from tests.oracle_2023_03 import Fires, Refuses, Unchanged
from tests.oracle_parallel import Seen
from tests.sampling import few
from tests.support import liabilities_of
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
    walk,
    walk_all,
)

pytestmark = pytest.mark.no_cover  # as in `test_engine_table_oracle`

TABLE = rule_version("parallel").table
START = "proposing,awaiting_evidence"
RUNNING = {
    "proposing": Deadline.RESPONSE,
    "awaiting_confirmation": Deadline.CONFIRMATION,
    "awaiting_shipment": Deadline.PROMISE,
    "awaiting_evidence": Deadline.EVIDENCE,
}
"""The leaves with a deadline; in the others every event of the region is in time."""


class SubjectParallel(Subject):
    """The version as its oracle defines it, without the policy `denial`, which is ignored."""

    rules = "parallel"
    dimensions = (
        "option",
        "confirmation",
        "denial",
        "silence",
        "evidence",
        "fulfilment",
        "named",
        "failed",
    )
    # The walk of 2023-03 tests any number of failures with the same code; here are three times as
    # many configurations.
    most_failing = 2

    def answers(self, name: str, configuration: str) -> list[str]:
        if name == "option":  # the oracle defines that it is not offered
            return [*super().answers(name, configuration), Option.PROVE_NO_FAULT.value]
        if name != "failed":
            return super().answers(name, configuration)
        return next(
            (list(oracle.FAILS[leaf]) for leaf in configuration.split(",") if leaf in oracle.FAILS),
            ["none"],
        )

    def options_in(self, configuration: str) -> frozenset[Option | None]:
        return options_in(configuration)

    def on_time(self, situation: Situation) -> bool:
        leaves, timing = situation.configuration.split(","), situation.timing
        runs = [leaf for leaf in leaves if not leaf.endswith("_failed")]
        return (
            (
                timing["settlement_in_time"]
                or leaves[0] in {"proposing", "awaiting_confirmation", "awaiting_shipment"}
            )
            and (timing["evidence_in_time"] or leaves[-1] == "awaiting_evidence")
            and (timing["in_time"] or set(runs) <= set(RUNNING))
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
        silence=answers["silence"],
        evidence=answers["evidence"],
        fulfilment=answers["fulfilment"],
        extends=None if answers["named"] == "none" else answers["named"],
        failed=None if answers["failed"] == "none" else answers["failed"],
        actor_fits=situation.fits,
        settlement_in_time=timing["settlement_in_time"],
        evidence_in_time=timing["evidence_in_time"],
        either_in_time=timing["in_time"],
        window_open=timing["window_open"],
        expired=event.expires is not None and timing[f"{event.expires.value}_has_passed"],
        unmet=frozenset(code.value for code in situation.failing.values()),
    )


SUBJECT = SubjectParallel()


@cache
def reached() -> frozenset[tuple[str, Option | None]]:
    return reachable_configurations(SUBJECT, START)


@cache
def options_in(configuration: str) -> frozenset[Option | None]:
    return frozenset(option for reached_one, option in reached() if reached_one == configuration)


def comparison_of(table: TransitionTable) -> Comparison:
    return Comparison(SUBJECT, parallel.RulesParallel, table)


@cache
def the_comparison() -> Comparison:
    return comparison_of(TABLE)


# ---- the walk ------------------------------------------------------------------------------------


@pytest.mark.parametrize("configuration", few(oracle.CONFIGURATIONS, 3))
def test_engine_table_and_oracle_agree_in(
    configuration: str, whole: bool, count: Callable[[str, int], None]
) -> None:
    tally = walk_all(the_comparison(), configuration, whole=whole)
    assert tally.cases >= 30
    for what, number in tally.counted("parallel"):
        count(what, number)


# ---- assumptions of the walk ---------------------------------------------------------------------


def test_a_dispute_reaches_exactly_the_configurations_of_the_oracle() -> None:
    assert (
        {configuration for configuration, _ in reached()}
        == set(oracle.CONFIGURATIONS)
        == set(the_comparison().paths)
    )
    assert the_comparison().paths[START] == TABLE.initial
    assert not any(option == "prove_no_fault" for _, option in reached())


def test_the_liabilities_are_in_the_order_of_the_rules() -> None:
    assert liabilities_of("parallel") == oracle.HEAVIEST_FIRST
    assert set(parallel.OF_SETTLEMENT) == set(oracle.FAILS["settlement_failed"])
    assert set(parallel.OF_EVIDENCE) == set(oracle.FAILS["evidence_failed"])


def test_each_region_that_runs_acts_on_its_own_deadline() -> None:
    for configuration, path in the_comparison().paths.items():
        runs = [
            leaf
            for leaf in configuration.split(",")
            if "," in configuration and not leaf.endswith("_failed")
        ]
        assert TABLE.configurations[path].running == tuple(
            (RUNNING[leaf],) if leaf in RUNNING else () for leaf in runs
        )


def test_the_order_of_failures_does_not_matter() -> None:
    """Whichever region fails first, the dispute ends with the same liability."""
    ends = dict[frozenset[str], set[str | None]]()
    for configuration, event in itertools.product(oracle.CONFIGURATIONS, SUBJECT.events):
        for failed in SUBJECT.answers("failed", configuration):
            for transition in TABLE.transitions.get(
                (the_comparison().paths[configuration], event), ()
            ):
                asks = {selector.dimension.name: selector.accepts for selector in transition.when}
                if transition.target != "penalized" or failed not in asks["failed"]:
                    continue
                alone = next(
                    one
                    for one in TABLE.transitions[
                        the_comparison().paths[_before(configuration)], event
                    ]
                    if _same_but_for_failed(one, transition)
                )
                ends.setdefault(frozenset({failed, str(alone.rule.liability)}), set()).add(
                    transition.outcome(None)
                )
    assert len(ends) == len(parallel.OF_SETTLEMENT) * len(parallel.OF_EVIDENCE)
    assert all(
        outcomes == {min(pair, key=oracle.HEAVIEST_FIRST.index)} for pair, outcomes in ends.items()
    )


def _before(configuration: str) -> str:
    """Return a configuration in which the other region has not failed."""
    return configuration.replace("settlement_failed", "proposing").replace(
        "evidence_failed", "awaiting_evidence"
    )


def _same_but_for_failed(one: Transition, other: Transition) -> bool:
    def selected(transition: Transition) -> list[str]:
        return [
            selector.name
            for selector in transition.rule.when
            if selector.dimension.name != "failed"
        ]

    return selected(one) == selected(other) and one.rule.liability is not None


# ---- planted bugs --------------------------------------------------------------------------------


def comparison_of_copy(folder: Path, changes: Mapping[str, str]) -> Comparison:
    module = copy_with(parallel, folder, changes)
    return Comparison(
        SUBJECT,
        module.RulesParallel,
        compile_chart(module.RulesParallel, module.ENTRY, VOCABULARY),
    )


PLANTED: dict[str, tuple[str, CommandType, dict[str, str]]] = {
    "the lighter liability": (
        "settlement_failed,under_review",
        CommandType.RULE_AT_FAULT,
        {"if min(liability": "if max(liability"},
    ),
    "the deadline of the other region": (
        START,
        CommandType.SUBMIT_EVIDENCE,
        {"submit_evidence = proving(": "submit_evidence = settling("},
    ),
    "a wrong liability": (
        "awaiting_shipment,evidence_failed",
        CommandType.PROMISE_EXPIRED,
        {"liability=Outcome.PROMISE_MISSED": "liability=Outcome.NO_RESPONSE"},
    ),
    "a region that should have resolved": (
        "awaiting_confirmation,under_review",
        CommandType.CONFIRMATION_EXPIRED,
        {"when=[consents, settles]": "when=[denies, settles]", ("selected=[denies, "
            "out_of_stock]"): "selected=[consents, out_of_stock]",
         "selected=[denies, claims]": "selected=[consents, claims]"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", PLANTED)
def test_the_walk_finds(bug: str, tmp_path: Path) -> None:
    configuration, event, changes = PLANTED[bug]
    walk(comparison_of_copy(tmp_path, {}), configuration, event, Tally())
    with pytest.raises(AssertionError, match=r"table: .*, oracle: "):
        walk(comparison_of_copy(tmp_path, changes), configuration, event, Tally())


def test_two_copies_of_a_chart_are_two_files_with_separate_bytecode(
    tmp_path: Path,
) -> None:
    """Python cannot distinguish two files of the same name, size and second."""
    (_, _, changes) = PLANTED["the lighter liability"]
    assert (
        copy_with(parallel, tmp_path, {}).__file__
        != copy_with(parallel, tmp_path, changes).__file__
    )


def test_every_wrong_end_of_a_region_or_of_the_dispute_is_found() -> None:
    """Test the mutants of transitions that depend on the failure of a region."""
    ends = {
        (path, event)
        for (path, event), transitions in TABLE.transitions.items()
        if any(_depends_on_failure(transition) for transition in transitions)
    }
    missed, made = [], 0
    for (configuration, event, what), table in mutants(TABLE):
        if (the_comparison().paths[configuration], event) in ends and what.endswith(
            ("gone", "target", "records", "outcome")
        ):
            made += 1
            if not first_difference(
                OracleAlone(SUBJECT, parallel.RulesParallel, table), configuration, event
            ):
                missed.append((configuration, event, what))
    assert made > 200
    assert missed == []


def _depends_on_failure(transition: Transition) -> bool:
    return any(selector.dimension.name == "failed" for selector in transition.rule.when)
