"""The rule versions that this package knows. A dispute keeps the one that it opened under."""

from collections.abc import Mapping
from dataclasses import dataclass

from dispute_fsm.charts import v2023_03
from dispute_fsm.charts.compiler import compile_chart
from dispute_fsm.charts.declare import Chart
from dispute_fsm.charts.table import Entry, Table
from dispute_fsm.errors import ChartError, InputError
from dispute_fsm.rules.guards import OPTION
from dispute_fsm.rules.strict import FrozenMap
from dispute_fsm.rules.vocabulary import EventName, Option


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A rule version: its id, the responses that it offers, the chart as declared and the table as compiled."""

    id: str
    options: tuple[Option, ...]
    chart: type[Chart]
    table: Table


def compiled(version: str, chart: type[Chart], entry: Entry, options: tuple[Option, ...]) -> RuleVersion:
    """Compile a rule version. Raises `ChartError` where the chart cannot be compiled, or has no row for an option offered."""
    table = compile_chart(chart, entry)
    rows = table.rows.get((table.initial, EventName.CHOOSE_OPTION), ())
    answered = {answer for row in rows for selector in row.when if selector.dimension is OPTION for answer in selector.accepts}
    if missing := [option.value for option in options if option.value not in answered]:
        raise ChartError(f"{chart.__name__}: {table.initial}: no row for {missing[0]}, which rules {version} offer")
    return RuleVersion(version, options, chart, table)


VERSIONS: Mapping[str, RuleVersion] = FrozenMap(
    {version.id: version for version in (compiled("2023-03", v2023_03.Rules202303, v2023_03.ENTRY, v2023_03.OPTIONS),)}
)
"""Every known version by its id."""

DEFAULT_VERSION = "2023-03"
"""The version of a scenario that names none."""


def rule_version(version: str) -> RuleVersion:
    """Return a rule version by its id. Raises `InputError` that lists the known ones."""
    found = VERSIONS.get(version)
    if found is None:
        msg = f"unknown rule version {version!r}; known are: {', '.join(VERSIONS)}"
        raise InputError(msg, field="rules")
    return found
