"""What a property is, and the invariants: properties that single decisions must satisfy.

The properties of whole paths are in `liveness`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple

from dispute_fsm.decider.decide import decide
from dispute_fsm.decider.decisions import Accepted, Decision, Refused, Repeated
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import evolve
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import Command
from dispute_fsm.domain.enums import (
    LIABILITIES,
    OPTIONS_BEFORE,
    CommandType,
    Deadline,
    EventType,
    Outcome,
    RefusalCode,
    Role,
    Silence,
    StateName,
)
from dispute_fsm.domain.messages import Message
from dispute_fsm.domain.reasons import Reason, just_after
from dispute_fsm.verify.messages import NO_OUTCOME, SENTENCES, VIOLATIONS
from dispute_fsm.verify.representatives import EVERYTHING
from dispute_fsm.verify.state_space import (
    Exploration,
    ExploredDecision,
    PathStep,
    Situation,
    intent_of,
    key_of,
    shape_of,
)


@dataclass(frozen=True, slots=True, eq=False)
class Violation:
    """A violation of a property: the path to it from the opening, and what is wrong there."""

    exploration: Exploration
    path: tuple[PathStep, ...]
    wrong: Message


class Property(NamedTuple):
    """A requirement for every reachable situation. `violations` yields the shortest paths first."""

    id: str
    sentence: Message
    violations: Callable[[Exploration], Iterator[Violation]]


def checked(violations: Callable[[Exploration], Iterator[Violation]]) -> Property:
    """Make a property of the function that searches for violations; its name is the id."""
    return Property(violations.__name__, SENTENCES[violations.__name__], violations)


def violation(
    exploration: Exploration,
    where: Situation | ExploredDecision,
    name: str,
    *further: PathStep,
    **values: object,
) -> Violation:
    """Make a violation in a situation or by a decision; `further` steps show its effect."""
    if isinstance(where, ExploredDecision):
        further = (PathStep(where.at, where.order, where.command), *further)
        where = where.situation
    zh, en = (VIOLATIONS[name].format(lang, **values) for lang in ("zh", "en"))
    return Violation(exploration, (*where.path, *further), Message(zh, en))


# ---- one result per command ----------------------------------------------------------------------


@checked
def one_answer(exploration: Exploration) -> Iterator[Violation]:
    """Find commands for which two transitions apply, or none although one must."""
    table = exploration.version.table
    for decision in exploration.decisions():
        evaluation, command = decision.evaluation, decision.command
        if evaluation is None:
            continue
        path = decision.situation.dispute.path
        if decision.after is not None:
            count = sum(
                all(
                    selector.check(evaluation.case)
                    for selector in (*transition.when, *transition.when_facts)
                )
                for transition in table.transitions[path, command.type]
            )
            if count > 1:
                yield violation(exploration, decision, "overlap", count=count)
        elif not evaluation.reasons and command.type is not CommandType.OBSERVE_ORDER:
            yield violation(exploration, decision, "no_result")
        elif _is_due_expiry(decision) and RefusalCode.WRONG_ACTOR not in decision.codes:
            yield violation(exploration, decision, "expiry_not_handled")
    opened = (s for s in exploration.situations.values() if s.dispute.path == table.initial)
    for root in islice(opened, 1):
        for option in exploration.version.options:
            choices = [
                decision
                for decision in root.decisions
                if decision.complete and getattr(decision.command, "option", None) is option
            ]
            if not any(decision.after for decision in choices):
                where = choices[0] if choices else root
                yield violation(exploration, where, "option_not_handled")


def _is_due_expiry(decision: ExploredDecision) -> bool:
    """Whether the command is the expiry of a running deadline that has passed."""
    deadline, running = decision.command.type.expires, decision.situation.dispute.running
    return deadline is not None and deadline in running and running[deadline] < decision.at


@checked
def refusal_explains(exploration: Exploration) -> Iterator[Violation]:
    """Find refusals without an explanation, and those that change more than their record."""
    examples = dict[tuple[Any, ...], ExploredDecision]()
    for decision, _ in exploration.refused():
        kind = (decision.situation.dispute.path, decision.command.type, decision.codes)
        examples.setdefault(kind, decision)
    for decision in examples.values():
        dispute, decided = decision.situation.dispute, _decide(decision, decision.command)
        if not isinstance(decided, Refused) or not all(map(_is_explained, decided.reasons)):
            yield violation(exploration, decision, "no_explanation")
            continue
        if (decided.event is None) == (exploration.policy.max_recorded_refusals > 0):
            yield violation(exploration, decision, "wrong_record")
        if decided.event is not None:
            after = evolve(dispute, decided.event)
            recorded: dict[str, Any] = {
                name: getattr(after, name) for name in ("seq", "last_at", "last_hash", "refusals")
            }
            if after != replace(dispute, **recorded):
                yield violation(exploration, decision, "refusal_changes")


def _decide(decision: ExploredDecision, command: Command) -> Decision:
    dispute = decision.situation.dispute
    stamp = derived_stamp(decision.at, "D-1", dispute.seq + 1)
    return decide(dispute, command, decision.facts, decision.at, stamp=stamp)


def _is_explained(reason: Reason) -> bool:
    zh, en = reason.text("zh"), reason.text("en")
    return bool(zh and en and reason.unlock.text("zh") and reason.unlock.text("en")) and zh != en


@checked
def repetition_is_harmless(exploration: Exploration) -> Iterator[Violation]:
    """Repeat each accepted command with its key, at once and later."""
    examples = dict[tuple[Any, ...], tuple[ExploredDecision, Dispute]]()
    for decision, before, after in exploration.accepted():
        examples.setdefault((shape_of(before), id(decision.transition)), (decision, after))
    for decision, expected in examples.values():
        command = decision.command.model_copy(update={"key": "k-1"})
        first = _decide(decision, command)
        if not isinstance(first, Accepted):
            yield violation(exploration, decision, "key_refused")
            continue
        after = evolve(decision.situation.dispute, first.event)
        if key_of(after) != key_of(expected):
            yield violation(exploration, decision, "event_differs")
        for at in (decision.at, decision.at + timedelta(seconds=40)):
            stamp = derived_stamp(at, "D-1", after.seq + 1)
            again = decide(after, command, None, at, stamp=stamp)
            if not isinstance(again, Repeated) or again.event != first.event:
                steps = [PathStep(sent, decision.order, command) for sent in (decision.at, at)]
                yield violation(exploration, decision.situation, "repetition_differs", *steps)


# ---- responses and deadlines ---------------------------------------------------------------------


@checked
def closed_stays_closed(exploration: Exploration) -> Iterator[Violation]:
    """Find commands that are accepted after the end, and penalties that are not final."""
    for decision, before, after in exploration.accepted():
        annuls = (
            before.outcome in LIABILITIES
            and decision.command.type is CommandType.ANNUL
            and decision.command.by.role is Role.ADJUDICATOR
            and after.outcome is Outcome.ANNULLED
            and after.closed
        )
        may_change = not before.closed_for_good and after.outcome is before.outcome
        if before.closed and not (annuls or may_change):
            yield violation(exploration, decision, "changed_after_end")
        elif decision.command.type in before.memory.once:
            yield violation(exploration, decision, "second_time", command=decision.command.type)
        elif before.outcome and not before.closed and after.closed and not after.closed_for_good:
            sweep = PathStep(just_after(max(after.running.values())), decision.order, None)
            yield violation(exploration, decision, "not_final", sweep)


@checked
def one_response(exploration: Exploration) -> Iterator[Violation]:
    """Find second choices, and events that change the chosen option."""
    for decision, before, after in exploration.accepted():
        if decision.command.type is CommandType.CHOOSE_OPTION and before.option is not None:
            yield violation(exploration, decision, "second_response")
        elif after.option is not (before.option or getattr(decision.command, "option", None)):
            yield violation(exploration, decision, "response_changed")


@checked
def deadline_is_inclusive(exploration: Exploration) -> Iterator[Violation]:
    """Find early expiries, commands refused at the due instant, and accepted late commands."""
    for decision, before, _ in exploration.accepted():
        deadline = decision.command.type.expires
        if deadline is None:
            annuls = decision.command.type is CommandType.ANNUL  # possible at any time
            if not annuls and _is_late_everywhere(before, decision):
                yield violation(exploration, decision, "accepted_late")
        elif deadline not in before.deadlines or before.deadlines[deadline] >= decision.at:
            yield violation(exploration, decision, "expired_early")
    for situation in exploration.situations.values():
        for decision in _refused_at_due_instant(situation):
            yield violation(exploration, decision, "late_too_early")


def _is_late_everywhere(dispute: Dispute, decision: ExploredDecision) -> bool:
    regions = dispute.running_regions
    return bool(regions) and all(
        running and max(dispute.deadlines[deadline] for deadline in running) < decision.at
        for running in regions
    )


def _refused_at_due_instant(situation: Situation) -> Iterator[ExploredDecision]:
    """Yield what is accepted now, but is too late at the first due instant."""
    ahead = [due for due in situation.dispute.deadlines.values() if due >= situation.now]
    if not ahead:
        return
    first_due = min(ahead)
    accepted = {
        (decision.at, decision.command.by, intent_of(decision.command))
        for decision in situation.decisions
        if decision.after is not None
    }
    for decision in situation.decisions:
        sent = (decision.command.by, intent_of(decision.command))
        if (
            decision.at == first_due
            and decision.complete
            and RefusalCode.DEADLINE_PASSED in decision.codes
            and (situation.now, *sent) in accepted
            and (decision.at, *sent) not in accepted
        ):
            yield decision


# ---- due process ---------------------------------------------------------------------------------


def _new_liability(decision: ExploredDecision) -> Outcome | None:
    """Return the liability that a decision creates, for the dispute or for a failed region."""
    if decision.after is None or decision.transition is None:
        return None
    outcome = decision.after.outcome
    is_new = outcome in LIABILITIES and outcome is not decision.situation.dispute.outcome
    return decision.transition.rule.liability or (outcome if is_new else None)


@checked
def penalty_has_a_cause(exploration: Exploration) -> Iterator[Violation]:
    """Find penalties and failed regions without a cause."""
    for decision in exploration.decisions():
        if _new_liability(decision) is not None and not _has_cause(decision):
            yield violation(exploration, decision, "no_cause")


def _has_cause(decision: ExploredDecision) -> bool:
    dispute, command = decision.situation.dispute, decision.command
    if command.type.expires is not None:
        is_confirmation = command.type.expires is Deadline.CONFIRMATION
        silence_counts = not is_confirmation or dispute.policy.silence is Silence.DENIAL
        return silence_counts and _is_due_expiry(decision)
    if command.type is CommandType.DENY_AGREEMENT:
        is_open = dispute.option is not None and not dispute.confirmed
        return is_open and command.by.role is Role.CONSUMER
    rules = command.type is CommandType.RULE_AT_FAULT and command.by.role is Role.ADJUDICATOR
    return rules and bool((getattr(command, "rationale", None) or "").strip())


@checked
def merchant_is_heard(exploration: Exploration) -> Iterator[Violation]:
    """Find penalties at an instant at which the merchant could still respond or submit evidence."""
    for situation in exploration.situations.values():
        penalties = [
            decision
            for decision in situation.decisions
            if decision.after is not None
            and decision.after.state is StateName.PENALIZED
            and _new_liability(decision) is not None
        ]
        open_at = {
            decision.at
            for decision in (situation.decisions if penalties else ())
            if decision.after is not None and decision.command.by.role is Role.MERCHANT
        }
        for decision in penalties:
            if decision.at in open_at:
                yield violation(exploration, decision, "not_heard")


@checked
def unknown_never_penalizes(exploration: Exploration) -> Iterator[Violation]:
    """Find missed promises without a check of the order, or against what the order shows."""
    for decision in exploration.decisions():
        is_expiry = decision.command.type is Deadline.PROMISE.expiry
        if not is_expiry or decision.evaluation is None or _new_liability(decision) is None:
            continue
        facts, agreed = decision.evaluation.facts, decision.situation.dispute.agreed_until
        if facts is None:
            # This may have been the order.
            kept = PathStep(decision.at, EVERYTHING, decision.command)
            yield violation(exploration, decision.situation, "order_not_checked", kept)
        elif agreed is not None and (facts.promise_kept(agreed) or facts.full_refund is not None):
            yield violation(exploration, decision, "promise_kept")


# ---- outcomes ------------------------------------------------------------------------------------


@checked
def ends_agree(exploration: Exploration) -> Iterator[Violation]:
    """Find outcomes that contradict the state, the chosen option or the submitted evidence."""
    for decision, before, after in exploration.accepted():
        if decision.transition is None:
            continue
        recorded, liability = decision.transition.records, decision.transition.rule.liability
        known = {before.liability, before.outcome}
        created = liability or (None if after.outcome in known else after.outcome)
        values = {"before": before, "after": after, "recorded": recorded}
        for name in _contradictions(before, after, recorded, decision.command):
            outcome = after.outcome or NO_OUTCOME
            yield violation(exploration, decision, name, outcome=outcome, **values)
        for name in () if created is None or before.closed else _uncaused(before, after, created):
            yield violation(exploration, decision, name, outcome=created, **values)


_END_EVENTS = {
    StateName.RESOLVED: EventType.DISPUTE_RESOLVED,
    StateName.PENALIZED: EventType.DISPUTE_PENALIZED,
}


def _recorded_as(before: Dispute, after: Dispute, command: Command) -> EventType | None:
    """Return what has to record a command that ends in a closed state."""
    if before.state is after.state:
        return type(command).records
    return type(command).records_end or _END_EVENTS.get(after.state)


def _contradictions(
    before: Dispute, after: Dispute, recorded: EventType, command: Command
) -> Iterator[str]:
    """Yield what contradicts the outcome of the dispute."""
    outcome, state = after.outcome, after.state
    if (outcome is not None) != bool(after.configuration.outcomes):
        yield "outcome_in_state"
    if after.closed and (outcome in LIABILITIES) != (state is StateName.PENALIZED):
        yield "outcome_of_other_state"
    if after.closed and recorded is not _recorded_as(before, after, command):
        yield "recorded_as_other"
    if (
        before.liability is not None
        and outcome in LIABILITIES
        and LIABILITIES.index(before.liability) < LIABILITIES.index(outcome)
    ):
        yield "lighter_liability"
    is_annulled = outcome is Outcome.ANNULLED
    if (is_annulled or outcome is Outcome.WITHDRAWN) and is_annulled != before.closed:
        yield "outcome_after_state"
    if not (state.zh and state.en) or state.zh == state.en:
        yield "label_missing"


def _uncaused(before: Dispute, after: Dispute, outcome: Outcome) -> Iterator[str]:
    """Yield what must precede an outcome, of the dispute or of a region, and did not."""
    if after.option not in OPTIONS_BEFORE.get(outcome, {after.option}):
        yield "outcome_without_option" if after.option is None else "outcome_of_other_option"
    if outcome is Outcome.EVIDENCE_OVERDUE and before.submissions:
        yield "overdue_with_evidence"
    if outcome in {Outcome.NO_FAULT, Outcome.AT_FAULT} and not before.submissions:
        yield "ruled_without_evidence"
