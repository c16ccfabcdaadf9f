"""`dispute-fsm options`: what the merchant could choose, what is closed and why, what choosing commits to."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from dispute_fsm.cli.app import (
    LANG,
    Exit,
    JsonOption,
    LangOption,
    as_lang,
    complain,
    emit,
    output,
    reported,
    say,
)
from dispute_fsm.cli.histories import ran
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.options import Consequence, OptionView, Preview, StartedDeadline, options
from dispute_fsm.domain.enums import ORDER_PAGE_LINK, Lang
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.reasons import Reason
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import is_history
from dispute_fsm.history.reader import steps
from dispute_fsm.history.timeline import local_time
from dispute_fsm.history.timeline_text import duration_text, state_label
from dispute_fsm.scenarios.reader import SUFFIX


@dataclass(frozen=True, slots=True)
class _Moment:
    """A dispute, the order system's facts as last known, and the moment that is asked about."""

    dispute: Dispute
    facts: OrderFacts | None
    at: datetime


@reported
def options_command(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help=f"A scenario (*{SUFFIX}) or a history (*.history.jsonl)."
        ),
    ],
    as_json: JsonOption = False,
    lang: LangOption = LANG,
) -> Exit:
    """Say what the merchant could choose at the end of a scenario or history.

    For each option that is closed: why, and what would unlock it; for each: what choosing it
    commits to.

    Example: dispute-fsm options examples/06-not-shipped-then-corrected.dispute.yaml
    """
    for moment in _moments(path):
        views = options(moment.dispute, moment.facts, moment.at)
        if as_json:
            emit(_as_json(moment, views))
        else:
            _show(moment, views, as_lang(lang))
    return Exit.WELL


def _moments(path: Path) -> Iterator[_Moment]:
    if not path.is_file():
        raise InputError(
            "this is a folder; name one file in it" if path.is_dir() else "no such file",
            file=str(path),
        )
    if is_history(path.name):
        yield from _from_history(path)
        return
    result, dispute = ran(path)
    if not result.ok:
        complain(
            f"{path}: this scenario does not come out as it expects; see dispute-fsm run {path}"
        )
    yield _Moment(dispute, result.facts, result.ends_at)


def _from_history(path: Path) -> Iterator[_Moment]:
    """Read a history; the facts are those that its last look at the order system recorded."""
    disputes: dict[str, Dispute] = {}
    facts: dict[str, OrderFacts] = {}
    for step in steps(str(path)):
        disputes[step.after.dispute_id] = step.after
        if step.event.facts is not None:
            facts[step.after.dispute_id] = step.event.facts
    if not disputes:
        raise InputError("there is no dispute in this history", file=str(path))
    for dispute_id, dispute in disputes.items():
        yield _Moment(dispute, facts.get(dispute_id), dispute.last_at)


# ---- for programs --------------------------------------------------------------------------------


def _as_json(moment: _Moment, views: tuple[OptionView, ...]) -> dict[str, Any]:
    dispute = moment.dispute
    return {
        "dispute_id": dispute.dispute_id,
        "rules": dispute.rules.id,
        "state": dispute.state.value,
        "states": [state.value for state in dispute.states],
        "at": format_instant(moment.at),
        "facts_observed_at": moment.facts and format_instant(moment.facts.observed_at),
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
    unlock = asdict(reason.unlock)
    words = {"zh": reason.unlock.text("zh"), "en": reason.unlock.text("en")}
    return {
        "code": reason.code.value,
        "text": {"zh": reason.text("zh"), "en": reason.text("en")},
        "guard": reason.guard,
        "saw": dict(reason.saw),
        "unlock": {
            **{
                name: format_instant(value) if isinstance(value, datetime) else value
                for name, value in unlock.items()
                if name not in {"zh", "en"}
            },
            "text": words,
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
    }


# ---- for people ----------------------------------------------------------------------------------

_WORDS: dict[Lang, dict[str, str]] = {
    "zh": {
        "open": "可选",
        "closed": "不可选",
        "unknown": "暂时无法判断（未取得订单数据）",
        "why": "原因",
        "unlock": "解决办法",
        "needs": "需提供",
        "then": "选择后",
        "settles": "纠纷随即结束：{outcome}",
        "until": "{deadline}：{due}",
        "promise": "{deadline}：约定时间之后再等 {grace}，等待揽件信息同步；最晚 {latest}",
        "unlimited": "不限",
        "reasons": "共 {count} 种举证理由，所需凭证各不相同",
        "final": "方案一经选择，不可更改。",
        "ends": "{state}（{outcome}）",
        "head": "纠纷 {id} · {state} · {at}",
        "facts": "订单数据截至 {at}",
    },
    "en": {
        "open": "open",
        "closed": "closed",
        "unknown": "unknown (the order system cannot answer)",
        "why": "why",
        "unlock": "unlock",
        "needs": "needs",
        "then": "then",
        "settles": "settles at once: {outcome}",
        "until": "{deadline}: {due}",
        "promise": (
            "{deadline}: the agreed instant, and {grace} more for the scan to reach us; {latest} "
            "at the latest"
        ),
        "unlimited": "without limit",
        "reasons": "{count} reasons for evidence, each with the vouchers that it asks for",
        "final": "A choice cannot be taken back.",
        "ends": "{state} ({outcome})",
        "head": "dispute {id} · {state} · {at}",
        "facts": "the order as it was shown at {at}",
    },
}


def _show(moment: _Moment, views: tuple[OptionView, ...], lang: Lang) -> None:
    words, dispute = _WORDS[lang], moment.dispute
    zone = ZoneInfo(dispute.policy.calendar.zone)
    head = words["head"].format(
        id=dispute.dispute_id, state=state_label(dispute.path, lang), at=local_time(moment.at, zone)
    )
    output.print(Text(head, style="bold"))
    if moment.facts is not None:
        output.print(
            Text(words["facts"].format(at=local_time(moment.facts.observed_at, zone)), style="dim")
        )
    for view in views:
        mark, status = {None: ("?", "unknown"), True: ("✓", "open"), False: ("✗", "closed")}[
            view.open
        ]
        say("")
        output.print(
            Text.assemble(
                f"{mark} ",
                (view.option.label(lang), "bold"),
                f"  [{words[status]}]  ",
                (view.option.value, "dim"),
            )
        )
        details = Table.grid(padding=(0, 2, 0, 0))
        details.add_column(no_wrap=True, style="dim")
        details.add_column(overflow="fold")
        said = ""
        for name, line in [*_why(view, lang), *_then(view.preview, dispute, zone, lang)]:
            details.add_row("" if name == said else f"  {words[name]}", Text(line))
            said = name
        output.print(details)
    if any(view.preview for view in views):
        say("")
        say(words["final"])


def _why(view: OptionView, lang: Lang) -> Iterator[tuple[str, str]]:
    for reason in view.reasons:
        yield "why", f"{reason.text(lang)} ({reason.code.value})"
        yield "unlock", reason.unlock.text(lang)
    if view.link:
        yield "unlock", f"{ORDER_PAGE_LINK}: {view.link}"
    for reason in view.needs:
        yield "needs", f"{reason.unlock.text(lang)} ({reason.code.value})"


def _then(
    preview: Preview | None, dispute: Dispute, zone: ZoneInfo, lang: Lang
) -> Iterator[tuple[str, str]]:
    if preview is None:
        return
    words = _WORDS[lang]
    settled = (
        None
        if preview.settles is None
        else words["settles"].format(outcome=preview.settles.label(lang))
    )
    yield "then", settled or preview.state.label(lang)
    for started in preview.deadlines:
        yield "then", _due(started, dispute, zone, lang)
        if started.count is not None:
            yield "then", started.count.text(lang)
    for following in preview.consequences:
        yield "then", _consequence(following, lang)
    if preview.reasons:
        yield "then", words["reasons"].format(count=len(preview.reasons))


def _due(started: StartedDeadline, dispute: Dispute, zone: ZoneInfo, lang: Lang) -> str:
    words, name = _WORDS[lang], started.deadline.label(lang)
    if started.due is not None:
        return words["until"].format(deadline=name, due=local_time(started.due, zone))
    latest = words["unlimited"] if started.latest is None else local_time(started.latest, zone)
    return words["promise"].format(
        deadline=name, grace=duration_text(dispute.policy.scan_grace, lang), latest=latest
    )


def _consequence(following: Consequence, lang: Lang) -> str:
    state, outcome = following.state.label(lang), following.outcome
    end = (
        state
        if outcome is None
        else _WORDS[lang]["ends"].format(state=state, outcome=outcome.label(lang))
    )
    given = "".join(f" [{fact.label(lang)}]" for fact in following.given)
    return f"{following.role.label(lang)} · {following.event.label(lang)}{given} → {end}"
