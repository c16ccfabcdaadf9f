"""Markdown: tables and timelines as tables, pictures as Mermaid, which many readers draw."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from dispute_fsm.diagrams.picture import Bars, Face, Line, Part, Picture, TextTable, View
from dispute_fsm.diagrams.render.mermaid import mermaid

_FEW = 3
"""How many tables a reader finds without links to them."""
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def markdown(view: View) -> str:
    """Write a view as Markdown."""
    paragraphs = [f"# {_escaped(view.title)}", *map(_escaped, view.notes)]
    titles = [part.title for part in view.parts if not isinstance(part, Picture) and part.title]
    if len(titles) > _FEW:
        paragraphs.append("\n".join(_links(view.title, titles)))
    for part in view.parts:
        paragraphs += _part(part)
    return "\n\n".join(paragraphs) + "\n"


def _links(first: str, titles: Iterable[str]) -> Iterator[str]:
    """Link to the headings below the first one, by the anchors that GitHub gives them."""
    seen = Counter([_anchor(first)])
    for title in titles:
        anchor = _anchor(title)
        number = f"-{seen[anchor]}" if seen[anchor] else ""
        seen[anchor] += 1
        yield f"- [{_escaped(title)}](#{anchor}{number})"


def _anchor(title: str) -> str:
    return _NOT_IN_ANCHOR.sub("", title.lower()).replace(" ", "-")


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
