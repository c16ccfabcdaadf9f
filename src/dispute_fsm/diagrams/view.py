"""A view: a title, how to read it, and the pictures, tables and bars that it is made of."""

from dataclasses import dataclass

from dispute_fsm.diagrams.bars import Bars
from dispute_fsm.diagrams.picture import Picture
from dispute_fsm.diagrams.tables import TextTable
from dispute_fsm.domain.enums import Lang

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
