"""Properties of time and ends: disputes close, stay closed, and who wins does not depend on when somebody swept."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.domain.commands import EXPIRIES
from dispute_fsm.domain.deadlines import is_on
from dispute_fsm.domain.enums import LIABILITIES, CommandType, Outcome, RefusalCode, Role, StateName
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.reasons import just_after
from dispute_fsm.errors import FactsNeededError
from dispute_fsm.verify.property import Move, Violation, against, holds
from dispute_fsm.verify.representatives import PLAIN
from dispute_fsm.verify.state_space import (
    Exploration,
    ExploredDecision,
    Key,
    Situation,
    key_of,
    put,
    seen,
)

_LONG = timedelta(days=90)
"""How long a counter-example waits before it shows that nothing happens any more."""

# ---- silence -------------------------------------------------------------------------------------


class Waiting(NamedTuple):
    """Where a dispute may wait without end, and for whom: the platform, or for a deadline that the policy has switched off."""

    platform: int = 0
    switched_off: int = 0


def waiting(exploration: Exploration) -> Waiting:
    """Count the situations in which silence does not close the dispute, for one of the two good reasons."""
    reasons = [
        _silence(situation)[1]
        for situation in exploration.situations.values()
        if not situation.dispute.closed
    ]
    return Waiting(reasons.count("platform"), reasons.count("off"))


@holds(
    "silence_closes",
    "即使各方都不再行动，纠纷也会结束（时限因规则参数停用、等待平台判责的除外）",
    (
        "from everywhere the dispute closes even if all parties stay silent, but where a deadline "
        "is switched off or the platform is awaited"
    ),
)
def silence_closes(exploration: Exploration) -> Iterator[Violation]:
    """Let time pass and nobody act; find where that ends without an end."""
    for situation in exploration.situations.values():
        way, reason = _silence(situation)
        if reason == "stuck":
            moves = [Move(answer.at, answer.order, answer.command) for answer in way]
            last = max(
                [situation.now, *(move.at for move in moves), *situation.dispute.deadlines.values()]
            )
            moves.append(Move(last + _LONG, PLAIN, None))
            yield against(
                exploration,
                situation,
                "各方沉默时，纠纷永远不会结束",
                "with everybody silent the dispute never ends",
                *moves,
            )


def _silence(start: Situation) -> tuple[tuple[ExploredDecision, ...], str]:
    """Follow the expiries from a situation, with nothing shown by the order system; say where that gets stuck, or `closed`."""
    way, situation, seen_keys = list[ExploredDecision](), start, set[Key]()
    while not situation.dispute.closed:
        due = next_due(situation.dispute)
        if due is None:
            return tuple(way), _reason_to_wait(situation)
        if situation.key in seen_keys:
            return tuple(way), "stuck"
        seen_keys.add(situation.key)
        at = max(just_after(due[1]), situation.now)
        answer = next((one for one in situation.answers if _fires(one, due[0].expiry, at)), None)
        if answer is None or answer.leads_to is None:
            return tuple(way), "stuck"
        way.append(answer)
        situation = answer.leads_to
    return tuple(way), "closed"


def _fires(answer: ExploredDecision, event: CommandType, at: datetime) -> bool:
    return (
        answer.accepted
        and answer.command.type is event
        and answer.at == at
        and answer.order == PLAIN
    )


def _reason_to_wait(situation: Situation) -> str:
    place = situation.dispute.configuration
    if any(
        not is_on(deadline, situation.dispute.policy)
        for running in place.running
        for deadline in running
    ):
        return "off"
    moved = (
        answer
        for answer in situation.answers
        if answer.after is not None and answer.command.by.role is Role.ADJUDICATOR
    )
    return (
        "platform"
        if any(answer.after is not None and answer.after.path != place.path for answer in moved)
        else "stuck"
    )


@holds(
    "closed_stays_closed",
    "已结束的纠纷只接受撤销判责",
    "a closed dispute takes nothing but an annulment",
)
def closed_stays_closed(exploration: Exploration) -> Iterator[Violation]:
    """Find what is accepted after the end."""
    for answer in exploration.answers():
        before, after = answer.situation.dispute, answer.after
        if not before.closed or after is None:
            continue
        annuls = (
            before.outcome in LIABILITIES
            and answer.command.type is CommandType.ANNUL
            and answer.command.by.role is Role.ADJUDICATOR
        )
        if not annuls or after.outcome is not Outcome.ANNULLED or not after.closed:
            yield against(
                exploration,
                answer,
                "纠纷结束后仍发生变化",
                "something happens to a dispute that has ended",
            )


# ---- deadlines -----------------------------------------------------------------------------------


@holds(
    "deadline_is_inclusive",
    "恰在截止时刻的操作有效，届满事件只在其后生效",
    "a command at the due instant is in time, its expiry is accepted only after it",
)
def deadline_is_inclusive(exploration: Exploration) -> Iterator[Violation]:
    """Find what expires too early, what is late although it is in time, and what is taken although every region is late."""
    for situation in exploration.situations.values():
        dispute = situation.dispute
        for answer in situation.answers:
            deadline = answer.command.type.expires
            if (
                answer.accepted
                and deadline is not None
                and not (deadline in dispute.deadlines and dispute.deadlines[deadline] < answer.at)
            ):
                yield against(
                    exploration,
                    answer,
                    "时限未过，却按届满处理",
                    "it expires before its deadline has passed",
                )
            elif answer.accepted and deadline is None and _all_late(dispute, answer.at):
                yield against(
                    exploration, answer, "逾期的操作被接受", "it is accepted although it is late"
                )
        yield from _late_too_early(exploration, situation)


def _all_late(dispute: Dispute, at: datetime) -> bool:
    regions = dispute.running_regions
    return bool(regions) and all(
        running and max(dispute.deadlines[one] for one in running) < at for running in regions
    )


def _late_too_early(exploration: Exploration, situation: Situation) -> Iterator[Violation]:
    ahead = [due for due in situation.dispute.deadlines.values() if due >= situation.now]
    if not ahead:
        return
    first = min(ahead)
    taken = {
        _meant(answer) for answer in situation.answers if answer.accepted and answer.at == first
    }
    for answer in situation.answers:
        late = (
            answer.at == first and answer.complete and RefusalCode.DEADLINE_PASSED in answer.codes
        )
        in_time_now = late and any(
            other.accepted and other.at == situation.now and _meant(other) == _meant(answer)
            for other in situation.answers
        )
        if in_time_now and _meant(answer) not in taken:
            yield against(
                exploration,
                answer,
                "恰在截止时刻的操作被视为逾期",
                "at the due instant it counts as late",
            )


def _meant(answer: ExploredDecision) -> tuple[object, ...]:
    command = answer.command
    return (
        command.type,
        command.by,
        getattr(command, "option", None),
        getattr(command, "deadline", None),
    )


# ---- sweeps --------------------------------------------------------------------------------------


class _End(NamedTuple):
    """Who wins: the state, and for a penalty its liability; where a dispute is live, where it is."""

    state: StateName
    path: str
    outcome: Outcome | None


@holds(
    "sweeps_do_not_decide",
    "订单数据相同时，结果与何时处理届满无关",
    "given the same facts, who wins never depends on when sweeps ran",
)
def sweeps_do_not_decide(exploration: Exploration) -> Iterator[Violation]:
    """Put each command before and after the sweep of what has passed, at each moment: by steps, every interleaving is compared."""
    for situation in exploration.situations.values():
        if not situation.dispute.running:
            continue
        swept = dict[tuple[datetime, int], Situation]()
        for answer in situation.answers:
            if answer.after is None or not any(
                due < answer.at for due in situation.dispute.running.values()
            ):
                continue
            unswept = _end(
                _sweep(_situation(answer.after, situation), answer.at, answer.order).dispute
            )
            for at in sorted(
                {just_after(due) for due in situation.dispute.running.values() if due < answer.at}
                | {answer.at}
            ):
                if at > answer.at or at < situation.now:
                    continue
                mark = (at, id(answer.order))
                first = swept.get(mark)
                if first is None:
                    first = swept[mark] = _sweep(situation, at, answer.order)
                then = _then(first, answer)
                if not _same(
                    unswept, _end(then), parallel=len(situation.dispute.configuration.running) > 1
                ):
                    en = (
                        f"swept at {at:%m-%d %H:%M:%S} before it, the dispute ends "
                        f"{then.state.value} {then.outcome}"
                    )
                    zh = (
                        f"若先于 {at:%m-%d %H:%M:%S} 处理届满，结果则为：{then.state.zh}，"
                        f"{then.outcome.zh if then.outcome else '无结果'}"
                    )
                    yield against(exploration, answer, zh, en, Move(answer.at, answer.order, None))


def _then(first: Situation, answer: ExploredDecision) -> Dispute:
    """Ask the command where it was swept before, and sweep again."""
    after = first
    if first.dispute.last_at <= answer.at:
        put_again = _put(first, answer)
        after = first if put_again is None else _situation(put_again, first)
    return _sweep(after, answer.at, answer.order).dispute


def _put(situation: Situation, answer: ExploredDecision) -> Dispute | None:
    try:
        return put(situation, answer.command, answer.at, answer.order, None).after
    except FactsNeededError:
        return put(
            situation, answer.command, answer.at, answer.order, seen(answer.order, answer.at)
        ).after


def _sweep(situation: Situation, at: datetime, order: Order) -> Situation:
    """Fire what has passed, by due instant, as a sweep does; wrong rules may lead to where it was, and then it is over."""
    been = set[Key]()
    while (
        (due := next_due(situation.dispute)) is not None
        and due[1] < at
        and situation.key not in been
    ):
        been.add(situation.key)
        asked = EXPIRIES[due[0]]
        try:
            after = put(situation, asked, at, order, None).after
        except FactsNeededError:
            after = put(situation, asked, at, order, seen(order, at)).after
        if after is None:
            break
        situation = _situation(after, situation)
    return situation


def _situation(dispute: Dispute, before: Situation) -> Situation:
    return Situation(key_of(dispute), dispute, before.way)


def _end(dispute: Dispute) -> _End:
    return _End(dispute.state, dispute.path, dispute.outcome)


def _same(one: _End, other: _End, *, parallel: bool) -> bool:
    """Compare two ends; of two good ends side by side, either may come first."""
    if parallel and one.state is other.state is StateName.RESOLVED:
        return True
    return one == other
