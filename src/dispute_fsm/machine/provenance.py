"""Where a rule comes from: the announcement of 2023-03-27, or our assumption where it is silent or open to reading."""

from dataclasses import dataclass
from typing import Literal

from dispute_fsm.domain.enums import Lang


@dataclass(frozen=True, slots=True)
class Source:
    """`S`: from the announcement. `A`: assumed; the words say why."""

    kind: Literal["S", "A"]
    zh: str
    en: str

    def text(self, lang: Lang) -> str:
        """Return the provenance in words."""
        return self.zh if lang == "zh" else self.en


def stated(zh: str, en: str) -> Source:
    """Name what the announcement says."""
    return Source("S", zh, en)


def assumed(zh: str, en: str) -> Source:
    """Name what we assume, and why, where the announcement is silent or open to reading."""
    return Source("A", zh, en)
