"""Pages: sizes and tokens of requests, and lists cut to messages that everybody takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.bus.port import Parked
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.transitions import RUN
from foldline.eventstore.port import Position
from foldline.wire import messages
from foldline_recorder.logs import Part
from foldline_recorder.projections.runs import Listed
from foldline_recorder.series import MOST_BUCKETS, Wanted
from foldline_recorder.sieves import sieve

RUNS_DEFAULT = 50
RUNS_LARGEST = 500
TODOS_DEFAULT = 50
PARKED_DEFAULT = 50
PARKED_LARGEST = 500

PAGE_BYTES = 8 * 1024 * 1024


def not_negative(name: str, value: int) -> int:
    if value < 0:
        raise FoldlineError(Kind.INVALID, "NEGATIVE_NUMBER", f"{name} is {value}, but must be 0 or more")
    return value


def rank(request: pb.ReadLogRequest | pb.ReadMetricsRequest) -> int | None:
    """None for all processes of an attempt."""
    return not_negative("rank", request.rank) if request.HasField("rank") else None


def log_part(request: pb.ReadLogRequest) -> Part:
    """What of a log is asked for."""
    since = request.since.ToDatetime(tzinfo=UTC) if request.HasField("since") else None
    return Part(
        attempt=not_negative("attempt", request.attempt),
        after=not_negative("after_line", request.after_line),
        before=not_negative("before_line", request.before_line),
        sieve=sieve(rank=rank(request), since=since, search=request.search, pattern=request.pattern),
        tail=not_negative("tail", request.tail),
        limit=not_negative("limit", request.limit),
        follow=request.follow,
    )


def series(request: pb.ReadMetricsRequest) -> Wanted:
    """Which series are asked for."""
    if request.buckets > MOST_BUCKETS:
        message = f"buckets is {request.buckets}, but at most {MOST_BUCKETS} are given"
        raise FoldlineError(Kind.INVALID, "TOO_MANY_BUCKETS", message)
    return Wanted(
        step=request.step,
        attempt=not_negative("attempt", request.attempt),
        name=request.name,
        rank=rank(request),
        buckets=not_negative("buckets", request.buckets),
    )


def status(asked: str) -> str:
    """A status of a run, or "" for every one."""
    if asked and asked not in RUN:
        raise FoldlineError(
            Kind.INVALID, "UNKNOWN_STATUS", f"{asked!r} is no status of a run; there are {', '.join(RUN)}"
        )
    return asked


def size(asked: int, *, default: int, largest: int) -> int:
    """The number of entries to give: 0 means the default, and no more than the largest are ever given."""
    return min(not_negative("page_size", asked) or default, largest)


def behind(token: str) -> Position | None:
    """The place that a page token stands for; None for the first page."""
    if not token:
        return None
    try:
        place = Position.parse(token)
    except ValueError as error:
        raise _bad_token(token) from error
    if not (0 <= place.transaction < 2**64 and 0 <= place.number < 2**63):
        raise _bad_token(token)
    return place


def runs_page(found: Sequence[Listed], size: int) -> pb.ListRunsResponse:
    """At most `size` runs; with a token when there are more, be it that they do not fit the message."""
    page = pb.ListRunsResponse()
    room = PAGE_BYTES
    for number, listed in enumerate(found):
        run = messages.to_message(listed.run, pb.Run)
        room -= run.ByteSize()
        if number == size or (number and room < 0):
            page.next_page_token = str(found[number - 1].place)
            break
        page.runs.append(run)
    return page


def parked_page(parked: Sequence[Parked]) -> pb.ListParkedMessagesResponse:
    page = pb.ListParkedMessagesResponse()
    room = PAGE_BYTES
    for one in parked:
        room -= len(one.body)
        if room < 0 and page.messages:
            break
        message = page.messages.add(subject=one.subject, reason=one.reason, body=one.body)
        message.time.FromDatetime(one.time)
    return page


def _bad_token(token: str) -> FoldlineError:
    return FoldlineError(
        Kind.INVALID, "BAD_PAGE_TOKEN", f"{token!r} is no page token; take next_page_token of the page before"
    )
