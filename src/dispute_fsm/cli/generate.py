"""`dispute-fsm generate`: write made-up histories of any size, from a seed alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from dispute_fsm.cli.app import Exit, progress_bar, reported, written
from dispute_fsm.domain.commands import DEFAULT_VERSION
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.policy import Policy
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import SUFFIX, write_records


@reported
def generate_command(
    disputes: Annotated[int, typer.Option(metavar="N", help="How many disputes.")],
    seed: Annotated[
        int, typer.Option(metavar="S", help="Random seed: the same numbers give the same bytes.")
    ],
    to: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help=f"File to write (*{SUFFIX}); - is standard output.",
        ),
    ],
    rules: Annotated[
        str, typer.Option(metavar="V", help="The rule version that the disputes open under.")
    ] = DEFAULT_VERSION,
) -> Exit:
    """Write made-up histories as production would write them, of any size.

    Example: dispute-fsm generate --disputes 1000 --seed 1 -o made-up.history.jsonl

    Disputes come in by day and night, interleaved by business time. Merchants are
    prompt, slow, silent or careless; facts come in late. Nobody in it exists.

    Exit code: 0 written, 2 wrong usage, or the file cannot be written.
    """
    events = generate(disputes, seed, rules=rules)
    with progress_bar() as progress:
        watched = _watched(events, disputes, progress)
        with written(to) as stream:
            write_records(stream, watched)
    return Exit.WELL


def _watched(
    events: Iterator[tuple[AuditEvent, Policy]], disputes: int, progress: Progress
) -> Iterator[tuple[AuditEvent, Policy]]:
    task = progress.add_task("disputes", total=disputes)
    for event, policy in events:
        yield event, policy
        if event.seq == 1:
            progress.advance(task)
