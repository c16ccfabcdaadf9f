"""`dispute-fsm show`: the timeline and the state of one dispute; with `--at` after that event."""

from collections.abc import Iterable
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.text import Text

from dispute_fsm.cli.app import Exit
from dispute_fsm.cli.arguments import (
    LANG,
    DisputeOption,
    HistoryArgument,
    JsonOption,
    LangOption,
    number_option,
)
from dispute_fsm.cli.command import command
from dispute_fsm.cli.inputs import require_seq, select_steps
from dispute_fsm.cli.messages import SHOW
from dispute_fsm.cli.output import print_details, print_json, print_line
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.enums import LIABILITIES, Labelled, Lang
from dispute_fsm.domain.rollout import RolloutDecision
from dispute_fsm.domain.scalars import format_duration, format_instant
from dispute_fsm.explain.explanation import explain_dispute
from dispute_fsm.explain.explanation_text import sentences
from dispute_fsm.history.timeline import (
    DeadlineChanges,
    PayloadEntry,
    PersonalValue,
    TimelineEntry,
    VoucherEntry,
    local_time,
    timeline,
)
from dispute_fsm.history.timeline_text import details, headline, state_details


@command("show")
def show(
    path: HistoryArgument,
    dispute: DisputeOption = None,
    at: Annotated[
        int | None,
        number_option("--at", "SEQ", "Go back to just after the event of this number."),
    ] = None,
    as_json: JsonOption = False,
    lang: LangOption = LANG,
) -> Exit:
    """Show the timeline of a dispute and its state.

    Three sentences come first: what happened, how near it was, what can still be done. Each entry
    has what happened, the actor, what the guards saw, and the deadlines.

    Examples:
      dispute-fsm show out/15-promise-missed.history.jsonl
      dispute-fsm show out/15-promise-missed.history.jsonl --at 3

    Exit code: 0 shown, 2 the history cannot be found or read, or there is no such dispute or event.

    """
    steps = select_steps(path, dispute)
    if at is not None:
        require_seq(at, [step.event for step in steps], path)
    steps = steps[:at]
    events = [step.event for step in steps]
    entries = timeline(events, steps[0].policy)
    if as_json:
        for entry in entries:
            print_json(entry_json(entry))
    else:
        explanation = explain_dispute(steps[-1].after, events)
        _show(entries, steps[-1].after, sentences(explanation, lang), lang)
    return Exit.OK


# ---- for programs --------------------------------------------------------------------------------


def entry_json(entry: TimelineEntry) -> dict[str, Any]:
    """Return an entry of a timeline as JSON."""
    return {
        "seq": entry.seq,
        "at": format_instant(entry.at),
        "type": entry.type.value,
        "command": entry.command.value,
        "actor": {"role": entry.actor.role.value, "id": entry.actor.id},
        "source": entry.source,
        "target": entry.target,
        "outcome": entry.outcome and entry.outcome.value,
        "refused": [code.value for code in entry.refused],
        "deadlines": _deadlines_json(entry.deadlines),
        "seen": [
            {"guard": check.guard, "passed": check.passed, "saw": dict(check.saw)}
            for check in entry.checks
        ],
        "said": _payload_json(entry.payload),
    }


def _deadlines_json(changes: DeadlineChanges) -> dict[str, Any]:
    expired = changes.expired
    return {
        "began": {
            deadline.value: format_instant(start.due) for deadline, start in changes.started.items()
        },
        "moved": {
            deadline.value: {"from": format_instant(was), "to": format_instant(due)}
            for deadline, (was, due) in changes.moved.items()
        },
        "ended": {deadline.value: format_instant(due) for deadline, due in changes.ended.items()},
        "standing": {
            deadline.value: format_instant(due) for deadline, due in changes.current.items()
        },
        "passed": expired
        and {
            "deadline": expired.deadline.value,
            "due": format_instant(expired.due),
            "late": format_duration(expired.late),
        },
    }


def _payload_json(fields: Iterable[PayloadEntry]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for field in fields:
        match field.value:
            case VoucherEntry(kind, media_type, size, name, uri):
                voucher = {
                    "kind": kind.value,
                    "media_type": media_type,
                    "size": size,
                    "file_name": name and _personal_json(name),
                    "uri": uri and _personal_json(uri),
                }
                record.setdefault(field.name, []).append(voucher)
            case PersonalValue():
                record[field.name] = _personal_json(field.value)
            case RolloutDecision():
                record[field.name] = field.value.version
            case Labelled():
                record[field.name] = field.value.value
            case str():
                record[field.name] = field.value
            case _:
                record[field.name] = format_instant(field.value)
    return record


def _personal_json(value: PersonalValue) -> dict[str, Any]:
    return {"length": value.length, "value": value.value}


# ---- for people ----------------------------------------------------------------------------------


def _show(
    entries: tuple[TimelineEntry, ...], dispute: Dispute, conclusion: Iterable[str], lang: Lang
) -> None:
    head = SHOW(
        lang,
        "head",
        dispute=dispute.dispute_id,
        order=dispute.order_id,
        merchant=dispute.merchant_id,
        consumer=dispute.consumer_id,
        rules=dispute.rules.id,
    )
    print_line(head, "bold")
    print_line("")
    for sentence in conclusion:
        print_line(sentence, hang=0)
    width = len(str(entries[-1].seq))
    for entry in entries:
        show_entry(entry, width, lang)
    print_line("")
    at = local_time(dispute.last_at, ZoneInfo(dispute.policy.calendar.zone))
    state = SHOW(lang, "state", at=at, seq=dispute.seq, revision=dispute.revision)
    print_line(state, "bold")
    print_details(state_details(dispute, lang))


def show_entry(
    entry: TimelineEntry, width: int, lang: Lang, notes: Iterable[tuple[str, str]] = ()
) -> None:
    """Print an entry of a timeline, and notes below it; `width` is that of the largest number."""
    when, what, by = headline(entry, lang)
    print_line("")
    start = f"#{entry.seq:<{width}}  {when}  "
    head = Text.assemble((start, "dim"), (what, _style(entry)), f"  {by}")
    print_line(head, hang=cell_len(start))
    print_details([*details(entry, lang), *notes])


def _style(entry: TimelineEntry) -> str:
    if entry.refused:
        return "bold yellow"
    if entry.outcome is None:
        return "bold"
    return "bold red" if entry.outcome in LIABILITIES else "bold green"
