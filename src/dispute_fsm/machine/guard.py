"""Guards: named conditions that a chart puts on its transitions.

A guard looks at the `Case` and answers with a `GuardResult`. There are four sorts, and the sort decides what a "no" means:

* **actor**: who may do it. A "no" is `wrong_actor`, alone.
* **selects**: which transition applies (the option, the policy, what happened before, what the order shows). A "no" is no
  reason for a refusal, the next one is tried. Transitions that differ in their answer to one `Dimension` cannot overlap.
* **timing**: whether a deadline has passed. A "no" is `deadline_passed` or `deadline_not_passed`, alone.
* **requires**: what the selected transition demands. Every "no" is a reason with a code; all come back together.

The guards of disputes stand in `dispute_fsm.rules.guards`, by theme.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from dispute_fsm.domain.enums import Labelled, Lang, RefusalCode, Role
from dispute_fsm.domain.policy import Policy
from dispute_fsm.machine.case import Case
from dispute_fsm.machine.guard_result import GuardResult
from dispute_fsm.machine.provenance import Source


class GuardKind(StrEnum):
    """What a guard's "no" means; see the top of this page."""

    ACTOR = "actor"
    SELECTS = "selects"
    TIMING = "timing"
    REQUIRES = "requires"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Guard:
    """A named condition with its words, its provenance and the function that looks.

    `codes` are those that it may refuse with; `needs_facts` says that it looks at the order system's facts; `lasting`, that
    once it does not hold, nothing that anybody can hand in makes it hold again.
    """

    name: str
    sort: GuardKind
    zh: str
    en: str
    source: Source
    look: Callable[[Case], GuardResult]
    codes: tuple[RefusalCode, ...] = ()
    needs_facts: bool = False
    lasting: bool = False

    def holds(self, case: Case) -> GuardResult:
        """Look, once per case. Raises `FactsNeededError` where facts are needed and nobody asked for them."""
        finding = case.findings.get(self.name)
        if finding is None:
            finding = case.findings[self.name] = self.look(case)
        return finding

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

    `of_policy` answers it where the policy alone does, so that for a dispute the answer never changes.
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
        msg = f"{dimension.name} is one of {', '.join(dimension.answers)}, not {', '.join(accepts) or 'nothing'}"
        raise ValueError(msg)

    def look(case: Case) -> GuardResult:
        answer = dimension.ask(case)
        return GuardResult(answer in accepts, {dimension.name: answer})

    return Selector(
        name=f"{dimension.name}_is_{'_or_'.join(accepts)}",
        sort=GuardKind.SELECTS,
        zh=" / ".join(dimension.answers[answer][0] for answer in accepts),
        en=" / ".join(dimension.answers[answer][1] for answer in accepts),
        source=dimension.source,
        look=look,
        needs_facts=dimension.needs_facts,
        dimension=dimension,
        accepts=frozenset(accepts),
    )


def answers_of(words: Iterable[Labelled]) -> dict[str, tuple[str, str]]:
    """Give the answers to a question whose answers are words of the domain, with their labels in Chinese and English."""
    return {word.value: (word.zh, word.en) for word in words}


def requirement(
    zh: str, en: str, source: Source, *codes: RefusalCode, needs_facts: bool = False, lasting: bool = False
) -> Callable[[Callable[[Case], GuardResult]], Guard]:
    """Make a requirement of a function that looks; the function's name is the guard's."""

    def make(look: Callable[[Case], GuardResult]) -> Guard:
        return Guard(
            name=look.__name__,
            sort=GuardKind.REQUIRES,
            zh=zh,
            en=en,
            source=source,
            look=look,
            codes=codes,
            needs_facts=needs_facts,
            lasting=lasting,
        )

    return make
