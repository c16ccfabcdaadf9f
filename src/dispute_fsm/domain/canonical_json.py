"""The canonical form of JSON (RFC 8785), and digests over it.

The records of this package contain only strings, integers of at most 53 bits, booleans, null,
lists, and mappings with ASCII keys; the strict models ensure that. For such values msgspec's
encoder with sorted members is RFC 8785: no white space, minimal escapes. The tests compare it with
an independent implementation.
"""

import hashlib
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from dispute_fsm.domain.scalars import Strict, format_instant


@cache  # without a cache, this check would cost as much as the encoding
def _is_model(kind: type[Any]) -> bool:
    return issubclass(kind, Strict)


def _encode_other(value: Any) -> object:  # noqa: ANN401 -- whatever msgspec does not know
    """Encode a value that msgspec does not know: for a model, its members."""
    if _is_model(type(value)):  # type: ignore[arg-type]  # mypy: a class can be hashed
        return value.__dict__
    if isinstance(value, datetime):  # of a subclass, e.g. if a host's tests stop the clock
        return format_instant(value)
    if isinstance(value, str):  # of a subclass, e.g. if a host marks safe HTML
        return str.__str__(value)
    raise TypeError(f"not a JSON value: {type(value).__name__}")


_ENCODE = msgspec.json.Encoder(enc_hook=_encode_other, order="deterministic").encode


def canonical(value: object) -> bytes:
    """Return the RFC 8785 canonical form of a JSON value (no floats, ASCII keys), as UTF-8.

    A member of an enumeration is encoded as its id, an instant in UTC as by `format_instant`, a
    model as its members. A model whose members have another form in JSON (a duration, a percentage)
    must be dumped first.

    Raises `UnicodeEncodeError` for lone surrogates, `TypeError` for other values.
    """
    return _ENCODE(value)


def digest(value: object) -> str:
    """Return the SHA-256, in lower-case hex, of the canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()
