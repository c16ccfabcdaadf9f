"""The edge: ask the order system where needed, decide, log, fold. What a host calls who keeps its own store.

Everything below is pure; here facts, ids, salts and log lines come in. Time still comes from the host.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

import structlog

from dispute_fsm.dispute.chain import Stamp
from dispute_fsm.dispute.conclude import Opening, opening_needs_facts
from dispute_fsm.dispute.decide import decide
from dispute_fsm.dispute.decide import open_dispute as decide_opening
from dispute_fsm.dispute.dispute import Dispute, next_due
from dispute_fsm.dispute.events import AuditEvent
from dispute_fsm.dispute.evolve import begin, evolve
from dispute_fsm.dispute.judge import needs_facts
from dispute_fsm.dispute.refusals import Accepted, Decision, Refused, Unchanged
from dispute_fsm.errors import InputError, OrderSystemUnavailableError
from dispute_fsm.order_system import OrderSystem
from dispute_fsm.rules.commands import Actor, Command
from dispute_fsm.rules.facts import OrderFacts
from dispute_fsm.rules.strict import parse_instant
from dispute_fsm.rules.vocabulary import CommandType, Deadline, Role

log = structlog.stdlib.get_logger("dispute_fsm")

SYSTEM = Actor(role=Role.SYSTEM, id="system")
"""The actor of expiries that a sweep fires."""

StampMaker = Callable[[str, int], Stamp]
"""Makes the stamp of a dispute's event, given the dispute's id and the event's seq."""


def fresh_stamp(_dispute_id: str, _seq: int) -> Stamp:
    """Make a stamp from the machine's clock and randomness."""
    return Stamp(event_id=str(uuid4()), recorded_at=datetime.now(UTC), seed=secrets.token_bytes(32))


def instant(now: datetime) -> datetime:
    """Return the host's time in UTC. Raises `InputError` where it has no offset."""
    try:
        return parse_instant(now)
    except ValueError as error:
        raise InputError(str(error), field="now") from None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command: the decision, the event to append (None: nothing), and the dispute as it stands now."""

    decision: Decision
    event: AuditEvent | None
    dispute: Dispute


@dataclass(frozen=True, slots=True)
class Desk:
    """Takes openings and commands for a host that keeps events and disputes itself.

    `orders` is the host's order system; it is asked only where a requirement looks at facts. `stamp` gives ids and salts.
    """

    orders: OrderSystem
    stamp: StampMaker = fresh_stamp

    def open(
        self, opening: Opening, now: datetime, existing: Dispute | None = None, *, facts: OrderFacts | None = None
    ) -> Answer | Refused:
        """Open a dispute. `existing` is the one that has this id already. A refusal leaves no dispute and no event.

        `facts` is a snapshot that the host has at hand already; it may be as old as the policy's `max_facts_age`.

        Raises `OrderSystemUnavailableError`: nothing happened, try again; `StaleFactsError`.
        """
        now = instant(now)
        if facts is None and opening_needs_facts(existing, opening):
            facts = self.orders.look(opening.order_id, now)
        decision = decide_opening(existing, opening, facts, now, stamp=self.stamp(opening.dispute_id, 1))
        log_decision(opening.dispute_id, CommandType.OPEN_DISPUTE, opening.actor, decision)
        if isinstance(decision, Refused):
            return decision
        if isinstance(decision, Accepted):
            return Answer(decision, decision.event, begin(decision.event, opening.policy))
        return Answer(decision, None, cast("Dispute", existing))

    def submit(self, dispute: Dispute, command: Command, now: datetime, *, facts: OrderFacts | None = None) -> Answer:
        """Put a command to a dispute; append the answer's event and go on with its dispute.

        `facts` is a snapshot that the host has at hand already; it may be as old as the policy's `max_facts_age`. Without
        it the order system is asked, and only where a requirement looks at facts.

        Raises `OrderSystemUnavailableError`: nothing happened, the same command may be sent again; `ClockWentBackError`;
        `StaleFactsError`.
        """
        now = instant(now)
        if facts is None and needs_facts(dispute, command, now):
            facts = self.look(dispute, now)
        decision = decide(dispute, command, facts, now, stamp=self.stamp(dispute.dispute_id, dispute.seq + 1))
        log_decision(dispute.dispute_id, command.event, command.actor, decision)
        event = decision.event if isinstance(decision, Accepted | Refused) else None
        return Answer(decision, event, dispute if event is None else evolve(dispute, event))

    def sweep(self, dispute: Dispute, now: datetime) -> tuple[Answer, ...]:
        """Fire every running deadline that has passed, by due instant, each as a command of the system.

        Where the order system cannot answer, that deadline stays pending and nothing is judged on it; the others are fired.
        The last answer's dispute is the one to go on with.
        """
        now = instant(now)
        answers: list[Answer] = []
        pending = set[Deadline]()
        for _ in Deadline:  # what starts now cannot have passed, so each fires at most once
            due = next_due(dispute, but=pending)
            if due is None or now <= due[1]:
                break
            try:
                answer = self.submit(dispute, Command(event=due[0].expiry, actor=SYSTEM), now)
            except OrderSystemUnavailableError as fault:
                log.warning("deadline_pending", dispute_id=dispute.dispute_id, deadline=due[0].value, error=type(fault).__name__)
                pending.add(due[0])
                continue
            answers.append(answer)
            dispute = answer.dispute
        return tuple(answers)

    def look(self, dispute: Dispute, now: datetime) -> OrderFacts:
        """Ask the order system about a dispute's order. Raises `OrderSystemUnavailableError`, also where the order is gone."""
        facts = self.orders.look(dispute.order_id, now)
        if facts is None:
            msg = f"the order system no longer knows order {dispute.order_id} of dispute {dispute.dispute_id}: unknown is not false"
            raise OrderSystemUnavailableError(msg)
        return facts


def log_decision(dispute_id: str, command: CommandType, actor: Actor, decision: Decision) -> None:
    """Write one line per decision: ids and codes only, never a person's words."""
    event = None if isinstance(decision, Unchanged) else decision.event
    log.info(
        "dispute_decision",
        decision=type(decision).__name__.lower(),
        dispute_id=dispute_id,
        command=command.value,
        role=actor.role.value,
        seq=event and event.seq,
        event_type=event and event.type.value,
        source=event and event.source,
        target=event and event.target,
        outcome=event and event.outcome and event.outcome.value,
        refused=[code.value for code in decision.codes] if isinstance(decision, Refused) else [],
    )
