"""Audit what is installed beside the project: pins, strangers, licences, and files that are not what their wheel promised.

Needs no network. Known vulnerabilities are not among it: SECURITY.md says what to run for those.
"""

import base64
import hashlib
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
OURS = "dispute-fsm"
PERMISSIVE = (
    "MIT",
    "BSD",
    "Apache",
    "ISC",
    "PSF",
    "Python Software Foundation",
    "Unlicense",
    "0BSD",
)
"""Licences that ask for no more than to be named."""

OF_THEIR_OWN = ("MPL", "Mozilla Public License", "LGPL", "EPL", "OFL")
"""Licences that bind a library's or a font's own files, not what uses them: psycopg, Graphviz, Noto; all in extras."""

LICENCES = (*PERMISSIVE, *OF_THEIR_OWN)

NAMED_ELSEWHERE = {"atheris": "Apache-2.0", "resvg-py": "MIT"}
"""Licences that stand in a file beside the metadata, or in the project's repository, and not in the metadata itself."""

BOOTSTRAP = frozenset({"pip", "setuptools"})
"""What a virtual environment brings along."""


def main() -> int:
    """Print what was audited, and everything that is wrong."""
    installed: dict[str, Distribution] = {
        canonicalize_name(found.metadata["Name"]): found for found in distributions()
    }
    pins = dict(_pins((ROOT / "constraints.txt").read_text("utf-8")))
    runtime = _closure([OURS], installed, extras={OURS: {"all"}})
    wanted = runtime | _closure(_groups(), installed)
    wrong = [
        *_unpinned(installed, pins),
        *(
            f"{name}: nothing that is declared asks for it"
            for name in sorted(set(installed) - wanted - BOOTSTRAP)
        ),
        *(
            f"{name}: no licence on the list: {said or 'none named'}"
            for name, said in _licences(installed)
        ),
        *(
            f"{name}: {path} is not the file that its wheel promised"
            for name in sorted(runtime)
            for path in _changed(installed[name])
        ),
    ]
    for line in wrong:
        sys.stderr.write(f"audit: {line}\n")
    files = sum(len(installed[name].files or []) for name in runtime)
    sys.stdout.write(
        f"audit: {len(installed)} distributions, {len(runtime) - 1} of them needed to run; pins, "
        "origin and licences"
        f" checked, {files} files against their hashes; known vulnerabilities not audited (see "
        "SECURITY.md)\n"
    )
    return 1 if wrong else 0


def _pins(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            yield canonicalize_name(name), version


def _unpinned(installed: dict[str, Distribution], pins: dict[str, str]) -> Iterator[str]:
    for name, found in sorted(installed.items()):
        if name != OURS and name not in BOOTSTRAP and pins.get(name) != found.version:
            yield (
                f"{name}: {found.version} is installed, constraints.txt says "
                f"{pins.get(name, 'nothing')}"
            )


def _groups() -> list[str]:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    return [one for group in groups.values() for one in group if isinstance(one, str)]


def _closure(
    roots: Iterable[str],
    installed: dict[str, Distribution],
    extras: dict[str, set[str]] | None = None,
) -> set[str]:
    """Find everything that is needed, extras and markers considered."""
    asked = {name: set(chosen) for name, chosen in (extras or {}).items()}
    needed, ahead = set[str](), [Requirement(root) for root in roots]
    while ahead:
        requirement = ahead.pop()
        name = canonicalize_name(requirement.name)
        before = (name in needed, len(asked.setdefault(name, set())))
        asked[name] |= requirement.extras
        if name not in installed or (before == (True, len(asked[name]))):
            continue
        needed.add(name)
        for said in installed[name].requires or ():
            further = Requirement(said)
            if further.marker is None or any(
                further.marker.evaluate({**_environment(), "extra": extra})
                for extra in ("", *asked[name])
            ):
                ahead.append(further)
    return needed


def _environment() -> dict[str, str]:
    return {name: str(value) for name, value in default_environment().items()}


def _licences(installed: dict[str, Distribution]) -> Iterator[tuple[str, str]]:
    for name, found in sorted(installed.items()):
        metadata = found.metadata
        said = [
            NAMED_ELSEWHERE.get(name, ""),
            *(metadata.get_all("License-Expression") or ()),
            *(metadata.get_all("License") or ()),
        ]
        said += [
            line for line in metadata.get_all("Classifier") or () if line.startswith("License ::")
        ]
        words = " ".join(said)
        if not any(re.search(rf"\b{re.escape(licence)}", words) for licence in LICENCES):
            yield name, words[:60]


def _changed(found: Distribution) -> Iterator[str]:
    """Find files that differ from the hash in the record of the installation."""
    for file in found.files or ():
        if file.hash is None or file.hash.mode != "sha256":
            continue
        path = Path(str(found.locate_file(file)))
        digest = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            yield str(file)


if __name__ == "__main__":
    sys.exit(main())
