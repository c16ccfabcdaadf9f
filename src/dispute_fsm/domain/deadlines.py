"""What is declared of each deadline: how long it runs by policy, and when it is due."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import cast

from dispute_fsm.domain.enums import Deadline
from dispute_fsm.domain.policy import TERM_FIELDS, Policy, Term
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.domain.working_time import count


def _term(deadline: Deadline) -> Callable[[Policy], Term | None] | None:
    if deadline is Deadline.PROMISE:
        return None
    if deadline.value not in TERM_FIELDS:
        raise TypeError(f"Policy has no field {deadline.value}, the term of the {deadline.en}")
    return attrgetter(deadline.value)


TERMS: Mapping[Deadline, Callable[[Policy], Term | None] | None] = FrozenMap(
    {deadline: _term(deadline) for deadline in Deadline}
)
"""The policy field of each deadline's term, of the same name, which also switches it off.

The promise has none, it runs to the agreed instant. A sweep settles ties in the order of
`Deadline`.
"""


def term_of(deadline: Deadline, policy: Policy) -> Term | None:
    """Return how long a deadline runs; None where it is switched off, and for the promise."""
    term = TERMS[deadline]
    return None if term is None else term(policy)


def is_on(deadline: Deadline, policy: Policy) -> bool:
    """Tell whether the policy lets this deadline run at all; a promise always does."""
    return TERMS[deadline] is None or term_of(deadline, policy) is not None


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
    due instant is kept: a newer calendar moves none.
    """
    term_by = TERMS[deadline]
    if term_by is None:
        agreed = extended_to or agreed_until
        return None if agreed is None else agreed + policy.scan_grace
    if extended_to is not None:
        return extended_to
    term = term_by(policy)
    if term is None:
        return None
    if term.hours is not None:
        return start + timedelta(hours=term.hours)
    return count(cast("int", term.working_hours), start, policy.calendar).due
