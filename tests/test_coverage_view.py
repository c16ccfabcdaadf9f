"""The view of what a corpus covers: lines by count, least first, and only words in Chinese."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from dispute_fsm.diagrams.messages import LEGEND
from dispute_fsm.diagrams.model import Machine, machine_of
from dispute_fsm.diagrams.picture import MOST_WEIGHT, Mark, TextTable, View
from dispute_fsm.diagrams.render.graphviz import dot
from dispute_fsm.diagrams.render.mermaid import mermaid
from dispute_fsm.diagrams.render.svg import svg
from dispute_fsm.diagrams.render.typography import WEIGHTS
from dispute_fsm.diagrams.views.coverage import Corpus, coverage
from dispute_fsm.diagrams.views.gathering import join_id, joins, outcomes
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.history.reader import steps
from dispute_fsm.rules.registry import VERSIONS

HISTORIES = Path(__file__).parent / "histories"
COUNTS = {1: 0, 9: 0, 10: 1, 99: 1, 100: 2, 999: 2, 1_000: 3, 5_000_000: 3}
"""How thick the line of a transition is that was taken so often."""


def machine() -> Machine:
    return machine_of(VERSIONS["2023-03"], DEFAULT_POLICY)


def some() -> Corpus:
    corpus = Corpus(machine())
    for path in sorted(HISTORIES.glob("*.history.jsonl"))[::12]:
        for step in steps(str(path)):
            corpus.add(step.event)
    return corpus


def the_table(view: View, name: str) -> TextTable:
    return next(part for part in view.parts if isinstance(part, TextTable) and part.id == name)


def test_a_line_is_thicker_the_more_often_it_was_taken() -> None:
    corpus = Corpus(machine())
    outer = [each.id for each in corpus.machine.transitions if not each.stays]
    taken = dict(zip(outer, COUNTS, strict=False))
    corpus.transitions.update(taken)
    graph = coverage(corpus, "en").graph
    weights = {edge.id: edge.weight for edge in graph.edges}
    assert {name: weights[name] for name in taken} == {
        name: COUNTS[count] for name, count in taken.items()
    }
    further = {name for name in weights if name.startswith("outcome_")}
    assert not any(weights[name] for name in weights.keys() - taken.keys() - further)

    assert len(WEIGHTS) == MOST_WEIGHT + 1
    assert all(thin < thick for thin, thick in pairwise(WEIGHTS))
    drawn, written = svg(coverage(corpus, "en")), dot(graph)
    halves = [edge.id for edge in graph.outer for _ in range(2 if edge.lines else 1)]
    numbers = {name: number for number, name in enumerate(halves)}
    styles = re.findall(r"linkStyle ([\d,]+) (\S+)", mermaid(graph))
    for name, weight in weights.items():
        if name not in taken:
            continue
        kinds = re.search(rf'<g id="{name}" class="(edge [^"]*)"', drawn)
        assert kinds
        assert re.findall(r"weight-\d", kinds[1]) == [f"weight-{weight}"] * (weight > 0)
        widths = set(re.findall(rf'"{name}" -> .*penwidth=([\d.]+)', written))
        assert widths == ({str(WEIGHTS[weight])} if weight else set())
        (style,) = (style for which, style in styles if str(numbers[name]) in which.split(","))
        assert f"stroke-width:{WEIGHTS[weight] if weight else 1.5}px" in style
    legend = drawn.partition('class="legend"')[2]
    for weight in range(MOST_WEIGHT + 1):
        assert f'class="edge weight-{weight}"' in legend
        assert f">{LEGEND('en', f'weight-{weight}')}</text>" in legend
    assert "weight-" not in svg(coverage(Corpus(machine()), "en")).partition('class="legend"')[2]
    for weight in range(1, MOST_WEIGHT + 1):
        assert f".weight-{weight} &gt; .course{{stroke-width:{WEIGHTS[weight]}}}" in drawn


def test_a_line_into_an_end_is_as_thick_as_often_as_its_outcome_was_reached() -> None:
    corpus = Corpus(machine())
    ends = list(outcomes(corpus.machine))
    corpus.outcomes.update(dict(zip(ends, COUNTS, strict=False)))
    graph = coverage(corpus, "en").graph
    for number, join in enumerate(ends):
        (line,) = (edge for edge in graph.edges if edge.source == join_id(join))
        box = next(box for box in graph.boxes if box.id == join_id(join))
        if count := corpus.outcomes[join]:
            assert (line.mark, line.weight) == (Mark.PLAIN, COUNTS[count])
            assert box.badge == ("once" if count == 1 else f"{count} times")
        else:
            assert number >= len(COUNTS)
            assert line.mark in {Mark.MISSED, Mark.INACTIVE}
            assert box.badge.startswith("never")


def test_the_outcomes_of_a_corpus_are_those_of_the_disputes_that_ended() -> None:
    corpus = some()
    into = {name for transitions in joins(corpus.machine).values() for name in transitions}
    ended = sum(count for name, count in corpus.transitions.items() if name in into)
    assert sum(corpus.outcomes.values()) == ended > 3


def counted(text: str) -> int:
    """Return the number in a cell that says how often something happened."""
    return 0 if text.startswith("从未发生") else int(text.removesuffix(" 次"))


@pytest.mark.parametrize("name", ["edges", "answers"])
def test_what_never_happened_comes_first_and_what_cannot_happen_after_it(name: str) -> None:
    table = the_table(coverage(some(), "zh"), name)
    order = [
        (counted(row.cells[0][0].text), "当前参数下不适用" in row.cells[0][0].text)
        for row in table.rows
    ]
    assert order == sorted(order)
    assert {(0, False), (0, True)} < set(order)
    assert [row.mark for row in table.rows if row.mark is Mark.MISSED] == [
        row.mark for row in table.rows[: order.index((0, True))]
    ]


def test_an_answer_that_the_policy_excludes_is_not_a_gap() -> None:
    rows = {row.id: row for row in the_table(coverage(Corpus(machine()), "en"), "answers").rows}
    assert rows["answers-silence-denial"].mark is Mark.INACTIVE
    assert rows["answers-silence-consent"].mark is Mark.MISSED
    any_policy = machine_of(VERSIONS["2023-03"], DEFAULT_POLICY, any_policy=True)
    rows = {row.id: row for row in the_table(coverage(Corpus(any_policy), "en"), "answers").rows}
    assert rows["answers-silence-denial"].mark is Mark.MISSED


@pytest.mark.parametrize("rules", VERSIONS)
def test_the_chinese_tables_have_words_only(rules: str) -> None:
    view = coverage(Corpus(machine_of(VERSIONS[rules], DEFAULT_POLICY)), "zh")
    for name in ("edges", "answers"):
        table = the_table(view, name)
        for row in table.rows:
            *words, (source,) = row.cells
            assert re.fullmatch(r"[SA]-[a-z-]+", source.text)
            text = " ".join(line.text for cell in words for line in cell)
            assert not re.search("[a-z]{2}", text), row.id


def test_the_note_speaks_of_what_is_pale_only_where_something_is() -> None:
    corpus = Corpus(machine())
    assert "不会发生" in coverage(corpus, "zh").notes[0]
    corpus.transitions.update(each.id for each in corpus.machine.transitions)
    assert coverage(corpus, "zh").notes[0] == "规则参数：默认。"
