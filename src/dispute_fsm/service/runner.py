"""The runner: sweeps when the next deadline is due, and not before; wakes when an earlier one appears; stops when asked."""

from contextlib import closing
from datetime import timedelta
from threading import Event, Thread
from time import monotonic

from dispute_fsm.errors import DisputeError, StoreUnavailableError
from dispute_fsm.log import log
from dispute_fsm.service.command_handler import NOTICE, CommandHandler
from dispute_fsm.service.sweep import BATCH, LEASE, Swept, sweep
from dispute_fsm.store.address import behind_pooler
from dispute_fsm.store.deadlines import CHANNEL, next_due
from dispute_fsm.store.failures import failures
from dispute_fsm.store.schema import POSTGRESQL

_LOOK_UP = 0.5
"""After how many seconds of sleep or of hearing nothing it looks whether it shall stop."""


class Runner:
    """Sweeps for ever in the thread that calls `run`; `stop` may be called from any thread or signal handler.

    It sleeps until the next deadline is due, or a claim lapses, at most `look`. It is woken by this process's own commands,
    and on PostgreSQL by those of others; where the clock is the host's, by `look` alone, for a host's hours may be shorter.
    Whatever goes wrong, such as a database that is unavailable, is logged, and it tries again every `look`.
    """

    def __init__(self, handler: CommandHandler, *, look: timedelta = NOTICE / 2, lease: timedelta = LEASE, batch: int = BATCH) -> None:
        self._handler = handler
        self._look = look
        self._lease = lease
        self._batch = batch
        self._wake = Event()
        self._stopped = False

    def stop(self) -> None:
        """End `run` as soon as the dispute at hand is done."""
        self._stopped = True  # no more than that: a signal handler that took a lock could wait for the very thread that it interrupts

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
            due = next_due(session, now)
        longest = self._look
        # A deadline is inclusive: it has passed only after its instant.
        return max(longest if due is None else min(longest, due - now + timedelta(microseconds=1)), timedelta(0)).total_seconds()

    def _listen(self) -> None:
        """Wake when another process says that a deadline will be due soon. While the database is unavailable, `look` has to do."""
        while not self._stopped:
            try:
                with failures():
                    self._hear()
            except DisputeError as fault:
                log().warning("listen_unavailable", error=type(fault).__name__)
                self._sleep(self._look.total_seconds(), Event())
            else:
                return

    def _hear(self) -> None:
        """Hear until this is stopped. A pooler would take the session away, so behind one `look` has to do for good."""
        with closing(self._handler.store.address.connect()) as heard:  # its own: it hears, and may break
            if behind_pooler(heard, heard.execute):
                return
            heard.execute(f"LISTEN {CHANNEL}")
            self._wake.set()  # for what was said before it listened
            while not self._stopped:
                for _ in heard.notifies(timeout=_LOOK_UP, stop_after=1):
                    self._wake.set()
