"""Drawing a timeline as SVG: an axis with its days and hours, numbered moments, lanes of bars."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dispute_fsm.diagrams.picture import BarMark, Bars, Face, Lane, Line
from dispute_fsm.diagrams.render.blocks import PADDING, block, wide_as
from dispute_fsm.diagrams.render.layout import Rectangle
from dispute_fsm.diagrams.render.svg_elements import (
    Drawing,
    group,
    n,
    rectangle,
    text_at,
    text_lines,
)

_LABELS = 190.0
"""The room on the left for the labels of the lanes, in px."""
_RIGHT = 90.0
"""The room on the right for the label of the last tick, in px."""
_AXIS, _ROW, _BAR, _WORDS, _RADIUS, _THINNEST = 22.0, 21.0, 14.0, 15.0, 9.0, 3.0
_STEPS = [
    timedelta(minutes=m)
    for m in (1, 5, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 7200, 14400, 43200)
]
_MOST_TICKS = 12


class _Axis:
    """Where an instant lies on the page."""

    def __init__(self, bars: Bars, width: float) -> None:
        self.start = bars.start
        self.zone = ZoneInfo(bars.zone)
        self.span = max((bars.end - bars.start).total_seconds(), 1.0)
        self.left, self.width = _LABELS, width - _LABELS - _RIGHT

    def x(self, at: datetime) -> float:
        return self.left + self.width * (at - self.start).total_seconds() / self.span

    def ticks(self) -> Iterator[datetime]:
        """Go through the round instants of the zone's clocks, not more than there is room for."""
        length = timedelta(seconds=self.span)
        step = next((step for step in _STEPS if length / step <= _MOST_TICKS), length / _MOST_TICKS)
        midnight = self.start.astimezone(self.zone).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        at = midnight
        while at <= self.start + length:
            if at >= self.start:
                yield at
            at += step


def bars_svg(bars: Bars, width: float) -> Drawing:
    """Draw a timeline of this width."""
    axis = _Axis(bars, width)
    title = block([Line(bars.title, Face.TITLE)], width)
    body = [group(bars.id, ("bars",)), *text_lines(title, -PADDING, -PADDING)]
    top = title.height - PADDING
    moments, rows = _moments(bars.moments, axis, top + _AXIS)
    bottom = top + _AXIS + rows * _ROW + PADDING
    lanes: list[str] = []
    for lane in bars.lanes:
        drawing = _lane(lane, axis, bottom, width)
        lanes += drawing.elements
        bottom += drawing.height
    body += [*_ticks(axis, top, bottom), *moments, *lanes]
    for note in bars.notes:
        set_as = block([Line(note, Face.FAINT)], width)
        body += text_lines(set_as, -PADDING, bottom)
        bottom += set_as.height - PADDING
    return Drawing(bottom, [*body, "</g>"])


def _ticks(axis: _Axis, top: float, bottom: float) -> Iterator[str]:
    day = None
    free = 0.0
    for at in axis.ticks():
        there = at.astimezone(axis.zone)
        words = Line(
            there.strftime("%m-%d %H:%M") if there.date() != day else there.strftime("%H:%M"),
            Face.FAINT,
        )
        yield (
            f'<line class="rule" x1="{n(axis.x(at))}" y1="{n(top + _AXIS - 5)}" '
            f'x2="{n(axis.x(at))}" y2="{n(bottom)}"/>'
        )
        if axis.x(at) >= free:
            day = there.date()
            free = axis.x(at) + wide_as(words) + 8
            yield text_at(words, axis.x(at), top + 12)


def _moments(moments: Sequence[BarMark], axis: _Axis, top: float) -> tuple[list[str], int]:
    """Draw the numbers of what happened; one that would lie on another goes a row down."""
    body: list[str] = []
    ends: list[float] = []
    for moment in moments:
        x = axis.x(moment.at)
        row = _free(ends, x - _RADIUS, x + _RADIUS + 2)
        y = top + _RADIUS + row * _ROW
        body += [
            group(f"moment-{moment.number}", ("edge", moment.tone), moment.words),
            f'<circle class="label" cx="{n(x)}" cy="{n(y)}" r="{n(_RADIUS)}"/>',
            text_at(Line(moment.number, Face.FAINT), x, y + 3.6, anchor="middle"),
            "</g>",
        ]
    return body, max(len(ends), 1)


def _lane(lane: Lane, axis: _Axis, top: float, width: float) -> Drawing:
    """Draw a lane; the words of a bar stand below it, and where they would lie on others, a row further down."""
    body = [
        group(lane.id, ("lane",)),
        f'<line class="rule" x1="0" y1="{n(top)}" x2="{n(width)}" y2="{n(top)}"/>',
        text_at(Line(lane.label), 0, top + PADDING + _BAR - 4),
    ]
    ends: list[float] = []
    for bar in lane.bars:
        left, right = axis.x(bar.start), max(axis.x(bar.end), axis.x(bar.start) + _THINNEST)
        place = Rectangle(left, top + PADDING, right - left, _BAR)
        body += [
            group("", ("bar", bar.mark), bar.words),
            f'<rect class="box" {rectangle(place)} rx="2"/>',
            "</g>",
        ]
        if bar.words:
            words = Line(bar.words, Face.FAINT)
            x = max(_LABELS, min(left, width - wide_as(words)))
            row = _free(ends, x, x + wide_as(words) + PADDING)
            body.append(text_at(words, x, top + PADDING + _BAR + (row + 1) * _WORDS - 3))
    return Drawing(2 * PADDING + _BAR + len(ends) * _WORDS, [*body, "</g>"])


def _free(ends: list[float], start: float, end: float) -> int:
    """Find the first row that is free from `start` on, and take it up to `end`; `ends` says up to where each row is taken."""
    row = next((number for number, taken in enumerate(ends) if taken <= start), len(ends))
    ends[row : row + 1] = [end]
    return row
