"""Audit events: what happened to a dispute, who did it, what every guard saw, what runs now.

One accepted command is one event; a refusal is an event that changes nothing. The members are those
of a history file, in its order. Everything but `hash` and `private` is covered by the hash;
personal values stand in `payload` as commitments and, until they are erased, in `private` as plain
text.
"""

# pyright: reportIncompatibleVariableOverride=false
# Events are frozen, so a member may mean something narrower in one type of event than in all.

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializeAsAny,
    TypeAdapter,
    ValidationInfo,
    create_model,
)

from dispute_fsm.domain.commands import (
    PAYLOAD_CLASSES,
    Actor,
    ChoicePayload,
    EvidencePayload,
    ExtensionPayload,
    OpeningPayload,
    Payload,
    RequestPayload,
    RulingPayload,
    Sha256,
)
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, Outcome, RefusalCode
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.scalars import (
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
    made,
    written,
)

SCHEMA_VERSION = 1
"""Version of the shape of an event; it rises when a reader has to know."""

GENESIS = "0" * 64
"""What stands for the hash before a dispute's first event."""


_Seen = Annotated[
    Text | Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)] | bool | Series[Text] | None,
    Field(union_mode="left_to_right"),  # nothing is of two of these, and most are texts
]
_Named = Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,200}$")]
"""A name of what a guard saw: ASCII, so that every reader sorts members alike (RFC 8785)."""

Saw = Annotated[
    Mapping[_Named, _Seen],
    AfterValidator(FrozenMap),
    PlainSerializer(dict, return_type=dict[str, Any]),
]


class Check(Strict):
    """One guard's answer, and what it saw: codes, counts and instants, never a person's words."""

    guard: Text
    passed: bool
    saw: Saw


class PrivateValue(Strict):
    """A personal value in the clear, with the salt that ties it to its commitment."""

    salt: Annotated[
        str, written("([0-9a-f]{2}){16,64}", "a salt: 16 to 64 bytes in lower-case hex")
    ]
    value: Text


def _deadlines_as_text(deadlines: Mapping[Deadline, Any]) -> dict[str, str]:
    return {deadline.value: format_instant(due) for deadline, due in deadlines.items()}


Deadlines = Annotated[
    Mapping[Named[Deadline], DueInstant],
    AfterValidator(FrozenMap),
    PlainSerializer(_deadlines_as_text, return_type=dict[str, str]),
]
"""The deadlines that stand, by name, with their due instants."""

Private = Annotated[
    Mapping[Text, PrivateValue],
    AfterValidator(FrozenMap),
    PlainSerializer(dict, return_type=dict[str, PrivateValue]),
]
"""Personal values by the JSON Pointer of their commitment; may be emptied at any time."""

NoCodes = Annotated[tuple[()], Field(strict=False)]
Path = Annotated[str, Field(pattern=r"^[a-z_.,]{1,400}$")]


_NOTHING = made(Payload, {})
"""The payload of a command that says no more than who and when."""


def _of_the_command(value: object, info: ValidationInfo) -> Payload:
    command = info.data.get("command")  # an invalid one is an error already
    kind = Payload if command is None else PAYLOAD_CLASSES[command]
    if command is None or (kind is Payload and value == {}):
        return _NOTHING
    return kind.model_validate(value)


_PayloadOfCommand = Annotated[SerializeAsAny[Payload], PlainValidator(_of_the_command)]


class AuditEvent(Strict):
    """What all events have in common.

    `revision` counts the accepted events up to here; `at` is business time, `recorded_at` when it
    was written; `source` and `target` are the paths of the state before and after; `deadlines` are
    all that stand afterwards; `facts` is what the order system showed, null where nobody asked;
    `policy` is the policy's digest.
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
    payload: _PayloadOfCommand
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

    def __repr__(self) -> str:
        ended = "" if self.outcome is None else f", {self.outcome.value}"
        what = f"{'' if self.source is None else f'{self.source} -> '}{self.target}{ended}"
        if self.refused:
            what = f"{self.command.value} refused in {self.target}: {', '.join(self.refused)}"
        return f"{type(self).__name__}({self.dispute_id} #{self.seq} by {self.actor}: {what})"

    def __str__(self) -> str:
        return repr(self)


# ---- one class per type --------------------------------------------------------------------------


class DisputeOpened(AuditEvent):
    """The opening: whose dispute about which order, under which chart and package version."""

    type: Literal[EventType.DISPUTE_OPENED]
    command: Literal[CommandType.OPEN_DISPUTE]
    payload: OpeningPayload
    source: None
    outcome: None
    refused: NoCodes
    order_id: Identifier
    merchant_id: Identifier
    consumer_id: Identifier
    chart: Sha256
    package: Identifier


class _Progressed(AuditEvent):  # the dispute goes on
    source: Path
    outcome: None
    refused: NoCodes


class OptionChosen(_Progressed):
    """The merchant chose an option, and the dispute goes on."""

    type: Literal[EventType.OPTION_CHOSEN]
    command: Literal[CommandType.CHOOSE_OPTION]
    payload: ChoicePayload


class AgreementConfirmed(_Progressed):
    """The consumer confirmed an agreement whose promise is still to be kept."""

    type: Literal[EventType.AGREEMENT_CONFIRMED]


class AgreementDenied(_Progressed):
    """The consumer denied an agreement, or silence counts as that; the adjudicator reviews it."""

    type: Literal[EventType.AGREEMENT_DENIED]


class AgreementUpheld(_Progressed):
    """The adjudicator upheld an agreement; it counts as confirmed, and its promise runs on."""

    type: Literal[EventType.AGREEMENT_UPHELD]
    command: Literal[CommandType.RULE_NO_FAULT]
    payload: RulingPayload


class EvidenceSubmitted(_Progressed):
    """The merchant submitted evidence; the ruling comes next."""

    type: Literal[EventType.EVIDENCE_SUBMITTED]
    command: Literal[CommandType.SUBMIT_EVIDENCE]
    payload: EvidencePayload


class EvidenceRequested(_Progressed):
    """The adjudicator asked for more evidence."""

    type: Literal[EventType.EVIDENCE_REQUESTED]
    command: Literal[CommandType.REQUEST_EVIDENCE]
    payload: RequestPayload


class EvidenceOverdue(_Progressed):
    """More evidence did not come in time; the ruling is made on what is there."""

    type: Literal[EventType.EVIDENCE_OVERDUE]


class DeadlineExtended(AuditEvent):
    """The adjudicator extended a deadline; after the end that leaves the outcome as it was."""

    type: Literal[EventType.DEADLINE_EXTENDED]
    source: Path
    refused: NoCodes
    command: Literal[CommandType.EXTEND_DEADLINE]
    payload: ExtensionPayload


class SettlementFailed(_Progressed):
    """The settlement failed; the evidence region goes on alone."""

    type: Literal[EventType.SETTLEMENT_FAILED]


class EvidenceFailed(_Progressed):
    """The evidence failed; the settlement region goes on alone."""

    type: Literal[EventType.EVIDENCE_FAILED]


class _Closed(AuditEvent):  # the dispute has an outcome
    source: Path
    outcome: Named[Outcome]
    refused: NoCodes


class DisputeResolved(_Closed):
    """The dispute ended without a penalty."""

    type: Literal[EventType.DISPUTE_RESOLVED]


class DisputePenalized(_Closed):
    """The dispute ended with a penalty; `outcome` is the merchant's liability."""

    type: Literal[EventType.DISPUTE_PENALIZED]


class PenaltyAnnulled(_Closed):
    """The adjudicator annulled the penalty."""

    type: Literal[EventType.PENALTY_ANNULLED]
    command: Literal[CommandType.ANNUL]
    payload: RulingPayload


class PenaltyAppealed(_Closed):
    """The merchant appealed against the penalty; `outcome` is the liability, as before."""

    type: Literal[EventType.PENALTY_APPEALED]
    command: Literal[CommandType.APPEAL]
    payload: RulingPayload


class PenaltyFinal(_Closed):
    """Nobody appealed in time; `outcome` is the liability, as before."""

    type: Literal[EventType.PENALTY_FINAL]


class PenaltyUpheld(_Closed):
    """The adjudicator upheld the penalty; `outcome` is the liability, as before."""

    type: Literal[EventType.PENALTY_UPHELD]
    command: Literal[CommandType.UPHOLD_PENALTY]
    payload: RulingPayload


class PenaltyOverturned(_Closed):
    """The adjudicator overturned the penalty on appeal."""

    type: Literal[EventType.PENALTY_OVERTURNED]
    command: Literal[CommandType.OVERTURN_PENALTY]
    payload: RulingPayload


class CommandRefused(AuditEvent):
    """A command was refused; nothing changed."""

    type: Literal[EventType.REFUSED]
    source: Path
    refused: Annotated[Series[Named[RefusalCode]], Field(min_length=1)]


AnyEvent = (
    DisputeOpened
    | OptionChosen
    | AgreementConfirmed
    | AgreementDenied
    | AgreementUpheld
    | EvidenceSubmitted
    | EvidenceRequested
    | EvidenceOverdue
    | DeadlineExtended
    | SettlementFailed
    | EvidenceFailed
    | DisputeResolved
    | DisputePenalized
    | PenaltyAnnulled
    | CommandRefused
    | PenaltyAppealed
    | PenaltyFinal
    | PenaltyUpheld
    | PenaltyOverturned
)
"""Any audit event, told apart by its class, and in JSON by its `type`."""

_CLASSES: Mapping[str, type[AuditEvent]] = {
    get_args(one.model_fields["type"].annotation)[0]: one for one in get_args(AnyEvent)
}


def _declared(name: EventType) -> type[AuditEvent]:
    if name not in _CLASSES:
        raise TypeError(f"AnyEvent has no class for the event {name.value}")
    return _CLASSES[name]


EVENT_CLASSES: Mapping[str, type[AuditEvent]] = FrozenMap(
    {name: _declared(name) for name in EventType}
)
"""The class of each type of event."""


_FROM_OUTSIDE = frozenset(
    {
        *("event_id", "at", "recorded_at", "actor", "facts", "deadlines", "key", "correlation_id"),
        *("command", "outcome", "refused"),
    }
)
_FROM_AN_OPENING = frozenset({"dispute_id", "rules", "order_id", "merchant_id", "consumer_id"})


@cache
def from_outside(event: type[AuditEvent]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what validates the members of a type of event that come from outside, and sorts all.

    They are what a host handed in, who may have changed a model without validation (`model_copy`),
    what is counted from that, and what a wrong chart could make contradict the type. The payload is
    validated as such, and all others are ours. They come back in the order of the fields, with None
    for the hash, which is not known yet.
    """
    outside = _FROM_OUTSIDE | (_FROM_AN_OPENING if event is DisputeOpened else frozenset())
    fields: dict[str, Any] = {
        name: (field.annotation, field) if name in outside else (Any, ...)
        for name, field in event.model_fields.items()
    }
    fields["hash"] = (Any, None)
    model = create_model(event.__name__, __base__=Strict, **fields)

    def validate(members: dict[str, Any]) -> dict[str, Any]:
        return vars(model.model_validate(members))

    return validate


class _EventAdapter(TypeAdapter[AnyEvent]):  # type: ignore[misc]  # it is final, but how it is pickled can be said nowhere else
    def __reduce__(self) -> str:
        return "EVENT"  # pickled by its name: it is code, not data


EVENT: TypeAdapter[AnyEvent] = _EventAdapter(
    Annotated[AnyEvent, Field(discriminator="type")],
    config=ConfigDict(defer_build=True),  # a decision reads no event
)
"""Reads and validates one event."""
