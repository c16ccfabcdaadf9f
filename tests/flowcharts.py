"""Flowcharts read by the real Mermaid, in one Node.js process (see `js/read_flowcharts.mjs`)."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).with_name("js")
MERMAID = FOLDER / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
"""The same mermaid as a script for pages."""


class Mermaid:
    """A process that reads flowcharts."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self, text: str) -> dict[str, Any]:
        """Return what mermaid understood, or its `fault`."""
        sent, answers = self._process.stdin, self._process.stdout
        assert sent is not None
        assert answers is not None
        print(json.dumps(text), file=sent, flush=True)
        answer: dict[str, Any] = json.loads(
            answers.readline() or '{"fault": "the process has ended"}'
        )
        return answer


def node() -> str:
    """Return the path of Node.js; skip the test where it or Mermaid is missing."""
    found = shutil.which("node")
    if found is None or not MERMAID.exists():
        # Work on the rules does not need Node.js; .ci/run has it, and allows no skipped test.
        pytest.skip(
            "needs Node.js with npm; with both at hand, `make dev` and `make test` install mermaid"
        )
    return found


@contextmanager
def started() -> Iterator[Mermaid]:
    """Start the process."""
    command = [node(), str(FOLDER / "read_flowcharts.mjs")]
    with subprocess.Popen(  # noqa: S603 -- our own script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        yield Mermaid(process)
