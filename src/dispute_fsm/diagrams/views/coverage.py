"""The view `coverage`: how often a corpus of histories took each transition and got each answer."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import COVERAGE
from dispute_fsm.diagrams.model import OPENING, Machine, SelectorQuestion
from dispute_fsm.diagrams.picture import (
    MOST_WEIGHT,
    Face,
    Mark,
    Remark,
    TextRow,
    TextTable,
    View,
    cell,
)
from dispute_fsm.diagrams.policy_text import policy_note
from dispute_fsm.diagrams.views.chart import machine_picture
from dispute_fsm.diagrams.views.gathering import Join, ending, join_id, outcomes
from dispute_fsm.diagrams.views.history import transition_of
from dispute_fsm.diagrams.views.sources import Uses, source_table, uses
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.history.coverage import Coverage


class Corpus:
    """Counts what the recorded events of one rule version cover."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.events = 0
        self.transitions = Counter[str]()
        self.outcomes = Counter[Join]()
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
            if (join := ending(self.machine, transition, event.outcome)) is not None:
                self.outcomes[join] += 1


def coverage(corpus: Corpus, lang: Lang) -> View:
    """Show what a corpus covers; in the tables what it covers least comes first."""
    return _CoverageParts(corpus, lang).view()


class _CoverageParts:
    """Makes the parts of the view."""

    def __init__(self, corpus: Corpus, lang: Lang) -> None:
        self.corpus = corpus
        self.machine = corpus.machine
        self.fmt = Formatter(self.machine, lang)
        self.text = partial(COVERAGE, lang)
        self.remarks = {
            each.id: self.remark(corpus.transitions[each.id], never=each.id in self.fmt.inactive)
            for each in self.machine.transitions
        }
        for join, transitions in outcomes(self.machine).items():
            never = self.fmt.inactive.issuperset(transitions)
            self.remarks[join_id(join)] = self.remark(corpus.outcomes[join], never=never)

    def view(self) -> View:
        fmt, lang = self.fmt, self.fmt.lang
        picture = machine_picture(fmt, self.remarks, brief=True)
        pale = any(remark.mark is Mark.INACTIVE for remark in self.remarks.values())
        return View(
            name="coverage",
            lang=lang,
            title=self.text("title", fmt.rules),
            notes=(policy_note(fmt, pale=pale), self.numbers(), self.text("read")),
            parts=(
                picture,
                self.table("edges", ("transition", "from", "to"), (52, 22, 20), self.transitions()),
                self.table("answers", ("question", "answer"), (50, 44), self.answers()),
                source_table(fmt, self.sources()),
            ),
            graph=picture,
        )

    def numbers(self) -> str:
        taken, answers = self.corpus.transitions, self.corpus.guards.answers(self.machine.rules)
        return self.text(
            "numbers",
            disputes=taken[OPENING],
            events=self.corpus.events,
            transitions=len(taken),
            all_transitions=len(self.machine.transitions),
            answers=sum(count > 0 for _, count in answers),
            all_answers=len(answers),
        )

    def remark(self, count: int, *, never: bool) -> Remark:
        """Say how often something happened, or that it `never` can under the policy."""
        if count:
            text = self.text("once") if count == 1 else self.text("times", count)
            return Remark(Mark.PLAIN, text, weight=min(len(str(count)) - 1, MOST_WEIGHT))
        if never:
            words = (self.text("never"), self.fmt.message("inactive"))
            return Remark(Mark.INACTIVE, self.fmt.join("space", words))
        return Remark(Mark.MISSED, self.text("never"))

    def transitions(self) -> Iterator[tuple[int, TextRow]]:
        fmt = self.fmt
        for each in self.machine.transitions:
            source, target = fmt.state(each.source or each.target), fmt.state(each.target)
            texts = fmt.transition(each), source, target, fmt.ref(each)
            row = _row(f"edges-{each.id}", self.remarks[each.id], texts)
            yield self.corpus.transitions[each.id], row

    def answers(self) -> Iterator[tuple[int, TextRow]]:
        conditions, questions, lang = self.machine.conditions, self.machine.questions, self.fmt.lang
        for outcome, count in self.corpus.guards.answers(self.machine.rules):
            settled, part = None, (questions if outcome.selects else conditions)[outcome.guard]
            if isinstance(part, SelectorQuestion) and not self.machine.any_policy:
                settled = part.settled
            remark = self.remark(count, never=settled not in {None, outcome.answer})
            texts = outcome.question(lang), outcome.result(lang), part.origin.id
            yield count, _row(f"answers-{outcome.key.replace(' ', '-')}", remark, texts)

    def sources(self) -> Uses:
        """Return what each source is cited for; here the guards of who may act are listed, too."""
        used = dict(uses(self.fmt, self.machine.transitions))
        actors = dict.fromkeys(each.by for each in self.machine.transitions)
        for guard in self.fmt.conditions(actors):
            ref = self.fmt.ref(guard)
            used[ref] = (*used.get(ref, ()), self.fmt.label(guard.label))
        return used

    def table(
        self,
        name: str,
        heads: tuple[str, ...],
        widths: tuple[int, ...],
        rows: Iterable[tuple[int, TextRow]],
    ) -> TextTable:
        """Make a table; of what never happened, what the policy excludes comes last."""
        in_order = sorted(rows, key=lambda row: (row[0], row[1].mark is Mark.INACTIVE))
        return TextTable(
            id=name,
            title=self.text(name),
            heads=tuple(map(self.text, ("count", *heads, "source"))),
            widths=(12, *widths, 14),
            rows=tuple(row for _, row in in_order),
        )


def _row(name: str, remark: Remark, texts: Iterable[str]) -> TextRow:
    face = Face.STRONG if remark.mark is Mark.MISSED else Face.TEXT
    cells = (cell(remark.badge, face=face), *map(cell, texts))
    return TextRow(id=name, cells=cells, mark=remark.mark)
