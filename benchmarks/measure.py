"""Measures works side by side: in turns, by CPU time, as medians and ratios; keeps what came of it.

What else a machine does meets works that take turns alike. So a ratio is taken within each round,
and the median of the rounds is what counts.
"""

import gc
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

Work = Callable[[int], int]
"""Does the work of one round, given its number; returns how many operations these were."""

Clock = Callable[[], float]


def children_time() -> float:
    """Return the CPU time of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True, slots=True)
class Samples:
    """Seconds per operation of each work, round by round; and the CPU time of this process."""

    taken: Mapping[str, Sequence[float]]
    cpu: Mapping[str, Sequence[float]]

    def median(self, name: str) -> float:
        """Return the median of a work."""
        return median(self.taken[name])

    def cpu_median(self, name: str) -> float:
        """Return the median CPU time of a work, whatever the clock."""
        return median(self.cpu[name])

    def ratio(self, name: str, to: str) -> float:
        """Return the median of the ratios of each round."""
        return median(a / b for a, b in zip(self.taken[name], self.taken[to], strict=True))

    def least_ratio(self, name: str, to: str) -> float:
        """Return the ratio of the least of each: what is left when nothing else runs."""
        return min(self.taken[name]) / min(self.taken[to])


def interleaved(
    works: Mapping[str, Work], rounds: int, clock: Clock = process_time, *, warm: bool = True
) -> Samples:
    """Run all works in each round, every other round backwards.

    The round 0 only warms up; without `warm` there is none.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    cpu: dict[str, list[float]] = {name: [] for name in works}
    gc.collect()
    gc.freeze()  # or each collection would go through what was prepared
    try:
        for turn in range(0 if warm else 1, rounds + 1):
            for name in [*works][:: 1 if turn % 2 else -1]:
                cpu_began, began = process_time(), clock()
                number = works[name](turn)
                took, cpu_took = clock() - began, process_time() - cpu_began
                if turn:
                    taken[name].append(took / number)
                    cpu[name].append(cpu_took / number)
    finally:
        gc.unfreeze()
    return Samples(taken, cpu)


def run(*command: str | Path, **options: Any) -> bytes:  # noqa: ANN401 -- those of subprocess
    """Run a program of ours, and let Python keep what it compiles; return what it wrote."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    options = {"env": environment, **options}
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, **options)  # noqa: S603 -- our own
    output: bytes = done.stdout
    return output


def python(program: str, *arguments: str | Path) -> bytes:
    """Run a program in a new Python; return what it wrote."""
    return run(sys.executable, "-c", program, *arguments)


# ---- results -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """A bound, and what is hoped for: at most so much, or with `least` at least.

    `unit` is "" for a ratio.
    """

    bound: float
    hope: float
    least: bool = False
    unit: str = ""

    def verdict(self, measured: float | None) -> str:
        """Say what a measured value comes to."""
        if measured is None:
            return "not measured"
        reached = [
            measured >= limit if self.least else measured <= limit
            for limit in (self.bound, self.hope)
        ]
        return "as hoped" if all(reached) else "within bound" if reached[0] else "MISSED"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `unit` is "" for a ratio. `note` says what was measured."""

    section: str
    name: str
    value: float
    unit: str = ""
    note: str = ""


@dataclass(slots=True)
class Report:
    """What was measured so far, against its targets. Every value is printed as it comes."""

    targets: Mapping[str, Target]
    sizes: Mapping[str, int]
    section: str = ""
    figures: list[Figure] = field(default_factory=list[Figure])

    def add(self, name: str, value: float, unit: str = "", note: str = "") -> None:
        """Add a value."""
        figure = Figure(self.section, name, value, unit, note)
        self.figures.append(figure)
        sys.stdout.write(f"  {name}: {quantity(value, unit)}{note and f' ({note})'}\n")
        sys.stdout.flush()

    def verdicts(self, expected: Sequence[str]) -> list[dict[str, Any]]:
        """Compare with the targets that were expected to be measured."""
        figures = {figure.name: figure for figure in self.figures}
        verdicts: list[dict[str, Any]] = []
        for name in expected:
            target, figure = self.targets[name], figures.get(name)
            measured = None if figure is None else figure.value
            verdicts.append(
                {
                    "name": name,
                    **asdict(target),
                    "measured": measured,
                    "verdict": target.verdict(measured),
                    "note": "" if figure is None else figure.note,
                }
            )
        return verdicts


_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def quantity(value: float, unit: str = "") -> str:
    """Write a value with three digits; seconds and bytes in the unit that suits."""
    if unit == "s" and value > 0:
        size, unit = next((pair for pair in _UNITS if value >= pair[0]), _UNITS[-1])
        value /= size
    elif unit == "bytes":
        power = next((power for power in (4, 3, 2, 1) if value >= 1024**power), 0)
        value, unit = value / 1024**power, ("bytes", "KiB", "MiB", "GiB", "TiB")[power]
    digits = max(0, 2 - len(str(int(abs(value)))) + 1) if abs(value) >= 1 else 3
    return f"{value:,.{digits}f} {unit}".rstrip()


def machine() -> dict[str, Any]:
    """Describe this machine, and what is installed on it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {name: found for name in _NAMED if (found := _version(name)) is not None},
    }


_NAMED = (
    "dispute-fsm",
    "pydantic",
    "msgspec",
    "python-statemachine",
    "transitions",
    "Automat",
    "eventsourcing",
    "temporalio",
    "SQLAlchemy",
    "psycopg",
)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
