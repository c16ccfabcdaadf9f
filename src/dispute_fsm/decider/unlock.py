"""Who could bring a dispute to where an event is possible: a search over the compiled chart, never a list by hand.

The search goes through what may happen next under this policy and after this option, deadlines
included. It does not foresee facts or payloads: where the order system or a person could go either
way, both ways are tried.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from dispute_fsm.domain.commands import ExtendDeadline
from dispute_fsm.domain.deadlines import is_on
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, Option, Outcome, Role
from dispute_fsm.machine.guard import ActorUnlock, Case, Selector
from dispute_fsm.machine.transition_table import Transition, TransitionTable
from dispute_fsm.rules import guards


class _SearchNode(NamedTuple):
    path: str
    option: Option | None
    standing: frozenset[Deadline]
    from_start: frozenset[Deadline]
    """Those of `standing` that stood when the search began, with the due instants that they had."""
    confirmed: bool
    submitted: bool
    liability: Outcome | None


def way_there(table: TransitionTable, path: str, case: Case) -> ActorUnlock | None:
    """Return who has to do what first, so that the case's command becomes possible; None where nobody can bring that about."""
    standing = frozenset(case.deadlines)
    start = _SearchNode(
        path, case.option, standing, standing, case.confirmed, case.submissions > 0, case.liability
    )
    seen = set[_SearchNode]()
    queue: deque[tuple[_SearchNode, Transition | None]] = deque([(start, None)])
    while queue:
        node, first = queue.popleft()
        for row, following in _steps(table, node, case):
            if following in seen:
                continue
            seen.add(following)
            begins = first or row
            if _offered(table, following, case):
                role = begins.rule.by.roles[0]
                own = {Role.MERCHANT: case.merchant_id, Role.CONSUMER: case.consumer_id}
                return ActorUnlock(role, own.get(role), begins.event)
            queue.append((following, begins))
    return None


def _steps(
    table: TransitionTable, node: _SearchNode, case: Case
) -> Iterator[tuple[Transition, _SearchNode]]:
    for (path, event), rows in table.transitions.items():
        if path != node.path or event is CommandType.EXTEND_DEADLINE:  # an extension leads nowhere
            continue
        for row in rows:
            options = list(Option) if event is CommandType.CHOOSE_OPTION else [node.option]
            for option in options:
                here = node._replace(option=option)
                if _may_fire(table, row, here, case):
                    yield row, _after(table, row, here, case)


def _may_fire(table: TransitionTable, row: Transition, node: _SearchNode, case: Case) -> bool:
    rule = row.rule
    if not all(_answers(selector, node, case) for selector in rule.when):
        return False
    if not _lasting(row, node, case):
        return False
    return (
        rule.expires in node.standing
        if rule.expires is not None
        else _in_time(table, row, node, case)
    )


def _in_time(table: TransitionTable, row: Transition, node: _SearchNode, case: Case) -> bool:
    """Tell whether the row is in time there, by the deadlines that stood from the start; one that begins later has time left."""
    place = table.configurations[node.path]
    running = tuple(
        tuple(one for one in region if one in node.from_start) for region in place.running
    )
    due = {deadline: case.deadlines[deadline] for deadline in node.from_start}
    there = replace(case, deadlines=due, running=running, results={})
    return all(guard.condition(there) for guard in row.rule.timing)


def _answers(selector: Selector, node: _SearchNode, case: Case) -> bool:
    dimension = selector.dimension
    if dimension is guards.OPTION:
        return (node.option or "none") in selector.accepts
    if dimension is guards.FAILED:
        return (node.liability or "none") in selector.accepts
    if dimension in {guards.EXTENDED, guards.NAMED}:
        named = case.command.deadline if isinstance(case.command, ExtendDeadline) else None
        meant = {
            deadline
            for deadline in node.standing
            if named is deadline or (named is None and dimension is guards.EXTENDED)
        }
        return not meant.isdisjoint(selector.accepts)
    if dimension is guards.EVIDENCE:
        return ("standing" if node.submitted else "none") in selector.accepts
    if dimension.needs_facts:
        return True
    return dimension.ask(case) in selector.accepts


def _lasting(row: Transition, node: _SearchNode, case: Case) -> bool:
    """Tell whether the row's lasting requirements hold there."""
    there = replace(case, confirmed=node.confirmed, results={})
    return all(guard.condition(there) for guard in row.rule.needs if guard.lasting)


def _after(table: TransitionTable, row: Transition, node: _SearchNode, case: Case) -> _SearchNode:
    rule, place = row.rule, table.configurations[row.target]
    started = {deadline for deadline in rule.starts if is_on(deadline, case.policy)}
    standing = (node.standing & set(place.deadlines)) - set(rule.ends) | started
    confirmed = node.confirmed or row.records in {
        EventType.AGREEMENT_CONFIRMED,
        EventType.AGREEMENT_UPHELD,
    }
    submitted = node.submitted or row.records is EventType.EVIDENCE_SUBMITTED
    from_start = (node.from_start & standing) - started
    return _SearchNode(
        row.target,
        node.option,
        standing,
        from_start,
        confirmed,
        submitted,
        rule.liability or node.liability,
    )


def _offered(table: TransitionTable, node: _SearchNode, case: Case) -> bool:
    return any(
        all(_answers(selector, node, case) for selector in row.rule.when)
        and (
            row.rule.expires in node.standing
            if row.rule.expires is not None
            else _in_time(table, row, node, case)
        )
        and _lasting(row, node, case)
        for row in table.transitions.get((node.path, case.command.type), ())
    )
