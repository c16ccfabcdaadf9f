"""`dispute-fsm diagram`: draw the rules for reviewers, and compare the committed pictures."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dispute_fsm.cli.app import Exit, print_error
from dispute_fsm.cli.arguments import LANG, DisputeOption, LangOption, choice_option, rules_option
from dispute_fsm.cli.command import command
from dispute_fsm.cli.messages import DIAGRAM
from dispute_fsm.cli.output import STANDARD_OUTPUT, print_line, print_written, write_output
from dispute_fsm.diagrams.catalogue import (
    ALL,
    NARROW,
    SUBJECTS,
    SUFFIXES,
    VIEWS,
    Format,
    drifts,
    render,
    write,
)
from dispute_fsm.diagrams.model import Machine, machine_of
from dispute_fsm.domain.commands import DEFAULT_VERSION
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import require_folder
from dispute_fsm.rules.registry import rule_version

_DEFAULT = next(iter(VIEWS))
_FOLDER = Path("diagrams")


@command("diagram")
def diagram(
    view: Annotated[
        str | None,
        typer.Argument(
            metavar="VIEW",
            autocompletion=lambda: [*VIEWS, *SUBJECTS, ALL],
            help=(
                f"One of {', '.join((*VIEWS, *SUBJECTS))}; {ALL}: the whole folder. "
                f"Default: {_DEFAULT}."
            ),
        ),
    ] = None,
    of: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OF...",
            help=(
                "Subject of the view. history: a history, or a scenario that is run; diff: two, "
                "each a rule version or a policy file; coverage: histories."
            ),
        ),
    ] = None,
    rules: Annotated[str, rules_option("The rule version")] = DEFAULT_VERSION,
    lang: LangOption = LANG,
    format_: Annotated[
        Format | None,
        choice_option(
            "--format",
            tuple(SUFFIXES),
            "format",
            f"{', '.join(SUFFIXES)}; default: by the ending of -o, else svg.",
            "FORMAT",
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
    narrow: Annotated[
        bool, typer.Option("--narrow", help=f"For phones, 390 px wide ({', '.join(NARROW)}).")
    ] = False,
    dispute: DisputeOption = None,
    all_policies: Annotated[
        bool,
        typer.Option(
            "--all-policies",
            help="Show what the default policy excludes like everything else.",
        ),
    ] = False,
    font: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A font for PNG, in addition to the bundled one."),
    ] = None,
) -> Exit:
    """Draw the rules, one dispute, or how two versions differ.

    Examples:
      dispute-fsm diagram -o overview.svg
      dispute-fsm diagram decisions --lang zh -o decisions.svg
      dispute-fsm diagram history out/15-promise-missed.history.jsonl -o path.svg
      dispute-fsm diagram diff 2023-03 parallel --format md
      dispute-fsm diagram --check

    Exit code: 0 drawn, or nothing has drifted; 1 the committed pictures differ from the rules; 2
    wrong usage, unreadable input.

    """
    if check:
        if view is not None or of or format_ is not None or all_policies:
            raise InputError(
                "cannot be combined: it compares every committed picture", field="--check"
            )
        return _check(to or _FOLDER, lang)
    if all_policies and view in {ALL, "history", "diff"}:
        raise InputError(
            f"cannot be combined with {view}: {', '.join((*VIEWS, 'coverage'))} can be drawn so",
            field="--all-policies",
        )
    if view == ALL:
        folder = to or _FOLDER
        require_folder(folder.parent)
        for name in write(folder):
            print_written(folder / name, lang)
        return Exit.OK
    chosen_format = format_ or _format(to)
    to = to or STANDARD_OUTPUT
    if to == STANDARD_OUTPUT and chosen_format == "png" and sys.stdout.isatty():
        raise InputError("a terminal cannot show a picture: name a file", field="-o")
    name = view or _DEFAULT
    if narrow and name not in NARROW:
        raise InputError(
            f"{name} cannot be drawn narrow; {', '.join(NARROW)} can", field="--narrow"
        )
    machine = partial(_machine, rules, all_policies)
    if name in VIEWS:
        if of:
            raise InputError(
                f"{name} shows a rule version and takes no subject: use --rules", field="OF"
            )
        drawn = (NARROW if narrow else VIEWS)[name](machine(), lang)
    else:
        from dispute_fsm.cli.diagram_subjects import view_of  # noqa: PLC0415 -- most views read nothing

        drawn = view_of(name, of or [], rules, lang, dispute, machine)
    write_output(render(drawn, chosen_format, font or ()), to, lang)
    return Exit.OK


def _machine(rules: str, all_policies: bool) -> Machine:
    return machine_of(rule_version(rules), DEFAULT_POLICY, any_policy=all_policies)


def _format(to: Path | None) -> Format:
    """Return the format of the file's ending, SVG where it has none."""
    suffix = ".svg" if to is None or not to.suffix else to.suffix
    for name in SUFFIXES:
        if SUFFIXES[name] == suffix:
            return name
    raise InputError(
        f"no format has the ending {suffix}: name one by --format ({', '.join(SUFFIXES)})",
        field="-o",
    )


def _check(folder: Path, lang: Lang) -> Exit:
    count = 0
    for name, differences in drifts(folder, lang):
        count += 1
        print_line(str(folder / name))
        for line in differences:
            print_line(f"  {line}")
    if count:
        print_error(DIAGRAM(lang, "drifted", count=count))
        return Exit.FAILED
    print_line(DIAGRAM(lang, "same", folder=folder))
    return Exit.OK
