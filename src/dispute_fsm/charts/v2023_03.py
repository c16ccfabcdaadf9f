"""The rules of version 2023-03: every state, every edge, every requirement, on these two screens.

Why it is shaped so. The merchant answers exactly once, so `opened` fans out into what each answer leads to, and nothing
leads back. Two answers wait for a person (`awaiting_confirmation`, `awaiting_evidence`), one for the carrier
(`awaiting_shipment`); where people disagree the platform looks (`denial_under_review`, `under_review`). `resolved` and
`penalized` close the dispute; only an annulment leads out of `penalized`.

How to read a row: from, to, who; `when` it applies rather than its neighbours (by the option, by policy, by what happened
before, by what the order shows); what it then `needs` (only these are reasons for a refusal); which deadlines it `starts`
or `ends` beside those that do not stand in the target; the outcome; and where the rule comes from: `stated` in the
announcement of 2023-03-27, or `assumed` by us and why. Every row but an expiry has to be in time. Nothing that decides a
transition stands anywhere else: what runs is the table that is compiled from this class, and the tests walk both.
"""

from types import SimpleNamespace

from statemachine import State

from dispute_fsm.charts.declare import Chart, Leaf, edge
from dispute_fsm.charts.table import Entry
from dispute_fsm.rules import guards as g
from dispute_fsm.rules.guards import VOUCHER_LIMITS, by, when
from dispute_fsm.rules.provenance import assumed, stated
from dispute_fsm.rules.strict import FrozenMap
from dispute_fsm.rules.vocabulary import Deadline, Option, Outcome, Role, StateName

OPTIONS = (
    Option.CONSUMER_CANCELS,
    Option.ALREADY_SHIPPED,
    Option.SHIP_BY_AGREED_DATE,
    Option.OUT_OF_STOCK_REFUND,
    Option.PROVE_NO_FAULT,
)
"""All five responses exist in this version."""

SETTLEMENT = FrozenMap(
    {
        Option.CONSUMER_CANCELS: Outcome.SETTLED_BY_CANCELLATION,
        Option.ALREADY_SHIPPED: Outcome.SETTLED_BY_SHIPMENT,
        Option.OUT_OF_STOCK_REFUND: Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND,
    }
)
"""How a settlement ends when the consumer agrees; `ship_by_agreed_date` ends by the shipment instead."""

RESPONSE, CONFIRMATION, PROMISE, EVIDENCE = Deadline
consumer, merchant, adjudicator, system = (by(role) for role in Role)

cancels, shipped, ships = (when(g.OPTION, o) for o in (Option.CONSUMER_CANCELS, Option.ALREADY_SHIPPED, Option.SHIP_BY_AGREED_DATE))
out_of_stock, contests = when(g.OPTION, Option.OUT_OF_STOCK_REFUND), when(g.OPTION, Option.PROVE_NO_FAULT)
settles, claims = when(g.OPTION, *SETTLEMENT), when(g.OPTION, Option.CONSUMER_CANCELS, Option.ALREADY_SHIPPED)
asked, not_asked = when(g.CONFIRMATION, "asked"), when(g.CONFIRMATION, "off")
penalizes, reviewed = when(g.DENIAL, "penalize"), when(g.DENIAL, "review")
consents, denies = when(g.SILENCE, "consent"), when(g.SILENCE, "denial")
kept, refunded, neither = (when(g.FULFILMENT, answer) for answer in ("kept", "refunded", "neither"))
none_yet, submitted = when(g.EVIDENCE, "none"), when(g.EVIDENCE, "standing")

AGREED = (g.promise_given, g.promise_in_future, g.promise_not_too_far, g.agreement_voucher, *VOUCHER_LIMITS)
PROVEN = (g.reason_known, g.vouchers_there, g.vouchers_accepted, *VOUCHER_LIMITS, g.statement_there, g.statement_short_enough)

ASKED = assumed(
    "公告未说明由谁确认协商一致，默认由消费者确认", "the announcement does not say who confirms; by default the consumer is asked"
)
DENIED = assumed(
    "未协商一致即违背承诺，由谁认定以政策为准", "without an agreement it is a breach of promise; policy says who finds that out"
)
SILENT = assumed("消费者不回应时按政策处理", "policy says what the consumer's silence means")
REFUND = assumed("等待发货期间全额退款即了结", "a full refund while shipment is awaited settles the dispute")
RULING = stated("依据规则判责", "a ruling by the rules")
EXTEND = assumed("平台可延长进行中的时限，须说明理由", "the adjudicator may extend a running deadline and says why")
WITHDRAW = assumed("消费者可在纠纷结束前、时限内撤销", "the consumer may withdraw until the dispute is closed, while in time")

ENTRY = Entry(
    by=by(Role.CONSUMER, Role.SYSTEM),
    needs=(g.order_exists,),
    starts=(RESPONSE,),
    origin=stated("消费者催单发起纠纷", "the consumer presses for shipment and opens a dispute"),
)


class Rules202303(Chart):
    """Settle or contest: one answer of the merchant, then one way to the end."""

    opened = Leaf(StateName.OPENED, stands=[RESPONSE], initial=True)

    class option_chosen(State.Compound, name=StateName.OPTION_CHOSEN.zh):  # noqa: N801 -- the class's name is the state's id
        """The merchant has answered."""

        class settling(State.Compound, name=StateName.SETTLING.zh):  # noqa: N801 -- the class's name is the state's id
            """The merchant says that there is an agreement."""

            awaiting_confirmation = Leaf(StateName.AWAITING_CONFIRMATION, stands=[CONFIRMATION], initial=True)
            awaiting_shipment = Leaf(StateName.AWAITING_SHIPMENT, stands=[CONFIRMATION, PROMISE])
            denial_under_review = Leaf(StateName.DENIAL_UNDER_REVIEW, stands=[PROMISE])

        class contesting(State.Compound, name=StateName.CONTESTING.zh):  # noqa: N801 -- the class's name is the state's id
            """The merchant says that it is not at fault."""

            awaiting_evidence = Leaf(StateName.AWAITING_EVIDENCE, stands=[EVIDENCE], initial=True)
            under_review = Leaf(StateName.UNDER_REVIEW)

    resolved = Leaf(StateName.RESOLVED, closed=True, final=True)
    penalized = Leaf(StateName.PENALIZED, closed=True)

    # Short names for the rows below; in a namespace, because a bare alias would be taken for one more state.
    at = SimpleNamespace(
        confirmation=option_chosen.settling.awaiting_confirmation,
        shipment=option_chosen.settling.awaiting_shipment,
        denial=option_chosen.settling.denial_under_review,
        evidence=option_chosen.contesting.awaiting_evidence,
        ruling=option_chosen.contesting.under_review,
    )

    # fmt: off
    # Laid out by hand: one row of the transition table is one or two lines here, so that the whole can be read as a table.
    choose_option = (
        edge(opened, at.confirmation, merchant, when=[cancels, asked], needs=[g.cancel_requested_or_refunded, *VOUCHER_LIMITS],
             starts=[CONFIRMATION], origin=stated("须有取消申请或已退款", "needs a cancel request or a refund of the order"))
        | edge(opened, resolved, merchant, when=[cancels, not_asked], needs=[g.cancel_requested_or_refunded, *VOUCHER_LIMITS],
               outcome=Outcome.SETTLED_BY_CANCELLATION, origin=ASKED)
        | edge(opened, at.confirmation, merchant, when=[shipped, asked], needs=[g.shipped, g.picked_up, *VOUCHER_LIMITS],
               starts=[CONFIRMATION], origin=stated("须已发货并有物流揽件信息", "needs a shipment and a pickup scan"))
        | edge(opened, resolved, merchant, when=[shipped, not_asked], needs=[g.shipped, g.picked_up, *VOUCHER_LIMITS],
               outcome=Outcome.SETTLED_BY_SHIPMENT, origin=ASKED)
        | edge(opened, at.shipment, merchant, when=[ships], needs=AGREED, starts=[CONFIRMATION, PROMISE],
               origin=stated("协商日期前发货且物流揽件，须有日期与凭证", "ship and pickup before a date; needs the date and a voucher"))
        | edge(opened, at.confirmation, merchant, when=[out_of_stock, asked], needs=VOUCHER_LIMITS,
               starts=[CONFIRMATION], origin=stated("缺货退款须消费者接受", "an out-of-stock refund needs the consumer's acceptance"))
        | edge(opened, resolved, merchant, when=[out_of_stock, not_asked], needs=VOUCHER_LIMITS,
               outcome=Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND, origin=ASKED)
        | edge(opened, at.evidence, merchant, when=[contests], needs=VOUCHER_LIMITS, starts=[EVIDENCE],
               origin=stated("举证后依据规则判责", "evidence, then a ruling by the rules"))
    )
    response_expired = edge(opened, penalized, system, expires=RESPONSE, outcome=Outcome.NO_RESPONSE,
                            origin=assumed("公告未说明商家不响应的后果", "the announcement does not say what a silent merchant faces"))
    confirm_agreement = (
        edge(at.confirmation, resolved, consumer, when=[settles], outcome=SETTLEMENT, origin=ASKED)
        | edge(at.shipment, at.shipment, consumer, when=[asked], within=[g.window_open], needs=[g.not_confirmed],
               ends=[CONFIRMATION], origin=ASKED)
    )
    deny_agreement = (
        edge(at.confirmation, penalized, consumer, when=[out_of_stock], outcome=Outcome.OUT_OF_STOCK,
             origin=stated("消费者不接受即判缺货/无货", "not accepted: judged out of stock at once"))
        | edge(at.confirmation, penalized, consumer, when=[claims, penalizes], needs=[g.not_confirmed],
               outcome=Outcome.BREACH_OF_PROMISE, origin=DENIED)
        | edge(at.confirmation, at.denial, consumer, when=[claims, reviewed], needs=[g.not_confirmed], origin=DENIED)
        | edge(at.shipment, penalized, consumer, when=[asked, penalizes], within=[g.window_open], needs=[g.not_confirmed],
               outcome=Outcome.BREACH_OF_PROMISE, origin=DENIED)
        | edge(at.shipment, at.denial, consumer, when=[asked, reviewed], within=[g.window_open], needs=[g.not_confirmed], origin=DENIED)
    )
    confirmation_expired = (
        edge(at.confirmation, resolved, system, when=[consents, settles], expires=CONFIRMATION, outcome=SETTLEMENT, origin=SILENT)
        | edge(at.confirmation, penalized, system, when=[denies, out_of_stock], expires=CONFIRMATION,
               outcome=Outcome.OUT_OF_STOCK, origin=SILENT)
        | edge(at.confirmation, penalized, system, when=[denies, claims, penalizes], expires=CONFIRMATION,
               outcome=Outcome.BREACH_OF_PROMISE, origin=SILENT)
        | edge(at.confirmation, at.denial, system, when=[denies, claims, reviewed], expires=CONFIRMATION, origin=SILENT)
    )
    observe_order = (
        edge(at.shipment, resolved, system, when=[kept], outcome=Outcome.SETTLED_BY_AGREED_SHIPMENT,
             origin=stated("协商日期前发货并揽件即履约", "shipped and picked up before the agreed date keeps the promise"))
        | edge(at.shipment, resolved, system, when=[refunded], outcome=Outcome.SETTLED_BY_CANCELLATION, origin=REFUND)
    )
    promise_expired = (
        edge(at.shipment, resolved, system, when=[kept], expires=PROMISE, outcome=Outcome.SETTLED_BY_AGREED_SHIPMENT,
             origin=assumed("到期再核对一次，以揽件时间为准", "the order is looked at once more; the scan's own time decides"))
        | edge(at.shipment, resolved, system, when=[refunded], expires=PROMISE, outcome=Outcome.SETTLED_BY_CANCELLATION, origin=REFUND)
        | edge(at.shipment, penalized, system, when=[neither], expires=PROMISE, outcome=Outcome.PROMISE_MISSED,
               origin=stated("协商日期前未发货属于违规", "not shipped before the agreed date is a violation"))
    )
    submit_evidence = edge(at.evidence, at.ruling, merchant, needs=PROVEN,
                           origin=stated("选择正确理由，上传提示的凭证并说明", "a correct reason, the prompted vouchers, a statement"))
    evidence_expired = (
        edge(at.evidence, penalized, system, when=[none_yet], expires=EVIDENCE, outcome=Outcome.EVIDENCE_OVERDUE,
             origin=assumed("逾期未举证视为无法举证", "nothing submitted in time counts as having nothing to show"))
        | edge(at.evidence, at.ruling, system, when=[submitted], expires=EVIDENCE,
               origin=assumed("补充举证逾期，按已有材料判责", "overdue extra evidence: judged on what is there"))
    )
    request_evidence = edge(at.ruling, at.evidence, adjudicator, needs=[g.rounds_left], starts=[EVIDENCE],
                            origin=assumed("平台可要求补充举证，次数有限", "the adjudicator may ask for more, a limited number of times"))
    rule_no_fault = (
        edge(at.ruling, resolved, adjudicator, needs=[g.rationale_given], outcome=Outcome.NO_FAULT, origin=RULING)
        | edge(at.denial, at.shipment, adjudicator, when=[ships], needs=[g.rationale_given],
               origin=assumed("协商成立，继续按协商日期履约", "the agreement counts as confirmed, the promise runs on"))
        | edge(at.denial, resolved, adjudicator, when=[settles], needs=[g.rationale_given], outcome=SETTLEMENT,
               origin=assumed("协商成立，按所选方案和解", "an agreement that is upheld settles as chosen"))
    )
    rule_at_fault = (
        edge(at.ruling, penalized, adjudicator, needs=[g.rationale_given], outcome=Outcome.AT_FAULT, origin=RULING)
        | edge(at.denial, penalized, adjudicator, needs=[g.rationale_given], outcome=Outcome.BREACH_OF_PROMISE,
               origin=assumed("未协商一致即违背承诺", "found without an agreement: a breach of promise"))
    )
    extend_deadline = (
        edge(opened, opened, adjudicator, when=[when(g.EXTENDED, RESPONSE)], needs=g.EXTENSION, starts=[RESPONSE], origin=EXTEND)
        | edge(at.confirmation, at.confirmation, adjudicator, when=[when(g.EXTENDED, CONFIRMATION)], needs=g.EXTENSION,
               starts=[CONFIRMATION], origin=EXTEND)
        | edge(at.shipment, at.shipment, adjudicator, when=[when(g.EXTENDED, PROMISE)], needs=g.EXTENSION, starts=[PROMISE], origin=EXTEND)
        | edge(at.denial, at.denial, adjudicator, when=[when(g.EXTENDED, PROMISE)], needs=g.EXTENSION, starts=[PROMISE], origin=EXTEND)
        | edge(at.evidence, at.evidence, adjudicator, when=[when(g.EXTENDED, EVIDENCE)], needs=g.EXTENSION,
               starts=[EVIDENCE], origin=EXTEND)
    )
    withdraw = (
        edge(opened, resolved, consumer, outcome=Outcome.WITHDRAWN, origin=WITHDRAW)
        | edge(option_chosen, resolved, consumer, outcome=Outcome.WITHDRAWN, origin=WITHDRAW)
    )
    annul = edge(penalized, resolved, adjudicator, needs=[g.rationale_given], outcome=Outcome.ANNULLED,
                 origin=assumed("判责有误时平台可以撤销", "the platform may take back a wrong penalty"))
    # fmt: on
