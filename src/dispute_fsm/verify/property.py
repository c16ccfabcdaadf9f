"""What a property is: a sentence in both languages, and a search for what speaks against it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from dispute_fsm.domain.commands import Command
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import Bilingual
from dispute_fsm.verify.state_space import Exploration, ExploredDecision, Situation


class Move(NamedTuple):
    """One step of a counter-example; without a command it is a sweep."""

    at: datetime
    order: Order
    command: Command | None


@dataclass(frozen=True, slots=True, eq=False)
class Violation:
    """What speaks against a property: the moves that lead there from the opening, and what is wrong then, in words."""

    exploration: Exploration
    moves: tuple[Move, ...]
    wrong: Bilingual


@dataclass(frozen=True, slots=True, eq=False)
class Property:
    """Something that has to hold of a rule version, whatever happens. `violations` finds what speaks against it, nearest first."""

    id: str
    sentence: Bilingual
    violations: Callable[[Exploration], Iterator[Violation]]

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        return self.sentence.label(lang)


def holds(
    name: str, zh: str, en: str
) -> Callable[[Callable[[Exploration], Iterator[Violation]]], Property]:
    """Make a property of the function that searches for violations."""
    return lambda violations: Property(name, Bilingual(zh=zh, en=en), violations)


def against(
    exploration: Exploration, where: Situation | ExploredDecision, zh: str, en: str, *more: Move
) -> Violation:
    """Make a violation out of where it shows: in a situation, or by an answer there, and moves that make it plain."""
    situation = where if isinstance(where, Situation) else where.situation
    steps = situation.way if isinstance(where, Situation) else (*situation.way, where.step)
    return Violation(
        exploration, (*(Move(*step) for step in steps), *more), Bilingual(zh=zh, en=en)
    )
