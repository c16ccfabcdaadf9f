"""The service for asyncio: each call runs in a thread, so that it does not block the event loop.

A command may wait long for an order system, and a read never does: so each has threads of its own.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import partial
from typing import ParamSpec, Self, TypeVar, Unpack, overload

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
from dispute_fsm.service.async_orders import CALLING_LOOP
from dispute_fsm.service.consumer import Consumer, DeliveryResult, FeedEvent
from dispute_fsm.service.sweeper import BATCH, LEASE, POLL_INTERVAL, SweepResult
from dispute_fsm.store.queries import DisputeSnapshot, Due, Page

P = ParamSpec("P")
T = TypeVar("T")

COMMAND_THREADS, READ_THREADS = 32, 4
"""How many calls of each kind run at once, unless the host says so by its executors."""


class AsyncDisputeService:
    """A `DisputeService` whose calls are awaited; each does and raises what the service's own does.

    `commands` runs what may ask the order system or write, `reads` the rest; both run threads. By
    default each has threads of its own. `async with` or `close` ends these, not the host's.

    A call that is cancelled while it runs is still completed, but its result is lost: send it again
    with its key.
    """

    def __init__(
        self,
        service: DisputeService,
        *,
        commands: Executor | None = None,
        reads: Executor | None = None,
    ) -> None:
        self.service = service
        self._own: list[Executor] = []
        self._commands = commands or self._threads(COMMAND_THREADS, "dispute-command")
        self._reads = reads or self._threads(READ_THREADS, "dispute-read")

    def _threads(self, number: int, name: str) -> Executor:
        threads = ThreadPoolExecutor(number, name)
        self._own.append(threads)
        return threads

    async def close(self) -> None:
        """Wait for the calls that are running, and end the threads; the store stays open."""
        for executor in self._own:
            await asyncio.to_thread(executor.shutdown)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _command(self, call: Callable[P, T], /, *arguments: P.args, **options: P.kwargs) -> T:
        return await _run(self._commands, partial(call, *arguments, **options))

    async def _read(self, call: Callable[P, T], /, *arguments: P.args, **options: P.kwargs) -> T:
        return await _run(self._reads, partial(call, *arguments, **options))

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
        return await self._command(self.service.open, parsed, facts=facts)

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
        return await self._command(
            self.service.send, dispute_id, parsed, facts=facts, revision=revision
        )

    async def expire(self, dispute_id: str, *, revision: int | None = None) -> Expiry:
        """Fire the deadlines of a dispute that have passed."""
        return await self._command(self.service.expire, dispute_id, revision=revision)

    @overload
    async def facts(self, opening: OpenDispute, /) -> OrderFacts | None: ...
    @overload
    async def facts(self, dispute_id: str, command: Command, /) -> OrderFacts | None: ...
    async def facts(
        self, subject: OpenDispute | str, command: Command | None = None, /
    ) -> OrderFacts | None:
        """Return the facts for an opening or a command in a transaction of the host's."""
        if isinstance(subject, OpenDispute):
            return await self._command(self.service.facts, subject)
        parsed = parse_command(command, None, None, {})
        return await self._command(self.service.facts, subject, parsed)

    async def now(self) -> datetime:
        """Return the time as of which a command would be decided now."""
        return await self._read(self.service.now)

    async def get(self, dispute_id: str) -> Dispute | None:
        """Return the current dispute."""
        return await self._read(self.service.get, dispute_id)

    async def history(self, dispute_id: str) -> tuple[AuditEvent, ...]:
        """Return all events of a dispute."""
        return await self._read(self.service.history, dispute_id)

    async def options(self, dispute_id: str) -> tuple[OptionView, ...]:
        """Return each option of the merchant: open or closed, and why."""
        return await self._command(self.service.options, dispute_id)

    async def checklist(
        self,
        dispute_id: str,
        reason: str | None,
        vouchers: tuple[Voucher, ...] = (),
        statement: str | None = None,
    ) -> Checklist:
        """Check evidence before it is submitted."""
        return await self._read(self.service.checklist, dispute_id, reason, vouchers, statement)

    async def snapshot(self, dispute_id: str) -> DisputeSnapshot | None:
        """Return the current state of a dispute, for the host's own tables."""
        return await self._read(self.service.snapshot, dispute_id)

    async def by_order(
        self, order_id: str, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[DisputeSnapshot]:
        """Return the disputes of an order."""
        return await self._read(self.service.by_order, order_id, cursor=cursor, limit=limit)

    async def by_merchant(
        self,
        merchant_id: str,
        state: StateName | None = None,
        *,
        cursor: str | None = None,
        limit: int = PAGE,
    ) -> Page[DisputeSnapshot]:
        """Return the disputes against a merchant."""
        return await self._read(
            self.service.by_merchant, merchant_id, state, cursor=cursor, limit=limit
        )

    async def by_state(
        self, state: StateName, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[DisputeSnapshot]:
        """Return the disputes in a state."""
        return await self._read(self.service.by_state, state, cursor=cursor, limit=limit)

    async def due_before(
        self, instant: datetime, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[Due]:
        """Return the deadlines that are due before an instant."""
        return await self._read(self.service.due_before, instant, cursor=cursor, limit=limit)

    async def erase(self, dispute_id: str) -> int:
        """Erase the personal values of a dispute."""
        return await self._command(self.service.erase, dispute_id)

    async def sweep(
        self,
        *,
        batch: int = BATCH,
        lease: timedelta = LEASE,
        behind: timedelta = timedelta(0),
    ) -> SweepResult:
        """Fire every deadline that has passed."""
        return await self._command(self.service.sweep, batch=batch, lease=lease, behind=behind)

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
        thread = ThreadPoolExecutor(1, "dispute-sweeper")
        running = asyncio.ensure_future(_run(thread, sweeper.run))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            sweeper.stop()
            await running
            raise
        finally:
            thread.shutdown(wait=False)

    async def feed(self, after: str | None = None, limit: int = PAGE) -> tuple[FeedEvent, ...]:
        """Return the events of all disputes in commit order, after a position."""
        return await self._read(self.service.feed, after, limit)

    async def deliver(self, consumer: Consumer, limit: int = PAGE) -> DeliveryResult:
        """Deliver to a consumer of the service, up to `limit` events."""
        return await self._command(consumer.deliver, limit)


async def _run(executor: Executor, call: Callable[[], T]) -> T:
    """Run a call in a thread, with the context variables of the caller."""
    loop, context = asyncio.get_running_loop(), copy_context()
    context.run(CALLING_LOOP.set, loop)
    return await loop.run_in_executor(executor, context.run, call)
