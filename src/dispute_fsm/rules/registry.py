"""The rule versions that this package knows. A dispute keeps the one that it opened under."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

from dispute_fsm.documents.source import unknown_value
from dispute_fsm.domain.commands import COMMAND_CLASSES
from dispute_fsm.domain.enums import CommandType, Deadline, Labelled, Outcome
from dispute_fsm.domain.policy import VERSION_FIELDS, Policy
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.errors import ChartError, InputError
from dispute_fsm.machine.compiler import compile_chart
from dispute_fsm.machine.guard import Dimension
from dispute_fsm.rules.case import DisputeTable
from dispute_fsm.rules.guards.actors import by
from dispute_fsm.rules.guards.selectors import OPTION
from dispute_fsm.rules.version import VOCABULARY, Version


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RuleVersion(Version):
    """A rule version as its chart module declares it, with the table as compiled."""

    table: DisputeTable

    @property
    def deadlines(self) -> tuple[Deadline, ...]:
        """The deadlines that can run under these rules."""
        configurations = self.table.configurations.values()
        known = {deadline for each in configurations for deadline in each.deadlines}
        return tuple(deadline for deadline in Deadline if deadline in known)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes with which a dispute can end under these rules, or a region can fail."""
        rules = [each.rule for rows in self.table.transitions.values() for each in rows]
        known: set[object] = {rule.liability for rule in rules}
        for rule in rules:
            known.update(
                rule.outcome.values() if isinstance(rule.outcome, Mapping) else [rule.outcome]
            )
        return tuple(outcome for outcome in Outcome if outcome in known)

    def answers(self, dimension: Dimension) -> dict[str, tuple[str, str]]:
        """Return the answers that a question can have under these rules, with their labels.

        Of the answers that are words of the domain, these are the ones that the version has.
        """
        own = {*self.options, *self.not_offered, *self.deadlines, *self.outcomes}
        return {
            answer: label
            for answer, label in dimension.answers.items()
            if not isinstance(answer, Labelled) or answer in own
        }

    def check_policy(self, policy: Policy) -> None:
        """Raise `InputError` where the policy has a field that only another rule version has."""
        foreign = (VERSION_FIELDS & policy.model_fields_set).difference(self.policy_fields)
        if foreign:
            name = min(foreign)
            raise InputError(f"rules {self.id} have no {name}", field=f"policy.{name}")

    def policy(self, policy: Policy) -> Policy:
        """Return the policy with just the fields of this version, its own ones by default."""
        foreign = (VERSION_FIELDS & policy.model_fields_set).difference(self.policy_fields)
        missing = {
            name: default
            for name, default in self.policy_fields.items()
            if name not in policy.model_fields_set
        }
        if not foreign and not missing:
            return policy
        kept = {name: value for name, value in policy.record.items() if name not in foreign}
        return Policy.model_validate({**kept, **missing})

    def __reduce__(self) -> tuple[Callable[[str], "RuleVersion"], tuple[str]]:
        """Pickle by the id: a rule version is code, and the other process has its own."""
        from pickle import PicklingError  # noqa: PLC0415 -- a decision pickles nothing

        if VERSIONS.get(self.id) is not self:
            raise PicklingError(
                f"rules {self.id} are not a registered rule version, so no other process would "
                "find them"
            )
        return _registered, (self.id,)


def compiled(version: Version) -> RuleVersion:
    """Compile a rule version. Raises `ChartError`, also for an option that no row answers."""
    table = compile_chart(version.chart, version.entry, VOCABULARY)
    rows = table.transitions.get((table.initial, CommandType.CHOOSE_OPTION), ())
    answered = {
        answer
        for row in rows
        for selector in row.when
        if selector.dimension is OPTION
        for answer in selector.accepts
    }
    if missing := [option.value for option in version.options if option.value not in answered]:
        raise ChartError(
            f"{version.chart.__name__}: {table.initial}: no row for {missing[0]}, which rules "
            f"{version.id} offer"
        )
    for name, guard in table.actors.items():
        if guard is not by(*COMMAND_CLASSES[name].roles):
            raise ChartError(
                f"{version.chart.__name__}: {name.value}: {guard.en} in the chart, "
                f"{by(*COMMAND_CLASSES[name].roles).en} as declared in "
                f"{COMMAND_CLASSES[name].__name__}"
            )
    declared: dict[str, Any] = {
        field.name: getattr(version, field.name) for field in fields(version)
    }
    return RuleVersion(**declared, table=table)


class Registry(Mapping[str, RuleVersion]):
    """Rule versions by id, from the modules of their charts.

    A version is imported and compiled when it is first used: a decision needs one of them.
    """

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules
        self._compiled: dict[str, RuleVersion] = {}

    def __getitem__(self, version: str) -> RuleVersion:
        """Return a version.

        Raises `ChartError` at its first use, where its chart is invalid or it has another id.
        """
        known = self._compiled.get(version)
        if known is None:
            module = self._modules[version]
            declared: Version = import_module(module).VERSION
            if declared.id != version:
                raise ChartError(
                    f"{module}: its version is called {declared.id}, and registered as {version}"
                )
            # Of two threads that compile it at once, both get the table of the first.
            known = self._compiled.setdefault(version, compiled(declared))
        return known

    def __contains__(self, version: object) -> bool:
        return version in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


MODULES: Mapping[str, str] = FrozenMap(
    {
        "parallel": "dispute_fsm.rules.v2023_parallel",
        "2023-03": "dispute_fsm.rules.v2023_03",
        "extended": "dispute_fsm.rules.extended",
    }
)
"""The module of every known version by its id, the oldest first."""

VERSIONS = Registry(MODULES)
"""Every known version by its id, in the same order."""

_STANDS_IN: ContextVar[RuleVersion | None] = ContextVar("_STANDS_IN", default=None)


@contextmanager
def standing_in(version: RuleVersion) -> Generator[None]:
    """Replace the registered version of this id until the block ends, in this thread or task.

    For verification, which has to see what wrong rules would do; a dispute never opens under a
    stand-in that is kept.
    """
    token = _STANDS_IN.set(version)
    try:
        yield
    finally:
        _STANDS_IN.reset(token)


def rule_version(version: str) -> RuleVersion:
    """Return a rule version by its id. Raises `InputError` with a suggestion for an unknown one."""
    other = _STANDS_IN.get()
    return other if other is not None and other.id == version else _registered(version)


def _registered(version: str) -> RuleVersion:
    try:
        return VERSIONS[version]
    except KeyError:
        if version in VERSIONS:  # an error in the chart's module
            raise
        message = unknown_value(version, tuple(VERSIONS), "rule version")
        raise InputError(message, field="rules") from None
