"""The application and what its commands share: exit codes, options, output, errors."""

import inspect
import json
import logging
import os
import sys
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from functools import wraps
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Annotated, Any, NoReturn, ParamSpec, get_args

import structlog
import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text
from typer.models import ArgumentInfo, OptionInfo

from dispute_fsm.cli.messages import HELP, OUTPUT
from dispute_fsm.documents.source import unknown_value
from dispute_fsm.domain.enums import Lang
from dispute_fsm.errors import (
    DisputeError,
    InputError,
    OrderSystemUnavailableError,
    StoreInvalidError,
    StoreUnavailableError,
)
from dispute_fsm.history.jsonl import NO_PATH, SUFFIX, atomic_file, atomic_text_file
from dispute_fsm.terminal import REPLACE, default_lang, printable
from dispute_fsm.version import VERSION

P = ParamSpec("P")


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    FAILED = 1
    INVALID_INPUT = 2
    UNAVAILABLE = 3
    BROKEN_PIPE = 141
    """The reader of the results has closed the pipe; other tools end by SIGPIPE."""


LANG = default_lang()

# ---- options -------------------------------------------------------------------------------------


def choice_option(name: str, choices: Sequence[str], what: str, text: str) -> Any:  # noqa: ANN401 -- as `typer.Option`
    """Declare an option that takes one of a few words; an unknown one is an `InputError`."""

    def choice(value: str) -> str:
        if value not in choices:
            raise InputError(unknown_value(value, choices, what), field=name)
        return value

    return typer.Option(name, help=text, parser=choice, metavar="|".join(choices))


LangOption = Annotated[
    Lang,
    choice_option(
        "--lang", get_args(Lang), "language", "Language of texts; default: the terminal's."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write JSON, one object a line, for programs.")
]
HistoryArgument = Annotated[
    str,
    typer.Argument(
        metavar="HISTORY", help="A history file, also one that ends in .gz; - is standard input."
    ),
]
DisputeOption = Annotated[
    str | None,
    typer.Option("--dispute", metavar="ID", help="Which dispute, where the history has several."),
]
HistoryOutputOption = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help=f"File to write (*{SUFFIX}[.gz]); - is standard output.",
    ),
]


# ---- output --------------------------------------------------------------------------------------

STANDARD_OUTPUT = Path("-")

console = Console(highlight=False, emoji=False)
"""Standard output, for results."""
error_console = Console(stderr=True, highlight=False, emoji=False)
"""Standard error, for errors and progress."""

_KILO = 1000


def print_line(line: str, style: str | None = None) -> None:
    """Print a line of a result as it is: no markup, no wrapping, so that it can be copied."""
    console.print(printable(line), style=style, markup=False, soft_wrap=True)


def print_json(record: object) -> None:
    """Print a result for programs: one JSON object on a line, always in UTF-8."""
    _write((json.dumps(record, ensure_ascii=False) + "\n").encode())


def print_error(error: object) -> None:
    """Print an error to standard error."""
    if isinstance(error, OSError) and error.filename:
        error = f"{error.filename}: {error.strerror}"
    _print_note(f"dispute-fsm: {error}", "red")


def progress_bar() -> Progress:
    """Make the progress bar of a long command; it shows on a terminal only and vanishes at the end.

    Results that go to a terminal too are printed above it. Other results bypass rich.
    """
    return Progress(
        console=error_console,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        disable=not sys.stderr.isatty(),
    )


@contextmanager
def open_output(to: Path) -> Generator[IO[str]]:
    """Open a file that appears whole or not at all, or standard output, to write text to."""
    if to != STANDARD_OUTPUT:
        with atomic_text_file(to) as stream:
            yield stream
        print_written(to)
        return
    if isinstance(sys.stdout, TextIOWrapper):  # a history has the same bytes on every terminal
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    yield sys.stdout


def write_output(content: bytes, to: Path, lang: Lang) -> None:
    """Write a file, which appears whole or not at all, or to standard output."""
    if to == STANDARD_OUTPUT:
        _write(content)
        return
    with atomic_file(to) as stream:
        stream.write(content)
    print_written(to, lang)


def _write(content: bytes) -> None:
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:  # a program that calls the command line in its own process has replaced it
        sys.stdout.write(content.decode())


def print_written(file: Path, lang: Lang = LANG) -> None:
    """Report on standard error that a file was written; a device or a pipe is not reported."""
    if file.is_file():
        _print_note(OUTPUT(lang, "file", to=file, size=_size(file.stat().st_size)))


def print_written_into(folder: Path, files: Collection[Path], lang: Lang) -> None:
    """Report on standard error how many files were written into a folder, if any."""
    if len(files) == 1:
        print_written(next(iter(files)), lang)
    elif files:
        size = _size(sum(file.stat().st_size for file in files))
        _print_note(OUTPUT(lang, "files", to=folder, count=len(files), size=size))


def _size(size: int) -> str:
    """Format a number of bytes: `512 bytes`, `98 kB`, `1.2 MB`."""
    if size < _KILO:
        return f"{size} byte{'' if size == 1 else 's'}"
    return f"{size / _KILO:.0f} kB" if size < _KILO**2 else f"{size / _KILO**2:.1f} MB"


def _print_note(line: str, style: str = "") -> None:
    error_console.print(Text(printable(line), style=style), soft_wrap=True)


# ---- errors --------------------------------------------------------------------------------------


def reported(command: Callable[P, Exit]) -> Callable[P, None]:
    """Turn a command's result, and the errors that a person can fix, into an exit code.

    An `OSError` without a file name is left to `start`: what cannot be written to standard output
    is reported once, where it is flushed.
    """
    names = _names(command)

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except (OrderSystemUnavailableError, StoreUnavailableError, StoreInvalidError) as error:
            print_error(error)
            code = Exit.UNAVAILABLE
        except (DisputeError, OSError) as error:
            if isinstance(error, OSError) and error.filename is None:
                raise
            if isinstance(error, InputError) and error.file is None:  # an argument, not a file
                field = names.get(error.field or "", error.field)
                print_error(InputError(error.message, field=field))
            else:
                print_error(error)
            code = Exit.INVALID_INPUT
        raise typer.Exit(code)

    return run


def _names(command: Callable[..., object]) -> dict[str, str]:
    """Return the name on the command line of each parameter; an empty path becomes an error."""
    names: dict[str, str] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        annotation, info = get_args(parameter.annotation)
        names[name] = _name(name, info)
        if _takes_path(annotation):
            info.parser = _path_parser(names[name])
    return names


def _name(name: str, info: OptionInfo | ArgumentInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return info.metavar or name
    # Typer takes the first declared name for a default.
    declared = (info.default, *(info.param_decls or ()))
    names = (text for text in declared if isinstance(text, str))
    return next(names, f"--{name.replace('_', '-')}")


def _takes_path(annotation: object) -> bool:
    return annotation is Path or any(map(_takes_path, get_args(annotation)))


def _path_parser(name: str) -> Callable[[str], Path]:
    def path(value: str) -> Path:
        if not value:
            raise InputError(NO_PATH, field=name)
        return Path(value)

    return path


# ---- the application -----------------------------------------------------------------------------

app = typer.Typer(
    name="dispute-fsm",
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
