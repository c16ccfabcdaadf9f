"""Lets links lead to the anchors that our tables have: `<a id="s-open"></a>`.

GitHub follows them as they are. MyST checks a link against headings and its own targets only, so
these are registered as what they are: places of the page without a title.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_ANCHOR = re.compile(r'<a id="([^"]+)">')


def register_anchors(app: Sphinx, doctree: nodes.document) -> None:
    """Make every anchor of a page a target."""
    page = app.env.docname
    labels = app.env.domains.standard_domain.anonlabels
    for node in doctree.findall(nodes.raw):
        for name in _ANCHOR.findall(node.astext()):
            labels[f"{page}#{name}"] = (page, name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("doctree-read", register_anchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
