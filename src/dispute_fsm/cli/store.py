"""How commands come to a database; what that takes may not be installed, so it is imported when a command asks for it."""

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from dispute_fsm.errors import InputError

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


@contextmanager
def opened_store(url: str, *, make: bool = False) -> Generator["Store"]:
    """Open the store at a URL; a SQLite file that is not there is made where `make` says so.

    Raises `InputError` where the extra is missing, the URL is none, or the file is not there;
    `StoreUnavailableError`, `StoreInvalidError`.
    """
    if missing := [module for module in ("sqlalchemy", "psycopg") if find_spec(module) is None]:
        raise InputError(
            f"{', '.join(missing)} is not installed; install the store: pip install "
            "'dispute-fsm[cli,sql]'"
        )
    from dispute_fsm.store.address import file_of  # noqa: PLC0415 -- what it imports may be missing, and then the lines above say so
    from dispute_fsm.store.repository import Store  # noqa: PLC0415 -- as above

    if not make and (file := file_of(url)) is not None and not file.exists():
        raise InputError(f"there is no database at {file}", field="--db")
    store = Store(url)
    try:
        yield store
    finally:
        store.close()
