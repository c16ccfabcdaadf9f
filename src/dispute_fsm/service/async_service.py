"""The same service for asyncio: each call runs in a thread, so that the event loop goes on meanwhile. Nothing is decided here."""

import asyncio
from datetime import datetime, timedelta
from typing import Unpack, overload

from dispute_fsm.commands import OpeningFields
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.options import OptionView
from dispute_fsm.domain.commands import Actor, Command, OpenDispute, Voucher
from dispute_fsm.domain.enums import StateName
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.handler import Expiry, Result, command_of, opening_of
from dispute_fsm.rules.checklist import Checklist
from dispute_fsm.service.command_handler import NOTICE
from dispute_fsm.service.consumer import Consumer, Delivered, FeedEvent
from dispute_fsm.service.service import PAGE, DisputeService
from dispute_fsm.service.sweeper import BATCH, LEASE, Swept
from dispute_fsm.store.queries import DisputeSnapshot, Due, Page


class AsyncDisputeService:
    """A `DisputeService` whose calls are awaited; each means and raises what the service's own does.

    A call that is cancelled while it runs is carried out all the same, and its answer is lost: send
    it again with its key.
    """

    def __init__(self, service: DisputeService) -> None:
        self.service = service

    @overload
    async def open(self, opening: OpenDispute, /, *, facts: OrderFacts | None = None) -> Result: ...
    @overload
    async def open(
        self,
        opening: None = None,
        /,
        *,
        facts: OrderFacts | None = None,
        **fields: Unpack[OpeningFields],
    ) -> Result: ...
    async def open(
        self,
        opening: OpenDispute | None = None,
        /,
        *,
        facts: OrderFacts | None = None,
        **fields: object,
    ) -> Result:
        """Open a dispute."""
        return await asyncio.to_thread(self.service.open, opening_of(opening, fields), facts=facts)

    @overload
    async def send(
        self, dispute_id: str, command: Command, /, *, facts: OrderFacts | None = None
    ) -> Result: ...
    @overload
    async def send(
        self,
        dispute_id: str,
        command: str,
        /,
        *,
        by: Actor | None = None,
        key: str | None = None,
        facts: OrderFacts | None = None,
        **said: object,
    ) -> Result: ...
    async def send(
        self,
        dispute_id: str,
        command: Command | str,
        /,
        *,
        by: Actor | None = None,
        key: str | None = None,
        facts: OrderFacts | None = None,
        **said: object,
    ) -> Result:
        """Send a command to a dispute."""
        return await asyncio.to_thread(
            self.service.send, dispute_id, command_of(command, by, key, said), facts=facts
        )

    async def expire(self, dispute_id: str, *, revision: int | None = None) -> Expiry:
        """Act on what has passed of a dispute's deadlines."""
        return await asyncio.to_thread(self.service.expire, dispute_id, revision=revision)

    async def now(self) -> datetime:
        """Tell the time by which commands are judged."""
        return await asyncio.to_thread(self.service.now)

    async def get(self, dispute_id: str) -> Dispute | None:
        """Return a dispute as it stands."""
        return await asyncio.to_thread(self.service.get, dispute_id)

    async def history(self, dispute_id: str) -> tuple[AuditEvent, ...]:
        """Return all events of a dispute."""
        return await asyncio.to_thread(self.service.history, dispute_id)

    async def options(self, dispute_id: str) -> tuple[OptionView, ...]:
        """Return what the merchant could choose now."""
        return await asyncio.to_thread(self.service.options, dispute_id)

    async def checklist(
        self,
        dispute_id: str,
        reason: str | None,
        vouchers: tuple[Voucher, ...] = (),
        statement: str | None = None,
    ) -> Checklist:
        """Tell what evidence would lack."""
        return await asyncio.to_thread(
            self.service.checklist, dispute_id, reason, vouchers, statement
        )

    async def snapshot(self, dispute_id: str) -> DisputeSnapshot | None:
        """Return how a dispute stands, for the host's own tables."""
        return await asyncio.to_thread(self.service.snapshot, dispute_id)

    async def by_order(
        self, order_id: str, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[DisputeSnapshot]:
        """Find the disputes about an order."""
        return await asyncio.to_thread(self.service.by_order, order_id, cursor=cursor, limit=limit)

    async def by_merchant(
        self,
        merchant_id: str,
        state: StateName | None = None,
        *,
        cursor: str | None = None,
        limit: int = PAGE,
    ) -> Page[DisputeSnapshot]:
        """Find the disputes against a merchant."""
        return await asyncio.to_thread(
            self.service.by_merchant, merchant_id, state, cursor=cursor, limit=limit
        )

    async def by_state(
        self, state: StateName, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[DisputeSnapshot]:
        """Find the disputes in a state."""
        return await asyncio.to_thread(self.service.by_state, state, cursor=cursor, limit=limit)

    async def due_before(
        self, instant: datetime, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[Due]:
        """Find the deadlines that are due before an instant."""
        return await asyncio.to_thread(self.service.due_before, instant, cursor=cursor, limit=limit)

    async def erase(self, dispute_id: str) -> int:
        """Erase the personal values of a dispute."""
        return await asyncio.to_thread(self.service.erase, dispute_id)

    async def sweep(self, *, batch: int = BATCH, lease: timedelta = LEASE) -> Swept:
        """Fire every deadline that has passed."""
        return await asyncio.to_thread(self.service.sweep, batch=batch, lease=lease)

    async def run_sweeper(self, *, look: timedelta = NOTICE / 2, lease: timedelta = LEASE) -> Swept:
        """Sweep whenever a deadline is due, until this is cancelled; then it ends once the dispute at hand is done."""
        runner = self.service.runner(look=look, lease=lease)
        running = asyncio.create_task(asyncio.to_thread(runner.run))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            runner.stop()
            await running
            raise

    async def feed(self, after: str | None = None, limit: int = PAGE) -> tuple[FeedEvent, ...]:
        """Read the events of all disputes as they were committed."""
        return await asyncio.to_thread(self.service.feed, after, limit)

    async def deliver(self, consumer: Consumer, limit: int = PAGE) -> Delivered:
        """Deliver to a consumer of the service."""
        return await asyncio.to_thread(consumer.deliver, limit)
