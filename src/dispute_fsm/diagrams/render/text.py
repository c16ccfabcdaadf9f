"""How wide a text is, and where a line may be broken. Pure, and the same on every machine: no font is asked.

A page is read with whatever fonts are there, so a width here is the larger one of two that are far apart, Noto Sans CJK and
DejaVu Sans: what fits by this measure fits wherever the page is opened. A sign outside ASCII takes a full square, as Chinese does.
"""

import re
from collections.abc import Iterator

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
