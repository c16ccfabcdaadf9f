"""Deciding a recorded command again, under what was recorded: the facts, the time, the policy, the rule version.

What went in is taken from the event; what came out is compared with it, member by member.
"""

from collections.abc import Mapping, Sequence

from dispute_fsm.decider.conclude import Conclusion, conclude, conclude_opening
from dispute_fsm.decider.decisions import Reason
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.hash_chain import erased, reveal
from dispute_fsm.domain.commands import COMMAND_CLASSES, Command, OpenDispute
from dispute_fsm.domain.enums import Labelled, RefusalCode
from dispute_fsm.domain.events import AuditEvent, DisputeOpened
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import FrozenMap, Named, Strict
from dispute_fsm.errors import FactsNeededError, StaleFactsError
from dispute_fsm.history.difference import Change, Difference, Drift, compare, no_event
from dispute_fsm.rules.registry import rule_version

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
    return COMMAND_CLASSES[event.command].model_construct(by=event.actor, key=event.key, **reveal(event))  # an event is valid


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
        rollout=event.payload.rollout if rules == event.rules else None,  # other rules are nobody's decision
    )


def redecide(before: Dispute | None, event: AuditEvent, policy: Policy) -> Difference | Undetermined | None:
    """Decide an event's command again, for the dispute as it stood before; None where the same comes of it."""
    if isinstance(event, DisputeOpened):
        return _open_again(event, policy)
    if before is None:
        raise ValueError(f"event {event.seq} is no opening, so a dispute comes before it")
    try:
        judgement, found = conclude(before, asked(event), event.facts, event.at)
    except (FactsNeededError, StaleFactsError) as error:
        return _unfit_facts(event, error)
    if words_missing(event, judgement.earlier):
        return Undetermined(seq=event.seq, missing=Missing.WORDS)
    if found is not None:
        return compare(event, found)
    return no_event(event, instead(judgement.reasons, judgement.earlier), judgement.reasons)


def words_missing(event: AuditEvent, earlier: AuditEvent | None) -> bool:
    """Tell whether a key that was refused then looks like a repetition of an earlier event only because personal data was erased."""
    return earlier is not None and RefusalCode.KEY_REUSED in event.refused and (erased(earlier) or erased(event))


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
    change = Change(field="facts", recorded=None if event.facts is None else event.facts.model_dump(mode="json"), now=str(error))
    return _plainly(event, Drift.FACTS, change)


def _plainly(event: AuditEvent, drift: Drift, change: Change) -> Difference:
    return Difference(seq=event.seq, drift=drift, command=event.command, guard=None, saw_then=None, saw_now=None, changes=(change,))
