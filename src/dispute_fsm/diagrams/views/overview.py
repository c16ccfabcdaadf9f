"""The view `overview`: the whole process on one page, without the conditions of its transitions.

It goes from top to bottom: the opening, the choice, the options, the states that they lead to, the
ends. A state says who is to act, what may be done, its deadlines and what their passing does; each
of these is a row in its box. Lines show the way on; those to an end gather in one.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import OVERVIEW, PRECONDITIONS, SOURCES
from dispute_fsm.diagrams.model import OPENING, Machine, StateNode, TransitionView
from dispute_fsm.diagrams.picture import (
    PHONE,
    Box,
    Face,
    Frame,
    Line,
    Mark,
    Picture,
    PictureEdge,
    Plan,
    Shape,
    Sheet,
    Stack,
    View,
)
from dispute_fsm.diagrams.policy_text import policy_note
from dispute_fsm.diagrams.views.chart import BEGIN, deadline_lines
from dispute_fsm.diagrams.views.process import ANYTIME, GENERAL, TONES, Planner, Process
from dispute_fsm.domain.commands import COMMAND_CLASSES
from dispute_fsm.domain.enums import CommandType, Deadline, Lang, Option, Outcome, Role
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.history.timeline_text import duration_text
from dispute_fsm.rules.guards.evidence import VOUCHER_LIMITS
from dispute_fsm.rules.guards.selectors import FAILED, OPTION
from dispute_fsm.rules.sources import ANNOUNCEMENT

LEGEND = "legend"
"""The id of the frame around the legend."""

_ACTS = FrozenMap(
    {
        **{of.meets: of.roles[0] for of in COMMAND_CLASSES.values() if of.meets is not None},
        Deadline.PROMISE: Role.MERCHANT,
    }
)
"""Who has to act before a deadline passes: the sender of the command that meets it.

No command keeps a promise; the order shows what the merchant did.
"""
_LIMITS = frozenset(guard.name for guard in VOUCHER_LIMITS)
_FACES = FrozenMap({Shape.GOOD_END: Face.GOOD, Shape.BAD_END: Face.BAD})

_ZOOM = 14 / 12
"""Sets texts in 14 px, so that they are legible where the page is shown 830 px wide."""
_WIDE = Sheet(width=1100, margin=24, zoom=_ZOOM, one_page=True)


def overview(machine: Machine, lang: Lang, *, narrow: bool = False) -> View:
    """Show the process on one page. `narrow` puts everything below each other, for phones."""
    fmt = Formatter(machine, lang)
    picture = _Overview(fmt, narrow=narrow).picture()
    return View(
        name="overview-narrow" if narrow else "overview",
        lang=lang,
        title=OVERVIEW(lang, "title", picture.title),
        notes=(
            policy_note(fmt),
            OVERVIEW(lang, "read"),
            OVERVIEW(lang, "more"),
            SOURCES(lang, "cited", **ANNOUNCEMENT._asdict()),
        ),
        parts=(picture,),
        graph=picture,
        sheet=PHONE if narrow else _WIDE,
    )


class _Overview:
    """Draws a machine."""

    def __init__(self, fmt: Formatter, *, narrow: bool) -> None:
        self.fmt = fmt
        self.lang: Lang = fmt.lang
        self.machine = fmt.machine
        self.process = Process(fmt.machine)
        self.narrow = narrow
        self.text = partial(OVERVIEW, self.lang)
        self.never = fmt.inactive
        self.shapes = self.process.shapes

    def picture(self) -> Picture:
        return Picture(
            id="overview",
            title=self.fmt.rules,
            boxes=(
                self._begin(),
                *map(self._state, self.process.leaves),
                *map(self._option, self.machine.options),
                Box(id=ANYTIME, lines=(Line(self.text("anytime"), Face.HEAD),), shape=Shape.NOTE),
                *self._legend(),
            ),
            frames=tuple(self._frames()),
            edges=(
                *(row for state in self.process.leaves for row in self._rows(state)),
                *self._general_rows(),
                *self._lines(),
            ),
            plan=self._plan(),
            explained=True,
        )

    def _plan(self) -> Plan:
        planner = Planner(self.process, narrow=self.narrow)
        ends = planner.beside([ANYTIME, *planner.ends()])
        legend = planner.beside([box.id for box in self._legend()], joined=True)
        return Stack((BEGIN, *planner.level(), ends, Stack((legend,), frame=LEGEND)))

    def _mark(self, *ids: str) -> Mark:
        """Return how elements are drawn that stand for these states or transitions."""
        return Mark.INACTIVE if self.never.issuperset(ids) else Mark.PLAIN

    # ---- boxes and frames ------------------------------------------------------------------------

    def _begin(self) -> Box:
        opening = self.machine.transition(OPENING)
        return Box(
            id=BEGIN,
            lines=(Line(self.fmt.trigger(opening), Face.HEAD), *self._sourced([opening])),
            shape=Shape.NOTE,
            tone=opening.roles[0].value,
        )

    def _state(self, state: StateNode) -> Box:
        mark = self._mark(state.id)
        lines = self._outcomes(state) if state.closed else self._acting(state)
        return Box(
            id=state.id,
            lines=(Line(self.fmt.label(state.label), Face.TITLE), *lines),
            frame=state.parent,
            shape=self.shapes[state.id],
            mark=mark,
            badge=self._badge(mark),
            tooltip=f"{self.fmt.label(state.label)} ({state.id})",
        )

    def _badge(self, mark: Mark) -> str:
        return self.fmt.message("inactive") if mark is Mark.INACTIVE else ""

    def _acting(self, state: StateNode) -> Iterator[Line]:
        roles = [_ACTS[deadline] for deadline in state.running] or [
            role for transition in self.process.leaving(state) for role in transition.roles
        ]
        if roles:
            labels = map(self.fmt.label, dict.fromkeys(roles))
            yield Line(self.text("to_act", self.fmt.join("or", labels)))

    def _outcomes(self, state: StateNode) -> Iterator[Line]:
        """Iterate over the outcomes with which disputes come to an end."""
        reached: dict[Outcome, list[str]] = {}
        for transition in self.machine.transitions:
            for ending in transition.endings:
                if transition.target == state.id and ending.outcome is not None:
                    reached.setdefault(ending.outcome, []).append(transition.id)
        for outcome, transitions in reached.items():
            badge = self._badge(self._mark(*transitions))
            yield Line(self.text("outcome", self.fmt.label(outcome) + badge))

    def _option(self, option: Option) -> Box:
        choices = self.process.choosing(option)
        needs = {
            guard.name: self._precondition(guard.name)
            for choice in choices
            for guard in self.fmt.requirements(choice)
            if guard.name not in _LIMITS
        }
        text = (
            self.text("needs", self.fmt.join("and", needs.values()))
            if needs
            else self.text("needs_nothing")
        )
        possible = [choice for choice in choices if choice.id not in self.never]
        ends = [choice for choice in possible if self.machine.state(choice.target).closed]
        mark = self._mark(*(choice.id for choice in choices))
        return Box(
            id=option.value,
            lines=(
                Line(self.fmt.label(option), Face.HEAD),
                Line(text),
                *self._targets(ends),
                *self._sourced(possible or choices),
            ),
            frame=next(
                self.machine.state(entry).parent
                for entry, options in self.process.entries.items()
                if option.value in options
            ),
            shape=Shape.NOTE,
            mark=mark,
            badge=self._badge(mark),
            tooltip=f"{self.fmt.label(option)} ({option.value})",
            tone=choices[0].roles[0].value,
        )

    def _precondition(self, guard: str) -> str:
        if guard in PRECONDITIONS:
            limit = self.fmt.policy.max_promise
            longest = self.fmt.message("off") if limit is None else duration_text(limit, self.lang)
            return PRECONDITIONS(self.lang, guard, longest=longest)
        return self.fmt.condition(self.machine.conditions[guard])

    def _legend(self) -> Iterator[Box]:
        acting = {role for each in self.machine.transitions for role in each.roles}
        for role in sorted(acting, key=list(Role).index):
            yield self._legend_box(role.value, self.fmt.label(role), tone=role.value)
        yield self._legend_box("end", self.text("end"), shape=Shape.GOOD_END)
        if self.never:
            yield self._legend_box("inactive", self.text("inactive"), mark=Mark.INACTIVE)

    def _legend_box(
        self,
        name: str,
        text: str,
        *,
        tone: str = "",
        shape: Shape = Shape.NOTE,
        mark: Mark = Mark.PLAIN,
    ) -> Box:
        return Box(
            id=f"{LEGEND}-{name}",
            lines=(Line(text),),
            frame=LEGEND,
            shape=shape,
            mark=mark,
            tone=tone,
        )

    def _frames(self) -> Iterator[Frame]:
        for state in self.machine.states:
            if state.kind != "leaf":
                label = self.fmt.label(state.label)
                parallel = state.kind == "parallel"
                yield Frame(
                    id=state.id,
                    title=self.text("parallel", label) if parallel else label,
                    frame=state.parent,
                    parallel=parallel,
                    mark=self._mark(state.id),
                )
        yield Frame(id=LEGEND, title=self.text("legend"))

    # ---- rows: what may be done in a state -------------------------------------------------------

    def _rows(self, state: StateNode) -> Iterator[PictureEdge]:
        leaving = self.process.leaving(state)
        # Of a state that is never reached, all is shown as if it were.
        shown = [each for each in leaving if state.id in self.never or each.id not in self.never]
        for event in dict.fromkeys(transition.event for transition in shown):
            if event.expires is None:
                transitions = [each for each in shown if each.event is event]
                tone = transitions[0].roles[0].value
                yield self._row(state.id, event.value, self._event(transitions), tone=tone)
        for deadline, text in zip(state.deadlines, deadline_lines(self.fmt, state), strict=True):
            expiring = [each for each in shown if each.event.expires is deadline]
            passing = (*self._targets(expiring, "passed"), *self._sourced(expiring))
            lines = (Line(text, Face.HEAD), *passing)
            off = deadline in self.machine.off
            row = deadline.expiry.value
            yield self._row(state.id, row, lines, tone=Role.SYSTEM.value, off=off)
        if any(
            transition.liability and transition.target == state.id
            for transition in self.process.told
        ):
            yield self._row(state.id, "failed", self._both_failed(), tone=Role.SYSTEM.value)
        hidden = [each for each in leaving if each not in (*shown, *self.process.choices)]
        if others := [
            line
            for event in dict.fromkeys(transition.event for transition in hidden)
            for line in self._targets([each for each in hidden if each.event is event], "event")
        ]:
            lines = (*others, *self._sourced(hidden))
            yield self._row(state.id, "inactive", lines, off=True)

    def _row(
        self, box: str, name: str, lines: Iterable[Line], *, tone: str = "", off: bool = False
    ) -> PictureEdge:
        return PictureEdge(
            id=f"{box}--{name}",
            source=box,
            target=box,
            lines=tuple(lines),
            tone=tone,
            mark=Mark.INACTIVE if off or box in self.never else Mark.PLAIN,
            badge=self._badge(Mark.INACTIVE) if off else "",
        )

    def _event(self, transitions: Sequence[TransitionView]) -> Iterator[Line]:
        """Say who does what, and what comes of it."""
        yield Line(self.fmt.trigger(transitions[0]), Face.HEAD)
        if transitions[0].event is CommandType.CHOOSE_OPTION:
            yield Line(self.text("choose", count=len(self.machine.options)))
        else:
            yield from self._targets(transitions)
            yield from self._sourced(transitions)

    def _sourced(self, transitions: Iterable[TransitionView]) -> Iterator[Line]:
        """Cite what these transitions rest on."""
        if ids := dict.fromkeys(map(self.fmt.ref, transitions)):
            yield Line(" ".join(ids))

    def _targets(
        self, transitions: Sequence[TransitionView], phrase: str = "leads"
    ) -> Iterator[Line]:
        """Say where transitions of one event lead, and as what they end."""
        targets = dict.fromkeys(transition.target for transition in transitions)
        for target in targets:
            leading = [transition for transition in transitions if transition.target == target]
            to = self._to(leading)
            if len(targets) > 1 and (answers := self._answers(leading)):
                to = self.text("given", text=to, when=self.fmt.join("or", answers))
            text = self.text(phrase, event=self.fmt.label(leading[0].event), to=to)
            yield Line(text, self._face(target))

    def _face(self, target: str) -> Face:
        return _FACES.get(self.shapes.get(target, Shape.STATE), Face.STRONG)

    def _answers(self, transitions: Sequence[TransitionView]) -> Iterable[str]:
        """Return what selects transitions to a live state: no outcome says it of them."""
        return dict.fromkeys(
            self.fmt.label(guard.label)
            for transition in transitions
            for guard in self.fmt.selectors(transition)
            if not self.machine.state(transition.target).closed
            and transition.liability is None
            and guard.question not in {OPTION.name, FAILED.name, *self.process.settled}
        )

    def _to(self, transitions: Sequence[TransitionView]) -> str:
        first = transitions[0]
        if first.stays and self.machine.state(first.target).closed:
            return self.text("final")
        state = self.fmt.message("stays") if first.stays else self.fmt.state(first.target)
        endings = [ending for each in transitions for ending in each.endings]
        outcomes = [each.liability for each in transitions]
        outcomes += [ending.outcome for ending in endings]
        if any(ending.option is not None for ending in endings):
            return self.text("to_as", state=state, outcome=self.text("by_option"))
        if labels := [self.fmt.label(each) for each in dict.fromkeys(outcomes) if each is not None]:
            return self.text("to_as", state=state, outcome=" / ".join(labels))
        return state

    def _both_failed(self) -> Iterator[Line]:
        """Say what a side waits for that has failed."""
        yield Line(self.text("waits"), Face.HEAD)
        told = {each.id for leaf in self.process.leaves for each in self.process.leaving(leaf)}
        second = [each for each in self.process.told if each.id not in told]
        for target in dict.fromkeys(each.target for each in second):
            yield Line(self.text("both_failed", self.fmt.state(target)), self._face(target))
        yield from self._sourced(second)

    def _general_rows(self) -> Iterator[PictureEdge]:
        """Iterate over what is possible nearly everywhere: where, and what comes of it."""
        for event in GENERAL:
            transitions = [
                transition
                for transition in self.machine.transitions
                if transition.event is event and transition.id not in self.never
            ]
            if transitions:
                extended = [deadline for each in transitions for deadline in each.starts]
                where = map(self.fmt.label, extended) if extended else self._sources(transitions)
                trigger = self.fmt.trigger(transitions[0])
                where_text = self.fmt.join("comma", dict.fromkeys(where))
                head = Line(self.text("given", text=trigger, when=where_text), Face.HEAD)
                lines = (head, *self._targets(transitions[:1]), *self._sourced(transitions))
                tone = transitions[0].roles[0].value
                yield self._row(ANYTIME, event.value, lines, tone=tone)

    def _sources(self, transitions: Iterable[TransitionView]) -> Iterator[str]:
        return (self.fmt.state(each.source) for each in transitions if each.source is not None)

    # ---- lines -----------------------------------------------------------------------------------

    def _lines(self) -> Iterator[PictureEdge]:
        """Iterate over the lines, each once, whatever number of transitions it stands for."""
        for (source, target), transitions in self.process.lines().items():
            yield PictureEdge(
                id=f"{source}-to-{target}",
                source=source,
                target=target,
                tone=TONES.get(self.shapes.get(target, Shape.STATE), ""),
                mark=self._mark(*(transition.id for transition in transitions)),
            )
