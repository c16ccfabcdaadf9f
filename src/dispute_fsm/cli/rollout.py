"""`dispute-fsm rollout`: preview which merchant gets which rule version, from when, and why."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table

from dispute_fsm.cli.app import Exit, console
from dispute_fsm.cli.arguments import LANG, JsonOption, LangOption
from dispute_fsm.cli.command import command
from dispute_fsm.cli.messages import ROLLOUT
from dispute_fsm.cli.output import print_json, print_line, print_table
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.domain.rollout import Rollout, Span, bucket_of
from dispute_fsm.domain.scalars import GivenIdentifier, Strict, format_instant, parse_instant
from dispute_fsm.errors import InputError
from dispute_fsm.history.timeline import local_time
from dispute_fsm.scenarios.settings import read_rollout
from dispute_fsm.terminal import printable

_DATE = len("2023-03-28")
_ZONE = ZoneInfo(DEFAULT_POLICY.calendar.zone)


class _ListedMerchant(Strict):
    id: GivenIdentifier


@command("rollout")
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
        typer.Option(metavar="INSTANT", help="Also show which version each gets at this instant."),
    ] = None,
    as_json: JsonOption = False,
    lang: LangOption = LANG,
) -> Exit:
    r"""Preview a gradual release: which merchant gets which version.

    It shows from when and why. A dispute keeps the version that it opens under; the plan decides on
    new ones only. With --json, a line for each merchant, then one for each step of the schedule.

    Example:
      dispute-fsm rollout examples/rollout/plan.yaml \
          --merchants examples/rollout/merchants.txt

    Exit code: 0 previewed, 2 wrong usage or unreadable input.

    """
    rollout = read_rollout(plan)
    try:
        instant = None if at is None else parse_instant(at)
    except ValueError as error:
        raise InputError(str(error), field="--at") from None
    ids = list(_merchants(merchants))
    if as_json:
        for merchant in ids:
            print_json(_merchant_json(rollout, merchant, instant))
        for step in _steps(rollout, ids):
            print_json(step)
    else:
        _show(rollout, ids, instant, lang)
    return Exit.OK


def _merchants(path: Path) -> Iterator[str]:
    """Read the ids, skipping blank lines. Raises `InputError` for an invalid or repeated id."""
    lines: dict[str, int] = {}
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("not text in UTF-8: save the file as UTF-8", file=str(path)) from None
    for number, line in enumerate(text.splitlines(), 1):
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
        if merchant in lines:
            raise InputError(
                f"duplicate merchant, already in line {lines[merchant]}: keep one of the two",
                file=str(path),
                line=number,
            )
        lines[merchant] = number
        yield merchant
    if not lines:
        raise InputError("there is no merchant id in this file: write one a line", file=str(path))


def _steps(rollout: Rollout, merchants: Sequence[str]) -> Iterator[dict[str, Any]]:
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


def _show(rollout: Rollout, merchants: Sequence[str], at: datetime | None, lang: Lang) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("merchant", "reason", "bucket", "newer"):
        table.add_column(ROLLOUT(lang, name, newer=rollout.newer), overflow="fold")
    if at is not None:
        # Narrow on a terminal, so that the times beside it stay on one line.
        head = ROLLOUT(lang, "at", at=local_time(at, _ZONE))
        table.add_column(head, overflow="fold", max_width=_DATE if console.is_terminal else None)
    for merchant in merchants:
        spans = "; ".join(_span(span, lang) for span in rollout.spans(merchant))
        now = [] if at is None else [rollout.decide(merchant, at).version]
        table.add_row(
            escape(printable(merchant)),
            rollout.reason(merchant).label(lang),
            str(bucket_of(rollout.salt, merchant)),
            spans or ROLLOUT(lang, "never", older=rollout.older),
            *map(escape, now),
        )
    print_table(table)
    print_line("")
    for step in _steps(rollout, merchants):
        line = ROLLOUT(
            lang,
            "step",
            newer=rollout.newer,
            older=rollout.older,
            n=step["merchants"][rollout.newer],
            m=step["merchants"][rollout.older],
            all=len(merchants),
            at=local_time(parse_instant(step["at"]), _ZONE),
            percentage=step["percentage"],
        )
        print_line(line)


def _span(span: Span, lang: Lang) -> str:
    if span.since is None:
        return ROLLOUT(lang, "always")
    since = local_time(span.since, _ZONE)
    if span.until is None:
        return ROLLOUT(lang, "since", since=since)
    return ROLLOUT(lang, "span", since=since, until=local_time(span.until, _ZONE))
