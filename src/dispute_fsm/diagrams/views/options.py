"""The view `options`: the merchant's options side by side, with requirements and results.

Below them stand the evidence reasons and the limits. For phones each option is a card.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import OPTIONS
from dispute_fsm.diagrams.model import GuardLabel, Machine, TransitionView
from dispute_fsm.diagrams.picture import (
    PHONE,
    Box,
    Face,
    Line,
    Picture,
    PictureEdge,
    Shape,
    Sheet,
    TextRow,
    TextTable,
    View,
    cell,
)
from dispute_fsm.diagrams.policy_text import policy_note
from dispute_fsm.diagrams.views.cards import stacked
from dispute_fsm.diagrams.views.chart import remark_on, shape_of, state_name, transition_edge
from dispute_fsm.diagrams.views.evidence import (
    evidence_sources,
    limits_table,
    reasons_table,
    submissions,
)
from dispute_fsm.diagrams.views.sources import source_table, uses
from dispute_fsm.domain.enums import ORDER_PAGE_LINK, CommandType, Lang, Option
from dispute_fsm.domain.reasons import LINKED
from dispute_fsm.rules.guards.selectors import OPTION

_GENERAL = frozenset({CommandType.EXTEND_DEADLINE, CommandType.WITHDRAW})
"""Events that are possible nearly everywhere, whatever was chosen: not shown for an option."""


def options(machine: Machine, lang: Lang, *, narrow: bool = False) -> View:
    """Show the options side by side, or `narrow`: below each other, for phones."""
    fmt = Formatter(machine, lang)
    columns = [_OptionColumn(fmt, option) for option in machine.options]
    named = {each.id for one in columns for each in (*one.choices, *one.next, *one.later)}
    shown = [transition for transition in machine.transitions if transition.id in named]
    cited = {ref for column in columns for _, ref, _ in fmt.grouped(column.requirements)}
    cited |= {fmt.ref(transition) for transition in shown} | evidence_sources(fmt)
    used = {ref: of for ref, of in uses(fmt, (*shown, *submissions(fmt))).items() if ref in cited}
    others = (reasons_table(fmt), limits_table(fmt), source_table(fmt, used))
    cards = (*map(_card, columns), *(stacked(fmt, table) for table in others))
    return View(
        name="options-narrow" if narrow else "options",
        lang=lang,
        title=OPTIONS(lang, "title", fmt.rules),
        notes=(policy_note(fmt), OPTIONS(lang, "once")),
        parts=cards if narrow else (_table(fmt, columns), *others),
        graph=_sketch(fmt, columns),
        sheet=PHONE if narrow else Sheet(),
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
        own = {transition.id for transition in (*self.choices, *self.following)}
        self.later = [
            transition
            for transition in self._reached(frozenset())
            if transition.id not in own and self.outcome(transition) is not None
        ]
        """The other transitions to an end: nearly everywhere, or after the dispute was closed."""
        self.possible = frozenset(each.id for each in self._reached(fmt.inactive))
        """The ids of the transitions that the policy allows after it."""
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

    def _reached(self, excluded: frozenset[str]) -> Iterator[TransitionView]:
        """Iterate over all transitions that it can lead to, but for those excluded, each once."""
        machine = self.fmt.machine
        waiting, seen = list(self.choices), set(excluded)
        for transition in waiting:
            if transition.id not in seen:
                seen.add(transition.id)
                waiting += (
                    next_
                    for leaf in machine.entered(transition.target)
                    for next_ in machine.leaving(leaf)
                    if self.is_for(next_)
                )
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
        by_ending: dict[tuple[str, str], list[TransitionView]] = {}
        for transition in (*self.choices, *self.following):
            if (outcome := self.outcome(transition)) is not None:
                by_ending.setdefault((transition.target, outcome), []).append(transition)
        states = [state.id for state in self.fmt.machine.states]
        for ending in sorted(by_ending, key=lambda end: (states.index(end[0]), end[1])):
            text = self.text("as", state=self.fmt.state(ending[0]), outcome=ending[1])
            yield self.line(text, by_ending[ending])
        for transition in self.later:
            text = self.text(
                "ends_by",
                event=self.fmt.label(transition.event),
                name=transition.event.value,
                state=self.fmt.state(transition.target),
                outcome=self.outcome(transition),
            )
            yield self.line(text, [transition], self.fmt.ref(transition))

    def cited(self, text: str, transition: TransitionView, face: Face = Face.TEXT) -> Line:
        """Make a line about a transition, with its source."""
        return self.line(text, [transition], self.fmt.ref(transition), face)

    def line(
        self,
        text: str,
        transitions: Iterable[TransitionView],
        ref: str = "",
        face: Face = Face.TEXT,
    ) -> Line:
        """Make a line about transitions; faint where the policy excludes all after this option."""
        inactive = self.possible.isdisjoint(transition.id for transition in transitions)
        words = [self.fmt.message("inactive")] if inactive else []
        text = self.fmt.join("space", [text, *words])
        return Line(f"{text} {ref}" if ref else text, Face.FAINT if inactive else face)

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
            if ending.option in {None, self.option} and ending.outcome is not None
        )
        return next(outcomes, None)

    def cells(self) -> Iterator[tuple[str, tuple[Line, ...]]]:
        """Iterate over the cells below its name, with the names of their rows."""
        cells = {
            "facts": cell(*self.required(facts=True)),
            "payload": cell(*self.required(facts=False)),
            "refusals": cell(*self.refusals()),
            "leads": tuple(self.results()),
            "clocks": tuple(self.deadlines()),
            "then": tuple(self.next_steps()),
            "ends": tuple(self.endings()),
        }
        for name, lines in cells.items():
            if len(lines) > 1:
                yield (
                    name,
                    tuple(replace(line, text=self.text("item", line.text)) for line in lines),
                )
            else:
                yield name, lines or (Line(self.text("nothing"), Face.FAINT),)

    @property
    def name(self) -> str:
        """The option's label and id."""
        return f"{self.fmt.label(self.option)} ({self.option.value})"

    def settled(self, transition: TransitionView, state: str) -> str:
        """Return a state, with the outcome where the transition has one."""
        outcome = self.outcome(transition)
        return state if outcome is None else self.text("settled", state=state, outcome=outcome)


def _table(fmt: Formatter, columns: list[_OptionColumn]) -> TextTable:
    rows: dict[str, list[tuple[Line, ...]]] = {}
    for column in columns:
        for name, lines in column.cells():
            rows.setdefault(name, [cell(OPTIONS(fmt.lang, name), face=Face.STRONG)]).append(lines)
    return TextTable(
        id="options",
        title="",
        heads=("", *(column.name for column in columns)),
        widths=(10, *(18 for _ in columns)),
        rows=tuple(
            TextRow(id=f"options-{name}", cells=tuple(cells)) for name, cells in rows.items()
        ),
        page=1480,
    )


def _card(column: _OptionColumn) -> TextTable:
    return TextTable(
        id=f"card-{column.option.value}",
        title="",
        heads=(column.name,),
        widths=(1,),
        rows=tuple(
            TextRow(
                id=f"card-{column.option.value}-{name}",
                cells=((Line(column.text(name), Face.FAINT), *lines),),
            )
            for name, lines in column.cells()
        ),
        page=0,
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
