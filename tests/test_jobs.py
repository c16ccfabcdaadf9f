"""Work in several processes: the same results as in one, in order, and nobody is left behind."""

import gzip
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from dispute_fsm.cli import run as run_module
from dispute_fsm.errors import DisputeError
from dispute_fsm.history import replay_files
from dispute_fsm.history.replay import Share
from dispute_fsm.workers import in_order
from tests.command_line import SCRIPT, environment, run
from tests.patience import PATIENCE
from tests.sampling import few
from tests.support import ROOT

HISTORIES = ROOT / "tests" / "histories"
SIXTY = HISTORIES / "sixty-disputes.history.jsonl.gz"
LINES = gzip.decompress(SIXTY.read_bytes()).splitlines(keepends=True)
POLICY = next(number for number, line in enumerate(LINES) if b'"type":"policy"' in line)
STRICTER = ROOT / "examples" / "policies" / "shorter-response.yaml"


@pytest.fixture(autouse=True)
def _every_file_is_shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(replay_files, "_LEAST_SHARED", 0)
    monkeypatch.setattr(run_module, "_LEAST_SHARED", 0)
    yield
    assert active_children() == []


# ---- results in order ----------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_the_order_of_the_work(jobs: int) -> None:
    with in_order(str, range(40), jobs) as results:
        assert list(results) == [str(number) for number in range(40)]


def test_one_piece_of_work_needs_no_other_process() -> None:
    with in_order(int, ["1"], 8) as results:
        assert active_children() == []
        assert list(results) == [1]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_exception_comes_where_its_result_would(jobs: int) -> None:
    with in_order(int, ["1", "2", "x", "4"], jobs) as results:
        assert (next(results), next(results)) == (1, 2)
        with pytest.raises(ValueError, match="invalid literal"):
            next(results)


def test_nobody_waits_for_work_that_is_given_up() -> None:
    with in_order(sleep, [0, PATIENCE, PATIENCE], 2) as results:
        next(results)


def test_a_process_that_is_killed_is_an_error_not_a_wait() -> None:
    killed = pytest.raises(DisputeError, match="one of the processes was killed")
    with in_order(os._exit, [1, 1], 2) as results, killed:
        next(results)


# ---- replay --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", few([[], ["--rules", "extended"], ["--policy", STRICTER]], 1))
@pytest.mark.parametrize("paths", few([[HISTORIES], [SIXTY], [SIXTY, HISTORIES, "absent"]], 1))
def test_the_same_bytes_whatever_the_number_of_processes(
    paths: list[str | Path], arguments: list[str | Path]
) -> None:
    for mode in (["--json"], ["--lang", "zh"]):
        call = ["replay", *paths, *arguments, *mode]
        assert run(*call, "--jobs", "3") == run(*call, "--jobs", "1")


def damaged(number: int, line: bytes) -> bytes:
    return b"".join([*LINES[:number], line, *LINES[number + 1 :]])


@pytest.mark.parametrize(
    "content",
    few(
        [
            damaged(50, b"no JSON\n"),
            damaged(50, b"[]\n"),
            damaged(50, LINES[50].replace(b'"seq"', b'"seq":1,"seq"')),
            damaged(50, LINES[50].replace(b'"actor"', b'"actress"')),
            damaged(50, LINES[50].replace(b'"recorded_at":"2', b'"recorded_at":"1')),
            damaged(50, LINES[51]),
            damaged(50, b""),
            damaged(POLICY, LINES[POLICY].replace(b"24", b"25")),
            damaged(POLICY, b""),
            damaged(70, LINES[POLICY].replace(b"24", b"25") * 2),
            damaged(50, LINES[POLICY].replace(b"24", b"25") + b"no JSON\n" + b"{}\n"),
            damaged(50, b"no JSON\n" + LINES[POLICY].replace(b"24", b"25")),
            damaged(50, b'{"dispute_id": "\\ud800"}\n'),
            b"\xef\xbb\xbf" + b"".join(LINES),
            b"".join(LINES)[:-5],
            b"".join(LINES) + b"cut",
            b"",
        ],
        8,
    ),
)
@pytest.mark.parametrize("jobs", [2, 3])
def test_a_shared_file_has_the_results_and_errors_of_an_unshared_one(
    tmp_path: Path, content: bytes, jobs: int
) -> None:
    file = tmp_path / "x.history.jsonl"
    file.write_bytes(content)
    for mode in ("--json", "--lang=en"):
        assert run("replay", file, mode, "--jobs", str(jobs)) == run(
            "replay", file, mode, "--jobs", "1"
        )


def test_a_damaged_compressed_file_is_the_same_error(tmp_path: Path) -> None:
    file = tmp_path / SIXTY.name
    file.write_bytes(SIXTY.read_bytes()[:-100])
    assert run("replay", file, "--jobs", "2") == run("replay", file, "--jobs", "1")


def test_every_event_is_of_one_share_and_every_policy_of_each() -> None:
    shares = [Share(number, 3) for number in range(3)]
    for line in LINES:
        count = sum(share.has(line) for share in shares)
        assert count == (3 if b'"type":"policy"' in line else 1)
    assert all(any(share.has(line) for line in LINES if b'"seq":1,' in line) for share in shares)


def test_a_pipe_and_standard_input_are_read_by_this_process() -> None:
    content = b"".join(LINES)
    given = run("replay", "-", "--json", "--jobs", "2", given=content)
    assert given.code == 0
    assert len(given.lines) == len(run("replay", SIXTY, "--json").lines)


def test_little_work_needs_no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    def refuse(*_arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(replay_files, "in_order", refuse)
    assert run("replay", SIXTY, "--jobs", "8").code == 0


@pytest.mark.parametrize("jobs", ["0", "-1", "x", "1.5"])
def test_the_number_of_processes_is_a_whole_number_from_one(jobs: str) -> None:
    ran = run("replay", SIXTY, "--jobs", jobs)
    assert ran.code == 2
    assert "--jobs" in ran.err


# ---- run -----------------------------------------------------------------------------------------


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    """Make a folder of the examples, and of scenarios that fail or cannot be read."""
    for file in (ROOT / "examples").glob("*.dispute.yaml"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    head = "dispute: {opened_at: 2023-03-28T10:00:00+08:00}\nsteps: []\n"
    (tmp_path / "05-short.dispute.yaml").write_text(f"{head}expect: {{state: resolved}}\n")
    (tmp_path / "06-wrong.dispute.yaml").write_text(f"{head}unknown: 1\n")
    (tmp_path / "07-folder.dispute.yaml").mkdir()
    return tmp_path


@pytest.mark.parametrize("mode", [["--json"], ["--lang=zh"], ["--lang=en", "--histories"]])
def test_scenarios_have_the_same_results_in_several_processes(
    scenarios: Path, tmp_path_factory: pytest.TempPathFactory, mode: list[str]
) -> None:
    ran: list[tuple[int, str, str]] = []
    histories: list[dict[str, bytes]] = []
    for jobs in ("1", "3"):
        out = tmp_path_factory.mktemp("out")
        folder = [out] if "--histories" in mode else []
        paths = [scenarios, scenarios / "absent.dispute.yaml"]
        done = run("run", *mode, *folder, *paths, "--jobs", jobs)
        seconds = re.compile(r"(took|用时) [0-9.]+ ")
        err = seconds.sub("", done.err.replace(str(out), ""))
        ran.append((done.code, done.out, err))
        histories.append({file.name: file.read_bytes() for file in out.iterdir()})
    assert ran[0] == ran[1]
    assert ran[0][0] == 2
    assert histories[0] == histories[1]
    assert bool(histories[0]) is ("--histories" in mode)


def test_a_history_that_cannot_be_written_ends_the_command(scenarios: Path) -> None:
    (scenarios / "file").touch()
    ran = [
        run("run", scenarios, "--histories", scenarios / "file", "--jobs", jobs)
        for jobs in ("1", "3")
    ]
    assert ran[0] == ran[1]
    assert ran[0].code == 2


@pytest.mark.parametrize("options", [["--db", "sqlite:///x.db"], []])
def test_one_process_runs_what_is_stored_or_logged(
    scenarios: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_only(work: Any, items: Any, jobs: int) -> Any:  # noqa: ANN401 -- as the original
        assert jobs == 1
        return in_order(work, items, jobs)

    monkeypatch.chdir(scenarios)
    monkeypatch.setattr(run_module, "in_order", one_only)
    verbose = [] if options else ["--verbose"]
    files = sorted(scenarios.glob("0[0-4]*.yaml"))
    assert run(*verbose, "run", *files, *options, "--jobs", "3").code == 0


# ---- ended by the user ---------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.whole), "2"])
def test_ctrl_c_ends_every_process_without_a_traceback(tmp_path: Path, jobs: str) -> None:
    for number in range(100):
        (tmp_path / f"{number}.history.jsonl.gz").write_bytes(SIXTY.read_bytes())
    with subprocess.Popen(  # noqa: S603 -- our own script
        [SCRIPT, "replay", tmp_path, "--json", "--jobs", jobs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({}),
        process_group=0,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, err.decode().strip()) == (130, "")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_processes_end_where_the_first_one_is_killed(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}.history.jsonl.gz").write_bytes(SIXTY.read_bytes())
    with subprocess.Popen(  # noqa: S603 -- our own script
        [SCRIPT, "replay", tmp_path, "--json", "--jobs", "2"],
        stdout=subprocess.PIPE,
        env=environment({}),
        process_group=0,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    with suppress(ProcessLookupError):
        for _ in range(int(PATIENCE * 10)):
            os.killpg(process.pid, 0)
            sleep(0.1)
        pytest.fail("a process goes on without the first one")
