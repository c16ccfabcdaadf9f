"""The tables of the rules in Chinese, as Markdown: labels first, ids beside them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from dispute_fsm import DEFAULT_POLICY
from dispute_fsm.domain.deadlines import term_of
from dispute_fsm.domain.enums import (
    LIABILITIES,
    CommandType,
    Deadline,
    Labelled,
    RefusalCode,
    StateName,
)
from dispute_fsm.domain.policy import Bilingual, EvidenceReason
from dispute_fsm.machine.guard import Guard, Source
from dispute_fsm.machine.transition_table import AS_BEFORE, Configuration, Rule, Transition
from dispute_fsm.rules.guards.evidence import VOUCHER_LIMITS
from dispute_fsm.rules.registry import RuleVersion
from tools.rules_tables import (
    all_sources,
    all_transitions,
    anchor,
    by_state,
    cited_in,
    code,
    entered,
    required,
    table,
)

_NONE = "–"

# ---- cells ---------------------------------------------------------------------------------------


def named(word: Labelled) -> str:
    """Write a word of the rules with its id."""
    return f"{word.zh} {code(word)}"


def listed(texts: Iterable[str]) -> str:
    """Write a list, a dash for none."""
    return "；".join(texts) or _NONE


def origin(source: Source) -> str:
    """Write the id of a source, with a link to it, and what it says."""
    return f"[{source.id}](sources.md#{source.id.lower()}) {source.zh}"


def _needs(needs: Sequence[Guard], timing: Sequence[Guard] = ()) -> str:
    """Write the requirements, without being in time; the limits of vouchers have one name."""
    shown = [guard.zh for guard in timing if not guard.name.endswith("in_time")]
    limited = set(VOUCHER_LIMITS) <= set(needs)
    shown += [guard.zh for guard in needs if not (limited and guard in VOUCHER_LIMITS)]
    return listed([*shown, *(["凭证大小、格式与数量均符合要求"] if limited else [])])


def _outcome(rule: Rule) -> str:
    if isinstance(rule.outcome, Mapping):
        return listed(f"{end.zh}（{option.zh}）" for option, end in rule.outcome.items())
    if rule.liability is not None:
        return f"该路径未成立，责任：{rule.liability.zh}"
    if rule.outcome is AS_BEFORE:
        return "结果不变"
    return _NONE if rule.outcome is None else rule.outcome.zh


def _clocks(starts: Iterable[Deadline], ends: Iterable[Deadline]) -> str:
    return listed(chain((f"开始：{one.zh}" for one in starts), (f"结束：{one.zh}" for one in ends)))


# ---- the tables ----------------------------------------------------------------------------------


def options(version: RuleVersion) -> str:
    """Write the responses."""
    return table(("方案", "编号"), ((option.zh, code(option)) for option in version.options))


def states(version: RuleVersion) -> str:
    """Write the configurations, and in each the possible deadlines and those that expire."""
    heads = ("状态", "编号", "可能进行的时限", "届满后由系统处理")
    return table(heads, map(_configuration, version.table.configurations.values()))


def _configuration(configuration: Configuration) -> tuple[str, ...]:
    return (
        "＋".join(state.zh for state in configuration.states),
        "<br>".join(code(path) for path in configuration.path.split(",")),
        listed(deadline.zh for deadline in configuration.deadlines),
        listed(deadline.zh for deadline in chain(*configuration.running)),
    )


def outcomes(version: RuleVersion) -> str:
    """Write how a dispute can end, the liabilities last."""
    ends = sorted(version.outcomes, key=lambda end: end in LIABILITIES)
    closed = (StateName.RESOLVED, StateName.PENALIZED)
    return table(
        ("结果", "编号", "最终状态"),
        ((end.zh, code(end), closed[end in LIABILITIES].zh) for end in ends),
    )


def transitions(version: RuleVersion) -> str:
    """Write the transition table, one section per state, in the order of the chart."""
    heads = ("事件", "由谁操作", "适用条件", "必须满足", "下一状态", "结果", "时限", "依据")
    entry, configurations = version.table.entry, version.table.configurations
    opening = (
        named(CommandType.OPEN_DISPUTE),
        "、".join(role.zh for role in entry.by.roles),
        _NONE,
        _needs(entry.needs),
        "＋".join(state.zh for state in configurations[version.table.initial].states),
        _NONE,
        _clocks(entry.starts, ()),
        origin(entry.origin),
    )
    sections = [f"### 发起之前\n\n{table(heads, [opening])}"]
    for state, found in by_state(version):
        rows = [_transition(version, transition) for transition in found]
        body = table(heads, rows) if rows else "无后续操作。\n"
        sections.append(f"### {named(state)}\n\n{body}")
    return "\n".join(["", *sections, ""])


def _transition(version: RuleVersion, transition: Transition) -> tuple[str, ...]:
    rule, stays = transition.rule, transition.target == transition.source
    return (
        named(transition.event),
        "、".join(role.zh for role in rule.by.roles),
        listed(selector.zh for selector in rule.when),
        _needs(rule.needs, rule.timing),
        "不变" if stays else entered(version, transition).zh,
        _outcome(rule),
        _clocks(rule.starts, rule.ends),
        origin(rule.origin),
    )


def requirements(version: RuleVersion) -> str:
    """Write every guard that may refuse, in the order of the chart."""
    return table(
        ("要求", "编号", "不满足时的提示", "依据"),
        (
            (
                guard.zh,
                code(guard.name),
                listed(f"{RefusalCode(one).zh} {code(one)}" for one in guard.codes),
                origin(guard.source),
            )
            for guard in required(version)
        ),
    )


def deadlines(version: RuleVersion) -> str:
    """Write the deadlines: their defaults, what starts them, and what follows when they pass."""
    heads = ("时限", "编号", "默认", "何时开始计时", "届满之后")
    return table(heads, (_deadline(version, deadline) for deadline in version.deadlines))


def _deadline(version: RuleVersion, deadline: Deadline) -> tuple[str, ...]:
    term = term_of(deadline, version.policy(DEFAULT_POLICY))
    if deadline is Deadline.PROMISE:
        grace = DEFAULT_POLICY.scan_grace.total_seconds() / 3_600
        default = f"约定时间后 {grace:g} 小时"
    elif term is None:
        default = "关闭"
    elif term.hours is not None:
        default = f"{term.hours} 小时"
    else:
        default = f"{term.working_hours} 个工作小时"
    opening = [CommandType.OPEN_DISPUTE] if deadline in version.table.entry.starts else []
    starts = dict.fromkeys(
        transition.event
        for transition in all_transitions(version)
        if deadline in transition.rule.starts
        and transition.event is not CommandType.EXTEND_DEADLINE
    )
    ends = dict.fromkeys(
        _end(version, transition)
        for transition in all_transitions(version)
        if transition.event is deadline.expiry
    )
    started = listed(event.zh for event in dict.fromkeys([*opening, *starts]))
    return deadline.zh, code(deadline), default, started, listed(ends)


def _end(version: RuleVersion, transition: Transition) -> str:
    outcome = transition.rule.outcome
    if isinstance(outcome, Mapping):
        return listed(end.zh for end in outcome.values())
    if outcome is AS_BEFORE:
        return "结果不变"
    return (outcome or entered(version, transition)).zh


def reasons() -> str:
    """Write the evidence catalogue of the default policy."""
    return table(
        ("举证理由", "编号", "所需凭证（至少几份）", "不接受的凭证", "情况说明"),
        (_reason(name, reason) for name, reason in DEFAULT_POLICY.evidence_reasons.items()),
    )


def _reason(name: str, reason: EvidenceReason) -> tuple[str, ...]:
    prompts = (
        f"{prompt.kind.zh} × {prompt.at_least}："
        f"{prompt.shows.zh if isinstance(prompt.shows, Bilingual) else prompt.shows}"
        for prompt in reason.prompts
    )
    return (
        reason.label.zh,
        code(name),
        "<br>".join(prompts),
        listed(kind.zh for kind in reason.not_accepted),
        "必填" if reason.statement else "不需要",
    )


def refusals() -> str:
    """Write every refusal code."""
    return table(("代码", "提示"), ((code(name), name.zh) for name in RefusalCode))


def stated() -> str:
    """Write what the announcement states: place, deciding words, and paraphrases."""
    return table(
        ("编号", "出处", "公告原文", "转述", "适用的规则版本"),
        (
            (anchor(source), source.locator, f"“{source.quote}”", source.zh, cited_in(source))
            for source in all_sources().values()
            if source.kind == "S"
        ),
    )


def assumed() -> str:
    """Write what is assumed, why, and what changes it."""
    return table(
        ("编号", "约定", "原因", "如何调整", "适用的规则版本"),
        (
            (
                anchor(source),
                source.zh,
                source.because[0],
                f"规则参数 {'、'.join(map(code, source.policy))}"
                if source.policy
                else "修改状态图",
                cited_in(source),
            )
            for source in all_sources().values()
            if source.kind == "A"
        ),
    )


OF_A_VERSION = (options, states, transitions, requirements, deadlines)
"""The tables of one rule version, beside the outcomes."""
OF_ALL = (reasons, refusals, stated, assumed)
"""The tables that all versions share."""
