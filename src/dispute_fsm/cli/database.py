"""`dispute-fsm db`: check a database, and bring histories in and out."""

from pathlib import Path
from typing import Annotated

import typer

from dispute_fsm.cli.app import Exit, JsonOption, complain, emit, reported, say, written
from dispute_fsm.cli.store import DbOption, opened_store
from dispute_fsm.errors import ConflictError, InputError
from dispute_fsm.history.jsonl import SUFFIX, open_history

_HELP = """Check a database, and bring histories in and out.

Example: dispute-fsm db check --db sqlite:///disputes.db
"""

db = typer.Typer(help=_HELP, no_args_is_help=True)


@db.command(name="check")
@reported
def check_command(url: DbOption, as_json: JsonOption = False) -> Exit:
    """Check every hash, every transition, and whether the projection is what the events come to.

    Example: dispute-fsm db check --db sqlite:///disputes.db

    Exit code: 0 all is as it has to be, 1 something is damaged, 2 there is no such file, 3 the
    database cannot be reached or read.
    """
    with opened_store(url) as store:
        from dispute_fsm.store.integrity import CheckCounts, check  # noqa: PLC0415 -- the extra is there, `opened_store` has seen to it

        checked, damaged = CheckCounts(), 0
        for damage in check(store, checked):
            damaged += 1
            if as_json:
                emit(
                    {"dispute_id": damage.dispute_id, "seq": damage.seq, "message": damage.message}
                )
            else:
                where = (
                    ""
                    if damage.dispute_id is None
                    else f"{damage.dispute_id}{'' if damage.seq is None else f', event {damage.seq}'}: "
                )
                say(f"✗ {where}{damage.message}")
    if not as_json:
        say(f"{checked.disputes} disputes, {checked.events} events, {damaged} damages")
    return Exit.FELL_SHORT if damaged else Exit.WELL


@db.command(name="import")
@reported
def import_command(
    url: DbOption,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="HISTORY...", help=f"History files (*{SUFFIX}[.gz]); - is standard input."
        ),
    ],
) -> Exit:
    """Bring history files in; each comes in whole or not at all.

    Events that the database has already are left as they are, so a file can be brought in again,
    and one that has grown goes on where the database ends. Personal values that were erased there
    do not come back.

    Example: dispute-fsm db import --db sqlite:///disputes.db made-up.history.jsonl

    Exit code: 0 all is in, 2 a file cannot be read or does not fit what is there (the others still
    come in), 3 the database cannot be reached.
    """
    refused = 0
    with opened_store(url, make=True) as store:
        from dispute_fsm.store.import_export import import_history  # noqa: PLC0415 -- as above

        for path in paths:
            try:
                with open_history(path) as stream, store.pool.transaction() as session:
                    new = import_history(store, session, stream, path)
            except (InputError, ConflictError, OSError) as fault:
                complain(
                    InputError(str(fault), file=path) if isinstance(fault, ConflictError) else fault
                )
                refused += 1
            else:
                say(f"{path}: {new} new events")
    return Exit.BAD_INPUT if refused else Exit.WELL


@db.command(name="export")
@reported
def export_command(
    url: DbOption,
    to: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help=f"File to write (*{SUFFIX}[.gz]); - is standard output.",
        ),
    ],
    dispute_id: Annotated[
        list[str] | None,
        typer.Option(
            "--dispute", metavar="ID", help="Only this dispute; may be given several times."
        ),
    ] = None,
) -> Exit:
    """Write a history file of all disputes, or of some, in the order in which their events were committed.

    What was brought in comes out as the same records, with the same hashes; what was erased stays
    erased.

    Example: dispute-fsm db export --db sqlite:///disputes.db -o all.history.jsonl.gz

    Exit code: 0 written, 2 there is no such dispute or the file cannot be written, 3 the database
    cannot be reached.
    """
    with opened_store(url) as store:
        from dispute_fsm.store.import_export import export_history  # noqa: PLC0415 -- as above

        with written(to) as stream:
            stream.writelines(export_history(store, dispute_id or ()))
    return Exit.WELL
