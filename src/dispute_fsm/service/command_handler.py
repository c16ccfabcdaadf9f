"""Load, ask, decide, append; and again where somebody else was faster.

A command is decided outside of any transaction, for an order system may take its time, and written only where its dispute
still stands as it was loaded. Else it is loaded and decided again: first freely, then, so that it ends, with the dispute held.
The order system is never asked while a transaction is open.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection

from dispute_fsm.decider.conclude import opening_needs_facts
from dispute_fsm.decider.decide import decide, open_dispute
from dispute_fsm.decider.decisions import Accepted, Decision, Reason, Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.domain.commands import Command, OpenDispute
from dispute_fsm.domain.enums import RefusalCode
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import ConflictError, FactsNeededError, InputError, StaleFactsError, UnknownDisputeError
from dispute_fsm.handler import Disputes, Result, instant, log_decision
from dispute_fsm.machine.guard_result import PayloadUnlock
from dispute_fsm.store.failures import failures
from dispute_fsm.store.repository import Loaded, Store
from dispute_fsm.store.session import Session

Clock = Callable[[], datetime]
"""Tells what time it is, with an offset."""

Wanted = Callable[[Dispute, datetime], Command | None]
"""Says what to ask of a dispute as it stands, at this time; None: nothing, it has gone on."""

NOTICE = timedelta(minutes=1)
"""Sweepers of other processes look by themselves at least as often; what is due sooner is announced to them."""

_FREELY = 2
"""How often a command is decided with the dispute free for others, before it is held."""

_ATTEMPTS = 10


@dataclass(slots=True)
class _Errand:
    """One command on its way: what is known about it from one attempt to the next.

    `given` are the facts that the host handed in, `asked` those that the order system gave. `arrived` is when the command
    came: it is judged by that time, however long the order system took. `before` is the dispute as it was loaded last.
    """

    dispute_id: str
    wanted: Wanted
    key: str | None = None
    given: OrderFacts | None = None
    asked: OrderFacts | None = None
    arrived: datetime | None = None
    before: Dispute | None = None


class _Put(NamedTuple):
    """A command as it is put to a dispute: which, to which, when."""

    command: Command
    before: Dispute
    now: datetime


@dataclass(frozen=True, slots=True)
class CommandHandler:
    """Takes openings and commands to the disputes of a store. `clock` None: the database's, where it has one.

    `wakes` are set when a deadline may be due sooner than it was.
    """

    store: Store
    disputes: Disputes
    clock: Clock | None
    wakes: list[Event] = field(default_factory=list[Event])

    def now(self, session: Session) -> datetime:
        """Tell what time it is, in UTC."""
        return self.store.now(session) if self.clock is None else instant(self.clock(), "now")

    # ---- openings ------------------------------------------------------------------------------------------------------

    def open(self, opening: OpenDispute, facts: OrderFacts | None, host: Connection | None) -> Result:
        """Open a dispute; see `DisputeService.open`."""
        _require_transaction(host)
        for _ in range(_ATTEMPTS):
            with self.session(host) as session:
                now = self.now(session)
                loaded = self.store.load(session, opening.dispute_id)
                live = self.store.live_on(session, opening.order_id) if loaded is None else None
            if live == opening.dispute_id:  # it was opened between the two looks
                continue
            existing = None if loaded is None else loaded.dispute
            if live is not None:
                decision: Decision = Refused((_has_a_live_one(opening, live),))
            else:
                shown = self._shown(opening, existing, now, host) if facts is None else facts
                decision = open_dispute(existing, opening, shown, now, stamp=self.disputes.stamp(opening.dispute_id, 1))
            try:
                answer = self._opened(opening, existing, decision, host)
            except ConflictError:
                continue
            log_decision(opening.dispute_id, opening, decision)
            return answer
        raise ConflictError(f"dispute {opening.dispute_id} could not be opened, for others kept opening one; send it again")

    def _shown(self, opening: OpenDispute, existing: Dispute | None, now: datetime, host: Connection | None) -> OrderFacts | None:
        if not opening_needs_facts(existing, opening):
            return None
        if host is not None:
            raise _unasked(opening.order_id)
        return self.disputes.orders.look(opening.order_id, now)

    def _opened(self, opening: OpenDispute, existing: Dispute | None, decision: Decision, host: Connection | None) -> Result:
        """Write a dispute that opens. Raises `ConflictError` where another one came first."""
        if not isinstance(decision, Accepted):
            return Result(decision, None, None if isinstance(decision, Refused) else existing)
        dispute = begin(decision.event, opening.policy)
        with self.session(host, writes=True) as session:
            self._announce(session, dispute, self.store.insert(session, dispute, decision.hashed))
        self._wake()
        return Result(decision, decision.event, dispute)

    # ---- commands ------------------------------------------------------------------------------------------------------

    def send(self, dispute_id: str, command: Command, facts: OrderFacts | None, host: Connection | None) -> Result:
        """Send a command to a dispute; see `DisputeService.send`."""
        return cast("Result", self._carry_out(_Errand(dispute_id, lambda _dispute, _now: command, command.key, facts), host))

    def put(self, dispute_id: str, wanted: Wanted, host: Connection | None = None) -> Result | None:
        """Put to a dispute what is wanted of it as it stands; None where nothing is."""
        return self._carry_out(_Errand(dispute_id, wanted), host)

    def _carry_out(self, errand: _Errand, host: Connection | None) -> Result | None:
        if host is None:
            return self._with_retries(errand)
        _require_transaction(host)
        with self.session(host, writes=True) as session:
            return _logged(self._held(errand, session))

    def _with_retries(self, errand: _Errand) -> Result | None:
        for attempt in range(_ATTEMPTS):
            try:
                if attempt < _FREELY:
                    return _logged(self._free(errand))
                with self.store.pool.transaction() as session:
                    done = self._held(errand, session)
                return _logged(done)
            except ConflictError:
                continue
            except (FactsNeededError, StaleFactsError):
                if attempt < _FREELY or errand.given is not None:
                    raise
                before, arrived = cast("Dispute", errand.before), cast("datetime", errand.arrived)
                errand.asked = self.disputes.look(before, max(arrived, before.last_at))
        raise ConflictError(f"dispute {errand.dispute_id} could not be written, for others kept changing it; send the command again")

    def _free(self, errand: _Errand) -> tuple[_Put, Result] | None:
        """Decide while others may change the dispute, and write where it still stands."""
        with self.store.pool.take() as session:
            put = self._put(errand, session, self.store.load(session, errand.dispute_id, errand.key))
            if put is None:
                return None
            try:
                return self._written(session, put, self._answer(put, errand.given))
            except FactsNeededError:
                pass  # asked below, where nothing waits for the connection
        errand.asked = self.disputes.look(put.before, put.now)
        answer = self._answer(put, errand.asked)
        with self.store.pool.take() as session:
            return self._written(session, put, answer)

    def _written(self, session: Session, put: _Put, answer: Result) -> tuple[_Put, Result]:
        if answer.event is not None:
            with session.transaction():
                self._write(session, put, answer)
            self._wake()
        return put, answer

    def _held(self, errand: _Errand, session: Session) -> tuple[_Put, Result] | None:
        """Decide while nobody else can change the dispute. Asks nobody: raises `FactsNeededError` where facts are needed."""
        put = self._put(errand, session, self.store.locked(session, errand.dispute_id, errand.key))
        if put is None:
            return None
        try:
            answer = self._answer(put, errand.given or errand.asked)
        except FactsNeededError:
            raise _unasked(put.before.order_id) from None
        if answer.event is not None:
            self._write(session, put, answer)
            self._wake()
        return put, answer

    def _put(self, errand: _Errand, session: Session, loaded: Loaded | None) -> _Put | None:
        if loaded is None:
            raise UnknownDisputeError(f"there is no dispute {errand.dispute_id}", field="dispute_id")
        errand.before = loaded.dispute
        if errand.arrived is None:
            errand.arrived = loaded.now if self.clock is None and loaded.now is not None else self.now(session)
        now = max(errand.arrived, loaded.dispute.last_at)  # business time never goes back within a dispute, whatever a clock does
        command = errand.wanted(loaded.dispute, now)
        return None if command is None else _Put(command, loaded.dispute, now)

    def _answer(self, put: _Put, facts: OrderFacts | None) -> Result:
        command, before, now = put
        decision = decide(before, command, facts, now, stamp=self.disputes.stamp(before.dispute_id, before.seq + 1))
        event = decision.event if isinstance(decision, Accepted | Refused) else None
        return Result(decision, event, before if event is None else evolve(before, event))

    def _write(self, session: Session, put: _Put, answer: Result) -> None:
        decision = answer.decision
        if isinstance(decision, Accepted | Refused) and decision.event is not None:
            due = self.store.append(session, put.before, decision.event, answer.dispute, decision.hashed)
            self._announce(session, answer.dispute, due)

    # ---- what both need ------------------------------------------------------------------------------------------------

    @contextmanager
    def session(self, host: Connection | None, *, writes: bool = False) -> Generator[Session]:
        """Give a session: within the host's transaction, where there is one, else of the pool."""
        if host is None:
            with self.store.pool.transaction() if writes else self.store.pool.take() as session:
                yield session
        else:
            with failures():
                yield self.store.hosted(host)

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


def _logged(done: tuple[_Put, Result] | None) -> Result | None:
    """Write the line of a decision once it stands."""
    if done is None:
        return None
    put, answer = done
    log_decision(put.before.dispute_id, put.command, answer.decision)
    return answer


def _unasked(order_id: str) -> FactsNeededError:
    return FactsNeededError(f"order {order_id} has to be looked at, which is not done while a transaction is open: hand in facts")


def _has_a_live_one(opening: OpenDispute, live: str) -> Reason:
    unlock = PayloadUnlock(
        "order_id", f"请继续处理纠纷 {live}，或在其结束后再发起", f"go on with dispute {live}, or open another once it is closed"
    )
    saw = FrozenMap({"order_id": opening.order_id, "dispute_id": live})
    return Reason(RefusalCode.DISPUTE_EXISTS, "one_live_dispute_per_order", saw, unlock)
