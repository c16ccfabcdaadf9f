"""Made-up histories as production would write them: of any size, from a seed alone, through the real `Disputes`.

Each dispute is a story of its own: a merchant, a consumer, an adjudicator, an order whose facts
come in late, a sweep every few minutes. What people mean to do stands on the story's agenda by
time, and is dropped where the dispute has moved on. A story draws from its own source of chance, so
the n-th dispute is the same however many follow. All stories run until nobody has anything left to
do, which is after they closed.

The stories are merged by business time. Only those that are open are held, whatever the number.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

from dispute_fsm.decider.dispute import next_due
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    DEFAULT_VERSION,
    SYSTEM,
    Actor,
    Command,
    OpenDispute,
)
from dispute_fsm.domain.enums import CommandType, Deadline, Option, Role, StateName, VoucherKind
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.errors import InputError
from dispute_fsm.handler import Disputes, Result
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.rules.guards.selectors import NAMED
from dispute_fsm.rules.registry import rule_version

MOST_DISPUTES = 3_000_000
"""As many as surely open within the years that an instant may lie in."""

T = TypeVar("T")

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_BEGIN = datetime(2023, 4, 3, tzinfo=_SHANGHAI).astimezone(UTC)
_MEAN_GAP = timedelta(minutes=20)
_SWEEP_EVERY = timedelta(minutes=5)
_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)

_BY_HOUR = (
    0.45,
    0.3,
    0.15,
    0.15,
    0.15,
    0.2,
    0.35,
    0.6,
    0.9,
    1.3,
    1.5,
    1.4,
    1.2,
    1.2,
    1.4,
    1.5,
    1.4,
    1.2,
    1.1,
    1.4,
    1.7,
    1.7,
    1.4,
    0.85,
)
_BY_WEEKDAY = (1.2, 1.1, 1.0, 1.0, 1.0, 0.85, 0.85)
_WAKES = 8
"""The hour from which people act; what they would have done at night waits as many hours."""


# ---- who and what there is -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _MerchantProfile:
    """A merchant's temper: hours until an answer, on average; how often nobody answers; how often the first try is a wrong one."""

    id: str
    hours: float
    silent: float
    careless: float


_PROMPT, _SLOW, _SILENT, _CARELESS = (
    (2.0, 0.01, 0.06),
    (9.0, 0.06, 0.1),
    (10.0, 0.5, 0.1),
    (4.0, 0.04, 0.6),
)
_MERCHANTS = tuple(
    _MerchantProfile(f"M-{41007 + 1013 * number}", *temper)
    for number, temper in enumerate((*[_PROMPT] * 6, *[_SLOW] * 4, _SILENT, *[_CARELESS] * 3))
)
_ADJUDICATORS = tuple(Actor(role=Role.ADJUDICATOR, id=f"J-{number}") for number in range(1, 6))

_POLICIES: Sequence[tuple[Policy, float]] = (
    (DEFAULT_POLICY, 71),
    (
        DEFAULT_POLICY.lay_over(
            {
                "denial": "review",
                "silence": "denial",
                "max_promise": "10d",
                "extra_evidence_rounds": 2,
            }
        ),
        18,
    ),
    (DEFAULT_POLICY.lay_over({"silence": "denial"}), 6),
    (DEFAULT_POLICY.lay_over({"confirmation": None, "response": {"working_hours": 9}}), 5),
)
"""The policies under which disputes open, with their weights."""

_ANSWERS: Sequence[tuple[Option, float]] = (
    (Option.CONSUMER_CANCELS, 17),
    (Option.ALREADY_SHIPPED, 30),
    (Option.SHIP_BY_AGREED_DATE, 22),
    (Option.OUT_OF_STOCK_REFUND, 11),
    (Option.PROVE_NO_FAULT, 20),
)
"""What merchants want to answer, with weights."""

_FILES: Mapping[VoucherKind, tuple[str, str]] = {
    VoucherKind.CHAT_SCREENSHOT: ("聊天记录.png", "image/png"),
    VoucherKind.CARRIER_CERTIFICATE: ("物流公司说明.pdf", "application/pdf"),
    VoucherKind.WAYBILL_TRACE: ("物流轨迹.png", "image/png"),
    VoucherKind.OFFICIAL_DOCUMENT: ("官方通知.pdf", "application/pdf"),
    VoucherKind.ORDER_PAGE: ("订单页面截图.jpg", "image/jpeg"),
    VoucherKind.PHOTO: ("包裹照片.jpg", "image/jpeg"),
    VoucherKind.VIDEO: ("打包视频.mp4", "video/mp4"),
    VoucherKind.OTHER: ("其他材料.pdf", "application/pdf"),
}

_STATEMENTS: Mapping[str, str] = {
    "consumer_agreed_later": "消费者在聊天中同意延后发货，已约定新的发货时间，请核实。",
    "consumer_requested_hold": "消费者表示近期不便收货，要求我们暂缓发货，聊天记录见附件。",
    "consumer_unresponsive": "地址信息不全，我们先后两次联系消费者核对，均未得到回复。",
    "presale_or_custom_promise": "该商品为预售，页面已公示发货时间，目前尚未到期。",
    "force_majeure": "仓库所在地连日暴雨，道路封闭，主管部门已发布通知，恢复后第一时间发出。",
    "public_holiday": "下单时正值法定节假日，物流停运公告见附件，节后按顺序发货。",
    "platform_fault": "发货当天后台无法打印面单，页面提示系统异常，截图见附件。",
    "carrier_fault": "包裹已交给物流公司，网点积压未及时揽件，物流公司已出具盖章说明。",
    "shipped_and_picked_up": "包裹已发出并揽件，物流轨迹见附件，信息同步有延迟。",
    "customs_clearance": "包裹正在清关，海关查验时间较长，相关文件与物流轨迹见附件。",
}
_NOTES = (
    "已与消费者电话沟通，双方达成一致。",
    "消费者在聊天中已确认。",
    "已说明情况并致歉。",
    "按协商结果处理。",
)
_REQUESTS = (
    "凭证不清晰，请补充原图。",
    "请补充能显示时间的记录。",
    "请说明未按时发货的具体原因并补充材料。",
)
_UPHELD = (
    "凭证完整，情况属实，支持商家。",
    "聊天记录能证明双方已协商一致。",
    "属于规则规定的免责情形。",
)
_FOUND = (
    "凭证不足以证明所述情况。",
    "未见消费者同意的记录。",
    "所述原因不属于免责情形，判定商家责任。",
)
_EXTENDED = (
    "受天气影响，适当延长时限。",
    "系统维护期间无法操作，顺延。",
    "商家申请延期，理由成立。",
)
_ANNULLED = ("复核发现物流信息同步延迟，撤销判责。", "申诉成立，原判定依据有误。")
_CARRIERS = ("qingniao", "baima", "yunque")


# ---- many stories by time ------------------------------------------------------------------------


def generate(
    disputes: int, seed: int, *, rules: str = DEFAULT_VERSION
) -> Iterator[tuple[AuditEvent, Policy]]:
    """Make the events of this many disputes, each with its policy, by business time; the same arguments give the same events.

    Raises `InputError` for a number that is negative or too large, and for an unknown rule version.
    """
    if not 0 <= disputes <= MOST_DISPUTES:
        raise InputError(f"{disputes} is not between 0 and {MOST_DISPUTES}", field="disputes")
    rule_version(rules)
    return _merged(_stories(disputes, seed, rules))


def _stories(disputes: int, seed: int, rules: str) -> Iterator["_Story"]:
    at = _BEGIN
    for number in range(1, disputes + 1):
        chance = Random(f"{seed}/{number}")  # noqa: S311 -- it makes examples, no secrets
        at = _arrival(at, chance)
        yield _Story(number, chance, at, rules)


def _merged(stories: Iterator["_Story"]) -> Iterator[tuple[AuditEvent, Policy]]:
    """Merge stories that begin one after the other: each that opens brings the next one."""
    ahead: list[tuple[datetime, int, AuditEvent, Policy, Iterator[AuditEvent]]] = []

    def go_on(number: int, policy: Policy, events: Iterator[AuditEvent]) -> None:
        event = next(events, None)
        if event is not None:
            heappush(ahead, (event.at, number, event, policy, events))

    def open_next() -> None:
        story = next(stories, None)
        if story is not None:
            go_on(story.number, story.policy, story.events())

    open_next()
    while ahead:
        _, number, event, policy, events = heappop(ahead)
        yield event, policy
        if event.seq == 1:
            open_next()
        go_on(number, policy, events)


def _arrival(after: datetime, chance: Random) -> datetime:
    """Draw when the next dispute opens: time passes quicker by day than by night."""
    left = chance.expovariate(1) * _MEAN_GAP.total_seconds()
    while True:
        local = after.astimezone(_SHANGHAI)
        pace = _BY_HOUR[local.hour] * _BY_WEEKDAY[local.weekday()]
        end = after.replace(minute=0, second=0) + _HOUR
        room = (end - after).total_seconds() * pace
        if left < room:
            return after + timedelta(seconds=int(left / pace))
        left -= room
        after = end


# ---- one story -----------------------------------------------------------------------------------


class _Story:
    """One dispute: its people, its order, and what they mean to do, by time."""

    def __init__(self, number: int, chance: Random, opened_at: datetime, rules: str) -> None:
        self.number = number
        self.chance = chance
        self.now = opened_at
        self.policy = self._one_of(_POLICIES)
        self.merchant = chance.choice(_MERCHANTS)
        self.adjudicator = chance.choice(_ADJUDICATORS)
        self.shop = Actor(role=Role.MERCHANT, id=self.merchant.id)
        self.consumer = Actor(role=Role.CONSUMER, id=f"C-{chance.randrange(10**9):09d}")
        self.answer = self._one_of(
            [
                (option, weight)
                for option, weight in _ANSWERS
                if option in rule_version(rules).options
            ]
        )
        self.waybill = f"W{chance.randrange(10**11):011d}"
        self._turn = 0
        self._turns: dict[
            StateName, int
        ] = {}  # of each leaf that the dispute is in, the one in which it got there
        self._agenda: list[tuple[datetime, int, int | None, Callable[[], Command | None]]] = []
        self._planned = count()

        self._order_id = f"{chance.randrange(10**12):012d}"
        paid = None if self._happens(0.01) else opened_at - self._between(20, 140)
        self._order = Order(paid_at=paid)
        self._orders = InMemoryOrderSystem({self._order_id: self._order}, name="order-center")
        self._disputes = Disputes(
            self._orders, lambda dispute_id, seq: derived_stamp(self.now, dispute_id, seq)
        )
        self._order_goes_on()
        while self._agenda and self._agenda[0][0] == opened_at:  # known by then
            heappop(self._agenda)[-1]()
        opening = OpenDispute(
            dispute_id=f"D{number:07d}{chance.randrange(10**4):04d}",
            order_id=self._order_id,
            merchant_id=self.shop.id,
            consumer_id=self.consumer.id,
            by=SYSTEM if self._happens(0.1) else self.consumer,
            rules=rules,
            policy=self.policy,
            key=self._key(),
        )
        opened = self._disputes.open(
            opening, at=opened_at
        )  # of an order that exists, by one who may
        self._opened, self.dispute = cast("AuditEvent", opened.event), opened.dispute

    def events(self) -> Iterator[AuditEvent]:
        """Live the story: whatever comes first, the next thing on the agenda or the sweep after the next due instant."""
        yield self._opened
        self._next_turn()
        while True:
            sweep_at = self._next_sweep()
            if sweep_at is not None and (not self._agenda or sweep_at <= self._agenda[0][0]):
                self.now = sweep_at
                answers = self._disputes.sweep(self.dispute, at=self.now)
            elif self._agenda:
                self.now, _, turn, act = heappop(self._agenda)
                answers = self._acted(act) if turn in {None, *self._turns.values()} else ()
            else:
                return
            for answer in answers:
                path, self.dispute = self.dispute.path, answer.dispute
                if answer.event is not None:
                    yield answer.event
                if self.dispute.path != path:
                    self._next_turn()

    def _next_sweep(self) -> datetime | None:
        due = next_due(self.dispute)
        if due is None:
            return None
        late = max(due[1], self.now) - _BEGIN
        return _BEGIN + (late // _SWEEP_EVERY + 1) * _SWEEP_EVERY

    def _acted(self, act: Callable[[], Command | None]) -> tuple[Result, ...]:
        command = act()
        if command is None:  # the order system has learned something
            if StateName.AWAITING_SHIPMENT in self.dispute.states and self._happens(0.65):
                self._plan(
                    self.now + self._between(0.02, 0.3),
                    partial(self._asks, CommandType.OBSERVE_ORDER, SYSTEM),
                )
            return ()
        if command.key is not None and self._happens(
            0.05
        ):  # the network was slow, so it is sent again
            again = partial(self._reuses, command) if self._happens(0.2) else lambda: command
            self._plan(self.now + self._between(0.001, 0.01), again, anyway=True)
        return (self._disputes.send(self.dispute, command, at=self.now),)

    def _next_turn(self) -> None:
        """Let everybody make up their mind about each leaf that was reached; in a region that stays where it is, things go on."""
        turns = {
            StateName.OPENED: self._when_opened,
            StateName.PROPOSING: self._when_opened,
            StateName.AWAITING_CONFIRMATION: self._when_awaiting_confirmation,
            StateName.AWAITING_SHIPMENT: self._when_awaiting_shipment,
            StateName.DENIAL_UNDER_REVIEW: self._when_denial_under_review,
            StateName.AWAITING_EVIDENCE: self._when_awaiting_evidence,
            StateName.UNDER_REVIEW: self._when_under_review,
            StateName.RESOLVED: self._when_resolved,
            StateName.PENALIZED: self._when_penalized,
        }
        before, self._turns = self._turns, {}
        for leaf in self.dispute.states:
            if leaf in before:
                self._turns[leaf] = before[leaf]
                continue
            self._turn += 1
            self._turns[leaf] = self._turn
            if leaf in turns:  # else the region has failed, and waits for the other
                turns[leaf]()
        if self._happens(0.05):
            self._plan(self._soon(3), self._out_of_place)

    # -- chance and time

    def _happens(self, probability: float) -> bool:
        return self.chance.random() < probability

    def _one_of(self, weighted: Sequence[tuple[T, float]]) -> T:
        return self.chance.choices(
            [what for what, _ in weighted], [weight for _, weight in weighted]
        )[0]

    def _between(self, least: float, most: float) -> timedelta:
        return timedelta(seconds=int(self.chance.uniform(least, most) * 3600))

    def _soon(self, hours: float) -> datetime:
        """Draw when a person gets to it, after so many hours on average."""
        return _awake(
            self.now + _MINUTE + timedelta(seconds=int(self.chance.expovariate(1 / hours) * 3600))
        )

    def _at_the_last_moment(self, deadline: Deadline) -> datetime:
        """Draw a moment close to a deadline, a little too late at times."""
        return self.dispute.deadlines[deadline] + timedelta(
            seconds=self.chance.choice((-600, -60, 0, 1, 60, 150))
        )

    def _key(self) -> str:
        return f"k-{self.chance.getrandbits(48):012x}"

    def _plan(
        self, at: datetime, act: Callable[[], Command | None], *, anyway: bool = False
    ) -> None:
        """Put on the agenda what is done unless the dispute has moved on by then; `anyway`: even if it has."""
        heappush(
            self._agenda,
            (
                max(at.replace(microsecond=0), self.now),
                next(self._planned),
                None if anyway else self._turn,
                act,
            ),
        )

    # -- the order's facts

    def _learn(self, known_at: datetime, **facts: object) -> None:
        """Let the order system show facts from an instant on; by their own times they may have happened long before."""

        def learn() -> None:
            self._order = Order.model_validate({**dict(self._order), **facts})
            self._orders.put(self._order_id, self._order)

        self._plan(known_at, learn, anyway=True)

    def _order_goes_on(self) -> None:
        """Lay out what happens to the order by itself, which is also why the merchant answers as it will."""
        if self.answer is Option.ALREADY_SHIPPED or self._happens(0.05):
            self._ships(self.now + self._between(-30, 10))
        if self.answer is Option.CONSUMER_CANCELS:
            asked_at = self.now + self._between(-5, 5)
            if self._happens(0.7):
                self._learn(
                    asked_at + self._between(0, 0.5),
                    cancel_request={"submitted_at": asked_at, "status": "submitted"},
                )
            if self._happens(0.15):
                status = self.chance.choice(("withdrawn", "rejected"))
                self._learn(
                    asked_at + self._between(1, 8),
                    cancel_request={"submitted_at": asked_at, "status": status},
                )
            if self._happens(0.5):
                self._refunds(asked_at + self._between(1, 12))

    def _refunds(self, at: datetime) -> None:
        money = {
            "amount": f"{self.chance.randint(9, 899)}.{self.chance.randrange(100):02d}",
            "currency": "CNY",
        }
        scope = "partial" if self._happens(0.1) else "full"
        self._learn(
            at - self._between(0.5, 24), refund={"status": "requested", "scope": scope, **money}
        )
        self._learn(
            at + self._between(0, 2),
            refund={"status": "completed", "completed_at": at, "scope": scope, **money},
        )

    def _ships(self, at: datetime, scanned_at: datetime | None = None) -> None:
        scanned_at = scanned_at or at + self._between(0.3, 9)
        parcel = {"carrier": self.chance.choice(_CARRIERS), "waybill": self.waybill}
        self._learn(at + self._between(0, 0.5), shipment={"shipped_at": at, **parcel})
        if self._happens(0.2):
            kind = self.chance.choice(("assigned", "failed"))
            self._learn(
                at + self._between(0.05, 0.3),
                pickup={"scanned_at": at, "waybill": self.waybill, "kind": kind},
            )
        late = timedelta(seconds=int(self.chance.expovariate(1 / 1.5) * 3600))
        self._learn(
            scanned_at + late,
            pickup={"scanned_at": scanned_at, "waybill": self.waybill, "kind": "picked_up"},
        )

    # -- what people ask

    def _asks(
        self, event: CommandType, by: Actor, key: str | None = None, **payload: object
    ) -> Command:
        return COMMAND_CLASSES[event].model_validate({"by": by, "key": key, **payload})

    def _vouchers(self, *kinds: VoucherKind, **changes: object) -> list[dict[str, object]]:
        made: list[dict[str, object]] = []
        for kind in kinds:
            name, media_type = _FILES[kind]
            digest = f"{self.chance.getrandbits(256):064x}"
            voucher = {
                "kind": kind,
                "file_name": name,
                "media_type": media_type,
                "size": self.chance.randint(20_000, 4_000_000),
            }
            made.append(
                {**voucher, "sha256": digest, "uri": f"oss://vouchers/{digest[:16]}", **changes}
            )
        return made

    def _chooses(self, option: Option, **changes: object) -> Command:
        payload: dict[str, object] = {"option": option}
        if option is Option.SHIP_BY_AGREED_DATE:
            day = (self.now + self._between(12, 150)).astimezone(_SHANGHAI)
            payload["agreed_until"] = max(
                day.replace(hour=18, minute=0, second=0), self.now + _HOUR
            )
            payload["vouchers"] = self._vouchers(VoucherKind.CHAT_SCREENSHOT)
        if self._happens(0.4):
            payload["note"] = self.chance.choice(_NOTES)
        return self._asks(
            CommandType.CHOOSE_OPTION, self.shop, self._key(), **{**payload, **changes}
        )

    def _chooses_badly(self) -> Command:
        """Try what is closed, or leave out what it asks for."""
        ships = Option.SHIP_BY_AGREED_DATE
        return self.chance.choice(
            (
                partial(self._chooses, Option.ALREADY_SHIPPED),
                partial(self._chooses, Option.CONSUMER_CANCELS),
                partial(self._chooses, ships, agreed_until=None),
                partial(self._chooses, ships, agreed_until=self.now - self._between(1, 30)),
                partial(
                    self._chooses,
                    ships,
                    agreed_until=self.now + timedelta(days=self.chance.randint(20, 60)),
                ),
                partial(self._chooses, ships, vouchers=self._vouchers(VoucherKind.PHOTO)),
                partial(self._chooses, ships, vouchers=[], agreed_until=None),
            )
        )()

    def _proves(self, **changes: object) -> Command:
        reason = self.chance.choice(tuple(_STATEMENTS))
        prompts = self.policy.evidence_reasons[reason].prompts
        kinds = [prompt.kind for prompt in prompts for _ in range(prompt.at_least)]
        payload = {
            "reason": reason,
            "vouchers": self._vouchers(*kinds),
            "statement": _STATEMENTS[reason],
        }
        return self._asks(
            CommandType.SUBMIT_EVIDENCE, self.shop, self._key(), **{**payload, **changes}
        )

    def _proves_badly(self) -> Command:
        """Hand in what the checklist would have found at fault."""
        photo, chat = VoucherKind.PHOTO, VoucherKind.CHAT_SCREENSHOT
        return self.chance.choice(
            (
                partial(self._proves, reason="too_many_orders"),
                partial(self._proves, vouchers=[]),
                partial(
                    self._proves,
                    reason="force_majeure",
                    vouchers=self._vouchers(VoucherKind.OFFICIAL_DOCUMENT, chat),
                ),
                partial(
                    self._proves, vouchers=self._vouchers(VoucherKind.VIDEO, size=48 * 1024 * 1024)
                ),
                partial(self._proves, vouchers=self._vouchers(photo, media_type="image/heic")),
                partial(self._proves, vouchers=self._vouchers(*[photo] * 21, size=400_000)),
                partial(self._proves, statement=None),
                partial(self._proves, statement="情况属实，请平台核实。" * 60),
            )
        )()

    def _judges(self, event: CommandType, *, rashly: bool = False) -> Command:
        words = {
            CommandType.RULE_NO_FAULT: _UPHELD,
            CommandType.RULE_AT_FAULT: _FOUND,
            CommandType.ANNUL: _ANNULLED,
        }[event]
        return self._asks(
            event, self.adjudicator, rationale=" " if rashly else self.chance.choice(words)
        )

    def _extends(self, deadline: Deadline) -> Command:
        due = self.dispute.deadlines[deadline]
        if deadline is Deadline.PROMISE:
            due -= self.policy.scan_grace
        until = (
            due - _HOUR if self._happens(0.2) else due + timedelta(days=self.chance.randint(1, 2))
        )
        rationale = None if self._happens(0.1) else self.chance.choice(_EXTENDED)
        named = {"deadline": deadline} if self.dispute.rules.table.asks(NAMED) else {}
        return self._asks(
            CommandType.EXTEND_DEADLINE, self.adjudicator, until=until, rationale=rationale, **named
        )

    def _reuses(self, command: Command) -> Command:
        """Ask for something else under a key that was used before."""
        return self._asks(CommandType.WITHDRAW, command.by, command.key)

    def _out_of_place(self) -> Command:
        """Ask what is another's to ask, what comes too early, or what has no place in this state."""
        stranger = Actor(role=Role.MERCHANT, id="M-90001")
        return self.chance.choice(
            (
                partial(
                    self._asks,
                    CommandType.CHOOSE_OPTION,
                    stranger,
                    self._key(),
                    option=Option.OUT_OF_STOCK_REFUND,
                ),
                partial(self._chooses, Option.OUT_OF_STOCK_REFUND),
                self._proves,
                partial(self._asks, CommandType.CONFIRM_AGREEMENT, self.consumer),
                partial(self._asks, CommandType.DENY_AGREEMENT, self.shop),
                partial(self._asks, CommandType.RESPONSE_EXPIRED, SYSTEM),
                partial(self._asks, CommandType.PROMISE_EXPIRED, SYSTEM),
                partial(self._judges, CommandType.RULE_NO_FAULT),
            )
        )()

    # -- what people mean to do in each state

    def _when_opened(self) -> None:
        if not self._happens(self.merchant.silent):
            at = self._soon(self.merchant.hours)
            if self._happens(0.04):
                at = self._at_the_last_moment(Deadline.RESPONSE)
            if self._happens(self.merchant.careless):
                self._plan(at, self._chooses_badly)
                at += self._between(0.05, 1)
            for _ in range(3):  # what the order system does not show yet, it may show later
                self._plan(at, partial(self._chooses, self.answer))
                at = _awake(at + self._between(1, 6))
            self._plan(
                at,
                partial(
                    self._chooses,
                    self.chance.choice((Option.PROVE_NO_FAULT, Option.OUT_OF_STOCK_REFUND)),
                ),
            )
        self._may_withdraw()
        self._may_extend(Deadline.RESPONSE)

    def _when_awaiting_confirmation(self) -> None:
        what = self._one_of(
            ((CommandType.CONFIRM_AGREEMENT, 60), (CommandType.DENY_AGREEMENT, 15), (None, 25))
        )
        if what is not None:
            at = (
                self._at_the_last_moment(Deadline.CONFIRMATION)
                if self._happens(0.05)
                else self._soon(7)
            )
            self._plan(at, partial(self._asks, what, self.consumer, self._key()))
        if self._happens(0.03):
            self._plan(self._soon(2), partial(self._chooses, Option.PROVE_NO_FAULT))
        self._may_withdraw()
        self._may_extend(Deadline.CONFIRMATION)

    def _when_awaiting_shipment(self) -> None:
        if not self.dispute.confirmed:  # else the agreement was upheld, and all this is under way
            self._keeps_the_promise()
            if self.policy.confirmation is not None:
                what = self._one_of(
                    (
                        (CommandType.CONFIRM_AGREEMENT, 40),
                        (CommandType.DENY_AGREEMENT, 25),
                        (None, 35),
                    )
                )
                if what is not None:
                    at = self._soon(9)
                    self._plan(at, partial(self._asks, what, self.consumer, self._key()))
                    if self._happens(0.1):
                        self._plan(
                            at + self._between(1, 10),
                            partial(self._asks, CommandType.DENY_AGREEMENT, self.consumer),
                        )
        self._may_withdraw()
        self._may_extend(Deadline.PROMISE)

    def _keeps_the_promise(self) -> None:
        agreed = cast("datetime", self.dispute.agreed_until)  # the option cannot be chosen without
        what = self._one_of(
            (("early", 60), ("just", 20), ("late", 10), ("never", 5), ("refund", 10))
        )
        if what == "early":
            scanned_at = self.now + (agreed - self.now) * self.chance.uniform(0.2, 0.95)
        elif what == "just":  # the scan is in time, the news of it often is not
            scanned_at = agreed - self._between(0, 0.5)
        else:
            scanned_at = agreed + self._between(0.2, 30)
        scanned_at = scanned_at.replace(microsecond=0)
        if what == "refund":
            self._refunds(self.now + self._between(1, 12))
        elif what != "never":
            self._ships(max(self.now, scanned_at - self._between(0.3, 9)), scanned_at)

    def _when_denial_under_review(self) -> None:
        ruling = self._one_of(((CommandType.RULE_NO_FAULT, 55), (CommandType.RULE_AT_FAULT, 45)))
        self._plan_ruling(ruling)
        self._may_withdraw()
        if Deadline.PROMISE in self.dispute.deadlines and self._happens(
            0.4
        ):  # it runs on while the platform looks
            self._plan(self._soon(6), partial(self._extends, Deadline.PROMISE))

    def _when_awaiting_evidence(self) -> None:
        again = self.dispute.submissions > 0
        if not self._happens(0.35 if again else 0.02 + self.merchant.silent / 2):
            at = (
                self._at_the_last_moment(Deadline.EVIDENCE)
                if self._happens(0.05)
                else self._soon(1)
            )
            if self._happens(self.merchant.careless):
                self._plan(at, self._proves_badly)
                at += self._between(0.05, 0.5)
            self._plan(at, self._proves)
        self._may_withdraw()
        self._may_extend(Deadline.EVIDENCE)

    def _when_under_review(self) -> None:
        at = self._soon(20)
        if self._happens(0.2):  # of a round too many it hears in time
            request = partial(
                self._asks,
                CommandType.REQUEST_EVIDENCE,
                self.adjudicator,
                note=self.chance.choice(_REQUESTS),
            )
            self._plan(at, request)
        self._plan_ruling(
            self._one_of(((CommandType.RULE_NO_FAULT, 55), (CommandType.RULE_AT_FAULT, 45))),
            at + self._between(0.1, 3),
        )
        self._may_withdraw()

    def _when_resolved(self) -> None:
        if self._happens(0.02):
            self._plan(
                self._soon(10),
                partial(self._asks, CommandType.DENY_AGREEMENT, self.consumer, self._key()),
            )

    def _when_penalized(self) -> None:
        if self._happens(0.05):
            self._plan(self._soon(3), partial(self._chooses, self.answer))
        if self._happens(0.06):
            self._plan(self._soon(40), partial(self._judges, CommandType.ANNUL))

    def _plan_ruling(self, event: CommandType, at: datetime | None = None) -> None:
        at = at or self._soon(20)
        if self._happens(0.04):
            self._plan(at, partial(self._judges, event, rashly=True))
            at += self._between(0.05, 0.5)
        self._plan(at, partial(self._judges, event))

    def _may_withdraw(self) -> None:
        if self._happens(0.05):
            self._plan(
                self._soon(5), partial(self._asks, CommandType.WITHDRAW, self.consumer, self._key())
            )

    def _may_extend(self, deadline: Deadline) -> None:
        if self._happens(0.05):
            at = self.now + (self.dispute.deadlines[deadline] - self.now) * self.chance.uniform(
                0.1, 0.9
            )
            self._plan(at, partial(self._extends, deadline))


def _awake(at: datetime) -> datetime:
    """Put off to the day what would be done at night."""
    return at + timedelta(hours=_WAKES) if at.astimezone(_SHANGHAI).hour < _WAKES else at
