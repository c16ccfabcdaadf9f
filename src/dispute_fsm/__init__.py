"""Disputes about parcels that do not move (催单), as explicit state machines.

The merchant answers a dispute with exactly one of five responses; the order system's facts decide which are open, and
deadlines, the consumer and an adjudicator decide how it ends. `Desk` is where a host begins: it opens disputes, takes
commands and sweeps deadlines. Below it everything is pure: `decide` and `evolve` for hosts that want to see every step,
`options` and `checklist` for a merchant's page. A refusal is a value with codes; an exception means that the question
could not be put or answered.
"""

from dispute_fsm.charts.registry import DEFAULT_VERSION, VERSIONS, RuleVersion, rule_version
from dispute_fsm.desk import SYSTEM, Answer, Desk, fresh_stamp
from dispute_fsm.dispute.chain import Stamp
from dispute_fsm.dispute.decide import PACKAGE_VERSION, Opening, decide, open_dispute
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
from dispute_fsm.order_system import InMemoryOrderSystem, OrderSystem
from dispute_fsm.rules.commands import Actor, Command, Voucher
from dispute_fsm.rules.evidence import Checklist, checklist
from dispute_fsm.rules.facts import Order, OrderFacts
from dispute_fsm.rules.policy import DEFAULT_POLICY, Policy
from dispute_fsm.rules.vocabulary import Deadline, EventName, EventType, Option, Outcome, RefusalCode, Role, StateName

__version__ = PACKAGE_VERSION

__all__ = [
    "DEFAULT_POLICY",
    "DEFAULT_VERSION",
    "EVENT",
    "SYSTEM",
    "VERSIONS",
    "Accepted",
    "Actor",
    "Answer",
    "AuditEvent",
    "ChartError",
    "Checklist",
    "ClockWentBackError",
    "Command",
    "Deadline",
    "Decision",
    "Desk",
    "Dispute",
    "DisputeError",
    "Event",
    "EventName",
    "EventType",
    "FactsNeededError",
    "ImpossibleEventError",
    "InMemoryOrderSystem",
    "InputError",
    "IntegrityError",
    "Opening",
    "Option",
    "OptionView",
    "Order",
    "OrderFacts",
    "OrderSystem",
    "OrderSystemUnavailableError",
    "Outcome",
    "Policy",
    "Reason",
    "RefusalCode",
    "Refused",
    "Repeated",
    "Role",
    "RuleVersion",
    "StaleFactsError",
    "Stamp",
    "StateName",
    "Unchanged",
    "Voucher",
    "__version__",
    "begin",
    "checklist",
    "decide",
    "evolve",
    "fresh_stamp",
    "needs_facts",
    "next_due",
    "open_dispute",
    "options",
    "rule_version",
]
