"""Working time where the clocks change, compared with a count minute by minute."""

import zoneinfo
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from dispute_fsm.domain.working_time import CalendarPolicy, Count, DayKind, calendar_of
from dispute_fsm.domain.working_time import count as count_hours

MINUTE = timedelta(minutes=1)
HALF_MINUTE = timedelta(
    seconds=30
)  # a zone that is off by half a minute opens in the middle of one

HOURS = (
    ("09:00", "18:00"),
    ("00:00", "23:59"),
    ("01:30", "03:15"),
    ("00:15", "02:30"),
    ("23:15", "23:45"),
)
"""Working days: the default, nearly all day, and limits where clocks usually change."""

CHANGES = {
    # a whole date is skipped
    "Pacific/Apia": "2011-12-30T10:00",
    "Pacific/Fakaofo": "2011-12-30T11:00",
    "Pacific/Kwajalein": "1993-08-21T12:00",
    "Pacific/Kanton": "1994-12-31T11:00",
    "Pacific/Kiritimati": "1994-12-31T10:00",
    # by more than an hour, or by less
    "America/Danmarkshavn": "1996-01-01T03:00",
    "Antarctica/Casey": "2010-03-04T15:00",
    "Antarctica/Vostok": "1994-01-31T17:00",
    "Antarctica/Troll": "2023-03-26T01:00",
    "Asia/Ust-Nera": "1981-03-31T15:00",
    "Australia/Lord_Howe": "2023-04-01T15:00",
    "Asia/Pyongyang": "2015-08-14T15:00",
    "Asia/Seoul": "1988-10-08T17:00",
    "Asia/Singapore": "1981-12-31T16:00",
    "Asia/Kathmandu": "1985-12-31T18:30",
    "America/Caracas": "2007-12-09T07:00",
    "Africa/Monrovia": "1972-01-07T00:44",
    # at midnight: a day begins at 01:00, or an hour of the day before comes again
    "America/Sao_Paulo": "2018-11-04T03:00",
    "America/Havana": "2022-11-06T05:00",
    "America/Asuncion": "2023-03-26T03:00",
    "Asia/Beirut": "2022-03-26T22:00",
    "Asia/Amman": "2021-10-28T22:00",
    "Asia/Gaza": "2015-10-22T22:00",
    "Africa/Cairo": "2023-10-26T21:00",
    "Atlantic/Azores": "2023-10-29T01:00",
    "America/Nuuk": "2024-03-31T01:00",
    # a minute after midnight
    "America/St_Johns": "2006-10-29T02:31",
    # around Ramadan, and winter time as the exception
    "Africa/Casablanca": "2023-03-19T02:00",
    "Africa/El_Aaiun": "2023-04-23T02:00",
    "Europe/Dublin": "2023-10-29T01:00",
    # as elsewhere
    "America/New_York": "2023-03-12T07:00",
    "Asia/Shanghai": "1986-05-03T18:00",
    "Europe/Berlin": "2023-10-29T01:00",
}
"""A change of the clocks in each of these zones, in UTC."""


def working(zone: str, opens: str, closes: str, around: datetime) -> CalendarPolicy:
    """Make a calendar with clock changes in working time: all days near an instant but one."""
    days = [around.date() + timedelta(days=n) for n in range(-4, 12) if n != 3]
    return CalendarPolicy.model_validate(
        {
            "zone": zone,
            "country": "CN",
            "day": {"from": opens, "to": closes},
            "holidays": [],
            "workdays": days,
        }
    )


class ByTheMinute:
    """Counts minute by minute in UTC: those whose local time is within working hours."""

    def __init__(self, policy: CalendarPolicy, tick: timedelta = MINUTE) -> None:
        self.tick = tick
        self._zone = ZoneInfo(policy.zone)
        self._hours = policy.day
        self._calendar = calendar_of(policy)

    def counts(self, at: datetime) -> bool:
        local = at.astimezone(self._zone)
        return (
            self._hours.opens <= local.time() < self._hours.closes
            and self._calendar.day(local.date()).works
        )

    def due(self, hours: int, start: datetime) -> datetime:
        left, due, at = timedelta(hours=hours), start, start
        while left:
            if self.counts(at):
                left -= self.tick
                due = at + self.tick
            at += self.tick
        return due


def compare(hours: int, start: datetime, policy: CalendarPolicy, tick: timedelta = MINUTE) -> None:
    """Compare the due instant, and the intervals with the working minutes from start to due."""
    slow, counted = ByTheMinute(policy, tick), count_hours(hours, start, policy)
    case = (
        f"{hours} h from {start.isoformat()} in {policy.zone}, "
        f"{policy.day.opens}-{policy.day.closes}"
    )
    assert counted.due == slow.due(hours, start), case
    assert sum((end - begin for begin, end in counted.intervals), timedelta()) == timedelta(
        hours=hours
    ), case
    before = start
    for begin, end in counted.intervals:
        assert before <= begin < end, case
        assert slow.counts(begin), case
        assert slow.counts(end - tick), case
        assert (
            begin == start
            or not slow.counts(begin - tick)
            or local_date(begin - tick, policy) != local_date(begin, policy)
        ), case
        before = end
    assert_the_days_are_named(counted, policy)


def local_date(at: datetime, policy: CalendarPolicy) -> date:
    return at.astimezone(ZoneInfo(policy.zone)).date()


def assert_the_days_are_named(counted: Count, policy: CalendarPolicy) -> None:
    """Each day once, and only days that the zone had."""
    calendar = calendar_of(policy)
    hour = timedelta(hours=1)
    seen = {
        local_date(counted.start + n * hour, policy): None
        for n in range((counted.due - counted.start) // hour + 1)
    }
    named = [day.date for day in counted.skipped]
    assert sorted(set(named)) == sorted(named)
    assert {day for day in seen if not calendar.day(day).works} >= set(named)
    worked = {local_date(begin, policy) for begin, _ in counted.intervals}
    assert sorted(day.date for day in counted.made_up) == sorted(
        day for day in worked if calendar.day(day).kind is not DayKind.WORKDAY
    )


def around(
    zone: str, change: datetime, chance: Random, tries: int, tick: timedelta = MINUTE
) -> Iterator[tuple[int, datetime, CalendarPolicy]]:
    """Choose starts before a clock change, and hours that end before, in or after it."""
    for opens, closes in HOURS:
        policy = working(zone, opens, closes, change)
        minutes = (
            datetime.combine(date.min, time.fromisoformat(closes))
            - datetime.combine(date.min, time.fromisoformat(opens))
        ) / MINUTE
        most = max(1, int(minutes * 4 // 60))
        for _ in range(tries):
            yield (
                chance.randint(1, most),
                change - chance.randrange(-4 * 60, 40 * 60) * MINUTE - chance.randrange(2) * tick,
                policy,
            )


@pytest.mark.parametrize("zone", CHANGES)
def test_working_time_is_that_of_a_count_minute_by_minute(zone: str) -> None:
    change = datetime.fromisoformat(CHANGES[zone]).replace(tzinfo=UTC)
    tick = HALF_MINUTE if zone == "Africa/Monrovia" else MINUTE
    for hours, start, policy in around(zone, change, Random(zone), 6, tick):
        compare(hours, start, policy, tick)


@pytest.mark.parametrize("zone", CHANGES)
def test_the_clocks_change_where_these_tests_say_so(zone: str) -> None:
    change, there, day = (
        datetime.fromisoformat(CHANGES[zone]).replace(tzinfo=UTC),
        ZoneInfo(zone),
        timedelta(days=1),
    )
    assert (change - day).astimezone(there).utcoffset() != (change + day).astimezone(
        there
    ).utcoffset()


FIRST, LAST = datetime(1971, 1, 2, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
HALF_A_DAY = timedelta(hours=12)


def changes_of(zone: ZoneInfo) -> Iterator[datetime]:
    """Find when the clocks of a zone change, to the minute."""
    at = FIRST
    while at < LAST:
        later = at + HALF_A_DAY
        if at.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            low, high = 0, HALF_A_DAY // MINUTE
            while high - low > 1:
                middle = (low + high) // 2
                if (at + middle * MINUTE).astimezone(zone).utcoffset() == at.astimezone(
                    zone
                ).utcoffset():
                    low = middle
                else:
                    high = middle
            yield at + high * MINUTE
        at = later


def by_area() -> dict[str, list[str]]:
    areas = dict[str, list[str]]()
    for name in sorted(zoneinfo.available_timezones()):
        areas.setdefault(name.split("/")[0] if "/" in name else "others", []).append(name)
    return areas


@pytest.mark.whole
@pytest.mark.parametrize("area", by_area())
def test_in_every_zone_working_time_is_that_of_a_count_minute_by_minute(
    area: str, count: Callable[[str, int], None]
) -> None:
    chance, known, compared = Random(area), set[tuple[object, ...]](), 0
    for name in by_area()[area]:
        zone, before = ZoneInfo(name), FIRST - timedelta(days=365)
        for change in changes_of(zone):
            assert change - before > timedelta(days=2), name  # the count rests on that
            before = change
            old, new = (change - MINUTE).astimezone(zone), (change + MINUTE).astimezone(zone)
            # The same change on another day is the same again. Seconds apart is for the count of
            # half minutes above.
            kind = old.utcoffset(), new.utcoffset(), old.time()
            if kind not in known and name != "Africa/Monrovia":
                known.add(kind)
                for hours, start, policy in around(name, change, chance, 4):
                    compare(hours, start, policy)
                    compared += 1
    count("working times compared with a count minute by minute", compared)
