"""Scenarios and histories as tests: the pytest plugin.

Every `*.dispute.yaml` that pytest collects is run and every `*.history.jsonl` (also with `.gz`)
replayed, each as one test. A failure shows the dispute's timeline with a mark where it goes wrong.
`given` and `given_history` are fixtures for disputes in Python tests.

Every test run of an environment imports this module, so it imports the rest of the package where
it is needed.
"""

# ruff: noqa: PLC0415 -- imported where it is needed, so that a run without disputes costs nothing

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol

import pytest

from dispute_fsm.terminal import printable
from dispute_fsm.testing.session import HISTORIES, DisputeSession

if TYPE_CHECKING:
    from dispute_fsm.testing import DisputeCase

P = ParamSpec("P")

SCENARIO = ".dispute.yaml"
"""The ending of scenario files."""

_SESSION = pytest.StashKey[DisputeSession]()
_CASES = pytest.StashKey["list[DisputeCase]"]()
_COLLECTED_AS = pytest.StashKey[str]()
_SENT = "dispute_fsm"


class _Node(Protocol):
    """A worker as its controller sees it; the type is xdist's, which need not be installed."""

    config: pytest.Config


# ---- the run and its options ---------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, all of which begin with `--dispute`."""
    group = parser.getgroup("disputes", "disputes: scenarios and histories as tests")
    group.addoption(
        "--dispute-lang",
        choices=("zh", "en"),
        help="Language of the texts about disputes; default: the terminal's.",
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
            "With --dispute-update: also replace the expectations that were not met. Read the "
            "difference before you commit it."
        ),
    )
    group.addoption(
        "--dispute-coverage",
        action="store_true",
        help="Show which transitions and guard outcomes the disputes reach.",
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
    """Read the options. Raises `UsageError` where they cannot be combined."""
    if config.option.dispute_update_changed and not config.option.dispute_update:
        raise pytest.UsageError("--dispute-update-changed needs --dispute-update: give both")
    session = config.stash[_SESSION] = DisputeSession(config)
    file = session.coverage_file
    if file is not None and (file.is_dir() or not file.parent.is_dir()):
        raise pytest.UsageError(
            f"--dispute-coverage-json {file}: name a file in a folder that exists"
        )


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Read the approvals before any test runs; with xdist in the controller only.

    Raises `UsageError` where they cannot be read.
    """
    gathered = session.config.stash[_SESSION]
    if not gathered.approved_file or hasattr(session.config, "workerinput"):
        return
    from dispute_fsm.errors import InputError

    try:
        gathered.approved()
    except InputError as error:
        raise pytest.UsageError(printable(" ".join(str(error).split()))) from None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: _Node) -> None:
    """Receive what a worker of xdist has gathered; one that crashed sends nothing."""
    output: Mapping[str, Any] = getattr(node, "workeroutput", {})
    if _SENT in output:
        node.config.stash[_SESSION].receive(output[_SENT])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Check the approvals and write the coverage; a worker of xdist sends what both need.

    Errors are shown in the summary.
    """
    gathered = session.config.stash[_SESSION]
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_SENT] = gathered.send()
        return
    gathered.check_approvals(session)
    gathered.write_coverage(session)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Record a test, before any plugin can leave it out or rename it."""
    gathered = item.config.stash[_SESSION]
    if gathered.approved_file:
        item.stash[_COLLECTED_AS] = item.nodeid
        gathered.collected.add(item.nodeid)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Record that tests were left out."""
    for item in items:
        item.config.stash[_SESSION].partial = True


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Record that a file could not be collected."""
    report = yield
    if report.failed:
        collector.config.stash[_SESSION].partial = True
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show which files were written, the unused approvals, and the coverage."""
    gathered = config.stash[_SESSION]
    if not (gathered.written or gathered.unused or gathered.covers):
        return
    from dispute_fsm.testing.messages import SUMMARY

    lang = gathered.lang
    if gathered.written:
        terminalreporter.section(SUMMARY(lang, "updated"))
        for name in sorted(gathered.written):
            terminalreporter.line(name)
    if gathered.unused:
        terminalreporter.section(SUMMARY(lang, "unused"))
        for approval in gathered.unused:
            terminalreporter.line(printable(approval), red=True)
    if gathered.covers:
        _show_coverage(terminalreporter, gathered)


def _show_coverage(terminalreporter: pytest.TerminalReporter, gathered: DisputeSession) -> None:
    from dispute_fsm.testing.messages import SUMMARY

    lang = gathered.lang
    terminalreporter.section(SUMMARY(lang, "coverage"))
    if gathered.option.dispute_coverage:
        for line in gathered.reached().lines(lang):
            terminalreporter.line(line)
    if gathered.write_error:
        terminalreporter.line(printable(gathered.write_error), red=True)
    elif gathered.coverage_file is not None:
        terminalreporter.line(SUMMARY(lang, "coverage_file", file=gathered.coverage_file))


# ---- files as tests ------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "DisputeFile | None":
    """Collect scenarios and histories."""
    if not file_path.name.endswith((SCENARIO, *HISTORIES)):
        return None
    return DisputeFile.from_parent(parent, path=file_path)


class DisputeFile(pytest.File):
    """A file with disputes; it is read when its test runs."""

    def collect(self) -> "Iterator[DisputeItem]":
        """Make its one test.

        The name does not depend on the file's content, so that the test can be selected again.
        """
        name = "scenario" if self.name.endswith(SCENARIO) else "replay"
        yield DisputeItem.from_parent(self, name=name)


class DisputeItem(pytest.Item):
    """A file as a test: a scenario that has to pass, or a history that has to be valid."""

    def runtest(self) -> None:
        """Fail with what is wrong, without a traceback."""
        from dispute_fsm.errors import InputError
        from dispute_fsm.testing.checks import check_history, check_scenario

        check = check_scenario if self.name == "scenario" else check_history
        file = self.nodeid.removesuffix(f"::{self.name}")
        try:
            text = "\n".join(check(self.path, file, self.config.stash[_SESSION]))
        except InputError as error:
            other = None if error.file == str(self.path) else error.file
            text = str(
                InputError(error.message, file=other or file, line=error.line, field=error.field)
            )
        except OSError as error:
            text = f"{file}: {error.strerror or error}"
        if text:
            pytest.fail(printable(text), pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the file of the test, and its name above a failure."""
        return self.path, 0, f"{self.path.name}::{self.name}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record that a test ran; a file's report has no log, for the timeline shows more."""
    report = yield
    if (report.when == "call" or report.skipped) and _COLLECTED_AS in item.stash:
        item.config.stash[_SESSION].ran.add(item.stash[_COLLECTED_AS])
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
        request.config.stash[_SESSION].add_events(case.events)


@pytest.fixture
def given(_dispute_cases: "list[DisputeCase]") -> "Callable[..., DisputeCase]":
    """Open a dispute: `dispute_fsm.testing.given`.

    A refusal that no `then` names fails the test, also at its end.
    """
    from dispute_fsm import testing

    return _recorded(testing.given, _dispute_cases)


@pytest.fixture
def given_history(_dispute_cases: "list[DisputeCase]") -> "Callable[..., DisputeCase]":
    """Continue a recorded dispute: `dispute_fsm.testing.given_history`.

    A refusal that no `then` names fails the test, also at its end.
    """
    from dispute_fsm import testing

    return _recorded(testing.given_history, _dispute_cases)


def _recorded(
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
    """Settle the disputes of a test at its end, as a part of it."""
    result = yield
    for case in item.stash.get(_CASES, ()):
        text = ""
        try:
            case.settle()
        except AssertionError as error:
            text = str(error)
        if text:  # outside of `except`, so that the error is not shown again as the cause
            pytest.fail(printable(text), pytrace=False)
    return result
