"""The audit events: one class for each type.

    match event:
        case OptionChosen(payload=chosen):
            print(chosen.option)

`EVENT` validates an event from JSON or from plain values.
"""

from dispute_fsm.domain.enums import EventType
from dispute_fsm.domain.events import (
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
    PenaltyAppealed,
    PenaltyFinal,
    PenaltyOverturned,
    PenaltyUpheld,
    PrivateValue,
    SettlementFailed,
)

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
    "PenaltyAppealed",
    "PenaltyFinal",
    "PenaltyOverturned",
    "PenaltyUpheld",
    "PrivateValue",
    "SettlementFailed",
]
