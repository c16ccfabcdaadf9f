"""Evidence: what a reason asks for, and whether what is at hand satisfies it.

A submission counts once, so the checklist can be had before submitting; the guards of the chart ask
the same questions. The same file of the same kind twice counts once. A voucher over a limit still
counts as there, so each fault is named once. With an unknown reason the statement counts as
required and the limits hold, so that all faults are named at once.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dispute_fsm.domain.commands import Voucher
from dispute_fsm.domain.enums import RefusalCode, VoucherKind
from dispute_fsm.domain.policy import EvidenceReason, Policy, Prompt, VoucherLimits
from dispute_fsm.domain.scalars import MAX_INTEGER
from dispute_fsm.machine.guard import NEVER, GuardResult, PayloadUnlock, result_of

Vouchers = tuple[Voucher, ...]

_STATEMENT = PayloadUnlock("statement", "请填写情况说明", "write a statement")


@dataclass(frozen=True, slots=True)
class PromptStatus:
    """One prompt of the reason, and how many vouchers of its kind are there."""

    prompt: Prompt
    there: int

    @property
    def missing(self) -> int:
        """How many more are asked for."""
        return max(0, self.prompt.at_least - self.there)

    @property
    def done(self) -> bool:
        """Whether enough are there."""
        return self.missing == 0


@dataclass(frozen=True, slots=True)
class Checklist:
    """What is there, what is missing, and what is not acceptable and why; complete when a submission would be taken."""

    prompts: tuple[PromptStatus, ...]
    faults: tuple[GuardResult, ...]

    @property
    def complete(self) -> bool:
        """Whether a submission of just this would be accepted (in time, in the right state, by the right merchant)."""
        return not self.faults


def distinct(vouchers: Iterable[Voucher]) -> Vouchers:
    """Drop repetitions: the same SHA-256 and kind twice counts once, as the larger of the two."""
    once: dict[tuple[str, VoucherKind], Voucher] = {}
    for voucher in vouchers:
        same = once.setdefault((voucher.sha256, voucher.kind), voucher)
        if voucher.size > same.size:
            once[voucher.sha256, voucher.kind] = voucher
    return tuple(once.values())


def length(text: str | None) -> int:
    """Count the code points of a text; a blank text counts as none."""
    return 0 if text is None or not text.strip() else len(text)


def reason_known(policy: Policy, reason: str | None) -> GuardResult:
    """Require a reason of the policy's catalogue."""
    known, reasons = reason in policy.evidence_reasons, tuple(sorted(policy.evidence_reasons))
    names, labels = (
        ", ".join(reasons),
        "、".join(policy.evidence_reasons[name].label.zh for name in reasons),
    )
    unlock = (
        NEVER
        if known
        else PayloadUnlock(
            "reason",
            f"请从以下举证理由中选择：{labels}",
            f"give one of the catalogue's reasons: {names}",
        )
    )
    return result_of(known, RefusalCode.REASON_UNKNOWN, unlock, reason_known=known, reasons=reasons)


def vouchers_there(policy: Policy, reason: str | None, vouchers: Vouchers) -> GuardResult:
    """Require every voucher that the reason prompts for, as many as it asks."""
    statuses = _prompts(policy, reason, vouchers)
    missing = [status for status in statuses if not status.done]
    return result_of(
        not missing,
        RefusalCode.VOUCHER_MISSING,
        _add(missing) if missing else NEVER,
        required=tuple(
            [f"{status.prompt.kind.value} x {status.prompt.at_least}" for status in statuses]
        ),
        missing=tuple([f"{status.prompt.kind.value} x {status.missing}" for status in missing]),
    )


def _add(missing: list[PromptStatus]) -> PayloadUnlock:
    zh = "、".join(f"{status.prompt.kind.zh} × {status.missing}" for status in missing)
    en = ", ".join(f"{status.prompt.kind.en} × {status.missing}" for status in missing)
    return PayloadUnlock("vouchers", f"请补充：{zh}", f"add: {en}")


def vouchers_accepted(policy: Policy, reason: str | None, vouchers: Vouchers) -> GuardResult:
    """Require that no voucher is of a kind that the reason does not accept; other kinds are welcome."""
    entry = _entry(policy, reason)
    refused = sorted(
        {voucher.kind for voucher in vouchers} & set(entry.not_accepted if entry else ())
    )
    return result_of(
        not refused,
        RefusalCode.VOUCHER_NOT_ACCEPTED,
        _take_out(refused) if refused else NEVER,
        not_accepted=tuple([kind.value for kind in refused]),
    )


def _take_out(refused: list[VoucherKind]) -> PayloadUnlock:
    zh, en = "、".join(kind.zh for kind in refused), ", ".join(kind.en for kind in refused)
    return PayloadUnlock("vouchers", f"请移除：{zh}", f"take out: {en}")


def vouchers_small_enough(policy: Policy, vouchers: Vouchers) -> GuardResult:
    """Require that each voucher, and all together, stay within the limits in bytes."""
    limits, sizes = policy.voucher_limits, [voucher.size for voucher in distinct(vouchers)]
    largest, together = max(sizes, default=0), sum(sizes)
    small = largest <= limits.max_bytes and together <= limits.max_bytes_together
    return result_of(
        small,
        RefusalCode.VOUCHER_TOO_LARGE,
        NEVER if small else _smaller(limits),
        largest=largest,
        max_bytes=limits.max_bytes,
        together=min(together, MAX_INTEGER),  # a sum may leave what a record can hold
        max_bytes_together=limits.max_bytes_together,
    )


def _smaller(limits: VoucherLimits) -> PayloadUnlock:
    return PayloadUnlock(
        "vouchers",
        f"每个文件不超过 {limits.max_bytes} 字节，合计不超过 {limits.max_bytes_together} 字节",
        (
            f"keep each file within {limits.max_bytes} bytes and all together within "
            f"{limits.max_bytes_together}"
        ),
    )


def media_types_supported(policy: Policy, vouchers: Vouchers) -> GuardResult:
    """Require that each voucher's file format is a supported one."""
    supported = policy.voucher_limits.media_types
    others = sorted({voucher.media_type for voucher in vouchers}.difference(supported))
    return result_of(
        not others,
        RefusalCode.VOUCHER_MEDIA_TYPE,
        _convert(supported) if others else NEVER,
        not_supported=tuple(others),
    )


def _convert(supported: tuple[str, ...]) -> PayloadUnlock:
    return PayloadUnlock(
        "vouchers",
        f"支持的格式：{'、'.join(supported)}",
        f"supported formats: {', '.join(supported)}",
    )


def vouchers_few_enough(policy: Policy, vouchers: Vouchers) -> GuardResult:
    """Require at most the allowed number of files."""
    count, most = len(distinct(vouchers)), policy.voucher_limits.max_count
    unlock = (
        NEVER
        if count <= most
        else PayloadUnlock("vouchers", f"最多 {most} 个文件", f"hand in at most {most} files")
    )
    return result_of(
        count <= most, RefusalCode.TOO_MANY_VOUCHERS, unlock, count=count, max_count=most
    )


def statement_there(policy: Policy, reason: str | None, statement: str | None) -> GuardResult:
    """Require a statement where the reason asks for one, or is unknown."""
    entry = _entry(policy, reason)
    required, written = entry is None or entry.statement, length(statement)
    return result_of(
        not required or written > 0,
        RefusalCode.STATEMENT_MISSING,
        _STATEMENT,
        required=required,
        length=written,
    )


def statement_short_enough(policy: Policy, statement: str | None) -> GuardResult:
    """Require that the statement stays within the limit, in code points."""
    written, most = length(statement), policy.voucher_limits.max_statement
    zh, en = f"情况说明不超过 {most} 字", f"keep the statement within {most} characters"
    unlock = NEVER if written <= most else PayloadUnlock("statement", zh, en)
    return result_of(
        written <= most, RefusalCode.STATEMENT_TOO_LONG, unlock, length=written, max_statement=most
    )


def checklist(
    policy: Policy, reason: str | None, vouchers: Vouchers = (), statement: str | None = None
) -> Checklist:
    """Tell, before submitting, what is there, what is missing and what is not acceptable, and why."""
    findings = (
        reason_known(policy, reason),
        vouchers_there(policy, reason, vouchers),
        vouchers_accepted(policy, reason, vouchers),
        vouchers_small_enough(policy, vouchers),
        media_types_supported(policy, vouchers),
        vouchers_few_enough(policy, vouchers),
        statement_there(policy, reason, statement),
        statement_short_enough(policy, statement),
    )
    return Checklist(
        prompts=_prompts(policy, reason, vouchers),
        faults=tuple(finding for finding in findings if not finding),
    )


def _entry(policy: Policy, reason: str | None) -> EvidenceReason | None:
    return None if reason is None else policy.evidence_reasons.get(reason)


def _prompts(policy: Policy, reason: str | None, vouchers: Vouchers) -> tuple[PromptStatus, ...]:
    entry = _entry(policy, reason)
    there = Counter(voucher.kind for voucher in distinct(vouchers))
    return tuple(
        PromptStatus(prompt, there[prompt.kind]) for prompt in (entry.prompts if entry else ())
    )
