"""The walk: every situation that a dispute of a rule version can get into under a policy, and every answer given there.

A *situation* is a dispute, reduced to what later answers depend on: where it is, what is
remembered, and how its due instants lie to each other and to now, not how far apart they are. There
are finitely many, so the walk ends. The first dispute that is found in a situation stands for all
others; since the walk is breadth-first, the way to it is a shortest one.

What is asked are real commands, weighed, concluded and folded by the very functions that run in
production. In a situation that differs from one known by its clocks alone, only what is complete is
asked again: who may do it, what is out of place and what a payload lacks do not depend on clocks.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from dispute_fsm.decider.decide import conclude, open_dispute
from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import Evaluation
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import Actor, Command, OpenDispute
from dispute_fsm.domain.enums import CommandType, RefusalCode, Role
from dispute_fsm.domain.events import GENESIS, AuditEvent
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.domain.policy import Policy
from dispute_fsm.errors import FactsNeededError
from dispute_fsm.rules.registry import RuleVersion
from dispute_fsm.verify.representatives import (
    COMMANDS,
    CONSUMER,
    MERCHANT,
    OPENED_AT,
    OWN,
    PLAIN,
    STRANGERS,
    instants,
    orders,
    sent_by,
    variants,
)

Shape = tuple[Any, ...]
"""What a situation is apart from its clocks."""
Key = tuple[Any, ...]
"""A situation: its shape and how its clocks stand."""


class PathStep(NamedTuple):
    """One step on the way to a situation: when, what the order system showed, and what was asked."""

    at: datetime
    order: Order
    command: Command


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """A dispute that stands for all in the same situation, and the shortest way to it. `answers` is all that was asked there."""

    key: Key
    dispute: Dispute
    way: tuple[PathStep, ...]
    answers: list["ExploredDecision"] = field(default_factory=list["ExploredDecision"])

    @property
    def now(self) -> datetime:
        """The time of the last step."""
        return self.dispute.last_at


@dataclass(frozen=True, slots=True, eq=False)
class ExploredDecision:
    """What came of one command in a situation.

    `facts` is None where nobody had to ask; `unknown` tells that the order system would have had to
    be asked and could not answer, so that nothing was decided. `complete` tells that the payload
    lacks nothing. `after` is the dispute that the event leads to where the command is accepted,
    `leads_to` its situation.
    """

    situation: Situation
    command: Command
    at: datetime
    order: Order
    facts: OrderFacts | None
    complete: bool
    evaluation: Evaluation | None
    after: Dispute | None = None
    leads_to: Situation | None = None

    @property
    def unknown(self) -> bool:
        """Whether the order system could not answer."""
        return self.evaluation is None

    @property
    def accepted(self) -> bool:
        """Whether an edge fired."""
        return self.after is not None

    @property
    def codes(self) -> tuple[RefusalCode, ...]:
        """The codes of a refusal."""
        return (
            ()
            if self.evaluation is None
            else tuple(reason.code for reason in self.evaluation.reasons)
        )

    @property
    def penalizes(self) -> bool:
        """Whether the dispute ends with a penalty by it."""
        return (
            self.after is not None
            and self.after.closed
            and self.judged.transition is not None
            and self.judged.transition.target == PENALIZED
        )

    @property
    def judged(self) -> Evaluation:
        """The evaluation, where there is one."""
        if self.evaluation is None:
            raise ValueError("nothing was decided: the order system could not answer")
        return self.evaluation

    @property
    def step(self) -> PathStep:
        """The command as a step of a way."""
        return PathStep(self.at, self.order, self.command)


PENALIZED = "penalized"


@dataclass(frozen=True, slots=True)
class Exploration:
    """All that was found of a rule version under one policy."""

    version: RuleVersion
    policy: Policy
    name: str
    opening: OpenDispute
    situations: dict[Key, Situation]

    def answers(self) -> Iterator[ExploredDecision]:
        """Go through all answers, those of the situations with the shortest ways first."""
        for situation in self.situations.values():
            yield from situation.answers


def explore(version: RuleVersion, policy: Policy, name: str = "") -> Exploration:
    """Walk through everything that a dispute under this rule version and policy can get into."""
    opening = OpenDispute(
        dispute_id="D-1",
        order_id="O-1",
        merchant_id=MERCHANT,
        consumer_id=CONSUMER,
        rules=version.id,
        policy=policy,
    )
    decision = open_dispute(
        None, opening, seen(PLAIN, OPENED_AT), OPENED_AT, stamp=derived_stamp(OPENED_AT, "D-1", 1)
    )
    if not isinstance(decision, Accepted):
        raise TypeError(f"the opening is not accepted: {decision}")
    dispute = begin(decision.event, policy)
    root = Situation(key_of(dispute), dispute, ())
    found, shapes, ahead = {root.key: root}, set[Shape](), deque([root])
    while ahead:
        situation = ahead.popleft()
        thorough = (shape := shape_of(situation.dispute)) not in shapes
        shapes.add(shape)
        for answer in _ask(situation, thorough=thorough):
            if answer.after is None:
                situation.answers.append(answer)
                continue
            key = key_of(answer.after)
            reached = found.get(key)
            if reached is None:
                reached = found[key] = Situation(key, answer.after, (*situation.way, answer.step))
                ahead.append(reached)
            object.__setattr__(answer, "leads_to", reached)
            situation.answers.append(answer)
    return Exploration(version, policy, name, opening, found)


def asked_again(exploration: Exploration, version: RuleVersion, path: str) -> Exploration:
    """Ask everything that can be asked in one place once more, under a version that stands in; nobody goes on from there."""
    found, shapes = dict[Key, Situation](), set[Shape]()
    for key, known in exploration.situations.items():
        if known.dispute.path == path:
            found[key] = situation = Situation(key, known.dispute, known.way)
            thorough = (shape := shape_of(known.dispute)) not in shapes
            shapes.add(shape)
            situation.answers.extend(_ask(situation, thorough=thorough))
    return Exploration(version, exploration.policy, exploration.name, exploration.opening, found)


def seen(order: Order, at: datetime) -> OrderFacts:
    """Give the facts that one look at an order finds."""
    members: dict[str, Any] = {
        **vars(order),
        "order_id": "O-1",
        "asked": "scenario",
        "observed_at": at,
        "revision": "1",
    }
    return OrderFacts.model_construct(**members)


def shape_of(dispute: Dispute) -> Shape:
    """Reduce a dispute to what later answers depend on, clocks apart."""
    return (
        dispute.path,
        dispute.option,
        dispute.confirmed,
        bool(dispute.submissions),
        dispute.extra_rounds,
        dispute.liability,
        dispute.outcome,
        frozenset(dispute.deadlines),
    )


def key_of(dispute: Dispute) -> Key:
    """Reduce a dispute to its situation: which deadlines have passed, and in which order the others are due."""
    passed = frozenset(
        deadline for deadline, due in dispute.deadlines.items() if due < dispute.last_at
    )
    ahead = sorted({due for due in dispute.deadlines.values() if due >= dispute.last_at})
    order = frozenset(
        (deadline, ahead.index(due))
        for deadline, due in dispute.deadlines.items()
        if due >= dispute.last_at
    )
    return (*shape_of(dispute), passed, order)


def _ask(situation: Situation, *, thorough: bool) -> Iterator[ExploredDecision]:
    dispute = situation.dispute
    rows, actors = dispute.rules.table.transitions, dispute.rules.table.actors
    for event in COMMANDS:
        offered = (dispute.path, event) in rows
        if not (offered or thorough):
            continue
        own = OWN[actors[event].roles[0]] if event in actors else OWN[Role.SYSTEM]
        for at in instants(dispute) if offered else (situation.now,):
            first = at == situation.now
            for asked, complete in variants(dispute, event, at):
                if not complete and not (thorough and first):
                    continue
                yield from ask(
                    situation,
                    sent_by(own, asked),
                    at,
                    complete=complete,
                    thorough=thorough and first,
                )
                if not offered:  # one command shows as well as another that it is out of place
                    break
        if thorough:
            asked = next(iter(variants(dispute, event, situation.now))).command
            for other in _others(own):
                yield from ask(
                    situation, sent_by(other, asked), situation.now, complete=True, thorough=False
                )


def _others(own: Actor) -> list[Actor]:
    return [actor for actor in (*OWN.values(), *STRANGERS) if actor != own]


def ask(
    situation: Situation,
    asked: Command,
    at: datetime,
    *,
    complete: bool = True,
    thorough: bool = False,
) -> Iterator[ExploredDecision]:
    """Put one command before the rules: without facts, and where they are needed, with each of those that may be shown."""
    dispute = situation.dispute
    try:
        yield put(situation, asked, at, PLAIN, None, complete=complete)
    except FactsNeededError:
        yield ExploredDecision(situation, asked, at, PLAIN, None, complete, None)
        shown = orders(dispute.agreed_until, at)
        for order in (
            shown if thorough or asked.type is not CommandType.CHOOSE_OPTION else shown[:2]
        ):
            yield put(situation, asked, at, order, seen(order, at), complete=complete)


def put(  # noqa: PLR0913 -- what a decision takes
    situation: Situation,
    asked: Command,
    at: datetime,
    order: Order,
    facts: OrderFacts | None,
    *,
    complete: bool = True,
) -> ExploredDecision:
    """Put one command with these facts before the rules. Raises `FactsNeededError` where there are none and some are needed."""
    dispute = situation.dispute
    evaluation, conclusion = conclude(dispute, asked, facts, at)
    after = None
    if evaluation.transition is not None and conclusion is not None:
        members: dict[str, Any] = {
            "dispute_id": dispute.dispute_id,
            "seq": dispute.seq + 1,
            "revision": dispute.revision + 1,
            "type": conclusion.type,
            "at": at,
            "actor": asked.by,
            "command": asked.type,
            "payload": asked,  # in the clear, for nothing is written
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
        after = evolve(dispute, AuditEvent.model_construct(**members))
    return ExploredDecision(situation, asked, at, order, facts, complete, evaluation, after)
