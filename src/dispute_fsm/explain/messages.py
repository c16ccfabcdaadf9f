"""The texts of an explanation in both languages."""

from dispute_fsm.domain.messages import Messages

SENTENCES = Messages(
    {
        "end": ("。", "."),
        "and_then": ("；", "; "),
        "comma": ("、", ", "),
        "and": ("，且", ", and "),
        "or": ("或", " or "),
        "rests_on": ("（依据{}）", " ({})"),
        "S": ("公告 {}", "announcement {}"),
        "A": ("本系统约定 {}", "assumption {}"),
        "S_says": ("公告：{}", "the announcement says: {}"),
        "A_says": ("本系统约定：{}", "our own assumption: {}"),
        # How it was judged.
        "at_then": ("{act}，{at} {judged}", "{act}; at {at} {judged}"),
        "then": ("{act}，{judged}", "{act}; {judged}"),
        "penalized": ("判为“{outcome}”", 'this was judged "{outcome}"'),
        "region": ("该路径判为“{outcome}”", 'this side was judged "{outcome}"'),
        "weightier": (
            "两条路径均未成立，责任取较重者，判为“{outcome}”",
            'both sides failed, and the weightier liability counts: "{outcome}"',
        ),
        "resolved": ("纠纷以“{outcome}”结束", 'the dispute ended as "{outcome}"'),
        "withdrawn": ("纠纷就此结束", "that ended it"),
        "state": ("现为“{states}”", 'it is now "{states}"'),
        # The margin.
        "late_act": (
            "{what}于 {at} 提交，晚 {by}{clause}",
            "{what} came at {at}, {by} late{clause}",
        ),
        "fact_late": (
            "{fact} {at}，比约定时间 {limit} 晚 {by}{clause}",
            "{fact} is dated {at}; the agreed time was {limit}, so it was {by} late{clause}",
        ),
        "fact_early": (
            "{fact} {at}，比约定时间 {limit} 早 {by}{clause}",
            "{fact} is dated {at}; the agreed time was {limit}, so {by} were left{clause}",
        ),
        "fact_exact": (
            "{fact}恰为约定时间 {limit}，视为按时{clause}",
            "{fact} is dated exactly at the agreed time {limit}, which is in time{clause}",
        ),
        "shortfall": (
            "最接近的一次尝试：{at} {what}，未被受理：{lacks}",
            "the nearest attempt was {what}, sent at {at} and refused: {lacks}",
        ),
        "attempt": (
            "{who}于 {at} 提交：{what}，未被受理：{lacks}",
            "{what}, sent at {at}, was refused: {lacks}",
        ),
        "order_showed": ("当时订单数据显示：{lacks}{clause}", "the order showed: {lacks}{clause}"),
        "decided_by": (
            "这由{who}决定，没有差距可言{clause}",
            "this was for the {who} to decide; there is no margin to name{clause}",
        ),
        "not_in_hand": (
            "这由{who}决定，不在{lost}掌握之中，没有差距可言{clause}",
            (
                "this was for the {who} to decide and not in the {lost}'s hands; there is no "
                "margin to name{clause}"
            ),
        ),
        "decided_by_facts": (
            "这由订单数据决定，没有差距可言{clause}",
            "this was decided by what the order showed; there is no margin to name{clause}",
        ),
        "no_attempt": (
            "没有差距可言：{who}从未{acts}{clause}",
            "there is no margin to name: the {who} never {acts}{clause}",
        ),
        "no_attempt_recorded": (
            "没有差距可言：记录中没有{who}{acts}的请求，但被拒绝的请求只留存有限条数{clause}",
            (
                "there is no margin to name: no record says that the {who} {acts}, but only a "
                "number of refused requests is recorded{clause}"
            ),
        ),
        "taken_back": (
            "判责已不成立，商家不再承担责任{clause}",
            "the penalty no longer stands, and the merchant bears no liability{clause}",
        ),
        "nobody": ("没有人因此承担责任{clause}", "nobody bears a liability for it{clause}"),
        # What is to come.
        "forecast_then": ("，", ", "),
        "forecast": ("若无人操作，{steps}", "if nobody acts, {steps}"),
        "forecast_facts": (
            "若无人操作，且订单数据与最近一次查询时相同，{steps}",
            "if nobody acts, and the order stays as it was when last looked at, {steps}",
        ),
        "after": ("{due} 之后{becomes}", "after {due} {becomes}"),
        "becomes_state": ("转为“{states}”", 'it goes on to "{states}"'),
        "becomes_penalized": ("判为“{outcome}”", 'it is judged "{outcome}"'),
        "becomes_region": ("该路径判为“{outcome}”", 'this side is judged "{outcome}"'),
        "becomes_weightier": (
            "两条路径均不成立，责任取较重者，判为“{outcome}”",
            'both sides have failed, and the weightier liability counts: "{outcome}"',
        ),
        "becomes_resolved": ("纠纷以“{outcome}”结束", 'the dispute ends as "{outcome}"'),
        "waits": ("纠纷一直等待{who}", "the dispute waits for the {who} without a limit"),
        "then_waits": ("此后一直等待{who}", "and then it waits for the {who} without a limit"),
        "open_end": ("如何处理取决于届时的订单数据", "what follows depends on the order"),
        # What can still be done.
        "next": ("接下来由{who}{can}，最晚 {until}", "next, the {who} can {can}, until {until}"),
        "next_open": ("接下来由{who}{can}，没有时限", "next, the {who} can {can}, without a limit"),
        "possible": ("{who}可{can}，最晚 {until}", "the {who} can {can}, until {until}"),
        "possible_open": ("{who}可{can}，没有时限", "the {who} can {can}, without a limit"),
        "has_to_ship": (
            "{who}须发货并由物流揽件，最晚 {until}",
            "the {who} has to ship and have it picked up by {until}",
        ),
        "only_annul": (
            "现在只有{who}写明理由撤销判责，才能改变结果",
            "only the {who} can change this now, by annulling the penalty with a rationale",
        ),
        "else_annul": (
            "此外只有{who}写明理由撤销判责，才能改变结果",
            "beyond that only the {who} can change it, by annulling the penalty with a rationale",
        ),
        "final": ("结果已定，不能再改变", "this is final, and nothing can change it"),
        "system_only": (
            "时限已过，只待系统处理",
            "the deadline has passed; only the system has to act on it",
        ),
        "day": ("{} 天", "{} day{s}"),
        "hour": ("{} 小时", "{} hour{s}"),
        "minute": ("{} 分钟", "{} minute{s}"),
        "second": ("{} 秒", "{} second{s}"),
    }
)
"""The sentences, and what they are made of."""

ACTS = Messages(
    {
        "open_dispute": ("{who}于 {at} 发起纠纷", "the {who} opened the dispute at {at}"),
        "choose_option": ("{who}于 {at} 选择“{option}”", 'the {who} chose "{option}" at {at}'),
        "response_expired": (
            "商家到响应截止 {due} 仍未选定方案",
            "the merchant had chosen no option by the response deadline, {due}",
        ),
        "confirm_agreement": (
            "{who}于 {at} 确认“{option}”",
            'the {who} confirmed "{option}" at {at}',
        ),
        "deny_agreement": ("{who}于 {at} 否认“{option}”", 'the {who} denied "{option}" at {at}'),
        "confirmation_expired": (
            "消费者到确认截止 {due} 仍未对“{option}”表态，沉默{silence}",
            (
                'the consumer had not answered "{option}" by the confirmation deadline, {due}, and '
                "silence {silence}"
            ),
        ),
        "observe_order": (
            "系统于 {at} 核对订单：{fulfilment}",
            "the system looked at the order at {at}: {fulfilment}",
        ),
        "promise_expired": (
            "约定发货时间为 {agreed}，系统于 {at} 核对订单：{fulfilment}",
            (
                "shipment was promised by {agreed}, and the system looked at the order at {at}: "
                "{fulfilment}"
            ),
        ),
        "submit_evidence": ("{who}于 {at} 提交举证", "the {who} handed in evidence at {at}"),
        "evidence_expired": (
            "商家到举证截止 {due} 仍未提交所需举证",
            "the merchant had not handed in the evidence by the evidence deadline, {due}",
        ),
        "request_evidence": (
            "{who}于 {at} 要求补充举证",
            "the {who} asked for more evidence at {at}",
        ),
        "rule_no_fault": (
            "{who}于 {at} 作出无责判定",
            "the {who} ruled at {at} that there was no fault",
        ),
        "rule_at_fault": (
            "{who}于 {at} 作出有责判定",
            "the {who} ruled at {at} that the merchant was at fault",
        ),
        "extend_deadline": ("{who}于 {at} 延长时限", "the {who} extended a deadline at {at}"),
        "withdraw": ("{who}于 {at} 撤销纠纷", "the {who} withdrew the dispute at {at}"),
        "annul": ("{who}于 {at} 撤销判责", "the {who} annulled the penalty at {at}"),
        "appeal": ("{who}于 {at} 提出申诉", "the {who} appealed at {at}"),
        "appeal_expired": (
            "商家到申诉截止 {due} 仍未申诉",
            "the merchant had not appealed by the appeal deadline, {due}",
        ),
        "uphold_penalty": ("{who}于 {at} 维持判责", "the {who} upheld the penalty at {at}"),
        "overturn_penalty": ("{who}于 {at} 撤销原判", "the {who} overturned the penalty at {at}"),
    }
)
"""What was done or left, by command."""

SUBMITTED = Messages(
    {
        "choose_option": ("选择“{option}”", 'the choice of "{option}"'),
        "confirm_agreement": ("{who}的确认", "the {who}'s confirmation"),
        "deny_agreement": ("{who}的否认", "the {who}'s denial"),
        "submit_evidence": ("举证", "the evidence"),
        "appeal": ("申诉", "the appeal"),
    }
)
"""What was handed in, by command."""

NEVER = Messages(
    {
        "choose_option": ("选择方案", "chose an option"),
        "confirm_agreement": ("确认", "confirmed it"),
        "deny_agreement": ("否认", "denied it"),
        "submit_evidence": ("提交举证", "handed in evidence"),
        "appeal": ("申诉", "appealed"),
    }
)
"""What was never done, by command."""

CAN = Messages(
    {
        "choose_option": ("选择方案", "choose an option"),
        "confirm_agreement": ("确认", "confirm it"),
        "deny_agreement": ("否认", "deny it"),
        "submit_evidence": ("提交举证", "hand in evidence"),
        "request_evidence": ("要求补充举证", "ask for more evidence"),
        "rule_no_fault": ("作出无责判定", "rule that there is no fault"),
        "rule_at_fault": ("作出有责判定", "rule that the merchant is at fault"),
        "appeal": ("写明理由提出申诉", "appeal with a rationale"),
        "uphold_penalty": ("维持判责", "uphold the penalty"),
        "overturn_penalty": ("撤销原判", "overturn the penalty"),
    }
)
"""What can be done, by command."""

LACKS = Messages(
    {
        "vouchers": (
            "差 {count} 份{kind}",
            '{count} voucher{s} of the kind "{kind}" missing',
        ),
        "agreement_voucher": (
            "差 1 份能证明协商一致的凭证",
            "1 voucher that shows the agreement missing",
        ),
        "image": ("图片格式不受支持", "the picture's format is not supported"),
        "video": ("视频格式不受支持", "the video's format is not supported"),
        "file": ("文件格式不受支持", "the file's format is not supported"),
        "bytes": ("凭证文件超出上限 {by} 字节", "the vouchers are {by} byte{s} too large"),
        "files": ("凭证多出 {by} 份", "{by} voucher{s} too many"),
        "characters": ("情况说明超出上限 {by} 字", "the statement is {by} character{s} too long"),
        "kinds": ("凭证类型“{kinds}”不符合要求", 'vouchers of the kind "{kinds}" are not accepted'),
        "ahead": (
            "{fact} {at} 晚于查询时间 {observed}，当时尚不计入",
            "{fact}, {at}, lies after the query, {observed}, and did not count yet",
        ),
        "too_far": ("约定时间比最长期限晚 {by}", "the agreed time lies {by} too far ahead"),
        "not_future": (
            "约定时间 {agreed} 不晚于选择方案的时间",
            "the agreed time, {agreed}, does not lie after the choice",
        ),
        "found": ("{label}（{found}）", "{label} [{found}]"),
        "is": ("{label}{value}", "{label}: {value}"),
        "waybill": ("运单号与发货不一致", "the waybill is not that of the shipment"),
        "before_payment": ("揽件早于付款", "it is dated before the payment"),
    }
)
"""What was missing or too much."""

FACTS = Messages(
    {
        "scanned_at": ("揽件时间", "the pickup scan"),
        "shipped_at": ("发货时间", "the shipment"),
        "paid_at": ("付款时间", "the payment"),
        "refund_completed_at": ("退款完成时间", "the refund's completion"),
        "cancel_request_submitted_at": ("取消申请时间", "the cancel request"),
    }
)
"""The facts that have a date, by the names under which guards record them."""

ALTERNATIVES = Messages(
    {
        "title": ("怎样会有不同的结果", "What would lead to another ending"),
        "none": (
            "没有哪一处改变会使结果不同。",
            "No single change would have led to another ending.",
        ),
        "legend": (
            "✓ 按记录即可如此　≈ 除非有人提出异议　? 尚待他人决定　… 只是再有一次机会",
            (
                "✓ by what was recorded   ≈ unless somebody objects   ? another's decision is "
                "awaited   … only another chance"
            ),
        ),
        "hands": ("取决于{}", "In the hands of the {}"),
        "hands_together": ("须由{}共同做到", "In the hands of the {} together"),
        "hands_refund": (
            "取决于商家（退款也可由平台完成）",
            "In the hands of the merchant (the platform can refund, too)",
        ),
        "and": ("和", " and the "),
        "list": ("、", ", "),
        "if_true": ("仅在属实时：{}", "only if it is true: {}"),
        "rests_on": ("{} · 第 {} 步", "{} · event{s} {}"),
        "advice": ("{what}，则{end}。", "{what}. Then: {end}."),
        # What would have been otherwise.
        "moved": (
            "{who}最晚在 {at} {act}（实际 {was}，晚 {late}）",
            "{sent} by {at} (it came at {was}, {late} late)",
        ),
        "moved_before": (
            "{who}在 {at} 之前{act}（实际 {was}）",
            "{sent} before {at} (it came at {was})",
        ),
        "completed": (
            "{who}{act}时符合要求（当时{lacks}）",
            "{sent}, meeting all requirements (what was wrong: {lacks})",
        ),
        "completed_too": (
            "，且符合要求（当时{lacks}）",
            ", meeting all requirements (what was wrong: {lacks})",
        ),
        "until": (
            "双方约定更晚的时间（最晚 {until}）",
            "an agreement on a later time ({until} at the latest)",
        ),
        "acted": ("{who}最晚在 {at} {act}", "{sent} by {at}"),
        "acted_before": ("{who}在 {at} 之前{act}", "{sent} before {at}"),
        "next": ("接下来{who}{act}", "next, {sent}"),
        "instead": ("{who}改为{act}", "{sent} instead"),
        "up_to": ("，约定时间最晚为 {}", ", with an agreed time of {} at the latest"),
        "extended": (
            "将{deadline}延长至 {until}",
            "an extension of the {deadline} to {until}, granted",
        ),
        "deadline": ("时限", "deadline"),
        "reasons": (
            "：{} 种举证理由中属实的一种（如“{}”），并附所需凭证",
            ', for whichever of {} reasons is true (such as "{}"), with the vouchers it asks for',
        ),
        "reason": (
            "：举证理由为“{1}”，并附所需凭证",
            ', for the reason "{1}", with the vouchers it asks for',
        ),
        "shown": ("订单最晚在 {by} {facts}", "{facts} by {by}"),
        "shown_at": (
            "{who}{act}时（{by}），订单{facts}",
            "{facts} at the time of {sent} ({by})",
        ),
        "shown_then": ("，且此前订单{facts}", ", with {facts} by then"),
        "facts": ("、", " and "),
        "was": ("{text}（实际 {was}，晚 {late}）", "{text} (in fact {was}, {late} late)"),
        "dropped": ("{who}未{act}", "without {sent}"),
        "policy": ("规则参数“{field}”改为“{value}”", 'the policy with "{field}" set to "{value}"'),
        "off": ("关闭", "off"),
        "hours": ("{} 小时", "{} hours"),
        "working_hours": ("{} 个工作小时", "{} working hours"),
        "choose_option": ("选择“{option}”", 'the choice of "{option}"'),
        "confirm_agreement": ("确认协商一致", "the {who}'s confirmation"),
        "deny_agreement": ("否认协商一致", "the {who}'s denial"),
        "submit_evidence": ("提交举证", "the {who}'s evidence"),
        "request_evidence": ("要求补充举证", "the {who}'s request for more evidence"),
        "rule_no_fault": ("作出无责判定", "the {who}'s ruling of no fault"),
        "rule_at_fault": ("作出有责判定", "the {who}'s ruling of fault"),
        "extend_deadline": ("延长时限", "the {who}'s extension of a deadline"),
        "withdraw": ("撤销纠纷", "the {who}'s withdrawal"),
        "annul": ("撤销判责", "the {who}'s annulment"),
        "appeal": ("提出申诉", "the {who}'s appeal"),
        "uphold_penalty": ("维持判责", "the {who}'s decision to uphold the penalty"),
        "overturn_penalty": ("撤销原判", "the {who}'s decision to overturn the penalty"),
        "payment": ("已付款", "payment"),
        "cancel_request": ("已有有效的取消申请", "a cancel request that stands"),
        "refund": ("已完成全额退款", "a completed full refund"),
        "partial_refund": ("已完成部分退款", "a completed partial refund"),
        "shipment": ("已发货", "shipment"),
        "pickup": ("已由物流揽件", "a pickup scan"),
        # Where it leads.
        "ends": ("{state}：{outcome}", '{state} as "{outcome}"'),
        "unopposed": (
            "{state}；若此后无人操作，以“{outcome}”结束",
            '{state}; if nobody acts after that, it ends as "{outcome}"',
        ),
        "awaited": ("{state}，结果未定", "{state}; the outcome is open"),
        "chance": ("{state}，最晚 {until}", "{state}, until {until}"),
        # What is left.
        "last_resorts": (
            "此外，{}也会使结果不同。",
            "Besides, {} would change it.",
        ),
        "last_resort": ("{who}{act}", "{sent}"),
        "or": ("或", " or "),
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
"""The other endings: what would have been otherwise, and where it leads."""

SIGNS = {"recorded": "✓", "unopposed": "≈", "awaited": "?", "chance": "…"}
"""The sign of each grade, the same in both languages."""

CHANGE = Messages(
    {
        "head": ("纠纷 {dispute}：假如", "dispute {dispute}: suppose"),
        "changed": ("第 {seq} 步（{command}）：{what}", "event {seq} ({command}): {what}"),
        "added": (
            "第 {after} 步之后，{at} {actor} {command}",
            "after event {after}, at {at}: {actor} · {command}",
        ),
        "dropped": ("没有第 {seq} 步（{command}）", "event {seq} ({command}) had not happened"),
        "nothing": ("没有任何改动", "nothing is changed"),
        "and": ("；", "; "),
        "list": ("、", ", "),
        "at": ("时间改为 {at}", "at {at}"),
        "with": ("改了{members}", "with another {members}"),
        "order": ("自此订单数据不同：{members}", "the order differs from then on: {members}"),
        "paid_at": ("付款", "payment"),
        "cancel_request": ("取消申请", "cancel request"),
        "refund": ("退款", "refund"),
        "shipment": ("发货", "shipment"),
        "pickup": ("揽件", "pickup"),
        "recorded": ("记录中", "recorded"),
        "same": ("第 {seq} 步，相同", "event {seq}, the same"),
        "otherwise": ("第 {seq} 步：{at} {what}", "event {seq}: {at} {what}"),
        "supposed": ("没有，这是假设的操作", "not there; it is supposed"),
        "by_system": (
            "没有，时限届满后由系统处理",
            "not there; the system acts once the deadline has passed",
        ),
        "refused": ("拒绝（{codes}）", "refused ({codes})"),
        "unrecorded": ("不产生记录", "nothing would be recorded"),
        "as_recorded": (
            "每一步都与记录相同，结果不变。",
            "It ends as recorded: no step is different.",
        ),
        "as_recorded_after": (
            "其余各步与记录相同。",
            "Every other step is as recorded.",
        ),
        "state": ("推演结果，截至 {at}", "supposed state at {at}"),
        "depends": ("取决于", "depends on"),
        "answer": (
            "{who}（记录中没有其答复），最晚等到 {until}",
            "{who}, whose answer nobody recorded; it would wait until {until}",
        ),
        "answer_without_limit": (
            "{who}（记录中没有其答复），没有时限",
            "{who}, whose answer nobody recorded; it would wait without limit",
        ),
        "may_change": (
            "{who}，{until} 前仍可改变结果（记录中没有此操作）",
            "{who}, who could still change it until {until}, which nobody recorded",
        ),
        "silence": ("若无人操作", "if nobody acts"),
        "leads_to": ("{at} {command} → {end}", "{at} {command} → {end}"),
        "ends": ("{state}（{outcome}）", "{state} ({outcome})"),
        "then": ("记录结果", "recorded end"),
        "left_out": ("未计入", "left out"),
        "about_other": (
            "第 {seqs} 步：针对的是另一项方案或另一状态",
            "event {seqs}: about another agreement or another state",
        ),
        "not_reached": (
            "第 {seqs} 步：在等待期限之后，是否还会发生无从得知",
            "event {seqs}: after the instant until which it waits; nobody knows whether it came",
        ),
        "calendar": ("提示", "note"),
        "counts_otherwise": (
            "按今天的工作日历，某个已记录的时限会有不同的截止时间",
            "today's calendar counts a recorded deadline otherwise",
        ),
    }
)
"""What would have happened with the changes of a file."""
