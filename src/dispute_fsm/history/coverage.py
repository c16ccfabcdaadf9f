"""What a corpus of disputes reaches of the rules: which rows of the table fired, which answers each guard gave. Pure.

A row counts where an event shows all that selects it; a row with an outcome for each option counts
once for each. A question that tells rows apart has answers, every other guard passes or does not.
What no event can show is not asked for: an opening that is refused leaves none.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dispute_fsm.domain.enums import (
    QUESTIONS,
    CommandType,
    EventType,
    Labelled,
    Lang,
    Option,
    Outcome,
)
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.history.telling import state_label
from dispute_fsm.machine.guard import Selector, when
from dispute_fsm.machine.transition_table import AS_BEFORE, Transition, TransitionTable
from dispute_fsm.rules.guards.selectors import OPTION
from dispute_fsm.rules.registry import VERSIONS, rule_version


class OutcomeKind(Labelled):
    """What a guard says."""

    PASSED = "passed", "通过", "passed"
    NOT_PASSED = "not_passed", "未通过", "not passed"


@dataclass(frozen=True, slots=True)
class CoveredTransition:
    """One way from state to state: a row of the table, for one of the outcomes that it can have; `source` is None at the opening."""

    source: str | None
    event: CommandType
    target: str
    outcome: Outcome | None
    when: tuple[Selector, ...]

    @property
    def key(self) -> str:
        """Its name in counts."""
        selected = (
            f"{selector.dimension.name}={'|'.join(_accepted(selector))}" for selector in self.when
        )
        return " ".join([str(self.source), self.event, self.target, str(self.outcome), *selected])

    def fired(self, event: AuditEvent, saw: Mapping[str, object]) -> bool:
        """Whether an accepted event, with what its guards saw by name, is this transition."""
        return (event.target, event.outcome) == (self.target, self.outcome) and all(
            saw.get(selector.dimension.name) in selector.accepts for selector in self.when
        )

    def record(self) -> dict[str, Any]:
        """Say it as JSON."""
        return {
            "source": self.source,
            "event": self.event.value,
            "target": self.target,
            "outcome": None if self.outcome is None else self.outcome.value,
            "when": {selector.dimension.name: _accepted(selector) for selector in self.when},
        }

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        states = " → ".join(
            state_label(path, lang) for path in (self.source, self.target) if path is not None
        )
        selected = (
            f" [{_WORDS[lang]['and'].join(selector.label(lang) for selector in self.when)}]"
            if self.when
            else ""
        )
        outcome = "" if self.outcome is None else f" ({self.outcome.label(lang)})"
        return f"{states}{outcome} · {self.event.label(lang)}{selected}"


@dataclass(frozen=True, slots=True)
class GuardOutcome:
    """One answer of a guard, or of a question that tells rows apart; under the name by which it is recorded."""

    guard: str
    answer: str
    zh: str
    en: str

    @property
    def key(self) -> str:
        """Its name in counts."""
        return f"{self.guard} {self.answer}"

    def record(self) -> dict[str, Any]:
        """Say it as JSON."""
        return {"guard": self.guard, "answer": self.answer}

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        return self.zh if lang == "zh" else self.en


class Coverage:
    """Counts by rule version what was reached. Its `counts` are plain values: they can go from process to process."""

    def __init__(self, counts: Mapping[str, Mapping[str, int]] = FrozenMap({})) -> None:
        self._counts: dict[str, Counter[str]] = {
            version: Counter(dict(found)) for version, found in counts.items()
        }

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How often each transition and guard outcome was reached, by their keys, and how many events there were."""
        return {version: dict(found) for version, found in self._counts.items()}

    def add(self, event: AuditEvent) -> None:
        """Count one event. Raises `InputError` where its rule version is not known."""
        goals, counts = _goals(event.rules), self._counts.setdefault(event.rules, Counter())
        saw = {check.guard: check.saw.get(check.guard) for check in event.checks}
        counts[_EVENTS] += 1
        if event.type is not EventType.REFUSED:
            here = goals.transitions.get((event.source, event.command), ())
            counts.update(transition.key for transition in here if transition.fired(event, saw))
        for check in event.checks:
            answer = (
                saw[check.guard] if check.guard in goals.questions else _answer(passed=check.passed)
            )
            counts[f"{check.guard} {answer}"] += 1

    def merge(self, other: "Coverage") -> None:
        """Count what another has counted, too."""
        for version, found in other.counts.items():
            self._counts.setdefault(version, Counter()).update(found)

    def answers(self, version: str) -> tuple[tuple[GuardOutcome, int], ...]:
        """Give every guard outcome of a rule version, with how often it was reached. Raises `InputError` where it is not known."""
        counts = self._counts.get(version, Counter())
        return tuple((goal, counts[goal.key]) for goal in _goals(version).outcomes)

    def record(self) -> dict[str, Any]:
        """Give everything as JSON: by rule version every transition and guard outcome, with how often it was reached."""
        return {version: self._version(version) for version in VERSIONS}

    def lines(self, lang: Lang) -> Iterator[str]:
        """Say it to a person. Of a rule version that no event belongs to only the numbers are said."""
        words = _WORDS[lang]
        for version in VERSIONS:
            goals, counts = _goals(version), self._counts.get(version, Counter())
            parts: dict[str, Goals] = {
                "transitions": goals.all_transitions,
                "guards": goals.outcomes,
            }
            numbers = {
                f"{name}_{number}": str(n)
                for name, part in parts.items()
                for number, n in _numbers(part, counts).items()
            }
            yield words["head"].format(rules=version, events=counts[_EVENTS], **numbers)
            if counts[_EVENTS]:
                width = max(len(str(n)) for n in counts.values())
                for name, part in parts.items():
                    yield f"  {words[name]}"
                    for goal in part:
                        reached = counts[goal.key]
                        yield f"    {reached or '✗':>{width}}  {goal.text(lang)}"

    def _version(self, version: str) -> dict[str, Any]:
        goals, counts = _goals(version), self._counts.get(version, Counter())
        return {
            "events": counts[_EVENTS],
            "transitions": {
                **_numbers(goals.all_transitions, counts),
                "each": _each(goals.all_transitions, counts),
            },
            "guard_outcomes": {
                **_numbers(goals.outcomes, counts),
                "each": _each(goals.outcomes, counts),
            },
        }


# ---- what there is to reach ----------------------------------------------------------------------

_EVENTS = "events"
"""Counts the events themselves; no key of a goal is one word."""

Goals = tuple[CoveredTransition, ...] | tuple[GuardOutcome, ...]


@dataclass(frozen=True, slots=True)
class _Goals:
    """What there is to reach in one rule version, in the order of its table."""

    transitions: Mapping[tuple[str | None, CommandType], tuple[CoveredTransition, ...]]
    outcomes: tuple[GuardOutcome, ...]
    questions: frozenset[str]

    @property
    def all_transitions(self) -> tuple[CoveredTransition, ...]:
        return tuple(transition for here in self.transitions.values() for transition in here)


@lru_cache(maxsize=32)
def _goals(rules: str) -> _Goals:
    table = rule_version(rules).table
    opening = CoveredTransition(None, CommandType.OPEN_DISPUTE, table.initial, None, ())
    transitions: dict[tuple[str | None, CommandType], tuple[CoveredTransition, ...]] = {
        (None, CommandType.OPEN_DISPUTE): (opening,)
    }
    for key, rows in table.transitions.items():
        transitions[key] = tuple(one for row in rows for one in _transitions(row))
    return _Goals(
        FrozenMap(transitions),
        tuple(_outcomes(table)),
        frozenset(name for name, guard in table.guards().items() if isinstance(guard, Selector)),
    )


def _transitions(row: Transition) -> Iterator[CoveredTransition]:
    selectors, outcome = row.rule.when, row.rule.outcome
    if not isinstance(outcome, Mapping):
        end = None if outcome is AS_BEFORE else outcome
        yield CoveredTransition(row.source, row.event, row.target, end, selectors)
        return
    by_option: Mapping[Option, Outcome] = outcome
    for (
        option,
        end,
    ) in by_option.items():  # the compiler sees to it that such a row selects by just these options
        chosen = tuple(
            when(OPTION, option.value) if selector.dimension is OPTION else selector
            for selector in selectors
        )
        yield CoveredTransition(row.source, row.event, row.target, end, chosen)


def _outcomes(table: TransitionTable) -> Iterator[GuardOutcome]:
    of_rows = {
        guard.name
        for row in _rows(table)
        for guard in (row.rule.by, *row.rule.timing, *row.rule.needs)
    }
    accepted = {
        (selector.dimension.name, answer)
        for row in _rows(table)
        for selector in row.rule.when
        for answer in selector.accepts
    }
    for name, guard in table.guards().items():
        if isinstance(guard, Selector):
            for answer, (zh, en) in guard.dimension.answers.items():
                if (name, answer) in accepted:
                    yield GuardOutcome(
                        name,
                        answer,
                        f"{QUESTIONS[name][0]} ({name})：{zh}"
                        if name in QUESTIONS
                        else f"{name}：{zh}",
                        f"{name}: {en}",
                    )
        else:
            for answer in OutcomeKind if guard.name in of_rows else (OutcomeKind.PASSED,):
                yield GuardOutcome(
                    name,
                    answer.value,
                    f"{guard.zh} ({name})：{answer.zh}",
                    f"{guard.en} ({name}): {answer.en}",
                )


def _rows(table: TransitionTable) -> Iterator[Transition]:
    for rows in table.transitions.values():
        yield from rows


def _accepted(selector: Selector) -> list[str]:
    return [answer for answer in selector.dimension.answers if answer in selector.accepts]


def _answer(*, passed: bool) -> str:
    return (OutcomeKind.PASSED if passed else OutcomeKind.NOT_PASSED).value


# ---- words and numbers ---------------------------------------------------------------------------

_WORDS: Mapping[Lang, Mapping[str, str]] = FrozenMap(
    {
        "zh": FrozenMap(
            {
                "head": "规则 {rules}：{events} 个事件，走过流程 "
                "{transitions_reached}/{transitions_total}，"
                "条件结果 {guards_reached}/{guards_total}",
                "transitions": "流程",
                "guards": "条件结果",
                "and": "；",
            }
        ),
        "en": FrozenMap(
            {
                "head": "rules {rules}: {events} events reach {transitions_reached} of "
                "{transitions_total} transitions, "
                "{guards_reached} of {guards_total} guard outcomes",
                "transitions": "transitions",
                "guards": "guard outcomes",
                "and": "; ",
            }
        ),
    }
)


def _numbers(goals: Goals, counts: Mapping[str, int]) -> dict[str, int]:
    return {"reached": sum(goal.key in counts for goal in goals), "total": len(goals)}


def _each(goals: Goals, counts: Counter[str]) -> list[dict[str, Any]]:
    return [{**goal.record(), "count": counts[goal.key]} for goal in goals]
