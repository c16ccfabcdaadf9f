"""What several charts are written with: actors, selectors, requirements, sources.

A transition belongs to one version; what it is made of may belong to all.
"""

from collections.abc import Sequence

from statemachine import State
from statemachine.transition_list import TransitionList

from dispute_fsm.domain.enums import Deadline, Option, Outcome, Role
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.machine import chart
from dispute_fsm.machine.guard import ActorGuard, Guard, Selector, Source, when
from dispute_fsm.machine.transition_table import Outcomes
from dispute_fsm.rules import guards as g
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.guards.actors import by
from dispute_fsm.rules.guards.evidence import VOUCHER_LIMITS
from dispute_fsm.rules.guards.timing import has_passed, in_time

SETTLEMENT = FrozenMap(
    {
        Option.CONSUMER_CANCELS: Outcome.SETTLED_BY_CANCELLATION,
        Option.ALREADY_SHIPPED: Outcome.SETTLED_BY_SHIPMENT,
        Option.OUT_OF_STOCK_REFUND: Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND,
    }
)
"""The outcome when the consumer agrees; `ship_by_agreed_date` ends by the shipment instead."""

RESOLUTIONS = (
    Outcome.SETTLED_BY_CANCELLATION,
    Outcome.SETTLED_BY_SHIPMENT,
    Outcome.SETTLED_BY_AGREED_SHIPMENT,
    Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND,
    Outcome.NO_FAULT,
    Outcome.WITHDRAWN,
    Outcome.ANNULLED,
)
"""How a dispute can be resolved."""

RESPONSE, CONFIRMATION = Deadline.RESPONSE, Deadline.CONFIRMATION
PROMISE, EVIDENCE = Deadline.PROMISE, Deadline.EVIDENCE
consumer, merchant, adjudicator, system = (by(role) for role in Role)
opener = by(Role.CONSUMER, Role.SYSTEM)

cancels, shipped, ships = (
    when(g.OPTION, o)
    for o in (Option.CONSUMER_CANCELS, Option.ALREADY_SHIPPED, Option.SHIP_BY_AGREED_DATE)
)
out_of_stock = when(g.OPTION, Option.OUT_OF_STOCK_REFUND)
settles, claims = (
    when(g.OPTION, *SETTLEMENT),
    when(g.OPTION, Option.CONSUMER_CANCELS, Option.ALREADY_SHIPPED),
)
asked, not_asked = when(g.CONFIRMATION, "asked"), when(g.CONFIRMATION, "off")
consents, denies = when(g.SILENCE, "consent"), when(g.SILENCE, "denial")
kept, refunded, neither = (when(g.FULFILMENT, answer) for answer in ("kept", "refunded", "neither"))
none_yet, submitted = when(g.EVIDENCE, "none"), when(g.EVIDENCE, "standing")

CANCELLED = (g.cancel_requested_or_refunded, *VOUCHER_LIMITS)
SHIPPED = (g.shipped, g.picked_up, *VOUCHER_LIMITS)
AGREED = (
    g.promise_given,
    g.promise_in_future,
    g.promise_not_too_far,
    g.agreement_voucher,
    *VOUCHER_LIMITS,
)


def transition(  # noqa: PLR0913 -- one argument per column of the transition table
    source: State | type[State.Compound | State.Parallel],
    target: State,
    by: ActorGuard[Case],
    *,
    origin: Source,
    when: Sequence[Selector[Case]] = (),
    needs: Sequence[Guard[Case]] = (),
    on_time: Guard[Case] | None = in_time,
    within: Sequence[Guard[Case]] = (),
    expires: Deadline | None = None,
    outcome: Outcomes[Outcome] = None,
    liability: Outcome | None = None,
    starts: Sequence[Deadline] = (),
    ends: Sequence[Deadline] = (),
) -> TransitionList:
    """Declare one transition of a dispute.

    `by` says who, `when` it applies rather than another, `needs` what it requires. `expires` names
    the deadline on whose passing it acts; every other transition has to be in time: `on_time` (of
    its region; None: it need not be), and `within` further windows. `outcome` is how the dispute
    ends by it, `liability` for what its region fails; `starts` and `ends` are deadlines that begin
    or end, beside those that do not run in the target; `origin` is where the rule comes from.
    """
    timing = (on_time, *within) if expires is None else (has_passed(expires),)
    return chart.transition(
        source,
        target,
        by,
        when=when,
        timing=[guard for guard in timing if guard is not None],
        needs=needs,
        expires=expires,
        outcome=outcome,
        liability=liability,
        starts=starts,
        ends=ends,
        origin=origin,
    )
