"""Two machines beside each other, for a difference that leaves little as it was.

Each is drawn with its states, options and lines, and what it has alone is marked. What happens on
the way from one state to another is left to the list of changes.
"""

from collections.abc import Iterator, Mapping
from functools import partial

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import DIFF
from dispute_fsm.diagrams.picture import (
    PLAIN,
    Box,
    Face,
    Frame,
    Line,
    Mark,
    Picture,
    PictureEdge,
    Plan,
    Remark,
    Row,
    Shape,
    Stack,
)
from dispute_fsm.diagrams.views.chart import BEGIN, deadline_lines, inactive_remarks
from dispute_fsm.diagrams.views.process import ANYTIME, TONES, Planner, Process


def side_by_side(
    before: tuple[str, Formatter], after: tuple[str, Formatter], remarks: Mapping[str, Remark]
) -> Picture:
    """Draw two machines beside each other, each under its name.

    `remarks` on their states go by id.
    """
    (was, old), (now, new) = before, after
    text = partial(DIFF, new.lang)
    alone = dict(remarks)
    for one, other, mark in ((old, new, Mark.REMOVED), (new, old, Mark.ADDED)):
        options = set(one.machine.options) - set(other.machine.options)
        alone |= dict.fromkeys(options, Remark(mark, text(mark)))
    sides = (
        _Side("before", text("before", was), old, alone),
        _Side("after", text("after", now), new, alone),
    )
    return Picture(
        id="machines",
        title=text("picture"),
        boxes=tuple(box for side in sides for box in side.boxes()),
        frames=tuple(frame for side in sides for frame in side.frames()),
        edges=tuple(edge for side in sides for edge in side.edges()),
        plan=Row(tuple(side.plan() for side in sides)),
    )


class _Side:
    """Draws one machine; its ids begin with the name of its side."""

    def __init__(
        self, name: str, title: str, fmt: Formatter, remarks: Mapping[str, Remark]
    ) -> None:
        self._name = name
        self._title = title
        self._fmt = fmt
        self._machine = fmt.machine
        self._process = Process(fmt.machine)
        self._remarks = inactive_remarks(fmt) | dict(remarks)

    def _id(self, name: str) -> str:
        return f"{self._name}-{name}"

    def boxes(self) -> Iterator[Box]:
        fmt = self._fmt
        opening = next(each for each in self._machine.transitions if each.source is None)
        yield self._box(BEGIN, Line(fmt.trigger(opening), Face.HEAD), shape=Shape.NOTE)
        for state in self._process.leaves:
            title = Line(fmt.label(state.label), Face.TITLE)
            lines = (title, *map(Line, deadline_lines(fmt, state)))
            shape = self._process.shapes[state.id]
            yield self._box(state.id, *lines, frame=state.parent, shape=shape)
        for option in self._machine.options:
            entry = next(name for name, of in self._process.entries.items() if option.value in of)
            frame = self._machine.state(entry).parent
            label = Line(fmt.label(option), Face.HEAD)
            yield self._box(option.value, label, frame=frame, shape=Shape.NOTE)

    def _box(self, name: str, *lines: Line, frame: str | None = None, shape: Shape) -> Box:
        mark, badge, _ = self._remarks.get(name, PLAIN)
        around = self._name if frame is None else self._id(frame)
        return Box(
            id=self._id(name), lines=lines, frame=around, shape=shape, mark=mark, badge=badge
        )

    def frames(self) -> Iterator[Frame]:
        yield Frame(id=self._name, title=self._title)
        for state in self._machine.states:
            if state.kind != "leaf":
                mark, badge, _ = self._remarks.get(state.id, PLAIN)
                # only the sign: a longer title would cover the line to the box below it
                sign = badge.partition(" ")[0]
                yield Frame(
                    id=self._id(state.id),
                    title=sign + self._fmt.label(state.label),
                    frame=self._name if state.parent is None else self._id(state.parent),
                    parallel=state.kind == "parallel",
                    mark=mark,
                )

    def edges(self) -> Iterator[PictureEdge]:
        for (source, target), transitions in self._process.lines().items():
            if source != ANYTIME:
                excluded = self._fmt.inactive.issuperset(each.id for each in transitions)
                yield PictureEdge(
                    id=self._id(f"{source}-to-{target}"),
                    source=self._id(source),
                    target=self._id(target),
                    tone=TONES.get(self._process.shapes.get(target, Shape.STATE), ""),
                    mark=Mark.INACTIVE if excluded else Mark.PLAIN,
                )

    def plan(self) -> Plan:
        planner = Planner(self._process, slim=True)
        parts = (BEGIN, *planner.level(), planner.beside(planner.ends()))
        return Stack(tuple(map(self._renamed, parts)), frame=self._name)

    def _renamed(self, plan: Plan) -> Plan:
        if isinstance(plan, str):
            return self._id(plan)
        parts = tuple(map(self._renamed, plan.parts))
        if isinstance(plan, Row):
            return Row(parts)
        frame = None if plan.frame is None else self._id(plan.frame)
        return Stack(parts, frame=frame, joined=plan.joined)
