"""Checks a rule version: every property on the state space under every representative policy."""

from collections import Counter
from dataclasses import dataclass

from dispute_fsm.domain.commands import ExtendDeadline
from dispute_fsm.rules.guards.selectors import NAMED
from dispute_fsm.rules.registry import RuleVersion
from dispute_fsm.verify.liveness import (
    hints_help,
    let_expire,
    never_means_never,
    silence_closes,
    sweeps_do_not_decide,
)
from dispute_fsm.verify.properties import (
    Violation,
    closed_stays_closed,
    deadline_is_inclusive,
    ends_agree,
    merchant_is_heard,
    one_answer,
    one_response,
    penalty_has_a_cause,
    refusal_explains,
    repetition_is_harmless,
    unknown_never_penalizes,
)
from dispute_fsm.verify.representatives import representative_policies
from dispute_fsm.verify.state_space import Exploration, explore

PROPERTIES = (
    one_answer,
    silence_closes,
    closed_stays_closed,
    one_response,
    penalty_has_a_cause,
    merchant_is_heard,
    refusal_explains,
    hints_help,
    never_means_never,
    repetition_is_harmless,
    unknown_never_penalizes,
    deadline_is_inclusive,
    sweeps_do_not_decide,
    ends_agree,
)
"""All properties, in the order of the report."""


@dataclass(slots=True)
class Counts:
    """The size of the state space: policies, states, situations, and commands by their results."""

    policies: int = 0
    states: int = 0
    situations: int = 0
    questions: int = 0
    accepted: int = 0
    refused: int = 0
    unchanged: int = 0
    unknown: int = 0
    waiting_for_platform: int = 0
    deadline_switched_off: int = 0

    def add(self, exploration: Exploration) -> None:
        """Add the counts of one exploration."""
        situations = exploration.situations.values()
        self.policies += 1
        self.states = max(self.states, len({situation.dispute.path for situation in situations}))
        self.situations += len(situations)
        for decision in exploration.decisions():
            self.questions += 1
            self.accepted += decision.after is not None
            self.refused += bool(decision.codes)
            self.unknown += decision.evaluation is None
            self.unchanged += not (decision.evaluation is None or decision.after or decision.codes)
        ends = Counter(let_expire(situation)[1] for situation in situations)
        self.waiting_for_platform += ends["platform"]
        self.deadline_switched_off += ends["switched_off"]


@dataclass(frozen=True, slots=True)
class Verification:
    """The result for one rule version: counts, and a shortest violation of each failed property."""

    version: RuleVersion
    counts: Counts
    violations: dict[str, Violation]

    @property
    def ok(self) -> bool:
        """Whether every property is satisfied."""
        return not self.violations


def verify(version: RuleVersion) -> Verification:
    """Explore a rule version and check every property."""
    counts, shortest = Counts(), dict[str, Violation]()
    for policy in representative_policies(version).values():
        exploration = explore(version, policy)
        counts.add(exploration)
        for checked in PROPERTIES:
            violations = list(checked.violations(exploration))
            if checked.id in shortest:
                violations.append(shortest[checked.id])
            if violations:
                shortest[checked.id] = min(violations, key=_length)
    return Verification(version, counts, shortest)


def _length(violation: Violation) -> tuple[bool, int]:
    """Order violations by their length; last those that a scenario file cannot express.

    Those extend a deadline without naming it where the rules require its name.
    """
    is_unnamed = any(
        isinstance(step.command, ExtendDeadline) and step.command.deadline is None
        for step in violation.path
    )
    requires_name = violation.exploration.version.table.asks(NAMED)
    return requires_name and is_unnamed, len(violation.path)
