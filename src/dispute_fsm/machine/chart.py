"""What a chart module is written in: `Leaf` and `transition`, on top of python-statemachine.

A chart is a python-statemachine class, so its own engine can run it (the tests do, to check the
table that is compiled from it). What our domain needs beyond states, events and conditions stands
on the same objects: which deadlines stand in a state, who may fire a transition, what it needs, how
the dispute ends by it, and where the rule comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from statemachine import Event, State, StateChart
from statemachine.callbacks import CallbackGroup, CallbackPriority, CallbackSpec
from statemachine.transition import Transition as EngineTransition
from statemachine.transition_list import TransitionList

from dispute_fsm.domain.enums import Deadline, Option, Outcome, StateName
from dispute_fsm.domain.policy import Bilingual
from dispute_fsm.machine.guard import ActorGuard, Case, Guard, GuardResult, Selector, Source
from dispute_fsm.machine.timing import has_passed, in_time
from dispute_fsm.machine.transition_table import InitialTransition, Outcomes, Rule


class Chart(StateChart[object]):
    """Base of every chart: unknown events and faults in guards are errors, never ignored."""

    allow_event_without_transition = False
    catch_errors_as_events = False
    atomic_configuration_update = True


class Leaf(State):
    """A state without sub-states: which deadlines stand in it, whether the dispute is closed there, or its region has failed."""

    def __init__(  # noqa: PLR0913 -- one argument per thing that a leaf can be
        self,
        name: StateName,
        *,
        deadlines: Sequence[Deadline] = (),
        closed: bool = False,
        failed: bool = False,
        initial: bool = False,
        final: bool = False,
    ) -> None:
        super().__init__(name.en, initial=initial, final=final)
        self.deadlines = tuple(deadlines)
        self.closed = closed
        self.failed = failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A rule version as its chart module declares it: what it is, since when, what is different in it and why.

    `valid_from` is the day, in Beijing, from which disputes may open under it; None where that is
    not known.
    """

    id: str
    label: Bilingual
    valid_from: date | None
    change: Bilingual
    why: Bilingual
    options: tuple[Option, ...]
    chart: type[Chart]
    entry: InitialTransition


class Condition(CallbackSpec):
    """A guard as a condition of a transition: python-statemachine passes it the case, and its diagrams print the guard's name."""

    def __init__(self, guard: Guard) -> None:
        super().__init__(
            self.check, CallbackGroup.COND, priority=CallbackPriority.INLINE, expected_value=True
        )
        self.guard = guard
        self.attr_name = guard.name

    def check(self, case: object = None, *, event: str) -> GuardResult:
        """Ask the guard. Raises `TypeError` where the event was sent without a case."""
        if not isinstance(case, Case):
            sent = (
                "without a case" if case is None else f"with a {type(case).__name__} for its case"
            )
            raise TypeError(
                f'{event} was sent {sent}, but guards look at a Case: send("{event}", '
                "case=Case(...)); "
                "docs/python-statemachine.md shows how to make one"
            )
        return self.guard.check(case)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and other.guard is self.guard

    def __hash__(self) -> int:
        return hash(self.guard)


class ChartTransition(EngineTransition):
    """A transition that carries its rule."""

    rule: Rule

    def add_event(self, value: Event) -> None:
        """Take an event, under a numbered name where earlier transitions have the same source, target and event.

        Of transitions that are alike in all three, the library's Mermaid draws only the first.
        """
        alike = sum(
            row.target is self.target and value in row.events
            for row in self.source.transitions
            if row is not self
        )
        if alike:
            value = Event(
                id=value.id,
                name=f"{value.name} ({alike + 1})",
                delay=value.delay,
                internal=value.internal,
            )
        super().add_event(value)  # type: ignore[no-untyped-call] # the library gives it no types


def transition(  # noqa: PLR0913 -- one argument per column of the transition table
    source: State | type[State.Compound | State.Parallel],
    target: State,
    by: ActorGuard,
    *,
    origin: Source,
    when: Sequence[Selector] = (),
    needs: Sequence[Guard] = (),
    on_time: Guard = in_time,
    within: Sequence[Guard] = (),
    expires: Deadline | None = None,
    outcome: Outcomes = None,
    liability: Outcome | None = None,
    starts: Sequence[Deadline] = (),
    ends: Sequence[Deadline] = (),
) -> TransitionList:
    """Declare one row of the transition table.

    `by` says who, `when` the row applies rather than another, `needs` what it demands. `expires`
    names the deadline that the row acts on once it has passed; every other row has to be in time
    (`on_time`, of its region), and `within` names further windows. `outcome` is how the dispute
    ends by it, `liability` for what its region fails; `starts` and `ends` are deadlines that begin
    or stop, beside those that do not stand in the target; `origin` is the provenance.
    """
    timing = (on_time, *within) if expires is None else (has_passed(expires),)
    state = cast("State", source)  # a nested class statement leaves a State behind
    row = ChartTransition(
        state, target, cond=[Condition(guard) for guard in (by, *when, *timing, *needs)]
    )
    row.rule = Rule(
        by,
        tuple(when),
        timing,
        tuple(needs),
        outcome,
        tuple(starts),
        tuple(ends),
        expires,
        origin,
        liability,
    )
    state.transitions.add_transitions(row)
    return TransitionList([row])
