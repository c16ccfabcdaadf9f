"""What all texts of an explanation say alike: times, durations, lists, and what was missing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dispute_fsm.domain.enums import (
    SEEN,
    SEEN_VALUES,
    Lang,
    PickupKind,
    RefusalCode,
    VoucherKind,
)
from dispute_fsm.domain.messages import Message
from dispute_fsm.domain.scalars import FrozenMap, parse_instant
from dispute_fsm.explain.messages import FACTS, LACKS, SENTENCES
from dispute_fsm.explain.values import Lack
from dispute_fsm.history.timeline import local_time
from dispute_fsm.machine.guard import Seen

_OVER: Mapping[RefusalCode, str] = FrozenMap(
    {
        RefusalCode.VOUCHER_TOO_LARGE: "bytes",
        RefusalCode.TOO_MANY_VOUCHERS: "files",
        RefusalCode.STATEMENT_TOO_LONG: "characters",
    }
)
"""What there was too much of, by the code that refused it."""

_UNITS = (
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
)


@dataclass
class Wording:
    """Words one text from its beginning to its end; a date is not repeated at once."""

    lang: Lang
    zone: str
    day: date | None = field(default=None, init=False)
    first: datetime | None = field(default=None, init=False)

    def text(self, name: str, /, *values: object, **named: object) -> str:
        """Return a text of the sentences, filled in."""
        return SENTENCES(self.lang, name, *values, **named)

    def time(self, at: datetime) -> str:
        """Format an instant; only the time of day where the date was named last."""
        zone = ZoneInfo(self.zone)
        self.first = self.first or at
        local = local_time(at, zone, beside=self.first)
        day = at.astimezone(zone).date()
        same, self.day = day == self.day, day
        return local.partition(" ")[2] if same else local

    def duration(self, duration: timedelta) -> str:
        """Format a duration in full, to the microsecond."""
        parts = list[tuple[str, float]]()
        for unit, size in _UNITS:
            count, duration = divmod(duration, size)
            parts.append((unit, count))
        parts.append(("second", duration.total_seconds()))
        named = [(unit, count) for unit, count in parts if count] or [("second", 0)]
        return " ".join(
            self.text(unit, f"{count:.6f}".rstrip("0").rstrip("."), s=plural(count))
            for unit, count in named
        )

    def join(self, name: str, parts: Sequence[str]) -> str:
        """List some parts, the last of them behind another word."""
        *before, last = parts
        listed = self.text("comma").join(before)
        return f"{listed}{self.text(name)}{last}" if before else last

    # ---- what was missing ------------------------------------------------------------------------

    def lack(self, lack: Lack) -> Iterator[str]:
        """Say what was missing or too much, counted where it can be counted."""
        for missing in lack.vouchers:
            kind = missing.kind.label(self.lang)
            count = missing.count
            yield LACKS(self.lang, "vouchers", count=count, s=plural(count), kind=kind)
        for ahead in lack.ahead:
            self.day = None
            fact, at = FACTS(self.lang, ahead.fact), self.time(ahead.at)
            yield LACKS(self.lang, "ahead", fact=fact, at=at, observed=self.time(ahead.observed_at))
        if lack.vouchers or lack.ahead:
            return
        yield from self._uncounted(lack) if lack.over is None else self._over(lack, lack.over)

    def _over(self, lack: Lack, by: int) -> Iterator[str]:
        name = _OVER.get(lack.code)
        yield (
            lack.code.label(self.lang)
            if name is None
            else LACKS(self.lang, name, by=by, s=plural(by))
        )

    def _uncounted(self, lack: Lack) -> Iterator[str]:
        saw = lack.saw
        match lack.code:
            case RefusalCode.AGREEMENT_VOUCHER_MISSING:
                yield LACKS(self.lang, "agreement_voucher")
            case RefusalCode.VOUCHER_MEDIA_TYPE if formats := _listed(saw, "not_supported"):
                for name in dict.fromkeys(map(_media, formats)):
                    yield LACKS(self.lang, name)
            case RefusalCode.VOUCHER_NOT_ACCEPTED if refused := _listed(saw, "not_accepted"):
                kinds = [VoucherKind(kind).label(self.lang) for kind in refused]
                yield LACKS(self.lang, "kinds", kinds=self.text("comma").join(kinds))
            case RefusalCode.PROMISE_TOO_FAR if limits := _instants(saw, "agreed_until", "latest"):
                yield LACKS(self.lang, "too_far", by=self.duration(limits[0] - limits[1]))
            case RefusalCode.PROMISE_NOT_IN_FUTURE if agreed := _instants(saw, "agreed_until"):
                yield LACKS(self.lang, "not_future", agreed=self.time(agreed[0]))
            case _:
                yield self._otherwise(lack)

    def _otherwise(self, lack: Lack) -> str:
        label, details = lack.code.label(self.lang), self.text("comma").join(self._found(lack))
        return LACKS(self.lang, "found", label=label, found=details) if details else label

    def _found(self, lack: Lack) -> Iterator[str]:
        """Say what the order showed instead, in the words of the domain."""
        saw = lack.saw
        for name in ("cancel_request", "refund", "refund_scope", "kind"):
            value = saw.get(name)
            if isinstance(value, str) and value != PickupKind.PICKED_UP.value:
                of = Message(*SEEN[name]).label(self.lang)
                yield LACKS(
                    self.lang, "is", label=of, value=SEEN_VALUES[name](value).label(self.lang)
                )
        if lack.code is RefusalCode.PICKUP_NOT_VALID:
            if saw.get("waybill") != saw.get("shipped_waybill"):
                yield LACKS(self.lang, "waybill")
            dates = _instants(saw, "scanned_at", "paid_at")
            if dates and dates[0] < dates[1]:
                yield LACKS(self.lang, "before_payment")


def plural(count: float) -> str:
    """Return the ending of an English noun of which there are so many."""
    return "" if count == 1 else "s"


def _media(media_type: str) -> str:
    """Return the sort of file that a format is of; the format itself is what a person sent."""
    sort = media_type.partition("/")[0]
    return sort if sort in {"image", "video"} else "file"


def _listed(saw: Mapping[str, Seen], name: str) -> tuple[str, ...]:
    value = saw.get(name)
    return value if isinstance(value, tuple) else ()


def _instants(saw: Mapping[str, Seen], *names: str) -> tuple[datetime, ...]:
    """Return the instants of these names; none where one of them was not given."""
    texts = [saw.get(name) for name in names]
    return tuple(map(parse_instant, texts)) if all(texts) else ()
