"""What a replay costs: of many files in one process and two, against parsing, under pytest."""

import gzip
import os
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from time import perf_counter

from benchmarks.measure import Report, Work, interleaved, python, run
from dispute_fsm.domain.policy import Policy
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.replay import rare_garbage_collection, replay
from dispute_fsm.history.what_if import Question

ONE, TWO = "an event replayed, one process", "an event replayed, two processes"
WHAT_IF = "an event replayed with a what-if, one process"
WHAT_IF_TWO = "an event replayed with a what-if, two processes"
EVENT_BYTES, COMPRESSED_BYTES = "an event in a file", "an event in a file, gzip"
TWO_PROCESSES = "replay with two processes / with one"
AGAINST_PYTEST = "2,000 files with pytest / without"
_PART = 20_000
"""Events in a file of many: replaying one is a job."""

ALONE = """
import sys
from pathlib import Path
from dispute_fsm.history.replay import replay
for file in sorted(Path(sys.argv[1]).iterdir()):
    for found in replay(str(file)):
        assert found.sound
"""


def write_part(file: Path, seed: int, events: int) -> None:
    """Generate a history of so many events; its last disputes may still be open."""
    write_history(file, islice(generate(events, seed), events))


def replay_file(file: str) -> int:
    """Replay a file, as one job of many; returns how many events it has."""
    with rare_garbage_collection():
        return _sound(file, None)


def what_if_file(file: str) -> int:
    """Replay a file and ask of each dispute how it ends where silence is no consent."""
    with rare_garbage_collection():
        return _sound(file, Question(policy=_silence_denies))


def _silence_denies(policy: Policy) -> Policy:
    return policy.lay_over({"silence": "denial"})


def _sound(file: str, question: Question | None) -> int:
    events = 0
    for result in replay(file, question):
        assert getattr(result, "sound", False), result  # noqa: S101 -- else it measures nothing
        events += getattr(result, "events", 0)
    return events


def measure(report: Report, folder: Path) -> None:
    """Measure all of it."""
    _many_files(report, folder)
    _against_pytest(report, folder)


def _many_files(report: Report, folder: Path) -> None:
    events = report.sizes["events"]
    parts = max(4, events // _PART)
    files = [folder / f"part-{number}.history.jsonl" for number in range(parts)]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(write_part, files, range(parts), [events // parts] * parts))
        names = list(map(str, files))
        works: dict[str, Work] = {
            ONE: lambda _turn: sum(map(replay_file, names)),
            TWO: lambda _turn: sum(pool.map(replay_file, names)),
            WHAT_IF: lambda _turn: sum(map(what_if_file, names)),
            WHAT_IF_TWO: lambda _turn: sum(pool.map(what_if_file, names)),
        }
        large = events > 10 * _PART
        samples = interleaved(works, 1 if large else 2, perf_counter, warm=not large)
    part = files[0].read_bytes()
    report.add(EVENT_BYTES, len(part) / (events // parts), "bytes")
    report.add(COMPRESSED_BYTES, len(gzip.compress(part)) / (events // parts), "bytes")
    report.add("events in many files", events, note=f"{parts} files, by the clock")
    for name in works:
        report.add(f"{name}, by the clock", samples.median(name), "s")
    for name in (ONE, WHAT_IF):
        report.add(f"{name}, CPU time", samples.cpu_median(name), "s")
    load = f"by the clock; the load was {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    report.add(TWO_PROCESSES, samples.ratio(TWO, ONE), note=load)
    report.add("what-if with two processes / with one", samples.ratio(WHAT_IF_TWO, WHAT_IF))
    for file in files:
        file.unlink()


def _against_pytest(report: Report, folder: Path) -> None:
    """Compare pytest with a plain replay of 2,000 files; both with their start-up time."""
    files = folder / "cases"
    by_dispute = defaultdict(list)
    for event, policy in generate(2_000, 2):
        by_dispute[event.dispute_id].append((event, policy))
    for dispute_id, events in by_dispute.items():
        write_history(files / f"{dispute_id}.history.jsonl", events)
    options = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir"]

    def alone(_turn: int) -> int:
        python(ALONE, files)
        return 2_000

    def with_pytest(_turn: int) -> int:
        run(sys.executable, *options, folder, files, cwd=folder)
        return 2_000

    rounds = max(1, report.sizes["rounds"] // 7)
    samples = interleaved({"alone": alone, "pytest": with_pytest}, rounds, perf_counter)
    report.add(AGAINST_PYTEST, samples.ratio("pytest", "alone"), note="start-up included")
