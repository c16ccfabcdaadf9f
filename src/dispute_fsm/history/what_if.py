"""What-if: how a recorded dispute would have ended under other rules or another policy.

Commands of people stay as recorded, at their recorded times; recorded expiries are dropped, and the
deadlines run anew. A step that needs facts or answers that were not recorded is undetermined: they
are not guessed.
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
from dispute_fsm.history.messages import EndComparison, Missing
from dispute_fsm.history.redecide import (
    Difference,
    Undetermined,
    compare,
    deadline_difference,
    expiry_difference,
    needs_erased_data,
    no_event_difference,
    recorded_command,
    recorded_opening,
    unrecorded_result,
)
from dispute_fsm.rules.guards.selectors import NAMED
from dispute_fsm.rules.registry import RuleVersion, rule_version


class EndState(Strict):
    """The state of a dispute at the end of its history.

    `states` are its active leaves: one, or one for each region of a parallel state. `option` is the
    chosen option of a dispute that is still open, else null.
    """

    state: Named[StateName]
    states: Series[Named[StateName]]
    outcome: Named[Outcome] | None
    option: Named[Option] | None = None


class WhatIf(Strict):
    """How one dispute would have ended.

    `now` is null where it would not have been opened, and where its end is undetermined: then
    `missing` says what was not recorded.
    """

    verdict: Named[EndComparison]
    then: EndState
    now: EndState | None
    missing: Undetermined | None
    differences: Series[Difference]


@dataclass(frozen=True, slots=True)
class Question:
    """The other rules (None: each dispute's own), and how each dispute's policy is changed."""

    rules: str | None = None
    policy: Callable[[Policy], Policy] | None = None


def what_if(recorded: Dispute, events: Sequence[AuditEvent], question: Question) -> WhatIf:
    """Replay a dispute's commands under other rules or another policy.

    `events` are all of the dispute's, `recorded` is what they fold to. Raises `InputError` for an
    unknown rule version, `ValidationError` where the policy cannot be changed in this way.
    """
    first = recorded.opening
    rules = question.rules or first.rules
    policy = rule_version(rules).policy(recorded.policy)
    if question.policy is not None:
        policy = question.policy(policy)
    opening = recorded_opening(first, policy, rules)
    then = _end_state(recorded)
    try:
        opened = open_dispute(
            None, opening, first.facts, first.at, stamp=derived_stamp(first.at, first.dispute_id, 1)
        )
    except StaleFactsError:
        return _what_if(then, None, Undetermined(seq=1, missing=Missing.FACTS))
    if not isinstance(opened, Accepted):
        reasons = opened.reasons if isinstance(opened, Refused) else ()
        return _what_if(then, None, None, [no_event_difference(first, "refused", reasons)])
    replayed = _WhatIfReplay(begin(opened.event, policy), events, recorded.rules)
    replayed.note(compare(first, opened.event))
    missing = replayed.run()
    if missing is None and (
        replayed.assumes_silence
        or (recorded.closed_for_good and not replayed.dispute.closed_for_good)
    ):
        missing = Undetermined(seq=recorded.seq, missing=Missing.ANSWERS)
    now = None if missing is not None else _end_state(replayed.dispute)
    return _what_if(then, now, missing, replayed.differences)


def _what_if(
    then: EndState,
    now: EndState | None,
    missing: Undetermined | None,
    differences: Sequence[Difference] = (),
) -> WhatIf:
    if missing is not None:
        comparison = EndComparison.UNDETERMINED
    else:
        comparison = EndComparison.SAME if now == then else EndComparison.DIFFERENT
    return WhatIf(
        verdict=comparison, then=then, now=now, missing=missing, differences=tuple(differences)
    )


def _end_state(dispute: Dispute) -> EndState:
    return EndState(
        state=dispute.state,
        states=dispute.states,
        outcome=dispute.outcome,
        option=None if dispute.closed else dispute.option,
    )


# These commands apply to one agreement, or to one state: a consumer who confirmed an agreement did
# not confirm another one, and an extension was for what the dispute waited for then.
_ABOUT_AGREEMENT = frozenset({CommandType.CONFIRM_AGREEMENT, CommandType.DENY_AGREEMENT})
_ABOUT_STATE = frozenset(
    {
        CommandType.REQUEST_EVIDENCE,
        CommandType.RULE_NO_FAULT,
        CommandType.RULE_AT_FAULT,
        CommandType.EXTEND_DEADLINE,
        CommandType.ANNUL,
    }
)
_EVIDENCE_STATES = frozenset({StateName.AWAITING_EVIDENCE, StateName.UNDER_REVIEW})


def applies_to(
    event: AuditEvent,
    dispute: Dispute,
    option: Option | None,
    states: Sequence[StateName],
) -> bool:
    """Tell whether a recorded command is about the same thing in another course of the dispute.

    That is one agreement, or one review. `option` and `states` are those of the recorded dispute
    before the command.
    """
    if event.command in _ABOUT_AGREEMENT:
        return dispute.option is option
    if event.command not in _ABOUT_STATE:
        return True
    both = set(dispute.states).intersection(states)
    # Evidence is the same in every configuration; an agreement must be the same one.
    return bool(both & _EVIDENCE_STATES) or (bool(both) and dispute.option is option)


class _UndeterminedError(Exception):
    """The replay cannot continue from what was recorded."""

    def __init__(self, missing: Missing) -> None:
        self.missing = missing
        super().__init__(missing.en)


class _WhatIfReplay:
    """The replay of one dispute under the other rules or policy, event by event."""

    def __init__(
        self, dispute: Dispute, events: Sequence[AuditEvent], recorded: RuleVersion
    ) -> None:
        self.dispute = dispute
        self.recorded = recorded
        self.configurations = recorded.table.configurations
        self.events = events
        self.option: Option | None = None  # as recorded so far
        self.accepted: list[AuditEvent] = []  # as recorded so far
        self.could_not_answer = False
        self.differences: list[Difference] = []

    @property
    def assumes_silence(self) -> bool:
        """Whether the state depends on silence about something the recorded rules did not ask."""
        return self.could_not_answer and (
            self.dispute.state is not StateName.RESOLVED or self.dispute.outcome is Outcome.ANNULLED
        )

    def run(self) -> Undetermined | None:
        """Replay every event after the opening; return what is missing where it cannot go on."""
        for previous, event in pairwise(self.events):
            if previous.type is not EventType.REFUSED:
                self.accepted.append(previous)
            try:
                self.fire_passed_deadlines(previous, event)
                self.replay_event(previous, event)
            except _UndeterminedError as error:
                return Undetermined(seq=event.seq, missing=error.missing)
        return None

    def replay_event(self, previous: AuditEvent, event: AuditEvent) -> None:
        deadline = event.command.expires
        if deadline is None or event.type is EventType.REFUSED:
            self.submit(event)
            return
        then, now = previous.deadlines[deadline], self.dispute.running.get(deadline)
        if now == then:
            self.submit(event)
        elif now is not None:
            self.note(deadline_difference(event, deadline, then, now))

    def submit(self, event: AuditEvent) -> None:
        """Decide the recorded command for the dispute as it would be."""
        before = self.dispute
        decision = self.decide(recorded_command(event), event.facts, event.at)
        states = self.configurations[str(event.source)].states
        if isinstance(decision, Accepted) and not applies_to(event, before, self.option, states):
            raise _UndeterminedError(Missing.ANSWERS)
        if isinstance(event.payload, ChoicePayload) and event.type is not EventType.REFUSED:
            self.option = event.payload.option
        if isinstance(decision, Refused) and self.lacks_deadline(event, decision):
            raise _UndeterminedError(Missing.ANSWERS)
        if isinstance(decision, Accepted | Refused) and decision.event is not None:
            self.note(compare(event, decision.event))
            return
        earlier = decision.event if isinstance(decision, Repeated) else None
        if not needs_erased_data(event, earlier):  # else repeated or refused: both change nothing
            reasons = decision.reasons if isinstance(decision, Refused) else ()
            self.note(no_event_difference(event, unrecorded_result(reasons, earlier), reasons))

    def lacks_deadline(self, event: AuditEvent, refused: Refused) -> bool:
        """Return whether an accepted extension is refused only because it names no deadline."""
        return (
            isinstance(event.payload, ExtensionPayload)
            and event.payload.deadline is None
            and event.type is not EventType.REFUSED
            and refused.codes == (RefusalCode.NOT_IN_THIS_STATE,)
            and self.dispute.rules.table.asks(NAMED)
        )

    def could_answer(self, deadline: Deadline) -> bool:
        """Return whether the recorded rules allowed the answer that this deadline waits for."""
        if self.dispute.rules is self.recorded or deadline not in {
            Deadline.RESPONSE,
            Deadline.EVIDENCE,
        }:
            return True
        if deadline is Deadline.EVIDENCE:
            return any(
                (event.target, CommandType.SUBMIT_EVIDENCE) in self.recorded.table.transitions
                for event in self.accepted
            )
        return all(event.actor.role is not Role.MERCHANT for event in self.accepted)

    def fire_passed_deadlines(self, previous: AuditEvent, event: AuditEvent) -> None:
        """Fire the deadlines that passed before this event, as a sweep would have.

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
                then = previous.deadlines.get(deadline)
                self.note(deadline_difference(event, deadline, then, passed[deadline]))
            else:
                self.note(expiry_difference(event, deadline, expiry))

    def decide(self, command: Command, facts: OrderFacts | None, at: datetime) -> Decision:
        stamp = derived_stamp(at, self.dispute.dispute_id, self.dispute.seq + 1)
        try:
            decision = decide(self.dispute, command, facts, at, stamp=stamp)
        except (FactsNeededError, StaleFactsError):
            raise _UndeterminedError(Missing.FACTS) from None
        if isinstance(decision, Accepted) and command.type.expires is not None:
            self.could_not_answer |= not self.could_answer(command.type.expires)
        if isinstance(decision, Accepted | Refused) and decision.event is not None:
            self.dispute = evolve(self.dispute, decision.event)
        return decision

    def note(self, difference: Difference | None) -> None:
        if difference is not None:
            self.differences.append(difference)
