"""The view `coverage`: how often a corpus of histories took each transition and got each answer."""

from collections import Counter
from functools import partial

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import COVERAGE
from dispute_fsm.diagrams.model import OPENING, Machine
from dispute_fsm.diagrams.picture import Face, Mark, TextRow, TextTable, View, cell
from dispute_fsm.diagrams.policy_text import policy_note
from dispute_fsm.diagrams.views.chart import Remark, machine_picture
from dispute_fsm.diagrams.views.history import transition_of
from dispute_fsm.diagrams.views.sources import source_table, uses
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.history.coverage import Coverage


class Corpus:
    """Counts what the recorded events of one rule version cover."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.events = 0
        self.transitions = Counter[str]()
        self.guards = Coverage()

    def add(self, event: AuditEvent) -> None:
        """Count an event, unless it is of another rule version.

        Raises `InputError` where it took no known transition.
        """
        if event.rules != self.machine.rules:
            return
        self.events += 1
        self.guards.add(event)
        if (transition := transition_of(self.machine, event)) is not None:
            self.transitions[transition.id] += 1


_TRANSITIONS = ("count", "transition", "from", "to", "source")


def coverage(corpus: Corpus, lang: Lang) -> View:
    """Show what a corpus covers."""
    machine = corpus.machine
    fmt = Formatter(machine, lang)
    text = partial(COVERAGE, lang)
    answers = list(corpus.guards.answers(machine.rules))

    def times(count: int) -> str:
        return text("never") if not count else text("once") if count == 1 else text("times", count)

    def remark(name: str) -> Remark:
        badge = times(corpus.transitions[name])
        if corpus.transitions[name]:
            return Remark(Mark.PLAIN, badge)
        if name in fmt.inactive:
            return Remark(Mark.INACTIVE, fmt.marked(badge, name))
        return Remark(Mark.MISSED, badge)

    def row(name: str, counted: Remark, *texts: str) -> TextRow:
        face = Face.STRONG if counted.mark is Mark.MISSED else Face.TEXT
        return TextRow(
            id=name,
            cells=(cell(counted.badge, face=face), *map(cell, texts)),
            mark=counted.mark,
        )

    def table(
        name: str, heads: tuple[str, ...], widths: tuple[int, ...], rows: list[TextRow]
    ) -> TextTable:
        return TextTable(
            id=name,
            title=text(name),
            heads=tuple(map(text, heads)),
            widths=widths,
            rows=tuple(rows),
        )

    remarks = {transition.id: remark(transition.id) for transition in machine.transitions}
    transitions = [
        row(
            f"edges-{transition.id}",
            remarks[transition.id],
            fmt.transition(transition),
            fmt.state(transition.source or transition.target),
            fmt.state(transition.target),
            fmt.ref(transition),
        )
        for transition in machine.transitions
    ]
    outcomes = [
        row(
            f"answers-{answer.key.replace(' ', '-')}",
            Remark(Mark.PLAIN if count else Mark.MISSED, times(count)),
            answer.text(lang),
        )
        for answer, count in answers
    ]
    picture = machine_picture(fmt, remarks, brief=True)
    numbers = text(
        "numbers",
        disputes=corpus.transitions[OPENING],
        events=corpus.events,
        transitions=len(corpus.transitions),
        all_transitions=len(machine.transitions),
        answers=sum(count > 0 for _, count in answers),
        all_answers=len(answers),
    )
    return View(
        name="coverage",
        lang=lang,
        title=text("title", fmt.rules),
        notes=(policy_note(fmt), numbers, text("read")),
        parts=(
            picture,
            table("edges", _TRANSITIONS, (8, 52, 22, 20, 14), transitions),
            table("answers", ("count", "answer"), (8, 108), outcomes),
            source_table(fmt, uses(fmt, machine.transitions)),
        ),
        graph=picture,
    )
