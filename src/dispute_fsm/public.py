"""What the package offers by the name `dispute_fsm` itself; imported when the first of these names is asked for."""

from dispute_fsm.charts.registry import DEFAULT_VERSION, VERSIONS, RuleVersion, rule_version
from dispute_fsm.desk import SYSTEM, Answer, Desk, fresh_stamp
from dispute_fsm.dispute.chain import Stamp, reveal
from dispute_fsm.dispute.conclude import Opening, opening_needs_facts
from dispute_fsm.dispute.decide import decide, open_dispute
from dispute_fsm.dispute.dispute import Dispute, next_due
from dispute_fsm.dispute.events import EVENT, AuditEvent, Event
from dispute_fsm.dispute.evolve import begin, evolve
from dispute_fsm.dispute.judge import needs_facts
from dispute_fsm.dispute.options import OptionView, options
from dispute_fsm.dispute.refusals import Accepted, Decision, Reason, Refused, Repeated, Unchanged
from dispute_fsm.errors import (
    ChartError,
    ClockWentBackError,
    DisputeError,
    FactsNeededError,
    ImpossibleEventError,
    InputError,
    IntegrityError,
    OrderSystemUnavailableError,
    StaleFactsError,
)
from dispute_fsm.history.difference import Difference, Drift
from dispute_fsm.history.read import Fault, Step, steps
from dispute_fsm.history.replay import Replayed, replay
from dispute_fsm.history.whatif import Question, Verdict, WhatIf, what_if
from dispute_fsm.history.write import write_history
from dispute_fsm.order_system import InMemoryOrderSystem, OrderSystem
from dispute_fsm.rules.commands import Actor, ChooseOption, Command, ExtendDeadline, RequestEvidence, Ruling, SubmitEvidence, Voucher
from dispute_fsm.rules.evidence import Checklist, checklist
from dispute_fsm.rules.facts import CancelRequest, Order, OrderFacts, Pickup, Refund, Shipment
from dispute_fsm.rules.findings import ActorUnlock, FactUnlock, NeverUnlock, PayloadUnlock, Unlock, WaitUnlock
from dispute_fsm.rules.policy import DEFAULT_POLICY, Policy
from dispute_fsm.rules.rollout import Rollout, RolloutDecision
from dispute_fsm.rules.vocabulary import (
    CommandType,
    Deadline,
    EventType,
    Option,
    Outcome,
    RefusalCode,
    Role,
    RolloutReason,
    StateName,
    VoucherKind,
)

__all__ = [
    "DEFAULT_POLICY",
    "DEFAULT_VERSION",
    "EVENT",
    "SYSTEM",
    "VERSIONS",
    "Accepted",
    "Actor",
    "ActorUnlock",
    "Answer",
    "AuditEvent",
    "CancelRequest",
    "ChartError",
    "Checklist",
    "ChooseOption",
    "ClockWentBackError",
    "Command",
    "Deadline",
    "Decision",
    "Desk",
    "Difference",
    "Dispute",
    "DisputeError",
    "Drift",
    "Event",
    "CommandType",
    "EventType",
    "ExtendDeadline",
    "FactUnlock",
    "FactsNeededError",
    "Fault",
    "ImpossibleEventError",
    "InMemoryOrderSystem",
    "InputError",
    "IntegrityError",
    "NeverUnlock",
    "Opening",
    "Option",
    "OptionView",
    "Order",
    "OrderFacts",
    "OrderSystem",
    "OrderSystemUnavailableError",
    "Outcome",
    "PayloadUnlock",
    "Pickup",
    "Policy",
    "Question",
    "Reason",
    "Refund",
    "RefusalCode",
    "Refused",
    "Repeated",
    "Replayed",
    "RequestEvidence",
    "Role",
    "Rollout",
    "RolloutDecision",
    "RolloutReason",
    "RuleVersion",
    "Ruling",
    "Shipment",
    "StaleFactsError",
    "Stamp",
    "StateName",
    "Step",
    "SubmitEvidence",
    "Unchanged",
    "Unlock",
    "Verdict",
    "Voucher",
    "VoucherKind",
    "WaitUnlock",
    "WhatIf",
    "begin",
    "checklist",
    "decide",
    "evolve",
    "fresh_stamp",
    "needs_facts",
    "next_due",
    "open_dispute",
    "opening_needs_facts",
    "options",
    "replay",
    "reveal",
    "rule_version",
    "steps",
    "what_if",
    "write_history",
]
