"""A policy as text: its values, where it differs from another one, and the note that names it."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple, cast

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.domain.enums import POLICY_FIELDS, Denial, Labelled, Silence
from dispute_fsm.domain.policy import DEFAULT_POLICY, Term
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.history.timeline_text import duration_text
from dispute_fsm.rules.registry import rule_version

ABSENT = object()
"""The value of a field that only the other policy has."""

_TERM = frozenset(Term.model_fields)
_ENUMS: Mapping[tuple[str, ...], type[Labelled]] = FrozenMap(
    {("silence",): Silence, ("denial",): Denial}
)
"""The fields whose values have labels."""


class PolicyDifference(NamedTuple):
    """A field that differs, by the names that lead to it, and both values."""

    path: tuple[str, ...]
    was: object
    now: object


def policy_differences(
    was: object, now: object, path: tuple[str, ...] = ()
) -> Iterator[PolicyDifference]:
    """Iterate over the fields at which two recorded policies differ.

    The term of a deadline is one value, and so is what only one of the policies has.
    """
    if isinstance(was, dict) and isinstance(now, dict) and not _TERM & {*was, *now}:
        before, after = cast("dict[str, object]", was), cast("dict[str, object]", now)
        for name in dict.fromkeys((*before, *after)):
            here = (*path, name)
            yield from policy_differences(before.get(name, ABSENT), after.get(name, ABSENT), here)
    elif was != now:
        yield PolicyDifference(path, was, now)


def is_term(value: object) -> bool:
    """Tell whether a recorded value says how long a deadline runs."""
    return isinstance(value, dict) and not _TERM.isdisjoint(value)


def field_label(fmt: Formatter, path: tuple[str, ...]) -> str:
    """Return the label of a field; of one within another, that of the outer one."""
    return POLICY_FIELDS.get(path[0], ("", ""))[fmt.lang == "en"]


def value_text(fmt: Formatter, path: tuple[str, ...], value: object) -> str:
    """Format a recorded value of the machine's policy."""
    if path in _ENUMS:
        return fmt.label(_ENUMS[path](str(value)))
    if is_term(value):
        return fmt.term(Term.model_validate(value))
    if value is None:
        return fmt.message("off")
    duration = getattr(fmt.policy, path[0])
    if isinstance(duration, timedelta):
        return duration_text(duration, fmt.lang)
    return json.dumps(value, ensure_ascii=False)


def policy_note(fmt: Formatter, *, pale: bool = True) -> str:
    """Name the machine's policy by where it differs from the default, and say what is `pale`."""
    machine = fmt.machine
    default = rule_version(machine.rules).policy(DEFAULT_POLICY).record
    fields = [_field(fmt, each) for each in policy_differences(default, machine.policy)]
    name = fmt.message("default")
    if fields:
        name = fmt.message("differs", fmt.join("and", fields))
    if machine.any_policy:
        return fmt.message("any_policy", name)
    more = [fmt.message("pale")] if pale and fmt.inactive else []
    return fmt.join("space", [fmt.message("policy", name), *more])


def _field(fmt: Formatter, difference: PolicyDifference) -> str:
    path, was, now = difference
    if now is ABSENT:
        value = fmt.message("removed")
    elif was is ABSENT or (isinstance(now, dict | list) and not is_term(now)):
        value = fmt.message("edited")
    else:
        value = value_text(fmt, path, now)
    return fmt.message("field", label=field_label(fmt, path), field=".".join(path), value=value)
