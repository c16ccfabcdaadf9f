"""Graphviz as machine code in the user's cache folder: kept, and never trusted without reason."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest
import wasmtime

from dispute_fsm.diagrams.render import compiled
from tests.sampling import few

DRAWN = "digraph { a -> b }"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Lay something out with an empty cache, and give the cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        assert lay_out() == 1
    yield folder
    compiled.graphviz.cache_clear()


@pytest.fixture
def file(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a copy of the file that is kept, in a cache of its own."""
    copied = shutil.copytree(cache, tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(copied))
    (kept,) = (copied / "dispute-fsm").iterdir()
    return kept


def lay_out() -> int:
    """Lay something out as a process of its own would; return how often Graphviz was compiled."""
    compiles: list[object] = []
    original: Callable[..., None] = wasmtime.Module.__init__

    def counted(module: wasmtime.Module, *arguments: Any) -> None:  # noqa: ANN401 -- whatever it takes
        compiles.append(module)
        original(module, *arguments)

    compiled.graphviz.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wasmtime.Module, "__init__", counted)
        graph = json.loads(compiled.graphviz().render(DRAWN, format="json0"))
    assert [node["name"] for node in graph["objects"]] == ["a", "b"]
    return len(compiles)


def test_the_next_run_compiles_nothing(file: Path) -> None:
    content = file.read_bytes()
    assert lay_out() == 0
    assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]


def test_the_file_is_the_users_alone(file: Path) -> None:
    assert S_IMODE(file.stat().st_mode) == 0o600
    assert S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "damage",
    few(
        [
            lambda content: content[:0],
            lambda content: content[:-1],
            lambda content: content + b"x",
            lambda content: content[:99_999] + bytes([content[99_999] ^ 1]) + content[100_000:],
            lambda content: content[::-1],
        ],
        1,
    ),
    ids=["empty", "cut off", "longer", "a flipped bit", "something else"],
)
def test_a_damaged_file_is_not_run_and_written_anew(
    file: Path, damage: Callable[[bytes], bytes]
) -> None:
    content = file.read_bytes()
    file.write_bytes(damage(content))
    assert lay_out() == 1
    assert len(file.read_bytes()) == len(content)
    assert lay_out() == 0


def test_code_for_another_machine_is_compiled_anew(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise wasmtime.WasmtimeError("compiled for another target")

    with monkeypatch.context() as patch:
        patch.setattr(wasmtime.Module, "deserialize", refuse)
        assert lay_out() == 1
    assert lay_out() == 0
    assert file.is_file()


@pytest.mark.parametrize("mode", few([0o620, 0o602], 1))
def test_a_file_that_others_may_write_is_not_run(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert lay_out() == 1
    assert S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_of_somebody_else_is_not_run(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    assert lay_out() == 1


@pytest.mark.parametrize("place", few(["/dev/null", "/proc/nowhere"], 1))
def test_where_nothing_can_be_kept_each_run_compiles(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    assert (lay_out(), lay_out()) == (1, 1)


def test_without_a_home_each_run_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert (lay_out(), lay_out()) == (1, 1)


@pytest.mark.parametrize("relative", ["", "cache"])
def test_a_relative_folder_is_not_used(monkeypatch: pytest.MonkeyPatch, relative: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", relative)
    assert compiled.cache_folder() == Path.home() / ".cache" / "dispute-fsm"
