"""A picture in the language of Graphviz. The label of an edge is a node of its own: so it has its place, and nothing lies over it.

The text is what we lay out ourselves, so it carries the room that each box takes; any other
Graphviz may draw it as well.
"""

from collections.abc import Iterable, Iterator

from dispute_fsm.diagrams.picture import Box, Face, Frame, Line, Mark, Picture, PictureEdge, Shape
from dispute_fsm.diagrams.render.blocks import Block, block, box_blocks, label

IN, OUT = "--in", "--out"
"""An edge with a label is drawn as two: to its label, and on from there."""

FRAME = "cluster_"
"""The prefix by which Graphviz knows a frame."""

_FONT = "Noto Sans CJK SC, Noto Sans SC, PingFang SC, Microsoft YaHei, sans-serif"
_INCH = 72.0
_TITLE = 20
"""The size by which Graphviz leaves room for the title of a frame; the widths that it knows are smaller than ours."""
_STYLES = {
    Mark.REMOVED: "dashed",
    Mark.MISSED: "dashed",
    Mark.FADED: "dotted",
    Mark.ADDED: "bold",
    Mark.LIT: "bold",
    Mark.CHANGED: "bold",
}
_SHAPES = {Shape.START: "circle"}


def dot(picture: Picture) -> str:
    """Write a picture as DOT; the same picture is always the same text."""
    lines = [
        f"digraph {_quoted(picture.id)} {{",
        (
            "  graph [rankdir=LR, compound=true, nodesep=0.14, ranksep=0.42, "
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
    """Write what lies in a frame: other frames, boxes, and the labels of the edges that do not leave it."""
    for inner in picture.frames:
        if inner.frame == frame:
            yield f"{indent}subgraph {_quoted(FRAME + inner.id)} {{"
            yield f"{indent}  graph [{_frame(inner)}]"
            yield from _within(picture, inner.id, indent + "  ")
            yield f"{indent}}}"
    for box in picture.boxes:
        if box.frame == frame:
            yield f"{indent}{_quoted(box.id)} [{_box(picture, box)}]"
    for edge in picture.outer:
        if edge.lines and common_frame(picture, edge) == frame:
            yield f"{indent}{_quoted(edge.id)} [{_label(edge)}]"


def _frame(frame: Frame) -> str:
    style = f", style={_STYLES[frame.mark]}" if frame.mark in _STYLES else ""
    return (
        f"id={_quoted(frame.id)}, label={_quoted(frame.title)}, margin=14{style}, "
        f"tooltip={_quoted(frame.tooltip or frame.title)}"
    )


def _box(picture: Picture, box: Box) -> str:
    blocks = box_blocks(picture, box)
    text = [line for part in (blocks.own, *blocks.inner) for line in part.lines]
    shape = f", shape={_SHAPES[box.shape]}" if box.shape in _SHAPES else ""
    wide, high = (
        (0.22, 0.22) if box.shape is Shape.START else (blocks.width / _INCH, blocks.height / _INCH)
    )
    return (
        f"id={_quoted(box.id)}, label={_text(text)}, "
        f"{_size(wide, high)}{shape}{_style(box.mark)}{_tip(box.tooltip)}"
    )


def _label(edge: PictureEdge) -> str:
    set_as: Block = label(edge)
    return (
        f"id={_quoted(edge.id)}, label={_text(set_as.lines)}, "
        f"{_size(set_as.width / _INCH, set_as.height / _INCH)}"
        f"{_style(edge.mark)}{_tip(edge.tooltip)}"
    )


def _edge(picture: Picture, edge: PictureEdge) -> Iterator[str]:
    frames = {frame.id for frame in picture.frames}
    tail, head = (
        picture.inside(end) if end in frames else end for end in (edge.source, edge.target)
    )
    leaves = f", ltail={_quoted(FRAME + edge.source)}" if edge.source in frames else ""
    enters = f", lhead={_quoted(FRAME + edge.target)}" if edge.target in frames else ""
    style = _style(edge.mark)
    if edge.lines:
        yield (
            f"{_quoted(tail)} -> {_quoted(edge.id)} [id={_quoted(edge.id + IN)}, "
            f"arrowhead=none{leaves}{style}]"
        )
        yield f"{_quoted(edge.id)} -> {_quoted(head)} [id={_quoted(edge.id + OUT)}{enters}{style}]"
    else:
        yield (
            f"{_quoted(tail)} -> {_quoted(head)} "
            f"[id={_quoted(edge.id + OUT)}{leaves}{enters}{style}]"
        )


def common_frame(picture: Picture, edge: PictureEdge) -> str | None:
    """Return the innermost frame that both ends of an edge lie in; None: the picture itself."""
    around = {frame.id: frame.frame for frame in picture.frames} | {
        box.id: box.frame for box in picture.boxes
    }

    def frames(of: str) -> list[str | None]:
        found: list[str | None] = []
        while (outer := around[of]) is not None:
            found.append(outer)
            of = outer
        return [*found, None]

    targets = frames(edge.target)
    return next(frame for frame in frames(edge.source) if frame in targets)


def title_block(frame: Frame) -> Block:
    """Set the title of a frame."""
    return block([Line(frame.title, Face.HEAD)])


def _style(mark: Mark) -> str:
    return f", style={_STYLES[mark]}" if mark in _STYLES else ""


def _size(wide: float, high: float) -> str:
    return f"width={wide:.3f}, height={high:.3f}"


def _tip(words: str) -> str:
    return f", tooltip={_quoted(words)}" if words else ""


def _text(lines: Iterable[Line]) -> str:
    """Write lines of text, each to the left."""
    return '"' + "".join(f"{_escaped(line.text)}\\l" for line in lines) + '"'


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
