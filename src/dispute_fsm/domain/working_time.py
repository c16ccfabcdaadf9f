"""Working time: which days are worked, and when a number of working hours has elapsed.

A country's official calendar says which days are holidays and which weekend days are worked instead
(make-up days). A policy may add its own days. A day is a calendar date in the policy's zone.

Working hours are elapsed real time: they run while the local clock shows a time from opening until
before closing, on a worked date. So a clock change in between makes that day longer or shorter, not
the hours. An hour that the clocks show twice counts twice; a date that they skip has no hours.
"""

import re
import warnings
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Self, cast
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from dispute_fsm.domain.enums import Labelled, Lang
from dispute_fsm.domain.messages import Message, Messages
from dispute_fsm.domain.scalars import Series, Strict, parse_instant
from dispute_fsm.errors import InputError
from dispute_fsm.suggestions import nearest

if TYPE_CHECKING:
    from holidays import HolidayBase

HORIZON_DAYS = 3660
"""The number of days after which a count gives up: ten years, far beyond any sensible term."""

_DEFAULT_COUNTRY = "CN"
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


# ---- the calendar of a policy --------------------------------------------------------------------


def _parse_time_of_day(value: object) -> time:
    # YAML 1.1 reads an unquoted 18:00 as an integer (1080): only a string means one thing
    # everywhere.
    if not isinstance(value, str) or not _TIME_OF_DAY.fullmatch(value):
        raise ValueError(f'{value!r:.40} is not a time of day: write it in quotes, e.g. "09:00"')
    return time.fromisoformat(value)


def _format_time_of_day(value: time) -> str:
    return value.isoformat("minutes")


def _parse_date(value: object) -> date:
    if type(value) is date:  # not isinstance: a datetime is a date too, but in which zone?
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        with suppress(ValueError):  # the 30th of February
            return date.fromisoformat(value)
    raise ValueError(f"{value!r:.40} is not a date: write it as YYYY-MM-DD, e.g. 2023-04-05")


def _sorted_days(days: tuple[date, ...]) -> tuple[date, ...]:
    return tuple(sorted(set(days)))


def _known_zone(name: str) -> str:
    try:
        # "localtime" is another zone on every machine; the empty name is an error.
        ZoneInfo("" if name == "localtime" else name)
    except (KeyError, ValueError, OSError) as error:  # not found, not a name, or a folder
        close = nearest(name, available_timezones())
        hint = (
            "write an IANA name, e.g. Asia/Shanghai" if close is None else f"did you mean {close}?"
        )
        raise ValueError(f"unknown time zone {name!r:.40}; {hint}") from error
    return name


def _known_country(code: str) -> str:
    if code == _DEFAULT_COUNTRY:  # no need to import the list for it
        return code
    import holidays  # noqa: PLC0415 -- as in `WorkCalendar`

    if code not in holidays.list_supported_countries():
        raise ValueError(f"unknown country {code!r:.40}: write an ISO 3166 code, e.g. CN")
    return code


TimeOfDay = Annotated[
    time, BeforeValidator(_parse_time_of_day), PlainSerializer(_format_time_of_day, return_type=str)
]
"""A time on the wall clock of the policy's zone, to the minute, written like `"09:00"`."""

Days = Annotated[
    Series[Annotated[date, BeforeValidator(_parse_date)]], AfterValidator(_sorted_days)
]
"""Dates, sorted and unique: the same set of days is always the same value."""


class WorkingDay(Strict):
    """When a working day begins and ends, on the local wall clock; written as `from` and `to`."""

    model_config = ConfigDict(
        validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    opens: TimeOfDay = Field(alias="from")
    closes: TimeOfDay = Field(alias="to")

    @model_validator(mode="after")
    def _closes_later(self) -> Self:
        if self.closes <= self.opens:
            raise ValueError(
                f"a working day must end later than it begins, not from {self.opens:%H:%M} to "
                f"{self.closes:%H:%M}"
            )
        return self


# Pyright does not see that Strict is frozen, too.
class CalendarPolicy(Strict, frozen=True):  # pyright: ignore[reportGeneralTypeIssues]
    """The policy field `calendar`: where and when working time is counted."""

    zone: Annotated[str, AfterValidator(_known_zone)]
    """IANA name of the time zone of the dates and the wall clock."""

    country: Annotated[str, AfterValidator(_known_country)]
    """The country of the holidays and make-up days: a code of the `holidays` package."""

    day: WorkingDay

    holidays: Days
    """Extra days off: not worked, whatever the country's calendar says."""

    workdays: Days
    """Extra working days: worked, whatever the country's calendar says."""

    @model_validator(mode="after")
    def _no_day_in_both(self) -> Self:
        if both := set(self.holidays) & set(self.workdays):
            raise ValueError(
                f"{min(both)} is listed both in holidays and in workdays: keep it in one of them"
            )
        return self


DEFAULT_CALENDAR = CalendarPolicy.model_validate(
    {
        "zone": "Asia/Shanghai",
        "country": _DEFAULT_COUNTRY,
        "day": {"from": "09:00", "to": "18:00"},
        "holidays": [],
        "workdays": [],
    }
)
"""Nine to six in mainland China, with its public holidays and make-up days."""


# ---- its days ------------------------------------------------------------------------------------


class DayKind(Labelled):
    """Why a day is worked or not."""

    WORKDAY = "workday", "工作日", "working day"
    WEEKEND = "weekend", "周末", "weekend"
    HOLIDAY = "holiday", "节假日", "public holiday"
    MAKE_UP_WORKDAY = "make_up_workday", "调休上班", "make-up working day"
    EXTRA_HOLIDAY = "extra_holiday", "规则参数另定的休息日", "extra day off by policy"
    EXTRA_WORKDAY = "extra_workday", "规则参数另定的工作日", "extra working day by policy"


_WORKED = frozenset({DayKind.WORKDAY, DayKind.MAKE_UP_WORKDAY, DayKind.EXTRA_WORKDAY})


@dataclass(frozen=True, slots=True)
class Day:
    """One date of a calendar and its kind."""

    date: date
    kind: DayKind

    name: Message | None
    """Name of the public holiday, or None; in the country's language if it has no translation."""

    provisional: bool
    """The official calendar of this year is not published yet, so the kind may still change."""

    @property
    def works(self) -> bool:
        """Whether working time is counted on this day."""
        return self.kind in _WORKED

    def text(self, lang: Lang) -> str:
        """Format the date and why it is worked or not, e.g. `2023-04-05 Tomb-Sweeping Day`."""
        return f"{self.date} {(self.name or self.kind).label(lang)}"


class WorkCalendar:
    """The days of one policy, cached; call `calendar_of` to get it."""

    def __init__(self, policy: CalendarPolicy) -> None:
        import holidays  # noqa: PLC0415 -- imports 300 modules, which only counting hours needs

        self._country_holidays = partial(holidays.country_holidays, policy.country)
        country = self._country_holidays()
        self._policy = policy
        self.zone = ZoneInfo(policy.zone)
        self.opens, self.closes = (
            timedelta(hours=at.hour, minutes=at.minute)
            for at in (policy.day.opens, policy.day.closes)
        )
        # Without an explicit language the package would follow the machine's locale.
        self._languages = tuple(
            language if language in country.supported_languages else country.default_language
            for language in ("zh_CN", "en_US")
        )
        # Where days off are swapped for weekend days, the government announces them year by year.
        # Elsewhere the law fixes the holidays, and only the package limits the years.
        notices: dict[int, object] = (
            getattr(country, "special_public_holidays", {})
            if country.has_substituted_holidays
            else {}
        )
        self._last_published = max(notices, default=country.end_year)
        self._years: dict[int, tuple[HolidayBase, ...]] = {}
        self._days: dict[date, Day] = {}

    def day(self, day: date) -> Day:
        """Return what kind of day a date is. The policy's own days take precedence."""
        if day not in self._days:
            kind, name = self._kind(day), None
            if kind is DayKind.HOLIDAY:
                chinese, english = self._year(day.year)
                name = Message(chinese[day], english[day])
            self._days[day] = Day(day, kind, name, day.year > self._last_published)
        return self._days[day]

    def _kind(self, day: date) -> DayKind:
        if day in self._policy.holidays:
            return DayKind.EXTRA_HOLIDAY
        if day in self._policy.workdays:
            return DayKind.EXTRA_WORKDAY
        official, _ = self._year(day.year)
        if official.is_working_day(day):
            return DayKind.MAKE_UP_WORKDAY if official.is_weekend(day) else DayKind.WORKDAY
        return DayKind.HOLIDAY if day in official else DayKind.WEEKEND

    def _year(self, year: int) -> tuple["HolidayBase", ...]:
        if year not in self._years:
            # A notice may declare the last weekend of the year before a workday, so the adjacent
            # years are needed too. Each year gets its own objects, which never grow: no result
            # depends on which years were asked for earlier.
            with warnings.catch_warnings():
                # Some countries warn of dates that can only be estimated.
                warnings.simplefilter("ignore")
                self._years[year] = tuple(
                    self._country_holidays(
                        years=range(year - 1, year + 2),
                        expand=False,
                        language=language,
                    )
                    for language in self._languages
                )
        return self._years[year]


@lru_cache(maxsize=32)
def calendar_of(policy: CalendarPolicy) -> WorkCalendar:
    """Return the calendar of a policy; equal policies share one, computed once."""
    return WorkCalendar(policy)


# ---- working hours -------------------------------------------------------------------------------

_TEXTS = Messages(
    {
        "count": (
            "{start} 起 {hours} 个工作小时，截止 {due}（{zone}）",
            "{hours} h of working time from {start} end at {due} ({zone})",
        ),
        "counted": ("计入：{}", "counted: {}"),
        "skipped": ("跳过：{}", "skipped: {}"),
        "made_up": ("调休或另定的工作日：{}", "make-up or extra working days: {}"),
        "provisional": (
            "官方节假日安排尚未公布、结果暂定的年份：{}",
            "provisional, official calendar not published yet: {}",
        ),
        "separator": ("、", ", "),
    }
)


@dataclass(frozen=True, slots=True)
class Count:
    """How a number of working hours was counted from a start; every instant is in UTC."""

    hours: int
    zone: str
    """IANA name of the zone in which `text` shows the times."""

    start: datetime
    due: datetime
    intervals: tuple[tuple[datetime, datetime], ...]
    """The counted intervals, from and to, in order; together exactly `hours`."""

    skipped: tuple[Day, ...]
    """The days from start to due that are not worked."""

    made_up: tuple[Day, ...]
    """The make-up days and extra working days on which time was counted."""

    provisional_years: tuple[int, ...]
    """The years from start to due whose official calendar is not published yet."""

    def text(self, lang: Lang) -> str:
        """Explain the count in a few lines, with the times of the policy's zone."""
        zone = ZoneInfo(self.zone)
        start, due = (_format(instant.astimezone(zone)) for instant in (self.start, self.due))
        parts = {
            "counted": [
                f"{_format(begin.astimezone(zone))}–{_format_clock(end.astimezone(zone))}"
                for begin, end in self.intervals
            ],
            "skipped": [day.text(lang) for day in self.skipped],
            "made_up": [day.text(lang) for day in self.made_up],
            "provisional": list(map(str, self.provisional_years)),
        }
        separator = _TEXTS(lang, "separator")
        lines = [_TEXTS(lang, "count", start=start, hours=self.hours, due=due, zone=self.zone)]
        lines += [_TEXTS(lang, name, separator.join(part)) for name, part in parts.items() if part]
        return "\n".join(lines)


def count(hours: int, start: datetime, policy: CalendarPolicy) -> Count:
    """Count `hours` working hours from `start`, an aware time.

    Outside working hours no time elapses: the count waits for the next opening. Hours that are used
    up at closing time end at that closing time, not at the next opening; zero hours end at the
    start itself.

    Raises `InputError` if `start` is naive or outside the years of an instant, if `hours` is out of
    range, or if `HORIZON_DAYS` are not enough: the calendar has no working days, or too few.
    """
    try:
        start = parse_instant(start)
    except ValueError as error:
        raise InputError(str(error), field="start") from error
    if not 0 <= hours <= 24 * HORIZON_DAYS:
        raise InputError(
            f"{hours} working hours are out of range: give an integer from 0 to "
            f"{24 * HORIZON_DAYS}",
            field="hours",
        )
    calendar = calendar_of(policy)
    stretches = _stretches(start, calendar.zone)
    left, due = timedelta(hours=hours), start
    days: dict[date, Day] = {}
    worked: list[date] = []
    intervals: list[tuple[datetime, datetime]] = []
    while left:
        today, midnight, begin, end = next(stretches)
        if today not in days:
            if len(days) == HORIZON_DAYS:
                raise InputError(
                    f"{hours} h of working time do not end within {HORIZON_DAYS} days of "
                    f"{start.isoformat()}: the calendar has no working days in that time, or too "
                    "few for so many hours",
                    field="calendar",
                )
            days[today] = calendar.day(today)
        if not days[today].works:
            continue
        begin = max(begin, midnight + calendar.opens)
        end = min(end, midnight + calendar.closes, begin + left)
        if begin >= end:  # closed in all of this stretch
            continue
        left -= end - begin
        if begin == due and worked and worked[-1] == today:  # the clocks changed in working time
            begin, _ = intervals.pop()
        intervals.append((begin, end))
        worked.append(today)
        due = end
    return Count(
        hours=hours,
        zone=policy.zone,
        start=start,
        due=due,
        intervals=tuple(intervals),
        skipped=tuple(day for day in days.values() if not day.works),
        made_up=tuple(
            days[day] for day in dict.fromkeys(worked) if days[day].kind is not DayKind.WORKDAY
        ),
        provisional_years=tuple(
            dict.fromkeys(day.date.year for day in days.values() if day.provisional)
        ),
    )


def _stretches(
    start: datetime, zone: ZoneInfo
) -> Iterator[tuple[date, datetime, datetime, datetime]]:
    """Yield the time from `start` on, without end, in stretches of one date and one UTC offset.

    Yields the date, its midnight at this offset, and the begin and end of the stretch. A date on
    which the clocks change has several.
    """
    begin, local = start, start.astimezone(zone)
    while True:
        today = local.date()
        offset = cast("timedelta", local.utcoffset())  # a zone has one for every time
        midnight = datetime.combine(today, time(), UTC) - offset
        end = midnight + _DAY
        local = end.astimezone(zone)
        if local.utcoffset() != offset:
            end = _clock_change(begin, end, zone, offset)
            local = end.astimezone(zone)
        yield today, midnight, begin, end
        begin = end


def _clock_change(begin: datetime, end: datetime, zone: ZoneInfo, offset: timedelta) -> datetime:
    """Return the first instant with the offset of `end`.

    No zone changes its clocks twice within a day, and every change is at a whole second.
    """
    begin = begin.replace(microsecond=0)

    def changed(seconds: int) -> bool:
        return (begin + seconds * _SECOND).astimezone(zone).utcoffset() != offset

    return begin + _SECOND * bisect_left(range((end - begin) // _SECOND), 1, key=changed)


def _format(local: datetime) -> str:
    return f"{local.date()} {_format_clock(local)}"


def _format_clock(local: datetime) -> str:
    return local.time().isoformat("seconds").removesuffix(":00")
