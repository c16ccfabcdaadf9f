"""Mutations: wrong versions of a compiled chart, each with one small mistake.

They are made in memory from the table that runs, and replace the real version while a test tries to
notice them. What the compiler refuses (a deadline in a state that has none, an outcome of the wrong
kind) is not made.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from typing import Any, cast

from dispute_fsm.domain.commands import COMMAND_CLASSES
from dispute_fsm.domain.enums import (
    LIABILITIES,
    CommandType,
    Deadline,
    EventType,
    Outcome,
    Role,
    StateName,
)
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.machine.guard import Dimension, Guard, GuardResult, when
from dispute_fsm.machine.transition_table import (
    AS_BEFORE,
    Configuration,
    Transition,
    TransitionTable,
)
from dispute_fsm.rules import guards
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.guards.actors import by
from dispute_fsm.rules.guards.timing import has_passed, in_time
from dispute_fsm.rules.registry import RuleVersion
from dispute_fsm.verify.representatives import deadlines_of, options_of

Cell = tuple[str, CommandType]
"""Where a mutation takes effect: a configuration and a command."""

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, eq=False)
class Mutation:
    """A wrong version: what was changed, and the cells in which decisions may differ."""

    kind: str
    what: str
    version: RuleVersion
    cells: frozenset[Cell]


_Change = tuple[str, str, Any]
"""The kind of a change, its description, and what is new."""


def mutations(version: RuleVersion) -> Iterator[Mutation]:
    """Make every small wrong version of a rule version."""
    for cell, transitions in version.table.transitions.items():
        for number, transition in enumerate(transitions):
            changes: list[_Change] = [
                ("transition dropped", "dropped", ()),
                *_retargeted(version.table, transition),
                *(
                    (kind, what, (with_rule(transition, **changed),))
                    for kind, what, changed in chain(
                        _needs(version.table, transition),
                        _selectors(version, transition),
                        _timing(version, transition),
                        _outcomes(version.table, transition),
                        _deadlines(version.table, transition),
                    )
                ),
            ]
            for kind, what, changed in changes:
                others = _replaced(transitions, number, *changed)
                where = f"{transition.source} on {transition.event.value}, number {number + 1}"
                wrong = with_transitions(version, {cell: others})
                yield Mutation(kind, f"{where}: {what}", wrong, frozenset({cell}))
    yield from _role_mutations(version)


def with_transitions(
    version: RuleVersion, changed: Mapping[Cell, tuple[Transition, ...]]
) -> RuleVersion:
    """Return the version with other transitions in some cells; an empty cell is removed."""
    cells = {**version.table.transitions, **changed}
    kept = FrozenMap({cell: transitions for cell, transitions in cells.items() if transitions})
    return replace(version, table=replace(version.table, transitions=kept))


def with_rule(transition: Transition, **changes: Any) -> Transition:  # noqa: ANN401 -- any member of a rule
    """Return the transition with a changed rule."""
    rule = replace(transition.rule, **changes)
    return replace(
        transition,
        rule=rule,
        when=tuple(selector for selector in rule.when if not selector.needs_facts),
        when_facts=tuple(selector for selector in rule.when if selector.needs_facts),
    )


def _replaced(items: tuple[Any, ...], number: int, *new: object) -> tuple[Any, ...]:
    return (*items[:number], *new, *items[number + 1 :])


# ---- changes of one transition -------------------------------------------------------------------


def _retargeted(table: TransitionTable, transition: Transition) -> Iterator[_Change]:
    rule, was = transition.rule, table.configurations[transition.target]
    source = table.configurations[transition.source]
    decides = rule.outcome is not None or rule.liability is not None
    for path, target in table.configurations.items():
        if path == transition.target or (target.outcomes and not was.outcomes and not decides):
            continue
        outcome: object = None
        if source.outcomes & target.outcomes:
            outcome = AS_BEFORE
        elif target.state is StateName.RESOLVED:
            outcome = Outcome.WITHDRAWN
        elif target.outcomes:
            outcome = rule.liability or Outcome.AT_FAULT
        starts = tuple(deadline for deadline in rule.starts if deadline in target.deadlines)
        moved = replace(transition, target=path, records=_recorded(transition, target))
        changed = with_rule(moved, outcome=outcome, starts=starts, liability=None)
        yield "transition retargeted", f"leads to {path}", (changed,)


def _recorded(transition: Transition, target: Configuration[StateName, Deadline]) -> EventType:
    """Return as what a transition to another target is recorded, as the compiler would."""
    command = COMMAND_CLASSES[transition.event]
    if not target.closed or (target.path == transition.source and command.records is not None):
        return command.records or transition.records
    is_resolved = target.state is StateName.RESOLVED
    by_state = EventType.DISPUTE_RESOLVED if is_resolved else EventType.DISPUTE_PENALIZED
    return command.records_end or by_state


def _needs(table: TransitionTable, transition: Transition) -> Iterator[_Change]:
    needs = transition.rule.needs
    of_command = {
        guard.name: guard
        for (_, event), transitions in table.transitions.items()
        if event is transition.event
        for other in transitions
        for guard in other.rule.needs
    }
    unused = [guard for guard in of_command.values() if guard not in needs]
    for number, guard in enumerate(needs):
        changes: list[_Change] = [
            ("requirement dropped", f"without {guard.name}", ()),
            ("requirement negated", f"not {guard.name}", (negated(guard),)),
        ]
        for other in [other for other in unused if other.name != guard.name][:1]:
            what = f"{other.name} instead of {guard.name}"
            changes.append(("requirement swapped", what, (other,)))
        for what, shift in SHIFTS.get(guard.name, {}).items():
            new = (shifted(guard, shift),)
            changes.append(("comparison shifted", f"{guard.name} {what}", new))
        for kind, what, new in changes:
            yield kind, what, {"needs": _replaced(needs, number, *new)}


def _selectors(version: RuleVersion, transition: Transition) -> Iterator[_Change]:
    selectors = transition.rule.when
    for number, selector in enumerate(selectors):
        dimension = selector.dimension
        yield (
            "condition dropped",
            f"without {selector.name}",
            {"when": _replaced(selectors, number)},
        )
        answers = _answers(version, dimension)
        for answer in answers:
            accepts = [
                other for other in answers if (other in selector.accepts) != (other == answer)
            ]
            if accepts:
                verb = "also" if answer in accepts else "no longer"
                changed = _replaced(selectors, number, when(dimension, *accepts))
                yield (
                    "condition changed",
                    f"{verb} for {dimension.name} {answer}",
                    {"when": changed},
                )


def _answers(version: RuleVersion, dimension: Dimension) -> tuple[str, ...]:
    """Return the answers to a question in the words of the version, and one option beside them."""
    words = {
        guards.OPTION: options_of(version),
        guards.EXTENDED: deadlines_of(version),
        guards.NAMED: deadlines_of(version),
    }
    if dimension not in words:
        return tuple(dimension.answers)
    return tuple(answer for answer in dimension.answers if answer in {"none", *words[dimension]})


def _timing(version: RuleVersion, transition: Transition) -> Iterator[_Change]:
    timing, expires = transition.rule.timing, transition.rule.expires
    if not timing:
        yield "time added", f"only {in_time.name}", {"timing": (in_time,)}
    for number, guard in enumerate(timing):
        changes: list[_Change] = [
            ("time dropped", f"whenever, not only {guard.name}", ()),
            ("time negated", f"not {guard.name}", (negated(guard),)),
            ("< for <=", f"{guard.name} a tick off", (shifted(guard, _later),)),
        ]
        for kind, what, new in changes:
            yield kind, what, {"timing": _replaced(timing, number, *new)}
    for deadline in deadlines_of(version) if expires is not None else ():
        if deadline is not expires:
            changed = {"timing": (has_passed(deadline),)}
            yield "deadline changed", f"acts on {deadline.value}", changed


def _outcomes(table: TransitionTable, transition: Transition) -> Iterator[_Change]:
    outcome, liability = transition.rule.outcome, transition.rule.liability
    liabilities, resolving = _outcomes_of(table)
    if isinstance(outcome, Mapping):
        for option in outcome:
            other = next(end for end in resolving if end is not outcome[option])
            what = f"{option.value} ends with {other.value}"
            yield "outcome changed", what, {"outcome": FrozenMap({**outcome, option: other})}
    elif outcome is not None:
        for other in _other_outcomes(table, transition):
            what = "as before" if other is AS_BEFORE else f"with {other.value}"
            yield "outcome changed", f"ends {what}", {"outcome": other}
    if liability is not None:
        for other in liabilities:
            if other is not liability:
                yield "liability changed", f"fails for {other.value}", {"liability": other}


def _other_outcomes(table: TransitionTable, transition: Transition) -> Iterator[Any]:
    """Yield the outcomes that the compiler would permit instead of this one."""
    liabilities, resolving = _outcomes_of(table)
    before = table.configurations[transition.source].outcomes
    after = table.configurations[transition.target].outcomes
    outcome = transition.rule.outcome
    if outcome is not AS_BEFORE and before & after:
        yield AS_BEFORE
    for other in (*liabilities, *resolving):
        if other in after and other is not outcome:
            yield other


def _outcomes_of(table: TransitionTable) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]]:
    """Return the liabilities of the table, and its other outcomes."""
    own = set[object]()
    for transition in chain(*table.transitions.values()):
        outcome = transition.rule.outcome
        own.update(outcome.values() if isinstance(outcome, Mapping) else (outcome,))
        own.add(transition.rule.liability)
    return (
        tuple(outcome for outcome in LIABILITIES if outcome in own),
        tuple(outcome for outcome in Outcome if outcome in own and outcome not in LIABILITIES),
    )


def _deadlines(table: TransitionTable, transition: Transition) -> Iterator[_Change]:
    kind, starts, ends = "deadline changed", transition.rule.starts, transition.rule.ends
    for number, deadline in enumerate(starts):
        yield kind, f"does not start {deadline.value}", {"starts": _replaced(starts, number)}
    for number, deadline in enumerate(ends):
        yield kind, f"does not end {deadline.value}", {"ends": _replaced(ends, number)}
    for deadline in table.configurations[transition.target].deadlines:
        is_extension = transition.event is CommandType.EXTEND_DEADLINE
        if deadline not in starts and (deadline is not Deadline.PROMISE or is_extension):
            yield kind, f"starts {deadline.value} too", {"starts": (*starts, deadline)}
        if deadline not in ends and deadline not in starts:
            yield kind, f"ends {deadline.value} too", {"ends": (*ends, deadline)}


# ---- changes of a command ------------------------------------------------------------------------


def _role_mutations(version: RuleVersion) -> Iterator[Mutation]:
    """Give each command to each other role, in all cells, as all of them have the same actors."""
    for event, actor in version.table.actors.items():
        cells = {
            cell: transitions
            for cell, transitions in version.table.transitions.items()
            if cell[1] is event
        }
        for role in Role:
            if role in actor.roles:
                continue
            changed = with_transitions(
                version,
                {
                    cell: tuple(with_rule(transition, by=by(role)) for transition in transitions)
                    for cell, transitions in cells.items()
                },
            )
            actors = FrozenMap({**version.table.actors, event: by(role)})
            wrong = replace(changed, table=replace(changed.table, actors=actors))
            everywhere = frozenset((path, event) for path in version.table.configurations)
            yield Mutation("role changed", f"{event.value} by the {role.value}", wrong, everywhere)


# ---- wrong guards --------------------------------------------------------------------------------


def negated(guard: Guard) -> Guard:
    """Return the guard that fails where this one passes."""

    def condition(case: Case) -> GuardResult:
        result = guard.condition(case)
        code = guard.codes[0] if result.passed else None
        return GuardResult(passed=not result.passed, saw=result.saw, code=code)

    return replace(guard, condition=condition)


def shifted(guard: Guard, shift: Callable[[Case], Case]) -> Guard:
    """Return the guard that evaluates a case with the smallest possible difference."""

    def condition(case: Case) -> GuardResult:
        return guard.condition(shift(case))

    return replace(guard, condition=condition)


def _payload(case: Case, **changes: object) -> Case:
    command = case.command.model_copy(update=changes)
    return case.changed(command=command)


def _limit(case: Case, name: str, difference: int) -> Case:
    limits = case.policy.voucher_limits
    changed = limits.model_copy(update={name: cast("int", getattr(limits, name)) + difference})
    return case.changed(policy=case.policy.model_copy(update={"voucher_limits": changed}))


def _later(case: Case) -> Case:
    return case.changed(now=case.now + _TICK)


def _earlier(case: Case) -> Case:
    return case.changed(now=case.now - _TICK)


def _extra_rounds(case: Case, more: int) -> Case:
    memory = case.memory._replace(extra_rounds=case.memory.extra_rounds + more)
    return case.changed(memory=memory)


SHIFTS: Mapping[str, Mapping[str, Callable[[Case], Case]]] = FrozenMap(
    {
        guards.promise_in_future.name: {"at the moment of choosing too": _earlier},
        guards.promise_not_too_far.name: {"before the limit only": _earlier},
        guards.rounds_left.name: {
            "one more": lambda case: _extra_rounds(case, -1),
            "one less": lambda case: _extra_rounds(case, +1),
        },
        guards.until_later.name: {
            "the same instant too": lambda case: _payload(
                case, until=cast("Any", case.command).until + _TICK
            )
        },
        guards.vouchers_small_enough.name: {
            "a byte more": lambda case: _limit(case, "max_bytes", 1),
            "a byte less": lambda case: _limit(case, "max_bytes", -1),
            "a byte more together": lambda case: _limit(case, "max_bytes_together", 1),
            "a byte less together": lambda case: _limit(case, "max_bytes_together", -1),
        },
        guards.vouchers_few_enough.name: {
            "one more": lambda case: _limit(case, "max_count", 1),
            "one less": lambda case: _limit(case, "max_count", -1),
        },
        guards.statement_short_enough.name: {
            "a character more": lambda case: _limit(case, "max_statement", 1),
            "a character less": lambda case: _limit(case, "max_statement", -1),
        },
    }
)
"""The comparisons in requirements, each with the smallest possible mistake: `<` for `<=`."""
