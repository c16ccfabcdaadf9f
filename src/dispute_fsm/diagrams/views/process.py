"""A machine as the overview shows it: what leads where, and how that is arranged."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby

from dispute_fsm.diagrams.model import Machine, StateNode, TransitionView
from dispute_fsm.diagrams.picture import BAD, GOOD, Plan, Row, Shape, Stack
from dispute_fsm.diagrams.views.chart import BEGIN, shape_of
from dispute_fsm.domain.enums import CommandType, Option
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.rules.guards.selectors import FAILED, OPTION

GENERAL = (CommandType.WITHDRAW, CommandType.EXTEND_DEADLINE)
"""Events that are possible nearly everywhere, so they are told once and not of each state."""
TONES: Mapping[Shape, str] = FrozenMap({Shape.GOOD_END: GOOD, Shape.BAD_END: BAD})
"""The colours of the lines that lead to the ends."""
ANYTIME = "anytime"
"""The id of the box with these events."""


class Process:
    """A machine with what leads where in it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.never = machine.unreachable()
        self.leaves = [state for state in machine.states if state.kind == "leaf"]
        self.shapes: Mapping[str, Shape] = {
            leaf.id: shape_of(machine, leaf) for leaf in self.leaves
        }
        self.told = [
            transition
            for transition in machine.transitions
            if transition.source is not None and transition.event not in GENERAL
        ]
        """The transitions that the states tell of."""
        self.choices = [
            transition for transition in self.told if transition.event is CommandType.CHOOSE_OPTION
        ]

    @cached_property
    def entries(self) -> Mapping[str, Sequence[str]]:
        """The states that options lead to, each with these options."""
        entries: dict[str, list[str]] = {}
        for option in self.machine.options:
            for choice in self.choosing(option):
                if not self.machine.state(choice.target).closed:
                    entries.setdefault(choice.target, []).append(option.value)
        return entries

    @cached_property
    def late(self) -> Sequence[str]:
        """The live states that a dispute reaches only after it was closed."""
        sources: dict[str, set[str | None]] = {}
        for transition in self.machine.transitions:
            sources.setdefault(transition.target, set()).add(transition.source)
        return [
            leaf.id
            for leaf in self.leaves
            if not leaf.closed
            and leaf.id in sources
            and all(source and self.machine.state(source).closed for source in sources[leaf.id])
        ]

    @cached_property
    def settled(self) -> Sequence[str]:
        """The questions that the policy answers."""
        return [name for name, question in self.machine.questions.items() if question.settled]

    def choosing(self, option: Option) -> list[TransitionView]:
        """Return the transitions by which an option is chosen."""
        answer = {OPTION.name: option.value}
        return [choice for choice in self.choices if self.machine.is_for(choice, answer)]

    def leaving(self, state: StateNode) -> list[TransitionView]:
        """Return the transitions that a state tells of.

        Of two sides that fail, it tells of the first; the second is told where the first waits.
        """
        around = {state.id, *self.machine.around(state.id)}
        return [
            transition
            for transition in self.told
            if transition.source in around
            and all(
                condition.question != FAILED.name or "none" in condition.accepts
                for condition in map(self.machine.conditions.__getitem__, transition.when)
            )
        ]

    def lines(self) -> Mapping[tuple[str, str], Sequence[TransitionView]]:
        """Return the lines, by their ends, with the transitions that each stands for."""
        found: dict[tuple[str, str], list[TransitionView]] = {}
        for transition in self.machine.transitions:
            for source, target in self._lines_of(transition):
                if source != target:
                    found.setdefault((source, target), []).append(transition)
        return found

    def _lines_of(self, transition: TransitionView) -> Iterator[tuple[str, str]]:
        """Iterate over the lines that stand for a transition, each as its two ends."""
        source, target = transition.source, transition.target
        closes = self.machine.state(target).closed
        if source is None:
            yield BEGIN, target
        elif transition.event in GENERAL:
            if closes and transition.event is CommandType.WITHDRAW:
                yield ANYTIME, target
        elif transition in self.choices:
            for option in self.machine.options:
                if transition in self.choosing(option):
                    yield source, option.value
                    if not closes:
                        yield option.value, target
            if closes:
                entry = next(iter(self.entries))
                yield self.outermost(entry), target
        elif closes:
            yield self.outermost(source), target
        else:
            yield source, target

    def outermost(self, state: str) -> str:
        """Return the outermost state around a state, or itself."""
        return (state, *self.machine.around(state))[-1]

    def end(self, shape: Shape) -> str:
        """Return the state of this shape, the good or the bad end."""
        return next(name for name, other in self.shapes.items() if other is shape)


# ---- the plan ------------------------------------------------------------------------------------


class Planner:
    """Arranges a process. `narrow` puts below each other what else is side by side.

    `slim` does so only with the options that lead to the same state.
    """

    def __init__(self, process: Process, *, narrow: bool = False, slim: bool = False) -> None:
        self._process = process
        self._machine = process.machine
        self._narrow = narrow
        self._slim = slim

    def level(self, frame: str | None = None) -> list[Plan]:
        """Arrange the live states in a frame: regions, and what options lead to, are in a row."""
        states = [
            state
            for state in self._machine.states
            if state.parent == frame and not state.closed and state.id not in self._process.late
        ]
        if frame is not None and self._machine.state(frame).kind == "parallel":
            return [self.beside(list(map(self._part, states)))]
        levels: list[Plan] = []
        for entered, group in groupby(states, self._is_entered):
            parts = list(map(self._part, group))
            if entered:
                levels.append(self.beside(parts))
            elif levels and isinstance(levels[-1], Row):
                first, *others = levels[-1].parts
                levels[-1] = Row((Stack((first, *parts)), *others))
            else:
                levels += parts
        return levels

    def ends(self) -> tuple[Plan, Plan]:
        """Arrange the good end, and the bad one with what may follow it."""
        bad, late = self._process.end(Shape.BAD_END), self._process.late
        return self._process.end(Shape.GOOD_END), Stack((bad, *late)) if late else bad

    def beside(self, parts: Sequence[Plan], *, joined: bool = False) -> Plan:
        """Put parts in a row, or where there is no room for one, in a stack."""
        if len(parts) == 1:
            return parts[0]
        below = self._narrow or (self._slim and joined)
        return Stack(tuple(parts), joined=joined) if below else Row(tuple(parts))

    def _part(self, state: StateNode) -> Plan:
        if state.kind != "leaf":
            return Stack(tuple(self.level(state.id)), frame=state.id)
        options = self._process.entries.get(state.id)
        if options is None:
            return state.id
        return Stack((self.beside(options, joined=True), state.id))

    def _is_entered(self, state: StateNode) -> bool:
        """Tell whether options lead into a state from outside."""
        inside = {leaf.id for leaf in self._machine.leaves(state.id)}
        return not inside.isdisjoint(self._process.entries) and all(
            choice.source not in inside for choice in self._process.choices
        )
