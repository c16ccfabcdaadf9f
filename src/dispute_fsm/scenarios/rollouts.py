"""Plans of a gradual release as people write them: a block of a scenario, or a file of its own."""

from pathlib import Path

from dispute_fsm.documents.source import FieldPath, YamlSource
from dispute_fsm.documents.yaml_text import printed, read_file
from dispute_fsm.domain.rollout import Rollout
from dispute_fsm.rules.registry import VERSIONS


def rollout_of(source: YamlSource, value: object, path: FieldPath) -> Rollout:
    """Read a plan at a path. Raises `InputError` for the first field that does not fit, and for a version that is not known."""
    plan = source.validated(Rollout, value, path)
    for name, version in (("from", plan.older), ("to", plan.newer)):
        source.choice(version, list(VERSIONS), (*path, name), "rule version")
    return plan


def read_rollout(path: Path) -> Rollout:
    """Read a file that holds a plan. Raises `InputError` with file, line and field, `OSError` where it cannot be read."""
    source = YamlSource(printed(path), read_file(path))
    return rollout_of(source, source.text.value, ())
