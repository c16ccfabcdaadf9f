"""A violation as a scenario file: the shortest path to it, for `dispute-fsm run` and for people.

The steps and the end expect what the wrong rules do. So the scenario passes as long as the rules
are wrong, and fails once they are corrected.
"""

from typing import Any

import yaml

from dispute_fsm.domain.commands import Command
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.scenarios.reader import SUFFIX, parse_scenario
from dispute_fsm.scenarios.runner import ScenarioResult, run_scenario
from dispute_fsm.scenarios.update import update_expectations
from dispute_fsm.verify.messages import COMMENT
from dispute_fsm.verify.properties import Property, Violation
from dispute_fsm.verify.representatives import OPENED_AT, PLAIN

_WIDTH = 10_000
"""The line width of the YAML: no text is wrapped."""


def scenario_text(violated: Property, violation: Violation) -> str:
    """Write a violation as a scenario file that expects what the current rules do."""
    title, wrong = violated.sentence, violation.wrong
    comment = "".join(
        COMMENT.format(lang, id=violated.id, title=title.label(lang), wrong=wrong.label(lang))
        for lang in ("en", "zh")
    )
    content = _scenario(f"{violated.id}: {wrong.en}", violation)
    text = comment + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=_WIDTH)
    return update_expectations(text, run_text(text), change=False)


def run_text(text: str) -> ScenarioResult:
    """Run the text of a counterexample."""
    return run_scenario(parse_scenario(text, f"counter-example{SUFFIX}"))


def file_name(violated: Property, rules: str) -> str:
    """Return the name of the file for a counterexample."""
    return f"{rules}-{violated.id.replace('_', '-')}{SUFFIX}"


def _scenario(title: str, violation: Violation) -> dict[str, Any]:
    exploration, current = violation.exploration, PLAIN
    steps: list[dict[str, Any]] = []
    for at, order, command in violation.path:
        if order != current:
            # A missing fact is null, which removes the fact before it.
            facts = dict.fromkeys(Order.model_fields) | order.model_dump(
                mode="json", exclude_none=True
            )
            steps.append({"at": format_instant(at), "order": facts})
            current = order
        steps.append({"at": format_instant(at), **_step(command)})
    content: dict[str, Any] = {"title": title, "rules": exploration.version.id}
    record = exploration.policy.record
    default = exploration.version.policy(DEFAULT_POLICY).record
    if changes := {name: term for name, term in record.items() if term != default[name]}:
        content["policy"] = changes
    return {
        **content,
        "dispute": {"opened_at": format_instant(OPENED_AT)},
        "order": PLAIN.model_dump(mode="json", exclude_none=True),
        "steps": steps,
    }


def _step(command: Command | None) -> dict[str, Any]:
    if command is None:
        return {"do": "sweep"}
    step: dict[str, Any] = {"do": command.type.value, "by": command.by.model_dump(mode="json")}
    if command.key is not None:
        step["key"] = command.key
    members = command.model_dump(mode="json", exclude={"by", "key"}, exclude_none=True)
    if payload := {name: member for name, member in members.items() if member != []}:
        step["with"] = payload
    return step
