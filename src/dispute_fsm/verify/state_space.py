"""The state space: every situation of a dispute under a rule version and a policy, with decisions.

A *situation* is a dispute, reduced to what later decisions depend on: its configuration, what is
remembered, and the order of its due instants and the current time, not the distance between them.
There are finitely many, so the exploration ends. The first dispute in a situation represents all
others. The exploration is breadth-first, so the path to a situation is a shortest one.

Commands are evaluated, decided and evolved by the functions that run in production. In a situation
that differs from a known one in its clocks only, incomplete and misplaced commands and other actors
are not tried again: what comes of them does not depend on clocks.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from dispute_fsm.decider.decide import conclude, open_dispute
from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import Evaluation
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import Command, OpenDispute
from dispute_fsm.domain.enums import CommandType, RefusalCode, Role
from dispute_fsm.domain.events import GENESIS, AuditEvent
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.domain.policy import Policy
from dispute_fsm.errors import FactsNeededError
from dispute_fsm.machine.transition_table import Transition
from dispute_fsm.rules.registry import RuleVersion
from dispute_fsm.verify.representatives import (
    CONSUMER,
    MERCHANT,
    OPENED_AT,
    OWN,
    PLAIN,
    STRANGERS,
    commands_of,
    instants,
    orders,
    variants,
)

Shape = tuple[Any, ...]
"""A situation without its clocks."""
Key = tuple[Any, ...]
"""A situation: its shape and the order of its clocks."""


class PathStep(NamedTuple):
    """One step of a path: the time, the order at that time, and the command (None: a sweep)."""

    at: datetime
    order: Order
    command: Command | None


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """A dispute that represents its situation, the shortest path to it, and all decisions in it."""

    key: Key
    dispute: Dispute
    path: tuple[PathStep, ...]
    decisions: list["ExploredDecision"] = field(default_factory=list["ExploredDecision"])

    @property
    def now(self) -> datetime:
        """The time of the last step."""
        return self.dispute.last_at


@dataclass(slots=True, eq=False)
class ExploredDecision:
    """The decision on one command in a situation.

    `facts` is None where the order system was not asked. `complete` is whether the payload has all
    that a transition may require. `evaluation` is None where facts are needed and the order system
    is unavailable: then nothing is decided. Where the command is accepted, `after` is the evolved
    dispute and `successor` its situation.
    """

    situation: Situation
    command: Command
    at: datetime
    order: Order
    facts: OrderFacts | None
    complete: bool
    evaluation: Evaluation | None
    after: Dispute | None = None
    successor: Situation | None = None

    @property
    def transition(self) -> Transition | None:
        """The transition that fires, if one does."""
        return None if self.evaluation is None else self.evaluation.transition

    @property
    def codes(self) -> tuple[RefusalCode, ...]:
        """The codes of a refusal."""
        reasons = () if self.evaluation is None else self.evaluation.reasons
        return tuple(reason.code for reason in reasons)


@dataclass(frozen=True, slots=True)
class Exploration:
    """The state space of a rule version under one policy."""

    version: RuleVersion
    policy: Policy
    situations: dict[Key, Situation]

    def decisions(self) -> Iterator[ExploredDecision]:
        """Iterate over all decisions, those of the situations with the shortest paths first."""
        for situation in self.situations.values():
            yield from situation.decisions

    def accepted(self) -> Iterator[tuple[ExploredDecision, Dispute, Dispute]]:
        """Iterate over the accepted commands, each with the dispute before and after it."""
        for decision in self.decisions():
            if decision.after is not None:
                yield decision, decision.situation.dispute, decision.after

    def refused(self) -> Iterator[tuple[ExploredDecision, Evaluation]]:
        """Iterate over the refused commands, each with its evaluation."""
        for decision in self.decisions():
            if decision.evaluation is not None and decision.evaluation.reasons:
                yield decision, decision.evaluation


def explore(
    version: RuleVersion, policy: Policy, watch: Callable[[str], object] | None = None
) -> Exploration:
    """Explore every situation that a dispute can reach under this rule version and policy.

    `watch` is called with each configuration, once all is decided in the first situation there.
    """
    opening = OpenDispute(
        dispute_id="D-1",
        order_id="O-1",
        merchant_id=MERCHANT,
        consumer_id=CONSUMER,
        rules=version.id,
        policy=policy,
    )
    stamp = derived_stamp(OPENED_AT, "D-1", 1)
    opened = open_dispute(None, opening, facts_of(PLAIN, OPENED_AT), OPENED_AT, stamp=stamp)
    if not isinstance(opened, Accepted):
        raise TypeError(f"the opening is not accepted: {opened}")
    dispute = begin(opened.event, policy)
    root = Situation(key_of(dispute), dispute, ())
    situations, queue, shapes = {root.key: root}, deque([root]), set[Shape]()
    configurations = set[str]()
    while queue:
        situation = queue.popleft()
        for decision in _decisions(situation, shapes):
            situation.decisions.append(decision)
            if decision.after is None:
                continue
            key = key_of(decision.after)
            if key not in situations:
                step = PathStep(decision.at, decision.order, decision.command)
                situations[key] = Situation(key, decision.after, (*situation.path, step))
                queue.append(situations[key])
            decision.successor = situations[key]
        if watch is not None and situation.dispute.path not in configurations:
            configurations.add(situation.dispute.path)
            watch(situation.dispute.path)
    return Exploration(version, policy, situations)


def decide_again(exploration: Exploration, version: RuleVersion, path: str) -> Exploration:
    """Decide all commands in one configuration again, under another version; no successors."""
    situations, shapes = dict[Key, Situation](), set[Shape]()
    for key, known in exploration.situations.items():
        if known.dispute.path == path:
            situations[key] = Situation(key, known.dispute, known.path)
            situations[key].decisions.extend(_decisions(situations[key], shapes))
    return Exploration(version, exploration.policy, situations)


def facts_of(order: Order, at: datetime) -> OrderFacts:
    """Return an order as the facts that the order system gives at an instant."""
    members: dict[str, Any] = {
        **vars(order),
        "order_id": "O-1",
        "asked": "scenario",
        "observed_at": at,
        "revision": "1",
    }
    return OrderFacts.model_construct(**members)


def shape_of(dispute: Dispute) -> Shape:
    """Reduce a dispute to what later decisions depend on, without its clocks."""
    return (
        dispute.path,
        dispute.memory._replace(agreed_until=None, submissions=min(dispute.submissions, 1)),
        dispute.liability,
        dispute.outcome,
        frozenset(dispute.deadlines),
    )


def key_of(dispute: Dispute) -> Key:
    """Reduce a dispute to its situation: its shape, and the order in which deadlines are due."""
    ahead = sorted({due for due in dispute.deadlines.values() if due >= dispute.last_at})
    order = frozenset(
        (deadline, ahead.index(due) if due >= dispute.last_at else None)
        for deadline, due in dispute.deadlines.items()
    )
    return (*shape_of(dispute), order)


def intent_of(command: Command) -> tuple[Any, ...]:
    """Reduce a command to its intent: its type, the chosen option and the extended deadline."""
    return (command.type, getattr(command, "option", None), getattr(command, "deadline", None))


# ---- decisions -----------------------------------------------------------------------------------


def _decisions(situation: Situation, shapes: set[Shape]) -> Iterator[ExploredDecision]:
    """Decide the representative commands; all of them only where the shape is a new one."""
    dispute, table, shape = situation.dispute, situation.dispute.rules.table, situation.key[:-1]
    is_new = shape not in shapes
    shapes.add(shape)
    for event in commands_of(dispute.rules):
        offered = (dispute.path, event) in table.transitions
        if not (offered or is_new):
            continue
        own = OWN[table.actors[event].roles[0] if event in table.actors else Role.SYSTEM]
        for at in instants(dispute) if offered else (situation.now,):
            thorough = is_new and at == situation.now
            for variant, complete in variants(dispute, event, at):
                if complete or thorough:
                    command = variant.model_copy(update={"by": own})
                    yield from _with_each_order(
                        situation, command, at, complete=complete, thorough=thorough
                    )
                if not offered:  # one variant is enough to show that the command is misplaced
                    break
        if is_new:
            variant = next(iter(variants(dispute, event, situation.now))).command
            for other in (*OWN.values(), *STRANGERS):
                if other != own:
                    command = variant.model_copy(update={"by": other})
                    yield from _with_each_order(situation, command, situation.now)


def _with_each_order(
    situation: Situation,
    command: Command,
    at: datetime,
    *,
    complete: bool = True,
    thorough: bool = False,
) -> Iterator[ExploredDecision]:
    """Decide one command: without facts, or where they are needed, with each possible order."""
    try:
        decided = decide_and_evolve(situation.dispute, command, None, at)
    except FactsNeededError:
        yield ExploredDecision(situation, command, at, PLAIN, None, complete, None)
        for order in orders(situation.dispute.agreed_until, at):
            facts = facts_of(order, at)
            decided = decide_and_evolve(situation.dispute, command, facts, at)
            yield ExploredDecision(situation, command, at, order, facts, complete, *decided)
            # Where a choice is not explored thoroughly, one order that permits it is enough.
            if command.type is CommandType.CHOOSE_OPTION and not thorough and decided[1]:
                break
    else:
        yield ExploredDecision(situation, command, at, PLAIN, None, complete, *decided)


def decide_and_evolve(
    dispute: Dispute, command: Command, facts: OrderFacts | None, at: datetime
) -> tuple[Evaluation, Dispute | None]:
    """Decide a command, and evolve the dispute where it is accepted.

    Raises `FactsNeededError` where there are no facts and some are needed.
    """
    evaluation, conclusion = conclude(dispute, command, facts, at)
    if evaluation.transition is None or conclusion is None:
        return evaluation, None
    members: dict[str, Any] = {
        "dispute_id": dispute.dispute_id,
        "seq": dispute.seq + 1,
        "revision": dispute.revision + 1,
        "type": conclusion.type,
        "at": at,
        "actor": command.by,
        "command": command.type,
        "payload": command,  # as plain text, for nothing is stored
        "source": dispute.path,
        "target": conclusion.target,
        "facts": conclusion.facts,
        "deadlines": conclusion.deadlines,
        "outcome": conclusion.outcome,
        "rules": dispute.opening.rules,
        "policy": dispute.opening.policy,
        "key": None,
        "prev_hash": dispute.last_hash,
        "hash": GENESIS,
    }
    return evaluation, evolve(dispute, AuditEvent.model_construct(**members))


def decide_with_order(
    dispute: Dispute, command: Command, order: Order, at: datetime
) -> tuple[Evaluation, Dispute | None]:
    """Decide a command and evolve the dispute; where facts are needed, those of the order."""
    try:
        return decide_and_evolve(dispute, command, None, at)
    except FactsNeededError:
        return decide_and_evolve(dispute, command, facts_of(order, at), at)
