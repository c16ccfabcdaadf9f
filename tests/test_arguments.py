"""Arguments as people type them: empty paths, misspelt names, missing folders, written files."""

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest

from dispute_fsm import InputError, replay
from dispute_fsm.cli import COMMANDS
from dispute_fsm.cli.app import app
from dispute_fsm.cli.db import db
from dispute_fsm.history.reader import steps
from dispute_fsm.rules.registry import rule_version
from tests.command_line import Ran, complained, run

EXAMPLES, HISTORIES = Path(__file__).parent.parent / "examples", Path(__file__).parent / "histories"
SCENARIO, HISTORY = (
    EXAMPLES / "12-no-response.dispute.yaml",
    HISTORIES / "wrong-actor.history.jsonl",
)
PLAN, MERCHANTS = EXAMPLES / "rollout" / "plan.yaml", EXAMPLES / "rollout" / "merchants.txt"
NO_PATH = "no such file or folder"
HEAD = "dispute: {opened_at: 2023-03-28T10:00:00+08:00}\n"

# ---- a path that is empty ------------------------------------------------------------------------

EMPTY: tuple[tuple[str | Path, ...], ...] = (
    ("run", ""),
    ("run", SCENARIO, "--histories", ""),
    ("replay", ""),
    ("replay", HISTORY, "--policy", ""),
    ("replay", HISTORY, "--approved", ""),
    ("show", ""),
    ("options", ""),
    ("diagram", "chart", "-o", ""),
    ("diagram", "all", "-o", ""),
    ("diagram", "--check", "-o", ""),
    ("diagram", "chart", "--format", "png", "--font", "", "-o", "chart.png"),
    ("diagram", "history", ""),
    ("diagram", "coverage", ""),
    ("diagram", "diff", "2023-03", ""),
    ("report", "", "-o", "page.html"),
    ("report", HISTORY, "-o", ""),
    ("redact", "", "-o", "-"),
    ("redact", HISTORY, "-o", ""),
    ("redact", HISTORY, "-o", "-", "--replace-ids", "--key-file", ""),
    ("generate", "--disputes", "1", "--seed", "1", "-o", ""),
    ("rollout", "", "--merchants", MERCHANTS),
    ("rollout", PLAN, "--merchants", ""),
    ("verify", "--rules", "2023-03", "--counterexamples", ""),
    ("db", "import", "--db", "sqlite:///x.db", ""),
    ("db", "export", "--db", "sqlite:///x.db", "-o", ""),
)


@pytest.mark.parametrize(
    "arguments",
    EMPTY,
    ids=lambda given: " ".join((str(one) and Path(one).name) or "''" for one in given),
)
def test_an_empty_path_is_no_such_file_and_never_the_working_folder(
    arguments: tuple[str | Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / SCENARIO.name).write_bytes(SCENARIO.read_bytes())
    (tmp_path / HISTORY.name).write_bytes(HISTORY.read_bytes())
    before = sorted(tmp_path.iterdir())
    ran = run(*arguments)
    complained(ran, "no policy file ''" if "diff" in arguments else NO_PATH)
    assert ran.err.count("\n") == 1
    assert SCENARIO.name not in ran.out + ran.err
    assert [
        file for file in sorted(tmp_path.iterdir()) if not file.name.startswith("x.db")
    ] == before


@pytest.mark.parametrize("url", ["", "sqlite://", "sqlite:///"])
def test_an_empty_path_of_a_database_is_an_error(url: str) -> None:
    for command in (("db", "check"), ("sweep",), ("run", SCENARIO)):
        ran = run(*command, "--db", url)
        complained(ran, "dispute-fsm: --db: ")
        assert ran.err.count("\n") == 1


def test_an_empty_path_is_an_error_of_that_path_alone() -> None:
    for command, file in (("run", SCENARIO), ("replay", HISTORY)):
        ran = run(command, "", file, "--json")
        complained(ran, NO_PATH)
        assert [line["file"] for line in ran.lines] == [str(file)]


@pytest.mark.parametrize("read", [replay, steps])
def test_the_library_takes_no_empty_path_either(read: Callable[[str], Any]) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read(""))


def test_every_path_and_every_choice_of_every_command_is_read_strictly() -> None:
    for module in COMMANDS:
        import_module(f"dispute_fsm.cli.{module}")
    commands = [info.callback for typer_app in (app, db) for info in typer_app.registered_commands]
    assert len(commands) > 12
    for command in commands:
        assert command is not None
        for name, parameter in inspect.signature(command).parameters.items():
            kinds = str(get_args(parameter.annotation)[0])
            info: Any = get_args(parameter.annotation)[1]
            if "Path" in kinds or "Literal" in kinds:
                assert info.parser is not None, (command.__name__, name)


# ---- names that are misspelt ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rpelay", HISTORY), "dispute-fsm: unknown command 'rpelay'; did you mean replay?"),
        (("db", "chekc"), "dispute-fsm: unknown command 'chekc'; did you mean check?"),
        (("nothing",), "unknown command 'nothing'; expected one of: run, diagram, verify, "),
        (("run", SCENARIO, "--jsno"), "dispute-fsm: --jsno: unknown option; did you mean --json?"),
        (("run", SCENARIO, "--lang", "ZH"), "--lang: unknown language 'ZH'; did you mean zh?"),
        (
            ("show", HISTORY, "--dispute", "D-155"),
            (
                f"{HISTORY}: --dispute: there is no dispute D-155 in this history; "
                "it has 1: D-115; did you mean D-115?"
            ),
        ),
        (
            ("run", SCENARIO, "--lang", "eng"),
            "--lang: unknown language 'eng'; did you mean en?",
        ),
        (
            ("run", SCENARIO, "--lang", "fr"),
            "--lang: unknown language 'fr'; expected one of: zh, en",
        ),
        (("diagram", "--format", "svgg"), "--format: unknown format 'svgg'; did you mean svg?"),
        (("diagram", "decision"), "VIEW: unknown view 'decision'; did you mean decisions?"),
        (
            ("diagram", "nothing like it"),
            "expected one of: overview, chart, decisions, options, history, diff, coverage, all",
        ),
        (
            ("diagram", "--rules", "paralel"),
            "--rules: unknown rule version 'paralel'; did you mean parallel?",
        ),
        (
            ("diagram", "diff", "2023-03", "paralel"),
            "unknown rule version 'paralel'; did you mean parallel?",
        ),
        (
            ("replay", HISTORY, "--rules", "2023-3"),
            "--rules: unknown rule version '2023-3'; did you mean 2023-03?",
        ),
        (
            ("verify", "--rules", "2023"),
            "--rules: unknown rule version '2023'; did you mean 2023-03?",
        ),
        (
            ("generate", "--disputes", "1", "--seed", "1", "-o", "-", "--rules", "para"),
            "--rules: unknown rule version 'para'",
        ),
    ],
    ids=str,
)
def test_a_misspelt_argument_says_what_may_be_meant(
    arguments: tuple[str | Path, ...], said: str
) -> None:
    ran = run(*arguments)
    complained(ran)
    assert said in re.sub(r"\s+", " ", ran.err)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "title: x\ndisput: {opened_at: 2023-03-28T10:00:00+08:00}\n",
            ":2: disput: unknown field; did you mean dispute?",
        ),
        (HEAD + "stepz: []\n", ":2: stepz: unknown field; did you mean steps?"),
        (
            "dispute:\n  order_id: O-1\n  opend_at: 2023-03-28T10:00:00Z\n",
            ":3: dispute.opend_at: unknown field; did you mean opened_at?",
        ),
        (HEAD + "rules: rollout\nrolout: {}\n", ":3: rolout: unknown field; did you mean rollout?"),
        (
            HEAD + "rules: rollout\nrollout:\n  salt: x\n  form: a\n",
            ":5: rollout.form: unknown field; did you mean from?",
        ),
        (
            HEAD + "rules: paralel\n",
            ":2: rules: unknown rule version 'paralel'; did you mean parallel?",
        ),
        (
            HEAD + "steps:\n  - at: +1h\n    doo: sweep\n",
            ":4: steps[0].doo: unknown field; did you mean do?",
        ),
        (
            HEAD + "steps:\n  - do: sweep\n    att: +1h\n",
            ":4: steps[0].att: unknown field; did you mean at?",
        ),
        (HEAD + "steps: [{at: +1h, order: unavailble}]\n", "did you mean unavailable?"),
        (HEAD + "steps: [{at: +1h, do: withdraw, by: consumr}]\n", "did you mean consumer?"),
        (
            HEAD + "steps: [{at: +1h, do: expire, with: {deadline: respons}}]\n",
            "did you mean response?",
        ),
        (
            HEAD + "policy: {evidence_reasons: {force_majeur: null}}\n",
            "did you mean force_majeure?",
        ),
        (HEAD + "policy: {respons: {hours: 1}}\n", "did you mean response?"),
        (HEAD + "policy: {response: {hour: 1}}\n", "did you mean hours?"),
        (
            HEAD + "policy: {Silence: consent}\n",
            ":2: policy.Silence: unknown field; did you mean silence?",
        ),
        (HEAD + "policy: {calendar: {zone: shanghai}}\n", "did you mean Asia/Shanghai?"),
        (
            HEAD + "steps: [{at: +1h, order: {pickp: null}}]\n",
            ":2: steps[0].order.pickp: unknown field; did you mean pickup?",
        ),
        (
            HEAD + "steps: [{at: +1h, order: {pickup: {waybil: null}}}]\n",
            ":2: steps[0].order.pickup.waybil: unknown field; did you mean waybill?",
        ),
    ],
)
def test_a_misspelt_name_in_a_scenario_says_what_may_be_meant(
    text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.dispute.yaml"
    file.write_text(text, encoding="utf-8")
    complained(run("run", file), said)


@pytest.mark.parametrize(
    ("was", "now", "meant"),
    [("salt:", "slat:", "salt"), ("from:", "form:", "from"), ("schedule:", "shedule:", "schedule")],
)
def test_a_misspelt_key_of_a_rollout_says_what_may_be_meant(
    was: str, now: str, meant: str, tmp_path: Path
) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN.read_text(encoding="utf-8").replace(was, now), encoding="utf-8")
    complained(
        run("rollout", file, "--merchants", MERCHANTS),
        f"{now} unknown field; did you mean {meant}?",
    )


def test_a_misspelt_class_of_difference_says_what_may_be_meant(tmp_path: Path) -> None:
    file = tmp_path / "approved.yaml"
    file.write_text("approved: [{dispute: D-1, class: outcom, why: x}]\n", encoding="utf-8")
    complained(run("replay", HISTORY, "--approved", file), "did you mean outcome?")


def test_a_rule_version_that_nobody_knows_names_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"rules: unknown rule version 'paralel'; did you mean parallel\?"
    ):
        rule_version("paralel")


# ---- wrong usage ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-v",), "missing command; see dispute-fsm --help"),
        (("--nope",), "--nope: unknown option; see dispute-fsm --help"),
        (("run",), "PATH: missing argument; see dispute-fsm run --help"),
        (("run", "-x"), "-x: unknown option; see dispute-fsm run --help"),
        (
            ("run", SCENARIO, "-v"),
            "-v: unknown option of this command; write it before: dispute-fsm -v run",
        ),
        (("run", SCENARIO, "--jobs"), "--jobs: requires a value"),
        (("run", SCENARIO, "--jobs", "0"), "--jobs: 0 is too small: at least 1"),
        (("run", SCENARIO, "--jobs", "x"), "--jobs: not an integer: 'x'"),
        (("run", SCENARIO, "--json=1"), "--json: does not take a value"),
        (("show", HISTORY, "b", "c"), "too many arguments: b c; see dispute-fsm show --help"),
        (("show", HISTORY, "--at", "1.5"), "--at: not an integer: '1.5'"),
        (("db", "check"), "--db: missing option; see dispute-fsm db check --help"),
        (
            ("db", "import", "--db", "x"),
            "HISTORY: missing argument; see dispute-fsm db import --help",
        ),
        (
            ("generate", "--seed", "1", "-o", "-"),
            "--disputes: missing option; see dispute-fsm generate --help",
        ),
        (("redact", HISTORY, "-o", "-", "--key-file", "k"), "--key-file: needs --replace-ids"),
        (
            ("report", HISTORY, "-o", "-", "--rationale"),
            "--rationale: only a letter has it: add --for merchant",
        ),
        (
            ("report", HISTORY, "-o", "-", "--review", "x"),
            "--review: only a letter has it: add --for merchant",
        ),
    ],
    ids=str,
)
def test_wrong_usage_is_one_line_that_names_what_was_typed(
    arguments: tuple[str | Path, ...], said: str
) -> None:
    assert run(*arguments) == Ran(2, "", f"dispute-fsm: {said}\n")


@pytest.mark.parametrize("group", [(), ("db",)], ids=str)
def test_without_a_command_the_help_is_shown_and_it_is_wrong_usage(group: tuple[str, ...]) -> None:
    shown = run(*group, "--help")
    assert shown.code == 0
    assert run(*group) == Ran(2, shown.out.removesuffix("\n"), "")


# ---- what was typed is named ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("sweep", "--db", "mysql://x"), "--db"),
        (("run", SCENARIO, "--db", "nonsense"), "--db"),
        (("db", "check", "--db", "sqlite://"), "--db"),
        (("db", "import", "--db", "sqlite:///:memory:", HISTORY), "--db"),
        (("generate", "--disputes", "-1", "--seed", "1", "-o", "-"), "--disputes"),
        (("rollout", PLAN, "--merchants", MERCHANTS, "--at", "noon"), "--at"),
        (("show", HISTORY, "--at", "99"), f"{HISTORY}: --at"),
        (("show", HISTORY, "--dispute", "D-none"), f"{HISTORY}: --dispute"),
        (("report", HISTORY, "-o", "-", "--dispute", "D-none"), f"{HISTORY}: --dispute"),
        (("replay", HISTORY, "--rules", "x"), "--rules"),
        (("diagram", "--rules", "x"), "--rules"),
        (("verify", "--rules", "x"), "--rules"),
    ],
    ids=str,
)
def test_an_error_names_what_was_typed(arguments: tuple[str | Path, ...], named: str) -> None:
    ran = run(*arguments)
    complained(ran)
    assert ran.err.startswith(f"dispute-fsm: {named}: ")


def test_an_unknown_dispute_of_a_database_is_named_by_its_option(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    assert run("db", "import", "--db", url, HISTORY).code == 0
    assert run("db", "export", "--db", url, "-o", "-", "--dispute", "D-9").err.startswith(
        "dispute-fsm: --dispute: "
    )


# ---- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("+70000d", "'70000d' is too long: a duration is at most 36500 days\n"),
        (f"+{'9' * 30}d", "is too long: a duration is at most 36500 days\n"),
        (f"+{'9' * 5_000}s", "is too long: a duration is at most 36500 days\n"),
        (
            "+1e9d",
            (
                "'1e9d' is not a duration: write digits with the units d, h, m, s, e.g. 90m, "
                "1h30m or 15d\n"
            ),
        ),
        (
            "2200-01-01T00:00:00Z",
            "2200-01-01T00:00:00+00:00 is outside the years 1971 to 2199 (UTC)\n",
        ),
    ],
    ids=["long", "many digits", "thousands of digits", "exponent", "late"],
)
def test_a_time_beyond_a_limit_says_which(at: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "x.dispute.yaml"
    file.write_text(f"{HEAD}steps:\n  - {{at: {at}, do: sweep}}\n", encoding="utf-8")
    ran = run("run", file)
    complained(ran, f"{file}:3: steps[0].at: ")
    assert ran.err.endswith(said)


def test_an_instant_that_is_counted_says_which_limit_it_exceeds(tmp_path: Path) -> None:
    file = tmp_path / "x.dispute.yaml"
    file.write_text(
        "dispute: {opened_at: 2190-01-01T00:00:00Z}\nsteps: [{at: +36500d, do: sweep}]\n",
        encoding="utf-8",
    )
    complained(
        run("run", file),
        "steps[0].at: 2289-12-08T00:00:00+00:00 is outside the years 1971 to 2199 (UTC)\n",
    )


# ---- what is written -----------------------------------------------------------------------------

WRITERS: tuple[tuple[str | Path, ...], ...] = (
    ("diagram", "chart", "--format", "svg"),
    ("report", HISTORY, "--lang", "en"),
    ("redact", HISTORY),
    ("generate", "--disputes", "3", "--seed", "1"),
)


@pytest.mark.parametrize("arguments", WRITERS, ids=lambda given: given[0])
def test_it_is_said_what_was_written(arguments: tuple[str | Path, ...], tmp_path: Path) -> None:
    file = tmp_path / "x.out"
    ran = run(*arguments, "-o", file)
    size = f"{file.stat().st_size / 1000:.0f} kB"
    assert (ran.code, ran.out) == (0, "")
    assert ran.err in {f"wrote {file} ({size})\n", f"已写入 {file}（{size}）\n"}
    on_screen = run(*arguments, "-o", "-") if arguments[0] in {"redact", "generate"} else None
    assert on_screen is None or on_screen == Ran(0, file.read_text("utf-8"), "")


@pytest.mark.parametrize(
    "arguments", [*WRITERS, ("diagram", "all")], ids=lambda given: "-".join(map(str, given[:2]))
)
def test_no_folder_is_made_for_a_file(arguments: tuple[str | Path, ...], tmp_path: Path) -> None:
    ran = run(*arguments, "-o", tmp_path / "misspelt" / "x.svg")
    complained(ran, f"dispute-fsm: {tmp_path / 'misspelt'}: no such folder")
    assert ran.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_no_folder_is_made_for_an_export(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    assert run("db", "import", "--db", url, HISTORY).code == 0
    complained(
        run("db", "export", "--db", url, "-o", tmp_path / "misspelt" / "x"),
        f"{tmp_path / 'misspelt'}: no such folder",
    )
    assert (
        run("db", "export", "--db", url, "-o", tmp_path / "x").err.count(str(tmp_path / "x")) == 1
    )


def test_of_many_histories_one_line_says_how_many_were_written(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    ran = run("run", EXAMPLES, "--histories", folder, "--lang", "en")
    written = [file.stat().st_size for file in folder.iterdir()]
    told = f"wrote {len(written)} files in {folder} ({sum(written) / 1000:.0f} kB)"
    assert ran.err.splitlines()[:-1] == [told]
    assert run("run", SCENARIO, "--histories", folder, "--lang", "en").err.startswith(
        f"wrote {folder / '12-no-response.history.jsonl'} ("
    )


@pytest.mark.parametrize(("lang", "said"), [("zh", "已写入 "), ("en", "wrote ")])
def test_it_is_said_in_the_language_that_is_asked_for(lang: str, said: str, tmp_path: Path) -> None:
    assert run("diagram", "--lang", lang, "-o", tmp_path / "x.svg").err.startswith(said)


@pytest.mark.parametrize(
    "arguments", [("diagram", "chart"), ("report", HISTORY)], ids=lambda given: given[0]
)
def test_a_file_that_cannot_be_written_stays_as_it_was(
    arguments: tuple[str | Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.svg"
    file.write_text("as it was")

    def refused(_part: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(Path, "replace", refused)
    complained(run(*arguments, "-o", file), f"{file}: Permission denied")
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [
        ("x.svg", "as it was")
    ]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for _ in range(2):
        assert run("diagram", "chart", "--format", "dot", "-o", tmp_path / "link").code == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text("utf-8").startswith("digraph")
