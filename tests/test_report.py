"""`dispute-fsm report`: a self-contained page that shows a valid or invalid record."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dispute_fsm.diagrams.picture import Mark
from dispute_fsm.diagrams.views.history import active_states, history_parts
from dispute_fsm.history.reader import steps
from tests import command_line
from tests.browser import opened, started
from tests.command_line import Ran, complained
from tests.support import ROOT

HISTORIES = ROOT / "tests" / "histories"
STORY = HISTORIES / "extend-promise.history.jsonl"
ERASED = HISTORIES / "erased-words.history.jsonl"
MANY = HISTORIES / "sixty-disputes.history.jsonl.gz"


def run(*arguments: str | Path) -> Ran:
    return command_line.run("report", *arguments)


def page(tmp_path: Path, history: Path, *more: str, lang: str = "en", code: int = 0) -> str:
    file = tmp_path / "page.html"
    done = run(history, "-o", file, "--lang", lang, *more)
    assert done.code == code, done.err
    return file.read_text(encoding="utf-8")


def words(html: str) -> str:
    return unescape(
        re.sub(r"<[^>]*>", " ", re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.DOTALL))
    )


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_page_shows_the_outcome_the_integrity_and_every_event(tmp_path: Path, lang: str) -> None:
    html = page(tmp_path, STORY, lang=lang)
    text = words(html)
    for said in (
        "D-142",
        {"zh": "已在协商日期前发货揽件", "en": "settled: shipped by the agreed date"}[lang],
    ):
        assert said in text
    assert {"zh": "完整：5 个事件", "en": "of 5 events are valid"}[lang] in text
    assert re.findall(r'<li id="event-(\d+)"', html) == ["1", "2", "3", "4", "5"]
    assert "deadline_not_passed" in text
    assert "promise_has_passed" in text


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("appeal-extension-faults", True),  # penalized, and the deadline runs
        ("appeal-extended", True),  # under review
        ("appeal-one-second-late", False),
    ],
)
def test_an_outcome_that_may_still_change_says_so(tmp_path: Path, name: str, changes: bool) -> None:
    history = HISTORIES / f"extended-{name}.history.jsonl"
    for lang, outcome in {
        "zh": "缺货/无货（仍可能变更）",
        "en": "out of stock (may still change)",
    }.items():
        assert (outcome in words(page(tmp_path, history, lang=lang))) is changes


def test_every_check_is_listed_with_its_values(tmp_path: Path) -> None:
    text = words(page(tmp_path, STORY))
    for guard in (
        "by_merchant",
        "promise_in_future",
        "agreement_voucher",
        "until_later",
        "fulfilment",
    ):
        assert guard in text
    assert "agreed instant: 2023-03-30 18:00:00" in text


def test_a_page_asks_for_nothing_from_elsewhere(tmp_path: Path) -> None:
    html = page(tmp_path, STORY)
    assert "default-src 'none'" in html
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|img|iframe|object|embed|base|form)\b|\bsrc=|@import|url\(", html)


def test_the_same_page_comes_of_the_same_history(tmp_path: Path) -> None:
    assert page(tmp_path, STORY) == page(tmp_path, STORY)


def test_words_that_a_person_wrote_cannot_break_the_page(tmp_path: Path) -> None:
    story = """\
dispute: {dispute_id: "D-<b>1</b>", opened_at: 2023-03-28T10:00:00+08:00}
steps:
  - at: +1h
    do: choose_option
    with: {option: out_of_stock_refund, note: "</svg><script>alert(1)</script>"}
"""
    (tmp_path / "x.dispute.yaml").write_text(story, encoding="utf-8")
    assert command_line.run("run", tmp_path / "x.dispute.yaml", "--histories", tmp_path).code == 0
    html = page(tmp_path, tmp_path / "x.history.jsonl")
    assert "<script>alert" not in html
    assert "<b>1</b>" not in html
    assert "alert(1)" in words(html)


def test_a_record_that_was_changed_says_so_on_the_page(tmp_path: Path) -> None:
    broken = tmp_path / "broken.history.jsonl"
    lines = STORY.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = lines[3].replace('"type":"deadline_extended"', '"type":"option_chosen"')
    assert changed != lines[3]
    broken.write_text("".join([*lines[:3], changed, *lines[4:]]), encoding="utf-8")
    html = page(tmp_path, broken, code=1)
    text = words(html)
    assert "invalid:" in text
    assert "hash does not fit" in text
    assert "the 2 events before the error" in text
    assert re.findall(r'<li id="event-(\d+)"', html) == ["1", "2"]


def test_erased_data_are_shown_as_erased(tmp_path: Path) -> None:
    text = words(page(tmp_path, ERASED))
    assert "erased (" in text
    assert "are valid" in text


def test_one_dispute_of_many_is_chosen(tmp_path: Path) -> None:
    complained(run(MANY, "-o", tmp_path / "x.html"), "--dispute")
    assert not (tmp_path / "x.html").exists()
    assert "D00000025913" in words(page(tmp_path, MANY, "--dispute", "D00000025913"))
    complained(run(MANY, "-o", tmp_path / "x.html", "--dispute", "D-none"), "D-none")
    complained(
        run(tmp_path / "none.history.jsonl", "-o", tmp_path / "x.html"), "none.history.jsonl"
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as browser:
        yield browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_real_browser_opens_it_asks_for_nothing_and_complains_of_nothing(
    browser: Browser, tmp_path: Path, scheme: str
) -> None:
    page(tmp_path, STORY, lang="zh")
    with opened(browser, tmp_path / "page.html") as shown:
        shown.show("dark" if scheme == "dark" else "light")
        shown.screenshot(tmp_path / "page.png")
        shown.page.hover("#event-2")
        lit = shown.evaluate(
            "() => [...document.querySelectorAll('.pointed')].map((one) => one.id)"
        )
        shown.page.click("#event-2 summary")
        assert shown.page.is_visible("#event-2 details ul")
        assert lit == ["opened--choose_option--ship_by_agreed_date"]
        assert shown.left == []
        assert shown.complaints == []
    assert (tmp_path / "page.png").stat().st_size > 50_000


# ---- the order of things -------------------------------------------------------------------------

REASONS = HISTORIES / "reason-unknown-with-all-other-faults.history.jsonl"


def visible(html: str) -> str:
    """Return the words of a page that are shown before anything is unfolded or pointed at."""
    return words(re.sub(r"<(details|title)[ >].*?</\1>", "", html, flags=re.DOTALL))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_conclusion_and_its_clause_come_first_and_the_map_last(
    tmp_path: Path, lang: str
) -> None:
    refused = ROOT / "examples" / "14-out-of-stock-refused.dispute.yaml"
    assert command_line.run("run", refused, "--histories", tmp_path).code == 0
    html = page(tmp_path, tmp_path / "14-out-of-stock-refused.history.jsonl", lang=lang)
    parts = ["class='conclusion'", "id='timeline-figure'", "class='steps'", "id='way-figure'"]
    assert sorted(parts, key=html.index) == parts
    conclusion = html[html.index(parts[0]) : html.index(parts[1])]
    assert "<b>S-not-accepted</b>" in conclusion
    assert "按照缺货/无货进行判责" in conclusion


def test_ids_and_hashes_are_only_in_what_is_folded(tmp_path: Path) -> None:
    shown = visible(page(tmp_path, REASONS))
    assert not re.findall(r"\b[0-9a-f]{64}\b", shown)
    assert "reason_unknown" not in shown
    assert "reason_unknown" in command_line.run("show", REASONS, "--lang", "en").out


def test_the_map_has_the_way_and_the_alternatives_at_each_fork_and_nothing_else(
    count: Callable[[str, int], None],
) -> None:
    for path in sorted(HISTORIES.glob("*-*.history.jsonl"))[::25]:
        taken = list(steps(str(path)))
        if len({step.event.dispute_id for step in taken}) != 1:
            continue
        events, policy = [step.event for step in taken], taken[0].policy
        parts = history_parts(events, policy, "en")
        way, whole = parts.way(), parts.picture()
        lit = {edge.id for edge in whole.edges if edge.mark is Mark.LIT}
        assert {edge.id for edge in way.edges if edge.mark is Mark.LIT} == lit
        visited = {name for event in events for name in active_states(event.target)}
        for edge in way.edges:
            joins = edge.id.startswith("outcome_")
            assert edge.id in lit or edge.source in visited or joins
        missing = {edge.id for edge in whole.edges if not edge.id.startswith("outcome_")} - {
            edge.id for edge in way.edges
        }
        machine = parts.fmt.machine
        for name in missing:
            transition = machine.transition(name)
            assert (
                transition.source not in visited
                or transition.stays
                or name in machine.unreachable()
            )
        count("transitions left out of the maps of disputes", len(missing))


def test_every_source_that_the_map_cites_is_quoted_below_it(tmp_path: Path) -> None:
    html = page(tmp_path, REASONS)
    course, _, below = html.partition("<section id='way'")[2].partition("<ul class='cited'>")
    shown = set(
        re.findall(r"\b[SA]-[a-z-]+", re.sub(r"<title>.*?</title>", "", course, flags=re.DOTALL))
    )
    assert "A-no-response" in shown
    assert shown == set(re.findall(r"<li><b>([SA]-[a-z-]+)</b>", below))


@pytest.mark.parametrize(("width", "narrow"), [(1440, False), (830, False), (390, True)])
def test_a_narrow_page_has_its_timeline_from_top_to_bottom(
    browser: Browser, tmp_path: Path, width: int, narrow: bool
) -> None:
    page(tmp_path, STORY, lang="zh")
    with opened(browser, tmp_path / "page.html") as shown:
        shown.page.set_viewport_size({"width": width, "height": 844})
        assert shown.page.is_visible("#timeline-figure") is not narrow
        assert shown.page.is_visible("ol.moments") is narrow
        assert shown.evaluate("() => document.documentElement.scrollWidth") == width


def test_a_printed_page_breaks_within_no_step_and_not_after_a_title(
    browser: Browser, tmp_path: Path
) -> None:
    page(tmp_path, STORY)
    with opened(browser, tmp_path / "page.html") as shown:
        shown.show(media="print")

        def styles(selector: str, name: str) -> set[str]:
            script = """([selector, name]) => [...document.querySelectorAll(selector)].map(
                (one) => getComputedStyle(one).getPropertyValue(name))"""
            return set(shown.evaluate(script, [selector, name]))

        assert styles("ol.steps > li, figure, dl", "break-inside") == {"avoid"}
        assert styles("h2, h3", "break-after") == {"avoid"}
        # what is below the map would be alone on a page
        assert styles("details, .hint, #way ~ *", "display") == {"none"}
        assert styles("#way", "page") == {"across"}  # it is wider than high
