"""How one machine differs from another, in words: states, arrows, conditions, words, deadlines and the rest of the policy.

The view `diff` shows it to reviewers, and `dispute-fsm diagram --check` says by it what has drifted
from the committed pictures.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from dispute_fsm.diagrams.formatting import Voice
from dispute_fsm.diagrams.model import Arrow, GuardLabel, Machine, SelectorQuestion, StateNode
from dispute_fsm.diagrams.picture import Mark
from dispute_fsm.domain.enums import POLICY_FIELDS, Denial, Labelled, Lang, Silence
from dispute_fsm.domain.messages import Messages
from dispute_fsm.domain.policy import Bilingual, Term
from dispute_fsm.domain.scalars import FrozenMap

T = TypeVar("T")
Told = Mapping[str, Sequence[str]]
"""What is compared of a thing, part by part, as it is said."""

_ABSENT = object()
_TERM = frozenset(Term.model_fields)
_WORDS_OF_POLICY: Mapping[tuple[str, ...], type[Labelled]] = FrozenMap(
    {("silence",): Silence, ("denial",): Denial}
)
"""The fields of a policy whose values are words of the domain."""
Kind = Literal["state", "arrow", "condition", "question", "word", "policy"]

KINDS: Mapping[Kind, Bilingual] = FrozenMap(
    {
        "state": Bilingual(zh="状态", en="state"),
        "arrow": Bilingual(zh="流程", en="edge"),
        "condition": Bilingual(zh="条件", en="guard"),
        "question": Bilingual(zh="分支条件", en="question"),
        "word": Bilingual(zh="用词", en="label"),
        "policy": Bilingual(zh="规则参数", en="policy"),
    }
)
"""The kinds of things that may differ, in words."""

_WORDS = Messages(
    {
        "changed": ("原为 {was}，现为 {now}", "was {was}, is {now}"),
        "was_is": ("{what}：原为 {was}，现为 {now}", "{what}: was {was}, is {now}"),
        "more": ("{what}：新增 {now}", "{what}: now also {now}"),
        "less": ("{what}：不再有 {was}", "{what}: no longer {was}"),
        "awake": (
            "新参数下适用，旧参数下不适用",
            "happens under the new policy, not under the old one",
        ),
        "asleep": (
            "旧参数下适用，新参数下不适用",
            "happened under the old policy, not under the new one",
        ),
        "source": ("起始状态", "from"),
        "target": ("下一状态", "to"),
        "by": ("由谁", "by"),
        "when": ("适用条件", "if"),
        "needs": ("必须满足", "needs"),
        "timing": ("时限要求", "timing"),
        "endings": ("结果", "outcome"),
        "starts": ("开始计时", "starts"),
        "ends": ("停止计时", "stops"),
        "origin": ("依据", "source"),
        "label": ("名称", "label"),
        "parent": ("所属", "within"),
        "stands": ("时限", "deadlines"),
        "runs": ("届满时处理", "acts on"),
        "codes": ("拒绝代码", "codes"),
        "answers": ("取值", "answers"),
        "kind": ("种类", "kind"),
        "nothing": ("无", "nothing"),
        "leaf": ("单一状态", "leaf"),
        "compound": ("复合状态", "compound"),
        "parallel": ("并行状态", "parallel"),
    }
)

_STATES = frozenset({"source", "target", "parent"})
"""The parts that are states."""


@dataclass(frozen=True, slots=True)
class ChartChange:
    """One difference: of what kind of thing, which one, whether it came, went or changed, and what about it in words."""

    kind: Kind
    id: str
    mark: Mark
    name: str
    lines: tuple[str, ...]

    def text(self, lang: Lang) -> str:
        """Say it on one line."""
        signs = {Mark.ADDED: "+", Mark.REMOVED: "-"}
        told = "; ".join(self.lines)
        name = f"{self.id} {self.name}" if self.name and self.name != self.id else self.id
        return f"{signs.get(self.mark, '~')} {KINDS[self.kind].label(lang)} {name}" + (
            f": {told}" if told else ""
        )


def changes(before: Machine, after: Machine, lang: Lang) -> tuple[ChartChange, ...]:
    """Compare two machines as they are said in one language; what is said of each side is said in its own words."""
    teller = _Teller(Voice(before, lang), Voice(after, lang))
    return (
        *teller.states(),
        *teller.arrows(),
        *teller.conditions(),
        *teller.questions(),
        *teller.words(),
        *teller.policy(),
    )


@dataclass(frozen=True, slots=True)
class _Teller:
    """Goes through both machines, kind by kind."""

    before: Voice
    after: Voice

    def states(self) -> Iterator[ChartChange]:
        def told(voice: Voice, state: StateNode) -> Told:
            return {
                "label": (voice.label(state.label),),
                "kind": (state.kind,),
                "parent": () if state.parent is None else (state.parent,),
                "stands": [voice.label(one) for one in state.stands],
                "runs": [voice.label(one) for one in state.runs],
            }

        was, now = (
            {state.id: state for state in voice.machine.states}
            for voice in (self.before, self.after)
        )
        yield from self._woken(
            "state", {name: name for name in now if name in was}, self.after.state
        )
        yield from self._changes(
            "state", was, now, lambda voice, state: voice.label(state.label), told
        )

    def arrows(self) -> Iterator[ChartChange]:
        was, now = (
            {arrow.id: arrow for arrow in voice.machine.arrows}
            for voice in (self.before, self.after)
        )
        renamed = _renamed(was, now)
        was = {renamed.get(name, name): arrow for name, arrow in was.items()}
        yield from self._woken(
            "arrow",
            {name: was[name].id for name in now if name in was},
            lambda name: self.after.arrow(now[name]),
        )
        yield from self._changes("arrow", was, now, Voice.arrow, _arrow)

    def conditions(self) -> Iterator[ChartChange]:
        def told(voice: Voice, condition: GuardLabel) -> Told:
            return {
                "label": (voice.label(condition.label),),
                "codes": condition.codes,
                "origin": (voice.label(condition.origin.words),),
            }

        was, now = self.before.machine.conditions, self.after.machine.conditions
        yield from self._changes(
            "condition", was, now, lambda voice, condition: voice.label(condition.label), told
        )

    def questions(self) -> Iterator[ChartChange]:
        def told(voice: Voice, question: SelectorQuestion) -> Told:
            answers = [f"{name} {voice.label(words)}" for name, words in question.answers.items()]
            return {"answers": answers, "origin": (voice.label(question.origin.words),)}

        was, now = self.before.machine.questions, self.after.machine.questions
        yield from self._changes("question", was, now, _nameless, told)

    def words(self) -> Iterator[ChartChange]:
        """Compare only what both name: what one of them does not name has come or gone with what it belongs to."""
        was, now = self.before.machine.words, self.after.machine.words
        there = {name: words for name, words in was.items() if name in now}
        here = {name: words for name, words in now.items() if name in was}
        yield from self._changes(
            "word", there, here, _nameless, lambda voice, words: {"label": (voice.label(words),)}
        )

    def policy(self) -> Iterator[ChartChange]:
        for path, was, now in _differing(self.before.machine.policy, self.after.machine.policy, ()):
            mark = (
                Mark.ADDED if was is _ABSENT else Mark.REMOVED if now is _ABSENT else Mark.CHANGED
            )
            said = (
                ()
                if mark is not Mark.CHANGED
                else (
                    self._word(
                        "changed",
                        was=_value(self.before, path, was),
                        now=_value(self.after, path, now),
                    ),
                )
            )
            name = ".".join(path)
            label = (
                POLICY_FIELDS[path[0]][self.after.lang == "en"] if path[0] in POLICY_FIELDS else ""
            )
            yield ChartChange("policy", name, mark, label, said)

    def _woken(
        self, kind: Kind, there: Mapping[str, str], named: Callable[[str], str]
    ) -> Iterator[ChartChange]:
        """Say what only one of the policies comes to; `there` is what both have, by its id on the newer side, with that on the older."""
        slept, sleeps = self.before.machine.idle(), self.after.machine.idle()
        for name, before in there.items():
            if (before in slept) is not (name in sleeps):
                mark, said = (Mark.REMOVED, "asleep") if name in sleeps else (Mark.ADDED, "awake")
                yield ChartChange(kind, name, mark, named(name), (self._word(said),))

    def _changes(
        self,
        kind: Kind,
        was: Mapping[str, T],
        now: Mapping[str, T],
        named: Callable[[Voice, T], str],
        told: Callable[[Voice, T], Told],
    ) -> Iterator[ChartChange]:
        """Go through two collections of one kind of thing, in the order of the newer side; what is gone comes last."""
        for name, thing in now.items():
            if name not in was:
                yield ChartChange(kind, name, Mark.ADDED, named(self.after, thing), ())
                continue
            before, after = told(self.before, was[name]), told(self.after, thing)
            if lines := tuple(
                line for part in after for line in self._said(part, before[part], after[part])
            ):
                yield ChartChange(kind, name, Mark.CHANGED, named(self.after, thing), lines)
        for name, thing in was.items():
            if name not in now:
                yield ChartChange(kind, name, Mark.REMOVED, named(self.before, thing), ())

    def _said(self, part: str, was: Sequence[str], now: Sequence[str]) -> Iterator[str]:
        """Say how one part of a thing differs; of lists what came and went."""
        if list(was) == list(now):
            return
        gone, come = [one for one in was if one not in now], [one for one in now if one not in was]
        what = _WORDS(self.after.lang, part)
        if (gone or come) and not (gone and come):
            yield self._word(
                "more" if come else "less",
                what=what,
                was=_list(self.before, part, gone),
                now=_list(self.after, part, come),
            )
        else:
            yield self._word(
                "was_is",
                what=what,
                was=_list(self.before, part, was),
                now=_list(self.after, part, now),
            )

    def _word(self, name: str, **named: str) -> str:
        return _WORDS(self.after.lang, name, **named)


def _list(voice: Voice, part: str, names: Sequence[str]) -> str:
    """List what stands in a part of a thing; states and kinds are compared by their ids, which are English already."""
    if part in _STATES and voice.lang == "zh":
        names = [f"{voice.state(name)} ({name})" for name in names]
    elif part == "kind":
        names = [_WORDS(voice.lang, name) for name in names]
    return voice.say("comma").join(names) or _WORDS(voice.lang, "nothing")


def _nameless(_: Voice, _thing: object) -> str:
    """Name what is known by its id alone."""
    return ""


def _arrow(voice: Voice, arrow: Arrow) -> Told:
    return {
        "source": () if arrow.source is None else (arrow.source,),
        "target": (arrow.target,),
        "by": [voice.label(role) for role in arrow.roles],
        "when": [voice.condition(one) for one in voice.selects(arrow)],
        "timing": [voice.label(one.label) for one in voice.conditions(arrow.timing)],
        "needs": [voice.label(one.label) for one in voice.conditions(arrow.needs)],
        "endings": voice.endings(arrow),
        "starts": [voice.label(one) for one in arrow.starts],
        "ends": [voice.label(one) for one in arrow.ends],
        "origin": (voice.label(arrow.origin.words),),
    }


def _renamed(was: Mapping[str, Arrow], now: Mapping[str, Arrow]) -> dict[str, str]:
    """Find arrows that have another id only because they are selected otherwise: alone of their event between the same states."""

    def ways(
        gone: Mapping[str, Arrow], there: Mapping[str, Arrow]
    ) -> dict[tuple[str | None, str, str], list[str]]:
        found: dict[tuple[str | None, str, str], list[str]] = {}
        for name, arrow in gone.items():
            if name not in there:
                found.setdefault((arrow.source, arrow.event, arrow.target), []).append(name)
        return found

    come = ways(now, was)
    return {
        names[0]: come[way][0]
        for way, names in ways(was, now).items()
        if len(names) == 1 and len(come.get(way, ())) == 1
    }


def _differing(
    was: object, now: object, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], object, object]]:
    """Go through what differs between two policies, by path; a deadline's term is one value, and so is what only one of them has."""
    if isinstance(was, dict) and isinstance(now, dict) and not _TERM & {*was, *now}:
        members: tuple[dict[str, Any], dict[str, Any]] = (was, now)
        for name in dict.fromkeys((*members[0], *members[1])):
            yield from _differing(
                members[0].get(name, _ABSENT), members[1].get(name, _ABSENT), (*path, name)
            )
    elif was != now:
        yield path, was, now


def _value(voice: Voice, path: tuple[str, ...], value: object) -> str:
    if path in _WORDS_OF_POLICY:
        return _WORDS_OF_POLICY[path](str(value)).label(voice.lang)
    if isinstance(value, dict) and _TERM & set(value):
        return voice.hours(Term.model_validate(value))
    return voice.say("off") if value is None else json.dumps(value, ensure_ascii=False)
