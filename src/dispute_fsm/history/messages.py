"""The texts of the history files: timelines, replays, coverage, synthetic data."""

from collections.abc import Mapping

from dispute_fsm.domain.commands import COMMAND_CLASSES
from dispute_fsm.domain.enums import CommandType, Labelled, RefusalCode, VoucherKind
from dispute_fsm.domain.messages import Message, Messages
from dispute_fsm.domain.scalars import FrozenMap

# ---- timelines -----------------------------------------------------------------------------------

TIMELINE = Messages(
    {
        "refused": ("原因", "because"),
        "seen": ("核查结果", "seen"),
        "order": ("订单", "order"),
        "state": ("状态", "state"),
        "outcome": ("结果", "outcome"),
        "deadline": ("时限", "deadline"),
        "next": ("后续", "next"),
        "option": ("方案", "option"),
        "colon": ("：", ": "),
        "comma": ("；", "; "),
        "list": ("、", ", "),
        "saw": ("{text}（{values}）", "{text} [{values}]"),
        "due": ("{deadline}截止 {due}", "{deadline}: {due}"),
        "due_alone": ("截止 {due}", "{deadline}: {due}"),
        "yes": ("是", "yes"),
        "no": ("否", "no"),
        "none": ("无", "none"),
        "blank": ("（空白）", "(blank)"),
        "erased": ("已清除（{length} 字）", "erased ({length} characters)"),
        "paid": ("付款 {at}", "paid {at}"),
        "unpaid": ("未付款", "not paid"),
        "shipped": ("发货 {at}", "shipped {at}"),
        "not_shipped": ("未发货", "not shipped"),
        "no_pickup": ("无揽件记录", "no pickup record"),
        "cancel": ("取消申请{status} {at}", "cancel request {status} {at}"),
        "refund": ("{scope}退款{status} {at}", "{scope} refund {status} {at}"),
        "undated": ("（时间未知）", "(undated)"),
        "ahead": ("{at}（晚于查询时间，尚不计入）", "{at} (after the query: does not count yet)"),
        "began": ("{deadline}开始计时：{due} 截止{runs}", "{deadline} begins: due {due}{runs}"),
        "hours": ("（{hours} 小时）", " ({hours} h)"),
        "working_hours": ("（{hours} 个工作小时）", " ({hours} h of working time)"),
        "grace": (
            "（约定时间之后再等 {grace}，等待揽件信息同步）",
            " (the agreed date, and {grace} more for the scan to reach us)",
        ),
        "moved": ("{deadline}由 {was} 延至 {due}", "{deadline} moves from {was} to {due}"),
        "response_met": ("商家已响应，比时限提前 {left}", "{deadline} ends with {left} left"),
        "confirmation_met": ("消费者已表态，比时限提前 {left}", "{deadline} ends with {left} left"),
        "promise_met": (
            "已按约定发货并揽件，比时限提前 {left}",
            "{deadline} ends with {left} left",
        ),
        "evidence_met": ("商家已举证，比时限提前 {left}", "{deadline} ends with {left} left"),
        "met": ("{event}，比时限提前 {left}", "{deadline} ends with {left} left"),
        "ended": ("{deadline}停止计时，剩余 {left}", "{deadline} ends with {left} left"),
        "over": ("{deadline}已于 {due} 届满", "{deadline} ends; it was due {due}"),
        "passed": (
            "{deadline}已于 {due} 届满，届满 {late}后系统处理",
            "{deadline} was due {due}; acted on {late} later",
        ),
        "left": (
            "{deadline}：{due} 截止，剩余 {duration}",
            "{deadline}: due {due}, {duration} left",
        ),
        "late": (
            "{deadline}：已于 {due} 届满，已过 {duration}",
            "{deadline}: was due {due}, passed {duration} ago",
        ),
        "idle": ("（当前状态下届满不触发处理）", " (its passing triggers nothing in this state)"),
        "expires": (
            "若无其他操作，{due} 之后系统按“{event}”处理",
            "unless something happens before, the system acts after {due}: {event}",
        ),
        "waits": ("当前无时限，等待相关方操作", "no deadline runs; it waits for a person"),
        "agreed": ("约定时间 {at}", "agreed date {at}"),
        "confirmed": ("协商一致已获确认", "the agreement is confirmed"),
        "d": (" 天 ", "d"),
        "h": (" 小时 ", "h"),
        "m": (" 分钟 ", "m"),
        "s": (" 秒 ", "s"),
        "rollout": (
            "{reason}，灰度分组 {bucket}，{percentage}% ({version})",
            "{reason}, bucket {bucket}, {percentage} % ({version})",
        ),
    }
)
"""The texts of a timeline."""

PAYLOAD_MEMBERS = Messages(
    {
        "option": ("方案", "option"),
        "agreed_until": ("约定时间", "agreed date"),
        "reason": ("举证理由", "reason"),
        "rollout": ("灰度", "rollout"),
        "vouchers": ("凭证", "voucher"),
        "note": ("备注", "note"),
        "statement": ("情况说明", "statement"),
        "rationale": ("理由", "rationale"),
        "until": ("延长至", "until"),
        "deadline": ("延长的时限", "concerns"),
    }
)
"""The members of the commands' payloads."""

EVENT_MEMBERS = Messages(
    {
        "facts": ("查看了订单数据", "facts"),
        "chart": ("规则状态图", "chart"),
    }
)
"""The members of an event that a replay compares, and a timeline does not show."""

CHECKS_OUTSIDE_TABLE: Mapping[str, tuple[Message, RefusalCode]] = FrozenMap(
    {
        "live": (Message("纠纷尚未结束", "the dispute is live"), RefusalCode.DISPUTE_CLOSED),
        "option_offered": (
            Message("本规则版本提供该方案", "the rule version offers the option"),
            RefusalCode.OPTION_NOT_OFFERED,
        ),
        "no_option_chosen": (
            Message("尚未选择方案", "no option was chosen before"),
            RefusalCode.OPTION_ALREADY_CHOSEN,
        ),
        "offered_here": (
            Message("当前状态下可进行该操作", "this can be done in the present state"),
            RefusalCode.NOT_IN_THIS_STATE,
        ),
        "key_unused": (
            Message("请求编号未被使用", "the key was not used before"),
            RefusalCode.KEY_REUSED,
        ),
        **{
            of.once.check: (of.once.text, of.once.code)
            for of in COMMAND_CLASSES.values()
            if of.once is not None
        },
    }
)
"""Recorded checks that are no guards of the transition table, each with its refusal code."""

# ---- replays -------------------------------------------------------------------------------------


class Drift(Labelled):
    """The classes of difference, the most serious first."""

    OUTCOME = "outcome", "下一状态或结果不同", "different state or outcome"
    NEWLY_REFUSED = "newly_refused", "原已受理，现被拒绝", "now refused"
    NEWLY_ACCEPTED = "newly_accepted", "原被拒绝，现可受理", "now accepted"
    FACTS = "facts", "按记录的订单数据无法复核", "cannot be decided again on its facts"
    DEADLINE = "deadline", "时限不同", "deadline changed"
    CHART = "chart", "规则状态图有改动", "the rule version's chart was changed"
    EXPLANATION = "explanation", "仅说明文字不同", "only the explanation differs"


class Missing(Labelled):
    """What was not recorded, so that a command cannot be decided again."""

    FACTS = "facts", "缺少当时的订单数据", "what the order system would have shown"
    PERSONAL_DATA = "words", "原文已清除", "personal data that was erased"
    ANSWERS = "answers", "无从得知此后各方的答复", "what the parties would have answered"


class EndComparison(Labelled):
    """How a dispute would end, compared with how it ended."""

    SAME = "same", "相同", "the same"
    DIFFERENT = "different", "不同", "different"
    UNDETERMINED = "undetermined", "无法确定", "undetermined"


# ---- coverage ------------------------------------------------------------------------------------

COVERAGE = Messages(
    {
        "head": (
            (
                "规则 {rules}：{events} 个事件，走过流程 "
                "{transitions[reached]}/{transitions[total]}，"
                "条件结果 {guards[reached]}/{guards[total]}"
            ),
            (
                "rules {rules}: {events} events reach "
                "{transitions[reached]} of {transitions[total]} transitions, "
                "{guards[reached]} of {guards[total]} guard outcomes"
            ),
        ),
        "transitions": ("流程", "transitions"),
        "guards": ("条件结果", "guard outcomes"),
        "and": ("；", "; "),
        "guard": ("{question} ({name})：{result}", "{question} ({name}): {result}"),
        "selector": ("{question} ({name})：{result}", "{name}: {result}"),
        "passed": ("通过", "passed"),
        "not_passed": ("未通过", "not passed"),
    }
)

# ---- synthetic histories: the texts of the people in them ----------------------------------------

VOUCHER_FILES: Mapping[VoucherKind, tuple[str, str]] = FrozenMap(
    {
        VoucherKind.CHAT_SCREENSHOT: ("聊天记录.png", "image/png"),
        VoucherKind.CARRIER_CERTIFICATE: ("物流公司说明.pdf", "application/pdf"),
        VoucherKind.WAYBILL_TRACE: ("物流轨迹.png", "image/png"),
        VoucherKind.OFFICIAL_DOCUMENT: ("官方通知.pdf", "application/pdf"),
        VoucherKind.ORDER_PAGE: ("订单页面截图.jpg", "image/jpeg"),
        VoucherKind.PHOTO: ("包裹照片.jpg", "image/jpeg"),
        VoucherKind.VIDEO: ("打包视频.mp4", "video/mp4"),
        VoucherKind.OTHER: ("其他材料.pdf", "application/pdf"),
    }
)
"""File name and media type of the vouchers in synthetic histories."""

STATEMENTS: Mapping[str, str] = FrozenMap(
    {
        "consumer_agreed_later": "消费者在聊天中同意延后发货，已约定新的发货时间，请核实。",
        "consumer_requested_hold": "消费者表示近期不便收货，要求我们暂缓发货，聊天记录见附件。",
        "consumer_unresponsive": "地址信息不全，我们先后两次联系消费者核对，均未得到回复。",
        "presale_or_custom_promise": "该商品为预售，页面已公示发货时间，目前尚未到期。",
        "force_majeure": "仓库所在地连日暴雨，道路封闭，主管部门已发布通知，恢复后第一时间发出。",
        "public_holiday": "下单时正值法定节假日，物流停运公告见附件，节后按顺序发货。",
        "platform_fault": "发货当天后台无法打印面单，页面提示系统异常，截图见附件。",
        "carrier_fault": "包裹已交给物流公司，网点积压未及时揽件，物流公司已出具盖章说明。",
        "shipped_and_picked_up": "包裹已发出并揽件，物流轨迹见附件，信息同步有延迟。",
        "customs_clearance": "包裹正在清关，海关查验时间较长，相关文件与物流轨迹见附件。",
    }
)
"""The merchants' statements in synthetic histories, by evidence reason."""

LONG_STATEMENT = "情况属实，请平台核实。" * 60
NOTES = (
    "已与消费者电话沟通，双方达成一致。",
    "消费者在聊天中已确认。",
    "已说明情况并致歉。",
    "按协商结果处理。",
)
EVIDENCE_REQUESTS = (
    "凭证不清晰，请补充原图。",
    "请补充能显示时间的记录。",
    "请说明未按时发货的具体原因并补充材料。",
)
RATIONALES: Mapping[CommandType, tuple[str, ...]] = FrozenMap(
    {
        CommandType.RULE_NO_FAULT: (
            "凭证完整，情况属实，支持商家。",
            "聊天记录能证明双方已协商一致。",
            "属于规则规定的免责情形。",
        ),
        CommandType.RULE_AT_FAULT: (
            "凭证不足以证明所述情况。",
            "未见消费者同意的记录。",
            "所述原因不属于免责情形，判定商家责任。",
        ),
        CommandType.ANNUL: (
            "复核发现物流信息同步延迟，撤销判责。",
            "申诉成立，原判定依据有误。",
        ),
    }
)
OTHER_RATIONALES = (
    "揽件信息回传延迟，以交接单为准。",
    "消费者当时已同意延后发货，有聊天记录。",
    "已核对双方提交的材料。",
)
EXTENSION_RATIONALES = (
    "受天气影响，适当延长时限。",
    "系统维护期间无法操作，顺延。",
    "商家申请延期，理由成立。",
)
