"""Audits what is installed for work on the project: versions, licences and files.

Needs no network, so it does not know published vulnerabilities; SECURITY.md says how to check them.
"""

import base64
import hashlib
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from itertools import chain
from pathlib import Path

from packaging.utils import canonicalize_name

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
NOT_PINNED = frozenset({"dispute-fsm", "pip", "setuptools"})
"""This project, and what every virtual environment contains."""

PERMISSIVE = r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Unlicense|0BSD"
"""Licences that require no more than attribution."""

WEAK_COPYLEFT = r"MPL|Mozilla Public License|LGPL|EPL|OFL"
"""Licences of a library's or a font's own files, not of what uses them: psycopg, Graphviz, Noto."""

ACCEPTED = re.compile(rf"\b({PERMISSIVE}|{WEAK_COPYLEFT})")

NAMED_ELSEWHERE = {"atheris": "Apache-2.0", "resvg-py": "MIT"}
"""Licences that the metadata does not name, but a file or the repository of the project."""


def main() -> int:
    """Print what was audited, and every problem."""
    pinned = (line.partition("==") for line in CONSTRAINTS.read_text("utf-8").splitlines())
    pins = {canonicalize_name(name): version for name, _, version in pinned}
    problems, audited = list[str](), list(distributions())
    for distribution in audited:
        name = canonicalize_name(distribution.metadata["Name"])
        if name not in NOT_PINNED and pins.get(name) != distribution.version:
            pin = pins.get(name, "nothing")
            problems.append(
                f"{name}: {distribution.version} is installed, constraints.txt says {pin}"
            )
        licence = NAMED_ELSEWHERE.get(name) or _licence(distribution)
        if not ACCEPTED.search(licence):
            problems.append(f"{name}: licence not accepted: {licence[:60] or 'none named'}")
        problems += [
            f"{name}: {path} differs from its wheel" for path in _changed_files(distribution)
        ]
    sys.stderr.writelines(f"audit: {problem}\n" for problem in sorted(problems))
    sys.stdout.write(
        f"audit: {len(audited)} distributions; versions, licences and files checked, known "
        "vulnerabilities not (see SECURITY.md)\n"
    )
    return 1 if problems else 0


def _licence(distribution: Distribution) -> str:
    metadata = distribution.metadata
    fields = [metadata.get_all(name) or [] for name in ("License-Expression", "License")]
    classifiers = metadata.get_all("Classifier") or []
    return " ".join(chain(*fields, [line for line in classifiers if line.startswith("License ::")]))


def _changed_files(distribution: Distribution) -> Iterator[str]:
    """Yield the files that differ from their hash in the record of the installation."""
    for file in distribution.files or ():
        path = Path(str(distribution.locate_file(file)))
        if file.hash is not None and file.hash.mode == "sha256":
            digest = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
                yield str(file)


if __name__ == "__main__":
    sys.exit(main())
