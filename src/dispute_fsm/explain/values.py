"""What an explanation says, as values that programs compare. They have no text.

`explanation` makes them of recorded events, `explanation_text` makes three sentences of them. A
clause is the id of a source of the dispute's rule version (`rules/sources.py`).
"""

from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PlainSerializer

from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Option,
    Outcome,
    RefusalCode,
    Role,
    StateName,
    VoucherKind,
)
from dispute_fsm.domain.events import Saw
from dispute_fsm.domain.scalars import (
    DueInstant,
    Identifier,
    Named,
    Series,
    Strict,
    Text,
    Whole,
    format_duration,
)

_MINUTE = timedelta(minutes=1)


def _exact(value: timedelta) -> str:
    """Write a duration to the microsecond: a margin may be less than a second."""
    if not value.microseconds:
        return format_duration(value)
    minutes, seconds = divmod(value, _MINUTE)
    digits = f"{seconds.total_seconds():.6f}".rstrip("0")
    return f"{format_duration(minutes * _MINUTE) if minutes else ''}{digits}s"


Exact = Annotated[timedelta, PlainSerializer(_exact, return_type=str)]
"""A duration that is not rounded, written like `1s` or `2h0.5s`."""


class Clause(Strict):
    """What something rests on: a source by its id, and whether it is stated (S) or assumed (A)."""

    id: str
    kind: Literal["S", "A"]


class Happening(Strict):
    """One event that made the dispute what it is, or would.

    `seq` is the number of the event. `role` acted, or is the system, which acted on a `deadline`
    that was `due`. `option` and `agreed_until` are those that stood, or were chosen. `answers` are
    what told this transition from others, by question. `outcome` is what it was judged as: of the
    dispute, or the liability for which a region failed (`region_failed`). `states` come after it.
    """

    seq: Whole
    at: DueInstant
    role: Named[Role]
    command: Named[CommandType]
    type: Named[EventType]
    option: Named[Option] | None
    deadline: Named[Deadline] | None
    due: DueInstant | None
    agreed_until: DueInstant | None
    answers: Saw
    outcome: Named[Outcome] | None
    region_failed: bool
    states: Series[Named[StateName]]
    clause: Clause


# ---- the margin ----------------------------------------------------------------------------------


class LateAct(Strict):
    """An act that would have counted, sent this much after the deadline."""

    type: Literal["late_act"] = "late_act"
    seq: Whole
    at: DueInstant
    role: Named[Role]
    command: Named[CommandType]
    option: Named[Option] | None
    due: DueInstant
    by: Exact
    clause: Clause


class FactMargin(Strict):
    """A fact of the order that lay this much after the agreed instant, or before it.

    `seq` is the event that looked at the order, `fact` the name under which guards record it.
    """

    type: Literal["fact"] = "fact"
    seq: Whole
    fact: Literal["shipped_at", "scanned_at"]
    at: DueInstant
    limit: DueInstant
    late: bool
    by: Exact
    clause: Clause


class MissingVouchers(Strict):
    """How many vouchers of a kind were missing."""

    kind: Named[VoucherKind]
    count: Whole


class AheadFact(Strict):
    """A fact that is dated after the order was looked at, by the name in `saw`."""

    fact: str
    at: DueInstant
    observed_at: DueInstant


class Lack(Strict):
    """One thing that was missing or too much: the refusal's code, and what the guard saw.

    `guard` is None where the record does not say which one refused.
    `vouchers` are those that were missing, `over` is how many bytes, files or characters there were
    too many. `ahead` are the facts that did not count because they are dated after the look.
    """

    code: Named[RefusalCode]
    guard: Text | None
    saw: Saw
    vouchers: Series[MissingVouchers]
    over: Whole | None
    ahead: Series[AheadFact]
    clause: Clause


class Shortfall(Strict):
    """The nearest attempt that was refused in time, or the order as it was found at the deadline.

    `lacks` are all reasons, `seq` and `at` those of the attempt or the look.
    """

    type: Literal["shortfall"] = "shortfall"
    seq: Whole
    at: DueInstant
    role: Named[Role]
    command: Named[CommandType]
    option: Named[Option] | None
    lacks: Annotated[Series[Lack], Field(min_length=1)]
    clause: Clause


class DecidedBy(Strict):
    """It was for this person to decide, so there is no margin.

    The system means that the order's facts decided.
    """

    type: Literal["decided_by"] = "decided_by"
    seq: Whole
    role: Named[Role]
    command: Named[CommandType]
    clause: Clause


class NoAttempt(Strict):
    """Nothing was ever handed in, so there is no margin to name.

    `role` had until `due` for one of the `commands`. `complete`: every attempt would be in the
    record; else the policy records only a number of refusals, which was reached.
    """

    type: Literal["no_attempt"] = "no_attempt"
    seq: Whole
    role: Named[Role]
    commands: Series[Named[CommandType]]
    due: DueInstant
    complete: bool
    clause: Clause


class NobodyLost(Strict):
    """The dispute was withdrawn, or its penalty was taken back: nobody bears a liability."""

    type: Literal["nobody"] = "nobody"
    clause: Clause


class Forecast(Strict):
    """What will happen to a live dispute if nobody acts: the expiries, one after the other.

    `on_facts`: a step depends on the order; the facts that were recorded last are used as if
    nothing changed. `open_end`: what comes next cannot be told from the record. `waits_for` are
    those for whom the dispute then waits without a limit; nobody where it ends.
    """

    type: Literal["forecast"] = "forecast"
    steps: Series[Happening]
    on_facts: bool
    open_end: bool
    waits_for: Series[Named[Role]]


Margin: TypeAlias = LateAct | FactMargin | Shortfall | DecidedBy | NoAttempt | NobodyLost | Forecast
"""How near it was; of a live dispute, what is to come."""


# ---- what can still be done ----------------------------------------------------------------------


class Remedy(Strict):
    """Something that can still be done: by whom, and until when (None: without a limit).

    `command` is None for what the order has to show: the shipment and pickup that were promised.
    """

    role: Named[Role]
    command: Named[CommandType] | None
    until: DueInstant | None


class Explanation(Strict):
    """Why a dispute ended so, or where it stands.

    It is as of the event `seq`; `zone` is that of the policy, in which its texts name times.
    `happened` are the events that made it so, in their order: where two regions failed, both, and
    `outcome` is the weightier of their liabilities. `lost` is who lost by it: usually the merchant
    by a penalty, the consumer where it was resolved; None for nobody, and while it is live.
    `remedies` are what can still be done.
    """

    dispute_id: Identifier
    rules: Identifier
    zone: str
    seq: Whole
    at: DueInstant
    states: Series[Named[StateName]]
    closed: bool
    outcome: Named[Outcome] | None
    happened: Annotated[Series[Happening], Field(min_length=1)]
    lost: Named[Role] | None
    margin: Annotated[Margin, Field(discriminator="type")]
    remedies: Series[Remedy]
