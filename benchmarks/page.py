"""Writes the tables of docs/explanation/performance.md from what was measured, no other words.

    python -m benchmarks.page [PATH]

PATH is the JSON of `python -m benchmarks --json PATH`; by default the one that is committed.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import growth, replay
from benchmarks.measure import quantity
from tools.rules_tables import table

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "performance.md"
MEASURED = Path(__file__).with_name("measured.json")
MARKED = re.compile(r"(<!-- measured: ([a-z]+) -->\n).*?(<!-- end of \2 -->\n)", re.DOTALL)
_VERDICTS = {"MISSED": "**missed**", "not measured": "**not measured**"}
_DAY = 24 * 3_600
_REPLAYED, _WHAT_IF = (f"{name}, CPU time" for name in (replay.ONE, replay.WHAT_IF))


class Measured:
    """What was measured, by name."""

    def __init__(self, text: str) -> None:
        found = json.loads(text)
        self.machine: Mapping[str, Any] = found["machine"]
        self.sizes: Mapping[str, int] = found["sizes"]
        self.targets: Sequence[Mapping[str, Any]] = found["targets"]
        self.figures: Sequence[Mapping[str, Any]] = found["figures"]
        self.values: Mapping[str, float] = {
            figure["name"]: figure["value"] for figure in self.figures
        }

    def section(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Yield the figures of a section that are not among the targets."""
        judged = {target["name"] for target in self.targets}
        for figure in self.figures:
            if figure["section"] == name and figure["name"] not in judged:
                yield figure


def environment(it: Measured) -> str:
    """Write on what it was measured."""
    versions = ", ".join(f"{name} {found}" for name, found in it.machine["versions"].items())
    sizes = ", ".join(f"{name} {number:,}" for name, number in it.sizes.items())
    rows = [
        ("processor", f"{it.machine['cpu']}, {it.machine['cores']} cores"),
        ("system", f"{it.machine['system']}, {it.machine['python']}"),
        ("load at the beginning", str(it.machine["load"])),
        ("versions", versions),
        ("sizes", sizes),
    ]
    return table(("what", "which"), rows)


def targets(it: Measured) -> str:
    """Write the verdicts."""

    def limit(row: Mapping[str, Any], name: str) -> str:
        return f"{'≥' if row['least'] else '≤'} {_value(row, row[name])}"

    rows = [
        (
            row["name"],
            limit(row, "bound"),
            limit(row, "hope"),
            "–" if row["measured"] is None else _value(row, row["measured"]),
            _VERDICTS.get(row["verdict"], row["verdict"]),
            row["note"] or "–",
        )
        for row in it.targets
    ]
    return table(("comparison", "bound", "hope", "measured", "verdict", "note"), rows)


def _value(row: Mapping[str, Any], value: float) -> str:
    return quantity(value, row["unit"])


def decisions(it: Measured) -> str:
    """Write the times of the hot paths and of their peers, in multiples of the floor too."""
    rows = [
        (figure["name"], quantity(figure["value"], "s"), _floors(it, figure["name"]))
        for figure in it.section("decisions")
        if figure["unit"] == "s"
    ]
    return table(("work", "CPU time", "in floors"), rows)


def _floors(it: Measured, name: str) -> str:
    ratio = it.values.get(f"{name} / floor")
    return "1" if ratio is None else quantity(ratio)


def _section(name: str) -> Callable[[Measured], str]:
    def write(it: Measured) -> str:
        rows = [
            (figure["name"], quantity(figure["value"], figure["unit"]), figure["note"] or "–")
            for figure in it.section(name)
        ]
        return table(("what", "measured", "note"), rows)

    return write


def growing(it: Measured) -> str:
    """Write what replaying costs, measured as far as it was, computed beyond."""
    rows: list[tuple[str, ...]] = []
    by_name, size = it.values, it.values[replay.EVENT_BYTES]
    start = by_name[f"{growth.REPLAY} 1"]
    for power in range(8):
        number = 10**power
        took = by_name.get(f"{growth.REPLAY} {number:,}")
        peak = by_name.get(f"{growth.PEAK_MEMORY} {number:,}")
        shown = (
            f"≈ {quantity(start + number * by_name[_REPLAYED], 's')}"
            if took is None
            else quantity(took, "s")
        )
        rows.append(
            (
                f"{number:,}",
                shown,
                "as above" if peak is None else quantity(peak, "bytes"),
                quantity(number * size, "bytes"),
            )
        )
    return table(("events", "CPU time, start-up included", "memory", "file"), rows)


def billion(it: Measured) -> str:
    """Write what 10⁹ events would take, from the constants."""
    by_name, number = it.values, 10**9

    def days(name: str) -> str:
        return f"{number * by_name[name] / _DAY:,.1f} days of one core"

    rows = [
        ("replay", days(_REPLAYED), _REPLAYED),
        ("what-if", days(_WHAT_IF), _WHAT_IF),
        *(
            (what, quantity(number * by_name[name], "bytes"), name)
            for what, name in (
                ("files", replay.EVENT_BYTES),
                ("files, compressed", replay.COMPRESSED_BYTES),
                ("PostgreSQL, with indexes", "postgresql: an event in the database"),
                ("SQLite, with indexes", "sqlite: an event in the database"),
            )
        ),
        ("reading the feed once", days("postgresql: the feed, an event"), "PostgreSQL"),
    ]
    return table(("10⁹ events", "take", "computed from"), rows)


TABLES: Mapping[str, Callable[[Measured], str]] = {
    "environment": environment,
    "targets": targets,
    "decisions": decisions,
    "growing": growing,
    "billion": billion,
    **{name: _section(name) for name in ("temporal", "store", "eventsourcing", "start", "service")},
}
"""Each table by its marker."""


def page(before: str, measured: str) -> str:
    """Return the page with the tables of what was measured."""
    it = Measured(measured)
    return MARKED.sub(
        lambda match: f"{match[1]}\n{TABLES[match[2]](it).strip()}\n\n{match[3]}", before
    )


def main() -> int:
    """Write the page."""
    source = Path(sys.argv[1]) if sys.argv[1:] else MEASURED
    text = page(PAGE.read_text(encoding="utf-8"), source.read_text(encoding="utf-8"))
    PAGE.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
