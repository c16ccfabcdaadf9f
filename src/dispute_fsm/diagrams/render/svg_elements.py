"""The elements of which every SVG of ours is made: text in lines, groups with ids and tooltips, rounded coordinates."""

from collections.abc import Iterable
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from dispute_fsm.diagrams.picture import Face, Line, Mark
from dispute_fsm.diagrams.render.blocks import PADDING, TYPES, Block
from dispute_fsm.diagrams.render.layout import Point, Rectangle

BAND = 5.0
"""How wide the band is that shows the tone of an element, in px."""

_BASELINE = 0.24
"""How far above the bottom of its line a text stands, of the leading."""


class Drawing(NamedTuple):
    """Elements as text, and how high they are together, in px."""

    height: float
    elements: list[str]


def text_lines(set_as: Block, left: float, top: float) -> list[str]:
    """Write a block's lines from its top left corner on."""
    body: list[str] = []
    y = top + PADDING
    for line in set_as.lines:
        y += TYPES[line.face].leading
        body.append(text_at(line, left + PADDING, y - TYPES[line.face].leading * _BASELINE))
    return body


def text_at(line: Line, x: float, y: float, *, anchor: str = "start") -> str:
    """Write a line with its baseline there."""
    face = TYPES[line.face]
    weight = ' font-weight="bold"' if face.bold else ""
    shade = ' class="faint"' if line.face is Face.FAINT else ""
    aligned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return (
        f'<text{shade} x="{n(x)}" y="{n(y)}" '
        f'font-size="{n(face.size)}"{weight}{aligned}>{escape(line.text)}</text>'
    )


def group(name: str, classes: Iterable[str], tooltip: str = "") -> str:
    """Open a group with an id, classes and a tooltip."""
    kinds = " ".join(one for one in classes if one and one != Mark.PLAIN)
    named = f" id={quoteattr(name)}" if name else ""
    return f"<g{named} class={quoteattr(kinds)}>" + (
        f"<title>{escape(tooltip)}</title>" if tooltip else ""
    )


def rectangle(place: Rectangle) -> str:
    """Write where a rectangle lies."""
    return (
        f'x="{n(place.left)}" y="{n(place.top)}" width="{n(place.width)}" '
        f'height="{n(place.height)}"'
    )


def n(number: float) -> str:
    """Write a coordinate: to a tenth, in one form only."""
    tenths = round(number * 10)
    return str(tenths // 10) if tenths % 10 == 0 else f"{tenths / 10:.1f}"


def p(point: Point) -> str:
    """Write a point."""
    return f"{n(point[0])},{n(point[1])}"
