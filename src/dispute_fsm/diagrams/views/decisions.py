"""The view `decisions`: for each state, every event with its conditions and its result.

Each transition is one row. Below the rows of an event comes what happens otherwise, and below those
of a state what happens on every event that it does not offer. So the tables are complete, and rows
that overlap are an error.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from dispute_fsm.diagrams.completeness import (
    NO_OPTION,
    events_not_offered,
    gap_codes,
    has_gap,
    inconsistencies,
    late_in,
    not_offered_codes,
)
from dispute_fsm.diagrams.formatting import IN_TIME, Formatter
from dispute_fsm.diagrams.messages import DECISIONS
from dispute_fsm.diagrams.model import OPENING, GuardLabel, Machine, StateNode, TransitionView
from dispute_fsm.diagrams.picture import (
    Box,
    Face,
    Frame,
    Line,
    Picture,
    PictureEdge,
    TextRow,
    TextTable,
    View,
    cell,
)
from dispute_fsm.diagrams.policy_text import policy_note
from dispute_fsm.diagrams.views.chart import (
    deadline_lines,
    remark_on,
    shape_of,
    state_name,
    transition_edge,
)
from dispute_fsm.diagrams.views.sources import source_table, uses
from dispute_fsm.domain.commands import COMMAND_CLASSES, QUIET
from dispute_fsm.domain.enums import CommandType, Lang, RefusalCode
from dispute_fsm.errors import ChartError
from dispute_fsm.rules.guards.selectors import OPTION

_HEADS = ("event", "who", "when", "needs", "to", "outcome", "clocks", "source")
_WIDTHS = (18, 8, 17, 33, 11, 14, 12, 12)


def decisions(machine: Machine, lang: Lang) -> View:
    """Show the decision tables. Raises `ChartError` where rows overlap or leave a gap."""
    for error in inconsistencies(machine):
        raise ChartError(f"{machine.rules}: {error}")
    fmt = Formatter(machine, lang)
    tables = _DecisionTables(fmt)
    notes = ["read", "time"]
    if any(state.kind == "parallel" for state in machine.states):
        notes.append("regions")
    return View(
        name="decisions",
        lang=lang,
        title=DECISIONS(lang, "title", fmt.rules),
        notes=(policy_note(fmt), *(DECISIONS(lang, note) for note in notes)),
        parts=(*tables.tables(), source_table(fmt, uses(fmt, machine.transitions))),
        graph=_sketch(fmt),
    )


class _DecisionTables:
    """Builds the tables."""

    def __init__(self, fmt: Formatter) -> None:
        self.fmt = fmt
        self.machine = fmt.machine
        self.text = partial(DECISIONS, fmt.lang)

    def tables(self) -> Iterator[TextTable]:
        opening = self.machine.transition(OPENING)
        rows = [self.row(opening), self.otherwise([opening], gap=False)]
        yield self.table("before", self.text("before"), rows)
        for state in self.machine.states:
            here = [each for each in self.machine.transitions if each.source == state.id]
            if here or state.kind == "leaf":
                title = self.text("table", self.fmt.label(state.label), state.id)
                title = self.fmt.marked(title, state.id)
                notes = list(deadline_lines(self.fmt, state))
                if state.kind != "leaf":
                    notes.append(self.text("within", self.states(self.machine.leaves(state.id))))
                yield self.table(state.id, title, list(self.rows(state, here)), tuple(notes))

    def table(
        self, name: str, title: str, rows: list[TextRow], notes: tuple[str, ...] = ()
    ) -> TextTable:
        return TextTable(
            id=f"decisions-{name}",
            title=title,
            heads=tuple(self.text(head) for head in _HEADS),
            widths=_WIDTHS,
            rows=tuple(rows),
            notes=notes,
            page=1560,
        )

    def rows(self, state: StateNode, here: Sequence[TransitionView]) -> Iterator[TextRow]:
        for event in dict.fromkeys(transition.event for transition in here):
            transitions = [transition for transition in here if transition.event is event]
            yield from map(self.row, transitions)
            yield self.otherwise(transitions, gap=has_gap(self.machine, transitions))
        if (events := events_not_offered(self.machine, state)) and state.kind != "compound":
            yield self.others(state, events)

    def row(self, transition: TransitionView) -> TextRow:
        fmt = self.fmt
        target = fmt.message("stays") if transition.stays else fmt.state(transition.target)
        none = cell(fmt.message("none"))
        options, others = _conditions(fmt, transition)
        ids = [option for guard in options for option in guard.accepts]
        remark = remark_on(fmt, transition.id)
        return TextRow(
            id=f"decision-{transition.id}",
            tone=transition.roles[0].value,
            cells=(
                (
                    Line(fmt.label(transition.event), Face.STRONG),
                    *cell(*fmt.with_sources(options)),
                    Line(" · ".join([transition.event.value, *ids]), Face.FAINT),
                    *cell(remark.badge),
                ),
                cell(fmt.roles(transition)),
                cell(*fmt.with_sources(others)) or none,
                tuple(_requirements(fmt, transition)) or none,
                cell(target, face=Face.STRONG),
                cell(*fmt.endings(transition), face=Face.STRONG) or none,
                cell(*fmt.deadline_changes(transition)) or none,
                cell(fmt.ref(transition)),
            ),
            mark=remark.mark,
        )

    def otherwise(self, transitions: Sequence[TransitionView], *, gap: bool) -> TextRow:
        """Make the row that says what happens where no row of an event applies."""
        first = transitions[0]
        (by,) = self.fmt.conditions((first.by,))
        lines = [self.text("someone", self.refusals(by.codes))]
        if first.event in QUIET:
            lines.append(self.text("nothing", self.text("unchanged")))
        else:
            lines += self.late(first)
            if first.event is CommandType.CHOOSE_OPTION and self.leaves_out_options():
                code = self.fmt.refusal(RefusalCode.OPTION_NOT_OFFERED)
                lines.append(self.text("not_offered", code))
            if gap:
                once = COMMAND_CLASSES[first.event].once
                codes = gap_codes(self.machine, transitions)
                phrase = "if_waiting" if once is None else "if_accepted"
                lines.append(self.text("nothing", self.one_of(codes, phrase)))
        name = f"otherwise-{first.source}-{first.event.value}"
        return self.merged(name, "otherwise", lines, first.source)

    def late(self, transition: TransitionView) -> Iterator[str]:
        """Say how an event is refused that comes too late, where its state has a deadline."""
        leaves = late_in(self.machine, transition.source)
        for guard in self.fmt.conditions(IN_TIME.intersection(transition.timing)):
            if not leaves:
                break
            text = self.refusals(guard.codes)
            if leaves != self.machine.leaves(str(transition.source)):
                text = self.text("in", self.states(leaves), text)
            yield text

    def states(self, states: Iterable[StateNode]) -> str:
        return self.fmt.join("comma", (self.fmt.label(state.label) for state in states))

    def refusals(self, codes: Iterable[RefusalCode]) -> str:
        return self.fmt.join("and", map(self.fmt.refusal, codes))

    def leaves_out_options(self) -> bool:
        """Tell whether the version names options that it does not offer."""
        named = self.machine.questions[OPTION.name].answers
        return not set(named) <= {NO_OPTION, *self.machine.options}

    def others(self, state: StateNode, events: tuple[CommandType, ...]) -> TextRow:
        """Make the row for the events that a state does not offer, by what happens on them."""
        answers: dict[str, list[CommandType]] = {}
        for event in events:
            answers.setdefault(self.not_offered(state, event), []).append(event)
        lines = [
            self.fmt.join("comma", map(self.fmt.label, group)) + self.fmt.message("colon") + answer
            for answer, group in answers.items()
        ]
        return self.merged(f"others-{state.id}", "others", lines, state.id)

    def not_offered(self, state: StateNode, event: CommandType) -> str:
        codes = not_offered_codes(self.machine, state, event)
        chooses = event is CommandType.CHOOSE_OPTION
        return self.one_of(codes, "if_chosen" if chooses else "if_accepted")

    def one_of(self, codes: Sequence[RefusalCode], phrase: str) -> str:
        """Name the one code, or format the phrase that says which of two applies."""
        match list(map(self.fmt.refusal, codes)):
            case []:
                return self.text("unchanged")
            case [code]:
                return code
            case two:
                return self.text(phrase, *two)

    def merged(self, name: str, head: str, lines: list[str], state: str | None) -> TextRow:
        return TextRow(
            id=name,
            cells=(cell(self.text(head), face=Face.FAINT), cell(*lines, face=Face.FAINT)),
            mark=remark_on(self.fmt, str(state)).mark,
        )


def _conditions(
    fmt: Formatter, transition: TransitionView
) -> tuple[list[GuardLabel], list[GuardLabel]]:
    """Return what selects a transition: the option that its command chooses, and the rest."""
    selectors = fmt.selectors(transition)
    chooses = transition.event is CommandType.CHOOSE_OPTION
    options = [guard for guard in selectors if chooses and guard.question == OPTION.name]
    return options, [guard for guard in selectors if guard not in options]


def _requirements(fmt: Formatter, transition: TransitionView) -> Iterator[Line]:
    """Iterate over what a transition requires, with sources, and how it is refused otherwise."""
    for text, ref, guards in fmt.grouped(fmt.requirements(transition)):
        codes = dict.fromkeys(code for guard in guards for code in guard.codes)
        yield Line(f"{text} {ref}")
        refused = fmt.join("and", map(fmt.refusal, codes))
        yield Line(DECISIONS(fmt.lang, "refused", refused), Face.FAINT)


# ---- as a graph ----------------------------------------------------------------------------------


def _sketch(fmt: Formatter) -> Picture:
    """Draw the tables as a graph: a frame for each state, with the results of its events."""
    machine = fmt.machine
    boxes, edges, frames = dict[str, Box](), list[PictureEdge](), list[Frame]()
    for state in machine.states:
        transitions = [each for each in machine.transitions if each.source == state.id]
        if not transitions:
            continue
        name = "  ".join(line.text for line in state_name(fmt, state))
        frame, start = f"of-{state.id}", f"in-{state.id}"
        remark = remark_on(fmt, state.id)
        frames.append(
            Frame(
                id=frame,
                title=fmt.marked(name, state.id),
                mark=remark.mark,
            )
        )
        title = Line(fmt.label(state.label), Face.TITLE)
        boxes[start] = Box(id=start, frame=frame, lines=(title,), mark=remark.mark)
        for transition in transitions:
            end = start if transition.stays else f"to-{state.id}-{transition.target}"
            if end not in boxes:
                target = machine.state(transition.target)
                boxes[end] = Box(
                    id=end,
                    frame=frame,
                    shape=shape_of(machine, target),
                    lines=(Line(fmt.label(target.label), Face.TITLE),),
                )
            lines = _lines(fmt, transition)
            edges.append(
                transition_edge(
                    fmt,
                    transition,
                    ends=(start, end),
                    lines=lines,
                    remark=remark_on(fmt, transition.id),
                )
            )
    return Picture(
        id="decisions",
        title=fmt.rules,
        boxes=tuple(boxes.values()),
        edges=tuple(edges),
        frames=tuple(frames),
    )


def _lines(fmt: Formatter, transition: TransitionView) -> Iterator[Line]:
    yield Line(f"{fmt.trigger(transition)}  {fmt.ref(transition)}", Face.HEAD)
    if selectors := fmt.selectors(transition):
        yield Line(fmt.message("when", fmt.join("and", map(fmt.condition, selectors))))
    for line in _requirements(fmt, transition):
        needs = line.face is Face.TEXT
        yield replace(line, text=fmt.message("needs", line.text)) if needs else line
    if endings := fmt.endings(transition):
        yield Line(fmt.ends_as([fmt.join("and", endings)]), Face.STRONG)
