"""Tables for phones: one column, each row a card."""

from collections.abc import Iterator

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.picture import Face, Line, TextRow, TextTable


def stacked(fmt: Formatter, table: TextTable) -> TextTable:
    """Put the cells of each row below each other, each with the head of its column."""
    return TextTable(
        id=table.id,
        title=table.title,
        heads=(table.heads[0],),
        widths=(1,),
        rows=tuple(
            TextRow(id=row.id, cells=(tuple(_lines(fmt, table, row)),), tone=row.tone)
            for row in table.rows
        ),
        notes=table.notes,
        page=0,
    )


def _lines(fmt: Formatter, table: TextTable, row: TextRow) -> Iterator[Line]:
    first, *others = row.cells
    yield from first
    for head, lines in zip(table.heads[1:], others, strict=True):
        if len(lines) == 1:
            yield Line(head + fmt.message("colon") + lines[0].text, lines[0].face)
        elif lines:
            yield Line(head, Face.FAINT)
            yield from lines
