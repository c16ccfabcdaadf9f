"""The other endings as text, grouped by whose hands they lie in. It quotes nobody."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import NamedTuple, cast

from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.domain.commands import COMMAND_CLASSES, ChooseOption, Command, ExtendDeadline
from dispute_fsm.domain.enums import (
    POLICY_FIELDS,
    Deadline,
    Denial,
    Lang,
    RefusalCode,
    Role,
    Silence,
)
from dispute_fsm.domain.policy import Policy
from dispute_fsm.explain.alternatives import Alternative, Alternatives, Grade, for_reader
from dispute_fsm.explain.edits import (
    Acted,
    Completed,
    Dropped,
    Edit,
    Moved,
    OtherPolicy,
    Shown,
)
from dispute_fsm.explain.margins import lack_of
from dispute_fsm.explain.messages import ALTERNATIVES, SIGNS
from dispute_fsm.explain.supposed_facts import Hands
from dispute_fsm.explain.wording import Wording, plural


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
    for hands, group in groupby(for_reader(found, reader), key=lambda one: frozenset(one.hands)):
        yield HandsText(_heading(hands, lang), tuple(text_of(one, policy, lang) for one in group))


def _heading(hands: frozenset[Hands], lang: Lang) -> str:
    """Say in whose hands something lies: where several are named, all have to do their part."""
    if hands == _REFUND:
        return ALTERNATIVES(lang, "hands_refund")
    names = [ALTERNATIVES(lang, hand) for hand in Hands if hand in hands]
    name = "hands" if len(names) == 1 else "hands_together"
    return ALTERNATIVES(lang, name, ALTERNATIVES(lang, "and").join(names))


_NOT_THE_DATE = frozenset(
    {
        RefusalCode.PROMISE_MISSING,
        RefusalCode.PROMISE_NOT_IN_FUTURE,
        RefusalCode.PROMISE_TOO_FAR,
    }
)
"""What an attempt was refused for whose agreed date would not do."""

_REFUND = frozenset({Hands.MERCHANT, Hands.PLATFORM})
"""Where a refund is supposed, which either of them can make."""


def text_of(one: Alternative, policy: Policy, lang: Lang) -> AlternativeText:
    """Return one alternative as text."""
    return _Text(one, policy, lang).whole()


def rests_on_text(text: AlternativeText, lang: Lang) -> str:
    """Return what would have been otherwise, with the recorded events that it is about."""
    seqs = ALTERNATIVES(lang, "list").join(map(str, text.rests_on))
    return ALTERNATIVES(lang, "rests_on", text.what, seqs, s=plural(len(text.rests_on)))


def advice(result: Alternatives, reader: Hands, policy: Policy, lang: Lang) -> tuple[str, ...]:
    """Return what lay in a reader's own hands, one sentence each, the nearest first."""
    texts = (
        text_of(one, policy, lang)
        for one in for_reader(result.found, reader)
        if reader in one.hands
    )
    said = (ALTERNATIVES(lang, "advice", what=text.what, end=text.end) for text in texts)
    return tuple(f"{one[0].upper()}{one[1:]}" for one in said)


def notes(result: Alternatives, lang: Lang) -> Iterator[str]:
    """Iterate over what is said once, after the list."""
    if result.last_resorts:
        acts = list[str]()
        for command in result.last_resorts:
            who = COMMAND_CLASSES[command].roles[0].label(lang)
            act = ALTERNATIVES(lang, command.value, who=who)
            acts.append(ALTERNATIVES(lang, "last_resort", who=who, act=act, sent=act))
        yield ALTERNATIVES(lang, "last_resorts", ALTERNATIVES(lang, "or").join(acts))
    for name in ("not_looked_at", "counted_otherwise"):
        if count := getattr(result, name):
            yield ALTERNATIVES(lang, name, count)


class _Text(Wording):
    """The text of one alternative in one language and the policy's time zone."""

    def __init__(self, one: Alternative, policy: Policy, lang: Lang) -> None:
        super().__init__(lang, policy.calendar.zone)
        self.one = one
        self.policy = policy

    def say(self, name: str, /, *values: object, **named: object) -> str:
        return ALTERNATIVES(self.lang, name, *values, **named)

    def whole(self) -> AlternativeText:
        one = self.one
        first, *more = one.edits
        what = self.edit(first) + "".join(map(self.beside, more))
        if one.presupposes:
            what = self.say("if_true", what)
        # What the order shows beside an act, it shows at the time of the act.
        seqs = {edit.seq for edit in one.edits if edit is first or not isinstance(edit, Shown)}
        return AlternativeText(SIGNS[one.grade], what, tuple(sorted(seqs)), self.end())

    # ---- what would have been otherwise ----------------------------------------------------------

    def edit(self, edit: Edit) -> str:
        match edit:
            case Moved():
                return self.moved(edit)
            case Completed():
                return self.completed(edit)
            case Acted():
                return self.acted(edit)
            case Shown():
                return self.shown(edit)
            case Dropped():
                return self.sent("dropped", edit.command)
            case OtherPolicy():
                field = POLICY_FIELDS[edit.name][self.lang == "en"]
                return self.say("policy", field=field, value=self.value(edit))

    def beside(self, edit: Edit) -> str:
        """Say what else is supposed: what an attempt lacked, or what the order shows then."""
        if isinstance(edit, Shown):
            return self.shown(edit, beside=True)
        edit = cast("Completed", edit)
        return self.say("completed_too", lacks=self.lacks(edit)) + self.up_to(edit)

    def sent(self, name: str, command: Command, **named: object) -> str:
        """Say something about a command that is sent: by whom, and what it is."""
        who = command.by.role.label(self.lang)
        if isinstance(command, ExtendDeadline) and name != "dropped":
            self.day, moved = None, command.deadline
            deadline = self.say("deadline") if moved is None else moved.label(self.lang)
            act = self.say("extended", deadline=deadline, until=self.time(command.until))
        else:
            chosen = command.option if isinstance(command, ChooseOption) else None
            option = chosen and chosen.label(self.lang)
            act = self.say(command.type.value, who=who, option=option)
        return self.say(name, who=who, act=act, sent=act, **named)

    def moved(self, edit: Moved) -> str:
        name = "moved" if edit.before is None else "moved_before"
        at, was = self.time(edit.at), self.time(edit.was)
        return self.sent(name, edit.command, at=at, was=was, late=self.duration(edit.earlier))

    def completed(self, edit: Completed) -> str:
        if not edit.reasons and edit.until is not None:
            return self.say("until", until=self.time(edit.until))
        return self.sent("completed", edit.command, lacks=self.lacks(edit)) + self.up_to(edit)

    def up_to(self, edit: Completed) -> str:
        """Say which date might have been agreed on, where the one that was sent would not do."""
        if edit.until is None or not any(reason.code in _NOT_THE_DATE for reason in edit.reasons):
            return ""
        return self.say("up_to", self.time(edit.until))

    def lacks(self, edit: Completed) -> str:
        start = self.one.course.start
        lacks = (lack_of(reason, start) for reason in edit.reasons)
        return self.join("and", [text for lack in lacks for text in self.lack(lack)])

    def acted(self, edit: Acted) -> str:
        if edit.instead_of is not None:
            act = self.sent("instead", edit.command)
        elif edit.before is not None:
            act = self.sent("acted_before", edit.command, at=self.time(edit.at))
        elif edit.at in self.one.course.start.running.values():
            act = self.sent("acted", edit.command, at=self.time(edit.at))
        else:
            act = self.sent("next", edit.command)
        if edit.until is not None and isinstance(edit.command, ChooseOption):
            act += self.say("up_to", self.time(edit.until))
        if edit.reasons:
            label = self.policy.evidence_reasons[edit.reasons[0]].label.label(self.lang)
            act += self.say("reasons" if edit.reasons[1:] else "reason", len(edit.reasons), label)
        return act

    def shown(self, edit: Shown, *, beside: bool = False) -> str:
        """Say what the order shows when it is looked at, or a person's command needs it.

        How late it was in fact comes at the end behind a single fact, else behind each.
        """
        sent = self.one.course.steps[0].act.command
        by = None if beside else self.time(edit.by)
        if beside:
            say = partial(self.say, "shown_then")
        elif sent.by.role is Role.SYSTEM:
            say = partial(self.say, "shown", by=by)
        else:
            say = partial(self.sent, "shown_at", sent, by=by)
        each = list(zip(edit.facts, edit.was, strict=True))
        if len(each) == 1:
            ((fact, was),) = each
            return self.late(say(facts=self.say(fact.name)), was, edit)
        self.day = None
        facts = [self.late(self.say(fact.name), was, edit) for fact, was in each]
        return say(facts=self.say("facts").join(facts))

    def late(self, text: str, was: datetime | None, edit: Shown) -> str:
        if was is None or was <= edit.by:
            return text
        late = self.duration(was - edit.by)
        return self.say("was", text=text, was=self.time(was), late=late)

    def value(self, edit: OtherPolicy) -> str:
        value = edit.value
        if value is None:
            return self.say("off")
        if isinstance(value, dict):
            return next(self.say(unit, hours) for unit, hours in value.items())
        words = {"silence": Silence, "denial": Denial}.get(edit.name)
        return str(value) if words is None else words(str(value)).label(self.lang)

    # ---- where it leads --------------------------------------------------------------------------

    def end(self) -> str:
        self.day, one = None, self.one
        dispute = one.course.dispute
        state = self.say("list").join(state.label(self.lang) for state in dispute.states)
        outcome = one.outcome or one.foreseen
        label = "" if outcome is None else outcome.label(self.lang)
        match one.grade:
            case Grade.RECORDED:
                return self.say("ends", state=state, outcome=label)
            case Grade.UNOPPOSED:
                return self.say("unopposed", state=state, outcome=label)
            case Grade.AWAITED:
                return self.say("awaited", state=state)
            case Grade.CHANCE:
                until = self.limit(dispute)
                return state if until is None else self.say("chance", state=state, until=until)

    def limit(self, dispute: Dispute) -> str | None:
        """Say until when to act: for a promise that is the agreed time, not when it is checked."""
        due = next_due(dispute)
        if due is None:
            return None
        deadline, at = due
        if deadline is Deadline.PROMISE and dispute.agreed_until is not None:
            at = dispute.agreed_until
        return self.time(at)
