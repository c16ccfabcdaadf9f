"""Exceptions: what went wrong outside the rules.

A command that the rules refuse is never an exception: it is a `Refused` value with codes (see
`dispute_fsm.decider.decisions`). An exception means that no decision could be made.
"""

from typing import Any, Self


class DisputeError(Exception):
    """The base class of every exception that this package raises on purpose. All can be pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        # By default, Python calls the class with `args`. They have only the message, but `__init__`
        # of a subclass may need more.
        return _blank, (type(self), *self.args), self.__dict__


def _blank(error: type[DisputeError], *args: object) -> DisputeError:
    return error.__new__(error, *args)


class InputError(DisputeError):
    """An input is invalid.

    The message says where (file, line, field) as far as that is known, what is wrong, and what to
    do.
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
        """Return the same error with this file and line where it had none."""
        return type(self)(
            self.message, file=self.file or file, line=self.line or line, field=self.field
        )

    def __str__(self) -> str:
        location = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return ": ".join(part for part in (location, self.field, self.message) if part)


class UnknownDisputeError(InputError):
    """No dispute has this id in the database or the history."""


class ChartError(DisputeError):
    """A chart (the declaration of a rule version) is invalid and cannot be compiled."""


class ImpossibleEventError(DisputeError):
    """An event cannot follow in this dispute.

    It is out of sequence or of another dispute, or the chart has no such transition.
    """


class ClockWentBackError(DisputeError):
    """A command is dated before the dispute's last event.

    Business time never goes back within a dispute.
    """


class FactsNeededError(DisputeError):
    """`decide` was called without facts, but the selected transition has a guard that needs them.

    Call `needs_facts` first.
    """


class StaleFactsError(DisputeError):
    """Facts are older than `max_facts_age`, dated after the command, or of another order."""


class OrderSystemUnavailableError(DisputeError):
    """The order system cannot answer now.

    Unknown is not false: nothing is decided and nothing appended. Try again later.
    """


class IntegrityError(DisputeError):
    """A record does not match its hash, its chain or its commitments: somebody changed it.

    `field` is the member that does not match.
    """

    def __init__(self, message: str, field: str) -> None:
        self.field = field
        super().__init__(message)


class StoreUnavailableError(DisputeError):
    """The database cannot be reached, is locked or full, or closed the connection.

    Nothing is half-written. Where the connection broke during a commit, nobody knows whether it
    succeeded: send the same command with the same key again.
    """


class StoreInvalidError(DisputeError):
    """The database answers, but it is damaged, has other tables, or denies permission for ours.

    Trying again does not help: somebody must change the database, the permissions or the URL. The
    message includes the database's own. Nothing is half-written.
    """


class ConflictError(DisputeError):
    """The dispute was modified concurrently too often. Nothing happened: send the command again."""


class SinkUnavailableError(DisputeError):
    """Raised by a sink of the feed that cannot take any event now.

    Delivery stops there, and the next one continues from that event.
    """
