"""The committed pictures: the files in the folder, and what differs from the rules.

The machine of each rule version is committed as JSON next to its pictures. Where the machine has
changed, the changes are named; only where it is the same are the other files compared by text.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Literal, get_args

from pydantic import ValidationError

from dispute_fsm.diagrams.changes import changes
from dispute_fsm.diagrams.messages import DRIFT
from dispute_fsm.diagrams.model import Machine, machine_of
from dispute_fsm.diagrams.picture import View
from dispute_fsm.diagrams.render.graphviz import dot
from dispute_fsm.diagrams.render.markdown import markdown
from dispute_fsm.diagrams.render.mermaid import mermaid
from dispute_fsm.diagrams.render.png import png
from dispute_fsm.diagrams.render.svg import svg
from dispute_fsm.diagrams.views.chart import chart
from dispute_fsm.diagrams.views.decisions import decisions
from dispute_fsm.diagrams.views.diff import diff
from dispute_fsm.diagrams.views.options import options
from dispute_fsm.diagrams.views.overview import overview
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.history.jsonl import atomic_text_file
from dispute_fsm.rules.registry import VERSIONS

MACHINE = "machine.json"
RuleViews = Mapping[str, Callable[[Machine, Lang], View]]
"""Views that need only a rule version, by name."""

VIEWS: RuleViews = FrozenMap(
    {"overview": overview, "chart": chart, "decisions": decisions, "options": options}
)
NARROW: RuleViews = FrozenMap(
    {"overview": partial(overview, narrow=True), "options": partial(options, narrow=True)}
)
"""Those of them that can be drawn for phones, too."""

SUBJECTS: Mapping[str, str] = FrozenMap(
    {"history": "FILE", "diff": "A B", "coverage": "HISTORY..."}
)
"""Views that need something else to draw, by name, with what that is."""

ALL = "all"
"""Names every committed picture."""

Format = Literal["svg", "png", "mermaid", "dot", "md"]
SUFFIXES: Mapping[Format, str] = FrozenMap(
    {"svg": ".svg", "png": ".png", "mermaid": ".mmd", "dot": ".dot", "md": ".md"}
)

_COMMITTED: tuple[Format, ...] = ("svg", "mermaid", "md")
_LANGS: tuple[Lang, ...] = get_args(Lang)
_MAX_SHOWN = 100
"""How much of a line is shown, in characters."""


def render(view: View, format_: Format, fonts: Sequence[Path] = ()) -> bytes:
    """Draw a view in a format. `fonts` are font files for PNG, in addition to the bundled one.

    Raises `InputError` where the extra `diagrams` is missing, or no font has a character.
    """
    match format_:
        case "svg":
            return svg(view).encode()
        case "png":
            return png(svg(view), fonts)
        case "md":
            return markdown(view).encode()
        case "mermaid":
            return mermaid(view.graph, view.title).encode()
        case "dot":
            return dot(view.graph).encode()


def catalogue() -> Iterator[tuple[str, str]]:
    """Iterate over every file of the folder: its path there, and its content.

    The same rules give the same bytes.
    """
    machines = {name: machine_of(version, DEFAULT_POLICY) for name, version in VERSIONS.items()}
    for name, machine in machines.items():
        yield f"{name}/{MACHINE}", machine.model_dump_json(indent=1) + "\n"
        for view in VIEWS.values():
            for lang in _LANGS:
                yield from _files(name, view(machine, lang))
        for view in NARROW.values():
            for lang in _LANGS:
                yield from _files(name, view(machine, lang), ("svg",))
    for before, after in pairwise(machines.items()):
        for lang in _LANGS:
            yield from _files(f"{before[0]}-to-{after[0]}", diff(before, after, lang))


def _files(
    folder: str, view: View, formats: Sequence[Format] = _COMMITTED
) -> Iterator[tuple[str, str]]:
    for name in formats:
        yield f"{folder}/{view.name}.{view.lang}{SUFFIXES[name]}", render(view, name).decode()


def write(folder: Path) -> list[str]:
    """Write every file into a folder, each atomically; return those that are new or changed."""
    written: list[str] = []
    for name, content in catalogue():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content.encode():
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_text_file(path) as stream:
                stream.write(content)
            written.append(name)
    return written


def drifts(folder: Path, lang: Lang) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Iterate over the files in a folder that differ from what would be drawn, and how.

    Other files in the folder are ignored.
    """
    explained: set[str] = set()
    for name, content in catalogue():
        path = folder / name
        if not path.is_file():
            yield name, (DRIFT(lang, "missing"),)
        elif (committed := path.read_bytes().decode(errors="replace")) != content:
            versions = name.partition("/")[0].split("-to-")
            differences: tuple[str, ...] = ()
            if name.endswith(MACHINE):
                differences = _machine_drift(committed, content, lang)
            if differences:
                explained.update(versions)
            elif explained.isdisjoint(versions):
                differences = (_first_difference(committed, content, lang),)
            yield name, differences


def _machine_drift(committed: str, content: str, lang: Lang) -> tuple[str, ...]:
    try:
        before = Machine.model_validate_json(committed)
    except ValidationError:
        return (DRIFT(lang, "unreadable"),)
    after = Machine.model_validate_json(content)
    # A text may differ in the other language only.
    for language in sorted(_LANGS, key=lambda language: language != lang):
        if differences := changes(before, after, language):
            return tuple(change.text(language) for change in differences)
    return ()


def _first_difference(committed: str, content: str, lang: Lang) -> str:
    lines = zip_longest(committed.splitlines(), content.splitlines(), fillvalue="")
    number, (was, now) = next(
        (number, pair) for number, pair in enumerate(lines, 1) if pair[0] != pair[1]
    )
    return DRIFT(lang, "line", number=number, was=was[:_MAX_SHOWN], now=now[:_MAX_SHOWN])
