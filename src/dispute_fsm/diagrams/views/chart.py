"""The view `chart`: the whole machine, its states as boxes, its transitions with their requirements, and the source of each rule.

Other views show something about the same picture, by marks on its elements.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dispute_fsm.diagrams.formatting import Voice
from dispute_fsm.diagrams.model import Arrow, Machine, StateNode
from dispute_fsm.diagrams.picture import (
    Box,
    Face,
    Frame,
    Line,
    Mark,
    Picture,
    PictureEdge,
    Shape,
    View,
)
from dispute_fsm.diagrams.views.sources import sources
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.messages import Messages
from dispute_fsm.domain.scalars import FrozenMap

BEGIN = "begin"
"""The id of the dot from which a dispute begins."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a view says about a state or an arrow: a mark, and the same in words."""

    mark: Mark
    badge: str = ""


_NONE: Mapping[str, Remark] = FrozenMap({})
_PLAIN = Remark(Mark.PLAIN)


def machine_picture(
    voice: Voice,
    remarks: Mapping[str, Remark] = _NONE,
    *,
    name: str = "machine",
    brief: bool = False,
) -> Picture:
    """Make the picture; `remarks` go by the ids of states and arrows. `brief`: arrows without what they demand."""
    machine = voice.machine
    return Picture(
        id=name,
        title=voice.rules,
        boxes=(
            Box(id=BEGIN, lines=(), shape=Shape.START),
            *(
                _box(voice, state, remarks.get(state.id, _PLAIN))
                for state in machine.states
                if state.kind == "leaf"
            ),
        ),
        frames=tuple(
            _frame(voice, state, remarks.get(state.id, _PLAIN))
            for state in machine.states
            if state.kind != "leaf"
        ),
        edges=tuple(
            _edge(voice, arrow, remarks.get(arrow.id, _PLAIN), brief=brief)
            for arrow in machine.arrows
        ),
    )


def _box(voice: Voice, state: StateNode, remark: Remark) -> Box:
    return Box(
        id=state.id,
        frame=state.parent,
        shape=_shape(voice.machine, state),
        lines=(*name_of(voice, state), *(Line(text) for text in clocks_of(voice, state))),
        mark=remark.mark,
        badge=remark.badge,
        tooltip=f"{voice.label(state.label)} ({state.id})",
    )


def name_of(voice: Voice, state: StateNode) -> tuple[Line, ...]:
    """Name a state: its label, and its id where that says more."""
    title = Line(voice.label(state.label), Face.TITLE)
    return (title,) if title.text == state.id else (title, Line(state.id, Face.FAINT))


def _frame(voice: Voice, state: StateNode, remark: Remark) -> Frame:
    label, *beside = name_of(voice, state)
    return Frame(
        id=state.id,
        title=" ".join([label.text, *(f"({line.text})" for line in beside)]),
        frame=state.parent,
        parallel=state.kind == "parallel",
        mark=remark.mark,
    )


def _shape(machine: Machine, state: StateNode) -> Shape:
    if not state.closed:
        return Shape.STATE
    leads_on = any(arrow.source == state.id for arrow in machine.arrows)
    return Shape.BAD_END if leads_on else Shape.GOOD_END


def clocks_of(voice: Voice, state: StateNode) -> Iterator[str]:
    """Say which deadlines may stand in a state, how long they run, and whether the state acts on them."""
    for deadline in state.stands:
        told = voice.say("deadline", name=voice.label(deadline), term=voice.term(deadline))
        if deadline not in state.runs:
            told += voice.say("only_window" if state.runs else "only_waits")
        yield told


def _edge(voice: Voice, arrow: Arrow, remark: Remark, *, brief: bool) -> PictureEdge:
    return PictureEdge(
        id=arrow.id,
        source=BEGIN if arrow.source is None else arrow.source,
        target=arrow.target,
        lines=tuple(_lines(voice, arrow, brief=brief)),
        tone=arrow.roles[0].value,
        mark=remark.mark,
        badge=remark.badge,
        tooltip="\n".join(tooltip(voice, arrow)),
    )


def _lines(voice: Voice, arrow: Arrow, *, brief: bool) -> Iterator[Line]:
    ref = "" if brief else f"  {voice.ref(arrow)}"
    yield Line(f"{voice.roles(arrow)} · {voice.label(arrow.event)}{ref}", Face.HEAD)
    if selects := voice.selects(arrow):
        yield Line(voice.say("when", voice.say("and").join(map(voice.condition, selects))))
    if (demands := voice.demands(arrow)) and not brief:
        yield Line(voice.say("needs", voice.say("and").join(voice.told(demands))))
    if arrow.liability is not None:
        yield Line(voice.say("fails", voice.label(arrow.liability)), Face.STRONG)
    if outcomes := dict.fromkeys(voice.label(end.outcome) for end in arrow.endings):
        yield Line(voice.say("ends_as", " / ".join(outcomes)), Face.STRONG)
    if not brief:
        yield from (Line(text, Face.FAINT) for text in voice.clocks(arrow))


def tooltip(voice: Voice, arrow: Arrow) -> Iterator[str]:
    """Say all there is to say about an arrow, with the source of it and of each of its conditions."""
    yield f"{voice.roles(arrow)} · {voice.label(arrow.event)} ({arrow.event.value})"
    yield voice.source(arrow)
    for condition in (
        *voice.selects(arrow),
        *voice.conditions(arrow.timing),
        *voice.conditions(arrow.needs),
    ):
        codes = f" → {', '.join(condition.codes)}" if condition.codes else ""
        yield f"{voice.condition(condition)} ({condition.name}){codes}: {voice.source(condition)}"
    yield from voice.endings(arrow)


_WORDS = Messages(
    {
        "title": ("催单纠纷状态图 · 规则 {}", "Rush-delivery disputes · rules {}"),
        "read": (
            (
                "从左向右读。方框是状态，小框是事件：由谁操作、做什么。“适用条件”说明何时适用；"
                "“必须满足”的要求有一项不满足，请求即被拒绝。"
                "写在状态框内的事件不改变状态。双线框表示纠纷已结束；虚线外框内的各条路径同时进行。"
            ),
            (
                "Read from left to right. A box is a state, a small box an event: who does what; "
                "“if” says when it applies, “needs” what "
                "it demands, else the request is refused. Events inside a state leave it as it "
                "is. A double line closes the dispute; "
                "regions in a dashed frame run side by side."
            ),
        ),
        "time": (
            (
                "除届满事件外，每个事件都须在所在状态的时限内发生；届满事件在时限届满后方可生效。"
                "恰在截止时刻操作，视为按时。"
            ),
            (
                "Every event but an expiry has to come within the running deadline of its state; "
                "an expiry is accepted only after it. "
                "At the due instant is in time."
            ),
        ),
        "idle": ("【当前参数下不适用】", "[never under this policy]"),
    }
)


def chart(machine: Machine, lang: Lang) -> View:
    """Show a whole machine."""
    voice = Voice(machine, lang)
    picture = machine_picture(voice, _idle(voice))
    return View(
        name="chart",
        lang=lang,
        title=_WORDS(lang, "title", voice.rules),
        notes=(_WORDS(lang, "read"), _WORDS(lang, "time")),
        parts=(picture, sources(voice)),
        graph=picture,
    )


def _idle(voice: Voice) -> dict[str, Remark]:
    badge = _WORDS(voice.lang, "idle")
    return {name: Remark(Mark.PLAIN, badge) for name in voice.machine.idle()}
