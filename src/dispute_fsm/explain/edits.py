"""The ways in which a supposed course differs from the record, one value for each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import ClassVar

from dispute_fsm.domain.commands import (
    ChooseOption,
    Command,
    ConfirmAgreement,
    DenyAgreement,
    SubmitEvidence,
)
from dispute_fsm.domain.enums import Option, Role
from dispute_fsm.domain.reasons import Reason
from dispute_fsm.explain.supposed_facts import Hands, SupposedFact


class EditKind(IntEnum):
    """What is supposed to have been otherwise, the smallest supposition first."""

    MOMENT = 1
    PAYLOAD = 2
    ACT = 3
    FACTS = 4
    DROPPED = 5
    POLICY = 6


OF_ROLE = {
    Role.MERCHANT: (Hands.MERCHANT,),
    Role.CONSUMER: (Hands.CONSUMER,),
    Role.ADJUDICATOR: (Hands.PLATFORM,),
    Role.SYSTEM: (Hands.PLATFORM,),
}
"""In whose hands an act of a role lies."""

_AGREED = frozenset(Option) - {Option.PROVE_NO_FAULT}
"""The options that claim an agreement: to choose one is advice only where that is true."""


def _sent(command: Command) -> tuple[str, ...]:
    """Return what tells commands apart: the type, and the option."""
    option = command.option if isinstance(command, ChooseOption) else ""
    return command.type.value, option


def _hands(command: Command) -> tuple[Hands, ...]:
    """Return in whose hands a command lies; an agreed date takes both sides."""
    if isinstance(command, ChooseOption) and command.option is Option.SHIP_BY_AGREED_DATE:
        return (Hands.MERCHANT, Hands.CONSUMER)
    return OF_ROLE[command.by.role]


@dataclass(frozen=True, slots=True)
class Moved:
    """A refused attempt, sent earlier.

    At an instant (UTC) at which it was just in time; or before a recorded event, at its time.
    """

    kind: ClassVar = EditKind.MOMENT
    presupposes: ClassVar = False
    seq: int
    command: Command
    was: datetime
    at: datetime
    before: int | None = None

    @property
    def earlier(self) -> timedelta:
        """By how much it was too late."""
        return self.was - self.at

    @property
    def hands(self) -> tuple[Hands, ...]:
        """In whose hands it lies."""
        return _hands(self.command)

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it apart from other edits."""
        return ("moved", *_sent(self.command))

    @property
    def size(self) -> float:
        """How far it is from the record, among edits of its kind."""
        return self.earlier.total_seconds()


@dataclass(frozen=True, slots=True)
class Completed:
    """An attempt that was refused for what it said, with what it lacked.

    `reasons` are those that it would not have met, `one_less` the same command one step nearer to
    what was sent: each is refused. For an accepted choice there are none: `until` is the latest
    instant that it might have named.
    """

    kind: ClassVar = EditKind.PAYLOAD
    seq: int
    command: Command
    reasons: tuple[Reason, ...] = ()
    one_less: tuple[Command, ...] = ()
    until: datetime | None = None

    @property
    def presupposes(self) -> bool:
        """Whether it claims an agreement on another date, which has to be true."""
        return self.until is not None and not self.reasons

    @property
    def hands(self) -> tuple[Hands, ...]:
        """In whose hands it lies."""
        return _hands(self.command)

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it apart from other edits."""
        return ("completed", *_sent(self.command))

    @property
    def size(self) -> float:
        """How far it is from the record, among edits of its kind."""
        return float(len(self.reasons))


@dataclass(frozen=True, slots=True)
class Acted:
    """A command that nobody sent, or that was sent instead of the recorded one `instead_of`.

    `after` is the recorded event that it follows. It is sent at a due instant (UTC), or before a
    recorded event, at its time. `reasons` are the reasons of the catalogue that
    evidence may give. `until` is the limit of what may be agreed on, or what it is extended to.
    """

    kind: ClassVar = EditKind.ACT
    after: int
    command: Command
    at: datetime
    before: int | None = None
    instead_of: int | None = None
    reasons: tuple[str, ...] = ()
    until: datetime | None = None

    @property
    def presupposes(self) -> bool:
        """Whether it claims an agreement, or that there was none: that has to be true."""
        command = self.command
        if isinstance(command, ChooseOption):
            return command.option in _AGREED
        return isinstance(command, ConfirmAgreement | DenyAgreement)

    @property
    def seq(self) -> int:
        """The recorded event that it rests on."""
        return self.instead_of or self.before or self.after

    @property
    def hands(self) -> tuple[Hands, ...]:
        """In whose hands it lies."""
        return _hands(self.command)

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it apart from other edits."""
        return ("acted", *_sent(self.command))

    @property
    def size(self) -> float:
        """How far it is from the record, among edits of its kind."""
        count = len(self.command.vouchers) if isinstance(self.command, SubmitEvidence) else 0
        return float(count)


@dataclass(frozen=True, slots=True)
class Shown:
    """Facts that the order system would have shown, each no later than `by` (UTC).

    `was` are the dates that the record has for them.
    """

    kind: ClassVar = EditKind.FACTS
    presupposes: ClassVar = False
    seq: int
    facts: tuple[SupposedFact, ...]
    by: datetime
    was: tuple[datetime | None, ...] = field(default=())

    @property
    def hands(self) -> tuple[Hands, ...]:
        """In whose hands they lie."""
        return tuple(dict.fromkeys(hand for fact in self.facts for hand in fact.hands))

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it apart from other edits."""
        return ("shown", *sorted(fact.name for fact in self.facts))

    @property
    def size(self) -> float:
        """How far it is from the record, among edits of its kind."""
        late = sum((was - self.by).total_seconds() for was in self.was if was and was > self.by)
        return len(self.facts) * 1e9 + late


@dataclass(frozen=True, slots=True)
class Dropped:
    """A person's accepted act that was not done."""

    kind: ClassVar = EditKind.DROPPED
    presupposes: ClassVar = False
    size: ClassVar = 0.0
    seq: int
    command: Command

    @property
    def hands(self) -> tuple[Hands, ...]:
        """In whose hands it lies."""
        return OF_ROLE[self.command.by.role]

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it apart from other edits."""
        return ("dropped", str(self.seq))


@dataclass(frozen=True, slots=True)
class OtherPolicy:
    """A field of the policy with another value, in the hands of the platform."""

    kind: ClassVar = EditKind.POLICY
    presupposes: ClassVar = False
    hands: ClassVar = (Hands.PLATFORM,)
    seq: int
    name: str
    value: object
    size: float = 0.0

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it apart from other edits."""
        return ("policy", self.name)


Edit = Moved | Completed | Acted | Shown | Dropped | OtherPolicy
"""One supposition."""


def hands_of(edits: Sequence[Edit]) -> tuple[Hands, ...]:
    """Return in whose hands edits lie, together."""
    return tuple(dict.fromkeys(hand for edit in edits for hand in edit.hands))
