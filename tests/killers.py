"""What may notice wrong rules: recorded histories, scenario files and the properties.

A mutation that none of them notices decides the same in every reachable situation, which is then
shown (`same_everywhere`), or it survives: then a test case is missing.
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
from dispute_fsm.domain.enums import Option
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.errors import DisputeError
from dispute_fsm.history.redecide import recorded_command
from dispute_fsm.machine.transition_table import Fails, Fires, NoEffect, TransitionTable
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.registry import VERSIONS, RuleVersion, standing_in
from dispute_fsm.scenarios.model import Scenario
from dispute_fsm.scenarios.reader import read_scenario
from dispute_fsm.scenarios.runner import Run, order_system, run_scenario
from dispute_fsm.verify.liveness import sweeps_do_not_decide
from dispute_fsm.verify.properties import (
    closed_stays_closed,
    deadline_is_inclusive,
    ends_agree,
    merchant_is_heard,
    one_answer,
    one_response,
    penalty_has_a_cause,
    unknown_never_penalizes,
)
from dispute_fsm.verify.representatives import representative_policies
from dispute_fsm.verify.state_space import Exploration, decide_again, explore
from tests.histories import corpus
from tests.oracle_words import BASE
from tests.support import CORPUS, ROOT
from tools.mutations import Cell, Mutation

Result = tuple[Any, ...]
_BROKEN = (DisputeError, LookupError, ValueError, AttributeError)
"""What wrong rules may raise: a guard may read what only another transition has."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownDecision:
    """A command to a dispute at an instant with some facts, and the result of its decision."""

    dispute: Dispute
    command: Command
    facts: OrderFacts | None
    at: datetime
    result: Result

    @property
    def cell(self) -> Cell:
        return self.dispute.path, self.command.type

    def differs(self) -> bool:
        """Check whether the current rules decide otherwise."""
        return result_of(self.dispute, self.command, self.facts, self.at) != self.result


def result_of(dispute: Dispute, command: Command, facts: OrderFacts | None, at: datetime) -> Result:
    """Decide, and reduce the decision to its effects, without texts and checks."""
    try:
        evaluation, conclusion = conclude(dispute, command, facts, at)
    except _BROKEN as error:
        return (type(error).__name__,)
    liability = None if evaluation.transition is None else evaluation.transition.rule.liability
    deadlines = None if conclusion is None else dict(conclusion.deadlines)
    return (
        None if conclusion is None else (conclusion.type, conclusion.target, conclusion.outcome),
        liability,
        deadlines,
        frozenset(reason.code for reason in evaluation.reasons),
    )


def _known(
    dispute: Dispute, command: Command, facts: OrderFacts | None, at: datetime
) -> KnownDecision:
    return KnownDecision(dispute, command, facts, at, result_of(dispute, command, facts, at))


def by_cell(decisions: Iterable[KnownDecision]) -> Mapping[Cell, list[KnownDecision]]:
    """Group decisions by their cell of the table."""
    grouped: dict[Cell, list[KnownDecision]] = defaultdict(list)
    for decision in decisions:
        grouped[decision.cell].append(decision)
    return grouped


# ---- recorded histories --------------------------------------------------------------------------


@cache
def of_histories(rules: str) -> Mapping[Cell, list[KnownDecision]]:
    """Return the decisions in the recorded histories of a version."""
    return by_cell(_of_histories(rules))


def _of_histories(rules: str) -> Iterator[KnownDecision]:
    for path in corpus.FILES:
        for step in corpus.steps(path):
            if step.before is None or step.event.rules != rules:
                continue
            yield _known(step.before, recorded_command(step.event), step.event.facts, step.event.at)


# ---- scenario files ------------------------------------------------------------------------------

_MORE = [
    path
    for name in ("parallel", "mutants")
    for path in sorted((ROOT / "tests" / "scenarios" / name).glob("*.dispute.yaml"))
]
SCENARIOS = (*CORPUS, *_MORE)


@cache
def scenarios_of(rules: str) -> Mapping[Path, Scenario]:
    """Return the scenarios of a version by their files, and those of its base under its rules.

    Left out are those that choose an option which only the newer version offers.
    """
    read = {path: read_scenario(path) for path in dict.fromkeys(SCENARIOS)}
    base = VERSIONS.get(BASE.get(rules, ""))
    return {
        path: under(rules, scenario)
        for path, scenario in read.items()
        if scenario.opening.rules == rules
        or (
            base is not None
            and scenario.opening.rules == base.id
            and options_in(scenario) <= {*base.options}
        )
    }


def options_in(scenario: Scenario) -> set[Option]:
    """Return the options that are asked for in a scenario."""
    actions = (step.action for step in scenario.steps)
    return {action.option for action in actions if isinstance(action, ChooseOption)}


def under(rules: str, scenario: Scenario) -> Scenario:
    """Return the scenario with an opening under this rule version."""
    opening = scenario.opening
    if opening.rules == rules:
        return scenario
    policy = VERSIONS[rules].policy(opening.policy)
    changes = {"rules": rules, "rollout": None, "policy": policy}
    return replace(scenario, opening=opening.model_copy(update=changes))


@cache
def of_scenarios(rules: str) -> Mapping[Cell, list[tuple[KnownDecision, Path]]]:
    """Return the decisions in the scenario files of a version, each with its file."""
    grouped: dict[Cell, list[tuple[KnownDecision, Path]]] = defaultdict(list)
    for path, scenario in scenarios_of(rules).items():
        for decision in _of_scenario(scenario):
            grouped[decision.cell].append((decision, path))
    return grouped


def _of_scenario(scenario: Scenario) -> Iterator[KnownDecision]:
    run = Run.open(
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
            yield _known(before, recorded_command(event), event.facts, event.at)
            before = run.dispute if event is run.events[-1] else before
        # Unchanged, or refused where refusals are not recorded.
        if isinstance(step.action, Command) and len(run.events) == events:
            facts = run.orders.look(run.dispute.order_id, step.at) if run.orders.available else None
            yield _known(before, step.action, facts, step.at)


def fails(scenario: Scenario) -> bool:
    """Check whether a scenario fails under the current rules."""
    try:
        return not run_scenario(scenario).ok
    except _BROKEN:
        return True


# ---- the explored space --------------------------------------------------------------------------


@cache
def explorations(version: RuleVersion) -> tuple[Exploration, ...]:
    """Explore a version under every representative policy, once."""
    return tuple(explore(version, policy) for policy in representative_policies(version).values())


@cache
def of_exploration(version: RuleVersion) -> Mapping[Cell, list[KnownDecision]]:
    """Return every decision of the exploration, under every representative policy."""
    return by_cell(
        _known(decision.situation.dispute, decision.command, decision.facts, decision.at)
        for exploration in explorations(version)
        for decision in exploration.decisions()
    )


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
"""The properties that can be checked in one configuration, without successors."""


def broken_property(mutation: Mutation, real: RuleVersion) -> str | None:
    """Return a property that the mutation violates in a configuration that it changes."""
    known = explorations(real)
    with standing_in(mutation.version):
        for exploration in known:
            for path in sorted({path for path, _ in mutation.cells}):
                try:
                    again = decide_again(exploration, mutation.version, path)
                    broken = next(
                        (
                            checked.id
                            for checked in LOCAL
                            if next(checked.violations(again), None) is not None
                        ),
                        None,
                    )
                except _BROKEN as error:
                    broken = type(error).__name__
                if broken is not None:
                    return broken
    return None


def killer(mutation: Mutation, real: RuleVersion) -> str | None:
    """Return what notices a mutation, the cheapest first.

    `equivalent` where nothing can, None where the mutation survives.
    """
    # As the real rules decide them.
    histories, scenarios = of_histories(real.id), of_scenarios(real.id)
    with standing_in(mutation.version):
        if any(
            decision.differs() for cell in mutation.cells for decision in histories.get(cell, ())
        ):
            return "recorded histories"
        touched = {
            path
            for cell in mutation.cells
            for decision, path in scenarios.get(cell, ())
            if decision.differs()
        }
        if any(fails(scenarios_of(real.id)[path]) for path in sorted(touched)):
            return "scenarios"
    if same_everywhere(mutation, real):
        return EQUIVALENT
    return "properties" if broken_property(mutation, real) else None


EQUIVALENT = "equivalent"


def same_everywhere(mutation: Mutation, real: RuleVersion) -> bool:
    """Check that a mutation decides the same in every reachable situation, so that it is no change.

    The evaluations of the table are compared first, which is cheap; where they differ, the whole
    decisions.
    """
    known, table = prepared(real), mutation.version.table
    doubtful = [
        case.decision
        for cell in mutation.cells
        for case in known.get(cell, ())
        if evaluated(table, case) != case.result
    ]
    with standing_in(mutation.version):
        return not any(decision.differs() for decision in doubtful)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCase:
    """A decision with its case, and the evaluation of the real table."""

    decision: KnownDecision
    case: Case
    result: Result


@cache
def prepared(version: RuleVersion) -> Mapping[Cell, list[PreparedCase]]:
    """Return every decision of the exploration, ready for the table."""
    cases: dict[Cell, list[PreparedCase]] = {}
    for cell, decisions in of_exploration(version).items():
        unevaluated = (
            PreparedCase(known, case_of(known.dispute, known.command, known.facts, known.at), ())
            for known in decisions
        )
        cases[cell] = [replace(case, result=evaluated(version.table, case)) for case in unevaluated]
    return cases


def evaluated(table: TransitionTable, prepared_case: PreparedCase) -> Result:
    """Evaluate a case, and reduce the evaluation to its effects."""
    case = prepared_case.case
    case.results.clear()  # guards are evaluated again: those of this table may differ
    try:
        found = table.evaluate(prepared_case.decision.dispute.path, case.command.type, case)
    except _BROKEN as error:
        return (type(error).__name__,)
    if not isinstance(found, Fires):
        failed = found.failed if isinstance(found, Fails) else ()
        return (isinstance(found, NoEffect), frozenset(result.code for _, result in failed))
    transition, rule = found.transition, found.transition.rule
    option = case.command.option if isinstance(case.command, ChooseOption) else case.memory.option
    outcome = transition.outcome(option, prepared_case.decision.dispute.outcome)
    effects = (transition.target, transition.records, outcome)
    return (*effects, rule.liability, rule.starts, rule.ends)
