"""Disputes in a host's own tests: given, when, then, and the pytest plugin.

The names are those of scenario files, and so is what runs: the real `Disputes` with an order system
in memory.

    with given("2023-03-28T10:00:00+08:00", policy={"silence": "denial"}) as case:
        case.when("+1h", "choose_option", option="already_shipped").then(
            refused=["not_shipped", "no_pickup_scan"]
        )
        case.order("+2h", shipment={"shipped_at": "2023-03-28T11:30:00+08:00", "waybill": "W1"})
        case.when("+3h", "choose_option", option="out_of_stock_refund").then(
            state="awaiting_confirmation"
        )
        case.when("+28h", "sweep").then(state="penalized", outcome="out_of_stock")

A refusal or an error that the next `then` does not name fails the test, also where there is no
`then`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["DisputeCase", "Given", "Then", "given", "given_history"]

if TYPE_CHECKING:
    from dispute_fsm.testing.case import DisputeCase, Given, Then, given, given_history
else:  # so that a type checker knows the names above, and reports a misspelt one

    def __getattr__(name: str) -> object:
        """Import a name when it is used: every test run imports this package for the plugin."""
        if name in __all__:
            return getattr(import_module("dispute_fsm.testing.case"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
