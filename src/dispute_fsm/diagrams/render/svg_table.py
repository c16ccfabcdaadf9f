"""Drawing a table as SVG."""

from collections.abc import Sequence

from dispute_fsm.diagrams.picture import Face, Line, TextRow, TextTable
from dispute_fsm.diagrams.render.blocks import PADDING, block
from dispute_fsm.diagrams.render.svg_elements import BAND, Drawing, group, n, text_lines


def table_svg(table: TextTable, width: float) -> Drawing:
    """Draw a table of this width."""
    body = [group(table.id, ("table",))]
    top = 0.0
    if table.title:
        title = block([Line(table.title, Face.TITLE)], width)
        body += text_lines(title, -PADDING, -PADDING)
        top = title.height - PADDING
    columns = [width * share / sum(table.widths) for share in table.widths]
    heads = TextRow(id="", cells=tuple((Line(head, Face.STRONG),) for head in table.heads))
    for row in (heads, *table.rows):
        height, elements = _row(row, columns, top, striped=row is heads)
        body += elements
        top += height
    body.append(f'<line class="rule" x1="0" y1="{n(top)}" x2="{n(width)}" y2="{n(top)}"/>')
    for note in table.notes:
        set_as = block([Line(note, Face.FAINT)], width)
        body += text_lines(set_as, -PADDING, top)
        top += set_as.height - PADDING
    return Drawing(top, [*body, "</g>"])


def _row(row: TextRow, columns: Sequence[float], top: float, *, striped: bool) -> Drawing:
    last = len(row.cells) - 1
    wide = [*columns[:last], sum(columns[last:])]
    cells = [block(lines, room - 2 * PADDING) for lines, room in zip(row.cells, wide, strict=True)]
    height, width = max(cell.height for cell in cells) - PADDING, sum(columns)
    body = [group(row.id, ("row", row.tone, row.mark))]
    if striped:
        body.append(
            f'<rect class="stripe" x="0" y="{n(top)}" width="{n(width)}" height="{n(height)}"/>'
        )
    body.append(f'<line class="rule" x1="0" y1="{n(top)}" x2="{n(width)}" y2="{n(top)}"/>')
    if row.tone:
        body.append(
            f'<rect class="band" x="0" y="{n(top + 2)}" width="{n(BAND - 1)}" '
            f'height="{n(height - 4)}"/>'
        )
    left = 0.0
    for cell, room in zip(cells, wide, strict=True):
        body += text_lines(cell, left + 2, top - PADDING / 2)
        left += room
    return Drawing(height, [*body, "</g>"])
