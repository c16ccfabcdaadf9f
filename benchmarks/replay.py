"""What a replay costs: of many files, in one process and in two, and under pytest."""

import gzip
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from time import perf_counter

from benchmarks.measure import Report, Work, interleaved, python, run
from dispute_fsm.domain.policy import Policy
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.replay import Replayed, rare_garbage_collection
from dispute_fsm.history.replay_files import replay_files
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


def replayed(files: Sequence[Path], jobs: int, question: Question | None = None) -> int:
    """Replay files as the command does; returns how many events they have."""
    events = 0
    with (
        rare_garbage_collection(),
        replay_files(list(map(str, files)), question, jobs) as results,
    ):
        for result in results:
            assert isinstance(result, Replayed), result  # noqa: S101 -- else it measures nothing
            assert result.sound, result  # noqa: S101 -- the same
            events += result.events
    return events


def _silence_denies(policy: Policy) -> Policy:
    return policy.lay_over({"silence": "denial"})


SILENCE = Question(policy=_silence_denies)
"""How would each dispute have ended if silence were no consent?"""


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
    works: dict[str, Work] = {
        ONE: lambda _turn: replayed(files, 1),
        TWO: lambda _turn: replayed(files, 2),
    }
    asking: dict[str, Work] = {
        WHAT_IF: lambda _turn: replayed(files, 1, SILENCE),
        WHAT_IF_TWO: lambda _turn: replayed(files, 2, SILENCE),
    }
    samples = interleaved(works, 1 if events > 10 * _PART else 2, perf_counter, warm=False)
    asked = interleaved(asking, 1, perf_counter, warm=False)
    part = files[0].read_bytes()
    report.add(EVENT_BYTES, len(part) / (events // parts), "bytes")
    report.add(COMPRESSED_BYTES, len(gzip.compress(part)) / (events // parts), "bytes")
    report.add("events in many files", events, note=f"{parts} files, by the clock")
    for measured, single, double in ((samples, ONE, TWO), (asked, WHAT_IF, WHAT_IF_TWO)):
        report.add(f"{single}, by the clock", measured.median(single), "s")
        report.add(f"{double}, by the clock", measured.median(double), "s")
        report.add(f"{single}, CPU time", measured.cpu_median(single), "s")
    load = f"by the clock; the load was {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    report.add(TWO_PROCESSES, samples.ratio(TWO, ONE), note=load)
    report.add("what-if with two processes / with one", asked.ratio(WHAT_IF_TWO, WHAT_IF))
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
