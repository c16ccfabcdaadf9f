"""Two languages on one site: search finds Chinese words, and each page says which language it has.

Chinese has no spaces between words. So a run of Chinese characters is indexed by its pairs, and a
query is cut in the same way: 揽件记录 is found where 揽件, 件记 and 记录 are. That needs no
dictionary, neither in the build nor in the browser.
"""

import re
from itertools import pairwise
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

_CHINESE = "\u3400-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"[{_CHINESE}]+|[^\W{_CHINESE}]+")


def words(text: str) -> list[str]:
    """Cut a text into words, and each run of Chinese into its characters and their pairs."""
    found: list[str] = []
    for run in _RUN.findall(text):
        chinese = "\u3400" <= run[0] <= "\ufaff"
        found += [*run, *map("".join, pairwise(run))] if chinese else [run]
    return found


class EnglishAndChinese(SearchEnglish):
    """English by the stems of its words, Chinese by pairs."""

    lang = "en-zh"  # `language_name` stays: by it Sphinx finds the script that stems
    js_splitter_code = rf"""
function splitQuery(query) {{
  const runs = query.match(/[{_CHINESE}]+|(?:(?![{_CHINESE}])[\p{{L}}\p{{N}}_])+/gu) || [];
  return runs.flatMap((run) =>
    run.length > 1 && /[{_CHINESE}]/u.test(run)
      ? Array.from(run.slice(1), (next, i) => run[i] + next)
      : [run],
  );
}}
"""

    def split(self, input: str) -> list[str]:  # noqa: A002 -- the name is Sphinx's
        """Cut a text into words."""
        return words(input)


def name_language(
    _app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Tell browsers and screen readers which pages are Chinese."""
    if page.startswith("docs/zh/") or page.endswith(".zh"):
        context["language"] = "zh-CN"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_search_language(EnglishAndChinese)
    app.connect("html-page-context", name_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
