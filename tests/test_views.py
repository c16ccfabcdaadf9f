"""The views agree with the chart: each transition once, refusals as decided, sources named."""

import dataclasses
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from itertools import chain, product
from pathlib import Path
from typing import get_args

import pytest

from dispute_fsm.decider.decisions import Accepted, Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.diagrams.changes import ChartChange, changes
from dispute_fsm.diagrams.completeness import (
    events_not_offered,
    gap_codes,
    inconsistencies,
    late_in,
    not_offered_codes,
)
from dispute_fsm.diagrams.formatting import IN_TIME, Formatter
from dispute_fsm.diagrams.messages import DIFF, KINDS, LEGEND
from dispute_fsm.diagrams.model import (
    Machine,
    TransitionView,
    machine_of,
)
from dispute_fsm.diagrams.picture import (
    BAD,
    GOOD,
    Box,
    Frame,
    Mark,
    Picture,
    Shape,
    TextTable,
    View,
)
from dispute_fsm.diagrams.render.graphviz import dot
from dispute_fsm.diagrams.render.markdown import markdown
from dispute_fsm.diagrams.render.mermaid import mermaid, node_id
from dispute_fsm.diagrams.render.svg import svg
from dispute_fsm.diagrams.views.chart import chart
from dispute_fsm.diagrams.views.coverage import Corpus, coverage
from dispute_fsm.diagrams.views.decisions import decisions
from dispute_fsm.diagrams.views.diff import diff, sentences
from dispute_fsm.diagrams.views.history import active_leaves, history, transition_of
from dispute_fsm.diagrams.views.options import options
from dispute_fsm.diagrams.views.sources import uses
from dispute_fsm.domain.enums import (
    ORDER_PAGE_LINK,
    CommandType,
    EventType,
    Lang,
    Option,
    RefusalCode,
    Role,
)
from dispute_fsm.domain.policy import DEFAULT_POLICY, Bilingual
from dispute_fsm.errors import ChartError, InputError
from dispute_fsm.history.reader import steps
from dispute_fsm.rules.registry import VERSIONS
from tests.oracle_words import BASE
from tests.sampling import few
from tests.support import (
    CORPUS,
    ORDERS,
    commands_of,
    decided,
    moments,
    over,
    ran,
    situations,
    well_formed,
)

HISTORIES = sorted(path for path in (Path(__file__).parent / "histories").glob("*.jsonl*"))
LANGS: tuple[Lang, ...] = ("zh", "en")


@pytest.fixture(params=list(VERSIONS))
def machine(request: pytest.FixtureRequest) -> Machine:
    return machine_of(VERSIONS[str(request.param)], DEFAULT_POLICY)


def the_picture(view: View) -> Picture:
    (picture,) = (part for part in view.parts if isinstance(part, Picture))
    return picture


def cells(table: TextTable) -> list[str]:
    return [line.text for row in table.rows for cell in row.cells for line in cell]


def tables(view: View) -> list[TextTable]:
    return [part for part in view.parts if isinstance(part, TextTable)]


def texts(drawn: str) -> str:
    """Return the text of an SVG without white space, as lines break anywhere."""
    return re.sub(r"\s+", "", "".join(re.findall(r"<text[^>]*>([^<]*)</text>", drawn)))


# ---- every transition, everywhere ----------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGS)
def test_the_chart_shows_every_transition_once_in_every_format(
    machine: Machine, lang: Lang, tell: Callable[[object], None]
) -> None:
    view = chart(machine, lang)
    ids = [transition.id for transition in machine.transitions]
    joins = [edge.id for edge in the_picture(view).edges if edge.id.startswith("outcome_")]
    assert Counter(edge.id for edge in the_picture(view).edges) == Counter([*ids, *joins])
    drawn = svg(view)
    assert Counter(re.findall(r'<g id="([^"]+)" class="edge', drawn)) == Counter([*ids, *joins])
    stays = {transition.id for transition in machine.transitions if transition.stays}
    nodes = Counter(re.findall(r'^ +"([^"]+)" \[id=', dot(view.graph), flags=re.MULTILINE))
    assert all(nodes[name] == (0 if name in stays else 1) for name in ids)
    heads = re.findall(r"^ +e\d+ (?:-->|==>|-\.->) ", mermaid(view.graph), flags=re.MULTILINE)
    assert len(heads) == len(ids) - len(stays)
    tell(f"chart {machine.rules} {lang}: {len(ids)} transitions drawn, each once")


def ways(picture: Picture, end: str) -> dict[str, list[str]]:
    """Return which boxes have a line into an end, each with the boxes that have a line there."""
    return {
        edge.source: [other.source for other in picture.outer if other.target == edge.source]
        for edge in picture.outer
        if edge.target == end
    }


@pytest.mark.parametrize("lang", LANGS)
def test_one_line_for_each_outcome_leads_into_each_end_in_every_format(
    machine: Machine, lang: Lang, tell: Callable[[object], None]
) -> None:
    view = chart(machine, lang)
    picture = the_picture(view)
    boxes = {box.id: box for box in picture.boxes}
    drawn, written, flowchart = svg(view), dot(picture), mermaid(picture)
    lines = 0
    for end in (state.id for state in machine.states if state.closed):
        into = [each for each in machine.transitions if each.target == end and not each.stays]
        wanted = {ending.outcome for each in into for ending in each.endings}
        found = ways(picture, end)
        fmt = Formatter(machine, lang)
        labels = [line.text for name in found for line in boxes[name].lines]
        assert sorted(labels) == sorted(map(fmt.outcome, wanted))
        assert all(boxes[name].shape is Shape.OUTCOME for name in found)
        lines += len(found)
        for name in found:
            assert drawn.count(f'<g id="{name}_to_{end}" class="edge') == 1
            assert written.count(f'"{name}" -> "{end}"') == 1
            arrows = rf"^ +{node_id(name)} (?:-->|-\.->) {node_id(end)}$"
            assert len(re.findall(arrows, flowchart, flags=re.MULTILINE)) == 1
        for transition in into:
            outcomes = {fmt.outcome(ending.outcome) for ending in transition.endings}
            edge = next(edge for edge in picture.edges if edge.id == transition.id)
            met = [edge.target]
            if edge.target not in found:  # the outcome depends on the option
                met = [name for name in found if edge.target in found[name]]
            assert {line.text for name in met for line in boxes[name].lines} == outcomes
            assert not outcomes & {line.text for line in edge.lines}
    tell(f"chart {machine.rules} {lang}: {lines} outcomes, one line for each")


def test_a_line_into_an_end_has_the_colour_of_the_end(machine: Machine) -> None:
    picture = the_picture(chart(machine, "en"))
    tones = {Shape.GOOD_END: GOOD, Shape.BAD_END: BAD}
    for box in picture.boxes:
        if box.shape in tones:
            into = [edge for edge in picture.outer if edge.target == box.id]
            assert into
            assert {edge.tone for edge in into} == {tones[box.shape]}


def test_what_joins_is_marked_as_strongly_as_what_is_taken_of_it() -> None:
    machine = machine_of(VERSIONS["2023-03"], DEFAULT_POLICY)
    shown = {edge.id: edge.mark for edge in the_picture(chart(machine, "en")).edges}
    into = "outcome_resolved_settled_by_shipment_to_resolved"
    assert shown["opened--choose_option--already_shipped--off"] is Mark.INACTIVE
    assert shown[into] is Mark.PLAIN  # the consumer's confirmation leads there, too
    without = machine_of(VERSIONS["2023-03"], over(response=None))
    shown = {edge.id: edge.mark for edge in the_picture(chart(without, "en")).edges}
    assert shown["outcome_penalized_no_response_to_penalized"] is Mark.INACTIVE


@pytest.mark.parametrize("lang", LANGS)
def test_every_transition_is_in_exactly_one_row_of_the_decision_tables(
    machine: Machine, lang: Lang, tell: Callable[[object], None]
) -> None:
    view = decisions(machine, lang)
    rows = [
        row.id for table in tables(view) for row in table.rows if row.id.startswith("decision-")
    ]
    assert Counter(rows) == Counter(
        f"decision-{transition.id}" for transition in machine.transitions
    )
    assert Counter(edge.id for edge in view.graph.edges) == Counter(
        transition.id for transition in machine.transitions if transition.source is not None
    )
    total = len(machine.transitions)
    tell(f"decisions {machine.rules} {lang}: {len(rows)} rows for {total} transitions")


def test_rows_carry_who_where_to_what_end_and_every_code(machine: Machine) -> None:
    fmt = Formatter(machine, "en")
    rows = {
        row.id: " ".join(line.text for cell in row.cells for line in cell)
        for table in tables(decisions(machine, "en"))
        for row in table.rows
    }
    for transition in machine.transitions:
        text = rows[f"decision-{transition.id}"]
        for words in (
            fmt.roles(transition),
            *fmt.endings(transition),
            fmt.ref(transition),
            fmt.message("stays") if transition.stays else fmt.state(transition.target),
        ):
            assert words in text, transition.id
        codes = {code.value for name in transition.needs for code in machine.conditions[name].codes}
        assert codes <= set(re.findall(r"[a-z_]+", text)), transition.id


@pytest.mark.parametrize("lang", LANGS)
def test_a_refusal_in_the_decision_tables_has_its_words_and_its_code(
    machine: Machine, lang: Lang
) -> None:
    labels = {code.value: code.label(lang) for code in RefusalCode}
    found = 0
    for line in chain.from_iterable(map(cells, tables(decisions(machine, lang)))):
        for named in re.finditer(r"[a-z_]+", line):
            if named[0] in labels:
                assert line[: named.start()].endswith(f"{labels[named[0]]} ("), line
                found += 1
    assert found > 100


def test_the_option_that_is_chosen_stands_beside_the_event(machine: Machine) -> None:
    labels = {option.zh for option in machine.options}
    chosen = set()
    for row in (row for table in tables(decisions(machine, "zh")) for row in table.rows):
        if "--choose_option--" in row.id and row.id.startswith("decision-"):
            event, _, when, *_ = [" ".join(line.text for line in cell) for cell in row.cells]
            option = Option(row.id.split("--")[2])
            assert option.zh in event
            assert option.value in event
            assert not [label for label in labels if label in when]
            chosen.add(option)
    assert chosen == set(machine.options)


def test_no_deadline_can_have_passed_where_none_runs(machine: Machine) -> None:
    shown = {table.id: " ".join(cells(table)) for table in tables(decisions(machine, "en"))}
    code = RefusalCode.DEADLINE_PASSED.value
    for state in machine.states:
        if state.kind == "leaf" and (text := shown.get(f"decisions-{state.id}")):
            offers = any(one.source == state.id and one.timing for one in machine.transitions)
            assert (code in text) is (bool(state.running) and offers), state.id
    assert code not in shown["decisions-under_review"]
    without = machine_of(VERSIONS["2023-03"], over(response=None))
    opened = next(
        table for table in tables(decisions(without, "en")) if table.id == "decisions-opened"
    )
    assert code not in " ".join(cells(opened))
    any_policy = without.model_copy(update={"any_policy": True})
    opened = next(
        table for table in tables(decisions(any_policy, "en")) if table.id == "decisions-opened"
    )
    assert code in " ".join(cells(opened))


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading: letters, marks, digits, `_`, `-`; no blank."""
    kept = (
        character
        for character in heading.lower()
        if character in " -" or unicodedata.category(character)[0] in "LMN" or character == "_"
    )
    return "".join(kept).replace(" ", "-")


@pytest.mark.parametrize("lang", LANGS)
def test_every_link_at_the_head_of_the_decision_tables_has_its_heading(
    machine: Machine, lang: Lang
) -> None:
    view = decisions(machine, lang)
    written = markdown(view)
    head, _, body = written.partition("\n## ")
    headings = re.findall(r"^## (.*)$", "## " + body, flags=re.MULTILINE)
    links = re.findall(r"^- \[(.*)\]\(#(.*)\)$", head, flags=re.MULTILINE)
    assert links == [(text, anchor(text.replace("\\", ""))) for text in headings]
    assert len(links) == len(tables(view))
    assert "](#" not in markdown(options(machine, lang))


def test_headings_of_the_same_text_have_different_anchors() -> None:
    table = tables(decisions(plain(), "en"))[0]
    view = decisions(plain(), "en")
    doubled = dataclasses.replace(view, title="Table", parts=(table, table, table, table))
    links = re.findall(r"\]\(#(.*)\)$", markdown(doubled), flags=re.MULTILINE)
    assert links == [anchor(table.title) + end for end in ("", "-1", "-2", "-3")]


def test_every_condition_and_source_is_named_in_the_legend(machine: Machine) -> None:
    for lang in LANGS:
        fmt = Formatter(machine, lang)
        legend = cells(
            next(table for table in tables(chart(machine, lang)) if table.id == "sources")
        )
        for transition in machine.transitions:
            assert fmt.ref(transition) in legend
            says = [line for line in legend if transition.origin.text.label(lang) in line]
            assert says
            for condition in fmt.conditions(
                (*transition.when, *transition.timing, *transition.needs)
            ):
                assert fmt.ref(condition) in legend


def test_tooltips_carry_the_source_of_each_rule_and_each_condition(machine: Machine) -> None:
    edges = {edge.id: edge.tooltip for edge in the_picture(chart(machine, "zh")).edges}
    for transition in machine.transitions:
        assert transition.origin.text.zh in edges[transition.id]
        for name in (*transition.when, *transition.needs):
            assert name in edges[transition.id]
            assert machine.conditions[name].origin.text.zh in edges[transition.id]


# ---- no gap, no overlap, and what is decided -----------------------------------------------------


def changed(machine: Machine, name: str, **update: object) -> Machine:
    transitions = tuple(
        transition.model_copy(update=update) if transition.id == name else transition
        for transition in machine.transitions
    )
    assert transitions != machine.transitions
    return machine.model_copy(update={"transitions": transitions})


def plain() -> Machine:
    return machine_of(VERSIONS["2023-03"], DEFAULT_POLICY)


def test_the_tables_have_neither_gap_nor_overlap(machine: Machine) -> None:
    assert list(inconsistencies(machine)) == []


def test_an_overlap_is_found() -> None:
    transition = "awaiting_confirmation--deny_agreement--out_of_stock_refund"
    found = list(inconsistencies(changed(plain(), transition, when=())))
    assert any(
        "awaiting_confirmation on deny_agreement" in one and "both apply" in one for one in found
    )
    with pytest.raises(ChartError, match="both apply"):
        decisions(changed(plain(), transition, when=()), "en")


def test_an_overlap_with_the_states_around_is_found() -> None:
    machine = plain()
    inner = machine.transition("opened--withdraw").model_copy(
        update={"id": "under_review--withdraw", "source": "under_review"}
    )
    assert any(
        "under_review on withdraw" in one
        for one in inconsistencies(
            machine.model_copy(update={"transitions": (*machine.transitions, inner)})
        )
    )


def test_a_gap_in_what_the_order_shows_is_found() -> None:
    machine = plain()
    left = tuple(
        transition
        for transition in machine.transitions
        if transition.id != "awaiting_shipment--promise_expired--refunded"
    )
    (found,) = inconsistencies(machine.model_copy(update={"transitions": left}))
    assert "awaiting_shipment on promise_expired" in found
    assert "refunded" in found


def offered(machine: Machine, dispute: Dispute, event: CommandType) -> list[TransitionView]:
    around = {
        name for leaf in active_leaves(dispute.path) for name in (leaf, *machine.around(leaf))
    }
    return [
        transition
        for transition in machine.transitions
        if transition.event is event and transition.source in around
    ]


@pytest.mark.no_cover  # a hundred thousand decisions
@pytest.mark.parametrize(
    ("rules", "policy"),
    few(
        [
            ("2023-03", {}),
            ("2023-03", {"denial": "review"}),
            ("2023-03", {"silence": "denial"}),
            ("2023-03", {"confirmation": None}),
            ("extended", {}),
            ("extended", {"denial": "review"}),
            ("extended", {"appeal": None}),
        ],
        1,
    ),
)
def test_what_the_tables_say_is_what_is_decided(
    rules: str, policy: dict[str, object], count: Callable[[str, int], None]
) -> None:
    """Decide many cases: what is accepted took a row, what is refused has a code of the table."""
    version = VERSIONS[rules]
    of_rules = version.policy(DEFAULT_POLICY).lay_over(policy)
    machine = machine_of(version, of_rules)
    tried = 0
    for dispute, event in product(situations(of_rules, rules).values(), commands_of(rules)):
        state = machine.state(active_leaves(dispute.path)[0])
        transitions = offered(machine, dispute, event)
        assert (event in events_not_offered(machine, state)) is not bool(transitions)
        allowed = {
            code
            for transition in transitions
            for name in (transition.by, *transition.timing, *transition.needs)
            if name not in IN_TIME or late_in(machine, state.id)
            for code in machine.conditions[name].codes
        }
        allowed |= set(
            gap_codes(machine, transitions)
            if transitions
            else not_offered_codes(machine, state, event)
        )
        for at, shown in product(moments(dispute), ORDERS.values()):
            decision = decided(dispute, well_formed(dispute, event), at, shown)
            tried += 1
            if isinstance(decision, Accepted):
                assert transition_of(machine, decision.event) in transitions
            elif isinstance(decision, Refused):
                assert set(decision.codes) <= allowed, (dispute.path, event)
                if not transitions:
                    assert len(decision.codes) == 1
    assert tried > 1_000
    count("decisions compared with the tables", tried)


# ---- texts ---------------------------------------------------------------------------------------


def test_the_options_are_those_of_the_version(machine: Machine) -> None:
    table, *_ = tables(options(machine, "zh"))
    offered = VERSIONS[machine.rules].options
    assert list(table.heads[1:]) == [f"{option.zh} ({option.value})" for option in offered]


def test_the_options_say_what_each_takes_and_how_it_is_refused() -> None:
    view = options(plain(), "zh")
    table, *_ = tables(view)
    rows = {
        row.id.removeprefix("options-"): [[line.text for line in cell] for cell in row.cells[1:]]
        for row in table.rows
    }
    shipped = list(Option).index(Option.ALREADY_SHIPPED)
    assert any("已发货" in text for text in rows["facts"][shipped])
    assert any(RefusalCode.NOT_SHIPPED.zh in text for text in rows["refusals"][shipped])
    assert any(ORDER_PAGE_LINK in text for text in rows["refusals"][shipped])
    assert not any(
        ORDER_PAGE_LINK in text
        for text in rows["refusals"][list(Option).index(Option.PROVE_NO_FAULT)]
    )
    assert any(
        "逾期未举证" in text for text in rows["ends"][list(Option).index(Option.PROVE_NO_FAULT)]
    )
    assert {box.id for box in view.graph.boxes} >= {option.value for option in plain().options}


@pytest.mark.parametrize("lang", LANGS)
def test_svg_and_markdown_contain_every_text_of_a_view(machine: Machine, lang: Lang) -> None:
    for view in (chart(machine, lang), decisions(machine, lang), options(machine, lang)):
        drawn = texts(svg(view))
        written = re.sub(r"[\\*\s]|<br>", "", markdown(view))
        for table in tables(view):
            for text in (table.title, *table.heads, *cells(table), *table.notes):
                plain_text = re.sub(r"\s+", "", text)
                assert plain_text.replace("<", "&lt;").replace(">", "&gt;") in drawn
                assert re.sub(r"[\\*]", "", plain_text) in written


def test_both_languages_show_the_same(machine: Machine) -> None:
    for make in (chart, decisions, options):
        zh, en = (make(machine, lang) for lang in LANGS)
        assert [edge.id for edge in zh.graph.edges] == [edge.id for edge in en.graph.edges]
        assert [[row.id for row in table.rows] for table in tables(zh)] == [
            [row.id for row in table.rows] for table in tables(en)
        ]
        text = "".join(cells(tables(en)[0])).replace("拦截", "").replace(ORDER_PAGE_LINK, "")
        sources = Formatter(machine, "en").sources.values()  # cited in their own language
        for words in sorted({word for one in sources for word in (one.quote, one.locator)})[::-1]:
            text = text.replace(words, "")
        assert not re.search(r"[\u4e00-\u9fff]", text)


# ---- one dispute ---------------------------------------------------------------------------------


def test_every_recorded_event_took_one_transition_of_the_chart(
    count: Callable[[str, int], None], *, whole: bool
) -> None:
    found = 0
    for path in HISTORIES if whole else HISTORIES[::5]:
        for step in steps(str(path)):
            machine = machine_of(VERSIONS[step.event.rules], step.policy)
            transition = transition_of(machine, step.event)
            assert (transition is None) is (step.event.type is EventType.REFUSED)
            found += transition is not None
    assert found > (300 if whole else 20)
    count("recorded events found on the chart", found)


@pytest.mark.parametrize("lang", LANGS)
def test_every_transition_of_a_map_names_its_source_and_the_page_lists_it(lang: Lang) -> None:
    result = ran(next(path for path in CORPUS if path.name == "15-promise-missed.dispute.yaml"))
    machine = plain()
    refs = {each.id: each.origin.id for each in machine.transitions}
    events, policy = result.events, result.scenario.opening.policy
    for view in (history(events, policy, lang), coverage(Corpus(machine), lang)):
        heads = {edge.id: edge.lines[0].text for edge in the_picture(view).edges if edge.lines}
        assert all(heads[name].endswith(f"  {ref}") for name, ref in refs.items())
        listed = {row.cells[0][0].text for row in tables(view)[-1].rows}
        assert listed >= set(refs.values())


def test_a_history_lights_what_was_taken_and_fades_the_rest() -> None:
    result = ran(next(path for path in CORPUS if path.name == "15-promise-missed.dispute.yaml"))
    view = history(result.events, result.scenario.opening.policy, "zh")
    edges = {edge.id: edge for edge in the_picture(view).edges}
    assert [name for name, edge in edges.items() if edge.mark is Mark.LIT] == [
        "open_dispute",
        "opened--choose_option--ship_by_agreed_date",
        "awaiting_shipment--confirm_agreement--asked",
        "awaiting_shipment--promise_expired--neither",
        "outcome_penalized_promise_missed_to_penalized",
    ]
    assert edges["awaiting_shipment--promise_expired--neither"].badge == "第 4 步"
    others = [edge for name, edge in edges.items() if not name.startswith("outcome_")]
    assert all(edge.mark is Mark.FADED for edge in others if not edge.badge)
    boxes = {box.id: box for box in the_picture(view).boxes}
    assert (boxes["penalized"].mark, boxes["penalized"].badge) == (Mark.LIT, "在此结束")
    assert boxes["resolved"].mark is Mark.FADED


def test_of_the_outcomes_by_option_a_history_lights_only_its_own() -> None:
    result = ran(next(path for path in CORPUS if path.name == "01-agreed-to-cancel.dispute.yaml"))
    edges = the_picture(history(result.events, result.scenario.opening.policy, "zh")).edges
    outcome = "outcome_resolved_settled_by_cancellation"
    lit = [edge.id for edge in edges if edge.mark is Mark.LIT and edge.id.startswith("outcome_")]
    assert len(lit) == 2
    assert f"{outcome}_to_resolved" in lit
    assert any(name.endswith(f"_to_{outcome}") for name in lit)


@pytest.mark.parametrize("lang", LANGS)
def test_the_timeline_shows_each_deadline_against_what_happened(lang: Lang) -> None:
    result = ran(next(path for path in CORPUS if path.name == "15-promise-missed.dispute.yaml"))
    view = history(result.events, result.scenario.opening.policy, lang)
    bars = next(part for part in view.parts if part.__class__.__name__ == "Bars")
    lanes = {lane.id: lane.bars for lane in bars.lanes}  # type: ignore[union-attr] # the assertion below says which part it is
    ids = ["lane-response", "lane-confirmation", "lane-promise", "lane-agreed"]
    assert list(lanes) == ids
    (agreed,) = lanes["lane-agreed"]
    assert agreed.start == agreed.end == vars(result.events[1].payload)["agreed_until"]
    assert agreed.end < lanes["lane-promise"][0].end
    used, left = lanes["lane-response"]
    assert (used.mark, left.mark, used.end) == (Mark.LIT, Mark.FADED, left.start)
    ran_out, late = lanes["lane-promise"]
    assert (late.mark, late.start, late.end) == (Mark.MISSED, ran_out.end, result.events[-1].at)


def test_an_event_without_a_transition_is_an_error() -> None:
    result = ran(next(path for path in CORPUS if path.name == "15-promise-missed.dispute.yaml"))
    event = result.events[1].model_copy(update={"target": "penalized"})
    with pytest.raises(InputError, match="event 2"):
        transition_of(plain(), event)


# ---- differences and coverage --------------------------------------------------------------------


def relabelled(machine: Machine, name: str, zh: str) -> Machine:
    condition = machine.conditions[name]
    words = Bilingual(zh=zh, en=condition.label.en)
    return machine.model_copy(
        update={
            "conditions": {
                **machine.conditions,
                name: condition.model_copy(update={"label": words}),
            }
        }
    )


def the_change(before: Machine, after: Machine) -> ChartChange:
    (change,) = changes(before, after, "en")
    return change


def test_a_machine_does_not_differ_from_itself(machine: Machine) -> None:
    assert changes(machine, machine, "zh") == ()
    view = diff(("a", machine), ("b", machine), "en")
    assert "The two do not differ." in view.notes


def test_a_requirement_that_came_or_went_is_named() -> None:
    machine, name = plain(), "opened--choose_option--already_shipped--asked"
    needs = machine.transition(name).needs
    gone = the_change(
        machine, changed(machine, name, needs=tuple(one for one in needs if one != "picked_up"))
    )
    assert (gone.kind, gone.id, gone.mark, gone.lines) == (
        "transition",
        name,
        Mark.CHANGED,
        ("needs: no longer a valid pickup scan",),
    )
    come = the_change(changed(machine, name, needs=()), machine)
    assert come.lines[0].startswith("needs: now also shipped, a valid pickup scan")


def test_a_transition_with_another_target_added_or_removed_is_named() -> None:
    machine, name = plain(), "opened--withdraw"
    moved = the_change(machine, changed(machine, name, target="penalized"))
    assert "to: was resolved, is penalized" in moved.lines
    left = machine.model_copy(
        update={
            "transitions": tuple(
                transition for transition in machine.transitions if transition.id != name
            )
        }
    )
    assert (the_change(machine, left).mark, the_change(left, machine).mark) == (
        Mark.REMOVED,
        Mark.ADDED,
    )


def test_a_transition_that_is_selected_differently_is_the_same_transition() -> None:
    machine, name = plain(), "under_review--request_evidence"
    other = changed(machine, name, when=("denial_is_penalize",), id=f"{name}--penalize")
    change = the_change(machine, other)
    assert (change.id, change.mark, change.lines) == (
        f"{name}--penalize",
        Mark.CHANGED,
        ("if: now also a denial penalizes at once",),
    )


def test_a_label_is_named_with_what_it_was() -> None:
    before, after = plain(), relabelled(plain(), "shipped", "货已发出")
    found = {change.id: change for change in changes(before, after, "zh")}
    assert (found["shipped"].kind, found["shipped"].lines) == (
        "condition",
        ("名称：原为 已发货，现为 货已发出",),
    )
    assert changes(before, after, "en") == ()


def test_differences_are_in_one_language() -> None:
    before, after = (machine_of(VERSIONS[name], DEFAULT_POLICY) for name in ("parallel", "2023-03"))
    lines = [line for change in changes(before, after, "en") for line in change.lines]
    assert "source: was A-old-ruling, is S-ruling" in lines
    assert not [line for line in lines if not line.isascii()]
    zh = [
        line
        for change in changes(before, after, "zh")
        for line in change.lines
        if line.startswith("依据")
    ]
    assert zh
    assert not [line for line in zh if re.search("[a-z]{2}", re.sub("[SA]-[a-z-]+", "", line))]


def test_what_no_dispute_reaches_is_marked_on_the_chart() -> None:
    picture = the_picture(chart(plain(), "en"))
    badges = {edge.id: edge.badge for edge in picture.edges} | {
        box.id: box.badge for box in picture.boxes
    }
    marked = {name for name, badge in badges.items() if badge == "[never under this policy]"}
    assert marked == plain().unreachable()
    assert "denial_under_review--rule_at_fault" in marked


def test_the_options_list_the_sources_that_they_name_and_no_other(machine: Machine) -> None:
    *answers, listed = tables(options(machine, "en"))
    lines = [line for table in answers for line in (*cells(table), *table.notes)]
    said = {word for line in lines for word in re.findall(r"\b[SA]-[a-z-]+(?=\.?$)", line)}
    assert {row.cells[0][0].text for row in listed.rows} == said


def test_a_policy_shows_its_terms_and_the_transitions_that_it_enables_or_disables() -> None:
    after = machine_of(
        VERSIONS["2023-03"],
        over(response={"hours": 48}, denial="review", evidence_reasons={"force_majeure": None}),
    )
    found = {change.id: change for change in changes(plain(), after, "en")}
    assert found["response"].lines == ("was 24 h, is 48 h",)
    assert found["evidence_reasons.force_majeure"].mark is Mark.REMOVED
    enabled, disabled = (
        "awaiting_shipment--deny_agreement--asked--review",
        "awaiting_shipment--deny_agreement--asked--penalize",
    )
    assert (found[enabled].mark, found[disabled].mark) == (Mark.ADDED, Mark.REMOVED)
    edges = {
        edge.id: edge
        for edge in the_picture(diff(("default", plain()), ("new", after), "en")).edges
    }
    assert (edges[enabled].mark, edges[disabled].mark) == (Mark.ADDED, Mark.REMOVED)
    assert edges[enabled].badge
    assert "opened--withdraw" not in edges
    assert edges["opened--response_expired"].mark is Mark.PLAIN  # beside the deadline that changed
    assert edges["denial_under_review--rule_at_fault"].mark is Mark.ADDED
    assert found["denial_under_review"].lines == (
        "happens under the new policy, not under the old one",
    )


def test_every_two_rule_versions_can_be_compared() -> None:
    for one, other in product(VERSIONS.values(), repeat=2):
        before, after = machine_of(one, DEFAULT_POLICY), machine_of(other, DEFAULT_POLICY)
        view = diff((one.id, before), (other.id, after), "zh")
        picture = the_picture(view)
        ids = [edge.id for edge in picture.edges]
        assert len(set(ids)) == len(ids)
        told = sentences([*changes(before, after, "zh")], before, after, "zh")
        assert len(told) <= 8
        assert set(sentences([], before, before, "zh")) == set()
        if ("parallel" in {one.id, other.id}) and one is not other:
            continue  # beside each other, see below
        changed = {
            change.id
            for change in changes(before, after, "zh")
            if change.kind == "transition" and change.aspects != ("origin",)
        }
        marked = {edge.id for edge in picture.edges if edge.mark is not Mark.PLAIN}
        assert {name for name in marked if not name.startswith("outcome_")} == changed
        assert changed <= set(ids)
        assert bool(changed) is (one.id != other.id)
        gone = [
            edge
            for edge in picture.edges
            if edge.mark is Mark.REMOVED
            and not edge.id.startswith("outcome_")
            and edge.id not in {transition.id for transition in after.transitions}
        ]
        adds = BASE.get(other.id) == one.id
        assert bool(gone) is (one.id != other.id and not adds)


def test_another_term_shows_what_is_beside_it_with_its_sources() -> None:
    after = machine_of(VERSIONS["2023-03"], over(response={"hours": 48}))
    view = diff(("default", plain()), ("new", after), "en")
    picture = the_picture(view)
    assert not any(edge.source == "penalized" for edge in picture.edges)
    shapes = {box.id: box.shape for box in picture.boxes}
    assert shapes["penalized"] is Shape.BAD_END
    edges = [edge.id for edge in picture.edges if not edge.id.startswith("outcome_")]
    drawn = list(map(plain().transition, edges))
    changes_table, listed = tables(view)
    assert cells(changes_table)[-1] == "A-no-response"
    assert {row.cells[0][0].text for row in listed.rows} == set(uses(Formatter(after, "en"), drawn))


@pytest.mark.parametrize("lang", get_args(Lang))
def test_machines_that_have_little_in_common_are_drawn_beside_each_other(lang: Lang) -> None:
    sides = {
        side: machine_of(VERSIONS[name], DEFAULT_POLICY)
        for side, name in (("before", "parallel"), ("after", "2023-03"))
    }
    view = diff(("parallel", sides["before"]), ("2023-03", sides["after"]), lang)
    picture = the_picture(view)
    elements: dict[str, Box | Frame] = {box.id: box for box in picture.boxes}
    elements |= {frame.id: frame for frame in picture.frames}
    for (side, machine), mark in zip(sides.items(), (Mark.REMOVED, Mark.ADDED), strict=True):
        (other,) = (each for name, each in sides.items() if name != side)
        common = {state.id for state in other.states} | {one.value for one in other.options}
        for name in (*(state.id for state in machine.states), *(o.value for o in machine.options)):
            element = elements[f"{side}-{name}"]
            assert (element.mark is mark) is (name not in common), name
            text = element.title if isinstance(element, Frame) else element.badge
            assert text.startswith(DIFF(lang, mark)[0]) is (name not in common), name
    size = re.search(r'^<svg [^>]*? width="([0-9.]+)"', svg(view))
    assert size is not None
    assert float(size[1]) == view.sheet.width
    listed = next(table for table in tables(view) if table.id == "changes")
    known = {each.origin.id for machine in sides.values() for each in machine.transitions}
    for row in listed.rows:
        assert {line.text for line in row.cells[-1]} <= known
        assert bool(row.cells[-1]) is (row.cells[1][0].text == KINDS(lang, "transition"))


def test_coverage_counts_each_transition_and_marks_those_never_taken(
    count: Callable[[str, int], None],
) -> None:
    machine = plain()
    corpus = Corpus(machine)
    for path in CORPUS:
        for event in ran(path).events:
            corpus.add(event)
    view = coverage(corpus, "en")
    edges = {edge.id: edge for edge in the_picture(view).edges}
    never = {name for name, edge in edges.items() if edge.badge.startswith("never")}
    assert never == {
        transition.id for transition in machine.transitions if not corpus.transitions[transition.id]
    }
    opened = sum(
        bool(ran(path).events)
        for path in CORPUS
        if ran(path).scenario.opening.rules == machine.rules
    )
    assert edges["open_dispute"].badge == f"{opened} times"
    assert corpus.events == sum(
        event.rules == machine.rules for path in CORPUS for event in ran(path).events
    )
    empty = the_picture(coverage(Corpus(machine), "en"))
    inactive = machine.unreachable()
    assert {edge.mark for edge in empty.edges if edge.id not in inactive} == {Mark.MISSED}
    assert {edge.mark for edge in empty.edges if edge.id in inactive} == {Mark.INACTIVE}
    count("transitions that the corpus takes", len(edges) - len(never))


def test_an_unknown_message_is_an_error() -> None:
    with pytest.raises(KeyError):
        Formatter(plain(), "zh").message("no such phrase")


def test_the_legend_of_a_picture_explains_what_occurs_in_it_and_nothing_else(
    machine: Machine,
) -> None:
    for lang in LANGS:
        view = chart(machine, lang)
        picture, drawn = the_picture(view), svg(view).partition('class="legend"')[2]
        legend = drawn.partition('class="table"')[0]
        tones = {edge.tone for edge in picture.edges}
        for role in Role:
            assert (f">{role.label(lang)}</text>" in legend) is (role.value in tones)
        marks = {edge.mark for edge in picture.edges}
        marks |= {box.mark for box in picture.boxes} | {frame.mark for frame in picture.frames}
        for mark in Mark:
            if mark is not Mark.PLAIN:
                assert (f">{LEGEND(lang, mark)}</text>" in legend) is (mark in marks)
        parallel = any(frame.parallel for frame in picture.frames)
        assert (f">{LEGEND(lang, 'parallel')}</text>" in legend) is parallel
