"""One dispute as a timeline: events, actors, payloads, checks and deadlines, as values. Pure.

There is a `TimelineEntry` for each event. `timeline_text` formats it; a page, a diagram or a table
arranges it in its own way.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dispute_fsm.domain.commands import Actor, Commitment, RecordedVoucher
from dispute_fsm.domain.deadlines import term_of
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Labelled,
    Lang,
    Outcome,
    RefusalCode,
    VoucherKind,
)
from dispute_fsm.domain.events import AuditEvent, Check, PrivateValue
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.messages import Message
from dispute_fsm.domain.policy import Bilingual, Policy, Term
from dispute_fsm.domain.rollout import RolloutDecision
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.domain.working_time import Count, count
from dispute_fsm.history.messages import CHECKS_OUTSIDE_TABLE
from dispute_fsm.machine.guard import Guard, GuardKind, Seen, Selector
from dispute_fsm.rules.guards.selectors import OPTION
from dispute_fsm.rules.registry import VERSIONS


@dataclass(frozen=True, slots=True)
class PersonalValue:
    """A text that a person wrote.

    `value` is None once it is erased; `length`, in code points, stays.
    """

    length: int
    value: str | None


@dataclass(frozen=True, slots=True)
class VoucherEntry:
    """A submitted voucher; its file name and URI are None where none were given."""

    kind: VoucherKind
    media_type: str
    size: int
    file_name: PersonalValue | None
    uri: PersonalValue | None


@dataclass(frozen=True, slots=True)
class PayloadEntry:
    """One member of a command's payload; `reason` is the label of an evidence reason."""

    name: str
    value: Labelled | datetime | str | PersonalValue | VoucherEntry | RolloutDecision
    reason: Bilingual | None = None


@dataclass(frozen=True, slots=True)
class CheckEntry:
    """The result of one guard, and what it saw.

    `kind` and `text` are None where this package does not know the guard. The text of a selector is
    its answer, not its condition. `code` is the refusal of a guard that failed. `needs_facts`: it
    saw the order's facts, which the entry has as a whole. `in_summary` marks the checks of a short
    timeline: what failed, what was seen of the order, what decided the end.
    """

    guard: str
    kind: GuardKind | None
    text: Message | None
    passed: bool
    saw: Mapping[str, Seen]
    needs_facts: bool
    in_summary: bool
    code: RefusalCode | None = None

    def label(self, lang: Lang) -> str:
        """Return the guard's label."""
        return self.guard if self.text is None else self.text.label(lang)

    def result(self, lang: Lang) -> str:
        """Return the refusal of a guard that failed, else the guard's label."""
        return self.label(lang) if self.code is None else self.code.label(lang)


@dataclass(frozen=True, slots=True)
class DeadlineStart:
    """A deadline that started: its due instant, its term, and how working time was counted.

    The term of a promise is the grace after the agreed date.
    """

    due: datetime
    term: Term | timedelta | None
    count: Count | None


@dataclass(frozen=True, slots=True)
class DeadlineExpiry:
    """The deadline that an expiry acted on, and how long after its due instant."""

    deadline: Deadline
    due: datetime
    late: timedelta


@dataclass(frozen=True, slots=True)
class DeadlineChanges:
    """The deadlines that an event started, moved (from, to), ended, left, and acted on."""

    started: Mapping[Deadline, DeadlineStart]
    moved: Mapping[Deadline, tuple[datetime, datetime]]
    ended: Mapping[Deadline, datetime]
    current: Mapping[Deadline, datetime]
    expired: DeadlineExpiry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One event of the timeline.

    `at` is in UTC, `local` the same instant in the zone of the policy's calendar. `reasons` are the
    labels of the policy's evidence reasons, by id.
    """

    seq: int
    at: datetime
    zone: ZoneInfo
    type: EventType
    command: CommandType
    actor: Actor
    source: str | None
    target: str
    payload: tuple[PayloadEntry, ...]
    checks: tuple[CheckEntry, ...]
    facts: OrderFacts | None
    refused: tuple[RefusalCode, ...]
    deadlines: DeadlineChanges
    outcome: Outcome | None
    reasons: Mapping[str, Bilingual]

    @property
    def local(self) -> str:
        """The instant as people in the policy's zone read it."""
        return local_time(self.at, self.zone)


def timeline(events: Sequence[AuditEvent], policy: Policy) -> tuple[TimelineEntry, ...]:
    """Return the timeline of a dispute's events, from the opening on, under its policy."""
    before: list[Mapping[Deadline, datetime]] = [{}, *(event.deadlines for event in events)]
    reasons = FrozenMap({name: reason.label for name, reason in policy.evidence_reasons.items()})
    return tuple(
        _entry(event, deadlines, policy, reasons)
        for event, deadlines in zip(events, before, strict=False)
    )


def _entry(
    event: AuditEvent,
    before: Mapping[Deadline, datetime],
    policy: Policy,
    reasons: Mapping[str, Bilingual],
) -> TimelineEntry:
    return TimelineEntry(
        seq=event.seq,
        at=event.at,
        zone=ZoneInfo(policy.calendar.zone),
        type=event.type,
        command=event.command,
        actor=event.actor,
        source=event.source,
        target=event.target,
        payload=tuple(_payload(event, reasons)),
        checks=tuple(_check(check, event) for check in event.checks),
        facts=event.facts,
        refused=event.refused,
        deadlines=_deadlines(event, before, policy),
        outcome=event.outcome,
        reasons=reasons,
    )


def _payload(event: AuditEvent, reasons: Mapping[str, Bilingual]) -> Iterator[PayloadEntry]:
    for name in type(event.payload).model_fields:
        value: object = getattr(event.payload, name)
        pointer = f"/payload/{name}"
        match value:
            case Commitment():
                yield PayloadEntry(name, _personal(value, event.private.get(pointer)))
            case tuple():
                vouchers: tuple[RecordedVoucher, ...] = value
                for number, voucher in enumerate(vouchers):
                    yield PayloadEntry(name, _voucher(voucher, f"{pointer}/{number}", event))
            case Labelled() | datetime() | RolloutDecision():
                yield PayloadEntry(name, value)
            case str():
                yield PayloadEntry(name, value, reasons.get(value))
            case _:  # not given
                continue


def _personal(commitment: Commitment, kept: PrivateValue | None) -> PersonalValue:
    return PersonalValue(commitment.length, None if kept is None else kept.value)


def _voucher(voucher: RecordedVoucher, pointer: str, event: AuditEvent) -> VoucherEntry:
    file_name, uri = (
        None if value is None else _personal(value, event.private.get(f"{pointer}/{name}"))
        for name, value in (("file_name", voucher.file_name), ("uri", voucher.uri))
    )
    return VoucherEntry(voucher.kind, voucher.media_type, voucher.size, file_name, uri)


def _check(check: Check, event: AuditEvent) -> CheckEntry:
    guard = _guards(event.rules).get(check.guard)
    codes = () if guard is None else guard.codes
    if check.guard in CHECKS_OUTSIDE_TABLE:
        codes = (CHECKS_OUTSIDE_TABLE[check.guard][1],)
    needs_facts = guard is not None and guard.needs_facts
    ends = event.outcome is not None or event.command.expires is not None
    # The option is in the payload already.
    decides = ends and isinstance(guard, Selector) and guard.dimension is not OPTION
    return CheckEntry(
        check.guard,
        None if guard is None else guard.kind,
        _check_text(check.guard, guard, check.saw),
        check.passed,
        check.saw,
        needs_facts,
        not check.passed or needs_facts or decides,
        None if check.passed else next((code for code in codes if code in event.refused), None),
    )


def check_text(name: str, saw: Mapping[str, Seen]) -> Message | None:
    """Return the text of a guard of any rule version, or of a selector the answer that it saw.

    None where no version knows the guard.
    """
    known = (_guards(rules)[name] for rules in VERSIONS if name in _guards(rules))
    return _check_text(name, next(known, None), saw)


def _check_text(name: str, guard: Guard | None, saw: Mapping[str, Seen]) -> Message | None:
    if guard is None:
        return CHECKS_OUTSIDE_TABLE[name][0] if name in CHECKS_OUTSIDE_TABLE else None
    if not isinstance(guard, Selector):
        return Message(guard.zh, guard.en)
    answer = guard.dimension.answers.get(str(saw.get(name)))
    return None if answer is None else Message(*answer)


@lru_cache(maxsize=32)
def _guards(rules: str) -> Mapping[str, Guard]:
    """Return the guards of a rule version by their recorded names; none if it is unknown."""
    return VERSIONS[rules].table.guards() if rules in VERSIONS else {}


def _deadlines(
    event: AuditEvent, before: Mapping[Deadline, datetime], policy: Policy
) -> DeadlineChanges:
    after, expired = event.deadlines, None if event.refused else event.command.expires
    due = None if expired is None else before.get(expired)
    return DeadlineChanges(
        started=FrozenMap({d: _start(d, event, policy) for d in after if d not in before}),
        moved=FrozenMap(
            {d: (before[d], after[d]) for d in after if d in before and before[d] != after[d]}
        ),
        ended=FrozenMap({d: was for d, was in before.items() if d not in after}),
        current=after,
        expired=None
        if expired is None or due is None
        else DeadlineExpiry(expired, due, event.at - due),
    )


def _start(deadline: Deadline, event: AuditEvent, policy: Policy) -> DeadlineStart:
    due, term = event.deadlines[deadline], term_of(deadline, policy)
    if deadline is Deadline.PROMISE:
        return DeadlineStart(due, policy.scan_grace, None)
    counted = None
    if term is not None and term.working_hours is not None:
        counted = count(term.working_hours, event.at, policy.calendar)
    # Where today's calendar gives another due instant, its count does not explain the recorded one.
    return DeadlineStart(due, term, counted if counted is not None and counted.due == due else None)


def local_time(instant: datetime, zone: ZoneInfo, *, beside: datetime | None = None) -> str:
    """Format an instant as people in the zone read it.

    The offset is left out where it is that of `beside`, an instant shown next to it.
    """
    local = instant.astimezone(zone)
    same = beside is not None and beside.astimezone(zone).utcoffset() == local.utcoffset()
    return local.strftime(
        f"%Y-%m-%d %H:%M:%S{'.%f' if local.microsecond else ''}{'' if same else ' %z'}"
    )
