"""The sweeper: every deadline that has passed fires once, however many processes sweep.

A sweeper claims expired deadlines in batches, so that many can work side by side. Each expiry is
decided with the dispute as it is then, so a second sweeper has nothing left to do. Where the order
system cannot answer, that deadline stays pending until the claim ends, and the others fire. A
`Sweeper` sweeps when the next deadline is due, and wakes when an earlier one appears. Where an
engine fires the deadlines, a sweeper that stays `behind` fires what that has missed.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Event, Thread
from time import monotonic

from dispute_fsm.errors import (
    DisputeError,
    InputError,
    StoreInvalidError,
    StoreUnavailableError,
)
from dispute_fsm.handler import Expiry, ExpiryRun
from dispute_fsm.log import log
from dispute_fsm.service.command_handler import ANNOUNCE_WITHIN, CommandHandler
from dispute_fsm.store.address import POSTGRESQL, behind_pooler
from dispute_fsm.store.deadlines import CHANNEL, claim, next_to_sweep, release
from dispute_fsm.store.host import HostConnection
from dispute_fsm.store.pool import translated_errors

LEASE = timedelta(minutes=1)
"""How long a claim lasts. A deadline that stayed pending is attempted again after it."""

BATCH = 20
"""How many deadlines are claimed at once."""

POLL_INTERVAL = ANNOUNCE_WITHIN / 2
"""How often a sweeper looks for deadlines without being woken."""

_STOP_INTERVAL = 0.5
"""How many seconds a sweeper waits at most before it checks whether it was stopped."""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The result of a sweep.

    `fired` counts deadlines, `pending` the deadlines that nothing is decided on because the order
    system could not answer, and `failed` the disputes that raised another error, which is logged.
    """

    fired: int = 0
    pending: int = 0
    failed: int = 0

    def __add__(self, other: "SweepResult") -> "SweepResult":
        return SweepResult(
            self.fired + other.fired, self.pending + other.pending, self.failed + other.failed
        )


def sweep(
    handler: CommandHandler,
    batch: int,
    lease: timedelta,
    behind: timedelta,
    stop: Callable[[], bool],
) -> SweepResult:
    """Fire what has passed and nobody else has claimed, batch by batch, or until `stop` says so.

    A dispute that stays pending or fails is attempted once. Raises `InputError` for an empty batch,
    and for a negative `behind`.
    """
    if batch < 1:
        raise InputError(f"a batch of {batch} fires nothing; claim at least one", field="batch")
    _check_behind(behind)
    total, unfinished = SweepResult(), set[str]()
    while not stop():
        with handler.store.pool.transaction() as session:
            claimed = claim(session, handler.now(session), lease, batch, behind)
        # the unfinished ones are attempted again after their claim ends, by a later sweep: a slow
        # order system must not keep this one going for ever
        claimed = [dispute_id for dispute_id in claimed if dispute_id not in unfinished]
        if not claimed:
            break
        for number, dispute_id in enumerate(claimed):
            if stop():
                with handler.store.pool.transaction() as session:
                    for untouched in claimed[number:]:
                        release(session, untouched)
                break
            result = _expire_claimed(handler, dispute_id, behind)
            if result.pending or result.failed:
                unfinished.add(dispute_id)
            total += result
    return total


def _check_behind(behind: timedelta) -> None:
    if behind < timedelta(0):
        raise InputError(f"{behind} is negative; no deadline fires early", field="behind")


def _expire_claimed(handler: CommandHandler, dispute_id: str, behind: timedelta) -> SweepResult:
    run, failed = ExpiryRun(behind=behind), 0
    try:
        run.fire(partial(handler.send_made, dispute_id))
    except (StoreUnavailableError, StoreInvalidError):
        raise
    except Exception as error:  # noqa: BLE001 -- a host's order system may raise anything, and one dispute must not stop the others
        failed = 1
        log().error(
            "deadline_failed",
            dispute_id=dispute_id,
            deadline=run.current,
            error=type(error).__name__,
            # only the package's own messages are sure to have no personal data
            detail=str(error) if isinstance(error, DisputeError) else None,
        )
    fired = sum(result.accepted for result in run.results)
    return SweepResult(fired, len(run.unavailable), failed)


def expire(
    handler: CommandHandler, dispute_id: str, revision: int | None, host: HostConnection | None
) -> Expiry:
    """Fire the deadlines of one dispute that have passed; see `DisputeService.expire`."""
    run = ExpiryRun(revision)
    run.fire(partial(handler.send_made, dispute_id, host=host))
    return run.expiry()


class Sweeper:
    """Sweeps for ever in the thread that calls `run`; any thread or signal handler may call `stop`.

    It sleeps until the next deadline is due or a claim ends, at most for `poll_interval`. The
    commands of this process wake it, and on PostgreSQL those of other processes too, unless it
    stays `behind` for longer than it polls. With a clock of the host's, only `poll_interval` is
    certain, because that clock may run faster. Every error, such as an unavailable database, is
    logged, and the sweeper tries again after `poll_interval`.
    """

    def __init__(
        self,
        handler: CommandHandler,
        *,
        poll_interval: timedelta = POLL_INTERVAL,
        lease: timedelta = LEASE,
        batch: int = BATCH,
        behind: timedelta = timedelta(0),
    ) -> None:
        _check_behind(behind)
        self._handler = handler
        self._behind = behind
        self._poll_interval = poll_interval
        self._lease = lease
        self._batch = batch
        self._wake = Event()
        self._stopped = False

    def stop(self) -> None:
        """End `run` after the dispute that it is working on."""
        # Only this: a signal handler that took a lock could wait for the very thread that it
        # interrupts.
        self._stopped = True

    def run(self) -> SweepResult:
        """Sweep until `stop` is called. Returns the sum of all sweeps."""
        total = SweepResult()
        listener = Thread(target=self._listen, name="dispute-due", daemon=True)
        if self._behind < self._poll_interval:  # or else polling is always soon enough
            self._handler.wakes.append(self._wake)
            if self._handler.store.address.dialect.name == POSTGRESQL:
                listener.start()
        try:
            while not self._stopped:
                self._wake.clear()  # before the sweep: what appears from here on wakes the sweeper
                pause = self._poll_interval
                try:
                    total += self._sweep()
                    pause = self._time_to_next()
                except StoreUnavailableError as error:
                    log().warning("sweep_unavailable", error=type(error).__name__)
                except Exception as error:  # noqa: BLE001 -- a sweeper that ended would let every later deadline pass, and nobody would notice
                    log().error("sweep_failed", error=type(error).__name__)
                self._sleep(pause, self._wake)
        finally:
            if self._wake in self._handler.wakes:
                self._handler.wakes.remove(self._wake)
            self._stopped = True
            if listener.is_alive():
                listener.join()
        return total

    def _sweep(self) -> SweepResult:
        return sweep(self._handler, self._batch, self._lease, self._behind, lambda: self._stopped)

    def _sleep(self, pause: timedelta, wake: Event) -> None:
        until = monotonic() + pause.total_seconds()
        while not self._stopped and (left := until - monotonic()) > 0:
            if wake.wait(min(_STOP_INTERVAL, left)):
                break

    def _time_to_next(self) -> timedelta:
        """Return how long there is nothing to sweep."""
        with self._handler.store.pool.take() as session:
            now = self._handler.now(session)
            due = next_to_sweep(session, now, self._behind)
        if due is None:
            return self._poll_interval
        # A deadline is inclusive: it has passed only after its instant.
        return min(self._poll_interval, due - now + timedelta(microseconds=1))

    def _listen(self) -> None:
        """Wake the sweeper when another process announces a deadline that is due soon.

        While the database is unavailable, the sweeper polls.
        """
        while not self._stopped:
            try:
                with translated_errors():
                    self._receive_announcements()
            except DisputeError as error:
                log().warning("listen_unavailable", error=type(error).__name__)
                self._sleep(self._poll_interval, Event())
            else:
                return

    def _receive_announcements(self) -> None:
        """Receive announcements until the sweeper stops.

        A pooler would give the session to others, so behind one the sweeper only polls.
        """
        # a connection of its own, because it waits for notifications and may break
        with closing(self._handler.store.address.connect()) as connection:
            if behind_pooler(connection, connection.execute):
                return
            connection.execute(f"LISTEN {CHANNEL}")
            self._wake.set()  # for what was announced before LISTEN
            while not self._stopped:
                for _ in connection.notifies(timeout=_STOP_INTERVAL, stop_after=1):
                    self._wake.set()
