"""Write scenario files: the parts of one, as plain values in the format's own shape."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import yaml

from dispute_fsm.domain.commands import Command
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY, TERM_FIELDS, Policy
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.rules.registry import rule_version

_WIDTH = 10_000
"""The line width of the YAML: no text is wrapped."""


def yaml_text(content: Mapping[str, Any]) -> str:
    """Return a scenario as YAML, its members in their order."""
    return yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False, width=_WIDTH)


def policy_changes(policy: Policy, rules: str) -> dict[str, Any]:
    """Return what is laid over the default policy of a rule version to make this one.

    Raises `InputError` for an unknown rule version.
    """
    return _changes(rule_version(rules).policy(DEFAULT_POLICY).record, policy.record)


def _changes(default: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = dict.fromkeys(default.keys() - record.keys())
    for name, value in record.items():
        was = default.get(name)
        if value == was:
            continue
        if isinstance(value, dict) and isinstance(was, dict) and name not in TERM_FIELDS:
            changes[name] = _changes(was, value)
        else:
            changes[name] = value
    return changes


def order_step(at: datetime, order: Order) -> dict[str, Any]:
    """Return the step after which the order system shows just these facts."""
    # A missing fact is null, which removes the fact before it.
    facts = dict.fromkeys(Order.model_fields) | order.model_dump(mode="json", exclude_none=True)
    return {"at": format_instant(at), "order": facts}


def command_step(at: datetime, command: Command, by: object) -> dict[str, Any]:
    """Return the step in which somebody sends a command; `by` is written as it is given."""
    step: dict[str, Any] = {"at": format_instant(at), "do": command.type.value, "by": by}
    if command.key is not None:
        step["key"] = command.key
    members = command.model_dump(mode="json", exclude={"by", "key"}, exclude_none=True)
    if payload := {name: member for name, member in members.items() if member != []}:
        step["with"] = payload
    return step
