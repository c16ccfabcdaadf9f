"""The parts of a view, independent of the format: pictures, tables and time bars.

Views make them, renderers decide how they look. A transition is drawn as an edge. Colour alone
carries no meaning: the `tone` of an element is the role that acts (or `GOOD`, `BAD`: the end that a
line leads to), and its `mark` (visited, faded, added, …) has a text as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from dispute_fsm.domain.enums import Lang


class Face(StrEnum):
    """The typeface of a line."""

    TITLE = "title"
    HEAD = "head"
    TEXT = "text"
    STRONG = "strong"
    GOOD = "good"
    BAD = "bad"
    FAINT = "faint"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text; a renderer may break it."""

    text: str
    face: Face = Face.TEXT


def cell(*texts: str, face: Face = Face.TEXT) -> tuple[Line, ...]:
    """Make lines of the same typeface; empty texts are left out."""
    return tuple(Line(text, face) for text in texts if text)


class Shape(StrEnum):
    """What a box represents."""

    STATE = "state"
    GOOD_END = "good-end"
    BAD_END = "bad-end"
    START = "start"
    NOTE = "note"
    OUTCOME = "outcome"


class Mark(StrEnum):
    """What a view says about an element."""

    PLAIN = "plain"
    LIT = "lit"
    FADED = "faded"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MISSED = "missed"
    INACTIVE = "inactive"


GOOD, BAD = "good-line", "bad-line"
"""The tones of lines that lead to the good and to the bad end."""


MOST_WEIGHT = 3


class Remark(NamedTuple):
    """What a view says about an element: a mark, its text, and how thick the line is."""

    mark: Mark
    badge: str = ""
    weight: int = 0


PLAIN = Remark(Mark.PLAIN)
"""Says nothing about an element."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureEdge:
    """An edge with its label. One that leads back to its own box is a row inside that box."""

    id: str
    source: str
    target: str
    lines: tuple[Line, ...] = ()
    tone: str = ""
    mark: Mark = Mark.PLAIN
    badge: str = ""
    tooltip: str = ""
    weight: int = 0
    """How thick the line is: a step from 0 to `MOST_WEIGHT`."""

    @property
    def stays(self) -> bool:
        """Whether it leads back to its source."""
        return self.source == self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box with lines of text; `frame` is the frame around it."""

    id: str
    lines: tuple[Line, ...]
    frame: str | None = None
    shape: Shape = Shape.STATE
    mark: Mark = Mark.PLAIN
    badge: str = ""
    tooltip: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame around boxes and other frames. Each region is a frame inside a `parallel` one."""

    id: str
    title: str
    frame: str | None = None
    parallel: bool = False
    mark: Mark = Mark.PLAIN


@dataclass(frozen=True, slots=True)
class Row:
    """Parts of a plan side by side, equally high."""

    parts: "tuple[Plan, ...]"


@dataclass(frozen=True, slots=True)
class Stack:
    """Parts of a plan below each other, in a frame or not.

    `joined`: they touch, and lines start and end at all of them together.
    """

    parts: "tuple[Plan, ...]"
    frame: str | None = None
    joined: bool = False


Plan = str | Row | Stack
"""How boxes are arranged; a text is the id of a box."""


TEXT_WIDTH = 250.0
"""How wide a text is where nothing else says it, in px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A graph. An edge may start or end at a frame.

    Without a `plan`, Graphviz arranges the boxes from left to right, with texts of `text_width`.
    """

    id: str
    title: str
    boxes: tuple[Box, ...]
    edges: tuple[PictureEdge, ...]
    frames: tuple[Frame, ...] = ()
    plan: Plan | None = None
    explained: bool = False
    """Whether its own boxes explain what occurs in it; otherwise a legend is drawn below it."""
    text_width: float = TEXT_WIDTH

    def inner(self, box: str) -> Sequence[PictureEdge]:
        """Return the edges that lead from a box back to itself."""
        return [edge for edge in self.edges if edge.stays and edge.source == box]

    @property
    def outer(self) -> Sequence[PictureEdge]:
        """The edges between different elements."""
        return [edge for edge in self.edges if not edge.stays]

    def common_frame(self, edge: PictureEdge) -> str | None:
        """Return the innermost frame around both ends of an edge; None: the picture itself."""
        targets = self.around(edge.target)
        return next((frame for frame in self.around(edge.source) if frame in targets), None)

    def around(self, element: str) -> Sequence[str]:
        """Return the ids of the frames around an element, from the inside out."""
        elements: list[Box | Frame] = [*self.frames, *self.boxes]
        parents = {part.id: part.frame for part in elements}
        frames: list[str] = []
        while (parent := parents[element]) is not None:
            frames.append(parent)
            element = parent
        return frames


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRow:
    """A row with a stable `id`. The last cell extends to the end of the row."""

    id: str
    cells: tuple[tuple[Line, ...], ...]
    tone: str = ""
    mark: Mark = Mark.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table with a title above and notes below.

    `widths` are the columns' shares of the page, which is at least `page` px wide.
    """

    id: str
    title: str
    heads: tuple[str, ...]
    widths: tuple[int, ...]
    rows: tuple[TextRow, ...]
    notes: tuple[str, ...] = ()
    page: int = 1180


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A time span, or an instant where `end` equals `start`, with a text below it."""

    start: datetime
    end: datetime
    text: str = ""
    mark: Mark = Mark.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A lane of bars with its label."""

    id: str
    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarMark:
    """An event on the time axis, by its number."""

    number: str
    at: datetime
    tooltip: str
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A timeline with a title. Instants are written in local time of `zone` (IANA name)."""

    id: str
    title: str
    zone: str
    start: datetime
    end: datetime
    moments: tuple[BarMark, ...]
    lanes: tuple[Lane, ...]
    notes: tuple[str, ...] = ()


Part = Picture | TextTable | Bars


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The page of a drawing: its least width and its margin in px, and how far all is enlarged.

    In print, `one_page` scales it to the paper, and `poster` puts its first picture on a page of
    A3, and what comes after that on the next; otherwise it is as wide as the paper. What is
    `embedded` is part of a page that says how it is printed.
    """

    width: float = 1228.0
    margin: float = 24.0
    zoom: float = 1.0
    one_page: bool = False
    embedded: bool = False
    poster: bool = False


PHONE = Sheet(width=390, margin=10, zoom=14 / 12)
"""As wide as a phone; texts of 12 px are set in 14 px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A page for reviewers in one language; every renderer can draw it."""

    name: str
    lang: Lang
    title: str
    notes: tuple[str, ...]
    parts: tuple[Part, ...]
    graph: Picture
    """For formats that have only graphs: the picture among the parts, or a sketch of them."""
    sheet: Sheet = Sheet()
