"""The hot paths keep within their budgets, in multiples of the floor: JSON decoded and SHA-256.

Works that take turns have the same ratio on a slow machine as on a fast one. The least times are
compared, for whatever else runs only adds to a time, and a path that seems too slow is measured
again. `make bench` says what is hoped for, and against what.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from benchmarks.hot_paths import (
    COMMAND,
    DECIDE,
    FLOOR,
    FOLD,
    OPTIONS,
    PARSE,
    REPLAY,
    hot_paths,
    slices,
)
from benchmarks.measure import Work, interleaved

BUDGETS = {DECIDE: 26.0, OPTIONS: 66.0, PARSE: 9.0, FOLD: 3.0, REPLAY: 40.0, COMMAND: 2.2}
"""How many floors each may cost: what it costs, and about half of that again."""

ROUNDS, ATTEMPTS = 7, 5


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Work]:
    return hot_paths(slices(tmp_path_factory.mktemp("histories"), ROUNDS + 1, 60))


@contextmanager
def untraced() -> Iterator[None]:
    """Stop coverage meanwhile: tracing slows our code down, and the floor not at all."""
    tracing = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracing)


def over_budget(paths: Mapping[str, Work], budgets: Mapping[str, float]) -> dict[str, float]:
    """Return the paths that are over their budgets in each attempt, with their last ratios."""
    over = dict(budgets)
    for _ in range(ATTEMPTS):
        with untraced():
            samples = interleaved({name: paths[name] for name in (FLOOR, *over)}, ROUNDS)
        ratios = {name: samples.least_ratio(name, FLOOR) for name in over}
        over = {name: ratio for name, ratio in ratios.items() if ratio > budgets[name]}
        if not over:
            break
    return over


def test_no_hot_path_is_over_its_budget(paths: Mapping[str, Work]) -> None:
    assert over_budget(paths, BUDGETS) == {}


@pytest.mark.whole
def test_a_path_that_is_over_its_budget_is_named(paths: Mapping[str, Work]) -> None:
    assert over_budget(paths, {FLOOR: 2.0, FOLD: 1.0}).keys() == {FOLD}
