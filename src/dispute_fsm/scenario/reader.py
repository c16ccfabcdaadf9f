"""Reading scenario files: all or nothing, every fault with file, line and field."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field, ValidationError

from dispute_fsm.charts.registry import DEFAULT_VERSION, RuleVersion, rule_version
from dispute_fsm.dispute.decide import Opening
from dispute_fsm.errors import InputError
from dispute_fsm.rules.commands import PAYLOADS, Actor, Command
from dispute_fsm.rules.facts import Order
from dispute_fsm.rules.policy import DEFAULT_POLICY, Policy
from dispute_fsm.rules.strict import Identifier, Instant, Strict, Text, parse_duration, parse_instant
from dispute_fsm.rules.vocabulary import Deadline, EventName, Role
from dispute_fsm.scenario.faults import Source
from dispute_fsm.scenario.scenario import Availability, Expect, ExpectEnd, FactsChange, Scenario, Step, Sweep
from dispute_fsm.scenario.yaml_text import MAX_BYTES, FieldPath, read_yaml

SUFFIX = ".dispute.yaml"
_FIELDS = ("title", "rules", "policy", "dispute", "order", "steps", "expect")
_STEP_FIELDS = ("at", "order", "do", "by", "key", "with", "expect")
_AVAILABILITY = {"available": True, "unavailable": False}
_PAID_BEFORE = timedelta(days=3)


class _Dispute(Strict):
    """Whose dispute; ids may be left out, the moment of opening may not."""

    dispute_id: Identifier = "D-1"
    order_id: Identifier = "O-1"
    merchant_id: Identifier = "M-1"
    consumer_id: Identifier = "C-1"
    opened_at: Instant


class _Head(Strict):
    """The plain parts of a file."""

    title: Text = ""
    rules: Identifier = DEFAULT_VERSION
    dispute: _Dispute
    expect: ExpectEnd = ExpectEnd()


class _Keyed(Strict):
    key: Identifier


class _Expiry(Strict):
    deadline: Annotated[Deadline, Field(strict=False)]


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises `InputError` for the first fault in it, `OSError` where it cannot be read at all."""
    name = str(path).encode(errors="replace").decode()
    if not path.is_file():
        raise InputError("no such file" if not path.exists() else "not a regular file", file=name)
    with path.open("rb") as stream:
        return parse_scenario(stream.read(MAX_BYTES + 1), name)


def parse_scenario(text: bytes | str, file: str) -> Scenario:
    """Read a scenario from text; `file` is its name in errors, and its title where it has none."""
    yaml = read_yaml(text, file)
    source = Source(file, yaml)
    content = source.mapping(yaml.value, _FIELDS, ())
    head = source.validated(_Head, {name: content[name] for name in ("title", "rules", "dispute", "expect") if name in content}, ())
    try:
        rules = rule_version(head.rules)
    except InputError as fault:
        raise source.fault(("rules",), fault.message) from None
    reader = _Reader(source, head.dispute, rules)
    reader.known_state(head.expect, ("expect",))
    order = reader.order(content)
    return Scenario(
        file=file,
        title=head.title or Path(file).name.removesuffix(SUFFIX),
        opening=Opening(
            dispute_id=head.dispute.dispute_id,
            order_id=head.dispute.order_id,
            merchant_id=head.dispute.merchant_id,
            consumer_id=head.dispute.consumer_id,
            actor=Actor(role=Role.CONSUMER, id=head.dispute.consumer_id),
            rules=head.rules,
            policy=_policy(source, content),
        ),
        opened_at=head.dispute.opened_at,
        order=order,
        steps=reader.steps(content.get("steps", []), order),
        expect=head.expect,
        expect_line=yaml.line(("expect",)),
    )


def _policy(source: Source, content: Mapping[str, object]) -> Policy:
    if "policy" not in content:
        return DEFAULT_POLICY
    changes = source.mapping(content["policy"], tuple(Policy.model_fields), ("policy",))
    try:
        return DEFAULT_POLICY.lay_over(changes)
    except ValidationError as error:
        raise source.first(error, Policy, changes, ("policy",)) from None
    except InputError as fault:
        raise source.fault(("policy", *(fault.field or "").split(".")), fault.message) from None


def _states(rules: RuleVersion) -> list[str]:
    return [place.state.value for place in rules.table.places.values()]


class _Reader:
    """Reads the parts of one file that depend on each other: facts lie over facts, steps follow in time."""

    def __init__(self, source: Source, dispute: _Dispute, rules: RuleVersion) -> None:
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
                raise self.source.fault(("dispute", "opened_at"), "too early for an order paid three days before; give order") from None
        value = content["order"]
        return None if value is None else self.source.validated(Order, value, ("order",))

    def expect(self, content: Mapping[str, object], path: FieldPath) -> Expect:
        if "expect" not in content:
            return Expect()
        expect = self.source.validated(Expect, content["expect"], (*path, "expect"))
        if not expect.model_fields_set:
            raise self.source.fault((*path, "expect"), f"expect one or more of: {', '.join(Expect.model_fields)}")
        self.known_state(expect, (*path, "expect"))
        return expect

    def known_state(self, expect: Expect | ExpectEnd, path: FieldPath) -> None:
        if expect.state is not None:
            self.source.choice(expect.state.value, _states(self.rules), (*path, "state"), f"state of rules {self.rules.id}")

    def steps(self, value: object, order: Order | None) -> tuple[Step, ...]:
        """Read the steps; each change of facts is laid over what stands then."""
        if not isinstance(value, list):
            raise self.source.fault(("steps",), "expected a list of steps")
        facts: dict[str, Any] = {} if order is None else order.model_dump(mode="json")
        at, steps = self.dispute.opened_at, list[Step]()
        for index, item in enumerate(cast("list[object]", value)):
            path: FieldPath = ("steps", index)
            content = self.source.mapping(item, _STEP_FIELDS, path)
            at = self.at(content, path, at)
            if ("order" in content) == ("do" in content):
                raise self.source.fault(path, "a step has either order (the facts change) or do (an event)")
            does: FactsChange | Availability | Sweep | Command
            if "order" in content:
                does, facts = self.facts(content, path, facts)
            else:
                does = self.event(content, path)
            steps.append(Step(at, self.source.text.line(path), does, self.expect(content, path)))
        return tuple(steps)

    def at(self, content: Mapping[str, object], path: FieldPath, before: datetime) -> datetime:
        """Read when a step happens: an instant, or `+` and a duration since the opening; never back in time."""
        if "at" not in content:
            raise self.source.fault((*path, "at"), "this field is missing: an instant, or + and a duration since opened_at, e.g. +90m")
        value = content["at"]
        try:
            if isinstance(value, str) and value.startswith("+"):
                at = parse_instant(self.dispute.opened_at + parse_duration(value[1:]))
            else:
                at = parse_instant(value)
        except ValueError as error:
            raise self.source.fault((*path, "at"), f"{error}; or write + and a duration since opened_at, e.g. +90m") from None
        if at < before:
            raise self.source.fault((*path, "at"), "this step goes back in time; it lies before the one before it, or before the opening")
        return at

    def facts(
        self, content: Mapping[str, object], path: FieldPath, facts: dict[str, Any]
    ) -> tuple[FactsChange | Availability, dict[str, Any]]:
        """Read a change of the order system's facts, or of its availability."""
        for name in content:
            if name not in {"at", "order", "expect"}:
                raise self.source.fault((*path, name), "goes with do only; nobody acts where facts change")
        here, value = (*path, "order"), content["order"]
        if isinstance(value, str) and value in _AVAILABILITY:
            return Availability(_AVAILABILITY[value]), facts
        if not isinstance(value, dict):
            raise self.source.fault(here, "expected facts that change, available, or unavailable")
        merged = _merged(facts, cast("dict[str, Any]", value))
        return FactsChange(self.source.validated(Order, merged, here)), merged

    def event(self, content: Mapping[str, object], path: FieldPath) -> Sweep | Command:
        """Read an event: who, what, and its payload."""
        known = [*(name.value for name in EventName if name is not EventName.OPEN_DISPUTE), "sweep", "expire"]
        name = self.source.choice(content["do"], known, (*path, "do"), "event")
        if name == "sweep":
            for field in ("by", "key", "with"):
                if field in content:
                    raise self.source.fault((*path, field), "a sweep is the system's own, it takes no by, key or with")
            return Sweep()
        payload = content.get("with", {})
        if name == "expire":
            event = self.source.validated(_Expiry, payload, (*path, "with")).deadline.expiry
            payload = {}
        else:
            event = EventName(name)
        return Command(
            event=event,
            actor=self.actor(content, event, path),
            payload=self.source.validated(PAYLOADS[event], payload, (*path, "with")),
            key=self.source.validated(_Keyed, {"key": content["key"]}, path).key if "key" in content else None,
        )

    def actor(self, content: Mapping[str, object], event: EventName, path: FieldPath) -> Actor:
        """Read who acts; left out, it is the role that the rules name for the event, with the dispute's own id."""
        if "by" not in content:
            role = self.rules.table.actors[event].roles[0]
        elif isinstance(by := content["by"], dict):
            return self.source.validated(Actor, cast("object", by), (*path, "by"))
        else:
            role = Role(self.source.choice(by, [role.value for role in Role], (*path, "by"), "role"))
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
        merged[name] = _merged(below, cast("dict[str, Any]", value)) if isinstance(value, dict) else value
    return merged
