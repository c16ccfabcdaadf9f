"""The rules of version 2023-03: every state, every transition, every requirement.

Why it is shaped so. The merchant answers exactly once, so `opened` fans out into what each answer
leads to, and nothing leads back. Two answers wait for a person (`awaiting_confirmation`,
`awaiting_evidence`), one for the carrier (`awaiting_shipment`); where people disagree the platform
looks (`denial_under_review`, `under_review`). `resolved` and `penalized` close the dispute; only an
annulment leads out of `penalized`.

How to read a transition: from, to, who; `when` it applies rather than its neighbours (by the
option, by policy, by what happened before, by what the order shows); what it then `needs` (only
these are reasons for a refusal); which deadlines it `starts` or `ends` beside those that do not
stand in the target; the outcome; and where the rule comes from: `stated` in the announcement of
2023-03-27, or `assumed` by us and why. Every transition but an expiry has to be in time. Nothing
that decides one is anywhere else: what runs is the table that is compiled from this class, and the
tests walk both.
"""

from datetime import date
from types import SimpleNamespace

from statemachine import State

from dispute_fsm.domain.enums import LIABILITIES, EventType, Option, Outcome, StateName
from dispute_fsm.domain.policy import Bilingual
from dispute_fsm.machine.chart import Chart, Leaf
from dispute_fsm.machine.guard import when
from dispute_fsm.machine.transition_table import InitialTransition
from dispute_fsm.rules import guards as g
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
    ACCEPTS,
    ANNUL,
    ASKED,
    CANCELS,
    CONTESTS,
    DENIED,
    EXTEND,
    KEPT,
    KEPT_AT_LAST,
    MISSED,
    NOT_ACCEPTED,
    NOT_UPHELD,
    NOTHING_SHOWN,
    ON_WHAT_IS_THERE,
    ONCE_MORE,
    OPENED,
    PICKED_UP,
    PROMISED,
    REASONED,
    REFUND,
    RULING,
    RUNS_ON,
    SILENT,
    UNANSWERED,
    UPHELD,
    WITHDRAW,
)
from dispute_fsm.rules.version import Version

OPTIONS = (
    Option.CONSUMER_CANCELS,
    Option.ALREADY_SHIPPED,
    Option.SHIP_BY_AGREED_DATE,
    Option.OUT_OF_STOCK_REFUND,
    Option.PROVE_NO_FAULT,
)
"""All five responses exist in this version."""

contests = when(g.OPTION, Option.PROVE_NO_FAULT)
penalizes, reviewed = when(g.DENIAL, "penalize"), when(g.DENIAL, "review")

ENTRY = InitialTransition(
    by=opener,
    needs=(g.order_exists,),
    starts=(RESPONSE,),
    origin=OPENED,
)


class Rules202303(Chart):
    """Settle or contest: one answer of the merchant, then one way to the end."""

    opened = Leaf(StateName.OPENED.en, deadlines=[RESPONSE], initial=True)

    class option_chosen(State.Compound, name=StateName.OPTION_CHOSEN.en):  # noqa: N801 -- the class's name is the state's id
        """The merchant has answered."""

        class settling(State.Compound, name=StateName.SETTLING.en):  # noqa: N801 -- the class's name is the state's id
            """The merchant says that there is an agreement."""

            awaiting_confirmation = Leaf(
                StateName.AWAITING_CONFIRMATION.en, deadlines=[CONFIRMATION], initial=True
            )
            awaiting_shipment = Leaf(
                StateName.AWAITING_SHIPMENT.en, deadlines=[CONFIRMATION, PROMISE]
            )
            denial_under_review = Leaf(StateName.DENIAL_UNDER_REVIEW.en, deadlines=[PROMISE])

        class contesting(State.Compound, name=StateName.CONTESTING.en):  # noqa: N801 -- the class's name is the state's id
            """The merchant says that it is not at fault."""

            awaiting_evidence = Leaf(
                StateName.AWAITING_EVIDENCE.en, deadlines=[EVIDENCE], initial=True
            )
            under_review = Leaf(StateName.UNDER_REVIEW.en)

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
        confirmation=option_chosen.settling.awaiting_confirmation,
        shipment=option_chosen.settling.awaiting_shipment,
        denial=option_chosen.settling.denial_under_review,
        evidence=option_chosen.contesting.awaiting_evidence,
        ruling=option_chosen.contesting.under_review,
    )

    # fmt: off
    # Laid out by hand, so that the whole can be read as a table.
    choose_option = (
        transition(opened, at.confirmation, merchant, when=[cancels, asked], needs=CANCELLED,
                starts=[CONFIRMATION], origin=CANCELS)
        | transition(opened, resolved, merchant, when=[cancels, not_asked], needs=CANCELLED,
                outcome=Outcome.SETTLED_BY_CANCELLATION, origin=ASKED)
        | transition(opened, at.confirmation, merchant, when=[shipped, asked], needs=SHIPPED,
                starts=[CONFIRMATION], origin=PICKED_UP)
        | transition(opened, resolved, merchant, when=[shipped, not_asked], needs=SHIPPED,
                outcome=Outcome.SETTLED_BY_SHIPMENT, origin=ASKED)
        | transition(opened, at.shipment, merchant, when=[ships], needs=AGREED,
                starts=[CONFIRMATION, PROMISE], origin=PROMISED)
        | transition(opened, at.confirmation, merchant, when=[out_of_stock, asked],
                needs=VOUCHER_LIMITS, starts=[CONFIRMATION], origin=ACCEPTS)
        | transition(opened, resolved, merchant, when=[out_of_stock, not_asked],
                needs=VOUCHER_LIMITS, outcome=Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND, origin=ASKED)
        | transition(opened, at.evidence, merchant, when=[contests], needs=VOUCHER_LIMITS,
                starts=[EVIDENCE], origin=CONTESTS)
    )
    response_expired = transition(opened, penalized, system, expires=RESPONSE,
            outcome=Outcome.NO_RESPONSE, origin=UNANSWERED)
    confirm_agreement = (
        transition(at.confirmation, resolved, consumer, when=[settles], outcome=SETTLEMENT,
                origin=ASKED)
        | transition(at.shipment, at.shipment, consumer, when=[asked], within=[g.window_open],
                needs=[g.not_confirmed], ends=[CONFIRMATION], origin=ASKED)
    )
    deny_agreement = (
        transition(at.confirmation, penalized, consumer, when=[out_of_stock],
                outcome=Outcome.OUT_OF_STOCK, origin=NOT_ACCEPTED)
        | transition(at.confirmation, penalized, consumer, when=[claims, penalizes],
                needs=[g.not_confirmed], outcome=Outcome.BREACH_OF_PROMISE, origin=DENIED)
        | transition(at.confirmation, at.denial, consumer, when=[claims, reviewed],
                needs=[g.not_confirmed], origin=DENIED)
        | transition(at.shipment, penalized, consumer, when=[asked, penalizes],
                within=[g.window_open], needs=[g.not_confirmed], outcome=Outcome.BREACH_OF_PROMISE,
                origin=DENIED)
        | transition(at.shipment, at.denial, consumer, when=[asked, reviewed],
                within=[g.window_open], needs=[g.not_confirmed], origin=DENIED)
    )
    confirmation_expired = (
        transition(at.confirmation, resolved, system, when=[consents, settles],
                expires=CONFIRMATION, outcome=SETTLEMENT, origin=SILENT)
        | transition(at.confirmation, penalized, system, when=[denies, out_of_stock],
                expires=CONFIRMATION, outcome=Outcome.OUT_OF_STOCK, origin=SILENT)
        | transition(at.confirmation, penalized, system, when=[denies, claims, penalizes],
                expires=CONFIRMATION, outcome=Outcome.BREACH_OF_PROMISE, origin=SILENT)
        | transition(at.confirmation, at.denial, system, when=[denies, claims, reviewed],
                expires=CONFIRMATION, origin=SILENT)
    )
    observe_order = (
        transition(at.shipment, resolved, system, when=[kept],
                outcome=Outcome.SETTLED_BY_AGREED_SHIPMENT, origin=KEPT)
        | transition(at.shipment, resolved, system, when=[refunded],
                outcome=Outcome.SETTLED_BY_CANCELLATION, origin=REFUND)
    )
    promise_expired = (
        transition(at.shipment, resolved, system, when=[kept], expires=PROMISE,
                outcome=Outcome.SETTLED_BY_AGREED_SHIPMENT, origin=KEPT_AT_LAST)
        | transition(at.shipment, resolved, system, when=[refunded], expires=PROMISE,
                outcome=Outcome.SETTLED_BY_CANCELLATION, origin=REFUND)
        | transition(at.shipment, penalized, system, when=[neither], expires=PROMISE,
                outcome=Outcome.PROMISE_MISSED, origin=MISSED)
    )
    submit_evidence = transition(at.evidence, at.ruling, merchant, needs=PROVEN, origin=REASONED)
    evidence_expired = (
        transition(at.evidence, penalized, system, when=[none_yet], expires=EVIDENCE,
                outcome=Outcome.EVIDENCE_OVERDUE, origin=NOTHING_SHOWN)
        | transition(at.evidence, at.ruling, system, when=[submitted], expires=EVIDENCE,
                origin=ON_WHAT_IS_THERE)
    )
    request_evidence = transition(at.ruling, at.evidence, adjudicator, needs=[g.rounds_left],
            starts=[EVIDENCE], origin=ONCE_MORE)
    rule_no_fault = (
        transition(at.ruling, resolved, adjudicator, needs=[g.rationale_given],
                outcome=Outcome.NO_FAULT, origin=RULING)
        | transition(at.denial, at.shipment, adjudicator, when=[ships], needs=[g.rationale_given],
                origin=RUNS_ON)
        | transition(at.denial, resolved, adjudicator, when=[settles], needs=[g.rationale_given],
                outcome=SETTLEMENT, origin=UPHELD)
    )
    rule_at_fault = (
        transition(at.ruling, penalized, adjudicator, needs=[g.rationale_given],
                outcome=Outcome.AT_FAULT, origin=RULING)
        | transition(at.denial, penalized, adjudicator, needs=[g.rationale_given],
                outcome=Outcome.BREACH_OF_PROMISE, origin=NOT_UPHELD)
    )
    extend_deadline = (
        transition(opened, opened, adjudicator, when=[when(g.EXTENDED, RESPONSE)],
                needs=g.EXTENSION, starts=[RESPONSE], origin=EXTEND)
        | transition(at.confirmation, at.confirmation, adjudicator,
                when=[when(g.EXTENDED, CONFIRMATION)], needs=g.EXTENSION, starts=[CONFIRMATION],
                origin=EXTEND)
        | transition(at.shipment, at.shipment, adjudicator, when=[when(g.EXTENDED, PROMISE)],
                needs=g.EXTENSION, starts=[PROMISE], origin=EXTEND)
        | transition(at.denial, at.denial, adjudicator, when=[when(g.EXTENDED, PROMISE)],
                needs=g.EXTENSION, starts=[PROMISE], origin=EXTEND)
        | transition(at.evidence, at.evidence, adjudicator, when=[when(g.EXTENDED, EVIDENCE)],
                needs=g.EXTENSION, starts=[EVIDENCE], origin=EXTEND)
    )
    withdraw = (
        transition(opened, resolved, consumer, outcome=Outcome.WITHDRAWN, origin=WITHDRAW)
        | transition(option_chosen, resolved, consumer, outcome=Outcome.WITHDRAWN, origin=WITHDRAW)
    )
    annul = transition(penalized, resolved, adjudicator, needs=[g.rationale_given],
            outcome=Outcome.ANNULLED, origin=ANNUL)
    # fmt: on


VERSION = Version(
    id="2023-03",
    label=Bilingual(zh="方案五选一", en="one answer of five"),
    valid_from=date(2023, 3, 27),
    change=Bilingual(
        zh="商家只能选择一个方案：四种和解方案之一，或举证判责；两者不再并行",
        en=(
            "the merchant gives exactly one answer: one of four settlements, or evidence and a "
            "ruling; no longer both side by side"
        ),
    ),
    why=Bilingual(zh="2023-03-27 公告", en="the announcement of 2023-03-27"),
    options=OPTIONS,
    chart=Rules202303,
    entry=ENTRY,
)
