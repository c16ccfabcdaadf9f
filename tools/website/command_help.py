"""The directive `command-help`: each line is a command, and its output is shown below it.

    ```{command-help}
    dispute-fsm run --help
    ```

A file browser shows the commands alone.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_PLAIN = {"COLUMNS": "80", "NO_COLOR": "1", "PYTHONUTF8": "1", "TERM": "dumb"}


def output(command: str) -> str:
    """Run a command of ours as in a plain terminal of 80 columns."""
    name, *arguments = command.split()
    done = subprocess.run(  # noqa: S603 -- of our own pages
        [Path(sys.executable).with_name(name), *arguments],
        env={**os.environ, **_PLAIN},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


class CommandHelp(SphinxDirective):
    """A section for each command, with what it prints."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Run the commands."""
        sections: list[nodes.Node] = []
        for command in filter(None, self.content):
            name = command.removesuffix(" --help")
            section = nodes.section(ids=[nodes.make_id(name)], names=[name])
            section += nodes.title(text=name)
            section += nodes.literal_block(text=output(command), language="text")
            sections.append(section)
        return sections


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
