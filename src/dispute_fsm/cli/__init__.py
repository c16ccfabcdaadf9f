"""The command line `dispute-fsm` (extra `cli`); one module per command."""

import os
import sys
from importlib.util import find_spec

from dispute_fsm.terminal import open_standard_streams
from dispute_fsm.version import VERSION

GROUPS = {
    "Rules": {
        "run": "Run scenario files and check how each dispute ends.",
        "diagram": "Draw the rules, one dispute, or how two versions differ.",
        "verify": "Explore the state space of the rules and check properties.",
        "rollout": "Preview a gradual release: which merchant gets which version.",
    },
    "One dispute": {
        "options": "Show the merchant's options, and what would unlock them.",
        "show": "Show the timeline of a dispute and its state.",
        "explain": "Explain why a dispute ended so, and what would change it.",
        "report": "Write a dispute as a page, or as a letter to the merchant.",
    },
    "Many disputes": {
        "replay": "Check histories, and decide them again under any rules.",
        "redact": "Erase the personal data of a history, and replace ids.",
        "generate": "Write synthetic histories as production would write them.",
    },
    "Service": {
        "sweep": "Fire every deadline that has passed, once or continuously.",
        "db": "Check a database, import and export histories.",
    },
}
"""The commands as `--help` shows them, each with the first sentence of its own help.

`--help` needs no more, so the module of a command is imported only where it is the one to run.
"""

COMMANDS = {name: summary for group in GROUPS.values() for name, summary in group.items()}
"""The commands with their summaries."""


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
    try:
        from dispute_fsm.cli.app import start  # noqa: PLC0415 -- its imports may be missing: see above

        start()
    except KeyboardInterrupt:  # as a shell reports a program that Ctrl-C has ended
        sys.exit(130)


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
