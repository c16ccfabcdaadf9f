"""The mutations speak a version's own words, and the right rules pass what notices them.

`make mutants` makes them all and tests each; that takes minutes.
"""

import pytest

from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.verify.representatives import deadlines_of
from tests.killers import fails, scenarios_of
from tests.oracle_words import BASE
from tools.mutations import mutations


@pytest.mark.parametrize("rules", VERSIONS)
def test_mutations_go_by_the_words_of_the_version(rules: str) -> None:
    version = VERSIONS[rules]
    made = [mutation.what for mutation in mutations(version)]
    assert len(made) == len(set(made))


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
