"""Scenarios and histories as tests: each test here runs pytest, as strict as it can be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispute_fsm.history.coverage import Coverage
from dispute_fsm.history.jsonl import COMPRESSED, write_history
from dispute_fsm.history.jsonl import SUFFIX as HISTORY
from dispute_fsm.history.timeline import timeline
from dispute_fsm.history.timeline_text import timeline_lines
from dispute_fsm.scenarios.reader import SUFFIX as SCENARIO
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import ScenarioResult, run_scenario
from dispute_fsm.testing import pytest_plugin, session
from tests.histories.corpus import MANY, Record, is_policy, line_of, rechained, recorded
from tests.histories.corpus import lines as lines_of
from tests.sampling import few

pytest_plugins = ["pytester"]

OPENED = "2023-03-28T10:00:00+08:00"
HEAD = f"dispute: {{opened_at: {OPENED}}}\n"
REFUND = "do: choose_option, with: {option: out_of_stock_refund}"
GOOD = f"""\
title: 缺货退款
{HEAD}steps:
  - {{at: +1h, {REFUND}, expect: {{state: awaiting_confirmation}}}}
  - {{at: +2h, do: confirm_agreement}}
expect: {{state: resolved}}
"""
WRONG = GOOD.replace(
    "expect: {state: resolved}", "expect: {state: penalized, outcome: out_of_stock}"
)
UNTOLD = (
    f"{HEAD}steps:\n  - {{at: +1h, do: choose_option, with: {{option: already_shipped}}}}  # a "
    "comment\n"
)
TOLD = (
    UNTOLD.replace("}}  #", "}, expect: {refused: [not_shipped, no_pickup_scan]}}  #")
    + "expect: {state: opened, events: 2}\n"
)
DEFAULTS = """
[pytest]
addopts = --strict-markers --strict-config
filterwarnings = error
"""


@pytest.fixture(autouse=True)
def _strict(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makefile(".ini", pytest=DEFAULTS)
    monkeypatch.setenv("LC_ALL", "C")


@pytest.fixture
def put(pytester: pytest.Pytester) -> Callable[[str, str | bytes], Path]:
    """Put a file below the folder in which pytest runs."""

    def write(name: str, content: str | bytes) -> Path:
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


Put = Callable[[str, str | bytes], Path]

SPREAD = pytest.param(["-n", "2"], marks=pytest.mark.whole)
"""Two processes take seconds to begin: with `--whole`, where one test in every run has them too."""


def ran(text: str) -> ScenarioResult:
    return run_scenario(parse_scenario(text, "x.dispute.yaml"))


def history(path: Path, text: str = GOOD) -> Path:
    """Write the history of a scenario."""
    result = ran(text)
    write_history(path, ((event, result.scenario.opening.policy) for event in result.events))
    return path


def forged(name: str, seq: int, **changes: Any) -> bytes:  # noqa: ANN401 -- any member of an event
    """Change an event of a recorded history, and make its chain fit again."""
    records = [
        {**one, **changes} if not is_policy(one) and one["seq"] == seq else one
        for one in recorded(name)
    ]
    return b"".join(map(line_of, rechained(records)))


def items(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def told(result: pytest.RunResult, name: str) -> list[str]:
    """Give what is told of one failure."""
    begin = next(
        number
        for number, line in enumerate(result.outlines)
        if line.strip("_ ") == name and line.startswith("_")
    )
    rest = result.outlines[begin + 1 :]
    return rest[: next(number for number, line in enumerate(rest) if line[:4] in {"====", "____"})]


# ---- collecting ----------------------------------------------------------------------------------


def test_the_files_that_are_tests_are_those_that_the_package_reads() -> None:
    assert pytest_plugin.SCENARIO == SCENARIO
    assert session.HISTORIES == (HISTORY, HISTORY + COMPRESSED)


def test_every_file_below_the_paths_is_one_test_named_after_it(
    pytester: pytest.Pytester, put: Put
) -> None:
    put("tests/a.dispute.yaml", GOOD)
    put("tests/deep/缺货 退款.dispute.yaml", GOOD)
    put("tests/other.yaml", GOOD)
    put("elsewhere/not-asked.dispute.yaml", GOOD)
    history(pytester.path / "tests" / "b.history.jsonl")
    history(pytester.path / "tests" / "c.history.jsonl.gz")
    put("tests/d.jsonl", "")
    result = pytester.runpytest_inprocess("tests", "--collect-only", "-q")
    assert items(result) == [
        "tests/a.dispute.yaml::scenario",
        "tests/b.history.jsonl::replay",
        "tests/c.history.jsonl.gz::replay",
        "tests/deep/缺货 退款.dispute.yaml::scenario",
    ]
    pytester.runpytest_inprocess("tests").assert_outcomes(passed=4)
    pytester.runpytest_inprocess("tests/c.history.jsonl.gz::replay").assert_outcomes(passed=1)


def test_what_pytest_is_told_to_ignore_is_ignored(pytester: pytest.Pytester, put: Put) -> None:
    put("a.dispute.yaml", GOOD)
    put("drafts/b.dispute.yaml", WRONG)
    put("c.dispute.yaml", WRONG)
    pytester.makeconftest("collect_ignore_glob = ['drafts/*']")
    pytester.runpytest_inprocess("--ignore=c.dispute.yaml").assert_outcomes(passed=1)


def test_tests_are_chosen_by_name(pytester: pytest.Pytester, put: Put) -> None:
    put("at-the-last-second.dispute.yaml", GOOD)
    put("late.dispute.yaml", GOOD)
    history(pytester.path / "late.history.jsonl")
    assert items(
        pytester.runpytest_inprocess("--collect-only", "-q", "-k", "late and scenario")
    ) == ["late.dispute.yaml::scenario"]
    pytester.runpytest_inprocess("-k", "replay").assert_outcomes(passed=1, deselected=2)
    pytester.runpytest_inprocess("-k", "last-second").assert_outcomes(passed=1, deselected=2)


def test_only_what_failed_runs_again(pytester: pytest.Pytester, put: Put) -> None:
    put("a.dispute.yaml", GOOD)
    path = put("b.dispute.yaml", WRONG)
    pytester.runpytest_inprocess().assert_outcomes(passed=1, failed=1)
    pytester.runpytest_inprocess("--lf").assert_outcomes(failed=1)
    path.write_text(GOOD, encoding="utf-8")
    pytester.runpytest_inprocess("--lf").assert_outcomes(passed=1)


def test_without_the_plugin_such_files_are_no_tests(pytester: pytest.Pytester, put: Put) -> None:
    put("a.dispute.yaml", WRONG)
    result = pytester.runpytest_inprocess("-p", "no:dispute_fsm")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize("options", few([[], ["--dispute-lang", "zh"], ["-n", "0"]], 2))
def test_a_run_without_disputes_imports_nothing_of_what_they_need(
    pytester: pytest.Pytester, options: list[str]
) -> None:
    pytester.makeconftest("""
        import sys
        HEAVY = {
            "pydantic", "yaml", "structlog", "statemachine",
            "dispute_fsm.machine", "dispute_fsm.public", "dispute_fsm.errors",
        }
        def pytest_unconfigure(config):
            loaded = config.pluginmanager.has_plugin("dispute_fsm")
            print("plugin:", loaded, "imported:", sorted(HEAVY & set(sys.modules)))
    """)
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest_subprocess(*options)
    result.assert_outcomes(passed=1)
    assert result.outlines[-1] == "plugin: True imported: []"


# ---- scenarios that fail -------------------------------------------------------------------------


def test_a_failing_scenario_tells_each_failure_and_its_story(
    pytester: pytest.Pytester, put: Put
) -> None:
    put("a.dispute.yaml", WRONG)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    failures = [
        "at the end: expected outcome: out_of_stock; found outcome: settled_by_out_of_stock_refund",
        "at the end: expected state: penalized; found state: resolved",
    ]
    found = ran(WRONG)
    story = timeline_lines(
        timeline(found.events, found.scenario.opening.policy),
        "en",
        notes={3: [f"line 6, {failure}" for failure in failures]},
    )
    assert told(result, "a.dispute.yaml::scenario") == [
        *(f"a.dispute.yaml:6: {failure}" for failure in failures),
        "",
        "缺货退款",
        *story,
    ]
    result.stdout.fnmatch_lines(["FAILED a.dispute.yaml::scenario - Failed: a.dispute.yaml:6:*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*Captured*")  # what is logged says the same once more


def test_a_failure_at_a_step_stands_where_it_happened_and_the_story_ends_there(
    pytester: pytest.Pytester, put: Put
) -> None:
    put("a.dispute.yaml", GOOD.replace("awaiting_confirmation", "opened"))
    failure = "step 1: expected state: opened; found state: awaiting_confirmation"
    found = told(pytester.runpytest_inprocess(), "a.dispute.yaml::scenario")
    assert found[0] == f"a.dispute.yaml:4: {failure}"
    assert found[-1] == f"    >> line 4, {failure}"
    assert [line[:2] for line in found if line.startswith("#")] == ["#1", "#2"]


def test_an_opening_that_is_refused_has_no_story(pytester: pytest.Pytester, put: Put) -> None:
    put("a.dispute.yaml", f"{HEAD}order: null\n")
    found = told(pytester.runpytest_inprocess(), "a.dispute.yaml::scenario")
    assert found == [
        "a.dispute.yaml:1: at the end: expected refused: none; found refused: order_not_found"
    ]


@pytest.mark.parametrize(
    ("options", "locale"),
    [
        (["--dispute-lang", "zh"], "en_US.UTF-8"),
        ([], "zh_CN.UTF-8"),
        (["--dispute-lang", "zh", "-n", "1"], "C"),
    ],
)
def test_the_story_is_told_in_the_language_asked_for_or_the_terminals(
    pytester: pytest.Pytester,
    put: Put,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    locale: str,
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    put("a.dispute.yaml", GOOD.replace("state: resolved", "state: opened"))
    found = pytester.runpytest_inprocess(*options).stdout
    found.fnmatch_lines(
        [
            "a.dispute.yaml:6: 结束时：预期 state: opened，实际 state: resolved",
            "*待消费者确认*",
            "*>> 第 6 行，结束时*",
        ]
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (HEAD.replace("+08:00", ""), "a.dispute.yaml:1: dispute.opened_at: "),
        (HEAD + "expcet: {}\n", "a.dispute.yaml:2: expcet: "),
        ("a: [\n", "a.dispute.yaml:"),
        (b"\xff\xfe\x00", "a.dispute.yaml"),
    ],
)
def test_a_scenario_that_cannot_be_read_fails_with_file_line_and_field(
    pytester: pytest.Pytester, put: Put, text: str | bytes, place: str
) -> None:
    put("a.dispute.yaml", text)
    put("b.dispute.yaml", GOOD)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1, passed=1)
    (found,) = told(result, "a.dispute.yaml::scenario")
    assert found.startswith(place)


def test_a_file_that_is_gone_when_its_test_runs_fails_with_its_name(
    pytester: pytest.Pytester, put: Put
) -> None:
    put("a.dispute.yaml", GOOD)
    pytester.makeconftest("def pytest_runtest_setup(item): item.path.unlink()")
    assert told(pytester.runpytest_inprocess(), "a.dispute.yaml::scenario") == [
        "a.dispute.yaml: No such file or directory"
    ]


def test_a_file_can_be_skipped_as_any_test_can(pytester: pytest.Pytester, put: Put) -> None:
    put("a.dispute.yaml", WRONG)
    history(pytester.path / "b.history.jsonl")
    pytester.makeconftest(
        "import pytest\ndef pytest_collection_modifyitems(items): "
        "[item.add_marker(pytest.mark.skip('later')) for item in items]"
    )
    result = pytester.runpytest_inprocess("-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED*a.dispute.yaml*: later"])


def test_what_could_play_tricks_on_a_terminal_is_replaced(
    pytester: pytest.Pytester, put: Put
) -> None:
    put("a.dispute.yaml", WRONG.replace("缺货退款", '"\\e[2J\\u202Eevil"'))
    assert "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}evil" in told(
        pytester.runpytest_inprocess(), "a.dispute.yaml::scenario"
    )


# ---- histories that fail -------------------------------------------------------------------------


def test_a_decision_that_is_another_now_is_told_with_its_guard_and_what_it_saw(
    pytester: pytest.Pytester, put: Put
) -> None:
    checks = recorded("withdraw-awaiting-confirmation")[2]["checks"]
    (check,) = (one for one in checks if one["guard"] == "vouchers_few_enough")
    changed = [
        {**one, "saw": {**one["saw"], "max_count": 1}} if one == check else one for one in checks
    ]
    put("a.history.jsonl", forged("withdraw-awaiting-confirmation", 2, checks=changed))
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    found = told(result, "a.history.jsonl::replay")
    dispute = recorded("withdraw-awaiting-confirmation")[1]["dispute_id"]
    assert found[:3] == [
        f"a.history.jsonl:3: dispute {dispute}, event 2: only the explanation differs",
        "",
        f"dispute {dispute}",
    ]
    then, now = (
        {"guard": check["guard"], "passed": True, "saw": {"count": 0, "max_count": most}}
        for most in (1, 20)
    )
    assert [line for line in found if ">>" in line] == [
        "    >> first difference: only the explanation differs (explanation)",
        "    >> guard: not too many vouchers (vouchers_few_enough)",
        f"    >> saw then: {json.dumps(then['saw'])}",
        f"    >> sees now: {json.dumps(now['saw'])}",
        f"    >> checks: was {json.dumps([then])}, is now {json.dumps([now])}",
    ]
    marked = next(number for number, line in enumerate(found) if ">>" in line)
    assert [line[:2] for line in found[:marked] if line.startswith("#")] == ["#1", "#2"]
    assert any(line.startswith("#3") for line in found[marked:])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_the_first_difference_is_told_in_full_and_later_ones_are_counted(
    pytester: pytest.Pytester, put: Put
) -> None:
    records = [
        one if is_policy(one) else {**one, "checks": []} for one in recorded("rule-at-fault")
    ]
    put("a.history.jsonl", b"".join(map(line_of, rechained(records))))
    found = told(pytester.runpytest_inprocess(), "a.history.jsonl::replay")
    marks = [line for line in found if ">>" in line]
    assert marks[0] == "    >> first difference: only the explanation differs (explanation)"
    assert "    >> saw then: was not asked" in marks
    assert marks[-1] == "    >> later steps that differ: 3, at events 2, 3, 4"


def test_a_question_that_tells_rows_apart_is_named_without_the_words_of_an_answer(
    pytester: pytest.Pytester, put: Put
) -> None:
    checks = [
        one
        for one in recorded("confirm-consumer-cancels")[2]["checks"]
        if one["guard"] != "confirmation"
    ]
    put("a.history.jsonl", forged("confirm-consumer-cancels", 2, checks=checks))
    assert "    >> guard: confirmation" in told(
        pytester.runpytest_inprocess(), "a.history.jsonl::replay"
    )


def test_a_fault_is_told_at_its_line_with_the_story_before_it(
    pytester: pytest.Pytester, put: Put
) -> None:
    content = b"".join(
        map(line_of, [*recorded("rule-at-fault")[:3], *recorded("rule-at-fault")[4:]])
    )
    put("a.history.jsonl", content)
    found = told(pytester.runpytest_inprocess(), "a.history.jsonl::replay")
    dispute = recorded("rule-at-fault")[1]["dispute_id"]
    assert found[0].startswith(f"a.history.jsonl:4: dispute {dispute}, event 4: ")
    assert found[1:3] == ["", f"dispute {dispute}"]
    assert [line[:2] for line in found if line.startswith("#")] == ["#1", "#2", "#4"]
    assert found[-1] == "    >> " + found[0].removeprefix("a.history.jsonl:4: ")


def test_a_fault_in_the_first_event_has_no_story_before_it(
    pytester: pytest.Pytester, put: Put
) -> None:
    put("a.history.jsonl", forged("rule-at-fault", 1, revision=2))
    found = told(pytester.runpytest_inprocess(), "a.history.jsonl::replay")
    assert found[0].startswith("a.history.jsonl:2: ")
    assert [line[:2] for line in found if line.startswith("#")] == ["#1"]


def test_a_fault_that_is_no_disputes_is_told_at_its_line(
    pytester: pytest.Pytester, put: Put
) -> None:
    policy, *_ = recorded("rule-at-fault")
    content = [
        *recorded("rule-at-fault"),
        {**policy, "policy": {**policy["policy"], "max_recorded_refusals": 7}},
    ]
    put("a.history.jsonl", b"".join(map(line_of, content)))
    (found,) = told(pytester.runpytest_inprocess(), "a.history.jsonl::replay")
    assert found.startswith(f"a.history.jsonl:{len(content)}: the digest does not match the policy")


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"".join(map(line_of, recorded("rule-at-fault")))[:-5], "a.history.jsonl:5: "),
        (forged("rule-at-fault", 2, at="yesterday"), "a.history.jsonl:3: "),
        (b"{}\n", "a.history.jsonl:1: "),
    ],
)
def test_a_history_that_cannot_be_read_fails_with_file_and_line(
    pytester: pytest.Pytester, put: Put, content: bytes, place: str
) -> None:
    put("a.history.jsonl", content)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    (found,) = told(result, "a.history.jsonl::replay")
    assert found.startswith(place)


def test_of_many_disputes_that_fail_each_is_named_and_the_first_ones_are_told(
    pytester: pytest.Pytester, put: Put
) -> None:
    def changed(one: Record) -> Record:
        return one if is_policy(one) or one["seq"] > 1 else {**one, "checks": []}

    records = [changed(json.loads(line)) for line in lines_of(MANY)]
    put("a.history.jsonl", b"".join(map(line_of, rechained(records))))
    found = told(pytester.runpytest_inprocess(), "a.history.jsonl::replay")
    assert sum(line.startswith("a.history.jsonl:") for line in found) == 60
    assert sum(line.startswith("#1") for line in found) == 3


# ---- disputes in Python tests --------------------------------------------------------------------


def test_disputes_are_told_by_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"""
        def test_given(given, given_history):
            case = given("{OPENED}", policy={{"silence": "denial"}})
            case.when("+1h", "choose_option", option="already_shipped").then(
                refused=["not_shipped", "no_pickup_scan"])
            again = given_history(case.events, case.policy)
            again.when("+2h", "withdraw").then(state="resolved")
            assert (len(case.events), len(again.events)) == (2, 3)
            assert again.policy.silence == "denial"

        def test_two_disputes(given):
            for _ in range(2):
                assert given("{OPENED}").dispute.dispute_id == "D-1"
    """)
    pytester.runpytest_inprocess().assert_outcomes(passed=2)


def test_a_refusal_in_silence_fails_the_test_at_its_end(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"""
        def test_silent(given):
            given("{OPENED}").when("+1h", "withdraw")
            given("{OPENED}").when("+1h", "choose_option", option="already_shipped")
            given("{OPENED}").when("+1h", "withdraw")
    """)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    found = told(result, "test_silent")
    assert found[:2] == [
        "2023-03-28T03:00:00Z choose_option: not as expected",
        "  expected refused: none; found refused: no_pickup_scan, not_shipped",
    ]
    assert sum("not as expected" in line for line in found) == 1
    result.stdout.no_fnmatch_line("*hidden*")


def test_a_test_that_fails_by_itself_fails_with_that(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"""
        def test_wrong(given):
            given("{OPENED}").when("+1h", "choose_option", option="already_shipped")
            assert 1 == 2

        def test_not_met(given):
            given("{OPENED}").when("+1h", "withdraw").then(state="opened")

        def test_silence(given):
            given("{OPENED}").when("+1h", "choose_option", option="already_shipped")
    """)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(
        failed=3
    )  # and no error: silence is a failure of the test, not of what cleans up behind it
    assert "E       assert 1 == 2" in told(result, "test_wrong")
    assert "E         expected state: opened; found state: resolved" in told(result, "test_not_met")
    result.stdout.no_fnmatch_line("*src/dispute_fsm*")


# ---- writing expectations ------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [[], SPREAD])
def test_missing_expectations_are_written_and_nothing_else(
    pytester: pytest.Pytester, put: Put, workers: list[str]
) -> None:
    untold, dos = put("a.dispute.yaml", UNTOLD), put("b.dispute.yaml", UNTOLD.replace("\n", "\r\n"))
    good, wrong = put("c.dispute.yaml", GOOD), put("d.dispute.yaml", WRONG)
    unread = put("e.dispute.yaml", "a: [\n")
    pytester.runpytest_inprocess().assert_outcomes(passed=1, failed=4)
    result = pytester.runpytest_inprocess("--dispute-update", *workers)
    result.assert_outcomes(passed=3, failed=2)
    assert (untold.read_bytes(), dos.read_bytes()) == (
        TOLD.encode(),
        TOLD.replace("\n", "\r\n").encode(),
    )
    assert (good.read_text(), wrong.read_text(), unread.read_text()) == (GOOD, WRONG, "a: [\n")
    begin = next(
        number for number, line in enumerate(result.outlines) if "scenario files written" in line
    )
    assert result.outlines[begin + 1 : begin + 3] == ["a.dispute.yaml", "b.dispute.yaml"]
    assert result.outlines[begin + 3].startswith("=")
    again = pytester.runpytest_inprocess("--dispute-update")
    again.assert_outcomes(passed=3, failed=2)
    again.stdout.no_fnmatch_line("*files written*")
    assert sorted(path.name for path in pytester.path.glob("*dispute.yaml*")) == [
        f"{name}.dispute.yaml" for name in "abcde"
    ]


def test_expectations_that_are_not_met_are_written_anew_only_where_asked_twice(
    pytester: pytest.Pytester, put: Put
) -> None:
    path = put("a.dispute.yaml", WRONG)
    refused = pytester.runpytest_inprocess("--dispute-update-changed")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["ERROR: --dispute-update-changed needs --dispute-update*"])
    assert path.read_text(encoding="utf-8") == WRONG
    result = pytester.runpytest_inprocess("--dispute-update", "--dispute-update-changed")
    result.assert_outcomes(passed=1)
    assert path.read_text(encoding="utf-8") == WRONG.replace(
        "penalized, outcome: out_of", "resolved, outcome: settled_by_out_of"
    ).replace("_stock}", "_stock_refund}")


def test_only_the_files_that_are_chosen_are_written(pytester: pytest.Pytester, put: Put) -> None:
    paths = [put(f"{name}.dispute.yaml", UNTOLD) for name in "ab"]
    pytester.runpytest_inprocess("--dispute-update", "-k", "b.dispute").assert_outcomes(
        passed=1, deselected=1
    )
    pytester.runpytest_inprocess("--dispute-update", "--collect-only")
    assert [path.read_text(encoding="utf-8") for path in paths] == [UNTOLD, TOLD]


# ---- coverage ------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_what_scenarios_histories_and_tests_reach_is_counted_together(
    pytester: pytest.Pytester, put: Put, workers: list[str]
) -> None:
    put("a.dispute.yaml", GOOD)
    put("b.dispute.yaml", UNTOLD)  # fails, and counts all the same
    history(pytester.path / "c.history.jsonl")
    pytester.makepyfile(f"""
        def test_withdrawn(given, given_history):
            case = given("{OPENED}").when("+1h", "withdraw")
            given_history(case.events[:1], case.policy)
    """)
    result = pytester.runpytest_inprocess(
        "--dispute-coverage", "--dispute-coverage-json", "reached.json", *workers
    )
    result.assert_outcomes(passed=3, failed=1)
    expected = Coverage()
    withdrawn = ran(f"{HEAD}steps:\n  - {{at: +1h, do: withdraw}}\n").events
    for event in (
        *ran(GOOD).events,
        *ran(UNTOLD).events,
        *ran(GOOD).events,
        *withdrawn,
        withdrawn[0],
    ):
        expected.add(event)
    assert (
        json.loads((pytester.path / "reached.json").read_text(encoding="utf-8"))
        == expected.record()
    )
    begin = next(
        number
        for number, line in enumerate(result.outlines)
        if "coverage of the dispute rules" in line
    )
    text = list(expected.lines("en"))
    assert result.outlines[begin + 1 : begin + 1 + len(text)] == text
    assert result.outlines[begin + 1 + len(text)] == f"written to {pytester.path / 'reached.json'}"


def test_an_update_does_not_count_twice(pytester: pytest.Pytester, put: Put) -> None:
    put("a.dispute.yaml", UNTOLD)
    pytester.runpytest_inprocess(
        "--dispute-update", "--dispute-coverage-json", "reached.json"
    ).assert_outcomes(passed=1)
    record = json.loads((pytester.path / "reached.json").read_text(encoding="utf-8"))
    assert record["2023-03"]["events"] == len(ran(UNTOLD).events)


def test_nothing_is_told_where_nobody_asked(pytester: pytest.Pytester, put: Put) -> None:
    put("a.dispute.yaml", GOOD)
    pytester.runpytest_inprocess().stdout.no_fnmatch_line("*coverage of*")


def test_where_nothing_ran_nothing_was_reached(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    pytester.runpytest_inprocess(
        "--dispute-coverage", "--dispute-coverage-json", "reached.json"
    ).assert_outcomes(passed=1)
    assert (
        json.loads((pytester.path / "reached.json").read_text(encoding="utf-8"))
        == Coverage().record()
    )


@pytest.mark.parametrize("name", [".", "no/such/folder.json"])
def test_a_coverage_file_that_cannot_be_written_is_wrong_usage(
    pytester: pytest.Pytester, name: str
) -> None:
    result = pytester.runpytest_inprocess("--dispute-coverage-json", name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --dispute-coverage-json *: name a file in a folder that exists"]
    )


@pytest.mark.parametrize("workers", [[], SPREAD], ids=["", "workers"])
def test_coverage_that_cannot_be_written_at_the_end_is_told_below_the_report(
    pytester: pytest.Pytester, put: Put, workers: list[str]
) -> None:
    made = (
        "import pathlib\ndef test_made(): "
        f"pathlib.Path({str(pytester.path / 'reached.json')!r}).mkdir(exist_ok=True)\n"
    )
    pytester.makepyfile(made)
    put("a.dispute.yaml", GOOD)
    (pytester.path / "reached.json").unlink(missing_ok=True)
    result = pytester.runpytest_inprocess("--dispute-coverage-json", "reached.json", *workers)
    result.assert_outcomes(passed=2)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(
        [f"--dispute-coverage-json {pytester.path / 'reached.json'}: *folder*"]
    )
    result.stdout.no_fnmatch_line("written to*")
    (pytester.path / "reached.json").rmdir()
    put("a.dispute.yaml", WRONG)
    failed = pytester.runpytest_inprocess("--dispute-coverage-json", "reached.json", *workers)
    failed.assert_outcomes(passed=1, failed=1)
    assert failed.ret is pytest.ExitCode.TESTS_FAILED
    failed.stdout.fnmatch_lines(
        ["*= FAILURES =*", "a.dispute.yaml:6: *", "--dispute-coverage-json *"]
    )


@pytest.mark.whole
def test_a_worker_that_breaks_down_does_not_hide_what_the_others_reached(
    pytester: pytest.Pytester, put: Put
) -> None:
    put("a.dispute.yaml", GOOD)
    pytester.makepyfile(test_z="import os\ndef test_breaks_down(): os._exit(3)")
    result = pytester.runpytest_subprocess("-n", "2", "--dispute-coverage-json", "reached.json")
    result.assert_outcomes(passed=1, failed=1)
    assert (pytester.path / "reached.json").exists()


# ---- approved drift ------------------------------------------------------------------------------

DRIFTED = "withdraw-awaiting-confirmation"
INTENDED = "approved:\n  - {{dispute: {}, class: explanation, why: other words}}\n"


@pytest.fixture
def drifted(pytester: pytest.Pytester, put: Put) -> str:
    """Let one of two histories differ in an explanation, and configure the file of approvals.

    Returns the id of its dispute.
    """
    put("cases/a.history.jsonl", forged(DRIFTED, 2, checks=[]))
    history(pytester.path / "cases" / "b.history.jsonl")
    pytester.makefile(
        ".ini",
        pytest=f"{DEFAULTS}dispute_approved = approved.yaml\ntestpaths = cases\nmarkers = slow\n",
    )
    return str(recorded(DRIFTED)[1]["dispute_id"])


@pytest.mark.parametrize("workers", [[], SPREAD])
def test_a_difference_that_is_approved_is_no_failure(
    pytester: pytest.Pytester, put: Put, drifted: str, workers: list[str]
) -> None:
    put("approved.yaml", "approved: []\n")
    pytester.runpytest_inprocess(*workers).assert_outcomes(passed=1, failed=1)
    put("approved.yaml", INTENDED.format(drifted))
    result = pytester.runpytest_inprocess(*workers)
    result.assert_outcomes(passed=2)
    assert result.ret is pytest.ExitCode.OK


@pytest.mark.parametrize("workers", [[], SPREAD])
def test_an_approval_that_no_longer_fits_fails_the_run(
    pytester: pytest.Pytester, put: Put, drifted: str, workers: list[str]
) -> None:
    put("approved.yaml", INTENDED.format(drifted) + "  - {dispute: D-gone, why: fixed}\n")
    result = pytester.runpytest_inprocess(*workers)
    result.assert_outcomes(passed=2)
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*approvals that no longer fit any difference*", "*approved.yaml:3: fixed"]
    )


UNUSED = "*approvals that no longer fit any difference*"


@pytest.fixture
def stale(put: Put, drifted: str) -> None:
    """Let one approval fit, and another one fit nothing."""
    put("approved.yaml", INTENDED.format(drifted) + "  - {dispute: D-gone, why: fixed}\n")
    put("cases/test_other.py", "import pytest\n@pytest.mark.slow\ndef test_other(): pass\n")


def says_nothing(result: pytest.RunResult, *codes: pytest.ExitCode) -> None:
    result.stdout.no_fnmatch_line(UNUSED)
    assert result.ret in (codes or (pytest.ExitCode.OK,))


@pytest.mark.parametrize(
    "options",
    [
        ["cases/b.history.jsonl"],
        ["cases/b.history.jsonl::replay"],
        ["cases"],
        ["-k", "b.history"],
        ["-k", "history"],
        ["-m", "slow"],
        ["-m", "not slow"],
        ["--deselect", "cases/a.history.jsonl::replay"],
        ["--deselect", "cases/test_other.py"],
        ["--ignore", "cases/a.history.jsonl"],
        ["--ignore-glob", "*/a.history.jsonl"],
        ["--ignore-glob", "*.jsonl"],
        ["--collect-only"],
        ["--setup-plan"],
        ["--setup-only"],
        ["--fixtures"],
        ["--fixtures-per-test"],
        ["--markers"],
        ["--cache-show"],
        ["-o", "testpaths=none"],
        pytest.param(["-n", "2", "--deselect", "cases/a.history.jsonl"], marks=pytest.mark.whole),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("stale")
def test_where_not_all_runs_nobody_can_tell_which_approvals_fit(
    pytester: pytest.Pytester, options: list[str]
) -> None:
    says_nothing(pytester.runpytest_inprocess("-W", "ignore", *options))


@pytest.mark.parametrize(
    "options", [["-k", "nothing"], ["-o", "norecursedirs=*", "-o", "testpaths=."]], ids=" ".join
)
@pytest.mark.usefixtures("stale")
def test_where_nothing_runs_nobody_can_tell_either(
    pytester: pytest.Pytester, options: list[str]
) -> None:
    says_nothing(pytester.runpytest_inprocess(*options), pytest.ExitCode.NO_TESTS_COLLECTED)


LEFT_OUT = {
    "collect_ignore": "collect_ignore = ['a.history.jsonl']",
    "collect_ignore_glob": "collect_ignore_glob = ['*.jsonl']",
    "a hook that ignores": (
        "def pytest_ignore_collect(collection_path): return collection_path.name.startswith('a.') "
        "or None"
    ),
    "a plugin that splits": "def pytest_collection_modifyitems(items): del items[0]",
    (
        "a plugin that splits off a Python test"
    ): "def pytest_collection_modifyitems(items): del items[-1]",
    "a plugin that runs nothing": (
        "def pytest_runtest_protocol(item): return item.name == 'replay' or None"
    ),
    "a skip": (
        "import pytest\ndef pytest_collection_modifyitems(items): "
        "items[0].add_marker(pytest.mark.skip)"
    ),
    "a skip as it runs": (
        "import pytest\ndef pytest_runtest_call(item): item.name == 'replay' and pytest.skip()"
    ),
    "an end": "import pytest\ndef pytest_runtest_setup(item): pytest.exit('enough', returncode=0)",
}


@pytest.mark.parametrize("left_out", LEFT_OUT)
@pytest.mark.usefixtures("stale")
def test_what_leaves_a_test_out_need_not_be_known(
    pytester: pytest.Pytester, put: Put, left_out: str
) -> None:
    put("cases/conftest.py", LEFT_OUT[left_out])
    says_nothing(pytester.runpytest_inprocess())


@pytest.mark.whole
@pytest.mark.usefixtures("stale")
def test_what_leaves_a_test_out_of_every_worker_need_not_be_known(
    pytester: pytest.Pytester, put: Put
) -> None:
    put("cases/conftest.py", LEFT_OUT["a plugin that splits off a Python test"])
    says_nothing(pytester.runpytest_inprocess("-n", "2"))


@pytest.mark.usefixtures("stale")
def test_a_run_that_ended_early_says_nothing(pytester: pytest.Pytester, put: Put) -> None:
    put(
        "cases/conftest.py",
        (
            "def pytest_runtest_setup(item):\n    if item.name == 'test_other': raise "
            "KeyboardInterrupt"
        ),
    )
    says_nothing(pytester.runpytest_inprocess(no_reraise_ctrlc=True), pytest.ExitCode.INTERRUPTED)
    put("cases/conftest.py", "")
    put("cases/m.dispute.yaml", WRONG)
    for options in (["-x"], ["--maxfail=1"], ["--sw"]):
        pytester.runpytest_inprocess(*options).stdout.no_fnmatch_line(UNUSED)
    put("cases/m.dispute.yaml", GOOD)
    says_nothing(pytester.runpytest_inprocess("--sw"))  # goes on behind what passed
    put("cases/m.dispute.yaml", WRONG)
    pytester.runpytest_inprocess()
    put("cases/m.dispute.yaml", GOOD)
    says_nothing(pytester.runpytest_inprocess("--lf"))


@pytest.mark.usefixtures("stale")
def test_a_run_with_files_that_cannot_be_collected_says_nothing(
    pytester: pytest.Pytester, put: Put
) -> None:
    put("cases/test_broken.py", "import no_such_module\n")
    for options in ([], ["--continue-on-collection-errors"]):
        pytester.runpytest_inprocess(*options).stdout.no_fnmatch_line(UNUSED)


@pytest.mark.usefixtures("stale")
def test_a_run_from_another_folder_says_nothing(
    pytester: pytest.Pytester, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("cases/deep/test_deep.py", "def test_deep(): pass\n")
    monkeypatch.chdir(pytester.path / "cases" / "deep")
    says_nothing(pytester.runpytest_inprocess())


@pytest.mark.usefixtures("stale")
def test_a_history_that_is_not_whole_may_need_any_approval(
    pytester: pytest.Pytester, put: Put
) -> None:
    content = b"".join(map(line_of, recorded("rule-at-fault")))
    for broken in (content[:-5], content.replace(b'"seq":2', b'"seq":3')):
        put("cases/c.history.jsonl", broken)
        result = pytester.runpytest_inprocess()
        result.assert_outcomes(passed=3, failed=1)
        result.stdout.no_fnmatch_line(UNUSED)


@pytest.mark.parametrize(
    "workers",
    [[], pytest.param(["-n", "2", "--dist", "loadgroup"], marks=pytest.mark.whole)],
    ids=["", "workers"],
)
@pytest.mark.usefixtures("stale")
def test_a_run_of_all_tests_is_judged_though_some_are_skipped_and_some_fail(
    pytester: pytest.Pytester, put: Put, workers: list[str]
) -> None:
    put("cases/.hidden/c.history.jsonl", "")
    put("cases/build/c.history.jsonl", "")
    put("cases/env/pyvenv.cfg", "")
    put("cases/env/c.history.jsonl", "")
    put(
        "cases/test_other.py",
        """
import pytest
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.xfail(run=False)
def test_not_run(): pass
def test_skips(): pytest.skip()
""",
    )
    put(
        "cases/conftest.py",
        (
            "import pytest\ndef pytest_itemcollected(item): "
            "item.add_marker(pytest.mark.xdist_group('one'))\n"
        )
        if workers
        else "",
    )
    result = pytester.runpytest_inprocess(*workers)
    result.assert_outcomes(passed=2, skipped=2, xfailed=1)
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([UNUSED, "approved.yaml:3: fixed"])
    put("cases/c.dispute.yaml", WRONG)
    again = pytester.runpytest_inprocess()
    assert again.ret is pytest.ExitCode.TESTS_FAILED
    again.stdout.fnmatch_lines([UNUSED, "approved.yaml:3: fixed"])


def test_where_no_paths_are_configured_the_root_folder_is(
    pytester: pytest.Pytester, put: Put, drifted: str
) -> None:
    pytester.makefile(".ini", pytest=f"{DEFAULTS}dispute_approved = approved.yaml\n")
    put("approved.yaml", INTENDED.format(drifted) + "  - {dispute: D-gone, why: fixed}\n")
    result = pytester.runpytest_inprocess()
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([UNUSED])
    says_nothing(pytester.runpytest_inprocess("--ignore", "cases/b.history.jsonl"))


UNREADABLE: dict[str, tuple[str | bytes | None, str]] = {
    "another field": (
        "approved:\n  - {dispute: D-1, because: x}\n",
        "approved.yaml:2: approved[[]0].why: *",
    ),
    "no YAML": ("approved: [\n", "approved.yaml:*: not YAML: *"),
    "no text": (b"\xff\xfe\x00", "approved.yaml:1: not UTF-8*"),
    "nothing": ("", "approved.yaml: the file is empty*"),
    "no file": (None, "approved.yaml: no such file"),
    "a blank dispute": (
        "approved:\n  - dispute: ' '\n    why: x\n",
        "approved.yaml:2: approved[[]0].dispute: *",
    ),
}


@pytest.mark.parametrize(
    ("unreadable", "options"),
    [
        *((name, "") for name in UNREADABLE),
        ("no file", "-k nothing"),
        ("no file", "--collect-only"),
        pytest.param("no file", "-n 2", marks=pytest.mark.whole),
    ],
)
def test_approvals_that_cannot_be_read_are_wrong_usage_before_any_test_runs(
    pytester: pytest.Pytester, put: Put, unreadable: str, options: str
) -> None:
    pytester.makefile(".ini", pytest=f"{DEFAULTS}dispute_approved = approved.yaml\n")
    pytester.makepyfile("def test_fails(): assert False")
    content, line = UNREADABLE[unreadable]
    if content is not None:
        put("approved.yaml", content)
    result = pytester.runpytest_inprocess(*options.split())
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.assert_outcomes()
    result.stderr.fnmatch_lines([f"ERROR: {line}"])
    assert sum(bool(told) for told in result.errlines) == 1
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    "option", ["--help", "--version", "--markers", "--fixtures", "--cache-show"]
)
def test_what_runs_no_test_reads_no_approvals(pytester: pytest.Pytester, option: str) -> None:
    pytester.makefile(".ini", pytest=f"{DEFAULTS}dispute_approved = approved.yaml\n")
    assert pytester.runpytest_inprocess(option).ret is pytest.ExitCode.OK


@pytest.mark.usefixtures("stale")
def test_approvals_that_are_gone_at_the_end_of_a_run_are_judged_as_they_were(
    pytester: pytest.Pytester, put: Put
) -> None:
    put(
        "cases/test_other.py",
        (
            "import pathlib\ndef test_other(): "
            f"pathlib.Path({str(pytester.path / 'approved.yaml')!r}).unlink()\n"
        ),
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=3)
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([UNUSED, "approved.yaml:3: fixed"])
