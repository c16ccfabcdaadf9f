"""A table as data: heads, rows of cells, each cell lines of text. Views make it, renderers draw it."""

from dataclasses import dataclass

from dispute_fsm.diagrams.picture import Face, Line, Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRow:
    """A row; `id` is stable where the row stands for something that has an id. The last cell goes on to the end of the row."""

    id: str
    cells: tuple[tuple[Line, ...], ...]
    mark: Mark = Mark.PLAIN
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table under a title. `widths` are the columns' shares of the page, which is at least `page` px wide; `notes` stand below."""

    id: str
    title: str
    heads: tuple[str, ...]
    widths: tuple[int, ...]
    rows: tuple[TextRow, ...]
    notes: tuple[str, ...] = ()
    page: int = 1180


def cell(*texts: str, face: Face = Face.TEXT) -> tuple[Line, ...]:
    """Make a cell of plain lines; empty ones are left out."""
    return tuple(Line(text, face) for text in texts if text)
