"""The port to the order system, and one in memory for tests, scenarios and first steps."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from dispute_fsm.documents.source import validate
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.errors import OrderSystemUnavailableError


class OrderSystem(Protocol):
    """What the package needs of an order system; the host implements it over whatever it has."""

    def look(self, order_id: str, now: datetime) -> OrderFacts | None:
        """Return what the order system shows now; None where it knows no such order.

        `observed_at` of the answer is `now`, the instant that the question is about, not the
        reading of another clock.

        Raises `OrderSystemUnavailableError` where it cannot answer: unknown is not false, the
        command may be sent again.
        """
        ...


class InMemoryOrderSystem:
    """An order system whose facts are set by hand; it counts how often it was asked.

    An order may be given as a mapping of its facts, in which an instant is an aware datetime or RFC
    3339 text. Raises `InputError` that names the fact which cannot be read.
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
        """Let the order system show this order from now on; nobody is notified."""
        self._orders[order_id] = _order(order)
        self._revisions[order_id] = self._revisions.get(order_id, 0) + 1

    def look(self, order_id: str, now: datetime) -> OrderFacts | None:
        """Answer as `OrderSystem.look` says; unavailable while `available` is false."""
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
