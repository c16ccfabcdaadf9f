"""The audit events: one class for each type of thing that happens to a dispute.

    match event:
        case OptionChosen(payload=chosen):
            print(chosen.option)

`EVENT` reads one from JSON or from plain values.
"""

from dispute_fsm.dispute.events import (
    EVENT,
    EVENT_CLASSES,
    AgreementConfirmed,
    AgreementDenied,
    AgreementUpheld,
    AnyEvent,
    AuditEvent,
    Check,
    CommandRefused,
    DeadlineExtended,
    DisputeOpened,
    DisputePenalized,
    DisputeResolved,
    EvidenceFailed,
    EvidenceOverdue,
    EvidenceRequested,
    EvidenceSubmitted,
    OptionChosen,
    PenaltyAnnulled,
    PrivateValue,
    SettlementFailed,
)
from dispute_fsm.rules.vocabulary import EventType

__all__ = [
    "EVENT",
    "EVENT_CLASSES",
    "AgreementConfirmed",
    "AgreementDenied",
    "AgreementUpheld",
    "AnyEvent",
    "AuditEvent",
    "Check",
    "CommandRefused",
    "DeadlineExtended",
    "DisputeOpened",
    "DisputePenalized",
    "DisputeResolved",
    "EventType",
    "EvidenceFailed",
    "EvidenceOverdue",
    "EvidenceRequested",
    "EvidenceSubmitted",
    "OptionChosen",
    "PenaltyAnnulled",
    "PrivateValue",
    "SettlementFailed",
]
