"""Every text of the pictures, tables and reports, zh-CN and English side by side.

One `Messages` per page; `PHRASES` are shared by all of them.
"""

from dispute_fsm.domain.messages import Messages

PHRASES = Messages(
    {
        "and": ("；", "; "),
        "comma": ("、", ", "),
        "or": ("或", " or "),
        "colon": ("：", ": "),
        "when": ("适用条件：{}", "if {}"),
        "needs": ("必须满足：{}", "needs: {}"),
        "ends_as": ("结果：{}", "ends as {}"),
        "on": ("{outcome}（方案：{option}）", "{outcome} (on: {option})"),
        "as_before": ("结果不变", "the outcome as before"),
        "by_option": ("按所选方案", "by the option chosen"),
        "fails": ("该路径未成立，责任：{}", "this side fails for: {}"),
        "rules": ("{rules}（{label}）", "{rules} ({label})"),
        "failed": ("另一路径未成立，责任：{}", "the other side has failed: {}"),
        "extends": ("延长{}", "it is the {} that is extended"),
        "starts": ("开始计时：{}", "starts the {}"),
        "stops": ("停止计时：{}", "stops the {}"),
        "limits": ("凭证大小、格式与数量均符合要求", "the vouchers keep to the limits"),
        "deadline": ("{name}：{term}", "{name}: {term}"),
        "only_window": (
            "（只限制消费者表态，届满不触发处理）",
            " (only closes the consumer's window)",
        ),
        "only_waits": ("（此状态下暂不处理，之后继续）", " (not acted on here)"),
        "hours": ("{n} 小时", "{n} h"),
        "working_hours": ("{n} 个工作小时", "{n} working hours"),
        "off": ("未启用", "off"),
        "promise": ("约定时间后 {grace}", "the agreed instant + {grace}"),
        "S": ("公告要点 · {}", "announcement {}"),
        "A": ("本系统约定", "assumed"),
        "source": ("依据 {ref} · {kind}：{text}", "source {ref} ({kind}): {text}"),
        "space": ("", " "),
        "sentence": ("{}。", "{}."),
        "quote": ("“{}”", "“{}”"),
        "paraphrase": ("转述：{}。", "Paraphrase: {}."),
        "because": ("原因：{}。", "Because: {}."),
        "by_policy": ("可由规则参数 {} 调整。", "Policy {} changes it."),
        "by_chart": ("调整须修改状态图。", "The chart changes it."),
        "chosen": ("所选的方案", "the option chosen"),
        "stays": ("状态不变", "stays"),
        "none": ("–", "–"),
        "inactive": ("【当前参数下不适用】", "[never under this policy]"),
        "policy": ("规则参数：{}。", "Policy: {}."),
        "default": ("默认", "the default"),
        "differs": ("默认，但 {}", "the default, but {}"),
        "field": ("{label}（{field}）：{value}", "{label} ({field}): {value}"),
        "edited": ("已修改", "edited"),
        "removed": ("已移除", "removed"),
        "pale": (
            "浅色虚线、标有“当前参数下不适用”的，在此参数下不会发生。",
            "What is pale and dashed, and marked “never under this policy”, cannot happen then.",
        ),
        "any_policy": (
            "各种规则参数下的流程均同样显示；时限长短按：{}。",
            "What any policy allows is shown alike; the terms of deadlines are those of: {}.",
        ),
    }
)

SOURCES = Messages(
    {
        "sources": ("依据", "Sources"),
        "id": ("编号", "id"),
        "kind": ("性质", "kind"),
        "text": ("内容", "what it says"),
        "of": ("适用于", "behind"),
        "announcement": (
            "公告：《{title}》，{date}。引号内为公告原文，其余为转述。",
            "Announcement: 《{title}》, {date}. What stands in quotation marks is its own text.",
        ),
        "cited": (
            (
                "编号为依据：S 是公告（《{title}》，{date}）要点，A 是本系统约定；"
                "全文见状态图（chart）。"
            ),
            (
                "Ids cite the sources: S what the announcement (《{title}》, {date}) says, A what "
                "is assumed; the view chart has their text."
            ),
        ),
    }
)

OVERVIEW = Messages(
    {
        "title": ("催单纠纷处理总览 · 规则 {}", "Disputes at a glance · rules {}"),
        "read": (
            (
                "自上而下阅读。方框是状态，框内各行是可能的操作与结果，色带和文字说明由谁操作。"
                "绿线汇入“已解决”，红线汇入“已判责”。"
            ),
            (
                "Read from top to bottom. A box is a state, a row in it what may happen and what "
                "comes of it; the band and the text say who acts. Green lines lead to resolved, "
                "red ones to penalized."
            ),
        ),
        "more": (
            "恰在截止时刻操作，视为按时。完整的条件见状态图（chart）和决策表（decisions）。",
            ("At the due instant is in time. All conditions are in the views chart and decisions."),
        ),
        "to_act": ("操作方：{}", "to act: {}"),
        "choose": (
            "从以下 {count} 个方案中选择一个，选择后不可更改",
            "one of the {count} below; it cannot be taken back",
        ),
        "needs": ("前提：{}", "needs: {}"),
        "needs_nothing": ("无前提条件", "needs nothing"),
        "to_as": ("{state}：{outcome}", "{state}: {outcome}"),
        "leads": ("→ {to}", "→ {to}"),
        "passed": ("届满 → {to}", "passed → {to}"),
        "event": ("{event} → {to}", "{event} → {to}"),
        "given": ("{text}（{when}）", "{text} ({when})"),
        "final": ("判责生效", "the penalty is final"),
        "by_option": ("按所选方案", "as the option says"),
        "waits": ("等待另一路径的结果", "waits for the other side"),
        "both_failed": (
            "两条路径均未成立 → {}：取较重的责任",
            "both sides failed → {}: the weightier liability",
        ),
        "parallel": ("{}（两条路径同时进行）", "{} (side by side)"),
        "outcome": ("· {}", "· {}"),
        "anytime": ("结束之前还可以", "Before the end"),
        "legend": ("图例", "Legend"),
        "end": ("双线框：已结束", "double line: closed"),
        "inactive": ("虚线：当前参数下不适用", "dashed: never under this policy"),
    }
)

PRECONDITIONS = Messages(
    {
        "cancel_requested_or_refunded": (
            "已申请取消或已全额退款",
            "a cancel request or a full refund",
        ),
        "shipped": ("已发货", "shipped"),
        "picked_up": ("已有有效揽件", "validly picked up"),
        "promise_given": ("已约定发货时间", "an agreed date"),
        "promise_in_future": ("晚于当前时间", "in the future"),
        "promise_not_too_far": ("最长期限 {longest}", "at most {longest} ahead"),
        "agreement_voucher": ("有协商一致的凭证", "a voucher of the agreement"),
    }
)
"""What an option requires, in a few words, by the names of the guards."""

CHART = Messages(
    {
        "title": ("催单纠纷状态图 · 规则 {}", "Rush-delivery disputes · rules {}"),
        "read": (
            (
                "从左向右读。方框是状态，小框是事件：由谁操作、做什么。“适用条件”说明何时适用；"
                "“必须满足”的要求有一项不满足，请求即被拒绝。"
                "写在状态框内的事件不改变状态。双线框表示纠纷已结束；虚线外框内的各条路径同时进行。"
            ),
            (
                "Read from left to right. A box is a state, a small box an event: who does what; "
                "“if” says when it applies, “needs” what "
                "it demands, else the request is refused. Events inside a state leave it as it "
                "is. A double line closes the dispute; "
                "regions in a dashed frame run side by side."
            ),
        ),
        "time": (
            (
                "除届满事件外，每个事件都须在所在状态的时限内发生；届满事件在时限届满后方可生效。"
                "恰在截止时刻操作，视为按时。"
            ),
            (
                "Every event but an expiry has to come within the running deadline of its state; "
                "an expiry is accepted only after it. "
                "At the due instant is in time."
            ),
        ),
        "may_change": (
            "已结束的状态列有时限的，时限届满前仍可能变更。",
            "A closed state that shows a deadline may still change until it has passed.",
        ),
    }
)

LEGEND = Messages(
    {
        "good-end": ("双线框：已结束，未判责", "double line: closed without a penalty"),
        "bad-end": ("双线框：已结束，已判责", "double line: closed with a penalty"),
        "outcome": (
            "圆角框：结果，同一结果只有一条线通向结束",
            "pill: an outcome; one line leads on from it",
        ),
        "weight-0": ("1–9 次", "1–9 times"),
        "weight-1": ("10–99 次", "10–99 times"),
        "weight-2": ("100–999 次", "100–999 times"),
        "weight-3": ("1000 次及以上", "1000 times or more"),
        "parallel": ("虚线外框：其中各路径同时进行", "dashed frame: its regions run side by side"),
        "lit": ("粗线：已走过", "thick: taken"),
        "faded": ("淡色：未走到", "pale: not taken"),
        "added": ("＋ 新增", "+ added"),
        "removed": ("－ 移除", "− removed"),
        "changed": ("～ 改动", "~ changed"),
        "missed": ("点线：从未发生", "dotted: never"),
        "inactive": ("淡色虚线：当前参数下不适用", "pale and dashed: not under this policy"),
    }
)
"""What the legend below a picture explains."""

DECISIONS = Messages(
    {
        "title": ("决策表 · 规则 {}", "Decision tables · rules {}"),
        "read": (
            (
                "每个状态一张表。先看事件（及所选方案）与“适用条件”：至多一行适用；"
                "再看“必须满足”：有一项不满足即被拒绝，不满足的各项连同括号中的代码一并返回。"
            ),
            (
                "One table for each state. First the event, with the option that is chosen, and "
                "“if”: at most one row applies. "
                "Then “needs”: where any of it is unmet the "
                "request is refused, and every unmet item comes back with the code in brackets."
            ),
        ),
        "time": (
            (
                "状态有时限的，除届满事件外，每一行都要求时限未过（恰在截止时刻操作，视为按时）；"
                "逾期的后果见“否则”一行。"
            ),
            (
                "Where a state has a deadline, every row but an expiry demands that it has not "
                "passed (at the due instant is in time); "
                "what being late means stands under “otherwise”."
            ),
        ),
        "regions": (
            "同时进行的两条路径：事件在任一路径适用即生效；“其他事件”仅就该路径而言。",
            (
                "Of regions that run side by side: an event counts where either offers it; “any "
                "other event” speaks of the region alone."
            ),
        ),
        "table": ("{}（{}）", "{} ({})"),
        "within": ("包含 {}", "covers {}"),
        "before": ("发起纠纷之前", "before the dispute"),
        "event": ("事件", "event"),
        "who": ("由谁", "by"),
        "when": ("适用条件", "if"),
        "needs": ("必须满足（否则拒绝）", "needs (else refused with)"),
        "to": ("下一状态", "leads to"),
        "outcome": ("结果", "outcome"),
        "clocks": ("时限", "deadlines"),
        "source": ("依据", "source"),
        "otherwise": ("否则", "otherwise"),
        "others": ("其他事件", "any other event"),
        "someone": ("由他人操作：{}", "by anybody else: {}"),
        "refused": ("否则：{}", "else: {}"),
        "in": ("在“{}”状态：{}", "in {}: {}"),
        "nothing": ("以上均不适用：{}", "where no row applies: {}"),
        "unchanged": ("无变化，不视为错误", "nothing changes, no error"),
        "not_offered": ("本规则版本没有的方案：{}", "an option of another rule version: {}"),
        "if_chosen": (
            "若已选择方案，{}；若尚未选择，{}",
            "where one was chosen, {}; where none was, {}",
        ),
        "if_accepted": (
            "若此前已受理过，{}；若此前未受理，{}",
            "where it was accepted before, {}; where it was not, {}",
        ),
        "if_waiting": (
            "若当前无时限，{}；若时限仍在计时，{}",
            "where no deadline runs, {}; where one runs, {}",
        ),
        "nothing_leads_out": ("无后续操作", "nothing leads out"),
    }
)

OPTIONS = Messages(
    {
        "title": ("商家可选方案 · 规则 {}", "The merchant's responses · rules {}"),
        "once": (
            (
                "每起纠纷只能选择一个方案，选择后不可更改。条件不满足时，系统拒绝该选择，"
                "并逐项说明缺少的内容。"
            ),
            (
                "Exactly one response is given for each dispute, and it cannot be taken back. "
                "Where what it takes is missing, choosing it "
                "is refused, and every missing item is named."
            ),
        ),
        "facts": ("订单系统须显示", "the order system has to show"),
        "payload": ("商家须提交", "the merchant has to hand in"),
        "refusals": ("不满足时的提示", "what a refusal says"),
        "leads": ("选择之后", "what it leads to"),
        "clocks": ("随即开始计时", "deadlines that begin"),
        "then": ("后续可能", "what may come then"),
        "ends": ("可能的结果", "how it may end"),
        "nothing": ("无", "nothing"),
        "link": ("附链接“{}”", "with the link {}"),
        "leads_to": ("{trigger}{when} → {state}", "{trigger}{when} → {state}"),
        "given": (" [{}]", " ({})"),
        "as": ("{state}：{outcome}", "{state}: {outcome}"),
        "settled": ("{state}（{outcome}）", "{state} ({outcome})"),
        "ends_by": (
            "{event} ({name}) → {state}：{outcome}",
            "{event} ({name}) → {state}: {outcome}",
        ),
        "item": ("- {}", "- {}"),
    }
)

EVIDENCE = Messages(
    {
        "reasons": ("举证理由与所需凭证", "Evidence reasons and the vouchers that each asks for"),
        "reason": ("举证理由", "reason"),
        "vouchers": ("所需凭证（至少几份）", "vouchers (at least how many)"),
        "not_accepted": ("不接受的凭证", "not accepted"),
        "statement": ("情况说明", "statement"),
        "prompt": ("{kind} × {count}：{shows}", "{kind} × {count}: {shows}"),
        "none": ("无", "none"),
        "required": ("必填", "required"),
        "optional": ("选填", "optional"),
        "catalogue": (
            "公告未列出举证理由；目录由规则参数 evidence_reasons 设定。其他类型的凭证也可上传。",
            (
                "The announcement lists no reasons; the catalogue is the policy's "
                "evidence_reasons. Vouchers of other kinds are welcome, too."
            ),
        ),
        "refused": ("不满足时：{}。依据：{}。", "Else refused: {}. Source: {}."),
        "limits": ("凭证与情况说明的限制", "Limits for vouchers and the statement"),
        "limit": ("限制", "limit"),
        "at_most": ("要求", "allowed"),
        "refusal": ("不满足时", "else refused with"),
        "source": ("依据", "source"),
        "media_types": ("凭证文件格式", "file formats"),
        "max_bytes": ("单个凭证文件，最大", "a voucher's file, at most"),
        "together": ("全部凭证文件合计，最大", "all files together, at most"),
        "max_count": ("凭证数量，最多", "vouchers, at most"),
        "max_statement": ("情况说明，最长", "the statement, at most"),
        "characters": ("{} 字", "{} characters"),
    }
)

CHANGES = Messages(
    {
        "changed": ("原为 {was}，现为 {now}", "was {was}, is {now}"),
        "was_is": ("{what}：原为 {was}，现为 {now}", "{what}: was {was}, is {now}"),
        "more": ("{what}：新增 {now}", "{what}: now also {now}"),
        "less": ("{what}：不再有 {was}", "{what}: no longer {was}"),
        "reachable": (
            "新参数下适用，旧参数下不适用",
            "happens under the new policy, not under the old one",
        ),
        "unreachable": (
            "旧参数下适用，新参数下不适用",
            "happened under the old policy, not under the new one",
        ),
        "source": ("起始状态", "from"),
        "target": ("下一状态", "to"),
        "by": ("由谁", "by"),
        "when": ("适用条件", "if"),
        "needs": ("必须满足", "needs"),
        "timing": ("时限要求", "timing"),
        "endings": ("结果", "outcome"),
        "starts": ("开始计时", "starts"),
        "ends": ("停止计时", "stops"),
        "origin": ("依据", "source"),
        "label": ("名称", "label"),
        "parent": ("所属", "within"),
        "deadlines": ("时限", "deadlines"),
        "running": ("届满时处理", "acts on"),
        "codes": ("拒绝代码", "codes"),
        "answers": ("取值", "answers"),
        "kind": ("种类", "kind"),
        "nothing": ("无", "nothing"),
        "leaf": ("单一状态", "leaf"),
        "compound": ("复合状态", "compound"),
        "parallel": ("并行状态", "parallel"),
    }
)

KINDS = Messages(
    {
        "state": ("状态", "state"),
        "transition": ("流程", "transition"),
        "condition": ("条件", "guard"),
        "question": ("分支条件", "question"),
        "label": ("用词", "label"),
        "policy": ("规则参数", "policy"),
    }
)
"""The kinds of what can differ."""

DIFF = Messages(
    {
        "title": ("{before} → {after} 的差异", "From {before} to {after}"),
        "read": (
            "“＋”新增（粗线），“－”移除（虚线），“～”改动（粗线）；未标记的部分两者相同。",
            (
                "“+” added (thick), “−” removed (dashed), “~” changed (thick); what bears no mark "
                "is the same on both sides."
            ),
        ),
        "read_replaced": (
            "大部分流程已更换，图中左右对照两者的状态与方案，流程见下表；未标记的部分两者相同。",
            (
                "Most transitions differ, so the picture has the states and options of both "
                "beside each other; transitions are in the table. What bears no mark is the same."
            ),
        ),
        "picture": ("新旧对照", "Before and after"),
        "before": ("改前：{}", "before: {}"),
        "after": ("改后：{}", "after: {}"),
        "change": ("{rules}：{change}。原因：{why}。", "{rules}: {change}. Why: {why}."),
        "none": ("两者没有差异。", "The two do not differ."),
        "value": ("{what}：{says}。", "{what}: {says}."),
        "options_added": ("新增方案：{}。", "New options: {}."),
        "options_removed": ("不再有方案：{}。", "No longer an option: {}."),
        "states_added": ("新增状态：{}。", "New states: {}."),
        "states_removed": ("移除状态：{}。", "States removed: {}."),
        "count_added": ("新增 {} 项", "{} added"),
        "count_removed": ("移除 {} 项", "{} removed"),
        "count_changed": ("改动 {} 项", "{} changed"),
        "rest": ("另有 {} 项改动，见下表。", "{} more changes are in the table below."),
        "items": ("{} 项", "{} of them"),
        "reworded": (
            "另有 {} 项只改了措辞、依据或选择条件的名称，未逐项列出。",
            "{} more differ only in words, sources or names of selectors, and are not listed.",
        ),
        "changes": ("差异一览", "What differs"),
        "mark": ("变化", "change"),
        "kind": ("种类", "kind"),
        "which": ("对象", "which"),
        "what": ("内容", "what about it"),
        "source": ("依据", "source"),
        "added": ("＋ 新增", "+ added"),
        "removed": ("－ 移除", "− removed"),
        "changed": ("～ 改动", "~ changed"),
    }
)

HISTORY = Messages(
    {
        "title": (
            "纠纷 {dispute} 的处理经过 · 规则 {rules}",
            "Dispute {dispute} · rules {rules}",
        ),
        "who": (
            "订单 {order} · 商家 {merchant} · 消费者 {consumer}",
            "order {order} · merchant {merchant} · consumer {consumer}",
        ),
        "read": (
            (
                "走过的流程标有步骤编号，未走到的部分淡化显示。步骤编号即事件序号；"
                "被拒绝的请求不改变状态，只列在下表中。"
            ),
            (
                "Transitions that were taken show their step numbers, the rest is faded. The "
                "number of a step is that of its event. A refused request changes nothing and "
                "is listed in the table only."
            ),
        ),
        "steps": ("第 {} 步", "step {}"),
        "here": ("目前在此", "here now"),
        "ended": ("在此结束", "ended here"),
        "timeline": ("时限与实际进展", "Deadlines and what happened"),
        "zone": ("时间均为 {}", "all times are in {}"),
        "table": ("逐步记录", "Every step"),
        "number": ("#", "#"),
        "when": ("时间", "when"),
        "what": ("事件", "what happened"),
        "details": ("处理经过与核查结果", "details and check results"),
        "source": ("依据", "source"),
        "order": ("订单系统：{}", "order system: {}"),
        "paid": ("付款", "paid"),
        "cancel": ("申请取消", "cancel request"),
        "refund": ("退款完成", "refunded"),
        "partial_refund": ("部分退款完成", "partially refunded"),
        "shipped": ("发货", "shipped"),
        "scanned": ("揽件", "picked up"),
        "record": ("物流记录（非揽件）", "carrier record, not a pickup"),
        "moved": ("由 {was} 延至 {due}", "moved from {was} to {due}"),
        "due": ("截止 {due}", "due {due}"),
        "in_time": ("截止 {due}，{ended}", "due {due}, {ended}"),
        "overdue": ("截止 {due}，届满 {late}后系统处理", "due {due}, processed {late} later"),
        "open": ("截止 {due}，仍在计时", "due {due}, still running"),
        "agreed": ("约定的发货时间", "agreed instant"),
        "agreed_at": ("{}，发货与揽件均不得晚于此时", "{}; shipped and scanned by then"),
    }
)

COVERAGE = Messages(
    {
        "title": ("历史覆盖情况 · 规则 {}", "Coverage of histories · rules {}"),
        "numbers": (
            (
                "{disputes} 起纠纷，{events} 个事件：流程 {transitions}/{all_transitions}，"
                "条件结果 {answers}/{all_answers}。"
            ),
            (
                "{disputes} disputes, {events} events: {transitions} of {all_transitions} "
                "transitions, {answers} of {all_answers} guard outcomes."
            ),
        ),
        "read": (
            (
                "每条流程标有发生次数，线越粗次数越多"
                "（1 至 9 次、10 至 99 次、100 至 999 次、1000 次以上）；"
                "从未发生的以点线框和“从未发生”标出，在表中列在最前。"
            ),
            (
                "Each transition shows how often it was taken; a thicker line was taken more often "
                "(1 to 9, 10 to 99, 100 to 999, 1000 times or more). One that never was has a "
                "dotted border, says “never”, and comes first in the table."
            ),
        ),
        "times": ("{} 次", "{} times"),
        "once": ("1 次", "once"),
        "never": ("从未发生", "never"),
        "edges": ("流程", "Transitions"),
        "answers": ("条件的各种结果", "Guard outcomes"),
        "transition": ("流程", "transition"),
        "from": ("起始状态", "from"),
        "to": ("下一状态", "to"),
        "source": ("依据", "source"),
        "question": ("条件", "guard"),
        "answer": ("结果", "outcome"),
        "count": ("次数", "count"),
    }
)

LETTER = Messages(
    {
        "closed": ("纠纷处理结果说明", "How your dispute was decided"),
        "live": ("纠纷处理进展说明", "How your dispute stands"),
        "who": (
            "纠纷 {dispute} · 订单 {order} · 商家 {merchant} · 截至 {at}",
            "dispute {dispute} · order {order} · merchant {merchant} · as of {at}",
        ),
        "conclusion": ("结论", "Conclusion"),
        "seen": ("处理经过：何时看到了什么", "What was seen, and when"),
        "order": ("当时的订单数据：{facts}", "The order then: {facts}"),
        "said": ("{label}：{text}", "{label}: {text}"),
        "announcement": (
            "所称公告：《{title}》，{date}；所引均为转述。",
            "The announcement is 《{title}》 of {date}; its rules are paraphrased here.",
        ),
        "otherwise": ("怎样会有不同的结果", "What would have changed it"),
        "more": (
            "另有 {count} 种可能，见平台的纠纷页面。",
            "The platform's page on the dispute has {count} more.",
        ),
        "possible": (
            "还能做什么，如何申请复核",
            "What can still be done, and how to have it reviewed",
        ),
    }
)
"""The texts of the letter to a merchant."""

REPORT = Messages(
    {
        "state": ("状态", "State"),
        "outcome": ("结果", "Outcome"),
        "open": ("尚未结束", "still open"),
        "may_change": ("{}（仍可能变更）", "{} (may still change)"),
        "integrity": ("记录完整性", "Integrity"),
        "valid": (
            "完整：{count} 个事件的哈希链与流程均有效",
            "hashes and transitions of {count} events are valid",
        ),
        "invalid": ("不完整：{error}", "invalid: {error}"),
        "before": (
            "以下仅为出错之前的 {count} 个事件",
            "only the {count} events before the error are shown",
        ),
        "decisions": ("判定复核", "Decisions"),
        "reproduced": ("与记录一致", "reproduced as recorded"),
        "different": (
            "有 {count} 处与记录不同：事件 {seqs}",
            "{count} decisions differ from the record: events {seqs}",
        ),
        "undetermined": (
            "有 {count} 步因原文已清除等原因无法复核",
            "{count} decisions cannot be reproduced: personal data or facts are missing",
        ),
        "path": ("处理路径与其他可能", "The way taken, and the alternatives"),
        "steps": ("处理经过与核查结果", "Every step"),
        "checks": ("全部核查结果（{count}）", "all checks ({count})"),
        "source": ("依据", "source"),
        "hover": (
            "点选某一步，图中高亮对应路径；屏幕较窄时，图可左右滑动。",
            "Point at a step to highlight its transition; a wide map can be scrolled sideways.",
        ),
        "technical": ("技术信息", "technical information"),
        "hash": ("哈希 {hash}", "hash {hash}"),
        "made": (
            "由 dispute-fsm {version} 生成；规则参数 {policy}",
            "made by dispute-fsm {version}; policy {policy}",
        ),
    }
)

DRIFT = Messages(
    {
        "missing": ("缺少这个文件", "this file is missing"),
        "unreadable": ("这个文件无法读取", "this file cannot be read"),
        "line": (
            "规则相同，但第 {number} 行不同：现为 {was!r}，应为 {now!r}",
            "the rules are the same, but line {number} differs: is {was!r}, should be {now!r}",
        ),
    }
)
"""What `dispute-fsm diagram --check` says of a file."""
