"""The words that a chart module is written in: `Leaf` and `edge`, on top of python-statemachine.

A chart is a python-statemachine class, so its own engine can run it (the tests do, to check the table that is compiled
from it). What our domain needs beyond states, events and conditions stands on the same objects: which deadlines stand in
a state, who may fire an edge, what it needs, how the dispute ends by it, and where the rule comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from statemachine import State, StateChart
from statemachine.transition import Transition
from statemachine.transition_list import TransitionList

from dispute_fsm.charts.table import Entry, Outcomes, Rule
from dispute_fsm.rules.guards import ActorGuard, Guard, Selector, has_passed, in_time
from dispute_fsm.rules.policy import Bilingual
from dispute_fsm.rules.provenance import Source
from dispute_fsm.rules.vocabulary import Deadline, Option, Outcome, StateName


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
        stands: Sequence[Deadline] = (),
        closed: bool = False,
        failed: bool = False,
        initial: bool = False,
        final: bool = False,
    ) -> None:
        super().__init__(name.zh, initial=initial, final=final)
        self.stands = tuple(stands)
        self.closed = closed
        self.failed = failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A rule version as its chart module declares it: what it is, since when, what is different in it and why.

    `valid_from` is the day, in Beijing, from which disputes may open under it; None where that is not known.
    """

    id: str
    label: Bilingual
    valid_from: date | None
    change: Bilingual
    why: Bilingual
    options: tuple[Option, ...]
    chart: type[Chart]
    entry: Entry


class Edge(Transition):
    """A transition that carries its rule."""

    rule: Rule


def edge(  # noqa: PLR0913 -- one argument per column of the transition table
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

    `by` says who, `when` the row applies rather than another, `needs` what it demands. `expires` names the deadline that
    the row acts on once it has passed; every other row has to be in time (`on_time`, of its region), and `within` names
    further windows. `outcome` is how the dispute ends by it, `liability` for what its region fails; `starts` and `ends` are
    deadlines that begin or stop, beside those that do not stand in the target; `origin` is the provenance.
    """
    timing = (on_time, *within) if expires is None else (has_passed(expires),)
    state = cast("State", source)  # a nested class statement leaves a State behind
    row = Edge(state, target, cond=[guard.holds for guard in (by, *when, *timing, *needs)])
    row.rule = Rule(by, tuple(when), timing, tuple(needs), outcome, tuple(starts), tuple(ends), expires, origin, liability)
    state.transitions.add_transitions(row)
    return TransitionList([row])
