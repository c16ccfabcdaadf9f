"""Checks a rule version: every property on the state space under every representative policy."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from typing import NamedTuple, Self

from dispute_fsm.domain.commands import ExtendDeadline
from dispute_fsm.domain.messages import Message
from dispute_fsm.domain.policy import Policy
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
from dispute_fsm.verify.state_space import Exploration, PathStep, explore
from dispute_fsm.workers import Advance, in_order, nobody

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

    @classmethod
    def of(cls, exploration: Exploration) -> Self:
        """Count one exploration."""
        situations = exploration.situations.values()
        decisions = list(exploration.decisions())
        ends = Counter(let_expire(situation)[1] for situation in situations)
        return cls(
            policies=1,
            states=len({situation.dispute.path for situation in situations}),
            situations=len(situations),
            questions=len(decisions),
            accepted=sum(each.after is not None for each in decisions),
            refused=sum(bool(each.codes) for each in decisions),
            unchanged=sum(
                not (each.evaluation is None or each.after or each.codes) for each in decisions
            ),
            unknown=sum(each.evaluation is None for each in decisions),
            waiting_for_platform=ends["platform"],
            deadline_switched_off=ends["switched_off"],
        )

    def add(self, other: "Counts") -> None:
        """Add the counts of other policies of the same version, which has the same states."""
        states = max(self.states, other.states)
        for field in fields(self):
            total = getattr(self, field.name) + getattr(other, field.name)
            setattr(self, field.name, total)
        self.states = states


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
    with verifications([version], jobs=1) as results:
        return next(results)


def steps(versions: Iterable[RuleVersion]) -> int:
    """Return in how many steps rule versions are verified: configurations and properties."""
    return sum(len(representative_policies(each)) * _steps(each) for each in versions)


@contextmanager
def verifications(
    versions: Sequence[RuleVersion], jobs: int, advance: Advance = nobody
) -> Generator[Iterator[Verification]]:
    """Verify rule versions in at most this many processes; the results are as from one.

    `advance` is told how many of the `steps` are done.
    """
    policies = [tuple(representative_policies(version).values()) for version in versions]
    tasks = [_Task(number, policy) for number, each in enumerate(policies) for policy in each]
    check = partial(_check, tuple(versions))
    with in_order(check, tasks, jobs, advance) as checked:
        yield (
            _verification(version, zip(each, checked, strict=False))
            for version, each in zip(versions, policies, strict=True)
        )


def _verification(
    version: RuleVersion, checked: Iterable[tuple[Policy, "_Checked"]]
) -> Verification:
    """Put together what was found under each policy; of violations of a length the last counts."""
    counts, shortest = Counts(), dict[str, Violation]()
    for policy, (counted, found) in checked:
        counts.add(counted)
        for name, (path, wrong) in found.items():
            violation = Violation(Exploration(version, policy, {}), path, wrong)
            if name not in shortest or _length(violation) <= _length(shortest[name]):
                shortest[name] = violation
    return Verification(version, counts, shortest)


class _Task(NamedTuple):
    """The number of a version, and one of its policies."""

    version: int
    policy: Policy


class _Checked(NamedTuple):
    """Counts, and the shortest violation of each failed property: its path, and what is wrong."""

    counts: Counts
    violations: dict[str, tuple[tuple[PathStep, ...], Message]]


def _steps(version: RuleVersion) -> int:
    return len(version.table.configurations) + len(PROPERTIES)


def _check(versions: Sequence[RuleVersion], task: _Task, advance: Advance) -> _Checked:
    version, explored = versions[task.version], list[str]()

    def watch(configuration: str) -> None:
        explored.append(configuration)
        advance(1)

    exploration = explore(version, task.policy, watch)
    advance(len(version.table.configurations) - len(explored))  # others cannot be reached
    shortest = dict[str, Violation | None]()
    for checked in PROPERTIES:
        shortest[checked.id] = min(checked.violations(exploration), key=_length, default=None)
        advance(1)
    found = {name: (one.path, one.wrong) for name, one in shortest.items() if one is not None}
    return _Checked(Counts.of(exploration), found)


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
