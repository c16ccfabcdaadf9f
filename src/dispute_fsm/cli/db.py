"""`dispute-fsm db`: check a database, import and export histories; how commands open a database."""

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from dispute_fsm.cli import COMMANDS
from dispute_fsm.cli.app import Exit, app, print_error
from dispute_fsm.cli.arguments import LANG, HistoryOutputOption, JsonOption, LangOption
from dispute_fsm.cli.command import command
from dispute_fsm.cli.help import CliGroup
from dispute_fsm.cli.messages import DB
from dispute_fsm.cli.output import open_output, print_json, print_line, print_verdict
from dispute_fsm.errors import ConflictError, InputError
from dispute_fsm.history.jsonl import SUFFIX, open_history

if TYPE_CHECKING:
    from dispute_fsm.store.repository import Store

DbOption = Annotated[
    str,
    typer.Option(
        "--db",
        metavar="URL",
        help="The database, e.g. sqlite:///disputes.db or postgresql://user@host/base.",
        show_default=False,
    ),
]

_HELP = f"""
{COMMANDS["db"]}

Example:
  dispute-fsm db import --db sqlite:///disputes.db synthetic.history.jsonl

dispute-fsm db COMMAND --help has the options of a command, and examples.
"""

db = typer.Typer(cls=CliGroup, help=_HELP, no_args_is_help=True)
app.add_typer(db, name="db", rich_help_panel="Service")


@contextmanager
def open_store(url: str, *, create: bool = False) -> Generator["Store"]:
    """Open the store at a URL; with `create`, a SQLite file that does not exist is created.

    Raises `InputError` where the extra is missing, the URL is invalid, or the file does not exist;
    `StoreUnavailableError`, `StoreInvalidError`.
    """
    if missing := [module for module in ("sqlalchemy", "psycopg") if find_spec(module) is None]:
        raise InputError(
            f"{', '.join(missing)} is not installed; install the store: pip install "
            "'dispute-fsm[cli,sql]'"
        )
    from dispute_fsm.store.address import file_of  # noqa: PLC0415 -- its imports may be missing: see above
    from dispute_fsm.store.repository import Store  # noqa: PLC0415 -- as above

    if not create and (file := file_of(url)) is not None and not file.exists():
        raise InputError(f"there is no database at {file}", field="--db")
    store = Store(url)
    try:
        yield store
    finally:
        store.close()


@command("check", db)
def check_command(url: DbOption, as_json: JsonOption = False, lang: LangOption = LANG) -> Exit:
    """Check every hash, every transition, and every projection.

    A projection has to agree with the events of its dispute.

    Example:
      dispute-fsm db check --db sqlite:///disputes.db

    Exit code: 0 nothing is damaged, 1 something is damaged, 2 there is no such file, 3 the database
    cannot be reached or read.

    """
    with open_store(url) as store:
        from dispute_fsm.store.integrity import CheckCounts, check  # noqa: PLC0415 -- `open_store` has checked that the extra is installed

        counts, damaged = CheckCounts(), 0
        for damage in check(store, counts):
            damaged += 1
            if as_json:
                print_json(
                    {"dispute_id": damage.dispute_id, "seq": damage.seq, "message": damage.message}
                )
                continue
            event = "" if damage.seq is None else DB(lang, "event", seq=damage.seq)
            where = "" if damage.dispute_id is None else f"{damage.dispute_id}{event}: "
            print_verdict("✗", f"{where}{damage.text.label(lang)}")
    if not as_json:
        mark = "✗" if damaged else "✓"
        values = {"disputes": counts.disputes, "events": counts.events, "damaged": damaged}
        print_verdict(mark, DB(lang, "checked", **values))
    return Exit.FAILED if damaged else Exit.OK


@command("import", db)
def import_command(
    url: DbOption,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="HISTORY...", help=f"History files (*{SUFFIX}[.gz]); - is standard input."
        ),
    ],
    lang: LangOption = LANG,
) -> Exit:
    """Import history files, each as a whole or not at all.

    Events that are stored already are left as they are, so a file can be imported again, and a file
    that has grown continues where the database ends. Personal values that were erased there do not
    come back.

    Example:
      dispute-fsm db import --db sqlite:///disputes.db synthetic.history.jsonl

    Exit code: 0 all imported, 2 a file cannot be read or conflicts with what is stored (the others
    are still imported), 3 the database cannot be reached.

    """
    code = Exit.OK
    with open_store(url, create=True) as store:
        from dispute_fsm.store.import_export import import_history  # noqa: PLC0415 -- as above

        for path in paths:
            try:
                with open_history(path) as stream, store.pool.transaction() as session:
                    new = import_history(store, session, stream, path)
            except (InputError, ConflictError, OSError) as error:
                conflict = isinstance(error, ConflictError)
                print_error(InputError(str(error), file=path) if conflict else error)
                code = Exit.INVALID_INPUT
            else:
                print_line(DB(lang, "imported", path=path, count=new, s="" if new == 1 else "s"))
    return code


@command("export", db)
def export_command(
    url: DbOption,
    to: HistoryOutputOption,
    dispute_id: Annotated[
        list[str] | None,
        typer.Option(
            "--dispute", metavar="ID", help="Only this dispute; may be given several times."
        ),
    ] = None,
) -> Exit:
    r"""Export all disputes, or some, in the order of their commits.

    What was imported is exported as the same records, with the same hashes; what was erased stays
    erased.

    Examples:
      dispute-fsm db export --db sqlite:///disputes.db -o all.history.jsonl.gz
      dispute-fsm db export --db sqlite:///disputes.db \
          --dispute CD-20230330-0012 -o one.history.jsonl

    Exit code: 0 written, 2 there is no such dispute or the file cannot be written, 3 the database
    cannot be reached.

    """
    with open_store(url) as store:
        from dispute_fsm.store.import_export import export_history  # noqa: PLC0415 -- as above

        with open_output(to) as stream:
            stream.writelines(export_history(store, dispute_id or ()))
    return Exit.OK
