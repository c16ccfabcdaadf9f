"""Layout by Graphviz, compiled to WebAssembly (extra `diagrams`), so no system binary is needed.

A picture is written in the language of Graphviz, with the size of each text, and only positions are
read back: Graphviz's own SVG keeps neither our texts nor our ids apart. The label of an edge is a
node of its own, so that it has its own space and nothing covers it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from dispute_fsm.diagrams.picture import Box, Frame, Line, Mark, Picture, PictureEdge, Shape
from dispute_fsm.diagrams.render.compiled import graphviz
from dispute_fsm.diagrams.render.typography import (
    WEIGHTS,
    Block,
    badge_lines,
    block,
    edge_lines,
)
from dispute_fsm.domain.scalars import FrozenMap

IN, OUT = "--in", "--out"
"""An edge with a label is drawn as two: to its label, and on from there."""

_FRAME = "cluster_"
"""The prefix by which Graphviz recognizes a frame."""
_FONT = "Noto Sans CJK SC, Noto Sans SC, PingFang SC, Microsoft YaHei, sans-serif"
_INCH = 72.0
_TITLE = 20
"""The font size that reserves space for the title of a frame; Graphviz's widths are too small."""
_STYLES = {
    Mark.REMOVED: "dashed",
    Mark.MISSED: "dashed",
    Mark.INACTIVE: "dashed",
    Mark.FADED: "dotted",
    Mark.ADDED: "bold",
    Mark.LIT: "bold",
    Mark.CHANGED: "bold",
}
_NUMBER = re.compile(r"-?[0-9.]+(?:e[-+]?[0-9]+)?")


# ---- blocks of text ------------------------------------------------------------------------------


def box_blocks(picture: Picture, box: Box, max_width: float) -> tuple[Block, ...]:
    """Set a box: its own lines, and below them a block for each edge inside it."""
    own = block((*badge_lines(box.badge), *box.lines), max_width)
    return (own, *(block(edge_lines(edge), max_width) for edge in picture.inner(box.id)))


# ---- the language of Graphviz --------------------------------------------------------------------


def dot(picture: Picture) -> str:
    """Write a picture as DOT; the same picture is always the same text."""
    lines = [
        f"digraph {_quoted(picture.id)} {{",
        (
            "  graph [rankdir=LR, compound=true, nodesep=0.1, ranksep=0.3, "
            f'fontname={_quoted(_FONT)}, fontsize={_TITLE}, tooltip=" "]'
        ),
        f"  node [shape=box, fixedsize=true, fontname={_quoted(_FONT)}, fontsize=11]",
        f"  edge [fontname={_quoted(_FONT)}, fontsize=11]",
        *_within(picture, None, "  "),
        *(f"  {line}" for edge in picture.outer for line in _edge(picture, edge)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _within(picture: Picture, frame: str | None, indent: str) -> Iterator[str]:
    """Write the content of a frame: frames, boxes, and labels of edges that stay in it."""
    for inner in picture.frames:
        if inner.frame == frame:
            yield f"{indent}subgraph {_quoted(_FRAME + inner.id)} {{"
            yield f"{indent}  graph [{_frame(inner)}]"
            yield from _within(picture, inner.id, indent + "  ")
            yield f"{indent}}}"
    for box in picture.boxes:
        if box.frame == frame:
            yield f"{indent}{_quoted(box.id)} [{_box(picture, box)}]"
    for edge in picture.outer:
        if edge.lines and picture.common_frame(edge) == frame:
            yield f"{indent}{_quoted(edge.id)} [{_label(picture, edge)}]"


def _frame(frame: Frame) -> str:
    return (
        f"id={_quoted(frame.id)}, label={_quoted(frame.title)}, margin=14{_style(frame.mark)}, "
        f"tooltip={_quoted(frame.title)}"
    )


def _box(picture: Picture, box: Box) -> str:
    blocks = box_blocks(picture, box, picture.text_width)
    text = _text(line for part in blocks for line in part.lines)
    if box.shape is Shape.START:
        size = _size(0.22 * _INCH, 0.22 * _INCH) + ", shape=circle"
    else:
        size = _size(max(part.width for part in blocks), sum(part.height for part in blocks))
    return f"id={_quoted(box.id)}, label={text}, {size}{_style(box.mark)}{_tooltip(box.tooltip)}"


def _label(picture: Picture, edge: PictureEdge) -> str:
    label = block(edge_lines(edge), picture.text_width)
    return (
        f"id={_quoted(edge.id)}, label={_text(label.lines)}, {_size(label.width, label.height)}"
        f"{_style(edge.mark)}{_tooltip(edge.tooltip)}"
    )


def _edge(picture: Picture, edge: PictureEdge) -> Iterator[str]:
    frames = {frame.id for frame in picture.frames}
    tail, head = (
        _first_box(picture, end) if end in frames else _quoted(end)
        for end in (edge.source, edge.target)
    )
    leaves = f", ltail={_quoted(_FRAME + edge.source)}" if edge.source in frames else ""
    enters = f", lhead={_quoted(_FRAME + edge.target)}" if edge.target in frames else ""
    closed = {box.id for box in picture.boxes if box.shape in {Shape.GOOD_END, Shape.BAD_END}}
    if edge.source in closed:  # what leads out of an end need not be further right
        leaves += ", constraint=false"
    style, label = _style(edge.mark) + _weight(edge), _quoted(edge.id)
    into, out = _quoted(edge.id + IN), _quoted(edge.id + OUT)
    if edge.lines:
        yield f"{tail} -> {label} [id={into}, arrowhead=none{leaves}{style}]"
        yield f"{label} -> {head} [id={out}{enters}{style}]"
    else:
        yield f"{tail} -> {head} [id={out}{leaves}{enters}{style}]"


def _first_box(picture: Picture, frame: str) -> str:
    return _quoted(next(box.id for box in picture.boxes if frame in picture.around(box.id)))


def _style(mark: Mark) -> str:
    return f", style={_STYLES[mark]}" if mark in _STYLES else ""


def _weight(edge: PictureEdge) -> str:
    return f", penwidth={WEIGHTS[edge.weight]}" if edge.weight else ""


def _size(width: float, height: float) -> str:
    return f"width={width / _INCH:.3f}, height={height / _INCH:.3f}"


def _tooltip(text: str) -> str:
    return f", tooltip={_quoted(text)}" if text else ""


def _text(lines: Iterable[Line]) -> str:
    """Write lines of text, left-aligned."""
    return '"' + "".join(f"{_escaped(line.text)}\\l" for line in lines) + '"'


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


# ---- the layout ----------------------------------------------------------------------------------

Point = tuple[float, float]


class Rectangle(NamedTuple):
    """A rectangle, in px from the top left corner."""

    left: float
    top: float
    width: float
    height: float


class Course(NamedTuple):
    """A line: cubic Bézier points, three more for each part, and the tip of its arrowhead."""

    points: tuple[Point, ...]
    tip: Point | None


class Layout(NamedTuple):
    """The size of a picture and the positions in it, by id; labels are among the boxes."""

    width: float
    height: float
    boxes: Mapping[str, Rectangle]
    frames: Mapping[str, Rectangle]
    lines: Mapping[str, Course]


def lay_out(picture: Picture) -> Layout:
    """Lay out a picture. Raises `InputError` where the extra is missing."""
    graph: dict[str, Any] = json.loads(graphviz().render(dot(picture), format="json0"))
    left, bottom, right, top = _numbers(graph["bb"])
    boxes, frames = dict[str, Rectangle](), dict[str, Rectangle]()
    for node in graph.get("objects", ()):
        name: str = node["name"]
        if name.startswith(_FRAME):
            x0, y0, x1, y1 = _numbers(node["bb"])
            frames[name.removeprefix(_FRAME)] = Rectangle(x0 - left, top - y1, x1 - x0, y1 - y0)
        else:
            x, y = _numbers(node["pos"])
            width, height = float(node["width"]) * _INCH, float(node["height"]) * _INCH
            boxes[name] = Rectangle(x - left - width / 2, top - y - height / 2, width, height)
    lines = {line["id"]: _course(line["pos"], left, top) for line in graph.get("edges", ())}
    return Layout(right - left, top - bottom, FrozenMap(boxes), FrozenMap(frames), FrozenMap(lines))


def _course(pos: str, left: float, top: float) -> Course:
    tip: Point | None = None
    points: list[Point] = []
    for part in pos.split():
        x, y = _numbers(part)
        if part.startswith("e,"):
            tip = (x - left, top - y)
        else:
            points.append((x - left, top - y))
    return Course(tuple(points), tip)


def _numbers(text: str) -> list[float]:
    return [float(number) for number in _NUMBER.findall(text)]
