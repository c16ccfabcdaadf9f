"""What all commands share: the application, exit codes, languages, where logs and errors go."""

import json
import logging
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from functools import wraps
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Annotated, NoReturn, ParamSpec

import structlog
import typer
from rich.console import Console
from rich.text import Text

from dispute_fsm.errors import DisputeError, OrderSystemUnavailableError, StoreInvalidError, StoreUnavailableError
from dispute_fsm.history.write import whole_file
from dispute_fsm.rules.vocabulary import Lang
from dispute_fsm.terminal import STAND_INS, default_lang, printable
from dispute_fsm.version import VERSION

P = ParamSpec("P")

app = typer.Typer(
    name="dispute-fsm",
    help="Disputes about parcels that do not move (催单), as explicit state machines.\n\nExample: dispute-fsm run examples/",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
output = Console(highlight=False, emoji=False)
"""Results, for people: what a command prints is what it is for. (structlog has the log lines, on standard error.)"""
errors = Console(stderr=True, highlight=False, emoji=False)
"""Progress, logs and errors."""


class Exit(IntEnum):
    """What an exit code says."""

    WELL = 0
    FELL_SHORT = 1
    BAD_INPUT = 2
    UNREACHABLE = 3
    UNREAD = 141
    """Whoever read the results has seen enough: as other tools end, by SIGPIPE."""


class LangChoice(StrEnum):
    """The languages of texts."""

    ZH = "zh"
    EN = "en"


LANG = LangChoice(default_lang())
LangOption = Annotated[LangChoice, typer.Option("--lang", help="Language of texts; default: the terminal's.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, one object a line, for programs.")]


def as_lang(choice: LangChoice) -> Lang:
    """Turn the option's value into the package's own word."""
    return "zh" if choice is LangChoice.ZH else "en"


def say(line: str, style: str | None = None) -> None:
    """Write a line of a result as it stands: without markup, without what plays tricks on a terminal, not wrapped, for it may be copied."""
    output.print(printable(line), style=style, markup=False, soft_wrap=True)


def reported(command: Callable[P, Exit]) -> Callable[P, None]:
    """Turn a command's result, and the errors that people can do something about, into an exit code and a line on stderr."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except (OrderSystemUnavailableError, StoreUnavailableError, StoreInvalidError) as fault:
            complain(fault)
            code = Exit.UNREACHABLE
        except BrokenPipeError:  # whoever read the results has seen enough
            raise
        except (DisputeError, OSError) as fault:
            complain(fault)
            code = Exit.BAD_INPUT
        raise typer.Exit(code)

    return run


def emit(record: object) -> None:
    """Write a result for programs: one JSON object on a line, in UTF-8 whatever the terminal takes."""
    line = json.dumps(record, ensure_ascii=False) + "\n"
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.flush()
        sys.stdout.buffer.write(line.encode())
        sys.stdout.buffer.flush()
    else:
        sys.stdout.write(line)


@contextmanager
def written(to: Path) -> Generator[IO[str]]:
    """Open what is written to: a file that appears whole or not at all, or standard output."""
    if to != Path("-"):
        with whole_file(to) as stream:
            yield stream
        return
    if isinstance(sys.stdout, TextIOWrapper):  # the bytes of a history file, whatever the terminal takes
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    yield sys.stdout


def complain(fault: object) -> None:
    """Write an error for a person to standard error, as it is: no markup, no wrapping."""
    said = f"{fault.filename}: {fault.strerror}" if isinstance(fault, OSError) and fault.filename else fault
    errors.print(Text(f"dispute-fsm: {printable(str(said))}", style="red"), soft_wrap=True)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dispute-fsm {VERSION}")
        raise typer.Exit


@app.callback()
def _common(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every decision to standard error.")] = False,
    _asked: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and end.")] = False,
) -> None:
    """Run, check and explain disputes."""
    # The command line is a host like any other: it says where the package's log lines go.
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.LogfmtRenderer(key_order=["level", "event"])],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO if verbose else logging.ERROR),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def start(application: Callable[[], object]) -> NoReturn:
    """Run what the command line asks for and end with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that cannot write a sign shows another, no traceback
            stream.reconfigure(errors=STAND_INS)
    try:
        try:
            application()
        finally:
            output.file.flush()
    except (OSError, SystemExit) as end:
        fault = end.__context__ if isinstance(end, SystemExit) else end  # some libraries make an exit of a closed pipe
        unread = isinstance(fault, BrokenPipeError)
        if isinstance(end, SystemExit) and not unread:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python empties its buffers once more: in peace
        if not unread:
            complain(fault)
        sys.exit(Exit.UNREAD if unread else Exit.BAD_INPUT)
    sys.exit(Exit.WELL)
