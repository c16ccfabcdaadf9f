"""The terminal: its language, what may be printed on it, and the standard streams."""

import codecs
import os
import sys
from errno import EBADF
from io import BufferedWriter, FileIO, RawIOBase, TextIOWrapper

TYPE_CHECKING = False  # as in `typing`, whose import takes as long as `--version`
if TYPE_CHECKING:  # the pytest plugin imports this module in every test run, disputes or not
    from _typeshed import ReadableBuffer

    from dispute_fsm.domain.enums import Lang

REPLACE = "dispute-fsm-replace"
"""The `errors=` of a stream that replaces the characters that its encoding lacks.

Our own signs stay distinct from each other and from `?`, which means unknown.
"""

_REPLACEMENTS = {
    "✓": "√+",
    "✗": "×x",
    "→": ">",
    "·": "-",
    "–": "-",
    "—": "-",
    "─": "-",
    "×": "x",
    "…": ".",
    "“": '"',
    "”": '"',
}
"""The replacements of our own signs, the best first: GBK has `√` and `×`."""

_OUTPUT, _ERRORS = 1, 2


def default_lang() -> "Lang":
    """Return the language of the terminal: zh where the locale says so, else en."""
    locale = (
        os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    )
    return "zh" if locale.startswith("zh") else "en"


def printable(text: str) -> str:
    """Replace control and direction characters, which could manipulate a terminal.

    Line breaks stay; any other white space becomes a space.
    """
    return "".join(
        sign
        if sign.isprintable() or sign == "\n"
        else " "
        if sign.isspace()
        else "\N{REPLACEMENT CHARACTER}"
        for sign in text
    )


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    # The codecs of code pages do not say which code page they are.
    encoding = "ascii" if error.encoding == "charmap" else error.encoding
    signs = (*_REPLACEMENTS.get(error.object[error.start], ""), "?")
    return next(sign for sign in signs if sign.encode(encoding, "ignore")), error.start + 1


codecs.register_error(REPLACE, _replace)


class _ClosedOutput(RawIOBase):
    """A closed standard output: an error for a command that writes a result, and for no other."""

    name = "standard output"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return _OUTPUT

    def write(self, _data: "ReadableBuffer", /) -> int:
        raise OSError(EBADF, "closed, so the results cannot be written", self.name)


class _LossyErrors(FileIO):
    """Standard error that never fails: what cannot be written is lost, the exit code stays."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def open_standard_streams() -> None:
    """Open the standard streams that are closed, before any file takes the number of one of them.

    `sys.stdin` stays None where standard input is closed: its readers check for that.
    """
    for number in (0, _OUTPUT, _ERRORS):
        try:
            os.fstat(number)
        except OSError:
            _occupy(number)
    if sys.stdout is None:
        sys.stdout = TextIOWrapper(_ClosedOutput(), encoding="utf-8", write_through=True)
    if sys.stderr is sys.__stderr__:  # else the caller has replaced it
        encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
        raw = BufferedWriter(_LossyErrors(_ERRORS, "w", closefd=False))
        sys.stderr = TextIOWrapper(raw, encoding=encoding, errors=REPLACE, line_buffering=True)


def _occupy(number: int) -> None:
    """Open something under the number of a closed stream; lower numbers are open already.

    A socket without a peer, so that a program that opens `/dev/stdin` or `/dev/stdout` gets an
    error, not an empty file.
    """
    import socket  # noqa: PLC0415 -- hardly ever needed

    if number != _ERRORS and hasattr(socket, "AF_UNIX"):
        opened = socket.socket(socket.AF_UNIX).detach()
    else:
        opened = os.open(os.devnull, os.O_RDWR)
    os.set_inheritable(opened, True)  # noqa: FBT003 -- the function's name says what is true
