"""The chain of hashes, and the commitments that let personal values be erased without breaking it.

An event's `hash` is the SHA-256 of the canonical form of all its members but `hash` and `private`;
`prev_hash` is the hash of the dispute's event before. So any later change, insertion, reordering or
removal shows, but for the removal of a tail and for a whole history written anew: who must rule
these out keeps the last hash somewhere else.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import NAMESPACE_OID, uuid5

from dispute_fsm.domain.canonical_json import canonical
from dispute_fsm.domain.commands import (
    PAYLOAD_CLASSES,
    PERSONAL,
    Command,
    Commitment,
    Payload,
    Voucher,
    content,
    content_as_json,
)
from dispute_fsm.domain.events import AuditEvent, DisputeOpened, PrivateValue, from_outside
from dispute_fsm.domain.scalars import Strict, made
from dispute_fsm.errors import IntegrityError
from dispute_fsm.rules.guards.evidence import length

NOT_HASHED = frozenset({"hash", "private"})
_SALT_BYTES = 16
_COMMITTED = frozenset(Commitment.model_fields)
E = TypeVar("E", bound=AuditEvent)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an event needs from outside: an id, the moment of writing, and a secret for its salts.

    The seed is used for one event only and stored nowhere; who has the salts cannot find it.
    """

    event_id: str
    recorded_at: datetime
    seed: bytes
    correlation_id: str | None = None

    def salt(self, pointer: str) -> bytes:
        """Return the salt for the personal value at this JSON Pointer."""
        return hmac.digest(self.seed, pointer.encode(), "sha256")[:_SALT_BYTES]


def derived_stamp(at: datetime, dispute_id: str, seq: int) -> Stamp:
    """Make a stamp from the dispute's id and the event's seq alone: two runs write the same bytes.

    For scenarios, tests and generated histories only: who knows the ids knows the salts.
    """
    name = f"{dispute_id}:{seq}"
    return Stamp(event_id=str(uuid5(NAMESPACE_OID, name)), recorded_at=at, seed=name.encode())


def commitment(value: str, salt: bytes) -> Commitment:
    """Commit to a personal value: SHA-256 of salt and UTF-8, and its length (0 if blank)."""
    return Commitment.model_validate(_committed(value, salt))


def _committed(value: str, salt: bytes) -> dict[str, Any]:
    return {
        "commitment": hashlib.sha256(salt + value.encode()).hexdigest(),
        "length": length(value),
    }


def conceal(
    command: Command, salt: Callable[[str], bytes]
) -> tuple[Payload, dict[str, PrivateValue]]:
    """Split a command into the recorded payload, with commitments, and its personal values."""
    private: dict[str, PrivateValue] = {}

    def commit(value: str, pointer: str) -> dict[str, Any]:
        secret = salt(pointer)
        private[pointer] = PrivateValue(salt=secret.hex(), value=value)
        return _committed(value, secret)

    return PAYLOAD_CLASSES[command.type].model_validate(
        _recorded(content(command), "/payload", commit)
    ), private


def _recorded(
    asked: Mapping[str, Any], pointer: str, commit: Callable[[str, str], dict[str, Any]]
) -> dict[str, Any]:
    """Return the members of a payload or voucher, with commitments for the personal ones."""
    members: dict[str, Any] = {}
    for name, member in asked.items():
        if name == "vouchers":
            members[name] = tuple(
                [
                    _recorded(vars(voucher), f"{pointer}/vouchers/{index}", commit)
                    for index, voucher in enumerate(member)
                ]
            )
        elif name in PERSONAL and member is not None:
            members[name] = commit(member, f"{pointer}/{name}")
        else:
            members[name] = member
    return members


def reveal(event: AuditEvent) -> dict[str, Any]:
    """Return the payload as it was sent; an erased value is replaced by a text of its length."""
    return _plain(event.payload, "/payload", event.private)


def _plain(recorded: Strict, pointer: str, private: Mapping[str, PrivateValue]) -> dict[str, Any]:
    """Return the members of a payload or voucher, with the personal ones in the clear."""
    members: dict[str, Any] = {}
    for name, member in vars(recorded).items():
        if isinstance(member, Commitment):
            kept = private.get(f"{pointer}/{name}")
            members[name] = "█" * member.length if kept is None else kept.value
        elif name == "vouchers":  # what was recorded is valid
            members[name] = tuple(
                [
                    made(Voucher, _plain(voucher, f"{pointer}/vouchers/{index}", private))
                    for index, voucher in enumerate(member)
                ]
            )
        else:
            members[name] = member
    return members


def erased(event: AuditEvent) -> bool:
    """Tell whether a personal value of the event was erased: its commitment has no value."""
    gone: list[str] = []

    def look(value: Mapping[str, Any], pointer: str) -> Mapping[str, Any]:
        if pointer not in event.private:
            gone.append(pointer)
        return value

    _personal(event.payload.model_dump(mode="json"), "/payload", dict, look)
    return bool(gone)


def same_content(event: AuditEvent, command: Command) -> bool:
    """Tell whether a command equals the recorded one: type, actor and payload.

    An erased value compares by its length.
    """
    if event.command is not command.type or event.actor != command.by:
        return False

    def commit(value: str, pointer: str) -> dict[str, Any]:
        kept = event.private.get(pointer)
        return (
            {"length": length(value)}
            if kept is None
            else _committed(value, bytes.fromhex(kept.salt))
        )

    def recorded(value: Mapping[str, Any], pointer: str) -> dict[str, Any]:
        return dict(value) if pointer in event.private else {"length": value["length"]}

    asked = _personal(content_as_json(command), "/payload", str, commit)
    return bool(
        asked == _personal(event.payload.model_dump(mode="json"), "/payload", dict, recorded)
    )


def _personal(value: Any, pointer: str, kind: type, change: Callable[[Any, str], Any]) -> Any:  # noqa: ANN401 -- JSON of any shape
    """Copy a JSON value and replace every personal member; each has a name and a JSON Pointer."""
    if isinstance(value, dict):
        members: dict[str, Any] = value
        return {
            name: change(member, f"{pointer}/{name}")
            if name in PERSONAL and isinstance(member, kind)
            else _personal(member, f"{pointer}/{name}", kind, change)
            for name, member in members.items()
        }
    if isinstance(value, list):
        listed: list[Any] = value
        return [
            _personal(member, f"{pointer}/{index}", kind, change)
            for index, member in enumerate(listed)
        ]
    return value


def hashed_form(record: Mapping[str, Any]) -> bytes:
    """Return the canonical form of what is hashed of an event, given its parsed record."""
    hashed = dict(record)
    for name in NOT_HASHED:
        hashed.pop(name, None)
    return canonical(hashed)


def event_hash(record: Mapping[str, Any]) -> str:
    """Return the hash of an event as it stands in a file, parsed from JSON."""
    return hashlib.sha256(hashed_form(record)).hexdigest()


def seal(kind: type[E], members: dict[str, Any]) -> tuple[E, bytes]:
    """Make an event of its members; return it with its hash, and the bytes that the hash covers.

    Raises `ValidationError` where what came from outside is invalid.
    """
    valid = from_outside(kind)(members)
    payload = valid["payload"]
    hashed = hashed_form(
        {
            **valid,
            "actor": vars(valid["actor"]),
            # Only an opening's has another form in JSON than the one in which it is held.
            "payload": payload.model_dump(mode="json") if kind is DisputeOpened else vars(payload),
            "checks": [vars(check) for check in valid["checks"]],
        }
    )
    valid["hash"] = hashlib.sha256(hashed).hexdigest()
    return made(kind, valid), hashed


def verify(record: Mapping[str, Any], prev_hash: str, hashed: bytes | None = None) -> None:
    """Check a recorded event: its place in the chain, its hash, and each personal value it has.

    `hashed` is its `hashed_form`, where that is at hand already. Raises `IntegrityError` that says
    which of them does not fit, `ValidationError` for a private value of the wrong shape.
    """
    if record["prev_hash"] != prev_hash:
        msg = (
            "prev_hash is not the hash of the dispute's event before: something was inserted, "
            "removed or put elsewhere"
        )
        raise IntegrityError(msg, "prev_hash")
    if (
        record["hash"]
        != hashlib.sha256(hashed_form(record) if hashed is None else hashed).hexdigest()
    ):
        msg = "hash does not fit: the event was changed after it was written"
        raise IntegrityError(msg, "hash")
    for pointer, kept in record["private"].items():
        private = PrivateValue.model_validate(kept)
        committed = _at(record, pointer)
        if not isinstance(committed, dict) or committed.keys() != _COMMITTED:
            msg = f"private {pointer} belongs to no commitment"
            raise IntegrityError(msg, f"private.{pointer}")
        if committed != _committed(private.value, bytes.fromhex(private.salt)):
            msg = (
                f"private {pointer} does not fit its commitment: the value or its salt was changed"
            )
            raise IntegrityError(msg, f"private.{pointer}")


def _at(record: Any, pointer: str) -> Any:  # noqa: ANN401 -- JSON of any shape
    """Follow a JSON Pointer; None where it leads nowhere."""
    for part in pointer.split("/")[1:]:
        if isinstance(record, list):
            listed: list[Any] = record
            record = next(
                (member for index, member in enumerate(listed) if str(index) == part), None
            )
        else:
            members: dict[str, Any] = record if isinstance(record, dict) else {}
            record = members.get(part)
    return record
