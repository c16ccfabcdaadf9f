"""The view `decisions`: for each state, every event with its conditions, and what comes of it: where it leads, or why it is refused.

The rows are the arrows of the machine, each once; below the rows of an event stands what comes of
it otherwise, and below those of a state what comes of every event that it does not offer. So
nothing is left open, and `faults` finds rows that overlap.
"""

from collections.abc import Iterator

from dispute_fsm.diagrams.completeness import faults, leaves_some, misplaced, other_events
from dispute_fsm.diagrams.formatting import Voice
from dispute_fsm.diagrams.model import OPENING, Arrow, Machine, StateNode
from dispute_fsm.diagrams.picture import (
    Box,
    Face,
    Frame,
    Line,
    Picture,
    PictureEdge,
    Shape,
    TextRow,
    TextTable,
    View,
    cell,
)
from dispute_fsm.diagrams.views.chart import clocks_of, name_of, tooltip
from dispute_fsm.diagrams.views.sources import sources
from dispute_fsm.domain.commands import QUIET
from dispute_fsm.domain.enums import CommandType, Lang, Option, RefusalCode, StateName
from dispute_fsm.domain.messages import Messages
from dispute_fsm.domain.policy import Bilingual
from dispute_fsm.errors import ChartError

_WORDS = Messages(
    {
        "title": ("决策表 · 规则 {}", "Decision tables · rules {}"),
        "read": (
            (
                "每个状态一张表。先看事件与“适用条件”：至多一行适用；再看“必须满足”："
                "有一项不满足即被拒绝，不满足的各项连同括号中的代码一并返回。"
            ),
            (
                "One table for each state. First the event and “if”: at most one row applies. "
                "Then “needs”: where any of it is unmet the "
                "request is refused, and every unmet item comes back with the code in brackets."
            ),
        ),
        "time": (
            (
                "除届满事件外，每一行都要求所在状态的时限未过（恰在截止时刻操作，视为按时）；"
                "逾期的后果见“否则”一行。"
            ),
            (
                "Every row but an expiry demands that the running deadline of its state has not "
                "passed (at the due instant is in time); "
                "what being late means stands under “otherwise”."
            ),
        ),
        "regions": (
            "同时进行的两条路径：事件在任一路径适用即生效；“其他事件”仅就该路径而言。",
            (
                "Of regions that run side by side: an event counts where either offers it; “any "
                "other event” speaks of the region alone."
            ),
        ),
        "table": ("{}（{}）", "{} ({})"),
        "within": ("包含 {}", "covers {}"),
        "before": ("发起纠纷之前", "before the dispute"),
        "event": ("事件", "event"),
        "who": ("由谁", "by"),
        "when": ("适用条件", "if"),
        "needs": ("必须满足（否则拒绝）", "needs (else refused with)"),
        "to": ("下一状态", "leads to"),
        "outcome": ("结果", "outcome"),
        "clocks": ("时限", "deadlines"),
        "source": ("依据", "source"),
        "otherwise": ("否则", "otherwise"),
        "others": ("其他事件", "any other event"),
        "someone": ("由他人操作：{}", "by anybody else: {}"),
        "timing": ("不满足“{}”：{}", "not “{}”: {}"),
        "nothing": ("以上均不适用：{}", "where no row applies: {}"),
        "unchanged": ("无变化，不视为错误", "nothing changes, no error"),
        "not_offered": ("本规则版本没有的方案：{}", "an option of another rule version: {}"),
        "if_chosen": (
            "{}（已选择方案时）、{}（尚未选择方案时）",
            "{} (where one was chosen), {} (where none was)",
        ),
        "nothing_leads_out": ("无后续操作", "nothing leads out"),
    }
)
_HEADS = ("event", "who", "when", "needs", "to", "outcome", "clocks", "source")
_WIDTHS = (13, 9, 20, 28, 12, 14, 14, 5)


def decisions(machine: Machine, lang: Lang) -> View:
    """Show the decision tables. Raises `ChartError` where rows overlap, or the order's facts could fall between them."""
    if found := list(faults(machine)):
        raise ChartError(f"{machine.rules}: {found[0]}")
    voice = Voice(machine, lang)
    says = _DecisionText(voice)
    notes = [
        "read",
        "time",
        *(["regions"] if any(state.kind == "parallel" for state in machine.states) else []),
    ]
    return View(
        name="decisions",
        lang=lang,
        title=says("title", voice.rules),
        notes=tuple(says(note) for note in notes),
        parts=(
            says.opening(),
            *(says.table(state) for state in machine.states if says.has_rows(state)),
            sources(voice),
        ),
        graph=_sketch(voice),
    )


class _DecisionText:
    """Says rows in words."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.machine = voice.machine

    def __call__(self, name: str, *words: object) -> str:
        return _WORDS(self.voice.lang, name, *words)

    def has_rows(self, state: StateNode) -> bool:
        return state.kind == "leaf" or any(
            arrow.source == state.id for arrow in self.machine.arrows
        )

    def opening(self) -> TextTable:
        arrow = self.machine.arrow(OPENING)
        rows = (self.row(arrow), self.otherwise((arrow,), left=False))
        return self.titled("decisions-before", self("before"), rows)

    def table(self, state: StateNode) -> TextTable:
        rows: list[TextRow] = []
        here = [arrow for arrow in self.machine.arrows if arrow.source == state.id]
        for event in dict.fromkeys(arrow.event for arrow in here):
            arrows = tuple(arrow for arrow in here if arrow.event is event)
            rows += [
                *map(self.row, arrows),
                self.otherwise(arrows, left=leaves_some(self.machine, arrows)),
            ]
        if (others := other_events(self.machine, state)) and state.kind in {"leaf", "parallel"}:
            rows.append(self.others(state, others))
        title = self("table", self.voice.label(state.label), state.id)
        if state.kind != "leaf":
            title += self.voice.say("colon") + self(
                "within", self.voice.say("comma").join(map(self.voice.label, self.covered(state)))
            )
        return self.titled(
            f"decisions-{state.id}", title, tuple(rows), tuple(clocks_of(self.voice, state))
        )

    def covered(self, state: StateNode) -> list[Bilingual]:
        return [leaf.label for leaf in self.machine.leaves(state.id)]

    def titled(
        self, name: str, title: str, rows: tuple[TextRow, ...], notes: tuple[str, ...] = ()
    ) -> TextTable:
        return TextTable(
            id=name,
            title=title,
            heads=tuple(self(head) for head in _HEADS),
            widths=_WIDTHS,
            rows=rows,
            notes=notes,
            page=1560,
        )

    def row(self, arrow: Arrow) -> TextRow:
        voice = self.voice
        return TextRow(
            id=f"decision-{arrow.id}",
            tone=arrow.roles[0].value,
            cells=(
                (Line(voice.label(arrow.event), Face.STRONG), Line(arrow.event.value, Face.FAINT)),
                cell(voice.roles(arrow)),
                cell(*(f"{voice.condition(one)} {voice.ref(one)}" for one in voice.selects(arrow)))
                or cell(voice.say("none")),
                cell(*self.demands(arrow)) or cell(voice.say("none")),
                (Line(voice.say("stays"), Face.STRONG),)
                if arrow.stays
                else (Line(voice.state(arrow.target), Face.STRONG),),
                cell(*voice.endings(arrow), face=Face.STRONG) or cell(voice.say("none")),
                cell(*voice.clocks(arrow)) or cell(voice.say("none")),
                cell(voice.ref(arrow)),
            ),
        )

    def demands(self, arrow: Arrow) -> Iterator[str]:
        for words, ref, conditions in self.voice.grouped(self.voice.demands(arrow)):
            codes = ", ".join(dict.fromkeys(code.value for one in conditions for code in one.codes))
            yield f"{words} {ref} ({codes})"

    def otherwise(self, arrows: tuple[Arrow, ...], *, left: bool) -> TextRow:
        first = arrows[0]
        lines = [self("someone", self.codes(first.by))]
        if first.event not in QUIET:
            lines += [
                self(
                    "timing",
                    self.voice.label(self.machine.conditions[name].label),
                    self.codes(name),
                )
                for name in first.timing
            ]
        if first.event is CommandType.CHOOSE_OPTION and set(self.machine.options) < set(Option):
            lines.append(self("not_offered", RefusalCode.OPTION_NOT_OFFERED.value))
        if first.event in QUIET:
            lines.append(self("nothing", self("unchanged")))
        elif left:
            lines.append(self("nothing", RefusalCode.NOT_IN_THIS_STATE.value))
        return self.merged(
            f"otherwise-{first.source}-{first.event.value}", self("otherwise"), lines
        )

    def others(self, state: StateNode, events: tuple[CommandType, ...]) -> TextRow:
        answers: dict[str, list[CommandType]] = {}
        for event in events:
            answers.setdefault(self.misplaced(state, event), []).append(event)
        lines = [
            self.voice.say("comma").join(self.voice.label(event) for event in each)
            + self.voice.say("colon")
            + answer
            for answer, each in answers.items()
        ]
        return self.merged(f"others-{state.id}", self("others"), lines)

    def misplaced(self, state: StateNode, event: CommandType) -> str:
        codes = misplaced(self.machine, state, event)
        if not codes:
            return self("unchanged")
        return (
            codes[0].value
            if len(codes) == 1
            else self("if_chosen", *(code.value for code in codes))
        )

    def merged(self, name: str, head: str, lines: list[str]) -> TextRow:
        return TextRow(
            id=name,
            cells=(
                cell(head, face=Face.FAINT),
                cell(self.voice.say("and").join(lines), face=Face.FAINT),
            ),
        )

    def codes(self, condition: str) -> str:
        return ", ".join(self.machine.conditions[condition].codes)


# ---- as a graph ----------------------------------------------------------------------------------


def _sketch(voice: Voice) -> Picture:
    """Draw the same as a graph: each state with what its events lead to, apart from the others."""
    machine = voice.machine
    boxes, edges, frames = list[Box](), list[PictureEdge](), list[Frame]()
    for state in machine.states:
        arrows = [arrow for arrow in machine.arrows if arrow.source == state.id]
        if not arrows:
            continue
        frame = Frame(
            id=f"of-{state.id}", title="  ".join(line.text for line in name_of(voice, state))
        )
        frames.append(frame)
        boxes.append(
            Box(
                id=f"in-{state.id}",
                frame=frame.id,
                lines=(Line(voice.label(state.label), Face.TITLE),),
            )
        )
        for arrow in arrows:
            end = f"in-{state.id}" if arrow.stays else f"to-{state.id}-{arrow.target}"
            if all(box.id != end for box in boxes):
                shape = _shape(machine.state(arrow.target))
                boxes.append(
                    Box(
                        id=end,
                        frame=frame.id,
                        shape=shape,
                        lines=(Line(voice.state(arrow.target), Face.TITLE),),
                    )
                )
            edges.append(_edge(voice, arrow, f"in-{state.id}", end))
    return Picture(
        id="decisions",
        title=voice.rules,
        boxes=tuple(boxes),
        edges=tuple(edges),
        frames=tuple(frames),
    )


def _shape(target: StateNode) -> Shape:
    if not target.closed:
        return Shape.STATE
    return Shape.BAD_END if target.id == StateName.PENALIZED.value else Shape.GOOD_END


def _edge(voice: Voice, arrow: Arrow, source: str, target: str) -> PictureEdge:
    lines = [
        Line(f"{voice.roles(arrow)} · {voice.label(arrow.event)}  {voice.ref(arrow)}", Face.HEAD)
    ]
    if selects := voice.selects(arrow):
        lines.append(Line(voice.say("when", voice.say("and").join(map(voice.condition, selects)))))
    lines += [Line(voice.say("needs", text)) for text in _DecisionText(voice).demands(arrow)]
    if ends := voice.endings(arrow):
        lines.append(Line(voice.say("ends_as", voice.say("and").join(ends)), Face.STRONG))
    return PictureEdge(
        id=arrow.id,
        source=source,
        target=target,
        lines=tuple(lines),
        tone=arrow.roles[0].value,
        tooltip="\n".join(tooltip(voice, arrow)),
    )
