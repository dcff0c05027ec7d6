"""Pages: sizes and tokens of requests, and lists cut to messages that everybody takes."""

from __future__ import annotations

from collections.abc import Sequence

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.bus.port import Parked
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.transitions import RUN
from foldline.eventstore.port import Position
from foldline.wire import messages
from foldline_recorder.projections.runs import Listed

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
