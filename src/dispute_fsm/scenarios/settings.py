"""Policies and rollout plans as people write them: a block of a scenario, or a file of its own."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from dispute_fsm.documents.source import NOT_A_MAPPING, FieldPath, YamlSource
from dispute_fsm.documents.yaml_text import read_file
from dispute_fsm.domain.policy import DEFAULT_POLICY, VERSION_FIELDS, Policy
from dispute_fsm.domain.rollout import Rollout
from dispute_fsm.errors import InputError
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.suggestions import suggestion


def policy_at(source: YamlSource, value: object, path: FieldPath, base: Policy) -> Policy:
    """Read the changes at a path and apply them to a policy. Raises `InputError`."""
    if not isinstance(value, dict):
        raise source.error(path, NOT_A_MAPPING)
    changes = cast("dict[str, object]", value)
    try:
        return base.lay_over(changes)
    except ValidationError as error:
        raise source.first_error(error, Policy, changes, path) from None
    except InputError as error:
        field = (error.field or "").split(".")
        hint = suggestion(field[-1], tuple(base.evidence_reasons))
        raise source.error((*path, *field), f"{error.message}{hint}") from None


def read_policy_changes(path: Path) -> Callable[[Policy], Policy]:
    """Read a file of policy fields; return a function that applies them to a policy.

    Raises `InputError` for the first field that does not fit the default policy, `OSError` if the
    file cannot be read. The function raises `InputError` if they do not fit its policy, which has
    the fields of its rule version.
    """
    source = read_file(path)
    policy_at(source, source.value, (), DEFAULT_POLICY)
    return partial(_apply, source)  # a function that another process can get, too


def _apply(source: YamlSource, base: Policy) -> Policy:
    changed = policy_at(source, source.value, (), base)
    if foreign := (VERSION_FIELDS & changed.model_fields_set) - base.model_fields_set:
        raise source.error((min(foreign),), "the rule version has no such field")
    return changed


def rollout_at(source: YamlSource, value: object, path: FieldPath) -> Rollout:
    """Read the plan at a path. Raises `InputError`, also for an unknown rule version."""
    plan = source.validate(Rollout, value, path)
    for name, version in (("from", plan.older), ("to", plan.newer)):
        source.choice(version, list(VERSIONS), (*path, name), "rule version")
    return plan


def read_rollout(path: Path) -> Rollout:
    """Read a file with a plan. Raises `InputError`, and `OSError` if it cannot be read."""
    source = read_file(path)
    return rollout_at(source, source.value, ())
