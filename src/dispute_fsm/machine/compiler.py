"""From a chart to the table that runs: read once at import, checked, and refused loudly where it cannot be compiled.

What is refused, and why: callbacks, validators, invokes and delays (a decision has no effects),
transitions without an event and guards by name (found out only when run), history states, regions
within regions, transitions that overlap (the engine takes the first of two without a word), and
transitions whose parts contradict each other.

A dispute is in a *configuration*: one leaf, or, in a parallel state, one leaf of each of its
regions. The table is keyed by configurations, and holds those that a dispute can get into.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations, pairwise, product
from typing import TypeAlias, cast

from statemachine import State
from statemachine.callbacks import CallbackGroup, CallbackSpec
from statemachine.transition import Transition as EngineTransition

from dispute_fsm.domain.canonical_json import digest
from dispute_fsm.domain.enums import (
    LIABILITIES,
    CommandType,
    Deadline,
    EventType,
    Outcome,
    StateName,
)
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import ChartError
from dispute_fsm.machine.chart import Chart, ChartTransition, Condition, Leaf
from dispute_fsm.machine.guard import ActorGuard, Guard, Selector
from dispute_fsm.machine.timing import FAILED
from dispute_fsm.machine.transition_table import (
    QUIET,
    Configuration,
    InitialTransition,
    Rule,
    Transition,
    TransitionTable,
)

RECORDED_AS: Mapping[CommandType, EventType] = FrozenMap(
    {
        CommandType.CHOOSE_OPTION: EventType.OPTION_CHOSEN,
        CommandType.CONFIRM_AGREEMENT: EventType.AGREEMENT_CONFIRMED,
        CommandType.DENY_AGREEMENT: EventType.AGREEMENT_DENIED,
        CommandType.CONFIRMATION_EXPIRED: EventType.AGREEMENT_DENIED,
        CommandType.RULE_NO_FAULT: EventType.AGREEMENT_UPHELD,
        CommandType.SUBMIT_EVIDENCE: EventType.EVIDENCE_SUBMITTED,
        CommandType.EVIDENCE_EXPIRED: EventType.EVIDENCE_OVERDUE,
        CommandType.REQUEST_EVIDENCE: EventType.EVIDENCE_REQUESTED,
        CommandType.EXTEND_DEADLINE: EventType.DEADLINE_EXTENDED,
    }
)
"""What an event is recorded as while the dispute goes on; where it closes the dispute or fails a region, the record says how."""

Leaves: TypeAlias = tuple[Leaf, ...]


def compile_chart(chart: type[Chart], entry: InitialTransition) -> TransitionTable:
    """Compile a chart to its table. Raises `ChartError` that names the chart, the place, and what is wrong there."""
    try:
        return _compile(chart, entry)
    except ChartError as fault:
        msg = f"{chart.__name__}: {fault}"
        raise ChartError(msg) from None


def _compile(chart: type[Chart], entry: InitialTransition) -> TransitionTable:
    if (
        chart.allow_event_without_transition
        or chart.catch_errors_as_events
        or not chart.atomic_configuration_update
    ):
        raise _fault("settings", "derive the chart from Chart and leave its settings as they are")
    _check_no_callbacks(chart, "chart", chart)
    if any("listeners" in vars(base) for base in chart.__mro__):
        raise _fault("chart", "a chart has no listeners")
    leaves = list(_leaves(chart, chart.states))
    ids = [leaf.id for leaf in leaves]
    if twice := [name for name in ids if ids.count(name) > 1]:
        raise _fault(twice[0], "two states have this name")
    declared = {_path(here): here for here in _configurations(chart.states)}
    rows: dict[tuple[str, CommandType], list[Transition]] = defaultdict(list)
    for here in declared.values():
        for leaf, transition in _transitions_of(here):
            for row in _rows(chart, here, leaf, transition):
                rows[row.source, row.event].append(row)
    initial = _path(_enter(next(state for state in chart.states if state.initial)))
    reached = _reached(initial, declared, rows)
    frozen = FrozenMap(
        {key: tuple(alternatives) for key, alternatives in rows.items() if key[0] in reached}
    )
    for alternatives in frozen.values():
        _check_alternatives(alternatives)
    configurations = FrozenMap(
        {path: _configuration(here, frozen) for path, here in declared.items() if path in reached}
    )
    _check_names(entry, chain(*frozen.values()))
    return TransitionTable(
        entry=entry,
        initial=initial,
        configurations=configurations,
        transitions=frozen,
        actors=FrozenMap(_actors(frozen)),
        digest=digest(
            [
                _described_entry(entry, initial),
                *map(_described_configuration, configurations.values()),
                *map(_described, chain(*frozen.values())),
            ]
        ),
    )


def _fault(where: object, what: str) -> ChartError:
    return ChartError(f"{where}: {what}")


# ---- reading the chart ---------------------------------------------------------------------------


def _leaves(chart: type[Chart], states: Iterable[State]) -> Iterator[Leaf]:
    for state in states:
        _check_no_callbacks(chart, state.id, state)
        if state.history:
            raise _fault(state.id, "history states cannot be compiled")
        if state.parallel and any(around.parallel for around in state.ancestors()):
            raise _fault(state.id, "a parallel state within another cannot be compiled")
        if state.states:
            yield from _leaves(chart, state.states)
        elif not isinstance(state, Leaf) or state.id not in set(StateName):
            raise _fault(
                state.id,
                "declare a state without sub-states as Leaf, under a name of the vocabulary",
            )
        else:
            yield state


def _configurations(states: Iterable[State]) -> Iterator[Leaves]:
    """List the ways to be in one of these states, as declared: a leaf by itself, regions in every combination."""
    for state in states:
        if state.parallel:
            yield from (
                tuple(chain(*regions))
                for regions in product(*(_configurations([region]) for region in state.states))
            )
        elif state.states:
            yield from _configurations(state.states)
        else:
            yield (cast("Leaf", state),)


def _transitions_of(here: Leaves) -> Iterator[tuple[Leaf, EngineTransition]]:
    """List what can happen, each leaf's own transitions before those of the states around it, as the engine does, and the leaf."""
    seen = set[int]()
    for leaf in here:
        for state in (leaf, *leaf.ancestors()):
            if id(state) not in seen:  # what is around two regions is around both
                seen.add(id(state))
                yield from (
                    (leaf, transition) for transition in state.transitions if not transition.initial
                )


def _rows(
    chart: type[Chart], here: Leaves, leaf: Leaf, transition: EngineTransition
) -> Iterator[Transition]:
    where = f"{transition.source.id} -> {transition.target and transition.target.id}"
    if not isinstance(transition, ChartTransition):
        raise _fault(
            where,
            (
                "declare it with transition(), so that it has an actor, a provenance and its "
                "guards as functions"
            ),
        )
    if transition.is_eventless:
        raise _fault(where, "a transition without an event cannot be compiled")
    rule = transition.rule
    _check_no_callbacks(chart, where, transition, guards=_guards(rule))
    if transition.target is None or len(transition.targets) > 1:
        raise _fault(where, "a transition has one target")
    if not _possible(rule, here):
        return
    entered = _enter(transition.target)
    source, target, end = _path(here), _path(_after(here, leaf, transition, entered)), entered[0]
    for event in transition.events:
        at = f"{source} on {event.id}"
        if (
            event.id not in set(CommandType)
            or event.id == CommandType.OPEN_DISPUTE.value
            or event.delay
        ):
            raise _fault(
                at, "name it after an event of the vocabulary (not the opening), without a delay"
            )
        name = CommandType(event.id)
        if name.expires is not rule.expires:
            raise _fault(at, "an expiry, and only an expiry, names the deadline that it acts on")
        _check_outcome(at, rule, end)
        if not set(rule.starts) <= set(_stands(entered)):
            raise _fault(at, f"it starts a deadline that does not stand in {end.id}")
        yield Transition(
            source=source,
            event=name,
            target=target,
            records=_records(at, name, leaf, end),
            rule=rule,
            when=tuple(selector for selector in rule.when if not selector.needs_facts),
            when_facts=tuple(selector for selector in rule.when if selector.needs_facts),
        )


def _after(here: Leaves, leaf: Leaf, transition: EngineTransition, entered: Leaves) -> Leaves:
    """Return where a transition leads: within a region, the others stay where they are; out of it, they are left as well."""
    region = _region(cast("State", transition.target))
    if region is None:
        return entered
    if region is not _region(transition.source):
        where = f"{transition.source.id} -> {cast('State', transition.target).id}"
        raise _fault(
            where,
            (
                "a transition into a region comes from within it; from elsewhere it leads to the "
                "parallel state"
            ),
        )
    return tuple(entered[0] if other is leaf else other for other in here)


def _possible(rule: Rule, here: Leaves) -> bool:
    """Tell whether what has failed so far, by the configuration, can be what the rule asks for."""
    answers = set(FAILED.answers) - {"none"} if any(leaf.failed for leaf in here) else {"none"}
    return all(
        selector.dimension is not FAILED or selector.accepts & answers for selector in rule.when
    )


def _guards(rule: Rule) -> tuple[Guard, ...]:
    return (rule.by, *rule.when, *rule.timing, *rule.needs)


def _enter(state: State) -> Leaves:
    """Go down to the leaf that entering a state leads to, or the leaves, where it is parallel."""
    if state.parallel:
        return tuple(chain(*map(_enter, state.states)))
    if state.states:
        return _enter(next(child for child in state.states if child.initial))
    if not isinstance(state, Leaf):
        raise _fault(state.id, "declare a state without sub-states as Leaf")
    return (state,)


def _region(state: State) -> State | None:
    """Return the region of a parallel state that a state is, or lies in; None where it lies in none."""
    around = (state, *state.ancestors())
    return next((inner for inner, outer in pairwise(around) if outer.parallel), None)


def _path(here: Leaves) -> str:
    return ",".join(
        ".".join(state.id for state in (*reversed(list(leaf.ancestors())), leaf)) for leaf in here
    )


def _stands(here: Leaves) -> tuple[Deadline, ...]:
    return tuple(chain(*(leaf.deadlines for leaf in here)))


def _configuration(
    here: Leaves, rows: Mapping[tuple[str, CommandType], tuple[Transition, ...]]
) -> Configuration:
    path, stands = _path(here), _stands(here)
    expiring = tuple(
        event.expires for source, event in rows if source == path and event.expires is not None
    )
    if not set(expiring) <= set(stands):
        raise _fault(path, "a deadline that expires here has to stand here")
    parallel = next((state for state in here[0].ancestors() if state.parallel), here[0])
    return Configuration(
        path=path,
        state=StateName(parallel.id),
        states=tuple(StateName(leaf.id) for leaf in here),
        closed=here[0].closed,
        deadlines=stands,
        running=tuple(
            tuple(one for one in expiring if one in leaf.deadlines)
            for leaf in here
            if not leaf.failed and not leaf.closed
        ),
    )


def _records(where: str, event: CommandType, source: Leaf, target: Leaf) -> EventType:
    if target.closed:
        if source.closed:
            return EventType.PENALTY_ANNULLED
        return (
            EventType.DISPUTE_PENALIZED
            if target.id == StateName.PENALIZED.value
            else EventType.DISPUTE_RESOLVED
        )
    if target.failed:
        return EventType(target.id)
    if event not in RECORDED_AS:
        raise _fault(
            where,
            (
                "nothing says as what an event that leaves the dispute open is recorded; add it "
                "to RECORDED_AS"
            ),
        )
    return RECORDED_AS[event]


def _actors(
    rows: Mapping[tuple[str, CommandType], tuple[Transition, ...]],
) -> dict[CommandType, ActorGuard]:
    actors: dict[CommandType, ActorGuard] = {}
    for (path, event), alternatives in rows.items():
        for row in alternatives:
            if actors.setdefault(event, row.rule.by).name != row.rule.by.name:
                raise _fault(
                    f"{path} on {event.value}", "the same event is for the same actors everywhere"
                )
    return actors


# ---- what cannot be compiled ---------------------------------------------------------------------


def _callbacks(of: type[Chart] | State | EngineTransition) -> Iterable[CallbackSpec]:
    """List every callback that the engine would call there, by the groups in which the library keeps them."""
    if isinstance(of, EngineTransition):
        return chain(of.validators, of.cond, of.before, of.on, of.after)
    return chain(of.enter, of.exit, of.invoke) if isinstance(of, State) else of.prepare


def _check_no_callbacks(
    chart: type[Chart],
    where: str,
    of: type[Chart] | State | EngineTransition,
    guards: tuple[Guard, ...] = (),
) -> None:
    conditions: list[object] = []
    for spec in _callbacks(of):
        if spec.is_convention:
            if hasattr(chart, spec.attr_name):
                raise _fault(where, f"{spec.attr_name} is a callback; a chart has none")
        elif spec.group is CallbackGroup.COND and spec.expected_value is True:
            conditions.append(
                spec.guard if isinstance(spec, Condition) else cast("object", spec.func)
            )
        else:
            raise _fault(
                where,
                (
                    f"{spec.attr_name} is a callback, a validator or an inverted guard; a chart "
                    "has none"
                ),
            )
    if conditions != list(guards):
        raise _fault(where, "its conditions are not the guards that it was declared with")


def _check_outcome(where: str, rule: Rule, target: Leaf) -> None:
    outcome = rule.outcome
    ends = (
        set[Outcome]()
        if outcome is None
        else {outcome}
        if isinstance(outcome, Outcome)
        else set(outcome.values())
    )
    if bool(ends) != target.closed:
        raise _fault(
            where, "a transition has an outcome where it closes the dispute, and only there"
        )
    if any((end in LIABILITIES) != (target.id == StateName.PENALIZED.value) for end in ends):
        raise _fault(where, f"the outcome does not belong to {target.id}")
    if target.failed != (rule.liability in LIABILITIES):
        raise _fault(where, "a transition has a liability where it fails a region, and only there")
    if isinstance(outcome, Mapping):
        options = [
            selector.accepts for selector in rule.when if selector.dimension.name == "option"
        ]
        if options != [frozenset(option.value for option in outcome)]:
            raise _fault(
                where, "an outcome for each option goes with a selector of just these options"
            )


def _check_alternatives(rows: Sequence[Transition]) -> None:
    """Check the rows of one event in one place: told apart by their selectors, and by facts alone without a gap.

    Rows that only facts tell apart are in time or late together, since facts are looked at last.
    """
    where = f"{rows[0].source} on {rows[0].event.value}"
    for row in rows:
        dimensions = [selector.dimension.name for selector in row.rule.when]
        if len(set(dimensions)) < len(dimensions):
            raise _fault(where, "a row asks the same question twice")
    for one, other in combinations(rows, 2):
        if not _apart(one.rule.when, other.rule.when):
            raise _fault(where, f"the rows to {one.target} and {other.target} overlap")
        if _timed(one) != _timed(other) and not _apart(one.when, other.when):
            raise _fault(where, "rows that only facts tell apart are in time or late together")
    if rows[0].event not in QUIET:
        for alike in _alike(rows):
            for dimension in {selector.dimension for row in alike for selector in row.when_facts}:
                answered = {
                    answer for row in alike for fact in row.when_facts for answer in fact.accepts
                }
                if answered != set(dimension.answers):
                    raise _fault(where, f"no row applies for some answers to {dimension.name}")


def _alike(rows: Sequence[Transition]) -> Iterator[list[Transition]]:
    """Go through the rows that only facts tell apart, for every combination of other answers that the rows ask for."""
    asked: dict[str, set[str]] = {}
    for selector in chain(*(row.when for row in rows)):
        asked.setdefault(selector.dimension.name, set()).update(selector.accepts)
    for answers in product(*asked.values()):
        given = dict(zip(asked, answers, strict=True))
        yield [
            row
            for row in rows
            if all(given[selector.dimension.name] in selector.accepts for selector in row.when)
        ]


def _apart(one: Iterable[Selector], other: Iterable[Selector]) -> bool:
    """Tell whether a question of both leaves no answer that both accept."""
    answers = {selector.dimension.name: selector.accepts for selector in one}
    return any(
        answers.get(selector.dimension.name, selector.accepts).isdisjoint(selector.accepts)
        for selector in other
    )


def _timed(row: Transition) -> list[str]:
    return [guard.name for guard in row.rule.timing]


def _reached(
    initial: str,
    configurations: Mapping[str, Leaves],
    rows: Mapping[tuple[str, CommandType], Iterable[Transition]],
) -> frozenset[str]:
    """Find where a dispute can get to; every leaf of the chart has to be among it, and nothing else."""
    reached = {initial}
    while (
        more := {row.target for (path, _), many in rows.items() if path in reached for row in many}
        - reached
    ):
        reached |= more
    if strange := sorted(reached - set(configurations)):
        raise _fault(strange[0], "a transition leads here, but it is no state of this chart")
    leaves = {id(leaf) for path in reached for leaf in configurations[path]}
    if lost := sorted(
        _path((leaf,))
        for here in configurations.values()
        for leaf in here
        if id(leaf) not in leaves
    ):
        raise _fault(lost[0], "no transition leads here")
    return frozenset(reached)


def _check_names(entry: InitialTransition, rows: Iterable[Transition]) -> None:
    """Check that a guard's name means one guard: cases, records and this compiler tell guards apart by name."""
    looks: dict[str, tuple[str, str]] = {}
    for guard in (entry.by, *entry.needs, *(guard for row in rows for guard in _guards(row.rule))):
        condition = (guard.condition.__module__, guard.condition.__qualname__)
        if looks.setdefault(guard.name, condition) != condition:
            raise _fault(guard.name, "two guards have this name")


# ---- the digest ----------------------------------------------------------------------------------


def _described(row: Transition) -> dict[str, object]:
    rule, outcome = row.rule, row.rule.outcome
    by_option = (
        {option.value: end.value for option, end in outcome.items()}
        if isinstance(outcome, Mapping)
        else outcome
    )
    described: dict[str, object] = {
        "source": row.source,
        "event": row.event,
        "target": row.target,
        "records": row.records,
        "guards": [[guard.kind, guard.name, *guard.codes] for guard in _guards(rule)],
        "outcome": by_option,
        "starts": list(rule.starts),
        "ends": list(rule.ends),
    }
    # Where nothing runs side by side, the description is that of the first release: histories have
    # recorded its digest.
    return described if rule.liability is None else {**described, "liability": rule.liability}


def _described_entry(entry: InitialTransition, initial: str) -> dict[str, object]:
    return {
        "target": initial,
        "guards": [guard.name for guard in (entry.by, *entry.needs)],
        "starts": list(entry.starts),
    }


def _described_configuration(place: Configuration) -> dict[str, object]:
    return {"path": place.path, "closed": place.closed, "stands": list(place.deadlines)}
