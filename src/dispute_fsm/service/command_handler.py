"""The command handler: load, query facts, decide, append; retry after a concurrent change.

A command is decided outside of any transaction, because an order system may be slow. Its event is
appended only if the dispute is still as it was loaded (optimistic concurrency). Otherwise the
handler retries: first without a lock, then with a lock on the dispute, so that it ends. The order
system is never asked while a transaction is open.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import cast

from dispute_fsm.decider.decide import opening_needs_facts, under_its_version
from dispute_fsm.decider.decisions import Accepted, Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import needs_facts
from dispute_fsm.domain.commands import Command, OpenDispute
from dispute_fsm.domain.enums import RefusalCode
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.reasons import PayloadUnlock, Reason
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import (
    ConflictError,
    FactsNeededError,
    InputError,
    StaleFactsError,
    UnknownDisputeError,
)
from dispute_fsm.handler import Disputes, MakeCommand, Result, log_decision, read_instant
from dispute_fsm.service.alarms import AlarmHook, alarm_of
from dispute_fsm.service.messages import CONTINUE_LIVE_DISPUTE
from dispute_fsm.store.host import HostConnection, host_session
from dispute_fsm.store.pool import translated_errors
from dispute_fsm.store.repository import Loaded, Store
from dispute_fsm.store.session import Session

Clock = Callable[[], datetime]
"""Returns the current time, with an offset."""

ANNOUNCE_WITHIN = timedelta(minutes=1)
"""A deadline that is due this soon is announced to the sweepers of other processes.

They poll at least as often, so they need no announcement of a later one.
"""

_OPTIMISTIC_ATTEMPTS = 2
"""How many attempts to decide a command without a lock are made, before the dispute is locked."""

_MAX_ATTEMPTS = 10


@dataclass(slots=True)
class _PendingCommand:
    """A command to handle, and what an attempt leaves to the next one.

    The host hands in `facts`, or the order system returns `queried_facts`. `revision` is the one
    for which the command is meant; None: any. `received_at` is when the command arrived: it is
    decided as of that time, however slow the order system is. `dispute`, `command` and `now` are
    those of the last attempt.
    """

    dispute_id: str
    make_command: MakeCommand
    key: str | None = None
    facts: OrderFacts | None = None
    revision: int | None = None
    queried_facts: OrderFacts | None = None
    received_at: datetime | None = None
    dispute: Dispute = field(init=False)
    command: Command | None = field(init=False)
    now: datetime = field(init=False)


@dataclass(frozen=True, slots=True)
class CommandHandler:
    """Handles openings and commands for the disputes of a store.

    `clock` None: the database's clock, where it has one. `alarms` is the host's hook. `wakes` are
    set when a deadline may be due sooner than before.
    """

    store: Store
    disputes: Disputes
    clock: Clock | None
    alarms: AlarmHook | None = None
    wakes: list[Event] = field(default_factory=list[Event])

    def now(self, session: Session) -> datetime:
        """Return the current time in UTC."""
        return self.store.now(session) if self.clock is None else read_instant(self.clock(), "now")

    def load(self, dispute_id: str) -> tuple[Dispute, datetime]:
        """Load a dispute, and the time as of which a command to it would be decided.

        Raises `UnknownDisputeError`.
        """
        with self.store.pool.take() as session:
            loaded = self.store.load(session, dispute_id)
            now = self.now(session)
        if loaded is None:
            raise _unknown(dispute_id)
        return loaded.dispute, max(now, loaded.dispute.last_at)

    # ---- facts for a transaction of the host -----------------------------------------------------

    def facts_of_opening(self, opening: OpenDispute) -> OrderFacts | None:
        """Return the facts that an opening needs; see `DisputeService.facts`."""
        with self.store.pool.take() as session:
            loaded = self.store.load(session, opening.dispute_id)
            now = self.now(session)
        if not opening_needs_facts(None if loaded is None else loaded.dispute, opening):
            return None
        facts = self.disputes.orders.look(opening.order_id, now)
        if facts is None:
            raise InputError(
                f"the order system knows no order {opening.order_id}", field="order_id"
            )
        return facts

    def facts_of_command(self, dispute_id: str, command: Command) -> OrderFacts | None:
        """Return the facts that a command needs; see `DisputeService.facts`."""
        dispute, now = self.load(dispute_id)
        needed = needs_facts(dispute, command, now)
        return self.disputes.query_facts(dispute, now) if needed else None

    # ---- openings --------------------------------------------------------------------------------

    def open(
        self, opening: OpenDispute, facts: OrderFacts | None, host: HostConnection | None
    ) -> Result:
        """Open a dispute; see `DisputeService.open`."""
        opening = under_its_version(opening)
        for _ in range(_MAX_ATTEMPTS):
            # load
            with self.session(host) as session:
                now = self.now(session)
                loaded = self.store.load(session, opening.dispute_id)
                live = None
                if loaded is None:
                    live = self.store.live_dispute(session, opening.order_id, now)
            if live == opening.dispute_id:  # it was opened between the two statements
                continue
            existing, known = None if loaded is None else loaded.dispute, facts
            if live is not None:
                result = Result(Refused((_order_has_dispute(opening, live),)), None, None)
            else:
                # query facts
                if facts is None and opening_needs_facts(existing, opening):
                    if host is not None:
                        raise _facts_needed(opening.order_id)
                    known = self.disputes.orders.look(opening.order_id, now)
                # decide
                result = self.disputes.decide_opening(opening, existing, known, now)
            # append
            try:
                self._insert(result, host)
            except ConflictError:
                continue
            log_decision(opening.dispute_id, opening, result.decision)
            return result
        raise ConflictError(
            f"dispute {opening.dispute_id} could not be opened because of concurrent openings; "
            "send it again"
        )

    def _insert(self, result: Result, host: HostConnection | None) -> None:
        """Write a new dispute. Raises `ConflictError` where another one was written first."""
        if isinstance(result.decision, Accepted):
            with self.session(host, writes=True) as session:
                due = self.store.insert(session, result.dispute, result.decision.hashed)
                self._announce(session, result.dispute, due)
                self._set_alarm(session, result.dispute)
            self._wake()

    # ---- commands --------------------------------------------------------------------------------

    def send(
        self,
        dispute_id: str,
        command: Command,
        facts: OrderFacts | None,
        revision: int | None,
        host: HostConnection | None,
    ) -> Result:
        """Send a command to a dispute; see `DisputeService.send`."""
        pending = _PendingCommand(
            dispute_id, lambda _dispute, _now: command, command.key, facts, revision
        )
        return cast("Result", self._handle(pending, host))

    def send_made(
        self, dispute_id: str, make_command: MakeCommand, host: HostConnection | None = None
    ) -> Result | None:
        """Send the command that is made for the dispute as loaded; None where it needs none."""
        return self._handle(_PendingCommand(dispute_id, make_command), host)

    def _handle(self, pending: _PendingCommand, host: HostConnection | None) -> Result | None:
        """Handle a command, and log its decision once it is stored."""
        if host is None:
            result = self._retry(pending)
        else:
            with self.session(host, writes=True) as session:
                result = self._attempt_locked(pending, session)
        if result is not None and pending.command is not None:
            log_decision(pending.dispute_id, pending.command, result.decision)
            if result.event is not None:
                self._wake()
        return result

    def _retry(self, pending: _PendingCommand) -> Result | None:
        """Attempt a command, and again after a conflict: first without a lock, then with one."""
        for attempt in range(_MAX_ATTEMPTS):
            try:
                if attempt < _OPTIMISTIC_ATTEMPTS:
                    return self._attempt_optimistic(pending)
                with self.store.pool.transaction() as session:
                    return self._attempt_locked(pending, session)
            except ConflictError:
                continue
            except (FactsNeededError, StaleFactsError):
                if attempt < _OPTIMISTIC_ATTEMPTS or pending.facts is not None:
                    raise
                pending.queried_facts = self.disputes.query_facts(pending.dispute, pending.now)
        raise ConflictError(
            f"dispute {pending.dispute_id} could not be written because of concurrent changes; "
            "send the command again"
        )

    def _attempt_optimistic(self, pending: _PendingCommand) -> Result | None:
        """Load, query facts, decide, append: without a lock.

        Raises `ConflictError` where the dispute was modified concurrently.
        """
        with self.store.pool.take() as session:
            loaded = self.store.load(session, pending.dispute_id, pending.key)
            command = self._prepare(pending, session, loaded)
            if command is None:
                return None
            try:
                result = self._decide(pending, command, pending.facts)
            except FactsNeededError:
                pass  # queried below, after the connection went back to the pool
            else:
                return self._append(pending, session, result)
        pending.queried_facts = self.disputes.query_facts(pending.dispute, pending.now)
        result = self._decide(pending, command, pending.queried_facts)
        with self.store.pool.take() as session:
            return self._append(pending, session, result)

    def _attempt_locked(self, pending: _PendingCommand, session: Session) -> Result | None:
        """Load, decide, append: in the session's transaction, with a lock on the dispute.

        Raises `FactsNeededError` where the facts are missing: the order system is not asked here.
        """
        loaded = self.store.load_locked(session, pending.dispute_id, pending.key)
        command = self._prepare(pending, session, loaded)
        if command is None:
            return None
        try:
            result = self._decide(pending, command, pending.facts or pending.queried_facts)
        except FactsNeededError:
            raise _facts_needed(pending.dispute.order_id) from None
        self._write(pending, session, result)
        return result

    def _prepare(
        self, pending: _PendingCommand, session: Session, loaded: Loaded | None
    ) -> Command | None:
        """Note the dispute as loaded and the time, and return the command for it."""
        if loaded is None:
            raise _unknown(pending.dispute_id)
        if pending.received_at is None:
            database_now = loaded.now if self.clock is None else None
            pending.received_at = database_now or self.now(session)
        # business time never goes back within a dispute, whatever a clock does
        pending.now = max(pending.received_at, loaded.dispute.last_at)
        pending.dispute = loaded.dispute
        pending.command = pending.make_command(pending.dispute, pending.now)
        return pending.command

    def _decide(
        self, pending: _PendingCommand, command: Command, facts: OrderFacts | None
    ) -> Result:
        return self.disputes.decide(pending.dispute, command, facts, pending.now, pending.revision)

    def _append(self, pending: _PendingCommand, session: Session, result: Result) -> Result:
        """Write the event, if there is one, in a transaction of its own."""
        if result.event is not None:
            with session.transaction():
                self._write(pending, session, result)
        return result

    def _write(self, pending: _PendingCommand, session: Session, result: Result) -> None:
        decision = result.decision
        if isinstance(decision, Accepted | Refused) and decision.event is not None:
            due = self.store.append(
                session, pending.dispute, decision.event, result.dispute, decision.hashed
            )
            self._announce(session, result.dispute, due)
            if result.accepted:  # a recorded refusal leaves the revision as it is
                self._set_alarm(session, result.dispute)

    # ---- sessions, announcements, alarms ---------------------------------------------------------

    @contextmanager
    def session(self, host: HostConnection | None, *, writes: bool = False) -> Generator[Session]:
        """Yield a session in the host's transaction, if there is one, or else from the pool."""
        if host is None:
            with self.store.pool.transaction() if writes else self.store.pool.take() as session:
                yield session
        else:
            with translated_errors(), host_session(host, self.store.address.dialect) as session:
                yield session

    def _announce(self, session: Session, dispute: Dispute, due: Sequence[datetime]) -> None:
        if any(at - dispute.last_at < ANNOUNCE_WITHIN for at in due):
            self.store.announce(session)

    def _set_alarm(self, session: Session, dispute: Dispute) -> None:
        """Call the host's hook, if there is one, in the transaction of the session."""
        if self.alarms is not None:
            self.alarms(alarm_of(dispute), session)

    def _wake(self) -> None:
        for wake in self.wakes:
            wake.set()


def _unknown(dispute_id: str) -> UnknownDisputeError:
    return UnknownDisputeError(f"there is no dispute {dispute_id}", field="dispute_id")


def _facts_needed(order_id: str) -> FactsNeededError:
    return FactsNeededError(
        f"facts of order {order_id} are needed, but the order system is not asked while a "
        "transaction is open: hand in what facts() returned before it"
    )


def _order_has_dispute(opening: OpenDispute, live: str) -> Reason:
    zh, en = (text.format(live) for text in CONTINUE_LIVE_DISPUTE)
    saw = FrozenMap({"order_id": opening.order_id, "dispute_id": live})
    unlock = PayloadUnlock("order_id", zh, en)
    return Reason(RefusalCode.DISPUTE_EXISTS, "one_live_dispute_per_order", saw, unlock)
