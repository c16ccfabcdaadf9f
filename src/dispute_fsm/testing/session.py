"""What the plugin gathers in one test run: coverage, used approvals, and whether all tests ran.

Every test run of an environment imports this module, so it imports the rest of the package where
it is needed.
"""

# ruff: noqa: PLC0415 -- imported where it is needed, so that a run without disputes costs nothing

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dispute_fsm.terminal import default_lang

if TYPE_CHECKING:
    from dispute_fsm.domain.enums import Lang
    from dispute_fsm.domain.events import AuditEvent
    from dispute_fsm.history.approvals import DriftApprovals
    from dispute_fsm.history.coverage import Coverage
    from dispute_fsm.history.reader import Step

HISTORIES = (".history.jsonl", ".history.jsonl.gz")
"""The endings of history files."""

_SETS = ("written", "used", "collected", "ran", "replayed")


class DisputeSession:
    """What one test run gathers; a worker of xdist sends it to its controller."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.option = config.option
        self.lang: Lang = self.option.dispute_lang or default_lang()
        self.approved_file: str = config.getini("dispute_approved")
        """The file of approvals, relative to the root folder; empty where there is none."""
        file = self.option.dispute_coverage_json
        self.coverage_file = None if file is None else Path(config.invocation_params.dir, file)
        self.coverage: Coverage | None = None
        self.drift: DriftApprovals | None = None
        self.unused: list[str] = []
        """The approvals that fit no difference."""
        self.write_error = ""
        """Why the coverage file could not be written."""

        self.written = set[str]()
        """The scenario files that were written."""
        self.used = set[int]()
        """The approvals that other processes used."""
        self.collected = set[str]()
        """The tests that were collected, by their names at that time."""
        self.ran = set[str]()
        """The tests that ran, or skipped themselves."""
        self.replayed = set[str]()
        """The history files that were replayed to their end without an error."""
        self.partial = False
        """Whether collected tests were left out, or a file could not be collected."""

    def send(self) -> dict[str, Any]:
        """Return what a worker sends to its controller."""
        if self.drift is not None:
            self.used |= self.drift.used
        return {
            "coverage": {} if self.coverage is None else self.coverage.counts,
            "partial": self.partial,
            **{name: sorted(getattr(self, name)) for name in _SETS},
        }

    def receive(self, sent: Mapping[str, Any]) -> None:
        """Add what a worker has sent."""
        from dispute_fsm.history.coverage import Coverage

        for name in _SETS:
            getattr(self, name).update(sent[name])
        self.partial |= sent["partial"]
        if self.covers:
            self.reached().merge(Coverage(sent["coverage"]))

    # ---- coverage --------------------------------------------------------------------------------

    @property
    def covers(self) -> bool:
        """Whether the run was asked for its coverage."""
        return self.option.dispute_coverage or self.coverage_file is not None

    def reached(self) -> "Coverage":
        """Return the coverage so far."""
        from dispute_fsm.history.coverage import Coverage

        if self.coverage is None:
            self.coverage = Coverage()
        return self.coverage

    def add_events(self, events: "Iterable[AuditEvent]") -> None:
        """Count events, where the run was asked for its coverage."""
        if self.covers:
            for event in events:
                self.reached().add(event)

    def add_step(self, _line: object, step: "Step | None") -> None:
        """Count the event of a history's line."""
        if step is not None:
            self.add_events([step.event])

    def write_coverage(self, session: pytest.Session) -> None:
        """Write the coverage file, if the run was asked for one."""
        if self.coverage_file is None:
            return
        from dispute_fsm.history.jsonl import atomic_text_file

        record = json.dumps(self.reached().record(), ensure_ascii=False, indent=2)
        try:
            with atomic_text_file(self.coverage_file) as stream:
                stream.write(f"{record}\n")
        except OSError as error:
            reason = error.strerror or error
            self.write_error = f"--dispute-coverage-json {self.coverage_file}: {reason}"
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    # ---- approvals -------------------------------------------------------------------------------

    def approved(self) -> "DriftApprovals":
        """Return the approved differences. Raises `InputError` where their file cannot be read."""
        from dispute_fsm.errors import InputError
        from dispute_fsm.history.approvals import DriftApprovals, read_approvals

        file = self.approved_file
        if self.drift is None and not file:
            self.drift = DriftApprovals("")
        if self.drift is None:
            try:
                self.drift = read_approvals(self.config.rootpath / file)
            except InputError as error:
                raise InputError(
                    error.message, file=file, line=error.line, field=error.field
                ) from None
            except OSError as error:
                raise InputError(error.strerror or str(error), file=file) from None
        return self.drift

    def check_approvals(self, session: pytest.Session) -> None:
        """Fail the run where an approval fits no difference any more.

        Only where all tests ran, for the others may need it.
        """
        if self.drift is None or not self.approved_file or not self._all_ran(session):
            return
        self.drift.used |= self.used
        self.unused = [
            f"{self.approved_file}:{line}: {approval.why}" for line, approval in self.drift.unused()
        ]
        if self.unused and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _all_ran(self, session: pytest.Session) -> bool:
        """Whether every test below the configured paths ran, and every history was replayed.

        Tests may be left out for many reasons, so the result counts: what was collected has to have
        run, and the histories on disk have to have been replayed. Where this is unknown, as with
        paths or settings of this run alone, the answer is no.
        """
        config = self.config
        restricted = (
            config.args_source is pytest.Config.ArgsSource.ARGS
            or config.option.pyargs
            or config.invocation_params.dir != config.rootpath
            or any(
                setting.startswith(("testpaths", "norecursedirs"))
                for setting in config.option.override_ini or ()
            )
            # --lf leaves files out before anything in them is collected.
            or config.getoption("lf", default=False)
        )
        return (
            session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
            and not restricted
            and not self.partial
            and bool(self.ran)
            and self.collected <= self.ran
            and self.replayed.issuperset(map(os.path.realpath, _histories(config)))
        )


def _histories(config: pytest.Config) -> Iterator[Path]:
    """Find the histories below the configured paths, in the folders that pytest searches."""
    excluded = config.getini("norecursedirs")
    for argument in config.args:
        top = config.invocation_params.dir / argument.partition("::")[0]
        if top.name.endswith(HISTORIES):
            yield top
        for folder, below, files in os.walk(top):
            below[:] = [name for name in below if _is_searched(Path(folder, name), excluded)]
            for name in files:
                if name.endswith(HISTORIES) and Path(folder, name).is_file():
                    yield Path(folder, name)


def _is_searched(folder: Path, excluded: Iterable[str]) -> bool:
    """Whether pytest searches a folder, whatever the options of this run."""
    return not (folder / "pyvenv.cfg").is_file() and not any(
        fnmatch(str(folder), pattern if Path(pattern).is_absolute() else f"*{os.sep}{pattern}")
        if os.sep in pattern
        else fnmatch(folder.name, pattern)
        for pattern in excluded
    )
