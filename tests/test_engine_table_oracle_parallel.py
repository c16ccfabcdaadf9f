"""Engine = table = oracle for `parallel`: every configuration that a dispute can be in, every event, answer and guard outcome.

The walk is that of 2023-03; what it does and why stands in `test_engine_table_oracle`. A place is
here the leaves of both regions; what has failed so far is a question like any other, and which
answers it can have depends on the place.
"""

import itertools
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from dispute_fsm.domain.enums import LIABILITIES, CommandType, Deadline, Option
from dispute_fsm.machine.compiler import compile_chart
from dispute_fsm.machine.transition_table import Transition, TransitionTable
from dispute_fsm.rules import v2023_parallel as parallel
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.rules.version import VOCABULARY
from tests import oracle_parallel as oracle
from tests.oracle_2023_03 import Fires, Refuses, Unchanged
from tests.oracle_parallel import Seen
from tests.sampling import few
from tests.support import COMMANDS as EVENTS
from tests.walk import (
    NEEDS,
    Judges,
    OracleAlone,
    Situation,
    Subject,
    Tally,
    complaint,
    explored,
    mutants,
    planted,
    required,
    walk,
    walked,
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
"""The leaves whose deadline may have passed; in the others nothing runs, so every event of the region is in time."""


class SubjectParallel(Subject):
    """The version, as its oracle tells it. It does not know the policy `denial`, which is ignored here."""

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
    # That any number of them come back together is shown for 2023-03, by the same code; here three
    # times as many places are walked.
    most_failing = 2

    def answers(self, name: str, place: str) -> list[str]:
        if name != "failed":
            return super().answers(name, place)
        return next(
            (list(oracle.FAILS[leaf]) for leaf in place.split(",") if leaf in oracle.FAILS),
            ["none"],
        )

    def options_in(self, place: str) -> frozenset[Option | None]:
        return options_in(place)

    def on_time(self, situation: Situation) -> bool:
        leaves, timing = situation.place.split(","), situation.timing
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
        return oracle.expected(situation.place, situation.event.value, seen(situation))

    def required(self, situation: Situation) -> frozenset[str]:
        return oracle.requirements(situation.place, situation.event.value, seen(situation))


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
    return explored(SUBJECT, START)


@cache
def options_in(place: str) -> frozenset[Option | None]:
    return frozenset(option for there, option in reached() if there == place)


def judges_of(table: TransitionTable) -> Judges:
    return Judges(SUBJECT, parallel.RulesParallel, table)


@cache
def the_judges() -> Judges:
    return judges_of(TABLE)


# ---- the walk ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", few(oracle.PLACES, 5))
def test_engine_table_and_oracle_agree_in(
    place: str, whole: bool, count: Callable[[str, int], None]
) -> None:
    tally = walked(the_judges(), place, whole=whole)
    assert tally.cases >= 30
    for what, number in tally.counted("parallel"):
        count(what, number)


def test_every_requirement_is_one_of_some_row() -> None:
    assert required(TABLE) == set(NEEDS)


# ---- what the walk rests on ----------------------------------------------------------------------


def test_a_dispute_gets_to_every_place_of_the_oracle_and_to_no_other() -> None:
    assert {place for place, _ in reached()} == set(oracle.PLACES) == set(the_judges().paths)
    assert the_judges().paths[START] == TABLE.initial
    assert not any(option == "prove_no_fault" for _, option in reached())


def test_the_liabilities_stand_in_the_order_of_the_rules() -> None:
    assert tuple(LIABILITIES) == oracle.HEAVIEST_FIRST
    assert set(parallel.OF_SETTLEMENT) == set(oracle.FAILS["settlement_failed"])
    assert set(parallel.OF_EVIDENCE) == set(oracle.FAILS["evidence_failed"])


def test_each_region_that_runs_acts_on_its_own_deadline() -> None:
    for place, path in the_judges().paths.items():
        runs = [leaf for leaf in place.split(",") if "," in place and not leaf.endswith("_failed")]
        assert TABLE.configurations[path].running == tuple(
            (RUNNING[leaf],) if leaf in RUNNING else () for leaf in runs
        )


def test_no_order_of_failures_matters() -> None:
    """Whichever region fails first, the dispute ends with the same liability."""
    ends = dict[frozenset[str], set[str | None]]()
    for place, event in itertools.product(oracle.PLACES, EVENTS):
        for failed in SUBJECT.answers("failed", place):
            for row in TABLE.transitions.get((the_judges().paths[place], event), ()):
                asks = {selector.dimension.name: selector.accepts for selector in row.when}
                if row.target != "penalized" or failed not in asks["failed"]:
                    continue
                alone = next(
                    one
                    for one in TABLE.transitions[the_judges().paths[_before(place)], event]
                    if _same_but_for_failed(one, row)
                )
                ends.setdefault(frozenset({failed, str(alone.rule.liability)}), set()).add(
                    row.outcome(None)
                )
    assert len(ends) == len(parallel.OF_SETTLEMENT) * len(parallel.OF_EVIDENCE)
    assert all(
        found == {min(pair, key=oracle.HEAVIEST_FIRST.index)} for pair, found in ends.items()
    )


def _before(place: str) -> str:
    """Name a place in which the other region has not failed."""
    return place.replace("settlement_failed", "proposing").replace(
        "evidence_failed", "awaiting_evidence"
    )


def _same_but_for_failed(one: Transition, other: Transition) -> bool:
    def selected(row: Transition) -> list[str]:
        return [selector.name for selector in row.rule.when if selector.dimension.name != "failed"]

    return selected(one) == selected(other) and one.rule.liability is not None


# ---- the walk has teeth --------------------------------------------------------------------------


def a_copy(folder: Path, changes: Mapping[str, str]) -> Judges:
    module = planted(parallel, folder, changes)
    return Judges(
        SUBJECT, module.RulesParallel, compile_chart(module.RulesParallel, module.ENTRY, VOCABULARY)
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
    "a region that should have ended well": (
        "awaiting_confirmation,under_review",
        CommandType.CONFIRMATION_EXPIRED,
        {"when=[consents, settles]": "when=[denies, settles]", ("selected=[denies, "
            "out_of_stock]"): "selected=[consents, out_of_stock]",
         "selected=[denies, claims]": "selected=[consents, claims]"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED)
def test_the_walk_finds(fault: str, tmp_path: Path) -> None:
    place, event, changes = PLANTED[fault]
    walk(a_copy(tmp_path, {}), place, event, Tally())
    with pytest.raises(AssertionError, match=r"table: .*, oracle: "):
        walk(a_copy(tmp_path, changes), place, event, Tally())


def test_two_copies_of_a_chart_are_two_files_so_that_no_bytecode_of_the_one_stands_in_for_the_other(
    tmp_path: Path,
) -> None:
    """Where both were written in one second and are equally long, Python would not tell them apart."""
    (_, _, changes) = PLANTED["the lighter liability"]
    assert planted(parallel, tmp_path, {}).__file__ != planted(parallel, tmp_path, changes).__file__


def test_every_wrong_end_of_a_region_or_of_the_dispute_is_found() -> None:
    """Of the mutants, those of rows that ask what has failed: gone, another target, record or outcome."""
    ends = {
        (path, event)
        for (path, event), rows in TABLE.transitions.items()
        if any(_asks_what_failed(row) for row in rows)
    }
    missed, made = [], 0
    for (place, event, what), table in mutants(TABLE):
        if (the_judges().paths[place], event) in ends and what.endswith(
            ("gone", "target", "records", "outcome")
        ):
            made += 1
            if not complaint(OracleAlone(SUBJECT, parallel.RulesParallel, table), place, event):
                missed.append((place, event, what))
    assert made > 200
    assert missed == []


def _asks_what_failed(row: Transition) -> bool:
    return any(selector.dimension.name == "failed" for selector in row.rule.when)
