"""Reading scenario files: all or nothing, every error with file, line and field."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar, cast

from pydantic import BaseModel, ValidationError

from dispute_fsm.documents.source import (
    ErrorCollector,
    FieldPath,
    YamlSource,
    model_in,
)
from dispute_fsm.documents.yaml_text import read_file, read_yaml
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    DEFAULT_VERSION,
    PAYLOAD_CLASSES,
    SYSTEM,
    Actor,
    Command,
    ExtendDeadline,
    OpenDispute,
)
from dispute_fsm.domain.enums import CommandType, Deadline, Role
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.rollout import RolloutDecision
from dispute_fsm.domain.scalars import (
    GivenIdentifier,
    Instant,
    Named,
    Strict,
    Text,
    parse_duration,
    parse_instant,
)
from dispute_fsm.errors import InputError
from dispute_fsm.rules.guards.selectors import NAMED
from dispute_fsm.rules.registry import VERSIONS, RuleVersion, rule_version
from dispute_fsm.scenarios.model import (
    Availability,
    Expect,
    ExpectEnd,
    FactsChange,
    NotNull,
    Scenario,
    ScenarioStep,
    Sweep,
)
from dispute_fsm.scenarios.settings import policy_at, rollout_at
from dispute_fsm.suggestions import suggestion

Expectation = TypeVar("Expectation", bound=Expect | ExpectEnd)
Action: TypeAlias = FactsChange | Availability | Sweep | Command

SUFFIX = ".dispute.yaml"
_FIELDS = ("title", "rules", "rollout", "policy", "dispute", "order", "steps", "expect")
_STEP_FIELDS = ("at", "order", "do", "by", "key", "with", "expect")
_ROLLOUT = "rollout"
_AVAILABILITY = {"available": True, "unavailable": False}
_PAID_BEFORE = timedelta(days=3)


class DisputeBlock(Strict):
    """The block `dispute`: ids may be left out, the time of opening may not."""

    dispute_id: GivenIdentifier = "D-1"
    order_id: GivenIdentifier = "O-1"
    merchant_id: GivenIdentifier = "M-1"
    consumer_id: GivenIdentifier = "C-1"
    opened_at: Instant


class _Head(Strict):
    title: Text = ""
    dispute: DisputeBlock


class _Keyed(Strict):
    key: Annotated[GivenIdentifier | None, NotNull] = None


class _By(Strict):
    role: Named[Role]
    id: GivenIdentifier


class _Expire(Strict):
    deadline: Named[Deadline]


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises `InputError` for the first error in it, `OSError` if it cannot be read.
    """
    return scenario_from(read_file(path))


def parse_scenario(text: bytes | str, file: str) -> Scenario:
    """Read a scenario from text; `file` is its name in errors, and the default of its title."""
    return scenario_from(read_yaml(text, file))


def scenario_from(source: YamlSource) -> Scenario:
    """Read a scenario from a YAML source. Raises `InputError` for the first error in it."""
    errors = ErrorCollector()
    content = source.fields(source.value, _FIELDS, (), errors)
    if "dispute" not in content or (content.get("rules") == _ROLLOUT and _ROLLOUT not in content):
        errors.raise_first()  # an unknown field may be this one, misspelt
    given = {name: content[name] for name in _Head.model_fields if name in content}
    head = errors.attempt(lambda: source.validate(_Head, given, ()))
    rules = errors.attempt(lambda: _rules(source, content, None if head is None else head.dispute))
    policy = errors.attempt(lambda: _policy(source, content, None if rules is None else rules[0]))
    if head is None or rules is None:
        raise errors.first()
    version, rollout = rules
    reader = ScenarioReader(source, head.dispute, version)
    expect = errors.attempt(lambda: reader.expect(ExpectEnd, content, ()))
    order = errors.attempt(lambda: reader.order(content))
    steps = errors.attempt(lambda: reader.steps(content.get("steps", []), order))
    if policy is None or expect is None or steps is None or errors.errors:
        raise errors.first()
    return Scenario(
        file=source.file,
        title=head.title or Path(source.file).name.removesuffix(SUFFIX),
        opening=OpenDispute(
            dispute_id=head.dispute.dispute_id,
            order_id=head.dispute.order_id,
            merchant_id=head.dispute.merchant_id,
            consumer_id=head.dispute.consumer_id,
            rules=version.id,
            policy=policy,
            rollout=rollout,
        ),
        opened_at=head.dispute.opened_at,
        order=order,
        steps=steps,
        expect=expect,
        expect_line=source.line(("expect",)),
    )


def _rules(
    source: YamlSource, content: Mapping[str, object], dispute: DisputeBlock | None
) -> tuple[RuleVersion, RolloutDecision | None]:
    """Read the rule version, and the decision of the rollout if the file leaves it to one."""
    rules = content.get("rules", DEFAULT_VERSION)
    if rules != _ROLLOUT:
        if _ROLLOUT in content:
            raise source.error(
                (_ROLLOUT,),
                f"only allowed with rules: {_ROLLOUT}; a file that names its rules needs no plan",
            )
        version = source.choice(rules, [*VERSIONS, _ROLLOUT], ("rules",), "rule version")
        return rule_version(version), None
    if _ROLLOUT not in content:
        raise source.error(
            ("rules",), f"the block {_ROLLOUT} is missing: salt, from, to, deny, allow, schedule"
        )
    plan = rollout_at(source, content[_ROLLOUT], (_ROLLOUT,))
    decision = plan.decide(dispute.merchant_id, dispute.opened_at) if dispute else None
    return rule_version(decision.version if decision else plan.older), decision


def _policy(source: YamlSource, content: Mapping[str, object], rules: RuleVersion | None) -> Policy:
    policy = DEFAULT_POLICY if rules is None else rules.policy(DEFAULT_POLICY)
    if "policy" not in content:
        return policy
    merged = policy_at(source, content["policy"], ("policy",), policy)
    if rules is not None:
        try:
            rules.check_policy(merged)
        except InputError as error:
            raise source.error(tuple((error.field or "").split(".")), error.message) from None
    return merged


def plain_facts(order: Order | None) -> dict[str, Any]:
    """Return an order as plain facts, into which the changes of a step are merged."""
    return {} if order is None else order.model_dump(mode="json")


class ScenarioReader:
    """Reads the parts of a file that depend on each other: facts change, steps follow in time."""

    def __init__(self, source: YamlSource, dispute: DisputeBlock, rules: RuleVersion) -> None:
        self.source = source
        self.dispute = dispute
        self.rules = rules

    def order(self, content: Mapping[str, object]) -> Order | None:
        """Read the facts at the start; by default the order was paid three days before."""
        if "order" in content:
            value = content["order"]
            return None if value is None else self.source.validate(Order, value, ("order",))
        try:
            return Order(paid_at=self.dispute.opened_at - _PAID_BEFORE)
        except ValidationError:
            raise self.source.error(
                ("dispute", "opened_at"),
                "too early for an order paid three days before; give order",
            ) from None

    def expect(
        self, kind: type[Expectation], content: Mapping[str, object], path: FieldPath
    ) -> Expectation:
        """Read the expectations of a step, or of the end; by default there are none."""
        path = (*path, "expect")
        if "expect" not in content:
            return kind()
        expect = self.source.validate(kind, content["expect"], path)
        if not expect.model_fields_set:
            raise self.source.error(path, f"expect one or more of: {', '.join(kind.model_fields)}")
        if expect.state is not None:
            leaves = self.rules.table.configurations.values()
            states = list(dict.fromkeys(leaf.state.value for leaf in leaves))
            what = f"state of rules {self.rules.id}"
            self.source.choice(expect.state.value, states, (*path, "state"), what)
        return expect

    def steps(self, value: object, order: Order | None) -> tuple[ScenarioStep, ...]:
        """Read the steps; each change of facts is merged into the facts before it."""
        if not isinstance(value, list):
            raise self.source.error(("steps",), "expected a list of steps")
        facts, at, steps = plain_facts(order), self.dispute.opened_at, list[ScenarioStep]()
        for index, item in enumerate(cast("list[object]", value)):
            step, facts = self.step(item, ("steps", index), at, facts)
            at = step.at
            steps.append(step)
        return tuple(steps)

    def step(
        self, item: object, path: FieldPath, before: datetime, facts: dict[str, Any]
    ) -> tuple[ScenarioStep, dict[str, Any]]:
        """Read one step, not earlier than `before`, and the facts of the order system after it."""
        errors = ErrorCollector()
        content = self.source.fields(item, _STEP_FIELDS, path, errors)
        if "at" not in content or ("do" not in content and "order" not in content):
            errors.raise_first()  # an unknown field may be this one, misspelt
        at = errors.attempt(lambda: self._at(content, path, before))
        result = errors.attempt(lambda: self._action(content, path, facts))
        expect = errors.attempt(lambda: self.expect(Expect, content, path))
        if at is None or result is None or expect is None or errors.errors:
            raise errors.first()
        action, facts_after = result
        return ScenarioStep(at, self.source.line(path), action, expect), facts_after

    def _at(self, content: Mapping[str, object], path: FieldPath, before: datetime) -> datetime:
        at = self.at(content, path)
        if at < before:
            raise self.source.error(
                (*path, "at"),
                "this step goes back in time: it is before the previous step or the opening",
            )
        return at

    def at(self, content: Mapping[str, object], path: FieldPath) -> datetime:
        """Read the time of a step: an instant, or `+` and a duration since the opening."""
        path = (*path, "at")
        if "at" not in content:
            raise self.source.error(
                path, "missing: give an instant, or + and a duration since opened_at, e.g. +90m"
            )
        value = content["at"]
        duration = value[1:] if isinstance(value, str) and value.startswith("+") else None
        try:
            return parse_instant(
                value if duration is None else self.dispute.opened_at + parse_duration(duration)
            )
        except ValueError as error:
            hint = "; or write + and a duration since opened_at, e.g. +90m"
            if duration is not None or isinstance(value, datetime):
                hint = ""
            raise self.source.error(path, f"{error}{hint}") from None

    def _action(
        self, content: Mapping[str, object], path: FieldPath, facts: dict[str, Any]
    ) -> tuple[Action, dict[str, Any]]:
        """Read the action of a step, and the facts of the order system after it."""
        if ("order" in content) == ("do" in content):
            raise self.source.error(
                path, "a step has either order (the facts change) or do (an event)"
            )
        if "do" in content:
            return self.event(content, path), facts
        self._allow_only(("at", "order"), content, path, "only allowed with do")
        path, value = (*path, "order"), content["order"]
        if isinstance(value, str) and value in _AVAILABILITY:
            return Availability(_AVAILABILITY[value]), facts
        if not isinstance(value, dict):
            hint = suggestion(value, tuple(_AVAILABILITY)) if isinstance(value, str) else ""
            raise self.source.error(
                path, f"expected changed facts, available, or unavailable{hint}"
            )
        self._require_known_facts(value, Order, path)
        merged = merged_facts(facts, cast("dict[str, Any]", value))
        return FactsChange(self.source.validate(Order, merged, path)), merged

    def _require_known_facts(
        self, changes: object, model: type[BaseModel], path: FieldPath
    ) -> None:
        """Require names of facts: an unknown one that is null would be removed without a word."""
        errors = ErrorCollector()
        fields = self.source.fields(changes, tuple(model.model_fields), path, errors)
        errors.raise_first()
        for name, value in fields.items():
            part = model_in(model.model_fields[name].annotation)
            if isinstance(value, dict) and part is not None:
                self._require_known_facts(value, part, (*path, name))

    def _allow_only(
        self, names: tuple[str, ...], content: Mapping[str, object], path: FieldPath, message: str
    ) -> None:
        for name in content:
            if name not in names:
                raise self.source.error((*path, name), message)

    def event(self, content: Mapping[str, object], path: FieldPath) -> Sweep | Command:
        """Read an event: its type, its actor, its key and its payload."""
        types = [kind.value for kind in CommandType if kind is not CommandType.OPEN_DISPUTE]
        name = self.source.choice(
            content["do"], [*types, "sweep", "expire"], (*path, "do"), "event"
        )
        if name == "sweep":
            self._allow_only(("at", "do", "expect"), content, path, "not allowed with sweep")
            return Sweep()
        payload = content.get("with", {})
        if name == "expire":
            expire = self.source.validate(_Expire, payload, (*path, "with"))
            kind, payload = expire.deadline.expiry, {}
        else:
            kind = CommandType(name)
        given = {"key": content["key"]} if "key" in content else {}
        errors = ErrorCollector()
        actor = errors.attempt(lambda: self._actor(content, kind, path))
        keyed = errors.attempt(lambda: self.source.validate(_Keyed, given, path))
        command = errors.attempt(lambda: self.command(kind, payload, (*path, "with")))
        if actor is None or keyed is None or command is None:
            raise errors.first()
        return command.model_copy(update={"by": actor, "key": keyed.key})

    def command(self, kind: CommandType, payload: object, path: FieldPath) -> Command:
        """Read the payload of a command. Its actor and key are read apart."""
        errors, known = ErrorCollector(), tuple(PAYLOAD_CLASSES[kind].model_fields)
        fields = self.source.fields(payload, known, path, errors)
        members = {name: value for name, value in fields.items() if name in known}
        command = errors.attempt(
            lambda: self.source.validate(COMMAND_CLASSES[kind], {**members, "by": SYSTEM}, path)
        )
        if command is None or errors.errors:
            raise errors.first()
        if (
            isinstance(command, ExtendDeadline)
            and command.deadline is None
            and self.rules.table.asks(NAMED)
        ):
            raise self.source.error(
                (*path, "deadline"),
                f"missing: under rules {self.rules.id} an extension names its deadline",
            )
        return command

    def _actor(self, content: Mapping[str, object], kind: CommandType, path: FieldPath) -> Actor:
        """Read the actor; by default, the role that usually sends the command."""
        path = (*path, "by")
        if "by" not in content:
            role = COMMAND_CLASSES[kind].roles[0]
        elif isinstance(by := content["by"], dict):
            return Actor(**vars(self.source.validate(_By, cast("object", by), path)))
        else:
            role = Role(self.source.choice(by, [role.value for role in Role], path, "role"))
        own = {Role.MERCHANT: self.dispute.merchant_id, Role.CONSUMER: self.dispute.consumer_id}
        return Actor(role=role, id=own.get(role, role.value))


def merged_facts(facts: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge changes into facts, deeply; null removes a fact."""
    merged = dict(facts)
    for name, value in changes.items():
        if isinstance(value, dict):
            before = merged.get(name)
            nested = cast("dict[str, Any]", before if isinstance(before, dict) else {})
            merged[name] = merged_facts(nested, cast("dict[str, Any]", value))
        else:
            merged[name] = value
    return {name: value for name, value in merged.items() if value is not None}
