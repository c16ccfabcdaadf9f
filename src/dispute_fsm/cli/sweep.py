"""`dispute-fsm sweep`: fire what has passed, once or for ever."""

import signal
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from dispute_fsm.cli.app import Exit, JsonOption, emit, reported, say
from dispute_fsm.cli.store import DbOption, opened_store
from dispute_fsm.errors import InputError, OrderSystemUnavailableError
from dispute_fsm.orders import OrderSystem

if TYPE_CHECKING:
    from dispute_fsm.service.sweeper import Runner


class NobodyToAsk:
    """Stands for the order system where none was named: it cannot answer."""

    def look(self, order_id: str, now: object) -> None:
        """Raise: unknown is not false."""
        del now
        raise OrderSystemUnavailableError(
            f"no order system was named, so nobody can be asked about order {order_id}: give "
            "--orders"
        )


@reported
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
    as_json: JsonOption = False,
) -> Exit:
    """Fire every deadline that has passed. Any number of sweepers may run, on any number of machines.

    Example: dispute-fsm sweep --db sqlite:///disputes.db --orders shop.orders:order_system

    Exit code: 0 done; 1 a dispute could not be worked on; 3 the database cannot be reached, or a
    deadline stays pending because the order system cannot answer. With --forever these are tried
    again, and the exit code is 0 once it was stopped.
    """
    asked = NobodyToAsk() if orders is None else _order_system(orders)
    with opened_store(url) as store:
        from dispute_fsm.service import DisputeService  # noqa: PLC0415 -- the extra is there, `opened_store` has seen to it

        service = DisputeService(store, asked)
        if forever:
            runner = service.runner()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, partial(_stop, runner))
            swept = runner.run()
        else:
            swept = service.sweep()
    if as_json:
        emit({"fired": swept.fired, "pending": swept.pending, "failed": swept.failed})
    else:
        say(f"fired {swept.fired}, pending {swept.pending}, failed {swept.failed}")
    if forever or not (swept.pending or swept.failed):
        return Exit.WELL
    return Exit.FELL_SHORT if swept.failed else Exit.UNREACHABLE


def _stop(runner: "Runner", _number: int, _frame: object) -> None:
    runner.stop()


def _order_system(named: str) -> OrderSystem:
    """Import the host's order system, from the present folder too. Raises `InputError` where there is none of that name."""
    module, _, name = named.partition(":")
    if not module or not name.isidentifier():
        raise InputError(
            f"{named:.60}: write MODULE:NAME, e.g. shop.orders:order_system", field="--orders"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = getattr(import_module(module), name, None)
    except ImportError as error:
        raise InputError(f"{module} cannot be imported: {error}", field="--orders") from None
    if found is None:
        raise InputError(f"there is no {name} in {module}", field="--orders")
    system = found() if not hasattr(found, "look") or isinstance(found, type) else found
    if not hasattr(system, "look"):
        raise InputError(
            f"{named} is no order system: it has no look(order_id, now)", field="--orders"
        )
    return cast("OrderSystem", system)
