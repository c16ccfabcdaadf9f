"""Sweeping: every deadline that has passed fires, once, whoever and however many sweep.

A sweeper claims what is overdue in batches, so that many work side by side. What fires is decided anew with the dispute as it
stands: who comes second finds the deadline gone, and does nothing. Where the order system cannot answer, that deadline stays
pending until the claim lapses, and the others go on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from dispute_fsm.desk import SYSTEM
from dispute_fsm.dispute.dispute import Dispute
from dispute_fsm.dispute.refusals import Accepted
from dispute_fsm.errors import (
    DisputeError,
    InputError,
    OrderSystemUnavailableError,
    StaleFactsError,
    StoreInvalidError,
    StoreUnavailableError,
)
from dispute_fsm.rules.commands import Command
from dispute_fsm.rules.vocabulary import Deadline
from dispute_fsm.service.decider import Decider
from dispute_fsm.store.due import claim, release

log = structlog.stdlib.get_logger("dispute_fsm")

LEASE = timedelta(minutes=1)
"""How long a claim keeps other sweepers away; also how soon a deadline that stayed pending is tried again."""

BATCH = 20
"""How many deadlines are claimed at once."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did.

    `fired` counts deadlines, `pending` those on which nothing is judged because the order system could not answer, `failed` the
    disputes that could not be worked on, of which the log tells.
    """

    fired: int = 0
    pending: int = 0
    failed: int = 0

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(self.fired + other.fired, self.pending + other.pending, self.failed + other.failed)


def sweep(decider: Decider, batch: int, lease: timedelta, stop: Callable[[], bool]) -> Swept:
    """Fire what has passed, batch by batch, until nothing is left that nobody has claimed, or it is asked to stop.

    Each dispute that stays pending or fails is tried once. Raises `InputError` for a batch of none.
    """
    if batch < 1:
        raise InputError(f"a batch of {batch} fires nothing; claim one at least", field="batch")
    done, stayed = Swept(), set[str]()
    while not stop():
        with decider.store.pool.transaction() as session:
            claimed = claim(session, decider.now(session), lease, batch)
        fresh = [dispute_id for dispute_id in claimed if dispute_id not in stayed]
        if not fresh:  # what stayed is tried again once its claim lapses; a slow order system must not keep a sweep going for ever
            break
        for number, dispute_id in enumerate(fresh):
            if stop():
                with decider.store.pool.transaction() as session:
                    for untouched in fresh[number:]:
                        release(session, untouched)
                break
            swept = _expire(decider, dispute_id)
            if swept.pending or swept.failed:
                stayed.add(dispute_id)
            done += swept
    return done


@dataclass(slots=True)
class _Expiries:
    """The deadlines of a dispute that have passed, one after the other by due instant, each tried once."""

    trying: Deadline | None = None
    tried: set[Deadline] = field(default_factory=set[Deadline])

    def wanted(self, dispute: Dispute, now: datetime) -> Command | None:
        """Return the expiry that is up next, for the dispute as it stands; None where no deadline is left that has passed."""
        order = list(Deadline)
        passed = [(due, order.index(deadline)) for deadline, due in dispute.running.items() if due < now and deadline not in self.tried]
        self.trying = order[min(passed)[1]] if passed else None
        return None if self.trying is None else Command(event=self.trying.expiry, actor=SYSTEM)


def _expire(decider: Decider, dispute_id: str) -> Swept:
    done, expiries = Swept(), _Expiries()
    while True:
        try:
            answer = decider.put(dispute_id, expiries.wanted)
            if answer is None:
                return done
            done += Swept(fired=int(isinstance(answer.decision, Accepted)))
        except (OrderSystemUnavailableError, StaleFactsError) as fault:
            log.warning("deadline_pending", dispute_id=dispute_id, deadline=expiries.trying, error=type(fault).__name__)
            done += Swept(pending=1)
        except (StoreUnavailableError, StoreInvalidError):
            raise
        except Exception as fault:  # noqa: BLE001 -- a host's order system may raise anything, and one dispute must not keep up the others
            said = str(fault) if isinstance(fault, DisputeError) else None  # our own words hold ids only
            log.error("deadline_failed", dispute_id=dispute_id, deadline=expiries.trying, error=type(fault).__name__, said=said)  # noqa: TRY400 -- a traceback may hold a person's words
            return done + Swept(failed=1)
        if expiries.trying is not None:
            expiries.tried.add(expiries.trying)
