"""The feed as others read it: CloudEvents, and sinks that take them.

An event in the feed holds no personal values: they stand in the store, where they can be erased, and nowhere else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.log import log
from dispute_fsm.store.event_log import FeedPosition
from dispute_fsm.store.records import EventRow, event_of, record_of

SOURCE = "/disputes"
"""The `source` of the envelope, where the host names no other."""

_LONGEST = len(str(2**63 - 1))

CloudEvent = Mapping[str, Any]
"""A CloudEvent 1.0 in its JSON form."""

Sink = Callable[[CloudEvent], None]
"""Takes one event. Raises `SinkUnavailableError` where it cannot take any now, anything else where it cannot take this one."""


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event of the feed. `place` is what a reader keeps, to go on behind it."""

    place: str
    event: AuditEvent
    record: Mapping[str, Any]

    def cloud_event(self, source: str = SOURCE) -> CloudEvent:
        """Put the event into its envelope; `data` is the event as it stands in a history file, without personal values.

        `id` is the dispute's id and the event's seq: the same each time it is delivered, so that a consumer knows a second
        time. `sequence` is the place in the feed, its numbers as long as they can get, so that texts sort as places do.
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
            "sequence": "-".join(number.rjust(_LONGEST, "0") for number in self.place.split("-")),
            "data": record,
        }


def feed_event(place: FeedPosition, row: EventRow) -> FeedEvent:
    """Read one event of the feed."""
    return FeedEvent(str(place), event_of(row), record_of(row))


def log_sink(event: CloudEvent) -> None:
    """Write one structlog line per event: ids and codes only."""
    data: Mapping[str, Any] = event["data"]
    told = {name: data[name] for name in ("dispute_id", "seq", "type", "at", "command", "source", "target", "outcome", "refused")}
    log("dispute_fsm.feed").info("dispute_event", place=event["sequence"], role=data["actor"]["role"], **told)
