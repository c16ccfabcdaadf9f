"""Commands that might have been sent: complete ones, and refused ones with what they lacked. Pure.

What a command needs is asked of the guards: a command is completed by what each refusal code names,
until none of them names anything more. Texts are filler of a length that passes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias, cast

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import case_of, evaluate
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    Actor,
    ChooseOption,
    Command,
    SubmitEvidence,
    Voucher,
)
from dispute_fsm.domain.enums import CommandType, RefusalCode, Role, VoucherKind
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import Policy, Prompt
from dispute_fsm.domain.reasons import Reason
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.rules.guards.evidence import distinct

FILLER = "x"
"""One character of a text whose wording does not matter."""

_A_LONG_WAY = timedelta(days=365)  # where the policy sets no limit to an agreed date
_SIZE = 1024

_WithVouchers: TypeAlias = ChooseOption | SubmitEvidence


@dataclass(frozen=True, slots=True)
class Repaired:
    """A command that is not refused for what it says, and the reasons that it no longer meets.

    `one_less` are the same command with one repair a step less: one byte, one voucher, one
    character or one second nearer to what was sent. Each is refused.
    """

    command: Command
    reasons: tuple[Reason, ...]
    one_less: tuple[Command, ...]


def agreed_at_most(policy: Policy, at: datetime) -> datetime:
    """Return the latest instant that may be agreed on at this instant."""
    return at + (_A_LONG_WAY if policy.max_promise is None else policy.max_promise)


def vouchers(kind: VoucherKind, count: int, policy: Policy, start: int = 0) -> tuple[Voucher, ...]:
    """Return distinct vouchers of a kind that the policy accepts."""
    media_type = policy.voucher_limits.media_types[0]
    size = min(_SIZE, policy.voucher_limits.max_bytes)
    return tuple(
        Voucher(kind=kind, media_type=media_type, size=size, sha256=f"{start + number:064x}")
        for number in range(1, count + 1)
    )


def choices(dispute: Dispute, actor: Actor, at: datetime) -> Iterator[ChooseOption]:
    """Iterate over the options of the rule version, each with what its transition requires."""
    for option in dispute.rules.options:
        command: Command = ChooseOption(by=actor, option=option)
        case = case_of(dispute, command, None, at)
        rows = dispute.rules.table.select(dispute.path, command.type, case)
        codes = {code for row in rows for guard in row.rule.needs for code in guard.codes}
        for code, repair in REPAIRS.items():
            if code in codes:
                command = _with(command, repair(command, dispute, at, 0))
        yield cast("ChooseOption", command)


def submissions(dispute: Dispute, actor: Actor) -> Iterator[SubmitEvidence]:
    """Iterate over the reasons of the catalogue, each with the vouchers that it asks for."""
    policy = dispute.policy
    for reason, entry in policy.evidence_reasons.items():
        given: tuple[Voucher, ...] = ()
        for prompt in entry.prompts:
            given += vouchers(prompt.kind, prompt.at_least, policy, start=len(given))
        statement = FILLER if entry.statement else None
        yield SubmitEvidence(by=actor, reason=reason, vouchers=given, statement=statement)


def complete(dispute: Dispute, command: CommandType, at: datetime) -> Iterator[Command]:
    """Iterate over a person's commands of this type that lack nothing in what they say."""
    of = COMMAND_CLASSES[command]
    role = of.roles[0]
    ids = {Role.MERCHANT: dispute.merchant_id, Role.CONSUMER: dispute.consumer_id}
    actor = Actor(role=role, id=ids.get(role, role.value))
    if command is CommandType.CHOOSE_OPTION:
        yield from choices(dispute, actor, at)
    elif command is CommandType.SUBMIT_EVIDENCE:
        yield from submissions(dispute, actor)
    else:
        filled: dict[str, Any] = {"rationale": FILLER, "until": at}
        said = {name: value for name, value in filled.items() if name in of.model_fields}
        yield of(by=actor, **said)


# ---- what a refused command lacked ---------------------------------------------------------------


def repaired(
    dispute: Dispute, command: Command, facts: OrderFacts | None, at: datetime
) -> Repaired | None:
    """Return the command with what it lacked; None where it was not refused for what it says.

    Raises `FactsNeededError` where facts are missing that it needs.
    """
    reasons = tuple[Reason, ...]()
    while True:  # a repair may bring up another reason: with one voucher more there is one too many
        whole = _repair(dispute, command, reasons, at)
        lacking = [
            reason
            for reason in evaluate(dispute, whole, facts, at).reasons
            if reason.code in REPAIRS
        ]
        if not lacking:
            break
        if lacking[0].code in {reason.code for reason in reasons}:
            return None
        reasons += (lacking[0],)
    one_less = tuple(_repair(dispute, command, reasons, at, less=reason.code) for reason in reasons)
    return Repaired(whole, reasons, one_less) if reasons else None


def _repair(
    dispute: Dispute,
    command: Command,
    reasons: Iterable[Reason],
    at: datetime,
    *,
    less: RefusalCode | None = None,
) -> Command:
    for reason in reasons:
        repair = REPAIRS[reason.code]
        command = _with(command, repair(command, dispute, at, int(reason.code is less)))
    return command


def _with(command: Command, members: Mapping[str, object]) -> Command:
    return command.model_copy(update=members)


_Repair = Callable[[Any, Dispute, datetime, int], Mapping[str, object]]
"""Returns the members that a command needs; with 1 as last argument, one step less of them."""


def _prompted(command: SubmitEvidence, dispute: Dispute) -> tuple[Prompt, ...]:
    entry = dispute.policy.evidence_reasons.get(command.reason or "")
    return () if entry is None else entry.prompts


def _more_vouchers(
    command: SubmitEvidence, dispute: Dispute, at: datetime, less: int
) -> Mapping[str, object]:
    del at
    given = command.vouchers
    for prompt in _prompted(command, dispute):
        there = sum(voucher.kind is prompt.kind for voucher in distinct(given))
        if prompt.at_least > there:
            lacking = prompt.at_least - there - less
            given += vouchers(prompt.kind, lacking, dispute.policy, start=len(given))
            less = 0
    return {"vouchers": given}


def _agreement_voucher(
    command: ChooseOption, dispute: Dispute, at: datetime, less: int
) -> Mapping[str, object]:
    del command, at
    return {"vouchers": vouchers(VoucherKind.CHAT_SCREENSHOT, 1 - less, dispute.policy)}


def _other_format(
    command: _WithVouchers, dispute: Dispute, at: datetime, less: int
) -> Mapping[str, object]:
    del at
    supported = dispute.policy.voucher_limits.media_types
    changed = list[Voucher]()
    for voucher in command.vouchers:
        if voucher.media_type not in supported:
            if not less:
                changed.append(voucher.model_copy(update={"media_type": supported[0]}))
                continue
            less = 0
        changed.append(voucher)
    return {"vouchers": tuple(changed)}


def _smaller(
    command: _WithVouchers, dispute: Dispute, at: datetime, less: int
) -> Mapping[str, object]:
    del at
    limits = dispute.policy.voucher_limits
    changed, room = list[Voucher](), limits.max_bytes_together
    sizes = dict[tuple[str, VoucherKind], int]()
    for voucher in command.vouchers:
        same = voucher.sha256, voucher.kind
        size = sizes.get(same)
        if size is None:
            size = min(voucher.size, limits.max_bytes, room)
            if less and size < voucher.size:
                size, less = size + 1, 0
            sizes[same] = size
            room = max(0, room - size)
        changed.append(voucher.model_copy(update={"size": size}))
    return {"vouchers": tuple(changed)}


def _fewer(
    command: _WithVouchers, dispute: Dispute, at: datetime, less: int
) -> Mapping[str, object]:
    del at
    most = dispute.policy.voucher_limits.max_count + less
    kept = list[Voucher](distinct(command.vouchers))
    needed = Counter(
        {prompt.kind: prompt.at_least for prompt in _prompted(command, dispute)}
        if isinstance(command, SubmitEvidence)
        else {}
    )
    for voucher in reversed(tuple(kept)):
        if len(kept) <= most:
            break
        if sum(one.kind is voucher.kind for one in kept) > needed[voucher.kind]:
            kept.remove(voucher)
    return {"vouchers": tuple(kept)}


def _only_accepted(
    command: SubmitEvidence, dispute: Dispute, at: datetime, less: int
) -> Mapping[str, object]:
    del at
    entry = dispute.policy.evidence_reasons.get(command.reason or "")
    refused = () if entry is None else entry.not_accepted
    out = [voucher for voucher in command.vouchers if voucher.kind in refused]
    kept = out[:less]
    return {"vouchers": tuple(one for one in command.vouchers if one not in out or one in kept)}


def _statement(
    command: SubmitEvidence, dispute: Dispute, at: datetime, less: int
) -> Mapping[str, object]:
    del command, dispute, at
    return {"statement": None if less else FILLER}


def _shorter(
    command: SubmitEvidence, dispute: Dispute, at: datetime, less: int
) -> Mapping[str, object]:
    del command, at
    return {"statement": FILLER * (dispute.policy.voucher_limits.max_statement + less)}


def _rationale(command: Command, dispute: Dispute, at: datetime, less: int) -> Mapping[str, object]:
    del command, dispute, at
    return {"rationale": None if less else FILLER}


def _agreed_until(
    command: ChooseOption, dispute: Dispute, at: datetime, less: int
) -> Mapping[str, object]:
    del command
    if less and dispute.policy.max_promise is None:
        return {"agreed_until": at}  # the only limit that there is: it lies in the future
    return {"agreed_until": agreed_at_most(dispute.policy, at) + timedelta(seconds=less)}


REPAIRS: Mapping[RefusalCode, _Repair] = FrozenMap(
    {
        RefusalCode.VOUCHER_MISSING: _more_vouchers,
        RefusalCode.VOUCHER_NOT_ACCEPTED: _only_accepted,
        RefusalCode.TOO_MANY_VOUCHERS: _fewer,
        RefusalCode.VOUCHER_MEDIA_TYPE: _other_format,
        RefusalCode.VOUCHER_TOO_LARGE: _smaller,
        RefusalCode.AGREEMENT_VOUCHER_MISSING: _agreement_voucher,
        RefusalCode.PROMISE_MISSING: _agreed_until,
        RefusalCode.PROMISE_NOT_IN_FUTURE: _agreed_until,
        RefusalCode.PROMISE_TOO_FAR: _agreed_until,
        RefusalCode.STATEMENT_MISSING: _statement,
        RefusalCode.STATEMENT_TOO_LONG: _shorter,
        RefusalCode.RATIONALE_MISSING: _rationale,
    }
)
"""How a command is completed, by the code that names what it lacks."""
