"""Policies as people write them: only what differs from another policy."""

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from dispute_fsm.documents.source import FieldPath, YamlSource, meant
from dispute_fsm.documents.yaml_text import printed, read_file
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.errors import InputError


def policy_laid_over(base: Policy, source: YamlSource, value: object, path: FieldPath) -> Policy:
    """Lay what stands at a path over a policy. Raises `InputError` for the first field that does not fit."""
    changes = source.mapping(value, tuple(Policy.model_fields), path)
    try:
        return base.lay_over(changes)
    except ValidationError as error:
        raise source.first(error, Policy, changes, path) from None
    except InputError as fault:
        where = (fault.field or "").split(".")
        raise source.fault(
            (*path, *where), f"{fault.message}{meant(where[-1], tuple(base.evidence_reasons))}"
        ) from None


def read_policy_changes(path: Path) -> Callable[[Policy], Policy]:
    """Read a file with fields of a policy; the answer lays them over another policy, and raises `InputError` where they do not fit.

    Raises `InputError` for the first field that does not fit the default policy, `OSError` where
    the file cannot be read.
    """
    source = YamlSource(printed(path), read_file(path))

    def laid_over(base: Policy) -> Policy:
        return policy_laid_over(base, source, source.text.value, ())

    laid_over(DEFAULT_POLICY)
    return laid_over
