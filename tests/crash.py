"""Kills a service under load again and again, then checks what is stored; for `test_crash.py`.

    python tests/crash.py URL KILLS FOLDER SEED

Workers open disputes, give and repeat answers, sweep and deliver, all at once on the same database,
until SIGKILL. Each writes down what it is about to ask, and what it was answered, into a file: what
was written before a kill is there after it.
"""

import json
import logging
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import structlog

from dispute_fsm.commands import command as make
from dispute_fsm.decider.decisions import Accepted, Repeated
from dispute_fsm.domain.commands import Command
from dispute_fsm.domain.enums import CommandType, EventType, Option
from dispute_fsm.errors import ConflictError
from dispute_fsm.service import DisputeService
from dispute_fsm.store.deadlines import next_to_sweep
from dispute_fsm.store.integrity import CheckCounts, check
from dispute_fsm.store.repository import Store
from tests.service_support import AnyOrder, request
from tests.service_support import settle as settle_feed
from tests.support import CANCELLING, choose, command, over, voucher

WORKERS = 4
POLICY = over(scan_grace="0s")
LEASE = timedelta(milliseconds=40)
SHARED = 6
"""How many disputes of a round all its workers quarrel about."""
MOST_DONE = 120
"""How many actions the workers of a round have done at most before the kill, on any machine."""

PROMISES = (
    "damages",
    "lost",
    "twice",
    "never asked",
    "fired twice",
    "refused expiries",
    "not fired",
    "not delivered",
    "out of order",
)
"""What a report finds nothing of."""


class Notes:
    """A file to which many processes append lines; one write per line, seldom cut off by a kill."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, **members: object) -> None:
        os.write(
            self._file, b"\n" + json.dumps(members).encode() + b"\n"
        )  # a line break before it too, for one that was cut off

    def read(self) -> list[dict[str, Any]]:
        """Return the notes; ignore a line that was cut off: its result was never returned."""
        notes: list[dict[str, Any]] = []
        for line in filter(None, self._path.read_bytes().splitlines()):
            with suppress(json.JSONDecodeError):
                notes.append(json.loads(line))
        return notes


# ---- a worker ------------------------------------------------------------------------------------


def work(
    store: Store, notes: Notes, name: str, shared: list[str], *, chance: Random, done: int
) -> None:
    """Ask this and that until the end comes; a byte into the pipe says that something was done."""
    service = DisputeService(store, AnyOrder(CANCELLING))
    consumer = service.consumer(
        "crash", lambda event: notes.write(delivered=event["id"]), lease=LEASE
    )
    own: list[str] = []
    for number in range(1_000_000):
        os.write(done, b"x")
        chosen = chance.random()
        if chosen < 0.3:
            open_(service, notes, f"{name}-{number}", own)
        elif chosen < 0.4:
            open_(service, notes, chance.choice(shared), [])
        elif chosen < 0.8 and (own or chance.random() < 0.5):
            dispute_id = chance.choice(own[-8:] + shared)
            if dispute_id in shared:
                open_(service, notes, dispute_id, [])
            with suppress(ConflictError):
                ask(service, notes, dispute_id, some_command(chance, f"k-{name}-{number}"))
        elif chosen < 0.92:
            service.sweep(batch=3, lease=LEASE)
        else:
            with suppress(ConflictError):
                consumer.deliver(20)


def open_(service: DisputeService, notes: Notes, dispute_id: str, own: list[str]) -> None:
    notes.write(opens=dispute_id)
    with suppress(ConflictError):
        answer = service.open(request(dispute_id, POLICY))
        assert not answer.codes
        own.append(dispute_id)
        notes.write(opened=dispute_id, hash=answer.dispute.opening.hash)


def some_command(chance: Random, key: str) -> Command:
    soon = datetime.now(UTC) + timedelta(milliseconds=chance.randrange(60, 1_000))
    return chance.choice(
        [
            choose(
                Option.SHIP_BY_AGREED_DATE,
                key=key,
                agreed_until=soon,
                vouchers=[voucher()],
                note="mine",
            ),
            choose(Option.OUT_OF_STOCK_REFUND, key=key, note="mine"),
            choose(Option.CONSUMER_CANCELS, key=key),
            command(CommandType.CONFIRM_AGREEMENT, None, key),
            command(CommandType.DENY_AGREEMENT, None, key),
        ]
    )


def ask(service: DisputeService, notes: Notes, dispute_id: str, asked: Command) -> None:
    notes.write(asks=dispute_id, type=asked.type, command=asked.model_dump(mode="json"))
    decision = service.send(dispute_id, asked).decision
    if isinstance(decision, Accepted | Repeated):
        notes.write(
            answered=dispute_id, key=asked.key, seq=decision.event.seq, hash=decision.event.hash
        )


# ---- killing -------------------------------------------------------------------------------------


def round_(store: Store, notes: Notes, number: int, chance: Random) -> int:
    """Let workers loose, kill them all at a random moment; returns how many were killed."""
    shared = [f"S-{number}-{index}" for index in range(SHARED)]
    hears, says = os.pipe()
    workers = []
    for index in range(WORKERS):
        seed = chance.random()
        pid = os.fork()
        if pid == 0:
            try:
                work(store, notes, f"W-{number}-{index}", shared, chance=Random(seed), done=says)
            except BaseException:  # noqa: BLE001 -- whatever it is, it is told and counted as a failure
                sys.excepthook(*sys.exc_info())
            os._exit(1)  # a worker only ends by being killed
        workers.append(pid)
    os.close(says)
    for _ in range(WORKERS + chance.randrange(MOST_DONE)):
        os.read(hears, 1)  # of workers that have all ended by themselves it tells at once
    time.sleep(
        chance.uniform(0.0, 0.01)
    )  # the random moment, in the middle of whatever each is doing
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    ends = [os.waitpid(pid, 0)[1] for pid in workers]
    os.close(hears)
    assert all(os.WIFSIGNALED(end) and os.WTERMSIG(end) == signal.SIGKILL for end in ends), (
        "a worker ended by itself: see above"
    )
    return len(ends)


# ---- what is left --------------------------------------------------------------------------------


def settle(
    service: DisputeService, store: Store, notes: Notes, noted: list[dict[str, Any]]
) -> None:
    """Do what a client does after a crash: send again what has no result; sweep and deliver."""
    answered = {note["key"] for note in noted if "answered" in note}
    for note in noted:
        if "opens" in note:
            service.open(request(note["opens"], POLICY))
        elif "asks" in note and note["command"]["key"] not in answered:
            ask(service, notes, note["asks"], make(note["type"], **note["command"]))
    while True:
        service.sweep(lease=LEASE)
        with store.pool.take() as session:
            now = store.now(session)
            due = next_to_sweep(session, now)
        if due is None or due - now > timedelta(minutes=1):
            break
        # Real time has to pass, by the database's clock: till the next deadline is due, or a dead
        # process's lease lapses.
        time.sleep(max((due - now).total_seconds(), 0.001))  # of neither does any signal tell
    settle_feed(store)
    consumer = service.consumer(
        "crash", lambda event: notes.write(delivered=event["id"]), lease=LEASE
    )
    while (done := consumer.deliver(500)).more or done.busy:
        pass


def report(service: DisputeService, store: Store, noted: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare returned results with stored events; every list that is not empty is an error."""
    checked = CheckCounts()
    damages = [f"{damage.dispute_id} {damage.message}" for damage in check(store, checked)]
    histories = {note["opens"]: service.history(note["opens"]) for note in noted if "opens" in note}
    events = [event for history in histories.values() for event in history]
    asked = {note["command"]["key"] for note in noted if "asks" in note}
    used = Counter(
        (event.dispute_id, event.key)
        for event in events
        if event.key is not None and not event.refused
    )
    expiries = Counter(
        (event.dispute_id, event.command)
        for event in events
        if event.command.expires and not event.refused
    )
    delivered = [note["delivered"] for note in noted if "delivered" in note]
    return {
        "events": checked.events,
        "disputes": checked.disputes,
        "answered": sum("answered" in note or "opened" in note for note in noted),
        "fired": sum(expiries.values()),
        "repeated deliveries": len(delivered) - len(set(delivered)),
        "damages": damages,
        "lost": list(lost(histories, noted)),
        "twice": [f"{one}" for one, number in used.items() if number > 1],
        "never asked": [f"{one}" for one in used if one[1] not in asked],
        "fired twice": [f"{one}" for one, number in expiries.items() if number > 1],
        "refused expiries": [
            event.dispute_id for event in events if event.command.expires and event.refused
        ],
        "not fired": [event.dispute_id for event in overdue(histories)],
        "not delivered": sorted(
            {f"{event.dispute_id}/{event.seq}" for event in events} - set(delivered)
        ),
        "out of order": list(disorder(delivered)),
    }


def lost(histories: Mapping[str, Any], noted: list[dict[str, Any]]) -> Iterator[str]:
    for note in noted:
        if "answered" in note or "opened" in note:
            dispute_id, seq = note.get("answered") or note["opened"], note.get("seq", 1)
            history = histories.get(dispute_id, ())
            if len(history) < seq or history[seq - 1].hash != note["hash"]:
                yield f"{dispute_id}/{seq}"


def overdue(histories: Mapping[str, Any]) -> Iterator[Any]:
    """Find disputes whose promise is over and did not fire."""
    for history in histories.values():
        last = history[-1]
        promised = any(
            event.type is EventType.OPTION_CHOSEN
            and event.payload.option is Option.SHIP_BY_AGREED_DATE
            for event in history
        )
        if promised and last.outcome is None and not any(event.outcome for event in history):
            yield last


def disorder(delivered: list[str]) -> Iterator[str]:
    """Find events of a dispute that were first delivered before the one before them."""
    seen: dict[str, int] = {}
    for one in delivered:
        dispute_id, _, seq = one.rpartition("/")
        if int(seq) > seen.get(dispute_id, 0) + 1:
            yield one
        seen[dispute_id] = max(seen.get(dispute_id, 0), int(seq))


def main() -> None:
    url, kills, folder, seed = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    notes, chance = Notes(folder / "notes.jsonl"), Random(seed)
    store = Store(url)
    service = DisputeService(store, AnyOrder(CANCELLING))
    open_(service, notes, "D-0", [])
    for key in ("k-1", "k-2"):
        ask(service, notes, "D-0", some_command(chance, key))
    service.sweep()
    killed = number = 0
    while killed < kills:
        store.close()  # no connection is taken along into a worker
        killed += round_(store, notes, number, chance)
        number += 1
    settle(service, store, notes, notes.read())
    found = report(service, store, notes.read())
    store.close()
    print(json.dumps({"killed": killed, **found}))  # noqa: T201 -- what this script is for


if __name__ == "__main__":
    main()
