"""Which transition applies: the option, the policy, what happened before, what the order shows."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from dispute_fsm.domain.enums import LIABILITIES, CommandType, Deadline, Denial, Option, Silence
from dispute_fsm.domain.policy import Policy
from dispute_fsm.machine.guard import Dimension, Source
from dispute_fsm.rules.case import Case, answers_of, assumed, stated
from dispute_fsm.rules.guards.order_facts import facts_of

if TYPE_CHECKING:
    from dispute_fsm.domain.commands import ChooseOption, ExtendDeadline


def _option(case: Case) -> str:
    option = (
        cast("ChooseOption", case.command).option
        if case.command.type is CommandType.CHOOSE_OPTION
        else case.memory.option
    )
    return "none" if option is None else option.value


def _fulfilment(case: Case) -> str:
    facts = facts_of(case)
    if case.memory.agreed_until is not None and facts.promise_kept(case.memory.agreed_until):
        return "kept"
    return "neither" if facts.full_refund is None else "refunded"


def extended_deadline(case: Case) -> str:
    """Tell which deadline an extension means; `none` where it means none that stands."""
    named = cast("ExtendDeadline", case.command).deadline
    # Unnamed, the promise is meant where it stands: beside it the confirmation deadline only closes
    # the consumer's window.
    candidates = (Deadline.PROMISE, *Deadline) if named is None else (named,)
    return next((deadline.value for deadline in candidates if deadline in case.deadlines), "none")


def _by_policy(
    name: str, answers: Mapping[str, tuple[str, str]], ask: Callable[[Policy], str], source: Source
) -> Dimension:
    """Make a question that the policy alone answers."""
    return Dimension(name, answers, lambda case: ask(case.policy), source, of_policy=ask)


def _named(case: Case) -> str:
    return (
        "none" if cast("ExtendDeadline", case.command).deadline is None else extended_deadline(case)
    )


OPTION: Dimension[Case] = Dimension(
    "option",
    {"none": ("未选择", "none chosen"), **answers_of(Option)},
    _option,
    stated(
        "商家只能选择一个方案，后续依方案而定",
        "the merchant gives exactly one response; what follows depends on it",
    ),
)
CONFIRMATION = _by_policy(
    "confirmation",
    {
        "asked": ("需消费者确认", "the consumer is asked to confirm"),
        "off": ("无需消费者确认", "nobody is asked to confirm"),
    },
    lambda policy: "off" if policy.confirmation is None else "asked",
    assumed(
        "公告未说明由谁确认协商一致", "the announcement does not say who confirms an agreement"
    ),
)
DENIAL = _by_policy(
    "denial",
    {word.value: (f"消费者否认后{word.zh}", f"a denial {word.en}") for word in Denial},
    lambda policy: policy.denial.value,
    assumed(
        "公告未说明由谁认定双方是否协商一致",
        "the announcement does not say who finds out that there was no agreement",
    ),
)
SILENCE = _by_policy(
    "silence",
    {word.value: (f"消费者沉默{word.zh}", f"silence {word.en}") for word in Silence},
    lambda policy: policy.silence.value,
    assumed(
        "公告未说明消费者不回应时如何处理",
        "the announcement does not say what the consumer's silence means",
    ),
)
EVIDENCE: Dimension[Case] = Dimension(
    "evidence",
    {
        "none": ("尚未提交举证", "nothing submitted so far"),
        "standing": ("已有举证材料", "an earlier submission stands"),
    },
    lambda case: "standing" if case.memory.submissions else "none",
    assumed(
        "补充举证逾期的，按已有材料判责", "overdue extra evidence does not undo what was submitted"
    ),
)
FULFILMENT: Dimension[Case] = Dimension(
    "fulfilment",
    {
        "kept": ("已在约定时间前发货并揽件", "shipped and picked up by the agreed instant"),
        "refunded": ("未在约定时间前揽件，但已全额退款", "not kept so far, but fully refunded"),
        "neither": ("未在约定时间前揽件，也未全额退款", "neither kept nor refunded"),
    },
    _fulfilment,
    stated("协商日期前未发货属于违规", "not shipped before the agreed date is a violation"),
    needs_facts=True,
)
EXTENDED: Dimension[Case] = Dimension(
    "extended",
    {"none": ("无可延长的时限", "no such deadline runs"), **answers_of(Deadline)},
    extended_deadline,
    assumed("公告未提及延长时限", "the announcement does not mention extensions"),
)
NAMED: Dimension[Case] = Dimension(
    "named",
    {"none": ("未指明进行中的时限", "no deadline that runs is named"), **answers_of(Deadline)},
    _named,
    assumed(
        "多个时限同时计时，须指明延长哪一个",
        "several deadlines run at once, so an extension names the one that it means",
    ),
)
FAILED: Dimension[Case] = Dimension(
    "failed",
    {"none": ("另一路径仍在进行", "the other region has not failed"), **answers_of(LIABILITIES)},
    lambda case: "none" if case.liability is None else case.liability.value,
    assumed(
        "两条路径均未成立才判责，责任取较重者",
        "a penalty takes both regions to fail, and is the weightier of the two",
    ),
    failed=True,
)
