"""`foldline chaos`."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
import structlog

from foldline.cli.chaos import campaign, faults
from foldline.cli.chaos.campaign import Stand, Verdict
from foldline.cli.stack import detached, programs
from foldline.cli.stack.home import Home
from foldline.cli.stack.installation import Options, StartFailed
from foldline.cli.stack.postgres import EmbeddedPostgres

REPLICAS = "scheduler=2,executor=2,recorder=2"
SHOWN_FINDINGS = 20


@click.command()
@click.option("--seed", default=1, show_default=True, help="The first seed.")
@click.option("--campaigns", default=1, show_default=True, help="How many seeds, one after the other.")
@click.option("--faults", "fault_count", default=10, show_default=True, help="Faults in each campaign.")
@click.option("--replicas", default=REPLICAS, show_default=True, help="As of `foldline up`.")
@click.option("--keep", is_flag=True, help="Leave the installation's folder, to look into it.")
@click.option("--json", "is_json", is_flag=True, help="A line of JSON for each campaign.")
def chaos(*, seed: int, campaigns: int, fault_count: int, replicas: str, keep: bool, is_json: bool) -> None:
    """Hurt an installation of its own while workflows run, then check every history.

    Kills, restarts and pauses services, wipes the storage of NATS, stops Postgres at once, at chosen events.
    The plan follows from the seed. Exit code 1: the checker found something, or the platform did not recover;
    the seed is printed, and plays it again.
    """
    # What its own connections have to say while Postgres is away is no news.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable()
    is_whole = True
    with _installation(replicas, keep=keep) as home:
        stand = stand_of(home, replicas)
        for number in range(seed, seed + campaigns):
            _say(f"seed {number}: {fault_count} faults", is_json=is_json)
            try:
                verdict = asyncio.run(
                    campaign.run(stand, number, fault_count, lambda text: _say(f"  {text}", is_json=is_json))
                )
            except faults.NotBack as error:
                click.echo(f"seed {number}: {error}", err=True)
                sys.exit(1)
            _show(verdict, is_json=is_json)
            is_whole = is_whole and not verdict.findings
    sys.exit(0 if is_whole else 1)


@contextmanager
def _installation(replicas: str, *, keep: bool) -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="foldline-chaos-"))
    home = Home(folder)
    try:
        detached.start(Options(home=str(folder), replicas=replicas))
        yield home
    except StartFailed as error:
        click.echo(f"foldline did not start: {error}", err=True)
        sys.exit(1)
    finally:
        detached.stop(home)
        if keep:
            click.echo(f"the installation is left in {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def stand_of(home: Home, replicas: str) -> Stand:
    """The installation of a home that was started with these replicas."""
    ports = msgspec.json.decode(home.ports.read_bytes(), type=dict[str, int])
    counts = programs.parse_replicas(replicas)
    names = [name for service in programs.services() for name in programs.members(service, counts)]

    async def release(file: Path) -> None:
        argv = (sys.executable, "-P", "-m", "foldline.cli.main", "release", str(file), "--home")
        process = await asyncio.create_subprocess_exec(
            *argv, str(home.folder), stdout=asyncio.subprocess.DEVNULL
        )
        if await process.wait():
            raise click.ClickException(f"{file} could not be released")

    return Stand(home, EmbeddedPostgres(home.postgres, port=ports["postgres"]).dsn(), names, release)


def _show(verdict: Verdict, *, is_json: bool) -> None:
    if is_json:
        click.echo(msgspec.json.encode(verdict).decode())
        return
    click.echo(f"  {verdict.runs} runs, {verdict.attempts} calls of steps, {verdict.events} events")
    for finding in verdict.findings[:SHOWN_FINDINGS]:
        click.echo(f"  {finding}")
    if verdict.findings:
        again = f"foldline chaos --seed {verdict.seed} --faults {len(verdict.faults)}"
        click.echo(f"  {len(verdict.findings)} findings; again with: {again}")
    else:
        click.echo("  nothing lost, doubled or stuck")


def _say(text: str, *, is_json: bool) -> None:
    if not is_json:
        click.echo(text)
