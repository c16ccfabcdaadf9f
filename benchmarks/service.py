"""A sweep of many overdue disputes, the feed of many events, and what a hook costs by being called.

As in `store`, nobody waits for a disk.
"""

from datetime import timedelta
from pathlib import Path
from time import perf_counter, sleep

from benchmarks import store
from benchmarks.measure import Report, Work, interleaved
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.replay import rare_garbage_collection
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.service import DisputeService
from dispute_fsm.store.import_export import import_history
from dispute_fsm.store.repository import Store

_PAGE = 1_000
_EVENTS_OF_A_DISPUTE = 4
_LATER = store.OPENED_AT + timedelta(days=30)
NOBODY = InMemoryOrderSystem()
"""The order system of commands that need no facts."""

_NO_WAIT = "-csynchronous_commit=off"


def measure(report: Report, folder: Path) -> None:
    """Sweep and read on both databases."""
    history = folder / "feed.history.jsonl"
    write_history(history, generate(report.sizes["feed"] // _EVENTS_OF_A_DISPUTE, 3))
    with store.memory_folder() as in_memory:
        for kind in store.KINDS:
            _sweep(report, kind, in_memory)
            _feed(report, kind, in_memory, history)
            _hook(report, kind, in_memory)


def _sweep(report: Report, kind: str, folder: Path) -> None:
    number = report.sizes["overdue"]
    with store.bases(kind, folder, 1, options=_NO_WAIT) as (base,):
        began = perf_counter()
        for each in range(number):
            base.service.open(store.opening(each))
        report.add(f"{kind}: an opening", (perf_counter() - began) / number, "s")
        later = DisputeService(base.store, InMemoryOrderSystem(), clock=lambda: _LATER)
        began, fired = perf_counter(), 0
        while fired < number:
            swept = later.sweep()
            assert swept.fired > 0, swept  # noqa: S101 -- else it would never end
            fired += swept.fired
        took = perf_counter() - began
    report.add(f"{kind}: a sweep, an overdue dispute", took / number, "s", f"of {number:,}")


def _feed(report: Report, kind: str, folder: Path, history: Path) -> None:
    with (
        store.bases(kind, folder, 1, options=_NO_WAIT) as (base,),
        history.open("rb") as stream,
        rare_garbage_collection(),
    ):
        with base.store.pool.transaction() as session:
            number = import_history(base.store, session, stream, str(history))
        began, read, position = perf_counter(), 0, None
        while read < number:
            page = base.service.feed(position, _PAGE)
            if page:
                read, position = read + len(page), page[-1].position
            else:  # somebody else's transaction is open: on PostgreSQL the feed waits for it
                sleep(0.01)
                began += 0.01
        took = perf_counter() - began
        report.add(f"{kind}: the feed, an event", took / number, "s", f"of {number:,}")
        report.add(f"{kind}: an event in the database", _bytes(base.store, number), "bytes")


def _hook(report: Report, kind: str, folder: Path) -> None:
    """Compare commands with a hook that does nothing, and without one, in interleaved pairs."""
    pairs = report.sizes["pairs"]
    with store.bases(kind, folder, 2, options=_NO_WAIT) as (plain, hooked):
        for base in (plain, hooked):
            for each in range(pairs + 1):
                base.service.open(store.opening(each))
        with_hook = DisputeService(
            hooked.store, NOBODY, clock=lambda: store.ANSWERED_AT, alarms=lambda _alarm, _tx: None
        )
        without = DisputeService(plain.store, NOBODY, clock=lambda: store.ANSWERED_AT)

        def sending(service: DisputeService) -> Work:
            def send(turn: int) -> int:
                return int(service.send(*store.asked(turn)).accepted)

            return send

        with rare_garbage_collection():
            works = {"with": sending(with_hook), "without": sending(without)}
            samples = interleaved(works, pairs, perf_counter)
    name = f"{kind}: a command with a hook that does nothing / without one"
    report.add(name, samples.ratio("with", "without"), note=f"{pairs} interleaved pairs")


def _bytes(filled: Store, events: int) -> float:
    """Return what an event takes in the database, with its indexes and its dispute."""
    with filled.engine.connect() as connection:
        if filled.engine.dialect.name == "sqlite":
            pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        else:
            pages = (
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE c.relkind = 'r' "
                "AND c.relnamespace = current_schema()::regnamespace"
            )
        return float(connection.exec_driver_sql(pages).scalar_one()) / events
