"""Working time: the calendar of a policy, its days, and where working hours end."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispute_fsm.domain import working_time
from dispute_fsm.domain.working_time import (
    DEFAULT_CALENDAR,
    HORIZON_DAYS,
    CalendarPolicy,
    Day,
    DayKind,
    WorkCalendar,
    WorkingDay,
    calendar_of,
    count,
)
from dispute_fsm.errors import InputError

SHANGHAI = ZoneInfo("Asia/Shanghai")
NINE_TO_SIX = {"from": "09:00", "to": "18:00"}


def policy(**changed: object) -> CalendarPolicy:
    return CalendarPolicy.model_validate(DEFAULT_CALENDAR.model_dump(mode="json") | changed)


def due_after(hours: int, start: datetime, chosen: CalendarPolicy) -> datetime:
    return count(hours, start, chosen).due


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def kinds(first: str, last: str, chosen: CalendarPolicy = DEFAULT_CALENDAR) -> list[str]:
    days = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    return [
        calendar_of(chosen).day(date.fromisoformat(first) + timedelta(days=n)).kind.value
        for n in range(days)
    ]


# The policy field


def test_the_default_is_nine_to_six_in_mainland_china() -> None:
    assert DEFAULT_CALENDAR.day == WorkingDay.model_validate({"opens": "09:00", "closes": "18:00"})
    assert (DEFAULT_CALENDAR.day.opens, DEFAULT_CALENDAR.day.closes) == (time(9), time(18))
    assert DEFAULT_CALENDAR.model_dump_json() == (
        '{"zone":"Asia/Shanghai","country":"CN","day":{"from":"09:00","to":"18:00"},"holidays":[],"workdays":[]}'
    )


@pytest.mark.parametrize(
    "days",
    [
        ["2023-01-03", "2023-01-02", "2023-01-03"],
        (date(2023, 1, 3), "2023-01-02"),
        [date(2023, 1, 2), date(2023, 1, 3)],
    ],
)
def test_one_calendar_has_one_canonical_form(days: object) -> None:
    parsed = policy(holidays=days)
    assert parsed.holidays == (date(2023, 1, 2), date(2023, 1, 3))
    assert parsed.model_dump(mode="json", by_alias=True) == {
        "zone": "Asia/Shanghai",
        "country": "CN",
        "day": NINE_TO_SIX,
        "holidays": ["2023-01-02", "2023-01-03"],
        "workdays": [],
    }
    assert CalendarPolicy.model_validate(parsed.model_dump(mode="json", by_alias=True)) == parsed
    assert CalendarPolicy.model_validate_json(parsed.model_dump_json(by_alias=True)) == parsed


@pytest.mark.parametrize(
    ("changed", "where", "why"),
    [
        ({"zone": "Mars/Olympus"}, "zone", "unknown time zone 'Mars/Olympus'"),
        ({"zone": "Asia"}, "zone", "unknown time zone"),
        ({"zone": "../Asia/Shanghai"}, "zone", "unknown time zone"),
        ({"zone": "\ud800"}, "zone", "unknown time zone"),
        ({"zone": 8}, "zone", "valid string"),
        ({"country": "ZZ"}, "country", "unknown country 'ZZ'"),
        ({"country": "__class__"}, "country", "unknown country"),
        (
            {"day": {"from": "09:00", "to": 1080}},
            "day.to",
            "1080 is not a time of day: write it in quotes",
        ),
        ({"day": {"from": time(9), "to": "18:00"}}, "day.from", "is not a time of day"),
        ({"day": {"from": "9:00", "to": "18:00"}}, "day.from", "is not a time of day"),
        ({"day": {"from": "09:00", "to": "24:00"}}, "day.to", "is not a time of day"),
        ({"day": {"from": "09:00", "to": "18:00:00"}}, "day.to", "is not a time of day"),
        (
            {"day": {"from": "09:00", "to": "09:00"}},
            "day",
            "must end later than it begins, not from 09:00 to 09:00",
        ),
        ({"day": {"from": "22:00", "to": "06:00"}}, "day", "must end later"),
        ({"day": {"from": "09:00"}}, "day.to", "required"),
        ({"day": NINE_TO_SIX | {"lunch": "12:00"}}, "day.lunch", "not permitted"),
        ({"day": NINE_TO_SIX | {"opens": "10:00"}}, "day.opens", "not permitted"),
        ({"holidays": ["2023-02-30"]}, "holidays.0", "'2023-02-30' is not a date"),
        ({"holidays": ["20230405"]}, "holidays.0", "is not a date"),
        ({"holidays": [datetime(2023, 4, 5, tzinfo=UTC)]}, "holidays.0", "is not a date"),
        ({"workdays": [20230405]}, "workdays.0", "is not a date"),
        ({"workdays": "2023-04-05"}, "workdays", "valid tuple"),
        ({"workdays": None}, "workdays", "valid tuple"),
        (
            {"holidays": ["2023-04-06"], "workdays": ["2023-04-07", "2023-04-06"]},
            "",
            "2023-04-06 is listed both",
        ),
        ({"timezone": "Asia/Shanghai"}, "timezone", "not permitted"),
    ],
)
def test_what_cannot_be_a_calendar_is_refused_with_the_field_and_the_reason(
    changed: Mapping[str, object], where: str, why: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        policy(**changed)
    (error,) = caught.value.errors()
    assert ".".join(map(str, error["loc"])) == where
    assert why in error["msg"]


def test_a_folder_of_zones_is_no_zone_wherever_the_zones_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def kept_in_the_tzdata_package(_: str) -> ZoneInfo:
        raise IsADirectoryError

    monkeypatch.setattr(working_time, "ZoneInfo", kept_in_the_tzdata_package)
    with pytest.raises(ValidationError, match="unknown time zone 'Asia'"):
        policy(zone="Asia")


@pytest.mark.parametrize("field", ["zone", "country", "day", "holidays", "workdays"])
def test_every_field_is_required(field: str) -> None:
    given_fields = DEFAULT_CALENDAR.model_dump(mode="json")
    del given_fields[field]
    with pytest.raises(ValidationError, match=f"{field}\n  Field required"):
        CalendarPolicy.model_validate(given_fields)


# The days


def test_qingming_2023_is_one_day_off() -> None:
    assert kinds("2023-04-04", "2023-04-06") == ["workday", "holiday", "workday"]
    qingming = calendar_of(DEFAULT_CALENDAR).day(date(2023, 4, 5))
    assert qingming.name == ("清明节", "Tomb-Sweeping Day")
    assert qingming.text("zh") == "2023-04-05 清明节"
    assert qingming.text("en") == "2023-04-05 Tomb-Sweeping Day"


def test_a_holiday_on_a_weekend_is_a_holiday() -> None:
    assert kinds("2022-12-31", "2023-01-03") == ["weekend", "holiday", "holiday", "workday"]


def test_may_day_2023_is_five_days_off_for_two_weekend_days_worked() -> None:
    assert kinds("2023-04-22", "2023-04-23") == ["weekend", "make_up_workday"]
    assert kinds("2023-04-28", "2023-05-07") == [
        "workday",
        *["weekend", "weekend", "holiday", "holiday", "holiday"],
        *["workday", "workday", "make_up_workday", "weekend"],
    ]
    assert calendar_of(DEFAULT_CALENDAR).day(date(2023, 5, 6)).text("zh") == "2023-05-06 调休上班"


def test_spring_festival_2024_is_eight_days_off_between_two_weekend_days_worked() -> None:
    assert kinds("2024-02-04", "2024-02-09") == ["make_up_workday", *["workday"] * 5]
    assert not any(
        calendar_of(DEFAULT_CALENDAR).day(date(2024, 2, day)).works for day in range(10, 18)
    )
    assert kinds("2024-02-18", "2024-02-24") == ["make_up_workday", *["workday"] * 5, "weekend"]


def test_the_policy_overrides_the_country() -> None:
    changed = policy(holidays=["2023-04-06", "2023-04-23"], workdays=["2023-04-05", "2023-04-08"])
    assert kinds("2023-04-04", "2023-04-09", changed) == [
        "workday",
        "extra_workday",
        "extra_holiday",
        "workday",
        "extra_workday",
        "weekend",
    ]
    assert kinds("2023-04-23", "2023-04-23", changed) == ["extra_holiday"]
    assert kinds("2023-04-05", "2023-04-05") == ["holiday"]


def test_exactly_three_kinds_work() -> None:
    working = {
        kind for kind in DayKind if Day(date(2023, 4, 5), kind, None, provisional=False).works
    }
    assert working == {DayKind.WORKDAY, DayKind.MAKE_UP_WORKDAY, DayKind.EXTRA_WORKDAY}


def test_every_kind_has_a_text_in_both_languages() -> None:
    days = [Day(date(2023, 4, 5), kind, None, provisional=False) for kind in DayKind]
    assert len({day.text(lang) for day in days for lang in ("zh", "en")}) == 2 * len(DayKind)


@pytest.mark.parametrize(
    ("country", "day", "zh", "en"),
    [
        (
            "DE",
            date(2023, 10, 3),
            "Tag der Deutschen Einheit",
            "German Unity Day",
        ),  # no Chinese: the country's own
        (
            "GH",
            date(2023, 3, 6),
            "Independence Day",
            "Independence Day",
        ),  # one language only, and it has no name
    ],
)
def test_a_holiday_has_its_name_in_the_countrys_language_where_ours_are_missing(
    country: str, day: date, zh: str, en: str
) -> None:
    found = calendar_of(policy(country=country)).day(day)
    assert found.name == (zh, en)


def test_a_year_is_provisional_until_its_notice_is_out() -> None:
    published = max(holidays.country_holidays("CN").special_public_holidays)
    assert published >= 2026
    chinese = calendar_of(DEFAULT_CALENDAR)
    assert not chinese.day(date(2023, 4, 5)).provisional
    assert not chinese.day(date(published, 12, 31)).provisional
    assert chinese.day(date(published + 1, 1, 1)).provisional
    assert calendar_of(policy(workdays=["2150-01-01"])).day(date(2150, 1, 1)).provisional


def test_where_the_law_fixes_the_holidays_only_years_beyond_the_package_are_provisional() -> None:
    american = calendar_of(
        policy(country="US")
    )  # it does list special days, the last of them in 1815
    last = holidays.country_holidays("US").end_year
    assert [american.day(date(year, 7, 4)).provisional for year in (2023, last, last + 1)] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("year", [1, 1949, 2101, 9999])
def test_beyond_the_package_there_are_weekdays_and_weekends(year: int) -> None:
    week = [
        WorkCalendar(DEFAULT_CALENDAR).day(date(year, 12, 25) + timedelta(days=n)).kind
        for n in range(7)
    ]
    assert set(week) == {DayKind.WORKDAY, DayKind.WEEKEND}


def test_no_answer_depends_on_which_years_were_asked_for_earlier() -> None:
    days = [
        date(year, month, day)
        for year in range(2001, 2013)
        for month, day in ((1, 1), (1, 2), (5, 1), (12, 29), (12, 30), (12, 31))
    ]
    forward, backward = WorkCalendar(DEFAULT_CALENDAR), WorkCalendar(DEFAULT_CALENDAR)
    expected = [WorkCalendar(DEFAULT_CALENDAR).day(day) for day in days]
    assert [forward.day(day) for day in days] == expected
    assert [backward.day(day) for day in reversed(days)] == expected[::-1]


@pytest.mark.parametrize(
    "day", [date(2005, 12, 31), date(2006, 12, 30), date(2006, 12, 31), date(2011, 12, 31)]
)
def test_the_notice_of_the_next_year_makes_the_last_weekend_worked(day: date) -> None:
    assert WorkCalendar(DEFAULT_CALENDAR).day(day).kind is DayKind.MAKE_UP_WORKDAY


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note the years of each calendar that the package is asked for, from here on."""
    asked: list[Any] = []
    original: Callable[..., holidays.HolidayBase] = holidays.country_holidays

    def counted(country: str, **arguments: Any) -> holidays.HolidayBase:  # noqa: ANN401 -- whatever the package takes
        asked.append([*arguments.get("years", [])])
        return original(country, **arguments)

    monkeypatch.setattr(holidays, "country_holidays", counted)
    calendar_of.cache_clear()
    return asked


def test_a_calendar_is_computed_once_and_with_its_neighbours(lookups: list[Any]) -> None:
    once = [
        [],
        [2022, 2023, 2024],
        [2022, 2023, 2024],
    ]  # what the country offers; its year in Chinese and in English
    for _ in range(3):
        for day in range(1, 29):
            calendar_of(policy()).day(date(2023, 2, day))
            due_after(4, at(f"2023-02-{day:02} 14:00"), policy())
    assert lookups == once
    calendar_of(policy(holidays=["2023-02-01"])).day(date(2023, 2, 2))
    assert lookups == once * 2


def test_what_the_package_warns_of_stays_inside() -> None:
    assert (
        WorkCalendar(policy(country="IN")).day(date(2050, 1, 26)).kind is DayKind.HOLIDAY
    )  # warnings are errors here


# Where the hours end


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2023-03-29 09:00", 4, "2023-03-29 13:00"),
        ("2023-03-29 10:30", 4, "2023-03-29 14:30"),
        (
            "2023-03-29 14:00",
            4,
            "2023-03-29 18:00",
        ),  # used up at closing time: there, not at the next opening
        ("2023-03-29 14:00:01", 4, "2023-03-30 09:00:01"),
        ("2023-03-29 14:00:00.000001", 4, "2023-03-30 09:00:00.000001"),
        ("2023-03-29 16:00", 4, "2023-03-30 11:00"),
        ("2023-03-29 18:00", 4, "2023-03-30 13:00"),
        ("2023-03-29 23:59", 4, "2023-03-30 13:00"),
        ("2023-03-29 08:59:59", 4, "2023-03-29 13:00"),
        ("2023-03-29 00:00", 4, "2023-03-29 13:00"),
        ("2023-03-29 09:00", 9, "2023-03-29 18:00"),
        ("2023-03-29 09:00", 18, "2023-03-30 18:00"),
        ("2023-03-31 16:00", 4, "2023-04-03 11:00"),  # over a weekend
        ("2023-04-01 12:00", 4, "2023-04-03 13:00"),  # from a Saturday
        ("2023-04-04 16:00", 4, "2023-04-06 11:00"),  # over Qingming
        ("2023-04-05 12:00", 4, "2023-04-06 13:00"),
        ("2023-04-21 17:00", 4, "2023-04-23 12:00"),  # the make-up Sunday counts
        ("2023-04-28 17:00", 4, "2023-05-04 12:00"),  # over May Day
        ("2023-05-05 17:00", 4, "2023-05-06 12:00"),  # the make-up Saturday counts
        ("2024-02-09 17:00", 4, "2024-02-18 12:00"),  # over Spring Festival to its make-up Sunday
        ("2023-04-01 12:00", 0, "2023-04-01 12:00"),
    ],
)
def test_due(start: str, hours: int, due: str) -> None:
    result = due_after(hours, at(start), DEFAULT_CALENDAR)
    assert result == at(due)
    assert result.tzinfo is UTC


def test_the_start_may_be_given_in_any_zone() -> None:
    assert due_after(4, datetime(2023, 3, 29, 6, tzinfo=UTC), DEFAULT_CALENDAR) == at(
        "2023-03-29 18:00"
    )
    assert due_after(
        4, at("2023-03-28 22:00", ZoneInfo("America/New_York")), DEFAULT_CALENDAR
    ) == at("2023-03-29 14:00")


def test_the_clocks_going_forward_or_back_change_the_day_not_the_hours() -> None:
    new_york = ZoneInfo("America/New_York")
    chosen = policy(
        zone="America/New_York",
        country="US",
        day={"from": "00:00", "to": "06:00"},
        workdays=["2023-03-12", "2023-11-05"],
    )
    assert due_after(5, at("2023-03-12 00:00", new_york), chosen) == at(
        "2023-03-12 06:00", new_york
    )  # 02:00 to 03:00 is left out
    assert due_after(6, at("2023-03-12 00:00", new_york), chosen) == at(
        "2023-03-13 01:00", new_york
    )
    assert due_after(7, at("2023-11-05 00:00", new_york), chosen) == at(
        "2023-11-05 06:00", new_york
    )  # 01:00 to 02:00 comes twice
    assert due_after(2, at("2023-11-05 00:00", new_york), chosen) == datetime(
        2023, 11, 5, 6, tzinfo=UTC
    )  # 01:00 for the second time


def test_a_day_whose_opening_is_left_out_by_the_clocks_begins_when_they_change() -> None:
    new_york = ZoneInfo("America/New_York")
    chosen = policy(
        zone="America/New_York",
        country="US",
        day={"from": "02:30", "to": "03:15"},
        workdays=["2023-03-12"],
    )
    result = count(1, at("2023-03-12 00:00", new_york), chosen)
    assert result.intervals == (
        (at("2023-03-12 03:00", new_york), at("2023-03-12 03:15", new_york)),
        (at("2023-03-13 02:30", new_york), at("2023-03-13 03:15", new_york)),
    )


def test_a_day_whose_closing_is_left_out_by_the_clocks_ends_when_they_change() -> None:
    new_york = ZoneInfo("America/New_York")
    chosen = policy(
        zone="America/New_York",
        country="US",
        day={"from": "01:15", "to": "02:15"},
        workdays=["2023-03-12"],
    )
    result = count(1, at("2023-03-12 00:00", new_york), chosen)
    assert result.intervals == (
        (
            at("2023-03-12 01:15", new_york),
            at("2023-03-12 03:00", new_york),
        ),  # 03:00 comes a minute after 01:59
        (at("2023-03-13 01:15", new_york), at("2023-03-13 01:30", new_york)),
    )


def test_where_the_clocks_go_back_over_the_closing_the_day_is_worked_again_until_it() -> None:
    new_york = ZoneInfo("America/New_York")
    chosen = policy(
        zone="America/New_York",
        country="US",
        day={"from": "00:30", "to": "01:30"},
        workdays=["2023-11-05"],
    )
    result = count(1, at("2023-11-05 00:45", new_york), chosen)
    assert result.intervals == (
        (
            datetime(2023, 11, 5, 4, 45, tzinfo=UTC),
            datetime(2023, 11, 5, 5, 30, tzinfo=UTC),
        ),  # until 01:30 for the first time
        (
            datetime(2023, 11, 5, 6, tzinfo=UTC),
            datetime(2023, 11, 5, 6, 15, tzinfo=UTC),
        ),  # from 01:00 for the second time
    )
    assert [day.date for day in result.made_up] == [date(2023, 11, 5)]


def test_a_date_that_a_zone_left_out_is_not_counted_once_more() -> None:
    apia = ZoneInfo("Pacific/Apia")  # from 29 December 2011 straight to the 31st
    chosen = policy(
        zone="Pacific/Apia",
        country="WS",
        workdays=["2011-12-30", "2011-12-31"],
        holidays=["2012-01-01", "2012-01-02"],
    )
    assert due_after(10, at("2011-12-29 18:00", apia), chosen) == at("2012-01-03 10:00", apia)


def test_a_date_that_a_zone_left_out_has_no_hours_of_the_day_after_it() -> None:
    apia = ZoneInfo("Pacific/Apia")
    chosen = policy(
        zone="Pacific/Apia", country="WS", workdays=["2011-12-30"], holidays=["2012-01-02"]
    )
    result = count(4, at("2011-12-29 17:00", apia), chosen)
    assert result.due == at("2012-01-03 12:00", apia)
    assert [str(day.date) for day in result.skipped] == ["2011-12-31", "2012-01-01", "2012-01-02"]


def test_a_day_in_which_the_clocks_change_is_one_interval_and_one_day() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    chosen = policy(
        zone="Europe/Berlin",
        country="DE",
        day={"from": "00:00", "to": "12:00"},
        workdays=["2023-10-29"],
    )
    result = count(13, at("2023-10-29 00:00", berlin), chosen)
    assert result.intervals == ((at("2023-10-29 00:00", berlin), at("2023-10-29 12:00", berlin)),)
    assert [day.date for day in result.made_up] == [date(2023, 10, 29)]


# The explanation


def test_a_count_says_what_it_counted_and_what_it_skipped() -> None:
    result = count(
        12, at("2023-04-21 16:00"), policy(holidays=["2023-04-24"], workdays=["2023-04-22"])
    )
    assert (result.start, result.due) == (at("2023-04-21 16:00"), at("2023-04-23 10:00"))
    assert result.intervals == (
        (at("2023-04-21 16:00"), at("2023-04-21 18:00")),
        (at("2023-04-22 09:00"), at("2023-04-22 18:00")),
        (at("2023-04-23 09:00"), at("2023-04-23 10:00")),
    )
    assert {moment.tzinfo for moment in (result.start, result.due, *sum(result.intervals, ()))} == {
        UTC
    }
    assert [(day.date.day, day.kind) for day in result.made_up] == [
        (22, "extra_workday"),
        (23, "make_up_workday"),
    ]
    assert result.skipped == ()
    assert result.provisional_years == ()


def test_a_make_up_day_after_its_closing_is_neither_skipped_nor_counted() -> None:
    result = count(1, at("2023-04-23 18:00"), DEFAULT_CALENDAR)
    assert (result.made_up, result.skipped, result.due) == ((), (), at("2023-04-24 10:00"))


def test_no_hours_need_no_days() -> None:
    result = count(0, at("2030-04-06 12:00"), DEFAULT_CALENDAR)
    assert (result.due, result.intervals, result.skipped, result.provisional_years) == (
        at("2030-04-06 12:00"),
        (),
        (),
        (),
    )


def test_years_without_a_notice_are_in_order() -> None:
    assert count(9, at("2047-12-31 17:00"), DEFAULT_CALENDAR).provisional_years == (2047, 2048)


def test_years_without_a_notice_are_named() -> None:
    published = max(holidays.country_holidays("CN").special_public_holidays)
    result = count(18 * 365, at(f"{published}-12-01 09:00"), DEFAULT_CALENDAR)
    assert result.provisional_years == tuple(range(published + 1, result.due.year + 1))
    assert len(result.provisional_years) >= 2


def test_the_explanation_in_both_languages() -> None:
    result = count(4, at("2023-04-04 16:30:05"), policy(workdays=["2023-04-06"]))
    assert result.text("zh") == (
        "2023-04-04 16:30:05 起 4 个工作小时，截止 2023-04-06 11:30:05（Asia/Shanghai）\n"
        "计入：2023-04-04 16:30:05–18:00、2023-04-06 09:00–11:30:05\n"
        "跳过：2023-04-05 清明节\n"
        "调休或另定的工作日：2023-04-06 规则参数另定的工作日"
    )
    assert result.text("en") == (
        "4 h of working time from 2023-04-04 16:30:05 end at 2023-04-06 11:30:05 (Asia/Shanghai)\n"
        "counted: 2023-04-04 16:30:05–18:00, 2023-04-06 09:00–11:30:05\n"
        "skipped: 2023-04-05 Tomb-Sweeping Day\n"
        "make-up or extra working days: 2023-04-06 extra working day by policy"
    )


def test_the_explanation_leaves_out_what_did_not_happen_and_names_provisional_years() -> None:
    assert count(0, at("2023-04-04 16:00"), DEFAULT_CALENDAR).text("en") == (
        "0 h of working time from 2023-04-04 16:00 end at 2023-04-04 16:00 (Asia/Shanghai)"
    )
    later = count(1, at("2098-06-02 09:00"), DEFAULT_CALENDAR)
    assert later.text("zh").endswith("\n官方节假日安排尚未公布、结果暂定的年份：2098")
    assert later.text("en").endswith("\nprovisional, official calendar not published yet: 2098")


# What cannot be counted


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(InputError, match="start: 2023-04-04T16:00:00 has no offset from UTC"):
        count(4, datetime(2023, 4, 4, 16), DEFAULT_CALENDAR)  # noqa: DTZ001 -- naive on purpose


@pytest.mark.parametrize("hours", [-1, 24 * HORIZON_DAYS + 1, 10**30])
def test_hours_out_of_range_are_refused(hours: int) -> None:
    with pytest.raises(InputError, match=r"hours: -?[0-9]+ working hours are out of range"):
        due_after(hours, at("2023-04-04 16:00"), DEFAULT_CALENDAR)


def test_a_calendar_without_working_days_is_refused() -> None:
    start = date(2023, 4, 4)
    never = policy(holidays=[start + timedelta(days=n) for n in range(HORIZON_DAYS)])
    with pytest.raises(
        InputError,
        match=r"calendar: 1 h of working time do not end within 3660 days of .* no working days",
    ):
        due_after(1, at("2023-04-04 16:00"), never)
    last = policy(
        holidays=[start + timedelta(days=n) for n in range(HORIZON_DAYS - 1)],
        workdays=[start + timedelta(days=HORIZON_DAYS - 1)],
    )
    assert due_after(9, at("2023-04-04 16:00"), last) == at("2033-04-10 18:00")
    with pytest.raises(InputError, match="has no working days in that time, or too few"):
        due_after(10, at("2023-04-04 16:00"), last)


@pytest.mark.parametrize("start", ["2150-04-04 16:00", "2199-12-31 12:00"])
def test_the_latest_years_can_be_counted(start: str) -> None:
    assert (
        timedelta(hours=40)
        < due_after(40, at(start), DEFAULT_CALENDAR) - at(start)
        < timedelta(days=14)
    )


# Properties

calendars = st.builds(
    lambda zone_country, hours, holidays_, workdays: policy(
        zone=zone_country[0],
        country=zone_country[1],
        day={"from": f"{hours[0]:02}:30", "to": f"{hours[1]:02}:15"},
        holidays=sorted(holidays_ - workdays),
        workdays=sorted(workdays),
    ),
    st.sampled_from(
        [
            ("Asia/Shanghai", "CN"),
            ("America/New_York", "US"),
            ("Europe/Berlin", "DE"),
            ("Australia/Lord_Howe", "AU"),
        ]
    ),
    st.sampled_from([(9, 18), (0, 23), (1, 3), (2, 3), (12, 13)]),
    st.frozensets(st.dates(date(2023, 1, 1), date(2024, 12, 31)), max_size=8),
    st.frozensets(st.dates(date(2023, 1, 1), date(2024, 12, 31)), max_size=8),
)
starts = st.datetimes(datetime(2023, 1, 1), datetime(2024, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 -- Hypothesis adds the zone
terms = st.integers(0, 60)


@given(calendars, starts, terms)
def test_the_counted_intervals_are_open_time_and_sum_to_the_hours(
    chosen: CalendarPolicy, start: datetime, hours: int
) -> None:
    result = count(hours, start, chosen)
    assert sum((end - begin for begin, end in result.intervals), timedelta()) == timedelta(
        hours=hours
    )
    bounds = [start, *(moment for interval in result.intervals for moment in interval)]
    assert bounds == sorted(bounds)
    assert result.due == bounds[-1]
    zone = ZoneInfo(chosen.zone)
    for begin, end in result.intervals:
        day = begin.astimezone(zone).date()
        assert calendar_of(chosen).day(day).works
        assert (
            datetime.combine(day, chosen.day.opens, zone)
            <= begin
            < end
            <= datetime.combine(day, chosen.day.closes, zone).astimezone(UTC)
        )


@given(calendars, starts, terms)
def test_the_days_skipped_and_counted_lie_between_start_and_due(
    chosen: CalendarPolicy, start: datetime, hours: int
) -> None:
    result = count(hours, start, chosen)
    zone = ZoneInfo(chosen.zone)
    first, last = start.astimezone(zone).date(), result.due.astimezone(zone).date()
    between = [
        calendar_of(chosen).day(first + timedelta(days=n)) for n in range((last - first).days + 1)
    ]
    counted = {begin.astimezone(zone).date() for begin, _ in result.intervals}
    assert result.skipped == tuple(day for day in between if not day.works and hours)
    assert result.made_up == tuple(
        day for day in between if day.date in counted and day.kind is not DayKind.WORKDAY
    )


@given(calendars, starts, terms, terms)
def test_more_hours_never_end_earlier_and_the_hours_may_be_split(
    chosen: CalendarPolicy, start: datetime, some: int, more: int
) -> None:
    between = due_after(some, start, chosen)
    together = due_after(some + more, start, chosen)
    assert start <= between <= together
    assert due_after(more, between, chosen) == together


@given(calendars, starts, starts, terms)
def test_a_later_start_never_ends_earlier(
    chosen: CalendarPolicy, one: datetime, other: datetime, hours: int
) -> None:
    assert due_after(hours, min(one, other), chosen) <= due_after(hours, max(one, other), chosen)


@given(calendars)
def test_what_is_written_reads_back_as_the_same_calendar(chosen: CalendarPolicy) -> None:
    assert CalendarPolicy.model_validate(chosen.model_dump(mode="json", by_alias=True)) == chosen
    assert CalendarPolicy.model_validate_json(chosen.model_dump_json()) == chosen
