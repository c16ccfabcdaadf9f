"""`make test` runs a sample of the long tests, the same in every run; `make test-all` runs all.

There is one switch, pytest's option `--whole` (`conftest.py`). Left out, tests with the mark
`whole` are not run, and loops and Hypothesis try less. Nothing here depends on chance: the seed is
fixed.
"""

from collections.abc import Iterable
from random import Random

import pytest
from _pytest.mark.structures import ParameterSet
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

LEFT_OUT = pytest.StashKey[int]()
"""How many tests of the session only the whole run has."""

EXAMPLES = 100
"""How many examples Hypothesis tries, unless a test sets another number with `examples`."""

_SAMPLED = 25
"""How many of each hundred it tries in the sample."""


def few(cases: Iterable[object], number: int) -> list[ParameterSet]:
    """Run this many of the cases always, and the others with `--whole` only.

    A tuple fills several arguments.
    """
    every = list(cases)
    always = set(Random(len(every)).sample(range(len(every)), number))
    arguments = [case if isinstance(case, tuple) else (case,) for case in every]
    return [
        pytest.param(*case, marks=() if index in always else pytest.mark.whole)
        for index, case in enumerate(arguments)
    ]


def examples(whole: int) -> settings:
    """Let Hypothesis try this many examples with `--whole`, and its part of them without."""
    return settings(max_examples=max(1, whole * settings().max_examples // EXAMPLES))


def configure_hypothesis(*, whole: bool) -> None:
    """Let Hypothesis try the same examples in every run, however long each takes.

    Call this before test modules are imported.
    """
    settings.register_profile(
        "ours",
        max_examples=EXAMPLES if whole else _SAMPLED,
        deadline=None,
        derandomize=True,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],  # a slow machine is no fault of a test
    )
    settings.load_profile("ours")
    # Hypothesis also tries constants that it reads in whatever modules happen to be imported by
    # then: another test's, for instance.
    providers._get_local_constants = lambda: providers._local_constants  # noqa: SLF001 -- there is no setting for it
