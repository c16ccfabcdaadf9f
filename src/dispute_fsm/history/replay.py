"""Replaying histories: folded, decided again, and, where asked, under other rules or another policy.

The three are kept apart. A *fault* says that a history cannot be: its chain is broken, or an event
cannot follow. A *difference* says that the decision made again is another. A *what-if* says what
other rules would have made of it.
"""

import gc
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from dispute_fsm.domain.enums import Outcome, StateName
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.scalars import Named, Series, Strict
from dispute_fsm.history.jsonl import numbered, opened
from dispute_fsm.history.reader import UPGRADES, Fault, HistoryReader, Step, Upgrade
from dispute_fsm.history.redecide import Difference, Undetermined, redecide
from dispute_fsm.history.what_if import Question, WhatIf, what_if

if TYPE_CHECKING:
    from dispute_fsm.decider.dispute import Dispute


class Replayed(Strict):
    """What came of one dispute's history.

    `line` is where it begins; `rules`, `state` and `outcome` are as its sound events leave them
    (null: there are none). `differences` and `undetermined` are of the decisions made again under
    the recorded rules. `what_if` is null where nothing was asked, or the history has a fault.
    """

    file: str
    line: int
    dispute_id: str
    rules: str | None
    events: int
    state: Named[StateName] | None
    outcome: Named[Outcome] | None
    fault: Fault | None
    differences: Series[Difference]
    undetermined: Series[Undetermined]
    what_if: WhatIf | None

    @property
    def sound(self) -> bool:
        """Whether the history is whole and every decision made again is the one recorded."""
        return self.fault is None and not self.differences


_MANY_OBJECTS = 100_000

_NOTHING = {"state": None, "outcome": None, "rules": None, "events": 0}
"""Of a dispute whose first event has a fault already."""


class _Replay:
    """Follows one dispute: decides every command again, and keeps the events only where they are asked about later."""

    def __init__(self, file: str, line: int, dispute_id: str, question: Question | None) -> None:
        self.file = file
        self.line = line
        self.dispute_id = dispute_id
        self.question = question
        self.dispute: Dispute | None = None
        self.events = list[AuditEvent]()
        self.fault: Fault | None = None
        self.differences = list[Difference]()
        self.undetermined = list[Undetermined]()

    def take(self, step: Step) -> None:
        """Decide the event's command again."""
        self.dispute = step.after
        if self.question is not None:
            self.events.append(step.event)
        found = redecide(step.before, step.event, step.policy)
        if isinstance(found, Difference):
            self.differences.append(found)
        elif found is not None:
            self.undetermined.append(found)

    def fail(self, fault: Fault) -> None:
        """Keep the fault."""
        self.fault = fault

    def result(self) -> str:
        """Return the `Replayed` as JSON."""
        after = self.dispute
        stands = (
            {
                "state": after.state,
                "outcome": after.outcome,
                "rules": after.rules.id,
                "events": after.seq,
            }
            if after
            else _NOTHING
        )
        asked = None
        if after is not None and self.fault is None and self.question is not None:
            asked = what_if(after, self.events, self.question)
        members: dict[str, Any] = {
            **stands,
            "file": self.file,
            "line": self.line,
            "dispute_id": self.dispute_id,
            "fault": self.fault,
            "differences": tuple(self.differences),
            "undetermined": tuple(self.undetermined),
            "what_if": asked,
        }
        return Replayed.model_construct(
            **members
        ).model_dump_json()  # it is validated when it is read back


@contextmanager
def collecting_rarely() -> Generator[None]:
    """Let Python look for reference cycles less often, for programs that replay a lot.

    A replay makes many objects and no cycles; looking for them would take longer than some of the
    rules.
    """
    before = gc.get_threshold()
    gc.set_threshold(_MANY_OBJECTS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def replay(
    path: str,
    question: Question | None = None,
    *,
    watch: Callable[[bytes, Step | None], None] | None = None,
    upgrades: Mapping[int, Upgrade] = UPGRADES,
) -> Iterator[Fault | Replayed]:
    """Replay a history file (`-`: standard input): the faults that are no dispute's, then every dispute in order.

    `watch` hears of every line, with its event where it is a sound one. Raises `InputError` with
    file, line and field where a line cannot be read, `OSError` where the file cannot be opened.
    """

    def follow(line: int, dispute_id: str) -> _Replay:
        return _Replay(path, line, dispute_id, question)

    with opened(path) as stream, closing(HistoryReader(path, follow, upgrades=upgrades)) as reader:
        for number, line in numbered(stream, path):
            found = reader.read(number, line)
            if isinstance(found, Fault) and found.dispute_id is None:
                yield found
            if watch is not None:
                watch(line, found if isinstance(found, Step) else None)
        reader.finish()
        yield from map(Replayed.model_validate_json, reader.results())
