"""The properties hold for every version, and each finds the bug that was planted for it, with a way there that runs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dispute_fsm.decider import evaluate as judging
from dispute_fsm.domain.enums import CommandType, EventType, Outcome, RefusalCode
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.machine.guard import Case, FactUnlock, Guard, GuardResult, PayloadUnlock
from dispute_fsm.machine.transition_table import Transition
from dispute_fsm.rules.guards.rulings import rationale_given
from dispute_fsm.rules.registry import VERSIONS, RuleVersion, rule_version, standing_in
from dispute_fsm.verify.checker import verify
from dispute_fsm.verify.counterexample import replayed, scenario_text
from dispute_fsm.verify.properties import PROPERTIES
from dispute_fsm.verify.representatives import SWITCHES, representative
from dispute_fsm.verify.state_space import explore
from tests.command_line import complained, run
from tests.sampling import few
from tools.mutations import negated, with_rows, with_rule

E = CommandType
REAL = rule_version("2023-03")
OPENED = REAL.table.initial
CONFIRMATION, SHIPMENT = (
    "option_chosen.settling.awaiting_confirmation",
    "option_chosen.settling.awaiting_shipment",
)
RULING = "option_chosen.contesting.under_review"
BY_ID = {one.id: one for one in PROPERTIES}


def rows(path: str, event: CommandType) -> tuple[Transition, ...]:
    return REAL.table.transitions[path, event]


def with_guard(guard: Guard, condition: Callable[[Case], GuardResult]) -> Guard:
    return Guard(
        name=guard.name,
        kind=guard.kind,
        zh=guard.zh,
        en=guard.en,
        source=guard.source,
        condition=condition,
        codes=guard.codes,
    )


def changed(
    path: str,
    event: CommandType,
    *,
    at: int = 0,
    target: str | None = None,
    records: EventType | None = None,
    **rule: Any,  # noqa: ANN401 -- any member of a rule
) -> RuleVersion:
    """Give the version with one row changed, and where it leads."""
    found = list(rows(path, event))
    found[at] = moved(with_rule(found[at], **rule), target, records)
    return with_rows(REAL, {(path, event): tuple(found)})


def moved(
    row: Transition, target: str | None, records: EventType | None, source: str | None = None
) -> Transition:
    return Transition(
        source or row.source,
        row.event,
        target or row.target,
        records or row.records,
        row.rule,
        row.when,
        row.when_facts,
    )


def copied(path: str, event: CommandType, to: str) -> RuleVersion:
    """Give the version in which an event is possible in one more place."""
    return with_rows(
        REAL, {(to, event): tuple(moved(row, None, None, to) for row in rows(path, event))}
    )


def refusing(unlock: FactUnlock | PayloadUnlock) -> RuleVersion:
    """Give the version in which no ruling has a rationale, whatever is written, and the hint is this."""
    never = with_guard(
        rationale_given,
        lambda _case: GuardResult(passed=False, code=RefusalCode.RATIONALE_MISSING, unlock=unlock),
    )
    return changed(RULING, E.RULE_NO_FAULT, needs=(never,))


(EXPIRES,) = rows(OPENED, E.RESPONSE_EXPIRED)
NEITHER = rows(SHIPMENT, E.PROMISE_EXPIRED)[2]

PLANTED: Mapping[str, Callable[[], RuleVersion]] = {
    "one_answer": lambda: with_rows(
        REAL, {(SHIPMENT, E.PROMISE_EXPIRED): rows(SHIPMENT, E.PROMISE_EXPIRED)[:2]}
    ),
    "silence_closes": lambda: with_rows(REAL, {(OPENED, E.RESPONSE_EXPIRED): ()}),
    "closed_stays_closed": lambda: copied(OPENED, E.WITHDRAW, "resolved"),
    "one_response": lambda: copied(OPENED, E.CHOOSE_OPTION, CONFIRMATION),
    "penalty_has_a_cause": lambda: changed(
        OPENED,
        E.WITHDRAW,
        target="penalized",
        records=EventType.DISPUTE_PENALIZED,
        outcome=Outcome.AT_FAULT,
    ),
    "merchant_is_heard": lambda: changed(
        OPENED, E.RESPONSE_EXPIRED, timing=tuple(negated(guard) for guard in EXPIRES.rule.timing)
    ),
    "refusal_explains": lambda: refusing(PayloadUnlock("rationale", "", "")),
    "hints_help": lambda: refusing(FactUnlock("order", "等一等", "wait for the order")),
    "never_means_never": lambda: REAL,
    "repetition_is_harmless": lambda: REAL,
    "unknown_never_penalizes": lambda: with_rows(
        REAL, {(SHIPMENT, E.PROMISE_EXPIRED): (with_rule(NEITHER, when=()),)}
    ),
    "deadline_is_inclusive": lambda: changed(OPENED, E.WITHDRAW, timing=()),
    "sweeps_do_not_decide": lambda: changed(OPENED, E.WITHDRAW, timing=()),
    "ends_agree": lambda: changed(CONFIRMATION, E.DENY_AGREEMENT, outcome=Outcome.PROMISE_MISSED),
}
"""A bug for each property; where it is none of the chart, `BROKEN` breaks the code."""

BROKEN: Mapping[str, tuple[str, object]] = {
    "never_means_never": ("way_there", lambda *_: None),
    "repetition_is_harmless": ("same_content", lambda *_: False),
}
SAYS_ONLY = {"refusal_explains", "never_means_never"}
"""What is wrong in these lies in the words of an answer, which a scenario does not compare."""


@pytest.mark.parametrize("name", BY_ID)
def test_a_planted_bug_is_found_and_its_counterexample_runs(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = BY_ID[name]
    if name in BROKEN:
        monkeypatch.setattr(judging, *BROKEN[name])
    version = PLANTED[name]()
    with standing_in(version):
        violation = min(
            broken.violations(explore(version, DEFAULT_POLICY)), key=lambda found: len(found.moves)
        )
        text = scenario_text(broken, violation)
        result = replayed(text)
    assert result.ok, result.failures
    assert result.scenario.expect.model_fields_set
    assert name in text
    assert violation.wrong.zh in text
    assert len(violation.moves) <= 3
    monkeypatch.undo()
    if name not in SAYS_ONLY:
        assert not replayed(text).ok  # the right rules do otherwise


def test_every_property_has_a_planted_bug_and_says_itself_in_both_languages() -> None:
    assert list(PLANTED) == list(BY_ID)
    for one in PROPERTIES:
        assert one.text("zh") != one.text("en")


@pytest.mark.no_cover  # it would take twice as long, and the planted bugs go the same ways
@pytest.mark.whole  # the sample has the command, which verifies 2023-03
@pytest.mark.parametrize("rules", VERSIONS)
def test_every_property_holds(rules: str, tell: Callable[[object], None]) -> None:
    found = verify(VERSIONS[rules])
    assert {
        one.of.id: one.violation and one.violation.wrong.en
        for one in found.verdicts
        if not one.holds
    } == {}
    assert found.ok
    counts = found.counts
    table = VERSIONS[rules].table
    assert counts.states == len(table.configurations)
    assert counts.questions == counts.accepted + counts.refused + counts.unchanged + counts.unknown
    tell(
        f"{rules}: {len(found.verdicts)} properties hold in {counts.situations} situations under "
        f"{counts.policies} policies; "
        f"{counts.questions} questions, {counts.accepted} accepted, {counts.refused} refused, "
        f"{counts.unknown} undecided for lack of facts"
    )


def test_each_two_switches_are_tried_in_all_four_combinations() -> None:
    policies = representative()
    assert policies["the default"] == DEFAULT_POLICY
    pairs = {
        (one, other, one in name.split(", "), other in name.split(", "))
        for name in policies
        for one in SWITCHES
        for other in SWITCHES
        if one < other
    }
    assert len(pairs) == 4 * len(SWITCHES) * (len(SWITCHES) - 1) // 2


@pytest.mark.no_cover
@pytest.mark.whole
def test_every_row_of_every_table_is_taken_in_the_walk() -> None:
    for version in VERSIONS.values():
        taken = {
            id(answer.judged.transition)
            for name, policy in representative().items()
            for answer in explore(version, policy, name).answers()
            if answer.accepted
        }
        every = {
            id(row): f"{row.source} on {row.event.value}"
            for found in version.table.transitions.values()
            for row in found
        }
        assert [said for row, said in every.items() if row not in taken] == []


# ---- the command ---------------------------------------------------------------------------------


def test_the_command_prints_counts_and_verdicts() -> None:
    done = run("verify", "--rules", "2023-03", "--json")
    assert done.code == 0
    (found,) = done.lines
    assert found["ok"] is True
    assert {one["id"] for one in found["properties"] if one["holds"]} == set(BY_ID)
    assert found["counts"]["questions"] > 10_000


@pytest.mark.parametrize("lang", few(["zh", "en"], 1))
def test_the_command_shows_and_writes_a_counterexample_that_run_accepts(
    tmp_path: Path, lang: str
) -> None:
    with standing_in(PLANTED["silence_closes"]()):
        done = run(
            "verify", "--rules", "2023-03", "--lang", lang, "--counterexamples", tmp_path / "wrong"
        )
        assert done.code == 1
        assert (
            "✗ silence_closes: "
            f"{BY_ID['silence_closes'].sentence.label('zh' if lang == 'zh' else 'en')}"
        ) in done.out
        file = tmp_path / "wrong" / "2023-03-silence-closes.dispute.yaml"
        assert file.read_text("utf-8").strip() in done.out
        assert run("run", file).code == 0
    assert run("run", file).code == 1


def test_the_command_refuses_rules_that_it_does_not_know() -> None:
    complained(run("verify", "--rules", "1999-01"), "1999-01")
