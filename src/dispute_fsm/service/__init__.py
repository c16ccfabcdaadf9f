"""`DisputeService`, for hosts that let this package store their disputes (extra `sql`).

    service = DisputeService(Store("sqlite:///disputes.db"), orders)

It handles commands, fires deadlines and publishes events. `async_service` has the same for asyncio.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Unpack, overload

from dispute_fsm.commands import OpeningFields
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.options import OptionView
from dispute_fsm.domain.commands import Actor, Command, OpenDispute, Voucher
from dispute_fsm.domain.enums import StateName
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.handler import (
    Disputes,
    Expiry,
    Result,
    StampMaker,
    fresh_stamp,
    parse_command,
    parse_opening,
)
from dispute_fsm.orders import AsyncOrderSystem, OrderSystem
from dispute_fsm.rules.checklist import Checklist
from dispute_fsm.service.alarms import AlarmHook
from dispute_fsm.service.async_orders import waiting
from dispute_fsm.service.command_handler import Clock, CommandHandler
from dispute_fsm.service.consumer import SOURCE, Consumer, FeedEvent, Sink, feed_event
from dispute_fsm.service.sweeper import (
    BATCH,
    LEASE,
    POLL_INTERVAL,
    Sweeper,
    SweepResult,
    expire,
    sweep,
)
from dispute_fsm.store import queries
from dispute_fsm.store.event_log import parse_position, read_feed
from dispute_fsm.store.host import HostConnection
from dispute_fsm.store.queries import DisputeSnapshot, Due, Page
from dispute_fsm.store.repository import Store

PAGE = 100
"""The default size of a page."""


class DisputeService:
    """Opens disputes, handles commands, fires deadlines and publishes events, on a store.

    Any number of threads may use it. `orders` is the host's order system; one that is awaited needs
    an `AsyncDisputeService`. `clock` gives business
    time; the default is the database's clock where it has one, or else this machine's. `stamp`
    makes ids and salts. `alarms` is called in each transaction in which a dispute's revision
    changes, for an engine that is to call `expire`: see `dispute_fsm.service.alarms`.

    Every call may raise `StoreUnavailableError`: database unavailable. Nothing is half-written. If
    the connection broke during a commit, send the same command with the same key again to learn
    whether it was stored. `StoreInvalidError`: the database or its permissions must be repaired
    first. Calls in a host's transaction raise the same, and the host rolls it back.
    """

    def __init__(
        self,
        store: Store,
        orders: OrderSystem | AsyncOrderSystem,
        *,
        clock: Clock | None = None,
        stamp: StampMaker = fresh_stamp,
        alarms: AlarmHook | None = None,
    ) -> None:
        self.store = store
        self._handler = CommandHandler(store, Disputes(waiting(orders), stamp), clock, alarms)

    # ---- openings and commands -------------------------------------------------------------------

    @overload
    def open(
        self,
        opening: OpenDispute,
        /,
        *,
        facts: OrderFacts | None = None,
        connection: HostConnection | None = None,
    ) -> Result: ...
    @overload
    def open(
        self,
        opening: None = None,
        /,
        *,
        facts: OrderFacts | None = None,
        connection: HostConnection | None = None,
        **fields: Unpack[OpeningFields],
    ) -> Result: ...
    def open(
        self,
        opening: OpenDispute | None = None,
        /,
        *,
        facts: OrderFacts | None = None,
        connection: HostConnection | None = None,
        **fields: object,
    ) -> Result:
        """Open a dispute, by a command or by its fields.

        The same opening with the same id gets the first decision again. An order has at most one
        live dispute: another opening is refused with `dispute_exists`. `facts` and `connection` are
        as in `send`.

        Raises `OrderSystemUnavailableError`, `StaleFactsError`, `InputError`; `ConflictError`: send
        it again.
        """
        return self._handler.open(parse_opening(opening, fields), facts, connection)

    @overload
    def send(
        self,
        dispute_id: str,
        command: Command,
        /,
        *,
        facts: OrderFacts | None = None,
        revision: int | None = None,
        connection: HostConnection | None = None,
    ) -> Result: ...
    @overload
    def send(
        self,
        dispute_id: str,
        command: str,
        /,
        *,
        by: Actor | None = None,
        key: str | None = None,
        facts: OrderFacts | None = None,
        revision: int | None = None,
        connection: HostConnection | None = None,
        **payload: object,
    ) -> Result: ...
    def send(  # noqa: PLR0913 -- a command may be given by its fields
        self,
        dispute_id: str,
        command: Command | str,
        /,
        *,
        by: Actor | None = None,
        key: str | None = None,
        facts: OrderFacts | None = None,
        revision: int | None = None,
        connection: HostConnection | None = None,
        **payload: object,
    ) -> Result:
        """Send a command, or the name of its type and its fields, to a dispute; store its event.

        The command is decided as of the time when it arrived, or the time of the dispute's last
        event where a clock went back. `facts` is a snapshot that the host already has.

        `revision` is the revision for which the command is meant: at another one nothing is
        recorded, and the decision is `Stale`. A command that was accepted before, under the same
        key, is `Repeated` at any revision.

        `connection` is a connection of the host's with an open transaction: of SQLAlchemy, psycopg
        3 or sqlite3, or Django's. Everything is written in that transaction, and the dispute stays
        locked until it ends. The order system is not asked in it: where a guard needs facts, hand
        them in; `facts` returns them.

        Raises `OrderSystemUnavailableError`: nothing happened, send it again; `ConflictError`: too
        many concurrent changes, send it again; `UnknownDisputeError`; `FactsNeededError`, with a
        `connection` only; `StaleFactsError`; `InputError` where the command or the clock's time is
        invalid, or the `connection` has no open transaction.
        """
        parsed = parse_command(command, by, key, payload)
        return self._handler.send(dispute_id, parsed, facts, revision, connection)

    def expire(
        self,
        dispute_id: str,
        *,
        revision: int | None = None,
        connection: HostConnection | None = None,
    ) -> Expiry:
        """Fire the deadlines of a dispute that have passed, and say when to call again.

        `revision` is the revision for which the timer was set: a dispute with another one is left
        as it is. `connection` is as in `send`.

        Raises `OrderSystemUnavailableError` where no deadline could fire because the order system
        cannot answer: nothing happened, call again; `UnknownDisputeError`; what `send` raises.
        """
        return expire(self._handler, dispute_id, revision, connection)

    @overload
    def facts(self, opening: OpenDispute, /) -> OrderFacts | None: ...
    @overload
    def facts(self, dispute_id: str, command: Command, /) -> OrderFacts | None: ...
    def facts(
        self, subject: OpenDispute | str, command: Command | None = None, /
    ) -> OrderFacts | None:
        """Return the facts for an opening or a command in a transaction of the host's.

        Call it before the transaction, and hand the facts in with the `connection`. The order
        system is asked only where a guard needs facts; None where none does. If the dispute changes
        in between, `send` may raise `FactsNeededError`: begin again.

        Raises `OrderSystemUnavailableError`; `UnknownDisputeError`; `InputError` where the order of
        an opening does not exist: without a transaction `open` refuses that.
        """
        if isinstance(subject, OpenDispute):
            return self._handler.facts_of_opening(subject)
        return self._handler.facts_of_command(subject, parse_command(command, None, None, {}))

    def now(self, connection: HostConnection | None = None) -> datetime:
        """Return the time as of which a command would be decided now, in UTC.

        Date facts of your own by it.
        """
        with self._handler.session(connection) as session:
            return self._handler.now(session)

    # ---- reading ---------------------------------------------------------------------------------

    def get(self, dispute_id: str) -> Dispute | None:
        """Return the current dispute, without its `keys`; None where it does not exist."""
        with self.store.pool.take() as session:
            loaded = self.store.load(session, dispute_id)
        return None if loaded is None else loaded.dispute

    def history(self, dispute_id: str) -> tuple[AuditEvent, ...]:
        """Return all events of a dispute in order; empty where it does not exist.

        Personal values are included unless they were erased.
        """
        with self.store.pool.take() as session:
            return tuple(self.store.history(session, dispute_id))

    def options(self, dispute_id: str) -> tuple[OptionView, ...]:
        """Return each option of the merchant: open or closed, why, and what would unlock it.

        Where the order system cannot answer, an option that depends on it is neither open nor
        closed. Raises `UnknownDisputeError`.
        """
        dispute, now = self._handler.load(dispute_id)
        return self._handler.disputes.options(dispute, at=now)

    def checklist(
        self,
        dispute_id: str,
        reason: str | None,
        vouchers: tuple[Voucher, ...] = (),
        statement: str | None = None,
    ) -> Checklist:
        """Check evidence before it is submitted: what is complete, missing or not acceptable.

        Raises `UnknownDisputeError`.
        """
        dispute, _ = self._handler.load(dispute_id)
        return self._handler.disputes.checklist(dispute, reason, vouchers, statement)

    def snapshot(self, dispute_id: str) -> DisputeSnapshot | None:
        """Return the current state of a dispute, for the host's own tables; None without one."""
        with self.store.pool.take() as session:
            return queries.snapshot_of_dispute(session, dispute_id)

    def by_order(
        self, order_id: str, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[DisputeSnapshot]:
        """Return the disputes of an order, the oldest first, page by page.

        `cursor` is the one of the page before. Raises `InputError` for an invalid cursor, and for a
        limit below one.
        """
        with self.store.pool.take() as session:
            return queries.find_disputes(session, {"order_id": order_id}, None, cursor, limit)

    def by_merchant(
        self,
        merchant_id: str,
        state: StateName | None = None,
        *,
        cursor: str | None = None,
        limit: int = PAGE,
    ) -> Page[DisputeSnapshot]:
        """Return the disputes against a merchant, in one state or in any; see `by_order`."""
        with self.store.pool.take() as session:
            return queries.find_disputes(
                session, {"merchant_id": merchant_id}, state, cursor, limit
            )

    def by_state(
        self, state: StateName, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[DisputeSnapshot]:
        """Return the disputes in a state; see `by_order`.

        The state is a leaf, of any rule version and region, or a compound state.
        """
        with self.store.pool.take() as session:
            return queries.find_disputes(session, {}, state, cursor, limit)

    def due_before(
        self, instant: datetime, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[Due]:
        """Return the deadlines that are due before an instant, the first due first.

        Each carries the revision of its dispute, for `expire`.
        """
        with self.store.pool.take() as session:
            return queries.due_before(session, instant, cursor, limit)

    # ---- erasure ---------------------------------------------------------------------------------

    def erase(self, dispute_id: str) -> int:
        """Erase the personal values of a dispute. Returns how many of its events had any.

        The hash chain stays valid.
        """
        return self.store.erase(dispute_id)

    # ---- deadlines -------------------------------------------------------------------------------

    def sweep(
        self,
        *,
        batch: int = BATCH,
        lease: timedelta = LEASE,
        behind: timedelta = timedelta(0),
        stop: Callable[[], bool] = bool,
    ) -> SweepResult:
        """Fire every deadline that has passed, once, however many processes sweep.

        Only what has passed for longer than `behind`, in business time: what is newer is left to an
        engine that sets `alarms`. `stop` is called between two disputes and ends the sweep when it
        returns true.

        Raises `InputError` for an empty batch, and for a negative `behind`.
        """
        return sweep(self._handler, batch, lease, behind, stop)

    def sweeper(
        self,
        *,
        poll_interval: timedelta = POLL_INTERVAL,
        lease: timedelta = LEASE,
        behind: timedelta = timedelta(0),
    ) -> Sweeper:
        """Make a sweeper: it sweeps whenever a deadline is due, from its `run` until its `stop`.

        `behind` is as in `sweep`. Raises `InputError` for a negative one.
        """
        return Sweeper(self._handler, poll_interval=poll_interval, lease=lease, behind=behind)

    # ---- the feed --------------------------------------------------------------------------------

    def feed(self, after: str | None = None, limit: int = PAGE) -> tuple[FeedEvent, ...]:
        """Return the events of all disputes in commit order, after a position.

        None: from the first one on. Whoever continues after the last position misses nothing.
        Raises `InputError` for an invalid position, and for a limit below one.
        """
        position = parse_position(after)
        with self.store.pool.take() as session:
            return tuple(feed_event(at, row) for at, row in read_feed(session, position, limit))

    def consumer(
        self,
        name: str,
        sink: Sink,
        *,
        source: str = SOURCE,
        tries: int = 3,
        lease: timedelta = LEASE,
    ) -> Consumer:
        """Make a consumer whose position is stored under this name."""
        return Consumer(self._handler, name, sink, source=source, tries=tries, lease=lease)
