"""The other endings as text, grouped by whose hands they lie in. It quotes nobody."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dispute_fsm.domain.commands import ChooseOption, Command, ExtendDeadline
from dispute_fsm.domain.enums import POLICY_FIELDS, Denial, Lang, Silence
from dispute_fsm.domain.policy import Policy
from dispute_fsm.explain.alternatives import Alternative, Alternatives, Grade, for_reader
from dispute_fsm.explain.course import awaited
from dispute_fsm.explain.edits import (
    Acted,
    Completed,
    Dropped,
    Edit,
    Moved,
    OtherPolicy,
    Shown,
)
from dispute_fsm.explain.messages import ALTERNATIVES, SIGNS
from dispute_fsm.explain.supposed_facts import Hands
from dispute_fsm.history.timeline import local_time
from dispute_fsm.history.timeline_text import duration_text


class AlternativeText(NamedTuple):
    """One alternative as text: its sign, what would have been otherwise, and where it leads.

    `rests_on` are the recorded events that it is about.
    """

    sign: str
    what: str
    rests_on: tuple[int, ...]
    end: str


class HandsText(NamedTuple):
    """The alternatives that lie in the same hands."""

    heading: str
    alternatives: tuple[AlternativeText, ...]


def grouped(
    found: Sequence[Alternative], reader: Hands, policy: Policy, lang: Lang
) -> Iterator[HandsText]:
    """Iterate over the alternatives as text, by whose hands they lie in, the reader's first."""
    text = _Text(policy, lang)
    for hands, group in groupby(for_reader(found, reader), key=lambda one: set(one.hands)):
        names = [text.say(hand) for hand in Hands if hand in hands]
        heading = text.say("hands", text.join("and", names))
        yield HandsText(heading, tuple(text.alternative(one) for one in group))


def text_of(one: Alternative, policy: Policy, lang: Lang) -> AlternativeText:
    """Return one alternative as text."""
    return _Text(policy, lang).alternative(one)


def advice(result: Alternatives, reader: Hands, policy: Policy, lang: Lang) -> tuple[str, ...]:
    """Return what lay in a reader's own hands, one sentence each, the nearest first."""
    texts = (
        text_of(one, policy, lang)
        for one in for_reader(result.found, reader)
        if reader in one.hands
    )
    return tuple(f"{text.what} → {text.end}" for text in texts)


def notes(result: Alternatives, lang: Lang) -> Iterator[str]:
    """Iterate over what is said once, after the list."""
    if result.last_resorts:
        acts = ALTERNATIVES(lang, "list").join(
            ALTERNATIVES(lang, "act", command.label(lang)) for command in result.last_resorts
        )
        yield ALTERNATIVES(lang, "last_resorts", acts)
    for name in ("not_looked_at", "counted_otherwise"):
        if count := getattr(result, name):
            yield ALTERNATIVES(lang, name, count)


class _Text:
    """Texts in one language and the policy's time zone."""

    def __init__(self, policy: Policy, lang: Lang) -> None:
        self._policy = policy
        self._lang: Lang = lang
        self._zone = ZoneInfo(policy.calendar.zone)

    def say(self, name: str, /, *values: object, **named: object) -> str:
        return ALTERNATIVES(self._lang, name, *values, **named)

    def join(self, name: str, parts: Sequence[str]) -> str:
        return self.say(name).join(parts)

    def time(self, at: datetime) -> str:
        return local_time(at, self._zone, beside=at)

    def alternative(self, one: Alternative) -> AlternativeText:
        what = self.join("both", [self.edit(edit) for edit in one.edits])
        if one.presupposes:
            what = self.say("if_true", what)
        seqs = sorted({edit.seq for edit in one.edits})
        return AlternativeText(SIGNS[one.grade], what, tuple(seqs), self.end(one))

    # ---- what would have been otherwise ----------------------------------------------------------

    def edit(self, edit: Edit) -> str:
        match edit:
            case Moved():
                return self.say(
                    "moved" if edit.before is None else "moved_before",
                    before=edit.before,
                    act=self.act(edit.command),
                    at=self.time(edit.at),
                    was=self.time(edit.was),
                    late=duration_text(edit.earlier, self._lang),
                )
            case Completed():
                return self.completed(edit)
            case Acted():
                return self.acted(edit)
            case Shown():
                return self.shown(edit)
            case Dropped():
                return self.say("dropped", who=self.role(edit.command), act=self.act(edit.command))
            case OtherPolicy():
                field = POLICY_FIELDS[edit.name][self._lang == "en"]
                return self.say("policy", field=field, value=self.value(edit))

    def act(self, command: Command) -> str:
        if isinstance(command, ChooseOption):
            return self.say("choice", command.option.label(self._lang))
        return self.say("act", command.type.label(self._lang))

    def role(self, command: Command) -> str:
        return command.by.role.label(self._lang)

    def completed(self, edit: Completed) -> str:
        act = self.act(edit.command)
        if not edit.reasons and edit.until is not None:
            return self.say("until", act=act, until=self.time(edit.until))
        lacked = [reason.unlock.text(self._lang) for reason in edit.reasons]
        return self.say("completed", act=act, lacked=self.join("joined", lacked))

    def acted(self, edit: Acted) -> str:
        command, act = edit.command, self.act(edit.command)
        if edit.until is not None:
            name = "extended_to" if isinstance(command, ExtendDeadline) else "up_to"
            act += self.say(name, self.time(edit.until))
        if edit.reasons:
            label = self._policy.evidence_reasons[edit.reasons[0]].label.label(self._lang)
            act += self.say("reasons" if edit.reasons[1:] else "reason", len(edit.reasons), label)
        if edit.instead_of is not None:
            return self.say("instead", who=self.role(command), act=act)
        name = "acted" if edit.before is None else "acted_before"
        who, at = self.role(command), self.time(edit.at)
        return self.say(name, who=who, act=act, at=at, before=edit.before)

    def shown(self, edit: Shown) -> str:
        facts = list[str]()
        for fact, was in zip(edit.facts, edit.was, strict=True):
            text = self.say(fact.name)
            if was is not None and was > edit.by:
                late = duration_text(was - edit.by, self._lang)
                text = self.say("was", fact=text, was=self.time(was), late=late)
            facts.append(text)
        return self.say("shown", facts=self.join("list", facts), by=self.time(edit.by))

    def value(self, edit: OtherPolicy) -> str:
        value = edit.value
        if value is None:
            return self.say("off")
        if isinstance(value, dict):
            return next(self.say(unit, hours) for unit, hours in value.items())
        words = {"silence": Silence, "denial": Denial}.get(edit.name)
        return str(value) if words is None else words(str(value)).label(self._lang)

    # ---- where it leads --------------------------------------------------------------------------

    def end(self, one: Alternative) -> str:
        dispute = one.course.dispute
        state = self.join("list", [state.label(self._lang) for state in dispute.states])
        outcome = one.outcome or one.foreseen
        label = "" if outcome is None else outcome.label(self._lang)
        match one.grade:
            case Grade.RECORDED:
                return self.say("ends", state=state, outcome=label)
            case Grade.UNOPPOSED:
                return self.say("unopposed", state=state, outcome=label)
            case Grade.AWAITED:
                who = [role.label(self._lang) for role in awaited(dispute)]
                return self.say("awaited", state=state, who=self.join("and", who))
            case Grade.CHANCE:
                until = one.course.waits_until
                if until is None:
                    return self.say("chance_open", state=state)
                return self.say("chance", state=state, until=self.time(until))
