"""A timeline as data: lanes of bars over one axis of time, and numbered moments above them. Views make it, renderers draw it."""

from dataclasses import dataclass
from datetime import datetime

from dispute_fsm.diagrams.picture import Mark


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
