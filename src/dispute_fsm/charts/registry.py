"""The rule versions that this package knows. A dispute keeps the one that it opened under."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dispute_fsm.charts import v2023_03
from dispute_fsm.charts.compiler import compile_chart
from dispute_fsm.charts.declare import Chart
from dispute_fsm.charts.table import Table
from dispute_fsm.errors import InputError
from dispute_fsm.rules.vocabulary import Option


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A rule version: its id, the responses that it offers, the chart as declared and the table as compiled."""

    id: str
    options: tuple[Option, ...]
    chart: type[Chart]
    table: Table


VERSIONS: Mapping[str, RuleVersion] = MappingProxyType(
    {
        version.id: version
        for version in (
            RuleVersion("2023-03", v2023_03.OPTIONS, v2023_03.Rules202303, compile_chart(v2023_03.Rules202303, v2023_03.OPENING)),
        )
    }
)
"""Every known version by its id."""

DEFAULT_VERSION = "2023-03"


def rule_version(version: str) -> RuleVersion:
    """Return a rule version by its id. Raises `InputError` that lists the known ones."""
    if version not in VERSIONS:
        msg = f"unknown rule version {version!r}; known are: {', '.join(VERSIONS)}"
        raise InputError(msg, field="rules")
    return VERSIONS[version]
