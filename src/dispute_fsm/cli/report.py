"""`dispute-fsm report`: one dispute as a web page, for people who decide about it."""

from pathlib import Path
from typing import Annotated

import typer

from dispute_fsm.cli.app import Exit, app, print_error
from dispute_fsm.cli.arguments import LANG, DisputeOption, HistoryArgument, LangOption
from dispute_fsm.cli.errors import reported
from dispute_fsm.cli.inputs import replay_steps
from dispute_fsm.cli.output import write_output
from dispute_fsm.diagrams.report import report


@app.command("report")
@reported
def report_command(
    path: HistoryArgument,
    to: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The page to write, e.g. dispute.html; - is standard output.",
        ),
    ],
    dispute: DisputeOption = None,
    lang: LangOption = LANG,
) -> Exit:
    """Write one dispute as a page: its path in the chart, its deadlines, its steps, its integrity.

    Each step has what its guards saw. The page is one file that needs no network.

    Example: dispute-fsm report out/15-promise-missed.history.jsonl -o dispute.html

    Exit code: 0 written, and the history is valid; 1 written, but the history is invalid or is
    decided differently now; 2 unreadable input.
    """
    steps, replayed = replay_steps(path, dispute)
    page = report(steps[-1].after, [step.event for step in steps], replayed, lang)
    write_output(page.encode(), to, lang)
    if replayed.sound:
        return Exit.OK
    print_error(
        f"{path}: the history is invalid, or is decided differently now; see the page, or "
        f"dispute-fsm replay {path}"
    )
    return Exit.FAILED
