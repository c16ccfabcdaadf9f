"""Scenarios and histories as tests: the pytest plugin.

Every `*.dispute.yaml` that pytest comes upon is run and every `*.history.jsonl` (also with `.gz`)
replayed, each as one test. A failure tells the dispute's story with the place where it goes wrong.
`given` and `given_history` are fixtures for disputes in Python tests. Every test run of an
environment loads this module, so it takes from the package what it needs when there is something to
do, and not before.
"""

# ruff: noqa: PLC0415 -- imported where it is needed, so that a run without disputes pays for none
# of it

import json
import os
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol

import pytest

from dispute_fsm.terminal import default_lang, printable

if TYPE_CHECKING:
    from dispute_fsm.domain.enums import Lang
    from dispute_fsm.domain.events import AuditEvent
    from dispute_fsm.history.approvals import DriftApprovals
    from dispute_fsm.history.coverage import Coverage
    from dispute_fsm.history.reader import InvalidRecord, Step
    from dispute_fsm.history.redecide import Change, Difference
    from dispute_fsm.history.replay import Replayed
    from dispute_fsm.history.timeline import TimelineEntry
    from dispute_fsm.scenarios.runner import Failure, ScenarioResult
    from dispute_fsm.testing import DisputeCase

P = ParamSpec("P")

SCENARIO = ".dispute.yaml"
HISTORIES = (".history.jsonl", ".history.jsonl.gz")
"""The endings of the files that are tests."""

_STORIES = 3
"""How many disputes of one history are told where more of them fail."""


# ---- the run and its options ---------------------------------------------------------------------


@dataclass(slots=True)
class _Extent:
    """How much ran, in other processes too: only who knows that all did may say that an approval fits nothing."""

    collected: set[str] = field(default_factory=set[str])
    """The tests that there are, by the names under which they were collected."""
    ran: set[str] = field(default_factory=set[str])
    """The tests that ran, or said themselves that they do not."""
    replayed: set[str] = field(default_factory=set[str])
    """The history files that were replayed to their end, without a fault."""
    partial: bool = False
    """Whether tests were left out after they were collected, or a file could not be collected."""

    @property
    def complete(self) -> bool:
        """Whether all that was collected ran."""
        return not self.partial and bool(self.ran) and self.collected <= self.ran

    def sent(self) -> dict[str, Any]:
        """Give what a worker hands to whoever controls it."""
        names = {"collected": self.collected, "ran": self.ran, "replayed": self.replayed}
        return {
            "partial": self.partial,
            **{name: sorted(members) for name, members in names.items()},
        }

    def receive(self, sent: Mapping[str, Any]) -> None:
        """Take what a worker handed over."""
        self.collected.update(sent["collected"])
        self.ran.update(sent["ran"])
        self.replayed.update(sent["replayed"])
        self.partial |= sent["partial"]


@dataclass(slots=True)
class _Run:
    """What was asked of this run, and what is to be said at its end: files that were written, and what was reached."""

    lang: "Lang"
    update: bool
    change: bool
    show_coverage: bool
    coverage_file: Path | None
    approved_file: str
    """The file of approvals, below the root folder; empty: there is none."""
    root: Path
    written: list[str] = field(default_factory=list[str])
    coverage: "Coverage | None" = None
    drift: "DriftApprovals | None" = None
    used: set[int] = field(default_factory=set[int])
    """Which approvals were of use, in other processes too."""
    unused: list[str] = field(default_factory=list[str])
    """The approvals that fitted nothing."""
    extent: _Extent = field(default_factory=_Extent)
    unwritten: str = ""
    """Why the coverage could not be written."""

    @property
    def covers(self) -> bool:
        """Whether anybody asked what was reached."""
        return self.show_coverage or self.coverage_file is not None

    def reached(self) -> "Coverage":
        """Return what was reached so far."""
        from dispute_fsm.history.coverage import Coverage

        if self.coverage is None:
            self.coverage = Coverage()
        return self.coverage

    def saw(self, events: "Iterable[AuditEvent]") -> None:
        """Take note of events, where anybody asked."""
        if self.covers:
            for event in events:
                self.reached().add(event)

    def saw_step(self, _line: object, step: "Step | None") -> None:
        """Take note of a line of a history."""
        if step is not None:
            self.saw([step.event])

    def approved(self) -> "DriftApprovals":
        """Return the differences that are intended. Raises `InputError` where their file cannot be read."""
        from dispute_fsm.errors import InputError
        from dispute_fsm.history.approvals import DriftApprovals, read_approvals

        if self.drift is None:
            try:
                self.drift = (
                    read_approvals(self.root / self.approved_file)
                    if self.approved_file
                    else DriftApprovals("")
                )
            except InputError as fault:
                raise InputError(
                    fault.message, file=self.approved_file, line=fault.line, field=fault.field
                ) from None
            except OSError as fault:
                raise InputError(fault.strerror or str(fault), file=self.approved_file) from None
        return self.drift

    def sent(self) -> dict[str, Any]:
        """Give what a worker hands to whoever controls it."""
        used = sorted(self.drift.used) if self.drift is not None else []
        coverage = self.coverage.counts if self.coverage is not None else {}
        return {
            "written": self.written,
            "coverage": coverage,
            "used": used,
            "extent": self.extent.sent(),
        }

    def receive(self, sent: Mapping[str, Any]) -> None:
        """Take what a worker handed over."""
        from dispute_fsm.history.coverage import Coverage

        self.written += sent["written"]
        self.used.update(sent["used"])
        self.extent.receive(sent["extent"])
        if self.covers:
            self.reached().merge(Coverage(sent["coverage"]))


class _Node(Protocol):
    """A worker as its controller sees it; xdist, whose type that is, need not be installed."""

    config: pytest.Config


_RUN = pytest.StashKey[_Run]()
_CASES = pytest.StashKey["list[DisputeCase]"]()
_COLLECTED_AS = pytest.StashKey[str]()
_SENT = "dispute_fsm"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, all of which begin with `--dispute`."""
    group = parser.getgroup("disputes", "disputes: scenarios and histories as tests")
    group.addoption(
        "--dispute-lang",
        choices=("zh", "en"),
        help="Language of what is told about disputes; default: the terminal's.",
    )
    group.addoption(
        "--dispute-update",
        action="store_true",
        help="Write the expectations that are missing into the scenarios that run.",
    )
    group.addoption(
        "--dispute-update-changed",
        action="store_true",
        help=(
            "With --dispute-update: also write those anew that were not met. Read the difference "
            "before you commit it."
        ),
    )
    group.addoption(
        "--dispute-coverage",
        action="store_true",
        help="Tell which transitions and guard outcomes the disputes reach.",
    )
    parser.addini(
        "dispute_approved", "File of approved differences (YAML), relative to the root folder."
    )
    group.addoption(
        "--dispute-coverage-json",
        metavar="FILE",
        help="Write which transitions and guard outcomes they reach, as JSON.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the options. Raises `UsageError` where they do not go together."""
    option = config.option
    if option.dispute_update_changed and not option.dispute_update:
        raise pytest.UsageError("--dispute-update-changed goes with --dispute-update: give both")
    file = (
        None
        if option.dispute_coverage_json is None
        else Path(config.invocation_params.dir, option.dispute_coverage_json)
    )
    if file is not None and (file.is_dir() or not file.parent.is_dir()):
        raise pytest.UsageError(
            f"--dispute-coverage-json {file}: name a file in a folder that exists"
        )
    lang = option.dispute_lang or default_lang()
    update, change, show = (
        option.dispute_update,
        option.dispute_update_changed,
        option.dispute_coverage,
    )
    config.stash[_RUN] = _Run(
        lang, update, change, show, file, config.getini("dispute_approved"), config.rootpath
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Read the approvals before any test runs. Raises `UsageError` where that cannot be done; a worker leaves that to its controller."""
    run = session.config.stash[_RUN]
    if not run.approved_file or hasattr(session.config, "workerinput"):
        return
    from dispute_fsm.errors import InputError

    try:
        run.approved()
    except InputError as fault:
        raise pytest.UsageError(printable(" ".join(str(fault).split()))) from None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: _Node) -> None:
    """Take what a worker of xdist has to say; one that broke down says nothing."""
    output: Mapping[str, Any] = getattr(node, "workeroutput", {})
    if _SENT in output:
        node.config.stash[_RUN].receive(output[_SENT])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Judge the approvals and write the coverage, or hand over what both need. What goes wrong is told in the summary."""
    run = session.config.stash[_RUN]
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_SENT] = run.sent()
        return
    _judge_approvals(session, run)
    _write_coverage(session, run)


def _write_coverage(session: pytest.Session, run: _Run) -> None:
    if run.coverage_file is None:
        return
    from dispute_fsm.history.jsonl import atomic_text_file

    try:
        with atomic_text_file(run.coverage_file) as stream:
            stream.write(json.dumps(run.reached().record(), ensure_ascii=False, indent=2) + "\n")
    except OSError as fault:
        run.unwritten = f"--dispute-coverage-json {run.coverage_file}: {fault.strerror or fault}"
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR


def _judge_approvals(session: pytest.Session, run: _Run) -> None:
    """Fail where an approval no longer fits anything; asked only where all tests ran, for others may need it."""
    if run.drift is None or not run.approved_file or not _all_ran(session, run.extent):
        return
    run.drift.used |= run.used
    run.unused = [
        f"{run.approved_file}:{line}: {approval.why}" for line, approval in run.drift.unused()
    ]
    if run.unused and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


# ---- whether all tests ran -----------------------------------------------------------------------


def _all_ran(session: pytest.Session, extent: _Extent) -> bool:
    """Tell whether every test below the configured paths ran, and every history that stands there was replayed.

    Whoever left something out need not be known: what was collected has to have run, and what is on
    disk has to have been replayed. Where that cannot be told, as of paths or settings that were
    given for this run, the answer is no.
    """
    config = session.config
    given = (
        config.args_source is pytest.Config.ArgsSource.ARGS
        or config.option.pyargs
        or config.invocation_params.dir != config.rootpath
        or any(
            setting.startswith(("testpaths", "norecursedirs"))
            for setting in config.option.override_ini or ()
        )
        or config.getoption(
            "lf", default=False
        )  # leaves files out before anything in them is collected
    )
    ended = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
    return (
        ended
        and not given
        and extent.complete
        and extent.replayed.issuperset(map(os.path.realpath, _histories(config)))
    )


def _histories(config: pytest.Config) -> Iterator[Path]:
    """Find the histories below the configured paths, in the folders in which pytest looks for tests."""
    for argument in config.args:
        top = config.invocation_params.dir / argument.partition("::")[0]
        if top.name.endswith(HISTORIES):
            yield top
        for folder, below, files in os.walk(top):
            below[:] = [
                name
                for name in below
                if _is_searched(Path(folder, name), config.getini("norecursedirs"))
            ]
            yield from (
                path
                for name in files
                if name.endswith(HISTORIES) and (path := Path(folder, name)).is_file()
            )


def _is_searched(folder: Path, left_out: Iterable[str]) -> bool:
    """Tell whether pytest looks for tests in a folder, whatever was asked of this run."""
    return not (folder / "pyvenv.cfg").is_file() and not any(
        fnmatch(str(folder), pattern if Path(pattern).is_absolute() else f"*{os.sep}{pattern}")
        if os.sep in pattern
        else fnmatch(folder.name, pattern)
        for pattern in left_out
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Take note of a test, before anybody can leave it out or rename it."""
    if (run := item.config.stash[_RUN]).approved_file:
        item.stash[_COLLECTED_AS] = item.nodeid
        run.extent.collected.add(item.nodeid)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Take note that tests were left out."""
    for item in items:
        item.config.stash[_RUN].extent.partial = True


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Take note that something could not be collected."""
    report = yield
    if report.failed:
        collector.config.stash[_RUN].extent.partial = True
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell which files were written, and what was reached."""
    run = config.stash[_RUN]
    words = _WORDS[run.lang]
    if run.written:
        terminalreporter.section(words["updated"])
        for name in sorted(run.written):
            terminalreporter.line(name)
    if run.unused:
        terminalreporter.section(words["unused"])
        for name in run.unused:
            terminalreporter.line(printable(name), red=True)
    if run.covers:
        terminalreporter.section(words["coverage"])
        if run.show_coverage:
            for line in run.reached().lines(run.lang):
                terminalreporter.line(line)
        if run.unwritten:
            terminalreporter.line(printable(run.unwritten), red=True)
        elif run.coverage_file is not None:
            terminalreporter.line(words["coverage_file"].format(file=run.coverage_file))


# ---- files as tests ------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "DisputeFile | None":
    """Take scenarios and histories."""
    wanted = file_path.name.endswith((SCENARIO, *HISTORIES))
    return DisputeFile.from_parent(parent, path=file_path) if wanted else None


class DisputeFile(pytest.File):
    """A file with disputes; it is read when its test runs."""

    def collect(self) -> "Iterator[DisputeItem]":
        """Make its one test. The name does not depend on what stands in the file, so that the test can be named again."""
        if self.name.endswith(SCENARIO):
            yield ScenarioItem.from_parent(self, name="scenario")
        else:
            yield HistoryItem.from_parent(self, name="replay")


class DisputeItem(pytest.Item):
    """A file as a test."""

    @property
    def file(self) -> str:
        """The file as pytest names it."""
        return self.nodeid.removesuffix(f"::{self.name}")

    def runtest(self) -> None:
        """Fail with what is wrong, told without a traceback."""
        from dispute_fsm.errors import InputError

        try:
            told = "\n".join(self.wrong(self.config.stash[_RUN]))
        except InputError as fault:
            file = self.file if fault.file in {None, self.file, str(self.path)} else fault.file
            told = str(InputError(fault.message, file=file, line=fault.line, field=fault.field))
        except OSError as fault:
            told = f"{self.file}: {fault.strerror or fault}"
        if told:
            pytest.fail(printable(told), pytrace=False)

    @abstractmethod
    def wrong(self, run: _Run) -> Iterator[str]:
        """Tell what is wrong, the first line in short. Raises `InputError` and `OSError` where the file cannot be read."""

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where the test stands, and its name above a failure."""
        return self.path, 0, f"{self.path.name}::{self.name}"


class ScenarioItem(DisputeItem):
    """A scenario: it has to come out as it expects."""

    def wrong(self, run: _Run) -> Iterator[str]:
        """Run the scenario; where asked, first write the expectations that are missing."""
        from dispute_fsm.scenarios.reader import parse_scenario
        from dispute_fsm.scenarios.runner import run_scenario

        result = run_scenario(parse_scenario(self.path.read_bytes(), self.file))
        run.saw(result.events)
        if run.update:
            result = self.updated(result, run)
        if not result.ok:
            yield from _scenario_told(result, run.lang)

    def updated(self, result: "ScenarioResult", run: _Run) -> "ScenarioResult":
        """Write what is missing into the file, and return what comes of it as it stands then."""
        from dispute_fsm.history.jsonl import atomic_text_file
        from dispute_fsm.scenarios.reader import parse_scenario
        from dispute_fsm.scenarios.runner import run_scenario
        from dispute_fsm.scenarios.update import update_expectations

        text = self.path.read_bytes().decode()
        new = update_expectations(text, result, change=run.change)
        if new == text:
            return result
        with atomic_text_file(self.path.resolve()) as stream:
            stream.write(new)
        run.written.append(self.file)
        return run_scenario(parse_scenario(self.path.read_bytes(), self.file))


class HistoryItem(DisputeItem):
    """A history: it has to be whole, and every decision made again has to be the one that is recorded."""

    def wrong(self, run: _Run) -> Iterator[str]:
        """Replay the history; what is wrong with it is told in a second reading."""
        from dispute_fsm.history.reader import InvalidRecord
        from dispute_fsm.history.replay import Replayed, replay

        whole, failing = True, list[InvalidRecord | Replayed]()
        for found in replay(str(self.path), watch=run.saw_step if run.covers else None):
            broken = isinstance(found, InvalidRecord) or found.fault is not None
            whole &= not broken
            if broken or (
                isinstance(found, Replayed)
                and found.differences
                and run.approved().unapproved(found)
            ):
                failing.append(found)
        if whole:  # in what else a dispute differs behind its fault nobody knows
            run.extent.replayed.add(os.path.realpath(self.path))
        if failing:
            yield from _history_told(self.path, self.file, failing, run.lang)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take note that a test ran; leave away what was logged while a file ran: the story tells it all, and better."""
    report = yield
    if (report.when == "call" or report.skipped) and _COLLECTED_AS in item.stash:
        item.config.stash[_RUN].extent.ran.add(item.stash[_COLLECTED_AS])
    if isinstance(item, DisputeItem):
        report.sections = []
    return report


# ---- disputes in Python tests --------------------------------------------------------------------


@pytest.fixture
def _dispute_cases(request: pytest.FixtureRequest) -> Iterator["list[DisputeCase]"]:
    cases: list[DisputeCase] = []
    request.node.stash[_CASES] = cases
    yield cases
    for case in cases:
        request.config.stash[_RUN].saw(case.events)


@pytest.fixture
def given(_dispute_cases: "list[DisputeCase]") -> "Callable[..., DisputeCase]":
    """Open a dispute: `dispute_fsm.testing.given`. A refusal that no `then` names fails the test, also at its end."""
    from dispute_fsm import testing

    return _kept(testing.given, _dispute_cases)


@pytest.fixture
def given_history(_dispute_cases: "list[DisputeCase]") -> "Callable[..., DisputeCase]":
    """Take up a recorded dispute: `dispute_fsm.testing.given_history`. A refusal that no `then` names fails the test."""
    from dispute_fsm import testing

    return _kept(testing.given_history, _dispute_cases)


def _kept(
    make: "Callable[P, DisputeCase]", cases: "list[DisputeCase]"
) -> "Callable[P, DisputeCase]":
    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> "DisputeCase":
        __tracebackhide__ = True
        cases.append(case := make(*args, **kwargs))
        return case

    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Settle the disputes of a test once it has come to its end, as a part of it."""
    result = yield
    for case in item.stash.get(_CASES, ()):
        told = ""
        try:
            case.settle()
        except AssertionError as fault:
            told = str(fault)
        if told:  # out here, so that the fault is not told a second time, as the cause
            pytest.fail(printable(told), pytrace=False)
    return result


# ---- what is told --------------------------------------------------------------------------------

_WORDS: Mapping["Lang", Mapping[str, str]] = {
    "zh": {
        "updated": "已写入的场景文件",
        "unused": "不再对应任何差异的批准项",
        "coverage": "纠纷规则覆盖",
        "coverage_file": "已写入 {file}",
        "step": "第 {step} 步",
        "end": "结束时",
        "failure": "{where}：预期 {expected}，实际 {found}",
        "line": "第 {line} 行，",
        "differs": "{file}:{line}：纠纷 {dispute}，事件 {seq}：{drift}",
        "dispute": "纠纷 {dispute}",
        "first": "第一处不同：{drift} ({code})",
        "guard": "条件：{guard}",
        "saw_then": "当时核查结果：{saw}",
        "saw_now": "现在核查结果：{saw}",
        "not_asked": "未核查",
        "change": "{field}：当时 {recorded}，现在 {now}",
        "further": "此后还有 {number} 处不同，事件：{seqs}",
    },
    "en": {
        "updated": "scenario files written",
        "unused": "approvals that no longer fit any difference",
        "coverage": "coverage of the dispute rules",
        "coverage_file": "written to {file}",
        "step": "step {step}",
        "end": "at the end",
        "failure": "{where}: expected {expected}; found {found}",
        "line": "line {line}, ",
        "differs": "{file}:{line}: dispute {dispute}, event {seq}: {drift}",
        "dispute": "dispute {dispute}",
        "first": "first difference: {drift} ({code})",
        "guard": "guard: {guard}",
        "saw_then": "saw then: {saw}",
        "saw_now": "sees now: {saw}",
        "not_asked": "was not asked",
        "change": "{field}: was {recorded}, is now {now}",
        "further": "later steps that differ: {number}, at events {seqs}",
    },
}


def _scenario_told(result: "ScenarioResult", lang: "Lang") -> Iterator[str]:
    """Tell each failure, and the story as far as the last of them, with each failure at its place."""
    from dispute_fsm.history.timeline import timeline
    from dispute_fsm.history.timeline_text import timeline_lines

    marks: dict[int, list[str]] = {}
    for failure in result.failures:
        text = _failure(failure, lang)
        yield f"{result.scenario.file}:{failure.line}: {text}"
        found = result.end if failure.step is None else result.steps[failure.step - 1]
        marks.setdefault(found.events, []).append(
            _WORDS[lang]["line"].format(line=failure.line) + text
        )
    if result.events:
        yield from ("", result.scenario.title)
        yield from timeline_lines(
            timeline(result.events[: max(marks)], result.scenario.opening.policy), lang, notes=marks
        )


def _failure(failure: "Failure", lang: "Lang") -> str:
    words = _WORDS[lang]
    where = words["end"] if failure.step is None else words["step"].format(step=failure.step)
    return words["failure"].format(where=where, expected=failure.expected, found=failure.actual)


def _history_told(
    path: Path, file: str, failing: "Sequence[InvalidRecord | Replayed]", lang: "Lang"
) -> Iterator[str]:
    """Tell each thing that is wrong in a line, then the first disputes as a story each."""
    from dispute_fsm.history.replay import Replayed

    disputes = [one for one in failing if isinstance(one, Replayed)]
    stories = _stories(path, {one.dispute_id for one in disputes})
    for one in failing:
        yield _in_short(one, stories, file, lang)
    for one in disputes[:_STORIES]:
        yield from ("", _WORDS[lang]["dispute"].format(dispute=one.dispute_id))
        yield from _story(one, stories[one.dispute_id], lang)


def _in_short(
    found: "InvalidRecord | Replayed",
    stories: "Mapping[str, Sequence[Step]]",
    file: str,
    lang: "Lang",
) -> str:
    """Tell in a line what is wrong, and on which line of the file."""
    from dispute_fsm.history.reader import InvalidRecord

    if isinstance(found, InvalidRecord):
        return f"{file}:{found.line}: {found.message}"
    if found.fault is not None:
        return _in_short(found.fault, stories, file, lang)
    first = found.differences[0]
    line = next(
        (step.line for step in stories[found.dispute_id] if step.event.seq == first.seq), found.line
    )
    names = {"dispute": found.dispute_id, "seq": first.seq, "drift": first.drift.label(lang)}
    return _WORDS[lang]["differs"].format(file=file, line=line, **names)


def _stories(path: Path, disputes: set[str]) -> "dict[str, list[Step]]":
    """Read a history again and keep the sound events of these disputes."""
    from dispute_fsm.history.replay import replay

    kept: dict[str, list[Step]] = {dispute_id: [] for dispute_id in disputes}

    def keep(_line: object, step: "Step | None") -> None:
        if step is not None and step.event.dispute_id in kept:
            kept[step.event.dispute_id].append(step)

    for _ in replay(str(path), watch=keep):
        pass
    return kept


def _story(found: "Replayed", steps: "Sequence[Step]", lang: "Lang") -> Iterator[str]:
    """Tell a dispute as far as it was sound, with the fault or the first difference at its place."""
    from dispute_fsm.history.timeline import timeline
    from dispute_fsm.history.timeline_text import timeline_lines

    entries = timeline([step.event for step in steps], steps[0].policy) if steps else ()
    if found.fault is not None:
        yield from timeline_lines(
            entries, lang, notes={found.fault.seq or 0: [found.fault.message]}
        )
        return
    first, *later = found.differences
    marks = [*_difference(first, entries, found.rules, lang)]
    if later:
        seqs = ", ".join(str(difference.seq) for difference in later)
        marks.append(_WORDS[lang]["further"].format(number=len(later), seqs=seqs))
    yield from timeline_lines(entries, lang, notes={first.seq: marks})


def _difference(
    found: "Difference", entries: "Iterable[TimelineEntry]", rules: str | None, lang: "Lang"
) -> Iterator[str]:
    """Tell a difference: its class, the guard in words and what it looked at, and every member that is another."""
    words = _WORDS[lang]
    yield words["first"].format(drift=found.drift.label(lang), code=found.drift.value)
    if found.guard is not None:
        yield words["guard"].format(guard=_guard(found.guard, found.seq, entries, rules, lang))
        for name, saw in (("saw_then", found.saw_then), ("saw_now", found.saw_now)):
            yield words[name].format(saw=words["not_asked"] if saw is None else _as_json(saw))
    for change in found.changes:
        recorded, now = _apart(change)
        yield words["change"].format(
            field=change.field, recorded=_as_json(recorded), now=_as_json(now)
        )


def _guard(
    name: str, seq: int, entries: "Iterable[TimelineEntry]", rules: str | None, lang: "Lang"
) -> str:
    """Name a guard in words: as the timeline does, else as the rules do; for a question, whose answers were seen, its name is enough."""
    from dispute_fsm.machine.guard import GuardKind
    from dispute_fsm.rules.registry import rule_version

    guard = None if rules is None else rule_version(rules).table.guards().get(name)
    looked = (
        looked
        for entry in entries
        if entry.seq == seq
        for looked in entry.checks
        if looked.guard == name
    )
    label = next((one.label(lang) for one in looked), name) if guard is None else guard.label(lang)
    return (
        name
        if label == name or (guard is not None and guard.kind is GuardKind.SELECTS)
        else f"{label} ({name})"
    )


def _apart(change: "Change") -> tuple[object, object]:
    """Return both sides of a change; of two lists only what is not in the other."""
    recorded, now = change.recorded, change.now
    if isinstance(recorded, list) and isinstance(now, list):
        return [one for one in recorded if one not in now], [
            one for one in now if one not in recorded
        ]
    return recorded, now


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
