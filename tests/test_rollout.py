"""Gradual release: who gets which version; stable, exact, recorded, monotonic."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispute_fsm.cli.app import console
from dispute_fsm.decider.decide import open_dispute
from dispute_fsm.decider.decisions import Refused, Repeated
from dispute_fsm.decider.evolve import begin
from dispute_fsm.decider.hash_chain import derived_stamp
from dispute_fsm.domain.commands import OpenDispute
from dispute_fsm.domain.enums import RolloutReason
from dispute_fsm.domain.events import DisputeOpened
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.domain.rollout import Rollout, RolloutDecision, Span, bucket_of
from dispute_fsm.errors import ImpossibleEventError
from dispute_fsm.handler import Disputes
from dispute_fsm.history.replay import Replayed, replay
from dispute_fsm.history.what_if import Question
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.rules.registry import VERSIONS
from tests.command_line import Ran, run

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "how-to" / "rollout.md").read_text("utf-8")
VECTOR = re.compile(
    r"^\| `([^`]+)` \| `([^`]+)` \| (\d+) \| ([\d.]+) \| (newer|older) \|$", re.MULTILINE
)
NOW = datetime(2023, 4, 3, tzinfo=UTC)
DAY = timedelta(days=1)
OLDER, NEWER = "parallel", "2023-03"


def plan(*steps: tuple[datetime, object], **more: object) -> Rollout:
    schedule = [{"at": at, "percentage": percentage} for at, percentage in steps]
    return Rollout.model_validate(
        {"salt": "s", "from": OLDER, "to": NEWER, "schedule": schedule, **more}
    )


# ---- who gets what -------------------------------------------------------------------------------


@pytest.mark.parametrize(("salt", "merchant", "bucket", "percentage", "gets"), VECTOR.findall(PAGE))
def test_a_vector_of_the_page(
    salt: str, merchant: str, bucket: str, percentage: str, gets: str
) -> None:
    decided = plan((NOW, percentage), salt=salt).decide(merchant, NOW)
    version = NEWER if gets == "newer" else OLDER
    assert decided == RolloutDecision(
        version=version,
        reason=RolloutReason.PERCENTAGE,
        bucket=int(bucket),
        percentage=Decimal(percentage),
    )


def test_the_page_has_vectors_on_both_sides_and_its_example_says_what_it_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert {gets for *_, gets in VECTOR.findall(PAGE)} == {"newer", "older"}
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    exec(code, {})  # noqa: S102 -- the page's own example
    assert capsys.readouterr().out.strip() == re.findall(r"print\(.*\)  # (.*)", code)[0]


SHARES = st.integers(0, 10_000).map(lambda hundredths: Decimal(hundredths) / 100)


@given(merchant=st.text(min_size=1, max_size=20), shares=st.tuples(SHARES, SHARES).map(sorted))
def test_raising_the_percentage_never_moves_a_merchant_back(
    merchant: str, shares: list[Decimal]
) -> None:
    raised = plan((NOW, shares[0]), (NOW + DAY, shares[1]))
    before, after = raised.decide(merchant, NOW).version, raised.decide(merchant, NOW + DAY).version
    assert (before, after) in {(OLDER, OLDER), (OLDER, NEWER), (NEWER, NEWER)}
    assert len(list(raised.spans(merchant))) <= 1


@given(merchant=st.text(min_size=1, max_size=20))
def test_at_nothing_and_at_all_everybody_is_where_they_should_be(merchant: str) -> None:
    released = plan((NOW, 0), (NOW + DAY, 100), deny=["denied"], allow=["allowed"])
    if merchant not in {"denied", "allowed"}:
        assert (
            released.decide(merchant, NOW - DAY).version
            == released.decide(merchant, NOW).version
            == OLDER
        )
        assert released.decide(merchant, NOW + DAY).version == NEWER
    assert released.decide("denied", NOW + DAY).version == OLDER
    assert released.decide("allowed", NOW - DAY).version == NEWER


def test_over_100_000_merchants_each_percentage_is_hit_within_half_a_point(
    tell: Callable[[object], None],
) -> None:
    buckets = [bucket_of("one-answer-2023", f"M-{number}") for number in range(100_000)]
    off = {
        percentage: abs(sum(bucket < percentage * 100 for bucket in buckets) / 1_000 - percentage)
        for percentage in range(101)
    }
    tell(
        f"rollout: over 100,000 merchants the percentages are off by {max(off.values()):.3f} "
        "points at the most"
    )
    assert max(off.values()) <= 0.5
    assert (off[0], off[100]) == (0, 0)


def test_the_deny_list_counts_before_the_allow_list_and_both_before_the_bucket() -> None:
    listed = plan((NOW, 100), deny=["a", "b"], allow=["b", "c"])
    reasons = {merchant: listed.decide(merchant, NOW).reason.value for merchant in "abcd"}
    assert reasons == {"a": "deny", "b": "deny", "c": "allow", "d": "percentage"}
    assert [list(listed.spans(merchant)) for merchant in "abcd"] == [
        [],
        [],
        [Span(None, None)],
        [Span(NOW, None)],
    ]


def test_a_step_applies_from_its_instant_on_and_a_lower_one_moves_back() -> None:
    lowered = plan((NOW, 100), (NOW + DAY, 0), (NOW + 2 * DAY, "0.00"), (NOW + 3 * DAY, 100))
    assert [
        lowered.percentage(NOW + delay) for delay in (-timedelta.resolution, timedelta(), DAY)
    ] == [0, 100, 0]
    assert list(lowered.spans("m")) == [Span(NOW, NOW + DAY), Span(NOW + 3 * DAY, None)]
    assert list(plan().spans("m")) == []


@pytest.mark.parametrize(
    "percentage",
    [True, 0.5, "0.005", "-1", "101", "100.01", "1e1", " 1", "", None, -1, 101, Decimal("0.001")],
)
def test_a_percentage_is_exact_or_refused(percentage: object) -> None:
    with pytest.raises(
        ValidationError, match="a percentage is 0 to 100, with at most two decimals"
    ):
        plan((NOW, percentage))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"from": NEWER}, "from and to are the same version"),
        (
            {"schedule": [{"at": NOW, "percentage": 1}, {"at": NOW, "percentage": 2}]},
            "in chronological order",
        ),
        ({"slat": "s"}, "Extra inputs"),
        ({"deny": [7]}, "valid string"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        plan(**changes)


def test_a_plan_is_written_as_it_is_read() -> None:
    written = plan((NOW, "12.50"), deny=["a"]).model_dump(mode="json")
    assert written["from"] == OLDER
    assert written["schedule"] == [{"at": "2023-04-03T00:00:00Z", "percentage": "12.5"}]
    assert Rollout.model_validate(written) == plan((NOW, "12.5"), deny=["a"])


# ---- the opening ---------------------------------------------------------------------------------


def opening(rollout: RolloutDecision | None, **changes: Any) -> OpenDispute:  # noqa: ANN401 -- any field of the opening
    members: dict[str, Any] = {
        "dispute_id": "D-1",
        "order_id": "O-1",
        "merchant_id": "m",
        "consumer_id": "c",
        "rules": NEWER if rollout is None else rollout.version,
        "policy": DEFAULT_POLICY,
        "rollout": rollout,
    }
    return OpenDispute(**{**members, **changes})


def opened(asked: OpenDispute) -> DisputeOpened:
    disputes = Disputes(
        InMemoryOrderSystem({"O-1": Order()}),
        lambda dispute_id, seq: derived_stamp(NOW, dispute_id, seq),
    )
    answer = disputes.open(asked, at=NOW)
    assert isinstance(answer.event, DisputeOpened)
    return answer.event


def test_the_decision_and_its_reason_are_recorded_in_the_opening_event() -> None:
    decided = plan((NOW, "12.5"), allow=["m"]).decide("m", NOW)
    event = opened(opening(decided))
    assert event.rules == NEWER
    assert event.model_dump(mode="json")["payload"] == {
        "rollout": {
            "version": NEWER,
            "reason": "allow",
            "bucket": bucket_of("s", "m"),
            "percentage": "12.5",
        }
    }
    assert opened(opening(None)).model_dump(mode="json")["payload"] == {}


def test_an_opening_goes_by_the_decision_it_brings() -> None:
    decided = plan().decide("m", NOW)
    with pytest.raises(
        ValidationError, match="the rollout decided on parallel, the opening names 2023-03"
    ):
        opening(decided, rules=NEWER)


def test_an_event_whose_rules_are_not_those_that_were_decided_is_impossible() -> None:
    event = opened(opening(plan().decide("m", NOW)))
    decided = plan((NOW, 100)).decide("m", NOW)
    forged = event.model_copy(
        update={"payload": event.payload.model_copy(update={"rollout": decided})}
    )
    with pytest.raises(
        ImpossibleEventError, match="its rules are parallel, but its rollout decided on 2023-03"
    ):
        begin(forged, DEFAULT_POLICY)


def test_who_opens_again_after_the_percentage_rose_is_answered_as_the_first_time() -> None:
    raised = plan((NOW + DAY, 100))
    first = begin(opened(opening(raised.decide("m", NOW))), DEFAULT_POLICY)

    def again(asked: OpenDispute) -> object:
        return open_dispute(first, asked, None, NOW + DAY, stamp=derived_stamp(NOW, "D-1", 1))

    assert isinstance(again(opening(raised.decide("m", NOW + DAY))), Repeated)
    assert isinstance(
        again(opening(None)), Refused
    )  # who names other rules asks for something else


# ---- recorded ------------------------------------------------------------------------------------


def the_one(path: Path, question: Question | None = None) -> Replayed:
    (found,) = replay(str(path), question)
    assert isinstance(found, Replayed)
    return found


def test_a_parallel_history_replays_after_the_release_has_reached_100_percent() -> None:
    path = ROOT / "tests" / "histories" / "rollout-parallel-until-after-the-release.history.jsonl"
    events = [json.loads(line) for line in path.read_text("utf-8").splitlines()][1:]
    assert events[0]["payload"]["rollout"]["version"] == events[-1]["rules"] == OLDER
    released = datetime(2023, 4, 17, tzinfo=UTC)
    assert (
        datetime.fromisoformat(events[0]["at"])
        < released
        < datetime.fromisoformat(events[-1]["at"])
    )
    found = the_one(path)
    assert found.sound
    assert found.rules == OLDER


def test_under_other_rules_the_decision_is_nobodys() -> None:
    path = ROOT / "tests" / "histories" / "rollout-newer-by-allow-list.history.jsonl"
    found = the_one(path, Question(rules=OLDER))
    assert found.sound
    assert found.what_if is not None


def test_every_version_says_what_it_is_in_both_languages() -> None:
    for version in VERSIONS.values():
        for words in (version.label, version.change, version.why):
            assert re.search("[\u4e00-\u9fff]", words.zh)
            assert words.en
    assert VERSIONS[NEWER].valid_from is not None
    assert VERSIONS[OLDER].valid_from is None


# ---- the command ---------------------------------------------------------------------------------


def preview(
    tmp_path: Path, *more: str, merchants: str = "a\n\nb\n", plan_text: str | None = None
) -> Ran:
    file, ids = tmp_path / "plan.yaml", tmp_path / "merchants.txt"
    step = "{at: 2023-04-03T00:00:00Z, percentage: 100}"
    lower = "{at: 2023-04-05T00:00:00Z, percentage: 0}"
    file.write_text(
        plan_text
        or f'{{salt: s, from: parallel, to: "2023-03", deny: [b], schedule: [{step}, {lower}]}}\n',
        "utf-8",
    )
    ids.write_text(merchants, "utf-8")
    return run("rollout", str(file), "--merchants", str(ids), *more)


def test_the_preview_says_who_gets_what_from_when_and_why(tmp_path: Path) -> None:
    found = preview(tmp_path, "--json", "--at", "2023-04-04T00:00:00Z")
    lines = [json.loads(line) for line in found.out.splitlines()]
    assert found.code == 0
    assert [
        (line["merchant_id"], line["reason"], line["newer"], line["at"]["version"])
        for line in lines[:2]
    ] == [
        (
            "a",
            "percentage",
            [{"since": "2023-04-03T00:00:00Z", "until": "2023-04-05T00:00:00Z"}],
            NEWER,
        ),
        ("b", "deny", [], OLDER),
    ]
    assert [line["merchants"] for line in lines[2:]] == [{OLDER: 1, NEWER: 1}, {OLDER: 2, NEWER: 0}]


@pytest.mark.parametrize(("lang", "words"), [("en", "100 % from"), ("zh", "2023-03 1 个商家")])
def test_the_preview_as_text(
    tmp_path: Path, lang: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_width", 200)
    found = preview(
        tmp_path, "--lang", lang, "--at", "2023-04-04t00:00:00z", merchants="a\nb\n[red]c\n"
    )
    assert words.replace("1 个", "2 个") in found.out
    assert "[red]c" in found.out
    for at in (
        "03",
        "04",
        "05",
    ):  # the steps, and the instant that was asked about, as people in Beijing read them
        assert f"2023-04-{at} 08:00:00 +0800" in found.out
    allowed = (
        'salt: s\nfrom: parallel\nto: "2023-03"\nallow: [a]\nschedule: [{at: '
        "2023-04-03T00:00:00Z, percentage: 100}]\n"
    )
    assert preview(tmp_path, "--lang", lang, plan_text=allowed).code == 0


def test_a_narrow_terminal_cuts_nothing_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_width", 40)
    found = preview(
        tmp_path, "--lang", "en", "--at", "2023-04-04T00:00:00Z", merchants=f"{'M' * 60}\n"
    )
    assert "…" not in found.out
    assert found.out.count("M") == 60
    assert "100 % from 2023-04-03 08:00:00 +0800: 1 of 1 merchants" in found.out


@pytest.mark.parametrize(
    ("merchants", "more", "words"),
    [
        ("a\nb\na\n", (), "merchants.txt:3: duplicate merchant, already in line 1"),
        ("\n", (), "there is no merchant id in this file"),
        ("a\n" + "x" * 201, (), "merchants.txt:2: a merchant id is one line"),
        ("a\n", ("--at", "tomorrow"), "--at: 'tomorrow' is not an instant"),
    ],
)
def test_unreadable_input_is_reported(
    tmp_path: Path, merchants: str, more: tuple[str, ...], words: str
) -> None:
    found = preview(tmp_path, *more, merchants=merchants)
    assert found.code == 2
    assert words in found.err


def test_merchants_are_text(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_bytes(b"\xff")
    found = run(
        "rollout",
        str(ROOT / "examples" / "rollout" / "plan.yaml"),
        "--merchants",
        str(tmp_path / "other.txt"),
    )
    assert found.code == 2
    assert "not text in UTF-8" in found.err


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", "by percentage, bucket 6577, 100 % (2023-03)"),
        ("zh", "按百分比分组，灰度分组 6577，100% (2023-03)"),
    ],
)
def test_the_timeline_tells_the_decision(lang: str, words: str) -> None:
    found = run(
        "show",
        str(ROOT / "tests" / "histories" / "rollout-newer-by-percentage.history.jsonl"),
        "--lang",
        lang,
    )
    assert words in found.out
