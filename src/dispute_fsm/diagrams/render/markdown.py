"""Markdown: tables and timelines as tables, pictures as Mermaid, which many readers draw."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from dispute_fsm.diagrams.picture import Bars, Face, Line, Part, Picture, TextTable, View
from dispute_fsm.diagrams.render.mermaid import mermaid

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def markdown(view: View) -> str:
    """Write a view as Markdown."""
    paragraphs = [f"# {_escaped(view.title)}", *map(_escaped, view.notes)]
    for part in view.parts:
        paragraphs += _part(part)
    return "\n\n".join(paragraphs) + "\n"


def _part(part: Part) -> Iterator[str]:
    if isinstance(part, Picture):
        yield f"```mermaid\n{mermaid(part)}```"
        return
    if part.title:
        yield f"## {_escaped(part.title)}"
    yield _table(part) if isinstance(part, TextTable) else _bars(part)
    yield from map(_escaped, part.notes)


def _table(table: TextTable) -> str:
    empty = [""] * len(table.heads)
    rows = ([*map(_cell, row.cells), *empty[len(row.cells) :]] for row in table.rows)
    return _rows(table.heads, rows)


def _bars(bars: Bars) -> str:
    """Write each bar as a row: Markdown has no time axis."""
    zone = ZoneInfo(bars.zone)

    def local(at: datetime) -> str:
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    rows = (
        (_escaped(lane.label), local(bar.start), local(bar.end), _escaped(bar.text))
        for lane in bars.lanes
        for bar in lane.bars
    )
    return _rows(("", bars.zone, "", ""), rows)


def _rows(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [map(_escaped, heads), ["---"] * len(heads), *rows]
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
