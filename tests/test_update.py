"""Writing expectations into scenario files: every other byte stays as it is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dispute_fsm.documents.yaml_text import read_nodes
from dispute_fsm.domain.enums import Outcome, StateName
from dispute_fsm.errors import InputError
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import ScenarioResult, run_scenario
from dispute_fsm.scenarios.update import update_expectations
from tests.sampling import few
from tests.support import CORPUS

HEAD = "dispute: {opened_at: 2023-03-28T10:00:00+08:00}\n"
CANCELS = "do: choose_option, with: {option: consumer_cancels}"
ERROR = "order_system_unavailable"
REFUSED = "refused: [no_cancel_request_or_refund]"


def ran(text: str) -> ScenarioResult:
    return run_scenario(parse_scenario(text, "x.dispute.yaml"))


def written(text: str, *, change: bool = False) -> str:
    return update_expectations(text, ran(text), change=change)


def read(path: Path) -> str:
    return path.read_bytes().decode()


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


# ---- the scenario files --------------------------------------------------------------------------


def mappings(text: str) -> Iterator[Any]:
    """Yield the mappings in which expectations stand: every step, and the whole."""
    root: Any = read_nodes(text)
    for key, value in root.value:
        if key.value == "steps":
            yield from value.value
    yield root


def expectations(text: str) -> Iterator[tuple[Any, Any, Any]]:
    """Yield the value before each expectation, its key and its value."""
    for mapping in mappings(text):
        for (_, before), (key, value) in zip(mapping.value, mapping.value[1:], strict=False):
            if key.value == "expect":
                yield mapping, before, (key, value)


def changed(text: str, cuts: list[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(cuts, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def stripped(text: str) -> str:
    """Take every expectation out: with the comma before it, or with its line."""
    cuts: list[tuple[int, int, str]] = []
    for mapping, before, (key, value) in expectations(text):
        assert value.flow_style
        start, end = before.end_mark.index, value.end_mark.index
        if not mapping.flow_style:
            start, end = (
                text.rindex("\n", 0, key.start_mark.index),
                text.index("\n", end) if "\n" in text[end:] else len(text),
            )
        cuts.append((start, end, ""))
    return changed(text, cuts)


EACH = pytest.mark.parametrize("path", few(CORPUS, 80), ids=named)


@EACH
def test_expectations_that_were_taken_out_are_written_again_and_nothing_else_is(path: Path) -> None:
    bare = stripped(read(path))
    result = ran(bare)
    assert not result.scenario.expect.model_fields_set
    text = update_expectations(bare, result, change=False)
    again = ran(text)
    assert again.failures == ()
    assert stripped(text) == bare
    assert (again.scenario.expect.state, again.scenario.expect.outcome) == (
        again.end.state,
        again.end.outcome,
    )
    assert again.scenario.expect.events == (again.end.events if again.dispute else None)
    for step, found in zip(again.scenario.steps, again.steps, strict=False):
        assert (step.expect.refused or (), step.expect.error) == (found.refused, found.error)
        assert step.expect.model_fields_set == {
            name for name in ("refused", "error") if getattr(found, name)
        }
    assert update_expectations(text, again, change=True) is text


def another(value: Any) -> str | None:  # noqa: ANN401 -- a node of PyYAML
    """Return another value of the same kind; None if it could not be told from the right one."""
    if isinstance(value, yaml.SequenceNode):
        return (
            "[dispute_exists]" if len(value.value) == 1 else None
        )  # of several, the order may be another
    if value.value.isdigit():
        return str(int(value.value) + 1)
    closed = (
        (StateName.RESOLVED, StateName.PENALIZED)
        if value.value in set(StateName)
        else (Outcome.NO_FAULT, Outcome.AT_FAULT)
    )
    return (
        None
        if value.value in {"true", "null"} or value.value == ERROR
        else str(closed[value.value == closed[0]])
    )


@EACH
def test_wrong_expectations_are_left_alone_until_a_change_is_asked_for_which_writes_just_them(
    path: Path,
) -> None:
    text = read(path)
    right = ran(text)
    assert update_expectations(text, right, change=True) is text
    looked_at = (
        [*expectations(text)] if right.dispute else [*expectations(text)][-1:]
    )  # no step runs after a refused opening
    planted = [
        (value.start_mark.index, value.end_mark.index, wrong)
        for _, _, (_, expected) in looked_at
        for _, value in expected.value
        if (wrong := another(value)) is not None
    ]
    changes = changed(text, planted)
    result = ran(changes)
    assert len(result.failures) == len(planted)
    assert update_expectations(changes, result, change=False) is changes
    assert update_expectations(changes, result, change=True) == text


# ---- how it is written ---------------------------------------------------------------------------


def test_what_is_missing_at_the_end_is_state_outcome_and_events_or_the_refusal_of_the_opening() -> (
    None
):
    assert written(HEAD) == HEAD + "expect: {state: opened, events: 1}\n"
    withdrawn = HEAD + "steps:\n  - {at: +1h, do: withdraw}\n"
    assert (
        written(withdrawn)
        == withdrawn + "expect: {state: resolved, outcome: withdrawn, events: 2}\n"
    )
    refused = HEAD + "order: null\nsteps:\n  - {at: +1h, do: withdraw}\n"
    assert written(refused) == refused + "expect: {refused: [order_not_found]}\n"


def test_codes_are_written_in_the_order_of_the_result() -> None:
    text = HEAD + "steps:\n  - {at: +1h, do: choose_option, with: {option: already_shipped}}\n"
    assert (
        "{option: already_shipped}, expect: {refused: [not_shipped, no_pickup_scan]}}"
        in written(text)
    )


def test_a_step_that_succeeds_repeats_or_changes_nothing_gets_nothing() -> None:
    choice = "  - {at: +1h, do: choose_option, key: k, with: {option: prove_no_fault}}\n"
    text = (
        f"{HEAD}steps:\n  - {{at: +1h, do: sweep}}\n  - {{at: +1h, do: "
        f"observe_order}}\n{choice}{choice}"
    )
    assert written(text) == text + "expect: {state: awaiting_evidence, events: 2}\n"


def test_an_error_is_written() -> None:
    steps = "steps:\n  - {at: +1h, order: unavailable}\n"
    assert written(f"{HEAD}{steps}  - {{at: +1h, {CANCELS}}}\n") == (
        f"{HEAD}{steps}  - {{at: +1h, {CANCELS}, expect: {{error: {ERROR}}}}}\nexpect: {{state: "
        f"opened, events: 1}}\n"
    )


END = "expect: {state: opened, events: 2}"
BLOCK = "steps:\n  - at: +1h\n    do: choose_option\n    with:\n      option: consumer_cancels\n"
VOUCHERS = (
    "      vouchers:\n      - kind: other\n        media_type: image/png\n        size: 1\n      "
    f"  sha256: {'a' * 64}\n"
)
LINE = f"    expect: {{{REFUSED}}}\n"
FLOW = f"{{at: +1h, {CANCELS}"
MORE = f", expect: {{{REFUSED}}}"
STYLES = {
    "flow, a comment behind": (
        f"steps:\n  - {FLOW}}}   # 理由 🚚\n# end\n",
        f"steps:\n  - {FLOW}{MORE}}}   # 理由 🚚\n{END}\n# end\n",
    ),
    "flow over lines, comments and a last comma": (
        f"steps: [\n  {FLOW}, # note\n  }}, # step\n]\n",
        f"steps: [\n  {FLOW}{MORE}, # note\n  }}, # step\n]\n{END}\n",
    ),
    "block, comments between and behind": (
        (
            f"steps:\n  # first\n{BLOCK[7:-1]}  # why\n      # deep\n    # end of step\n  # end "
            "of steps\n\n# end"
        ),
        (
            f"steps:\n  # first\n{BLOCK[7:-1]}  # why\n      # deep\n{LINE}    # end of step\n  # "
            f"end of steps\n{END}\n\n# end"
        ),
    ),
    "block, not indented, wide gaps": (
        "steps:\n-   at: +1h\n    with: {option: consumer_cancels}\n    do:    choose_option",
        (
            f"steps:\n-   at: +1h\n    with: {{option: consumer_cancels}}\n    do:    "
            f"choose_option\n{LINE}{END}"
        ),
    ),
    "a dash on a line of its own": (
        BLOCK.replace("- ", "-\n    "),
        f"{BLOCK.replace('- ', f'-{chr(10)}    ')}{LINE}{END}\n",
    ),
    "quoted keys and values": (
        '"steps":\n  - {"at":"+1h","do":"choose_option","with":{"option":"consumer_cancels"}}\n',
        (
            '"steps":\n  - '
            f'{{"at":"+1h","do":"choose_option","with":{{"option":"consumer_cancels"}}{MORE}}}\n{END}\n'
        ),
    ),
    "a list at the end": (BLOCK + VOUCHERS, f"{BLOCK}{VOUCHERS}{LINE}{END}\n"),
    "a block of lines at the end": (
        f"{BLOCK}      note: |+\n        one\n\n        two\n\n\n",
        f"{BLOCK}      note: |+\n        one\n\n        two\n\n\n{LINE}{END}\n",
    ),
    "a block of lines at the end of the file": (
        f"{BLOCK}      note: >-\n        one",
        f"{BLOCK}      note: >-\n        one\n{LINE}{END}",
    ),
    "a text over lines": (
        f"{BLOCK}      note: one\n       two  # said\n\n# bye",
        f"{BLOCK}      note: one\n       two  # said\n{LINE}{END}\n\n# bye",
    ),
    "the end marked": (f"steps:\n  - {FLOW}}}\n...\n", f"steps:\n  - {FLOW}{MORE}}}\n{END}\n...\n"),
}
FRAMES: dict[str, Callable[[str], str]] = {
    "as it stands": lambda text: HEAD + text,
    "Windows": lambda text: (HEAD + text).replace("\n", "\r\n"),
    "byte order mark and document marker": lambda text: "\ufeff---\n" + HEAD + text,
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize(("text", "expected"), STYLES.values(), ids=STYLES)
def test_expectations_fit_into_whatever_style_the_file_is_written_in(
    frame: Callable[[str], str], text: str, expected: str
) -> None:
    assert written(frame(text)) == frame(expected)


def test_a_file_in_one_pair_of_braces_stays_so() -> None:
    inner = f"dispute: {{opened_at: 2023-03-28T10:00:00+08:00}}, steps: [{{at: +1h, {CANCELS}}}]"
    expected = (
        f"dispute: {{opened_at: 2023-03-28T10:00:00+08:00}}, steps: [{{at: +1h, {CANCELS}, "
        f"expect: {{{REFUSED}}}}}], {END}"
    )
    assert written(f"{{{inner}}}") == f"{{{expected}}}"
    assert written(f"{{{inner},\n}} # x\n") == f"{{{expected},\n}} # x\n"


# ---- expectations that are not met ---------------------------------------------------------------

ACCEPTED = "do: choose_option, with: {option: prove_no_fault}"


@pytest.mark.parametrize(
    ("does", "before", "after"),
    [
        (
            CANCELS,
            "{state: resolved, refused: [no_cancel_request_or_refund]}",
            "{state: opened, refused: [no_cancel_request_or_refund]}",
        ),
        (
            CANCELS,
            "{ 'state' : resolved }",
            "{ refused: [no_cancel_request_or_refund], 'state': opened }",
        ),
        (CANCELS, "{state: opened}", "{refused: [no_cancel_request_or_refund], state: opened}"),
        (CANCELS, "{error: order_system_unavailable}", "{refused: [no_cancel_request_or_refund]}"),
        (CANCELS, "{refused: []}", "{refused: [no_cancel_request_or_refund]}"),
        (ACCEPTED, "{refused: [not_shipped]}", "{state: awaiting_evidence}"),
        (
            ACCEPTED,
            "{refused: [not_shipped], state: awaiting_evidence}",
            "{state: awaiting_evidence}",
        ),
        (
            ACCEPTED,
            '{state: "awaiting_evidence", unchanged: true , refused: [not_shipped]}',
            '{state: "awaiting_evidence"}',
        ),
        (
            ACCEPTED,
            "{refused: [wrong_actor], state: opened, repeated: true}",
            "{state: awaiting_evidence}",
        ),
        (ACCEPTED, "{repeated: true, unchanged: true}", "{state: awaiting_evidence}"),
    ],
)
def test_only_the_fields_that_were_not_met_are_changed(does: str, before: str, after: str) -> None:
    text = (
        f"{HEAD}steps:\n  - {{at: +1h, {does}, expect: {before}}}  # kept\nexpect: {{events: 2}}\n"
    )
    assert written(text) is text
    assert written(text, change=True) == text.replace(before, after)


def test_expectations_in_lines_of_their_own_keep_their_comments() -> None:
    text = (
        f"{HEAD}steps:\n  - at: +1h\n    do: choose_option\n    with: {{option: prove_no_fault}}\n"
        "    expect: # all of it\n      unchanged: true # a\n      state: opened # b\n      "
        "refused: # c\n      - not_shipped # d\n"
        "expect:\n  events: 1 # e\n  outcome: withdrawn # f\n"
    )
    assert written(text, change=True) == (
        f"{HEAD}steps:\n  - at: +1h\n    do: choose_option\n    with: {{option: prove_no_fault}}\n"
        "    expect: # all of it\n      state: awaiting_evidence # b # d\n"
        "expect:\n  events: 2 # e # f\n"
    )


def test_a_value_in_a_block_of_lines_keeps_its_line_break() -> None:
    text = f"{HEAD}expect:\n  state: >-\n    resolved\n\n# end\n"
    assert written(text, change=True) == f"{HEAD}expect:\n  state: opened\n\n# end\n"


@pytest.mark.parametrize(
    ("order", "before", "after"),
    [
        ("order: null\n", "{state: opened, events: 1}", "{refused: [order_not_found], events: 0}"),
        ("order: null\n", "{events: 0}", "{refused: [order_not_found], events: 0}"),
        ("order: null\n", "{outcome: withdrawn}", "{refused: [order_not_found]}"),
        ("", "{refused: [order_not_found]}", "{state: opened, events: 1}"),
        ("", "{outcome: withdrawn}", "{state: opened, events: 1}"),
        ("", "{state: resolved, outcome: withdrawn, events: 1}", "{state: opened, events: 1}"),
        ("", "{state: resolved, outcome: null}", "{state: opened, outcome: null}"),
    ],
)
def test_the_end_is_changed_likewise(order: str, before: str, after: str) -> None:
    text = f"{HEAD}{order}expect: {before}\n"
    assert written(text, change=True) == f"{HEAD}{order}expect: {after}\n"


def test_what_is_missing_is_written_also_where_something_else_is_left_unmet() -> None:
    text = (
        f"{HEAD}steps:\n  - {{at: +1h, {CANCELS}, expect: {{state: opened}}}}\n  - {{at: +1h, "
        f"{CANCELS}}}\n"
    )
    expected = (
        f"{HEAD}steps:\n  - {{at: +1h, {CANCELS}, expect: {{state: opened}}}}\n  - {{at: +1h, "
        f"{CANCELS}, expect: {{{REFUSED}}}}}\n"
    )
    assert written(text) == expected + "expect: {state: opened, events: 3}\n"
    assert [failure.step for failure in ran(written(text)).failures] == [1]


# ---- nothing broken is written -------------------------------------------------------------------


def test_where_a_new_line_would_change_a_text_nothing_is_written() -> None:
    text = f"{HEAD}{BLOCK}      note: |\n        no line break at the end"
    with pytest.raises(InputError, match="by hand") as caught:
        written(text)
    assert caught.value.file == "x.dispute.yaml"


def test_where_what_would_be_written_is_no_scenario_nothing_is_written() -> None:
    text = f"{HEAD}? expect\n: ? state\n  : resolved\n"
    with pytest.raises(InputError, match="by hand"):
        written(text, change=True)


def test_a_text_that_is_not_what_was_run_is_refused() -> None:
    with pytest.raises(InputError, match="run it again"):
        update_expectations(HEAD, ran(HEAD + "steps: [{at: +1h, do: sweep}]\n"), change=False)
