"""The overview shows every state, option, deadline and end of its machine, and fits its page."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.model import Machine, machine_of
from dispute_fsm.diagrams.picture import (
    BAD,
    GOOD,
    Box,
    Frame,
    Line,
    Mark,
    Picture,
    PictureEdge,
    Row,
    Shape,
    Stack,
)
from dispute_fsm.diagrams.render.arrangement import arrange
from dispute_fsm.diagrams.render.graphviz import OUT, Layout, Point
from dispute_fsm.diagrams.render.markdown import markdown
from dispute_fsm.diagrams.render.svg import svg
from dispute_fsm.diagrams.render.typography import TYPES
from dispute_fsm.diagrams.views.chart import deadline_lines, shape_of
from dispute_fsm.diagrams.views.overview import overview
from dispute_fsm.diagrams.views.process import ANYTIME
from dispute_fsm.domain.enums import CommandType, Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.rules.sources import ANNOUNCEMENT

GENERAL = {CommandType.WITHDRAW, CommandType.EXTEND_DEADLINE}
LANGS: tuple[Lang, ...] = ("zh", "en")
POLICIES: dict[str, dict[str, object]] = {
    "default": {},
    "denials are reviewed": {"denial": "review"},
    "silence is a denial": {"silence": "denial"},
    "nobody is asked": {"confirmation": None},
    "no deadline": {"response": None, "confirmation": None, "evidence": None},
}


@pytest.fixture(params=list(VERSIONS))
def rules(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def machine_with(rules: str, policy: str = "default") -> Machine:
    return machine_of(VERSIONS[rules], DEFAULT_POLICY.lay_over(POLICIES[policy]))


def drawing(machine: Machine, lang: Lang = "en", *, narrow: bool = False) -> Picture:
    return overview(machine, lang, narrow=narrow).graph


def texts(picture: Picture, element: str) -> list[str]:
    """Return the text of a box and of the rows in it."""
    boxes = {box.id: box for box in picture.boxes}
    rows = [line.text for edge in picture.inner(element) for line in edge.lines]
    return [*(line.text for line in boxes[element].lines), *rows]


def deadlines(machine: Machine) -> list[str]:
    """Return the id of the row that each deadline of each state has."""
    return [
        f"{state.id}--{deadline.expiry.value}"
        for state in machine.states
        for deadline in state.deadlines
    ]


# ---- nothing is missing --------------------------------------------------------------------------


def missing(machine: Machine, picture: Picture, lang: Lang) -> Iterator[str]:
    """Iterate over what the overview of a machine does not show, or shows more than once."""
    fmt = Formatter(machine, lang)
    shown = Counter(box.id for box in picture.boxes)
    shown.update(edge.id for edge in picture.edges)
    shown.update(frame.id for frame in picture.frames)
    states = [state.id for state in machine.states]
    options = [option.value for option in machine.options]
    yield from (name for name in (*states, *options, *deadlines(machine)) if shown[name] != 1)
    rows = {edge.id: [line.text for line in edge.lines] for edge in picture.edges}
    for state in machine.states:
        for deadline, text in zip(state.deadlines, deadline_lines(fmt, state), strict=True):
            if text not in rows.get(f"{state.id}--{deadline.expiry.value}", ()):
                yield f"{state.id}: {text}"
    for transition in machine.transitions:
        for ending in transition.endings:
            if ending.outcome is not None:
                outcome = fmt.label(ending.outcome)
                listed = texts(picture, transition.target) if shown[transition.target] else []
                if not any(outcome in text for text in listed):
                    yield f"{transition.target}: {outcome}"


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("narrow", [False, True])
def test_every_state_option_deadline_and_end_is_shown_once(
    rules: str, lang: Lang, count: Callable[[str, int], None], *, narrow: bool
) -> None:
    machine = machine_with(rules)
    view = overview(machine, lang, narrow=narrow)
    assert list(missing(machine, view.graph, lang)) == []
    drawn = Counter(re.findall(r'<g id="([^"]+)"', svg(view)))
    wanted = [
        *(state.id for state in machine.states),
        *(option.value for option in machine.options),
        *deadlines(machine),
    ]
    assert [name for name in wanted if drawn[name] != 1] == []
    assert len(wanted) > 20
    count("elements found in overviews", len(wanted))


@pytest.mark.parametrize(
    "name", ["under_review", "settling", "prove_no_fault", "opened--response_expired", "penalized"]
)
def test_what_is_left_out_is_found(name: str) -> None:
    machine = machine_with("2023-03")
    picture = drawing(machine)
    without = replace(
        picture,
        boxes=tuple(box for box in picture.boxes if box.id != name),
        frames=tuple(frame for frame in picture.frames if frame.id != name),
        edges=tuple(edge for edge in picture.edges if edge.id != name),
    )
    assert name in list(missing(machine, without, "en"))


def test_an_outcome_that_is_left_out_is_found() -> None:
    machine = machine_with("2023-03")
    picture = drawing(machine)
    (end,) = (box for box in picture.boxes if box.id == "resolved")
    shorter = replace(end, lines=end.lines[:-1])
    boxes = tuple(shorter if box is end else box for box in picture.boxes)
    found = list(missing(machine, replace(picture, boxes=boxes), "en"))
    assert found == ["resolved: penalty annulled"]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_state_tells_what_may_happen_and_where_it_leads(rules: str, policy: str) -> None:
    """Whatever may happen is in a row of its state, or where it is possible nearly everywhere."""
    machine = machine_with(rules, policy)
    fmt, picture = Formatter(machine, "en"), drawing(machine)
    never = machine.unreachable()
    rows = {edge.id: edge for edge in picture.edges}
    told = 0
    for transition in machine.transitions:
        if transition.source is None or transition.id in never or transition.event in GENERAL:
            continue
        for leaf in machine.leaves(transition.source):
            row = rows[f"{leaf.id}--{transition.event.value}"]
            assert row.mark is Mark.PLAIN
            told += 1
            state = fmt.state(transition.target)
            text = " ".join(line.text for line in row.lines)
            if not (
                transition.stays
                or transition.event is CommandType.CHOOSE_OPTION  # the options say it
                or "the other side has failed" in fmt.transition(transition)
            ):
                assert state in text
    assert told > 10
    assert fmt.label(CommandType.WITHDRAW) in " ".join(texts(picture, ANYTIME))


def test_both_sides_have_to_fail_before_a_penalty() -> None:
    picture = drawing(machine_with("parallel"), "zh")
    for side in ("settlement_failed", "evidence_failed"):
        assert "两条路径均未成立 → 已判责：取较重的责任" in texts(picture, side)


# ---- who acts, what is in force ------------------------------------------------------------------


def test_every_state_that_waits_says_for_whom(rules: str) -> None:
    machine = machine_with(rules)
    picture = drawing(machine)
    for state in machine.states:
        if state.kind == "leaf" and not state.closed and not state.id.endswith("_failed"):
            assert any(text.startswith("to act: ") for text in texts(picture, state.id)), state.id
    assert "to act: merchant" in texts(picture, "awaiting_shipment")
    assert "to act: adjudicator" in texts(picture, "under_review")


def test_what_is_not_in_force_is_marked_and_all_else_is_not(rules: str) -> None:
    for policy in POLICIES:
        machine = machine_with(rules, policy)
        never = machine.unreachable()
        picture = drawing(machine)
        marks = {box.id: box.mark for box in picture.boxes}
        marks |= {frame.id: frame.mark for frame in picture.frames}
        for state in machine.states:
            assert (marks[state.id] is Mark.INACTIVE) is (state.id in never)
    inactive = {
        edge.id for edge in drawing(machine_with("2023-03")).outer if edge.mark is Mark.INACTIVE
    }
    assert inactive == {
        "awaiting_confirmation-to-denial_under_review",
        "awaiting_shipment-to-denial_under_review",
        "denial_under_review-to-awaiting_shipment",
    }


def test_lines_to_an_end_have_its_colour_and_no_other_line_has_it(rules: str) -> None:
    machine = machine_with(rules)
    shapes = {state.id: shape_of(machine, state) for state in machine.states if state.closed}
    tones = {Shape.GOOD_END: GOOD, Shape.BAD_END: BAD}
    lines = drawing(machine).outer
    for line in lines:
        assert line.tone == (tones[shapes[line.target]] if line.target in shapes else "")
    assert {line.tone for line in lines} == {GOOD, BAD, ""}


def test_both_languages_show_the_same(rules: str) -> None:
    zh, en = (drawing(machine_with(rules), lang) for lang in LANGS)
    assert [edge.id for edge in zh.edges] == [edge.id for edge in en.edges]
    assert zh.plan == en.plan
    text = markdown(overview(machine_with(rules), "en")).replace(ANNOUNCEMENT.title, "")
    assert not re.search(r"[\u4e00-\u9fff]", text)


# ---- its page ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("narrow", "width"), [(False, 1100), (True, 390)])
def test_it_fits_its_page_and_no_text_is_smaller_than_14_px(
    rules: str, width: int, *, narrow: bool
) -> None:
    for lang in LANGS:
        view = overview(machine_with(rules), lang, narrow=narrow)
        drawn = svg(view)
        assert re.findall(r'^<svg [^>]*? width="([0-9.]+)"', drawn) == [str(width)]
        sizes = {float(size) for size in re.findall(r'font-size="([0-9.]+)"', drawn)}
        assert min(sizes) * view.sheet.zoom >= 14
        used = {line.face for box in view.graph.boxes for line in box.lines}
        assert {TYPES[face].size for face in used} <= sizes


# ---- the layout by a plan ------------------------------------------------------------------------


def box(name: str, *lines: str, frame: str | None = None, bad: bool = False) -> Box:
    shape = Shape.BAD_END if bad else Shape.STATE
    return Box(id=name, lines=tuple(map(Line, lines or (name,))), frame=frame, shape=shape)


def edges(*pairs: str) -> tuple[PictureEdge, ...]:
    ends = [pair.split(">") for pair in pairs]
    return tuple(PictureEdge(id=f"{a}>{b}", source=a, target=b) for a, b in ends)


def laid_out(picture: Picture) -> Layout:
    assert picture.plan is not None
    return arrange(picture, picture.plan, 600)


def corners(layout: Layout, edge: str) -> list[Point]:
    """Return the ends of the parts of a line, and its tip."""
    course = layout.lines[edge + OUT]
    assert course.tip is not None
    return [*course.points[::3], course.tip]


def test_parts_of_a_row_are_equally_high_and_parts_of_a_stack_do_not_touch() -> None:
    plan = Row(("long", Stack(("one", "two"))))
    boxes = (box("long", *("text",) * 9), box("one"), box("two"))
    layout = laid_out(Picture(id="p", title="", boxes=boxes, edges=(), plan=plan))
    long, one, two = (layout.boxes[name] for name in ("long", "one", "two"))
    assert long.top == one.top
    assert long.top + long.height == two.top + two.height
    assert one.top + one.height < two.top
    assert long.left + long.width < one.left


def test_a_line_is_straight_where_nothing_is_in_its_way() -> None:
    plan = Stack(("a", Row(("b", "c"))))
    picture = Picture(
        id="p",
        title="",
        boxes=(box("a"), box("b"), box("c")),
        edges=edges("a>b", "a>c", "b>c"),
        plan=plan,
    )
    layout = laid_out(picture)
    for down in ("a>b", "a>c"):
        assert len({x for x, _ in corners(layout, down)}) == 1
    assert len({y for _, y in corners(layout, "b>c")}) == 1
    across = corners(layout, "b>c")
    assert across[0][0] < across[-1][0] == layout.boxes["c"].left


def test_two_lines_between_the_same_boxes_lie_beside_each_other() -> None:
    picture = Picture(
        id="p",
        title="",
        boxes=(box("a"), box("b")),
        edges=edges("a>b", "b>a"),
        plan=Stack(("a", "b")),
    )
    layout = laid_out(picture)
    (down, *_), (up, *_) = corners(layout, "a>b"), corners(layout, "b>a")
    assert down[0] < up[0]


def test_a_line_runs_beside_what_is_in_its_way_within_the_frame_of_both_ends() -> None:
    picture = Picture(
        id="p",
        title="",
        boxes=(
            *(box(name, frame="f") for name in ("a", "b", "c")),
            box("end", bad=True),
            box("last"),
        ),
        frames=(Frame(id="f", title="f"),),
        edges=edges("a>c", "a>end", "a>last"),
        plan=Stack((Stack(("a", "b", "c"), frame="f"), "end", "last")),
    )
    layout = laid_out(picture)
    frame, middle = layout.frames["f"], layout.boxes["b"]
    inside = {x for x, _ in corners(layout, "a>c")}
    assert frame.left < min(inside) < middle.left
    beside = {x for x, _ in corners(layout, "a>last")}
    assert 0 <= min(beside) < frame.left
    right = {x for x, _ in corners(layout, "a>end")}
    assert frame.left + frame.width < max(right) <= layout.width


def test_lines_to_notes_have_a_lane_of_their_own() -> None:
    note = replace(box("note"), shape=Shape.NOTE)
    picture = Picture(
        id="p",
        title="",
        boxes=(box("a"), box("b"), note, box("c")),
        edges=edges("a>note", "a>c", "b>c"),
        plan=Stack(("a", "b", "note", "c")),
    )
    layout = laid_out(picture)
    lanes = {edge.id: min(x for x, _ in corners(layout, edge.id)) for edge in picture.edges}
    assert lanes["a>c"] == lanes["b>c"] < lanes["a>note"]


def test_what_is_joined_touches_and_has_one_line_out() -> None:
    picture = Picture(
        id="p",
        title="",
        boxes=(box("a"), box("b"), box("c")),
        edges=edges("a>c", "b>c"),
        plan=Stack((Stack(("a", "b"), joined=True), "c")),
    )
    layout = laid_out(picture)
    a, b = layout.boxes["a"], layout.boxes["b"]
    assert a.top + a.height == b.top
    assert corners(layout, "a>c") == corners(layout, "b>c")
    assert corners(layout, "a>c")[0][1] == b.top + b.height
