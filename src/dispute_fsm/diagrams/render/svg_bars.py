"""Timelines as SVG: an axis with days and hours, numbered events, lanes of bars."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dispute_fsm.diagrams.picture import BarMark, Bars, Face, Lane, Line
from dispute_fsm.diagrams.render.graphviz import Rectangle
from dispute_fsm.diagrams.render.svg_elements import (
    Drawing,
    group,
    line_text,
    n,
    paragraph,
    rectangle,
    rule,
)
from dispute_fsm.diagrams.render.typography import PADDING, line_width

_LABELS = 190.0
"""The space on the left for the labels of the lanes, in px."""
_RIGHT = 90.0
"""The space on the right for the label of the last tick, in px."""
_AXIS, _ROW, _BAR, _TEXT, _RADIUS, _MIN_BAR = 22.0, 21.0, 14.0, 15.0, 9.0, 3.0
_STEPS = [
    timedelta(minutes=m)
    for m in (1, 5, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 7200, 14400, 43200)
]
_MAX_TICKS = 12


class _Axis:
    """Maps an instant to its position on the page."""

    def __init__(self, bars: Bars, width: float) -> None:
        self.start = bars.start
        self.zone = ZoneInfo(bars.zone)
        self.span = max((bars.end - bars.start).total_seconds(), 1.0)
        self.width = width - _LABELS - _RIGHT

    def x(self, at: datetime) -> float:
        return _LABELS + self.width * (at - self.start).total_seconds() / self.span

    def ticks(self) -> Iterator[datetime]:
        """Iterate over round local times, at most as many as there is space for."""
        length = timedelta(seconds=self.span)
        step = next((step for step in _STEPS if length / step <= _MAX_TICKS), length / _MAX_TICKS)
        at = self.start.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        while at <= self.start + length:
            if at >= self.start:
                yield at
            at += step


def bars_svg(bars: Bars, width: float) -> Drawing:
    """Draw a timeline of this width."""
    axis = _Axis(bars, width)
    top, title = 0.0, list[str]()
    if bars.title:
        top, title = paragraph(bars.title, Face.TITLE, -PADDING, width)
    moments, rows = _moments(bars.moments, axis, top + _AXIS)
    bottom = top + _AXIS + rows * _ROW + PADDING
    lanes: list[str] = []
    for lane in bars.lanes:
        height, elements = _lane(lane, axis, bottom, width)
        lanes += elements
        bottom += height
    body = [group(bars.id, ("bars",)), *title, *_ticks(axis, top, bottom), *moments, *lanes]
    for note in bars.notes:
        height, elements = paragraph(note, Face.FAINT, bottom, width)
        body += elements
        bottom += height
    return Drawing(bottom, [*body, "</g>"])


def _ticks(axis: _Axis, top: float, bottom: float) -> Iterator[str]:
    day = None
    free = 0.0
    for at in axis.ticks():
        x, local = axis.x(at), at.astimezone(axis.zone)
        label = Line(local.strftime("%H:%M" if local.date() == day else "%m-%d %H:%M"), Face.FAINT)
        yield rule((x, top + _AXIS - 5), (x, bottom))
        if x >= free:
            day = local.date()
            free = x + line_width(label) + 8
            yield line_text(label, x, top + 12)


def _moments(moments: Sequence[BarMark], axis: _Axis, top: float) -> tuple[list[str], int]:
    """Draw the numbers of the events, in as many rows as needed, so that none overlap."""
    body: list[str] = []
    ends: list[float] = []
    for moment in moments:
        x = axis.x(moment.at)
        y = top + _RADIUS + _free_row(ends, x - _RADIUS, x + _RADIUS + 2) * _ROW
        body += [
            group(f"moment-{moment.number}", ("edge", moment.tone), moment.tooltip),
            f'<circle class="label" cx="{n(x)}" cy="{n(y)}" r="{n(_RADIUS)}"/>',
            line_text(Line(moment.number, Face.FAINT), x, y + 3.6, anchor="middle"),
            "</g>",
        ]
    return body, max(len(ends), 1)


def _lane(lane: Lane, axis: _Axis, top: float, width: float) -> Drawing:
    """Draw a lane. The texts are below the bars, in as many rows as needed."""
    body = [
        group(lane.id, ("lane",)),
        rule((0, top), (width, top)),
        line_text(Line(lane.label), 0, top + PADDING + _BAR - 4),
    ]
    ends: list[float] = []
    for bar in lane.bars:
        left = axis.x(bar.start)
        area = Rectangle(left, top + PADDING, max(axis.x(bar.end) - left, _MIN_BAR), _BAR)
        body += [group("", ("bar", bar.mark), bar.text), rectangle("box", area, 2), "</g>"]
        if bar.text:
            text = Line(bar.text, Face.FAINT)
            x = max(_LABELS, min(left, width - line_width(text)))
            row = _free_row(ends, x, x + line_width(text) + PADDING)
            body.append(line_text(text, x, top + PADDING + _BAR + (row + 1) * _TEXT - 3))
    return Drawing(2 * PADDING + _BAR + len(ends) * _TEXT, [*body, "</g>"])


def _free_row(ends: list[float], start: float, end: float) -> int:
    """Return the first row that is free from `start` on, and occupy it up to `end`.

    `ends` has the position up to which each row is occupied.
    """
    row = next((number for number, occupied in enumerate(ends) if occupied <= start), len(ends))
    ends[row : row + 1] = [end]
    return row
