"""What people typed: every parameter of a command by the name that it has on the command line; paths and choices, read strictly."""

import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

from typer.models import ArgumentInfo, OptionInfo

from dispute_fsm.documents.source import unknown_value
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import NO_PATH


def parameters(command: Callable[..., object]) -> Mapping[str, str]:
    """Give the parameters of a command, each with its name on the command line, and have paths and choices read strictly.

    An empty path and a choice that is not known are an `InputError`, of one line, instead of a
    usage error.
    """
    typed: dict[str, str] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        annotation, *found = get_args(parameter.annotation)
        info: OptionInfo | ArgumentInfo = found[0]
        typed[name] = _typed(name, info)
        kinds = [kind for kind in _within(annotation) if isinstance(kind, type)]
        if Path in kinds:
            info.parser = _path_of(typed[name])
        elif choices := [kind for kind in kinds if issubclass(kind, StrEnum)]:
            info.parser = _choice_of(choices[0], typed[name])
            info.metavar = "|".join(choices[0])
    return typed


def _typed(name: str, info: OptionInfo | ArgumentInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return info.metavar or name
    declared = [
        one for one in (info.default, *(info.param_decls or ())) if isinstance(one, str)
    ]  # typer takes the first for a default
    return declared[0] if declared else f"--{name.replace('_', '-')}"


def _within(annotation: Any) -> list[Any]:  # noqa: ANN401 -- a type, or a generic with types in it
    return [
        annotation,
        *(inner for argument in get_args(annotation) for inner in _within(argument)),
    ]


def _path_of(parameter: str) -> Callable[[str], Path]:
    def path(given: str) -> Path:
        if not given:
            raise InputError(NO_PATH, field=parameter)
        return Path(given)

    return path


def _choice_of(choices: type[StrEnum], parameter: str) -> Callable[[str], StrEnum]:
    def choice(given: str) -> StrEnum:
        if given not in [*choices]:
            what = choices.__name__.removesuffix("Choice").lower()
            raise InputError(unknown_value(given, [*choices], what), field=parameter)
        return choices(given)

    return choice


def as_typed(fault: InputError, typed: Mapping[str, str]) -> InputError:
    """Return an error of an argument of ours with the name of what was typed; one of a file names a field there."""
    return (
        fault
        if fault.file is not None
        else InputError(fault.message, field=typed.get(fault.field or "", fault.field))
    )
