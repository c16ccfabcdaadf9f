"""`dispute-fsm replay`: its results, its output as text and JSON, and its exit codes."""

import gc
import gzip
import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.replay import rare_garbage_collection, replay
from tests.command_line import SCRIPT, complained, environment, piped, run
from tests.histories.corpus import ERASED, disputes, line_of, rechained, recorded
from tests.support import recorded_history

HEAD = "dispute: {{dispute_id: {}, opened_at: 2023-03-28T10:00:00+08:00}}\nsteps:\n"
LATE = (
    HEAD.format("D-late")
    + "  - {at: +18h, do: choose_option, with: {option: prove_no_fault, note: 已发货}}\n"
)
SILENT = HEAD.format("D-silent") + "  - {at: +25h, do: sweep}\n"
MEMBERS = {
    "file",
    "line",
    "dispute_id",
    "rules",
    "events",
    "state",
    "outcome",
    "fault",
    "differences",
    "undetermined",
    "what_if",
    "ok",
    "unapproved",
}


@pytest.fixture
def late(tmp_path: Path) -> Path:
    return recorded_history(tmp_path / "h" / "late.history.jsonl", LATE)


@pytest.fixture
def shorter(tmp_path: Path) -> Path:
    (tmp_path / "shorter.yaml").write_text("response: {hours: 12}\n", encoding="utf-8")
    return tmp_path / "shorter.yaml"


def changed(path: Path, number: int, **members: Any) -> Path:  # noqa: ANN401 -- any JSON
    """Change a line of a history without a word to its hash."""
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[number - 1] = json.dumps({**json.loads(lines[number - 1]), **members})
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def with_a_changed_policy(path: Path) -> None:
    """Put a policy behind a history that was changed after it was written."""
    policy = path.read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(
        path.read_bytes() + policy.replace(b'"max_promise":"15d"', b'"max_promise":"30d"')
    )


# ---- exit codes and streams ----------------------------------------------------------------------


def test_a_sound_history_is_code_0(late: Path) -> None:
    ran = run("replay", late, "--json")
    assert (ran.code, ran.err) == (0, "")
    (line,) = ran.lines
    assert set(line) == MEMBERS
    assert (line["file"], line["line"], line["dispute_id"], line["rules"], line["events"]) == (
        str(late),
        2,
        "D-late",
        "2023-03",
        2,
    )
    assert (line["state"], line["outcome"], line["fault"], line["ok"], line["what_if"]) == (
        "awaiting_evidence",
        None,
        None,
        True,
        None,
    )
    assert (line["differences"], line["undetermined"], line["unapproved"]) == ([], [], [])


def test_a_changed_line_is_code_1_and_named(late: Path) -> None:
    ran = run("replay", changed(late, 3, event_id="other"), "--json")
    assert (ran.code, ran.err) == (1, "")
    (line,) = ran.lines
    assert line["ok"] is False
    assert (
        line["fault"]["line"],
        line["fault"]["seq"],
        line["fault"]["field"],
        line["events"],
    ) == (3, 2, "hash", 1)
    for lang in ("zh", "en"):
        people = run("replay", late, "--lang", lang)
        assert people.code == 1
        assert f"{late}:3: " in people.out


def test_a_fault_that_is_no_disputes_has_a_line_of_its_own(late: Path) -> None:
    with_a_changed_policy(late)
    ran = run("replay", late, "--json")
    assert ran.code == 1
    assert [(line["dispute_id"], line["ok"], line["line"]) for line in ran.lines] == [
        (None, False, 4),
        ("D-late", True, 2),
    ]
    assert f"{late}:4: " in run("replay", late).out


def test_an_unreadable_file_is_code_2_and_the_others_are_replayed(
    late: Path, tmp_path: Path
) -> None:
    bad = recorded_history(tmp_path / "h" / "bad.history.jsonl", SILENT)
    bad.write_bytes(bad.read_bytes()[:-1])
    ran = run("replay", late.parent, "--json")
    complained(ran, f"{bad}:3: ")
    assert [line["dispute_id"] for line in ran.lines] == ["D-late"]
    assert run("replay", changed(late, 3, event_id="x"), bad).code == 2


def test_a_folder_is_searched_and_each_file_replayed_once(late: Path, tmp_path: Path) -> None:
    deep = recorded_history(tmp_path / "h" / "sub" / "silent.history.jsonl.gz", SILENT)
    assert gzip.decompress(deep.read_bytes()).startswith(b'{"type":"policy"')
    (tmp_path / "h" / "other.jsonl").write_text("no history", encoding="utf-8")
    ran = run("replay", late.parent, late, "--json")
    assert ran.code == 0
    assert [line["file"] for line in ran.lines] == [str(late), str(deep)]


def test_standard_input_is_a_dash(late: Path) -> None:
    ran = run("replay", "-", "--json", given=late.read_bytes())
    assert (ran.code, [line["file"] for line in ran.lines]) == (0, ["-"])


def test_a_history_may_come_through_a_pipe(late: Path) -> None:
    with piped(late.read_bytes()) as pipe:
        ran = run("replay", pipe, late, "--json")
    assert (ran.code, [line["file"] for line in ran.lines]) == (0, [pipe, str(late)])


def test_a_path_that_leads_nowhere_is_an_error_of_that_path_alone(
    late: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.dispute.yaml").write_text(LATE, encoding="utf-8")
    nowhere = (
        tmp_path / "gone",
        tmp_path / "empty",
        tmp_path / ("x" * 300),
        tmp_path / "x.dispute.yaml",
    )
    ran = run("replay", nowhere[0], late, *nowhere[1:], "--json")
    complained(ran)
    assert [line.split(": ")[1] for line in ran.err.splitlines()] == [str(path) for path in nowhere]
    assert [line["dispute_id"] for line in ran.lines] == ["D-late"]


@pytest.mark.parametrize(
    "command",
    [("replay",), ("show",), ("redact", "-o", "-"), ("diagram", "coverage")],
    ids=" ".join,
)
def test_a_scenario_in_place_of_a_history_is_told_with_the_command_that_takes_it(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "x.dispute.yaml"
    path.write_text(LATE, encoding="utf-8")
    complained(
        run(*command, path), f"{path}: this is a scenario; `dispute-fsm run FILE --histories DIR`"
    )


def test_nothing_to_replay_is_an_error(tmp_path: Path) -> None:
    complained(run("replay", tmp_path), tmp_path)
    complained(run("replay", tmp_path / "gone"), "gone")


def test_an_empty_history_is_sound(tmp_path: Path) -> None:
    (tmp_path / "x.history.jsonl").write_bytes(b"")
    assert run("replay", tmp_path / "x.history.jsonl", "--json") == run("replay", "-", "--json")
    assert run("replay", tmp_path / "x.history.jsonl").code == 0


# ---- the summary ---------------------------------------------------------------------------------


def summary(lang: str, *arguments: str | Path) -> list[str]:
    return run("replay", *arguments, "--lang", lang).out.split("\n\n", maxsplit=1)[0].splitlines()


WHOLE = {"zh": "记录完整，哈希与流程均有效：", "en": "integrity: hashes and transitions valid: "}
AGAIN = {"zh": "按原规则复核，判定一致：", "en": "decisions reproduced: "}


@pytest.mark.parametrize(
    ("lang", "read"), [("zh", "1 起纠纷，2 个事件"), ("en", "1 dispute, 2 events")]
)
def test_what_is_sound_is_ticked(late: Path, lang: str, read: str) -> None:
    assert summary(lang, late) == [read, f"✓ {WHOLE[lang]}1/1", f"✓ {AGAIN[lang]}2/2"]


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize(("tampered", "again"), [(2, "– {}0/0"), (3, "✓ {}1/1")])
def test_only_what_was_decided_again_is_counted_as_such(
    late: Path, lang: str, tampered: int, again: str
) -> None:
    assert summary(lang, changed(late, tampered, event_id="other"))[1:] == [
        f"✗ {WHOLE[lang]}0/1",
        again.format(AGAIN[lang]),
    ]


@pytest.mark.parametrize(
    ("lang", "read"), [("zh", "0 起纠纷，0 个事件"), ("en", "0 disputes, 0 events")]
)
def test_nothing_is_ticked_where_nothing_could_be_read(late: Path, lang: str, read: str) -> None:
    late.write_bytes(b"x\n")
    assert summary(lang, late) == [read, f"– {WHOLE[lang]}0/0", f"– {AGAIN[lang]}0/0"]


def test_a_policys_fault_leaves_the_disputes_whole(late: Path) -> None:
    with_a_changed_policy(late)
    assert summary("en", late) == [
        "1 dispute, 2 events",
        f"✗ {WHOLE['en']}1/1",
        f"✓ {AGAIN['en']}2/2",
    ]


def test_a_step_whose_words_were_erased_is_not_counted_as_decided_again() -> None:
    assert summary("en", ERASED)[2:] == [
        f"✓ {AGAIN['en']}{events_of(ERASED) - 1}/{events_of(ERASED) - 1}",
        "in 1 dispute a step cannot be decided again, because personal data was erased",
    ]


def events_of(path: Path) -> int:
    return sum(len(events) for _, events in disputes(path).values())


@pytest.mark.parametrize(
    ("lang", "approved"),
    [("zh", "已批准：1 起纠纷中的 1 处差异"), ("en", "approved: 1 difference in 1 dispute")],
)
def test_what_is_approved_is_said_with_how_much_it_is(
    tmp_path: Path, lang: str, approved: str
) -> None:
    records = recorded("rule-at-fault")
    records[2]["checks"][0]["saw"]["id"] = "M-2"
    path = tmp_path / "x.history.jsonl"
    path.write_bytes(b"".join(map(line_of, rechained(records))))
    assert summary(lang, path)[2:] == [f"✗ {AGAIN[lang]}3/4"]
    (tmp_path / "a.yaml").write_text(
        'approved: [{rules: "2023-03", class: explanation, why: x}]\n', encoding="utf-8"
    )
    assert summary(lang, path, "--approved", tmp_path / "a.yaml")[2:] == [
        f"✓ {AGAIN[lang]}3/4",
        approved,
    ]


def test_what_is_approved_of_a_what_if_is_said_too(
    late: Path, shorter: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(
        "approved: [{dispute: D-late, class: deadline, why: x}]\n", encoding="utf-8"
    )
    told = summary("en", late, "--policy", shorter, "--approved", tmp_path / "a.yaml")
    assert told[3:] == [
        "approved: 1 difference in 1 dispute",
        "would end: the same 0, different 1, undetermined 0",
    ]


# ---- what if -------------------------------------------------------------------------------------


def test_what_if_says_what_would_have_ended_otherwise_and_why(late: Path, shorter: Path) -> None:
    ran = run("replay", late, "--policy", shorter, "--json")
    assert (ran.code, ran.err) == (1, "")
    asked = ran.lines[0]["what_if"]
    assert (asked["verdict"], asked["then"], asked["now"], asked["missing"]) == (
        "different",
        {
            "state": "awaiting_evidence",
            "states": ["awaiting_evidence"],
            "outcome": None,
            "option": "prove_no_fault",
        },
        {"state": "penalized", "states": ["penalized"], "outcome": "no_response", "option": None},
        None,
    )
    first = asked["differences"][0]
    assert (first["seq"], first["drift"], first["command"], first["guard"]) == (
        1,
        "deadline",
        "open_dispute",
        "response_has_passed",
    )
    assert (first["saw_then"], first["saw_now"]) == (
        {"response": "2023-03-29T02:00:00Z"},
        {"response": "2023-03-28T14:00:00Z"},
    )
    assert ran.lines[0]["unapproved"] == ["outcome", "newly_refused", "deadline"]


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("zh", ("待商家举证", "逾期未响应", "时限不同")),
        ("en", ("no response in time", "deadline changed")),
    ],
)
def test_what_if_is_told_to_people_in_both_languages(
    late: Path, shorter: Path, lang: str, words: tuple[str, ...]
) -> None:
    ran = run("replay", late, "--policy", shorter, "--lang", lang)
    assert ran.code == 1
    for word in (*words, "response_has_passed", "D-late"):
        assert word in ran.out


def test_the_same_policy_and_the_same_rules_differ_in_nothing(late: Path, tmp_path: Path) -> None:
    (tmp_path / "same.yaml").write_text("response: {hours: 24}\n", encoding="utf-8")
    ran = run("replay", late, "--policy", tmp_path / "same.yaml", "--rules", "2023-03", "--json")
    assert (
        ran.code,
        ran.lines[0]["what_if"]["verdict"],
        ran.lines[0]["what_if"]["differences"],
    ) == (0, "same", [])


def test_an_end_that_nobody_can_tell_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "longer.yaml").write_text("response: {hours: 48}\n", encoding="utf-8")
    ran = run(
        "replay",
        recorded_history(tmp_path / "x.history.jsonl", SILENT),
        "--policy",
        tmp_path / "longer.yaml",
        "--json",
    )
    assert (ran.code, ran.lines[0]["what_if"]["verdict"], ran.lines[0]["what_if"]["now"]) == (
        1,
        "undetermined",
        None,
    )
    assert ran.lines[0]["what_if"]["missing"] == {"seq": 2, "missing": "answers"}


def test_what_is_asked_has_to_make_sense(late: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("response: {hours: 12}\nsilense: denial\n", encoding="utf-8")
    complained(
        run("replay", late, "--policy", tmp_path / "bad.yaml"),
        f"{tmp_path / 'bad.yaml'}:2: silense",
    )
    complained(run("replay", late, "--policy", tmp_path / "none.yaml"), "none.yaml")
    complained(run("replay", late, "--rules", "2019"), "2023-03")


def test_what_would_end_differently_begins_with_the_step_that_decides(
    late: Path, shorter: Path
) -> None:
    shown = run("replay", late, "--policy", shorter, "--lang", "en").out.split("✗ ")[1]
    assert shown.splitlines() == [
        f"{late}:2: D-late  waiting for the merchant's evidence → no response in time",
        "    before #2  response deadline passed: different state or outcome",
        "      outcome  no response in time",
        (
            "      seen     the response deadline has passed (response_has_passed): "
            "response deadline: 2023-03-28 22:00:00 +0800"
        ),
        (
            "    #1  open the dispute: response deadline 2023-03-29 10:00:00 → "
            "2023-03-28 22:00:00 +0800"
        ),
    ]


def test_an_end_that_nobody_can_tell_is_marked_as_unknown(tmp_path: Path) -> None:
    (tmp_path / "longer.yaml").write_text("response: {hours: 48}\n", encoding="utf-8")
    path = recorded_history(tmp_path / "x.history.jsonl", SILENT)
    shown = run("replay", path, "--policy", tmp_path / "longer.yaml", "--lang", "en").out
    (line,) = (line for line in shown.splitlines() if line.startswith("? "))
    assert line.startswith(f"? {path}:2: ")
    assert line.endswith(
        "  no response in time → undetermined (#2: what the parties would have answered)"
    )


def test_a_policy_that_does_not_fit_a_recorded_one_is_an_error_with_its_line(
    tmp_path: Path,
) -> None:
    short_days = 'policy: {evidence: {hours: 4}, calendar: {day: {from: "09:00", to: "09:01"}}}\n'
    path = recorded_history(tmp_path / "x.history.jsonl", short_days + SILENT)
    (tmp_path / "p.yaml").write_text(
        "silence: denial\nevidence: {working_hours: 100}\n", encoding="utf-8"
    )
    complained(run("replay", path, "--policy", tmp_path / "p.yaml"), f"{tmp_path / 'p.yaml'}:")


def test_a_fault_is_not_asked_about(late: Path, shorter: Path) -> None:
    ran = run("replay", changed(late, 3, event_id="other"), "--policy", shorter, "--json")
    assert (ran.code, ran.lines[0]["what_if"], ran.lines[0]["fault"]["line"]) == (1, None, 3)


# ---- approved drift ------------------------------------------------------------------------------


def test_intended_differences_are_no_failure(late: Path, shorter: Path, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "approved: [{dispute: D-late, why: 缩短响应时限}]\n", encoding="utf-8"
    )
    ran = run("replay", late, "--policy", shorter, "--approved", tmp_path / "a.yaml", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert (ran.lines[0]["ok"], ran.lines[0]["unapproved"], ran.lines[0]["what_if"]["verdict"]) == (
        True,
        [],
        "different",
    )


def test_an_approval_that_no_longer_fits_fails_and_is_named(late: Path, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "approved:\n  - {dispute: D-late, why: 缩短响应时限}\n", encoding="utf-8"
    )
    ran = run("replay", late, "--approved", tmp_path / "a.yaml")
    assert ran.code == 1
    assert f"{tmp_path / 'a.yaml'}:2: " in ran.err
    assert "缩短响应时限" in ran.err


@pytest.mark.parametrize(
    ("approved", "code"), [("explanation", 1), ("newly_refused", 1), ("facts", 0)]
)
def test_an_approval_of_explanations_covers_no_decision_without_facts(
    tmp_path: Path, approved: str, code: int
) -> None:
    found = recorded("promise-expired-kept-and-refunded")[:4]
    found[3]["facts"] = None
    path = tmp_path / "x.history.jsonl"
    path.write_bytes(b"".join(map(line_of, rechained(found))))
    (tmp_path / "a.yaml").write_text(
        f'approved: [{{rules: "2023-03", class: {approved}, why: x}}]\n', encoding="utf-8"
    )
    ran = run("replay", path, "--approved", tmp_path / "a.yaml", "--json")
    assert (ran.code, ran.lines[0]["ok"], ran.lines[0]["unapproved"]) == (
        code,
        not code,
        ["facts"] if code else [],
    )
    assert ran.lines[0]["differences"][0]["drift"] == "facts"
    if code:
        *_, step, facts = run("replay", path, "--lang", "en").out.splitlines()
        assert step.strip().startswith("#3  ")
        assert facts.strip().startswith("facts  ")


@pytest.mark.parametrize(
    ("lang", "step"),
    [
        ("zh", "选择方案：原已受理，现被拒绝\n      核查结果  .*：10485760 → .*：1"),
        ("en", "choose an option: now refused\n      seen  .*: 10485760 → .*: 1"),
    ],
)
def test_a_refusal_that_would_not_be_recorded_is_told_with_what_changed(
    tmp_path: Path, lang: str, step: str
) -> None:
    path = tmp_path / "x.history.jsonl"
    write_history(path, generate(60, 7))
    (tmp_path / "p.yaml").write_text(
        "max_recorded_refusals: 0\nvoucher_limits: {max_bytes: 1}\n", encoding="utf-8"
    )
    ran = run("replay", path, "--policy", tmp_path / "p.yaml", "--lang", lang)
    assert (ran.code, ran.err) == (1, "")
    assert re.search(rf"^    #2  {step}$\n\n", ran.out, re.MULTILINE)


# ---- many disputes -------------------------------------------------------------------------------


def test_of_many_disputes_those_that_end_differently_are_shown_and_the_rest_is_counted(
    tmp_path: Path, shorter: Path
) -> None:
    path = tmp_path / "x.history.jsonl"
    write_history(path, generate(60, 7))
    lines = run("replay", path, "--policy", shorter, "--json").lines
    different = [line["dispute_id"] for line in lines if line["what_if"]["verdict"] == "different"]
    assert (len(lines), 3 <= len(different) < 20) == (60, True)
    out = run("replay", path, "--policy", shorter, "--lang", "en").out
    told = [part.split(": ")[1].split()[0] for part in out.split("✗ ")[1:]]
    assert told == different
    assert told[0] in out
    same = sum(line["what_if"]["verdict"] == "same" and not line["ok"] for line in lines)
    assert out.splitlines()[-1].startswith(f"{same} disputes would end the same")


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    path = tmp_path / "x.history.jsonl"
    write_history(path, generate(30, 7))
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603 -- our own script
        [SCRIPT, "replay", path],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment({"TERM": "xterm"}),
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4_096):
                shown += part
        except OSError:  # how Linux says that nobody writes any more
            pass
        out = process.communicate()[0]
    os.close(ours)
    assert (process.returncode, b"replaying" in shown, b"replaying" in out) == (0, True, False)
    assert run("replay", path).err == ""


def test_a_replay_leaves_no_reference_cycles_and_the_collector_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.history.jsonl"
    write_history(path, generate(30, 7))
    before = gc.get_threshold()
    list(replay(str(path)))  # what is made once, is made now
    gc.collect()
    with rare_garbage_collection():
        assert gc.get_threshold()[0] > before[0]
        list(replay(str(path)))
        assert gc.collect() == 0
    assert gc.get_threshold() == before
