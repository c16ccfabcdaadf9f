"""Makes the navigation of the site from the lists of its index pages.

Sphinx wants a `toctree`, which a file browser would show as code. The pages that a section of an
index page links to are the same list.
"""

import re
from typing import Any

from sphinx.application import Sphinx

_SECTION = re.compile(r"^## (.+)\n((?:(?!## ).*\n)+)", re.MULTILINE)
_PAGE = re.compile(r"\]\(([^)#]+)\.md\)")


def toctree(caption: str, pages: list[str]) -> str:
    """Write a toctree that shows in the sidebar only."""
    return "\n".join(
        ["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""]
    )


def add_navigation(_app: Sphinx, page: str, content: list[str]) -> None:
    """Add a toctree for each section of an index page."""
    if page.endswith("/index"):
        sections = _SECTION.findall(content[0])
        content[0] += "".join(toctree(head, _PAGE.findall(links)) for head, links in sections)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("source-read", add_navigation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
