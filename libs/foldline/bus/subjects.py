"""Every subject name, built and parsed in one place. Nothing else in the code spells a subject.

plain   foldline.work.<session>                   Work for one executor session
plain   foldline.stop.<session>                   StopAttempt
plain   foldline.drain.<session>                  Drain
plain   foldline.ack.<session>                    ReportAck
plain   foldline.report.<partition>               Report, to the scheduler that owns the partition
plain   foldline.poke.<partition>                 a run of the partition changed: reload it (body: run id)
plain   foldline.heartbeat                        Heartbeat of every executor
plain   foldline.roll_call                        a scheduler listens from now on: executors, be heard (empty)
plain   foldline.partitions                       a scheduler gave partitions up: others may take them (empty)
plain   foldline.log.<run>.<attempt>.<step>       LogChunk
kept    foldline.event.<workspace>.<category>.<type>   CloudEvents 1.0, structured JSON (stream EVENTS)
kept    foldline.parked.<original subject>        what could not be handled (stream PARKED)
"""

from __future__ import annotations

from foldline.domain.errors import FoldlineError, Kind

HEARTBEAT = "foldline.heartbeat"
ROLL_CALL = "foldline.roll_call"
PARTITIONS = "foldline.partitions"
EVENTS = "foldline.event.>"
PARKED = "foldline.parked.>"


def work(session: str) -> str:
    return f"foldline.work.{session}"


def stop(session: str) -> str:
    return f"foldline.stop.{session}"


def drain(session: str) -> str:
    return f"foldline.drain.{session}"


def ack(session: str) -> str:
    return f"foldline.ack.{session}"


def report(partition: int) -> str:
    return f"foldline.report.{partition}"


def poke(partition: int) -> str:
    return f"foldline.poke.{partition}"


def log(run_id: str, step: str, attempt: int) -> str:
    return f"foldline.log.{run_id}.{attempt}.{step}"


def event(workspace: str, stream: str, type_: str) -> str:
    """A category is the part of the stream name before the first dash."""
    category = stream.partition("-")[0]
    return f"foldline.event.{workspace or '_'}.{category}.{type_}"


def check_event(subject: str) -> None:
    """Raise INVALID unless the stream of facts takes it."""
    if not subject.startswith(EVENTS.removesuffix(">")):
        raise FoldlineError(Kind.INVALID, "NOT_AN_EVENT_SUBJECT", f"{subject} is no subject for facts")


def parked(subject: str) -> str:
    return f"foldline.parked.{subject}"
