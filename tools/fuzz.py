"""Coverage-guided fuzzing of every parser (`make fuzz`): atheris steers by what of the package an input reaches.

Each parser is fuzzed in a process of its own for some seconds. A crash (any exception but the
documented one) is shown with the input, and the exit code is 1. At the end stands how many inputs
were tried, and how many got past the YAML or JSON layer.
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
MOST_SEEDS = (
    30  # what atheris watches is slow: with all of them, time would be up before the first change
)
TOLD_EACH = 10
PARSERS = ("scenario", "history", "policy", "rollout")


def main() -> int:
    """Fuzz the parsers one after the other and print what came of it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=20, help="how long for each parser")
    arguments.add_argument("--parser", choices=PARSERS, help="only this one")
    arguments.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.worker is not None:
        fuzz(asked.parser, asked.seconds, asked.worker)
    crashed = 0
    for name in PARSERS if asked.parser is None else (asked.parser,):
        with tempfile.TemporaryDirectory() as folder:
            told = Path(folder) / "tally.json"
            command = [
                sys.executable,
                __file__,
                "--parser",
                name,
                "--seconds",
                str(asked.seconds),
                "--worker",
                str(told),
            ]
            done = subprocess.run(  # noqa: S603 -- ourselves
                command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False
            )
            tally = json.loads(told.read_text()) if told.exists() else {}
        sys.stdout.write(
            f"{name}: {json.dumps(tally)}{'' if done.returncode == 0 else ' CRASHED'}\n"
        )
        sys.stdout.flush()
        if done.returncode or not tally.get("past"):
            crashed += 1
            sys.stdout.write(done.stderr[-4000:] + done.stdout[-4000:] + "\n")
    return 1 if crashed else 0


def fuzz(name: str, seconds: int, told: Path) -> None:
    """Fuzz one parser until time is up; libFuzzer ends the process, so the tally is written on the way."""
    import atheris  # type: ignore[import-untyped]  # noqa: PLC0415 -- it has no types; needed only here

    with atheris.instrument_imports(
        include=[f"dispute_fsm.{name}" for name in ("documents", "history", "rules", "scenario")]
    ):
        from tests.fuzzing import TARGETS, Tally  # noqa: PLC0415 -- what is imported here is instrumented
    target, tally = TARGETS[name], Tally()

    def one(data: bytes) -> None:
        target.try_out(data, tally)
        if tally.tried % TOLD_EACH == 0:
            told.write_text(json.dumps(asdict(tally)))

    def changed(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)  # noqa: S311 -- libFuzzer gives the seed
        begin = data if data.strip() else chance.choice(target.seeds)
        return (
            target.change(begin, chance)[:max_size]
            if chance.randrange(10)
            else atheris.Mutate(begin, max_size)
        )

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(target.seeds[:: max(1, len(target.seeds) // MOST_SEEDS)]):
            (Path(folder) / f"{number}").write_bytes(seed)
        atheris.Setup(
            [
                sys.argv[0],
                f"-max_total_time={seconds}",
                "-seed=1",
                "-max_len=20000",
                "-verbosity=0",
                folder,
            ],
            one,
            custom_mutator=changed,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
