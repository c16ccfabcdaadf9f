"""Which transition applies: the option, the policy, what happened before, what the order shows."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from dispute_fsm.domain.enums import LIABILITIES, CommandType, Deadline, Denial, Option, Silence
from dispute_fsm.domain.policy import Policy
from dispute_fsm.machine.guard import Dimension, Source
from dispute_fsm.rules.case import Case, answers_of
from dispute_fsm.rules.guards.order_facts import facts_of
from dispute_fsm.rules.sources import (
    ASKED,
    DENIED,
    EXTEND,
    MISSED,
    NAMED_DEADLINE,
    ON_WHAT_IS_THERE,
    ONE_OPTION,
    SILENT,
    WEIGHTIER,
)

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
    ONE_OPTION,
)
CONFIRMATION = _by_policy(
    "confirmation",
    {
        "asked": ("需消费者确认", "the consumer is asked to confirm"),
        "off": ("无需消费者确认", "nobody is asked to confirm"),
    },
    lambda policy: "off" if policy.confirmation is None else "asked",
    ASKED,
)
DENIAL = _by_policy(
    "denial",
    {word.value: (f"消费者否认后{word.zh}", f"a denial {word.en}") for word in Denial},
    lambda policy: policy.denial.value,
    DENIED,
)
SILENCE = _by_policy(
    "silence",
    {word.value: (f"消费者沉默{word.zh}", f"silence {word.en}") for word in Silence},
    lambda policy: policy.silence.value,
    SILENT,
)
EVIDENCE: Dimension[Case] = Dimension(
    "evidence",
    {
        "none": ("尚未提交举证", "nothing submitted so far"),
        "standing": ("已有举证材料", "an earlier submission stands"),
    },
    lambda case: "standing" if case.memory.submissions else "none",
    ON_WHAT_IS_THERE,
)
FULFILMENT: Dimension[Case] = Dimension(
    "fulfilment",
    {
        "kept": ("已在约定时间前发货并揽件", "shipped and picked up by the agreed instant"),
        "refunded": ("未在约定时间前揽件，但已全额退款", "not kept so far, but fully refunded"),
        "neither": ("未在约定时间前揽件，也未全额退款", "neither kept nor refunded"),
    },
    _fulfilment,
    MISSED,
    needs_facts=True,
)
EXTENDED: Dimension[Case] = Dimension(
    "extended",
    {"none": ("无可延长的时限", "no such deadline runs"), **answers_of(Deadline)},
    extended_deadline,
    EXTEND,
)
NAMED: Dimension[Case] = Dimension(
    "named",
    {"none": ("未指明进行中的时限", "no deadline that runs is named"), **answers_of(Deadline)},
    _named,
    NAMED_DEADLINE,
)
FAILED: Dimension[Case] = Dimension(
    "failed",
    {"none": ("另一路径仍在进行", "the other region has not failed"), **answers_of(LIABILITIES)},
    lambda case: "none" if case.liability is None else case.liability.value,
    WEIGHTIER,
    failed=True,
)
