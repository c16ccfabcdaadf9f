"""What a terminal is told: in its language, and nothing that could play tricks on it."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the pytest plugin loads this in every run, disputes or not
    from dispute_fsm.rules.vocabulary import Lang


def default_lang() -> "Lang":
    """Return the language of the terminal: zh where the locale says so, else en."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if locale.startswith("zh") else "en"


def printable(text: str) -> str:
    """Replace control and direction characters; line breaks stay, any other white space becomes a space."""
    return "".join(sign if sign.isprintable() or sign == "\n" else " " if sign.isspace() else "\N{REPLACEMENT CHARACTER}" for sign in text)
