"""Replaying histories: fold them, decide each command again, and optionally ask what-if.

The three results are separate. A *fault* means that a history is invalid: its chain is broken, or
an event cannot follow. A *difference* means that the command is decided differently now. A
*what-if* is the end under other rules or another policy.
"""

import gc
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import msgspec

from dispute_fsm.domain.enums import Outcome, StateName
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.scalars import Named, Series, Strict, made
from dispute_fsm.history.jsonl import numbered_lines, open_history
from dispute_fsm.history.reader import (
    UPCASTS,
    HistoryReader,
    InvalidRecord,
    Projection,
    Step,
    Upcast,
)
from dispute_fsm.history.redecide import Difference, Undetermined, redecide
from dispute_fsm.history.what_if import Question, WhatIf, what_if

if TYPE_CHECKING:
    from dispute_fsm.decider.dispute import Dispute


class Replayed(Strict):
    """The result of replaying one dispute.

    `line` is that of its first event; `rules`, `state` and `outcome` are those after its last valid
    event (null: there is none). `differences` and `undetermined` are of the commands decided again
    under the recorded rules. `what_if` is null where none was asked, or the history is invalid.
    """

    file: str
    line: int
    dispute_id: str
    rules: str | None
    events: int
    state: Named[StateName] | None
    outcome: Named[Outcome] | None
    fault: InvalidRecord | None
    differences: Series[Difference]
    undetermined: Series[Undetermined]
    what_if: WhatIf | None

    @property
    def sound(self) -> bool:
        """Whether the history is valid and no decision differs."""
        return self.fault is None and not self.differences


_GC_THRESHOLD = 100_000


class _Replay(Projection):
    """The projection of one dispute: decides every command again.

    It keeps the events only for a what-if.
    """

    def __init__(self, file: str, line: int, dispute_id: str, question: Question | None) -> None:
        self.file = file
        self.line = line
        self.dispute_id = dispute_id
        self.question = question
        self.dispute: Dispute | None = None
        self.events = list[AuditEvent]()
        self.error: InvalidRecord | None = None
        self.differences = list[Difference]()
        self.undetermined = list[Undetermined]()

    def apply(self, step: Step) -> None:
        """Decide the event's command again."""
        self.dispute = step.after
        if self.question is not None:
            self.events.append(step.event)
        difference = redecide(step.before, step.event, step.policy)
        if isinstance(difference, Difference):
            self.differences.append(difference)
        elif difference is not None:
            self.undetermined.append(difference)

    def fail(self, error: InvalidRecord) -> None:
        """Keep the error."""
        self.error = error

    def result(self) -> str:
        """Return the `Replayed` as JSON."""
        dispute, answer = self.dispute, None
        if dispute is not None and self.error is None and self.question is not None:
            answer = what_if(dispute, self.events, self.question)
        members: dict[str, Any] = {
            "file": self.file,
            "line": self.line,
            "dispute_id": self.dispute_id,
            "rules": dispute and dispute.rules.id,
            "events": dispute.seq if dispute else 0,
            "state": dispute and dispute.state,
            "outcome": dispute and dispute.outcome,
            "fault": self.error,
            "differences": tuple(self.differences),
            "undetermined": tuple(self.undetermined),
            "what_if": answer,
        }
        return made(Replayed, members).model_dump_json()  # it is validated when it is read back


@contextmanager
def rare_garbage_collection() -> Generator[None]:
    """Run Python's garbage collector less often, for programs that replay a lot.

    A replay creates many objects and no reference cycles; searching for cycles takes longer than
    some of the rules.
    """
    before = gc.get_threshold()
    gc.set_threshold(_GC_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Head(msgspec.Struct):
    """What tells to which share a line belongs; nothing else of it is made."""

    type: Any = None
    dispute_id: Any = None


_read_head = msgspec.json.Decoder(_Head).decode


class Share(NamedTuple):
    """Which disputes of a history are replayed: a share of a number of equal ones."""

    number: int
    of: int

    def has(self, line: bytes) -> bool:
        """Return whether a line is of this share. A policy is of each, a damaged line of one."""
        if self.of == 1:
            return True
        try:
            head = _read_head(line)
        except (ValueError, RecursionError):
            return self.number == 0
        if head.type == "policy":
            return True
        return crc32(str(head.dispute_id).encode()) % self.of == self.number


EVERYTHING = Share(0, 1)


def replay(
    path: str,
    question: Question | None = None,
    *,
    watch: Callable[[bytes, Step | None], None] | None = None,
    upcasts: Mapping[int, Upcast] = UPCASTS,
    share: Share = EVERYTHING,
) -> Iterator[InvalidRecord | Replayed]:
    """Replay a history file (`-`: standard input): invalid policies, then each dispute in order.

    `watch` is called with each line, and with its step where it is a valid event. Of several shares
    the first one has the invalid policies. Raises
    `InputError` with file, line and field where a line cannot be read, `OSError` where the file
    cannot be opened.
    """

    def project(line: int, dispute_id: str) -> _Replay:
        return _Replay(path, line, dispute_id, question)

    with (
        open_history(path) as stream,
        closing(HistoryReader(path, project, upcasts=upcasts)) as reader,
    ):
        for number, line in numbered_lines(stream, path):
            if not share.has(line):
                continue
            step = reader.read(number, line)
            if isinstance(step, InvalidRecord) and step.dispute_id is None and not share.number:
                yield step
            if watch is not None:
                watch(line, step if isinstance(step, Step) else None)
        reader.finish()
        yield from map(Replayed.model_validate_json, reader.results())
