"""`dispute-fsm diagram`: the rules as pictures and tables for reviewers, and whether the committed ones are still true."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dispute_fsm.cli.app import (
    LANG,
    STANDARD_OUTPUT,
    Exit,
    LangOption,
    as_lang,
    complain,
    deliver,
    reported,
    say,
    wrote,
)
from dispute_fsm.cli.histories import history_files, story
from dispute_fsm.diagrams.catalogue import SUFFIXES, VIEWS, Format, drifts, render, write
from dispute_fsm.diagrams.model import Machine, machine_of
from dispute_fsm.diagrams.picture import View
from dispute_fsm.diagrams.views.coverage import Corpus, coverage
from dispute_fsm.diagrams.views.diff import diff
from dispute_fsm.diagrams.views.history import history
from dispute_fsm.documents.source import unknown_value
from dispute_fsm.domain.commands import DEFAULT_VERSION
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import require_folder
from dispute_fsm.history.reader import steps
from dispute_fsm.rules.registry import VERSIONS, rule_version
from dispute_fsm.scenarios.settings import read_policy_changes

_ALL = "all"
_TAKE = {"history": "FILE", "diff": "A B", "coverage": "HISTORY..."}
"""The views that need to be told what of."""
_FOLDER = Path("diagrams")


class FormatChoice(StrEnum):
    """The formats."""

    SVG = "svg"
    PNG = "png"
    MERMAID = "mermaid"
    DOT = "dot"
    MD = "md"


@reported
def diagram(
    view: Annotated[
        str | None,
        typer.Argument(
            metavar="[VIEW]",
            help=f"One of {', '.join((*VIEWS, *_TAKE))}; {_ALL}: the whole folder. Default: chart.",
        ),
    ] = None,
    of: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[OF]...",
            help="Subject of the view. history: a history, or a scenario that is run; diff: two, each "
            "a rule version or a policy file; "
            "coverage: histories.",
        ),
    ] = None,
    rules: Annotated[
        str, typer.Option("--rules", metavar="V", help="The rule version.")
    ] = DEFAULT_VERSION,
    lang: LangOption = LANG,
    format_: Annotated[
        FormatChoice | None,
        typer.Option(
            "--format", help="Default: as the ending of -o says, else svg.", show_choices=True
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write into this file; - is standard output (all, --check: this folder).",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Draw nothing: compare diagrams/ with what would be drawn."),
    ] = False,
    dispute: Annotated[
        str | None,
        typer.Option(
            "--dispute", metavar="ID", help="Which dispute, where a history holds several."
        ),
    ] = None,
    font: Annotated[
        list[Path] | None,
        typer.Option("--font", metavar="FILE", help="A font for PNG, beside the bundled one."),
    ] = None,
) -> Exit:
    """Draw the rules for reviewers: the chart, decision tables, the options, one dispute's way, differences, coverage.

    Example: dispute-fsm diagram decisions --lang zh -o decisions.svg

    Exit code: 0 drawn, or nothing has drifted; 1 the committed pictures differ from the rules; 2
    wrong usage, unreadable input.
    """
    words = as_lang(lang)
    if check:
        if view is not None or of or format_ is not None:
            raise InputError(
                "cannot be combined: it compares every committed picture", field="--check"
            )
        return _check(to or _FOLDER, words)
    if view == _ALL:
        folder = to or _FOLDER
        require_folder(folder.parent)
        for name in write(folder):
            wrote(folder / name, words)
        return Exit.WELL
    chosen_format = _format(format_, to)
    to = to or STANDARD_OUTPUT
    if to == STANDARD_OUTPUT and chosen_format == "png" and sys.stdout.isatty():
        raise InputError("a terminal shows no picture: name a file", field="-o")
    deliver(
        render(_view(view or "chart", of or [], rules, words, dispute), chosen_format, font or ()),
        to,
        words,
    )
    return Exit.WELL


def _view(name: str, of: Sequence[str], rules: str, lang: Lang, dispute: str | None) -> View:
    if name in VIEWS:
        if of:
            raise InputError(f"{name} is of a rule version alone: name it by --rules", field="OF")
        return VIEWS[name](machine_of(rule_version(rules), DEFAULT_POLICY), lang)
    match name, list(of):
        case "history", [path]:
            told = story(path, dispute)
            return history(told.events, told.policy, lang)
        case "diff", [before, after]:
            return diff((before, _side(before, rules)), (after, _side(after, rules)), lang)
        case "coverage", [_, *_]:
            corpus = Corpus(machine_of(rule_version(rules), DEFAULT_POLICY))
            files, lost = history_files(of)
            for fault in lost:
                raise fault
            for path in files:
                for step in steps(path):
                    corpus.add(step.event)
            return coverage(corpus, lang)
        case _:
            pass
    if name in _TAKE:
        raise InputError(
            f"this view is of something: dispute-fsm diagram {name} {_TAKE[name]}", field=name
        )
    raise InputError(unknown_value(name, (*VIEWS, *_TAKE, _ALL), "view"), field="VIEW")


def _side(named: str, rules: str) -> Machine:
    """Read one side of a comparison: a rule version by its id, else a policy from a file."""
    if named in VERSIONS:
        return machine_of(VERSIONS[named], DEFAULT_POLICY)
    if not Path(named).is_file():
        raise InputError(
            f"no policy file {named!r:.60}, and {unknown_value(named, tuple(VERSIONS), 'rule version')}",
            field="diff",
        )
    return machine_of(rule_version(rules), read_policy_changes(Path(named))(DEFAULT_POLICY))


def _format(asked: FormatChoice | None, to: Path | None) -> Format:
    """Take the format that is asked for, else that of the file's ending."""
    suffix = ".svg" if to is None or not to.suffix else to.suffix
    for name in SUFFIXES:
        if name == asked if asked is not None else SUFFIXES[name] == suffix:
            return name
    raise InputError(
        f"no format has the ending {suffix}: name one by --format ({', '.join(SUFFIXES)})",
        field="-o",
    )


_SAYS: dict[Lang, dict[str, str]] = {
    "zh": {
        "same": "{folder} 与规则一致",
        "drifted": "{count} 个文件与规则不一致：请运行 dispute-fsm diagram all 重新绘制",
    },
    "en": {
        "same": "{folder}/ is up to date",
        "drifted": "{count} files differ from the rules: draw them anew by dispute-fsm diagram all",
    },
}


def _check(folder: Path, lang: Lang) -> Exit:
    count = 0
    for name, differences in drifts(folder, lang):
        count += 1
        say(str(folder / name))
        for line in differences:
            say(f"  {line}")
    if count:
        complain(_SAYS[lang]["drifted"].format(count=count))
        return Exit.FELL_SHORT
    say(_SAYS[lang]["same"].format(folder=folder))
    return Exit.WELL
