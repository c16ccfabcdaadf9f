"""How two machines differ: the parts that came, went or changed, as formatted in one language.

The view `diff` shows them, and `dispute-fsm diagram --check` names by them what differs from the
committed pictures.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import CHANGES, KINDS
from dispute_fsm.diagrams.model import Machine, StateNode, TransitionView
from dispute_fsm.diagrams.picture import Mark
from dispute_fsm.diagrams.policy_text import (
    ABSENT,
    field_label,
    is_term,
    policy_differences,
    value_text,
)
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.scalars import FrozenMap

ChangeKind = Literal["state", "transition", "condition", "question", "label", "policy"]
Aspects = Mapping[str, Sequence[str]]
"""What is compared of a part of the machine, as formatted texts by the name of the aspect."""
Ends = tuple[str | None, str, str]
"""A transition's source, event and target."""

_STATE_ASPECTS = frozenset({"source", "target", "parent"})
"""The aspects that are ids of states."""
_SIGNS: Mapping[Mark, str] = FrozenMap({Mark.ADDED: "+", Mark.REMOVED: "-", Mark.CHANGED: "~"})


@dataclass(frozen=True, slots=True)
class ChartChange:
    """One difference: the part that was added, removed or changed, and what changed in it.

    `aspects` names what changed, line by line; it is empty where the lines say something else.
    """

    kind: ChangeKind
    id: str
    mark: Mark
    name: str
    lines: tuple[str, ...] = ()
    aspects: tuple[str, ...] = ()

    def text(self, lang: Lang) -> str:
        """Return the difference on one line."""
        name = f"{self.id} {self.name}" if self.name and self.name != self.id else self.id
        text = f"{_SIGNS[self.mark]} {KINDS(lang, self.kind)} {name}"
        return f"{text}: {'; '.join(self.lines)}" if self.lines else text


class _Part(NamedTuple):
    """A part of a machine, formatted."""

    name: str
    aspects: Aspects


def changes(before: Machine, after: Machine, lang: Lang) -> tuple[ChartChange, ...]:
    """Compare two machines as formatted in one language, each with its own labels.

    Within a kind the order is that of the newer machine; removed parts come last.
    """
    comparison = _Comparison(Formatter(before, lang), Formatter(after, lang))
    return (*comparison.parts(), *comparison.policy())


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Compares two machines."""

    before: Formatter
    after: Formatter

    def parts(self) -> Iterator[ChartChange]:
        was, now = _parts(self.before), _parts(self.after)
        renamed = renamed_transitions(self.before.machine, self.after.machine)
        was["transition"] = {
            renamed.get(name, name): part for name, part in was["transition"].items()
        }
        unreachable = self.after.machine.unreachable()
        changed = unreachable ^ {
            renamed.get(name, name) for name in self.before.machine.unreachable()
        }
        for kind, parts in now.items():
            for name, part in parts.items():
                if kind in {"state", "transition"} and name in changed and name in was[kind]:
                    gone = name in unreachable
                    text = self.text("unreachable" if gone else "reachable")
                    mark = Mark.REMOVED if gone else Mark.ADDED
                    yield ChartChange(kind, name, mark, part.name, (text,))
            yield from self.collections(kind, was[kind], parts)

    def collections(
        self, kind: ChangeKind, was: Mapping[str, _Part], now: Mapping[str, _Part]
    ) -> Iterator[ChartChange]:
        """Compare all parts of a kind."""
        for name, part in now.items():
            if name in was:
                if found := dict(self.lines(was[name].aspects, part.aspects)):
                    lines = tuple(found.values())
                    yield ChartChange(kind, name, Mark.CHANGED, part.name, lines, tuple(found))
            elif kind != "label":  # a label comes and goes with what it names
                yield ChartChange(kind, name, Mark.ADDED, part.name)
        for name, part in was.items():
            if name not in now and kind != "label":
                yield ChartChange(kind, name, Mark.REMOVED, part.name)

    def lines(self, before: Aspects, after: Aspects) -> Iterator[tuple[str, str]]:
        """Format the differences of a part: per aspect what was added or removed, else both."""
        for aspect, now in after.items():
            was = before[aspect]
            removed = [text for text in was if text not in now]
            added = [text for text in now if text not in was]
            if list(was) != list(now):
                one_way = bool(removed) is not bool(added)
                text = self.text(
                    ("more" if added else "less") if one_way else "was_is",
                    what=self.text(aspect),
                    was=_list(self.before, aspect, removed if one_way else was),
                    now=_list(self.after, aspect, added if one_way else now),
                )
                yield aspect, text

    def policy(self) -> Iterator[ChartChange]:
        """Compare the policies."""
        policies = self.before.machine.policy, self.after.machine.policy
        for path, was, now in policy_differences(*policies):
            lines: tuple[str, ...] = ()
            mark = Mark.ADDED if was is ABSENT else Mark.REMOVED
            if mark is Mark.ADDED and is_term(now):
                lines = (value_text(self.after, path, now),)
            if was is not ABSENT and now is not ABSENT:
                mark = Mark.CHANGED
                values = value_text(self.before, path, was), value_text(self.after, path, now)
                lines = (self.text("changed", was=values[0], now=values[1]),)
            label = field_label(self.after, path)
            yield ChartChange("policy", ".".join(path), mark, label, lines)

    def text(self, name: str, **named: str) -> str:
        return CHANGES(self.after.lang, name, **named)


def _list(fmt: Formatter, aspect: str, texts: Sequence[str]) -> str:
    """Join the texts of an aspect. States and kinds are compared by id, which is English."""
    if aspect in _STATE_ASPECTS and fmt.lang == "zh":
        texts = [f"{fmt.state(name)} ({name})" for name in texts]
    elif aspect == "kind":
        texts = [CHANGES(fmt.lang, kind) for kind in texts]
    return fmt.join("comma", texts) or CHANGES(fmt.lang, "nothing")


def _parts(fmt: Formatter) -> dict[ChangeKind, dict[str, _Part]]:
    """Format the parts of a machine by kind and id. Questions and labels have no name."""
    machine = fmt.machine
    return {
        "state": {state.id: _state(fmt, state) for state in machine.states},
        "transition": {each.id: _transition(fmt, each) for each in machine.transitions},
        "condition": {
            name: _Part(
                fmt.label(condition.label),
                {
                    "label": (fmt.label(condition.label),),
                    "codes": condition.codes,
                    "origin": (condition.origin.id,),
                },
            )
            for name, condition in machine.conditions.items()
        },
        "question": {
            name: _Part(
                "",
                {
                    "answers": [
                        f"{answer} {fmt.label(label)}" for answer, label in question.answers.items()
                    ],
                    "origin": (question.origin.id,),
                },
            )
            for name, question in machine.questions.items()
        },
        "label": {
            name: _Part("", {"label": (fmt.label(label),)})
            for name, label in machine.labels.items()
        },
    }


def _state(fmt: Formatter, state: StateNode) -> _Part:
    return _Part(
        fmt.label(state.label),
        {
            "label": (fmt.label(state.label),),
            "kind": (state.kind,),
            "parent": () if state.parent is None else (state.parent,),
            "deadlines": [fmt.label(deadline) for deadline in state.deadlines],
            "running": [fmt.label(deadline) for deadline in state.running],
        },
    )


def _transition(fmt: Formatter, transition: TransitionView) -> _Part:
    return _Part(
        fmt.transition(transition),
        {
            "source": () if transition.source is None else (transition.source,),
            "target": (transition.target,),
            "by": [fmt.label(role) for role in transition.roles],
            "when": [fmt.condition(guard) for guard in fmt.selectors(transition)],
            "timing": [fmt.label(guard.label) for guard in fmt.timing(transition)],
            "needs": [fmt.label(guard.label) for guard in fmt.conditions(transition.needs)],
            "endings": fmt.endings(transition),
            "starts": [fmt.label(deadline) for deadline in transition.starts],
            "ends": [fmt.label(deadline) for deadline in transition.ends],
            "origin": (transition.origin.id,),
        },
    )


def renamed_transitions(before: Machine, after: Machine) -> dict[str, str]:
    """Map old ids to new ids of transitions that are only selected differently.

    Such a transition is the only one that came or went with its event between the same states.
    """
    common = {each.id for each in before.transitions} & {each.id for each in after.transitions}
    by_ends: tuple[dict[Ends, list[str]], dict[Ends, list[str]]] = ({}, {})
    for ids, machine in zip(by_ends, (before, after), strict=True):
        for each in machine.transitions:
            if each.id not in common:
                ids.setdefault((each.source, each.event, each.target), []).append(each.id)
    was, now = by_ends
    return {
        old[0]: now[ends][0] for ends, old in was.items() if len(old) == 1 == len(now.get(ends, ()))
    }
