"""The strict base of every model, and the scalar types that they share.

Everything that enters the package is validated once, at the border; inside, values are trusted, and
models are made of them without validation (`made`). Unknown fields are errors, and nothing
is coerced: a number is not a string, a naive datetime is not an instant.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from functools import cache, lru_cache
from typing import Annotated, Any, NoReturn, Self, TypeVar

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
)
from pydantic_core import CoreSchema, core_schema

MAX_TEXT = 65_536
"""Technical limit of one text, in code points: far above every limit of the rules."""

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8785 uses IEEE doubles)."""

NOT_WRITTEN = "not_written"
"""The type of the error about a text that does not have the form it must have."""

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_INSTANT_HINT = "write it as RFC 3339 with an offset, e.g. 2023-03-28T10:00:00+08:00"
_FINER = re.compile(r"(\.\d{6})\d+", re.ASCII)
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_MOST_DIGITS = 18
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_FIRST, _END = datetime(1971, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_END_OF_DUE = datetime(2400, 1, 1, tzinfo=UTC)
_LONGEST = timedelta(days=36_500)

K = TypeVar("K")
V = TypeVar("V")
E = TypeVar("E", bound=StrEnum)
M = TypeVar("M", bound=BaseModel)


class FrozenMap(dict[K, V]):
    """An immutable mapping; it can be hashed, copied and pickled.

    It is a dict, and as fast as one. Every change raises `TypeError`.
    """

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[Self], tuple[dict[K, V]]]:
        return type(self), (dict(self),)

    def __repr__(self) -> str:
        return f"FrozenMap({dict(self)!r})"


def _reject_change(_frozen: object, *_members: object, **_named: object) -> NoReturn:
    raise TypeError("a FrozenMap cannot be changed")


for _name in (
    "__setitem__",
    "__delitem__",
    "__ior__",
    "clear",
    "pop",
    "popitem",
    "setdefault",
    "update",
):
    setattr(FrozenMap, _name, _reject_change)


class Strict(BaseModel):
    """Frozen; unknown fields are errors; no coercion."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        defer_build=True,  # no process uses every model, and building one costs most of its import
    )


_ENCODE = msgspec.json.Encoder().encode
_new = object.__new__
_set_members, _set_given, _set_extra, _set_private = (
    vars(BaseModel)[name].__set__
    for name in (
        "__dict__",
        "__pydantic_fields_set__",
        "__pydantic_extra__",
        "__pydantic_private__",
    )
)
"""The slots of a model: to set them so takes two thirds of `object.__setattr__`."""


@cache
def _every_field(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)  # shared, as nothing changes that of a frozen model


def made(model: type[M], members: dict[str, Any]) -> M:
    """Make a model of all its members, in the order of its fields, without validation.

    Only for members that are valid already: validated at the border, or computed from such.
    """
    value = _new(model)
    _set_members(value, members)
    _set_given(value, _every_field(model))
    _set_extra(value, None)
    _set_private(value, None)
    return value


class Recorded(Strict):
    """A model from outside that is part of an event: validated again there.

    The value may be of a subclass of the host's. The fields that such a class adds are errors,
    because nobody has declared that they may be recorded.
    """

    model_config = ConfigDict(revalidate_instances="always")


def parse_instant(value: object) -> datetime:
    """Read an instant: RFC 3339 text or an aware datetime; the result is in UTC.

    Raises `ValueError` if the offset is missing (a naive time is a different instant in every
    zone), if the text is not RFC 3339, or outside the years 1971 to 2199 (UTC).
    """
    if type(value) is datetime and value.tzinfo is UTC and _FIRST <= value < _END:
        return value  # the common case: it has been read before
    return _read(value, _END) if isinstance(value, str) else _within(value, _END)


def _parse_due(value: object) -> datetime:
    # A due instant is counted from an instant, so it may be later than the last of these.
    if type(value) is datetime and value.tzinfo is UTC and _FIRST <= value < _END:
        return value
    return _read(value, _END_OF_DUE) if isinstance(value, str) else _within(value, _END_OF_DUE)


@lru_cache(4_096)  # the instants of a dispute recur in its events, facts and deadlines
def _read(text: str, end: datetime) -> datetime:
    if not _RFC3339.fullmatch(text):
        too_fine = _RFC3339.fullmatch(_FINER.sub(r"\1", text))
        hint = "at most six digits of a second (microseconds)" if too_fine else _INSTANT_HINT
        raise ValueError(f"{text[:40]!r} is not an instant: {hint}")
    return _within(datetime.fromisoformat(text.upper()), end)


def _within(value: object, end: datetime) -> datetime:
    if not isinstance(value, datetime):
        raise ValueError(f"not an instant: {_INSTANT_HINT}")  # noqa: TRY004 -- for pydantic
    if value.utcoffset() is None:
        raise ValueError(f"{value.isoformat()} has no offset from UTC: add one, e.g. +08:00 or Z")
    if not _FIRST <= value < end:
        raise ValueError(
            f"{value.isoformat()} is outside the years {_FIRST.year} to {end.year - 1} (UTC)"
        )
    return value.astimezone(UTC)


def format_instant(value: datetime) -> str:
    """Format an instant as RFC 3339 in UTC, its canonical form, e.g. `2023-03-28T02:00:00Z`."""
    at = value if value.tzinfo is UTC else value.astimezone(UTC)
    if type(at) is datetime:
        return _ENCODE(at)[1:-1].decode()  # several times as fast as `isoformat`
    return f"{at.isoformat()[:-6]}Z"


def parse_duration(value: object) -> timedelta:
    """Read a duration: digits with the units d, h, m, s in that order, e.g. `90m`, `1h30m`, `15d`.

    Raises `ValueError` for any other form, and for more than a hundred years.
    """
    if isinstance(value, timedelta):
        length = value
    else:
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if not value or match is None:
            raise ValueError(
                f"{value!r:.40} is not a duration: write digits with the units d, h, m, s, e.g. "
                "90m, 1h30m or 15d"
            )
        # Cut to so many digits, a longer number is still far beyond the longest duration.
        seconds = sum(
            int(digits.lstrip("0")[:_MOST_DIGITS] or 0) * size
            for digits, size in zip(match.groups("0"), _UNITS.values(), strict=True)
        )
        length = timedelta(seconds=min(seconds, 2 * _LONGEST.total_seconds()))
    if length > _LONGEST:
        raise ValueError(f"{value!r:.40} is too long: a duration is at most {_LONGEST.days} days")
    if length < timedelta(0) or length.microseconds:
        raise ValueError(f"{value!r:.40}: a duration is in whole seconds and not negative")
    return length


@lru_cache(64)  # the same terms of the same policies
def format_duration(value: timedelta) -> str:
    """Format a duration in its one canonical form: `1d` for 24 hours, `1h30m`, `0s`."""
    rest, text = int(value.total_seconds()), ""
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def written(pattern: str, description: str) -> GetPydanticSchema:
    """Require a text that matches a pattern; the error has its description."""
    form = core_schema.custom_error_schema(
        core_schema.str_schema(pattern=f"^(?:{pattern})$"),
        custom_error_type=NOT_WRITTEN,
        custom_error_message="expected {description}",
        custom_error_context={"description": description},
    )
    return GetPydanticSchema(lambda kind, text: core_schema.chain_schema([text(kind), form]))


def _named(kind: type[Enum], _: GetCoreSchemaHandler) -> CoreSchema:
    return core_schema.enum_schema(kind, list(kind), strict=False)


def _in_order(kind: object, handler: GetCoreSchemaHandler) -> CoreSchema:
    # Not from a set: it has no order, so its records would differ from run to run.
    listed = core_schema.custom_error_schema(
        core_schema.is_instance_schema((list, tuple)), custom_error_type="tuple_type"
    )
    series = handler(kind)
    return core_schema.json_or_python_schema(series, core_schema.chain_schema([listed, series]))


Named = Annotated[E, GetPydanticSchema(_named)]
"""A member of an enumeration, or its id as a string."""

Series = Annotated[tuple[V, ...], Field(strict=False), GetPydanticSchema(_in_order)]
"""A list or tuple, stored as a tuple."""

_AS_TEXT = PlainSerializer(format_instant, return_type=str)

Instant = Annotated[datetime, PlainValidator(parse_instant), _AS_TEXT]
"""An aware instant, stored in UTC, written as RFC 3339."""

DueInstant = Annotated[datetime, PlainValidator(_parse_due), _AS_TEXT]
"""An instant at which a deadline is due: counted from an `Instant`, so it may be later than any."""

Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)
]
"""A duration in whole seconds, written like `15d` or `1h30m`."""

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
"""Free text without lone surrogates. This limit is technical; rules refuse with a code."""

_LINE = r"[\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]{1,200}"

Identifier = Annotated[Text, written(_LINE, "one line of 1 to 200 characters")]
"""An id of another system, as it is recorded: opaque, one line, never empty."""


def visible(value: str) -> str:
    """Require at least one visible character. Raises `ValueError` if the text is blank."""
    if all(char.isspace() or unicodedata.category(char) == "Cf" for char in value):
        raise ValueError(f"{value!r:.60} is blank: an id or key needs a visible character")
    return value


GivenIdentifier = Annotated[Identifier, AfterValidator(visible)]
"""An id as input: not blank either. A blank id in an old record is still an `Identifier`."""


def is_identifier(value: str) -> bool:
    """Tell whether a text can be an `Identifier`; if not, nothing has this id."""
    return re.fullmatch(_LINE, value) is not None


ReasonId = Annotated[
    str, written(r"[\x21-\x7e]{1,64}", "an id: 1 to 64 ASCII characters without a space")
]
"""The id of an evidence reason, known or not: no free text, as it is part of the hash."""

Whole = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
"""A non-negative integer that every JSON reader keeps exact."""
