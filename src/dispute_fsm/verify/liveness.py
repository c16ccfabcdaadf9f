"""Properties of paths: disputes close, sweeps do not decide, and unlock hints lead on."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.decider.evaluate import Evaluation, evaluate, hinted
from dispute_fsm.domain.commands import EXPIRIES, Actor, Command
from dispute_fsm.domain.deadlines import is_on
from dispute_fsm.domain.enums import RefusalCode, Role, StateName
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.reasons import (
    ActorUnlock,
    FactUnlock,
    NeverUnlock,
    PayloadUnlock,
    Reason,
    WaitUnlock,
    just_after,
)
from dispute_fsm.errors import FactsNeededError
from dispute_fsm.verify.messages import NO_OUTCOME
from dispute_fsm.verify.properties import Violation, checked, violation
from dispute_fsm.verify.representatives import EVERYTHING, OWN, PLAIN, orders
from dispute_fsm.verify.state_space import (
    Exploration,
    ExploredDecision,
    Key,
    PathStep,
    Situation,
    decide_with_order,
    intent_of,
    key_of,
    shape_of,
)

_WAIT = timedelta(days=90)
"""How long a counterexample waits to show that nothing happens any more."""
_MISPLACED = frozenset({RefusalCode.NOT_IN_THIS_STATE, RefusalCode.DEADLINE_PASSED})
_MOST_HINTS = 12
"""How many hints are followed: more than any path through a chart needs."""

# ---- silence -------------------------------------------------------------------------------------

EndOfSilence = Literal["closed", "platform", "switched_off", "stuck"]
"""How silence ends: the dispute closes, or waits for the platform or for a disabled deadline."""


@checked
def silence_closes(exploration: Exploration) -> Iterator[Violation]:
    """Let time pass without commands, and find disputes that never close."""
    for situation in exploration.situations.values():
        expiries, end = let_expire(situation)
        if end == "stuck":
            steps = [PathStep(expiry.at, PLAIN, expiry.command) for expiry in expiries]
            instants = [step.at for step in steps]
            last = max([situation.now, *instants, *situation.dispute.deadlines.values()])
            sweep = PathStep(last + _WAIT, PLAIN, None)
            yield violation(exploration, situation, "never_ends", *steps, sweep)


def let_expire(start: Situation) -> tuple[list[ExploredDecision], EndOfSilence]:
    """Follow the expiries from a situation, with a plain order; return them and how they end."""
    expiries, situation, visited = list[ExploredDecision](), start, set[Key]()
    while not situation.dispute.closed_for_good:
        due = next_due(situation.dispute)
        if due is None:
            return expiries, _wait_of(situation)
        if situation.key in visited:
            return expiries, "stuck"
        visited.add(situation.key)
        at = max(just_after(due[1]), situation.now)
        expiry = next(
            (
                decision
                for decision in situation.decisions
                if decision.command.type is due[0].expiry
                and decision.at == at
                and decision.order == PLAIN
                and decision.after is not None
            ),
            None,
        )
        if expiry is None or expiry.successor is None:
            return expiries, "stuck"
        expiries.append(expiry)
        situation = expiry.successor
    return expiries, "closed"


def _wait_of(situation: Situation) -> EndOfSilence:
    """Return what a dispute without a running deadline waits for."""
    dispute = situation.dispute
    deadlines = (deadline for region in dispute.configuration.running for deadline in region)
    if not all(is_on(deadline, dispute.policy) for deadline in deadlines):
        return "switched_off"
    platform_acts = any(
        decision.command.by.role is Role.ADJUDICATOR
        and decision.after is not None
        and decision.after.path != dispute.path
        for decision in situation.decisions
    )
    return "platform" if platform_acts else "stuck"


# ---- sweeps --------------------------------------------------------------------------------------


@checked
def sweeps_do_not_decide(exploration: Exploration) -> Iterator[Violation]:
    """Decide each command before and after a sweep, at each instant, and compare the outcomes.

    As this is done in every situation, every interleaving of commands and sweeps is compared.
    """
    for situation in exploration.situations.values():
        dispute, swept = situation.dispute, dict[tuple[datetime, int], Dispute]()
        is_parallel = len(dispute.configuration.running) > 1
        for decision in situation.decisions:
            passed = [due for due in dispute.running.values() if due < decision.at]
            if passed and dispute.closed and RefusalCode.DEADLINE_PASSED in decision.codes:
                yield from _permitted_by_sweep(exploration, decision)
            if decision.after is None or not passed:
                continue
            swept_after = _sweep(decision.after, decision.at, decision.order)
            for at in sorted({*map(just_after, passed), decision.at}):
                if not situation.now <= at <= decision.at:
                    continue
                key = (at, id(decision.order))
                if key not in swept:
                    swept[key] = _sweep(dispute, at, decision.order)
                _, after = decide_with_order(
                    swept[key], decision.command, decision.order, decision.at
                )
                swept_before = _sweep(after or swept[key], decision.at, decision.order)
                if not _is_same_end(swept_after, swept_before, is_parallel=is_parallel):
                    yield violation(
                        exploration,
                        decision,
                        "sweep_decides",
                        PathStep(decision.at, decision.order, None),
                        at=at,
                        state=swept_before.state,
                        outcome=swept_before.outcome or NO_OUTCOME,
                    )


def _permitted_by_sweep(
    exploration: Exploration, decision: ExploredDecision
) -> Iterator[Violation]:
    """Find a late command to a closed dispute that is accepted once the sweep has run.

    Where a dispute goes on after an expiry, a late command may be sent again. A closed one only
    stays closed.
    """
    at, order, command = decision.at, decision.order, decision.command
    swept = _sweep(decision.situation.dispute, at, order)
    if decide_with_order(swept, command, order, at)[1] is not None:
        steps = PathStep(at, order, None), PathStep(at, order, command)
        yield violation(exploration, decision, "sweep_permits", *steps)


def _sweep(dispute: Dispute, at: datetime, order: Order) -> Dispute:
    """Fire the passed deadlines in the order of their due instants, as the sweeper does.

    Wrong rules may lead back to the same situation; then the sweep stops.
    """
    visited = set[Key]()
    while (due := next_due(dispute)) is not None and due[1] < at:
        key = key_of(dispute)
        _, after = decide_with_order(dispute, EXPIRIES[due[0]], order, at)
        if key in visited or after is None:
            break
        visited.add(key)
        dispute = after
    return dispute


def _is_same_end(one: Dispute, other: Dispute, *, is_parallel: bool) -> bool:
    """Compare two ends; of two regions that both resolve the dispute, either may be the first."""
    if is_parallel and one.state is other.state is StateName.RESOLVED:
        return True
    return (one.path, one.outcome) == (other.path, other.outcome)


# ---- hints ---------------------------------------------------------------------------------------


@checked
def hints_help(exploration: Exploration) -> Iterator[Violation]:
    """Follow each hint of each refusal: facts, the payload, waiting, another actor."""
    examples = dict[tuple[Any, ...], tuple[ExploredDecision, Evaluation]]()
    for decision, evaluation in exploration.refused():
        shape, is_later = shape_of(decision.situation.dispute), decision.at > decision.situation.now
        kind = (shape, intent_of(decision.command), decision.codes, is_later)
        examples.setdefault(kind, (decision, evaluation))
    for decision, evaluation in examples.values():
        for reason in hinted(decision.situation.dispute, evaluation):
            if not _helps(decision, reason):
                zh, en = reason.unlock.text("zh"), reason.unlock.text("en")
                yield violation(
                    exploration, decision, "useless_hint", code=reason.code, zh=zh, en=en
                )


def _helps(decision: ExploredDecision, reason: Reason) -> bool:
    situation, command = decision.situation, decision.command
    match reason.unlock:
        case WaitUnlock(until=until):
            return reason.code not in _codes(situation, command, until)
        case FactUnlock():
            return any(
                reason.code not in _codes(situation, command, decision.at, order)
                for order in (EVERYTHING, *orders(None, decision.at))
            )
        case ActorUnlock(event=None, role=role, id=actor_id):
            actor = OWN[role] if actor_id is None else Actor(role=role, id=actor_id)
            sent = command.model_copy(update={"by": actor})
            return RefusalCode.WRONG_ACTOR not in _codes(situation, sent, decision.at)
        case ActorUnlock() as unlock:
            return _leads_on(situation, command, decision.at, unlock)
        case PayloadUnlock():
            return any(
                other.complete
                and other.at == decision.at
                and other.evaluation is not None
                and other.command.type is command.type
                and getattr(other.command, "deadline", None) is getattr(command, "deadline", None)
                and reason.code not in other.codes
                for other in situation.decisions
            )
        case NeverUnlock():
            return True  # `never_means_never` checks this


def _codes(
    situation: Situation, command: Command, at: datetime, order: Order = EVERYTHING
) -> set[RefusalCode]:
    """Return the codes with which a command is refused when the order shows these facts."""
    evaluation, _ = decide_with_order(situation.dispute, command, order, at)
    return {reason.code for reason in evaluation.reasons}


def _leads_on(
    situation: Situation,
    command: Command,
    at: datetime,
    unlock: ActorUnlock,
    left: int = _MOST_HINTS,
) -> bool:
    """Check that following a hint, and the hints after it, makes the command possible."""
    for decision in situation.decisions:
        successor = decision.successor
        if (
            successor is None
            or decision.command.type is not unlock.event
            or decision.command.by.role is not unlock.role
            or decision.at < at
        ):
            continue
        try:
            evaluation = evaluate(successor.dispute, command, None, successor.now)
        except FactsNeededError:  # the facts decide, so the command is possible
            return True
        if not evaluation.reasons:
            return True
        if _MISPLACED.isdisjoint(reason.code for reason in evaluation.reasons):
            if not successor.dispute.closed_for_good:  # the next hint says what the command needs
                return True
            continue
        for reason in hinted(successor.dispute, evaluation):
            if (
                left
                and isinstance(reason.unlock, ActorUnlock)
                and _leads_on(successor, command, successor.now, reason.unlock, left - 1)
            ):
                return True
    return False


@checked
def never_means_never(exploration: Exploration) -> Iterator[Violation]:
    """Find commands that become possible although a hint says that nothing helps."""
    origins = _origins_of_acceptance(exploration)
    for decision, evaluation in exploration.refused():
        situation = decision.situation
        if (
            decision.at <= situation.now
            and not _MISPLACED.isdisjoint(decision.codes)
            and situation.key in origins.get(intent_of(decision.command), ())
        ):
            for reason in hinted(situation.dispute, evaluation):
                if isinstance(reason.unlock, NeverUnlock):
                    yield violation(exploration, decision, "still_possible")


def _origins_of_acceptance(exploration: Exploration) -> dict[tuple[Any, ...], set[Key]]:
    """Return the situations from which each intent can be accepted, by backward search."""
    origins, predecessors = dict[tuple[Any, ...], set[Key]](), dict[Key, set[Key]]()
    for decision, _, after in exploration.accepted():
        predecessors.setdefault(key_of(after), set()).add(decision.situation.key)
        origins.setdefault(intent_of(decision.command), set()).add(decision.situation.key)
    for keys in origins.values():
        queue = list(keys)
        while queue:
            new = predecessors.get(queue.pop(), set()) - keys
            keys.update(new)
            queue.extend(new)
    return origins
