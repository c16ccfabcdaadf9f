"""The store: disputes and their events, read and written in the transaction that it is given.

A dispute is loaded by a bounded number of rows however long its history is: its row, its first
event, and the event of the key that is asked about. It is written by comparing: its row has to
stand as it was loaded, else nothing happens and `ConflictError` is raised. So no lock is held
between loading and writing, and nobody waits while an order system is asked.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import Connection, Engine, bindparam, delete
from sqlalchemy.engine import URL

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.domain.events import AuditEvent, DisputeOpened
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import FrozenMap, is_identifier
from dispute_fsm.errors import ConflictError, IntegrityError
from dispute_fsm.store.address import address_of, engine_of
from dispute_fsm.store.deadlines import CHANNEL
from dispute_fsm.store.migrations import migrate
from dispute_fsm.store.pool import Pool
from dispute_fsm.store.records import (
    EventRow,
    event_of,
    event_row,
    opened_as,
    policy_of,
    policy_text,
    read,
    running,
    snapshot_version,
    stands,
)
from dispute_fsm.store.schema import SQLITE, private_values
from dispute_fsm.store.session import HostSession, Session
from dispute_fsm.store.statement import Statement
from dispute_fsm.store.statements import statements

_ERASE = Statement(
    delete(private_values)
    .where(private_values.c.dispute_id == bindparam("of_dispute"))
    .returning(private_values.c.seq)
)
_RECENT = 1_024
"""How many disputes stay at hand, each with the text that it was read from or written to."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A dispute as it was found, and what time the database says it is (None: this database has no clock).

    Of the dispute's `keys` only those that were asked about are there, unless it had to be folded
    from its events.
    """

    dispute: Dispute
    now: datetime | None


class Store:
    """The disputes of one database. Its tables are made, or brought to this package's version, when the store is made.

    Every statement of ours runs on a connection of the `pool`. The `engine` is for transactions of
    the host's own. Raises `InputError` for a URL that is none, and for a database of a newer
    version; `StoreUnavailableError`, `StoreInvalidError`.
    """

    def __init__(self, url: str | URL) -> None:
        self.address = address_of(url)
        self.pool = Pool(self.address)
        self.engine: Engine = engine_of(self.address)
        self.run = statements(self.address.dialect)
        self._policies: dict[str, Policy] = {}
        self._recent = OrderedDict[str, tuple[str, Dispute]]()
        try:
            migrate(self.pool)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of all connections."""
        self.pool.close()
        self.engine.dispose()

    def hosted(self, connection: Connection) -> Session:
        """Return a session within the transaction of a host."""
        return HostSession(connection, self.address.dialect)

    # ---- reading ---------------------------------------------------------------------------------

    def now(self, session: Session) -> datetime:
        """Tell the time: the database's, where it has a clock that all its clients share, else this machine's; in UTC."""
        if self.run.now is None:
            return datetime.now(UTC)
        told: datetime = self.run.now.rows(session)[0].now
        return told

    def load(self, session: Session, dispute_id: str, key: str | None = None) -> Loaded | None:
        """Load a dispute, with the event that used this key up where there is one; None where there is no such dispute."""
        row = (
            self.run.load.row(session, {"dispute_id": dispute_id, "key": key})
            if is_identifier(dispute_id)
            else None
        )
        if row is None:
            return None
        policy = self.policy(session, row.policy)
        if row.snapshot_version == snapshot_version(row.rules):
            used: dict[str, AuditEvent] = {}
            if key is not None and row.used_hash is not None:
                used[key] = event_of(
                    EventRow(
                        dispute_id, row.used_seq, row.used_hashed, row.used_hash, row.used_private
                    )
                )
            dispute = self._read(
                row.snapshot, EventRow(dispute_id, 1, row.hashed, row.hash, None), policy, used
            )
            if dispute is not None:
                return Loaded(dispute, row.now)
        return Loaded(self.folded(session, dispute_id, policy), row.now)

    def _read(
        self, text: str, first: EventRow, policy: Policy, used: Mapping[str, AuditEvent]
    ) -> Dispute | None:
        """Read a dispute from its snapshot and its first event, as far as they are not at hand; None where the text is no snapshot."""
        known, recent = self._recent.get(first.dispute_id, ("", None))
        if recent is None or recent.opening.hash != first.hash:
            dispute = read(text, cast("DisputeOpened", event_of(first)), policy, used)
        elif text != known:
            dispute = read(text, recent.opening, policy, used)
        elif recent.keys == used and recent.policy.digest == policy.digest:
            return recent
        else:
            return replace(recent, policy=policy, keys=FrozenMap(used))
        return None if dispute is None else self._remembered(text, dispute)

    def _remembered(self, text: str, dispute: Dispute) -> Dispute:
        self._recent.pop(dispute.dispute_id, None)  # so that it comes last
        self._recent[dispute.dispute_id] = text, dispute
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return dispute

    def locked(self, session: Session, dispute_id: str, key: str | None = None) -> Loaded | None:
        """Load a dispute that nobody else can change before this transaction ends."""
        # Two statements: the second sees what was committed while the first one waited.
        if is_identifier(dispute_id):
            self.run.lock.row(session, {"dispute_id": dispute_id})
        return self.load(session, dispute_id, key)

    def folded(self, session: Session, dispute_id: str, policy: Policy) -> Dispute:
        """Fold a dispute from all its events. Raises `ImpossibleEventError` where they cannot have happened."""
        first, *others = self.history(session, dispute_id)
        dispute = begin(first, policy)
        for event in others:
            dispute = evolve(dispute, event)
        return dispute

    def history(self, session: Session, dispute_id: str) -> list[AuditEvent]:
        """Return all events of a dispute, in order; empty where there is no such dispute."""
        if not is_identifier(dispute_id):
            return []
        return [
            event_of(EventRow(*row))
            for row in self.run.history.rows(session, {"dispute_id": dispute_id})
        ]

    def announce(self, session: Session) -> None:
        """Tell the sweepers of other processes that a deadline will be due soon; they hear of it when this transaction commits."""
        if self.run.announce is not None:
            self.run.announce.row(session, {"channel": CHANNEL})

    def live_on(self, session: Session, order_id: str) -> str | None:
        """Return the dispute about this order that is live; None where there is none."""
        found = self.run.live.row(session, {"order_id": order_id})
        return None if found is None else str(found.dispute_id)

    def policy(self, session: Session, digest: str) -> Policy:
        """Return a policy by its digest. Raises `IntegrityError` where it is not here, or is another one."""
        policy = self._policies.get(digest)
        if policy is None:
            kept = self.run.policy.row(session, {"digest": digest})
            if kept is None:
                raise IntegrityError(
                    f"the policy {digest} that an event names is not in the database", "policy"
                )
            policy = policy_of(kept.body)
            if policy.digest != digest:
                raise IntegrityError(
                    (
                        f"the policy {digest} in the database is another one: it was changed "
                        "after it was written"
                    ),
                    "policy",
                )
            self._policies[digest] = policy
        return policy

    # ---- writing ---------------------------------------------------------------------------------

    def insert(
        self, session: Session, dispute: Dispute, hashed: bytes | None = None
    ) -> list[datetime]:
        """Write a dispute that has just opened; returns when its deadlines are due.

        `hashed` are the bytes that the opening's hash covers, where they are at hand.
        Raises `ConflictError` where its id is taken, or its order has a live dispute.
        """
        self.keep_policy(session, dispute.policy)
        standing = stands(dispute)
        if self.run.new_dispute.row(session, {**opened_as(dispute), **standing}) is None:
            raise ConflictError(
                f"dispute {dispute.dispute_id} is there already, or order {dispute.order_id} has "
                "a live one"
            )
        self._remembered(standing["snapshot"], dispute)
        self._add(session, event_row(dispute.opening, hashed), dispute.opening)
        return self._set_deadlines(session, {}, running(dispute), dispute.dispute_id)

    def keep_policy(self, session: Session, policy: Policy) -> None:
        """Write a policy that a dispute opens under, where it is not there yet."""
        # The policies at hand do not tell: one may have been read in a host's transaction that was
        # rolled back.
        if self.run.known_policy.row(session, {"digest": policy.digest}) is None:
            self.run.new_policy.run(session, {"digest": policy.digest, "body": policy_text(policy)})

    def append(
        self,
        session: Session,
        before: Dispute,
        event: AuditEvent,
        after: Dispute,
        hashed: bytes | None = None,
    ) -> list[datetime]:
        """Write one event of a dispute and what it comes to; returns when deadlines are due that were not due then before.

        `hashed` are the bytes that the event's hash covers, where they are at hand.
        Raises `ConflictError` where the dispute has gone on meanwhile.
        """
        found, standing = (
            {
                "of_dispute": before.dispute_id,
                "before_seq": before.seq,
                "before_hash": before.last_hash,
            },
            stands(after),
        )
        if self.run.changed.row(session, {**found, **standing}) is None:
            raise ConflictError(
                f"dispute {before.dispute_id} was modified concurrently (after event {before.seq})"
            )
        self._remembered(standing["snapshot"], after)
        self._add(session, event_row(event, hashed), event)
        return self._set_deadlines(session, running(before), running(after), after.dispute_id)

    def erase(self, dispute_id: str) -> int:
        """Erase the personal values of a dispute's events; returns how many events had any. Every hash still fits."""
        if not is_identifier(dispute_id):
            return 0
        with self.pool.transaction() as session:
            erased = _ERASE.rows(session, {"of_dispute": dispute_id})
        self._recent.pop(dispute_id, None)
        if (
            self.address.dialect.name == SQLITE
        ):  # the file is overwritten already, but not the log beside it
            with self.pool.take() as session:
                session.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return len(erased)

    def _add(self, session: Session, row: EventRow, event: AuditEvent) -> None:
        place = {"dispute_id": row.dispute_id, "seq": row.seq}
        self.run.new_event.run(session, {**place, "hash": row.hash, "hashed": row.hashed})
        if row.private is not None:
            self.run.new_private.run(session, {**place, "body": row.private})
        if event.key is not None and not event.refused:
            self.run.new_key.run(session, {**place, "key": event.key})

    def _set_deadlines(
        self,
        session: Session,
        old: Mapping[str, datetime],
        new: Mapping[str, datetime],
        dispute_id: str,
    ) -> list[datetime]:
        for name in old.keys() - new.keys():
            self.run.gone_deadline.run(session, {"of_dispute": dispute_id, "of_deadline": name})
        changed = {name: due for name, due in new.items() if old.get(name) != due}
        for name, due in changed.items():
            if name in old:
                self.run.moved_deadline.run(
                    session, {"of_dispute": dispute_id, "of_deadline": name, "due_at": due}
                )
            else:
                self.run.new_deadline.run(
                    session, {"dispute_id": dispute_id, "deadline": name, "due_at": due}
                )
        return list(changed.values())
