"""The rules of version `parallel`, which 2023-03 replaced.

Why it is shaped so. Settlement and no-fault evidence run side by side, so the merchant may do both:
`disputing` has a region for each. The first region to end well ends the dispute, by a transition
out of the regions to `resolved`. A region that fails waits in its failed leaf for the other; when
that fails too, the dispute is `penalized`, with the weightier of the two liabilities. So a
transition that fails a region is written once and stands as several rows (`fails`), told apart by
what has failed so far: nothing, or the other region, for this or for that.

How to read a row: as in 2023-03. Every row but an expiry has to be in time by the deadline of its
own region (`settling`, `proving`); a withdrawal, which belongs to both, while either has time left.
All of it is assumed but that there were two.
"""

from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace

from statemachine import State
from statemachine.transition_list import TransitionList

from dispute_fsm.domain.enums import LIABILITIES, Deadline, EventType, Option, Outcome, StateName
from dispute_fsm.domain.policy import Bilingual
from dispute_fsm.machine.chart import Chart, Leaf
from dispute_fsm.machine.guard import ActorGuard, Selector, Source, when
from dispute_fsm.machine.transition_table import InitialTransition
from dispute_fsm.rules import guards as g
from dispute_fsm.rules import sources
from dispute_fsm.rules.case import assumed
from dispute_fsm.rules.common import (
    AGREED,
    CANCELLED,
    CONFIRMATION,
    EVIDENCE,
    PROMISE,
    RESOLUTIONS,
    RESPONSE,
    SETTLEMENT,
    SHIPPED,
    adjudicator,
    asked,
    cancels,
    claims,
    consents,
    consumer,
    denies,
    kept,
    merchant,
    neither,
    none_yet,
    not_asked,
    opener,
    out_of_stock,
    refunded,
    settles,
    shipped,
    ships,
    submitted,
    system,
    transition,
)
from dispute_fsm.rules.guards.evidence import PROVEN, VOUCHER_LIMITS
from dispute_fsm.rules.sources import (
    ANNUL,
    ASKED,
    DENIED,
    EXTEND,
    KEPT_AT_LAST,
    NOTHING_SHOWN,
    ON_WHAT_IS_THERE,
    ONCE_MORE,
    REFUND,
    SILENT,
    UNANSWERED,
    WITHDRAW,
)
from dispute_fsm.rules.version import Version

OPTIONS = (
    Option.CONSUMER_CANCELS,
    Option.ALREADY_SHIPPED,
    Option.SHIP_BY_AGREED_DATE,
    Option.OUT_OF_STOCK_REFUND,
)
"""The four settlements; evidence is no choice here, it is simply there."""

OF_SETTLEMENT = (
    Outcome.BREACH_OF_PROMISE,
    Outcome.OUT_OF_STOCK,
    Outcome.PROMISE_MISSED,
    Outcome.NO_RESPONSE,
)
OF_EVIDENCE = (Outcome.AT_FAULT, Outcome.EVIDENCE_OVERDUE)
"""For what each region can fail."""


def alike(name: str, source: Source) -> Source:
    """Take over a source of 2023-03 as assumed: of these rules the announcement does not say it."""
    return assumed(
        name,
        source.zh,
        source.en,
        because=(
            "公告未说明旧规则，推定与新规则相同",
            "the announcement does not say it of the older rules; they are taken to be alike",
        ),
    )


OPENED = alike("A-old-open", sources.OPENED)
CANCELS = alike("A-old-cancel", sources.CANCELS)
PICKED_UP = alike("A-old-pickup", sources.PICKED_UP)
PROMISED = alike("A-old-promise", sources.PROMISED)
KEPT = alike("A-old-kept", sources.KEPT)
MISSED = alike("A-old-missed", sources.MISSED)
ACCEPTS = alike("A-old-out-of-stock", sources.ACCEPTS)
NOT_ACCEPTED = alike("A-old-not-accepted", sources.NOT_ACCEPTED)
REASONED = alike("A-old-evidence", sources.REASONED)
RULING = alike("A-old-ruling", sources.RULING)

settling, proving = (
    partial(transition, on_time=g.settlement_in_time),
    partial(transition, on_time=g.evidence_in_time),
)
alone = when(g.FAILED, "none")


def named(deadline: Deadline) -> list[Selector]:
    """Select the row for the deadline that an extension names."""
    return [when(g.NAMED, deadline)]


def fails(  # noqa: PLR0913 -- as many columns as a row of the transition table
    row: partial[TransitionList],
    source: State,
    *,
    failed: State,
    penalized: State,
    by: ActorGuard,
    liability: Outcome,
    origin: Source,
    selected: Sequence[Selector] = (),
    **words: object,
) -> TransitionList:
    """Declare how a region fails: it waits for the other, or the weightier liability counts."""
    others = OF_EVIDENCE if liability in OF_SETTLEMENT else OF_SETTLEMENT
    rows = row(
        source, failed, by, when=[*selected, alone], liability=liability, origin=origin, **words
    )
    for outcome in LIABILITIES:
        if before := [
            other for other in others if min(liability, other, key=LIABILITIES.index) is outcome
        ]:
            selectors = [*selected, when(g.FAILED, *before)]
            rows |= row(
                source, penalized, by, when=selectors, outcome=outcome, origin=origin, **words
            )
    return rows


ENTRY = InitialTransition(
    by=opener,
    needs=(g.order_exists,),
    starts=(RESPONSE, EVIDENCE),
    origin=OPENED,
)


class RulesParallel(Chart):
    """Settle and contest side by side: the first good end counts, a penalty takes two bad ones."""

    class disputing(State.Parallel, name=StateName.DISPUTING.en):  # noqa: N801 -- the class's name is the state's id
        """Both at once."""

        class settlement(State.Compound, name=StateName.SETTLEMENT.en):  # noqa: N801 -- the class's name is the state's id
            """The merchant seeks an agreement."""

            proposing = Leaf(StateName.PROPOSING.en, deadlines=[RESPONSE], initial=True)
            awaiting_confirmation = Leaf(
                StateName.AWAITING_CONFIRMATION.en, deadlines=[CONFIRMATION]
            )
            awaiting_shipment = Leaf(
                StateName.AWAITING_SHIPMENT.en, deadlines=[CONFIRMATION, PROMISE]
            )
            settlement_failed = Leaf(
                StateName.SETTLEMENT_FAILED.en,
                failures=OF_SETTLEMENT,
                records=EventType.SETTLEMENT_FAILED,
            )

        class evidence(State.Compound, name=StateName.EVIDENCE.en):  # noqa: N801 -- the class's name is the state's id
            """The merchant shows that it is not at fault."""

            awaiting_evidence = Leaf(
                StateName.AWAITING_EVIDENCE.en, deadlines=[EVIDENCE], initial=True
            )
            under_review = Leaf(StateName.UNDER_REVIEW.en)
            evidence_failed = Leaf(
                StateName.EVIDENCE_FAILED.en,
                failures=OF_EVIDENCE,
                records=EventType.EVIDENCE_FAILED,
            )

    resolved = Leaf(
        StateName.RESOLVED.en,
        closed=True,
        outcomes=RESOLUTIONS,
        records=EventType.DISPUTE_RESOLVED,
        final=True,
    )
    penalized = Leaf(
        StateName.PENALIZED.en,
        closed=True,
        outcomes=LIABILITIES,
        records=EventType.DISPUTE_PENALIZED,
    )

    # Short names for the rows below; in a namespace, because a bare alias would be taken for one
    # more state.
    at = SimpleNamespace(
        proposing=disputing.settlement.proposing,
        confirmation=disputing.settlement.awaiting_confirmation,
        shipment=disputing.settlement.awaiting_shipment,
        evidence=disputing.evidence.awaiting_evidence,
        ruling=disputing.evidence.under_review,
    )
    lost = SimpleNamespace(
        settlement=partial(
            fails, settling, failed=disputing.settlement.settlement_failed, penalized=penalized
        ),
        evidence=partial(
            fails, proving, failed=disputing.evidence.evidence_failed, penalized=penalized
        ),
    )

    # fmt: off
    # Laid out by hand, so that the whole can be read as a table.
    choose_option = (
        settling(at.proposing, at.confirmation, merchant, when=[cancels, asked],
                needs=CANCELLED, starts=[CONFIRMATION], origin=CANCELS)
        | settling(at.proposing, at.confirmation, merchant, when=[shipped, asked],
                needs=SHIPPED, starts=[CONFIRMATION], origin=PICKED_UP)
        | settling(at.proposing, at.shipment, merchant, when=[ships], needs=AGREED,
                starts=[CONFIRMATION, PROMISE], origin=PROMISED)
        | settling(at.proposing, at.confirmation, merchant, when=[out_of_stock, asked],
                needs=VOUCHER_LIMITS,
                   starts=[CONFIRMATION], origin=ACCEPTS)
        | settling(at.proposing, resolved, merchant, when=[cancels, not_asked], needs=CANCELLED,
                   outcome=Outcome.SETTLED_BY_CANCELLATION, origin=ASKED)
        | settling(at.proposing, resolved, merchant, when=[shipped, not_asked], needs=SHIPPED,
                   outcome=Outcome.SETTLED_BY_SHIPMENT, origin=ASKED)
        | settling(at.proposing, resolved, merchant, when=[out_of_stock, not_asked],
                needs=VOUCHER_LIMITS,
                   outcome=Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND, origin=ASKED)
    )
    response_expired = lost.settlement(at.proposing, by=system,
                liability=Outcome.NO_RESPONSE, expires=RESPONSE, origin=UNANSWERED)
    confirm_agreement = (
        settling(at.confirmation, resolved, consumer, when=[settles], outcome=SETTLEMENT,
                origin=ASKED)
        | settling(at.shipment, at.shipment, consumer, when=[asked], within=[g.window_open],
                needs=[g.not_confirmed],
                   ends=[CONFIRMATION], origin=ASKED)
    )
    deny_agreement = (
        lost.settlement(at.confirmation, by=consumer, selected=[out_of_stock],
                liability=Outcome.OUT_OF_STOCK, origin=NOT_ACCEPTED)
        | lost.settlement(at.confirmation, by=consumer, selected=[claims], needs=[g.not_confirmed],
                          liability=Outcome.BREACH_OF_PROMISE, origin=DENIED)
        | lost.settlement(at.shipment, by=consumer, selected=[asked], within=[g.window_open],
                needs=[g.not_confirmed],
                          liability=Outcome.BREACH_OF_PROMISE, origin=DENIED)
    )
    confirmation_expired = (
        settling(at.confirmation, resolved, system, when=[consents, settles],
                expires=CONFIRMATION, outcome=SETTLEMENT, origin=SILENT)
        | lost.settlement(at.confirmation, by=system, selected=[denies, out_of_stock],
                expires=CONFIRMATION,
                          liability=Outcome.OUT_OF_STOCK, origin=SILENT)
        | lost.settlement(at.confirmation, by=system, selected=[denies, claims],
                expires=CONFIRMATION,
                          liability=Outcome.BREACH_OF_PROMISE, origin=SILENT)
    )
    observe_order = (
        settling(at.shipment, resolved, system, when=[kept],
                outcome=Outcome.SETTLED_BY_AGREED_SHIPMENT, origin=KEPT)
        | settling(at.shipment, resolved, system, when=[refunded],
                outcome=Outcome.SETTLED_BY_CANCELLATION, origin=REFUND)
    )
    promise_expired = (
        settling(at.shipment, resolved, system, when=[kept], expires=PROMISE,
                outcome=Outcome.SETTLED_BY_AGREED_SHIPMENT,
                 origin=KEPT_AT_LAST)
        | settling(at.shipment, resolved, system, when=[refunded], expires=PROMISE,
                outcome=Outcome.SETTLED_BY_CANCELLATION,
                   origin=REFUND)
        | lost.settlement(at.shipment, by=system, selected=[neither], expires=PROMISE,
                liability=Outcome.PROMISE_MISSED, origin=MISSED)
    )
    submit_evidence = proving(at.evidence, at.ruling, merchant, needs=PROVEN, origin=REASONED)
    evidence_expired = (
        lost.evidence(at.evidence, by=system, selected=[none_yet], expires=EVIDENCE,
                liability=Outcome.EVIDENCE_OVERDUE,
                      origin=NOTHING_SHOWN)
        | proving(at.evidence, at.ruling, system, when=[submitted], expires=EVIDENCE,
                origin=ON_WHAT_IS_THERE)
    )
    request_evidence = proving(at.ruling, at.evidence, adjudicator, needs=[g.rounds_left],
                starts=[EVIDENCE], origin=ONCE_MORE)
    rule_no_fault = proving(at.ruling, resolved, adjudicator, needs=[g.rationale_given],
                outcome=Outcome.NO_FAULT, origin=RULING)
    rule_at_fault = lost.evidence(at.ruling, by=adjudicator, needs=[g.rationale_given],
                liability=Outcome.AT_FAULT, origin=RULING)
    extend_deadline = (
        settling(at.proposing, at.proposing, adjudicator, when=named(RESPONSE),
                needs=g.EXTENSION, starts=[RESPONSE], origin=EXTEND)
        | settling(at.confirmation, at.confirmation, adjudicator, when=named(CONFIRMATION),
                needs=g.EXTENSION,
                   starts=[CONFIRMATION], origin=EXTEND)
        | settling(at.shipment, at.shipment, adjudicator, when=named(PROMISE),
                needs=g.EXTENSION, starts=[PROMISE], origin=EXTEND)
        | proving(at.evidence, at.evidence, adjudicator, when=named(EVIDENCE),
                needs=g.EXTENSION, starts=[EVIDENCE], origin=EXTEND)
    )
    withdraw = transition(disputing, resolved, consumer, outcome=Outcome.WITHDRAWN, origin=WITHDRAW)
    annul = transition(penalized, resolved, adjudicator, needs=[g.rationale_given],
            outcome=Outcome.ANNULLED, origin=ANNUL)
    # fmt: on


VERSION = Version(
    id="parallel",
    label=Bilingual(zh="和解与举证并行", en="settlement and evidence side by side"),
    valid_from=None,
    change=Bilingual(
        zh="和解与举证同时进行；任一路径成立，纠纷即解决；两条路径均未成立才判责，责任取较重者",
        en=(
            "settlement and no-fault evidence run at once; the first good end counts, a penalty "
            "takes two bad ones and is the weightier"
        ),
    ),
    why=Bilingual(
        zh="2023-03-27 之前的规则，灰度期间继续适用",
        en="the rules before 2023-03-27; they run on while the change goes out gradually",
    ),
    options=OPTIONS,
    not_offered=(Option.PROVE_NO_FAULT,),
    chart=RulesParallel,
    entry=ENTRY,
)
