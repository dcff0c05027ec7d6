"""When a schedule fires: the moments of its times in UTC, strictly growing, for any window.

The rules where a time zone changes its clock: a local time that is skipped fires at the first moment after
the gap; a local time that comes twice fires the first time. Several skipped times of one gap are one moment.
Intervals and single times know no time zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import UNSET

from foldline.domain import cron
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.schedule_events import Times

LONGEST_INTERVAL_SECONDS = 366 * 24 * 3600
COUNT_LIMIT = 10_000
"""Nobody counts further: this many means so many or more."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9900, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def check(times: Times) -> Times:
    """`times` where they can be carried out. Raises ILLEGAL_TIMES, ILLEGAL_CRON or UNKNOWN_TIME_ZONE."""
    chosen = [bool(times.cron), bool(times.every_seconds), times.once is not UNSET]
    if sum(chosen) != 1:
        raise _illegal("a schedule has exactly one of cron, an interval and a single time")
    if times.time_zone and not times.cron:
        raise _illegal("a time zone belongs to a cron expression")
    if times.start is not UNSET and not times.every_seconds:
        raise _illegal("a start belongs to an interval")
    if times.every_seconds and not 1 <= times.every_seconds <= LONGEST_INTERVAL_SECONDS:
        raise _illegal(f"an interval has 1 to {LONGEST_INTERVAL_SECONDS} seconds, not {times.every_seconds}")
    if times.cron:
        cron.parse(times.cron)
        zone(times.time_zone)
    return times


@lru_cache(256)
def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name; UTC for "". Raises UNKNOWN_TIME_ZONE."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FoldlineError(
            Kind.INVALID,
            "UNKNOWN_TIME_ZONE",
            f"{name[:80]!r} is no time zone; write an IANA name such as Europe/Berlin",
            time_zone=name[:80],
        ) from error


def occurrences(times: Times, after: datetime, until: datetime | None = None) -> Iterator[datetime]:
    """The moments in (after, until] in UTC, growing; without `until` for as long as anybody asks."""
    after = after.astimezone(UTC)
    if times.cron:
        found = _of_cron(cron.parse(times.cron), zone(times.time_zone), after)
    elif times.every_seconds:
        found = _of_interval(times, after)
    else:
        found = iter(() if times.once is UNSET or times.once <= after else (times.once.astimezone(UTC),))
    if until is None:
        return found
    return takewhile(lambda moment: moment <= until, found)


def following(times: Times, after: datetime) -> datetime | None:
    """The first moment after this one; None where there is none."""
    return next(occurrences(times, after), None)


def count(times: Times, after: datetime, until: datetime) -> int:
    """How many moments (after, until] has, at most COUNT_LIMIT."""
    return sum(1 for _ in islice(occurrences(times, after, until), COUNT_LIMIT))


def _of_interval(times: Times, after: datetime) -> Iterator[datetime]:
    start = _EPOCH if times.start is UNSET else times.start.astimezone(UTC)
    step = timedelta(seconds=times.every_seconds)
    if times.start is not UNSET and after < start:
        moment = start
    else:
        moment = start + ((after - start) // step + 1) * step
    while moment < _LAST:
        yield moment
        moment += step


def _of_cron(expression: cron.Cron, place: ZoneInfo, after: datetime) -> Iterator[datetime]:
    before = after
    for local in expression.after(after.astimezone(place).replace(tzinfo=None)):
        moment = moment_of(local, place)
        if moment > before:
            before = moment
            yield moment


def moment_of(local: datetime, place: ZoneInfo) -> datetime:
    """The moment in UTC of a local time, by the rules above."""
    moment = local.replace(tzinfo=place, fold=0).astimezone(UTC)
    if moment.astimezone(place).replace(tzinfo=None) == local:
        return moment
    # In a gap. The clock changes between the readings with the offsets behind and before it.
    low = local.replace(tzinfo=place, fold=1).astimezone(UTC)
    high = moment
    offset = low.astimezone(place).utcoffset()
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        if middle.astimezone(place).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


def _illegal(rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_TIMES", rule, rule=rule)
