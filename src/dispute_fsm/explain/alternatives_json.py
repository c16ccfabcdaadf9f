"""The other endings as JSON, for programs: instants in UTC, wire names."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from dispute_fsm.domain.commands import ChooseOption
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.explain.alternatives import Alternative, Alternatives, for_reader
from dispute_fsm.explain.alternatives_text import text_of
from dispute_fsm.explain.edits import Acted, Completed, Dropped, Edit, Moved, OtherPolicy, Shown
from dispute_fsm.explain.supposed_facts import Hands


def alternatives_record(result: Alternatives, reader: Hands, policy: Policy) -> dict[str, Any]:
    """Return the alternatives in the order in which they are advice to a reader."""
    found = for_reader(result.found, reader)
    return {
        "for": reader.value,
        "alternatives": [_record(one, policy) for one in found],
        "last_resorts": [command.value for command in result.last_resorts],
        "not_looked_at": result.not_looked_at,
        "counted_otherwise": result.counted_otherwise,
    }


def _record(one: Alternative, policy: Policy) -> dict[str, Any]:
    course = one.course
    return {
        "grade": one.grade.value,
        "hands": [hand.value for hand in one.hands],
        "only_if_true": one.presupposes,
        "edits": [_without_none(_edit(edit)) for edit in one.edits],
        "state": one.state.value,
        "states": [state.value for state in course.dispute.states],
        "outcome": one.outcome and one.outcome.value,
        "waits_until": _instant(course.waits_until),
        "foreseen": one.foreseen and one.foreseen.value,
        "text": {
            lang: {"what": text.what, "end": text.end}
            for lang, text in (
                ("zh", text_of(one, policy, "zh")),
                ("en", text_of(one, policy, "en")),
            )
        },
    }


def _edit(edit: Edit) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": edit.kind.name.lower(), "seq": edit.seq}
    match edit:
        case Moved():
            record |= {"was": _instant(edit.was), "at": _instant(edit.at), "before": edit.before}
        case Completed():
            codes = [reason.code.value for reason in edit.reasons]
            record |= {"lacked": codes, "until": _instant(edit.until)}
        case Acted():
            record |= {"at": _instant(edit.at), "before": edit.before}
            record |= {"instead_of": edit.instead_of, "until": _instant(edit.until)}
            record |= {"reasons": list(edit.reasons) or None}
        case Shown():
            was = [_instant(one) for one in edit.was]
            facts = [fact.name for fact in edit.facts]
            record |= {"facts": facts, "by": _instant(edit.by), "was": was}
        case Dropped():
            pass
        case OtherPolicy():
            return {**record, "field": edit.name, "value": edit.value}
    if isinstance(edit, Moved | Completed | Acted | Dropped):
        command = edit.command
        record["command"] = command.type.value
        record["by"] = command.by.role.value
        record["option"] = command.option.value if isinstance(command, ChooseOption) else None
    return record


def _without_none(record: Mapping[str, Any]) -> dict[str, Any]:
    kept: Iterable[tuple[str, Any]] = record.items()
    return {name: value for name, value in kept if value is not None or name == "value"}


def _instant(at: datetime | None) -> str | None:
    return None if at is None else format_instant(at)
