"""The mutation score of the tests (`make mutants`): they must notice every wrong version.

A mutation is noticed by a recorded history or a scenario that is decided differently, or by a
violated property. A mutation that decides the same in every reachable situation is no change of the
rules: that is shown, and counted as equivalent. Any other mutation survives, is printed, and makes
the exit code 1: then a test case is missing.
"""

import argparse
import gc
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path

import structlog

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from dispute_fsm.rules.registry import VERSIONS, RuleVersion  # noqa: E402 -- after the path, which the next line needs
from tests.killers import EQUIVALENT, killer, of_histories, of_scenarios, prepared  # noqa: E402
from tools.mutations import Mutation, mutations  # noqa: E402

_ALL: list[tuple[RuleVersion, Mutation]] = []
"""Every mutation with its version; the worker processes inherit it."""


def main() -> int:
    """Test every mutation, and print the score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", choices=VERSIONS, help="only this version")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    began = time.monotonic()
    versions = [VERSIONS[id_] for id_ in VERSIONS if arguments.rules in {None, id_}]
    for version in versions:
        _ALL.extend((version, mutation) for mutation in mutations(version))
        known = (of_histories(version.id), of_scenarios(version.id), prepared(version))
        sizes = [sum(map(len, cells.values())) for cells in known]
        text = "{}: {} recorded decisions, {} in scenarios, {} explored\n"
        sys.stdout.write(text.format(version.id, *sizes))
        sys.stdout.flush()
    gc.freeze()  # the workers need not collect what they share
    with multiprocessing.get_context("fork").Pool(arguments.jobs) as pool:
        killers = pool.map(_killer, range(len(_ALL)), chunksize=20)
    survivors = 0
    for version in versions:
        survivors += _report(
            version,
            [
                (mutation, by)
                for (mutated, mutation), by in zip(_ALL, killers, strict=True)
                if mutated is version
            ],
        )
    sys.stdout.write(f"{time.monotonic() - began:.0f} s\n")
    return 1 if survivors else 0


def _killer(number: int) -> str | None:
    version, mutation = _ALL[number]
    return killer(mutation, version)


def _report(version: RuleVersion, results: list[tuple[Mutation, str | None]]) -> int:
    """Print the score of a version, and return the number of survivors."""
    survivors = [mutation for mutation, by in results if by is None]
    by_killer = Counter(by for _, by in results if by is not None)
    by_kind = Counter(mutation.kind for mutation, _ in results)
    equivalent = by_killer.pop(EQUIVALENT, 0)
    killed = by_killer.total()
    score = 1000 * killed // max(1, len(results) - equivalent) / 10  # rounded down: 100 % is all
    lines = [
        f"{version.id}: {len(results)} mutations, {equivalent} equivalent",
        f"  {killed} noticed, {len(survivors)} survive: {score:.1f} %",
        f"  noticed by: {', '.join(f'{by} {count}' for by, count in by_killer.most_common())}",
        f"  made: {', '.join(f'{kind} {count}' for kind, count in by_kind.most_common())}",
        *(f"  SURVIVES {mutation.kind}: {mutation.what}" for mutation in survivors),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return len(survivors)


if __name__ == "__main__":
    sys.exit(main())
