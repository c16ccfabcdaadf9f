"""The compiled table of a rule version, and how a case is weighed by it. This is what runs.

A table is read-only and knows nothing of python-statemachine. `weigh` goes through the questions in a fixed order: who,
where, which row, in time, which row by the facts, what the row needs. The first "no" to one of the early questions comes
back alone; of the last one, every "no" comes back. Facts are looked at only after everything else is settled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dispute_fsm.rules.case import Case
from dispute_fsm.rules.findings import Finding
from dispute_fsm.rules.guards import ActorGuard, Dimension, Guard, Selector
from dispute_fsm.rules.provenance import Source
from dispute_fsm.rules.vocabulary import CommandType, Deadline, EventType, Option, Outcome, StateName

QUIET = frozenset({CommandType.OBSERVE_ORDER})
"""Events that are no error where they change nothing: nobody asked for anything, somebody only looked."""


Outcomes = Outcome | Mapping[Option, Outcome] | None
"""How the dispute ends by an edge: one way, a way for each option, or it does not end."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the domain says of an edge, beside source, target and event."""

    by: ActorGuard
    when: tuple[Selector, ...]
    timing: tuple[Guard, ...]
    needs: tuple[Guard, ...]
    outcome: Outcomes
    starts: tuple[Deadline, ...]
    ends: tuple[Deadline, ...]
    expires: Deadline | None
    origin: Source
    liability: Outcome | None = None
    """For what a region fails by the edge, where other regions run on."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How a dispute of this version begins; the engine has no event for that."""

    by: ActorGuard
    needs: tuple[Guard, ...]
    starts: tuple[Deadline, ...]
    origin: Source


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dispute can be: a leaf of the chart, or, in a parallel state, one leaf of each region."""

    path: str
    state: StateName
    """The leaf, or the parallel state."""
    states: tuple[StateName, ...]
    """The leaves."""
    closed: bool
    stands: tuple[Deadline, ...]
    running: tuple[tuple[Deadline, ...], ...]
    """For each region that still runs, the deadlines whose expiry it acts on; others that stand only close a window or wait."""


@dataclass(frozen=True, slots=True)
class Row:
    """One edge out of one place."""

    source: str
    event: CommandType
    target: str
    records: EventType
    rule: Rule
    when: tuple[Selector, ...]
    """The selectors that look at no facts."""
    when_facts: tuple[Selector, ...]
    """The selectors that look at the order system's facts."""

    def is_for(self, answers: Mapping[Dimension, str]) -> bool:
        """Whether the row may apply where these are the answers to some questions."""
        return all(answers[one.dimension] in one.accepts for one in self.when if one.dimension in answers)

    def outcome(self, option: Option | None) -> Outcome | None:
        """How the dispute ends by this row, given the option; None where it goes on."""
        outcome = self.rule.outcome
        if outcome is None or isinstance(outcome, Outcome):
            return outcome
        return None if option is None else outcome.get(option)


class Weighing(NamedTuple):
    """What came of weighing a case: the row that fires, or what stands against it.

    Without a row and without `against`, the event is out of place here; with `quiet` it changes nothing and is no error.
    """

    row: Row | None
    checks: tuple[tuple[Guard, Finding], ...]
    against: tuple[tuple[Guard, Finding], ...] = ()
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A rule version, ready to run."""

    entry: Entry
    initial: str
    places: Mapping[str, Place]
    rows: Mapping[tuple[str, CommandType], tuple[Row, ...]]
    actors: Mapping[CommandType, ActorGuard]
    digest: str
    """SHA-256 of what the table says; it changes with every state, edge, guard and outcome, and with no wording."""

    def guards(self) -> dict[str, Guard]:
        """Give every guard by the name under which its answer is recorded, the opening's first; a selector by its question."""
        of_rows = (
            guard
            for rows in self.rows.values()
            for row in rows
            for guard in (row.rule.by, *row.rule.when, *row.rule.timing, *row.rule.needs)
        )
        return {guard.recorded: guard for guard in (self.entry.by, *self.entry.needs, *of_rows)}

    def asks(self, dimension: Dimension) -> bool:
        """Tell whether this question tells rows of the table apart."""
        return any(selector.dimension is dimension for rows in self.rows.values() for row in rows for selector in row.rule.when)

    def weigh(self, path: str, case: Case) -> Weighing:
        """Find the row that fires, or everything that stands against it.

        Raises `FactsNeededError` where the order system has to be asked first.
        """
        event = case.command.type
        checks: list[tuple[Guard, Finding]] = []
        quiet = event in QUIET
        actor = self.actors.get(event)
        if actor is not None and (against := _no(checks, case, actor)):
            return Weighing(None, tuple(checks), against)
        rows = [row for row in self.rows.get((path, event), ()) if _selected(row.when, case)]
        if not rows:
            return Weighing(None, tuple(checks), quiet=quiet)
        for guard in rows[0].rule.timing:  # the compiler sees to it that rows which only facts tell apart agree on these
            if against := _no(checks, case, guard):
                return Weighing(None, tuple(checks), () if quiet else against, quiet=quiet)
        row = next((row for row in rows if _selected(row.when_facts, case)), None)
        if row is None:
            _no(checks, case, *rows[0].when_facts)  # so that it shows that facts were looked at
            return Weighing(None, tuple(checks), quiet=True)  # the compiler lets only quiet events get here
        _no(checks, case, *row.when, *row.when_facts)
        against = _no(checks, case, *row.rule.needs)
        return Weighing(None if against else row, tuple(checks), against)


def _no(checks: list[tuple[Guard, Finding]], case: Case, *guards: Guard) -> tuple[tuple[Guard, Finding], ...]:
    """Add the guards' answers to the checks, and return each "no"."""
    against: tuple[tuple[Guard, Finding], ...] = ()
    for guard in guards:
        finding = guard.holds(case)
        checks.append((guard, finding))
        if not finding.holds:
            against += ((guard, finding),)
    return against


def _selected(selectors: tuple[Selector, ...], case: Case) -> bool:
    """Tell whether all of the selectors hold; the first that does not settles it."""
    for selector in selectors:  # noqa: SIM110 -- a generator for each row would cost more than the looking
        if not selector.holds(case).holds:
            return False
    return True
