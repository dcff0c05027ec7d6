"""What executors say of themselves fits into any message."""

from __future__ import annotations

from foldline.domain.spec import Resources
from foldline.domain.work import AttemptKey, Claim, Heartbeat
from foldline.wire import work
from foldline_executor.heartbeat import LARGEST_BYTES, bounded

NATS_BYTES = 1024**2
"""What a NATS with its usual settings takes."""


def beat(attempts: int) -> Heartbeat:
    """Of an executor that holds so many attempts with long names."""
    keys = [
        AttemptKey(run_id=f"0192f0c4-0000-7000-8000-{number:012d}", step=f"train_a_model_{number}", attempt=1)
        for number in range(attempts)
    ]
    claim = Claim(
        workspace="the-laboratory",
        workflow="training",
        resources=Resources(cpu=1.5, memory_bytes=2**31, gpu=1),
    )
    return Heartbeat(
        session="s", name="ex", region="local", pool="p", held=tuple(keys), claims=(claim,) * len(keys)
    )


def test_a_thousand_attempts_are_named_with_all_that_they_take() -> None:
    body = bounded(beat(1000))

    assert len(body) < LARGEST_BYTES
    assert work.decode(Heartbeat, body) == beat(1000)


def test_more_attempts_are_named_without_what_they_take() -> None:
    body = bounded(beat(5000))
    heard = work.decode(Heartbeat, body)

    assert len(body) < NATS_BYTES
    assert (heard.held, heard.claims) == (beat(5000).held, ())
