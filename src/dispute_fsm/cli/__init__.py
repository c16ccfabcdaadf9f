"""The command line `dispute-fsm` (extra `cli`); one module per command."""

import os
import sys
from importlib import import_module
from importlib.util import find_spec

from dispute_fsm.terminal import open_standard_streams
from dispute_fsm.version import VERSION

COMMANDS = {
    "run": "Run scenario files and report their results.",
    "options": "Show the options of the merchant at the end of a scenario or history.",
    "replay": (
        "Replay histories: check all hashes and transitions, and decide every command again."
    ),
    "show": "Show the timeline of one dispute, and its state.",
    "explain": (
        "Explain why one dispute ended so, or where it stands, and what would have changed it."
    ),
    "diagram": (
        "Draw the rules: overview, chart, decisions, options, one dispute, differences, coverage."
    ),
    "report": (
        "Write one dispute as a page: its path in the chart, its deadlines, its steps, its "
        "integrity."
    ),
    "redact": (
        "Erase the personal values of a history: what people wrote, file names and addresses."
    ),
    "generate": "Write synthetic histories as production would write them, of any size.",
    "rollout": "Preview a gradual release: who gets the newer rule version, from when, and why.",
    "verify": "Explore the state space of the rules and check their properties.",
    "sweep": "Fire every deadline that has passed. Any number of sweepers may run at once.",
    "db": "Check a database, import and export histories.",
}
"""The commands in the order of `--help`, each with the first sentence of its own help.

`--help` needs no more, so the module of a command is imported only where it is the one to run.
"""


def main() -> None:
    """Run the command line; where the extra is missing, print how to install it."""
    open_standard_streams()
    if sys.argv[1:] == ["--version"] and _print_version():
        sys.exit(0)
    if missing := [module for module in ("typer", "rich", "yaml") if find_spec(module) is None]:
        sys.stderr.write(
            f"dispute-fsm: {', '.join(missing)} is not installed; install the command line: pip "
            "install 'dispute-fsm[cli]'\n"
        )
        sys.exit(2)
    from dispute_fsm.cli.app import start  # noqa: PLC0415 -- its imports may be missing: see above

    command = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    if command in COMMANDS:
        import_module(f"dispute_fsm.cli.{command}")
    start()


def _print_version() -> bool:
    """Print the version without the application, which takes 50 times as long to import.

    False where that cannot be written: the application tries again, and reports the error. So
    nothing of it may wait in a buffer.
    """
    try:
        os.write(sys.stdout.fileno(), f"dispute-fsm {VERSION}\n".encode())
    except OSError:
        return False
    return True
