"""Chinese is written in the vocabulary, beside a rule, and in the modules `messages`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import dispute_fsm

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
