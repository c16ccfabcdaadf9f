"""The application: its exit codes, its own options, its consoles, and how it ends.

The help of the application needs this module only, so it imports nothing that decides.
"""

import logging
import os
import sys
from enum import IntEnum
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text
from typer.main import get_group

import dispute_fsm
from dispute_fsm.cli import COMMANDS, GROUPS
from dispute_fsm.cli.help import CliGroup, usage_error
from dispute_fsm.errors import (
    DisputeError,
    OrderSystemUnavailableError,
    StoreInvalidError,
    StoreUnavailableError,
)
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


class Application(CliGroup):
    """The commands, of which a module is imported only where it is the one to run."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 -- Typer's type is private
        """Find the command that is named first, for a run or for completion in a shell."""
        if (name := args[0]) in COMMANDS:
            import_module(f"dispute_fsm.cli.{name}")  # declares the command again
            self.commands[name] = get_group(app).commands[name]
        return super().resolve_command(ctx, args)


_SUMMARY, _, _ = (dispute_fsm.__doc__ or "").partition("\n")
_HELP = f"""
{_SUMMARY}

Example:
  dispute-fsm run examples/

dispute-fsm COMMAND --help has the options of a command, and examples.
"""

app = typer.Typer(
    name="dispute-fsm",
    cls=Application,
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _not_imported() -> NoReturn:
    """Stand for a command of which `--help` needs no more than the name and the summary."""
    raise NotImplementedError


for _group, _commands in GROUPS.items():
    for _name, _summary in _commands.items():
        app.command(_name, short_help=_summary, rich_help_panel=_group)(_not_imported)


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
            code = app(standalone_mode=False)
        finally:
            console.file.flush()
    except typer.TyperException as error:
        if error.format_message():  # else no command was given, and the help is shown
            print_error(usage_error(error))
        code = Exit.INVALID_INPUT
    except (DisputeError, OSError, SystemExit) as end:
        code = _code(end)
    sys.exit(code or Exit.OK)


def _code(end: DisputeError | OSError | SystemExit) -> int:
    """Print the error that ended a command, and return the exit code."""
    # Some libraries turn a closed pipe into an exit.
    error = end.__context__ if isinstance(end, SystemExit) else end
    broken_pipe = isinstance(error, BrokenPipeError)
    if isinstance(end, SystemExit) and not broken_pipe:
        raise end
    lost = isinstance(error, OSError) and error.filename is None  # standard output was
    if lost and isinstance(sys.stdout, TextIOWrapper):  # Python flushes it once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if broken_pipe:
        return Exit.BROKEN_PIPE
    print_error(error)
    unavailable = (OrderSystemUnavailableError, StoreUnavailableError, StoreInvalidError)
    return Exit.UNAVAILABLE if isinstance(error, unavailable) else Exit.INVALID_INPUT
