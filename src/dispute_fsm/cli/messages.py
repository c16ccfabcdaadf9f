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
        "bar": ("运行中", "running"),
        "scenario": ("{end} · {title}", "{end} · {title}"),
        "failure": ("{file}:{line}: {where}", "{file}:{line}: {where}"),
        "step": ("第 {} 步", "step {}"),
        "end": ("结束时", "at the end"),
        "expected": ("预期", "expected"),
        "found": ("实际", "found"),
        "summary": ("{passed} 个通过，{failed} 个未通过", "{passed} passed, {failed} failed"),
        "duration": ("用时 {seconds:.1f} 秒", "took {seconds:.1f} s"),
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
            "记录完整，哈希与流程均有效：{count}",
            "integrity: hashes and transitions valid: {count}",
        ),
        "reproduced": ("按原规则复核，判定一致：{count}", "decisions reproduced: {count}"),
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
        "class": ("过程中的差异", "difference on the way"),
        "not_opened": ("不予受理", "not opened"),
        "undetermined": ("无法确定", "undetermined"),
        "missing": ("无法确定（#{seq}：{missing}）", "undetermined (#{seq}: {missing})"),
        "step": ("#{seq}  {command}：{drift}", "#{seq}  {command}: {drift}"),
        "before": ("#{seq} 之前  {command}：{drift}", "before #{seq}  {command}: {drift}"),
        "moved": ("{deadline} {change}", "{deadline} {change}"),
        "guard": ("{guard}：{change}", "{guard}: {change}"),
        "not_asked": ("未核查", "not asked"),
        "more": (
            "另有 {count} 个未列出；--json 可查看全部",
            "{count} more are not shown; --json has them all",
        ),
        "same_end": (
            "{disputes}结果相同，仅过程有差异，未列出；--json 可查看全部",
            "{disputes} would end the same and only differ on the way; --json has them all",
        ),
        "bar": ("复核中", "replaying"),
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

DB = Messages(
    {
        "event": ("，事件 {seq}", ", event {seq}"),
        "checked": (
            "{disputes} 起纠纷，{events} 个事件，{damaged} 处损坏",
            "{disputes} disputes, {events} events, {damaged} damages",
        ),
        "imported": ("{path}：新增 {count} 个事件", "{path}: {count} new event{s}"),
    }
)

SWEEP = Messages(
    {
        "summary": (
            "已处理届满 {fired} 个，待处理 {pending} 个，失败 {failed} 个",
            "fired {fired}, pending {pending}, failed {failed}",
        ),
    }
)

VERIFY = Messages(
    {
        "bar": ("验证中", "verifying"),
        "rules": ("规则 {rules}", "rules {rules}"),
        "explored": ("状态空间", "state space"),
        "explored_counts": (
            "{policies} 组规则参数，{states} 个状态，{situations} 种情形",
            "{policies} policies, {states} states, {situations} situations",
        ),
        "decided": ("请求", "questions"),
        "decided_counts": (
            (
                "{questions} 个：接受 {accepted}，拒绝 {refused}，无变化 {unchanged}，"
                "因缺少订单数据未判定 {unknown}"
            ),
            (
                "{questions}: {accepted} accepted, {refused} refused, {unchanged} unchanged, "
                "{unknown} undecided for lack of facts"
            ),
        ),
        "waiting": ("仍在等待", "waiting"),
        "waiting_counts": (
            (
                "各方沉默时，{waiting_for_platform} 种情形等待平台，"
                "{deadline_switched_off} 种因规则参数停用了时限"
            ),
            (
                "while nobody acts, {waiting_for_platform} situations wait for the platform, "
                "{deadline_switched_off} because the policy has switched a deadline off"
            ),
        ),
        "shortest": ("{wrong}；最短反例：", "{wrong}; shortest counter-example:"),
    }
)
