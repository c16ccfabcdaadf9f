"""What guards are written with: the `Case` that they look at, requirements and results.

The machine is generic; here it is tied to the words of disputes.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from dispute_fsm.domain.commands import NOTHING_REMEMBERED, Command, Memory
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Labelled,
    Outcome,
    RefusalCode,
    StateName,
)
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.reasons import Unlock
from dispute_fsm.domain.scalars import FrozenMap, format_instant
from dispute_fsm.machine.guard import Guard, GuardKind, GuardResult, Seen, Source
from dispute_fsm.machine.transition_table import Transition, TransitionTable


class Case(Struct, frozen=True):
    """The situation in which a command is decided.

    `deadlines` are those that run, with their due instants; `running` those of them that the
    present state acts on, for each region that still runs (one, where nothing runs side by side).
    `liability` is that of the region that has failed, `memory` what is remembered of the accepted
    commands. `facts` is None where nobody asked the order system. `results` keeps each guard's
    result, so that a guard of several transitions is evaluated once per decision.
    """

    command: Command
    now: datetime
    policy: Policy
    merchant_id: str
    consumer_id: str
    facts: OrderFacts | None = None
    memory: Memory = NOTHING_REMEMBERED
    deadlines: Mapping[Deadline, datetime] = field(default_factory=dict[Deadline, datetime])
    running: tuple[tuple[Deadline, ...], ...] = ()
    liability: Outcome | None = None
    results: dict[str, GuardResult] = field(default_factory=dict[str, GuardResult])

    def changed(self, **members: Any) -> "Case":  # noqa: ANN401 -- any of its members
        """Return the case with other members; no guard is evaluated for it yet."""
        return replace(self, results={}, **members)


DisputeTransition: TypeAlias = Transition[Case, CommandType, EventType, Deadline, Outcome]
DisputeTable: TypeAlias = TransitionTable[
    Case, StateName, CommandType, EventType, Deadline, Outcome
]


def stated(name: str, quoted: tuple[str, str], zh: str, en: str) -> Source:
    """Cite what the announcement says: `quoted` is the place there, and its words to the letter.

    `zh` and `en` are paraphrases.
    """
    return Source(name, zh, en, *quoted)


def assumed(
    name: str, zh: str, en: str, *, because: tuple[str, str], policy: tuple[str, ...] = ()
) -> Source:
    """Name what is assumed where the announcement is silent or open to reading, and why.

    `policy` names the fields of the policy that change it; where there is none, the chart does.
    """
    return Source(name, zh, en, because=because, policy=policy)


def answers_of(words: Iterable[Labelled]) -> dict[str, tuple[str, str]]:
    """Return the answers to a question whose answers are words of the domain, with their labels.

    They stay words of the domain, so that a rule version can leave out those that it does not have.
    """
    return {word: (word.zh, word.en) for word in words}


def result_of(passed: bool, code: RefusalCode, unlock: Unlock, **saw: Seen) -> GuardResult:  # noqa: FBT001 -- the condition is what it is about
    """Make the result of a guard: it passed, or it did not, with this code and unlock hint."""
    seen = FrozenMap(saw)
    return GuardResult(True, seen) if passed else GuardResult(False, seen, code, unlock)  # noqa: FBT003 -- a result begins with it


def shown(instant: datetime | None) -> str | None:
    """Format an instant for the record of what a guard saw."""
    return None if instant is None else format_instant(instant)


def requirement(
    zh: str,
    en: str,
    source: Source,
    *codes: RefusalCode,
    needs_facts: bool = False,
    lasting: bool = False,
) -> Callable[[Callable[[Case], GuardResult]], Guard[Case]]:
    """Make a requirement of a condition; the function's name is the guard's."""

    def make(condition: Callable[[Case], GuardResult]) -> Guard[Case]:
        return Guard(
            name=condition.__name__,
            kind=GuardKind.REQUIRES,
            zh=zh,
            en=en,
            source=source,
            condition=condition,
            codes=codes,
            needs_facts=needs_facts,
            lasting=lasting,
        )

    return make
