"""What the order system shows: one immutable snapshot per look, and what in it counts.

A fact counts only once it has happened: nothing dated after the look (`observed_at`) counts yet,
nor a shipment or a scan without a date; an undated refund or cancel request counts. Late news is
judged by its own times: a scan of 17:59 that reaches us at 19:30 keeps a promise of 18:00.
"""

from datetime import datetime
from typing import Annotated, TypeGuard

from dispute_fsm.domain.enums import CancelStatus, PickupKind, RefundScope, RefundStatus
from dispute_fsm.domain.scalars import Identifier, Instant, Named, Recorded, written

Amount = Annotated[
    str, written(r"(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?", 'an amount: a decimal text, e.g. "99.90"')
]
"""Money as a decimal text, never a float: `"99.90"`."""

Currency = Annotated[str, written("[A-Z]{3}", "a currency: three capital letters, e.g. CNY")]
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
    """The carrier's record of fetching the parcel (揽件), by the carrier's own clock."""

    scanned_at: Instant | None = None
    waybill: Identifier | None = None
    kind: Named[PickupKind]


class Order(Recorded):
    """What the order system holds about one order; `None` where it holds nothing."""

    paid_at: Instant | None = None
    cancel_request: CancelRequest | None = None
    refund: Refund | None = None
    shipment: Shipment | None = None
    pickup: Pickup | None = None


class OrderFacts(Order):
    """An `Order` as one look found it: which order, who was asked, when, and the answer's own revision."""

    order_id: Identifier
    asked: Identifier
    observed_at: Instant
    revision: Identifier

    def _happened(self, instant: datetime | None) -> TypeGuard[datetime]:
        return instant is not None and instant <= self.observed_at

    @property
    def standing_cancel_request(self) -> CancelRequest | None:
        """The cancel request, if it stands: submitted or accepted, and not dated in the future."""
        request = self.cancel_request
        if request is None or request.status not in {CancelStatus.SUBMITTED, CancelStatus.ACCEPTED}:
            return None
        return (
            request
            if request.submitted_at is None or self._happened(request.submitted_at)
            else None
        )

    @property
    def full_refund(self) -> Refund | None:
        """The refund, if it is completed and full, and not dated in the future."""
        refund = self.refund
        if (
            refund is None
            or refund.status is not RefundStatus.COMPLETED
            or refund.scope is not RefundScope.FULL
        ):
            return None
        return (
            refund if refund.completed_at is None or self._happened(refund.completed_at) else None
        )

    @property
    def partial_refund(self) -> Refund | None:
        """The refund, if it is completed and partial, and not dated in the future; the amount does not matter."""
        refund = self.refund
        completed = refund is not None and refund.status is RefundStatus.COMPLETED
        if refund is None or not completed or refund.scope is not RefundScope.PARTIAL:
            return None
        at = refund.completed_at
        return refund if at is None or self._happened(at) else None

    @property
    def counted_shipment(self) -> Shipment | None:
        """The shipment, if it is dated and has happened."""
        return (
            self.shipment
            if self.shipment is not None and self._happened(self.shipment.shipped_at)
            else None
        )

    @property
    def valid_pickup(self) -> Pickup | None:
        """The pickup, if it is one: of the shipped waybill, really picked up, of a paid order, not before payment."""
        pickup, shipment = self.pickup, self.counted_shipment
        if pickup is None or shipment is None or pickup.kind is not PickupKind.PICKED_UP:
            return None
        if pickup.waybill is None or pickup.waybill != shipment.waybill:
            return None
        paid_at, scanned_at = self.paid_at, pickup.scanned_at
        return (
            pickup
            if paid_at is not None and self._happened(scanned_at) and paid_at <= scanned_at
            else None
        )

    def promise_kept(self, agreed_until: datetime) -> bool:
        """Tell whether shipment and valid pickup both lie at or before the agreed instant, by their own times."""
        pickup, shipment = self.valid_pickup, self.counted_shipment
        if pickup is None or shipment is None:
            return False
        return all(
            at is not None and at <= agreed_until for at in (shipment.shipped_at, pickup.scanned_at)
        )
