"""The service: what a host calls that lets this package keep its disputes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Unpack, overload

from sqlalchemy import Connection

from dispute_fsm.commands import OpeningFields
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.options import OptionView
from dispute_fsm.domain.commands import Actor, Command, OpenDispute, Voucher
from dispute_fsm.domain.enums import StateName
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.errors import UnknownDisputeError
from dispute_fsm.handler import (
    Disputes,
    Expiry,
    Result,
    StampMaker,
    command_of,
    fresh_stamp,
    opening_of,
)
from dispute_fsm.orders import OrderSystem
from dispute_fsm.rules.evidence import Checklist
from dispute_fsm.service.command_handler import NOTICE, Clock, CommandHandler
from dispute_fsm.service.consumer import SOURCE, Consumer, FeedEvent, Sink, feed_event
from dispute_fsm.service.sweeper import BATCH, LEASE, Runner, Swept, expire, sweep
from dispute_fsm.store import queries
from dispute_fsm.store.event_log import parse_position, read_feed
from dispute_fsm.store.queries import DisputeSnapshot, Due, Page
from dispute_fsm.store.repository import Loaded, Store

PAGE = 100
"""How many a page holds, where nothing else is asked for."""


class DisputeService:
    """Opens disputes, takes commands, sweeps deadlines and feeds others, on a store; safe to use from many threads.

    `orders` is the host's order system. `clock` tells business time: left out, the database's clock
    where it has one, else this machine's. `stamp` gives ids and salts.

    Every call may raise `StoreUnavailableError`: database unavailable. Nothing is ever
    half-written; whether the last commit was done is unknown, and the same command with the same
    key finds out. `StoreInvalidError`: somebody has to change the database, or the rights in it,
    first. Calls in a host's transaction raise the same, and the host rolls it back.
    """

    def __init__(
        self,
        store: Store,
        orders: OrderSystem,
        *,
        clock: Clock | None = None,
        stamp: StampMaker = fresh_stamp,
    ) -> None:
        self.store = store
        self._handler = CommandHandler(store, Disputes(orders, stamp), clock)

    # ---- openings and commands -------------------------------------------------------------------

    @overload
    def open(
        self,
        opening: OpenDispute,
        /,
        *,
        facts: OrderFacts | None = None,
        connection: Connection | None = None,
    ) -> Result: ...
    @overload
    def open(
        self,
        opening: None = None,
        /,
        *,
        facts: OrderFacts | None = None,
        connection: Connection | None = None,
        **fields: Unpack[OpeningFields],
    ) -> Result: ...
    def open(
        self,
        opening: OpenDispute | None = None,
        /,
        *,
        facts: OrderFacts | None = None,
        connection: Connection | None = None,
        **fields: object,
    ) -> Result:
        """Open a dispute, by a command or by its fields. The same opening of the same id again is answered as the first time.

        An order has one live dispute: another opening is refused with `dispute_exists`. `facts` and
        `connection` as in `send`.

        Raises `OrderSystemUnavailableError`, `StaleFactsError`, `InputError`; `ConflictError`: send
        it again.
        """
        return self._handler.open(opening_of(opening, fields), facts, connection)

    @overload
    def send(
        self,
        dispute_id: str,
        command: Command,
        /,
        *,
        facts: OrderFacts | None = None,
        connection: Connection | None = None,
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
        connection: Connection | None = None,
        **said: object,
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
        connection: Connection | None = None,
        **said: object,
    ) -> Result:
        """Send a command to a dispute, or the type of one and what it says; what came of it is stored when this returns.

        The command is judged by the time at which it came, or that of the dispute's last event
        where a clock went back. `facts` is a snapshot that the host has at hand already. With a
        `connection` of the host's, which has begun a transaction, all is written there and stands
        once the host commits; the dispute is held until then. The order system is not asked then:
        where a rule looks at facts, hand them in, dated by `now`.

        Raises `OrderSystemUnavailableError`: nothing happened, send it again; `ConflictError`:
        others kept changing the dispute, send it again; `UnknownDisputeError` where there is no
        such dispute; `FactsNeededError` with a `connection` only; `StaleFactsError`; `InputError`
        where the command cannot be read, the clock tells no instant, or the `connection` has begun
        no transaction.
        """
        return self._handler.send(dispute_id, command_of(command, by, key, said), facts, connection)

    def expire(
        self, dispute_id: str, *, revision: int | None = None, connection: Connection | None = None
    ) -> Expiry:
        """Act on what has passed of a dispute's deadlines, and say when to call again.

        `revision` is that of the dispute for which a timer was set: where it has gone on since,
        nothing is done. `connection` as in `send`.

        Raises `OrderSystemUnavailableError` where nothing could be acted on for that: nothing
        happened, call again; `InputError` where there is no such dispute; as `send` does.
        """
        return expire(self._handler, dispute_id, revision, connection)

    def now(self, connection: Connection | None = None) -> datetime:
        """Tell the time by which commands are judged, in UTC: what the host looks up itself is observed at it."""
        with self._handler.session(connection) as session:
            return self._handler.now(session)

    # ---- looking ---------------------------------------------------------------------------------

    def get(self, dispute_id: str) -> Dispute | None:
        """Return a dispute as it stands; None where there is none. Its `keys` are left out."""
        with self.store.pool.take() as session:
            loaded = self.store.load(session, dispute_id)
        return None if loaded is None else loaded.dispute

    def history(self, dispute_id: str) -> tuple[AuditEvent, ...]:
        """Return all events of a dispute in order, with what is left of its personal values; empty where there is none."""
        with self.store.pool.take() as session:
            return tuple(self.store.history(session, dispute_id))

    def options(self, dispute_id: str) -> tuple[OptionView, ...]:
        """Return what the merchant could choose now, why not, and what would unlock it.

        Where the order system cannot answer, an option that depends on it is neither open nor
        closed. Raises `UnknownDisputeError` where there is no such dispute.
        """
        dispute, now = self._there(dispute_id)
        return self._handler.disputes.options(dispute, at=now)

    def checklist(
        self,
        dispute_id: str,
        reason: str | None,
        vouchers: tuple[Voucher, ...] = (),
        statement: str | None = None,
    ) -> Checklist:
        """Tell, before evidence is submitted, what is there, missing and not acceptable.

        Raises `UnknownDisputeError` where there is no such dispute.
        """
        return self._handler.disputes.checklist(
            self._there(dispute_id)[0], reason, vouchers, statement
        )

    def snapshot(self, dispute_id: str) -> DisputeSnapshot | None:
        """Return how a dispute stands, versioned, for the host's own tables; None where there is none."""
        with self.store.pool.take() as session:
            return queries.snapshot_of_dispute(session, dispute_id)

    def by_order(
        self, order_id: str, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[DisputeSnapshot]:
        """Find the disputes about an order, the oldest first. `cursor` is that of the page before.

        Raises `InputError` for another cursor, and for a page that holds nothing.
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
        """Find the disputes against a merchant, in any state or in one, the oldest first. Raises `InputError` as `by_order` does."""
        with self.store.pool.take() as session:
            return queries.find_disputes(
                session, {"merchant_id": merchant_id}, state, cursor, limit
            )

    def by_state(
        self, state: StateName, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[DisputeSnapshot]:
        """Find the disputes in a state, the oldest first.

        It is a leaf, under any rule version and in any region, or a state around leaves.
        Raises `InputError` as `by_order` does.
        """
        with self.store.pool.take() as session:
            return queries.find_disputes(session, {}, state, cursor, limit)

    def due_before(
        self, instant: datetime, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[Due]:
        """Find the deadlines that run and are due before an instant, the first due first. Raises `InputError` as `by_order` does."""
        with self.store.pool.take() as session:
            return queries.due_before(session, instant, cursor, limit)

    # ---- erasing ---------------------------------------------------------------------------------

    def erase(self, dispute_id: str) -> int:
        """Erase the personal values of a dispute; returns how many of its events had any. The chain of hashes stays whole."""
        return self.store.erase(dispute_id)

    # ---- deadlines -------------------------------------------------------------------------------

    def sweep(
        self, *, batch: int = BATCH, lease: timedelta = LEASE, stop: Callable[[], bool] = bool
    ) -> Swept:
        """Fire every deadline that has passed, once, however many sweep. `stop` is asked between two disputes."""
        return sweep(self._handler, batch, lease, stop)

    def runner(self, *, look: timedelta = NOTICE / 2, lease: timedelta = LEASE) -> Runner:
        """Make a runner that sweeps whenever a deadline is due; its `run` returns after its `stop`."""
        return Runner(self._handler, look=look, lease=lease)

    # ---- the feed --------------------------------------------------------------------------------

    def feed(self, after: str | None = None, limit: int = PAGE) -> tuple[FeedEvent, ...]:
        """Read the events of all disputes as they were committed, after a position (None: from the first).

        Continuing after the last position leaves nothing out. Raises `InputError` for an invalid
        position, and for a limit below one.
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
        """Make a consumer that keeps its position under a name."""
        return Consumer(self._handler, name, sink, source=source, tries=tries, lease=lease)

    def _there(self, dispute_id: str) -> tuple[Dispute, datetime]:
        with self.store.pool.take() as session:
            loaded: Loaded | None = self.store.load(session, dispute_id)
            now = self._handler.now(session)
        if loaded is None:
            raise UnknownDisputeError(f"there is no dispute {dispute_id}", field="dispute_id")
        return loaded.dispute, max(now, loaded.dispute.last_at)
