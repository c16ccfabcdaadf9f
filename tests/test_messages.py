"""Chinese is written in the vocabulary, beside a rule, and in the modules `messages`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dispute_fsm
from dispute_fsm.domain.commands import COMMAND_CLASSES, PAYLOAD_CLASSES
from dispute_fsm.domain.enums import CommandType, Role
from dispute_fsm.domain.messages import Messages
from dispute_fsm.explain.messages import ACTS, ALTERNATIVES, CAN, NEVER, SUBMITTED
from dispute_fsm.history.messages import PAYLOAD_MEMBERS

PACKAGE = Path(str(dispute_fsm.__file__)).parent
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ALLOWED = re.compile(r"(domain|rules)/.*\.py|(\w+/)*messages\.py")


def literals(module: Path) -> Iterator[tuple[int, str]]:
    """Iterate over the string literals of a module but its docstrings, each with its line."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    docstrings = {
        id(statement.value)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if id(node) not in docstrings:
            match node:
                case ast.Constant(value=str(text), lineno=line):
                    yield line, text
                case _:
                    pass


def test_chinese_is_written_where_a_translator_looks() -> None:
    modules = sorted(PACKAGE.rglob("*.py"))
    names = {module: module.relative_to(PACKAGE).as_posix() for module in modules}
    found = {
        name: [text for _, text in literals(module) if CHINESE.search(text)]
        for module, name in names.items()
    }
    assert sum(map(len, found.values())) > 500, "the search finds the texts that exist"
    assert {
        name: texts for name, texts in found.items() if texts and not ALLOWED.fullmatch(name)
    } == {}


ASKED_BY_PEOPLE = {name for name, of in COMMAND_CLASSES.items() if Role.SYSTEM not in of.roles}
AT_ANY_TIME = {CommandType.EXTEND_DEADLINE, CommandType.WITHDRAW, CommandType.ANNUL}
"""These have sentences of their own, or are no way forward."""


@pytest.mark.parametrize(
    ("texts", "commands"),
    [
        (ACTS, set(CommandType)),
        (SUBMITTED, {name for name, of in COMMAND_CLASSES.items() if of.meets}),
        (NEVER, {name for name, of in COMMAND_CLASSES.items() if of.meets}),
        (CAN, ASKED_BY_PEOPLE - AT_ANY_TIME),
        (ALTERNATIVES, ASKED_BY_PEOPLE),
    ],
    ids=["ACTS", "SUBMITTED", "NEVER", "CAN", "ALTERNATIVES"],
)
def test_an_explanation_has_a_text_for_every_command(
    texts: Messages, commands: set[CommandType]
) -> None:
    assert {name.value for name in commands if name.value not in texts} == set()


def test_every_member_of_a_payload_has_a_label() -> None:
    members = {name for of in PAYLOAD_CLASSES.values() for name in of.model_fields}
    assert {name for name in members if name not in PAYLOAD_MEMBERS} == set()
