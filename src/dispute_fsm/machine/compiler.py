"""Compile a chart to the table that runs: once, with checks that fail loudly.

What is refused, and why: callbacks, validators, invokes and delays (a decision has no effects),
transitions without an event and guards by name (found out only when run), history states, regions
within regions, transitions that overlap (the engine takes the first of two without a word), and
transitions whose parts contradict each other or the vocabulary.

The table is keyed by *configurations*: one leaf, or, in a parallel state, one leaf of each of its
regions. It holds those that can be reached.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import chain, combinations, pairwise, product
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from statemachine import State
from statemachine.callbacks import CallbackGroup, CallbackSpec
from statemachine.transition import Transition as EngineTransition

from dispute_fsm.errors import ChartError
from dispute_fsm.machine.chart import (
    Chart,
    ChartTransition,
    CommandRule,
    Condition,
    Leaf,
    Vocabulary,
)
from dispute_fsm.machine.guard import ActorGuard, CaseT, Guard, Selector
from dispute_fsm.machine.transition_table import (
    AS_BEFORE,
    CommandT,
    Configuration,
    DeadlineT,
    EventT,
    InitialTransition,
    Rule,
    StateT,
    Transition,
    TransitionTable,
)

Leaves: TypeAlias = tuple[Leaf, ...]
_Rows: TypeAlias = Mapping[tuple[str, str], tuple[Transition, ...]]


def compile_chart(
    chart: type[Chart],
    entry: InitialTransition[CaseT, DeadlineT],
    vocabulary: Vocabulary[StateT, CommandT, EventT, DeadlineT],
) -> TransitionTable[CaseT, StateT, CommandT, EventT, DeadlineT, Any]:
    """Compile a chart. Raises `ChartError` that names the place and what is wrong there."""
    try:
        return _compile(chart, entry, vocabulary)
    except ChartError as error:
        raise ChartError(f"{chart.__name__}: {error}") from None


def _compile(chart: type[Chart], entry: InitialTransition, words: Vocabulary) -> TransitionTable:
    if (
        chart.allow_event_without_transition
        or chart.catch_errors_as_events
        or not chart.atomic_configuration_update
    ):
        raise _error("settings", "derive the chart from Chart and leave its settings as they are")
    _check_no_callbacks(chart, "chart", chart)
    if any("listeners" in vars(base) for base in chart.__mro__):
        raise _error("chart", "a chart has no listeners")
    leaves = list(_leaves(chart, chart.states, words))
    ids = [leaf.id for leaf in leaves]
    if twice := [name for name in ids if ids.count(name) > 1]:
        raise _error(twice[0], "two states have this name")
    declared = {_path(here): here for here in _configurations(chart.states)}
    rows: dict[tuple[str, str], list[Transition]] = defaultdict(list)
    for here in declared.values():
        for leaf, transition in _transitions_of(here):
            for row in _rows(chart, here, leaf, transition, words):
                rows[row.source, row.event].append(row)
    initial = _path(_enter(next(state for state in chart.states if state.initial)))
    reached = _reached(initial, declared, rows)
    transitions: _Rows = MappingProxyType(
        {key: tuple(alternatives) for key, alternatives in rows.items() if key[0] in reached}
    )
    for alternatives in transitions.values():
        _check_alternatives(alternatives, words)
    configurations = {
        path: _configuration(here, transitions, words)
        for path, here in declared.items()
        if path in reached
    }
    _check_names(entry, chain(*transitions.values()))
    described = [
        _described_entry(entry, initial),
        *map(_described_configuration, configurations.values()),
        *map(_described, chain(*transitions.values())),
    ]
    return TransitionTable(
        entry=entry,
        initial=initial,
        configurations=MappingProxyType(configurations),
        transitions=transitions,
        actors=MappingProxyType(_actors(transitions)),
        quiet=frozenset(name for name, rule in words.commands.items() if rule.quiet),
        digest=_digest(described),
    )


def _error(where: object, what: str) -> ChartError:
    return ChartError(f"{where}: {what}")


# ---- reading the chart ---------------------------------------------------------------------------


def _leaves(chart: type[Chart], states: Iterable[State], words: Vocabulary) -> Iterator[Leaf]:
    for state in states:
        _check_no_callbacks(chart, state.id, state)
        if state.history:
            raise _error(state.id, "history states cannot be compiled")
        if state.parallel and any(around.parallel for around in state.ancestors()):
            raise _error(state.id, "a parallel state within another cannot be compiled")
        if state.states:
            yield from _leaves(chart, state.states, words)
        elif not isinstance(state, Leaf) or state.id not in words.states:
            raise _error(
                state.id,
                "declare a state without sub-states as Leaf, under a name of the vocabulary",
            )
        elif state.closed and not state.outcomes:
            raise _error(state.id, "say which outcomes a closed state may have")
        else:
            yield state


def _configurations(states: Iterable[State]) -> Iterator[Leaves]:
    """List the configurations of these states, in the order of declaration."""
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
    """List transitions with their leaf: its own before those of the states around it."""
    seen = set[int]()
    for leaf in here:
        for state in (leaf, *leaf.ancestors()):
            if id(state) not in seen:  # what is around two regions is around both
                seen.add(id(state))
                yield from (
                    (leaf, transition) for transition in state.transitions if not transition.initial
                )


def _rows(
    chart: type[Chart], here: Leaves, leaf: Leaf, transition: EngineTransition, words: Vocabulary
) -> Iterator[Transition]:
    where = f"{transition.source.id} -> {transition.target and transition.target.id}"
    if not isinstance(transition, ChartTransition):
        raise _error(
            where,
            "declare it with transition(), so that it has an actor, a provenance and its guards as "
            "functions",
        )
    if transition.is_eventless:
        raise _error(where, "a transition without an event cannot be compiled")
    rule = transition.rule
    _check_no_callbacks(chart, where, transition, guards=rule.guards)
    if transition.target is None or len(transition.targets) > 1:
        raise _error(where, "a transition has one target")
    if not _possible(rule, here):
        return
    entered = _enter(transition.target)
    source, target, end = _path(here), _path(_after(here, leaf, transition, entered)), entered[0]
    for event in transition.events:
        at = f"{source} on {event.id}"
        command = next((one for one in words.commands if one == event.id), None)
        if command is None or event.delay:
            raise _error(
                at, "name it after a command of the vocabulary (not the opening), without a delay"
            )
        if words.commands[command].expires is not rule.expires:
            raise _error(at, "an expiry, and only an expiry, names the deadline that it acts on")
        _check_outcome(at, rule, leaf, end)
        if not set(rule.starts) <= set(_deadlines(entered)):
            raise _error(at, f"it starts a deadline that does not run in {end.id}")
        yield Transition(
            source=source,
            event=command,
            target=target,
            records=_records(at, words.commands[command], leaf, end),
            rule=rule,
            when=tuple(selector for selector in rule.when if not selector.needs_facts),
            when_facts=tuple(selector for selector in rule.when if selector.needs_facts),
        )


def _after(here: Leaves, leaf: Leaf, transition: EngineTransition, entered: Leaves) -> Leaves:
    """Return where a transition leads: within a region the others stay, out of it they are left."""
    region = _region(cast("State", transition.target))
    if region is None:
        return entered
    if region is not _region(transition.source):
        where = f"{transition.source.id} -> {cast('State', transition.target).id}"
        raise _error(
            where,
            "a transition into a region comes from within it; from elsewhere it leads to the "
            "parallel state",
        )
    return tuple(entered[0] if other is leaf else other for other in here)


def _possible(rule: Rule, here: Leaves) -> bool:
    """Tell whether what has failed so far, by the configuration, can be what the rule asks for."""
    has_failed = any(leaf.failures for leaf in here)
    return all(
        (bool(selector.accepts - {"none"}) if has_failed else "none" in selector.accepts)
        for selector in rule.when
        if selector.dimension.failed
    )


def _enter(state: State) -> Leaves:
    """Go down to the leaf that entering a state leads to, or the leaves, where it is parallel."""
    if state.parallel:
        return tuple(chain(*map(_enter, state.states)))
    if state.states:
        return _enter(next(child for child in state.states if child.initial))
    if not isinstance(state, Leaf):
        raise _error(state.id, "declare a state without sub-states as Leaf")
    return (state,)


def _region(state: State) -> State | None:
    """Return the region of a parallel state in which a state is; None where it is in none."""
    around = (state, *state.ancestors())
    return next((inner for inner, outer in pairwise(around) if outer.parallel), None)


def _path(here: Leaves) -> str:
    return ",".join(
        ".".join(state.id for state in (*reversed(list(leaf.ancestors())), leaf)) for leaf in here
    )


def _deadlines(here: Leaves) -> tuple[Any, ...]:
    return tuple(chain(*(leaf.deadlines for leaf in here)))


def _configuration(here: Leaves, rows: _Rows, words: Vocabulary) -> Configuration:
    path, deadlines = _path(here), _deadlines(here)
    expiries = (words.commands[command].expires for source, command in rows if source == path)
    expiring = tuple(deadline for deadline in expiries if deadline is not None)
    if not set(expiring) <= set(deadlines):
        raise _error(path, "a deadline that expires here has to run here")
    if here[0].closed and set(expiring) != set(deadlines):
        raise _error(path, "a deadline that runs in a closed state has to expire there")
    parallel = next((state for state in here[0].ancestors() if state.parallel), here[0])
    return Configuration(
        path=path,
        state=words.states[parallel.id],
        states=tuple(words.states[leaf.id] for leaf in here),
        closed=here[0].closed,
        deadlines=deadlines,
        running=tuple(
            tuple(deadline for deadline in expiring if deadline in leaf.deadlines)
            for leaf in here
            if not leaf.failures and (leaf.deadlines or not leaf.closed)
        ),
        outcomes=here[0].outcomes,
    )


def _records(where: str, command: CommandRule, source: Leaf, target: Leaf) -> Any:  # noqa: ANN401 -- an event of whatever domain
    """Return what records a transition: as the state that it enters says, else the command."""
    by_state = target.records if target is not source else None
    records = command.records if by_state is None else command.records_end or by_state
    if records is None:
        raise _error(
            where, "neither the command nor the state that it enters says as what it is recorded"
        )
    return records


def _actors(rows: _Rows) -> dict[str, ActorGuard]:
    actors: dict[str, ActorGuard] = {}
    for (path, command), alternatives in rows.items():
        for row in alternatives:
            if actors.setdefault(command, row.rule.by).name != row.rule.by.name:
                raise _error(
                    f"{path} on {command}", "the same command is for the same actors everywhere"
                )
    return actors


# ---- what cannot be compiled ---------------------------------------------------------------------


def _callbacks(of: type[Chart] | State | EngineTransition) -> Iterable[CallbackSpec]:
    """List every callback that the engine would call there, by the library's groups."""
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
                raise _error(where, f"{spec.attr_name} is a callback; a chart has none")
        elif spec.group is CallbackGroup.COND and spec.expected_value is True:
            conditions.append(
                spec.guard if isinstance(spec, Condition) else cast("object", spec.func)
            )
        else:
            raise _error(
                where,
                (
                    f"{spec.attr_name} is a callback, a validator or an inverted guard; a chart "
                    "has none"
                ),
            )
    if conditions != list(guards):
        raise _error(where, "its conditions are not the guards that it was declared with")


def _check_outcome(where: str, rule: Rule, source: Leaf, target: Leaf) -> None:
    outcome = rule.outcome
    if outcome is None:
        outcomes = frozenset[str]()
    elif outcome is AS_BEFORE:
        outcomes = source.outcomes
    else:
        outcomes = frozenset(outcome.values() if isinstance(outcome, Mapping) else (outcome,))
    if bool(outcomes) != bool(target.outcomes):
        raise _error(
            where,
            "a transition has an outcome where it leads to a state that has one, and only there",
        )
    if not outcomes <= target.outcomes:
        unknown = min(outcomes - target.outcomes)
        raise _error(where, f"{unknown} is none of the outcomes of {target.id}")
    if (rule.liability is not None) != bool(target.failures):
        raise _error(where, "a transition has a liability where it fails a region, and only there")
    if rule.liability is not None and rule.liability not in target.failures:
        raise _error(where, f"{rule.liability} is none of the failures of {target.id}")
    if isinstance(outcome, Mapping) and frozenset(outcome) not in {
        selector.accepts for selector in rule.when
    }:
        raise _error(where, "an outcome for each answer goes with a selector of just these answers")


def _check_alternatives(rows: Sequence[Transition], words: Vocabulary) -> None:
    """Check that the alternatives of one command do not overlap, and by facts leave no gap.

    Rows that only facts tell apart are in time or late together, since facts are looked at last.
    """
    where = f"{rows[0].source} on {rows[0].event}"
    for row in rows:
        dimensions = [selector.dimension.name for selector in row.rule.when]
        if len(set(dimensions)) < len(dimensions):
            raise _error(where, "a row asks the same question twice")
    for one, other in combinations(rows, 2):
        if not _apart(one.rule.when, other.rule.when):
            raise _error(where, f"the rows to {one.target} and {other.target} overlap")
        if _timed(one) != _timed(other) and not _apart(one.when, other.when):
            raise _error(where, "rows that only facts tell apart are in time or late together")
    if not words.commands[rows[0].event].quiet:
        for alike in _alike(rows):
            for dimension in {selector.dimension for row in alike for selector in row.when_facts}:
                answered = {
                    answer for row in alike for fact in row.when_facts for answer in fact.accepts
                }
                if answered != set(dimension.answers):
                    raise _error(where, f"no row applies for some answers to {dimension.name}")


def _alike(rows: Sequence[Transition]) -> Iterator[list[Transition]]:
    """List the alternatives that only facts tell apart, for each combination of other answers."""
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
    rows: Mapping[tuple[str, str], Iterable[Transition]],
) -> frozenset[str]:
    """Find the configurations that can be reached: every leaf of the chart, and nothing else."""
    reached = {initial}
    while (
        more := {row.target for (path, _), many in rows.items() if path in reached for row in many}
        - reached
    ):
        reached |= more
    if strange := sorted(reached - set(configurations)):
        raise _error(strange[0], "a transition leads here, but it is no state of this chart")
    leaves = {id(leaf) for path in reached for leaf in configurations[path]}
    if lost := sorted(
        _path((leaf,))
        for here in configurations.values()
        for leaf in here
        if id(leaf) not in leaves
    ):
        raise _error(lost[0], "no transition leads here")
    return frozenset(reached)


def _check_names(entry: InitialTransition, rows: Iterable[Transition]) -> None:
    """Check that a guard's name means one guard, for guards are told apart by name."""
    conditions: dict[str, tuple[str, str]] = {}
    for guard in (entry.by, *entry.needs, *(guard for row in rows for guard in row.rule.guards)):
        condition = (guard.condition.__module__, guard.condition.__qualname__)
        if conditions.setdefault(guard.name, condition) != condition:
            raise _error(guard.name, "two guards have this name")


# ---- the digest ----------------------------------------------------------------------------------


def _digest(described: list[dict[str, object]]) -> str:
    """Return the SHA-256 of the description's RFC 8785 form; for ASCII `json` can write that."""
    text = json.dumps(described, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _described(row: Transition) -> dict[str, object]:
    rule, outcome = row.rule, row.rule.outcome
    described: dict[str, object] = {
        "source": row.source,
        "event": row.event,
        "target": row.target,
        "records": row.records,
        "guards": [[guard.kind, guard.name, *guard.codes] for guard in rule.guards],
        "outcome": outcome.value if outcome is AS_BEFORE else outcome,
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


def _described_configuration(configuration: Configuration) -> dict[str, object]:
    return {
        "path": configuration.path,
        "closed": configuration.closed,
        "stands": list(configuration.deadlines),
    }
