"""Typography of the pictures: fonts, colours, and text broken into lines with its size.

Layout and drawing use the same blocks, so a text always fits the space that was laid out for it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from dispute_fsm.diagrams.picture import BAD, GOOD, TEXT_WIDTH, Face, Line, PictureEdge
from dispute_fsm.domain.scalars import FrozenMap

FONTS = (
    "'Noto Sans CJK SC','Noto Sans SC','Source Han Sans SC','PingFang SC','Microsoft "
    "YaHei',sans-serif"
)
"""Fonts with Chinese characters; the reader has one of them."""

LIGHT: Mapping[str, str] = FrozenMap(
    {
        "paper": "#ffffff",
        "ink": "#1b1f24",
        "faint": "#57606a",
        "line": "#8c959f",
        "frame": "#f6f8fa",
        "box": "#ffffff",
        "good": "#e6f4ea",
        "good-line": "#1a7f37",
        "good-text": "#116329",
        "bad": "#fdecea",
        "bad-line": "#b42318",
        "stripe": "#eef1f4",
        "merchant": "#0969da",
        "consumer": "#bf3989",
        "adjudicator": "#8250df",
        "system": "#57606a",
        "changed": "#9a6700",
    }
)
DARK: Mapping[str, str] = FrozenMap(
    {
        "paper": "#0d1117",
        "ink": "#e6edf3",
        "faint": "#9da7b1",
        "line": "#8b949e",
        "frame": "#161b22",
        "box": "#0d1117",
        "good": "#12261e",
        "good-line": "#3fb950",
        "good-text": "#3fb950",
        "bad": "#2d1214",
        "bad-line": "#ff7b72",
        "stripe": "#1c2128",
        "merchant": "#58a6ff",
        "consumer": "#f778ba",
        "adjudicator": "#bc8cff",
        "system": "#9da7b1",
        "changed": "#d29922",
    }
)

WEIGHTS = (1.2, 2.6, 4.2, 6.0)
"""How thick lines are, in px, by their weight."""

_TONED = {"label": "stroke", "course": "stroke", "tip": "fill", "band": "fill"}
"""The parts of an element in the colour of the role that acts."""
_MARKED = {
    "added": "good-line",
    "removed": "bad-line",
    "changed": "changed",
    "missed": "bad-line",
}
_COLOURED = (
    (".paper", "fill", "paper"),
    ("text", "fill", "ink"),
    (".good-text", "fill", "good-text"),
    (".bad-text", "fill", "bad-line"),
    (".faint,.faded > text,.inactive > text", "fill", "faint"),
    (".frame", "fill", "frame"),
    (".frame", "stroke", "line"),
    (".heading", "stroke", "frame"),
    (".box", "fill", "box"),
    (".box", "stroke", "ink"),
    (".start", "fill", "ink"),
    (".good-end .box", "fill", "good"),
    (".good-end .box", "stroke", "good-line"),
    (".bad-end .box", "fill", "bad"),
    (".bad-end .box", "stroke", "bad-line"),
    (".stripe", "fill", "stripe"),
    (".rule", "stroke", "line"),
    (".course", "stroke", "line"),
    (".tip", "fill", "line"),
    (".label", "fill", "box"),
    (".label", "stroke", "line"),
    *(
        (f".{role} > .{part}", attribute, role)
        for part, attribute in _TONED.items()
        for role in ("merchant", "consumer", "adjudicator", "system", GOOD, BAD)
    ),
    (".lane > text", "stroke", "paper"),
    *((f".{tone} > .box", "stroke", tone) for tone in (GOOD, BAD)),
    (".bar.lit > .box", "fill", "line"),
    *(
        (f".{mark} > .{part}", "stroke", colour)
        for mark, colour in _MARKED.items()
        for part in ("course", "label", "box")
    ),
    *((f".{mark} > .tip", "fill", colour) for mark, colour in _MARKED.items()),
)

_STYLES = (
    f"text{{font-family:{FONTS};white-space:pre}}",
    ".frame{stroke-width:1;stroke-dasharray:none}",
    # a title hides the line that runs behind it
    ".heading{stroke-width:6;stroke-linejoin:round;paint-order:stroke}",
    ".lane > text{stroke-width:3;stroke-linejoin:round;paint-order:stroke}",
    ".parallel{stroke-dasharray:6 3}",
    ".box{stroke-width:1.4}",
    ".label{stroke-width:1}",
    f".course{{fill:none;stroke-width:{WEIGHTS[0]}}}",
    *(
        f".weight-{weight} > .course{{stroke-width:{width}}}"
        for weight, width in enumerate(WEIGHTS)
        if weight
    ),
    ".rule{stroke-width:.7}",
    ".faded > .course,.faded > .tip,.faded > .band{opacity:.3}",
    ".faded > .label,.faded > .box{stroke-opacity:.3}",
    ".lit > .course,.lit > .label,.lit > .box{stroke-width:2.8}",
    (
        ".added > .course,.added > .label,.added > .box,.changed > .course,.changed > "
        ".label{stroke-width:2.4}"
    ),
    (
        ".inactive > .course,.inactive > .label,.inactive > .box,.inactive > .frame,.inactive > "
        ".rule{stroke-dasharray:5 4;stroke-opacity:.6}"
    ),
    ".inactive > .tip,.inactive > .band{opacity:.4}",
    ".removed > .course,.removed > .label,.removed > .box{stroke-width:2;stroke-dasharray:7 4}",
    ".missed > .course,.missed > .label,.missed > .box{stroke-width:2;stroke-dasharray:2 4}",
)


def stylesheet() -> str:
    """Return the style of a page: light (also in print), or dark on a dark screen."""
    dark = "".join(_rules(DARK))
    return "".join(
        [
            *_STYLES,
            *_rules(LIGHT),
            f"@media screen and (prefers-color-scheme:dark){{{dark}}}",
        ]
    )


def _rules(colours: Mapping[str, str]) -> list[str]:
    return [f"{selector}{{{attribute}:{colours[name]}}}" for selector, attribute, name in _COLOURED]


_ADVANCES = {
    0.30: "'Iijl",
    0.35: " ,.:;|",
    0.40: "()-/[\\]ft",
    0.45: "!r",
    0.50: '"*',
    0.55: "?J_csz",
    0.60: "FL`kvxy",
    0.65: "$0123456789EPSTYabdeghnopqu{}",
    0.70: "ABCKRVXZ",
    0.75: "NU",
    0.80: "&DGHOQ",
    0.85: "#+<=>^w~",
    0.90: "M",
    1.00: "%@Wm",
}
"""The widths of ASCII characters, in em, rounded up."""

_BOLD = 1.1
"""How much wider these are in bold."""


class _Widths(dict[str, float]):
    """The width of each character, in em; those that are not listed fill a square."""

    def __missing__(self, character: str) -> float:
        return 1.0


_ADVANCE = {character: em for em, characters in _ADVANCES.items() for character in characters}
_REGULAR = _Widths(_ADVANCE)
_IN_BOLD = _Widths({character: em * _BOLD for character, em in _ADVANCE.items()})
_OPENING, _CLOSING = "（“《【(\\[", "，。；：！？、）”》】,.;:!?)\\]"
_PIECE = re.compile(rf"[{_OPENING}]*(?:[!-~]+|[^\s!-~])[{_CLOSING}]*|\s+")
"""Stays together on a line: a word or a Chinese character, with its punctuation."""
_LONG = re.compile(r"[^_./|-]+[_./|-]*|[_./|-]+")
"""The pieces of a long id, which may be broken."""


class Type(NamedTuple):
    """How a typeface is set: font size and line height in px, and whether it is bold."""

    size: float
    leading: float
    bold: bool


TYPES: Mapping[Face, Type] = FrozenMap(
    {
        Face.TITLE: Type(15, 20, bold=True),
        Face.HEAD: Type(13, 18, bold=True),
        Face.TEXT: Type(12, 16, bold=False),
        Face.STRONG: Type(12, 16, bold=True),
        Face.GOOD: Type(12, 16, bold=True),
        Face.BAD: Type(12, 16, bold=True),
        Face.FAINT: Type(10.5, 14.5, bold=False),
    }
)
PADDING = 8.0


class Block(NamedTuple):
    """Lines as they are set, and their size with padding, in px."""

    lines: tuple[Line, ...]
    width: float
    height: float


def block(lines: Iterable[Line], max_width: float = TEXT_WIDTH) -> Block:
    """Break lines to fit into this width without padding; only a long word makes it wider."""
    broken = tuple(
        Line(text, line.face)
        for line in lines
        for text in wrapped(line.text, max_width, TYPES[line.face].size, bold=TYPES[line.face].bold)
    )
    return Block(
        broken,
        max(map(line_width, broken), default=0.0) + 2 * PADDING,
        sum(TYPES[line.face].leading for line in broken) + 2 * PADDING,
    )


def edge_lines(edge: PictureEdge) -> tuple[Line, ...]:
    """Return the lines of an edge's label; its badge comes first."""
    return (*badge_lines(edge.badge), *edge.lines)


def badge_lines(badge: str) -> tuple[Line, ...]:
    """Return the line for the text of a mark."""
    return (Line(badge, Face.STRONG),) if badge else ()


def line_width(line: Line) -> float:
    """Return the width of a line, in px."""
    face = TYPES[line.face]
    return _width(line.text, face.size, bold=face.bold)


def _width(text: str, size: float, *, bold: bool) -> float:
    widths = _IN_BOLD if bold else _REGULAR
    return sum(map(widths.__getitem__, text)) * size


@lru_cache(4096)  # the layout and the drawing break the same texts
def wrapped(text: str, limit: float, size: float, *, bold: bool = False) -> tuple[str, ...]:
    """Break a text into lines of at most this width; a piece that is too long has its own line."""
    lines: list[str] = [""]
    width = 0.0
    for piece in _pieces(text, limit, size, bold=bold):
        if lines[-1] and width + _width(piece.rstrip(), size, bold=bold) > limit:
            lines.append(piece.lstrip())
            width = _width(lines[-1], size, bold=bold)
        else:
            lines[-1] += piece
            width += _width(piece, size, bold=bold)
    return tuple(line.rstrip() for line in lines)


def _pieces(text: str, limit: float, size: float, *, bold: bool) -> Iterator[str]:
    for match in _PIECE.finditer(text):
        if _width(match[0], size, bold=bold) > limit:
            yield from _LONG.findall(match[0])
        else:
            yield match[0]
