"""The documentation site: a small one is built here, the whole one by `make docs`."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import opened, started
from tests.checkout import ROOT
from tools.website.check import problems
from tools.website.languages import words

PAGES = {
    "docs/index.md": """# Start

See [the rule](rules.md#s-open).

## Read

- [Rules](rules.md), [规则](zh/index.md)
""",
    "docs/rules.md": """# Rules

| id | words |
|---|---|
| <a id="s-open"></a>`S-open` | a valid pickup scan |
""",
    "docs/code.md": """# Code

```{command-help}
dispute-fsm db check --help
```

```{eval-rst}
.. autoclass:: dispute_fsm.Option
.. autoclass:: dispute_fsm.Disputes
.. autoclass:: dispute_fsm.commands.ChooseOption
.. automodule:: dispute_fsm.commands
```

```{statemachine-diagram} dispute_fsm.rules.v2023_03.Rules202303
```
""",
    "docs/zh/index.md": "# 规则\n\n没有物流揽件记录，不能选择该方案。\n",
    "diagrams/chart.zh.md": "# 状态图\n\n```mermaid\nflowchart LR\n```\n",
    "diagrams/chart.zh.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a site of a few pages as `make docs` builds the whole."""
    source = tmp_path_factory.mktemp("source")
    for name, text in PAGES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")
    built = tmp_path_factory.mktemp("site")
    done = subprocess.run(  # noqa: S603 -- our own build
        [sys.executable, "-m", "sphinx", "-W", "-q", "-c", ROOT / "docs", source, built],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return built


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as browser:
        yield browser


# ---- pages ---------------------------------------------------------------------------------------


def test_the_lists_of_an_index_are_the_navigation(site: Path) -> None:
    page = (site / "docs" / "rules.html").read_text(encoding="utf-8")
    sidebar = page.partition('class="sidebar-tree"')[2].partition("</div>")[0]
    assert [name in sidebar for name in (">Read<", ">Rules<", ">规则<")] == [True] * 3


def test_a_page_says_which_language_it_has(site: Path) -> None:
    languages = {"docs/index": "en", "docs/zh/index": "zh-CN", "diagrams/chart.zh": "zh-CN"}
    for page, language in languages.items():
        assert f'lang="{language}"' in (site / f"{page}.html").read_text(encoding="utf-8")


def test_a_picture_stands_where_a_file_browser_draws_mermaid(site: Path) -> None:
    page = (site / "diagrams" / "chart.zh.html").read_text(encoding="utf-8")
    assert "chart.zh.svg" in page
    assert "flowchart" not in page


def test_what_is_drawn_from_code_says_what_the_code_says(site: Path) -> None:
    page = unescape((site / "docs" / "code.html").read_text(encoding="utf-8"))
    text = " ".join(re.sub(r"<[^>]+>", "", page).split())
    assert "Usage: dispute-fsm db check" in text  # what the command prints
    assert "consumer_cancels: 已协商一致，消费者取消订单 · agreed: the consumer cancels" in text
    assert "option: Option, agreed_until: datetime | None = None," in text  # and no validators
    assert "stamp: Callable[[str, int], Stamp] = fresh_stamp" in text
    code = re.sub(r"<[^>]+>", "", " ".join(re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)))
    assert 'ChooseOption(by=merchant("M-1"), option=' in code  # the example of a docstring
    assert "[by_system, response_has_passed]" in text  # the picture of the class


def test_the_root_leads_to_the_first_page(browser: Browser, site: Path) -> None:
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    page.wait_for_url("**/docs/index.html")
    assert page.inner_text("h1").startswith("Start")
    page.close()


# ---- search --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("scans", ["docs/rules"]),
        ("记录", ["docs/zh/index"]),
        ("揽件记录", ["docs/zh/index"]),
        ("录", ["docs/zh/index"]),
        ("件揽", []),
    ],
)
def test_a_search_finds_words_of_both_languages_without_a_network(
    browser: Browser, site: Path, query: str, found: list[str]
) -> None:
    with opened(browser, site / "search.html") as page:
        page.page.fill("input.sidebar-search", query)
        page.page.press("input.sidebar-search", "Enter")
        page.page.wait_for_function("document.querySelector('.search-summary')?.innerText")
        links = page.evaluate(
            "() => [...document.querySelectorAll('#search-results li a')].map((a) => a.href)"
        )
        pages = [link.removeprefix(f"{site.as_uri()}/").partition(".html")[0] for link in links]
        assert pages == found
        assert page.complaints == []
        assert [url for url in page.requests if not url.startswith("file:")] == []


def test_a_text_is_cut_into_words_and_pairs() -> None:
    assert words("see S_pickup: 揽件, 记录了。") == [
        "see",
        "S_pickup",
        "揽",
        "件",
        "揽件",
        "记",
        "录",
        "了",
        "记录",
        "录了",
    ]


# ---- links ---------------------------------------------------------------------------------------


def test_the_links_of_a_site_are_checked(site: Path) -> None:
    assert problems(site) == []


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ('<a href="none.html">', "none.html: no such file"),
        ('<a href="../rules.html#s-close">', "../rules.html#s-close: no such anchor"),
        ('<a href="#nowhere">', "#nowhere: no such anchor"),
        ('<a href="../../../out.html">', "../../../out.html: leads out of the site"),
        ('<a href="https://localhost/x">', "https://localhost/x: not an address"),
        ('<a href="javascript:x">', "javascript:x: not for a page"),
        (
            '<script src="https://cdn.example/x.js">',
            "https://cdn.example/x.js: comes from elsewhere",
        ),
        ('<img src="//cdn.example/x.png">', "//cdn.example/x.png: comes from elsewhere"),
        ('<link href="none.css">', "none.css: no such file"),
    ],
)
def test_a_broken_link_is_found(site: Path, tmp_path: Path, planted: str, found: str) -> None:
    copy = shutil.copytree(site, tmp_path / "site")
    page = copy / "docs" / "zh" / "index.html"
    page.write_text(f"{page.read_text(encoding='utf-8')}{planted}", encoding="utf-8")
    assert problems(copy) == [f"docs/zh/index.html: {found}"]


def test_a_font_from_elsewhere_is_found(site: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(site, tmp_path / "site")
    address = "https://fonts.example/x.woff2"
    (copy / "_static" / "site.css").write_text(f"a {{ src: url({address}) }}", encoding="utf-8")
    assert problems(copy) == [f"_static/site.css: {address}: comes from elsewhere"]
