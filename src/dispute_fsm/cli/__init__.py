"""The command line `dispute-fsm` (extra `cli`); one module per command."""

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line; says what to install where the extra is missing."""
    if missing := [module for module in ("typer", "rich", "yaml") if find_spec(module) is None]:
        sys.stderr.write(f"dispute-fsm: {', '.join(missing)} is not installed; install the command line: pip install 'dispute-fsm[cli]'\n")
        sys.exit(2)
    # Imported only here, because what they need may be missing.
    from dispute_fsm.cli.app import app  # noqa: PLC0415
    from dispute_fsm.cli.options import options_command  # noqa: PLC0415
    from dispute_fsm.cli.run import run  # noqa: PLC0415

    app.command(name="run")(run)
    app.command(name="options")(options_command)
    app()
