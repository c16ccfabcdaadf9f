"""The machine as data: a rule version under a policy, read from its chart and from nothing else.

Every view is made from this one value, so a picture cannot say what the chart does not. As JSON it
stands beside the pictures in `diagrams/`: where the rules have drifted from what was drawn, the two
are compared and the difference is named.

An *arrow* is one edge as the chart declares it: an edge out of a compound state is one arrow,
however many leaves it is taken from. A *condition* is a guard; what tells arrows apart (`when`),
the clock (`timing`) and what is demanded (`needs`) are kept apart.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, PlainSerializer
from statemachine import State

from dispute_fsm.domain.deadlines import is_on
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    Labelled,
    Option,
    Outcome,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.policy import Bilingual, Policy
from dispute_fsm.domain.scalars import FrozenMap, Named, Series, Strict
from dispute_fsm.errors import ChartError
from dispute_fsm.machine.chart import ChartTransition, Leaf
from dispute_fsm.machine.guard import Dimension, Guard, GuardKind, Selector, Source
from dispute_fsm.machine.transition_table import InitialTransition, Outcomes, Rule
from dispute_fsm.rules.registry import RuleVersion

Kind = Literal["leaf", "compound", "parallel"]

Words = Annotated[
    Mapping[str, Bilingual],
    AfterValidator(FrozenMap),
    PlainSerializer(dict, return_type=dict[str, Bilingual]),
]

OPENING = "open_dispute"
"""The id of the arrow by which a dispute begins."""


class Provenance(Strict):
    """Where a rule comes from: `S`, stated in the announcement; `A`, assumed where it is silent, and why."""

    kind: Literal["S", "A"]
    words: Bilingual


class StateNode(Strict):
    """A state with its place in the nesting; `stands` are the deadlines that may stand in it, `runs` those it acts on."""

    id: str
    label: Bilingual
    parent: str | None
    kind: Kind
    initial: bool
    closed: bool
    stands: Series[Named[Deadline]]
    runs: Series[Named[Deadline]]


class GuardLabel(Strict):
    """A guard. One that selects has a `question` and the answers that it `accepts`; any other may refuse with its `codes`."""

    name: str
    sort: Named[GuardKind]
    label: Bilingual
    codes: Series[Named[RefusalCode]]
    question: str | None
    accepts: Series[str]
    needs_facts: bool
    origin: Provenance


class SelectorQuestion(Strict):
    """What arrows are told apart by: a question with finitely many answers, of which exactly one is true.

    `settled` is the answer under the machine's policy, where the policy alone gives it.
    """

    answers: Words
    needs_facts: bool
    settled: str | None
    origin: Provenance


class Ending(Strict):
    """How the dispute ends by an arrow, on one option where that decides (`option` null: on any)."""

    option: Named[Option] | None
    outcome: Named[Outcome]


class Arrow(Strict):
    """One edge of the chart; `source` is null where the dispute begins. Conditions are named, see `Machine.conditions`.

    `liability` is that for which a region fails by it, where the dispute goes on all the same.
    """

    id: str
    source: str | None
    target: str
    event: Named[CommandType]
    by: str
    roles: Series[Named[Role]]
    when: Series[str]
    timing: Series[str]
    needs: Series[str]
    endings: Series[Ending]
    liability: Named[Outcome] | None
    starts: Series[Named[Deadline]]
    ends: Series[Named[Deadline]]
    origin: Provenance

    @property
    def stays(self) -> bool:
        """Whether the arrow leads back to where it comes from."""
        return self.source == self.target


Conditions = Annotated[
    Mapping[str, GuardLabel],
    AfterValidator(FrozenMap),
    PlainSerializer(dict, return_type=dict[str, GuardLabel]),
]
Questions = Annotated[
    Mapping[str, SelectorQuestion],
    AfterValidator(FrozenMap),
    PlainSerializer(dict, return_type=dict[str, SelectorQuestion]),
]


class Machine(Strict):
    """A rule version under a policy, complete: states, arrows, conditions, the words for all of them, and the policy's values."""

    rules: str
    label: Bilingual
    change: Bilingual
    why: Bilingual
    options: Series[Named[Option]]
    states: Series[StateNode]
    arrows: Series[Arrow]
    conditions: Conditions
    questions: Questions
    words: Words
    policy: dict[str, Any]
    off: Series[Named[Deadline]]
    """The deadlines that the policy switches off."""

    def state(self, name: str) -> StateNode:
        """Return a state by its id."""
        return next(state for state in self.states if state.id == name)

    def arrow(self, name: str) -> Arrow:
        """Return an arrow by its id."""
        return next(arrow for arrow in self.arrows if arrow.id == name)

    def dormant(self, arrow: Arrow) -> bool:
        """Tell whether an arrow can never be taken under this policy: it is for another one, or its deadline is switched off."""
        for name in arrow.when:
            condition = self.conditions[name]
            settled = (
                None if condition.question is None else self.questions[condition.question].settled
            )
            if settled is not None and settled not in condition.accepts:
                return True
        return arrow.event.expires in self.off

    def idle(self) -> frozenset[str]:
        """Return the ids of the states and arrows that no dispute comes to under this policy: dormant, or beyond what is dormant."""
        reached: set[str] = set()
        awake = [arrow for arrow in self.arrows if not self.dormant(arrow)]
        while (
            more := {
                leaf
                for arrow in awake
                if self._taken(arrow, reached)
                for leaf in self._entered(arrow.target)
            }
            - reached
        ):
            reached |= more
        states = [
            state.id
            for state in self.states
            if reached.isdisjoint(leaf.id for leaf in self.leaves(state.id))
        ]
        arrows = [
            arrow.id
            for arrow in self.arrows
            if arrow not in awake or not self._taken(arrow, reached)
        ]
        return frozenset((*states, *arrows))

    def _taken(self, arrow: Arrow, reached: set[str]) -> bool:
        return arrow.source is None or not reached.isdisjoint(
            leaf.id for leaf in self.leaves(arrow.source)
        )

    def _entered(self, name: str) -> Iterator[str]:
        state = self.state(name)
        if state.kind == "leaf":
            yield name
        for inner in self.states:
            if inner.parent == name and (inner.initial or state.kind == "parallel"):
                yield from self._entered(inner.id)

    def leaves(self, name: str) -> tuple[StateNode, ...]:
        """Return the leaves of a state: itself, or all that lie in it."""
        inside = [
            state for state in self.states if state.id == name or name in self.around(state.id)
        ]
        return tuple(state for state in inside if state.kind == "leaf")

    def around(self, name: str) -> tuple[str, ...]:
        """Return the ids of the states around a state, from the inside out."""
        parents = {state.id: state.parent for state in self.states}
        found: list[str] = []
        while (parent := parents[name]) is not None:
            found.append(parent)
            name = parent
        return tuple(found)


def machine_of(version: RuleVersion, policy: Policy) -> Machine:
    """Read a rule version's chart. Raises `ChartError` where two edges could not be told apart by their ids."""
    guards: dict[str, Guard] = {}
    arrows = [_entry(version, guards), *_arrows(version.chart.states, guards)]
    if twice := [arrow.id for arrow in arrows if sum(other.id == arrow.id for other in arrows) > 1]:
        raise ChartError(
            f"{version.chart.__name__}: {twice[0]}: two edges are told apart by nothing"
        )
    states = list(_states(version.chart.states, None))
    return Machine(
        rules=version.id,
        label=version.label,
        change=version.change,
        why=version.why,
        options=version.options,
        states=tuple(
            state.model_copy(update={"runs": _running(state, states, arrows)}) for state in states
        ),
        arrows=tuple(arrows),
        conditions={name: _condition(guard) for name, guard in guards.items()},
        questions={
            guard.dimension.name: _question(guard.dimension, policy)
            for guard in guards.values()
            if isinstance(guard, Selector)
        },
        words=_words(version, arrows, guards.values()),
        policy=policy.record,
        off=tuple(deadline for deadline in Deadline if not is_on(deadline, policy)),
    )


def _states(states: Iterable[State], parent: str | None) -> Iterator[StateNode]:
    for state in states:
        kind: Kind = "parallel" if state.parallel else "compound" if state.states else "leaf"
        yield StateNode(
            id=state.id,
            label=_labelled(StateName(state.id)),
            parent=parent,
            kind=kind,
            initial=bool(state.initial),
            closed=isinstance(state, Leaf) and state.closed,
            stands=state.deadlines if isinstance(state, Leaf) else (),
            runs=(),
        )
        yield from _states(state.states, state.id)


def _running(
    state: StateNode, states: list[StateNode], arrows: list[Arrow]
) -> tuple[Deadline, ...]:
    if state.kind != "leaf":
        return ()
    parents = {one.id: one.parent for one in states}
    here = {state.id}
    while (parent := parents[state.id]) is not None:
        here.add(parent)
        state = next(one for one in states if one.id == parent)
    expires = {arrow.event.expires for arrow in arrows if arrow.source in here}
    return tuple(deadline for deadline in Deadline if deadline in expires)


def _arrows(states: Iterable[State], guards: dict[str, Guard]) -> Iterator[Arrow]:
    for state in states:
        for transition in state.transitions:
            if isinstance(transition, ChartTransition) and transition.target is not None:
                for event in transition.events:
                    yield _arrow(
                        state.id,
                        transition.target.id,
                        CommandType(event.id),
                        transition.rule,
                        guards,
                    )
        yield from _arrows(state.states, guards)


def _arrow(
    source: str, target: str, event: CommandType, rule: Rule, guards: dict[str, Guard]
) -> Arrow:
    _collect(guards, rule.by, *rule.when, *rule.timing, *rule.needs)
    return Arrow(
        id="--".join([source, event.value, *(_answers(selector) for selector in rule.when)]),
        source=source,
        target=target,
        event=event,
        by=rule.by.name,
        roles=rule.by.roles,
        when=tuple(selector.name for selector in rule.when),
        timing=tuple(guard.name for guard in rule.timing),
        needs=tuple(guard.name for guard in rule.needs),
        endings=tuple(_endings(rule.outcome)),
        liability=rule.liability,
        starts=rule.starts,
        ends=rule.ends,
        origin=_provenance(rule.origin),
    )


def _entry(version: RuleVersion, guards: dict[str, Guard]) -> Arrow:
    entry: InitialTransition = version.table.entry
    _collect(guards, entry.by, *entry.needs)
    return Arrow(
        id=OPENING,
        source=None,
        target=next(state.id for state in version.chart.states if state.initial),
        event=CommandType.OPEN_DISPUTE,
        by=entry.by.name,
        roles=entry.by.roles,
        when=(),
        timing=(),
        needs=tuple(guard.name for guard in entry.needs),
        endings=(),
        liability=None,
        starts=entry.starts,
        ends=(),
        origin=_provenance(entry.origin),
    )


def _collect(guards: dict[str, Guard], *more: Guard) -> None:
    guards.update({guard.name: guard for guard in more})


def _answers(selector: Selector) -> str:
    return "-or-".join(
        answer for answer in selector.dimension.answers if answer in selector.accepts
    )


def _endings(outcome: Outcomes) -> Iterator[Ending]:
    if isinstance(outcome, Outcome):
        yield Ending(option=None, outcome=outcome)
    elif isinstance(outcome, Mapping):
        yield from (Ending(option=option, outcome=end) for option, end in outcome.items())


def _condition(guard: Guard) -> GuardLabel:
    selector = guard if isinstance(guard, Selector) else None
    return GuardLabel(
        name=guard.name,
        sort=guard.kind,
        label=Bilingual(zh=guard.zh, en=guard.en),
        codes=guard.codes,
        question=None if selector is None else selector.dimension.name,
        accepts=tuple(answer for answer in selector.dimension.answers if answer in selector.accepts)
        if selector
        else (),
        needs_facts=guard.needs_facts,
        origin=_provenance(guard.source),
    )


def _question(dimension: Dimension, policy: Policy) -> SelectorQuestion:
    return SelectorQuestion(
        answers={answer: Bilingual(zh=zh, en=en) for answer, (zh, en) in dimension.answers.items()},
        needs_facts=dimension.needs_facts,
        settled=None if dimension.of_policy is None else dimension.of_policy(policy),
        origin=_provenance(dimension.source),
    )


def _provenance(source: Source) -> Provenance:
    return Provenance(kind=source.kind, words=Bilingual(zh=source.zh, en=source.en))


def _labelled(word: Labelled) -> Bilingual:
    return Bilingual(zh=word.zh, en=word.en)


def _words(
    version: RuleVersion, arrows: Iterable[Arrow], guards: Iterable[Guard]
) -> dict[str, Bilingual]:
    """Collect the words of all that the machine names, by kind and id; what another version names alone is no part of it."""
    named: list[tuple[str, Labelled]] = [("option", option) for option in version.options]
    for arrow in arrows:
        named += [("event", arrow.event), *(("role", role) for role in arrow.roles)]
        named += [("outcome", ending.outcome) for ending in arrow.endings]
        named += [] if arrow.liability is None else [("outcome", arrow.liability)]
        named += [("deadline", deadline) for deadline in (*arrow.starts, *arrow.ends)]
    named += [("code", code) for guard in guards for code in guard.codes]
    return {
        f"{kind}.{word.value}": _labelled(word)
        for kind, word in sorted(named, key=lambda one: (one[0], one[1].value))
    }
