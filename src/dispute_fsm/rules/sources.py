"""Where the rules come from: what the announcement states, and what is assumed where it is silent.

Each source has an id by which pages, pictures, reports and this code cite it. The id never changes
and is in no recorded event. A version that has sources of its own declares them beside its chart.
"""

from typing import NamedTuple

from dispute_fsm.rules.case import assumed, stated


class Announcement(NamedTuple):
    """The announcement that sets the rules: its title, and its date (Asia/Shanghai)."""

    title: str
    date: str


ANNOUNCEMENT = Announcement("京东客服纠纷催单场景系统调整", "2023-03-27")

# ---- stated in the announcement ------------------------------------------------------------------

OPENED = stated(
    "S-open",
    ("标题", "纠纷催单场景"),
    "消费者催单发起纠纷",
    "the consumer presses for shipment and opens a dispute",
)
ONE_OPTION = stated(
    "S-one-option",
    ("一、1", "其中一个方案"),
    "商家只能选择一个方案，后续依方案而定",
    "the merchant gives exactly one response; what follows depends on it",
)
CANCELS = stated(
    "S-cancel",
    ("二（1）", "取消订单或者订单已退款"),
    "须有取消申请，或已退款",
    "needs a cancel request or a refund of the order",
)
PICKED_UP = stated(
    "S-pickup",
    ("二（2）", "已发货并有物流揽件信息"),
    "须已发货并有物流揽件信息；说明②写作“拦截”，按揽件理解",
    "needs a shipment and a pickup scan; note ② says 拦截 (interception), which is read as pickup",
)
PROMISED = stated(
    "S-promise",
    ("二（3）", "协商日期前发货且物流揽件"),
    "协商日期前发货且物流揽件，须有日期与凭证",
    "ship and pickup before a date; needs the date and a voucher",
)
AGREED_DATE = stated(
    "S-date",
    ("二（3）", "需明确具体的发货揽件时间"),
    "须填写明确的协商日期",
    "an explicit agreed date",
)
AGREEMENT_SHOWN = stated(
    "S-agreement",
    ("二（3）", "与消费者协商一致的证据"),
    "须上传协商一致的凭证",
    "a voucher that shows the agreement",
)
KEPT = stated(
    "S-kept",
    ("二（3）说明", "需在协商日期前发货"),
    "协商日期前发货并揽件，即履行承诺",
    "shipped and picked up before the agreed date keeps the promise",
)
MISSED = stated(
    "S-missed",
    ("二（3）说明", "否则将按照违规处理"),
    "协商日期前未发货属于违规",
    "not shipped before the agreed date is a violation",
)
ACCEPTS = stated(
    "S-out-of-stock",
    ("二（4）", "缺货/无货达成一致退款"),
    "缺货退款须消费者接受",
    "an out-of-stock refund needs the consumer's acceptance",
)
NOT_ACCEPTED = stated(
    "S-not-accepted",
    ("二（4）", "按照缺货/无货进行判责"),
    "消费者不接受即判缺货/无货",
    "not accepted: judged out of stock at once",
)
CONTESTS = stated(
    "S-contest",
    ("一、2", "需举证后依据规则判责"),
    "举证后依据规则判责",
    "evidence, then a ruling by the rules",
)
REASONED = stated(
    "S-evidence",
    ("三", "请选择正确举证原因"),
    "选择正确理由，按提示上传凭证并填写说明",
    "a correct reason, the prompted vouchers, a statement",
)
RULING = stated("S-ruling", ("三", "依据规则举证判责"), "依据规则判责", "a ruling by the rules")

# ---- assumed: who acts, and when -----------------------------------------------------------------

OWN_PART = assumed(
    "A-own-part",
    "各方只能以自己的身份操作",
    "each party acts for itself only",
    because=("公告分别说明各方的操作", "the announcement names what each party does"),
)
ORDER = assumed(
    "A-order",
    "纠纷针对一笔存在的订单",
    "a dispute is about an order that exists",
    because=("各方案均以订单数据为准", "every response is about facts of an order"),
)
UNANSWERED = assumed(
    "A-no-response",
    "商家逾期不响应，即判责",
    "a merchant who does not respond in time is penalized",
    because=("公告未说明商家不响应的后果", "the announcement does not say what silence leads to"),
    policy=("response",),
)
INCLUSIVE = assumed(
    "A-inclusive",
    "恰在截止时刻操作的，视为按时；此后即为逾期",
    "a deadline is inclusive: at the due instant is in time, after it is late",
    because=("公告未说明时限如何计算", "the announcement does not say how deadlines count"),
)
EXPIRY = assumed(
    "A-expiry",
    "时限届满后，届满事件方可生效",
    "an expiry is accepted only after the due instant",
    because=("截止时刻当刻仍属按时", "the due instant itself is still in time"),
)
OWN_REGION = assumed(
    "A-own-region",
    "操作是否逾期，只看所在路径的时限",
    "an event is late by its own region's deadline",
    because=("公告未说明并行路径的时限", "the announcement is silent on the regions' deadlines"),
)
WINDOW = assumed(
    "A-window",
    "待发货期间，确认时限只限制消费者表态",
    "while shipment is awaited, the confirmation deadline only closes the consumer's window",
    because=("待发货期间只看承诺是否履行", "there only the promise decides"),
    policy=("confirmation",),
)

# ---- assumed: agreements -------------------------------------------------------------------------

ASKED = assumed(
    "A-confirmation",
    "协商一致默认由消费者确认",
    "an agreement is confirmed by the consumer",
    because=("公告未说明由谁确认协商一致", "the announcement does not say who confirms"),
    policy=("confirmation",),
)
SILENT = assumed(
    "A-silence",
    "消费者不回应时按规则参数处理",
    "policy says what the consumer's silence means",
    because=(
        "公告未说明消费者不回应时如何处理",
        "the announcement does not say what the consumer's silence means",
    ),
    policy=("silence",),
)
DENIED = assumed(
    "A-denial",
    "未协商一致即违背承诺，由谁认定以规则参数为准",
    "without an agreement it is a breach of promise; policy says who finds that out",
    because=(
        "公告未说明由谁认定双方是否协商一致",
        "the announcement does not say who finds out that there was no agreement",
    ),
    policy=("denial",),
)
CONSENT_FINAL = assumed(
    "A-consent-final",
    "确认之后不可再否认",
    "consent cannot be taken back",
    because=("否则协商一致没有意义", "an agreement would mean nothing otherwise"),
)
RUNS_ON = assumed(
    "A-runs-on",
    "认定协商一致，商家继续按协商日期履约",
    "the agreement counts as confirmed, the promise runs on",
    because=("公告未提及对否认的复核", "the announcement does not mention a review of a denial"),
)
UPHELD = assumed(
    "A-upheld",
    "认定协商一致，按所选方案和解",
    "an agreement that is upheld settles as chosen",
    because=("公告未提及对否认的复核", "the announcement does not mention a review of a denial"),
)
NOT_UPHELD = assumed(
    "A-not-upheld",
    "复核认定未协商一致，即违背承诺",
    "found without an agreement: a breach of promise",
    because=("公告未提及对否认的复核", "the announcement does not mention a review of a denial"),
)
MAX_PROMISE = assumed(
    "A-max-promise",
    "协商日期不超过最长期限",
    "an agreed date lies at most so far ahead",
    because=(
        "公告未限制协商日期，日期过远会使纠纷长期无法结案",
        "the announcement sets no limit; a far date would leave the dispute hanging",
    ),
    policy=("max_promise",),
)
KEPT_AT_LAST = assumed(
    "A-last-look",
    "时限届满时再核对一次订单，以揽件时间为准",
    "the order is looked at once more; the scan's own time decides",
    because=("物流记录可能晚到", "the carrier's record may come late"),
    policy=("scan_grace",),
)
REFUND = assumed(
    "A-full-refund",
    "等待发货期间全额退款，纠纷即解决",
    "a full refund while shipment is awaited settles the dispute",
    because=("退款后已无货可发", "there is nothing left to ship"),
)

# ---- assumed: evidence and rulings ---------------------------------------------------------------

LIMITS = assumed(
    "A-voucher-limits",
    "凭证的格式、大小与数量，说明的字数有上限",
    "vouchers and the statement have limits",
    because=("公告未给出凭证的格式与大小限制", "the announcement gives no limits for vouchers"),
    policy=("voucher_limits",),
)
NOTHING_SHOWN = assumed(
    "A-evidence-overdue",
    "逾期未举证视为无法举证",
    "nothing submitted in time counts as having nothing to show",
    because=("公告未说明逾期举证的后果", "the announcement does not say what being late leads to"),
    policy=("evidence",),
)
ON_WHAT_IS_THERE = assumed(
    "A-late-supplement",
    "补充举证逾期的，按已有材料判责",
    "overdue extra evidence: judged on what is there",
    because=("逾期不影响此前已提交的材料", "being late does not undo what was submitted"),
)
ONCE_MORE = assumed(
    "A-further-evidence",
    "平台可要求补充举证，次数有限",
    "the adjudicator may ask for more, a limited number of times",
    because=(
        "公告未提及补充举证；限制次数，避免久拖不决",
        "the announcement does not mention further evidence; rounds are limited so that it ends",
    ),
    policy=("extra_evidence_rounds",),
)
RATIONALE = assumed(
    "A-rationale",
    "平台的每项决定都应说明理由",
    "every decision of the adjudicator gives its rationale",
    because=("当事方须能知道为何如此判定", "the parties have to learn why"),
)
EXTEND = assumed(
    "A-extension",
    "平台可延长进行中的时限，须说明理由",
    "the adjudicator may extend a running deadline and says why",
    because=("公告未提及延长时限", "the announcement does not mention extensions"),
)
ONLY_LONGER = assumed(
    "A-only-longer",
    "时限只能延长，不能缩短",
    "a deadline can be extended, never shortened",
    because=("已给的时间不可收回", "nobody may lose time that was granted"),
)
NAMED_DEADLINE = assumed(
    "A-named-deadline",
    "多个时限同时计时，须指明延长哪一个",
    "several deadlines run at once, so an extension names the one that it means",
    because=("否则无法确定延长的对象", "it could not be told otherwise"),
)
WEIGHTIER = assumed(
    "A-weightier",
    "两条路径均未成立才判责，责任取较重者",
    "a penalty takes both regions to fail, and is the weightier of the two",
    because=("公告未说明并行路径如何合并", "the announcement does not say how the regions combine"),
)
WITHDRAW = assumed(
    "A-withdraw",
    "消费者可在纠纷结束前且时限未过时撤销",
    "the consumer may withdraw until the dispute is closed, while in time",
    because=("纠纷由消费者发起", "it is the consumer's dispute"),
)
ANNUL = assumed(
    "A-annul",
    "判责有误的，平台可以撤销",
    "the platform may take back a wrong penalty",
    because=("误判须能更正，且更正须留痕", "mistakes happen, and their correction is recorded"),
)
