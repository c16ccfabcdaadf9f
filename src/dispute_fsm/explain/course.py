"""A supposed course of a dispute: what would have been decided, had something been otherwise. Pure.

A course leaves the record at one event. From there the acts are decided again, one by one, with the
facts of a supposed world. It stops where a deadline passes of which the record does not say that
nobody answered: there it waits, and what silence would lead to is foreseen, not supposed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple, Protocol

from dispute_fsm.decider.decide import decide, open_dispute
from dispute_fsm.decider.decisions import Accepted, Decision, Refused
from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.decider.evolve import begin, evolve, recorded_transition
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import COMMAND_CLASSES, EXPIRIES, Command
from dispute_fsm.domain.deadlines import due_instant
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, RefusalCode, Role, StateName
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.reasons import just_after
from dispute_fsm.errors import InputError
from dispute_fsm.explain.happenings import Taken
from dispute_fsm.history.redecide import recorded_command, recorded_opening
from dispute_fsm.history.what_if import applies_to


class Act(NamedTuple):
    """A command as it is sent in a course; `event` is the record that it comes from, if any.

    `change` is the number of the change by which somebody supposes it so, whatever it is about.
    """

    command: Command
    at: datetime
    event: AuditEvent | None = None
    change: int | None = None


class World(Protocol):
    """What the order system shows in a course."""

    def of(self, act: Act) -> OrderFacts | None:
        """Return the facts for an act: those recorded with it, or those known at its time."""
        ...


class Record:
    """A recorded dispute: its events, the dispute after each, and its policy.

    Raises `ImpossibleEventError` where the events are no history.
    """

    def __init__(self, events: Sequence[AuditEvent], policy: Policy) -> None:
        self.events = tuple(events)
        self.policy = policy
        dispute = begin(self.events[0], policy)
        self.disputes = [dispute]
        for event in self.events[1:]:
            dispute = evolve(dispute, event)
            self.disputes.append(dispute)

    @cached_property
    def taken(self) -> tuple[Taken, ...]:
        """The accepted events, each with the transition that it took."""
        opening, *later = self.events
        steps = zip(later, self.disputes, self.disputes[1:], strict=False)
        return (
            Taken(opening, None, self.disputes[0], None),
            *(
                Taken(event, before, after, recorded_transition(before, event))
                for event, before, after in steps
                if event.type is not EventType.REFUSED
            ),
        )

    @cached_property
    def looks(self) -> tuple[OrderFacts, ...]:
        """What the order system showed, look after look."""
        return tuple(event.facts for event in self.events if event.facts is not None)

    @cached_property
    def miscounted(self) -> frozenset[int]:
        """The events that began a deadline which today's calendar counts otherwise."""
        before = ({}, *(dispute.deadlines for dispute in self.disputes))
        return frozenset(
            event.seq
            for deadlines, event, after in zip(before, self.events, self.disputes, strict=False)
            if counts_otherwise(deadlines, event, after)
        )

    @property
    def end(self) -> Dispute:
        """The dispute after the last event."""
        return self.disputes[-1]

    def before(self, seq: int) -> Dispute:
        """Return the dispute before an event, from 2; after the last one: its end."""
        return self.disputes[seq - 2]

    def acts(self, seq: int, *, without: int | None = None) -> tuple[Act, ...]:
        """Return the acts from an event on, from 2; `without` is the one that is left out."""
        return tuple(act for act in self._acts[seq - 2 :] if _seq(act) != without)

    def act(self, seq: int) -> Act:
        """Return the act that an event records, from 2."""
        return self._acts[seq - 2]

    @cached_property
    def _acts(self) -> tuple[Act, ...]:
        return tuple(Act(recorded_command(event), event.at, event) for event in self.events[1:])

    def unanswered(self, dispute: Dispute, deadline: Deadline, due: datetime) -> bool:
        """Tell whether the record shows that nobody answered until the deadline was due.

        It does where the recorded dispute was in the same state with the same option then, the
        deadline was due at the same instant, and the record goes on after it. Nor could anybody
        answer a deadline that had passed before the dispute came to wait for it. Of regions side by
        side only the one counts in which the deadline runs, and evidence there is about no option.
        """
        if due < dispute.last_at:
            return True
        after = [one for one in self.disputes if one.last_at <= due]
        if not after or self.events[-1].at <= due:
            return False
        then = after[-1]
        beside_settlement = deadline is Deadline.EVIDENCE and len(dispute.states) > 1
        return (
            then.running.get(deadline) == due
            and (then.option is dispute.option or beside_settlement)
            and not _leaves(then, deadline).isdisjoint(dispute.states)
        )


def _leaves(dispute: Dispute, deadline: Deadline) -> set[StateName]:
    """Return the active leaf in which a deadline runs: it runs wherever that leaf is active."""
    configurations = dispute.rules.table.configurations.values()
    without = {
        state
        for one in configurations
        if not any(deadline in running for running in one.running)
        for state in one.states
    }
    return set(dispute.states) - without


def _seq(act: Act) -> int | None:
    return None if act.event is None else act.event.seq


@dataclass(frozen=True, slots=True)
class CourseStep:
    """An act that was decided: the event that it led to, and the codes if it was refused.

    `event` is None where nothing was recorded.
    """

    act: Act
    event: AuditEvent | None
    refused: tuple[RefusalCode, ...] = ()


@dataclass(frozen=True, slots=True)
class SupposedCourse:
    """What was decided again, and where that leads.

    `start` is the dispute where the course leaves the record, `dispute` where it ends or waits,
    `foreseen` what it would come to if nobody did anything more. `left_out` are the recorded acts
    that were about something else, `beyond` the acts after the instant at which it waits.
    `counts_otherwise`: today's calendar counts a recorded due
    instant otherwise.
    """

    start: Dispute
    steps: tuple[CourseStep, ...]
    dispute: Dispute
    foreseen: Dispute
    silence: tuple[CourseStep, ...]
    left_out: tuple[int, ...]
    beyond: tuple[Act, ...]
    counts_otherwise: bool

    @property
    def waits_until(self) -> datetime | None:
        """The due instant (UTC) until which it waits; None where it does not, or for no time."""
        due = next_due(self.dispute)
        return None if due is None else due[1]


def awaited(dispute: Dispute) -> tuple[Role, ...]:
    """Return whose turn it is: who can meet a running deadline, else who can end the dispute."""
    if dispute.closed:
        return ()
    running = dispute.running
    if running:
        meets = {of.meets: of.roles[0] for of in COMMAND_CLASSES.values() if of.meets is not None}
        return tuple(dict.fromkeys(meets.get(deadline, Role.MERCHANT) for deadline in running))
    leaving = dispute.rules.table.leaving(dispute.path)
    last = {CommandType.WITHDRAW, CommandType.ANNUL, CommandType.EXTEND_DEADLINE}
    senders = (COMMAND_CLASSES[command].roles[0] for command in leaving if command not in last)
    return tuple(dict.fromkeys(role for role in senders if role is not Role.SYSTEM))


def reopened(record: Record, policy: Policy) -> Dispute:
    """Return the dispute as it would have been opened under another policy.

    Raises `InputError` where it would not have been opened.
    """
    first = record.events[0]
    opening = recorded_opening(record.end.opening, policy, first.rules)
    stamp = derived_stamp(first.at, first.dispute_id, 1)
    opened = open_dispute(None, opening, first.facts, first.at, stamp=stamp)
    if not isinstance(opened, Accepted):
        raise InputError("the dispute would not have been opened")
    return begin(opened.event, policy)


def follow(record: Record, start: Dispute, acts: Sequence[Act], world: World) -> SupposedCourse:
    """Decide the acts again, from a dispute on, until they end or somebody's answer is missing."""
    walk = _Walk(record, start, world)
    for number, act in enumerate(acts):
        walk.let_supposed_deadlines_pass(acts[number:])
        if walk.waits(acts[number:]):
            beyond = tuple(acts[number:])
            break
        walk.take(act)
    else:
        beyond = ()
    walk.let_known_deadlines_pass()
    foreseen = _Walk(record, walk.dispute, world)
    foreseen.let_every_deadline_pass()
    return SupposedCourse(
        start=start,
        steps=tuple(walk.steps),
        dispute=walk.dispute,
        foreseen=foreseen.dispute,
        silence=tuple(foreseen.steps),
        left_out=tuple(walk.left_out),
        beyond=beyond,
        counts_otherwise=walk.counts_otherwise,
    )


class _Walk:
    """Decides act after act."""

    def __init__(self, record: Record, start: Dispute, world: World) -> None:
        self.record = record
        self.dispute = start
        self.world = world
        self.steps = list[CourseStep]()
        self.left_out = list[int]()
        self.counts_otherwise = False

    def waits(self, acts: Sequence[Act]) -> bool:
        """Tell whether a deadline passes before the next act that somebody might have met."""
        return any(
            due < acts[0].at
            and not self.record.unanswered(self.dispute, deadline, due)
            and not any(_supposes_silence(act, deadline, due) for act in acts)
            for deadline, due in self.dispute.running.items()
        )

    def let_supposed_deadlines_pass(self, acts: Sequence[Act]) -> None:
        """Let those pass before the next act that are supposed to be met later, thus too late.

        A recorded or supposed expiry says itself when it comes.
        """
        while (following := next_due(self.dispute)) is not None:
            deadline, due = following
            expiries = (act for act in acts if act.command.type.expires is deadline)
            if (
                just_after(due) >= acts[0].at
                or next(expiries, None) is not None
                or not any(_supposes_silence(act, deadline, due) for act in acts)
            ):
                return
            self.send(Act(EXPIRIES[deadline], just_after(due)))

    def take(self, act: Act) -> None:
        """Decide one act, if it is about what the dispute is about here."""
        event, dispute = act.event, self.dispute
        expires = act.command.type.expires
        if act.change is not None and (event is None or expires is None):
            self.send(act)  # whatever the dispute is about
            return
        refused = event is not None and event.type is EventType.REFUSED
        if expires is not None and expires not in dispute.running and not refused:
            return
        if event is not None and not refused and expires is None:
            recorded = self.record.before(event.seq)
            if not applies_to(event, dispute, recorded.option, recorded.states):
                self.left_out.append(event.seq)
                return
        decided = self.send(act)
        if event is not None and decided is not None and event.seq in self.record.miscounted:
            self.counts_otherwise = True

    def send(self, act: Act) -> AuditEvent | None:
        """Send one act; return the event of an accepted one."""
        at = max(act.at, self.dispute.last_at)
        facts = self.world.of(act._replace(at=at))
        stamp = derived_stamp(at, self.dispute.dispute_id, self.dispute.seq + 1)
        decision: Decision = decide(self.dispute, act.command, facts, at, stamp=stamp)
        event = decision.event if isinstance(decision, Accepted | Refused) else None
        refused = decision.codes if isinstance(decision, Refused) else ()
        self.steps.append(CourseStep(act, event, refused))
        if event is not None:
            self.dispute = evolve(self.dispute, event)
        return event if isinstance(decision, Accepted) else None

    def let_known_deadlines_pass(self) -> None:
        """Let those pass of which the record shows that nobody answered, though nobody swept."""
        while (due := next_due(self.dispute)) is not None:
            if not self.record.unanswered(self.dispute, *due):
                return
            self.send(Act(EXPIRIES[due[0]], just_after(due[1])))

    def let_every_deadline_pass(self) -> None:
        """Let the deadlines pass one after the other, until none runs."""
        while (due := next_due(self.dispute)) is not None:
            if self.send(Act(EXPIRIES[due[0]], just_after(due[1]))) is None:
                return


def _supposes_silence(act: Act, deadline: Deadline, due: datetime) -> bool:
    """Tell whether an act is supposed that would not be there had a deadline been met in time."""
    about = deadline in {act.command.meets, act.command.type.expires}
    return act.change is not None and about and act.at > due


def counts_otherwise(
    before: Mapping[Deadline, datetime], event: AuditEvent, after: Dispute
) -> bool:
    """Tell whether today's calendar gives another due instant to a deadline that began here.

    `before` are the deadlines before the event, `after` is the dispute after it.
    """
    if event.command is CommandType.EXTEND_DEADLINE:
        return False
    return any(
        due != due_instant(deadline, after.policy, event.at, after.agreed_until)
        for deadline, due in event.deadlines.items()
        if before.get(deadline) != due
    )
