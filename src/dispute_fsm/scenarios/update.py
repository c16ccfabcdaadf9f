"""Write expectations into the text of a scenario file; every other byte stays as it is."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

import yaml

from dispute_fsm.documents.yaml_text import read_nodes
from dispute_fsm.errors import InputError
from dispute_fsm.scenarios.model import Expect, ExpectEnd, Scenario
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import ScenarioResult, StepResult, mismatches, run_scenario

Edit = tuple[int, int, str]
"""The start and the end of a part of the text, and its replacement."""

_NOT_POSSIBLE = "cannot add the expectations without changing the rest: write them by hand"
_BOM = "\ufeff"
_BREAK = re.compile("\r\n|[\n\r]")
_REST_OF_LINE = "[^\n\r\x85\u2028\u2029]*"  # all of these end a comment in YAML 1.1


def update_expectations(text: str, result: ScenarioResult, *, change: bool) -> str:
    """Add missing expectations to the text of a scenario; `result` is the run of this text.

    `expect` is added to a step that was refused or failed with an error, and at the end. With
    `change`, fields of other expectations are replaced if they were not met. If nothing has to be
    written, the text is returned unchanged. Raises `InputError` if the text is not what was run, or
    if the new text would mean something else.
    """
    file = result.scenario.file
    if parse_scenario(text, file) != result.scenario:
        raise InputError("this is not the text that was run: run it again", file=file)
    body = text.removeprefix(_BOM)
    edits = sorted(_edits(body, result, change=change), key=lambda edit: edit[:2])
    if not edits:
        return text
    for start, end, new in reversed(edits):
        body = body[:start] + new + body[end:]
    written = _BOM + body if text.startswith(_BOM) else body
    _verify(written, result, change=change)
    return written


def _edits(text: str, result: ScenarioResult, *, change: bool) -> Iterator[Edit]:
    scenario, root = result.scenario, cast("yaml.MappingNode", read_nodes(text))
    at_end = ("refused",) if result.dispute is None else ("state", "outcome", "events")
    nodes: list[yaml.MappingNode] = _member(root, "steps").value if scenario.steps else []
    # No step ran if the opening was refused.
    steps = zip(nodes, scenario.steps, result.steps, strict=False)
    targets: list[tuple[yaml.MappingNode, Expect | ExpectEnd, StepResult, tuple[str, ...]]] = [
        *((node, step.expect, actual, ("refused", "error")) for node, step, actual in steps),
        (root, scenario.expect, result.end, at_end),
    ]
    for node, expect, actual, names in targets:
        required = _values(actual, *names)
        if not expect.model_fields_set:
            if required:
                yield _insertion(text, node, f"expect: {{{', '.join(_fields(required))}}}")
        elif change and (wrong := list(mismatches(expect, actual))):
            expected = cast("yaml.MappingNode", _member(node, "expect"))
            fallback = required or {"state": str(actual.state)}
            yield _replacement(text, expected, wrong, _values(actual, *wrong), fallback)


def _values(actual: StepResult, *names: str) -> dict[str, str]:
    """Format the actual values as expectations; without those that are absent."""
    values: dict[str, str] = {}
    for name in names:
        value: object = getattr(actual, name)
        if isinstance(value, tuple):
            codes: tuple[str, ...] = value
            value = f"[{', '.join(dict.fromkeys(codes))}]" if codes else None
        if value is not None and value is not False:
            values[name] = str(value)
    return values


def _fields(values: Mapping[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in values.items()]


def _insertion(text: str, node: yaml.MappingNode, field: str) -> Edit:
    """Insert a field after the last one of a mapping."""
    if node.flow_style:
        at = _end(text, node.value[-1][1])
        return at, at, f", {field}"
    indent = _indent(node)
    leaf = _last_leaf(node)
    end = _mark(leaf.end_mark).index
    if _is_block(leaf) and _BREAK.fullmatch(text, end - 1, end):
        # A block of lines ends here, including its last line break.
        return end, end, indent + field + _line_break(text)
    # Skip the rest of the line, and indented comments, which belong to the field above.
    comments = f"{_REST_OF_LINE}(?:(?:{_BREAK.pattern}){indent} +#{_REST_OF_LINE})*"
    at = cast("re.Match[str]", re.compile(comments).match(text, end)).end()
    return at, at, _line_break(text) + indent + field


def _replacement(
    text: str,
    node: yaml.MappingNode,
    wrong: list[str],
    values: Mapping[str, str],
    fallback: Mapping[str, str],
) -> Edit:
    """Replace the fields that were not met.

    New fields come first; a field without an actual value is removed. If no field is left,
    `fallback` is written.
    """
    members: list[tuple[yaml.ScalarNode, yaml.Node]] = node.value
    names = [key.value for key, _ in members]
    kept = [name for name in names if name not in wrong or name in values]
    new = {name: value for name, value in values.items() if name not in names}
    between = ", " if node.flow_style else _line_break(text) + _indent(node)
    parts = [(field, between) for field in _fields(new if new or kept else fallback)]
    starts = [_mark(key.start_mark).index for key, _ in members]
    ends = [_end(text, value) for _, value in members]
    for (key, _), start, end, next_start in zip(
        members, starts, ends, [*starts[1:], ends[-1]], strict=True
    ):
        field = text[start:end]
        if key.value in wrong:
            field = f"{text[start : _mark(key.end_mark).index]}: {values.get(key.value)}"
        if key.value in kept:
            parts.append((field, text[end:next_start]))
    *before, (last, gap) = parts
    comment = "" if node.flow_style else re.findall(_REST_OF_LINE, gap)[0].rstrip()
    return starts[0], ends[-1], "".join(field + gap for field, gap in before) + last + comment


def _verify(written: str, result: ScenarioResult, *, change: bool) -> None:
    """Require the same scenario but for its expectations, and that the written ones are met."""
    scenario = result.scenario
    expectations = {None: scenario.expect.model_fields_set} | {
        number: step.expect.model_fields_set for number, step in enumerate(scenario.steps, 1)
    }
    remaining = [
        replace(failure, line=0)
        for failure in result.failures
        if expectations[failure.step] and not change
    ]
    try:
        again = run_scenario(parse_scenario(written, scenario.file))
    except InputError as error:
        msg = f"{_NOT_POSSIBLE} (it would be: {error.message})"
        raise InputError(msg, file=scenario.file, line=error.line) from error
    failures = [replace(failure, line=0) for failure in again.failures]
    if failures != remaining or _plain(again.scenario) != _plain(scenario):
        raise InputError(_NOT_POSSIBLE, file=scenario.file)


def _plain(scenario: Scenario) -> Scenario:
    """Return a scenario without expectations and lines."""
    steps = tuple(replace(step, expect=Expect(), line=0) for step in scenario.steps)
    return replace(scenario, steps=steps, expect=ExpectEnd(), expect_line=0)


def _member(node: yaml.MappingNode, name: str) -> yaml.Node:
    members: list[tuple[yaml.ScalarNode, yaml.Node]] = node.value
    return next(value for key, value in members if key.value == name)


def _last_leaf(node: yaml.Node) -> yaml.Node:
    """Return the last leaf: the end mark of a block mapping or list is after its comments."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last: yaml.Node | tuple[yaml.Node, yaml.Node] = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return node


def _end(text: str, node: yaml.Node) -> int:
    leaf = _last_leaf(node)
    end = _mark(leaf.end_mark).index
    return len(text[:end].rstrip()) if _is_block(leaf) else end


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}


def _mark(mark: object) -> yaml.Mark:
    # The parsers set every mark; only their type stubs leave it open.
    return cast("yaml.Mark", mark)


def _indent(node: yaml.MappingNode) -> str:
    return " " * _mark(node.value[0][0].start_mark).column


def _line_break(text: str) -> str:
    match = _BREAK.search(text)
    return match[0] if match else "\n"
