"""What the order system shows in a supposed course: what is known from the record, or supposed.

Known at an instant is what was shown at the last look before it, and what later looks showed with
an earlier date of its own: a scan at 17:59 that was seen at 19:30 had happened at 18:00.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import combinations
from operator import attrgetter, methodcaller

from dispute_fsm.domain.enums import CancelStatus, PickupKind, RefundScope, RefundStatus
from dispute_fsm.domain.facts import CancelRequest, OrderFacts, Pickup, Refund, Shipment
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.explain.course import Act, Record

MOST_FACTS = 2
"""How many facts one edit supposes at most."""

_AFTER_ALL = datetime.max.replace(tzinfo=UTC)

_WAYBILL = "supposed"
"""The waybill of a shipment for which none is recorded."""


class Hands(StrEnum):
    """In whose hands something lies."""

    MERCHANT = "merchant"
    CONSUMER = "consumer"
    CARRIER = "carrier"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class SupposedFact:
    """One fact that the order system might have shown.

    `member` is the fact's place in the order, `hands` in whose hands it lies (assumed: nobody
    states it). `suppose` returns facts in which it had happened by an instant; `counts` tells
    whether some facts have it.
    """

    name: str
    member: str
    hands: tuple[Hands, ...]
    suppose: Callable[[OrderFacts, datetime], OrderFacts]
    counts: Callable[[OrderFacts], object]

    def recorded(self, facts: OrderFacts, by: datetime) -> datetime | None:
        """Return the date that some facts have for it; a partial refund is no late full one."""
        at = date_of(facts, self.member)
        later = facts.model_copy(update={"observed_at": _AFTER_ALL})
        return at if at is None or at <= by or self.counts(later) else None


def _paid(facts: OrderFacts, by: datetime) -> OrderFacts:
    scan = None if facts.pickup is None else facts.pickup.scanned_at
    instants = [one for one in (facts.paid_at, scan, by) if one is not None]
    return facts.model_copy(update={"paid_at": min(instants)})


def _cancel_requested(facts: OrderFacts, by: datetime) -> OrderFacts:
    request = CancelRequest(submitted_at=by, status=CancelStatus.SUBMITTED)
    return facts.model_copy(update={"cancel_request": request})


def _refunded(scope: RefundScope) -> Callable[[OrderFacts, datetime], OrderFacts]:
    def suppose(facts: OrderFacts, by: datetime) -> OrderFacts:
        if any(facts.completed_refund(other) for other in RefundScope if other is not scope):
            return facts  # an order has one refund: it would take away the one that counts
        refund = Refund(status=RefundStatus.COMPLETED, completed_at=by, scope=scope)
        return facts.model_copy(update={"refund": refund})

    return suppose


def _shipped(facts: OrderFacts, by: datetime) -> OrderFacts:
    recorded = facts.shipment or Shipment()
    scanned = None if facts.pickup is None else facts.pickup.waybill
    shipment = recorded.model_copy(
        update={
            "shipped_at": by if recorded.shipped_at is None else min(recorded.shipped_at, by),
            "waybill": recorded.waybill or scanned or _WAYBILL,
        }
    )
    return facts.model_copy(update={"shipment": shipment})


def _picked_up(facts: OrderFacts, by: datetime) -> OrderFacts:
    recorded, shipment = facts.pickup, facts.shipment
    scan = None if recorded is None else recorded.scanned_at
    at = by if scan is None else min(scan, by)
    pickup = Pickup(
        scanned_at=at if facts.paid_at is None else max(at, facts.paid_at),
        waybill=_WAYBILL if shipment is None else shipment.waybill,
        kind=PickupKind.PICKED_UP,
    )
    return facts.model_copy(update={"pickup": pickup})


SUPPOSED_FACTS: Sequence[SupposedFact] = (
    SupposedFact("payment", "paid_at", (Hands.CONSUMER,), _paid, attrgetter("paid_at")),
    SupposedFact(
        "cancel_request",
        "cancel_request",
        (Hands.CONSUMER,),
        _cancel_requested,
        attrgetter("standing_cancel_request"),
    ),
    SupposedFact(
        "refund",
        "refund",
        (Hands.MERCHANT, Hands.PLATFORM),
        _refunded(RefundScope.FULL),
        attrgetter("full_refund"),
    ),
    SupposedFact(
        "partial_refund",
        "refund",
        (Hands.MERCHANT, Hands.PLATFORM),
        _refunded(RefundScope.PARTIAL),
        methodcaller("completed_refund", RefundScope.PARTIAL),
    ),
    SupposedFact(
        "shipment", "shipment", (Hands.MERCHANT,), _shipped, attrgetter("counted_shipment")
    ),
    SupposedFact("pickup", "pickup", (Hands.CARRIER,), _picked_up, attrgetter("valid_pickup")),
)
"""Every fact that may be supposed, once; a pickup comes after the shipment that it is of."""


def sets_of_facts() -> Iterator[tuple[SupposedFact, ...]]:
    """Iterate over the sets of at most two facts, the smaller ones first."""
    for size in range(1, MOST_FACTS + 1):
        for facts in combinations(SUPPOSED_FACTS, size):
            if len({fact.member for fact in facts}) == size:
                yield facts


@dataclass(frozen=True, slots=True)
class Supposition:
    """Facts that are supposed to have happened by an instant (UTC)."""

    facts: tuple[SupposedFact, ...]
    by: datetime

    def __call__(self, shown: OrderFacts) -> OrderFacts:
        """Return the facts with those that are supposed."""
        for fact in self.facts:
            shown = fact.suppose(shown, self.by)
        return shown


class SupposedWorld:
    """What the order system shows: as recorded, as known from the record, and as supposed."""

    def __init__(
        self, record: Record, suppose: Callable[[OrderFacts], OrderFacts] | None = None
    ) -> None:
        self._record = record
        self._suppose = suppose

    def of(self, act: Act) -> OrderFacts | None:
        """Return the facts for an act."""
        event = act.event
        recorded = event is not None and event.at == act.at and event.facts is not None
        shown = event.facts if event is not None and recorded else known(self._record, act.at)
        return shown if shown is None or self._suppose is None else self._suppose(shown)


_DATES: Mapping[str, str] = FrozenMap(
    {
        "paid_at": "paid_at",
        "cancel_request": "cancel_request.submitted_at",
        "refund": "refund.completed_at",
        "shipment": "shipment.shipped_at",
        "pickup": "pickup.scanned_at",
    }
)
"""Where each fact has the date of its own, whenever it became known."""


def date_of(facts: OrderFacts, member: str) -> datetime | None:
    """Return the date that a fact has of its own."""
    value: object = facts
    for name in _DATES[member].split("."):
        value = getattr(value, name, None)
    return value if isinstance(value, datetime) else None


def known(record: Record, at: datetime) -> OrderFacts | None:
    """Return what the record shows of the order at an instant; None where nobody ever looked."""
    looks = record.looks
    if not looks:
        return None
    earlier = [look for look in looks if look.observed_at <= at]
    shown = earlier[-1] if earlier else looks[0]
    members: dict[str, object] = {}
    for look in looks[len(earlier) :]:
        for member in _DATES:
            when = date_of(look, member)
            if when is not None and when <= at:
                members[member] = getattr(look, member)
    return shown.model_copy(update={**members, "observed_at": at})
