"""The canonical form of JSON (RFC 8785), and digests over it.

The records of this package hold only texts, whole numbers of at most 53 bits, booleans, null, lists, and mappings with
ASCII keys; the strict models see to it. For such values the standard library's encoder *is* RFC 8785: members sorted,
no white space, minimal escapes. The tests compare it with an independent implementation.
"""

import hashlib
import json

_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))


def canonical(value: object) -> bytes:
    """Return the RFC 8785 canonical form of a JSON value without floats and with ASCII keys, as UTF-8.

    Raises `UnicodeEncodeError` for lone surrogates, `TypeError` for what is no JSON.
    """
    return _ENCODER.encode(value).encode()


def digest(value: object) -> str:
    """Return the SHA-256, in lower-case hex, of the canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()
