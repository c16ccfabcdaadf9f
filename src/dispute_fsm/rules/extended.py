"""The rules of version extended, an example: 2023-03 with a sixth option and an appeal.

Read `v2023_03` first; the rows are in the same order, and what is new is said here.

* `partial_refund` is one more agreement: it takes a completed partial refund, and the consumer
  confirms it or denies it as a cancellation.
* `penalized` is closed but may still change: every row that leads there starts the deadline
  `appeal`, and while it runs the merchant may appeal, once. The platform then upholds the penalty
  or overturns it (`appeal_under_review`). From the penalty to the final word the outcome stays the
  liability. An annulment is possible at any time, in time or not.

Nothing of it is in the announcement, so every new row is assumed.
"""

from types import SimpleNamespace

from statemachine import State

from dispute_fsm.domain.enums import (
    LIABILITIES,
    Deadline,
    EventType,
    Option,
    Outcome,
    RefundScope,
    RefusalCode,
    StateName,
)
from dispute_fsm.domain.policy import Bilingual
from dispute_fsm.domain.reasons import FactUnlock
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.machine.chart import Chart, Leaf
from dispute_fsm.machine.guard import Dimension, GuardResult, when
from dispute_fsm.machine.transition_table import AS_BEFORE, InitialTransition
from dispute_fsm.rules import guards as g
from dispute_fsm.rules.case import Case, assumed, requirement, result_of, shown
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
    shipped,
    ships,
    submitted,
    system,
    transition,
)
from dispute_fsm.rules.guards.evidence import PROVEN, VOUCHER_LIMITS
from dispute_fsm.rules.guards.order_facts import facts_of
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

APPEAL = Deadline.APPEAL

OPTIONS = (
    Option.CONSUMER_CANCELS,
    Option.ALREADY_SHIPPED,
    Option.SHIP_BY_AGREED_DATE,
    Option.OUT_OF_STOCK_REFUND,
    Option.PROVE_NO_FAULT,
    Option.PARTIAL_REFUND,
)
"""The five responses, and a partial refund."""

SETTLEMENTS = FrozenMap({**SETTLEMENT, Option.PARTIAL_REFUND: Outcome.SETTLED_BY_PARTIAL_REFUND})
"""How a settlement ends when the consumer agrees."""


_NO_APPEAL = ("公告未提及申诉", "the announcement does not mention appeals")

REFUNDS = assumed(
    "A-partial-refund",
    "协商部分退款，须已完成部分退款",
    "a partial refund that was agreed has to be completed",
    because=("公告未提及部分退款", "the announcement does not mention partial refunds"),
)
APPEALS = assumed(
    "A-appeal",
    "判责后商家可在时限内申诉一次",
    "a penalty may be appealed once, in time",
    because=_NO_APPEAL,
    policy=("appeal",),
)
APPEAL_REASONED = assumed(
    "A-appeal-rationale", "申诉须说明理由", "an appeal gives its rationale", because=_NO_APPEAL
)
STANDS = assumed(
    "A-appeal-final",
    "逾期未申诉的，判责生效",
    "without an appeal in time the penalty is final",
    because=_NO_APPEAL,
    policy=("appeal",),
)
REVIEWED = assumed(
    "A-appeal-review", "申诉由平台复核", "the platform rules on an appeal", because=_NO_APPEAL
)


@requirement(
    "已有已完成的部分退款",
    "a completed partial refund",
    REFUNDS,
    RefusalCode.NO_PARTIAL_REFUND,
    needs_facts=True,
)
def partially_refunded(case: Case) -> GuardResult:
    """Look for a completed partial refund of any amount; a full one does not count."""
    facts = facts_of(case)
    refund = facts.refund
    return result_of(
        facts.completed_refund(RefundScope.PARTIAL) is not None,
        RefusalCode.NO_PARTIAL_REFUND,
        FactUnlock(
            "refund",
            "订单系统须显示已完成的部分退款",
            "the order system has to show a completed partial refund",
        ),
        refund=None if refund is None else refund.status.value,
        refund_scope=None if refund is None else refund.scope.value,
        refund_completed_at=None if refund is None else shown(refund.completed_at),
    )


@requirement(
    "已填写申诉理由",
    "a rationale for the appeal is given",
    APPEAL_REASONED,
    RefusalCode.RATIONALE_MISSING,
)
def appeal_reasoned(case: Case) -> GuardResult:
    """Require a rationale of the appeal that is not blank; its length has no limit."""
    return g.rationale_given.condition(case)


APPEALABLE: Dimension[Case] = Dimension(
    "appealable",
    {
        "running": ("申诉期内", "an appeal is possible"),
        "none": ("不可申诉", "no appeal is possible"),
    },
    lambda case: "running" if APPEAL in case.deadlines else "none",
    APPEALS,
    of_policy=lambda policy: "none" if policy.appeal is None else None,
)

contests = when(g.OPTION, Option.PROVE_NO_FAULT)
refunds = when(g.OPTION, Option.PARTIAL_REFUND)
settles, claims = (
    when(g.OPTION, *SETTLEMENTS),
    when(g.OPTION, Option.CONSUMER_CANCELS, Option.ALREADY_SHIPPED, Option.PARTIAL_REFUND),
)
appealable = when(APPEALABLE, "running")
PARTIALLY_REFUNDED = (partially_refunded, *VOUCHER_LIMITS)

penalizes, reviewed = when(g.DENIAL, "penalize"), when(g.DENIAL, "review")

ENTRY = InitialTransition(
    by=opener,
    needs=(g.order_exists,),
    starts=(RESPONSE,),
    origin=OPENED,
)


class RulesExtended(Chart):
    """As 2023-03; a penalty may be appealed."""

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
        outcomes=(*RESOLUTIONS, Outcome.SETTLED_BY_PARTIAL_REFUND, Outcome.OVERTURNED),
        records=EventType.DISPUTE_RESOLVED,
        final=True,
    )
    penalized = Leaf(
        StateName.PENALIZED.en,
        closed=True,
        outcomes=LIABILITIES,
        records=EventType.DISPUTE_PENALIZED,
        deadlines=[APPEAL],
    )
    appeal_under_review = Leaf(StateName.APPEAL_UNDER_REVIEW.en, outcomes=LIABILITIES)

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
        | transition(opened, at.confirmation, merchant, when=[refunds, asked],
                needs=PARTIALLY_REFUNDED, starts=[CONFIRMATION], origin=REFUNDS)
        | transition(opened, resolved, merchant, when=[refunds, not_asked],
                needs=PARTIALLY_REFUNDED, outcome=Outcome.SETTLED_BY_PARTIAL_REFUND, origin=REFUNDS)
        | transition(opened, at.evidence, merchant, when=[contests], needs=VOUCHER_LIMITS,
                starts=[EVIDENCE], origin=CONTESTS)
    )
    response_expired = transition(opened, penalized, system, expires=RESPONSE,
            outcome=Outcome.NO_RESPONSE, starts=[APPEAL], origin=UNANSWERED)
    confirm_agreement = (
        transition(at.confirmation, resolved, consumer, when=[settles], outcome=SETTLEMENTS,
                origin=ASKED)
        | transition(at.shipment, at.shipment, consumer, when=[asked], within=[g.window_open],
                needs=[g.not_confirmed], ends=[CONFIRMATION], origin=ASKED)
    )
    deny_agreement = (
        transition(at.confirmation, penalized, consumer, when=[out_of_stock],
                outcome=Outcome.OUT_OF_STOCK, starts=[APPEAL], origin=NOT_ACCEPTED)
        | transition(at.confirmation, penalized, consumer, when=[claims, penalizes],
                needs=[g.not_confirmed], outcome=Outcome.BREACH_OF_PROMISE, starts=[APPEAL],
                origin=DENIED)
        | transition(at.confirmation, at.denial, consumer, when=[claims, reviewed],
                needs=[g.not_confirmed], origin=DENIED)
        | transition(at.shipment, penalized, consumer, when=[asked, penalizes],
                within=[g.window_open], needs=[g.not_confirmed], outcome=Outcome.BREACH_OF_PROMISE,
                starts=[APPEAL], origin=DENIED)
        | transition(at.shipment, at.denial, consumer, when=[asked, reviewed],
                within=[g.window_open], needs=[g.not_confirmed], origin=DENIED)
    )
    confirmation_expired = (
        transition(at.confirmation, resolved, system, when=[consents, settles],
                expires=CONFIRMATION, outcome=SETTLEMENTS, origin=SILENT)
        | transition(at.confirmation, penalized, system, when=[denies, out_of_stock],
                expires=CONFIRMATION, outcome=Outcome.OUT_OF_STOCK, starts=[APPEAL], origin=SILENT)
        | transition(at.confirmation, penalized, system, when=[denies, claims, penalizes],
                expires=CONFIRMATION, outcome=Outcome.BREACH_OF_PROMISE, starts=[APPEAL],
                origin=SILENT)
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
                outcome=Outcome.PROMISE_MISSED, starts=[APPEAL], origin=MISSED)
    )
    submit_evidence = transition(at.evidence, at.ruling, merchant, needs=PROVEN, origin=REASONED)
    evidence_expired = (
        transition(at.evidence, penalized, system, when=[none_yet], expires=EVIDENCE,
                outcome=Outcome.EVIDENCE_OVERDUE, starts=[APPEAL], origin=NOTHING_SHOWN)
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
                outcome=SETTLEMENTS, origin=UPHELD)
    )
    rule_at_fault = (
        transition(at.ruling, penalized, adjudicator, needs=[g.rationale_given],
                outcome=Outcome.AT_FAULT, starts=[APPEAL], origin=RULING)
        | transition(at.denial, penalized, adjudicator, needs=[g.rationale_given],
                outcome=Outcome.BREACH_OF_PROMISE, starts=[APPEAL], origin=NOT_UPHELD)
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
        | transition(penalized, penalized, adjudicator, when=[when(g.EXTENDED, APPEAL)],
                needs=g.EXTENSION, starts=[APPEAL], outcome=AS_BEFORE, origin=EXTEND)
    )
    withdraw = (
        transition(opened, resolved, consumer, outcome=Outcome.WITHDRAWN, origin=WITHDRAW)
        | transition(option_chosen, resolved, consumer, outcome=Outcome.WITHDRAWN, origin=WITHDRAW)
    )
    annul = transition(penalized, resolved, adjudicator, needs=[g.rationale_given], on_time=None,
            outcome=Outcome.ANNULLED, origin=ANNUL)
    appeal = transition(penalized, appeal_under_review, merchant, when=[appealable],
            needs=[appeal_reasoned], outcome=AS_BEFORE, origin=APPEALS)
    appeal_expired = transition(penalized, penalized, system, when=[appealable], expires=APPEAL,
            ends=[APPEAL], outcome=AS_BEFORE, origin=STANDS)
    uphold_penalty = transition(appeal_under_review, penalized, adjudicator,
            needs=[g.rationale_given], outcome=AS_BEFORE, origin=REVIEWED)
    overturn_penalty = transition(appeal_under_review, resolved, adjudicator,
            needs=[g.rationale_given], outcome=Outcome.OVERTURNED, origin=REVIEWED)
    # fmt: on


VERSION = Version(
    id="extended",
    label=Bilingual(zh="扩展示例：部分退款与申诉", en="example: partial refund and appeal"),
    valid_from=None,
    change=Bilingual(
        zh="新增“已协商一致，部分退款”方案；判责后商家可在时限内申诉一次",
        en="a sixth option, partial refund; a penalty may be appealed once, in time",
    ),
    why=Bilingual(
        zh="示例版本，公告未提及；只用于明确指定该版本的纠纷",
        en="an example, not announced; only disputes that ask for it get it",
    ),
    options=OPTIONS,
    chart=RulesExtended,
    entry=ENTRY,
    policy_fields=FrozenMap({"appeal": {"hours": 48}}),
)
