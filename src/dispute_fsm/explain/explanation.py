"""Why a dispute ended so: what happened, how near it was, and what can still be done. Pure.

Everything comes from the recorded events, what the guards saw, and the chart with its sources. Of a
live dispute it is said what will happen if nobody acts.
"""

from collections.abc import Sequence

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.enums import LIABILITIES, CommandType, Outcome, Role
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.explain.course import Record
from dispute_fsm.explain.happenings import Taken
from dispute_fsm.explain.margins import margin, nearest
from dispute_fsm.explain.outlook import forecast, remedies
from dispute_fsm.explain.values import Explanation, Margin, NobodyLost

_NOBODY_LOST = frozenset({Outcome.WITHDRAWN, Outcome.ANNULLED, Outcome.OVERTURNED})


def explain_dispute(dispute: Dispute, events: Sequence[AuditEvent]) -> Explanation:
    """Explain why a dispute ended so, or where it stands.

    `events` are all of the dispute's, from the opening on, `dispute` is what they fold to. Raises
    `ImpossibleEventError` where the events are no history.
    """
    deciding = _deciding(dispute, Record(events, dispute.policy).taken)
    return Explanation(
        dispute_id=dispute.dispute_id,
        rules=dispute.rules.id,
        zone=dispute.policy.calendar.zone,
        seq=dispute.seq,
        at=dispute.last_at,
        states=dispute.states,
        closed=dispute.closed,
        outcome=dispute.outcome,
        happened=tuple(each.happening() for each in deciding),
        lost=_lost(dispute.outcome),
        margin=_margin(dispute, deciding, events),
        remedies=remedies(dispute),
    )


def _deciding(dispute: Dispute, accepted: Sequence[Taken]) -> list[Taken]:
    """Return the events that made the dispute what it is.

    They are how each region failed, the first event with an outcome, and what came after it; of a
    live dispute the last event. An extension is one only where nothing else happened last.
    """
    failed = [each for each in accepted if each.liability is not None]
    if dispute.outcome is None:
        last = accepted[-1]
        return [*(each for each in failed if each is not last), last]
    first = next(at for at, each in enumerate(accepted) if each.after.outcome is not None)
    since = [
        each for each in accepted[first:] if each.event.command is not CommandType.EXTEND_DEADLINE
    ]
    if accepted[first].after.outcome not in LIABILITIES:
        return since
    return [*(each for each in failed if each is not since[0]), *since]


def _lost(outcome: Outcome | None) -> Role | None:
    if outcome is None or outcome in _NOBODY_LOST:
        return None
    return Role.MERCHANT if outcome in LIABILITIES else Role.CONSUMER


def _margin(dispute: Dispute, deciding: Sequence[Taken], events: Sequence[AuditEvent]) -> Margin:
    if dispute.outcome is None:
        return forecast(dispute, events)
    if dispute.outcome in _NOBODY_LOST:
        return NobodyLost(clause=deciding[-1].clause)
    decided = [
        each
        for each in deciding
        if each.before is not None
        # What came after the outcome counts only where it closed a way: an appeal that never came.
        and (each.before.outcome is None or each.event.command.expires is not None)
    ]
    return nearest([margin(each, events) for each in decided], _lost(dispute.outcome))
