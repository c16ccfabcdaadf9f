"""Every version satisfies the properties, and each property finds the bug planted for it."""

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dispute_fsm.decider import evaluate as evaluate_module
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, Outcome, RefusalCode
from dispute_fsm.domain.messages import Message
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.reasons import FactUnlock, PayloadUnlock
from dispute_fsm.machine.guard import Guard, GuardResult
from dispute_fsm.machine.transition_table import Transition
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.guards.rulings import rationale_given
from dispute_fsm.rules.guards.timing import in_time
from dispute_fsm.rules.registry import VERSIONS, RuleVersion, rule_version, standing_in
from dispute_fsm.verify import checker
from dispute_fsm.verify.checker import PROPERTIES, verify
from dispute_fsm.verify.counterexample import run_text, scenario_text
from dispute_fsm.verify.messages import VIOLATIONS
from dispute_fsm.verify.properties import Property, Violation
from dispute_fsm.verify.representatives import SWITCHES, representative_policies
from dispute_fsm.verify.state_space import explore
from tests.command_line import complained, run
from tests.sampling import few
from tools.mutations import negated, with_rule, with_transitions

E = CommandType
REAL, EXTENDED = rule_version("2023-03"), rule_version("extended")
OPENED = REAL.table.initial
CONFIRMATION, SHIPMENT = (
    "option_chosen.settling.awaiting_confirmation",
    "option_chosen.settling.awaiting_shipment",
)
RULING = "option_chosen.contesting.under_review"
BY_ID = {checked.id: checked for checked in PROPERTIES}


def transitions_on(
    path: str, event: CommandType, version: RuleVersion = REAL
) -> tuple[Transition, ...]:
    return version.table.transitions[path, event]


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
    version: RuleVersion = REAL,
    target: str | None = None,
    records: EventType | None = None,
    **rule: Any,  # noqa: ANN401 -- any member of a rule
) -> RuleVersion:
    """Return the version with the first transition there, or its target, changed."""
    first, *others = transitions_on(path, event, version)
    first = moved(with_rule(first, **rule), target, records)
    return with_transitions(version, {(path, event): (first, *others)})


def moved(
    transition: Transition, target: str | None, records: EventType | None, source: str | None = None
) -> Transition:
    return Transition(
        source or transition.source,
        transition.event,
        target or transition.target,
        records or transition.records,
        transition.rule,
        transition.when,
        transition.when_facts,
    )


def copied(path: str, event: CommandType, to: str) -> RuleVersion:
    """Return the version in which a command is possible in one more configuration."""
    return with_transitions(
        REAL,
        {
            (to, event): tuple(
                moved(transition, None, None, to) for transition in transitions_on(path, event)
            )
        },
    )


def refusing(unlock: FactUnlock | PayloadUnlock) -> RuleVersion:
    """Return the version that refuses every rationale of a ruling, with this hint."""
    never = with_guard(
        rationale_given,
        lambda _case: GuardResult(passed=False, code=RefusalCode.RATIONALE_MISSING, unlock=unlock),
    )
    return changed(RULING, E.RULE_NO_FAULT, needs=(never,))


(EXPIRES,) = transitions_on(OPENED, E.RESPONSE_EXPIRED)
NEITHER = transitions_on(SHIPMENT, E.PROMISE_EXPIRED)[2]

PLANTED: Mapping[str, Callable[[], RuleVersion]] = {
    "one_answer": lambda: with_transitions(
        REAL, {(SHIPMENT, E.PROMISE_EXPIRED): transitions_on(SHIPMENT, E.PROMISE_EXPIRED)[:2]}
    ),
    "silence_closes": lambda: with_transitions(REAL, {(OPENED, E.RESPONSE_EXPIRED): ()}),
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
    "unknown_never_penalizes": lambda: with_transitions(
        REAL, {(SHIPMENT, E.PROMISE_EXPIRED): (with_rule(NEITHER, when=()),)}
    ),
    "deadline_is_inclusive": lambda: changed(OPENED, E.WITHDRAW, timing=()),
    "sweeps_do_not_decide": lambda: changed(OPENED, E.WITHDRAW, timing=()),
    "ends_agree": lambda: changed(CONFIRMATION, E.DENY_AGREEMENT, outcome=Outcome.PROMISE_MISSED),
}
"""A bug for each property; `BROKEN` has those that are not in the chart but in the code."""

BROKEN: Mapping[str, tuple[str, object]] = {
    "never_means_never": ("way_there", lambda *_: None),
    "repetition_is_harmless": ("same_content", lambda *_: False),
}
IN_TEXT_ONLY = {"refusal_explains", "never_means_never"}
"""Bugs in the texts of a refusal, which a scenario does not compare."""


APPEALED = "appeal_under_review"


def appealing(path: str, event: CommandType, **rule: Any) -> Callable[[], RuleVersion]:  # noqa: ANN401 -- any member of a rule
    """Return the version `extended` with one transition changed."""
    return lambda: changed(path, event, version=EXTENDED, **rule)


PLANTED_IN_EXTENDED: Mapping[str, tuple[str, str, Callable[[], RuleVersion]]] = {
    "an appeal is accepted twice": (
        "closed_stays_closed",
        "second_time",
        appealing(APPEALED, E.UPHOLD_PENALTY, starts=(Deadline.APPEAL,)),
    ),
    "a penalty that was upheld is not final": (
        "closed_stays_closed",
        "not_final",
        appealing(APPEALED, E.UPHOLD_PENALTY, starts=(Deadline.APPEAL,)),
    ),
    "an appeal changes the liability": (
        "closed_stays_closed",
        "changed_after_end",
        appealing("penalized", E.APPEAL, outcome=Outcome.AT_FAULT),
    ),
    "a ruling on an appeal changes the liability": (
        "penalty_has_a_cause",
        "no_cause",
        appealing(APPEALED, E.UPHOLD_PENALTY, outcome=Outcome.AT_FAULT),
    ),
    "the appeal expires before its time": (
        "deadline_is_inclusive",
        "expired_early",
        appealing("penalized", E.APPEAL_EXPIRED, timing=()),
    ),
    "an appeal is accepted late": (
        "deadline_is_inclusive",
        "accepted_late",
        appealing("penalized", E.APPEAL, timing=()),
    ),
    "the time to appeal never ends": (
        "silence_closes",
        "never_ends",
        appealing("penalized", E.APPEAL_EXPIRED, ends=()),
    ),
    "an annulment has to be in time": (
        "sweeps_do_not_decide",
        "sweep_permits",
        appealing("penalized", E.ANNUL, timing=(in_time,)),
    ),
}
"""Bugs in what only version `extended` has, each with the property and the violation to find."""


def shortest(
    violated: Property, version: RuleVersion, wrong: Message | None = None
) -> tuple[Violation, str]:
    """Return the shortest violation (of this kind), and its scenario: the wrong rules pass it."""
    policy = version.policy(DEFAULT_POLICY)
    with standing_in(version):
        violation = min(
            (
                violation
                for violation in violated.violations(explore(version, policy))
                if wrong in {None, violation.wrong}
            ),
            key=lambda violation: len(violation.path),
        )
        text = scenario_text(violated, violation)
        result = run_text(text)
    assert result.ok, result.failures
    assert result.scenario.expect.model_fields_set
    assert violated.id in text
    assert violation.wrong.zh in text
    return violation, text


@pytest.mark.parametrize("name", few(BY_ID, 8))
def test_a_planted_bug_is_found_and_its_counterexample_runs(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in BROKEN:
        monkeypatch.setattr(evaluate_module, *BROKEN[name])
    violation, text = shortest(BY_ID[name], PLANTED[name]())
    assert len(violation.path) <= 3
    monkeypatch.undo()
    if name not in IN_TEXT_ONLY:
        assert not run_text(text).ok  # the right rules decide otherwise


@pytest.mark.parametrize("bug", few(PLANTED_IN_EXTENDED, 2))
def test_a_bug_planted_in_the_appeal_is_found_and_its_counterexample_runs(bug: str) -> None:
    name, wrong, planted = PLANTED_IN_EXTENDED[bug]
    said = Message(*(VIOLATIONS[wrong].format(lang, command=E.APPEAL) for lang in ("zh", "en")))
    violation, text = shortest(BY_ID[name], planted(), said)
    assert len(violation.path) <= 5
    assert not run_text(text).ok


def test_an_appeal_that_loses_the_liability_is_found_and_cannot_be_recorded() -> None:
    version = changed("penalized", E.APPEAL, version=EXTENDED, outcome=None)
    with standing_in(version):
        exploration = explore(version, version.policy(DEFAULT_POLICY))
        violation = next(BY_ID["ends_agree"].violations(exploration))
        assert "no outcome" in violation.wrong.en
        with pytest.raises(ValidationError, match=r"PenaltyAppealed\noutcome"):
            scenario_text(BY_ID["ends_agree"], violation)


def test_every_property_has_a_planted_bug_and_a_sentence_in_both_languages() -> None:
    assert list(PLANTED) == list(BY_ID)
    for checked in PROPERTIES:
        assert checked.sentence.zh != checked.sentence.en


@pytest.mark.no_cover  # it would take twice as long, and the planted bugs cover the same code
@pytest.mark.whole  # the sample has the command, which verifies 2023-03
@pytest.mark.parametrize("rules", VERSIONS)
def test_every_property_holds(rules: str, tell: Callable[[object], None]) -> None:
    verification = verify(VERSIONS[rules])
    assert {name: found.wrong.en for name, found in verification.violations.items()} == {}
    assert verification.ok
    counts = verification.counts
    table = VERSIONS[rules].table
    assert counts.states == len(table.configurations)
    assert counts.questions == counts.accepted + counts.refused + counts.unchanged + counts.unknown
    tell(
        f"{rules}: {len(PROPERTIES)} properties, {counts.situations} situations, "
        f"{counts.policies} policies; "
        f"{counts.questions} questions, {counts.accepted} accepted, {counts.refused} refused, "
        f"{counts.unknown} undecided for lack of facts"
    )


@pytest.mark.parametrize("rules", VERSIONS)
def test_each_two_switches_are_tried_in_all_four_combinations(rules: str) -> None:
    version = VERSIONS[rules]
    policies = representative_policies(version)
    assert policies["the default"] == version.policy(DEFAULT_POLICY)
    switches = {*SWITCHES, *(f"no {name}" for name in version.policy_fields)}
    pairs = {
        (one, other, one in name.split(", "), other in name.split(", "))
        for name in policies
        for one in switches
        for other in switches
        if one < other
    }
    assert len(pairs) == 4 * len(switches) * (len(switches) - 1) // 2


@pytest.mark.no_cover
@pytest.mark.whole
def test_every_transition_of_every_table_fires_in_the_exploration() -> None:
    for version in VERSIONS.values():
        fired = {
            id(decision.transition)
            for policy in representative_policies(version).values()
            for decision, _, _ in explore(version, policy).accepted()
        }
        every = {
            id(transition): f"{transition.source} on {transition.event.value}"
            for transitions in version.table.transitions.values()
            for transition in transitions
        }
        assert [text for transition, text in every.items() if transition not in fired] == []


# ---- the command ---------------------------------------------------------------------------------


def test_the_command_prints_counts_and_results() -> None:
    done = run("verify", "--rules", "2023-03", "--json")
    assert done.code == 0
    (result,) = done.lines
    assert result["ok"] is True
    assert {checked["id"] for checked in result["properties"] if checked["holds"]} == set(BY_ID)
    assert result["counts"]["questions"] > 10_000


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


def test_several_processes_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def two(version: RuleVersion) -> dict[str, Policy]:
        return dict(islice(representative_policies(version).items(), 2))

    monkeypatch.setattr(checker, "representative_policies", two)
    with standing_in(PLANTED["silence_closes"]()):
        one, several = (run("verify", "--rules", "2023-03", "--jobs", jobs) for jobs in "12")
    assert one.code == 1
    assert several == one


def test_the_command_refuses_unknown_rules() -> None:
    complained(run("verify", "--rules", "1999-01"), "1999-01")
