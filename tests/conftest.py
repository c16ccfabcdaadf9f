"""What every test shares: whether a sample or the whole runs, and how a test reports a count."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.databases import KINDS, database, unreachable
from tests.own_logging import logging_of_its_own
from tests.sampling import LEFT_OUT, configure_hypothesis

collect_ignore_glob = ["scenarios/invalid/*"]
"""The plugin runs every other scenario as a test; invalid files are for `test_scenarios.py`."""

TOLD, COUNTED = "told", "counted"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one switch between the sample and the whole."""
    parser.addoption(
        "--whole",
        action="store_true",
        help="run all of what runs as a sample else (see tests/sampling.py)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say how much Hypothesis tries, before any test module asks."""
    configure_hypothesis(whole=config.getoption("whole"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only the whole run has."""
    whole = config.getoption("whole")
    kept, left_out = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        (left_out if not whole and item.get_closest_marker("whole") else kept).append(item)
    config.stash[LEFT_OUT] = len(left_out)
    if left_out:
        items[:] = kept
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through thousands of tests again and again."""
    gc.freeze()


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> bool:
    """Tell whether a test is to try everything; else it tries a sample."""
    return bool(request.config.getoption("whole"))


@pytest.fixture(autouse=True)
def _its_own_logging() -> Iterator[None]:
    """Reset structlog after each test that configures it."""
    with logging_of_its_own():
        yield


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Show a line under the results, whichever process the test runs in."""
    return lambda line: request.node.user_properties.append((TOLD, str(line)))


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """Add to a sum that is shown under the results."""
    return lambda what, number: request.node.user_properties.append((COUNTED, (what, number)))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give an empty database: the test runs once on SQLite, once on PostgreSQL."""
    kind: str = request.param
    if kind == "postgresql" and (why := unreachable()) is not None:
        pytest.skip(why)
    with database(kind, tmp_path) as url:
        yield url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests counted."""
    reports = [*terminalreporter.stats.get("passed", []), *terminalreporter.stats.get("failed", [])]
    sums = Counter[str]()
    for report in reports:
        sums.update(dict([value for name, value in report.user_properties if name == COUNTED]))
    lines = [line for report in reports for name, line in report.user_properties if name == TOLD]
    if lines := [*lines, *(f"{what}: {number}" for what, number in sums.items())]:
        terminalreporter.section("counted")
        for line in sorted(lines):
            terminalreporter.line(line)
