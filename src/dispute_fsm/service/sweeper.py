"""The sweeper: every deadline that has passed fires, once, whoever and however many sweep.

A sweeper claims what is overdue in batches, so that many work side by side. What fires is decided
anew with the dispute as it is: who comes second finds the deadline gone, and does nothing. Where
the order system cannot answer, that deadline stays pending until the claim lapses, and the others
go on. A `Runner` sweeps when the next deadline is due, and wakes when an earlier one appears.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Thread
from time import monotonic

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
from dispute_fsm.service.command_handler import NOTICE, CommandHandler
from dispute_fsm.store.address import POSTGRESQL, behind_pooler
from dispute_fsm.store.deadlines import CHANNEL, claim, next_to_sweep, release
from dispute_fsm.store.pool import translated_errors

LEASE = timedelta(minutes=1)
"""How long a claim keeps other sweepers away; also how soon a deadline that stayed pending is tried again."""

BATCH = 20
"""How many deadlines are claimed at once."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did.

    `fired` counts deadlines, `pending` those on which nothing is judged because the order system
    could not answer, `failed` the disputes that could not be worked on, of which the log tells.
    """

    fired: int = 0
    pending: int = 0
    failed: int = 0

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(
            self.fired + other.fired, self.pending + other.pending, self.failed + other.failed
        )


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
        # what stayed is tried again once its claim lapses; a slow order system must not keep a
        # sweep going for ever
        if not fresh:
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
            said = (
                str(fault) if isinstance(fault, DisputeError) else None
            )  # our own words hold ids only
            log().error(
                "deadline_failed",
                dispute_id=dispute_id,
                deadline=expiries.trying,
                error=type(fault).__name__,
                said=said,
            )
            return done + Swept(failed=1)
        if expiries.trying is not None:
            expiries.tried.add(expiries.trying)


def expire(
    handler: CommandHandler, dispute_id: str, revision: int | None, host: Connection | None
) -> Expiry:
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


_LOOK_UP = 0.5
"""After how many seconds of sleep or of hearing nothing it looks whether it shall stop."""


class Runner:
    """Sweeps for ever in the thread that calls `run`; `stop` may be called from any thread or signal handler.

    It sleeps until the next deadline is due, or a claim lapses, at most `look`. It is woken by this
    process's own commands, and on PostgreSQL by those of others; where the clock is the host's, by
    `look` alone, for a host's hours may be shorter. Whatever goes wrong, such as a database that is
    unavailable, is logged, and it tries again every `look`.
    """

    def __init__(
        self,
        handler: CommandHandler,
        *,
        look: timedelta = NOTICE / 2,
        lease: timedelta = LEASE,
        batch: int = BATCH,
    ) -> None:
        self._handler = handler
        self._look = look
        self._lease = lease
        self._batch = batch
        self._wake = Event()
        self._stopped = False

    def stop(self) -> None:
        """End `run` as soon as the dispute at hand is done."""
        # no more than that: a signal handler that took a lock could wait for the very thread that
        # it interrupts
        self._stopped = True

    def _is_stopped(self) -> bool:
        return self._stopped

    def run(self) -> Swept:
        """Sweep until `stop` is called; returns what was done in all."""
        done = Swept()
        listener = Thread(target=self._listen, name="dispute-due", daemon=True)
        self._handler.wakes.append(self._wake)
        if self._handler.store.address.dialect.name == POSTGRESQL:
            listener.start()
        try:
            while not self._stopped:
                self._wake.clear()  # before it looks: what appears from here on wakes it
                try:
                    done += sweep(self._handler, self._batch, self._lease, self._is_stopped)
                    pause = self._pause()
                except StoreUnavailableError as fault:
                    log().warning("sweep_unavailable", error=type(fault).__name__)
                    pause = self._look.total_seconds()
                except Exception as fault:  # noqa: BLE001 -- a runner that ended would let every later deadline pass, and nobody would see
                    log().error("sweep_failed", error=type(fault).__name__)
                    pause = self._look.total_seconds()
                self._sleep(pause, self._wake)
        finally:
            self._handler.wakes.remove(self._wake)
            self._stopped = True
            if listener.is_alive():
                listener.join()
        return done

    def _sleep(self, seconds: float, wake: Event) -> None:
        until = monotonic() + seconds
        while not self._stopped and (left := until - monotonic()) > 0:
            if wake.wait(min(_LOOK_UP, left)):
                break

    def _pause(self) -> float:
        """Return for how many seconds there is nothing to do."""
        with self._handler.store.pool.take() as session:
            now = self._handler.now(session)
            due = next_to_sweep(session, now)
        longest = self._look
        # A deadline is inclusive: it has passed only after its instant.
        return max(
            longest if due is None else min(longest, due - now + timedelta(microseconds=1)),
            timedelta(0),
        ).total_seconds()

    def _listen(self) -> None:
        """Wake when another process says that a deadline will be due soon. While the database is unavailable, `look` has to do."""
        while not self._stopped:
            try:
                with translated_errors():
                    self._hear()
            except DisputeError as fault:
                log().warning("listen_unavailable", error=type(fault).__name__)
                self._sleep(self._look.total_seconds(), Event())
            else:
                return

    def _hear(self) -> None:
        """Hear until this is stopped. A pooler would take the session away, so behind one `look` has to do for good."""
        with closing(
            self._handler.store.address.connect()
        ) as heard:  # its own: it hears, and may break
            if behind_pooler(heard, heard.execute):
                return
            heard.execute(f"LISTEN {CHANNEL}")
            self._wake.set()  # for what was said before it listened
            while not self._stopped:
                for _ in heard.notifies(timeout=_LOOK_UP, stop_after=1):
                    self._wake.set()
