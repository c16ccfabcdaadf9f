"""The registry of rule versions, and a third one that is added as CONTRIBUTING says."""

import importlib.util
from pathlib import Path

import pytest

from dispute_fsm.decider.decisions import Refused
from dispute_fsm.domain.enums import Option, RefusalCode
from dispute_fsm.errors import InputError
from dispute_fsm.history.messages import Drift
from dispute_fsm.history.reader import InvalidRecord
from dispute_fsm.rules import v2023_03
from dispute_fsm.rules import v2023_parallel as parallel
from dispute_fsm.rules.registry import VERSIONS, RuleVersion, registered
from tests.command_line import run
from tests.histories.corpus import line_of, rechained, recorded, replayed
from tests.support import choose, decided, opened

THIRD = '''
from datetime import date

from dispute_fsm.rules.common import OPENED, RESPONSE, WITHDRAW, consumer, opener
from dispute_fsm.machine.chart import Chart, Leaf, Version, transition
from dispute_fsm.machine.transition_table import InitialTransition
from dispute_fsm.rules import guards as g
from dispute_fsm.domain.policy import Bilingual
from dispute_fsm.domain.enums import Outcome, StateName


class Rules209901(Chart):
    """Nobody answers; it can only be withdrawn."""

    opened = Leaf(StateName.OPENED, deadlines=[RESPONSE], initial=True)
    resolved = Leaf(StateName.RESOLVED, closed=True, final=True)
    withdraw = transition(opened, resolved, consumer, outcome=Outcome.WITHDRAWN, origin=WITHDRAW)


VERSION = Version(
    id="2099-01",
    label=Bilingual(zh="只能撤销", en="withdrawal only"),
    valid_from=date(2099, 1, 1),
    change=Bilingual(zh="不再有方案", en="no answers any more"),
    why=Bilingual(zh="测试", en="a test"),
    options=(),
    chart=Rules209901,
    entry=InitialTransition(by=opener, needs=(g.order_exists,), starts=(RESPONSE,), origin=OPENED),
)
'''


@pytest.fixture
def third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RuleVersion:
    """Add a third version: its module, and its line."""
    (tmp_path / "v2099_01.py").write_text(THIRD, "utf-8")
    spec = importlib.util.spec_from_file_location("v2099_01", tmp_path / "v2099_01.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    versions = registered((parallel.VERSION, v2023_03.VERSION, module.VERSION))
    for known in (
        "dispute_fsm.rules.registry",
        "dispute_fsm.scenarios.reader",
        "dispute_fsm.scenarios.settings",
    ):
        monkeypatch.setattr(f"{known}.VERSIONS", versions)
    return versions["2099-01"]


def test_a_third_version_runs_beside_the_others(third: RuleVersion, tmp_path: Path) -> None:
    file = tmp_path / "third.dispute.yaml"
    file.write_text(
        'rules: "2099-01"\ndispute: {opened_at: 2099-01-02T10:00:00+08:00}\n'
        "steps:\n  - {at: +1h, do: withdraw}\nexpect: {state: resolved, outcome: withdrawn}\n",
        "utf-8",
    )
    assert run("run", str(file), "--histories", str(tmp_path)).code == 0
    found = run("replay", str(tmp_path / "third.history.jsonl"), "--json")
    assert found.code == 0
    assert found.lines[0]["rules"] == third.id
    refusal = decided(opened(rules="2099-01"), choose(Option.OUT_OF_STOCK_REFUND))
    assert isinstance(refusal, Refused)
    assert refusal.codes == (RefusalCode.OPTION_NOT_OFFERED,)


def test_a_version_says_what_it_is() -> None:
    assert list(VERSIONS) == ["parallel", "2023-03"]
    assert VERSIONS["parallel"].options == tuple(
        option for option in Option if option is not Option.PROVE_NO_FAULT
    )
    assert VERSIONS["2023-03"].label.en == "one answer of five"
    assert VERSIONS["parallel"].change.zh.startswith("和解与举证同时进行")


def test_an_unknown_version_in_a_history_is_an_error_that_lists_the_known_ones(
    tmp_path: Path,
) -> None:
    events = recorded("withdraw-opened")
    for event in events[1:]:
        event["rules"] = "2001-01"
    with pytest.raises(
        InputError, match=r"unknown rule version '2001-01'; expected one of: parallel, 2023-03"
    ):
        replayed(tmp_path, map(line_of, rechained(events)))


def test_a_known_version_whose_chart_is_another_is_reported_as_such(tmp_path: Path) -> None:
    events = recorded("parallel-well-evidence-first")
    events[1]["chart"] = "0" * 64
    (found,) = replayed(tmp_path, map(line_of, rechained(events)))
    assert not isinstance(found, InvalidRecord)
    assert [difference.drift for difference in found.differences] == [Drift.CHART]
