"""The texts of the command line in both languages, one table per command."""

from dispute_fsm.domain.messages import Messages

OUTPUT = Messages(
    {
        "file": ("已写入 {to}（{size}）", "wrote {to} ({size})"),
        "files": (
            "已在 {to} 中写入 {count} 个文件（{size}）",
            "wrote {count} files in {to} ({size})",
        ),
    }
)

RUN = Messages(
    {
        "scenario": ("场景", "scenario"),
        "state": ("结束状态", "ends in"),
        "outcome": ("结果", "outcome"),
        "events": ("事件数", "events"),
        "failure": (
            "{file}:{line}: {where}：预期 {expected}，实际 {found}",
            "{file}:{line}: {where}: expected {expected}; found {found}",
        ),
        "step": ("第 {} 步", "step {}"),
        "end": ("结束时", "at the end"),
        "summary": (
            "{passed} 个通过，{failed} 个未通过，用时 {seconds:.1f} 秒",
            "{passed} passed, {failed} failed in {seconds:.1f} s",
        ),
    }
)

OPTIONS = Messages(
    {
        "head": ("纠纷 {id} · {state} · {at}", "dispute {id} · {state} · {at}"),
        "facts": ("订单数据截至 {at}", "order data as of {at}"),
        "order": ("订单", "order"),
        "learned": (
            "当时已发生、但之后才查到（未计入）：",
            "had happened by then, but was seen only later (not counted):",
        ),
        "open": ("可选", "open"),
        "closed": ("不可选", "closed"),
        "unknown": ("暂时无法判断（未取得订单数据）", "unknown (the order system cannot answer)"),
        "why": ("原因", "why"),
        "unlock": ("解决办法", "unlock"),
        "needs": ("需提供", "needs"),
        "then": ("选择后", "then"),
        "note": ("注意", "note"),
        "shorter": (
            "现在距{deadline}截止还有 {left}；选择后须在 {term}内（截止 {due}）{act}",
            "{left} are left to choose now; after the choice {term} to {act}, until {due}",
        ),
        "limited": (
            "现在选择不限时间；选择后须在 {term}内（截止 {due}）{act}",
            "there is no limit for the choice; after it {term} to {act}, until {due}",
        ),
        "hours": ("{hours} 小时", "{hours} h"),
        "working_hours": ("{hours} 个工作小时", "{hours} h of working time"),
        "settles": ("纠纷随即结束：{outcome}", "settles at once: {outcome}"),
        "until": ("{deadline}：{due}", "{deadline}: {due}"),
        "promise": (
            "{deadline}：约定时间之后再等 {grace}，等待揽件信息同步；最晚 {latest}",
            (
                "{deadline}: the agreed instant, and {grace} more for the scan to reach us; "
                "{latest} at the latest"
            ),
        ),
        "unlimited": ("不限", "without limit"),
        "reasons": (
            "共 {count} 种举证理由，所需凭证各不相同",
            "{count} reasons for evidence, each with its own required vouchers",
        ),
        "ends": ("{state}（{outcome}）", "{state} ({outcome})"),
        "final": ("方案一经选择，不可更改。", "A choice cannot be taken back."),
    }
)

REPLAY = Messages(
    {
        "disputes": ("{count} 起纠纷", "{count} dispute{s}"),
        "events": ("{count} 个事件", "{count} event{s}"),
        "differences": ("{count} 处差异", "{count} difference{s}"),
        "read": ("{disputes}，{events}", "{disputes}, {events}"),
        "integrity": (
            "{mark} 记录完整，哈希与流程均有效：{count}",
            "{mark} integrity: hashes and transitions valid: {count}",
        ),
        "reproduced": (
            "{mark} 按原规则复核，判定一致：{count}",
            "{mark} decisions reproduced: {count}",
        ),
        "erased": (
            "{disputes}中有步骤因原文已清除而无法复核",
            "in {disputes} a step cannot be decided again, because personal data was erased",
        ),
        "approved": (
            "已批准：{disputes}中的 {differences}",
            "approved: {differences} in {disputes}",
        ),
        "what_if": (
            "按新规则（参数）重新推演：相同 {same}，不同 {different}，无法确定 {undetermined}",
            "would end: the same {same}, different {different}, undetermined {undetermined}",
        ),
        "then": ("原结果", "ended"),
        "now": ("推演结果", "would end"),
        "count": ("纠纷数", "disputes"),
        "class": ("差异类别", "class of difference"),
        "not_opened": ("不予受理", "not opened"),
        "undetermined": ("无法确定", "undetermined"),
        "step": ("第 {seq} 步 {command}：{drift}", "step {seq} {command}: {drift}"),
        "changed": ("  {member}：{recorded} → {now}", "  {member}: {recorded} → {now}"),
        "guard": ("  条件 {guard}：原 {then}；现 {now}", "  guard {guard}: then {then}, now {now}"),
        "not_asked": ("未核查", "not asked"),
        "more": (
            "另有 {count} 个未列出；--json 可查看全部",
            "{count} more are not shown; --json has them all",
        ),
    }
)

SHOW = Messages(
    {
        "head": (
            "纠纷 {dispute} · 订单 {order} · 商家 {merchant} · 消费者 {consumer} · 规则 {rules}",
            (
                "dispute {dispute} · order {order} · merchant {merchant} · consumer {consumer} · "
                "rules {rules}"
            ),
        ),
        "state": (
            "截至 {at}，事件 {seq} 之后（版本序号 {revision}）",
            "state at {at}, after event {seq} (revision {revision})",
        ),
    }
)

DIAGRAM = Messages(
    {
        "same": ("{folder} 与规则一致", "{folder}/ is up to date"),
        "drifted": (
            "{count} 个文件与规则不一致：请运行 dispute-fsm diagram all 重新绘制",
            "{count} files differ from the rules: redraw them with dispute-fsm diagram all",
        ),
    }
)

ROLLOUT = Messages(
    {
        "merchant": ("商家", "merchant"),
        "reason": ("原因", "why"),
        "bucket": ("灰度分组", "bucket"),
        "newer": ("适用 {newer} 的时间", "gets {newer}"),
        "at": ("{at} 时", "at {at}"),
        "always": ("始终", "always"),
        "never": ("从不（适用 {older}）", "never (gets {older})"),
        "since": ("自 {since}", "from {since}"),
        "span": ("{since} 至 {until}", "from {since} until {until}"),
        "step": (
            "{at} 起 {percentage}%：{newer} {n} 个商家，{older} {m} 个",
            "{percentage} % from {at}: {n} of {all} merchants get {newer}, {m} get {older}",
        ),
    }
)

VERIFY = Messages(
    {
        "counts": (
            (
                "规则 {rules}：{policies} 组规则参数，{states} 个状态，{situations} 种情形，"
                "{questions} 个请求：接受 {accepted}，拒绝 {refused}，无变化 {unchanged}，"
                "因缺少订单数据未判定 {unknown}"
            ),
            (
                "rules {rules}: {policies} policies, {states} states, {situations} situations, "
                "{questions} questions: {accepted} accepted, {refused} refused, "
                "{unchanged} unchanged, {unknown} undecided for lack of facts"
            ),
        ),
        "waiting": (
            (
                "各方沉默时仍会等待的情形：等待平台 {waiting_for_platform}，"
                "时限因规则参数停用 {deadline_switched_off}"
            ),
            (
                "situations that keep waiting while nobody acts: {waiting_for_platform} for the "
                "platform, {deadline_switched_off} because the policy has switched a deadline off"
            ),
        ),
        "shortest": ("{wrong}; 最短反例：", "{wrong}; shortest counter-example:"),
    }
)
