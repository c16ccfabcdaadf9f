"""Approval of drift: any other difference fails, and so does an approval that covers nothing."""

from pathlib import Path

import pytest

from dispute_fsm.errors import InputError
from dispute_fsm.history.approvals import (
    DRIFT_CLASSES,
    DriftApprovals,
    drift_classes,
    read_approvals,
)
from dispute_fsm.history.messages import EndComparison
from dispute_fsm.history.replay import Replayed, replay
from dispute_fsm.history.what_if import Question
from tests.support import recorded_history

SHORTER = Question(policy=lambda policy: policy.lay_over({"response": {"hours": 12}}))
"""Under it, an answer after 18 hours is too late (`no_response`), and each deadline differs."""

HEAD = "dispute: {{dispute_id: {}, opened_at: 2023-03-28T10:00:00+08:00}}\nsteps:\n"
LATE = HEAD.format("D-late") + "  - {at: +18h, do: choose_option, with: {option: prove_no_fault}}\n"
EARLY = HEAD.format("D-early") + "  - {at: +1h, do: withdraw}\n"
SILENT = HEAD.format("D-silent") + "  - {at: +25h, do: sweep}\n"


def replayed(tmp_path: Path, text: str, question: Question | None = SHORTER) -> Replayed:
    (found,) = replay(str(recorded_history(tmp_path / "x.history.jsonl", text)), question)
    assert isinstance(found, Replayed)
    return found


def approved(tmp_path: Path, text: str) -> DriftApprovals:
    (tmp_path / "approved.yaml").write_text(text, encoding="utf-8")
    return read_approvals(tmp_path / "approved.yaml")


def entries(*written: str) -> str:
    return "approved:\n" + "".join(f"  - {{{entry}}}\n" for entry in written)


def test_without_approvals_every_class_that_differs_is_left(tmp_path: Path) -> None:
    assert DriftApprovals("").unapproved(replayed(tmp_path, LATE)) == (
        "outcome",
        "newly_refused",
        "deadline",
    )
    assert DriftApprovals("").unapproved(replayed(tmp_path, LATE, None)) == ()


def test_an_approval_of_a_dispute_covers_all_of_its_differences_and_no_other_dispute(
    tmp_path: Path,
) -> None:
    drift = approved(tmp_path, entries("dispute: D-late, why: 见决议 12"))
    assert drift.unapproved(replayed(tmp_path, LATE)) == ()
    assert drift.unapproved(replayed(tmp_path, EARLY)) == ("deadline", "explanation")
    assert list(drift.unused()) == []


def test_an_approval_of_one_class_of_a_dispute_leaves_the_others(tmp_path: Path) -> None:
    drift = approved(tmp_path, entries("dispute: D-late, class: deadline, why: x"))
    assert drift.unapproved(replayed(tmp_path, LATE)) == ("outcome", "newly_refused")


def test_an_approval_of_a_class_covers_all_disputes_of_the_rule_version(tmp_path: Path) -> None:
    drift = approved(tmp_path, entries('rules: "2023-03", class: deadline, why: x'))
    assert drift.unapproved(replayed(tmp_path, EARLY)) == ("explanation",)
    assert drift.unapproved(replayed(tmp_path, LATE)) == ("outcome", "newly_refused")
    other = approved(tmp_path, entries("rules: parallel, class: deadline, why: x"))
    assert other.unapproved(replayed(tmp_path, EARLY)) == ("deadline", "explanation")


def test_what_nobody_can_tell_is_a_class_of_its_own(tmp_path: Path) -> None:
    found = replayed(
        tmp_path,
        SILENT,
        Question(policy=lambda policy: policy.lay_over({"response": {"hours": 48}})),
    )
    assert found.what_if is not None
    assert found.what_if.verdict is EndComparison.UNDETERMINED
    assert list(drift_classes(found)) == ["deadline", "deadline", "undetermined"]
    assert approved(tmp_path, entries("dispute: D-silent, class: undetermined, why: x")).unapproved(
        found
    ) == ("deadline",)


def test_an_approval_that_fits_nothing_is_told_with_its_line(tmp_path: Path) -> None:
    drift = approved(
        tmp_path,
        entries(
            "dispute: D-late, why: x",
            "dispute: D-gone, why: 过期",
            "dispute: D-late, class: chart, why: z",
        ),
    )
    drift.unapproved(replayed(tmp_path, LATE))
    assert [(line, approval.dispute, approval.why) for line, approval in drift.unused()] == [
        (3, "D-gone", "过期"),
        (4, "D-late", "z"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("approved: [{dispute: D-1}]\n", 1, "approved[0].why"),
        ('approved:\n  - {dispute: D-1, why: x}\n  - {dispute: D-1, why: " "}\n', 3, "approved[1]"),
        ("approved:\n  - {why: x}\n", 2, "approved[0]"),
        (
            "approved:\n  - {dispute: D-1, rules: parallel, class: deadline, why: x}\n",
            2,
            "approved[0]",
        ),
        ("approved:\n  - {rules: parallel, why: x}\n", 2, "approved[0]"),
        ("approved:\n  - {dispute: D-1, class: dedline, why: x}\n", 2, "approved[0].class"),
        ("approved:\n  - {dispute: D-1, clas: deadline, why: x}\n", 2, "approved[0].clas"),
        ("aproved: []\n", 1, "aproved"),
        ("[]\n", 1, None),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    tmp_path: Path, text: str, line: int, field: str | None
) -> None:
    with pytest.raises(InputError) as caught:
        approved(tmp_path, text)
    assert (caught.value.file, caught.value.line, caught.value.field) == (
        str(tmp_path / "approved.yaml"),
        line,
        field,
    )


def test_the_classes_are_named_where_one_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=", ".join(DRIFT_CLASSES)):
        approved(tmp_path, entries("dispute: D-1, class: x, why: z"))
