"""The compiled table of a rule version; selecting a transition and evaluating its guards. This is what runs.

A table is read-only and knows nothing of python-statemachine. `evaluate` goes through the questions
in a fixed order: who, where, which transition, in time, which transition by the facts, what it
requires. A guard that does not pass one of the early questions comes back alone; of the last one,
every guard that does not pass comes back. Facts are looked at only after everything else is
settled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dispute_fsm.domain.enums import CommandType, Deadline, EventType, Option, Outcome, StateName
from dispute_fsm.machine.guard import (
    ActorGuard,
    Case,
    Dimension,
    Guard,
    GuardResult,
    Selector,
    Source,
)

QUIET = frozenset({CommandType.OBSERVE_ORDER})
"""Events that are no error where they change nothing: nobody asked for anything, somebody only looked."""


Outcomes = Outcome | Mapping[Option, Outcome] | None
"""How the dispute ends by a transition: one way, a way for each option, or it does not end."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the domain says of a transition, beside source, target and event."""

    by: ActorGuard
    when: tuple[Selector, ...]
    timing: tuple[Guard, ...]
    needs: tuple[Guard, ...]
    outcome: Outcomes
    starts: tuple[Deadline, ...]
    ends: tuple[Deadline, ...]
    expires: Deadline | None
    origin: Source
    liability: Outcome | None = None
    """For what a region fails by the transition, where other regions run on."""


@dataclass(frozen=True, slots=True)
class InitialTransition:
    """How a dispute of this version begins; the engine has no event for that."""

    by: ActorGuard
    needs: tuple[Guard, ...]
    starts: tuple[Deadline, ...]
    origin: Source


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where a dispute can be: a leaf of the chart, or, in a parallel state, one leaf of each region."""

    path: str
    state: StateName
    """The leaf, or the parallel state."""
    states: tuple[StateName, ...]
    """The leaves."""
    closed: bool
    deadlines: tuple[Deadline, ...]
    running: tuple[tuple[Deadline, ...], ...]
    """For each region that still runs, the deadlines whose expiry it acts on; others that stand only close a window or wait."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One transition out of one configuration."""

    source: str
    event: CommandType
    target: str
    records: EventType
    rule: Rule
    when: tuple[Selector, ...]
    """The selectors that look at no facts."""
    when_facts: tuple[Selector, ...]
    """The selectors that look at the order system's facts."""

    def is_for(self, answers: Mapping[Dimension, str]) -> bool:
        """Whether the row may apply where these are the answers to some questions."""
        return all(
            answers[one.dimension] in one.accepts for one in self.when if one.dimension in answers
        )

    def outcome(self, option: Option | None) -> Outcome | None:
        """How the dispute ends by this row, given the option; None where it goes on."""
        outcome = self.rule.outcome
        if outcome is None or isinstance(outcome, Outcome):
            return outcome
        return None if option is None else outcome.get(option)


Results = tuple[tuple[Guard, GuardResult], ...]
"""Guards with their results, in the order in which they were evaluated."""


class Fires(NamedTuple):
    """Every guard of the selected transition passes."""

    results: Results
    transition: Transition


class Fails(NamedTuple):
    """Guards do not pass: `failed`, each with the code that it refuses with."""

    results: Results
    failed: Results


class NotOffered(NamedTuple):
    """No transition for this command leads out of the configuration."""

    results: Results


class NoEffect(NamedTuple):
    """The command only looks (`QUIET`) and finds nothing to change, which is no error."""

    results: Results


Evaluated = Fires | Fails | NotOffered | NoEffect
"""What selecting a transition and evaluating its guards comes to."""


@dataclass(frozen=True, slots=True)
class TransitionTable:
    """A rule version, ready to run."""

    entry: InitialTransition
    initial: str
    configurations: Mapping[str, Configuration]
    transitions: Mapping[tuple[str, CommandType], tuple[Transition, ...]]
    actors: Mapping[CommandType, ActorGuard]
    digest: str
    """SHA-256 of what the table says; it changes with every state, transition, guard and outcome, and with no wording."""

    def guards(self) -> dict[str, Guard]:
        """Give every guard by the name under which its answer is recorded, the opening's first; a selector by its question."""
        of_rows = (
            guard
            for rows in self.transitions.values()
            for row in rows
            for guard in (row.rule.by, *row.rule.when, *row.rule.timing, *row.rule.needs)
        )
        return {guard.recorded: guard for guard in (self.entry.by, *self.entry.needs, *of_rows)}

    def asks(self, dimension: Dimension) -> bool:
        """Tell whether this question tells rows of the table apart."""
        return any(
            selector.dimension is dimension
            for rows in self.transitions.values()
            for row in rows
            for selector in row.rule.when
        )

    def select(self, path: str, case: Case) -> list[Transition]:
        """Return the transitions that apply, as far as can be told without the order system's facts."""
        return [
            one
            for one in self.transitions.get((path, case.command.type), ())
            if _selected(one.when, case)
        ]

    def evaluate(self, path: str, case: Case) -> Evaluated:
        """Select the transition that applies and evaluate its guards, in the order of this page.

        Raises `FactsNeededError` where the order system has to be asked first.
        """
        results: list[tuple[Guard, GuardResult]] = []
        command = case.command.type
        actor = self.actors.get(command)
        if actor is not None and (failed := _failed(results, case, actor)):
            return Fails(tuple(results), failed)
        applying = self.select(path, case)
        if not applying:
            return NoEffect(tuple(results)) if command in QUIET else NotOffered(tuple(results))
        for guard in (
            applying[0].rule.timing
        ):  # the compiler sees to it that those which only facts tell apart agree on these
            if failed := _failed(results, case, guard):
                return (
                    NoEffect(tuple(results)) if command in QUIET else Fails(tuple(results), failed)
                )
        transition = next((one for one in applying if _selected(one.when_facts, case)), None)
        if transition is None:
            _failed(
                results, case, *applying[0].when_facts
            )  # so that it shows that facts were looked at
            return NoEffect(tuple(results))  # the compiler lets only quiet commands get here
        _failed(results, case, *transition.when, *transition.when_facts)
        failed = _failed(results, case, *transition.rule.needs)
        return Fails(tuple(results), failed) if failed else Fires(tuple(results), transition)


def _failed(results: list[tuple[Guard, GuardResult]], case: Case, *guards: Guard) -> Results:
    """Evaluate guards, add their results, and return those that do not pass."""
    failed: Results = ()
    for guard in guards:
        result = guard.check(case)
        results.append((guard, result))
        if not result.passed:
            failed += ((guard, result),)
    return failed


def _selected(selectors: tuple[Selector, ...], case: Case) -> bool:
    """Tell whether all of the selectors hold; the first that does not settles it."""
    for selector in selectors:  # noqa: SIM110 -- a generator for each row would cost more than the looking
        if not selector.check(case).passed:
            return False
    return True
