"""`dispute-fsm rollout`: which merchant gets which rule version, from when, and why."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table

from dispute_fsm.cli.app import (
    LANG,
    Exit,
    JsonOption,
    LangOption,
    as_lang,
    emit,
    output,
    reported,
    say,
)
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.domain.rollout import Rollout, Span, bucket_of
from dispute_fsm.domain.scalars import (
    FrozenMap,
    GivenIdentifier,
    Strict,
    format_instant,
    parse_instant,
)
from dispute_fsm.errors import InputError
from dispute_fsm.history.timeline import local_time
from dispute_fsm.scenarios.settings import read_rollout
from dispute_fsm.terminal import printable


class _ListedMerchant(Strict):
    id: GivenIdentifier


@reported
def rollout_command(
    plan: Annotated[
        Path,
        typer.Argument(
            metavar="PLAN", help="A file with salt, from, to, deny, allow and schedule."
        ),
    ],
    merchants: Annotated[Path, typer.Option(metavar="FILE", help="Merchant ids, one a line.")],
    at: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="Also say which version each gets at this instant."),
    ] = None,
    as_json: JsonOption = False,
    lang: LangOption = LANG,
) -> Exit:
    """Preview a gradual release: who gets the newer rule version, from when, and why.

    Example: dispute-fsm rollout examples/rollout/plan.yaml --merchants
    examples/rollout/merchants.txt

    A dispute keeps the version that it opens under; the plan decides on new ones only.
    With --json, a line for each merchant, then one for each step of the schedule.

    Exit code: 0 previewed, 2 wrong usage or unreadable input.
    """
    rollout = read_rollout(plan)
    instant = None if at is None else _instant(at)
    ids = list(_merchants(merchants))
    if as_json:
        for merchant in ids:
            emit(_merchant_json(rollout, merchant, instant))
        for step in _totals(rollout, ids):
            emit(step)
    else:
        _show(rollout, ids, instant, as_lang(lang))
    return Exit.WELL


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise InputError(str(error), field="--at") from None


def _merchants(path: Path) -> Iterator[str]:
    """Read the ids, each once; blank lines say nothing. Raises `InputError` with the line of one that is no id."""
    seen: dict[str, int] = {}
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError("not text in UTF-8: save the file as UTF-8", file=str(path)) from None
    for number, line in enumerate(lines, 1):
        if not (merchant := line.strip()):
            continue
        try:
            _ListedMerchant(id=merchant)
        except ValueError:
            raise InputError(
                "a merchant id is one line of 1 to 200 characters, not all of them blank",
                file=str(path),
                line=number,
            ) from None
        if merchant in seen:
            raise InputError(
                f"this merchant stands in line {seen[merchant]} already: keep one of the two",
                file=str(path),
                line=number,
            )
        seen[merchant] = number
        yield merchant
    if not seen:
        raise InputError("there is no merchant id in this file: write one a line", file=str(path))


def _totals(rollout: Rollout, merchants: Sequence[str]) -> Iterator[dict[str, Any]]:
    for step in rollout.schedule:
        newer = sum(
            rollout.decide(merchant, step.at).version == rollout.newer for merchant in merchants
        )
        yield {
            "type": "step",
            **step.model_dump(mode="json"),
            "merchants": {rollout.older: len(merchants) - newer, rollout.newer: newer},
        }


def _merchant_json(rollout: Rollout, merchant: str, at: datetime | None) -> dict[str, Any]:
    return {
        "type": "merchant",
        "merchant_id": merchant,
        "reason": rollout.reason(merchant).value,
        "bucket": bucket_of(rollout.salt, merchant),
        "newer": [
            {name: instant and format_instant(instant) for name, instant in span._asdict().items()}
            for span in rollout.spans(merchant)
        ],
        "at": at
        and {"at": format_instant(at), **rollout.decide(merchant, at).model_dump(mode="json")},
    }


# ---- for people ----------------------------------------------------------------------------------

_WORDS: Mapping[Lang, Mapping[str, Any]] = FrozenMap(
    {
        "zh": FrozenMap(
            {
                "heads": ("商家", "原因", "灰度分组", "适用 {newer} 的时间"),
                "at": "{at} 时",
                "always": "始终",
                "never": "从不（适用 {older}）",
                "since": "自 {since}",
                "span": "{since} 至 {until}",
                "step": "{at} 起 {percentage}%：{newer} {n} 个商家，{older} {m} 个",
            }
        ),
        "en": FrozenMap(
            {
                "heads": ("merchant", "why", "bucket", "gets {newer}"),
                "at": "at {at}",
                "always": "always",
                "never": "never (gets {older})",
                "since": "from {since}",
                "span": "from {since} until {until}",
                "step": (
                    "{percentage} % from {at}: {n} of {all} merchants get {newer}, {m} get {older}"
                ),
            }
        ),
    }
)


_ZONE = ZoneInfo(DEFAULT_POLICY.calendar.zone)


def _show(rollout: Rollout, merchants: Sequence[str], at: datetime | None, lang: Lang) -> None:
    words, names = _WORDS[lang], {"older": rollout.older, "newer": rollout.newer}
    heads = [head.format(**names) for head in words["heads"]]
    heads += [] if at is None else [words["at"].format(at=local_time(at, _ZONE))]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for merchant in merchants:
        spans = "; ".join(_span(span, words) for span in rollout.spans(merchant)) or words[
            "never"
        ].format(**names)
        now = [] if at is None else [rollout.decide(merchant, at).version]
        shown = escape(printable(merchant))
        table.add_row(
            shown,
            rollout.reason(merchant).label(lang),
            str(bucket_of(rollout.salt, merchant)),
            spans,
            *map(escape, now),
        )
    output.print(table)
    for step in _totals(rollout, merchants):
        counts = {
            "n": step["merchants"][rollout.newer],
            "m": step["merchants"][rollout.older],
            "all": len(merchants),
        }
        say(
            words["step"].format(
                **names,
                **counts,
                at=local_time(parse_instant(step["at"]), _ZONE),
                percentage=step["percentage"],
            )
        )


def _span(span: Span, words: Mapping[str, str]) -> str:
    if span.since is None:
        return words["always"]
    since = local_time(span.since, _ZONE)
    return (
        words["since"].format(since=since)
        if span.until is None
        else words["span"].format(since=since, until=local_time(span.until, _ZONE))
    )
