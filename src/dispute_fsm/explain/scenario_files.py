"""An alternative as a scenario file: `dispute-fsm run` decides it once more, ending as claimed.

Nothing that a person wrote is in it, and no id of the host: texts are filler of the same length,
files have neither names nor addresses, and ids, keys and waybills are numbered.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.commands import PERSONAL, Actor, Command, Voucher, merchant
from dispute_fsm.domain.enums import RefusalCode, Role
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.explain.alternatives import Alternative
from dispute_fsm.explain.course import CourseStep, Record
from dispute_fsm.explain.payloads import FILLER
from dispute_fsm.explain.supposed_facts import date_of
from dispute_fsm.scenarios.reader import SUFFIX
from dispute_fsm.scenarios.writer import command_step, order_step, policy_changes, yaml_text

_OTHER = "z"
"""Filler for a command whose key was used before with other content: the texts have to differ."""


def file_name(number: int, alternative: Alternative) -> str:
    """Return the name of an alternative's scenario file; `number` is its place in the list."""
    ends = alternative.outcome or alternative.state
    return f"{number:02}-{alternative.grade.value}-{ends.value.replace('_', '-')}{SUFFIX}"


def scenario_text(record: Record, alternative: Alternative, title: str) -> str:
    """Write an alternative as a scenario that expects the ending, or where it would wait."""
    course, first = alternative.course, record.events[0]
    start = course.start
    before = record.events[1 : start.seq]
    steps = (*_recorded(record, len(before)), *course.steps)
    names = _Names(start)
    expect: dict[str, Any] = {"state": course.dispute.state.value}
    if course.dispute.closed:
        expect["outcome"] = None if course.dispute.outcome is None else course.dispute.outcome.value
    content: dict[str, Any] = {"title": title, "rules": first.rules}
    if changes := policy_changes(start.policy, first.rules):
        content["policy"] = changes
    order = names.order(first.facts, at=None)
    content |= {
        "dispute": {"opened_at": format_instant(first.at)},
        "order": order.model_dump(mode="json", exclude_none=True),
        "steps": list(_steps(steps, order, names)),
        "expect": expect,
    }
    return yaml_text(content)


def _recorded(record: Record, count: int) -> Iterator[CourseStep]:
    for act in record.acts(2)[:count]:
        event = act.event
        yield CourseStep(act, event, () if event is None else event.refused)


def _steps(
    steps: tuple[CourseStep, ...], order: Order, names: "_Names"
) -> Iterator[dict[str, Any]]:
    for step in steps:
        event = step.event
        at = step.act.at if event is None else event.at
        if event is not None and event.facts is not None:
            shown = names.order(event.facts, at=at)
            if shown != order:
                yield order_step(at, shown)
                order = shown
        filler = _OTHER if RefusalCode.KEY_REUSED in step.refused else FILLER
        command = names.command(step.act.command, filler)
        written = command_step(at, command, names.actor(step.act.command.by))
        if step.refused:
            written["expect"] = {"refused": [code.value for code in step.refused]}
        yield written


class _Names:
    """Numbers for what must not leave the record: the same number for the same value."""

    def __init__(self, dispute: Dispute) -> None:
        self._own = {Role.MERCHANT: dispute.merchant_id, Role.CONSUMER: dispute.consumer_id}
        self._numbers = dict[tuple[str, str], int]()

    def _number(self, kind: str, value: str) -> int:
        return self._numbers.setdefault((kind, value), len(self._numbers) + 1)

    def actor(self, by: Actor) -> object:
        """Return who acts, as a scenario names them."""
        if self._own.get(by.role, by.id) == by.id:
            return by.role.value
        return {"role": by.role.value, "id": f"another-{self._number('actor', by.id)}"}

    def command(self, command: Command, filler: str) -> Command:
        """Return a command without personal values and ids."""
        members: dict[str, object] = {"by": merchant("any")}
        if command.key is not None:
            members["key"] = f"key-{self._number('key', command.key)}"
        for name in PERSONAL & set(type(command).model_fields):
            text = getattr(command, name)
            members[name] = None if text is None else filler * (len(text) if text.strip() else 0)
        if "vouchers" in type(command).model_fields:
            given: tuple[Voucher, ...] = getattr(command, "vouchers", ())
            members["vouchers"] = tuple(self._voucher(voucher) for voucher in given)
        return command.model_copy(update=members)

    def _voucher(self, voucher: Voucher) -> Voucher:
        digest = f"{self._number('file', voucher.sha256):010}".rjust(64, "f")  # no YAML number
        return voucher.model_copy(update={"file_name": None, "uri": None, "sha256": digest})

    def order(self, facts: OrderFacts | None, at: datetime | None) -> Order:
        """Return what the order system showed, as far as the rules look at it.

        What was dated after the look did not count; where the look was earlier than the step, it
        must not count there either.
        """
        if facts is None:
            return Order()
        members: dict[str, Any] = {
            name: getattr(facts, name)
            for name in Order.model_fields
            if at is None or at == facts.observed_at or not _later(facts, name)
        }
        for name in ("shipment", "pickup"):
            fact = members.get(name)
            if fact is not None and fact.waybill is not None:
                waybill = f"W{self._number('waybill', fact.waybill)}"
                members[name] = fact.model_copy(update={"waybill": waybill})
        if (shipment := members.get("shipment")) is not None:
            members["shipment"] = shipment.model_copy(update={"carrier": None})
        if (refund := members.get("refund")) is not None:
            members["refund"] = refund.model_copy(update={"amount": None, "currency": None})
        return Order(**members)


def _later(facts: OrderFacts, member: str) -> bool:
    date = date_of(facts, member)
    return date is not None and date > facts.observed_at
