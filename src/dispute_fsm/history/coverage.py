"""Coverage of the rules by a corpus of disputes: fired transitions, and results of guards. Pure.

A transition is covered where an event has all that selects it; a transition with an outcome for
each option counts once for each. A selector has answers, every other guard passes or does not. What
no event can show is not counted: a refused opening records no event.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dispute_fsm.domain.enums import QUESTIONS, CommandType, EventType, Lang, Outcome
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.messages import Message
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.history.messages import COVERAGE
from dispute_fsm.history.timeline_text import state_label
from dispute_fsm.machine.guard import Selector, when
from dispute_fsm.machine.transition_table import AS_BEFORE, Transition, TransitionTable
from dispute_fsm.rules.guards.selectors import OPTION
from dispute_fsm.rules.registry import VERSIONS, rule_version


@dataclass(frozen=True, slots=True)
class CoveredTransition:
    """A transition of the table, for one of its outcomes; `source` is None at the opening.

    `keeps_outcome` means that any outcome remains as it was; then `outcome` is None.
    """

    source: str | None
    event: CommandType
    target: str
    outcome: Outcome | None
    when: tuple[Selector, ...]
    keeps_outcome: bool = False

    @property
    def key(self) -> str:
        """Its name in counts."""
        selected = (f"{name}={'|'.join(accepted)}" for name, accepted in self._accepted().items())
        return " ".join([str(self.source), self.event, self.target, str(self.outcome), *selected])

    def fired(self, event: AuditEvent, saw: Mapping[str, object]) -> bool:
        """Return whether an accepted event, with the answers of its selectors, is this one."""
        return (
            event.target == self.target
            and (self.keeps_outcome or event.outcome == self.outcome)
            and all(saw.get(selector.dimension.name) in selector.accepts for selector in self.when)
        )

    def record(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "source": self.source,
            "event": self.event.value,
            "target": self.target,
            "outcome": None if self.outcome is None else self.outcome.value,
            "when": self._accepted(),
        }

    def text(self, lang: Lang) -> str:
        """Return its label."""
        states = [state_label(path, lang) for path in (self.source, self.target) if path]
        outcome = "" if self.outcome is None else f" ({self.outcome.label(lang)})"
        selected = COVERAGE(lang, "and").join(selector.label(lang) for selector in self.when)
        condition = f" [{selected}]" if selected else ""
        return f"{' → '.join(states)}{outcome} · {self.event.label(lang)}{condition}"

    def _accepted(self) -> dict[str, list[str]]:
        return {
            selector.dimension.name: [
                answer for answer in selector.dimension.answers if answer in selector.accepts
            ]
            for selector in self.when
        }


@dataclass(frozen=True, slots=True)
class GuardOutcome:
    """One result of a guard, or one answer of a selector, under the name that is recorded.

    `label` is that of the guard; for a selector it is that of the answer.
    """

    guard: str
    answer: str
    label: Message
    selects: bool

    @property
    def key(self) -> str:
        """Its name in counts."""
        return f"{self.guard} {self.answer}"

    def record(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"guard": self.guard, "answer": self.answer}

    def question(self, lang: Lang) -> str:
        """Return the label of the guard, or of what a selector asks."""
        return (Message(*QUESTIONS[self.guard]) if self.selects else self.label).label(lang)

    def result(self, lang: Lang) -> str:
        """Return the label of the result or the answer."""
        return self.label.label(lang) if self.selects else COVERAGE(lang, self.answer)

    def text(self, lang: Lang) -> str:
        """Return both on one line, with the name of the guard."""
        name = "selector" if self.selects else "guard"
        question, result = self.question(lang), self.result(lang)
        return COVERAGE(lang, name, name=self.guard, question=question, result=result)


class Coverage:
    """Counts, by rule version, what was covered.

    Its `counts` are plain values, so they can be sent from process to process.
    """

    def __init__(self, counts: Mapping[str, Mapping[str, int]] = FrozenMap({})) -> None:
        self._counts: dict[str, Counter[str]] = {
            version: Counter(dict(of_version)) for version, of_version in counts.items()
        }

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """The count of each transition and guard outcome by its key, and of the events."""
        return {version: dict(of_version) for version, of_version in self._counts.items()}

    def add(self, event: AuditEvent) -> None:
        """Count one event. Raises `InputError` for an unknown rule version."""
        goals, counts = _goals(event.rules), self._counts.setdefault(event.rules, Counter())
        saw = {check.guard: check.saw.get(check.guard) for check in event.checks}
        counts[_EVENTS] += 1
        if event.type is not EventType.REFUSED:
            candidates = goals.transitions.get((event.source, event.command), ())
            counts.update(goal.key for goal in candidates if goal.fired(event, saw))
        for check in event.checks:
            answer = saw[check.guard] if check.guard in goals.selectors else _result(check.passed)
            counts[f"{check.guard} {answer}"] += 1

    def merge(self, other: "Coverage") -> None:
        """Add the counts of another."""
        for version, counts in other.counts.items():
            self._counts.setdefault(version, Counter()).update(counts)

    def answers(self, version: str) -> tuple[tuple[GuardOutcome, int], ...]:
        """Return the count of every guard outcome.

        Raises `InputError` for an unknown rule version.
        """
        counts = self._counts.get(version, Counter())
        return tuple((goal, counts[goal.key]) for goal in _goals(version).guards)

    def record(self) -> dict[str, Any]:
        """Return all counts as JSON, by rule version."""
        return {version: self._record(version) for version in VERSIONS}

    def lines(self, lang: Lang) -> Iterator[str]:
        """Return all counts as text; of a rule version without events, only the totals."""
        for version in VERSIONS:
            goals, counts = _goals(version), self._counts.get(version, Counter())
            parts: dict[str, Goals] = {
                "transitions": goals.all_transitions,
                "guards": goals.guards,
            }
            totals = {name: _totals(part, counts) for name, part in parts.items()}
            yield COVERAGE(lang, "head", rules=version, events=counts[_EVENTS], **totals)
            if counts[_EVENTS]:
                width = max(len(str(n)) for n in counts.values())
                for name, part in parts.items():
                    yield f"  {COVERAGE(lang, name)}"
                    for goal in part:
                        yield f"    {counts[goal.key] or '✗':>{width}}  {goal.text(lang)}"

    def _record(self, version: str) -> dict[str, Any]:
        goals, counts = _goals(version), self._counts.get(version, Counter())

        def part(goals: Goals) -> dict[str, Any]:
            each = [{**goal.record(), "count": counts[goal.key]} for goal in goals]
            return {**_totals(goals, counts), "each": each}

        return {
            "events": counts[_EVENTS],
            "transitions": part(goals.all_transitions),
            "guard_outcomes": part(goals.guards),
        }


# ---- what can be covered -------------------------------------------------------------------------

_EVENTS = "events"
"""The count of the events themselves; the key of a goal has several words."""

Goals = Sequence[CoveredTransition] | Sequence[GuardOutcome]


@dataclass(frozen=True, slots=True)
class _CoverageGoals:
    """What can be covered in one rule version, in the order of its table."""

    transitions: Mapping[tuple[str | None, CommandType], tuple[CoveredTransition, ...]]
    guards: tuple[GuardOutcome, ...]
    selectors: frozenset[str]

    @property
    def all_transitions(self) -> tuple[CoveredTransition, ...]:
        return tuple(goal for goals in self.transitions.values() for goal in goals)


@lru_cache(maxsize=32)
def _goals(rules: str) -> _CoverageGoals:
    table = rule_version(rules).table
    opening = CoveredTransition(None, CommandType.OPEN_DISPUTE, table.initial, None, ())
    transitions: dict[tuple[str | None, CommandType], tuple[CoveredTransition, ...]] = {
        (None, CommandType.OPEN_DISPUTE): (opening,)
    }
    for key, of_key in table.transitions.items():
        transitions[key] = tuple(goal for each in of_key for goal in _transition_goals(each))
    return _CoverageGoals(
        FrozenMap(transitions),
        tuple(_guard_goals(table)),
        frozenset(name for name, guard in table.guards().items() if isinstance(guard, Selector)),
    )


def _transition_goals(transition: Transition) -> Iterator[CoveredTransition]:
    source, event, target = transition.source, transition.event, transition.target
    selectors, outcome = transition.rule.when, transition.rule.outcome
    if not isinstance(outcome, Mapping):
        keeps, end = (True, None) if outcome is AS_BEFORE else (False, outcome)
        yield CoveredTransition(source, event, target, end, selectors, keeps)
        return
    # The compiler checks that such a transition selects by exactly these options.
    for option, of_option in outcome.items():
        selected = tuple(
            when(OPTION, option.value) if selector.dimension is OPTION else selector
            for selector in selectors
        )
        yield CoveredTransition(source, event, target, of_option, selected)


def _guard_goals(table: TransitionTable) -> Iterator[GuardOutcome]:
    rules = [each.rule for of_key in table.transitions.values() for each in of_key]
    can_fail = {guard.name for rule in rules for guard in (rule.by, *rule.timing, *rule.needs)}
    accepted = {
        (selector.dimension.name, answer)
        for rule in rules
        for selector in rule.when
        for answer in selector.accepts
    }
    for name, guard in table.guards().items():
        if isinstance(guard, Selector):
            for answer, label in guard.dimension.answers.items():
                if (name, answer) in accepted:
                    yield GuardOutcome(name, answer, Message(*label), selects=True)
        else:
            label = Message(guard.zh, guard.en)
            for passed in (True, False) if guard.name in can_fail else (True,):
                yield GuardOutcome(name, _result(passed), label, selects=False)


def _result(passed: bool) -> str:  # noqa: FBT001 -- the only argument
    return "passed" if passed else "not_passed"


def _totals(goals: Goals, counts: Mapping[str, int]) -> dict[str, int]:
    return {"reached": sum(goal.key in counts for goal in goals), "total": len(goals)}
