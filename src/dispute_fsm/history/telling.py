"""A timeline in words, zh or en: `headline` and `details` say an entry, `standing_details` how things stand, `lines` it all as text.

Every text comes out on one line and without control characters, whatever was written into the
history.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from unicodedata import east_asian_width
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from dispute_fsm.domain.commands import Actor
from dispute_fsm.domain.enums import (
    QUESTIONS,
    SEEN,
    SEEN_VALUES,
    CommandType,
    Deadline,
    EventType,
    Labelled,
    Lang,
    Outcome,
    RefusalCode,
    StateName,
)
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import Bilingual, Term
from dispute_fsm.domain.scalars import FrozenMap, format_duration, parse_duration, parse_instant
from dispute_fsm.history.timeline import (
    Looked,
    Personal,
    Said,
    SaidVoucher,
    TimelineEntry,
    TimelineState,
    guard_words,
    local_time,
)
from dispute_fsm.machine.guard import GuardKind, Seen
from dispute_fsm.rules.guards.selectors import EXTENDED, FAILED, NAMED
from dispute_fsm.terminal import printable

_SAID: Mapping[str, tuple[str, str]] = FrozenMap(
    {
        "option": ("方案", "option"),
        "agreed_until": ("约定时间", "agreed date"),
        "reason": ("举证理由", "reason"),
        "rollout": ("灰度", "rollout"),
        "vouchers": ("凭证", "voucher"),
        "note": ("备注", "note"),
        "statement": ("情况说明", "statement"),
        "rationale": ("理由", "rationale"),
        "until": ("延长至", "until"),
        "deadline": ("延长的时限", "concerns"),
    }
)
"""The members of the payloads."""

_WORDS: Mapping[Lang, Mapping[str, str]] = FrozenMap(
    {
        "zh": FrozenMap(
            {
                "refused": "原因",
                "seen": "核查结果",
                "order": "订单",
                "state": "状态",
                "outcome": "结果",
                "deadline": "时限",
                "next": "后续",
                "option": "方案",
                "colon": "：",
                "comma": "；",
                "list": "、",
                "saw": "{text}（{values}）",
                "due": "{deadline}截止 {due}",
                "due_alone": "截止 {due}",
                "yes": "是",
                "no": "否",
                "none": "无",
                "blank": "（空白）",
                "erased": "已清除（{length} 字）",
                "paid": "付款 {at}",
                "unpaid": "未付款",
                "shipped": "发货 {at}",
                "not_shipped": "未发货",
                "no_pickup": "无揽件记录",
                "cancel": "取消申请{status} {at}",
                "refund": "{scope}退款{status} {at}",
                "undated": "（时间未知）",
                "ahead": "{at}（晚于查询时间，尚不计入）",
                "began": "{deadline}开始计时：{due} 截止{runs}",
                "hours": "（{hours} 小时）",
                "working_hours": "（{hours} 个工作小时）",
                "grace": "（约定时间之后再等 {grace}，等待揽件信息同步）",
                "moved": "{deadline}由 {was} 延至 {due}",
                "response_met": "商家已响应，比时限提前 {left}",
                "confirmation_met": "消费者已表态，比时限提前 {left}",
                "promise_met": "已按约定发货并揽件，比时限提前 {left}",
                "evidence_met": "商家已举证，比时限提前 {left}",
                "ended": "{deadline}停止计时，剩余 {left}",
                "over": "{deadline}已于 {due} 届满",
                "passed": "{deadline}已于 {due} 届满，届满 {late}后系统处理",
                "left": "{deadline}：{due} 截止，剩余 {left}",
                "late": "{deadline}：已于 {due} 届满，已过 {late}",
                "idle": "（当前状态下届满不触发处理）",
                "expires": "若无其他操作，{due} 之后系统按“{event}”处理",
                "waits": "当前无时限，等待相关方操作",
                "agreed": "约定时间 {at}",
                "confirmed": "协商一致已获确认",
            }
        ),
        "en": FrozenMap(
            {
                "refused": "because",
                "seen": "seen",
                "order": "order",
                "state": "state",
                "outcome": "outcome",
                "deadline": "deadline",
                "next": "next",
                "option": "option",
                "colon": ": ",
                "comma": "; ",
                "list": ", ",
                "saw": "{text} [{values}]",
                "due": "{deadline}: {due}",
                "due_alone": "{deadline}: {due}",
                "yes": "yes",
                "no": "no",
                "none": "none",
                "blank": "(blank)",
                "erased": "erased ({length} characters)",
                "paid": "paid {at}",
                "unpaid": "not paid",
                "shipped": "shipped {at}",
                "not_shipped": "not shipped",
                "no_pickup": "no pickup record",
                "cancel": "cancel request {status} {at}",
                "refund": "{scope} refund {status} {at}",
                "undated": "(undated)",
                "ahead": "{at} (after the look: does not count yet)",
                "began": "{deadline} begins: due {due}{runs}",
                "hours": " ({hours} h)",
                "working_hours": " ({hours} h of working time)",
                "grace": " (the agreed date, and {grace} more for the scan to reach us)",
                "moved": "{deadline} moves from {was} to {due}",
                **{
                    f"{deadline.value}_met": "{deadline} ends with {left} left"
                    for deadline in Deadline
                },
                "ended": "{deadline} ends with {left} left",
                "over": "{deadline} ends; it was due {due}",
                "passed": "{deadline} was due {due}; acted on {late} later",
                "left": "{deadline}: due {due}, {left} left",
                "late": "{deadline}: was due {due}, passed {late} ago",
                "idle": " (its passing triggers nothing in this state)",
                "expires": "unless something happens before, the system acts after {due}: {event}",
                "waits": "no deadline runs; it waits for a person",
                "agreed": "agreed date {at}",
                "confirmed": "the agreement is confirmed",
            }
        ),
    }
)
"""All else that is said."""

_CHANGED: Mapping[str, tuple[str, str]] = FrozenMap(
    {
        "type": ("事件类型", "type"),
        "target": ("下一状态", "target"),
        "deadlines": ("时限", "deadlines"),
        "outcome": ("结果", "outcome"),
        "refused": ("拒绝原因", "refused"),
        "facts": ("查看了订单数据", "facts"),
        "checks": ("核查结果", "checks"),
        "chart": ("规则状态图", "chart"),
    }
)
"""The members of an event that a replay may find changed."""

_CHANGED_VALUES: Mapping[str, type[Labelled]] = FrozenMap(
    {"type": EventType, "outcome": Outcome, "refused": RefusalCode}
)

_UNCLEAR = frozenset({EXTENDED.name, NAMED.name, FAILED.name})
"""The questions whose answers do not say what is asked."""

_MEETS: Mapping[Deadline, tuple[CommandType, ...]] = FrozenMap(
    {
        Deadline.RESPONSE: (CommandType.CHOOSE_OPTION,),
        Deadline.CONFIRMATION: (CommandType.CONFIRM_AGREEMENT, CommandType.DENY_AGREEMENT),
        Deadline.PROMISE: (),
        Deadline.EVIDENCE: (CommandType.SUBMIT_EVIDENCE,),
    }
)
"""The commands that do what a deadline is for; the promise is kept by what the order shows."""
_STATES = FrozenMap({state.value: state for state in StateName})
_NO_MARKS: Mapping[int, Sequence[str]] = FrozenMap({})
_INDENT = "    "


def lasting(duration: timedelta, lang: Lang) -> str:
    """Write a duration for people, in whole seconds: `1 天 2 小时`, `1d2h`."""
    words = format_duration(duration)
    if lang == "zh":
        for unit, word in (("d", " 天 "), ("h", " 小时 "), ("m", " 分钟 "), ("s", " 秒 ")):
            words = words.replace(unit, word)
        words = " ".join(words.split())
    return words


def state_label(path: str, lang: Lang) -> str:
    """Name the state at the end of a path; where several are active, each."""
    leaves = [leaf.rpartition(".")[2] for leaf in path.split(",")]
    return " + ".join(_STATES[leaf].label(lang) if leaf in _STATES else leaf for leaf in leaves)


def who(actor: Actor, lang: Lang) -> str:
    """Name an actor: the role, and the id unless it only says the role again."""
    return (
        actor.role.label(lang)
        if actor.id == actor.role.value
        else f"{actor.role.label(lang)} {_visible(actor.id)}"
    )


def headline(entry: TimelineEntry, lang: Lang) -> tuple[str, str, str]:
    """Say an entry in one line: when, what happened, and who did what."""
    return (
        entry.local,
        entry.type.label(lang),
        f"{who(entry.actor, lang)} · {entry.command.label(lang)}",
    )


def details(entry: TimelineEntry, lang: Lang) -> Iterator[tuple[str, str]]:
    """Say what belongs to an entry, line by line, each under its label; the label is empty where it stays the same."""
    return _line_by_line(_Voice(lang, entry.zone, entry.at, entry.reasons).entry(entry))


def checked(entry: TimelineEntry, lang: Lang) -> Iterator[str]:
    """Say what every guard answered and saw, with its name: the whole of what `details` tells in short."""
    voice = _Voice(lang, entry.zone, entry.at, entry.reasons)
    return (f"{voice.looked(looked, everything=True)} · {looked.guard}" for looked in entry.seen)


def standing_details(stood: TimelineState, lang: Lang) -> Iterator[tuple[str, str]]:
    """Say how a dispute stands, line by line, in the form of `details`."""
    return _line_by_line(_Voice(lang, stood.zone, stood.at).standing(stood))


def ended_in_time(deadline: Deadline, entry: TimelineEntry, left: timedelta, lang: Lang) -> str:
    """Say how a deadline ended before it had passed, and how much of it was `left`: by what it was for, or by something else."""
    shipped = deadline is Deadline.PROMISE and entry.outcome is Outcome.SETTLED_BY_AGREED_SHIPMENT
    form = f"{deadline.value}_met" if shipped or entry.command in _MEETS[deadline] else "ended"
    return _WORDS[lang][form].format(deadline=deadline.label(lang), left=lasting(left, lang))


def seen_in_words(guard: str, saw: Mapping[str, JsonValue], lang: Lang, zone: ZoneInfo) -> str:
    """Say what a guard saw, apart from any event: of a question its answer. Instants are shown in the zone, with its offset."""
    voice = _Voice(lang, zone)
    seen = {
        name: cast("Seen", tuple(value) if isinstance(value, list) else value)
        for name, value in saw.items()
    }
    answer = guard_words(guard, seen) if guard in seen else None
    return voice.saw(seen) or voice.word("none") if answer is None else answer.label(lang)


def guard_name(name: str, lang: Lang) -> str:
    """Name a guard or a question in words, with its id."""
    words = guard_words(name, {})
    label = (
        QUESTIONS[name][lang == "en"]
        if name in QUESTIONS
        else None
        if words is None
        else words.label(lang)
    )
    return name if label is None else f"{label} ({name})"


def change_in_words(field: str, value: JsonValue, lang: Lang) -> str:
    """Say a member of an event, which a replay finds changed, as JSON has it."""
    words = _WORDS[lang]
    match value:
        case bool():
            told = words["yes" if value else "no"]
        case str():
            known = _CHANGED_VALUES.get(field)
            told = (
                state_label(value, lang)
                if field == "target"
                else value
                if known is None
                else known(value).label(lang)
            )
        case list():
            told = words["list"].join(change_in_words(field, one, lang) for one in value)
        case dict():
            told = words["list"].join(
                f"{Deadline(name).label(lang)} {due}" for name, due in value.items()
            )
        case _:
            told = "" if value is None else str(value)
    return told or words["none"]


def changed_member(field: str, lang: Lang) -> str:
    """Name a member of an event, which a replay finds changed."""
    return _CHANGED[field][lang == "en"]


def lines(
    entries: Sequence[TimelineEntry], lang: Lang, *, mark: Mapping[int, Sequence[str]] = _NO_MARKS
) -> Iterator[str]:
    """Write a timeline as plain text. `mark` puts lines below the events of these numbers; the last, below what is not there."""
    width = max((len(str(seq)) for seq in (*mark, *(entry.seq for entry in entries))), default=1)
    for entry in entries:
        yield f"#{entry.seq:<{width}}  {'  '.join(headline(entry, lang))}"
        told = list(details(entry, lang))
        column = max((_columns(label) for label, _ in told), default=0)
        for label, text in told:
            yield f"{_INDENT}{label}{' ' * (column - _columns(label))}  {text}"
        yield from _marked(mark.get(entry.seq, ()))
    for seq in sorted(set(mark) - {entry.seq for entry in entries}):
        yield f"#{seq:<{width}}"
        yield from _marked(mark[seq])


def _marked(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        for line in text.splitlines():
            yield f"{_INDENT}>> {_visible(line)}"


@dataclass(frozen=True, slots=True)
class _Voice:
    """Says values in one language, and times in one zone beside the moment that is spoken of."""

    lang: Lang
    zone: ZoneInfo
    at: datetime | None = None
    reasons: Mapping[str, Bilingual] = FrozenMap({})

    def entry(self, entry: TimelineEntry) -> Iterator[tuple[str, str]]:
        for said in entry.said:
            yield self.pair(_SAID, said.name), self.said(said)
        for code in entry.refused:
            yield self.word("refused"), f"{code.label(self.lang)} ({code.value})"
        refused = {code.label(self.lang) for code in entry.refused}
        for looked in entry.seen:
            text = self.looked(looked)
            if looked.telling and text.removeprefix("✗ ") not in refused:
                yield self.word("seen"), text
        if entry.facts is not None:
            yield self.word("order"), self.facts(entry.facts)
        if entry.source != entry.target:
            yield self.word("state"), state_label(entry.target, self.lang)
        if entry.outcome is not None and not entry.refused:
            yield self.word("outcome"), entry.outcome.label(self.lang)
        for line in self.clocks(entry):
            yield self.word("deadline"), line

    def standing(self, stood: TimelineState) -> Iterator[tuple[str, str]]:
        yield self.word("state"), state_label(stood.path, self.lang)
        if stood.outcome is not None:
            yield self.word("outcome"), stood.outcome.label(self.lang)
        if stood.option is not None:
            yield self.word("option"), stood.option.label(self.lang)
        if stood.agreed_until is not None:
            yield self.word("option"), self.word("agreed", at=self.time(stood.agreed_until))
        if stood.confirmed:
            yield self.word("option"), self.word("confirmed")
        for deadline, due in stood.deadlines.items():
            left, name = stood.left(deadline), deadline.label(self.lang)
            form = {"left": self.span(left)} if left >= timedelta(0) else {"late": self.span(-left)}
            text = self.word(next(iter(form)), deadline=name, due=self.time(due), **form)
            yield (
                self.word("deadline"),
                text if deadline in stood.running else text + self.word("idle"),
            )
        if stood.next_due is not None:
            deadline, due = stood.next_due
            yield (
                self.word("next"),
                self.word("expires", due=self.time(due), event=deadline.expiry.label(self.lang)),
            )
        elif not stood.closed:
            yield self.word("next"), self.word("waits")

    def said(self, said: Said) -> str:
        match said.value:
            case Personal():
                return self.personal(said.value)
            case SaidVoucher(kind, media_type, size, name, uri):
                personal = dict.fromkeys(
                    self.personal(part) for part in (name, uri) if part is not None
                )
                return " · ".join([kind.label(self.lang), *personal, media_type, f"{size:,} B"])
            case datetime():
                return self.time(said.value)
            case Labelled():
                return said.value.label(self.lang)
            case str():
                return (
                    said.value
                    if said.words is None
                    else f"{said.words.label(self.lang)} ({said.value})"
                )

    def personal(self, said: Personal) -> str:
        if said.value is None:
            return self.word("erased", length=str(said.length))
        return said.value.strip() or self.word("blank")

    def looked(self, looked: Looked, *, everything: bool = False) -> str:
        if looked.sort is GuardKind.SELECTS:
            asked = looked.guard in _UNCLEAR and looked.saw.get(looked.guard) != "none"
            question = f"{self.pair(QUESTIONS, looked.guard)}{self.word('colon')}" if asked else ""
            return f"{question}{looked.label(self.lang)}"
        text = f"{'✓' if looked.passed else '✗'} {looked.answer(self.lang)}"
        if (looked.passed or looked.of_order) and not everything:
            return text
        saw = {
            name: value
            for name, value in looked.saw.items()
            if everything or not _says_nothing_more(name, value)
        }
        return self.word("saw", text=text, values=values) if (values := self.saw(saw)) else text

    def saw(self, saw: Mapping[str, Seen]) -> str:
        there = {name: value for name, value in saw.items() if value is not None}
        return self.word("comma").join(
            self.one(name, value, alone=len(there) == 1) for name, value in there.items()
        )

    def one(self, name: str, value: Seen, *, alone: bool) -> str:
        if name in set(Deadline) and isinstance(value, str):
            return self.word(
                "due_alone" if alone else "due",
                deadline=Deadline(name).label(self.lang),
                due=self.value(name, value),
            )
        return f"{self.pair(SEEN, name)}{self.word('colon')}{self.value(name, value)}"

    def value(self, name: str, value: Seen) -> str:
        match value:
            case bool():
                return self.word("yes" if value else "no")
            case tuple():
                return self.word("list").join(self.value(name, one) for one in value) or self.word(
                    "none"
                )
            case str():
                return self.id_or_time(name, value)
            case _:
                return str(value)

    def id_or_time(self, name: str, value: str) -> str:
        if name == "state":
            return state_label(value, self.lang)
        if name in SEEN_VALUES:
            word, times, count = value.partition(" x ")
            known = {member.value: member.label(self.lang) for member in SEEN_VALUES[name]}
            return known.get(word, word) + (f" × {count}" if times else "")
        if name == "reasons" and value in self.reasons:
            return self.reasons[value].label(self.lang)
        if name == "max_promise":
            return self.span(parse_duration(value))
        return self.time(instant) if (instant := _instant(value)) else value

    def facts(self, facts: OrderFacts) -> str:
        parts = [
            self.word("unpaid")
            if facts.paid_at is None
            else self.word("paid", at=self.time(facts.paid_at))
        ]
        if (cancel := facts.cancel_request) is not None:
            parts.append(
                self.word(
                    "cancel",
                    status=cancel.status.label(self.lang),
                    at=self.dated(cancel.submitted_at, facts),
                )
            )
        if (refund := facts.refund) is not None:
            words = {
                "scope": refund.scope.label(self.lang),
                "status": refund.status.label(self.lang),
            }
            text = self.word("refund", **words, at=self.dated(refund.completed_at, facts))
            parts.append(" ".join(filter(None, (text, refund.amount, refund.currency))))
        if (shipment := facts.shipment) is None:
            parts.append(self.word("not_shipped"))
        else:
            text = self.word("shipped", at=self.dated(shipment.shipped_at, facts))
            parts.append(" ".join(filter(None, (text, shipment.carrier, shipment.waybill))))
        if (pickup := facts.pickup) is None:
            parts.append(self.word("no_pickup"))
        else:
            parts.append(
                " ".join(
                    filter(
                        None,
                        (
                            pickup.kind.label(self.lang),
                            self.dated(pickup.scanned_at, facts),
                            pickup.waybill,
                        ),
                    )
                )
            )
        return self.word("comma").join(parts)

    def clocks(self, entry: TimelineEntry) -> Iterator[str]:
        clocks, passed = entry.clocks, entry.clocks.passed
        if passed is not None:
            late = self.span(passed.late)
            yield self.word(
                "passed",
                deadline=passed.deadline.label(self.lang),
                due=self.time(passed.due),
                late=late,
            )
        for deadline, due in clocks.ended.items():
            left = due - entry.at
            if passed is None or deadline is not passed.deadline:
                over = left < timedelta(0)
                name, due_then = deadline.label(self.lang), self.time(due)
                yield (
                    self.word("over", deadline=name, due=due_then)
                    if over
                    else ended_in_time(deadline, entry, left, self.lang)
                )
        for deadline, (was, due) in clocks.moved.items():
            yield self.word(
                "moved", deadline=deadline.label(self.lang), was=self.time(was), due=self.time(due)
            )
        for deadline, begun in clocks.began.items():
            yield self.word(
                "began",
                deadline=deadline.label(self.lang),
                due=self.time(begun.due),
                runs=self.runs(begun.runs),
            )
            counted = begun.count
            if counted is not None and (
                counted.skipped or counted.made_up or counted.provisional_years
            ):
                yield counted.text(self.lang)

    def runs(self, runs: Term | timedelta | None) -> str:
        match runs:
            case None:
                return ""
            case timedelta():
                return self.word("grace", grace=self.span(runs)) if runs else ""
            case Term(hours=int(hours)):
                return self.word("hours", hours=str(hours))
            case Term():
                return self.word("working_hours", hours=str(runs.working_hours))

    def word(self, name: str, **parts: str) -> str:
        text = _WORDS[self.lang][name]
        return text.format(**parts) if parts else text

    def pair(self, words: Mapping[str, tuple[str, str]], name: str) -> str:
        return words[name][self.lang == "en"] if name in words else name

    def time(self, instant: datetime) -> str:
        return local_time(instant, self.zone, beside=self.at)

    def dated(self, instant: datetime | None, facts: OrderFacts) -> str:
        if instant is None:
            return self.word("undated")
        return (
            self.time(instant)
            if instant <= facts.observed_at
            else self.word("ahead", at=self.time(instant))
        )

    def span(self, duration: timedelta) -> str:
        return lasting(duration, self.lang)


def _says_nothing_more(name: str, value: Seen) -> bool:
    """Whether a refusal says all that a value says: a yes or no, a count of nothing."""
    return isinstance(value, bool) or value == () or (name in {"count", "length"} and value == 0)


def _line_by_line(told: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    last = ""
    for label, text in told:
        for line in text.splitlines():
            yield "" if label == last else label, _visible(line)
            last = label


def _visible(text: str) -> str:
    return printable(" ".join(text.splitlines()))


def _columns(text: str) -> int:
    """Count the columns that a text takes in a terminal."""
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def _instant(text: str) -> datetime | None:
    try:
        return parse_instant(text)
    except ValueError:
        return None
