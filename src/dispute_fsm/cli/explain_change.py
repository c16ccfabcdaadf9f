"""`dispute-fsm explain --change`: what would have happened, step by step."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.text import Text

from dispute_fsm.cli.output import print_details, print_json, print_line
from dispute_fsm.cli.show import entry_json, show_entry
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.errors import InputError
from dispute_fsm.explain.changes import (
    ActChange,
    AddedAct,
    ChangedAct,
    DroppedAct,
    Supposed,
    ToldStep,
    suppose,
)
from dispute_fsm.explain.changes_reader import read_changes
from dispute_fsm.explain.course import CourseStep, Record
from dispute_fsm.explain.messages import CHANGE
from dispute_fsm.history.messages import PAYLOAD_MEMBERS
from dispute_fsm.history.timeline import TimelineEntry, local_time, timeline
from dispute_fsm.history.timeline_text import actor_label, state_details, state_label


def show_change(record: Record, path: Path, lang: Lang, *, as_json: bool) -> None:
    """Print what would have happened to a recorded dispute with the changes of a file.

    Raises `InputError` for the first error in the file.
    """
    try:
        supposed = suppose(record, read_changes(path, record))
    except InputError as error:
        raise error.within(str(path)) from None
    entries = {
        entry.seq: entry for entry in timeline(supposed.events, supposed.course.dispute.policy)
    }
    if as_json:
        print_json(_as_json(supposed, entries))
    else:
        _Told(supposed, entries, lang).show()


# ---- for programs --------------------------------------------------------------------------------


def _as_json(supposed: Supposed, entries: dict[int, TimelineEntry]) -> dict[str, Any]:
    record, course = supposed.record, supposed.course
    until = course.waits_until
    return {
        "dispute_id": record.end.dispute_id,
        "rules": record.end.rules.id,
        "recorded": _end_json(record.end),
        "steps": [_step_json(told, entries) for told in supposed.steps],
        "end": _end_json(course.dispute),
        "waits": {
            "for": [role.value for role in supposed.awaited],
            "until": until and format_instant(until),
            "silence": _end_json(course.foreseen),
        }
        if supposed.awaited
        else None,
        "left_out": list(course.left_out),
        "unreached": list(supposed.unreached),
        "counts_otherwise": course.counts_otherwise,
    }


def _end_json(dispute: Dispute) -> dict[str, Any]:
    return {
        "state": dispute.state.value,
        "states": [state.value for state in dispute.states],
        "outcome": dispute.outcome and dispute.outcome.value,
    }


def _step_json(told: ToldStep, entries: dict[int, TimelineEntry]) -> dict[str, Any]:
    step = told.step
    return {
        "recorded": told.recorded and told.recorded.seq,
        "same": told.same,
        "change": step.act.change,
        "at": format_instant(step.act.at),
        "command": step.act.command.type.value,
        "refused": [code.value for code in step.refused],
        "event": None if step.event is None else entry_json(entries[step.event.seq]),
    }


# ---- for people ----------------------------------------------------------------------------------


class _Told:
    """Prints one course in one language."""

    def __init__(self, supposed: Supposed, entries: dict[int, TimelineEntry], lang: Lang) -> None:
        self.supposed = supposed
        self.entries = entries
        self.lang: Lang = lang
        self.zone = ZoneInfo(supposed.record.policy.calendar.zone)

    def text(self, name: str, **values: object) -> str:
        return CHANGE(self.lang, name, **values)

    def time(self, at: datetime) -> str:
        return local_time(at, self.zone)

    def show(self) -> None:
        supposed, dispute = self.supposed, self.supposed.course.dispute
        head = self.text("head", dispute=supposed.record.end.dispute_id)
        print_line(head, "bold")
        for line in map(self.change, supposed.changes):
            print_line(f"    {line}", hang=6)
        if not supposed.changes:
            print_line(f"    {self.text('nothing')}")
        width = len(str(len(supposed.events)))
        for told in supposed.steps:
            if told.step.event is None:
                self.show_unrecorded(told.step, width)
            else:
                note = (self.text("recorded"), self.recorded(told))
                show_entry(self.entries[told.step.event.seq], width, self.lang, [note])
        print_line("")
        if not (supposed.steps or supposed.course.left_out or supposed.unreached):
            same = dispute.seq == supposed.record.end.seq
            print_line(self.text("as_recorded" if same else "as_recorded_after"))
        print_line(self.text("state", at=self.time(dispute.last_at)), "bold")
        print_details([*state_details(dispute, self.lang), *_once_each(self.conclusion())])

    # ---- what is supposed ------------------------------------------------------------------------

    def change(self, change: ActChange) -> str:
        record = self.supposed.record
        match change:
            case AddedAct():
                return self.text(
                    "added",
                    after=change.after,
                    at=self.time(change.at),
                    actor=actor_label(change.command.by, self.lang),
                    command=change.command.type.label(self.lang),
                )
            case DroppedAct(seq=seq):
                command = record.events[seq - 1].command.label(self.lang)
                return self.text("dropped", seq=seq, command=command)
            case ChangedAct(seq=seq):
                command = record.events[seq - 1].command.label(self.lang)
                what = self.text("and").join(self.changed(change))
                return self.text("changed", seq=seq, command=command, what=what)

    def changed(self, change: ChangedAct) -> Iterator[str]:
        if change.at is not None:
            yield self.text("at", at=self.time(change.at))
        if change.members:
            members = (PAYLOAD_MEMBERS(self.lang, name) for name in change.members)
            yield self.text("with", members=self.text("list").join(members))
        if change.order:
            members = (self.text(name) for name in change.order)
            yield self.text("order", members=self.text("list").join(members))

    # ---- the steps -------------------------------------------------------------------------------

    def recorded(self, told: ToldStep) -> str:
        recorded, act = told.recorded, told.step.act
        if recorded is None:
            return self.text("by_system" if act.change is None else "supposed")
        if told.same:
            return self.text("same", seq=recorded.seq)
        what = self.result(recorded)
        return self.text("otherwise", seq=recorded.seq, at=self.time(recorded.at), what=what)

    def result(self, event: AuditEvent) -> str:
        if event.refused:
            codes = self.text("list").join(code.label(self.lang) for code in event.refused)
            return self.text("refused", codes=codes)
        return self.ends(event.target, event.outcome and event.outcome.label(self.lang))

    def ends(self, path: str, outcome: str | None) -> str:
        state = state_label(path, self.lang)
        return self.text("ends", state=state, outcome=outcome) if outcome else state

    def show_unrecorded(self, step: CourseStep, width: int) -> None:
        act = step.act
        what = self.text("unrecorded")
        if step.refused:
            codes = self.text("list").join(code.label(self.lang) for code in step.refused)
            what = self.text("refused", codes=codes)
        by = f"{actor_label(act.command.by, self.lang)} · {act.command.type.label(self.lang)}"
        print_line("")
        start = f" {'':<{width}}  {self.time(act.at)}  "
        print_line(Text.assemble((start, "dim"), what, f"  {by}"), hang=cell_len(start))

    # ---- where that leads ------------------------------------------------------------------------

    def conclusion(self) -> Iterator[tuple[str, str]]:
        supposed, course = self.supposed, self.supposed.course
        if supposed.awaited:
            yield self.text("depends"), self.depends()
        for step in course.silence:
            if (event := step.event) is not None:
                command = event.command.label(self.lang)
                values = {"at": self.time(event.at), "command": command}
                yield self.text("silence"), self.text("leads_to", end=self.result(event), **values)
        end = supposed.record.end
        outcome = end.outcome and end.outcome.label(self.lang)
        yield self.text("then"), self.ends(end.path, outcome)
        for name, seqs in (("about_other", course.left_out), ("not_reached", supposed.unreached)):
            if seqs:
                numbers = self.text("list").join(map(str, seqs))
                yield self.text("left_out"), self.text(name, seqs=numbers)
        if course.counts_otherwise:
            yield self.text("calendar"), self.text("counts_otherwise")

    def depends(self) -> str:
        course = self.supposed.course
        who = self.text("list").join(role.label(self.lang) for role in self.supposed.awaited)
        until = course.waits_until
        if until is None:
            return self.text("answer_without_limit", who=who)
        name = "may_change" if course.dispute.closed else "answer"
        return self.text(name, who=who, until=self.time(until))


def _once_each(rows: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Leave out a label where the row before has it."""
    last = ""
    for label, text in rows:
        yield "" if label == last else label, text
        last = label
