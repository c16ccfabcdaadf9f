"""What the rest of the package makes of version extended.

Its policy field, its machine and pictures, mutations of it, synthetic histories, public names.
"""

import json
import re
from pathlib import Path

import pytest

import dispute_fsm
from dispute_fsm import commands, events
from dispute_fsm.diagrams.model import machine_of
from dispute_fsm.diagrams.picture import Mark, Picture, View
from dispute_fsm.diagrams.views.history import history
from dispute_fsm.domain.enums import Deadline, EventType, Lang, Outcome
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.history.generate import generate
from dispute_fsm.machine.transition_table import AS_BEFORE
from dispute_fsm.rules.registry import VERSIONS
from tests.command_line import complained, run
from tests.support import CORPUS, liabilities_of, over, ran
from tools.mutations import mutations

EXTENDED = VERSIONS["extended"]

# ---- its policy field ----------------------------------------------------------------------------


def test_a_field_of_a_version_that_is_not_given_differs_from_one_that_is_null() -> None:
    off, on = over(appeal=None), over(appeal={"hours": 48})
    assert "appeal" not in DEFAULT_POLICY.record
    assert (off.record["appeal"], on.record["appeal"]) == (None, {"hours": 48})
    assert len({DEFAULT_POLICY, off, on}) == 3
    assert len({DEFAULT_POLICY.digest, off.digest, on.digest}) == 3
    assert off != DEFAULT_POLICY != on
    assert off != off.record
    assert off.lay_over({"denial": "review"}).record["appeal"] is None
    for policy in (DEFAULT_POLICY, off, on):
        assert Policy.model_validate(policy.record) == policy
        assert Policy.model_validate_json(policy.model_dump_json()) == policy
        assert Policy.model_validate(policy.model_dump()) == policy
        assert Policy.model_validate_json(json.dumps(policy.record)).digest == policy.digest


def test_a_policy_field_of_another_version_is_an_error(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("appeal: {hours: 24}\n", encoding="utf-8")
    complained(run("diagram", "diff", "2023-03", policy), f"{policy}:1: appeal")
    done = run(
        "diagram",
        "diff",
        "extended",
        policy,
        "--rules",
        "extended",
        "--format",
        "md",
        "--lang",
        "en",
    )
    assert "was 48 h, is 24 h" in done.out


# ---- its machine and pictures --------------------------------------------------------------------


def test_a_question_has_the_answers_of_this_version() -> None:
    asked = machine_of(EXTENDED, DEFAULT_POLICY).questions
    assert list(asked["option"].answers) == ["none", *(option.value for option in EXTENDED.options)]
    four = ["none", "response", "confirmation", "promise", "evidence"]
    assert list(asked["extended"].answers) == [*four, "appeal"]


def test_an_outcome_can_remain_as_before() -> None:
    machine = machine_of(EXTENDED, DEFAULT_POLICY)
    as_before = {
        transition.id
        for transition in machine.transitions
        if [(end.option, end.outcome) for end in transition.endings] == [(None, None)]
    }
    assert as_before == {
        "penalized--extend_deadline--appeal",
        "penalized--appeal--running",
        "penalized--appeal_expired--running",
        "appeal_under_review--uphold_penalty",
    }


def test_without_an_appeal_deadline_nobody_appeals() -> None:
    version = EXTENDED
    default = machine_of(version, DEFAULT_POLICY)
    policy = version.policy(DEFAULT_POLICY).lay_over({"appeal": None})
    machine = machine_of(version, policy)
    assert machine.off == (Deadline.APPEAL,)
    assert machine.unreachable() - default.unreachable() == {
        "penalized--extend_deadline--appeal",
        "penalized--appeal--running",
        "penalized--appeal_expired--running",
        "appeal_under_review",
        "appeal_under_review--uphold_penalty",
        "appeal_under_review--overturn_penalty",
    }


def the_picture(view: View) -> Picture:
    (picture,) = (part for part in view.parts if isinstance(part, Picture))
    return picture


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_appeal_is_shown_with_its_deadline_and_an_outcome_as_before(lang: Lang) -> None:
    result = ran(next(path for path in CORPUS if path.name == "40-appeal-overturned.dispute.yaml"))
    view = history(result.events, EXTENDED.policy(DEFAULT_POLICY), lang)
    edges = {edge.id: edge for edge in the_picture(view).edges}
    lit = [name for name, edge in edges.items() if edge.mark is Mark.LIT]
    assert lit[-4:-2] == ["penalized--appeal--running", "appeal_under_review--overturn_penalty"]
    joins = (
        "outcome_penalized_no_response_to_penalized",
        "outcome_resolved_overturned_to_resolved",
    )
    assert set(lit[-2:]) == set(joins)
    as_before = {"zh": "结果不变", "en": "the outcome as before"}[lang]
    assert edges["penalized--appeal--running"].lines[-1].text == as_before
    bars = next(part for part in view.parts if part.__class__.__name__ == "Bars")
    assert "lane-appeal" in [lane.id for lane in bars.lanes]  # type: ignore[union-attr] # as above


def test_a_dispute_has_not_ended_while_it_may_be_appealed() -> None:
    name = "41-partial-refund-then-appealed-too-late.dispute.yaml"
    result = ran(next(path for path in CORPUS if path.name == name))
    policy = EXTENDED.policy(DEFAULT_POLICY)
    penalty, final = (
        next(n for n, event in enumerate(result.events, 1) if event.type is kind)
        for kind in (EventType.DISPUTE_PENALIZED, EventType.PENALTY_FINAL)
    )
    badges = {
        count: {box.id: box.badge for box in the_picture(history(shown, policy, "en")).boxes}
        for count in (penalty, final)
        if (shown := result.events[:count])
    }
    assert badges[penalty]["penalized"] == "here now"
    assert badges[final]["penalized"] == "ended here"


# ---- mutations, synthetic histories, public names ------------------------------------------------


@pytest.mark.parametrize("rules", VERSIONS)
def test_only_its_mutations_go_by_its_words(rules: str) -> None:
    made = [mutation.what for mutation in mutations(VERSIONS[rules])]
    for word in ("appeal", Outcome.OVERTURNED.value, Outcome.SETTLED_BY_PARTIAL_REFUND.value):
        assert any(word in what for what in made) is (rules == "extended")


def test_an_outcome_as_before_is_changed_to_each_liability() -> None:
    version = EXTENDED
    kept = [
        transition
        for transitions in version.table.transitions.values()
        for transition in transitions
        if transition.rule.outcome is AS_BEFORE
    ]
    assert len(kept) == 4
    made = [mutation for mutation in mutations(version) if mutation.kind == "outcome changed"]
    for transition in kept:
        where = f"{transition.source} on {transition.event.value}, number 1: ends with "
        changed = {mutation.what.removeprefix(where) for mutation in made}
        assert {outcome.value for outcome in liabilities_of("extended")} <= changed


def test_timing_is_added_where_there_is_none() -> None:
    added = {
        mutation.what
        for version in VERSIONS.values()
        for mutation in mutations(version)
        if mutation.kind == "time added"
    }
    assert added == {"penalized on annul, number 1: only in_time"}


def test_under_extended_merchants_appeal_and_penalties_are_upheld_overturned_and_final() -> None:
    recorded = [event for event, _ in generate(400, 1, rules="extended")]
    assert {event.type for event in recorded} >= {
        EventType.PENALTY_APPEALED,
        EventType.PENALTY_FINAL,
        EventType.PENALTY_UPHELD,
        EventType.PENALTY_OVERTURNED,
    }
    penalties = {
        event.dispute_id for event in recorded if event.type is EventType.DISPUTE_PENALIZED
    }
    appeals = [event for event in recorded if event.type is EventType.PENALTY_APPEALED]
    assert 0.1 < len(appeals) / len(penalties) < 0.6
    assert "settled_by_partial_refund" in {event.outcome for event in recorded}


def test_nothing_else_of_a_version_is_public() -> None:
    of_extended = {"Appeal", "ExpireAppeal", "UpholdPenalty", "OverturnPenalty"}
    assert {name for name in commands.__all__ if re.search("Appeal|Penalty", name)} == of_extended
    assert {name for name in events.__all__ if re.search("Appeal|Penalty", name)} == {
        "PenaltyAnnulled",
        "PenaltyAppealed",
        "PenaltyFinal",
        "PenaltyOverturned",
        "PenaltyUpheld",
    }
    assert not {name for name in dispute_fsm.__all__ if re.search("Appeal|Penalty", name)}
