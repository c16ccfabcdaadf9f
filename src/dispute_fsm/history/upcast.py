"""Older shapes of an event, brought up to date one version after the other.

A hash is over the record as it was written, so it is checked first; what is here then changes the parsed record only, never
the file. A new `SCHEMA_VERSION` brings the function that makes it of the version before, and an old history as its test.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dispute_fsm.domain.events import SCHEMA_VERSION
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import InputError

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes the parsed record of one schema version of that of the version before; a pure function."""

UPGRADES: Mapping[int, Upgrade] = FrozenMap({})
"""By the version that each starts from. Version 1 is the first, so there is nothing older yet."""


def upgraded(record: dict[str, Any], upgrades: Mapping[int, Upgrade] = UPGRADES) -> dict[str, Any]:
    """Bring an event's parsed record to the present schema version.

    Raises `InputError` that names the versions that can be read, where this is none of them.
    """
    version = record.get("schema_version")
    if type(version) is int and version == SCHEMA_VERSION:  # true equals 1, and is no version
        return record
    if type(version) is not int or version not in upgrades:
        known = ", ".join(map(str, sorted({*upgrades, SCHEMA_VERSION})))
        raise InputError(f"unknown schema version {version!r}; this package reads: {known}", field="schema_version")
    return upgraded(upgrades[version](record), upgrades)
