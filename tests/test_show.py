"""`dispute-fsm show`: its output as text and JSON, the choice of a dispute, and errors."""

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dispute_fsm.cli import output
from dispute_fsm.cli.inputs import select_steps
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import UnknownDisputeError
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.timeline import timeline
from dispute_fsm.history.timeline_text import timeline_lines
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import run_scenario
from tests import command_line
from tests.command_line import Ran
from tests.support import ROOT, ran

Recorded = tuple[AuditEvent, Policy]
MEMBERS = [
    "seq",
    "at",
    "type",
    "command",
    "actor",
    "source",
    "target",
    "outcome",
    "refused",
    "deadlines",
    "seen",
    "said",
]
NOTHING: dict[str, Any] = {"began": {}, "moved": {}, "ended": {}, "standing": {}, "passed": None}
STORY = """\
dispute: {dispute_id: D-1, opened_at: 2023-03-28T10:00:00+08:00}
steps:
  - at: +1h
    do: choose_option
    with: {option: already_shipped}
    expect: {refused: [not_shipped, no_pickup_scan]}
  - at: +2h
    do: choose_option
    with:
      option: ship_by_agreed_date
      agreed_until: 2023-03-30T18:00:00+08:00
      vouchers:
        - kind: chat_screenshot
          file_name: 约定.png
          media_type: image/png
          size: 1
          sha256: DIGEST
      note: 已协商
  - {at: +3h, do: extend_deadline, with: {until: 2023-03-31T18:00:00+08:00, rationale: 暴雪}}
  - {at: +5d, do: sweep}
expect: {outcome: promise_missed, events: 5}
""".replace("DIGEST", "a" * 64)
PLAIN = (
    "dispute: {dispute_id: ID, opened_at: 2023-03-28T10:30:00+08:00}\nsteps: [{at: +1h, do: "
    "withdraw}]\n"
)


def run(*arguments: str | Path, given: bytes = b"", width: int = 300) -> Ran:
    """Call the command as on a terminal of this width, without colours."""
    with pytest.MonkeyPatch.context() as patch:
        terminal = Console(width=width, force_terminal=True, color_system=None, highlight=False)
        patch.setattr(output, "console", terminal)
        done = command_line.run("show", *arguments, given=given)
    return replace(done, out="\n".join(line.rstrip() for line in done.out.splitlines()))


def recorded(text: str) -> list[Recorded]:
    result = run_scenario(parse_scenario(text, "x.dispute.yaml"))
    assert result.failures == ()
    return [(event, result.scenario.opening.policy) for event in result.events]


def written(folder: Path, events: Sequence[Recorded], name: str = "x.history.jsonl") -> Path:
    write_history(folder / name, events)
    return folder / name


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Write the history of one dispute."""
    return written(tmp_path, recorded(STORY))


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Write a history of seven disputes, the first events of all before their second."""
    stories = [recorded(PLAIN.replace("ID", f"D-{number}")) for number in range(1, 8)]
    return written(tmp_path, [*(each[0] for each in stories), *(each[1] for each in stories)])


def complained(done: Ran, *named: str) -> None:
    assert (done.code, done.out) == (2, "")
    for name in named:
        assert name in done.err


# ---- for people ----------------------------------------------------------------------------------


def test_it_tells_what_happened_and_how_it_stands(history: Path) -> None:
    done = run(history, "--lang", "en")
    assert (done.code, done.err) == (0, "")
    head, *rest = done.out.splitlines()
    assert head == "dispute D-1 · order O-1 · merchant M-1 · consumer C-1 · rules 2023-03"
    told = list(
        timeline_lines(timeline([event for event, _ in recorded(STORY)], DEFAULT_POLICY), "en")
    )
    lines = [line for line in rest if line]
    assert [line[:31] for line in lines[:3]] == [
        "Shipment was promised by 2023-0",
        "The order showed: the order sys",
        "Only the adjudicator can change",
    ]
    assert lines[3 : 3 + len(told)] == told
    assert lines[3 + len(told) :] == [
        "state at 2023-04-02 10:00:00 +0800, after event 5 (revision 4)",
        "    state    penalized",
        "    outcome  agreed date missed",
        "    option   agreed: ship and pickup before an agreed date",
        "             agreed date 2023-03-31 18:00:00",
    ]


def test_the_times_stand_in_one_column(tmp_path: Path) -> None:
    tries = ", ".join(["{at: +1h, do: annul, expect: {refused: [not_in_this_state]}}"] * 9)
    done = run(
        written(tmp_path, recorded(PLAIN.replace("ID", "D-1").replace("[{", f"[{tries}, {{"))),
        "--lang",
        "en",
    )
    heads = [line for line in done.out.splitlines() if line.startswith("#")]
    assert [heads[0][:5], heads[10][:5]] == ["#1   ", "#11  "]
    assert {line.index("2023-") for line in heads} == {5}


def test_it_tells_it_in_chinese(history: Path) -> None:
    done = run(history, "--lang", "zh")
    assert done.code == 0
    for text in (
        "纠纷 D-1 · 订单 O-1",
        "请求被拒绝  商家 M-1 · 选择方案",
        "没有物流揽件记录 (no_pickup_scan)",
        "结果  未在协商日期前发货",
    ):
        assert text in done.out
    assert "截至 2023-04-02 10:00:00 +0800，事件 5 之后（版本序号 4）" in done.out


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").glob("*.dispute.yaml")), ids=lambda path: path.name[:2]
)
def test_every_example_can_be_shown(path: Path, lang: str, tmp_path: Path) -> None:
    result = ran(path)
    file = written(tmp_path, [(event, result.scenario.opening.policy) for event in result.events])
    done = run(file, "--lang", lang)
    assert (done.code, done.err) == (0, "")
    assert sum(line.startswith("#") for line in done.out.splitlines()) == len(result.events)


def test_a_narrow_terminal_loses_nothing(history: Path) -> None:
    assert "约定发货时限由2023-03-3100:00:00延至2023-04-0100:00:00" in "".join(
        run(history, "--lang", "zh", width=40).out.split()
    )


def test_no_control_character_reaches_the_terminal(tmp_path: Path) -> None:
    story = recorded(STORY.replace("D-1", '"D\\u202e1"').replace("已协商", '"\\e[31mred\\u2028"'))
    done = run(written(tmp_path, story), "--lang", "en")
    assert done.code == 0
    assert [line for line in done.out.split("\n") if not line.isprintable()] == []
    assert "dispute D\N{REPLACEMENT CHARACTER}1 ·" in done.out
    assert "\N{REPLACEMENT CHARACTER}[31mred" in done.out


# ---- back in time --------------------------------------------------------------------------------


def test_it_goes_back_to_how_the_dispute_stood_after_an_event(history: Path) -> None:
    done = run(history, "--at", "3", "--lang", "en")
    assert [line[:2] for line in done.out.splitlines() if line.startswith("#")] == [
        "#1",
        "#2",
        "#3",
    ]
    assert done.out.split("\n\n")[-1].splitlines() == [
        "state at 2023-03-28 12:00:00 +0800, after event 3 (revision 2)",
        "    state     waiting for shipment by the agreed date",
        "    option    agreed: ship and pickup before an agreed date",
        "              agreed date 2023-03-30 18:00:00",
        (
            "    deadline  confirmation deadline: due 2023-03-29 12:00:00, 1d left (its passing "
            "triggers nothing in this state)"
        ),
        "              promise deadline: due 2023-03-31 00:00:00, 2d12h left",
        (
            "    next      unless something happens before, the system acts after 2023-03-31 "
            "00:00:00: promise deadline passed"
        ),
    ]


def test_a_later_event_changes_nothing_of_what_was(history: Path) -> None:
    assert run(history, "--at", "4", "--json").out == "\n".join(
        run(history, "--json").out.splitlines()[:4]
    )


@pytest.mark.parametrize("at", ["0", "-1", "6"])
def test_an_event_that_is_not_there_is_an_error(history: Path, at: str) -> None:
    complained(
        run(history, "--at", at),
        str(history),
        f"there is no event {at}: dispute D-1 has the events 1 to 5",
    )


# ---- for programs --------------------------------------------------------------------------------


def test_json_is_one_object_a_line_for_each_event(history: Path) -> None:
    done = run(history, "--json")
    assert (done.code, done.err) == (0, "")
    assert [list(record) for record in done.lines] == [MEMBERS] * 5
    for record, (event, _) in zip(done.lines, recorded(STORY), strict=True):
        same = event.model_dump(mode="json")
        for name in (
            "seq",
            "at",
            "type",
            "command",
            "actor",
            "source",
            "target",
            "outcome",
            "refused",
        ):
            assert record[name] == same[name]
        assert record["seen"] == same["checks"]
        assert record["deadlines"]["standing"] == same["deadlines"]


def test_json_tells_what_was_said(history: Path) -> None:
    assert [record["said"] for record in run(history, "--json").lines] == [
        {},
        {"option": "already_shipped"},
        {
            "option": "ship_by_agreed_date",
            "agreed_until": "2023-03-30T10:00:00Z",
            "vouchers": [
                {
                    "kind": "chat_screenshot",
                    "media_type": "image/png",
                    "size": 1,
                    "file_name": {"length": 6, "value": "约定.png"},
                    "uri": None,
                }
            ],
            "note": {"length": 3, "value": "已协商"},
        },
        {"until": "2023-03-31T10:00:00Z", "rationale": {"length": 2, "value": "暴雪"}},
        {},
    ]


def test_json_tells_of_what_was_erased_its_length(tmp_path: Path) -> None:
    events = [
        (event.model_copy(update={"private": FrozenMap({})}), policy)
        for event, policy in recorded(STORY)
    ]
    said = run(written(tmp_path, events), "--json").lines[2]["said"]
    assert said["note"] == {"length": 3, "value": None}
    assert said["vouchers"][0]["file_name"] == {"length": 6, "value": None}


def test_json_names_a_reason_by_its_id(tmp_path: Path) -> None:
    result = ran(ROOT / "examples" / "05-no-fault-proven.dispute.yaml")
    events = [(event, result.scenario.opening.policy) for event in result.events]
    reasons = [
        record["said"].get("reason") for record in run(written(tmp_path, events), "--json").lines
    ]
    assert sum(isinstance(reason, str) for reason in reasons) == 1


def test_json_tells_what_became_of_the_deadlines(history: Path) -> None:
    opened, refused, chosen, extended, missed = (
        record["deadlines"] for record in run(history, "--json").lines
    )
    response = {"response": "2023-03-29T02:00:00Z"}
    assert opened == {**NOTHING, "began": response, "standing": response}
    assert refused == {**NOTHING, "standing": response}
    standing = {"confirmation": "2023-03-29T04:00:00Z", "promise": "2023-03-30T16:00:00Z"}
    assert chosen == {**NOTHING, "began": standing, "ended": response, "standing": standing}
    moved = {**standing, "promise": "2023-03-31T16:00:00Z"}
    assert extended == {
        **NOTHING,
        "moved": {"promise": {"from": standing["promise"], "to": moved["promise"]}},
        "standing": moved,
    }
    passed = {"deadline": "promise", "due": moved["promise"], "late": "1d10h"}
    assert missed == {**NOTHING, "ended": moved, "passed": passed}


# ---- which dispute, from where -------------------------------------------------------------------


def test_of_several_disputes_one_has_to_be_select_steps(several: Path) -> None:
    complained(run(several), str(several), "7 disputes", "D-1, D-2, D-3, D-4, D-5, …", "--dispute")
    done = run(several, "--dispute", "D-3", "--lang", "en")
    assert done.code == 0
    assert done.out.startswith("dispute D-3 · ")
    assert [line[:2] for line in done.out.splitlines() if line.startswith("#")] == ["#1", "#2"]


def test_a_dispute_that_is_not_there_is_an_error(several: Path) -> None:
    complained(
        run(several, "--dispute", "D-9"), "there is no dispute D-9", "7: D-1, D-2, D-3, D-4, D-5, …"
    )
    with pytest.raises(
        UnknownDisputeError, match=f"^{several}: --dispute: there is no dispute D-9 in this history"
    ):
        select_steps(str(several), "D-9")
    several.write_bytes(b"")
    with pytest.raises(
        UnknownDisputeError, match=f"^{several}: there is no dispute in this history"
    ):
        select_steps(str(several), "D-9")


def test_the_only_dispute_can_be_named_too(history: Path) -> None:
    assert run(history, "--dispute", "D-1", "--json").out == run(history, "--json").out


def test_a_compressed_history_and_standard_input_are_read_alike(
    history: Path, tmp_path: Path
) -> None:
    plain = run(history, "--json").out
    packed = tmp_path / "y.history.jsonl.gz"
    packed.write_bytes(gzip.compress(history.read_bytes()))
    assert run(packed, "--json").out == plain
    assert run("-", "--json", given=history.read_bytes()).out == plain


def test_what_cannot_be_read_is_an_error(history: Path, tmp_path: Path) -> None:
    complained(run(tmp_path / "none.history.jsonl"), "none.history.jsonl")
    complained(run(tmp_path), str(tmp_path))
    empty = tmp_path / "empty.history.jsonl"
    empty.touch()
    complained(run(empty), "there is no dispute in this history")
    complained(run("-", given=b""), "-: there is no dispute in this history")
    history.write_bytes(history.read_bytes().replace(b'"seq":3', b'"seq":4', 1))
    complained(run(history), f"{history}:4: ")
