"""Colours, sizes and fonts, and how wide a text is in them."""

import re
from collections.abc import Iterator, Mapping

from dispute_fsm.domain.scalars import FrozenMap

FONTS = (
    "'Noto Sans CJK SC','Noto Sans SC','Source Han Sans SC','PingFang SC','Microsoft "
    "YaHei',sans-serif"
)
"""Fonts with Chinese characters, whichever the reader has."""

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
        "bad": "#fdecea",
        "bad-line": "#b42318",
        "stripe": "#eef1f4",
        "merchant": "#0969da",
        "consumer": "#1a7f37",
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
        "bad": "#2d1214",
        "bad-line": "#ff7b72",
        "stripe": "#1c2128",
        "merchant": "#58a6ff",
        "consumer": "#3fb950",
        "adjudicator": "#bc8cff",
        "system": "#9da7b1",
        "changed": "#d29922",
    }
)

_RULES = (
    (".paper", "fill", "paper"),
    ("text", "fill", "ink"),
    (".faint,.faded > text", "fill", "faint"),
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
        (f".{role} > .label", "stroke", role)
        for role in ("merchant", "consumer", "adjudicator", "system")
    ),
    *(
        (f".{role} > .course", "stroke", role)
        for role in ("merchant", "consumer", "adjudicator", "system")
    ),
    *(
        (f".{role} > .tip", "fill", role)
        for role in ("merchant", "consumer", "adjudicator", "system")
    ),
    *(
        (f".{role} > .band", "fill", role)
        for role in ("merchant", "consumer", "adjudicator", "system")
    ),
    (".bar.lit > .box", "fill", "line"),
    *((f".added > {part}", "stroke", "good-line") for part in (".course", ".label", ".box")),
    *((f".removed > {part}", "stroke", "bad-line") for part in (".course", ".label", ".box")),
    *((f".changed > {part}", "stroke", "changed") for part in (".course", ".label", ".box")),
    *((f".missed > {part}", "stroke", "bad-line") for part in (".course", ".label", ".box")),
)

_FIXED = (
    f"text{{font-family:{FONTS};white-space:pre}}",
    ".frame{stroke-width:1;stroke-dasharray:none}",
    # a title hides the line that runs behind it
    ".heading{stroke-width:6;stroke-linejoin:round;paint-order:stroke}",
    ".parallel{stroke-dasharray:6 3}",
    ".box{stroke-width:1.4}",
    ".label{stroke-width:1}",
    ".course{fill:none;stroke-width:1.2}",
    ".rule{stroke-width:.7}",
    ".faded > .course,.faded > .tip,.faded > .band{opacity:.3}",
    ".faded > .label,.faded > .box{stroke-opacity:.3}",
    ".lit > .course,.lit > .label,.lit > .box{stroke-width:2.8}",
    (
        ".added > .course,.added > .label,.added > .box,.changed > .course,.changed > "
        ".label{stroke-width:2.4}"
    ),
    ".removed > .course,.removed > .label,.removed > .box{stroke-width:2;stroke-dasharray:7 4}",
    ".missed > .course,.missed > .label,.missed > .box{stroke-width:2;stroke-dasharray:2 4}",
)


def stylesheet() -> str:
    """Return the style of a page: light, also in print, and dark where the reader's screen is."""
    dark = "".join(_rules(DARK))
    return "".join(
        [*_FIXED, *_rules(LIGHT), f"@media screen and (prefers-color-scheme:dark){{{dark}}}"]
    )


def _rules(colours: Mapping[str, str]) -> list[str]:
    return [f"{selector}{{{what}:{colours[name]}}}" for selector, what, name in _RULES]


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
"""The advances of ASCII, in em, rounded up."""

_ADVANCE = {ord(sign): advance for advance, signs in _ADVANCES.items() for sign in signs}
_BOLD = 1.1
_OPENING, _CLOSING = "（“《【(\\[", "，。；：！？、）”》】,.;:!?)\\]"
_PIECE = re.compile(rf"[{_OPENING}]*(?:[!-~]+|[^\s!-~])[{_CLOSING}]*|\s+")
"""What stays together on a line: a word, or one Chinese character, with the punctuation that belongs to it."""
_LONG = re.compile(r"[^_./|-]+[_./|-]*|[_./|-]+")
"""Where a long id may be broken."""


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a text may get in a font of this size, in the unit of the size."""
    em = sum(_ADVANCE.get(ord(sign), 1.0) for sign in text)
    return em * size * (_BOLD if bold else 1.0)


def wrapped(text: str, limit: float, size: float, *, bold: bool = False) -> tuple[str, ...]:
    """Break a text into lines of at most this width. What cannot be broken stands on a line of its own, however long."""
    lines: list[str] = [""]
    for piece in _pieces(text, limit, size, bold=bold):
        if lines[-1] and width((lines[-1] + piece).rstrip(), size, bold=bold) > limit:
            lines[-1] = lines[-1].rstrip()
            lines.append(piece.lstrip())
        else:
            lines[-1] += piece
    return tuple(line.rstrip() for line in lines)


def _pieces(text: str, limit: float, size: float, *, bold: bool) -> Iterator[str]:
    for found in _PIECE.finditer(text):
        piece = found[0]
        if width(piece, size, bold=bold) > limit:
            yield from _LONG.findall(piece)
        else:
            yield piece
