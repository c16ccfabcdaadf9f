"""Every example on the pages runs: here, as a doctest, or in the test that `ELSEWHERE` names."""

import ast
import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple, Self

import pytest
from _pytest.mark.structures import ParameterSet

import dispute_fsm
from dispute_fsm import DisputeService, InMemoryOrderSystem, Store, commands, errors, events
from dispute_fsm.cli import COMMANDS
from dispute_fsm.commands import command, merchant
from dispute_fsm.documents.yaml_text import read_yaml
from dispute_fsm.domain.rollout import Rollout
from dispute_fsm.scenarios.reader import read_scenario
from dispute_fsm.service.alarms import Alarm, Transaction
from tests import command_line
from tests.checkout import ROOT, project_files
from tests.sampling import few

FENCED = re.compile(
    r"^(?P<indent> *)```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
SAVED = re.compile(r"\bas\s+`([\w./-]+\.(?:yaml|py))`[^`]*$")
"""What a page says before a block that the reader saves as a file."""

ELSEWHERE = {
    ("README.md", "python"): "test_embedding.py::test_the_readme_shows_the_lines_of_the_example",
    ("docs/explanation/explained.md", "console"): (
        "test_explain.py::test_the_page_of_six_disputes_shows_what_the_command_prints"
    ),
    ("docs/how-to/dbos.md", "python"): (
        "test_examples.py::test_the_page_shows_lines_of_the_example"
    ),
    ("docs/how-to/django.md", "python"): (
        "test_examples.py::test_the_page_shows_lines_of_the_example"
    ),
    ("docs/how-to/explain.md", "console"): (
        "test_explain.py::test_the_page_shows_what_the_command_prints"
    ),
    ("docs/how-to/explain.md", "python"): "test_explain.py::test_the_lines_of_the_page_run",
    ("docs/how-to/explain.md", "text"): (
        "test_changes.py::test_the_page_shows_what_the_command_prints"
    ),
    ("docs/how-to/explain.md", "yaml"): (
        "test_changes.py::test_the_page_shows_what_the_command_prints"
    ),
    ("docs/how-to/fastapi.md", "python"): (
        "test_examples.py::test_the_page_shows_lines_of_the_example"
    ),
    ("docs/how-to/python-statemachine.md", "console"): (
        "test_python_statemachine.py::test_the_commands_of_the_page_print_what_it_shows"
    ),
    ("docs/how-to/rollout.md", "python"): (
        "test_rollout.py::test_the_page_has_vectors_on_both_sides_and_its_example_says_what_it_prints"
    ),
    ("docs/how-to/temporal.md", "python"): (
        "test_examples.py::test_the_page_shows_lines_of_the_example"
    ),
    ("docs/reference/formats.md", "python"): (
        "test_docs.py::test_the_checker_of_the_page_passes_a_real_history"
    ),
    ("docs/reference/formats.md", "yaml"): (
        "test_docs.py::test_the_scenario_of_the_page_comes_out_as_it_says"
    ),
}
"""The blocks that another test runs, by their page and language."""

NOT_RUN = {
    "pip install": "the tests run in what `make` has installed in the same way",
    "python3 -m venv": "the same",
    ". .venv/bin/activate": "the same",
    "bash .ci/run": "it runs these tests",
    "make bench": "it takes minutes, and measures",
    ".venv/bin/python -m benchmarks": "it writes what `make bench` has measured",
    "python examples/": "test_examples.py runs every example",
}
"""The commands that no test of the pages runs, and why."""


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    language: str
    text: str
    saved: str | None

    @property
    def is_doctest(self) -> bool:
        return self.language == "python" and ">>>" in self.text

    @property
    def is_built(self) -> bool:
        """Tell whether it is a directive, which the build of the site runs."""
        return self.language.startswith("{")

    @property
    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the commands, each with the lines that it is said to print."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            line, *printed = part.splitlines()
            yield line, [" ".join(one.split()) for one in printed if one.strip() not in {"", "..."}]


def read_blocks(page: str) -> Iterator[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    end = 0
    for match in FENCED.finditer(text):
        before = text[end : match.start()].rstrip().rpartition("\n\n")[2]
        saved = SAVED.search(before)
        lines = match["text"].splitlines(keepends=True)
        content = "".join(line.removeprefix(match["indent"]) for line in lines)
        yield Block(page, match["language"], content, saved and saved[1])
        end = match.end()


PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in project_files()
    if (
        path.suffix == ".md"
        and path.parent.relative_to(ROOT).parts[:1] in {(), ("docs",), ("examples",)}
    )
    or path == ROOT / "diagrams" / "README.md"
]
BLOCKS = [block for page in PAGES for block in read_blocks(page)]


# ---- commands ------------------------------------------------------------------------------------


def sessions() -> Iterator[ParameterSet]:
    """Yield what is run at one go: a page where its blocks build on each other, else a block.

    `make test` follows the tutorial, and runs the blocks of the README and some of other pages.
    """
    for page in PAGES:
        blocks = [block for block in BLOCKS if block.page == page and is_run(block)]
        if any(block.saved or re.search(r" (?:-o|--histories|>) ", block.text) for block in blocks):
            marks = () if page.startswith("docs/tutorial/") else pytest.mark.whole
            yield pytest.param(blocks, id=page, marks=marks)
        else:
            apart = {
                f"{page}-{number}": [block]
                for number, block in enumerate(blocks, 1)
                if any(not line.startswith(tuple(NOT_RUN)) for line, _ in block.commands)
            }
            always = len(apart) if page == "README.md" else min(len(apart), 3)
            for name, case in zip(apart, few(apart.values(), always), strict=True):
                yield pytest.param(*case.values, id=name, marks=case.marks)


def is_run(block: Block) -> bool:
    return (block.page, block.language) not in ELSEWHERE and (
        block.language == "console" or block.saved is not None
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the project's files: what else lies in this checkout is in no count of theirs."""
    folder = tmp_path_factory.mktemp("project")
    for path in project_files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


@pytest.mark.parametrize("blocks", [*sessions()])
def test_the_commands_of_the_pages_print_what_they_show(project: Path, blocks: list[Block]) -> None:
    for block in blocks:
        if block.saved is not None:
            (project / block.saved).parent.mkdir(exist_ok=True)
            (project / block.saved).write_text(block.text, encoding="utf-8")
            continue
        for line, printed in block.commands:
            if not line.startswith(tuple(NOT_RUN)):
                prints(project, line, printed)


def prints(folder: Path, line: str, shown: list[str]) -> None:
    """Run a line in a shell, and look for what it is said to print, in this order."""
    path = f"{command_line.SCRIPT.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S602 -- of our own pages
        line,
        shell=True,
        cwd=folder,
        env=command_line.environment({"COLUMNS": "150", "NO_COLOR": "1", "PATH": path}),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode in {0, 1}, f"{line}\n{done.stdout}{done.stderr}"  # 1: something differs
    output = [" ".join(one.split()) for one in (done.stdout + done.stderr).splitlines()]
    found = iter(output)
    for one in shown:
        begin, cut, _ = one.partition(" ...")  # what comes then differs from run to run
        same = (told.startswith(begin) if cut else told == one for told in found)
        assert any(same), f"{line}\nnot in the output, or not in this order: {one}\n{done.stdout}"


def test_every_block_of_the_pages_runs() -> None:
    not_run = [
        f"{block.page}: {block.text.splitlines()[0]}"
        for block in BLOCKS
        if not (
            block.is_doctest
            or block.is_built
            or is_run(block)
            or (block.page, block.language) in ELSEWHERE
            or (block.page, block.language) in HERE
        )
    ]
    assert not_run == []
    assert [
        block.page for block in BLOCKS if block.language == "console" and not [*block.commands]
    ] == []


def test_what_is_said_to_run_elsewhere_does() -> None:
    languages = {(block.page, block.language) for block in BLOCKS}
    assert {*ELSEWHERE, *HERE} <= languages
    lines = [line for block in BLOCKS if is_run(block) for line, _ in block.commands]
    for command_of_a_page in NOT_RUN:
        assert any(line.startswith(command_of_a_page) for line in lines), command_of_a_page
    for named in ELSEWHERE.values():
        file, _, test = named.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_the_command_line_page_shows_every_command_and_its_help() -> None:
    page = [block for block in BLOCKS if block.page == "docs/reference/command-line.md"]
    shown = {line.split()[1] for block in page for line, _ in block.commands}
    assert shown == {"run", "options", "replay", "show", "explain", "diagram", "verify"}
    (helped,) = [block.text.split("\n") for block in page if block.language == "{command-help}"]
    assert {line.split()[1] for line in helped if line} == {"--help", *COMMANDS}


# ---- blocks of Python and YAML -------------------------------------------------------------------


def execute(page: str, names: Mapping[str, object]) -> dict[str, object]:
    """Run the blocks of a page that are no doctests, one after the other, with these names."""
    found = dict(names)
    for block in BLOCKS:
        if block.page == page and block.language == "python" and not block.is_doctest:
            code = compile(block.text, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            running = eval(code, found)  # noqa: S307 -- of our own pages
            if running is not None:
                asyncio.run(running)
    return found


def run_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the lines on the service, with the host's transaction begun and its rows made up."""
    monkeypatch.chdir(tmp_path)
    orders = InMemoryOrderSystem({"O-1": {"paid_at": "2023-03-25T09:00:00+08:00"}})
    store = Store("sqlite:///disputes.db")
    service = DisputeService(store, orders)
    service.open(dispute_id="D-1", order_id="O-1", merchant_id="M-1", consumer_id="C-1")
    saved = list[str]()
    with store.engine.connect() as connection:
        found = execute(
            "docs/reference/service.md",
            {
                "Alarm": Alarm,
                "Transaction": Transaction,
                "command": command("choose_option", by=merchant("M-1"), option="prove_no_fault"),
                "connection": connection,
                "orders": orders,
                "shipment": SimpleNamespace(save=lambda: saved.append("saved")),
                "store": store,
                "transaction": SimpleNamespace(atomic=connection.begin),
            },
        )
    assert saved == ["saved"]
    assert [event.type for event in service.history("D-1")] == [
        "dispute_opened",
        "option_chosen",
        "refused",  # the same command again, by the service of asyncio
    ]
    jobs = list[object]()
    found["hook"](  # type: ignore[operator]  # the page defines it
        Alarm("D-1", 2, None), SimpleNamespace(execute=lambda _sql, row: jobs.append(row))
    )
    assert jobs == [("D-1", 2, None)]
    store.close()


def fan_out_with_dask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the lines on Dask, with a cluster that works on one job after the other."""

    class Client:
        def __init__(self, address: str) -> None:
            assert address

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

        def map(self, job: Callable[[str], object], files: list[str]) -> list[object]:
            return [SimpleNamespace(result=lambda file=file: job(file)) for file in files]

    distributed: Any = ModuleType("dask.distributed")
    distributed.Client, distributed.as_completed = Client, iter
    monkeypatch.setitem(sys.modules, "dask", ModuleType("dask"))
    monkeypatch.setitem(sys.modules, "dask.distributed", distributed)
    history = ROOT / "tests" / "histories" / "dispute-closed-penalized.history.jsonl"
    damaged = tmp_path / "damaged.history.jsonl"
    damaged.write_text(history.read_text("utf-8").replace("O-1", "O-2"), encoding="utf-8")
    found = execute("docs/explanation/performance.md", {"files": [str(history), str(damaged)]})
    assert len(found["failed"]) == 1  # type: ignore[arg-type]  # of the damaged file


def read_a_plan(_tmp_path: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = yaml_of("docs/how-to/rollout.md")
    Rollout.model_validate(read_yaml(text, "plan.yaml").value)


def read_a_scenario(tmp_path: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = yaml_of("docs/reference/rules-extended.md")
    path = tmp_path / "page.dispute.yaml"
    path.write_text(f"{text}dispute: {{opened_at: 2023-03-28T10:00:00+08:00}}\n", encoding="utf-8")
    appeal = read_scenario(path).opening.policy.appeal
    assert appeal is not None
    assert appeal.hours == 72


def yaml_of(page: str) -> list[str]:
    return [block.text for block in BLOCKS if (block.page, block.language) == (page, "yaml")]


HERE = {
    ("docs/explanation/performance.md", "python"): fan_out_with_dask,
    ("docs/how-to/rollout.md", "yaml"): read_a_plan,
    ("docs/reference/rules-extended.md", "yaml"): read_a_scenario,
    ("docs/reference/service.md", "python"): run_the_service,
}
"""What runs the blocks that need something beside them."""


@pytest.mark.parametrize("page", [page for page, _ in HERE])
def test_the_lines_of_the_page_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = [found for (named, _), found in HERE.items() if named == page]
    run(tmp_path, monkeypatch)


# ---- the pages of the site -----------------------------------------------------------------------


def test_an_index_leads_to_every_page() -> None:
    for index in ("docs/index.md", "docs/zh/index.md"):
        folder = (ROOT / index).parent
        text = (ROOT / index).read_text(encoding="utf-8")
        linked = {(folder / name).resolve() for name in re.findall(r"\]\(([^)#]+\.md)\)", text)}
        pages = {path for path in project_files(folder) if path.suffix == ".md"}
        if index == "docs/index.md":
            chinese = ROOT / "docs" / "zh"
            pages = {path for path in pages if path.parent != chinese} | {chinese / "index.md"}
        assert pages - {ROOT / index} <= linked


def test_the_reference_has_every_public_name() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\.\. auto\w+:: dispute_fsm\.(?:\w+\.)*(\w+)$", page, re.MULTILINE)
    raised = {name for name, value in vars(errors).items() if isinstance(value, type)}
    public = {*dispute_fsm.__all__, *commands.__all__, *events.__all__}
    assert public | {name for name in raised if name.endswith("Error")} <= set(shown)
