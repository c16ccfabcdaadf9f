"""What a replay costs compared with parsing alone, a file ten times as long, and no pytest.

    python benchmarks/replay.py [--disputes N] [--rounds R]

Each pair is measured in turns and its best times are compared, for the machine may be noisy. Exit
code 1 where a bound is missed.
"""

import argparse
import logging
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import structlog

from dispute_fsm.domain.events import EVENT
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.replay import rare_garbage_collection, replay

BOUNDS = {
    "replay / validate_json": 6.0,
    "memory, ten times the file": 1.2,
    "pytest / replay, 2,000 files": 3.0,
}
"""The most that each ratio may be."""

ALONE = """
import sys
from pathlib import Path
from dispute_fsm.history.replay import replay
for file in sorted(Path(sys.argv[1]).iterdir()):
    for found in replay(str(file)):
        assert found.sound
"""
PEAK = """
import resource, sys
from dispute_fsm.history.replay import replay
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(1 for _ in replay(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def best(rounds: int, measured: Sequence[Callable[[], float]]) -> list[float]:
    """Measure each in turns; return the least of each."""
    found = [[measure() for measure in measured] for _ in range(rounds)]
    return [min(times) for times in zip(*found, strict=True)]


def against_reading(folder: Path, disputes: int, rounds: int) -> float:
    """Compare a replay (hashes, fold, decisions) with pydantic's parsing of the same lines."""
    path = folder / "one.history.jsonl"
    write_history(path, generate(disputes, 1))
    lines = [
        line for line in path.read_bytes().splitlines() if not line.startswith(b'{"type":"policy"')
    ]

    def read() -> float:
        began = process_time()
        for line in lines:
            EVENT.validate_json(line)
        return process_time() - began

    def replayed() -> float:
        began = process_time()
        for _ in replay(str(path)):
            pass
        return process_time() - began

    with rare_garbage_collection():  # as the command does; for both
        reading, replaying = best(rounds, [read, replayed])
    told = (
        f"{len(lines)} events: validate_json {reading / len(lines) * 1e6:.1f} us, replay "
        f"{replaying / len(lines) * 1e6:.1f} us per event"
    )
    sys.stdout.write(f"{told}\n")
    return replaying / reading


def memory(folder: Path, disputes: int) -> float:
    """Compare the peak memory of replaying a file and one of ten times its length."""
    peaks: list[int] = []
    for times in (1, 10):
        path = folder / f"{times}.history.jsonl"
        write_history(path, generate(disputes * times, 1))
        peaks.append(
            int(
                subprocess.run(  # noqa: S603 -- our own program
                    [sys.executable, "-c", PEAK, path], check=True, capture_output=True
                ).stdout
            )
        )
        sys.stdout.write(
            f"{path.stat().st_size / 2**20:.1f} MiB: peak {peaks[-1] / 1024:.1f} MiB\n"
        )
    return peaks[1] / peaks[0]


def against_no_pytest(folder: Path, rounds: int) -> float:
    """Compare pytest with a plain replay of 2,000 files; both with their start-up time."""
    files = folder / "cases"
    by_dispute = defaultdict(list)
    for event, policy in generate(2_000, 2):
        by_dispute[event.dispute_id].append((event, policy))
    for dispute_id, events in by_dispute.items():
        write_history(files / f"{dispute_id}.history.jsonl", events)
    with_pytest: list[str | Path] = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--rootdir",
        folder,
        "-c",
        "/dev/null",
        files,
    ]

    def took(*command: str | Path) -> float:
        began = perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=folder)  # noqa: S603 -- our own program
        return perf_counter() - began

    alone, tested = best(
        rounds, [lambda: took(sys.executable, "-c", ALONE, files), lambda: took(*with_pytest)]
    )
    sys.stdout.write(
        f"{len(by_dispute)} files: replayed {alone:.2f} s, with pytest {tested:.2f} s\n"
    )
    return tested / alone


def main() -> int:
    """Measure and compare; returns the exit code."""
    arguments = argparse.ArgumentParser(description="Measures what replaying costs.")
    arguments.add_argument(
        "--disputes", type=int, default=1_000, help="how many disputes the larger files are made of"
    )
    arguments.add_argument("--rounds", type=int, default=10, help="how often each is measured")
    asked = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with TemporaryDirectory() as name:
        folder = Path(name)
        ratios = {
            "replay / validate_json": against_reading(folder, asked.disputes, asked.rounds),
            "memory, ten times the file": memory(folder, asked.disputes),
            "pytest / replay, 2,000 files": against_no_pytest(folder, max(asked.rounds // 3, 1)),
        }
    for measured, ratio in ratios.items():
        sys.stdout.write(
            f"{'ok  ' if ratio <= BOUNDS[measured] else 'MISS'} {measured}: {ratio:.2f} (at most "
            f"{BOUNDS[measured]})\n"
        )
    return int(any(ratio > BOUNDS[measured] for measured, ratio in ratios.items()))


if __name__ == "__main__":
    sys.exit(main())
