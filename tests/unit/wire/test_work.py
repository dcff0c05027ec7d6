from __future__ import annotations

import pytest

from foldline.domain.errors import FoldlineError
from foldline.domain.work import AttemptKey, Heartbeat, Report
from foldline.wire import work


def test_a_message_survives_the_bus() -> None:
    report = Report(key=AttemptKey(run_id="r", step="train", attempt=1), session="s", kind="started")

    assert work.decode(Report, work.encode(report)) == report


def test_what_a_newer_sender_added_does_no_harm() -> None:
    body = b'{"session":"s","name":"n","region":"local","pool":"default","mood":"fine"}'

    assert work.decode(Heartbeat, body).name == "n"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"session": 1}', b"null"])
def test_what_is_not_the_message_is_refused(body: bytes) -> None:
    with pytest.raises(FoldlineError) as caught:
        work.decode(Heartbeat, body)

    assert caught.value.reason == "MESSAGE_UNREADABLE"
