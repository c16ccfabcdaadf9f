"""A picture as data: boxes, frames around them, edges between them. Views make it, renderers draw it.

A renderer decides how things look in its format; what they mean is said here: the tone of an edge is who acts, a mark says what
is told about an element (visited, faded, added, never taken), always in words as well, so that colour alone carries nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


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
