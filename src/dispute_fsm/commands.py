"""The commands: one class for each type.

    ChooseOption(by=merchant("M-1"), option=Option.ALREADY_SHIPPED, key="k-1")
    command("choose_option", by=merchant("M-1"), option="already_shipped", key="k-1")

make the same command. For invalid fields, a class raises pydantic's `ValidationError`, and
`command` raises an `InputError` that names the field.
"""

from typing import Required, TypedDict

from dispute_fsm.documents.source import unknown_value, validate
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    DEFAULT_VERSION,
    SYSTEM,
    Actor,
    Annul,
    AnyCommand,
    Appeal,
    ChooseOption,
    Command,
    ConfirmAgreement,
    DenyAgreement,
    ExpireAppeal,
    ExpireConfirmation,
    ExpireEvidence,
    ExpirePromise,
    ExpireResponse,
    ExtendDeadline,
    ObserveOrder,
    OpenDispute,
    OverturnPenalty,
    RequestEvidence,
    RuleAtFault,
    RuleNoFault,
    SubmitEvidence,
    UpholdPenalty,
    Voucher,
    Withdraw,
    adjudicator,
    consumer,
    merchant,
)
from dispute_fsm.domain.enums import CommandType, Option, VoucherKind
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.rollout import RolloutDecision
from dispute_fsm.errors import InputError

__all__ = [
    "DEFAULT_POLICY",
    "DEFAULT_VERSION",
    "SYSTEM",
    "Actor",
    "Annul",
    "AnyCommand",
    "Appeal",
    "ChooseOption",
    "Command",
    "CommandType",
    "ConfirmAgreement",
    "DenyAgreement",
    "ExpireAppeal",
    "ExpireConfirmation",
    "ExpireEvidence",
    "ExpirePromise",
    "ExpireResponse",
    "ExtendDeadline",
    "ObserveOrder",
    "OpenDispute",
    "OpeningFields",
    "Option",
    "OverturnPenalty",
    "RequestEvidence",
    "RuleAtFault",
    "RuleNoFault",
    "SubmitEvidence",
    "UpholdPenalty",
    "Voucher",
    "VoucherKind",
    "Withdraw",
    "adjudicator",
    "command",
    "consumer",
    "merchant",
]


class OpeningFields(TypedDict, total=False):
    """The fields of `OpenDispute`, for a call that names them."""

    dispute_id: Required[str]
    order_id: Required[str]
    merchant_id: Required[str]
    consumer_id: Required[str]
    by: Actor
    rules: str
    policy: Policy
    rollout: RolloutDecision | None
    key: str | None


def command(
    kind: str, /, *, by: Actor | None = None, key: str | None = None, **payload: object
) -> Command:
    """Make a command from the name of its type (`choose_option` and so on) and its payload.

    `by` may be left out where the class has a default: the consumer for an opening, the system for
    an expiry. Raises `InputError` that names the invalid field, or the unknown type.
    """
    if kind not in COMMAND_CLASSES:
        raise InputError(unknown_value(kind, tuple(COMMAND_CLASSES), "command"))
    actor = {} if by is None else {"by": by}
    return validate(COMMAND_CLASSES[CommandType(kind)], {**payload, **actor, "key": key})
