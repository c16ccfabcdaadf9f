"""The view `diff`: how two machines differ, in sentences, as a picture and as a list."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from dispute_fsm.diagrams.changes import ChartChange, changes, renamed_transitions
from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import DIFF, KINDS, PHRASES
from dispute_fsm.diagrams.model import Machine, TransitionView
from dispute_fsm.diagrams.picture import Face, Line, Mark, Remark, TextRow, TextTable, View, cell
from dispute_fsm.diagrams.views.chart import inactive_remarks, machine_picture
from dispute_fsm.diagrams.views.side_by_side import side_by_side
from dispute_fsm.diagrams.views.sources import source_table, uses
from dispute_fsm.domain.enums import Deadline, Lang

_SENTENCES = 7
"""How many changes are told in a sentence each."""


def diff(before: tuple[str, Machine], after: tuple[str, Machine], lang: Lang) -> View:
    """Show how two machines differ; each is given with the name that it was asked for by.

    First come sentences, then a picture of what changed and what is next to it, then the list.
    Where most transitions came or went, the picture shows the two machines beside each other.
    """
    text = partial(DIFF, lang)
    every = changes(before[1], after[1], lang)
    listed = [change for change in every if not _is_rewording(change)]
    fmt, was = Formatter(_together(before[1], after[1]), lang), Formatter(before[1], lang)
    excluded = Formatter(after[1], lang).inactive
    remarks = {
        change.id: Remark(change.mark, _badge(fmt, change, excluded))
        for change in listed
        if change.kind in {"state", "transition"}
    }
    terms = _new_terms(listed)
    retimed = [
        state.id
        for state in fmt.machine.states
        if state.kind == "leaf" and not terms.isdisjoint(state.deadlines)
    ]
    remarks = dict.fromkeys(retimed, Remark(Mark.CHANGED, text("changed"))) | remarks
    near = _neighbourhood(fmt.machine, remarks, terms)
    replaced = _is_replaced(fmt.machine, remarks)
    if replaced:
        sides = (before[0], was), (after[0], Formatter(after[1], lang))
        picture = side_by_side(*sides, remarks)
    else:
        drawn = inactive_remarks(Formatter(after[1], lang)) | remarks
        picture = machine_picture(Formatter(near, lang), drawn, brief=True)
    renamed = renamed_transitions(before[1], after[1])
    gone = [each for each in before[1].transitions if renamed.get(each.id, each.id) in remarks]
    cited = {
        **{name: [change.name] for change in listed for name in _policy_sources(fmt, change)},
        **uses(was, gone),
        **uses(fmt, near.transitions),
    }
    notes = [*_versions(before[1], after[1], lang), *sentences(listed, before[1], after[1], lang)]
    table = _table(fmt, listed, len(every) - len(listed))
    read = "none" if not listed else "read_replaced" if replaced else "read"
    return View(
        name="diff",
        lang=lang,
        title=text("title", before=before[0], after=after[0]),
        notes=(*notes, text(read)),
        parts=(picture, table, source_table(fmt, cited, was.sources)),
        graph=picture,
    )


def _policy_sources(fmt: Formatter, change: ChartChange) -> list[str]:
    """Return the sources that a policy's field changes."""
    field = change.id.partition(".")[0]
    of_policy = change.kind == "policy"
    return [name for name, each in fmt.sources.items() if of_policy and field in each.policy]


def _badge(fmt: Formatter, change: ChartChange, excluded: Container[str]) -> str:
    badge = DIFF(fmt.lang, change.mark)
    new = change.mark is Mark.ADDED and change.id in excluded
    return fmt.join("space", [badge, fmt.message("inactive")]) if new else badge


def _is_replaced(machine: Machine, remarks: Container[str]) -> bool:
    """Tell whether more transitions are marked than not."""
    marked = [each for each in machine.transitions if each.id in remarks]
    return 2 * len(marked) > len(machine.transitions)


def _versions(before: Machine, after: Machine, lang: Lang) -> Iterator[str]:
    """Say of two rule versions what each changed, and why."""
    if before.rules != after.rules:
        for machine in (before, after):
            change, why = machine.change.label(lang), machine.why.label(lang)
            yield DIFF(lang, "change", rules=machine.rules, change=change, why=why)


def sentences(
    listed: Sequence[ChartChange], before: Machine, after: Machine, lang: Lang
) -> tuple[str, ...]:
    """Say what changed, one sentence a change, at most seven; of more the rest is counted.

    The policy's values come first, then options and states, then what can be done, most changed
    first.
    """
    summary = _Summary(listed, before, after, lang)
    found = [*summary.policy(), *summary.options(), *summary.states(), *summary.events()]
    rest = sum(count for _, count in found[_SENTENCES:])
    more = (DIFF(lang, "rest", rest),) if rest else ()
    return (*(sentence for sentence, _ in found[:_SENTENCES]), *more)


@dataclass(frozen=True, slots=True)
class _Summary:
    """Makes sentences, each with how many changes it speaks of."""

    listed: Sequence[ChartChange]
    before: Machine
    after: Machine
    lang: Lang

    def policy(self) -> Iterator[tuple[str, int]]:
        for change in self.listed:
            if change.kind == "policy":
                says = PHRASES(self.lang, "and").join(change.lines) or self.text(change.mark)
                yield self.text("value", what=change.name or change.id, says=says), 1

    def options(self) -> Iterator[tuple[str, int]]:
        for name, one, other in (
            ("options_added", self.after, self.before),
            ("options_removed", self.before, self.after),
        ):
            labels = [each.label(self.lang) for each in one.options if each not in other.options]
            if labels:
                yield self.text(name, self.join(labels)), len(labels)

    def states(self) -> Iterator[tuple[str, int]]:
        for mark in (Mark.ADDED, Mark.REMOVED):
            names = [one.name for one in self.listed if (one.kind, one.mark) == ("state", mark)]
            if names:
                yield self.text(f"states_{mark}", self.join(names)), len(names)

    def events(self) -> Iterator[tuple[str, int]]:
        events = {
            each.id: each.event.label(self.lang)
            for each in (*self.before.transitions, *self.after.transitions)
        }
        counts: dict[str, Counter[Mark]] = {}
        for change in self.listed:
            if change.kind == "transition":
                counts.setdefault(events[change.id], Counter())[change.mark] += 1
        for event, marks in sorted(counts.items(), key=lambda item: -item[1].total()):
            says = self.join(self.text(f"count_{mark}", marks[mark]) for mark in sorted(marks))
            yield self.text("value", what=event, says=says), marks.total()

    def text(self, name: str, /, *values: object, **named: object) -> str:
        return DIFF(self.lang, name, *values, **named)

    def join(self, texts: Iterable[str]) -> str:
        return PHRASES(self.lang, "comma").join(dict.fromkeys(texts))


def _is_rewording(change: ChartChange) -> bool:
    """Tell whether only words or sources changed, or what the transitions' own changes say too."""
    if change.kind == "transition":
        return change.aspects == ("origin",)
    if change.kind == "condition":
        return "codes" not in change.aspects
    return change.kind in {"label", "question"}


def _new_terms(listed: Iterable[ChartChange]) -> frozenset[Deadline]:
    """Return the deadlines whose terms the policies give differently."""
    fields = {change.id.partition(".")[0] for change in listed if change.kind == "policy"}
    fields |= {Deadline.PROMISE.value} if "scan_grace" in fields else set()
    return frozenset(deadline for deadline in Deadline if deadline.value in fields)


def _neighbourhood(
    machine: Machine, remarks: Container[str], terms: frozenset[Deadline]
) -> Machine:
    """Keep what is marked, its ends, and the transitions that start these deadlines or expire."""
    transitions = [
        each
        for each in machine.transitions
        if each.id in remarks
        or (not each.stays and not terms.isdisjoint({each.event.expires, *each.starts}))
    ]
    ends = {end for each in transitions for end in (each.source, each.target) if end}
    ends |= {leaf for end in ends for leaf in machine.entered(end)}
    ends |= {state.id for state in machine.states if state.id in remarks}
    kept = ends | {outer for end in ends for outer in machine.around(end)}
    states = tuple(state for state in machine.states if state.id in kept)
    return machine.model_copy(update={"transitions": tuple(transitions), "states": states})


def _table(fmt: Formatter, listed: Sequence[ChartChange], reworded: int) -> TextTable:
    """List the changes; transitions that came or went are one row for each event.

    States that did are one row, too.
    """
    text = partial(DIFF, fmt.lang)
    origins = {each.id: each.origin.id for each in fmt.machine.transitions}
    groups: dict[tuple[Mark, str, str], list[ChartChange]] = {}
    for change in listed:
        groups.setdefault((change.mark, change.kind, _group(fmt, change)), []).append(change)
    rows: list[TextRow] = []
    for number, ((mark, kind, group), members) in enumerate(groups.items(), 1):
        first = members[0]
        if group == first.id:
            which = (*cell(first.name, face=Face.STRONG), Line(first.id, Face.FAINT))
            what = cell(*first.lines)
        elif kind == "state":
            which = (Line(text("items", len(members)), Face.FAINT),)
            what = cell(*(f"{each.name} ({each.id})" for each in members))
        else:
            which = (Line(group, Face.STRONG), Line(text("items", len(members)), Face.FAINT))
            what = cell(*(_course(fmt, fmt.machine.transition(each.id)) for each in members))
        cited = dict.fromkeys(origins[each.id] for each in members if each.id in origins)
        cited |= dict.fromkeys(_policy_sources(fmt, first))
        cells = (cell(text(mark), face=Face.STRONG), cell(KINDS(fmt.lang, first.kind)), which, what)
        rows.append(TextRow(id=f"change-{number}", cells=(*cells, cell(*cited))))
    return TextTable(
        id="changes",
        title=text("changes"),
        heads=tuple(text(head) for head in ("mark", "kind", "which", "what", "source")),
        widths=(10, 10, 26, 48, 16),
        rows=tuple(rows),
        notes=(text("reworded", reworded),) if reworded else (),
    )


def _group(fmt: Formatter, change: ChartChange) -> str:
    """Return what a change is listed under: itself, or all that came or went with it."""
    if change.mark is not Mark.CHANGED and not change.lines:
        if change.kind == "transition":
            return fmt.trigger(fmt.machine.transition(change.id))
        if change.kind == "state":
            return change.kind
    return change.id


def _course(fmt: Formatter, transition: TransitionView) -> str:
    """Say from where to where a transition leads, and what selects it."""
    source = "" if transition.source is None else fmt.state(transition.source)
    target = fmt.message("stays") if transition.stays else fmt.state(transition.target)
    answers = fmt.join("and", map(fmt.condition, fmt.selectors(transition)))
    return f"{source} → {target}" + (f" [{answers}]" if answers else "")


def _together(before: Machine, after: Machine) -> Machine:
    """Merge two machines; what both have is as in the newer one."""
    here = {state.id for state in after.states}
    gone = [state for state in before.states if state.id not in here]
    known = here | {state.id for state in gone}
    removed = {
        change.id
        for change in changes(before, after, "en")
        if change.kind == "transition" and change.mark is Mark.REMOVED
    } - {transition.id for transition in after.transitions}
    # A state whose parent is gone moves to the top level.
    placed = (
        state if state.parent in {None, *known} else state.model_copy(update={"parent": None})
        for state in gone
    )
    return after.model_copy(
        update={
            "states": (*after.states, *placed),
            "transitions": (
                *after.transitions,
                *(transition for transition in before.transitions if transition.id in removed),
            ),
            "conditions": {**before.conditions, **after.conditions},
            "questions": {**before.questions, **after.questions},
            "labels": {**before.labels, **after.labels},
        }
    )
