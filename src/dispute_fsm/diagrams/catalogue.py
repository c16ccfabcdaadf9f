"""The pictures that stand in a repository: which there are, how they are drawn, and in what they have drifted from the rules.

Beside the pictures of a rule version stands its machine as JSON. What has drifted is read off it
and said in words; only where the rules are the same and a file differs all the same is the file
itself compared.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from dispute_fsm.diagrams.difference import changes
from dispute_fsm.diagrams.model import Machine, machine_of
from dispute_fsm.diagrams.picture import View
from dispute_fsm.diagrams.render.formats import SUFFIXES, Format, drawn
from dispute_fsm.diagrams.views.chart import chart
from dispute_fsm.diagrams.views.decisions import decisions
from dispute_fsm.diagrams.views.diff import diff
from dispute_fsm.diagrams.views.options import options
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.history.jsonl import atomic_text_file
from dispute_fsm.rules.registry import VERSIONS

MACHINE = "machine.json"
VIEWS = {"chart": chart, "decisions": decisions, "options": options}
"""The views of a rule version alone."""

_FORMATS: tuple[Format, ...] = ("svg", "mermaid", "md")
_LANGS: tuple[Lang, ...] = get_args(Lang)
_SHOWN = 100
"""How much of a line is shown, in characters."""


@dataclass(frozen=True, slots=True)
class FileDrift:
    """A file that is not as it would be drawn; `what` says how, in words."""

    file: str
    what: tuple[str, ...]


def machines() -> dict[str, Machine]:
    """Read the machine of every rule version under the default policy."""
    return {name: machine_of(version, DEFAULT_POLICY) for name, version in VERSIONS.items()}


def catalogue() -> Iterator[tuple[str, str]]:
    """Go through every file that belongs into the folder: its path there, and its content. The same rules are the same bytes."""
    known = machines()
    for name, machine in known.items():
        yield f"{name}/{MACHINE}", machine.model_dump_json(indent=1) + "\n"
        for view in VIEWS.values():
            for lang in _LANGS:
                yield from _files(name, view(machine, lang))
    for before, after in pairwise(known.items()):
        for lang in _LANGS:
            yield from _files(f"{before[0]}-to-{after[0]}", diff(before, after, lang))


def _files(folder: str, view: View) -> Iterator[tuple[str, str]]:
    for format_ in _FORMATS:
        yield f"{folder}/{view.name}.{view.lang}{SUFFIXES[format_]}", drawn(view, format_).decode()


def write(folder: Path) -> list[str]:
    """Write every file into a folder, each whole or not at all; returns those that are new or were changed."""
    written: list[str] = []
    for name, content in catalogue():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content.encode():
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_text_file(path) as stream:
                stream.write(content)
            written.append(name)
    return written


def drifts(folder: Path, lang: Lang) -> Iterator[FileDrift]:
    """Compare a folder with what would be drawn; yields what differs. What else lies there is not looked at."""
    said: set[str] = set()
    for name, content in catalogue():
        path = folder / name
        if not path.is_file():
            yield FileDrift(name, (_SAYS[lang]["missing"],))
        elif (there := path.read_bytes().decode(errors="replace")) != content:
            versions = name.partition("/")[0].split("-to-")
            what = tuple(_machine_drift(there, content, lang)) if name.endswith(MACHINE) else ()
            if what:
                said.update(versions)
            if not what and not said.intersection(versions):
                what = (_first_difference(there, content, lang),)
            yield FileDrift(name, what)


def _machine_drift(there: str, content: str, lang: Lang) -> Iterator[str]:
    try:
        before = Machine.model_validate_json(there)
    except ValidationError:
        yield _SAYS[lang]["unreadable"]
        return
    after = Machine.model_validate_json(content)
    for told_in in sorted(
        _LANGS, key=lambda one: one != lang
    ):  # a word may differ in one of the languages only
        if found := changes(before, after, told_in):
            yield from (change.text(told_in) for change in found)
            return


def _first_difference(there: str, content: str, lang: Lang) -> str:
    lines = enumerate(zip_longest(there.splitlines(), content.splitlines(), fillvalue=""), 1)
    number, (was, now) = next((number, pair) for number, pair in lines if pair[0] != pair[1])
    return _SAYS[lang]["line"].format(number=number, was=was[:_SHOWN], now=now[:_SHOWN])


_SAYS: Mapping[Lang, Mapping[str, str]] = {
    "zh": {
        "missing": "缺少这个文件",
        "unreadable": "这个文件无法读取",
        "line": "规则相同，但第 {number} 行不同：现为 {was!r}，应为 {now!r}",
    },
    "en": {
        "missing": "this file is missing",
        "unreadable": "this file cannot be read",
        "line": (
            "the rules are the same, but line {number} differs: it is {was!r}, drawn anew {now!r}"
        ),
    },
}
