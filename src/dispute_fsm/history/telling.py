"""A timeline in words, zh or en: `headline` and `details` say an entry, `standing_details` how things stand, `lines` it all as text.

Every text comes out on one line and without control characters, whatever was written into the history.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from unicodedata import east_asian_width
from zoneinfo import ZoneInfo

from dispute_fsm.history.timeline import Clocks, Entry, Looked, Personal, Said, SaidVoucher, Standing, local_time
from dispute_fsm.rules.commands import Actor
from dispute_fsm.rules.facts import OrderFacts
from dispute_fsm.rules.findings import Seen
from dispute_fsm.rules.guards import Sort
from dispute_fsm.rules.policy import Term
from dispute_fsm.rules.strict import FrozenMap, format_duration, parse_duration, parse_instant
from dispute_fsm.rules.vocabulary import (
    CommandType,
    Deadline,
    Labelled,
    Lang,
    Option,
    Role,
    StateName,
    VoucherKind,
)
from dispute_fsm.terminal import printable

_SAW: Mapping[str, tuple[str, str]] = FrozenMap(
    {
        "role": ("角色", "role"),
        "id": ("编号", "id"),
        **{deadline.value: (deadline.zh, deadline.en) for deadline in Deadline},
        "agreed_until": ("协商时间", "agreed instant"),
        "now": ("当时", "now"),
        "latest": ("最晚", "latest"),
        "max_promise": ("最长期限", "at most ahead"),
        "count": ("数量", "count"),
        "max_count": ("数量上限", "at most"),
        "largest": ("最大文件（字节）", "largest (bytes)"),
        "max_bytes": ("单个上限（字节）", "at most each (bytes)"),
        "together": ("合计（字节）", "together (bytes)"),
        "max_bytes_together": ("合计上限（字节）", "at most together (bytes)"),
        "not_supported": ("不支持的格式", "not supported"),
        "reason_known": ("理由在目录中", "in the catalogue"),
        "reasons": ("目录", "catalogue"),
        "required": ("要求", "asked for"),
        "missing": ("缺少", "missing"),
        "not_accepted": ("不接受", "not accepted"),
        "length": ("字数", "characters"),
        "max_statement": ("字数上限", "at most characters"),
        "confirmed": ("已确认", "confirmed"),
        "used": ("已用次数", "rounds used"),
        "extra_evidence_rounds": ("次数上限", "rounds allowed"),
        "until": ("新时限", "until"),
        "was": ("原时限", "was"),
        "used_by": ("使用该键的事件", "used by event"),
        "state": ("状态", "state"),
        "option": ("方案", "option"),
        "event": ("操作", "event"),
    }
)
"""What guards see beside the order's facts, by the names in which they record it."""

_KINDS: Mapping[str, type[Labelled]] = FrozenMap(
    {
        "role": Role,
        "required": VoucherKind,
        "missing": VoucherKind,
        "not_accepted": VoucherKind,
        "state": StateName,
        "option": Option,
        "event": CommandType,
    }
)
"""What of that is a word of the domain, and of which sort."""

_SAID: Mapping[str, tuple[str, str]] = FrozenMap(
    {
        "option": ("方案", "option"),
        "agreed_until": ("协商时间", "agreed date"),
        "reason": ("理由", "reason"),
        "rollout": ("灰度", "rollout"),
        "vouchers": ("凭证", "voucher"),
        "note": ("备注", "note"),
        "statement": ("说明", "statement"),
        "rationale": ("判定理由", "rationale"),
        "until": ("延长至", "until"),
        "deadline": ("所指时限", "concerns"),
    }
)
"""The members of the payloads."""

_WORDS: Mapping[Lang, Mapping[str, str]] = FrozenMap(
    {
        "zh": FrozenMap(
            {
                "refused": "原因",
                "seen": "所见",
                "order": "订单",
                "state": "状态",
                "outcome": "结果",
                "deadline": "时限",
                "next": "接下来",
                "option": "方案",
                "colon": "：",
                "comma": "；",
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
                "began": "{deadline}开始：{due} 截止{runs}",
                "hours": "（{hours} 小时）",
                "working_hours": "（{hours} 个工作小时）",
                "grace": "（协商时间之后再等 {grace}，以便揽件信息到达）",
                "moved": "{deadline}由 {was} 延至 {due}",
                "ended": "{deadline}结束，剩余 {left}",
                "over": "{deadline}结束，已于 {due} 截止",
                "passed": "{deadline}已于 {due} 截止，{late}后处理",
                "left": "{deadline}：{due} 截止，还剩 {left}",
                "late": "{deadline}：{due} 已截止，过去 {late}",
                "idle": "（本状态下到期不触发处理）",
                "expires": "若无其他操作，{due} 之后由系统处理“{event}”",
                "waits": "没有运行中的时限，等待有关方操作",
                "agreed": "协商时间 {at}",
                "confirmed": "协商已确认",
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
    return actor.role.label(lang) if actor.id == actor.role.value else f"{actor.role.label(lang)} {_visible(actor.id)}"


def headline(entry: Entry, lang: Lang) -> tuple[str, str, str]:
    """Say an entry in one line: when, what happened, and who did what."""
    return entry.local, entry.type.label(lang), f"{who(entry.actor, lang)} · {entry.command.label(lang)}"


def details(entry: Entry, lang: Lang) -> Iterator[tuple[str, str]]:
    """Say what belongs to an entry, line by line, each under its label; the label is empty where it stays the same."""
    return _line_by_line(_Voice(lang, entry.zone, entry.at).entry(entry))


def checked(entry: Entry, lang: Lang) -> Iterator[str]:
    """Say what every guard answered and saw, with its name: the whole of what `details` tells in short."""
    voice = _Voice(lang, entry.zone, entry.at)
    return (f"{voice.looked(looked, everything=True)} · {looked.guard}" for looked in entry.seen)


def standing_details(stood: Standing, lang: Lang) -> Iterator[tuple[str, str]]:
    """Say how a dispute stands, line by line, in the form of `details`."""
    return _line_by_line(_Voice(lang, stood.zone, stood.at).standing(stood))


def lines(entries: Sequence[Entry], lang: Lang, *, mark: Mapping[int, Sequence[str]] = _NO_MARKS) -> Iterator[str]:
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
    at: datetime

    def entry(self, entry: Entry) -> Iterator[tuple[str, str]]:
        for said in entry.said:
            yield self.pair(_SAID, said.name), self.said(said)
        for code in entry.refused:
            yield self.word("refused"), f"{code.label(self.lang)} ({code.value})"
        for looked in entry.seen:
            if looked.telling:
                yield self.word("seen"), self.looked(looked)
        if entry.facts is not None:
            yield self.word("order"), self.facts(entry.facts)
        if entry.source != entry.target:
            yield self.word("state"), state_label(entry.target, self.lang)
        if entry.outcome is not None and not entry.refused:
            yield self.word("outcome"), entry.outcome.label(self.lang)
        for line in self.clocks(entry.clocks):
            yield self.word("deadline"), line

    def standing(self, stood: Standing) -> Iterator[tuple[str, str]]:
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
            yield self.word("deadline"), text if deadline in stood.running else text + self.word("idle")
        if stood.next_due is not None:
            deadline, due = stood.next_due
            yield self.word("next"), self.word("expires", due=self.time(due), event=deadline.expiry.label(self.lang))
        elif not stood.closed:
            yield self.word("next"), self.word("waits")

    def said(self, said: Said) -> str:
        match said.value:
            case Personal():
                return self.personal(said.value)
            case SaidVoucher(kind, media_type, size, name, uri):
                personal = dict.fromkeys(self.personal(part) for part in (name, uri) if part is not None)
                return " · ".join([kind.label(self.lang), *personal, media_type, f"{size:,} B"])
            case datetime():
                return self.time(said.value)
            case Labelled():
                return said.value.label(self.lang)
            case str():
                return said.value if said.words is None else f"{said.words.label(self.lang)} ({said.value})"

    def personal(self, said: Personal) -> str:
        if said.value is None:
            return self.word("erased", length=str(said.length))
        return said.value.strip() or self.word("blank")

    def looked(self, looked: Looked, *, everything: bool = False) -> str:
        if looked.sort is Sort.SELECTS:
            return looked.label(self.lang)
        text = f"{'✓' if looked.passed else '✗'} {looked.label(self.lang)}"
        if (looked.passed or looked.of_order) and not everything:
            return text
        saw = [f"{self.pair(_SAW, name)}{self.word('colon')}{self.value(name, v)}" for name, v in looked.saw.items() if v is not None]
        return f"{text} [{self.word('comma').join(saw)}]" if saw else text

    def value(self, name: str, value: Seen) -> str:
        match value:
            case bool():
                return self.word("yes" if value else "no")
            case tuple():
                return ", ".join(self.value(name, one) for one in value) or self.word("none")
            case str() if name in _KINDS:
                word, _, rest = value.partition(" ")
                known = {member.value: member.label(self.lang) for member in _KINDS[name]}
                return f"{known.get(word, word)} {rest}".rstrip()
            case str() if name == "max_promise":
                return self.span(parse_duration(value))
            case str():
                return self.time(instant) if (instant := _instant(value)) else value
            case _:
                return str(value)

    def facts(self, facts: OrderFacts) -> str:
        parts = [self.word("unpaid") if facts.paid_at is None else self.word("paid", at=self.time(facts.paid_at))]
        if (cancel := facts.cancel_request) is not None:
            parts.append(self.word("cancel", status=cancel.status.label(self.lang), at=self.dated(cancel.submitted_at, facts)))
        if (refund := facts.refund) is not None:
            words = {"scope": refund.scope.label(self.lang), "status": refund.status.label(self.lang)}
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
            parts.append(" ".join(filter(None, (pickup.kind.label(self.lang), self.dated(pickup.scanned_at, facts), pickup.waybill))))
        return self.word("comma").join(parts)

    def clocks(self, clocks: Clocks) -> Iterator[str]:
        passed = clocks.passed
        if passed is not None:
            late = self.span(passed.late)
            yield self.word("passed", deadline=passed.deadline.label(self.lang), due=self.time(passed.due), late=late)
        for deadline, due in clocks.ended.items():
            left = due - self.at
            if passed is None or deadline is not passed.deadline:
                form = "ended" if left >= timedelta(0) else "over"
                yield self.word(form, deadline=deadline.label(self.lang), due=self.time(due), left=self.span(abs(left)))
        for deadline, (was, due) in clocks.moved.items():
            yield self.word("moved", deadline=deadline.label(self.lang), was=self.time(was), due=self.time(due))
        for deadline, begun in clocks.began.items():
            yield self.word("began", deadline=deadline.label(self.lang), due=self.time(begun.due), runs=self.runs(begun.runs))
            counted = begun.count
            if counted is not None and (counted.skipped or counted.made_up or counted.provisional_years):
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
        return self.time(instant) if instant <= facts.observed_at else self.word("ahead", at=self.time(instant))

    def span(self, duration: timedelta) -> str:
        return lasting(duration, self.lang)


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
