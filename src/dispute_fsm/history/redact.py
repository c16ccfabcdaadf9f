"""Erasing and sharing histories: personal values go, and, where asked, ids are replaced.

Erasing changes nothing that is hashed, so every hash still fits. Replacing ids makes another
history that tells the same: its chain is built anew, and each opening says so in `package`.

What stays either way: times, states, amounts, carriers, media types, what else the guards saw, rule
versions, policies (with their `order_url` and the words of their reasons), the name of the order
system, and of each erased value the commitment and the length. A commitment is salted and the salt
goes with the value, so the value cannot be guessed from it, unless the salts were derived from ids
(as in scenarios and made-up histories). Who has the original knows a dispute again by its times and
commitments: pseudonyms hide it from everybody else.
"""

import hmac
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Any

from dispute_fsm.decider.hash_chain import event_hash
from dispute_fsm.domain.events import EVENT, GENESIS, AuditEvent, DisputeOpened
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import numbered, parsed, record_line
from dispute_fsm.history.reader import Fault, HistoryReader, Step

IDS_REPLACED = "ids-replaced"
"""Stands in the build part of an opening's `package` where ids were replaced: `0.1.0+ids-replaced`."""

LEAST_SECRET = 16
"""How many bytes a secret has at least."""

_DIGITS = 16


class Kind(StrEnum):
    """What an id is an id of; the value begins its pseudonyms."""

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


_KINDS: Mapping[str, Kind] = FrozenMap(
    {
        "dispute_id": Kind.DISPUTE,
        "order_id": Kind.ORDER,
        "merchant_id": Kind.MERCHANT,
        "consumer_id": Kind.CONSUMER,
        "waybill": Kind.WAYBILL,
        "shipped_waybill": Kind.WAYBILL,
        "key": Kind.KEY,
        "event_id": Kind.EVENT,
        "correlation_id": Kind.CORRELATION,
        # of the order system's answer, a text; an event's own is a number
        "revision": Kind.REVISION,
        "sha256": Kind.FILE,
    }
)
"""The members that are ids, wherever they stand in an event: in it, in its payload, its facts, or what a guard saw."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Names to put in the place of ids: the same id of a kind always gets the same one under a secret, another secret gives others.

    Nobody finds the id without the secret (HMAC-SHA256). Of n ids of a kind, the chance that any
    two get the same name is below n² / 2⁶⁵: with ten million it is three in a million. Raises
    `InputError` for a secret that is too short.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < LEAST_SECRET:
            raise InputError(
                f"a secret has at least {LEAST_SECRET} bytes, this one has {len(self.secret)}"
            )

    def of(self, kind: Kind, value: str) -> str:
        """Return the pseudonym, e.g. `M-3f9c0a1b2c4d5e6f`; of a file's SHA-256 it looks like one itself."""
        name = hmac.digest(self.secret, f"{kind.value}:{value}".encode(), "sha256").hex()
        return name if kind is Kind.FILE else f"{kind.value}-{name[:_DIGITS]}"


def redacted(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event's record, as it was parsed, without its personal values; all else stays, so its hash still fits."""
    return {**record, "private": {}}


def with_ids_replaced(event: AuditEvent, prev_hash: str, pseudonyms: Pseudonyms) -> dict[str, Any]:
    """Return an event's record without personal values, its ids replaced, hashed behind `prev_hash`; an opening is marked.

    Raises `ValidationError` where the mark does not fit into the opening's `package`.
    """
    kinds = {**_KINDS, "id": Kind[event.actor.role.name]}  # a guard that saw an id saw the actor's
    record: dict[str, Any] = _replaced(redacted(event.model_dump(mode="json")), kinds, pseudonyms)
    if isinstance(event, DisputeOpened):
        record["package"] = _marked(event)
    record["prev_hash"] = prev_hash
    record["hash"] = event_hash(record)
    EVENT.validate_python(record)  # nothing is written that could not be read back
    return record


def ids_replaced(opening: DisputeOpened) -> bool:
    """Tell whether the ids of this dispute's history were replaced."""
    return IDS_REPLACED in opening.package.partition("+")[2].split(".")


def redacted_lines(
    stream: IO[bytes], file: str, pseudonyms: Pseudonyms | None = None
) -> Iterator[str]:
    """Go through an open history and give its lines without personal values; with `pseudonyms`, ids are replaced too.

    `file` is its name in errors. Raises `InputError` with file and line for whatever is wrong with
    it.
    """
    rebuilt = _Rebuilt(pseudonyms)
    with closing(HistoryReader(file, rebuilt.follow)) as reader:
        for number, line in numbered(stream, file):
            found = reader.read(number, line)
            if isinstance(found, Fault):
                raise found.error
            if found is None:  # a policy: no dispute of a sound history is broken
                yield line.decode()
            else:
                yield record_line(
                    redacted(parsed(line)) if rebuilt.record is None else rebuilt.record
                )


def _replaced(value: Any, kinds: Mapping[str, Kind], pseudonyms: Pseudonyms) -> Any:  # noqa: ANN401 -- JSON of any shape
    if isinstance(value, dict):
        members: dict[str, Any] = value
        return {
            name: pseudonyms.of(kinds[name], member)
            if name in kinds and isinstance(member, str)
            else _replaced(member, kinds, pseudonyms)
            for name, member in members.items()
        }
    if isinstance(value, list):
        listed: list[Any] = value
        return [_replaced(member, kinds, pseudonyms) for member in listed]
    return value


def _marked(opening: DisputeOpened) -> str:
    if ids_replaced(opening):
        return opening.package
    return f"{opening.package}{'.' if '+' in opening.package else '+'}{IDS_REPLACED}"


@dataclass(slots=True)
class _Rebuilt:
    """The record of the event that was read last, with its ids replaced; None where they stay."""

    pseudonyms: Pseudonyms | None
    record: dict[str, Any] | None = None

    def follow(self, _line: int, _dispute_id: str) -> "_Chain":
        return _Chain(self)


class _Chain:
    """Builds one dispute's chain anew; of the same events it is always the same, so one that comes back from disk goes on as it was."""

    def __init__(self, rebuilt: _Rebuilt) -> None:
        self.rebuilt = rebuilt
        self.last_hash = GENESIS

    def take(self, step: Step) -> None:
        """Rebuild the event, where ids are replaced at all."""
        if self.rebuilt.pseudonyms is not None:
            record = self.rebuilt.record = with_ids_replaced(
                step.event, self.last_hash, self.rebuilt.pseudonyms
            )
            self.last_hash = record["hash"]

    def fail(self, fault: Fault) -> None:
        """Take nothing: the first fault ends it all."""

    def result(self) -> str:
        """Say nothing."""
        return ""
