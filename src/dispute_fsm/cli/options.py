"""`dispute-fsm options`: the options of the merchant, why some are closed, what each leads to."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import typer
from rich.text import Text

from dispute_fsm.cli.app import Exit, print_error
from dispute_fsm.cli.arguments import LANG, DisputeOption, JsonOption, LangOption, number_option
from dispute_fsm.cli.command import command
from dispute_fsm.cli.inputs import read_events, require_seq, run_dispute, select_steps
from dispute_fsm.cli.messages import OPTIONS
from dispute_fsm.cli.output import print_details, print_json, print_line, print_separator
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.options import (
    Consequence,
    OptionView,
    Preview,
    ShorterTime,
    StartedDeadline,
    options,
)
from dispute_fsm.domain.commands import COMMAND_CLASSES
from dispute_fsm.domain.enums import ORDER_PAGE_LINK, Lang
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.domain.reasons import Reason
from dispute_fsm.domain.scalars import FrozenMap, format_duration, format_instant
from dispute_fsm.errors import InputError
from dispute_fsm.explain.course import Record
from dispute_fsm.explain.supposed_facts import known
from dispute_fsm.history.jsonl import is_history
from dispute_fsm.history.reader import steps
from dispute_fsm.history.timeline import local_time
from dispute_fsm.history.timeline_text import duration_text, order_text, state_label
from dispute_fsm.scenarios.reader import SUFFIX

_MARKS: Mapping[bool | None, tuple[str, str, str]] = FrozenMap(
    {
        True: ("✓", "open", "green"),
        False: ("✗", "closed", "dim"),
        None: ("?", "unknown", "yellow"),
    }
)
"""The sign, the name and the style of what is open, closed, and unknown."""


class _Situation(NamedTuple):
    """A dispute, the last known facts of its order, and the instant that is asked about.

    `learned` are the facts that had happened by that instant, but were seen only later.
    """

    dispute: Dispute
    facts: OrderFacts | None
    at: datetime
    learned: OrderFacts | None = None


@command("options")
def options_command(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help=f"A scenario (*{SUFFIX}) or a history (*.history.jsonl)."
        ),
    ],
    dispute: DisputeOption = None,
    at: Annotated[
        int | None,
        number_option(
            "--at",
            "SEQ",
            "Go back to just after the event of this number, with what was known then.",
        ),
    ] = None,
    as_json: JsonOption = False,
    lang: LangOption = LANG,
) -> Exit:
    """Show the merchant's options, and what would unlock them.

    The options are those at the end of a scenario or history. A closed one says why it is closed,
    and what would unlock it; each one says what it leads to.

    Examples:
      dispute-fsm options examples/00-which-answers-are-open.dispute.yaml
      dispute-fsm options examples/09-one-answer-only.dispute.yaml --at 1
      dispute-fsm options out/12-no-response.history.jsonl --at 1 --lang zh

    Exit code: 0 shown, 2 the file cannot be found or read, or there is no such dispute or event.

    """
    if not path.is_file():
        raise InputError(
            "this is a folder; name one file in it" if path.is_dir() else "no such file",
            file=str(path),
        )
    if at is not None:
        situations = [_after(path, dispute, at)]
    elif is_history(path.name):
        situations = _from_history(path, dispute)
    else:
        situations = [_from_scenario(path, dispute)]
    for number, situation in enumerate(situations):
        views = options(situation.dispute, situation.facts, situation.at)
        if as_json:
            print_json(_as_json(situation, views))
            continue
        if number:
            print_separator()
        _show(situation, views, lang)
    return Exit.OK


def _from_scenario(path: Path, dispute_id: str | None) -> _Situation:
    result, dispute = run_dispute(path, dispute_id)
    if not result.ok:
        print_error(f"{path}: this scenario fails; see dispute-fsm run {path}")
    return _Situation(dispute, result.facts, result.ends_at)


def _from_history(path: Path, dispute_id: str | None) -> list[_Situation]:
    """Read the disputes of a history, each with the facts that it recorded last."""
    disputes: dict[str, Dispute] = {}
    facts: dict[str, OrderFacts] = {}
    named = steps(str(path)) if dispute_id is None else select_steps(str(path), dispute_id)
    for step in named:
        disputes[step.after.dispute_id] = step.after
        if step.event.facts is not None:
            facts[step.after.dispute_id] = step.event.facts
    if not disputes:
        raise InputError("there is no dispute in this history", file=str(path))
    return [
        _Situation(dispute, facts.get(dispute_id), dispute.last_at)
        for dispute_id, dispute in disputes.items()
    ]


def _after(path: Path, dispute_id: str | None, seq: int) -> _Situation:
    """Go back to just after an event, to what the order system had shown by then."""
    events, policy = read_events(str(path), dispute_id)
    require_seq(seq, events, str(path))
    record = Record(events, policy)
    dispute = record.disputes[seq - 1]
    looks = (event.facts for event in reversed(events[:seq]) if event.facts is not None)
    facts, learned = next(looks, None), known(record, dispute.last_at)
    if facts is None or learned is None or _order(facts) == _order(learned):
        learned = None
    return _Situation(dispute, facts, dispute.last_at, learned)


def _order(facts: OrderFacts) -> dict[str, Any]:
    return facts.model_dump(include=set(Order.model_fields))


# ---- for programs --------------------------------------------------------------------------------


def _as_json(situation: _Situation, views: tuple[OptionView, ...]) -> dict[str, Any]:
    dispute, facts, at, learned = situation
    return {
        "dispute_id": dispute.dispute_id,
        "rules": dispute.rules.id,
        "state": dispute.state.value,
        "states": [state.value for state in dispute.states],
        "at": format_instant(at),
        "facts_observed_at": facts and format_instant(facts.observed_at),
        "facts": facts and facts.model_dump(mode="json"),
        "learned_later": learned and learned.model_dump(mode="json"),
        "options": [_option_json(view) for view in views],
    }


def _option_json(view: OptionView) -> dict[str, Any]:
    return {
        "option": view.option.value,
        "label": {"zh": view.option.zh, "en": view.option.en},
        "open": view.open,
        "reasons": [_reason_json(reason) for reason in view.reasons],
        "needs": [_reason_json(reason) for reason in view.needs],
        "link": view.link and {"text": ORDER_PAGE_LINK, "url": view.link},
        "preview": view.preview and _preview_json(view.preview),
    }


def _reason_json(reason: Reason) -> dict[str, Any]:
    return {
        "code": reason.code.value,
        "text": {"zh": reason.text("zh"), "en": reason.text("en")},
        "guard": reason.guard,
        "saw": dict(reason.saw),
        "unlock": {
            **{
                name: format_instant(value) if isinstance(value, datetime) else value
                for name, value in asdict(reason.unlock).items()
                if name not in {"zh", "en"}
            },
            "text": {"zh": reason.unlock.text("zh"), "en": reason.unlock.text("en")},
        },
        "link": reason.link and {"text": ORDER_PAGE_LINK, "url": reason.link},
    }


def _preview_json(preview: Preview) -> dict[str, Any]:
    return {
        "state": preview.state.value,
        "settles": preview.settles and preview.settles.value,
        "irrevocable": preview.irrevocable,
        "deadlines": [
            {
                "deadline": started.deadline.value,
                "due": started.due and format_instant(started.due),
                "latest": started.latest and format_instant(started.latest),
                "counted": started.count
                and {"zh": started.count.text("zh"), "en": started.count.text("en")},
            }
            for started in preview.deadlines
        ],
        "consequences": [
            {
                "event": following.event.value,
                "by": following.role.value,
                "state": following.state.value,
                "outcome": following.outcome and following.outcome.value,
                "given": {fact.question: list(fact.accepts) for fact in following.given},
            }
            for following in preview.consequences
        ],
        "evidence_reasons": {
            name: reason.model_dump(mode="json") for name, reason in preview.reasons
        },
        "shorter": preview.shorter and _shorter_json(preview.shorter),
    }


def _shorter_json(shorter: ShorterTime) -> dict[str, Any]:
    return {
        "deadline": shorter.deadline.value,
        "due": shorter.due and format_instant(shorter.due),
        "left": None if shorter.left is None else format_duration(shorter.left),
        "then": shorter.begins.deadline.value,
        "then_due": shorter.begins.due and format_instant(shorter.begins.due),
        "term": shorter.term.model_dump(mode="json"),
    }


# ---- for people ----------------------------------------------------------------------------------


def _show(situation: _Situation, views: tuple[OptionView, ...], lang: Lang) -> None:
    dispute, facts, at, learned = situation
    zone = ZoneInfo(dispute.policy.calendar.zone)
    state = state_label(dispute.path, lang)
    head = OPTIONS(lang, "head", id=dispute.dispute_id, state=state, at=local_time(at, zone))
    print_line(head, "bold")
    if facts is not None:
        observed = OPTIONS(lang, "facts", at=local_time(facts.observed_at, zone))
        print_line(observed, "dim")
        print_details([(OPTIONS(lang, "order"), order_text(facts, lang, zone))])
    if learned is not None:
        print_line(OPTIONS(lang, "learned"), "dim")
        print_details([(OPTIONS(lang, "order"), order_text(learned, lang, zone))])
    for view in views:
        mark, status, style = _MARKS[view.open]
        print_line("")
        print_line(
            Text.assemble(
                (f"{mark} ", style),
                (view.option.label(lang), "bold" if view.open else style),
                f"  [{OPTIONS(lang, status)}]  ",
                (view.option.value, "dim"),
            )
        )
        lines = [*_reasons(view, lang), *_preview(view.preview, dispute, zone, lang)]
        names = ["", *(name for name, _ in lines)]
        print_details(
            (
                ("" if name == previous else OPTIONS(lang, name), line)
                for previous, (name, line) in zip(names, lines, strict=False)
            ),
            indent=2,
        )
    if any(view.preview for view in views):
        print_line("")
        print_line(OPTIONS(lang, "final"))


def _reasons(view: OptionView, lang: Lang) -> Iterator[tuple[str, str]]:
    for reason in view.reasons:
        yield "why", f"{reason.text(lang)} ({reason.code.value})"
        yield "unlock", reason.unlock.text(lang)
    if view.link:
        yield "unlock", f"{ORDER_PAGE_LINK}: {view.link}"
    for reason in view.needs:
        yield "needs", f"{reason.unlock.text(lang)} ({reason.code.value})"


def _preview(
    preview: Preview | None, dispute: Dispute, zone: ZoneInfo, lang: Lang
) -> Iterator[tuple[str, str]]:
    if preview is None:
        return
    if preview.shorter is not None:
        yield "note", _shorter(preview.shorter, zone, lang)
    if preview.settles is None:
        yield "then", preview.state.label(lang)
    else:
        yield "then", OPTIONS(lang, "settles", outcome=preview.settles.label(lang))
    for started in preview.deadlines:
        yield "then", _deadline(started, dispute, zone, lang)
        if started.count is not None:
            yield "then", started.count.text(lang)
    for following in preview.consequences:
        yield "then", _consequence(following, lang)
    if preview.reasons:
        yield "then", OPTIONS(lang, "reasons", count=len(preview.reasons))


def _shorter(shorter: ShorterTime, zone: ZoneInfo, lang: Lang) -> str:
    begins, term = shorter.begins, shorter.term
    hours = ("hours", term.hours) if term.hours else ("working_hours", term.working_hours)
    command = next(of for of in COMMAND_CLASSES.values() if of.meets is begins.deadline)
    values = {
        "term": OPTIONS(lang, hours[0], hours=hours[1]),
        "due": begins.due and local_time(begins.due, zone),
        "act": command.type.label(lang),
    }
    if shorter.left is None:
        return OPTIONS(lang, "limited", **values)
    left = duration_text(shorter.left, lang)
    return OPTIONS(lang, "shorter", deadline=shorter.deadline.label(lang), left=left, **values)


def _deadline(started: StartedDeadline, dispute: Dispute, zone: ZoneInfo, lang: Lang) -> str:
    name = started.deadline.label(lang)
    if started.due is not None:
        return OPTIONS(lang, "until", deadline=name, due=local_time(started.due, zone))
    latest = started.latest and local_time(started.latest, zone)
    return OPTIONS(
        lang,
        "promise",
        deadline=name,
        grace=duration_text(dispute.policy.scan_grace, lang),
        latest=latest or OPTIONS(lang, "unlimited"),
    )


def _consequence(following: Consequence, lang: Lang) -> str:
    end = following.state.label(lang)
    if following.outcome is not None:
        end = OPTIONS(lang, "ends", state=end, outcome=following.outcome.label(lang))
    given = "".join(f" [{fact.label(lang)}]" for fact in following.given)
    return f"{following.role.label(lang)} · {following.event.label(lang)}{given} → {end}"
