"""The mutations speak a version's own words, and the right rules pass what notices them.

`make mutants` makes them all and tests each; that takes minutes.
"""

import pytest

from dispute_fsm.domain.enums import LIABILITIES, Outcome
from dispute_fsm.machine.transition_table import AS_BEFORE
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.verify.representatives import deadlines_of
from tests.killers import BASE, fails, scenarios_of
from tools.mutations import mutations


@pytest.mark.parametrize("rules", VERSIONS)
def test_mutations_go_by_the_words_of_the_version(rules: str) -> None:
    version = VERSIONS[rules]
    made = [mutation.what for mutation in mutations(version)]
    assert len(made) == len(set(made))
    for word in ("appeal", Outcome.OVERTURNED.value, Outcome.SETTLED_BY_PARTIAL_REFUND.value):
        assert any(word in what for what in made) is (rules == "extended")


def test_an_outcome_as_before_is_changed_to_each_liability() -> None:
    version = VERSIONS["extended"]
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
        assert {outcome.value for outcome in LIABILITIES} <= changed


def test_timing_is_added_where_there_is_none() -> None:
    added = {
        mutation.what
        for version in VERSIONS.values()
        for mutation in mutations(version)
        if mutation.kind == "time added"
    }
    assert added == {"penalized on annul, number 1: only in_time"}


@pytest.mark.parametrize("rules", VERSIONS)
def test_an_expiry_acts_on_each_other_deadline_of_the_version(rules: str) -> None:
    made = [mutation.what for mutation in mutations(VERSIONS[rules])]
    for deadline in deadlines_of(VERSIONS[rules]):
        assert any(what.endswith(f"acts on {deadline.value}") for what in made)


@pytest.mark.parametrize("rules", BASE)
def test_every_scenario_of_the_base_has_the_same_end(rules: str, whole: bool) -> None:
    scenarios = list(scenarios_of(rules).items())
    assert len(scenarios) > 400
    tried = scenarios if whole else scenarios[::8]
    assert [path.name for path, scenario in tried if fails(scenario)] == []
