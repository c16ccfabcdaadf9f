"""The command line for tests: in this process, or as the installed script."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from dispute_fsm import cli
from tests.own_logging import logging_of_its_own
from tests.patience import PATIENCE

SCRIPT = Path(sys.executable).with_name("dispute-fsm")


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a call."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def run(*arguments: str | Path, given: bytes = b"", err: io.StringIO | None = None) -> Ran:
    """Call the entry point in this process, with this as its standard input and error."""
    out, err = io.StringIO(), io.StringIO() if err is None else err
    with (
        logging_of_its_own(),  # for a fixture of a module: nothing resets it before the next module
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["dispute-fsm", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert isinstance(ended.value.code, int)
    return Ran(ended.value.code, out.getvalue(), err.getvalue())


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process: only the test sets what changes its output."""
    ours = (
        "LANG",
        "LC_",
        "NO_COLOR",
        "FORCE_COLOR",
        "TTY_",
        "TERM",
        "COLUMNS",
        "TZ",
        "PYTHONIOENCODING",
        "PYTHONUTF8",
        "PYTHONHASHSEED",
        "PYTHONUNBUFFERED",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "LC_ALL": "C.UTF-8", "COLUMNS": "300", **changes}


def script(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] = MappingProxyType({})
) -> Ran:
    """Run the installed console script in a process of its own."""
    done = subprocess.run(  # noqa: S603 -- our own script
        [SCRIPT, *arguments],
        capture_output=True,
        check=False,
        cwd=cwd,
        env=environment(env),
        timeout=PATIENCE,
    )
    return Ran(
        done.returncode,
        done.stdout.decode("utf-8", "backslashreplace"),
        done.stderr.decode("utf-8", "backslashreplace"),
    )


def on_a_terminal(
    *arguments: str | Path, width: int = 300, env: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Run the installed console script on a terminal, and return all that it was sent."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 -- our own script
        [SCRIPT, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment({"TERM": "xterm-256color", "COLUMNS": str(width), **env}),
    )
    os.close(theirs)
    shown = sent_to(ours)
    process.wait(timeout=PATIENCE)
    return shown.decode()


def sent_to(terminal: int) -> bytes:
    """Return all that a terminal is sent until the process behind it ends, and close it."""
    shown = b""
    try:
        while chunk := os.read(terminal, 65_536):
            shown += chunk
    except OSError:  # how a terminal ends on Linux
        pass
    os.close(terminal)
    return shown


@contextmanager
def piped(content: bytes) -> Generator[str]:
    """Put a content of few bytes into a pipe, and give its name as a shell does."""
    ours, theirs = os.pipe()
    try:
        os.write(theirs, content)
        os.close(theirs)
        yield f"/dev/fd/{ours}"
    finally:
        os.close(ours)


def complained(ran: Ran, *named: str | Path) -> None:
    """Require a clear error: exit code 2, these names on stderr, no traceback."""
    assert "Traceback" not in ran.err
    assert ran.code == 2
    for name in named:
        assert str(name) in ran.err
