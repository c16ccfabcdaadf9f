"""The view `coverage`: how often a corpus of histories took each arrow and got each answer; what it never did stands out."""

from collections import Counter
from typing import NamedTuple

from dispute_fsm.diagrams.formatting import Voice
from dispute_fsm.diagrams.model import OPENING, Machine
from dispute_fsm.diagrams.picture import Face, Mark, TextRow, TextTable, View, cell, taken
from dispute_fsm.diagrams.views.chart import Remark, machine_picture
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.messages import Messages
from dispute_fsm.history.coverage import Coverage

_WORDS = Messages(
    {
        "title": ("历史覆盖情况 · 规则 {}", "What histories cover · rules {}"),
        "numbers": (
            (
                "{disputes} 起纠纷，{events} 个事件：流程 {arrows}/{all_arrows}，条件结果 "
                "{answers}/{all_answers}。"
            ),
            (
                "{disputes} disputes, {events} events: {arrows} of {all_arrows} edges, {answers} "
                "of {all_answers} guard outcomes."
            ),
        ),
        "read": (
            "每条流程标有发生次数；从未发生的以点线框和“从未发生”标出。",
            (
                "Each edge bears how often it was taken; what never was has a dotted border and "
                "says “never”."
            ),
        ),
        "times": ("{} 次", "{} times"),
        "once": ("1 次", "once"),
        "never": ("从未发生", "never"),
        "edges": ("流程", "Edges"),
        "answers": ("条件的各种结果", "Guard outcomes"),
        "edge": ("流程", "edge"),
        "from": ("起始状态", "from"),
        "to": ("下一状态", "to"),
        "answer": ("条件与结果", "guard and outcome"),
        "count": ("次数", "count"),
    }
)


class Counted(NamedTuple):
    """One thing to reach: its id, how often it was, and what it is in words."""

    id: str
    times: int
    cells: tuple[str, ...]


class Corpus:
    """Counts what recorded events of one rule version reach."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.events = 0
        self.arrows = Counter[str]()
        self.guards = Coverage()

    def add(self, event: AuditEvent) -> None:
        """Count an event; one of another rule version does not count. Raises `InputError` where it took no known edge."""
        if event.rules != self.machine.rules:
            return
        self.events += 1
        self.guards.add(event)
        if (arrow := taken(self.machine, event)) is not None:
            self.arrows[arrow.id] += 1


def coverage(corpus: Corpus, lang: Lang) -> View:
    """Show what a corpus covers."""
    machine = corpus.machine
    voice = Voice(machine, lang)
    answers = list(corpus.guards.answers(machine.rules))

    def says(name: str, *words: object, **named: object) -> str:
        return _WORDS(lang, name, *words, **named)

    def counted(count: int) -> str:
        return says("never") if not count else says("once") if count == 1 else says("times", count)

    remarks = {
        arrow.id: Remark(
            Mark.PLAIN if corpus.arrows[arrow.id] else Mark.MISSED, counted(corpus.arrows[arrow.id])
        )
        for arrow in machine.arrows
    }
    numbers = says(
        "numbers",
        disputes=corpus.arrows[OPENING],
        events=corpus.events,
        arrows=len(corpus.arrows),
        all_arrows=len(machine.arrows),
        answers=sum(count > 0 for _, count in answers),
        all_answers=len(answers),
    )
    edges = [
        Counted(
            arrow.id,
            corpus.arrows[arrow.id],
            (
                voice.arrow(arrow),
                voice.state(arrow.source or arrow.target),
                voice.state(arrow.target),
            ),
        )
        for arrow in machine.arrows
    ]
    outcomes = [
        Counted(answer.key.replace(" ", "-"), count, (answer.text(lang),))
        for answer, count in answers
    ]

    def table(
        name: str, heads: tuple[str, ...], widths: tuple[int, ...], counts: list[Counted]
    ) -> TextTable:
        rows = tuple(
            TextRow(
                id=f"{name}-{one.id}",
                cells=(
                    cell(counted(one.times), face=Face.TEXT if one.times else Face.STRONG),
                    *map(cell, one.cells),
                ),
            )
            for one in counts
        )
        return TextTable(
            id=name,
            title=says(name),
            heads=tuple(says(head) for head in heads),
            widths=widths,
            rows=rows,
        )

    picture = machine_picture(voice, remarks, brief=True)
    return View(
        name="coverage",
        lang=lang,
        title=says("title", voice.rules),
        notes=(numbers, says("read")),
        parts=(
            picture,
            table("edges", ("count", "edge", "from", "to"), (8, 60, 24, 24), edges),
            table("answers", ("count", "answer"), (8, 108), outcomes),
        ),
        graph=picture,
    )
