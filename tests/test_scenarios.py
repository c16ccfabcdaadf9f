"""Every scenario file of the project runs as expected, reproducibly; its history reads back.

The files are the examples for people and the corpus in tests/scenarios. Here they are only run and
counted; the file says what a scenario shows. An invalid file names the line and the field of its
error in its first line.
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from dispute_fsm.domain.commands import DEFAULT_VERSION
from dispute_fsm.domain.enums import CommandType, EventType, Outcome, RefusalCode, StateName
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import write_records
from dispute_fsm.machine.transition_table import AS_BEFORE, Outcomes
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.scenarios.model import Scenario
from dispute_fsm.scenarios.reader import SUFFIX, parse_scenario, read_scenario
from dispute_fsm.scenarios.runner import ScenarioResult, run_scenario
from tests.oracle_words import BASE
from tests.sampling import few
from tests.support import read_back

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests" / "scenarios"
OF_2023_03 = tuple(CORPUS / name for name in ("rows", "codes", "boundaries", "doubtful"))
OF_OTHERS = tuple(CORPUS / name for name in VERSIONS if name != DEFAULT_VERSION)
FOLDERS = (ROOT / "examples", *OF_2023_03, *OF_OTHERS)
FILES = tuple(file for folder in FOLDERS for file in sorted(folder.rglob(f"*{SUFFIX}")))
EXAMPLES = tuple(file for file in FILES if file.parent == FOLDERS[0])
INVALID = tuple(sorted((CORPUS / "invalid").rglob(f"*{SUFFIX}")))
MUTANTS = tuple(sorted((CORPUS / "mutants").glob(f"parallel-*{SUFFIX}")))
"""Further scenarios of `parallel`; the pytest plugin runs them."""

Row = tuple[str, CommandType, str, Outcomes]

# The table has one row for all settlements, but a denied out-of-stock refund never gets to review:
# it penalizes at once.
REVIEWED_OUT_OF_STOCK: Row = (
    "option_chosen.settling.denial_under_review",
    CommandType.RULE_NO_FAULT,
    "resolved",
    Outcome.SETTLED_BY_OUT_OF_STOCK_REFUND,
)
NEVER: Mapping[str, set[Row]] = {"2023-03": {REVIEWED_OUT_OF_STOCK}}
# It needs somebody who opens a dispute twice: no file can say that.
NOT_FOR_SCENARIOS = {RefusalCode.DISPUTE_EXISTS}

EXPECTED_STATE = re.compile(r"(?<=expect: \{state: )[a-z_]+(?=\})")


def named(file: Path) -> str:
    return f"{file.parent.name}/{file.name.removesuffix(SUFFIX)}"


@cache
def ran(file: Path) -> ScenarioResult:
    return run_scenario(read_scenario(file))


def written(result: ScenarioResult) -> str:
    stream = io.StringIO()
    write_records(stream, ((event, result.scenario.opening.policy) for event in result.events))
    return stream.getvalue()


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_scenario_comes_out_as_it_says_and_leaves_a_history_that_reads_back(file: Path) -> None:
    result = ran(file)
    assert result.failures == ()
    assert result.ok
    history = written(result)
    assert written(run_scenario(read_scenario(file))) == history
    read = read_back(history)
    assert tuple(read.events) == result.events
    assert tuple(read.disputes.values()) == (() if result.dispute is None else (result.dispute,))


@pytest.mark.parametrize("folder", [*FOLDERS, CORPUS / "invalid"], ids=lambda folder: folder.name)
def test_no_folder_is_empty_and_every_file_in_it_is_a_scenario(folder: Path) -> None:
    beside = {"README.md", "policies", "rollout", "__pycache__"}
    files = [
        file
        for file in folder.rglob("*")
        if beside.isdisjoint({file.name, file.parent.name}) and file.suffix != ".py"
    ]
    assert files
    assert [file.name for file in files if not file.name.endswith(SUFFIX)] == []


@pytest.mark.parametrize("file", INVALID, ids=named)
def test_an_invalid_file_is_refused_at_the_line_and_field_that_it_names(file: Path) -> None:
    first = file.read_text(encoding="utf-8").splitlines()[0]
    expected = re.fullmatch(r"# expect-error: ([0-9]+) (.+)", first)
    assert expected is not None
    with pytest.raises(InputError) as caught:
        read_scenario(file)
    fault = caught.value
    assert (fault.file, str(fault.line), fault.field or "-") == (str(file), *expected.groups())
    assert str(fault).startswith(f"{file}:{fault.line}: {fault.field or ''}")


# ---- what the corpus reaches ---------------------------------------------------------------------


def rows_of_the_table(rules: str) -> set[Row]:
    """Return the rows of a version's table, one for each outcome; `AS_BEFORE` is one outcome."""
    rows: set[Row] = set()
    for row in (row for found in VERSIONS[rules].table.transitions.values() for row in found):
        by_option = row.rule.outcome
        outcomes = set(by_option.values()) if isinstance(by_option, Mapping) else {by_option}
        rows |= {(row.source, row.event, row.target, outcome) for outcome in outcomes}
    return rows


def rows_reached(rules: str) -> set[Row]:
    """Return the rows that the corpus reaches in disputes of a version."""
    table, reached = rows_of_the_table(rules), set[Row]()
    for event in (event for result in results_of(rules) for event in result.events):
        if (
            event.rules == rules
            and event.source is not None
            and event.type is not EventType.REFUSED
        ):
            to = (event.source, event.command, event.target)
            reached.add((*to, AS_BEFORE if (*to, AS_BEFORE) in table else event.outcome))
    return reached


def results_of(rules: str) -> Iterator[ScenarioResult]:
    """Run the scenarios of a version; those of a version with a base include the base's rows."""
    match rules:
        case "2023-03":
            yield from (ran(file) for file in FILES if file.parent in OF_2023_03)
        case "parallel":
            yield from (ran(file) for file in (*FILES, *MUTANTS) if "parallel" in str(file))
        case _:
            yield from (ran(file) for file in FILES if file.parent.name == rules)
            if BASE.get(rules) == "2023-03":
                yield from (run_scenario(under(rules, file)) for file in ROWS)
    yield from (ran(file) for file in EXAMPLES)


@pytest.mark.parametrize("rules", VERSIONS)
def test_the_corpus_reaches_every_row_of_the_table(
    rules: str, tell: Callable[[object], None]
) -> None:
    table, reached = rows_of_the_table(rules), rows_reached(rules)
    assert reached <= table
    assert table - reached == NEVER.get(BASE.get(rules, rules), set())
    tell(
        f"{rules}: scenarios reach {len(reached)} of {len(table)} rows (source, event, target, "
        "outcome)"
    )


def test_the_corpus_reaches_every_refusal_code(tell: Callable[[object], None]) -> None:
    reached = {code for file in FILES for event in ran(file).events for code in event.refused}
    reached |= {code for file in FILES for code in ran(file).refused}
    assert set(RefusalCode) - reached == NOT_FOR_SCENARIOS
    tell(f"{len(FILES)} scenarios reach {len(reached)} of {len(RefusalCode)} refusal codes")


def test_the_corpus_reaches_every_event_type_state_and_outcome(
    tell: Callable[[object], None],
) -> None:
    events = [event for file in FILES for event in ran(file).events]
    assert {event.type for event in events} == set(EventType)
    assert {event.target for event in events} == {
        path for version in VERSIONS.values() for path in version.table.configurations
    }
    assert {event.command for event in events} == set(CommandType)
    assert {event.outcome for event in events} == {None, *Outcome}
    tell(
        f"{len(FILES)} scenarios reach {len({event.type for event in events})} of "
        f"{len(EventType)} event types"
    )


# ---- a version that adds to 2023-03 is 2023-03, and more -----------------------------------------


def under(rules: str, file: Path) -> Scenario:
    """Read a scenario of 2023-03 as one of another version, with the fields of its own off."""
    scenario, version = read_scenario(file), VERSIONS[rules]
    own = dict.fromkeys(version.policy_fields)
    policy = version.policy(scenario.opening.policy).lay_over(own)
    changes = {"rules": rules, "policy": policy}
    return replace(scenario, opening=scenario.opening.model_copy(update=changes))


ROWS = tuple(file for file in FILES if file.parent.name == "rows")
OTHERS = tuple(file for file in FILES if file.parent in OF_2023_03 and file not in ROWS)


@pytest.mark.parametrize("rules", BASE)
@pytest.mark.parametrize("file", [*few(ROWS, 20), *few(OTHERS, 10)], ids=named)
def test_a_scenario_of_2023_03_ends_the_same_where_what_is_new_is_off(
    file: Path, rules: str
) -> None:
    result, other = ran(file), run_scenario(under(rules, file))
    assert other.failures == ()
    assert [effect(event) for event in other.events] == [effect(event) for event in result.events]


def effect(event: AuditEvent) -> tuple[object, ...]:
    return (event.type, event.target, event.outcome, event.refused, event.deadlines, event.revision)


# ---- a wrong expectation is reported -------------------------------------------------------------


def another(state: str) -> str:
    return StateName.PENALIZED.value if state == StateName.RESOLVED else StateName.RESOLVED.value


@pytest.mark.parametrize("file", EXAMPLES, ids=named)
def test_a_wrong_expectation_at_any_step_is_reported_with_step_and_line(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    scenario = read_scenario(file)
    ends = [step.line for step in scenario.steps[1:]] + [scenario.expect_line]
    planted = 0
    for number, (step, end) in enumerate(zip(scenario.steps, ends, strict=True), 1):
        text = "".join(lines[step.line - 1 : end - 1])
        if (expected := EXPECTED_STATE.search(text)) is None:
            continue
        wrong = EXPECTED_STATE.sub(another(expected[0]), text, count=1)
        changed = "".join(lines[: step.line - 1]) + wrong + "".join(lines[end - 1 :])
        failures = run_scenario(parse_scenario(changed, "changed")).failures
        assert [(failure.step, failure.line) for failure in failures] == [(number, step.line)]
        assert another(expected[0]) in failures[0].expected
        assert expected[0] in failures[0].actual
        planted += 1
    assert planted == sum(step.expect.model_fields_set == {"state"} for step in scenario.steps)


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"state": "penalized"}, "resolved"),
        ({"outcome": "withdrawn"}, "settled_by_agreed_shipment"),
        ({"events": "5"}, "4"),
        ({"refused": "[order_not_found]"}, "none"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_expectation_of_the_end_is_reported_with_its_line(
    wrong: dict[str, str], found: str
) -> None:
    (file,) = (file for file in EXAMPLES if file.name.startswith("03-"))
    *before, last = file.read_text(encoding="utf-8").splitlines()
    right = {"state": "resolved", "outcome": "settled_by_agreed_shipment", "events": "4"}
    assert last.startswith(
        "expect: {" + ", ".join(f"{name}: {value}" for name, value in right.items()) + "}"
    )
    expect = ", ".join(f"{name}: {value}" for name, value in (right | wrong).items())
    (failure,) = run_scenario(
        parse_scenario("\n".join([*before, f"expect: {{{expect}}}"]), "changed")
    ).failures
    assert (failure.step, failure.line) == (None, len(before) + 1)
    assert next(iter(wrong.values())).strip("[]") in failure.expected
    assert found in failure.actual


def test_an_unexpected_refusal_is_reported_with_step_and_line() -> None:
    (file,) = (file for file in EXAMPLES if file.name.startswith("30-"))
    text = file.read_text(encoding="utf-8")
    expected = ", expect: {refused: [already_confirmed]}"
    assert text.count(expected) == 1
    (failure,) = run_scenario(parse_scenario(text.replace(expected, ""), "changed")).failures
    assert (failure.step, failure.line) == (4, text[: text.index(expected)].count("\n") + 1)
    assert RefusalCode.ALREADY_CONFIRMED.value in failure.actual
