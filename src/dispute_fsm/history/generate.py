"""Synthetic histories as production would write them, from a seed, through the real `Disputes`.

Each dispute is simulated with a merchant, a consumer, an adjudicator, an order whose facts become
known late, and a sweep every few minutes. Planned commands are on an agenda, ordered by time, and
are dropped once the dispute has left the state for which they were planned. Each simulation has its
own random generator, so the n-th dispute is the same however many follow, and it runs until nothing
is left on the agenda, which is after the dispute closed.

Events are merged by business time. Only open disputes are in memory, whatever their number.
"""

from collections.abc import Callable, Iterator, Sequence
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
from dispute_fsm.history.messages import (
    EVIDENCE_REQUESTS,
    EXTENSION_RATIONALES,
    LONG_STATEMENT,
    NOTES,
    OTHER_RATIONALES,
    RATIONALES,
    STATEMENTS,
    VOUCHER_FILES,
)
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.rules.guards.selectors import NAMED
from dispute_fsm.rules.registry import rule_version

MOST_DISPUTES = 3_000_000
"""So many surely open within the years that an instant can have."""

T = TypeVar("T")

_PLANNED = frozenset(
    {
        CommandType.CHOOSE_OPTION,
        CommandType.CONFIRM_AGREEMENT,
        CommandType.DENY_AGREEMENT,
        CommandType.SUBMIT_EVIDENCE,
        CommandType.REQUEST_EVIDENCE,
        CommandType.RULE_NO_FAULT,
        CommandType.RULE_AT_FAULT,
        CommandType.EXTEND_DEADLINE,
        CommandType.WITHDRAW,
        CommandType.ANNUL,
    }
)
"""The commands of people that have plans of their own below; any other gives a rationale."""

_RULINGS = ((CommandType.RULE_NO_FAULT, 55), (CommandType.RULE_AT_FAULT, 45))
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
"""The hour from which people act; what they would do at night is put off by so many hours."""


# ---- people and policies -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _MerchantProfile:
    """How a merchant behaves.

    The mean of hours until an answer, and the probabilities of no answer and of a wrong first try.
    """

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
"""The policies of new disputes, with weights."""

_ANSWERS: Sequence[tuple[Option, float]] = (
    (Option.CONSUMER_CANCELS, 17),
    (Option.ALREADY_SHIPPED, 30),
    (Option.SHIP_BY_AGREED_DATE, 22),
    (Option.OUT_OF_STOCK_REFUND, 11),
    (Option.PROVE_NO_FAULT, 20),
)
"""The options that merchants intend to choose, with weights; others have `_OTHER_ANSWER`."""
_OTHER_ANSWER = 9.0

_CARRIERS = ("qingniao", "baima", "yunque")


# ---- many disputes by time -----------------------------------------------------------------------


def generate(
    disputes: int, seed: int, *, rules: str = DEFAULT_VERSION
) -> Iterator[tuple[AuditEvent, Policy]]:
    """Yield the events of this many disputes by business time, each with its policy.

    The same arguments give the same events. Raises `InputError` for a number that is negative or
    too large, and for an unknown rule version.
    """
    if not 0 <= disputes <= MOST_DISPUTES:
        raise InputError(f"{disputes} is not between 0 and {MOST_DISPUTES}", field="disputes")
    rule_version(rules)
    return _merge(_simulations(disputes, seed, rules))


def _simulations(disputes: int, seed: int, rules: str) -> Iterator["_Simulation"]:
    at = _BEGIN
    for number in range(1, disputes + 1):
        random = Random(f"{seed}/{number}")  # noqa: S311 -- for examples, not for secrets
        at = _arrival(at, random)
        yield _Simulation(number, random, at, rules)


def _merge(simulations: Iterator["_Simulation"]) -> Iterator[tuple[AuditEvent, Policy]]:
    """Merge the events by time; the opening of each dispute brings in the next dispute."""
    queue: list[tuple[datetime, int, AuditEvent, Policy, Iterator[AuditEvent]]] = []

    def push(number: int, policy: Policy, events: Iterator[AuditEvent]) -> None:
        if (event := next(events, None)) is not None:
            heappush(queue, (event.at, number, event, policy, events))

    def open_next() -> None:
        if (simulation := next(simulations, None)) is not None:
            push(simulation.number, simulation.policy, simulation.events())

    open_next()
    while queue:
        _, number, event, policy, events = heappop(queue)
        yield event, policy
        if event.seq == 1:
            open_next()
        push(number, policy, events)


def _arrival(after: datetime, random: Random) -> datetime:
    """Draw when the next dispute opens: sooner by day than by night."""
    left = random.expovariate(1) * _MEAN_GAP.total_seconds()
    while True:
        local = after.astimezone(_SHANGHAI)
        rate = _BY_HOUR[local.hour] * _BY_WEEKDAY[local.weekday()]
        end = after.replace(minute=0, second=0) + _HOUR
        in_this_hour = (end - after).total_seconds() * rate
        if left < in_this_hour:
            return after + timedelta(seconds=int(left / rate))
        left -= in_this_hour
        after = end


# ---- one dispute ---------------------------------------------------------------------------------


class _Simulation:
    """One dispute: its people, its order, and an agenda of planned commands and facts."""

    def __init__(self, number: int, random: Random, opened_at: datetime, rules: str) -> None:
        self.number = number
        self.random = random
        self.now = opened_at
        self.policy = rule_version(rules).policy(self._draw(_POLICIES))
        self.merchant = random.choice(_MERCHANTS)
        self.adjudicator = random.choice(_ADJUDICATORS)
        self.shop = Actor(role=Role.MERCHANT, id=self.merchant.id)
        self.consumer = Actor(role=Role.CONSUMER, id=f"C-{random.randrange(10**9):09d}")
        weights = dict(_ANSWERS)
        self.answer = self._draw(
            [(option, weights.get(option, _OTHER_ANSWER)) for option in rule_version(rules).options]
        )
        self.waybill = f"W{random.randrange(10**11):011d}"
        # A turn begins when the dispute enters a leaf; these are the turns of its active leaves.
        self._turn = 0
        self._turns: dict[StateName, int] = {}
        self._agenda: list[tuple[datetime, int, int | None, Callable[[], Command | None]]] = []
        self._planned = count()

        self._order_id = f"{random.randrange(10**12):012d}"
        paid = None if self._happens(0.01) else opened_at - self._between(20, 140)
        self._order = Order(paid_at=paid)
        self._orders = InMemoryOrderSystem({self._order_id: self._order}, name="order-center")
        self._disputes = Disputes(
            self._orders, lambda dispute_id, seq: derived_stamp(self.now, dispute_id, seq)
        )
        self._plan_facts()
        while self._agenda and self._agenda[0][0] == opened_at:  # facts that are known already
            heappop(self._agenda)[-1]()
        opening = OpenDispute(
            dispute_id=f"D{number:07d}{random.randrange(10**4):04d}",
            order_id=self._order_id,
            merchant_id=self.shop.id,
            consumer_id=self.consumer.id,
            by=SYSTEM if self._happens(0.1) else self.consumer,
            rules=rules,
            policy=self.policy,
            key=self._key(),
        )
        # The order exists and the actor may open, so it is not refused.
        opened = self._disputes.open(opening, at=opened_at)
        self._opened, self.dispute = cast("AuditEvent", opened.event), opened.dispute

    def events(self) -> Iterator[AuditEvent]:
        """Run the simulation: whichever comes first, the next planned command or the next sweep."""
        yield self._opened
        self._next_turn()
        while True:
            sweep_at = self._next_sweep()
            if sweep_at is not None and (not self._agenda or sweep_at <= self._agenda[0][0]):
                self.now = sweep_at
                results = self._disputes.sweep(self.dispute, at=self.now)
            elif self._agenda:
                self.now, _, turn, act = heappop(self._agenda)
                results = self._act(act) if turn in {None, *self._turns.values()} else ()
            else:
                return
            for result in results:
                path, self.dispute = self.dispute.path, result.dispute
                if result.event is not None:
                    yield result.event
                if self.dispute.path != path:
                    self._next_turn()

    def _next_sweep(self) -> datetime | None:
        due = next_due(self.dispute)
        if due is None:
            return None
        late = max(due[1], self.now) - _BEGIN
        return _BEGIN + (late // _SWEEP_EVERY + 1) * _SWEEP_EVERY

    def _act(self, act: Callable[[], Command | None]) -> tuple[Result, ...]:
        command = act()
        if command is None:  # new facts in the order system
            if StateName.AWAITING_SHIPMENT in self.dispute.states and self._happens(0.65):
                self._plan(
                    self.now + self._between(0.02, 0.3),
                    partial(self._command, CommandType.OBSERVE_ORDER, SYSTEM),
                )
            return ()
        # The network is slow, so the command is sent again.
        if command.key is not None and self._happens(0.05):
            again = partial(self._reuse_key, command) if self._happens(0.2) else lambda: command
            self._plan(self.now + self._between(0.001, 0.01), again, in_any_state=True)
        return (self._disputes.send(self.dispute, command, at=self.now),)

    def _next_turn(self) -> None:
        """Plan what people do in each leaf that the dispute has entered; other plans stay."""
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
            if leaf in turns:
                turns[leaf]()
            self._plan_others()
        if self._happens(0.05):
            self._plan(self._soon(3), self._invalid_command)

    # -- random draws

    def _happens(self, probability: float) -> bool:
        return self.random.random() < probability

    def _draw(self, weighted: Sequence[tuple[T, float]]) -> T:
        return self.random.choices(
            [value for value, _ in weighted], [weight for _, weight in weighted]
        )[0]

    def _between(self, least: float, most: float) -> timedelta:
        return timedelta(seconds=int(self.random.uniform(least, most) * 3600))

    def _soon(self, hours: float) -> datetime:
        """Draw when a person acts, after so many hours on average."""
        return _awake(
            self.now + _MINUTE + timedelta(seconds=int(self.random.expovariate(1 / hours) * 3600))
        )

    def _near_deadline(self, deadline: Deadline) -> datetime:
        """Draw an instant near a deadline, sometimes a little too late."""
        return self.dispute.deadlines[deadline] + timedelta(
            seconds=self.random.choice((-600, -60, 0, 1, 60, 150))
        )

    def _key(self) -> str:
        return f"k-{self.random.getrandbits(48):012x}"

    def _plan(
        self, at: datetime, act: Callable[[], Command | None], *, in_any_state: bool = False
    ) -> None:
        """Put an action on the agenda; it is dropped once the dispute has left the current leaf.

        With `in_any_state` it is not dropped.
        """
        heappush(
            self._agenda,
            (
                max(at.replace(microsecond=0), self.now),
                next(self._planned),
                None if in_any_state else self._turn,
                act,
            ),
        )

    # -- the order's facts

    def _plan_fact(self, known_at: datetime, **facts: object) -> None:
        """Let the order system show facts from an instant on; they may be much older."""

        def learn() -> None:
            self._order = Order.model_validate({**dict(self._order), **facts})
            self._orders.put(self._order_id, self._order)

        self._plan(known_at, learn, in_any_state=True)

    def _plan_facts(self) -> None:
        """Plan what happens to the order, which is also the reason for the merchant's answer."""
        if self.answer is Option.ALREADY_SHIPPED or self._happens(0.05):
            self._plan_shipment(self.now + self._between(-30, 10))
        if self.answer is Option.CONSUMER_CANCELS:
            asked_at = self.now + self._between(-5, 5)
            if self._happens(0.7):
                self._plan_fact(
                    asked_at + self._between(0, 0.5),
                    cancel_request={"submitted_at": asked_at, "status": "submitted"},
                )
            if self._happens(0.15):
                status = self.random.choice(("withdrawn", "rejected"))
                self._plan_fact(
                    asked_at + self._between(1, 8),
                    cancel_request={"submitted_at": asked_at, "status": status},
                )
            if self._happens(0.5):
                self._plan_refund(asked_at + self._between(1, 12))
        if self.answer not in dict(_ANSWERS):  # what it takes is not known here; perhaps a refund
            scope = self.random.choice(("partial", "full"))
            self._plan_refund(self.now + self._between(-5, 8), scope)

    def _plan_refund(self, at: datetime, scope: str | None = None) -> None:
        money = {
            "amount": f"{self.random.randint(9, 899)}.{self.random.randrange(100):02d}",
            "currency": "CNY",
        }
        scope = scope or ("partial" if self._happens(0.1) else "full")
        self._plan_fact(
            at - self._between(0.5, 24), refund={"status": "requested", "scope": scope, **money}
        )
        self._plan_fact(
            at + self._between(0, 2),
            refund={"status": "completed", "completed_at": at, "scope": scope, **money},
        )

    def _plan_shipment(self, at: datetime, scanned_at: datetime | None = None) -> None:
        scanned_at = scanned_at or at + self._between(0.3, 9)
        parcel = {"carrier": self.random.choice(_CARRIERS), "waybill": self.waybill}
        self._plan_fact(at + self._between(0, 0.5), shipment={"shipped_at": at, **parcel})
        if self._happens(0.2):
            kind = self.random.choice(("assigned", "failed"))
            self._plan_fact(
                at + self._between(0.05, 0.3),
                pickup={"scanned_at": at, "waybill": self.waybill, "kind": kind},
            )
        late = timedelta(seconds=int(self.random.expovariate(1 / 1.5) * 3600))
        self._plan_fact(
            scanned_at + late,
            pickup={"scanned_at": scanned_at, "waybill": self.waybill, "kind": "picked_up"},
        )

    # -- commands

    def _command(
        self, event: CommandType, by: Actor, key: str | None = None, **payload: object
    ) -> Command:
        return COMMAND_CLASSES[event].model_validate({"by": by, "key": key, **payload})

    def _vouchers(self, *kinds: VoucherKind, **changes: object) -> list[dict[str, object]]:
        vouchers: list[dict[str, object]] = []
        for kind in kinds:
            name, media_type = VOUCHER_FILES[kind]
            digest = f"{self.random.getrandbits(256):064x}"
            voucher = {
                "kind": kind,
                "file_name": name,
                "media_type": media_type,
                "size": self.random.randint(20_000, 4_000_000),
            }
            vouchers.append(
                {**voucher, "sha256": digest, "uri": f"oss://vouchers/{digest[:16]}", **changes}
            )
        return vouchers

    def _choose(self, option: Option, **changes: object) -> Command:
        payload: dict[str, object] = {"option": option}
        if option is Option.SHIP_BY_AGREED_DATE:
            day = (self.now + self._between(12, 150)).astimezone(_SHANGHAI)
            payload["agreed_until"] = max(
                day.replace(hour=18, minute=0, second=0), self.now + _HOUR
            )
            payload["vouchers"] = self._vouchers(VoucherKind.CHAT_SCREENSHOT)
        if self._happens(0.4):
            payload["note"] = self.random.choice(NOTES)
        return self._command(
            CommandType.CHOOSE_OPTION, self.shop, self._key(), **{**payload, **changes}
        )

    def _invalid_choice(self) -> Command:
        """Choose an option that is not available, or without what it needs."""
        ships = Option.SHIP_BY_AGREED_DATE
        past = self.now - self._between(1, 30)
        far = self.now + timedelta(days=self.random.randint(20, 60))
        choices: tuple[tuple[Option, dict[str, object]], ...] = (
            (Option.ALREADY_SHIPPED, {}),
            (Option.CONSUMER_CANCELS, {}),
            (ships, {"agreed_until": None}),
            (ships, {"agreed_until": past}),
            (ships, {"agreed_until": far}),
            (ships, {"vouchers": self._vouchers(VoucherKind.PHOTO)}),
            (ships, {"vouchers": [], "agreed_until": None}),
        )
        option, changes = self.random.choice(choices)
        return self._choose(option, **changes)

    def _submit_evidence(self, **changes: object) -> Command:
        reason = self.random.choice(tuple(STATEMENTS))
        prompts = self.policy.evidence_reasons[reason].prompts
        kinds = [prompt.kind for prompt in prompts for _ in range(prompt.at_least)]
        payload = {
            "reason": reason,
            "vouchers": self._vouchers(*kinds),
            "statement": STATEMENTS[reason],
        }
        return self._command(
            CommandType.SUBMIT_EVIDENCE, self.shop, self._key(), **{**payload, **changes}
        )

    def _invalid_evidence(self) -> Command:
        """Submit evidence that is refused."""
        photo, chat = VoucherKind.PHOTO, VoucherKind.CHAT_SCREENSHOT
        official = self._vouchers(VoucherKind.OFFICIAL_DOCUMENT, chat)
        changes: tuple[dict[str, object], ...] = (
            {"reason": "too_many_orders"},
            {"vouchers": []},
            {"reason": "force_majeure", "vouchers": official},
            {"vouchers": self._vouchers(VoucherKind.VIDEO, size=48 * 1024 * 1024)},
            {"vouchers": self._vouchers(photo, media_type="image/heic")},
            {"vouchers": self._vouchers(*[photo] * 21, size=400_000)},
            {"statement": None},
            {"statement": LONG_STATEMENT},
        )
        return self._submit_evidence(**self.random.choice(changes))

    def _decide(self, event: CommandType, *, without_rationale: bool = False) -> Command:
        """Send a command that gives a rationale, as its usual sender."""
        role = COMMAND_CLASSES[event].roles[0]
        by = {Role.MERCHANT: self.shop, Role.CONSUMER: self.consumer}.get(role, self.adjudicator)
        rationales = RATIONALES.get(event) or OTHER_RATIONALES
        rationale = " " if without_rationale else self.random.choice(rationales)
        return self._command(event, by, rationale=rationale)

    def _extend(self, deadline: Deadline) -> Command:
        due = self.dispute.deadlines[deadline]
        if deadline is Deadline.PROMISE:
            due -= self.policy.scan_grace
        until = (
            due - _HOUR if self._happens(0.2) else due + timedelta(days=self.random.randint(1, 2))
        )
        rationale = None if self._happens(0.1) else self.random.choice(EXTENSION_RATIONALES)
        named = {"deadline": deadline} if self.dispute.rules.table.asks(NAMED) else {}
        return self._command(
            CommandType.EXTEND_DEADLINE, self.adjudicator, until=until, rationale=rationale, **named
        )

    def _reuse_key(self, command: Command) -> Command:
        """Send another command under a key that was used before."""
        return self._command(CommandType.WITHDRAW, command.by, command.key)

    def _invalid_command(self) -> Command:
        """Send a command by the wrong actor, too early, or in the wrong state."""
        refund, stranger = Option.OUT_OF_STOCK_REFUND, Actor(role=Role.MERCHANT, id="M-90001")
        choice = partial(self._command, CommandType.CHOOSE_OPTION, stranger, self._key())
        return self.random.choice(
            (
                partial(choice, option=refund),
                partial(self._choose, refund),
                self._submit_evidence,
                partial(self._command, CommandType.CONFIRM_AGREEMENT, self.consumer),
                partial(self._command, CommandType.DENY_AGREEMENT, self.shop),
                partial(self._command, CommandType.RESPONSE_EXPIRED, SYSTEM),
                partial(self._command, CommandType.PROMISE_EXPIRED, SYSTEM),
                partial(self._decide, CommandType.RULE_NO_FAULT),
            )
        )()

    # -- plans in each state

    def _when_opened(self) -> None:
        if not self._happens(self.merchant.silent):
            at = self._soon(self.merchant.hours)
            if self._happens(0.04):
                at = self._near_deadline(Deadline.RESPONSE)
            if self._happens(self.merchant.careless):
                self._plan(at, self._invalid_choice)
                at += self._between(0.05, 1)
            for _ in range(3):  # the order system may show the facts later
                self._plan(at, partial(self._choose, self.answer))
                at = _awake(at + self._between(1, 6))
            self._plan(
                at,
                partial(
                    self._choose,
                    self.random.choice((Option.PROVE_NO_FAULT, Option.OUT_OF_STOCK_REFUND)),
                ),
            )
        self._maybe_withdraw()
        self._maybe_extend(Deadline.RESPONSE)

    def _when_awaiting_confirmation(self) -> None:
        reply = self._draw(
            ((CommandType.CONFIRM_AGREEMENT, 60), (CommandType.DENY_AGREEMENT, 15), (None, 25))
        )
        if reply is not None:
            late = self._happens(0.05)
            at = self._near_deadline(Deadline.CONFIRMATION) if late else self._soon(7)
            self._plan(at, partial(self._command, reply, self.consumer, self._key()))
        if self._happens(0.03):
            self._plan(self._soon(2), partial(self._choose, Option.PROVE_NO_FAULT))
        self._maybe_withdraw()
        self._maybe_extend(Deadline.CONFIRMATION)

    def _when_awaiting_shipment(self) -> None:
        if not self.dispute.confirmed:  # else all this is planned already
            self._plan_promise()
            if self.policy.confirmation is not None:
                self._plan_reply()
        self._maybe_withdraw()
        self._maybe_extend(Deadline.PROMISE)

    def _plan_reply(self) -> None:
        reply = self._draw(
            ((CommandType.CONFIRM_AGREEMENT, 40), (CommandType.DENY_AGREEMENT, 25), (None, 35))
        )
        if reply is None:
            return
        at = self._soon(9)
        self._plan(at, partial(self._command, reply, self.consumer, self._key()))
        if self._happens(0.1):
            denial = partial(self._command, CommandType.DENY_AGREEMENT, self.consumer)
            self._plan(at + self._between(1, 10), denial)

    def _plan_promise(self) -> None:
        agreed = cast("datetime", self.dispute.agreed_until)  # the option cannot be chosen without
        what = self._draw((("early", 60), ("just", 20), ("late", 10), ("never", 5), ("refund", 10)))
        if what == "early":
            scanned_at = self.now + (agreed - self.now) * self.random.uniform(0.2, 0.95)
        elif what == "just":  # the scan is in time, but often becomes known late
            scanned_at = agreed - self._between(0, 0.5)
        else:
            scanned_at = agreed + self._between(0.2, 30)
        scanned_at = scanned_at.replace(microsecond=0)
        if what == "refund":
            self._plan_refund(self.now + self._between(1, 12))
        elif what != "never":
            self._plan_shipment(max(self.now, scanned_at - self._between(0.3, 9)), scanned_at)

    def _when_denial_under_review(self) -> None:
        self._plan_decision(self._draw(_RULINGS))
        self._maybe_withdraw()
        # The promise continues to run during the review.
        if Deadline.PROMISE in self.dispute.deadlines and self._happens(0.4):
            self._plan(self._soon(6), partial(self._extend, Deadline.PROMISE))

    def _when_awaiting_evidence(self) -> None:
        again = self.dispute.submissions > 0
        if not self._happens(0.35 if again else 0.02 + self.merchant.silent / 2):
            at = self._near_deadline(Deadline.EVIDENCE) if self._happens(0.05) else self._soon(1)
            if self._happens(self.merchant.careless):
                self._plan(at, self._invalid_evidence)
                at += self._between(0.05, 0.5)
            self._plan(at, self._submit_evidence)
        self._maybe_withdraw()
        self._maybe_extend(Deadline.EVIDENCE)

    def _when_under_review(self) -> None:
        at = self._soon(20)
        if self._happens(0.2):  # it is refused where no rounds are left
            request = partial(
                self._command,
                CommandType.REQUEST_EVIDENCE,
                self.adjudicator,
                note=self.random.choice(EVIDENCE_REQUESTS),
            )
            self._plan(at, request)
        self._plan_decision(self._draw(_RULINGS), at + self._between(0.1, 3))
        self._maybe_withdraw()

    def _when_resolved(self) -> None:
        if self._happens(0.02):
            self._plan(
                self._soon(10),
                partial(self._command, CommandType.DENY_AGREEMENT, self.consumer, self._key()),
            )

    def _when_penalized(self) -> None:
        if self._happens(0.05):
            self._plan(self._soon(3), partial(self._choose, self.answer))
        if self._happens(0.06):
            self._plan(self._soon(40), partial(self._decide, CommandType.ANNUL))
        for deadline in self.dispute.running:
            self._maybe_extend(deadline)

    def _plan_others(self) -> None:
        """Plan what else this rule version offers here: of each role one of its commands."""
        for again in self.dispute.memory.once:
            if self._happens(0.1):
                self._plan(self._soon(4), partial(self._decide, again))
        for role in (Role.MERCHANT, Role.CONSUMER, Role.ADJUDICATOR):
            others = [
                command
                for path, command in self.dispute.rules.table.transitions
                if path == self.dispute.path
                and command not in _PLANNED
                and COMMAND_CLASSES[command].roles[0] is role
            ]
            if others:
                self._plan_other(self.random.choice(others))

    def _plan_other(self, command: CommandType) -> None:
        deadline = COMMAND_CLASSES[command].meets
        if deadline is None:
            self._plan_decision(command)
        elif deadline in self.dispute.deadlines and self._happens(0.4):
            late = self._happens(0.1)
            self._plan_decision(command, self._near_deadline(deadline) if late else self._soon(12))

    def _plan_decision(self, event: CommandType, at: datetime | None = None) -> None:
        at = at or self._soon(20)
        if self._happens(0.04):
            self._plan(at, partial(self._decide, event, without_rationale=True))
            at += self._between(0.05, 0.5)
        self._plan(at, partial(self._decide, event))

    def _maybe_withdraw(self) -> None:
        if self._happens(0.05):
            self._plan(
                self._soon(5),
                partial(self._command, CommandType.WITHDRAW, self.consumer, self._key()),
            )

    def _maybe_extend(self, deadline: Deadline) -> None:
        if self._happens(0.05):
            at = self.now + (self.dispute.deadlines[deadline] - self.now) * self.random.uniform(
                0.1, 0.9
            )
            self._plan(at, partial(self._extend, deadline))


def _awake(at: datetime) -> datetime:
    """Put off to the day what would happen at night."""
    return at + timedelta(hours=_WAKES) if at.astimezone(_SHANGHAI).hour < _WAKES else at
