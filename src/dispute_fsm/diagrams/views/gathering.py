"""Where transitions with the same outcome join, so that one line for each leads into an end.

Where the outcome depends on the option, transitions join at a fork, from which a line leads to each
of their outcomes.
"""

from collections.abc import Iterable, Mapping, Sequence

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.model import Machine, TransitionView
from dispute_fsm.diagrams.picture import (
    BAD,
    GOOD,
    PLAIN,
    Box,
    Face,
    Line,
    Mark,
    PictureEdge,
    Remark,
    Shape,
)
from dispute_fsm.domain.enums import Outcome

Join = tuple[str, tuple[Outcome | None, ...]]
"""A closed state with an outcome, or at a fork with several; None is the outcome from before."""


def joins(machine: Machine) -> Mapping[Join, Sequence[str]]:
    """Return the transitions into the ends, by where they join first."""
    joined: dict[Join, list[str]] = {}
    for transition in machine.transitions:
        if (join := join_of(machine, transition)) is not None:
            joined.setdefault(join, []).append(transition.id)
    return joined


def join_of(machine: Machine, transition: TransitionView) -> Join | None:
    """Return where a transition joins others; None where it leads to no end."""
    if transition.stays or not machine.state(transition.target).closed:
        return None
    return transition.target, tuple(dict.fromkeys(each.outcome for each in transition.endings))


def outcomes(machine: Machine) -> Mapping[Join, Sequence[str]]:
    """Return the transitions into the ends, by each outcome that they can have."""
    joined: dict[Join, list[str]] = {}
    for (end, several), transitions in joins(machine).items():
        for outcome in several:
            joined.setdefault((end, (outcome,)), []).extend(transitions)
    return joined


def ending(machine: Machine, transition: TransitionView, outcome: Outcome | None) -> Join | None:
    """Return where a transition that was taken with this outcome leads into an end."""
    join = join_of(machine, transition)
    return join and (join[0], (outcome if outcome in join[1] else None,))


def join_id(join: Join) -> str:
    """Return the id of the box where transitions join."""
    end, several = join
    names = ("as_before" if outcome is None else outcome.value for outcome in several)
    return f"outcome_{end}_{'_or_'.join(names)}"


def gathered(
    fmt: Formatter, shape: Mapping[str, Shape], remarks: Mapping[str, Remark]
) -> tuple[Sequence[Box], Sequence[PictureEdge]]:
    """Draw the boxes and lines between the transitions and the ends, which have these shapes."""
    single = outcomes(fmt.machine)
    said = {
        join: remarks.get(join_id(join), _together(remarks.get(each, PLAIN) for each in ids))
        for join, ids in {**joins(fmt.machine), **single}.items()
    }
    tones = {end: GOOD if shape[end] is Shape.GOOD_END else BAD for end, _ in single}
    boxes = tuple(_box(fmt, join, said[join], tones[join[0]]) for join in said)
    edges: list[PictureEdge] = []
    for join, remark in said.items():
        end, several = join
        if len(several) == 1:
            edges.append(_edge(join, end, remark, tones[end]))
        else:
            for outcome in several:
                to = end, (outcome,)
                edges.append(_edge(join, join_id(to), _between(remark, said[to]), tones[end]))
    return boxes, edges


def _box(fmt: Formatter, join: Join, remark: Remark, tone: str) -> Box:
    end, several = join
    labels = list(map(fmt.outcome, several))
    line = Line(labels[0], Face.STRONG) if len(labels) == 1 else Line(fmt.message("by_option"))
    return Box(
        id=join_id(join),
        lines=(line,),
        shape=Shape.OUTCOME,
        tone=tone,
        mark=remark.mark,
        badge=remark.badge,
        tooltip=f"{fmt.state(end)}: {fmt.join('or', labels)}",
    )


def _edge(join: Join, target: str, remark: Remark, tone: str) -> PictureEdge:
    source = join_id(join)
    return PictureEdge(
        id=f"{source}_to_{target}",
        source=source,
        target=target,
        tone=tone,
        mark=remark.mark,
        weight=remark.weight,
    )


def _together(remarks: Iterable[Remark]) -> Remark:
    """Return the remark on a line in which lines with these remarks join."""
    joined = list(remarks)
    marks = {remark.mark for remark in joined}
    active = marks - {Mark.INACTIVE} or marks
    strongest = next((mark for mark in (Mark.LIT, Mark.PLAIN) if mark in marks), Mark.PLAIN)
    mark = next(iter(active)) if len(active) == 1 else strongest
    return Remark(mark, weight=max(remark.weight for remark in joined))


def _between(fork: Remark, outcome: Remark) -> Remark:
    """Return the remark on a line from a fork to an outcome: it was taken no more than either."""
    mark = outcome.mark if fork.mark in {Mark.PLAIN, Mark.LIT} else fork.mark
    return Remark(mark, weight=min(fork.weight, outcome.weight))
