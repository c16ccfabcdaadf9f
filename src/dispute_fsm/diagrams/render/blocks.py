"""Blocks of text: lines broken to fit, and how much room they take. Whoever lays out and whoever draws see the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dispute_fsm.diagrams.picture import Box, Face, Line, Picture, PictureEdge
from dispute_fsm.diagrams.render.typography import width, wrapped
from dispute_fsm.domain.scalars import FrozenMap


class Type(NamedTuple):
    """How a face is set: the size of the font and the distance between lines, in px, and whether it is bold."""

    size: float
    leading: float
    bold: bool


TYPES: Mapping[Face, Type] = FrozenMap(
    {
        Face.TITLE: Type(15, 20, bold=True),
        Face.HEAD: Type(13, 18, bold=True),
        Face.TEXT: Type(12, 16, bold=False),
        Face.STRONG: Type(12, 16, bold=True),
        Face.FAINT: Type(10.5, 14.5, bold=False),
    }
)
PADDING = 8.0
_WIDEST = 250.0
_BADGE = Face.STRONG


@dataclass(frozen=True, slots=True)
class Block:
    """Lines as they are set, and the room they take, padding included, in px."""

    lines: tuple[Line, ...]
    width: float
    height: float


def block(lines: Iterable[Line], widest: float = _WIDEST) -> Block:
    """Break lines to fit into this width without the padding; a word that is wider than that makes the block wider."""
    broken = [
        Line(text, line.face)
        for line in lines
        for text in wrapped(line.text, widest, TYPES[line.face].size, bold=TYPES[line.face].bold)
    ]
    wide = max((wide_as(line) for line in broken), default=0.0)
    return Block(
        tuple(broken),
        wide + 2 * PADDING,
        sum(TYPES[line.face].leading for line in broken) + 2 * PADDING,
    )


def wide_as(line: Line) -> float:
    """Return how wide a line is as it is set."""
    face = TYPES[line.face]
    return width(line.text, face.size, bold=face.bold)


def label(edge: PictureEdge) -> Block:
    """Set the label of an edge; its badge is the first line."""
    return block((*badge(edge.badge), *edge.lines))


def badge(words: str) -> tuple[Line, ...]:
    """Set what a mark says about an element."""
    return (Line(words, _BADGE),) if words else ()


@dataclass(frozen=True, slots=True)
class BoxBlocks:
    """A box as it is set: its own lines, and below them a block for each edge that stays in it."""

    own: Block
    inner: tuple[Block, ...]

    @property
    def width(self) -> float:
        """The room it takes, in px."""
        return max(part.width for part in (self.own, *self.inner))

    @property
    def height(self) -> float:
        """The room it takes, in px."""
        return sum(part.height for part in (self.own, *self.inner))


def box_blocks(picture: Picture, box: Box) -> BoxBlocks:
    """Set a box with all that stands in it."""
    own = block((*badge(box.badge), *box.lines))
    return BoxBlocks(own, tuple(label(edge) for edge in picture.inner(box.id)))
