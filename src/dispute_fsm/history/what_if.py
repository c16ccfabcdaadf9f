"""What would have become of a recorded dispute under other rules or another policy.

What people did stands as recorded, at the time at which they did it; expiries are dropped and the
deadlines run anew. What would have needed facts or answers that nobody recorded is undetermined,
never guessed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, pairwise

from dispute_fsm.decider.decide import decide, open_dispute
from dispute_fsm.decider.decisions import Accepted, Decision, Refused, Repeated
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import EXPIRIES, ChoicePayload, Command, ExtensionPayload
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Labelled,
    Option,
    Outcome,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.reasons import just_after
from dispute_fsm.domain.scalars import Named, Series, Strict
from dispute_fsm.errors import FactsNeededError, StaleFactsError
from dispute_fsm.history.redecide import (
    Difference,
    Missing,
    Undetermined,
    another_due,
    asked,
    compare,
    expired_before,
    instead,
    no_event,
    opening_asked,
    words_missing,
)
from dispute_fsm.rules.guards.selectors import NAMED
from dispute_fsm.rules.registry import RuleVersion


class Verdict(Labelled):
    """How a dispute would end, against how it ended."""

    SAME = "same", "相同", "the same"
    DIFFERENT = "different", "不同", "different"
    UNDETERMINED = "undetermined", "无法确定", "undetermined"


class EndState(Strict):
    """Where a dispute stands when its history ends; `option` is the answer under which it goes on, null where it is closed.

    `states` are the leaves that it is in: one, or one for each region of a parallel state.
    """

    state: Named[StateName]
    states: Series[Named[StateName]]
    outcome: Named[Outcome] | None
    option: Named[Option] | None = None


class WhatIf(Strict):
    """What would have become of one dispute.

    `now` is null where it would not have been opened, and where nobody can tell: then `missing`
    says what was not recorded.
    """

    verdict: Named[Verdict]
    then: EndState
    now: EndState | None
    missing: Undetermined | None
    differences: Series[Difference]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: other rules (None: each dispute's own), and how the policy of each would be another."""

    rules: str | None = None
    policy: Callable[[Policy], Policy] | None = None


def what_if(recorded: Dispute, events: Sequence[AuditEvent], question: Question) -> WhatIf:
    """Follow a dispute's course under other rules or another policy.

    `events` are all of the dispute's, `recorded` is what they fold to. Raises `InputError` where
    the rule version is not known, `ValidationError` where the policy cannot be changed so.
    """
    first = recorded.opening
    policy = recorded.policy if question.policy is None else question.policy(recorded.policy)
    opening = opening_asked(first, policy, question.rules or first.rules)
    then = _standing(recorded)
    try:
        opened = open_dispute(
            None, opening, first.facts, first.at, stamp=derived_stamp(first.at, first.dispute_id, 1)
        )
    except StaleFactsError:
        unseen = Undetermined(seq=1, missing=Missing.FACTS)
        return WhatIf(
            verdict=Verdict.UNDETERMINED, then=then, now=None, missing=unseen, differences=()
        )
    if not isinstance(opened, Accepted):
        reasons = opened.reasons if isinstance(opened, Refused) else ()
        return WhatIf(
            verdict=Verdict.DIFFERENT,
            then=then,
            now=None,
            missing=None,
            differences=(no_event(first, "refused", reasons),),
        )
    course = _Course(begin(opened.event, policy), events, recorded.rules)
    course.note(compare(first, opened.event))
    missing = course.run()
    if missing is None and (
        course.supposes_silence or (recorded.closed and not course.dispute.closed)
    ):
        missing = Undetermined(seq=recorded.seq, missing=Missing.ANSWERS)
    now = None if missing is not None else _standing(course.dispute)
    verdict = (
        Verdict.UNDETERMINED if now is None else Verdict.SAME if now == then else Verdict.DIFFERENT
    )
    return WhatIf(
        verdict=verdict, then=then, now=now, missing=missing, differences=tuple(course.differences)
    )


def _standing(dispute: Dispute) -> EndState:
    return EndState(
        state=dispute.state,
        states=dispute.states,
        outcome=dispute.outcome,
        option=None if dispute.closed else dispute.option,
    )


# Who confirmed one agreement has said nothing of another, a ruling is on what was under review, and
# more time was given for what was awaited then.
_OF_AN_AGREEMENT = frozenset({CommandType.CONFIRM_AGREEMENT, CommandType.DENY_AGREEMENT})
_OF_A_STATE = frozenset(
    {
        CommandType.REQUEST_EVIDENCE,
        CommandType.RULE_NO_FAULT,
        CommandType.RULE_AT_FAULT,
        CommandType.EXTEND_DEADLINE,
        CommandType.ANNUL,
    }
)
_OF_EVIDENCE = frozenset({StateName.AWAITING_EVIDENCE, StateName.UNDER_REVIEW})


class _CannotTellError(Exception):
    """The course cannot be followed any further from what was recorded."""

    def __init__(self, missing: Missing) -> None:
        self.missing = missing
        super().__init__(missing.en)


class _Course:
    """The other course of one dispute, step by step beside what was recorded."""

    def __init__(
        self, dispute: Dispute, events: Sequence[AuditEvent], recorded: RuleVersion
    ) -> None:
        self.dispute = dispute
        self.recorded = recorded
        self.configurations = recorded.table.configurations
        self.events = events
        self.option: Option | None = None  # as recorded so far
        self.heard: list[AuditEvent] = []  # accepted so far, as recorded
        self.unheard = False
        self.differences: list[Difference] = []

    @property
    def supposes_silence(self) -> bool:
        """Whether it stands as it does only because nobody answered a question that the recorded rules did not put."""
        return self.unheard and (
            self.dispute.state is not StateName.RESOLVED or self.dispute.outcome is Outcome.ANNULLED
        )

    def run(self) -> Undetermined | None:
        """Take every recorded event but the opening; say what was missing where it goes no further."""
        for previous, event in pairwise(self.events):
            if previous.type is not EventType.REFUSED:
                self.heard.append(previous)
            try:
                self.catch_up(previous, event)
                self.take(previous, event)
            except _CannotTellError as end:
                return Undetermined(seq=event.seq, missing=end.missing)
        return None

    def take(self, previous: AuditEvent, event: AuditEvent) -> None:
        deadline = event.command.expires
        if deadline is None or event.type is EventType.REFUSED:
            self.submit(event)
            return
        then, now = previous.deadlines[deadline], self.dispute.running.get(deadline)
        if now == then:
            self.submit(event)
        elif now is not None:
            self.note(another_due(event, deadline, then, now, ()))

    def submit(self, event: AuditEvent) -> None:
        """Put the recorded command to the dispute as it would stand."""
        before = self.dispute
        decision = self.decide(asked(event), event.facts, event.at)
        if isinstance(decision, Accepted) and not self.said_of_this(event, before):
            raise _CannotTellError(Missing.ANSWERS)
        if isinstance(event.payload, ChoicePayload) and event.type is not EventType.REFUSED:
            self.option = event.payload.option
        found = decision.event if isinstance(decision, Accepted | Refused) else None
        if isinstance(decision, Refused) and self.said_otherwise(event, decision):
            raise _CannotTellError(Missing.ANSWERS)
        if found is not None:
            self.note(compare(event, found))
            return
        earlier = decision.event if isinstance(decision, Repeated) else None
        if words_missing(event, earlier):
            return  # repeated or refused: the dispute stays as it is
        reasons = decision.reasons if isinstance(decision, Refused) else ()
        self.note(no_event(event, instead(reasons, earlier), reasons))

    def said_of_this(self, event: AuditEvent, before: Dispute) -> bool:
        """Whether what was said then was said of what is before people here: the same agreement, and for a ruling the same review."""
        if event.command in _OF_AN_AGREEMENT:
            return before.option is self.option
        if event.command not in _OF_A_STATE:
            return True
        both = set(before.states).intersection(self.configurations[str(event.source)].states)
        # The evidence is the same evidence, whatever runs beside it; of an agreement it matters
        # which one it is.
        return bool(both & _OF_EVIDENCE) or (bool(both) and before.option is self.option)

    def said_otherwise(self, event: AuditEvent, refused: Refused) -> bool:
        """Whether what was accepted then would only have been said in other words here, such as an extension that names no deadline."""
        unnamed = (
            isinstance(event.payload, ExtensionPayload)
            and event.payload.deadline is None
            and event.type is not EventType.REFUSED
        )
        return (
            unnamed
            and refused.codes == (RefusalCode.NOT_IN_THIS_STATE,)
            and self.dispute.rules.table.asks(NAMED)
        )

    def silent(self, deadline: Deadline) -> bool:
        """Whether those who let a deadline pass here could have answered under the recorded rules, and did not."""
        if self.dispute.rules is self.recorded or deadline not in {
            Deadline.RESPONSE,
            Deadline.EVIDENCE,
        }:
            return True
        if deadline is Deadline.EVIDENCE:
            return any(
                (event.target, CommandType.SUBMIT_EVIDENCE) in self.recorded.table.transitions
                for event in self.heard
            )
        return all(event.actor.role is not Role.MERCHANT for event in self.heard)

    def catch_up(self, previous: AuditEvent, event: AuditEvent) -> None:
        """Fire what passed before this event, as a sweep would have.

        A deadline that ran in the recorded dispute with the same due instant is swept when it was
        swept there.
        """
        ran = set(chain(*self.configurations[previous.target].running))
        for _ in Deadline:  # what starts now cannot have passed, so each fires at most once
            passed = {
                deadline: due
                for deadline, due in self.dispute.running.items()
                if due < event.at
                and not (deadline in ran and previous.deadlines.get(deadline) == due)
            }
            if not passed:
                return
            deadline = min(
                passed, key=lambda deadline: (passed[deadline], list(Deadline).index(deadline))
            )
            at = max(min(just_after(passed[deadline]), event.at), self.dispute.last_at)
            decision = self.decide(EXPIRIES[deadline], None, at)
            if not isinstance(decision, Accepted):
                continue
            expiry = decision.event
            if (event.command, event.target, event.outcome) == (
                expiry.command,
                expiry.target,
                expiry.outcome,
            ):
                self.note(
                    another_due(
                        event, deadline, previous.deadlines.get(deadline), passed[deadline], ()
                    )
                )
            else:
                self.note(expired_before(event, deadline, expiry))

    def decide(self, command: Command, facts: OrderFacts | None, at: datetime) -> Decision:
        stamp = derived_stamp(at, self.dispute.dispute_id, self.dispute.seq + 1)
        try:
            decision = decide(self.dispute, command, facts, at, stamp=stamp)
        except (FactsNeededError, StaleFactsError):
            raise _CannotTellError(Missing.FACTS) from None
        if isinstance(decision, Accepted) and command.type.expires is not None:
            self.unheard |= not self.silent(command.type.expires)
        if isinstance(decision, Accepted | Refused) and decision.event is not None:
            self.dispute = evolve(self.dispute, decision.event)
        return decision

    def note(self, difference: Difference | None) -> None:
        if difference is not None:
            self.differences.append(difference)
