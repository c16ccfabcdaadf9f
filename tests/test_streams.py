"""The standard streams: closed, full, or a terminal and a file.

These are real processes, since how they are started is what is tested.
"""

import os
import pty
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.command_line import SCRIPT, Ran, environment, sent_to
from tests.patience import PATIENCE
from tests.sampling import few

EXAMPLES, HISTORIES = Path(__file__).parent.parent / "examples", Path(__file__).parent / "histories"
SCENARIO, HISTORY = (
    EXAMPLES / "12-no-response.dispute.yaml",
    HISTORIES / "wrong-actor.history.jsonl",
)
ROLLOUT = EXAMPLES / "rollout"
CLOSED = "dispute-fsm: standard output: closed, so the results cannot be written\n"
BARE = {"PATH": "/usr/bin:/bin", "HOME": ".", "LANG": "C.UTF-8"}

COMMANDS: Mapping[str, str] = {
    "run": f"run {SCENARIO}",
    "run -v": f"-v run {SCENARIO}",
    "replay": f"replay {HISTORY}",
    "show": f"show {HISTORY}",
    "explain": f"explain {HISTORY}",
    "options": f"options {SCENARIO}",
    "diagram": "diagram chart",
    "verify": "verify --rules 2023-03",
    "rollout": f"rollout {ROLLOUT / 'plan.yaml'} --merchants {ROLLOUT / 'merchants.txt'}",
    "generate": "generate --disputes 3 --seed 1 -o -",
    "redact": f"redact {HISTORY} -o -",
    "report": f"report {HISTORY} -o -",
    "sweep": "sweep --db sqlite:///here.db",
    "db check": "db check --db sqlite:///here.db",
    "db export": "db export --db sqlite:///here.db -o -",
    "db import": f"db import --db sqlite:///here.db {HISTORY}",
    "--help": "--help",
}
"""Every command, in a form that ends well and writes a result."""

WRITE_FILES: Mapping[str, str] = {
    "generate": "generate --disputes 3 --seed 1 -o written",
    "report": f"report {HISTORY} -o written",
    "diagram": "diagram chart -o written",
    "db export": "db export --db sqlite:///here.db -o written",
}


def shell(line: str, cwd: Path, env: Mapping[str, str] | None = None) -> Ran:
    """Run the installed script as a shell does, with what the line makes of its streams."""
    done = subprocess.run(  # noqa: S603 -- our own script
        ["/bin/sh", "-c", f"{shlex.quote(str(SCRIPT))} {line}"],
        capture_output=True,
        check=False,
        cwd=cwd,
        env=environment({}) if env is None else dict(env),
        timeout=PATIENCE,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a database in it."""
    folder = tmp_path_factory.mktemp("here")
    assert shell(f"db import --db sqlite:///here.db {HISTORY}", folder).code == 0
    return folder


@pytest.mark.parametrize("command", few(COMMANDS.values(), 3), ids=list(COMMANDS))
def test_a_closed_standard_error_changes_no_exit_code(command: str, here: Path) -> None:
    ran = shell(f"{command} 2>&-", here)
    assert ran.code == 0
    assert ran.out


@pytest.mark.parametrize(
    "name", few(["run", "options", "diagram", "redact", "db check", "--help"], 2)
)
def test_results_that_have_nowhere_to_go_are_an_error_in_one_line(name: str, here: Path) -> None:
    assert shell(f"{COMMANDS[name]} >&-", here) == Ran(2, "", CLOSED)


@pytest.mark.parametrize("command", few(WRITE_FILES.values(), 1), ids=list(WRITE_FILES))
def test_who_writes_no_result_needs_no_standard_output(command: str, here: Path) -> None:
    ran = shell(f"{command} <&- >&-", here)
    assert (ran.code, ran.err.count("\n"), "written" in ran.err) == (0, 1, True)
    assert (here / "written").stat().st_size


@pytest.mark.parametrize(
    "command", few(["replay -", "run /dev/stdin", "redact - -o -", "report - -o written.html"], 2)
)
def test_closed_standard_input_cannot_be_read(command: str, here: Path) -> None:
    ran = shell(f"{command} --lang en <&-" if "redact" not in command else f"{command} <&-", here)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert ran.err.startswith(
        "dispute-fsm: -: standard input is closed"
        if " - " in f"{command} "
        else "dispute-fsm: /dev/stdin: "
    )
    assert not (here / "written.html").exists()


@pytest.mark.parametrize(
    ("streams", "code"),
    few([("<&- 2>&-", 0), (">&- 2>&-", 2), ("<&- >&- 2>&-", 2), ("2>&- >/dev/full", 2)], 2),
)
def test_several_may_be_closed(streams: str, code: int, here: Path) -> None:
    assert shell(f"{COMMANDS['run']} --json {streams}", here).code == code


def test_a_file_that_is_opened_takes_the_place_of_no_stream(here: Path) -> None:
    assert shell(f"-v run {SCENARIO} --db sqlite:///apart.db <&- >&- 2>&-", here).code == 2
    assert shell("db check --db sqlite:///apart.db", here).code == 0
    assert (
        shell(f"-v {COMMANDS['generate'].removesuffix('-')} apart.jsonl <&- >&- 2>&-", here).code
        == 0
    )
    assert shell("replay apart.jsonl", here).code == 0


@pytest.fixture
def stdout(tmp_path: Path) -> Path:
    """Give standard output a name, as `/dev/stdout` is one.

    Not that one itself: it is the machine's, and wrong code would replace it.
    """
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")
    return tmp_path / "stdout"


@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(),
    reason="only Linux gives open files names in /proc; CI runs on Linux",
)
def test_a_name_for_a_closed_stream_leads_nowhere(here: Path, stdout: Path) -> None:
    ran = shell(f"diagram chart -o {stdout} >&-", here)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert ran.err.startswith(f"dispute-fsm: {stdout}: ")
    assert stdout.is_symlink()


@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(),
    reason="only Linux gives open files names in /proc; CI runs on Linux",
)
def test_a_name_for_a_stream_that_is_a_file_writes_into_that_file(here: Path, stdout: Path) -> None:
    assert shell(f"diagram chart -o {stdout} --format dot >drawn.dot", here).code == 0
    assert (here / "drawn.dot").read_text("utf-8").startswith("digraph")
    assert stdout.is_symlink()


FULL = pytest.mark.skipif(
    not Path("/dev/full").exists(),
    reason="only Linux has a disk that is always full, /dev/full; CI runs on Linux",
)


@FULL
@pytest.mark.parametrize("name", few(["run", "diagram", "generate", "db check"], 1))
def test_on_a_full_disk_one_line_says_so(name: str, here: Path) -> None:
    ran = shell(f"{COMMANDS[name]} >/dev/full", here, BARE)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "No space left" in ran.err


@FULL
@pytest.mark.parametrize(
    "env", few([BARE, {**BARE, "PYTHONUNBUFFERED": "1"}], 1), ids=["bare", "unbuffered"]
)
@pytest.mark.parametrize(
    "command", [f"run {EXAMPLES} --json", f"replay {HISTORIES} --json"], ids=["run", "replay"]
)
def test_many_lines_on_a_full_disk_are_one_error_whatever_the_environment(
    command: str, env: Mapping[str, str], here: Path
) -> None:
    ran = shell(f"{command} >/dev/full", here, env)
    assert (ran.code, ran.err.count("\n")) == (2, 1)


@FULL
def test_a_standard_error_that_is_full_changes_no_exit_code(here: Path) -> None:
    assert shell(f"{COMMANDS['run -v']} 2>/dev/full", here, BARE).code == 0
    assert shell("run absent 2>/dev/full", here, BARE).code == 2
    assert shell(f"{COMMANDS['run']} --json >/dev/full 2>/dev/full", here, BARE).code == 2


@pytest.mark.parametrize(
    "command", few([f"run {EXAMPLES} --json", "generate --disputes 30 --seed 1 -o -"], 1)
)
def test_results_go_into_their_file_while_a_terminal_shows_the_progress(
    command: str, here: Path
) -> None:
    ours, theirs = pty.openpty()
    with (here / "results").open("wb") as results:
        process = subprocess.Popen(  # noqa: S603 -- our own script
            [SCRIPT, *shlex.split(command)],
            stdin=theirs,
            stdout=results,
            stderr=theirs,
            env=environment({"TERM": "xterm-256color"}),
        )
    os.close(theirs)
    shown = sent_to(ours)
    assert process.wait(timeout=PATIENCE) == 0
    assert (here / "results").read_text("utf-8") == shell(command, here).out
    assert b"%" in shown
    assert b"dispute_id" not in shown
