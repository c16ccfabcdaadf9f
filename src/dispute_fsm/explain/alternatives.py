"""The nearest other endings of a dispute: one supposition each, decided again. Pure.

Candidates come from the chart and the guards: at each recorded event, and at each due instant
before it, everything that a person could send there; the refused attempts as they were, or with
what they lacked; the facts that would have made a refused command fire; a person's accepted act
left out; another policy. Whatever ends otherwise is an alternative, with the grade of what the
record carries.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, cast

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import Evaluation, evaluate
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    ChooseOption,
    Command,
    ExtendDeadline,
    SubmitEvidence,
)
from dispute_fsm.domain.deadlines import due_instant, term_of
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    Denial,
    EventType,
    Option,
    Outcome,
    RefusalCode,
    Role,
    Silence,
    StateName,
)
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import TERM_FIELDS, Policy
from dispute_fsm.errors import FactsNeededError, InputError
from dispute_fsm.explain.course import Act, Record, SupposedCourse, awaited, follow, reopened
from dispute_fsm.explain.edits import (
    Acted,
    Completed,
    Dropped,
    Edit,
    Moved,
    OtherPolicy,
    Shown,
    hands_of,
)
from dispute_fsm.explain.payloads import agreed_at_most, complete, repaired
from dispute_fsm.explain.supposed_facts import (
    Hands,
    SupposedWorld,
    Supposition,
    date_of,
    known,
    sets_of_facts,
)
from dispute_fsm.rules.guards.selectors import FULFILMENT

MOST_LOOKS = 20_000
"""How many commands are evaluated at most for one dispute, unless somebody asks for more."""

_RULINGS = frozenset(
    {
        CommandType.RULE_NO_FAULT,
        CommandType.RULE_AT_FAULT,
        CommandType.UPHOLD_PENALTY,
        CommandType.OVERTURN_PENALTY,
        CommandType.ANNUL,
    }
)
"""What an adjudicator decided; that it had not been decided is no advice."""

_LAST_RESORTS = frozenset({CommandType.WITHDRAW, CommandType.ANNUL})
"""Commands that end nearly every dispute, whatever happened; they are named once."""


class Grade(StrEnum):
    """What the record carries of an alternative, the surest first."""

    RECORDED = "recorded"
    """It ends so by what was recorded."""
    UNOPPOSED = "unopposed"
    """It ends so unless somebody objects."""
    AWAITED = "awaited"
    """Another's decision is awaited."""
    CHANCE = "chance"
    """Only another chance."""


_GRADES = list(Grade)


@dataclass(frozen=True, slots=True)
class Alternative:
    """One other ending: what would have had to be otherwise, and where it leads.

    It ends, or waits, in `state` with `outcome`; `foreseen` is the outcome if nobody did anything
    more. `courses` are the courses that show it: one, or one for each reason of the catalogue.
    """

    edits: tuple[Edit, ...]
    grade: Grade
    course: SupposedCourse

    @property
    def state(self) -> StateName:
        """The state in which it ends or waits."""
        return self.course.dispute.state

    @property
    def outcome(self) -> Outcome | None:
        """The outcome with which it ends; None where it waits."""
        return self.course.dispute.outcome

    @property
    def foreseen(self) -> Outcome | None:
        """The outcome if nobody did anything more."""
        return self.course.foreseen.outcome

    @property
    def hands(self) -> tuple[Hands, ...]:
        """In whose hands it lies; all of them have to do their part."""
        return hands_of(self.edits)

    @property
    def presupposes(self) -> bool:
        """Whether it is advice only where what it claims is true."""
        return any(edit.presupposes for edit in self.edits)

    @property
    def key(self) -> tuple[object, ...]:
        """What it supposes and where that leads; of equal ones the nearest is kept."""
        course = self.course
        where = course.dispute.states, course.dispute.outcome, course.foreseen.outcome
        return (frozenset(edit.key for edit in self.edits), self.grade, where)

    @property
    def distance(self) -> tuple[float, ...]:
        """How far it is from the record: edits, kind, grade, size; the latest is the nearest."""
        at = max((_moment(edit) for edit in self.edits), default=0.0)
        return (
            float(len(self.edits)),
            float(max(edit.kind for edit in self.edits)),
            float(_GRADES.index(self.grade)),
            sum(edit.size for edit in self.edits),
            -at,
        )


def _moment(edit: Edit) -> float:
    at = edit.at if isinstance(edit, Moved | Acted) else None
    return 0.0 if at is None else at.timestamp()


@dataclass(frozen=True, slots=True)
class Alternatives:
    """The other endings of a dispute, the nearest first, and what was not looked at.

    `last_resorts` are the commands that would have ended it at nearly any time, but for those that
    did. `not_looked_at` counts the commands beyond the limit, `counted_otherwise` the alternatives
    that were left out because today's calendar counts a recorded due instant otherwise.
    """

    found: tuple[Alternative, ...]
    last_resorts: tuple[CommandType, ...]
    not_looked_at: int
    counted_otherwise: int


def alternatives(record: Record, *, most_looks: int = MOST_LOOKS) -> Alternatives:
    """Return every other ending that one supposition leads to, decided again, the nearest first.

    A dispute that is closed ends otherwise where it would not have ended in that state; one that is
    live, where it ends otherwise than if nobody did anything more.
    """
    search = _Search(record, most_looks)
    search.run()
    done = {event.command for event in record.events if event.type is not EventType.REFUSED}
    return Alternatives(
        found=tuple(sorted(search.nearest(), key=lambda one: one.distance)),
        last_resorts=tuple(one for one in CommandType if one in search.last_resorts - done),
        not_looked_at=search.not_looked_at,
        counted_otherwise=search.counted_otherwise,
    )


def loser(dispute: Dispute) -> Hands:
    """Return who lost by it, or would: the consumer where it is resolved, else the merchant."""
    return Hands.CONSUMER if dispute.state is StateName.RESOLVED else Hands.MERCHANT


def for_reader(found: Iterable[Alternative], reader: Hands) -> tuple[Alternative, ...]:
    """Return the alternatives in the order in which they are advice to somebody.

    Their own come first, those that they share next; what has to be true comes last. To leave out
    one's own act is no advice.
    """

    def place(one: Alternative) -> tuple[object, ...]:
        hands = one.hands
        whose = 0 if hands == (reader,) else 1 if reader in hands else 2
        return whose, [hand.value for hand in hands] if whose else [], one.presupposes, one.distance

    advice = (
        one
        for one in found
        if not any(isinstance(edit, Dropped) and reader in edit.hands for edit in one.edits)
    )
    return tuple(sorted(advice, key=place))


class _Place(NamedTuple):
    """Where something might have been sent: before a recorded event, or after the last one.

    `before` is the dispute there, `seq` the number of the event, `at` when it might have been sent.
    """

    before: Dispute
    seq: int
    event: AuditEvent | None
    at: datetime

    @property
    def precedes(self) -> int | None:
        """The event at whose time it would be sent; None at a due instant."""
        return None if self.event is None or self.event.at != self.at else self.seq


class _Candidate(NamedTuple):
    """A command that might have been sent: where, with which facts, and what was recorded after it.

    `edits` are what it supposes so far.
    """

    before: Dispute
    act: Act
    facts: OrderFacts | None
    edits: tuple[Edit, ...]
    rest: Sequence[Act]


class _Search:
    """Goes through the record from its first event to its last."""

    def __init__(self, record: Record, most_looks: int) -> None:
        self.record = record
        self.left = most_looks
        self.found = dict[tuple[object, ...], Alternative]()
        self.last_resorts = set[CommandType]()
        self.not_looked_at = 0
        self.counted_otherwise = 0
        self.by_facts = {
            guard.name for guard in record.end.rules.table.guards().values() if guard.needs_facts
        }
        self.attempts = [
            event
            for event in record.events
            if event.type is EventType.REFUSED
            and event.actor.role is not Role.SYSTEM
            and event.command not in _LAST_RESORTS
        ]
        self.silence = follow(record, record.end, (), SupposedWorld(record)).foreseen

    def nearest(self) -> Iterator[Alternative]:
        """Iterate over what was found, without what is nearer already."""
        sent = {
            (command, one.grade, one.course.dispute.states, one.outcome)
            for one in self.found.values()
            if (command := _only_attempt(one)) is not None
        }
        sets = {frozenset(edit.key for edit in one.edits) for one in self.found.values()}
        for one in self.found.values():
            edit, keys = one.edits[0], frozenset(edit.key for edit in one.edits)
            same = (edit.key[1:], one.grade, one.course.dispute.states, one.outcome)
            if isinstance(edit, Acted) and same in sent:
                continue
            if not any(fewer < keys for fewer in sets):
                yield one

    def run(self) -> None:
        """Look at every event, and after the last one."""
        for seq in range(2, len(self.record.events) + 2):
            before = self.record.before(seq)
            event = self.record.events[seq - 1] if seq <= len(self.record.events) else None
            if event is not None:
                self.drop(before, event)
                self.show(before, event)
            if before.closed_for_good:
                self.last_resorts.update(
                    _LAST_RESORTS.intersection(before.rules.table.leaving(before.path))
                )
                continue
            for at in _moments(before, event):
                place = _Place(before, seq, event, at)
                self.send_attempts(place)
                self.send(place)
        self.change_policy()

    # ---- what might have been sent ---------------------------------------------------------------

    def send_attempts(self, place: _Place) -> None:
        """Send each refused attempt from here on earlier; the one that is here as it should be."""
        before, seq, _, at = place
        for attempt in self.attempts:
            here = attempt.seq == place.precedes
            if attempt.seq < seq or not (here or at < attempt.at):
                continue
            act = self.record.act(attempt.seq)
            facts = attempt.facts if here and attempt.facts is not None else known(self.record, at)
            moved = Moved(attempt.seq, act.command, act.at, at, place.precedes)
            rest = self.record.acts(seq, without=attempt.seq)
            edits = () if here else (moved,)
            self.complete(_Candidate(before, act._replace(at=at), facts, edits, rest))

    def complete(self, candidate: _Candidate) -> None:
        """Send an attempt with what it lacked, where it lacked anything that it could say."""
        before, act, facts, edits, _ = candidate
        if not self.may_look():
            return
        whole = repaired(before, act.command, facts, act.at)
        if whole is not None:
            seq = cast("AuditEvent", act.event).seq
            completed = Completed(seq, whole.command, whole.reasons, whole.one_less)
            act, edits = Act(whole.command, act.at), (*edits, completed)
        self.try_command(candidate._replace(act=Act(act.command, act.at), edits=edits))

    def send(self, place: _Place) -> None:
        """Send what a person could have sent here; of what was sent here, something else."""
        before, seq, event, at = place
        here = event if place.precedes is not None else None
        facts = known(self.record, at)
        for command in before.rules.table.leaving(before.path):
            if COMMAND_CLASSES[command].roles[0] is Role.SYSTEM:
                continue
            if command in _LAST_RESORTS:
                self.last_resorts.add(command)
                continue
            sent = here is not None and here.command is command and here.type != EventType.REFUSED
            if sent and command is not CommandType.CHOOSE_OPTION:
                continue
            if command is CommandType.SUBMIT_EVIDENCE:
                self.submit(place)
                continue
            rest = self.record.acts(seq + 1 if sent else seq)
            for one in self.complete_commands(place, command):
                if sent and isinstance(one, ChooseOption) and one.option is _chosen(here):
                    self.agree_later(_Candidate(before, self.record.act(seq), facts, (), rest))
                    continue
                instead_of = seq if sent else None
                edit = Acted(seq - 1, one, at, place.precedes, instead_of, until=_limit(one))
                self.try_command(_Candidate(before, Act(one, at), facts, (edit,), rest))

    def complete_commands(self, place: _Place, command: CommandType) -> Iterator[Command]:
        """Iterate over commands of a type that lack nothing; extensions are just long enough."""
        for one in complete(place.before, command, place.at):
            if isinstance(one, ExtendDeadline):
                yield from self.extensions(place, one)
            else:
                yield one

    def agree_later(self, candidate: _Candidate) -> None:
        """Send the recorded choice with the latest agreed date, where it has a date."""
        before, act, *_ = candidate
        choice = act.command
        if isinstance(choice, ChooseOption) and choice.agreed_until is not None:
            until = agreed_at_most(before.policy, act.at)
            later = choice.model_copy(update={"agreed_until": until})
            edit = Completed(cast("AuditEvent", act.event).seq, later, until=until)
            self.try_command(candidate._replace(act=Act(later, act.at), edits=(edit,)))

    def submit(self, place: _Place) -> None:
        """Send evidence: one alternative for every reason that fits, as they lead the same way."""
        before, seq, _, at = place
        fit = list[SubmitEvidence]()
        for one in complete(before, CommandType.SUBMIT_EVIDENCE, at):
            evaluation = self.look(before, one, None, at)
            if evaluation is not None and evaluation.transition is not None:
                fit.append(cast("SubmitEvidence", one))
        if fit:
            fewest = min(fit, key=lambda one: len(one.vouchers))
            reasons = tuple(str(one.reason) for one in fit)
            edit = Acted(seq - 1, fewest, at, place.precedes, reasons=reasons)
            self.claim(before, (edit,), (Act(fewest, at), *self.record.acts(seq)))

    def extensions(self, place: _Place, like: ExtendDeadline) -> Iterator[ExtendDeadline]:
        """Iterate over extensions that are just long enough for what came too late."""
        before = place.before
        late = {one.at for one in self.attempts if one.seq >= place.seq}
        last = known(self.record, self.record.events[-1].at)
        dates = (date_of(last, member) for member in ("shipment", "pickup")) if last else ()
        scans = {date for date in dates if date is not None}
        for deadline, due in before.running.items():
            promise = deadline is Deadline.PROMISE
            was = before.agreed_until if promise and before.agreed_until is not None else due
            for until in sorted(scans if promise else late):
                if until > was:
                    yield like.model_copy(update={"until": until, "deadline": deadline})

    def try_command(self, candidate: _Candidate) -> None:
        """Send a command; where only facts are against it, with those that would let it fire."""
        before, act, facts, edits, rest = candidate
        evaluation = self.look(before, act.command, facts, act.at)
        if evaluation is None:
            return
        if evaluation.transition is not None:
            if edits:
                self.claim(before, edits, (act, *rest))
        elif evaluation.reasons and all(
            reason.guard in self.by_facts for reason in evaluation.reasons
        ):
            self.suppose_facts(candidate)

    def suppose_facts(self, candidate: _Candidate) -> None:
        """Send it with the smallest sets of facts with which it fires."""
        before, act, _, edits, rest = candidate
        for supposed in self.minimal(candidate, (act.at,), lambda one: one.transition is not None):
            shown = self.shown(supposed, before.seq + 1)
            self.claim(before, (*edits, shown), (act, *rest), supposed)

    def minimal(
        self,
        candidate: _Candidate,
        limits: Sequence[datetime],
        fits: Callable[[Evaluation], bool],
    ) -> Iterator[Supposition]:
        """Iterate over the smallest sets of facts, each by the latest limit, that let it fit."""
        before, act, facts, _, _ = candidate
        enough = list[set[str]]()
        for chosen in sets_of_facts() if facts is not None else ():
            names = {fact.name for fact in chosen}
            if any(smaller <= names for smaller in enough):
                continue
            for by in limits:
                supposed = Supposition(chosen, by)
                shown = supposed(cast("OrderFacts", facts))
                evaluation = self.look(before, act.command, shown, act.at)
                if evaluation is not None and fits(evaluation):
                    enough.append(names)
                    yield supposed
                    break

    # ---- what might have been otherwise ----------------------------------------------------------

    def show(self, before: Dispute, event: AuditEvent) -> None:
        """Suppose that the order system showed something else where a deadline looked at it."""
        if event.facts is None or event.actor.role is not Role.SYSTEM:
            return
        if event.type is EventType.REFUSED or not _asks_fulfilment(before, event):
            return
        act = self.record.act(event.seq)
        limits = (event.at, before.agreed_until or event.at)
        candidate = _Candidate(before, act, event.facts, (), self.record.acts(event.seq))

        def differs(evaluation: Evaluation) -> bool:
            row = evaluation.transition
            return row is not None and row.target != event.target

        for supposed in self.minimal(candidate, limits, differs):
            self.claim(before, (self.shown(supposed, event.seq),), candidate.rest, supposed)

    def shown(self, supposed: Supposition, seq: int) -> Shown:
        """Return the edit of supposed facts, with the dates that are recorded for them.

        A payment is supposed before the scan that is recorded, so its limit is an earlier one.
        """
        last = known(self.record, self.record.events[-1].at)
        if last is None:
            return Shown(seq, supposed.facts, supposed.by)
        members = [fact.member for fact in supposed.facts]
        was, now = ([date_of(facts, one) for one in members] for facts in (last, supposed(last)))
        moved = [date for before, date in zip(was, now, strict=True) if date and date != before]
        by = min(supposed.by, max(moved, default=supposed.by))
        recorded = tuple(fact.recorded(last, by) for fact in supposed.facts)
        return Shown(seq, supposed.facts, by, recorded)

    def drop(self, before: Dispute, event: AuditEvent) -> None:
        """Suppose that a person's accepted act was not done."""
        if (
            event.type is EventType.REFUSED
            or event.actor.role is Role.SYSTEM
            or event.command in _RULINGS
        ):
            return
        edit = Dropped(event.seq, self.record.act(event.seq).command)
        self.claim(before, (edit,), self.record.acts(event.seq + 1))

    def change_policy(self) -> None:
        """Suppose another policy: a switch turned, or a deadline just long enough."""
        for name, value, size, seq in self.policies():
            try:
                policy = self.record.policy.lay_over({name: value})
                start = reopened(self.record, policy)
            except (InputError, ValueError):
                continue
            edit = OtherPolicy(seq, name, value, size)
            self.claim(start, (edit,), self.record.acts(2))

    def policies(self) -> Iterator[tuple[str, Any, float, int]]:
        """Iterate over the changes of the policy that might matter: field, value, size, event."""
        policy, last = self.record.policy, self.record.end.seq
        turned = {
            "silence": next(one for one in Silence if one is not policy.silence).value,
            "denial": next(one for one in Denial if one is not policy.denial).value,
        }
        for name, value in turned.items():
            yield name, value, 0.0, last
        if policy.confirmation is not None:
            yield "confirmation", None, 0.0, last
        for attempt in self.attempts:
            if RefusalCode.NO_ROUNDS_LEFT in attempt.refused:
                more = policy.extra_evidence_rounds + 1
                yield "extra_evidence_rounds", more, 0.0, attempt.seq
            if RefusalCode.PROMISE_TOO_FAR in attempt.refused:
                yield "max_promise", None, 0.0, attempt.seq
            if RefusalCode.DEADLINE_PASSED in attempt.refused:
                yield from self.longer(attempt)

    def longer(self, attempt: AuditEvent) -> Iterator[tuple[str, Any, float, int]]:
        """Iterate over the terms that would just have been long enough for an attempt."""
        before = self.record.before(attempt.seq)
        for deadline, due in before.running.items():
            began = _began(self.record, deadline, due)
            if deadline.value not in TERM_FIELDS or due >= attempt.at or began is None:
                continue
            term = just_long_enough(self.record.policy, deadline, began, attempt.at)
            if term is not None:
                (_, hours), more = next(iter(term.items())), attempt.at - due
                yield deadline.value, term, more.total_seconds() + hours * 1e-6, attempt.seq

    # ---- what comes of it ------------------------------------------------------------------------

    def may_look(self) -> bool:
        """Count one evaluation, where the limit allows one more."""
        if self.left <= 0:
            self.not_looked_at += 1
            return False
        self.left -= 1
        return True

    def look(
        self, before: Dispute, command: Command, facts: OrderFacts | None, at: datetime
    ) -> Evaluation | None:
        """Evaluate a command; None beyond the limit, or where nobody ever looked at the order."""
        if not self.may_look():
            return None
        try:
            return evaluate(before, command, facts, at)
        except FactsNeededError:
            return None

    def claim(
        self,
        start: Dispute,
        edits: tuple[Edit, ...],
        acts: Sequence[Act],
        suppose: Supposition | None = None,
    ) -> None:
        """Decide the course again; keep it where it ends otherwise, and nothing nearer does."""
        course = follow(self.record, start, acts, SupposedWorld(self.record, suppose))
        grade = self.grade(course)
        if grade is None or (grade is Grade.CHANCE and self.only_the_winner_acts(edits)):
            return
        if course.counts_otherwise or (
            isinstance(edits[0], OtherPolicy) and self.record.miscounted
        ):
            self.counted_otherwise += 1
            return
        one = Alternative(edits, grade, course)
        nearest = self.found.get(one.key)
        if nearest is None or one.distance < nearest.distance:
            self.found[one.key] = one

    def only_the_winner_acts(self, edits: Sequence[Edit]) -> bool:
        """Tell whether a resolved dispute would only have given the consumer the same chance."""
        hands = {Hands.MERCHANT, Hands.CARRIER}
        return self.silence.state is StateName.RESOLVED and hands.issuperset(hands_of(edits))

    def grade(self, course: SupposedCourse) -> Grade | None:
        """Return what the record carries of it; None where it ends as it did."""
        end, dispute = self.silence, course.dispute
        if dispute.closed and dispute.state is end.state:
            return None
        if dispute.closed_for_good:
            return Grade.RECORDED
        if dispute.states == self.record.end.states and not self.record.end.closed:
            return None
        lost = Role.CONSUMER if loser(end) is Hands.CONSUMER else Role.MERCHANT
        theirs, foreseen = lost in awaited(dispute), course.foreseen
        # That their own silence would be penalized is nothing that they could wish for.
        lost_again = theirs and lost is Role.MERCHANT and foreseen.state is StateName.PENALIZED
        if foreseen.closed and foreseen.state is not end.state and not lost_again:
            return Grade.UNOPPOSED
        return Grade.CHANCE if theirs else Grade.AWAITED


def _moments(before: Dispute, event: AuditEvent | None) -> list[datetime]:
    """Return when something might have been sent before an event: at each due instant, and then."""
    due = sorted(
        {
            at
            for at in before.running.values()
            if at >= before.last_at and (event is None or at < event.at)
        }
    )
    if event is not None:
        return [*due, event.at]
    return due or [before.last_at]


def _only_attempt(one: Alternative) -> tuple[str, ...] | None:
    """Return what an alternative sends that supposes nothing but one recorded attempt."""
    edits = one.edits
    if len(edits) == 1 and isinstance(edits[0], Moved | Completed):
        return edits[0].key[1:]
    return None


def _asks_fulfilment(before: Dispute, event: AuditEvent) -> bool:
    rows = before.rules.table.transitions.get((before.path, event.command), ())
    return any(one.dimension is FULFILMENT for row in rows for one in row.when_facts)


def _limit(command: Command) -> datetime | None:
    """Return the instant up to which a command goes, where it names one."""
    if isinstance(command, ChooseOption):
        return command.agreed_until
    return command.until if isinstance(command, ExtendDeadline) else None


def _chosen(event: AuditEvent | None) -> Option | None:
    return getattr(None if event is None else event.payload, "option", None)


def _began(record: Record, deadline: Deadline, due: datetime) -> datetime | None:
    """Return when a deadline with this due instant began by its term; None where it was moved."""
    for event in record.events:
        if event.deadlines.get(deadline) == due:
            return None if event.command is CommandType.EXTEND_DEADLINE else event.at
    return None


def just_long_enough(
    policy: Policy, deadline: Deadline, began: datetime, at: datetime
) -> dict[str, int] | None:
    """Return the shortest term, in the policy's unit, under which an instant is in time."""
    term = term_of(deadline, policy)
    if term is None:
        return None
    unit, hours = (
        ("hours", term.hours) if term.hours is not None else ("working_hours", term.working_hours)
    )
    if unit == "hours":
        needed = -((began - at) // timedelta(hours=1))
        return {unit: needed} if needed <= _MOST_HOURS else None
    for more in range(1, _MOST_MORE_WORKING_HOURS + 1):
        longer = {unit: cast("int", hours) + more}
        due = due_instant(deadline, policy.lay_over({deadline.value: longer}), began)
        if due is not None and due >= at:
            return longer
    return None


_MOST_HOURS = 87_600
_MOST_MORE_WORKING_HOURS = 40
