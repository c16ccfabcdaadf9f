"""The feed as CloudEvents, and named consumers of it: at least once, each dispute's events in order.

The position is kept in the database, so another process goes on where this one ended; what was
delivered since the position was kept last comes again. An event that the consumer cannot take is
parked, and with it all later ones of its dispute, so that their order holds; the other disputes go
on. Parked ones are shown by `parked` and delivered by `retry`, or left out by `skip`. An event in
the feed holds no personal values: they are in the store, where they can be erased, and nowhere
else.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.errors import InputError, SinkUnavailableError
from dispute_fsm.log import log
from dispute_fsm.service.command_handler import CommandHandler
from dispute_fsm.store import subscriptions as consumers
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
"""The `source` of the envelope, where the host names no other."""

_LONGEST = len(str(2**63 - 1))

CloudEvent = Mapping[str, Any]
"""A CloudEvent 1.0 in its JSON form."""

Sink = Callable[[CloudEvent], None]
"""Takes one event. Raises `SinkUnavailableError` where it cannot take any now, anything else where it cannot take this one."""


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event of the feed. `position` is what a reader keeps, to continue after it."""

    position: str
    event: AuditEvent
    record: Mapping[str, Any]

    def cloud_event(self, source: str = SOURCE) -> CloudEvent:
        """Put the event into its envelope; `data` is the event as it stands in a history file, without personal values.

        `id` is the dispute's id and the event's seq: the same each time it is delivered, so that a
        consumer knows a second time. `sequence` is the position in the feed, its numbers as long as
        they can get, so that texts sort as positions do.
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
            "sequence": "-".join(
                number.rjust(_LONGEST, "0") for number in self.position.split("-")
            ),
            "data": record,
        }


def feed_event(place: FeedPosition, row: EventRow) -> FeedEvent:
    """Read one event of the feed."""
    return FeedEvent(str(place), event_of(row), record_of(row))


def log_sink(event: CloudEvent) -> None:
    """Write one structlog line per event: ids and codes only."""
    data: Mapping[str, Any] = event["data"]
    told = {
        name: data[name]
        for name in (
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
    }
    log("dispute_fsm.feed").info(
        "dispute_event", place=event["sequence"], role=data["actor"]["role"], **told
    )


_MOST_SAID = 300


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a delivery did: events delivered, events parked as the first of their dispute, events held back behind such a one.

    `busy`: another process delivers for this consumer, so nothing was done. `more`: there may be
    more to deliver now.
    """

    delivered: int = 0
    parked: int = 0
    held: int = 0
    busy: bool = False
    more: bool = False


class Consumer:
    """Delivers to one sink under a name. One process at a time delivers for a name, seen to by a lease.

    `tries` is how often an event is put to the sink before it is parked; for fewer than one,
    `InputError` is raised. A sink that cannot take anything now raises `SinkUnavailableError`: then
    nothing is parked, and delivery goes on from there next time.
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
            raise InputError(f"{tries} tries deliver nothing; one at least", field="tries")
        self.name = name
        self._handler = handler
        self._sink = sink
        self._source = source
        self._tries = tries
        self._lease = lease
        self._owner = str(uuid4())

    def deliver(self, limit: int = 100) -> Delivered:
        """Deliver up to `limit` events. Raises `SinkUnavailableError`; `ConflictError` where the lease lapsed meanwhile."""
        with self._turn() as began:
            if began is None:
                return Delivered(busy=True)
            with self._handler.store.pool.take() as session:
                found = read_feed(session, began, limit)
                held = set(consumers.parked_disputes(session, self.name))
            done, new, place, kept = (
                Delivered(more=len(found) == limit),
                dict[str, Parked](),
                began,
                monotonic(),
            )
            try:
                for at, row in found:
                    if (
                        monotonic() - kept > self._lease.total_seconds() / 3
                    ):  # a slow sink must not lose the turn, nor hear all again
                        self._keep(place, new)
                        new.clear()
                        kept = monotonic()
                    if row.dispute_id in held:
                        done = replace(done, held=done.held + 1)
                    elif (wrong := self._hand_over(at, row)) is None:
                        done = replace(done, delivered=done.delivered + 1)
                    else:
                        done = replace(done, parked=done.parked + 1)
                        held.add(row.dispute_id)
                        new[row.dispute_id] = self._parked(row, wrong)
                    place = at
            finally:  # what was taken is kept, whatever ended it
                self._keep(place, new)
        return done

    def parked(self) -> tuple[Parked, ...]:
        """Return the disputes that are held back, each with the event that the sink could not take; the longest held first."""
        with self._handler.store.pool.take() as session:
            return tuple(consumers.parked_disputes(session, self.name).values())

    def retry(self, dispute_id: str) -> Delivered:
        """Deliver what is held back of a dispute, in order. Raises `InputError` where nothing is, and as `deliver` does."""
        return self._again(dispute_id, 0)

    def skip(self, dispute_id: str) -> Delivered:
        """Leave the parked event of a dispute out for good, and deliver those behind it. Raises as `retry` does."""
        return self._again(dispute_id, 1)

    def _again(self, dispute_id: str, leaving_out: int) -> Delivered:
        with self._turn() as place:
            if place is None:
                return Delivered(busy=True)
            with self._handler.store.pool.take() as session:
                held = consumers.parked_disputes(session, self.name).get(dispute_id)
                if held is None:
                    raise InputError(
                        f"nothing of dispute {dispute_id} is held back from consumer {self.name}",
                        field="dispute_id",
                    )
                behind = read_feed_of_dispute(session, dispute_id, held.seq + leaving_out, place)
            done, stuck, last = Delivered(), dict[str, Parked](), held.seq + leaving_out
            try:
                for at, row in behind:
                    last = row.seq
                    wrong = self._hand_over(at, row)
                    if wrong is not None:
                        stuck[dispute_id] = self._parked(row, wrong)
                        done = replace(done, parked=1, held=len(behind) - done.delivered - 1)
                        break
                    done = replace(done, delivered=done.delivered + 1)
            except BaseException:  # whatever ends it: what was not taken stays held back
                stuck[dispute_id] = replace(held, seq=last)
                raise
            finally:
                self._keep(place, stuck, None if stuck else dispute_id)
        return done

    def _hand_over(self, place: FeedPosition, row: EventRow) -> Exception | None:
        """Put an event to the sink; returns what the sink said last where it could not take it."""
        wrong: Exception | None = None
        for _ in range(self._tries):
            try:
                self._sink(feed_event(place, row).cloud_event(self._source))
            except SinkUnavailableError:
                raise
            except Exception as fault:  # noqa: BLE001 -- a sink may raise anything; it is parked and shown
                wrong = fault
            else:
                return None
        log().error(
            "event_parked",
            consumer=self.name,
            dispute_id=row.dispute_id,
            seq=row.seq,
            error=type(wrong).__name__,
        )
        return wrong

    def _parked(self, row: EventRow, wrong: Exception) -> Parked:
        said = (
            f"{type(wrong).__name__}: {wrong}"[:_MOST_SAID]
            .encode(errors="replace")
            .decode()
            .replace("\0", "�")
        )  # what can be stored
        return Parked(row.dispute_id, row.seq, self._now(), said)

    def _now(self) -> datetime:
        with self._handler.store.pool.take() as session:
            return self._handler.store.now(session)

    def _keep(self, place: FeedPosition, held: dict[str, Parked], freed: str | None = None) -> None:
        with self._handler.store.pool.transaction() as session:
            consumers.advance(
                session,
                self.name,
                self._owner,
                place,
                self._handler.store.now(session) + self._lease,
            )
            for one in held.values():
                consumers.park(session, self.name, one)
            if freed is not None:
                consumers.unpark(session, self.name, freed)

    @contextmanager
    def _turn(self) -> Generator[FeedPosition | None]:
        """Take the turn to deliver for this name; None where it is somebody else's."""
        with self._handler.store.pool.transaction() as session:
            place = consumers.acquire(
                session, self.name, self._owner, self._handler.store.now(session), self._lease
            )
        try:
            yield place
        finally:
            if place is not None:
                with self._handler.store.pool.transaction() as session:
                    consumers.release(session, self.name, self._owner)
