"""Markdown: tables as tables, pictures as Mermaid, which many readers of Markdown draw, a timeline as a table."""

import re
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from dispute_fsm.diagrams.picture import Bars, Face, Line, Part, Picture, TextRow, TextTable, View
from dispute_fsm.diagrams.render.mermaid import mermaid

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def markdown(view: View) -> str:
    """Write a view as Markdown."""
    paragraphs = [f"# {_escaped(view.title)}", *(_escaped(note) for note in view.notes)]
    for part in view.parts:
        paragraphs += _part(part)
    return "\n\n".join(paragraphs) + "\n"


def _part(part: Part) -> Iterator[str]:
    if isinstance(part, Picture):
        yield f"```mermaid\n{mermaid(part)}```"
    elif isinstance(part, TextTable):
        yield from _table(part)
    else:
        yield from _bars(part)


def _table(table: TextTable) -> Iterator[str]:
    if table.title:
        yield f"## {_escaped(table.title)}"
    yield _rows(table.heads, (_cells(row, len(table.heads)) for row in table.rows))
    yield from (_escaped(note) for note in table.notes)


def _cells(row: TextRow, columns: int) -> list[str]:
    return [_cell(lines) for lines in row.cells] + [""] * (columns - len(row.cells))


def _bars(bars: Bars) -> Iterator[str]:
    """Write each bar as a row: Markdown has no axis of time."""
    yield f"## {_escaped(bars.title)}"
    zone = ZoneInfo(bars.zone)

    def there(bar: object) -> str:
        return f"{bar:%Y-%m-%d %H:%M:%S}"

    rows = [
        (
            _escaped(lane.label),
            there(bar.start.astimezone(zone)),
            there(bar.end.astimezone(zone)),
            _escaped(bar.words),
        )
        for lane in bars.lanes
        for bar in lane.bars
    ]
    yield _rows(("", bars.zone, "", ""), rows)
    yield from (_escaped(note) for note in bars.notes)


def _rows(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    first = list(heads)
    lines = [[_escaped(head) for head in first], ["---"] * len(first), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(lines: Iterable[Line]) -> str:
    return "<br>".join(
        f"**{_escaped(line.text)}**"
        if line.face in {Face.STRONG, Face.HEAD}
        else _escaped(line.text)
        for line in lines
    )


def _escaped(text: str) -> str:
    """Write a text so that Markdown shows it as it is."""
    return _SPECIAL.sub(r"\\\1", text)
