"""What a terminal is told: in its language, and nothing that could play tricks on it."""

import codecs
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the pytest plugin loads this in every run, disputes or not
    from dispute_fsm.domain.enums import Lang

STAND_INS = "dispute-fsm-stand-ins"
"""How to treat what an encoding has not got (`errors=`): our own signs stay apart from each other and from `?`, our word for unknown."""

_STAND_INS = {
    "✓": "√+",
    "✗": "×x",
    "→": ">",
    "·": "-",
    "–": "-",
    "—": "-",
    "×": "x",
    "…": ".",
    "“": '"',
    "”": '"',
}
"""What may stand for our own signs, the best first: GBK has `√` and `×`."""


def default_lang() -> "Lang":
    """Return the language of the terminal: zh where the locale says so, else en."""
    locale = (
        os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    )
    return "zh" if locale.startswith("zh") else "en"


def printable(text: str) -> str:
    """Replace control and direction characters; line breaks stay, any other white space becomes a space."""
    return "".join(
        sign
        if sign.isprintable() or sign == "\n"
        else " "
        if sign.isspace()
        else "\N{REPLACEMENT CHARACTER}"
        for sign in text
    )


def _stand_in(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    signs = (*_STAND_INS.get(fault.object[fault.start], ""), "?")
    known = (
        "ascii" if fault.encoding == "charmap" else fault.encoding
    )  # the codecs of code pages do not say which they are
    return next(sign for sign in signs if sign.encode(known, "ignore")), fault.start + 1


codecs.register_error(STAND_INS, _stand_in)
