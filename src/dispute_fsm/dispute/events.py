"""Audit events: what happened to a dispute, who did it, under which rules, what every guard saw, what stands now.

One accepted command is one event; a refusal is an event that changes nothing. The members are those of a history file, in
its order. Everything but `hash` and `private` is covered by the hash; personal values stand in `payload` as commitments
and, until they are erased, in `private` as plain text.
"""

# pyright: reportIncompatibleVariableOverride=false
# Events are frozen, so a member may mean something narrower in one type of event than in all.

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainSerializer, SerializeAsAny, TypeAdapter, ValidationInfo, field_validator

from dispute_fsm.rules.commands import RECORDED_PAYLOADS, Actor, Payload, Sha256
from dispute_fsm.rules.facts import OrderFacts
from dispute_fsm.rules.strict import Identifier, Instant, Strict, Text, Whole, format_instant
from dispute_fsm.rules.vocabulary import Deadline, EventName, EventType, Outcome, RefusalCode

SCHEMA_VERSION = 1
"""Version of the shape of an event; it rises when a reader has to know."""

GENESIS = "0" * 64
"""What stands for the hash before a dispute's first event."""


Saw = Annotated[
    Mapping[Text, Text | int | bool | Annotated[tuple[Text, ...], Field(strict=False)] | None],
    AfterValidator(MappingProxyType),
    PlainSerializer(dict, return_type=dict[str, Any]),
]


class Check(Strict):
    """One guard's answer, and what it saw: codes, counts and instants, never a person's words."""

    guard: Text
    passed: bool
    saw: Saw


class PrivateValue(Strict):
    """A personal value in the clear, with the salt that ties it to its commitment."""

    salt: Annotated[str, Field(pattern=r"^([0-9a-f]{2}){16,64}$")]
    value: Text


def _deadlines_as_text(deadlines: Mapping[Deadline, Any]) -> dict[str, str]:
    return {deadline.value: format_instant(due) for deadline, due in deadlines.items()}


Deadlines = Annotated[
    Mapping[Annotated[Deadline, Field(strict=False)], Instant],
    AfterValidator(MappingProxyType),
    PlainSerializer(_deadlines_as_text, return_type=dict[str, str]),
]
"""The deadlines that stand, by name, with their due instants."""

Private = Annotated[
    Mapping[Text, PrivateValue], AfterValidator(MappingProxyType), PlainSerializer(dict, return_type=dict[str, PrivateValue])
]
"""Personal values by the JSON Pointer of their commitment; may be emptied at any time."""

NoCodes = Annotated[tuple[()], Field(strict=False)]
Path = Annotated[str, Field(pattern=r"^[a-z_.,]{1,400}$")]


class AuditEvent(Strict):
    """What all events have in common.

    `revision` counts the accepted events up to here; `at` is business time, `recorded_at` when it was written; `source`
    and `target` are the paths of the state before and after; `deadlines` are all that stand afterwards; `facts` is what the
    order system showed, null where nobody asked; `policy` is the policy's digest.
    """

    dispute_id: Identifier
    seq: Annotated[Whole, Field(ge=1)]
    revision: Annotated[Whole, Field(ge=1)]
    event_id: Identifier
    type: EventType
    at: Instant
    recorded_at: Instant
    actor: Actor
    command: Annotated[EventName, Field(strict=False)]
    payload: SerializeAsAny[Payload]
    source: Path | None
    target: Path
    checks: Annotated[tuple[Check, ...], Field(strict=False)]
    facts: OrderFacts | None
    deadlines: Deadlines
    outcome: Annotated[Outcome, Field(strict=False)] | None
    rules: Identifier
    policy: Sha256
    key: Identifier | None
    correlation_id: Identifier | None
    refused: Annotated[tuple[Annotated[RefusalCode, Field(strict=False)], ...], Field(strict=False)]
    prev_hash: Sha256
    hash: Sha256
    private: Private
    schema_version: Literal[1]

    @field_validator("payload", mode="plain")
    @classmethod
    def _of_the_command(cls, value: object, info: ValidationInfo) -> Payload:
        expected = RECORDED_PAYLOADS[info.data["command"]] if "command" in info.data else Payload
        return value if type(value) is expected else expected.model_validate(value)


class DisputeOpened(AuditEvent):
    """The opening: whose dispute about which order, under which chart, written by which version of this package."""

    type: Literal[EventType.DISPUTE_OPENED]
    command: Literal[EventName.OPEN_DISPUTE]
    source: None
    refused: NoCodes
    order_id: Identifier
    merchant_id: Identifier
    consumer_id: Identifier
    chart: Sha256
    package: Identifier


class OptionChosen(AuditEvent):
    """The merchant gave its one response."""

    type: Literal[EventType.OPTION_CHOSEN]
    outcome: None
    refused: NoCodes


class AgreementConfirmed(AuditEvent):
    """The consumer consented; the promise runs on."""

    type: Literal[EventType.AGREEMENT_CONFIRMED]
    outcome: None
    refused: NoCodes


class AgreementDenied(AuditEvent):
    """The consumer denied the agreement, or stayed silent where that counts as a denial; it goes to review."""

    type: Literal[EventType.AGREEMENT_DENIED]
    outcome: None
    refused: NoCodes


class AgreementUpheld(AuditEvent):
    """The adjudicator found that there was an agreement; the promise runs on."""

    type: Literal[EventType.AGREEMENT_UPHELD]
    outcome: None
    refused: NoCodes


class EvidenceSubmitted(AuditEvent):
    """The merchant submitted evidence."""

    type: Literal[EventType.EVIDENCE_SUBMITTED]
    outcome: None
    refused: NoCodes


class EvidenceRequested(AuditEvent):
    """The adjudicator asked for more evidence."""

    type: Literal[EventType.EVIDENCE_REQUESTED]
    outcome: None
    refused: NoCodes


class EvidenceOverdue(AuditEvent):
    """Extra evidence did not come in time; judged on what is there."""

    type: Literal[EventType.EVIDENCE_OVERDUE]
    outcome: None
    refused: NoCodes


class DeadlineExtended(AuditEvent):
    """The adjudicator moved a deadline to later."""

    type: Literal[EventType.DEADLINE_EXTENDED]
    outcome: None
    refused: NoCodes


class DisputeResolved(AuditEvent):
    """The dispute ended well."""

    type: Literal[EventType.DISPUTE_RESOLVED]
    outcome: Annotated[Outcome, Field(strict=False)]
    refused: NoCodes


class DisputePenalized(AuditEvent):
    """The dispute ended with a liability of the merchant."""

    type: Literal[EventType.DISPUTE_PENALIZED]
    outcome: Annotated[Outcome, Field(strict=False)]
    refused: NoCodes


class PenaltyAnnulled(AuditEvent):
    """The adjudicator took a penalty back."""

    type: Literal[EventType.PENALTY_ANNULLED]
    outcome: Annotated[Outcome, Field(strict=False)]
    refused: NoCodes


class CommandRefused(AuditEvent):
    """A command was refused; nothing changed."""

    type: Literal[EventType.REFUSED]
    refused: Annotated[tuple[Annotated[RefusalCode, Field(strict=False)], ...], Field(strict=False, min_length=1)]


Event = Annotated[
    DisputeOpened
    | OptionChosen
    | AgreementConfirmed
    | AgreementDenied
    | AgreementUpheld
    | EvidenceSubmitted
    | EvidenceRequested
    | EvidenceOverdue
    | DeadlineExtended
    | DisputeResolved
    | DisputePenalized
    | PenaltyAnnulled
    | CommandRefused,
    Field(discriminator="type"),
]
"""Any audit event, told apart by `type`."""

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads and validates one event."""
