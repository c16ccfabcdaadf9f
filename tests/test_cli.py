"""The command line: exit codes, streams, JSON for programs, clear errors, no tracebacks.

Where streams, environment or the process matter, the installed console script runs; elsewhere its
entry point is called in this process, which is the same but for the start.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import structlog

from dispute_fsm import cli
from dispute_fsm.domain.enums import ORDER_PAGE_LINK, Option, Outcome, RefusalCode, StateName
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.errors import OrderSystemUnavailableError
from dispute_fsm.history.reader import read_steps
from dispute_fsm.rules.v2023_03 import OPTIONS
from dispute_fsm.scenarios.reader import read_scenario
from dispute_fsm.scenarios.runner import run_scenario
from dispute_fsm.scenarios.title import title_in
from tests.command_line import (
    SCRIPT,
    Ran,
    complained,
    environment,
    on_a_terminal,
    piped,
    run,
    script,
)
from tests.patience import PATIENCE
from tests.sampling import few

EXAMPLES = Path(__file__).parent.parent / "examples"
MEMBERS = [
    "file",
    "title",
    "rules",
    "state",
    "states",
    "path",
    "outcome",
    "events",
    "ok",
    "failures",
]

HEAD = "dispute: {opened_at: 2023-03-28T10:00:00+08:00}\n"
GOOD = (
    "title: 好 / good\n"
    + HEAD
    + "steps:\n  - {at: +1h, do: withdraw}\nexpect: {state: resolved, outcome: withdrawn}\n"
)
SHORT = (
    "title: 错 / short\n" + HEAD + "steps:\n  - {at: +1h, do: withdraw, expect: {state: opened}}\n"
)
BAD = "title: bad\n" + HEAD + "steps:\n  - {at: +1h, do: fly}\n"
NO_ORDER = HEAD + "order: null\nexpect: {refused: [order_not_found]}\n"
OPEN = HEAD + "steps: [{at: +1h, order: {shipment: {waybill: W1}}}]\n"
DOWN = HEAD + "steps: [{at: +1h, order: unavailable}]\n"


POLICY = (
    json.dumps(
        {"type": "policy", "digest": DEFAULT_POLICY.digest, "policy": dict(DEFAULT_POLICY.record)}
    )
    + "\n"
).encode()


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Reset the log configuration, which the command line sets and other tests share."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Make a folder of scenarios: a passing one, a failing, an unreadable, one in a sub-folder."""
    for name, text in (("a-good", GOOD), ("b-short", SHORT), ("c-bad", BAD), ("sub/d-good", GOOD)):
        file = tmp_path / "in" / f"{name}.dispute.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (tmp_path / "in" / "notes.yaml").write_text("no scenario", encoding="utf-8")
    return tmp_path / "in"


def written(folder: Path, text: str | bytes, name: str = "x.dispute.yaml") -> Path:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


# ---- run: exit codes and streams -----------------------------------------------------------------


def test_all_as_expected_is_code_0() -> None:
    ran = run("run", EXAMPLES, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert [line["file"] for line in ran.lines] == [
        str(file) for file in sorted(EXAMPLES.glob("*.dispute.yaml"))
    ]
    assert all(line["ok"] for line in ran.lines)


def test_a_scenario_that_comes_out_otherwise_is_code_1(files: Path) -> None:
    ran = run("run", files / "a-good.dispute.yaml", files / "b-short.dispute.yaml", "--json")
    assert (ran.code, ran.err) == (1, "")
    assert [line["ok"] for line in ran.lines] == [True, False]


def test_a_file_that_cannot_be_read_is_code_2_and_the_others_still_run(files: Path) -> None:
    ran = run("run", files, "--json")
    assert ran.code == 2
    assert [Path(line["file"]).name for line in ran.lines] == [
        f"{name}.dispute.yaml" for name in ("a-good", "b-short", "d-good")
    ]
    assert f"{files / 'c-bad.dispute.yaml'}:4: steps[0].do: " in ran.err
    assert run("run", files / "c-bad.dispute.yaml").code == 2


def test_results_go_to_stdout_and_errors_to_stderr(files: Path) -> None:
    ran = script("run", ".", "--lang", "en", cwd=files)
    assert ran.code == 2
    assert "c-bad.dispute.yaml:4: steps[0].do: " in ran.err
    assert re.fullmatch(r"took [0-9.]+ s", ran.err.splitlines()[1])
    assert ran.err.count("\n") == 2
    end = Outcome.WITHDRAWN.en
    assert ran.out.splitlines() == [
        f"✓ a-good → {end}  good",
        f"✗ b-short → {end}  short",
        f"✓ sub/d-good → {end}  good",
        "",
        "b-short.dispute.yaml:4: step 1",
        "    expected  state: opened",
        f"    found     state: {StateName.RESOLVED.value}",
        "",
        "2 passed, 1 failed",
    ]


def test_a_title_in_two_languages_is_shown_in_the_one_asked_for(files: Path) -> None:
    file = files / "a-good.dispute.yaml"
    told = {lang: run("run", file, "--lang", lang).out.splitlines() for lang in ("zh", "en")}
    assert [lines[0].split("  ")[1] for lines in told.values()] == ["好", "good"]
    assert told["zh"][-1] == "1 个通过，0 个未通过"


@pytest.mark.parametrize(
    "title", ["shipped / not shipped", "发货 / 未发货", "甲 / a / b", "甲/a", "only one"]
)
def test_a_title_is_split_only_where_it_has_two_languages(title: str) -> None:
    assert (title_in("zh", title), title_in("en", title)) == (title, title)


def test_a_title_is_split_in_either_order() -> None:
    for title in ("甲 / a", "a / 甲"):
        assert (title_in("zh", title), title_in("en", title)) == ("甲", "a")


def test_files_of_one_folder_are_named_without_it_and_others_as_given(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names(*paths: str | Path) -> list[str]:
        return [line.split()[1] for line in run("run", *paths).out.splitlines() if " → " in line]

    monkeypatch.chdir(files)
    good = Path("a-good.dispute.yaml")
    assert names(good, "sub") == ["a-good", "sub/d-good"]
    assert names("sub") == ["d-good"]
    assert names(good, files / "sub") == ["a-good", str(files / "sub" / "d-good")]


def test_a_failure_names_file_line_expected_and_found_for_people_and_programs(files: Path) -> None:
    file = files / "b-short.dispute.yaml"
    (line,) = run("run", file, "--json").lines
    assert line["failures"] == [
        {"step": 1, "line": 4, "expected": "state: opened", "found": line["failures"][0]["found"]}
    ]
    assert "state: resolved" in line["failures"][0]["found"]
    for lang in ("zh", "en"):
        lines = run("run", file, "--lang", lang).out.splitlines()
        (at,) = (number for number, told in enumerate(lines) if told.startswith(f"{file}:4: "))
        assert "state: opened" in lines[at + 1]
        assert "state: resolved" in lines[at + 2]


@pytest.mark.parametrize("command", ["run", "options"])
def test_a_path_that_does_not_exist_is_code_2(command: str, files: Path) -> None:
    ran = run(command, files / "absent.dispute.yaml")
    complained(ran, "absent.dispute.yaml")
    assert ran.out == ""


def test_a_path_that_leads_nowhere_is_an_error_of_that_path_alone(
    files: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    nowhere = (files / "absent", tmp_path / "empty", tmp_path / ("x" * 300))
    ran = run(
        "run",
        nowhere[0],
        files / "a-good.dispute.yaml",
        *nowhere[1:],
        "--json",
        "--histories",
        files / "out",
    )
    complained(ran)
    *complaints, wrote = ran.err.splitlines()
    assert [line.split(": ")[1] for line in complaints] == [str(path) for path in nowhere]
    assert str(files / "out" / "a-good.history.jsonl") in wrote
    assert [Path(line["file"]).name for line in ran.lines] == ["a-good.dispute.yaml"]
    assert [file.name for file in (files / "out").iterdir()] == ["a-good.history.jsonl"]


def test_a_scenario_may_come_through_a_pipe(files: Path) -> None:
    with piped((files / "a-good.dispute.yaml").read_bytes()) as pipe:
        ran = run("run", pipe, "--json")
    assert (ran.code, [(line["file"], line["title"]) for line in ran.lines]) == (
        0,
        [(pipe, "好 / good")],
    )


def test_a_folder_without_scenarios_is_code_2(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "x.yaml")
    ran = run("run", tmp_path)
    complained(ran, tmp_path)
    assert ran.out == ""


def test_a_file_is_run_whatever_its_name_and_once_however_often_it_is_named(files: Path) -> None:
    other = written(files, GOOD, "any name")
    ran = run(
        "run", other, files / "sub", files / "sub" / "d-good.dispute.yaml", files / "sub", "--json"
    )
    assert ran.code == 0
    assert [Path(line["file"]).name for line in ran.lines] == ["any name", "d-good.dispute.yaml"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["run"],
        ["options"],
        ["fly"],
        ["run", "--fly", "x"],
        ["run", "x", "--lang", "fr"],
        ["run", "x", "--histories"],
        ["options", "x", "y"],
        ["--json", "run", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_code_2(arguments: Sequence[str]) -> None:
    ran = run(*arguments)
    complained(ran)
    assert ran.out + ran.err


def test_wrong_usage_is_told_on_stderr() -> None:
    ran = script("run", "--fly", "x")
    complained(ran, "--fly")
    assert ran.out == ""


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version") == Ran(0, f"dispute-fsm {version('dispute-fsm')}\n", "")


# ---- run: JSON for programs ----------------------------------------------------------------------


def test_json_is_one_object_a_line_with_exactly_these_members(files: Path) -> None:
    written(files / "sub", NO_ORDER, "e-no-order.dispute.yaml")
    ran = run("run", files / "sub", EXAMPLES / "09-one-answer-only.dispute.yaml", "--json")
    assert ran.code == 0
    assert [list(line) for line in ran.lines] == [MEMBERS] * 3
    for line in ran.lines:
        result = run_scenario(read_scenario(Path(line["file"])))
        assert line["title"] == result.scenario.title
        assert (line["rules"], line["ok"], line["failures"]) == ("2023-03", True, [])
        assert line["events"] == [event.model_dump(mode="json") for event in result.events]
        if result.dispute is None:
            assert (line["state"], line["states"], line["path"], line["outcome"]) == (
                None,
                [],
                None,
                None,
            )
        else:
            assert (line["state"], line["path"]) == (
                result.dispute.state.value,
                result.dispute.path,
            )
            assert (line["states"], line["outcome"]) == ([line["state"]], result.dispute.outcome)


def test_json_has_no_end_state_but_the_leaf(tmp_path: Path) -> None:
    file = written(
        tmp_path, HEAD + "steps: [{at: +1h, do: choose_option, with: {option: prove_no_fault}}]\n"
    )
    (line,) = run("run", file, "--json").lines
    assert (line["state"], line["states"]) == ("awaiting_evidence", ["awaiting_evidence"])
    assert (line["path"], line["outcome"]) == ("option_chosen.contesting.awaiting_evidence", None)


def test_two_runs_write_the_same_bytes_whatever_the_environment(tmp_path: Path) -> None:
    environments: list[dict[str, str]] = [
        {"PYTHONHASHSEED": "1", "TZ": "America/New_York", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "Asia/Shanghai", "LC_ALL": "zh_CN.UTF-8", "PYTHONUTF8": "1"},
    ]
    out = [
        script("run", EXAMPLES, "--json", "--histories", str(tmp_path / str(n)), env=env)
        for n, env in enumerate(environments)
    ]
    assert [ran.code for ran in out] == [0, 0]
    assert out[0].out == out[1].out == run("run", EXAMPLES, "--json").out
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in "01"
    )
    assert len(first) == len(list(EXAMPLES.glob("*.dispute.yaml")))
    assert first == second


@pytest.mark.parametrize("encoding", few(["ascii", "latin-1", "gb18030"], 1))
def test_json_is_utf_8_whatever_the_terminal_takes(encoding: str, files: Path) -> None:
    ran = script("run", files / "a-good.dispute.yaml", "--json", env={"PYTHONIOENCODING": encoding})
    assert "Traceback" not in ran.err
    assert ran.code == 0
    assert ran.lines[0]["title"] == "好 / good"


@pytest.mark.parametrize("command", few(["run", "options"], 1))
def test_a_terminal_that_cannot_show_a_character_is_no_reason_to_break(
    command: str, files: Path
) -> None:
    ran = script(
        command, files / "a-good.dispute.yaml", "--lang", "zh", env={"PYTHONIOENCODING": "ascii"}
    )
    assert "Traceback" not in ran.err
    assert ran.code == 0


@pytest.mark.parametrize(
    ("encoding", "closed", "opened"),
    few(
        [
            ("utf-8", "✗", "✓"),
            ("gbk", "×", "√"),
            ("latin-1", "×", "+"),
            ("cp437", "x", "+"),
            ("ascii", "x", "+"),
        ],
        1,
    ),
)
def test_open_closed_and_unknown_stay_apart_in_every_encoding(
    encoding: str, closed: str, opened: str, tmp_path: Path
) -> None:
    for text, first, then in ((OPEN, closed, opened), (DOWN, "?", opened)):
        file = written(tmp_path, text)
        done = subprocess.run(  # noqa: S603 -- our own script
            [SCRIPT, "options", file, "--lang", "en"],
            capture_output=True,
            check=False,
            env=environment({"PYTHONIOENCODING": encoding}),
        )
        heads = [line[0] for line in done.stdout.decode(encoding).splitlines() if "  [" in line]
        assert (done.returncode, heads) == (0, [first, first, then, then, then])


@pytest.mark.parametrize("encoding", ["ascii", "gbk"])
def test_help_can_be_shown_in_every_encoding(encoding: str) -> None:
    assert script("--help", env={"PYTHONIOENCODING": encoding}).code == 0


# ---- run: histories ------------------------------------------------------------------------------


def test_histories_are_one_file_a_scenario_in_the_same_sub_folders(
    files: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "out"
    ran = run("run", files, "--histories", out, "--json")
    assert ran.code == 2
    assert sorted(str(file.relative_to(out)) for file in out.rglob("*") if file.is_file()) == [
        "a-good.history.jsonl",
        "b-short.history.jsonl",
        "sub/d-good.history.jsonl",
    ]
    for line in ran.lines:
        below = Path(line["file"]).relative_to(files)
        with (out / below.with_name(below.name.replace(".dispute.yaml", ".history.jsonl"))).open(
            "rb"
        ) as lines:
            events = [step.event for step in read_steps(lines, "x")]
        assert [event.model_dump(mode="json") for event in events] == line["events"]


def test_histories_do_not_change_what_is_said(files: Path, tmp_path: Path) -> None:
    file = files / "a-good.dispute.yaml"
    kept, only = run("run", file, "--histories", tmp_path), run("run", file)
    assert (kept.code, kept.out) == (only.code, only.out)


def test_two_scenarios_that_would_write_one_history_are_refused_before_anything_runs(
    files: Path, tmp_path: Path
) -> None:
    other = written(tmp_path, GOOD, "d-good.dispute.yaml")
    out = tmp_path / "out"
    ran = run(
        "run",
        files / "sub" / "d-good.dispute.yaml",
        other,
        files / "sub",
        "--histories",
        out,
        "--json",
    )
    complained(ran, other, "d-good.history.jsonl")
    assert ran.out == ""
    assert not out.exists()


@pytest.mark.parametrize("where", ["", "/below"])
def test_a_folder_for_histories_that_cannot_be_made_is_an_error(
    where: str, files: Path, tmp_path: Path
) -> None:
    taken = written(tmp_path, b"", "taken")
    complained(run("run", files / "a-good.dispute.yaml", "--histories", f"{taken}{where}"), "taken")
    assert taken.read_bytes() == b""


# ---- colours, help, languages, logs --------------------------------------------------------------


def test_what_is_piped_has_no_colours(files: Path) -> None:
    for changes in ({"NO_COLOR": "1"}, {"TERM": "xterm-256color"}):
        ran = script("run", files, env=changes)
        assert ran.code == 2
        assert "\x1b" not in ran.out + ran.err


COLOURS = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-9]|9[0-7])(?:;[0-9]+)*m")


def test_a_terminal_gets_colours_and_a_progress_bar_unless_no_color_is_set(files: Path) -> None:
    bright, plain = on_a_terminal("run", files), on_a_terminal("run", files, env={"NO_COLOR": "1"})
    assert COLOURS.search(bright)
    assert not COLOURS.search(plain)
    for shown in (bright, plain):
        assert "b-short" in shown
        assert "steps[0].do" in shown
        assert re.search(r"[0-9]%", shown)


def test_the_language_can_be_chosen_and_is_else_that_of_the_terminal(files: Path) -> None:
    file = files / "a-good.dispute.yaml"
    chinese, english = run("run", file, "--lang", "zh"), run("run", file, "--lang", "en")
    for shown, hidden in ((chinese, english), (english, chinese)):
        assert shown.code == 0
        assert shown.out != hidden.out
    assert Outcome.WITHDRAWN.zh in chinese.out
    assert Outcome.WITHDRAWN.en in english.out
    assert (
        Outcome.WITHDRAWN.zh
        in script("run", file, env={"LC_ALL": "zh_CN.UTF-8", "PYTHONUTF8": "1"}).out
    )
    assert (
        Outcome.WITHDRAWN.en
        in script("run", file, env={"LC_ALL": "", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}).out
    )


def test_titles_are_shown_as_they_are_not_as_markup(tmp_path: Path) -> None:
    file = written(tmp_path, "title: '[red]x[/] [/b] :smile:'\n" + HEAD)
    assert "[red]x[/] [/b] :smile:" in run("run", file).out


def test_logs_come_on_stderr_when_asked_for_with_ids_and_codes_only(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        HEAD
        + "steps: [{at: +1h, do: choose_option, with: {option: prove_no_fault, note: 私人内容}}]\n",
    )
    quiet, verbose = script("run", file, "--json"), script("-v", "run", file, "--json")
    assert (quiet.code, verbose.code) == (0, 0)
    assert quiet.err == ""
    assert verbose.out == quiet.out
    assert verbose.err.count("\n") == 2
    assert "D-1" in verbose.err
    assert "option_chosen" in verbose.err
    assert "私人内容" not in verbose.err
    assert "私人内容" in quiet.out


def test_errors_and_logs_do_not_get_between_the_json_lines(files: Path) -> None:
    ran = run("--verbose", "run", files, "--json")
    assert len(ran.lines) == 3
    assert "c-bad" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", EXAMPLES],
        ["--help"],
        *few([["run", EXAMPLES, "--json"], ["run", "--help"], ["--version"]], 1),
    ],
    ids=lambda given: given[-1],
)
def test_a_reader_that_goes_away_ends_it_as_sigpipe_ends_other_tools(
    arguments: Sequence[str | Path],
) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(  # noqa: S603 -- our own script
        [SCRIPT, *arguments],
        stdout=writes,
        stderr=subprocess.PIPE,
        env=environment({}),
        check=False,
        timeout=PATIENCE,
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(
    not Path("/dev/full").exists(),
    reason="only Linux has a disk that is always full, /dev/full; CI runs on Linux",
)
@pytest.mark.parametrize(
    "arguments",
    [["run", EXAMPLES], ["run", EXAMPLES, "--json"], ["--help"]],
    ids=lambda given: given[-1],
)
def test_a_full_disk_is_an_error_without_a_traceback(arguments: Sequence[str | Path]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(  # noqa: S603 -- our own script
            [SCRIPT, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment({}),
            check=False,
            timeout=PATIENCE,
        )
    complained(Ran(done.returncode, "", done.stderr.decode()), "No space left")
    assert done.stderr.count(b"\n") == 1


# ---- options -------------------------------------------------------------------------------------


def by_option(line: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {option["option"]: option for option in line["options"]}


def test_options_say_what_is_open_what_is_closed_and_why(tmp_path: Path) -> None:
    ran = run("options", written(tmp_path, OPEN), "--json")
    assert (ran.code, ran.err) == (0, "")
    (line,) = ran.lines
    assert (line["dispute_id"], line["rules"], line["state"], line["at"]) == (
        "D-1",
        "2023-03",
        "opened",
        "2023-03-28T03:00:00Z",
    )
    assert line["facts_observed_at"] == line["at"]
    found = by_option(line)
    assert list(found) == [option.value for option in OPTIONS]
    assert {name: option["open"] for name, option in found.items()} == {
        "consumer_cancels": False,
        "already_shipped": False,
        "ship_by_agreed_date": True,
        "out_of_stock_refund": True,
        "prove_no_fault": True,
    }
    assert {
        name: {reason["code"] for reason in option["reasons"]} for name, option in found.items()
    } == {
        "consumer_cancels": {"no_cancel_request_or_refund"},
        "already_shipped": {"not_shipped", "no_pickup_scan"},
        "ship_by_agreed_date": set(),
        "out_of_stock_refund": set(),
        "prove_no_fault": set(),
    }
    assert {reason["code"] for reason in found["ship_by_agreed_date"]["needs"]} == {
        "promise_missing",
        "agreement_voucher_missing",
    }
    assert [found[option.value]["label"] for option in OPTIONS] == [
        {"zh": option.zh, "en": option.en} for option in OPTIONS
    ]


def test_a_closed_option_says_what_was_seen_what_would_unlock_it_and_links_to_the_order(
    tmp_path: Path,
) -> None:
    (line,) = run("options", written(tmp_path, OPEN), "--json").lines
    for reason in by_option(line)["already_shipped"]["reasons"]:
        assert reason["saw"]
        assert reason["unlock"]["type"] == "fact"
        assert set(reason["text"]) == set(reason["unlock"]["text"]) == {"zh", "en"}
        assert reason["link"] == {"text": ORDER_PAGE_LINK, "url": "https://shop.example/orders/O-1"}


def test_with_the_order_system_down_options_that_need_no_facts_are_still_known(
    tmp_path: Path,
) -> None:
    ran = run("options", written(tmp_path, DOWN), "--json")
    assert ran.code == 0
    (line,) = ran.lines
    assert line["facts_observed_at"] is None
    assert {name: option["open"] for name, option in by_option(line).items()} == {
        "consumer_cancels": None,
        "already_shipped": None,
        "ship_by_agreed_date": True,
        "out_of_stock_refund": True,
        "prove_no_fault": True,
    }


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ("[{at: +1h, do: choose_option, with: {option: prove_no_fault}}]", "option_already_chosen"),
        ("[{at: +1h, do: withdraw}]", "dispute_closed"),
        ("[{at: +25h, order: {}}]", "deadline_passed"),
    ],
)
def test_where_nothing_can_be_chosen_every_option_says_why(
    steps: str, code: str, tmp_path: Path
) -> None:
    (line,) = run("options", written(tmp_path, f"{HEAD}steps: {steps}\n"), "--json").lines
    assert [option["open"] for option in line["options"]] == [False] * 5
    assert {reason["code"] for option in line["options"] for reason in option["reasons"]} == {code}


def test_options_of_a_history_are_those_at_the_end_of_each_dispute_in_it(tmp_path: Path) -> None:
    first, second = (
        written(tmp_path, HEAD),
        written(tmp_path, OPEN.replace("{opened", "{dispute_id: D-2, opened"), "y.dispute.yaml"),
    )
    assert run("run", first, second, "--histories", tmp_path).code == 0
    histories = [tmp_path / f"{name}.history.jsonl" for name in "xy"]
    ran = run("options", histories[0], "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == run("options", first, "--json").lines
    texts = [history.read_bytes().splitlines(keepends=True) for history in histories]
    both = written(
        tmp_path, b"".join([*texts[0], *texts[1][1:]]), "both.history.jsonl"
    )  # the policy stands once
    assert [line["dispute_id"] for line in run("options", both, "--json").lines] == ["D-1", "D-2"]
    assert run("options", both).out.count(Option.PROVE_NO_FAULT.value) >= 2


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_options_for_people_show_labels_ids_and_codes(lang: str, tmp_path: Path) -> None:
    ran = run("options", written(tmp_path, OPEN), "--lang", lang)
    assert (ran.code, ran.err) == (0, "")
    for option in OPTIONS:
        assert (option.zh if lang == "zh" else option.en) in ran.out
    for code in (
        RefusalCode.NOT_SHIPPED,
        RefusalCode.NO_PICKUP_SCAN,
        RefusalCode.NO_CANCEL_REQUEST_OR_REFUND,
    ):
        assert code.value in ran.out
    assert ORDER_PAGE_LINK in ran.out


@pytest.mark.parametrize(
    "text", [DOWN, HEAD + "steps: [{at: +1h, do: withdraw}]\n"], ids=["down", "closed"]
)
def test_options_for_people_can_be_shown_whatever_is_known(text: str, tmp_path: Path) -> None:
    for lang in ("zh", "en"):
        ran = run("options", written(tmp_path, text), "--lang", lang)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out


def test_what_closes_every_option_is_said_of_each(tmp_path: Path) -> None:
    said = run("options", written(tmp_path, GOOD), "--lang", "en").out.split("\n\n")[1:]
    assert len(said) == len(OPTIONS)
    for option, lines in zip(OPTIONS, said, strict=True):
        assert f"✗ {option.en}  [closed]  {option.value}" in lines
        assert [line.split()[0] for line in lines.splitlines()] == ["✗", "why", "unlock"]
        assert "(dispute_closed)" in lines


def test_every_example_has_options(tmp_path: Path) -> None:
    assert run("run", EXAMPLES, "--histories", tmp_path).code == 0
    for number, path in enumerate(
        [*sorted(EXAMPLES.glob("*.dispute.yaml")), *sorted(tmp_path.iterdir())]
    ):
        ran = run("options", path, "--lang", ("zh", "en")[number % 2])
        assert (ran.code, ran.err) == (0, "")
        if number % 5 == 0:
            scenario = read_scenario(EXAMPLES / f"{path.name.split('.')[0]}.dispute.yaml")
            rules = [line["rules"] for line in run("options", path, "--json").lines]
            assert rules == [scenario.opening.rules]


def test_options_of_a_dispute_that_was_not_opened_are_an_error(tmp_path: Path) -> None:
    ran = run("options", written(tmp_path, NO_ORDER))
    complained(ran, tmp_path / "x.dispute.yaml", RefusalCode.ORDER_NOT_FOUND.value)
    assert ran.out == ""


def test_options_of_a_scenario_that_comes_out_otherwise_say_so(files: Path) -> None:
    ran = run("options", files / "b-short.dispute.yaml", "--json")
    assert ran.code == 0
    assert "b-short.dispute.yaml" in ran.err
    assert len(ran.lines) == 1


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", None),
        (b"{}\n", 1),
        (b"{", 1),
        (b"\xff\xfe\n", 1),
        (b'{"a": "\xe4\xb8"}\n', 1),
        (b"\n" * 3, 1),
        (POLICY, None),
        (b'{"seq": ' + b"9" * 10_000 + b"}\n", 1),
        (b"[" * 100_000 + b"\n", 1),
    ],
    ids=[
        "empty",
        "object",
        "cut",
        "binary",
        "half a character",
        "blank",
        "policy only",
        "digits",
        "nested",
    ],
)
def test_a_history_that_cannot_be_read_is_an_error_with_its_line(
    content: bytes, line: int | None, tmp_path: Path
) -> None:
    file = written(tmp_path, content, "x.history.jsonl")
    ran = run("options", file)
    complained(ran, file if line is None else f"{file}:{line}: ")
    assert ran.out == ""


# ---- what cannot be read -------------------------------------------------------------------------

EVIDENCE = "steps: [{at: +1h, do: submit_evidence, with: {%s}}]\n"
BOMB = "a: &a [x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
)
UNREADABLE: dict[str, tuple[bytes, str]] = {
    "unknown field": ((HEAD + "colour: red\n").encode(), ":2: colour: "),
    "misspelt option": (
        (
            HEAD + "steps:\n  - {at: +1h, do: choose_option, with: {option: prove_no_falt}}\n"
        ).encode(),
        ":3: steps[0].with.option: ",
    ),
    "naive time": (b"dispute: {opened_at: 2023-03-28T10:00:00}\n", ":1: dispute.opened_at: "),
    "NaN": ((HEAD + "expect: {events: .nan}\n").encode(), ":2: expect.events: "),
    "back in time": (
        (HEAD + "steps:\n  - {at: +1h, do: sweep}\n  - {at: +59m, do: sweep}\n").encode(),
        ":4: steps[1].at: ",
    ),
    "10 MB statement": ((HEAD + EVIDENCE % f"statement: {'x' * 10_000_000}").encode(), ": "),
    "1 MB statement": (
        (HEAD + EVIDENCE % f"statement: {'x' * 1_000_000}").encode(),
        ":2: steps[0].with.statement: ",
    ),
    "not UTF-8": (HEAD.encode("utf-16"), ":1: "),
    "binary": (bytes(range(256)) * 100, ":2: "),
    "zeros": (b"\x00" * 1000, ":1: "),
    "empty": (b"", ": "),
    "no YAML": (b"{]\n", ":1: "),
    "a bomb of aliases": (BOMB.encode(), ":1: a: "),
    "a bomb of brackets": (b"title: " + b"[" * 1_000_000, ":1: title"),
    "a bomb of indentation": ("".join(" " * n + "a:\n" for n in range(1, 1_200)).encode(), ":31: "),
    "a tag": (b"title: !!python/object/apply:os.system [exit 7]\n", ":1: title: "),
    "digits": ((HEAD + f"expect: {{events: {'9' * 100_000}}}\n").encode(), ":2: expect.events: "),
    "a year beyond": (b"dispute: {opened_at: 9999-12-31T23:59:59Z}\n", ":1: dispute.opened_at: "),
    "a working day of one minute": (
        (
            HEAD
            + (
                "policy: {response: {working_hours: 2000}, calendar: {day: {from: '09:00', to: "
                "'09:01'}}}\n"
            )
        ).encode(),
        "",
    ),
    "two documents": ((HEAD + "---\n" + HEAD).encode(), ":2: "),
}


@pytest.mark.parametrize("command", ["run", "options"])
@pytest.mark.parametrize(("content", "place"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_a_file_that_cannot_be_read_is_an_error_that_says_where(
    command: str, content: bytes, place: str, tmp_path: Path
) -> None:
    file = written(tmp_path, content)
    ran = run(command, file, "--json")
    complained(ran, f"{file}{place}")
    assert ran.out == ""
    assert len(ran.err) < 1_000


def test_an_error_has_no_traceback_in_the_real_process_either(tmp_path: Path) -> None:
    for name, (content, _) in UNREADABLE.items():
        written(tmp_path, content, f"{name}.dispute.yaml")
    ran = script("run", tmp_path)
    complained(ran, *UNREADABLE)
    assert ran.err.count("dispute-fsm: ") == len(UNREADABLE)


@pytest.mark.parametrize("command", ["run", "options"])
def test_a_folder_with_the_name_of_a_scenario_is_an_error(command: str, tmp_path: Path) -> None:
    (tmp_path / "x.dispute.yaml").mkdir()
    complained(run(command, tmp_path / "x.dispute.yaml"), "x.dispute.yaml")


def test_a_folder_with_the_name_of_a_scenario_does_not_stop_the_others(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "a.dispute.yaml")
    (tmp_path / "x.dispute.yaml").mkdir()
    ran = run("run", tmp_path, "--json")
    assert "Traceback" not in ran.err
    assert [line["ok"] for line in ran.lines] == [True]
    assert ran.code in {0, 2}


def test_a_link_that_leads_nowhere_is_an_error_and_does_not_stop_the_others(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "a.dispute.yaml")
    (tmp_path / "b.dispute.yaml").symlink_to(tmp_path / "absent")
    ran = run("run", tmp_path, "--json")
    complained(ran, "b.dispute.yaml")
    assert [line["ok"] for line in ran.lines] == [True]


@pytest.mark.parametrize("name", ["x.dispute.yaml", "x.history.jsonl"])
@pytest.mark.parametrize("command", ["run", "options"])
def test_a_file_that_may_not_be_read_is_an_error(
    command: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, GOOD, name)

    def forbidden(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(
            13, "Permission denied", str(path)
        )  # as the system says it; root may read everything

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    monkeypatch.setattr(Path, "open", forbidden)
    complained(run(command, file), file)


@pytest.mark.parametrize("command", ["run", "options"])
def test_a_name_that_no_file_can_have_is_an_error(command: str) -> None:
    complained(run(command, "x" * 5_000))


# ---- without the extra ---------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [["yaml"], ["typer", "rich", "yaml"]], ids="-".join)
def test_without_the_extra_it_says_what_to_install(missing: list[str]) -> None:
    gone = (
        f"import sys; sys.modules.update(dict.fromkeys({missing!r})); from dispute_fsm.cli import "
        "main; main()"
    )
    done = subprocess.run(  # noqa: S603 -- our own interpreter
        [sys.executable, "-c", gone],
        capture_output=True,
        check=False,
        env=environment({}),
        text=True,
        timeout=PATIENCE,
    )
    complained(Ran(done.returncode, done.stdout, done.stderr), *missing, "dispute-fsm[cli]")
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_without_the_extra_nothing_else_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", {"rich": object(), "yaml": object()}.get)
    ran = run("run", "absent")
    complained(ran, "typer", "dispute-fsm[cli]")
    assert "absent" not in ran.out + ran.err


def test_an_order_system_that_cannot_be_reached_is_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise OrderSystemUnavailableError("down: " + "x" * 500)

    monkeypatch.setattr("dispute_fsm.cli.show.select_steps", down)
    ran = run("show", "x")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"dispute-fsm: down: {'x' * 500}\n"


def test_an_interrupt_before_the_command_runs_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dispute_fsm.cli.app.start", interrupted)
    assert run("run", "x") == Ran(130, "", "")
