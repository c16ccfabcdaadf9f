"""`dispute-fsm redact`: erase the personal data of a history, and replace its ids for sharing."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from dispute_fsm.cli.app import Exit
from dispute_fsm.cli.arguments import HistoryArgument, HistoryOutputOption
from dispute_fsm.cli.command import command
from dispute_fsm.cli.inputs import require_history
from dispute_fsm.cli.output import open_output
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import open_history
from dispute_fsm.history.redact import LEAST_SECRET, Pseudonyms, redacted_lines


@command("redact")
def redact_command(
    history: HistoryArgument,
    to: HistoryOutputOption,
    replace_ids: Annotated[
        bool,
        typer.Option(
            "--replace-ids", help="Replace ids too, each by the same pseudonym everywhere."
        ),
    ] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=(
                f"At least {LEAST_SECRET} secret bytes: the same file gives the same pseudonyms; "
                "without one they are new each time."
            ),
        ),
    ] = None,
) -> Exit:
    """Erase the personal data of a history, and replace ids.

    Erased are what people wrote, file names and addresses. Every hash still fits, and the history
    can be replayed: only the refusal of a reused key cannot be decided again, where it depends on
    the erased text.

    Examples:
      dispute-fsm redact synthetic.history.jsonl -o erased.history.jsonl
      dispute-fsm redact out/16-at-fault.history.jsonl --replace-ids -o -

    With --replace-ids, pseudonyms also replace the ids of disputes, orders, merchants, consumers,
    other actors and events, waybills, keys, correlation ids, order revisions and vouchers' digests.
    The chain is built anew, and each opening is marked: its package ends in +ids-replaced.

    What stays: times, amounts, carriers, media types, the order system's name, what else guards
    saw, rules, policies with their order_url; of the erased values the lengths and salted
    commitments. So a reader who has the original can still identify the disputes.

    Exit code: 0 written, 2 wrong usage, or the history cannot be read or is invalid; it is checked
    while it is read, and no file appears then.

    """
    if key_file is not None and not replace_ids:
        raise InputError("needs --replace-ids", field="--key-file")
    pseudonyms = _pseudonyms(key_file) if replace_ids else None
    with open_history(require_history(history)) as stream, open_output(to) as output:
        output.writelines(redacted_lines(stream, history, pseudonyms))
    return Exit.OK


def _pseudonyms(key_file: Path | None) -> Pseudonyms:
    if key_file is None:
        return Pseudonyms(secrets.token_bytes(32))
    try:
        return Pseudonyms(key_file.read_bytes())
    except InputError as error:
        raise error.within(str(key_file)) from None
