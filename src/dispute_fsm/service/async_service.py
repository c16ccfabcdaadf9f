"""The service for asyncio: each call runs in a thread, so that it does not block the event loop."""

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
from dispute_fsm.handler import Expiry, Result, parse_command, parse_opening
from dispute_fsm.rules.checklist import Checklist
from dispute_fsm.service import PAGE, DisputeService
from dispute_fsm.service.consumer import Consumer, DeliveryResult, FeedEvent
from dispute_fsm.service.sweeper import BATCH, LEASE, POLL_INTERVAL, SweepResult
from dispute_fsm.store.queries import DisputeSnapshot, Due, Page


class AsyncDisputeService:
    """A `DisputeService` whose calls are awaited; each does and raises what the service's own does.

    A call that is cancelled while it runs is still completed, but its result is lost: send it again
    with its key.
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
        parsed = parse_opening(opening, fields)
        return await asyncio.to_thread(self.service.open, parsed, facts=facts)

    @overload
    async def send(
        self,
        dispute_id: str,
        command: Command,
        /,
        *,
        facts: OrderFacts | None = None,
        revision: int | None = None,
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
        revision: int | None = None,
        **payload: object,
    ) -> Result: ...
    async def send(  # noqa: PLR0913 -- as the service's own
        self,
        dispute_id: str,
        command: Command | str,
        /,
        *,
        by: Actor | None = None,
        key: str | None = None,
        facts: OrderFacts | None = None,
        revision: int | None = None,
        **payload: object,
    ) -> Result:
        """Send a command to a dispute."""
        parsed = parse_command(command, by, key, payload)
        return await asyncio.to_thread(
            self.service.send, dispute_id, parsed, facts=facts, revision=revision
        )

    async def expire(self, dispute_id: str, *, revision: int | None = None) -> Expiry:
        """Fire the deadlines of a dispute that have passed."""
        return await asyncio.to_thread(self.service.expire, dispute_id, revision=revision)

    async def now(self) -> datetime:
        """Return the time as of which a command would be decided now."""
        return await asyncio.to_thread(self.service.now)

    async def get(self, dispute_id: str) -> Dispute | None:
        """Return the current dispute."""
        return await asyncio.to_thread(self.service.get, dispute_id)

    async def history(self, dispute_id: str) -> tuple[AuditEvent, ...]:
        """Return all events of a dispute."""
        return await asyncio.to_thread(self.service.history, dispute_id)

    async def options(self, dispute_id: str) -> tuple[OptionView, ...]:
        """Return each option of the merchant: open or closed, and why."""
        return await asyncio.to_thread(self.service.options, dispute_id)

    async def checklist(
        self,
        dispute_id: str,
        reason: str | None,
        vouchers: tuple[Voucher, ...] = (),
        statement: str | None = None,
    ) -> Checklist:
        """Check evidence before it is submitted."""
        return await asyncio.to_thread(
            self.service.checklist, dispute_id, reason, vouchers, statement
        )

    async def snapshot(self, dispute_id: str) -> DisputeSnapshot | None:
        """Return the current state of a dispute, for the host's own tables."""
        return await asyncio.to_thread(self.service.snapshot, dispute_id)

    async def by_order(
        self, order_id: str, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[DisputeSnapshot]:
        """Return the disputes of an order."""
        return await asyncio.to_thread(self.service.by_order, order_id, cursor=cursor, limit=limit)

    async def by_merchant(
        self,
        merchant_id: str,
        state: StateName | None = None,
        *,
        cursor: str | None = None,
        limit: int = PAGE,
    ) -> Page[DisputeSnapshot]:
        """Return the disputes against a merchant."""
        return await asyncio.to_thread(
            self.service.by_merchant, merchant_id, state, cursor=cursor, limit=limit
        )

    async def by_state(
        self, state: StateName, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[DisputeSnapshot]:
        """Return the disputes in a state."""
        return await asyncio.to_thread(self.service.by_state, state, cursor=cursor, limit=limit)

    async def due_before(
        self, instant: datetime, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[Due]:
        """Return the deadlines that are due before an instant."""
        return await asyncio.to_thread(self.service.due_before, instant, cursor=cursor, limit=limit)

    async def erase(self, dispute_id: str) -> int:
        """Erase the personal values of a dispute."""
        return await asyncio.to_thread(self.service.erase, dispute_id)

    async def sweep(
        self,
        *,
        batch: int = BATCH,
        lease: timedelta = LEASE,
        behind: timedelta = timedelta(0),
    ) -> SweepResult:
        """Fire every deadline that has passed."""
        return await asyncio.to_thread(self.service.sweep, batch=batch, lease=lease, behind=behind)

    async def run_sweeper(
        self,
        *,
        poll_interval: timedelta = POLL_INTERVAL,
        lease: timedelta = LEASE,
        behind: timedelta = timedelta(0),
    ) -> SweepResult:
        """Sweep whenever a deadline is due, until this is cancelled.

        It then ends after the dispute that it is working on.
        """
        sweeper = self.service.sweeper(poll_interval=poll_interval, lease=lease, behind=behind)
        running = asyncio.create_task(asyncio.to_thread(sweeper.run))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            sweeper.stop()
            await running
            raise

    async def feed(self, after: str | None = None, limit: int = PAGE) -> tuple[FeedEvent, ...]:
        """Return the events of all disputes in commit order, after a position."""
        return await asyncio.to_thread(self.service.feed, after, limit)

    async def deliver(self, consumer: Consumer, limit: int = PAGE) -> DeliveryResult:
        """Deliver to a consumer of the service, up to `limit` events."""
        return await asyncio.to_thread(consumer.deliver, limit)
