"""Which days are worked: the calendar of a policy and the kind of each of its days.

A country's official calendar says which days are holidays and which weekend days are worked instead
(make-up days). A policy may lay its own days over it. A day here is a calendar date in the policy's
zone.
"""

import re
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import lru_cache
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from holidays import HolidayBase, country_holidays, list_supported_countries
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from dispute_fsm.domain.enums import Labelled, Lang
from dispute_fsm.domain.scalars import Series, Strict

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _parse_time_of_day(value: object) -> time:
    # Unquoted, YAML 1.1 reads 18:00 as a whole number (1080): text is the only form that means one
    # thing everywhere.
    if not isinstance(value, str) or not _TIME_OF_DAY.fullmatch(value):
        msg = f'{value!r:.40} is no time of day: write it as quoted text, e.g. "09:00"'
        raise ValueError(msg)
    return time.fromisoformat(value)


def _format_time_of_day(value: time) -> str:
    return value.isoformat("minutes")


def _parse_date(value: object) -> date:
    if type(value) is date:  # not isinstance: a datetime is a date too, but of which zone?
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        with suppress(ValueError):  # the 30th of February
            return date.fromisoformat(value)
    msg = f"{value!r:.40} is no date: write it as YYYY-MM-DD, e.g. 2023-04-05"
    raise ValueError(msg)


def _in_order(days: tuple[date, ...]) -> tuple[date, ...]:
    return tuple(sorted(set(days)))


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(
            "" if name == "localtime" else name
        )  # localtime is another zone on every machine, so no zone at all
    except (
        KeyError,
        ValueError,
        OSError,
    ) as error:  # not found; not a name of a zone; the name of a folder
        msg = f"{name!r:.40} is no time zone known here: write an IANA name, e.g. Asia/Shanghai"
        raise ValueError(msg) from error
    return name


def _known_country(code: str) -> str:
    if code not in list_supported_countries():
        msg = (
            f"{code!r:.40} is no country whose holidays are known here: write an ISO 3166 code, "
            "e.g. CN"
        )
        raise ValueError(msg)
    return code


TimeOfDay = Annotated[
    time, BeforeValidator(_parse_time_of_day), PlainSerializer(_format_time_of_day, return_type=str)
]
"""A time on the wall clock of the policy's zone, to the minute, written like `"09:00"`."""

Days = Annotated[Series[Annotated[date, BeforeValidator(_parse_date)]], AfterValidator(_in_order)]
"""Dates, each once, from the earliest to the latest: the same set of days is always the same value."""


class WorkingDay(Strict):
    """When a working day begins and ends, on the wall clock of the policy's zone; written as `from` and `to`."""

    model_config = ConfigDict(
        validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    opens: TimeOfDay = Field(alias="from")
    closes: TimeOfDay = Field(alias="to")

    @model_validator(mode="after")
    def _closes_later(self) -> Self:
        if self.closes <= self.opens:
            msg = (
                f"a working day must end later than it begins, not from {self.opens:%H:%M} to "
                f"{self.closes:%H:%M}"
            )
            raise ValueError(msg)
        return self


# It cannot see that Strict is frozen, too.
class CalendarPolicy(Strict, frozen=True):  # pyright: ignore[reportGeneralTypeIssues]
    """The policy field `calendar`: where, and when, working time is counted."""

    zone: Annotated[str, AfterValidator(_known_zone)]
    """IANA name of the time zone whose dates and wall clock count."""

    country: Annotated[str, AfterValidator(_known_country)]
    """The country whose holidays and make-up days are honoured: a code that the `holidays` package knows."""

    day: WorkingDay

    holidays: Days
    """Extra days off: not worked, whatever the country says."""

    workdays: Days
    """Extra working days: worked, whatever the country says."""

    @model_validator(mode="after")
    def _one_kind_each(self) -> Self:
        if both := set(self.holidays) & set(self.workdays):
            msg = f"{min(both)} is listed both in holidays and in workdays: keep it in one of them"
            raise ValueError(msg)
        return self


DEFAULT_CALENDAR = CalendarPolicy.model_validate(
    {
        "zone": "Asia/Shanghai",
        "country": "CN",
        "day": {"from": "09:00", "to": "18:00"},
        "holidays": [],
        "workdays": [],
    }
)
"""Nine to six in mainland China, with its public holidays and make-up days."""


class DayKind(Labelled):
    """Why a day is worked, or is not."""

    WORKDAY = "workday", "工作日", "working day"
    WEEKEND = "weekend", "周末", "weekend"
    HOLIDAY = "holiday", "节假日", "public holiday"
    MAKE_UP_WORKDAY = "make_up_workday", "调休上班", "make-up working day"
    EXTRA_HOLIDAY = "extra_holiday", "规则参数另定的休息日", "extra day off by policy"
    EXTRA_WORKDAY = "extra_workday", "规则参数另定的工作日", "extra working day by policy"


_WORKED = frozenset({DayKind.WORKDAY, DayKind.MAKE_UP_WORKDAY, DayKind.EXTRA_WORKDAY})


@dataclass(frozen=True, slots=True)
class Day:
    """One date of a calendar and what it is."""

    date: date
    kind: DayKind
    name_zh: str
    """Name of the public holiday in Chinese, or in the country's own language; empty for the other kinds."""

    name_en: str
    """Name of the public holiday in English, or in the country's own language; empty for the other kinds."""

    provisional: bool
    """The official calendar of this year is not published yet, so the kind may still change."""

    @property
    def works(self) -> bool:
        """Whether working time is counted on this day."""
        return self.kind in _WORKED

    def text(self, lang: Lang) -> str:
        """Say the date and why it is worked or not, e.g. `2023-04-05 Tomb-Sweeping Day`."""
        name = self.name_zh if lang == "zh" else self.name_en
        return f"{self.date} {name or self.kind.label(lang)}"


class WorkCalendar:
    """The days of one policy; get it from `calendar_of`, which keeps what it has looked up."""

    def __init__(self, policy: CalendarPolicy) -> None:
        country = country_holidays(policy.country)
        self._policy = policy
        self.zone = ZoneInfo(policy.zone)
        self.opens, self.closes = (
            timedelta(hours=at.hour, minutes=at.minute)
            for at in (policy.day.opens, policy.day.closes)
        )
        # Without a language of its own choice the package would follow the machine's locale.
        self._languages = tuple(
            wanted if wanted in country.supported_languages else country.default_language
            for wanted in ("zh_CN", "en_US")
        )
        # Where days off are swapped for weekend days, the government announces them year by year.
        # Elsewhere the law fixes the holidays, and the only end is that of what the package
        # computes.
        notices: dict[int, object] = (
            getattr(country, "special_public_holidays", {})
            if country.has_substituted_holidays
            else {}
        )
        self._last_published = max(notices, default=country.end_year)
        self._years: dict[int, tuple[HolidayBase, ...]] = {}
        self._days: dict[date, Day] = {}

    def day(self, day: date) -> Day:
        """Say what kind of day a date is. The policy's own days win over the country's."""
        if day not in self._days:
            self._days[day] = self._look_up(day)
        return self._days[day]

    def _look_up(self, day: date) -> Day:
        provisional = day.year > self._last_published
        if day in self._policy.holidays:
            return Day(day, DayKind.EXTRA_HOLIDAY, "", "", provisional)
        if day in self._policy.workdays:
            return Day(day, DayKind.EXTRA_WORKDAY, "", "", provisional)
        chinese, english = self._year(day.year)
        weekend = chinese.is_weekend(day)
        if chinese.is_working_day(day):
            return Day(
                day, DayKind.MAKE_UP_WORKDAY if weekend else DayKind.WORKDAY, "", "", provisional
            )
        if day in chinese:
            return Day(day, DayKind.HOLIDAY, chinese[day], english[day], provisional)
        return Day(day, DayKind.WEEKEND, "", "", provisional)

    def _year(self, year: int) -> tuple[HolidayBase, ...]:
        if year not in self._years:
            # A notice may make the last weekend of the year before it worked, so the neighbours are
            # looked up too. Each year gets objects of its own that never grow: no answer depends on
            # which years were asked for earlier.
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # some countries warn of dates that can only be estimated
                self._years[year] = tuple(
                    country_holidays(
                        self._policy.country,
                        years=range(year - 1, year + 2),
                        expand=False,
                        language=language,
                    )
                    for language in self._languages
                )
        return self._years[year]


@lru_cache(maxsize=32)
def calendar_of(policy: CalendarPolicy) -> WorkCalendar:
    """Give the calendar of a policy; equal policies share one, so its holidays are computed once."""
    return WorkCalendar(policy)
