"""Drawing a picture as SVG, where Graphviz laid it out."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import quoteattr

from dispute_fsm.diagrams.picture import Box, Frame, Mark, Picture, PictureEdge, Shape
from dispute_fsm.diagrams.render.blocks import BoxBlocks, box_blocks, label
from dispute_fsm.diagrams.render.dot import IN, OUT, title_block
from dispute_fsm.diagrams.render.layout import Course, Layout, Point, Rectangle
from dispute_fsm.diagrams.render.svg_elements import (
    BAND,
    Drawing,
    group,
    n,
    p,
    rectangle,
    text_lines,
)

_TIP, _TIP_HALF = 10.0, 4.0


def picture_svg(picture: Picture, layout: Layout) -> Drawing:
    """Draw a picture: frames first, then edges with their labels, then what no line may run through: titles and boxes."""
    body = [group(picture.id, ("picture",))]
    for frame in picture.frames:
        body += _frame(frame, layout.frames[frame.id])
    for edge in picture.outer:
        body += _edge(edge, layout)
    for frame in picture.frames:
        body += _heading(frame, layout.frames[frame.id])
    for box in picture.boxes:
        body += _box(picture, box, layout.boxes[box.id])
    return Drawing(layout.height, [*body, "</g>"])


def _frame(frame: Frame, place: Rectangle) -> Iterator[str]:
    yield group(frame.id, ("state", frame.mark), frame.tooltip or frame.title)
    yield f'<rect class="frame{" parallel" if frame.parallel else ""}" {rectangle(place)} rx="10"/>'
    yield "</g>"


def _heading(frame: Frame, place: Rectangle) -> Iterator[str]:
    yield (
        f'<g class="heading{"" if frame.mark is Mark.PLAIN else f" {frame.mark}"}" '
        f"data-frame={quoteattr(frame.id)}>"
    )
    yield from text_lines(title_block(frame), place.left + 4, place.top - 1)
    yield "</g>"


def _box(picture: Picture, box: Box, place: Rectangle) -> Iterator[str]:
    yield group(box.id, ("state", box.shape, box.mark), box.tooltip)
    if box.shape is Shape.START:
        radius = place.width / 2
        yield (
            f'<circle class="start" cx="{n(place.left + radius)}" cy="{n(place.top + radius)}" '
            f'r="{n(radius)}"/>'
        )
    else:
        corner = 2 if box.shape is Shape.NOTE else 9
        yield f'<rect class="box" {rectangle(place)} rx="{corner}"/>'
        if box.shape in {Shape.GOOD_END, Shape.BAD_END}:  # a double line closes, as on paper
            inner = Rectangle(place.left + 3, place.top + 3, place.width - 6, place.height - 6)
            yield f'<rect class="box" {rectangle(inner)} rx="7"/>'
        yield from _content(box_blocks(picture, box), picture.inner(box.id), place)
    yield "</g>"


def _content(blocks: BoxBlocks, edges: Sequence[PictureEdge], place: Rectangle) -> Iterator[str]:
    yield from text_lines(blocks.own, place.left, place.top)
    top = place.top + blocks.own.height
    for part, edge in zip(blocks.inner, edges, strict=True):
        yield group(edge.id, ("edge", edge.tone, edge.mark), edge.tooltip)
        yield (
            f'<line class="rule" x1="{n(place.left)}" y1="{n(top)}" '
            f'x2="{n(place.left + place.width)}" y2="{n(top)}"/>'
        )
        yield (
            f'<rect class="band" x="{n(place.left + 2)}" y="{n(top + 4)}" width="{n(BAND - 2)}" '
            f'height="{n(part.height - 8)}"/>'
        )
        yield from text_lines(part, place.left + 2, top)
        yield "</g>"
        top += part.height


def _edge(edge: PictureEdge, layout: Layout) -> Iterator[str]:
    yield group(edge.id, ("edge", edge.tone, edge.mark), edge.tooltip)
    for end in (IN, OUT):
        if (course := layout.lines.get(edge.id + end)) is not None:
            yield from _course(course)
    if edge.id in layout.boxes:
        place = layout.boxes[edge.id]
        yield f'<rect class="label" {rectangle(place)} rx="3"/>'
        yield (
            f'<rect class="band" x="{n(place.left)}" y="{n(place.top)}" width="{n(BAND)}" '
            f'height="{n(place.height)}"/>'
        )
        yield from text_lines(label(edge), place.left + 2, place.top)
    yield "</g>"


def _course(course: Course) -> Iterator[str]:
    first, *rest = course.points
    curves = " ".join(
        f"C{p(rest[i])} {p(rest[i + 1])} {p(rest[i + 2])}" for i in range(0, len(rest), 3)
    )
    yield f'<path class="course" d="M{p(first)} {curves}"/>'
    if course.tip is not None:
        yield f'<path class="tip" d="{_arrow(course.points[-1], course.tip)}"/>'


def _arrow(end: Point, tip: Point) -> str:
    dx, dy = tip[0] - end[0], tip[1] - end[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    dx, dy = dx / length, dy / length
    base = (tip[0] - dx * _TIP, tip[1] - dy * _TIP)
    left, right = (
        (base[0] + side * dy * _TIP_HALF, base[1] - side * dx * _TIP_HALF) for side in (1, -1)
    )
    return f"M{p(tip)} L{p(left)} L{p(right)} Z"
