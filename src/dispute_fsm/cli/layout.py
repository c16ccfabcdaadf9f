"""How a text is broken into the lines of a terminal: between words, and in Chinese anywhere."""

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

_OPENING, _CLOSING = "（“《【(\\[", "，。；：！？、）”》】…,.;:!?)\\]"
_INSTANT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?: [+-]\d{4})?"
_SPACE = r"[^\S\n]"
_PIECE = re.compile(
    rf"[{_OPENING}]*(?:{_INSTANT}|[!-~]+|[^\s!-~])[{_CLOSING}]*{_SPACE}*|{_SPACE}+|\n"
)
"""What stays on one line: an instant, a word or a wide character, and its punctuation."""


def broken(text: Text, width: int, hang: int) -> Iterator[Text]:
    """Break a text into lines of at most this width; all but the first one hang under a column.

    A word that is longer than a line stays whole, so that a path can be copied.
    """
    ends = list[int]()
    column = 0
    for piece in _PIECE.finditer(text.plain):
        if piece[0] == "\n":
            ends.append(piece.end())
            column = hang
            continue
        if column > (hang if ends else 0) and column + cell_len(piece[0].rstrip()) > width:
            ends.append(piece.start())
            column = hang
        column += cell_len(piece[0])
    for number, line in enumerate(text.divide(ends)):
        line.rstrip()
        yield Text(" " * hang).append_text(line) if number else line
