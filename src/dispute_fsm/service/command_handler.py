"""The command handler: load, ask for facts, decide, append; and again where the dispute was modified concurrently.

A command is decided outside of any transaction, for an order system may take its time, and appended
only where its dispute is as it was loaded (optimistic concurrency). Else it is loaded and decided
again: first without a lock, then, so that it ends, with one. The order system is never asked while
a transaction is open.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection

from dispute_fsm.decider.decide import decide, open_dispute, opening_needs_facts
from dispute_fsm.decider.decisions import Accepted, Decision, Reason, Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.domain.commands import Command, OpenDispute
from dispute_fsm.domain.enums import RefusalCode
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import (
    ConflictError,
    FactsNeededError,
    InputError,
    StaleFactsError,
    UnknownDisputeError,
)
from dispute_fsm.handler import Disputes, Result, instant, log_decision
from dispute_fsm.machine.guard import PayloadUnlock
from dispute_fsm.store.pool import translated_errors
from dispute_fsm.store.repository import Loaded, Store
from dispute_fsm.store.session import Session

Clock = Callable[[], datetime]
"""Tells what time it is, with an offset."""

CommandFor = Callable[[Dispute, datetime], Command | None]
"""Gives the command for a dispute as it was loaded, at this time; None: it needs none any more."""

NOTICE = timedelta(minutes=1)
"""Sweepers of other processes look by themselves at least as often; what is due sooner is announced to them."""

_OPTIMISTIC = 2
"""How often a command is decided without a lock on its dispute, before the dispute is locked."""

_ATTEMPTS = 10


@dataclass(slots=True)
class _Pending:
    """A command that is being handled: what is known about it from one attempt to the next.

    `given` are the facts that the host handed in, `asked` those that the order system gave.
    `arrived` is when the command came: it is decided by that time, however long the order system
    took. `before` is the dispute as it was loaded last.
    """

    dispute_id: str
    command_for: CommandFor
    key: str | None = None
    given: OrderFacts | None = None
    asked: OrderFacts | None = None
    arrived: datetime | None = None
    before: Dispute | None = None


class _Ready(NamedTuple):
    """What is decided: a command, the dispute as it was loaded, and the time."""

    command: Command
    before: Dispute
    now: datetime


_Handled = tuple[_Ready, Result]
"""What was decided, and its result."""


@dataclass(frozen=True, slots=True)
class CommandHandler:
    """Handles openings and commands for the disputes of a store. `clock` None: the database's, where it has one.

    `wakes` are set when a deadline may be due sooner than it was.
    """

    store: Store
    disputes: Disputes
    clock: Clock | None
    wakes: list[Event] = field(default_factory=list[Event])

    def now(self, session: Session) -> datetime:
        """Tell what time it is, in UTC."""
        return self.store.now(session) if self.clock is None else instant(self.clock(), "now")

    # ---- openings --------------------------------------------------------------------------------

    def open(
        self, opening: OpenDispute, facts: OrderFacts | None, host: Connection | None
    ) -> Result:
        """Open a dispute; see `DisputeService.open`."""
        _require_transaction(host)
        for _ in range(_ATTEMPTS):
            with self.session(host) as session:
                now = self.now(session)
                loaded = self.store.load(session, opening.dispute_id)
                live = (
                    self.store.live_dispute(session, opening.order_id) if loaded is None else None
                )
            if live == opening.dispute_id:  # it was opened between the two looks
                continue
            existing = None if loaded is None else loaded.dispute
            if live is not None:
                decision: Decision = Refused((_has_a_live_one(opening, live),))
            else:
                shown = self._shown(opening, existing, now, host) if facts is None else facts
                decision = open_dispute(
                    existing, opening, shown, now, stamp=self.disputes.stamp(opening.dispute_id, 1)
                )
            try:
                answer = self._opened(opening, existing, decision, host)
            except ConflictError:
                continue
            log_decision(opening.dispute_id, opening, decision)
            return answer
        raise ConflictError(
            f"dispute {opening.dispute_id} could not be opened, for others kept opening one; send "
            "it again"
        )

    def _shown(
        self, opening: OpenDispute, existing: Dispute | None, now: datetime, host: Connection | None
    ) -> OrderFacts | None:
        if not opening_needs_facts(existing, opening):
            return None
        if host is not None:
            raise _unasked(opening.order_id)
        return self.disputes.orders.look(opening.order_id, now)

    def _opened(
        self,
        opening: OpenDispute,
        existing: Dispute | None,
        decision: Decision,
        host: Connection | None,
    ) -> Result:
        """Write a dispute that opens. Raises `ConflictError` where another one came first."""
        if not isinstance(decision, Accepted):
            return Result(decision, None, None if isinstance(decision, Refused) else existing)
        dispute = begin(decision.event, opening.policy)
        with self.session(host, writes=True) as session:
            self._announce(session, dispute, self.store.insert(session, dispute, decision.hashed))
        self._wake()
        return Result(decision, decision.event, dispute)

    # ---- commands --------------------------------------------------------------------------------

    def send(
        self, dispute_id: str, command: Command, facts: OrderFacts | None, host: Connection | None
    ) -> Result:
        """Send a command to a dispute; see `DisputeService.send`."""
        pending = _Pending(dispute_id, lambda _dispute, _now: command, command.key, facts)
        return cast("Result", self._handle(pending, host))

    def handle(
        self, dispute_id: str, command_for: CommandFor, host: Connection | None = None
    ) -> Result | None:
        """Send the command that a dispute needs as it was loaded; None where it needs none."""
        return self._handle(_Pending(dispute_id, command_for), host)

    def _handle(self, pending: _Pending, host: Connection | None) -> Result | None:
        if host is None:
            return self._retrying(pending)
        _require_transaction(host)
        with self.session(host, writes=True) as session:
            return _logged(self._locked(pending, session))

    def _retrying(self, pending: _Pending) -> Result | None:
        """Handle a command, and again where the dispute was modified concurrently: first without a lock, then with one."""
        for attempt in range(_ATTEMPTS):
            try:
                if attempt < _OPTIMISTIC:
                    return _logged(self._optimistic(pending))
                with self.store.pool.transaction() as session:
                    done = self._locked(pending, session)
                return _logged(done)
            except ConflictError:
                continue
            except (FactsNeededError, StaleFactsError):
                if attempt < _OPTIMISTIC or pending.given is not None:
                    raise
                before, arrived = cast("Dispute", pending.before), cast("datetime", pending.arrived)
                pending.asked = self.disputes.look(before, max(arrived, before.last_at))
        raise ConflictError(
            f"dispute {pending.dispute_id} could not be written, for others kept changing it; "
            "send the command again"
        )

    def _optimistic(self, pending: _Pending) -> _Handled | None:
        """Load, ask for facts, decide, append: without a lock. Raises `ConflictError` where the dispute was modified meanwhile."""
        with self.store.pool.take() as session:
            ready = self._load(
                pending, session, self.store.load(session, pending.dispute_id, pending.key)
            )
            if ready is None:
                return None
            try:
                return self._append(session, ready, self._decide(ready, pending.given))
            except FactsNeededError:
                pass  # asked below, where nobody waits for the connection
        pending.asked = self.disputes.look(ready.before, ready.now)
        result = self._decide(ready, pending.asked)
        with self.store.pool.take() as session:
            return self._append(session, ready, result)

    def _locked(self, pending: _Pending, session: Session) -> _Handled | None:
        """Load, decide, append: in the session's transaction, with a lock on the dispute. Asks no order system.

        Raises `FactsNeededError` where facts are needed and none are at hand.
        """
        ready = self._load(
            pending, session, self.store.load_locked(session, pending.dispute_id, pending.key)
        )
        if ready is None:
            return None
        try:
            result = self._decide(ready, pending.given or pending.asked)
        except FactsNeededError:
            raise _unasked(ready.before.order_id) from None
        if result.event is not None:
            self._write(session, ready, result)
            self._wake()
        return ready, result

    def _load(self, pending: _Pending, session: Session, loaded: Loaded | None) -> _Ready | None:
        if loaded is None:
            raise UnknownDisputeError(
                f"there is no dispute {pending.dispute_id}", field="dispute_id"
            )
        pending.before = loaded.dispute
        if pending.arrived is None:
            pending.arrived = (
                loaded.now if self.clock is None and loaded.now is not None else self.now(session)
            )
        now = max(
            pending.arrived, loaded.dispute.last_at
        )  # business time never goes back within a dispute, whatever a clock does
        command = pending.command_for(loaded.dispute, now)
        return None if command is None else _Ready(command, loaded.dispute, now)

    def _decide(self, ready: _Ready, facts: OrderFacts | None) -> Result:
        command, before, now = ready
        decision = decide(
            before,
            command,
            facts,
            now,
            stamp=self.disputes.stamp(before.dispute_id, before.seq + 1),
        )
        event = decision.event if isinstance(decision, Accepted | Refused) else None
        return Result(decision, event, before if event is None else evolve(before, event))

    def _append(self, session: Session, ready: _Ready, result: Result) -> _Handled:
        """Append the event, if there is one, in a transaction of its own."""
        if result.event is not None:
            with session.transaction():
                self._write(session, ready, result)
            self._wake()
        return ready, result

    def _write(self, session: Session, ready: _Ready, result: Result) -> None:
        decision = result.decision
        if isinstance(decision, Accepted | Refused) and decision.event is not None:
            due = self.store.append(
                session, ready.before, decision.event, result.dispute, decision.hashed
            )
            self._announce(session, result.dispute, due)

    # ---- what both need --------------------------------------------------------------------------

    @contextmanager
    def session(self, host: Connection | None, *, writes: bool = False) -> Generator[Session]:
        """Give a session: within the host's transaction, where there is one, else of the pool."""
        if host is None:
            with self.store.pool.transaction() if writes else self.store.pool.take() as session:
                yield session
        else:
            with translated_errors():
                yield self.store.host_session(host)

    def _announce(self, session: Session, dispute: Dispute, due: Sequence[datetime]) -> None:
        if any(at - dispute.last_at < NOTICE for at in due):
            self.store.announce(session)

    def _wake(self) -> None:
        for wake in self.wakes:
            wake.set()


def _require_transaction(host: Connection | None) -> None:
    if host is None:
        return
    driver: Any = host.connection.driver_connection
    if not host.in_transaction() or getattr(driver, "autocommit", False) is True:
        raise InputError("the connection is not in a transaction: begin one", field="connection")


def _logged(done: _Handled | None) -> Result | None:
    """Log a decision once it is stored."""
    if done is None:
        return None
    ready, result = done
    log_decision(ready.before.dispute_id, ready.command, result.decision)
    return result


def _unasked(order_id: str) -> FactsNeededError:
    return FactsNeededError(
        f"order {order_id} has to be looked at, which is not done while a transaction is open: "
        "hand in facts"
    )


def _has_a_live_one(opening: OpenDispute, live: str) -> Reason:
    unlock = PayloadUnlock(
        "order_id",
        f"请继续处理纠纷 {live}，或在其结束后再发起",
        f"go on with dispute {live}, or open another once it is closed",
    )
    saw = FrozenMap({"order_id": opening.order_id, "dispute_id": live})
    return Reason(RefusalCode.DISPUTE_EXISTS, "one_live_dispute_per_order", saw, unlock)
