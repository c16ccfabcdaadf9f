"""The port to the order system, and an implementation in memory for tests and scenarios."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from dispute_fsm.documents.source import validate
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.errors import OrderSystemUnavailableError


class OrderSystem(Protocol):
    """What the package needs of an order system. The host implements it."""

    def look(self, order_id: str, now: datetime) -> OrderFacts | None:
        """Return the current facts of an order; None where the order does not exist.

        `observed_at` of the facts is `now`, and not the time of another clock.

        Raises `OrderSystemUnavailableError` where it cannot answer: unknown is not false, and the
        command can be sent again.
        """
        ...


class AsyncOrderSystem(Protocol):
    """An order system that is awaited, for hosts with asyncio.

    `AsyncDisputeService` asks it on the event loop that called.
    """

    async def look(self, order_id: str, now: datetime) -> OrderFacts | None:
        """Return the current facts of an order, as `OrderSystem.look` does."""
        ...


class InMemoryOrderSystem:
    """An order system in memory. It counts its calls in `looks`.

    An order may be a mapping of its facts; an instant in it is an aware datetime or RFC 3339 text.
    Raises `InputError` that names an invalid fact.
    """

    def __init__(
        self,
        orders: Mapping[str, Order | Mapping[str, object]] | None = None,
        *,
        name: str = "memory",
    ) -> None:
        self.name = name
        self.available = True
        self.looks = 0
        self._orders = {order_id: _order(order) for order_id, order in (orders or {}).items()}
        self._revisions = dict.fromkeys(self._orders, 1)

    def put(self, order_id: str, order: Order | Mapping[str, object]) -> None:
        """Set the facts of an order. Nobody is notified."""
        self._orders[order_id] = _order(order)
        self._revisions[order_id] = self._revisions.get(order_id, 0) + 1

    def look(self, order_id: str, now: datetime) -> OrderFacts | None:
        """Return the facts of an order, as `OrderSystem.look` does.

        Raises `OrderSystemUnavailableError` while `available` is false.
        """
        self.looks += 1
        if not self.available:
            msg = (
                f"the order system ({self.name}) cannot answer for order {order_id} now; send the "
                "command again later"
            )
            raise OrderSystemUnavailableError(msg)
        order = self._orders.get(order_id)
        if order is None:
            return None
        return OrderFacts.model_validate(
            {
                **dict(order),
                "order_id": order_id,
                "asked": self.name,
                "observed_at": now,
                "revision": str(self._revisions[order_id]),
            }
        )


def _order(order: Order | Mapping[str, object]) -> Order:
    return order if isinstance(order, Order) else validate(Order, order)
