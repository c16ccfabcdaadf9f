"""The application: its exit codes, its own options, its consoles, and how it ends.

The help of the application needs this module only, so it imports nothing that decides.
"""

import logging
import os
import sys
from enum import IntEnum
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

import dispute_fsm
from dispute_fsm.cli import COMMANDS
from dispute_fsm.errors import InputError
from dispute_fsm.terminal import REPLACE, printable
from dispute_fsm.version import VERSION


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    FAILED = 1
    INVALID_INPUT = 2
    UNAVAILABLE = 3
    BROKEN_PIPE = 141
    """The reader of the results has closed the pipe; other tools end by SIGPIPE."""


# ---- consoles ------------------------------------------------------------------------------------

console = Console(highlight=False, emoji=False)
"""Standard output, for results."""
error_console = Console(stderr=True, highlight=False, emoji=False)
"""Standard error, for errors and progress."""


def print_error(error: object) -> None:
    """Print an error to standard error."""
    if isinstance(error, OSError) and error.filename:
        error = f"{error.filename}: {error.strerror}"
    print_note(f"dispute-fsm: {error}", "red")


def print_note(line: str, style: str = "") -> None:
    """Print a line to standard error as it is: no markup, no wrapping."""
    error_console.print(Text(printable(line), style=style), soft_wrap=True)


# ---- the application -----------------------------------------------------------------------------

_SUMMARY, _, _ = (dispute_fsm.__doc__ or "").partition("\n")
_EXAMPLE = "Example: dispute-fsm run examples/"

app = typer.Typer(
    name="dispute-fsm",
    help=f"{_SUMMARY}\n\n{_EXAMPLE}\n",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _not_imported() -> NoReturn:
    """Stand for a command of which `--help` needs no more than the name and the summary."""
    raise NotImplementedError


for _name, _help in COMMANDS.items():
    app.command(_name, help=_help)(_not_imported)  # the module of the command declares it again


def _version(show: bool) -> None:
    if show:
        typer.echo(f"dispute-fsm {VERSION}")
        raise typer.Exit


@app.callback()
def _common(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log every decision to standard error.")
    ] = False,
    _show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Run, check and explain disputes."""
    import structlog  # noqa: PLC0415 -- `--help` and `--version` log nothing

    # The command line is a host like any other: it configures where the package's log lines go.
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.LogfmtRenderer(key_order=["level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.INFO if verbose else logging.ERROR
        ),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def start() -> NoReturn:
    """Run what the command line asks for and end with its exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors=REPLACE)
    try:
        try:
            app()
        finally:
            console.file.flush()
    except (InputError, OSError, SystemExit) as end:
        # Some libraries turn a closed pipe into an exit.
        error = end.__context__ if isinstance(end, SystemExit) else end
        broken_pipe = isinstance(error, BrokenPipeError)
        if isinstance(end, SystemExit) and not broken_pipe:
            raise
        if isinstance(sys.stdout, TextIOWrapper):  # Python flushes once more, which must not fail
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not broken_pipe:
            print_error(error)
        sys.exit(Exit.BROKEN_PIPE if broken_pipe else Exit.INVALID_INPUT)
    sys.exit(Exit.OK)
