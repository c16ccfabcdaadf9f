"""The pages are right: links exist, commands run, tables are those of the rules."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cache
from inspect import getdoc, isclass, isfunction
from pathlib import Path

import pytest

import dispute_fsm
from benchmarks import page as performance
from dispute_fsm import DEFAULT_POLICY, Policy, errors
from dispute_fsm.commands import ChooseOption
from dispute_fsm.documents.yaml_text import MAX_BYTES, MAX_DEPTH
from dispute_fsm.domain.policy import Term
from dispute_fsm.domain.scalars import MAX_INTEGER, MAX_TEXT, parse_duration, parse_instant
from dispute_fsm.events import AuditEvent
from dispute_fsm.history.jsonl import MAX_LINE
from tests.checkout import listed, project_files, tracked

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tools" / "rules_page.py"
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "10-evidence-incomplete-then-corrected.dispute.yaml"
OPEN = ROOT / "examples" / "00-which-answers-are-open.dispute.yaml"


@cache
def texts() -> dict[str, str]:
    """Read every text file of the project, by its path."""
    found = {}
    for path in project_files():
        content = path.read_bytes()
        if b"\0" not in content:
            found[path.relative_to(ROOT).as_posix()] = content.decode(errors="replace")
    return found


PAGES = [path.relative_to(ROOT).as_posix() for path in project_files() if path.suffix == ".md"]


def ran(
    *command: str | Path, check: bool = True, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run a command in the root of the repository or a copy, wide and without colours."""
    others = {
        name: value
        for name, value in os.environ.items()
        if name not in {"FORCE_COLOR", "LC_ALL", "LC_MESSAGES"}
    }
    env = others | {"COLUMNS": "150", "LANG": "C.UTF-8", "NO_COLOR": "1", "PYTHONUTF8": "1"}
    done = subprocess.run(  # noqa: S603 -- commands of our own pages
        list(map(str, command)),
        cwd=cwd,
        env=env,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def console_script() -> Path:
    """Find the command that was installed beside this Python."""
    return Path(sys.executable).parent / "dispute-fsm"


# ---- links ---------------------------------------------------------------------------------------


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", prose(text), flags=re.MULTILINE)
    named = re.findall(r'<a id="([^"]+)"></a>', text)
    return {
        *named,
        *(re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads),
    }


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(texts()[page])):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert target.resolve().is_relative_to(ROOT), f"{link} leads out of the project"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_pages_that_people_look_for_are_there() -> None:
    assert {
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/reference/rules.md",
        "docs/reference/formats.md",
        "diagrams/README.md",
    } <= set(PAGES)


# ---- tables --------------------------------------------------------------------------------------


def section(text: str, head: str) -> str:
    return text.split(f"\n{head}\n", 1)[1].split("\n## ", 1)[0]


def rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_of_assumptions_names_every_field_of_the_policy_with_its_default() -> None:
    named = {
        row[0].strip("`"): row[1]
        for row in rows(section(texts()["docs/reference/assumptions.md"], "## Policy fields"))
    }
    assert list(named)[2:] == list(Policy.model_fields)
    for field, default in DEFAULT_POLICY.record.items():
        if isinstance(default, str | int):
            assert named[field] == f"`{default}`"
        elif field in {"response", "confirmation", "evidence"}:
            assert (
                named[field]
                == "`{" + ", ".join(f"{unit}: {number}" for unit, number in default.items()) + "}`"
            )
    limits, day = DEFAULT_POLICY.voucher_limits, DEFAULT_POLICY.calendar.day
    assert (len(limits.media_types), limits.max_bytes, limits.max_bytes_together) == (
        5,
        10 * 2**20,
        50 * 2**20,
    )
    assert named["voucher_limits"] == (
        f"five formats, 10 MiB each, 50 MiB together, {limits.max_count} files, "
        f"{limits.max_statement} characters"
    )
    assert named["calendar"] == (
        f"{day.opens.hour}:{day.opens:%M}–{day.closes:%H:%M}, `{DEFAULT_POLICY.calendar.zone}`, "
        f"`{DEFAULT_POLICY.calendar.country}`"
    )
    assert (len(DEFAULT_POLICY.evidence_reasons), named["evidence_reasons"]) == (10, "ten reasons")


def test_the_readme_names_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert [row[0].strip("`") for row in rows(section(README, "## Installation"))][2:] == [
        name for name in extras if name != "all"
    ]


def test_the_limits_of_what_is_read_are_told() -> None:
    told = {
        row[0]: row[1] for row in rows(section(texts()["docs/reference/formats.md"], "## Limits"))
    }
    term = Term.model_json_schema()["properties"]
    for unit in ("hours", "working_hours"):
        bounds = term[unit]["anyOf"][0]
        assert told[f"`{unit}` of a deadline"].startswith(
            f"{bounds['minimum']} to {bounds['maximum']:,}"
        )
    vouchers = [{"kind": "photo", "media_type": "image/png", "size": 1, "sha256": "a" * 64}] * int(
        told["the vouchers of a command"].replace(",", "")
    )
    ChooseOption.model_validate(
        {
            "by": {"role": "merchant", "id": "M-1"},
            "option": "out_of_stock_refund",
            "vouchers": vouchers,
        }
    )
    with pytest.raises(ValueError, match="too_long"):
        ChooseOption.model_validate(
            {
                "by": {"role": "merchant", "id": "M-1"},
                "option": "out_of_stock_refund",
                "vouchers": [*vouchers, vouchers[0]],
            }
        )
    assert told["a text"] == f"{MAX_TEXT:,} code points"
    assert told["an integer"] == f"{MAX_INTEGER:,} ({MAX_INTEGER.bit_length()} bits)"
    assert told["a YAML file"] == f"{MAX_BYTES // 2**20} MiB, nested {MAX_DEPTH} deep"
    assert told["a line of a history file"] == f"{MAX_LINE // 2**20} MiB"
    first, last = map(int, re.findall(r"\d{4}", told["an instant"]))
    for year, inside in ((first - 1, False), (first, True), (last, True), (last + 1, False)):
        with nullcontext() if inside else pytest.raises(ValueError, match="outside the years"):
            parse_instant(f"{year}-06-01T00:00:00.123456Z")
    days = told["a duration"].split(" to ")[1].split()[0].replace(",", "")
    assert parse_duration(f"{days}d")
    with pytest.raises(ValueError, match=f"at most {days} days"):
        parse_duration(f"{days}d1s")


def test_the_page_on_the_python_api_names_every_error() -> None:
    raised = {
        name
        for name, value in vars(errors).items()
        if isclass(value) and issubclass(value, errors.DisputeError)
    }
    assert {
        row[0].strip("`")
        for row in rows(section(texts()["docs/reference/python.md"], "## Decisions and exceptions"))
    } >= raised - {"DisputeError"}


def test_the_form_of_every_policy_field_is_told() -> None:
    named = [
        row[0]
        for row in rows(
            texts()["docs/reference/formats.md"].split("### Policy", 1)[1].split("###", 1)[0]
        )
    ]
    assert {name for cell in named for name in re.findall(r"`(\w+)`", cell)} == set(
        Policy.model_fields
    )


def test_the_members_of_an_event_are_told() -> None:
    told = section(texts()["docs/reference/formats.md"], "## History files")
    members = [
        *AuditEvent.model_fields,
        "order_id",
        "merchant_id",
        "consumer_id",
        "chart",
        "package",
    ]
    assert [name for name in members if f"`{name}`" not in told] == []
    assert [kind.value for kind in dispute_fsm.EventType if f"`{kind.value}`" not in told] == []


# ---- the pages of the rules ----------------------------------------------------------------------


def test_the_tables_of_the_rules_are_up_to_date() -> None:
    done = ran(sys.executable, SCRIPT, "--check", check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_a_planted_change_is_detected_and_corrected(tmp_path: Path) -> None:
    planted = [
        ("reference/rules.md", "已协商一致，消费者取消订单 |", "已协商一致,消费者取消订单 |"),
        ("reference/rules.md", "| `deadline_not_later` |", "| `deadline_not_passed` |"),
        ("reference/rules.md", "| 24 h | `open_dispute` |", "| 48 h | `open_dispute` |"),
        ("reference/rules.md", "`chat_screenshot` × 2", "`chat_screenshot` × 1"),
        ("zh/rules.md", "| 24 小时 | 发起纠纷 |", "| 48 小时 | 发起纠纷 |"),
        ("zh/sources.md", "| 消费者催单发起纠纷 |", "| 商家催单发起纠纷 |"),
        ("reference/formats.md", "| the dispute is closed |", "| the dispute is open |"),
    ]
    docs = shutil.copytree(ROOT / "docs", tmp_path / "docs")
    right = {
        page: (docs / page).read_text(encoding="utf-8")
        for page in dict.fromkeys(page for page, _, _ in planted)
    }
    for page, before, after in planted:
        text = (docs / page).read_text(encoding="utf-8")
        assert before in text
        (docs / page).write_text(text.replace(before, after, 1), encoding="utf-8")
    done = ran(sys.executable, SCRIPT, "--check", "--docs", docs, check=False)
    assert done.returncode == 1
    for page, before, after in planted:
        assert any(line.startswith("-") and after in line for line in done.stdout.splitlines()), (
            f"{page}: {after}"
        )
        assert any(line.startswith("+") and before in line for line in done.stdout.splitlines()), (
            f"{page}: {before}"
        )
        assert after in (docs / page).read_text(encoding="utf-8"), "a check changes nothing"
    ran(sys.executable, SCRIPT, "--docs", docs)
    assert {page: (docs / page).read_text(encoding="utf-8") for page in right} == right


def test_a_missing_or_unknown_table_is_named_with_its_place(tmp_path: Path) -> None:
    docs = shutil.copytree(ROOT / "docs", tmp_path / "docs")
    page = docs / "reference" / "formats.md"
    page.write_text(page.read_text("utf-8").replace(" refusals -->", " codes -->"), "utf-8")
    done = ran(sys.executable, SCRIPT, "--check", "--docs", docs, check=False)
    missing, unknown = done.stdout.removesuffix("\n").split("\n")
    places = [f"<!-- begin {name} --> and <!-- end {name} -->" for name in ("refusals", "codes")]
    assert done.returncode == 1
    assert missing == f"{docs}: 0 pages have {places[0]}; one has to"
    assert unknown == f"{docs}: a page has {places[1]}; there is no such table"


# ---- the page of what was measured ---------------------------------------------------------------


def test_the_tables_of_the_performance_page_are_what_was_measured() -> None:
    text = texts()["docs/explanation/performance.md"]
    assert sorted(match[2] for match in performance.MARKED.finditer(text)) == sorted(
        performance.TABLES
    )
    assert performance.page(text, performance.MEASURED.read_text(encoding="utf-8")) == text


# ---- the checker of histories --------------------------------------------------------------------


@pytest.fixture
def checker(tmp_path: Path) -> Path:
    code = next(
        block
        for block in re.findall(
            r"^```python\n(.*?)^```$",
            texts()["docs/reference/formats.md"],
            re.DOTALL | re.MULTILINE,
        )
    )
    path = tmp_path / "check_history.py"
    path.write_text(code, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("histories")
    ran(console_script(), "run", EXAMPLE, "--histories", folder)
    return next(folder.glob("*.history.jsonl")).read_text(encoding="utf-8")


@pytest.fixture
def history(recorded: str, tmp_path: Path) -> Path:
    path = tmp_path / "real.history.jsonl"
    path.write_text(recorded, encoding="utf-8")
    return path


def test_the_checker_of_the_page_passes_a_real_history(checker: Path, history: Path) -> None:
    assert "private" in history.read_text(encoding="utf-8")
    ran(sys.executable, checker, history)


@pytest.mark.parametrize(
    ("line", "path", "value"),
    [
        (0, ("policy", "silence"), "denial"),
        (1, ("order_id",), "another"),
        (3, ("prev_hash",), "0" * 64),
        (4, ("payload", "statement", "length"), 1),
        (4, ("private", "/payload/statement", "value"), "something else"),
    ],
)
def test_the_checker_of_the_page_finds_a_change(
    checker: Path, history: Path, line: int, path: tuple[str, ...], value: object
) -> None:
    records = [json.loads(record) for record in history.read_text(encoding="utf-8").splitlines()]
    place = records[line]
    for part in path[:-1]:
        place = place[part]
    assert place[path[-1]] != value
    place[path[-1]] = value
    history.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    done = ran(sys.executable, checker, history, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, f"line {line + 1} does not fit")


def test_an_erased_value_and_a_cut_tail_pass_the_checker_as_the_page_says(
    checker: Path, history: Path
) -> None:
    records = [json.loads(record) for record in history.read_text(encoding="utf-8").splitlines()][
        :-1
    ]
    for record in records[1:]:
        record["private"] = {}
    history.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    ran(sys.executable, checker, history)


def test_the_scenario_of_the_page_comes_out_as_it_says(tmp_path: Path) -> None:
    scenario = tmp_path / "page.dispute.yaml"
    scenario.write_text(
        re.findall(
            r"^```yaml\n(.*?)^```$", texts()["docs/reference/formats.md"], re.DOTALL | re.MULTILINE
        )[0],
        encoding="utf-8",
    )
    told = section(texts()["docs/reference/formats.md"], "## The command line")
    result = json.loads(ran(console_script(), "run", scenario, "--json").stdout)
    assert [name for name in result if f"`{name}`" not in told] == []


def test_the_members_of_the_json_of_options_are_told() -> None:
    told = section(texts()["docs/reference/formats.md"], "## The command line")
    asked = json.loads(ran(console_script(), "options", OPEN, "--json").stdout)
    for option in asked["options"]:
        preview = option["preview"]
        inner = (
            *option["reasons"],
            *option["needs"],
            *preview["deadlines"],
            *preview["consequences"],
        )
        for members in (asked, option, preview, *inner):
            assert [name for name in members if f"`{name}`" not in told] == []


def test_the_members_of_the_json_of_explain_are_told() -> None:
    told = section(texts()["docs/reference/formats.md"], "## The command line")
    history = ROOT / "tests" / "histories" / "extended-appeal-one-second-late.history.jsonl"
    explained = json.loads(ran(console_script(), "explain", history, "--json").stdout)
    for members in (explained, *explained["happened"], *explained["remedies"]):
        assert [name for name in members if f"`{name}`" not in told] == []


# ---- for a stranger ------------------------------------------------------------------------------


def test_what_else_lies_in_a_checkout_is_not_looked_at(tmp_path: Path) -> None:
    for name in (
        "README.md",
        "docs/a.md",
        "x.log",
        "x.md.log",
        "odd\nname/b.md",
        "tests/__pycache__/c.pyc",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert project_files(tmp_path, root=tmp_path) == [
        tmp_path / "README.md",
        tmp_path / "docs" / "a.md",
    ]
    (tmp_path / "docs" / "mine.md").touch()
    if (git := shutil.which("git")) is not None:
        for command in (["init", "-q"], ["add", "docs/a.md"]):
            subprocess.run([git, *command], cwd=tmp_path, check=True)  # noqa: S603 -- in a folder of the test's own
        tracked.cache_clear()
        assert project_files(tmp_path, root=tmp_path) == [tmp_path / "docs" / "a.md"]


def test_an_archive_without_git_has_every_file_of_the_project() -> None:
    missing = {ROOT / name for name in tracked(ROOT) or ()} - set(listed(ROOT))
    assert sorted(path for path in missing if path.is_file()) == []


def test_nothing_points_to_where_a_stranger_cannot_go() -> None:
    elsewhere = [
        str(Path("..", "shared")),
        *(f"{name}.md" for name in ("DOMAIN", "CONTRACT", "STYLE")),
    ]
    hosts = [
        *(f"{name}.org" for name in ("pypi", "pythonhosted", "npmjs")),
        *(f"{name}.io" for name in ("crates", "quay")),
    ]
    here = rf"(?<![\w./-]){re.escape(str(ROOT))}(?![\w-])"
    pattern = re.compile("|".join([*map(re.escape, [*elsewhere, *hosts]), here]))
    found = [
        f"{path}: {match[0]}" for path, text in texts().items() for match in pattern.finditer(text)
    ]
    assert len(texts()) > len(PAGES)
    assert found == []


def test_a_misspelt_name_is_found_by_type_checkers_and_when_it_runs() -> None:
    with pytest.raises(AttributeError, match="Dsek"):
        _ = dispute_fsm.Dsek  # type: ignore[attr-defined]  # mypy, being strict, complains where this is no error


def test_every_public_name_exists_and_is_documented() -> None:
    assert sorted(set(dispute_fsm.__all__)) == sorted(dispute_fsm.__all__)
    documented = {name: getattr(dispute_fsm, name) for name in dispute_fsm.__all__}
    without = [
        name
        for name, value in documented.items()
        if (isclass(value) or isfunction(value)) and not getdoc(value)
    ]
    assert without == []


def assigned(tree: ast.Module) -> dict[str, bool]:
    """Tell of each module constant whether a docstring stands below it."""
    found = {}
    for statement, below in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            for target in (
                statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            ):
                if isinstance(target, ast.Name):
                    found[target.id] = isinstance(below, ast.Expr) and isinstance(
                        below.value, ast.Constant
                    )
    return found


def trees() -> dict[str, ast.Module]:
    """Parse the modules of the package that is installed, by name below the package."""
    package = Path(str(dispute_fsm.__file__)).parent
    return {
        ".".join(path.relative_to(package).with_suffix("").parts): ast.parse(
            path.read_text(encoding="utf-8")
        )
        for path in sorted(package.rglob("*.py"))
    }


def test_every_public_constant_has_a_docstring_below_it() -> None:
    constants = {
        name
        for name in dispute_fsm.__all__
        if not (isclass(getattr(dispute_fsm, name)) or isfunction(getattr(dispute_fsm, name)))
    }
    told = {
        name
        for tree in trees().values()
        for name, documented in assigned(tree).items()
        if documented
    }
    assert sorted(constants - told - {"__version__"}) == []


def test_the_files_that_contributing_names_exist() -> None:
    told = section(texts()["CONTRIBUTING.md"], "## How to change it")
    named = set(re.findall(r"`([a-z0-9_./]+(?:\.py|\.md|/))`", told))
    assert len(named) > 40
    folders = (ROOT, ROOT / "src" / "dispute_fsm")
    assert sorted(name for name in named if not any((top / name).exists() for top in folders)) == []


def test_folders_import_downwards_only_in_the_order_that_contributing_tells() -> None:
    told = [
        row[0].strip("`") for row in rows(section(texts()["CONTRIBUTING.md"], "## Architecture"))
    ][2:]
    modules = {name: tree for name, tree in trees().items() if name != "__init__"}
    assert {name.split(".")[0] for name in modules} == set(told)
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dispute_fsm."):
                below = str(node.module).split(".")[1]
                assert told.index(name.split(".")[0]) <= told.index(below), (
                    f"{name} imports {node.module}"
                )


def test_a_class_name_means_one_thing_in_the_package() -> None:
    where: dict[str, list[str]] = {}
    for name, tree in trees().items():
        for node in ast.walk(tree):
            # A class within a chart is a state, which versions may share.
            if isinstance(node, ast.ClassDef) and node.name[:1] != node.name[:1].lower():
                where.setdefault(node.name, []).append(name)
    assert len(where) > 200
    assert {name: modules for name, modules in where.items() if len(modules) > 1} == {}
