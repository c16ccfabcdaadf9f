"""Who may act."""

from functools import cache

from dispute_fsm.domain.enums import RefusalCode, Role
from dispute_fsm.domain.reasons import NEVER, ActorUnlock
from dispute_fsm.machine.guard import ActorGuard, GuardKind, GuardResult
from dispute_fsm.rules.case import Case, result_of
from dispute_fsm.rules.sources import OWN_PART


@cache
def by(*roles: Role) -> ActorGuard[Case]:
    """Require one of these roles, and the dispute's own merchant or consumer."""

    def condition(case: Case) -> GuardResult:
        actor = case.command.by
        role = actor.role if actor.role in roles else roles[0]
        own = None
        if role is Role.MERCHANT:
            own = case.merchant_id
        elif role is Role.CONSUMER:
            own = case.consumer_id
        fits = actor.role is role and (own is None or own == actor.id)
        unlock = NEVER if fits else ActorUnlock(role, own)
        return result_of(fits, RefusalCode.WRONG_ACTOR, unlock, role=actor.role.value, id=actor.id)

    return ActorGuard(
        name="by_" + "_or_".join(role.value for role in roles),
        kind=GuardKind.ACTOR,
        zh="操作人为" + "或".join(role.zh for role in roles),
        en="by the " + " or ".join(role.en for role in roles),
        source=OWN_PART,
        condition=condition,
        codes=(RefusalCode.WRONG_ACTOR,),
        roles=roles,
    )
