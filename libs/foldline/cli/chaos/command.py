"""`foldline chaos`."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import msgspec
import structlog

from foldline.cli.chaos import campaign, wires
from foldline.cli.chaos.campaign import Stand, Verdict
from foldline.cli.stack import detached, programs
from foldline.cli.stack.home import Home
from foldline.cli.stack.installation import Options, StartFailed
from foldline.cli.stack.postgres import EmbeddedPostgres

REPLICAS = "scheduler=2,executor=2,recorder=2"
SHOWN_FINDINGS = 20
PAUSE_SECONDS = 0.2
"""What ends starts again as soon as that; an installation of people's waits longer the more often it ends."""

SERVERS = ("nats", "postgres")


class Chosen(msgspec.Struct, frozen=True):
    """What was asked for."""

    seed: int
    campaigns: int
    faults: int
    replicas: str
    until_finding: bool
    keep: bool
    is_json: bool


@click.command()
@click.option("--seed", default=1, show_default=True, help="The first seed.")
@click.option("--campaigns", default=1, show_default=True, help="How many seeds, one after the other.")
@click.option("--faults", default=10, show_default=True, help="Faults in each campaign.")
@click.option("--replicas", default=REPLICAS, show_default=True, help="As of `foldline up`.")
@click.option("--until-finding", is_flag=True, help="Stop after the first seed with a finding.")
@click.option("--keep", is_flag=True, help="Leave the installation's folder, to look into it.")
@click.option("--json", "is_json", is_flag=True, help="A line of JSON for each campaign, and nothing else.")
def chaos(**asked: object) -> None:
    """Hurt an installation of its own while workflows run, then check every history.

    Kills, restarts, pauses services and cuts them off from NATS and Postgres, fills the disk of executors,
    kills and wipes NATS, stops Postgres at once, each after chosen events. The plan follows from the seed. A
    line per fault says when it struck and after how long the runs went on.

    Exit code 1: the checker found something, or the platform did not recover. The line says how to play the
    seed again, and the installation's folder is left to look into.
    """
    # What its own connections have to say while Postgres is away is no news.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable()
    chosen = msgspec.convert(asked, Chosen)
    try:
        verdicts = asyncio.run(_play(chosen))
    except StartFailed as error:
        click.echo(f"foldline did not start: {error}", err=True)
        sys.exit(1)
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)
    if not chosen.is_json:
        _sum_up(verdicts)
    sys.exit(1 if any(one.findings for one in verdicts) else 0)


async def _play(chosen: Chosen) -> list[Verdict]:
    verdicts: list[Verdict] = []
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with _installation(chosen, verdicts) as stand, campaign.field(stand) as field:
        for number in range(chosen.seed, chosen.seed + chosen.campaigns):
            _say(f"seed {number}: {chosen.faults} faults", chosen)
            verdict = await campaign.run(field, number, chosen.faults, lambda text: _say(text, chosen))
            verdicts.append(verdict)
            _show(verdict, chosen)
            if verdict.findings and chosen.until_finding:
                break
    return verdicts


@asynccontextmanager
async def _installation(chosen: Chosen, verdicts: list[Verdict]) -> AsyncIterator[Stand]:
    """One for all campaigns, whose connections can be cut."""
    home = Home(Path(tempfile.mkdtemp(prefix="foldline-chaos-")))
    names = _names(chosen.replicas)
    ways = [
        (name, server)
        for name in names
        for server in SERVERS
        if server.upper() not in programs.WITHHELD.get(name.partition("-")[0], set())
    ]
    try:
        async with asyncio.TaskGroup() as tasks, wires.opened(ways, _ports(home), tasks) as opened:
            options = Options(
                home=str(home.folder),
                replicas=chosen.replicas,
                longest_pause=PAUSE_SECONDS,
                wires=wires.options(opened),
            )
            try:
                await asyncio.to_thread(detached.start, options)
                yield stand_of(home, chosen.replicas, opened)
            finally:
                await asyncio.to_thread(detached.stop, home)
    finally:
        if chosen.keep or (any(one.findings for one in verdicts) and not chosen.is_json):
            click.echo(f"the installation is left in {home.folder}", err=True)
        else:
            shutil.rmtree(home.folder, ignore_errors=True)


def _names(replicas: str) -> list[str]:
    counts = programs.parse_replicas(replicas)
    return [name for service in programs.services() for name in programs.members(service, counts)]


def _ports(home: Home) -> wires.Ports:
    def port(server: str) -> int:
        return msgspec.json.decode(home.ports.read_bytes(), type=dict[str, int])[server]

    return port


def stand_of(home: Home, replicas: str, opened: wires.Wires | None = None) -> Stand:
    """The installation of a home that was started with these replicas."""

    async def release(file: Path) -> None:
        argv = (sys.executable, "-P", "-m", "foldline.cli.main", "release", str(file), "--home")
        process = await asyncio.create_subprocess_exec(
            *argv, str(home.folder), "--workflow", file.stem, stdout=asyncio.subprocess.DEVNULL
        )
        if await process.wait():
            raise click.ClickException(f"{file} could not be released")

    dsn = EmbeddedPostgres(home.postgres, port=_ports(home)("postgres")).dsn()
    return Stand(home, dsn, _names(replicas), release, opened or {})


def _show(verdict: Verdict, chosen: Chosen) -> None:
    if chosen.is_json:
        click.echo(msgspec.json.encode(verdict).decode())
        return
    click.echo(
        f"  {_amounts(verdict.runs)}, {verdict.inner_runs} runs inside steps, {verdict.attempts} calls, "
        f"{verdict.events} events in {verdict.seconds:.0f} s"
    )
    for finding in verdict.findings[:SHOWN_FINDINGS]:
        click.echo(f"  {finding}")
    if verdict.findings:
        again = f"foldline chaos --seed {verdict.seed} --faults {chosen.faults}"
        if chosen.replicas != REPLICAS:
            again += f" --replicas {chosen.replicas}"
        click.echo(f"  {len(verdict.findings)} findings; again with: {again}")
    else:
        click.echo("  nothing lost, doubled or stuck")


def _sum_up(verdicts: list[Verdict]) -> None:
    runs: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for one in verdicts:
        runs.update(one.runs)
        kinds.update(fault.kind for fault in one.faults)
    findings = sum(len(one.findings) for one in verdicts)
    seconds = sum(one.seconds for one in verdicts)
    click.echo(f"seeds {verdicts[0].seed} to {verdicts[-1].seed} in {seconds:.0f} s")
    click.echo(f"faults: {kinds.total()} ({_amounts(dict(kinds.most_common()))})")
    click.echo(
        f"runs: {runs.total()} ({_amounts(runs)}), {sum(one.inner_runs for one in verdicts)} inside steps"
    )
    click.echo(
        f"events: {sum(one.events for one in verdicts)}, calls: {sum(one.attempts for one in verdicts)}"
    )
    click.echo(f"findings: {findings}")


def _amounts(amounts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in amounts.items())


def _say(text: str, chosen: Chosen) -> None:
    if not chosen.is_json:
        click.echo(text)
