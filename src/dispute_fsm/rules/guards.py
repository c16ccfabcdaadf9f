"""Guards: every condition that a chart may put on an edge, one function each.

A guard looks at the `Case` and answers with a `Finding`. There are four sorts, and the sort decides what a "no" means:

* **actor**: who may do it. A "no" is `wrong_actor`, alone.
* **selects**: which row of the table applies (the option, the policy, what happened before, what the order shows). A "no"
  is no reason for a refusal, the next row is tried. Rows that differ in their answer to one `Dimension` cannot overlap.
* **timing**: whether a deadline has passed. A "no" is `deadline_passed` or `deadline_not_passed`, alone.
* **requires**: what the selected row demands. Every "no" is a reason with a code; all come back together.

To add a guard: write a function here under `@requirement`, and name it in the `needs` of an edge in a chart module.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import cast
from zoneinfo import ZoneInfo

from dispute_fsm.errors import FactsNeededError
from dispute_fsm.rules import evidence
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.commands import Annul, ChooseOption, ExtendDeadline, RuleAtFault, RuleNoFault, SubmitEvidence
from dispute_fsm.rules.facts import OrderFacts
from dispute_fsm.rules.findings import NEVER, ActorUnlock, FactUnlock, Finding, PayloadUnlock, Seen, WaitUnlock, found, just_after, shown
from dispute_fsm.rules.policy import Policy
from dispute_fsm.rules.provenance import Source, assumed, stated
from dispute_fsm.rules.strict import format_duration, format_instant
from dispute_fsm.rules.vocabulary import (
    LIABILITIES,
    CommandType,
    Deadline,
    Denial,
    Labelled,
    Lang,
    Option,
    RefusalCode,
    Role,
    Silence,
    StateName,
)


class Sort(StrEnum):
    """What a guard's "no" means; see the top of this page."""

    ACTOR = "actor"
    SELECTS = "selects"
    TIMING = "timing"
    REQUIRES = "requires"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Guard:
    """A named condition with its words, its provenance and the function that looks.

    `codes` are those that it may refuse with; `needs_facts` says that it looks at the order system's facts; `lasting`, that
    once it does not hold, nothing that anybody can hand in makes it hold again.
    """

    name: str
    sort: Sort
    zh: str
    en: str
    source: Source
    look: Callable[[Case], Finding]
    codes: tuple[RefusalCode, ...] = ()
    needs_facts: bool = False
    lasting: bool = False

    def holds(self, case: Case) -> Finding:
        """Look, once per case. Raises `FactsNeededError` where facts are needed and nobody asked for them."""
        finding = case.findings.get(self.name)
        if finding is None:
            finding = case.findings[self.name] = self.look(case)
        return finding

    @property
    def recorded(self) -> str:
        """The name under which its answer is recorded."""
        return self.name

    def label(self, lang: Lang) -> str:
        """Return the condition in words."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ActorGuard(Guard):
    """Holds where the actor has one of these roles, the first of them being the usual one."""

    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Dimension:
    """A question with finitely many answers, of which exactly one is true: what rows are selected by.

    `of_policy` answers it where the policy alone does, so that for a dispute the answer never changes.
    """

    name: str
    answers: Mapping[str, tuple[str, str]]
    ask: Callable[[Case], str]
    source: Source
    needs_facts: bool = False
    of_policy: Callable[[Policy], str] | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Selector(Guard):
    """Holds where the answer to its dimension's question is one of `accepts`."""

    dimension: Dimension
    accepts: frozenset[str]

    @property
    def recorded(self) -> str:
        """The question's name: its answer is recorded, whichever row asks."""
        return self.dimension.name


def facts_of(case: Case) -> OrderFacts:
    """Return the case's facts. Raises `FactsNeededError` where nobody asked for them."""
    if case.facts is None:
        msg = f"{case.command.type.value} looks at the order system's facts, but none were given: ask needs_facts() first"
        raise FactsNeededError(msg)
    return case.facts


_CANCEL_OR_REFUND = FactUnlock(
    "cancel_request | refund",
    "订单系统须显示有效的取消申请（已提交/已受理），或已完成的全额退款",
    "the order system has to show a cancel request (submitted or accepted) or a completed full refund",
)
_SHIPMENT = FactUnlock(
    "shipment.shipped_at", "订单系统须显示发货时间，且不晚于当前时间", "the order system has to show a shipment that has happened"
)
_ANY_PICKUP = FactUnlock("pickup", "订单系统须显示物流揽件记录", "the order system has to show the carrier's pickup scan")
_VALID_PICKUP = FactUnlock(
    "pickup",
    "揽件记录须为“已揽件”，运单号与发货一致，时间不早于付款时间且不晚于当前时间",
    "the scan has to be picked_up, of the shipped waybill, not before payment, and have happened",
)
_ORDER = FactUnlock("order", "订单系统须有该订单", "the order system has to know the order")
_PROMISE = PayloadUnlock("agreed_until", "请填写约定的发货时间", "give the agreed instant")
_AGREEMENT_VOUCHER = PayloadUnlock("vouchers", "请上传至少一份协商一致的凭证", "add at least one voucher that shows the agreement")
_RATIONALE = PayloadUnlock("rationale", "请填写理由", "give a rationale")


def _local(case: Case, instant: datetime) -> str:
    """Write an instant as people in the policy's zone read it."""
    return instant.astimezone(ZoneInfo(case.policy.calendar.zone)).strftime("%Y-%m-%d %H:%M:%S %z")


def _instant(case: Case, field: str, zh: str, en: str, limit: datetime) -> PayloadUnlock:
    """Say that an instant of the payload has to keep to a limit."""
    local = _local(case, limit)
    return PayloadUnlock(field, zh.format(local), en.format(local))


# ---- actor: who may do it ----------------------------------------------------------------------------------------------


def by(*roles: Role) -> ActorGuard:
    """Require that the actor has one of these roles, and is the dispute's own where it is a merchant or a consumer."""

    def look(case: Case) -> Finding:
        actor = case.command.by
        role = actor.role if actor.role in roles else roles[0]
        own = case.merchant_id if role is Role.MERCHANT else case.consumer_id if role is Role.CONSUMER else None
        fits = actor.role is role and (own is None or own == actor.id)
        unlock = NEVER if fits else ActorUnlock(role, own)
        return found(fits, RefusalCode.WRONG_ACTOR, unlock, role=actor.role.value, id=actor.id)

    return ActorGuard(
        name="by_" + "_or_".join(role.value for role in roles),
        sort=Sort.ACTOR,
        zh="操作人为" + "或".join(role.zh for role in roles),
        en="by the " + " or ".join(role.en for role in roles),
        source=stated("各方只能以自己的身份操作", "each party acts for itself only"),
        look=look,
        codes=(RefusalCode.WRONG_ACTOR,),
        roles=roles,
    )


# ---- selects: which row applies -----------------------------------------------------------------------------------------


def when(dimension: Dimension, *accepts: str) -> Selector:
    """Select the row where the answer to the dimension's question is one of `accepts`."""
    if not set(accepts) <= set(dimension.answers) or not accepts:
        msg = f"{dimension.name} is one of {', '.join(dimension.answers)}, not {', '.join(accepts) or 'nothing'}"
        raise ValueError(msg)

    def look(case: Case) -> Finding:
        answer = dimension.ask(case)
        return Finding(answer in accepts, {dimension.name: answer})

    return Selector(
        name=f"{dimension.name}_is_{'_or_'.join(accepts)}",
        sort=Sort.SELECTS,
        zh=" / ".join(dimension.answers[answer][0] for answer in accepts),
        en=" / ".join(dimension.answers[answer][1] for answer in accepts),
        source=dimension.source,
        look=look,
        needs_facts=dimension.needs_facts,
        dimension=dimension,
        accepts=frozenset(accepts),
    )


def _labels(words: Iterable[Labelled]) -> dict[str, tuple[str, str]]:
    return {word.value: (word.zh, word.en) for word in words}


def _option(case: Case) -> str:
    option = cast("ChooseOption", case.command).option if case.command.type is CommandType.CHOOSE_OPTION else case.option
    return "none" if option is None else option.value


def _fulfilment(case: Case) -> str:
    facts = facts_of(case)
    if case.agreed_until is not None and facts.promise_kept(case.agreed_until):
        return "kept"
    return "neither" if facts.full_refund is None else "refunded"


def _extended(case: Case) -> str:
    named = cast("ExtendDeadline", case.command).deadline
    # Unnamed, the promise is meant where it stands: beside it the confirmation deadline only closes the consumer's window.
    candidates = (Deadline.PROMISE, *Deadline) if named is None else (named,)
    return next((deadline.value for deadline in candidates if deadline in case.deadlines), "none")


def _of_policy(name: str, answers: Mapping[str, tuple[str, str]], ask: Callable[[Policy], str], source: Source) -> Dimension:
    """Make a question that the policy alone answers."""
    return Dimension(name, answers, lambda case: ask(case.policy), source, of_policy=ask)


def _named(case: Case) -> str:
    return "none" if cast("ExtendDeadline", case.command).deadline is None else _extended(case)


OPTION = Dimension(
    "option",
    {"none": ("未选择", "none chosen"), **_labels(Option)},
    _option,
    stated("商家只能选择一个方案，后续依方案而定", "the merchant gives exactly one response; what follows depends on it"),
)
CONFIRMATION = _of_policy(
    "confirmation",
    {"asked": ("需消费者确认", "the consumer is asked to confirm"), "off": ("无需消费者确认", "nobody is asked to confirm")},
    lambda policy: "off" if policy.confirmation is None else "asked",
    assumed("公告未说明由谁确认协商一致", "the announcement does not say who confirms an agreement"),
)
DENIAL = _of_policy(
    "denial",
    {word.value: (f"消费者否认后{word.zh}", f"a denial {word.en}") for word in Denial},
    lambda policy: policy.denial.value,
    assumed("公告未说明由谁认定双方是否协商一致", "the announcement does not say who finds out that there was no agreement"),
)
SILENCE = _of_policy(
    "silence",
    {word.value: (f"消费者沉默{word.zh}", f"silence {word.en}") for word in Silence},
    lambda policy: policy.silence.value,
    assumed("公告未说明消费者不回应时如何处理", "the announcement does not say what the consumer's silence means"),
)
EVIDENCE = Dimension(
    "evidence",
    {"none": ("尚未提交举证", "nothing submitted so far"), "standing": ("已有举证材料", "an earlier submission stands")},
    lambda case: "standing" if case.submissions else "none",
    assumed("补充举证逾期的，按已有材料判责", "overdue extra evidence does not undo what was submitted"),
)
FULFILMENT = Dimension(
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
EXTENDED = Dimension(
    "extended",
    {"none": ("无可延长的时限", "no such deadline runs"), **_labels(Deadline)},
    _extended,
    assumed("公告未提及延长时限", "the announcement does not mention extensions"),
)
NAMED = Dimension(
    "named",
    {"none": ("未指明进行中的时限", "no deadline that runs is named"), **_labels(Deadline)},
    _named,
    assumed("多个时限同时计时，须指明延长哪一个", "several deadlines run at once, so an extension names the one that it means"),
)
FAILED = Dimension(
    "failed",
    {"none": ("另一路径仍在进行", "the other region has not failed"), **_labels(LIABILITIES)},
    lambda case: "none" if case.liability is None else case.liability.value,
    assumed("两条路径均未成立才判责，责任取较重者", "a penalty takes both regions to fail, and is the weightier of the two"),
)


# ---- timing: whether a deadline has passed -----------------------------------------------------------------------------


def _in_time(case: Case) -> Finding:
    return _before_the_last(case, case.running)


def _before_the_last(case: Case, regions: tuple[tuple[Deadline, ...], ...]) -> Finding:
    """Tell whether in one of these regions time is left: its last deadline has not passed, or it has none."""
    in_time, saw = not regions, dict[str, Seen]()
    for running in regions:
        dues = [case.deadlines[deadline] for deadline in running]
        in_time = in_time or not dues or case.now <= max(dues)
        for deadline, due in zip(running, dues, strict=True):
            saw[deadline.value] = format_instant(due)
    return found(in_time, RefusalCode.DEADLINE_PASSED, NEVER, **saw)


def _window_open(case: Case) -> Finding:
    due = case.deadlines.get(Deadline.CONFIRMATION)
    return found(due is None or case.now <= due, RefusalCode.DEADLINE_PASSED, NEVER, confirmation=shown(due))


in_time = Guard(
    name="in_time",
    sort=Sort.TIMING,
    zh="时限未过",
    en="the running deadline has not passed",
    source=assumed("恰在截止时刻操作的，视为按时", "a deadline is inclusive: at the due instant is in time"),
    look=_in_time,
    codes=(RefusalCode.DEADLINE_PASSED,),
)


def in_time_of(region: StateName, zh: str, *deadlines: Deadline) -> Guard:
    """Require that a region's running deadline has not passed, in Chinese `zh`; `deadlines` are all that the region may have."""

    def look(case: Case) -> Finding:
        running = tuple(deadline for of_region in case.running for deadline in of_region if deadline in deadlines)
        return _before_the_last(case, (running,))

    return Guard(
        name=f"{region.value}_in_time",
        sort=Sort.TIMING,
        zh=zh,
        en=f"the running deadline of the {region.en} has not passed",
        source=assumed("操作是否逾期，只看所在路径的时限", "an event is late by its own region's deadline"),
        look=look,
        codes=(RefusalCode.DEADLINE_PASSED,),
    )


settlement_in_time = in_time_of(StateName.SETTLEMENT, "和解时限未过", Deadline.RESPONSE, Deadline.CONFIRMATION, Deadline.PROMISE)
evidence_in_time = in_time_of(StateName.EVIDENCE, "举证判责时限未过", Deadline.EVIDENCE)
window_open = Guard(
    name="window_open",
    sort=Sort.TIMING,
    zh="消费者确认时限未过",
    en="the consumer's window is open",
    source=assumed("待发货期间，确认时限只限制消费者表态", "while shipment is awaited, this deadline only closes the consumer's window"),
    look=_window_open,
    codes=(RefusalCode.DEADLINE_PASSED,),
)


def has_passed(deadline: Deadline) -> Guard:
    """Require that the deadline stands and has passed: an expiry is accepted only after the due instant."""

    def look(case: Case) -> Finding:
        due = case.deadlines.get(deadline)
        passed = due is not None and case.now > due
        unlock = NEVER if due is None or passed else WaitUnlock(just_after(due), _local(case, just_after(due)))
        return found(passed, RefusalCode.DEADLINE_NOT_PASSED, unlock, **{deadline.value: shown(due)})

    return Guard(
        name=f"{deadline.value}_has_passed",
        sort=Sort.TIMING,
        zh=f"{deadline.zh}已届满",
        en=f"the {deadline.en} has passed",
        source=assumed("时限届满后，届满事件方可生效", "an expiry is accepted only after the due instant"),
        look=look,
        codes=(RefusalCode.DEADLINE_NOT_PASSED,),
    )


# ---- requires: what the selected row demands ---------------------------------------------------------------------------


def requirement(
    zh: str, en: str, source: Source, *codes: RefusalCode, needs_facts: bool = False, lasting: bool = False
) -> Callable[[Callable[[Case], Finding]], Guard]:
    """Make a requirement of a function that looks; the function's name is the guard's."""

    def make(look: Callable[[Case], Finding]) -> Guard:
        return Guard(
            name=look.__name__,
            sort=Sort.REQUIRES,
            zh=zh,
            en=en,
            source=source,
            look=look,
            codes=codes,
            needs_facts=needs_facts,
            lasting=lasting,
        )

    return make


@requirement(
    "已有有效的取消申请，或已完成全额退款",
    "a cancel request that stands, or a completed full refund",
    stated("消费者已申请取消，或已退款", "the consumer has asked to cancel, or was refunded"),
    RefusalCode.NO_CANCEL_REQUEST_OR_REFUND,
    needs_facts=True,
)
def cancel_requested_or_refunded(case: Case) -> Finding:
    """Look for a standing cancel request or a completed full refund."""
    facts = facts_of(case)
    request, refund = facts.cancel_request, facts.refund
    return found(
        facts.standing_cancel_request is not None or facts.full_refund is not None,
        RefusalCode.NO_CANCEL_REQUEST_OR_REFUND,
        _CANCEL_OR_REFUND,
        cancel_request=None if request is None else request.status.value,
        cancel_request_submitted_at=None if request is None else shown(request.submitted_at),
        refund=None if refund is None else refund.status.value,
        refund_scope=None if refund is None else refund.scope.value,
        refund_completed_at=None if refund is None else shown(refund.completed_at),
    )


@requirement(
    "已发货",
    "shipped",
    stated("订单已发货", "the order is shipped"),
    RefusalCode.NOT_SHIPPED,
    needs_facts=True,
)
def shipped(case: Case) -> Finding:
    """Look for a shipment that is dated and has happened."""
    facts = facts_of(case)
    return found(
        facts.counted_shipment is not None,
        RefusalCode.NOT_SHIPPED,
        _SHIPMENT,
        shipment=facts.shipment is not None,
        shipped_at=None if facts.shipment is None else shown(facts.shipment.shipped_at),
    )


@requirement(
    "已有有效的物流揽件记录",
    "a valid pickup scan",
    stated(
        "有物流揽件信息；标题写揽件、正文写拦截，按揽件理解", "pickup by the carrier; the text says 拦截 beside a heading that says 揽件"
    ),
    RefusalCode.NO_PICKUP_SCAN,
    RefusalCode.PICKUP_NOT_VALID,
    needs_facts=True,
)
def picked_up(case: Case) -> Finding:
    """Look for a valid pickup: same waybill as the shipment, really picked up, of a paid order, not before payment."""
    facts = facts_of(case)
    pickup, shipment = facts.pickup, facts.counted_shipment
    if pickup is None:
        return found(False, RefusalCode.NO_PICKUP_SCAN, _ANY_PICKUP, pickup=False)  # noqa: FBT003 -- found(holds, ...) reads as a sentence
    return found(
        facts.valid_pickup is not None,
        RefusalCode.PICKUP_NOT_VALID,
        _VALID_PICKUP,
        pickup=True,
        kind=pickup.kind.value,
        scanned_at=shown(pickup.scanned_at),
        waybill=pickup.waybill,
        shipped_waybill=None if shipment is None else shipment.waybill,
        paid_at=shown(facts.paid_at),
        observed_at=format_instant(facts.observed_at),
    )


_AGREED = stated("须填写明确的协商日期", "an explicit agreed date")


@requirement("已填写约定的发货时间", "an agreed instant is given", _AGREED, RefusalCode.PROMISE_MISSING)
def promise_given(case: Case) -> Finding:
    """Require an explicit agreed instant."""
    agreed = cast("ChooseOption", case.command).agreed_until
    return found(agreed is not None, RefusalCode.PROMISE_MISSING, _PROMISE, agreed_until=shown(agreed))


@requirement("约定的发货时间晚于选择方案的时间", "the agreed instant lies ahead", _AGREED, RefusalCode.PROMISE_NOT_IN_FUTURE)
def promise_in_future(case: Case) -> Finding:
    """Require that the agreed instant, where one is given, lies after the moment of choosing."""
    agreed = cast("ChooseOption", case.command).agreed_until
    ahead = agreed is None or agreed > case.now
    unlock = NEVER if ahead else _instant(case, "agreed_until", "须晚于 {}", "later than {}", case.now)
    saw = {"agreed_until": shown(agreed), "now": format_instant(case.now)}
    return found(ahead, RefusalCode.PROMISE_NOT_IN_FUTURE, unlock, **saw)


@requirement(
    "约定的发货时间不超过最长期限",
    "the agreed instant is not too far ahead",
    assumed(
        "公告未限制协商日期，日期过远会使纠纷长期无法结案", "the announcement sets no limit; a far date would leave the dispute hanging"
    ),
    RefusalCode.PROMISE_TOO_FAR,
)
def promise_not_too_far(case: Case) -> Finding:
    """Require that the agreed instant lies at most `max_promise` after the moment of choosing."""
    agreed, most = cast("ChooseOption", case.command).agreed_until, case.policy.max_promise
    latest = None if most is None else case.now + most
    near = agreed is None or latest is None or agreed <= latest
    unlock = NEVER if near or latest is None else _instant(case, "agreed_until", "不晚于 {}", "at or before {}", latest)
    saw = {"agreed_until": shown(agreed), "latest": shown(latest), "max_promise": None if most is None else format_duration(most)}
    return found(near, RefusalCode.PROMISE_TOO_FAR, unlock, **saw)


@requirement(
    "已上传能证明协商一致的凭证",
    "a voucher shows the agreement",
    stated("须上传协商一致的凭证", "a voucher that shows the agreement"),
    RefusalCode.AGREEMENT_VOUCHER_MISSING,
)
def agreement_voucher(case: Case) -> Finding:
    """Require at least one voucher that shows the agreement."""
    count = len(evidence.distinct(_vouchers(case)))
    return found(count > 0, RefusalCode.AGREEMENT_VOUCHER_MISSING, _AGREEMENT_VOUCHER, count=count)


def _vouchers(case: Case) -> evidence.Vouchers:
    return cast("ChooseOption | SubmitEvidence", case.command).vouchers


def _submission(case: Case) -> SubmitEvidence:
    return cast("SubmitEvidence", case.command)


_LIMITS = assumed("公告未给出凭证的格式与大小限制", "the announcement gives no limits for vouchers")
_PROMPTED = stated("须选择正确理由，按提示上传凭证并填写说明", "a correct reason, the vouchers that it prompts for, a statement")


@requirement("凭证大小未超出上限", "no voucher is too large", _LIMITS, RefusalCode.VOUCHER_TOO_LARGE)
def vouchers_small_enough(case: Case) -> Finding:
    """Require the size limits, each and together."""
    return evidence.vouchers_small_enough(case.policy, _vouchers(case))


@requirement("凭证文件格式受支持", "every file format is supported", _LIMITS, RefusalCode.VOUCHER_MEDIA_TYPE)
def media_types_supported(case: Case) -> Finding:
    """Require supported file formats."""
    return evidence.media_types_supported(case.policy, _vouchers(case))


@requirement("凭证数量未超出上限", "not too many vouchers", _LIMITS, RefusalCode.TOO_MANY_VOUCHERS)
def vouchers_few_enough(case: Case) -> Finding:
    """Require at most the allowed number of files."""
    return evidence.vouchers_few_enough(case.policy, _vouchers(case))


VOUCHER_LIMITS = (vouchers_small_enough, media_types_supported, vouchers_few_enough)
"""The limits that hold for every command with vouchers."""


@requirement("举证理由有效", "the reason is in the catalogue", _PROMPTED, RefusalCode.REASON_UNKNOWN)
def reason_known(case: Case) -> Finding:
    """Require a reason of the policy's catalogue."""
    return evidence.reason_known(case.policy, _submission(case).reason)


@requirement("所需凭证齐全", "every prompted voucher is there", _PROMPTED, RefusalCode.VOUCHER_MISSING)
def vouchers_there(case: Case) -> Finding:
    """Require every voucher that the reason prompts for."""
    return evidence.vouchers_there(case.policy, _submission(case).reason, _vouchers(case))


@requirement("凭证类型均符合要求", "every voucher is of an accepted kind", _PROMPTED, RefusalCode.VOUCHER_NOT_ACCEPTED)
def vouchers_accepted(case: Case) -> Finding:
    """Require that no voucher is of a kind that the reason does not accept."""
    return evidence.vouchers_accepted(case.policy, _submission(case).reason, _vouchers(case))


@requirement("已填写情况说明", "there is a statement", _PROMPTED, RefusalCode.STATEMENT_MISSING)
def statement_there(case: Case) -> Finding:
    """Require a statement where the reason asks for one."""
    return evidence.statement_there(case.policy, _submission(case).reason, _submission(case).statement)


@requirement("情况说明未超出字数上限", "the statement is short enough", _LIMITS, RefusalCode.STATEMENT_TOO_LONG)
def statement_short_enough(case: Case) -> Finding:
    """Require that the statement stays within the limit."""
    return evidence.statement_short_enough(case.policy, _submission(case).statement)


@requirement(
    "协商一致尚未确认",
    "not confirmed before",
    assumed("确认之后不可再否认", "consent cannot be taken back"),
    RefusalCode.ALREADY_CONFIRMED,
    lasting=True,
)
def not_confirmed(case: Case) -> Finding:
    """Require that the agreement was not confirmed before, by the consumer or by the adjudicator."""
    return found(not case.confirmed, RefusalCode.ALREADY_CONFIRMED, NEVER, confirmed=case.confirmed)


@requirement(
    "补充举证次数未用完",
    "a round of extra evidence is left",
    assumed(
        "公告未提及补充举证；限制次数，避免久拖不决",
        "the announcement does not mention further evidence; rounds are limited so that it ends",
    ),
    RefusalCode.NO_ROUNDS_LEFT,
    lasting=True,
)
def rounds_left(case: Case) -> Finding:
    """Require that the adjudicator has a further request left."""
    most = case.policy.extra_evidence_rounds
    return found(case.extra_rounds < most, RefusalCode.NO_ROUNDS_LEFT, NEVER, used=case.extra_rounds, extra_evidence_rounds=most)


@requirement(
    "已填写判定理由",
    "a rationale is given",
    assumed("平台的每项决定都应说明理由", "every decision of the adjudicator gives its rationale"),
    RefusalCode.RATIONALE_MISSING,
)
def rationale_given(case: Case) -> Finding:
    """Require a rationale that is not blank."""
    written = evidence.length(cast("RuleNoFault | RuleAtFault | Annul | ExtendDeadline", case.command).rationale)
    return found(written > 0, RefusalCode.RATIONALE_MISSING, _RATIONALE, length=written)


@requirement(
    "新时限晚于原时限",
    "the new deadline is later than it was",
    assumed("时限只能延长，不能缩短", "a deadline can be extended, never shortened"),
    RefusalCode.DEADLINE_NOT_LATER,
)
def until_later(case: Case) -> Finding:
    """Require that the deadline moves to later; for the promise the agreed instants are compared, the grace comes on top."""
    until, meant = cast("ExtendDeadline", case.command).until, Deadline(_extended(case))
    was = case.agreed_until if meant is Deadline.PROMISE and case.agreed_until is not None else case.deadlines[meant]
    unlock = NEVER if until > was else _instant(case, "until", "须晚于 {}", "later than {}", was)
    return found(until > was, RefusalCode.DEADLINE_NOT_LATER, unlock, until=format_instant(until), was=format_instant(was))


EXTENSION = (rationale_given, until_later)
"""What moving a deadline takes."""


@requirement(
    "订单存在",
    "the order exists",
    stated("纠纷针对一笔订单发起", "a dispute is about an order"),
    RefusalCode.ORDER_NOT_FOUND,
)
def order_exists(case: Case) -> Finding:
    """Require that the order system knows the order; at the opening, no facts means that it does not."""
    return found(case.facts is not None, RefusalCode.ORDER_NOT_FOUND, _ORDER, order=case.facts is not None)
