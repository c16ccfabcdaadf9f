"""The facts of the order system: one immutable snapshot per query, and which facts count.

A fact counts only once it has happened: a fact dated after the snapshot (`observed_at`) does not
count yet, nor does a shipment or a scan without a date; an undated refund or cancel request counts.
Late facts count by their own times: a scan at 17:59 that arrives at 19:30 keeps a promise of 18:00.
"""

from datetime import datetime
from typing import Annotated, TypeGuard

from dispute_fsm.domain.enums import CancelStatus, PickupKind, RefundScope, RefundStatus
from dispute_fsm.domain.scalars import Identifier, Instant, Named, Recorded, written

Amount = Annotated[
    str,
    written(
        r"(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?",
        'an amount: write it as a decimal string, e.g. "99.90"',
    ),
]
"""Money as a decimal string, never a float: `"99.90"`."""

Currency = Annotated[str, written("[A-Z]{3}", "a currency: write three capital letters, e.g. CNY")]
"""ISO 4217 code."""


class CancelRequest(Recorded):
    """The consumer's request to cancel the order."""

    submitted_at: Instant | None = None
    status: Named[CancelStatus]


class Refund(Recorded):
    """A refund of the order."""

    status: Named[RefundStatus]
    completed_at: Instant | None = None
    scope: Named[RefundScope] = RefundScope.FULL
    amount: Amount | None = None
    currency: Currency | None = None


class Shipment(Recorded):
    """The merchant's shipment."""

    shipped_at: Instant | None = None
    carrier: Identifier | None = None
    waybill: Identifier | None = None


class Pickup(Recorded):
    """The carrier's record of the pickup (揽件), by the carrier's own clock."""

    scanned_at: Instant | None = None
    waybill: Identifier | None = None
    kind: Named[PickupKind]


class Order(Recorded):
    """The facts of one order; `None` if there is no such fact."""

    paid_at: Instant | None = None
    cancel_request: CancelRequest | None = None
    refund: Refund | None = None
    shipment: Shipment | None = None
    pickup: Pickup | None = None


class OrderFacts(Order):
    """A snapshot of an `Order`: its id, the system that was asked, when, and its revision."""

    order_id: Identifier
    asked: Identifier
    observed_at: Instant
    revision: Identifier

    def _happened(self, instant: datetime | None) -> TypeGuard[datetime]:
        return instant is not None and instant <= self.observed_at

    @property
    def standing_cancel_request(self) -> CancelRequest | None:
        """The cancel request, if it is submitted or accepted, and not dated in the future."""
        request = self.cancel_request
        counts = (
            request is not None
            and request.status in {CancelStatus.SUBMITTED, CancelStatus.ACCEPTED}
            and (request.submitted_at is None or self._happened(request.submitted_at))
        )
        return request if counts else None

    @property
    def full_refund(self) -> Refund | None:
        """The refund, if it is completed and full, and not dated in the future."""
        return self.completed_refund(RefundScope.FULL)

    def completed_refund(self, scope: RefundScope) -> Refund | None:
        """Return the refund, if it is completed, of this scope and not dated in the future."""
        refund = self.refund
        counts = (
            refund is not None
            and refund.status is RefundStatus.COMPLETED
            and refund.scope is scope
            and (refund.completed_at is None or self._happened(refund.completed_at))
        )
        return refund if counts else None

    @property
    def counted_shipment(self) -> Shipment | None:
        """The shipment, if it is dated and has happened."""
        shipment = self.shipment
        counts = shipment is not None and self._happened(shipment.shipped_at)
        return shipment if counts else None

    @property
    def valid_pickup(self) -> Pickup | None:
        """The pickup, if it is of the shipped waybill, picked up, and not before payment."""
        pickup, shipment = self.pickup, self.counted_shipment
        counts = (
            pickup is not None
            and shipment is not None
            and pickup.kind is PickupKind.PICKED_UP
            and pickup.waybill is not None
            and pickup.waybill == shipment.waybill
            and self.paid_at is not None
            and self._happened(pickup.scanned_at)
            and self.paid_at <= pickup.scanned_at
        )
        return pickup if counts else None

    def promise_kept(self, agreed_until: datetime) -> bool:
        """Tell whether shipment and valid pickup are both at or before the agreed instant."""
        pickup, shipment = self.valid_pickup, self.counted_shipment
        if pickup is None or shipment is None:
            return False
        return all(
            at is not None and at <= agreed_until for at in (shipment.shipped_at, pickup.scanned_at)
        )
