"""Faults: what went wrong outside the rules.

A rule that says no is never an exception: it is a `Refused` value with codes (see
`dispute_fsm.decider.decisions`). An exception means that the question could not be put or answered
at all.
"""

from typing import Any, Self


class DisputeError(Exception):
    """Root of everything that this package raises on purpose; like every exception here it can be pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class with `args`, which hold the text alone, whatever else its
        # `__init__` wants.
        return _blank, (type(self), *self.args), self.__dict__


def _blank(error: type[DisputeError], *args: object) -> DisputeError:
    return error.__new__(error, *args)


class InputError(DisputeError):
    """Something that a person or a program handed in cannot be read.

    Says where (file, line, field) as far as it is known, what is wrong, and what to do.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        field: str | None = None,
    ) -> None:
        self.message = message
        self.file = file
        self.line = line
        self.field = field
        super().__init__(str(self))

    def within(self, file: str, line: int | None = None) -> Self:
        """Return the same error with its place, as far as it was not known yet."""
        return type(self)(
            self.message, file=self.file or file, line=self.line or line, field=self.field
        )

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return ": ".join(part for part in (place, self.field, self.message) if part)


class UnknownDisputeError(InputError):
    """There is no dispute of this id, in the database or in the history that was looked at."""


class ChartError(DisputeError):
    """A chart (the declaration of a rule version) cannot be compiled, or contradicts itself."""


class ImpossibleEventError(DisputeError):
    """An event that cannot have happened to this dispute: wrong order, wrong dispute, or no such edge in its chart."""


class ClockWentBackError(DisputeError):
    """A command carries an instant before the dispute's last event; business time never goes back within a dispute."""


class FactsNeededError(DisputeError):
    """`decide` was called without facts although a requirement of the selected row looks at them; ask `needs_facts` first."""


class StaleFactsError(DisputeError):
    """Facts are older than `max_facts_age`, dated after the command, or of another order."""


class OrderSystemUnavailableError(DisputeError):
    """The order system cannot answer now. Unknown is not false: nothing is decided, nothing appended; try again later."""


class IntegrityError(DisputeError):
    """A record does not fit its hash, its chain or its commitments: it was changed after it was written. `field` is what does not fit."""

    def __init__(self, message: str, field: str) -> None:
        self.field = field
        super().__init__(message)


class StoreUnavailableError(DisputeError):
    """The database cannot be reached, is locked or full, or went away; nothing is half-written.

    Where it went away while it was committing, nobody knows whether it did: send the same command
    with the same key again.
    """


class StoreInvalidError(DisputeError):
    """The database answers, but trying again does not help: it is damaged, has other tables, or gives no right to ours.

    Says what the database said. Somebody has to change the database, the rights or the URL; nothing
    is half-written.
    """


class ConflictError(DisputeError):
    """Others kept changing the dispute while a command was decided; nothing happened, send it again."""


class SinkUnavailableError(DisputeError):
    """Raised by a sink of the feed that cannot take any event now; delivery stops there and goes on from there next time."""
