"""A timeline as text in Chinese or English.

`headline` and `details` format an entry, `state_details` a state, `timeline_lines` a timeline.
Every text is on one line and has no control characters, whatever the history contains.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from unicodedata import east_asian_width
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.domain.commands import COMMAND_CLASSES, Actor
from dispute_fsm.domain.enums import (
    QUESTIONS,
    SEEN,
    SEEN_VALUES,
    Deadline,
    Labelled,
    Lang,
    Outcome,
    RefusalCode,
    StateName,
)
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.messages import Message
from dispute_fsm.domain.policy import Bilingual, Term
from dispute_fsm.domain.rollout import RolloutDecision
from dispute_fsm.domain.scalars import FrozenMap, format_duration, parse_duration, parse_instant
from dispute_fsm.history.messages import PAYLOAD_MEMBERS, TIMELINE
from dispute_fsm.history.timeline import (
    CheckEntry,
    PayloadEntry,
    PersonalValue,
    TimelineEntry,
    VoucherEntry,
    check_text,
    local_time,
)
from dispute_fsm.machine.guard import GuardKind, Seen
from dispute_fsm.rules.guards.selectors import EXTENDED, FAILED, NAMED
from dispute_fsm.terminal import printable

_MEMBER_VALUES: Mapping[str, type[Labelled]] = FrozenMap(
    {"outcome": Outcome, "refused": RefusalCode}
)
_UNCLEAR = frozenset({EXTENDED.name, NAMED.name, FAILED.name})
"""The selectors whose answers are unclear without the question."""

_STATES = FrozenMap({state.value: state for state in StateName})
_NO_NOTES: Mapping[int, Sequence[str]] = FrozenMap({})
_INDENT = "    "
_KB = 1_024


def duration_text(duration: timedelta, lang: Lang) -> str:
    """Format a duration in whole seconds, e.g. `1d2h`."""
    text = format_duration(duration)
    for unit in "dhms":
        text = text.replace(unit, TIMELINE(lang, unit))
    return " ".join(text.split())


def size_text(size: int) -> str:
    """Format the size of a file in bytes, e.g. `844 KB`; a KB is 1,024 bytes, as in the limits."""
    if size < _KB:
        return f"{size} B"
    if size < _KB**2:
        return f"{size / _KB:.0f} KB"
    return f"{size / _KB**2:.1f}".removesuffix(".0") + " MB"


def state_label(path: str, lang: Lang) -> str:
    """Return the label of the state at the end of a path, or of each of several active ones."""
    leaves = [leaf.rpartition(".")[2] for leaf in path.split(",")]
    return " + ".join(_STATES[leaf].label(lang) if leaf in _STATES else leaf for leaf in leaves)


def actor_label(actor: Actor, lang: Lang) -> str:
    """Return an actor's role, and the id unless it equals the role."""
    role = actor.role.label(lang)
    return role if actor.id == actor.role.value else f"{role} {_printable_line(actor.id)}"


def headline(entry: TimelineEntry, lang: Lang) -> tuple[str, str, str]:
    """Return the head of an entry: time, event, and actor with command."""
    actor = actor_label(entry.actor, lang)
    return entry.local, entry.type.label(lang), f"{actor} · {entry.command.label(lang)}"


def details(entry: TimelineEntry, lang: Lang, *, ids: bool = True) -> Iterator[tuple[str, str]]:
    """Yield the details of an entry line by line, each with its label (empty if repeated).

    Without `ids` what has a label is not followed by its id.
    """
    formatter = _Formatter(lang, entry.zone, entry.at, entry.reasons, ids)
    return _labelled_lines(formatter.entry(entry))


def payload_lines(entry: TimelineEntry, lang: Lang) -> Iterator[tuple[str, str]]:
    """Yield what the command of an entry said line by line, as `details` does, without ids."""
    formatter = _Formatter(lang, entry.zone, entry.at, entry.reasons, ids=False)
    said = ((PAYLOAD_MEMBERS(lang, one.name), formatter.payload(one)) for one in entry.payload)
    return _labelled_lines(said)


def facts_text(entry: TimelineEntry, lang: Lang) -> str | None:
    """Return what the order showed at an entry; None where nobody looked."""
    formatter = _Formatter(lang, entry.zone, entry.at, entry.reasons, ids=False)
    return None if entry.facts is None else _printable_line(formatter.facts(entry.facts))


def deadline_lines(entry: TimelineEntry, lang: Lang) -> Iterator[str]:
    """Yield what an entry did to the deadlines, line by line."""
    return _Formatter(lang, entry.zone, entry.at, entry.reasons).deadlines(entry)


def check_lines(entry: TimelineEntry, lang: Lang) -> Iterator[str]:
    """Yield every check of an entry with all that the guard saw, which `details` shortens."""
    formatter = _Formatter(lang, entry.zone, entry.at, entry.reasons)
    return (f"{formatter.check(check, full=True)} · {check.guard}" for check in entry.checks)


def state_details(
    dispute: Dispute, lang: Lang, at: datetime | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the details of a dispute's state line by line, as `details` does.

    They are as of its last event, unless another instant is given.
    """
    zone, instant = ZoneInfo(dispute.policy.calendar.zone), at or dispute.last_at
    return _labelled_lines(_Formatter(lang, zone, instant).state(dispute, instant))


def order_text(facts: OrderFacts, lang: Lang, zone: ZoneInfo) -> str:
    """Return what the order system showed, with the times in the zone."""
    return _printable_line(_Formatter(lang, zone, facts.observed_at).facts(facts))


def ended_deadline_text(
    deadline: Deadline, entry: TimelineEntry, left: timedelta, lang: Lang
) -> str:
    """Return how a deadline ended before it was due: met, or ended by another event."""
    shipped = deadline is Deadline.PROMISE and entry.outcome is Outcome.SETTLED_BY_AGREED_SHIPMENT
    names = [f"{deadline.value}_met", "met"]
    if not shipped and COMMAND_CLASSES[entry.command].meets is not deadline:
        names = ["ended"]
    name = next(name for name in names if name in TIMELINE)
    event, label = entry.type.label(lang), deadline.label(lang)
    return TIMELINE(lang, name, event=event, deadline=label, left=duration_text(left, lang))


def saw_text(guard: str, saw: Mapping[str, JsonValue], lang: Lang, zone: ZoneInfo) -> str:
    """Return what a guard saw, or the answer of a selector; times are in the zone."""
    values = {
        name: cast("Seen", tuple(value) if isinstance(value, list) else value)
        for name, value in saw.items()
    }
    answer = check_text(guard, values) if guard in values else None
    if answer is not None:
        return answer.label(lang)
    return _Formatter(lang, zone).saw(values) or TIMELINE(lang, "none")


def guard_label(name: str, lang: Lang) -> str:
    """Return the label of a guard or a selector's question, with its id."""
    label = Message(*QUESTIONS[name]) if name in QUESTIONS else check_text(name, {})
    return name if label is None else f"{label.label(lang)} ({name})"


def changed_value(field: str, value: JsonValue, lang: Lang) -> str:
    """Return the text of a member of an event, in its JSON form, that a replay compared."""
    text = ""
    match value:
        case bool():
            text = TIMELINE(lang, "yes" if value else "no")
        case str() if field == "target":
            text = state_label(value, lang)
        case str() if field in _MEMBER_VALUES:
            text = _MEMBER_VALUES[field](value).label(lang)
        case list():
            text = TIMELINE(lang, "list").join(changed_value(field, item, lang) for item in value)
        case None:
            pass
        case _:
            text = str(value)
    return text or TIMELINE(lang, "none")


def timeline_lines(
    entries: Sequence[TimelineEntry], lang: Lang, *, notes: Mapping[int, Sequence[str]] = _NO_NOTES
) -> Iterator[str]:
    """Yield a timeline as plain text.

    `notes` are put below the entries with these numbers, or at the end for numbers without entry.
    """
    width = max((len(str(seq)) for seq in (*notes, *(entry.seq for entry in entries))), default=1)
    for entry in entries:
        yield f"#{entry.seq:<{width}}  {'  '.join(headline(entry, lang))}"
        lines = list(details(entry, lang))
        column = max((_width(label) for label, _ in lines), default=0)
        for label, text in lines:
            yield f"{_INDENT}{label}{' ' * (column - _width(label))}  {text}"
        yield from _note_lines(notes.get(entry.seq, ()))
    for seq in sorted(set(notes) - {entry.seq for entry in entries}):
        yield f"#{seq:<{width}}"
        yield from _note_lines(notes[seq])


def _note_lines(notes: Sequence[str]) -> Iterator[str]:
    return (f"{_INDENT}>> {_printable_line(line)}" for note in notes for line in note.splitlines())


@dataclass(frozen=True, slots=True)
class _Formatter:
    """Formats values in one language and zone; `at` is the instant of the entry or state.

    With `ids`, a label is followed by its id.
    """

    lang: Lang
    zone: ZoneInfo
    at: datetime | None = None
    reasons: Mapping[str, Bilingual] = FrozenMap({})
    ids: bool = True

    def text(self, name: str, **values: object) -> str:
        return TIMELINE(self.lang, name, **values)

    def time(self, instant: datetime) -> str:
        return local_time(instant, self.zone, beside=self.at)

    def duration(self, duration: timedelta) -> str:
        return duration_text(duration, self.lang)

    # ---- entries and states ----------------------------------------------------------------------

    def entry(self, entry: TimelineEntry) -> Iterator[tuple[str, str]]:
        for member in entry.payload:
            yield PAYLOAD_MEMBERS(self.lang, member.name), self.payload(member)
        for code in entry.refused:
            yield self.text("refused"), self.with_id(code.label(self.lang), code.value)
        refused = {code.label(self.lang) for code in entry.refused}
        for check in entry.checks:
            text = self.check(check)
            if check.in_summary and text.removeprefix("✗ ") not in refused:
                yield self.text("seen"), text
        if entry.facts is not None:
            yield self.text("order"), self.facts(entry.facts)
        if entry.source != entry.target:
            yield self.text("state"), state_label(entry.target, self.lang)
        if entry.outcome is not None and not entry.refused:
            yield self.text("outcome"), entry.outcome.label(self.lang)
        for line in self.deadlines(entry):
            yield self.text("deadline"), line

    def state(self, dispute: Dispute, at: datetime) -> Iterator[tuple[str, str]]:
        yield self.text("state"), state_label(dispute.path, self.lang)
        if dispute.outcome is not None:
            yield self.text("outcome"), dispute.outcome.label(self.lang)
        if dispute.option is not None:
            yield self.text("option"), dispute.option.label(self.lang)
        if dispute.agreed_until is not None:
            yield self.text("option"), self.text("agreed", at=self.time(dispute.agreed_until))
        if dispute.confirmed:
            yield self.text("option"), self.text("confirmed")
        for deadline, due in dispute.deadlines.items():
            text = self.text(
                "left" if due >= at else "late",
                deadline=deadline.label(self.lang),
                due=self.time(due),
                duration=self.duration(abs(due - at)),
            )
            idle = "" if deadline in dispute.running else self.text("idle")
            yield self.text("deadline"), text + idle
        if (following := next_due(dispute)) is not None:
            deadline, due = following
            event = deadline.expiry.label(self.lang)
            yield self.text("next"), self.text("expires", due=self.time(due), event=event)
        elif not dispute.closed:
            yield self.text("next"), self.text("waits")

    # ---- payloads --------------------------------------------------------------------------------

    def payload(self, member: PayloadEntry) -> str:
        match member.value:
            case PersonalValue():
                return self.personal(member.value)
            case VoucherEntry():
                return self.voucher(member.value)
            case datetime():
                return self.time(member.value)
            case Labelled():
                return member.value.label(self.lang)
            case RolloutDecision(version=version, bucket=bucket, percentage=percentage):
                reason = member.value.reason.label(self.lang)
                values = {"version": version, "bucket": bucket, "percentage": percentage}
                return self.text("rollout", reason=reason, **values)
            case str():
                reason = "" if member.reason is None else member.reason.label(self.lang)
                return self.with_id(reason, member.value) if reason else member.value

    def with_id(self, label: str, name: str) -> str:
        return f"{label} ({name})" if self.ids else label

    def voucher(self, voucher: VoucherEntry) -> str:
        personal = dict.fromkeys(
            self.personal(value) for value in (voucher.file_name, voucher.uri) if value is not None
        )
        kind = voucher.kind.label(self.lang)
        return " · ".join([kind, *personal, voucher.media_type, size_text(voucher.size)])

    def personal(self, personal: PersonalValue) -> str:
        if personal.value is None:
            return self.text("erased", length=personal.length)
        return personal.value.strip() or self.text("blank")

    # ---- checks ----------------------------------------------------------------------------------

    def check(self, check: CheckEntry, *, full: bool = False) -> str:
        if check.kind is GuardKind.SELECTS:
            if check.guard not in _UNCLEAR or check.saw.get(check.guard) == "none":
                return check.label(self.lang)
            question = Message(*QUESTIONS[check.guard]).label(self.lang)
            return f"{question}{self.text('colon')}{check.label(self.lang)}"
        text = f"{'✓' if check.passed else '✗'} {check.result(self.lang)}"
        if (check.passed or check.needs_facts) and not full:
            return text
        saw = {
            name: value for name, value in check.saw.items() if full or not _is_implied(name, value)
        }
        return self.text("saw", text=text, values=values) if (values := self.saw(saw)) else text

    def saw(self, saw: Mapping[str, Seen]) -> str:
        present = {name: value for name, value in saw.items() if value is not None}
        return self.text("comma").join(
            self.seen(name, value, alone=len(present) == 1) for name, value in present.items()
        )

    def seen(self, name: str, value: Seen, *, alone: bool) -> str:
        text = self.seen_value(name, value)
        if name in set(Deadline) and isinstance(value, str):
            deadline = Deadline(name).label(self.lang)
            return self.text("due_alone" if alone else "due", deadline=deadline, due=text)
        label = Message(*SEEN[name]).label(self.lang) if name in SEEN else name
        return f"{label}{self.text('colon')}{text}"

    def seen_value(self, name: str, value: Seen) -> str:
        match value:
            case bool():
                return self.text("yes" if value else "no")
            case tuple():
                values = (self.seen_value(name, item) for item in value)
                return self.text("list").join(values) or self.text("none")
            case str():
                return self.seen_string(name, value)
            case _:
                return str(value)

    def seen_string(self, name: str, value: str) -> str:
        if name == "state":
            return state_label(value, self.lang)
        if name in SEEN_VALUES:
            member, times, count = value.partition(" x ")
            known = {known.value: known.label(self.lang) for known in SEEN_VALUES[name]}
            return known.get(member, member) + (f" × {count}" if times else "")
        if name == "reasons" and value in self.reasons:
            return self.reasons[value].label(self.lang)
        if name == "max_promise":
            return self.duration(parse_duration(value))
        try:
            return self.time(parse_instant(value))
        except ValueError:  # an id
            return value

    # ---- the order's facts -----------------------------------------------------------------------

    def facts(self, facts: OrderFacts) -> str:
        def at(instant: datetime | None) -> str:
            if instant is None:
                return self.text("undated")
            time = self.time(instant)
            return time if instant <= facts.observed_at else self.text("ahead", at=time)

        paid_at = facts.paid_at
        parts = [
            self.text("unpaid") if paid_at is None else self.text("paid", at=self.time(paid_at))
        ]
        if (cancel := facts.cancel_request) is not None:
            status = cancel.status.label(self.lang)
            parts.append(self.text("cancel", status=status, at=at(cancel.submitted_at)))
        if (refund := facts.refund) is not None:
            scope, status = refund.scope.label(self.lang), refund.status.label(self.lang)
            text = self.text("refund", scope=scope, status=status, at=at(refund.completed_at))
            parts.append(_join(text, refund.amount, refund.currency))
        if (shipment := facts.shipment) is None:
            parts.append(self.text("not_shipped"))
        else:
            text = self.text("shipped", at=at(shipment.shipped_at))
            parts.append(_join(text, shipment.carrier, shipment.waybill))
        if (pickup := facts.pickup) is None:
            parts.append(self.text("no_pickup"))
        else:
            parts.append(_join(pickup.kind.label(self.lang), at(pickup.scanned_at), pickup.waybill))
        return self.text("comma").join(parts)

    # ---- deadlines -------------------------------------------------------------------------------

    def deadlines(self, entry: TimelineEntry) -> Iterator[str]:
        changes, expired = entry.deadlines, entry.deadlines.expired
        if expired is not None:
            yield self.text(
                "passed",
                deadline=expired.deadline.label(self.lang),
                due=self.time(expired.due),
                late=self.duration(expired.late),
            )
        for deadline, due in changes.ended.items():
            if expired is not None and deadline is expired.deadline:
                continue
            if due < entry.at:
                yield self.text("over", deadline=deadline.label(self.lang), due=self.time(due))
            else:
                yield ended_deadline_text(deadline, entry, due - entry.at, self.lang)
        for deadline, (was, due) in changes.moved.items():
            label = deadline.label(self.lang)
            yield self.text("moved", deadline=label, was=self.time(was), due=self.time(due))
        for deadline, start in changes.started.items():
            label, term = deadline.label(self.lang), self.term(start.term)
            yield self.text("began", deadline=label, due=self.time(start.due), runs=term)
            count = start.count
            if count is not None and (count.skipped or count.made_up or count.provisional_years):
                yield count.text(self.lang)

    def term(self, term: Term | timedelta | None) -> str:
        match term:
            case None:
                return ""
            case timedelta():
                return self.text("grace", grace=self.duration(term)) if term else ""
            case Term(hours=int(hours)):
                return self.text("hours", hours=hours)
            case Term():
                return self.text("working_hours", hours=term.working_hours)


def _is_implied(name: str, value: Seen) -> bool:
    """Return whether a refusal implies the value: true or false, or a count of zero."""
    return isinstance(value, bool) or value == () or (name in {"count", "length"} and value == 0)


def _labelled_lines(details: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    last = ""
    for label, text in details:
        for line in text.splitlines():
            yield "" if label == last else label, _printable_line(line)
            last = label


def _join(*parts: str | None) -> str:
    return " ".join(filter(None, parts))


def _printable_line(text: str) -> str:
    return printable(" ".join(text.splitlines()))


def _width(text: str) -> int:
    """Return the number of terminal columns that a text takes."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
