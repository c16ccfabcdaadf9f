"""Search the compiled chart for who could bring a dispute to where a command is possible.

The search goes through what may happen next under this policy, deadlines included. It does not
foresee facts or payloads: where the order system or a person could go either way, it tries both.
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from dispute_fsm.domain.commands import EXPIRIES, Command, Memory, RecordedCommand, remembered
from dispute_fsm.domain.deadlines import is_on
from dispute_fsm.domain.enums import CommandType, Deadline, Option, Outcome, Role
from dispute_fsm.domain.reasons import ActorUnlock
from dispute_fsm.rules.case import Case, DisputeTable, DisputeTransition

_LATER = datetime(9999, 1, 1, tzinfo=UTC)  # when a deadline is due that begins on the way
_NEUTRAL = EXPIRIES[Deadline.RESPONSE]  # no selector looks at what this command says


class _SearchNode(NamedTuple):
    path: str
    memory: Memory
    deadlines: frozenset[Deadline]
    from_start: frozenset[Deadline]
    """Those of `deadlines` that ran when the search began, with the due instants that they had."""
    liability: Outcome | None


def way_there(table: DisputeTable, path: str, case: Case) -> ActorUnlock | None:
    """Return who has to do what first to make the command possible; None where nobody can."""
    running = frozenset(case.deadlines)
    start = _SearchNode(path, case.memory, running, running, case.liability)
    seen = set[_SearchNode]()
    queue: deque[tuple[_SearchNode, DisputeTransition | None]] = deque([(start, None)])
    while queue:
        node, first = queue.popleft()
        for row, following in _steps(table, node, case):
            if following in seen:
                continue
            seen.add(following)
            begins = first or row
            if _offered(table, following, case):
                role: Role = begins.rule.by.roles[0]
                own = {Role.MERCHANT: case.merchant_id, Role.CONSUMER: case.consumer_id}
                return ActorUnlock(role, own.get(role), begins.event)
            queue.append((following, begins))
    return None


def _steps(
    table: DisputeTable, node: _SearchNode, case: Case
) -> Iterator[tuple[DisputeTransition, _SearchNode]]:
    by_option: dict[Option | None, tuple[_SearchNode, Case]] = {}  # the same for every row
    for command, rows in table.leaving(node.path).items():
        if command is CommandType.EXTEND_DEADLINE:  # it leads nowhere
            continue
        for row in rows:
            for option in Option if command is CommandType.CHOOSE_OPTION else (node.memory.option,):
                if option not in by_option:
                    here = node._replace(memory=node.memory._replace(option=option))
                    by_option[option] = here, _case_there(table, here, case, _NEUTRAL)
                here, there = by_option[option]
                if _may_fire(row, here, there):
                    yield row, _after(table, row, here, case)


def _case_there(table: DisputeTable, node: _SearchNode, case: Case, command: Command) -> Case:
    """Return the case as it would be there; a deadline that begins on the way has time left."""
    due = {
        deadline: case.deadlines[deadline] if deadline in node.from_start else _LATER
        for deadline in node.deadlines
    }
    running = tuple(
        tuple(deadline for deadline in region if deadline in due)
        for region in table.configurations[node.path].running
    )
    return case.changed(
        command=command,
        deadlines=due,
        running=running,
        memory=node.memory,
        liability=node.liability,
    )


def _may_fire(row: DisputeTransition, node: _SearchNode, there: Case) -> bool:
    """Tell whether the transition may fire there, given facts and a payload that fit."""
    rule = row.rule
    return (
        all(selector.needs_facts or selector.check(there) for selector in rule.when)
        and (
            rule.expires in node.deadlines
            if rule.expires is not None
            else all(guard.check(there) for guard in rule.timing)
        )
        and all(guard.check(there) for guard in rule.needs if guard.lasting)
    )


def _after(
    table: DisputeTable, row: DisputeTransition, node: _SearchNode, case: Case
) -> _SearchNode:
    rule = row.rule
    started = {deadline for deadline in rule.starts if is_on(deadline, case.policy)}
    kept = (node.deadlines & set(table.configurations[row.target].deadlines)) - set(rule.ends)
    memory = remembered(node.memory, row.event, RecordedCommand(row.records))
    # Counts would make the search endless; whether there is a submission is all that selects.
    memory = memory._replace(
        submissions=min(memory.submissions, 1), extra_rounds=node.memory.extra_rounds
    )
    return _SearchNode(
        row.target,
        memory,
        kept | started,
        (node.from_start & kept) - started,
        rule.liability or node.liability,
    )


def _offered(table: DisputeTable, node: _SearchNode, case: Case) -> bool:
    there = _case_there(table, node, case, case.command)
    rows = table.transitions.get((node.path, case.command.type), ())
    return any(_may_fire(row, node, there) for row in rows)
