"""Guards: named conditions on the transitions of a chart, their results, and where they come from.

A guard looks at a *case*: all that one decision depends on, in one frozen value of the domain's
own. There are four kinds, and the kind decides what it means that a guard does not pass:

* **actor**: who may do it. The guard that did not pass comes back alone.
* **selects**: which transition applies. It is no reason for a refusal, the next transition is
  tried. Transitions that differ in their answer to one `Dimension` cannot overlap.
* **timing**: whether it is too early or too late. The guard that did not pass comes back alone.
* **requires**: what the selected transition requires. Every guard that does not pass comes back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, Generic, Literal, Protocol, cast

from msgspec import Struct
from typing_extensions import TypeVar

Seen = str | int | bool | None | tuple[str, ...]
"""What a guard may record of what it saw: codes, counts, instants as text."""


class GuardResult(Struct, frozen=True):
    """The answer of one guard: whether it passed, and what it saw.

    Where it did not pass, `code` is the domain's code for that, and `unlock` what would change it.
    """

    passed: bool
    saw: Mapping[str, Seen] = MappingProxyType({})
    code: Any = None
    unlock: Any = None

    def __bool__(self) -> bool:
        """Be true where the guard passed."""
        return self.passed


class AnyCase(Protocol):
    """What the machine needs of a case: a memory of the guards that were evaluated for it."""

    @property
    def results(self) -> dict[str, GuardResult]:
        """The results so far, by the guards' names: a guard is evaluated once."""
        ...


CaseT = TypeVar("CaseT", bound=AnyCase, default=Any)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule comes from. It is cited by its `id`, which begins with its kind.

    `S`: stated by whoever sets the rules. `locator` says where, `quote` has the deciding words to
    the letter; the text is a paraphrase. `A`: assumed. The text is what is assumed, `because` says
    why in Chinese and English, and `policy` names the fields of the policy that change it; where
    there is none, the chart does.
    """

    id: str
    zh: str
    en: str
    locator: str = ""
    quote: str = ""
    because: tuple[str, str] = ("", "")
    policy: tuple[str, ...] = ()

    @property
    def kind(self) -> Literal["S", "A"]:
        """Whether it is stated or assumed."""
        return "S" if self.id.startswith("S-") else "A"

    def text(self, lang: Literal["zh", "en"]) -> str:
        """Return what the source says."""
        return self.zh if lang == "zh" else self.en


class GuardKind(StrEnum):
    """What it means that a guard does not pass; see the top of this page."""

    ACTOR = "actor"
    SELECTS = "selects"
    TIMING = "timing"
    REQUIRES = "requires"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Guard(Generic[CaseT]):
    """A named condition, with its label in Chinese and English and its source.

    `codes` are the codes with which it may refuse. `needs_facts`: it looks at facts that have to be
    fetched first. `lasting`: once it does not pass, nothing that anybody hands in makes it pass
    again.
    """

    name: str
    kind: GuardKind
    zh: str
    en: str
    source: Source
    condition: Callable[[CaseT], GuardResult]
    codes: tuple[Any, ...] = ()
    needs_facts: bool = False
    lasting: bool = False
    recorded: str = field(init=False)
    """The name under which its result is recorded."""

    def __post_init__(self) -> None:
        self._record_as(self.name)

    def _record_as(self, name: str) -> None:
        object.__setattr__(self, "recorded", name)  # the only way to set a member of a frozen value

    def check(self, case: CaseT) -> GuardResult:
        """Evaluate the guard, once per case. Raises what its condition raises."""
        result = case.results.get(self.name)
        if result is None:
            result = case.results[self.name] = self.condition(case)
        return result

    def label(self, lang: Literal["zh", "en"]) -> str:
        """Return the condition in words."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ActorGuard(Guard[CaseT]):
    """Passes where the actor has one of these roles, the first of them being the usual one."""

    roles: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Dimension(Generic[CaseT]):
    """A question with finitely many answers, of which one is true: it tells transitions apart.

    `answers` are the answers with their labels in Chinese and English. `of_policy` answers the
    question where something that never changes for this case's subject decides it alone, and is
    None where that does not. `failed` marks the question which region has failed: its answer is
    `none` until one has.
    """

    name: str
    answers: Mapping[str, tuple[str, str]]
    ask: Callable[[CaseT], str]
    source: Source
    needs_facts: bool = False
    of_policy: Callable[[Any], str | None] | None = None
    failed: bool = False

    def answer(self, case: CaseT) -> str:
        """Return the answer, asked once per case. Raises what asking raises."""
        result = case.results.get(self.name)
        if result is None:
            result = case.results[self.name] = answered(self.name, self.ask(case))
        return cast("str", result.saw[self.name])


@cache
def answered(question: str, answer: str, *, accepted: bool = True) -> GuardResult:
    """Return the result of asking a question: one frozen value for each answer."""
    return GuardResult(accepted, MappingProxyType({question: answer}))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Selector(Guard[CaseT]):
    """Passes where the answer to its dimension's question is one of `accepts`."""

    dimension: Dimension[CaseT]
    accepts: frozenset[str]

    def __post_init__(self) -> None:
        self._record_as(self.dimension.name)  # its answer, whichever transition asks

    def check(self, case: CaseT) -> GuardResult:
        """Compare the answer, which is asked for once per case."""
        return self.of(self.dimension.answer(case))

    def of(self, answer: str) -> GuardResult:
        """Compare an answer."""
        return answered(self.dimension.name, answer, accepted=answer in self.accepts)


def when(dimension: Dimension[CaseT], *accepts: str) -> Selector[CaseT]:
    """Select by the answer to a question. Raises `ValueError` for an unknown answer."""
    if not set(accepts) <= set(dimension.answers) or not accepts:
        allowed, given = ", ".join(dimension.answers), ", ".join(accepts) or "nothing"
        raise ValueError(f"{dimension.name} is one of {allowed}, not {given}")

    return Selector(
        name=f"{dimension.name}_is_{'_or_'.join(accepts)}",
        kind=GuardKind.SELECTS,
        zh=" / ".join(dimension.answers[answer][0] for answer in accepts),
        en=" / ".join(dimension.answers[answer][1] for answer in accepts),
        source=dimension.source,
        condition=lambda case: answered(
            dimension.name, answer := dimension.ask(case), accepted=answer in accepts
        ),
        needs_facts=dimension.needs_facts,
        dimension=dimension,
        accepts=frozenset(accepts),
    )
