"""Reading histories as a stream: every hash, then the shape, then whether each event can follow the one before.

Hashes are checked over the JSON as it is in the file. Only then is an older schema version upcast,
one version after the other, and the event validated and folded; a new `SCHEMA_VERSION` brings the
function that makes it of the version before. Disputes may be interleaved, each in order. What is
kept in memory is bounded by the disputes that are open, not by the file: closed ones wait on disk
(`Spool`), for a history may come back to them.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

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
from dispute_fsm.history.jsonl import Spool, numbered, opened, parsed

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes the parsed record of one schema version of that of the version before; a pure function."""

UPGRADES: Mapping[int, Upgrade] = FrozenMap({})
"""By the version that each starts from. Version 1 is the first, so there is nothing older yet."""


def upgraded(record: dict[str, Any], upgrades: Mapping[int, Upgrade] = UPGRADES) -> dict[str, Any]:
    """Bring an event's parsed record to the present schema version.

    Raises `InputError` that names the versions that can be read, where this is none of them.
    """
    version = record.get("schema_version")
    if type(version) is int and version == SCHEMA_VERSION:  # true equals 1, and is no version
        return record
    if type(version) is not int or version not in upgrades:
        known = ", ".join(map(str, sorted({*upgrades, SCHEMA_VERSION})))
        raise InputError(
            f"unknown schema version {version!r}; this package reads: {known}",
            field="schema_version",
        )
    return upgraded(upgrades[version](record), upgrades)


_CHAINED: Mapping[str, type] = {
    "dispute_id": str,
    "prev_hash": str,
    "hash": str,
    "private": dict,
    "seq": int,
}
_BARE = len(canonical({"hash": GENESIS, "private": {}}))
"""How long what is not hashed is where nothing is private; a hash of another length does not fit anyway."""
_RECENT = 256
"""How many closed disputes stay at hand, because refused commands like to follow a closing."""


class Fault(Strict):
    """What a history cannot be: a broken chain, an event that cannot have happened, a policy that does not fit.

    `dispute_id` and `seq` are null where the fault is a policy's.
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
        """The same as an error, for those who can only go on with a sound history."""
        return InputError(self.message, file=self.file, line=self.line, field=self.field)


class Step(NamedTuple):
    """One event of a history, and the dispute before (null: it opens) and after it."""

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


class Follower(Protocol):
    """Follows one dispute through its history. It may be made and fed anew where a dispute comes back from disk."""

    def take(self, step: Step) -> None:
        """Take the dispute's next event."""

    def fail(self, fault: Fault) -> None:
        """Take note that the dispute's history cannot be followed any further."""

    def result(self) -> str:
        """Return what came of it so far, as a text that can wait on disk."""
        ...


F = TypeVar("F", bound=Follower)


@dataclass(slots=True)
class _Track(Generic[F]):
    """A dispute at hand: where its events begin, what they were, how it stands, and who follows it."""

    first: int
    follower: F
    lines: list[bytes]
    dispute: Dispute | None = None


class HistoryReader(Generic[F]):
    """Reads one history; `follow` makes the follower of a dispute, given the line on which it begins and its id. To be closed."""

    def __init__(
        self,
        file: str,
        follow: Callable[[int, str], F],
        *,
        upgrades: Mapping[int, Upgrade] = UPGRADES,
    ) -> None:
        self.file = file
        self._follow = follow
        self._upgrades = upgrades
        self._spool = Spool()
        self._open: dict[str, _Track[F]] = {}
        self._closed: OrderedDict[str, _Track[F]] = OrderedDict()
        self._policies: OrderedDict[str, Policy] = OrderedDict()

    def close(self) -> None:
        """Let go of what waits on disk."""
        self._spool.close()

    def read(self, number: int, line: bytes) -> Step | Fault | None:
        """Read one line: an event (None: a policy, or one more event of a dispute that failed before), or what is wrong with it.

        Raises `InputError` with file, line and field where the line cannot be read at all.
        """
        try:
            record, hashed = _parsed(line)
            if record.get("type") == "policy":
                return self._policy(record, number, line)
            return self._event(record, hashed, number, line)
        except InputError as fault:
            raise fault.within(self.file, number) from None
        except UnicodeEncodeError:
            raise InputError(
                "this line holds a text that is no UTF-8", file=self.file, line=number
            ) from None
        except ValidationError as error:
            raise _invalid(error, parsed(line)).within(self.file, number) from None

    def finish(self) -> None:
        """Take note that the history ends here; then `results` are complete."""
        for tracks in (self._open, self._closed):
            while tracks:
                dispute_id, track = tracks.popitem()
                self._spool.put(
                    dispute_id, track.first, None, track.follower.result()
                )  # no event will ask for the lines

    def results(self) -> Iterator[str]:
        """Go through what the followers say at the end, in the order in which the disputes begin."""
        return self._spool.results()

    def _event(
        self, record: dict[str, Any], hashed: bytes, number: int, line: bytes
    ) -> Step | Fault | None:
        for name, kind in _CHAINED.items():
            if not isinstance(record.get(name), kind):
                raise InputError("missing, or of the wrong type", field=name)
        track = self._track(record["dispute_id"], number)
        if track is None:
            return None
        track.lines.append(line)
        try:
            verify(record, GENESIS if track.dispute is None else track.dispute.last_hash, hashed)
            step = self._step(track, record, number)
        except ImpossibleEventError as error:
            return self._broken(track, record, self._fault(number, str(error), record))
        except IntegrityError as error:
            message = f"dispute {record['dispute_id']}, event {record['seq']}: {error}"
            return self._broken(track, record, self._fault(number, message, record, error.field))
        self._shelve(track, step.after)
        return step

    def _step(self, track: _Track[F], record: dict[str, Any], number: int) -> Step:
        event = EVENT.validate_python(upgraded(record, self._upgrades))
        before = track.dispute
        policy = self._named(event.policy) if before is None else before.policy
        track.dispute = begin(event, policy) if before is None else evolve(before, event)
        step = Step(number, event, policy, before, track.dispute)
        track.follower.take(step)
        return step

    def _track(self, dispute_id: str, number: int) -> _Track[F] | None:
        """Find the dispute at hand or on disk, else begin it; None where it is broken."""
        track = self._open.get(dispute_id) or self._closed.get(dispute_id)
        if track is not None:
            return track
        first, lines = self._spool.take(dispute_id) or (number, b"")
        if lines is None:
            return None
        track = self._open[dispute_id] = _Track(first, self._follow(first, dispute_id), [])
        for line in lines.splitlines(keepends=True):
            self._again(track, line)
        return track

    def _again(self, track: _Track[F], line: bytes) -> None:
        """Feed a line once more whose hash was found to fit when it was read first."""
        track.lines.append(line)
        self._step(track, parsed(line), track.first)

    def _broken(self, track: _Track[F], record: Mapping[str, Any], fault: Fault) -> Fault:
        """Follow the dispute no further: nothing that comes after the fault could be trusted."""
        dispute_id = record["dispute_id"]
        track.follower.fail(fault)
        self._open.pop(dispute_id, None)
        self._closed.pop(dispute_id, None)
        self._spool.put(dispute_id, track.first, None, track.follower.result())
        return fault

    def _shelve(self, track: _Track[F], dispute: Dispute) -> None:
        """Keep the dispute among the open ones or the recently closed ones; put the one away that closed longest ago."""
        if not dispute.closed:
            return
        self._open.pop(dispute.dispute_id, None)
        self._closed[dispute.dispute_id] = track
        self._closed.move_to_end(dispute.dispute_id)
        if len(self._closed) > _RECENT:
            self._put_away(*self._closed.popitem(last=False))

    def _put_away(self, dispute_id: str, track: _Track[F]) -> None:
        self._spool.put(dispute_id, track.first, b"".join(track.lines), track.follower.result())

    # ---- policies --------------------------------------------------------------------------------

    def _policy(self, record: dict[str, Any], number: int, line: bytes) -> Fault | None:
        if record.keys() != {"type", "digest", "policy"}:
            raise InputError("a policy record has the members type, digest and policy")
        if digest(record["policy"]) != record["digest"]:
            message = (
                "the digest is not that of the policy beside it: the policy was changed after it "
                "was written"
            )
            return self._fault(number, message, field="digest")
        _policy_of(line)
        self._spool.put_policy(record["digest"], line)
        return None

    def _named(self, name: str) -> Policy:
        policy = self._policies.get(name)
        if policy is None:
            line = self._spool.policy(name)
            if line is None:
                raise IntegrityError(
                    "no policy record with the digest that this event names stands before it",
                    "policy",
                )
            policy = self._policies[name] = _policy_of(line)
            if len(self._policies) > _RECENT:
                self._policies.popitem(last=False)
        return policy

    def _fault(
        self,
        line: int,
        message: str,
        record: Mapping[str, Any] | None = None,
        field: str | None = None,
    ) -> Fault:
        dispute_id, seq = (None, None) if record is None else (record["dispute_id"], record["seq"])
        return Fault(
            file=self.file, line=line, dispute_id=dispute_id, seq=seq, field=field, message=message
        )


def _parsed(line: bytes) -> tuple[dict[str, Any], bytes]:
    """Parse a line strictly, and give the form of it that is hashed.

    A line of just the length of its canonical form holds nothing beside it: no member twice, no
    space, no number or text written another way, for each of these is longer. So the fast parser,
    which keeps silent about such, is enough there.
    """
    try:
        record: object = from_json(line, allow_inf_nan=False, cache_strings="keys")
        if isinstance(record, dict) and record.keys() >= NOT_HASHED:
            members: dict[str, Any] = record
            hashed = hashed_form(members)
            # Two objects as one: a pair of braces less, a comma and the line break more.
            if len(line) == len(hashed) + (
                len(canonical({name: members[name] for name in NOT_HASHED}))
                if members["private"]
                else _BARE
            ):
                return members, hashed
    except ValueError:  # the strict parser says what is wrong, in our words
        pass
    members = parsed(line)
    return members, hashed_form(members)


@lru_cache(64)
def _policy_of(line: bytes) -> Policy:
    """Read the policy of a policy record; many histories share a few."""
    return _PolicyRecord.model_validate(parsed(line)).policy


def _invalid(error: ValidationError, record: Mapping[str, Any]) -> InputError:
    details, name = error.errors(include_url=False)[0], record.get("type")
    if error.title == PrivateValue.__name__:
        private = input_error(details, None, PrivateValue)
        return InputError(private.message, field=".".join(filter(None, ("private", private.field))))
    if name == "policy":
        return input_error(details, record, _PolicyRecord)
    kind = EVENT_CLASSES.get(str(name))
    if kind is None:
        said = (
            unknown_value(name, tuple(map(str, EVENT_CLASSES)), "event type")
            if "type" in record
            else "this field is missing"
        )
        return InputError(said, field="type")
    below = (
        details["loc"][1:] if details["loc"][:1] == (name,) else details["loc"]
    )  # an event's type is no part of the file's path
    return input_error({**details, "loc": below}, record, kind)


class Nobody:
    """Follows a dispute without a word, for those who take the steps themselves."""

    def __init__(self, line: int, dispute_id: str) -> None:
        """Need not know which."""

    def take(self, step: Step) -> None:
        """Take nothing."""

    def fail(self, fault: Fault) -> None:
        """Take nothing."""

    def result(self) -> str:
        """Say nothing."""
        return ""


def steps(path: str) -> Iterator[Step]:
    """Go through a history file (`-`: standard input) whose every line has to be sound.

    Raises `InputError` with file and line for whatever is wrong with it, `OSError` where it cannot
    be opened.
    """
    with opened(path) as stream:
        yield from steps_in(stream, path)


def steps_in(stream: IO[bytes], file: str) -> Iterator[Step]:
    """Go through an open history as `steps` does; `file` is its name in errors."""
    with closing(HistoryReader(file, Nobody)) as reader:
        for number, line in numbered(stream, file):
            found = reader.read(number, line)
            if isinstance(found, Fault):
                raise found.error
            if found is not None:
                yield found
