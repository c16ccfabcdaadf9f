"""Reading scenario files: all or nothing, every fault with file, line and field."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, ValidationError

from dispute_fsm.documents.policies import policy_laid_over
from dispute_fsm.documents.source import Faults, FieldPath, YamlSource, meant
from dispute_fsm.documents.yaml_text import printed, read_file, read_yaml
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
    Scenario,
    ScenarioStep,
    Sweep,
    not_null,
)
from dispute_fsm.scenarios.rollouts import rollout_of

Expectation = TypeVar("Expectation", bound=Expect | ExpectEnd)
SUFFIX = ".dispute.yaml"
_FIELDS = ("title", "rules", "rollout", "policy", "dispute", "order", "steps", "expect")
_STEP_FIELDS = ("at", "order", "do", "by", "key", "with", "expect")
ROLLOUT = "rollout"
_AVAILABILITY = {"available": True, "unavailable": False}
_PAID_BEFORE = timedelta(days=3)


class Whose(Strict):
    """Whose dispute; ids may be left out, the moment of opening may not."""

    dispute_id: GivenIdentifier = "D-1"
    order_id: GivenIdentifier = "O-1"
    merchant_id: GivenIdentifier = "M-1"
    consumer_id: GivenIdentifier = "C-1"
    opened_at: Instant


class _Head(Strict):
    """The plain parts of a file."""

    title: Text = ""
    dispute: Whose


class _Keyed(Strict):
    key: Annotated[GivenIdentifier | None, AfterValidator(not_null)] = None


class _By(Strict):
    role: Named[Role]
    id: GivenIdentifier


class _Expire(Strict):
    deadline: Named[Deadline]


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises `InputError` for the first fault in it, `OSError` where it cannot be read at all."""
    return scenario_of(YamlSource(printed(path), read_file(path)))


def parse_scenario(text: bytes | str, file: str) -> Scenario:
    """Read a scenario from text; `file` is its name in errors, and its title where it has none."""
    return scenario_of(YamlSource(file, read_yaml(text, file)))


def scenario_of(source: YamlSource) -> Scenario:
    """Read a scenario from the plain values of a source."""
    faults = Faults()
    content = source.fields(source.text.value, _FIELDS, (), faults)
    faults.stop_unless(
        complete="dispute" in content and (content.get("rules") != ROLLOUT or ROLLOUT in content)
    )
    head = faults.tried(
        lambda: source.validated(
            _Head, {name: content[name] for name in ("title", "dispute") if name in content}, ()
        )
    )
    chosen = faults.tried(lambda: _rules(source, content, None if head is None else head.dispute))
    policy = faults.tried(lambda: _policy(source, content, None if chosen is None else chosen[0]))
    if head is None or chosen is None:
        raise faults.first()
    rules, rollout = chosen
    reader = ScenarioReader(source, head.dispute, rules)
    expect = faults.tried(lambda: reader.expect(ExpectEnd, content, ()))
    order = faults.tried(lambda: reader.order(content))
    steps = faults.tried(lambda: reader.steps(content.get("steps", []), order))
    if policy is None or expect is None or steps is None or faults.found:
        raise faults.first()
    return Scenario(
        file=source.file,
        title=head.title or Path(source.file).name.removesuffix(SUFFIX),
        opening=OpenDispute(
            dispute_id=head.dispute.dispute_id,
            order_id=head.dispute.order_id,
            merchant_id=head.dispute.merchant_id,
            consumer_id=head.dispute.consumer_id,
            rules=rules.id,
            policy=policy,
            rollout=rollout,
        ),
        opened_at=head.dispute.opened_at,
        order=order,
        steps=steps,
        expect=expect,
        expect_line=source.text.line(("expect",)),
    )


def _rules(
    source: YamlSource, content: Mapping[str, object], whose: Whose | None
) -> tuple[RuleVersion, RolloutDecision | None]:
    """Read which rules the dispute opens under, and the decision of the rollout where the file leaves that to one."""
    if content.get("rules") != ROLLOUT:
        if "rollout" in content:
            raise source.fault(
                ("rollout",),
                f"goes with rules: {ROLLOUT} only; a file that names its rules needs no plan",
            )
        known = [*VERSIONS, ROLLOUT]
        return rule_version(
            source.choice(content.get("rules", DEFAULT_VERSION), known, ("rules",), "rule version")
        ), None
    if "rollout" not in content:
        raise source.fault(
            ("rules",), f"the block {ROLLOUT} is missing: salt, from, to, deny, allow, schedule"
        )
    plan = rollout_of(source, content["rollout"], ("rollout",))
    decided = None if whose is None else plan.decide(whose.merchant_id, whose.opened_at)
    return rule_version(plan.older if decided is None else decided.version), decided


def _policy(source: YamlSource, content: Mapping[str, object], rules: RuleVersion | None) -> Policy:
    policy = DEFAULT_POLICY if rules is None else rules.policy(DEFAULT_POLICY)
    if "policy" not in content:
        return policy
    laid = policy_laid_over(policy, source, content["policy"], ("policy",))
    if rules is not None:
        try:
            rules.check_policy(laid)
        except InputError as error:
            raise source.fault(tuple((error.field or "").split(".")), error.message) from None
    return laid


def shown(order: Order | None) -> dict[str, Any]:
    """Write an order as the plain facts that a step's changes are laid over."""
    return {} if order is None else order.model_dump(mode="json")


class ScenarioReader:
    """Reads the parts of one file that depend on each other: facts lie over facts, steps follow in time."""

    def __init__(self, source: YamlSource, dispute: Whose, rules: RuleVersion) -> None:
        self.source = source
        self.dispute = dispute
        self.rules = rules

    def order(self, content: Mapping[str, object]) -> Order | None:
        """Read the facts at the start; left out, the order was paid three days before and nothing is shipped."""
        if "order" not in content:
            paid_at = self.dispute.opened_at - _PAID_BEFORE
            try:
                return Order(paid_at=paid_at)
            except ValidationError:
                raise self.source.fault(
                    ("dispute", "opened_at"),
                    "too early for an order paid three days before; give order",
                ) from None
        value = content["order"]
        return None if value is None else self.source.validated(Order, value, ("order",))

    def expect(
        self, kind: type[Expectation], content: Mapping[str, object], path: FieldPath
    ) -> Expectation:
        """Read what is expected of a step, or at the end; left out, nothing is."""
        here: FieldPath = (*path, "expect")
        if "expect" not in content:
            return kind()
        expect = self.source.validated(kind, content["expect"], here)
        if not expect.model_fields_set:
            raise self.source.fault(here, f"expect one or more of: {', '.join(kind.model_fields)}")
        if expect.state is not None:
            states = list(
                dict.fromkeys(
                    place.state.value for place in self.rules.table.configurations.values()
                )
            )
            self.source.choice(
                expect.state.value, states, (*here, "state"), f"state of rules {self.rules.id}"
            )
        return expect

    def steps(self, value: object, order: Order | None) -> tuple[ScenarioStep, ...]:
        """Read the steps; each change of facts is laid over what stands then."""
        if not isinstance(value, list):
            raise self.source.fault(("steps",), "expected a list of steps")
        facts, at, steps = shown(order), self.dispute.opened_at, list[ScenarioStep]()
        for index, item in enumerate(cast("list[object]", value)):
            step, facts = self.step(item, ("steps", index), at, facts)
            at = step.at
            steps.append(step)
        return tuple(steps)

    def step(
        self, item: object, path: FieldPath, before: datetime, facts: dict[str, Any]
    ) -> tuple[ScenarioStep, dict[str, Any]]:
        """Read one step, not earlier than the one before it, and what the order system shows after it."""
        faults = Faults()
        content = self.source.fields(item, _STEP_FIELDS, path, faults)
        faults.stop_unless(complete="at" in content and ("do" in content or "order" in content))
        when = faults.tried(partial(self.at, content, path, before))
        does = faults.tried(partial(self.happening, content, path, facts))
        expect = faults.tried(partial(self.expect, Expect, content, path))
        if when is None or does is None or expect is None or faults.found:
            raise faults.first()
        happens, facts = does
        return ScenarioStep(when, self.source.text.line(path), happens, expect), facts

    def happening(
        self, content: Mapping[str, object], path: FieldPath, facts: dict[str, Any]
    ) -> tuple[FactsChange | Availability | Sweep | Command, dict[str, Any]]:
        """Read what a step does, and what the order system shows after it."""
        if ("order" in content) == ("do" in content):
            raise self.source.fault(
                path, "a step has either order (the facts change) or do (an event)"
            )
        return (
            self.facts(content, path, facts)
            if "order" in content
            else (self.event(content, path), facts)
        )

    def at(self, content: Mapping[str, object], path: FieldPath, before: datetime) -> datetime:
        """Read when a step happens: an instant, or `+` and a duration since the opening; never back in time."""
        if "at" not in content:
            raise self.source.fault(
                (*path, "at"),
                "this field is missing: an instant, or + and a duration since opened_at, e.g. +90m",
            )
        value = content["at"]
        try:
            if isinstance(value, str) and value.startswith("+"):
                at = parse_instant(self.dispute.opened_at + parse_duration(value[1:]))
            else:
                at = parse_instant(value)
        except ValueError as error:
            relative = isinstance(value, datetime) or (
                isinstance(value, str) and value.startswith("+")
            )
            instead = "" if relative else "; or write + and a duration since opened_at, e.g. +90m"
            raise self.source.fault((*path, "at"), f"{error}{instead}") from None
        if at < before:
            raise self.source.fault(
                (*path, "at"),
                (
                    "this step goes back in time; it lies before the one before it, or before the "
                    "opening"
                ),
            )
        return at

    def facts(
        self, content: Mapping[str, object], path: FieldPath, facts: dict[str, Any]
    ) -> tuple[FactsChange | Availability, dict[str, Any]]:
        """Read a change of the order system's facts, or of its availability."""
        for name in content:
            if name not in {"at", "order"}:
                raise self.source.fault(
                    (*path, name), "goes with do only; nothing is decided where facts change"
                )
        here, value = (*path, "order"), content["order"]
        if isinstance(value, str) and value in _AVAILABILITY:
            return Availability(_AVAILABILITY[value]), facts
        if not isinstance(value, dict):
            mistyped = meant(value, tuple(_AVAILABILITY)) if isinstance(value, str) else ""
            raise self.source.fault(
                here, f"expected facts that change, available, or unavailable{mistyped}"
            )
        merged = _merged(facts, cast("dict[str, Any]", value))
        return FactsChange(self.source.validated(Order, merged, here)), merged

    def event(self, content: Mapping[str, object], path: FieldPath) -> Sweep | Command:
        """Read an event: who, what, and its payload."""
        known = [
            *(name.value for name in CommandType if name is not CommandType.OPEN_DISPUTE),
            "sweep",
            "expire",
        ]
        name = self.source.choice(content["do"], known, (*path, "do"), "event")
        if name == "sweep":
            for field in ("by", "key", "with"):
                if field in content:
                    raise self.source.fault(
                        (*path, field), "a sweep is the system's own, it takes no by, key or with"
                    )
            return Sweep()
        payload = content.get("with", {})
        if name == "expire":
            event = self.source.validated(_Expire, payload, (*path, "with")).deadline.expiry
            payload = {}
        else:
            event = CommandType(name)
        faults = Faults()
        actor = faults.tried(lambda: self.actor(content, event, path))
        keyed = faults.tried(
            lambda: self.source.validated(
                _Keyed, {"key": content["key"]} if "key" in content else {}, path
            )
        )
        asked = faults.tried(
            lambda: self.command(
                event,
                payload,
                actor or SYSTEM,
                None if keyed is None else keyed.key,
                (*path, "with"),
            )
        )
        if actor is None or asked is None or keyed is None:
            raise faults.first()
        if (
            isinstance(asked, ExtendDeadline)
            and asked.deadline is None
            and self.rules.table.asks(NAMED)
        ):
            missing = (
                f"this field is missing: under rules {self.rules.id} an extension names its "
                "deadline"
            )
            raise self.source.fault((*path, "with", "deadline"), missing)
        return asked

    def command(
        self, event: CommandType, said: object, by: Actor, key: str | None, path: FieldPath
    ) -> Command:
        """Read what a command says."""
        if not isinstance(said, dict):
            raise self.source.fault(path, "this must be a mapping of fields")
        faults, known = Faults(), tuple(PAYLOAD_CLASSES[event].model_fields)
        fields = self.source.fields(cast("object", said), known, path, faults)
        members = {name: value for name, value in fields.items() if name in known}
        command = faults.tried(
            lambda: self.source.validated(
                COMMAND_CLASSES[event], {**members, "by": by, "key": key}, path
            )
        )
        if command is None or faults.found:
            raise faults.first()
        return command

    def actor(self, content: Mapping[str, object], event: CommandType, path: FieldPath) -> Actor:
        """Read who acts; left out, it is the role that the rules name for the event, with the dispute's own id."""
        if "by" not in content:
            role = self.rules.table.actors[event].roles[0]
        elif isinstance(by := content["by"], dict):
            named = self.source.validated(_By, cast("object", by), (*path, "by"))
            return Actor(role=named.role, id=named.id)
        else:
            role = Role(
                self.source.choice(by, [role.value for role in Role], (*path, "by"), "role")
            )
        own = {Role.MERCHANT: self.dispute.merchant_id, Role.CONSUMER: self.dispute.consumer_id}
        return Actor(role=role, id=own.get(role, role.value))


def _merged(facts: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay changed facts over those that stand: merged deeply, `null` removes."""
    merged = dict(facts)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
            continue
        standing = merged.get(name)
        below = cast("dict[str, Any]", standing if isinstance(standing, dict) else {})
        merged[name] = (
            _merged(below, cast("dict[str, Any]", value)) if isinstance(value, dict) else value
        )
    return merged
