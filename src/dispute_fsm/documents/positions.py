"""Where something stands in a document, and how that is written. Nothing here needs a reader of YAML."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

FieldPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands: the keys and, within lists, the positions that lead to it from the top."""

_WORD = re.compile(r"[\w-]+")
_LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True)
class YamlText:
    """The content of a YAML file in plain values, and the line on which each of them stands."""

    value: object
    """Made of dict, list, str, int, bool, None, datetime and date only."""
    lines: Mapping[FieldPath, int]
    """The line, from 1, of every value by its path; for a member of a mapping, the line of its key."""

    def line(self, path: Sequence[str | int]) -> int:
        """Give the line of a field; where it is missing, that of the deepest value around it."""
        around = (tuple(path[:length]) for length in range(len(path), -1, -1))
        return next(self.lines[place] for place in around if place in self.lines)


def field_name(path: Sequence[str | int]) -> str:
    """Write a path as a person would: `steps[2].with.option`."""
    return "".join(_step(part) for part in path).removeprefix(".")


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if _WORD.fullmatch(part) and len(part) <= _LONGEST_QUOTE else f"[{quoted(part)}]"


def quoted(text: str) -> str:
    """Quote a text as YAML would read it; cut where long, escaped where it could play tricks on a terminal."""
    shown = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"
    return json.dumps(shown, ensure_ascii=not shown.isprintable())
