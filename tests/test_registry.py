"""The registry of rule versions: what a version declares, and how one more is added.

As CONTRIBUTING says, that takes a module and a line.
"""

import sys
from pathlib import Path

import pytest

from dispute_fsm.decider.decide import open_dispute
from dispute_fsm.decider.decisions import Refused, Repeated
from dispute_fsm.domain.enums import Option, RefusalCode
from dispute_fsm.domain.policy import DEFAULT_POLICY, Term
from dispute_fsm.errors import ChartError, InputError
from dispute_fsm.handler import Disputes
from dispute_fsm.history.messages import Drift
from dispute_fsm.history.reader import InvalidRecord
from dispute_fsm.orders import InMemoryOrderSystem
from dispute_fsm.rules.registry import MODULES, VERSIONS, Registry, RuleVersion, rule_version
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.settings import read_policy_changes
from tests import oracle_words
from tests.command_line import run
from tests.histories.corpus import line_of, rechained, recorded, replayed
from tests.support import (
    OPENED_AT,
    PAID,
    WHOSE_ORDER,
    choose,
    decided,
    opened,
    opening,
    seen,
    stamp,
)

ORDERS = InMemoryOrderSystem({"O-1": PAID})
HEAD = "dispute: {opened_at: 2023-03-28T10:00:00+08:00}\n"

ANOTHER = '''
from datetime import date

from dispute_fsm.rules.common import (
    RESPONSE,
    consumer,
    opener,
    transition,
)
from dispute_fsm.rules.sources import (
    OPENED,
    WITHDRAW,
)
from dispute_fsm.machine.chart import Chart, Leaf
from dispute_fsm.machine.transition_table import InitialTransition
from dispute_fsm.rules import guards as g
from dispute_fsm.rules.version import Version
from dispute_fsm.domain.policy import Bilingual
from dispute_fsm.domain.enums import EventType, Outcome, StateName


class Rules209901(Chart):
    """Nobody answers; it can only be withdrawn."""

    opened = Leaf(StateName.OPENED, deadlines=[RESPONSE], initial=True)
    resolved = Leaf(
        StateName.RESOLVED,
        closed=True,
        outcomes=[Outcome.WITHDRAWN],
        records=EventType.DISPUTE_RESOLVED,
        final=True,
    )
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
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RuleVersion:
    """Add one more version: its module, and its line."""
    (tmp_path / "v2099_01.py").write_text(ANOTHER, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    versions = Registry({**MODULES, "2099-01": "v2099_01"})
    for known in (
        "dispute_fsm.rules.registry",
        "dispute_fsm.scenarios.reader",
        "dispute_fsm.scenarios.settings",
    ):
        monkeypatch.setattr(f"{known}.VERSIONS", versions)
    return versions["2099-01"]


def test_another_version_runs_beside_the_others(another: RuleVersion, tmp_path: Path) -> None:
    file = tmp_path / "another.dispute.yaml"
    file.write_text(
        'rules: "2099-01"\ndispute: {opened_at: 2099-01-02T10:00:00+08:00}\n'
        "steps:\n  - {at: +1h, do: withdraw}\nexpect: {state: resolved, outcome: withdrawn}\n",
        "utf-8",
    )
    assert run("run", str(file), "--histories", str(tmp_path)).code == 0
    found = run("replay", str(tmp_path / "another.history.jsonl"), "--json")
    assert found.code == 0
    assert found.lines[0]["rules"] == another.id
    refusal = decided(opened(rules="2099-01"), choose(Option.OUT_OF_STOCK_REFUND))
    assert isinstance(refusal, Refused)
    assert refusal.codes == (RefusalCode.OPTION_NOT_OFFERED,)


def use_the_version_of(module: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the version of a module that has this text, and is registered as the only one."""
    (folder / "v2099_02.py").write_text(module, "utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr("dispute_fsm.rules.registry.VERSIONS", Registry({"2099-02": "v2099_02"}))
    try:
        rule_version("2099-02")
    finally:
        sys.modules.pop("v2099_02", None)


def test_an_invalid_chart_is_an_error_at_its_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ChartError, match="nor the state that it enters says as what it is recorded"
    ):
        use_the_version_of(
            ANOTHER.replace("2099-01", "2099-02").replace(
                "records=EventType.DISPUTE_RESOLVED,", ""
            ),
            tmp_path,
            monkeypatch,
        )


def test_a_version_that_is_registered_under_another_id_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ChartError, match=r"^v2099_02: its version is called 2099-01, and registered as 2099-02$"
    ):
        use_the_version_of(ANOTHER, tmp_path, monkeypatch)


def test_an_error_of_a_version_s_module_is_not_an_unknown_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyError, match="a command without a class"):
        use_the_version_of("raise KeyError('a command without a class')", tmp_path, monkeypatch)


def test_a_version_says_what_it_is() -> None:
    assert list(VERSIONS)[:3] == ["parallel", "2023-03", "extended"]
    assert set(VERSIONS) == set(oracle_words.WORDS)
    five = (
        Option.CONSUMER_CANCELS,
        Option.ALREADY_SHIPPED,
        Option.SHIP_BY_AGREED_DATE,
        Option.OUT_OF_STOCK_REFUND,
        Option.PROVE_NO_FAULT,
    )
    assert VERSIONS["parallel"].options == five[:4]
    assert VERSIONS["2023-03"].options == five
    assert VERSIONS["extended"].options == (*five, Option.PARTIAL_REFUND)
    assert VERSIONS["2023-03"].label.en == "one answer of five"
    assert VERSIONS["parallel"].change.zh.startswith("和解与举证同时进行")
    assert {
        name: dict(known.policy_fields) for name, known in VERSIONS.items() if known.policy_fields
    } == oracle_words.POLICY_FIELDS


@pytest.mark.parametrize("name", VERSIONS)
def test_a_version_has_the_words_of_its_own_table_and_no_others(name: str) -> None:
    table = VERSIONS[name].table
    commands = {command for _, command in table.transitions}
    assert set(table.actors) == commands
    assert {"open_dispute", *commands} == oracle_words.words_of(name, "CommandType")
    deadlines = {one for at in table.configurations.values() for one in at.deadlines}
    assert deadlines == oracle_words.words_of(name, "Deadline")
    assert set(VERSIONS[name].outcomes) == oracle_words.words_of(name, "Outcome")


@pytest.mark.parametrize("name", VERSIONS)
def test_a_version_has_an_oracle_that_walks_through_it(name: str) -> None:
    walks = Path(__file__).parent.glob("test_engine_table_oracle*.py")
    assert any(f'    rules = "{name}"\n' in walk.read_text("utf-8") for walk in walks)


DIGESTS = {
    "parallel": "e83ba2d5",
    "2023-03": "af9e803b",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_a_newer_version_moves_no_older_one(name: str) -> None:
    assert VERSIONS[name].table.digest.startswith(DIGESTS[name])


# ---- the policy fields of a version --------------------------------------------------------------

APPEAL = {"hours": 12}


@pytest.mark.parametrize("name", VERSIONS)
def test_a_policy_is_completed_by_the_fields_of_the_version(name: str) -> None:
    version = VERSIONS[name]
    version.check_policy(DEFAULT_POLICY)
    complete = version.policy(DEFAULT_POLICY)
    assert complete.record == DEFAULT_POLICY.record | dict(version.policy_fields)
    assert version.policy(complete) is complete
    assert (complete is DEFAULT_POLICY) == (complete.digest == DEFAULT_POLICY.digest)
    assert (complete is DEFAULT_POLICY) == (name not in oracle_words.POLICY_FIELDS)


@pytest.mark.parametrize("name", VERSIONS)
@pytest.mark.parametrize("term", [APPEAL, {"working_hours": 8}, None])
def test_a_field_of_another_version_is_an_error_and_a_field_of_its_own_is_kept(
    name: str, term: object
) -> None:
    version, policy = VERSIONS[name], DEFAULT_POLICY.lay_over({"appeal": term})
    assert policy.record["appeal"] == term
    if name == "extended":
        version.check_policy(policy)
        assert version.policy(policy) is policy
        return
    with pytest.raises(InputError, match=f"rules {name} have no appeal") as caught:
        version.check_policy(policy)
    assert caught.value.field == "policy.appeal"
    assert "appeal" not in version.policy(policy).record
    assert version.policy(policy).digest == version.policy(DEFAULT_POLICY).digest


@pytest.mark.parametrize("name", [name for name in VERSIONS if name != "extended"])
def test_an_opening_with_a_field_of_another_version_is_an_input_error(name: str) -> None:
    policy, disputes = DEFAULT_POLICY.lay_over({"appeal": None}), Disputes(ORDERS)
    for ask in (
        lambda: disputes.open(opening(policy, rules=name), at=OPENED_AT),
        lambda: disputes.open(**WHOSE_ORDER, rules=name, policy=policy, at=OPENED_AT),
        lambda: open_dispute(
            None, opening(policy, rules=name), seen(PAID, OPENED_AT), OPENED_AT, stamp=stamp()
        ),
    ):
        with pytest.raises(InputError, match=f"rules {name} have no appeal") as caught:
            ask()
        assert caught.value.field == "policy.appeal"
    with pytest.raises(InputError, match=f"rules {name} have no appeal") as caught:
        parse_scenario(f'rules: "{name}"\n{HEAD}policy: {{appeal: null}}\n', "x.dispute.yaml")
    assert (caught.value.field, caught.value.line) == ("policy.appeal", 3)


@pytest.mark.parametrize("name", VERSIONS)
def test_a_policy_file_may_only_change_fields_that_the_version_has(
    name: str, tmp_path: Path
) -> None:
    file = tmp_path / "longer.yaml"
    file.write_text("response: {hours: 48}\nappeal: {hours: 72}\n", "utf-8")
    changed = read_policy_changes(file)
    if name == "extended":
        assert changed(VERSIONS[name].policy(DEFAULT_POLICY)).appeal == Term(hours=72)
        return
    with pytest.raises(InputError) as caught:
        changed(VERSIONS[name].policy(DEFAULT_POLICY))
    assert (caught.value.file, caught.value.line, caught.value.field) == (str(file), 2, "appeal")


def test_the_default_of_a_version_is_laid_over_the_policy_of_an_opening() -> None:
    disputes, complete = Disputes(ORDERS), VERSIONS["extended"].policy(DEFAULT_POLICY)
    for policy in (DEFAULT_POLICY, complete):
        opened = disputes.open(opening(policy, rules="extended"), at=OPENED_AT)
        assert opened.event is not None
        assert opened.event.policy == complete.digest == opened.dispute.policy.digest
        assert opened.dispute.policy.appeal == Term(hours=48)
    without = DEFAULT_POLICY.lay_over({"appeal": None})
    opened = disputes.open(opening(without, rules="extended"), at=OPENED_AT)
    assert opened.dispute.policy.digest == without.digest != complete.digest
    again = open_dispute(
        disputes.open(opening(rules="extended"), at=OPENED_AT).dispute,
        opening(complete, rules="extended"),
        None,
        OPENED_AT,
        stamp=stamp(),
    )
    assert isinstance(again, Repeated), "a default that is given is the same opening"
    scenario = parse_scenario(f"rules: extended\n{HEAD}", "x.dispute.yaml")
    assert scenario.opening.policy.digest == complete.digest
    changed = parse_scenario(
        f"rules: extended\n{HEAD}policy: {{appeal: {{working_hours: 8}}}}\n", "x.dispute.yaml"
    )
    assert changed.opening.policy.appeal == Term(working_hours=8)


# ---- what is not known ---------------------------------------------------------------------------


def test_an_unknown_version_in_a_history_is_an_error_that_lists_the_known_ones(
    tmp_path: Path,
) -> None:
    events = recorded("withdraw-opened")
    for event in events[1:]:
        event["rules"] = "2001-01"
    with pytest.raises(
        InputError,
        match=r"unknown rule version '2001-01'; expected one of: parallel, 2023-03, extended",
    ):
        replayed(tmp_path, map(line_of, rechained(events)))


def test_a_known_version_whose_chart_is_another_is_reported_as_such(tmp_path: Path) -> None:
    events = recorded("parallel-well-evidence-first")
    events[1]["chart"] = "0" * 64
    (found,) = replayed(tmp_path, map(line_of, rechained(events)))
    assert not isinstance(found, InvalidRecord)
    assert [difference.drift for difference in found.differences] == [Drift.CHART]
