"""A dispute as one text: what its events come to, so that loading one does not read them all.

What cannot change is left out: the opening stands in the first event, the policy under its digest. Idempotency keys are looked
up one by one. A text of another version, or of another chart, is not read: the dispute is folded from its events instead.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Optional, cast, get_type_hints

from pydantic import ValidationError, create_model

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.canonical_json import canonical, digest
from dispute_fsm.domain.enums import Deadline
from dispute_fsm.domain.events import AuditEvent, Deadlines, DisputeOpened
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import DueInstant, FrozenMap, Strict
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
_MEMBERS = {field.name: _HINTS[field.name] for field in fields(Dispute) if field.name not in _ELSEWHERE}
_STANDS = attrgetter(*_MEMBERS)
_Stands: type[Strict] = cast("Any", create_model)(
    "_Stands", __base__=Strict, **{name: (_AS_WRITTEN.get(hint, hint), ...) for name, hint in _MEMBERS.items()}
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


def read(text: str, opening: DisputeOpened, policy: Policy, used: Mapping[str, AuditEvent]) -> Dispute | None:
    """Read a dispute from its snapshot; `used` are the keys that are asked about. None where the text is not a snapshot."""
    try:
        stands = _Stands.model_validate_json(text)
    except ValidationError:
        return None
    return Dispute(opening=opening, policy=policy, keys=FrozenMap(used), **vars(stands))
