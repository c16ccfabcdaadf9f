"""What is in a row: events as their hashed bytes and back, a dispute as columns, and its snapshot.

A snapshot is a dispute as one text, so that loading one does not read all its events. What cannot
change is left out: the opening is in the first event, the policy under its digest. Idempotency keys
are looked up one by one. A text of another version, or of another chart, is not read: the dispute
is folded from its events instead.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, Optional, cast, get_type_hints

from pydantic import ValidationError, create_model
from pydantic_core import from_json, to_json

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.hash_chain import hashed_form
from dispute_fsm.domain.canonical_json import canonical, digest
from dispute_fsm.domain.enums import Deadline
from dispute_fsm.domain.events import EVENT, AuditEvent, Deadlines, DisputeOpened
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import DueInstant, FrozenMap, Strict
from dispute_fsm.history.reader import upcast
from dispute_fsm.rules.registry import rule_version

_MEANING = 1
"""Rises where a member of a dispute comes to mean something else under the same name."""

_ELSEWHERE = {"opening", "policy", "keys"}
_AS_WRITTEN: Mapping[Any, Any] = {
    datetime: DueInstant,
    datetime | None: Optional[DueInstant],  # noqa: UP045 -- an annotated type has no `|` for type checkers
    Mapping[Deadline, datetime]: Deadlines,
}
_HINTS: dict[str, Any] = get_type_hints(Dispute)
_MEMBERS = {
    field.name: _HINTS[field.name] for field in fields(Dispute) if field.name not in _ELSEWHERE
}
_STANDS = attrgetter(*_MEMBERS)
_Stands: type[Strict] = cast("Any", create_model)(
    "_Stands",
    __base__=Strict,
    **{name: (_AS_WRITTEN.get(hint, hint), ...) for name, hint in _MEMBERS.items()},
)

_SHAPE = digest({name: str(hint) for name, hint in sorted(_MEMBERS.items())})[:16]


def snapshot_version(rules: str) -> str:
    """Return the version of a snapshot of a dispute under these rules: its meaning, the members, and the chart that runs.

    Raises `InputError` for an unknown rule version.
    """
    return f"{_MEANING}.{_SHAPE}.{rule_version(rules).table.digest[:16]}"


def written(dispute: Dispute) -> str:
    """Write a dispute's snapshot; the same dispute is always the same text."""
    return canonical(dict(zip(_MEMBERS, _STANDS(dispute), strict=True))).decode()


def read(
    text: str, opening: DisputeOpened, policy: Policy, used: Mapping[str, AuditEvent]
) -> Dispute | None:
    """Read a dispute from its snapshot; `used` are the keys that are asked about. None where the text is not a snapshot."""
    try:
        stands = _Stands.model_validate_json(text)
    except ValidationError:
        return None
    return Dispute(opening=opening, policy=policy, keys=FrozenMap(used), **vars(stands))


class EventRow(NamedTuple):
    """An event as it is kept: the bytes that its hash covers, the hash, and its personal values (None: there are none, or no more)."""

    dispute_id: str
    seq: int
    hashed: bytes
    hash: str
    private: str | None


def event_row(event: AuditEvent, hashed: bytes | None = None) -> EventRow:
    """Make the rows of an event. `hashed` are the bytes that its hash covers, where they are at hand."""
    covered = hashed_form(event.model_dump(mode="json")) if hashed is None else hashed
    return EventRow(event.dispute_id, event.seq, covered, event.hash, private_text(event.private))


def private_text(private: Mapping[str, Any]) -> str | None:
    """Write an event's personal values as they are kept; None: there are none."""
    return to_json(dict(private)).decode() if private else None


def record_of(row: EventRow) -> dict[str, Any]:
    """Return an event as it stands in a history file."""
    record: dict[str, Any] = from_json(row.hashed)
    return {
        **record,
        "hash": row.hash,
        "private": {} if row.private is None else from_json(row.private),
    }


def event_of(row: EventRow) -> AuditEvent:
    """Read an event; one of an older schema is brought up to date. Raises `ValidationError`, `InputError`."""
    return EVENT.validate_python(upcast(record_of(row)))


def policy_text(policy: Policy) -> str:
    """Write a policy as it is kept: complete, its members in the order in which they were given."""
    return to_json(policy.record).decode()


def policy_of(text: str) -> Policy:
    """Read a policy. Raises `ValidationError`."""
    return Policy.model_validate(from_json(text))


def stands(dispute: Dispute) -> dict[str, Any]:
    """Return the columns of a dispute that its events change."""
    return {
        "path": dispute.path,
        "state": dispute.state.value,
        "closed": dispute.closed,
        "option": dispute.option and dispute.option.value,
        "outcome": dispute.outcome and dispute.outcome.value,
        "liability": dispute.liability and dispute.liability.value,
        "revision": dispute.revision,
        "seq": dispute.seq,
        "last_at": dispute.last_at,
        "last_hash": dispute.last_hash,
        "snapshot_version": snapshot_version(dispute.opening.rules),
        "snapshot": written(dispute),
    }


def opened_as(dispute: Dispute) -> dict[str, Any]:
    """Return the columns of a dispute that never change."""
    opening = dispute.opening
    return {
        "dispute_id": opening.dispute_id,
        "order_id": opening.order_id,
        "merchant_id": opening.merchant_id,
        "consumer_id": opening.consumer_id,
        "rules": opening.rules,
        "policy": opening.policy,
        "opened_at": opening.at,
    }


def running(dispute: Dispute) -> dict[str, datetime]:
    """Return the deadlines that run, by name."""
    return {deadline.value: due for deadline, due in dispute.running.items()}
