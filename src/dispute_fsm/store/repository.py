"""The repository: reads and writes disputes and their events in the transaction of the caller.

Loading a dispute reads a bounded number of rows, however long its history is: its own row, its
first event, and the event of one idempotency key. Writing compares: the row must be as it was
loaded, else nothing happens and `ConflictError` is raised. So no lock is held between loading and
writing, and nobody waits while an order system is asked.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from pydantic_core import from_json, to_json
from sqlalchemy import Engine, bindparam, delete, false, func, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.engine import URL

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.domain.events import AuditEvent, DisputeOpened
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import FrozenMap, is_identifier
from dispute_fsm.errors import ConflictError, IntegrityError
from dispute_fsm.store.address import POSTGRESQL, SQLITE, address_of, engine_of
from dispute_fsm.store.deadlines import CHANNEL, running_deadlines, write_deadlines
from dispute_fsm.store.event_log import (
    HISTORY,
    EventRow,
    event_of,
    event_row,
    event_writes,
)
from dispute_fsm.store.pool import Pool
from dispute_fsm.store.projection import (
    ADD_DISPUTE,
    DATABASE_CLOCK,
    LOAD,
    UPDATE_DISPUTE,
    changing_columns,
    columns,
    read_snapshot,
    snapshot_version,
)
from dispute_fsm.store.schema import (
    UtcInstant,
    deadlines,
    disputes,
    migrate,
    policies,
    private_values,
)
from dispute_fsm.store.session import Session, Statement

_LOCK = Statement(
    select(disputes.c.seq).where(disputes.c.dispute_id == bindparam("dispute_id")).with_for_update()
)
_RUNNING = (deadlines.c.dispute_id == disputes.c.dispute_id) & (
    deadlines.c.due_at >= bindparam("now", type_=UtcInstant)
)
_LIVE = Statement(
    select(disputes.c.dispute_id).where(
        disputes.c.order_id == bindparam("order_id"),
        (disputes.c.closed == false()) | select(deadlines.c.due_at).where(_RUNNING).exists(),
    )
)
_NOW = Statement(select(DATABASE_CLOCK.label("now")))
_ANNOUNCE = Statement(select(func.pg_notify(CHANNEL, "").label("done")))
_POLICY = Statement(select(policies.c.body).where(policies.c.digest == bindparam("digest")))
_POLICY_EXISTS = Statement(
    select(policies.c.digest).where(policies.c.digest == bindparam("digest"))
)
_ADD_POLICY = Statement(
    insert(policies), postgresql=insert_postgresql(policies).on_conflict_do_nothing()
)
_ERASE = Statement(
    delete(private_values)
    .where(private_values.c.dispute_id == bindparam("of_dispute"))
    .returning(private_values.c.seq)
)
_MAX_CACHED = 1_024
"""How many disputes stay in memory, each with the snapshot that it was read from or written to."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A dispute as it was loaded, and the time by the database's clock; None where it has none.

    Of the dispute's `keys` there are only those that were asked for, unless it was folded from its
    events.
    """

    dispute: Dispute
    now: datetime | None


class Store:
    """The disputes of one database. Making the store creates the tables, or migrates them.

    Every statement of ours runs on a connection of the `pool`. The `engine` is for transactions of
    the host. Raises `InputError` for an invalid URL, and for a database of a newer version;
    `StoreUnavailableError`, `StoreInvalidError`.
    """

    def __init__(self, url: str | URL) -> None:
        self.address = address_of(url)
        self.pool = Pool(self.address)
        self.engine: Engine = engine_of(self.address)
        self._policies: dict[str, Policy] = {}
        self._cached = OrderedDict[str, tuple[str, Dispute]]()
        try:
            migrate(self.pool)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self.pool.close()
        self.engine.dispose()

    # ---- reading ---------------------------------------------------------------------------------

    def now(self, session: Session) -> datetime:
        """Return the time in UTC: by the database's clock, or on SQLite by this machine's."""
        if session.dialect.name == SQLITE:
            return datetime.now(UTC)
        now: datetime = _NOW.rows(session)[0].now
        return now

    def load(self, session: Session, dispute_id: str, key: str | None = None) -> Loaded | None:
        """Load a dispute, and the event of this key; None where there is no such dispute."""
        if not is_identifier(dispute_id):
            return None
        row = LOAD.row(session, {"dispute_id": dispute_id, "key": key})
        if row is None:
            return None
        policy = self.policy(session, row.policy)
        used: dict[str, AuditEvent] = {}
        if key is not None and row.used_hash is not None:
            used[key] = event_of(
                EventRow(dispute_id, row.used_seq, row.used_hashed, row.used_hash, row.used_private)
            )
        dispute = None
        if row.snapshot_version == snapshot_version(row.rules):
            first = EventRow(dispute_id, 1, row.hashed, row.hash, None)
            dispute = self._read(row.snapshot, first, policy, used)
        return Loaded(dispute or self.fold(session, dispute_id, policy), row.now)

    def _read(
        self, text: str, first: EventRow, policy: Policy, used: Mapping[str, AuditEvent]
    ) -> Dispute | None:
        """Read a dispute from its snapshot and its first event, or take it from the cache.

        None where the text is not a snapshot.
        """
        cached_text, cached = self._cached.get(first.dispute_id, ("", None))
        if cached is None or cached.opening.hash != first.hash:
            dispute = read_snapshot(text, cast("DisputeOpened", event_of(first)), policy, used)
        elif text != cached_text:
            dispute = read_snapshot(text, cached.opening, policy, used)
        elif cached.keys == used and cached.policy.digest == policy.digest:
            return cached
        else:
            return replace(cached, policy=policy, keys=FrozenMap(used))
        if dispute is not None:
            self._cache(text, dispute)
        return dispute

    def _cache(self, text: str, dispute: Dispute) -> None:
        self._cached.pop(dispute.dispute_id, None)  # so that it comes last
        self._cached[dispute.dispute_id] = text, dispute
        if len(self._cached) > _MAX_CACHED:
            self._cached.popitem(last=False)

    def load_locked(
        self, session: Session, dispute_id: str, key: str | None = None
    ) -> Loaded | None:
        """Load a dispute that nobody else can change before this transaction ends."""
        # Two statements: the second sees what was committed while the first one waited.
        if is_identifier(dispute_id):
            _LOCK.row(session, {"dispute_id": dispute_id})
        return self.load(session, dispute_id, key)

    def fold(self, session: Session, dispute_id: str, policy: Policy) -> Dispute:
        """Fold a dispute from all its events. Raises `ImpossibleEventError`."""
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
            event_of(EventRow(*row)) for row in HISTORY.rows(session, {"dispute_id": dispute_id})
        ]

    def announce(self, session: Session) -> None:
        """Announce to the sweepers of other processes, on commit, that a deadline is due soon."""
        if session.dialect.name == POSTGRESQL:
            _ANNOUNCE.run(session, {})

    def live_dispute(self, session: Session, order_id: str, now: datetime) -> str | None:
        """Return the id of a dispute about this order that is live or may still change, or None.

        A closed dispute may still change while a deadline runs that has not passed at `now`.
        """
        row = _LIVE.row(session, {"order_id": order_id, "now": now})
        return None if row is None else str(row.dispute_id)

    def policy(self, session: Session, digest: str) -> Policy:
        """Return a policy by its digest. Raises `IntegrityError` where it is missing or changed."""
        policy = self._policies.get(digest)
        if policy is None:
            row = _POLICY.row(session, {"digest": digest})
            if row is None:
                raise IntegrityError(
                    f"the policy {digest} that an event names is not in the database", "policy"
                )
            policy = Policy.model_validate(from_json(row.body))
            if policy.digest != digest:
                raise IntegrityError(
                    f"the policy {digest} in the database was changed after it was written",
                    "policy",
                )
            self._policies[digest] = policy
        return policy

    # ---- writing ---------------------------------------------------------------------------------

    def insert(
        self, session: Session, dispute: Dispute, hashed: bytes | None = None
    ) -> list[datetime]:
        """Write a dispute that has just opened; return when its deadlines are due.

        `hashed` are the bytes that the opening's hash covers, if they are known.
        Raises `ConflictError` where its id exists, or its order has a live dispute.
        """
        self.save_policy(session, dispute.policy)
        values = columns(dispute)
        if ADD_DISPUTE.row(session, values) is None:
            raise ConflictError(
                f"dispute {dispute.dispute_id} exists already, or order {dispute.order_id} has "
                "a live one"
            )
        self._cache(values["snapshot"], dispute)
        self._write(session, dispute.opening, hashed)
        return write_deadlines(session, dispute.dispute_id, {}, running_deadlines(dispute))

    def save_policy(self, session: Session, policy: Policy) -> None:
        """Write a policy that a dispute opens under, unless it is stored already."""
        # `_policies` is no proof: one may have been read in a host's transaction that was rolled
        # back.
        if _POLICY_EXISTS.row(session, {"digest": policy.digest}) is None:
            # complete, with its members in the order in which they were given
            body = to_json(policy.record).decode()
            _ADD_POLICY.run(session, {"digest": policy.digest, "body": body})

    def append(
        self,
        session: Session,
        before: Dispute,
        event: AuditEvent,
        after: Dispute,
        hashed: bytes | None = None,
    ) -> list[datetime]:
        """Write one event of a dispute and its projection; return when changed deadlines are due.

        `hashed` are the bytes that the event's hash covers, if they are known.
        Raises `ConflictError` where the dispute was modified concurrently.
        """
        values: dict[str, Any] = {
            "of_dispute": before.dispute_id,
            "before_seq": before.seq,
            "before_hash": before.last_hash,
            **changing_columns(after),
        }
        if UPDATE_DISPUTE.row(session, values) is None:
            raise ConflictError(
                f"dispute {before.dispute_id} was modified concurrently (after event {before.seq})"
            )
        self._cache(values["snapshot"], after)
        self._write(session, event, hashed)
        return write_deadlines(
            session, after.dispute_id, running_deadlines(before), running_deadlines(after)
        )

    def _write(self, session: Session, event: AuditEvent, hashed: bytes | None) -> None:
        for statement, values in event_writes(event, event_row(event, hashed)):
            statement.run(session, values)

    def erase(self, dispute_id: str) -> int:
        """Erase the personal values of a dispute's events; return how many events had any.

        Every hash stays valid.
        """
        if not is_identifier(dispute_id):
            return 0
        with self.pool.transaction() as session:
            erased = _ERASE.rows(session, {"of_dispute": dispute_id})
        self._cached.pop(dispute_id, None)
        if self.address.dialect.name == SQLITE:  # the file is overwritten by now, its log is not
            with self.pool.take() as session:
                session.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return len(erased)
