"""Evidence: what a reason asks for, and whether what is at hand satisfies it.

A submission counts once, so the checklist can be had before submitting; the guards of the chart ask the same questions.
The same file of the same kind twice counts once. A voucher over a limit still counts as there, so each fault is named once.
With an unknown reason the statement counts as required and the limits hold, so that all faults are named at once.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dispute_fsm.rules.commands import Voucher
from dispute_fsm.rules.findings import Finding, PayloadUnlock, found
from dispute_fsm.rules.policy import EvidenceReason, Policy, Prompt
from dispute_fsm.rules.strict import MAX_INTEGER
from dispute_fsm.rules.vocabulary import RefusalCode, VoucherKind

Vouchers = tuple[Voucher[str], ...]


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
    faults: tuple[Finding, ...]

    @property
    def complete(self) -> bool:
        """Whether a submission of just this would be accepted (in time, in the right state, by the right merchant)."""
        return not self.faults


def distinct(vouchers: Iterable[Voucher[str]]) -> Vouchers:
    """Drop repetitions: the same SHA-256 and kind twice counts once, as the larger of the two."""
    once: dict[tuple[str, VoucherKind], Voucher[str]] = {}
    for voucher in vouchers:
        same = once.setdefault((voucher.sha256, voucher.kind), voucher)
        if voucher.size > same.size:
            once[voucher.sha256, voucher.kind] = voucher
    return tuple(once.values())


def length(text: str | None) -> int:
    """Count the code points of a text; a blank text counts as none."""
    return 0 if text is None or not text.strip() else len(text)


def reason_known(policy: Policy, reason: str | None) -> Finding:
    """Require a reason of the policy's catalogue."""
    known = ", ".join(sorted(policy.evidence_reasons))
    return found(
        reason in policy.evidence_reasons,
        RefusalCode.REASON_UNKNOWN,
        PayloadUnlock("reason", f"请选择目录中的理由：{known}", f"give one of the catalogue's reasons: {known}"),
        reason_known=reason in policy.evidence_reasons,
        reasons=tuple(sorted(policy.evidence_reasons)),
    )


def vouchers_there(policy: Policy, reason: str | None, vouchers: Vouchers) -> Finding:
    """Require every voucher that the reason prompts for, as many as it asks."""
    statuses = _prompts(policy, reason, vouchers)
    missing = [status for status in statuses if not status.done]
    zh = "、".join(f"{status.prompt.kind.zh} × {status.missing}" for status in missing)
    en = ", ".join(f"{status.prompt.kind.en} × {status.missing}" for status in missing)
    return found(
        not missing,
        RefusalCode.VOUCHER_MISSING,
        PayloadUnlock("vouchers", f"请补充：{zh}", f"add: {en}"),
        required=tuple(f"{status.prompt.kind.value} x {status.prompt.at_least}" for status in statuses),
        missing=tuple(f"{status.prompt.kind.value} x {status.missing}" for status in missing),
    )


def vouchers_accepted(policy: Policy, reason: str | None, vouchers: Vouchers) -> Finding:
    """Require that no voucher is of a kind that the reason does not accept; other kinds are welcome."""
    entry = _entry(policy, reason)
    refused = sorted({voucher.kind for voucher in vouchers} & set(entry.not_accepted if entry else ()))
    zh, en = "、".join(kind.zh for kind in refused), ", ".join(kind.en for kind in refused)
    return found(
        not refused,
        RefusalCode.VOUCHER_NOT_ACCEPTED,
        PayloadUnlock("vouchers", f"请移除：{zh}", f"take out: {en}"),
        not_accepted=tuple(kind.value for kind in refused),
    )


def vouchers_small_enough(policy: Policy, vouchers: Vouchers) -> Finding:
    """Require that each voucher, and all together, stay within the limits in bytes."""
    limits, sizes = policy.voucher_limits, [voucher.size for voucher in distinct(vouchers)]
    largest, together = max(sizes, default=0), sum(sizes)
    return found(
        largest <= limits.max_bytes and together <= limits.max_bytes_together,
        RefusalCode.VOUCHER_TOO_LARGE,
        PayloadUnlock(
            "vouchers",
            f"每个文件不超过 {limits.max_bytes} 字节，合计不超过 {limits.max_bytes_together} 字节",
            f"keep each file within {limits.max_bytes} bytes and all together within {limits.max_bytes_together}",
        ),
        largest=largest,
        max_bytes=limits.max_bytes,
        together=min(together, MAX_INTEGER),  # a sum may leave what a record can hold
        max_bytes_together=limits.max_bytes_together,
    )


def media_types_supported(policy: Policy, vouchers: Vouchers) -> Finding:
    """Require that each voucher's file format is a supported one."""
    supported = policy.voucher_limits.media_types
    others = sorted({voucher.media_type for voucher in vouchers} - set(supported))
    return found(
        not others,
        RefusalCode.VOUCHER_MEDIA_TYPE,
        PayloadUnlock("vouchers", f"支持的格式：{'、'.join(supported)}", f"supported formats: {', '.join(supported)}"),
        not_supported=tuple(others),
    )


def vouchers_few_enough(policy: Policy, vouchers: Vouchers) -> Finding:
    """Require at most the allowed number of files."""
    count, most = len(distinct(vouchers)), policy.voucher_limits.max_count
    return found(
        count <= most,
        RefusalCode.TOO_MANY_VOUCHERS,
        PayloadUnlock("vouchers", f"最多 {most} 个文件", f"hand in at most {most} files"),
        count=count,
        max_count=most,
    )


def statement_there(policy: Policy, reason: str | None, statement: str | None) -> Finding:
    """Require a statement where the reason asks for one, or is unknown."""
    entry = _entry(policy, reason)
    required = entry is None or entry.statement
    return found(
        not required or length(statement) > 0,
        RefusalCode.STATEMENT_MISSING,
        PayloadUnlock("statement", "请填写情况说明", "write a statement"),
        required=required,
        length=length(statement),
    )


def statement_short_enough(policy: Policy, statement: str | None) -> Finding:
    """Require that the statement stays within the limit, in code points."""
    most = policy.voucher_limits.max_statement
    return found(
        length(statement) <= most,
        RefusalCode.STATEMENT_TOO_LONG,
        PayloadUnlock("statement", f"情况说明不超过 {most} 字", f"keep the statement within {most} characters"),
        length=length(statement),
        max_statement=most,
    )


def checklist(policy: Policy, reason: str | None, vouchers: Vouchers = (), statement: str | None = None) -> Checklist:
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
    return Checklist(prompts=_prompts(policy, reason, vouchers), faults=tuple(finding for finding in findings if not finding))


def _entry(policy: Policy, reason: str | None) -> EvidenceReason | None:
    return None if reason is None else policy.evidence_reasons.get(reason)


def _prompts(policy: Policy, reason: str | None, vouchers: Vouchers) -> tuple[PromptStatus, ...]:
    entry = _entry(policy, reason)
    there = Counter(voucher.kind for voucher in distinct(vouchers))
    return tuple(PromptStatus(prompt, there[prompt.kind]) for prompt in (entry.prompts if entry else ()))
