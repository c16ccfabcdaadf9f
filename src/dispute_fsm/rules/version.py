"""What a chart module declares, and the vocabulary that it is written in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from dispute_fsm.domain.commands import COMMAND_CLASSES
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, Option, StateName
from dispute_fsm.domain.policy import Bilingual
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.machine.chart import Chart, CommandRule, Vocabulary
from dispute_fsm.machine.transition_table import InitialTransition
from dispute_fsm.rules.case import Case

VOCABULARY: Vocabulary[StateName, CommandType, EventType, Deadline] = Vocabulary(
    states={state.value: state for state in StateName},
    commands={
        name: CommandRule(
            records=of.records, records_end=of.records_end, expires=name.expires, quiet=of.quiet
        )
        for name, of in COMMAND_CLASSES.items()
        if name is not CommandType.OPEN_DISPUTE
    },
)
"""The words that every chart is written in; the classes of the commands declare the rest."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Version:
    """A rule version as its chart module declares it: what it is, what is different in it and why.

    `valid_from` is the day, in Beijing, from which disputes may open under it; None where that is
    not known. `policy_fields` are the policy fields that only this version has, with their
    defaults.
    """

    id: str
    label: Bilingual
    valid_from: date | None
    change: Bilingual
    why: Bilingual
    options: tuple[Option, ...]
    chart: type[Chart]
    entry: InitialTransition[Case, Deadline]
    policy_fields: Mapping[str, object] = FrozenMap()
