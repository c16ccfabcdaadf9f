"""Which arrows recorded events took: found by what their guards saw, not by what they might have been."""

from collections.abc import Iterator

from dispute_fsm.diagrams.model import OPENING, Arrow, Machine
from dispute_fsm.domain.enums import CommandType, EventType
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.errors import InputError


def taken(machine: Machine, event: AuditEvent) -> Arrow | None:
    """Return the arrow that an event took; None for a refusal.

    Raises `InputError` where the machine has no such arrow: the event was recorded under another chart.
    """
    if event.type is EventType.REFUSED:
        return None
    if event.command is CommandType.OPEN_DISPUTE:
        return machine.arrow(OPENING)
    fitting = [arrow for arrow in machine.arrows if _fits(machine, arrow, event)]
    if len(fitting) != 1:
        where = f"dispute {event.dispute_id}, event {event.seq}: {event.command.value} from {event.source} to {event.target}"
        raise InputError(f"{where} is no edge of rules {machine.rules} as they are drawn here")
    return fitting[0]


def active(path: str | None) -> Iterator[str]:
    """Go through the states that a path says to be active, leaves and those around them."""
    for leaf in (path or "").split(","):
        yield from leaf.split(".")


def leaves(path: str | None) -> tuple[str, ...]:
    """Return the leaves of a path."""
    return tuple(leaf.rpartition(".")[2] for leaf in (path or "").split(","))


def _fits(machine: Machine, arrow: Arrow, event: AuditEvent) -> bool:
    saw = {check.guard: check.saw.get(check.guard) for check in event.checks}
    conditions = [machine.conditions[name] for name in arrow.when]
    return (
        arrow.event is event.command
        and arrow.source in set(active(event.source))
        and arrow.target in set(active(event.target))
        and (event.outcome in {end.outcome for end in arrow.endings} if arrow.endings else event.outcome is None)
        and all(one.question is not None and saw.get(one.question) in one.accepts for one in conditions)
    )
