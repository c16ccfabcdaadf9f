"""Reading histories as a stream: verify the hash of each event, validate the event, fold it.

Hashes are verified over the JSON as it is in the file. Only then is an older schema version
upcast, one version at a time. Disputes may be interleaved, each in order. Memory is bounded by the
disputes that are open, not by the file: closed disputes are spilled to disk (`SpillFile`), because
a history may continue them.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from heapq import merge
from typing import IO, Any, Literal, NamedTuple, cast

import msgspec
from pydantic import ValidationError

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import NOT_HASHED, hashed_form, verify
from dispute_fsm.documents.source import input_error, unknown_value
from dispute_fsm.domain.canonical_json import canonical, digest
from dispute_fsm.domain.events import (
    EVENT,
    EVENT_CLASSES,
    GENESIS,
    SCHEMA_VERSION,
    AuditEvent,
    PrivateValue,
)
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import FrozenMap, Strict
from dispute_fsm.errors import ImpossibleEventError, InputError, IntegrityError
from dispute_fsm.history.jsonl import SpillFile, numbered_lines, open_history, parse_line

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the parsed record of one schema version into that of the next version; pure."""

UPCASTS: Mapping[int, Upcast] = FrozenMap({})
"""By the version that each starts from. Version 1 is the first, so there is no older one yet."""


def upcast(record: dict[str, Any], upcasts: Mapping[int, Upcast] = UPCASTS) -> dict[str, Any]:
    """Bring an event's parsed record to the current schema version.

    Raises `InputError` with the readable versions where the record has another one.
    """
    version = record.get("schema_version")
    if type(version) is int and version == SCHEMA_VERSION:  # true equals 1, but is not a version
        return record
    if type(version) is not int or version not in upcasts:
        known = ", ".join(map(str, sorted({*upcasts, SCHEMA_VERSION})))
        raise InputError(
            f"unknown schema version {version!r}; this package reads: {known}",
            field="schema_version",
        )
    return upcast(upcasts[version](record), upcasts)


_CHAIN_MEMBERS: Mapping[str, type] = {
    "dispute_id": str,
    "prev_hash": str,
    "hash": str,
    "private": dict,
    "seq": int,
}
_UNHASHED_LENGTH = len(canonical({"hash": GENESIS, "private": {}}))
"""Length of the members that are not hashed where `private` is empty.

A hash of another length is invalid anyway.
"""
_RECENT = 256
"""How many closed disputes stay in memory, because refused commands often follow a closing."""


class InvalidRecord(Strict):
    """Why a record cannot be part of its history.

    The hash chain is broken, the event cannot have happened, or the policy does not match its
    digest. `dispute_id` and `seq` are null for a policy record.
    """

    file: str
    line: int
    dispute_id: str | None
    seq: int | None
    field: str | None
    message: str

    def __str__(self) -> str:
        return str(self.error)

    @property
    def error(self) -> InputError:
        """The same as an exception, for callers that need a valid history."""
        return InputError(self.message, file=self.file, line=self.line, field=self.field)


class Step(NamedTuple):
    """One event of a history, and the dispute before (None: it opens) and after it."""

    line: int
    event: AuditEvent
    policy: Policy
    before: Dispute | None
    after: Dispute


class _PolicyRecord(Strict):
    """A policy by content."""

    type: Literal["policy"]
    digest: str
    policy: Policy


class _PolicyLine(NamedTuple):
    """A policy's line, and the policy."""

    line: bytes
    policy: Policy


class Projection:
    """Computes a result from one dispute's events; this base class ignores them.

    It may be created and fed again where a dispute is read back from disk.
    """

    def __init__(self, line: int, dispute_id: str) -> None:
        """Begin with the dispute's first line number and its id."""

    def apply(self, step: Step) -> None:
        """Apply the dispute's next event."""

    def fail(self, error: InvalidRecord) -> None:
        """Record that the rest of the dispute's history is not read."""

    def result(self) -> str:
        """Return the result so far, as text that can be spilled to disk."""
        return ""


@dataclass(slots=True)
class _LoadedDispute:
    """A dispute in memory: its first line number, its projection, its lines and its state."""

    first: int
    projection: Projection
    lines: list[bytes]
    dispute: Dispute | None = None


class HistoryReader:
    """Reads one history. The caller closes it.

    `project` creates the projection of a dispute from its first line number and its id.
    """

    def __init__(
        self,
        file: str,
        project: Callable[[int, str], Projection] = Projection,
        *,
        upcasts: Mapping[int, Upcast] = UPCASTS,
    ) -> None:
        self.file = file
        self._project = project
        self._upcasts = upcasts
        self._spill = SpillFile()
        self._open: dict[str, _LoadedDispute] = {}
        self._closed: OrderedDict[str, _LoadedDispute] = OrderedDict()
        self._policies: OrderedDict[str, _PolicyLine] = OrderedDict()
        self._ended = list[tuple[int, str]]()

    def close(self) -> None:
        """Delete the temporary file."""
        self._spill.close()

    def read(self, number: int, line: bytes) -> Step | InvalidRecord | None:
        """Read one line: an event, or why the record is invalid.

        Returns None for a policy, and for a further event of a dispute that is already invalid.
        Raises `InputError` with file, line and field where the line cannot be read at all.
        """
        try:
            record, hashed = _parse_and_canonicalize(line)
            if record.get("type") == "policy":
                return self._read_policy(number, line)
            return self._read_event(record, hashed, number, line)
        except InputError as error:
            raise error.within(self.file, number) from None
        except UnicodeEncodeError:
            raise InputError(
                "this line has text that is not UTF-8", file=self.file, line=number
            ) from None
        except ValidationError as error:
            raise _invalid(error, parse_line(line)).within(self.file, number) from None

    def finish(self) -> None:
        """Mark the end of the history; then `results` are complete."""
        for loaded_disputes in (self._open, self._closed):
            while loaded_disputes:
                _, loaded = loaded_disputes.popitem()
                self._ended.append((loaded.first, loaded.projection.result()))
        self._ended.sort()

    def results(self) -> Iterator[str]:
        """Yield the result of each projection, in the order in which the disputes begin."""
        return (result for _, result in merge(self._spill.results(), self._ended))

    def _read_event(
        self, record: dict[str, Any], hashed: bytes, number: int, line: bytes
    ) -> Step | InvalidRecord | None:
        for name, kind in _CHAIN_MEMBERS.items():
            if not isinstance(record.get(name), kind):
                raise InputError("missing, or of the wrong type", field=name)
        loaded = self._load(record["dispute_id"], number)
        if loaded is None:
            return None
        loaded.lines.append(line)
        try:
            verify(record, GENESIS if loaded.dispute is None else loaded.dispute.last_hash, hashed)
            step = self._apply(loaded, record, number)
        except ImpossibleEventError as error:
            return self._drop(loaded, self._invalid_record(number, str(error), record))
        except IntegrityError as error:
            message = f"dispute {record['dispute_id']}, event {record['seq']}: {error}"
            return self._drop(loaded, self._invalid_record(number, message, record, error.field))
        if step.after.closed:
            self._keep_closed(record["dispute_id"], loaded)
        return step

    def _apply(self, loaded: _LoadedDispute, record: dict[str, Any], number: int) -> Step:
        event = EVENT.validate_python(upcast(record, self._upcasts))
        before = loaded.dispute
        policy = self._policy(event.policy) if before is None else before.policy
        loaded.dispute = begin(event, policy) if before is None else evolve(before, event)
        step = Step(number, event, policy, before, loaded.dispute)
        loaded.projection.apply(step)
        return step

    def _load(self, dispute_id: str, number: int) -> _LoadedDispute | None:
        """Return the dispute from memory or disk, else begin it; None if it is invalid."""
        loaded = self._open.get(dispute_id) or self._closed.get(dispute_id)
        if loaded is not None:
            return loaded
        first, lines = self._spill.take(dispute_id) or (number, b"")
        if lines is None:
            return None
        loaded = self._open[dispute_id] = _LoadedDispute(
            first, self._project(first, dispute_id), []
        )
        for line in lines.splitlines(keepends=True):  # already parsed strictly, and verified
            loaded.lines.append(line)
            self._apply(loaded, msgspec.json.decode(line), first)
        return loaded

    def _drop(self, loaded: _LoadedDispute, error: InvalidRecord) -> InvalidRecord:
        """Stop reading the dispute: nothing after an invalid record can be trusted."""
        dispute_id = str(error.dispute_id)
        loaded.projection.fail(error)
        self._open.pop(dispute_id, None)
        self._closed.pop(dispute_id, None)
        self._spill.put(dispute_id, loaded.first, None, loaded.projection.result())
        return error

    def _keep_closed(self, dispute_id: str, loaded: _LoadedDispute) -> None:
        """Keep a closed dispute in memory, and spill the one that closed longest ago."""
        self._open.pop(dispute_id, None)
        self._closed[dispute_id] = loaded
        self._closed.move_to_end(dispute_id)
        if len(self._closed) > _RECENT:
            oldest_id, oldest = self._closed.popitem(last=False)
            self._spill.put(
                oldest_id, oldest.first, b"".join(oldest.lines), oldest.projection.result()
            )

    # ---- policies --------------------------------------------------------------------------------

    def _read_policy(self, number: int, line: bytes) -> InvalidRecord | None:
        try:
            name, policy = _policy_of(line)
        except IntegrityError as error:
            return self._invalid_record(number, str(error), field=error.field)
        self._keep_policy(name, _PolicyLine(line, policy))
        return None

    def _policy(self, name: str) -> Policy:
        known = self._policies.get(name)
        if known is None:
            line = self._spill.policy(name)
            if line is None:
                raise IntegrityError(
                    "there is no policy record with this digest before the event", "policy"
                )
            known = _PolicyLine(line, _policy_of(line)[1])
            self._keep_policy(name, known)
        return known.policy

    def _keep_policy(self, name: str, known: _PolicyLine) -> None:
        """Keep a policy in memory, and spill the one that came first."""
        self._policies[name] = known
        if len(self._policies) > _RECENT:
            oldest, spilled = self._policies.popitem(last=False)
            self._spill.put_policy(oldest, spilled.line)

    def _invalid_record(
        self,
        line: int,
        message: str,
        record: Mapping[str, Any] = FrozenMap({}),
        field: str | None = None,
    ) -> InvalidRecord:
        return InvalidRecord(
            file=self.file,
            line=line,
            dispute_id=record.get("dispute_id"),
            seq=record.get("seq"),
            field=field,
            message=message,
        )


def _parse_and_canonicalize(line: bytes) -> tuple[dict[str, Any], bytes]:
    """Parse a line strictly, and return it with the canonical form that is hashed.

    Of a policy record nothing is hashed, and `_policy_of` parses it strictly.

    The fast parser accepts duplicate keys, spaces, and other spellings of a number or text. Each of
    these makes a line longer than its canonical form, so a line of exactly that length has none,
    and needs no strict parser.
    """
    try:
        record: object = msgspec.json.decode(line)
        members = cast("dict[str, Any]", record) if isinstance(record, dict) else {}
        if members.get("type") == "policy":
            return members, b""
        if members.keys() >= NOT_HASHED:
            hashed = hashed_form(members)
            # Two objects written as one: minus a pair of braces, plus a comma and the line break.
            if len(line) == len(hashed) + (
                len(canonical({name: members[name] for name in NOT_HASHED}))
                if members["private"]
                else _UNHASHED_LENGTH
            ):
                return members, hashed
    except (ValueError, RecursionError):
        pass  # the strict parser reports the error in our words
    members = parse_line(line)
    return members, hashed_form(members)


@lru_cache(64)
def _policy_of(line: bytes) -> tuple[str, Policy]:
    """Return the digest and the policy of a policy record; many histories share a few.

    Raises `IntegrityError` where the digest is another one, and as `parse_line` does.
    """
    record = parse_line(line)
    if record.keys() != {"type", "digest", "policy"}:
        raise InputError("a policy record has the members type, digest and policy")
    if digest(record["policy"]) != record["digest"]:
        msg = "the digest does not match the policy: the policy was changed after it was written"
        raise IntegrityError(msg, "digest")
    return record["digest"], _PolicyRecord.model_validate(record).policy


def _invalid(error: ValidationError, record: Mapping[str, Any]) -> InputError:
    details, name = error.errors(include_url=False)[0], record.get("type")
    if error.title == PrivateValue.__name__:
        private = input_error(details, None, PrivateValue)
        return InputError(private.message, field=".".join(filter(None, ("private", private.field))))
    if name == "policy":
        return input_error(details, record, _PolicyRecord)
    event_class = EVENT_CLASSES.get(str(name))
    if event_class is None:
        message = (
            unknown_value(name, tuple(map(str, EVENT_CLASSES)), "event type")
            if "type" in record
            else "this field is missing"
        )
        return InputError(message, field="type")
    # The union's tag, an event's type, is not part of the path in the file.
    path = details["loc"][1:] if details["loc"][:1] == (name,) else details["loc"]
    return input_error({**details, "loc": path}, record, event_class)


def steps(path: str) -> Iterator[Step]:
    """Yield the steps of a history file (`-`: standard input) whose every line must be valid.

    Raises `InputError` with file and line for the first error, `OSError` where the file cannot be
    opened.
    """
    with open_history(path) as stream:
        yield from read_steps(stream, path)


def read_steps(stream: IO[bytes], file: str) -> Iterator[Step]:
    """Yield the steps of an open history as `steps` does; `file` is its name in errors."""
    with closing(HistoryReader(file)) as reader:
        for number, line in numbered_lines(stream, file):
            step = reader.read(number, line)
            if isinstance(step, InvalidRecord):
                raise step.error
            if step is not None:
                yield step
