"""Cron expressions: five fields, or six with seconds first. What they mean without any time zone.

    second minute hour day-of-month month day-of-week

Each field is `*` (or `?`), a value, a range `a-b`, a step `*/n` or `a-b/n`, or a list of these. Months and
weekdays may be named (JAN, MON). Weekdays count from Sunday: 0 and 7 are Sunday, 1 is Monday. `L` is the
month's last day; `FRI#2` its second Friday, `FRIL` its last. Where both days are restricted, either is
enough, as cron has always had it. `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly` stand for what
they say.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import msgspec

from foldline.domain.errors import FoldlineError, Kind

LONGEST = 200

_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: place for place, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {name: place for place, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}
_WORDS = {
    "@hourly": "0 0 * * * *",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@weekly": "0 0 0 * * 0",
    "@monthly": "0 0 0 1 * *",
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
}
_PART = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d{1,4}))?")
_NTH = re.compile(r"(\w+)#([1-5])")
_LAST = re.compile(r"(\w+)L")

_LONGEST_GAP_YEARS = 40
"""The rarest days that exist, such as a fifth Sunday on 29 February, come within so many years."""


class Cron(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed expression: the values of each field, in order."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    last_day: bool = False
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()  # weekday and place in the month; -1 is the last
    any_day: bool = True
    any_weekday: bool = True

    def has_day(self, day: date) -> bool:
        """Does the expression name this day?"""
        if day.month not in self.months:
            return False
        if self.any_day and self.any_weekday:
            return True
        by_day = day.day in self.days or (self.last_day and day.day == _length(day))
        if self.any_weekday:
            return by_day
        return self._has_weekday(day) if self.any_day else by_day or self._has_weekday(day)

    def _has_weekday(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        if weekday in self.weekdays:
            return True
        place = (day.day - 1) // 7 + 1
        is_last = day.day + 7 > _length(day)
        return (weekday, place) in self.nth_weekdays or (is_last and (weekday, -1) in self.nth_weekdays)

    def has(self, moment: datetime) -> bool:
        """Does the expression name this second of this day? Without a time zone."""
        return (
            moment.second in self.seconds
            and moment.minute in self.minutes
            and moment.hour in self.hours
            and self.has_day(moment.date())
        )

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The moments strictly after this one, without a time zone, growing, for some decades."""
        day = moment.date()
        last = day.year + _LONGEST_GAP_YEARS
        earliest: time | None = moment.time()
        while day.year <= min(last, date.max.year - 1):
            if self.has_day(day):
                for one in self._times(earliest):
                    last = day.year + _LONGEST_GAP_YEARS
                    yield datetime.combine(day, one)
            day += timedelta(days=1)
            earliest = None

    def _times(self, after: time | None) -> Iterator[time]:
        for hour in self.hours:
            if after is not None and hour < after.hour:
                continue
            for minute in self.minutes:
                if after is not None and (hour, minute) < (after.hour, after.minute):
                    continue
                for second in self.seconds:
                    found = time(hour, minute, second)
                    if after is None or found > after:
                        yield found


@lru_cache(1024)
def parse(expression: str) -> Cron:
    """The expression's meaning. Raises ILLEGAL_CRON, naming the field and the rule."""
    if len(expression) > LONGEST:
        raise _illegal(expression[:40] + "…", f"has more than {LONGEST} characters")
    text = expression.strip()
    fields = _WORDS.get(text.lower(), text).upper().split()
    if len(fields) not in (5, 6):
        rule = "has five fields (minute hour day month weekday) or six with seconds first"
        raise _illegal(expression, f"{rule}, not {len(fields)}")
    second, minute, hour, day, month, weekday = fields if len(fields) == 6 else ["0", *fields]
    days, last_day = _days(expression, day)
    weekdays, nth = _weekdays(expression, weekday)
    found = Cron(
        seconds=_values(expression, "second", second, 0, 59),
        minutes=_values(expression, "minute", minute, 0, 59),
        hours=_values(expression, "hour", hour, 0, 23),
        days=days,
        months=frozenset(_values(expression, "month", month, 1, 12, _MONTHS)),
        weekdays=weekdays,
        last_day=last_day,
        nth_weekdays=nth,
        any_day=day in ("*", "?"),
        any_weekday=weekday in ("*", "?"),
    )
    if next(found.after(datetime(2000, 1, 1)), None) is None:  # noqa: DTZ001 - no zone is meant
        raise _illegal(expression, "names days that never come")
    return found


def _days(expression: str, text: str) -> tuple[frozenset[int], bool]:
    parts = text.split(",")
    rest = [part for part in parts if part != "L"]
    values = _values(expression, "day of month", ",".join(rest), 1, 31) if rest else ()
    return frozenset(values), len(rest) < len(parts)


def _weekdays(expression: str, text: str) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    nth: set[tuple[int, int]] = set()
    rest = []
    for part in text.split(","):
        if match := _NTH.fullmatch(part):
            nth.add((_weekday(expression, match[1]), int(match[2])))
        elif match := _LAST.fullmatch(part):
            nth.add((_weekday(expression, match[1]), -1))
        else:
            rest.append(part)
    values = _values(expression, "day of week", ",".join(rest), 0, 7, _WEEKDAYS) if rest else ()
    return frozenset(value % 7 for value in values), frozenset(nth)


def _weekday(expression: str, text: str) -> int:
    return _number(expression, "day of week", text, 0, 7, _WEEKDAYS) % 7


def _values(
    expression: str, field: str, text: str, low: int, high: int, names: Mapping[str, int] | None = None
) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch("*" if part == "?" else part)
        if match is None:
            raise _illegal(expression, f"has {part!r} as {field}, which is no value, range or step")
        star, first, last, step = match.groups()
        start = low if star else _number(expression, field, first, low, high, names)
        end = _end(expression, field, last, start, high, names, open_ended=bool(star or step))
        if end < start:
            raise _illegal(expression, f"has the range {part!r} as {field}, which runs backwards")
        if step is not None and int(step) < 1:
            raise _illegal(expression, f"has the step {part!r} as {field}; steps are 1 or more")
        # A star stands for every value once: of the weekdays' 0 and 7 only the first.
        top = min(end, 6) if star and names is _WEEKDAYS else end
        found.update(range(start, top + 1, int(step or 1)))
    return tuple(sorted(found))


def _end(
    expression: str,
    field: str,
    last: str | None,
    start: int,
    high: int,
    names: Mapping[str, int] | None,
    *,
    open_ended: bool,
) -> int:
    if last is None:
        return high if open_ended else start
    end = _number(expression, field, last, 0, high, names)
    return 7 if names is _WEEKDAYS and end == 0 and start > 0 else end  # FRI-SUN


def _number(
    expression: str, field: str, text: str, low: int, high: int, names: Mapping[str, int] | None
) -> int:
    if names is not None and text[:3] in names and text.isalpha():
        return names[text[:3]]
    if not text.isdecimal() or len(text) > 4 or not low <= int(text) <= high:
        raise _illegal(expression, f"has {text!r} as {field}, which is not in {low} to {high}")
    return int(text)


def _length(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _illegal(expression: str, rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_CRON", f"cron {expression!r} {rule}", cron=expression)
