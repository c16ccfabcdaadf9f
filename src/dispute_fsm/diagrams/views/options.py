"""The view `options`: the merchant's responses side by side: what each takes, what a refusal says, and what follows."""

from collections.abc import Iterator

from dispute_fsm.diagrams.formatting import Voice
from dispute_fsm.diagrams.model import Arrow, GuardLabel, Machine
from dispute_fsm.diagrams.picture import (
    Box,
    Face,
    Line,
    Picture,
    PictureEdge,
    Shape,
    TextRow,
    TextTable,
    View,
    cell,
)
from dispute_fsm.diagrams.views.chart import name_of, tooltip
from dispute_fsm.diagrams.views.sources import sources
from dispute_fsm.domain.enums import ORDER_PAGE_LINK, CommandType, Lang, Option, StateName
from dispute_fsm.domain.messages import Messages
from dispute_fsm.domain.reasons import LINKED
from dispute_fsm.rules.guards.selectors import OPTION

_WORDS = Messages(
    {
        "title": ("商家可选方案 · 规则 {}", "The merchant's responses · rules {}"),
        "once": (
            (
                "每起纠纷只能选择一个方案，选择后不可更改。条件不满足时，系统拒绝该选择，"
                "并逐项说明缺少的内容。"
            ),
            (
                "Exactly one response is given for each dispute, and it cannot be taken back. "
                "Where what it takes is missing, choosing it "
                "is refused, and every missing item is named."
            ),
        ),
        "facts": ("订单系统须显示", "the order system has to show"),
        "payload": ("商家须提交", "the merchant has to hand in"),
        "refusals": ("不满足时的提示", "what a refusal says"),
        "leads": ("选择之后", "what it leads to"),
        "clocks": ("随即开始计时", "deadlines that begin"),
        "then": ("后续可能", "what may come then"),
        "ends": ("可能的结果", "how it may end"),
        "nothing": ("无", "nothing"),
        "link": ("附链接“{}”", "with the link {}"),
        "leads_to": ("{who} · {event}{when} → {state}", "{who} · {event}{when} → {state}"),
        "given": (" [{}]", " ({})"),
        "as": ("{state}：{outcome}", "{state}: {outcome}"),
        "settled": ("{state}（{outcome}）", "{state} ({outcome})"),
    }
)
_NO_WAY_ON = frozenset({CommandType.EXTEND_DEADLINE, CommandType.WITHDRAW})
"""Possible nearly everywhere, whatever was chosen: said of no option in particular."""


def options(machine: Machine, lang: Lang) -> View:
    """Show the options side by side."""
    voice = Voice(machine, lang)
    says = _OptionText(voice)
    named = {
        ref for option in machine.options for _, ref, _ in voice.grouped(says.conditions(option))
    }
    return View(
        name="options",
        lang=lang,
        title=says("title", voice.rules),
        notes=(says("once"),),
        parts=(
            says.table(),
            sources(
                voice,
                [arrow for arrow in machine.arrows if arrow.event is CommandType.CHOOSE_OPTION],
                named,
            ),
        ),
        graph=says.sketch(),
    )


class _OptionText:
    """Says what an option takes and what follows."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.machine = voice.machine

    def __call__(self, name: str, /, *words: object, **named: object) -> str:
        return _WORDS(self.voice.lang, name, *words, **named)

    def table(self) -> TextTable:
        chosen = self.machine.options
        rows = {
            "facts": [cell(*self.demanded(option, facts=True)) for option in chosen],
            "payload": [cell(*self.demanded(option, facts=False)) for option in chosen],
            "refusals": [cell(*self.refusals(option)) for option in chosen],
            "leads": [cell(*self.leads(option), face=Face.STRONG) for option in chosen],
            "clocks": [cell(*self.clocks(option)) for option in chosen],
            "then": [cell(*self.then(option)) for option in chosen],
            "ends": [cell(*self.ends(option)) for option in chosen],
        }
        nothing = cell(self("nothing"), face=Face.FAINT)
        return TextTable(
            id="options",
            title="",
            heads=("", *(f"{self.voice.label(option)} ({option.value})" for option in chosen)),
            widths=(10, *(18 for _ in chosen)),
            rows=tuple(
                TextRow(
                    id=f"options-{name}",
                    cells=(
                        cell(self(name), face=Face.STRONG),
                        *(lines or nothing for lines in each),
                    ),
                )
                for name, each in rows.items()
            ),
            page=1480,
        )

    # ---- one option ------------------------------------------------------------------------------

    def arrows(self, option: Option) -> list[Arrow]:
        """Return the ways to choose an option."""
        return [
            arrow
            for arrow in self.machine.arrows
            if arrow.event is CommandType.CHOOSE_OPTION and self.is_for(arrow, option)
        ]

    def is_for(self, arrow: Arrow, option: Option) -> bool:
        """Tell whether an arrow may apply where this option was chosen."""
        selects = self.voice.conditions(arrow.when)
        return all(one.question != OPTION.name or option.value in one.accepts for one in selects)

    def conditions(self, option: Option) -> list[GuardLabel]:
        found = {
            one.name: one for arrow in self.arrows(option) for one in self.voice.demands(arrow)
        }
        return list(found.values())

    def demanded(self, option: Option, *, facts: bool) -> Iterator[str]:
        return iter(
            self.voice.told(one for one in self.conditions(option) if one.needs_facts is facts)
        )

    def refusals(self, option: Option) -> Iterator[str]:
        codes = dict.fromkeys(code for one in self.conditions(option) for code in one.codes)
        for code in codes:
            yield f"{self.voice.word('code', code.value)} ({code.value})"
        if set(codes) & LINKED:
            yield self("link", ORDER_PAGE_LINK)

    def leads(self, option: Option) -> Iterator[str]:
        for arrow in self.arrows(option):
            state, outcome = self.voice.state(arrow.target), self.outcome(arrow, option)
            yield self.given(arrow) + (
                state if outcome is None else self("settled", state=state, outcome=outcome)
            )

    def given(self, arrow: Arrow) -> str:
        """Say under which policy or facts an arrow applies, beside the option."""
        words = [
            self.voice.label(one.label)
            for one in self.voice.selects(arrow)
            if one.question != OPTION.name
        ]
        return self.voice.say("and").join(words) + self.voice.say("colon") if words else ""

    def outcome(self, arrow: Arrow, option: Option) -> str | None:
        return next(
            (
                self.voice.label(end.outcome)
                for end in arrow.endings
                if end.option in {None, option}
            ),
            None,
        )

    def clocks(self, option: Option) -> Iterator[str]:
        for deadline in dict.fromkeys(
            deadline for arrow in self.arrows(option) for deadline in arrow.starts
        ):
            yield self.voice.say(
                "deadline", name=self.voice.label(deadline), term=self.voice.term(deadline)
            )

    def following(self, option: Option) -> Iterator[Arrow]:
        """Go through what may come next after an option was chosen, and after that, each once."""
        seen: dict[str, Arrow] = {}
        leaves = [arrow.target for arrow in self.arrows(option)]
        for leaf in leaves:
            for arrow in self.machine.arrows:
                if (
                    arrow.source == leaf
                    and arrow.event not in _NO_WAY_ON
                    and self.is_for(arrow, option)
                    and arrow.id not in seen
                ):
                    seen[arrow.id] = arrow
                    if not self.machine.state(arrow.target).closed and not arrow.stays:
                        leaves.append(arrow.target)
                    if not self.machine.state(leaf).closed:
                        yield arrow

    def then(self, option: Option) -> Iterator[str]:
        first = {arrow.target for arrow in self.arrows(option)}
        for arrow in self.following(option):
            if arrow.source in first:
                words = [
                    self.voice.label(one.label)
                    for one in self.voice.selects(arrow)
                    if one.question != OPTION.name
                ]
                outcome = self.outcome(arrow, option)
                state = self.voice.say("stays") if arrow.stays else self.voice.state(arrow.target)
                yield self(
                    "leads_to",
                    who=self.voice.roles(arrow),
                    event=self.voice.label(arrow.event),
                    when=self("given", self.voice.say("and").join(words)) if words else "",
                    state=state
                    if outcome is None
                    else self("settled", state=state, outcome=outcome),
                )

    def ends(self, option: Option) -> Iterator[str]:
        arrows = [*self.arrows(option), *self.following(option)]
        found = {
            (arrow.target, outcome)
            for arrow in arrows
            if (outcome := self.outcome(arrow, option)) is not None
        }
        states = [state.id for state in self.machine.states if state.closed]
        for state, outcome in sorted(found, key=lambda one: (states.index(one[0]), one[1])):
            yield self("as", state=self.voice.state(state), outcome=outcome)

    # ---- as a graph ------------------------------------------------------------------------------

    def sketch(self) -> Picture:
        """Draw the same as a graph: from the choice over the options to the states that they lead to."""
        boxes, edges = dict[str, Box](), list[PictureEdge]()
        for option in self.machine.options:
            demands = [*self.demanded(option, facts=True), *self.demanded(option, facts=False)]
            lines = (
                Line(self.voice.label(option), Face.TITLE),
                Line(option.value, Face.FAINT),
                *map(Line, demands),
            )
            boxes[option.value] = Box(id=option.value, lines=lines, shape=Shape.NOTE)
            for arrow in self.arrows(option):
                source = str(arrow.source)
                self._add(boxes, source)
                if all(edge.target != option.value for edge in edges):
                    edges.append(
                        PictureEdge(
                            id=f"choose-{option.value}",
                            source=source,
                            target=option.value,
                            tone=arrow.roles[0].value,
                        )
                    )
                edges.append(self._edge(boxes, arrow, option.value, option))
            for arrow in self.following(option):
                if arrow.id not in {edge.id for edge in edges} and not arrow.stays:
                    self._add(boxes, str(arrow.source))
                    edges.append(self._edge(boxes, arrow, str(arrow.source), None))
        return Picture(
            id="options", title=self.voice.rules, boxes=tuple(boxes.values()), edges=tuple(edges)
        )

    def _add(self, boxes: dict[str, Box], name: str) -> None:
        state = self.machine.state(name)
        shape = (
            Shape.STATE
            if not state.closed
            else Shape.BAD_END
            if name == StateName.PENALIZED.value
            else Shape.GOOD_END
        )
        boxes.setdefault(name, Box(id=name, lines=name_of(self.voice, state), shape=shape))

    def _edge(
        self, boxes: dict[str, Box], arrow: Arrow, source: str, option: Option | None
    ) -> PictureEdge:
        self._add(boxes, arrow.target)
        words = [
            self.voice.label(one.label)
            for one in self.voice.selects(arrow)
            if option is None or one.question != OPTION.name
        ]
        lines = (
            []
            if option
            else [Line(f"{self.voice.roles(arrow)} · {self.voice.label(arrow.event)}", Face.HEAD)]
        )
        lines += [Line(self.voice.say("when", self.voice.say("and").join(words)))] if words else []
        lines += [
            Line(self.voice.say("ends_as", text), Face.STRONG) for text in self.voice.endings(arrow)
        ]
        tip = "\n".join(tooltip(self.voice, arrow))
        return PictureEdge(
            id=arrow.id,
            source=source,
            target=arrow.target,
            lines=tuple(lines),
            tone=arrow.roles[0].value,
            tooltip=tip,
        )
