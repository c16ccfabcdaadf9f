"""Recorded events with the transitions that they took, and what each of them did."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.enums import Outcome
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.explain.values import Clause, Happening
from dispute_fsm.machine.guard import Source
from dispute_fsm.rules.case import DisputeTable, DisputeTransition


class Taken(NamedTuple):
    """An accepted event, the dispute before and after it, and the transition that it took.

    The opening has neither a dispute before it nor a transition.
    """

    event: AuditEvent
    before: Dispute | None
    after: Dispute
    transition: DisputeTransition | None

    @property
    def clause(self) -> Clause:
        """The clause that it rests on."""
        row = self.transition
        return clause(self.after.rules.table.entry.origin if row is None else row.rule.origin)

    @property
    def liability(self) -> Outcome | None:
        """The liability for which a region failed by it, where regions run side by side."""
        row = self.transition
        return None if row is None else own_liability(self.after.rules.table, row)

    def happening(self) -> Happening:
        """Return what it did."""
        event, before, after = self.event, self.before, self.after
        deadline, liability = event.command.expires, self.liability
        return Happening(
            seq=event.seq,
            at=event.at,
            role=event.actor.role,
            command=event.command,
            type=event.type,
            option=after.option,
            deadline=deadline,
            due=None if deadline is None or before is None else before.deadlines.get(deadline),
            agreed_until=after.agreed_until,
            answers=FrozenMap(
                {
                    check.guard: check.saw[check.guard]
                    for check in event.checks
                    if check.guard in check.saw
                }
            ),
            outcome=event.outcome if liability is None else liability,
            region_failed=liability is not None,
            states=after.states,
            clause=self.clause,
        )


@lru_cache(maxsize=32)
def sources(table: DisputeTable) -> Mapping[str, Source]:
    """Return the sources of a rule version by their ids: of its transitions and its guards."""
    origins = [row.rule.origin for rows in table.transitions.values() for row in rows]
    cited = [table.entry.origin, *origins, *(guard.source for guard in table.guards().values())]
    return FrozenMap({source.id: source for source in cited})


def clause(source: Source) -> Clause:
    """Return a source as a clause."""
    return Clause(id=source.id, kind=source.kind)


def own_liability(table: DisputeTable, row: DisputeTransition) -> Outcome | None:
    """Return the liability for which a transition fails its own region.

    Where the other region has failed before, the transition has the weightier of the two for its
    outcome; its own one is that of the same rule where the other region has not failed.
    """
    if row.rule.liability is not None or not any(one.dimension.failed for one in row.when):
        return row.rule.liability
    selected = _selected(row)
    alike = (
        other.rule.liability
        for (_, command), others in table.transitions.items()
        if command is row.event
        for other in others
        if other.rule.liability is not None
        and other.rule.origin is row.rule.origin
        and _selected(other) == selected
    )
    return next(alike, None)


def _selected(row: DisputeTransition) -> set[tuple[str, frozenset[str]]]:
    """Return how a transition is told apart, but by what has failed so far."""
    return {(one.dimension.name, one.accepts) for one in row.rule.when if not one.dimension.failed}
