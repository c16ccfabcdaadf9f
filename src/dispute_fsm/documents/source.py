"""A document as read, and errors in it: from pydantic's errors to ours, with file, line, field, what is wrong, what to do."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, TypeAlias, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.errors import InputError

FieldPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands: the keys and, within lists, the positions that lead to it from the top."""

_WORD = re.compile(r"[\w-]+")
_LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True)
class YamlText:
    """The content of a YAML file in plain values, and the line on which each of them stands."""

    value: object
    """Made of dict, list, str, int, bool, None, datetime and date only."""
    lines: Mapping[FieldPath, int]
    """The line, from 1, of every value by its path; for a member of a mapping, the line of its key."""

    def line(self, path: Sequence[str | int]) -> int:
        """Give the line of a field; where it is missing, that of the deepest value around it."""
        around = (tuple(path[:length]) for length in range(len(path), -1, -1))
        return next(self.lines[place] for place in around if place in self.lines)


def field_name(path: Sequence[str | int]) -> str:
    """Write a path as a person would: `steps[2].with.option`."""
    return "".join(_step(part) for part in path).removeprefix(".")


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return (
        f".{part}" if _WORD.fullmatch(part) and len(part) <= _LONGEST_QUOTE else f"[{quoted(part)}]"
    )


def quoted(text: str) -> str:
    """Quote a text as YAML would read it; cut where long, escaped where it could play tricks on a terminal."""
    shown = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"
    return json.dumps(shown, ensure_ascii=not shown.isprintable())


Model = TypeVar("Model", bound=BaseModel)
T = TypeVar("T")
_UNKNOWN, _MISSING = "extra_forbidden", "missing"
_TYPES = {
    "string_type": "this must be a text; put it in quotes",
    "bool_type": "this must be true or false, without quotes",
    "int_type": "this must be a whole number, without quotes",
    "tuple_type": "this must be a list",
    "string_too_long": "this text is too long to be taken at all",
    "too_long": "these are too many to be taken at all",
    "model_type": "this must be a mapping of fields",
}


@dataclass(frozen=True, slots=True)
class YamlSource:
    """A YAML file as read: turns a problem at a path into an `InputError` with its place."""

    file: str
    text: YamlText

    def fault(self, path: FieldPath, message: str) -> InputError:
        """Return the error for a problem at this path."""
        return InputError(
            message, file=self.file, line=self.text.line(path), field=field_name(path) or None
        )

    def validated(self, model: type[Model], value: object, path: FieldPath) -> Model:
        """Validate a part of the file. Raises `InputError` for the first problem in the file's order."""
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise self.first(error, model, value, path) from None

    def first(
        self, error: ValidationError, model: type[BaseModel], value: object, path: FieldPath
    ) -> InputError:
        """Return the first of a validation's problems, in the order of the file's lines.

        Where a missing field stands there misspelt, the misspelt one comes before all that is
        missing beside it.
        """
        found = [(_within(value, details), details) for details in error.errors(include_url=False)]
        unknown, missing = (
            [where for where, details in found if details["type"] == kind]
            for kind in (_UNKNOWN, _MISSING)
        )
        misspelt_in = {where[:-1] for where in missing if _is_misspelt(where, unknown)}
        found = [
            (where, details)
            for where, details in found
            if details["type"] != _MISSING or where[:-1] not in misspelt_in
        ]
        where, details = min(found, key=lambda item: self.text.line((*path, *item[0])))
        return self.fault((*path, *where), _words(details, where, model))

    def choice(self, value: object, known: Sequence[str], path: FieldPath, what: str) -> str:
        """Require one of the known words."""
        if not isinstance(value, str) or value not in known:
            raise self.fault(path, f"{_shown(value)} is no {what}{meant(str(value), known)}")
        return value

    def mapping(self, value: object, known: Sequence[str], path: FieldPath) -> Mapping[str, object]:
        """Require a mapping with known fields only."""
        faults = Faults()
        fields = self.fields(value, known, path, faults)
        if faults.found:
            raise faults.first()
        return fields

    def fields(
        self, value: object, known: Sequence[str], path: FieldPath, faults: "Faults"
    ) -> Mapping[str, object]:
        """Require a mapping; fields that are not known are faults among others."""
        if not isinstance(value, dict):
            raise self.fault(path, f"expected fields: {', '.join(known)}")
        fields = cast("dict[str, object]", value)
        unknown = [name for name in fields if name not in known]
        faults.found.extend(
            self.fault((*path, name), f"unknown field{meant(name, known)}") for name in unknown
        )
        return fields


class Faults:
    """What is wrong with parts that can be read apart, so that the first in the file is the one that is named."""

    def __init__(self) -> None:
        self.found: list[InputError] = []

    def tried(self, read: Callable[[], T]) -> T | None:
        """Read a part; None where it has a fault."""
        try:
            return read()
        except InputError as fault:
            self.found.append(fault)
            return None

    def stop_unless(self, *, complete: bool) -> None:
        """Raise the first fault where a field is missing that an unknown one may be meant for: the rest would only follow from it."""
        if self.found and not complete:
            raise self.first()

    def first(self) -> InputError:
        """Return the fault that stands first in the file."""
        return min(self.found, key=lambda fault: fault.line or 0)


def fault_of(details: ErrorDetails, value: object, model: type[BaseModel]) -> InputError:
    """Return the error for one of a validation's problems, of content whose lines nobody knows."""
    where = _within(value, details) or details["loc"]
    return InputError(_words(details, where, model), field=field_name(where) or None)


def checked(model: type[Model], members: Mapping[str, object]) -> Model:
    """Validate what a program hands in. Raises `InputError` for the first problem."""
    try:
        return model.model_validate(dict(members))
    except ValidationError as error:
        found = error.errors(
            include_url=False
        )  # a default that is made of other fields is no problem of its own
        raise fault_of(
            next(one for one in found if one["type"] != "default_factory_not_called"),
            members,
            model,
        ) from None


def unknown(value: object, known: Sequence[str], what: str) -> str:
    """Say that a word is none of those that are known, and which may have been meant."""
    return f"there is no {what} {value!r:.60}{meant(str(value), known)}"


def _is_misspelt(missing: FieldPath, unknown: Sequence[FieldPath]) -> bool:
    """Tell whether an unknown field beside a missing one is like it."""
    beside = [str(where[-1]) for where in unknown if where[:-1] == missing[:-1]]
    return bool(get_close_matches(str(missing[-1]), beside, n=1))


def _within(value: Any, details: ErrorDetails) -> FieldPath:  # noqa: ANN401 -- content of a file, of any shape
    """Follow an error's location into the value; pydantic's names for the members of a union are no part of the file."""
    path: list[str | int] = []
    for part in details["loc"]:
        members: dict[Any, Any] = (
            dict(enumerate(value))
            if isinstance(value, list)
            else value
            if isinstance(value, dict)
            else {}
        )
        if part in members:
            value = members[part]
            path.append(part)
        elif details["type"] == _MISSING and part == details["loc"][-1]:
            path.append(part)
    return tuple(path)


def _words(details: ErrorDetails, where: FieldPath, model: type[BaseModel]) -> str:
    kind, message = details["type"], details["msg"]
    if kind == _UNKNOWN:
        return f"unknown field{meant(str(where[-1]), _fields(model, where[:-1]))}"
    if kind == _MISSING:
        return "this field is missing"
    if kind in {"enum", "literal_error"}:
        known = re.findall(r"'([^']*)'", details.get("ctx", {}).get("expected", ""))
        return f"{_shown(details['input'])} is not known{meant(str(details['input']), known)}"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    return _TYPES.get(kind, message[0].lower() + message[1:])


def _shown(value: object) -> str:
    """Write a value as it stands in the file, or nearly."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return format_instant(value) if isinstance(value, datetime) else f"{value!r:.60}"


def meant(word: str, known: Sequence[str]) -> str:
    """Say which of the known words may have been meant by one that is none of them; where none is like it, which there are."""
    close = get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known are: {', '.join(known)}" if known else ""


def _fields(model: type[BaseModel], where: FieldPath) -> list[str]:
    """Name the fields of the model at a path within another."""
    at: Any = model
    for part in where:
        if isinstance(part, str) and issubclass(at, BaseModel):
            by_name = {
                field.alias or name: field.annotation for name, field in at.model_fields.items()
            }
            inner = _model_in(by_name.get(part))
            at = inner or at
    return [field.alias or name for name, field in at.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Find the model that an annotation such as `tuple[Prompt, ...] | None` is about."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(
        (model for inner in get_args(annotation) if (model := _model_in(inner)) is not None), None
    )
