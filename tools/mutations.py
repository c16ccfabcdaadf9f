"""Small wrong versions of a compiled chart, each wrong in one place: what a slip of the pen would have made of it.

They are made from the table that runs, in memory, and let stand in for the real version while
something tries to notice. What the compiler refuses (a deadline that does not stand where it
starts, an outcome of the wrong sort) is not made.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from dispute_fsm.domain.commands import COMMAND_CLASSES
from dispute_fsm.domain.enums import LIABILITIES, CommandType, Deadline, EventType, Outcome, Role
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.machine.guard import Guard, GuardResult, Selector, when
from dispute_fsm.machine.transition_table import Transition, TransitionTable
from dispute_fsm.rules import guards
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.guards.actors import by
from dispute_fsm.rules.guards.timing import has_passed
from dispute_fsm.rules.registry import RuleVersion

Cell = tuple[str, CommandType]
"""Where a mutation shows: a place and an event."""

_TICK = timedelta(microseconds=1)
_GOOD_ENDS = tuple(outcome for outcome in Outcome if outcome not in LIABILITIES)


@dataclass(frozen=True, slots=True, eq=False)
class Mutation:
    """One wrong version: what was changed, and the cells of the table in which decisions may differ."""

    kind: str
    what: str
    version: RuleVersion
    cells: frozenset[Cell]


def mutations(version: RuleVersion) -> Iterator[Mutation]:
    """Make every small wrong version of this one."""
    for cell, rows in version.table.transitions.items():
        for number, row in enumerate(rows):
            for kind, what, changed in _row_mutations(version.table, row):
                others = (*rows[:number], *changed, *rows[number + 1 :])
                named = f"{row.source} on {row.event.value}, row {number + 1}: {what}"
                yield Mutation(kind, named, with_rows(version, {cell: others}), frozenset({cell}))
    yield from _role_mutations(version)


def with_rows(version: RuleVersion, changed: Mapping[Cell, tuple[Transition, ...]]) -> RuleVersion:
    """Give the version with other rows in some cells; a cell without rows is gone."""
    rows = {
        cell: found for cell, found in {**version.table.transitions, **changed}.items() if found
    }
    return replace(version, table=replace(version.table, transitions=FrozenMap(rows)))


def with_rule(row: Transition, **changes: Any) -> Transition:  # noqa: ANN401 -- any member of a rule
    """Give the row with a changed rule."""
    rule = replace(row.rule, **changes)
    return replace(
        row,
        rule=rule,
        when=tuple(one for one in rule.when if not one.needs_facts),
        when_facts=tuple(one for one in rule.when if one.needs_facts),
    )


_Made = tuple[str, str, tuple[Transition, ...]]


def _row_mutations(table: TransitionTable, row: Transition) -> Iterator[_Made]:
    yield "edge dropped", "dropped", ()
    yield from _retargeted(table, row)
    yield from _needs(table, row)
    yield from _selectors(row)
    yield from _timing(row)
    yield from _ends(row)
    yield from _deadlines(table, row)


def _retargeted(table: TransitionTable, row: Transition) -> Iterator[_Made]:
    was = table.configurations[row.target]
    for path, place in table.configurations.items():
        if path == row.target or (
            place.closed
            and not was.closed
            and row.rule.outcome is None
            and row.rule.liability is None
        ):
            continue
        outcome: Outcome | None = None
        records = COMMAND_CLASSES[row.event].records or row.records
        if place.closed:
            good = place.state.value == "resolved"
            outcome = Outcome.WITHDRAWN if good else row.rule.liability or Outcome.AT_FAULT
            records = EventType.DISPUTE_RESOLVED if good else EventType.DISPUTE_PENALIZED
        starts = tuple(deadline for deadline in row.rule.starts if deadline in place.deadlines)
        changed = with_rule(
            replace(row, target=path, records=records),
            outcome=outcome,
            starts=starts,
            liability=None,
        )
        yield "edge retargeted", f"leads to {path}", (changed,)


def _needs(table: TransitionTable, row: Transition) -> Iterator[_Made]:
    kin = {
        guard.name: guard
        for (_, event), rows in table.transitions.items()
        if event is row.event
        for one in rows
        for guard in one.rule.needs
    }
    for number, guard in enumerate(row.rule.needs):
        before, after = row.rule.needs[:number], row.rule.needs[number + 1 :]
        yield (
            "requirement dropped",
            f"without {guard.name}",
            (with_rule(row, needs=(*before, *after)),),
        )
        yield (
            "requirement negated",
            f"not {guard.name}",
            (with_rule(row, needs=(*before, negated(guard), *after)),),
        )
        other = next(
            (one for name, one in kin.items() if one not in row.rule.needs and name != guard.name),
            None,
        )
        if other is not None:
            yield (
                "requirement swapped",
                f"{other.name} instead of {guard.name}",
                (with_rule(row, needs=(*before, other, *after)),),
            )
        for said, shift in SHIFTS.get(guard.name, {}).items():
            yield (
                "comparison shifted",
                f"{guard.name} {said}",
                (with_rule(row, needs=(*before, shifted(guard, shift), *after)),),
            )


def _selectors(row: Transition) -> Iterator[_Made]:
    for number, selector in enumerate(row.rule.when):
        before, after = row.rule.when[:number], row.rule.when[number + 1 :]
        yield (
            "condition dropped",
            f"without {selector.name}",
            (with_rule(row, when=(*before, *after)),),
        )
        for answer in selector.dimension.answers:
            accepts = selector.accepts ^ {answer}
            if accepts:
                other = _accepting(selector, accepts)
                verb = "also" if answer in accepts else "no longer"
                yield (
                    "condition changed",
                    f"{verb} for {selector.dimension.name} {answer}",
                    (with_rule(row, when=(*before, other, *after)),),
                )


def _accepting(selector: Selector, accepts: frozenset[str]) -> Selector:
    return when(
        selector.dimension, *(answer for answer in selector.dimension.answers if answer in accepts)
    )


def _timing(row: Transition) -> Iterator[_Made]:
    for number, guard in enumerate(row.rule.timing):
        before, after = row.rule.timing[:number], row.rule.timing[number + 1 :]
        yield (
            "time dropped",
            f"whenever, not only {guard.name}",
            (with_rule(row, timing=(*before, *after)),),
        )
        yield (
            "time negated",
            f"not {guard.name}",
            (with_rule(row, timing=(*before, negated(guard), *after)),),
        )
        tick = shifted(guard, _later)
        yield (
            "< for <=",
            f"{guard.name} a tick off",
            (with_rule(row, timing=(*before, tick, *after)),),
        )
        for deadline in Deadline:
            if row.rule.expires is not None and deadline is not row.rule.expires:
                yield (
                    "deadline changed",
                    f"acts on {deadline.value}",
                    (with_rule(row, timing=(has_passed(deadline),)),),
                )


def _ends(row: Transition) -> Iterator[_Made]:
    outcome, liability = row.rule.outcome, row.rule.liability
    if isinstance(outcome, Outcome):
        for other in LIABILITIES if outcome in LIABILITIES else _GOOD_ENDS:
            if other is not outcome:
                yield (
                    "outcome changed",
                    f"ends with {other.value}",
                    (with_rule(row, outcome=other),),
                )
    elif isinstance(outcome, Mapping):
        for option in outcome:
            other = next(end for end in _GOOD_ENDS if end is not outcome[option])
            changed = FrozenMap({**outcome, option: other})
            yield (
                "outcome changed",
                f"{option.value} ends with {other.value}",
                (with_rule(row, outcome=changed),),
            )
    if liability is not None:
        for other in LIABILITIES:
            if other is not liability:
                yield (
                    "liability changed",
                    f"fails for {other.value}",
                    (with_rule(row, liability=other),),
                )


def _deadlines(table: TransitionTable, row: Transition) -> Iterator[_Made]:
    starts, ends = row.rule.starts, row.rule.ends
    for deadline in starts:
        left = tuple(one for one in starts if one is not deadline)
        yield "deadline changed", f"does not start {deadline.value}", (with_rule(row, starts=left),)
    for deadline in ends:
        yield (
            "deadline changed",
            f"does not end {deadline.value}",
            (with_rule(row, ends=tuple(one for one in ends if one is not deadline)),),
        )
    for deadline in table.configurations[row.target].deadlines:
        if deadline not in starts and (
            deadline is not Deadline.PROMISE or row.event is CommandType.EXTEND_DEADLINE
        ):
            yield (
                "deadline changed",
                f"starts {deadline.value} too",
                (with_rule(row, starts=(*starts, deadline)),),
            )
        if deadline not in ends and deadline not in starts:
            yield (
                "deadline changed",
                f"ends {deadline.value} too",
                (with_rule(row, ends=(*ends, deadline)),),
            )


def _role_mutations(version: RuleVersion) -> Iterator[Mutation]:
    """Give each event to each other role; the same event is for the same actors everywhere."""
    for event, actor in version.table.actors.items():
        cells = {cell: rows for cell, rows in version.table.transitions.items() if cell[1] is event}
        for role in Role:
            if role in actor.roles:
                continue
            other = by(role)
            changed = with_rows(
                version,
                {
                    cell: tuple(with_rule(row, by=other) for row in rows)
                    for cell, rows in cells.items()
                },
            )
            actors = FrozenMap({**version.table.actors, event: other})
            wrong = replace(changed, table=replace(changed.table, actors=actors))
            everywhere = frozenset((path, event) for path in version.table.configurations)
            yield Mutation("role changed", f"{event.value} by the {role.value}", wrong, everywhere)


# ---- guards that are slightly wrong --------------------------------------------------------------


def negated(guard: Guard) -> Guard:
    """Give the guard that says no where this one says yes."""

    def condition(case: Case) -> GuardResult:
        found = guard.condition(case)
        return GuardResult(
            passed=not found.passed,
            saw=found.saw,
            code=None if not found.passed else guard.codes[0],
        )

    return replace(guard, condition=condition)


def shifted(guard: Guard, shift: Callable[[Case], Case]) -> Guard:
    """Give the guard that looks at a case which is off by the least there is."""

    def condition(case: Case) -> GuardResult:
        return guard.condition(shift(case))

    return replace(guard, condition=condition)


def _payload(case: Case, **changes: object) -> Case:
    command = case.command.model_copy(update=changes)
    return replace(case, command=command, results={})


def _limit(case: Case, name: str, by_how_much: int) -> Case:
    limits = case.policy.voucher_limits
    lower = limits.model_copy(update={name: cast("int", getattr(limits, name)) + by_how_much})
    return replace(
        case, policy=case.policy.model_copy(update={"voucher_limits": lower}), results={}
    )


def _later(case: Case) -> Case:
    return replace(case, now=case.now + _TICK, results={})


def _earlier(case: Case) -> Case:
    return replace(case, now=case.now - _TICK, results={})


SHIFTS: Mapping[str, Mapping[str, Callable[[Case], Case]]] = FrozenMap(
    {
        guards.promise_in_future.name: {"at the moment of choosing too": _earlier},
        guards.promise_not_too_far.name: {"before the limit only": _earlier},
        guards.rounds_left.name: {
            "one more": lambda case: replace(case, extra_rounds=case.extra_rounds - 1, results={}),
            "one less": lambda case: replace(case, extra_rounds=case.extra_rounds + 1, results={}),
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
            "a sign more": lambda case: _limit(case, "max_statement", 1),
            "a sign less": lambda case: _limit(case, "max_statement", -1),
        },
    }
)
"""The comparisons within requirements, each off by the least there is: `<` for `<=`."""
