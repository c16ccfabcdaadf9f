"""The command line `dispute-fsm` (extra `cli`); one module per command."""

import sys
from importlib.util import find_spec

from dispute_fsm.cli.streams import open_standard_streams


def main() -> None:
    """Run the command line; says what to install where the extra is missing."""
    open_standard_streams()
    if missing := [module for module in ("typer", "rich", "yaml") if find_spec(module) is None]:
        sys.stderr.write(
            f"dispute-fsm: {', '.join(missing)} is not installed; install the command line: pip "
            "install 'dispute-fsm[cli]'\n"
        )
        sys.exit(2)
    from dispute_fsm.cli.app import start  # noqa: PLC0415 -- what it imports may be missing, and then the lines above say so
    from dispute_fsm.cli.commands import app  # noqa: PLC0415 -- likewise: it imports every command, and with them rich and yaml

    start(app)
