"""`foldline chaos` on real processes: a short campaign finds nothing, and a planted fault is found."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.acceptance.installation import Installation, installed

from foldline.bus import jetstream, subjects
from foldline.bus.port import Message
from foldline.cli.chaos import campaign
from foldline.cli.chaos.campaign import Verdict
from foldline.cli.chaos.command import stand_of
from foldline.cli.stack.nats import EmbeddedNats
from foldline.domain.work import AttemptKey, Heartbeat, Work
from foldline.wire import work as wire

TWO = "executor=2"
PLANTED = Path(__file__).parent / "planted"

pytestmark = pytest.mark.timeout(400)


def test_a_campaign_by_seed_leaves_nothing_lost_doubled_or_stuck() -> None:
    result = chaos("--seed", "7", "--faults", "12")

    assert result.returncode == 0, result.stdout + result.stderr
    verdict = json.loads(result.stdout)
    assert (verdict["seed"], len(verdict["faults"]), verdict["findings"]) == (7, 12, [])
    runs = sum(verdict["runs"].values())
    assert runs >= campaign.OPEN
    assert verdict["attempts"] > runs


@pytest.mark.timeout(1800)  # the first or second seed finds it, as a rule
def test_a_double_start_planted_in_the_schedulers_is_found_within_100_seeds() -> None:
    """See `planted`. The test before this one says that nothing is found without it."""
    result = chaos("--campaigns", "100", "--faults", "10", "--until-finding", planted=True)

    assert result.returncode == 1, result.stderr
    verdicts = [json.loads(line) for line in result.stdout.splitlines()]
    assert "STARTED_TWICE" in {finding["rule"] for finding in verdicts[-1]["findings"]}, verdicts[-1]
    assert "DIED" not in {finding["rule"] for finding in verdicts[-1]["findings"]}, (
        "the fault itself is broken"
    )


def chaos(*words: str, planted: bool = False) -> subprocess.CompletedProcess[str]:
    path = {"PYTHONPATH": str(PLANTED)} if planted else {}
    return subprocess.run(
        [sys.executable, "-P", "-m", "foldline.cli.main", "chaos", "--json", *words],
        capture_output=True,
        env=os.environ | path,  # noqa: TID251 - passed on
        text=True,
        check=False,
    )


def test_an_attempt_that_is_started_twice_is_found() -> None:
    """What a scheduler with a fault would do, done by somebody else: an order goes to two executors."""
    folder = Path(tempfile.mkdtemp(prefix="foldline-"))
    try:
        with installed(folder / "home", "--replicas", TWO) as platform:
            verdict = asyncio.run(with_a_doubler(platform))
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    assert {finding.rule for finding in verdict.findings} == {"STARTED_TWICE"}, list(
        map(str, verdict.findings)
    )


async def with_a_doubler(platform: Installation) -> Verdict:
    async with doubler(platform), campaign.field(stand_of(platform.home, TWO)) as field:
        return await campaign.run(field, 3, 0, lambda _: None)


@asynccontextmanager
async def doubler(platform: Installation) -> AsyncIterator[None]:
    """Gives one order in ten to the other executor as well."""
    ports = json.loads(platform.home.ports.read_text())
    sessions: set[str] = set()
    heard: list[AttemptKey] = []

    async def on_heartbeat(message: Message) -> None:
        sessions.add(wire.decode(Heartbeat, message.body).session)

    async def on_work(message: Message) -> None:
        others = [one for one in sessions if subjects.work(one) != message.subject]
        for work in wire.decode_all(Work, message.body):
            if work.key in heard or not others:
                continue
            heard.append(work.key)
            if len(heard) % 10 == 0:
                await bus.publish(subjects.work(others[0]), wire.encode_all([work]))

    nats = EmbeddedNats(platform.home.nats, port=ports["nats"])
    async with jetstream.connect(nats.url, name="doubler") as bus:
        await bus.subscribe(subjects.HEARTBEAT, on_heartbeat)
        await bus.subscribe(subjects.work("*"), on_work)
        yield
