"""The view `history`: one dispute's way over the chart, its deadlines against what really happened, and every step in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispute_fsm.diagrams.formatting import Voice
from dispute_fsm.diagrams.model import Machine, machine_of
from dispute_fsm.diagrams.picture import (
    Bar,
    BarMark,
    Bars,
    Face,
    Lane,
    Line,
    Mark,
    Picture,
    TextRow,
    TextTable,
    View,
    active,
    cell,
    leaves,
    taken,
)
from dispute_fsm.diagrams.views.chart import BEGIN, Remark, machine_picture
from dispute_fsm.domain.enums import Deadline, Lang, PickupKind
from dispute_fsm.domain.events import AuditEvent, DisputeOpened
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.messages import Messages
from dispute_fsm.domain.policy import Policy
from dispute_fsm.history.timeline import TimelineEntry, local_time, timeline
from dispute_fsm.history.timeline_text import details, duration_text, ended_deadline_text, headline
from dispute_fsm.rules.registry import rule_version

_WORDS = Messages(
    {
        "title": (
            "纠纷 {dispute} 的处理经过 · 规则 {rules}",
            "The way of dispute {dispute} · rules {rules}",
        ),
        "who": (
            "订单 {order} · 商家 {merchant} · 消费者 {consumer}",
            "order {order} · merchant {merchant} · consumer {consumer}",
        ),
        "read": (
            (
                "走过的流程标有步骤编号，未走到的部分淡化显示。步骤编号即事件序号；"
                "被拒绝的请求不改变状态，只列在下表中。"
            ),
            (
                "What was taken bears the numbers of its steps, the rest is faded. A step's "
                "number is that of its event; a refused request "
                "changes nothing and stands in the table only."
            ),
        ),
        "steps": ("第 {} 步", "step {}"),
        "here": ("目前在此", "here now"),
        "ended": ("在此结束", "ended here"),
        "timeline": ("时限与实际进展", "Deadlines, and what really happened"),
        "zone": ("时间均为 {}", "all times are of {}"),
        "table": ("逐步记录", "Every step"),
        "number": ("#", "#"),
        "when": ("时间", "when"),
        "what": ("事件", "what happened"),
        "told": ("处理经过与核查结果", "what was said and seen"),
        "order": ("订单系统：{}", "order system: {}"),
        "paid": ("付款", "paid"),
        "cancel": ("申请取消", "cancel request"),
        "refund": ("退款完成", "refunded"),
        "shipped": ("发货", "shipped"),
        "scanned": ("揽件", "picked up"),
        "record": ("物流记录（非揽件）", "carrier record, no pickup"),
        "moved": ("由 {was} 延至 {due}", "moved from {was} to {due}"),
        "due": ("截止 {due}", "due {due}"),
        "in_time": ("截止 {due}，{ended}", "due {due}, {ended}"),
        "overdue": ("截止 {due}，届满 {late}后系统处理", "due {due}, acted on {late} later"),
        "open": ("截止 {due}，仍在计时", "due {due}, still running"),
    }
)


_DRAWN = {ord("✗"): "×"}
"""A sign of the terminal's that few fonts have, and one that they do have."""


@dataclass(frozen=True, slots=True)
class HistoryStory:
    """One dispute as it is told: its way over the chart, its deadlines, its steps."""

    voice: Voice
    events: tuple[AuditEvent, ...]
    entries: tuple[TimelineEntry, ...]

    def say(self, name: str, /, *words: object, **named: object) -> str:
        """Say a sentence of this view."""
        return _WORDS(self.voice.lang, name, *words, **named)

    def title(self) -> str:
        """Name the dispute."""
        return self.say("title", dispute=self.events[0].dispute_id, rules=self.voice.rules)

    def notes(self) -> tuple[str, ...]:
        """Say whose dispute it is, and how to read what follows."""
        first = self.events[0]
        whose = (
            (
                self.say(
                    "who",
                    order=first.order_id,
                    merchant=first.merchant_id,
                    consumer=first.consumer_id,
                ),
            )
            if isinstance(first, DisputeOpened)
            else ()
        )
        return (*whose, self.say("read"))

    # ---- the way over the chart ------------------------------------------------------------------

    def picture(self) -> Picture:
        """Draw its way over the chart."""
        machine = self.voice.machine
        steps: dict[str, list[int]] = {}
        visited: set[str] = {BEGIN}
        for event in self.events:
            if (arrow := taken(machine, event)) is not None:
                steps.setdefault(arrow.id, []).append(event.seq)
                visited |= {*active(event.target)}
        remarks = {arrow.id: self._remark(steps.get(arrow.id)) for arrow in machine.arrows}
        remarks |= {
            state.id: Remark(Mark.PLAIN if state.id in visited else Mark.FADED)
            for state in machine.states
            if state.kind == "leaf"
        }
        remarks |= {
            name: Remark(Mark.LIT, self.say(self._where(machine)))
            for name in leaves(self.events[-1].target)
        }
        return machine_picture(self.voice, remarks, brief=True)

    def _where(self, machine: Machine) -> str:
        return (
            "ended"
            if all(machine.state(name).closed for name in leaves(self.events[-1].target))
            else "here"
        )

    def _remark(self, steps: list[int] | None) -> Remark:
        if steps is None:
            return Remark(Mark.FADED)
        return Remark(Mark.LIT, self.say("steps", self.voice.say("comma").join(map(str, steps))))

    # ---- the timeline ----------------------------------------------------------------------------

    def bars(self) -> Bars:
        """Draw its deadlines against what really happened."""
        zone = self.entries[0].zone
        lanes = [lane for deadline in Deadline if (lane := self._lane(deadline)) is not None]
        lanes += self._facts()
        spans = [instant for lane in lanes for bar in lane.bars for instant in (bar.start, bar.end)]
        moments = [entry.at for entry in self.entries]
        start, end = min([*moments, *spans]), max([*moments, *spans])
        return Bars(
            id="timeline",
            title=self.say("timeline"),
            zone=zone.key,
            start=start,
            end=max(end, start + timedelta(minutes=1)),
            moments=tuple(self._moment(entry) for entry in self.entries),
            lanes=tuple(lanes),
            notes=(self.say("zone", zone.key),),
        )

    def _moment(self, entry: TimelineEntry) -> BarMark:
        when, what, who = headline(entry, self.voice.lang)
        return BarMark(
            number=str(entry.seq),
            at=entry.at,
            words=f"#{entry.seq} {when} {what} ({who})",
            tone=entry.actor.role.value,
        )

    def _lane(self, deadline: Deadline) -> Lane | None:
        """Show each time that a deadline ran: what was used of it, and what was left or how late it was acted on."""
        bars: list[Bar] = []
        begun: datetime | None = None
        for entry in self.entries:
            deadlines = entry.deadlines
            if deadline in deadlines.started:
                begun = entry.at
            elif deadline in deadlines.moved and begun is not None:
                was, due = deadlines.moved[deadline]
                words = self.say("moved", was=self._time(was), due=self._time(due))
                bars.append(Bar(start=begun, end=entry.at, words=words, mark=Mark.LIT))
                begun = entry.at
            if deadline in deadlines.ended and begun is not None:
                expired = deadlines.expired
                late = None if expired is None or expired.deadline is not deadline else expired.late
                bars += self._ran(begun, entry, deadline, late=late)
                begun = None
        if begun is not None:
            due = self.entries[-1].deadlines.current[deadline]
            bars.append(
                Bar(
                    start=begun,
                    end=due,
                    words=self.say("open", due=self._time(due)),
                    mark=Mark.PLAIN,
                )
            )
        return (
            Lane(id=f"lane-{deadline.value}", label=self.voice.label(deadline), bars=tuple(bars))
            if bars
            else None
        )

    def _ran(
        self, begun: datetime, entry: TimelineEntry, deadline: Deadline, *, late: timedelta | None
    ) -> Iterator[Bar]:
        ended, due = entry.at, entry.deadlines.ended[deadline]
        if late is not None:
            words = self.say(
                "overdue", due=self._time(due), late=duration_text(late, self.voice.lang)
            )
            yield Bar(start=begun, end=due, words="", mark=Mark.LIT)
            yield Bar(start=due, end=ended, words=words, mark=Mark.MISSED)
        elif ended <= due:
            how = ended_deadline_text(deadline, entry, due - ended, self.voice.lang)
            words = self.say("in_time", due=self._time(due), ended=how)
            yield Bar(start=begun, end=ended, words="", mark=Mark.LIT)
            yield Bar(start=ended, end=due, words=words, mark=Mark.FADED)
        else:
            yield Bar(
                start=begun, end=due, words=self.say("due", due=self._time(due)), mark=Mark.LIT
            )

    def _facts(self) -> Iterator[Lane]:
        """Show what the order system last showed, as far as it is dated within what is told."""
        seen = next(
            (entry.facts for entry in reversed(self.entries) if entry.facts is not None), None
        )
        for at, name in () if seen is None else _dated(seen):
            if at >= self.entries[0].at:
                bar = Bar(start=at, end=at, words=self._time(at), mark=Mark.LIT)
                yield Lane(id=f"lane-{name}", label=self.say("order", self.say(name)), bars=(bar,))

    def _time(self, at: datetime) -> str:
        return local_time(at, self.entries[0].zone, beside=self.entries[0].at)

    # ---- every step ------------------------------------------------------------------------------

    def table(self) -> TextTable:
        """Tell every step."""
        return TextTable(
            id="steps",
            title=self.say("table"),
            heads=tuple(self.say(name) for name in ("number", "when", "what", "told")),
            widths=(4, 18, 26, 70),
            rows=tuple(self._row(entry) for entry in self.entries),
        )

    def _row(self, entry: TimelineEntry) -> TextRow:
        when, what, who = headline(entry, self.voice.lang)
        told: list[str] = []
        for label, text in details(entry, self.voice.lang):
            told.append(
                (f"{label}{self.voice.say('colon')}{text}" if label else text).translate(_DRAWN)
            )
        return TextRow(
            id=f"step-{entry.seq}",
            tone=entry.actor.role.value,
            cells=(
                cell(str(entry.seq), face=Face.STRONG),
                cell(when),
                (Line(what, Face.STRONG), Line(who)),
                cell(*told),
            ),
        )


def history(events: Sequence[AuditEvent], policy: Policy, lang: Lang) -> View:
    """Show one dispute by its events, from the opening on, under the policy that it keeps.

    Raises `InputError` where an event took an edge that its rule version does not have here.
    """
    story = story_of(events, policy, lang)
    picture = story.picture()
    parts = (picture, story.bars(), story.table())
    return View(
        name="history",
        lang=lang,
        title=story.title(),
        notes=story.notes(),
        parts=parts,
        graph=picture,
    )


def story_of(events: Sequence[AuditEvent], policy: Policy, lang: Lang) -> HistoryStory:
    """Gather what is told of a dispute."""
    machine = machine_of(rule_version(events[0].rules), policy)
    return HistoryStory(Voice(machine, lang), tuple(events), timeline(events, policy))


def _dated(facts: OrderFacts) -> Iterator[tuple[datetime, str]]:
    shipment, pickup, refund, cancel = (
        facts.shipment,
        facts.pickup,
        facts.refund,
        facts.cancel_request,
    )
    if facts.paid_at is not None:
        yield facts.paid_at, "paid"
    if shipment is not None and shipment.shipped_at is not None:
        yield shipment.shipped_at, "shipped"
    if pickup is not None and pickup.scanned_at is not None:
        yield pickup.scanned_at, "scanned" if pickup.kind is PickupKind.PICKED_UP else "record"
    if refund is not None and refund.completed_at is not None:
        yield refund.completed_at, "refund"
    if cancel is not None and cancel.submitted_at is not None:
        yield cancel.submitted_at, "cancel"
