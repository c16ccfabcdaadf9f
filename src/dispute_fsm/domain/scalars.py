"""The strict base of every model, and the scalar types that they share.

Everything that enters the package passes one of these models once, at the border; inside, values
are trusted. An event passes its model when it is made, so that nothing is recorded that could not
be read back. Unknown fields are errors, nothing is coerced: a number is no text, a naive datetime
is no instant.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, NoReturn, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)

MAX_TEXT = 65_536
"""Technical bound of one text, in code points: far above every limit of the rules, far below what could hurt a store."""

MAX_INTEGER = 2**53 - 1
"""Largest integer that every JSON reader keeps exact (RFC 8785 rests on IEEE doubles)."""

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_FINER = re.compile(r"(\.\d{6})\d+", re.ASCII)
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_MOST_DIGITS = 18
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_FIRST, _END = datetime(1971, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_END_OF_DUES = datetime(2400, 1, 1, tzinfo=UTC)
_LONGEST = timedelta(days=36_500)


K = TypeVar("K")
V = TypeVar("V")
E = TypeVar("E", bound=StrEnum)


class FrozenMap(dict[K, V]):
    """A mapping that cannot be changed; it can be hashed, copied and pickled like any other frozen value.

    It is a dict, so that nothing is slower than with one. Whatever would change it raises
    `TypeError`.
    """

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[Self], tuple[dict[K, V]]]:
        return type(self), (dict(self),)

    def __repr__(self) -> str:
        return f"FrozenMap({dict(self)!r})"


def _unchanged(_frozen: object, *_members: object, **_named: object) -> NoReturn:
    raise TypeError("a FrozenMap cannot be changed")


for _change in (
    "__setitem__",
    "__delitem__",
    "__ior__",
    "clear",
    "pop",
    "popitem",
    "setdefault",
    "update",
):
    setattr(FrozenMap, _change, _unchanged)


class Strict(BaseModel):
    """Frozen; unknown fields are errors; no coercion."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class Recorded(Strict):
    """A model that comes from outside and stands in an event: it is checked again there, as it may be of a class of the host's.

    What such a class knows beyond this one is an error, for nobody has said that it may be
    recorded.
    """

    model_config = ConfigDict(revalidate_instances="always")


def parse_instant(value: object) -> datetime:
    """Read an instant: RFC 3339 text or an aware datetime; the result is in UTC.

    Raises `ValueError` where the offset is missing (a naive time means a different instant in every
    zone), where the text is not RFC 3339, or outside the years 1971 to 2199 (UTC).
    """
    return _within(_aware(value), _END)


def _parse_due(value: object) -> datetime:
    # What is due is counted from an instant that was read, so it may lie beyond the last of these.
    return _within(_aware(value), _END_OF_DUES)


def _within(instant: datetime, end: datetime) -> datetime:
    if not _FIRST <= instant < end:
        msg = f"{instant.isoformat()} lies outside the years {_FIRST.year} to {end.year - 1} (UTC)"
        raise ValueError(msg)
    return instant.astimezone(UTC)


def _aware(value: object) -> datetime:
    if isinstance(value, str):
        if not _RFC3339.fullmatch(value):
            how = "write it as RFC 3339 with an offset, e.g. 2023-03-28T10:00:00+08:00"
            if _RFC3339.fullmatch(_FINER.sub(r"\1", value)):
                how = "at most six digits of a second are read, which are microseconds"
            raise ValueError(f"{value[:40]!r} is not an instant: {how}")
        value = datetime.fromisoformat(value.upper())
    if not isinstance(value, datetime):
        msg = "not an instant: write it as RFC 3339 with an offset, e.g. 2023-03-28T10:00:00+08:00"
        raise ValueError(msg)  # noqa: TRY004 -- pydantic reports ValueError as a field's fault, TypeError would escape
    if value.utcoffset() is None:
        msg = f"{value.isoformat()} has no offset from UTC: add one, e.g. +08:00 or Z"
        raise ValueError(msg)
    return value


def format_instant(value: datetime) -> str:
    """Write an instant as RFC 3339 in UTC, e.g. `2023-03-28T02:00:00Z`: the same instant is always the same text."""
    at = value if value.tzinfo is UTC else value.astimezone(UTC)
    return at.isoformat().replace("+00:00", "Z")


def parse_duration(value: object) -> timedelta:
    """Read a duration: digits with the units d, h, m, s in that order, e.g. `90m`, `1h30m`, `15d`.

    Raises `ValueError` where it is written otherwise or longer than a hundred years.
    """
    if isinstance(value, timedelta):
        length = value
    else:
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if not value or match is None:
            msg = (
                f"{value!r:.40} is not a duration: write digits with the units d, h, m, s, e.g. "
                "90m, 1h30m or 15d"
            )
            raise ValueError(msg)
        digits = ((digits or "").lstrip("0") or "0" for digits in match.groups())
        # Cut to this many digits, a longer number is still far beyond the longest duration.
        seconds = sum(
            int(count[:_MOST_DIGITS]) * size
            for count, (_, size) in zip(digits, _UNITS, strict=True)
        )
        length = timedelta(seconds=min(seconds, 2 * _LONGEST.total_seconds()))
    if length > _LONGEST:
        raise ValueError(f"{value!r:.40}: too long, a duration is at most {_LONGEST.days} days")
    if length < timedelta(0) or length.microseconds:
        raise ValueError(f"{value!r:.40}: a duration is whole seconds, and not negative")
    return length


def format_duration(value: timedelta) -> str:
    """Write a duration in its one canonical form: `1d` for 24 hours, `1h30m`, `0s`."""
    rest = int(value.total_seconds())
    parts: list[str] = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def written(pattern: str, words: str) -> AfterValidator:
    """Require a text of this form; the error says in words what the form is."""
    form = re.compile(pattern)

    def check(value: str) -> str:
        if form.fullmatch(value) is None:
            raise ValueError(f"{value!r:.60} is not {words}")
        return value

    return AfterValidator(check)


def _no_bytes(value: object) -> object:
    if isinstance(value, bytes):
        raise ValueError("this must be a text, not bytes")  # noqa: TRY004 -- pydantic reports ValueError as a field's fault
    return value


def _in_order(value: object) -> object:
    # A set has no order: what is written of it would differ from run to run.
    if isinstance(value, list):
        items: list[object] = value
        return tuple(items)
    return value


Named = Annotated[E, Field(strict=False), BeforeValidator(_no_bytes)]
"""A member of an enumeration, or its id as text."""

Series = Annotated[tuple[V, ...], BeforeValidator(_in_order)]
"""A list or tuple, held as a tuple."""

Instant = Annotated[
    datetime, BeforeValidator(parse_instant), PlainSerializer(format_instant, return_type=str)
]
"""An instant, aware, held in UTC, written as RFC 3339."""

DueInstant = Annotated[
    datetime, BeforeValidator(_parse_due), PlainSerializer(format_instant, return_type=str)
]
"""An instant at which a deadline is due: counted from an `Instant`, so it may lie later than any that can be read."""

Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)
]
"""A duration in whole seconds, written like `15d` or `1h30m`."""

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
"""Free text without lone surrogates. Rules may limit it further and refuse with a code; this bound is only technical."""

_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,200}")

Identifier = Annotated[Text, written(_LINE.pattern, "one line of 1 to 200 characters")]
"""An id given by another system, as it is recorded: opaque, one line, never empty."""


def visible(value: str) -> str:
    """Require a text in which something can be seen. Raises `ValueError` where it is blank."""
    if all(sign.isspace() or unicodedata.category(sign) == "Cf" for sign in value):
        raise ValueError(f"{value!r:.60} is blank: an id or key has a character that can be seen")
    return value


GivenIdentifier = Annotated[Identifier, AfterValidator(visible)]
"""An id as somebody hands it in: not blank either. A blank one that was recorded before still reads as an `Identifier`."""


def is_identifier(value: str) -> bool:
    """Tell whether a text can be an `Identifier`: what cannot names nothing."""
    return _LINE.fullmatch(value) is not None


ReasonId = Annotated[
    str, written(r"[\x21-\x7e]{1,64}", "an id: 1 to 64 ASCII characters without a space")
]
"""The id of an evidence reason, known or not: a word, so that no free text gets into the hashed part."""

Whole = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
"""A whole number that survives every JSON reader."""
