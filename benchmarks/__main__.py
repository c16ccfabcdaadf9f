"""Measures everything side by side, and compares it with its targets.

    python -m benchmarks [--only SECTION ...] [--quick | --full] [--json PATH]

Prints each value as it comes, then a table of verdicts. Exit code 1 where a bound is missed
or was not measured. PostgreSQL is the one at DISPUTE_FSM_TEST_POSTGRES.
"""

import argparse
import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import structlog

from benchmarks.measure import Report, machine, quantity
from benchmarks.targets import SECTIONS

MODULES: Mapping[str, str] = {
    "temporal": "benchmarks.peers.temporal",
    "eventsourcing": "benchmarks.peers.event_sourcing",
}
"""The modules that have another name than their section."""

SIZES: Mapping[str, tuple[int, int, int]] = {
    "rounds": (5, 15, 15),
    "disputes": (100, 1_000, 1_000),
    "events": (8_000, 40_000, 1_000_000),
    "commands": (100, 500, 500),
    "imported": (100, 1_000, 1_000),
    "overdue": (200, 2_000, 100_000),
    "pairs": (200, 400, 1_000),
    "feed": (2_000, 20_000, 1_000_000),
    "rows": (20_000, 200_000, 1_000_000),
}
"""How much is measured: with `--quick`, by default, with `--full`."""


def main() -> int:
    """Measure and compare; returns the exit code."""
    asked = _arguments()
    column = 0 if asked.quick else 2 if asked.full else 1
    sizes = {name: getattr(asked, name) or row[column] for name, row in SIZES.items()}
    sections: list[str] = asked.only or list(SECTIONS)
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=True)  # as a host does
    targets = {name: target for rows in SECTIONS.values() for name, target in rows.items()}
    report, described = Report(targets, sizes), machine()
    sys.stdout.write(f"{json.dumps(described, ensure_ascii=False, indent=2)}\n")
    with TemporaryDirectory() as name:
        for section in sections:
            report.section, began = section, perf_counter()
            sys.stdout.write(f"{section}\n")
            folder = Path(name) / section
            folder.mkdir()
            import_module(MODULES.get(section, f"benchmarks.{section}")).measure(report, folder)
            sys.stdout.write(f"  ({perf_counter() - began:.0f} s)\n")
    verdicts = report.verdicts([name for section in sections for name in SECTIONS[section]])
    sys.stdout.writelines(_table(verdicts))
    if asked.json is not None:
        figures = [asdict(figure) for figure in report.figures]
        written = {"machine": described, "sizes": sizes, "targets": verdicts, "figures": figures}
        text = json.dumps(written, ensure_ascii=False, indent=1)
        Path(asked.json).write_text(f"{text}\n", encoding="utf-8")
    return int(any(row["verdict"] in {"MISSED", "not measured"} for row in verdicts))


def _arguments() -> Any:  # noqa: ANN401 -- argparse's
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measures everything side by side."
    )
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), metavar="SECTION")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="less of everything, in two minutes")
    size.add_argument("--full", action="store_true", help="a million events, in an hour and more")
    parser.add_argument("--json", metavar="PATH", help="write what was measured there too")
    for name, row in SIZES.items():
        words = "how many; {} with --quick, {} by default, {} with --full".format(*row)
        parser.add_argument(f"--{name}", type=int, metavar="N", help=words)
    return parser.parse_args()


def _table(verdicts: list[dict[str, Any]]) -> list[str]:
    """Lay out the verdicts."""
    rows = [("bound", "hope", "measured", "verdict", "comparison")]
    for row in verdicts:
        unit, sign = row["unit"], "≥" if row["least"] else "≤"
        measured = "" if row["measured"] is None else quantity(row["measured"], unit)
        bound, hope = quantity(row["bound"], unit), quantity(row["hope"], unit)
        rows.append((f"{sign} {bound}", hope, measured, row["verdict"], row["name"]))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        + f"  {row[-1]}\n"
        for row in rows
    ]


if __name__ == "__main__":
    sys.exit(main())
