"""Sentences in both languages, beside each other; said by their name, with what belongs into them."""

from collections.abc import Mapping

from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.scalars import FrozenMap


class Phrases:
    """The sentences of one module, each as zh and en."""

    def __init__(self, phrases: Mapping[str, tuple[str, str]]) -> None:
        self._phrases = FrozenMap(phrases)

    def __call__(self, lang: Lang, name: str, /, *words: object, **named: object) -> str:
        """Say a sentence. Raises `KeyError` for one that is not there."""
        zh, en = self._phrases[name]
        return (zh if lang == "zh" else en).format(*words, **named)
