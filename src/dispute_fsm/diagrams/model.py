"""The machine as data: a rule version under a policy, read from its chart and from nothing else.

Every view is made from this one value, so a picture cannot differ from the chart. It is committed
as `machine.json` next to the pictures: `dispute-fsm diagram --check` compares the two machines and
names what differs. A field with an alias is named differently in that file.

A transition out of a compound state is one transition, however many leaves it can start from. A
*condition* is a guard. The conditions of a transition are kept apart: those that select it
(`when`), its clock (`timing`) and its requirements (`needs`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field
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
from dispute_fsm.machine.transition_table import AS_BEFORE, Outcomes, Rule
from dispute_fsm.rules.registry import RuleVersion

T = TypeVar("T")
ByName = Annotated[Mapping[str, T], AfterValidator(FrozenMap)]
Kind = Literal["leaf", "compound", "parallel"]

OPENING = "open_dispute"
"""The id of the transition by which a dispute begins."""


class MachinePart(Strict):
    """The base of the models in `machine.json`: fields are set by name and written by alias."""

    model_config = ConfigDict(
        validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )


class Provenance(MachinePart):
    """The source of a rule: `S` is stated in the announcement, `A` is assumed.

    `id` cites it. `locator` and `quote` are the place and the words there of what is stated;
    `because` says why something is assumed, and `policy` which policy fields change it.
    """

    id: str
    kind: Literal["S", "A"]
    text: Annotated[Bilingual, Field(alias="words")]
    locator: str
    quote: str
    because: Bilingual | None
    policy: Series[str]


class StateNode(MachinePart):
    """A state and its parent in the nesting.

    `deadlines` are those that can run while the dispute is in the state; `running` are those whose
    expiry the state acts on.
    """

    id: str
    label: Bilingual
    parent: str | None
    kind: Kind
    initial: bool
    closed: bool
    deadlines: Annotated[Series[Named[Deadline]], Field(alias="stands")]
    running: Annotated[Series[Named[Deadline]], Field(alias="runs")]


class GuardLabel(MachinePart):
    """A guard. A selector has a `question` and `accepts` answers; others refuse with `codes`."""

    name: str
    kind: Annotated[Named[GuardKind], Field(alias="sort")]
    label: Bilingual
    codes: Series[Named[RefusalCode]]
    question: str | None
    accepts: Series[str]
    needs_facts: bool
    origin: Provenance


class SelectorQuestion(MachinePart):
    """A question that selects transitions: it has finitely many answers, exactly one is true.

    `settled` is the answer under the machine's policy, where the policy alone gives it.
    """

    answers: ByName[Bilingual]
    needs_facts: bool
    settled: str | None
    origin: Provenance


class Ending(MachinePart):
    """An outcome of a transition, for one option or (`option` null) for any.

    `outcome` is null where it remains the one that the dispute had before.
    """

    option: Named[Option] | None
    outcome: Named[Outcome] | None


class TransitionView(MachinePart):
    """A transition of the chart. Its conditions are named, see `Machine.conditions`.

    `source` is null where the dispute begins. `liability` is set where a region fails by the
    transition and the dispute continues.
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
        """Whether the transition leads back to its source."""
        return self.source == self.target


class Machine(MachinePart):
    """A rule version under a policy, complete: states, transitions, conditions, labels, policy."""

    rules: str
    label: Bilingual
    change: Bilingual
    why: Bilingual
    options: Series[Named[Option]]
    states: Series[StateNode]
    transitions: Annotated[Series[TransitionView], Field(alias="arrows")]
    conditions: ByName[GuardLabel]
    questions: ByName[SelectorQuestion]
    labels: Annotated[ByName[Bilingual], Field(alias="words")]
    policy: dict[str, Any]
    off: Series[Named[Deadline]]
    """The deadlines that the policy switches off."""
    any_policy: Annotated[bool, Field(exclude=True)] = False
    """Whether it is shown for any policy: then nothing counts as excluded by its own."""

    def state(self, name: str) -> StateNode:
        """Return a state by its id."""
        return next(state for state in self.states if state.id == name)

    def transition(self, name: str) -> TransitionView:
        """Return a transition by its id."""
        return next(transition for transition in self.transitions if transition.id == name)

    def around(self, name: str) -> tuple[str, ...]:
        """Return the ids of the states around a state, from the inside out."""
        parent = self.state(name).parent
        return () if parent is None else (parent, *self.around(parent))

    def leaves(self, name: str) -> tuple[StateNode, ...]:
        """Return the leaves of a state: itself, or all leaves inside it."""
        return tuple(
            state
            for state in self.states
            if state.kind == "leaf" and name in {state.id, *self.around(state.id)}
        )

    def entered(self, name: str) -> Iterator[str]:
        """Iterate over the leaves that are active after entering a state."""
        state = self.state(name)
        if state.kind == "leaf":
            yield name
        for child in self.states:
            if child.parent == name and (child.initial or state.kind == "parallel"):
                yield from self.entered(child.id)

    def leaving(self, name: str) -> list[TransitionView]:
        """Return the transitions out of a state, with those out of the states around it."""
        sources = {name, *self.around(name)}
        return [transition for transition in self.transitions if transition.source in sources]

    def is_for(self, transition: TransitionView, answers: Mapping[str, str]) -> bool:
        """Tell whether a transition can apply where these are the answers to some questions."""
        selectors = (self.conditions[name] for name in transition.when)
        return all(
            answers.get(selector.question or "", selector.accepts[0]) in selector.accepts
            for selector in selectors
        )

    def disabled(self, transition: TransitionView) -> bool:
        """Tell whether the policy excludes a transition: by an answer, or its deadline is off.

        An extension of a deadline that is off is excluded, too.
        """
        if self.any_policy:
            return False
        settled = {
            name: question.settled
            for name, question in self.questions.items()
            if question.settled is not None
        }
        extends = transition.event is CommandType.EXTEND_DEADLINE
        deadlines = transition.starts if extends else (transition.event.expires,)
        return not set(self.off).isdisjoint(deadlines) or not self.is_for(transition, settled)

    def unreachable(self) -> frozenset[str]:
        """Return the ids of the states and transitions that no dispute reaches with this policy."""
        enabled = [transition for transition in self.transitions if not self.disabled(transition)]
        leaves = {
            state.id: frozenset(leaf.id for leaf in self.leaves(state.id)) for state in self.states
        }
        reached: set[str] = set()

        def is_reached(name: str | None) -> bool:
            return name is None or not reached.isdisjoint(leaves[name])

        while more := {
            leaf
            for transition in enabled
            if is_reached(transition.source)
            for leaf in self.entered(transition.target)
        }.difference(reached):
            reached |= more
        possible = {each.id for each in enabled if is_reached(each.source)}
        states = (state.id for state in self.states if not is_reached(state.id))
        transitions = (each.id for each in self.transitions if each.id not in possible)
        return frozenset((*states, *transitions))


# ---- reading a chart -----------------------------------------------------------------------------


def machine_of(version: RuleVersion, policy: Policy, *, any_policy: bool = False) -> Machine:
    """Read a rule version's chart, under the policy with just the fields of this version.

    `any_policy` says that what the policy excludes is to be shown like everything else.

    Raises `ChartError` where two transitions have the same id.
    """
    policy = version.policy(policy)
    rules = list(_rules(version))
    guards = {
        guard.name: guard
        for *_, rule in rules
        for guard in (rule.by, *rule.when, *rule.timing, *rule.needs)
    }
    transitions = [_transition(*declared) for declared in rules]
    ids = [transition.id for transition in transitions]
    if duplicates := [name for name in ids if ids.count(name) > 1]:
        raise ChartError(
            f"{version.chart.__name__}: {duplicates[0]}: two transitions have the same id"
        )
    return Machine(
        rules=version.id,
        label=version.label,
        change=version.change,
        why=version.why,
        options=version.options,
        states=tuple(_states(version.chart.states, (), transitions)),
        transitions=tuple(transitions),
        conditions={name: _condition(guard) for name, guard in guards.items()},
        questions={
            guard.dimension.name: _question(guard.dimension, version, policy)
            for guard in guards.values()
            if isinstance(guard, Selector)
        },
        labels=_labels(version, transitions, guards.values()),
        policy=policy.record,
        off=tuple(deadline for deadline in version.deadlines if not is_on(deadline, policy)),
        any_policy=any_policy,
    )


def _rules(version: RuleVersion) -> Iterator[tuple[str | None, str, CommandType, Rule]]:
    """Iterate over source, target, event and rule of every transition, from the opening on."""
    entry = version.table.entry
    opening = Rule(
        by=entry.by,
        when=(),
        timing=(),
        needs=entry.needs,
        outcome=None,
        starts=entry.starts,
        ends=(),
        expires=None,
        origin=entry.origin,
    )
    initial = next(state.id for state in version.chart.states if state.initial)
    yield None, initial, CommandType.OPEN_DISPUTE, opening
    yield from _chart_rules(version.chart.states)


def _chart_rules(states: Iterable[State]) -> Iterator[tuple[str, str, CommandType, Rule]]:
    for state in states:
        for transition in state.transitions:
            if isinstance(transition, ChartTransition) and transition.target is not None:
                for event in transition.events:
                    yield state.id, transition.target.id, CommandType(event.id), transition.rule
        yield from _chart_rules(state.states)


def _transition(source: str | None, target: str, event: CommandType, rule: Rule) -> TransitionView:
    path = [event.value] if source is None else [source, event.value]
    return TransitionView(
        id="--".join([*path, *("-or-".join(_accepted(selector)) for selector in rule.when)]),
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


def _endings(outcome: Outcomes) -> Iterator[Ending]:
    if outcome is AS_BEFORE:
        yield Ending(option=None, outcome=None)
    elif isinstance(outcome, Outcome):
        yield Ending(option=None, outcome=outcome)
    elif isinstance(outcome, Mapping):
        for option, result in outcome.items():
            yield Ending(option=option, outcome=result)


def _states(
    states: Iterable[State], around: tuple[str, ...], transitions: list[TransitionView]
) -> Iterator[StateNode]:
    for state in states:
        path = (state.id, *around)
        kind: Kind = "parallel" if state.parallel else "compound" if state.states else "leaf"
        expired = {
            transition.event.expires for transition in transitions if transition.source in path
        }
        yield StateNode(
            id=state.id,
            label=_bilingual(StateName(state.id)),
            parent=around[0] if around else None,
            kind=kind,
            initial=bool(state.initial),
            closed=isinstance(state, Leaf) and state.closed,
            deadlines=state.deadlines if isinstance(state, Leaf) else (),
            running=tuple(deadline for deadline in Deadline if deadline in expired)
            if kind == "leaf"
            else (),
        )
        yield from _states(state.states, path, transitions)


def _condition(guard: Guard) -> GuardLabel:
    selector = guard if isinstance(guard, Selector) else None
    return GuardLabel(
        name=guard.name,
        kind=guard.kind,
        label=_bilingual(guard),
        codes=guard.codes,
        question=selector.dimension.name if selector else None,
        accepts=_accepted(selector) if selector else (),
        needs_facts=guard.needs_facts,
        origin=_provenance(guard.source),
    )


def _accepted(selector: Selector) -> tuple[str, ...]:
    return tuple(str(one) for one in selector.dimension.answers if one in selector.accepts)


def _question(dimension: Dimension, version: RuleVersion, policy: Policy) -> SelectorQuestion:
    answers = version.answers(dimension)
    return SelectorQuestion(
        answers={str(answer): Bilingual(zh=zh, en=en) for answer, (zh, en) in answers.items()},
        needs_facts=dimension.needs_facts,
        settled=None if dimension.of_policy is None else dimension.of_policy(policy),
        origin=_provenance(dimension.source),
    )


def _provenance(source: Source) -> Provenance:
    zh, en = source.because
    return Provenance(
        id=source.id,
        kind=source.kind,
        text=_bilingual(source),
        locator=source.locator,
        quote=source.quote,
        because=Bilingual(zh=zh, en=en) if zh else None,
        policy=source.policy,
    )


def _bilingual(labelled: Labelled | Guard | Source) -> Bilingual:
    return Bilingual(zh=labelled.zh, en=labelled.en)


def _labels(
    version: RuleVersion, transitions: Sequence[TransitionView], guards: Iterable[Guard]
) -> dict[str, Bilingual]:
    """Collect the labels of everything that the machine names, by kind and id."""
    named: list[tuple[str, Labelled]] = [
        *(("option", option) for option in version.options),
        *(("event", each.event) for each in transitions),
        *(("role", role) for each in transitions for role in each.roles),
        *(
            ("outcome", outcome)
            for each in transitions
            for outcome in (each.liability, *(ending.outcome for ending in each.endings))
            if outcome is not None
        ),
        *(("deadline", name) for each in transitions for name in (*each.starts, *each.ends)),
        *(("code", code) for guard in guards for code in guard.codes),
    ]
    return {
        f"{kind}.{label.value}": _bilingual(label)
        for kind, label in sorted(named, key=lambda pair: (pair[0], pair[1].value))
    }
