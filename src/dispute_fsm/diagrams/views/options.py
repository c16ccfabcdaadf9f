"""The view `options`: the merchant's options side by side, with requirements and results."""

from collections.abc import Iterator
from functools import partial

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import OPTIONS
from dispute_fsm.diagrams.model import GuardLabel, Machine, TransitionView
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
from dispute_fsm.diagrams.policy_text import policy_note
from dispute_fsm.diagrams.views.chart import remark_on, shape_of, state_name, transition_edge
from dispute_fsm.diagrams.views.sources import source_table, uses
from dispute_fsm.domain.enums import ORDER_PAGE_LINK, CommandType, Lang, Option
from dispute_fsm.domain.reasons import LINKED
from dispute_fsm.rules.guards.selectors import OPTION

_GENERAL = frozenset({CommandType.EXTEND_DEADLINE, CommandType.WITHDRAW})
"""Events that are possible nearly everywhere, whatever was chosen: not shown for an option."""


def options(machine: Machine, lang: Lang) -> View:
    """Show the options side by side."""
    fmt = Formatter(machine, lang)
    columns = [_OptionColumn(fmt, option) for option in machine.options]
    shown = [
        transition
        for transition in machine.transitions
        if any(transition in (*column.choices, *column.next) for column in columns)
    ]
    cited = {ref for column in columns for _, ref, _ in fmt.grouped(column.requirements)}
    cited |= {fmt.ref(transition) for transition in shown}
    used = {ref: of for ref, of in uses(fmt, shown).items() if ref in cited}
    return View(
        name="options",
        lang=lang,
        title=OPTIONS(lang, "title", fmt.rules),
        notes=(policy_note(fmt), OPTIONS(lang, "once")),
        parts=(_table(fmt, columns), source_table(fmt, used)),
        graph=_sketch(fmt, columns),
    )


class _OptionColumn:
    """Formats one option: what it requires and what follows."""

    def __init__(self, fmt: Formatter, option: Option) -> None:
        self.fmt = fmt
        self.option = option
        self.text = partial(OPTIONS, fmt.lang)
        self.choices = [
            transition
            for transition in fmt.machine.transitions
            if transition.event is CommandType.CHOOSE_OPTION and self.is_for(transition)
        ]
        """The transitions by which it is chosen."""
        self.following = list(self._following())
        """The transitions that can follow, directly or later, each once."""
        first = {transition.target for transition in self.choices}
        self.next = [transition for transition in self.following if transition.source in first]
        """The transitions that can follow directly."""
        self.requirements: list[GuardLabel] = list(
            {
                guard.name: guard
                for transition in self.choices
                for guard in fmt.requirements(transition)
            }.values()
        )

    def is_for(self, transition: TransitionView) -> bool:
        return self.fmt.machine.is_for(transition, {OPTION.name: self.option.value})

    def _following(self) -> Iterator[TransitionView]:
        machine = self.fmt.machine
        seen: set[str] = set()
        leaves = [transition.target for transition in self.choices]
        for leaf in leaves:
            for transition in machine.transitions:
                if (
                    transition.source == leaf
                    and transition.event not in _GENERAL
                    and self.is_for(transition)
                    and transition.id not in seen
                    and not machine.state(leaf).closed
                ):
                    seen.add(transition.id)
                    if not machine.state(transition.target).closed and not transition.stays:
                        leaves.append(transition.target)
                    yield transition

    # ---- the cells -------------------------------------------------------------------------------

    def required(self, *, facts: bool) -> list[str]:
        """Return what it requires: of the order's facts, or of the merchant."""
        return self.fmt.with_sources(
            guard for guard in self.requirements if guard.needs_facts is facts
        )

    def refusals(self) -> Iterator[str]:
        codes = dict.fromkeys(code for guard in self.requirements for code in guard.codes)
        for code in codes:
            yield self.fmt.refusal(code)
        if set(codes) & LINKED:
            yield self.text("link", ORDER_PAGE_LINK)

    def results(self) -> Iterator[Line]:
        for transition in self.choices:
            answers = self.answers(transition)
            state = self.settled(transition, self.fmt.state(transition.target))
            text = answers + self.fmt.message("colon") + state if answers else state
            yield self.cited(text, transition, Face.STRONG)

    def deadlines(self) -> Iterator[Line]:
        started = (deadline for transition in self.choices for deadline in transition.starts)
        for deadline in dict.fromkeys(started):
            face = Face.FAINT if deadline in self.fmt.machine.off else Face.TEXT
            yield Line(self.fmt.deadline(deadline), face)

    def next_steps(self) -> Iterator[Line]:
        for transition in self.next:
            answers = self.answers(transition)
            stays = self.fmt.message("stays")
            state = stays if transition.stays else self.fmt.state(transition.target)
            text = self.text(
                "leads_to",
                trigger=self.fmt.trigger(transition),
                when=self.text("given", answers) if answers else "",
                state=self.settled(transition, state),
            )
            yield self.cited(text, transition)

    def endings(self) -> Iterator[Line]:
        by_ending: dict[tuple[str, str], list[str]] = {}
        for transition in (*self.choices, *self.following):
            if (outcome := self.outcome(transition)) is not None:
                by_ending.setdefault((transition.target, outcome), []).append(transition.id)
        states = [state.id for state in self.fmt.machine.states]
        for ending in sorted(by_ending, key=lambda end: (states.index(end[0]), end[1])):
            text = self.text("as", state=self.fmt.state(ending[0]), outcome=ending[1])
            inactive = self.fmt.inactive.issuperset(by_ending[ending])
            text = self.fmt.marked(text, *by_ending[ending])
            yield Line(text, Face.FAINT if inactive else Face.TEXT)

    def cited(self, text: str, transition: TransitionView, face: Face = Face.TEXT) -> Line:
        """Make a line about a transition, with its source."""
        text = f"{self.fmt.marked(text, transition.id)} {self.fmt.ref(transition)}"
        return Line(text, Face.FAINT if transition.id in self.fmt.inactive else face)

    def answers(self, transition: TransitionView, *, with_option: bool = False) -> str:
        """Return the answers that select a transition, by default without the option."""
        return self.fmt.join(
            "and",
            (
                self.fmt.label(guard.label)
                for guard in self.fmt.selectors(transition)
                if with_option or guard.question != OPTION.name
            ),
        )

    def outcome(self, transition: TransitionView) -> str | None:
        outcomes = (
            self.fmt.outcome(ending.outcome)
            for ending in transition.endings
            if ending.option in {None, self.option}
        )
        return next(outcomes, None)

    def settled(self, transition: TransitionView, state: str) -> str:
        """Return a state, with the outcome where the transition has one."""
        outcome = self.outcome(transition)
        return state if outcome is None else self.text("settled", state=state, outcome=outcome)


def _table(fmt: Formatter, columns: list[_OptionColumn]) -> TextTable:
    rows = {
        "facts": [cell(*column.required(facts=True)) for column in columns],
        "payload": [cell(*column.required(facts=False)) for column in columns],
        "refusals": [cell(*column.refusals()) for column in columns],
        "leads": [tuple(column.results()) for column in columns],
        "clocks": [tuple(column.deadlines()) for column in columns],
        "then": [tuple(column.next_steps()) for column in columns],
        "ends": [tuple(column.endings()) for column in columns],
    }
    nothing = cell(OPTIONS(fmt.lang, "nothing"), face=Face.FAINT)
    heads = (f"{fmt.label(column.option)} ({column.option.value})" for column in columns)
    return TextTable(
        id="options",
        title="",
        heads=("", *heads),
        widths=(10, *(18 for _ in columns)),
        rows=tuple(
            TextRow(
                id=f"options-{name}",
                cells=(
                    cell(OPTIONS(fmt.lang, name), face=Face.STRONG),
                    *(lines or nothing for lines in cells),
                ),
            )
            for name, cells in rows.items()
        ),
        page=1480,
    )


# ---- as a graph ----------------------------------------------------------------------------------


def _sketch(fmt: Formatter, columns: list[_OptionColumn]) -> Picture:
    """Draw the table as a graph: from the choice over the options to the resulting states."""
    boxes, edges = dict[str, Box](), list[PictureEdge]()

    def add_state(name: str) -> None:
        state = fmt.machine.state(name)
        shape = shape_of(fmt.machine, state)
        boxes.setdefault(
            name,
            Box(
                id=name,
                lines=state_name(fmt, state),
                shape=shape,
                mark=remark_on(fmt, name).mark,
                badge=remark_on(fmt, name).badge,
            ),
        )

    for column in columns:
        option = column.option
        lines = (
            Line(fmt.label(option), Face.TITLE),
            Line(option.value, Face.FAINT),
            *map(Line, (*column.required(facts=True), *column.required(facts=False))),
        )
        boxes[option.value] = Box(id=option.value, lines=lines, shape=Shape.NOTE)
        for transition in column.choices:
            source = str(transition.source)
            add_state(source)
            if all(edge.target != option.value for edge in edges):
                edges.append(
                    PictureEdge(
                        id=f"choose-{option.value}",
                        source=source,
                        target=option.value,
                        tone=transition.roles[0].value,
                    )
                )
            add_state(transition.target)
            edges.append(_edge(column, transition, option))
        for transition in column.following:
            if not transition.stays and all(edge.id != transition.id for edge in edges):
                add_state(str(transition.source))
                add_state(transition.target)
                edges.append(_edge(column, transition, None))
    return Picture(id="options", title=fmt.rules, boxes=tuple(boxes.values()), edges=tuple(edges))


def _edge(column: _OptionColumn, transition: TransitionView, option: Option | None) -> PictureEdge:
    """Draw a transition, from the box of an option or (None) from its source."""
    fmt = column.fmt
    lines = [] if option else [Line(fmt.trigger(transition), Face.HEAD)]
    if answers := column.answers(transition, with_option=option is None):
        lines.append(Line(fmt.message("when", answers)))
    lines += [Line(fmt.ends_as([text]), Face.STRONG) for text in fmt.endings(transition)]
    source = option.value if option else str(transition.source)
    return transition_edge(
        fmt,
        transition,
        ends=(source, transition.target),
        lines=lines,
        remark=remark_on(fmt, transition.id),
    )
