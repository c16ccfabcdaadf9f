"""Help as people see it, its examples, and completion in a shell."""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from rich.cells import cell_len

from dispute_fsm.cli import COMMANDS, GROUPS
from tests.command_line import SCRIPT, Ran, environment, run, script
from tests.patience import PATIENCE
from tests.sampling import few

ROOT = Path(__file__).parent.parent
DB = ("check", "import", "export")
CALLS = [(), *((name,) for name in COMMANDS), *(("db", name) for name in DB)]

# ---- what is shown -------------------------------------------------------------------------------


def shown(call: Sequence[str], width: int = 80) -> list[str]:
    """Give the lines of a help, as wide as a terminal of this width shows them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        ran = run(*call, "--help")
    assert (ran.code, ran.err) == (0, "")
    return [line.rstrip() for line in ran.out.splitlines()]


def prose(lines: Sequence[str]) -> str:
    return "\n".join(line.removeprefix(" ") for line in lines if not line.startswith(("│", "╭")))


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_help_shows_nothing_of_python_and_fits(call: tuple[str, ...], width: int) -> None:
    lines = shown(call, width)
    assert all(cell_len(line) <= width for line in lines)
    assert not re.search(r"<\w|\[\[|[{}]|\blist\[|\(dynamic\)", "\n".join(lines))


@pytest.mark.parametrize("call", [call for call in CALLS if call and call != ("db",)], ids=" ".join)
def test_every_command_has_an_example_and_says_its_exit_codes(call: tuple[str, ...]) -> None:
    text = prose(shown(call))
    assert examples(call)
    assert re.search(r"^Exit code: 0 [^\n]*$", text, re.MULTILINE)
    paragraph = text[text.index("Exit code: ") :].partition("\n\n")[0].splitlines()
    for line, after in itertools.pairwise(paragraph):
        first, *_ = after.split()
        assert len(f"{line} {first}") > 78  # no line is broken before it is full


@pytest.mark.parametrize(
    ("call", "usage"),
    [
        ((), "dispute-fsm [OPTIONS] COMMAND [ARGS]..."),
        (("run",), "dispute-fsm run [OPTIONS] PATH..."),
        (("diagram",), "dispute-fsm diagram [OPTIONS] [VIEW] [OF...]"),
        (("verify",), "dispute-fsm verify [OPTIONS]"),
        (("db",), "dispute-fsm db [OPTIONS] COMMAND [ARGS]..."),
        (("db", "import"), "dispute-fsm db import [OPTIONS] HISTORY..."),
    ],
)
def test_the_usage_line_is_as_people_write_it(call: tuple[str, ...], usage: str) -> None:
    assert f" Usage: {usage}" in shown(call)


def test_the_commands_stand_in_groups_each_on_one_line() -> None:
    # in a process of its own, where no module of a command is imported
    rows = iter(script("--help", env={"COLUMNS": "80"}).out.splitlines())
    for group, commands in GROUPS.items():
        assert any(row.startswith(f"╭─ {group} ─") for row in rows)
        for name, summary in commands.items():
            assert re.fullmatch(rf"│ {name} +{re.escape(summary)} +│", next(rows))


@pytest.mark.parametrize(
    ("call", "same"),
    [
        (("-h",), ("--help",)),
        (("help",), ("--help",)),
        (("help", "run"), ("run", "--help")),
        (("run", "-h"), ("run", "--help")),
        (("help", "db", "check"), ("db", "check", "--help")),
        (("db", "help", "check"), ("db", "check", "--help")),
    ],
    ids=str,
)
def test_help_can_be_asked_for_in_other_words(call: tuple[str, ...], same: tuple[str, ...]) -> None:
    assert run(*call) == run(*same)


def test_the_help_is_in_english_whatever_the_language_of_the_terminal() -> None:
    assert script("-h", env={"LC_ALL": "zh_CN.UTF-8"}) == script("-h")


# ---- examples ------------------------------------------------------------------------------------


def examples(call: Sequence[str]) -> list[str]:
    """Give the examples of a help, as they can be copied from a terminal of 80 columns."""
    text = prose(shown(call)).replace("\\\n", "")
    _, _, block = text.partition("Example")
    return [line.strip() for line in block.splitlines() if line.startswith("  dispute-fsm ")]


OTHER_CODES = {
    "dispute-fsm replay out/ --policy examples/policies/shorter-response.yaml": 1,
    "dispute-fsm replay out/ --rules parallel": 1,
}
"""The examples that show differences."""

SLOW = ("dispute-fsm verify", "dispute-fsm diagram --check")


def every_example() -> Iterator[object]:
    for example in dict.fromkeys(example for call in CALLS for example in examples(call)):
        marks = pytest.mark.whole if example.startswith(SLOW) else ()
        yield pytest.param(example, marks=marks, id=example)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with what the examples read, made as the examples before them make it."""
    folder = tmp_path_factory.mktemp("workspace")
    for name in ("examples", "diagrams"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "shop.py").write_text(
        "from dispute_fsm import InMemoryOrderSystem\norder_system = InMemoryOrderSystem({})\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for made in (
            "run --histories out/ --db sqlite:///disputes.db examples/",
            "generate --disputes 100 --seed 1 -o synthetic.history.jsonl",
        ):
            assert run(*made.split()).code == 0
    return folder


@pytest.mark.parametrize("example", list(every_example()))
def test_every_example_runs(
    example: str, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(workspace, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", sys.path[:])  # `sweep` adds the folder
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    ran = run(*shlex.split(example)[1:])
    assert ran.code == OTHER_CODES.get(example, 0), ran.err
    assert ran.out or ran.err


# ---- completion ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the home of a user of bash who has installed completion."""
    folder = tmp_path_factory.mktemp("home")
    ran = bash(folder, "dispute-fsm --install-completion; true")
    assert "completion installed" in ran.out
    return folder


def bash(home: Path, program: str) -> Ran:
    done = subprocess.run(  # noqa: S603 -- our own program
        ["bash", "--norc", "-c", program],  # noqa: S607 -- the user's own
        capture_output=True,
        check=False,
        cwd=home,
        env=environment({"HOME": str(home), "PATH": f"{SCRIPT.parent}:{os.environ['PATH']}"}),
        text=True,
        timeout=PATIENCE,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_the_start_file_of_bash_runs_without_a_word(home: Path) -> None:
    ran = bash(home, "set -u; source ~/.bashrc && complete -p dispute-fsm")
    assert ran == Ran(0, "complete -o default -F _dispute_fsm_completion dispute-fsm\n", "")


@pytest.mark.parametrize(
    ("words", "completed"),
    few(
        [
            ("ver", ["verify"]),
            ("re", ["report", "replay", "redact"]),
            ("--verb", ["--verbose"]),
            ("run --js", ["--json"]),
            ("--verbose run --js", ["--json"]),
            ("run --lang ''", ["zh", "en"]),
            ("report x --for m", ["merchant"]),
            ("diagram dec", ["decisions"]),
            ("diagram --format p", ["png"]),
            ("diagram --rules pa", ["parallel"]),
            ("verify --rules 2", ["2023-03"]),
            ("db ''", list(DB)),
            ("db check --j", ["--json"]),
            ("run exam", []),  # nothing of ours: bash completes files (`-o default`)
            ("run --histories ''", []),
        ],
        3,
    ),
)
def test_bash_completes(words: str, completed: list[str], home: Path) -> None:
    ran = bash(
        home,
        f"source ~/.bashrc; COMP_WORDS=(dispute-fsm {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1))"
        "; _dispute_fsm_completion dispute-fsm; printf '%s\\n' \"${COMPREPLY[@]}\"",
    )
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.split() == completed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_can_be_shown(shell: str) -> None:
    ran = script(env={"_DISPUTE_FSM_COMPLETE": f"source_{shell}"})
    assert (ran.code, ran.err) == (0, "")
    assert f"_DISPUTE_FSM_COMPLETE=complete_{shell}" in ran.out
