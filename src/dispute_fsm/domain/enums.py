"""The vocabulary: every id that is written to files, with its zh-CN and English label.

Ids are what programs compare; labels are what people read. The five option labels are the
announcement's, to the letter.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, Self

from dispute_fsm.domain.scalars import FrozenMap

Lang = Literal["zh", "en"]


class Labelled(StrEnum):
    """An enumeration whose members carry a zh-CN and an English label."""

    _value_: str
    zh: str
    en: str

    def __new__(cls, value: str, zh: str = "", en: str = "") -> Self:
        """Make the member equal to its id; a lookup by the id passes no labels."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.zh = zh
        member.en = en
        return member

    def label(self, lang: Lang) -> str:
        """Return the label for people in the language asked for."""
        return self.zh if lang == "zh" else self.en


class Option(Labelled):
    """The merchant's five responses; exactly one is given per dispute."""

    CONSUMER_CANCELS = (
        "consumer_cancels",
        "已协商一致，消费者取消订单",
        "agreed: the consumer cancels",
    )
    ALREADY_SHIPPED = (
        "already_shipped",
        "已协商一致，已发货并有物流揽件信息",
        "agreed: shipped, and the carrier has picked up",
    )
    SHIP_BY_AGREED_DATE = (
        "ship_by_agreed_date",
        "已协商一致，协商日期前发货且物流揽件",
        "agreed: ship and pickup before an agreed date",
    )
    OUT_OF_STOCK_REFUND = (
        "out_of_stock_refund",
        "缺货/无货达成一致退款",
        "out of stock: refund agreed",
    )
    PROVE_NO_FAULT = (
        "prove_no_fault",
        "需举证后依据规则判责",
        "submit evidence, then a ruling by the rules",
    )
    PARTIAL_REFUND = "partial_refund", "已协商一致，部分退款", "agreed: partial refund"


class Role(Labelled):
    """Who acts on a dispute."""

    CONSUMER = "consumer", "消费者", "consumer"
    MERCHANT = "merchant", "商家", "merchant"
    ADJUDICATOR = "adjudicator", "平台判责专员", "adjudicator"
    SYSTEM = "system", "系统", "system"


class Deadline(Labelled):
    """The deadlines of a dispute, in the order in which ties are settled by a sweep."""

    RESPONSE = "response", "商家响应时限", "response deadline"
    CONFIRMATION = "confirmation", "消费者确认时限", "confirmation deadline"
    PROMISE = "promise", "约定发货时限", "promise deadline"
    EVIDENCE = "evidence", "商家举证时限", "evidence deadline"
    APPEAL = "appeal", "商家申诉时限", "appeal deadline"

    @property
    def expiry(self) -> "CommandType":
        """The event by which the system acts on this deadline once it has passed."""
        return CommandType(f"{self.value}_expired")


class CommandType(Labelled):
    """What can be asked of a dispute: the events of the chart."""

    OPEN_DISPUTE = "open_dispute", "发起纠纷", "open the dispute"
    CHOOSE_OPTION = "choose_option", "选择方案", "choose an option"
    RESPONSE_EXPIRED = "response_expired", "响应时限届满", "response deadline passed"
    CONFIRM_AGREEMENT = "confirm_agreement", "确认协商一致", "confirm the agreement"
    DENY_AGREEMENT = "deny_agreement", "否认协商一致", "deny the agreement"
    CONFIRMATION_EXPIRED = "confirmation_expired", "确认时限届满", "confirmation deadline passed"
    OBSERVE_ORDER = "observe_order", "核对订单", "look at the order"
    PROMISE_EXPIRED = "promise_expired", "约定发货时限届满（核对结果）", "promise deadline passed"
    SUBMIT_EVIDENCE = "submit_evidence", "提交举证", "submit evidence"
    EVIDENCE_EXPIRED = "evidence_expired", "举证时限届满", "evidence deadline passed"
    REQUEST_EVIDENCE = "request_evidence", "要求补充举证", "request more evidence"
    RULE_NO_FAULT = "rule_no_fault", "作出无责判定", "rule: no fault"
    RULE_AT_FAULT = "rule_at_fault", "作出有责判定", "rule: at fault"
    EXTEND_DEADLINE = "extend_deadline", "延长时限", "extend a deadline"
    WITHDRAW = "withdraw", "撤销纠纷", "withdraw the dispute"
    ANNUL = "annul", "撤销判责", "annul the penalty"
    APPEAL = "appeal", "提出申诉", "appeal"
    APPEAL_EXPIRED = "appeal_expired", "申诉时限届满", "appeal deadline passed"
    UPHOLD_PENALTY = "uphold_penalty", "维持判责", "uphold the penalty"
    OVERTURN_PENALTY = "overturn_penalty", "撤销原判", "overturn the penalty"

    @property
    def expires(self) -> Deadline | None:
        """The deadline whose passing this event acts on; None for every other event."""
        name, _, rest = self.value.rpartition("_")
        return Deadline(name) if rest == "expired" else None


class StateName(Labelled):
    """Every state of every rule version: leaves, compound states and parallel regions."""

    OPENED = "opened", "待商家选择方案", "waiting for the merchant's choice"
    OPTION_CHOSEN = "option_chosen", "已选择方案", "option chosen"
    SETTLING = "settling", "和解中", "settling"
    AWAITING_CONFIRMATION = (
        "awaiting_confirmation",
        "待消费者确认",
        "waiting for the consumer's confirmation",
    )
    AWAITING_SHIPMENT = (
        "awaiting_shipment",
        "待商家按协商日期发货",
        "waiting for shipment by the agreed date",
    )
    DENIAL_UNDER_REVIEW = "denial_under_review", "待平台核实协商", "denial under review"
    CONTESTING = "contesting", "举证判责中", "contesting"
    AWAITING_EVIDENCE = "awaiting_evidence", "待商家举证", "waiting for the merchant's evidence"
    UNDER_REVIEW = "under_review", "待平台判责", "waiting for the ruling"
    DISPUTING = "disputing", "纠纷处理中", "in dispute"
    SETTLEMENT = "settlement", "和解中", "settlement"
    PROPOSING = "proposing", "待商家提出和解方案", "waiting for the merchant's proposal"
    SETTLEMENT_FAILED = "settlement_failed", "和解未达成", "settlement failed"
    EVIDENCE = "evidence", "举证判责中", "no-fault evidence"
    EVIDENCE_FAILED = "evidence_failed", "举证未成立", "evidence failed"
    RESOLVED = "resolved", "已解决", "resolved"
    PENALIZED = "penalized", "已判责", "penalized"
    APPEAL_UNDER_REVIEW = (
        "appeal_under_review",
        "待平台复核申诉",
        "waiting for the ruling on the appeal",
    )


class Outcome(Labelled):
    """How a dispute ended. Rulings on merit are never mixed with rulings by time."""

    SETTLED_BY_CANCELLATION = (
        "settled_by_cancellation",
        "协商一致，订单已取消",
        "settled: the order is cancelled",
    )
    SETTLED_BY_SHIPMENT = (
        "settled_by_shipment",
        "协商一致，已发货揽件",
        "settled: shipped and picked up",
    )
    SETTLED_BY_AGREED_SHIPMENT = (
        "settled_by_agreed_shipment",
        "已在协商日期前发货揽件",
        "settled: shipped by the agreed date",
    )
    SETTLED_BY_OUT_OF_STOCK_REFUND = (
        "settled_by_out_of_stock_refund",
        "缺货/无货，已协商退款",
        "settled: out of stock, refund accepted",
    )
    NO_FAULT = "no_fault", "判定商家无责", "no fault found"
    WITHDRAWN = "withdrawn", "消费者已撤销纠纷", "withdrawn by the consumer"
    ANNULLED = "annulled", "判责已撤销", "penalty annulled"
    BREACH_OF_PROMISE = "breach_of_promise", "违背承诺", "breach of promise"
    OUT_OF_STOCK = "out_of_stock", "缺货/无货", "out of stock"
    PROMISE_MISSED = "promise_missed", "未在协商日期前发货", "agreed date missed"
    AT_FAULT = "at_fault", "判定商家有责", "at fault by ruling"
    NO_RESPONSE = "no_response", "逾期未响应", "no response in time"
    EVIDENCE_OVERDUE = "evidence_overdue", "逾期未举证", "no evidence in time"
    SETTLED_BY_PARTIAL_REFUND = (
        "settled_by_partial_refund",
        "协商一致，已部分退款",
        "settled: partially refunded",
    )
    OVERTURNED = "overturned", "申诉成立，撤销判责", "penalty overturned on appeal"


LIABILITIES = (
    Outcome.AT_FAULT,
    Outcome.BREACH_OF_PROMISE,
    Outcome.OUT_OF_STOCK,
    Outcome.PROMISE_MISSED,
    Outcome.NO_RESPONSE,
    Outcome.EVIDENCE_OVERDUE,
)
"""The outcomes of a penalized dispute, the weightiest first; all others are of resolved ones."""


OPTIONS_BEFORE: Mapping[Outcome, frozenset[Option | None]] = FrozenMap(
    {
        Outcome.SETTLED_BY_CANCELLATION: frozenset(
            {Option.CONSUMER_CANCELS, Option.SHIP_BY_AGREED_DATE}
        ),
        Outcome.SETTLED_BY_SHIPMENT: frozenset({Option.ALREADY_SHIPPED}),
        Outcome.SETTLED_BY_AGREED_SHIPMENT: frozenset({Option.SHIP_BY_AGREED_DATE}),
        Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND: frozenset({Option.OUT_OF_STOCK_REFUND}),
        Outcome.SETTLED_BY_PARTIAL_REFUND: frozenset({Option.PARTIAL_REFUND}),
        Outcome.OUT_OF_STOCK: frozenset({Option.OUT_OF_STOCK_REFUND}),
        Outcome.PROMISE_MISSED: frozenset({Option.SHIP_BY_AGREED_DATE}),
        Outcome.BREACH_OF_PROMISE: frozenset(
            {
                Option.CONSUMER_CANCELS,
                Option.ALREADY_SHIPPED,
                Option.SHIP_BY_AGREED_DATE,
                Option.PARTIAL_REFUND,
            }
        ),
        Outcome.NO_RESPONSE: frozenset({None}),
    }
)
"""The options that may precede an outcome of a dispute or a region; any option for the others."""


class EventType(Labelled):
    """What an audit event records."""

    DISPUTE_OPENED = "dispute_opened", "纠纷已发起", "dispute opened"
    OPTION_CHOSEN = "option_chosen", "商家已选择方案", "option chosen"
    AGREEMENT_CONFIRMED = "agreement_confirmed", "消费者已确认协商一致", "agreement confirmed"
    AGREEMENT_DENIED = (
        "agreement_denied",
        "消费者否认协商一致，转平台核实",
        "agreement denied, goes to review",
    )
    AGREEMENT_UPHELD = "agreement_upheld", "平台认定协商成立", "agreement upheld"
    EVIDENCE_SUBMITTED = "evidence_submitted", "商家已提交举证", "evidence submitted"
    EVIDENCE_REQUESTED = "evidence_requested", "平台要求补充举证", "more evidence requested"
    EVIDENCE_OVERDUE = (
        "evidence_overdue",
        "补充举证逾期，按已有材料判责",
        "evidence overdue, judged on what is there",
    )
    DEADLINE_EXTENDED = "deadline_extended", "时限已延长", "deadline extended"
    SETTLEMENT_FAILED = "settlement_failed", "和解未达成", "settlement failed"
    EVIDENCE_FAILED = "evidence_failed", "举证未成立", "evidence failed"
    DISPUTE_RESOLVED = "dispute_resolved", "纠纷已解决", "dispute resolved"
    DISPUTE_PENALIZED = "dispute_penalized", "纠纷已判责", "dispute penalized"
    PENALTY_ANNULLED = "penalty_annulled", "判责已撤销", "penalty annulled"
    REFUSED = "refused", "请求被拒绝", "request refused"
    PENALTY_APPEALED = "penalty_appealed", "商家已提出申诉", "penalty appealed"
    PENALTY_FINAL = "penalty_final", "申诉时限届满，判责生效", "penalty final"
    PENALTY_UPHELD = "penalty_upheld", "申诉不成立，维持判责", "penalty upheld"
    PENALTY_OVERTURNED = "penalty_overturned", "申诉成立，判责已撤销", "penalty overturned"


class VoucherKind(Labelled):
    """What a voucher is."""

    CHAT_SCREENSHOT = "chat_screenshot", "聊天截图", "chat screenshot"
    CARRIER_CERTIFICATE = "carrier_certificate", "物流公司证明", "carrier's certificate"
    WAYBILL_TRACE = "waybill_trace", "物流轨迹", "waybill trace"
    OFFICIAL_DOCUMENT = "official_document", "官方文件", "official document"
    ORDER_PAGE = "order_page", "订单或商品页面", "order or product page"
    PHOTO = "photo", "照片", "photo"
    VIDEO = "video", "视频", "video"
    OTHER = "other", "其他", "other"


class CancelStatus(Labelled):
    """Where a cancel request stands; `submitted` and `accepted` count as standing."""

    SUBMITTED = "submitted", "已提交", "submitted"
    WITHDRAWN = "withdrawn", "已撤回", "withdrawn"
    REJECTED = "rejected", "已驳回", "rejected"
    ACCEPTED = "accepted", "已受理", "accepted"


class RefundStatus(Labelled):
    """Where a refund stands; only a completed one counts."""

    REQUESTED = "requested", "已申请", "requested"
    COMPLETED = "completed", "已完成", "completed"


class RefundScope(Labelled):
    """How much of the order a refund covers; only a full one counts."""

    FULL = "full", "全额", "full"
    PARTIAL = "partial", "部分", "partial"


class PickupKind(Labelled):
    """What the carrier's record says; only `picked_up` is a pickup (揽件)."""

    PICKED_UP = "picked_up", "已揽件", "picked up"
    FAILED = "failed", "揽件失败", "pickup failed"
    ASSIGNED = "assigned", "已派单", "assigned"


class Silence(Labelled):
    """What the consumer's silence means once the confirmation deadline has passed."""

    CONSENT = "consent", "视为同意", "counts as consent"
    DENIAL = "denial", "视为否认", "counts as a denial"


class Denial(Labelled):
    """What follows when the consumer denies an agreement."""

    PENALIZE = "penalize", "直接判责", "penalizes at once"
    REVIEW = "review", "转平台核实", "goes to the adjudicator"


class RolloutReason(Labelled):
    """Why a merchant gets a rule version while a change goes out gradually (灰度)."""

    DENY = "deny", "在排除名单中", "on the deny list"
    ALLOW = "allow", "在允许名单中", "on the allow list"
    PERCENTAGE = "percentage", "按百分比分组", "by percentage"


class RefusalCode(Labelled):
    """Why a command is refused. Programs compare the code; people read the sentence."""

    NO_CANCEL_REQUEST_OR_REFUND = (
        "no_cancel_request_or_refund",
        "订单系统中没有有效的取消申请，也没有已完成的全额退款",
        "the order system shows neither a standing cancel request nor a completed full refund",
    )
    NOT_SHIPPED = "not_shipped", "订单系统中尚无发货记录", "the order system shows no shipment yet"
    NO_PICKUP_SCAN = (
        "no_pickup_scan",
        "没有物流揽件记录",
        "there is no pickup record from the carrier",
    )
    PICKUP_NOT_VALID = (
        "pickup_not_valid",
        "有物流记录，但揽件无效",
        "there is a carrier record, but it is no valid pickup",
    )
    PROMISE_MISSING = "promise_missing", "未填写约定的发货时间", "no agreed date and time was given"
    PROMISE_NOT_IN_FUTURE = (
        "promise_not_in_future",
        "约定的发货时间必须晚于当前时间",
        "the agreed instant must lie in the future",
    )
    PROMISE_TOO_FAR = (
        "promise_too_far",
        "约定的发货时间超出最长期限",
        "the agreed instant lies further ahead than allowed",
    )
    AGREEMENT_VOUCHER_MISSING = (
        "agreement_voucher_missing",
        "缺少能证明协商一致的凭证",
        "a voucher that shows the agreement is missing",
    )
    OPTION_ALREADY_CHOSEN = (
        "option_already_chosen",
        "本纠纷已选择方案，不可更改",
        "an option was chosen already; it cannot be taken back",
    )
    DEADLINE_PASSED = "deadline_passed", "时限已过", "the deadline has passed"
    DEADLINE_NOT_PASSED = (
        "deadline_not_passed",
        "时限尚未届满，或未启用",
        "the deadline has not passed, or is switched off",
    )
    DEADLINE_NOT_LATER = (
        "deadline_not_later",
        "新的时限必须晚于原时限",
        "the new deadline must be later than it was",
    )
    ALREADY_CONFIRMED = (
        "already_confirmed",
        "协商一致已获确认",
        "the agreement is confirmed already",
    )
    REASON_UNKNOWN = "reason_unknown", "举证理由无效", "the reason is not in the catalogue"
    VOUCHER_MISSING = (
        "voucher_missing",
        "缺少该举证理由所需的凭证",
        "a voucher that the reason asks for is missing",
    )
    VOUCHER_NOT_ACCEPTED = (
        "voucher_not_accepted",
        "凭证类型不符合该举证理由的要求",
        "a voucher is of a kind that is not accepted for the reason",
    )
    VOUCHER_TOO_LARGE = (
        "voucher_too_large",
        "凭证文件过大",
        "a voucher is too large, or all of them together are",
    )
    VOUCHER_MEDIA_TYPE = (
        "voucher_media_type",
        "不支持该凭证文件格式",
        "a voucher's file format is not supported",
    )
    TOO_MANY_VOUCHERS = "too_many_vouchers", "凭证数量过多", "there are too many vouchers"
    STATEMENT_MISSING = "statement_missing", "未填写情况说明", "the statement is missing"
    STATEMENT_TOO_LONG = "statement_too_long", "情况说明超出字数上限", "the statement is too long"
    RATIONALE_MISSING = "rationale_missing", "未填写判定理由", "the rationale is missing"
    NO_ROUNDS_LEFT = "no_rounds_left", "补充举证次数已用完", "no further round of evidence is left"
    ORDER_NOT_FOUND = (
        "order_not_found",
        "订单系统中没有该订单",
        "the order system knows no such order",
    )
    DISPUTE_EXISTS = (
        "dispute_exists",
        "该纠纷编号已用于另一纠纷，或该订单的另一纠纷尚可变更",
        "this id belongs to a dispute opened with other content, or the order has another dispute",
    )
    OPTION_NOT_OFFERED = (
        "option_not_offered",
        "本规则版本不提供该方案",
        "the dispute's rule version does not offer this option",
    )
    WRONG_ACTOR = "wrong_actor", "操作人无权进行该操作", "this actor may not do this"
    NOT_IN_THIS_STATE = (
        "not_in_this_state",
        "当前状态下不可进行该操作",
        "this cannot be done in the present state",
    )
    DISPUTE_CLOSED = "dispute_closed", "纠纷已结束", "the dispute is closed"
    NO_PARTIAL_REFUND = (
        "no_partial_refund",
        "订单系统中没有已完成的部分退款",
        "the order system shows no completed partial refund",
    )
    ALREADY_APPEALED = (
        "already_appealed",
        "本次判责已申诉过，不可再次申诉",
        "the penalty was appealed already; that is possible once",
    )
    KEY_REUSED = (
        "key_reused",
        "该请求编号已用于内容不同的请求",
        "this key was used for a request with other content",
    )


ORDER_PAGE_LINK = "去订单详情页"
"""Text of the link to the order page, where the merchant ships; to the letter."""

SEEN: Mapping[str, tuple[str, str]] = FrozenMap(
    {
        "role": ("角色", "role"),
        "id": ("编号", "id"),
        "order": ("订单存在", "order exists"),
        "cancel_request": ("取消申请", "cancel request"),
        "cancel_request_submitted_at": ("取消申请时间", "cancel request submitted"),
        "refund": ("退款", "refund"),
        "refund_scope": ("退款范围", "refund scope"),
        "refund_completed_at": ("退款完成时间", "refund completed"),
        "shipment": ("有发货记录", "shipment"),
        "shipped_at": ("发货时间", "shipped"),
        "shipped_waybill": ("发货运单号", "shipped waybill"),
        "pickup": ("有物流记录", "carrier record"),
        "kind": ("物流状态", "kind"),
        "scanned_at": ("扫描时间", "scanned"),
        "waybill": ("物流运单号", "waybill"),
        "paid_at": ("付款时间", "paid"),
        "observed_at": ("订单查询时间", "looked at"),
        "agreed_until": ("约定时间", "agreed instant"),
        "now": ("当时", "now"),
        "latest": ("最晚", "latest"),
        "max_promise": ("最长期限", "at most ahead"),
        "count": ("凭证数量", "count"),
        "max_count": ("数量上限", "at most"),
        "largest": ("最大文件字节数", "largest (bytes)"),
        "max_bytes": ("单个文件字节数上限", "at most each (bytes)"),
        "together": ("合计字节数", "together (bytes)"),
        "max_bytes_together": ("合计字节数上限", "at most together (bytes)"),
        "not_supported": ("不支持的格式", "not supported"),
        "reason_known": ("在可选范围内", "in the catalogue"),
        "reasons": ("可选举证理由", "catalogue"),
        "required": ("要求", "asked for"),
        "missing": ("缺少", "missing"),
        "not_accepted": ("不符合要求的凭证类型", "not accepted"),
        "length": ("字数", "characters"),
        "max_statement": ("字数上限", "at most characters"),
        "confirmed": ("已确认", "confirmed"),
        "used": ("已用次数", "rounds used"),
        "extra_evidence_rounds": ("次数上限", "rounds allowed"),
        "until": ("新时限", "until"),
        "was": ("原时限", "was"),
        "used_by": ("使用该请求编号的事件", "used by event"),
        "state": ("状态", "state"),
        "option": ("方案", "option"),
        "event": ("操作", "event"),
    }
)
"""What guards see, by the names in which they record it; a deadline goes under its own name."""

SEEN_VALUES: Mapping[str, type[Labelled]] = FrozenMap(
    {
        "role": Role,
        "cancel_request": CancelStatus,
        "refund": RefundStatus,
        "refund_scope": RefundScope,
        "kind": PickupKind,
        "required": VoucherKind,
        "missing": VoucherKind,
        "not_accepted": VoucherKind,
        "state": StateName,
        "option": Option,
        "event": CommandType,
    }
)
"""What of that is a word of the domain, and of which sort."""

QUESTIONS: Mapping[str, tuple[str, str]] = FrozenMap(
    {
        "option": ("所选方案", "option chosen"),
        "confirmation": ("消费者确认要求", "confirmation asked for"),
        "denial": ("消费者否认后的处理", "effect of a denial"),
        "silence": ("消费者沉默的处理", "effect of silence"),
        "evidence": ("举证情况", "evidence so far"),
        "fulfilment": ("约定履行情况", "fulfilment"),
        "extended": ("延长的时限", "deadline extended"),
        "named": ("指明的时限", "deadline named"),
        "failed": ("另一路径的情况", "the other region"),
        "appealable": ("申诉期情况", "the window for an appeal"),
    }
)
"""What rows of a chart are told apart by, by the names under which the answers are recorded."""

POLICY_FIELDS: Mapping[str, tuple[str, str]] = FrozenMap(
    {
        **{deadline.value: (deadline.zh, deadline.en) for deadline in Deadline},
        "max_promise": ("约定发货最长期限", "longest promise"),
        "scan_grace": ("揽件信息同步宽限", "grace for scans"),
        "max_facts_age": ("订单数据最长有效时间", "oldest facts"),
        "silence": ("消费者沉默的处理", "effect of silence"),
        "denial": ("消费者否认后的处理", "effect of a denial"),
        "extra_evidence_rounds": ("补充举证次数上限", "rounds of extra evidence"),
        "max_recorded_refusals": ("拒绝留痕条数上限", "recorded refusals"),
        "order_url": ("订单详情页地址", "order page"),
        "calendar": ("工作日历", "calendar"),
        "evidence_reasons": ("举证理由", "evidence reasons"),
        "voucher_limits": ("凭证限制", "voucher limits"),
    }
)
"""The fields of a policy (规则参数)."""
