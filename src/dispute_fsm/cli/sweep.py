"""`dispute-fsm sweep`: fire the deadlines that have passed, once or continuously."""

import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from dispute_fsm.cli.app import Exit
from dispute_fsm.cli.arguments import LANG, JsonOption, LangOption
from dispute_fsm.cli.command import command
from dispute_fsm.cli.db import DbOption, open_store
from dispute_fsm.cli.messages import SWEEP
from dispute_fsm.cli.output import print_json, print_line
from dispute_fsm.domain.scalars import parse_duration
from dispute_fsm.errors import InputError, OrderSystemUnavailableError
from dispute_fsm.orders import OrderSystem


class NoOrderSystem:
    """The order system where none was named: it cannot answer."""

    def look(self, order_id: str, now: object) -> None:
        """Raise: unknown is not false."""
        del now
        raise OrderSystemUnavailableError(
            f"no order system was named to ask about order {order_id}: give --orders"
        )


@command("sweep")
def sweep_command(
    url: DbOption,
    forever: Annotated[
        bool,
        typer.Option(
            "--forever",
            help="Go on until SIGTERM or SIGINT, sleeping until the next deadline is due.",
        ),
    ] = False,
    orders: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:NAME",
            help=(
                "Your order system, or a function that makes it; without one, deadlines that need "
                "it stay pending."
            ),
        ),
    ] = None,
    behind: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help=(
                "Fire only what has been overdue for longer than this, e.g. 2m: an engine that "
                "fires deadlines has the first turn."
            ),
        ),
    ] = "0s",
    as_json: JsonOption = False,
    lang: LangOption = LANG,
) -> Exit:
    """Fire every deadline that has passed, once or continuously.

    Any number of sweepers may run at once.

    Examples:
      dispute-fsm sweep --db sqlite:///disputes.db
      dispute-fsm sweep --db sqlite:///disputes.db --orders shop:order_system

    Exit code: 0 done; 1 a dispute could not be processed; 3 the database cannot be reached, or a
    deadline stays pending because the order system cannot answer. With --forever these are tried
    again, and the exit code is 0 once it was stopped.

    """
    try:
        left = parse_duration(behind)
    except ValueError as error:
        raise InputError(str(error), field="--behind") from None
    system = NoOrderSystem() if orders is None else _order_system(orders)
    with open_store(url) as store:
        from dispute_fsm.service import DisputeService  # noqa: PLC0415 -- `open_store` has checked that the extra is installed

        service = DisputeService(store, system)
        if forever:
            sweeper = service.sweeper(behind=left)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda _number, _frame: sweeper.stop())
            swept = sweeper.run()
        else:
            swept = service.sweep(behind=left)
    counts = {"fired": swept.fired, "pending": swept.pending, "failed": swept.failed}
    if as_json:
        print_json(counts)
    else:
        print_line(SWEEP(lang, "summary", **counts))
    if forever or not (swept.pending or swept.failed):
        return Exit.OK
    return Exit.FAILED if swept.failed else Exit.UNAVAILABLE


def _order_system(path: str) -> OrderSystem:
    """Import the host's order system, from the present folder too. Raises `InputError`."""
    module, _, name = path.partition(":")
    if not module or not name.isidentifier():
        raise InputError(
            f"{path:.60}: write MODULE:NAME, e.g. shop.orders:order_system", field="--orders"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        value: Any = getattr(import_module(module), name, None)
    except ImportError as error:
        raise InputError(f"{module} cannot be imported: {error}", field="--orders") from None
    if value is None:
        raise InputError(f"there is no {name} in {module}", field="--orders")
    system = value() if not hasattr(value, "look") or isinstance(value, type) else value
    if not hasattr(system, "look"):
        raise InputError(
            f"{path} is not an order system: it has no look(order_id, now)", field="--orders"
        )
    return cast("OrderSystem", system)
