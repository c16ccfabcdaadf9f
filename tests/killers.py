"""What may notice a wrong rule, from the cheapest to the dearest: recorded histories, scenario files, the oracle, the properties.

A mutation that none of them notices either decides the same over everything that can be reached,
which is then shown (`same_everywhere`), or it survives: then a case is missing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from dispute_fsm.decider.decide import conclude
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import case_of
from dispute_fsm.domain.commands import ChooseOption, Command
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.errors import DisputeError
from dispute_fsm.history.redecide import recorded_command
from dispute_fsm.machine.guard import Case
from dispute_fsm.machine.transition_table import Fails, Fires, NoEffect, TransitionTable
from dispute_fsm.rules.registry import RuleVersion, standing_in
from dispute_fsm.scenarios.model import Scenario
from dispute_fsm.scenarios.reader import read_scenario
from dispute_fsm.scenarios.runner import Run, order_system, run_scenario
from dispute_fsm.verify.due_process import (
    ends_agree,
    merchant_is_heard,
    one_response,
    penalty_has_a_cause,
    unknown_never_penalizes,
)
from dispute_fsm.verify.liveness import (
    closed_stays_closed,
    deadline_is_inclusive,
    sweeps_do_not_decide,
)
from dispute_fsm.verify.one_answer import one_answer
from dispute_fsm.verify.representatives import representative
from dispute_fsm.verify.state_space import Exploration, ExploredDecision, asked_again, explore
from tests.histories import corpus
from tests.support import CORPUS, ROOT
from tools.mutations import Cell, Mutation

Decided = tuple[Any, ...]
_BROKEN = (DisputeError, LookupError, ValueError, AttributeError)
"""What wrong rules may break with, beside what is raised on purpose: a guard looks for what only another row has."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A command, as it was put to a dispute at some time with some facts, and what came of it."""

    dispute: Dispute
    command: Command
    facts: OrderFacts | None
    at: datetime
    answer: Decided

    @property
    def cell(self) -> Cell:
        return self.dispute.path, self.command.type

    def differs(self) -> bool:
        """Tell whether the rules that stand now decide otherwise."""
        return decided(self.dispute, self.command, self.facts, self.at) != self.answer


def decided(dispute: Dispute, command: Command, facts: OrderFacts | None, at: datetime) -> Decided:
    """Decide, and reduce what comes of it to what counts: no words, no checks."""
    try:
        evaluation, found = conclude(dispute, command, facts, at)
    except _BROKEN as fault:
        return (type(fault).__name__,)
    liability = None if evaluation.transition is None else evaluation.transition.rule.liability
    deadlines = None if found is None else dict(found.deadlines)
    return (
        None if found is None else (found.type, found.target, found.outcome),
        liability,
        deadlines,
        frozenset(one.code for one in evaluation.reasons),
    )


def by_cell(questions: Iterable[Question]) -> Mapping[Cell, list[Question]]:
    """Sort questions by where they are asked."""
    sorted_by: dict[Cell, list[Question]] = defaultdict(list)
    for question in questions:
        sorted_by[question.cell].append(question)
    return sorted_by


# ---- recorded histories --------------------------------------------------------------------------


@cache
def of_histories(rules: str) -> Mapping[Cell, list[Question]]:
    """Give what was asked in the recorded histories of a version."""
    return by_cell(_of_histories(rules))


def _of_histories(rules: str) -> Iterator[Question]:
    for path in corpus.FILES:
        for step in corpus.steps(path):
            if step.before is None or step.event.rules != rules:
                continue
            command, before = recorded_command(step.event), step.before
            yield Question(
                before,
                command,
                step.event.facts,
                step.event.at,
                decided(before, command, step.event.facts, step.event.at),
            )


# ---- scenario files ------------------------------------------------------------------------------

_MORE = [
    path
    for name in ("parallel", "mutants")
    for path in sorted((ROOT / "tests" / "scenarios" / name).glob("*.dispute.yaml"))
]
SCENARIOS = (*CORPUS, *_MORE)


@cache
def of_scenarios(rules: str) -> Mapping[Cell, list[tuple[Question, Path]]]:
    """Give what is asked in the scenario files of a version, each with its file."""
    sorted_by: dict[Cell, list[tuple[Question, Path]]] = defaultdict(list)
    for path in dict.fromkeys(SCENARIOS):
        scenario = read(path)
        if scenario.opening.rules == rules:
            for question in _of_scenario(scenario):
                sorted_by[question.cell].append((question, path))
    return sorted_by


@cache
def read(path: Path) -> Scenario:
    """Read a scenario, once."""
    return read_scenario(path)


def _of_scenario(scenario: Scenario) -> Iterator[Question]:
    run = Run.opened(
        scenario.opening,
        scenario.opened_at,
        order_system(scenario.opening.order_id, scenario.order),
    )
    if not isinstance(run, Run):
        return
    for step in scenario.steps:
        before, events = run.dispute, len(run.events)
        run.step(step)
        for event in run.events[events:]:
            yield Question(
                before,
                recorded_command(event),
                event.facts,
                event.at,
                decided(before, recorded_command(event), event.facts, event.at),
            )
            before = run.dispute if event is run.events[-1] else before
        if (
            isinstance(step.does, Command) and len(run.events) == events
        ):  # unchanged, or refused where refusals are not recorded
            facts = run.orders.look(run.dispute.order_id, step.at) if run.orders.available else None
            yield Question(
                before, step.does, facts, step.at, decided(before, step.does, facts, step.at)
            )


def fails(path: Path) -> bool:
    """Tell whether a scenario comes out otherwise than it says, under the rules that stand now."""
    try:
        return not run_scenario(read(path)).ok
    except _BROKEN:
        return True


# ---- the explored space --------------------------------------------------------------------------


@cache
def explorations(version: RuleVersion) -> tuple[Exploration, ...]:
    """Explore a version under every representative policy, once."""
    return tuple(explore(version, policy, name) for name, policy in representative().items())


@cache
def of_exploration(version: RuleVersion) -> Mapping[Cell, list[Question]]:
    """Give every question of the exploration, under every representative policy."""
    return by_cell(
        Question(
            answer.situation.dispute, answer.command, answer.facts, answer.at, _as_decided(answer)
        )
        for exploration in explorations(version)
        for answer in exploration.answers()
    )


def _as_decided(answer: ExploredDecision) -> Decided:
    return decided(answer.situation.dispute, answer.command, answer.facts, answer.at)


# ---- the properties ------------------------------------------------------------------------------

LOCAL = (
    deadline_is_inclusive,
    one_answer,
    penalty_has_a_cause,
    merchant_is_heard,
    unknown_never_penalizes,
    one_response,
    closed_stays_closed,
    ends_agree,
    sweeps_do_not_decide,
)
"""The properties that show in the place itself, without a look at where its answers lead."""


def broken_property(mutation: Mutation, real: RuleVersion) -> str | None:
    """Name a property that does not hold of the mutation, seen from the places in which something is different."""
    known = explorations(real)
    with standing_in(mutation.version):
        for exploration in known:
            for path in sorted({path for path, _ in mutation.cells}):
                try:
                    again = asked_again(exploration, mutation.version, path)
                    broken = next(
                        (one.id for one in LOCAL if next(one.violations(again), None) is not None),
                        None,
                    )
                except _BROKEN as fault:
                    broken = type(fault).__name__
                if broken is not None:
                    return broken
    return None


def killer(mutation: Mutation, real: RuleVersion) -> str | None:
    """Name what notices a mutation, the cheapest first; `equivalent` where nothing can, None where it survives."""
    histories, scenarios = (
        of_histories(real.id),
        of_scenarios(real.id),
    )  # as the real rules decide them
    with standing_in(mutation.version):
        if any(
            question.differs() for cell in mutation.cells for question in histories.get(cell, ())
        ):
            return "recorded histories"
        touched = {
            path
            for cell in mutation.cells
            for question, path in scenarios.get(cell, ())
            if question.differs()
        }
        if any(fails(path) for path in sorted(touched)):
            return "scenarios"
    if same_everywhere(mutation, real):
        return EQUIVALENT
    return "properties" if broken_property(mutation, real) else None


EQUIVALENT = "equivalent"


def same_everywhere(mutation: Mutation, real: RuleVersion) -> bool:
    """Show that a mutation decides the same in every situation that can be reached; then it is no other rule.

    The table's own answer is compared first, which costs little; where that differs, all that comes
    of it.
    """
    asked, table = prepared(real), mutation.version.table
    doubtful = [
        one
        for cell in mutation.cells
        for one in asked.get(cell, ())
        if weighed(table, one) != one.answer
    ]
    with standing_in(mutation.version):
        return not any(one.question.differs() for one in doubtful)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A question with its case made, and what the real table answers."""

    question: Question
    case: Case
    answer: Decided


@cache
def prepared(version: RuleVersion) -> Mapping[Cell, list[Prepared]]:
    """Give every question of the exploration, ready for the table."""
    made: dict[Cell, list[Prepared]] = {}
    for cell, questions in of_exploration(version).items():
        unanswered = (
            Prepared(one, case_of(one.dispute, one.command, one.facts, one.at), ())
            for one in questions
        )
        made[cell] = [replace(one, answer=weighed(version.table, one)) for one in unanswered]
    return made


def weighed(table: TransitionTable, one: Prepared) -> Decided:
    """Evaluate a case, and reduce the result to what follows from it."""
    case = one.case
    case.results.clear()  # a guard is asked anew: this table's may be another
    try:
        found = table.evaluate(one.question.dispute.path, case)
    except _BROKEN as fault:
        return (type(fault).__name__,)
    if not isinstance(found, Fires):
        failed = found.failed if isinstance(found, Fails) else ()
        return (isinstance(found, NoEffect), frozenset(result.code for _, result in failed))
    row, rule = found.transition, found.transition.rule
    option = case.command.option if isinstance(case.command, ChooseOption) else case.option
    return (row.target, row.records, row.outcome(option), rule.liability, rule.starts, rule.ends)
