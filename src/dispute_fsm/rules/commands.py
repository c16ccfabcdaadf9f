"""What can be asked of a dispute: who asks, which event, and the event's payload.

Each payload exists in two forms that share one declaration: in a command the personal values (note, statement,
rationale, a voucher's file name and address) are plain text, in an audit event they are commitments.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, Field, SerializeAsAny, ValidationInfo, field_validator

from dispute_fsm.rules.rollout import RolloutDecision
from dispute_fsm.rules.strict import (
    MAX_TEXT,
    FrozenMap,
    GivenIdentifier,
    Identifier,
    Instant,
    Named,
    ReasonId,
    Recorded,
    Series,
    Strict,
    Text,
    Whole,
    visible,
    written,
)
from dispute_fsm.rules.vocabulary import Deadline, EventName, Option, Role, VoucherKind

PERSONAL = frozenset({"note", "statement", "rationale", "file_name", "uri"})
"""The members of a payload that are a person's: hashed only as commitments, erasable."""

Sha256 = Annotated[str, written("[0-9a-f]{64}", "a SHA-256: 64 digits of lower-case hex")]
"""A SHA-256 digest in lower-case hex."""


class Commitment(Strict):
    """Stands for a personal value in the hashed part of an event.

    `commitment` is the SHA-256 hex of the salt's bytes followed by the value's UTF-8; `length` counts code points and is
    0 for a blank value, so that rules about length can be judged again after the value was erased.
    """

    commitment: Sha256
    length: Annotated[int, Field(ge=0, le=MAX_TEXT)]


P = TypeVar("P", Text, Commitment)


class Actor(Recorded):
    """Who asks: a role, and the id within it."""

    role: Named[Role]
    id: Identifier


def _visible(actor: Actor) -> Actor:
    visible(actor.id)
    return actor


GivenActor = Annotated[Actor, AfterValidator(_visible)]
"""Who asks, as somebody hands it in: the id is not blank."""


class Voucher(Strict, Generic[P]):
    """A voucher's metadata; the file itself stays with the host."""

    kind: Named[VoucherKind]
    file_name: P | None = None
    media_type: Identifier
    size: Whole
    sha256: Sha256
    uri: P | None = None


class Payload(Strict):
    """What an event says beyond who and when; this base says nothing more."""


class OpenDispute(Payload):
    """An opening; `rollout` is the decision of a gradual release on its rule version, where one decided.

    Without one nothing is written, so that such an opening is recorded as it always was.
    """

    rollout: Annotated[RolloutDecision | None, Field(exclude_if=lambda rollout: rollout is None)] = None


class ChooseOption(Payload, Generic[P]):
    """The merchant's one response. `agreed_until` goes with `ship_by_agreed_date` only."""

    option: Named[Option]
    agreed_until: Instant | None = None
    vouchers: Annotated[Series[Voucher[P]], Field(max_length=1_000)] = ()
    note: P | None = None

    @field_validator("agreed_until")
    @classmethod
    def _only_where_it_means_something(cls, agreed_until: datetime | None, info: ValidationInfo) -> datetime | None:
        if agreed_until is not None and info.data.get("option") is not Option.SHIP_BY_AGREED_DATE:
            msg = f"agreed_until goes with the option {Option.SHIP_BY_AGREED_DATE.value} only"
            raise ValueError(msg)
        return agreed_until


class SubmitEvidence(Payload, Generic[P]):
    """The merchant's evidence: a reason of the policy's catalogue, the vouchers it prompts for, a statement."""

    reason: ReasonId | None = None
    vouchers: Annotated[Series[Voucher[P]], Field(max_length=1_000)] = ()
    statement: P | None = None


class RequestEvidence(Payload, Generic[P]):
    """The adjudicator asks for more; the note says what for."""

    note: P | None = None


class Ruling(Payload, Generic[P]):
    """A ruling or an annulment, with its rationale."""

    rationale: P | None = None


class ExtendDeadline(Payload, Generic[P]):
    """Move a deadline to `until`; for the promise that is the new agreed instant. `deadline` may name which one is meant."""

    until: Instant
    rationale: P | None = None
    deadline: Named[Deadline] | None = None


_FORMS: Mapping[EventName, tuple[type[Payload], type[Payload]]] = {
    EventName.OPEN_DISPUTE: (OpenDispute, OpenDispute),
    EventName.CHOOSE_OPTION: (ChooseOption[Text], ChooseOption[Commitment]),
    EventName.SUBMIT_EVIDENCE: (SubmitEvidence[Text], SubmitEvidence[Commitment]),
    EventName.REQUEST_EVIDENCE: (RequestEvidence[Text], RequestEvidence[Commitment]),
    EventName.RULE_NO_FAULT: (Ruling[Text], Ruling[Commitment]),
    EventName.RULE_AT_FAULT: (Ruling[Text], Ruling[Commitment]),
    EventName.ANNUL: (Ruling[Text], Ruling[Commitment]),
    EventName.EXTEND_DEADLINE: (ExtendDeadline[Text], ExtendDeadline[Commitment]),
}
_NOTHING_MORE = (Payload, Payload)

PAYLOADS: Mapping[EventName, type[Payload]] = FrozenMap({event: _FORMS.get(event, _NOTHING_MORE)[0] for event in EventName})
"""The payload of each event as it is asked for."""

RECORDED_PAYLOADS: Mapping[EventName, type[Payload]] = FrozenMap({event: _FORMS.get(event, _NOTHING_MORE)[1] for event in EventName})
"""The payload of each event as it is recorded."""


def read_payload(expected: type[Payload], value: object) -> Payload:
    """Read an event's payload; one of the same kind in another form (`ChooseOption`, `ChooseOption[str]`) by its fields."""
    if type(value) is expected:  # it passed this very model, and cannot have changed
        return value
    if not isinstance(value, Payload):
        return expected.model_validate(value)
    kind, wanted = (form.__pydantic_generic_metadata__["origin"] or form for form in (type(value), expected))
    if kind is not wanted:
        raise ValueError(f"{type(value).__name__} is the payload of another event")
    return expected.model_validate(value.model_dump())


class Command(Strict):
    """One request to one dispute.

    `key` is the idempotency key: once a command with it is accepted, the same key with the same content (event, actor,
    payload) is answered as the first time, with other content it is refused.
    """

    event: Named[EventName]
    actor: GivenActor
    payload: SerializeAsAny[Payload] = Field(default_factory=dict, validate_default=True)
    key: GivenIdentifier | None = None

    @field_validator("payload", mode="plain")
    @classmethod
    def _of_the_event(cls, value: object, info: ValidationInfo) -> Payload:
        expected = PAYLOADS[info.data["event"]] if "event" in info.data else Payload
        return read_payload(expected, value)
