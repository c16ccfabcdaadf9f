"""Writing expectations into the text of a scenario file. What is not written anew stays as it is, to the byte."""

import re
from collections.abc import Iterator, Mapping
from typing import cast

import yaml

from dispute_fsm.documents.yaml_text import read_nodes
from dispute_fsm.errors import InputError
from dispute_fsm.scenarios.model import Expect, ExpectEnd, Scenario
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import Failure, ScenarioResult, StepResult, run_scenario, unmet

Edit = tuple[int, int, str]
"""From where to where in the text, and what is to stand there."""

_NO_PLACE = "found no place for the expectations that leaves the rest as it is: write them by hand"
_BOM = "\ufeff"
_BREAK = re.compile("\r\n|[\n\r]")
_REST_OF_LINE = "[^\n\r\x85\u2028\u2029]*"  # all of these end a comment for a reader of YAML 1.1


def updated(text: str, result: ScenarioResult, *, change: bool) -> str:
    """Return the text of a scenario with the expectations that are missing, as they came in `result`, the run of this text.

    Missing is `expect` at a step that was refused or in error, and at the end. With `change`, the
    fields of other expectations that were not met are written anew, too. Where there is nothing to
    write, the text comes back as it is. Raises `InputError` where the text is not what was run, or
    would say something else with what was written into it.
    """
    file = result.scenario.file
    if parse_scenario(text, file) != result.scenario:
        raise InputError("this is not the text that was run: run it anew", file=file)
    body = text.removeprefix(_BOM)
    edits = sorted(_edits(body, result, change=change), key=lambda edit: edit[:2])
    if not edits:
        return text
    written, last = text[: len(text) - len(body)], 0
    for start, end, new in edits:
        written += body[last:start] + new
        last = end
    written += body[last:]
    _check(written, result, change=change)
    return written


def _edits(text: str, result: ScenarioResult, *, change: bool) -> Iterator[Edit]:
    scenario, root = result.scenario, cast("yaml.MappingNode", read_nodes(text))
    nodes: list[yaml.MappingNode] = _below(root, "steps").value if scenario.steps else []
    told: list[tuple[yaml.MappingNode, Expect | ExpectEnd, StepResult, dict[str, str]]] = [
        (node, step.expect, found, _words(found, "refused", "error"))
        for node, step, found in zip(
            nodes, scenario.steps, result.steps, strict=False
        )  # none ran where the opening was refused
    ]
    at_end = ("refused",) if result.dispute is None else ("state", "outcome", "events")
    told.append((root, scenario.expect, result.end, _words(result.end, *at_end)))
    for node, expect, found, due in told:
        if expect.model_fields_set:
            missed = [one.name for one in unmet(expect, found)] if change else []
            if missed:
                expected = cast("yaml.MappingNode", _below(node, "expect"))
                yield _replaced(
                    text,
                    expected,
                    missed,
                    _words(found, *missed),
                    due or {"state": str(found.state)},
                )
        elif due:
            yield _inserted(text, node, f"expect: {{{', '.join(_fields(due))}}}")


def _words(found: StepResult, *names: str) -> dict[str, str]:
    """Write what was found as it would be expected; what was not there is left out."""
    values: dict[str, object] = {name: getattr(found, name) for name in names}
    return {
        name: _word(value)
        for name, value in values.items()
        if value is not None and value is not False and value != ()
    }


def _word(value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    codes: tuple[str, ...] = value
    return f"[{', '.join(dict.fromkeys(codes))}]"


def _fields(words: Mapping[str, str]) -> list[str]:
    return [f"{name}: {word}" for name, word in words.items()]


def _inserted(text: str, node: yaml.MappingNode, field: str) -> Edit:
    """Put a field behind the last one of a mapping."""
    if node.flow_style:
        at = _end(text, node.value[-1][1])
        return at, at, f", {field}"
    line = _indent(node) + field
    leaf = _last(node)
    end = _mark(leaf.end_mark).index
    if _is_block(leaf) and _BREAK.fullmatch(
        text, end - 1, end
    ):  # a block of lines goes on to here, its last line break included
        return end, end, line + _line_break(text)
    at = end + len(_rest_of_line(text[end:]))
    deeper = re.compile(
        f"(?:(?:{_BREAK.pattern}){_indent(node)} +#{_REST_OF_LINE})*"
    )  # comments of what stands above
    at += len(cast("re.Match[str]", deeper.match(text, at))[0])
    return at, at, _line_break(text) + line


def _replaced(
    text: str,
    node: yaml.MappingNode,
    missed: list[str],
    words: Mapping[str, str],
    least: Mapping[str, str],
) -> Edit:
    """Write the fields that were not met anew: new ones come first, one of which nothing was found goes, `least` stays."""
    members: list[tuple[yaml.ScalarNode, yaml.Node]] = node.value
    names = [key.value for key, _ in members]
    kept = [name for name in names if name not in missed or name in words]
    new = {name: word for name, word in words.items() if name not in names}
    between = ", " if node.flow_style else _line_break(text) + _indent(node)
    parts = [(field, between) for field in _fields(new if new or kept else least)]
    starts, ends = (
        [_mark(key.start_mark).index for key, _ in members],
        [_end(text, value) for _, value in members],
    )
    for (key, _), start, end, following in zip(
        members, starts, ends, [*starts[1:], ends[-1]], strict=True
    ):
        anew = f"{text[start : _mark(key.end_mark).index]}: {words.get(key.value)}"
        if key.value in kept:
            parts.append((anew if key.value in missed else text[start:end], text[end:following]))
    *before, (last, dangling) = parts
    comment = "" if node.flow_style else _rest_of_line(dangling).rstrip()
    return starts[0], ends[-1], "".join(field + gap for field, gap in before) + last + comment


def _check(written: str, result: ScenarioResult, *, change: bool) -> None:
    """Require that the new text says the same but for its expectations, and that these are met, as far as they were to be."""
    file, left = (
        result.scenario.file,
        []
        if change
        else [failure for failure in result.failures if _was_expected(result, failure)],
    )
    try:
        again = run_scenario(parse_scenario(written, file))
    except InputError as fault:
        raise InputError(
            f"{_NO_PLACE} (it would be: {fault.message})", file=file, line=fault.line
        ) from fault
    if _told(again.scenario) != _told(result.scenario) or [
        _failed(one) for one in again.failures
    ] != [_failed(one) for one in left]:
        raise InputError(_NO_PLACE, file=file)


def _was_expected(result: ScenarioResult, failure: Failure) -> bool:
    expect = (
        result.scenario.expect
        if failure.step is None
        else result.scenario.steps[failure.step - 1].expect
    )
    return bool(expect.model_fields_set)


def _told(scenario: Scenario) -> tuple[object, ...]:
    return (
        scenario.title,
        scenario.opening,
        scenario.opened_at,
        scenario.order,
        [(step.at, step.does) for step in scenario.steps],
    )


def _failed(failure: Failure) -> tuple[object, ...]:
    return failure.step, failure.expected, failure.found


def _below(node: yaml.MappingNode, name: str) -> yaml.Node:
    members: list[tuple[yaml.ScalarNode, yaml.Node]] = node.value
    return next(value for key, value in members if key.value == name)


def _last(node: yaml.Node) -> yaml.Node:
    """Find where a node ends: marks of block mappings and lists lie behind the comments that follow them."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last: yaml.Node | tuple[yaml.Node, yaml.Node] = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return node


def _end(text: str, node: yaml.Node) -> int:
    last = _last(node)
    end = _mark(last.end_mark).index
    return len(text[:end].rstrip()) if _is_block(last) else end


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}


def _mark(mark: object) -> yaml.Mark:
    return cast(
        "yaml.Mark", mark
    )  # the parsers set every mark; only their type stubs leave it open


def _indent(node: yaml.MappingNode) -> str:
    return " " * _mark(node.value[0][0].start_mark).column


def _line_break(text: str) -> str:
    found = _BREAK.search(text)
    return found[0] if found else "\n"


def _rest_of_line(text: str) -> str:
    return cast("re.Match[str]", re.match(_REST_OF_LINE, text))[0]
