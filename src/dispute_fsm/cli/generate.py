"""`dispute-fsm generate`: write synthetic histories of any size, from a random seed."""

from collections.abc import Callable, Iterator
from typing import Annotated

from dispute_fsm.cli.app import Exit
from dispute_fsm.cli.arguments import HistoryOutputOption, number_option, rules_option
from dispute_fsm.cli.command import command
from dispute_fsm.cli.output import STANDARD_OUTPUT, open_output, progress_bar
from dispute_fsm.domain.commands import DEFAULT_VERSION
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.policy import Policy
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_records


@command("generate")
def generate_command(
    disputes: Annotated[int, number_option("--disputes", "N", "How many disputes.", least=0)],
    seed: Annotated[
        int, number_option("--seed", "N", "Random seed: the same numbers give the same bytes.")
    ],
    to: HistoryOutputOption,
    rules: Annotated[
        str, rules_option("The rule version that the disputes open under")
    ] = DEFAULT_VERSION,
) -> Exit:
    """Write synthetic histories as production would write them.

    Disputes come in by day and night, interleaved by business time. Merchants are prompt, slow,
    silent or careless; facts come in late. Nobody in it exists.

    Examples:
      dispute-fsm generate --disputes 100 --seed 1 -o synthetic.history.jsonl
      dispute-fsm generate --disputes 5 --seed 1 --rules parallel -o -

    Exit code: 0 written, 2 wrong usage, or the file cannot be written.

    """
    progress, advance = progress_bar("generating", disputes, streams=to == STANDARD_OUTPUT)
    events = generate(disputes, seed, rules=rules)
    with progress, open_output(to) as stream:
        write_records(stream, _counted(events, advance))
    return Exit.OK


def _counted(
    events: Iterator[tuple[AuditEvent, Policy]], advance: Callable[[int], object]
) -> Iterator[tuple[AuditEvent, Policy]]:
    """Count the disputes that have been opened."""
    for event, policy in events:
        yield event, policy
        if event.seq == 1:
            advance(1)
