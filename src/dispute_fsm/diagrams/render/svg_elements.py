"""The elements of every SVG: lines of text, groups with ids and tooltips, rounded coordinates."""

from collections.abc import Iterable
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from dispute_fsm.diagrams.picture import Face, Line, Mark
from dispute_fsm.diagrams.render.graphviz import Point, Rectangle
from dispute_fsm.diagrams.render.typography import PADDING, TYPES, Block, block
from dispute_fsm.domain.scalars import FrozenMap

BAND = 5.0
"""The width of the band that shows the tone of an element, in px."""
_SHADES = FrozenMap({Face.FAINT: "faint", Face.GOOD: "good-text", Face.BAD: "bad-text"})
_BASELINE = 0.24
"""How far a text is above the bottom of its line, as a share of the line height."""


class Drawing(NamedTuple):
    """Elements as text, and their height together, in px."""

    height: float
    elements: list[str]


def block_text(content: Block, left: float, top: float) -> list[str]:
    """Write a block's lines from its top left corner on."""
    elements: list[str] = []
    y = top + PADDING
    for line in content.lines:
        y += TYPES[line.face].leading
        elements.append(line_text(line, left + PADDING, y - TYPES[line.face].leading * _BASELINE))
    return elements


def line_text(line: Line, x: float, y: float, *, anchor: str = "start") -> str:
    """Write a line with its baseline at this point."""
    face = TYPES[line.face]
    weight = ' font-weight="bold"' if face.bold else ""
    shade = f' class="{_SHADES[line.face]}"' if line.face in _SHADES else ""
    aligned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return (
        f'<text{shade} x="{n(x)}" y="{n(y)}" '
        f'font-size="{n(face.size)}"{weight}{aligned}>{escape(line.text)}</text>'
    )


def paragraph(text: str, face: Face, top: float, width: float) -> Drawing:
    """Write a title or a note, broken to this width; it starts at the left edge."""
    content = block([Line(text, face)], width)
    return Drawing(content.height - PADDING, block_text(content, -PADDING, top))


def group(name: str, classes: Iterable[str], tooltip: str = "") -> str:
    """Open a group with an id, classes and a tooltip."""
    kinds = " ".join(kind for kind in classes if kind and kind != Mark.PLAIN)
    name = f" id={quoteattr(name)}" if name else ""
    title = f"<title>{escape(tooltip)}</title>" if tooltip else ""
    return f"<g{name} class={quoteattr(kinds)}>{title}"


def rectangle(kind: str, area: Rectangle, corner: float | None = None) -> str:
    """Draw a rectangle of a class, with rounded corners."""
    rounded = "" if corner is None else f' rx="{n(corner)}"'
    return (
        f'<rect class="{kind}" x="{n(area.left)}" y="{n(area.top)}" width="{n(area.width)}" '
        f'height="{n(area.height)}"{rounded}/>'
    )


def rule(start: Point, end: Point) -> str:
    """Draw a thin line."""
    return (
        f'<line class="rule" x1="{n(start[0])}" y1="{n(start[1])}" '
        f'x2="{n(end[0])}" y2="{n(end[1])}"/>'
    )


def n(number: float) -> str:
    """Write a coordinate: to a tenth, in one form only."""
    tenths = round(number * 10)
    return str(tenths // 10) if tenths % 10 == 0 else f"{tenths / 10:.1f}"


def p(point: Point) -> str:
    """Write a point."""
    return f"{n(point[0])},{n(point[1])}"
