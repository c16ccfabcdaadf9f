"""Short fuzzing with a fixed seed: a parser raises only its documented error.

`make fuzz` runs longer.
"""

import random
from collections.abc import Callable

import pytest

from tests.fuzzing import TARGETS, Tally

INPUTS, SAMPLED = 600, 100


@pytest.mark.no_cover  # code that only fuzzing reaches has no other test yet
@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_accepts_every_input_or_raises_its_documented_error(
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
    assert tally.past > inputs // 2  # otherwise only the YAML or JSON layer is tested
    assert tally.accepted < tally.tried
    tell(
        f"fuzzed {name}: {tally.tried} inputs, {tally.past} past the YAML or JSON layer, "
        f"{tally.accepted} accepted"
    )
