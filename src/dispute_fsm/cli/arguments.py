"""The options and arguments that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from dispute_fsm.documents.source import unknown_value
from dispute_fsm.domain.enums import Lang
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import SUFFIX
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.terminal import default_lang
from dispute_fsm.workers import usable_cores

LANG = default_lang()
CORES = usable_cores()


def choice_option(
    name: str,
    choices: Sequence[str],
    what: str,
    text: str,
    metavar: str | None = None,
    *,
    show_default: bool = True,
) -> Any:  # noqa: ANN401 -- as `typer.Option`
    """Declare an option that takes one of a few words; an unknown one is an `InputError`."""

    def choice(value: str) -> str:
        if value not in choices:
            raise InputError(unknown_value(value, choices, what), field=name)
        return value

    return typer.Option(
        name,
        help=text,
        parser=choice,
        metavar=metavar or "|".join(choices),
        autocompletion=lambda: list(choices),
        show_default=show_default,
    )


def number_option(name: str, metavar: str, text: str, least: int | None = None) -> Any:  # noqa: ANN401 -- as above
    """Declare an option that takes an integer; anything else is an `InputError`."""

    def number(value: str) -> int:
        try:
            given = int(value)
        except ValueError:
            raise InputError(f"not an integer: {value!r:.60}", field=name) from None
        if least is not None and given < least:
            raise InputError(f"{given} is too small: at least {least}", field=name)
        return given

    return typer.Option(name, help=text, parser=number, metavar=metavar, show_default=False)


def rules_option(text: str) -> Any:  # noqa: ANN401 -- as above
    """Declare an option that takes a rule version."""
    versions = tuple(VERSIONS)
    text = f"{text}: {', '.join(versions[:-1])} or {versions[-1]}."
    return choice_option("--rules", versions, "rule version", text, "VERSION")


LangOption = Annotated[
    Lang,
    choice_option(
        "--lang",
        get_args(Lang),
        "language",
        "Language; default: the terminal's.",
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write JSON, one object a line, for programs.")
]
JobsOption = Annotated[
    int,
    number_option("--jobs", "N", "Processes to use; default: one for each core.", least=1),
]
HistoryArgument = Annotated[
    str,
    typer.Argument(
        metavar="HISTORY", help="A history file, also one that ends in .gz; - is standard input."
    ),
]
DisputeOption = Annotated[
    str | None,
    typer.Option("--dispute", metavar="ID", help="Which dispute, where the history has several."),
]
ReviewOption = Annotated[
    str | None,
    typer.Option(
        "--review", metavar="TEXT", help="Your own text on how to have it reviewed; it comes last."
    ),
]
HistoryOutputOption = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help=f"File to write (*{SUFFIX}[.gz]); - is standard output.",
    ),
]
