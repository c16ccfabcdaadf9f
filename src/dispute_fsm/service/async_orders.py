"""An order system that is awaited, for commands that run in threads.

The event loop whose call needs facts asks for them; the call's thread waits meanwhile.
"""

import asyncio
from asyncio import AbstractEventLoop
from concurrent.futures import CancelledError, wait
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from inspect import iscoroutinefunction
from typing import cast

from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.errors import InputError, OrderSystemUnavailableError
from dispute_fsm.orders import AsyncOrderSystem, OrderSystem

CALLING_LOOP = ContextVar[AbstractEventLoop]("CALLING_LOOP")
"""The event loop of the call that runs in this thread; `AsyncDisputeService` sets it."""

_CHECK_INTERVAL = 0.5
"""How many seconds to wait at most before checking that the event loop still runs."""


def waiting(orders: OrderSystem | AsyncOrderSystem) -> OrderSystem:
    """Return an order system that can be asked in a thread."""
    if iscoroutinefunction(orders.look):
        return AwaitedOrders(cast("AsyncOrderSystem", orders))
    return cast("OrderSystem", orders)


@dataclass(frozen=True, slots=True)
class AwaitedOrders:
    """Asks an order system on the calling event loop, and waits."""

    orders: AsyncOrderSystem

    def look(self, order_id: str, now: datetime) -> OrderFacts | None:
        """Return the current facts of an order, as `OrderSystem.look` does.

        Raises `InputError` where no event loop has called, and `OrderSystemUnavailableError` where
        it has ended meanwhile.
        """
        loop = CALLING_LOOP.get(None)
        if loop is None:
            raise InputError(
                "this order system is awaited: call an AsyncDisputeService", field="orders"
            )
        looking = self.orders.look(order_id, now)
        try:
            asked = asyncio.run_coroutine_threadsafe(looking, loop)
        except RuntimeError:  # it is closed
            looking.close()
            raise _ended(order_id) from None
        while not wait([asked], _CHECK_INTERVAL).done:
            if loop.is_closed():  # it will never run what was scheduled
                raise _ended(order_id)
        try:
            return asked.result()
        except CancelledError:
            raise _ended(order_id) from None


def _ended(order_id: str) -> OrderSystemUnavailableError:
    return OrderSystemUnavailableError(
        f"the event loop ended before it had facts of order {order_id}"
    )
