"""All that a guard may look at: one decision's situation, flat, frozen, without any way to the outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dispute_fsm.domain.commands import Command
from dispute_fsm.domain.enums import Deadline, Option, Outcome
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import Policy
from dispute_fsm.machine.guard_result import GuardResult


@dataclass(frozen=True, slots=True)
class Case:
    """The situation in which a command is judged.

    `deadlines` are those that stand, with their due instants; `running` those of them that the present state acts on, for
    each region that still runs (one, where nothing runs side by side). `liability` is that of the region that has failed.
    `submissions` counts the evidence handed in so far, `extra_rounds` the adjudicator's further requests.
    `facts` is None where nobody asked the order system. `findings` remembers each guard's answer, so that a guard shared
    by several rows looks once per decision.
    """

    command: Command
    now: datetime
    policy: Policy
    merchant_id: str
    consumer_id: str
    facts: OrderFacts | None = None
    option: Option | None = None
    agreed_until: datetime | None = None
    confirmed: bool = False
    deadlines: Mapping[Deadline, datetime] = field(default_factory=dict[Deadline, datetime])
    running: tuple[tuple[Deadline, ...], ...] = ()
    submissions: int = 0
    extra_rounds: int = 0
    liability: Outcome | None = None
    findings: dict[str, GuardResult] = field(default_factory=dict[str, GuardResult])
