"""What a scenario contains: one dispute, what happens to it, and the expected result."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator

from dispute_fsm.domain.commands import Command, OpenDispute
from dispute_fsm.domain.enums import Outcome, RefusalCode, StateName
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.scalars import Named, Series, Strict, Whole


def not_null(value: object) -> object:
    """Require a value: null is not the same as leaving the field out."""
    if value is None:
        raise ValueError("null is not allowed: give a value, or leave the field out")
    return value


NotNull = AfterValidator(not_null)
State = Annotated[Named[StateName] | None, NotNull]
Refusals = Annotated[Series[Named[RefusalCode]] | None, NotNull]


def _only_true(value: bool) -> bool:  # noqa: FBT001 -- a validator
    if not value:
        raise ValueError("only true is allowed; otherwise leave the field out")
    return value


Flag = Annotated[Annotated[bool, AfterValidator(_only_true)] | None, NotNull]


class Expect(Strict):
    """The expected result of a step; every field that is given is checked."""

    state: State = None
    refused: Refusals = None
    error: Annotated[Literal["order_system_unavailable"] | None, NotNull] = None
    repeated: Flag = None
    unchanged: Flag = None


class ExpectEnd(Strict):
    """The expected result of the whole: end state, outcome, number of events.

    `refused` is about the opening. An `outcome` of null, if it is given, means that there is none.
    """

    state: State = None
    outcome: Named[Outcome] | None = None
    events: Annotated[Whole | None, NotNull] = None
    refused: Refusals = None


@dataclass(frozen=True, slots=True)
class FactsChange:
    """The order system shows other facts from now on; nobody is notified."""

    order: Order


@dataclass(frozen=True, slots=True)
class Availability:
    """The order system stops or starts answering."""

    available: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """Every deadline that has passed fires."""


@dataclass(frozen=True, slots=True)
class ScenarioStep:
    """One step: its time (UTC), its line in the file, its action and the expected result."""

    at: datetime
    line: int
    action: FactsChange | Availability | Sweep | Command
    expect: Expect


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario file. `order` is None if the order system knows no such order."""

    file: str
    title: str
    opening: OpenDispute
    opened_at: datetime
    order: Order | None
    steps: tuple[ScenarioStep, ...]
    expect: ExpectEnd
    expect_line: int
