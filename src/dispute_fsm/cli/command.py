"""How a command is declared: a function that returns its exit code, and its docstring as help."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, get_args

import typer
from typer.models import ArgumentInfo, OptionInfo

from dispute_fsm.cli import GROUPS
from dispute_fsm.cli.app import Exit, app
from dispute_fsm.cli.help import CliCommand, paragraphs
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import NO_PATH

P = ParamSpec("P")


def command(
    name: str, group: typer.Typer = app
) -> Callable[[Callable[P, Exit]], Callable[P, None]]:
    """Declare a command of the application, or of a group within it."""

    def declare(function: Callable[P, Exit]) -> Callable[P, None]:
        names = _names(function)

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                code = function(*args, **kwargs)
            except InputError as error:
                if error.file is None:  # an argument, not a file
                    error = type(error)(
                        error.message, field=names.get(error.field or "", error.field)
                    )
                raise error from None
            raise typer.Exit(code)

        panel = next((panel for panel, commands in GROUPS.items() if name in commands), None)
        text = paragraphs(function.__doc__ or "")
        group.command(name, cls=CliCommand, help=text, rich_help_panel=panel)(run)
        return run

    return declare


def _names(command: Callable[..., object]) -> dict[str, str]:
    """Return the name on the command line of each parameter; an empty path becomes an error."""
    names: dict[str, str] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        annotation, info = get_args(parameter.annotation)
        names[name] = _name(name, info)
        if _takes_path(annotation):
            info.parser = _path_parser(names[name])
    return names


def _name(name: str, info: OptionInfo | ArgumentInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return (info.metavar or name).removesuffix("...")
    # Typer takes the first declared name for a default.
    declared = (info.default, *(info.param_decls or ()))
    names = (text for text in declared if isinstance(text, str))
    return next(names, f"--{name.replace('_', '-')}")


def _takes_path(annotation: object) -> bool:
    return annotation is Path or any(map(_takes_path, get_args(annotation)))


def _path_parser(name: str) -> Callable[[str], Path]:
    def path(value: str) -> Path:
        if not value:
            raise InputError(NO_PATH, field=name)
        return Path(value)

    return path
