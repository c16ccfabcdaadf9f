"""Kills the executors of an engine again and again, then checks what is stored; for its tests.

The caller opens disputes with promises that are soon over and extends a third of them. Executors,
each a process of its own, expire them and deliver the feed, until SIGKILL at a random moment; the
next one with that name starts at once, from some time on with another version of the application.
An executor is a program that notes `ready` with its name, notes `delivered` with the id of each
event, and ends when its standard input does.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.service import DisputeService
from tests.crash import POLICY, Notes, report
from tests.patience import until
from tests.service_support import promised, request, settle
from tests.support import ROOT, extension

EXECUTORS = ("executor-1", "executor-2")
VERSIONS = ("version-1", "version-2")
NOTES = "notes.jsonl"

CommandOf = Callable[[str, str], Sequence[str]]
"""Returns the command that starts an executor, from its name and its version."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many disputes have a deadline, and how often an executor is killed; all from one seed."""

    disputes: int
    kills: int
    seed: int = 2023


SAMPLE, WHOLE = Plan(disputes=8, kills=1), Plan(disputes=150, kills=10)


@dataclass(slots=True)
class Executor:
    """An executor that runs, and how often one with its name was ready before it."""

    process: subprocess.Popen[bytes]
    ready_before: int


@dataclass(frozen=True, slots=True)
class Executors:
    """The executors that run, by name."""

    command_of: CommandOf
    notes: Notes
    running: dict[str, Executor]

    def start(self, name: str, version: str) -> None:
        """Start an executor."""
        process = subprocess.Popen(  # noqa: S603 -- our own program
            self.command_of(name, version),
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.running[name] = Executor(process, self._times_ready(name))

    def kill(self, name: str, chance: Random) -> None:
        """Kill an executor at a random moment of its work."""
        executor = self.running[name]

        def is_ready() -> bool:
            assert executor.process.poll() is None, f"{name} ended by itself: see above"
            return self._times_ready(name) > executor.ready_before

        until(is_ready, f"{name} does not start")
        time.sleep(chance.uniform(0.0, 0.5))  # the random moment, whatever it is doing
        self.stop(name)

    def stop(self, name: str) -> None:
        process = self.running.pop(name).process
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, f"{name} ended by itself: see above"

    def _times_ready(self, name: str) -> int:
        return sum(note.get("ready") == name for note in self.notes.read())


@contextmanager
def executors(command_of: CommandOf, notes: Notes) -> Generator[Executors]:
    """Start all executors with the first version; kill what is left in the end."""
    started = Executors(command_of, notes, {})
    try:
        for name in EXECUTORS:
            started.start(name, VERSIONS[0])
        yield started
    finally:
        for name in list(started.running):
            started.stop(name)


def chaos(
    service: DisputeService, command_of: CommandOf, folder: Path, plan: Plan
) -> dict[str, Any]:
    """Follow a plan to its end; return the report, with what was done.

    `service` is one whose alarms go to the engine. Business time is real time.
    """
    notes, chance = Notes(folder / NOTES), Random(plan.seed)
    extended, rounds = 0, plan.kills + 1  # after the last kill a round is worked off in peace
    with executors(command_of, notes) as started:
        for number in range(rounds):
            for index in range(number, plan.disputes, rounds):
                notes.write(opens=f"D-{index}")
                extended += promise(service, f"D-{index}", extended=index % 3 == 0)
            if number == plan.kills:
                break
            name = chance.choice(EXECUTORS)
            started.kill(name, chance)
            started.start(name, VERSIONS[number >= plan.kills // 2])
        until(lambda: not service.due_before(_soon()).items, "a deadline does not fire")
        settle(service.store)
        until(lambda: not undelivered(service, notes), "an event is not delivered")
    found = report(service, service.store, notes.read())
    return {"killed": plan.kills, "extended": extended, **found}


def promise(service: DisputeService, dispute_id: str, *, extended: bool) -> bool:
    """Open a dispute and promise to ship very soon, or a little later; return whether extended."""
    opened = service.open(request(dispute_id, POLICY))
    assert isinstance(opened.decision, Accepted)
    due = promised(service, dispute_id)
    return extended and service.send(dispute_id, extension(due + timedelta(seconds=1))).accepted


def _soon() -> datetime:
    """Return an instant after every deadline of the test, and before all others."""
    return datetime.now(UTC) + timedelta(hours=1)


def undelivered(service: DisputeService, notes: Notes) -> set[str]:
    """Return the events that no sink has noted yet."""
    delivered = {note.get("delivered") for note in notes.read()}
    stored: set[str] = set()
    position: str | None = None
    while page := service.feed(position):
        stored |= {str(each.cloud_event()["id"]) for each in page}
        position = page[-1].position
    return stored - delivered
