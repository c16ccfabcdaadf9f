"""How time and memory grow with the number of events; what a dispute takes in memory."""

from pathlib import Path

from benchmarks.measure import Report, children_time, python
from benchmarks.replay import write_part
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_history

REPLAY, PEAK_MEMORY = "replay, events:", "peak of memory, events:"
TEN_TIMES = "memory of ten times the file / of the file"

PEAK = """
import sys
from pathlib import Path
from dispute_fsm.history.replay import replay
def peak():  # of this program alone: getrusage keeps that of the process it was forked from
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
before = peak()
for found in replay(sys.argv[1]):
    assert found.fault is None
print(before, peak())
"""
HELD = """
import gc, sys, tracemalloc
from dispute_fsm.history.reader import steps
for _ in steps(sys.argv[1]):  # all that is imported and kept once
    pass
gc.collect()
tracemalloc.start()
held = {step.after.dispute_id: step.after for step in steps(sys.argv[1])}
gc.collect()
print(tracemalloc.get_traced_memory()[0] // len(held))
"""
_KIB = 1024


def measure(report: Report, folder: Path) -> None:
    """Replay longer and longer files, each in a process of its own, with its start-up."""
    path = folder / "growing.history.jsonl"
    for power in range(len(str(report.sizes["events"]))):
        number = 10**power
        write_part(path, 1, number)
        began = children_time()
        _, peak = _peak(path)
        report.add(f"{REPLAY} {number:,}", children_time() - began, "s", "in a new process")
        report.add(f"{PEAK_MEMORY} {number:,}", peak, "bytes")
    peaks: list[int] = []
    for times in (1, 10):
        write_history(path, generate(report.sizes["disputes"] * times, 1))
        before, peak = _peak(path)
        peaks.append(peak)
        if times == 1:
            report.add("memory of a replay beyond its imports", peak - before, "bytes")
            report.add("memory of a dispute", int(python(HELD, path)), "bytes", "held, not shared")
    report.add(TEN_TIMES, peaks[1] / peaks[0])


def _peak(path: Path) -> tuple[int, int]:
    """Replay in a new process; return what it had before, and the most that it had."""
    before, peak = python(PEAK, path).split()
    return int(before) * _KIB, int(peak) * _KIB
