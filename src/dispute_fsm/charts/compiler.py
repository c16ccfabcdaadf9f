"""From a chart to the table that runs: read once at import, checked, and refused loudly where it cannot be compiled.

What is refused, and why: callbacks, validators, invokes and delays (a decision has no effects), edges without an event
and guards by name (found out only when run), parallel and history states, edges that overlap (the engine takes the first
of two without a word), and edges whose parts contradict each other.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, combinations
from typing import cast

from statemachine import State
from statemachine.callbacks import CallbackGroup, CallbackSpec
from statemachine.transition import Transition

from dispute_fsm.charts.declare import Chart, Edge, Leaf
from dispute_fsm.charts.table import QUIET, Entry, Place, Row, Rule, Table
from dispute_fsm.errors import ChartError
from dispute_fsm.rules.canonical import digest
from dispute_fsm.rules.guards import ActorGuard, Guard
from dispute_fsm.rules.strict import FrozenMap
from dispute_fsm.rules.vocabulary import LIABILITIES, EventName, EventType, Outcome, StateName

RECORDED_AS: Mapping[EventName, EventType] = FrozenMap(
    {
        EventName.CHOOSE_OPTION: EventType.OPTION_CHOSEN,
        EventName.CONFIRM_AGREEMENT: EventType.AGREEMENT_CONFIRMED,
        EventName.DENY_AGREEMENT: EventType.AGREEMENT_DENIED,
        EventName.CONFIRMATION_EXPIRED: EventType.AGREEMENT_DENIED,
        EventName.RULE_NO_FAULT: EventType.AGREEMENT_UPHELD,
        EventName.SUBMIT_EVIDENCE: EventType.EVIDENCE_SUBMITTED,
        EventName.EVIDENCE_EXPIRED: EventType.EVIDENCE_OVERDUE,
        EventName.REQUEST_EVIDENCE: EventType.EVIDENCE_REQUESTED,
        EventName.EXTEND_DEADLINE: EventType.DEADLINE_EXTENDED,
    }
)
"""What an event is recorded as while the dispute goes on; where it closes the dispute, the record says how."""


def compile_chart(chart: type[Chart], entry: Entry) -> Table:
    """Compile a chart to its table. Raises `ChartError` that names the chart, the place, and what is wrong there."""
    try:
        return _compile(chart, entry)
    except ChartError as fault:
        msg = f"{chart.__name__}: {fault}"
        raise ChartError(msg) from None


def _compile(chart: type[Chart], entry: Entry) -> Table:
    if chart.allow_event_without_transition or chart.catch_errors_as_events or not chart.atomic_configuration_update:
        raise _fault("settings", "derive the chart from Chart and leave its settings as they are")
    _check_no_callbacks(chart, "chart", chart)
    if any("listeners" in vars(base) for base in chart.__mro__):
        raise _fault("chart", "a chart has no listeners")
    leaves = list(_leaves(chart, chart.states))
    ids = [leaf.id for leaf in leaves]
    if twice := [name for name in ids if ids.count(name) > 1]:
        raise _fault(twice[0], "two states have this name")
    rows: dict[tuple[str, EventName], list[Row]] = defaultdict(list)
    for leaf in leaves:
        for transition in _transitions_of(leaf):
            for row in _rows(chart, leaf, transition):
                rows[row.source, row.event].append(row)
    for alternatives in rows.values():
        _check_alternatives(alternatives)
    frozen = FrozenMap({key: tuple(alternatives) for key, alternatives in rows.items()})
    places = FrozenMap({_path(leaf): _place(leaf, frozen) for leaf in leaves})
    initial = _path(_enter(next(state for state in chart.states if state.initial)))
    _check_reachable(initial, places, frozen)
    _check_names(entry, chain(*frozen.values()))
    return Table(
        entry=entry,
        initial=initial,
        places=places,
        rows=frozen,
        actors=FrozenMap(_actors(frozen)),
        digest=digest(
            [_described_entry(entry, initial), *map(_described_place, places.values()), *map(_described, chain(*frozen.values()))]
        ),
    )


def _fault(where: object, what: str) -> ChartError:
    return ChartError(f"{where}: {what}")


# ---- reading the chart -------------------------------------------------------------------------------------------------


def _leaves(chart: type[Chart], states: Iterable[State]) -> Iterator[Leaf]:
    for state in states:
        _check_no_callbacks(chart, state.id, state)
        if state.parallel or state.history:
            raise _fault(state.id, "parallel and history states cannot be compiled")
        if state.states:
            yield from _leaves(chart, state.states)
        elif not isinstance(state, Leaf) or state.id not in set(StateName):
            raise _fault(state.id, "declare a state without sub-states as Leaf, under a name of the vocabulary")
        else:
            yield state


def _transitions_of(leaf: Leaf) -> Iterator[Transition]:
    """List what can happen in a leaf, the leaf's own edges before those of the states around it, as the engine does."""
    for state in (leaf, *leaf.ancestors()):
        yield from (transition for transition in state.transitions if not transition.initial)


def _rows(chart: type[Chart], leaf: Leaf, transition: Transition) -> Iterator[Row]:
    where = f"{transition.source.id} -> {transition.target and transition.target.id}"
    if not isinstance(transition, Edge):
        raise _fault(where, "declare it with edge(), so that it has an actor, a provenance and its guards as functions")
    if transition.is_eventless:
        raise _fault(where, "an edge without an event cannot be compiled")
    rule, target = transition.rule, transition.target
    _check_no_callbacks(chart, where, transition, guards=_guards(rule))
    if target is None or len(transition.targets) > 1:
        raise _fault(where, "an edge has one target")
    end = _enter(target)
    for event in transition.events:
        here = f"{_path(leaf)} on {event.id}"
        if event.id not in set(EventName) or event.id == EventName.OPEN_DISPUTE.value or event.delay:
            raise _fault(here, "name it after an event of the vocabulary (not the opening), without a delay")
        name = EventName(event.id)
        if name.expires is not rule.expires:
            raise _fault(here, "an expiry, and only an expiry, names the deadline that it acts on")
        _check_outcome(here, rule, end)
        if not set(rule.starts) <= set(end.stands):
            raise _fault(here, f"it starts a deadline that does not stand in {end.id}")
        yield Row(
            source=_path(leaf),
            event=name,
            target=_path(end),
            records=_records(here, name, leaf, end),
            rule=rule,
            when=tuple(selector for selector in rule.when if not selector.needs_facts),
            when_facts=tuple(selector for selector in rule.when if selector.needs_facts),
        )


def _guards(rule: Rule) -> tuple[Guard, ...]:
    return (rule.by, *rule.when, *rule.timing, *rule.needs)


def _enter(state: State) -> Leaf:
    """Go down to the leaf that entering a state leads to."""
    while state.states:
        state = next(child for child in state.states if child.initial)
    if not isinstance(state, Leaf):
        raise _fault(state.id, "declare a state without sub-states as Leaf")
    return state


def _path(leaf: Leaf) -> str:
    return ".".join(state.id for state in (*reversed(list(leaf.ancestors())), leaf))


def _place(leaf: Leaf, rows: Mapping[tuple[str, EventName], tuple[Row, ...]]) -> Place:
    path = _path(leaf)
    running = tuple(event.expires for source, event in rows if source == path and event.expires is not None)
    if not set(running) <= set(leaf.stands):
        raise _fault(path, "a deadline that expires here has to stand here")
    return Place(path, StateName(leaf.id), leaf.closed, leaf.stands, running)


def _records(where: str, event: EventName, source: Leaf, target: Leaf) -> EventType:
    if target.closed:
        if source.closed:
            return EventType.PENALTY_ANNULLED
        return EventType.DISPUTE_PENALIZED if target.id == StateName.PENALIZED.value else EventType.DISPUTE_RESOLVED
    if event not in RECORDED_AS:
        raise _fault(where, "nothing says as what an event that leaves the dispute open is recorded; add it to RECORDED_AS")
    return RECORDED_AS[event]


def _actors(rows: Mapping[tuple[str, EventName], tuple[Row, ...]]) -> dict[EventName, ActorGuard]:
    actors: dict[EventName, ActorGuard] = {}
    for (path, event), alternatives in rows.items():
        for row in alternatives:
            if actors.setdefault(event, row.rule.by).name != row.rule.by.name:
                raise _fault(f"{path} on {event.value}", "the same event is for the same actors everywhere")
    return actors


# ---- what cannot be compiled -------------------------------------------------------------------------------------------


def _callbacks(of: type[Chart] | State | Transition) -> Iterable[CallbackSpec]:
    """List every callback that the engine would call there, by the groups in which the library keeps them."""
    if isinstance(of, Transition):
        return chain(of.validators, of.cond, of.before, of.on, of.after)
    return chain(of.enter, of.exit, of.invoke) if isinstance(of, State) else of.prepare


def _check_no_callbacks(chart: type[Chart], where: str, of: type[Chart] | State | Transition, guards: tuple[Guard, ...] = ()) -> None:
    expected = [guard.holds for guard in guards]
    conditions: list[object] = []
    for spec in _callbacks(of):
        if spec.is_convention:
            if hasattr(chart, spec.attr_name):
                raise _fault(where, f"{spec.attr_name} is a callback; a chart has none")
        elif spec.group is CallbackGroup.COND and spec.expected_value is True:
            conditions.append(cast("object", spec.func))
        else:
            raise _fault(where, f"{spec.attr_name} is a callback, a validator or an inverted guard; a chart has none")
    if conditions != expected:
        raise _fault(where, "its conditions are not the guards that it was declared with")


def _check_outcome(where: str, rule: Rule, target: Leaf) -> None:
    outcome = rule.outcome
    ends = set[Outcome]() if outcome is None else {outcome} if isinstance(outcome, Outcome) else set(outcome.values())
    if bool(ends) != target.closed:
        raise _fault(where, "an edge has an outcome where it closes the dispute, and only there")
    if any((end in LIABILITIES) != (target.id == StateName.PENALIZED.value) for end in ends):
        raise _fault(where, f"the outcome does not belong to {target.id}")
    if isinstance(outcome, Mapping):
        options = [selector.accepts for selector in rule.when if selector.dimension.name == "option"]
        if options != [frozenset(option.value for option in outcome)]:
            raise _fault(where, "an outcome for each option goes with a selector of just these options")


def _check_alternatives(rows: list[Row]) -> None:
    """Check the rows of one event in one state: told apart by their selectors, in time or late together, no gap by facts."""
    where = f"{rows[0].source} on {rows[0].event.value}"
    for row in rows:
        dimensions = [selector.dimension.name for selector in row.rule.when]
        if len(set(dimensions)) < len(dimensions):
            raise _fault(where, "a row asks the same question twice")
        if [guard.name for guard in row.rule.timing] != [guard.name for guard in rows[0].rule.timing]:
            raise _fault(where, "the rows of one event in one state are in time or late together")
    for one, other in combinations(rows, 2):
        answers = {selector.dimension.name: selector.accepts for selector in one.rule.when}
        if not any(answers.get(selector.dimension.name, selector.accepts).isdisjoint(selector.accepts) for selector in other.rule.when):
            raise _fault(where, f"the rows to {one.target} and {other.target} overlap")
    if rows[0].event not in QUIET:
        for row in rows:
            alike = [other for other in rows if [one.name for one in other.when] == [one.name for one in row.when]]
            for selector in row.when_facts:
                answered = {answer for other in alike for fact in other.when_facts for answer in fact.accepts}
                if answered != set(selector.dimension.answers):
                    raise _fault(where, f"no row applies for some answers to {selector.dimension.name}")


def _check_reachable(initial: str, places: Mapping[str, Place], rows: Mapping[tuple[str, EventName], tuple[Row, ...]]) -> None:
    reached = {initial}
    while more := {row.target for (path, _), many in rows.items() if path in reached for row in many} - reached:
        reached |= more
    if lost := sorted(set(places) - reached):
        raise _fault(lost[0], "no edge leads here")
    if strange := sorted(reached - set(places)):
        raise _fault(strange[0], "an edge leads here, but it is no state of this chart")


def _check_names(entry: Entry, rows: Iterable[Row]) -> None:
    """Check that a guard's name means one guard: cases, records and this compiler tell guards apart by name."""
    looks: dict[str, tuple[str, str]] = {}
    for guard in (entry.by, *entry.needs, *(guard for row in rows for guard in _guards(row.rule))):
        look = (guard.look.__module__, guard.look.__qualname__)
        if looks.setdefault(guard.name, look) != look:
            raise _fault(guard.name, "two guards have this name")


# ---- the digest --------------------------------------------------------------------------------------------------------


def _described(row: Row) -> dict[str, object]:
    rule, outcome = row.rule, row.rule.outcome
    by_option = {option.value: end.value for option, end in outcome.items()} if isinstance(outcome, Mapping) else outcome
    return {
        "source": row.source,
        "event": row.event,
        "target": row.target,
        "records": row.records,
        "guards": [[guard.sort, guard.name, *guard.codes] for guard in _guards(rule)],
        "outcome": by_option,
        "starts": list(rule.starts),
        "ends": list(rule.ends),
    }


def _described_entry(entry: Entry, initial: str) -> dict[str, object]:
    return {"target": initial, "guards": [guard.name for guard in (entry.by, *entry.needs)], "starts": list(entry.starts)}


def _described_place(place: Place) -> dict[str, object]:
    return {"path": place.path, "closed": place.closed, "stands": list(place.stands)}
