"""Reading a file of changes: a YAML list, all or nothing, every error with file, line and field."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

from dispute_fsm.documents.source import (
    NOT_A_MAPPING,
    ErrorCollector,
    FieldPath,
    YamlSource,
)
from dispute_fsm.documents.yaml_text import read_file, read_yaml
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.errors import InputError
from dispute_fsm.explain.changes import (
    ActChange,
    AddedAct,
    ChangedAct,
    DroppedAct,
    OrderChange,
)
from dispute_fsm.explain.course import Act, Record
from dispute_fsm.explain.supposed_facts import SupposedWorld
from dispute_fsm.history.redecide import recorded_command
from dispute_fsm.scenarios.model import Sweep
from dispute_fsm.scenarios.reader import DisputeBlock, ScenarioReader, merged_facts

_CHANGED = ("seq", "at", "with", "order")
_ADDED = ("after", "do", "at", "with", "by", "order")
_DROPPED = ("drop",)
_KIND_FIELDS = {"seq": _CHANGED, "after": _ADDED, "drop": _DROPPED}
_KINDS = (
    "a change has one of: seq (an event that is changed), after (an event after which something "
    "is added), drop (an event that is left out)"
)
_OPENING = "event 1 is the opening"
_FIELDS = tuple(dict.fromkeys((*_CHANGED, *_ADDED, *_DROPPED)))


def read_changes(path: Path, record: Record) -> tuple[ActChange, ...]:
    """Read the changes of a recorded dispute from a file.

    Raises `InputError` for the first error in it, `OSError` if it cannot be read.
    """
    return _Reader(read_file(path), record).changes()


def parse_changes(text: bytes | str, file: str, record: Record) -> tuple[ActChange, ...]:
    """Read changes from text; `file` is its name in errors."""
    return _Reader(read_yaml(text, file), record).changes()


class _Reader:
    """Reads the changes of one dispute; what they mean depends on its record."""

    def __init__(self, source: YamlSource, record: Record) -> None:
        self.source = source
        self.record = record
        self.opened_at = record.events[0].at
        first, rules = record.end, record.end.rules
        block = DisputeBlock.model_construct(  # the ids of a recorded dispute may be blank
            dispute_id=first.dispute_id,
            order_id=first.order_id,
            merchant_id=first.merchant_id,
            consumer_id=first.consumer_id,
            opened_at=self.opened_at,
        )
        self.reader = ScenarioReader(source, block, rules)

    def changes(self) -> tuple[ActChange, ...]:
        """Read all changes. Raises `InputError` for the first error."""
        value = self.source.value
        if not isinstance(value, list):
            raise self.source.error((), f"expected a list of changes; {_KINDS}")
        errors = ErrorCollector()
        changes = list[ActChange]()
        for index, item in enumerate(cast("list[object]", value)):
            change = errors.attempt(partial(self._change, item, (index,)))
            if change is not None:
                changes.append(change)
        errors.raise_first()
        errors.errors += [*self._twice(changes), *self._misplaced(changes), *self._unfit(changes)]
        errors.raise_first()
        return tuple(changes)

    # ---- one change ------------------------------------------------------------------------------

    def _change(self, item: object, path: FieldPath) -> ActChange:
        kinds = [kind for kind in _KIND_FIELDS if isinstance(item, dict) and kind in item]
        known = _KIND_FIELDS[kinds[0]] if len(kinds) == 1 else _FIELDS
        errors = ErrorCollector()
        content = self.source.fields(item, known, path, errors)
        if len(kinds) != 1:
            errors.raise_first()  # an unknown field may be one of them, misspelt
            raise self.source.error(path, _KINDS)
        change = errors.attempt(lambda: self._change_of(kinds[0], content, path))
        if change is None or errors.errors:
            raise errors.first()
        return change

    def _change_of(self, kind: str, content: Mapping[str, object], path: FieldPath) -> ActChange:
        if kind == "seq":
            return self._changed(content, path)
        if kind == "after":
            return self._added(content, path)
        return self._dropped(content, path)

    def _changed(self, content: Mapping[str, object], path: FieldPath) -> ChangedAct:
        seq = self._seq(content, path, "seq")
        given = [name for name in ("at", "with", "order") if name in content]
        if not given:
            raise self.source.error(path, "give at, with or order: what would have been otherwise")
        if seq == 1 and given != ["order"]:
            raise self.source.error(
                (*path, given[0]), f"{_OPENING}; only its order can change, for all that follows"
            )
        at = self._at(content, path) if "at" in content else None
        order = self._order(content, path)
        if "with" not in content:
            return ChangedAct(seq, at, order=order)
        was, payload = self.record.act(seq).command, self._payload(content, path)
        if was.type.expires is not None:
            raise self.source.error((*path, "with"), "an expiry says nothing that could change")
        merged = {name: value for name, value in vars(was).items() if name not in {"by", "key"}}
        for name, value in payload.items():
            merged[name] = value
            if value is None:  # as if it had not been given
                del merged[name]
        command = self.reader.command(was.type, merged, (*path, "with"))
        command = command.model_copy(update={"by": was.by, "key": was.key})
        return ChangedAct(seq, at, command, tuple(payload), order)

    def _added(self, content: Mapping[str, object], path: FieldPath) -> AddedAct:
        after = self._seq(content, path, "after")
        if "do" not in content:
            raise self.source.error((*path, "do"), "missing: give the event that is added")
        if content["do"] == "sweep":
            raise self.source.error(
                (*path, "do"),
                "a sweep names no deadline: write do: expire, with: {deadline: response}",
            )
        at = self._at(content, path)
        command = self.reader.event(content, path)
        if isinstance(command, Sweep):  # cannot be: see above
            raise TypeError
        return AddedAct(after, command, at, self._order(content, path))

    def _dropped(self, content: Mapping[str, object], path: FieldPath) -> DroppedAct:
        seq = self._seq(content, path, "drop")
        if seq == 1:
            raise self.source.error((*path, "drop"), f"{_OPENING}; it cannot be left out")
        return DroppedAct(seq)

    # ---- fields ----------------------------------------------------------------------------------

    def _seq(self, content: Mapping[str, object], path: FieldPath, field: str) -> int:
        seq, last = content[field], len(self.record.events)
        if not isinstance(seq, int) or isinstance(seq, bool):
            raise self.source.error((*path, field), "expected the number of an event")
        if not 1 <= seq <= last:
            raise self.source.error(
                (*path, field),
                f"there is no event {seq}: dispute {self.record.end.dispute_id} has the events 1 "
                f"to {last}",
            )
        return seq

    def _at(self, content: Mapping[str, object], path: FieldPath) -> datetime:
        at = self.reader.at(content, path)
        if at < self.opened_at:
            raise self.source.error(
                (*path, "at"), f"this is before the opening ({format_instant(self.opened_at)})"
            )
        return at

    def _payload(self, content: Mapping[str, object], path: FieldPath) -> Mapping[str, object]:
        payload = content["with"]
        if not isinstance(payload, dict):
            raise self.source.error((*path, "with"), NOT_A_MAPPING)
        return cast("dict[str, object]", payload)

    def _order(self, content: Mapping[str, object], path: FieldPath) -> OrderChange | None:
        if "order" not in content:
            return None
        errors = ErrorCollector()
        known = tuple(Order.model_fields)
        order = self.source.fields(content["order"], known, (*path, "order"), errors)
        errors.raise_first()
        return order

    # ---- all of them together --------------------------------------------------------------------

    def _twice(self, changes: Sequence[ActChange]) -> Iterator[InputError]:
        first = dict[int, int]()
        for index, change in enumerate(changes):
            if isinstance(change, AddedAct):
                continue
            before = first.setdefault(change.seq, index)
            if before != index:
                yield self.source.error(
                    (index, "drop" if isinstance(change, DroppedAct) else "seq"),
                    f"event {change.seq} is changed twice, first in line "
                    f"{self.source.line((before,))}: keep one of the two",
                )

    def _misplaced(self, changes: Sequence[ActChange]) -> Iterator[InputError]:
        """Yield an error for each act that is added before or after another than it says."""
        times = {event.seq: event.at for event in self.record.events}
        for change in changes:
            if isinstance(change, ChangedAct) and change.at is not None:
                times[change.seq] = change.at
        dropped = {change.seq for change in changes if isinstance(change, DroppedAct)}
        moved = {seq for seq, at in times.items() if at != self.record.events[seq - 1].at}
        for index, change in enumerate(changes):
            if not isinstance(change, AddedAct):
                continue
            if change.at < times[change.after]:
                yield self.source.error(
                    (index, "at"),
                    f"this goes back in time: it is before event {change.after} "
                    f"({format_instant(times[change.after])})",
                )
            later = (seq for seq in times if seq > change.after and seq not in dropped | moved)
            following = next(later, None)
            if following is not None and change.at > times[following]:
                yield self.source.error(
                    (index, "at"),
                    f"event {following} follows, and would go back in time "
                    f"({format_instant(times[following])}): write after: {following}, or drop it",
                )

    def _unfit(self, changes: Sequence[ActChange]) -> Iterator[InputError]:
        """Yield an error for each change of the order that does not fit what is recorded of it."""
        orders = sorted(
            (self._act(change).at, index, change)
            for index, change in enumerate(changes)
            if not isinstance(change, DroppedAct) and change.order is not None
        )
        for number, (_, index, change) in enumerate(orders):
            for look in self._looks_from(self._act(change)):
                plain: dict[str, Any] = look.model_dump(
                    mode="json", include=set(Order.model_fields)
                )
                for _, _, earlier in orders[: number + 1]:
                    plain = merged_facts(plain, earlier.order or {})
                try:
                    self.source.validate(Order, plain, (index, "order"))
                except InputError as error:
                    yield error
                    break

    def _act(self, change: ChangedAct | AddedAct) -> Act:
        if isinstance(change, AddedAct):
            return Act(change.command, change.at)
        event = self.record.events[change.seq - 1]
        return Act(recorded_command(event), change.at or event.at, event)

    def _looks_from(self, act: Act) -> Iterator[OrderFacts]:
        """Yield what is known at an act, and what was seen later."""
        shown = SupposedWorld(self.record).of(act)
        if shown is not None:
            yield shown
        yield from (look for look in self.record.looks if look.observed_at > act.at)
