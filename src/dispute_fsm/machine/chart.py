"""What a chart module is written in: `Leaf` and `transition`, on top of python-statemachine.

A chart is a python-statemachine class, so its own engine can run it (the tests do, to check the
table that is compiled from it). What the library does not know is kept on the same objects: which
deadlines may run in a state, who may fire a transition, what it requires, the outcome, and where
the rule comes from. A chart is written in a `Vocabulary`, which a domain declares once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, cast

from statemachine import Event, State, StateChart
from statemachine.callbacks import CallbackGroup, CallbackPriority, CallbackSpec
from statemachine.transition import Transition as EngineTransition
from statemachine.transition_list import TransitionList

from dispute_fsm.machine.guard import ActorGuard, AnyCase, Guard, GuardResult, Selector, Source
from dispute_fsm.machine.transition_table import (
    CommandT,
    DeadlineT,
    EventT,
    Outcomes,
    Rule,
    StateT,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRule(Generic[EventT, DeadlineT]):
    """What a domain declares of a command.

    `records` is the event that records it where the target state does not say otherwise,
    `records_end` the event that records it even where it does (see `Leaf`). `expires` is the
    deadline on whose passing it acts. A `quiet` command is no error where it changes nothing.
    """

    records: EventT | None = None
    records_end: EventT | None = None
    expires: DeadlineT | None = None
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Vocabulary(Generic[StateT, CommandT, EventT, DeadlineT]):
    """The words of a domain's charts: its states, and its commands with their rules."""

    states: Mapping[str, StateT]
    commands: Mapping[CommandT, CommandRule[EventT, DeadlineT]]


class Chart(StateChart[object]):
    """Base of every chart: unknown events and errors in guards are errors, never ignored."""

    allow_event_without_transition = False
    catch_errors_as_events = False
    atomic_configuration_update = True


class Leaf(State):
    """A state without sub-states.

    `deadlines` may run in it. `closed`: it is an end; where deadlines run in it, an end that may
    still change. `outcomes` are those that it may have; a state without an outcome has none.
    `failures` are those for which its region has failed. `records` is the event that records
    entering it, instead of the command's own.
    """

    def __init__(  # noqa: PLR0913 -- one argument per thing that a leaf can be
        self,
        name: str,
        *,
        deadlines: Sequence[str] = (),
        closed: bool = False,
        outcomes: Sequence[str] = (),
        failures: Sequence[str] = (),
        records: str | None = None,
        initial: bool = False,
        final: bool = False,
    ) -> None:
        super().__init__(name, initial=initial, final=final)
        self.deadlines: tuple[Any, ...] = tuple(deadlines)
        self.closed = closed
        self.outcomes = frozenset(outcomes)
        self.failures = frozenset(failures)
        self.records: Any = records


class Condition(CallbackSpec):
    """A guard as a condition of python-statemachine, which draws it under the guard's name."""

    def __init__(self, guard: Guard) -> None:
        super().__init__(
            self.check, CallbackGroup.COND, priority=CallbackPriority.INLINE, expected_value=True
        )
        self.guard = guard
        self.attr_name = guard.name

    def check(self, case: object = None, *, event: str) -> GuardResult:
        """Evaluate the guard. Raises `TypeError` where the event was sent without a case."""
        if not hasattr(case, "results"):
            sent = (
                "without a case" if case is None else f"with a {type(case).__name__} for its case"
            )
            raise TypeError(
                f'{event} was sent {sent}, but guards look at a Case: send("{event}", '
                "case=Case(...)); "
                "docs/how-to/python-statemachine.md shows how to make one"
            )
        return self.guard.check(cast("AnyCase", case))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and other.guard is self.guard

    def __hash__(self) -> int:
        return hash(self.guard)


class ChartTransition(EngineTransition):
    """A transition of python-statemachine that carries its rule."""

    rule: Rule

    def add_event(self, value: Event) -> None:
        """Take an event, under a numbered name where an earlier transition is alike.

        Of transitions that are alike in source, target and event, the library's Mermaid draws only
        the first.
        """
        alike = sum(
            other.target is self.target and value in other.events
            for other in self.source.transitions
            if other is not self
        )
        if alike:
            name = f"{value.name} ({alike + 1})"
            value = Event(id=value.id, name=name, delay=value.delay, internal=value.internal)
        super().add_event(value)  # type: ignore[no-untyped-call] # the library gives it no types


def transition(  # noqa: PLR0913 -- one argument per column of the transition table
    source: State | type[State.Compound | State.Parallel],
    target: State,
    by: ActorGuard,
    *,
    origin: Source,
    when: Sequence[Selector] = (),
    timing: Sequence[Guard] = (),
    needs: Sequence[Guard] = (),
    expires: str | None = None,
    outcome: Outcomes = None,
    liability: str | None = None,
    starts: Sequence[str] = (),
    ends: Sequence[str] = (),
) -> TransitionList:
    """Declare one transition.

    `by` says who, `when` it applies rather than another, `timing` whether it is too early or too
    late, `needs` what it requires. `expires` names the deadline on whose passing it acts. `outcome`
    is the outcome that it leads to, `liability` for what its region fails; `starts` and `ends` are
    deadlines that begin or end, beside those that do not run in the target; `origin` is where the
    rule comes from.
    """
    state = cast("State", source)  # a nested class statement leaves a State behind
    rule: Rule = Rule(
        by=by,
        when=tuple(when),
        timing=tuple(timing),
        needs=tuple(needs),
        outcome=outcome,
        starts=tuple(starts),
        ends=tuple(ends),
        expires=expires,
        origin=origin,
        liability=liability,
    )
    declared = ChartTransition(state, target, cond=[Condition(guard) for guard in rule.guards])
    declared.rule = rule
    state.transitions.add_transitions(declared)
    return TransitionList([declared])
