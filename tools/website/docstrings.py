"""Fits our docstrings to Sphinx: examples as code, words with labels, fields with plain types."""

import dataclasses
from collections.abc import Iterator
from inspect import isclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from sphinx.application import Sphinx

from dispute_fsm.domain.enums import Labelled
from dispute_fsm.events import AuditEvent

_NO_DEFAULT = object()


def format_docstring(
    _app: Sphinx, _what: str, _name: str, value: object, _options: object, lines: list[str]
) -> None:
    """Mark an indented example as code."""
    example = False
    for index, line in reversed([*enumerate(lines)]):
        if line.strip():
            if example and not line.startswith("    "):
                lines[index + 1 : index + 1] = ["", "::"]
            example = line.startswith("    ")
    if isclass(value) and issubclass(value, Labelled):
        lines += ["", *(f"- ``{word.value}``: {word.zh} · {word.en}" for word in value)]


def plain_signature(
    _app: Sphinx, _what: str, _name: str, value: object, _options: object, _args: str, _result: str
) -> tuple[str, str] | None:
    """Show the fields of a value by plain types, without what validates them.

    Words and events are looked up and read, and never made by a call.
    """
    if not isclass(value):
        return None
    if issubclass(value, (Labelled, AuditEvent)):
        return "", ""
    if issubclass(value, BaseModel) or dataclasses.is_dataclass(value):
        shown = (_field(*field) for field in _fields(value))
        return f"({', '.join(shown)})", ""
    return None


def _fields(value: Any) -> Iterator[tuple[str, object, object]]:  # noqa: ANN401 -- either kind
    """Yield the fields of a model or a dataclass: name, type, default."""
    if issubclass(value, BaseModel):
        yield "*", None, _NO_DEFAULT
        for name, info in value.model_fields.items():
            default = _NO_DEFAULT if info.is_required() else info.default
            yield info.alias or name, info.annotation, default
        return
    for field in dataclasses.fields(value):
        if field.init:
            missing = field.default is dataclasses.MISSING
            yield field.name, field.type, _NO_DEFAULT if missing else field.default


def _field(name: str, annotation: object, default: object) -> str:
    typed = name if annotation is None else f"{name}: {plain_type(annotation)}"
    return typed if default is _NO_DEFAULT else f"{typed} = {getattr(default, '__name__', default)}"


def plain_type(annotation: Any) -> str:  # noqa: ANN401 -- whatever stands as a type
    """Write a type without its metadata."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return plain_type(inner[0])
    if origin in {Union, UnionType}:
        return " | ".join(map(plain_type, inner))
    if annotation is type(None):
        return "None"
    if isinstance(annotation, list):  # the parameters of a callable
        return f"[{', '.join(map(plain_type, annotation))}]"
    name = getattr(origin or annotation, "__name__", str(annotation))
    if not inner or isinstance(annotation, str):
        return name
    parts = ("..." if part is ... else plain_type(part) for part in inner)
    return f"{name}[{', '.join(parts)}]"


def skip_member(
    _app: Sphinx, _what: str, name: str, _value: object, _skip: object, _options: object
) -> bool | None:
    """Leave out what pydantic adds to every model."""
    return True if name.startswith("model_") else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("autodoc-process-docstring", format_docstring)
    app.connect("autodoc-process-signature", plain_signature)
    app.connect("autodoc-skip-member", skip_member)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
