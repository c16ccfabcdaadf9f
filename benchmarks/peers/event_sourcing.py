"""The library `eventsourcing` on SQLite: an aggregate is loaded, changed and saved.

Its aggregate asks of a choice what `machines.by_hand` asks; it has no hash chain, no recorded
checks, no projection and no deadlines. Both sides are measured by the clock, in memory, so that
nobody waits for a disk.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from benchmarks import store
from benchmarks.measure import Report, Work, interleaved

OURS = "sqlite: load and append"
OURS_DECIDED = "sqlite: load, decide and append"
THEIRS = "eventsourcing on sqlite: load, change, save"
THEIRS_CACHED = "eventsourcing on sqlite, with its cache"


def row(ours: str, theirs: str) -> str:
    """Name the row."""
    return f"{ours}, throughput / {theirs}"


class DisputeAggregate(Aggregate):
    """A dispute that can be opened and answered."""

    @event("Opened")
    def __init__(self, dispute_id: str, order_id: str, merchant_id: str, due: str) -> None:
        self.dispute_id = dispute_id
        self.order_id = order_id
        self.merchant_id = merchant_id
        self.due = due
        self.state = "opened"
        self.option = ""

    @staticmethod
    def create_id(dispute_id: str) -> UUID:
        """Make the id that a dispute has in the store."""
        return uuid5(NAMESPACE_OID, dispute_id)

    def choose(self, by: str, option: str, at: datetime) -> None:
        """Check the guards, then record the choice."""
        if self.state != "opened":
            raise ValueError("another state")
        if by != self.merchant_id:
            raise ValueError("another actor")
        if at > datetime.fromisoformat(self.due):
            raise ValueError("too late")
        self.chosen(option, at.isoformat())

    @event("OptionChosen")
    def chosen(self, option: str, at: str) -> None:
        """Apply the choice."""
        self.option = option
        self.state = "awaiting_confirmation"
        self.chosen_at = at


def _application(file: Path, number: int, settings: Mapping[str, str]) -> Any:  # noqa: ANN401 -- untyped where lint runs
    """Make an application with this many open disputes."""
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "SQLITE_DBNAME": str(file),
        **settings,
    }
    application = Application(env=environment)
    for each in range(number):
        opening = store.opening(each)
        application.save(
            DisputeAggregate(
                opening.dispute_id,
                opening.order_id,
                opening.merchant_id,
                store.ANSWERED_AT.isoformat(),
            )
        )
    return application


def _work(application: Any) -> Work:  # noqa: ANN401 -- as above
    def work(turn: int) -> int:
        dispute_id, command = store.asked(turn)
        dispute = application.repository.get(DisputeAggregate.create_id(dispute_id))
        dispute.choose(command.by.id, "out_of_stock_refund", store.ANSWERED_AT)
        application.save(dispute)
        return 1

    return work


def measure(report: Report, _folder: Path) -> None:
    """Compare it with our store, and with our service."""
    number = report.sizes["commands"] + 1
    with store.memory_folder() as folder, store.bases("sqlite", folder, 3) as (first, *ours):
        for base in (first, *ours):
            for each in range(number):
                base.service.open(store.opening(each))
        decided: list[store.Appended] = []
        for each in range(number):
            dispute_id, command = store.asked(each)
            before = first.service.get(dispute_id)
            assert before is not None  # noqa: S101 -- it was opened above
            decided.append(store.Appended(before, first.service.send(dispute_id, command)))

        def sent(turn: int) -> int:
            ours[1].service.send(*store.asked(turn))
            return 1

        works: dict[str, Work] = {
            OURS: lambda turn: store.load_and_append(ours[0].store, decided[turn]),
            OURS_DECIDED: sent,
            THEIRS: _work(_application(folder / "theirs.db", number, {})),
            THEIRS_CACHED: _work(
                _application(folder / "cached.db", number, {"AGGREGATE_CACHE_MAXSIZE": "1024"})
            ),
        }
        samples = interleaved(works, number - 1, perf_counter)
    for name in works:
        report.add(name, samples.median(name), "s")
    for name in (THEIRS, THEIRS_CACHED):
        report.add(row(OURS, name), samples.ratio(name, OURS))
    report.add(row(OURS_DECIDED, THEIRS), samples.ratio(THEIRS, OURS_DECIDED))
