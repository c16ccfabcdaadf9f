"""Sweeping: every deadline that has passed fires, once, whoever and however many sweep.

A sweeper claims what is overdue in batches, so that many work side by side. What fires is decided anew with the dispute as it
stands: who comes second finds the deadline gone, and does nothing. Where the order system cannot answer, that deadline stays
pending until the claim lapses, and the others go on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.domain.commands import Command
from dispute_fsm.errors import (
    DisputeError,
    InputError,
    OrderSystemUnavailableError,
    StaleFactsError,
    StoreInvalidError,
    StoreUnavailableError,
)
from dispute_fsm.handler import Expiries, Expiry, Result, expiry, log_pending
from dispute_fsm.log import log
from dispute_fsm.service.command_handler import CommandHandler
from dispute_fsm.store.deadlines import claim, release

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


def sweep(handler: CommandHandler, batch: int, lease: timedelta, stop: Callable[[], bool]) -> Swept:
    """Fire what has passed, batch by batch, until nothing is left that nobody has claimed, or it is asked to stop.

    Each dispute that stays pending or fails is tried once. Raises `InputError` for a batch of none.
    """
    if batch < 1:
        raise InputError(f"a batch of {batch} fires nothing; claim one at least", field="batch")
    done, stayed = Swept(), set[str]()
    while not stop():
        with handler.store.pool.transaction() as session:
            claimed = claim(session, handler.now(session), lease, batch)
        fresh = [dispute_id for dispute_id in claimed if dispute_id not in stayed]
        if not fresh:  # what stayed is tried again once its claim lapses; a slow order system must not keep a sweep going for ever
            break
        for number, dispute_id in enumerate(fresh):
            if stop():
                with handler.store.pool.transaction() as session:
                    for untouched in fresh[number:]:
                        release(session, untouched)
                break
            swept = _expire(handler, dispute_id)
            if swept.pending or swept.failed:
                stayed.add(dispute_id)
            done += swept
    return done


def _expire(handler: CommandHandler, dispute_id: str) -> Swept:
    done, expiries = Swept(), Expiries()
    while True:
        try:
            result = handler.handle(dispute_id, expiries.next)
            if result is None:
                return done
            done += Swept(fired=int(result.accepted))
        except (OrderSystemUnavailableError, StaleFactsError) as fault:
            log_pending(dispute_id, expiries.trying, fault)
            done += Swept(pending=1)
        except (StoreUnavailableError, StoreInvalidError):
            raise
        except Exception as fault:  # noqa: BLE001 -- a host's order system may raise anything, and one dispute must not keep up the others
            said = str(fault) if isinstance(fault, DisputeError) else None  # our own words hold ids only
            log().error("deadline_failed", dispute_id=dispute_id, deadline=expiries.trying, error=type(fault).__name__, said=said)
            return done + Swept(failed=1)
        if expiries.trying is not None:
            expiries.tried.add(expiries.trying)


def expire(handler: CommandHandler, dispute_id: str, revision: int | None, host: Connection | None) -> Expiry:
    """Act on the deadlines of one dispute that have passed; see `DisputeService.expire`."""
    acting, results = _Acting(revision), list[Result]()
    unavailable: OrderSystemUnavailableError | StaleFactsError | None = None
    while True:
        try:
            result = handler.handle(dispute_id, acting.wanted, host)
        except (OrderSystemUnavailableError, StaleFactsError) as fault:
            log_pending(dispute_id, acting.expiries.trying, fault)
            unavailable = fault
        else:
            if result is None:
                break
            results.append(result)
            acting.revision = None if revision is None else result.dispute.revision
        if acting.expiries.trying is not None:
            acting.expiries.tried.add(acting.expiries.trying)
    if unavailable is not None and not results:
        raise unavailable
    if acting.stale and not results:
        return Expiry("stale", next_due=next_due(acting.dispute))
    return expiry(acting.dispute, acting.now, tuple(results))


class _Acting:
    """What `expire` wants of a dispute, as long as that has the revision named; it remembers how the dispute stood last."""

    dispute: Dispute
    now: datetime
    stale = False

    def __init__(self, revision: int | None) -> None:
        self.revision = revision
        self.expiries = Expiries()

    def wanted(self, dispute: Dispute, now: datetime) -> Command | None:
        self.dispute, self.now = dispute, now
        self.stale = self.revision is not None and dispute.revision != self.revision
        return None if self.stale else self.expiries.next(dispute, now)
