"""Finding what a command is about: history files below paths, and one dispute's story in a history or a scenario."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.policy import Policy
from dispute_fsm.errors import InputError, UnknownDisputeError
from dispute_fsm.history.jsonl import COMPRESSED, NO_PATH, STANDARD_INPUT, SUFFIX, is_history
from dispute_fsm.history.reader import Step, steps
from dispute_fsm.history.replay import Replayed, replay
from dispute_fsm.scenarios.reader import SUFFIX as SCENARIO
from dispute_fsm.scenarios.reader import read_scenario
from dispute_fsm.scenarios.runner import ScenarioResult, run_scenario

_FEW = 5
"""How many disputes are named where one has to be chosen."""


class RecordedDispute(NamedTuple):
    """One dispute's events, from the opening on, and the policy that it keeps."""

    events: tuple[AuditEvent, ...]
    policy: Policy


class FoundHistories(NamedTuple):
    """The history files below some paths, each once, and what is wrong with the paths that lead to none."""

    files: tuple[str, ...]
    lost: tuple[InputError | OSError, ...]


def history_files(paths: Iterable[str]) -> FoundHistories:
    """Find history files. A path that does not exist, and a folder that holds none, is an error of that path alone."""
    files: dict[str, None] = {}
    lost = list[InputError | OSError]()
    for name in paths:
        try:
            files.update(dict.fromkeys(_below(name)))
        except (InputError, OSError) as fault:
            lost.append(fault)
    return FoundHistories(tuple(files), tuple(lost))


def _below(name: str) -> list[str]:
    if not name:
        raise InputError(NO_PATH)
    path = Path(name)
    if path.is_dir():
        below = sorted(
            str(file)
            for ending in ("", COMPRESSED)
            for file in path.rglob(f"*{SUFFIX}{ending}")
            if file.is_file()
        )
        if not below:
            raise InputError(f"no *{SUFFIX} file in this folder", file=name)
        return below
    if name != STANDARD_INPUT and not path.exists():
        raise InputError("no such file or folder", file=name)
    return [as_history(name)]


def as_history(name: str) -> str:
    """Take the name of a file that is to hold a history. Raises `InputError` where it is a scenario's, by its ending."""
    if name.endswith(SCENARIO):
        raise InputError(
            "this is a scenario; `dispute-fsm run FILE --histories DIR` writes its history",
            file=name,
        )
    return name


def chosen(path: str, wanted: str | None) -> list[Step]:
    """Read the whole history and return the steps of the dispute that is asked for; where none is named, of the only one.

    Raises `InputError` for a history that is not sound, and where the dispute is not there, or none
    of several is named.
    """
    choice = _ChosenDispute(path, wanted)
    for step in steps(as_history(path)):
        choice.take(step)
    return choice.made()


def followed(path: str, wanted: str | None) -> tuple[list[Step], Replayed]:
    """Replay a history and return what is sound of one dispute's steps, and what replaying found; a fault of another is its own.

    Raises `InputError` as `chosen` does, but for a history whose chain or transitions are not
    sound; that stands in what was found.
    """
    choice = _ChosenDispute(path, wanted)
    results = list(replay(path, watch=lambda _, step: None if step is None else choice.take(step)))
    made = choice.made()
    found = next(
        one
        for one in results
        if isinstance(one, Replayed) and one.dispute_id == made[0].event.dispute_id
    )
    return made, found


class _ChosenDispute:
    """Takes the steps of a history, and keeps those of the dispute that is asked for; where none is named, of the first."""

    def __init__(self, path: str, wanted: str | None) -> None:
        self.path = path
        self.wanted = wanted
        self.kept = list[Step]()
        self.first = list[str]()
        self.number = 0

    def take(self, step: Step) -> None:
        if step.before is None:
            self.number += 1
            self.first += [step.event.dispute_id] if self.number <= _FEW else []
        if step.event.dispute_id == (self.first[0] if self.wanted is None else self.wanted):
            self.kept.append(step)

    def made(self) -> list[Step]:
        there = ", ".join(self.first) + (", …" if self.number > _FEW else "")
        if not self.number:
            raise (InputError if self.wanted is None else UnknownDisputeError)(
                "there is no dispute in this history", file=self.path
            )
        if not self.kept:
            raise UnknownDisputeError(
                (
                    f"there is no dispute {self.wanted} in this history; it holds {self.number}: "
                    f"{there}"
                ),
                file=self.path,
                field="--dispute",
            )
        if self.wanted is None and self.number > 1:
            raise InputError(
                (
                    f"{self.number} disputes stand in this history: {there}; choose one with "
                    "--dispute ID"
                ),
                file=self.path,
            )
        return self.kept


def story(path: str, wanted: str | None) -> RecordedDispute:
    """Read one dispute's story: from a history, or by running a scenario.

    Raises `InputError` where there is none, or several and none is named; `UnknownDisputeError`
    where another is named; `OSError` where the file cannot be read.
    """
    if not path:
        raise InputError(NO_PATH)
    if path == STANDARD_INPUT or is_history(path):
        told = chosen(path, wanted)
        return RecordedDispute(tuple(step.event for step in told), told[0].policy)
    result, dispute = ran(Path(path))
    if wanted not in {None, dispute.dispute_id}:
        raise UnknownDisputeError(
            f"there is no dispute {wanted} in this scenario; it is about {dispute.dispute_id}",
            file=path,
        )
    return RecordedDispute(result.events, result.scenario.opening.policy)


def ran(path: Path) -> tuple[ScenarioResult, Dispute]:
    """Run a scenario; returns what came of it, and the dispute. Raises `InputError` where it cannot be read, or the opening was refused."""
    scenario = read_scenario(path)
    try:
        result = run_scenario(scenario)
    except InputError as fault:
        raise fault.within(scenario.file) from None
    if result.dispute is None:
        codes = ", ".join(code.value for code in result.refused)
        raise InputError(f"the opening was refused ({codes}): there is no dispute", file=str(path))
    return result, result.dispute
