"""What a view consists of, before any format: pictures, tables, time bars, and the path that a dispute took. Views make it.

A renderer decides how things look in its format; what they mean is said here: the tone of an edge
is who acts, a mark says what is told about an element (visited, faded, added, never taken), always
in words as well, so that colour alone carries nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dispute_fsm.diagrams.model import OPENING, Arrow, Machine
from dispute_fsm.domain.enums import CommandType, EventType, Lang
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.errors import InputError


class Face(StrEnum):
    """What a line of text is, beside its words."""

    TITLE = "title"
    HEAD = "head"
    TEXT = "text"
    STRONG = "strong"
    FAINT = "faint"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text; a renderer may break it."""

    text: str
    face: Face = Face.TEXT


class Shape(StrEnum):
    """What a box stands for."""

    STATE = "state"
    GOOD_END = "good-end"
    BAD_END = "bad-end"
    START = "start"
    NOTE = "note"


class Mark(StrEnum):
    """What is told about an element beside what it is."""

    PLAIN = "plain"
    LIT = "lit"
    FADED = "faded"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureEdge:
    """An edge with its label. One that leads back to its own box is told inside that box. `tone` is the role that acts."""

    id: str
    source: str
    target: str
    lines: tuple[Line, ...] = ()
    tone: str = ""
    mark: Mark = Mark.PLAIN
    badge: str = ""
    tooltip: str = ""

    @property
    def stays(self) -> bool:
        """Whether it leads back to where it comes from."""
        return self.source == self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box with lines of text; `frame` is the frame that it lies in."""

    id: str
    lines: tuple[Line, ...]
    frame: str | None = None
    shape: Shape = Shape.STATE
    mark: Mark = Mark.PLAIN
    badge: str = ""
    tooltip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame around boxes and other frames. Of regions that run side by side each is a frame in a `parallel` one."""

    id: str
    title: str
    frame: str | None = None
    parallel: bool = False
    mark: Mark = Mark.PLAIN
    tooltip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A graph, read from left to right. An edge may begin or end at a frame."""

    id: str
    title: str
    boxes: tuple[Box, ...]
    edges: tuple[PictureEdge, ...]
    frames: tuple[Frame, ...] = ()

    def inner(self, box: str) -> Sequence[PictureEdge]:
        """Return the edges that lead from a box back to itself."""
        return [edge for edge in self.edges if edge.stays and edge.source == box]

    @property
    def outer(self) -> Sequence[PictureEdge]:
        """The edges that lead somewhere else."""
        return [edge for edge in self.edges if not edge.stays]

    def inside(self, frame: str) -> str:
        """Return the first box in a frame, at whatever depth."""
        frames = {frame}
        while more := {one.id for one in self.frames if one.frame in frames} - frames:
            frames |= more
        return next(box.id for box in self.boxes if box.frame in frames)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A span of time, or a moment where `end` is `start`; the words stand beside it."""

    start: datetime
    end: datetime
    words: str
    mark: Mark = Mark.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A lane under its label."""

    id: str
    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarMark:
    """Something that happened, by its number; the words are its tooltip, for a table tells it."""

    number: str
    at: datetime
    words: str
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A timeline under a title. Instants are written as people in `zone` (IANA name) read them."""

    id: str
    title: str
    zone: str
    start: datetime
    end: datetime
    moments: tuple[BarMark, ...]
    lanes: tuple[Lane, ...]
    notes: tuple[str, ...] = ()


def taken(machine: Machine, event: AuditEvent) -> Arrow | None:
    """Return the arrow that an event took; None for a refusal.

    Raises `InputError` where the machine has no such arrow: the event was recorded under another
    chart.
    """
    if event.type is EventType.REFUSED:
        return None
    if event.command is CommandType.OPEN_DISPUTE:
        return machine.arrow(OPENING)
    fitting = [arrow for arrow in machine.arrows if _fits(machine, arrow, event)]
    if len(fitting) != 1:
        where = (
            f"dispute {event.dispute_id}, event {event.seq}: {event.command.value} from "
            f"{event.source} to {event.target}"
        )
        raise InputError(f"{where} is no edge of rules {machine.rules} as they are drawn here")
    return fitting[0]


def active(path: str | None) -> Iterator[str]:
    """Go through the states that a path says to be active, leaves and those around them."""
    for leaf in (path or "").split(","):
        yield from leaf.split(".")


def leaves(path: str | None) -> tuple[str, ...]:
    """Return the leaves of a path."""
    return tuple(leaf.rpartition(".")[2] for leaf in (path or "").split(","))


def _fits(machine: Machine, arrow: Arrow, event: AuditEvent) -> bool:
    saw = {check.guard: check.saw.get(check.guard) for check in event.checks}
    conditions = [machine.conditions[name] for name in arrow.when]
    return (
        arrow.event is event.command
        and arrow.source in set(active(event.source))
        and arrow.target in set(active(event.target))
        and (
            event.outcome in {end.outcome for end in arrow.endings}
            if arrow.endings
            else event.outcome is None
        )
        and all(
            one.question is not None and saw.get(one.question) in one.accepts for one in conditions
        )
    )


Part = Picture | TextTable | Bars


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a reviewer looks at, in one language; any renderer can draw it."""

    name: str
    lang: Lang
    title: str
    notes: tuple[str, ...]
    parts: tuple[Part, ...]
    graph: Picture
    """What formats draw that know nothing but graphs: the picture among the parts, or the same told as a graph."""

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures in it."""
        return tuple(part for part in self.parts if isinstance(part, Picture))
