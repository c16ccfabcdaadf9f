"""The errors that a person can fix, as exit codes."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, get_args

import typer
from typer.models import ArgumentInfo, OptionInfo

from dispute_fsm.cli.app import Exit, print_error
from dispute_fsm.errors import (
    DisputeError,
    InputError,
    OrderSystemUnavailableError,
    StoreInvalidError,
    StoreUnavailableError,
)
from dispute_fsm.history.jsonl import NO_PATH

P = ParamSpec("P")


def reported(command: Callable[P, Exit]) -> Callable[P, None]:
    """Turn a command's result, and the errors that a person can fix, into an exit code.

    An `OSError` without a file name is left to `start`: what cannot be written to standard output
    is reported once, where it is flushed.
    """
    names = _names(command)

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except (OrderSystemUnavailableError, StoreUnavailableError, StoreInvalidError) as error:
            print_error(error)
            code = Exit.UNAVAILABLE
        except (DisputeError, OSError) as error:
            if isinstance(error, OSError) and error.filename is None:
                raise
            if isinstance(error, InputError) and error.file is None:  # an argument, not a file
                field = names.get(error.field or "", error.field)
                print_error(InputError(error.message, field=field))
            else:
                print_error(error)
            code = Exit.INVALID_INPUT
        raise typer.Exit(code)

    return run


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
        return info.metavar or name
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
