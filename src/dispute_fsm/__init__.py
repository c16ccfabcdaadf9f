"""Disputes about parcels that do not move (催单), as explicit state machines.

The merchant gives exactly one of five responses. The order system's facts decide which of them are
open; deadlines, the consumer and an adjudicator decide how the dispute ends.

Begin with `Disputes`, for hosts that store the events themselves, or with `DisputeService`, which
stores them in a `Store` (extra `sql`). Both open disputes, handle commands and fire deadlines.
Everything below them is pure: `decide` and `evolve` for hosts that do each step themselves,
`options` and `checklist` for a merchant's page. A refusal is a value with codes; an exception means
that no decision could be made.

`dispute_fsm.commands` has the commands and `dispute_fsm.events` the audit events, one class for
each type. `dispute_fsm.errors` has every exception, `dispute_fsm.testing` has given / when / then,
and `dispute_fsm.history` reads and writes history files.
"""

from importlib import import_module

from dispute_fsm.version import VERSION

__version__ = VERSION

TYPE_CHECKING = False  # as in `typing`, whose import takes as long as that of this module
if TYPE_CHECKING:
    from dispute_fsm.public import *  # noqa: F403 -- the names are listed in `public.__all__`
    from dispute_fsm.public import __all__ as __all__
else:  # not for type checkers: they know the names above, and report a misspelt one

    def __getattr__(name: str) -> object:
        """Import the public names when one of them is first used.

        The pytest plugin is a part of this package, so every test run of an environment imports the
        package, even where no test uses it.
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
