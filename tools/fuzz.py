"""Coverage-guided fuzzing of every parser (`make fuzz`), with atheris.

Each parser is fuzzed in its own process. A crash (any exception but the documented one) is printed
with its input, and the exit code is 1. The result is the number of inputs, and how many of them
passed the YAML or JSON layer.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_SEEDS = 30
"""How many seeds are used: instrumented code is slow, and all seeds would use up the time."""
INPUTS_PER_REPORT = 10
PARSERS = ("scenario", "history", "policy", "rollout")


def main() -> int:
    """Fuzz the parsers one after the other, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="how long for each parser")
    parser.add_argument("--parser", choices=PARSERS, help="only this one")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker is not None:
        fuzz(arguments.parser, arguments.seconds, arguments.worker)
    failed = 0
    for name in PARSERS if arguments.parser is None else (arguments.parser,):
        with tempfile.TemporaryDirectory() as folder:
            report, options = Path(folder) / "tally.json", ["--seconds", str(arguments.seconds)]
            done = subprocess.run(  # noqa: S603 -- this script
                [sys.executable, __file__, "--parser", name, *options, "--worker", str(report)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
            tally = json.loads(report.read_text()) if report.exists() else {}
        crashed = "" if done.returncode == 0 else " CRASHED"
        sys.stdout.write(f"{name}: {json.dumps(tally)}{crashed}\n")
        if crashed or not tally.get("past"):
            failed += 1
            sys.stdout.write(done.stderr[-4000:] + done.stdout[-4000:] + "\n")
        sys.stdout.flush()
    return 1 if failed else 0


def fuzz(name: str, seconds: int, report: Path) -> None:
    """Fuzz one parser; as libFuzzer ends the process, the tally is written again and again."""
    import atheris  # type: ignore[import-untyped]  # noqa: PLC0415 -- it has no types; needed only here

    parsers = ("documents", "history", "rules", "scenarios")
    with atheris.instrument_imports(include=[f"dispute_fsm.{folder}" for folder in parsers]):
        from tests.fuzzing import TARGETS, Tally  # noqa: PLC0415 -- what is imported here is instrumented
    target, tally = TARGETS[name], Tally()

    def run_one(data: bytes) -> None:
        target.try_out(data, tally)
        if tally.tried % INPUTS_PER_REPORT == 0:
            report.write_text(json.dumps(asdict(tally)))

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)  # noqa: S311 -- libFuzzer gives the seed
        start = data if data.strip() else chance.choice(target.seeds)
        return (
            target.change(start, chance)[:max_size]
            if chance.randrange(10)
            else atheris.Mutate(start, max_size)
        )

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(target.seeds[:: max(1, len(target.seeds) // MOST_SEEDS)]):
            (Path(folder) / f"{number}").write_bytes(seed)
        options = (f"max_total_time={seconds}", "seed=1", "max_len=20000", "verbosity=0")
        arguments = [sys.argv[0], *(f"-{option}" for option in options), folder]
        atheris.Setup(arguments, run_one, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
