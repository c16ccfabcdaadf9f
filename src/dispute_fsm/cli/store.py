"""How commands come to a database; what that takes may not be installed, so it is imported when a command asks for it."""

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from dispute_fsm.errors import InputError

if TYPE_CHECKING:
    from dispute_fsm.store.store import Store

DbOption = Annotated[
    str,
    typer.Option(
        "--db", metavar="URL", help="The database, e.g. sqlite:///disputes.db or postgresql://user@host/base.", show_default=False
    ),
]


@contextmanager
def opened_store(url: str) -> Generator["Store"]:
    """Open the store at a URL. Raises `InputError` where the extra is missing or the URL is none, `StoreUnavailableError`."""
    if missing := [module for module in ("sqlalchemy", "psycopg") if find_spec(module) is None]:
        raise InputError(f"{', '.join(missing)} is not installed; install the store: pip install 'dispute-fsm[cli,sql]'")
    from dispute_fsm.store.store import Store  # noqa: PLC0415 -- what it imports may be missing, and then the lines above say so

    store = Store(url)
    try:
        yield store
    finally:
        store.close()
