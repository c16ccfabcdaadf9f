"""Properties of penalties and ends: nobody is penalized without cause or unheard, and what is recorded agrees with itself."""

from collections.abc import Collection, Iterator, Mapping

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.enums import (
    LIABILITIES,
    CommandType,
    Deadline,
    EventType,
    Option,
    Outcome,
    Role,
    Silence,
    StateName,
)
from dispute_fsm.domain.policy import Bilingual
from dispute_fsm.verify.property import Move, Violation, against, holds
from dispute_fsm.verify.representatives import EVERYTHING
from dispute_fsm.verify.state_space import Exploration, ExploredDecision

_SETTLED: Mapping[Outcome, Collection[Option | None]] = {
    Outcome.SETTLED_BY_CANCELLATION: {Option.CONSUMER_CANCELS, Option.SHIP_BY_AGREED_DATE},
    Outcome.SETTLED_BY_SHIPMENT: {Option.ALREADY_SHIPPED},
    Outcome.SETTLED_BY_AGREED_SHIPMENT: {Option.SHIP_BY_AGREED_DATE},
    Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND: {Option.OUT_OF_STOCK_REFUND},
    Outcome.OUT_OF_STOCK: {Option.OUT_OF_STOCK_REFUND},
    Outcome.PROMISE_MISSED: {Option.SHIP_BY_AGREED_DATE},
    Outcome.BREACH_OF_PROMISE: {
        Option.CONSUMER_CANCELS,
        Option.ALREADY_SHIPPED,
        Option.SHIP_BY_AGREED_DATE,
    },
    Outcome.NO_RESPONSE: {None},
}
"""The options after which a dispute, or its settlement, can end so; the other ends go with any."""

_ENDS = {
    EventType.DISPUTE_RESOLVED: StateName.RESOLVED,
    EventType.PENALTY_ANNULLED: StateName.RESOLVED,
    EventType.DISPUTE_PENALIZED: StateName.PENALIZED,
}


def _blamed(answer: ExploredDecision) -> Outcome | None:
    """Return the liability that an answer brings by itself: of the dispute, or of the region that it fails."""
    if answer.after is None or answer.judged.transition is None:
        return None
    return answer.judged.transition.rule.liability or (
        answer.after.outcome if answer.after.outcome in LIABILITIES else None
    )


@holds(
    "penalty_has_a_cause",
    "每次判责之前必有依据：时限已过、消费者否认，或平台裁定",
    "every penalty is preceded by what entitles it: a passed deadline, a denial, or a ruling",
)
def penalty_has_a_cause(exploration: Exploration) -> Iterator[Violation]:
    """Find penalties, and failing regions, that nothing entitles."""
    for answer in exploration.answers():
        if _blamed(answer) is not None and not _entitled(answer):
            yield against(exploration, answer, "判责无依据", "nothing entitles this penalty")


def _entitled(answer: ExploredDecision) -> bool:
    dispute, event, role = answer.situation.dispute, answer.command.type, answer.command.by.role
    if (deadline := event.expires) is not None:
        passed = deadline in dispute.running and dispute.running[deadline] < answer.at
        return passed and (
            deadline is not Deadline.CONFIRMATION or dispute.policy.silence is Silence.DENIAL
        )
    if event is CommandType.DENY_AGREEMENT:
        return role is Role.CONSUMER and dispute.option is not None and not dispute.confirmed
    rationale = getattr(answer.command, "rationale", None)
    return (
        event is CommandType.RULE_AT_FAULT
        and role is Role.ADJUDICATOR
        and bool((rationale or "").strip())
    )


@holds(
    "merchant_is_heard",
    "时限未过、商家尚未响应时，不得判责",
    "nobody is penalized while the merchant still had time and had not used it",
)
def merchant_is_heard(exploration: Exploration) -> Iterator[Violation]:
    """Find penalties at a moment at which the merchant could still have answered or shown evidence."""
    for situation in exploration.situations.values():
        if not any(answer.penalizes for answer in situation.answers):
            continue
        open_at = {
            answer.at
            for answer in situation.answers
            if answer.accepted and answer.command.by.role is Role.MERCHANT
        }
        for answer in situation.answers:
            if answer.penalizes and answer.at in open_at:
                yield against(
                    exploration,
                    answer,
                    "判责时商家仍可响应",
                    "the merchant could still have answered at that moment",
                )


@holds(
    "unknown_never_penalizes",
    "查不到订单数据时，不得据此判责",
    "what the order system cannot tell never penalizes",
)
def unknown_never_penalizes(exploration: Exploration) -> Iterator[Violation]:
    """Find missed promises that were judged without looking, or against what the order system showed."""
    for answer in exploration.answers():
        dispute, row = (
            answer.situation.dispute,
            None if answer.evaluation is None else answer.evaluation.transition,
        )
        if (
            answer.after is None
            or row is None
            or answer.command.type is not Deadline.PROMISE.expiry
            or _blamed(answer) is None
        ):
            continue
        facts, agreed = answer.judged.facts, dispute.agreed_until
        if facts is None:
            kept = Move(
                answer.at, EVERYTHING, answer.command
            )  # what a look would have shown may have been this
            yield against(
                exploration,
                answer.situation,
                "未核对订单即判责",
                "penalized without a look at the order",
                kept,
            )
        elif agreed is not None and (facts.promise_kept(agreed) or facts.full_refund is not None):
            yield against(
                exploration,
                answer,
                "订单显示已按约定发货揽件，或已退款，仍被判责",
                "penalized although the order shows that it was kept or refunded",
            )


@holds(
    "one_response",
    "商家只能响应一次，且不可更改",
    "the merchant gives exactly one response, and it stands",
)
def one_response(exploration: Exploration) -> Iterator[Violation]:
    """Find second choices, and events after which another option counts."""
    for answer in exploration.answers():
        before, after = answer.situation.dispute.option, answer.after
        if after is None:
            continue
        if answer.command.type is CommandType.CHOOSE_OPTION and before is not None:
            yield against(
                exploration, answer, "第二次选择方案被接受", "a second choice is accepted"
            )
        elif after.option is not (before or getattr(answer.command, "option", None)):
            yield against(
                exploration, answer, "所选方案被更改", "the option that counts has changed"
            )


@holds("ends_agree", "结果、责任与标签一致", "liability, outcome and labels agree")
def ends_agree(exploration: Exploration) -> Iterator[Violation]:
    """Find ends that contradict where the dispute is, what was chosen, or what was handed in."""
    for answer in exploration.answers():
        after, row = (
            answer.after,
            None if answer.evaluation is None else answer.evaluation.transition,
        )
        if after is None or row is None:
            continue
        for wrong in _contradictions(
            answer.situation.dispute, after, row.records, row.rule.liability
        ):
            yield against(
                exploration,
                answer,
                f"结果自相矛盾：{wrong.zh}",
                f"the end contradicts itself: {wrong.en}",
            )


def _contradictions(
    before: Dispute, after: Dispute, recorded: EventType, liability: Outcome | None
) -> Iterator[Bilingual]:
    end, state = after.outcome, after.state
    named = "无结果" if end is None else end.zh
    if (end is not None) != after.closed:
        yield Bilingual(
            zh=f"结果为{named}，状态为{state.zh}", en=f"outcome {end}, state {state.value}"
        )
    if after.closed and (end in LIABILITIES) != (state is StateName.PENALIZED):
        yield Bilingual(
            zh=f"“{named}”不是“{state.zh}”的结果", en=f"{end} is no end of {state.value}"
        )
    if after.closed and _ENDS.get(recorded) is not state:
        yield Bilingual(
            zh=f"“{state.zh}”被记录为“{recorded.zh}”",
            en=f"{state.value} is recorded as {recorded.value}",
        )
    if (
        before.liability is not None
        and end in LIABILITIES
        and LIABILITIES.index(before.liability) < LIABILITIES.index(end)
    ):
        yield Bilingual(
            zh=f"“{before.liability.zh}”的责任重于“{named}”",
            en=f"{before.liability.value} is weightier than {end}",
        )
    if end in {Outcome.ANNULLED, Outcome.WITHDRAWN} and (end is Outcome.ANNULLED) != before.closed:
        yield Bilingual(
            zh=f"在“{before.state.zh}”状态下出现结果“{named}”", en=f"{end} in {before.state.value}"
        )
    if not (state.zh and state.en) or state.zh == state.en:
        yield Bilingual(
            zh=f"{state.value} 缺少中文或英文名称",
            en=f"{state.value} has no label in both languages",
        )
    if not before.closed:
        yield from _uncaused(before, after, liability or (None if end is before.liability else end))


def _uncaused(before: Dispute, after: Dispute, end: Outcome | None) -> Iterator[Bilingual]:
    """Find what has to come before an end, of the dispute or of one of its regions, and did not."""
    if end is not None and after.option not in _SETTLED.get(end, {after.option}):
        chosen = "未选择方案" if after.option is None else f"选择了“{after.option.zh}”"
        yield Bilingual(zh=f"{chosen}，结果却为“{end.zh}”", en=f"{end} after {after.option}")
    if end is Outcome.EVIDENCE_OVERDUE and before.submissions:
        yield Bilingual(
            zh="已提交举证，却判逾期未举证", en=f"{end} although evidence was submitted"
        )
    if end in {Outcome.NO_FAULT, Outcome.AT_FAULT} and not before.submissions:
        yield Bilingual(zh="未提交举证，却作出有责或无责判定", en=f"{end} without any evidence")
