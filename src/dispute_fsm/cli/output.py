"""How commands write results, files and progress."""

import json
import sys
from collections.abc import Collection, Generator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from rich.cells import cell_len
from rich.progress import Progress
from rich.text import Text

from dispute_fsm.cli.app import console, error_console, print_note
from dispute_fsm.cli.arguments import LANG
from dispute_fsm.cli.messages import OUTPUT
from dispute_fsm.domain.enums import Lang
from dispute_fsm.history.jsonl import atomic_file, atomic_text_file
from dispute_fsm.terminal import printable

STANDARD_OUTPUT = Path("-")

_KILO = 1000


def print_line(line: str, style: str | None = None) -> None:
    """Print a line of a result as it is: no markup, no wrapping, so that it can be copied."""
    console.print(printable(line), style=style, markup=False, soft_wrap=True)


def print_sentence(sentence: str, lang: Lang) -> None:
    """Print a sentence; on a terminal it is wrapped between words, which Chinese does not part."""
    by_words = lang == "en" and console.is_terminal
    console.print(Text(printable(sentence)), soft_wrap=not by_words)


def print_item(mark: str, text: str, style: str | None = None) -> None:
    """Print an item of a list under its mark; on a terminal it is wrapped, and hangs there."""
    indent = " " * (cell_len(mark) + 1)
    width = console.width - len(indent) if console.is_terminal else sys.maxsize
    first, *others = Text(printable(text)).wrap(console, width) or [Text()]
    for start, line in ((f"{mark} ", first), *((indent, line) for line in others)):
        print_line(f"{start}{line.plain.rstrip()}", style=style)


def print_json(record: object) -> None:
    """Print a result for programs: one JSON object on a line, always in UTF-8."""
    _write((json.dumps(record, ensure_ascii=False) + "\n").encode())


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
        print_note(OUTPUT(lang, "file", to=file, size=_size(file.stat().st_size)))


def print_written_into(folder: Path, files: Collection[Path], lang: Lang) -> None:
    """Report on standard error how many files were written into a folder, if any."""
    if len(files) == 1:
        print_written(next(iter(files)), lang)
    elif files:
        size = _size(sum(file.stat().st_size for file in files))
        print_note(OUTPUT(lang, "files", to=folder, count=len(files), size=size))


def _size(size: int) -> str:
    """Format a number of bytes: `512 bytes`, `98 kB`, `1.2 MB`."""
    if size < _KILO:
        return f"{size} byte{'' if size == 1 else 's'}"
    return f"{size / _KILO:.0f} kB" if size < _KILO**2 else f"{size / _KILO**2:.1f} MB"
