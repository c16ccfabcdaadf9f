"""Audit events: what happened to a dispute, who did it, under which rules, what every guard saw, what stands now.

One accepted command is one event; a refusal is an event that changes nothing. The members are those of a history file, in
its order. Everything but `hash` and `private` is covered by the hash; personal values stand in `payload` as commitments
and, until they are erased, in `private` as plain text.
"""

# pyright: reportIncompatibleVariableOverride=false
# Events are frozen, so a member may mean something narrower in one type of event than in all.

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainSerializer, SerializeAsAny, TypeAdapter, ValidationInfo, field_validator

from dispute_fsm.rules.commands import RECORDED_PAYLOADS, Actor, OpenDispute, Payload, Sha256, read_payload
from dispute_fsm.rules.facts import OrderFacts
from dispute_fsm.rules.strict import (
    MAX_INTEGER,
    DueInstant,
    FrozenMap,
    Identifier,
    Instant,
    Named,
    Series,
    Strict,
    Text,
    Whole,
    format_instant,
    written,
)
from dispute_fsm.rules.vocabulary import CommandType, Deadline, EventType, Outcome, RefusalCode

SCHEMA_VERSION = 1
"""Version of the shape of an event; it rises when a reader has to know."""

GENESIS = "0" * 64
"""What stands for the hash before a dispute's first event."""


_Seen = Text | Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)] | bool | Series[Text] | None
_Named = Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,200}$")]
"""What a guard calls a thing that it saw: ASCII, so that members have one order for every reader (RFC 8785)."""

Saw = Annotated[Mapping[_Named, _Seen], AfterValidator(FrozenMap), PlainSerializer(dict, return_type=dict[str, Any])]


class Check(Strict):
    """One guard's answer, and what it saw: codes, counts and instants, never a person's words."""

    guard: Text
    passed: bool
    saw: Saw


class PrivateValue(Strict):
    """A personal value in the clear, with the salt that ties it to its commitment."""

    salt: Annotated[str, written("([0-9a-f]{2}){16,64}", "a salt: 16 to 64 bytes in lower-case hex")]
    value: Text


def _deadlines_as_text(deadlines: Mapping[Deadline, Any]) -> dict[str, str]:
    return {deadline.value: format_instant(due) for deadline, due in deadlines.items()}


Deadlines = Annotated[
    Mapping[Named[Deadline], DueInstant],
    AfterValidator(FrozenMap),
    PlainSerializer(_deadlines_as_text, return_type=dict[str, str]),
]
"""The deadlines that stand, by name, with their due instants."""

Private = Annotated[Mapping[Text, PrivateValue], AfterValidator(FrozenMap), PlainSerializer(dict, return_type=dict[str, PrivateValue])]
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
    command: Named[CommandType]
    payload: SerializeAsAny[Payload]
    source: Path | None
    target: Path
    checks: Series[Check]
    facts: OrderFacts | None
    deadlines: Deadlines
    outcome: Named[Outcome] | None
    rules: Identifier
    policy: Sha256
    key: Identifier | None
    correlation_id: Identifier | None
    refused: Series[Named[RefusalCode]]
    prev_hash: Sha256
    hash: Sha256
    private: Private
    schema_version: Literal[1]

    @field_validator("payload", mode="plain")
    @classmethod
    def _of_the_command(cls, value: object, info: ValidationInfo) -> Payload:
        expected = RECORDED_PAYLOADS[info.data["command"]] if "command" in info.data else Payload
        return read_payload(expected, value)


class DisputeOpened(AuditEvent):
    """The opening: whose dispute about which order, under which chart, written by which version of this package."""

    type: Literal[EventType.DISPUTE_OPENED]
    command: Literal[CommandType.OPEN_DISPUTE]
    payload: SerializeAsAny[OpenDispute]
    source: None
    outcome: None
    refused: NoCodes
    order_id: Identifier
    merchant_id: Identifier
    consumer_id: Identifier
    chart: Sha256
    package: Identifier


class Progressed(AuditEvent):
    """The dispute went on: an answer, a consent, a denial that goes to review, evidence, a longer deadline, a region that failed."""

    type: Literal[
        EventType.OPTION_CHOSEN,
        EventType.AGREEMENT_CONFIRMED,
        EventType.AGREEMENT_DENIED,
        EventType.AGREEMENT_UPHELD,
        EventType.EVIDENCE_SUBMITTED,
        EventType.EVIDENCE_REQUESTED,
        EventType.EVIDENCE_OVERDUE,
        EventType.DEADLINE_EXTENDED,
        EventType.SETTLEMENT_FAILED,
        EventType.EVIDENCE_FAILED,
    ]
    source: Path
    outcome: None
    refused: NoCodes


class Closed(AuditEvent):
    """The dispute ended, well or with a liability of the merchant, or its penalty was taken back."""

    type: Literal[EventType.DISPUTE_RESOLVED, EventType.DISPUTE_PENALIZED, EventType.PENALTY_ANNULLED]
    source: Path
    outcome: Named[Outcome]
    refused: NoCodes


class CommandRefused(AuditEvent):
    """A command was refused; nothing changed."""

    type: Literal[EventType.REFUSED]
    source: Path
    refused: Annotated[Series[Named[RefusalCode]], Field(min_length=1)]


Event = Annotated[DisputeOpened | Progressed | Closed | CommandRefused, Field(discriminator="type")]
"""Any audit event, told apart by `type`."""

EVENTS = (DisputeOpened, Progressed, Closed, CommandRefused)
"""The kinds of event, each of which is of one or more types."""

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads and validates one event."""
