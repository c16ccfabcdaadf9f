"""The texts of verification: what each property requires, and what a violation shows."""

from collections.abc import Mapping

from dispute_fsm.domain.messages import Message
from dispute_fsm.domain.scalars import FrozenMap

SENTENCES: Mapping[str, Message] = FrozenMap(
    {
        "one_answer": Message(
            "每个请求恰有一个结论：不会无规则可依，也不会有两条规则同时适用",
            "every command has exactly one result: no gap, no overlap",
        ),
        "silence_closes": Message(
            "即使各方都不再行动，纠纷也会结束（时限因规则参数停用、等待平台判责的除外）",
            "every dispute closes even if all parties stay silent, unless a deadline is switched "
            "off or the platform has to act",
        ),
        "closed_stays_closed": Message(
            "已结束的纠纷，其结果只因撤销判责或规则版本允许的一次复核而改变",
            "nothing but an annulment, or one review where the version has it, changes a dispute "
            "after its end",
        ),
        "one_response": Message(
            "商家只能响应一次，且不可更改",
            "the merchant gives exactly one response, and it cannot be changed",
        ),
        "penalty_has_a_cause": Message(
            "每次判责之前必有依据：时限已过、消费者否认，或平台裁定",
            "every penalty has a cause: a passed deadline, a denial, or a ruling",
        ),
        "merchant_is_heard": Message(
            "时限未过、商家尚未响应时，不得判责",
            "nobody is penalized while the merchant can still respond",
        ),
        "refusal_explains": Message(
            "拒绝不改变任何状态，且必有原因", "a refusal changes nothing and has a reason"
        ),
        "hints_help": Message("按提示操作，确有帮助", "following an unlock hint helps"),
        "never_means_never": Message(
            "提示“已无法变更”时，确实任何人都无法变更",
            "where a hint says that nothing helps, nobody can make the command possible",
        ),
        "repetition_is_harmless": Message(
            "重复已接受的请求不产生任何变化", "repeating an accepted command changes nothing"
        ),
        "unknown_never_penalizes": Message(
            "查不到订单数据时，不得据此判责", "missing order data never leads to a penalty"
        ),
        "deadline_is_inclusive": Message(
            "恰在截止时刻的操作有效，届满事件只在其后生效",
            "a command at the due instant is in time, its expiry is accepted only after it",
        ),
        "sweeps_do_not_decide": Message(
            "订单数据相同时，结果与何时处理届满无关",
            "given the same facts, the outcome never depends on when sweeps ran",
        ),
        "ends_agree": Message("结果、责任与标签一致", "liability, outcome and labels agree"),
    }
)
"""What each property requires, by the property's id."""

COMMENT = Message(
    "# 性质：{title}\n# 最后一步的问题：{wrong}\n",
    "# property {id}: {title}\n# wrong at the last step: {wrong}\n",
)
"""The comment at the top of a counterexample."""

NO_OUTCOME = Message("无结果", "no outcome")

VIOLATIONS: Mapping[str, Message] = FrozenMap(
    {
        # one_answer
        "overlap": Message("有两条规则同时适用", "{count} transitions apply at once"),
        "no_result": Message(
            "既未接受，也未说明拒绝原因", "neither accepted nor refused with a reason"
        ),
        "expiry_not_handled": Message(
            "时限已过，但没有届满规则适用",
            "the deadline has passed, and no transition handles that",
        ),
        "option_not_handled": Message(
            "提供了该方案，却没有规则适用", "the option is offered, and no transition accepts it"
        ),
        # silence_closes, closed_stays_closed, one_response
        "never_ends": Message(
            "各方沉默时，纠纷永远不会结束", "if everybody is silent, the dispute never ends"
        ),
        "changed_after_end": Message("纠纷结束后仍发生变化", "a dispute changes after its end"),
        "second_time": Message(
            "“{command.zh}”第二次被接受", "“{command.en}” is accepted a second time"
        ),
        "not_final": Message(
            "复核已有结论，结果却仍可变更", "the review is over, but the outcome may still change"
        ),
        "second_response": Message("第二次选择方案被接受", "a second choice is accepted"),
        "response_changed": Message("所选方案被更改", "the chosen option has changed"),
        # penalty_has_a_cause, merchant_is_heard, unknown_never_penalizes
        "no_cause": Message("判责无依据", "nothing justifies this penalty"),
        "not_heard": Message(
            "判责时商家仍可响应", "the merchant could still respond at that moment"
        ),
        "order_not_checked": Message(
            "未核对订单即判责", "penalized although the order was not checked"
        ),
        "promise_kept": Message(
            "订单显示已按约定发货揽件，或已退款，仍被判责",
            "penalized although the order shows that the promise was kept, or a refund",
        ),
        # refusal_explains, repetition_is_harmless
        "no_explanation": Message("拒绝未说明原因", "the refusal does not say why"),
        "wrong_record": Message(
            "拒绝未按规则参数留痕", "the refusal is not recorded as the policy requires"
        ),
        "refusal_changes": Message("拒绝改变了纠纷", "the refusal changed the dispute"),
        "key_refused": Message(
            "带请求编号的同一请求未被接受", "the same command with a key is not accepted"
        ),
        "event_differs": Message("记录的事件与决定不符", "the event differs from the decision"),
        "repetition_differs": Message(
            "重复的请求未得到同样的结果", "repeated, the command has another result"
        ),
        # hints_help, never_means_never
        "useless_hint": Message(
            "“{code.zh}”的提示“{zh}”无效", "the hint of {code.value}, “{en}”, does not help"
        ),
        "still_possible": Message(
            "提示已无法变更，实际仍可变更", "the hint says that nothing helps, but something does"
        ),
        # deadline_is_inclusive, sweeps_do_not_decide
        "expired_early": Message(
            "时限未过，却按届满处理", "it expires before its deadline has passed"
        ),
        "accepted_late": Message("逾期的操作被接受", "it is accepted although it is late"),
        "late_too_early": Message("恰在截止时刻的操作被视为逾期", "it is late at the due instant"),
        "sweep_decides": Message(
            "若先于 {at:%m-%d %H:%M:%S} 处理届满，结果则为：{state.zh}，{outcome.zh}",
            "after a sweep at {at:%m-%d %H:%M:%S}, it ends as “{state.en}”, “{outcome.en}”",
        ),
        "sweep_permits": Message(
            "纠纷已结束，处理届满之前被拒绝，之后却被接受",
            "the dispute is closed, and this is refused before a sweep, but accepted after it",
        ),
        # ends_agree
        "outcome_in_state": Message(
            "结果自相矛盾：结果为{outcome.zh}，状态为{after.state.zh}",
            "contradiction: outcome “{outcome.en}” in state “{after.state.en}”",
        ),
        "outcome_of_other_state": Message(
            "结果自相矛盾：“{outcome.zh}”不是“{after.state.zh}”的结果",
            "contradiction: “{outcome.en}” is not an outcome of “{after.state.en}”",
        ),
        "recorded_as_other": Message(
            "结果自相矛盾：“{after.state.zh}”被记录为“{recorded.zh}”",
            "contradiction: “{after.state.en}” is recorded as {recorded.value}",
        ),
        "lighter_liability": Message(
            "结果自相矛盾：“{before.liability.zh}”的责任重于“{outcome.zh}”",
            "contradiction: “{before.liability.en}” is a heavier liability than “{outcome.en}”",
        ),
        "outcome_after_state": Message(
            "结果自相矛盾：在“{before.state.zh}”状态下出现结果“{outcome.zh}”",
            "contradiction: outcome “{outcome.en}” after state “{before.state.en}”",
        ),
        "label_missing": Message(
            "结果自相矛盾：{after.state.value} 缺少中文或英文名称",
            "contradiction: {after.state.value} has no label in both languages",
        ),
        "outcome_without_option": Message(
            "结果自相矛盾：未选择方案，结果却为“{outcome.zh}”",
            "contradiction: outcome “{outcome.en}”, but no option is chosen",
        ),
        "outcome_of_other_option": Message(
            "结果自相矛盾：选择了“{after.option.zh}”，结果却为“{outcome.zh}”",
            "contradiction: outcome “{outcome.en}” after “{after.option.en}”",
        ),
        "overdue_with_evidence": Message(
            "结果自相矛盾：已提交举证，却判逾期未举证",
            "contradiction: “{outcome.en}” although evidence was submitted",
        ),
        "ruled_without_evidence": Message(
            "结果自相矛盾：未提交举证，却作出有责或无责判定",
            "contradiction: “{outcome.en}” without any evidence",
        ),
    }
)
"""What a violation shows, by name; the comments name the properties."""
