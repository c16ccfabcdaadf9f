"""The machine knows no dispute: alone, it compiles and runs the chart of a turnstile."""

import ast
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dispute_fsm.errors import ChartError
from dispute_fsm.machine import chart, compiler
from dispute_fsm.machine.chart import Chart, CommandRule, Leaf, Vocabulary, transition
from dispute_fsm.machine.compiler import compile_chart
from dispute_fsm.machine.guard import (
    ActorGuard,
    Dimension,
    Guard,
    GuardKind,
    GuardResult,
    Source,
    when,
)
from dispute_fsm.machine.transition_table import (
    AS_BEFORE,
    Fails,
    Fires,
    InitialTransition,
    NoEffect,
    NotOffered,
    TransitionTable,
)


class Gate(StrEnum):
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    BROKEN = "broken"


class Does(StrEnum):
    PAY = "pay"
    PUSH = "push"
    LOOK = "look"
    TIRE = "tire"
    SCRAP = "scrap"
    RUST = "rust"


class Log(StrEnum):
    PAID = "paid"
    PASSED = "passed"
    BROKE = "broke"
    TIRED = "tired"
    SCRAPPED = "scrapped"


@dataclass(frozen=True)
class Visit:
    """What a turnstile decides on."""

    who: str = "visitor"
    coins: int = 0
    weekend: bool = False
    results: dict[str, GuardResult] = field(default_factory=dict)


HOUSE = Source("S-house", "馆规", "the rules of the house")


def who(role: str) -> ActorGuard[Visit]:
    return ActorGuard(
        name=f"by_{role}",
        kind=GuardKind.ACTOR,
        zh=role,
        en=role,
        source=HOUSE,
        condition=lambda visit: GuardResult(visit.who == role, code="not_you"),
        codes=("not_you",),
        roles=(role,),
    )


def needs(name: str, fare: int) -> Guard[Visit]:
    return Guard(
        name=name,
        kind=GuardKind.REQUIRES,
        zh="已付款",
        en="paid",
        source=HOUSE,
        condition=lambda visit: GuardResult(
            visit.coins >= fare, {"coins": visit.coins}, f"{name}_missing", f"add {fare} coins"
        ),
        codes=(f"{name}_missing",),
    )


DAY: Dimension[Visit] = Dimension(
    "day",
    {"weekday": ("工作日", "weekday"), "weekend": ("周末", "weekend")},
    lambda visit: "weekend" if visit.weekend else "weekday",
    HOUSE,
)
VISITOR, KEEPER = who("visitor"), who("keeper")
FARE, DEPOSIT, DOUBLE = needs("fare", 1), needs("deposit", 3), needs("double", 2)
WORDS: Vocabulary[Gate, Does, Log, str] = Vocabulary(
    states={gate.value: gate for gate in Gate},
    commands={
        Does.PAY: CommandRule(records=Log.PAID),
        Does.PUSH: CommandRule(records=Log.PASSED),
        Does.LOOK: CommandRule(records=Log.PASSED, quiet=True),
        Does.TIRE: CommandRule(records=Log.TIRED, expires="patience"),
        Does.SCRAP: CommandRule(records=Log.SCRAPPED),
        Does.RUST: CommandRule(),
    },
)
START: InitialTransition[Visit, str] = InitialTransition(KEEPER, (), (), HOUSE)


class Turnstile(Chart):
    """Pay, push, and at some time it breaks."""

    locked = Leaf("locked", initial=True)
    unlocked = Leaf("unlocked", deadlines=["patience"])
    broken = Leaf("broken", closed=True, outcomes=["worn", "forced"], records=Log.BROKE)

    pay = transition(
        locked,
        unlocked,
        VISITOR,
        when=[when(DAY, "weekday")],
        needs=[FARE, DEPOSIT],
        starts=["patience"],
        origin=HOUSE,
    ) | transition(
        locked,
        unlocked,
        VISITOR,
        when=[when(DAY, "weekend")],
        needs=[DOUBLE],
        starts=["patience"],
        origin=HOUSE,
    )
    push = transition(unlocked, locked, VISITOR, origin=HOUSE)
    tire = transition(unlocked, broken, KEEPER, expires="patience", outcome="worn", origin=HOUSE)
    scrap = transition(broken, broken, KEEPER, outcome=AS_BEFORE, origin=HOUSE)


TABLE: TransitionTable[Visit, Gate, Does, Log, str, str] = compile_chart(Turnstile, START, WORDS)


def test_the_machine_imports_nothing_of_the_package_but_its_errors() -> None:
    for module in Path(str(compiler.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("dispute_fsm"):
                assert str(node.module).startswith(("dispute_fsm.machine", "dispute_fsm.errors"))


def test_importing_the_machine_imports_no_dispute() -> None:
    code = (
        "import sys, dispute_fsm.machine.compiler; "
        "print(*(name for name in sys.modules if name.startswith('dispute_fsm.')))"
    )
    loaded = subprocess.run(  # noqa: S603 -- this very Python
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    allowed = ("dispute_fsm.machine", "dispute_fsm.errors", "dispute_fsm.version")
    assert loaded
    assert [name for name in loaded if not name.startswith(allowed)] == []


def test_a_transition_fires_where_all_its_guards_pass() -> None:
    found = TABLE.evaluate("locked", Does.PAY, Visit(coins=3))
    assert isinstance(found, Fires)
    assert (found.transition.target, found.transition.records) == ("unlocked", Log.PAID)
    assert [guard.recorded for guard, _ in found.results] == [
        "by_visitor",
        "day",
        "fare",
        "deposit",
    ]
    weekend = TABLE.evaluate("locked", Does.PAY, Visit(coins=2, weekend=True))
    assert isinstance(weekend, Fires)


def test_a_refusal_has_every_reason_with_what_was_seen_and_what_would_unlock_it() -> None:
    found = TABLE.evaluate("locked", Does.PAY, Visit())
    assert isinstance(found, Fails)
    assert [(guard.name, result.code, result.unlock) for guard, result in found.failed] == [
        ("fare", "fare_missing", "add 1 coins"),
        ("deposit", "deposit_missing", "add 3 coins"),
    ]
    assert found.failed[0][1].saw == {"coins": 0}
    alone = TABLE.evaluate("locked", Does.PAY, Visit(who="keeper"))
    assert isinstance(alone, Fails)
    assert [result.code for _, result in alone.failed] == ["not_you"]


def test_a_guard_is_evaluated_once_for_a_case_however_often_that_is_evaluated() -> None:
    visit = Visit(coins=3)
    first, again = (TABLE.evaluate("locked", Does.PAY, visit).results for _ in range(2))
    assert [guard for guard, _ in first] == [guard for guard, _ in again]
    assert all(one is other for (_, one), (_, other) in zip(first, again, strict=True))


def test_what_is_not_offered_and_what_only_looks_are_told_apart() -> None:
    assert isinstance(TABLE.evaluate("locked", Does.PUSH, Visit()), NotOffered)
    assert isinstance(TABLE.evaluate("locked", Does.LOOK, Visit()), NoEffect)


def test_the_domain_says_what_is_recorded_as_what_and_which_outcome_there_is() -> None:
    (worn,), (scrapped,) = (
        TABLE.transitions["unlocked", Does.TIRE],
        TABLE.transitions["broken", Does.SCRAP],
    )
    assert (worn.records, worn.outcome(None)) == (Log.BROKE, "worn")
    assert scrapped.outcome(None, "forced") == "forced"
    assert TABLE.configurations["unlocked"].running == (("patience",),)


def test_the_engine_of_the_library_runs_the_chart_too() -> None:
    gate = Turnstile()
    gate.send("pay", case=Visit(coins=3))
    gate.send("push", case=Visit())
    assert list(gate.configuration_values) == ["locked"]


FORGOTTEN: dict[str, dict[str, Callable[[Any], object]]] = {
    "an outcome": {"tire": lambda at: edge(at.unlocked, at.broken, expires="patience")},
    "what it is recorded as": {"rust": lambda at: edge(at.unlocked, at.locked)},
    "an expiry in a closed state that may still change": {
        "broken": lambda _: Leaf("broken", closed=True, outcomes=["worn"], deadlines=["patience"])
    },
    "the outcomes of a closed state": {"broken": lambda _: Leaf("broken", closed=True)},
    "the outcome before, where there was none": {
        "tire": lambda at: edge(at.unlocked, at.broken, expires="patience", outcome=AS_BEFORE)
    },
}


def edge(source: Leaf, target: Leaf, **members: Any) -> object:  # noqa: ANN401 -- whatever transition() takes
    return chart.transition(source, target, KEEPER, origin=HOUSE, **members)


@pytest.mark.parametrize("what", FORGOTTEN)
def test_what_was_forgotten_is_an_error_that_names_the_place(what: str) -> None:
    at = SimpleNamespace()
    members: dict[str, Callable[[Any], object]] = {
        "locked": lambda _: Leaf("locked", initial=True),
        "unlocked": lambda _: Leaf("unlocked", deadlines=["patience"]),
        "broken": lambda _: Leaf("broken", closed=True, outcomes=["worn"], records=Log.BROKE),
        "pay": lambda at: chart.transition(
            at.locked, at.unlocked, VISITOR, starts=["patience"], origin=HOUSE
        ),
        "tire": lambda at: edge(at.unlocked, at.broken, expires="patience", outcome="worn"),
        "scrap": lambda at: edge(at.broken, at.broken, outcome=AS_BEFORE),
        **FORGOTTEN[what],
    }
    for name, make in members.items():
        setattr(at, name, make(at))
    wrong = type("Wrong", (Chart,), vars(at).copy())
    with pytest.raises(ChartError, match=r"^Wrong: (unlocked|broken)"):
        compile_chart(wrong, START, WORDS)
