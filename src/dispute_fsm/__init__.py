"""Disputes about parcels that do not move (催单), as explicit state machines.

The merchant answers a dispute with exactly one of five responses; the order system's facts decide
which are open, and deadlines, the consumer and an adjudicator decide how it ends. Begin with
`Disputes`, which opens disputes, takes commands and acts on deadlines for a host that keeps the
events, or with `DisputeService`, which keeps them in a `Store` (extra `sql`). Below them everything
is pure: `decide` and `evolve` for hosts that want to see every step, `options` and `checklist` for
a merchant's page. A refusal is a value with codes; an exception means that the question could not
be put or answered.

`dispute_fsm.commands` has the commands and `dispute_fsm.events` the audit events, one class for
each type. `dispute_fsm.errors` has every exception, `dispute_fsm.testing` given / when / then,
`dispute_fsm.history` what reads and writes history files.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from dispute_fsm.version import VERSION

__version__ = VERSION

if TYPE_CHECKING:
    from dispute_fsm.public import *  # noqa: F403 -- the names stand in `public.__all__`, once
    from dispute_fsm.public import __all__ as __all__
else:  # so that a type checker knows the names above, and finds a misspelt one

    def __getattr__(name: str) -> object:
        """Import what is offered when it is first asked for.

        The pytest plugin is a part of this package, so every test run of an environment imports it,
        disputes or not.
        """
        if not name.startswith("__") or name == "__all__":
            public = import_module("dispute_fsm.public")
            if name == "__all__":
                return public.__all__
            if name in public.__all__:
                value = globals()[name] = getattr(public, name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted([*globals(), *__getattr__("__all__")])
