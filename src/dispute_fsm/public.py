"""The names of `dispute_fsm`, imported when the first of them is used."""

from importlib import import_module
from typing import TYPE_CHECKING

from dispute_fsm.decider.decide import decide, open_dispute
from dispute_fsm.decider.decisions import Accepted, Refused, Repeated, Stale, Unchanged
from dispute_fsm.decider.dispute import Dispute, next_due
from dispute_fsm.decider.evaluate import evaluate, needs_facts
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.options import options
from dispute_fsm.domain.commands import DEFAULT_VERSION, SYSTEM, adjudicator, consumer, merchant
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Option,
    Outcome,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.reasons import (
    ActorUnlock,
    FactUnlock,
    NeverUnlock,
    PayloadUnlock,
    Reason,
    WaitUnlock,
)
from dispute_fsm.errors import (
    ConflictError,
    DisputeError,
    InputError,
    OrderSystemUnavailableError,
    StoreInvalidError,
    StoreUnavailableError,
    UnknownDisputeError,
)
from dispute_fsm.handler import Disputes, Expiry, Result
from dispute_fsm.orders import InMemoryOrderSystem, OrderSystem
from dispute_fsm.rules.checklist import checklist

if TYPE_CHECKING:
    from dispute_fsm.explain.explanation import explain_dispute
    from dispute_fsm.explain.values import Explanation
    from dispute_fsm.history.replay import replay
    from dispute_fsm.history.what_if import what_if
    from dispute_fsm.service import DisputeService
    from dispute_fsm.store.repository import Store

__all__ = [
    "DEFAULT_POLICY",
    "DEFAULT_VERSION",
    "SYSTEM",
    "Accepted",
    "ActorUnlock",
    "CommandType",
    "ConflictError",
    "Deadline",
    "Dispute",
    "DisputeError",
    "DisputeService",
    "Disputes",
    "EventType",
    "Expiry",
    "Explanation",
    "FactUnlock",
    "InMemoryOrderSystem",
    "InputError",
    "NeverUnlock",
    "Option",
    "Order",
    "OrderFacts",
    "OrderSystem",
    "OrderSystemUnavailableError",
    "Outcome",
    "PayloadUnlock",
    "Policy",
    "Reason",
    "RefusalCode",
    "Refused",
    "Repeated",
    "Result",
    "Role",
    "Stale",
    "StateName",
    "Store",
    "StoreInvalidError",
    "StoreUnavailableError",
    "Unchanged",
    "UnknownDisputeError",
    "WaitUnlock",
    "adjudicator",
    "begin",
    "checklist",
    "consumer",
    "decide",
    "evaluate",
    "evolve",
    "explain_dispute",
    "merchant",
    "needs_facts",
    "next_due",
    "open_dispute",
    "options",
    "replay",
    "what_if",
]

_LATER = {
    "DisputeService": "dispute_fsm.service",
    "Explanation": "dispute_fsm.explain.values",
    "Store": "dispute_fsm.store.repository",
    "explain_dispute": "dispute_fsm.explain.explanation",
    "replay": "dispute_fsm.history.replay",
    "what_if": "dispute_fsm.history.what_if",
}
"""The names that no decision needs, each with its module: imported when they are first used."""


def __getattr__(name: str) -> object:
    """Import a name of `_LATER`. Raises `ImportError` where the extra `sql` is not installed."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_LATER[name]), name)
    except ModuleNotFoundError as missing:
        raise ImportError(
            f"{name} needs {missing.name}, which is not installed: pip install 'dispute-fsm[sql]'"
        ) from missing
