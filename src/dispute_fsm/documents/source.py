"""A YAML file as read, and errors in it: file, line, field, what is wrong and what to do.

Also turns pydantic's errors into `InputError` for content that comes from a program.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dispute_fsm.domain.scalars import NOT_WRITTEN, format_instant
from dispute_fsm.errors import InputError
from dispute_fsm.suggestions import nearest, suggestion

FieldPath: TypeAlias = tuple[str | int, ...]
"""The keys and list indices that lead from the top of a file to a value."""

Model = TypeVar("Model", bound=BaseModel)
T = TypeVar("T")

NOT_A_MAPPING = "expected a mapping of fields"
_WORD = re.compile(r"[\w-]{1,60}")
_LONGEST_QUOTE = 60
_UNKNOWN, _MISSING = "extra_forbidden", "missing"
_MESSAGES = {
    _MISSING: "this field is missing",
    "string_type": "expected a string; put it in quotes",
    "bool_type": "expected true or false, without quotes",
    "int_type": "expected an integer, without quotes",
    "tuple_type": "expected a list",
    "string_too_long": "this string is too long",
    "too_long": "this list has too many items",
    "model_type": NOT_A_MAPPING,
}


@dataclass(frozen=True, slots=True)
class YamlSource:
    """A YAML file as read: its content as plain values, and the line of each value."""

    file: str

    value: object
    """Consists of dict, list, str, int, bool, None, datetime and date only."""

    lines: Mapping[FieldPath, int]
    """The line, from 1, of every value by its path; for a member of a mapping, that of its key."""

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line of a field; if it is missing, that of the nearest value around it."""
        around = (tuple(path[:length]) for length in range(len(path), -1, -1))
        return next(self.lines[field] for field in around if field in self.lines)

    def error(self, path: FieldPath, message: str) -> InputError:
        """Return the error for a problem at this path."""
        return InputError(
            message, file=self.file, line=self.line(path), field=field_name(path) or None
        )

    def validate(self, model: type[Model], value: object, path: FieldPath) -> Model:
        """Validate a part of the file. Raises `InputError` for the first error in the file."""
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise self.first_error(error, model, value, path) from None

    def first_error(
        self, error: ValidationError, model: type[BaseModel], value: object, path: FieldPath
    ) -> InputError:
        """Return the first error of a validation, in the order of the file's lines.

        If an unknown field is a misspelling of a missing one, only the unknown field is reported.
        """
        errors = [(_path_within(value, details), details) for details in error.errors()]
        unknown = [field for field, details in errors if details["type"] == _UNKNOWN]
        misspelt_in = {
            field[:-1]
            for field, details in errors
            if details["type"] == _MISSING and _is_misspelt(field, unknown)
        }
        field, details = min(
            (
                (field, details)
                for field, details in errors
                if details["type"] != _MISSING or field[:-1] not in misspelt_in
            ),
            key=lambda item: self.line((*path, *item[0])),
        )
        return self.error((*path, *field), _message(details, field, model))

    def choice(self, value: object, known: Sequence[str], path: FieldPath, what: str) -> str:
        """Require one of the known values."""
        if not isinstance(value, str) or value not in known:
            raise self.error(path, unknown_value(value, known, what))
        return value

    def fields(
        self, value: object, known: Sequence[str], path: FieldPath, errors: "ErrorCollector"
    ) -> Mapping[str, object]:
        """Require a mapping; each unknown field is an error among others."""
        if not isinstance(value, dict):
            raise self.error(path, NOT_A_MAPPING)
        fields = cast("dict[str, object]", value)
        errors.errors += [
            self.error((*path, name), f"unknown field{suggestion(name, known)}")
            for name in fields
            if name not in known
        ]
        return fields


class ErrorCollector:
    """Collects the errors of independent parts of a file, so that the first can be reported."""

    def __init__(self) -> None:
        self.errors: list[InputError] = []

    def attempt(self, read: Callable[[], T]) -> T | None:
        """Read a part; None if it has an error."""
        try:
            return read()
        except InputError as error:
            self.errors.append(error)
            return None

    def first(self) -> InputError:
        """Return the error that comes first in the file."""
        return min(self.errors, key=lambda error: error.line or 0)

    def raise_first(self) -> None:
        """Raise the error that comes first in the file, if there is any."""
        if self.errors:
            raise self.first()


def field_name(path: Sequence[str | int]) -> str:
    """Format a path as a person would write it: `steps[2].with.option`."""
    parts = (
        f".{part}" if isinstance(part, str) and _WORD.fullmatch(part) else f"[{_index(part)}]"
        for part in path
    )
    return "".join(parts).removeprefix(".")


def _index(part: str | int) -> str:
    return quoted(part) if isinstance(part, str) else str(part)


def quoted(text: str) -> str:
    """Quote a text for YAML: shortened if long, escaped if a terminal could misread it."""
    shown = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"
    return json.dumps(shown, ensure_ascii=not shown.isprintable())


def input_error(details: ErrorDetails, value: object, model: type[BaseModel]) -> InputError:
    """Return the error for one of pydantic's errors in content without lines."""
    field = _path_within(value, details) or details["loc"]
    return InputError(_message(details, field, model), field=field_name(field) or None)


def validate(model: type[Model], members: Mapping[str, object]) -> Model:
    """Validate what a program passes. Raises `InputError` for the first error."""
    try:
        return model.model_validate(dict(members))
    except ValidationError as error:
        # A default that is computed from other fields is not an error of its own.
        details = (item for item in error.errors() if item["type"] != "default_factory_not_called")
        raise input_error(next(details), members, model) from None


def unknown_value(value: object, known: Sequence[str], what: str) -> str:
    """Return the message for a value that is not one of the known ones."""
    return f"unknown {what} {_formatted(value)}{suggestion(str(value), known)}"


def _is_misspelt(missing: FieldPath, unknown: Sequence[FieldPath]) -> bool:
    """Tell whether an unknown field of the same mapping resembles a missing one."""
    siblings = [str(field[-1]) for field in unknown if field[:-1] == missing[:-1]]
    return nearest(str(missing[-1]), siblings) is not None


def _path_within(value: Any, details: ErrorDetails) -> FieldPath:  # noqa: ANN401 -- any content
    """Follow an error's location into the value, without pydantic's names of union members."""
    path: list[str | int] = []
    for part in details["loc"]:
        members: dict[Any, Any] = {}
        if isinstance(value, list):
            members = dict(enumerate(value))
        elif isinstance(value, dict):
            members = value
        if part in members:
            value = members[part]
            path.append(part)
        elif details["type"] == _MISSING and part == details["loc"][-1]:
            path.append(part)
    return tuple(path)


def _message(details: ErrorDetails, field: FieldPath, model: type[BaseModel]) -> str:
    kind, message = details["type"], details["msg"]
    if kind == _UNKNOWN:
        return f"unknown field{suggestion(str(field[-1]), _known_fields(model, field[:-1]))}"
    if kind in {"enum", "literal_error"}:
        known = re.findall(r"'([^']*)'", details.get("ctx", {}).get("expected", ""))
        return unknown_value(details["input"], known, "value")
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind == NOT_WRITTEN:
        return f"{details['input']!r:.60} is not {message.removeprefix('expected ')}"
    return _MESSAGES.get(kind, message[0].lower() + message[1:])


def _formatted(value: object) -> str:
    """Format a value as in the file, or nearly."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return format_instant(value) if isinstance(value, datetime) else f"{value!r:.60}"


def _known_fields(model: type[BaseModel], path: FieldPath) -> list[str]:
    """Return the names of the fields of the model at a path within another."""
    for part in path:
        annotations = {
            field.alias or name: field.annotation for name, field in model.model_fields.items()
        }
        model = model_in(annotations.get(str(part))) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def model_in(annotation: object) -> type[BaseModel] | None:
    """Return the model within an annotation such as `tuple[Prompt, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(
        (model for inner in get_args(annotation) if (model := model_in(inner)) is not None), None
    )
