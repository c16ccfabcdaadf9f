"""Properties of single answers: each question has one, a refusal has reasons that help and changes nothing, nor does a repetition."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from dispute_fsm.decider.decide import decide
from dispute_fsm.decider.decisions import Accepted, Refused, Repeated
from dispute_fsm.decider.evaluate import Evaluation, evaluate, hinted
from dispute_fsm.decider.evolve import evolve
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import Actor, ChooseOption, Command, ExtendDeadline
from dispute_fsm.domain.enums import CommandType, RefusalCode
from dispute_fsm.domain.reasons import (
    ActorUnlock,
    FactUnlock,
    NeverUnlock,
    PayloadUnlock,
    Reason,
    WaitUnlock,
)
from dispute_fsm.errors import FactsNeededError
from dispute_fsm.verify.property import Move, Violation, against, holds
from dispute_fsm.verify.representatives import EVERYTHING, OWN, PLAIN
from dispute_fsm.verify.state_space import (
    Exploration,
    ExploredDecision,
    Situation,
    key_of,
    put,
    seen,
    shape_of,
)

_OUT_OF_PLACE = frozenset({RefusalCode.NOT_IN_THIS_STATE, RefusalCode.DEADLINE_PASSED})
_SECOND = timedelta(seconds=1)
_MOST_HINTS = 12  # longer than any way through a chart


@holds(
    "one_answer",
    "每个请求恰有一个结论：不会无规则可依，也不会有两条规则同时适用",
    "every question has exactly one answer: no gap, no overlap",
)
def one_answer(exploration: Exploration) -> Iterator[Violation]:
    """Find where no row applies although one must, or two do."""
    table = exploration.version.table
    for answer in exploration.answers():
        if answer.evaluation is None:
            continue
        dispute, event, at = answer.situation.dispute, answer.command.type, answer.at
        if answer.accepted:
            rows = [
                row
                for row in table.transitions[dispute.path, event]
                if _applies(row.when, answer) and _applies(row.when_facts, answer)
            ]
            if len(rows) > 1:
                yield against(
                    exploration, answer, "有两条规则同时适用", f"{len(rows)} rows apply at once"
                )
        elif not answer.evaluation.reasons and event is not CommandType.OBSERVE_ORDER:
            yield against(
                exploration,
                answer,
                "既未接受，也未说明拒绝原因",
                "neither accepted nor refused with a reason",
            )
        elif (
            (deadline := event.expires) is not None
            and deadline in dispute.running
            and dispute.running[deadline] < at
            and RefusalCode.WRONG_ACTOR not in answer.codes
        ):
            yield against(
                exploration,
                answer,
                "时限已过，但没有届满规则适用",
                "the deadline has passed, and no row acts on that",
            )
        elif (
            isinstance(chosen := answer.command, ChooseOption)
            and answer.complete
            and answer.order == EVERYTHING
        ):
            offered = chosen.option in exploration.version.options and dispute.path == table.initial
            if offered and at == answer.situation.now and not answer.situation.way:
                yield against(
                    exploration,
                    answer,
                    "提供了该方案，却没有规则适用",
                    "the option is offered, and no row takes it",
                )


def _applies(selectors: tuple[Any, ...], answer: ExploredDecision) -> bool:
    return all(selector.check(answer.judged.case) for selector in selectors)


@holds(
    "refusal_explains",
    "拒绝不改变任何状态，且必有原因",
    "a refusal changes nothing and has a reason",
)
def refusal_explains(exploration: Exploration) -> Iterator[Violation]:
    """Find refusals without words, and those that leave a trace in more than the record of refusals."""
    known = set[tuple[Any, ...]]()
    for answer in exploration.answers():
        if answer.evaluation is None or not answer.evaluation.reasons:
            continue
        dispute = answer.situation.dispute
        if (like := (dispute.path, answer.command.type, answer.codes)) in known:
            continue
        known.add(like)
        decision = decide(
            dispute,
            answer.command,
            answer.facts,
            answer.at,
            stamp=derived_stamp(answer.at, "D-1", dispute.seq + 1),
        )
        if not isinstance(decision, Refused) or not all(
            _said(reason) for reason in decision.reasons
        ):
            yield against(exploration, answer, "拒绝未说明原因", "the refusal does not say why")
            continue
        if (decision.event is None) == (exploration.policy.max_recorded_refusals > 0):
            yield against(
                exploration,
                answer,
                "拒绝未按规则参数留痕",
                "the refusal is not recorded as the policy says",
            )
        if decision.event is not None:
            after = evolve(dispute, decision.event)
            heard: dict[str, Any] = {
                "seq": after.seq,
                "last_at": after.last_at,
                "last_hash": after.last_hash,
                "refusals": after.refusals,
            }
            if after != replace(dispute, **heard):
                yield against(
                    exploration, answer, "拒绝改变了纠纷", "the refusal changed the dispute"
                )


def _said(reason: Reason) -> bool:
    return all(
        reason.text(lang) and reason.unlock.text(lang) for lang in ("zh", "en")
    ) and reason.text("zh") != reason.text("en")


@holds(
    "repetition_is_harmless",
    "重复已接受的请求不产生任何变化",
    "repeating an accepted command changes nothing",
)
def repetition_is_harmless(exploration: Exploration) -> Iterator[Violation]:
    """Send each command again under its key, at once and later, before and after what happens next."""
    known = set[tuple[Any, ...]]()
    for answer in exploration.answers():
        if answer.after is None or answer.judged.transition is None:
            continue
        dispute = answer.situation.dispute
        if (like := (shape_of(dispute), id(answer.judged.transition))) in known:
            continue
        known.add(like)
        keyed = answer.command.model_copy(update={"key": "k-1"})
        first = decide(
            dispute,
            keyed,
            answer.facts,
            answer.at,
            stamp=derived_stamp(answer.at, "D-1", dispute.seq + 1),
        )
        if not isinstance(first, Accepted):
            yield against(
                exploration,
                answer,
                "带请求编号的同一请求未被接受",
                "the same command under a key is not accepted",
            )
            continue
        after = evolve(dispute, first.event)
        if key_of(after) != key_of(answer.after):
            yield against(
                exploration,
                answer,
                "记录的事件与决定不符",
                "the event does not record what was decided",
            )
        for later in (answer.at, answer.at + 40 * _SECOND):
            again = decide(
                after, keyed, None, later, stamp=derived_stamp(later, "D-1", after.seq + 1)
            )
            if not isinstance(again, Repeated) or again.event != first.event:
                twice = (Move(answer.at, answer.order, keyed), Move(later, answer.order, keyed))
                yield against(
                    exploration,
                    answer.situation,
                    "重复的请求未得到同样的结果",
                    "sent again, it is not answered as the first time",
                    *twice,
                )


# ---- hints ---------------------------------------------------------------------------------------


@holds("hints_help", "按提示操作，确有帮助", "following an unlock hint helps")
def hints_help(exploration: Exploration) -> Iterator[Violation]:
    """Follow each hint of each refusal, in what it asks for: facts, the payload, waiting, somebody else."""
    known = set[tuple[Any, ...]]()
    for answer in exploration.answers():
        if answer.evaluation is None or not answer.evaluation.reasons:
            continue
        late = answer.at > answer.situation.now
        mark = (
            shape_of(answer.situation.dispute),
            answer.command.type,
            *_meant(answer.command),
            answer.codes,
            late,
        )
        if mark in known:
            continue
        known.add(mark)
        for reason in hinted(answer.situation.dispute, answer.evaluation):
            if not _helps(answer, reason):
                hint = {lang: reason.unlock.text(lang) for lang in ("zh", "en")}
                yield against(
                    exploration,
                    answer,
                    f"“{reason.code.zh}”的提示“{hint['zh']}”无效",
                    f"the hint of {reason.code.value}, “{hint['en']}”, does not help",
                )


@holds(
    "never_means_never",
    "提示“已无法变更”时，确实任何人都无法变更",
    "where a hint says that nothing helps, nobody can bring it about",
)
def never_means_never(exploration: Exploration) -> Iterator[Violation]:
    """Find commands that become possible although it was said that nothing would make them so."""
    possible = _possible(exploration)
    for answer in exploration.answers():
        situation = answer.situation
        if answer.at > situation.now or not _OUT_OF_PLACE.intersection(answer.codes):
            continue
        if id(situation) in possible.get((answer.command.type, *_meant(answer.command)), ()):
            for reason in hinted(situation.dispute, answer.judged):
                if isinstance(reason.unlock, NeverUnlock):
                    yield against(
                        exploration,
                        answer,
                        "提示已无法变更，实际仍可变更",
                        "nothing is said to help, but something does",
                    )


def _possible(exploration: Exploration) -> dict[tuple[Any, ...], set[int]]:
    """Give for each command the situations from which it can be brought about, found by going back from where it is accepted."""
    possible = dict[tuple[Any, ...], set[int]]()
    into: dict[int, list[Situation]] = {}
    for answer in exploration.answers():
        if answer.leads_to is not None:
            into.setdefault(id(answer.leads_to), []).append(answer.situation)
            possible.setdefault((answer.command.type, *_meant(answer.command)), set()).add(
                id(answer.situation)
            )
    for places in possible.values():
        ahead = list(places)
        while ahead:
            for before in into.get(ahead.pop(), ()):
                if id(before) not in places:
                    places.add(id(before))
                    ahead.append(id(before))
    return possible


def _meant(command: Command) -> tuple[Any, ...]:
    """Tell apart what is meant by commands of the same event: the option that is chosen, the deadline that is extended."""
    return (getattr(command, "option", None), getattr(command, "deadline", None))


def _helps(answer: ExploredDecision, reason: Reason) -> bool:
    unlock, situation = reason.unlock, answer.situation
    if isinstance(unlock, WaitUnlock):
        return reason.code not in _codes(situation, answer.command, unlock.until)
    if isinstance(unlock, ActorUnlock) and unlock.event is None:
        actor = OWN[unlock.role] if unlock.id is None else Actor(role=unlock.role, id=unlock.id)
        asked = answer.command.model_copy(update={"by": actor})
        return RefusalCode.WRONG_ACTOR not in _codes(situation, asked, answer.at)
    if isinstance(unlock, ActorUnlock):
        return _leads_there(situation, answer.command, answer.at, unlock)
    if isinstance(unlock, FactUnlock):
        return reason.code not in _codes(situation, answer.command, answer.at)
    if isinstance(unlock, PayloadUnlock):
        better = (
            other
            for other in situation.answers
            if other.complete
            and other.at == answer.at
            and other.command.type is answer.command.type
            and other.evaluation is not None
        )
        return any(
            reason.code not in other.codes
            for other in better
            if _mends(answer.command, other.command)
        )
    return True  # nothing is said to help; whether that is so, `never_means_never` finds out


def _mends(command: Command, other: Command) -> bool:
    """Tell whether another payload of the event still means the same; which option to choose instead is part of the mending."""
    if isinstance(command, ExtendDeadline) and isinstance(other, ExtendDeadline):
        return command.deadline is other.deadline
    return True


def _codes(situation: Situation, command: Command, at: datetime) -> tuple[RefusalCode, ...]:
    """Give the codes with which a command is refused, if it is, when the order system shows everything."""
    try:
        return put(situation, command, at, PLAIN, None).codes
    except FactsNeededError:
        return put(situation, command, at, EVERYTHING, seen(EVERYTHING, at)).codes


def _leads_there(
    situation: Situation,
    command: Command,
    at: datetime,
    unlock: ActorUnlock,
    left: int = _MOST_HINTS,
) -> bool:
    """Tell whether doing what the hint says, and what the next hints say, makes the command possible."""
    for answer in situation.answers:
        role = answer.command.by.role
        if (
            answer.leads_to is None
            or answer.command.type is not unlock.event
            or role is not unlock.role
            or answer.at < at
        ):
            continue
        there = answer.leads_to
        evaluation = _judged(there, command)
        if evaluation is None or not evaluation.reasons:
            return True
        if not _OUT_OF_PLACE.intersection(reason.code for reason in evaluation.reasons):
            if not there.dispute.closed:  # what it lacks now, the next hint says
                return True
            continue
        for reason in hinted(there.dispute, evaluation):
            further = reason.unlock
            if (
                left
                and isinstance(further, ActorUnlock)
                and _leads_there(there, command, there.now, further, left - 1)
            ):
                return True
    return False


def _judged(situation: Situation, command: Command) -> Evaluation | None:
    """Judge a command in a situation; None where facts decide, so that it is possible."""
    try:
        return evaluate(situation.dispute, command, None, situation.now)
    except FactsNeededError:
        return None
