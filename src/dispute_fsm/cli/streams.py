"""The standard streams: whatever a process was started with, all three are open, and standard error never fails."""

import os
import socket
import sys
from errno import EBADF
from io import BufferedWriter, FileIO, RawIOBase, TextIOWrapper
from typing import TYPE_CHECKING

from dispute_fsm.terminal import STAND_INS

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_OUTPUT, _ERRORS = 1, 2


class _ClosedOutput(RawIOBase):
    """Standard output that is closed: a command that writes a result is told so, one that writes none ends well."""

    name = "standard output"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return _OUTPUT

    def write(self, _data: "ReadableBuffer", /) -> int:
        raise OSError(EBADF, "closed, so the results cannot be written", self.name)


class _HeedlessErrors(FileIO):
    """Standard error: what it cannot take is lost, for nobody can be told. The exit code is as if it had been written."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def open_standard_streams() -> None:
    """Open what is closed of the standard streams. It comes first, or the next file that is opened takes the number of one of them.

    `sys.stdin` stays None where standard input is closed: who reads it looks for that.
    """
    for number in (0, _OUTPUT, _ERRORS):
        try:
            os.fstat(number)
        except OSError:
            _hold(number)
    if sys.stdout is None:
        sys.stdout = TextIOWrapper(_ClosedOutput(), encoding="utf-8", write_through=True)
    if sys.stderr is sys.__stderr__:  # else somebody has put another in its place
        encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
        raw = BufferedWriter(_HeedlessErrors(_ERRORS, "w", closefd=False))
        sys.stderr = TextIOWrapper(raw, encoding=encoding, errors=STAND_INS, line_buffering=True)


def _hold(number: int) -> None:
    """Put something in the place of a closed stream; those before it are open, so it gets this number.

    A socket that leads nowhere: also who opens `/dev/stdin` or `/dev/stdout` by its name gets an
    error, not an empty file.
    """
    nowhere = number != _ERRORS and hasattr(socket, "AF_UNIX")
    held = socket.socket(socket.AF_UNIX).detach() if nowhere else os.open(os.devnull, os.O_RDWR)
    os.set_inheritable(held, True)  # noqa: FBT003 -- the name of the function says what is true
