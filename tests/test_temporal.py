"""Temporal as the alarm clock: every deadline fires once, at its time, as the plain service does."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from dispute_fsm.scenarios.reader import read_scenario
from dispute_fsm.scenarios.runner import run_scenario
from tests.engine_scenarios import FILES, named, stage
from tests.sampling import few
from tests.temporal_support import Player, server, working

SWEEPING = [file for file in FILES if "do: sweep" in file.read_text(encoding="utf-8")]
OTHERS = [file for file in FILES if file not in SWEEPING]


@pytest.mark.parametrize("file", [*few(SWEEPING, 12), *few(OTHERS, 3)], ids=named)
def test_a_scenario_has_the_same_events_when_temporal_fires_its_deadlines(
    file: Path, tmp_path: Path, count: Callable[[str, int], None]
) -> None:
    scenario = read_scenario(file)
    with stage(scenario, f"sqlite:///{tmp_path / 'plain.db'}") as plain:
        swept = sum(plain.sweep() for sweeps in plain.play() if sweeps)
        assert plain.history == run_scenario(scenario).events

    async def play() -> None:
        async with server() as environment, working(environment.client, timed.service) as clock:
            await Player(environment, clock, timed).play()

    with stage(scenario, f"sqlite:///{tmp_path / 'timed.db'}") as timed:
        asyncio.run(play())
        assert timed.history == plain.history
    fired = [result for expiry in timed.service.expiries for result in expiry.results]
    assert sum(result.accepted for result in fired) == swept
    count("deadlines fired by Temporal in scenarios", len(fired))
    for status in ("early", "stale"):
        number = sum(expiry.status == status for expiry in timed.service.expiries)
        count(f"alarms of Temporal that were {status} in scenarios", number)
