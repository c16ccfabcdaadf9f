"""Drawings in a real browser: nothing clipped or covered, every text readable, no requests."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser

from dispute_fsm.diagrams.model import machine_of
from dispute_fsm.diagrams.picture import Box, Face, Frame, Line, Picture, PictureEdge, Shape, View
from dispute_fsm.diagrams.render.svg import svg
from dispute_fsm.diagrams.views.coverage import Corpus, coverage
from dispute_fsm.diagrams.views.diff import diff
from dispute_fsm.diagrams.views.history import history
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.history.reader import steps
from dispute_fsm.rules.registry import VERSIONS
from tests import browser
from tests.browser import Media, Opened, Scheme
from tests.checkout import project_files
from tests.drawings import clipped, covered_titles, crossed, measured, overlapping, unreadable
from tests.sampling import few
from tests.support import ROOT

LOOKS: list[tuple[Scheme, Media]] = [("light", "screen"), ("dark", "screen"), ("dark", "print")]
Check = Callable[[dict[str, Any]], list[str]]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started() as started:
        yield started


STORY = ROOT / "tests" / "histories" / "denial-upheld-promise-passed-missed.history.jsonl"


def one_dispute(lang: Lang) -> View:
    found = list(steps(str(STORY)))
    return history([step.event for step in found], found[0].policy, lang)


def differing(lang: Lang) -> View:
    policy = DEFAULT_POLICY.lay_over({"denial": "review", "response": None, "confirmation": None})
    before, after = (machine_of(VERSIONS["2023-03"], one) for one in (DEFAULT_POLICY, policy))
    return diff(("before", before), ("after", after), lang)


def covered(lang: Lang) -> View:
    corpus = Corpus(machine_of(VERSIONS["2023-03"], DEFAULT_POLICY))
    for step in steps(str(STORY)):
        corpus.add(step.event)
    return coverage(corpus, lang)


OTHERS: dict[str, Callable[[Lang], View]] = {
    "history": one_dispute,
    "diff": differing,
    "coverage": covered,
}
COMMITTED = [
    path.relative_to(ROOT).as_posix()
    for path in project_files(ROOT / "diagrams")
    if path.suffix == ".svg"
]
DRAWINGS = [*COMMITTED, *(f"{name}.{lang}.svg" for name in OTHERS for lang in ("zh", "en"))]


def drawn(name: str, folder: Path) -> Path:
    """Return the file of a drawing: a committed one, or a view that is drawn now."""
    if name in COMMITTED:
        return ROOT / name
    view, lang, _ = name.split(".")
    path = folder / name
    path.write_text(svg(OTHERS[view]("zh" if lang == "zh" else "en")), encoding="utf-8")
    return path


SAMPLE = {
    "history.zh.svg",
    "coverage.en.svg",
    "diagrams/2023-03/options.zh.svg",
    "diagrams/parallel/overview.en.svg",
}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=() if name in SAMPLE else pytest.mark.whole) for name in DRAWINGS
    ],
)
def page(
    request: pytest.FixtureRequest, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    with browser.opened(chromium, drawn(request.param, tmp_path_factory.mktemp("drawn"))) as opened:
        yield opened


def test_nothing_is_clipped_covered_or_crossed_out(page: Opened) -> None:
    page.show()
    found = measured(page, lines=True)
    assert [*clipped(found), *overlapping(found), *covered_titles(found), *crossed(found)] == []
    assert len(found["texts"]) > 40


def test_a_chart_has_its_boxes_and_lines_measured(chromium: Browser, tmp_path: Path) -> None:
    with browser.opened(chromium, drawn("coverage.zh.svg", tmp_path)) as page:
        found = measured(page, lines=True)
    assert len(found["boxes"]) > 40
    assert len(found["lines"]) > 60


@pytest.mark.parametrize(("scheme", "media"), LOOKS)
def test_every_text_stands_out_from_what_is_behind_it(
    page: Opened, scheme: Scheme, media: Media
) -> None:
    page.show(scheme, media)
    found = measured(page, grounds=True)
    assert unreadable(found) == []
    assert all(text["ground"] for text in found["texts"])


def test_nothing_is_printed_beside_the_paper(page: Opened) -> None:
    page.show(media="print")
    page.page.set_viewport_size({"width": 1000, "height": 700})
    styles = page.evaluate("() => document.querySelector('style').textContent")
    # A chart names its own paper; anything else is as wide as whatever paper there is.
    poster = re.search(r"@page\{size:A3 ?(landscape)?", styles)
    paper = 1000 if poster is None else (420 if poster[1] else 297) * 96 / 25.4
    width = page.evaluate("() => document.documentElement.getBoundingClientRect().width")
    assert width <= paper


def test_a_dark_screen_shows_a_dark_page_and_paper_a_light_one(page: Opened) -> None:
    papers = []
    for scheme, media in LOOKS:
        page.show(scheme, media)
        papers.append(
            page.evaluate("() => getComputedStyle(document.querySelector('.paper')).fill")
        )
    assert papers == ["rgb(255, 255, 255)", "rgb(13, 17, 23)", "rgb(255, 255, 255)"]


def test_no_request_leaves_the_page_and_nothing_complains(page: Opened) -> None:
    assert len(page.requests) == 1  # the drawing itself: so requests are seen
    assert page.left == []
    assert page.complaints == []


# ---- on paper ------------------------------------------------------------------------------------

A3 = (842.0, 1191.0)
"""The sides of the paper, in points."""
PX = 96 / 25.4
"""How many px a millimetre has."""
PRINTED = """() => {
  const area = (selector) => {
    const { left, top, right, bottom } = document.querySelector(selector).getBoundingClientRect();
    return [left, top, right, bottom];
  };
  return {
    picture: area("#machine"), legend: area(".legend"), sources: area("#sources"),
    scale: document.querySelector("#machine text").getScreenCTM().a,
  };
}"""
CHARTS = [name for name in COMMITTED if "/chart." in name]


@pytest.mark.parametrize("name", few(CHARTS, 2))
def test_a_chart_is_printed_on_a_page_of_a3_and_its_sources_on_the_next(
    chromium: Browser, name: str, tell: Callable[[object], None]
) -> None:
    with browser.opened(chromium, ROOT / name) as page:
        printed = page.pdf()
        page.show(media="print")
        found = page.evaluate(PRINTED)
    pages = re.findall(rb"/Type */Page\b", printed)
    sides = {
        tuple(map(float, box.split()))
        for box in re.findall(rb"/MediaBox *\[0 0 ([\d. ]+)\]", printed)
    }
    assert len(pages) == 2
    ((across, down),) = sides
    assert sorted((across, down)) == pytest.approx(A3, abs=1)
    right, bottom = (side / 72 * 96 - 16 * PX for side in (across, down))
    for part in ("picture", "legend"):
        assert found[part][0] >= 0
        assert found[part][2] <= right + 1
        assert found[part][3] <= bottom
    assert found["sources"][1] >= bottom
    assert found["sources"][3] <= 2 * bottom
    assert found["sources"][2] <= right + 1
    points = 12 * found["scale"] * 0.75
    assert points > 3.4
    tell(f"{name} on A3: texts of {points:.1f} pt")


# ---- the checks themselves: a planted error is found -------------------------------------

PICTURE = Picture(
    id="small",
    title="small",
    boxes=(
        Box(id="one", lines=(Line("one", Face.TITLE), Line("begins"))),
        Box(id="two", frame="frame", lines=(Line("two", Face.TITLE),)),
        Box(id="three", lines=(Line("three", Face.TITLE),), shape=Shape.GOOD_END),
    ),
    frames=(Frame(id="frame", title="a frame"),),
    edges=(
        PictureEdge(id="there", source="one", target="two", lines=(Line("there"),)),
        PictureEdge(id="on", source="two", target="three"),
    ),
)
SMALL = View(
    name="small", lang="en", title="A small picture", notes=(), parts=(PICTURE,), graph=PICTURE
)


class PlantedError(NamedTuple):
    """An error planted in the small picture, the check that must find it, and its message."""

    plant: str
    check: Check
    complaint: str


PARTS = """
    const [text, below] = document.querySelectorAll("#one text");
    const [box, other] = ["one", "three"].map((id) => document.querySelector(`#${id} .box`));
    const [title, line] = [".heading text", ".course"].map((one) => document.querySelector(one));
    function move(what, to, down) {
        what.setAttribute("x", to.getAttribute("x"));
        what.setAttribute("y", Number(to.getAttribute("y")) + down);
    }
"""
PLANTED = {
    "a label too long for its box": PlantedError(
        "text.textContent += ' and much more'",
        clipped,
        "'one and much more' does not fit into its box",
    ),
    "a text that has slipped down": PlantedError(
        "move(below, below, 20)", clipped, "'begins' does not fit into its box"
    ),
    "a box on another": PlantedError(
        "move(box, other, 5)", overlapping, "'one' and 'three' lie on each other"
    ),
    "a text on another": PlantedError(
        "move(below, text, 4)", overlapping, "'one' and 'begins' lie on each other"
    ),
    "a box on the title of a frame": PlantedError(
        "move(box, title, -20)", covered_titles, "'one' lies on the title 'a frame'"
    ),
    "a line through a text": PlantedError(
        "line.setAttribute('d', `M0,0 L${text.getAttribute('x')},${text.getAttribute('y')} l9,-9`)",
        crossed,
        "through 'one'",
    ),
    "a pale text": PlantedError(
        "text.style.fill = '#aaa'", unreadable, "'one' stands out by 2.32 only"
    ),
    "a text that is faded too far": PlantedError(
        "text.parentElement.style.opacity = 0.3", unreadable, "'begins' stands out by"
    ),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_error_is_found(chromium: Browser, tmp_path: Path, planted: PlantedError) -> None:
    path = tmp_path / "small.svg"
    path.write_text(svg(SMALL), encoding="utf-8")
    with browser.opened(chromium, path) as page:
        assert planted.check(measured(page, lines=True, grounds=True)) == []
        page.evaluate(f"() => {{ {PARTS} {planted.plant} }}")
        assert any(
            planted.complaint in line
            for line in planted.check(measured(page, lines=True, grounds=True))
        )


def test_a_request_and_a_complaint_are_noticed(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(
        (
            "<!DOCTYPE html><img src='picture.png'><script>console.error('no'); throw new "
            "Error('broken')</script>"
        ),
        encoding="utf-8",
    )
    with browser.opened(chromium, path) as page:
        assert [Path(url).name for url in page.left] == ["picture.png"]
        assert {"error: no", "error: broken"} <= set(page.complaints)


def test_a_screenshot_is_as_large_as_the_drawing(chromium: Browser, tmp_path: Path) -> None:
    with browser.opened(chromium, drawn(COMMITTED[0], tmp_path)) as page:
        page.screenshot(tmp_path / "shot.png")
        size = page.evaluate(
            "() => [document.documentElement.width.baseVal.value, "
            "document.documentElement.height.baseVal.value]"
        )
    header = (tmp_path / "shot.png").read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    shown = [int.from_bytes(header[16:20]), int.from_bytes(header[20:24])]
    assert all(0 <= seen - wanted < 2 for seen, wanted in zip(shown, size, strict=True))
