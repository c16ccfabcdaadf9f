"""When a deadline that begins now is due."""

from datetime import datetime, timedelta
from typing import cast

from dispute_fsm.domain.enums import Deadline
from dispute_fsm.domain.policy import Policy, Term
from dispute_fsm.domain.working_time import count


def term_of(deadline: Deadline, policy: Policy) -> Term | None:
    """Return how long a deadline runs by policy; None where it is switched off. The promise has no term of its own."""
    terms = {
        Deadline.RESPONSE: policy.response,
        Deadline.CONFIRMATION: policy.confirmation,
        Deadline.EVIDENCE: policy.evidence,
    }
    return terms.get(deadline)


def is_on(deadline: Deadline, policy: Policy) -> bool:
    """Tell whether the policy lets this deadline run at all; a promise always does."""
    return deadline is Deadline.PROMISE or term_of(deadline, policy) is not None


def due_instant(
    deadline: Deadline,
    policy: Policy,
    start: datetime,
    agreed_until: datetime | None = None,
    extended_to: datetime | None = None,
) -> datetime | None:
    """Return when a deadline that starts now is due (UTC); None where the policy switches it off.

    The promise is due `scan_grace` after the agreed instant, so that the carrier's scan can reach
    us. An extension sets the due instant itself, for the promise the agreed one. Once recorded, a
    due instant stands: a newer calendar moves none.
    """
    if deadline is Deadline.PROMISE:
        agreed = extended_to or agreed_until
        return None if agreed is None else agreed + policy.scan_grace
    if extended_to is not None:
        return extended_to
    term = term_of(deadline, policy)
    if term is None:
        return None
    if term.hours is not None:
        return start + timedelta(hours=term.hours)
    return count(cast("int", term.working_hours), start, policy.calendar).due
