"""The score of the tests against wrong rules (`make mutants`): every small wrong version of every chart has to be noticed.

A mutation is noticed by a recorded history that is decided otherwise, a scenario that comes out
otherwise, or a property that no longer holds. Where it decides the same in every situation that can
be reached, it is no other rule: that is shown, and counted as equivalent. Anything else survives,
is printed, and makes the exit code 1: then a case is missing.
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

from dispute_fsm.rules.registry import VERSIONS, RuleVersion  # noqa: E402 -- after the path that the next line needs
from tests.killers import EQUIVALENT, killer, of_histories, of_scenarios, prepared  # noqa: E402
from tools.mutations import Mutation, mutations  # noqa: E402

_ALL: list[tuple[RuleVersion, Mutation]] = []
"""Every mutation with its version; the processes that share the work inherit it."""


def main() -> int:
    """Put every mutation before everything that may notice it, and print the score."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rules", choices=VERSIONS, help="only this version")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    began = time.monotonic()
    for version in VERSIONS.values():
        if asked.rules in {None, version.id}:
            _ALL.extend((version, mutation) for mutation in mutations(version))
            sizes = [
                sum(map(len, found(version.id).values())) for found in (of_histories, of_scenarios)
            ]
            sizes.append(sum(map(len, prepared(version).values())))
            sys.stdout.write(
                "{}: {} recorded decisions, {} of scenarios, {} explored\n".format(
                    version.id, *sizes
                )
            )
            sys.stdout.flush()
    gc.freeze()  # what the processes share is not looked through again by each
    with multiprocessing.get_context("fork").Pool(asked.jobs) as pool:
        noticed = pool.map(_noticed, range(len(_ALL)), chunksize=20)
    survivors = 0
    for version in dict.fromkeys(version for version, _ in _ALL):
        found = [
            (mutation, by)
            for (of, mutation), by in zip(_ALL, noticed, strict=True)
            if of is version
        ]
        survivors += _report(version, found)
    sys.stdout.write(f"{time.monotonic() - began:.0f} s\n")
    return 1 if survivors else 0


def _noticed(number: int) -> str | None:
    version, mutation = _ALL[number]
    return killer(mutation, version)


def _report(version: RuleVersion, found: list[tuple[Mutation, str | None]]) -> int:
    by = Counter(by for _, by in found)
    kinds = Counter(mutation.kind for mutation, _ in found)
    alive = [mutation for mutation, by in found if by is None]
    killed = len(found) - by[EQUIVALENT] - len(alive)
    score = 1000 * killed // max(1, len(found) - by[EQUIVALENT]) / 10  # rounded down: 100 % is all
    sys.stdout.write(
        f"{version.id}: {len(found)} mutations, {by[EQUIVALENT]} shown equivalent, {killed} "
        f"noticed, {len(alive)} survive: {score:.1f} %\n"
        "  noticed by: "
        f"{', '.join(f'{name} {number}' for name, number in by.most_common() if name not in {None, EQUIVALENT})}\n"
        f"  made: {', '.join(f'{name} {number}' for name, number in kinds.most_common())}\n"
    )
    for mutation in alive:
        sys.stdout.write(f"  SURVIVES {mutation.kind}: {mutation.what}\n")
    return len(alive)


if __name__ == "__main__":
    sys.exit(main())
