"""`Disputes`, for hosts that store the events themselves: query facts, decide, log, evolve.

This is the edge of a pure core. It asks the order system for facts, makes ids and salts, and writes
log lines. The time is the host's.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal, Unpack, cast, overload
from uuid import uuid4

from dispute_fsm.commands import OpeningFields, command
from dispute_fsm.decider.decide import (
    conclude,
    decision_of,
    open_dispute,
    opening_needs_facts,
    under_its_version,
)
from dispute_fsm.decider.decisions import Accepted, Decision, Refused, Stale, Unchanged
from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.decider.evaluate import earlier_event
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import Stamp
from dispute_fsm.decider.options import OptionView, options
from dispute_fsm.documents.source import validate
from dispute_fsm.domain.commands import EXPIRIES, Actor, AnyCommand, Command, OpenDispute, Voucher
from dispute_fsm.domain.enums import Deadline, RefusalCode
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.reasons import Reason, just_after
from dispute_fsm.domain.scalars import parse_instant
from dispute_fsm.errors import (
    DisputeError,
    FactsNeededError,
    InputError,
    OrderSystemUnavailableError,
    StaleFactsError,
)
from dispute_fsm.log import log
from dispute_fsm.orders import OrderSystem
from dispute_fsm.rules.checklist import Checklist, checklist

MakeCommand = Callable[[Dispute, datetime], Command | None]
"""Makes the command for a dispute as it was loaded, at this time; None where it needs none."""

StampMaker = Callable[[str, int], Stamp]
"""Makes the stamp of a dispute's event, given the dispute's id and the event's seq."""


def fresh_stamp(_dispute_id: str, _seq: int) -> Stamp:
    """Make a stamp from this machine's clock and random source."""
    return Stamp(event_id=str(uuid4()), recorded_at=datetime.now(UTC), seed=secrets.token_bytes(32))


def read_instant(at: datetime | str, field: str = "at") -> datetime:
    """Return the host's time in UTC. Raises `InputError` that names the field.

    It is an aware datetime or RFC 3339 text.
    """
    try:
        return parse_instant(at)
    except ValueError as error:
        raise InputError(str(error), field=field) from None


# ---- results -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a command: the decision, the event to append, and the dispute after it.

    `event` is None where there is nothing to append. `dispute_or_none` is None only where an
    opening was refused; everywhere else, use `dispute`.
    """

    decision: Decision | Stale
    event: AuditEvent | None
    dispute_or_none: Dispute | None

    @property
    def dispute(self) -> Dispute:
        """The dispute after the command. Raises `InputError` where its opening was refused."""
        if self.dispute_or_none is None:
            raise InputError(
                f"the opening was refused ({', '.join(self.codes)}), so there is no dispute"
            )
        return self.dispute_or_none

    @property
    def accepted(self) -> bool:
        """Whether this call accepted the command. A repeated command was accepted earlier."""
        return isinstance(self.decision, Accepted)

    @property
    def stale(self) -> bool:
        """Whether the dispute has another revision than the sender expects: load it again."""
        return isinstance(self.decision, Stale)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every reason of a refusal, each with its unlock hint; empty without a refusal."""
        return self.decision.reasons if isinstance(self.decision, Refused) else ()

    @property
    def codes(self) -> tuple[RefusalCode, ...]:
        """The codes of the reasons."""
        return self.decision.codes if isinstance(self.decision, Refused) else ()

    def __repr__(self) -> str:
        return f"Result({self.decision!r})"


@dataclass(frozen=True, slots=True)
class Expiry:
    """The result of `expire`, for code that a timer calls.

    - `fired`: at least one deadline had passed; `results` has the result of each expiry, ordered by
      due instant.
    - `stale`: nothing to do. The dispute has another revision than the caller expects, or no
      deadline is running.
    - `early`: no deadline has passed yet. The first one can fire after `early_by`.

    `next_due` is the next deadline and its due instant; None where no deadline is running. If that
    instant is in the past, the deadline is pending because the order system could not answer: call
    again.
    """

    status: Literal["fired", "stale", "early"]
    results: tuple[Result, ...] = ()
    early_by: timedelta | None = None
    next_due: tuple[Deadline, datetime] | None = None


@dataclass(slots=True)
class ExpiryRun:
    """Fires the deadlines of a dispute that have passed, by due instant, and attempts each once.

    With a `revision`, a dispute that has another one is left as it is. A deadline that has not been
    over for `behind` is left to others. `dispute` and `now` are those of the last attempt,
    `unavailable` the errors that leave a deadline pending.
    """

    revision: int | None = None
    behind: timedelta = timedelta(0)
    current: Deadline | None = None
    attempted: set[Deadline] = field(default_factory=set[Deadline])
    results: list[Result] = field(default_factory=list[Result])
    unavailable: list[DisputeError] = field(default_factory=list[DisputeError])
    dispute: Dispute = field(init=False)
    now: datetime = field(init=False)

    def fire(self, send_made: Callable[[MakeCommand], Result | None]) -> None:
        """Fire until none is left. `send_made` loads the dispute and sends the command made."""
        while True:
            try:
                result = send_made(self._next_command)
            except (OrderSystemUnavailableError, StaleFactsError) as error:
                log().warning(
                    "deadline_pending",
                    dispute_id=self.dispute.dispute_id,
                    deadline=self.current,
                    error=type(error).__name__,
                )
                self.unavailable.append(error)
            else:
                if result is None:
                    return
                self.results.append(result)
                if self.revision is not None:
                    self.revision = result.dispute.revision
            self.attempted.add(cast("Deadline", self.current))

    def _next_command(self, dispute: Dispute, now: datetime) -> Command | None:
        self.dispute, self.now = dispute, now
        due = None if self._is_stale() else next_due(dispute, but=self.attempted)
        if due is None or due[0] in self.attempted or due[1] >= now - self.behind:
            return None
        self.current = due[0]
        return EXPIRIES[self.current]

    def _is_stale(self) -> bool:
        return self.revision is not None and self.revision != self.dispute.revision

    def expiry(self) -> Expiry:
        """Return what came of it. Raises the error that left a deadline pending if none fired."""
        due = next_due(self.dispute)
        if self.results:
            return Expiry("fired", tuple(self.results), next_due=due)
        if self.unavailable:
            raise self.unavailable[-1]
        if due is None or self._is_stale():
            return Expiry("stale", next_due=due)
        return Expiry("early", early_by=just_after(due[1]) - self.now, next_due=due)


# ---- arguments -----------------------------------------------------------------------------------


def parse_opening(opening: object, fields: Mapping[str, object]) -> OpenDispute:
    """Return the opening from the arguments of `open`. Raises `InputError` for invalid ones."""
    if opening is None:
        return validate(OpenDispute, fields)
    if not isinstance(opening, OpenDispute):
        raise InputError("expected an OpenDispute, or its fields by name", field="opening")
    for name in fields:
        raise InputError(f"it goes into the command: OpenDispute({name}=...)", field=name)
    return opening


def parse_command(
    given: object, by: Actor | None, key: str | None, payload: Mapping[str, object]
) -> Command:
    """Return the command from the arguments of `send`. Raises `InputError` for invalid ones."""
    fields = {"by": by, "key": key, **payload}
    if isinstance(given, str):
        given, fields = command(given, by=by, key=key, **payload), {}
    if not isinstance(given, AnyCommand):
        raise InputError(
            "expected a command of dispute_fsm.commands, or the name of its type", field="command"
        )
    if isinstance(given, OpenDispute):
        raise InputError("a dispute is opened by open(), not by send()", field="command")
    for name, value in fields.items():
        if value is not None:
            raise InputError(
                f"it goes into the command: {type(given).__name__}({name}=...)", field=name
            )
    return given


@dataclass(frozen=True, slots=True)
class Disputes:
    """Opens disputes and handles commands for a host that stores the events itself.

    `orders` is the host's order system; it is asked only where a guard needs facts. `stamp` makes
    ids and salts.

    `at` is always an aware datetime or RFC 3339 text; anything else is an `InputError`.
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
        """Open a dispute, by a command or by its fields.

        `existing` is the dispute that already has this id. A refused opening makes no dispute and
        no event. `facts` is a snapshot that the host already has; it may be as old as the policy's
        `max_facts_age`.

        Raises `OrderSystemUnavailableError`: nothing happened, try again; `StaleFactsError`;
        `InputError` for invalid fields.
        """
        opening, now = under_its_version(parse_opening(opening, fields)), read_instant(at)
        if facts is None and opening_needs_facts(existing, opening):
            facts = self.orders.look(opening.order_id, now)
        result = self.decide_opening(opening, existing, facts, now)
        log_decision(opening.dispute_id, opening, result.decision)
        return result

    @overload
    def send(
        self,
        dispute: Dispute,
        command: Command,
        /,
        *,
        at: datetime | str,
        facts: OrderFacts | None = None,
        revision: int | None = None,
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
        revision: int | None = None,
        **payload: object,
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
        revision: int | None = None,
        **payload: object,
    ) -> Result:
        """Send a command, or the name of its type and its fields, to a dispute.

        Append the result's event and continue with its dispute. `facts` is a snapshot that the host
        already has; it may be as old as the policy's `max_facts_age`. Without it the order system
        is asked, but only where a guard needs facts.

        `revision` is the revision for which the command is meant: at another one nothing is
        recorded, and the decision is `Stale`. A command that was accepted before, under the same
        key, is `Repeated` at any revision.

        Raises `OrderSystemUnavailableError`: nothing happened, send the same command again;
        `ClockWentBackError`; `StaleFactsError`; `InputError` for an invalid command.
        """
        parsed, now = parse_command(command, by, key, payload), read_instant(at)
        result = None
        with suppress(FactsNeededError):  # then they are queried
            result = self.decide(dispute, parsed, facts, now, revision)
        if result is None:
            result = self.decide(dispute, parsed, self.query_facts(dispute, now), now, revision)
        log_decision(dispute.dispute_id, parsed, result.decision)
        return result

    def expire(
        self, dispute: Dispute, *, at: datetime | str, revision: int | None = None
    ) -> Expiry:
        """Fire the deadlines of a dispute that have passed, and say when to call again.

        `revision` is the revision for which the timer was set: a dispute with another one is left
        as it is.

        Raises `OrderSystemUnavailableError` where no deadline could fire because the order system
        cannot answer: nothing happened, call again.
        """
        return self._fire(dispute, at, revision).expiry()

    def sweep(self, dispute: Dispute, *, at: datetime | str) -> tuple[Result, ...]:
        """Fire every deadline of a dispute that has passed, as commands of the system.

        They fire in the order of their due instants. Where the order system cannot answer, that
        deadline stays pending, and the others fire. Continue with the dispute of the last result.
        """
        return tuple(self._fire(dispute, at).results)

    def options(
        self, dispute: Dispute, *, at: datetime | str, facts: OrderFacts | None = None
    ) -> tuple[OptionView, ...]:
        """Return each option of the merchant: open or closed, why, and what would unlock it.

        Where the order system cannot answer, an option that depends on it is neither open nor
        closed. Raises `StaleFactsError` for facts of another order, or dated after `at`.
        """
        now = read_instant(at)
        views = options(dispute, facts, now)
        if facts is not None or all(view.open is not None for view in views):
            return views
        try:
            return options(dispute, self.query_facts(dispute, now), now)
        except OrderSystemUnavailableError:
            return views

    def checklist(
        self,
        dispute: Dispute,
        reason: str | None,
        vouchers: tuple[Voucher, ...] = (),
        statement: str | None = None,
    ) -> Checklist:
        """Check evidence before it is submitted: what is complete, missing or not acceptable."""
        return checklist(dispute.policy, reason, vouchers, statement)

    # ---- steps that the service uses too ---------------------------------------------------------

    def query_facts(self, dispute: Dispute, now: datetime) -> OrderFacts:
        """Ask the order system for the facts of a dispute's order.

        Raises `OrderSystemUnavailableError`, also where the order no longer exists.
        """
        facts = self.orders.look(dispute.order_id, now)
        if facts is None:
            raise OrderSystemUnavailableError(
                f"the order system no longer knows order {dispute.order_id} of dispute "
                f"{dispute.dispute_id}: unknown is not false"
            )
        return facts

    def decide_opening(
        self,
        opening: OpenDispute,
        existing: Dispute | None,
        facts: OrderFacts | None,
        now: datetime,
    ) -> Result:
        """Decide an opening on these facts."""
        decision = open_dispute(
            existing, opening, facts, now, stamp=self.stamp(opening.dispute_id, 1)
        )
        if isinstance(decision, Accepted):
            return Result(decision, decision.event, begin(decision.event, opening.policy))
        return Result(decision, None, None if isinstance(decision, Refused) else existing)

    def decide(
        self,
        dispute: Dispute,
        command: Command,
        facts: OrderFacts | None,
        now: datetime,
        revision: int | None = None,
    ) -> Result:
        """Decide a command on these facts, and evolve the dispute by the event.

        Without facts, raises `FactsNeededError` where a guard needs them.
        """
        if _is_stale(dispute, command, revision):
            return Result(Stale(dispute.revision), None, dispute)
        evaluation, conclusion = conclude(dispute, command, facts, parse_instant(now))
        make_stamp = partial(self.stamp, dispute.dispute_id, dispute.seq + 1)
        decision = decision_of(dispute, evaluation, conclusion, make_stamp)
        event = decision.event if isinstance(decision, Accepted | Refused) else None
        return Result(decision, event, dispute if event is None else evolve(dispute, event))

    def _fire(self, dispute: Dispute, at: datetime | str, revision: int | None = None) -> ExpiryRun:
        run, now = ExpiryRun(revision), read_instant(at)

        def send_made(make_command: MakeCommand) -> Result | None:
            current = run.results[-1].dispute if run.results else dispute
            command = make_command(current, now)
            return None if command is None else self.send(current, command, at=now)

        run.fire(send_made)
        return run


def _is_stale(dispute: Dispute, command: Command, revision: int | None) -> bool:
    """Return whether a command is meant for another revision, and is not a repeated one."""
    return (
        revision is not None
        and revision != dispute.revision
        and earlier_event(dispute, command) is None
    )


def log_decision(dispute_id: str, command: Command, decision: Decision | Stale) -> None:
    """Write one log line for a decision: ids and codes only, no personal data."""
    event = None if isinstance(decision, Unchanged | Stale) else decision.event
    log().info(
        "dispute_decision",
        decision=type(decision).__name__.lower(),
        dispute_id=dispute_id,
        command=command.type.value,
        role=command.by.role.value,
        seq=event and event.seq,
        event_type=event and event.type.value,
        source=event and event.source,
        target=event and event.target,
        outcome=event and event.outcome and event.outcome.value,
        refused=[code.value for code in decision.codes] if isinstance(decision, Refused) else [],
    )
