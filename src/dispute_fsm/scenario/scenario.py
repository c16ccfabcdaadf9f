"""What a scenario says: one dispute, what happens to it, and what must come of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator

from dispute_fsm.rules.commands import Command, OpenDispute
from dispute_fsm.rules.facts import Order
from dispute_fsm.rules.strict import Named, Series, Strict, Whole
from dispute_fsm.rules.vocabulary import Outcome, RefusalCode, StateName

Codes = Series[Named[RefusalCode]]


def not_null(value: object) -> object:
    """Require a value: what is not expected is left out."""
    if value is None:
        raise ValueError("leave it out, or name something")
    return value


def _true(value: bool) -> bool:  # noqa: FBT001 -- a validator
    if not value:
        raise ValueError("only true can be expected; else leave it out")
    return value


State = Annotated[Named[StateName] | None, AfterValidator(not_null)]
Refusals = Annotated[Codes | None, AfterValidator(not_null)]
Flag = Annotated[Annotated[bool, AfterValidator(_true)] | None, AfterValidator(not_null)]


class Expect(Strict):
    """What must come of a step; everything that is named is checked."""

    state: State = None
    refused: Refusals = None
    error: Annotated[Literal["order_system_unavailable"] | None, AfterValidator(not_null)] = None
    repeated: Flag = None
    unchanged: Flag = None


class ExpectEnd(Strict):
    """What must have come of the whole: the end state, its outcome, how many events; `refused` is about the opening.

    An `outcome` of null, where it is given, means that there is none.
    """

    state: State = None
    outcome: Named[Outcome] | None = None
    events: Annotated[Whole | None, AfterValidator(not_null)] = None
    refused: Refusals = None


@dataclass(frozen=True, slots=True)
class FactsChange:
    """The order system shows something else from now on; nobody is notified."""

    order: Order


@dataclass(frozen=True, slots=True)
class Availability:
    """The order system stops or starts answering."""

    available: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """Every deadline that has passed is fired."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: when (UTC), on which line it stands, what happens, and what must come of it."""

    at: datetime
    line: int
    does: FactsChange | Availability | Sweep | Command
    expect: Expect


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario file. `order` is None where the order system knows no such order."""

    file: str
    title: str
    opening: OpenDispute
    opened_at: datetime
    order: Order | None
    steps: tuple[Step, ...]
    expect: ExpectEnd
    expect_line: int
