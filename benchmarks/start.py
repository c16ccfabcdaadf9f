"""What it costs to start: the command line, the imports, a first decision; and a chart as PNG.

CPU time of whole processes, with everything that Python does before it.
"""

import sys
from pathlib import Path

from benchmarks.measure import Report, Work, children_time, interleaved, python, run

NOTHING = "python -c pass"
VERSION = "dispute-fsm --version"
HELP = "dispute-fsm --help"
LIBRARIES = "import statemachine, pydantic, structlog"
IMPORT = "import dispute_fsm"
FIRST = "import and a first decision"
PNG = "the chart as PNG"

DECIDES = """
from dispute_fsm import Disputes, InMemoryOrderSystem, merchant
disputes = Disputes(InMemoryOrderSystem({"O-1": {"paid_at": "2023-03-25T09:00:00+08:00"}}))
whose = {"dispute_id": "D-1", "order_id": "O-1", "merchant_id": "M-1", "consumer_id": "C-1"}
opened = disputes.open(**whose, at="2023-03-28T10:00:00+08:00")
chosen = disputes.send(opened.dispute, "choose_option", option="out_of_stock_refund",
    by=merchant("M-1"), at="2023-03-28T11:00:00+08:00")
assert chosen.accepted
"""
_QUIET = """
import logging, structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
"""


def measure(report: Report, folder: Path) -> None:
    """Start each in turns."""
    command = Path(sys.executable).with_name("dispute-fsm")

    def started(*words: str | Path) -> Work:
        def work(_turn: int) -> int:
            run(*words)
            return 1

        return work

    def imported(program: str) -> Work:
        def work(_turn: int) -> int:
            python(program)
            return 1

        return work

    works = {
        NOTHING: imported("pass"),
        VERSION: started(command, "--version"),
        HELP: started(command, "--help"),
        LIBRARIES: imported("import statemachine, pydantic, structlog"),
        IMPORT: imported("import dispute_fsm"),
        FIRST: imported(_QUIET + DECIDES),
    }
    samples = interleaved(works, report.sizes["rounds"], children_time)
    for name in works:
        report.add(name, samples.median(name), "s")
    report.add(f"{VERSION} / {NOTHING}", samples.ratio(VERSION, NOTHING))
    report.add(f"{HELP} / {NOTHING}", samples.ratio(HELP, NOTHING))
    report.add(f"{FIRST} / {LIBRARIES}", samples.ratio(FIRST, LIBRARIES))
    drawn = started(command, "diagram", "-o", folder / "chart.png")
    samples = interleaved({PNG: drawn}, max(1, report.sizes["rounds"] // 5), children_time)
    report.add(PNG, samples.median(PNG), "s")
