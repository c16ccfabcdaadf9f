"""The sources of the rules: their form, and that every page cites the ones that it lists."""

import re
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import get_args

import pytest

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import SOURCES
from dispute_fsm.diagrams.model import Machine, machine_of
from dispute_fsm.diagrams.picture import Bars, Picture, TextTable, View
from dispute_fsm.diagrams.render.markdown import markdown
from dispute_fsm.diagrams.report import report
from dispute_fsm.diagrams.views.chart import chart
from dispute_fsm.diagrams.views.coverage import Corpus, coverage
from dispute_fsm.diagrams.views.decisions import decisions
from dispute_fsm.diagrams.views.diff import diff
from dispute_fsm.diagrams.views.history import history, transition_of
from dispute_fsm.diagrams.views.options import options
from dispute_fsm.diagrams.views.overview import overview
from dispute_fsm.domain.enums import Lang, Option
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.history.reader import steps
from dispute_fsm.history.replay import Replayed, replay
from dispute_fsm.machine.guard import Source
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.rules.sources import ANNOUNCEMENT
from tests.checkout import project_files

LANGS: tuple[Lang, ...] = get_args(Lang)
ROOT = Path(__file__).resolve().parent.parent
HISTORIES = sorted((ROOT / "tests" / "histories").glob("*.history.jsonl"))
SOME = HISTORIES[::20]
ID = re.compile(r"(?<![\w-])[SA]-[a-z]+(?:-[a-z]+)*(?![\w-])")
"""How a page cites a source."""
MISPRINTS = ("方宗", "方察", "方亲", "拦截")
"""Characters of the announcement that are misprints."""
LOCATOR = re.compile(r"标题|[一二三](、\d)?|二（\d）(说明)?[①②③]?|其他说明、\d")
LABELS = {option.zh for option in Option}


def cited() -> Iterator[tuple[str, Source]]:
    """Yield each citation of the charts: by transitions, guards and questions, with its version."""
    for version in VERSIONS.values():
        table = version.table
        rules = [row.rule for rows in table.transitions.values() for row in rows]
        guards = chain((table.entry.by, *table.entry.needs), *(rule.guards for rule in rules))
        for source in (table.entry.origin, *(rule.origin for rule in rules)):
            yield version.id, source
        for guard in guards:
            yield version.id, guard.source


SOURCES_BY_ID = {source.id: source for _, source in cited()}


def machines() -> list[tuple[str, Machine]]:
    return [(name, machine_of(version, DEFAULT_POLICY)) for name, version in VERSIONS.items()]


# ---- form ----------------------------------------------------------------------------------------


def test_an_id_means_one_source_in_all_versions(count: Callable[[str, int], None]) -> None:
    for version, source in cited():
        assert SOURCES_BY_ID[source.id] == source, (version, source.id)
    texts = [source.text("zh") for source in SOURCES_BY_ID.values() if source.kind == "S"]
    assert len(texts) == len(set(texts))
    count("sources of the rules", len(SOURCES_BY_ID))


@pytest.mark.parametrize("source", SOURCES_BY_ID.values(), ids=SOURCES_BY_ID)
def test_a_source_is_quoted_in_a_few_words_or_assumed_for_a_reason(source: Source) -> None:
    assert ID.fullmatch(source.id)
    assert all(source.text(lang).strip() and source.text(lang)[-1] not in "。." for lang in LANGS)
    if source.kind == "S":
        assert LOCATOR.fullmatch(source.locator)
        assert 2 <= len(source.quote) <= 12 or source.quote in LABELS
        assert not [misprint for misprint in MISPRINTS if misprint in source.quote]
        assert not any(source.because)
        assert not source.policy
    else:
        assert not source.locator
        assert not source.quote
        assert all(source.because)
        assert source.because[1].isascii()
        assert set(source.policy) <= set(Policy.model_fields)


def test_every_policy_field_that_selects_a_transition_changes_a_source() -> None:
    named = {field for source in SOURCES_BY_ID.values() for field in source.policy}
    assert {"response", "confirmation", "evidence", "appeal", "silence", "denial"} <= named


# ---- pages ---------------------------------------------------------------------------------------


def shown(view: View) -> set[str]:
    """Return the ids that a view cites where a reader sees them, the list of sources left out."""
    texts: list[str] = []
    for part in view.parts:
        if isinstance(part, Picture):
            texts += [line.text for edge in part.edges for line in edge.lines]
            texts += [line.text for box in part.boxes for line in box.lines]
        elif isinstance(part, TextTable) and part.id != "sources":
            texts += [line.text for row in part.rows for cell in row.cells for line in cell]
        else:
            assert isinstance(part, TextTable | Bars)
    return set(ID.findall("\n".join(texts)))


def listed(view: View) -> dict[str, str]:
    """Return what the list of sources of a view says of each."""
    table = next(
        part for part in view.parts if isinstance(part, TextTable) and part.id == "sources"
    )
    announcement = SOURCES(view.lang, "announcement", **ANNOUNCEMENT._asdict())
    assert table.notes == (announcement,)
    assert ANNOUNCEMENT.title in announcement
    return {
        row.cells[0][0].text: "\n".join(line.text for cell in row.cells[1:3] for line in cell)
        for row in table.rows
    }


def views(lang: Lang) -> Iterator[View]:
    for _, machine in machines():
        yield from (make(machine, lang) for make in (chart, decisions, options))
    for before, after in pairwise(machines()):
        yield diff(before, after, lang)


@pytest.mark.parametrize("lang", LANGS)
def test_every_view_lists_what_it_cites_and_nothing_else(lang: Lang) -> None:
    for view in views(lang):
        legend = listed(view)
        assert shown(view) <= set(legend), view.title
        for name, text in legend.items():
            source = SOURCES_BY_ID[name]
            assert source.text(lang) in text
            assert f"“{source.quote}”" in text if source.kind == "S" else source.because[0] or text
            assert source.locator in text


@pytest.mark.parametrize("lang", LANGS)
def test_the_source_of_every_transition_stands_beside_it(lang: Lang) -> None:
    for _, machine in machines():
        fmt = Formatter(machine, lang)
        picture = chart(machine, lang).graph
        edges = {edge.id: "\n".join(line.text for line in edge.lines) for edge in picture.edges}
        tables = [part for part in decisions(machine, lang).parts if isinstance(part, TextTable)]
        rows = {row.id: row.cells[-1] for table in tables for row in table.rows}
        for transition in machine.transitions:
            assert fmt.ref(transition) in ID.findall(edges[transition.id])
            assert [line.text for line in rows[f"decision-{transition.id}"]] == [
                fmt.ref(transition)
            ]


@pytest.mark.parametrize("lang", LANGS)
def test_coverage_cites_the_source_of_every_transition(lang: Lang) -> None:
    for _, machine in machines():
        view = coverage(Corpus(machine), lang)
        assert {transition.origin.id for transition in machine.transitions} <= shown(view)
        assert shown(view) <= set(listed(view))


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("lang", LANGS)
def test_the_overview_cites_the_source_of_all_that_can_happen(lang: Lang, *, narrow: bool) -> None:
    for _, machine in machines():
        view, never = overview(machine, lang, narrow=narrow), machine.unreachable()
        happening = [each for each in machine.transitions if each.id not in never]
        assert {each.origin.id for each in happening} <= shown(view)
        assert shown(view) <= {each.origin.id for each in machine.transitions}
        assert any(ANNOUNCEMENT.title in note for note in view.notes)


@pytest.mark.parametrize("path", SOME, ids=lambda path: path.name.partition(".")[0])
def test_every_step_of_a_dispute_and_of_its_report_has_its_source(path: Path) -> None:
    taken = list(steps(str(path)))
    disputes = dict.fromkeys(step.event.dispute_id for step in taken)
    results = {
        result.dispute_id: result for result in replay(str(path)) if isinstance(result, Replayed)
    }
    for dispute in disputes:
        own = [step for step in taken if step.event.dispute_id == dispute]
        events, policy = [step.event for step in own], own[0].policy
        machine = machine_of(VERSIONS[events[0].rules], policy)
        for lang in LANGS:
            view = history(events, policy, lang)
            page = report(own[-1].after, events, results[dispute], lang)
            legend, cited = listed(view), set[str]()
            table = next(
                part for part in view.parts if isinstance(part, TextTable) and part.id == "steps"
            )
            for event, row in zip(events, table.rows, strict=True):
                transition = transition_of(machine, event)
                names = [line.text for line in row.cells[-1]]
                if transition is not None:
                    assert names == [transition.origin.id]
                cited |= {name for name in names if name != "–"}
            assert cited <= set(legend)
            for name in cited:
                assert f"<b>{name}</b>" in page
                assert SOURCES_BY_ID[name].text(lang).replace("'", "&#x27;") in page
            assert ANNOUNCEMENT.title in page


def test_no_page_of_the_project_cites_a_source_that_does_not_exist(
    count: Callable[[str, int], None],
) -> None:
    found = 0
    for path in project_files():
        if path.suffix in {".md", ".svg", ".mmd", ".json"} and "histories" not in path.parts:
            text = path.read_text(encoding="utf-8")
            names = set(ID.findall(text)) - set(re.findall(r'assumed\("([^"]+)"', text))
            assert names <= set(SOURCES_BY_ID), path
            found += len(names)
    assert found > len(SOURCES_BY_ID)
    count("citations of sources in pages and pictures", found)


def test_a_source_is_not_only_in_a_hover_text() -> None:
    machine = machine_of(VERSIONS["2023-03"], DEFAULT_POLICY)
    for lang in LANGS:
        text = markdown(chart(machine, lang))
        assert {transition.origin.id for transition in machine.transitions} <= set(ID.findall(text))
