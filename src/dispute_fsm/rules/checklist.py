"""The checklist for evidence: what a submission would lack, before it is made."""

from dataclasses import dataclass
from datetime import UTC, datetime

from dispute_fsm.domain.commands import SYSTEM, SubmitEvidence, Voucher
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
    """What is given by prompt, and the reasons for which a submission of this would be refused."""

    prompts: tuple[PromptStatus, ...]
    reasons: tuple[Reason, ...]

    @property
    def complete(self) -> bool:
        """Whether a submission of just this would be accepted, in time and in the right state."""
        return not self.reasons


def checklist(
    policy: Policy,
    reason: str | None,
    vouchers: tuple[Voucher, ...] = (),
    statement: str | None = None,
) -> Checklist:
    """Return what is given, missing and not acceptable, by the guards of the charts."""
    # Not validated: a reason that is no id is unknown, too.
    command = SubmitEvidence.model_construct(
        by=SYSTEM, reason=reason, vouchers=vouchers, statement=statement
    )
    case = Case(command, _ANY_TIME, policy, merchant_id="", consumer_id="")
    results = [(guard, guard.check(case)) for guard in PROVEN]
    return Checklist(
        prompts=tuple(PromptStatus(prompt, given) for prompt, given in prompted(case)),
        reasons=tuple(
            Reason(result.code, guard.name, result.saw, result.unlock)
            for guard, result in results
            if not result
        ),
    )
