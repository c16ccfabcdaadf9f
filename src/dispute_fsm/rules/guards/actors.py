"""Who may act."""

from dispute_fsm.domain.enums import RefusalCode, Role
from dispute_fsm.machine.guard import (
    NEVER,
    ActorGuard,
    ActorUnlock,
    Case,
    GuardKind,
    GuardResult,
    result_of,
    stated,
)


def by(*roles: Role) -> ActorGuard:
    """Require that the actor has one of these roles, and is the dispute's own where it is a merchant or a consumer."""

    def condition(case: Case) -> GuardResult:
        actor = case.command.by
        role = actor.role if actor.role in roles else roles[0]
        own = (
            case.merchant_id
            if role is Role.MERCHANT
            else case.consumer_id
            if role is Role.CONSUMER
            else None
        )
        fits = actor.role is role and (own is None or own == actor.id)
        unlock = NEVER if fits else ActorUnlock(role, own)
        return result_of(fits, RefusalCode.WRONG_ACTOR, unlock, role=actor.role.value, id=actor.id)

    return ActorGuard(
        name="by_" + "_or_".join(role.value for role in roles),
        kind=GuardKind.ACTOR,
        zh="操作人为" + "或".join(role.zh for role in roles),
        en="by the " + " or ".join(role.en for role in roles),
        source=stated("各方只能以自己的身份操作", "each party acts for itself only"),
        condition=condition,
        codes=(RefusalCode.WRONG_ACTOR,),
        roles=roles,
    )
