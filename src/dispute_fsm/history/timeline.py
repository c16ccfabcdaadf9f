"""One dispute as a timeline: what happened, who did it, what was said and seen, which deadline ran. Pure.

The values: a `TimelineEntry` for each event, and the state of the dispute's deadlines
(`TimelineState`). `telling` formats them; a page, a diagram or a table takes both, and lays them
out in its own way.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.domain.commands import Actor, Commitment, RecordedVoucher
from dispute_fsm.domain.deadlines import term_of
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Labelled,
    Lang,
    Option,
    Outcome,
    RefusalCode,
    VoucherKind,
)
from dispute_fsm.domain.events import AuditEvent, Check, PrivateValue
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import Bilingual, Policy, Term
from dispute_fsm.domain.rollout import RolloutDecision
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.domain.working_time import Count, count
from dispute_fsm.machine.guard import Guard, GuardKind, Seen, Selector
from dispute_fsm.rules.guards.selectors import OPTION
from dispute_fsm.rules.registry import VERSIONS

_NO_GUARD: Mapping[str, tuple[Bilingual, RefusalCode]] = FrozenMap(
    {
        "live": (
            Bilingual(zh="纠纷尚未结束", en="the dispute is live"),
            RefusalCode.DISPUTE_CLOSED,
        ),
        "option_offered": (
            Bilingual(zh="本规则版本提供该方案", en="the rule version offers the option"),
            RefusalCode.OPTION_NOT_OFFERED,
        ),
        "no_option_chosen": (
            Bilingual(zh="尚未选择方案", en="no option was chosen before"),
            RefusalCode.OPTION_ALREADY_CHOSEN,
        ),
        "offered_here": (
            Bilingual(zh="当前状态下可进行该操作", en="this can be done in the present state"),
            RefusalCode.NOT_IN_THIS_STATE,
        ),
        "key_unused": (
            Bilingual(zh="请求编号未被使用", en="the key was not used before"),
            RefusalCode.KEY_REUSED,
        ),
    }
)
"""What is looked at beside the guards of a chart and recorded like them, with the code of its "no"."""


@dataclass(frozen=True, slots=True)
class Personal:
    """A person's own words; `value` is None once they were erased, their length in code points stays."""

    length: int
    value: str | None


@dataclass(frozen=True, slots=True)
class SaidVoucher:
    """A voucher as it was handed in; its name and address are None where none were given."""

    kind: VoucherKind
    media_type: str
    size: int
    file_name: Personal | None
    uri: Personal | None


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that the command said, under its name in the payload; `words` where the value is an id of the policy's."""

    name: str
    value: Labelled | datetime | str | Personal | SaidVoucher
    words: Bilingual | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What one guard answered and saw; `sort` and `words` are None where this package does not know the guard.

    The words of a guard that selects are the answer that it found, not the condition. `code` is the
    refusal that a "no" gave. `of_order`: it looked at the order's facts, which the entry tells as a
    whole. `telling` marks what belongs into the short story: what failed, what was seen of the
    order, what decided the end.
    """

    guard: str
    sort: GuardKind | None
    words: Bilingual | None
    passed: bool
    saw: Mapping[str, Seen]
    of_order: bool
    telling: bool
    code: RefusalCode | None = None

    def label(self, lang: Lang) -> str:
        """Return the guard in words."""
        return self.guard if self.words is None else self.words.label(lang)

    def answer(self, lang: Lang) -> str:
        """Return what it answered in words: what is wrong where it refused, the condition elsewhere."""
        return self.label(lang) if self.code is None else self.code.label(lang)


@dataclass(frozen=True, slots=True)
class Begun:
    """A deadline that began: its due instant, how long it runs (the promise: the grace on top), how working time was counted."""

    due: datetime
    runs: Term | timedelta | None
    count: Count | None


@dataclass(frozen=True, slots=True)
class Passed:
    """The deadline that an expiry acted on, and how long after its due instant."""

    deadline: Deadline
    due: datetime
    late: timedelta


@dataclass(frozen=True, slots=True)
class Clocks:
    """What an event did to the deadlines: which began, moved (from, to) or ended, which stand, which had passed."""

    began: Mapping[Deadline, Begun]
    moved: Mapping[Deadline, tuple[datetime, datetime]]
    ended: Mapping[Deadline, datetime]
    standing: Mapping[Deadline, datetime]
    passed: Passed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One event of the timeline. `at` is in UTC, `local` the same instant in the zone of the policy's calendar.

    `reasons` are the labels of the policy's evidence reasons, by id.
    """

    seq: int
    at: datetime
    zone: ZoneInfo
    type: EventType
    command: CommandType
    actor: Actor
    source: str | None
    target: str
    said: tuple[Said, ...]
    seen: tuple[Looked, ...]
    facts: OrderFacts | None
    refused: tuple[RefusalCode, ...]
    clocks: Clocks
    outcome: Outcome | None
    reasons: Mapping[str, Bilingual]

    @property
    def local(self) -> str:
        """The moment as people in the policy's zone read it."""
        return local_time(self.at, self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineState:
    """How a dispute stood at a moment: every deadline that stands, those that its state acts on, and the one due first."""

    at: datetime
    zone: ZoneInfo
    seq: int
    revision: int
    path: str
    closed: bool
    option: Option | None
    agreed_until: datetime | None
    confirmed: bool
    outcome: Outcome | None
    deadlines: Mapping[Deadline, datetime]
    running: frozenset[Deadline]
    next_due: tuple[Deadline, datetime] | None

    def left(self, deadline: Deadline) -> timedelta:
        """Return how long a deadline has to run; negative once it has passed."""
        return self.deadlines[deadline] - self.at


def timeline(events: Sequence[AuditEvent], policy: Policy) -> tuple[TimelineEntry, ...]:
    """Tell a dispute by its events, from the opening on, under the policy that it keeps."""
    befores: list[Mapping[Deadline, datetime]] = [{}, *(event.deadlines for event in events)]
    reasons = FrozenMap({name: reason.label for name, reason in policy.evidence_reasons.items()})
    return tuple(
        _entry(event, before, policy, reasons)
        for event, before in zip(events, befores, strict=False)
    )


def standing(dispute: Dispute, at: datetime | None = None) -> TimelineState:
    """Say how a dispute stands, at the moment of its last event unless another is given."""
    return TimelineState(
        at=dispute.last_at if at is None else at,
        zone=ZoneInfo(dispute.policy.calendar.zone),
        seq=dispute.seq,
        revision=dispute.revision,
        path=dispute.path,
        closed=dispute.closed,
        option=dispute.option,
        agreed_until=dispute.agreed_until,
        confirmed=dispute.confirmed,
        outcome=dispute.outcome,
        deadlines=dispute.deadlines,
        running=frozenset(dispute.running),
        next_due=next_due(dispute),
    )


def _entry(
    event: AuditEvent,
    before: Mapping[Deadline, datetime],
    policy: Policy,
    reasons: Mapping[str, Bilingual],
) -> TimelineEntry:
    decides = event.outcome is not None or event.command.expires is not None
    return TimelineEntry(
        seq=event.seq,
        at=event.at,
        zone=ZoneInfo(policy.calendar.zone),
        type=event.type,
        command=event.command,
        actor=event.actor,
        source=event.source,
        target=event.target,
        said=tuple(_said(event, policy)),
        seen=tuple(_looked(check, event, decides=decides) for check in event.checks),
        facts=event.facts,
        refused=event.refused,
        clocks=_clocks(event, before, policy),
        outcome=event.outcome,
        reasons=reasons,
    )


def _said(event: AuditEvent, policy: Policy) -> Iterator[Said]:
    for name in type(event.payload).model_fields:
        value: object = getattr(event.payload, name)
        match value:
            case Commitment():
                yield Said(name, _personal(value, event.private.get(f"/payload/{name}")))
            case tuple():
                vouchers: tuple[RecordedVoucher, ...] = value
                for number, voucher in enumerate(vouchers):
                    yield Said(name, _voucher(voucher, f"/payload/{name}/{number}", event.private))
            case Labelled() | datetime():
                yield Said(name, value)
            case RolloutDecision():
                zh = f"{value.reason.zh}，灰度分组 {value.bucket}，{value.percentage}%"
                en = f"{value.reason.en}, bucket {value.bucket}, {value.percentage} %"
                yield Said(name, value.version, Bilingual(zh=zh, en=en))
            case str():
                reason = policy.evidence_reasons.get(value)
                yield Said(name, value, None if reason is None else reason.label)
            case _:  # nothing was said here
                continue


def _personal(said: Commitment, kept: PrivateValue | None) -> Personal:
    return Personal(said.length, None if kept is None else kept.value)


def _voucher(
    voucher: RecordedVoucher, pointer: str, private: Mapping[str, PrivateValue]
) -> SaidVoucher:
    name = (
        None
        if voucher.file_name is None
        else _personal(voucher.file_name, private.get(f"{pointer}/file_name"))
    )
    uri = None if voucher.uri is None else _personal(voucher.uri, private.get(f"{pointer}/uri"))
    return SaidVoucher(voucher.kind, voucher.media_type, voucher.size, name, uri)


def _looked(check: Check, event: AuditEvent, *, decides: bool) -> Looked:
    guard = _guards(event.rules).get(check.guard)
    codes = (
        (_NO_GUARD[check.guard][1],)
        if check.guard in _NO_GUARD
        else ()
        if guard is None
        else guard.codes
    )
    of_order = guard is not None and guard.needs_facts
    decided = (
        decides and isinstance(guard, Selector) and guard.dimension is not OPTION
    )  # which option it is was said before
    sort = None if guard is None else guard.kind
    telling = not check.passed or of_order or decided
    refused = (
        None if check.passed else next((code for code in codes if code in event.refused), None)
    )
    words = _words(check.guard, guard, check.saw)
    return Looked(check.guard, sort, words, check.passed, check.saw, of_order, telling, refused)


def guard_words(name: str, saw: Mapping[str, Seen]) -> Bilingual | None:
    """Return a guard of any rule version in words, of a question the answer that was seen; None where no version knows it."""
    return _words(
        name,
        next((guards[name] for rules in VERSIONS if name in (guards := _guards(rules))), None),
        saw,
    )


def _words(name: str, guard: Guard | None, saw: Mapping[str, Seen]) -> Bilingual | None:
    if guard is None:
        return _NO_GUARD[name][0] if name in _NO_GUARD else None
    if not isinstance(guard, Selector):
        return Bilingual(zh=guard.zh, en=guard.en)
    answer = guard.dimension.answers.get(str(saw.get(name)))
    return None if answer is None else Bilingual(zh=answer[0], en=answer[1])


@lru_cache(maxsize=32)
def _guards(rules: str) -> Mapping[str, Guard]:
    """Collect the guards of a rule version by the name under which they are recorded; none where it is not known here."""
    if rules not in VERSIONS:
        return {}
    return VERSIONS[rules].table.guards()


def _clocks(event: AuditEvent, before: Mapping[Deadline, datetime], policy: Policy) -> Clocks:
    stands, expired = event.deadlines, None if event.refused else event.command.expires
    due = None if expired is None else before.get(expired)
    return Clocks(
        began=FrozenMap(
            {
                deadline: _begun(deadline, event, policy)
                for deadline in stands
                if deadline not in before
            }
        ),
        moved=FrozenMap(
            {d: (before[d], stands[d]) for d in stands if d in before and before[d] != stands[d]}
        ),
        ended=FrozenMap(
            {deadline: was for deadline, was in before.items() if deadline not in stands}
        ),
        standing=stands,
        passed=None if expired is None or due is None else Passed(expired, due, event.at - due),
    )


def _begun(deadline: Deadline, event: AuditEvent, policy: Policy) -> Begun:
    due, term = event.deadlines[deadline], term_of(deadline, policy)
    if deadline is Deadline.PROMISE:
        return Begun(due, policy.scan_grace, None)
    counted = (
        None
        if term is None or term.working_hours is None
        else count(term.working_hours, event.at, policy.calendar)
    )
    # The recorded due instant stands; where today's calendar counts otherwise, its count explains
    # nothing.
    return Begun(due, term, counted if counted is not None and counted.due == due else None)


def local_time(instant: datetime, zone: ZoneInfo, *, beside: datetime | None = None) -> str:
    """Write an instant as people in the zone read it; without its offset where it stands beside one that has the same."""
    there = instant.astimezone(zone)
    same = beside is not None and beside.astimezone(zone).utcoffset() == there.utcoffset()
    return there.strftime(
        f"%Y-%m-%d %H:%M:%S{'.%f' if there.microsecond else ''}{'' if same else ' %z'}"
    )
