"""Verifying a rule version: explored under every representative policy, each property decided over all that was found."""

from collections.abc import Iterable
from dataclasses import dataclass

from dispute_fsm.domain.commands import ExtendDeadline
from dispute_fsm.rules.guards.selectors import NAMED
from dispute_fsm.rules.registry import RuleVersion
from dispute_fsm.verify.liveness import waiting
from dispute_fsm.verify.properties import PROPERTIES
from dispute_fsm.verify.property import Property, Violation
from dispute_fsm.verify.representatives import representative
from dispute_fsm.verify.state_space import Exploration, explore


@dataclass(slots=True)
class Counts:
    """How much was looked at: what can be, what was asked, and what came of it."""

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
        """Count what one exploration found."""
        self.policies += 1
        self.states = max(
            self.states,
            len({situation.dispute.path for situation in exploration.situations.values()}),
        )
        self.situations += len(exploration.situations)
        for answer in exploration.answers():
            self.questions += 1
            self.accepted += answer.accepted
            self.unknown += answer.unknown
            self.refused += bool(answer.codes)
            self.unchanged += not (answer.accepted or answer.unknown or answer.codes)
        for_platform, off = waiting(exploration)
        self.waiting_for_platform += for_platform
        self.deadline_switched_off += off


@dataclass(frozen=True, slots=True)
class PropertyResult:
    """What became of a property: it holds, or there is a shortest counter-example."""

    of: Property
    violation: Violation | None

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return self.violation is None


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of verifying one rule version."""

    version: RuleVersion
    counts: Counts
    verdicts: tuple[PropertyResult, ...]

    @property
    def ok(self) -> bool:
        """Whether every property holds."""
        return all(verdict.holds for verdict in self.verdicts)


def verify(version: RuleVersion, properties: Iterable[Property] = PROPERTIES) -> Verification:
    """Explore a rule version and decide every property; each that fails comes with the shortest counter-example found."""
    properties, counts = tuple(properties), Counts()
    nearest = dict[str, Violation]()
    for name, policy in representative().items():
        exploration = explore(version, policy, name)
        counts.add(exploration)
        for one in properties:
            found = [
                *one.violations(exploration),
                *([nearest[one.id]] if one.id in nearest else []),
            ]
            if found:
                nearest[one.id] = min(found, key=_how_far)
    return Verification(
        version, counts, tuple(PropertyResult(one, nearest.get(one.id)) for one in properties)
    )


def _how_far(violation: Violation) -> tuple[bool, int]:
    """Order violations: the shortest first, behind them those that no scenario file can say (an extension that names nothing)."""
    names = violation.exploration.version.table.asks(NAMED)
    commands = (move.command for move in violation.moves)
    unnamed = any(
        isinstance(command, ExtendDeadline) and command.deadline is None for command in commands
    )
    return names and unnamed, len(violation.moves)
