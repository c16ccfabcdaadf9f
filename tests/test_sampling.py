"""The sample of `make test` is a part of what `make test-all` runs, and always the same."""

from collections.abc import Callable

import pytest
from hypothesis import settings

from tests.sampling import EXAMPLES, LEFT_OUT, examples, few

CASES = range(10)


def kept() -> list[object]:
    return [case.values[0] for case in few(CASES, 3) if not case.marks]


def test_what_runs_is_counted(
    request: pytest.FixtureRequest, *, whole: bool, tell: Callable[[object], None]
) -> None:
    runs, left_out = len(request.session.items), request.config.stash[LEFT_OUT]
    assert (left_out == 0) is whole
    tell(f"{'the whole' if whole else 'the sample'}: {runs} of {runs + left_out} tests")


@pytest.mark.parametrize("case", few(CASES, 3))
def test_a_case_of_the_whole_runs_in_the_whole_only(case: int, *, whole: bool) -> None:
    assert whole or case in kept()


def test_the_same_few_cases_run_always() -> None:
    assert len(kept()) == 3
    assert kept() == kept()
    assert [case.values for case in few([("a", 1), ("b", 2)], 1)] == [("a", 1), ("b", 2)]


def test_hypothesis_tries_the_same_in_every_run_however_slow_and_in_the_sample_less(
    *, whole: bool
) -> None:
    assert settings().derandomize
    assert settings().deadline is None
    assert (examples(EXAMPLES).max_examples == EXAMPLES) is whole
    assert examples(1).max_examples == 1
