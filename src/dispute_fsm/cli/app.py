"""What all commands share: the application, exit codes, languages, where logs and errors go."""

import json
import logging
import os
import sys
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from functools import wraps
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Annotated, NoReturn, ParamSpec

import structlog
import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from dispute_fsm.cli.typed import as_typed, parameters
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import (
    DisputeError,
    InputError,
    OrderSystemUnavailableError,
    StoreInvalidError,
    StoreUnavailableError,
)
from dispute_fsm.history.jsonl import atomic_file, atomic_text_file
from dispute_fsm.terminal import STAND_INS, default_lang, printable
from dispute_fsm.version import VERSION

P = ParamSpec("P")

app = typer.Typer(
    name="dispute-fsm",
    help=(
        "Disputes about parcels that do not move (催单), as explicit state machines.\n\nExample: "
        "dispute-fsm run examples/"
    ),
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


class LanguageChoice(StrEnum):
    """The languages of texts."""

    ZH = "zh"
    EN = "en"


_LANG = default_lang()
LANG = LanguageChoice(_LANG)
STANDARD_OUTPUT = Path("-")
_KILO = 1000
LangOption = Annotated[
    LanguageChoice, typer.Option("--lang", help="Language of texts; default: the terminal's.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write JSON, one object a line, for programs.")
]


def as_lang(choice: LanguageChoice) -> Lang:
    """Turn the option's value into the package's own word."""
    return "zh" if choice is LanguageChoice.ZH else "en"


def say(line: str, style: str | None = None) -> None:
    """Write a line of a result as it stands: without markup, without what plays tricks on a terminal, not wrapped, for it may be copied."""
    output.print(printable(line), style=style, markup=False, soft_wrap=True)


def reported(command: Callable[P, Exit]) -> Callable[P, None]:
    """Turn a command's result, and the errors that people can do something about, into an exit code and a line on stderr.

    An `OSError` that names no file goes on to `start`: what cannot be written to standard output is
    said once, where it is flushed.
    """
    typed = parameters(command)

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except (OrderSystemUnavailableError, StoreUnavailableError, StoreInvalidError) as fault:
            complain(fault)
            code = Exit.UNREACHABLE
        except DisputeError as fault:
            complain(as_typed(fault, typed) if isinstance(fault, InputError) else fault)
            code = Exit.BAD_INPUT
        except OSError as fault:
            if fault.filename is None:
                raise
            complain(fault)
            code = Exit.BAD_INPUT
        raise typer.Exit(code)

    return run


def progress_bar() -> Progress:
    """Make the bar that long commands show on standard error, where that is a terminal; it is gone at the end.

    Results that go to a terminal too come out above it. Those that go elsewhere do so, without rich
    in between.
    """
    return Progress(
        console=errors,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        disable=not sys.stderr.isatty(),
    )


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
    if to != STANDARD_OUTPUT:
        with atomic_text_file(to) as stream:
            yield stream
        wrote(to)
        return
    if isinstance(
        sys.stdout, TextIOWrapper
    ):  # the bytes of a history file, whatever the terminal takes
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    yield sys.stdout


def deliver(content: bytes, to: Path, lang: Lang) -> None:
    """Write a picture or a page into a file, which appears whole or not at all, or to standard output."""
    if to == STANDARD_OUTPUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    with atomic_file(to) as stream:
        stream.write(content)
    wrote(to, lang)


_WROTE: Mapping[Lang, tuple[str, str]] = FrozenMap(
    {
        "zh": ("已写入 {to}（{size}）", "已在 {to} 中写入 {count} 个文件（{size}）"),
        "en": ("wrote {to} ({size})", "wrote {count} files in {to} ({size})"),
    }
)


def wrote(to: Path, lang: Lang = _LANG) -> None:
    """Say on standard error that a file was written; of a device or a pipe nothing is said."""
    if to.is_file():
        _tell(_WROTE[lang][0].format(to=to, size=_size(to.stat().st_size)))


def wrote_into(folder: Path, files: Collection[Path], lang: Lang) -> None:
    """Say on standard error how many files were written into a folder, if any."""
    if len(files) == 1:
        wrote(next(iter(files)), lang)
    elif files:
        size = sum(file.stat().st_size for file in files)
        _tell(_WROTE[lang][1].format(to=folder, count=len(files), size=_size(size)))


def _size(size: int) -> str:
    """Write a number of bytes as people read it: `512 bytes`, `98 kB`, `1.2 MB`."""
    if size < _KILO:
        return f"{size} byte{'' if size == 1 else 's'}"
    return f"{size / _KILO:.0f} kB" if size < _KILO**2 else f"{size / _KILO**2:.1f} MB"


def complain(fault: object) -> None:
    """Write an error for a person to standard error."""
    said = (
        f"{fault.filename}: {fault.strerror}"
        if isinstance(fault, OSError) and fault.filename
        else fault
    )
    _tell(f"dispute-fsm: {said}", "red")


def _tell(line: str, style: str = "") -> None:
    """Write a line to standard error as it is: no markup, no wrapping."""
    errors.print(Text(printable(line), style=style), soft_wrap=True)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dispute-fsm {VERSION}")
        raise typer.Exit


@app.callback()
def _common(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log every decision to standard error.")
    ] = False,
    _asked: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Run, check and explain disputes."""
    # The command line is a host like any other: it says where the package's log lines go.
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


def start(application: Callable[[], object]) -> NoReturn:
    """Run what the command line asks for and end with its exit code."""
    if isinstance(
        sys.stdout, TextIOWrapper
    ):  # a terminal that cannot write a sign shows another, no traceback
        sys.stdout.reconfigure(errors=STAND_INS)
    try:
        try:
            application()
        finally:
            output.file.flush()
    except (InputError, OSError, SystemExit) as end:
        fault = (
            end.__context__ if isinstance(end, SystemExit) else end
        )  # some libraries make an exit of a closed pipe
        unread = isinstance(fault, BrokenPipeError)
        if isinstance(end, SystemExit) and not unread:
            raise
        if isinstance(sys.stdout, TextIOWrapper):
            os.dup2(
                os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
            )  # Python empties its buffers once more: in peace
        if not unread:
            complain(fault)
        sys.exit(Exit.UNREAD if unread else Exit.BAD_INPUT)
    sys.exit(Exit.WELL)
