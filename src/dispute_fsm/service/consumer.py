"""The feed as CloudEvents, and its consumers: at least once, each dispute's events in order.

A consumer's position is stored in the database, so another process continues where this one ended;
what was delivered after the position was last stored is delivered again. An event that the sink
cannot take is parked, and all later events of its dispute are held back, so that their order stays;
the other disputes continue. `parked` lists parked events, `retry` delivers them, `skip` leaves them
out. An event in the feed has no personal values: they are only in the store, where they can be
erased.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.errors import InputError, SinkUnavailableError
from dispute_fsm.log import log
from dispute_fsm.service.command_handler import CommandHandler
from dispute_fsm.store import subscriptions
from dispute_fsm.store.event_log import (
    EventRow,
    FeedPosition,
    event_of,
    read_feed,
    read_feed_of_dispute,
    record_of,
)
from dispute_fsm.store.subscriptions import Parked

SOURCE = "/disputes"
"""The `source` of a CloudEvent, where the host names no other."""

_DIGITS = len(str(2**63 - 1))
_MAX_ERROR_LENGTH = 300
_LOGGED = (
    "dispute_id",
    "seq",
    "type",
    "at",
    "command",
    "source",
    "target",
    "outcome",
    "refused",
)

CloudEvent = Mapping[str, Any]
"""A CloudEvent 1.0 in its JSON form."""

Sink = Callable[[CloudEvent], None]
"""Takes one event.

Raises `SinkUnavailableError` where it cannot take any event now, and anything else where it cannot
take this one.
"""


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event of the feed. A reader stores its `position`, to continue after it."""

    position: str
    event: AuditEvent
    record: Mapping[str, Any]

    def cloud_event(self, source: str = SOURCE) -> CloudEvent:
        """Return the event as a CloudEvent; `data` is its history record without personal values.

        `id` is the dispute's id and the event's seq, the same in each delivery, so that a consumer
        recognizes a repeated one. `sequence` is the position in the feed, padded with zeros, so
        that strings sort as positions do.
        """
        record = self.record
        return {
            "specversion": "1.0",
            "id": f"{record['dispute_id']}/{record['seq']}",
            "source": source,
            "type": f"dispute_fsm.{record['type']}",
            "subject": record["dispute_id"],
            "time": record["at"],
            "datacontenttype": "application/json",
            "sequence": "-".join(part.rjust(_DIGITS, "0") for part in self.position.split("-")),
            "data": record,
        }


def feed_event(position: FeedPosition, row: EventRow) -> FeedEvent:
    """Read one event of the feed."""
    return FeedEvent(str(position), event_of(row), record_of(row))


def log_sink(event: CloudEvent) -> None:
    """Write one structlog line per event: ids and codes only."""
    data: Mapping[str, Any] = event["data"]
    log("dispute_fsm.feed").info(
        "dispute_event",
        position=event["sequence"],
        role=data["actor"]["role"],
        **{name: data[name] for name in _LOGGED},
    )


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of a delivery: how many events were delivered, parked and held back.

    An event is `held` where an earlier event of its dispute is parked. `busy`: another process
    delivers for this consumer, so nothing was done. `more`: there may be more to deliver now.
    """

    delivered: int = 0
    parked: int = 0
    held: int = 0
    busy: bool = False
    more: bool = False


class Consumer:
    """Delivers to one sink under a name. A lease makes sure that one process at a time does.

    `tries` is how often an event is given to the sink before it is parked; fewer than one is an
    `InputError`. Where a sink raises `SinkUnavailableError`, nothing is parked, and the next
    delivery continues from that event.
    """

    def __init__(  # noqa: PLR0913 -- three that differ for each consumer, three by name that seldom do
        self,
        handler: CommandHandler,
        name: str,
        sink: Sink,
        *,
        source: str = SOURCE,
        tries: int = 3,
        lease: timedelta = timedelta(minutes=1),
    ) -> None:
        if tries < 1:
            raise InputError(f"{tries} tries deliver nothing; use at least one", field="tries")
        self.name = name
        self._store = handler.store
        self._sink = sink
        self._source = source
        self._tries = tries
        self._lease = lease
        self._owner = str(uuid4())

    def deliver(self, limit: int = 100) -> DeliveryResult:
        """Deliver up to `limit` events.

        Raises `SinkUnavailableError`, and `ConflictError` where the lease ended meanwhile.
        """
        with self._leased() as position:
            if position is None:
                return DeliveryResult(busy=True)
            with self._store.pool.take() as session:
                events = read_feed(session, position, limit)
                blocked = set(subscriptions.parked_disputes(session, self.name))
            result, unsaved = DeliveryResult(more=len(events) == limit), list[Parked]()
            saved_at = monotonic()
            try:
                for event_position, row in events:
                    # a slow sink must not lose the lease, nor get everything again after a crash
                    if monotonic() - saved_at > self._lease.total_seconds() / 3:
                        self._save(position, unsaved)
                        unsaved.clear()
                        saved_at = monotonic()
                    if row.dispute_id in blocked:
                        result = replace(result, held=result.held + 1)
                    elif (error := self._offer(event_position, row)) is None:
                        result = replace(result, delivered=result.delivered + 1)
                    else:
                        result = replace(result, parked=result.parked + 1)
                        blocked.add(row.dispute_id)
                        unsaved.append(self._parked(row, error))
                    position = event_position  # noqa: PLW2901 -- how far it has come, also for `finally`
            finally:  # whatever ended it: what was taken is not delivered again
                self._save(position, unsaved)
        return result

    def parked(self) -> tuple[Parked, ...]:
        """Return the first parked event of each dispute that is held back, the oldest first."""
        with self._store.pool.take() as session:
            return tuple(subscriptions.parked_disputes(session, self.name).values())

    def retry(self, dispute_id: str) -> DeliveryResult:
        """Deliver the events of a dispute that are held back, in order.

        Raises `InputError` where there are none, and what `deliver` raises.
        """
        return self._deliver_held(dispute_id, 0)

    def skip(self, dispute_id: str) -> DeliveryResult:
        """Leave out the parked event of a dispute for good, and deliver the ones after it.

        Raises what `retry` raises.
        """
        return self._deliver_held(dispute_id, 1)

    def _deliver_held(self, dispute_id: str, skipped: int) -> DeliveryResult:
        with self._leased() as position:
            if position is None:
                return DeliveryResult(busy=True)
            with self._store.pool.take() as session:
                parked = subscriptions.parked_disputes(session, self.name).get(dispute_id)
                if parked is None:
                    raise InputError(
                        f"no event of dispute {dispute_id} is parked for consumer {self.name}",
                        field="dispute_id",
                    )
                first = parked.seq + skipped
                events = read_feed_of_dispute(session, dispute_id, first, position)
            delivered = 0
            # where the delivery is interrupted, the rest stays held back
            still_parked: Parked | None = replace(parked, seq=first)
            try:
                for event_position, row in events:
                    still_parked = replace(parked, seq=row.seq)
                    error = self._offer(event_position, row)
                    if error is not None:
                        still_parked = self._parked(row, error)
                        return DeliveryResult(delivered, parked=1, held=len(events) - delivered - 1)
                    delivered += 1
                still_parked = None
            finally:
                parked_now = () if still_parked is None else (still_parked,)
                self._save(position, parked_now, released=dispute_id)
        return DeliveryResult(delivered)

    def _offer(self, position: FeedPosition, row: EventRow) -> Exception | None:
        """Give an event to the sink; returns the sink's last error where it could not take it."""
        last_error: Exception | None = None
        for _ in range(self._tries):
            try:
                self._sink(feed_event(position, row).cloud_event(self._source))
            except SinkUnavailableError:
                raise
            except Exception as error:  # noqa: BLE001 -- a sink may raise anything; the event is parked and shown
                last_error = error
            else:
                return None
        log().error(
            "event_parked",
            consumer=self.name,
            dispute_id=row.dispute_id,
            seq=row.seq,
            error=type(last_error).__name__,
        )
        return last_error

    def _parked(self, row: EventRow, error: Exception) -> Parked:
        text = f"{type(error).__name__}: {error}"[:_MAX_ERROR_LENGTH]
        # a database stores neither lone surrogates nor NUL
        text = text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
        with self._store.pool.take() as session:
            return Parked(row.dispute_id, row.seq, self._store.now(session), text)

    def _save(
        self, position: FeedPosition, parked: Sequence[Parked], released: str | None = None
    ) -> None:
        """Store the position and the parked events, and renew the lease."""
        with self._store.pool.transaction() as session:
            until = self._store.now(session) + self._lease
            subscriptions.advance(session, self.name, self._owner, position, until)
            if released is not None:
                subscriptions.unpark(session, self.name, released)
            for each in parked:
                subscriptions.park(session, self.name, each)

    @contextmanager
    def _leased(self) -> Generator[FeedPosition | None]:
        """Hold the lease, and yield the consumer's position; None where another process has it."""
        with self._store.pool.transaction() as session:
            now = self._store.now(session)
            position = subscriptions.acquire(session, self.name, self._owner, now, self._lease)
        try:
            yield position
        finally:
            if position is not None:
                with self._store.pool.transaction() as session:
                    subscriptions.release(session, self.name, self._owner)
