"""The checklist for evidence: what a submission would lack, told before it is made, for a submission counts once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from dispute_fsm.domain.commands import SYSTEM, SubmitEvidence, Voucher
from dispute_fsm.domain.enums import RefusalCode
from dispute_fsm.domain.policy import Policy, Prompt
from dispute_fsm.domain.reasons import Reason
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.guards.evidence import PROVEN, prompted

_ANY_TIME = datetime(2023, 3, 27, tzinfo=UTC)  # what evidence takes does not depend on when


@dataclass(frozen=True, slots=True)
class PromptStatus:
    """One prompt of the reason, and how many vouchers of its kind are given."""

    prompt: Prompt
    given: int

    @property
    def missing(self) -> int:
        """How many more are asked for."""
        return max(0, self.prompt.at_least - self.given)

    @property
    def done(self) -> bool:
        """Whether enough are given."""
        return self.missing == 0


@dataclass(frozen=True, slots=True)
class Checklist:
    """What is given and missing by prompt, and the reasons for which a submission of just this would be refused."""

    prompts: tuple[PromptStatus, ...]
    reasons: tuple[Reason, ...]

    @property
    def complete(self) -> bool:
        """Whether a submission of just this would be accepted (in time, in the right state, by the right merchant)."""
        return not self.reasons


def checklist(
    policy: Policy,
    reason: str | None,
    vouchers: tuple[Voucher, ...] = (),
    statement: str | None = None,
) -> Checklist:
    """Return what is given, what is missing, and what is not acceptable and why. The chart's own guards decide."""
    # Not validated: a reason that is no id is unknown, too.
    command = SubmitEvidence.model_construct(
        by=SYSTEM, reason=reason, vouchers=vouchers, statement=statement
    )
    case = Case(command, _ANY_TIME, policy, merchant_id="", consumer_id="")
    results = [(guard, guard.check(case)) for guard in PROVEN]
    return Checklist(
        prompts=tuple(PromptStatus(prompt, given) for prompt, given in prompted(case)),
        reasons=tuple(
            Reason(cast("RefusalCode", result.code), guard.name, result.saw, result.unlock)
            for guard, result in results
            if not result
        ),
    )
