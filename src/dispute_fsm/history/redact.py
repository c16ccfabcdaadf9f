"""Redacting histories for erasure and sharing: remove personal values and, if wanted, replace ids.

Removing personal values changes nothing that is hashed, so every hash stays valid. Replacing ids
makes another history of the same course: its chain is rebuilt, and each opening is marked so in
`package`.

Both keep times, states, amounts, carriers, media types, what else the guards saw, rule versions,
policies (with their `order_url` and the texts of their reasons), the name of the order system, and
the commitment and length of each erased value. A commitment is salted and its salt is removed with
the value, so the value cannot be guessed from it, unless the salts were derived from ids (as in
scenarios and synthetic histories). Whoever has the original can recognize a dispute by its times
and commitments: pseudonyms hide it only from others.
"""

import hmac
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Any

from dispute_fsm.decider.hash_chain import event_hash
from dispute_fsm.domain.events import EVENT, GENESIS, AuditEvent, DisputeOpened
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import numbered_lines, parse_line, record_line
from dispute_fsm.history.reader import HistoryReader, InvalidRecord, Projection, Step

IDS_REPLACED = "ids-replaced"
"""The build part of an opening's `package` where ids were replaced: `0.1.0+ids-replaced`."""

LEAST_SECRET = 16
"""Minimum length of a secret in bytes."""

_DIGITS = 16


class IdKind(StrEnum):
    """What an id identifies; the value is the prefix of its pseudonyms."""

    DISPUTE = "D"
    ORDER = "O"
    MERCHANT = "M"
    CONSUMER = "C"
    ADJUDICATOR = "J"
    SYSTEM = "S"
    WAYBILL = "W"
    KEY = "K"
    EVENT = "E"
    CORRELATION = "X"
    REVISION = "R"
    FILE = "F"


_KINDS: Mapping[str, IdKind] = FrozenMap(
    {
        "dispute_id": IdKind.DISPUTE,
        "order_id": IdKind.ORDER,
        "merchant_id": IdKind.MERCHANT,
        "consumer_id": IdKind.CONSUMER,
        "waybill": IdKind.WAYBILL,
        "shipped_waybill": IdKind.WAYBILL,
        "key": IdKind.KEY,
        "event_id": IdKind.EVENT,
        "correlation_id": IdKind.CORRELATION,
        # the order system's revision, a string; an event's own is a number
        "revision": IdKind.REVISION,
        "sha256": IdKind.FILE,
    }
)
"""The members that are ids, in an event, its payload, its facts, or what a guard saw."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Replaces ids by HMAC-SHA256: one secret gives the same id of a kind the same pseudonym.

    Nobody can compute the id without the secret. Of n ids of a kind, the chance that any two get
    the same pseudonym is below n² / 2⁶⁵: with ten million it is three in a million. Raises
    `InputError` for a secret that is too short.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < LEAST_SECRET:
            raise InputError(
                f"a secret has at least {LEAST_SECRET} bytes, this one has {len(self.secret)}"
            )

    def of(self, kind: IdKind, value: str) -> str:
        """Return the pseudonym, e.g. `M-3f9c0a1b2c4d5e6f`; for a SHA-256, another SHA-256."""
        name = hmac.digest(self.secret, f"{kind.value}:{value}".encode(), "sha256").hex()
        return name if kind is IdKind.FILE else f"{kind.value}-{name[:_DIGITS]}"


def redact(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event's parsed record without its personal values; its hash stays valid."""
    return {**record, "private": {}}


def replace_ids(event: AuditEvent, prev_hash: str, pseudonyms: Pseudonyms) -> dict[str, Any]:
    """Return an event's redacted record with its ids replaced, hashed after `prev_hash`.

    An opening is marked. Raises `ValidationError` where the mark does not fit into the opening's
    `package`.
    """
    # `id` is that of the actor, in the event and in what a guard saw.
    kinds = {**_KINDS, "id": IdKind[event.actor.role.name]}
    record: dict[str, Any] = _replace(redact(event.model_dump(mode="json")), kinds, pseudonyms)
    if isinstance(event, DisputeOpened) and not ids_replaced(event):
        separator = "." if "+" in event.package else "+"
        record["package"] = f"{event.package}{separator}{IDS_REPLACED}"
    record["prev_hash"] = prev_hash
    record["hash"] = event_hash(record)
    EVENT.validate_python(record)  # nothing is written that cannot be read back
    return record


def ids_replaced(opening: DisputeOpened) -> bool:
    """Return whether the ids of this dispute's history were replaced."""
    return IDS_REPLACED in opening.package.partition("+")[2].split(".")


def redacted_lines(
    stream: IO[bytes], file: str, pseudonyms: Pseudonyms | None = None
) -> Iterator[str]:
    """Yield the lines of an open history without personal values; `pseudonyms` replace its ids.

    `file` is its name in errors. Raises `InputError` with file and line for the first invalid line.
    """
    rebuilt = deque[dict[str, Any]](maxlen=1)  # the record of the event that was read last

    def project(line: int, dispute_id: str) -> Projection:
        if pseudonyms is None:
            return Projection(line, dispute_id)
        return _RebuiltChain(pseudonyms, rebuilt)

    with closing(HistoryReader(file, project)) as reader:
        for number, line in numbered_lines(stream, file):
            step = reader.read(number, line)
            if isinstance(step, InvalidRecord):
                raise step.error
            if step is None:  # a policy: the history has no invalid record so far
                yield line.decode()
            else:
                yield record_line(rebuilt[-1] if rebuilt else redact(parse_line(line)))


def _replace(value: Any, kinds: Mapping[str, IdKind], pseudonyms: Pseudonyms) -> Any:  # noqa: ANN401 -- JSON of any shape
    if isinstance(value, dict):
        members: dict[str, Any] = value
        return {
            name: pseudonyms.of(kinds[name], member)
            if name in kinds and isinstance(member, str)
            else _replace(member, kinds, pseudonyms)
            for name, member in members.items()
        }
    if isinstance(value, list):
        items: list[Any] = value
        return [_replace(item, kinds, pseudonyms) for item in items]
    return value


class _RebuiltChain(Projection):
    """Rebuilds one dispute's chain with its ids replaced.

    The same events always give the same chain, so a dispute that is read back from disk continues
    as before.
    """

    def __init__(self, pseudonyms: Pseudonyms, rebuilt: deque[dict[str, Any]]) -> None:
        self._pseudonyms = pseudonyms
        self._rebuilt = rebuilt
        self._last_hash = GENESIS

    def apply(self, step: Step) -> None:
        """Rebuild the event's record."""
        record = replace_ids(step.event, self._last_hash, self._pseudonyms)
        self._rebuilt.append(record)
        self._last_hash = record["hash"]
