"""`dispute-fsm report`: one dispute as a web page, for people who decide about it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dispute_fsm.cli.app import Exit, print_error
from dispute_fsm.cli.arguments import (
    LANG,
    DisputeOption,
    HistoryArgument,
    LangOption,
    ReviewOption,
    choice_option,
)
from dispute_fsm.cli.command import command
from dispute_fsm.cli.inputs import replay_steps
from dispute_fsm.cli.output import write_output
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.diagrams.letter import letter
from dispute_fsm.diagrams.report import report
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.errors import InputError
from dispute_fsm.explain.alternatives import alternatives, loser
from dispute_fsm.explain.alternatives_text import advice
from dispute_fsm.explain.course import Record
from dispute_fsm.explain.supposed_facts import Hands


@command("report")
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
    reader: Annotated[
        str | None,
        choice_option(
            "--for", ("merchant",), "reader", "Write a letter to the merchant, in plain words."
        ),
    ] = None,
    review: ReviewOption = None,
    rationale: Annotated[
        bool, typer.Option("--rationale", help="In a letter: quote what the adjudicator wrote.")
    ] = False,
    lang: LangOption = LANG,
) -> Exit:
    r"""Write a dispute as a page, or as a letter to the merchant.

    The page has its path in the chart, its deadlines, its steps with what their guards saw, and its
    integrity. It is one file that needs no network. With --for merchant it is a letter on A4 that
    has only what the merchant may know.

    Examples:
      dispute-fsm report out/15-promise-missed.history.jsonl -o dispute.html
      dispute-fsm report out/16-at-fault.history.jsonl \
          --for merchant -o letter.html

    Exit code: 0 written, and the history is valid; 1 written, but the history is invalid or is
    decided differently now; 2 unreadable input.

    """
    steps, replayed = replay_steps(path, dispute)
    ended, events = steps[-1].after, [step.event for step in steps]
    if reader is None:
        if review is not None or rationale:
            raise InputError(
                "only a letter has it: add --for merchant",
                field="--rationale" if review is None else "--review",
            )
        page = report(ended, events, replayed, lang)
    else:
        page = letter(
            ended,
            events,
            lang,
            alternatives=_would_have_saved(ended, events, lang),
            review=review,
            rationale=rationale,
        )
    write_output(page.encode(), to, lang)
    if replayed.sound:
        return Exit.OK
    print_error(
        f"{path}: the history is invalid, or is decided differently now; see the page, or "
        f"dispute-fsm replay {path}"
    )
    return Exit.FAILED


def _would_have_saved(
    dispute: Dispute, events: Sequence[AuditEvent], lang: Lang
) -> tuple[str, ...]:
    """Return what lay in the merchant's hands, where it is the merchant who lost."""
    if loser(dispute) is not Hands.MERCHANT:
        return ()
    found = alternatives(Record(events, dispute.policy))
    return advice(found, Hands.MERCHANT, dispute.policy, lang)
