"""What is imported when: counted in modules, because times differ from run to run."""

import subprocess
import sys
from importlib import import_module

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from dispute_fsm.cli import COMMANDS
from dispute_fsm.cli.app import app
from dispute_fsm.domain.commands import DEFAULT_VERSION
from dispute_fsm.rules.registry import MODULES
from tests.patience import PATIENCE

LIBRARIES = {
    "fontTools", "holidays", "msgspec", "pydantic", "rich", "sqlalchemy", "statemachine",
    "structlog", "typer", "wasmtime", "yaml",
}  # fmt: skip
CALL = "import sys; sys.argv[1:] = {!r}; from dispute_fsm.cli import main; main()"
DECISION = """
from dispute_fsm import Disputes, InMemoryOrderSystem, merchant
disputes = Disputes(InMemoryOrderSystem({"O-1": {"paid_at": "2023-03-25T09:00:00+08:00"}}))
opened = disputes.open(
    dispute_id="D-1", order_id="O-1", merchant_id="M-1", consumer_id="C-1",
    at="2023-03-28T10:00:00Z",
)
disputes.send(
    opened.dispute, "choose_option", option="out_of_stock_refund", by=merchant("M-1"),
    at="2023-03-28T12:00:00Z",
)
"""
MODELS_BUILT = """
from dispute_fsm.domain.commands import COMMAND_CLASSES
from dispute_fsm.events import EVENT, EVENT_CLASSES
models = [*COMMAND_CLASSES.values(), *EVENT_CLASSES.values()]
built = [model.__name__ for model in models if model.__pydantic_complete__]
print(EVENT.pydantic_complete, *built)
"""
HOURS = """
from datetime import UTC, datetime
from dispute_fsm.domain.working_time import DEFAULT_CALENDAR, calendar_of
calendar_of(DEFAULT_CALENDAR).day(datetime(2023, 4, 5, tzinfo=UTC).date())
"""


def imported(code: str) -> set[str]:
    """Return what is imported while a program runs, without what Python imports by itself."""
    program = (
        "import atexit, sys; before = set(sys.modules)\n"
        "atexit.register(lambda: print(*set(sys.modules) - before, file=sys.stderr))\n"
    )
    return set(ran(program + code).stderr.split())


def ran(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        text=True,
        timeout=PATIENCE,
    )


def libraries(code: str) -> set[str]:
    return {name.partition(".")[0] for name in imported(code)} & LIBRARIES


def test_the_version_needs_no_library_and_none_of_what_decides() -> None:
    modules = imported(CALL.format(["--version"]))
    assert {name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names} == {
        "dispute_fsm",
        "dispute_fsm.cli",
        "dispute_fsm.terminal",
        "dispute_fsm.version",
    }
    assert modules.isdisjoint({"typing", "socket", "dataclasses", "importlib.metadata"})


def test_importing_the_package_imports_next_to_nothing() -> None:
    modules = imported("import dispute_fsm")
    assert {name for name in modules if name.startswith("dispute_fsm.")} == {"dispute_fsm.version"}
    assert {name.partition(".")[0] for name in modules} <= {"dispute_fsm", *sys.stdlib_module_names}
    assert "typing" not in modules


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []], ids=" ".join)
def test_the_help_needs_what_formats_it_only(arguments: list[str]) -> None:
    code = f"try:\n    {CALL.format(arguments)}\nexcept SystemExit:\n    pass"
    assert libraries(code) == {"typer", "rich"}


def test_a_command_imports_what_it_needs_and_no_other_command() -> None:
    modules = imported(CALL.format(["verify", "--help"]))
    assert {name for name in modules if name.removeprefix("dispute_fsm.cli.") in COMMANDS} == {
        "dispute_fsm.cli.verify"
    }
    assert {"pydantic", "statemachine"} <= modules


def test_a_decision_needs_the_models_and_the_chart_only() -> None:
    assert libraries(DECISION) == {"msgspec", "pydantic", "statemachine"}


def test_a_decision_compiles_the_rules_of_its_dispute_only() -> None:
    assert imported(DECISION) & set(MODULES.values()) == {MODULES[DEFAULT_VERSION]}


def test_a_decision_builds_the_validators_of_its_commands_and_of_no_recorded_event() -> None:
    built = ran(DECISION + MODELS_BUILT).stdout.split()
    assert built == ["False", "OpenDispute", "ChooseOption"]


def test_the_service_needs_no_engine_and_no_framework_of_a_host() -> None:
    modules = imported(
        "from dispute_fsm import DisputeService, Store\n"
        "from dispute_fsm.service.async_service import AsyncDisputeService\n"
        "from dispute_fsm.store import host"
    )
    # python-statemachine itself imports Django where that is installed
    roots = {name.partition(".")[0] for name in modules - imported("import statemachine")}
    assert {"sqlalchemy", "psycopg"} <= roots
    assert roots.isdisjoint({"dbos", "django", "fastapi", "httpx", "starlette", "temporalio"})


def test_counting_working_hours_needs_the_holidays() -> None:
    assert "holidays" in libraries(HOURS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_begins_with_its_summary(name: str) -> None:
    import_module(f"dispute_fsm.cli.{name}")
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    first, _, _ = str(group.commands[name].help).partition("\n\n")
    assert " ".join(first.split()) == COMMANDS[name]
    assert list(group.commands) == list(COMMANDS)
