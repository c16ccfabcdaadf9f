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
from dispute_fsm.rules.case import Case, assumed, stated
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

OPENED = stated("消费者催单发起纠纷", "the consumer presses for shipment and opens a dispute")
CANCELS = stated("须有取消申请或已退款", "needs a cancel request or a refund of the order")
PICKED_UP = stated("须已发货并有物流揽件信息", "needs a shipment and a pickup scan")
PROMISED = stated(
    "协商日期前发货且物流揽件，须有日期与凭证",
    "ship and pickup before a date; needs the date and a voucher",
)
ACCEPTS = stated("缺货退款须消费者接受", "an out-of-stock refund needs the consumer's acceptance")
NOT_ACCEPTED = stated("消费者不接受即判缺货/无货", "not accepted: judged out of stock at once")
UNANSWERED = assumed(
    "公告未说明商家不响应的后果", "the announcement does not say what a silent merchant faces"
)
ASKED = assumed(
    "公告未说明由谁确认协商一致，默认由消费者确认",
    "the announcement does not say who confirms; by default the consumer is asked",
)
DENIED = assumed(
    "未协商一致即违背承诺，由谁认定以规则参数为准",
    "without an agreement it is a breach of promise; policy says who finds that out",
)
SILENT = assumed("消费者不回应时按规则参数处理", "policy says what the consumer's silence means")
KEPT = stated(
    "协商日期前发货并揽件，即履行承诺",
    "shipped and picked up before the agreed date keeps the promise",
)
KEPT_AT_LAST = assumed(
    "时限届满时再核对一次订单，以揽件时间为准",
    "the order is looked at once more; the scan's own time decides",
)
REFUND = assumed(
    "等待发货期间全额退款，纠纷即解决",
    "a full refund while shipment is awaited settles the dispute",
)
MISSED = stated("协商日期前未发货属于违规", "not shipped before the agreed date is a violation")
REASONED = stated(
    "选择正确理由，按提示上传凭证并填写说明", "a correct reason, the prompted vouchers, a statement"
)
NOTHING_SHOWN = assumed(
    "逾期未举证视为无法举证", "nothing submitted in time counts as having nothing to show"
)
ON_WHAT_IS_THERE = assumed(
    "补充举证逾期的，按已有材料判责", "overdue extra evidence: judged on what is there"
)
ONCE_MORE = assumed(
    "平台可要求补充举证，次数有限", "the adjudicator may ask for more, a limited number of times"
)
RULING = stated("依据规则判责", "a ruling by the rules")
EXTEND = assumed(
    "平台可延长进行中的时限，须说明理由",
    "the adjudicator may extend a running deadline and says why",
)
CONTESTS = stated("举证后依据规则判责", "evidence, then a ruling by the rules")
RUNS_ON = assumed(
    "认定协商一致，商家继续按协商日期履约",
    "the agreement counts as confirmed, the promise runs on",
)
UPHELD = assumed("认定协商一致，按所选方案和解", "an agreement that is upheld settles as chosen")
NOT_UPHELD = assumed("未协商一致，即违背承诺", "found without an agreement: a breach of promise")
WITHDRAW = assumed(
    "消费者可在纠纷结束前且时限未过时撤销",
    "the consumer may withdraw until the dispute is closed, while in time",
)
ANNUL = assumed("判责有误的，平台可以撤销", "the platform may take back a wrong penalty")


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
