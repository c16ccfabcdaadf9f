"""The view `chart`: states as boxes, transitions with their requirements, and the sources.

Other views use the same picture and mark its elements.
"""

from collections.abc import Iterable, Iterator, Mapping

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import CHART
from dispute_fsm.diagrams.model import Machine, StateNode, TransitionView
from dispute_fsm.diagrams.picture import (
    PLAIN,
    TEXT_WIDTH,
    Box,
    Face,
    Frame,
    Line,
    Mark,
    Picture,
    PictureEdge,
    Remark,
    Shape,
    Sheet,
    View,
)
from dispute_fsm.diagrams.policy_text import policy_note
from dispute_fsm.diagrams.views.gathering import gathered, join_id, join_of
from dispute_fsm.diagrams.views.sources import source_table, uses
from dispute_fsm.domain.enums import LIABILITIES, Lang
from dispute_fsm.domain.scalars import FrozenMap

BEGIN = "begin"
"""The id of the dot from which a dispute begins."""


_NONE: Mapping[str, Remark] = FrozenMap({})
_WIDE = 330.0
"""Regions are one below the other; with wider texts such a picture is less high."""


def chart(machine: Machine, lang: Lang) -> View:
    """Show a whole machine."""
    fmt = Formatter(machine, lang)
    picture = machine_picture(fmt, inactive_remarks(fmt))
    notes = ["read", "time"]
    if any(state.closed and state.running for state in machine.states):
        notes.append("may_change")
    return View(
        name="chart",
        lang=lang,
        title=CHART(lang, "title", fmt.rules),
        notes=(policy_note(fmt), *(CHART(lang, note) for note in notes)),
        parts=(picture, source_table(fmt, uses(fmt, machine.transitions))),
        graph=picture,
        sheet=Sheet(poster=True),
    )


def machine_picture(
    fmt: Formatter, remarks: Mapping[str, Remark] = _NONE, *, brief: bool = False
) -> Picture:
    """Draw a machine. `remarks` go by the ids of states, transitions and joins.

    `brief` leaves out what the transitions require. The transitions into an end join, so that one
    line for each outcome leads into it.
    """
    machine = fmt.machine
    begins = any(transition.source is None for transition in machine.transitions)
    boxes = [Box(id=BEGIN, lines=(), shape=Shape.START)] if begins else []
    frames: list[Frame] = []
    for state in machine.states:
        remark = remarks.get(state.id, PLAIN)
        if state.kind == "leaf":
            boxes.append(_box(fmt, state, remark))
        else:
            frames.append(_frame(fmt, state, remark))
    edges = []
    for transition in machine.transitions:
        join = join_of(machine, transition)
        target = transition.target if join is None else join_id(join)
        edges.append(
            transition_edge(
                fmt,
                transition,
                ends=(transition.source or BEGIN, target),
                lines=_lines(fmt, transition, brief=brief),
                remark=remarks.get(transition.id, PLAIN),
            )
        )
    junctions, further = gathered(fmt, {box.id: box.shape for box in boxes}, remarks)
    return Picture(
        id="machine",
        text_width=_WIDE if any(frame.parallel for frame in frames) else TEXT_WIDTH,
        title=fmt.rules,
        boxes=(*boxes, *junctions),
        frames=tuple(frames),
        edges=(*edges, *further),
    )


def _box(fmt: Formatter, state: StateNode, remark: Remark) -> Box:
    return Box(
        id=state.id,
        frame=state.parent,
        shape=shape_of(fmt.machine, state),
        lines=(*state_name(fmt, state), *map(Line, deadline_lines(fmt, state))),
        mark=remark.mark,
        badge=remark.badge,
        tooltip=f"{fmt.label(state.label)} ({state.id})",
    )


def _frame(fmt: Formatter, state: StateNode, remark: Remark) -> Frame:
    label, *ids = state_name(fmt, state)
    badge = [remark.badge] if remark.badge else []
    return Frame(
        id=state.id,
        title=" ".join([label.text, *(f"({line.text})" for line in ids), *badge]),
        frame=state.parent,
        parallel=state.kind == "parallel",
        mark=remark.mark,
    )


def _lines(fmt: Formatter, transition: TransitionView, *, brief: bool) -> Iterator[Line]:
    yield Line(f"{fmt.trigger(transition)}  {fmt.ref(transition)}", Face.HEAD)
    if selectors := fmt.selectors(transition):
        yield Line(fmt.message("when", fmt.join("and", map(fmt.condition, selectors))))
    if (requirements := fmt.requirements(transition)) and not brief:
        yield Line(fmt.message("needs", fmt.join("and", fmt.with_sources(requirements))))
    if transition.liability is not None:
        yield Line(fmt.message("fails", fmt.label(transition.liability)), Face.STRONG)
    if transition.endings and join_of(fmt.machine, transition) is None:
        outcomes = [fmt.outcome(ending.outcome) for ending in transition.endings]
        yield Line(fmt.ends_as(outcomes), Face.STRONG)
    if not brief:
        yield from (Line(text, Face.FAINT) for text in fmt.deadline_changes(transition))


# ---- shared with other views ---------------------------------------------------------------------


def inactive_remarks(fmt: Formatter) -> dict[str, Remark]:
    """Mark the states and transitions that the policy excludes."""
    return {name: remark_on(fmt, name) for name in fmt.inactive}


def remark_on(fmt: Formatter, *ids: str) -> Remark:
    """Return the remark on an element; the policy may exclude all that it stands for."""
    excluded = fmt.inactive.issuperset(ids)
    return Remark(Mark.INACTIVE, fmt.message("inactive")) if excluded else PLAIN


def state_name(fmt: Formatter, state: StateNode) -> tuple[Line, ...]:
    """Name a state: its label, and its id where that differs."""
    title = Line(fmt.label(state.label), Face.TITLE)
    return (title,) if title.text == state.id else (title, Line(state.id, Face.FAINT))


def shape_of(machine: Machine, state: StateNode) -> Shape:
    """Return the shape of a state's box.

    A closed state that can still be left is the bad end. Where only a part of the machine is drawn,
    an outcome with a liability tells it.
    """
    if not state.closed:
        return Shape.STATE
    bad = any(
        transition.source == state.id or (transition.target == state.id and _penalizes(transition))
        for transition in machine.transitions
    )
    return Shape.BAD_END if bad else Shape.GOOD_END


def _penalizes(transition: TransitionView) -> bool:
    return any(ending.outcome in LIABILITIES for ending in transition.endings)


def deadline_lines(fmt: Formatter, state: StateNode) -> Iterator[str]:
    """Iterate over the deadlines of a state, with terms and whether the state acts on them."""
    for deadline in state.deadlines:
        text = fmt.deadline(deadline)
        if deadline not in state.running:
            text += fmt.message("only_window" if state.running else "only_waits")
        yield text


def transition_edge(
    fmt: Formatter,
    transition: TransitionView,
    *,
    ends: tuple[str, str],
    lines: Iterable[Line],
    remark: Remark = PLAIN,
) -> PictureEdge:
    """Draw a transition between two elements of a picture."""
    return PictureEdge(
        id=transition.id,
        source=ends[0],
        target=ends[1],
        lines=tuple(lines),
        tone=transition.roles[0].value,
        mark=remark.mark,
        badge=remark.badge,
        tooltip=_tooltip(fmt, transition),
        weight=remark.weight,
    )


def _tooltip(fmt: Formatter, transition: TransitionView) -> str:
    """Format a transition in full, with its source and that of each of its conditions."""
    lines = [
        f"{fmt.trigger(transition)} ({transition.event.value})",
        fmt.source(transition.origin),
    ]
    for guard in fmt.guards(transition):
        codes = f" → {', '.join(guard.codes)}" if guard.codes else ""
        lines.append(f"{fmt.condition(guard)} ({guard.name}){codes}: {fmt.source(guard.origin)}")
    return "\n".join([*lines, *fmt.endings(transition)])
