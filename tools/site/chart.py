"""Draws the charts with the Graphviz that the extra `diagrams` brings, which needs no program.

python-statemachine's own directive, `statemachine-diagram`, imports the class and draws it in each
build. It would call the program `dot`; only that step is replaced.
"""

from typing import Any

from sphinx.application import Sphinx
from statemachine import StateChart
from statemachine.contrib.diagram import formatter

from dispute_fsm.diagrams.render.compiled import graphviz


def svg(chart: StateChart[Any] | type[StateChart[Any]]) -> str:
    """Draw a chart as python-statemachine describes it."""
    drawn: bytes = graphviz().render(formatter.render(chart, "dot"), format="svg")
    return drawn.decode()


def setup(_app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    formatter.register_format("svg")(svg)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
