"""How commands write results, files and progress."""

import json
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from rich.cells import cell_len
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from dispute_fsm.cli.app import console, error_console, print_note
from dispute_fsm.cli.arguments import LANG
from dispute_fsm.cli.layout import broken
from dispute_fsm.cli.messages import OUTPUT
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.history.jsonl import atomic_file, atomic_text_file
from dispute_fsm.terminal import printable

STANDARD_OUTPUT = Path("-")

MARKS: Mapping[str, str] = FrozenMap({"✓": "green", "✗": "red", "?": "yellow", "–": "dim"})
"""The signs of what passed or is open, of what did not, and of what is unknown, with colours."""
_SEPARATOR = 80
_UNLIMITED = 10_000
"""Columns that no table has."""
_KILO = 1000


def print_line(line: str | Text, style: str = "", *, hang: int = 2) -> None:
    """Print a line of a result without markup; on a terminal it is wrapped, and hangs there."""
    text = Text(printable(line), style) if isinstance(line, str) else line
    width = console.width if console.is_terminal else sys.maxsize
    for each in broken(text, width, hang):
        console.print(each, soft_wrap=True)


def print_text(text: str) -> None:
    """Print a text of several lines as it is, so that it can be copied."""
    console.print(printable(text), markup=False, soft_wrap=True)


def print_verdict(mark: str, text: str) -> None:
    """Print a text behind its mark."""
    print_line(Text.assemble((mark, MARKS[mark]), " ", printable(text)))


def print_separator() -> None:
    """Print a line between two disputes."""
    print_line("")
    print_line("─" * (console.width if console.is_terminal else _SEPARATOR), "dim")
    print_line("")


def print_details(rows: Iterable[tuple[str, str]], indent: int = 4) -> None:
    """Print labels and texts in two columns."""
    each = [(label, printable(text)) for label, text in rows]
    width = max((cell_len(label) for label, _ in each), default=0)
    for label, text in each:
        start = " " * indent + label + " " * (width - cell_len(label) + 2)
        print_line(Text.assemble((start, "dim"), text), hang=cell_len(start))


def print_table(table: Table) -> None:
    """Print a table; on a terminal its cells are wrapped, else it is as wide as they are."""
    width = console.width if console.is_terminal else _UNLIMITED
    for segments in console.render_lines(table, console.options.update(width=width), pad=False):
        line = Text.assemble(*((segment.text, segment.style or "") for segment in segments))
        line.rstrip()
        console.print(line, soft_wrap=True)


def print_json(record: object) -> None:
    """Print a result for programs: one JSON object on a line, always in UTF-8."""
    _write((json.dumps(record, ensure_ascii=False) + "\n").encode())


def progress_bar(
    what: str, total: int | None, *, streams: bool = False
) -> tuple[Progress, Callable[[int], None]]:
    """Make the progress bar of a long command, and what is told how much more is done.

    It shows on a terminal only, from where it is entered, and vanishes at the end. Where results
    stream to the same terminal meanwhile, they are the progress. A total of None is unknown.
    """
    bar = Progress(
        console=error_console,
        transient=True,
        redirect_stdout=False,
        disable=not sys.stderr.isatty() or (streams and sys.stdout.isatty()),
    )
    return bar, partial(bar.advance, bar.add_task(what, total=total))


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
