"""The hot paths, other state machines and bare pydantic, all in the same rounds."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.hot_paths import (
    CHOICE,
    COMMAND,
    DECIDE,
    FLOOR,
    FOLD,
    OPTIONS,
    PARSE,
    REPLAY,
    Slice,
    each,
    hot_paths,
    slices,
)
from benchmarks.measure import Report, Work, interleaved
from benchmarks.peers.machines import STATEMACHINE_NEW, TRANSITIONS_NEW, machines
from benchmarks.peers.pydantic_event import BareEvent

BARE_PYDANTIC = "bare pydantic, the event's types without constraints"
_DISPUTES = 200
"""In each slice."""


def peers(prepared: list[Slice]) -> Mapping[str, Work]:
    """Return what is compared with."""
    parsing = each(prepared, lambda part: part.lines, BareEvent.model_validate_json)
    return {**machines(prepared), BARE_PYDANTIC: parsing}


def measure(report: Report, folder: Path) -> None:
    """Measure all side by side."""
    rounds = report.sizes["rounds"]
    prepared = slices(folder, rounds + 1, min(_DISPUTES, report.sizes["disputes"]))
    ours, others = hot_paths(prepared), peers(prepared)
    samples = interleaved({**ours, **others}, rounds)
    for name in samples.taken:
        report.add(name, samples.median(name), "s")
    for name in (DECIDE, CHOICE, OPTIONS, PARSE, FOLD, REPLAY, COMMAND, *others):
        report.add(f"{name} / floor", samples.ratio(name, FLOOR))
    report.add(f"{CHOICE} / {STATEMACHINE_NEW}", samples.ratio(CHOICE, STATEMACHINE_NEW))
    report.add(f"{CHOICE} / {TRANSITIONS_NEW}", samples.ratio(CHOICE, TRANSITIONS_NEW))
    report.add(f"{OPTIONS} / {CHOICE}", samples.ratio(OPTIONS, CHOICE))
    report.add(f"{PARSE} / {BARE_PYDANTIC}", samples.ratio(PARSE, BARE_PYDANTIC))
    report.add(f"{REPLAY} / {PARSE}", samples.ratio(REPLAY, PARSE))
