"""The texts of an explanation in both languages."""

from dispute_fsm.domain.messages import Messages

ALTERNATIVES = Messages(
    {
        "title": ("什么会使结果不同", "What would have ended it otherwise"),
        "none": (
            "没有任何单独一处不同会使结果不同",
            "no single thing, had it been otherwise, would have ended it otherwise",
        ),
        "legend": (
            "✓ 按记录即可如此　≈ 除非有人提出异议　? 尚待他人决定　… 只是再有一次机会",
            (
                "✓ by what was recorded   ≈ unless somebody objects   ? another's decision is "
                "awaited   … only another chance"
            ),
        ),
        "hands": ("取决于{}", "In the hands of the {}"),
        "and": ("和", " and the "),
        "list": ("、", ", "),
        "both": ("，且", ", and "),
        "if_true": ("仅在属实时：{}", "only where that is true: {}"),
        "line": ("{what}（第 {seq} 步） → {end}", "{what} (event {seq}) → {end}"),
        "joined": ("；", "; "),
        # What would have been otherwise.
        "moved": (
            "{act}在 {at} 或之前提交（实际 {was}，晚 {late}）",
            "{act} sent at or before {at} (it came at {was}, {late} late)",
        ),
        "moved_before": (
            "{act}在第 {before} 步（{at}）之前提交（实际 {was}）",
            "{act} sent before event {before} ({at}; it came at {was})",
        ),
        "completed": ("{act}时：{lacked}", "{act}, with this: {lacked}"),
        "until": (
            "{act}时，约定时间最晚可为 {until}",
            "{act}, with an agreed time of {until} at the latest",
        ),
        "acted": ("{at} 或之前{who}{act}", "at or before {at}, by the {who}: {act}"),
        "acted_before": (
            "在第 {before} 步（{at}）之前{who}{act}",
            "before event {before} ({at}), by the {who}: {act}",
        ),
        "instead": ("{who}改为{act}", "instead, by the {who}: {act}"),
        "up_to": ("，约定时间最晚为 {}", ", agreed time {} at the latest"),
        "extended_to": ("至 {}", " to {}"),
        "reasons": (
            "，目录中 {} 种举证理由任一种（如“{}”），并附所需凭证",
            ", for any of {} reasons of the catalogue (say “{}”), with the vouchers it asks for",
        ),
        "reason": (
            "，举证理由“{1}”，并附所需凭证",
            ", for the reason “{1}”, with the vouchers it asks for",
        ),
        "shown": (
            "订单数据显示{facts}，不晚于 {by}",
            "the order shows, not later than {by}: {facts}",
        ),
        "was": ("{fact}（实际 {was}，晚 {late}）", "{fact} (it was {was}, {late} late)"),
        "dropped": ("{who}未进行{act}", "without this by the {who}: {act}"),
        "policy": ("规则参数“{field}”为 {value}", "policy: {field} is {value}"),
        "off": ("关闭", "off"),
        "hours": ("{} 小时", "{} h"),
        "working_hours": ("{} 个工作小时", "{} working hours"),
        "act": ("“{}”", "“{}”"),
        "choice": ("选择“{}”", "choosing “{}”"),
        "payment": ("已付款", "paid"),
        "cancel_request": ("有效的取消申请", "a cancel request that stands"),
        "refund": ("已完成全额退款", "a completed full refund"),
        "partial_refund": ("已完成部分退款", "a completed partial refund"),
        "shipment": ("已发货", "shipped"),
        "pickup": ("已揽件", "picked up by the carrier"),
        # Where it leads.
        "ends": ("{state}：{outcome}", "{state}: {outcome}"),
        "unopposed": (
            "{state}；无人提出异议则为“{outcome}”",
            "{state}; unless somebody objects, “{outcome}”",
        ),
        "awaited": ("{state}，待{who}决定", "{state}; the {who} decides"),
        "chance": ("{state}，还可在 {until} 前行动", "{state}, with time to act until {until}"),
        "chance_open": ("{state}，还可再行动", "{state}, with a chance to act"),
        # What is left.
        "last_resorts": (
            "此外，{}随时可使纠纷结束。",
            "Besides, at nearly any time this would have ended it: {}.",
        ),
        "not_looked_at": (
            "另有 {} 种做法超出上限，未推演。",
            "{} more possibilities were beyond the limit and were not looked at.",
        ),
        "counted_otherwise": (
            "另有 {} 种结果未列出：当前工作日历算出的截止时间与记录不同。",
            ("{} more are left out: today's calendar counts a recorded due instant otherwise."),
        ),
        "merchant": ("商家", "merchant"),
        "consumer": ("消费者", "consumer"),
        "platform": ("平台", "platform"),
        "carrier": ("物流公司", "carrier"),
    }
)

SIGNS = {"recorded": "✓", "unopposed": "≈", "awaited": "?", "chance": "…"}
"""The sign of each grade, the same in both languages."""
