"""A dispute as it stands: a frozen value, folded from its events."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from dispute_fsm.domain.commands import NOTHING_REMEMBERED, Memory
from dispute_fsm.domain.enums import Deadline, Option, Outcome, StateName
from dispute_fsm.domain.events import AuditEvent, DisputeOpened
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.machine.transition_table import Configuration
from dispute_fsm.rules.registry import RuleVersion, rule_version


@dataclass(frozen=True, slots=True)
class Dispute:
    """One dispute. Made by `evolve` only; nothing in it changes, every event makes a new one.

    `policy` is the one it opened under and is kept to the end. `revision` counts accepted events,
    `seq` all events, `refusals` the recorded ones. `memory` is what later guards remember of the
    accepted commands. `liability` is that of the region that has failed, where regions run side by
    side. `keys` maps each idempotency key that was used up to the event that it led to.
    """

    opening: DisputeOpened
    policy: Policy
    path: str
    deadlines: Mapping[Deadline, datetime]
    keys: Mapping[str, AuditEvent]
    last_at: datetime
    last_hash: str
    seq: int = 1
    revision: int = 1
    memory: Memory = NOTHING_REMEMBERED
    refusals: int = 0
    liability: Outcome | None = None
    outcome: Outcome | None = None

    def __repr__(self) -> str:
        ended = "" if self.outcome is None else f", {self.outcome.value}"
        due = "".join(
            f", {deadline.value} due {format_instant(at)}" for deadline, at in self.running.items()
        )
        return f"Dispute({self.dispute_id} #{self.seq}: {', '.join(self.states)}{ended}{due})"

    @property
    def dispute_id(self) -> str:
        """The dispute's id."""
        return self.opening.dispute_id

    @property
    def order_id(self) -> str:
        """The order that the dispute is about."""
        return self.opening.order_id

    @property
    def merchant_id(self) -> str:
        """The merchant against whom it was opened."""
        return self.opening.merchant_id

    @property
    def consumer_id(self) -> str:
        """The consumer whose order it is."""
        return self.opening.consumer_id

    @property
    def rules(self) -> RuleVersion:
        """The rule version that it opened under. Raises `InputError` for an unknown one."""
        return rule_version(self.opening.rules)

    @property
    def configuration(self) -> Configuration[StateName, Deadline]:
        """Where it is, as the compiled chart knows it."""
        return self.rules.table.configurations[self.path]

    @property
    def option(self) -> Option | None:
        """The option that the merchant has chosen."""
        return self.memory.option

    @property
    def agreed_until(self) -> datetime | None:
        """The instant (UTC) until which the parties agreed that it ships; extensions move it."""
        return self.memory.agreed_until

    @property
    def confirmed(self) -> bool:
        """Whether the agreement is confirmed, by the consumer or by a ruling that upheld it."""
        return self.memory.confirmed

    @property
    def submissions(self) -> int:
        """How often the merchant has handed in evidence."""
        return self.memory.submissions

    @property
    def extra_rounds(self) -> int:
        """How often the adjudicator has asked for more evidence."""
        return self.memory.extra_rounds

    @property
    def state(self) -> StateName:
        """The leaf that it is in, or the parallel state."""
        return self.configuration.state

    @property
    def states(self) -> tuple[StateName, ...]:
        """The leaves that it is in: one, or one for each region of a parallel state."""
        return self.configuration.states

    @property
    def closed(self) -> bool:
        """Whether it is resolved or penalized."""
        return self.configuration.closed

    @property
    def closed_for_good(self) -> bool:
        """Whether it is closed and no deadline runs any more; only an annulment could change it."""
        return self.closed and not self.running

    @property
    def running(self) -> dict[Deadline, datetime]:
        """The deadlines that its state acts on once they pass, with their due instants."""
        standing = self.deadlines
        return {
            deadline: standing[deadline]
            for running in self.configuration.running
            for deadline in running
            if deadline in standing
        }

    @property
    def running_regions(self) -> tuple[tuple[Deadline, ...], ...]:
        """The same deadlines by region that still runs; without parallel states there is one."""
        return tuple(
            [
                tuple([deadline for deadline in running if deadline in self.deadlines])
                for running in self.configuration.running
            ]
        )


def next_due(
    dispute: Dispute, *, but: Collection[Deadline] = ()
) -> tuple[Deadline, datetime] | None:
    """Return the running deadline that is due first, with its due instant; None where none runs.

    The deadlines in `but` are left out.

    Its expiry is accepted only *after* that instant. Ties go in the order response, confirmation,
    promise, evidence.
    """
    order = list(Deadline)
    running = [item for item in dispute.running.items() if item[0] not in but]
    return min(running, key=lambda item: (item[1], order.index(item[0])), default=None)
