"""Guards: named conditions that a chart puts on its transitions, with their results and their provenance.

A guard looks at the `Case`, which is one decision's situation, flat and frozen, and answers with a
`GuardResult`. There are four kinds, and the kind decides what it means that a guard does not pass:

* **actor**: who may do it. `wrong_actor`, alone.
* **selects**: which transition applies (the option, the policy, what happened before, what the
  order shows). It is no reason for a refusal, the next transition is tried. Transitions that differ
  in their answer to one `Dimension` cannot overlap.
* **timing**: whether a deadline has passed. `deadline_passed` or `deadline_not_passed`, alone.
* **requires**: what the selected transition requires. Every guard that does not pass is a reason
  with a code; all come back.

The guards of disputes are in `dispute_fsm.rules.guards`, by theme.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple

from dispute_fsm.domain.commands import Command
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    Labelled,
    Lang,
    Option,
    Outcome,
    RefusalCode,
    Role,
)
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import FrozenMap, format_instant


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


Seen = str | int | bool | None | tuple[str, ...]
"""What may stand in a record of what was seen: codes, counts, instants as text. Never free text of a person."""


@dataclass(frozen=True, slots=True)
class FactUnlock:
    """The order system has to show something: `fact` is its path, the words say what it has to show."""

    fact: str
    zh: str
    en: str
    type: Literal["fact"] = "fact"

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class PayloadUnlock:
    """The command has to say something else: `field` is the part to add or change."""

    field: str
    zh: str
    en: str
    type: Literal["payload"] = "payload"

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class WaitUnlock:
    """Time has to pass: at `until` (UTC) the command can succeed; `local` is that instant as people there read it."""

    until: datetime
    local: str
    type: Literal["wait"] = "wait"

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        return f"须等到 {self.local}" if lang == "zh" else f"wait until {self.local}"


@dataclass(frozen=True, slots=True)
class ActorUnlock:
    """Somebody has to act: `role` (and `id`, where only one will do); `event` is what they do, None: this same command."""

    role: Role
    id: str | None = None
    event: CommandType | None = None
    type: Literal["actor"] = "actor"

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        who = self.role.label(lang) + ("" if self.id is None else f" {self.id}")
        if self.event is None:
            return f"只能由{who}操作" if lang == "zh" else f"only the {who} can do this"
        what = self.event.label(lang)
        if self.event.expires is not None:
            return (
                f"须先由{who}按“{what}”处理"
                if lang == "zh"
                else f"first the {who} has to act on: {what}"
            )
        return f"须先由{who}进行“{what}”" if lang == "zh" else f"first the {who} has to: {what}"


@dataclass(frozen=True, slots=True)
class NeverUnlock:
    """Nothing will change the answer."""

    type: Literal["never"] = "never"

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        return "已无法变更" if lang == "zh" else "nothing will change this"


Unlock = FactUnlock | PayloadUnlock | WaitUnlock | ActorUnlock | NeverUnlock
"""What would change a "no"."""

NEVER = NeverUnlock()

_NOTHING: Mapping[str, Seen] = FrozenMap({})


class GuardResult(NamedTuple):
    """One guard's answer: whether it holds, what it saw, and (where it does not hold) the code and what would unlock it."""

    passed: bool
    saw: Mapping[str, Seen] = _NOTHING
    code: RefusalCode | None = None
    unlock: Unlock = NEVER

    def text(self, lang: Lang) -> str:
        """Say what stands against it; nothing where it holds."""
        return "" if self.code is None else self.code.label(lang)

    def __bool__(self) -> bool:
        """Be true where the guard holds."""
        return self.passed


def result_of(passed: bool, code: RefusalCode, unlock: Unlock, **saw: Seen) -> GuardResult:  # noqa: FBT001 -- reads as a sentence: found(x, else code, ...)
    """Make a requirement's finding: it holds, or it does not with this code and unlock."""
    seen = FrozenMap(saw)
    return (
        GuardResult(passed=True, saw=seen)
        if passed
        else GuardResult(passed=False, saw=seen, code=code, unlock=unlock)
    )


def shown(instant: datetime | None) -> str | None:
    """Write an instant into a record of what was seen."""
    return None if instant is None else format_instant(instant)


def just_after(instant: datetime) -> datetime:
    """Return the first whole second after an instant: the moment from which its having passed can be acted on."""
    return instant.replace(microsecond=0) + timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Case:
    """The situation in which a command is judged.

    `deadlines` are those that stand, with their due instants; `running` those of them that the
    present state acts on, for each region that still runs (one, where nothing runs side by side).
    `liability` is that of the region that has failed. `submissions` counts the evidence handed in
    so far, `extra_rounds` the adjudicator's further requests. `facts` is None where nobody asked
    the order system. `findings` remembers each guard's answer, so that a guard shared by several
    rows looks once per decision.
    """

    command: Command
    now: datetime
    policy: Policy
    merchant_id: str
    consumer_id: str
    facts: OrderFacts | None = None
    option: Option | None = None
    agreed_until: datetime | None = None
    confirmed: bool = False
    deadlines: Mapping[Deadline, datetime] = field(default_factory=dict[Deadline, datetime])
    running: tuple[tuple[Deadline, ...], ...] = ()
    submissions: int = 0
    extra_rounds: int = 0
    liability: Outcome | None = None
    results: dict[str, GuardResult] = field(default_factory=dict[str, GuardResult])


class GuardKind(StrEnum):
    """What a guard's "no" means; see the top of this page."""

    ACTOR = "actor"
    SELECTS = "selects"
    TIMING = "timing"
    REQUIRES = "requires"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Guard:
    """A named condition with its words, its provenance and the function that looks.

    `codes` are those that it may refuse with; `needs_facts` says that it looks at the order
    system's facts; `lasting`, that once it does not hold, nothing that anybody can hand in makes it
    hold again.
    """

    name: str
    kind: GuardKind
    zh: str
    en: str
    source: Source
    condition: Callable[[Case], GuardResult]
    codes: tuple[RefusalCode, ...] = ()
    needs_facts: bool = False
    lasting: bool = False

    def check(self, case: Case) -> GuardResult:
        """Look, once per case. Raises `FactsNeededError` where facts are needed and nobody asked for them."""
        result = case.results.get(self.name)
        if result is None:
            result = case.results[self.name] = self.condition(case)
        return result

    @property
    def recorded(self) -> str:
        """The name under which its answer is recorded."""
        return self.name

    def label(self, lang: Lang) -> str:
        """Return the condition in words."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ActorGuard(Guard):
    """Holds where the actor has one of these roles, the first of them being the usual one."""

    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Dimension:
    """A question with finitely many answers, of which exactly one is true: what rows are selected by.

    `of_policy` answers it where the policy alone does, so that for a dispute the answer never
    changes.
    """

    name: str
    answers: Mapping[str, tuple[str, str]]
    ask: Callable[[Case], str]
    source: Source
    needs_facts: bool = False
    of_policy: Callable[[Policy], str] | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Selector(Guard):
    """Holds where the answer to its dimension's question is one of `accepts`."""

    dimension: Dimension
    accepts: frozenset[str]

    @property
    def recorded(self) -> str:
        """The question's name: its answer is recorded, whichever row asks."""
        return self.dimension.name


def when(dimension: Dimension, *accepts: str) -> Selector:
    """Select the row where the answer to the dimension's question is one of `accepts`."""
    if not set(accepts) <= set(dimension.answers) or not accepts:
        msg = (
            f"{dimension.name} is one of {', '.join(dimension.answers)}, not "
            f"{', '.join(accepts) or 'nothing'}"
        )
        raise ValueError(msg)

    def condition(case: Case) -> GuardResult:
        answer = dimension.ask(case)
        return GuardResult(answer in accepts, {dimension.name: answer})

    return Selector(
        name=f"{dimension.name}_is_{'_or_'.join(accepts)}",
        kind=GuardKind.SELECTS,
        zh=" / ".join(dimension.answers[answer][0] for answer in accepts),
        en=" / ".join(dimension.answers[answer][1] for answer in accepts),
        source=dimension.source,
        condition=condition,
        needs_facts=dimension.needs_facts,
        dimension=dimension,
        accepts=frozenset(accepts),
    )


def answers_of(words: Iterable[Labelled]) -> dict[str, tuple[str, str]]:
    """Give the answers to a question whose answers are words of the domain, with their labels in Chinese and English."""
    return {word.value: (word.zh, word.en) for word in words}


def requirement(
    zh: str,
    en: str,
    source: Source,
    *codes: RefusalCode,
    needs_facts: bool = False,
    lasting: bool = False,
) -> Callable[[Callable[[Case], GuardResult]], Guard]:
    """Make a requirement of a function that looks; the function's name is the guard's."""

    def make(condition: Callable[[Case], GuardResult]) -> Guard:
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
