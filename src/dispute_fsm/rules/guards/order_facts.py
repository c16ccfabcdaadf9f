"""What the order system has to show."""

from dispute_fsm.domain.enums import RefusalCode
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.reasons import FactUnlock
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.errors import FactsNeededError
from dispute_fsm.machine.guard import GuardResult
from dispute_fsm.rules.case import Case, requirement, result_of, shown
from dispute_fsm.rules.sources import CANCELS, ORDER, PICKED_UP


def facts_of(case: Case) -> OrderFacts:
    """Return the case's facts. Raises `FactsNeededError` where nobody asked for them."""
    if case.facts is None:
        msg = (
            f"{case.command.type.value} looks at the order system's facts, but none were given: "
            "ask needs_facts() first"
        )
        raise FactsNeededError(msg)
    return case.facts


_CANCEL_OR_REFUND = FactUnlock(
    "cancel_request | refund",
    "订单系统须显示有效的取消申请（已提交/已受理），或已完成的全额退款",
    (
        "the order system has to show a cancel request (submitted or accepted) or a completed "
        "full refund"
    ),
)
_SHIPMENT = FactUnlock(
    "shipment.shipped_at",
    "订单系统须显示发货时间，且不晚于当前时间",
    "the order system has to show a shipment that has happened",
)
_ANY_PICKUP = FactUnlock(
    "pickup", "订单系统须显示物流揽件记录", "the order system has to show the carrier's pickup scan"
)
_VALID_PICKUP = FactUnlock(
    "pickup",
    "揽件记录须为“已揽件”，运单号与发货一致，时间不早于付款时间且不晚于当前时间",
    "the scan has to be picked_up, of the shipped waybill, not before payment, and have happened",
)
_ORDER = FactUnlock("order", "订单系统须有该订单", "the order system has to know the order")


@requirement(
    "已有有效的取消申请，或已完成全额退款",
    "a cancel request that stands, or a completed full refund",
    CANCELS,
    RefusalCode.NO_CANCEL_REQUEST_OR_REFUND,
    needs_facts=True,
)
def cancel_requested_or_refunded(case: Case) -> GuardResult:
    """Look for a standing cancel request or a completed full refund."""
    facts = facts_of(case)
    request, refund = facts.cancel_request, facts.refund
    return result_of(
        facts.standing_cancel_request is not None or facts.full_refund is not None,
        RefusalCode.NO_CANCEL_REQUEST_OR_REFUND,
        _CANCEL_OR_REFUND,
        cancel_request=None if request is None else request.status.value,
        cancel_request_submitted_at=None if request is None else shown(request.submitted_at),
        refund=None if refund is None else refund.status.value,
        refund_scope=None if refund is None else refund.scope.value,
        refund_completed_at=None if refund is None else shown(refund.completed_at),
    )


@requirement(
    "已发货",
    "shipped",
    PICKED_UP,
    RefusalCode.NOT_SHIPPED,
    needs_facts=True,
)
def shipped(case: Case) -> GuardResult:
    """Look for a shipment that is dated and has happened."""
    facts = facts_of(case)
    return result_of(
        facts.counted_shipment is not None,
        RefusalCode.NOT_SHIPPED,
        _SHIPMENT,
        shipment=facts.shipment is not None,
        shipped_at=None if facts.shipment is None else shown(facts.shipment.shipped_at),
    )


@requirement(
    "已有有效的物流揽件记录",
    "a valid pickup scan",
    PICKED_UP,
    RefusalCode.NO_PICKUP_SCAN,
    RefusalCode.PICKUP_NOT_VALID,
    needs_facts=True,
)
def picked_up(case: Case) -> GuardResult:
    """Look for a valid pickup: the shipment's waybill, picked up, paid before."""
    facts = facts_of(case)
    pickup, shipment = facts.pickup, facts.counted_shipment
    if pickup is None:
        return result_of(False, RefusalCode.NO_PICKUP_SCAN, _ANY_PICKUP, pickup=False)  # noqa: FBT003 -- found(holds, ...) reads as a sentence
    return result_of(
        facts.valid_pickup is not None,
        RefusalCode.PICKUP_NOT_VALID,
        _VALID_PICKUP,
        pickup=True,
        kind=pickup.kind.value,
        scanned_at=shown(pickup.scanned_at),
        waybill=pickup.waybill,
        shipped_waybill=None if shipment is None else shipment.waybill,
        paid_at=shown(facts.paid_at),
        observed_at=format_instant(facts.observed_at),
    )


@requirement(
    "订单存在",
    "the order exists",
    ORDER,
    RefusalCode.ORDER_NOT_FOUND,
)
def order_exists(case: Case) -> GuardResult:
    """Require that the order exists; at the opening, no facts means that it does not."""
    return result_of(
        case.facts is not None, RefusalCode.ORDER_NOT_FOUND, _ORDER, order=case.facts is not None
    )
