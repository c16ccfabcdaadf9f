"""Pictures as Mermaid: the real Mermaid reads what the picture says, for any text."""

import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from dispute_fsm.diagrams.model import machine_of
from dispute_fsm.diagrams.picture import Box, Face, Frame, Line, Mark, Picture, PictureEdge, Shape
from dispute_fsm.diagrams.render.mermaid import escaped, mermaid, node_id
from dispute_fsm.diagrams.views.chart import chart
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.rules.registry import VERSIONS
from tests import browser, flowcharts
from tests.checkout import project_files
from tests.drawings import Element, Rectangle
from tests.sampling import examples, few
from tests.support import ROOT

MOST_TEXT = 50_000
"""Above this length Mermaid shows only an error."""

NASTY = [
    "a; b",
    'say "no"',
    "'quoted'",
    "#quot; #59; &amp; &#59; #",
    "`code` ```",
    "a | b || c",
    "<b>bold</b> <script>alert(1)</script> a < b > c",
    "{x} {{y}} [z] [[w]] (v) ((u)) (((t))) [/s/] [\\r\\] >q]",
    "%% a comment",
    "%%{init: {'theme': 'dark'}}%%",
    "1. first",
    "2) second",
    "- item",
    "+ item",
    "* item * and **strong** _em_ __strong__ ~~gone~~",
    "# heading",
    "> quoted",
    "http://example.org/?a=b&c=d www.example.org a@example.org",
    "a --> b -.-> c ==> d --x e --o f ~~~ g",
    "end",
    "subgraph x",
    "move direction LR and direction   TB",
    "style x fill:#f00; style:#f;x;",
    "classDef a:#b;c;",
    "linkStyle default; click x href; class a b",
    ":::cls a:::b fa:fa-car fab:fa-github",
    "$$x^2$$ $$$",
    "a\\nb C:\\new \\",
    "ﬂ°°59¶ß ﬂ°amp¶ß",
    "---\ntitle: x\n---",
    "two\nlines\r\nand\ttabs",
    "accTitle: x",
    "\x00\x07\x7f\x85\x9f\ufffe",
    "若 已协商一致，消费者取消订单；须“凭证”（≥1）《规则》：A/B、C…",
    "é e\u0301 🚚 👩\u200d🔧 \u202eabc\ufeff \u3000wide",
    "&lt;br/&gt; <br/> <br>",
    "]]>--><!--",
    'x="y" <a href="javascript:alert(1)">',
]

IDS = [
    "end",
    "default",
    "graph",
    "o",
    "x",
    "v",
    "LR",
    "subgraph",
    "class",
    "click",
    "style",
    "a-b",
    "a_b",
    "a_X2d_b",
    "a--b",
    "1",
    "一",
    "__proto__",
    "A b",
]


# ---- what the picture says, independent of the renderer ------------------------------------------


def seen(text: str) -> str:
    """Return a text as a page shows it: white space is one blank, invalid characters are U+FFFD."""
    return "".join(
        "\ufffd" if unicodedata.category(sign) in {"Cc", "Cs"} or sign in "\ufffe\uffff" else sign
        for sign in " ".join(text.split())
    )


def label_lines(badge: str, lines: tuple[Line, ...]) -> list[str]:
    return [*([seen(badge)] if badge else []), *(seen(line.text) for line in lines)]


def inside(picture: Picture, element: str) -> list[str]:
    """Return the lines of the edges inside an element, without the rules between them."""
    return [
        line
        for edge in picture.edges
        if edge.source == edge.target == element
        for line in label_lines(edge.badge, edge.lines)
    ]


def labels(picture: Picture) -> dict[str, list[str]]:
    boxes = {
        box.id: [*label_lines(box.badge, box.lines), *inside(picture, box.id)]
        for box in picture.boxes
    }
    return {
        **boxes,
        **{frame.id: [seen(frame.title), *inside(picture, frame.id)] for frame in picture.frames},
    }


def edge_labels(picture: Picture) -> dict[str, list[str]]:
    """Return the lines of the edges between elements, by the id of the node that has them."""
    return {
        f"e{number}": label_lines(edge.badge, edge.lines)
        for number, edge in enumerate(picture.edges)
        if edge.source != edge.target and label_lines(edge.badge, edge.lines)
    }


def halves(picture: Picture) -> list[tuple[str, str]]:
    """Return the ends of each line; an edge with a label has a line to it, and one from it."""
    lines: list[tuple[str, str]] = []
    for number, edge in enumerate(picture.edges):
        ends = [node_id(edge.source), node_id(edge.target)]
        if edge.source != edge.target:
            if label_lines(edge.badge, edge.lines):
                ends.insert(1, f"e{number}")
            lines += pairwise(ends)
    return lines


def without_rules(lines: list[str]) -> list[str]:
    return [line for line in lines if set(line) != {"─"}]


def check(picture: Picture, understood: dict[str, Any]) -> None:
    """Require that mermaid understood all that the picture says, and nothing else."""
    assert "fault" not in understood, understood["fault"]
    said = labels(picture)
    found = {
        name: without_rules(element["lines"])
        for kind in ("nodes", "frames")
        for name, element in understood[kind].items()
    }
    names = {node_id(element): lines for element, lines in said.items()}
    assert found == names | edge_labels(picture)
    assert len(understood["frames"]) == len(picture.frames)
    assert [(edge["source"], edge["target"]) for edge in understood["edges"]] == halves(picture)
    assert not any(edge["lines"] for edge in understood["edges"])
    for frame in picture.frames:
        holds = [one.id for one in picture.boxes if one.frame == frame.id] + [
            one.id for one in picture.frames if one.frame == frame.id
        ]
        found_there = understood["frames"][node_id(frame.id)]["holds"]
        labels_there = edge_labels(picture).keys() & found_there
        assert set(found_there) - labels_there == set(map(node_id, holds))
    assert understood["title"] == seen(picture.title)


# ---- pictures ------------------------------------------------------------------------------------


def words() -> SearchStrategy[str]:
    nasty = st.sampled_from(NASTY)
    mixed = st.lists(
        st.one_of(
            nasty,
            st.text(max_size=6),
            st.sampled_from(["style", "direction", "classDef", "%%", "fa:", "1."]),
        ),
        max_size=4,
    )
    return st.one_of(nasty, st.text(max_size=30), mixed.map(" ".join), mixed.map("".join)).filter(
        lambda text: bool(text.split())
    )


def lines_of_text(least: int = 0) -> SearchStrategy[tuple[Line, ...]]:
    return st.lists(
        st.builds(Line, words(), st.sampled_from(Face)), min_size=least, max_size=3
    ).map(tuple)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Draw a small picture whose frames, boxes and edges lie anyhow."""
    ids = draw(st.lists(st.sampled_from(IDS), min_size=2, max_size=6, unique=True))
    inner = draw(st.integers(0, min(2, len(ids) - 1)))
    names, held = ids[:inner], ids[inner:]
    frames = [
        Frame(
            id=name,
            title=draw(words()),
            frame=draw(st.sampled_from([None, *names[:n]])),
            parallel=draw(st.booleans()),
            mark=draw(st.sampled_from(Mark)),
        )
        for n, name in enumerate(names)
    ]
    boxes = [
        Box(
            id=name,
            lines=draw(lines_of_text()),
            frame=draw(st.sampled_from([None, *names])),
            shape=draw(st.sampled_from(Shape)),
            mark=draw(st.sampled_from(Mark)),
            badge=draw(st.one_of(st.just(""), words())),
        )
        for name in held
    ]
    edges = [
        PictureEdge(
            id=f"e{n}",
            source=draw(st.sampled_from(ids)),
            target=draw(st.sampled_from(ids)),
            lines=draw(lines_of_text()),
            tone=draw(st.sampled_from(["", "merchant", "system", "nobody"])),
            mark=draw(st.sampled_from(Mark)),
            badge=draw(st.one_of(st.just(""), words())),
        )
        for n in range(draw(st.integers(0, 5)))
    ]
    return Picture(
        id="p", title=draw(words()), boxes=tuple(boxes), frames=tuple(frames), edges=tuple(edges)
    )


def drawn(lang: Lang) -> Picture:
    return chart(machine_of(VERSIONS["2023-03"], DEFAULT_POLICY), lang).graph


def labelled(*texts: str) -> Picture:
    """Make a picture with each of these texts in a box, on an edge, in a frame, inside a box."""
    return Picture(
        id="p",
        title=texts[0],
        boxes=tuple(
            Box(id=f"b{n}", frame=f"f{n}", lines=(Line(text, Face.TITLE), Line(text)))
            for n, text in enumerate(texts)
        ),
        frames=tuple(Frame(id=f"f{n}", title=text) for n, text in enumerate(texts)),
        edges=tuple(
            PictureEdge(
                id=f"e{n}-{end}",
                source=f"b{n}",
                target=f"b{end}",
                lines=(Line(text), Line(text, Face.FAINT)),
            )
            for n, text in enumerate(texts)
            for end in (n, (n + 1) % len(texts))
        ),
    )


@pytest.fixture(scope="module")
def real() -> Iterator[flowcharts.Mermaid]:
    with flowcharts.started() as started:
        yield started


# ---- what mermaid understands --------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_mermaid_understands_the_whole_chart(real: flowcharts.Mermaid, lang: Lang) -> None:
    picture = drawn(lang)
    text = mermaid(picture, "how to read it; 1. from left")
    understood = real.read(text)
    check(picture, understood)
    assert understood["description"] == "how to read it; 1. from left"
    assert len(text) < MOST_TEXT


@pytest.mark.parametrize("text", NASTY)
def test_a_nasty_label_is_shown_to_the_letter(real: flowcharts.Mermaid, text: str) -> None:
    picture = labelled(text, "next")
    check(picture, real.read(mermaid(picture)))


@examples(60)
@given(pictures())
@example(Picture(id="p", title="x", boxes=(Box(id="end", lines=(), shape=Shape.START),), edges=()))
@example(labelled(*NASTY))
def test_mermaid_understands_any_picture(real: flowcharts.Mermaid, picture: Picture) -> None:
    check(picture, real.read(mermaid(picture)))


def test_marks_ends_and_regions_can_be_told_apart_without_colour(real: flowcharts.Mermaid) -> None:
    marks = list(Mark)
    picture = Picture(
        id="p",
        title="marks",
        boxes=(
            *(Box(id=mark, lines=(Line(mark),), mark=mark, frame="regions") for mark in marks),
            *(Box(id=shape, lines=(Line(shape),), shape=shape) for shape in Shape),
        ),
        frames=(Frame(id="regions", title="side by side", parallel=True),),
        edges=tuple(
            PictureEdge(
                id=f"e-{mark}", source=mark, target="start", mark=mark, badge=mark, tone="merchant"
            )
            for mark in marks
        ),
    )
    understood = real.read(mermaid(picture))
    check(picture, understood)
    to_label, from_label = understood["edges"][::2], understood["edges"][1::2]
    assert [edge["stroke"] for edge in to_label] == [edge["stroke"] for edge in from_label]
    assert [edge["stroke"] for edge in from_label] == [
        "normal",
        "thick",
        "normal",
        "thick",
        "dotted",
        "thick",
        "dotted",
        "dotted",
    ]
    styles = [set(edge["style"]) for edge in from_label]
    assert {"stroke:#0969da", "stroke-width:1.5px"} <= styles[0]
    assert "opacity:0.4" in styles[marks.index(Mark.FADED)]
    dotted = [styles[marks.index(one)] for one in (Mark.REMOVED, Mark.MISSED, Mark.INACTIVE)]
    assert all(one != other for one, other in combinations(dotted, 2))
    assert [understood["nodes"][node_id(mark)]["look"] for mark in marks] == [
        [],
        *([mark] for mark in marks[1:]),
    ]
    assert [understood["nodes"][node_id(shape)]["shape"] for shape in Shape] == [
        "round",
        "subroutine",
        "subroutine",
        "circle",
        "square",
        "stadium",
    ]
    assert understood["frames"][node_id("regions")]["look"] == ["frame", "parallel"]


# ---- what a page shows ---------------------------------------------------------------------------

SHOW = """async (text) => {
  mermaid.initialize({ startOnLoad: false });
  document.body.innerHTML = (await mermaid.render("shown", text)).svg;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const lines = (label) => {
    label.querySelectorAll("br").forEach((br) => br.replaceWith("\\n"));
    return label.textContent.split("\\n");
  };
  const cut = all("foreignObject").filter((room) => {
    const outer = room.getBoundingClientRect();
    const inner = room.firstElementChild.getBoundingClientRect();
    return inner.width > outer.width + 1 || inner.height > outer.height + 1;
  });
  return {
    cut: cut.map((room) => room.textContent),
    nodes: all(".node .nodeLabel").filter((label) => label.textContent).map(lines),
    frames: all(".cluster-label .nodeLabel").map(lines),
  };
}"""

PLACES = """async (text) => {
  mermaid.initialize({ startOnLoad: false });
  document.body.innerHTML = (await mermaid.render("shown", text)).svg;
  const svg = document.querySelector("svg"); // in its own size, not in that of the window
  svg.style.maxWidth = "none";
  svg.setAttribute("width", svg.viewBox.baseVal.width);
  svg.setAttribute("height", svg.viewBox.baseVal.height);
  const place = (part) => {
    const { left, top, right, bottom } = part.getBoundingClientRect();
    return [left, top, right, bottom];
  };
  const signs = (label) => { // a line of text is higher than its signs
    const range = document.createRange();
    range.selectNodeContents(label.querySelector("b"));
    return range;
  };
  const all = (selector) => [...document.querySelectorAll(selector)];
  return [
    ...all(".node").map((node) => [node.textContent, place(node)]),
    ...all(".edgeLabel .edgeLabel").filter((label) => label.textContent).map(
      (label) => [label.textContent, place(label)]
    ),
    ...all(".cluster-label").map((label) => [label.textContent, place(signs(label))]),
  ];
}"""


def covering(places: list[tuple[str, Rectangle]]) -> list[str]:
    """Return the boxes, labels and titles of frames that cover each other."""
    elements = [Element(text, area) for text, area in places]
    return [
        f"{one.text[:60]!r} and {other.text[:60]!r} lie on each other"
        for one, other in combinations(elements, 2)
        if one.overlaps(other)
    ]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Opened]:
    flowcharts.node()
    empty = tmp_path_factory.mktemp("page") / "empty.html"
    empty.write_text(
        "<!DOCTYPE html><meta charset=utf-8><title>flowcharts</title>", encoding="utf-8"
    )
    with browser.started() as chromium, browser.opened(chromium, empty) as opened:
        opened.page.add_script_tag(content=flowcharts.MERMAID.read_text(encoding="utf-8"))
        yield opened


@pytest.mark.parametrize(
    "picture", [drawn("zh"), drawn("en"), labelled(*NASTY)], ids=["zh", "en", "nasty"]
)
def test_a_page_shows_every_label_to_the_letter_and_cuts_none(
    page: browser.Opened, picture: Picture
) -> None:
    shown = page.evaluate(SHOW, mermaid(picture))
    said = labels(picture)
    assert shown["cut"] == []
    boxes = [said[box.id] for box in picture.boxes if said[box.id]]
    assert sorted(map(without_rules, shown["nodes"])) == sorted(
        [*boxes, *edge_labels(picture).values()]
    )
    assert sorted(shown["frames"]) == sorted(said[frame.id] for frame in picture.frames)
    assert page.left == []
    assert page.complaints == []


FLOWCHARTS = [
    path.relative_to(ROOT).as_posix()
    for path in project_files(ROOT / "diagrams")
    if path.suffix == ".mmd" and path.name.startswith(("chart.", "overview.", "diff."))
]


@pytest.mark.parametrize("name", few(FLOWCHARTS, 3))
def test_no_label_of_a_committed_flowchart_covers_another(page: browser.Opened, name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    places = page.evaluate(PLACES, text)
    assert len(places) > 20
    assert covering(places) == []
    assert len(text) < MOST_TEXT


def test_a_label_that_covers_another_is_found(page: browser.Opened) -> None:
    places = page.evaluate(PLACES, mermaid(labelled("one", "two")))
    assert covering(places) == []
    moved = [(text, places[0][1]) for text, _ in places[:2]]
    assert covering(moved) == [f"{moved[0][0]!r} and {moved[1][0]!r} lie on each other"]


# ---- the text itself -----------------------------------------------------------------------------


@given(
    st.lists(
        st.one_of(
            st.sampled_from(IDS), st.text(alphabet="aX2d_-", max_size=8), st.text(max_size=5)
        ),
        unique=True,
    )
)
def test_every_id_has_its_own_node_id_of_letters_that_mermaid_takes(names: list[str]) -> None:
    ids = [node_id(name) for name in names]
    assert len(set(ids)) == len(names)
    assert all(
        one.startswith("n_") and one.isascii() and one.replace("_", "").isalnum() for one in ids
    )


def test_what_is_harmless_stays_readable() -> None:
    for text in (
        "若 已协商一致，消费者取消订单；无需消费者确认",
        "awaiting_shipment",
        "response deadline: 24 h",
        "rules 2023-03, 0.5 h",
        "the consumer's / A1",
    ):
        assert escaped(text) == text


def test_signs_that_a_mermaid_of_another_version_may_take_for_its_own_never_stand_in_a_text() -> (
    None
):
    written = escaped("".join(chr(sign) for sign in range(0x20, 0x7F)))
    entities = re.findall(r"#(\d+);", written)
    assert {chr(int(number)) for number in entities} >= set(';"#`|<>{}[]()%&@*~=$\\^+!?')
    assert not set(re.sub(r"#\d+;", "", written)) & set(';"#`|{}[]()%')


@pytest.mark.whole
def test_the_same_picture_is_the_same_text_in_every_process() -> None:
    code = (
        "from tests.test_mermaid import drawn; from dispute_fsm.diagrams.render.mermaid import "
        "mermaid;"
        "import sys; sys.stdout.buffer.write(mermaid(drawn('zh')).encode())"
    )

    def written(seed: str, zone: str) -> bytes:
        root = Path(__file__).resolve().parent.parent
        env = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        return subprocess.run(  # noqa: S603 -- our own code
            [sys.executable, "-c", code], check=True, capture_output=True, cwd=root, env=env
        ).stdout

    assert (
        written("1", "Asia/Shanghai")
        == written("2", "America/New_York")
        == mermaid(drawn("zh")).encode()
    )
