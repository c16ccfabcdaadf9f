"""The canonical form of JSON (RFC 8785), and digests over it.

The records of this package hold only texts, whole numbers of at most 53 bits, booleans, null,
lists, and mappings with ASCII keys; the strict models see to it. For such values msgspec's encoder,
told to sort members, *is* RFC 8785: no white space, minimal escapes. The tests compare it with an
independent implementation.
"""

import hashlib
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from dispute_fsm.domain.scalars import Strict, format_instant


@cache  # asked of pydantic each time, it would cost as much as the encoding
def _is_model(kind: type[Any]) -> bool:
    return issubclass(kind, Strict)


def _members(value: Any) -> object:  # noqa: ANN401 -- whatever msgspec does not know
    """Return what stands for a value that msgspec does not know: a model's members, each written as it is held."""
    if isinstance(value, datetime):  # of a class of its own, as where a host's tests stop the clock
        return format_instant(value)
    if _is_model(type(value)):  # type: ignore[arg-type]  # mypy does not see that a class can be hashed
        return vars(value)
    raise TypeError(f"a {type(value).__name__} is no JSON")


_ENCODE = msgspec.json.Encoder(enc_hook=_members, order="deterministic").encode


def canonical(value: object) -> bytes:
    """Return the RFC 8785 canonical form of a JSON value without floats and with ASCII keys, as UTF-8.

    An enumeration's member stands for its id, an instant in UTC for its text as `format_instant`
    writes it, a model for its members. So a model whose members have another form in JSON (a
    duration, a percentage) has to be dumped first.

    Raises `UnicodeEncodeError` for lone surrogates, `TypeError` for what is no JSON.
    """
    return _ENCODE(value)


def digest(value: object) -> str:
    """Return the SHA-256, in lower-case hex, of the canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()
