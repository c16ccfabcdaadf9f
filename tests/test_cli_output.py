"""What commands print: bars that move and vanish, lines that fit, one language at a time."""

import gzip
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.text import Text

from dispute_fsm.cli import output
from dispute_fsm.cli import run as run_module
from dispute_fsm.cli.layout import broken
from dispute_fsm.history import replay_files
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.scenarios.reader import read_scenario
from dispute_fsm.scenarios.title import title_in
from dispute_fsm.verify import checker
from dispute_fsm.verify.representatives import representative_policies
from tests.command_line import on_a_terminal, run
from tests.sampling import few
from tests.support import ROOT

SHORTER = ROOT / "examples" / "policies" / "shorter-response.yaml"
EXAMPLES = ROOT / "examples"
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
DISPUTES = 200


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a history of a few disputes of every kind."""
    path = tmp_path_factory.mktemp("output") / "y.history.jsonl"
    write_history(path, generate(60, 7))
    return path


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a history of which the replay takes many steps."""
    path = tmp_path_factory.mktemp("output") / "x.history.jsonl"
    write_history(path, generate(DISPUTES, 7))
    return path


# ---- progress ------------------------------------------------------------------------------------


def frames(shown: str) -> list[int]:
    """Return the percentages that a bar has shown, each once."""
    found = [int(percent) for percent in re.findall(r"([0-9]+)%", CODES.sub("", shown))]
    assert found == sorted(found)
    return list(dict.fromkeys(found))


def is_cleared(shown: str) -> bool:
    """Tell whether the last frame of a bar was erased: its line, and the one that it has begun."""
    _, _, end = shown.rpartition("%")
    return re.search(r"\n\x1b\[\?25h\r\x1b\[1A\x1b\[2K", end) is not None


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def moves(*arguments: str | Path) -> None:
    """Require frames between the first and the last; a bar that stands still has none.

    The bar is drawn at each step, not ten times a second as for people: how many frames those are
    depends on the machine.
    """
    terminal, advance = Terminal(), Progress.advance

    def advance_and_draw(bar: Progress, task: TaskID, steps: float) -> None:
        advance(bar, task, steps)
        bar.refresh()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "advance", advance_and_draw)
        patch.setattr(output, "error_console", Console(file=terminal, force_terminal=True))
        assert run(*arguments, err=terminal).code == 0
    shown = terminal.getvalue()
    assert len([percent for percent in frames(shown) if 0 < percent < 100]) > 3
    assert is_cleared(shown)


def test_the_bar_of_generate_moves_and_vanishes(tmp_path: Path) -> None:
    moves("generate", "--disputes", "20", "--seed", "1", "-o", tmp_path / "x.history.jsonl")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_bar_of_replay_moves_and_vanishes(
    history: Path, jobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_files, "_LEAST_SHARED", 0)
    moves("replay", history, "--jobs", jobs)


def test_the_bar_of_run_moves_and_vanishes() -> None:
    moves("run", EXAMPLES)


def test_a_bar_vanishes_from_a_real_terminal() -> None:
    assert is_cleared(on_a_terminal("run", EXAMPLES / "12-no-response.dispute.yaml"))


@pytest.mark.whole
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_bar_of_verify_moves_and_vanishes(jobs: str) -> None:
    moves("verify", "--rules", "2023-03", "--jobs", jobs)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_verification_tells_every_step_whichever_process_takes_it(
    jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = [rule_version("2023-03")]
    policies = dict(list(representative_policies(versions[0]).items())[:2])
    monkeypatch.setattr(checker, "representative_policies", lambda _version: policies)
    told = list[int]()
    with checker.verifications(versions, jobs, told.append) as results:
        assert all(result.ok for result in results)
    assert sum(told) == checker.steps(versions)
    assert len(told) > len(policies) * len(checker.PROPERTIES)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_replay_tells_every_byte_whichever_process_reads_it(
    history: Path, tmp_path: Path, jobs: int, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_files, "_LEAST_SHARED", 0)
    path = tmp_path / f"x.history.jsonl{suffix}"
    content = history.read_bytes()
    path.write_bytes(gzip.compress(content) if suffix else content)
    told = list[int]()
    with replay_files.replay_files([str(path)], None, jobs, told.append) as results:
        assert sum(1 for _ in results) == DISPUTES
    total = replay_files.size_of([str(path)])
    assert total == len(content)
    assert len(told) > 10
    # A policy is of each share.
    assert total <= sum(told) < total * 1.1


def test_what_streams_to_the_terminal_is_not_mixed_with_a_bar(history: Path) -> None:
    shown = on_a_terminal("replay", history, "--json")
    assert [json.loads(line)["ok"] for line in shown.splitlines()] == [True] * DISPUTES


# ---- lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", few(["zh", "en"], 1))
@pytest.mark.parametrize(
    "command",
    [
        ("run", EXAMPLES),
        ("options", EXAMPLES / "06-not-shipped-then-corrected.dispute.yaml", "--at", "1"),
        (
            "rollout",
            EXAMPLES / "rollout" / "plan.yaml",
            "--merchants",
            EXAMPLES / "rollout" / "merchants.txt",
        ),
        ("replay", "HISTORY", "--policy", SHORTER),
        ("show", "ONE"),
        ("explain", "ONE"),
    ],
    ids=lambda given: given[0],
)
def test_on_a_terminal_no_line_is_longer_than_it_and_piped_none_is_broken(
    command: Sequence[str | Path], lang: str, sixty: Path, tmp_path: Path
) -> None:
    run("run", EXAMPLES / "15-promise-missed.dispute.yaml", "--histories", tmp_path)
    files = {"HISTORY": sixty, "ONE": tmp_path / "15-promise-missed.history.jsonl"}
    arguments = [*(files.get(str(word), word) for word in command), "--lang", lang]
    shown, piped = wide(80, *arguments, terminal=True), wide(40, *arguments)
    assert all(cell_len(line) <= 80 for line in shown.splitlines())
    assert piped == wide(400, *arguments)
    if command[0] not in {"run", "rollout"}:  # where titles are cut, and cells are wrapped
        assert "".join(shown.split()) == "".join(piped.split())


def wide(width: int, *arguments: str | Path, terminal: bool = False) -> str:
    """Run a command with a standard output of this width, and return what it prints."""
    with pytest.MonkeyPatch.context() as patch:
        console = Console(width=width, force_terminal=terminal, color_system=None, highlight=False)
        patch.setattr(output, "console", console)
        patch.setattr(run_module, "console", console)
        return run(*arguments).out


def test_a_line_is_broken_between_words_and_hangs() -> None:
    lines = [line.plain for line in broken(Text("✓ one two three"), 9, 2)]
    assert lines == ["✓ one two", "  three"]


def test_chinese_is_broken_anywhere_but_before_punctuation() -> None:
    text = Text("\u4e00\u4e8c\u4e09，\u56db")
    assert [line.plain for line in broken(text, 6, 0)] == [
        "\u4e00\u4e8c",
        "\u4e09，\u56db",
    ]


def test_what_has_lines_of_its_own_hangs_too_on_a_terminal_or_not() -> None:
    assert [line.plain for line in broken(Text("a  b\nc"), 80, 3)] == ["a  b", "   c"]
    scenario = EXAMPLES / "00-which-answers-are-open.dispute.yaml"
    for terminal in (True, False):
        lines = wide(80, "options", scenario, "--lang", "en", terminal=terminal).splitlines()
        (counted,) = (line for line in lines if line.lstrip().startswith("counted: "))
        assert counted.startswith("        counted: ")


def test_an_instant_is_not_broken() -> None:
    text = Text("from (2023-03-28 10:00:00 +0800), on")
    assert [line.plain for line in broken(text, 30, 2)] == [
        "from",
        "  (2023-03-28 10:00:00 +0800),",
        "  on",
    ]


def test_a_word_that_is_longer_than_a_line_stays_whole() -> None:
    lines = [line.plain for line in broken(Text("a /a/very/long/path b"), 6, 2)]
    assert lines == ["a", "  /a/very/long/path", "  b"]


# ---- one language at a time ----------------------------------------------------------------------


def test_every_example_has_a_title_in_each_language() -> None:
    for file in sorted(EXAMPLES.glob("*.dispute.yaml")):
        title = read_scenario(file).title
        halves = [title_in("zh", title), title_in("en", title)]
        assert halves == title.split(" / "), file.name


def test_options_of_many_disputes_are_separated(sixty: Path) -> None:
    parts = run("options", sixty, "--lang", "en").out.split("─" * 80)
    assert len(parts) == 60
    assert all(len(re.findall("^dispute D", part, re.MULTILINE)) == 1 for part in parts)


@pytest.mark.parametrize(
    "command", [("replay", "--policy", SHORTER), ("replay", "--rules", "extended")], ids=str
)
def test_a_replay_in_chinese_has_no_utc_and_no_english(
    command: tuple[str, ...], sixty: Path
) -> None:
    out = run(command[0], sixty, *command[1:], "--lang", "zh").out
    assert not re.search(r"[0-9]Z", out)
    assert "{" not in out
    for line in out.splitlines():
        if not line.startswith(("✗", "?")):
            words = re.sub(r"\([a-z_]+\)|--json|\+0800", "", line)
            assert not re.search(r"[A-Za-z]{2}", words), line
