"""Working time: when a number of working hours is over, and how it was counted.

Working hours are elapsed real time: they run while the clock of the zone shows a time from the
opening until before the closing, on a worked date. So a change of the clocks in between makes that
day longer or shorter, never the hours; what the clocks show twice counts twice, and a date that
they leave out has no hours.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from dispute_fsm.domain.calendar import CalendarPolicy, Day, DayKind, calendar_of
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.scalars import parse_instant
from dispute_fsm.errors import InputError

HORIZON_DAYS = 3660
"""How many days are looked at before a count is given up: ten years, far beyond any term that makes sense."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Count:
    """How a number of working hours was counted from a start; every instant is in UTC."""

    hours: int
    zone: str
    """IANA name of the zone in which `text` shows the times."""

    start: datetime
    due: datetime
    intervals: tuple[tuple[datetime, datetime], ...]
    """What was counted, from and to, in order; together exactly `hours`."""

    skipped: tuple[Day, ...]
    """The days from start to due that are not worked."""

    made_up: tuple[Day, ...]
    """The make-up days and extra working days on which time was counted."""

    provisional_years: tuple[int, ...]
    """The years from start to due whose official calendar is not published yet."""

    def text(self, lang: Lang) -> str:
        """Explain the count to a person, in a few lines, with the times of the policy's zone."""
        zone = ZoneInfo(self.zone)
        start, due = (
            _date_and_clock(instant.astimezone(zone)) for instant in (self.start, self.due)
        )
        counted = [
            f"{_date_and_clock(begin.astimezone(zone))}–{_clock(end.astimezone(zone))}"
            for begin, end in self.intervals
        ]
        skipped, made_up = (
            [day.text(lang) for day in days] for days in (self.skipped, self.made_up)
        )
        years = [str(year) for year in self.provisional_years]
        if lang == "zh":
            head = f"{start} 起 {self.hours} 个工作小时，截止 {due}（{self.zone}）"
            parts = (
                ("计入", counted),
                ("跳过", skipped),
                ("调休或另定的工作日", made_up),
                ("官方节假日安排尚未公布、结果暂定的年份", years),
            )
            return "\n".join(
                [head, *(f"{label}：{'、'.join(items)}" for label, items in parts if items)]
            )
        head = f"{self.hours} h of working time from {start} end at {due} ({self.zone})"
        parts = (
            ("counted", counted),
            ("skipped", skipped),
            ("make-up or extra working days", made_up),
            ("provisional, official calendar not published yet", years),
        )
        return "\n".join(
            [head, *(f"{label}: {', '.join(items)}" for label, items in parts if items)]
        )


def due_after(hours: int, start: datetime, policy: CalendarPolicy) -> datetime:
    """Give the instant, in UTC, at which `hours` working hours have elapsed since `start`; see `count`."""
    return count(hours, start, policy).due


def count(hours: int, start: datetime, policy: CalendarPolicy) -> Count:
    """Count `hours` working hours from `start`, an aware time, and say how.

    Outside working hours nothing elapses: the count waits for the next opening. Hours that are used
    up at closing time end at that closing time, not at the next opening; no hours end at the start
    itself.

    Raises `InputError` where `start` is naive or outside the years of an instant, where `hours` is
    out of range, and where `HORIZON_DAYS` are not enough: the calendar has no working days, or too
    few for so many hours.
    """
    try:
        start = parse_instant(start)
    except ValueError as error:
        raise InputError(str(error), field="start") from error
    if not 0 <= hours <= 24 * HORIZON_DAYS:
        msg = (
            f"{hours} is no number of working hours: give a whole number from 0 to "
            f"{24 * HORIZON_DAYS}"
        )
        raise InputError(msg, field="hours")
    calendar = calendar_of(policy)
    stretches = _stretches(start, calendar.zone)
    left = timedelta(hours=hours)
    due = start
    days: dict[date, Day] = {}
    intervals: list[tuple[datetime, datetime]] = []
    made_up: dict[date, Day] = {}
    worked: date | None = None
    while left:
        today, midnight, begin, end = next(stretches)
        day = days.get(today)
        if day is None:
            if len(days) == HORIZON_DAYS:
                msg = (
                    f"{hours} h of working time do not end within {HORIZON_DAYS} days of "
                    f"{start.isoformat()}: "
                    "the calendar has no working days in that time, or too few for so many hours"
                )
                raise InputError(msg, field="calendar")
            day = days[today] = calendar.day(today)
        if not day.works:
            continue
        begin = max(begin, midnight + calendar.opens)
        end = min(end, midnight + calendar.closes, begin + left)
        if begin >= end:  # closed in all of this stretch
            continue
        left -= end - begin
        if begin == due and worked == today:  # the clocks changed while work went on
            begin, _ = intervals.pop()
        intervals.append((begin, end))
        due, worked = end, today
        if day.kind is not DayKind.WORKDAY:
            made_up[today] = day
    return Count(
        hours=hours,
        zone=policy.zone,
        start=start,
        due=due,
        intervals=tuple(intervals),
        skipped=tuple(day for day in days.values() if not day.works),
        made_up=tuple(made_up.values()),
        provisional_years=tuple(
            dict.fromkeys(day.date.year for day in days.values() if day.provisional)
        ),
    )


def _stretches(
    start: datetime, zone: ZoneInfo
) -> Iterator[tuple[date, datetime, datetime, datetime]]:
    """Go through time from `start` on, without end, in stretches of one date and one offset from UTC.

    Gives the date, when it began if it had this offset from the start, and from when until when the
    stretch goes. A date in which the clocks change has several.
    """
    begin, local = start, start.astimezone(zone)
    while True:
        today, offset = (
            local.date(),
            cast("timedelta", local.utcoffset()),
        )  # the zone gives one for every time
        midnight = datetime.combine(today, time(), UTC) - offset
        end = midnight + _DAY
        local = end.astimezone(zone)
        if local.utcoffset() != offset:
            end = _change(begin, end, zone, offset)
            local = end.astimezone(zone)
        yield today, midnight, begin, end
        begin = end


def _change(begin: datetime, end: datetime, zone: ZoneInfo, offset: timedelta) -> datetime:
    """Find the first instant of another offset, which `end` has; no zone changes its clocks twice within a day."""
    begin, second = (
        begin.replace(microsecond=0),
        timedelta(seconds=1),
    )  # clocks change at whole seconds

    def changed(seconds: int) -> bool:
        return (begin + seconds * second).astimezone(zone).utcoffset() != offset

    return begin + second * bisect_left(range((end - begin) // second), 1, key=changed)


def _date_and_clock(moment: datetime) -> str:
    return f"{moment.date()} {_clock(moment)}"


def _clock(moment: datetime) -> str:
    return moment.time().isoformat("seconds").removesuffix(":00")
