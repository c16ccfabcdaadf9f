"""Deciding a recorded command again, under what was recorded: the facts, the time, the policy, the rule version.

What went in is taken from the event; what came out is compared with it, member by member. A
difference has its class, the guard that makes it, and what that saw.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from pydantic import JsonValue

from dispute_fsm.decider.decide import Conclusion, RecordedCheck, conclude, conclude_opening
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.hash_chain import erased, reveal
from dispute_fsm.domain.commands import COMMAND_CLASSES, Command, OpenDispute
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, Labelled, RefusalCode
from dispute_fsm.domain.events import AuditEvent, Check, DisputeOpened
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.reasons import Reason
from dispute_fsm.domain.scalars import FrozenMap, Named, Series, Strict, format_instant
from dispute_fsm.errors import FactsNeededError, StaleFactsError
from dispute_fsm.machine.guard import Seen
from dispute_fsm.rules.guards.timing import has_passed
from dispute_fsm.rules.registry import rule_version


class Drift(Labelled):
    """The classes of difference, the weightiest first."""

    OUTCOME = "outcome", "下一状态或结果不同", "different state or outcome"
    NEWLY_REFUSED = "newly_refused", "原已受理，现被拒绝", "now refused"
    NEWLY_ACCEPTED = "newly_accepted", "原被拒绝，现可受理", "now accepted"
    FACTS = "facts", "按记录的订单数据无法复核", "cannot be decided again on its facts"
    DEADLINE = "deadline", "时限不同", "deadline changed"
    CHART = "chart", "规则状态图有改动", "the rule version's chart was changed"
    EXPLANATION = "explanation", "仅说明文字不同", "only the explanation is another"


class Change(Strict):
    """One member of an event: what was recorded, and what it would be now."""

    field: str
    recorded: JsonValue
    now: JsonValue


class Difference(Strict):
    """One step that differs.

    `seq` is the recorded event at which it shows, `guard` the one that makes the difference or
    decided last, and `saw_then` and `saw_now` what it looked at (null where it was not asked).
    """

    seq: int
    drift: Named[Drift]
    command: Named[CommandType]
    guard: str | None
    saw_then: dict[str, JsonValue] | None
    saw_now: dict[str, JsonValue] | None
    changes: Series[Change]


_COMPARED = ("type", "target", "deadlines", "outcome", "refused")

Answer = Check | RecordedCheck
"""One guard's answer, as it was recorded or as it is found anew."""


def compare(event: AuditEvent, found: Conclusion | AuditEvent) -> Difference | None:
    """Compare an event with what its decision comes to now; None where nothing differs.

    Of two refusals only the reasons are compared: where the dispute stands meanwhile is not their
    doing.
    """
    changes = tuple(_changes(event, found))
    if not changes:
        return None
    drift = _drift(event, found)
    if drift is Drift.DEADLINE:
        deadline = next(d for d in Deadline if event.deadlines.get(d) != found.deadlines.get(d))
        return another_due(
            event, deadline, event.deadlines.get(deadline), found.deadlines.get(deadline), changes
        )
    return _difference(event, drift, found.checks, changes)


def no_event(event: AuditEvent, instead: str, reasons: Sequence[Reason] = ()) -> Difference:
    """Say that nothing would be recorded now; `instead` is what comes of the command, `reasons` why it would be refused."""
    drift = (
        Drift.NEWLY_REFUSED
        if _accepted(event)
        else Drift.EXPLANATION
        if reasons
        else Drift.NEWLY_ACCEPTED
    )
    answers = [RecordedCheck(reason.guard, passed=False, saw=reason.saw) for reason in reasons]
    return _difference(
        event, drift, answers, (Change(field="type", recorded=event.type.value, now=instead),)
    )


def another_due(
    event: AuditEvent,
    deadline: Deadline,
    then: datetime | None,
    now: datetime | None,
    changes: tuple[Change, ...],
) -> Difference:
    """Say that a deadline has another due instant; its guard is the one that asks whether it has passed."""
    return Difference(
        seq=event.seq,
        drift=Drift.DEADLINE,
        command=event.command,
        guard=has_passed(deadline).name,
        saw_then={deadline.value: _plain(then)},
        saw_now={deadline.value: _plain(now)},
        changes=changes,
    )


def expired_before(event: AuditEvent, deadline: Deadline, expiry: AuditEvent) -> Difference:
    """Say that a deadline would have expired before this event, which nobody recorded."""
    changes = tuple(
        Change(field=name, recorded=None, now=_plain(value))
        for name, value in (("target", expiry.target), ("outcome", expiry.outcome))
    )
    guard = next(answer for answer in expiry.checks if answer.guard == has_passed(deadline).name)
    return Difference(
        seq=event.seq,
        drift=Drift.OUTCOME,
        command=expiry.command,
        guard=guard.guard,
        saw_then=None,
        saw_now=_seen(guard),
        changes=changes,
    )


def _accepted(event: AuditEvent) -> bool:
    return event.type is not EventType.REFUSED


def _drift(event: AuditEvent, found: Conclusion | AuditEvent) -> Drift:
    accepted = found.type is not EventType.REFUSED
    if _accepted(event) is not accepted:
        return Drift.NEWLY_ACCEPTED if accepted else Drift.NEWLY_REFUSED
    if accepted and (event.type, event.target, event.outcome) != (
        found.type,
        found.target,
        found.outcome,
    ):
        return Drift.OUTCOME
    return Drift.DEADLINE if accepted and event.deadlines != found.deadlines else Drift.EXPLANATION


def _changes(event: AuditEvent, found: Conclusion | AuditEvent) -> Iterator[Change]:
    refusals = event.type is found.type is EventType.REFUSED
    for name in ("refused",) if refusals else _COMPARED:
        recorded, now = getattr(event, name), getattr(found, name)
        if recorded != now:
            yield Change(field=name, recorded=_plain(recorded), now=_plain(now))
    if event.facts is not found.facts and event.facts != found.facts:
        yield Change(field="facts", recorded=event.facts is not None, now=found.facts is not None)
    if not _answered_alike(event, found):
        yield Change(field="checks", recorded=_told(event.checks), now=_told(found.checks))


def _answered_alike(event: AuditEvent, found: Conclusion | AuditEvent) -> bool:
    if (
        isinstance(found, Conclusion) and not found.reasons
    ):  # as most are: no need to write the answers as they are recorded
        return len(event.checks) == len(found.answers) and all(
            check.guard == guard.recorded
            and check.passed is finding.passed
            and _saw_alike(check.saw, finding.saw)
            for check, (guard, finding) in zip(event.checks, found.answers, strict=True)
        )
    return len(event.checks) == len(found.checks) and all(map(_same, event.checks, found.checks))


def _same(then: Answer, now: Answer) -> bool:
    return then.guard == now.guard and then.passed is now.passed and _saw_alike(then.saw, now.saw)


def _saw_alike(then: Mapping[str, Seen], now: Mapping[str, Seen]) -> bool:
    """Compare what was seen; 1 equals true in Python, and is another thing here."""
    if then != now:
        return False
    in_one_order = list(map(type, then.values())) == list(map(type, now.values()))
    return in_one_order or all(type(then[name]) is type(value) for name, value in now.items())


def _difference(
    event: AuditEvent, drift: Drift, now: Sequence[Answer], changes: tuple[Change, ...]
) -> Difference:
    name = _decisive(event.checks, now, drift)
    saw_then, saw_now = (
        next((_seen(answer) for answer in answers if answer.guard == name), None)
        for answers in (event.checks, now)
    )
    return Difference(
        seq=event.seq,
        drift=drift,
        command=event.command,
        guard=name,
        saw_then=saw_then,
        saw_now=saw_now,
        changes=changes,
    )


def _decisive(then: Sequence[Answer], now: Sequence[Answer], drift: Drift) -> str | None:
    """Name the guard that makes the difference: the first that answers otherwise, else that saw otherwise, else the last one asked.

    Where a command leads elsewhere, the questions that select its row come before guards that only
    saw otherwise.
    """
    was, is_now = ({answer.guard: answer for answer in answers} for answers in (then, now))
    names = list(is_now | was)
    if drift is Drift.OUTCOME:  # a question is recorded with its answer under its own name
        names.sort(key=lambda name: name not in (is_now.get(name) or was[name]).saw)
    no_longer_alike = (
        name for name in names if _passes(was.get(name)) is not _passes(is_now.get(name))
    )
    seen_otherwise = (
        name
        for name in names
        if name in was and name in is_now and not _same(was[name], is_now[name])
    )
    in_one_only = (name for name in names if (name in was) is not (name in is_now))
    last_asked = iter(list(is_now or was)[-1:])
    return next(
        (
            name
            for found in (no_longer_alike, seen_otherwise, in_one_only, last_asked)
            for name in found
        ),
        None,
    )


def _passes(answer: Answer | None) -> bool:
    """Whether a guard lets pass; one that is not asked does."""
    return answer is None or answer.passed


def _told(answers: Sequence[Answer]) -> JsonValue:
    return [
        {"guard": answer.guard, "passed": answer.passed, "saw": _seen(answer)} for answer in answers
    ]


def _seen(answer: Answer) -> dict[str, JsonValue]:
    return {name: _plain(value) for name, value in answer.saw.items()}


def _plain(value: object) -> JsonValue:
    """Write a member of an event as JSON has it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(member) for name, member in value.items()}
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    if isinstance(value, datetime):
        return format_instant(value)
    return value if isinstance(value, bool | int) or value is None else str(value)


BY_FOLDING: Mapping[str, str] = FrozenMap(
    {
        "dispute_id": "all events of one dispute have its id",
        "seq": "counts the events",
        "revision": "counts the accepted ones",
        "source": "is where the dispute stood",
        "rules": "is the opening's",
        "policy": "is the opening's, and the digest of a policy record",
        "prev_hash": "is the hash of the event before",
        "hash": "fits the event",
        "private": "fits the commitments",
        "schema_version": "is one that can be read",
    }
)
"""Members that reading and folding check."""

GIVEN: Mapping[str, str] = FrozenMap(
    {
        "at": "when it was asked",
        "actor": "who asked",
        "command": "what was asked",
        "payload": "what it said; an erased value counts by its length",
        "key": "under which idempotency key",
        "order_id": "what the opening named",
        "merchant_id": "what the opening named",
        "consumer_id": "what the opening named",
    }
)
"""Members that go into the decision as they were recorded."""

DECIDED_AGAIN = ("type", "target", "checks", "facts", "deadlines", "outcome", "refused", "chart")
"""Members that come out of the decision and are compared; of the facts, whether they were looked at."""

NOT_COMPARED: Mapping[str, str] = FrozenMap(
    {
        "event_id": "an id of the host's making; nothing follows from it",
        "recorded_at": "when the host wrote it down; decisions rest on `at` alone",
        "correlation_id": "the host's own",
        "package": "says which version wrote it; a newer one may read it",
    }
)
"""Members that no replay can or need find again, and why."""


class Missing(Labelled):
    """What nobody recorded, so that a decision cannot be made again."""

    FACTS = "facts", "缺少当时的订单数据", "what the order system would have shown"
    WORDS = "words", "原文已清除", "personal data that was erased"
    ANSWERS = "answers", "无从得知此后各方的答复", "what the parties would have answered"


class Undetermined(Strict):
    """A step that cannot be decided from what was recorded."""

    seq: int
    missing: Named[Missing]


def asked(event: AuditEvent) -> Command:
    """Return the command that an event records; erased words come back as others of the same length."""
    return COMMAND_CLASSES[event.command].model_construct(
        by=event.actor, key=event.key, **reveal(event)
    )  # an event is valid


def opening_asked(event: DisputeOpened, policy: Policy, rules: str) -> OpenDispute:
    """Return the opening that an event records, as if it were asked under this policy and these rules."""
    return OpenDispute.model_construct(  # an event and a policy are valid
        dispute_id=event.dispute_id,
        order_id=event.order_id,
        merchant_id=event.merchant_id,
        consumer_id=event.consumer_id,
        by=event.actor,
        rules=rules,
        policy=policy,
        key=event.key,
        rollout=event.payload.rollout
        if rules == event.rules
        else None,  # other rules are nobody's decision
    )


def redecide(
    before: Dispute | None, event: AuditEvent, policy: Policy
) -> Difference | Undetermined | None:
    """Decide an event's command again, for the dispute as it stood before; None where the same comes of it."""
    if isinstance(event, DisputeOpened):
        return _open_again(event, policy)
    if before is None:
        raise ValueError(f"event {event.seq} is no opening, so a dispute comes before it")
    try:
        evaluation, found = conclude(before, asked(event), event.facts, event.at)
    except (FactsNeededError, StaleFactsError) as error:
        return _unfit_facts(event, error)
    if words_missing(event, evaluation.earlier):
        return Undetermined(seq=event.seq, missing=Missing.WORDS)
    if found is not None:
        return compare(event, found)
    return no_event(event, instead(evaluation.reasons, evaluation.earlier), evaluation.reasons)


def words_missing(event: AuditEvent, earlier: AuditEvent | None) -> bool:
    """Tell whether a key that was refused then looks like a repetition of an earlier event only because personal data was erased."""
    return (
        earlier is not None
        and RefusalCode.KEY_REUSED in event.refused
        and (erased(earlier) or erased(event))
    )


def instead(reasons: Sequence[Reason], earlier: AuditEvent | None) -> str:
    """Name what comes of a command of which nothing is recorded."""
    return "refused, not recorded" if reasons else "unchanged" if earlier is None else "repeated"


def _open_again(event: DisputeOpened, policy: Policy) -> Difference | None:
    opening = opening_asked(event, policy, event.rules)
    try:
        found = conclude_opening(opening, event.facts, event.at)
    except StaleFactsError as error:
        return _unfit_facts(event, error)
    if not isinstance(found, Conclusion):
        return no_event(event, "refused", found)
    return compare(event, found) or _another_chart(event)


def _another_chart(event: DisputeOpened) -> Difference | None:
    digest = rule_version(event.rules).table.digest
    if event.chart == digest:
        return None
    return _plainly(event, Drift.CHART, Change(field="chart", recorded=event.chart, now=digest))


def _unfit_facts(event: AuditEvent, error: Exception) -> Difference:
    change = Change(
        field="facts",
        recorded=None if event.facts is None else event.facts.model_dump(mode="json"),
        now=str(error),
    )
    return _plainly(event, Drift.FACTS, change)


def _plainly(event: AuditEvent, drift: Drift, change: Change) -> Difference:
    return Difference(
        seq=event.seq,
        drift=drift,
        command=event.command,
        guard=None,
        saw_then=None,
        saw_now=None,
        changes=(change,),
    )
