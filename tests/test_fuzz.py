"""A short fuzzing with a fixed seed: no parser ends in anything but its documented error. `make fuzz` is the long one."""

import random
from collections.abc import Callable

import pytest

from tests.fuzzing import TARGETS, Tally

INPUTS, SAMPLED = 600, 100


@pytest.mark.no_cover  # what only fuzzing reaches has no test of its own yet
@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_in_a_parser_accepts_it_or_raises_its_documented_error(
    name: str, whole: bool, tell: Callable[[object], None]
) -> None:
    target, tally, chance = TARGETS[name], Tally(), random.Random(f"fuzz {name}")
    seeds, inputs = (target.seeds, INPUTS) if whole else (target.seeds[::10], SAMPLED)
    for seed in seeds:
        target.try_out(seed, tally)
    assert tally.accepted == len(seeds)
    for _ in range(inputs):
        data = chance.choice(target.seeds)
        for _ in range(chance.choice([1, 1, 2, 4])):
            data = target.change(data, chance)
        target.try_out(data, tally)
    assert tally.past > inputs // 2  # else it would only test the YAML or JSON layer
    assert tally.accepted < tally.tried
    tell(
        f"fuzzed {name}: {tally.tried} inputs, {tally.past} past the YAML or JSON layer, "
        f"{tally.accepted} accepted"
    )
