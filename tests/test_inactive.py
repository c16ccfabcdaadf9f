"""What the policy excludes is marked in every view, and the policy is named."""

import re
from collections.abc import Iterator
from typing import get_args

import pytest

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.model import Machine, machine_of
from dispute_fsm.diagrams.picture import Face, Line, Mark, TextRow, TextTable, View
from dispute_fsm.diagrams.policy_text import policy_note
from dispute_fsm.diagrams.render.markdown import markdown
from dispute_fsm.diagrams.render.svg import svg
from dispute_fsm.diagrams.views.chart import chart
from dispute_fsm.diagrams.views.coverage import Corpus, coverage
from dispute_fsm.diagrams.views.decisions import decisions
from dispute_fsm.diagrams.views.history import history
from dispute_fsm.diagrams.views.options import options
from dispute_fsm.diagrams.views.overview import overview
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.rules.registry import VERSIONS
from tests import command_line
from tests.support import CORPUS, over, ran

LANGS: tuple[Lang, ...] = get_args(Lang)
WORDS = {"zh": "【当前参数下不适用】", "en": "[never under this policy]"}
CASES = [
    *((rules, VERSIONS[rules].policy(DEFAULT_POLICY)) for rules in VERSIONS),
    ("2023-03", over(confirmation=None, denial="review", silence="denial")),
]


def plain() -> Machine:
    return machine_of(VERSIONS["2023-03"], DEFAULT_POLICY)


def the_machines(*, any_policy: bool = False) -> Iterator[Machine]:
    for rules, policy in CASES:
        yield machine_of(VERSIONS[rules], policy, any_policy=any_policy)


def the_views(machine: Machine, lang: Lang) -> list[View]:
    made = [make(machine, lang) for make in (chart, decisions, options)]
    return [*made, coverage(Corpus(machine), lang)]


def rows(view: View) -> Iterator[TextRow]:
    for part in view.parts:
        if isinstance(part, TextTable):
            yield from part.rows


def lines(row: TextRow) -> list[Line]:
    return [line for cell in row.cells for line in cell]


@pytest.mark.parametrize("lang", LANGS)
def test_pictures_mark_what_the_policy_excludes_and_nothing_else(lang: Lang) -> None:
    for machine in the_machines():
        excluded = machine.unreachable()
        assert excluded
        for view in the_views(machine, lang):
            edges = [
                edge for edge in view.graph.edges if not edge.id.startswith(("choose-", "outcome_"))
            ]
            marked = {edge.id for edge in edges if edge.mark is Mark.INACTIVE}
            assert marked == excluded & {edge.id for edge in edges}, view.name
            assert marked == {edge.id for edge in edges if WORDS[lang] in edge.badge}
            assert marked


@pytest.mark.parametrize("lang", LANGS)
def test_rows_about_what_the_policy_excludes_are_pale_and_say_so(lang: Lang) -> None:
    for machine in the_machines():
        excluded = machine.unreachable()
        for view, prefix in (
            (decisions(machine, lang), "decision-"),
            (coverage(Corpus(machine), lang), "edges-"),
        ):
            about = {row.id.removeprefix(prefix): row for row in rows(view)}
            for transition in machine.transitions:
                row = about[transition.id]
                says = any(WORDS[lang] in line.text for line in lines(row))
                expected = transition.id in excluded
                assert (row.mark is Mark.INACTIVE, says) == (expected, expected), row.id


@pytest.mark.parametrize("lang", LANGS)
def test_lines_about_what_the_policy_excludes_are_pale_and_say_so(lang: Lang) -> None:
    said = 0
    for machine, alike in zip(the_machines(), the_machines(any_policy=True), strict=True):
        for row, whole in zip(
            rows(options(machine, lang)), rows(options(alike, lang)), strict=True
        ):
            for line, other in zip(lines(row), lines(whole), strict=True):
                marked = WORDS[lang] in line.text
                said += marked
                unmarked = line.text.replace(WORDS[lang], "").replace("  ", " ").rstrip()
                assert unmarked == other.text
                assert (line.face is Face.FAINT and other.face is not Face.FAINT) is marked or (
                    line.text.endswith(Formatter(machine, lang).message("off"))
                )
    assert said > 40
    text = {line.text for row in rows(options(plain(), "en")) for line in lines(row)}
    denied = "consumer · deny the agreement (a denial goes to the adjudicator)"
    assert f"- {denied} → denial under review [never under this policy] A-denial" in text


def test_a_dispute_s_chart_marks_what_its_policy_excludes() -> None:
    result = ran(CORPUS[1])
    policy = result.scenario.opening.policy
    machine = machine_of(VERSIONS[result.scenario.opening.rules], policy)
    view = history(result.events, policy, "zh")
    marked = {edge.id for edge in view.graph.edges if edge.mark is Mark.INACTIVE}
    assert marked == machine.unreachable() & {edge.id for edge in view.graph.edges}
    assert view.notes[0] == policy_note(Formatter(machine, "zh"))


@pytest.mark.parametrize("lang", LANGS)
def test_all_policies_show_everything_alike(lang: Lang) -> None:
    for machine in the_machines(any_policy=True):
        note = policy_note(Formatter(machine, lang))
        assert ("各种规则参数" if lang == "zh" else "any policy") in note
        for view in (*the_views(machine, lang), overview(machine, lang)):
            assert view.notes[0] == note
            assert WORDS[lang] not in markdown(view).replace("\\", "")


def test_a_drawing_draws_what_the_policy_excludes_pale_and_dashed() -> None:
    machine, alike = plain(), machine_of(VERSIONS["2023-03"], DEFAULT_POLICY, any_policy=True)
    drawn = svg(chart(machine, "en"))
    for name in machine.unreachable():
        assert re.search(rf'<g id="{name}" class="(edge|state) [^"]*inactive"', drawn), name
    assert 'inactive"' not in svg(chart(alike, "en"))


POLICIES: list[tuple[Policy, str, str]] = [
    (DEFAULT_POLICY, "规则参数：默认。", "Policy: the default."),
    (
        over(response={"hours": 48}, denial="review", scan_grace="8h"),
        (
            "规则参数：默认，但 商家响应时限（response）：48 小时；"
            "揽件信息同步宽限（scan_grace）：8 小时；消费者否认后的处理（denial）：转平台核实。"
        ),
        (
            "Policy: the default, but response deadline (response): 48 h; grace for scans "
            "(scan_grace): 8h; effect of a denial (denial): goes to the adjudicator."
        ),
    ),
    (
        over(
            evidence_reasons={"force_majeure": None}, voucher_limits={"media_types": ["image/png"]}
        ),
        (
            "规则参数：默认，但 举证理由（evidence_reasons.force_majeure）：已移除；"
            "凭证限制（voucher_limits.media_types）：已修改。"
        ),
        (
            "Policy: the default, but evidence reasons (evidence_reasons.force_majeure): removed; "
            "voucher limits (voucher_limits.media_types): edited."
        ),
    ),
]


@pytest.mark.parametrize(("policy", "zh", "en"), POLICIES, ids=["default", "values", "parts"])
def test_every_view_names_the_policy_by_what_differs_from_the_default(
    policy: Policy, zh: str, en: str
) -> None:
    machine = machine_of(VERSIONS["2023-03"], policy)
    for lang, words in zip(LANGS, (zh, en), strict=True):
        for view in (*the_views(machine, lang), overview(machine, lang)):
            assert view.notes[0].startswith(words)
            assert WORDS[lang].strip("【】[]") in view.notes[0]


def test_the_command_shows_all_policies_alike() -> None:
    shown = command_line.run("diagram", "decisions", "--format", "md", "--lang", "zh")
    assert "当前参数下不适用】" in shown.out
    shown = command_line.run(
        "diagram", "decisions", "--format", "md", "--lang", "zh", "--all-policies"
    )
    assert shown.code == 0
    assert "当前参数下不适用" not in shown.out
    assert "各种规则参数" in shown.out
