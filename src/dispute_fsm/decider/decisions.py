"""What comes of a command: accepted, refused, unchanged, repeated or stale. All are values."""

from dataclasses import dataclass, field

from dispute_fsm.domain.enums import RefusalCode
from dispute_fsm.domain.events import AuditEvent, CommandRefused
from dispute_fsm.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command is accepted: append the event. `hashed` are the bytes that its hash covers."""

    event: AuditEvent
    hashed: bytes = field(repr=False)

    def __repr__(self) -> str:
        return f"Accepted({self.event!r})"


@dataclass(frozen=True, slots=True)
class Refused:
    """The command is refused, for every reason there is.

    `event` records it, and `hashed` are the bytes that its hash covers; None where no record is
    kept.
    """

    reasons: tuple[Reason, ...]
    event: CommandRefused | None = None
    hashed: bytes | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Refused({', '.join(self.codes)})"

    @property
    def codes(self) -> tuple[RefusalCode, ...]:
        """The reasons' codes, in the order in which they were found."""
        return tuple(reason.code for reason in self.reasons)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing was asked for and nothing changes; nothing is appended."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """The key was used before for the same command: `event` records it; nothing is appended."""

    event: AuditEvent

    def __repr__(self) -> str:
        return f"Repeated({self.event!r})"


@dataclass(frozen=True, slots=True)
class Stale:
    """The dispute has another revision than the sender expects; nothing is decided or appended.

    `revision` is the one that it has.
    """

    revision: int


Decision = Accepted | Refused | Unchanged | Repeated
"""What may come of a command that is decided."""
