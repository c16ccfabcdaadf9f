"""The paths that every decision, page and replay takes, over generated histories.

`tests/test_hot_paths.py` measures them against the floor too. Each round takes another slice of the
histories, so that no cache is warm that would not be in production.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from benchmarks.measure import Work
from dispute_fsm.commands import command
from dispute_fsm.decider.decide import decide
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import Stamp
from dispute_fsm.decider.options import options
from dispute_fsm.domain.commands import Actor, Command
from dispute_fsm.domain.enums import EventType
from dispute_fsm.domain.events import EVENT
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.reader import Step, steps
from dispute_fsm.history.redecide import recorded_command
from dispute_fsm.history.replay import rare_garbage_collection, replay

FLOOR = "floor: JSON decoded, and SHA-256, of one line"
"""Less cannot be done for an event."""

DECIDE = "decide"
CHOICE = "decide the merchant's choice"
OPTIONS = "options"
PARSE = "parse"
FOLD = "fold"
REPLAY = "replay, an event"
COMMAND = "validate a command"

STAMP = Stamp("E-1", datetime(2023, 4, 3, tzinfo=UTC), b"seed")
T = TypeVar("T")


class Decision(NamedTuple):
    """What `decide` is given."""

    dispute: Dispute
    command: Command
    facts: OrderFacts | None
    now: datetime


class Fields(NamedTuple):
    """A command as a host gets it: who asks, and JSON."""

    type: str
    by: Actor
    key: str | None
    payload: dict[str, Any]


class Slice(NamedTuple):
    """Some disputes: their file, the lines and steps of their events, and what was decided."""

    file: Path
    lines: list[bytes]
    steps: list[Step]
    decisions: list[Decision]
    choices: list[Decision]
    fields: list[Fields]


def slices(folder: Path, number: int, disputes: int) -> list[Slice]:
    """Generate this many slices of so many disputes."""
    return [_slice(folder / f"{seed}.history.jsonl", disputes, seed) for seed in range(number)]


def _slice(file: Path, disputes: int, seed: int) -> Slice:
    write_history(file, generate(disputes, seed))
    lines = [
        line for line in file.read_bytes().splitlines() if not line.startswith(b'{"type":"policy"')
    ]
    taken = list(steps(str(file)))
    decided = [
        (step.event.type, Decision(step.before, recorded_command(step.event), *_seen(step)))
        for step in taken
        if step.before is not None
    ]
    decisions = [decision for _, decision in decided]
    choices = [
        decision
        for recorded, decision in decided
        if recorded is EventType.OPTION_CHOSEN and decision.facts is not None
    ]
    fields = [_fields(decision.command) for decision in decisions]
    return Slice(file, lines, taken, decisions, choices, fields)


def _seen(step: Step) -> tuple[OrderFacts | None, datetime]:
    return step.event.facts, step.event.at


def _fields(given: Command) -> Fields:
    payload = given.model_dump(mode="json", exclude={"by", "key"}, exclude_unset=True)
    return Fields(given.type.value, given.by, given.key, payload)


def each(
    prepared: Sequence[Slice],
    of: Callable[[Slice], list[T]],
    do: Callable[[T], object],
    times: int = 1,
) -> Work:
    """Make a work: do this with each of a slice's items, another slice each round.

    `times` is for works that are too short to be measured once.
    """

    def work(turn: int) -> int:
        items = of(prepared[turn % len(prepared)])
        for item in items * times:
            do(item)
        return len(items) * times

    return work


def hot_paths(prepared: Sequence[Slice]) -> Mapping[str, Work]:
    """Return the floor and the hot paths; of each an operation is one of what its name says."""

    def replayed(turn: int) -> int:
        part = prepared[turn % len(prepared)]
        with rare_garbage_collection():  # as the command does it
            for result in replay(str(part.file)):
                assert getattr(result, "sound", False), result  # noqa: S101 -- else it measures nothing
        return len(part.lines)

    return {
        FLOOR: each(prepared, lambda part: part.lines, _floor),
        DECIDE: each(prepared, lambda part: part.decisions, _decide),
        CHOICE: each(prepared, lambda part: part.choices, _decide),
        OPTIONS: each(
            prepared, lambda part: part.choices, lambda it: options(it.dispute, it.facts, it.now)
        ),
        PARSE: each(prepared, lambda part: part.lines, EVENT.validate_json),
        FOLD: each(prepared, lambda part: part.steps, _fold),
        REPLAY: replayed,
        COMMAND: each(
            prepared,
            lambda part: part.fields,
            lambda it: command(it.type, by=it.by, key=it.key, **it.payload),
        ),
    }


def _floor(line: bytes) -> None:
    msgspec.json.decode(line)
    hashlib.sha256(line).hexdigest()


def _decide(it: Decision) -> None:
    decide(it.dispute, it.command, it.facts, it.now, stamp=STAMP)


def _fold(step: Step) -> None:
    if step.before is None:
        begin(step.event, step.policy)
    else:
        evolve(step.before, step.event)
