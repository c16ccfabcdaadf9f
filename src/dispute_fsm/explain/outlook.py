"""What is to come: what will happen if nobody acts, and what can still be done. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from dispute_fsm.decider.decide import decide
from dispute_fsm.decider.decisions import Accepted
from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.decider.evaluate import case_of
from dispute_fsm.decider.evolve import evolve, recorded_transition
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import COMMAND_CLASSES, EXPIRIES
from dispute_fsm.domain.enums import CommandType, Deadline, Role
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.reasons import just_after
from dispute_fsm.domain.scalars import parse_instant
from dispute_fsm.errors import FactsNeededError
from dispute_fsm.explain.course import awaited
from dispute_fsm.explain.happenings import Taken
from dispute_fsm.explain.values import Forecast, Happening, Remedy
from dispute_fsm.rules.case import Case, DisputeTransition

_NEVER = datetime.max.replace(tzinfo=UTC)
_AT_ANY_TIME = frozenset({CommandType.WITHDRAW, CommandType.ANNUL})
"""What ends a dispute from nearly anywhere; nobody waits for it."""


def forecast(dispute: Dispute, events: Sequence[AuditEvent]) -> Forecast:
    """Let the deadlines of a live dispute pass, one after the other, while nobody acts.

    The order is supposed to stay as it was when it was last looked at.
    """
    facts = next((event.facts for event in reversed(events) if event.facts is not None), None)
    steps: list[Happening] = []
    on_facts = open_end = False
    while dispute.outcome is None and (due := next_due(dispute)) is not None:
        following = _expired(dispute, *due, facts)
        if following is None:
            open_end = True
            break
        on_facts |= following.transition is not None and bool(following.transition.when_facts)
        steps.append(following.happening())
        dispute = following.after
    return Forecast(
        steps=tuple(steps),
        on_facts=on_facts,
        open_end=open_end,
        waits_for=() if open_end else awaited(dispute),
    )


def _expired(
    dispute: Dispute, deadline: Deadline, due: datetime, facts: OrderFacts | None
) -> Taken | None:
    """Let one deadline pass; None where that depends on what was not recorded."""
    at = max(just_after(due), dispute.last_at)
    seen = facts and facts.model_copy(update={"observed_at": at})
    stamp = derived_stamp(at, dispute.dispute_id, dispute.seq + 1)
    try:
        decision = decide(dispute, EXPIRIES[deadline], seen, parse_instant(at), stamp=stamp)
    except (FactsNeededError, ValueError):  # no facts, or a due instant beyond the last instant
        return None
    if not isinstance(decision, Accepted):
        return None
    event = decision.event
    return Taken(event, dispute, evolve(dispute, event), recorded_transition(dispute, event))


def remedies(dispute: Dispute) -> tuple[Remedy, ...]:
    """Return what people can still do just after the dispute's last event, the most urgent first.

    An extension is left out: it leads nowhere.
    """
    found = [*_promised(dispute), *_commands(dispute)]
    return tuple(sorted(found, key=lambda one: (one.command in _AT_ANY_TIME, one.until or _NEVER)))


def _promised(dispute: Dispute) -> Iterator[Remedy]:
    agreed = dispute.agreed_until
    if Deadline.PROMISE in dispute.running and agreed is not None and agreed >= dispute.last_at:
        yield Remedy(role=Role.MERCHANT, command=None, until=agreed)


def _commands(dispute: Dispute) -> Iterator[Remedy]:
    table = dispute.rules.table
    # No selector that counts here looks at what this command says.
    case = case_of(dispute, EXPIRIES[Deadline.RESPONSE], None, dispute.last_at)
    for command, leaving in table.leaving(dispute.path).items():
        role: Role = COMMAND_CLASSES[command].roles[0]
        if role is Role.SYSTEM or command is CommandType.EXTEND_DEADLINE:
            continue
        chooses = command is CommandType.CHOOSE_OPTION
        rows = leaving if chooses else table.select(dispute.path, command, case)
        if rows and _possible(rows[0], case):
            until = min(
                (due for due in case.deadlines.values() if not _in_time(rows[0], case, due)),
                default=None,
            )
            yield Remedy(role=role, command=command, until=until)


def _possible(row: DisputeTransition, case: Case) -> bool:
    """Tell whether the transition may fire now, given facts and a payload that fit."""
    lasting = (guard for guard in row.rule.needs if guard.lasting)
    return all(guard.check(case) for guard in (*row.rule.timing, *lasting))


def _in_time(row: DisputeTransition, case: Case, due: datetime) -> bool:
    """Tell whether the transition is still in time once this deadline has passed."""
    later = case.changed(now=just_after(due))
    return all(guard.check(later) for guard in row.rule.timing)
