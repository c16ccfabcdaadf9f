"""The files of the project: no test reads other files that are in the checkout."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_FOLDERS = (".ci", "benchmarks", "diagrams", "docs", "examples", "src", "tests", "tools")
_FILES = (
    ".editorconfig",
    ".gitignore",
    "*.md",
    "LICENSE",
    "Makefile",
    "constraints.txt",
    "pyproject.toml",
)
_MADE = {"__pycache__", "node_modules"}


@cache
def tracked(root: Path) -> tuple[str, ...] | None:
    """List the files that git tracks; None without git, as in an unpacked archive."""
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return None
    asked = subprocess.run([git, "ls-files", "-z"], cwd=root, capture_output=True, check=False)  # noqa: S603 -- asks, and changes nothing
    return (
        tuple(filter(None, asked.stdout.decode(errors="surrogateescape").split("\0"))) or None
    )  # None too where git refuses


def listed(root: Path) -> list[Path]:
    """List what an archive of the project has."""
    inside = (
        path
        for name in _FOLDERS
        for path in (root / name).rglob("*")
        if not _MADE.intersection(path.relative_to(root).parts)
    )
    return [*(path for name in _FILES for path in root.glob(name)), *inside]


def project_files(folder: Path = ROOT, *, root: Path = ROOT) -> list[Path]:
    """Give the project's files in a folder and those below it, sorted."""
    names = tracked(root)
    found = listed(root) if names is None else [root / name for name in names]
    return sorted(path for path in found if path.is_file() and path.is_relative_to(folder))
