"""A violation as a scenario file: the shortest way to what is wrong, that `dispute-fsm run` goes again and a person reads.

What the steps and the end expect is what the wrong rules do. So the file comes out well as long as
they are wrong, and shows with its first failure that they were mended.
"""

from typing import Any

import yaml

from dispute_fsm.domain.commands import content_as_json
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.scenarios.reader import SUFFIX, parse_scenario
from dispute_fsm.scenarios.runner import ScenarioResult, run_scenario
from dispute_fsm.scenarios.update import update_expectations
from dispute_fsm.verify.property import Move, Property, Violation
from dispute_fsm.verify.representatives import PLAIN

_WIDE = 10_000


def scenario_text(broken: Property, violation: Violation) -> str:
    """Write the violation as a scenario file, with what comes of it as expectations; the rules in force say what that is."""
    text = _comment(broken, violation) + yaml.safe_dump(
        _scenario(broken, violation), allow_unicode=True, sort_keys=False, width=_WIDE
    )
    return update_expectations(text, replayed(text), change=False)


def replayed(text: str) -> ScenarioResult:
    """Run the text of a counter-example."""
    return run_scenario(parse_scenario(text, f"counter-example{SUFFIX}"))


def file_name(broken: Property, rules: str) -> str:
    """Name the file of a property's counter-example."""
    return f"{rules}-{broken.id.replace('_', '-')}{SUFFIX}"


def _comment(broken: Property, violation: Violation) -> str:
    lines = (
        f"property {broken.id}: {broken.sentence.en}",
        f"wrong at the last step: {violation.wrong.en}",
        f"性质：{broken.sentence.zh}",
        f"最后一步的问题：{violation.wrong.zh}",
    )
    return "".join(f"# {line}\n" for line in lines)


def _scenario(broken: Property, violation: Violation) -> dict[str, Any]:
    exploration, shown = violation.exploration, PLAIN
    steps: list[dict[str, Any]] = []
    for move in violation.moves:
        if move.order != shown:
            steps.append({"at": format_instant(move.at), "order": _facts(move.order)})
            shown = move.order
        steps.append(_step(move))
    content: dict[str, Any] = {
        "title": f"{broken.id}: {violation.wrong.en}",
        "rules": exploration.version.id,
    }
    if changes := _difference(exploration.policy, DEFAULT_POLICY):
        content["policy"] = changes
    opened_at = next(iter(exploration.situations.values())).dispute.opening.at
    return {
        **content,
        "dispute": {"opened_at": format_instant(opened_at)},
        "order": _known(_facts(PLAIN)),
        "steps": steps,
    }


def _step(move: Move) -> dict[str, Any]:
    if move.command is None:
        return {"at": format_instant(move.at), "do": "sweep"}
    actor = move.command.by
    step: dict[str, Any] = {"at": format_instant(move.at), "do": move.command.type.value}
    step["by"] = {"role": actor.role.value, "id": actor.id}
    if move.command.key is not None:
        step["key"] = move.command.key
    if said := _known(content_as_json(move.command)):
        step["with"] = said
    return step


def _facts(order: Order) -> dict[str, Any]:
    """Write what the order shows; a fact that it does not show is null, which takes away what stood before."""
    return {
        name: _known(fact) if isinstance(fact, dict) else fact
        for name, fact in order.model_dump(mode="json").items()
    }


def _known(members: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing."""
    kept = {
        name: [_known(one) for one in member] if isinstance(member, list) else member
        for name, member in members.items()
    }
    return {name: member for name, member in kept.items() if member is not None and member != []}


def _difference(policy: Policy, base: Policy) -> dict[str, Any]:
    """Name what a policy lays over another: the fields of the top that differ."""
    mine, its = policy.record, base.record
    return {name: mine[name] for name in mine if mine[name] != its[name]}
