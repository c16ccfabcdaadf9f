"""`dispute-fsm show`: one dispute as a timeline, and how it stands; with `--at` as it stood then."""

from collections.abc import Iterable
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from dispute_fsm.cli.app import LANG, Exit, JsonOption, LangOption, as_lang, emit, output, reported
from dispute_fsm.cli.histories import chosen
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain.enums import LIABILITIES, Labelled, Lang
from dispute_fsm.domain.rollout import RolloutDecision
from dispute_fsm.domain.scalars import format_duration, format_instant
from dispute_fsm.errors import InputError
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
from dispute_fsm.terminal import printable


@reported
def show(
    path: Annotated[
        str,
        typer.Argument(
            metavar="HISTORY",
            help="A history file, also one that ends in .gz; - is standard input.",
        ),
    ],
    dispute: Annotated[
        str | None, typer.Option(metavar="ID", help="Which dispute, where the file holds several.")
    ] = None,
    at: Annotated[
        int | None,
        typer.Option(metavar="SEQ", help="Go back to just after the event of this number."),
    ] = None,
    as_json: JsonOption = False,
    lang: LangOption = LANG,
) -> Exit:
    """Show one dispute as a timeline: what happened, who did it, what was seen, which deadline ran, and how it stands.

    Example: dispute-fsm show out/15-promise-missed.history.jsonl --at 3
    """
    story = chosen(path, dispute)
    if at is not None and not 1 <= at <= len(story):
        there = f"dispute {story[0].event.dispute_id} has the events 1 to {len(story)}"
        raise InputError(f"there is no event {at}: {there}", file=path, field="--at")
    story = story[:at]
    entries = timeline([step.event for step in story], story[0].policy)
    if as_json:
        for entry in entries:
            emit(_as_json(entry))
    else:
        _show(entries, story[-1].after, as_lang(lang))
    return Exit.WELL


# ---- for programs --------------------------------------------------------------------------------


def _as_json(entry: TimelineEntry) -> dict[str, Any]:
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


def _deadlines_json(deadlines: DeadlineChanges) -> dict[str, Any]:
    expired = deadlines.expired
    return {
        "began": {
            deadline.value: format_instant(start.due)
            for deadline, start in deadlines.started.items()
        },
        "moved": {
            deadline.value: {"from": format_instant(was), "to": format_instant(due)}
            for deadline, (was, due) in deadlines.moved.items()
        },
        "ended": {deadline.value: format_instant(due) for deadline, due in deadlines.ended.items()},
        "standing": {
            deadline.value: format_instant(due) for deadline, due in deadlines.current.items()
        },
        "passed": expired
        and {
            "deadline": expired.deadline.value,
            "due": format_instant(expired.due),
            "late": format_duration(expired.late),
        },
    }


def _payload_json(payload: Iterable[PayloadEntry]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for each in payload:
        match each.value:
            case VoucherEntry(kind, media_type, size, name, uri):
                voucher = {"kind": kind.value, "media_type": media_type, "size": size}
                personal = {
                    "file_name": name and _personal_json(name),
                    "uri": uri and _personal_json(uri),
                }
                record.setdefault(each.name, []).append(voucher | personal)
            case PersonalValue():
                record[each.name] = _personal_json(each.value)
            case Labelled():
                record[each.name] = each.value.value
            case RolloutDecision():
                record[each.name] = each.value.version
            case str():
                record[each.name] = each.value
            case _:
                record[each.name] = format_instant(each.value)
    return record


def _personal_json(said: PersonalValue) -> dict[str, Any]:
    return {"length": said.length, "value": said.value}


# ---- for people ----------------------------------------------------------------------------------

_WORDS: dict[Lang, dict[str, str]] = {
    "zh": {
        "head": (
            "纠纷 {dispute} · 订单 {order} · 商家 {merchant} · 消费者 {consumer} · 规则 {rules}"
        ),
        "stands": "截至 {at}，事件 {seq} 之后（版本序号 {revision}）",
    },
    "en": {
        "head": (
            "dispute {dispute} · order {order} · merchant {merchant} · consumer {consumer} · "
            "rules {rules}"
        ),
        "stands": "as it stands at {at}, after event {seq} (revision {revision})",
    },
}


def _show(entries: tuple[TimelineEntry, ...], dispute: Dispute, lang: Lang) -> None:
    words, zone = _WORDS[lang], ZoneInfo(dispute.policy.calendar.zone)
    names = {
        "order": dispute.order_id,
        "merchant": dispute.merchant_id,
        "consumer": dispute.consumer_id,
        "rules": dispute.rules.id,
    }
    output.print(
        Text(printable(words["head"].format(dispute=dispute.dispute_id, **names)), style="bold")
    )
    width = len(str(entries[-1].seq))
    for entry in entries:
        when, what, by = headline(entry, lang)
        output.print()
        output.print(
            Text.assemble(
                (f"#{entry.seq:<{width}}  {when}  ", "dim"), (what, _style(entry)), f"  {by}"
            )
        )
        _details(details(entry, lang))
    output.print()
    output.print(
        Text(
            words["stands"].format(
                at=local_time(dispute.last_at, zone), seq=dispute.seq, revision=dispute.revision
            ),
            style="bold",
        )
    )
    _details(state_details(dispute, lang))


def _style(entry: TimelineEntry) -> str:
    if entry.refused:
        return "bold yellow"
    return (
        "bold"
        if entry.outcome is None
        else "bold red"
        if entry.outcome in LIABILITIES
        else "bold green"
    )


def _details(told: Iterable[tuple[str, str]]) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for label, text in told:
        grid.add_row(f"    {label}", Text(text))
    output.print(grid)
