"""SVG: pictures, tables and timelines on one page, with stable ids, titles and tooltips.

The same parts are always the same bytes: coordinates are rounded, no name comes from an object's
address, no clock is read. A picture is laid out by its plan, or else by Graphviz.
"""

from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from dispute_fsm.diagrams.picture import (
    Box,
    Face,
    Frame,
    Line,
    Mark,
    Part,
    Picture,
    PictureEdge,
    Shape,
    Sheet,
    TextRow,
    TextTable,
    View,
)
from dispute_fsm.diagrams.render.arrangement import TIGHTER, arrange, text_width
from dispute_fsm.diagrams.render.graphviz import (
    IN,
    OUT,
    Course,
    Layout,
    Point,
    Rectangle,
    box_blocks,
    lay_out,
)
from dispute_fsm.diagrams.render.paper import ACROSS, NEXT_PAGE, ONE_PAGE, Poster
from dispute_fsm.diagrams.render.svg_bars import bars_svg
from dispute_fsm.diagrams.render.svg_elements import (
    BAND,
    Drawing,
    block_text,
    group,
    n,
    p,
    paragraph,
    rectangle,
    rule,
)
from dispute_fsm.diagrams.render.svg_legend import legend
from dispute_fsm.diagrams.render.typography import (
    PADDING,
    block,
    edge_lines,
    stylesheet,
    wrapped,
)

_GAP = 26.0
_TITLE, _NOTE = 22.0, 12.0
_WIDE = 600.0
"""What is narrower fits on paper as it is, in px."""
_TIP, _TIP_HALF = 10.0, 4.0
_CORNERS = {Shape.NOTE: 2, Shape.OUTCOME: 15}
"""How round the corners of boxes are, in px, where that is not as of a state."""


def svg(view: View) -> str:
    """Draw a view as one SVG. Raises `InputError` where the extra `diagrams` is missing."""
    sheet = view.sheet
    margin = sheet.margin / sheet.zoom
    width = sheet.width / sheet.zoom - 2 * margin
    layouts = {
        part.id: lay_out(part) if part.plan is None else arrange(part, part.plan, width)
        for part in view.parts
        if isinstance(part, Picture)
    }
    tables = (part.page for part in view.parts if isinstance(part, TextTable))
    width = max([width, *tables, *(layout.width for layout in layouts.values())])
    top, body = _heading(view, margin, width)
    full_width = width + 2 * margin
    split = 1 if sheet.poster else len(view.parts)
    height, first = _below_each_other(view, view.parts[:split], layouts, width)
    body += [f'<g transform="translate({n(margin)} {n(top)})">', *first, "</g>"]
    top += height
    printed, aligned = _printed(sheet), ""
    if rest := view.parts[split:]:
        height, further = _below_each_other(view, rest, layouts, width)
        printed = Poster(full_width, top, height).style(margin)
        aligned = ' preserveAspectRatio="xMinYMin"'
        body += [
            f'<g class="{NEXT_PAGE}" transform="translate({n(margin)} {n(top)})">',
            *further,
            "</g>",
        ]
        top += height
    lang = "zh-CN" if view.lang == "zh" else "en"
    full = full_width, top + margin
    size = f'width="{n(full[0] * sheet.zoom)}" height="{n(full[1] * sheet.zoom)}"'
    box = f'viewBox="0 0 {n(full[0])} {n(full[1])}"{aligned}'
    paper = f'width="{n(full[0])}" height="{n(full[1])}"'
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img" '
                f'aria-labelledby="{view.name}-title" lang="{lang}">'
            ),
            f'<title id="{view.name}-title">{escape(view.title)}</title>',
            f"<style>{escape(stylesheet() + printed)}</style>",
            f'<rect class="paper" {paper}/>',
            *body,
            "</svg>",
            "",
        ]
    )


def _heading(view: View, margin: float, width: float) -> Drawing:
    """Write the title of a view, and its notes below."""
    body: list[str] = []
    top = margin
    for text in wrapped(view.title, width, _TITLE, bold=True) if view.title else ():
        body.append(
            f'<text x="{n(margin)}" y="{n(top + _TITLE)}" font-size="{n(_TITLE)}" '
            f'font-weight="bold">{escape(text)}</text>'
        )
        top += _TITLE * 1.4
    for text in (line for note in view.notes for line in wrapped(note, width, _NOTE)):
        body.append(
            f'<text class="faint" x="{n(margin)}" y="{n(top + _NOTE)}" '
            f'font-size="{n(_NOTE)}">{escape(text)}</text>'
        )
        top += _NOTE * 1.45
    return Drawing(top, body)


def _below_each_other(
    view: View, parts: Sequence[Part], layouts: Mapping[str, Layout], width: float
) -> Drawing:
    """Draw parts of a view."""
    body: list[str] = []
    top = 0.0
    for part in parts:
        if isinstance(part, Picture):
            drawing = _picture(part, layouts[part.id])
            if not part.explained:
                drawing = _with_legend(drawing, legend(part, view.lang, width))
        elif isinstance(part, TextTable):
            drawing = _table(part, width)
        else:
            drawing = bars_svg(part, width)
        top += _GAP
        body += [f'<g transform="translate(0 {n(top)})">', *drawing.elements, "</g>"]
        top += drawing.height
    return Drawing(top, body)


def _printed(sheet: Sheet) -> str:
    """Return how a drawing is printed."""
    if sheet.embedded or sheet.width < _WIDE:
        return ""
    return ONE_PAGE if sheet.one_page else ACROSS


# ---- pictures ------------------------------------------------------------------------------------


def _picture(picture: Picture, layout: Layout) -> Drawing:
    """Draw a picture. Titles of frames and boxes come last, so that no line covers them."""
    body = [group(picture.id, ("picture",))]
    for frame in picture.frames:
        area = layout.frames[frame.id]
        body.append(group(frame.id, ("state", frame.mark), frame.title))
        body += [rectangle("frame parallel" if frame.parallel else "frame", area, 10), "</g>"]
    for edge in picture.outer:
        body += _edge(picture, edge, layout)
    for frame in picture.frames:
        body += _frame_title(frame, layout.frames[frame.id])
    for box in picture.boxes:
        body += _box(picture, box, layout.boxes[box.id])
    return Drawing(layout.height, [*body, "</g>"])


def _with_legend(drawing: Drawing, below: Drawing) -> Drawing:
    top = drawing.height + 2 * PADDING
    moved = [f'<g transform="translate(0 {n(top)})">', *below.elements, "</g>"]
    return Drawing(top + below.height, [*drawing.elements, *moved])


def _frame_title(frame: Frame, area: Rectangle) -> Iterator[str]:
    kinds = "heading" if frame.mark is Mark.PLAIN else f"heading {frame.mark}"
    yield f'<g class="{kinds}" data-frame={quoteattr(frame.id)}>'
    yield from block_text(block([Line(frame.title, Face.HEAD)]), area.left + 4, area.top - 1)
    yield "</g>"


def _box(picture: Picture, box: Box, area: Rectangle) -> Iterator[str]:
    yield group(box.id, ("state", box.shape, box.tone, box.mark), box.tooltip)
    if box.shape is Shape.START:
        radius = area.width / 2
        x, y = n(area.left + radius), n(area.top + radius)
        yield f'<circle class="start" cx="{x}" cy="{y}" r="{n(radius)}"/>'
    else:
        yield rectangle("box", area, _CORNERS.get(box.shape, 9))
        if box.shape in {Shape.GOOD_END, Shape.BAD_END}:  # closed: a double line
            inner = Rectangle(area.left + 3, area.top + 3, area.width - 6, area.height - 6)
            yield rectangle("box", inner, 7)
        yield from _content(picture, box, area)
    yield "</g>"


def _content(picture: Picture, box: Box, area: Rectangle) -> Iterator[str]:
    planned = picture.plan is not None
    max_width, tighter = (text_width(area), TIGHTER) if planned else (picture.text_width, 0.0)
    own, *inner = box_blocks(picture, box, max_width)
    if box.tone and box.shape is not Shape.OUTCOME:
        high = own.height if inner else area.height
        yield rectangle("band", Rectangle(area.left + 2, area.top + 4, BAND - 2, high - 8))
    yield from block_text(
        own, area.left + (2 if box.tone and box.shape is not Shape.OUTCOME else 0), area.top
    )
    top = area.top + own.height
    for content, edge in zip(inner, picture.inner(box.id), strict=True):
        height = content.height - tighter
        yield group(edge.id, ("edge", edge.tone, edge.mark), edge.tooltip)
        yield rule((area.left, top), (area.left + area.width, top))
        yield rectangle("band", Rectangle(area.left + 2, top + 4, BAND - 2, height - 8))
        yield from block_text(content, area.left + 2, top - tighter / 2)
        yield "</g>"
        top += height


def _edge(picture: Picture, edge: PictureEdge, layout: Layout) -> Iterator[str]:
    weight = f"weight-{edge.weight}" if edge.weight else ""
    yield group(edge.id, ("edge", edge.tone, edge.mark, weight), edge.tooltip)
    for end in (IN, OUT):
        if (course := layout.lines.get(edge.id + end)) is not None:
            yield from _course(course, edge.weight)
    if (area := layout.boxes.get(edge.id)) is not None:
        yield rectangle("label", area, 3)
        yield rectangle("band", area._replace(width=BAND))
        yield from block_text(block(edge_lines(edge), picture.text_width), area.left + 2, area.top)
    yield "</g>"


def _course(course: Course, weight: int) -> Iterator[str]:
    first, *rest = course.points
    curves = " ".join(
        f"C{p(rest[i])} {p(rest[i + 1])} {p(rest[i + 2])}" for i in range(0, len(rest), 3)
    )
    yield f'<path class="course" d="M{p(first)} {curves}"/>'
    if course.tip is not None:
        tip = _arrowhead(course.points[-1], course.tip, _TIP_HALF + weight)
        yield f'<path class="tip" d="{tip}"/>'


def _arrowhead(end: Point, tip: Point, half: float) -> str:
    dx, dy = tip[0] - end[0], tip[1] - end[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    dx, dy = dx / length, dy / length
    base = (tip[0] - dx * _TIP, tip[1] - dy * _TIP)
    left, right = ((base[0] + side * dy * half, base[1] - side * dx * half) for side in (1, -1))
    return f"M{p(tip)} L{p(left)} L{p(right)} Z"


# ---- tables --------------------------------------------------------------------------------------


def _table(table: TextTable, width: float) -> Drawing:
    body = [group(table.id, ("table",))]
    top = 0.0
    if table.title:
        top, title = paragraph(table.title, Face.TITLE, -PADDING, width)
        body += title
    columns = [width * share / sum(table.widths) for share in table.widths]
    heads = TextRow(id="", cells=tuple((Line(head, Face.STRONG),) for head in table.heads))
    for row in (heads, *table.rows):
        height, elements = _row(row, columns, top, striped=row is heads)
        body += elements
        top += height
    body.append(rule((0, top), (width, top)))
    for note in table.notes:
        height, elements = paragraph(note, Face.FAINT, top, width)
        body += elements
        top += height
    return Drawing(top, [*body, "</g>"])


def _row(row: TextRow, columns: Sequence[float], top: float, *, striped: bool) -> Drawing:
    last = len(row.cells) - 1
    widths = [*columns[:last], sum(columns[last:])]
    cells = [
        block(lines, width - 2 * PADDING) for lines, width in zip(row.cells, widths, strict=True)
    ]
    height, width = max(cell.height for cell in cells) - PADDING, sum(columns)
    body = [group(row.id, ("row", row.tone, row.mark))]
    if striped:
        body.append(rectangle("stripe", Rectangle(0, top, width, height)))
    body.append(rule((0, top), (width, top)))
    if row.tone:
        body.append(rectangle("band", Rectangle(0, top + 2, BAND - 1, height - 4)))
    left = 0.0
    for cell, column in zip(cells, widths, strict=True):
        body += block_text(cell, left + 2, top - PADDING / 2)
        left += column
    return Drawing(height, [*body, "</g>"])
