"""The command line `dispute-fsm` (extra `cli`); one module per command."""

import sys
from importlib import import_module
from importlib.util import find_spec

from dispute_fsm.terminal import open_standard_streams

COMMANDS = (
    "run",
    "options",
    "replay",
    "show",
    "diagram",
    "report",
    "redact",
    "generate",
    "rollout",
    "verify",
    "sweep",
    "database",
)
"""The module of each command, in the order in which `--help` lists them."""


def main() -> None:
    """Run the command line; where the extra is missing, print how to install it."""
    open_standard_streams()
    if missing := [module for module in ("typer", "rich", "yaml") if find_spec(module) is None]:
        sys.stderr.write(
            f"dispute-fsm: {', '.join(missing)} is not installed; install the command line: pip "
            "install 'dispute-fsm[cli]'\n"
        )
        sys.exit(2)
    from dispute_fsm.cli.app import start  # noqa: PLC0415 -- its imports may be missing: see above

    for module in COMMANDS:
        import_module(f"dispute_fsm.cli.{module}")
    start()
