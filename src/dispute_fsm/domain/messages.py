"""The one shape of a text that people read: zh-CN and English side by side.

The vocabulary is in `enums`, the texts of a rule beside the rule in `rules`, and all other texts of
a part of the package in its module `messages`. Chinese is written nowhere else
(`tests/test_messages.py`), so a translator finds every text there.
"""

from collections.abc import Mapping
from typing import NamedTuple

from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.scalars import FrozenMap


class Message(NamedTuple):
    """A text in both languages, with `{}` for what is filled in."""

    zh: str
    en: str

    def label(self, lang: Lang) -> str:
        """Return the text in the language asked for."""
        return self.zh if lang == "zh" else self.en

    def format(self, lang: Lang, /, *values: object, **named: object) -> str:
        """Return the text in the language asked for, filled in."""
        return self.label(lang).format(*values, **named)


class Messages:
    """The texts of one page or command, by name."""

    def __init__(self, messages: Mapping[str, tuple[str, str]]) -> None:
        self._messages = FrozenMap({name: Message(*pair) for name, pair in messages.items()})

    def __contains__(self, name: object) -> bool:
        return name in self._messages

    def __call__(self, lang: Lang, name: str, /, *values: object, **named: object) -> str:
        """Return a text, filled in. Raises `KeyError` for a name that does not exist."""
        return self._messages[name].format(lang, *values, **named)
