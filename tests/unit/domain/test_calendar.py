"""When a schedule fires: fields, zones, gaps and doubled hours, against Python's own calendar."""
# ruff: noqa: DTZ001 - local times have no zone

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain, islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldline.domain import calendar, cron
from foldline.domain.errors import FoldlineError
from foldline.domain.schedule_events import Times

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Africa/Casablanca",
)
DAY = timedelta(days=1)

moments = st.datetimes(datetime(2009, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))
zones = st.sampled_from(ZONES)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    values = st.integers(low, high)
    spans = st.tuples(values, values).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.tuples(st.just("*") | spans, st.integers(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    part = values.map(str) | spans | steps
    return st.just("*") | st.lists(part, min_size=1, max_size=3).map(",".join)


expressions = st.tuples(
    field(0, 59), field(0, 59), field(0, 23), field(1, 28) | st.just("L"), field(1, 12), field(0, 7)
).map(" ".join)


def every(expression: str, zone: str = "") -> Times:
    return Times(cron=expression, time_zone=zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def first(times: Times, after: str, count: int) -> list[str]:
    found = islice(calendar.occurrences(times, at(after)), count)
    return [one.isoformat().replace("+00:00", "Z") for one in found]


def is_skipped(local: datetime, zone: ZoneInfo) -> bool:
    there = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there.replace(tzinfo=None) != local


@settings(max_examples=200, deadline=None)
@given(expression=expressions, zone=zones, after=moments)
def test_every_moment_has_a_local_time_that_fits_and_comes_after_the_one_before(
    expression: str, zone: str, after: datetime
) -> None:
    place, parsed = ZoneInfo(zone), cron.parse(expression)

    found = list(islice(calendar.occurrences(every(expression, zone), after), 20))

    assert all(before < behind for before, behind in pairwise([after, *found]))
    for moment in found:
        there = moment.astimezone(place)
        local = there.replace(tzinfo=None)
        assert there.fold == 0, "the second time of a doubled hour"
        if not parsed.has(local):
            # Then it stands for times that a gap swallowed: it is the first moment after the gap.
            second_before = (moment - timedelta(seconds=1)).astimezone(place).replace(tzinfo=None)
            assert local - second_before > timedelta(seconds=1)


@settings(max_examples=150, deadline=None)
@given(
    zone=zones, after=moments, minute=st.integers(0, 59), hour=st.integers(0, 23), days=st.integers(1, 200)
)
def test_a_daily_time_comes_once_for_each_local_day(
    zone: str, after: datetime, minute: int, hour: int, days: int
) -> None:
    place = ZoneInfo(zone)
    until = after + days * DAY
    wanted = set()
    day = after.astimezone(place).date() - 2 * DAY
    while day <= until.astimezone(place).date() + 2 * DAY:
        moment = calendar.moment_of(datetime(day.year, day.month, day.day, hour, minute), place)
        if after < moment <= until:
            wanted.add(moment)
        day += DAY

    found = list(calendar.occurrences(every(f"{minute} {hour} * * *", zone), after, until))

    assert found == sorted(wanted)


@settings(max_examples=150, deadline=None)
@given(expression=expressions, zone=zones, after=moments, number=st.integers(0, 8))
def test_a_window_cut_in_two_has_the_same_moments(
    expression: str, zone: str, after: datetime, number: int
) -> None:
    times = every(expression, zone)
    whole = list(islice(calendar.occurrences(times, after), 12))
    middle = whole[number] if number < len(whole) else after

    parts = chain(calendar.occurrences(times, after, middle), calendar.occurrences(times, middle))

    assert list(islice(parts, 12)) == whole


@settings(max_examples=200, deadline=None)
@given(zone=zones, local=st.datetimes(datetime(2009, 1, 1), datetime(2037, 1, 1)))
def test_a_local_time_is_a_moment_by_the_rule(zone: str, local: datetime) -> None:
    local = local.replace(microsecond=0)
    place = ZoneInfo(zone)

    moment = calendar.moment_of(local, place)

    there = moment.astimezone(place)
    if is_skipped(local, place):
        before = (moment - timedelta(seconds=1)).astimezone(place)
        assert before.replace(tzinfo=None) < local < there.replace(tzinfo=None) + timedelta(seconds=1)
        assert before.utcoffset() != there.utcoffset()
    else:
        assert (there.replace(tzinfo=None), there.fold) == (local, 0)


@settings(max_examples=200, deadline=None)
@given(
    seconds=st.integers(1, calendar.LONGEST_INTERVAL_SECONDS),
    start=st.none() | moments,
    after=moments,
)
def test_an_interval_has_one_distance(seconds: int, start: datetime | None, after: datetime) -> None:
    times = Times(every_seconds=seconds) if start is None else Times(every_seconds=seconds, start=start)

    found = list(islice(calendar.occurrences(times, after), 5))

    assert all(behind - before == timedelta(seconds=seconds) for before, behind in pairwise(found))
    assert found[0] > after
    if start is not None and start > after:
        assert found[0] == start
    else:
        assert found[0] - after <= timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # Europe/Berlin, 29 March 2026: 02:00 to 03:00 is left out.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00Z",
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        ),
        ("*/20 2 29 3 *", "Europe/Berlin", "2026-03-01T00:00Z", ["2026-03-29T01:00:00Z"]),
        # 25 October 2026: 02:00 to 03:00 comes twice.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00Z",
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        ),
        (
            "0 * * * *",
            "America/New_York",
            "2026-11-01T04:30Z",
            ["2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"],
        ),
        # Half an hour of summer time.
        ("15 2 4 10 *", "Australia/Lord_Howe", "2026-10-01T00:00Z", ["2026-10-03T15:30:00Z"]),
        # A day that never was.
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00Z", ["2011-12-30T10:00:00Z"]),
        ("0 0 29 2 *", "UTC", "2097-01-01T00:00Z", ["2104-02-29T00:00:00Z"]),
        ("0 0 L 2 ?", "UTC", "2027-01-01T00:00Z", ["2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z"]),
        ("0 0 9 ? * FRI#2", "UTC", "2026-01-01T00:00Z", ["2026-01-09T09:00:00Z", "2026-02-13T09:00:00Z"]),
        ("0 9 ? * FRIL", "UTC", "2026-01-01T00:00Z", ["2026-01-30T09:00:00Z", "2026-02-27T09:00:00Z"]),
        ("0 9 ? * Mon-Fri", "UTC", "2026-01-02T10:00Z", ["2026-01-05T09:00:00Z"]),
        ("0 0 * * FRI-SUN", "UTC", "2026-01-01T00:00Z", ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]),
        ("0 0 13 * 5", "UTC", "2026-01-09T00:00Z", ["2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"]),
        ("0 0 * JAN 7", "UTC", "2026-01-01T00:00Z", ["2026-01-04T00:00:00Z"]),
        ("*/20 * * * * *", "UTC", "2026-01-01T00:00:20Z", ["2026-01-01T00:00:40Z", "2026-01-01T00:01:00Z"]),
        ("@daily", "UTC", "2026-01-01T00:00Z", ["2026-01-02T00:00:00Z"]),
    ],
)
def test_the_moments_of_an_expression(expression: str, zone: str, after: str, expected: list[str]) -> None:
    assert first(every(expression, zone), after, len(expected)) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * *",
        "0 0 0 0 1 1 2026",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "* * * FOO *",
        "5-1 * * * *",
        "*/0 * * * *",
        "1,,2 * * * *",
        "* * * * MON#6",
        "-1 * * * *",
        "0 0 31 2 *",
        "@sometimes",
        "1 " * 300,
    ],
)
def test_what_is_no_expression_is_refused_by_name(expression: str) -> None:
    with pytest.raises(FoldlineError) as refusal:
        cron.parse(expression)

    assert refusal.value.reason == "ILLEGAL_CRON"


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        (Times(), "ILLEGAL_TIMES"),
        (Times(cron="* * * * *", every_seconds=5), "ILLEGAL_TIMES"),
        (Times(every_seconds=-5), "ILLEGAL_TIMES"),
        (Times(every_seconds=5, time_zone="UTC"), "ILLEGAL_TIMES"),
        (
            Times(once=datetime(2026, 1, 1, tzinfo=UTC), start=datetime(2026, 1, 1, tzinfo=UTC)),
            "ILLEGAL_TIMES",
        ),
        (Times(cron="* * * * *", time_zone="Europe/Nowhere"), "UNKNOWN_TIME_ZONE"),
        (Times(cron="* * * * *", time_zone="../../etc/passwd"), "UNKNOWN_TIME_ZONE"),
    ],
)
def test_times_that_cannot_be_carried_out_are_refused(times: Times, reason: str) -> None:
    with pytest.raises(FoldlineError) as refusal:
        calendar.check(times)

    assert refusal.value.reason == reason


def test_a_single_time_comes_once() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

    assert list(calendar.occurrences(Times(once=noon), noon - DAY)) == [noon]
    assert list(calendar.occurrences(Times(once=noon), noon)) == []
