"""Disputes whose events the host keeps: ask the order system where needed, decide, log, evolve.

Everything below is pure; here facts, ids, salts and log lines come in. Time still comes from the
host.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, Unpack, overload
from uuid import uuid4

from dispute_fsm.commands import OpeningFields, command
from dispute_fsm.decider.decide import (
    decide,
    open_dispute,
    opening_needs_facts,
    under_its_version,
)
from dispute_fsm.decider.decisions import Accepted, Decision, Refused, Unchanged
from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.decider.evaluate import needs_facts
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import Stamp
from dispute_fsm.decider.options import OptionView, options
from dispute_fsm.documents.source import checked
from dispute_fsm.domain.commands import EXPIRIES, Actor, AnyCommand, Command, OpenDispute, Voucher
from dispute_fsm.domain.enums import Deadline, RefusalCode
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.reasons import Reason, just_after
from dispute_fsm.domain.scalars import parse_instant
from dispute_fsm.errors import InputError, OrderSystemUnavailableError
from dispute_fsm.log import log
from dispute_fsm.orders import OrderSystem
from dispute_fsm.rules.checklist import Checklist, checklist

StampMaker = Callable[[str, int], Stamp]
"""Makes the stamp of a dispute's event, given the dispute's id and the event's seq."""


def fresh_stamp(_dispute_id: str, _seq: int) -> Stamp:
    """Make a stamp from the machine's clock and randomness."""
    return Stamp(event_id=str(uuid4()), recorded_at=datetime.now(UTC), seed=secrets.token_bytes(32))


def instant(at: datetime | str, field: str = "at") -> datetime:
    """Return the host's time in UTC: an aware datetime, or RFC 3339 text. Raises `InputError` of this field for anything else."""
    try:
        return parse_instant(at)
    except ValueError as error:
        raise InputError(str(error), field=field) from None


# ---- what comes back -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a command: the decision, the event to append (None: nothing), and the dispute after it.

    `dispute_or_none` is None for an opening that was refused and nothing else; wherever there is a
    dispute, `dispute` is it.
    """

    decision: Decision
    event: AuditEvent | None
    dispute_or_none: Dispute | None

    @property
    def dispute(self) -> Dispute:
        """The dispute to go on with. Raises `InputError` where there is none, because its opening was refused."""
        if self.dispute_or_none is None:
            raise InputError(
                f"the opening was refused ({', '.join(self.codes)}), so there is no dispute"
            )
        return self.dispute_or_none

    @property
    def accepted(self) -> bool:
        """Whether the command was accepted just now. One that is repeated was accepted before."""
        return isinstance(self.decision, Accepted)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every reason of a refusal, with what would unlock it; none where the command was not refused."""
        return self.decision.reasons if isinstance(self.decision, Refused) else ()

    @property
    def codes(self) -> tuple[RefusalCode, ...]:
        """The codes of the reasons."""
        return self.decision.codes if isinstance(self.decision, Refused) else ()

    def __repr__(self) -> str:
        return f"Result({self.decision!r})"


@dataclass(frozen=True, slots=True)
class Expiry:
    """What came of acting on a dispute's deadlines, for whatever calls when a timer fires.

    - `fired`: what had passed was acted on; `results` says with which results, by due instant.
    - `stale`: there is nothing to act on; the dispute has another revision than the one named, or
      no deadline runs.
    - `early`: no deadline has passed yet; the first can be acted on after `early_by`.

    `next_due` is the deadline that is due next, and its instant; None where none runs. One that
    lies in the past is pending, because the order system could not answer: call again.
    """

    status: Literal["fired", "stale", "early"]
    results: tuple[Result, ...] = ()
    early_by: timedelta | None = None
    next_due: tuple[Deadline, datetime] | None = None


def expiry(dispute: Dispute, now: datetime, results: tuple[Result, ...] = ()) -> Expiry:
    """Say what came of acting on the deadlines of a dispute, which stands like this after `results`."""
    due = next_due(dispute)
    if results:
        return Expiry("fired", results, next_due=due)
    return (
        Expiry("stale")
        if due is None
        else Expiry("early", early_by=just_after(due[1]) - now, next_due=due)
    )


@dataclass(slots=True)
class Expiries:
    """The deadlines of a dispute that have passed, one after the other by due instant, each tried once."""

    trying: Deadline | None = None
    tried: set[Deadline] = field(default_factory=set[Deadline])

    def next(self, dispute: Dispute, now: datetime) -> Command | None:
        """Return the expiry that is up next, for the dispute as it stands; None where no deadline is left that has passed."""
        due = next_due(dispute, but=self.tried)
        self.trying = None if due is None or due[0] in self.tried or due[1] >= now else due[0]
        return None if self.trying is None else EXPIRIES[self.trying]


# ---- what is asked -------------------------------------------------------------------------------


def opening_of(given: object, fields: Mapping[str, object]) -> OpenDispute:
    """Return the opening that a call of `open` means. Raises `InputError` where that is none."""
    if given is None:
        return checked(OpenDispute, fields)
    if not isinstance(given, OpenDispute):
        raise InputError("expected an OpenDispute, or its fields by name", field="opening")
    if fields:
        raise InputError(
            f"it goes into the command: OpenDispute({next(iter(fields))}=...)",
            field=next(iter(fields)),
        )
    return given


def command_of(
    given: Command | str, by: Actor | None, key: str | None, said: Mapping[str, object]
) -> Command:
    """Return the command that a call of `send` means. Raises `InputError` where that is none."""
    if isinstance(given, str):
        given, by, key, said = command(given, by=by, key=key, **said), None, None, {}
    if not isinstance(given, AnyCommand):
        raise InputError(
            "expected a command of dispute_fsm.commands, or the name of its type", field="command"
        )
    if isinstance(given, OpenDispute):
        raise InputError("a dispute is opened by open(), not by send()", field="command")
    if extra := [
        name for name, value in {"by": by, "key": key, **said}.items() if value is not None
    ]:
        raise InputError(
            f"it goes into the command: {type(given).__name__}({extra[0]}=...)", field=extra[0]
        )
    return given


@dataclass(frozen=True, slots=True)
class Disputes:
    """Opens disputes and takes commands for a host that keeps the events itself.

    `orders` is the host's order system; it is asked only where a requirement looks at facts.
    `stamp` gives ids and salts.

    Wherever a call takes `at`, it is an aware datetime or RFC 3339 text, and anything else an
    `InputError`.
    """

    orders: OrderSystem
    stamp: StampMaker = fresh_stamp

    @overload
    def open(
        self,
        opening: OpenDispute,
        /,
        *,
        at: datetime | str,
        existing: Dispute | None = None,
        facts: OrderFacts | None = None,
    ) -> Result: ...
    @overload
    def open(
        self,
        opening: None = None,
        /,
        *,
        at: datetime | str,
        existing: Dispute | None = None,
        facts: OrderFacts | None = None,
        **fields: Unpack[OpeningFields],
    ) -> Result: ...
    def open(
        self,
        opening: OpenDispute | None = None,
        /,
        *,
        at: datetime | str,
        existing: Dispute | None = None,
        facts: OrderFacts | None = None,
        **fields: object,
    ) -> Result:
        """Open a dispute, by a command or by its fields. `existing` is the dispute that has this id already.

        A refusal leaves no dispute and no event. `facts` is a snapshot that the host has at hand
        already; it may be as old as the policy's `max_facts_age`.

        Raises `OrderSystemUnavailableError`: nothing happened, try again; `StaleFactsError`;
        `InputError` for fields that cannot be read.
        """
        opening, now = under_its_version(opening_of(opening, fields)), instant(at)
        if facts is None and opening_needs_facts(existing, opening):
            facts = self.orders.look(opening.order_id, now)
        decision = open_dispute(
            existing, opening, facts, now, stamp=self.stamp(opening.dispute_id, 1)
        )
        log_decision(opening.dispute_id, opening, decision)
        if isinstance(decision, Accepted):
            return Result(decision, decision.event, begin(decision.event, opening.policy))
        return Result(decision, None, None if isinstance(decision, Refused) else existing)

    @overload
    def send(
        self,
        dispute: Dispute,
        command: Command,
        /,
        *,
        at: datetime | str,
        facts: OrderFacts | None = None,
    ) -> Result: ...
    @overload
    def send(
        self,
        dispute: Dispute,
        command: str,
        /,
        *,
        at: datetime | str,
        by: Actor | None = None,
        key: str | None = None,
        facts: OrderFacts | None = None,
        **said: object,
    ) -> Result: ...
    def send(  # noqa: PLR0913 -- a command may be given by its fields
        self,
        dispute: Dispute,
        command: Command | str,
        /,
        *,
        at: datetime | str,
        by: Actor | None = None,
        key: str | None = None,
        facts: OrderFacts | None = None,
        **said: object,
    ) -> Result:
        """Send a command to a dispute, or the type of one and what it says; append the result's event, go on with its dispute.

        `facts` is a snapshot that the host has at hand already; it may be as old as the policy's
        `max_facts_age`. Without it the order system is asked, and only where a requirement looks at
        facts.

        Raises `OrderSystemUnavailableError`: nothing happened, the same command may be sent again;
        `ClockWentBackError`; `StaleFactsError`; `InputError` for a command that cannot be read.
        """
        asked, now = command_of(command, by, key, said), instant(at)
        if facts is None and needs_facts(dispute, asked, now):
            facts = self.look(dispute, now)
        decision = decide(
            dispute, asked, facts, now, stamp=self.stamp(dispute.dispute_id, dispute.seq + 1)
        )
        log_decision(dispute.dispute_id, asked, decision)
        event = decision.event if isinstance(decision, Accepted | Refused) else None
        return Result(decision, event, dispute if event is None else evolve(dispute, event))

    def expire(
        self, dispute: Dispute, *, at: datetime | str, revision: int | None = None
    ) -> Expiry:
        """Act on what has passed of a dispute's deadlines, and say when to call again.

        `revision` is that of the dispute for which a timer was set: where it has gone on since,
        nothing is done.

        Raises `OrderSystemUnavailableError` where nothing could be acted on for that: nothing
        happened, call again.
        """
        now = instant(at)
        if revision is not None and revision != dispute.revision:
            return Expiry("stale", next_due=next_due(dispute))
        results, unavailable = self._expired(dispute, now)
        if unavailable is not None and not results:
            raise unavailable
        return expiry(results[-1].dispute if results else dispute, now, results)

    def sweep(self, dispute: Dispute, *, at: datetime | str) -> tuple[Result, ...]:
        """Fire every running deadline that has passed, by due instant, each as a command of the system.

        Where the order system cannot answer, that deadline stays pending and nothing is judged on
        it; the others are fired. The last result's dispute is the one to go on with.
        """
        return self._expired(dispute, instant(at))[0]

    def options(
        self, dispute: Dispute, *, at: datetime | str, facts: OrderFacts | None = None
    ) -> tuple[OptionView, ...]:
        """Return what the merchant could choose, why not, and what would unlock it.

        Where the order system cannot answer, an option that depends on it is neither open nor
        closed. Raises `StaleFactsError` for facts of another order, or dated after `at`.
        """
        now = instant(at)
        views = options(dispute, facts, now)
        if facts is not None or all(view.open is not None for view in views):
            return views
        try:
            return options(dispute, self.look(dispute, now), now)
        except OrderSystemUnavailableError:
            return views

    def checklist(
        self,
        dispute: Dispute,
        reason: str | None,
        vouchers: tuple[Voucher, ...] = (),
        statement: str | None = None,
    ) -> Checklist:
        """Tell, before evidence is submitted, what is there, missing and not acceptable."""
        return checklist(dispute.policy, reason, vouchers, statement)

    def look(self, dispute: Dispute, now: datetime) -> OrderFacts:
        """Ask the order system about a dispute's order. Raises `OrderSystemUnavailableError`, also where the order is gone."""
        facts = self.orders.look(dispute.order_id, now)
        if facts is None:
            msg = (
                f"the order system no longer knows order {dispute.order_id} of dispute "
                f"{dispute.dispute_id}: unknown is not false"
            )
            raise OrderSystemUnavailableError(msg)
        return facts

    def _expired(
        self, dispute: Dispute, now: datetime
    ) -> tuple[tuple[Result, ...], OrderSystemUnavailableError | None]:
        """Fire what has passed; return the results, and why the order system could not answer for one that stays pending."""
        results, expiries, unavailable = list[Result](), Expiries(), None
        while (asked := expiries.next(dispute, now)) is not None and expiries.trying is not None:
            expiries.tried.add(expiries.trying)
            try:
                result = self.send(dispute, asked, at=now)
            except OrderSystemUnavailableError as fault:
                log_pending(dispute.dispute_id, expiries.trying, fault)
                unavailable = fault
                continue
            results.append(result)
            dispute = result.dispute
        return tuple(results), unavailable


def log_decision(dispute_id: str, asked: Command, decision: Decision) -> None:
    """Write one line per decision: ids and codes only, never a person's words."""
    event = None if isinstance(decision, Unchanged) else decision.event
    log().info(
        "dispute_decision",
        decision=type(decision).__name__.lower(),
        dispute_id=dispute_id,
        command=asked.type.value,
        role=asked.by.role.value,
        seq=event and event.seq,
        event_type=event and event.type.value,
        source=event and event.source,
        target=event and event.target,
        outcome=event and event.outcome and event.outcome.value,
        refused=[code.value for code in decision.codes] if isinstance(decision, Refused) else [],
    )


def log_pending(dispute_id: str, deadline: Deadline | None, fault: Exception) -> None:
    """Write that a deadline stays pending, because the order system cannot answer."""
    log().warning(
        "deadline_pending", dispute_id=dispute_id, deadline=deadline, error=type(fault).__name__
    )
