"""What would have happened, had acts or facts been as somebody supposes. Pure.

The acts of the record, with the changes, are decided again from the first changed one on
(`course`). An act stands where its time puts it; acts of the same instant keep their order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, NamedTuple

from dispute_fsm.documents.source import validate
from dispute_fsm.domain.commands import COMMAND_CLASSES, Command
from dispute_fsm.domain.enums import RefusalCode, Role
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.explain.course import Act, CourseStep, Record, SupposedCourse, awaited, follow
from dispute_fsm.explain.supposed_facts import SupposedWorld
from dispute_fsm.history.redecide import compare
from dispute_fsm.scenarios.reader import merged_facts

OrderChange = Mapping[str, Any]
"""Facts of the order that are merged into those that are shown, deeply; None removes one."""


@dataclass(frozen=True, slots=True)
class ChangedAct:
    """A recorded act, with another time (UTC), payload or order from it on; None: as recorded.

    `members` are those of the payload that are given. Of the opening only the order can change.
    """

    seq: int
    at: datetime | None = None
    command: Command | None = None
    members: tuple[str, ...] = ()
    order: OrderChange | None = None


@dataclass(frozen=True, slots=True)
class AddedAct:
    """An act that nobody did, after the recorded event `after`."""

    after: int
    command: Command
    at: datetime
    order: OrderChange | None = None


@dataclass(frozen=True, slots=True)
class DroppedAct:
    """A recorded act that is left out."""

    seq: int


ActChange = ChangedAct | AddedAct | DroppedAct
"""One change of a record."""


@dataclass(frozen=True, slots=True)
class ToldStep:
    """A step as it is told: whether it is just as the record has it."""

    step: CourseStep
    same: bool

    @property
    def recorded(self) -> AuditEvent | None:
        """The event of the record that it comes from."""
        return self.step.act.event


@dataclass(frozen=True, slots=True)
class Supposed:
    """What would have happened.

    `steps` begin with the first one that differs. `before` are the events before it, as they would
    be.
    """

    record: Record
    changes: tuple[ActChange, ...]
    course: SupposedCourse
    before: tuple[AuditEvent, ...]
    steps: tuple[ToldStep, ...]

    @property
    def events(self) -> tuple[AuditEvent, ...]:
        """The events of the whole course, those before the first difference too."""
        told = (told.step.event for told in self.steps)
        return (*self.before, *(event for event in told if event is not None))

    @property
    def unreached(self) -> tuple[int, ...]:
        """The recorded events that are not decided, because the course waits before them."""
        return tuple(act.event.seq for act in self.course.beyond if act.event is not None)

    @property
    def awaited(self) -> tuple[Role, ...]:
        """Whose answer it depends on; after the end: who could still change it in time."""
        dispute = self.course.dispute
        if not dispute.closed:
            return awaited(dispute)
        meets = {of.meets: of.roles[0] for of in COMMAND_CLASSES.values()}
        return tuple(dict.fromkeys(meets[deadline] for deadline in dispute.running))


def suppose(record: Record, changes: Sequence[ActChange]) -> Supposed:
    """Decide what would have happened with these changes.

    Raises `InputError` where the changed facts are not those of an order, or a deadline cannot be
    counted.
    """
    placed = sorted(_acts(record, changes))
    acts = [one.act for one in placed]
    unchanged = sum(1 for _ in takewhile(_is_as_recorded, enumerate(acts, start=2)))
    opening = any(isinstance(one, ChangedAct) and one.seq == 1 for one in changes)
    # Without changes everything is decided again.
    first = 2 if opening or not changes else unchanged + 2
    course = follow(
        record, record.before(first), acts[first - 2 :], _World(record, placed, changes)
    )
    steps = [ToldStep(step, _same(record, step)) for step in course.steps]
    same = list(takewhile(lambda told: told.same, steps))
    before = (*record.events[: first - 1], *(one.step.event for one in same if one.step.event))
    return Supposed(record, tuple(changes), course, before, tuple(steps[len(same) :]))


class _Placed(NamedTuple):
    """An act in its place: by its time, then by its number in the record, then by its change."""

    at: datetime
    seq: int
    number: int
    act: Act


def _acts(record: Record, changes: Sequence[ActChange]) -> Iterator[_Placed]:
    """Iterate over all acts after the opening, changed, in no order."""
    recorded = {one.event.seq: one for one in record.acts(2) if one.event is not None}
    for number, change in enumerate(changes, start=1):
        match change:
            case DroppedAct(seq=seq):
                del recorded[seq]
            case AddedAct(after=after, command=command, at=at):
                yield _Placed(at, after, number, Act(command, at, change=number))
            case ChangedAct(seq=1):
                pass
            case ChangedAct(seq=seq):
                was = recorded.pop(seq)
                at = change.at or was.at
                act = Act(change.command or was.command, at, was.event, number)
                yield _Placed(at, seq, 0, act)
    for seq, act in recorded.items():
        yield _Placed(act.at, seq, 0, act)


def _is_as_recorded(placed: tuple[int, Act]) -> bool:
    seq, act = placed
    return act.change is None and act.event is not None and act.event.seq == seq


def _same(record: Record, step: CourseStep) -> bool:
    """Tell whether a step is just as the record has it: the act, what was seen, the decision."""
    recorded, event = step.act.event, step.event
    if recorded is None or step.act.command != record.act(recorded.seq).command:
        return False
    if event is None:  # with its texts erased, a key that was reused looks repeated
        return RefusalCode.KEY_REUSED in recorded.refused
    return (
        event.at == recorded.at
        and event.facts == recorded.facts
        and compare(recorded, event) is None
    )


class _World(SupposedWorld):
    """What the order system shows: what is known from the record, with the changes from acts on."""

    def __init__(
        self, record: Record, placed: Sequence[_Placed], changes: Sequence[ActChange]
    ) -> None:
        super().__init__(record)
        self._places = {(_seq(one.act), one.act.change): place for place, one in enumerate(placed)}
        first = (change for change in changes if isinstance(change, ChangedAct) and change.seq == 1)
        self._orders = [(-1, record.events[0].at, one.order) for one in first if one.order]
        for place, one in enumerate(placed):
            order = None if one.act.change is None else _order(changes[one.act.change - 1])
            if order:
                self._orders.append((place, one.at, order))

    def of(self, act: Act) -> OrderFacts | None:
        """Return the facts for an act."""
        shown = super().of(act)
        if shown is None:
            return None
        # An expiry that nobody recorded has no place but its time.
        own = self._places.get((_seq(act), act.change))
        for place, at, order in self._orders:
            if place <= own if own is not None else at <= act.at:
                shown = changed_facts(shown, order)
        return shown


def changed_facts(facts: OrderFacts, order: OrderChange) -> OrderFacts:
    """Return facts with a change merged into them. Raises `InputError` for the first error."""
    plain = facts.model_dump(mode="json", include=set(Order.model_fields))
    merged = validate(Order, merged_facts(plain, order))
    return facts.model_copy(update=dict(merged))


def _seq(act: Act) -> int | None:
    return None if act.event is None else act.event.seq


def _order(change: ActChange) -> OrderChange | None:
    return None if isinstance(change, DroppedAct) else change.order
