"""Draws the charts with the Graphviz that the extra `diagrams` brings, which needs no program.

python-statemachine's own directive, `statemachine-diagram`, imports the class and draws it in each
build. It would call the program `dot`; only that step is replaced.
"""

import json
import re
from html import unescape
from typing import Any

from sphinx.application import Sphinx
from statemachine import StateChart
from statemachine.contrib.diagram import formatter

from dispute_fsm.diagrams.render.compiled import graphviz

_HTML = re.compile(r"=<(<.+?>)>(?=[,;\]])")


def plain_label(match: re.Match[str]) -> str:
    """Write a label of HTML as a text with the same lines: this Graphviz reads no HTML."""
    lines = re.split(r"<br */>", match[1])
    texts = (unescape(re.sub(r"<[^>]+>", "", line)) for line in lines)
    return f"={json.dumps(chr(10).join(texts))}"


def svg(chart: StateChart[Any] | type[StateChart[Any]]) -> str:
    """Draw a chart as python-statemachine describes it."""
    dot = _HTML.sub(plain_label, formatter.render(chart, "dot"))
    drawn: bytes = graphviz().render(dot, format="svg")
    return drawn.decode()


def setup(_app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    formatter.register_format("svg")(svg)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
