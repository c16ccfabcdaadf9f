"""The compiled table of a chart: it selects a transition and evaluates its guards.

A table is read-only and knows nothing of python-statemachine. `evaluate` goes through the questions
in a fixed order: who, where, which transition, in time, which transition by the facts, what it
requires. A guard that does not pass one of the early questions comes back alone; of the last one,
every guard that does not pass comes back. Facts are looked at only after everything else is
settled.

The types are generic in the case and in the words of a domain: its states, commands, events,
deadlines and outcomes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Generic, Literal, NamedTuple, TypeAlias

from typing_extensions import TypeVar

from dispute_fsm.machine.guard import (
    ActorGuard,
    CaseT,
    Dimension,
    Guard,
    GuardResult,
    Selector,
    Source,
)

StateT = TypeVar("StateT", bound=str, default=Any)
CommandT = TypeVar("CommandT", bound=str, default=Any)
EventT = TypeVar("EventT", bound=str, default=Any)
DeadlineT = TypeVar("DeadlineT", bound=str, default=Any)
OutcomeT = TypeVar("OutcomeT", bound=str, default=Any)


class _Before(Enum):
    AS_BEFORE = "as_before"


AS_BEFORE: Final = _Before.AS_BEFORE
"""The outcome of a transition that leaves the outcome as it was."""

Outcomes: TypeAlias = Mapping[Any, OutcomeT] | OutcomeT | Literal[_Before.AS_BEFORE] | None
"""The outcome of a transition: one, one by answer to a question, the one from before, or none."""


@dataclass(frozen=True, slots=True)
class Rule(Generic[CaseT, DeadlineT, OutcomeT]):
    """What a chart says of a transition, beside source, command and target."""

    by: ActorGuard[CaseT]
    when: tuple[Selector[CaseT], ...]
    timing: tuple[Guard[CaseT], ...]
    needs: tuple[Guard[CaseT], ...]
    outcome: Outcomes[OutcomeT]
    starts: tuple[DeadlineT, ...]
    ends: tuple[DeadlineT, ...]
    expires: DeadlineT | None
    origin: Source
    liability: OutcomeT | None = None
    """For what a region fails by the transition, where other regions run on."""

    @property
    def guards(self) -> tuple[Guard[CaseT], ...]:
        """Every guard, in the order in which a chart lists them."""
        return (self.by, *self.when, *self.timing, *self.needs)


@dataclass(frozen=True, slots=True)
class InitialTransition(Generic[CaseT, DeadlineT]):
    """How everything begins; python-statemachine has no event for that."""

    by: ActorGuard[CaseT]
    needs: tuple[Guard[CaseT], ...]
    starts: tuple[DeadlineT, ...]
    origin: Source


@dataclass(frozen=True, slots=True)
class Configuration(Generic[StateT, DeadlineT]):
    """A set of active leaves: one leaf, or, in a parallel state, one leaf of each region."""

    path: str
    state: StateT
    """The leaf, or the parallel state."""
    states: tuple[StateT, ...]
    """The leaves."""
    closed: bool
    deadlines: tuple[DeadlineT, ...]
    """The deadlines that may run here; whatever else runs ends on the way in."""
    running: tuple[tuple[DeadlineT, ...], ...]
    """For each region that still runs, the deadlines whose expiry is acted on here."""
    outcomes: frozenset[str]
    """The outcomes that are possible here; none where everything goes on."""


@dataclass(frozen=True, slots=True)
class Transition(Generic[CaseT, CommandT, EventT, DeadlineT, OutcomeT]):
    """One transition out of one configuration."""

    source: str
    event: CommandT
    target: str
    records: EventT
    rule: Rule[CaseT, DeadlineT, OutcomeT]
    when: tuple[Selector[CaseT], ...]
    """The selectors that look at no facts."""
    when_facts: tuple[Selector[CaseT], ...]
    """The selectors that look at facts."""

    def is_for(self, answers: Mapping[Dimension[CaseT], str]) -> bool:
        """Tell whether the transition may apply where these are the answers to some questions."""
        for one in self.when:
            if one.dimension in answers and answers[one.dimension] not in one.accepts:
                return False
        return True

    def outcome(self, answer: str | None, before: OutcomeT | None = None) -> OutcomeT | None:
        """Return the outcome after the transition, None where it goes on.

        `answer` is the answer on which the outcome may depend, `before` the outcome before the
        transition.
        """
        outcome = self.rule.outcome
        if outcome is None:
            return None
        if outcome is AS_BEFORE:
            return before
        if isinstance(outcome, Mapping):
            return None if answer is None else outcome.get(answer)
        return outcome


Results = tuple[tuple[Guard[CaseT], GuardResult], ...]
"""Guards with their results, in the order in which they were evaluated."""

_Applying: TypeAlias = tuple[
    tuple[Transition[CaseT, CommandT, EventT, DeadlineT, OutcomeT], Results[CaseT]], ...
]
"""Transitions that may apply, with what their selectors answer that look at no facts."""


class Fires(NamedTuple, Generic[CaseT, CommandT, EventT, DeadlineT, OutcomeT]):
    """Every guard of the selected transition passes."""

    results: Results[CaseT]
    transition: Transition[CaseT, CommandT, EventT, DeadlineT, OutcomeT]


class Fails(NamedTuple, Generic[CaseT]):
    """Guards do not pass: `failed`, each with the code that it refuses with."""

    results: Results[CaseT]
    failed: Results[CaseT]


class NotOffered(NamedTuple, Generic[CaseT]):
    """No transition for this command leads out of the configuration."""

    results: Results[CaseT]


class NoEffect(NamedTuple, Generic[CaseT]):
    """A quiet command finds nothing to change, which is no error."""

    results: Results[CaseT]


Evaluated: TypeAlias = (
    Fires[CaseT, CommandT, EventT, DeadlineT, OutcomeT]
    | Fails[CaseT]
    | NotOffered[CaseT]
    | NoEffect[CaseT]
)
"""What selecting a transition and evaluating its guards comes to."""


@dataclass(frozen=True, slots=True)
class TransitionTable(Generic[CaseT, StateT, CommandT, EventT, DeadlineT, OutcomeT]):
    """A chart, ready to run.

    `transitions` are those of each command in each configuration, `actors` says who may send a
    command at all, `quiet` are the commands that are no error where they change nothing. `digest`
    is the SHA-256 of what the table says: it changes with every state, transition, guard and
    outcome, and with no wording.
    """

    entry: InitialTransition[CaseT, DeadlineT]
    initial: str
    configurations: Mapping[str, Configuration[StateT, DeadlineT]]
    transitions: Mapping[
        tuple[str, CommandT],
        tuple[Transition[CaseT, CommandT, EventT, DeadlineT, OutcomeT], ...],
    ]
    actors: Mapping[CommandT, ActorGuard[CaseT]]
    quiet: frozenset[CommandT]
    digest: str
    _leaving: Mapping[
        str,
        Mapping[CommandT, tuple[Transition[CaseT, CommandT, EventT, DeadlineT, OutcomeT], ...]],
    ] = field(init=False, repr=False, compare=False)
    _questions: Mapping[tuple[str, CommandT], tuple[Dimension[CaseT], ...]] = field(
        init=False, repr=False, compare=False
    )
    _applying: dict[
        tuple[str, CommandT, tuple[str, ...]],
        _Applying[CaseT, CommandT, EventT, DeadlineT, OutcomeT],
    ] = field(default_factory=dict[Any, Any], init=False, repr=False, compare=False)
    """What was found by the answers, which settle it: the same answers are compared once."""

    __hash__ = object.__hash__
    """By identity: it is a key of caches, and to go through all that it says costs too much."""

    def __post_init__(self) -> None:
        leaving: dict[str, dict[CommandT, Any]] = {}
        for (path, command), rows in self.transitions.items():
            leaving.setdefault(path, {})[command] = rows
        questions = {
            key: tuple(dict.fromkeys(one.dimension for row in rows for one in row.when))
            for key, rows in self.transitions.items()
        }
        # The only way to set a member of a frozen value.
        object.__setattr__(self, "_leaving", leaving)
        object.__setattr__(self, "_questions", questions)

    def guards(self) -> dict[str, Guard[CaseT]]:
        """Return every guard by the name under which it is recorded, the opening's first."""
        of_rules = (
            guard
            for alternatives in self.transitions.values()
            for transition in alternatives
            for guard in transition.rule.guards
        )
        return {guard.recorded: guard for guard in (self.entry.by, *self.entry.needs, *of_rules)}

    def asks(self, dimension: Dimension[CaseT]) -> bool:
        """Tell whether this question tells transitions of the table apart."""
        return dimension.name in self.guards()

    def leaving(
        self, path: str
    ) -> Mapping[CommandT, tuple[Transition[CaseT, CommandT, EventT, DeadlineT, OutcomeT], ...]]:
        """Return the transitions out of a configuration, by command."""
        return self._leaving.get(path, {})

    def select(
        self, path: str, command: CommandT, case: CaseT
    ) -> tuple[Transition[CaseT, CommandT, EventT, DeadlineT, OutcomeT], ...]:
        """Return the transitions that apply, as far as can be told without facts."""
        return tuple([transition for transition, _ in self._select(path, command, case)])

    def _select(
        self, path: str, command: CommandT, case: CaseT
    ) -> _Applying[CaseT, CommandT, EventT, DeadlineT, OutcomeT]:
        """Ask each question once, whichever transitions ask it, and find what applies."""
        questions = self._questions.get((path, command))
        if questions is None:
            return ()
        answers = tuple([question.answer(case) for question in questions])
        found = self._applying.get((path, command, answers))
        if found is None:
            given = dict(zip(questions, answers, strict=True))
            found = tuple(
                (row, tuple([(one, one.of(given[one.dimension])) for one in row.when]))
                for row in self.transitions[path, command]
                if row.is_for(given)
            )
            self._applying[path, command, answers] = found
        return found

    def evaluate(
        self, path: str, command: CommandT, case: CaseT
    ) -> Evaluated[CaseT, CommandT, EventT, DeadlineT, OutcomeT]:
        """Select the transition that applies and evaluate its guards, in the order of this page.

        Raises what a guard raises that looks at facts where there are none.
        """
        results: list[tuple[Guard[CaseT], GuardResult]] = []
        actor = self.actors.get(command)
        if actor is not None and (failed := _failed(results, case, (actor,))):
            return Fails(tuple(results), failed)
        applying = self._select(path, command, case)
        quiet = command in self.quiet
        if not applying:
            return NoEffect(tuple(results)) if quiet else NotOffered(tuple(results))
        # The compiler makes sure that transitions which only facts tell apart agree on these.
        first = applying[0][0]
        for guard in first.rule.timing:
            if failed := _failed(results, case, (guard,)):
                return NoEffect(tuple(results)) if quiet else Fails(tuple(results), failed)
        for transition, selected in applying:
            by_facts = [(one, one.check(case)) for one in transition.when_facts]
            if all(result.passed for _, result in by_facts):
                results += [*selected, *by_facts]
                failed = _failed(results, case, transition.rule.needs)
                return (
                    Fails(tuple(results), failed) if failed else Fires(tuple(results), transition)
                )
        # The compiler lets only quiet commands get here. It is recorded that facts were looked at.
        results += [(one, one.check(case)) for one in first.when_facts]
        return NoEffect(tuple(results))


def _failed(
    results: list[tuple[Guard[CaseT], GuardResult]], case: CaseT, guards: Sequence[Guard[CaseT]]
) -> Results[CaseT]:
    """Evaluate guards, add their results, and return those that do not pass."""
    failed: Results[CaseT] = ()
    known = case.results
    for guard in guards:
        # As `check` does, without a call for each: most of a decision is spent here.
        result = known.get(guard.name)
        if result is None:
            result = known[guard.name] = guard.condition(case)
        results.append((guard, result))
        if not result.passed:
            failed += ((guard, result),)
    return failed
