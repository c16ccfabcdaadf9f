"""What every test shares: how Hypothesis looks for counter-examples, and how a test tells a count to whoever looks on."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from tests.databases import KINDS, database, unreachable

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)  # the same examples in every run
settings.load_profile("ci" if os.environ.get("CI") else "dev")

collect_ignore_glob = ["scenarios/invalid/*"]
"""The plugin runs every other scenario as a test of its own; what must not be read is `test_scenarios.py`'s."""

TOLD, COUNTED = "told", "counted"


@pytest.fixture(autouse=True)
def _its_own_logging() -> Iterator[None]:
    """Let no test hear what another made of structlog: commands that are called in this process configure it."""
    configured = structlog.get_config() if structlog.is_configured() else None
    yield
    structlog.reset_defaults()
    if configured is not None:
        structlog.configure(**configured)


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
