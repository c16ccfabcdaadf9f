"""A violation as a scenario file: the shortest path to it, for `dispute-fsm run` and for people.

The steps and the end expect what the wrong rules do. So the scenario passes as long as the rules
are wrong, and fails once they are corrected.
"""

from typing import Any

from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.scenarios.reader import SUFFIX, parse_scenario
from dispute_fsm.scenarios.runner import ScenarioResult, run_scenario
from dispute_fsm.scenarios.update import update_expectations
from dispute_fsm.scenarios.writer import command_step, order_step, policy_changes, yaml_text
from dispute_fsm.verify.messages import COMMENT
from dispute_fsm.verify.properties import Property, Violation
from dispute_fsm.verify.representatives import OPENED_AT, PLAIN


def scenario_text(violated: Property, violation: Violation) -> str:
    """Write a violation as a scenario file that expects what the current rules do."""
    title, wrong = violated.sentence, violation.wrong
    comment = "".join(
        COMMENT.format(lang, id=violated.id, title=title.label(lang), wrong=wrong.label(lang))
        for lang in ("en", "zh")
    )
    content = _scenario(f"{violated.id}: {wrong.en}", violation)
    text = comment + yaml_text(content)
    return update_expectations(text, run_text(text), change=False)


def run_text(text: str) -> ScenarioResult:
    """Run the text of a counterexample."""
    return run_scenario(parse_scenario(text, f"counter-example{SUFFIX}"))


def file_name(violated: Property, rules: str) -> str:
    """Return the name of the file for a counterexample."""
    return f"{rules}-{violated.id.replace('_', '-')}{SUFFIX}"


def _scenario(title: str, violation: Violation) -> dict[str, Any]:
    exploration, current = violation.exploration, PLAIN
    rules = exploration.version.id
    steps: list[dict[str, Any]] = []
    for at, order, command in violation.path:
        if order != current:
            steps.append(order_step(at, order))
            current = order
        if command is None:
            steps.append({"at": format_instant(at), "do": "sweep"})
        else:
            steps.append(command_step(at, command, command.by.model_dump(mode="json")))
    content: dict[str, Any] = {"title": title, "rules": rules}
    if changes := policy_changes(exploration.policy, rules):
        content["policy"] = changes
    return {
        **content,
        "dispute": {"opened_at": format_instant(OPENED_AT)},
        "order": PLAIN.model_dump(mode="json", exclude_none=True),
        "steps": steps,
    }
