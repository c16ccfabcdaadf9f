"""`dispute-fsm report`: one dispute as a page of its own, for people who decide about it."""

from pathlib import Path
from typing import Annotated

import typer

from dispute_fsm.cli.app import LANG, Exit, LangOption, as_lang, complain, deliver, reported
from dispute_fsm.cli.histories import followed
from dispute_fsm.diagrams.report import report


@reported
def report_command(
    path: Annotated[
        str,
        typer.Argument(
            metavar="HISTORY",
            help="A history file, also one that ends in .gz; - is standard input.",
        ),
    ],
    to: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The page to write, e.g. dispute.html; - is standard output.",
        ),
    ],
    dispute: Annotated[
        str | None,
        typer.Option(
            "--dispute", metavar="ID", help="Which dispute, where the history holds several."
        ),
    ] = None,
    lang: LangOption = LANG,
) -> Exit:
    """Write one dispute as a page: its way over the chart, its deadlines, every step with what was seen, whether the record is whole.

    The page is one file that needs no network.

    Example: dispute-fsm report out/15-promise-missed.history.jsonl -o dispute.html

    Exit code: 0 written, and the record is whole; 1 written, but the record is broken or decides
    otherwise; 2 unreadable input.
    """
    steps, found = followed(path, dispute)
    page = report([step.event for step in steps], steps[0].policy, found, as_lang(lang))
    deliver(page.encode(), to, as_lang(lang))
    if found.sound:
        return Exit.WELL
    complain(
        f"{path}: the record is not as it should be; the page says where, and so does: "
        f"dispute-fsm replay {path}"
    )
    return Exit.FELL_SHORT
