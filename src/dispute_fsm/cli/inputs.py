"""What a command reads: the files below its paths, and one dispute of a history or a scenario."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

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
from dispute_fsm.suggestions import nearest

T = TypeVar("T")
_FEW = 5
"""How many disputes an error names where one has to be chosen."""
_ALIKE = 0.8
"""How alike ids have to be: those of one host resemble each other."""

# ---- files ---------------------------------------------------------------------------------------


class ScenarioFile(NamedTuple):
    """A scenario file, and its path relative to the folder that was named."""

    path: Path
    relative: Path


def history_files(paths: Iterable[str]) -> tuple[list[str], list[InputError | OSError]]:
    """Find history files, each once.

    A path that does not exist, and a folder without history files, is an error of that path alone.
    """
    files, errors = _search(paths, _histories)
    return list(dict.fromkeys(files)), errors


def scenario_files(paths: Iterable[str]) -> tuple[list[ScenarioFile], list[InputError | OSError]]:
    """Find scenario files, each once.

    A path that does not exist, and a folder without scenario files, is an error of that path alone:
    to check nothing is no success.
    """
    files, errors = _search(paths, _scenarios)
    unique: dict[Path, ScenarioFile] = {}
    for file in files:
        unique.setdefault(file.path.resolve(), file)
    return list(unique.values()), errors


def _search(
    paths: Iterable[str], search: Callable[[str], Iterable[T]]
) -> tuple[list[T], list[InputError | OSError]]:
    files, errors = list[T](), list[InputError | OSError]()
    for path in paths:
        try:
            files += search(path)
        except (InputError, OSError) as error:
            errors.append(error)
    return files, errors


def _histories(name: str) -> list[str]:
    if name == STANDARD_INPUT:
        return [name]
    if (folder := _folder(name)) is None:
        return [require_history(name)]
    endings = (SUFFIX, SUFFIX + COMPRESSED)
    files = sorted(
        str(file) for ending in endings for file in folder.rglob(f"*{ending}") if file.is_file()
    )
    if not files:
        raise InputError(f"no *{SUFFIX} file in this folder", file=name)
    return files


def _scenarios(name: str) -> list[ScenarioFile]:
    if (folder := _folder(name)) is None:
        return [ScenarioFile(Path(name), Path(Path(name).name))]
    files = sorted(file for file in folder.rglob(f"*{SCENARIO}") if not file.is_dir())
    if not files:
        raise InputError(f"no *{SCENARIO} file in this folder", file=str(folder))
    return [ScenarioFile(file, file.relative_to(folder)) for file in files]


def _folder(name: str) -> Path | None:
    """Return the folder of this name, None for a file. Raises `InputError` where neither exists."""
    if not name:
        raise InputError(NO_PATH)
    path = Path(name)
    if not path.exists():
        raise InputError("no such file or folder", file=name)
    return path if path.is_dir() else None


def require_history(name: str) -> str:
    """Return the name of a history file. Raises `InputError` where it ends as a scenario's does."""
    if name.endswith(SCENARIO):
        raise InputError(
            "this is a scenario; `dispute-fsm run FILE --histories DIR` writes its history",
            file=name,
        )
    return name


# ---- one dispute ---------------------------------------------------------------------------------


def select_steps(path: str, dispute_id: str | None) -> list[Step]:
    """Read the whole history and return the steps of one dispute; without an id, of the only one.

    Raises `InputError` for an invalid history, and where several disputes are in it and none is
    named; `UnknownDisputeError` where the dispute does not exist.
    """
    selection = _Selection(path, dispute_id)
    for step in steps(require_history(path)):
        selection.add(step)
    return selection.checked()


def replay_steps(path: str, dispute_id: str | None) -> tuple[list[Step], Replayed]:
    """Replay a history and return the valid steps of one dispute, and the result of its replay.

    Raises as `select_steps` does, but not for an invalid hash or transition: the result has that.
    """
    selection = _Selection(path, dispute_id)
    results = list(
        replay(path, watch=lambda _, step: None if step is None else selection.add(step))
    )
    selected = selection.checked()
    return selected, next(
        result
        for result in results
        if isinstance(result, Replayed) and result.dispute_id == selected[0].event.dispute_id
    )


class _Selection:
    """Keeps the steps of the dispute that is asked for; without an id, of the first one."""

    def __init__(self, path: str, dispute_id: str | None) -> None:
        self.path = path
        self.dispute_id = dispute_id
        self.steps = list[Step]()
        self.first = list[str]()
        self.count = 0
        self.nearest: str | None = None

    def add(self, step: Step) -> None:
        if step.before is None:
            self.count += 1
            if self.count <= _FEW:
                self.first.append(step.event.dispute_id)
            if self.dispute_id is not None and not self.steps:
                self._compare(self.dispute_id, step.event.dispute_id)
        if step.event.dispute_id == (self.first[0] if self.dispute_id is None else self.dispute_id):
            self.steps.append(step)

    def _compare(self, asked: str, opened: str) -> None:
        """Keep the id that resembles the one that is asked for most, of any number of disputes."""
        self.nearest = nearest(asked, [opened, *filter(None, [self.nearest])], cutoff=_ALIKE)

    def checked(self) -> list[Step]:
        names = ", ".join(self.first) + (", …" if self.count > _FEW else "")
        if not self.count:
            raise (InputError if self.dispute_id is None else UnknownDisputeError)(
                "there is no dispute in this history", file=self.path
            )
        if not self.steps:
            raise UnknownDisputeError(
                f"there is no dispute {self.dispute_id} in this history; it has {self.count}: "
                f"{names}{'' if self.nearest is None else f'; did you mean {self.nearest}?'}",
                file=self.path,
                field="--dispute",
            )
        if self.dispute_id is None and self.count > 1:
            raise InputError(
                f"there are {self.count} disputes in this history: {names}; choose one with "
                "--dispute ID",
                file=self.path,
            )
        return self.steps


def require_seq(seq: int, events: Sequence[AuditEvent], path: str) -> None:
    """Require the number of an event of a dispute. Raises `InputError` for another one."""
    if not 1 <= seq <= len(events):
        raise InputError(
            f"there is no event {seq}: dispute {events[0].dispute_id} has the events 1 to "
            f"{len(events)}",
            file=path,
            field="--at",
        )


def read_events(path: str, dispute_id: str | None) -> tuple[Sequence[AuditEvent], Policy]:
    """Return one dispute's events and policy: from a history, or by running a scenario.

    Raises as `select_steps` and `run_dispute` do.
    """
    if not path:
        raise InputError(NO_PATH)
    if path == STANDARD_INPUT or is_history(path):
        selected = select_steps(path, dispute_id)
        return [step.event for step in selected], selected[0].policy
    result, _ = run_dispute(Path(path), dispute_id)
    return result.events, result.scenario.opening.policy


def run_dispute(path: Path, dispute_id: str | None = None) -> tuple[ScenarioResult, Dispute]:
    """Run a scenario and return its result and the dispute.

    Raises `InputError` where the scenario is invalid, or the opening was refused;
    `UnknownDisputeError` where another dispute is named.
    """
    scenario = read_scenario(path)
    try:
        result = run_scenario(scenario)
    except InputError as error:
        raise error.within(scenario.file) from None
    if result.dispute is None:
        codes = ", ".join(code.value for code in result.refused)
        raise InputError(f"the opening was refused ({codes}): there is no dispute", file=str(path))
    if dispute_id not in {None, result.dispute.dispute_id}:
        raise UnknownDisputeError(
            f"there is no dispute {dispute_id} in this scenario; its dispute is "
            f"{result.dispute.dispute_id}",
            file=str(path),
            field="--dispute",
        )
    return result, result.dispute
